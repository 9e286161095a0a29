/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * figures.c - figures a to e and g: what one packet costs inside the program.
 *
 *   U  one locked add on a random line of a table with a line for each of the sources, minus the
 *      generator alone: measured in the same rounds of the same scene
 */
#include <string.h>

#include "base/mem.h"
#include "bench.h"

#define BIT(reason) (1ull << (reason))
#define EXAMINED (BIT(LZ_R_PASS_EXAMINED) | BIT(LZ_R_DROP_LIMIT))
#define MILLION 1000000
#define OWN4 0x64400000u /* 100.64.0.0 */
#define OWN6 0x20010db810000000ull
#define FLOOD4 0x0a000000u /* 10.0.0.0/8: no documentation range has ten million addresses */
#define CALIBRATION " bench_empty bench_line bench_ours "

/* Scenes of the plot: the same figure at other sizes. */
static const struct {
	const char *name;
	__u32 sources;
} sweep[] = { { "1k", 1000 }, { "10k", 10000 }, { "100k", 100000 }, { "4M", 4000000 } };

enum { MAIN4, MAIN6, RANGES4, RANGES6, FLOOD4_SCENE, FLOOD6_SCENE, SWEEP, SCENES = SWEEP + 4 };

static struct scene scenes[SCENES];

static const struct scene_config configs[SWEEP] = {
	[MAIN4] = { .name = "main4", .sources = MILLION, .held = 600000, .family = 4,
		    .programs = CALIBRATION "bench_bucket bench_window stock_limit stock_same "
				"stock_hold "
				"live_send live_make live_empty live_ours " },
	[MAIN6] = { .name = "main6", .sources = MILLION, .held = 600000, .family = 6,
		    .programs = CALIBRATION "stock_limit stock_same stock_hold " },
	[RANGES4] = { .name = "ranges4", .sources = MILLION, .held = 600000, .ranges = 500000,
		      .family = 4, .prefix_limit = true, .exceptions = 1000,
		      .programs = CALIBRATION "bench_class stock_class stock_all live_ours " },
	[RANGES6] = { .name = "ranges6", .sources = 1024, .held = 1024, .ranges = 500000,
		      .family = 6, .base6 = 0x20010db800000000ull,
		      .programs = " bench_empty bench_class stock_class " },
	[FLOOD4_SCENE] = { .name = "flood4", .sources = MILLION, .held = 600000, .family = 4,
			   .own4 = "10.0.0.0/8", .base4 = FLOOD4, .held4 = FLOOD4 + 0xc00000,
			   .planted4 = FLOOD4 + 0xf00000, .programs = CALIBRATION },
	[FLOOD6_SCENE] = { .name = "flood6", .sources = MILLION, .held = 600000, .family = 6,
			   .programs = CALIBRATION },
};

struct scene *figures_scene(const char *name)
{
	for (unsigned i = 0; i < SCENES; i++)
		if (scenes[i].config.name && !strcmp(scenes[i].config.name, name))
			return &scenes[i];
	bench_must(-2, name);
	return NULL;
}

static __u32 scaled(__u32 n)
{
	return n >> options.scale_shift ? n >> options.scale_shift : n;
}

static struct scene_config complete(struct scene_config c)
{
	c.own4 = c.own4 ? c.own4 : "100.64.0.0/10";
	c.own6 = "2001:db8::/32";
	c.base4 = c.base4 ? c.base4 : OWN4;
	c.held4 = c.held4 ? c.held4 : c.base4 + (c.sources > 3000000 ? 0x3f0000 : 0x200000);
	c.planted4 = c.planted4 ? c.planted4 : c.base4 + 0x100000;
	c.base6 = c.base6 ? c.base6 : OWN6;
	c.sources = scaled(c.sources);
	c.held = scaled(c.held);
	c.ranges = scaled(c.ranges);
	return c;
}

static void open_scene(unsigned i, struct scene_config c)
{
	c = complete(c);
	scene_open(&c, &scenes[i]);
}

