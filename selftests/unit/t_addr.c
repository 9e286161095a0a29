/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_addr.c - addresses, prefixes, ranges and the key space. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "lib/t.h"

/* Text in, canonical text out; NULL: refused, with these words in the reason. */
static const struct {
	const char *text, *canonical, *why;
} prefixes[] = {
	{ "192.0.2.1", "192.0.2.1", NULL },
	{ "192.0.2.1/32", "192.0.2.1", NULL },
	{ "192.0.2.0/24", "192.0.2.0/24", NULL },
	{ "0.0.0.0/0", "0.0.0.0/0", NULL },
	{ "::/0", "::/0", NULL },
	{ "2001:DB8:0:0::1", "2001:db8::1", NULL },
	{ "2001:db8::/36", "2001:db8::/36", NULL },
	{ "2001:db8::1/128", "2001:db8::1", NULL },
	{ "192.0.2.1/24", NULL, "write '192.0.2.0/24'" },
	{ "2001:db8:1:1::/36", NULL, "write '2001:db8::/36'" },
	{ "192.0.2.0/33", NULL, "want 0..32" },
	{ "192.0.2.0/", NULL, "want 0..32" },
	{ "192.0.2.0/024", NULL, "want 0..32" },
	{ "192.0.2.0/-1", NULL, "want 0..32" },
	{ "192.0.2.0/99999999999", NULL, "want 0..32" },
	{ "2001:db8::/129", NULL, "want 0..128" },
	{ "192.0.2.01", NULL, "not an address" },
	{ "010.0.2.1", NULL, "not an address" },
	{ "192.0.2", NULL, "not an address" },
	{ "192.0.2.256", NULL, "not an address" },
	{ "0x7f.1", NULL, "not an address" },
	{ "fe80::1%eth0", NULL, "not an address" },
	{ " 192.0.2.1", NULL, "not an address" },
	{ "", NULL, "not an address" },
	{ "::ffff:192.0.2.0/120", NULL, "write '192.0.2.0/24'" },
	{ "::ffff:192.0.2.1", NULL, "write '192.0.2.1'" },
};

static void parses_prefixes(void)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct lz_prefix prefix, untouched = { .len = 77 };
		char text[LZ_PREFIX_TEXT_MAX];
		struct lz_err err = {};
		int r;

		prefix = untouched;
		r = lz_prefix_parse(prefixes[i].text, &prefix, &err);
		if (prefixes[i].canonical) {
			T_EQ(r, 0, prefixes[i].text);
			T_STR(lz_prefix_format(&prefix, text), prefixes[i].canonical,
			      prefixes[i].text);
		} else {
			T_ERR(r, -EINVAL, prefixes[i].text);
			T_HAS(err.text, prefixes[i].why, prefixes[i].text);
			T_EQ(memcmp(&prefix, &untouched, sizeof(prefix)), 0, "output untouched");
		}
	}
}

