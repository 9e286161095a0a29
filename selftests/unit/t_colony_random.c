/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_colony_random.c - random histories of a case. Whatever happens in whatever order: nothing that
 * happens by itself shortens or softens a hold, none ends later than 31 days from now, every move is an
 * arrow, and an operator's release holds until there is newer evidence.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "colony/decide.h"
#include "colony/release.h"
#include "lib/t.h"

#define HISTORIES 20000
#define EVENTS	  60

struct host {
	struct lz_case c;
	struct lz_terms hold; /* end_s in wall clock here; 0 = not held */
	__u64 now_s;
	bool ever_freed;
};

static __u64 seed;

static __u32 draw(__u32 below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (__u32)(seed >> 33) % below;
}

static struct lz_grade random_grade(bool none)
{
	static const char *const texts[] = { "notify", "throttle 10/min", "throttle 2/s", "block25", "leaky", "strict" };
	struct lz_grade grade = { .kind = LZ_GRADE_IS_NONE };

	lz_grade_parse(texts[none ? draw(6) : 1 + draw(5)], &grade, NULL);
	return grade;
}

static void random_ladder(struct lz_ladder *l)
{
	*l = (struct lz_ladder){ .forget_s = 1 + draw(100 * 86400), .grace_s = draw(3) ? 0 : draw(7 * 86400),
				 .n = 1 + draw(LZ_LADDER_STEPS_MAX) };
	for (__u32 i = 0; i < l->n; i++) {
		l->step[i].grade = random_grade(true);
		if (l->step[i].grade.kind != LZ_GRADE_IS_NONE)
			l->step[i].for_s = 1 + draw(LZ_CASE_HOLD_MAX_S + 86400); /* a policy beyond the cap, too */
	}
}

static bool is_held(const struct host *h)
{
	return h->hold.end_s > h->now_s;
}

/* As the daemon does: the grade and the end are merged into what stands. */
static void apply(struct host *h, enum lz_case_state to, const struct lz_grade *grade, __u32 for_s,
		  unsigned int exact)
{
	struct lz_terms old = h->hold, got;
	bool held = is_held(h);

	if (to != h->c.state)
		T_OK(lz_case_may_move(h->c.state, to), "an arrow");
	if (!lz_case_holds(to)) {
		h->hold = (struct lz_terms){ .end_s = 0 };
	} else {
		lz_terms_merge(held ? &old : NULL, grade, for_s ? h->now_s + for_s : 0, exact, h->now_s, &got);
		T_OK(got.end_s <= h->now_s + LZ_CASE_HOLD_MAX_S || (held && got.end_s == old.end_s),
		     "31 days at most");
		if (held && !exact) {
			T_OK(got.end_s >= old.end_s, "never shorter");
			T_OK(!lz_grade_harder(&old.grade, &got.grade), "never softer");
		}
		h->hold = got;
		to = lz_case_state_of(&got.grade);
	}
	h->c.state = to;
	h->c.changed_s = h->now_s;
}

static void see_evidence(struct host *h, const struct lz_ladder *l)
{
	struct lz_evidence e = { .time_s = h->now_s - draw(3 * 86400), .apart_s = draw(2 * 86400),
				 .kind = draw(LZ_EVIDENCE_N), .proven = draw(4), .would = !draw(6) };
	static const char *const sources[] = { "limit:hour", "limit:day", "limit:burst" };
	struct lz_facts facts = { !draw(10), !draw(10), !draw(10), draw(4) ? LZ_GUARD_OK : draw(3) };
	bool held = is_held(h);
	struct lz_decision d;

	lz_strcpy(e.source, sizeof(e.source), sources[draw(3)]);
	lz_decide_evidence(&h->c, l, &e, &facts, h->now_s, &d);
	if (d.what != LZ_DECIDED_MOVE)
		return;
	T_OK(!h->ever_freed || e.time_s > h->c.freed_s, "an operator's release holds against older evidence");
	T_OK(e.time_s >= lz_case_acted_s(&h->c, e.source) + e.apart_s || !lz_case_acted_s(&h->c, e.source),
	     "an incident of a limit moves once");
	T_OK(!lz_case_holds(h->c.state) || e.time_s > h->c.changed_s, "what was before a hold makes it no harder");
	T_OK(!(facts.never || facts.exempt || e.would), "nobody protected is moved");
	T_OK(!held || lz_case_holds(d.to), "evidence frees nobody");
	if (lz_case_holds(d.to) && !held) {
		T_OK(!facts.shared, "no shared address is held");
		T_OK(facts.guard == LZ_GUARD_OK, "nobody is held against the guard");
		T_OK(e.proven || d.grade.kind <= LZ_GRADE_IS_THROTTLE, "nobody is held on what can be forged");
	}
	h->c.step = d.step;
	h->c.due_s = d.due_s;
	h->c.grade = d.grade;
	h->c.for_s = d.for_s;
	h->c.evidence_s = e.time_s;
	lz_case_act(&h->c, e.source, e.time_s);
	h->c.self_releases = d.self_releases;
	apply(h, d.to, &d.grade, d.for_s, 0);
}

