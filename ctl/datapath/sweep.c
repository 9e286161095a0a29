/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bpf/limit.h"
#include "datapath/membarrier.h"
#include "datapath/recount.h"
#include "datapath/search_view.h"

#define SEEN_FORGOTTEN_S (45 * 86400u) /* longer than any "idle", less than lz_cell.seen takes to come round */
#define ORPHAN 0x80000000u /* beside a slot: it was nobody's to find */

struct lz_sweep {
	struct lz_tables_view *view;
	struct lz_sweep_config config;
	struct lz_sweep_totals totals;
	__u32 *dying;	 /* slots of this slice, with ORPHAN */
	size_t n_dying;
	__u32 line;	 /* next one to look at */
	bool waited;	 /* what lz_sweep_wait() does was done */
	int wait_r;	 /* and so it ended */
	__u64 tags_freed; /* by that, at the end of a pass */
};

void lz_sweep_free(struct lz_sweep **sweep)
{
	if (*sweep)
		free((*sweep)->dying);
	free(*sweep);
	*sweep = NULL;
}

void lz_sweep_idle_set(struct lz_sweep *sweep, __u32 idle_s)
{
	sweep->config.idle_s = idle_s;
}

void lz_sweep_totals_get(const struct lz_sweep *sweep, struct lz_sweep_totals *ret)
{
	*ret = sweep->totals;
}

/* ---------------------------------------------------------------- tags */

static __u64 *word_of(const struct lz_tables_view *v, __u32 slot)
{
	return &v->tags[slot / LZ_TAG_LINE_SLOTS].word[slot / 8 % LZ_TAG_LINE_WORDS];
}

static __u32 tag_of(const struct lz_tables_view *v, __u32 slot)
{
	return *(volatile __u64 *)word_of(v, slot) >> (8 * (slot & 7)) & 0xff;
}

/* Only the sweep and HELD bits change a live tag, but its neighbours change any time. */
static void replace_tag(const struct lz_tables_view *v, __u32 slot, __u32 tag)
{
	__u64 *at = word_of(v, slot), old;
	int shift = 8 * (slot & 7);

	do {
		old = *(volatile __u64 *)at;
	} while (!__sync_bool_compare_and_swap(at, old, (old & ~(0xffULL << shift)) |
							(__u64)tag << shift));
}

static bool is_live(__u32 tag)
{
	return (tag & ~LZ_TAG_HELD) >= LZ_TAG_MIN;
}

/* An idle cell is found by nobody from now on, not by its place in a block or a note of it either. */
static void hide(struct lz_cell *cell)
{
	__sync_bool_compare_and_swap(&cell->hold, 0, LZ_HOLD_DYING);
}

static void show(struct lz_cell *cell)
{
	__sync_bool_compare_and_swap(&cell->hold, LZ_HOLD_DYING, 0);
}

static void mark_held(const struct lz_tables_view *v, __u32 slot)
{
	__sync_fetch_and_or(word_of(v, slot), (__u64)LZ_TAG_HELD << (8 * (slot & 7)));
}

/* A DYING slot becomes its key's again; without a key it is free. The tag comes before the cell is found
 * again, so that a limit which holds it then finds a tag to mark. */
static void restore_tag(const struct lz_tables_view *v, __u32 slot)
{
	struct lz_cell *cell = &v->cells[slot];
	__u64 stored = *(volatile __u64 *)&cell->key, key = ~stored;

	replace_tag(v, slot, stored ? lz_tag_of(lz_hash(key, v->instance.seed)) : LZ_TAG_RECLAIMED);
	show(cell);
	if (stored && !lz_key_is_aggregate(key) && *(volatile __u64 *)&cell->hold)
		mark_held(v, slot);
}

/* ---------------------------------------------------------------- which cells go */

/* Who is held and silent for longer than units of "seen" tell apart would be new again. */
static void forget_seen(struct lz_cell *cell, __u32 now_s)
{
	__u16 seen = *(const volatile __u16 *)&cell->seen;

	if (seen && now_s - lz_cell_seen_s(cell, now_s) > SEEN_FORGOTTEN_S)
		__sync_bool_compare_and_swap(&cell->seen, seen, 0);
}

/* A word of destinations knows its window by 12 bits: 4,096 windows later, 11 hours if they are of 10 seconds, an
 * old one would be the present one again. What is neither of this window nor of those beside it goes. */
static void forget_dests(const struct lz_tables_view *v, __u32 slot, __u32 now_s)
{
	const struct lz_control *control = v->control;
	const struct lz_generation *gen = &control->gen[LZ_GEN_ACTIVE(control->gen_word) & 1];
	__u16 known = *(const volatile __u16 *)&v->cells[slot].known_class;
	__u64 window_ns = gen->class_[LZ_KNOWN_IS(known)].dests_slot_ns, *dests = v->cold[slot].dests;

	for (int i = 0; window_ns && i < 4; i++) {
		__u64 word = *(volatile __u64 *)&dests[i];
		__u64 ago = ((__u64)now_s * 1000000000ULL / window_ns - (word >> LZ_DESTS_BITS)) & 0xfff;

		if (word && ago > 1 && ago < 0xfff)
			__sync_bool_compare_and_swap(&dests[i], word, 0);
	}
}

