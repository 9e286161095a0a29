/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stockfill.c - the rivals' maps: the sizes, sources, holds and ranges that ours have.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define BATCH 65536

static bool uses(const struct scene *s, const char *word)
{
	return strstr(s->config.programs, word) != NULL;
}

/* All of what ours does, in this scene? */
static bool does_all(const struct scene *s)
{
	return uses(s, " stock_all ") || uses(s, " stock_same ");
}

/* Twice the sources: an LRU map evicts long before it is full, and a rival that has forgotten its
 * sources would do less work. */
void stock_size(struct scene *s)
{
	const struct scene_config *c = &s->config;
	bool limits = uses(s, " stock_limit ") || does_all(s);

	bpf_map__set_max_entries(scene_map(s, "stock_sources"), limits ? 2 * c->sources : 1);
	bpf_map__set_max_entries(scene_map(s, "stock_flows"),
				 does_all(s) ?
					 s->instance.flow_lines * LZ_FLOW_LINE_ENTRIES : 1);
	bpf_map__set_max_entries(scene_map(s, "stock_held"), c->held ? c->held : 1);
}

static struct stock_prefix prefix_of(__u64 bits, __u32 len)
{
	struct stock_prefix p = { .len = len };

	bits = __builtin_bswap64(bits);
	memcpy(p.bits, &bits, sizeof(bits));
	return p;
}

static void put_prefix(int fd, __u64 bits, __u32 len, __u32 class_)
{
	struct stock_prefix key = prefix_of(bits, len);

	bench_must(bpf_map_update_elem(fd, &key, &class_, BPF_ANY), "fill an LPM trie");
}

static void fill_held(struct scene *s)
{
	int fd = bpf_map__fd(scene_map(s, "stock_held"));
	__u64 *keys = calloc(BATCH, sizeof(*keys)), *values = calloc(BATCH, sizeof(*values));
	__u64 until_ns = bench_now_ns() + 86400ull * 1000000000ull;
	__u32 n = 0;

	bench_must(keys && values ? 0 : -ENOMEM, "memory");
	for (__u32 i = 0; i < s->config.held; i++) {
		keys[n] = scene_held_key(&s->config, i);
		values[n++] = until_ns;
		if (n < BATCH && i + 1 < s->config.held)
			continue;
		bench_must(bpf_map_update_batch(fd, keys, values, &n, NULL), "fill a hash");
		n = 0;
	}
	free(keys);
	free(values);
}

static void fill_ranges(struct scene *s)
{
	int fd = bpf_map__fd(scene_map(s, "stock_ranges"));
	__u64 bits;
	__u32 len;

	for (__u32 i = 0; i < s->config.ranges; i++) {
		bits = text_range(&s->config, i, &len);
		put_prefix(fd, bits, len, LZ_CLASS_FIRST);
	}
	/* the provider's own space, as the policy of the scene has it */
	if (s->config.family == 4)
		put_prefix(fd, s->config.base4 & 0xffc00000u, 42, LZ_CLASS_FIRST);
	else
		put_prefix(fd, 0x20010db800000000ULL, 32, LZ_CLASS_FIRST);
}

static void fill_exceptions(struct scene *s)
{
	int fd = bpf_map__fd(scene_map(s, "stock_exceptions"));

	for (__u32 i = 0; i < s->config.exceptions; i++)
		put_prefix(fd, scene_held_key(&s->config, i * 512), 64, 1);
}

/* The destinations of the policy: one look-up finds the smarthost. */
static void fill_dests(struct scene *s)
{
	int fd = bpf_map__fd(scene_map(s, "stock_dests"));
	__u64 mask = 1;

	for (size_t i = 0; i < s->image->n_dests; i++)
		bench_must(bpf_map_update_elem(fd, s->image->dests[i].key.addr, &mask, BPF_ANY),
			   "fill a hash");
}

void stock_fill(struct scene *s)
{
	struct variant v = { .name = "introduction", .scene = s, .frame = FRAME_SYN25,
			     .draw = BENCH_EACH };
	__u32 answer;

	if (uses(s, " stock_hold ") || does_all(s))
		fill_held(s);
	if (uses(s, " stock_class ") || does_all(s))
		fill_ranges(s);
	if (does_all(s)) {
		fill_exceptions(s);
		fill_dests(s);
	}
	v.program = uses(s, " stock_all ") ? "stock_all" : "stock_limit";
	if (uses(s, " stock_limit ") || does_all(s)) {
		variant_prepare(&v);
		variant_time(&v, s->config.sources, &answer);
	}
}
