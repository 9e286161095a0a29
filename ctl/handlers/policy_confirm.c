// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy_confirm.c - confirm, undo: the policy stays, or the one before it comes back.
 */
#include <errno.h>

#include "base/json.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/running.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/applycheck.h"
#include "handlers/handlers.h"
#include "policy/diff.h"

void lz_h_policy_confirm(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_note note = { 0 };
	struct lz_err err = { "" };
	cJSON *end;
	int r;

	if (lz_ctl_wait_policy(ctl, req, lz_h_policy_confirm) || !lz_ctl_need(ctl, req))
		return;
	r = lz_running_confirm(ctl, lz_arg_int(req, "generation", 0), &err);
	if (r < 0) {
		lz_end(req, r == -ENOENT ? -EBUSY : r, &err);
		return;
	}
	lz_text_set(note.event, sizeof(note.event), "policy-confirmed");
	lz_text_set(note.object, sizeof(note.object), ctl->now.row.name);
	lz_tell_actor(req, note.actor);
	lz_tell_note(ctl, LZ_LOG_NOTICE, &note);
	end = cJSON_CreateObject();
	lz_json_add_u64(end, "generation", ctl->now.row.generation);
	lz_json_add_str(end, "name", ctl->now.row.name);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

/* How many lines policy diff would print of it; 0: it cannot be told, or nothing differs. */
static size_t count_changes(const struct lz_policy *from, const struct lz_policy *to)
{
	struct lz_changes changes = { 0 };
	size_t n = 0;

	if (from && to && lz_policy_diff(from, to, &changes, NULL) == 0)
		n = changes.n;
	lz_changes_done(&changes);
	return n;
}

/* Who is held goes free by an undo as by an apply. False: the request is answered. */
static bool may_go_back(struct lz_ctl *ctl, struct lz_request *req, const struct lz_policy *to)
{
	lz_autojson cJSON *reasons = cJSON_CreateArray();

	if (to)
		lz_apply_frees(ctl, to, "", reasons);
	return lz_apply_has_yes(req, reasons);
}

/* 1: the request is answered. */
static int undo_pending(struct lz_ctl *ctl, struct lz_request *req, size_t *ret_changes, struct lz_err *reterr)
{
	char actor[LZ_ACTOR_TEXT_MAX];

	if (!may_go_back(ctl, req, ctl->before.policy))
		return 1;
	lz_tell_actor(req, actor);
	*ret_changes = count_changes(ctl->now.policy, ctl->before.policy);
	return lz_running_back(ctl, false, actor, reterr);
}

/* After a confirm the way back is the text of the policy confirmed before, applied again. 1: the request is answered. */
static int undo_confirmed(struct lz_ctl *ctl, struct lz_request *req, size_t *ret_changes,
			  struct lz_err *reterr)
{
	struct lz_applied left = ctl->now.row, row;
	struct lz_policy *policy = NULL;
	struct lz_running next = { 0 };
	int r;

	if (lz_applied_last(ctl->ledger, LZ_STATE_CONFIRMED, left.origin, &row) < 0)
		return lz_err_set(reterr, EBUSY, "policy: nothing to go back to");
	r = lz_running_read(ctl, row.generation, &row, &policy, NULL, reterr);
	if (r < 0)
		return r;
	if (!may_go_back(ctl, req, policy)) {
		lz_policy_free(&policy);
		return 1;
	}
	*ret_changes = count_changes(ctl->now.policy, policy);
	r = lz_running_prepare(ctl, policy, ctl->now.image, &next, reterr);
	if (r < 0)
		return r;
	next.row.origin = row.origin;
	lz_text_set(next.row.file, sizeof(next.row.file), row.file);
	lz_tell_actor(req, next.row.actor);
	r = lz_running_apply(ctl, &next, 0, LZ_PLAN_AS_IT_STOOD, reterr);
	if (r == 0)
		lz_running_became(ctl, left.generation, LZ_STATE_UNDONE);
	return r;
}

void lz_h_policy_undo(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_swap_state state;
	struct lz_err err = { "" };
	size_t changes = 0;
	cJSON *end;
	int r;

	if (lz_ctl_wait_policy(ctl, req, lz_h_policy_undo) || !lz_ctl_need(ctl, req))
		return;
	r = lz_running_is(ctl, lz_arg_int(req, "generation", 0), &err);
	if (r == 0)
		r = lz_running_too_late(ctl, &err); /* not one further back */
	lz_swap_state_get(&ctl->view, &state);
	if (r == 0)
		r = state.pending ? undo_pending(ctl, req, &changes, &err) : undo_confirmed(ctl, req, &changes, &err);
	if (r < 0)
		lz_end(req, r, &err);
	if (r)
		return;
	end = cJSON_CreateObject();
	lz_json_add_u64(end, "generation", lz_ctl_generation(ctl));
	lz_json_add_str(end, "name", ctl->now.policy ? ctl->now.row.name : "");
	lz_json_add_u64(end, "changes", changes);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}
