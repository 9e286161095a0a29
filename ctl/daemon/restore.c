// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * restore.c - at the start: adopt the generation that judges, or restore what was confirmed last.
 *
 *   kernel has generation N, and so has the ledger     adopt: nothing is written, packets see nothing
 *   ledger has no N, not its text any more, or         last confirmed; it judges until then: another
 *   another policy by that number                      ledger was put in this one's place
 *   ledger confirmed a range change N + 1 of it        adopt N, then apply N + 1
 *   kernel has none (reboot, detach)                   holds first, then the last confirmed policy
 *   ledger has none either                             --policy FILE, if one was given
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "cases/case.h"
#include "control/ask.h"
#include "control/ctl.h"
#include "control/exception.h"
#include "control/hold.h"
#include "control/running.h"
#include "daemon/modes.h"
#include "privsep/chan.h"

/* A policy of the ledger, parsed and compiled. */
static int load(struct lz_ctl *ctl, __u64 generation, struct lz_running *ret, struct lz_err *reterr)
{
	struct lz_policy *policy = NULL;
	struct lz_written written = { 0 };
	struct lz_image *previous = NULL;
	struct lz_applied row;
	int r;

	r = lz_running_read(ctl, generation, &row, &policy, &written, reterr);
	if (r < 0)
		return r;
	/* Against its own ids the same text compiles to the very image that the kernel has; but where
	 * extents lie may differ, after range changes in place. */
	r = lz_image_ids_parse(written.ids, strlen(written.ids), &previous, reterr);
	free(written.ids);
	if (r < 0) {
		lz_policy_free(&policy);
		return r;
	}
	r = lz_running_prepare(ctl, policy, previous, ret, reterr);
	lz_image_free(&previous);
	if (r == 0) {
		ret->row = row;
		ret->changes = written.changes;
		lz_running_sign(ret, written.text_hash);
	}
	return r;
}

/* Which policy tells how large the instance is? Any that was in force lately. */
static int newest(struct lz_ctl *ctl, __u64 *ret)
{
	static const char *const states[] = { LZ_STATE_CONFIRMED, LZ_STATE_PENDING,
					      LZ_STATE_APPLYING };
	struct lz_applied row;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(states); i++)
		if (lz_applied_last(ctl->ledger, states[i], UINT64_MAX, &row) == 0) {
			*ret = row.generation;
			return 0;
		}
	return -ENOENT;
}

/* What the kernel judges by, and goes back to, as this ledger has it. */
struct judging {
	struct lz_running now, before;
};

static void judging_done(struct judging *j)
{
	lz_running_done(&j->now);
	lz_running_done(&j->before);
}

static int load_same(struct lz_ctl *ctl, __u64 generation, __u32 fingerprint, struct lz_running *ret,
		     struct lz_err *reterr)
{
	int r = load(ctl, generation, ret, reterr);

	if (r < 0 || ret->image->gen.policy == fingerprint)
		return r;
	lz_running_done(ret);
	return lz_err_set(reterr, ESTALE, "policy: generation %llu: this ledger has another one by that number",
			  (unsigned long long)generation);
}

/* 1: it is all in the ledger, in @ret; 0: nothing judges, or by what another ledger has said, which is not to be kept.
 * A trial and what it would go back to are of one ledger, or neither is kept: who looks sees one or the other. */
static int recognise(struct lz_ctl *ctl, const struct lz_swap_state *state, struct judging *ret, struct lz_err *reterr)
{
	struct lz_err why = { "" };
	int r;

	if (!state->number)
		return 0;
	r = load_same(ctl, state->number, state->policy, &ret->now, &why);
	if (r == 0 && state->pending && state->previous)
		r = load_same(ctl, state->previous, state->previous_policy, &ret->before, &why);
	if (r == 0)
		return 1;
	judging_done(ret);
	if (r == -ENOMEM)
		return lz_err_set(reterr, ENOMEM, "%s", why.text);
	lz_log(LZ_LOG_WARNING, "policy-differs", "generation=%llu why=%s then=%s", (unsigned long long)state->number,
	       why.text, "it judges until what this ledger has confirmed is published");
	lz_swap_end_trial(&ctl->view);
	return 0;
}

/* What was left half done by a daemon that was killed: the kernel knows how it ended, if this ledger drove it. */
static void close_books(struct lz_ctl *ctl, const struct lz_swap_state *state)
{
	static const char *const open_states[] = { LZ_STATE_APPLYING, LZ_STATE_PENDING };
	struct lz_applied row;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(open_states); i++) {
		__u64 below = UINT64_MAX;

		while (lz_applied_last(ctl->ledger, open_states[i], below, &row) == 0) {
			const char *became = LZ_STATE_EXPIRED;

			below = row.generation;
			if (row.generation == state->number)
				became = state->pending ? LZ_STATE_PENDING : LZ_STATE_CONFIRMED;
			else if (lz_streq(open_states[i], LZ_STATE_APPLYING))
				became = LZ_STATE_FAILED;
			if (lz_streq(became, row.state))
				continue;
			lz_applied_state(ctl->ledger, row.generation, became, NULL);
			lz_log(LZ_LOG_NOTICE, "policy-settled", "generation=%llu was=%s is=%s",
			       (unsigned long long)row.generation, row.state, became);
		}
	}
}

