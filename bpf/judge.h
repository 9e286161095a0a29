/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * judge.h - the rules: class, limits, exceptions, never-list; one packet in, one verdict out.
 *
 * Only packets that rules look at come here: SYNs, TCP to port 25, first fragments that hide their
 * flags, packets of sources that may be held. Order, and the first answer ends it:
 *   held? -> class -> port-25 rule -> limits in policy order -> (before a refusal) exception,
 *   never-list, monitor mode.
 */
#ifndef LZ_BPF_JUDGE_H
#define LZ_BPF_JUDGE_H

#include "colony.h"
#include "flow.h"
#include "limit.h"

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

static __always_inline int lz_ruling_end(const struct lz_pkt *p, const struct lz_ruling *r)
{
	if (lz_instance.replay) {
		lz_last.key = p->key;
		lz_last.class_ = r->told.class_;
		lz_last.value = r->told.value;
		lz_last.limit_id = r->told.limit_id;
		lz_last.verdict = r->verdict;
		lz_last.would = r->would;
		lz_last.reason = r->reason;
	}
	return LZ_RULING(r->reason, r->verdict,
			 r->verdict < LZ_V_SMTP_554 ? 0 : r->other ?: LZ_V_ICMP_ADMIN);
}

struct lz_limit_ask {
	__u64 sets;   /* of the destination */
	__u32 class_;
	__u32 index;  /* of the limit in its class */
	__u32 cell;   /* slot of the source's cell */
	__u32 fresh;  /* 1 = a new attempt to port 25, 0 = some other SYN */
	__u32 value;  /* answer: what the limit had counted */
	__u32 pad_;
};

static __always_inline const struct lz_limit *lz_asked(const struct lz_pkt *p,
						       const struct lz_limit_ask *ask)
{
	return &lz_control.gen[p->slot & 1]
			.class_[ask->class_ & (LZ_CLASSES_MAX - 1)]
			.limit[ask->index < LZ_LIMITS_PER_CLASS ? ask->index : 0];
}

/**
 * lz_limit_slot() - the cell whose words a limit lives in: the source's, or its prefix's or customer's
 *
 * Return: slot, or LZ_SEARCH_NONE if the limit does not concern this packet or has no room.
 */
__noinline int lz_limit_slot(const struct lz_pkt *p, const struct lz_limit_ask *ask)
{
	const struct lz_limit *l;
	struct lz_cell *cell;
	__u64 prefix, key;
	__u32 len;
	int slot;

	if (!p || !ask)
		return LZ_SEARCH_NONE;
	l = lz_asked(p, ask);
	if ((l->what != LZ_WHAT_SYN && !ask->fresh) || (l->to_mask && !(l->to_mask & ask->sets)))
		return LZ_SEARCH_NONE;
	if (l->per == LZ_PER_SOURCE)
		return ask->cell;
	if (l->per == LZ_PER_CUSTOMER) {
		prefix = lz_customer_of(p->slot, p->key);
		if (!prefix)
			return LZ_SEARCH_NONE;
	} else {
		len = (p->family == 4 ? l->per_len4 : l->per_len6) & 127;
		prefix = len ? p->key & (~0ULL << ((64 - len) & 63)) : 0;
	}
	key = lz_aggregate_key(l->id, prefix, lz_instance.seed);
	slot = lz_cell_find(key);
	if (slot < 0)
		slot = lz_cell_create(key);
	cell = slot >= 0 ? lz_search_cell(slot) : 0;
	if (!cell) {
		lz_count(p->port_row, LZ_C_TABLE_FULL, 1);
		return LZ_SEARCH_NONE;
	}
	cell->seen_s = p->now_s;
	return slot;
}

/**
 * lz_limit_ask() - charge one limit of a class for one SYN
 * @slot: where its words live, from lz_limit_slot()
 *
 * Return: enum lz_charge; ask->value is what it has counted.
 */
