/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * held.h - the bits that say "maybe held": where a key's bit lies, for the data plane and the controller.
 *
 * The includer provides LZ_SEARCH_IN, LZ_SEARCH_TABLES and LZ_SEARCH_LOOP, as for search.h, and
 *   static struct lz_held_line *lz_search_held(__u32 line);   NULL only beyond the map
 *
 * 32,768 neighbours share a page of bits (cells.h, lz_held_line). A page belongs to the prefix whose key
 * was marked in it first: by an owner, 32 bits of the prefix's hash, in lz_tables. A prefix looks for its
 * owner from the page that its hash says, LZ_HELD_PROBES pages on; if it meets one without owner before its
 * own, nobody of that prefix is held. If all are others', it shares the first: free sources of it may then be
 * looked up for nothing, and nobody held is ever missed. With a quarter of the pages owned that is one prefix
 * without a hold in a hundred, with half of them one in nine.
 *
 * Before pages had owners, a prefix shared its page with whatever fell on it: with 600,000 neighbours held,
 * 13 % of a million others were looked up for nothing, 30 ns of row a (make bench).
 *
 * Concurrency: owners are set by compare-and-swap, by any number of CPUs and the controller, and never
 * changed or taken back but in the copy that no packet reads (ctl/datapath/heldbits.c).
 */
#ifndef LZ_LAZARET_HELD_H
#define LZ_LAZARET_HELD_H

#include <lazaret/table.h>

#define LZ_HELD_PROBES	    4
#define LZ_HELD_NOBODY	    (~0u) /* no page: nobody of this prefix is held */

/* A key's bit within its word. */
static __always_inline __u64 lz_held_bit(__u64 key)
{
	return 1ULL << (key >> lz_key_shift(key, LZ_SEARCH_IN) & 63);
}

/* Do two keys' bits lie in one word? */
static __always_inline int lz_held_beside(__u64 a, __u64 b)
{
	return (a ^ b) >> lz_key_shift(a, LZ_SEARCH_IN) >> 6 == 0;
}

/* Where the key's word lies in its page: line, and word in it. */
static __always_inline __u32 lz_held_word(__u64 key)
{
	return (__u32)(key >> lz_key_shift(key, LZ_SEARCH_IN)) >> 6 &
	       (LZ_HELD_PAGE_LINES * LZ_HELD_LINE_WORDS - 1);
}

static __always_inline __u64 lz_held_hash(__u64 key)
{
	__u32 shift = lz_key_shift(key, LZ_SEARCH_IN) + LZ_HELD_PAGE_BITS;

	return lz_hash(key >> (shift & 63), LZ_SEARCH_IN->seed);
}

/**
 * lz_held_page() - the page with the bits of a key's prefix
 * @copy: 0 or 1
 * @take: 1: it shall have one, 0: or LZ_HELD_NOBODY
 */
static __always_inline __u32 lz_held_page(__u64 key, __u32 copy, int take)
{
	__u64 hash = lz_held_hash(key);
	__u32 pages = LZ_SEARCH_IN->held_lines / LZ_HELD_PAGE_LINES, mine = (__u32)(hash >> 32) | 1;
	__u32 first = lz_scale((__u32)hash, pages), page = first;

	LZ_SEARCH_LOOP
	for (int i = 0; i < LZ_HELD_PROBES; i++) {
		__u32 *at = &LZ_SEARCH_TABLES->held_owner[copy & 1][page & (LZ_HELD_PAGES_MAX - 1)];
		__u32 owner = *(volatile __u32 *)at;

		if (!owner && !take)
			return LZ_HELD_NOBODY;
		if (!owner)
			owner = __sync_val_compare_and_swap(at, 0, mine) ?: mine;
		if (owner == mine)
			return page;
		page = page + 1 < pages ? page + 1 : 0;
	}
	return first;
}

/* The word of a key's bit in its page, or NULL. */
static __always_inline __u64 *lz_held_at(__u64 key, __u32 page, __u32 copy)
{
	__u32 lines = LZ_SEARCH_IN->held_lines, word = lz_held_word(key);
	__u32 line_n = copy * lines + page * LZ_HELD_PAGE_LINES + word / LZ_HELD_LINE_WORDS;
	struct lz_held_line *line = page == LZ_HELD_NOBODY ? 0 : lz_search_held(line_n);

	return line ? &line->word[word & (LZ_HELD_LINE_WORDS - 1)] : 0;
}

/* Is the bit of this key set in a copy? */
static __always_inline int lz_held_asked(__u64 key, __u32 copy)
{
	__u64 *at = lz_held_at(key, lz_held_page(key, copy, 0), copy);

	return at && (*(volatile __u64 *)at & lz_held_bit(key));
}

/* Set @bits of the word that the key's bit lies in, in one copy. */
static __always_inline void lz_held_set_in(__u64 key, __u64 bits, __u32 copy)
{
	__u64 *at = lz_held_at(key, lz_held_page(key, copy, 1), copy);

	if (at && (bits & ~*(volatile __u64 *)at))
		__sync_fetch_and_or(at, bits);
}

/* And in both: the last steps of a hold. */
static __always_inline void lz_held_set(__u64 key, __u64 bits)
{
	LZ_SEARCH_LOOP
	for (__u32 copy = 0; copy < 2; copy++)
		lz_held_set_in(key, bits, copy);
}

#endif /* LZ_LAZARET_HELD_H */
