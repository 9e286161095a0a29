/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* judge.c - the model's verdicts: design.md section 2 in its order, and what is counted. */
#include <string.h>

#include "model/model.h"

/* One packet on its way through the rules. */
struct m_case {
	struct model *m;
	const struct m_packet *p;
	int slot;
	const struct lz_generation *gen;
	__u32 verdict, reason, would;
	bool lingers; /* released a moment ago: the portal may still have this flow */
	unsigned rate; /* row of a throttled source */
};

static __u64 now_s(const struct model *m)
{
	return world_now(m->w) / 1000000000ull;
}

void m_reset(struct model *m)
{
	const struct world *w = m->w;

	memset(m, 0, sizeof(*m));
	m->w = w;
}

void m_hold(struct model *m, __u64 key, __u64 word)
{
	m->cells_held += !m_cell_find(m, M_SOURCE, key, 0);
	m_cell_make(m, M_SOURCE, key, 0)->hold = word;
}

static void answer(struct m_case *c, __u32 verdict, __u32 reason)
{
	c->verdict = verdict;
	c->reason = reason;
}

/* Nothing from a never address is dropped, nothing to one by class rules; monitor mode drops
 * nothing. */
static void overrule(struct m_case *c, bool also_to)
{
	__u64 from = m_sets_of(c->m, c->slot, c->p->family, c->p->src);
	__u64 to = m_sets_of(c->m, c->slot, c->p->family, c->p->dst);

	if (c->verdict == LZ_V_PASS)
		return;
	if ((from | (also_to ? to : 0)) & LZ_SET_NEVER) {
		answer(c, LZ_V_PASS, LZ_R_PASS_NEVER);
	} else if (c->gen->flags & LZ_GEN_F_MONITOR) {
		c->would = c->verdict;
		answer(c, LZ_V_PASS, LZ_R_PASS_MONITOR);
	}
}

static bool holds(__u64 word, __u64 now)
{
	__u64 expiry = LZ_HOLD_EXPIRY(word), ttl = LZ_HOLD_TTL(word), cap = 31 * 24 * 3600;

	return word && expiry > now && ttl && expiry - now <= ttl + 1 && expiry - now <= cap + 1;
}

static bool starts_with(const __u8 *addr, unsigned first, unsigned second, unsigned second_bits)
{
	return addr[0] == first && (unsigned)addr[1] >> (8 - second_bits) == second >> (8 - second_bits);
}

/* Neighbour discovery and DHCP. */
static bool upkeep(const struct m_packet *p)
{
	if (p->family == 6 && p->proto == 58 && p->icmp_type >= 133 && p->icmp_type <= 137)
		return true;
	return p->proto == 17 && p->has_ports && p->dport == (p->family == 4 ? 67 : 547);
}

static bool goes_no_further(const struct m_packet *p)
{
	static const __u8 everybody[4] = { 255, 255, 255, 255 };

	return p->family == 4 ? !memcmp(p->dst, everybody, 4) :
				p->dst[0] == 0xff || starts_with(p->dst, 0xfe, 0x80, 2);
}

/* A hundred packets a second; of what keeps a link alive that is not the source's own, one. */
static bool reach(const struct m_case *c, struct m_cell *cell, __u64 to)
{
	bool near = to & LZ_SET_REACH || (c->p->family == 6 && !memcmp(c->p->src, c->p->dst, 8));

	return m_held_allowed(cell, world_now(c->m->w), near ? 10 : 990, near ? 1990 : 1000);
}

/* TCP 25: the sink, and the class's refusal where there is none. */
static void mail_fate(struct m_case *c, const struct lz_garden_row *g)
{
	__u32 other = c->gen->class_[m_class_of(c->m, c->slot, c->p->family, c->p->src)].to_world;

	if (other == LZ_V_PASS || other == LZ_V_SMTP_554)
		other = LZ_V_ICMP_ADMIN;
	answer(c, g->mail, LZ_R_DROP_HELD);
	c->m->other = other;
}

static bool opened(const struct m_packet *p, const struct lz_garden_row *g, __u64 to)
{
	for (int i = 0; i < LZ_GARDEN_PORTS_MAX && p->has_ports; i++)
		if (g->open[i] >> 16 == p->proto && (g->open[i] & 0xffff) == p->dport)
			return true;
	return to & g->allow_mask;
}

