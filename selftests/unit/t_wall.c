/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_wall.c - the wall clock is set: what has ended by a step of it alone has not ended yet. */
#include "base/wall.h"
#include "lib/t.h"

#define YEAR_S (365 * 86400ULL)

static const __u64 noon = 1800000000, up = 5000;

static void follows_a_clock_that_goes(void)
{
	struct lz_wall w = { 0 };
	__u64 wall = noon;

	T_EQ(lz_wall_look(&w, noon, up), noon, "the first look is believed");
	for (__u64 s = 1; s < 100000; s += 10) {
		wall = noon + s + s / 100; /* slewed: far apart in the end, never at once */
		T_EQ(lz_wall_look(&w, wall, up + s), wall, "it goes along");
	}
	T_EQ(lz_wall_look(&w, wall + 70, up + 100001), wall + 70, "a correction of a minute");
	T_OK(!lz_wall_is_doubted(&w), "believed");
}

static void waits_for_a_step(void)
{
	struct lz_wall w = { 0 };

	lz_wall_look(&w, noon, up);
	T_EQ(lz_wall_look(&w, noon + YEAR_S, up + 5), noon + 5, "a year ahead: not yet");
	T_OK(lz_wall_is_doubted(&w), "it is doubted");
	T_EQ(lz_wall_look(&w, noon + YEAR_S + 3600, up + 3604), noon + 3604, "not for an hour");
	T_EQ(lz_wall_look(&w, noon + YEAR_S + 3601, up + 3605), noon + YEAR_S + 3601, "then it is");
	T_OK(!lz_wall_is_doubted(&w), "no doubt any more");
	T_EQ(lz_wall_look(&w, noon + YEAR_S + 3611, up + 3615), noon + YEAR_S + 3611, "it goes on from there");
}

static void forgets_a_step_that_is_taken_back(void)
{
	struct lz_wall w = { 0 };

	lz_wall_look(&w, noon, up);
	lz_wall_look(&w, noon + YEAR_S, up + 5);
	T_EQ(lz_wall_look(&w, noon + 70, up + 10), noon + 70, "back within a minute of where it was");
	T_OK(!lz_wall_is_doubted(&w), "no doubt any more");
	T_EQ(lz_wall_look(&w, noon + YEAR_S, up + 3700), noon + 3760, "the next one waits anew");
	T_EQ(lz_wall_look(&w, noon + 3 * YEAR_S, up + 7000), noon + 7060, "one more");
	T_EQ(lz_wall_look(&w, noon + 3 * YEAR_S + 400, up + 7400), noon + 7460, "begins an hour of its own");
	T_EQ(lz_wall_look(&w, noon + 3 * YEAR_S + 3600, up + 10600), noon + 3 * YEAR_S + 3600, "which ends");
}

static void goes_by_the_earlier_of_two(void)
{
	struct lz_wall w = { 0 };

	lz_wall_look(&w, noon, up);
	T_EQ(lz_wall_look(&w, noon - YEAR_S, up + 5), noon - YEAR_S, "back a year: at once");
	T_EQ(lz_wall_look(&w, 0, up + 6), 0, "1970");
	T_EQ(lz_wall_look(&w, noon + 7, up + 7), noon + 7, "right again");
}

static const struct t_case cases[] = {
	{ "follows a clock that goes", follows_a_clock_that_goes },
	{ "waits an hour for a step", waits_for_a_step },
	{ "forgets a step that is taken back", forgets_a_step_that_is_taken_back },
	{ "goes by the earlier of two", goes_by_the_earlier_of_two },
};

int main(void)
{
	return T_MAIN(cases);
}
