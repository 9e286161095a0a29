/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* decide.c - evidence and time move a case; see decide.h for what never happens. */
#include "colony/decide.h"

#include <string.h>

#include "base/mem.h"

/* A wall clock that was further ahead than this was wrong: what it dated keeps nobody from being held. */
#define CLOCK_SLACK_S 3600

/* A step that may not be taken at the end of its grace is asked for again so much later. */
#define RETRY_S 60

const char *const lz_evidence_words[LZ_EVIDENCE_N] = {
	[LZ_EVIDENCE_LIMIT] = "limit", [LZ_EVIDENCE_HOLD] = "hold", [LZ_EVIDENCE_SINK] = "sink",
	[LZ_EVIDENCE_REPORT] = "report", [LZ_EVIDENCE_STAFF] = "staff",
};

const char *const lz_why_not_texts[LZ_WHY_NOT_N] = {
	[LZ_WHY_NOT_NONE] = "",
	[LZ_WHY_NOT_OLD] = "an operator let him go after this was seen",
	[LZ_WHY_NOT_SAME] = "the same incident was acted upon already",
	[LZ_WHY_NOT_TOLD] = "he was told already",
	[LZ_WHY_NOT_HELD] = "he is held already",
	[LZ_WHY_NOT_MONITOR] = "the rule is in monitor mode",
	[LZ_WHY_NOT_GRACE] = "a step waits for the end of its grace",
	[LZ_WHY_NOT_SHARED] = "many customers are behind this address",
	[LZ_WHY_NOT_NEVER] = "it must never be held",
	[LZ_WHY_NOT_EXEMPT] = "an exception is in force",
	[LZ_WHY_NOT_FORGEABLE] = "a source address can be forged; holding wants a handshake or "
				 "validated sources",
	[LZ_WHY_NOT_GUARD] = "the guard: too many would be held at once",
};

static void answer(struct lz_decision *ret, enum lz_decided what, enum lz_why_not why)
{
	ret->what = what;
	ret->why = why;
}

static bool is_dated(__u64 stamp_s, __u64 now_s)
{
	return stamp_s && stamp_s <= now_s + CLOCK_SLACK_S;
}

/* An incident is of a limit: what another limit did meanwhile is none of this one's. But what was seen before
 * a hold that is over by now was answered by it; who was only told was answered nothing. */
static bool is_same(const struct lz_case *c, const struct lz_evidence *e, __u64 now_s)
{
	__u64 own_s = lz_case_acted_s(c, e->source);

	if (is_dated(own_s, now_s) && e->time_s < own_s + e->apart_s)
		return true;
	return c->state != LZ_CASE_NOTIFIED && is_dated(c->acted_s, now_s) && e->time_s < c->acted_s;
}

/* Evidence that is worth writing down and no more; NONE: it counts. */
static enum lz_why_not find_no_reason(const struct lz_case *c, const struct lz_evidence *e, __u64 now_s)
{
	if (is_dated(c->freed_s, now_s) && e->time_s <= c->freed_s)
		return LZ_WHY_NOT_OLD;
	if (lz_case_waits(c))
		return LZ_WHY_NOT_GRACE;
	if (is_same(c, e, now_s))
		return LZ_WHY_NOT_SAME;
	/* Over two limits in one second: the hold for the first answers both. */
	if (lz_case_holds(c->state) && is_dated(c->changed_s, now_s) && e->time_s <= c->changed_s)
		return LZ_WHY_NOT_HELD;
	/* A throttled host that goes on is worth the next step. A blocked one can only try, and what
	 * is told of it late was done before. */
	if ((c->state == LZ_CASE_BLOCKED25 || c->state == LZ_CASE_GARDEN) &&
	    e->kind != LZ_EVIDENCE_HOLD)
		return LZ_WHY_NOT_HELD;
	return LZ_WHY_NOT_NONE;
}

static enum lz_why_not find_protection(const struct lz_evidence *e, const struct lz_facts *facts)
{
	if (e->would)
		return LZ_WHY_NOT_MONITOR;
	if (facts->never)
		return LZ_WHY_NOT_NEVER;
	if (facts->exempt)
		return LZ_WHY_NOT_EXEMPT;
	return LZ_WHY_NOT_NONE;
}

/* May this grade be put upon the host? Telling and slowing down hurt nobody who is innocent much. */
static enum lz_why_not find_obstacle(const struct lz_case *c, const struct lz_grade *grade,
				     bool proven, const struct lz_facts *facts)
{
	if (grade->kind == LZ_GRADE_IS_NONE)
		return LZ_WHY_NOT_NONE;
	if (facts->never)
		return LZ_WHY_NOT_NEVER;
	if (facts->exempt)
		return LZ_WHY_NOT_EXEMPT;
	if (facts->shared)
		return LZ_WHY_NOT_SHARED;
	if (!proven && grade->kind > LZ_GRADE_IS_THROTTLE)
		return LZ_WHY_NOT_FORGEABLE;
	if (!lz_case_holds(c->state) && facts->guard != LZ_GUARD_OK)
		return LZ_WHY_NOT_GUARD;
	return LZ_WHY_NOT_NONE;
}

static void take_step(const struct lz_case *c, const struct lz_ladder *ladder, __u32 step, __u64 now_s,
		      struct lz_decision *ret)
{
	const struct lz_ladder_step *s = &ladder->step[step];

