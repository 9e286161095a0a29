/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * run.c - one program, many packets: BPF_PROG_TEST_RUN and the kernel's own `duration`.
 *
 * `duration` is the mean in whole nanoseconds without the time the task was off the CPU; a wall
 * clock around the call would count the patching of the dispatcher at both ends. What others left in
 * the caches while it was off would still be in it: a run goes before all others of its CPU.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static struct variant variants[BENCH_VARIANTS_MAX];
static unsigned variants_n;

struct variant *variant_add(const struct variant *v)
{
	bench_must(variants_n < BENCH_VARIANTS_MAX ? 0 : -ENOSPC, "add a variant");
	variants[variants_n] = *v;
	return &variants[variants_n++];
}

struct variant *variant_at(unsigned i)
{
	return i < variants_n ? &variants[i] : NULL;
}

struct variant *variant_find(const char *name)
{
	for (unsigned i = 0; i < variants_n; i++)
		if (!strcmp(variants[i].name, name))
			return &variants[i];
	bench_must(-ENOENT, name);
	return NULL;
}

int stat_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct spread stat_of(const double *values, unsigned n)
{
	double sorted[BENCH_ROUNDS_MAX];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), stat_compare);
	return (struct spread){
		.median = n & 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2,
		.min = sorted[0],
		.p90 = sorted[(unsigned)ceil(0.9 * n) - 1],
	};
}

double ratio_of(const double *over, const double *over_floor, const double *under,
		const double *under_floor, unsigned n)
{
	double ratio[BENCH_ROUNDS_MAX], least_ns = 0.1;

	for (unsigned i = 0; i < n; i++) {
		double o = over[i] - (over_floor ? over_floor[i] : 0);
		double u = under[i] - (under_floor ? under_floor[i] : 0);

		ratio[i] = o / (u > least_ns ? u : least_ns);
	}
	return stat_of(ratio, n).median;
}

struct spread variant_stat(const char *name)
{
	struct variant *v = variant_find(name);

	return stat_of(v->ns, v->rounds);
}

void bench_before_others(bool yes)
{
	struct sched_param p = { .sched_priority = yes ? 1 : 0 };

	bench_must(sched_setscheduler(0, yes ? SCHED_FIFO : SCHED_OTHER, &p), "set a priority");
}

static void put_ip4(__u8 *ip, unsigned tcp_bytes)
{
	static const __u8 smarthost[4] = { 192, 0, 2, 25 };

	ip[0] = 0x45;
	ip[3] = 20 + tcp_bytes;
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 16, smarthost, sizeof(smarthost));
}

static void put_ip6(__u8 *ip, unsigned tcp_bytes)
{
	static const __u8 smarthost[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x25 };

	ip[0] = 0x60;
	ip[5] = tcp_bytes;
	ip[6] = 6;
	ip[7] = 64;
	ip[15 + 8] = 1;
	memcpy(ip + 24, smarthost, sizeof(smarthost));
}

void frame_make(enum frame_kind kind, unsigned family, __u8 frame[static BENCH_FRAME_BYTES])
{
	bool vlan = kind == FRAME_SYN25_VLAN || kind == FRAME_OTHER_VLAN;
	bool other = kind == FRAME_OTHER || kind == FRAME_OTHER_VLAN;
	unsigned l3 = vlan ? 18 : 14, l4 = l3 + (family == 4 ? 20 : 40);
	__u8 *type = frame + l3 - 2;

	memset(frame, 0, BENCH_FRAME_BYTES);
	frame[0] = frame[6] = 0x02;
	frame[11] = 1;
	if (vlan) {
		frame[12] = 0x81;
		frame[15] = 100;
	}
	type[0] = family == 4 ? 0x08 : 0x86;
	type[1] = family == 4 ? 0x00 : 0xdd;
	if (family == 4)
		put_ip4(frame + l3, 20);
	else
		put_ip6(frame + l3, 20);
	if (kind == FRAME_WORLD25) /* 198.51.100.25 is in no set, nor is 2001:db8::125 */
		memcpy(frame + l4 - (family == 4 ? 4 : 2),
		       family == 4 ? (const __u8[]){ 203, 0, 113, 25 } : (const __u8[]){ 1, 0x25 },
		       family == 4 ? 4 : 2);
	if (other) {
		frame[l4 + 2] = 4444 >> 8;
		frame[l4 + 3] = 4444 & 255;
	} else {
		frame[l4 + 3] = 25;
	}
	frame[l4 + 12] = 5 << 4;
	frame[l4 + 13] = other ? 0x10 : 0x02;
}

static __u32 log2_of(__u32 n)
{
	return n > 1 ? 31 - (__u32)__builtin_clz(n) : 1;
}

