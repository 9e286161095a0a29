/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_colony.c - grades, arrows, ladder and decisions, row by row. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "colony/decide.h"
#include "lib/t.h"

#define NOW  1800000000ULL
#define HOUR 3600u
#define DAY  86400u

/* ---------------------------------------------------------------- grades */

static void reads_grades(void)
{
	static const struct {
		const char *text, *prints; /* NULL: refused */
	} rows[] = {
		{ "leaky", "garden:leaky" },
		{ "strict", "garden:strict" },
		{ "garden:leaky", "garden:leaky" },
		{ "garden:of-roses_2", "garden:of-roses_2" },
		{ "garden:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "garden:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ "block25", "block25" },
		{ "throttle 10/min", "throttle 10/min" },
		{ "throttle:10/min", "throttle 10/min" },
		{ "throttle 40/5min", "throttle 40/5min" },
		{ "notify", "notify" },
		{ "", "notify" },
		{ "rose", NULL },
		{ "garden:", NULL },
		{ "garden:a b", NULL },
		{ "garden:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
		{ "throttle", NULL },
		{ "throttled 10/min", NULL },
		{ "throttle 0/min", NULL },
		{ "throttle ten/min", NULL },
		{ "Block25", NULL },
		{ "block25 ", NULL },
	};
	char text[LZ_GRADE_TEXT_MAX];
	struct lz_grade grade, again;
	struct lz_err err;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		int r = lz_grade_parse(rows[i].text, &grade, &err);

		T_EQ(r == 0, rows[i].prints != NULL, rows[i].text);
		if (r < 0 || !rows[i].prints)
			continue;
		T_STR(lz_grade_format(&grade, text), rows[i].prints, rows[i].text);
		T_EQ(lz_grade_parse(text, &again, &err), 0, "what is printed is read");
		T_OK(lz_grade_equal(&grade, &again), "and is the same");
	}
}

static struct lz_grade grade_of(const char *text)
{
	struct lz_grade grade = { .kind = LZ_GRADE_IS_NONE };

	T_EQ(lz_grade_parse(text, &grade, NULL), 0, text);
	return grade;
}

static void orders_grades(void)
{
	static const char *const mild_to_hard[] = {
		"notify", "throttle 100/min", "throttle 1/s", "throttle 10/min", "throttle 14000/31d", "throttle 10000/31d",
		"block25", "leaky", "strict",
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(mild_to_hard); i++)
		for (size_t k = 0; k < LZ_ARRAY_SIZE(mild_to_hard); k++) {
			struct lz_grade a = grade_of(mild_to_hard[i]), b = grade_of(mild_to_hard[k]);

			T_EQ(lz_grade_harder(&a, &b), i > k, mild_to_hard[i]);
			T_EQ(lz_grade_equal(&a, &b), i == k, mild_to_hard[i]);
		}
}

/* ---------------------------------------------------------------- states */

static void knows_the_arrows(void)
{
	/* rows: from; columns: observed notified throttled blocked25 garden released watch closed */
	static const char *const arrows[LZ_CASE_N] = {
		".xxxxx.x", ".xxxxx.x", "..xxxx..", "..xxxx..", "..xxxx..", ".xxxx.xx", ".xxxx..x", "........",
	};

	for (int from = 0; from < LZ_CASE_N; from++)
		for (int to = 0; to < LZ_CASE_N; to++)
			T_EQ(lz_case_may_move(from, to), arrows[from][to] == 'x', lz_case_state_words[from]);
	T_OK(!lz_case_may_move(LZ_CASE_N, LZ_CASE_GARDEN), "no such state");
}

/* Who waits is not looked at again before his step is taken: so nobody may wait for nothing. */
static void knows_who_waits(void)
{
	struct lz_case c = { .state = LZ_CASE_NOTIFIED, .grade = { .kind = LZ_GRADE_IS_BLOCK25 }, .due_s = NOW };

	T_OK(lz_case_waits(&c), "for the end of a grace");
	c.due_s = 0;
	T_OK(!lz_case_waits(&c), "not without an end");
	c.due_s = NOW;
	c.grade.kind = LZ_GRADE_IS_NONE;
	T_OK(!lz_case_waits(&c), "nor who is only told");
	c.grade.kind = LZ_GRADE_IS_BLOCK25;
	c.state = LZ_CASE_WATCH;
	T_OK(!lz_case_waits(&c), "nor who was let go");
}

