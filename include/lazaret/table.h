/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * table.h - where things live in the shared tables: the arithmetic both sides must agree on.
 *
 * A key lives at its own place in the block of its neighbourhood (cells.h, lz_block_line), or, where that
 * is taken, in one of LZ_CELL_CHOICES tag lines of 64 tags. Within a line the search starts at
 * the key's home word and goes round the eight words; it ends at the first word that still has a
 * free tag, because nobody could have been sent past it. So a source that has its place costs its cell,
 * one that goes by the hash a line and its cell, one that is not there a word of one line.
 *
 * Measured (make bench, rows a and b): one byte a slot keeps the index of a million sources near
 * the second-level cache, which a table of keys is not. Filling a line of 64 to three quarters
 * overflows in about 1 line of 100; but the lines of neighbours are three quarters full of them. With three
 * choices and half of a table's keys in dense blocks 1 stranger in 75 heard "full", with 8 1 in 10,000, with
 * 16 nobody (selftests/unit/t_table.c). Who finds room in the first line asks no other.
 */
#ifndef LZ_LAZARET_TABLE_H
#define LZ_LAZARET_TABLE_H

#include <lazaret/abi.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/**
 * lz_hash() - 64-bit mixer, keyed
 * Source: the finalizer of MurmurHash3 (public domain), xored with the instance's seed.
 */
static __always_inline __u64 lz_hash(__u64 x, __u64 seed)
{
	x ^= seed;
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	x ^= x >> 33;
	return x;
}

/* `what` of the cells that count a /48's children, whose number is key >> 16; else a limit's id, and of a
 * prefix of IPv6 this bit: its number may be that of one of IPv4. */
#define LZ_AGGREGATE_V6_BUDGET 0xffff
#define LZ_AGGREGATE_V6	       0x10000

/* The key of the cell that a limit, or the budget, has for a covering prefix or a customer. @number: the
 * prefix's bits alone, or the customer's. Its last eight bits stand where they tell neighbours apart, so
 * that 256 prefixes side by side share a block: a million sources' /24s lie in 16 of them, found by a
 * directory that is in the cache, where their hashes would be 4,000 random lines (make bench, row e). */
static __always_inline __u64 lz_aggregate_key(__u64 what, __u64 number,
					      const volatile struct lz_instance *in)
{
	__u64 hash = lz_hash(lz_hash(number >> LZ_BLOCK_BITS, in->seed) ^ what, 0) >> 8;
	__u32 shift = (64 - in->ipv6_key_len) & 63;

	return LZ_KEY_AGGREGATE | (hash & ~((__u64)(LZ_BLOCK_KEYS - 1) << shift)) |
	       (number & (LZ_BLOCK_KEYS - 1)) << shift;
}

/* A key's prefix of len bits, as a number. */
static __always_inline __u64 lz_prefix_number(__u64 key, __u32 len)
{
	return len ? key >> ((64 - len) & 63) : 0;
}

/* Scale 32 hash bits to 0..n-1 without a division. */
static __always_inline __u32 lz_scale(__u32 hash, __u32 n)
{
	return (__u32)(((__u64)hash * n) >> 32);
}

/* The tag of a hash: 2..127, HELD bit clear. */
static __always_inline __u32 lz_tag_of(__u64 hash)
{
	__u32 tag = (__u32)(hash >> 57);

	return tag < LZ_TAG_MIN ? tag + LZ_TAG_MIN : tag;
}

/* The word of its line where a search starts. */
static __always_inline __u32 lz_home_of(__u64 hash)
{
	return (__u32)(hash >> 54) & (LZ_TAG_LINE_WORDS - 1);
}

/* The n-th line a key may live in, n < LZ_CELL_CHOICES. Each is drawn anew: in steps of a number of the hash's,
 * some keys come back to the lines they know. */
static __always_inline __u32 lz_line_of(__u64 hash, __u32 n, __u32 lines)
{
	return lz_scale((__u32)(n ? lz_hash(hash, n) >> 32 : hash), lines);
}

static __always_inline int lz_key_is_aggregate(__u64 key)
{
	return key >> 56 == LZ_KEY_AGGREGATE >> 56;
}

/* See lz_cell.seen. */
static __always_inline __u16 lz_seen(__u32 now_s)
{
	__u16 seen = now_s >> LZ_SEEN_SHIFT;

	return seen ? seen : 1;
}

/* See lz_cell.last_dest: of a destination's hash and the slot of time it is noted in. Of two that follow one
 * another one in 255 is taken for the other, and not noted until a third lies between; which two, nobody
 * outside knows, and it changes with each slot. */
static __always_inline __u8 lz_dest_mark(__u64 hash, __u64 slot)
{
	__u8 mark = hash * (slot << 1 | 1) >> 56;

	return mark ? mark : 255;
}

/* How far the part of a key lies from its end that tells neighbours apart. */
static __always_inline __u32 lz_key_shift(__u64 key, const volatile struct lz_instance *in)
{
	return key >> 32 ? (64 - in->ipv6_key_len) & 63 : 0;
}

