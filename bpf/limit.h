/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * limit.h - windows, token buckets and the distinct-destination estimate: arithmetic on cell words.
 *
 * One word is changed by one compare-and-swap, so two CPUs never admit the same unit twice. Word
 * layouts stand in abi.h at struct lz_limit. Nothing here touches a map: the property tests
 * (selftests/unit/t_limit.c) run it natively against a list of timestamps.
 */
#ifndef LZ_BPF_LIMIT_H
#define LZ_BPF_LIMIT_H

#include "parse.h"

/* Tries of one compare-and-swap. Whoever loses has seen another win, but nothing says that turns are
 * fair: of two CPUs that hammer one word, one loses eight times in a row in 1 of 10^5 (make bench, row
 * f). Each try makes that about four times rarer: sixty-four are never used up. */
#define LZ_CAS_TRIES 64

#define LZ_COUNTS_BITS 44
#define LZ_COUNTS_MASK ((1ULL << LZ_COUNTS_BITS) - 1)
#define LZ_EPOCH_MASK  0xffffULL
#define LZ_COUNTERS_MAX 7 /* of 6 bits, the fewest, in a word */

enum lz_charge {
	LZ_CHARGE_OK,
	LZ_CHARGE_OVER,
	LZ_CHARGE_LOST, /* another CPU changed the word: ask again; in the end refuse, never admit */
};

static __always_inline __u64 lz_word_read(const __u64 *at)
{
	return *(const volatile __u64 *)at;
}

/* A one at every multiple of `bits`, as far as whole fields go. */
#define LZ_ONES(bits) ((~0ULL >> (64 - (bits) * (64 / (bits)))) / ((1ULL << (bits)) - 1))
static const volatile __u64 lz_ones[32] = {
	[6] = LZ_ONES(6),   [7] = LZ_ONES(7),	[8] = LZ_ONES(8),   [9] = LZ_ONES(9),
	[10] = LZ_ONES(10), [11] = LZ_ONES(11), [12] = LZ_ONES(12), [13] = LZ_ONES(13),
	[14] = LZ_ONES(14), [15] = LZ_ONES(15), [16] = LZ_ONES(16), [17] = LZ_ONES(17),
	[18] = LZ_ONES(18), [19] = LZ_ONES(19), [20] = LZ_ONES(20), [21] = LZ_ONES(21),
	[22] = LZ_ONES(22),
};

/* How the counters of a window lie in its words. */
struct lz_window {
	__u64 ones;    /* at the lowest bit of each */
	__u64 places;  /* all bits of all */
	__u64 stamp;
	__u32 bits;    /* of one */
	__u32 counters;
	__u32 oldest;  /* lowest bit of the oldest */
};

static __always_inline void lz_window_of(const struct lz_limit *l, struct lz_window *ret)
{
	ret->bits = l->bits & 31; /* a mask: Linux 6.1 loses sight of a comparison */
	ret->counters = l->counters;
	ret->oldest = ret->bits * (ret->counters - 1u) & 63;
	ret->ones = lz_ones[ret->bits];
	ret->places = (1ULL << ((ret->oldest + ret->bits) & 63)) - 1;
	ret->stamp = l->stamp;
}

/* A window word as it reads in `epoch`: older counters shifted up and out. */
static __always_inline __u64 lz_window_at(__u64 word, const struct lz_window *w, __u64 epoch)
{
	__u64 age, counts;

	if (word >> 60 != w->stamp)
		return 0;
	age = (epoch - (word >> LZ_COUNTS_BITS)) & LZ_EPOCH_MASK;
	counts = word & LZ_COUNTS_MASK;
	/* A word of the future: another CPU's clock ticked first, or that CPU was stopped between
	 * its clock and this word. Its counts are as of now. No further ahead than a window: a
	 * source idle while the 16 bits came round must not be refused by counts of long ago. */
	if (age > LZ_EPOCH_MASK - w->counters)
		return counts;
	if (age >= w->counters)
		return 0;
	return (counts << (age * w->bits)) & w->places;
}

/* The sum of all fields, by one multiplication: field i goes to places i, i+1, ... and what arrives at
 * the place of the oldest is every field once. Nothing carries on the way: a word never holds more
 * than N, which is what a field is made for. */