	if (!ladder->only_tells)
		ret->step = (__s32)step;
	ret->grade = s->grade;
	ret->for_s = s->for_s;
	if (s->grade.kind == LZ_GRADE_IS_NONE) {
		ret->to = LZ_CASE_NOTIFIED;
		ret->due_s = now_s + ladder->forget_s;
	} else if (ladder->grace_s && !lz_case_holds(c->state)) {
		ret->to = LZ_CASE_NOTIFIED;
		ret->due_s = now_s + ladder->grace_s;
	} else {
		ret->to = lz_case_state_of(&s->grade);
	}
}

void lz_decide_evidence(const struct lz_case *c, const struct lz_ladder *ladder,
			const struct lz_evidence *e, const struct lz_facts *facts, __u64 now_s,
			struct lz_decision *ret)
{
	enum lz_why_not why = find_protection(e, facts);
	__u32 step;

	*ret = (struct lz_decision){ .to = c->state, .step = c->step, .due_s = c->due_s,
				     .self_releases = c->self_releases };
	if (why == LZ_WHY_NOT_NONE)
		why = find_no_reason(c, e, now_s);
	if (!ladder || why != LZ_WHY_NOT_NONE) {
		answer(ret, LZ_DECIDED_RECORD, why);
		return;
	}
	step = ladder->only_tells ? 0 : lz_ladder_next(ladder, c, now_s);
	if (lz_ladder_forgot(ladder, c, now_s)) {
		ret->self_releases = 0;
	} else if (c->state == LZ_CASE_NOTIFIED && c->step < 0 && step + 1 < ladder->n &&
		   ladder->step[step].grade.kind == LZ_GRADE_IS_NONE) {
		step++; /* a limit that only notifies has told him */
	} else if (c->state == LZ_CASE_NOTIFIED && (c->step < 0 || (__s32)step <= c->step) &&
		   ladder->step[step].grade.kind == LZ_GRADE_IS_NONE) {
		answer(ret, LZ_DECIDED_RECORD, LZ_WHY_NOT_TOLD); /* one ticket, not one an hour */
		return;
	}
	take_step(c, ladder, step, now_s, ret);
	/* A throttled host is not let go by being told. */
	if (lz_case_holds(c->state) && !lz_case_holds(ret->to)) {
		ret->to = c->state;
		ret->grade = c->grade;
		ret->due_s = 0;
	}
	why = find_obstacle(c, &ret->grade, e->proven, facts);
	answer(ret, why == LZ_WHY_NOT_NONE ? LZ_DECIDED_MOVE : LZ_DECIDED_REFUSE, why);
}

bool lz_decide_clock(const struct lz_case *c, bool held, const struct lz_facts *facts, __u64 now_s,
		     struct lz_decision *ret)
{
	enum lz_why_not why;

	*ret = (struct lz_decision){ .what = LZ_DECIDED_MOVE, .to = c->state, .step = c->step,
				     .grade = c->grade, .self_releases = c->self_releases };
	if (lz_case_holds(c->state)) {
		ret->to = LZ_CASE_RELEASED;
		ret->due_s = now_s + LZ_CASE_RELEASED_S;
		return !held;
	}
	if (!c->due_s || now_s < c->due_s || c->state == LZ_CASE_CLOSED)
		return false;
	if (c->state == LZ_CASE_RELEASED) {
		ret->to = LZ_CASE_WATCH;
		ret->due_s = c->due_s + LZ_CASE_WATCH_S;
		return true;
	}
	if (c->state != LZ_CASE_NOTIFIED || c->grade.kind == LZ_GRADE_IS_NONE) {
		ret->to = LZ_CASE_CLOSED;
		return true;
	}
	/* Whether it was proven was asked when the step was chosen. */
	why = find_obstacle(c, &c->grade, true, facts);
	ret->for_s = c->for_s;
	ret->to = lz_case_state_of(&c->grade);
	if (why != LZ_WHY_NOT_NONE) {
		answer(ret, LZ_DECIDED_REFUSE, why);
		ret->due_s = now_s + RETRY_S;
	}
	return true;
}

bool lz_terms_merge(const struct lz_terms *old, const struct lz_grade *grade, __u64 end_s,
		    unsigned int exact, __u64 now_s, struct lz_terms *ret)
{
	struct lz_terms merged = { .end_s = 0 };
	bool stands = old && old->end_s > now_s;

	if (end_s > now_s + LZ_CASE_HOLD_MAX_S)
		end_s = now_s + LZ_CASE_HOLD_MAX_S;
	if (stands)
		merged = *old;
	else
		merged.grade = (struct lz_grade){ .kind = LZ_GRADE_IS_GARDEN, .garden = "leaky" };
	if (end_s > now_s && (!stands || (exact & LZ_EXACT_TIME) || end_s > old->end_s)) {
		merged.end_s = end_s;
		merged.ttl_s = (__u32)(end_s - now_s);
	}
	if (grade && (!stands || (exact & LZ_EXACT_GRADE) || lz_grade_harder(grade, &merged.grade)))
		merged.grade = *grade;
	*ret = merged;
	if (!stands)
		return merged.end_s;
	return merged.end_s != old->end_s || !lz_grade_equal(&merged.grade, &old->grade);
}
