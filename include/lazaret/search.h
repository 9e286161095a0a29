/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * search.h - find a key's cell, or make one: one search for the data plane and the controller.
 *
 * The includer provides, before including:
 *   static struct lz_tag_line *lz_search_line(__u32 line);   NULL only beyond the table
 *   static struct lz_cell *lz_search_cell(__u32 slot);
 *   LZ_SEARCH_LOOP  what stands before a loop (BPF: do not unroll, the stack is small)
 *   LZ_SEARCH_FN    linkage of lz_search_take(): a function the BPF verifier walks once
 *
 * Concurrency: any number of CPUs and the controller may create at once. A tag is set first, by
 * compare-and-swap of its word; then the slot belongs to whoever swaps the cell's key from 0. Two
 * creators of one key meet in the first word with room, because words only ever fill up: the loser
 * of the tag re-reads the word, finds the winner's tag and joins his cell. Nobody waits for anybody.
 *
 * Reuse of a slot is the controller's alone (ctl/datapath/sweep.c): the tag becomes DYING, which
 * matches nobody and is not free; a membarrier lets every running program finish; then the cell is
 * cleared, its key last; then the tag becomes RECLAIMED. A
 * creator that began before and one that began after may then make two cells for one key; a search
 * always meets the same one first, the other is an orphan that the sweep takes back. What it can
 * cost is the count of the packets in flight at that instant.
 */
#ifndef LZ_LAZARET_SEARCH_H
#define LZ_LAZARET_SEARCH_H

#include <lazaret/table.h>

#define LZ_SEARCH_MADE	  0x40000000 /* flag on a slot: it is new (a table has fewer slots) */
#define LZ_SEARCH_NONE	  -1 /* no such key */
#define LZ_SEARCH_FULL	  -2 /* every line the key may live in is full */
#define LZ_SEARCH_RETRIES 4  /* of one tag word; then the next word is as good */

struct lz_search {
	__u64 stored; /* complement of the key */
	__u32 tag;
	__u32 create; /* join a cell that is being claimed under our tag */
};

/* Try every slot of one word that carries our tag. Returns the slot, or LZ_SEARCH_NONE. */
static __always_inline int lz_search_word(const struct lz_search *s, __u64 word, __u32 base)
{
	__u64 match = lz_tag_match(word, s->tag);

	LZ_SEARCH_LOOP
	for (int i = 0; i < 8 && match; i++, match &= match - 1) {
		__u32 slot = base + lz_first_byte(match);
		struct lz_cell *cell = lz_search_cell(slot);
		__u64 key;

		if (!cell)
			break;
		key = *(volatile __u64 *)&cell->key;
		if (key == 0 && s->create) {
			key = __sync_val_compare_and_swap(&cell->key, 0, s->stored);
			if (key == 0)
				return slot;
		}
		if (key == s->stored)
			return slot;
	}
	return LZ_SEARCH_NONE;
}

/**
 * lz_search_find() - the slot of a key
 * @key:   any key of abi.h's key space
 * @hash:  lz_hash(key, seed)
 * @lines: lines of the tag table
 *
 * Return: slot number, or LZ_SEARCH_NONE. Lock-free; a key that is being claimed at this instant
 *         may or may not be found.
 */
static __always_inline int lz_search_find(__u64 key, __u64 hash, __u32 lines)
{
	struct lz_search s = { .stored = ~key, .tag = lz_tag_of(hash) };
	__u32 home = lz_home_of(hash);

	LZ_SEARCH_LOOP
	for (__u32 n = 0; n < LZ_CELL_CHOICES; n++) {
		__u32 line = lz_line_of(hash, n, lines);
		struct lz_tag_line *tags = lz_search_line(line);

		if (!tags)
			return LZ_SEARCH_NONE;
		LZ_SEARCH_LOOP
		for (__u32 i = 0; i < LZ_TAG_LINE_WORDS; i++) {
			__u32 w = (home + i) & (LZ_TAG_LINE_WORDS - 1);
			__u64 word = *(volatile __u64 *)&tags->word[w];
			int slot = lz_search_word(&s, word, line * LZ_TAG_LINE_SLOTS + w * 8);

			if (slot >= 0)
				return slot;
			if (!(word >> 56))
				return LZ_SEARCH_NONE;
		}
	}
	return LZ_SEARCH_NONE;
}

/**
 * lz_search_take() - search word w of a line and, if need be, take its first free or reclaimed slot
 *
 * Return: slot, with LZ_SEARCH_MADE if a tag was set for it; or LZ_SEARCH_FULL: try the next word.
 */
LZ_SEARCH_FN int lz_search_take(__u64 stored, __u32 tag, __u32 line, __u32 w)
{
	struct lz_search s = { .stored = stored, .tag = tag, .create = 1 };
	struct lz_tag_line *tags = lz_search_line(line);
	__u32 base = line * LZ_TAG_LINE_SLOTS + (w & (LZ_TAG_LINE_WORDS - 1)) * 8;
	__u64 *at;

	if (!tags)
		return LZ_SEARCH_FULL;
	at = &tags->word[w & (LZ_TAG_LINE_WORDS - 1)];
	LZ_SEARCH_LOOP
	for (int i = 0; i < LZ_SEARCH_RETRIES; i++) {
		__u64 word = *(volatile __u64 *)at;
		int slot = lz_search_word(&s, word, base);
		__u64 room, mine;
		struct lz_cell *cell;
		__u32 n;

		if (slot >= 0)
			return slot;
		room = lz_zero_bytes(word & ~LZ_BYTES_01); /* FREE or RECLAIMED */
		if (!room)
			return LZ_SEARCH_FULL;
		n = lz_first_byte(room);
		mine = (word & ~(0xffULL << (8 * n))) | ((__u64)tag << (8 * n));
		if (__sync_val_compare_and_swap(at, word, mine) != word)
			continue;
		cell = lz_search_cell(base + n);
		if (cell && __sync_val_compare_and_swap(&cell->key, 0, stored) == 0)
			return (base + n) | LZ_SEARCH_MADE;
	}
	return LZ_SEARCH_FULL;
}

/**
 * lz_search_create() - the slot of a key, made if need be
 *
 * As lz_search_find(), which the caller has asked first: a reclaimed slot may lie before the key's
 * own. Return: slot number, with LZ_SEARCH_MADE if it is new, or LZ_SEARCH_FULL.
 */
static __always_inline int lz_search_create(__u64 key, __u64 hash, __u32 lines)
{
	__u32 home = lz_home_of(hash);

	LZ_SEARCH_LOOP
	for (__u32 n = 0; n < LZ_CELL_CHOICES * LZ_TAG_LINE_WORDS; n++) {
		int slot = lz_search_take(~key, lz_tag_of(hash),
					  lz_line_of(hash, n / LZ_TAG_LINE_WORDS, lines), home + n);

		if (slot >= 0)
			return slot;
	}
	return LZ_SEARCH_FULL;
}

#endif /* LZ_LAZARET_SEARCH_H */