static __always_inline __u32 lz_window_sum(__u64 counts, const struct lz_window *w)
{
	return (__u32)(counts * w->ones >> w->oldest) & ((1u << w->bits) - 1);
}

/* Both words of a window as they read in `slot`: what it holds now. */
static __always_inline __u32 lz_window_value(const __u64 *state, const struct lz_limit *l,
					     __u64 now_ns)
{
	__u64 slot = now_ns / l->slot_ns;
	struct lz_window w;

	lz_window_of(l, &w);
	if (l->words != 2)
		return lz_window_sum(lz_window_at(lz_word_read(state), &w, slot), &w);
	return lz_window_sum(lz_window_at(lz_word_read(state), &w, slot >> 1), &w) +
	       lz_window_sum(lz_window_at(lz_word_read(state + 1), &w, (slot - 1) >> 1), &w);
}

/* Tokens in use now. */
static __always_inline __u32 lz_bucket_value(const __u64 *state, const struct lz_limit *l,
					     __u64 now_ns)
{
	__u64 old = lz_word_read(state), tat = old & ~(15ULL << 60);

	if (old >> 60 != l->stamp || tat <= now_ns)
		return 0;
	return (tat - now_ns + l->slot_ns - 1) / l->slot_ns;
}

/**
 * lz_window_charge() - admit one unit to an "at most N in any window" limit
 * @state:     the limit's one or two state words
 * @now_ns:    monotonic
 * @slack:     so many more than the limit says
 * @ret_value: if refused: what the window holds
 *
 * With two words the even slots live in the first and the odd slots in the second. Only the word of
 * the running slot is written; the other is read before and, for a second CPU that is one slot
 * ahead or behind at this instant, again after: whoever sees the sum above N refuses. So N is never
 * exceeded; at a slot boundary a unit may be refused that would have fitted.
 */
static __always_inline enum lz_charge lz_window_charge(__u64 *state, const struct lz_limit *l,
						       __u64 now_ns, __u32 slack, __u32 *ret_value)
{
	__u32 n = l->n + slack;
	__u64 slot = now_ns / l->slot_ns, two = l->words >> 1 & 1, odd = slot & two;
	__u64 epoch = slot >> two, other_epoch = epoch - (odd ^ 1);
	__u64 *own = state + odd, *other = state + (odd ^ 1);

	__u64 old = lz_word_read(own), beside = two ? lz_word_read(other) : 0, after;
	__u32 own_sum, sum;
	struct lz_window w;
	__u64 counts;

	lz_window_of(l, &w);
	counts = lz_window_at(old, &w, epoch);
	own_sum = lz_window_sum(counts, &w);
	sum = own_sum;
	if (two)
		sum += lz_window_sum(lz_window_at(beside, &w, other_epoch), &w);
	if (sum >= n)
		goto over;
	if (__sync_val_compare_and_swap(own, old, w.stamp << 60 |
					(epoch & LZ_EPOCH_MASK) << LZ_COUNTS_BITS |
					(counts + 1)) != old)
		return LZ_CHARGE_LOST;
	after = two ? lz_word_read(other) : 0;
	if (after == beside)
		return LZ_CHARGE_OK;
	sum = own_sum + lz_window_sum(lz_window_at(after, &w, other_epoch), &w);
	if (sum < n)
		return LZ_CHARGE_OK;
over:
	*ret_value = sum;
	return LZ_CHARGE_OVER;
}

/**
 * lz_bucket_charge() - admit one unit to a token bucket
 * @slack: as above
 *
 * GCRA (ITU-T I.371): the word holds the theoretical arrival time; a unit fits while that lies no
 * more than burst_ns ahead of now. @ret_value: if refused: the tokens in use, which is all of them.
 */