/* Addresses that are held, or prefixes that are refused, for the rivals' sets. */
void figures_list(const char *what)
{
	bool held = !strcmp(what, "held");
	struct scene_config c = complete(configs[held ? MAIN4 : RANGES4]);
	char prefix[64];

	for (__u32 i = 0; i < (held ? c.held : c.ranges); i++) {
		if (held) {
			__u32 a = (__u32)scene_held_key(&c, i);

			printf("%u.%u.%u.%u\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
		} else {
			text_range_print(&c, i, prefix, sizeof(prefix));
			puts(prefix);
		}
	}
}

static void add(const char *name, struct scene *s, const char *program, struct variant v)
{
	v.name = name;
	v.scene = s;
	v.program = program;
	variant_add(&v);
}

#define ADD(name, scene, program, ...) \
	add(name, &scenes[scene], program, (struct variant){ __VA_ARGS__ })
#define REASONS(bits) .check = CHECK_REASONS, .want = (bits)
#define PASSES .check = CHECK_RET, .want = 2 /* XDP_PASS */
#define DROPS .check = CHECK_RET, .want = 1

static void add_main4(void)
{
	__u64 other = BIT(LZ_R_PASS_OTHER), held = BIT(LZ_R_DROP_HELD);
	__u32 base = scenes[MAIN4].config.held4, n = scenes[MAIN4].config.held;

	ADD("empty", MAIN4, "bench_empty", PASSES);
	ADD("empty-zipf", MAIN4, "bench_empty", .draw = BENCH_ZIPF, PASSES);
	ADD("line", MAIN4, "bench_line", PASSES);
	ADD("a-ipv4", MAIN4, "bench_ours", .frame = FRAME_OTHER, REASONS(other));
	ADD("a-vlan", MAIN4, "bench_ours", .frame = FRAME_OTHER_VLAN, REASONS(other));
	ADD("a-ipv4-10k", MAIN4, "bench_ours", .frame = FRAME_OTHER, .n = scaled(10000),
	    REASONS(other));
	ADD("b-ipv4-uniform", MAIN4, "bench_ours", REASONS(EXAMINED));
	ADD("b-ipv4-zipf", MAIN4, "bench_ours", .draw = BENCH_ZIPF, REASONS(EXAMINED));
	ADD("b-vlan-uniform", MAIN4, "bench_ours", .frame = FRAME_SYN25_VLAN, REASONS(EXAMINED));
	ADD("lru-ktime-uniform", MAIN4, "stock_limit", .check = CHECK_ADMITTED, .want = 900);
	ADD("lru-ktime-zipf", MAIN4, "stock_limit", .draw = BENCH_ZIPF, .check = CHECK_ADMITTED,
	    .want = 1);
	ADD("stock-same-uniform", MAIN4, "stock_same", .check = CHECK_ADMITTED, .want = 1);
	ADD("c-ipv4", MAIN4, "bench_ours", .frame = FRAME_OTHER, .n = n, .base4 = base,
	    REASONS(held));
	ADD("c-ipv4-hash", MAIN4, "stock_hold", .frame = FRAME_OTHER, .n = n, .base4 = base, DROPS);
	ADD("g-foreign-ipv4", MAIN4, "bench_ours", .n = 10 * MILLION, .base4 = FLOOD4,
	    .planted_every = 64, REASONS(EXAMINED | BIT(LZ_R_PASS_FOREIGN)));
}

static void add_main6(void)
{
	__u64 other = BIT(LZ_R_PASS_OTHER), held = BIT(LZ_R_DROP_HELD);
	__u32 n = scenes[MAIN6].config.held;

	ADD("empty6", MAIN6, "bench_empty", PASSES);
	ADD("line6", MAIN6, "bench_line", PASSES);
	ADD("a-ipv6", MAIN6, "bench_ours", .frame = FRAME_OTHER, REASONS(other));
	ADD("b-ipv6-uniform", MAIN6, "bench_ours", REASONS(EXAMINED));
	ADD("lru-ktime6-uniform", MAIN6, "stock_limit", .check = CHECK_ADMITTED, .want = 900);
	ADD("stock-same6-uniform", MAIN6, "stock_same", .check = CHECK_ADMITTED, .want = 1);
	ADD("c-ipv6", MAIN6, "bench_ours", .frame = FRAME_OTHER, .n = n, .base6 = BENCH_HELD6,
	    REASONS(held));
	ADD("c-ipv6-hash", MAIN6, "stock_hold", .frame = FRAME_OTHER, .n = n, .base6 = BENCH_HELD6,
	    DROPS);
}

static void add_ranges(void)
{
	/* Look-ups go over the whole space that the prefixes cover, /10 and /32. */
	ADD("empty-ranges4", RANGES4, "bench_empty", PASSES);
	ADD("line-ranges4", RANGES4, "bench_line", PASSES);
	ADD("d-ipv4", RANGES4, "bench_class", .n = scaled(1 << 22), .check = CHECK_FOUND);
	ADD("d-ipv4-lpm", RANGES4, "stock_class", .n = scaled(1 << 22), .check = CHECK_FOUND);
	ADD("empty-ranges6", RANGES6, "bench_empty", PASSES);
	ADD("d-ipv6", RANGES6, "bench_class", .n = scaled(1 << 24), .check = CHECK_FOUND);
	ADD("d-ipv6-lpm", RANGES6, "stock_class", .n = scaled(1 << 24), .check = CHECK_FOUND);
	ADD("e-all", RANGES4, "bench_ours", REASONS(EXAMINED));
	ADD("e-all-stock", RANGES4, "stock_all", .check = CHECK_ADMITTED, .want = 1);
}

static void add_floods(void)
{
	ADD("g-own-ipv4", FLOOD4_SCENE, "bench_ours", .n = 10 * MILLION, .planted_every = 64,
	    REASONS(EXAMINED));
	ADD("g-own-ipv6", FLOOD6_SCENE, "bench_ours", .n = 10 * MILLION,
	    .base6 = BENCH_HELD6 + 0x10000000, .planted_every = 64, REASONS(EXAMINED));
}

static void add_sweep(void)
{
	static char names[LZ_ARRAY_SIZE(sweep)][4][48];
	static const char *const what[4] = { "empty", "line", "b-ipv4", "lru-ktime" };
	static const char *const program[4] = { "bench_empty", "bench_line", "bench_ours",
						"stock_limit" };

	for (unsigned i = 0; i < LZ_ARRAY_SIZE(sweep); i++) {
		struct scene_config c = { .name = sweep[i].name, .sources = sweep[i].sources,
					  .held = 1024, .family = 4,
					  .programs = CALIBRATION "stock_limit " };

		open_scene(SWEEP + i, c);
		for (unsigned k = 0; k < 4; k++) {
			snprintf(names[i][k], sizeof(names[i][k]), "%s-%s", what[k], sweep[i].name);
			add(names[i][k], &scenes[SWEEP + i], program[k],
			    k < 2 ? (struct variant){ PASSES } :
			    k == 2 ? (struct variant){ REASONS(EXAMINED) } :
				     (struct variant){ .check = CHECK_ADMITTED, .want = 0 });
		}
	}
}

/* The planted spammers are there before the flood: 20,000 packets of theirs alone. */
static void plant(struct scene *s)
{
	struct variant v = { .name = "plant", .scene = s, .program = "bench_ours",
			     .planted_every = 1 };
	__u32 answer;

	memset(s->gen->planted_sent, 0, sizeof(s->gen->planted_sent));
	variant_prepare(&v);
	variant_time(&v, 20000, &answer);
}

void figures_kernel_add(void)
{
	for (unsigned i = 0; i < SWEEP; i++)
		open_scene(i, configs[i]);
	add_main4();
	add_main6();
	add_ranges();
	add_floods();
	add_sweep();
	plant(&scenes[MAIN4]);
	plant(&scenes[FLOOD4_SCENE]);
	plant(&scenes[FLOOD6_SCENE]);
}

/* ---------------------------------------------------------------- results */

static double median(const char *name)
{
	return variant_stat(name).median;
}

static void row_lines(const char *name, const char *empty, const char *line, double lines)
{
	struct result *r = result_add(name, "ns/packet", variant_stat(name));

	result_base(r, "xdp-empty", median(empty));
	result_base(r, "random-line", median(line));
	result_lines(r, median(empty), median(line) - median(empty), lines);
}

static void row_faster(const char *name, const char *ours, const char *base, const char *rival,
		       const char *empty, double times)
{
	struct result *r = result_add(name, "ns/packet", variant_stat(ours));

	result_base(r, "xdp-empty", median(empty));
	result_base(r, rival, median(base));
	result_faster(r, rival, median(base), times);
}

static void row_flood(const char *name, const char *usual)
{
	struct result *r = result_add(name, "ns/packet", variant_stat(name));

	result_base(r, usual, median(usual));
	result_at_most(r, usual, median(usual), 1.5);
}

/* Every planted packet must have been counted, no hold lost, and no cell made beyond the table. */
static void row_flood_kept(const char *name, struct scene *s)
{
	__u64 exact = 0, held = lz_holds_count(&s->view, lz_tables_now_s(&s->view));
	struct lz_cell cell;
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
	r = result_add(name, "% counted exactly", (struct spread){ percent, percent, percent });
	r->ratio = percent / 100;
	r->met = exact == BENCH_PLANTED && held == s->config.held;
	snprintf(r->wanted, sizeof(r->wanted), "100 %% of planted, no hold lost");
}

static void report_abc(void)
{
	struct result *r;

	row_lines("a-ipv4", "empty", "line", 0.4);
	row_lines("a-ipv6", "empty6", "line6", 0.4);
	row_lines("a-vlan", "empty", "line", 0.4);
	r = result_add("a-ipv4-10k", "ns/packet", variant_stat("a-ipv4-10k"));
	result_base(r, "xdp-empty", median("empty"));
	result_at_most(r, "xdp-empty", median("empty"), 1.5);
	row_lines("b-ipv4-uniform", "empty", "line", 2.2);
	row_lines("b-ipv4-zipf", "empty-zipf", "line", 2.2);
	row_lines("b-ipv6-uniform", "empty6", "line6", 2.2);
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
	row_lines("c-ipv4", "empty", "line", 1.5);
	row_lines("c-ipv6", "empty6", "line6", 1.5);
	result_base(r = result_add("c-ipv4-hash", "ns/packet", variant_stat("c-ipv4")), "hash",
		    median("c-ipv4-hash"));
	result_faster(r, "hash", median("c-ipv4-hash"), 1);
}

/* m: no card is here, so this is arithmetic: frames of a full link, with preamble and gap, times what
 * the program costs over the empty one. The driver comes on top. */
static void row_cores(unsigned gbit, unsigned bytes, const char *traffic, const char *variant)
{
	double per_s = gbit * 1e9 / 8 / (bytes + 20), cores;
	char name[64];
	struct result *r;

	snprintf(name, sizeof(name), "m-%ug-%ub-%s", gbit, bytes, traffic);
	cores = per_s * (median(variant) - median("empty")) / 1e9;
	r = result_add(name, "cores, computed", (struct spread){ cores, cores, cores });
	r->ratio = 1;
	r->met = true;
	snprintf(r->wanted, sizeof(r->wanted), "stated: computed, no card here");
}

static void report_cores(void)
{
	static const unsigned gbit[] = { 10, 25, 100 };

	for (unsigned i = 0; i < LZ_ARRAY_SIZE(gbit); i++) {
		for (unsigned bytes = 64; bytes <= 300; bytes += 236) {
			row_cores(gbit[i], bytes, "plain", "a-ipv4");
			row_cores(gbit[i], bytes, "syn-flood", "b-ipv4-uniform");
		}
	}
}

void figures_kernel_report(void)
{
	char name[48], base[48];

	report_abc();
	row_faster("d-ipv4", "d-ipv4", "d-ipv4-lpm", "lpm-trie", "empty-ranges4", 12);
	row_faster("d-ipv6", "d-ipv6", "d-ipv6-lpm", "lpm-trie", "empty-ranges6", 5);
	row_lines("e-all", "empty-ranges4", "line-ranges4", 3);
	row_faster("e-all-stock", "e-all", "e-all-stock", "stock-maps", "empty-ranges4", 8);
	row_flood("g-foreign-ipv4", "b-ipv4-uniform");
	row_flood("g-own-ipv4", "b-ipv4-uniform");
	row_flood("g-own-ipv6", "b-ipv6-uniform");
	row_flood_kept("g-foreign-ipv4-kept", &scenes[MAIN4]);
	row_flood_kept("g-own-ipv4-kept", &scenes[FLOOD4_SCENE]);
	row_flood_kept("g-own-ipv6-kept", &scenes[FLOOD6_SCENE]);
	for (unsigned i = 0; i < LZ_ARRAY_SIZE(sweep); i++) {
		snprintf(name, sizeof(name), "b-ipv4-%s", sweep[i].name);
		snprintf(base, sizeof(base), "lru-ktime-%s", sweep[i].name);
		row_faster(name, name, base, "lru-hash-ktime", "empty", 4);
	}
	report_cores();
}

/* Somebody else used the machine: the empty program itself was not steady. */
bool figures_void(void)
{
	struct spread s = variant_stat("empty");

	return s.p90 > 2 * s.min;
}