/* ---------------------------------------------------------------- ladder */

static struct lz_ladder home_ladder(__u32 grace_s)
{
	struct lz_ladder l = { .name = "home", .forget_s = 90 * DAY, .grace_s = grace_s, .n = 4 };

	l.step[0].grade = grade_of("notify");
	l.step[1] = (struct lz_ladder_step){ grade_of("throttle 10/min"), DAY };
	l.step[2] = (struct lz_ladder_step){ grade_of("block25"), 3 * DAY };
	l.step[3] = (struct lz_ladder_step){ grade_of("leaky"), 7 * DAY };
	return l;
}

static void climbs(void)
{
	struct lz_ladder l = home_ladder(0);
	static const struct {
		__s32 step;
		__u64 evidence_s, changed_s;
		__u32 next;
		const char *name;
	} rows[] = {
		{ -1, NOW, 0, 0, "a new case begins below" },
		{ 0, NOW, 0, 1, "then one higher" },
		{ 2, NOW, 0, 3, "to the top" },
		{ 3, NOW, 0, 3, "which comes again" },
		{ 7, NOW, 0, 3, "a ladder that became shorter" },
		{ 3, NOW - 90 * DAY, 0, 3, "remembered to the day" },
		{ 3, NOW - 90 * DAY - 1, 0, 0, "and forgotten then" },
		{ 3, NOW - 100 * DAY, NOW - DAY, 3, "a case that somebody moved since is not" },
		{ 2, NOW + HOUR, 0, 3, "nor because the clock was set back" },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct lz_case c = { .step = rows[i].step, .evidence_s = rows[i].evidence_s,
				     .changed_s = rows[i].changed_s };

		T_EQ(lz_ladder_next(&l, &c, NOW), rows[i].next, rows[i].name);
	}
}

/* ---------------------------------------------------------------- decisions */

/* A situation in short; what is not named is harmless. */
struct situation {
	const char *name;
	enum lz_case_state state;
	__s32 step;
	__u32 acted_ago_s; /* 0 = never */
	__u32 other_ago_s; /* another limit moved it; 0 = never */
	__u32 changed_ago_s; /* 0 = an hour */
	__u32 freed_ago_s; /* 0 = never */
	__u32 seen_ago_s; /* the evidence */
	__u32 grace_s;
	bool pending, forgeable, would, shared, never, exempt, no_ladder;
	enum lz_guard_answer guard;
	enum lz_evidence_kind kind;
	enum lz_decided what;
	enum lz_why_not why;
	enum lz_case_state to;
	__s32 to_step;
};

#define MOVES(to, step) LZ_DECIDED_MOVE, LZ_WHY_NOT_NONE, to, step
#define STAYS(why, state, step) LZ_DECIDED_RECORD, why, state, step
#define BARRED(why, to, step) LZ_DECIDED_REFUSE, why, to, step

