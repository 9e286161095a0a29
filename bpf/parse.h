/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse.h - from a frame to the few facts the rules ask about.
 *
 * Depth, stated: Ethernet, up to LZ_VLAN_MAX tags in the frame (the kernel may hold one more beside
 * it), up to LZ_MPLS_MAX labels, PPPoE session; IPv4 with options, IPv6 with up to LZ_EXT_MAX
 * extension headers; TCP, UDP, ICMPv6 type. Whatever is deeper or stranger is `unparsed`: counted,
 * and passed unless the policy says otherwise - but its source, where one was found, is still
 * looked up in the colony.
 *
 * Nothing here touches a map: the same source compiles natively for unit tests and fuzzing.
 */
#ifndef LZ_BPF_PARSE_H
#define LZ_BPF_PARSE_H

#include <linux/types.h>
#include <lazaret/table.h>

#define LZ_VLAN_MAX 2
#define LZ_MPLS_MAX 8
#define LZ_EXT_MAX  8
#define LZ_EXT_BYTES_MIN 8

#define LZ_ETH_IP4	0x0800
#define LZ_ETH_IP6	0x86dd
#define LZ_ETH_VLAN	0x8100
#define LZ_ETH_QINQ	0x88a8
#define LZ_ETH_QINQ_OLD 0x9100
#define LZ_ETH_PPPOE	0x8864
#define LZ_ETH_MPLS	0x8847
#define LZ_ETH_MPLS_MC	0x8848

#define LZ_IP_ICMP   1
#define LZ_IP_TCP    6
#define LZ_IP_UDP    17
#define LZ_IP_ICMP6  58

#define LZ_TCP_FIN 0x01
#define LZ_TCP_SYN 0x02
#define LZ_TCP_RST 0x04
#define LZ_TCP_ACK 0x10

/* What the parser found. Exactly one of NOT_IP, and the rest combine. */
#define LZ_P_NOT_IP	   0x0001 /* no IP header: ARP, PPP control, LLDP, ... */
#define LZ_P_UNPARSED	   0x0002 /* beyond the stated depth, truncated, or malformed */
#define LZ_P_LATER_FRAG	   0x0004 /* no transport header in it */
#define LZ_P_TINY_FRAG	   0x0008 /* first fragment that hides its TCP flags (RFC 1858, 7112) */
#define LZ_P_KEYED	   0x0010 /* key is set */
#define LZ_P_SYN	   0x0020 /* TCP, SYN without ACK and RST */
#define LZ_P_PORTS	   0x0040 /* sport and dport are set (TCP or UDP) */

struct lz_pkt {
	__u64 key;	/* of the source, key space of abi.h */
	__u64 now_ns;	/* 0 until somebody asks: most packets never need the clock */
	__u64 flow;	/* of a SYN to port 25: lz_flow_hash() */
	__u64 dest;	/* hash of the destination: lz_flow_dest(), or 0 */
	__u64 sets;	/* of a SYN to port 25: the destination's, lz_dest_sets_ask() */
	__u8 saddr[16]; /* IPv4 as ::ffff:a.b.c.d; filled by lz_parse_addresses() */
	__u8 daddr[16];
	__u32 seq;
	__u32 ack;
	__u32 now_s;	/* of now_ns */
	__s32 cell;	/* the source's, or negative */
	__u16 sport;
	__u16 dport;
	__u16 flags;	/* LZ_P_* */
	__u16 l3_bytes; /* offset of the IP header */
	__u8 family;	/* 4 or 6 */
	__u8 proto;
	__u8 icmp_type;
	__u8 tcp_flags;
	__u8 throttle; /* row in lz_control.throttle; 0 = not throttled */
	__u8 proven;   /* 1 = an ACK to port 25 that completed a handshake: lz_proof_take() */
	__u8 pad_[2];
	/* where it came in: known before anybody looks at it */
	__u32 ifindex;
	__u32 port;	/* entry of lz_ports */
	__u32 port_row; /* row in lz_port_stats */
	__u16 slot;	/* generation slot that judges, 0 or 1 */
	__u16 uplink;	/* judged by the return hook */
	/* of that generation; read before its tables, see lz_class_known() */
	__u32 gen_flags;
	__u32 epoch;
	__u32 number;
	__u32 pad2_;
};
_Static_assert(sizeof(struct lz_pkt) == 136, "no holes: the verifier wants every byte set");
#define LZ_PKT_FACTS_BYTES __builtin_offsetof(struct lz_pkt, ifindex)

/* A bounds-checked view. BPF keeps the packet pointers in registers; so does the native build. */
struct lz_frame {
	void *data;
	void *end;
};

/* Where paths meet, LZ_FORGET() makes the verifier forget which way a value came, so that the code
 * behind is walked once and not once for every stack of headers: a zero it cannot see is added.
 * One load of a line that is in the cache; the native build needs none of it. */
#ifdef __bpf__
#define LZ_FORGET(x) ((x) + *(volatile __u32 *)&lz_control.zero)
#define LZ_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define LZ_FORGET(x) (x)
#define LZ_NO_UNROLL
#endif
/* What stands behind must compare this very register: clang likes to compare a copy, or the value
 * minus one, and then Linux 6.1 no longer knows the bounds of an index. Costs no instruction. */
