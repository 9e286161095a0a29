/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* release.c - the customer's own way out. */
#include "colony/release.h"

const char *const lz_release_texts[LZ_RELEASE_N] = {
	[LZ_RELEASE_MAY] = "may release itself",
	[LZ_RELEASE_NOT_HELD] = "is not held",
	[LZ_RELEASE_STAFF] = "only staff releases this case",
	[LZ_RELEASE_USED_UP] = "has released itself as often as it may; now staff does",
	[LZ_RELEASE_EVIDENCE] = "something harmful was seen only just now",
	[LZ_RELEASE_TOKEN] = "the token is unknown, used or too old",
	[LZ_RELEASE_RATE] = "tried too often",
};

__u32 lz_release_left(const struct lz_case *c, const struct lz_release_rule *rule)
{
	if (c->staff_only || c->self_releases >= rule->times)
		return 0;
	return rule->times - c->self_releases;
}

enum lz_release lz_release_ask(const struct lz_case *c, const struct lz_release_rule *rule,
			       __u64 seen_s, __u64 now_s, __u32 *ret_wait_s)
{
	*ret_wait_s = 0;
	if (!lz_case_holds(c->state))
		return LZ_RELEASE_NOT_HELD;
	if (c->staff_only || !rule->times)
		return LZ_RELEASE_STAFF;
	if (c->self_releases >= rule->times)
		return LZ_RELEASE_USED_UP;
	if (seen_s > now_s) /* the wall clock was set back */
		seen_s = now_s;
	if (seen_s && now_s - seen_s < rule->quiet_s) {
		*ret_wait_s = (__u32)(rule->quiet_s - (now_s - seen_s));
		return LZ_RELEASE_EVIDENCE;
	}
	return LZ_RELEASE_MAY;
}
