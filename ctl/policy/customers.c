/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * customers.c - how many keys a customer has, and how many of one are held together.
 */
#include <errno.h>

#include "policy/policy.h"

__u64 lz_policy_keys_in(unsigned int ipv6_key, const struct lz_prefix *prefix, struct lz_keyprefix *ret)
{
	unsigned int whole = prefix->addr.family == 4 ? 64 : ipv6_key;
	int r = lz_keyprefix_from_prefix(prefix, ipv6_key, ret);

	if (r == -ERANGE) { /* narrower than a key: the key around it */
		struct lz_prefix around = lz_prefix_cut(prefix, ipv6_key);

		r = lz_keyprefix_from_prefix(&around, ipv6_key, ret);
	}
	return r < 0 ? 0 : 1ULL << (whole - ret->len < 63 ? whole - ret->len : 63);
}

size_t lz_policy_customer_keys_max(const struct lz_policy *policy)
{
	size_t share = policy->colony_max / LZ_CUSTOMER_KEYS_SHARE;

	return share < LZ_CUSTOMER_KEYS_MIN ? LZ_CUSTOMER_KEYS_MIN :
	       share > LZ_CUSTOMER_KEYS_MAX ? LZ_CUSTOMER_KEYS_MAX : share;
}