#define LZ_HIDE(x) asm volatile("" : "+r"(x))
/* The address of a field of *p is p and an offset. Left alone, clang makes it anew for each field from what
 * p was computed of - a global's address, three offsets - seven instructions instead of one. */
#define LZ_HOLD_ADDRESS(p) LZ_HIDE(p)
#define LZ_OFFSET_MAX  512 /* offsets stay below this */
#define LZ_OFFSET(off) (LZ_FORGET(off) & (LZ_OFFSET_MAX - 1))

#define LZ_AT(frame, off, type)                                                                    \
	({                                                                                         \
		__u32 off_ = (off);                                                                \
		type *p_ = (type *)((char *)(frame)->data + off_);                                 \
		off_ < LZ_OFFSET_MAX && (void *)(p_ + 1) <= (frame)->end ? p_ : (type *)0;         \
	})

struct lz_be16 {
	__u8 b[2];
} __attribute__((packed));

/* Loads from a frame, which aligns nothing. The machines this runs on load unaligned words as fast
 * as aligned ones and the verifier knows it, but clang's BPF back end would take a packed member
 * apart into bytes: 64 instructions for two IPv6 addresses. */
#ifdef __bpf__
#define LZ_LOAD(type, p) (*(const type *)(const void *)(p))
#define LZ_STORE(type, p, v) (*(type *)(void *)(p) = (v))
#else
#define LZ_LOAD(type, p)                                                                           \
	({                                                                                         \
		type v_;                                                                           \
		__builtin_memcpy(&v_, (p), sizeof(v_));                                            \
		v_;                                                                                \
	})
#define LZ_STORE(type, p, v)                                                                       \
	do {                                                                                       \
		type w_ = (v);                                                                     \
		__builtin_memcpy((p), &w_, sizeof(w_));                                            \
	} while (0)
#endif

static __always_inline __u16 lz_be16_get(const struct lz_be16 *p)
{
	return __builtin_bswap16(LZ_LOAD(__u16, p));
}

struct lz_vlan {
	struct lz_be16 tci, proto;
} __attribute__((packed));

struct lz_pppoe {
	__u8 version_type, code;
	struct lz_be16 session, len, proto;
} __attribute__((packed));

struct lz_mpls {
	__u8 b[4];
} __attribute__((packed));

struct lz_ip4 {
	__u8 version_ihl, tos;
	struct lz_be16 len, id, frag;
	__u8 ttl, proto;
	struct lz_be16 check;
	__u8 saddr[4], daddr[4];
} __attribute__((packed));

struct lz_ip6 {
	__u8 version, b1, b2, b3;
	struct lz_be16 len;
	__u8 next, hops;
	__u8 saddr[16], daddr[16];
} __attribute__((packed));

struct lz_ip6_ext {
	__u8 next, len;
	struct lz_be16 frag;
} __attribute__((packed));

struct lz_ports_hdr {
	struct lz_be16 sport, dport;
	__u8 seq[4]; /* UDP: length and checksum */
} __attribute__((packed));

struct lz_tcp_rest {
	__u8 ack[4];
	__u8 offset, flags;
} __attribute__((packed));

static __always_inline __u32 lz_be32_get(const __u8 *p)
{
	return __builtin_bswap32(LZ_LOAD(__u32, p));
}

static __always_inline __u64 lz_be64_get(const __u8 *p)
{
	return __builtin_bswap64(LZ_LOAD(__u64, p));
}

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
		if (first_frag && p->proto == LZ_IP_TCP)
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
			p->proto = next;
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
			p->flags |= LZ_P_UNPARSED;
			return;
		}
		off = LZ_OFFSET(off);
	}
	p->proto = next;
	if (lz_is_ext(next)) {
		p->flags |= LZ_P_UNPARSED;
		return;
	}
	/* 0 = jumbogram (RFC 2675) */
	lz_parse_l4(f, off, LZ_FORGET(payload_bytes ? end - off : LZ_OFFSET_MAX), first_frag, p);
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
	for (int i = 0; i < LZ_VLAN_MAX; i++) {
		struct lz_vlan *vlan;

		if (proto != LZ_ETH_VLAN && proto != LZ_ETH_QINQ && proto != LZ_ETH_QINQ_OLD)
			break;
		vlan = LZ_AT(f, *off, struct lz_vlan);
		if (!vlan)
			goto unparsed;
		proto = lz_be16_get(&vlan->proto);
		*off += sizeof(*vlan);
	}
	switch (proto) {
	case LZ_ETH_IP4:
	case LZ_ETH_IP6:
		return proto;
	case LZ_ETH_VLAN:
	case LZ_ETH_QINQ:
	case LZ_ETH_QINQ_OLD:
		goto unparsed;
	case LZ_ETH_PPPOE:
		pppoe = LZ_AT(f, *off, struct lz_pppoe);
		if (!pppoe || pppoe->version_type != 0x11 || pppoe->code)
			goto unparsed;
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