__noinline int lz_limit_ask(const struct lz_pkt *p, struct lz_limit_ask *ask, __u32 slot)
{
	struct lz_cell *cell = lz_search_cell(slot);
	struct lz_limit_stats *stats;
	const struct lz_limit *l;
	enum lz_charge charge;
	__u32 id, value = 0;
	__u64 *state;

	if (!p || !ask || !cell)
		return LZ_CHARGE_OK;
	l = lz_asked(p, ask);
	if (!l->slot_ns)
		return LZ_CHARGE_OK;
	state = &cell->state[l->word < LZ_CELL_WORDS ? l->word : 0];
	if (l->kind == LZ_LIMIT_WINDOW) {
		charge = lz_window_charge(state, l, p->now_ns, &value);
	} else if (l->kind == LZ_LIMIT_BUCKET) {
		charge = lz_bucket_charge(state, l, p->now_ns, &value);
	} else {
		value = lz_dests_estimate(cell->dests, p->now_ns / l->slot_ns);
		charge = value > l->n ? LZ_CHARGE_OVER : LZ_CHARGE_OK;
	}
	ask->value = value;
	id = l->id;
	stats = bpf_map_lookup_elem(&lz_limit_stats, &id);
	if (stats) {
		stats->asked++;
		if (charge != LZ_CHARGE_OK)
			stats->over++;
	}
	if (charge == LZ_CHARGE_LOST)
		lz_count(p->port_row, LZ_C_RETRY_EXHAUSTED, 1);
	return charge;
}

/* What an exceeded limit does to the packet and its source. */
static __always_inline void lz_limit_act(const struct lz_pkt *p, const struct lz_limit *l,
					 struct lz_cell *cell, struct lz_ruling *r)
{
	const struct lz_generation *gen = &lz_control.gen[p->slot & 1];
	__u32 verdict = l->then == LZ_THEN_DROP && l->refuse ? l->refuse : LZ_V_DROP;

	r->told.limit_id = l->id;
	r->told.limit_n = l->n;
	if (l->then == LZ_THEN_NOTIFY || (l->flags & LZ_LIMIT_F_MONITOR) ||
	    (gen->flags & LZ_GEN_F_MONITOR)) {
		r->told.kind = LZ_EVENT_WOULD;
		r->told.verdict = l->then == LZ_THEN_NOTIFY ? LZ_V_PASS : verdict;
		if (l->then != LZ_THEN_NOTIFY && !r->would)
			r->would = verdict;
		lz_tell(p, cell, &r->told);
		return;
	}
	r->verdict = verdict;
	r->reason = LZ_R_DROP_LIMIT;
	r->told.kind = LZ_EVENT_LIMIT;
	r->told.verdict = r->verdict;
}

/* Hold the source of a packet that a limit refused, once nothing overrules the refusal. */
static __always_inline void lz_limit_hold(const struct lz_pkt *p, struct lz_cell *cell, __u32 slot,
					  struct lz_ruling *r, const struct lz_limit *l)
{
	struct lz_limit_stats *stats;
	__u32 id = l->id;

	if (!lz_cell_hold(cell, slot, p->key, p->now_s, l->hold_ttl_s, l->grade))
		return;
	r->told.kind = LZ_EVENT_HOLD;
	r->told.hold = cell->hold;
	stats = bpf_map_lookup_elem(&lz_limit_stats, &id);
	if (stats)
		stats->holds++;
}

/* May this refusal stand? Never-list and monitor mode overrule it, in this order. */
static __always_inline void lz_overrule(const struct lz_pkt *p, struct lz_ruling *r, __u64 sets)
{
	if (r->verdict == LZ_V_PASS)
		return;
	if ((sets & LZ_SET_NEVER) || (lz_sets_of(p, 1) & LZ_SET_NEVER)) {
		r->verdict = LZ_V_PASS;
		r->reason = LZ_R_PASS_NEVER;
	} else if (lz_control.gen[p->slot & 1].flags & LZ_GEN_F_MONITOR) {
		r->would = r->verdict;
		r->verdict = LZ_V_PASS;
		r->reason = LZ_R_PASS_MONITOR;
	}
}

/**
 * lz_judge_held() - a packet of a source whose tag says "maybe held"
 * @slot_n: the source's cell
 *
 * Return: LZ_RULING(), or LZ_HELD_*.
 */
