/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * owner.c - whose case is it? Addresses change hands; a case stays with the customer it was opened
 * for, and an address that is another's now leaves it: soon after the policy that says so, and in any case
 * before the old owner is let go.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/target.h"
#include "control/tell.h"

#define LZ_OWNERS_SLICE	   64
#define LZ_OWNERS_AGAIN_NS (60 * LZ_NS_PER_S) /* a ledger that takes nothing: from the start */

/* A case without a customer goes to whom its address belongs by now: he was the same host. */
bool lz_case_is_of(const struct lz_case *c, const struct lz_target *t)
{
	if (c->customer[0])
		return t->customer && lz_streq(c->customer, t->customer);
	for (size_t i = 0; i < t->n_keys; i++)
		if (t->keys[i] == c->key)
			return true;
	return c->key == t->key;
}

bool lz_case_is_others(struct lz_ctl *ctl, __u64 case_id, const struct lz_target *t)
{
	struct lz_case c;

	return case_id && lz_case_get(ctl->ledger, case_id, &c) == 0 && !lz_case_is_of(&c, t);
}

/* An address of this customer, as the policy has them now. */
static int find_address(const struct lz_ctl *ctl, const char *customer, struct lz_addr *ret)
{
	const struct lz_policy *policy = ctl->now.policy;

	for (size_t i = 0; policy && i < policy->customer_ranges.n; i++) {
		const struct lz_range *range = &policy->customer_ranges.v[i];

		if (lz_streq(policy->customers[range->owner].id, customer)) {
			*ret = range->prefix.addr;
			return 0;
		}
	}
	return -ENOENT;
}

int lz_case_target(struct lz_ctl *ctl, const struct lz_case *c, struct lz_target *ret)
{
	struct lz_addr addr;
	int r = lz_target_of_key(ctl, c->key, ret, NULL);

	if (r < 0 || lz_case_is_of(c, ret))
		return r;
	lz_target_done(ret);
	r = find_address(ctl, c->customer, &addr);
	return r < 0 ? r : lz_target_at(ctl, &addr, ret, NULL);
}

/* What happens to a case because an entry came or went, by no decision about it. */
static int follow(struct lz_ctl *ctl, struct lz_case *c, struct lz_transition *t, struct lz_err *reterr)
{
	int r;

	t->case_id = c->id;
	t->generation = lz_ctl_generation(ctl);
	t->step_from = t->step_to = c->step;
	t->from = c->state;
	t->until_s = c->until_s;
	t->due_s = c->due_s;
	t->time_s = c->changed_s = lz_ctl_now().wall_s;
	c->state = t->to;
	r = lz_case_put(ctl->ledger, c, reterr);
	return r < 0 ? r : lz_transition_add(ctl->ledger, t, reterr);
}

int lz_case_emptied(struct lz_ctl *ctl, __u64 case_id, struct lz_err *reterr)
{
	struct lz_transition t = { .to = LZ_CASE_RELEASED, .actor = "lazaretd", .source = "customers",
				   .reason = "what it held is of another case now" };
	struct lz_held left;
	struct lz_case c;
	int r = lz_held_of(ctl->ledger, case_id, &left, 1);

	if (r || lz_case_get(ctl->ledger, case_id, &c) < 0 || !lz_case_holds(c.state))
		return r < 0 ? r : 0;
	c.until_s = 0;
	c.due_s = lz_ctl_now().wall_s + LZ_CASE_RELEASED_S;
	r = follow(ctl, &c, &t, reterr);
	if (r == 0)
		r = lz_token_end(ctl->ledger, c.id, reterr);
	if (r == 0)
		lz_log(LZ_LOG_NOTICE, "case-emptied", "case=%llu", (unsigned long long)c.id);
	return r;
}

int lz_case_refilled(struct lz_ctl *ctl, const struct lz_held *held, const char *actor,
		     struct lz_err *reterr)
{
	struct lz_transition t = { .source = "undo", .reason = "holds again what had gone to another case" };
	struct lz_case c;

