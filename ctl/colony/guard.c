/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* guard.c - how many may be held by themselves. */
#include "colony/guard.h"

#include <string.h>

static __u64 count_minute(const struct lz_guard *guard, __u64 now_s)
{
	__u64 sum = 0;

	for (unsigned int i = 0; i < LZ_GUARD_WINDOW_S; i++)
		if (guard->second[i] <= now_s && now_s - guard->second[i] < LZ_GUARD_WINDOW_S)
			sum += guard->asked[i];
	return sum;
}

void lz_guard_count(struct lz_guard *guard, __u64 when_s, __u32 n)
{
	unsigned int i = when_s % LZ_GUARD_WINDOW_S;

	if (guard->second[i] != when_s) {
		guard->second[i] = when_s;
		guard->asked[i] = 0;
	}
	guard->asked[i] += n;
}

void lz_guard_trip(struct lz_guard *guard, __u64 now_s)
{
	guard->tripped_s = now_s ? now_s : 1;
}

__u64 lz_guard_share(const struct lz_guard_rule *rule, __u64 active)
{
	__u64 share = active * rule->active_ppm / 1000000;

	return share > rule->new_per_minute ? share : rule->new_per_minute;
}

bool lz_guard_tripped(struct lz_guard *guard, const struct lz_guard_rule *rule, __u64 now_s)
{
	if (!guard->tripped_s)
		return false;
	if (now_s - guard->tripped_s >= LZ_GUARD_WINDOW_S &&
	    count_minute(guard, now_s) <= rule->new_per_minute)
		guard->tripped_s = 0;
	return guard->tripped_s;
}

enum lz_guard_answer lz_guard_ask(struct lz_guard *guard, const struct lz_guard_rule *rule,
				  __u64 when_s, __u64 now_s, __u64 held, __u64 active)
{
	bool tripped = lz_guard_tripped(guard, rule, now_s);

	if (when_s > now_s)
		when_s = now_s;
	if (now_s - when_s < LZ_GUARD_WINDOW_S) {
		lz_guard_count(guard, when_s, 1);
		if (count_minute(guard, now_s) > rule->new_per_minute) {
			lz_guard_trip(guard, now_s);
			return LZ_GUARD_MINUTE;
		}
	}
	if (tripped)
		return LZ_GUARD_MINUTE;
	return held + 1 > lz_guard_share(rule, active) ? LZ_GUARD_SHARE : LZ_GUARD_OK;
}

void lz_guard_reset(struct lz_guard *guard)
{
	memset(guard, 0, sizeof(*guard));
}
