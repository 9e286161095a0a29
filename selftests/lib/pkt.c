/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pkt.c - build frames; see pkt.h. Byte-wise throughout: nothing is shared with the data plane. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pkt.h"

static void put8(struct pkt *p, unsigned value)
{
	if (p->bytes >= PKT_BYTES_MAX)
		abort();
	p->data[p->bytes++] = (__u8)value;
}

static void put16(struct pkt *p, unsigned value)
{
	put8(p, value >> 8);
	put8(p, value);
}

static void put32(struct pkt *p, __u32 value)
{
	put16(p, value >> 16);
	put16(p, value & 0xffff);
}

static void put_addr(struct pkt *p, const char *text, int family)
{
	__u8 addr[16];

	if (inet_pton(family, text, addr) != 1) {
		fprintf(stderr, "pkt: address: not of this family: \"%s\"\n", text);
		abort();
	}
	for (int i = 0; i < (family == AF_INET ? 4 : 16); i++)
		put8(p, addr[i]);
}

__u16 pkt_sum(const __u8 *bytes, __u32 n, __u32 start)
{
	__u32 sum = start;

	for (__u32 i = 0; i < n; i++)
		sum += i & 1 ? bytes[i] : (__u32)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

__u16 pkt_sum_l4(const __u8 *ip, __u32 l4_bytes)
{
	bool v4 = ip[0] >> 4 == 4;
	const __u8 *l4 = ip + (v4 ? (ip[0] & 15) * 4 : 40);
	__u32 sum = 0;

	if (v4 && ip[9] == 1) /* ICMP has no pseudo header */
		return pkt_sum(l4, l4_bytes, 0);
	for (int i = 0; i < (v4 ? 8 : 32); i += 2)
		sum += (__u32)ip[(v4 ? 12 : 8) + i] << 8 | ip[(v4 ? 13 : 9) + i];
	sum += l4_bytes + (v4 ? ip[9] : ip[6]);
	return pkt_sum(l4, l4_bytes, sum);
}

static unsigned link_type(const struct pkt_spec *s, bool v4)
{
	if (s->ethertype)
		return s->ethertype;
	if (s->flags & PKT_F_PPPOE)
		return 0x8864;
	if (s->mpls)
		return 0x8847;
	return v4 ? 0x0800 : 0x86dd;
}

static void put_link(struct pkt *p, const struct pkt_spec *s, bool v4)
{
	static const __u8 macs[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	for (int i = 0; i < 12; i++)
		put8(p, i < 6 && s->flags & PKT_F_BROADCAST ? 0xff : macs[i]);
	for (int i = 0; i < PKT_VLAN_MAX && s->vlan[i]; i++) {
		put16(p, s->vlan[i]);
		put16(p, 0x2000 | (100 + i));
	}
	for (int i = 0; i < s->priority_tags; i++) {
		put16(p, i % 2 ? 0x88a8 : 0x8100);
		put16(p, 0x2000);
	}
	put16(p, link_type(s, v4));
	if (s->flags & PKT_F_PPPOE) {
		put16(p, s->flags & PKT_F_PPPOE_ODD ? 0x2309 : 0x1100);
		put16(p, 0x1234);
		put16(p, 0); /* length, set once it is known */
		if (s->flags & PKT_F_PPP_SHORT)
			put8(p, v4 ? 0x21 : 0x57);
		else
			put16(p, s->ppp ? s->ppp : v4 ? 0x0021 : 0x0057);
	}
	for (int i = 0; i < s->mpls; i++)
		put32(p, (__u32)(1000 + i) << 12 | (i + 1 == s->mpls) << 8 | 64);
}

static unsigned proto_of(const struct pkt_spec *s)
{
	return s->proto ? s->proto : IPPROTO_TCP;
}

static void put_l4(struct pkt *p, const struct pkt_spec *s)
{
	unsigned proto = proto_of(s), start = p->bytes;

	if (proto == IPPROTO_TCP) {
		put16(p, s->sport ? s->sport : 40000);
		put16(p, s->dport);
		put32(p, s->seq);
		put32(p, s->ack);
		put8(p, 0x50);
		put8(p, s->flags & PKT_F_NO_FLAGS ? 0 : s->tcp ? s->tcp : PKT_SYN);
		put16(p, 64240);
		put32(p, 0);
	} else if (proto == IPPROTO_UDP) {
		put16(p, s->sport ? s->sport : 40000);
		put16(p, s->dport);
		put16(p, 8u + s->payload);
		put16(p, 0);
	} else {
		put8(p, s->icmp_type);
		put8(p, 0);
		put16(p, 0);
		put32(p, 0);
	}
	for (int i = 0; i < s->payload; i++)
		put8(p, 'a' + i % 26);
	if (s->l4_bytes && p->bytes - start > s->l4_bytes)
		p->bytes = start + s->l4_bytes;
}

static void store16(__u8 *at, unsigned value)
{
	at[0] = (__u8)(value >> 8);
	at[1] = (__u8)value;
}

static void put_ip4(struct pkt *p, const struct pkt_spec *s)
{
	__u8 *ip = p->data + p->bytes;
	unsigned ihl = s->ihl ? s->ihl : 5u + s->options;

	put8(p, (s->version ? s->version : 4u) << 4 | ihl);
	put8(p, 0);
	put16(p, 0);
	put16(p, 0x4242);
	put16(p, (s->flags & PKT_F_DF ? 0x4000u : 0) | (s->flags & PKT_F_MORE ? 0x2000u : 0) | s->frag_off / 8u);
	put8(p, 64);
	put8(p, proto_of(s));
	put16(p, 0);
	put_addr(p, s->src, AF_INET);
	put_addr(p, s->dst, AF_INET);
	for (int i = 0; i < s->options; i++)
		put32(p, 0x01010101);
	p->l4 = p->bytes;
	put_l4(p, s);
	store16(ip + 2, s->total_len ? s->total_len : p->bytes - p->l3);
	store16(ip + 10, pkt_sum(ip, 20u + s->options * 4u, 0));
}

/* One extension header, eight bytes unless `len` says more; its first byte is the next header's number. */
static void put_ext(struct pkt *p, const struct pkt_spec *s, unsigned this, unsigned next, unsigned len)
{
	unsigned bytes = this == 51 ? (len + 2) * 4 : (len + 1) * 8;

	put8(p, next);
	if (this == 44) {
		put8(p, 0);
		put16(p, (unsigned)s->frag_off | !!(s->flags & PKT_F_MORE));
		put32(p, 0x42424242);
		return;
	}
	put8(p, len);
	put16(p, 0x0104);
	for (unsigned i = 4; i < bytes; i++)
		put8(p, 0);
}

static void put_ip6(struct pkt *p, const struct pkt_spec *s)
{
	__u8 chain[PKT_EXT_MAX + 1];
	unsigned n = 0, payload;

	for (; n < s->ext_n; n++)
		chain[n] = s->ext[n];
	if (s->flags & PKT_F_FRAG)
		chain[n++] = 44;
	put32(p, (s->version ? s->version : 6u) << 28);
	put16(p, 0);
	put8(p, n ? chain[0] : proto_of(s));
	put8(p, 64);
	put_addr(p, s->src, AF_INET6);
	put_addr(p, s->dst, AF_INET6);
	for (unsigned i = 0; i < n; i++)
		put_ext(p, s, chain[i], i + 1 < n ? chain[i + 1] : proto_of(s), i ? 0 : s->ext_len);
	p->l4 = p->bytes;
	put_l4(p, s);
	payload = s->flags & PKT_F_JUMBO ? 0 : p->bytes - p->l3 - 40;
	store16(p->data + p->l3 + 4, s->total_len ? s->total_len : payload);
}

void pkt_build(struct pkt *p, const struct pkt_spec *s)
{
	bool v4 = s->src && !strchr(s->src, ':');

	memset(p, 0, sizeof(*p));
	if (!(s->flags & PKT_F_L3))
		put_link(p, s, v4);
	p->l3 = p->bytes;
	if (!s->src) {
		for (int i = 0; i < 46; i++)
			put8(p, 0);
	} else if (v4) {
		put_ip4(p, s);
	} else {
		put_ip6(p, s);
	}
	if (s->flags & PKT_F_PPP_SHORT)
		store16(p->data + p->l3 - 3, p->bytes - p->l3 + 1);
	else if (s->flags & PKT_F_PPPOE)
		store16(p->data + p->l3 - 4, p->bytes - p->l3 + 2);
	for (int i = 0; i < s->pad; i++)
		put8(p, 0xff);
	if (s->cut && s->cut < p->bytes)
		p->bytes = s->cut;
}

void pkt_dump(const char *label, const __u8 *bytes, __u32 n)
{
	printf("#   %s, %u bytes:", label, n);
	for (__u32 i = 0; i < n && i < 256; i++)
		printf("%s%02x", i % 16 ? i % 8 ? "" : " " : "\n#     ", bytes[i]);
	putchar('\n');
}
