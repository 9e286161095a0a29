/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_dests.c - the estimate of distinct destinations: each table entry by the formula, the error measured.
 */
#include <math.h>

#include "bpf/limit.h"
#include "lib/random.h"
#include "lib/t.h"

static __u64 random_state = 0x243f6a8885a308d3ull;

static __u64 random64(void)
{
	return t_random(&random_state);
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

/* A hash that sets the bit. */
static __u64 hash_of_bit(unsigned bit)
{
	return ((__u64)bit << 32) / (2 * LZ_DESTS_BITS) + 1;
}

static void dests_each_bit(void)
{
	for (__u64 slot = 8; slot < 10; slot++) {
		__u64 dests[4] = { 0 };

		for (unsigned bit = 0; bit < 2 * LZ_DESTS_BITS; bit++) {
			T_EQ(lz_dests_note(dests, slot, hash_of_bit(bit)), 1, "noted");
			T_EQ(lz_dests_note(dests, slot, hash_of_bit(bit)), 1, "stands there");
			T_EQ(lz_dests_estimate(dests, slot), lz_dests_table[2 * LZ_DESTS_BITS - 1 - bit],
			     "each bit is one more");
		}
	}
}

static void look_back_from(__u64 slot)
{
	__u64 dests[4] = { 0 }, one = random64();
	__u32 four;

	for (int i = 0; i < 4; i++)
		lz_dests_note(dests, slot, (__u64)i << 30);
	four = lz_dests_estimate(dests, slot);
	T_EQ(four, 4, "four destinations");
	for (int i = 0; i < 100; i++)
		lz_dests_note(dests, slot, 1ull << 30);
	T_EQ(lz_dests_estimate(dests, slot), four, "the same one again counts once");
	T_EQ(lz_dests_estimate(dests, slot + 1), four, "still seen from the next slot");
	lz_dests_note(dests, slot + 1, 1ull << 30);
	T_EQ(lz_dests_estimate(dests, slot + 1), four, "counted once over both");
	T_EQ(lz_dests_estimate(dests, slot + 2), 1, "forgotten after two");
	lz_dests_note(dests, slot + 2, one);
	T_EQ(lz_dests_estimate(dests, slot + 3), 1, "an old bank is empty when it is reused");
	T_EQ(lz_dests_estimate(dests, slot + 4), 0, "nothing");
}

/* A word keeps twelve bits of its slot. */
static void dests_look_back(void)
{
	look_back_from(9);
	look_back_from(2048 - 1);
	look_back_from(4096 - 2);
	look_back_from((1ull << 33) - 1);
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
	{ "the table by its formula", table_by_formula },
	{ "error of the estimate", dests_error },
	{ "\"over 30\"", over_thirty },
	{ "each bit", dests_each_bit },
	{ "this slot and the one before", dests_look_back },
	{ "the mark of the last", marks },
};

int main(void)
{
	return T_MAIN(cases);
}
