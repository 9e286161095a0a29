/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* world.c - load the data plane and run frames through it; see world.h. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <lazaret/abi.h>
#include <lazaret.skel.h>
#include <linux/pkt_cls.h>

#include "datapath/object.h"
#include "lib/world.h"
#include "lib/world_lib.h"

#define CPUS_MAX 1024

/* One CPU, so that a counter's rise belongs to our packet; reading sums them all the same. */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	world_must(sched_setaffinity(0, sizeof(set), &set), "stay on one cpu");
}

static void *map_fd_whole(int fd, size_t bytes)
{
	void *at = mmap(NULL, (bytes + 4095) & ~4095UL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	world_must(at == MAP_FAILED ? -errno : 0, "map an array");
	return at;
}

static void size_maps(const struct world *w)
{
	const struct lz_instance instance = {
		.seed = w->seed,
		.abi_version = LZ_ABI_VERSION,
		.tag_lines = w->tag_lines,
		.flow_lines = WORLD_FLOW_LINES,
		.held_lines = WORLD_HELD_LINES,
		.block_lines = lz_block_lines(w->tag_lines),
		.ipv6_key_len = w->key_len,
		.replay = 1,
	};

	w->skel->rodata->lz_instance = instance;
	world_must(lz_object_set_sizes(w->skel->obj, &instance, NULL), "size the maps");
}

struct world *world_open(__u32 tag_lines, __u32 key_len)
{
	struct world *w = calloc(1, sizeof(*w));
	int err;

	world_must(w ? 0 : -ENOMEM, "memory");
	w->tag_lines = tag_lines;
	w->key_len = key_len;
	w->seed = 0x1234567890abcdefULL;
	w->role = LZ_ROLE_CUSTOMER;
	w->skel = lazaret__open();
	world_must(w->skel ? 0 : -errno, "open the object");
	size_maps(w);
	err = lazaret__load(w->skel);
	if (err == -EPERM) {
		lazaret__destroy(w->skel);
		free(w);
		errno = EPERM;
		return NULL;
	}
	world_must(err, "load the object");
	stay_on_one_cpu();
	w->control = &w->skel->data_control->lz_control;
	w->ports = w->skel->data_ports->lz_ports;
	w->tags = map_fd_whole(bpf_map__fd(w->skel->maps.lz_tags), w->tag_lines * 64ul);
	w->cells = map_fd_whole(bpf_map__fd(w->skel->maps.lz_cells),
				w->tag_lines * 64ul * sizeof(*w->cells));
	w->cold = map_fd_whole(bpf_map__fd(w->skel->maps.lz_cold),
			       w->tag_lines * 64ul * sizeof(*w->cold));
	w->blocks = map_fd_whole(bpf_map__fd(w->skel->maps.lz_blocks),
				 lz_block_lines_all(w->tag_lines) * sizeof(*w->blocks));
	w->held = map_fd_whole(bpf_map__fd(w->skel->maps.lz_held),
			       2 * WORLD_HELD_LINES * sizeof(*w->held));
	world_policy_init(w);
	world_reset(w);
	return w;
}

void world_close(struct world *w)
{
	munmap(w->tags, w->tag_lines * 64ul);
	munmap(w->cells, w->tag_lines * 64ul * sizeof(*w->cells));
	munmap(w->cold, w->tag_lines * 64ul * sizeof(*w->cold));
	munmap(w->blocks, lz_block_lines_all(w->tag_lines) * sizeof(*w->blocks));
	munmap(w->held, 2 * WORLD_HELD_LINES * sizeof(*w->held));
	world_policy_done(w);
	lazaret__destroy(w->skel);
	free(w);
}

/* Write zeros over every entry of an array map that cannot be mapped. */
static void clear_array(const struct bpf_map *map, size_t value_bytes)
{
	__u32 n = bpf_map__max_entries(map);
	void *zeros = calloc(1, value_bytes);

	world_must(zeros ? 0 : -ENOMEM, "memory");
	for (__u32 i = 0; i < n; i++)
		world_must(bpf_map_update_elem(bpf_map__fd(map), &i, zeros, 0), "clear an array");
	free(zeros);
}

static void clear_row(const struct bpf_map *map, __u32 row, size_t value_bytes)
{
	void *zeros = calloc((size_t)libbpf_num_possible_cpus(), (value_bytes + 7) & ~7ul);

	world_must(zeros ? 0 : -ENOMEM, "memory");
	world_must(bpf_map_update_elem(bpf_map__fd(map), &row, zeros, 0), "clear a counter");
	free(zeros);
}

static void ignore_event(void *arg, const struct lz_event *e)
{
	(void)arg;
	(void)e;
}

void world_reset(struct world *w)
{
	memset(w->tags, 0, w->tag_lines * 64ul);
	memset(w->cells, 0, w->tag_lines * 64ul * sizeof(*w->cells));
	memset(w->cold, 0, w->tag_lines * 64ul * sizeof(*w->cold));
	memset(w->blocks, 0, lz_block_lines_all(w->tag_lines) * sizeof(*w->blocks));
	memset(w->held, 0, 2 * WORLD_HELD_LINES * sizeof(*w->held));
	clear_array(w->skel->maps.lz_flows, sizeof(struct lz_flow_line));
	clear_row(w->skel->maps.lz_port_stats, WORLD_ROW, sizeof(struct lz_port_stats));
	for (__u32 i = 0; i < bpf_map__max_entries(w->skel->maps.lz_reply_bucket); i++)
		clear_row(w->skel->maps.lz_reply_bucket, i, sizeof(__u64));
	memset(w->skel->data_replies, 0, sizeof(*w->skel->data_replies));
	for (__u32 i = 0; i < LZ_CLASSES_MAX; i++)
		clear_row(w->skel->maps.lz_class_stats, i, sizeof(struct lz_class_stats));
	for (__u32 i = 0; i < WORLD_LIST_MAX; i++)
		clear_row(w->skel->maps.lz_limit_stats, i, sizeof(struct lz_limit_stats));
	world_forget_exceptions(w);
	world_events(w, ignore_event, NULL);
	memset(w->skel->data_tables, 0, sizeof(*w->skel->data_tables));
	memset(w->skel->data_replay, 0, sizeof(*w->skel->data_replay));
	w->control->bypass_until_s = 0;
	w->control->sources_max = w->tag_lines * 48ul;
	w->control->v6_budget = 1000;
	world_clock(w, WORLD_START_S * 1000000000ull);
}

void world_clock(struct world *w, __u64 now_ns)
{
	w->control->replay_now_ns = now_ns;
}

__u64 world_now(const struct world *w)
{
	return w->control->replay_now_ns;
}

__u64 world_cells_used(const struct world *w)
{
	return w->skel->data_tables->lz_tables.cells_used;
}

struct lz_replay *world_last(const struct world *w)
{
	return &w->skel->data_replay->lz_last;
}

/* Sum the counters of one row over the CPUs. */
static void sum_row(const struct bpf_map *map, __u32 row, __u64 *ret, size_t counters)
{
	static __u64 all[CPUS_MAX * LZ_C_N];
	int cpus = libbpf_num_possible_cpus();

	world_must(cpus > CPUS_MAX ? -E2BIG : 0, "count the cpus");
	world_must(bpf_map_lookup_elem(bpf_map__fd(map), &row, all), "read counters");
	memset(ret, 0, counters * sizeof(*ret));
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < counters; i++)
			ret[i] += all[(size_t)cpu * counters + i];
}