/* The fate table of a garden. Returns whether it has an answer: what a leaky one only lets be is the class's. */
static bool garden(struct m_case *c, struct m_cell *cell, const struct lz_garden_row *g)
{
	const struct m_packet *p = c->p;
	__u64 to = m_sets_of(c->m, c->slot, p->family, p->dst);
	bool tcp = p->proto == 6 && p->has_ports, udp = p->proto == 17 && p->has_ports;

	answer(c, LZ_V_PASS, LZ_R_PASS_GARDEN);
	if (upkeep(p) && goes_no_further(p))
		return true;
	if (upkeep(p) || to & LZ_SET_REACH) {
		if (!reach(c, cell, to))
			answer(c, LZ_V_DROP, LZ_R_DROP_HELD);
	} else if (p->tiny) {
		answer(c, LZ_V_DROP, LZ_R_DROP_HELD);
	} else if (tcp && p->dport == 25) {
		mail_fate(c, g);
	} else if (opened(p, g, to)) {
		return true;
	} else if (tcp && p->dport == 80) {
		answer(c, g->web, LZ_R_DROP_HELD);
		c->m->other = LZ_V_TCP_RESET;
	} else if (g->kind == LZ_GARDEN_STRICT) {
		if (tcp && (p->dport == 443 || p->dport == 465 || p->dport == 587))
			answer(c, g->tls, LZ_R_DROP_HELD);
		else if (udp && p->dport == 443)
			answer(c, g->tls == LZ_V_TCP_RESET ? LZ_V_ICMP_ADMIN : g->tls, LZ_R_DROP_HELD);
		else
			answer(c, LZ_V_DROP, LZ_R_DROP_HELD);
	} else if (p->syn) {
		return false;
	}
	return true;
}

/* Only port 25 is stopped. Returns whether this packet is. */
static bool block25(struct m_case *c)
{
	const struct m_packet *p = c->p;

	if (!p->tiny && !(p->proto == 6 && p->has_ports && p->dport == 25))
		return false;
	if (m_sets_of(c->m, c->slot, p->family, p->dst) & LZ_SET_REACH)
		return false;
	if (p->tiny)
		answer(c, LZ_V_DROP, LZ_R_DROP_HELD);
	else
		mail_fate(c, &c->gen->garden[LZ_GARDEN_LEAKY]);
	return true;
}

/* Returns whether the colony answered; if not, *ret_rate is the row a throttled source has. */
static bool colony(struct m_case *c, unsigned *ret_rate)
{
	struct m_cell *cell = m_cell_find(c->m, M_SOURCE, c->p->key, 0);
	const struct m_packet *p = c->p;
	__u32 grade;

	if (!cell || !cell->hold)
		return false;
	grade = LZ_HOLD_GRADE(cell->hold);
	if (!holds(cell->hold, now_s(c->m))) {
		__u64 since = now_s(c->m) - LZ_HOLD_EXPIRY(cell->hold);

		if (LZ_HOLD_EXPIRY(cell->hold) > now_s(c->m))
			c->m->delta[LZ_C_HOLD_INVALID]++;
		else
			c->lingers = since < 30 && p->proto == 6 && p->has_ports &&
				     (p->dport == 25 || p->dport == 80);
		return false;
	}
	if (grade >> 4 == LZ_GRADE_THROTTLE) {
		*ret_rate = grade & 15;
		return false;
	}
	if (grade >> 4 == LZ_GRADE_BLOCK25) {
		if (!block25(c))
			return false;
	} else if (!garden(c, cell, &c->gen->garden[grade >> 4 == LZ_GRADE_GARDEN ? grade & 15 :
										  LZ_GARDEN_STRICT])) {
		return false;
	}
	overrule(c, false);
	cell->dropped += c->verdict != LZ_V_PASS;
	return true;
}

