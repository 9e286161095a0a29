/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ladder.h - what a repeater gets: steps of a policy, each at most once in a while, forgotten after
 * a time without new evidence. Pure.
 */
#ifndef LZ_COLONY_LADDER_H
#define LZ_COLONY_LADDER_H

#include "colony/case.h"

#define LZ_LADDER_STEPS_MAX 8

struct lz_ladder_step {
	struct lz_grade grade; /* LZ_GRADE_IS_NONE: notify */
	__u32 for_s; /* 1..LZ_CASE_HOLD_MAX_S; 0 with notify */
};

struct lz_ladder {
	char name[LZ_CASE_LADDER_TEXT_MAX];
	bool only_tells; /* of a limit that notifies: telling is no step of any ladder */
	__u32 forget_s;
	__u32 grace_s; /* between the decision and the enforcement of a step */
	__u32 n; /* 1..LZ_LADDER_STEPS_MAX */
	struct lz_ladder_step step[LZ_LADDER_STEPS_MAX];
};

/**
 * lz_ladder_next() - which step comes now: one higher than the last, the top one again and again
 *
 * The number of steps taken counts, not on which ladder: two limits with two ladders do not give a
 * host twice the patience. Who was told by a limit that only notifies has taken none. Once the newest
 * evidence is older than the ladder remembers, it is 0.
 */
__u32 lz_ladder_next(const struct lz_ladder *ladder, const struct lz_case *c, __u64 now_s);

/** lz_ladder_forgot() - is all that is known of a case too old to count? */
bool lz_ladder_forgot(const struct lz_ladder *ladder, const struct lz_case *c, __u64 now_s);

#endif /* LZ_COLONY_LADDER_H */
