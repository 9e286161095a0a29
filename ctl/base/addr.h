/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * addr.h - addresses, prefixes, ranges, and the key space the data plane counts in.
 *
 * Key space: one __u64 names a source of either family (docs of the data plane: abi.h).
 *
 *   IPv4  00000000 aabbccdd          the address as a number in the low half
 *   IPv6  pppppppp ppppp000          the upper 64 bits as a number, cut to the instance's length
 *
 * IPv6 0000::/8 is never a source key (::/32 would collide with IPv4), nor is 0100::/8, whose
 * numbers name aggregates (covering prefixes, customers), nor ff00::/8, so that no key is all ones.
 * Nothing in them is a customer: the one allocated piece of 0100::/8 is the discard prefix (RFC
 * 6666). A prefix of key space is (bits, len): IPv4 /n has length 32 + n, IPv6 /n has length n.
 */
#ifndef LZ_BASE_ADDR_H
#define LZ_BASE_ADDR_H

#include <linux/types.h>
#include <stdbool.h>

#include "base/err.h"

#define LZ_ADDR_TEXT_MAX   46 /* longest address and its NUL (INET6_ADDRSTRLEN) */
#define LZ_PREFIX_TEXT_MAX 50 /* the same with "/128" */

#define LZ_IPV6_KEY_LEN_MIN 48
#define LZ_IPV6_KEY_LEN_MAX 64

/* A range splits into at most 2n - 2 prefixes of n bits: 254 for IPv6. */
#define LZ_RANGE_PREFIXES_MAX 254

struct lz_addr {
	__u8 family; /* 4 or 6 */
	__u8 bytes[16]; /* network order; IPv4 in bytes[0..3], the rest zero */
};

struct lz_prefix {
	struct lz_addr addr; /* host bits are zero */
	__u8 len; /* 0..32 or 0..128 */
};

/* What an address is for, by the IANA special-purpose registries (RFC 6890 and its updates). */
enum lz_addr_kind {
	LZ_ADDR_ORDINARY,
	LZ_ADDR_UNSPECIFIED,
	LZ_ADDR_THIS_NETWORK, /* 0.0.0.0/8 */
	LZ_ADDR_LOOPBACK,
	LZ_ADDR_LINK_LOCAL,
	LZ_ADDR_PRIVATE, /* RFC 1918, fc00::/7 */
	LZ_ADDR_SHARED, /* 100.64.0.0/10, RFC 6598 */
	LZ_ADDR_DOCUMENTATION,
	LZ_ADDR_MULTICAST,
	LZ_ADDR_RESERVED, /* 240.0.0.0/4, ::/7 */
	LZ_ADDR_BROADCAST, /* 255.255.255.255 */
	LZ_ADDR_V4_MAPPED, /* ::ffff:0:0/96 */
	LZ_ADDR_NAT64, /* 64:ff9b::/96, 64:ff9b:1::/48 */
	LZ_ADDR_DISCARD, /* 100::/64 */
	LZ_ADDR_KIND_N,
};

/**
 * lz_addr_parse() - one address, strictly
 * @text: "192.0.2.1" (no leading zeros) or any RFC 4291 form without zone
 *
 * Return: 0 or -EINVAL with @reterr set.
 */
int lz_addr_parse(const char *text, struct lz_addr *ret, struct lz_err *reterr);

/** lz_addr_format() - RFC 5952 text; returns @buf */
const char *lz_addr_format(const struct lz_addr *addr, char buf[static LZ_ADDR_TEXT_MAX]);

/** lz_addr_bits() - 32 or 128 */
unsigned lz_addr_bits(const struct lz_addr *addr);

/** lz_addr_cmp() - order by family, then number; <0, 0, >0 */
int lz_addr_cmp(const struct lz_addr *a, const struct lz_addr *b);

enum lz_addr_kind lz_addr_kind(const struct lz_addr *addr);
const char *lz_addr_kind_name(enum lz_addr_kind kind);

/**
 * lz_addr_is_host() - can it be one machine? (ordinary, private, shared, documentation; behind a NAT64)
 */
bool lz_addr_is_host(const struct lz_addr *addr);

/** lz_prefix_kind() - of what lies whole within one registered prefix, its kind; anything wider is ordinary */
enum lz_addr_kind lz_prefix_kind(const struct lz_prefix *prefix);

/** lz_prefix_no_source() - say so in @reterr, and what kind it is. Return: -EINVAL */
int lz_prefix_no_source(const struct lz_prefix *prefix, struct lz_err *reterr);

/** lz_prefix_has_hosts() - can anything in it be one machine? As lz_addr_is_host() says of an address */
bool lz_prefix_has_hosts(const struct lz_prefix *prefix);

/**
 * lz_addr_unmap() - ::ffff:a.b.c.d becomes a.b.c.d, anything else stays; for addresses from peers
 */
void lz_addr_unmap(struct lz_addr *addr);

struct lz_addr lz_addr_v4(__u32 host_order);

