/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compile_limits.c - limits: their arithmetic, and who has which state word of a cell.
 *
 * A window of N needs counters wide enough for N; a word holds 44 bits of them. Fewer counters mean
 * coarser slots: room comes back up to W/k late. So every limit gets a word, and what is left of the
 * six goes, in the order of the policy, to windows that would have fewer than 6 slots.
 */
#include "policy/compile.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define COUNTS_BITS	44 /* of a window word, see abi.h */
#define COUNTERS_MAX	7
#define COUNTER_MAX	((1U << 22) - 1) /* two of them in a word: LZ_POLICY_COUNT_MAX fits */
#define COUNTER_BITS_MIN 6
#define SLOTS_WANTED	6
#define STAMPS		15
#define BURST_MAX_NS	(1ULL << 58) /* 9 years; an arrival time has 60 bits */
#define DESTS_SLOT_NS	(3600 * LZ_NS_PER_S) /* of a class without a limit on destinations */

static __u64 divide_up(__u64 a, __u64 b)
{
	return a / b + !!(a % b);
}

static bool is_of_source(const struct lz_limit *l)
{
	return l->per == LZ_PER_SOURCE && l->kind != LZ_LIMIT_DESTS;
}

static bool needs_proof(const struct lz_limit *l)
{
	return l->flags & LZ_LIMIT_F_PROOF;
}

/* Words of a cell: a window's own, and the one of its handshakes. */
static unsigned words_of(const struct lz_limit *l)
{
	return l->words + (unsigned)needs_proof(l);
}

static void set_window(struct lz_limit *l, __u64 window_ns, unsigned words)
{
	l->words = (__u8)words;
	l->slot_ns = divide_up(window_ns, (__u64)(words * l->counters - 1));
}

/* More SYNs for a limit that holds by handshakes, or there would never be more of these than it admits. As many as
 * half of N: some servers do not answer, and whoever writes to many of them must not stay free by that. */
static __u32 slack_of(const struct lz_limit *l, __u64 most)
{
	__u64 slack = l->n / 2 + 1;

	if (!needs_proof(l) || l->then != LZ_THEN_HOLD || l->what != LZ_WHAT_SMTP_CONNECTIONS)
		return 0;
	return (__u32)(slack < most ? slack : most);
}

static int set_rate(struct lz_compile *c, const struct lz_policy_class *class,
		    const struct lz_policy_limit *from, struct lz_limit *l)
{
	__u64 n = from->at_most.count;

	if (from->is_bucket) {
		l->kind = LZ_LIMIT_BUCKET;
		l->n = (__u32)from->burst;
		l->slack = slack_of(l, ~0U - l->n);
		l->words = 1;
		l->slot_ns = divide_up(from->rate.window_ns, from->rate.count);
		if (from->burst && from->burst - 1 > BURST_MAX_NS / l->slot_ns)
			return lz_err_set(c->reterr, ERANGE,
					  "class '%s': limit '%s': burst %llu would take more than 9 years to fill at that rate; want at most %llu",
					  class->name, from->name, from->burst, BURST_MAX_NS / l->slot_ns);
		l->burst_ns = (from->burst - 1) * l->slot_ns;
		return 0;
	}
	l->n = (__u32)n;
	l->slack = slack_of(l, COUNTER_MAX - n);
	if (from->what == LZ_WHAT_SMTP_DESTINATIONS) {
		l->kind = LZ_LIMIT_DESTS;
		l->slot_ns = from->at_most.window_ns;
		return 0;
	}
	l->kind = LZ_LIMIT_WINDOW;
	l->bits = COUNTER_BITS_MIN;
	while ((n + l->slack) >> l->bits)
		l->bits++;
	l->counters = COUNTS_BITS / l->bits < COUNTERS_MAX ? COUNTS_BITS / l->bits : COUNTERS_MAX;
	set_window(l, from->at_most.window_ns, 1);
	/* The cell of an aggregate has no other limit in it. */
	if (l->per != LZ_PER_SOURCE && !needs_proof(l) && l->counters - 1 < SLOTS_WANTED)
		set_window(l, from->at_most.window_ns, 2);
	return 0;
}

