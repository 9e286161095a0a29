// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lazaret.bpf.c - the hooks: two thin shells, XDP and tc, around one core.
 *
 *   lz_xdp     customer and uplink ports with native (or asked-for generic) XDP: parse, judge, drop
 *		what gets silence; a refusal that wants an answer goes on to lz_tc with its verdict
 *		in data_meta.
 *   lz_tc      tc ingress. On ports without XDP it parses and judges; on ports with XDP it only
 *		sends the answers. So each packet is judged once.
 *   lz_tc_out  tc egress of a customer port, the return hook of a gateway that NATs (the addresses
 *		are the customers' again there).
 *
 * The way of a packet: switch -> port and generation -> key, at a glance or parsed -> (SYN or port
 * 25, or perhaps held?) -> cell -> colony -> class, limits -> verdict -> count. What is none of our
 * business leaves when nobody of its neighbours is held, or after the colony's bit (bench row a).
 */
#include "maps.h"
#include "parse.h"
#include "glance.h"
#include "count.h"
#include "cell.h"
#include "judge.h"
#include "refuse.h"
#include "steer.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The slot of the generation that judges at this instant: past an unconfirmed deadline the data
 * plane goes back by itself. */
static __always_inline __u32 lz_generation_slot(void)
{
	__u64 word = *(volatile __u64 *)&lz_control.gen_word;

	if (LZ_GEN_DEADLINE(word) && lz_clock_ns() / NSEC_PER_SEC >= LZ_GEN_DEADLINE(word))
		return LZ_GEN_PREVIOUS(word);
	return LZ_GEN_ACTIVE(word);
}

static __always_inline int lz_bypassed(void)
{
	__u64 until_s = *(volatile __u64 *)&lz_control.bypass_until_s;

	return until_s && lz_clock_ns() / NSEC_PER_SEC < until_s;
}

static __always_inline int lz_is_return_business(const struct lz_pkt *p)
{
	return p->proto == LZ_IP_TCP && (p->sport == 25 || (p->dport == 25 && (p->flags & LZ_P_SYN)));
}

/* A packet no rule looks at. Where its addresses were found, the never-list has a word (I3). */
static __always_inline int lz_ordinary_fate(const struct lz_frame *f, struct lz_pkt *p)
{
	if (!(p->flags & LZ_P_UNPARSED))
		return LZ_RULING(p->flags & LZ_P_KEYED ? LZ_R_PASS_OTHER : LZ_R_PASS_UNKEYED,
				 LZ_V_PASS, 0);
	/* No honest device sends so many tags, and who is held must not get out by them (I1). */
	if (!((p->gen_flags & LZ_GEN_F_UNPARSED_DROP) || (p->flags & LZ_P_OVERTAGGED)) ||
	    (p->gen_flags & LZ_GEN_F_MONITOR))
		return LZ_RULING(LZ_R_PASS_UNPARSED, LZ_V_PASS, 0);
	lz_parse_addresses(f, p);
	if (p->family && ((lz_source_sets(p) | lz_dest_sets_ask(p)) & LZ_SET_NEVER))
		return LZ_RULING(LZ_R_PASS_UNPARSED, LZ_V_PASS, 0);
	return LZ_RULING(LZ_R_DROP_UNPARSED, LZ_V_DROP, 0);
}

/* What hides its TCP flags, and no rule was there to ask for them, is unparsed like anything else. */
static __always_inline int lz_is_unruled(const struct lz_pkt *p, int ruling)
{
	__u32 reason = LZ_RULING_REASON(ruling);

	return (p->flags & LZ_P_TINY_FRAG) &&
	       (reason == LZ_R_PASS_UNPARSED || reason == LZ_R_PASS_FOREIGN || reason == LZ_R_PASS_OTHER);
}

/* A flow that the portal had when its host was released: the portal finishes it. */
static __always_inline int lz_may_linger(const struct lz_pkt *p)
{
	return p->proto == LZ_IP_TCP && (p->dport == 80 || p->dport == 25);
}

/* A SYN is new and free; but if the portal's TIME_WAIT of the same ports is still there, what follows
 * the SYN would find it. So it goes there, too: the client resets the old connection, and its second
 * SYN is free. */
static __always_inline int lz_lingering(const struct lz_pkt *p, int ruling)
{
	if (LZ_RULING_VERDICT(ruling) == LZ_V_SMTP_554)
		return ruling;
	if ((p->flags & LZ_P_SYN) && LZ_RULING_VERDICT(ruling) != LZ_V_PASS)
		return ruling;
	return LZ_RULING(LZ_RULING_REASON(ruling), p->dport == 80 ? LZ_V_PAGE : LZ_V_SMTP_554,
			 LZ_RULING_VERDICT(ruling));
}

/**
 * lz_decide() - from the parsed packet to its ruling
 * @glanced: rules look at this packet, or its source may be held
 */
static __always_inline int lz_decide(const struct lz_frame *f, struct lz_pkt *p, int glanced)
{
	struct lz_flow_line *line = 0;
	int ruling, lingers = 0;
	struct lz_cell *cell;

	if (p->flags & LZ_P_NOT_IP)
		return LZ_RULING(LZ_R_PASS_NOT_IP, LZ_V_PASS, 0);
	if (p->uplink) {
		if (!lz_is_return_business(p))
			return p->flags & LZ_P_UNPARSED ?
				       LZ_RULING(LZ_R_PASS_UNPARSED, LZ_V_PASS, 0) :
				       LZ_RULING(LZ_R_PASS_OTHER, LZ_V_PASS, 0);
		lz_parse_addresses(f, p);
		lz_now_ns(p);
		return lz_judge_return(p);
	}
	if (!(p->flags & LZ_P_KEYED))
		return lz_ordinary_fate(f, p);
	/* A packet that rules look at finds the hold in the cell, which it needs anyway. */
	if (!glanced && !lz_is_customer_business(p) && !lz_maybe_held(p->key))
		return lz_ordinary_fate(f, p);
	lz_now_ns(p);
	cell = lz_cell_ask(p);
	lz_parse_addresses(f, p);
	p->dest = lz_flow_dest(p->daddr);
	if ((p->flags & LZ_P_SYN) && p->dport == 25) {
		p->flow = lz_flow_hash(p);
		line = lz_flow_line(p->flow);
		lz_flow_touch(line);
		p->sets = lz_dest_sets_ask(p);
		if (!p->sets) /* to the world, and each time elsewhere, perhaps: lz_note_dest() */
			lz_cold_ask(p);
	}
	cell = lz_cell_of(p, cell);
	if ((p->gen_flags & LZ_GEN_F_PROOF) && lz_is_ack(p))
		p->proven = lz_proof_take(p);
	if (cell && *(volatile __u64 *)&cell->hold) {
		ruling = lz_judge_held(p, cell);
		if (ruling >= 0)
			return ruling;
		lingers = ruling == LZ_HELD_LINGERS && lz_may_linger(p);
		if (ruling <= LZ_HELD_THROTTLED(0))
			p->throttle = LZ_HELD_THROTTLED(0) - ruling;
	}
	ruling = LZ_RULING(LZ_R_PASS_UNPARSED, LZ_V_PASS, 0);
	if (lz_is_customer_business(p))
		ruling = lz_judge_class(p, lz_judgement_of(p), cell, line);
	if (!lz_is_customer_business(p) || lz_is_unruled(p, ruling))
		ruling = lz_ordinary_fate(f, p);
	return lingers ? lz_lingering(p, ruling) : ruling;
}

/* A frame of a port with a role. */
static __always_inline int lz_judge_frame(struct lz_frame *f, struct lz_pkt *p)
{
	__u32 key_len = lz_instance.ipv6_key_len & 127;
	struct lz_glance g = {};

	if (!p->uplink && !(p->port & LZ_PORT_F_L3))
		lz_glance(f, key_len, &g);
	if (g.key && !g.business && !lz_maybe_held(g.key))
		return LZ_RULING(LZ_R_PASS_OTHER, LZ_V_PASS, 0);
	lz_packet_clear(p);
	lz_read_facts(f, g.key, p->port & LZ_PORT_F_L3, key_len, p);
	return lz_decide(f, p, !!g.key);
}

/* Everything before the rules, the same for every hook. Returns a ruling, for lz_count_judged(); p->port
 * is set, and the rest of p if the verdict is not to pass. */
static __always_inline int lz_process(struct lz_frame *f, struct lz_pkt *p, __u32 ifindex, int out)
{
	__u32 slot, role;

	lz_packet_came(p, ifindex, lz_ports[ifindex & (LZ_PORTS_SIZE - 1)]);
	slot = lz_generation_slot();
	role = slot < LZ_GENERATIONS ? LZ_PORT_ROLE(p->port, slot) : LZ_ROLE_NONE;
	if (lz_bypassed())
		return LZ_RULING(LZ_R_PASS_BYPASS, LZ_V_PASS, 0);
	if (role == LZ_ROLE_NONE)
		return LZ_RULING(LZ_R_PASS_NO_POLICY, LZ_V_PASS, 0);
	p->slot = slot;
	p->uplink = out || role == LZ_ROLE_UPLINK;
	return lz_judge_frame(f, p);
}

/* An answer of the portal: what its source port 25 means elsewhere does not concern it. */
static __always_inline void lz_count_portal(__u32 ifindex)
{
	__u32 row = lz_ports[ifindex & (LZ_PORTS_SIZE - 1)] >> LZ_PORT_STATS_SHIFT;

	lz_count_judged(row, LZ_R_PASS_PORTAL);
}

/* The frame in hand, generic XDP only: its fate. */
static __always_inline __u64 *lz_pending_of(__u32 port)
{
	__u32 zero = 0;

	return port & LZ_PORT_F_GENERIC ? bpf_map_lookup_elem(&lz_pending, &zero) : 0;
}

/* For tc, that a frame was judged, and how. */
static __always_inline int lz_mark(struct xdp_md *ctx, __u32 verdict, __u32 other)
{
	struct lz_meta *meta;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return -1;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return -1;
	meta->magic = LZ_META_MAGIC;
	meta->verdict = verdict;
	meta->other = other;
	meta->pad_[0] = meta->pad_[1] = 0;
	return 0;
}

SEC("xdp.frags")
int lz_xdp(struct xdp_md *ctx)
{
	struct lz_frame f = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };
	struct lz_pkt *p = lz_packet();
	__u32 ruling, verdict;
	__u64 *pending;

	if (!p)
		return XDP_PASS;
	ruling = lz_process(&f, p, ctx->ingress_ifindex, 0);
	lz_count_judged(p->port_row, LZ_RULING_REASON(ruling));
	verdict = LZ_RULING_VERDICT(ruling);
	pending = lz_pending_of(p->port);
	if (verdict == LZ_V_DROP)
		return XDP_DROP;
	if (pending)
		*pending = LZ_FATE(verdict, LZ_RULING_OTHER(ruling)) | LZ_FATE_JUDGED;
	if (verdict == LZ_V_PASS) {
		if (p->port & LZ_PORT_F_CHANGING)
			lz_mark(ctx, LZ_V_PASS, 0); /* without room it is judged by tc again */
		return XDP_PASS;
	}
	/* The answer is built in tc: XDP_TX is silently lost where the peer runs no XDP, and forgets
	 * an offloaded tag. A driver without room for metadata gives silence instead. */
	if (!lz_mark(ctx, verdict, LZ_RULING_OTHER(ruling)) ||
	    (verdict >= LZ_V_SMTP_554 && !LZ_RULING_OTHER(ruling)))
		return XDP_PASS;
	if (pending)
		*pending = 0; /* tc does not see this frame */
	return XDP_DROP;
}

