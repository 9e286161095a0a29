/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/addr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The IANA special-purpose registries, first match wins. */
static const struct {
	__u8 family, len, bytes[16], kind;
} special[] = {
	{ 4, 32, { 0 }, LZ_ADDR_UNSPECIFIED },
	{ 4, 8, { 0 }, LZ_ADDR_THIS_NETWORK },
	{ 4, 8, { 10 }, LZ_ADDR_PRIVATE },
	{ 4, 10, { 100, 64 }, LZ_ADDR_SHARED },
	{ 4, 8, { 127 }, LZ_ADDR_LOOPBACK },
	{ 4, 16, { 169, 254 }, LZ_ADDR_LINK_LOCAL },
	{ 4, 12, { 172, 16 }, LZ_ADDR_PRIVATE },
	{ 4, 24, { 192, 0, 2 }, LZ_ADDR_DOCUMENTATION },
	{ 4, 16, { 192, 168 }, LZ_ADDR_PRIVATE },
	{ 4, 24, { 198, 51, 100 }, LZ_ADDR_DOCUMENTATION },
	{ 4, 24, { 203, 0, 113 }, LZ_ADDR_DOCUMENTATION },
	{ 4, 4, { 224 }, LZ_ADDR_MULTICAST },
	{ 4, 32, { 255, 255, 255, 255 }, LZ_ADDR_BROADCAST },
	{ 4, 4, { 240 }, LZ_ADDR_RESERVED },
	{ 6, 128, { 0 }, LZ_ADDR_UNSPECIFIED },
	{ 6, 128, { [15] = 1 }, LZ_ADDR_LOOPBACK },
	{ 6, 96, { [10] = 0xff, [11] = 0xff }, LZ_ADDR_V4_MAPPED },
	{ 6, 96, { 0, 0x64, 0xff, 0x9b }, LZ_ADDR_NAT64 },
	{ 6, 48, { 0, 0x64, 0xff, 0x9b, 0, 1 }, LZ_ADDR_NAT64 },
	{ 6, 64, { 0x01 }, LZ_ADDR_DISCARD },
	{ 6, 7, { 0 }, LZ_ADDR_RESERVED }, /* the rest of what the IETF keeps for such purposes */
	{ 6, 32, { 0x20, 0x01, 0x0d, 0xb8 }, LZ_ADDR_DOCUMENTATION },
	{ 6, 20, { 0x3f, 0xff }, LZ_ADDR_DOCUMENTATION }, /* RFC 9637 */
	{ 6, 7, { 0xfc }, LZ_ADDR_PRIVATE },
	{ 6, 10, { 0xfe, 0x80 }, LZ_ADDR_LINK_LOCAL },
	{ 6, 8, { 0xff }, LZ_ADDR_MULTICAST },
};

static const char *const kind_names[] = {
	[LZ_ADDR_ORDINARY] = "ordinary",
	[LZ_ADDR_UNSPECIFIED] = "unspecified",
	[LZ_ADDR_THIS_NETWORK] = "this network",
	[LZ_ADDR_LOOPBACK] = "loopback",
	[LZ_ADDR_LINK_LOCAL] = "link-local",
	[LZ_ADDR_PRIVATE] = "private",
	[LZ_ADDR_SHARED] = "shared address space",
	[LZ_ADDR_DOCUMENTATION] = "documentation",
	[LZ_ADDR_MULTICAST] = "multicast",
	[LZ_ADDR_RESERVED] = "reserved",
	[LZ_ADDR_BROADCAST] = "broadcast",
	[LZ_ADDR_V4_MAPPED] = "IPv4-mapped",
	[LZ_ADDR_NAT64] = "NAT64 prefix, RFC 6052 or RFC 8215",
	[LZ_ADDR_DISCARD] = "discard-only prefix, RFC 6666",
};
_Static_assert(LZ_ARRAY_SIZE(kind_names) == LZ_ADDR_KIND_N, "a name for each kind");

static bool equal_bits(const __u8 *a, const __u8 *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole))
		return false;
	return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

static void clear_host_bits(struct lz_addr *addr, unsigned len)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = len > i * 8 ? len - i * 8 : 0;

		if (kept < 8)
			addr->bytes[i] &= (__u8)(0xff00 >> kept);
	}
}