/**
 * lz_prefix_parse() - "ADDRESS" (host prefix) or "ADDRESS/LEN", strictly
 *
 * Set host bits are an error whose text names the prefix that was probably meant; so are leading
 * zeros in the length and IPv4-mapped IPv6, which no packet on the wire carries.
 * Return: 0 or -EINVAL with @reterr set.
 */
int lz_prefix_parse(const char *text, struct lz_prefix *ret, struct lz_err *reterr);

/**
 * lz_source_parse() - an address, as lz_addr_parse() does; or an IPv6 "PREFIX/LEN", which may be one source's:
 * answers name it so. Return: 0 or -EINVAL with @reterr set.
 */
int lz_source_parse(const char *text, struct lz_prefix *ret, struct lz_err *reterr);

/** lz_prefix_format() - "192.0.2.0/24"; a host prefix prints without its length; returns @buf */
const char *lz_prefix_format(const struct lz_prefix *prefix, char buf[static LZ_PREFIX_TEXT_MAX]);

/**
 * lz_prefix_cmp() - order by family, address, then shorter first: an outer prefix precedes its
 * inner ones
 */
int lz_prefix_cmp(const struct lz_prefix *a, const struct lz_prefix *b);

bool lz_prefix_contains(const struct lz_prefix *outer, const struct lz_prefix *inner);
bool lz_prefix_has_addr(const struct lz_prefix *prefix, const struct lz_addr *addr);
struct lz_prefix lz_prefix_host(const struct lz_addr *addr);

/** lz_prefix_cut() - @prefix shortened to @len, host bits cleared; @len <= prefix->len */
struct lz_prefix lz_prefix_cut(const struct lz_prefix *prefix, unsigned len);

/**
 * lz_prefixes_parse() - address, prefix or "FIRST-LAST"
 * @ret: room for LZ_RANGE_PREFIXES_MAX; the smallest list of prefixes that is exactly the range
 *
 * Return: number of prefixes, >= 1, or -EINVAL with @reterr set (reversed range, mixed families,
 * ..).
 */
int lz_prefixes_parse(const char *text, struct lz_prefix ret[static LZ_RANGE_PREFIXES_MAX],
		      struct lz_err *reterr);

/** lz_range_split() - the smallest list of prefixes for first..last; number >= 1, or -EINVAL */
int lz_range_split(const struct lz_addr *first, const struct lz_addr *last,
		   struct lz_prefix ret[static LZ_RANGE_PREFIXES_MAX]);

/* A prefix of key space. @bits beyond @len are zero. */
struct lz_keyprefix {
	__u64 bits;
	__u8 len; /* 0..64 */
};

/**
 * lz_key_from_addr() - the key the data plane counts this source under
 * @ipv6_key_len: LZ_IPV6_KEY_LEN_MIN..LZ_IPV6_KEY_LEN_MAX, fixed for an instance
 *
 * Return: 0; -EADDRNOTAVAIL for IPv6 0000::/8, 0100::/8, ff00::/8; -EINVAL for a bad family or
 * length.
 */
int lz_key_from_addr(const struct lz_addr *addr, unsigned ipv6_key_len, __u64 *ret);

/**
 * lz_key_to_prefix() - what a key covers: an IPv4 host prefix, or an IPv6 prefix of the key's
 * length
 */
struct lz_prefix lz_key_to_prefix(__u64 key, unsigned ipv6_key_len);

/* Keys that follow each other: first + i * step, 0 <= i < n. */
struct lz_keys {
	__u64 first, step, n;
};

/**
 * lz_key_recut() - what is one source by keys of @from_len, by keys of @to_len
 * @from_len, @to_len: LZ_IPV6_KEY_LEN_MIN..LZ_IPV6_KEY_LEN_MAX
 *
 * Return: all the parts of it, 1 to 2^16, where keys are longer; else the one that it is, or is part of.
 */
struct lz_keys lz_key_recut(__u64 key, unsigned from_len, unsigned to_len);

/** lz_key_format() - "192.0.2.1" or "2001:db8:1::/64"; returns @buf */
const char *lz_key_format(__u64 key, unsigned ipv6_key_len, char buf[static LZ_PREFIX_TEXT_MAX]);

/**
 * lz_keyprefix_from_prefix() - a prefix in key space
 *
 * IPv6 prefixes shorter than /32 with zero bits (::/0) also cover IPv4 keys as numbers: a table
 * that holds both families must compare the family (high half zero) too.
 * Return: 0; -ERANGE for IPv6 longer than the key; -EADDRNOTAVAIL inside 0000::/8, 0100::/8,
 * ff00::/8.
 */
int lz_keyprefix_from_prefix(const struct lz_prefix *prefix, unsigned ipv6_key_len,
			     struct lz_keyprefix *ret);

/** lz_keyprefix_to_prefix() - the way back; length >= 32 with a zero high half is IPv4 */
struct lz_prefix lz_keyprefix_to_prefix(const struct lz_keyprefix *kp);

#endif
