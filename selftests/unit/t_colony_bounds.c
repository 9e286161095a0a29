/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_colony_bounds.c - what is bounded: how many are held by themselves, and who may let himself go. */
#include "base/mem.h"
#include "colony/active.h"
#include "colony/guard.h"
#include "colony/release.h"
#include "lib/t.h"

#define NOW 1800000000ULL

/* ---------------------------------------------------------------- guard */

static void guards(void)
{
	struct lz_guard_rule rule = { .new_per_minute = 3, .active_ppm = 10000 };
	struct lz_guard g = { .tripped_s = 0 };

	for (int i = 0; i < 3; i++)
		T_EQ(lz_guard_ask(&g, &rule, 1000 + (__u64)i, 1000 + (__u64)i, (__u64)i, 100000), LZ_GUARD_OK, "within");
	T_EQ(lz_guard_ask(&g, &rule, 1010, 1010, 3, 100000), LZ_GUARD_MINUTE, "one too many");
	T_OK(lz_guard_tripped(&g, &rule, 1010), "tripped");
	T_EQ(lz_guard_ask(&g, &rule, 1065, 1065, 3, 100000), LZ_GUARD_MINUTE, "stays tripped, though room is there");
	T_OK(lz_guard_tripped(&g, &rule, 1069), "not a minute yet");
	T_OK(!lz_guard_tripped(&g, &rule, 1071), "a minute within the bound");
	T_EQ(lz_guard_ask(&g, &rule, 1072, 1072, 3, 100000), LZ_GUARD_OK, "in force again");
	T_EQ(lz_guard_ask(&g, &rule, 1073, 1073, 1000, 100000), LZ_GUARD_SHARE, "1 % of 100,000 are held");
	T_EQ(lz_guard_ask(&g, &rule, 900, 1074, 999, 100000), LZ_GUARD_OK, "held long ago, while no daemon counted");
	T_EQ(lz_guard_share(&rule, 10), 3, "a small network may hold somebody");
	for (int i = 0; i < 5; i++)
		lz_guard_ask(&g, &rule, 1075, 1075, 0, 100000);
	T_OK(lz_guard_tripped(&g, &rule, 1075), "tripped once more");
	lz_guard_reset(&g);
	T_OK(!lz_guard_tripped(&g, &rule, 1075), "an operator has looked");
	T_EQ(lz_guard_ask(&g, &rule, 1075, 1075, 0, 100000), LZ_GUARD_OK, "counting begins anew");

	lz_guard_reset(&g); /* a restart, and what the ledger says */
	lz_guard_count(&g, 1070, 2);
	lz_guard_count(&g, 1011, 9);
	T_EQ(lz_guard_ask(&g, &rule, 1075, 1075, 2, 100000), LZ_GUARD_OK, "one of three is left");
	T_EQ(lz_guard_ask(&g, &rule, 1076, 1076, 3, 100000), LZ_GUARD_MINUTE, "no more");
	lz_guard_reset(&g);
	lz_guard_trip(&g, 1080);
	T_EQ(lz_guard_ask(&g, &rule, 1081, 1081, 0, 100000), LZ_GUARD_MINUTE, "it had tripped before");
	T_OK(!lz_guard_tripped(&g, &rule, 1141), "until a whole minute is quiet");
	lz_guard_trip(&g, 0);
	T_OK(lz_guard_tripped(&g, &rule, 1), "also in the first second of a clock");
}

/* A minute is the 60 seconds up to now, and what lies at its ends. */
static void counts_a_minute(void)
{
	struct lz_guard_rule rule = { .new_per_minute = 3, .active_ppm = 10000 };
	struct lz_guard g = { .tripped_s = 0 };

	for (int i = 0; i < 4; i++)
		lz_guard_ask(&g, &rule, 1100, 1100, 0, 100000);
	T_OK(lz_guard_tripped(&g, &rule, 1159), "59 s later");
	T_OK(!lz_guard_tripped(&g, &rule, 1160), "60 s later they are no more of it");
	lz_guard_count(&g, 1160, 2);
	T_EQ(lz_guard_ask(&g, &rule, 1160, 1160, 0, 100000), LZ_GUARD_OK, "nor of the second that has their place");
	T_EQ(lz_guard_ask(&g, &rule, 1100, 1160, 0, 100000), LZ_GUARD_OK, "what was held 60 s ago");
	T_EQ(lz_guard_ask(&g, &rule, 1160, 1160, 0, 100000), LZ_GUARD_MINUTE, "makes nobody forget the last second");
	lz_guard_reset(&g);
	lz_guard_trip(&g, 1100);
	lz_guard_count(&g, 1150, 3);
	T_OK(!lz_guard_tripped(&g, &rule, 1160), "as many as may be are not too many");
	lz_guard_reset(&g);
	for (int i = 0; i < 3; i++)
		lz_guard_ask(&g, &rule, 1105, 1100, 0, 100000);
	T_EQ(lz_guard_ask(&g, &rule, 1105, 1100, 0, 100000), LZ_GUARD_MINUTE, "a clock that is ahead is no way round");
}