unsigned lz_addr_bits(const struct lz_addr *addr)
{
	return addr->family == 4 ? 32 : 128;
}

/* Four decimal parts without leading zeros; what stands behind them, or NULL. As strict as inet_pton(),
 * but without the copy that it would need of a prefix: files of half a million are read. */
static const char *parse_v4(const char *text, __u8 *bytes)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned value = 0, digits = 0;

		if (i && *text++ != '.')
			return NULL;
		for (; *text >= '0' && *text <= '9' && digits < 3; digits++)
			value = value * 10 + (unsigned)(*text++ - '0');
		if (!digits || value > 255 || (digits > 1 && value < (digits == 2 ? 10 : 100)))
			return NULL;
		bytes[i] = (__u8)value;
	}
	return text;
}

/* The address that @text begins with, up to its end or @stop; what stands behind it, or NULL. */
static const char *parse_addr(const char *text, char stop, struct lz_addr *ret)
{
	struct lz_addr addr = { .family = 4 };
	char v6[LZ_ADDR_TEXT_MAX];
	const char *end = parse_v4(text, addr.bytes);
	size_t len;

	if (end && (!*end || *end == stop)) {
		*ret = addr;
		return end;
	}
	end = strchr(text, stop);
	len = end ? (size_t)(end - text) : strlen(text);
	if (len >= sizeof(v6))
		return NULL;
	memcpy(v6, text, len);
	v6[len] = '\0';
	addr = (struct lz_addr){ .family = 6 };
	if (inet_pton(AF_INET6, v6, addr.bytes) != 1)
		return NULL;
	*ret = addr;
	return text + len;
}

static int not_an_address(const char *text, struct lz_err *reterr)
{
	return lz_err_set(reterr, EINVAL,
			  "'%.60s' is not an address (want e.g. 192.0.2.1, without leading zeros, or 2001:db8::1)",
			  text);
}

int lz_addr_parse(const char *text, struct lz_addr *ret, struct lz_err *reterr)
{
	return parse_addr(text, '\0', ret) ? 0 : not_an_address(text, reterr);
}

/* Without the price of printf: lists of a million addresses are printed. */
static char *format_byte(__u8 value, char *out)
{
	if (value >= 100)
		*out++ = (char)('0' + value / 100);
	if (value >= 10)
		*out++ = (char)('0' + value / 10 % 10);
	*out++ = (char)('0' + value % 10);
	return out;
}

static void format_v4(const __u8 *bytes, char *out)
{
	for (unsigned i = 0; i < 4; i++) {
		out = format_byte(bytes[i], out);
		*out++ = i < 3 ? '.' : '\0';
	}
}

const char *lz_addr_format(const struct lz_addr *addr, char buf[static LZ_ADDR_TEXT_MAX])
{
	if (addr->family == 4)
		format_v4(addr->bytes, buf);
	else if (!inet_ntop(AF_INET6, addr->bytes, buf, LZ_ADDR_TEXT_MAX))
		buf[0] = '\0';
	return buf;
}

static __u64 load_be64(const __u8 *bytes)
{
	__u64 be;

	memcpy(&be, bytes, sizeof(be));
	return be64toh(be);
}

int lz_addr_cmp(const struct lz_addr *a, const struct lz_addr *b)
{
	__u64 x = load_be64(a->bytes), y = load_be64(b->bytes);

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (x == y) {
		x = load_be64(a->bytes + 8);
		y = load_be64(b->bytes + 8);
	}
	return x < y ? -1 : x > y;
}

enum lz_addr_kind lz_prefix_kind(const struct lz_prefix *prefix)
{
	const struct lz_addr *addr = &prefix->addr;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(special); i++)
		if (special[i].family == addr->family && special[i].len <= prefix->len &&
		    equal_bits(special[i].bytes, addr->bytes, special[i].len))
			return special[i].kind;
	return LZ_ADDR_ORDINARY;
}

enum lz_addr_kind lz_addr_kind(const struct lz_addr *addr)
{
	struct lz_prefix host = lz_prefix_host(addr);

	return lz_prefix_kind(&host);
}

const char *lz_addr_kind_name(enum lz_addr_kind kind)
{
	return kind_names[kind];
}

