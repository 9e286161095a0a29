/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tables.h - the shared tables as the controller sees them: holds, cells, counters, exceptions.
 *
 * Needs map descriptors, no privilege. Cells and tags are plain memory here, shared with the data
 * plane; whoever writes them uses the compare-and-swaps of search.h.
 *
 * Concurrency: one thread of one process makes the calls that change a view (lz_hold_*,
 * lz_exception_*, lz_sweep_*); packets may do what they like meanwhile. Reading is free for all.
 */
#ifndef LZ_DATAPATH_TABLES_H
#define LZ_DATAPATH_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "datapath/maps.h"

struct lz_tables_view {
	struct lz_instance instance;
	struct lz_tag_line *tags;   /* instance.tag_lines */
	struct lz_cell *cells;	    /* 64 * tag_lines */
	struct lz_cold *cold;	    /* as many: the other half of each */
	struct lz_block_line *blocks; /* lz_block_lines_all(tag_lines) */
	struct lz_held_line *held;  /* 2 * instance.held_lines */
	struct lz_control *control;
	struct lz_tables *tables;
	const __u32 *ports;	    /* LZ_PORTS_SIZE */
	struct lz_map_fds fds;	    /* borrowed */
	void *percpu;		    /* room for one row of every possible CPU */
	unsigned int cpus;	    /* possible */
	__u32 slots;
	bool held_stale;	    /* some bit in held stands for nobody */
	__u32 exceptions;	    /* in force or expired, not yet deleted */
	__u32 exception_count[65];  /* by length */
};

/**
 * lz_tables_open() - map everything
 * @fds: stay the caller's and must stay open
 *
 * Recounts the exceptions, so it repairs what a daemon killed in the middle left. 0 or -errno.
 */
int lz_tables_open(const struct lz_map_fds *fds, const struct lz_instance *instance,
		   struct lz_tables_view *ret, struct lz_err *reterr);
void lz_tables_close(struct lz_tables_view *view);

/**
 * lz_tables_now_ns() - the data plane's clock
 *
 * CLOCK_MONOTONIC_COARSE, not CLOCK_MONOTONIC: a hold written with a clock that runs even a tick
 * ahead of the packets' would have more time left than it was granted, and be refused by them.
 */
__u64 lz_tables_now_ns(const struct lz_tables_view *view);
__u32 lz_tables_now_s(const struct lz_tables_view *view);

/* ---------------------------------------------------------------- holds */

enum lz_hold_result {
	LZ_HOLD_NEW,	  /* was not held */
	LZ_HOLD_EXTENDED, /* was held, now for longer */
	LZ_HOLD_STOOD,	  /* what stood is as long or longer: unchanged */
	LZ_HOLD_SHORTENED, /* only with LZ_HOLD_SET_EXACT */
};

enum lz_hold_set_flags {
	LZ_HOLD_SET_EXACT = 1, /* operator: shorten too, and change the garden */
};

/**
 * lz_hold_is_active() - does the data plane obey this word at now_s? The same rule as bpf/cell.h.
 */
bool lz_hold_is_active(__u64 word, __u32 now_s);

/** lz_hold_lingers() - ended less than LZ_RELEASED_S ago: the portal may still have flows of it */
bool lz_hold_lingers(__u64 word, __u32 now_s);

/**
 * lz_hold_set() - hold a source, or extend its hold
 * @word: LZ_HOLD_WORD(now + remaining, granted, garden, flags); must be active at the view's now
 * @ret_word: what stands now, read back; may be NULL
 *
 * Return: enum lz_hold_result; -EINVAL a word the data plane would refuse, or an aggregate's key;
 *         -ENOSPC no cell (table over its capacity); -EIO read back differs.
 */
int lz_hold_set(struct lz_tables_view *view, __u64 key, __u64 word, unsigned int flags,
		__u64 *ret_word);

/** lz_hold_read() - the word in force; -ENOENT: not held now */
int lz_hold_read(const struct lz_tables_view *view, __u64 key, __u64 *ret_word);

/**
 * lz_hold_release() - end a hold at once; @ret_old may be NULL
 *
 * The word stays with now as its expiry, and is cleared by the sweep once it no longer lingers.
 * Return: 0; -ENOENT: was not held.
 */