	if (!held->case_id || lz_case_get(ctl->ledger, held->case_id, &c) < 0 || lz_case_holds(c.state))
		return 0;
	lz_grade_parse(held->grade, &c.grade, NULL);
	c.until_s = lz_ctl_wall_of(held->expiry_s);
	c.due_s = 0;
	t.to = lz_case_state_of(&c.grade);
	lz_text_set(t.grade, sizeof(t.grade), held->grade);
	lz_text_set(t.actor, sizeof(t.actor), actor);
	return follow(ctl, &c, &t, reterr);
}

/* ---------------------------------------------------------------- to whom it belongs by now */

/* The list may name less of a key than all of it: then the key's first address is nobody's. */
static bool has_key(struct lz_ctl *ctl, const struct lz_case *c, __u64 key)
{
	struct lz_target t;
	bool has = false;

	if (lz_case_target(ctl, c, &t) < 0)
		return false;
	for (size_t i = 0; !has && i < t.n_keys; i++)
		has = t.keys[i] == key;
	lz_target_done(&t);
	return has;
}

/* Into a case that goes on: it lasts as long as what it holds. */
static int move_entry(struct lz_ctl *ctl, __u64 key, struct lz_case *to, struct lz_err *reterr)
{
	struct lz_held held;
	int r = lz_held_get(ctl->ledger, key, &held);

	if (r < 0 || held.case_id == to->id)
		return r == -ENOENT ? 0 : r;
	r = lz_ledger_begin(ctl->ledger, reterr);
	if (r == 0)
		r = lz_held_case_set(ctl->ledger, key, to->id, reterr);
	if (r == 0)
		r = lz_case_emptied(ctl, held.case_id, reterr);
	if (r == 0 && lz_ctl_wall_of(held.expiry_s) > to->until_s) {
		to->until_s = lz_ctl_wall_of(held.expiry_s);
		r = lz_case_put(ctl->ledger, to, reterr);
	}
	return lz_ledger_end(ctl->ledger, r, reterr);
}

/* Mostly an entry is still the same customer's: then none of his keys is asked for, which may be thousands. */
static bool has_stayed(struct lz_ctl *ctl, __u64 key, const char *address, const struct lz_case *c)
{
	struct lz_prefix prefix = lz_key_to_prefix(key, ctl->view.instance.ipv6_key_len);
	struct lz_addr addr = prefix.addr;
	const char *owner;

	if (address[0])
		lz_addr_parse(address, &addr, NULL);
	lz_addr_unmap(&addr);
	owner = lz_target_owner(ctl, &addr);
	return !owner || (c->customer[0] && lz_streq(c->customer, owner));
}

/* The new owner, if there is one: true with @ret to be freed. An address of nobody stays where it is. */
static bool find_new(struct lz_ctl *ctl, const struct lz_held *held, struct lz_target *ret)
{
	struct lz_case c;

	if (!held->case_id || held->expiry_s <= lz_tables_now_s(&ctl->view) ||
	    lz_case_get(ctl->ledger, held->case_id, &c) < 0)
		return false;
	if (has_stayed(ctl, held->key, held->address, &c) || lz_target_of_held(ctl, held, ret) < 0)
		return false;
	if (ret->customer && !lz_case_is_of(&c, ret) && !has_key(ctl, &c, held->key))
		return true;
	lz_target_done(ret);
	return false;
}

bool lz_case_lost(struct lz_ctl *ctl, const struct lz_held *held)
{
	struct lz_target t;

	if (!find_new(ctl, held, &t))
		return false;
	lz_target_done(&t);
	return true;
}

