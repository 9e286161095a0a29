/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * charge.h - the limits of a class, asked for one SYN.
 *
 * What nearly every packet needs - a limit of the source itself, the first compare-and-swap wins - is
 * inline; a covering prefix, a customer or a lost race is behind a call. With protected returns a call
 * costs 15 ns, three limits behind two calls each a third of a counted SYN (make bench, row b).
 */
#ifndef LZ_BPF_CHARGE_H
#define LZ_BPF_CHARGE_H

#include "cell.h"
#include "hand.h"
#include "limit.h"
#include "range.h"

static __always_inline const struct lz_limit *lz_asked(const struct lz_pkt *p,
						       const struct lz_limit_ask *ask)
{
	return &lz_control.gen[p->slot & 1]
			.class_[ask->class_ & (LZ_CLASSES_MAX - 1)]
			.limit[ask->index < LZ_LIMITS_PER_CLASS ? ask->index : 0];
}

/**
 * lz_limit_slot() - the cell of a covering prefix or a customer, whose words a limit lives in
 *
 * Return: slot, or LZ_SEARCH_NONE if the limit does not concern this packet or has no room.
 */
__noinline int lz_limit_slot(const struct lz_pkt *p, const struct lz_limit_ask *ask)
{
	const struct lz_limit *l;
	struct lz_cell *cell;
	__u64 number, key, what;
	int slot;

	if (!p || !ask)
		return LZ_SEARCH_NONE;
	l = lz_asked(p, ask);
	what = l->id;
	if (l->per == LZ_PER_CUSTOMER) {
		number = lz_customer_of(p->slot, p->key);
		if (!number)
			return LZ_SEARCH_NONE;
	} else {
		number = lz_prefix_number(p->key, (p->family == 4 ? l->per_len4 : l->per_len6) & 127);
		what |= p->family == 4 ? 0 : LZ_AGGREGATE_V6;
	}
	key = lz_aggregate_key(what, number, &lz_instance);
	slot = lz_search_find(key);
	if (slot < 0 && !lz_cells_full())
		slot = lz_cell_create(key);
	cell = slot >= 0 ? lz_search_cell(slot) : 0;
	if (!cell) {
		lz_count(p->port_row, LZ_C_TABLE_FULL, 1);
		return LZ_SEARCH_NONE;
	}
	if (cell->seen != lz_seen(p->now_s))
		cell->seen = lz_seen(p->now_s);
	return slot;
}

/* The words of a limit, which all lie in the same half of the cell; NULL never happens. */
static __always_inline __u64 *lz_limit_state(const struct lz_limit *l, struct lz_cell *cell, __u32 slot,
					     __u32 proven)
{
	__u32 word = l->word + proven;
	struct lz_cold *cold;

	if (word < LZ_CELL_NEAR_WORDS)
		return &cell->state[word];
	cold = lz_cold_of(slot);
	return cold ? &cold->state[word & 1] : 0;
}

/* What a limit admits beyond n: SYNs, no handshakes. Without a branch, behind which the verifier would walk all of
 * the charging twice. */
static __always_inline __u32 lz_slack(const struct lz_limit *l, __u32 proven)
{
	return l->slack & (proven - 1);
}

/* One unit for the words of a window or a bucket. */
static __always_inline enum lz_charge lz_words_charge(__u64 *state, const struct lz_limit *l, __u64 now_ns,
						      __u32 slack, __u32 *ret_value)
{
	if (l->kind == LZ_LIMIT_WINDOW)
		return lz_window_charge(state, l, now_ns, slack, ret_value);
	return lz_bucket_charge(state, l, now_ns, slack, ret_value);
}

static __always_inline enum lz_charge lz_limit_charge(struct lz_cell *cell, __u32 slot,
						      const struct lz_limit *l, __u64 now_ns,
						      __u32 proven, __u32 *ret_value)
{
	__u32 slack = lz_slack(l, proven);
	enum lz_charge charge;
	struct lz_cold *cold;
	__u64 *state;

	if (!l->slot_ns)
		return LZ_CHARGE_OK;
	if (l->kind == LZ_LIMIT_DESTS) {
		cold = lz_cold_of(slot);
		*ret_value = cold ? lz_dests_estimate(cold->dests, now_ns / l->slot_ns) : 0;
		return *ret_value > l->n ? LZ_CHARGE_OVER : LZ_CHARGE_OK;
	}
	state = lz_limit_state(l, cell, slot, proven);
	if (!state)
		return LZ_CHARGE_OK;
	charge = lz_words_charge(state, l, now_ns, slack, ret_value);
	return LZ_FORGET(charge);
}

/* Once more, because another CPU was at the same word. Return: enum lz_charge; if it refuses, ask->value is
 * what it has counted. */