int lz_hold_release(struct lz_tables_view *view, __u64 key, __u64 *ret_old);

/**
 * lz_hold_acknowledge() - the ledger now knows a hold that a limit made: clear LZ_HOLD_F_KERNEL
 * @word: as seen; -EAGAIN if another stands there now
 */
int lz_hold_acknowledge(struct lz_tables_view *view, __u64 key, __u64 word);

struct lz_hold_entry {
	__u64 key;
	__u64 word;
	int result; /* of lz_hold_set() */
};

/**
 * lz_hold_set_bulk() - many holds: import, restore at boot
 *
 * The same as lz_hold_set() for each, without reading back; entries of one key in their order.
 * Return: entries now held (result >= 0).
 */
size_t lz_hold_set_bulk(struct lz_tables_view *view, struct lz_hold_entry *entries, size_t n,
			unsigned int flags);

/**
 * lz_hold_merge() - of two holds of one source: the later end, the harder grade, the flags of both
 * @control: of the tables that both are in, for the rows of their grades
 *
 * The same order as lz_grade_harder() of the colony, which has names where there are rows here: strict, other
 * gardens, block25, throttled; of two rates the lower one. Where neither is more, @b's.
 */
__u64 lz_hold_merge(const struct lz_control *control, __u64 a, __u64 b);

/** lz_hold_beside_fn - what is to stand where @word is wanted and a limit has made @stands, which is in force */
typedef __u64 lz_hold_beside_fn(void *arg, __u64 stands, __u64 word);

/**
 * lz_hold_set_beside() - lz_hold_set_bulk() with LZ_HOLD_SET_EXACT, but for the holds of limits
 * @beside: asked where the ledger does not know yet what stands (LZ_HOLD_F_KERNEL), again if that changes
 *          before its answer is written; what it says must be active
 *
 * Return: entries now held.
 */
size_t lz_hold_set_beside(struct lz_tables_view *view, struct lz_hold_entry *entries, size_t n,
			  lz_hold_beside_fn *beside, void *arg);

/* ---------------------------------------------------------------- cells */

/* What a cell says at an instant, both halves put together: see struct lz_cell and struct lz_cold. */
struct lz_cell_copy {
	__u64 key;
	__u64 hold;
	__u32 syn, smtp_connections, others, dropped, would_drop; /* packets */
	__u32 seen_s; /* the data plane's clock, cut to LZ_SEEN_UNIT_S; 0 = never, or more than 45 days ago */
	__u64 state[LZ_CELL_WORDS];
	__u64 dests[4];
};

/** lz_cell_read() - copy of the cell in a slot, whosever it is; it may change meanwhile
 * @now_s: lz_tables_now_s(), once for many */
void lz_cell_read(const struct lz_tables_view *view, __u32 slot, __u32 now_s, struct lz_cell_copy *ret);

/** lz_cell_get() - copy of a source's cell; -ENOENT: never seen, or reclaimed */
int lz_cell_get(const struct lz_tables_view *view, __u64 key, struct lz_cell_copy *ret);

/** lz_cell_dropped() - packets refused or dropped, of the cell in a slot. An instant after its lower bits have
 * wrapped it may say 65,536 too few; what was examined, 256. */
__u32 lz_cell_dropped(const struct lz_tables_view *view, __u32 slot);

/** lz_cell_seen_s() - lz_cell.seen as seconds of the data plane's clock, cut to LZ_SEEN_UNIT_S; 0 = never */
__u32 lz_cell_seen_s(const struct lz_cell *cell, __u32 now_s);

/** lz_cell_is_recent() - was it seen in the last @within_s seconds? Up to LZ_SEEN_UNIT_S longer: to the end of that unit */
bool lz_cell_is_recent(const struct lz_cell *cell, __u32 within_s, __u32 now_s);

/**
 * lz_cell_is_active() - has the source in a slot sent anything in the last @within_s seconds?
 *
 * "Seen" alone does not say so: lz_cell_ask() of bpf/cell.h may leave it where a source lives that has never sent,
 * because it is held with its customer or by a list. Of such a one packets that were refused count.
 */
bool lz_cell_is_active(const struct lz_tables_view *view, __u32 slot, __u32 within_s, __u32 now_s);

