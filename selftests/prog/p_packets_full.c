/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_full.c - limits where there is no room: table, lines and the cells of an IPv6 /48 are full. */
#include "prog/limit_rows.h"

static void table_full(void)
{
	struct world_run r;

	limited(window(3, 300 * S), (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 1), 1, "one source");
	T_EQ(world_cell(w, world_key(w, LIM4))->seen, lz_seen(WORLD_START_S), "whose cell is no idle one from the start");
	w->control->sources_max = 1;
	r = attempt("203.0.113.10", WORLD_XDP);
	T_EQ(r.verdict, LZ_V_PASS, "the next passes");
	T_EQ(r.delta[LZ_C_TABLE_FULL], 1, "and is counted");
	T_EQ(admitted("203.0.113.10", 9), 9, "uncounted, so unlimited");
	T_EQ(admitted(LIM4, 3), 2, "the first is still limited");
	T_EQ(attempt(DYN4, WORLD_XDP).reason, LZ_R_DROP_PORT25, "a class rule needs no cell");
	T_EQ(attempt_port(DYN4, 443, WORLD_XDP).verdict, LZ_V_PASS, "and is for port 25 alone");
	world_exception(w, "100.64.0.77/32", LZ_EXCEPTION_PORT25, WORLD_START_S + 60);
	T_EQ(attempt("100.64.0.77", WORLD_XDP).reason, LZ_R_PASS_EXCEPTION, "an exception needs none");
	rows_check(w, WORLD_XDP, &(struct row){ "nor the never-list", { .src = DYN4, .dst = NEVER4, .dport = 25 },
		   LZ_V_PASS, LZ_R_PASS_NEVER });
	rows_check(w, WORLD_XDP, &(struct row){ "nor what hides its port", { .src = LIM4, .dst = WORLD4, .dport = 25,
		   .flags = PKT_F_MORE, .l4_bytes = 8 }, LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT });
	ROWS_OK("rows");
	world_hold(w, "203.0.113.11", LZ_HOLD_WORD(WORLD_START_S + 9, 9, LZ_GARDEN_LEAKY, 0));
	T_EQ(attempt("203.0.113.11", WORLD_XDP).reason, LZ_R_DROP_HELD, "nor does the colony");
	w->control->sources_max = 2;
	T_EQ(attempt("203.0.113.12", WORLD_XDP).delta[LZ_C_TABLE_FULL], 0,
	     "and a held cell takes no room from the others");
	T_EQ(attempt("203.0.113.13", WORLD_XDP).delta[LZ_C_TABLE_FULL], 1, "but then it is full");
	world_reset(w);
}

/* A prefix as long as an address gives each source a second cell. */
static void full_of_prefixes(void)
{
	struct lz_limit l = window(3, 300 * S);

	l.per = LZ_PER_PREFIX;
	l.per_len4 = 64;
	limited(l, (struct lz_class){ 0 });
	w->control->sources_max = 3;
	T_EQ(attempt(LIM4, WORLD_XDP).delta[LZ_C_TABLE_FULL], 0, "a source and its prefix");
	T_EQ(attempt("203.0.113.10", WORLD_XDP).delta[LZ_C_TABLE_FULL], 1, "the next source's has no room");
	T_EQ(*(volatile __u64 *)&w->skel->data_tables->lz_tables.cells_used, 3, "and takes none of the colony's");
	T_EQ(admitted("203.0.113.10", 9), 9, "so it has no limit");
	T_EQ(admitted(LIM4, 3), 2, "the first has");
	world_reset(w);
}

static void every_line_full(void)
{
	struct world_run r;

	limited(window(3, 300 * S), (struct lz_class){ 0 });
	memset(w->tags, LZ_TAG_MIN, w->tag_lines * 64ul);
	r = attempt(LIM4, WORLD_XDP);
	T_EQ(r.verdict, LZ_V_PASS, "passes");
	T_EQ(r.delta[LZ_C_TABLE_FULL], 1, "and is counted");
	r = attempt(LIM6, WORLD_XDP);
	T_EQ(r.delta[LZ_C_TABLE_FULL], 1, "IPv6 too");
	world_reset(w);
}

/* The colony's number is counted anew by each sweep, and may be ahead of the other for a moment. */
static void counts_that_disagree(void)
{
	limited(window(3, 300 * S), (struct lz_class){ 0 });
	*(volatile __u64 *)&w->skel->data_tables->lz_tables.cells_held = 5;
	T_EQ(attempt(LIM4, WORLD_XDP).delta[LZ_C_TABLE_FULL], 0, "that is no full table");
	world_reset(w);
}

/* Nobody of a /48 is told apart any more: it is counted, but not held, and the count of its cells stands. */
static void charged_is_not_held(void)
{
	struct lz_limit l = window(3, 300 * S);
	__u64 parent = lz_aggregate_key(LZ_AGGREGATE_V6_BUDGET, 0x20010db82000ULL, &w->skel->rodata->lz_instance);
	struct lz_cell *cell;

	l.then = LZ_THEN_HOLD;
	l.hold_ttl_s = 3600;
	limited(l, (struct lz_class){ 0 });
	w->control->v6_budget = 1;
	T_EQ(admitted("2001:db8:2000:1::1", 1), 1, "one has a cell");
	cell = world_cell(w, parent);
	if (!T_OK(cell, "and its /48"))
		return;
	T_EQ(admitted("2001:db8:2000:2::1", 5), 3, "the next is limited with the /48");
	T_EQ(attempt("2001:db8:2000:3::1", WORLD_XDP).reason, LZ_R_DROP_LIMIT, "like any other of it: not held");
	T_EQ(cell->hold, 1, "it has one cell below it");
	cell->hold = LZ_HOLD_DYING; /* the last went, and the sweep has begun with the /48's own */
	T_EQ(attempt("2001:db8:2000:4::1", WORLD_XDP).delta[LZ_C_PREFIX_CHARGED], 0, "there is room again");
	world_reset(w);
}

static void v6_budget(void)
{
	struct world_run r;
	char src[40];

	limited(window(40, 300 * S), (struct lz_class){ 0 });
	w->control->v6_budget = 5;
	for (int i = 0; i < 5; i++) {
		snprintf(src, sizeof(src), "2001:db8:2000:%x::1", i);
		T_EQ(attempt(src, WORLD_XDP).delta[LZ_C_PREFIX_CHARGED], 0, "within the budget");
	}
	T_EQ(world_cells_used(w), 6, "five cells and their /48's");
	for (int i = 0; i < 50; i++) {
		snprintf(src, sizeof(src), "2001:db8:2000:%x::1", 0x100 + i);
		r = attempt(src, WORLD_XDP);
		T_EQ(r.delta[LZ_C_PREFIX_CHARGED], 1, "the /48 is charged");
		T_EQ(r.verdict, i < 40 ? LZ_V_PASS : LZ_V_DROP, "all of them together");
	}
	T_EQ(world_cells_used(w), 6, "no more cells");
	T_EQ(admitted("2001:db8:2000:3::1", 40), 39, "those inside keep their own limit");
	T_EQ(attempt("2001:db8:2001::1", WORLD_XDP).delta[LZ_C_PREFIX_CHARGED], 0, "another /48");
}

static const struct t_case cases[] = {
	{ "the table is full", table_full },
	{ "full of prefixes", full_of_prefixes },
	{ "a source's lines are full", every_line_full },
	{ "cells of an IPv6 /48", v6_budget },
	{ "a /48 that is charged", charged_is_not_held },
	{ "counts that disagree", counts_that_disagree },
};

ROWS_MAIN(w, cases)