/* A SYN that anybody could have sent must not hold anybody: where sources are not validated, a limit
 * that leads to a hold goes by handshakes. */
static void set_then(const struct lz_policy *policy, const struct lz_policy_limit *from,
		     struct lz_limit *l)
{
	if (lz_policy_holds(policy, from) && !lz_policy_sources_validated(policy))
		l->flags |= LZ_LIMIT_F_PROOF;
	l->then = LZ_THEN_NOTIFY;
	l->grade = LZ_GRADE(LZ_GRADE_GARDEN, LZ_GARDEN_LEAKY);
	if (from->then == LZ_ACTION_DROP || from->then == LZ_ACTION_REFUSE) {
		l->then = LZ_THEN_DROP;
		l->refuse = from->then == LZ_ACTION_DROP ? LZ_V_DROP : (__u8)from->refuse;
	} else if (from->then == LZ_ACTION_HOLD) {
		l->then = LZ_THEN_HOLD;
		l->hold_ttl_s = (__u32)(from->hold_ns / LZ_NS_PER_S);
	}
}

static int convert(struct lz_compile *c, const struct lz_policy_class *class,
		   const struct lz_policy_limit *from, struct lz_limit *l)
{
	int r;

	*l = (struct lz_limit){
		.what = (__u8)from->what,
		.per = (__u8)from->per,
		.flags = from->monitor ? LZ_LIMIT_F_MONITOR : 0,
	};
	if (from->per == LZ_PER_PREFIX) {
		l->per_len4 = (__u8)(32 + from->per_ipv4_len);
		l->per_len6 = from->per_ipv6_len;
	}
	set_then(c->policy, from, l);
	r = set_rate(c, class, from, l);
	return r ? r : lz_compile_dest_list(c, &from->to, &l->to_mask);
}

/* Would the words of `a` read right as those of `b`? A bucket holds a point in time, whatever its
 * rate; a window holds counts of slots. */
static bool is_same_shape(const struct lz_limit *a, const struct lz_limit *b)
{
	if (a->kind != b->kind || a->what != b->what || a->per != b->per || a->words != b->words ||
	    a->per_len4 != b->per_len4 || a->per_len6 != b->per_len6 ||
	    needs_proof(a) != needs_proof(b))
		return false;
	return a->kind != LZ_LIMIT_WINDOW ||
	       (a->bits == b->bits && a->counters == b->counters && a->slot_ns == b->slot_ns);
}

/* The limit of the same name in the image before, if its state can be read on; else NULL. */
static const struct lz_limit *predecessor(const struct lz_compile *c, const struct lz_limit *l)
{
	const struct lz_image_limit *was = c->previous ? &c->previous->limits[l->id] : NULL;
	const struct lz_image_limit *is = &c->image->limits[l->id];
	const struct lz_limit *old;

	if (!was || !*was->name || !lz_streq(was->name, is->name) || !lz_streq(was->class_, is->class_))
		return NULL;
	old = &c->previous->gen.class_[was->class_id].limit[was->index];
	return is_same_shape(old, l) ? old : NULL;
}

/* Second words for windows that want one, while there are any. */
static void widen_windows(const struct lz_policy_class *class, struct lz_class *to)
{
	unsigned left = LZ_CELL_WORDS;

	for (size_t i = 0; i < to->limits; i++)
		left -= is_of_source(&to->limit[i]) ? words_of(&to->limit[i]) : 0;
	for (size_t i = 0; i < to->limits && left; i++) {
		struct lz_limit *l = &to->limit[i];

		if (!is_of_source(l) || needs_proof(l) || l->kind != LZ_LIMIT_WINDOW || l->counters - 1 >= SLOTS_WANTED)
			continue;
		set_window(l, class->limits[i].at_most.window_ns, 2);
		left--;
	}
}

/* Both words of a limit lie in one half of the cell. */
static bool is_place(const struct lz_limit *l, unsigned word)
{
	unsigned end = word + words_of(l);

	return end <= LZ_CELL_WORDS && (end <= LZ_CELL_NEAR_WORDS || word >= LZ_CELL_NEAR_WORDS);
}

static __u32 words_mask(const struct lz_limit *l, unsigned word)
{
	return ((1u << words_of(l)) - 1) << word;
}

