/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_limit.c - the arithmetic of limits against plain lists of timestamps and exact fractions.
 *
 * The data plane's own header, compiled natively. Windows: never more than N in any window of any
 * arrivals, and room comes back in the stated time. Bucket: every decision equals a token count
 * kept in 128 bits. And what two CPUs at one word leave, in each order of their steps.
 */
#include <linux/types.h>

/* Another CPU, by turns: what it does right before a compare-and-swap of ours, and right after. */
static void (*before_swap)(void), (*after_swap)(void);

static void other_cpu(void (**turn)(void))
{
	void (*once)(void) = *turn;

	*turn = 0;
	if (once)
		once();
}

static __u64 swap(__u64 *at, __u64 old, __u64 fresh)
{
	other_cpu(&before_swap);
	old = __sync_val_compare_and_swap(at, old, fresh);
	other_cpu(&after_swap);
	return old;
}

#define __sync_val_compare_and_swap(at, old, fresh) swap(at, old, fresh)
#include "bpf/limit.h"
#include "lib/random.h"
#include "lib/t.h"

#define S 1000000000ull
#define ARRIVALS 20000

static __u64 random_state = 0x243f6a8885a308d3ull;

static __u64 random64(void)
{
	return t_random(&random_state);
}

static unsigned bit_length(__u32 n)
{
	unsigned bits = 0;

	for (; n; n >>= 1)
		bits++;
	return bits;
}

/* A window limit as compile lays it out: fields wide enough for n, as many as fit. */
static struct lz_limit window_of(__u32 n, __u64 window_ns, unsigned words)
{
	struct lz_limit l = { .kind = LZ_LIMIT_WINDOW, .n = n, .words = (__u8)words, .stamp = 5 };

	l.bits = (__u8)bit_length(n);
	if (l.bits < 6)
		l.bits = 6;
	l.counters = (__u8)(LZ_COUNTS_BITS / l.bits);
	if (l.counters > LZ_COUNTERS_MAX)
		l.counters = LZ_COUNTERS_MAX;
	l.slot_ns = window_ns / (l.words * l.counters - 1u);
	return l;
}

static __u64 window_ns(const struct lz_limit *l)
{
	return l->slot_ns * (l->words * l->counters - 1u);
}

/* Whoever is refused is told what the window holds, and so is whoever asks. */
static bool charge(__u64 *state, const struct lz_limit *l, __u64 now_ns)
{
	__u32 value = ~0u;
	bool ok = lz_window_charge(state, l, now_ns, 0, &value) == LZ_CHARGE_OK;

	if (!ok && (value < l->n || value != lz_window_value(state, l, now_ns)))
		T_EQ(lz_window_value(state, l, now_ns), value, "what a full window holds");
	return ok;
}

static const __u32 ns[] = { 1, 5, 40, 63, 64, 255, 1000, 2047, 5000, 65535, 1000000, 4000000 };

/* Arrivals in bursts and gaps around the window's own size, the hardest for slotted counting. */
static __u64 next_gap(const struct lz_limit *l)
{
	switch (random64() % 8) {
	case 0:
		return random64() % (2 * window_ns(l));
	case 1:
	case 2:
		return l->slot_ns - 2 + random64() % 4;
	case 3:
		return window_ns(l) / l->n;
	default:
		return random64() % (2 * window_ns(l) / l->n + 1);
	}
}

static void never_more_than_n(void)
{
	static __u64 admitted[ARRIVALS];

	for (unsigned i = 0; i < 2 * sizeof(ns) / sizeof(*ns); i++) {
		struct lz_limit l = window_of(ns[i / 2], 300 * S, 1 + i % 2);
		__u64 state[2] = { 0 }, now = 50 * S + random64() % S;
		unsigned n = 0, first = 0, worst = 0;

		for (int j = 0; j < ARRIVALS; j++, now += next_gap(&l)) {
			if (!charge(state, &l, now))
				continue;
			admitted[n++] = now;
			while (admitted[first] + window_ns(&l) <= now)
				first++;
			if (n - first > worst)
				worst = n - first;
		}
		if (!T_OK(worst <= l.n, "never more than N in any window"))
			printf("#   N %u, %u words: %u in one window\n", l.n, l.words, worst);
		T_OK(n > 0, "something was admitted");
	}
}