/* @judging is taken in every case. */
static int adopt(struct lz_ctl *ctl, const struct lz_swap_state *state, const struct judging *judging,
		 struct lz_err *reterr)
{
	int r = 0;

	ctl->now = judging->now;
	ctl->before = judging->before;
	if (ctl->before.policy)
		r = lz_ctl_plan(ctl, ctl->before.policy, !state->slot, LZ_PLAN_AS_IT_STOOD, reterr);
	if (r < 0)
		return r;
	r = lz_ctl_plan(ctl, ctl->now.policy, state->slot, LZ_PLAN_AS_IT_STOOD, reterr);
	if (r == 0 && !state->pending)
		r = lz_ctl_keep(ctl, state->slot, reterr);
	lz_ctl_portal(ctl);
	lz_sweep_idle_set(ctl->sweep, (__u32)(ctl->now.image->idle_ns / 1000000000));
	lz_log(LZ_LOG_NOTICE, "policy-adopted", "generation=%llu name=%s pending=%d",
	       (unsigned long long)state->number, ctl->now.row.name, state->pending);
	return r;
}

/* Refused whole if a hook cannot be attached, as one that is applied: whoever starts it first reads why. */
static int apply_first(struct lz_ctl *ctl, struct lz_policy *first, const char *file,
		       struct lz_err *reterr)
{
	struct lz_running next = { 0 };
	int r = lz_running_prepare(ctl, first, NULL, &next, reterr);

	if (r < 0)
		return r;
	lz_swap_end_trial(&ctl->view); /* of another ledger: this one has nothing to confirm it by */
	lz_text_set(next.row.actor, sizeof(next.row.actor), "lazaretd");
	lz_text_set(next.row.file, sizeof(next.row.file), file);
	return lz_running_apply(ctl, &next, 0, LZ_PLAN_F_YES | LZ_PLAN_F_STANDING, reterr);
}

/* A range change is confirmed in the ledger before the kernel has it, see rangechange.c. */
static int roll_forward(struct lz_ctl *ctl, struct lz_running *next, const struct lz_swap_state *state,
			const struct judging *judging, struct lz_err *reterr)
{
	bool ahead = !state->pending && next->row.generation > state->number &&
		     lz_streq(next->row.state, LZ_STATE_CONFIRMED);
	int r = adopt(ctl, state, judging, reterr);

	if (r < 0 || !ahead) {
		lz_running_done(next);
		return r;
	}
	return lz_running_apply(ctl, next, 0, LZ_PLAN_AS_IT_STOOD, reterr);
}

/* Into the kernel again, under a number of its own; its origin stays. @newest is taken. */
static int publish_confirmed(struct lz_ctl *ctl, struct lz_running *newest, struct lz_err *reterr)
{
	struct lz_applied row;
	int r;

	if (lz_applied_last(ctl->ledger, LZ_STATE_CONFIRMED, UINT64_MAX, &row) < 0) {
		lz_running_done(newest);
		return 0; /* the only policy there was went back to "pass all" */
	}
	if (row.generation != newest->row.generation) {
		lz_running_done(newest);
		r = load(ctl, row.generation, newest, reterr);
		if (r < 0)
			return r;
	}
	return lz_running_apply(ctl, newest, 0, LZ_PLAN_AS_IT_STOOD, reterr);
}

int lz_running_restore(struct lz_ctl *ctl, struct lz_policy *first, const char *file,
		       struct lz_err *reterr)
{
	static const struct lz_swap_state nothing = { 0 };
	struct lz_running next = { 0 };
	struct judging judging = { 0 };
	struct lz_swap_state state;
	__u64 generation;
	int r, ours;

	if (newest(ctl, &generation) < 0)
		return first ? apply_first(ctl, first, file, reterr) : 0;
	if (first) { /* the way to grow: a detach, and a start with more room in FILE */
		ctl->sources_min = first->sources_max;
		ctl->colony_min = first->colony_max;
	}
	lz_policy_free(&first);
	r = load(ctl, generation, &next, reterr); /* opens the instance */
	if (r < 0)
		return r;
	lz_swap_settle(&ctl->view);
	lz_swap_state_get(&ctl->view, &state);
	ours = recognise(ctl, &state, &judging, reterr);
	if (ours < 0) {
		lz_running_done(&next);
		return ours;
	}
	close_books(ctl, ours ? &state : &nothing);
	ctl->now = next; /* gardens have their rows by its names */
	lz_hold_restore(ctl);
	lz_case_guard_restore(ctl);
	ctl->now = (struct lz_running){ 0 };
	lz_exception_restore(ctl);
	return ours ? roll_forward(ctl, &next, &state, &judging, reterr) : publish_confirmed(ctl, &next, reterr);
}
