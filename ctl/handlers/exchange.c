// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * exchange.c - a policy with another ipv6-key, or with more room: for both the tables must be made anew.
 *
 *   here      try all that can fail; keys of the ledger and policy in one transaction; answer; end
 *   keeper    lets go of what is pinned, starts the next controller
 *   there     lz_running_restore(): the policy wants another instance than there is, so the keeper makes
 *             one beside it; holds, exceptions, policy go into it; KEEP: it takes over (replace.c)
 *
 * Until the last step the old instance judges, and whatever dies on the way, the next start goes on:
 * the ledger says what is wanted.
 */
#include <errno.h>

#include "cases/case.h"
#include "control/ask.h"
#include "control/ctl.h"
#include "control/exception.h"
#include "control/running.h"
#include "control/tell.h"
#include "handlers/exchange.h"
#include "privsep/chan.h"

/* What the data plane could not tell apart any more would be lost, silently. */
static int check_exceptions(struct lz_ctl *ctl, unsigned int key_len, struct lz_err *reterr)
{
	struct lz_granted rows[LZ_GRANTED_SLICE], last;
	__u64 wall_s = lz_ctl_now().wall_s;
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_keyprefix ignored;
	bool begun = false;
	int n;

	while ((n = lz_granted_next(ctl->ledger, begun ? &last.prefix : NULL, rows,
				    LZ_GRANTED_SLICE)) > 0) {
		for (int i = 0; i < n; i++)
			if (rows[i].until_s > wall_s &&
			    lz_keyprefix_from_prefix(&rows[i].prefix, key_len, &ignored) == -ERANGE)
				return lz_err_set(reterr, EBUSY,
						  "/ipv6-key: %u: the exception for %s is narrower; "
						  "delete it, or make one for a /%u", key_len,
						  lz_prefix_format(&rows[i].prefix, text), key_len);
		last = rows[n - 1];
		begun = true;
	}
	return n < 0 ? lz_err_set(reterr, -n, "ledger: cannot read the exceptions") : 0;
}

/* Compiled and planned for nothing, but that what fails does so now. */
static int try(struct lz_ctl *ctl, struct lz_policy *policy, struct lz_running *ret,
	       struct lz_err *reterr)
{
	int slot = lz_swap_idle_slot(&ctl->view), r;

	if (slot < 0) {
		lz_policy_free(&policy);
		return lz_err_set(reterr, EBUSY, "policy: another one waits for a confirm");
	}
	r = lz_running_compile(ctl, policy, ctl->now.image, ret, reterr);
	if (r < 0)
		return r;
	r = check_exceptions(ctl, policy->ipv6_key, reterr);
	if (r == 0)
		r = lz_ctl_try(ctl, policy, reterr);
	if (r == 0)
		r = lz_ctl_plan(ctl, policy, (__u32)slot, LZ_PLAN_F_YES, reterr);
	return r;
}

static void say_alive(void *ctl)
{
	lz_ctl_say(ctl, LZ_ASK_ALIVE);
}

/* Each of the last two steps may wait for a slow disk as long as the keeper waits for us. */
static int write_down(struct lz_ctl *ctl, struct lz_running *next, struct lz_err *reterr)
{
	lz_autofree char *text = NULL, *ids = NULL;
	struct lz_now now = lz_ctl_now();
	struct lz_note note = { .time_s = now.wall_s };
	struct lz_rekey rekey = { .from = ctl->view.instance.ipv6_key_len, .to = next->policy->ipv6_key,
				  .at = now, .max = next->policy->colony_max, .alive = say_alive,
				  .arg = ctl };
	int r = lz_policy_print(next->policy, LZ_PRINT_INLINE_FILES | LZ_PRINT_PACKED, &text);

	if (r == 0)
		r = lz_image_ids_print(next->image, &ids);
	if (r < 0)
		return lz_err_set(reterr, ENOMEM, "policy: out of memory");
	next->row.generation = lz_applied_highest(ctl->ledger) + 1;
	next->row.origin = next->row.generation;
	next->row.applied_s = now.wall_s;
	lz_text_set(next->row.state, sizeof(next->row.state), LZ_STATE_CONFIRMED);
	note.generation = next->row.generation;
	lz_text_set(note.event, sizeof(note.event), "instance-exchange");
	lz_text_set(note.object, sizeof(note.object), next->row.file[0] ? next->row.file : next->row.name);
	lz_text_set(note.actor, sizeof(note.actor), next->row.actor);
	r = lz_ledger_begin(ctl->ledger, reterr);
	if (r < 0)
		return r;
	r = lz_ledger_rekey(ctl->ledger, &rekey, reterr);
	if (r == 0)
		r = lz_applied_add(ctl->ledger, &next->row, text, ids, reterr);
	if (r == 0) {
		lz_tell_note(ctl, LZ_LOG_NOTICE, &note);
		say_alive(ctl);
		r = lz_ledger_commit(ctl->ledger, reterr);
		say_alive(ctl);
		return r;
	}
	lz_ledger_rollback(ctl->ledger);
	return r;
}

int lz_exchange(struct lz_ctl *ctl, struct lz_policy *policy, struct lz_applied *row,
		struct lz_err *reterr)
{
	struct lz_running next = { 0 };
	struct lz_swap_state state;
	int r;

	lz_events_read(ctl->events, 65536);
	r = try(ctl, policy, &next, reterr);
	if (r == 0 && lz_case_drain(ctl) < 0)
		r = lz_err_set(reterr, EBUSY, "policy: too much evidence is waiting; try again");
	if (r == 0) {
		lz_text_set(next.row.actor, sizeof(next.row.actor), row->actor);
		lz_text_set(next.row.file, sizeof(next.row.file), row->file);
		r = write_down(ctl, &next, reterr);
	}
	if (r == 0) {
		*row = next.row;
		ctl->busy = true; /* the ledger has the new keys, our tables the old ones */
		ctl->code = LZ_EXIT_REOPEN;
		uv_stop(&ctl->loop);
	} else {
		lz_swap_state_get(&ctl->view, &state);
		if (state.slot < LZ_GENERATIONS)
			lz_ctl_keep(ctl, state.slot, NULL);
	}
	lz_running_done(&next);
	return r;
}