static const struct situation situations[] = {
	{ "first evidence: told", .step = -1, .what = MOVES(LZ_CASE_NOTIFIED, 0) },
	{ "second: throttled", LZ_CASE_NOTIFIED, 0, .acted_ago_s = HOUR, .what = MOVES(LZ_CASE_THROTTLED, 1) },
	{ "third: blocked", LZ_CASE_THROTTLED, 1, .acted_ago_s = HOUR, .what = MOVES(LZ_CASE_BLOCKED25, 2) },
	{ "a blocked one cannot do more", LZ_CASE_BLOCKED25, 2, .acted_ago_s = HOUR,
	  .what = STAYS(LZ_WHY_NOT_HELD, LZ_CASE_BLOCKED25, 2) },
	{ "nor one in a garden", LZ_CASE_GARDEN, 3, .acted_ago_s = HOUR, .kind = LZ_EVIDENCE_SINK,
	  .what = STAYS(LZ_WHY_NOT_HELD, LZ_CASE_GARDEN, 3) },
	{ "unless the kernel held it anew", LZ_CASE_GARDEN, 3, .acted_ago_s = HOUR, .kind = LZ_EVIDENCE_HOLD,
	  .what = MOVES(LZ_CASE_GARDEN, 3) },
	{ "a repeater goes on", LZ_CASE_WATCH, 2, .acted_ago_s = DAY, .what = MOVES(LZ_CASE_GARDEN, 3) },
	{ "the same incident", LZ_CASE_NOTIFIED, 0, .acted_ago_s = 59,
	  .what = STAYS(LZ_WHY_NOT_SAME, LZ_CASE_NOTIFIED, 0) },
	{ "one window later", LZ_CASE_NOTIFIED, 0, .acted_ago_s = 60, .what = MOVES(LZ_CASE_THROTTLED, 1) },
	{ "older than what moved it", LZ_CASE_THROTTLED, 1, .acted_ago_s = HOUR, .seen_ago_s = 2 * HOUR,
	  .what = STAYS(LZ_WHY_NOT_SAME, LZ_CASE_THROTTLED, 1) },
	{ "another limit told him: told is told, the next step", LZ_CASE_NOTIFIED, -1, .other_ago_s = 5,
	  .what = MOVES(LZ_CASE_THROTTLED, 1) },
	{ "another limit took a step just now", LZ_CASE_NOTIFIED, 0, .acted_ago_s = HOUR, .other_ago_s = 5,
	  .what = MOVES(LZ_CASE_THROTTLED, 1) },
	{ "in the same second", LZ_CASE_NOTIFIED, 0, .acted_ago_s = HOUR, .other_ago_s = 5, .seen_ago_s = 5,
	  .what = MOVES(LZ_CASE_THROTTLED, 1) },
	{ "told for what came a second later", LZ_CASE_NOTIFIED, 0, .acted_ago_s = HOUR, .other_ago_s = 5,
	  .seen_ago_s = 6, .what = MOVES(LZ_CASE_THROTTLED, 1) },
	{ "the same incident, whatever moved it since", LZ_CASE_NOTIFIED, 0, .acted_ago_s = 59, .other_ago_s = 5,
	  .what = STAYS(LZ_WHY_NOT_SAME, LZ_CASE_NOTIFIED, 0) },
	{ "another limit held him for a moment", LZ_CASE_RELEASED, -1, .other_ago_s = 5,
	  .what = MOVES(LZ_CASE_NOTIFIED, 0) },
	{ "another limit held him after this", LZ_CASE_RELEASED, -1, .other_ago_s = 5, .seen_ago_s = 6,
	  .what = STAYS(LZ_WHY_NOT_SAME, LZ_CASE_RELEASED, -1) },
	{ "another limit throttled him before", LZ_CASE_THROTTLED, 1, .other_ago_s = 5, .changed_ago_s = 5,
	  .what = MOVES(LZ_CASE_BLOCKED25, 2) },
	{ "in this second", LZ_CASE_THROTTLED, 1, .other_ago_s = 5, .changed_ago_s = 5, .seen_ago_s = 5,
	  .what = STAYS(LZ_WHY_NOT_HELD, LZ_CASE_THROTTLED, 1) },
	{ "an operator throttled him after this", LZ_CASE_THROTTLED, -1, .changed_ago_s = 5, .seen_ago_s = 6,
	  .what = STAYS(LZ_WHY_NOT_HELD, LZ_CASE_THROTTLED, -1) },
	{ "seen before its time was over: it went on", LZ_CASE_RELEASED, 1, .changed_ago_s = 5, .seen_ago_s = 6,
	  .what = MOVES(LZ_CASE_BLOCKED25, 2) },
	{ "older than a release by staff", LZ_CASE_RELEASED, 1, .freed_ago_s = 10, .seen_ago_s = 11,
	  .what = STAYS(LZ_WHY_NOT_OLD, LZ_CASE_RELEASED, 1) },
	{ "of the same second", LZ_CASE_RELEASED, 1, .freed_ago_s = 10, .seen_ago_s = 10,
	  .what = STAYS(LZ_WHY_NOT_OLD, LZ_CASE_RELEASED, 1) },
	{ "newer than it", LZ_CASE_RELEASED, 1, .freed_ago_s = 10, .seen_ago_s = 9,
	  .what = MOVES(LZ_CASE_BLOCKED25, 2) },
	{ "grace: told first", .state = LZ_CASE_NOTIFIED, .step = 1, .acted_ago_s = HOUR, .grace_s = 300,
	  .what = MOVES(LZ_CASE_NOTIFIED, 2) },
	{ "grace: no second step meanwhile", LZ_CASE_NOTIFIED, 2, .acted_ago_s = HOUR, .grace_s = 300,
	  .pending = true, .what = STAYS(LZ_WHY_NOT_GRACE, LZ_CASE_NOTIFIED, 2) },
	{ "grace: not for who is held", LZ_CASE_THROTTLED, 1, .acted_ago_s = HOUR, .grace_s = 300,
	  .what = MOVES(LZ_CASE_BLOCKED25, 2) },
	{ "forgeable: is told", .step = -1, .forgeable = true, .what = MOVES(LZ_CASE_NOTIFIED, 0) },
	{ "forgeable: is slowed down", LZ_CASE_NOTIFIED, 0, .acted_ago_s = HOUR, .forgeable = true,
	  .what = MOVES(LZ_CASE_THROTTLED, 1) },
	{ "forgeable: is not held", LZ_CASE_WATCH, 1, .acted_ago_s = HOUR, .forgeable = true,
	  .what = BARRED(LZ_WHY_NOT_FORGEABLE, LZ_CASE_BLOCKED25, 2) },
	{ "monitored", .step = -1, .would = true, .what = STAYS(LZ_WHY_NOT_MONITOR, LZ_CASE_OBSERVED, -1) },
	{ "never-list", .step = -1, .never = true, .what = STAYS(LZ_WHY_NOT_NEVER, LZ_CASE_OBSERVED, -1) },
	{ "exception", .step = -1, .exempt = true, .what = STAYS(LZ_WHY_NOT_EXEMPT, LZ_CASE_OBSERVED, -1) },
	{ "shared: told", .step = -1, .shared = true, .what = MOVES(LZ_CASE_NOTIFIED, 0) },
	{ "shared: never held", LZ_CASE_NOTIFIED, 0, .acted_ago_s = HOUR, .shared = true,
	  .what = BARRED(LZ_WHY_NOT_SHARED, LZ_CASE_THROTTLED, 1) },
	{ "guard", LZ_CASE_NOTIFIED, 0, .acted_ago_s = HOUR, .guard = LZ_GUARD_MINUTE,
	  .what = BARRED(LZ_WHY_NOT_GUARD, LZ_CASE_THROTTLED, 1) },
	{ "guard: telling is free", .step = -1, .guard = LZ_GUARD_SHARE, .what = MOVES(LZ_CASE_NOTIFIED, 0) },
	{ "guard: a held one is not new", LZ_CASE_THROTTLED, 1, .acted_ago_s = HOUR, .guard = LZ_GUARD_MINUTE,
	  .what = MOVES(LZ_CASE_BLOCKED25, 2) },
	{ "no ladder", .step = -1, .no_ladder = true, .what = STAYS(LZ_WHY_NOT_NONE, LZ_CASE_OBSERVED, -1) },
};

