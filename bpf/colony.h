/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * colony.h - what a held source may still do: the grades, and the fate table of the gardens.
 *
 *   packet of a held source              leaky          strict
 *   not IP: ARP, PPP control, EAPOL      pass           pass       (never gets here)
 *   ND, DHCP, DHCPv6                     pass           pass; beyond the link limited
 *   to always-reach                      pass, limited  pass, limited
 *   TCP 25                               mail verdict: the sink, or the class's refusal
 *   garden destinations, open ports      pass           pass; on port 80, too: updates come by it
 *   TCP 80                               web verdict: the page, or a reset; or silence
 *   TCP 465, 587                         pass           tls verdict
 *   443, TCP and QUIC                    pass           tls verdict (QUIC: ICMP)
 *   everything else, fragments, unparsed pass           drop
 *
 * What a leaky garden lets pass for want of a reason to stop it, a SYN for which no hole was made, is
 * judged by the source's class: a hold must not free a scanner of the limit that he had before.
 *
 * A blocked25 source meets the row of TCP 25 and a throttled one its rate; for all else both are
 * judged by their class.
 */
#ifndef LZ_BPF_COLONY_H
#define LZ_BPF_COLONY_H

#include "cell.h"
#include "range.h"

/* What one held source may do of what it is allowed: 200 packets at once, then 100 a second. A name
 * look-up or a call needs a few; a flood of the resolver does not get through (faults.md F50). */
#define LZ_REACH_STEP_MS  10
#define LZ_REACH_BURST_MS 1990

/* Of these one a second, if half of what may come at once is there, to a DHCP server or an address of another prefix
 * beyond the link: a renewal is one packet in hours, and whoever listens at port 67 of the Internet would be a way
 * out of any garden. */
#define LZ_UPKEEP_STEP_MS  990
#define LZ_UPKEEP_BURST_MS 1000

/* Two CPUs never lose twice in a row; whoever loses four times is refused. */
#define LZ_HELD_RETRIES 4

#define LZ_HELD_NOT	       (-1)
#define LZ_HELD_LINGERS	       (-2) /* released less than LZ_RELEASED_S ago */
#define LZ_HELD_THROTTLED(row) (-16 - (int)(row))

/* A verdict, and the one that takes its place where the portal cannot answer. */
#define LZ_FATE(verdict, other) ((verdict) | (other) << 8)
#define LZ_FATE_JUDGED		(1 << 16) /* in lz_pending: also where the verdict is to pass */
#define LZ_FATE_CLASS		(1 << 17) /* the garden has nothing against it: let the class judge */

/* The word is there, says the future, and is refused: somebody wrote nonsense. */
static __always_inline int lz_hold_invalid(__u64 word, __u32 now_s)
{
	return LZ_HOLD_EXPIRY(word) > now_s && !lz_hold_active(word, now_s);
}

static __always_inline int lz_hold_lingers(__u64 word, __u32 now_s)
{
	return LZ_HOLD_EXPIRY(word) <= now_s && now_s - LZ_HOLD_EXPIRY(word) < LZ_RELEASED_S;
}

/**
 * lz_held_allowed() - the one bucket of a held source
 * @slot:     of its cell
 * @step_ms:  what this packet costs, and how fast it comes back
 * @burst_ms: refused while more than this is used up
 *
 * A host whose grade changes finds a full bucket: what stands there beyond the burst is of another rate.
 */
__noinline int lz_held_allowed(__u32 slot, __u64 now_ns, __u32 step_ms, __u32 burst_ms)
{
	struct lz_cold *cold = lz_cold_of(slot);
	__u32 now_ms = now_ns / NSEC_PER_MSEC;

	if (!cold)
		return 0;
	LZ_NO_UNROLL
	for (int i = 0; i < LZ_HELD_RETRIES; i++) {
		__u32 old = *(volatile __u32 *)&cold->reach_ms, used_ms = old - now_ms;

		/* Wrapping difference: the past is "more than the burst" too. 0 is who has used nothing yet:
		 * as a time it would be the near future at the end of each 49 days of uptime. */
		if (!old || used_ms > burst_ms + step_ms + LZ_LATE_MS)
			used_ms = 0;
		if (used_ms > burst_ms)
			return 0;
		if (__sync_val_compare_and_swap(&cold->reach_ms, old, now_ms + used_ms + step_ms) ==
		    old)
			return 1;
	}
	return 0;
}

/* @far: upkeep of a link that is not the source's */
static __always_inline int lz_reach_allowed(__u32 slot, __u64 now_ns, int far)
{
	return lz_held_allowed(slot, now_ns, far ? LZ_UPKEEP_STEP_MS : LZ_REACH_STEP_MS,
			       far ? LZ_UPKEEP_BURST_MS : LZ_REACH_BURST_MS);
}

/* May a throttled source open one more port-25 connection? A row nobody filled stops nothing. */
static __always_inline int lz_throttle_allowed(__u32 slot, __u64 now_ns, __u32 row)
{
	const struct lz_throttle *t = &lz_control.throttle[row & (LZ_THROTTLES_MAX - 1)];

	return !t->step_ms || lz_held_allowed(slot, now_ns, t->step_ms, t->burst_ms);
}