/* 1: it has gone to another case. */
static int hand_over(struct lz_ctl *ctl, const struct lz_held *held, struct lz_err *reterr)
{
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_target t;
	struct lz_case c;
	int r;

	if (!find_new(ctl, held, &t))
		return 0;
	r = lz_case_open(ctl, &t, &c, reterr);
	if (r == 0 && c.id)
		r = move_entry(ctl, held->key, &c, reterr);
	if (r == 0)
		lz_log(LZ_LOG_NOTICE, "handed-over", "object=%s from=%llu case=%llu",
		       lz_key_format(held->key, ctl->view.instance.ipv6_key_len, text),
		       (unsigned long long)held->case_id, (unsigned long long)c.id);
	lz_target_done(&t);
	return r < 0 ? r : 1;
}

int lz_case_hand_over(struct lz_ctl *ctl, __u64 case_id, bool *ret_any, struct lz_err *reterr)
{
	lz_autofree struct lz_held_key *v = NULL;
	int n = lz_held_keys_of(ctl->ledger, case_id, &v), r = 0;
	struct lz_case c;

	*ret_any = false;
	if (n < 0)
		return lz_err_set(reterr, -n, "ledger: cannot read what case %llu holds",
				  (unsigned long long)case_id);
	if (n && lz_case_get(ctl->ledger, case_id, &c) < 0)
		return 0;
	for (int i = 0; r >= 0 && i < n; i++) {
		struct lz_held now;

		if (!v[i].named && has_stayed(ctl, v[i].key, "", &c))
			continue;
		/* another key of the same owner may have taken it along */
		if (lz_held_get(ctl->ledger, v[i].key, &now) < 0 || now.case_id != case_id)
			continue;
		r = hand_over(ctl, &now, reterr);
		*ret_any = *ret_any || r > 0;
	}
	return r < 0 ? r : 0;
}

/* 1: an entry of a list that is to be let go. */
static int look_at_owner(struct lz_ctl *ctl, const struct lz_held *row, bool shared, struct lz_err *reterr)
{
	struct lz_held now;
	int r;

	/* read anew, for the one before may have taken it along */
	if ((!shared && !row->case_id) || lz_held_get(ctl->ledger, row->key, &now) < 0)
		return 0;
	if (shared && lz_target_shared(ctl, now.key))
		return lz_case_free_shared(ctl, &now, reterr);
	r = now.case_id ? hand_over(ctl, &now, reterr) : 0;
	return r < 0 ? r : 0;
}

/* A row may cost a synced transaction, or thousands of keys: after each one there is a look at the clock. */
static int owners_slice(struct lz_ctl *ctl, __u64 until_ns, struct lz_err *reterr)
{
	static struct lz_held rows[LZ_OWNERS_SLICE];
	static __u64 entries[LZ_OWNERS_SLICE];
	bool shared = lz_target_any_shared(ctl);
	int n = lz_held_next(ctl->ledger, &ctl->owners.walk, rows, LZ_OWNERS_SLICE), done = 0, r = 0, r_free;
	size_t n_entries = 0;

	for (; r >= 0 && done < n && (!done || lz_clock_mono_ns() < until_ns); done++) {
		r = look_at_owner(ctl, &rows[done], shared, reterr);
		if (r > 0)
			entries[n_entries++] = rows[done].key;
	}
	if (done > 0)
		ctl->owners.walk.last = (__s64)rows[done - 1].key;
	r_free = lz_case_free_entries(ctl, entries, n_entries, r < 0 ? NULL : reterr);
	return r < 0 ? r : r_free < 0 ? r_free : n;
}

void lz_case_owners(struct lz_ctl *ctl, __u64 until_ns)
{
	struct lz_err err = { "" };
	int n = 1;

	/* not confirmed: all may be as it was in a minute; an import has the ledger */
	if (ctl->before.policy || ctl->busy || lz_clock_mono_ns() < ctl->owners.after_ns)
		return;
	while (!ctl->owners.done && n > 0 && lz_clock_mono_ns() < until_ns)
		n = owners_slice(ctl, until_ns, &err);
	if (n == 0)
		ctl->owners.done = true;
	if (n >= 0)
		return;
	lz_tell_ledger_failed(err.text);
	ctl->owners = (struct lz_owners_look){ .after_ns = lz_clock_mono_ns() + LZ_OWNERS_AGAIN_NS };
}
