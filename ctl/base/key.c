/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* key.c - the key space of the data plane; see addr.h for its picture. */
#include <errno.h>

#include "base/addr.h"

/* The upper 64 bits of an IPv6 address as a number. */
static __u64 upper_half(const struct lz_addr *addr)
{
	__u64 bits = 0;

	for (unsigned i = 0; i < 8; i++)
		bits = bits << 8 | addr->bytes[i];
	return bits;
}

static __u32 v4_number(const struct lz_addr *addr)
{
	return (__u32)addr->bytes[0] << 24 | (__u32)addr->bytes[1] << 16 |
	       (__u32)addr->bytes[2] << 8 | addr->bytes[3];
}

static bool is_unkeyed(const struct lz_addr *addr)
{
	return addr->bytes[0] <= 0x01 || addr->bytes[0] == 0xff;
}

static __u64 mask_of(unsigned len)
{
	return len ? ~0ULL << (64 - len) : 0;
}

int lz_key_from_addr(const struct lz_addr *addr, unsigned ipv6_key_len, __u64 *ret)
{
	if (ipv6_key_len < LZ_IPV6_KEY_LEN_MIN || ipv6_key_len > LZ_IPV6_KEY_LEN_MAX)
		return -EINVAL;
	if (addr->family == 4) {
		*ret = v4_number(addr);
		return 0;
	}
	if (addr->family != 6)
		return -EINVAL;
	if (is_unkeyed(addr))
		return -EADDRNOTAVAIL;
	*ret = upper_half(addr) & mask_of(ipv6_key_len);
	return 0;
}

int lz_keyprefix_from_prefix(const struct lz_prefix *prefix, unsigned ipv6_key_len,
			     struct lz_keyprefix *ret)
{
	if (prefix->addr.family == 4) {
		ret->bits = v4_number(&prefix->addr);
		ret->len = (__u8)(32 + prefix->len);
		return 0;
	}
	if (prefix->addr.family != 6)
		return -EINVAL;
	if (prefix->len > ipv6_key_len || prefix->len > LZ_IPV6_KEY_LEN_MAX)
		return -ERANGE;
	if (prefix->len >= 8 && is_unkeyed(&prefix->addr))
		return -EADDRNOTAVAIL;
	ret->bits = upper_half(&prefix->addr) & mask_of(prefix->len);
	ret->len = prefix->len;
	return 0;
}

struct lz_prefix lz_keyprefix_to_prefix(const struct lz_keyprefix *kp)
{
	struct lz_prefix prefix = { .addr.family = 6, .len = kp->len };

	if (kp->len >= 32 && !(kp->bits >> 32)) {
		prefix.addr = lz_addr_v4((__u32)kp->bits);
		prefix.len = (__u8)(kp->len - 32);
		return prefix;
	}
	for (unsigned i = 0; i < 8; i++)
		prefix.addr.bytes[i] = (__u8)(kp->bits >> (56 - 8 * i));
	return prefix;
}

struct lz_prefix lz_key_to_prefix(__u64 key, unsigned ipv6_key_len)
{
	struct lz_keyprefix kp = { .bits = key, .len = 64 };

	if (key >> 32)
		kp.len = (__u8)ipv6_key_len;
	return lz_keyprefix_to_prefix(&kp);
}

struct lz_keys lz_key_recut(__u64 key, unsigned from_len, unsigned to_len)
{
	struct lz_keys ret = { .first = key, .step = 1ULL << (64 - to_len), .n = 1 };

	if (!(key >> 32))
		return ret;
	ret.first &= mask_of(to_len);
	if (to_len > from_len)
		ret.n = 1ULL << (to_len - from_len);
	return ret;
}

const char *lz_key_format(__u64 key, unsigned ipv6_key_len, char buf[static LZ_PREFIX_TEXT_MAX])
{
	struct lz_prefix prefix = lz_key_to_prefix(key, ipv6_key_len);

	return lz_prefix_format(&prefix, buf);
}