/* The cell a limit counts in, or NULL if the limit does not concern this packet. */
static struct m_cell *limit_cell(struct m_case *c, const struct lz_limit *l, struct m_cell *own,
				 bool fresh)
{
	unsigned len = c->p->family == 4 ? l->per_len4 : l->per_len6;
	__u64 to = m_sets_of(c->m, c->slot, c->p->family, c->p->dst), prefix = 0;

	if ((l->what != LZ_WHAT_SYN && !fresh) || (l->to_mask && !(l->to_mask & to)))
		return NULL;
	if (l->per == LZ_PER_SOURCE)
		return own;
	if (l->per == LZ_PER_CUSTOMER) {
		prefix = m_customer_of(c->m, c->slot, c->p);
		if (!prefix)
			return NULL;
	} else {
		for (unsigned bit = 0; bit < len; bit++)
			prefix |= c->p->key & 1ull << (63 - bit);
	}
	if (!m_cell_find(c->m, M_AGGREGATE, prefix, l->id) && m_cells_full(c->m)) {
		c->m->delta[LZ_C_TABLE_FULL]++;
		return NULL;
	}
	return m_cell_make(c->m, M_AGGREGATE, prefix, l->id);
}

/* Returns the limit that refused, or NULL. */
static const struct lz_limit *limits(struct m_case *c, const struct lz_class *class_,
				     struct m_cell *own, bool fresh, unsigned lifted)
{
	for (int i = 0; i < class_->limits; i++) {
		const struct lz_limit *l = &class_->limit[i];
		__u32 refusal = l->then == LZ_THEN_DROP && l->refuse ? l->refuse : LZ_V_DROP;
		struct m_cell *cell;

		if (lifted & LZ_EXCEPTION_ALL || (lifted && l->what != LZ_WHAT_SYN))
			continue;
		cell = limit_cell(c, l, own, fresh);
		if (!cell || m_charge(c->m, cell, l, world_now(c->m->w)))
			continue;
		if (l->then == LZ_THEN_NOTIFY)
			continue;
		if (l->flags & LZ_LIMIT_F_MONITOR || c->gen->flags & LZ_GEN_F_MONITOR) {
			c->would = c->would ? c->would : refusal;
			continue;
		}
		answer(c, refusal, LZ_R_DROP_LIMIT);
		return l;
	}
	return NULL;
}

static void port25(struct m_case *c, const struct lz_class *class_, unsigned lifted)
{
	__u64 to = m_sets_of(c->m, c->slot, c->p->family, c->p->dst);

	if (class_->to_world == LZ_V_PASS || to & class_->except_mask)
		return;
	if (lifted)
		answer(c, LZ_V_PASS, LZ_R_PASS_EXCEPTION);
	else if (c->p->syn || class_->to_world == LZ_V_SMTP_554)
		answer(c, class_->to_world, LZ_R_DROP_PORT25);
	else
		answer(c, LZ_V_DROP, LZ_R_DROP_PORT25);
	c->m->other = c->p->syn ? LZ_V_ICMP_ADMIN : LZ_V_DROP;
}

static bool throttled(struct m_case *c, struct m_cell *cell)
{
	const struct lz_throttle *t = &c->m->w->control->throttle[c->rate];

	return t->step_ms &&
	       !m_held_allowed(cell, world_now(c->m->w), t->step_ms, t->burst_ms);
}

static void hold_source(struct m_case *c, struct m_cell *cell, const struct lz_limit *l)
{
	__u64 expiry = now_s(c->m) + l->hold_ttl_s + 1, left = l->hold_ttl_s;
	unsigned stands;

	if (cell->kind != M_SOURCE)
		return;
	stands = LZ_GRADE_KIND(LZ_HOLD_GRADE(cell->hold));
	if (holds(cell->hold, now_s(c->m)) && stands == LZ_GRADE_GARDEN)
		return;
	if (holds(cell->hold, now_s(c->m)) && LZ_HOLD_EXPIRY(cell->hold) >= expiry) {
		if (LZ_GRADE_KIND(l->grade) != LZ_GRADE_GARDEN ||
		    (stands != LZ_GRADE_BLOCK25 && stands != LZ_GRADE_THROTTLE))
			return; /* no limit of these tests holds in another way */
		expiry = LZ_HOLD_EXPIRY(cell->hold);
		left = expiry - now_s(c->m);
	}
	cell->hold = LZ_HOLD_WORD(expiry, left, l->grade, LZ_HOLD_F_KERNEL);
	c->m->limit[l->id].holds++;
}