void variant_prepare(const struct variant *v)
{
	const struct scene_config *c = &v->scene->config;
	struct bench_gen *g = v->scene->gen;

	for (unsigned cpu = 0; cpu < BENCH_CPUS; cpu++)
		if (!g->random[cpu][0])
			g->random[cpu][0] = 88172645463325252ULL + cpu;
	g->family = c->family;
	g->l3_bytes = v->frame == FRAME_SYN25_VLAN || v->frame == FRAME_OTHER_VLAN ? 18 : 14;
	g->draw = v->draw;
	g->turn = 0;
	g->n = v->n ? v->n : c->sources;
	g->octaves = log2_of(g->n);
	g->line_n = c->sources;
	g->base4 = v->base4 ? v->base4 : c->base4;
	g->base6 = v->base6 ? v->base6 : c->base6;
	g->shift6 = 8;
	g->planted_every = v->planted_every;
	g->planted_base4 = c->planted4;
	g->planted_base6 = BENCH_PLANTED6;
	g->planted_shift6 = 8;
}

double variant_time(const struct variant *v, __u32 repeats, __u32 *ret_answer)
{
	__u8 frame[BENCH_FRAME_BYTES];
	struct xdp_md ctx = { .data_end = BENCH_FRAME_BYTES, .ingress_ifindex = BENCH_IFINDEX };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)repeats);

	frame_make(v->frame, v->scene->config.family, frame);
	bench_must(bpf_prog_test_run_opts(v->prog ?: scene_prog(v->scene, v->program), &run), v->program);
	*ret_answer = run.retval;
	return run.duration;
}

struct before {
	struct lz_port_stats stats;
	__u64 found, admitted;
};

static void read_before(const struct scene *s, struct before *ret)
{
	scene_stats(s, &ret->stats);
	ret->found = ret->admitted = 0;
	for (unsigned cpu = 0; cpu < BENCH_CPUS; cpu++) {
		ret->found += s->found[cpu];
		ret->admitted += s->admitted[cpu * 8];
	}
}

/* A rule that silently did not load must not win. */
static void check(const struct variant *v, const struct before *a, __u32 repeats, __u32 answer)
{
	struct before b;
	__u64 ended = 0, received;

	read_before(v->scene, &b);
	switch (v->check) {
	case CHECK_RET:
		if (answer != v->want)
			bench_wrong("%s: answer %u, want %llu", v->name, answer,
				    (unsigned long long)v->want);
		return;
	case CHECK_FOUND:
		if (b.found - a->found != repeats)
			bench_wrong("%s: %llu of %u sources found in a range", v->name,
				    (unsigned long long)(b.found - a->found), repeats);
		return;
	case CHECK_ADMITTED:
		if ((b.admitted - a->admitted) * 1000 < v->want * repeats)
			bench_wrong("%s: %llu of %u packets admitted", v->name,
				    (unsigned long long)(b.admitted - a->admitted), repeats);
		return;
	case CHECK_REASONS:
		break;
	}
	received = b.stats.count[LZ_C_RECEIVED] - a->stats.count[LZ_C_RECEIVED];
	for (unsigned r = 0; r < LZ_R_N; r++)
		if (v->want >> r & 1)
			ended += b.stats.count[r] - a->stats.count[r];
	if (received == repeats && ended == repeats)
		return;
	bench_wrong("%s: %u packets sent, %llu received, %llu with the right fate", v->name,
		    repeats, (unsigned long long)received, (unsigned long long)ended);
	for (unsigned r = 0; r < LZ_C_N; r++)
		if (b.stats.count[r] != a->stats.count[r])
			fprintf(stderr, "bench:   counter %u rose by %llu\n", r,
				(unsigned long long)(b.stats.count[r] - a->stats.count[r]));
}

void variant_once(struct variant *v, __u32 repeats)
{
	struct before before;
	__u32 answer;
	double ns;

	variant_prepare(v);
	read_before(v->scene, &before);
	bench_before_others(true);
	ns = variant_time(v, repeats, &answer);
	bench_before_others(false);
	check(v, &before, repeats, answer);
	scene_drain(v->scene);
	v->ns[v->rounds++] = ns;
}

static const char *unsteady;

void bench_calibration(const char *name, struct spread s)
{
	if (!unsteady && s.p90 > 2 * s.min)
		unsteady = name;
}

const char *bench_unsteady(void)
{
	return unsteady;
}

static void calibrate(const struct variant *v)
{
	if (!strncmp(v->name, "empty", 5) || !strncmp(v->name, "line", 4))
		bench_calibration(v->name, stat_of(v->ns, v->rounds));
}

void variants_run(void)
{
	for (unsigned round = 0; round < options.rounds; round++) {
		for (unsigned i = 0; i < variants_n; i++)
			variant_once(&variants[i], options.repeats);
		fprintf(stderr, "bench: round %u of %u\n", round + 1, options.rounds);
	}
	for (unsigned i = 0; i < variants_n; i++)
		calibrate(&variants[i]);
}