/* Keep the link alive: neighbour discovery (133..137, RFC 4861), DHCP and DHCPv6. */
static __always_inline int lz_is_link_upkeep(const struct lz_pkt *p)
{
	if (p->family == 6 && p->proto == LZ_IP_ICMP6)
		return p->icmp_type >= 133 && p->icmp_type <= 137;
	if (p->proto != LZ_IP_UDP || !(p->flags & LZ_P_PORTS))
		return 0;
	return p->family == 4 ? p->dport == 67 : p->dport == 547;
}

/* To this link and no further: limited broadcast, fe80::/10, multicast. */
static __always_inline int lz_is_on_link(const struct lz_pkt *p)
{
	if (p->family == 4)
		return lz_be32_get(p->daddr + 12) == 0xffffffff;
	return p->daddr[0] == 0xff || (p->daddr[0] == 0xfe && (p->daddr[1] & 0xc0) == 0x80);
}

/* Neighbours by their addresses: what asks for one that is no fe80:: goes there. */
static __always_inline int lz_is_same_prefix(const struct lz_pkt *p)
{
	return p->family == 6 && *(const __u64 *)p->saddr == *(const __u64 *)p->daddr;
}

static __always_inline const struct lz_garden_row *lz_garden_of(__u32 slot, __u32 row)
{
	return &lz_control.gen[slot & 1].garden[row & (LZ_GARDENS_MAX - 1)];
}

/* TCP 25 of a held source. Without a sink it is refused in the class's way; a host nobody lets out
 * fails fast by default. */
static __always_inline __u32 lz_mail_fate(const struct lz_garden_row *g, __u32 slot, __u32 class_)
{
	__u32 other = lz_control.gen[slot & 1].class_[class_ & (LZ_CLASSES_MAX - 1)].to_world;

	if (other == LZ_V_PASS || other == LZ_V_SMTP_554)
		other = LZ_V_ICMP_ADMIN;
	return g->mail == LZ_V_SMTP_554 ? LZ_FATE(LZ_V_SMTP_554, other) : g->mail;
}

/* Has the garden a hole for this packet: an address, a port, a host name's address? */
static __always_inline int lz_garden_open(const struct lz_pkt *p, const struct lz_garden_row *g,
					  __u64 sets)
{
	__u32 port = (__u32)p->proto << 16 | p->dport;
	struct lz_learnt *learnt;
	__u64 addr[2]; /* Linux 6.1 wants a key on this function's own stack */

	if (sets & g->allow_mask)
		return 1;
	if (p->flags & LZ_P_PORTS) {
		LZ_NO_UNROLL
		for (int i = 0; i < LZ_GARDEN_PORTS_MAX && g->open[i]; i++)
			if (g->open[i] == port)
				return 1;
	}
	if (!g->names)
		return 0;
	__builtin_memcpy(addr, p->daddr, sizeof(addr));
	learnt = bpf_map_lookup_elem(&lz_learnt, addr);
	return learnt && p->now_s < learnt->until_s && (learnt->mask[p->slot & 1] & g->allow_mask);
}

/**
 * lz_garden_fate() - the fate of one packet of a held source
 * Return: LZ_FATE(verdict, other), or LZ_FATE_CLASS.
 */
static __always_inline __u32 lz_garden_fate(const struct lz_pkt *p, __u32 row, __u64 sets, __u32 class_)
{
	const struct lz_garden_row *g = lz_garden_of(p->slot, row);
	int tcp = p->proto == LZ_IP_TCP && (p->flags & LZ_P_PORTS);
	int udp = p->proto == LZ_IP_UDP && (p->flags & LZ_P_PORTS);
	__u32 tls = g->tls;

	if (lz_is_link_upkeep(p) && lz_is_on_link(p))
		return LZ_V_PASS;
	if (lz_is_link_upkeep(p) || (sets & LZ_SET_REACH))
		return lz_reach_allowed(p->cell, p->now_ns, !(sets & LZ_SET_REACH) && !lz_is_same_prefix(p)) ?
			       LZ_V_PASS : LZ_V_DROP;
	/* A tiny first fragment may hide any port: it is treated as the harmful one. */
	if (p->flags & LZ_P_TINY_FRAG)
		return LZ_V_DROP;
	if (tcp && p->dport == 25)
		return lz_mail_fate(g, p->slot, class_);
	if (lz_garden_open(p, g, sets))
		return LZ_V_PASS;
	if (tcp && p->dport == 80)
		return g->web == LZ_V_PAGE ? LZ_FATE(LZ_V_PAGE, LZ_V_TCP_RESET) : g->web;
	if (g->kind == LZ_GARDEN_LEAKY)
		return p->flags & LZ_P_SYN ? LZ_FATE_CLASS : LZ_V_PASS;
	if (tcp && (p->dport == 443 || p->dport == 465 || p->dport == 587))
		return tls;
	if (udp && p->dport == 443)
		return tls == LZ_V_TCP_RESET ? LZ_V_ICMP_ADMIN : tls;
	return LZ_V_DROP;
}

#endif /* LZ_BPF_COLONY_H */
