/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * running.h - policies: compiled, put into force, changed in place, read back from the ledger.
 */
#ifndef LZ_CONTROL_RUNNING_H
#define LZ_CONTROL_RUNNING_H

#include "control/ctl.h"
#include "policy/edit.h"

#define LZ_TEXTS_KEPT 10 /* one is 8 MB with 500,000 prefixes */

/** lz_running_keep_turn() - what a keeper that hung was not told: which generation's hooks stay */
void lz_running_keep_turn(struct lz_ctl *ctl);

/** lz_running_compile() - takes @policy in every case; @previous: for stable ids, may be NULL */
int lz_running_compile(struct lz_ctl *ctl, struct lz_policy *policy, const struct lz_image *previous,
		       struct lz_running *ret, struct lz_err *reterr);
/** lz_running_prepare() - an instance that fits the policy, and its image; takes @policy in every case */
int lz_running_prepare(struct lz_ctl *ctl, struct lz_policy *policy, const struct lz_image *previous,
		       struct lz_running *ret, struct lz_err *reterr);
void lz_running_done(struct lz_running *running);

/**
 * lz_running_apply() - write down, plan, fill, switch; @next is taken in every case
 * @confirm_s:  0: for good
 * @plan_flags: LZ_PLAN_F_*
 *
 * Return: 0; -errno with @reterr set, then everything is as it was.
 */
int lz_running_apply(struct lz_ctl *ctl, struct lz_running *next, __u32 confirm_s, __u32 plan_flags,
		     struct lz_err *reterr);

/** lz_running_too_late() - has the deadline only just passed, and is nothing else in force since? Then who says confirm
 *  or undo means what is no more: -EBUSY with @reterr set; else 0 */
int lz_running_too_late(const struct lz_ctl *ctl, struct lz_err *reterr);
/** lz_running_is() - is @wanted the generation in force? 0: whichever is; -EBUSY with @reterr set if not */
int lz_running_is(const struct lz_ctl *ctl, __u64 wanted, struct lz_err *reterr);
/**
 * lz_running_confirm() - in the ledger, then in the kernel
 * @wanted: the generation that is meant; 0: the one that waits
 *
 * Return: 0; -ENOENT: nothing waits; else -errno; with @reterr set, and the deadline stands.
 */
int lz_running_confirm(struct lz_ctl *ctl, __u64 wanted, struct lz_err *reterr);

/**
 * lz_running_back() - while pending: to the previous one; @expired: the data plane did it already
 *
 * A full disk is no reason to stay: after a reboot what waits for a confirm is not there either.
 */
int lz_running_back(struct lz_ctl *ctl, bool expired, const char *actor, struct lz_err *reterr);

/** lz_running_became() - what became of a policy, on record now or as soon as the ledger takes it */
void lz_running_became(struct lz_ctl *ctl, __u64 generation, const char *state);
/**
 * lz_running_look() - has the deadline passed, and the data plane gone back? So do we
 * Asked every 250 ms, and before commands that may have to wait (lz_ctl_wait()): who changes something in between
 * would act on a policy that is none any more. status, why and show do not wait. Not while an import has the ledger.
 */
void lz_running_look(struct lz_ctl *ctl);
/** lz_running_owed() - what it did not take so far */
void lz_running_owed(struct lz_ctl *ctl);

/**
 * lz_running_change() - one prefix more or less, in the tables that judge now
 *
 * In the ledger first, then in the kernel: a crash between the two is made good at the next start.
 * @what: stands in log and history where else the policy's file stands
 * Return: 0; -EOPNOTSUPP: apply the changed policy as a whole; else -errno with @reterr set, and
 *         everything is as it was.
 */
int lz_running_change(struct lz_ctl *ctl, const struct lz_edit *edit, const char *actor,
		      const char *what, struct lz_err *reterr);

/** lz_running_sign() - its fingerprint, by which a start knows it again; @text_hash: see struct lz_running */
void lz_running_sign(struct lz_running *running, __u64 text_hash);

/** lz_running_judges() - is what judges what ctl->now is? */
bool lz_running_judges(const struct lz_ctl *ctl, const struct lz_swap_state *state);

/* What is kept with a policy. */
struct lz_written {
	char *ids; /* heap */
	unsigned int changes; /* range changes since it was written down whole */
	__u64 text_hash; /* see struct lz_running */
};

/**
 * lz_running_read() - a policy as it was written down: a text, or changes of one
 * @ret_written: may be NULL
 * Return: 0 with *ret and what is in *ret_written on the heap; -ENOENT: never written down, or not kept; else -errno;
 *         with @reterr set.
 */
int lz_running_read(struct lz_ctl *ctl, __u64 generation, struct lz_applied *ret_row,
		    struct lz_policy **ret, struct lz_written *ret_written, struct lz_err *reterr);

/**
 * lz_texts_forget() - of all policies in the ledger only some keep their texts: what judges or waits, and
 * the last LZ_TEXTS_KEPT that undo leads back to, each with what it is a change of
 */
void lz_texts_forget(struct lz_ctl *ctl);
/** lz_texts_gone() - sets @reterr for a generation without one; -ENOENT */
int lz_texts_gone(__u64 generation, struct lz_err *reterr);

#endif /* LZ_CONTROL_RUNNING_H */