static void decides(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(situations); i++) {
		const struct situation *s = &situations[i];
		struct lz_ladder ladder = home_ladder(s->grace_s);
		struct lz_case c = { .state = s->state, .step = s->step, .evidence_s = NOW - s->acted_ago_s,
				     .changed_s = NOW - (s->changed_ago_s ?: HOUR) };
		struct lz_evidence e = { .time_s = NOW - s->seen_ago_s, .apart_s = 60, .kind = s->kind,
					 .proven = !s->forgeable, .would = s->would, .source = "limit:spam" };
		struct lz_facts facts = { s->shared, s->never, s->exempt, s->guard };
		struct lz_decision d;

		if (s->acted_ago_s)
			lz_case_act(&c, "limit:spam", NOW - s->acted_ago_s);
		if (s->other_ago_s)
			lz_case_act(&c, "limit:other", NOW - s->other_ago_s);
		c.freed_s = s->freed_ago_s ? NOW - s->freed_ago_s : 0;
		c.due_s = s->state == LZ_CASE_NOTIFIED ? NOW + DAY : 0; /* to be forgotten */
		if (s->pending) {
			c.grade = ladder.step[s->step].grade;
			c.due_s = NOW + 100;
		}
		lz_decide_evidence(&c, s->no_ladder ? NULL : &ladder, &e, &facts, NOW, &d);
		T_EQ(d.what, s->what, s->name);
		T_EQ(d.why, s->why, s->name);
		T_EQ(d.to, s->to, s->name);
		T_EQ(d.step, s->to_step, s->name);
		if (d.what == LZ_DECIDED_MOVE && d.to == LZ_CASE_NOTIFIED)
			T_EQ(d.due_s, NOW + (s->grace_s ?: ladder.forget_s), "the end of the grace, or of the memory");
	}
}

