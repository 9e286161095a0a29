/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * scenes.c - the scenes of figures a to e and g, and what runs in each of them every round.
 *
 * A scene is opened, and a variant runs, only if a figure that was asked for needs it.
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
#define FLOORS "bench_wait bench_cell_add bench_cell_idle "

const struct bench_size bench_sweep[BENCH_SWEEP_N] = {
	{ "1k", 1000 }, { "10k", 10000 }, { "100k", 100000 }, { "4M", 4000000 },
};

enum { MAIN4, MAIN6, RANGES4, RANGES6, FLOOD4_SCENE, FLOOD6_SCENE, SWEEP,
       SCENES = SWEEP + BENCH_SWEEP_N };

static struct scene scenes[SCENES];

static const struct scene_config configs[SWEEP] = {
	/* the frames of figures b to d, end to end, are made in this one */
	[MAIN4] = { .name = "main4", .figures = "abcdfghilm", .sources = MILLION, .held = 600000,
		    .family = 4,
		    .programs = CALIBRATION FLOORS "bench_let_by bench_bucket bench_window stock_limit "
				"stock_same stock_hold "
				"live_send live_make live_empty live_line live_line_128 live_line_1024 live_ours " },
	[MAIN6] = { .name = "main6", .figures = "abcg", .sources = MILLION, .held = 600000,
		    .family = 6,
		    .programs = CALIBRATION FLOORS "stock_limit stock_same stock_hold " },
	[RANGES4] = { .name = "ranges4", .figures = "dej", .sources = MILLION, .held = 600000,
		      .ranges = 500000, .family = 4, .prefix_limit = true, .exceptions = 1000,
		      .programs = CALIBRATION "bench_wait bench_key_range bench_two_cells "
				  "bench_two_cells_idle "
				  "bench_class stock_class stock_all live_ours " },
	[RANGES6] = { .name = "ranges6", .figures = "dj", .sources = 1024, .held = 1024,
		      .ranges = 500000, .family = 6, .base6 = 0x20010db800000000ull,
		      .programs = " bench_empty bench_class stock_class " },
	[FLOOD4_SCENE] = { .name = "flood4", .figures = "g", .sources = MILLION, .held = 600000,
			   .family = 4, .own4 = "10.0.0.0/8", .base4 = FLOOD4,
			   .held4 = FLOOD4 + 0xc00000, .planted4 = FLOOD4 + 0xf00000,
			   .programs = CALIBRATION },
	[FLOOD6_SCENE] = { .name = "flood6", .figures = "g", .sources = MILLION, .held = 600000,
			   .family = 6, .programs = CALIBRATION },
};

struct scene *scene_find(const char *name)
{
	for (unsigned i = 0; i < SCENES; i++)
		if (scenes[i].object && !strcmp(scenes[i].config.name, name))
			return &scenes[i];
	bench_must(-2, name);
	return NULL;
}

bool figures_wanted(const char *letters)
{
	return !options.figures[0] || strpbrk(options.figures, letters);
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
	if (!figures_wanted(c.figures))
		return;
	c = complete(c);
	scene_open(&c, &scenes[i]);
}

/* Addresses that are held, or prefixes that are refused, for the rivals' sets. */
void scene_list(const char *what)
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

/* @figures: letters of the figures that look at it; "": every one of the scene, a calibration. */
static void add(const char *figures, const char *name, struct scene *s, const char *program,
		struct variant v)
{
	if (!s->object || (figures[0] && !figures_wanted(figures)))
		return;
	v.name = name;
	v.scene = s;
	v.program = program;
	variant_add(&v);
}

#define ADD(figures, name, scene, program, ...) \
	add(figures, name, &scenes[scene], program, (struct variant){ __VA_ARGS__ })
#define REASONS(bits) .check = CHECK_REASONS, .want = (bits)
#define PASSES .check = CHECK_RET, .want = 2 /* XDP_PASS */
#define DROPS .check = CHECK_RET, .want = 1