/* Where the portal does not take it, the other verdict stands. */
static __always_inline int lz_answer(struct __sk_buff *skb, const struct lz_pkt *p, __u32 verdict,
				     __u32 other, int l3)
{
	if (verdict == LZ_V_SMTP_554 || verdict == LZ_V_PAGE) {
		int steered = lz_steer(skb, p, verdict, other, l3);

		if (steered == LZ_STEER_YES)
			return TC_ACT_OK;
		verdict = steered == LZ_STEER_LIMITED ? LZ_V_DROP : other;
	}
	return verdict == LZ_V_PASS ? TC_ACT_UNSPEC : lz_refuse(skb, p, verdict, l3);
}

/* Does the frame start at its IP header, on an Ethernet port? See lz_pending in maps.h. */
static __always_inline int lz_link_header_lost(struct __sk_buff *skb)
{
	__u64 first, net;

	return !bpf_skb_load_bytes(skb, 0, &first, sizeof(first)) &&
	       !bpf_skb_load_bytes_relative(skb, 0, &net, sizeof(net), BPF_HDR_START_NET) &&
	       first == net;
}

#define LZ_TC_UNJUDGED 0x100

/* A port that XDP judges: answer what XDP refused, pass the rest. LZ_TC_UNJUDGED: it did not see this
 * frame, for the hook is being changed. */