__noinline int lz_judge_held(const struct lz_pkt *p, __u32 slot_n)
{
	struct lz_cell *cell = lz_search_cell(slot_n);
	struct lz_ruling r = {};
	__u32 grade, row, fate;
	__u64 word, sets;
	int mail;

	if (!p || !cell)
		return LZ_HELD_NOT;
	word = *(volatile __u64 *)&cell->hold;
	if (!word)
		return LZ_HELD_NOT;
	if (!lz_hold_active(word, p->now_s)) {
		if (lz_hold_invalid(word, p->now_s))
			lz_count(p->port_row, LZ_C_HOLD_INVALID, 1);
		return lz_hold_lingers(word, p->now_s) ? LZ_HELD_LINGERS : LZ_HELD_NOT;
	}
	grade = LZ_GRADE_KIND(LZ_HOLD_GRADE(word));
	row = LZ_GRADE_ROW(LZ_HOLD_GRADE(word));
	if (grade == LZ_GRADE_THROTTLE)
		return LZ_HELD_THROTTLED(row);
	mail = (p->flags & LZ_P_TINY_FRAG) || (p->proto == LZ_IP_TCP && p->dport == 25);
	if (grade == LZ_GRADE_BLOCK25 && !mail)
		return LZ_HELD_NOT;
	sets = lz_sets_of(p, 0);
	r.told.class_ = lz_class_of(p->slot, p->key, p->family);
	if (grade == LZ_GRADE_GARDEN) {
		fate = lz_garden_fate(p, cell, row, sets, r.told.class_);
	} else if (grade == LZ_GRADE_BLOCK25) {
		if (sets & LZ_SET_REACH)
			return LZ_HELD_NOT;
		fate = p->flags & LZ_P_TINY_FRAG ?
			       LZ_V_DROP :
			       lz_mail_fate(lz_garden_of(p->slot, LZ_GARDEN_LEAKY), p->slot,
					    r.told.class_);
	} else {
		fate = lz_garden_fate(p, cell, LZ_GARDEN_STRICT, sets, r.told.class_);
	}
	r.verdict = fate & 0xff;
	r.other = fate >> 8;
	r.reason = r.verdict == LZ_V_PASS ? LZ_R_PASS_GARDEN : LZ_R_DROP_HELD;
	if (r.verdict != LZ_V_PASS) {
		/* I3: a never address is never dropped, even if somebody managed to hold it; a
		 * packet *to* one is the colony's business all the same. */
		lz_overrule(p, &r, 0);
		if (r.verdict != LZ_V_PASS)
			lz_count_pair(&cell->dropped, 1, 0);
	}
	return lz_ruling_end(p, &r);
}

/* The class rule for port 25: does it refuse this packet? A packet that is no SYN gets silence: an
 * established flow has no use for an error. The sink wants the whole flow. */
static __always_inline void lz_rule_port25(const struct lz_pkt *p, const struct lz_class *c,
					   __u64 sets, struct lz_ruling *r)
{
	if (!(c->flags & LZ_CLASS_F_PORT25_RULE) || (sets & c->except_mask))
		return;
	if (r->limits_lifted & (LZ_EXCEPTION_PORT25 | LZ_EXCEPTION_ALL)) {
		r->reason = LZ_R_PASS_EXCEPTION;
		return;
	}
	r->verdict = p->flags & LZ_P_SYN ? c->to_world : LZ_V_DROP;
	if (c->to_world == LZ_V_SMTP_554) {
		r->other = p->flags & LZ_P_SYN ? LZ_V_ICMP_ADMIN : LZ_V_DROP;
		r->verdict = LZ_V_SMTP_554;
	}
	r->reason = LZ_R_DROP_PORT25;
	r->told.kind = LZ_EVENT_PORT25;
	r->told.verdict = r->verdict;
}

/* All limits of a class for one SYN, in the order of the policy, until one refuses. */
static __always_inline const struct lz_limit *lz_limits(const struct lz_pkt *p,
							const struct lz_class *c,
							struct lz_limit_ask *ask,
							struct lz_cell *cell, struct lz_ruling *r)
{
	int slot;

	LZ_NO_UNROLL
	for (__u32 i = 0; i < LZ_LIMITS_PER_CLASS; i++) {
		const struct lz_limit *l = &c->limit[i];

		if (i >= c->limits)
			break;
		if (l->what == LZ_WHAT_SYN ? r->limits_lifted & LZ_EXCEPTION_ALL : r->limits_lifted)
			continue;
		ask->index = i;
		slot = lz_limit_slot(p, ask);
		if (slot < 0 || lz_limit_ask(p, ask, slot) == LZ_CHARGE_OK)
			continue;
		r->told.value = ask->value;
		lz_limit_act(p, l, cell, r);
		if (r->verdict != LZ_V_PASS)
			return l;
	}
	return 0;
}

/* The cell of an examined source, made if it is new. Returns its slot or a negative number. */
static __always_inline int lz_source_cell(const struct lz_pkt *p)
{
	int slot = lz_cell_find(p->key);

	return slot >= 0 ? slot : lz_cell_make(p->key, p->family, p->port_row);
}

/* A port-25 SYN: known, or a new attempt to a destination to remember. Returns lz_flow_find()'s
 * answer. */
