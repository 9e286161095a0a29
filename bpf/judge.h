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

#include "charge.h"
#include "colony.h"
#include "flow.h"
#include "proof.h"

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

/* The class of a source as LZ_KNOWN_CLASS(), remembered in its cell where it has one. The epoch is read
 * before the tables: what changes meanwhile makes the answer one of an epoch that is over. */
static __always_inline __u32 lz_class_known(const struct lz_pkt *p, struct lz_cell *cell)
{
	__u32 known = cell ? *(volatile __u16 *)&cell->known_class : 0, epoch = p->epoch;

	if (LZ_EPOCH_LOW(epoch) && known >> 6 == LZ_EPOCH_LOW(epoch))
		return known;
	known = LZ_KNOWN_CLASS(epoch, lz_class_of(p->slot, p->key, p->family) & (LZ_CLASSES_MAX - 1));
	if (cell)
		cell->known_class = known;
	return known;
}

/* Is the source on the never-list? The range tables know, but for IPv6 addresses that share their key
 * with customers. */
static __always_inline int lz_is_never(const struct lz_pkt *p, __u32 class_)
{
	const struct lz_generation *gen = &lz_control.gen[p->slot & 1];
	__u32 bit;

	if (class_ == LZ_CLASS_NEVER)
		return 1;
	if (p->family != 6 || !(p->gen_flags & LZ_GEN_F_NEVER_HIDDEN))
		return 0;
	bit = lz_hidden_bit(lz_hash(p->key, lz_instance.seed));
	return (gen->hidden[bit / 64] >> (bit & 63) & 1) && (lz_source_sets(p) & LZ_SET_NEVER);
}

/* May this refusal stand? Never-list and monitor mode overrule it, in this order. */
static __always_inline void lz_overrule(const struct lz_pkt *p, struct lz_ruling *r, int is_never)
{
	if (r->verdict == LZ_V_PASS)
		return;
	if (is_never) {
		r->verdict = LZ_V_PASS;
		r->reason = LZ_R_PASS_NEVER;
	} else if (p->gen_flags & LZ_GEN_F_MONITOR) {
		r->would = r->verdict;
		r->verdict = LZ_V_PASS;
		r->reason = LZ_R_PASS_MONITOR;
	}
}

/**
 * lz_judge_held() - a packet of a source whose cell has a hold word
 * @cell: the source's
 *
 * Return: LZ_RULING(), or LZ_HELD_*.
 */