/* An aggregate's hold counts the cells below a /48: while there are any, it stays. */
static bool must_stay(const struct lz_sweep *s, const struct lz_cell *cell, __u64 key, __u32 now_s)
{
	__u64 hold = *(const volatile __u64 *)&cell->hold;

	return lz_cell_is_recent(cell, s->config.idle_s, now_s) ||
	       (lz_key_is_aggregate(key) ? hold != 0 && hold != LZ_HOLD_DYING :
					   lz_hold_is_active(hold, now_s) || lz_hold_lingers(hold, now_s));
}

static void look_at_hold(struct lz_sweep *s, __u32 slot, __u64 key, __u32 now_s)
{
	__u64 word = *(volatile __u64 *)&s->view->cells[slot].hold;

	if (!word || word == LZ_HOLD_DYING || lz_key_is_aggregate(key))
		return;
	/* A limit may have held it since the slice began, until a second that the slice does not know. */
	if (!lz_hold_is_active(word, now_s))
		now_s = lz_tables_now_s(s->view);
	if (lz_hold_is_active(word, now_s)) {
		if (!(tag_of(s->view, slot) & LZ_TAG_HELD)) {
			mark_held(s->view, slot);
			lz_held_mark(s->view, key);
		}
		if ((LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL) && s->config.on_kernel_hold)
			s->config.on_kernel_hold(s->config.arg, key, word);
		return;
	}
	if (lz_hold_lingers(word, now_s))
		return;
	lz_hold_clear_slot(s->view, slot, word);
	s->totals.holds_expired++;
}

/* First half of a slice: clear expired holds, mark what is idle. */
static void mark_slot(struct lz_sweep *s, __u32 slot, __u32 now_s)
{
	struct lz_tables_view *v = s->view;
	struct lz_cell *cell = &v->cells[slot];
	__u64 stored = *(volatile __u64 *)&cell->key, key = ~stored;
	bool orphan;

	if (!stored)
		return; /* being claimed at this instant */
	forget_seen(cell, now_s);
	look_at_hold(s, slot, key, now_s);
	if (!lz_key_is_aggregate(key))
		forget_dests(v, slot, now_s);
	if (s->config.on_source && !lz_key_is_aggregate(key))
		s->config.on_source(s->config.arg, key, slot);
	/* A second cell of one key is never found by anybody: it goes, whatever its age; a hold on it
	 * moves to the one that is found. */
	orphan = lz_view_find(v, key) != (int)slot;
	if (!orphan && must_stay(s, cell, key, now_s))
		return;
	s->totals.orphans += orphan;
	hide(cell);
	replace_tag(v, slot, LZ_TAG_DYING);
	s->dying[s->n_dying++] = slot | (orphan ? ORPHAN : 0);
}

static void forget_child(const struct lz_tables_view *v, __u64 key)
{
	__u64 parent = lz_key_aggregate(&v->instance, LZ_AGGREGATE_V6_BUDGET, key >> 16), old;
	int slot = lz_view_find(v, parent);

	if (slot < 0)
		return;
	do {
		old = *(volatile __u64 *)&v->cells[slot].hold;
	} while (old && !__sync_bool_compare_and_swap(&v->cells[slot].hold, old, old - 1));
}

/* The counts, then the key, then the word that hides the key at its place in a block: a cell without a
 * key is anybody's who gets its tag. */
static void clear_cell(struct lz_cell *cell, struct lz_cold *cold)
{
	memset(cold, 0, sizeof(*cold));
	memset(&cell->hold + 1, 0, sizeof(*cell) - offsetof(struct lz_cell, state));
	__sync_synchronize();
	*(volatile __u64 *)&cell->key = 0;
	__sync_synchronize();
	*(volatile __u64 *)&cell->hold = 0;
	__sync_synchronize();
}

/* Second half, after the barrier: no program can still be using the slot by its old tag, but one may
 * have until just now. */
static void reclaim_slot(struct lz_sweep *s, __u32 dying, __u32 now_s)
{
	struct lz_tables_view *v = s->view;
	__u32 slot = dying & ~ORPHAN;
	struct lz_cell *cell = &v->cells[slot];
	__u64 key = ~cell->key, hold = cell->hold;
	bool held = !lz_key_is_aggregate(key) && lz_hold_is_active(hold, now_s);
	int found = lz_view_find(v, key); /* the slot itself, if a limit held it at the last instant */
	/* Nobody finds an orphan, whatever tag it gets: it cannot stay. */
	bool alone = found == (int)slot || (found < 0 && !(dying & ORPHAN));

	if (alone && must_stay(s, cell, key, now_s)) {
		/* It was used at the last instant, and nobody has made another since. */
		restore_tag(v, slot);
		return;
	}
	if (held) {
		if (lz_hold_set(v, key, hold, 0, NULL) < 0) {
			restore_tag(v, slot);
			return;
		}
		s->totals.holds_moved++;
	}
	if (alone && !lz_key_is_aggregate(key) && key >> 32)
		forget_child(v, key);
	clear_cell(cell, &v->cold[slot]);
	replace_tag(v, slot, LZ_TAG_RECLAIMED);
	__sync_fetch_and_add(&v->tables->cells_used, -1ULL);
	s->totals.reclaimed++;
}

