/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * live.c - end to end: frames through veth pairs, one rival at the far end of each, one CPU.
 *
 * BPF_F_TEST_XDP_LIVE_FRAMES makes the frames, their program sends them into the pair, and the far
 * end's NAPI runs on the same CPU. Time is the wall's, for the soft interrupt may run in ksoftirqd;
 * the generator's own share is the row "live-make". Every rival's own counters must say that it saw
 * and judged the frames: a rule that did not load judges nothing.
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

#define BATCH	     64
#define FRAMES_TIMES 4 /* as many frames as the other figures have packets */
#define SENT_LEAST 0.999 /* a veth's ring may overflow when something else takes the CPU */

enum counting { COUNT_XDP, COUNT_OURS, COUNT_NFT, COUNT_IPTABLES };

static struct rival {
	const char *name, *scene, *program; /* of the far end; NULL: rules */
	enum frame_kind frame;
	bool held;	   /* traffic of held sources */
	enum counting counting;
	__u64 reasons;
	double share_least; /* of the frames that the rule itself must have matched */
	double ns[BENCH_ROUNDS_MAX];
} rivals[] = {
	{ "xdp-empty", "main4", "live_empty", FRAME_SYN25, false, COUNT_XDP, 0, 0, {} },
	{ "lazaret-b", "main4", "live_ours", FRAME_SYN25, false, COUNT_OURS,
	  1ull << LZ_R_PASS_EXAMINED | 1ull << LZ_R_DROP_LIMIT, 1, {} },
	{ "lazaret-c", "main4", "live_ours", FRAME_OTHER, true, COUNT_OURS,
	  1ull << LZ_R_DROP_HELD, 1, {} },
	{ "lazaret-d", "ranges4", "live_ours", FRAME_WORLD25, false, COUNT_OURS,
	  1ull << LZ_R_DROP_PORT25, 1, {} },
	{ "nft-limit", NULL, NULL, FRAME_SYN25, false, COUNT_NFT, 0, 0, {} },
	{ "hashlimit", NULL, NULL, FRAME_SYN25, false, COUNT_IPTABLES, 0, 0, {} },
	{ "nft-set", NULL, NULL, FRAME_OTHER, true, COUNT_NFT, 0, 1, {} },
	{ "ipset-ip", NULL, NULL, FRAME_OTHER, true, COUNT_IPTABLES, 0, 1, {} },
	{ "nft-interval", NULL, NULL, FRAME_WORLD25, false, COUNT_NFT, 0, 0.3, {} },
	{ "ipset-net", NULL, NULL, FRAME_WORLD25, false, COUNT_IPTABLES, 0, 0.3, {} },
};

static double make_ns[BENCH_ROUNDS_MAX];

static void enter(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s-%s", options.net, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bench_must(fd < 0 ? -errno : 0, path);
	bench_must(setns(fd, CLONE_NEWNET) ? -errno : 0, path);
	close(fd);
}

static void attach(const struct rival *r)
{
	if (!r->program)
		return;
	enter(r->name);
	bench_must(bpf_xdp_attach((int)if_nametoindex("in"),
				  scene_prog(figures_scene(r->scene), r->program),
				  XDP_FLAGS_DRV_MODE, NULL), "attach XDP to a veth");
}

/* Packets that the rule matched, and all it judged. */
static void read_nft(const struct rival *r, __u64 ret[2])
{
	__u64 miss;

	enter(r->name);
	if (nft_counters_read(&ret[0], &miss))
		bench_wrong("live %s: its two counters are not there", r->name);
	ret[1] = ret[0] + miss;
}

static void read_iptables(const struct rival *r, __u64 ret[2])
{
	char line[512];
	unsigned n = 0;
	FILE *f;

	enter(r->name);
	f = popen("iptables -t raw -L PREROUTING -nvx | grep DROP", "r");
	bench_must(f ? 0 : -errno, "read a rival's counters");
	ret[0] = ret[1] = 0;
	while (fgets(line, sizeof(line), f)) {
		__u64 packets = strtoull(line, NULL, 10);

		if (n++ == 0)
			ret[0] = packets; /* the first rule matters, the last has the rest */
		ret[1] += packets;
	}
	if (pclose(f) || n != 2)
		bench_wrong("live %s: its two rules are not there", r->name);
}

static void read_counts(const struct rival *r, __u64 ret[2])
{
	struct lz_port_stats stats;
	struct scene *s;

	ret[0] = ret[1] = 0;
	if (r->counting == COUNT_NFT) {
		read_nft(r, ret);
		return;
	}
	if (r->counting == COUNT_IPTABLES) {
		read_iptables(r, ret);
		return;
	}
	s = figures_scene(r->scene);
	if (r->counting == COUNT_XDP) {
		for (unsigned cpu = 0; cpu < BENCH_CPUS; cpu++)
			ret[1] += s->found[cpu];
		return;
	}
	scene_stats(s, &stats);
	for (unsigned i = 0; i < LZ_R_N; i++)
		ret[0] += r->reasons >> i & 1 ? stats.count[i] : 0;
	ret[1] = stats.count[LZ_C_RECEIVED];
}

