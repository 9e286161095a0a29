/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rivals.c - who judges the frames at the far end of a veth pair, and how its counters are read.
 *
 * A rule that did not load judges nothing, and must not win for it.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench.h"
#include "rivals.h"

#define XDP_FILTER_STATS "/sys/fs/bpf/xdp-filter/xdp_stats_map"

#define ALL_HIT .share_least = 1
#define HELD	.frame = FRAME_OTHER, .held = true

/* The prefixes cover 47 in a hundred of the addresses behind which they lie. */
struct rival rivals[RIVALS_N] = {
	{ .name = "xdp-empty", .figures = "bcd", .scene = "main4", .program = "live_empty",
	  .frame = FRAME_SYN25, .counting = COUNT_XDP },
	{ .name = "xdp-line", .figures = "bcd", .scene = "main4", .program = "live_line",
	  .frame = FRAME_SYN25, .counting = COUNT_XDP },
	{ .name = "xdp-line-c", .figures = "c", .scene = "main4", .program = "live_line", HELD,
	  .counting = COUNT_XDP },
	{ .name = "xdp-line-128", .figures = "bc", .scene = "main4", .program = "live_line_128",
	  .frame = FRAME_SYN25, .counting = COUNT_XDP },
	{ .name = "xdp-line-1024", .figures = "d", .scene = "main4", .program = "live_line_1024",
	  .frame = FRAME_SYN25, .counting = COUNT_XDP },
	{ .name = "lazaret-b", .figures = "b", .scene = "main4", .program = "live_ours",
	  .frame = FRAME_SYN25, .counting = COUNT_OURS, .limits = true, ALL_HIT,
	  .reasons = 1ull << LZ_R_PASS_EXAMINED | 1ull << LZ_R_DROP_LIMIT },
	{ .name = "nft-limit", .figures = "b", .frame = FRAME_SYN25, .counting = COUNT_NFT,
	  .limits = true },
	{ .name = "hashlimit", .figures = "b", .frame = FRAME_SYN25, .counting = COUNT_IPTABLES,
	  .limits = true },
	{ .name = "lazaret-c", .figures = "c", .scene = "main4", .program = "live_ours", HELD,
	  .counting = COUNT_OURS, .reasons = 1ull << LZ_R_DROP_HELD, ALL_HIT },
	{ .name = "nft-set", .figures = "c", HELD, .counting = COUNT_NFT, ALL_HIT },
	{ .name = "ipset-ip", .figures = "c", HELD, .counting = COUNT_IPTABLES, ALL_HIT },
	{ .name = "lazaret-c-10k", .figures = "c", .scene = "main4", .program = "live_ours", HELD,
	  .n = BENCH_XDP_FILTER_N, .counting = COUNT_OURS, .reasons = 1ull << LZ_R_DROP_HELD,
	  ALL_HIT },
	{ .name = "xdp-filter", .figures = "c", HELD, .n = BENCH_XDP_FILTER_N,
	  .counting = COUNT_XDP_FILTER, ALL_HIT },
	{ .name = "lazaret-d", .figures = "d", .scene = "ranges4", .program = "live_ours",
	  .frame = FRAME_WORLD25, .counting = COUNT_OURS, .reasons = 1ull << LZ_R_DROP_PORT25,
	  ALL_HIT },
	{ .name = "nft-interval", .figures = "d", .frame = FRAME_WORLD25, .counting = COUNT_NFT,
	  .share_least = 0.4 },
	{ .name = "ipset-net", .figures = "d", .frame = FRAME_WORLD25,
	  .counting = COUNT_IPTABLES, .share_least = 0.4 },
};

struct rival *rival_find(const char *name)
{
	for (unsigned i = 0; i < RIVALS_N; i++)
		if (!strcmp(rivals[i].name, name))
			return &rivals[i];
	bench_must(-ENOENT, name);
	return NULL;
}

void rival_enter(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s-%s", options.net, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bench_must(fd < 0 ? -errno : 0, path);
	bench_must(setns(fd, CLONE_NEWNET) ? -errno : 0, path);
	close(fd);
}

void rival_attach(const struct rival *r)
{
	if (!r->program)
		return;
	rival_enter(r->name);
	bench_must(bpf_xdp_attach((int)if_nametoindex("in"),
				  scene_prog(scene_find(r->scene), r->program),
				  XDP_FLAGS_DRV_MODE, NULL), "attach XDP to a veth");
}

static void read_nft(const struct rival *r, __u64 ret[2])
{
	__u64 miss;

	rival_enter(r->name);
	if (nft_counters_read(&ret[0], &miss))
		bench_wrong("live %s: its two counters are not there", r->name);
	ret[1] = ret[0] + miss;
}

static void read_iptables(const struct rival *r, __u64 ret[2])
{
	char line[512];
	unsigned n = 0;
	FILE *f;

	rival_enter(r->name);
	f = popen("iptables -t raw -L PREROUTING -nvx | grep DROP", "r");
	bench_must(f ? 0 : -errno, "read a rival's counters");
	while (fgets(line, sizeof(line), f)) {
		__u64 packets = strtoull(line, NULL, 10);

		if (n++ == 0)
			ret[0] = packets; /* the first rule matters, the last has the rest */
		ret[1] += packets;
	}
	if (pclose(f) || n != 2)
		bench_wrong("live %s: its two rules are not there", r->name);
}

/* xdp-filter counts packets and bytes for each answer, in the map that its `status` reads. */
static void read_xdp_filter(const struct rival *r, __u64 ret[2])
{
	struct {
		__u64 packets, bytes;
	} v[256];
	int fd = bpf_obj_get(XDP_FILTER_STATS), cpus = libbpf_num_possible_cpus();

	bench_must(fd, XDP_FILTER_STATS);
	bench_must(cpus > 0 && cpus <= 256 ? 0 : -E2BIG, "count the CPUs");
	for (__u32 action = XDP_ABORTED; action <= XDP_PASS; action++) {
		if (bpf_map_lookup_elem(fd, &action, v))
			bench_wrong("live %s: its counters are not there", r->name);
		for (int cpu = 0; cpu < cpus; cpu++) {
			ret[0] += action == XDP_DROP ? v[cpu].packets : 0;
			ret[1] += v[cpu].packets;
		}
	}
	close(fd);
}

static void read_ours(const struct rival *r, __u64 ret[2])
{
	struct lz_port_stats stats;

	scene_stats(scene_find(r->scene), &stats);
	for (unsigned i = 0; i < LZ_R_N; i++)
		ret[0] += r->reasons >> i & 1 ? stats.count[i] : 0;
	ret[1] = stats.count[LZ_C_RECEIVED];
}

void rival_counts(const struct rival *r, __u64 ret[2])
{
	ret[0] = ret[1] = 0;
	switch (r->counting) {
	case COUNT_NFT:
		read_nft(r, ret);
		return;
	case COUNT_IPTABLES:
		read_iptables(r, ret);
		return;
	case COUNT_XDP_FILTER:
		read_xdp_filter(r, ret);
		return;
	case COUNT_OURS:
		read_ours(r, ret);
		return;
	case COUNT_XDP:
		for (unsigned cpu = 0; cpu < BENCH_CPUS; cpu++)
			ret[1] += scene_find(r->scene)->found[cpu];
	}
}
