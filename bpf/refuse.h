/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * refuse.h - turn a refused packet into its answer and send it back where it came from (tc).
 *
 * The frame itself becomes the reply: its encapsulation - tags, labels, PPPoE session - stays and
 * the Ethernet addresses are swapped, so the answer takes the way of the question. An ICMP error
 * comes from the interface's own address (RFC 1812 4.3.2.4), a reset from the address that was
 * asked (RFC 9293 3.10.7). Replies are limited a CPU and never answer what must not be answered:
 * broadcast, multicast, fragments (RFC 1122 3.2.2), resets (RFC 9293 3.10.7.1).
 */
#ifndef LZ_BPF_REFUSE_H
#define LZ_BPF_REFUSE_H

#include <linux/pkt_cls.h>
#include "count.h"

/* A CPU answers 2,000 refusals a second after a burst of 1,000, one source 50 after 200, so that one
 * that floods does not silence the others: an honest host needs one. */
#define LZ_REPLY_STEP_NS  500000ULL
#define LZ_REPLY_BURST	  1000
#define LZ_REPLY_STEP_MS  20
#define LZ_REPLY_BURST_MS 3980

#define LZ_L3_LOST   2
#define LZ_ETH_BYTES 14
#define LZ_QUOTE_MAX 96 /* bytes of the refused packet in an ICMP error: RFC 792 asks for header + 8 */

struct lz_reply {
	__u8 saddr[16];
	__u8 daddr[16];
	__u8 quote[LZ_QUOTE_MAX];
	__u32 quote_bytes;
	__u32 l3_bytes;
};

/* One of this CPU's buckets: LZ_REPLY_BURST at once, then one every step_ns. */
static __always_inline int lz_cpu_allowed(__u32 which, __u64 now_ns, __u64 step_ns)
{
	__u64 *tat_ns = bpf_map_lookup_elem(&lz_reply_bucket, &which);

	if (!tat_ns)
		return 0;
	if (*tat_ns < now_ns || *tat_ns > now_ns + 2 * LZ_REPLY_BURST * step_ns)
		*tat_ns = now_ns;
	if (*tat_ns - now_ns >= LZ_REPLY_BURST * step_ns)
		return 0;
	*tat_ns += step_ns;
	return 1;
}

/* A race lost here is a reply more. */
static __always_inline int lz_reply_allowed(__u64 key, __u64 now_ns)
{
	__u32 row = lz_hash(key, ~lz_instance.seed) >> 52, now_ms = now_ns / NSEC_PER_MSEC;
	__u32 *tat_ms = &lz_reply_sources[row & (LZ_REPLY_SOURCES - 1)];
	__u32 used_ms = *(volatile __u32 *)tat_ms - now_ms;

	if (used_ms > LZ_REPLY_BURST_MS + LZ_REPLY_STEP_MS + LZ_LATE_MS)
		used_ms = 0;
	if (used_ms > LZ_REPLY_BURST_MS || !lz_cpu_allowed(LZ_REPLY_REFUSE, now_ns, LZ_REPLY_STEP_NS))
		return 0;
	*(volatile __u32 *)tat_ms = now_ms + used_ms + LZ_REPLY_STEP_MS;
	return 1;
}

static __always_inline __u16 lz_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

struct lz_tcp_out {
	struct lz_be16 sport, dport;
	__be32 seq, ack;
	__u8 offset, flags;
	__u16 window, check, urgent;
} __attribute__((packed));

struct lz_icmp_out {
	__u8 type, code;
	__u16 check;
	__be32 unused;
} __attribute__((packed));

struct lz_ip4_out {
	__u8 version_ihl, tos;
	__be16 len, id, frag;
	__u8 ttl, proto;
	__u16 check;
	__u8 saddr[4], daddr[4];
} __attribute__((packed));

struct lz_ip6_out {
	__be32 version;
	__be16 len;
	__u8 next, hops;
	__u8 saddr[16], daddr[16];
} __attribute__((packed));

static __always_inline __be16 lz_be16(__u16 x)
{
	return __builtin_bswap16(x);
}

