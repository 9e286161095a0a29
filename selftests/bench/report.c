/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report.c - figures a to e, g and m: rows of what the variants of scenes.c cost.
 *
 *   U  one locked add on a random line of a table with a line for each of the sources, minus the
 *      generator alone: measured in the same rounds of the same scene
 *
 * Times are medians of the rounds, ratios are medians of each round's own.
 */
#include "base/mem.h"
#include "bench.h"

static double median(const char *name)
{
	return variant_stat(name).median;
}

static const double *rounds_of(const char *name)
{
	return variant_find(name)->ns;
}

/* How many U it costs over the empty program. */
static double lines_of(const char *name, const char *empty, const char *line)
{
	return ratio_of(rounds_of(name), rounds_of(empty), rounds_of(line), rounds_of(empty),
			options.rounds);
}

/* How many times as long as the other. */
static double times_of(const char *name, const char *other)
{
	return ratio_of(rounds_of(name), NULL, rounds_of(other), NULL, options.rounds);
}

static struct result *row_lines(const char *name, const char *empty, const char *line, double lines)
{
	struct result *r = result_add(name, "ns/packet", variant_stat(name));

	result_base(r, "xdp-empty", median(empty));
	result_base(r, "random-line", median(line));
	result_lines(r, lines_of(name, empty, line), lines);
	return r;
}

/* The same, beside what no program can do without: one line that is waited for; his cell found, and one
 * locked add in it. */
static void row_floors(const char *name, const char *empty, const char *line, double lines,
		       const char *wait, const char *cell)
{
	struct result *r = row_lines(name, empty, line, lines);

	result_base(r, "line-waited-for", median(wait));
	result_base(r, "cell-and-add", median(cell));
}

static void row_faster(const char *name, const char *ours, const char *base, const char *rival,
		       const char *empty, double times)
{
	struct result *r = result_add(name, "ns/packet", variant_stat(ours));

	result_base(r, "xdp-empty", median(empty));
	result_base(r, rival, median(base));
	result_faster(r, rival, times_of(base, ours), times);
}

static void row_flood(const char *name, const char *usual)
{
	struct result *r = result_add(name, "ns/packet", variant_stat(name));

	result_base(r, usual, median(usual));
	result_at_most(r, usual, times_of(name, usual), 1.5);
}

/* Every planted packet must have been counted, no hold lost, and no cell made beyond the table. */
static void row_flood_kept(const char *name, struct scene *s)
{
	__u64 exact = 0, held = lz_holds_count(&s->view, lz_tables_now_s(&s->view));
	struct lz_cell_copy cell;
	struct result *r;
	double percent;

	for (__u32 i = 0; i < BENCH_PLANTED; i++) {
		__u64 key = s->config.family == 4 ? s->config.planted4 + i :
						    BENCH_PLANTED6 + ((__u64)i << 8);

		if (!lz_cell_get(&s->view, key, &cell) && cell.syn == s->gen->planted_sent[i])
			exact++;
	}
	if (held != s->config.held)
		bench_wrong("%s: %llu of %u holds left", name, (unsigned long long)held,
			    s->config.held);
	if (s->view.tables->cells_used > s->view.slots)
		bench_wrong("%s: more cells used than there are", name);
	if (exact != BENCH_PLANTED)
		bench_wrong("%s: %llu of %u planted sources counted exactly", name,
			    (unsigned long long)exact, BENCH_PLANTED);
	percent = 100.0 * (double)exact / BENCH_PLANTED;
	r = result_add(name, "% exact", (struct spread){ percent, percent, percent });
	result_stated(r, "all planted, no hold lost");
	r->met = exact == BENCH_PLANTED && held == s->config.held;
}

static void report_a(void)
{
	struct result *r;

	row_lines("a-ipv4", "empty", "line", 0.4);
	row_lines("a-ipv6", "empty6", "line6", 0.4);
	row_lines("a-vlan", "empty", "line", 0.4);
	r = result_add("a-ipv4-10k", "ns/packet", variant_stat("a-ipv4-10k"));
	result_base(r, "xdp-empty", median("empty"));
	result_at_most(r, "xdp-empty", times_of("a-ipv4-10k", "empty"), 1.5);
}