/* A pass over the table: a customer is one, whichever of his addresses sent. */
static void counts_the_active(void)
{
	struct lz_active a = { .n = 0 };

	T_EQ(lz_active_count(&a), 0, "nothing is known yet");
	lz_active_add(&a, LZ_ACTIVE_NOBODY);
	T_EQ(lz_active_count(&a), 0, "no pass has begun");
	T_EQ(lz_active_begin(&a, 200), 0, "a pass");
	for (int i = 0; i < 65537; i++)
		lz_active_add(&a, 130);
	T_EQ(lz_active_count(&a), 1, "a customer with all his addresses");
	lz_active_add(&a, 66);
	lz_active_add(&a, 199);
	lz_active_add(&a, 0);
	lz_active_add(&a, 130);
	T_EQ(lz_active_count(&a), 4, "others are others");
	lz_active_add(&a, LZ_ACTIVE_NOBODY);
	lz_active_add(&a, LZ_ACTIVE_NOBODY);
	lz_active_end(&a);
	T_EQ(lz_active_count(&a), 6, "addresses in no list, each by itself");
	T_EQ(lz_active_begin(&a, 0), 0, "the next pass");
	lz_active_add(&a, LZ_ACTIVE_NOBODY);
	T_EQ(lz_active_count(&a), 6, "while it goes on the last one stands");
	lz_active_end(&a);
	T_EQ(lz_active_count(&a), 1, "until its end");
	T_EQ(lz_active_begin(&a, 1), 0, "a third");
	lz_active_add(&a, 0);
	lz_active_add(&a, LZ_ACTIVE_NOBODY);
	T_EQ(lz_active_count(&a), 2, "more than in the last one: those count at once");
	T_EQ(lz_active_begin(&a, 1), 0, "begun anew");
	T_EQ(lz_active_count(&a), 1, "what it had found is forgotten");
	lz_active_done(&a);
	T_EQ(lz_active_count(&a), 1, "a pass that is no use leaves the count");
}

/* ---------------------------------------------------------------- self-release */

static void releases(void)
{
	static const struct {
		const char *name;
		enum lz_case_state state;
		__u32 used, seen_ago_s, times;
		bool staff;
		enum lz_release may;
		__u32 wait_s;
	} rows[] = {
		{ "quiet", LZ_CASE_GARDEN, 0, 700, 2, false, LZ_RELEASE_MAY, 0 },
		{ "never seen", LZ_CASE_BLOCKED25, 0, 0, 2, false, LZ_RELEASE_MAY, 0 },
		{ "to the second", LZ_CASE_GARDEN, 1, 600, 2, false, LZ_RELEASE_MAY, 0 },
		{ "not quiet", LZ_CASE_GARDEN, 0, 100, 2, false, LZ_RELEASE_EVIDENCE, 500 },
		{ "seen by a clock that is ahead", LZ_CASE_GARDEN, 0, (__u32)-100, 2, false, LZ_RELEASE_EVIDENCE, 600 },
		{ "twice used", LZ_CASE_GARDEN, 2, 0, 2, false, LZ_RELEASE_USED_UP, 0 },
		{ "staff only", LZ_CASE_GARDEN, 0, 0, 2, true, LZ_RELEASE_STAFF, 0 },
		{ "policy says staff", LZ_CASE_GARDEN, 0, 0, 0, false, LZ_RELEASE_STAFF, 0 },
		{ "not held", LZ_CASE_WATCH, 0, 0, 2, false, LZ_RELEASE_NOT_HELD, 0 },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct lz_case c = { .state = rows[i].state, .self_releases = rows[i].used,
				     .staff_only = rows[i].staff };
		struct lz_release_rule rule = { rows[i].times, 600 };
		__u32 wait_s = 7;

		T_EQ(lz_release_ask(&c, &rule, rows[i].seen_ago_s ? NOW - (__u64)(__s32)rows[i].seen_ago_s : 0, NOW,
				    &wait_s),
		     rows[i].may, rows[i].name);
		T_EQ(wait_s, rows[i].wait_s, rows[i].name);
	}
	T_EQ(lz_release_left(&(struct lz_case){ .self_releases = 1 }, &(struct lz_release_rule){ 2, 600 }), 1,
	     "one is left");
	T_EQ(lz_release_left(&(struct lz_case){ .staff_only = true }, &(struct lz_release_rule){ 2, 600 }), 0,
	     "none where staff must");
}

static const struct t_case cases[] = {
	{ "the guard trips and rests", guards },
	{ "the guard's minute", counts_a_minute },
	{ "who is active", counts_the_active },
	{ "who may release himself", releases },
};

int main(void)
{
	return T_MAIN(cases);
}