/* Sum of the pseudo header: addresses, length, protocol (RFC 9293 3.1, RFC 8200 8.1). */
static __always_inline __u64 lz_pseudo(const __u8 *saddr, const __u8 *daddr, __u32 addr_bytes,
				       __u32 len, __u32 proto)
{
	__be32 tail[2] = { __builtin_bswap32(len), __builtin_bswap32(proto) };
	__s64 sum;

	sum = bpf_csum_diff(0, 0, (__be32 *)saddr, addr_bytes, 0);
	sum = bpf_csum_diff(0, 0, (__be32 *)daddr, addr_bytes, sum);
	return bpf_csum_diff(0, 0, tail, sizeof(tail), sum);
}

static __always_inline int lz_put_ip4(struct __sk_buff *skb, const struct lz_reply *r, __u8 proto,
				      __u32 payload_bytes)
{
	struct lz_ip4_out ip = {
		.version_ihl = 0x45,
		.tos = 0xc0, /* network control: an error about a packet matters more than the packet */
		.len = lz_be16(sizeof(ip) + payload_bytes),
		.frag = lz_be16(0x4000),
		.ttl = 64,
		.proto = proto,
	};

	__builtin_memcpy(ip.saddr, r->saddr + 12, 4);
	__builtin_memcpy(ip.daddr, r->daddr + 12, 4);
	ip.check = lz_fold(bpf_csum_diff(0, 0, (__be32 *)&ip, sizeof(ip), 0));
	return bpf_skb_store_bytes(skb, r->l3_bytes, &ip, sizeof(ip), 0);
}

static __always_inline int lz_put_ip6(struct __sk_buff *skb, const struct lz_reply *r, __u8 proto,
				      __u32 payload_bytes)
{
	struct lz_ip6_out ip = {
		.version = __builtin_bswap32(6u << 28),
		.len = lz_be16(payload_bytes),
		.next = proto,
		.hops = 64,
	};

	__builtin_memcpy(ip.saddr, r->saddr, 16);
	__builtin_memcpy(ip.daddr, r->daddr, 16);
	return bpf_skb_store_bytes(skb, r->l3_bytes, &ip, sizeof(ip), 0);
}

/* Further than any transport header's sum that a guest leaves to the device. */
#define LZ_SUM_REACH 256

/* Make the frame `bytes` long from the IP header on. The kernel forgets segmentation and a checksum
 * the card has verified, but one that is left to the device (CHECKSUM_PARTIAL, a virtual machine's or a
 * container's) would be put into the middle of the answer. It forgets that too when the front of the
 * packet goes beyond it: so the frame gets longer behind by as much as it then loses behind its link
 * header. The kernel does that for plain IP only, and only there are tags, which it holds aside, safe;
 * what has more between link and IP header leaves no sums to anybody.
 *
 * Nor does the kernel trim a frame before the transport header, where it has looked for one: a reset
 * to more options, or extension headers, than it is long itself. What is left of them behind the answer
 * is padding, like that of any short frame: the IP header says where the packet ends. */
static __always_inline int lz_resize(struct __sk_buff *skb, __u32 l3_bytes, __u32 bytes)
{
	if (l3_bytes > LZ_ETH_BYTES)
		return bpf_skb_change_tail(skb, l3_bytes + bytes, 0) && skb->len < l3_bytes + bytes;
	if (bpf_skb_change_tail(skb, l3_bytes + bytes + LZ_SUM_REACH, 0))
		return -1;
	if (!bpf_skb_adjust_room(skb, -LZ_SUM_REACH, BPF_ADJ_ROOM_MAC, 0))
		return 0;
	return bpf_skb_change_tail(skb, l3_bytes + bytes, 0);
}

static __always_inline int lz_put_reset(struct __sk_buff *skb, const struct lz_pkt *p,
					struct lz_reply *r)
{
	struct lz_tcp_out tcp = { .offset = 5 << 4, .flags = LZ_TCP_RST };
	__u32 ip_bytes = p->family == 4 ? 20 : 40;
	int v4 = p->family == 4;

