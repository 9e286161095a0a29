/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * live.c - end to end: frames through veth pairs, one rival at the far end of each, one CPU.
 *
 * BPF_F_TEST_XDP_LIVE_FRAMES makes the frames, their program sends them into the pair, and the far
 * end's NAPI runs on the same CPU. Time is the wall's, for the soft interrupt may run in ksoftirqd;
 * so that nobody else's work is in it, the frames are made with real-time priority.
 * Everybody judges the same frames, of the same sources, each round, and drops them all in the end.
 *
 *   generator  "live_make": a frame is made and dropped
 *   floor      "xdp-empty": it is made, sent through the pair, and dropped by a program that only
 *              counts it; rows *-net-* are without it
 *   line       "xdp-line": the same, and a locked add on one line of the source's own, and nothing else;
 *              "xdp-line-c": of those that c holds; "xdp-line-128", "xdp-line-1024": and as many
 *              instructions that do nothing
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench.h"
#include "rivals.h"

#define BATCH	     64
#define FRAMES_TIMES 4 /* as many frames as the other figures have packets */
#define SENT_LEAST 0.999 /* a veth's ring may overflow when something else takes the CPU */
#define FEW	   10	 /* sources that send far more than a limit admits ... */
#define REFUSED_LEAST 0.75 /* ... so that most of it must be refused, also by --quick */

static double make_ns[BENCH_ROUNDS_MAX];

/* Setting a run up costs tens of milliseconds (a page pool, two waits for RCU): a run of one batch
 * is taken off, and enough frames follow to make the rest of it small. */
static __u32 frames_n(void)
{
	return FRAMES_TIMES * options.repeats;
}

/* Frames from namespace "gen" into the pair. Returns nanoseconds a frame; BATCH + n are sent. */
static double send_frames(const char *program, const char *device, const struct variant *v, __u32 n)
{
	struct scene *s = scene_find("main4");
	struct xdp_md ctx = { .data_end = BENCH_FRAME_BYTES, .ingress_ifindex = BENCH_IFINDEX };
	__u8 bytes[BENCH_FRAME_BYTES];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = bytes, .data_size_in = sizeof(bytes),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = BATCH,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	__u64 t, fixed_ns;

	rival_enter("gen");
	variant_prepare(v);
	s->gen->out_ifindex = device ? if_nametoindex(device) : 0;
	frame_make(v->frame, 4, bytes);
	bench_before_others(true);
	t = bench_now_ns();
	bench_must(bpf_prog_test_run_opts(scene_prog(s, program), &run), program);
	fixed_ns = bench_now_ns() - t;
	run.repeat = (int)n;
	t = bench_now_ns();
	bench_must(bpf_prog_test_run_opts(scene_prog(s, program), &run), program);
	t = bench_now_ns() - t;
	bench_before_others(false);
	/* only --quick sends so few frames that the setting up may outweigh them */
	return (double)(t > fixed_ns ? t - fixed_ns : t) / n;
}

/* What a rival's job looks like: which frames, of whom. */
static struct variant traffic(const struct rival *r)
{
	const struct scene_config *c = &scene_find("main4")->config;

	return (struct variant){
		.name = "live", .scene = scene_find("main4"), .frame = r->frame,
		.n = r->n && r->n < c->held ? r->n : r->held ? c->held : 0,
		.base4 = r->held ? c->held4 : 0,
	};
}

/* @v's frames to @r; by its own counters every one was judged, and @share of them by the rule. */
static double judged(const struct rival *r, const struct variant *v, __u32 n, double share)
{
	__u64 before[2], after[2], all, hit, sent = n + BATCH;
	double ns;

	rival_counts(r, before);
	ns = send_frames("live_send", r->name, v, n);
	usleep(10000); /* what still lies in the ring */
	rival_counts(r, after);
	all = after[1] - before[1];
	hit = after[0] - before[0];
	if ((double)all < SENT_LEAST * (double)sent || all > sent)
		bench_wrong("live %s: %llu frames sent, %llu judged", r->name,
			    (unsigned long long)sent, (unsigned long long)all);
	if ((double)hit < share * SENT_LEAST * (double)all)
		bench_wrong("live %s: %llu of %llu frames matched the rule", r->name,
			    (unsigned long long)hit, (unsigned long long)all);
	return ns;
}

/* Before anybody is timed: every source is known to every rival, as ours knows them since the scene
 * was opened, and who sends too much is refused. */
static void prove_limit(const struct rival *r)
{
	struct variant every = traffic(r), few = every;
	struct rival refuses = *r;

	every.draw = BENCH_EACH;
	judged(r, &every, every.scene->config.sources, r->share_least);
	few.n = FEW;
	refuses.reasons = 1ull << LZ_R_DROP_LIMIT;
	judged(&refuses, &few, options.repeats, REFUSED_LEAST);
}