/* What a clock dated that was a year ahead makes nobody immune for a year; an NTP step is none such. */
static void outlives_a_wrong_clock(void)
{
	struct lz_ladder ladder = home_ladder(0);
	struct lz_case c = { .state = LZ_CASE_RELEASED, .step = 1, .freed_s = NOW + 365ULL * DAY };
	struct lz_evidence e = { .time_s = NOW, .apart_s = 60, .proven = true, .source = "limit:spam" };
	struct lz_facts facts = { .guard = LZ_GUARD_OK };
	struct lz_decision d;

	lz_case_act(&c, "limit:spam", NOW + 365ULL * DAY);
	lz_decide_evidence(&c, &ladder, &e, &facts, NOW, &d);
	T_EQ(d.what, LZ_DECIDED_MOVE, "a year ahead: held again");
	c.freed_s = NOW + 2;
	lz_decide_evidence(&c, &ladder, &e, &facts, NOW, &d);
	T_EQ(d.why, LZ_WHY_NOT_OLD, "two seconds ahead: the operator's word stands");
}

/* A limit that only tells makes one ticket, not one an hour. */
static void tells_once(void)
{
	struct lz_ladder once = { .only_tells = true, .forget_s = 14 * DAY, .n = 1 };
	struct lz_ladder blocks = { .name = "blocks", .forget_s = 14 * DAY, .n = 2,
				    .step = { { grade_of("block25"), DAY }, { grade_of("leaky"), DAY } } };
	struct lz_case c = { .state = LZ_CASE_NOTIFIED, .step = -1, .evidence_s = NOW - DAY };
	struct lz_evidence e = { .time_s = NOW, .proven = true, .source = "limit:hour" };
	struct lz_facts facts = { 0 };
	struct lz_decision d;

	lz_case_act(&c, "limit:hour", NOW - DAY);
	lz_decide_evidence(&c, &once, &e, &facts, NOW, &d);
	T_EQ(d.what, LZ_DECIDED_RECORD, "told already");
	T_EQ(d.why, LZ_WHY_NOT_TOLD, "and why not");
	lz_decide_evidence(&c, &blocks, &e, &facts, NOW, &d);
	T_EQ(d.to, LZ_CASE_BLOCKED25, "telling was no step of a ladder: it begins with its first");
	T_EQ(d.step, 0, "which is taken");
	c.evidence_s = NOW - 15 * DAY;
	lz_case_act(&c, "limit:hour", c.evidence_s);
	lz_decide_evidence(&c, &once, &e, &facts, NOW, &d);
	T_EQ(d.what, LZ_DECIDED_MOVE, "forgotten: told again");
	c.state = LZ_CASE_WATCH;
	c.step = 1;
	c.evidence_s = NOW - DAY;
	lz_decide_evidence(&c, &once, &e, &facts, NOW, &d);
	T_EQ(d.to, LZ_CASE_NOTIFIED, "let go by a ladder: told");
	T_EQ(d.step, 1, "and where he stood on it is not forgotten");
}

/* Steps that only tell, wherever a ladder has them: each is taken once, and none lets anybody go. */
static void tells_at_any_step(void)
{
	struct lz_ladder l = { .forget_s = 90 * DAY, .n = 4,
			       .step = { { .grade = grade_of("notify") }, { .grade = grade_of("notify") },
					 { grade_of("throttle 10/min"), DAY }, { .grade = grade_of("notify") } } };
	struct lz_case c = { .state = LZ_CASE_NOTIFIED, .step = 0, .evidence_s = NOW - HOUR, .self_releases = 2 };
	struct lz_evidence e = { .time_s = NOW, .proven = true, .source = "limit:spam" };
	struct lz_facts facts = { .guard = LZ_GUARD_OK };
	struct lz_decision d;

	lz_decide_evidence(&c, &l, &e, &facts, NOW, &d);
	T_EQ(d.what, LZ_DECIDED_MOVE, "told once: told a second time");
	T_EQ(d.step, 1, "which is a step");
	T_EQ(d.self_releases, 2, "and what he has used up is known");
	c.step = 1;
	lz_decide_evidence(&c, &l, &e, &facts, NOW, &d);
	T_EQ(d.to, LZ_CASE_THROTTLED, "told twice: the step after it");
	c = (struct lz_case){ .state = LZ_CASE_THROTTLED, .step = 2, .grade = l.step[2].grade,
			      .evidence_s = NOW - HOUR, .changed_s = NOW - HOUR };
	lz_decide_evidence(&c, &l, &e, &facts, NOW, &d);
	T_EQ(d.to, LZ_CASE_THROTTLED, "a throttled one is not let go by being told");
	T_OK(lz_grade_equal(&d.grade, &c.grade), "nor faster");
	T_EQ(d.for_s, 0, "nor for longer");
	T_EQ(d.due_s, 0, "and the clock has nothing to do");
	T_EQ(d.step, 3, "but he was told");
	c = (struct lz_case){ .state = LZ_CASE_NOTIFIED, .step = 3, .evidence_s = NOW - HOUR };
	lz_decide_evidence(&c, &l, &e, &facts, NOW, &d);
	T_EQ(d.why, LZ_WHY_NOT_TOLD, "the last step does not tell again and again");
	c = (struct lz_case){ .state = LZ_CASE_WATCH, .step = 3, .evidence_s = NOW - 91 * DAY, .self_releases = 2 };
	lz_decide_evidence(&c, &l, &e, &facts, NOW, &d);
	T_EQ(d.step, 0, "forgotten: the first step");
	T_EQ(d.self_releases, 0, "and he may release himself again");
}