/* Setting a run up costs tens of milliseconds (a page pool, two waits for RCU): a run of one batch
 * is taken off, and enough frames follow to make the rest of it small. */
static __u32 frames_n(void)
{
	return FRAMES_TIMES * options.repeats;
}

/* Frames from namespace "gen" into the pair; the traffic is the same for every rival of a job. */
static double send_frames(const char *program, const char *device, enum frame_kind frame, bool held)
{
	struct scene *s = figures_scene("main4");
	struct variant v = { .name = "live", .scene = s, .frame = frame,
			     .n = held ? s->config.held : 0,
			     .base4 = held ? s->config.held4 : 0 };
	struct xdp_md ctx = { .data_end = BENCH_FRAME_BYTES, .ingress_ifindex = BENCH_IFINDEX };
	__u8 bytes[BENCH_FRAME_BYTES];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = bytes, .data_size_in = sizeof(bytes),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = BATCH,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	__u64 t, fixed_ns;

	enter("gen");
	variant_prepare(&v);
	s->gen->out_ifindex = device ? if_nametoindex(device) : 0;
	frame_make(frame, 4, bytes);
	t = bench_now_ns();
	bench_must(bpf_prog_test_run_opts(scene_prog(s, program), &run), program);
	fixed_ns = bench_now_ns() - t;
	run.repeat = (int)frames_n();
	t = bench_now_ns();
	bench_must(bpf_prog_test_run_opts(scene_prog(s, program), &run), program);
	t = bench_now_ns() - t;
	/* only --quick sends so few frames that the setting up may outweigh them */
	return (double)(t > fixed_ns ? t - fixed_ns : t) / frames_n();
}

static void round_of(struct rival *r, unsigned round)
{
	__u64 before[2], after[2], all, hit, sent = frames_n() + BATCH;

	read_counts(r, before);
	r->ns[round] = send_frames("live_send", r->name, r->frame, r->held);
	usleep(10000); /* what still lies in the ring */
	read_counts(r, after);
	all = after[1] - before[1];
	hit = after[0] - before[0];
	if ((double)all < SENT_LEAST * (double)sent || all > sent)
		bench_wrong("live %s: %llu frames sent, %llu judged", r->name,
			    (unsigned long long)sent, (unsigned long long)all);
	if ((double)hit < r->share_least * SENT_LEAST * (double)all)
		bench_wrong("live %s: %llu of %llu frames matched the rule", r->name,
			    (unsigned long long)hit, (unsigned long long)all);
}

static const struct rival *find(const char *name)
{
	for (unsigned i = 0; i < LZ_ARRAY_SIZE(rivals); i++)
		if (!strcmp(rivals[i].name, name))
			return &rivals[i];
	bench_must(-ENOENT, name);
	return NULL;
}

static void row(const char *name, const char *ours, const char *other, double times)
{
	const struct rival *us = find(ours);
	double value = stat_of(find(other)->ns, options.rounds).median;
	struct result *r = result_add(name, "ns/packet, live", stat_of(us->ns, options.rounds));

	result_base(r, "generator", stat_of(make_ns, options.rounds).median);
	result_base(r, "xdp-empty", stat_of(find("xdp-empty")->ns, options.rounds).median);
	result_base(r, other, value);
	result_faster(r, other, value, times);
}

static void report(void)
{
	struct result *r = result_add("b-live-generator", "ns/packet, live",
				      stat_of(make_ns, options.rounds));

	r->ratio = 1;
	r->met = true;
	snprintf(r->wanted, sizeof(r->wanted), "stated: what making a frame costs");
	row("b-live-nft-limit", "lazaret-b", "nft-limit", 5);
	row("b-live-hashlimit", "lazaret-b", "hashlimit", 5);
	row("c-live-nft-set", "lazaret-c", "nft-set", 4);
	row("c-live-ipset", "lazaret-c", "ipset-ip", 4.5);
	row("d-live-nft-interval", "lazaret-d", "nft-interval", 5);
	row("d-live-ipset-net", "lazaret-d", "ipset-net", 25);
}

void figures_live(void)
{
	for (unsigned i = 0; i < LZ_ARRAY_SIZE(rivals); i++)
		attach(&rivals[i]);
	for (unsigned round = 0; round < options.rounds; round++) {
		make_ns[round] = send_frames("live_make", NULL, FRAME_SYN25, false);
		for (unsigned i = 0; i < LZ_ARRAY_SIZE(rivals); i++)
			round_of(&rivals[i], round);
		fprintf(stderr, "bench: live round %u of %u\n", round + 1, options.rounds);
	}
	for (unsigned i = 0; i < LZ_ARRAY_SIZE(rivals); i++)
		if (rivals[i].program)
			scene_drain(figures_scene(rivals[i].scene));
	report();
}