static __always_inline int lz_attempt(const struct lz_pkt *p, const struct lz_class *c,
				      struct lz_cell *cell, __u64 flow)
{
	const __u64 *dest = (const __u64 *)p->daddr;
	int known = lz_flow_find(flow, p->now_ns);

	if (known == LZ_FLOW_NEW && c->dests_slot_ns)
		lz_dests_note(cell->dests, p->now_ns / c->dests_slot_ns,
			      lz_hash(dest[1] ^ lz_hash(dest[0], 0), lz_instance.seed));
	return known;
}

/* All rules of a class, in order; r->verdict is what they say before anything overrules it.
 * Returns the limit that refused, if one did. */
static __always_inline const struct lz_limit *lz_rules(const struct lz_pkt *p,
						       const struct lz_class *c,
						       struct lz_limit_ask *ask,
						       struct lz_cell *cell, int known,
						       struct lz_ruling *r)
{
	if (known == LZ_FLOW_NEW && p->dport == 25) {
		lz_rule_port25(p, c, ask->sets, r);
	} else if (known > LZ_V_PASS) {
		r->verdict = known;
		r->other = LZ_V_ICMP_ADMIN;
		r->reason = LZ_R_DROP_RETRANSMIT;
	} else if (known == LZ_V_PASS) {
		r->reason = LZ_R_PASS_RETRANSMIT;
	}
	if (r->verdict != LZ_V_PASS || !(p->flags & LZ_P_SYN))
		return 0;
	if (p->throttle && ask->fresh && !lz_throttle_allowed(cell, p->now_ns, p->throttle)) {
		r->verdict = LZ_V_DROP;
		r->reason = LZ_R_DROP_THROTTLED;
		return 0;
	}
	return lz_limits(p, c, ask, cell, r);
}

/* The table is full: the class rule still holds, the limits have nowhere to count. */
static __always_inline int lz_judge_uncounted(const struct lz_pkt *p, const struct lz_class *c,
					      struct lz_ruling *r)
{
	__u64 sets = lz_sets_of(p, 0);

	r->limits_lifted = lz_exception_of(p->key, p->now_s);
	if (p->dport == 25)
		lz_rule_port25(p, c, sets, r);
	lz_overrule(p, r, sets);
	return lz_ruling_end(p, r);
}

/* A first fragment too short to show its flags, from a class with rules about them. */
static __always_inline int lz_judge_tiny(const struct lz_pkt *p, const struct lz_class *c,
					 struct lz_ruling *r)
{
	r->reason = LZ_R_PASS_UNPARSED;
	if ((c->flags & LZ_CLASS_F_PORT25_RULE) || c->limits) {
		r->verdict = LZ_V_DROP;
		r->reason = LZ_R_DROP_TINY_FRAGMENT;
		lz_overrule(p, r, lz_sets_of(p, 0));
	}
	return lz_ruling_end(p, r);
}

/* The class of a source. A never address that shares its IPv6 key with customers is in none of
 * theirs: what it sends is not counted against them. */
static __always_inline __u32 lz_judged_class(const struct lz_pkt *p)
{
	__u32 class_ = lz_class_of(p->slot, p->key, p->family) & (LZ_CLASSES_MAX - 1);

	if (p->family == 6 && class_ >= LZ_CLASS_FIRST &&
	    (lz_control.gen[p->slot & 1].flags & LZ_GEN_F_NEVER_HIDDEN) &&
	    (lz_sets_of(p, 1) & LZ_SET_NEVER))
		return LZ_CLASS_NEVER;
	return class_;
}

/**
 * lz_judge_class() - the class rules for a source that is not held
 *
 * Return: LZ_RULING().
 */