static void report_b(void)
{
	char name[48], base[48], empty[48];

	row_floors("b-ipv4-uniform", "empty", "line", 2.2, "wait", "cell");
	row_lines("b-ipv4-zipf", "empty-zipf", "line", 2.2);
	row_floors("b-ipv6-uniform", "empty6", "line6", 2.2, "wait6", "cell6");
	row_lines("b-vlan-uniform", "empty", "line", 2.2);
	row_faster("b-ipv4-uniform-lru", "b-ipv4-uniform", "lru-ktime-uniform", "lru-hash-ktime",
		   "empty", 4);
	row_faster("b-ipv4-zipf-lru", "b-ipv4-zipf", "lru-ktime-zipf", "lru-hash-ktime",
		   "empty-zipf", 4);
	row_faster("b-ipv6-uniform-lru", "b-ipv6-uniform", "lru-ktime6-uniform", "lru-hash-ktime",
		   "empty6", 4);
	row_faster("b-ipv4-uniform-stock", "b-ipv4-uniform", "stock-same-uniform", "stock-maps",
		   "empty", 4);
	row_faster("b-ipv6-uniform-stock", "b-ipv6-uniform", "stock-same6-uniform", "stock-maps",
		   "empty6", 4);
	for (unsigned i = 0; i < BENCH_SWEEP_N; i++) {
		snprintf(name, sizeof(name), "b-ipv4-%s", bench_sweep[i].name);
		snprintf(base, sizeof(base), "lru-ktime-%s", bench_sweep[i].name);
		snprintf(empty, sizeof(empty), "empty-%s", bench_sweep[i].name);
		row_faster(name, name, base, "lru-hash-ktime", empty, 4);
	}
}

static void report_c(void)
{
	struct result *r;

	row_floors("c-ipv4", "empty", "line", 1.5, "wait", "cell-held");
	row_floors("c-ipv6", "empty6", "line6", 1.5, "wait6", "cell-held6");
	result_base(r = result_add("c-ipv4-hash", "ns/packet", variant_stat("c-ipv4")), "hash",
		    median("c-ipv4-hash"));
	result_faster(r, "hash", times_of("c-ipv4-hash", "c-ipv4"), 1);
}

/* m: no card is here, so this is arithmetic: frames of a full link, with preamble and gap, times
 * what the program costs over the empty one. The driver comes on top. */
static void row_cores(unsigned gbit, unsigned bytes, const char *traffic, const char *variant)
{
	double per_s = gbit * 1e9 / 8 / (bytes + 20), cores;
	char name[64];

	snprintf(name, sizeof(name), "m-%ug-%ub-%s", gbit, bytes, traffic);
	cores = per_s * (median(variant) - median("empty")) / 1e9;
	result_stated(result_add(name, "cores", (struct spread){ cores, cores, cores }),
		      "computed: no card here");
}

static void report_m(void)
{
	static const unsigned gbit[] = { 10, 25, 100 };

	for (unsigned i = 0; i < LZ_ARRAY_SIZE(gbit); i++) {
		for (unsigned bytes = 64; bytes <= 300; bytes += 236) {
			row_cores(gbit[i], bytes, "plain", "a-ipv4");
			row_cores(gbit[i], bytes, "syn-flood", "b-ipv4-uniform");
		}
	}
}

static void report_de(void)
{
	if (figures_wanted("d")) {
		row_faster("d-ipv4", "d-ipv4", "d-ipv4-lpm", "lpm-trie", "empty-ranges4", 12);
		row_faster("d-ipv6", "d-ipv6", "d-ipv6-lpm", "lpm-trie", "empty-ranges6", 5);
	}
	if (figures_wanted("e")) {
		row_floors("e-all", "empty-ranges4", "line-ranges4", 3, "wait-ranges4",
			   "cell-ranges4");
		row_faster("e-all-stock", "e-all", "e-all-stock", "stock-maps", "empty-ranges4", 8);
	}
}

static void report_g(void)
{
	row_flood("g-foreign-ipv4", "b-ipv4-uniform");
	row_flood("g-own-ipv4", "b-ipv4-uniform");
	row_flood("g-own-ipv6", "b-ipv6-uniform");
	row_flood_kept("g-foreign-ipv4-kept", scene_find("main4"));
	row_flood_kept("g-own-ipv4-kept", scene_find("flood4"));
	row_flood_kept("g-own-ipv6-kept", scene_find("flood6"));
}

void figures_kernel(void)
{
	if (figures_wanted("a"))
		report_a();
	if (figures_wanted("b"))
		report_b();
	if (figures_wanted("c"))
		report_c();
	report_de();
	if (figures_wanted("g"))
		report_g();
	if (figures_wanted("m"))
		report_m();
}
