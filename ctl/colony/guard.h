/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guard.h - the blast radius of whatever holds by itself: limits, ladders, detectors (mission.md C9,
 * faults.md F63).
 *
 *   new-per-minute   more than N in 60 s trips the guard: N are held, the others only reported. It
 *                    stays tripped until a whole minute has gone by in which no more than N would have
 *                    been held, or until an operator resets it. What is held stays held.
 *   active-sources   no more than this share of those who sent lately is held by itself at one time;
 *                    N are always allowed, or a small network could hold nobody.
 *
 * Both sides of that share are of one kind, and neither knows keys: a customer is one, with all his
 * addresses, and an address in no customer list is one. Held by themselves are cases that a limit or a
 * ladder moved last (lz_cases_automatic()). Sent lately has who had a packet looked at within "idle"
 * (active.h); not who is only held, with his customer or by a list, and never sent.
 *
 * Operators are not asked: they have their own question ("more than 1,000 at once want --yes").
 * Pure: time is an argument, seconds of a clock that does not jump.
 */
#ifndef LZ_COLONY_GUARD_H
#define LZ_COLONY_GUARD_H

#include <linux/types.h>
#include <stdbool.h>

#define LZ_GUARD_WINDOW_S 60u

struct lz_guard_rule {
	__u32 new_per_minute;
	__u32 active_ppm;
};

struct lz_guard {
	__u64 second[LZ_GUARD_WINDOW_S]; /* which second a count is of */
	__u32 asked[LZ_GUARD_WINDOW_S];
	__u64 tripped_s; /* last time it was over while tripped; 0 = not tripped */
};

enum lz_guard_answer {
	LZ_GUARD_OK,
	LZ_GUARD_MINUTE, /* too many in a minute */
	LZ_GUARD_SHARE, /* too large a share of the active sources */
};

/**
 * lz_guard_ask() - may one more be held?
 * @when_s: when it was held or is to be, not after @now_s. What the kernel held more than a minute ago,
 *          while no daemon counted, is judged by the share alone.
 * @held:   cases that hold by themselves now, without this one
 * @active: lz_active_count()
 *
 * Counts the attempt in every case.
 */
enum lz_guard_answer lz_guard_ask(struct lz_guard *guard, const struct lz_guard_rule *rule,
				  __u64 when_s, __u64 now_s, __u64 held, __u64 active);

/** lz_guard_count() - @n were held in second @when_s: found again after a restart */
void lz_guard_count(struct lz_guard *guard, __u64 when_s, __u32 n);

/** lz_guard_trip() - it had tripped before the restart: a whole quiet minute from now ends it */
void lz_guard_trip(struct lz_guard *guard, __u64 now_s);

/** lz_guard_tripped() - and ends it once a minute has stayed within the bound */
bool lz_guard_tripped(struct lz_guard *guard, const struct lz_guard_rule *rule, __u64 now_s);

/** lz_guard_reset() - an operator has looked; counting starts anew */
void lz_guard_reset(struct lz_guard *guard);

/** lz_guard_share() - how many the share allows: at least rule->new_per_minute */
__u64 lz_guard_share(const struct lz_guard_rule *rule, __u64 active);

#endif /* LZ_COLONY_GUARD_H */