__noinline int lz_judge_held(const struct lz_pkt *p, struct lz_cell *cell)
{
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
	sets = lz_dest_sets(p);
	r.told.class_ = LZ_KNOWN_IS(lz_class_known(p, cell));
	if (grade == LZ_GRADE_GARDEN) {
		fate = lz_garden_fate(p, row, sets, r.told.class_);
	} else if (grade == LZ_GRADE_BLOCK25) {
		if (sets & LZ_SET_REACH)
			return LZ_HELD_NOT;
		fate = p->flags & LZ_P_TINY_FRAG ?
			       LZ_V_DROP :
			       lz_mail_fate(lz_garden_of(p->slot, LZ_GARDEN_LEAKY), p->slot,
					    r.told.class_);
	} else {
		fate = lz_garden_fate(p, LZ_GARDEN_STRICT, sets, r.told.class_);
	}
	if (fate == LZ_FATE_CLASS)
		return LZ_HELD_NOT;
	r.verdict = fate & 0xff;
	r.other = fate >> 8;
	r.reason = r.verdict == LZ_V_PASS ? LZ_R_PASS_GARDEN : LZ_R_DROP_HELD;
	if (r.verdict != LZ_V_PASS) {
		/* I3: a never address is never dropped, even if somebody managed to hold it; a
		 * packet *to* one is the colony's business all the same. */
		lz_overrule(p, &r, lz_is_never(p, r.told.class_));
		if (r.verdict != LZ_V_PASS)
			lz_count_dropped(cell, p->cell);
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

/* A source under the rules of its class: what they go by. */
struct lz_examined {
	struct lz_judgement *j;
	const struct lz_class *c;
	struct lz_cell *cell;
	struct lz_flow_line *line; /* NULL: no SYN to port 25 */
	int slot; /* of the cell */
};

/* All rules of a class, in order; the verdict is what they say before anything overrules it.
 * Returns the limit that refused, if one did. */
static __always_inline const struct lz_limit *lz_rules(const struct lz_pkt *p,
						       const struct lz_examined *e)
{
	struct lz_judgement *j = e->j;

	if (j->known == LZ_FLOW_NEW && p->dport == 25) {
		lz_rule_port25(p, e->c, j->ask.sets, &j->r);
	} else if (j->known > LZ_V_PASS) {
		j->r.verdict = j->known;
		j->r.reason = LZ_R_DROP_RETRANSMIT;
	} else if (j->known == LZ_V_PASS) {
		j->r.reason = LZ_R_PASS_RETRANSMIT;
	}
	if (j->r.verdict != LZ_V_PASS || !((p->flags & LZ_P_SYN) || p->proven))
		return 0;
	if (p->throttle && j->ask.fresh && !lz_throttle_allowed(e->slot, p->now_ns, p->throttle)) {
		j->r.verdict = LZ_V_DROP;
		j->r.reason = LZ_R_DROP_THROTTLED;
		return 0;
	}
	return lz_limits(p, e->c, &j->ask, e->cell, e->slot, &j->r);
}

/* Exceptions are rare: who has none is not looked up, unless there are some for whole prefixes. */
static __always_inline __u32 lz_lifted(const struct lz_pkt *p)
{
	__u32 bit;

	if (*(volatile __u64 *)&lz_control.exception_lens)
		return lz_exception_of(p->key, p->now_s);
	if (!lz_control.exception_len64)
		return 0;
	bit = lz_excepted_bit(lz_hash(p->key, lz_instance.seed));
	if (!(lz_tables.excepted[bit / 64] >> (bit & 63) & 1))
		return 0;
	return lz_exception_of(p->key, p->now_s);
}

/* The table is full: the class rule still holds, the limits have nowhere to count. */
static __always_inline int lz_judge_uncounted(const struct lz_pkt *p, const struct lz_class *c,
					      struct lz_ruling *r)
{
	__u64 sets = lz_dest_sets(p);

	r->limits_lifted = lz_lifted(p);
	if (p->dport == 25)
		lz_rule_port25(p, c, sets, r);
	lz_overrule(p, r, !!(sets & LZ_SET_NEVER));
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
		lz_overrule(p, r, !!(lz_dest_sets_ask(p) & LZ_SET_NEVER));
	}
	return lz_ruling_end(p, r);
}

/* Note a destination, unless it is the one that was noted last: who has a smarthost mostly sends there, and
 * the other half of his cell stays where it is. */
static __always_inline void lz_note_dest(const struct lz_pkt *p, const struct lz_examined *e)
{
	__u64 slot = p->now_ns / e->c->dests_slot_ns;
	__u8 mark = lz_dest_mark(p->dest, slot);
	struct lz_cold *cold;

	if (e->cell->last_dest == mark)
		return;
	cold = lz_cold_of(e->slot);
	if (!cold)
		return;
	if (lz_dests_note(cold->dests, slot, p->dest))
		e->cell->last_dest = mark;
}

/* Count a packet that the rules look at, before they do. */
static __always_inline void lz_examine(const struct lz_pkt *p, const struct lz_examined *e)
{
	struct lz_judgement *j = e->j;

	e->cell->seen = lz_seen(p->now_s); /* its line is written anyway */
	j->r.limits_lifted = lz_lifted(p);
	j->ask.sets = p->sets; /* of a SYN to port 25 none is an answer, too */
	if (!e->line && (p->dport == 25 || (e->c->flags & LZ_CLASS_F_SYN_TO)))
		j->ask.sets = lz_dest_sets_ask(p);
	if (e->line) {
		j->known = lz_flow_find(e->line, p->flow, p->now_ns);
		j->ask.fresh = j->known == LZ_FLOW_NEW;
	}
	/* A destination is noted by its SYN, or, where a limit on them holds, by its handshake. */
	if ((e->c->flags & LZ_CLASS_F_PROOF_DESTS ? p->proven : j->ask.fresh) && e->c->dests_slot_ns)
		lz_note_dest(p, e);
	if (p->flags & LZ_P_SYN)
		lz_count_pair(&e->cell->syn, 1, j->ask.fresh);
	else
		lz_count_other(e->cell, e->slot);
}

/* The rules have spoken: remember, count and tell it. */
static __always_inline int lz_examined_end(const struct lz_pkt *p, const struct lz_examined *e,
					   const struct lz_limit *refused_by)
{
	struct lz_judgement *j = e->j;
	struct lz_cold *cold;

	if (e->line && j->ask.fresh)
		lz_flow_note(e->line, p->flow, p->now_ns, j->r.verdict);
	if (j->r.verdict != LZ_V_PASS) {
		lz_count_dropped(e->cell, e->slot);
		if (refused_by && refused_by->then == LZ_THEN_HOLD &&
		    (p->proven || !(refused_by->flags & LZ_LIMIT_F_PROOF)))
			lz_limit_hold(p, e->cell, e->slot, &j->r, refused_by);
		if (j->r.told.kind)
			lz_tell(p, lz_cold_of(e->slot), &j->r.told);
	} else if (j->r.would) {
		cold = lz_cold_of(e->slot);
		if (cold)
			__sync_fetch_and_add(&cold->would_drop, 1);
		if (j->r.reason == LZ_R_PASS_EXAMINED)
			j->r.reason = LZ_R_PASS_MONITOR;
	}
	lz_count_class(j->ask.class_, j->r.verdict, j->r.would);
	return lz_ruling_end(p, &j->r);
}

/* A source of a class with rules, and its cell if it has one already. */
static __always_inline int lz_judge_source(const struct lz_pkt *p, struct lz_examined *e)
{
	const struct lz_limit *refused_by;
	struct lz_ruling *r = &e->j->r;

	e->c = &lz_control.gen[p->slot & 1].class_[e->j->ask.class_ & (LZ_CLASSES_MAX - 1)];
	LZ_HOLD_ADDRESS(e->c);
	if (p->flags & LZ_P_TINY_FRAG)
		return lz_judge_tiny(p, e->c, r);
	if (!e->cell) {
		e->slot = lz_cell_make(p->key, p->family, p->port_row);
		e->cell = e->slot >= 0 ? lz_search_cell(e->slot) : 0;
		if (!e->cell)
			return lz_judge_uncounted(p, e->c, r);
		e->cell->known_class = e->j->known_class; /* of a /48's cell nobody asks it */
	}
	lz_examine(p, e);
	refused_by = lz_rules(p, e);
	if (r->verdict != LZ_V_PASS) { /* the source is no never address: its class would say so */
		__u64 sets = e->j->ask.sets;

		if (!sets && !e->line) /* not asked yet, perhaps */
			sets = lz_dest_sets_ask(p);
		lz_overrule(p, r, !!(sets & LZ_SET_NEVER));
	}
	return lz_examined_end(p, e, refused_by);
}

/**
 * lz_judge_class() - the class rules for a source that is not held
 * @cell: the source's, or NULL: it has none yet
 * @line: of SYN memory, or NULL: no SYN to port 25
 *
 * Both are under way already: lz_decide() has asked for them.
 * Return: LZ_RULING().
 */
__noinline int lz_judge_class(const struct lz_pkt *p, struct lz_judgement *j, struct lz_cell *cell,
			      struct lz_flow_line *line)
{
	struct lz_examined e = { .cell = cell, .line = line };
	__u32 class_;

	e.j = j;
	if (!p || !e.j)
		return 0;
	__builtin_memset(e.j, 0, sizeof(*e.j));
	e.j->known = LZ_FLOW_NEW;
	e.slot = p->cell;
	e.j->known_class = lz_class_known(p, e.cell);
	class_ = LZ_KNOWN_IS(e.j->known_class);
	if (class_ >= LZ_CLASS_FIRST && lz_is_never(p, class_))
		class_ = LZ_CLASS_NEVER;
	e.j->ask.class_ = class_;
	e.j->r.told.class_ = class_;
	e.j->r.reason = LZ_R_PASS_EXAMINED;
	/* I3: a never address is not slowed down either, even if somebody managed to throttle it */
	if (class_ >= LZ_CLASS_FIRST || (p->throttle && class_ != LZ_CLASS_NEVER))
		return lz_judge_source(p, &e);
	e.j->r.reason = p->gen_flags & LZ_GEN_F_IGNORE_FOREIGN ?
				LZ_R_PASS_OTHER : LZ_R_PASS_FOREIGN;
	if (class_ == LZ_CLASS_NEVER)
		lz_count(p->port_row, LZ_C_NEVER_SPOOFED, 1);
	return lz_ruling_end(p, &e.j->r);
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
	} else if (lz_source_sets(p) & c->except_mask) {
		r.verdict = LZ_V_PASS;
		r.reason = LZ_R_PASS_EXAMINED;
	} else if (lz_exception_of(key, p->now_s)) {
		r.verdict = LZ_V_PASS;
		r.reason = LZ_R_PASS_EXCEPTION;
	} else {
		lz_overrule(p, &r, !!((lz_dest_sets_ask(p) | lz_source_sets(p)) & LZ_SET_NEVER));
	}
	if (r.verdict == LZ_V_PASS && c->limits && lz_is_syn_ack(p))
		lz_proof_await(p, c->flags & LZ_CLASS_F_PROOF);
	lz_count_class(class_, r.verdict, r.would);
	return lz_ruling_end(p, &r);
}

#endif /* LZ_BPF_JUDGE_H */
