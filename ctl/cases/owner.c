/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * owner.c - whose case is it? Addresses change hands; a case stays with the customer it was opened
 * for, and an address that is another's now leaves it.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/target.h"

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
	struct lz_addr addr = lz_key_to_prefix(c->key, ctl->view.instance.ipv6_key_len).addr;
	char text[LZ_ADDR_TEXT_MAX];
	int r = lz_target_find(ctl, lz_addr_format(&addr, text), ret, NULL);

	if (r < 0 || lz_case_is_of(c, ret))
		return r;
	lz_target_done(ret);
	r = find_address(ctl, c->customer, &addr);
	return r < 0 ? r : lz_target_find(ctl, lz_addr_format(&addr, text), ret, NULL);
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
