/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_limit.c - the arithmetic of limits against plain lists of timestamps and exact fractions.
 *
 * The data plane's own header, compiled natively. Windows: never more than N in any window of any
 * arrivals, and room comes back in the stated time. Bucket: every decision equals a token count
 * kept in 128 bits. Destinations: each table entry by the formula, the error measured.
 */
#include <math.h>

#include "bpf/limit.h"
#include "lib/t.h"

#define S 1000000000ull
#define ARRIVALS 20000

static __u64 random_state = 0x243f6a8885a308d3ull;

static __u64 random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
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

static bool charge(__u64 *state, const struct lz_limit *l, __u64 now_ns)
{
	__u32 value;

	return lz_window_charge(state, l, now_ns, &value) == LZ_CHARGE_OK;
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
		__u64 state[2] = { 0 }, now = 12345 * S + random64() % (300 * S);
		__u64 slots = l.words * l.counters - 1u, back;
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
			if (want)
				tokens -= l.slot_ns;
			wrong += want != (lz_bucket_charge(&state, &l, now, &value) == LZ_CHARGE_OK);
			wrong += lz_bucket_value(&state, &l, now) > l.n;
		}
		T_EQ(wrong, 0, "every decision equals the exact token count");
	}
}

static void bucket_edges(void)
{
	struct lz_limit l = bucket_of(S, 10), smaller = bucket_of(S, 2);
	__u64 state = 0, now = 1ull << 59;
	__u32 value = 0, n = 0;

	while (lz_bucket_charge(&state, &l, now, &value) == LZ_CHARGE_OK)
		n++;
	T_EQ(n, 10, "burst after 18 years of uptime");
	n = 0;
	while (n < 100 && lz_bucket_charge(&state, &smaller, now + 3 * S, &value))
		now += S / 4, n++;
	T_OK(n <= 4 * 2, "a word of a larger burst is clamped to the new rule's horizon");
	l.stamp = 4;
	T_EQ(lz_bucket_charge(&state, &l, now, &value), LZ_CHARGE_OK, "another stamp is empty");
	T_EQ(lz_bucket_value(&state, &l, now), 1, "one token in use");
}

static void table_by_formula(void)
{
	for (int zeros = 1; zeros <= 2 * LZ_DESTS_BITS; zeros++)
		T_EQ(lz_dests_table[zeros],
		     lround(-2.0 * LZ_DESTS_BITS * log(zeros / (2.0 * LZ_DESTS_BITS))),
		     "an entry of dests_table.h");
	T_OK(lz_dests_table[0] > lz_dests_table[1], "saturated is more than any estimate");
}

/* Estimate n random destinations; error bounds stand in limit.h. */
static void dests_error(void)
{
	static const struct {
		unsigned n;
		double sd_max, bias_max;
	} rows[] = { { 10, 1.3, 0.5 }, { 30, 2.5, 0.7 }, { 100, 9, 2 }, { 200, 23, 6 } };
	const int trials = 4000;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double sum = 0, squares = 0, mean, sd;

		for (int t = 0; t < trials; t++) {
			__u64 dests[4] = { 0 };
			__u32 estimate;

			for (unsigned j = 0; j < rows[i].n; j++)
				lz_dests_note(dests, 77, random64());
			estimate = lz_dests_estimate(dests, 77);
			sum += estimate;
			squares += (double)estimate * estimate;
		}
		mean = sum / trials;
		sd = sqrt(squares / trials - mean * mean);
		printf("# %u destinations: mean %.1f, standard error %.1f\n", rows[i].n, mean, sd);
		T_OK(fabs(mean - rows[i].n) < rows[i].bias_max, "no bias");
		T_OK(sd < rows[i].sd_max, "standard error as stated");
	}
}

static void over_thirty(void)
{
	unsigned outside = 0, lowest = ~0u, highest = 0;
	const unsigned trials = 4000;

	for (unsigned t = 0; t < trials; t++) {
		__u64 dests[4] = { 0 };
		unsigned n = 0;

		while (lz_dests_estimate(dests, 5) <= 30 && n < 104) {
			lz_dests_note(dests, 5, random64());
			n++;
		}
		outside += n < 26 || n > 40;
		lowest = n < lowest ? n : lowest;
		highest = n > highest ? n : highest;
	}
	printf("# \"over 30\" fired at %u..%u, outside 26..40: %u of %u\n", lowest, highest, outside,
	       trials);
	T_OK(outside <= trials / 100, "over 30 fires between 26 and 40");
}

static void dests_look_back(void)
{
	__u64 dests[4] = { 0 }, one = random64();
	__u32 four;

	for (int i = 0; i < 4; i++)
		lz_dests_note(dests, 9, (__u64)i << 30);
	four = lz_dests_estimate(dests, 9);
	T_EQ(four, 4, "four destinations");
	for (int i = 0; i < 100; i++)
		lz_dests_note(dests, 9, 1ull << 30);
	T_EQ(lz_dests_estimate(dests, 9), four, "the same one again counts once");
	T_EQ(lz_dests_estimate(dests, 10), four, "still seen from the next slot");
	lz_dests_note(dests, 10, 1ull << 30);
	T_EQ(lz_dests_estimate(dests, 10), four, "counted once over both");
	T_EQ(lz_dests_estimate(dests, 11), 1, "forgotten after two");
	lz_dests_note(dests, 11, one);
	T_EQ(lz_dests_estimate(dests, 12), 1, "an old bank is empty when it is reused");
	T_EQ(lz_dests_estimate(dests, 13), 0, "nothing");
}

/* Of what follows one another, one in 255 is taken for what was before; another in each slot. */
static void marks(void)
{
	unsigned alike = 0, again = 0, n = 200000;
	__u64 a, b, slot;

	for (unsigned i = 0; i < n; i++) {
		a = random64();
		b = random64();
		slot = i;
		T_OK(lz_dest_mark(a, slot) != 0, "0 is none");
		if (lz_dest_mark(a, slot) != lz_dest_mark(b, slot))
			continue;
		alike++;
		again += lz_dest_mark(a, slot + 1) == lz_dest_mark(b, slot + 1);
	}
	T_OK(alike > n / 255 / 2 && alike < n / 255 * 2, "one in 255");
	T_OK(again < alike / 20, "not the same two in the next slot");
	for (unsigned i = again = 0; i < 1000; i++) {
		a = random64();
		again += lz_dest_mark(a, i) == lz_dest_mark(a, i + 1);
	}
	T_OK(again < 30, "in the next slot a destination is noted anew");
}

static const struct t_case cases[] = {
	{ "window: never more than N in any window", never_more_than_n },
	{ "window: exactly N, room back between W and W + W/k", exactly_n_then_none },
	{ "window: an idle source's old counts are forgotten", idle_is_forgotten },
	{ "window: two cpus at a slot boundary", next_cpus_clock },
	{ "window: a word with another stamp is empty", other_stamp_is_empty },
	{ "bucket: equal to exact arithmetic", bucket_is_exact },
	{ "bucket: long uptime, smaller burst, other stamp", bucket_edges },
	{ "destinations: the table by its formula", table_by_formula },
	{ "destinations: error of the estimate", dests_error },
	{ "destinations: \"over 30\"", over_thirty },
	{ "destinations: this slot and the one before", dests_look_back },
	{ "destinations: the mark of the last", marks },
};

int main(void)
{
	return T_MAIN(cases);
}