static void exactly_n_then_none(void)
{
	for (unsigned i = 0; i < 2 * sizeof(ns) / sizeof(*ns); i++) {
		struct lz_limit l = window_of(ns[i / 2], 300 * S, 1 + i % 2);
		__u64 state[2] = { 0 }, now = (i & 2 ? 1ull << 58 : 12345 * S) + random64() % (300 * S);
		__u64 slots = l.words * l.counters - 1u, back; /* 1 << 58: nine years of uptime */
		__u32 n = 0;

		while (n <= l.n && charge(state, &l, now))
			n++;
		T_EQ(n, l.n, "exactly N at one instant");
		T_OK(!charge(state, &l, now + window_ns(&l) - 1), "none before the window is over");
		back = now + window_ns(&l) + window_ns(&l) / slots;
		T_OK(charge(state, &l, back), "room again after W + W/k");
	}
}

/* A word keeps 16 bits of its epoch. A source that was over its limit and then silent for long
 * must not find its old counts valid again: for windows of seconds the epoch comes round within
 * the hour. */
static void idle_is_forgotten(void)
{
	for (unsigned words = 1; words <= 2; words++) {
		struct lz_limit l = window_of(40, 2 * S, words);
		__u64 now = 777 * S;
		unsigned refused = 0;

		for (__u64 idle = 8; idle < 70000 * words; idle += 1 + idle / 64) {
			__u64 state[2] = { 0 }, later = now + idle * l.slot_ns;

			while (charge(state, &l, now))
				;
			refused += !charge(state, &l, later) &&
				   !charge(state, &l, later + 4 * window_ns(&l));
		}
		T_EQ(refused, 0, "an old count never refuses for longer than four windows");
	}
}

static void next_cpus_clock(void)
{
	struct lz_limit l = window_of(5, 10 * S, 1);
	__u64 state[2] = { 0 }, boundary = 1000 * l.slot_ns;

	for (int i = 0; i < 3; i++)
		T_OK(charge(state, &l, boundary), "admitted by the clock that ticked");
	for (int i = 0; i < 2; i++)
		T_OK(charge(state, &l, boundary - 1), "admitted by the clock that did not");
	T_OK(!charge(state, &l, boundary - 1), "and both count together");
	T_OK(!charge(state, &l, boundary), "either way");
}

/* Counts of the future are as of now, up to a window ahead; further ahead they are long gone. */
static void counts_of_the_future(void)
{
	struct lz_limit l = window_of(5, 10 * S, 1);

	for (unsigned ahead = 1; ahead <= l.counters + 2u; ahead++) {
		__u64 state[2] = { 0 }, now = 1000 * l.slot_ns;

		while (charge(state, &l, now + ahead * l.slot_ns))
			;
		T_EQ(charge(state, &l, now), ahead > l.counters, "slots ahead, refused");
	}
}

/* ---------------------------------------------------------------- another cpu between two steps */

static struct lz_limit raced;
static __u64 raced_state[2], raced_now, raced_beside;

static void takes_one(void)
{
	charge(raced_state, &raced, raced_now);
}

static void takes_one_beside(void)
{
	charge(raced_state, &raced, raced_beside);
}

static void takes_two_beside(void)
{
	takes_one_beside();
	takes_one_beside();
}

static void race_begins(unsigned words, __u64 slot, __u64 slot_beside)
{
	raced = window_of(5, 10 * S, words);
	raced_state[0] = raced_state[1] = 0;
	raced_now = slot * raced.slot_ns;
	raced_beside = slot_beside * raced.slot_ns;
}