bool lz_addr_is_host(const struct lz_addr *addr)
{
	struct lz_prefix host = lz_prefix_host(addr);

	return lz_prefix_has_hosts(&host);
}

int lz_prefix_no_source(const struct lz_prefix *prefix, struct lz_err *reterr)
{
	char text[LZ_PREFIX_TEXT_MAX];

	return lz_err_set(reterr, EINVAL, "%s: is no source: %s", lz_prefix_format(prefix, text),
			  lz_addr_kind_name(lz_prefix_kind(prefix)));
}

bool lz_prefix_has_hosts(const struct lz_prefix *prefix)
{
	enum lz_addr_kind kind = lz_prefix_kind(prefix);

	return kind == LZ_ADDR_ORDINARY || kind == LZ_ADDR_PRIVATE || kind == LZ_ADDR_SHARED ||
	       kind == LZ_ADDR_DOCUMENTATION || kind == LZ_ADDR_NAT64;
}

void lz_addr_unmap(struct lz_addr *addr)
{
	if (addr->family != 6 || lz_addr_kind(addr) != LZ_ADDR_V4_MAPPED)
		return;
	memcpy(addr->bytes, addr->bytes + 12, 4);
	memset(addr->bytes + 4, 0, 12);
	addr->family = 4;
}

struct lz_addr lz_addr_v4(__u32 host_order)
{
	struct lz_addr addr = { .family = 4 };
	__u32 be = htonl(host_order);

	memcpy(addr.bytes, &be, sizeof(be));
	return addr;
}

/* The part behind the slash: decimal, no sign, no leading zero, at most @max. */
static int parse_len(const char *text, unsigned max, unsigned *ret)
{
	unsigned len = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		len = len * 10 + (unsigned)(*text - '0');
		if (len > max)
			return -EINVAL;
	}
	*ret = len;
	return 0;
}

int lz_prefix_parse(const char *text, struct lz_prefix *ret, struct lz_err *reterr)
{
	char right[LZ_PREFIX_TEXT_MAX];
	struct lz_prefix prefix;
	struct lz_addr given;
	const char *slash;
	unsigned len;

	slash = parse_addr(text, '/', &prefix.addr);
	if (!slash)
		return not_an_address(text, reterr);
	len = lz_addr_bits(&prefix.addr);
	if (*slash && parse_len(slash + 1, len, &len) < 0)
		return lz_err_set(reterr, EINVAL, "'%.60s': bad prefix length (want 0..%u)", text, len);
	prefix.len = (__u8)len;
	if (len >= 96 && lz_addr_kind(&prefix.addr) == LZ_ADDR_V4_MAPPED) {
		lz_addr_unmap(&prefix.addr);
		prefix.len = (__u8)(len - 96);
		return lz_err_set(reterr, EINVAL,
				  "'%.60s' is IPv4-mapped, which no packet carries; write '%s'", text,
				  lz_prefix_format(&prefix, right));
	}
	given = prefix.addr;
	clear_host_bits(&prefix.addr, len);
	if (lz_addr_cmp(&prefix.addr, &given))
		return lz_err_set(reterr, EINVAL, "'%.60s' has host bits set; write '%s' or one address",
				  text, lz_prefix_format(&prefix, right));
	*ret = prefix;
	return 0;
}

int lz_source_parse(const char *text, struct lz_prefix *ret, struct lz_err *reterr)
{
	struct lz_addr addr;
	int r;

	if (strchr(text, '/')) {
		r = lz_prefix_parse(text, ret, reterr);
		if (!strchr(text, ':') && (r < 0 || ret->len < 32))
			r = lz_err_set(reterr, EINVAL, "'%.60s' is not an address; name one source, e.g. 192.0.2.1",
				       text);
		return r;
	}
	r = lz_addr_parse(text, &addr, reterr);
	if (r == 0)
		*ret = lz_prefix_host(&addr);
	return r;
}

const char *lz_prefix_format(const struct lz_prefix *prefix, char buf[static LZ_PREFIX_TEXT_MAX])
{
	char *end;

	lz_addr_format(&prefix->addr, buf);
	if (prefix->len == lz_addr_bits(&prefix->addr))
		return buf;
	end = buf + strlen(buf);
	*end++ = '/';
	*format_byte(prefix->len, end) = '\0';
	return buf;
}

