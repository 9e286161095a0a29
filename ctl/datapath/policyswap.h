/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * policyswap.h - put a compiled policy into the idle generation slot and switch to it with one store.
 *
 *   begin    which slot is idle? none while a confirm is pending
 *   fill     inner maps (made by the keeper), still unseen by packets
 *   publish  inner maps into the outer ones, struct lz_generation, membarrier, gen_word
 *   confirm | undo | (deadline passes: the data plane has gone back by itself) settle
 */
#ifndef LZ_DATAPATH_POLICYSWAP_H
#define LZ_DATAPATH_POLICYSWAP_H

#include "datapath/tables.h"
#include "policy/image.h"
#include "policy/stores.h"

struct lz_swap_state {
	__u64 number;	   /* of the generation that judges now; 0 = none */
	__u64 previous;	   /* what undo or the deadline goes back to; 0 = pass all */
	__u32 policy;	   /* fingerprint of the one that judges; a number alone may be another ledger's */
	__u32 previous_policy;
	__u32 slot;	   /* active slot, or LZ_GEN_NONE */
	__u32 deadline_s;  /* CLOCK_MONOTONIC; 0 = confirmed */
	bool pending;	   /* a confirm is awaited */
	bool expired;	   /* the deadline passed: the data plane went back; call lz_swap_settle() */
};

/** lz_swap_state_get() - as the data plane sees it at this instant */
void lz_swap_state_get(const struct lz_tables_view *view, struct lz_swap_state *ret);

/* Cells the data plane may make below one IPv6 /48: a sixteenth of the sources, so that one customer
 * who owns a /48 does not fill the table, yet never fewer than a small site uses. */
#define LZ_V6_BUDGET_SHARE 16
#define LZ_V6_BUDGET_MIN   256

/** lz_swap_highest() - number, of all generations that are or were in force; 0 = there was none */
__u64 lz_swap_highest(const struct lz_tables_view *view);

/** lz_swap_sizes() - the inner maps this policy needs */
void lz_swap_sizes(const struct lz_image *image, struct lz_inner_sizes *ret);

/**
 * lz_swap_idle_slot() - the slot the next policy goes into; the keeper sets roles for it
 * Return: 0 or 1; -EBUSY while a confirm is pending. Settles an expired one first.
 */
int lz_swap_idle_slot(struct lz_tables_view *view);

/** lz_swap_fill() - write the inner maps; 0 or -errno with @reterr set */
int lz_swap_fill(const struct lz_image *image, const struct lz_inner_fds *fds,
		 struct lz_err *reterr);

/**
 * lz_swap_publish() - from the next packet on this policy judges
 * @image:     gen.policy is its fingerprint, see lz_image_fingerprint()
 * @number:    > 0, larger than every one before
 * @confirm_s: 0: at once for good; else seconds until the data plane goes back by itself
 *
 * Return: 0; -EBUSY while a confirm is pending; else -errno, and the old policy still judges.
 */
int lz_swap_publish(struct lz_tables_view *view, const struct lz_image *image,
		    const struct lz_inner_fds *fds, __u64 number, __u32 confirm_s,
		    struct lz_err *reterr);

/**
 * lz_swap_live_map() - the ranges of a generation as packets read them, to be changed in place
 * @slot: that the generation is, or will be, published in
 * @fds:  of the maps that @image was filled into; may be closed afterwards
 * Return: 0 or -errno with @reterr set.
 */
int lz_swap_live_map(struct lz_tables_view *view, __u32 slot, const struct lz_image *image,
		     const struct lz_inner_fds *fds, struct lz_live_tables *ret, struct lz_err *reterr);

/** lz_swap_live_unmap() - @image: the one they were mapped for; nothing mapped is fine */
void lz_swap_live_unmap(const struct lz_image *image, struct lz_live_tables *live);

/**
 * lz_swap_renumber() - the generation that judges was changed in place and is another one now
 * @policy: its fingerprint
 * Call it when the stores are done: who reads the new number sees them, and asks the tables again for
 * what he remembers of look-ups. -EBUSY while pending; -errno of membarrier.
 */
int lz_swap_renumber(struct lz_tables_view *view, __u64 number, __u32 policy);

/** lz_swap_confirm() - 0; -ENOENT nothing pending; -ETIMEDOUT the deadline has passed */
int lz_swap_confirm(struct lz_tables_view *view);

/** lz_swap_undo() - back to the previous one; 0; -ENOENT nothing pending */
int lz_swap_undo(struct lz_tables_view *view);

/**
 * lz_swap_end_trial() - nobody here knows the policy that awaits its confirm: make room for another one
 * Back to the previous one; with none the trial judges on until then, for who is held would go free.
 */
void lz_swap_end_trial(struct lz_tables_view *view);

/** lz_swap_settle() - after a deadline: make the fallback the word; 1 if there was one, else 0 */
int lz_swap_settle(struct lz_tables_view *view);

#endif