static void word_taken_meanwhile(void)
{
	__u32 value = 0;

	for (unsigned words = 1; words <= 2; words++) {
		race_begins(words, 1000, 1000);
		before_swap = takes_one;
		T_EQ(lz_window_charge(raced_state, &raced, raced_now, 0, &value), LZ_CHARGE_LOST, "ask again");
		T_EQ(lz_window_value(raced_state, &raced, raced_now), 1, "the other's alone is counted");
	}
}

/* The other CPU is a slot ahead or behind, so it writes the other word: before ours is written, or after, when
 * it sees ours. */
static void word_beside_taken_meanwhile(void)
{
	static const struct {
		const char *name;
		unsigned first; /* units that are there */
		void (*turn)(void);
		enum lz_charge if_before;
	} rows[] = {
		{ "room for both", 3, takes_one_beside, LZ_CHARGE_OK },
		{ "room for one", 4, takes_one_beside, LZ_CHARGE_OVER },
		{ "room for two of three", 3, takes_two_beside, LZ_CHARGE_OVER },
		{ "room for three", 2, takes_two_beside, LZ_CHARGE_OK },
	};

	for (unsigned i = 0; i < 8 * sizeof(rows) / sizeof(*rows); i++) {
		unsigned row = i / 8, slot = 1000 + i % 2;
		bool before = i & 2;
		__u32 value = 0;

		race_begins(2, slot, i & 4 ? slot - 1 : slot + 1);
		for (unsigned k = 0; k < rows[row].first; k++)
			T_OK(charge(raced_state, &raced, raced_now), "there is room");
		*(before ? &before_swap : &after_swap) = rows[row].turn;
		T_EQ(lz_window_charge(raced_state, &raced, raced_now, 0, &value),
		     before ? rows[row].if_before : LZ_CHARGE_OK, rows[row].name);
		T_OK(value == (before && rows[row].if_before ? 5 : 0), "what the window holds, if refused");
	}
}

/* What the other word holds in its oldest slot is still in the window. */
static void old_counts_beside(void)
{
	__u32 value = 0;

	race_begins(2, 1000, 999);
	for (int i = 0; i < 3; i++)
		T_OK(charge(raced_state, &raced, (1000 - 13) * raced.slot_ns), "thirteen slots ago");
	before_swap = takes_two_beside;
	T_EQ(lz_window_charge(raced_state, &raced, raced_now, 0, &value), LZ_CHARGE_OVER, "and two meanwhile");
}

static void other_stamp_is_empty(void)
{
	struct lz_limit l = window_of(5, 10 * S, 2);
	__u64 state[2] = { 0 };

	while (charge(state, &l, 100 * S))
		;
	l.stamp = 6;
	T_OK(charge(state, &l, 100 * S), "a changed limit starts empty");
}

static struct lz_limit bucket_of(__u64 slot, __u32 burst)
{
	return (struct lz_limit){ .kind = LZ_LIMIT_BUCKET, .slot_ns = slot, .n = burst, .stamp = 3,
				  .burst_ns = (burst - 1) * slot };
}

static const struct {
	__u64 slot;
	__u32 burst;
} buckets[] = {
	{ S / 100, 200 }, { S / 10, 1 }, { 1, 1 }, { 3, 7 }, { 60 * S, 10 }, { 86400 * S, 1000 },
	{ S / 1000000, 4000000 },
};