/* Who moved it when is kept of each limit; beyond the room for that the oldest is forgotten. */
static void knows_who_acted(void)
{
	struct lz_case c = { .step = -1 };
	char name[24];

	T_EQ(lz_case_acted_s(&c, ""), 0, "nobody yet");
	for (__u32 i = 0; i <= LZ_CASE_ACTED_MAX; i++) {
		snprintf(name, sizeof(name), "limit:%u", i);
		lz_case_act(&c, name, NOW + i);
		lz_case_act(&c, "limit:often", NOW + i);
		T_EQ(lz_case_acted_s(&c, name), NOW + i, name);
	}
	T_EQ(lz_case_acted_s(&c, "limit:often"), NOW + LZ_CASE_ACTED_MAX, "the newest of one");
	T_EQ(lz_case_acted_s(&c, "limit:0"), 0, "the oldest went");
	T_EQ(lz_case_acted_s(&c, "limit:2"), NOW + 2, "no other");
	T_EQ(c.acted_s, NOW + LZ_CASE_ACTED_MAX, "the last of all");
}

static void moves_with_the_clock(void)
{
	struct lz_case c = { .state = LZ_CASE_GARDEN, .step = 3, .grade = grade_of("leaky") };
	struct lz_facts facts = { 0 };
	struct lz_decision d;

	T_OK(!lz_decide_clock(&c, true, &facts, NOW, &d), "held: stays");
	T_OK(lz_decide_clock(&c, false, &facts, NOW, &d), "over: moves");
	T_EQ(d.to, LZ_CASE_RELEASED, "to released");
	c.state = d.to;
	c.due_s = d.due_s;
	T_OK(!lz_decide_clock(&c, false, &facts, c.due_s - 1, &d), "not before its time");
	T_OK(lz_decide_clock(&c, false, &facts, c.due_s, &d), "then");
	T_EQ(d.to, LZ_CASE_WATCH, "watched");
	T_EQ(d.due_s, c.due_s + 14 * DAY, "for 14 days");
	T_OK(lz_decide_clock(&c, false, &facts, c.due_s + DAY, &d), "a daemon that was away for a day");
	T_EQ(d.due_s, c.due_s + 14 * DAY, "watches no longer for it");
	c.state = d.to;
	c.due_s = d.due_s;
	T_OK(lz_decide_clock(&c, false, &facts, c.due_s, &d), "and then");
	T_EQ(d.to, LZ_CASE_CLOSED, "closed");
	c.state = d.to;
	T_OK(!lz_decide_clock(&c, false, &facts, c.due_s + DAY, &d), "closed for good");
	c = (struct lz_case){ .state = LZ_CASE_NOTIFIED, .grade = grade_of("block25"), .for_s = HOUR, .due_s = NOW };
	T_OK(lz_decide_clock(&c, false, &facts, NOW, &d), "the grace is over");
	T_EQ(d.what, LZ_DECIDED_MOVE, "the step is taken");
	T_EQ(d.to, LZ_CASE_BLOCKED25, "which it waited for");
	T_EQ(d.for_s, HOUR, "for its time");
	facts.guard = LZ_GUARD_MINUTE;
	T_OK(lz_decide_clock(&c, false, &facts, NOW, &d), "but not against the guard");
	T_EQ(d.what, LZ_DECIDED_REFUSE, "refused");
	T_OK(d.due_s > NOW, "and asked again later");
	for (int i = 0; i < 3; i++) { /* what came to be true while it waited */
		static const enum lz_why_not why[] = { LZ_WHY_NOT_NEVER, LZ_WHY_NOT_EXEMPT, LZ_WHY_NOT_SHARED };

		facts = (struct lz_facts){ .never = i == 0, .exempt = i == 1, .shared = i == 2 };
		T_OK(lz_decide_clock(&c, false, &facts, NOW, &d), "asked at the end of the grace");
		T_EQ(d.what, LZ_DECIDED_REFUSE, "who is protected by then is not held");
		T_EQ(d.why, why[i], "and why not");
	}
}

