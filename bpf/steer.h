/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * steer.h - lead a packet to the portal instead of the world (tc ingress).
 *
 * No address is rewritten and no flow is remembered: the packet is given the socket that shall have
 * it (bpf_sk_assign) and a mark, by which an ip rule delivers it on this machine. The portal sees the
 * address that was asked for, and a forwarded packet with a socket is dropped by the kernel: with the
 * rule gone, nothing leaks.
 *
 * A flow that is the portal's has a socket of its own, from the first SYN on: request, established,
 * TIME_WAIT. What has none is a new connection, and goes to the listener if it is a SYN - or an ACK
 * with a valid SYN cookie, which is all that is left of a request under flood. Everything else is not
 * the portal's: an old connection to the real site is refused.
 *
 * Only what this machine would have routed can be led: a frame to our own MAC address, with nothing
 * but VLAN tags between it and IP.
 */
#ifndef LZ_BPF_STEER_H
#define LZ_BPF_STEER_H

#include "colony.h"
#include "refuse.h"

#define LZ_TCP_LISTEN	  10
#define LZ_PACKET_HOST	  0

/* New connections to the portal from one source: 40 at once, then 20 a second; a page with its
 * pictures needs six. From all sources 5,000 a second and CPU. */
#define LZ_STEER_STEP_MS  50
#define LZ_STEER_BURST_MS 1950
#define LZ_STEER_STEP_NS  200000ULL

enum lz_steered {
	LZ_STEER_NO,	  /* not the portal's, or nobody listens */
	LZ_STEER_YES,
	LZ_STEER_LIMITED, /* too many new connections */
};

/* Does routing see this very IP packet? */
static __always_inline int lz_is_routed_here(struct __sk_buff *skb, const struct lz_pkt *p, int l3)
{
	struct lz_be16 type;
	__u16 proto;

	if (skb->pkt_type != LZ_PACKET_HOST)
		return 0;
	if (l3)
		return 1;
	if (bpf_skb_load_bytes(skb, p->l3_bytes - 2, &type, sizeof(type)))
		return 0;
	/* Behind PPPoE stands a PPP protocol, behind MPLS a label whose bottom bit rules both out. */
	proto = lz_be16_get(&type);
	return proto == (p->family == 4 ? LZ_ETH_IP4 : LZ_ETH_IP6);
}