/* Words for all limits of a source: where they were if @keep, then the first that are free. Returns
 * false if what is free lies in pieces. */
static bool place_words(const struct lz_compile *c, struct lz_class *to, bool keep)
{
	const struct lz_limit *old[LZ_LIMITS_PER_CLASS] = {};
	__u32 used = 0;

	for (size_t i = 0; i < to->limits && keep; i++) {
		old[i] = is_of_source(&to->limit[i]) ? predecessor(c, &to->limit[i]) : NULL;
		if (!old[i] || !is_place(&to->limit[i], old[i]->word)) {
			old[i] = NULL;
			continue;
		}
		to->limit[i].word = old[i]->word;
		used |= words_mask(old[i], old[i]->word);
	}
	for (size_t i = 0; i < to->limits; i++) {
		struct lz_limit *l = &to->limit[i];
		unsigned word = 0;

		if (!is_of_source(l) || old[i])
			continue;
		while (word < LZ_CELL_WORDS && (!is_place(l, word) || (used & words_mask(l, word))))
			word++;
		if (word == LZ_CELL_WORDS)
			return false;
		l->word = (__u8)word;
		used |= words_mask(l, word);
	}
	return true;
}

/* Stamps differ from class to class, too: a source that changes its class should start at 0. */
static __u8 stamp_of(__u32 changes, __u32 salt)
{
	return (__u8)(1 + (changes + salt) % STAMPS);
}

static void stamp_source_limit(struct lz_compile *c, struct lz_limit *l, __u32 class_id)
{
	__u32 *changes = &c->image->word_changes[class_id][l->word];
	const struct lz_limit *old = predecessor(c, l);
	__u32 n = changes[0];

	if (old && old->word == l->word) {
		l->stamp = old->stamp;
		return;
	}
	if (words_of(l) == 2 && changes[1] > n)
		n = changes[1];
	l->stamp = stamp_of(n, class_id);
	for (unsigned i = 0; i < words_of(l); i++)
		changes[i] = n + 1;
}

static void stamp_aggregate_limit(struct lz_compile *c, struct lz_limit *l)
{
	const struct lz_limit *old = predecessor(c, l);

	l->stamp = old ? old->stamp : stamp_of(c->image->limit_changes[l->id]++, 0);
}

static void set_class_flags(struct lz_class *to)
{
	to->dests_slot_ns = DESTS_SLOT_NS;
	for (size_t i = 0; i < to->limits; i++) {
		const struct lz_limit *l = &to->limit[i];

		if (l->kind == LZ_LIMIT_DESTS)
			to->dests_slot_ns = l->slot_ns;
		if (l->what == LZ_WHAT_SYN)
			to->flags |= l->to_mask ? LZ_CLASS_F_SYN_TO : 0;
		if (needs_proof(l) && l->what != LZ_WHAT_SYN)
			to->flags |= LZ_CLASS_F_PROOF;
		if (needs_proof(l) && l->kind == LZ_LIMIT_DESTS)
			to->flags |= LZ_CLASS_F_PROOF_DESTS;
	}
}

int lz_compile_limits(struct lz_compile *c, size_t idx)
{
	const struct lz_policy_class *class = &c->policy->classes[idx];
	__u32 class_id = c->class_ids[idx];
	struct lz_class *to = &c->image->gen.class_[class_id];

	for (size_t i = 0; i < class->n_limits; i++) {
		struct lz_limit *l = &to->limit[i];
		int r = convert(c, class, &class->limits[i], l);

		if (r < 0)
			return r;
		l->id = (__u16)lz_image_limit_find(c->image, class->name, class->limits[i].name);
	}
	to->limits = (__u8)class->n_limits;
	widen_windows(class, to);
	if (!place_words(c, to, true))
		place_words(c, to, false);
	for (size_t i = 0; i < to->limits; i++) {
		struct lz_limit *l = &to->limit[i];

		if (is_of_source(l))
			stamp_source_limit(c, l, class_id);
		else
			stamp_aggregate_limit(c, l);
	}
	set_class_flags(to);
	if (to->flags & LZ_CLASS_F_PROOF)
		c->image->gen.flags |= LZ_GEN_F_PROOF;
	return 0;
}