/* Blocks in a table, and lines of entries for them: half of the entries stay free. */
static __always_inline __u32 lz_blocks_of(__u32 tag_lines)
{
	__u64 n = (__u64)tag_lines * LZ_TAG_LINE_SLOTS / LZ_BLOCK_SLOTS;

	return n < LZ_BLOCKS_MAX ? n : LZ_BLOCKS_MAX;
}

static __always_inline __u32 lz_block_lines(__u32 tag_lines)
{
	return lz_blocks_of(tag_lines) * 2 / LZ_BLOCK_ENTRIES + 1;
}

/* All lines of lz_blocks: entries, and a bit a block. */
static __always_inline __u32 lz_block_lines_all(__u32 tag_lines)
{
	return lz_block_lines(tag_lines) + lz_blocks_of(tag_lines) / (8 * sizeof(struct lz_block_line)) + 1;
}

/* The line with the bit of a block: bit block % 32 of entry block / 32 % 16. */
static __always_inline __u32 lz_block_bit_line(__u32 block, const volatile struct lz_instance *in)
{
	return in->block_lines + block / (8 * sizeof(struct lz_block_line));
}

/* Where the entry of a key's neighbourhood lies, and where in its block the key, in slots. */
struct lz_block_place {
	__u32 line;
	__u32 at; /* in the line: where a search starts, it goes round */
	__u32 tag;
	__u32 offset;
};

static __always_inline struct lz_block_place lz_block_place(__u64 key,
							    const volatile struct lz_instance *in)
{
	__u32 shift = lz_key_shift(key, in), n = (__u32)(key >> shift) & (LZ_BLOCK_KEYS - 1);
	__u64 hash = lz_hash(key >> ((shift + LZ_BLOCK_BITS) & 63), ~in->seed);
	__u32 tag = (__u32)(hash >> (32 + LZ_BLOCK_NUMBERS));

	return (struct lz_block_place){
		.line = lz_scale((__u32)hash, in->block_lines),
		.at = (__u32)(hash >> 32) & (LZ_BLOCK_ENTRIES - 1),
		.tag = tag < LZ_BLOCK_TAG_MIN ? tag + LZ_BLOCK_TAG_MIN : tag,
		.offset = n + (n * 171 >> 10) * (8 - LZ_BLOCK_OF_WORD), /* n / 6, up to 256 */
	};
}

#define LZ_BLOCK_ENTRY(tag, block) ((tag) << LZ_BLOCK_NUMBERS | (block))
#define LZ_BLOCK_TAG(entry)	   ((entry) >> LZ_BLOCK_NUMBERS)
#define LZ_BLOCK_OF(entry)	   ((entry) & (LZ_BLOCKS_MAX - 1))
#define LZ_BLOCK_SLOT(block, place) ((int)((block) * LZ_BLOCK_SLOTS + (place)->offset))

/* The id of the group of ranges, of level 0..7, that a key lies in. */
static __always_inline __u64 lz_range_id(__u64 key, __u32 level)
{
	return (level ? key & (~0ULL << ((64 - 8 * level) & 63)) : 0) | (level + 1);
}

/* The key's place in that group. */
static __always_inline __u32 lz_range_place(__u64 key, __u32 level)
{
	return (__u32)(key >> ((56 - 8 * level) & 63)) & (LZ_RANGE_PLACES - 1);
}

/* The line where the search for a group begins. */
static __always_inline __u32 lz_range_home(__u64 id, __u64 seed, __u32 buckets)
{
	return lz_scale((__u32)lz_hash(id, seed), buckets * LZ_RANGE_BUCKET_LINES);
}

/* Which bit of lz_generation.hidden a key has. */
static __always_inline __u32 lz_hidden_bit(__u64 hash)
{
	return (__u32)(hash >> 40) & (LZ_HIDDEN_WORDS * 64 - 1);
}

/* Which bit of lz_tables.excepted a single source has. */
static __always_inline __u32 lz_excepted_bit(__u64 hash)
{
	return (__u32)(hash >> 20) & (LZ_EXCEPTED_WORDS * 64 - 1);
}

#define LZ_BYTES_01 0x0101010101010101ULL
#define LZ_BYTES_7F 0x7f7f7f7f7f7f7f7fULL
#define LZ_BYTES_80 0x8080808080808080ULL

/* A bit 7 set in each zero byte of x, exact (no carry between bytes). */
static __always_inline __u64 lz_zero_bytes(__u64 x)
{
	return ~(((x & LZ_BYTES_7F) + LZ_BYTES_7F) | x | LZ_BYTES_7F);
}

/* Bit 7 of each byte of a tag word that carries this tag, held or not. */
static __always_inline __u64 lz_tag_match(__u64 word, __u32 tag)
{
	return lz_zero_bytes((word & LZ_BYTES_7F) ^ (tag * LZ_BYTES_01));
}

/* The slot number (0..7) of the lowest bit lz_zero_bytes() set; x must not be 0. Without a
 * count-trailing-zeros instruction in BPF: isolate the bit, then multiply by a de Bruijn-like sum. */
static __always_inline __u32 lz_first_byte(__u64 x)
{
	__u64 below = (x & -x) - 1; /* 7 + 8 * slot ones */

	return (__u32)(((below & LZ_BYTES_01) * LZ_BYTES_01) >> 56) - 1;
}

#endif /* LZ_LAZARET_TABLE_H */
