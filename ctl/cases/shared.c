/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shared.c - a policy says that many customers are behind an address which is held: they are not cut off for one.
 *
 * Part of the look at whose the held addresses are (owner.c). A case of which all is shared by now is released as
 * any other; one that holds more goes on with the rest.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "cases/case.h"
#include "control/counted.h"
#include "control/ctl.h"
#include "control/target.h"
#include "control/tell.h"

#define LZ_SOURCE_POLICY "policy"

static void say_why(const char *class_, char ret[static LZ_REASON_TEXT_MAX])
{
	snprintf(ret, LZ_REASON_TEXT_MAX, "class %s is shared by now: many customers are behind this address", class_);
}

/* @write: nothing else of it stands in the timeline */
static void say_freed(struct lz_ctl *ctl, __u64 key, const char *reason, bool write)
{
	struct lz_note note = { .key = key, .time_s = lz_ctl_now().wall_s, .generation = lz_ctl_generation(ctl),
				.event = "freed", .actor = "lazaretd" };

	lz_key_format(key, ctl->view.instance.ipv6_key_len, note.object);
	lz_text_set(note.reason, sizeof(note.reason), reason);
	if (write)
		lz_tell_write(ctl, &note);
	lz_tell_say(ctl, LZ_LOG_NOTICE, &note);
}

/* An entry of a list: it leaves a row of its past, and no case. */
static int free_entry(struct lz_ctl *ctl, __u64 key, const char *reason, struct lz_err *reterr)
{
	struct lz_held by = { .made_s = lz_ctl_now().wall_s, .source = LZ_SOURCE_POLICY, .actor = "lazaretd" };
	int r = lz_ledger_begin(ctl->ledger, reterr);

	lz_text_set(by.reason, sizeof(by.reason), reason);
	if (r == 0)
		r = lz_held_end(ctl->ledger, &key, 1, lz_ctl_now(), &by, reterr);
	if (r == 0)
		r = lz_ledger_commit(ctl->ledger, reterr);
	else if (lz_ledger_in_batch(ctl->ledger))
		lz_ledger_rollback(ctl->ledger);
	if (r < 0)
		return r;
	lz_hold_release(&ctl->view, key, NULL);
	say_freed(ctl, key, reason, false);
	return 0;
}

static int release(struct lz_ctl *ctl, struct lz_case *c, const char *reason, struct lz_err *reterr)
{
	struct lz_move move = { .c = c, .to = LZ_CASE_RELEASED, .actor = "lazaretd", .source = LZ_SOURCE_POLICY,
				.event = "freed", .reason = reason, .own_keys = true };
	struct lz_target t;
	int r = lz_case_target(ctl, c, &t);

	if (r == -ENOENT)
		r = lz_target_of_key(ctl, c->key, &t, NULL);
	if (r < 0)
		return lz_err_set(reterr, -r, "case %llu: its address is none", (unsigned long long)c->id);
	c->due_s = lz_ctl_now().wall_s + LZ_CASE_RELEASED_S;
	move.target = &t;
	r = lz_case_move(ctl, &move, NULL, reterr);
	lz_target_done(&t);
	return r;
}

/* The shared ones of a case that holds others, too: its state stays what it is. */
static int free_some(struct lz_ctl *ctl, const struct lz_held *v, int n, struct lz_err *reterr)
{
	char reason[LZ_REASON_TEXT_MAX];
	int r = lz_ledger_begin(ctl->ledger, reterr);

	for (int i = 0; r == 0 && i < n; i++)
		if (lz_target_shared(ctl, v[i].key))
			r = lz_held_del(ctl->ledger, v[i].key, reterr);
	if (r == 0)
		r = lz_ledger_commit(ctl->ledger, reterr);
	else if (lz_ledger_in_batch(ctl->ledger))
		lz_ledger_rollback(ctl->ledger);
	for (int i = 0; r == 0 && i < n; i++) {
		const char *class_ = lz_target_shared(ctl, v[i].key);

		if (!class_)
			continue;
		lz_hold_release(&ctl->view, v[i].key, NULL);
		say_why(class_, reason);
		say_freed(ctl, v[i].key, reason, true);
	}
	return r;
}

int lz_case_free_shared(struct lz_ctl *ctl, const struct lz_held *held, struct lz_err *reterr)
{
	const char *class_ = lz_target_shared(ctl, held->key);
	lz_autofree struct lz_held *v = NULL;
	char reason[LZ_REASON_TEXT_MAX];
	struct lz_case c;
	bool all = true;
	int n;

	if (!class_ || held->expiry_s <= lz_tables_now_s(&ctl->view)) /* what has ended is the clock's */
		return 0;
	say_why(class_, reason);
	if (!held->case_id || lz_case_get(ctl->ledger, held->case_id, &c) < 0 || !lz_case_holds(c.state))
		return free_entry(ctl, held->key, reason, reterr);
	n = lz_held_of_all(ctl->ledger, c.id, 0, &v);
	if (n < 0)
		return lz_err_set(reterr, -n, "ledger: cannot read what case %llu holds", (unsigned long long)c.id);
	for (int i = 0; all && i < n; i++)
		all = lz_target_shared(ctl, v[i].key) != NULL;
	return all ? release(ctl, &c, reason, reterr) : free_some(ctl, v, n, reterr);
}