/* Packets of a source that reached class rules. */
static inline __u32 lz_cell_examined(const struct lz_cell_copy *cell)
{
	return cell->syn + cell->others;
}

static inline __u64 lz_cell_key(const struct lz_cell *cell)
{
	return ~cell->key;
}

/** lz_key_aggregate() - key of the cell for a covering prefix or customer, see lz_aggregate_key() */
__u64 lz_key_aggregate(const struct lz_instance *instance, __u64 what, __u64 number);

/** lz_cell_destinations() - distinct port-25 destinations, estimated: see bpf/limit.h
 * @slot_ns: dests_slot_ns of the source's class; 0 = the class counts none */
__u32 lz_cell_destinations(const struct lz_cell_copy *cell, __u64 slot_ns, __u64 now_ns);

/** lz_cell_limit_value() - what a limit has counted in its cell now: units in the window, tokens in
 * use, or destinations */
__u32 lz_cell_limit_value(const struct lz_cell_copy *cell, const struct lz_limit *limit, __u64 now_ns);

/**
 * lz_cells_each() - every source's cell, in no order; aggregates are left out
 * @visit: gets the cell's slot. Non-zero ends the walk.
 *
 * Return: what @visit returned last, or 0. A million cells: see p_table (tens of ms).
 */
int lz_cells_each(const struct lz_tables_view *view,
		  int (*visit)(void *arg, __u64 key, __u32 slot), void *arg);

/** lz_holds_each() - only cells whose tag says "held" and whose word is in force; looks at no other */
int lz_holds_each(const struct lz_tables_view *view, __u32 now_s,
		  int (*visit)(void *arg, __u64 key, __u64 word), void *arg);

/** lz_holds_count() - how many are in force */
__u64 lz_holds_count(const struct lz_tables_view *view, __u32 now_s);

enum lz_cell_sort {
	LZ_SORT_EXAMINED,
	LZ_SORT_SYN,
	LZ_SORT_SMTP_CONNECTIONS,
	LZ_SORT_DROPPED,
	LZ_SORT_WOULD_DROP,
	LZ_SORT_SEEN,
	LZ_SORT_N,
};

/**
 * lz_cells_top() - the @max cells with the largest value, largest first; ties by key
 * @ret:       room for @max
 * @ret_total: sources in the table; may be NULL
 *
 * Return: how many.
 */
size_t lz_cells_top(const struct lz_tables_view *view, enum lz_cell_sort sort, size_t max,
		    struct lz_cell_copy *ret, size_t *ret_total);

/* ---------------------------------------------------------------- counters */

/* Sums over all possible CPUs. A row another CPU is writing may be one packet old. */
int lz_port_stats_read(const struct lz_tables_view *view, __u32 row, struct lz_port_stats *ret);
int lz_class_stats_read(const struct lz_tables_view *view, __u32 class_, struct lz_class_stats *ret);
int lz_limit_stats_read(const struct lz_tables_view *view, __u32 id, struct lz_limit_stats *ret);
/** lz_class_stats_clear(), lz_limit_stats_clear() - from nothing; no packet may use the row just then. 0 or -errno */
int lz_class_stats_clear(const struct lz_tables_view *view, __u32 class_);
int lz_limit_stats_clear(const struct lz_tables_view *view, __u32 id);

/* ---------------------------------------------------------------- exceptions */

/** lz_exception_add() - or replace; -E2BIG when the table (65,536) is full */
int lz_exception_add(struct lz_tables_view *view, const struct lz_prefix_key *prefix,
		     const struct lz_exception *exception);
/** lz_exception_del() - -ENOENT if there is none of exactly this prefix */
int lz_exception_del(struct lz_tables_view *view, const struct lz_prefix_key *prefix);
int lz_exception_read(const struct lz_tables_view *view, const struct lz_prefix_key *prefix,
		      struct lz_exception *ret);
/** lz_exceptions_recount() - lens and counts, here and in lz_control, from the map itself: another process wrote */
int lz_exceptions_recount(struct lz_tables_view *view);
/** lz_exceptions_each() - non-zero from @visit ends the walk and is returned */
int lz_exceptions_each(const struct lz_tables_view *view,
		       int (*visit)(void *arg, const struct lz_prefix_key *prefix,
				    const struct lz_exception *exception),
		       void *arg);

#endif