void world_stats(const struct world *w, __u64 count[LZ_C_N])
{
	sum_row(w->skel->maps.lz_port_stats, WORLD_ROW, count, LZ_C_N);
}

void world_class_stats(const struct world *w, int id, struct lz_class_stats *ret)
{
	sum_row(w->skel->maps.lz_class_stats, (__u32)id, (__u64 *)ret, sizeof(*ret) / 8);
}

void world_limit_stats(const struct world *w, int id, struct lz_limit_stats *ret)
{
	sum_row(w->skel->maps.lz_limit_stats, (__u32)id, (__u64 *)ret, sizeof(*ret) / 8);
}

/* The refusal that a reply is, by its bytes; LZ_V_N if it is none we know. */
static __u32 verdict_of_reply(const __u8 *frame, __u32 bytes, __u32 l3)
{
	const __u8 *ip = frame + l3, *l4;

	if (bytes < l3 + 40)
		return LZ_V_N;
	l4 = ip + (ip[0] >> 4 == 4 ? 20 : 40);
	switch (ip[0] >> 4 == 4 ? ip[9] : ip[6]) {
	case 1:
		return l4[0] == 3 && l4[1] == 13 ? LZ_V_ICMP_ADMIN : LZ_V_N;
	case 58:
		return l4[0] == 1 && l4[1] == 1 ? LZ_V_ICMP_ADMIN : LZ_V_N;
	case 6:
		return l4[13] == (PKT_RST | PKT_ACK) || l4[13] == PKT_RST ? LZ_V_TCP_RESET : LZ_V_N;
	}
	return LZ_V_N;
}

