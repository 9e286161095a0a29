/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * search.h - find a key's cell, or make one: one search for the data plane and the controller.
 *
 * The includer provides, before including:
 *   static struct lz_tag_line *lz_search_line(__u32 line);   NULL only beyond the table
 *   static struct lz_cell *lz_search_cell(__u32 slot);
 *   static struct lz_block_line *lz_search_blocks(__u32 line);
 *   LZ_SEARCH_IN      the struct lz_instance *
 *   LZ_SEARCH_TABLES  the struct lz_tables *
 *   LZ_SEARCH_LOOP  what stands before a loop (BPF: do not unroll, the stack is small)
 *   LZ_SEARCH_FN    linkage of what is rare: functions the BPF verifier walks once
 *
 * Concurrency: any number of CPUs and the controller may create at once. A tag is set first, by
 * compare-and-swap of its word; then the slot belongs to whoever swaps the cell's key from 0. Two
 * creators of one key meet in the first word with room, because words only ever fill up: the loser
 * of the tag re-reads the word, finds the winner's tag and joins his cell. Nobody waits for anybody.
 *
 * The block of a neighbourhood is only where its keys would like to live: who makes a cell takes the
 * key's place there if its tag is free, by the same two steps, and goes by the hash otherwise.
 *
 * Reuse of a slot is the controller's alone (ctl/datapath/sweep.c): the hold word and the tag become
 * DYING, which is found by nobody and is not free; a membarrier lets every running program finish; then
 * the cell is cleared, the word last; then the tag becomes RECLAIMED. A creator that began before and one
 * that began after, or one that got a block and one that got none, may make two cells for one key; a
 * search always meets the same one first, the other is an orphan. What it has counted is lost, a hold
 * in it moves to the first with the next pass of the sweep.
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

/* The place of a key in its neighbourhood's block, which may be somebody else's; or LZ_SEARCH_NONE. */
static __always_inline int lz_block_find(__u64 key)
{
	struct lz_block_place p = lz_block_place(key, LZ_SEARCH_IN);
	struct lz_block_line *line = lz_search_blocks(p.line);

	if (!line)
		return LZ_SEARCH_NONE;
	LZ_SEARCH_LOOP
	for (__u32 i = 0; i < LZ_BLOCK_ENTRIES; i++) {
		__u32 e = *(volatile __u32 *)&line->entry[(p.at + i) & (LZ_BLOCK_ENTRIES - 1)];

		if (LZ_BLOCK_TAG(e) == p.tag)
			return LZ_BLOCK_SLOT(LZ_BLOCK_OF(e), &p);
		if (!e)
			break;
	}
	return LZ_SEARCH_NONE;
}

/* Is this cell the key's, and will it be in an instant from now? */
static __always_inline int lz_search_is(const struct lz_cell *cell, __u64 key)
{
	/* The word first: it is the last thing that the sweep clears. */
	return *(const volatile __u64 *)&cell->hold != LZ_HOLD_DYING &&
	       *(const volatile __u64 *)&cell->key == ~key;
}

/* In the n-th line that the key may live in: the slot, LZ_SEARCH_NONE if there is room for it, for it would not
 * have been sent past that; or LZ_SEARCH_FULL: try the next line. */
LZ_SEARCH_FN int lz_search_choice(__u64 key, __u32 n)
{
	__u64 hash = lz_hash(key, LZ_SEARCH_IN->seed);
	struct lz_search s = { .stored = ~key, .tag = lz_tag_of(hash) };
	__u32 home = lz_home_of(hash), line = lz_line_of(hash, n, LZ_SEARCH_IN->tag_lines);
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
	return LZ_SEARCH_FULL;
}

/* By the key's hash, in the lines it may live in: for the few who do not live in a block. */
static __always_inline int lz_search_hashed(__u64 key)
{
	int slot = LZ_SEARCH_FULL;

	LZ_SEARCH_LOOP
	for (__u32 n = 0; n < LZ_CELL_CHOICES && slot == LZ_SEARCH_FULL; n++)
		slot = lz_search_choice(key, n);
	return slot >= 0 ? slot : LZ_SEARCH_NONE;
}

/**
 * lz_search_find() - the slot of a key
 * @key: any key of abi.h's key space
 *
 * Return: slot number, or LZ_SEARCH_NONE. Lock-free; a key that is being claimed at this instant
 *         may or may not be found.
 */
