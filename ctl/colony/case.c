/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* case.c - the states of a case and the arrows between them. */
#include "colony/case.h"

#include <errno.h>

#include "base/mem.h"

const char *const lz_case_state_words[LZ_CASE_N] = {
	[LZ_CASE_OBSERVED] = "observed",   [LZ_CASE_NOTIFIED] = "notified",
	[LZ_CASE_THROTTLED] = "throttled", [LZ_CASE_BLOCKED25] = "blocked25",
	[LZ_CASE_GARDEN] = "garden",	   [LZ_CASE_RELEASED] = "released",
	[LZ_CASE_WATCH] = "watch",	   [LZ_CASE_CLOSED] = "closed",
};

int lz_case_state_parse(const char *word, enum lz_case_state *ret)
{
	for (int i = 0; i < LZ_CASE_N; i++)
		if (lz_streq(word, lz_case_state_words[i])) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

enum lz_case_state lz_case_state_of(const struct lz_grade *grade)
{
	switch (grade->kind) {
	case LZ_GRADE_IS_THROTTLE:
		return LZ_CASE_THROTTLED;
	case LZ_GRADE_IS_BLOCK25:
		return LZ_CASE_BLOCKED25;
	case LZ_GRADE_IS_GARDEN:
		return LZ_CASE_GARDEN;
	default:
		return LZ_CASE_NOTIFIED;
	}
}

bool lz_case_holds(enum lz_case_state state)
{
	return state == LZ_CASE_THROTTLED || state == LZ_CASE_BLOCKED25 || state == LZ_CASE_GARDEN;
}

bool lz_case_waits(const struct lz_case *c)
{
	return c->state == LZ_CASE_NOTIFIED && c->due_s && c->grade.kind != LZ_GRADE_IS_NONE;
}

static const struct lz_case_acted *find_acted(const struct lz_case *c, const char *source)
{
	for (int i = 0; i < LZ_CASE_ACTED_MAX; i++)
		if (lz_streq(c->acted[i].source, source))
			return &c->acted[i];
	return NULL;
}

__u64 lz_case_acted_s(const struct lz_case *c, const char *source)
{
	const struct lz_case_acted *a = find_acted(c, source);

	return a ? a->time_s : 0;
}

void lz_case_act(struct lz_case *c, const char *source, __u64 time_s)
{
	const struct lz_case_acted *known = find_acted(c, source);
	struct lz_case_acted *to = c->acted;

	for (int i = 1; i < LZ_CASE_ACTED_MAX; i++)
		if (c->acted[i].time_s < to->time_s)
			to = &c->acted[i];
	if (known)
		to = &c->acted[known - c->acted];
	to->time_s = time_s;
	lz_strcpy(to->source, sizeof(to->source), source);
	c->acted_s = time_s;
}

/* Held to a milder hold is an arrow too: an operator may set a grade, an undo restores one. */
bool lz_case_may_move(enum lz_case_state from, enum lz_case_state to)
{
	if (from >= LZ_CASE_N || to >= LZ_CASE_N || from == LZ_CASE_CLOSED)
		return false;
	switch (to) {
	case LZ_CASE_OBSERVED:
		return false;
	case LZ_CASE_NOTIFIED:
		return !lz_case_holds(from);
	case LZ_CASE_THROTTLED:
	case LZ_CASE_BLOCKED25:
	case LZ_CASE_GARDEN:
		return true;
	case LZ_CASE_RELEASED:
		return lz_case_holds(from) || from == LZ_CASE_OBSERVED || from == LZ_CASE_NOTIFIED;
	case LZ_CASE_WATCH:
		return from == LZ_CASE_RELEASED;
	default:
		return !lz_case_holds(from);
	}
}