/* An IPv4 source is an address; an IPv6 one may be said by its prefix, how long that is knows the daemon. */
static void parses_sources(void)
{
	static const struct {
		const char *text;
		int r, len;
	} rows[] = {
		{ "192.0.2.1", 0, 32 },		{ "192.0.2.1/32", 0, 32 },    { "192.0.2.0/24", -EINVAL, 0 },
		{ "192.0.2.1/24", -EINVAL, 0 }, { "192.0.2.1/33", -EINVAL, 0 }, { "2001:db8::1", 0, 128 },
		{ "2001:db8::/64", 0, 64 },	{ "2001:db8::1/64", -EINVAL, 0 }, { "/", -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lz_prefix source = { 0 };
		struct lz_err err = {};

		T_ERR(lz_source_parse(rows[i].text, &source, &err), rows[i].r, rows[i].text);
		if (rows[i].r == 0)
			T_EQ(source.len, rows[i].len, rows[i].text);
		else
			T_OK(err.text[0], "says why");
	}
}

/* inet_pton() is the judge of what an IPv4 address is: of many that nearly are one. */
static void agrees_with_inet_pton(void)
{
	static const char *const parts[] = { "0", "7", "00", "05", "10", "99", "100", "010", "255", "256",
					     "1000", "", "-1", "x", " 1" };
	static const char *const ends[] = { "", ".", ".1", " ", "x" };
	size_t n = sizeof(parts) / sizeof(parts[0]), differ = 0, good = 0;

	for (size_t i = 0; i < n * n * n * n * 5; i++) {
		struct lz_addr addr = {};
		__u8 bytes[4];
		char text[64];
		bool is;

		snprintf(text, sizeof(text), "%s.%s.%s.%s%s", parts[i % n], parts[i / n % n],
			 parts[i / n / n % n], parts[i / n / n / n % n], ends[i / n / n / n / n]);
		is = inet_pton(AF_INET, text, bytes) == 1;
		good += is;
		if ((lz_addr_parse(text, &addr, NULL) == 0) != is || (is && memcmp(bytes, addr.bytes, 4))) {
			T_STR(text, "", "judged otherwise");
			differ++;
		}
	}
	T_EQ(differ, 0, "the same as inet_pton()");
	T_EQ(good, 6 * 6 * 6 * 6, "parts that are fine, and nothing behind them");
}

static const struct {
	const char *text, *list;
} ranges[] = {
	{ "192.0.2.1-192.0.2.1", "192.0.2.1" },
	{ "192.0.2.0-192.0.2.255", "192.0.2.0/24" },
	{ "192.0.2.1-192.0.2.9", "192.0.2.1 192.0.2.2/31 192.0.2.4/30 192.0.2.8/31" },
	{ "0.0.0.0-255.255.255.255", "0.0.0.0/0" },
	{ "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0" },
	{ "255.255.255.254-255.255.255.255", "255.255.255.254/31" },
	{ "2001:db8::1-2001:db8::4", "2001:db8::1 2001:db8::2/127 2001:db8::4" },
	{ "192.0.2.9-192.0.2.1", NULL },
	{ "192.0.2.1-2001:db8::1", NULL },
	{ "192.0.2.1-", NULL },
	{ "-192.0.2.1", NULL },
	{ "192.0.2.0/24-192.0.3.0", NULL },
};

static void splits_ranges(void)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct lz_prefix list[LZ_RANGE_PREFIXES_MAX];
		char joined[512] = "", text[LZ_PREFIX_TEXT_MAX];
		int n = lz_prefixes_parse(ranges[i].text, list, NULL);

		if (!ranges[i].list) {
			T_ERR(n, -EINVAL, ranges[i].text);
			continue;
		}
		for (int k = 0; k < n; k++)
			snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s", k ? " " : "",
				 lz_prefix_format(&list[k], text));
		T_STR(joined, ranges[i].list, ranges[i].text);
	}
}

/* The worst case fills the array exactly: all but the first and the last address of IPv6. */
static void splits_the_longest_range(void)
{
	struct lz_prefix list[LZ_RANGE_PREFIXES_MAX];

	T_EQ(lz_prefixes_parse("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", list, NULL), 254,
	     "::1-..fffe");
	T_EQ(lz_prefixes_parse("0.0.0.1-255.255.255.254", list, NULL), 62, "0.0.0.1-..254");
}

static struct lz_prefix prefix_of(const char *text)
{
	struct lz_prefix prefix = {};
	struct lz_err err = {};

	if (lz_prefix_parse(text, &prefix, &err) < 0)
		T_STR(err.text, "", text);
	return prefix;
}

static const struct {
	const char *outer, *inner;
	int contains;
} nested[] = {
	{ "192.0.2.0/24", "192.0.2.0/24", 1 }, { "192.0.2.0/24", "192.0.2.128/25", 1 },
	{ "192.0.2.128/25", "192.0.2.0/24", 0 }, { "192.0.2.0/25", "192.0.2.128", 0 },
	{ "0.0.0.0/0", "255.255.255.255", 1 }, { "::/0", "192.0.2.1", 0 },
	{ "2001:db8::/33", "2001:db8:8000::/34", 0 }, { "2001:db8::/33", "2001:db8:7fff::/48", 1 },
};

static void knows_nesting(void)
{
	for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++) {
		struct lz_prefix outer = prefix_of(nested[i].outer),
				 inner = prefix_of(nested[i].inner);

		T_EQ(lz_prefix_contains(&outer, &inner), nested[i].contains, nested[i].outer);
		if (nested[i].contains)
			T_OK(lz_prefix_cmp(&outer, &inner) <= 0, "an outer prefix sorts before its inner ones");
	}
}