int lz_prefix_cmp(const struct lz_prefix *a, const struct lz_prefix *b)
{
	int order = lz_addr_cmp(&a->addr, &b->addr);

	return order ? order : (int)a->len - (int)b->len;
}

bool lz_prefix_contains(const struct lz_prefix *outer, const struct lz_prefix *inner)
{
	return outer->addr.family == inner->addr.family && outer->len <= inner->len &&
	       equal_bits(outer->addr.bytes, inner->addr.bytes, outer->len);
}

bool lz_prefix_has_addr(const struct lz_prefix *prefix, const struct lz_addr *addr)
{
	return prefix->addr.family == addr->family &&
	       equal_bits(prefix->addr.bytes, addr->bytes, prefix->len);
}

struct lz_prefix lz_prefix_host(const struct lz_addr *addr)
{
	return (struct lz_prefix){ .addr = *addr, .len = (__u8)lz_addr_bits(addr) };
}

struct lz_prefix lz_prefix_cut(const struct lz_prefix *prefix, unsigned len)
{
	struct lz_prefix cut = *prefix;

	if (len < cut.len)
		cut.len = (__u8)len;
	clear_host_bits(&cut.addr, cut.len);
	return cut;
}

/* Last address of a prefix: all host bits set. */
static struct lz_addr last_of(const struct lz_prefix *prefix)
{
	struct lz_addr last = prefix->addr;
	unsigned bits = lz_addr_bits(&last);

	for (unsigned i = prefix->len; i < bits; i++)
		last.bytes[i / 8] |= (__u8)(0x80 >> i % 8);
	return last;
}

/* Add one to an address; false when it wraps. */
static bool increment(struct lz_addr *addr)
{
	for (unsigned i = lz_addr_bits(addr) / 8; i-- > 0;)
		if (++addr->bytes[i])
			return true;
	return false;
}

int lz_range_split(const struct lz_addr *first, const struct lz_addr *last,
		   struct lz_prefix ret[static LZ_RANGE_PREFIXES_MAX])
{
	struct lz_prefix next = lz_prefix_host(first);
	int n = 0;

	if (first->family != last->family || lz_addr_cmp(first, last) > 0)
		return -EINVAL;
	for (;;) {
		struct lz_addr end;

		/* The widest prefix that starts at next.addr and does not reach beyond last. */
		while (next.len > 0) {
			struct lz_prefix wider = lz_prefix_cut(&next, next.len - 1U);

			end = last_of(&wider);
			if (lz_addr_cmp(&wider.addr, &next.addr) || lz_addr_cmp(&end, last) > 0)
				break;
			next = wider;
		}
		ret[n++] = next;
		end = last_of(&next);
		if (!lz_addr_cmp(&end, last) || !increment(&end))
			return n;
		next = lz_prefix_host(&end);
	}
}

int lz_prefixes_parse(const char *text, struct lz_prefix ret[static LZ_RANGE_PREFIXES_MAX],
		      struct lz_err *reterr)
{
	const char *dash = strchr(text, '-');
	char first_text[LZ_ADDR_TEXT_MAX];
	struct lz_addr first, last;
	int r;

	if (!dash) {
		r = lz_prefix_parse(text, &ret[0], reterr);
		return r < 0 ? r : 1;
	}
	if ((size_t)(dash - text) >= sizeof(first_text))
		return lz_err_set(reterr, EINVAL, "'%.60s' is not a range FIRST-LAST", text);
	memcpy(first_text, text, (size_t)(dash - text));
	first_text[dash - text] = '\0';
	r = lz_addr_parse(first_text, &first, reterr);
	if (r < 0)
		return r;
	r = lz_addr_parse(dash + 1, &last, reterr);
	if (r < 0)
		return r;
	if (first.family != last.family)
		return lz_err_set(reterr, EINVAL, "'%.90s': range mixes IPv4 and IPv6", text);
	r = lz_range_split(&first, &last, ret);
	if (r < 0)
		return lz_err_set(reterr, EINVAL,
				  "'%.90s': range ends before it starts (want FIRST-LAST)", text);
	return r;
}