static __always_inline int lz_tc_answer(struct __sk_buff *skb, __u32 port)
{
	struct lz_frame f = { (void *)(long)skb->data, (void *)(long)skb->data_end };
	struct lz_meta *meta = (void *)(long)skb->data_meta;
	__u64 *pending = lz_pending_of(port);
	struct lz_pkt *p;
	__u32 fate, l3 = 0;

	if ((void *)(meta + 1) <= f.data && meta->magic == LZ_META_MAGIC) {
		fate = LZ_FATE(meta->verdict, meta->other) | LZ_FATE_JUDGED;
	} else {
		fate = pending ? *pending : 0;
		l3 = fate && lz_link_header_lost(skb) ? LZ_L3_LOST : 0;
	}
	if (pending)
		*pending = 0; /* the next frame's must not find it */
	if (!fate && (port & (LZ_PORT_F_XDP | LZ_PORT_F_CHANGING)) == (LZ_PORT_F_XDP | LZ_PORT_F_CHANGING))
		return LZ_TC_UNJUDGED;
	if ((fate & 0xff) == LZ_V_PASS)
		return TC_ACT_UNSPEC;
	p = lz_packet();
	if (!p)
		return TC_ACT_SHOT;
	__builtin_memset(p, 0, sizeof(*p));
	lz_packet_came(p, skb->ifindex, port);
	lz_parse(&f, l3, lz_instance.ipv6_key_len & 127, p);
	lz_parse_addresses(&f, p);
	return lz_answer(skb, p, fate & 0xff, fate >> 8 & 0xff, l3);
}