/* ---------------------------------------------------------------- terms */

static void merges_terms(void)
{
	struct lz_grade strict = grade_of("strict"), block = grade_of("block25");
	struct lz_terms old = { 1000 + HOUR, HOUR, grade_of("leaky") }, got;

	T_OK(lz_terms_merge(NULL, NULL, 1000 + DAY, 0, 1000, &got), "new");
	T_EQ(got.end_s, 1000 + DAY, "its end");
	T_STR(got.grade.garden, "leaky", "leaky unless told");
	T_OK(!lz_terms_merge(&old, NULL, 1000 + 60, 0, 1000, &got), "never shorter");
	T_EQ(got.end_s, old.end_s, "never shorter: its end");
	T_OK(lz_terms_merge(&old, NULL, 1000 + 60, LZ_EXACT_TIME, 1000, &got), "but by an operator");
	T_EQ(got.end_s, 1060, "but by an operator: its end");
	T_OK(!lz_terms_merge(&old, &block, 0, 0, 1000, &got), "never softer");
	T_OK(lz_terms_merge(&old, &block, 0, LZ_EXACT_GRADE, 1000, &got), "but by an operator");
	T_EQ(got.grade.kind, LZ_GRADE_IS_BLOCK25, "softer");
	T_OK(lz_terms_merge(&old, &strict, 0, 0, 1000, &got), "harder by itself");
	T_EQ(got.end_s, old.end_s, "and no longer");
	lz_terms_merge(&old, NULL, 1000 + 100ULL * DAY, LZ_EXACT_TIME, 1000, &got);
	T_EQ(got.end_s, 1000 + 31 * DAY, "31 days at most, whoever asks");
	T_OK(!lz_terms_merge(NULL, &strict, 0, 0, 1000, &got), "what does not stand is not held for no time");
	T_OK(!lz_terms_merge(&old, NULL, 0, 0, old.end_s, &got), "nor is what has ended");
	T_OK(lz_terms_merge(&old, NULL, old.end_s + 10, 0, old.end_s, &got), "an ended one is none");
	T_EQ(got.end_s, old.end_s + 10, "an ended one is none: its end");
	T_OK(lz_terms_merge(&old, &block, 0, LZ_EXACT_TIME | LZ_EXACT_GRADE, 1000, &got), "another grade and no time");
	T_EQ(got.end_s, old.end_s, "leaves the end where it is");
	T_OK(!lz_terms_merge(&old, NULL, old.end_s, 0, 1000 + 60, &got), "the same end again is no change");
	T_EQ(got.ttl_s, HOUR, "nor is the time that was granted");
	old.grade = strict;
	T_OK(lz_terms_merge(&old, NULL, old.end_s + 10, 0, old.end_s, &got), "after the end of a hard one");
	T_STR(got.grade.garden, "leaky", "nobody is held as hard for nothing");
}

static const struct t_case cases[] = {
	{ "grades are read and printed", reads_grades },
	{ "grades have an order", orders_grades },
	{ "states have their arrows", knows_the_arrows },
	{ "who waits for a step", knows_who_waits },
	{ "a ladder climbs, and forgets", climbs },
	{ "evidence decides", decides },
	{ "a wrong clock", outlives_a_wrong_clock },
	{ "told once", tells_once },
	{ "steps that tell", tells_at_any_step },
	{ "who acted", knows_who_acted },
	{ "the clock moves a case", moves_with_the_clock },
	{ "terms are merged", merges_terms },
};

int main(void)
{
	return T_MAIN(cases);
}
