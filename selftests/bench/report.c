/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report.c - figures a to e, g and m: rows of what the variants of scenes.c cost.
 *
 *   U  one locked add on a random line of a table with a line for each of the sources, minus the
 *      generator alone: measured in the same rounds of the same scene
 *
 * Times are medians of the rounds, ratios are medians of each round's own. Below what may not be met a row
 * "...-alone" says what a program would reach that does only what nobody who does this can do without, and
 * "...-idle" one that executes 128 instructions beside, which do nothing.
 */
#include "base/mem.h"
#include "bench.h"

#define CELL_ADD  "cell and add"
#define TWO_CELLS "two cells"
#define IDLE	  "and 128 idle"

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

/* The same, and below it what it would be of the program @floor, which does only what no other can do without. */
static struct result *row_floor(const char *name, const char *empty, const char *line, double lines,
				const char *wait, const char *floor, const char *what)
{
	struct result *r = row_lines(name, empty, line, lines);

	result_base(result_alone(r, what, variant_stat(floor), lines_of(floor, empty, line)), "line-waited-for",
		    median(wait));
	return r;
}

/* @floor: below it, what a program would reach that does only what no other can do without; NULL: it is met. */
static struct result *row_faster(const char *name, const char *ours, const char *base, const char *rival,
				 const char *empty, double times, const char *floor, const char *what)
{
	struct result *r = result_add(name, "ns/packet", variant_stat(ours));

	result_base(r, "xdp-empty", median(empty));
	result_base(r, rival, median(base));
	result_faster(r, rival, times_of(base, ours), times);
	if (floor)
		result_alone(r, what, variant_stat(floor), times_of(base, floor));
	return r;
}

/* Below a row in U, or one that is as many times as fast as @base. */
static void idle_lines(const struct result *of, const char *idle, const char *empty, const char *line)
{
	result_idle(of, IDLE, variant_stat(idle), lines_of(idle, empty, line));
}

static void idle_faster(const struct result *of, const char *idle, const char *base)
{
	result_idle(of, IDLE, variant_stat(idle), times_of(base, idle));
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
	result_alone(r, "key, bit, count", variant_stat("let-by-10k"), times_of("let-by-10k", "empty"));
}

static void report_b(void)
{
	char name[48], base[48], empty[48], cell[48];

	idle_lines(row_floor("b-ipv4-uniform", "empty", "line", 2.2, "wait", "cell", CELL_ADD), "cell-idle",
		   "empty", "line");
	row_floor("b-ipv4-zipf", "empty-zipf", "line", 2.2, "wait", "cell-zipf", CELL_ADD);
	row_floor("b-ipv6-uniform", "empty6", "line6", 2.2, "wait6", "cell6", CELL_ADD);
	row_floor("b-vlan-uniform", "empty", "line", 2.2, "wait", "cell", CELL_ADD);
	idle_faster(row_faster("b-ipv4-uniform-lru", "b-ipv4-uniform", "lru-ktime-uniform", "lru-hash-ktime",
			       "empty", 4, "cell", CELL_ADD), "cell-idle", "lru-ktime-uniform");
	row_faster("b-ipv4-zipf-lru", "b-ipv4-zipf", "lru-ktime-zipf", "lru-hash-ktime",
		   "empty-zipf", 4, "cell-zipf", CELL_ADD);
	row_faster("b-ipv6-uniform-lru", "b-ipv6-uniform", "lru-ktime6-uniform", "lru-hash-ktime",
		   "empty6", 4, "cell6", CELL_ADD);
	idle_faster(row_faster("b-ipv4-uniform-stock", "b-ipv4-uniform", "stock-same-uniform", "stock-maps",
			       "empty", 4, "cell", CELL_ADD), "cell-idle", "stock-same-uniform");
	row_faster("b-ipv6-uniform-stock", "b-ipv6-uniform", "stock-same6-uniform", "stock-maps",
		   "empty6", 4, "cell6", CELL_ADD);
	for (unsigned i = 0; i < BENCH_SWEEP_N; i++) {
		snprintf(name, sizeof(name), "b-ipv4-%s", bench_sweep[i].name);
		snprintf(base, sizeof(base), "lru-ktime-%s", bench_sweep[i].name);
		snprintf(empty, sizeof(empty), "empty-%s", bench_sweep[i].name);
		snprintf(cell, sizeof(cell), "cell-%s", bench_sweep[i].name);
		row_faster(name, name, base, "lru-hash-ktime", empty, 4, cell, CELL_ADD);
	}
}

static void report_c(void)
{
	struct result *r;

	idle_lines(row_floor("c-ipv4", "empty", "line", 1.5, "wait", "cell-held", CELL_ADD), "cell-held-idle",
		   "empty", "line");
	row_floor("c-ipv6", "empty6", "line6", 1.5, "wait6", "cell-held6", CELL_ADD);
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
		row_faster("d-ipv4", "d-ipv4", "d-ipv4-lpm", "lpm-trie", "empty-ranges4", 12,
			   "key-range", "key and line");
		row_faster("d-ipv6", "d-ipv6", "d-ipv6-lpm", "lpm-trie", "empty-ranges6", 5, NULL, NULL);
	}
	if (figures_wanted("e")) {
		idle_lines(row_floor("e-all", "empty-ranges4", "line-ranges4", 3, "wait-ranges4", "two-cells",
				     TWO_CELLS), "two-cells-idle", "empty-ranges4", "line-ranges4");
		idle_faster(row_faster("e-all-stock", "e-all", "e-all-stock", "stock-maps", "empty-ranges4", 8,
				       "two-cells", TWO_CELLS), "two-cells-idle", "e-all-stock");
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
