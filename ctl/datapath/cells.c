/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cells.c - read the cells: one, all, the largest.
 *
 * A walk goes by tag words: eight slots in one look, so an empty part of the table costs its tags
 * only, and a full one is read in the order of memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/limit.h"
#include "datapath/search_view.h"
#include "datapath/tables.h"

#define SEEN_AHEAD 0xff00 /* "so long ago" is: in the next unit; the sweep forgets what is that old */

__u64 lz_key_aggregate(const struct lz_instance *instance, __u64 what, __u64 number)
{
	return lz_aggregate_key(what, number, instance);
}

__u32 lz_cell_dropped(const struct lz_tables_view *view, __u32 slot)
{
	__u32 wraps = *(const volatile __u16 *)&view->cold[slot].dropped_65536s;

	return wraps << 16 | *(const volatile __u16 *)&view->cells[slot].dropped;
}

static __u32 others_of(const struct lz_tables_view *view, __u32 slot)
{
	__u32 wraps = *(const volatile __u32 *)&view->cold[slot].others_256s;

	return wraps << 8 | *(const volatile __u8 *)&view->cells[slot].others;
}

__u32 lz_cell_seen_s(const struct lz_cell *cell, __u32 now_s)
{
	__u32 unit = now_s >> LZ_SEEN_SHIFT;
	__u16 seen = *(const volatile __u16 *)&cell->seen, ago = unit - seen;

	if (!seen)
		return 0;
	/* Unit 0 is kept as 1; and the packet's clock may be a tick ahead. */
	if (ago > unit || ago > SEEN_AHEAD)
		ago = 0;
	return (unit - ago) << LZ_SEEN_SHIFT ?: 1;
}

bool lz_cell_is_recent(const struct lz_cell *cell, __u32 within_s, __u32 now_s)
{
	__u32 seen_s = lz_cell_seen_s(cell, now_s);

	return seen_s && now_s - seen_s < within_s + LZ_SEEN_UNIT_S;
}

bool lz_cell_is_active(const struct lz_tables_view *view, __u32 slot, __u32 within_s, __u32 now_s)
{
	const struct lz_cell *cell = &view->cells[slot];

	return lz_cell_is_recent(cell, within_s, now_s) &&
	       (*(const volatile __u32 *)&cell->syn || others_of(view, slot) || lz_cell_dropped(view, slot));
}

void lz_cell_read(const struct lz_tables_view *view, __u32 slot, __u32 now_s, struct lz_cell_copy *ret)
{
	const struct lz_cell *cell = &view->cells[slot];
	const struct lz_cold *cold = &view->cold[slot];

	*ret = (struct lz_cell_copy){
		.key = lz_cell_key(cell),
		.hold = cell->hold,
		.syn = cell->syn,
		.smtp_connections = cell->smtp_connections,
		.others = others_of(view, slot),
		.dropped = lz_cell_dropped(view, slot),
		.would_drop = cold->would_drop,
		.seen_s = lz_cell_seen_s(cell, now_s),
	};
	memcpy(ret->state, cell->state, sizeof(cell->state));
	memcpy(ret->state + LZ_CELL_NEAR_WORDS, cold->state, sizeof(cold->state));
	memcpy(ret->dests, cold->dests, sizeof(cold->dests));
}

int lz_cell_get(const struct lz_tables_view *view, __u64 key, struct lz_cell_copy *ret)
{
	int slot = lz_view_find(view, key);

	if (slot < 0)
		return -ENOENT;
	lz_cell_read(view, (__u32)slot, lz_tables_now_s(view), ret);
	return 0;
}

__u32 lz_cell_destinations(const struct lz_cell_copy *cell, __u64 slot_ns, __u64 now_ns)
{
	return slot_ns ? lz_dests_estimate(cell->dests, now_ns / slot_ns) : 0;
}

__u32 lz_cell_limit_value(const struct lz_cell_copy *cell, const struct lz_limit *limit, __u64 now_ns)
{
	/* What somebody is held for are his handshakes. */
	const __u64 *state = &cell->state[limit->word + !!(limit->flags & LZ_LIMIT_F_PROOF)];

	if (!limit->slot_ns)
		return 0;
	if (limit->kind == LZ_LIMIT_WINDOW)
		return lz_window_value(state, limit, now_ns);
	if (limit->kind == LZ_LIMIT_BUCKET)
		return lz_bucket_value(state, limit, now_ns);
	return lz_cell_destinations(cell, limit->slot_ns, now_ns);
}

/* Bit 7 of each byte of a tag word that is a live tag (2..127, held or not). */
static __u64 live_tags(__u64 word)
{
	return ~lz_zero_bytes(word & LZ_BYTES_7F & ~LZ_BYTES_01) & LZ_BYTES_80;
}

static int visit_word(const struct lz_tables_view *view, __u32 base, __u64 tags,
		      int (*visit)(void *arg, __u64 key, __u32 slot), void *arg)
{
	int r = 0;

	for (; tags && !r; tags &= tags - 1) {
		__u32 slot = base + lz_first_byte(tags);
		__u64 stored = *(const volatile __u64 *)&view->cells[slot].key;

		if (stored && !lz_key_is_aggregate(~stored))
			r = visit(arg, ~stored, slot);
	}
	return r;
}

int lz_cells_each(const struct lz_tables_view *view,
		  int (*visit)(void *arg, __u64 key, __u32 slot), void *arg)
{
	const __u64 *words = view->tags[0].word;
	__u32 n = view->instance.tag_lines * LZ_TAG_LINE_WORDS;
	int r = 0;

	for (__u32 w = 0; w < n && !r; w++)
		r = visit_word(view, w * 8, live_tags(*(const volatile __u64 *)&words[w]), visit, arg);
	return r;
}

