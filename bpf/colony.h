/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * colony.h - what a held source may still do: the fate table.
 *
 *   packet of a held source              leaky          strict
 *   not IP: ARP, PPP control, EAPOL      pass           pass       (never gets here)
 *   ND, DHCP, DHCPv6                     pass           pass
 *   to always-reach                      pass, limited  pass, limited
 *   TCP 25                               refuse         refuse
 *   TCP 80                               refuse         refuse     (a portal will answer instead)
 *   TCP 465, 587                         pass           refuse
 *   443, TCP and QUIC                    pass           refuse; garden destinations pass
 *   NTP if allowed, garden destinations  pass           pass
 *   everything else, fragments, unparsed pass           drop
 */
#ifndef LZ_BPF_COLONY_H
#define LZ_BPF_COLONY_H

#include "cell.h"
#include "range.h"

/* Traffic to always-reach of one held source: 200 packets at once, then 100 a second. A name
 * look-up or a call needs a few; a flood of the resolver does not get through (faults.md F50). */
#define LZ_REACH_STEP_MS  10
#define LZ_REACH_BURST_MS 2000

/* The word is there, says the future, and is refused: somebody wrote nonsense. */
static __always_inline int lz_hold_invalid(__u64 word, __u32 now_s)
{
	return LZ_HOLD_EXPIRY(word) > now_s && !lz_hold_active(word, now_s);
}

static __always_inline int lz_reach_allowed(struct lz_cell *cell, __u64 now_ns)
{
	__u32 now_ms = now_ns / NSEC_PER_MSEC;
	__u32 tat_ms = *(volatile __u32 *)&cell->reach_ms;

	/* Wrapping difference: an idle host starts with a full bucket. */
	if ((__s32)(tat_ms - now_ms) < 0 || tat_ms - now_ms > 2 * LZ_REACH_BURST_MS)
		tat_ms = now_ms;
	if (tat_ms - now_ms >= LZ_REACH_BURST_MS)
		return 0;
	cell->reach_ms = tat_ms + LZ_REACH_STEP_MS;
	return 1;
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

/* The class's way of refusing port 25; a host nobody lets out fails fast by default. */
static __always_inline __u32 lz_mail_refusal(__u32 slot, __u32 class_)
{
	__u32 v = lz_control.gen[slot & 1].class_[class_ & (LZ_CLASSES_MAX - 1)].to_world;

	return v == LZ_V_PASS ? LZ_V_ICMP_ADMIN : v;
}

/**
 * lz_garden_verdict() - the fate of one packet of a held source
 * Return: enum lz_verdict.
 */
static __always_inline __u32 lz_garden_verdict(const struct lz_pkt *p, struct lz_cell *cell,
					       __u32 garden, __u64 sets, __u32 class_)
{
	int strict = garden == LZ_GARDEN_STRICT;
	int tcp = p->proto == LZ_IP_TCP && (p->flags & LZ_P_PORTS);

	if (lz_is_link_upkeep(p))
		return LZ_V_PASS;
	if (sets & LZ_SET_REACH)
		return lz_reach_allowed(cell, p->now_ns) ? LZ_V_PASS : LZ_V_DROP;
	/* A tiny first fragment may hide any port: it is treated as the harmful one. */
	if (p->flags & LZ_P_TINY_FRAG)
		return LZ_V_DROP;
	if (tcp && p->dport == 25)
		return lz_mail_refusal(p->slot, class_);
	if (tcp && p->dport == 80)
		return LZ_V_TCP_RESET;
	if (!strict || (sets & LZ_SET_GARDEN))
		return LZ_V_PASS;
	if (p->proto == LZ_IP_UDP && (p->flags & LZ_P_PORTS) && p->dport == 123)
		return lz_control.gen[p->slot & 1].garden_udp_ntp ? LZ_V_PASS : LZ_V_DROP;
	if (tcp && (p->dport == 443 || p->dport == 465 || p->dport == 587))
		return LZ_V_TCP_RESET;
	if (p->proto == LZ_IP_UDP && (p->flags & LZ_P_PORTS) && p->dport == 443)
		return LZ_V_ICMP_ADMIN;
	return LZ_V_DROP;
}

#endif /* LZ_BPF_COLONY_H */