/* All rules in order. Returns the limit that refused, or NULL. */
static const struct lz_limit *rules(struct m_case *c, const struct lz_class *class_,
				    struct m_cell *cell, const struct m_flow *known, bool fresh,
				    unsigned lifted)
{
	answer(c, LZ_V_PASS, LZ_R_PASS_EXAMINED);
	if (known)
		answer(c, known->verdict,
		       known->verdict ? LZ_R_DROP_RETRANSMIT : LZ_R_PASS_RETRANSMIT);
	else if (c->p->dport == 25)
		port25(c, class_, lifted);
	if (known)
		c->m->other = LZ_V_ICMP_ADMIN;
	if (c->verdict == LZ_V_PASS && c->rate && fresh && throttled(c, cell)) {
		answer(c, LZ_V_DROP, LZ_R_DROP_THROTTLED);
		return NULL;
	}
	return c->verdict == LZ_V_PASS && c->p->syn ? limits(c, class_, cell, fresh, lifted) : NULL;
}

static void examine(struct m_case *c, const struct lz_class *class_, struct m_cell *cell,
		    struct lz_class_stats *stats)
{
	unsigned lifted = m_exception_of(c->m, c->p->family, c->p->src);
	bool mail = c->p->syn && c->p->dport == 25;
	struct m_flow *known = mail ? m_flow_find(c->m, c->p, c->gen->number) : NULL;
	const struct lz_limit *by;

	cell->examined++;
	cell->syn += c->p->syn;
	if (mail && !known) {
		cell->smtp_connections++;
		if (class_->dests_slot_ns)
			m_note_destination(c->m, cell, class_->dests_slot_ns, c->p);
	}
	by = rules(c, class_, cell, known, mail && !known, lifted);
	overrule(c, true);
	if (mail && !known)
		m_flow_note(c->m, c->p, c->gen->number, c->verdict);
	if (c->verdict != LZ_V_PASS) {
		cell->dropped++;
		if (by && by->then == LZ_THEN_HOLD)
			hold_source(c, cell, by);
	} else if (c->would) {
		cell->would_drop++;
		if (c->reason == LZ_R_PASS_EXAMINED)
			c->reason = LZ_R_PASS_MONITOR;
	}
	stats->examined++;
	stats->verdict[c->verdict]++;
	if (c->would)
		stats->would[c->would]++;
}

static void by_class(struct m_case *c)
{
	unsigned id = m_class_of(c->m, c->slot, c->p->family, c->p->src);
	const struct lz_class *class_ = &c->gen->class_[id];
	struct m_cell *cell;

	if (c->p->family == 6 && id >= LZ_CLASS_FIRST && c->gen->flags & LZ_GEN_F_NEVER_HIDDEN &&
	    m_sets_of(c->m, c->slot, 6, c->p->src) & LZ_SET_NEVER)
		id = LZ_CLASS_NEVER;
	if (id < LZ_CLASS_FIRST && (!c->rate || id == LZ_CLASS_NEVER)) {
		answer(c, LZ_V_PASS, c->gen->flags & LZ_GEN_F_IGNORE_FOREIGN ? LZ_R_PASS_OTHER :
									       LZ_R_PASS_FOREIGN);
		c->m->delta[LZ_C_NEVER_SPOOFED] += id == LZ_CLASS_NEVER;
		return;
	}
	if (c->p->tiny) {
		answer(c, LZ_V_PASS, LZ_R_PASS_UNPARSED);
		if (class_->to_world != LZ_V_PASS || class_->limits)
			answer(c, LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT);
		overrule(c, true);
		return;
	}
	cell = m_source_cell(c->m, c->p);
	if (cell) {
		examine(c, class_, cell, &c->m->class_[id]);
		return;
	}
	answer(c, LZ_V_PASS, LZ_R_PASS_EXAMINED);
	if (c->p->dport == 25)
		port25(c, class_, m_exception_of(c->m, c->p->family, c->p->src));
	overrule(c, true);
}

