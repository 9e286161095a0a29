/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* state.c - the model's lists: policy look-ups, cells, limits, flows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

static bool covers(const struct lz_prefix *prefix, int family, const __u8 *addr)
{
	if (prefix->addr.family != family)
		return false;
	for (unsigned bit = 0; bit < prefix->len; bit++)
		if ((prefix->addr.bytes[bit / 8] ^ addr[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

/* The entry of the longest prefix that covers an address, or NULL. */
static const struct world_entry *longest(const struct world_list *list, int family,
					 const __u8 *addr)
{
	const struct world_entry *best = NULL;

	for (unsigned i = 0; i < list->n; i++)
		if (covers(&list->entry[i].prefix, family, addr) &&
		    (!best || list->entry[i].prefix.len > best->prefix.len))
			best = &list->entry[i];
	return best;
}

unsigned m_class_of(const struct model *m, int slot, int family, const __u8 *addr)
{
	const struct world_entry *e = longest(&m->w->gen[slot].ranges, family, addr);

	return e ? (unsigned)e->value : LZ_CLASS_FOREIGN;
}

__u64 m_sets_of(const struct model *m, int slot, int family, const __u8 *addr)
{
	const struct world_list *list = &m->w->gen[slot].dests;
	__u64 mask = 0;

	for (unsigned i = 0; i < list->n; i++)
		if (covers(&list->entry[i].prefix, family, addr))
			mask |= list->entry[i].value;
	return mask;
}

__u64 m_customer_of(const struct model *m, int slot, const struct m_packet *p)
{
	const struct world_entry *e = longest(&m->w->gen[slot].customers, p->family, p->src);

	return e ? e->value : 0;
}

unsigned m_exception_of(const struct model *m, int family, const __u8 *addr)
{
	__u64 now_s = world_now(m->w) / 1000000000ull;
	int best_len = -1;
	unsigned flags = 0;

	for (unsigned i = 0; i < m->w->exceptions_n; i++) {
		const struct world_exception *e = &m->w->exceptions[i];

		if (now_s < e->value.until_s && covers(&e->prefix, family, addr) &&
		    e->prefix.len > best_len) {
			best_len = e->prefix.len;
			flags = e->value.flags;
		}
	}
	return flags;
}

struct m_cell *m_cell_find(struct model *m, enum m_kind kind, __u64 key, __u64 what)
{
	for (unsigned i = 0; i < m->cells_n; i++)
		if (m->cells[i].kind == kind && m->cells[i].key == key && m->cells[i].what == what)
			return &m->cells[i];
	return NULL;
}

struct m_cell *m_cell_make(struct model *m, enum m_kind kind, __u64 key, __u64 what)
{
	struct m_cell *cell = m_cell_find(m, kind, key, what);

	if (cell)
		return cell;
	if (m->cells_n == M_CELLS_MAX)
		abort();
	cell = &m->cells[m->cells_n++];
	memset(cell, 0, sizeof(*cell));
	cell->kind = kind;
	cell->key = key;
	cell->what = what;
	return cell;
}

bool m_cells_full(const struct model *m)
{
	return m->cells_n - m->cells_held >= m->w->control->sources_max;
}

/* The cell that an examined source is counted in; NULL when the table is full. */
struct m_cell *m_source_cell(struct model *m, const struct m_packet *p)
{
	struct m_cell *cell = m_cell_find(m, M_SOURCE, p->key, 0), *prefix;

	if (cell)
		return cell;
	if (m_cells_full(m)) {
		m->delta[LZ_C_TABLE_FULL]++;
		return NULL;
	}
	if (p->family == 6) {
		prefix = m_cell_make(m, M_BUDGET, p->key >> 16, 0);
		if (prefix->children >= m->w->control->v6_budget) {
			m->delta[LZ_C_PREFIX_CHARGED]++;
			return prefix;
		}
		prefix->children++;
	}
	return m_cell_make(m, M_SOURCE, p->key, 0);
}

/* A window: admissions by slot; those of the last words * counters slots, the running one included,
 * are still held against the limit. */
static bool charge_window(struct m_count *c, const struct lz_limit *l, __u64 now_ns)
{
	__u64 slot = now_ns / l->slot_ns, oldest = slot + 1 - l->words * (__u64)l->counters;
	__u32 sum = 0;
	unsigned kept = 0;

	for (unsigned i = 0; i < c->slots; i++) {
		if (c->admitted[i].slot < oldest)
			continue;
		sum += c->admitted[i].n;
		c->admitted[kept++] = c->admitted[i];
	}
	c->slots = kept;
	if (sum >= l->n)
		return false;
	if (!kept || c->admitted[kept - 1].slot != slot) {
		if (kept == M_SLOTS_MAX)
			abort();
		c->admitted[kept].slot = slot;
		c->admitted[kept].n = 0;
		c->slots = ++kept;
	}
	c->admitted[kept - 1].n++;
	return true;
}

/* Tokens in units of 1/slot_ns, so that nothing is rounded. */
static bool charge_bucket(struct m_count *c, const struct lz_limit *l, __u64 now_ns)
{
	unsigned __int128 full = (unsigned __int128)l->n * l->slot_ns;

	if (!c->bucket_used) {
		c->bucket_used = true;
		c->tokens = full;
	} else {
		c->tokens += now_ns - c->bucket_at;
	}
	c->bucket_at = now_ns;
	if (c->tokens > full)
		c->tokens = full;
	if (c->tokens < l->slot_ns)
		return false;
	c->tokens -= l->slot_ns;
	return true;
}

/* The estimate is a function of which of 104 bits are set in this slot or the one before. */
static __u32 destinations(const struct m_cell *cell, __u64 slot)
{
	unsigned zeros = 0;

	for (unsigned bit = 0; bit < 104; bit++) {
		bool now = cell->dest_slot[slot & 1] == slot && cell->dest_bit[slot & 1][bit];
		bool before = cell->dest_slot[~slot & 1] == slot - 1 &&
			      cell->dest_bit[~slot & 1][bit];

		zeros += !now && !before;
	}
	return zeros ? (__u32)lround(-104.0 * log(zeros / 104.0)) : 587;
}

bool m_charge(struct model *m, struct m_cell *cell, const struct lz_limit *l, __u64 now_ns)
{
	struct m_count *c = &cell->count[l->id];
	bool ok;

	if (l->kind == LZ_LIMIT_WINDOW)
		ok = charge_window(c, l, now_ns);
	else if (l->kind == LZ_LIMIT_BUCKET)
		ok = charge_bucket(c, l, now_ns);
	else
		ok = destinations(cell, now_ns / l->slot_ns) <= l->n;
	m->limit[l->id].asked++;
	m->limit[l->id].over += !ok;
	return ok;
}

/* The two things taken over by formula, not by thought: which bit a destination sets, and its mark, which one
 * in 255 others has as well. */
static __u64 mix(__u64 x, __u64 seed)
{
	x ^= seed;
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

void m_note_destination(struct model *m, struct m_cell *cell, __u64 slot_ns,
			const struct m_packet *p)
{
	__u64 slot = world_now(m->w) / slot_ns, half[2], hash;
	unsigned bank = slot & 1, mark;
	__u8 full[16] = { 0 };

	memcpy(full + (p->family == 4 ? 12 : 0), p->dst, p->family == 4 ? 4 : 16);
	if (p->family == 4)
		full[10] = full[11] = 0xff;
	memcpy(half, full, 16);
	hash = mix(half[1], half[0] ? mix(half[0], ~m->w->seed) : ~m->w->seed);
	mark = hash * (2 * slot + 1) >> 56 ? hash * (2 * slot + 1) >> 56 : 255;
	if (cell->dest_mark == mark)
		return;
	cell->dest_mark = mark;
	if (cell->dest_slot[bank] != slot) {
		memset(cell->dest_bit[bank], 0, sizeof(cell->dest_bit[bank]));
		cell->dest_slot[bank] = slot;
	}
	cell->dest_bit[bank][((hash & 0xffffffff) * 104) >> 32] = true;
}

/* A leaking level, in steps of the millisecond clock. One that another rate left too high, by more than a CPU may be
 * late, is empty. */
bool m_held_allowed(struct m_cell *cell, __u64 now_ns, __u64 step_ms, __u64 burst_ms)
{
	__u64 now_ms = now_ns / 1000000, passed = now_ms - cell->reach_at_ms;

	cell->reach_level_ms -= passed < cell->reach_level_ms ? passed : cell->reach_level_ms;
	cell->reach_at_ms = now_ms;
	if (cell->reach_level_ms > burst_ms + step_ms + 1000)
		cell->reach_level_ms = 0;
	if (cell->reach_level_ms > burst_ms)
		return false;
	cell->reach_level_ms += step_ms;
	return true;
}

static bool same_flow(const struct m_flow *f, const struct m_packet *p, __u64 generation)
{
	return !memcmp(f->src, p->src, 16) && !memcmp(f->dst, p->dst, 16) && f->sport == p->sport &&
	       f->dport == p->dport && f->seq == p->seq && f->generation == generation;
}

/* A flow seen in the last 130 s, in ticks of 2^28 ns, counted from its first SYN, and no more than 12
 * times since. */
struct m_flow *m_flow_find(struct model *m, const struct m_packet *p, __u64 generation)
{
	__u64 tick = world_now(m->w) >> 28;

	for (unsigned i = 0; i < m->flows_n; i++) {
		struct m_flow *f = &m->flows[i];

		if (!same_flow(f, p, generation))
			continue;
		if (tick - f->tick > 130000000000ull >> 28 || f->repeated == 12)
			return NULL;
		f->repeated++;
		return f;
	}
	return NULL;
}

void m_flow_note(struct model *m, const struct m_packet *p, __u64 generation, __u32 verdict)
{
	struct m_flow *f = m->flows;

	while (f < m->flows + m->flows_n && !same_flow(f, p, generation))
		f++;
	if (f == m->flows + M_FLOWS_MAX)
		abort();
	if (f == m->flows + m->flows_n)
		m->flows_n++;
	memcpy(f->src, p->src, 16);
	memcpy(f->dst, p->dst, 16);
	f->sport = p->sport;
	f->dport = p->dport;
	f->seq = p->seq;
	f->tick = world_now(m->w) >> 28;
	f->generation = generation;
	f->repeated = 0;
	f->verdict = verdict;
}