/* How many bytes of a frame headers may take. Nearly all are IP with TCP, UDP or ICMP right behind:
 * for them alone nothing is copied that does not have to be. */
static __always_inline __u32 lz_headers_reach(struct __sk_buff *skb)
{
	__u8 next = 0;

	if (skb->protocol == __builtin_bswap16(LZ_ETH_IP4))
		return 128;
	if (skb->protocol == __builtin_bswap16(LZ_ETH_IP6) &&
	    !bpf_skb_load_bytes_relative(skb, 6, &next, sizeof(next), BPF_HDR_START_NET) &&
	    !lz_is_ext(next))
		return 128;
	return LZ_OFFSET_MAX + 32;
}

static __always_inline int lz_tc_judge(struct __sk_buff *skb, int out)
{
	struct lz_pkt *p = lz_packet();
	__u32 ruling, verdict, reach;
	struct lz_frame f;

	if (!p)
		return TC_ACT_UNSPEC;
	/* Headers may lie outside the linear part: pull what the parser can reach in this frame. */
	reach = lz_headers_reach(skb);
	if (skb->data_end - skb->data < reach && skb->len > skb->data_end - skb->data)
		bpf_skb_pull_data(skb, skb->len < reach ? skb->len : reach);
	f.data = (void *)(long)skb->data;
	f.end = (void *)(long)skb->data_end;
	ruling = lz_process(&f, p, skb->ifindex, out);
	lz_count_judged(p->port_row, LZ_RULING_REASON(ruling));
	verdict = LZ_RULING_VERDICT(ruling);
	if (verdict == LZ_V_PASS)
		return TC_ACT_UNSPEC;
	if (out)
		return TC_ACT_SHOT;
	return lz_answer(skb, p, verdict, LZ_RULING_OTHER(ruling), p->port & LZ_PORT_F_L3);
}

SEC("tc")
int lz_tc(struct __sk_buff *skb)
{
	__u32 port = lz_ports[skb->ifindex & (LZ_PORTS_SIZE - 1)];
	int action = LZ_TC_UNJUDGED;

	if (port & (LZ_PORT_F_XDP | LZ_PORT_F_CHANGING))
		action = lz_tc_answer(skb, port);
	return action == LZ_TC_UNJUDGED ? lz_tc_judge(skb, 0) : action;
}

SEC("tc")
int lz_tc_out(struct __sk_buff *skb)
{
	if (skb->mark == LZ_MARK_REFUSAL)
		return TC_ACT_UNSPEC; /* counted when it was made */
	if (skb->mark == LZ_MARK_REPLY) {
		lz_count_portal(skb->ifindex);
		return TC_ACT_UNSPEC;
	}
	return lz_tc_judge(skb, 1);
}