static __always_inline enum lz_charge lz_bucket_charge(__u64 *state, const struct lz_limit *l,
						       __u64 now_ns, __u32 slack, __u32 *ret_value)
{
	__u64 burst_ns = l->burst_ns + slack * l->slot_ns;
	__u64 stamp = (__u64)l->stamp << 60, old = lz_word_read(state);
	__u64 tat = old & ~(15ULL << 60);

	/* Beyond the horizon of this rule only by an older, larger burst: clamp. */
	if ((old ^ stamp) >> 60 || tat < now_ns)
		tat = now_ns;
	if (tat > now_ns + burst_ns + l->slot_ns)
		tat = now_ns + burst_ns + l->slot_ns;
	if (tat - now_ns > burst_ns) {
		/* A clamped word is kept, or it would be clamped anew from each later now. */
		if ((stamp | tat) != old)
			__sync_val_compare_and_swap(state, old, stamp | tat);
		*ret_value = l->n + slack;
		return LZ_CHARGE_OVER;
	}
	tat += l->slot_ns;
	if (__sync_val_compare_and_swap(state, old, stamp | tat) != old)
		return LZ_CHARGE_LOST;
	return LZ_CHARGE_OK;
}

/* ---------------------------------------------------------------- distinct destinations
 *
 * Linear counting (Whang, Vander-Zanden, Taylor 1990) on 104 bits: two words of 52 bits a bank, two
 * banks: the running slot and the one before. A word is bits 52..63 slot, bits 0..51 bitmap, so an
 * old word is known as old without a clock of its own. The estimate looks back between one and two
 * slots; a slot is the limit's window.
 */
#define LZ_DESTS_BITS 52
#define LZ_DESTS_MASK ((1ULL << LZ_DESTS_BITS) - 1)

/* -104 * ln(zeros / 104), rounded, by zeros; index 0 = saturated. Generated by
 * selftests/unit/t_dests.c, which checks each entry. */
static const volatile __u16 lz_dests_table[2 * LZ_DESTS_BITS + 1] = {
#include "dests_table.h"
};

static __always_inline __u64 lz_dests_word(__u64 word, __u64 slot)
{
	return word >> LZ_DESTS_BITS == (slot & 0xfff) ? word & LZ_DESTS_MASK : 0;
}

/* Set bits of 52; BPF has no population count. */
static __always_inline __u32 lz_popcount(__u64 x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (x * LZ_BYTES_01) >> 56;
}

/**
 * lz_dests_note() - remember a destination
 * @dests: the four words of a cell
 * @hash:  of the destination under the instance seed
 *
 * Return: 1 if it stands there; 0: another CPU was at the same word, the next packet to that destination sets it.
 */
static __always_inline int lz_dests_note(__u64 *dests, __u64 slot, __u64 hash)
{
	__u32 bit = lz_scale((__u32)hash, 2 * LZ_DESTS_BITS);
	__u64 *at = dests + 2 * (slot & 1) + (bit >= LZ_DESTS_BITS);
	__u64 old = lz_word_read(at);
	__u64 fresh = lz_dests_word(old, slot) | (slot & 0xfff) << LZ_DESTS_BITS |
		      1ULL << (bit >= LZ_DESTS_BITS ? bit - LZ_DESTS_BITS : bit);

	return old == fresh || __sync_val_compare_and_swap(at, old, fresh) == old;
}

/**
 * lz_dests_estimate() - distinct destinations in this slot and the one before
 *
 * Return: 0..587 (saturated). Standard error at 30: 2.2, at 100: 8.3, at 200: 21 (t_dests.c
 *         measures it); "over 30" fires between 26 and 40 in 99 of 100 cases.
 */
static __always_inline __u32 lz_dests_estimate(const __u64 *dests, __u64 slot)
{
	__u64 lo = lz_dests_word(lz_word_read(dests + 2 * (slot & 1)), slot) |
		   lz_dests_word(lz_word_read(dests + 2 * (~slot & 1)), slot - 1);
	__u64 hi = lz_dests_word(lz_word_read(dests + 2 * (slot & 1) + 1), slot) |
		   lz_dests_word(lz_word_read(dests + 2 * (~slot & 1) + 1), slot - 1);
	__u32 zeros = 2 * LZ_DESTS_BITS - lz_popcount(lo) - lz_popcount(hi);

	return lz_dests_table[zeros > 2 * LZ_DESTS_BITS ? 0 : zeros];
}

#endif /* LZ_BPF_LIMIT_H */
