/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cell.h - a source's cell: the fast "no" for the colony, find, make, hold.
 */
#ifndef LZ_BPF_CELL_H
#define LZ_BPF_CELL_H

#include "count.h"

static __always_inline struct lz_tag_line *lz_search_line(__u32 line)
{
	return bpf_map_lookup_elem(&lz_tags, &line);
}

static __always_inline struct lz_cell *lz_search_cell(__u32 slot)
{
	return bpf_map_lookup_elem(&lz_cells, &slot);
}

/* The other half of a cell. */
static __always_inline struct lz_cold *lz_cold_of(__u32 slot)
{
	return bpf_map_lookup_elem(&lz_cold, &slot);
}

static __always_inline struct lz_block_line *lz_search_blocks(__u32 line)
{
	return bpf_map_lookup_elem(&lz_blocks, &line);
}

static __always_inline struct lz_held_line *lz_search_held(__u32 line)
{
	return bpf_map_lookup_elem(&lz_held, &line);
}

#define LZ_SEARCH_IN	 (&lz_instance)
#define LZ_SEARCH_TABLES (&lz_tables)
#define LZ_SEARCH_LOOP	 LZ_NO_UNROLL
#define LZ_SEARCH_FN	 __noinline
#include <lazaret/search.h>
#include <lazaret/held.h>

/* Might this source be held? "No" for almost everybody. */
static __always_inline int lz_maybe_held(__u64 key)
{
	return lz_held_asked(key, lz_tables.held_copy & 1);
}

/**
 * lz_cell_ask() - where a packet's source should live; its line is asked for
 * @p: p->cell becomes its slot, or LZ_SEARCH_NONE
 *
 * BPF has no prefetch. A store does as well: it is done with as soon as its page is known, and its line comes
 * while the next instructions go on, where a load would let no more than 250 of them go by (make bench, rows
 * b and e: 25 to 40 ns). Not before the facts of the frame are stored: their stores would wait behind this one,
 * and 64 of them are all that can (30 to 130 ns).
 *
 * What is stored is the time, which lz_examine() stores in the cells it counts in. In a cell that is somebody
 * else's it lets the sweep take it for used: those are neighbourhoods that share a block (search.h), or, one
 * SYN in some thousands, foreign sources whose hash looks like one that has a block. Who forges SYNs can keep
 * cells that way, but far more by forging sources of our own ranges, which get one each (bench row g).
 * Return: the cell, perhaps of somebody else; or NULL.
 */
static __always_inline struct lz_cell *lz_cell_ask(struct lz_pkt *p)
{
	struct lz_cell *cell;

	p->cell = lz_block_find(p->key);
	cell = p->cell >= 0 ? lz_search_cell(p->cell) : 0;
	if (cell)
		*(volatile __u16 *)&cell->seen = lz_seen(p->now_s);
	return cell;
}

/* Ask for the other half, where lz_cell_ask() said; by a load, for there is nothing in it that may be stored
 * blindly. */
static __always_inline void lz_cold_ask(const struct lz_pkt *p)
{
	struct lz_cold *cold = p->cell >= 0 ? lz_cold_of(p->cell) : 0;

	if (cold)
		(void)*(volatile __u64 *)cold->dests;
}

/* The cell of a packet's source, or NULL. @asked: what lz_cell_ask() said, where nearly every source lives:
 * that much is done here, and a call, which costs 15 ns with protected returns, only for the rest. It is seen
 * now, wherever it lives. */
static __always_inline struct lz_cell *lz_cell_of(struct lz_pkt *p, struct lz_cell *asked)
{
	if (asked && lz_search_is(asked, p->key))
		return asked;
	p->cell = lz_search_hashed(p->key);
	asked = p->cell >= 0 ? lz_search_cell(p->cell) : 0;
	if (asked)
		*(volatile __u16 *)&asked->seen = lz_seen(p->now_s);
	return asked;
}

/* Make a cell whatever the budgets say: for aggregates, and inside lz_cell_make(). */
__noinline int lz_cell_create(__u64 key)
{
	int slot = lz_search_create(key);

	if (slot < 0)
		return slot;
	if (slot & LZ_SEARCH_MADE)
		__sync_fetch_and_add(&lz_tables.cells_used, 1);
	return slot & ~LZ_SEARCH_MADE;
}

/* Held cells are the colony's: a large one must not stop the counting of the others. */
static __always_inline int lz_cells_full(void)
{
	__u64 used = lz_tables.cells_used, held = lz_tables.cells_held;

	return used > held && used - held >= lz_control.sources_max;
}

/**
 * lz_cell_make() - the cell of a new source, within the budgets
 *
 * Ordinary sources, and what limits count in, may fill the table up to sources_max: the rest is the
 * colony's. Own IPv6 space is practically unbounded, so only v6_budget cells are made below one /48;
 * beyond that the /48's own cell is charged. Return: slot or LZ_SEARCH_FULL.
 */
__noinline int lz_cell_make(__u64 key, __u32 family, __u32 row)
{
	int slot;

	if (lz_cells_full()) {
		lz_count(row, LZ_C_TABLE_FULL, 1);
		return LZ_SEARCH_FULL;
	}
	if (family == 6) {
		__u64 parent_key = lz_aggregate_key(LZ_AGGREGATE_V6_BUDGET, key >> 16,
						    &lz_instance);
		struct lz_cell *parent;

		slot = lz_search_find(parent_key);
		if (slot < 0)
			slot = lz_cell_create(parent_key);
		parent = slot >= 0 ? lz_search_cell(slot) : 0;
		if (!parent) {
			lz_count(row, LZ_C_TABLE_FULL, 1);
			return LZ_SEARCH_FULL;
		}
		/* the sweep may be about to clear a /48 without children */
		if ((__sync_fetch_and_add(&parent->hold, 1) & ~LZ_HOLD_DYING) >= lz_control.v6_budget) {
			__sync_fetch_and_add(&parent->hold, -1);
			lz_count(row, LZ_C_PREFIX_CHARGED, 1);
			return slot;
		}
	}
	slot = lz_cell_create(key);
	if (slot < 0)
		lz_count(row, LZ_C_TABLE_FULL, 1);
	return slot;
}