static __always_inline int lz_search_find(__u64 key)
{
	int slot = lz_block_find(key);
	struct lz_cell *cell = slot >= 0 ? lz_search_cell(slot) : 0;

	if (cell && lz_search_is(cell, key))
		return slot;
	return lz_search_hashed(key);
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

/* The entry with a block's bit. */
static __always_inline __u32 *lz_block_bits(__u32 block)
{
	struct lz_block_line *line = lz_search_blocks(lz_block_bit_line(block, LZ_SEARCH_IN));

	return line ? &line->entry[block / 32 & (LZ_BLOCK_ENTRIES - 1)] : 0;
}

/* A block that nobody has yet, or LZ_SEARCH_NONE. */
static __always_inline int lz_block_take(void)
{
	__u32 n = lz_blocks_of(LZ_SEARCH_IN->tag_lines), block, bit, *bits;

	if (!n || LZ_SEARCH_TABLES->blocks_used >= n)
		return LZ_SEARCH_NONE;
	LZ_SEARCH_LOOP
	for (__u32 i = 0; i < LZ_SEARCH_RETRIES; i++) {
		block = __sync_fetch_and_add(&LZ_SEARCH_TABLES->next_block, 1) % n;
		bits = lz_block_bits(block);
		bit = 1u << (block & 31);
		if (!bits)
			break;
		if (__sync_fetch_and_or(bits, bit) & bit)
			continue;
		__sync_fetch_and_add(&LZ_SEARCH_TABLES->blocks_used, 1);
		return block;
	}
	return LZ_SEARCH_NONE;
}

static __always_inline void lz_block_give_back(__u32 block)
{
	__u32 *bits = lz_block_bits(block), bit = 1u << (block & 31);

	if (bits && (__sync_fetch_and_and(bits, ~bit) & bit))
		__sync_fetch_and_add(&LZ_SEARCH_TABLES->blocks_used, -1);
}

/* Where the line has room for one more entry, or LZ_BLOCK_ENTRIES. */
static __always_inline __u32 lz_block_room(const struct lz_block_line *line, __u32 at)
{
	LZ_SEARCH_LOOP
	for (__u32 i = 0; i < LZ_BLOCK_ENTRIES; i++, at++)
		if (LZ_BLOCK_TAG(*(const volatile __u32 *)&line->entry[at & (LZ_BLOCK_ENTRIES - 1)]) <=
		    LZ_BLOCK_GONE)
			return at & (LZ_BLOCK_ENTRIES - 1);
	return LZ_BLOCK_ENTRIES;
}

/* The place of a key in its block, which it gets if there is one left, or LZ_SEARCH_NONE. */
LZ_SEARCH_FN int lz_block_make(__u64 key)
{
	struct lz_block_place p = lz_block_place(key, LZ_SEARCH_IN);
	struct lz_block_line *line = lz_search_blocks(p.line);
	int slot = lz_block_find(key), block;
	__u32 at, e;

	if (slot >= 0 || !line)
		return slot;
	at = lz_block_room(line, p.at);
	block = at < LZ_BLOCK_ENTRIES ? lz_block_take() : LZ_SEARCH_NONE;
	if (block < 0)
		return LZ_SEARCH_NONE;
	at &= LZ_BLOCK_ENTRIES - 1;
	e = *(volatile __u32 *)&line->entry[at];
	if (LZ_BLOCK_TAG(e) <= LZ_BLOCK_GONE &&
	    __sync_val_compare_and_swap(&line->entry[at], e, LZ_BLOCK_ENTRY(p.tag, (__u32)block)) == e)
		return LZ_BLOCK_SLOT((__u32)block, &p);
	/* Another CPU was here, perhaps for the same neighbourhood. */
	lz_block_give_back(block);
	return lz_block_find(key);
}

/**
 * lz_search_claim() - take a slot for a key, if it is free or its own already
 *
 * Return: slot, with LZ_SEARCH_MADE if a tag was set for it; or LZ_SEARCH_FULL: somebody else's.
 */
LZ_SEARCH_FN int lz_search_claim(__u64 stored, __u32 tag, __u32 slot)
{
	struct lz_tag_line *tags = lz_search_line(slot / LZ_TAG_LINE_SLOTS);
	struct lz_cell *cell = lz_search_cell(slot);
	__u32 shift = 8 * (slot & 7);
	__u64 *at;

	if (!tags || !cell)
		return LZ_SEARCH_FULL;
	at = &tags->word[slot / 8 & (LZ_TAG_LINE_WORDS - 1)];
	LZ_SEARCH_LOOP
	for (int i = 0; i < LZ_SEARCH_RETRIES; i++) {
		__u64 word = *(volatile __u64 *)at, found;
		__u32 now = word >> shift & 0xff;
		int made = now == LZ_TAG_FREE || now == LZ_TAG_RECLAIMED;

		if (!made && (now & ~LZ_TAG_HELD) != tag)
			break;
		if (made && __sync_val_compare_and_swap(at, word, (word & ~(0xffULL << shift)) |
							(__u64)tag << shift) != word)
			continue;
		found = __sync_val_compare_and_swap(&cell->key, 0, stored);
		if (found == 0)
			return slot | (made ? LZ_SEARCH_MADE : 0);
		return found == stored ? (int)slot : LZ_SEARCH_FULL;
	}
	return LZ_SEARCH_FULL;
}

/**
 * lz_search_create() - the slot of a key, made if need be
 *
 * As lz_search_find(), which the caller has asked first: a reclaimed slot may lie before the key's
 * own. Return: slot number, with LZ_SEARCH_MADE if it is new, or LZ_SEARCH_FULL.
 */
static __always_inline int lz_search_create(__u64 key)
{
	__u64 hash = lz_hash(key, LZ_SEARCH_IN->seed);
	__u32 home = lz_home_of(hash);
	int slot = lz_block_make(key);

	if (slot >= 0)
		slot = lz_search_claim(~key, lz_tag_of(hash), slot);
	if (slot >= 0)
		return slot;
	LZ_SEARCH_LOOP
	for (__u32 n = 0; n < LZ_CELL_CHOICES * LZ_TAG_LINE_WORDS; n++) {
		slot = lz_search_take(~key, lz_tag_of(hash),
				      lz_line_of(hash, n / LZ_TAG_LINE_WORDS, LZ_SEARCH_IN->tag_lines),
				      home + n);
		if (slot >= 0)
			return slot;
	}
	return LZ_SEARCH_FULL;
}

#endif /* LZ_LAZARET_SEARCH_H */