struct hold_walk {
	const struct lz_tables_view *view;
	__u32 now_s;
	int (*visit)(void *arg, __u64 key, __u64 word);
	void *arg;
};

static int visit_hold(void *arg, __u64 key, __u32 slot)
{
	const struct hold_walk *walk = arg;
	__u64 word = *(const volatile __u64 *)&walk->view->cells[slot].hold;

	return lz_hold_is_active(word, walk->now_s) ? walk->visit(walk->arg, key, word) : 0;
}

int lz_holds_each(const struct lz_tables_view *view, __u32 now_s,
		  int (*visit)(void *arg, __u64 key, __u64 word), void *arg)
{
	struct hold_walk walk = { view, now_s, visit, arg };
	const __u64 *words = view->tags[0].word;
	__u32 n = view->instance.tag_lines * LZ_TAG_LINE_WORDS;
	int r = 0;

	for (__u32 w = 0; w < n && !r; w++) {
		__u64 word = *(const volatile __u64 *)&words[w];

		r = visit_word(view, w * 8, live_tags(word) & word, visit_hold, &walk);
	}
	return r;
}

static int count_hold(void *arg, __u64 key, __u64 word)
{
	(void)key;
	(void)word;
	++*(__u64 *)arg;
	return 0;
}

__u64 lz_holds_count(const struct lz_tables_view *view, __u32 now_s)
{
	__u64 n = 0;

	lz_holds_each(view, now_s, count_hold, &n);
	return n;
}

/* ---------------------------------------------------------------- the largest */

struct top {
	const struct lz_tables_view *view;
	struct lz_cell_copy *heap; /* the smallest kept is heap[0] */
	enum lz_cell_sort sort;
	__u32 now_s;
	size_t n, max, total;
};

static __u32 value_of(enum lz_cell_sort sort, const struct lz_cell_copy *cell)
{
	switch (sort) {
	case LZ_SORT_SYN:
		return cell->syn;
	case LZ_SORT_SMTP_CONNECTIONS:
		return cell->smtp_connections;
	case LZ_SORT_DROPPED:
		return cell->dropped;
	case LZ_SORT_WOULD_DROP:
		return cell->would_drop;
	case LZ_SORT_SEEN:
		return cell->seen_s;
	default:
		return lz_cell_examined(cell);
	}
}

/* The same of a cell where it lies: nearly all are left out by it, half of them by half of the cell. */
static __u32 value_at(const struct top *t, __u32 slot)
{
	const struct lz_cell *cell = &t->view->cells[slot];

	switch (t->sort) {
	case LZ_SORT_SYN:
		return cell->syn;
	case LZ_SORT_SMTP_CONNECTIONS:
		return cell->smtp_connections;
	case LZ_SORT_DROPPED:
		return lz_cell_dropped(t->view, slot);
	case LZ_SORT_WOULD_DROP:
		return t->view->cold[slot].would_drop;
	case LZ_SORT_SEEN:
		return lz_cell_seen_s(cell, t->now_s);
	default:
		return cell->syn + others_of(t->view, slot);
	}
}

/* Does a come before b in the answer? */
static bool is_before(enum lz_cell_sort sort, const struct lz_cell_copy *a,
		      const struct lz_cell_copy *b)
{
	__u32 x = value_of(sort, a), y = value_of(sort, b);

	return x != y ? x > y : a->key < b->key;
}

static void sift_down(const struct top *t, size_t at)
{
	for (;;) {
		size_t last = at, child = 2 * at + 1;
		struct lz_cell_copy swap;

		for (size_t c = child; c < child + 2 && c < t->n; c++)
			if (is_before(t->sort, &t->heap[last], &t->heap[c]))
				last = c;
		if (last == at)
			return;
		swap = t->heap[at];
		t->heap[at] = t->heap[last];
		t->heap[last] = swap;
		at = last;
	}
}

static int offer(void *arg, __u64 key, __u32 slot)
{
	struct top *t = arg;
	struct lz_cell_copy copy;
	__u32 value, least;

	t->total++;
	if (!t->max)
		return 0;
	if (t->n == t->max) { /* many are alike: only who is kept is copied, which takes both halves */
		value = value_at(t, slot);
		least = value_of(t->sort, &t->heap[0]);
		if (value < least || (value == least && key > t->heap[0].key))
			return 0;
	}
	lz_cell_read(t->view, slot, t->now_s, &copy);
	copy.key = key;
	if (t->n < t->max) {
		t->heap[t->n++] = copy;
		if (t->n == t->max)
			for (size_t i = t->n / 2; i-- > 0;)
				sift_down(t, i);
	} else if (is_before(t->sort, &copy, &t->heap[0])) {
		t->heap[0] = copy;
		sift_down(t, 0);
	}
	return 0;
}

size_t lz_cells_top(const struct lz_tables_view *view, enum lz_cell_sort sort, size_t max,
		    struct lz_cell_copy *ret, size_t *ret_total)
{
	struct top t = { .view = view, .heap = ret, .sort = sort, .now_s = lz_tables_now_s(view), .max = max };
	size_t found;

	lz_cells_each(view, offer, &t);
	found = t.n;
	for (size_t i = t.n / 2; i-- > 0;)
		sift_down(&t, i);
	while (t.n > 1) { /* heap sort: the last goes to the end */
		struct lz_cell_copy swap = ret[0];

		ret[0] = ret[--t.n];
		ret[t.n] = swap;
		sift_down(&t, 0);
	}
	if (ret_total)
		*ret_total = t.total;
	return found;
}