static void from_customer(struct m_case *c)
{
	const struct m_packet *p = c->p;

	if (p->keyed && colony(c, &c->rate))
		return;
	if (p->keyed && (p->syn || p->tiny || (p->proto == 6 && p->has_ports && p->dport == 25))) {
		by_class(c);
		if (!p->tiny || (c->reason != LZ_R_PASS_UNPARSED && c->reason != LZ_R_PASS_FOREIGN &&
				 c->reason != LZ_R_PASS_OTHER))
			return;
	}
	if (p->unparsed) {
		bool never = p->family && (m_sets_of(c->m, c->slot, p->family, p->src) |
					   m_sets_of(c->m, c->slot, p->family, p->dst)) & LZ_SET_NEVER;
		bool drop = (p->overtagged || c->gen->flags & LZ_GEN_F_UNPARSED_DROP) && !never &&
			    !(c->gen->flags & LZ_GEN_F_MONITOR);

		answer(c, drop ? LZ_V_DROP : LZ_V_PASS, drop ? LZ_R_DROP_UNPARSED : LZ_R_PASS_UNPARSED);
		return;
	}
	answer(c, LZ_V_PASS, p->keyed ? LZ_R_PASS_OTHER : LZ_R_PASS_UNKEYED);
}

static void to_customer(struct m_case *c)
{
	const struct m_packet *p = c->p;
	bool from25 = p->proto == 6 && p->has_ports && p->sport == 25;
	bool syn_to25 = p->syn && p->dport == 25;
	const struct lz_class *class_;
	unsigned id;

	answer(c, LZ_V_PASS, p->unparsed ? LZ_R_PASS_UNPARSED : LZ_R_PASS_OTHER);
	if (!from25 && !syn_to25)
		return;
	id = m_class_of(c->m, c->slot, p->family, p->dst);
	if (id < LZ_CLASS_FIRST) {
		answer(c, LZ_V_PASS, LZ_R_PASS_FOREIGN);
		return;
	}
	class_ = &c->gen->class_[id];
	answer(c, LZ_V_PASS, LZ_R_PASS_EXAMINED);
	if (from25 && class_->from_port25)
		answer(c, class_->from_port25, LZ_R_DROP_FROM_PORT25);
	else if (syn_to25 && class_->to_customers)
		answer(c, class_->to_customers, LZ_R_DROP_TO_CUSTOMER);
	if (c->verdict && m_sets_of(c->m, c->slot, p->family, p->src) & class_->except_mask)
		answer(c, LZ_V_PASS, LZ_R_PASS_EXAMINED);
	else if (c->verdict && m_exception_of(c->m, p->family, p->dst))
		answer(c, LZ_V_PASS, LZ_R_PASS_EXCEPTION);
	overrule(c, true);
	c->m->class_[id].examined++;
	c->m->class_[id].verdict[c->verdict]++;
	if (c->would)
		c->m->class_[id].would[c->would]++;
}

/* The generation that judges now, by the clock alone; -1 = none. */
static int generation(const struct model *m)
{
	__u64 word = m->w->control->gen_word;
	__u32 deadline = LZ_GEN_DEADLINE(word);
	__u32 slot = deadline && now_s(m) >= deadline ? LZ_GEN_PREVIOUS(word) : LZ_GEN_ACTIVE(word);

	return slot < LZ_GENERATIONS ? (int)slot : -1;
}

void m_judge(struct model *m, enum world_hook hook, const __u8 *bytes, unsigned n)
{
	struct m_packet p;
	struct m_case c = { .m = m, .p = &p, .slot = generation(m) };

	memset(m->delta, 0, sizeof(m->delta));
	m->other = LZ_V_PASS;
	m_parse(bytes, n, m->w->port_flags & LZ_PORT_F_L3, m->w->key_len, &p);
	answer(&c, LZ_V_PASS, LZ_R_PASS_NO_POLICY);
	if (c.slot >= 0)
		c.gen = &m->w->control->gen[c.slot];
	if (now_s(m) < m->w->control->bypass_until_s)
		answer(&c, LZ_V_PASS, LZ_R_PASS_BYPASS);
	else if (c.slot < 0 || m->w->role == LZ_ROLE_NONE)
		;
	else if (p.not_ip)
		answer(&c, LZ_V_PASS, LZ_R_PASS_NOT_IP);
	else if (hook == WORLD_TC_OUT || m->w->role == LZ_ROLE_UPLINK)
		to_customer(&c);
	else
		from_customer(&c);
	m->delta[LZ_C_RECEIVED] = 1;
	m->delta[c.reason]++;
	if (c.lingers && c.verdict != LZ_V_SMTP_554 && !(p.syn && c.verdict != LZ_V_PASS)) {
		m->other = c.verdict;
		c.verdict = p.dport == 80 ? LZ_V_PAGE : LZ_V_SMTP_554;
	}
	m->verdict = c.verdict;
	m->reason = c.reason;
}
