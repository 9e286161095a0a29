/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pair.c - figure f: two CPUs hammer one source at once, and nothing is lost.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "bench.h"

#define WINDOW_MOST 4000000 /* as many as a window can hold (abi.h): nothing is refused */

struct hammer {
	const struct variant *variant;
	pthread_barrier_t *start;
	double ns;
	__u32 repeats;
	int cpu;
};

static void *hammer_run(void *arg)
{
	struct hammer *h = arg;
	cpu_set_t set;
	__u32 answer;

	CPU_ZERO(&set);
	CPU_SET(h->cpu, &set);
	bench_must(-pthread_setaffinity_np(pthread_self(), sizeof(set), &set), "stay on a cpu");
	pthread_barrier_wait(h->start);
	h->ns = variant_time(h->variant, h->repeats, &answer);
	return NULL;
}

/* Both CPUs at once; the slower one's time. */
static double hammer_both(const struct variant *v, __u32 repeats)
{
	pthread_barrier_t start;
	struct hammer h[BENCH_CPUS];
	pthread_t threads[BENCH_CPUS];
	double worst = 0;

	variant_prepare(v);
	pthread_barrier_init(&start, NULL, BENCH_CPUS);
	for (int i = 0; i < BENCH_CPUS; i++) {
		h[i] = (struct hammer){ v, &start, 0, repeats, i };
		bench_must(-pthread_create(&threads[i], NULL, hammer_run, &h[i]), "start a thread");
	}
	for (int i = 0; i < BENCH_CPUS; i++) {
		pthread_join(threads[i], NULL);
		worst = h[i].ns > worst ? h[i].ns : worst;
	}
	pthread_barrier_destroy(&start);
	return worst;
}

static __u64 admitted(const struct scene *s)
{
	__u64 sum = 0;

	for (int i = 0; i < BENCH_CPUS; i++)
		sum += s->admitted[i * 8];
	return sum;
}

/* What stands in the window's word: two counters of 22 bits, see abi.h. */
static __u64 counted(const struct scene *s)
{
	__u64 word = s->cell->state[2];

	return (word & 0x3fffff) + (word >> 22 & 0x3fffff);
}

/* One word of a cell under both CPUs, the generator's cost taken off. A unit that was admitted must
 * have been counted, and none twice. */
static void row_bucket(const char *name, const char *program, __u64 want_most)
{
	struct scene *s = scene_find("main4");
	struct variant v = { .name = name, .scene = s, .program = program, .n = 1 };
	struct variant empty = { .name = name, .scene = s, .program = "bench_empty", .n = 1 };
	double ns[BENCH_ROUNDS_MAX];
	__u64 before, got, sent = 2ull * options.repeats, lost = 0;
	struct result *r;

	for (unsigned i = 0; i < options.rounds; i++) {
		memset(s->cell, 0, sizeof(*s->cell));
		before = admitted(s);
		ns[i] = hammer_both(&v, options.repeats) - hammer_both(&empty, options.repeats);
		got = admitted(s) - before;
		if (got != counted(s) && !want_most)
			bench_wrong("%s: %llu admitted, %llu counted", name,
				    (unsigned long long)got, (unsigned long long)counted(s));
		if (want_most && got > want_most)
			bench_wrong("%s: %llu admitted, at most %llu", name,
				    (unsigned long long)got, (unsigned long long)want_most);
		lost += want_most ? 0 : sent - got;
	}
	if (lost)
		bench_wrong("%s: %llu of %llu lost every compare-and-swap: refused", name,
			    (unsigned long long)lost, (unsigned long long)sent * options.rounds);
	r = result_add(name, "ns, 2 CPUs", stat_of(ns, options.rounds));
	result_limit(r, 100);
}

/* The whole way of a SYN on both CPUs: the source's counter must equal what was sent. */
static void row_source(void)
{
	struct scene *s = scene_find("main4");
	struct variant v = { .name = "f-source", .scene = s, .program = "bench_ours", .n = 1 };
	double ns[BENCH_ROUNDS_MAX];
	struct lz_cell_copy cell;
	struct result *r;
	bool exact = true;
	__u64 wanted;

	for (unsigned i = 0; i < options.rounds; i++) {
		bench_must(lz_cell_get(&s->view, s->config.base4, &cell), "find the first source");
		wanted = cell.syn + 2ull * options.repeats;
		ns[i] = hammer_both(&v, options.repeats);
		scene_drain(s);
		bench_must(lz_cell_get(&s->view, s->config.base4, &cell), "find the first source");
		if (cell.syn == wanted)
			continue;
		exact = false;
		bench_wrong("f-source: %u SYNs counted, %llu sent", cell.syn,
			    (unsigned long long)wanted);
	}
	r = result_add("f-source", "ns, 2 CPUs", stat_of(ns, options.rounds));
	result_stated(r, "every SYN counted");
	r->met = exact;
}

void figures_pair(void)
{
	struct scene *s = scene_find("main4");
	struct {
		struct lz_limit window, bucket;
	} *limits = scene_mmap(s, ".data.limits"), kept = *limits;
	__u64 burst = 1000;

	/* A token every second and a burst of a thousand: within a run no more fit, whatever the
	 * clock does in the meantime but for one a second. */
	limits->bucket.slot_ns = 1000000000ull;
	limits->bucket.burst_ns = (burst - 1) * 1000000000ull;
	limits->window.n = WINDOW_MOST;
	limits->window.slot_ns = 86400ull * 1000000000ull;
	limits->window.words = 1;
	limits->window.bits = 22;
	limits->window.counters = 2;
	row_bucket("f-bucket", "bench_bucket", burst + 60);
	row_bucket("f-window", "bench_window", 0);
	row_source();
	*limits = kept;
}