static const struct {
	const char *addr;
	enum lz_addr_kind kind;
} kinds[] = {
	{ "0.0.0.0", LZ_ADDR_UNSPECIFIED },	   { "0.1.2.3", LZ_ADDR_THIS_NETWORK },
	{ "127.0.0.1", LZ_ADDR_LOOPBACK },	   { "169.254.1.1", LZ_ADDR_LINK_LOCAL },
	{ "10.1.1.1", LZ_ADDR_PRIVATE },	   { "172.31.255.255", LZ_ADDR_PRIVATE },
	{ "172.32.0.0", LZ_ADDR_ORDINARY },	   { "100.64.0.0", LZ_ADDR_SHARED },
	{ "100.128.0.0", LZ_ADDR_ORDINARY },	   { "192.0.2.9", LZ_ADDR_DOCUMENTATION },
	{ "224.0.0.1", LZ_ADDR_MULTICAST },	   { "240.0.0.1", LZ_ADDR_RESERVED },
	{ "255.255.255.255", LZ_ADDR_BROADCAST },  { "::", LZ_ADDR_UNSPECIFIED },
	{ "::1", LZ_ADDR_LOOPBACK },		   { "::ffff:192.0.2.1", LZ_ADDR_V4_MAPPED },
	{ "fe80::1", LZ_ADDR_LINK_LOCAL },	   { "febf::1", LZ_ADDR_LINK_LOCAL },
	{ "fd00::1", LZ_ADDR_PRIVATE },		   { "ff02::1", LZ_ADDR_MULTICAST },
	{ "2001:db8::1", LZ_ADDR_DOCUMENTATION },  { "2001:db9::1", LZ_ADDR_ORDINARY },
	{ "64:ff9b::c633:640a", LZ_ADDR_NAT64 },   { "64:ff9b:1:2::1", LZ_ADDR_NAT64 },
	{ "64:ff9b:2::1", LZ_ADDR_RESERVED },	   { "100::1", LZ_ADDR_DISCARD },
	{ "1ff::1", LZ_ADDR_RESERVED },		   { "200::1", LZ_ADDR_ORDINARY },
};

static void knows_special_purposes(void)
{
	struct lz_addr addr;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		T_EQ(lz_addr_parse(kinds[i].addr, &addr, NULL), 0, kinds[i].addr);
		T_STR(lz_addr_kind_name(lz_addr_kind(&addr)), lz_addr_kind_name(kinds[i].kind),
		      kinds[i].addr);
	}
	T_EQ(lz_addr_parse("::ffff:192.0.2.1", &addr, NULL), 0, "mapped");
	lz_addr_unmap(&addr);
	T_OK(addr.family == 4 && lz_addr_is_host(&addr), "unmapped");
}

/* A prefix is of a kind if all of it is; what it has besides may be machines. */
static void names_kinds_of_prefixes(void)
{
	static const struct {
		const char *prefix;
		enum lz_addr_kind kind;
		bool has_hosts;
	} rows[] = {
		{ "127.0.0.0/8", LZ_ADDR_LOOPBACK, false },   { "127.0.0.1", LZ_ADDR_LOOPBACK, false },
		{ "126.0.0.0/7", LZ_ADDR_ORDINARY, true },    { "0.0.0.0/8", LZ_ADDR_THIS_NETWORK, false },
		{ "0.0.0.0", LZ_ADDR_UNSPECIFIED, false },    { "0.0.0.0/0", LZ_ADDR_ORDINARY, true },
		{ "224.0.0.0/4", LZ_ADDR_MULTICAST, false },  { "224.0.0.0/3", LZ_ADDR_ORDINARY, true },
		{ "240.0.0.0/8", LZ_ADDR_RESERVED, false },   { "169.254.7.0/24", LZ_ADDR_LINK_LOCAL, false },
		{ "100.64.0.0/12", LZ_ADDR_SHARED, true },    { "fe80::/64", LZ_ADDR_LINK_LOCAL, false },
		{ "fe00::/9", LZ_ADDR_ORDINARY, true },	      { "ff02::/16", LZ_ADDR_MULTICAST, false },
		{ "2001:db8::/48", LZ_ADDR_DOCUMENTATION, true }, { "::/0", LZ_ADDR_ORDINARY, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lz_prefix prefix;

		T_EQ(lz_prefix_parse(rows[i].prefix, &prefix, NULL), 0, rows[i].prefix);
		T_STR(lz_addr_kind_name(lz_prefix_kind(&prefix)), lz_addr_kind_name(rows[i].kind), rows[i].prefix);
		T_EQ(lz_prefix_has_hosts(&prefix), rows[i].has_hosts, rows[i].prefix);
	}
}

/* Expected keys written out by hand. */
static const struct {
	const char *addr;
	unsigned len;
	int r;
	__u64 key;
	const char *text;
} keys[] = {
	{ "192.0.2.1", 64, 0, 0xc0000201, "192.0.2.1" },
	{ "0.0.0.0", 64, 0, 0, "0.0.0.0" },
	{ "255.255.255.255", 48, 0, 0xffffffff, "255.255.255.255" },
	{ "2001:db8:1:2:3::1", 64, 0, 0x20010db800010002, "2001:db8:1:2::/64" },
	{ "2001:db8:1:2fff:3::1", 56, 0, 0x20010db800012f00, "2001:db8:1:2f00::/56" },
	{ "2001:db8:1:2fff:3::1", 48, 0, 0x20010db800010000, "2001:db8:1::/48" },
	{ "0200::1", 64, 0, 0x0200000000000000, "200::/64" },
	{ "fe80::1", 64, 0, 0xfe80000000000000, "fe80::/64" },
	{ "::1", 64, -EADDRNOTAVAIL, 0, NULL },
	{ "::c000:201", 64, -EADDRNOTAVAIL, 0, NULL },
	{ "00ff::1", 64, -EADDRNOTAVAIL, 0, NULL },
	{ "0100::1", 64, -EADDRNOTAVAIL, 0, NULL },
	{ "01ff::1", 64, -EADDRNOTAVAIL, 0, NULL },
	{ "ff02::1", 64, -EADDRNOTAVAIL, 0, NULL },
	{ "2001:db8::1", 65, -EINVAL, 0, NULL },
	{ "2001:db8::1", 47, -EINVAL, 0, NULL },
};

static void makes_keys(void)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char text[LZ_PREFIX_TEXT_MAX];
		struct lz_addr addr;
		__u64 key = 0;

		T_EQ(lz_addr_parse(keys[i].addr, &addr, NULL), 0, keys[i].addr);
		T_EQ(lz_key_from_addr(&addr, keys[i].len, &key), keys[i].r, keys[i].addr);
		T_EQ(key, keys[i].key, keys[i].addr);
		if (keys[i].text)
			T_STR(lz_key_format(key, keys[i].len, text), keys[i].text, keys[i].addr);
	}
}

