/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * link.h - what lies before the IP packet in a frame: Ethernet, tags, PPPoE, labels.
 */
#ifndef LZ_BPF_LINK_H
#define LZ_BPF_LINK_H

#include "frame.h"
#include "pkt.h"

#define LZ_VLAN_MAX 2
#define LZ_TAGS_MAX 8 /* with priority tags */
#define LZ_MPLS_MAX 8

static __always_inline int lz_is_tag(__u16 proto)
{
	return proto == LZ_ETH_VLAN || proto == LZ_ETH_QINQ || proto == LZ_ETH_QINQ_OLD;
}

static __always_inline __u32 lz_vlan_id(const struct lz_vlan *vlan)
{
	return lz_be16_get(&vlan->tci) & 0xfff;
}

/* Past all tags. One of VLAN 0 says a priority and no VLAN (802.1Q 9.6): whatever device a frame is for, Linux takes
 * off as many as there are and routes what is below, so any customer could put his packets there. Tags of VLANs for
 * which there is no device go no further than this machine. Returns the EtherType below; or *flags says why not. */
static __always_inline __u16 lz_parse_tags(const struct lz_frame *f, __u32 *off, __u16 proto, __u16 *flags)
{
	__u32 vlans = 0;

	LZ_NO_UNROLL
	for (int i = 0; i < LZ_TAGS_MAX && lz_is_tag(proto); i++) {
		struct lz_vlan *vlan = LZ_AT(f, *off, struct lz_vlan);

		vlans += vlan && lz_vlan_id(vlan);
		if (!vlan || vlans > LZ_VLAN_MAX) {
			*flags |= LZ_P_UNPARSED;
			return 0;
		}
		proto = lz_be16_get(&vlan->proto);
		*off += sizeof(*vlan);
	}
	*off = LZ_OFFSET(*off);
	if (lz_is_tag(proto))
		*flags |= LZ_P_UNPARSED | LZ_P_OVERTAGGED;
	return proto;
}

/* Down to the EtherType of an IP packet, past tags, labels and PPPoE. Returns LZ_ETH_IP4,
 * LZ_ETH_IP6, or 0 with LZ_P_NOT_IP or LZ_P_UNPARSED set; *off moves to the IP header. */
static __always_inline __u16 lz_parse_l2(const struct lz_frame *f, __u32 *off, struct lz_pkt *p)
{
	struct lz_be16 *type = LZ_AT(f, 12, struct lz_be16);
	struct lz_pppoe *pppoe;
	__u16 proto;
	__u8 *nibble;

	if (!type) {
		p->flags |= LZ_P_UNPARSED;
		return 0;
	}
	proto = lz_be16_get(type);
	*off = 14;
	if (proto == LZ_ETH_IP4 || proto == LZ_ETH_IP6)
		return proto;
	proto = lz_parse_tags(f, off, proto, &p->flags);
	if (p->flags & LZ_P_UNPARSED)
		return 0;
	switch (proto) {
	case LZ_ETH_IP4:
	case LZ_ETH_IP6:
		return proto;
	case LZ_ETH_PPPOE:
		pppoe = LZ_AT(f, *off, struct lz_pppoe);
		if (!pppoe)
			goto unparsed;
		/* Whatever version, type and code it says: Linux asks for none of them in a session frame. */
		*off += sizeof(*pppoe);
		proto = lz_be16_get(&pppoe->proto);
		/* A compressed protocol field (RFC 1661 6.5) is one odd byte; PPPoE advises against it,
		 * but Linux takes it from anybody who sends it. */
		if (proto & 0x0100) {
			proto >>= 8;
			*off -= 1;
		}
		if (proto == 0x0021)
			return LZ_ETH_IP4;
		if (proto == 0x0057)
			return LZ_ETH_IP6;
		p->flags |= LZ_P_NOT_IP; /* LCP, IPCP, authentication: keep the session alive */
		return 0;
	case LZ_ETH_MPLS:
	case LZ_ETH_MPLS_MC:
		LZ_NO_UNROLL
		for (int i = 0; i < LZ_MPLS_MAX; i++) {
			struct lz_mpls *label = LZ_AT(f, *off, struct lz_mpls);

			if (!label)
				goto unparsed;
			*off += sizeof(*label);
			if (!(label->b[2] & 1))
				continue;
			/* MPLS has no type field: the payload's first nibble (RFC 4928) */
			nibble = LZ_AT(f, *off, __u8);
			if (nibble && *nibble >> 4 == 4)
				return LZ_ETH_IP4;
			if (nibble && *nibble >> 4 == 6)
				return LZ_ETH_IP6;
			goto unparsed;
		}
		goto unparsed;
	}
	p->flags |= LZ_P_NOT_IP;
	return 0;
unparsed:
	p->flags |= LZ_P_UNPARSED;
	return 0;
}

#endif /* LZ_BPF_LINK_H */
