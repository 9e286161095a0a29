/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse.h - from a frame to the few facts the rules ask about.
 *
 * Depth, stated: Ethernet, up to LZ_VLAN_MAX tags in the frame (the kernel may hold one more beside
 * it) and as many priority tags as make LZ_TAGS_MAX with them, up to LZ_MPLS_MAX labels, PPPoE
 * session; IPv4 with options, IPv6 with up to LZ_EXT_MAX extension headers; TCP, UDP, ICMPv6 type.
 * Whatever is deeper or stranger is `unparsed`: counted,
 * and passed unless the policy says otherwise - but its source, where one was found, is still
 * looked up in the colony. What hides a TCP header that others find - hosts follow extension headers
 * as far as they go, Linux thirty and more - meets the rules like a first fragment that does.
 *
 * Nothing here touches a map: the same source compiles natively for unit tests and fuzzing.
 */
#ifndef LZ_BPF_PARSE_H
#define LZ_BPF_PARSE_H

#include <lazaret/table.h>

#include "link.h"

#define LZ_EXT_MAX  8
#define LZ_EXT_BYTES_MIN 8

/* Source or destination key of an IPv6 address; 0 = not keyed (see abi.h). */
static __always_inline __u64 lz_key6(const __u8 *addr, __u32 key_len)
{
	__u64 key = lz_be64_get(addr) & (~0ULL << (64 - key_len));

	return key >> 57 == 0 || key >> 56 == 0xff ? 0 : key;
}

/* The least of a header that says all we ask: TCP to its flags, UDP whole. */
#define LZ_TCP_LEAST_BYTES 14
#define LZ_UDP_LEAST_BYTES 8

static __always_inline int lz_is_bare_syn(__u8 tcp_flags)
{
	return (tcp_flags & (LZ_TCP_SYN | LZ_TCP_ACK | LZ_TCP_RST)) == LZ_TCP_SYN;
}

/* What the header of TCP or UDP says, and what the rest of that of TCP does. */
static __always_inline void lz_read_ports(const struct lz_ports_hdr *ports, struct lz_pkt *p)
{
	p->flags |= LZ_P_PORTS;
	p->sport = lz_be16_get(&ports->sport);
	p->dport = lz_be16_get(&ports->dport);
}

static __always_inline void lz_read_tcp(const struct lz_ports_hdr *ports, const struct lz_tcp_rest *tcp,
					struct lz_pkt *p)
{
	p->seq = lz_be32_get(ports->seq);
	p->ack = lz_be32_get(tcp->ack);
	p->tcp_flags = tcp->flags;
	if (lz_is_bare_syn(tcp->flags))
		p->flags |= LZ_P_SYN;
}

/* The transport header at off, claimed_bytes long with its payload by the IP header. That may be less
 * than the frame holds: what lies behind the IP packet is padding and must not be read as ports or
 * flags. A packet that ends before them is unparsed; a first fragment that does is cut on purpose. */
static __always_inline void lz_parse_l4(const struct lz_frame *f, __u32 off, __s32 claimed_bytes,
					int first_frag, struct lz_pkt *p)
{
	struct lz_ports_hdr *ports;
	struct lz_tcp_rest *tcp;
	__u8 *type;

	if (p->proto == LZ_IP_ICMP6 || p->proto == LZ_IP_ICMP) {
		type = LZ_AT(f, off, __u8);
		if (type)
			p->icmp_type = *type;
		return;
	}
	if (p->proto != LZ_IP_TCP && p->proto != LZ_IP_UDP)
		return;
	ports = LZ_AT(f, off, struct lz_ports_hdr);
	tcp = LZ_AT(f, off + 8, struct lz_tcp_rest);
	if (!ports || (p->proto == LZ_IP_TCP && !tcp) ||
	    claimed_bytes < (p->proto == LZ_IP_TCP ? LZ_TCP_LEAST_BYTES : LZ_UDP_LEAST_BYTES)) {
		p->flags |= LZ_P_UNPARSED;
		if (p->proto == LZ_IP_TCP && (first_frag || off + sizeof(*ports) >= LZ_OFFSET_MAX))
			p->flags |= LZ_P_TINY_FRAG;
		return;
	}
	lz_read_ports(ports, p);
	if (p->proto == LZ_IP_TCP && tcp)
		lz_read_tcp(ports, tcp, p);
}

static __always_inline void lz_parse_ip4(const struct lz_frame *f, __u32 off, struct lz_pkt *p)
{
	struct lz_ip4 *ip = LZ_AT(f, off, struct lz_ip4);
	__u32 header_bytes, total_bytes, frag;

	if (!ip || ip->version_ihl >> 4 != 4) {
		p->flags |= LZ_P_UNPARSED;
		return;
	}
	p->family = 4;
	p->proto = ip->proto;
	p->key = lz_be32_get(ip->saddr);
	p->flags |= LZ_P_KEYED;
	header_bytes = (ip->version_ihl & 15) * 4;
	total_bytes = lz_be16_get(&ip->len);
	frag = lz_be16_get(&ip->frag);
	if (header_bytes < 20 || total_bytes < header_bytes) {
		p->flags |= LZ_P_UNPARSED;
		return;
	}
	if (frag & 0x1fff) {
		p->flags |= LZ_P_LATER_FRAG;
		return;
	}
	lz_parse_l4(f, LZ_OFFSET(off + header_bytes), LZ_FORGET(total_bytes - header_bytes),
		    frag & 0x2000, p);
}