static void add_main4(void)
{
	__u64 other = BIT(LZ_R_PASS_OTHER), held = BIT(LZ_R_DROP_HELD);
	__u32 base = scenes[MAIN4].config.held4, n = scenes[MAIN4].config.held;

	ADD("", "empty", MAIN4, "bench_empty", PASSES);
	ADD("b", "empty-zipf", MAIN4, "bench_empty", .draw = BENCH_ZIPF, PASSES);
	ADD("", "line", MAIN4, "bench_line", PASSES);
	ADD("am", "a-ipv4", MAIN4, "bench_ours", .frame = FRAME_OTHER, REASONS(other));
	ADD("a", "a-vlan", MAIN4, "bench_ours", .frame = FRAME_OTHER_VLAN, REASONS(other));
	ADD("a", "a-ipv4-10k", MAIN4, "bench_ours", .frame = FRAME_OTHER, .n = scaled(10000),
	    REASONS(other));
	ADD("a", "let-by-10k", MAIN4, "bench_let_by", .n = scaled(10000), PASSES);
	ADD("bgm", "b-ipv4-uniform", MAIN4, "bench_ours", REASONS(EXAMINED));
	ADD("b", "b-ipv4-zipf", MAIN4, "bench_ours", .draw = BENCH_ZIPF, REASONS(EXAMINED));
	ADD("b", "b-vlan-uniform", MAIN4, "bench_ours", .frame = FRAME_SYN25_VLAN,
	    REASONS(EXAMINED));
	ADD("b", "lru-ktime-uniform", MAIN4, "stock_limit", .check = CHECK_ADMITTED, .want = 900);
	ADD("b", "lru-ktime-zipf", MAIN4, "stock_limit", .draw = BENCH_ZIPF,
	    .check = CHECK_ADMITTED, .want = 1);
	ADD("b", "stock-same-uniform", MAIN4, "stock_same", .check = CHECK_ADMITTED, .want = 900);
	ADD("c", "c-ipv4", MAIN4, "bench_ours", .frame = FRAME_OTHER, .n = n, .base4 = base,
	    REASONS(held));
	ADD("c", "c-ipv4-hash", MAIN4, "stock_hold", .frame = FRAME_OTHER, .n = n, .base4 = base,
	    DROPS);
	ADD("bc", "wait", MAIN4, "bench_wait", PASSES);
	ADD("b", "cell", MAIN4, "bench_cell_add", PASSES);
	ADD("b", "cell-zipf", MAIN4, "bench_cell_add", .draw = BENCH_ZIPF, PASSES);
	ADD("b", "cell-idle", MAIN4, "bench_cell_idle", PASSES);
	ADD("c", "cell-held", MAIN4, "bench_cell_add", .n = n, .base4 = base, PASSES);
	ADD("c", "cell-held-idle", MAIN4, "bench_cell_idle", .n = n, .base4 = base, PASSES);
	ADD("g", "g-foreign-ipv4", MAIN4, "bench_ours", .n = 10 * MILLION, .base4 = FLOOD4,
	    .planted_every = 64, REASONS(EXAMINED | BIT(LZ_R_PASS_FOREIGN)));
}

static void add_main6(void)
{
	__u64 other = BIT(LZ_R_PASS_OTHER), held = BIT(LZ_R_DROP_HELD);
	__u32 n = scenes[MAIN6].config.held;

	ADD("", "empty6", MAIN6, "bench_empty", PASSES);
	ADD("", "line6", MAIN6, "bench_line", PASSES);
	ADD("a", "a-ipv6", MAIN6, "bench_ours", .frame = FRAME_OTHER, REASONS(other));
	ADD("bg", "b-ipv6-uniform", MAIN6, "bench_ours", REASONS(EXAMINED));
	ADD("b", "lru-ktime6-uniform", MAIN6, "stock_limit", .check = CHECK_ADMITTED, .want = 900);
	ADD("b", "stock-same6-uniform", MAIN6, "stock_same", .check = CHECK_ADMITTED,
	    .want = 900);
	ADD("bc", "wait6", MAIN6, "bench_wait", PASSES);
	ADD("b", "cell6", MAIN6, "bench_cell_add", PASSES);
	ADD("c", "cell-held6", MAIN6, "bench_cell_add", .n = n, .base6 = BENCH_HELD6, PASSES);
	ADD("c", "c-ipv6", MAIN6, "bench_ours", .frame = FRAME_OTHER, .n = n, .base6 = BENCH_HELD6,
	    REASONS(held));
	ADD("c", "c-ipv6-hash", MAIN6, "stock_hold", .frame = FRAME_OTHER, .n = n,
	    .base6 = BENCH_HELD6, DROPS);
}