/* ---------------------------------------------------------------- what a killed controller left */

/* DYING tags, which nobody finds and nobody may take, tags without a key, and idle cells that are hidden
 * already. A packet may be claiming such a cell at this instant, or its key may have got another since:
 * so they wait for the barrier, and are looked at like any that die. */
static void take_over(struct lz_sweep *s)
{
	struct lz_tables_view *v = s->view;
	size_t max = (size_t)s->config.slice_lines * LZ_TAG_LINE_SLOTS;

	for (__u32 slot = 0; slot < v->slots; slot++) {
		__u32 tag = tag_of(v, slot);

		if (tag != LZ_TAG_DYING && !is_live(tag))
			continue;
		if (tag != LZ_TAG_DYING && *(volatile __u64 *)&v->cells[slot].key) {
			show(&v->cells[slot]);
		} else if (s->n_dying < max) {
			replace_tag(v, slot, LZ_TAG_DYING);
			s->dying[s->n_dying++] = slot;
		}
	}
	if (s->n_dying && !lz_membarrier())
		for (size_t i = 0; i < s->n_dying; i++) {
			if (*(volatile __u64 *)&v->cells[s->dying[i]].key)
				reclaim_slot(s, s->dying[i], lz_tables_now_s(v));
			else
				restore_tag(v, s->dying[i]);
		}
	s->n_dying = 0;
	lz_blocks_take_over(v);
}

int lz_sweep_new(struct lz_tables_view *view, const struct lz_sweep_config *config,
		 struct lz_sweep **ret)
{
	lz_autofree struct lz_sweep *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->view = view;
	s->config = *config;
	if (!s->config.slice_lines || s->config.slice_lines > view->instance.tag_lines)
		s->config.slice_lines = view->instance.tag_lines;
	s->dying = calloc((size_t)s->config.slice_lines * LZ_TAG_LINE_SLOTS, sizeof(*s->dying));
	if (!s->dying)
		return -ENOMEM;
	take_over(s);
	*ret = TAKE_PTR(s);
	return 0;
}

/* ---------------------------------------------------------------- steps */

/* The whole table afresh, and the bits of holds that have ended. */
static int count(struct lz_sweep *s)
{
	int r = lz_recount(s->view, &s->tags_freed);

	if (r || !s->view->held_stale)
		return r;
	s->view->held_stale = false; /* before: what ends meanwhile is for the next time */
	r = lz_held_rebuild(s->view);
	if (r)
		s->view->held_stale = true;
	return r;
}

void lz_sweep_wait(struct lz_sweep *sweep)
{
	sweep->wait_r = sweep->n_dying ? lz_membarrier() : count(sweep);
	sweep->waited = true;
}

static int end_pass(struct lz_sweep *s)
{
	if (s->wait_r)
		return s->wait_r;
	s->totals.tags_freed += s->tags_freed;
	s->totals.passes++;
	s->line = 0;
	return LZ_SWEEP_DONE;
}

/* What the slice marked, after the barrier; without one nothing may be reused, all of it stays as it was. */
static int end_slice(struct lz_sweep *s)
{
	__u32 now_s = lz_tables_now_s(s->view); /* what limits did meanwhile counts from now */

	for (size_t i = 0; i < s->n_dying; i++) {
		if (s->wait_r)
			restore_tag(s->view, s->dying[i] & ~ORPHAN);
		else
			reclaim_slot(s, s->dying[i], now_s);
	}
	s->n_dying = 0;
	return s->wait_r ? s->wait_r : LZ_SWEEP_MORE;
}

static int begin_slice(struct lz_sweep *s)
{
	__u32 lines = s->view->instance.tag_lines, now_s = lz_tables_now_s(s->view);
	__u32 end = lines - s->line > s->config.slice_lines ? s->line + s->config.slice_lines : lines;

	for (__u32 slot = s->line * LZ_TAG_LINE_SLOTS; slot < end * LZ_TAG_LINE_SLOTS; slot++)
		if (is_live(tag_of(s->view, slot)))
			mark_slot(s, slot, now_s);
	s->line = end;
	return s->n_dying ? LZ_SWEEP_WAIT : LZ_SWEEP_MORE;
}

int lz_sweep_step(struct lz_sweep *sweep)
{
	bool waited = sweep->waited;

	sweep->waited = false;
	if (waited)
		return sweep->n_dying ? end_slice(sweep) : end_pass(sweep);
	if (sweep->line >= sweep->view->instance.tag_lines)
		return LZ_SWEEP_WAIT;
	return begin_slice(sweep);
}

int lz_sweep_pass(struct lz_sweep *sweep)
{
	int r;

	do {
		r = lz_sweep_step(sweep);
		if (r == LZ_SWEEP_WAIT)
			lz_sweep_wait(sweep);
	} while (r == LZ_SWEEP_MORE || r == LZ_SWEEP_WAIT);
	return r;
}