static void bucket_is_exact(void)
{
	for (size_t i = 0; i < sizeof(buckets) / sizeof(*buckets); i++) {
		struct lz_limit l = bucket_of(buckets[i].slot, buckets[i].burst);
		unsigned __int128 full = (unsigned __int128)l.slot_ns * l.n, tokens = full;
		__u64 state = 0, now = 5 * S, wrong = 0;

		for (int j = 0; j < ARRIVALS && now < 1ull << 59; j++) {
			__u64 gap = random64() % 16 ? random64() % (l.slot_ns * 2) :
						      random64() % (l.slot_ns * l.n * 2);
			bool want;
			__u32 value = 0;

			now += gap;
			tokens = tokens + gap > full ? full : tokens + gap;
			want = tokens >= l.slot_ns;
			wrong += lz_bucket_value(&state, &l, now) != (full - tokens + l.slot_ns - 1) / l.slot_ns;
			if (want)
				tokens -= l.slot_ns;
			wrong += want != (lz_bucket_charge(&state, &l, now, 0, &value) == LZ_CHARGE_OK);
			wrong += lz_bucket_value(&state, &l, now) != (full - tokens + l.slot_ns - 1) / l.slot_ns;
			wrong += !want && value != l.n;
		}
		T_EQ(wrong, 0, "every decision equals the exact token count");
	}
}

static void bucket_edges(void)
{
	struct lz_limit l = bucket_of(S, 10), smaller = bucket_of(S, 2);
	__u64 state = 0, now = 1ull << 59;
	__u32 value = 0, n = 0;

	while (lz_bucket_charge(&state, &l, now, 0, &value) == LZ_CHARGE_OK)
		n++;
	T_EQ(n, 10, "burst after 18 years of uptime");
	n = 0;
	while (n < 100 && lz_bucket_charge(&state, &smaller, now + 3 * S, 0, &value))
		now += S / 4, n++;
	T_EQ(n, 4, "a word of a larger burst is clamped to the new rule's horizon: one token later it is free");
	l.stamp = 4;
	T_EQ(lz_bucket_value(&state, &l, now), 0, "another stamp has no token in use");
	T_EQ(lz_bucket_charge(&state, &l, now, 0, &value), LZ_CHARGE_OK, "another stamp is empty");
	T_EQ(lz_bucket_value(&state, &l, now), 1, "one token in use");
}

static void takes_a_token(void)
{
	__u32 value;

	lz_bucket_charge(raced_state, &raced, raced_now, 0, &value);
}

static void bucket_taken_meanwhile(void)
{
	__u32 value = 0;

	raced = bucket_of(S, 3);
	raced_state[0] = 0;
	raced_now = 100 * S;
	before_swap = takes_a_token;
	T_EQ(lz_bucket_charge(raced_state, &raced, raced_now, 0, &value), LZ_CHARGE_LOST, "ask again");
	T_EQ(lz_bucket_value(raced_state, &raced, raced_now), 1, "the other's alone is counted");
}

static __u64 raced_dests[4];

static void notes_beside(void)
{
	lz_dests_note(raced_dests, 8, 1ull << 28);
}

static void dests_taken_meanwhile(void)
{
	before_swap = notes_beside;
	T_EQ(lz_dests_note(raced_dests, 8, 2ull << 28), 0, "not noted");
	T_EQ(lz_dests_estimate(raced_dests, 8), 1, "the other's alone");
}

static const struct t_case cases[] = {
	{ "window: never more than N in any window", never_more_than_n },
	{ "window: exactly N, room back between W and W + W/k", exactly_n_then_none },
	{ "window: an idle source's old counts are forgotten", idle_is_forgotten },
	{ "window: two cpus at a slot boundary", next_cpus_clock },
	{ "window: counts of the future", counts_of_the_future },
	{ "window: its word taken meanwhile", word_taken_meanwhile },
	{ "window: the word beside taken meanwhile", word_beside_taken_meanwhile },
	{ "window: old counts beside", old_counts_beside },
	{ "window: a word with another stamp is empty", other_stamp_is_empty },
	{ "bucket: equal to exact arithmetic", bucket_is_exact },
	{ "bucket: long uptime, smaller burst, other stamp", bucket_edges },
	{ "bucket: its word taken meanwhile", bucket_taken_meanwhile },
	{ "destinations: its word taken meanwhile", dests_taken_meanwhile },
};

int main(void)
{
	return T_MAIN(cases);
}