static void let_time_pass(struct host *h)
{
	struct lz_facts facts = { !draw(10), !draw(10), !draw(10), draw(3) ? LZ_GUARD_OK : LZ_GUARD_MINUTE };
	struct lz_decision d;
	bool held;

	h->now_s += draw(4) ? draw(7200) : draw(20 * 86400);
	held = is_held(h);
	if (!lz_decide_clock(&h->c, held, &facts, h->now_s, &d))
		return;
	T_OK(!held, "the clock moves nobody who is held");
	h->c.due_s = d.due_s;
	if (d.what == LZ_DECIDED_MOVE)
		apply(h, d.to, &d.grade, d.for_s, 0);
}

static void hear_operator(struct host *h)
{
	struct lz_grade grade = random_grade(false);

	if (draw(2) && (is_held(h) || h->c.state == LZ_CASE_NOTIFIED)) {
		apply(h, LZ_CASE_RELEASED, NULL, 0, 0);
		h->c.freed_s = h->now_s;
		h->c.due_s = h->now_s + LZ_CASE_RELEASED_S;
		h->ever_freed = true;
	} else if (h->c.state != LZ_CASE_CLOSED) {
		apply(h, lz_case_state_of(&grade), &grade, 1 + draw(LZ_CASE_HOLD_MAX_S),
		      draw(2) ? LZ_EXACT_TIME | LZ_EXACT_GRADE : 0);
	}
}

static void release_itself(struct host *h)
{
	struct lz_release_rule rule = { draw(4), draw(3600) };
	__u64 seen_s = h->c.evidence_s;
	__u32 wait_s;

	if (!is_held(h) || lz_release_ask(&h->c, &rule, seen_s, h->now_s, &wait_s) != LZ_RELEASE_MAY)
		return;
	T_OK(h->c.self_releases < rule.times, "only so often");
	T_OK(!seen_s || h->now_s - seen_s >= rule.quiet_s, "only when it is quiet");
	h->c.self_releases++;
	apply(h, LZ_CASE_RELEASED, NULL, 0, 0);
	h->c.due_s = h->now_s + LZ_CASE_RELEASED_S;
}

static void live(__u64 number)
{
	struct host h = { .c = { .state = LZ_CASE_OBSERVED, .step = -1 }, .now_s = 1800000000 };
	struct lz_ladder ladder;

	seed = number * 0x9e3779b97f4a7c15ULL + 1;
	h.c.due_s = h.now_s + LZ_CASE_WATCH_S;
	random_ladder(&ladder);
	for (int i = 0; i < EVENTS && h.c.state != LZ_CASE_CLOSED; i++) {
		switch (draw(8)) {
		case 0:
			hear_operator(&h);
			break;
		case 1:
			release_itself(&h);
			break;
		case 2:
		case 3:
			let_time_pass(&h);
			break;
		default:
			see_evidence(&h, &ladder);
		}
		if (!lz_case_holds(h.c.state))
			T_OK(!is_held(&h), "who is in no held state is not held");
	}
}

static void lives(void)
{
	for (__u64 i = 0; i < HISTORIES; i++)
		live(i);
	printf("# %d histories of up to %d events\n", HISTORIES, EVENTS);
}

static const struct t_case cases[] = {
	{ "random histories", lives },
};

int main(void)
{
	return T_MAIN(cases);
}
