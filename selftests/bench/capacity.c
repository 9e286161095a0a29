/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capacity.c - figures h to k: what the controller does with a million of something.
 *
 * These run the controller's own code (ctl/datapath, ctl/policy) on the scenes' tables.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"

#define TOP 100

static struct result *row(const char *name, const char *unit, const double *values, unsigned n,
			  double limit)
{
	struct result *r = result_add(name, unit, stat_of(values, n));

	result_limit(r, limit);
	return r;
}

/* h: release all holds and set them again, in the time the tables take. The command's part, and the
 * ledger's, are control.sh's. */
static void row_holds(void)
{
	struct scene *s = scene_find("main4");
	__u32 n = s->config.held, now_s = lz_tables_now_s(&s->view);
	struct lz_hold_entry *entries = calloc(n, sizeof(*entries));
	double ms[BENCH_ROUNDS_MAX];

	bench_must(entries ? 0 : -ENOMEM, "memory");
	for (unsigned i = 0; i < options.rounds; i++) {
		__u64 t;

		for (__u32 k = 0; k < n; k++) {
			entries[k].key = scene_held_key(&s->config, k);
			entries[k].word = LZ_HOLD_WORD(now_s + 86400, 86400, LZ_GARDEN_STRICT,
						       LZ_HOLD_F_OPERATOR);
			bench_must(lz_hold_release(&s->view, entries[k].key, NULL), "release");
		}
		t = bench_now_ns();
		if (lz_hold_set_bulk(&s->view, entries, n, 0) != n)
			bench_wrong("h-holds: not all of %u holds were taken", n);
		ms[i] = (double)(bench_now_ns() - t) / 1e6;
	}
	if (lz_holds_count(&s->view, now_s) != n)
		bench_wrong("h-holds: not all of %u holds stand", n);
	row("h-holds-kernel", "ms/600k", ms, options.rounds, 50);
	free(entries);
}

struct sums {
	const struct lz_tables_view *view;
	__u32 now_s;
	__u64 cells, syn, would_drop;
};

/* All that a cell says, both halves. */
static int add_up(void *arg, __u64 key, __u32 slot)
{
	struct sums *sum = arg;
	struct lz_cell_copy cell;

	(void)key;
	lz_cell_read(sum->view, slot, sum->now_s, &cell);
	sum->cells++;
	sum->syn += cell.syn;
	sum->would_drop += cell.would_drop;
	return 0;
}

/* i: the scene with a million sources and no more, as `source list` and `top` read it. */
static void row_read(void)
{
	struct scene *s = scene_find("main4");
	__u32 cells = s->config.sources + s->config.held;
	static struct lz_cell_copy top[TOP];
	double all_ms[BENCH_ROUNDS_MAX], top_ms[BENCH_ROUNDS_MAX];
	size_t total;

	for (unsigned i = 0; i < options.rounds; i++) {
		struct sums sum = { .view = &s->view, .now_s = lz_tables_now_s(&s->view) };
		__u64 t = bench_now_ns();

		lz_cells_each(&s->view, add_up, &sum);
		all_ms[i] = (double)(bench_now_ns() - t) / 1e6;
		if (sum.cells < cells || sum.syn < s->config.sources || sum.would_drop)
			bench_wrong("i-read: %llu cells with %llu SYNs read of %u",
				    (unsigned long long)sum.cells, (unsigned long long)sum.syn, cells);
		t = bench_now_ns();
		if (lz_cells_top(&s->view, LZ_SORT_SYN, TOP, top, &total) != TOP ||
		    top[0].syn < top[TOP - 1].syn)
			bench_wrong("i-top: not %d sources in order", TOP);
		top_ms[i] = (double)(bench_now_ns() - t) / 1e6;
	}
	/* The tables hold 1.6 million: 1 M sources and 0.6 M holds. Per million. */
	for (unsigned i = 0; i < options.rounds; i++)
		all_ms[i] *= (double)s->config.sources / cells;
	row("i-read-all", "ms/1M cells", all_ms, options.rounds, 50);
	row("i-top-100", "ms", top_ms, options.rounds, 100);
}

/* j: from the parsed policy to filled maps. */
static void row_ranges(const char *name, const char *scene)
{
	struct scene *s = scene_find(scene);
	struct lz_inner_sizes sizes;
	struct lz_inner_fds fds;
	struct lz_err err;
	double ms[3];

	for (unsigned i = 0; i < 3; i++) {
		struct lz_policy *policy = text_policy(&s->config);
		struct lz_image *image;
		__u64 t = bench_now_ns();

		bench_must(lz_image_compile(policy, s->image, s->instance.seed, &image, &err),
			   "compile");
		lz_swap_sizes(image, &sizes);
		bench_must(lz_inner_create(&sizes, &fds, &err), "make inner maps");
		bench_must(lz_swap_fill(image, &fds, &err), "fill inner maps");
		ms[i] = (double)(bench_now_ns() - t) / 1e6;
		lz_inner_close(&fds);
		lz_image_free(&image);
		lz_policy_free(&policy);
	}
	row(name, "ms/500k", ms, 3, 1000);
}

/* k: an instance for a million customers, all its tables but the policy's. */
static void row_bytes(void)
{
	struct lz_instance instance = {};
	double bytes;

	lz_instance_size(1000000, 0, &instance);
	bytes = (double)lz_instance_bytes(&instance) / 1e6;
	row("k-customer", "bytes", &bytes, 1, 200);
}

void figures_capacity(void)
{
	if (figures_wanted("h"))
		row_holds();
	if (figures_wanted("i"))
		row_read();
	if (figures_wanted("j")) {
		row_ranges("j-ranges-ipv4", "ranges4");
		row_ranges("j-ranges-ipv6", "ranges6");
	}
	if (figures_wanted("k"))
		row_bytes();
}
