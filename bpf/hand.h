/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hand.h - what a CPU has in hand: the packet, and the judgement on it.
 */
#ifndef LZ_BPF_HAND_H
#define LZ_BPF_HAND_H

#include "count.h"

/* What a judgement comes to, in one word. */
#define LZ_RULING(reason, verdict, other) ((reason) << 16 | (other) << 8 | (verdict))
#define LZ_RULING_REASON(r)		  ((__u32)(r) >> 16)
#define LZ_RULING_OTHER(r)		  ((__u32)(r) >> 8 & 0xff)
#define LZ_RULING_VERDICT(r)		  ((__u32)(r) & 0xff)

/* A verdict on its way: what and why, and what a monitored rule would have done. */
struct lz_ruling {
	struct lz_told told;
	__u32 verdict;
	__u32 reason;
	__u32 would;
	__u32 limits_lifted; /* exception flags of the source */
	__u32 other;	     /* verdict if the portal cannot answer */
	__u32 pad_;
};

struct lz_limit_ask {
	__u64 sets;   /* of the destination */
	__u32 class_;
	__u32 index;  /* of the limit in its class */
	__u32 fresh;  /* 1 = a new attempt to port 25, 0 = some other SYN */
	__u32 plain;  /* 1 = fresh, no handshake, nothing lifted: a limit without proof is asked */
	__u32 value;  /* answer of one that refuses: what it had counted */
	__u32 pad_;
};

/* A judgement of a class's rules. */
struct lz_judgement {
	struct lz_ruling r;
	struct lz_limit_ask ask;
	__s32 known; /* what lz_flow_find() said */
	__u32 known_class; /* of the source, for a cell that is made now */
};

/* The packet in hand: a CPU judges one at a time. It lies in a map because the stack is small, and because
 * the verifier does not follow what lies there: paths through the parser, and through the rules, meet again
 * behind each of them. */
struct lz_hand {
	struct lz_pkt p;
	struct lz_judgement j;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lz_hand);
} lz_hands SEC(".maps");

/* Still with the facts of another packet. NULL never happens. */
static __always_inline struct lz_pkt *lz_packet(void)
{
	__u32 zero = 0;
	struct lz_hand *hand = bpf_map_lookup_elem(&lz_hands, &zero);

	return hand ? &hand->p : 0;
}

/* Beside the packet that lz_packet() gave. */
static __always_inline struct lz_judgement *lz_judgement_of(struct lz_pkt *p)
{
	return &((struct lz_hand *)p)->j;
}

static __always_inline void lz_packet_came(struct lz_pkt *p, __u32 ifindex, __u32 port)
{
	p->ifindex = ifindex;
	p->port = port;
	p->port_row = port >> LZ_PORT_STATS_SHIFT;
}

/* Forget the other one, before this one is parsed, and read what rules ask of the generation: nearly every
 * packet leaves before that. */
static __always_inline void lz_packet_clear(struct lz_pkt *p)
{
	const struct lz_generation *gen = &lz_control.gen[p->slot & 1];

	__builtin_memset(p, 0, LZ_PKT_FACTS_BYTES);
	p->epoch = *(const volatile __u32 *)&gen->epoch;
	p->gen_flags = gen->flags;
	p->number = gen->number;
}

#endif /* LZ_BPF_HAND_H */
