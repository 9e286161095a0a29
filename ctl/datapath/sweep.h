/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sweep.h - give idle cells back, a slice at a time, while packets use the table.
 *
 *   live tag -> DYING -> membarrier -> look again -> cell cleared -> RECLAIMED
 *
 * A held cell is never taken; if a packet's limit held it meanwhile, the hold moves to the key's new
 * cell first. At the end of a pass: words of RECLAIMED tags that no search needs to go past become
 * FREE, lz_tables.cells_used and the children counted below each IPv6 /48 are counted afresh, and the
 * bits of holds that have ended are forgotten.
 */
#ifndef LZ_DATAPATH_SWEEP_H
#define LZ_DATAPATH_SWEEP_H

#include "datapath/tables.h"

struct lz_sweep_config {
	__u32 idle_s;	   /* cells seen longer ago than this are reclaimed */
	__u32 slice_lines; /* tag lines a step; 64 lines are 4,096 slots, about 1 ms if all are in use */
	/* A hold with LZ_HOLD_F_KERNEL: the ledger may not know it. May be NULL. */
	void (*on_kernel_hold)(void *arg, __u64 key, __u64 word);
	/* Each source with a cell, once a pass. May be NULL. */
	void (*on_source)(void *arg, __u64 key, __u32 slot);
	void *arg;
};

struct lz_sweep_totals {
	__u64 passes;
	__u64 reclaimed;
	__u64 orphans;	     /* second cells of a key, of those */
	__u64 holds_expired; /* hold words cleared after their time */
	__u64 holds_moved;   /* cells that were held while they were being reclaimed */
	__u64 tags_freed;
};

struct lz_sweep;

int lz_sweep_new(struct lz_tables_view *view, const struct lz_sweep_config *config,
		 struct lz_sweep **ret);
void lz_sweep_free(struct lz_sweep **sweep);

/** lz_sweep_idle_set() - another policy, another idle time */
void lz_sweep_idle_set(struct lz_sweep *sweep, __u32 idle_s);

enum lz_sweep_step {
	LZ_SWEEP_MORE, /* call again */
	LZ_SWEEP_WAIT, /* lz_sweep_wait() first, then call again */
	LZ_SWEEP_DONE, /* that was the end of a pass */
};

/**
 * lz_sweep_step() - one slice: look at it, or take back what the last one marked
 * Return: enum lz_sweep_step; -errno of membarrier or -ENOMEM: this slice, or the end of the pass, failed.
 */
int lz_sweep_step(struct lz_sweep *sweep);

/**
 * lz_sweep_wait() - what takes long after LZ_SWEEP_WAIT
 *
 * An RCU grace period (some ms) where a slice has marked something, and at the end of a pass the count
 * of the whole table (80 ms for a million cells). Any thread may do it, while others do what they like
 * with the view but call nothing of @sweep: what they make or change then is like what packets do.
 */
void lz_sweep_wait(struct lz_sweep *sweep);

/** lz_sweep_pass() - steps, and waits between them, until the end of a pass */
int lz_sweep_pass(struct lz_sweep *sweep);

void lz_sweep_totals_get(const struct lz_sweep *sweep, struct lz_sweep_totals *ret);

#endif