static int run_xdp(struct world *w, const __u8 *frame, __u32 bytes, struct world_run *r)
{
	static __u8 out[PKT_BYTES_MAX + 256];
	struct xdp_md in = { .data_end = bytes, .ingress_ifindex = WORLD_IFINDEX }, md = {};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = bytes, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &in, .ctx_size_in = sizeof(in),
		    .ctx_out = &md, .ctx_size_out = sizeof(md), .repeat = 1);
	const struct lz_meta *meta = (const struct lz_meta *)out;

	if (bpf_prog_test_run_opts(bpf_program__fd(w->skel->progs.lz_xdp), &o))
		return -errno;
	r->ret = (int)o.retval;
	r->verdict = o.retval == XDP_PASS ? LZ_V_PASS : o.retval == XDP_DROP ? LZ_V_DROP : LZ_V_N;
	r->other = 0;
	if (md.data) {
		r->verdict = md.data == sizeof(*meta) && meta->magic == LZ_META_MAGIC ?
				     meta->verdict : LZ_V_N;
		r->other = meta->other;
	}
	r->out_bytes = o.data_size_out - md.data;
	memcpy(r->out, out + md.data, r->out_bytes);
	return 0;
}

static int run_tc(struct world *w, const struct bpf_program *prog, const __u8 *frame, __u32 bytes,
		  __u32 l3, struct world_run *r)
{
	struct __sk_buff in = { .ifindex = WORLD_IFINDEX };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = bytes,
		    .data_out = r->out, .data_size_out = sizeof(r->out), .ctx_in = &in,
		    .ctx_size_in = sizeof(in), .repeat = 1);

	(void)w;
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &o))
		return -errno;
	r->ret = (int)o.retval;
	r->out_bytes = o.data_size_out;
	r->verdict = r->ret == TC_ACT_UNSPEC ? LZ_V_PASS :
		     r->ret == TC_ACT_SHOT   ? LZ_V_DROP :
		     r->ret == TC_ACT_REDIRECT ? verdict_of_reply(r->out, r->out_bytes, l3) : LZ_V_N;
	return 0;
}

static void count_reason(struct world_run *r, const __u64 before[LZ_C_N], const __u64 *after)
{
	unsigned counted = 0;

	r->reason = LZ_R_N;
	for (int i = 0; i < LZ_C_N; i++) {
		r->delta[i] = after[i] - before[i];
		if (i < LZ_R_N && r->delta[i]) {
			counted += (unsigned)r->delta[i];
			r->reason = (__u32)i;
		}
	}
	if (counted != 1)
		r->reason = LZ_R_N;
}

int world_bytes(struct world *w, enum world_hook hook, const __u8 *frame, __u32 bytes, __u32 l3,
		struct world_run *r)
{
	__u64 before[LZ_C_N], after[LZ_C_N];
	unsigned flags = w->port_flags | (hook == WORLD_XDP ? LZ_PORT_F_XDP : 0u);
	int err;

	memset(r, 0, sizeof(*r));
	w->ports[WORLD_IFINDEX] = LZ_PORT_ENTRY(w->role, w->role, flags, WORLD_ROW);
	world_stats(w, before);
	err = hook == WORLD_XDP ? run_xdp(w, frame, bytes, r) :
				  run_tc(w, hook == WORLD_TC ? w->skel->progs.lz_tc :
							       w->skel->progs.lz_tc_out,
					 frame, bytes, l3, r);
	world_stats(w, after);
	count_reason(r, before, after);
	return err;
}

int world_frame(struct world *w, enum world_hook hook, const struct pkt_spec *s,
		struct world_run *ret)
{
	struct pkt p;

	pkt_build(&p, s);
	return world_bytes(w, hook, p.data, p.bytes, p.l3, ret);
}

static int take_event(void *ctx, void *data, size_t bytes)
{
	void **fn_arg = ctx;
	world_event_fn fn;

	memcpy(&fn, &fn_arg[0], sizeof(fn));
	if (bytes == sizeof(struct lz_event))
		fn(fn_arg[1], data);
	return 0;
}

int world_events(struct world *w, world_event_fn fn, void *arg)
{
	void *fn_arg[2] = { NULL, arg };
	struct ring_buffer *ring;
	int n;

	memcpy(&fn_arg[0], &fn, sizeof(fn));
	ring = ring_buffer__new(bpf_map__fd(w->skel->maps.lz_events), take_event, fn_arg, NULL);
	world_must(ring ? 0 : -errno, "open the ring buffer");
	n = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return n;
}