static const struct {
	const char *prefix;
	int r;
	__u64 bits;
	unsigned len;
} keyprefixes[] = {
	{ "0.0.0.0/0", 0, 0, 32 },
	{ "192.0.2.0/24", 0, 0xc0000200, 56 },
	{ "192.0.2.1", 0, 0xc0000201, 64 },
	{ "::/0", 0, 0, 0 },
	{ "2001:db8::/32", 0, 0x20010db800000000, 32 },
	{ "2001:db8:0:100::/56", 0, 0x20010db800000100, 56 },
	{ "2001:db8:0:1::/64", -ERANGE, 0, 0 },
	{ "::/8", -EADDRNOTAVAIL, 0, 0 },
	{ "100::/64", -ERANGE, 0, 0 },
	{ "100::/40", -EADDRNOTAVAIL, 0, 0 },
	{ "ff00::/8", -EADDRNOTAVAIL, 0, 0 },
};

static void maps_prefixes_to_key_space(void)
{
	for (size_t i = 0; i < sizeof(keyprefixes) / sizeof(keyprefixes[0]); i++) {
		struct lz_prefix prefix = prefix_of(keyprefixes[i].prefix), back;
		struct lz_keyprefix kp = {};

		T_EQ(lz_keyprefix_from_prefix(&prefix, 56, &kp), keyprefixes[i].r,
		     keyprefixes[i].prefix);
		T_EQ(kp.bits, keyprefixes[i].bits, keyprefixes[i].prefix);
		T_EQ(kp.len, keyprefixes[i].len, keyprefixes[i].prefix);
		back = lz_keyprefix_to_prefix(&kp);
		if (!keyprefixes[i].r)
			T_EQ(lz_prefix_cmp(&back, &prefix), 0, keyprefixes[i].prefix);
	}
}

static void recuts_keys(void)
{
	const __u64 key = 0x20010db800aabbcc;
	struct lz_keys k = lz_key_recut(key & ~0xffULL, 56, 64);

	T_EQ(k.first, key & ~0xffULL, "longer: the first");
	T_EQ(k.step, 1, "longer: the next");
	T_EQ(k.n, 256, "longer: how many");
	k = lz_key_recut(key & ~0xffffULL, 48, 56);
	T_EQ(k.step, 256, "to /56: the next");
	T_EQ(k.n, 256, "to /56: how many");
	k = lz_key_recut(key & ~0xffULL, 56, 57);
	T_EQ(k.n, 2, "by one bit: how many");
	k = lz_key_recut(key, 64, 48);
	T_EQ(k.first, key & ~0xffffULL, "shorter: what it is part of");
	T_EQ(k.n, 1, "shorter: one");
	k = lz_key_recut(key & ~0xffULL, 56, 56);
	T_EQ(k.first, key & ~0xffULL, "as long: itself");
	T_EQ(k.n, 1, "as long: one");
	k = lz_key_recut(0xc0000207, 48, 64);
	T_EQ(k.first, 0xc0000207, "IPv4: itself");
	T_EQ(k.n, 1, "IPv4: one");
}

static const struct t_case cases[] = {
	{ "prefixes are parsed strictly", parses_prefixes },
	{ "parses sources", parses_sources },
	{ "IPv4: what inet_pton() takes", agrees_with_inet_pton },
	{ "ranges split into prefixes", splits_ranges },
	{ "the longest ranges fit", splits_the_longest_range },
	{ "nesting and order", knows_nesting },
	{ "special-purpose addresses", knows_special_purposes },
	{ "prefixes of them", names_kinds_of_prefixes },
	{ "keys of sources", makes_keys },
	{ "prefixes in key space", maps_prefixes_to_key_space },
	{ "keys of another length", recuts_keys },
};

int main(void)
{
	return T_MAIN(cases);
}