static __always_inline int lz_is_ext(__u8 next)
{
	/* hop-by-hop, routing, fragment, AH, destination options, mobility, HIP, shim6 (IANA) */
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 ||
	       next == 139 || next == 140;
}

static __always_inline void lz_parse_ip6(const struct lz_frame *f, __u32 off, __u32 key_len,
					 struct lz_pkt *p)
{
	struct lz_ip6 *ip = LZ_AT(f, off, struct lz_ip6);
	__u32 payload_bytes, end;
	__u32 first_frag = 0;
	__u8 next;

	if (!ip || ip->version >> 4 != 6) {
		p->flags |= LZ_P_UNPARSED;
		return;
	}
	p->family = 6;
	p->key = lz_key6(ip->saddr, key_len);
	if (p->key)
		p->flags |= LZ_P_KEYED;
	next = ip->next;
	off += sizeof(*ip);
	payload_bytes = lz_be16_get(&ip->len);
	end = off + payload_bytes;
	LZ_NO_UNROLL
	for (int i = 0; i < LZ_EXT_MAX && lz_is_ext(next); i++) {
		struct lz_ip6_ext *ext = LZ_AT(f, off, struct lz_ip6_ext);

		/* Behind the payload is padding. A first fragment must hold the whole chain (RFC
		 * 7112): one that does not hides what follows, like a TCP header without flags. */
		if (!ext || (payload_bytes && off + LZ_EXT_BYTES_MIN > end)) {
			p->flags |= LZ_P_UNPARSED | (first_frag ? LZ_P_TINY_FRAG : 0);
			return;
		}
		if (next == 44) {
			__u16 frag = lz_be16_get(&ext->frag);

			if (frag & 0xfff8) {
				p->proto = ext->next;
				p->flags |= LZ_P_LATER_FRAG;
				return;
			}
			first_frag |= frag & 1;
			off += 8;
		} else if (next == 51) {
			off += (ext->len + 2) * 4;
		} else {
			off += (ext->len + 1) * 8;
		}
		next = LZ_FORGET(ext->next);
		if (off >= LZ_OFFSET_MAX) {
			p->flags |= LZ_P_UNPARSED | LZ_P_TINY_FRAG;
			return;
		}
		off = LZ_OFFSET(off);
	}
	p->proto = next;
	if (lz_is_ext(next)) {
		p->flags |= LZ_P_UNPARSED | LZ_P_TINY_FRAG;
		return;
	}
	/* 0 = jumbogram (RFC 2675) */
	lz_parse_l4(f, off, LZ_FORGET(payload_bytes ? end - off : LZ_OFFSET_MAX), first_frag, p);
}

/**
 * lz_parse() - find out what a frame is
 * @f:	     the linear part of the frame
 * @l3:	     1 = the frame starts at the IP header (ppp, tun)
 * @key_len: IPv6 key length of the instance, 48..64
 * @p:	     zeroed by the caller; key, flags, family, proto, ports, seq, l3_bytes are set
 */
static __always_inline void lz_parse(const struct lz_frame *f, int l3, __u32 key_len,
				     struct lz_pkt *p)
{
	__u32 off = 0;
	__u16 type;

	if (l3) {
		__u8 *first = LZ_AT(f, 0, __u8);

		type = !first ? 0 : *first >> 4 == 4 ? LZ_ETH_IP4 : *first >> 4 == 6 ? LZ_ETH_IP6 : 0;
		if (!type)
			p->flags |= LZ_P_UNPARSED;
	} else {
		type = lz_parse_l2(f, &off, p);
	}
	off = LZ_OFFSET(off);
	p->l3_bytes = off;
	p->flags = LZ_FORGET(p->flags);
	type = LZ_FORGET(type);
	if (type == LZ_ETH_IP4)
		lz_parse_ip4(f, off, p);
	else if (type == LZ_ETH_IP6)
		lz_parse_ip6(f, off, key_len, p);
	p->flags = LZ_FORGET(p->flags);
}

/* The lower half of ::ffff:a.b.c.d as it lies in memory. In one piece, because it is read in one: a load
 * that needs two stores waits until both have left the store buffer, and so for whatever line the
 * packet waits for by then (make bench, row b: 200 ns). */
static __always_inline __u64 lz_mapped4(__u32 raw)
{
	return (__u64)raw << 32 | 0xffff0000u; /* little endian, as the tags are */
}

/* Both addresses on 128 bits: only the packets that rules look at pay for this copy. */
static __always_inline void lz_parse_addresses(const struct lz_frame *f, struct lz_pkt *p)
{
	if (p->family == 4) {
		struct lz_ip4 *ip = LZ_AT(f, p->l3_bytes, struct lz_ip4);

		if (!ip)
			return;
		LZ_STORE(__u64, p->saddr + 8, lz_mapped4(LZ_LOAD(__u32, ip->saddr)));
		LZ_STORE(__u64, p->daddr + 8, lz_mapped4(LZ_LOAD(__u32, ip->daddr)));
	} else if (p->family == 6) {
		struct lz_ip6 *ip = LZ_AT(f, p->l3_bytes, struct lz_ip6);

		if (!ip)
			return;
		LZ_STORE(__u64, p->saddr, LZ_LOAD(__u64, ip->saddr));
		LZ_STORE(__u64, p->saddr + 8, LZ_LOAD(__u64, ip->saddr + 8));
		LZ_STORE(__u64, p->daddr, LZ_LOAD(__u64, ip->daddr));
		LZ_STORE(__u64, p->daddr + 8, LZ_LOAD(__u64, ip->daddr + 8));
	}
}

#endif /* LZ_BPF_PARSE_H */