static struct spread spread_of(const char *name)
{
	return stat_of(rival_find(name)->ns, options.rounds);
}

/* Told, and how many times as fast, but nobody said how fast it has to be. */
static void result_beside(struct result *r, const char *other, double ratio, const char *text)
{
	result_faster(r, other, ratio, 0);
	result_told(r, text);
}

/* @letter-live-@other: all that a frame costs; ...-alone: what it would come to with one line and no program,
 * ...-idle: and with instructions that do nothing, for d, which is nearer to what is wanted, more of them;
 * @letter-net-@other: what is left of both without the floor. What is wanted is said of the first; @times 0:
 * nothing. */
static void row(char letter, const char *ours, const char *other, double times)
{
	double value = spread_of(other).median, floor_ns = spread_of("xdp-empty").median;
	const double *a = rival_find(other)->ns, *b = rival_find(ours)->ns;
	const double *floors = rival_find("xdp-empty")->ns;
	double ratio = ratio_of(a, NULL, b, NULL, options.rounds);
	const char *line = letter == 'c' ? "xdp-line-c" : "xdp-line";
	const char *idle = letter == 'd' ? "xdp-line-1024" : "xdp-line-128";
	struct spread net = spread_of(ours);
	char name[64];
	struct result *r;

	snprintf(name, sizeof(name), "%c-live-%s", letter, other);
	r = result_add(name, "ns/packet, live", net);
	result_base(r, "generator", stat_of(make_ns, options.rounds).median);
	result_base(r, "xdp-empty", floor_ns);
	result_base(r, other, value);
	if (times > 0) {
		result_faster(r, other, ratio, times);
		result_alone(r, "one line", spread_of(line),
			     ratio_of(a, NULL, rival_find(line)->ns, NULL, options.rounds));
		result_idle(r, letter == 'd' ? "and 1024 idle" : "and 128 idle", spread_of(idle),
			    ratio_of(a, NULL, rival_find(idle)->ns, NULL, options.rounds));
	} else {
		result_beside(r, other, ratio, "it takes 10,000");
	}

	net.median -= floor_ns;
	net.min -= floor_ns;
	net.p90 -= floor_ns;
	snprintf(name, sizeof(name), "%c-net-%s", letter, other);
	r = result_add(name, "ns/packet, net", net);
	result_base(r, other, value - floor_ns);
	result_beside(r, other, ratio_of(a, floors, b, floors, options.rounds),
		      "without floor");
}

static void report(void)
{
	bench_calibration("end to end, xdp-empty", spread_of("xdp-empty"));
	result_stated(result_add("b-live-generator", "ns/packet, live",
				 stat_of(make_ns, options.rounds)), "stated: makes a frame");
	result_stated(result_add("b-live-floor", "ns/packet, live", spread_of("xdp-empty")),
		      "stated: makes, sends it");
	/* nobody who looks a source up in a large table can be faster than this */
	result_stated(result_add("b-live-line", "ns/packet, live", spread_of("xdp-line")),
		      "stated: and one line");
	if (figures_wanted("b")) {
		row('b', "lazaret-b", "nft-limit", 5);
		row('b', "lazaret-b", "hashlimit", 5);
	}
	if (figures_wanted("c")) {
		row('c', "lazaret-c", "nft-set", 4);
		row('c', "lazaret-c", "ipset-ip", 4.5);
		/* the same 10,000 sources; to us they are 10,000 of 600,000 */
		row('c', "lazaret-c-10k", "xdp-filter", 0);
	}
	if (figures_wanted("d")) {
		row('d', "lazaret-d", "nft-interval", 5);
		row('d', "lazaret-d", "ipset-net", 25);
	}
}

void figures_live(void)
{
	struct variant v;

	for (unsigned i = 0; i < RIVALS_N; i++) {
		if (!figures_wanted(rivals[i].figures))
			continue;
		rival_attach(&rivals[i]);
		if (rivals[i].limits)
			prove_limit(&rivals[i]);
	}
	for (unsigned round = 0; round < options.rounds; round++) {
		v = traffic(rival_find("xdp-empty"));
		make_ns[round] = send_frames("live_make", NULL, &v, frames_n());
		for (unsigned i = 0; i < RIVALS_N; i++) {
			struct rival *r = &rivals[i];

			if (!figures_wanted(r->figures))
				continue;
			v = traffic(r);
			r->ns[round] = judged(r, &v, frames_n(), r->share_least);
			if (r->program)
				scene_drain(scene_find(r->scene));
		}
		fprintf(stderr, "bench: live round %u of %u\n", round + 1, options.rounds);
	}
	report();
}
