/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * policy.c - what the policy in force and the ledger say about a limit and about a host: ladder,
 * reason, protection, guard.
 */

#include "base/clock.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/exception.h"
#include "control/target.h"

#define LZ_BUCKET_APART_S 300 /* a token bucket has no window: how far apart are two incidents? */
#define LZ_TOLD_FORGET_S  (14u * 86400) /* of a limit that only tells */

/* ---------------------------------------------------------------- what the policy says */

const struct lz_policy_limit *lz_limit_find(const struct lz_ctl *ctl, __u16 id,
						const struct lz_policy_class **ret_class)
{
	const struct lz_policy *policy = ctl->now.policy;
	const struct lz_image_limit *name;

	if (!policy || !id || id >= LZ_LIMIT_IDS)
		return NULL;
	name = &ctl->now.image->limits[id];
	for (size_t i = 0; i < policy->n_classes; i++) {
		if (!lz_streq(policy->classes[i].name, name->class_))
			continue;
		for (size_t k = 0; k < policy->classes[i].n_limits; k++)
			if (lz_streq(policy->classes[i].limits[k].name, name->name)) {
				*ret_class = &policy->classes[i];
				return &policy->classes[i].limits[k];
			}
	}
	return NULL;
}

static bool convert_ladder(const struct lz_policy_ladder *from, struct lz_ladder *to)
{
	*to = (struct lz_ladder){ .forget_s = (__u32)(from->forget_ns / LZ_NS_PER_S),
				  .grace_s = (__u32)(from->grace_ns / LZ_NS_PER_S) };
	lz_text_set(to->name, sizeof(to->name), from->name);
	for (size_t i = 0; i < from->n_steps && i < LZ_LADDER_STEPS_MAX; i++) {
		const struct lz_policy_step *s = &from->steps[i];
		struct lz_ladder_step *step = &to->step[to->n++];

		step->for_s = (__u32)(s->time_ns / LZ_NS_PER_S);
		step->grade.kind = s->kind == LZ_STEP_THROTTLE ? LZ_GRADE_IS_THROTTLE :
				   s->kind == LZ_STEP_BLOCK25  ? LZ_GRADE_IS_BLOCK25 :
				   s->kind == LZ_STEP_GARDEN   ? LZ_GRADE_IS_GARDEN :
								 LZ_GRADE_IS_NONE;
		if (s->kind == LZ_STEP_THROTTLE)
			step->grade.rate = s->rate;
		if (s->kind == LZ_STEP_GARDEN)
			lz_text_set(step->grade.garden, sizeof(step->grade.garden), s->garden);
	}
	return to->n > 0;
}

bool lz_ladder_of(const struct lz_ctl *ctl, const char *name, struct lz_ladder *ret)
{
	const struct lz_policy *policy = ctl->now.policy;

	for (size_t i = 0; policy && i < policy->n_ladders; i++)
		if (lz_streq(policy->ladders[i].name, name))
			return convert_ladder(&policy->ladders[i], ret);
	return false;
}

/* What a limit leads to. `notify` is a ladder of one step. */
bool lz_ladder_of_limit(const struct lz_ctl *ctl, const struct lz_policy_limit *limit,
			    struct lz_ladder *ret)
{
	if (limit->then == LZ_ACTION_LADDER)
		return convert_ladder(&ctl->now.policy->ladders[limit->ladder], ret);
	*ret = (struct lz_ladder){ .only_tells = true, .forget_s = LZ_TOLD_FORGET_S, .n = 1 };
	return limit->then == LZ_ACTION_NOTIFY;
}

const char *lz_limit_class(const struct lz_policy_limit *limit)
{
	return limit->what == LZ_WHAT_SYN		 ? LZ_CLASS_SYN :
	       limit->what == LZ_WHAT_SMTP_DESTINATIONS ? LZ_CLASS_FANOUT :
							   LZ_CLASS_VOLUME;
}

__u32 lz_limit_apart_s(const struct lz_policy_limit *limit)
{
	return limit->is_bucket ? LZ_BUCKET_APART_S :
				  (__u32)(limit->at_most.window_ns / LZ_NS_PER_S);
}

/* ---------------------------------------------------------------- facts */

struct lz_guard_rule lz_guard_rule_of(const struct lz_ctl *ctl)
{
	const struct lz_policy *policy = ctl->now.policy;

	return (struct lz_guard_rule){ .new_per_minute = policy ? policy->guard_new_per_minute : 1,
				       .active_ppm = policy ? policy->guard_active_ppm : 0 };
}

/* His own, or one from all that another address of his has: they share one fate. */
static bool is_exempt(struct lz_ctl *ctl, const struct lz_target *t)
{
	struct lz_granted row;

	return lz_exception_find(ctl, t->key, &row) == 0 ||
	       lz_exception_check(ctl, t->keys, t->n_keys, NULL) < 0;
}

void lz_case_facts(struct lz_ctl *ctl, const struct lz_target *t, bool ask, __u64 when_s,
		   struct lz_facts *ret)
{
	struct lz_guard_rule rule = lz_guard_rule_of(ctl);
	__u64 now_s = lz_tables_now_s(&ctl->view);
	__u32 flags = ctl->now.image ? ctl->now.image->gen.class_[t->class_].flags : 0;

	*ret = (struct lz_facts){ .exempt = is_exempt(ctl, t),
				  .shared = flags & LZ_CLASS_F_SHARED };
	ret->never = !ret->shared && lz_target_check(ctl, t, NULL) < 0;
	if (!ask)
		return;
	ret->guard = lz_guard_ask(&ctl->guard, &rule, when_s, now_s, lz_cases_automatic(ctl->ledger),
				  lz_sources_active(ctl));
	lz_case_guard_look(ctl);
}