	/* RFC 9293 3.10.7.1: a flow believes only its own next number */
	if (p->tcp_flags & LZ_TCP_ACK) {
		tcp.seq = __builtin_bswap32(p->ack);
	} else {
		tcp.ack = __builtin_bswap32(p->seq + 1);
		tcp.flags |= LZ_TCP_ACK;
	}
	tcp.sport.b[0] = p->dport >> 8;
	tcp.sport.b[1] = p->dport;
	tcp.dport.b[0] = p->sport >> 8;
	tcp.dport.b[1] = p->sport;
	__builtin_memcpy(r->saddr, p->daddr, 16);
	__builtin_memcpy(r->daddr, p->saddr, 16);
	tcp.check = lz_fold(bpf_csum_diff(0, 0, (__be32 *)&tcp, sizeof(tcp),
					  lz_pseudo(r->saddr + (v4 ? 12 : 0),
						    r->daddr + (v4 ? 12 : 0), v4 ? 4 : 16,
						    sizeof(tcp), LZ_IP_TCP)));
	if (lz_resize(skb, r->l3_bytes, ip_bytes + sizeof(tcp)))
		return -1;
	if (v4 ? lz_put_ip4(skb, r, LZ_IP_TCP, sizeof(tcp)) :
		 lz_put_ip6(skb, r, LZ_IP_TCP, sizeof(tcp)))
		return -1;
	return bpf_skb_store_bytes(skb, r->l3_bytes + ip_bytes, &tcp, sizeof(tcp), 0);
}

/* ICMP destination unreachable, communication administratively prohibited: type 3 code 13 (RFC 1812
 * 5.2.7.1), ICMPv6 type 1 code 1 (RFC 4443 3.1). */
static __always_inline int lz_put_icmp(struct __sk_buff *skb, const struct lz_pkt *p,
				       struct lz_reply *r)
{
	__u32 ifindex = p->ifindex; /* Linux 6.1 wants a key on this function's own stack */
	struct lz_port_addr *own = bpf_map_lookup_elem(&lz_port_addrs, &ifindex);
	struct lz_icmp_out icmp = { .type = 3, .code = 13 };
	__u32 quote_bytes = r->quote_bytes & ~3u;
	int v4 = p->family == 4;
	__u32 ip_bytes = v4 ? 20 : 40;
	__s64 sum = 0;

	if (!own || quote_bytes < 28 || quote_bytes > LZ_QUOTE_MAX)
		return -1;
	if (v4) {
		if (!own->ip4)
			return -1;
		__builtin_memcpy(r->saddr + 12, &own->ip4, 4);
	} else {
		icmp.type = 1;
		icmp.code = 1;
		__builtin_memcpy(r->saddr, own->ip6, 16);
		if (!(own->ip6[0] | own->ip6[1]))
			return -1;
	}
	__builtin_memcpy(r->daddr, p->saddr, 16);
	if (!v4)
		sum = lz_pseudo(r->saddr, r->daddr, 16, sizeof(icmp) + quote_bytes, LZ_IP_ICMP6);
	sum = bpf_csum_diff(0, 0, (__be32 *)&icmp, sizeof(icmp), sum);
	sum = bpf_csum_diff(0, 0, (__be32 *)r->quote, quote_bytes, sum);
	icmp.check = lz_fold(sum);
	if (lz_resize(skb, r->l3_bytes, ip_bytes + sizeof(icmp) + quote_bytes))
		return -1;
	if (v4 ? lz_put_ip4(skb, r, LZ_IP_ICMP, sizeof(icmp) + quote_bytes) :
		 lz_put_ip6(skb, r, LZ_IP_ICMP6, sizeof(icmp) + quote_bytes))
		return -1;
	if (bpf_skb_store_bytes(skb, r->l3_bytes + ip_bytes, &icmp, sizeof(icmp), 0))
		return -1;
	return bpf_skb_store_bytes(skb, r->l3_bytes + ip_bytes + sizeof(icmp), r->quote,
				   quote_bytes, 0);
}

/* The PPPoE header carries a length of its own (RFC 2516 4): the two bytes before the PPP protocol. Of all that may
 * stand before an IP packet only that protocol begins with 0: an EtherType does not, and the last half of a label
 * has its bottom bit there. Without link header there is nothing to read. */
static __always_inline int lz_fix_pppoe(struct __sk_buff *skb, __u32 l3_bytes, __u32 ip_bytes)
{
	__be16 len = lz_be16(ip_bytes + 2);
	__u8 first;

	if (bpf_skb_load_bytes(skb, l3_bytes - 2, &first, sizeof(first)) || first)
		return 0;
	return bpf_skb_store_bytes(skb, l3_bytes - 4, &len, sizeof(len), 0);
}

