/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * glance.h - the frame that nearly all are, told by a few loads.
 *
 * Ethernet with at most one VLAN tag, IPv4 without options or IPv6 without extension headers, whole, TCP or
 * UDP: the source's key is known at once, and whether a rule looks at such packets. What is none of our
 * business leaves without having been parsed (make bench, row a: 10 ns less of 27); the others' facts are
 * read off where they must be. That is done before their cell is asked for: behind a load that misses, the
 * stores of the facts fill the store buffer, and when it is full nothing goes on (row b: 30 to 130 ns).
 *
 * It finds nothing that lz_parse() would not: t_parse.c and the fuzzer compare the two.
 */
#ifndef LZ_BPF_GLANCE_H
#define LZ_BPF_GLANCE_H

#include "parse.h"

#define LZ_BE16(x) __builtin_bswap16(x) /* as it lies in a frame, and back */

/* Rules look at SYNs, at TCP port 25, and at fragments that hide which they are. */
static __always_inline int lz_is_customer_business(const struct lz_pkt *p)
{
	return (p->flags & (LZ_P_SYN | LZ_P_TINY_FRAG)) ||
	       (p->dport == 25 && p->proto == LZ_IP_TCP);
}

struct lz_glance {
	__u64 key;    /* of the source; 0 = look closer, lz_parse() */
	int business; /* with a key: rules look at it, as lz_is_customer_business() says */
};

/* The EtherType of a frame, as it lies there, and the offset of what it names; 0: too short. */
static __always_inline __u16 lz_glance_l2(const struct lz_frame *f, __u32 *l3_bytes)
{
	const __u8 *l2 = f->data;
	__u16 type;

	if (l2 + 18 > (const __u8 *)f->end)
		return 0;
	type = LZ_LOAD(__u16, l2 + 12);
	*l3_bytes = 14;
	if (type == LZ_BE16(LZ_ETH_VLAN)) {
		type = LZ_LOAD(__u16, l2 + 16);
		*l3_bytes = 18;
	}
	return type;
}

/* @l4: LZ_TCP_LEAST_BYTES bytes are there. @bytes: what the IP header claims. */
static __always_inline void lz_glance_l4(const __u8 *l4, __u32 proto, __s32 bytes, __u64 key,
					 struct lz_glance *ret)
{
	if (proto == LZ_IP_UDP && bytes >= LZ_UDP_LEAST_BYTES)
		ret->key = key;
	if (proto != LZ_IP_TCP || bytes < LZ_TCP_LEAST_BYTES)
		return;
	ret->key = key;
	ret->business = LZ_LOAD(__u16, l4 + 2) == LZ_BE16(25) ||
			lz_is_bare_syn(l4[13]);
}

/**
 * lz_glance() - the key of a plain frame's source
 * @f:	     the linear part of an Ethernet frame
 * @key_len: IPv6 key length of the instance, 48..64
 * @ret:     zeroed by the caller
 */
static __always_inline void lz_glance(const struct lz_frame *f, __u32 key_len, struct lz_glance *ret)
{
	const __u8 *l3 = f->data, *end = f->end;
	__u32 l3_bytes = 0;
	__u16 type = lz_glance_l2(f, &l3_bytes);

	l3 += l3_bytes;
	if (type == LZ_BE16(LZ_ETH_IP4)) {
		if (l3 + sizeof(struct lz_ip4) + LZ_TCP_LEAST_BYTES > end || l3[0] != 0x45 ||
		    (LZ_LOAD(__u16, l3 + 6) & LZ_BE16(0x3fff)))
			return;
		lz_glance_l4(l3 + sizeof(struct lz_ip4), l3[9],
			     (__s32)LZ_BE16(LZ_LOAD(__u16, l3 + 2)) - (__s32)sizeof(struct lz_ip4),
			     lz_be32_get(l3 + 12), ret);
	} else if (type == LZ_BE16(LZ_ETH_IP6)) {
		if (l3 + sizeof(struct lz_ip6) + LZ_TCP_LEAST_BYTES > end || l3[0] >> 4 != 6)
			return;
		lz_glance_l4(l3 + sizeof(struct lz_ip6), l3[6], LZ_BE16(LZ_LOAD(__u16, l3 + 4)),
			     lz_key6(l3 + 8, key_len), ret);
	}
}

/**
 * lz_glance_facts() - what lz_parse() would say of a frame that lz_glance() has found the key of
 * @p: zeroed
 */
static __always_inline void lz_glance_facts(const struct lz_frame *f, __u64 key, struct lz_pkt *p)
{
	const __u8 *l3 = f->data, *l4;
	__u32 l3_bytes = 0;
	int ip4 = lz_glance_l2(f, &l3_bytes) == LZ_BE16(LZ_ETH_IP4);

	l3 += l3_bytes;
	l4 = l3 + (ip4 ? sizeof(struct lz_ip4) : sizeof(struct lz_ip6));
	if (l4 + LZ_TCP_LEAST_BYTES > (const __u8 *)f->end)
		return;
	p->key = key;
	p->l3_bytes = l3_bytes;
	p->family = ip4 ? 4 : 6;
	p->proto = ip4 ? l3[9] : l3[6];
	p->flags = LZ_P_KEYED;
	lz_read_ports((const void *)l4, p);
	if (p->proto == LZ_IP_TCP)
		lz_read_tcp((const void *)l4, (const void *)(l4 + sizeof(struct lz_ports_hdr)), p);
}

/**
 * lz_read_facts() - the facts of a frame, at a glance where that was enough
 * @glanced: key that lz_glance() has found, or 0
 * @l3:      what lz_parse() is told of the port
 * @p:       zeroed
 */
static __always_inline void lz_read_facts(const struct lz_frame *f, __u64 glanced, int l3, __u32 key_len,
					  struct lz_pkt *p)
{
	if (glanced)
		lz_glance_facts(f, glanced, p);
	else
		lz_parse(f, l3, key_len, p);
}

#endif /* LZ_BPF_GLANCE_H */
