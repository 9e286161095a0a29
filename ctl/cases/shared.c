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

static void fill_freed(struct lz_ctl *ctl, __u64 key, struct lz_note *ret)
{
	*ret = (struct lz_note){ .key = key, .time_s = lz_ctl_now().wall_s, .generation = lz_ctl_generation(ctl),
				 .event = "freed", .actor = "lazaretd" };
	lz_key_format(key, ctl->view.instance.ipv6_key_len, ret->object);
	say_why(lz_target_shared(ctl, key), ret->reason);
}

/* The books are closed: now the kernel, and whoever listens. */
static void let_go(struct lz_ctl *ctl, const __u64 *keys, size_t n, __u64 case_id)
{
	enum lz_log_level level = n <= LZ_LINES_MAX ? LZ_LOG_NOTICE : LZ_LOG_DEBUG;
	struct lz_note note = { 0 };

	for (size_t i = 0; i < n; i++)
		lz_hold_release(&ctl->view, keys[i], NULL);
	for (size_t i = 0; i < n && i < LZ_ROWS_MAX; i++) {
		fill_freed(ctl, keys[i], &note);
		lz_tell_say(ctl, level, &note);
	}
	if (n > LZ_LINES_MAX)
		lz_tell_sum(ctl, &note, case_id, n);
}

/* How many of these, from the first one on, are in its class: they end for the same reason. */
static size_t count_alike(struct lz_ctl *ctl, const __u64 *keys, size_t n)
{
	const char *class_ = lz_target_shared(ctl, keys[0]);
	size_t alike = 1;

	while (alike < n && lz_target_shared(ctl, keys[alike]) == class_)
		alike++;
	return alike;
}

int lz_case_free_entries(struct lz_ctl *ctl, const __u64 *keys, size_t n, struct lz_err *reterr)
{
	struct lz_held by = { .made_s = lz_ctl_now().wall_s, .source = LZ_SOURCE_POLICY, .actor = "lazaretd" };
	int r = n ? lz_ledger_begin(ctl->ledger, reterr) : 0;
	size_t alike;

	if (!n)
		return 0;
	for (size_t i = 0; r == 0 && i < n; i += alike) {
		alike = count_alike(ctl, keys + i, n - i);
		say_why(lz_target_shared(ctl, keys[i]), by.reason);
		r = lz_held_end(ctl->ledger, keys + i, alike, lz_ctl_now(), &by, reterr);
	}
	r = lz_ledger_end(ctl->ledger, r, reterr);
	if (r == 0)
		let_go(ctl, keys, n, 0);
	return r;
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

/* The shared ones of a case that holds others, too: its state stays what it is. They may be thousands, and a
 * row of the timeline each: all in one batch. */
static int free_some(struct lz_ctl *ctl, const struct lz_held *v, int n, struct lz_err *reterr)
{
	lz_autofree __u64 *keys = calloc((size_t)n, sizeof(*keys));
	struct lz_note note;
	size_t freed = 0;
	int r;

	if (!keys)
		return lz_err_set(reterr, ENOMEM, "out of memory");
	r = lz_ledger_begin(ctl->ledger, reterr);
	for (int i = 0; r == 0 && i < n; i++) {
		if (!lz_target_shared(ctl, v[i].key))
			continue;
		r = lz_held_del(ctl->ledger, v[i].key, reterr);
		if (r < 0)
			break;
		fill_freed(ctl, v[i].key, &note);
		lz_tell_write(ctl, &note);
		keys[freed++] = v[i].key;
	}
	r = lz_ledger_end(ctl->ledger, r, reterr);
	if (r == 0)
		let_go(ctl, keys, freed, v[0].case_id);
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
	if (!held->case_id || lz_case_get(ctl->ledger, held->case_id, &c) < 0 || !lz_case_holds(c.state))
		return 1;
	n = lz_held_of_all(ctl->ledger, c.id, &v);
	if (n < 0)
		return lz_err_set(reterr, -n, "ledger: cannot read what case %llu holds", (unsigned long long)c.id);
	for (int i = 0; all && i < n; i++)
		all = lz_target_shared(ctl, v[i].key) != NULL;
	say_why(class_, reason);
	return all ? release(ctl, &c, reason, reterr) : free_some(ctl, v, n, reterr);
}
