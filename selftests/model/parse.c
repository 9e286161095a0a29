/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* parse.c - the model's reading of a frame, one byte at a time. */
#include <string.h>

#include "model/model.h"

struct view {
	const __u8 *bytes;
	unsigned n;
};

/* A byte, or -1 behind the end of the frame or of what the data plane looks at. */
static int byte(const struct view *v, unsigned at)
{
	return at < v->n ? v->bytes[at] : -1;
}

static int two(const struct view *v, unsigned at)
{
	return byte(v, at) < 0 || byte(v, at + 1) < 0 ? -1 : byte(v, at) << 8 | byte(v, at + 1);
}

static __u32 four(const struct view *v, unsigned at)
{
	return (__u32)two(v, at) << 16 | (__u32)two(v, at + 2);
}

static bool is_tag(int type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

/* At most 8 labels, then the payload shows its version. Returns 4, 6 or 0. */
static int under_labels(const struct view *v, unsigned *at)
{
	for (int label = 1; label <= 8; label++) {
		int last;

		if (byte(v, *at + 3) < 0)
			return 0;
		last = byte(v, *at + 2) & 1;
		*at += 4;
		if (last) {
			int first = byte(v, *at);

			return first >= 0 && (first >> 4 == 4 || first >> 4 == 6) ? first >> 4 : 0;
		}
	}
	return 0;
}

static int in_pppoe(const struct view *v, unsigned *at, struct m_packet *p)
{
	int type = two(v, *at + 6);

	if (type < 0) {
		p->unparsed = true;
		return 0;
	}
	*at += 8;
	if (type >> 8 & 1) { /* compressed to one byte */
		type >>= 8;
		--*at;
	}
	p->not_ip = type != 0x0021 && type != 0x0057;
	return type == 0x0021 ? 4 : type == 0x0057 ? 6 : 0;
}

/* Down to IP. Returns the family, or 0 with not_ip or unparsed set. */
static int find_ip(const struct view *v, bool l3, unsigned *at, struct m_packet *p)
{
	int type, tags = 0, vlans = 0, family;

	*at = 0;
	if (l3) {
		family = byte(v, 0) < 0 ? 0 : byte(v, 0) >> 4;
		if (family != 4 && family != 6)
			p->unparsed = true;
		return p->unparsed ? 0 : family;
	}
	type = two(v, 12);
	*at = 14;
	while (is_tag(type) && tags < 8) {
		int vlan = two(v, *at);

		if (vlan > 0 && vlan & 0xfff && ++vlans > 2)
			break;
		tags++;
		type = two(v, *at + 2);
		*at += 4;
	}
	if (type < 0 || is_tag(type)) {
		p->unparsed = true;
		p->overtagged = type >= 0 && tags == 8;
		return 0;
	}
	if (type == 0x0800 || type == 0x86dd)
		return type == 0x0800 ? 4 : 6;
	if (type == 0x8864)
		return in_pppoe(v, at, p);
	if (type == 0x8847 || type == 0x8848) {
		family = under_labels(v, at);
		p->unparsed = !family;
		return family;
	}
	p->not_ip = true;
	return 0;
}

/* The transport header; `said` is how long IP says it and its payload are. */
static void transport(const struct view *v, unsigned at, int said, bool first_fragment,
		      struct m_packet *p)
{
	int need = p->proto == 6 ? 14 : 8;

	if (p->proto == 1 || p->proto == 58) {
		p->icmp_type = byte(v, at) < 0 ? 0 : (unsigned)byte(v, at);
		return;
	}
	if (p->proto != 6 && p->proto != 17)
		return;
	/* The rest of a TCP header is looked at on its own: it begins below 512, too. */
	if (said < need || byte(v, at + (unsigned)need - 1) < 0 || (p->proto == 6 && at + 8 >= 512)) {
		p->unparsed = true;
		p->tiny = (first_fragment || at + 8 >= 512) && p->proto == 6;
		return;
	}
	p->has_ports = true;
	p->sport = (unsigned)two(v, at);
	p->dport = (unsigned)two(v, at + 2);
	if (p->proto == 6) {
		p->seq = four(v, at + 4);
		p->ack = four(v, at + 8);
		p->tcp_flags = (unsigned)byte(v, at + 13);
		p->syn = (p->tcp_flags & 0x16) == 0x02;
	}
}

static void ip4(const struct view *v, unsigned at, struct m_packet *p)
{
	unsigned header, fragment;
	int total;

	if (byte(v, at + 19) < 0 || byte(v, at) >> 4 != 4) {
		p->unparsed = true;
		return;
	}
	p->family = 4;
	p->keyed = true;
	memcpy(p->src, v->bytes + at + 12, 4);
	memcpy(p->dst, v->bytes + at + 16, 4);
	p->key = four(v, at + 12);
	p->proto = (unsigned)byte(v, at + 9);
	header = (unsigned)(byte(v, at) & 15) * 4;
	total = two(v, at + 2);
	fragment = (unsigned)two(v, at + 6);
	if (header < 20 || total < (int)header)
		p->unparsed = true;
	else if (fragment & 0x1fff)
		p->later_fragment = true;
	else
		transport(v, at + header, total - (int)header, fragment & 0x2000, p);
}

static bool is_extension(unsigned number)
{
	static const __u8 numbers[] = { 0, 43, 44, 51, 60, 135, 139, 140 };

	for (unsigned i = 0; i < sizeof(numbers); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static void chain6(const struct view *v, unsigned at, int end, struct m_packet *p)
{
	bool first_fragment = false;

	for (int i = 0; is_extension(p->proto); i++) {
		unsigned length, this = p->proto;

		if (i == 8) {
			p->unparsed = p->tiny = true;
			return;
		}
		if (byte(v, at + 3) < 0 || (end >= 0 && (int)at + 8 > end)) {
			p->unparsed = true;
			p->tiny = first_fragment;
			return;
		}
		p->proto = (unsigned)byte(v, at);
		length = this == 44 ? 8 : this == 51 ? ((unsigned)byte(v, at + 1) + 2) * 4 :
						       ((unsigned)byte(v, at + 1) + 1) * 8;
		if (this == 44 && two(v, at + 2) & 0xfff8) {
			p->later_fragment = true;
			return;
		}
		if (this == 44 && two(v, at + 2) & 1)
			first_fragment = true;
		at += length;
		if (at >= 512) {
			p->unparsed = p->tiny = true;
			return;
		}
	}
	transport(v, at, end < 0 ? 512 : end - (int)at, first_fragment, p);
}

static void ip6(const struct view *v, unsigned at, unsigned key_len, struct m_packet *p)
{
	int payload = two(v, at + 4);

	if (byte(v, at + 39) < 0 || byte(v, at) >> 4 != 6) {
		p->unparsed = true;
		return;
	}
	p->family = 6;
	memcpy(p->src, v->bytes + at + 8, 16);
	memcpy(p->dst, v->bytes + at + 24, 16);
	p->keyed = p->src[0] > 1 && p->src[0] != 0xff;
	for (unsigned bit = 0; bit < 64; bit++)
		if (bit < key_len && p->src[bit / 8] & 0x80 >> bit % 8)
			p->key |= 1ull << (63 - bit);
	p->proto = (unsigned)byte(v, at + 6);
	chain6(v, at + 40, payload ? (int)at + 40 + payload : -1, p);
}

void m_parse(const __u8 *bytes, unsigned n, bool l3, unsigned key_len, struct m_packet *p)
{
	struct view v = { bytes, n };
	unsigned at;
	int family;

	memset(p, 0, sizeof(*p));
	family = find_ip(&v, l3, &at, p);
	if (family == 4)
		ip4(&v, at, p);
	else if (family == 6)
		ip6(&v, at, key_len, p);
}
