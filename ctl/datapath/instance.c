/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * instance.c - how large an instance is, and the inner maps of its policies.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "datapath/kernel.h"

/* 1 MiB, 114,688 SYNs: 130 s of 880 a second, or a second of 114,000. Eight times that lay beyond the
 * second-level cache, where the line of a SYN cost as much as a cell (make bench, row b). Nor less where there are
 * few sources: any one of them can send SYNs at line rate, and must not push out his own before it is answered. */
#define FLOW_LINES 16384

#define RANGES_MAX    (1u << 23) /* buckets, 2 GiB: four million prefixes, however they are spread */
#define DESTS_MAX     (1u << 20)
#define CUSTOMERS_MAX (1u << 22)

void lz_instance_size(__u32 sources_max, __u32 colony_max, struct lz_instance *ret)
{
	__u64 cells = (__u64)sources_max + colony_max;
	__u64 lines = (cells * 3 + 2 * LZ_TAG_LINE_SLOTS - 1) / (2 * LZ_TAG_LINE_SLOTS);

	ret->tag_lines = lines > 0 ? lines : 1;
	ret->block_lines = lz_block_lines(ret->tag_lines);
	/* Four bits a cell: a page each for prefixes that are a quarter full, and few share one while half of
	 * those have nobody held (held.h). */
	ret->held_lines = (cells * 4 >> LZ_HELD_PAGE_BITS) * LZ_HELD_PAGE_LINES + LZ_HELD_PAGE_LINES;
	ret->flow_lines = FLOW_LINES;
}

__u64 lz_instance_bytes(const struct lz_instance *instance)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 percpu = LZ_PORT_STATS * sizeof(struct lz_port_stats) +
		       LZ_CLASSES_MAX * sizeof(struct lz_class_stats) +
		       LZ_LIMIT_IDS * sizeof(struct lz_limit_stats);
	__u64 fixed = sizeof(struct lz_control) + sizeof(struct lz_tables) + LZ_PORTS_SIZE * sizeof(__u32) +
		      (1 << 20);

	return (__u64)instance->tag_lines *
		       (sizeof(struct lz_tag_line) + LZ_TAG_LINE_SLOTS * (sizeof(struct lz_cell) + sizeof(struct lz_cold))) +
	       (__u64)lz_block_lines_all(instance->tag_lines) * sizeof(struct lz_block_line) +
	       2ull * instance->held_lines * sizeof(struct lz_held_line) +
	       (__u64)instance->flow_lines * sizeof(struct lz_flow_line) +
	       percpu * (cpus > 0 ? cpus : 1) + fixed;
}

int lz_memory_available(__u64 *ret_bytes)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib;
	char line[128];
	int r = -ENOENT;

	while (f && r < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) {
			*ret_bytes = kib * 1024;
			r = 0;
		}
	if (f)
		fclose(f);
	return r;
}

const char *lz_mib_format(__u64 bytes, char buf[static LZ_SIZE_TEXT_MAX])
{
	/* in the largest unit that divides it: so whole MiB, rounded up */
	return lz_size_format((bytes + (1 << 20) - 1) >> 20 << 20, buf);
}

int lz_instance_room(const struct lz_instance *instance, struct lz_err *reterr)
{
	char need[LZ_SIZE_TEXT_MAX], have[LZ_SIZE_TEXT_MAX];
	__u64 need_bytes = lz_instance_bytes(instance), have_bytes;

	if (lz_memory_available(&have_bytes) < 0 || need_bytes <= have_bytes)
		return 0;
	return lz_err_set(reterr, ENOMEM, "memory: the tables need %s, %s are available; lower "
			  "\"capacity\", or add memory", lz_mib_format(need_bytes, need),
			  lz_mib_format(have_bytes, have));
}

void lz_inner_close(struct lz_inner_fds *fds)
{
	lz_close_ref(&fds->ranges);
	lz_close_ref(&fds->dests);
	lz_close_ref(&fds->customers);
}

static int create_inner(enum bpf_map_type type, const char *name, __u32 key_bytes,
			__u32 value_bytes, __u32 n, __u32 max, __u32 flags, struct lz_err *reterr)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd;

	if (n == 0 || n > max)
		return lz_err_set(reterr, E2BIG, "%s: %u entries asked for: 1..%u allowed", name, n,
				  max);
	fd = bpf_map_create(type, name, key_bytes, value_bytes, n, &opts);
	if (fd < 0)
		return lz_err_set(reterr, errno, "%s: cannot create a map of %u entries: %s", name,
				  n, strerror(errno));
	return fd;
}

/* Types, sizes and flags are those of the declarations in bpf/maps.h: the outer map compares. */
int lz_inner_create(const struct lz_inner_sizes *sizes, struct lz_inner_fds *ret,
		    struct lz_err *reterr)
{
	struct lz_inner_fds fds = { -1, -1, -1 };
	__u32 array_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP;
	int r;

	r = fds.ranges = create_inner(BPF_MAP_TYPE_ARRAY, "lz_ranges_in", sizeof(__u32),
				      sizeof(union lz_range_bucket), sizes->ranges, RANGES_MAX,
				      array_flags, reterr);
	if (r >= 0)
		r = fds.dests = create_inner(BPF_MAP_TYPE_HASH, "lz_dests_in",
					     sizeof(struct lz_dest_key), sizeof(__u64),
					     sizes->dests, DESTS_MAX, 0, reterr);
	if (r >= 0)
		r = fds.customers = create_inner(BPF_MAP_TYPE_HASH, "lz_customers_in",
						 sizeof(struct lz_prefix_key), sizeof(__u32),
						 sizes->customers, CUSTOMERS_MAX, 0, reterr);
	if (r < 0) {
		lz_inner_close(&fds);
		return r;
	}
	*ret = fds;
	return 0;
}