/* Was the packet meant for one host? 224.0.0.0/3, ff00::/8: RFC 1122 3.2.2, RFC 4443 2.4 (e). */
static __always_inline int lz_is_to_one(const struct lz_pkt *p)
{
	return p->family == 4 ? p->daddr[12] < 224 : p->daddr[0] != 0xff;
}

static __always_inline int lz_swap_macs(struct __sk_buff *skb)
{
	__u8 macs[12], swapped[12];

	if (bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)))
		return -1;
	if (macs[0] & 1) /* broadcast or multicast frame */
		return -1;
	__builtin_memcpy(swapped, macs + 6, 6);
	__builtin_memcpy(swapped + 6, macs, 6);
	return bpf_skb_store_bytes(skb, 0, swapped, sizeof(swapped), 0);
}

/**
 * lz_refuse() - answer a refused packet
 * @p:	     as parsed, addresses filled
 * @verdict: LZ_V_DROP, LZ_V_ICMP_ADMIN, LZ_V_TCP_RESET
 * @l3:	     headerless device; LZ_L3_LOST: only this frame is
 *
 * Return: TC_ACT_SHOT, or what bpf_redirect() says once the answer is on its way.
 */
__noinline int lz_refuse(struct __sk_buff *skb, const struct lz_pkt *p, __u32 verdict, int l3)
{
	struct lz_reply r = {};
	__u32 bytes, want = LZ_QUOTE_MAX, ip_bytes;
	int failed;

	if (!p || verdict == LZ_V_DROP)
		return TC_ACT_SHOT;
	r.l3_bytes = p->l3_bytes & (LZ_OFFSET_MAX - 1);
	if (verdict == LZ_V_TCP_RESET && p->proto != LZ_IP_TCP)
		verdict = LZ_V_ICMP_ADMIN;
	/* An odd offset is PPPoE with a compressed protocol field: nobody's honest frame. */
	if ((p->flags & (LZ_P_LATER_FRAG | LZ_P_TINY_FRAG)) || (p->tcp_flags & LZ_TCP_RST) ||
	    !p->family || !lz_is_to_one(p) || (p->l3_bytes & 1) || skb->len <= p->l3_bytes ||
	    !lz_reply_allowed(p->key, lz_clock_ns()))
		goto suppressed;
	bytes = skb->len - p->l3_bytes;
	/* Header and transport header without options, as much as there is, down to the RFC's
	 * minimum: fixed sizes, because the verifier must know them. */
	if (bytes >= 96)
		want = 96;
	else if (bytes >= 60)
		want = 60;
	else if (bytes >= 40)
		want = 40;
	else
		goto suppressed;
	if (want == 96 ? bpf_skb_load_bytes(skb, p->l3_bytes, r.quote, 96) :
	    want == 60 ? bpf_skb_load_bytes(skb, p->l3_bytes, r.quote, 60) :
			 bpf_skb_load_bytes(skb, p->l3_bytes, r.quote, 40))
		goto suppressed;
	r.quote_bytes = want;
	if (!l3 && lz_swap_macs(skb))
		goto suppressed;
	ip_bytes = p->family == 4 ? 20 : 40;
	if (verdict == LZ_V_TCP_RESET) {
		failed = lz_put_reset(skb, p, &r);
		ip_bytes += sizeof(struct lz_tcp_out);
	} else {
		failed = lz_put_icmp(skb, p, &r);
		ip_bytes += sizeof(struct lz_icmp_out) + want;
	}
	if (failed || lz_fix_pppoe(skb, p->l3_bytes, ip_bytes))
		goto suppressed;
	/* On a box that NATs it meets lz_tc_out(), which would take a reset from port 25 for a stranger's. */
	skb->mark = LZ_MARK_REFUSAL;
	if (l3 == LZ_L3_LOST) {
		/* The neighbour table knows the way back; the helper wants a header to replace. */
		if (bpf_skb_change_head(skb, LZ_ETH_BYTES, 0))
			goto suppressed;
		lz_count(p->port_row, LZ_C_REPLY_SENT, 1);
		return bpf_redirect_neigh(p->ifindex, 0, 0, 0);
	}
	lz_count(p->port_row, LZ_C_REPLY_SENT, 1);
	return bpf_redirect(p->ifindex, 0);
suppressed:
	lz_count(p->port_row, LZ_C_REPLY_SUPPRESSED, 1);
	return TC_ACT_SHOT;
}

#endif /* LZ_BPF_REFUSE_H */