static __always_inline struct bpf_sock *lz_find_flow(struct __sk_buff *skb, const struct lz_pkt *p)
{
	__be16 sport = __builtin_bswap16(p->sport), dport = __builtin_bswap16(p->dport);
	struct bpf_sock_tuple t = {};

	if (p->family == 4) {
		__builtin_memcpy(&t.ipv4.saddr, p->saddr + 12, 4);
		__builtin_memcpy(&t.ipv4.daddr, p->daddr + 12, 4);
		t.ipv4.sport = sport;
		t.ipv4.dport = dport;
		return bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(t.ipv6.saddr, p->saddr, 16);
	__builtin_memcpy(t.ipv6.daddr, p->daddr, 16);
	t.ipv6.sport = sport;
	t.ipv6.dport = dport;
	return bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* Give the packet to the socket that has its flow. A SYN onto a connection in TIME_WAIT goes there too:
 * the listener would drop it as a duplicate, and this way the client resets the old connection and gets
 * through with its second SYN. */
static __always_inline int lz_steer_flow(struct __sk_buff *skb, const struct lz_pkt *p)
{
	struct bpf_sock *sk = lz_find_flow(skb, p), *full;
	int ret = LZ_STEER_NO;

	if (!sk)
		return LZ_STEER_NO;
	if (sk->state == LZ_TCP_LISTEN)
		goto out;
	/* Somebody else's connection on this machine: its web server, its mail server. Requests and
	 * what is over show no mark; the first are ours or die unanswered, the second do no harm. */
	full = bpf_sk_fullsock(sk);
	if (full && full->mark != LZ_MARK_REPLY)
		goto out;
	if (!bpf_sk_assign(skb, sk, 0))
		ret = LZ_STEER_YES;
out:
	bpf_sk_release(sk);
	return ret;
}

/* Only these fields are looked at by the kernel when it checks a cookie. */
static __always_inline int lz_is_cookie(struct bpf_sock *listener, const struct lz_pkt *p)
{
	struct lz_ip4_out ip4 = { .version_ihl = 4 << 4 };
	struct lz_ip6_out ip6 = { .version = __builtin_bswap32(6u << 28) };
	struct {
		struct lz_tcp_out tcp;
	} th = { .tcp = { .flags = LZ_TCP_ACK } };

	th.tcp.sport.b[0] = p->sport >> 8;
	th.tcp.sport.b[1] = p->sport;
	th.tcp.dport.b[0] = p->dport >> 8;
	th.tcp.dport.b[1] = p->dport;
	th.tcp.seq = __builtin_bswap32(p->seq);
	th.tcp.ack = __builtin_bswap32(p->ack);
	if (p->family == 4) {
		__builtin_memcpy(ip4.saddr, p->saddr + 12, 4);
		__builtin_memcpy(ip4.daddr, p->daddr + 12, 4);
		return !bpf_tcp_check_syncookie(listener, &ip4, sizeof(ip4), (void *)&th, sizeof(th));
	}
	__builtin_memcpy(ip6.saddr, p->saddr, 16);
	__builtin_memcpy(ip6.daddr, p->daddr, 16);
	return !bpf_tcp_check_syncookie(listener, &ip6, sizeof(ip6), (void *)&th, sizeof(th));
}

/* May this source open one more connection to the portal? A throttled one's bucket is not for this. */
static __always_inline int lz_steer_allowed(const struct lz_pkt *p, __u64 now_ns)
{
	int slot = lz_search_find(p->key);
	struct lz_cell *cell = slot >= 0 ? lz_search_cell(slot) : 0;

	if (cell && LZ_GRADE_KIND(LZ_HOLD_GRADE(cell->hold)) != LZ_GRADE_THROTTLE &&
	    !lz_held_allowed(slot, now_ns, LZ_STEER_STEP_MS, LZ_STEER_BURST_MS))
		return 0;
	return lz_cpu_allowed(LZ_REPLY_STEER, now_ns, LZ_STEER_STEP_NS);
}

/* A new connection, to whoever listens. */
static __always_inline int lz_steer_new(struct __sk_buff *skb, const struct lz_pkt *p, __u32 service)
{
	__u32 row = LZ_PORTAL_ROW(service, p->family);
	struct bpf_sock *listener = bpf_map_lookup_elem(&lz_portal_socks, &row);
	int ret = LZ_STEER_NO;

	if (!listener)
		return LZ_STEER_NO;
	if (p->flags & LZ_P_SYN)
		ret = lz_steer_allowed(p, lz_clock_ns()) ? LZ_STEER_YES : LZ_STEER_LIMITED;
	else if ((p->tcp_flags & (LZ_TCP_ACK | LZ_TCP_RST)) == LZ_TCP_ACK && lz_is_cookie(listener, p))
		ret = LZ_STEER_YES;
	if (ret == LZ_STEER_YES && bpf_sk_assign(skb, listener, 0))
		ret = LZ_STEER_NO;
	bpf_sk_release(listener);
	return ret;
}

/**
 * lz_steer() - lead a packet to the portal if that is where it belongs
 * @p:	     as parsed, addresses filled
 * @verdict: LZ_V_PAGE or LZ_V_SMTP_554
 * @other:   LZ_V_PASS: only a flow that the portal has already
 * @l3:	     headerless device
 *
 * Return: enum lz_steered; YES: the packet carries socket and mark, let it pass.
 */
__noinline int lz_steer(struct __sk_buff *skb, const struct lz_pkt *p, __u32 verdict, __u32 other,
			int l3)
{
	int ret;

	/* Where ports and flags cannot be read they are 0: no socket has such ports, no flag begins nothing. */
	if (!p || p->proto != LZ_IP_TCP || !lz_is_routed_here(skb, p, l3))
		return LZ_STEER_NO;
	ret = lz_steer_flow(skb, p);
	if (ret == LZ_STEER_NO && other != LZ_V_PASS)
		ret = lz_steer_new(skb, p, verdict == LZ_V_PAGE ? LZ_PORTAL_PAGE : LZ_PORTAL_SINK);
	if (ret == LZ_STEER_YES) {
		skb->mark = LZ_MARK_STEER;
		lz_count(p->port_row, LZ_C_STEERED, 1);
	} else if (ret == LZ_STEER_LIMITED) {
		lz_count(p->port_row, LZ_C_STEER_LIMITED, 1);
	}
	return ret;
}

#endif /* LZ_BPF_STEER_H */
