/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * open.c - the case of a target: the one that goes on, a new one, or an entry of a list that gets one
 * of its own.
 */
#include <errno.h>
#include <string.h>

#include "cases/case.h"
#include "control/ctl.h"
#include "control/target.h"

static void take_along(const struct lz_case *old, struct lz_case *c)
{
	c->step = old->step;
	c->self_releases = old->self_releases;
	c->evidence_s = old->evidence_s;
	c->changed_s = old->changed_s;
	c->acted_s = old->acted_s;
	memcpy(c->acted, old->acted, sizeof(c->acted));
	c->freed_s = old->freed_s;
	lz_text_set(c->ladder, sizeof(c->ladder), old->ladder);
	/* Until it is closed his case is staff's, whoever holds him again in its watch. */
	c->staff_only = old->staff_only && old->state != LZ_CASE_CLOSED;
}

/* As if it had been opened when the list was imported. */
static void take_entry(const struct lz_held *held, struct lz_case *c)
{
	if (lz_grade_parse(held->grade, &c->grade, NULL) < 0)
		c->grade = (struct lz_grade){ .kind = LZ_GRADE_IS_GARDEN, .garden = "leaky" };
	c->state = lz_case_state_of(&c->grade);
	c->opened_s = c->changed_s = held->since_s;
	c->until_s = lz_ctl_wall_of(held->expiry_s);
	c->staff_only |= held->staff_only;
	lz_text_set(c->source, sizeof(c->source), held->source);
	lz_text_set(c->reason_class, sizeof(c->reason_class),
		    lz_streq(held->source, "operator") ? LZ_CLASS_STAFF : LZ_CLASS_REPORT);
}

static bool find_entry(struct lz_ctl *ctl, const struct lz_target *t, struct lz_held *ret)
{
	return lz_held_get(ctl->ledger, t->key, ret) == 0 &&
	       ret->expiry_s > lz_tables_now_s(&ctl->view);
}

/* lz_case_is_of() of a target without its keys: then it is asked to whom the case's address belongs. */
static bool is_of(struct lz_ctl *ctl, const struct lz_case *c, const struct lz_target *t)
{
	struct lz_addr addr = lz_key_to_prefix(c->key, ctl->view.instance.ipv6_key_len).addr;
	const char *owner;

	if (t->n_keys || !t->customer || lz_case_is_of(c, t))
		return lz_case_is_of(c, t);
	lz_addr_unmap(&addr);
	owner = c->customer[0] ? NULL : lz_target_owner(ctl, &addr);
	return owner && lz_streq(owner, t->customer);
}

int lz_case_peek(struct lz_ctl *ctl, const struct lz_target *t, struct lz_case *ret)
{
	struct lz_case old = { .state = LZ_CASE_CLOSED, .step = -1 };
	struct lz_held held;
	bool is_held = find_entry(ctl, t, &held);

	if (is_held && held.case_id && lz_case_get(ctl->ledger, held.case_id, ret) == 0 &&
	    is_of(ctl, ret, t)) {
		ret->staff_only |= held.staff_only;
		return 0;
	}
	if (lz_case_find(ctl->ledger, t->key, t->customer, &old) < 0 && !is_held)
		return -ENOENT;
	if (old.id && old.state != LZ_CASE_CLOSED && (!is_held || lz_case_holds(old.state))) {
		*ret = old;
		return 0;
	}
	*ret = (struct lz_case){ .key = t->key, .step = -1, .state = LZ_CASE_OBSERVED };
	lz_text_set(ret->customer, sizeof(ret->customer), t->customer);
	if (old.id)
		take_along(&old, ret);
	if (is_held)
		take_entry(&held, ret);
	return 0;
}

bool lz_case_is_staffs(const struct lz_ctl *ctl, __u64 id)
{
	struct lz_case c;

	return id && lz_case_get(ctl->ledger, id, &c) == 0 && c.staff_only;
}

static void fill_opening(const struct lz_case *c, const struct lz_held *held,
			 struct lz_transition *ret)
{
	*ret = (struct lz_transition){ .case_id = c->id, .time_s = held->since_s,
				       .until_s = c->until_s, .generation = held->generation,
				       .step_from = c->step, .step_to = c->step,
				       .from = LZ_CASE_OBSERVED, .to = c->state };
	lz_text_set(ret->grade, sizeof(ret->grade), held->grade);
	lz_text_set(ret->source, sizeof(ret->source), held->source);
	lz_text_set(ret->actor, sizeof(ret->actor), held->actor);
	lz_text_set(ret->ticket, sizeof(ret->ticket), held->ticket);
	lz_text_set(ret->reason, sizeof(ret->reason), held->reason);
}

/* An entry goes from the case it was held by, if any, to another. */
static int give_case(struct lz_ctl *ctl, const struct lz_held *held, __u64 case_id,
		     struct lz_err *reterr)
{
	int r = lz_held_case_set(ctl->ledger, held->key, case_id, reterr);

	return r == 0 && held->case_id ? lz_case_emptied(ctl, held->case_id, reterr) : r;
}

/* An entry of a list gets a case of its own, and all keys of the customer that the list held; and what
 * came to him held by a case of somebody else. */
static int adopt_entry(struct lz_ctl *ctl, const struct lz_target *t, struct lz_case *c,
		       struct lz_err *reterr)
{
	struct lz_transition opening;
	struct lz_held held;
	int r = lz_ledger_begin(ctl->ledger, reterr);

	if (r == 0)
		r = lz_case_put(ctl->ledger, c, reterr);
	if (r == 0)
		r = lz_held_get(ctl->ledger, t->key, &held);
	if (r == 0) {
		fill_opening(c, &held, &opening);
		r = lz_transition_add(ctl->ledger, &opening, reterr);
	}
	for (size_t i = 0; r == 0 && i < t->n_keys; i++)
		if (lz_held_get(ctl->ledger, t->keys[i], &held) == 0 &&
		    (!held.case_id || lz_case_is_others(ctl, held.case_id, t)))
			r = give_case(ctl, &held, c->id, reterr);
	r = lz_ledger_end(ctl->ledger, r, reterr);
	if (r < 0)
		c->id = 0;
	return r;
}

int lz_case_open(struct lz_ctl *ctl, const struct lz_target *t, struct lz_case *ret,
		 struct lz_err *reterr)
{
	int r = ctl->busy ? -EBUSY : lz_case_peek(ctl, t, ret);

	if (r == -EBUSY)
		return lz_err_set(reterr, EBUSY, "ledger: an import is running; try again");
	if (r == -ENOENT) {
		*ret = (struct lz_case){ .key = t->key, .step = -1, .state = LZ_CASE_OBSERVED };
		lz_text_set(ret->customer, sizeof(ret->customer), t->customer);
		return 0;
	}
	if (ret->id || !lz_case_holds(ret->state))
		return 0;
	return adopt_entry(ctl, t, ret, reterr);
}