__noinline int lz_limit_again(const struct lz_pkt *p, struct lz_limit_ask *ask, __u32 slot)
{
	struct lz_cell *cell = lz_search_cell(slot);
	const struct lz_limit *l;
	__u64 *state;
	__u32 slack;

	if (!p || !ask || !cell)
		return LZ_CHARGE_OK;
	l = lz_asked(p, ask);
	slack = lz_slack(l, p->proven);
	state = lz_limit_state(l, cell, slot, p->proven);
	if (!l->slot_ns || !state)
		return LZ_CHARGE_OK;
	return lz_words_charge(state, l, p->now_ns, slack, &ask->value);
}

/* Is this what the limit counts, and may it? Exceptions lift all limits, or those on mail. A handshake is
 * asked of those only that want them; a SYN is no reason to tell of anybody where they do. */
static __always_inline int lz_is_asked(const struct lz_pkt *p, const struct lz_limit *l,
				       const struct lz_limit_ask *ask, __u32 lifted)
{
	if (l->what == LZ_WHAT_SYN ? lifted & LZ_EXCEPTION_ALL : lifted)
		return 0;
	if (p->proven)
		return (l->flags & LZ_LIMIT_F_PROOF) && l->what != LZ_WHAT_SYN;
	if ((l->flags & LZ_LIMIT_F_PROOF) && l->then == LZ_THEN_NOTIFY)
		return 0;
	return l->what == LZ_WHAT_SYN || ask->fresh;
}

/**
 * lz_limit_ask() - charge one limit of a class for one SYN
 * @cell, @slot: of the source
 *
 * Return: enum lz_charge; if it refuses, ask->value is what it has counted.
 */
static __always_inline enum lz_charge lz_limit_ask(const struct lz_pkt *p, const struct lz_limit *l,
						   struct lz_limit_ask *ask, struct lz_cell *cell,
						   int slot, __u32 lifted)
{
	struct lz_limit_stats *stats;
	enum lz_charge charge;
	__u32 id = l->id;

	if (l->to_mask && !(l->to_mask & ask->sets))
		return LZ_CHARGE_OK;
	if ((!ask->plain || (l->flags & LZ_LIMIT_F_PROOF)) && !lz_is_asked(p, l, ask, lifted))
		return LZ_CHARGE_OK;
	if (l->per != LZ_PER_SOURCE) {
		slot = lz_limit_slot(p, ask);
		cell = slot >= 0 ? lz_search_cell(slot) : 0;
		if (!cell)
			return LZ_CHARGE_OK;
	}
	charge = lz_limit_charge(cell, slot, l, p->now_ns, p->proven, &ask->value);
	LZ_NO_UNROLL
	for (int i = 0; charge == LZ_CHARGE_LOST && i < LZ_CAS_TRIES; i++)
		charge = lz_limit_again(p, ask, slot);
	if (charge == LZ_CHARGE_LOST) {
		ask->value = l->n; /* refused as if it were used up */
		lz_count(p->port_row, LZ_C_RETRY_EXHAUSTED, 1);
	}
	stats = bpf_map_lookup_elem(&lz_limit_stats, &id);
	if (stats) {
		stats->asked++;
		if (p->proven)
			stats->proven++;
		if (charge != LZ_CHARGE_OK)
			stats->over++;
	}
	return charge;
}

/* What an exceeded limit does to the packet and its source. */
static __always_inline void lz_limit_act(const struct lz_pkt *p, const struct lz_limit *l, __u32 slot,
					 struct lz_ruling *r)
{
	__u32 verdict = l->then == LZ_THEN_DROP && l->refuse ? l->refuse : LZ_V_DROP;

	r->told.limit_id = l->id;
	r->told.limit_n = l->n;
	if (l->then == LZ_THEN_NOTIFY || (l->flags & LZ_LIMIT_F_MONITOR) ||
	    (p->gen_flags & LZ_GEN_F_MONITOR)) {
		r->told.kind = LZ_EVENT_WOULD;
		r->told.verdict = l->then == LZ_THEN_NOTIFY ? LZ_V_PASS : verdict;
		if (l->then != LZ_THEN_NOTIFY && !r->would)
			r->would = verdict;
		lz_tell(p, lz_cold_of(slot), &r->told);
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

/* All limits of a class for one SYN, in the order of the policy, until one refuses. */
static __always_inline const struct lz_limit *lz_limits(const struct lz_pkt *p,
							const struct lz_class *c,
							struct lz_limit_ask *ask,
							struct lz_cell *cell, int slot,
							struct lz_ruling *r)
{
	ask->plain = ask->fresh && !p->proven && !r->limits_lifted;
	LZ_NO_UNROLL
	for (__u32 i = 0; i < LZ_LIMITS_PER_CLASS; i++) {
		const struct lz_limit *l = &c->limit[i];

		if (i >= c->limits)
			break;
		LZ_HOLD_ADDRESS(l);
		ask->index = i;
		if (lz_limit_ask(p, l, ask, cell, slot, r->limits_lifted) == LZ_CHARGE_OK)
			continue;
		r->told.value = ask->value;
		lz_limit_act(p, l, slot, r);
		if (r->verdict != LZ_V_PASS)
			return l;
	}
	return 0;
}

#endif /* LZ_BPF_CHARGE_H */