static void add_ranges(void)
{
	/* Look-ups go over the whole space that the prefixes cover, /10 and /32. */
	ADD("", "empty-ranges4", RANGES4, "bench_empty", PASSES);
	ADD("", "line-ranges4", RANGES4, "bench_line", PASSES);
	ADD("d", "d-ipv4", RANGES4, "bench_class", .n = scaled(1 << 22), .check = CHECK_FOUND);
	/* where there are prefixes: behind the last one the first line is not always that of the answer */
	ADD("d", "key-range", RANGES4, "bench_key_range", .n = 8 * scaled(500000), .check = CHECK_FOUND);
	ADD("d", "d-ipv4-lpm", RANGES4, "stock_class", .n = scaled(1 << 22), .check = CHECK_FOUND);
	ADD("", "empty-ranges6", RANGES6, "bench_empty", PASSES);
	ADD("d", "d-ipv6", RANGES6, "bench_class", .n = scaled(1 << 24), .check = CHECK_FOUND);
	ADD("d", "d-ipv6-lpm", RANGES6, "stock_class", .n = scaled(1 << 24), .check = CHECK_FOUND);
	ADD("e", "wait-ranges4", RANGES4, "bench_wait", PASSES);
	ADD("e", "two-cells", RANGES4, "bench_two_cells", PASSES);
	ADD("e", "two-cells-idle", RANGES4, "bench_two_cells_idle", PASSES);
	ADD("e", "e-all", RANGES4, "bench_ours", REASONS(EXAMINED));
	ADD("e", "e-all-stock", RANGES4, "stock_all", .check = CHECK_ADMITTED, .want = 900);
}

static void add_floods(void)
{
	ADD("g", "g-own-ipv4", FLOOD4_SCENE, "bench_ours", .n = 10 * MILLION, .planted_every = 64,
	    REASONS(EXAMINED));
	ADD("g", "g-own-ipv6", FLOOD6_SCENE, "bench_ours", .n = 10 * MILLION,
	    .base6 = BENCH_HELD6 + 0x10000000, .planted_every = 64, REASONS(EXAMINED));
}

static void add_sweep(void)
{
	static const struct {
		const char *what, *program;
		struct variant v;
	} of[] = {
		{ "empty", "bench_empty", { PASSES } },
		{ "line", "bench_line", { PASSES } },
		{ "cell", "bench_cell_add", { PASSES } },
		{ "b-ipv4", "bench_ours", { REASONS(EXAMINED) } },
		{ "lru-ktime", "stock_limit", { .check = CHECK_ADMITTED, .want = 0 } },
		{ "stock-same", "stock_same", { .check = CHECK_ADMITTED, .want = 0 } },
	};
	static char names[BENCH_SWEEP_N][LZ_ARRAY_SIZE(of)][48];

	for (unsigned i = 0; i < BENCH_SWEEP_N; i++) {
		struct scene_config c = { .name = bench_sweep[i].name, .figures = "b",
					  .sources = bench_sweep[i].sources, .held = 1024,
					  .family = 4,
					  .programs = CALIBRATION "bench_cell_add stock_limit "
						      "stock_same " };

		open_scene(SWEEP + i, c);
		for (unsigned k = 0; k < LZ_ARRAY_SIZE(of); k++) {
			snprintf(names[i][k], sizeof(names[i][k]), "%s-%s", of[k].what,
				 bench_sweep[i].name);
			add("b", names[i][k], &scenes[SWEEP + i], of[k].program, of[k].v);
		}
	}
}

/* The planted spammers are there before the flood: 20,000 packets of theirs alone. */
static void plant(struct scene *s)
{
	struct variant v = { .name = "plant", .scene = s, .program = "bench_ours",
			     .planted_every = 1 };
	__u32 answer;

	if (!s->object || !figures_wanted("g"))
		return;
	memset(s->gen->planted_sent, 0, sizeof(s->gen->planted_sent));
	variant_prepare(&v);
	variant_time(&v, 20000, &answer);
}

void scenes_open(void)
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