__noinline int lz_judge_class(const struct lz_pkt *p)
{
	struct lz_ruling r = { .reason = LZ_R_PASS_EXAMINED };
	const struct lz_limit *refused_by;
	struct lz_limit_ask ask = {};
	const struct lz_class *c;
	int slot, known = LZ_FLOW_NEW;
	struct lz_cell *cell;
	__u64 flow = 0;

	if (!p)
		return 0;
	if ((p->flags & LZ_P_SYN) && p->dport == 25) {
		flow = lz_flow_hash(p);
		lz_flow_touch(flow);
	}
	ask.class_ = lz_judged_class(p);
	r.told.class_ = ask.class_;
	if (ask.class_ < LZ_CLASS_FIRST && !p->throttle) {
		r.reason = LZ_R_PASS_FOREIGN;
		if (ask.class_ == LZ_CLASS_NEVER)
			lz_count(p->port_row, LZ_C_NEVER_SPOOFED, 1);
		return lz_ruling_end(p, &r);
	}
	c = &lz_control.gen[p->slot & 1].class_[ask.class_];
	if (p->flags & LZ_P_TINY_FRAG)
		return lz_judge_tiny(p, c, &r);
	slot = lz_source_cell(p);
	cell = slot >= 0 ? lz_search_cell(slot) : 0;
	if (!cell)
		return lz_judge_uncounted(p, c, &r);
	ask.cell = slot;
	if (cell->seen_s != p->now_s)
		cell->seen_s = p->now_s;
	r.limits_lifted = lz_exception_of(p->key, p->now_s);
	if (p->dport == 25 || (c->flags & LZ_CLASS_F_SYN_TO))
		ask.sets = lz_sets_of(p, 0);
	if (p->flags & LZ_P_SYN) {
		if (p->dport == 25) {
			known = lz_attempt(p, c, cell, flow);
			ask.fresh = known == LZ_FLOW_NEW;
		}
		lz_count_pair(&cell->syn, 1, ask.fresh);
	}
	refused_by = lz_rules(p, c, &ask, cell, known, &r);
	if (r.verdict != LZ_V_PASS)
		lz_overrule(p, &r, ask.sets ?: lz_sets_of(p, 0));
	if (ask.fresh)
		lz_flow_note(flow, p->now_ns, r.verdict);
	lz_count_pair(&cell->dropped, r.verdict != LZ_V_PASS, 1);
	if (r.verdict != LZ_V_PASS) {
		if (refused_by && refused_by->then == LZ_THEN_HOLD)
			lz_limit_hold(p, cell, slot, &r, refused_by);
		if (r.told.kind)
			lz_tell(p, cell, &r.told);
	} else if (r.would) {
		__sync_fetch_and_add(&cell->would_drop, 1);
		if (r.reason == LZ_R_PASS_EXAMINED)
			r.reason = LZ_R_PASS_MONITOR;
	}
	lz_count_class(ask.class_, r.verdict, r.would);
	return lz_ruling_end(p, &r);
}

/**
 * lz_judge_return() - the return hook: what comes back to, or at, our ranges
 *
 * Source port 25 towards a class that forbids it is triangular spam (Qian et al., IEEE S&P 2010):
 * somebody elsewhere sends in the customer's name, and the customer relays the answers. Packets of
 * excepted servers (smarthosts) and to excepted customers pass. Return: LZ_RULING().
 */
__noinline int lz_judge_return(const struct lz_pkt *p)
{
	struct lz_ruling r = { .reason = LZ_R_PASS_OTHER };
	const struct lz_class *c;
	__u32 class_;
	__u64 key;

	if (!p)
		return 0;
	key = p->family == 4 ? lz_be32_get(p->daddr + 12) :
			       lz_key6(p->daddr, lz_instance.ipv6_key_len & 127);
	class_ = lz_class_of(p->slot, key, p->family) & (LZ_CLASSES_MAX - 1);
	r.told.class_ = class_;
	if (class_ < LZ_CLASS_FIRST) {
		r.reason = LZ_R_PASS_FOREIGN;
		return lz_ruling_end(p, &r);
	}
	c = &lz_control.gen[p->slot & 1].class_[class_];
	if (p->sport == 25) {
		r.verdict = c->from_port25;
		r.reason = LZ_R_DROP_FROM_PORT25;
	}
	if (r.verdict == LZ_V_PASS && p->dport == 25 && (p->flags & LZ_P_SYN)) {
		r.verdict = c->to_customers;
		r.reason = LZ_R_DROP_TO_CUSTOMER;
	}
	if (r.verdict == LZ_V_PASS) {
		r.reason = LZ_R_PASS_EXAMINED;
	} else if (lz_sets_of(p, 1) & c->except_mask) {
		r.verdict = LZ_V_PASS;
		r.reason = LZ_R_PASS_EXAMINED;
	} else if (lz_exception_of(key, p->now_s)) {
		r.verdict = LZ_V_PASS;
		r.reason = LZ_R_PASS_EXCEPTION;
	} else {
		lz_overrule(p, &r, lz_sets_of(p, 0));
	}
	lz_count_class(class_, r.verdict, r.would);
	return lz_ruling_end(p, &r);
}

#endif /* LZ_BPF_JUDGE_H */