/* Two counters that lie side by side, the lower one at a multiple of 8, with one locked instruction. */
static __always_inline void lz_count_pair(__u32 *low, __u32 add_low, __u32 add_high)
{
	__sync_fetch_and_add((__u64 *)low, (__u64)add_high << 32 | add_low);
}

/* One more in a counter whose lower bits are the upper end of the four bytes at @at. Returns 1 if they wrapped. */
static __always_inline int lz_count_low(__u32 *at, __u32 shift)
{
	__u32 one = 1u << shift;

	return __sync_fetch_and_add(at, one) > ~one;
}

static __always_inline void lz_count_dropped(struct lz_cell *cell, __u32 slot)
{
	struct lz_cold *cold;

	if (!lz_count_low((__u32 *)&cell->seen, 16))
		return;
	cold = lz_cold_of(slot);
	if (cold)
		lz_count_low((__u32 *)&cold->told_s, 16);
}

static __always_inline void lz_count_other(struct lz_cell *cell, __u32 slot)
{
	struct lz_cold *cold;

	if (!lz_count_low((__u32 *)&cell->known_class, 24))
		return;
	cold = lz_cold_of(slot);
	if (cold)
		__sync_fetch_and_add(&cold->others_256s, 1);
}

/* The last steps of a hold: the HELD bit of its tag, by which the controller finds it, and the
 * source's bit in both copies, by which packets do; so whoever sees a bit finds the word. */
static __always_inline void lz_cell_mark_held(__u32 slot, __u64 key)
{
	struct lz_tag_line *tags = lz_search_line(slot / LZ_TAG_LINE_SLOTS);

	if (tags)
		__sync_fetch_and_or(&tags->word[(slot / 8) & (LZ_TAG_LINE_WORDS - 1)],
				    (__u64)LZ_TAG_HELD << (8 * (slot & 7)));
	lz_held_set(key, lz_held_bit(key));
}

/* So long after it read the clock a CPU comes to a bucket, at the most: a tick, and what a hypervisor stops it for.
 * What another CPU has used up meanwhile lies in its future, and must not be taken for a level of another rate: who
 * sends on two CPUs at once would have his whole burst again and again. */
#define LZ_LATE_MS 1000

/* Is the hold word in force at now_s? Nothing but the word and the clock decides, so no daemon is
 * needed to end a hold and none can make it longer than its own ttl or the cap. */
static __always_inline int lz_hold_active(__u64 word, __u32 now_s)
{
	__u32 left_s = LZ_HOLD_EXPIRY(word) - now_s;
	__u32 ttl_s = LZ_HOLD_TTL(word);

	if (!word || LZ_HOLD_EXPIRY(word) <= now_s)
		return 0;
	return ttl_s && left_s <= LZ_HOLD_END(0, ttl_s) && left_s <= LZ_HOLD_END(0, LZ_HOLD_CAP_S);
}

/* Kinds stand in their order, the hardest first. Two rows of one kind are not compared here: a limit holds
 * nobody anew who is in a garden, and none throttles. */
static __always_inline int lz_grade_harder(__u32 grade, __u32 than)
{
	return LZ_GRADE_KIND(than) < LZ_GRADE_KIND_N && LZ_GRADE_KIND(grade) < LZ_GRADE_KIND(than);
}

/**
 * lz_cell_hold() - quarantine a source from inside the data plane
 *
 * Extends and hardens, never shortens: where a longer hold of a milder grade stands, its end stays. Who is
 * in a garden stays in his, until its end: what a leaky one leaves open meets the limits, and a scanner
 * would put off his end with each SYN. The ttl is counted from now. Return: 1 if this call wrote the hold,
 * 0 if a longer one stood that is no milder, or a garden, or the cell is an aggregate (a covering prefix
 * is never held for one of its sources).
 */
static __always_inline int lz_cell_hold(struct lz_cell *cell, __u32 slot, __u64 key, __u32 now_s,
					__u32 ttl_s, __u32 grade)
{
	if (cell->key != ~key)
		return 0;
	LZ_NO_UNROLL
	for (int i = 0; i < 4; i++) {
		__u64 old = *(volatile __u64 *)&cell->hold;
		__u32 end_s = LZ_HOLD_END(now_s, ttl_s), left_s = ttl_s;
		__u64 word;

		if (lz_hold_active(old, now_s) &&
		    (LZ_HOLD_EXPIRY(old) >= end_s ||
		     LZ_GRADE_KIND(LZ_HOLD_GRADE(old)) == LZ_GRADE_GARDEN)) {
			if (!lz_grade_harder(grade, LZ_HOLD_GRADE(old)))
				return 0;
			end_s = LZ_HOLD_EXPIRY(old);
			left_s = end_s - now_s;
		}
		word = LZ_HOLD_WORD(end_s, left_s, grade, LZ_HOLD_F_KERNEL);
		if (__sync_val_compare_and_swap(&cell->hold, old, word) == old) {
			lz_cell_mark_held(slot, key);
			return 1;
		}
	}
	return 0;
}

#endif /* LZ_BPF_CELL_H */
