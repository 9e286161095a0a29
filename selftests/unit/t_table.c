/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_table.c - the shared table: how full it gets, what a search costs, and the byte arithmetic.
 */
#include <lazaret/table.h>

#include "lib/t.h"

#define LINES	 1024u
#define SLOTS	 (LINES * LZ_TAG_LINE_SLOTS)
#define SEED	 0x9e3779b97f4a7c15ull

static struct lz_tag_line table[LINES];
static struct lz_cell cells[SLOTS];
static struct lz_block_line block_lines[LINES]; /* more than lz_block_lines_all() */
static struct lz_tables tables;
static struct lz_instance instance = { .seed = SEED, .tag_lines = LINES, .ipv6_key_len = 64 };
static unsigned words_read;
static __u32 *rival_at, rival; /* what another CPU writes while this one takes a block; NULL: nothing */

static struct lz_tag_line *lz_search_line(__u32 line)
{
	return line < LINES ? &table[line] : NULL;
}

static struct lz_cell *lz_search_cell(__u32 slot)
{
	words_read++;
	return slot < SLOTS ? &cells[slot] : NULL;
}

static struct lz_block_line *lz_search_blocks(__u32 line)
{
	if (rival_at && line >= instance.block_lines) {
		*rival_at = rival;
		rival_at = NULL;
	}
	return line < lz_block_lines_all(LINES) ? &block_lines[line] : NULL;
}

#define LZ_SEARCH_IN	 (&instance)
#define LZ_SEARCH_TABLES (&tables)
#define LZ_SEARCH_LOOP
#define LZ_SEARCH_FN static
#include <lazaret/search.h>

static void empty_table(void)
{
	memset(table, 0, sizeof(table));
	memset(cells, 0, sizeof(cells));
	memset(block_lines, 0, sizeof(block_lines));
	memset(&tables, 0, sizeof(tables));
	instance.block_lines = lz_block_lines(LINES);
}

static int find(__u64 key)
{
	return lz_search_find(key);
}

static int create(__u64 key)
{
	return lz_search_create(key);
}

/* Customers as they are: dense IPv4 ranges and /64s counted up. */
static __u64 nth_key(unsigned i)
{
	return i % 2 ? 0x64400000ull + i / 2 : 0x20010db800000000ull + i / 2;
}

/* Fill to a share of the table; returns how many found no cell. */
static unsigned fill(unsigned percent)
{
	unsigned failed = 0, n = SLOTS / 100 * percent;

	empty_table();
	for (unsigned i = 0; i < n; i++)
		failed += create(nth_key(i)) < 0;
	return failed;
}

static void fills_to_75(void)
{
	unsigned n = SLOTS / 100 * 75, lost = 0, wrong = 0, strangers = 0;

	T_EQ(fill(75), 0, "none of three quarters finds the table full");
	for (unsigned i = 0; i < n; i++) {
		int slot = find(nth_key(i));

		lost += slot < 0;
		wrong += slot >= 0 && cells[slot].key != ~nth_key(i);
	}
	T_EQ(lost, 0, "each is found again");
	T_EQ(wrong, 0, "in its own cell");
	for (unsigned i = 0; i < n; i++)
		strangers += find(nth_key(i + n)) >= 0;
	T_EQ(strangers, 0, "a source that is not there is not found");
}

static void fills_to_85(void)
{
	unsigned failed = fill(85);

	printf("# 85 %%: %u of %u found no cell\n", failed, SLOTS / 100 * 85);
	T_OK(failed <= SLOTS / 1000, "no more than 1 in 1000 at 85 %");
}

static void full_is_told(void)
{
	unsigned failed = fill(110);

	T_OK(failed >= SLOTS / 100 * 9, "a full table says so");
	T_EQ(create(nth_key(SLOTS * 2)), LZ_SEARCH_FULL, "and to the next as well");
	T_OK(find(nth_key(0)) >= 0, "while those inside are found");
}

/* A customer held whole, a /48 by /64, fills six of eight places in each word of his blocks, and the others have
 * the rest: sources that are nobody's neighbours find room all the same, up to the two thirds that a table is
 * made for. */
static void strangers_beside_neighbours(void)
{
	const unsigned all = SLOTS / 3 * 2;

	for (unsigned dense = all / 8; dense < all; dense += all / 8) {
		unsigned failed = 0;

		empty_table();
		for (unsigned i = 0; i < dense; i++)
			failed += create(0x20010db800000000ull + i) < 0;
		T_EQ(failed, 0, "neighbours have blocks");
		for (unsigned i = dense; i < all; i++)
			failed += create(0x2a00000000000000ull + (lz_hash(i, 1) >> 8)) < 0;
		printf("# %u neighbours, %u strangers: %u found no cell\n", dense, all - dense, failed);
		T_EQ(failed, 0, "none of the others finds the table full");
	}
}

static void creates_once(void)
{
	int made, again;

	empty_table();
	made = create(0x64400001);
	again = create(0x64400001);
	T_OK(made >= 0 && made & LZ_SEARCH_MADE, "the first makes it");
	T_EQ(again, made & ~LZ_SEARCH_MADE, "the second joins it");
	T_EQ(find(0x64400001), again, "and it is found there");
	T_EQ(find(0x64400002), LZ_SEARCH_NONE, "another is not");
}

/* A creator that set its tag and has not yet written its key: the next of the same key joins. */
static void joins_a_claim(void)
{
	int made, joined;

	empty_table();
	made = create(7) & ~LZ_SEARCH_MADE;
	cells[made].key = 0;
	T_EQ(find(7), LZ_SEARCH_NONE, "a claim without a key is not found");
	joined = create(7);
	T_EQ(joined, made, "but joined");
	T_EQ(cells[made].key, ~7ull, "by whoever comes first");
}

static void states_of_a_tag(void)
{
	__u64 *word;
	int made, other;

	empty_table();
	made = create(7) & ~LZ_SEARCH_MADE;
	word = &table[made / 64].word[made / 8 % 8];
	*word |= (__u64)LZ_TAG_HELD << (8 * (made & 7));
	T_EQ(find(7), made, "found while held");
	*word = (__u64)LZ_TAG_DYING << (8 * (made & 7));
	cells[made].hold = LZ_HOLD_DYING;
	T_EQ(find(7), LZ_SEARCH_NONE, "not found while dying");
	other = create(7) & ~LZ_SEARCH_MADE;
	T_OK(other != made, "a dying slot is not taken");
	empty_table();
	*word = (__u64)LZ_TAG_RECLAIMED << (8 * (made & 7));
	other = create(7) & ~LZ_SEARCH_MADE;
	T_EQ(other, made, "a reclaimed one is");
}

/* The seven bytes before a free one keep a search going; a free one ends it. */
static void search_goes_on_past_reclaimed(void)
{
	__u64 first = 1, second;
	int slot;

	empty_table();
	slot = create(first) & ~LZ_SEARCH_MADE;
	for (int i = 0; i < 8; i++)
		table[slot / 64].word[slot / 8 % 8] |= (__u64)LZ_TAG_RECLAIMED << (8 * i);
	cells[slot].key = 0;
	table[slot / 64].word[slot / 8 % 8] = LZ_BYTES_01 * LZ_TAG_MIN; /* full of strangers */
	second = create(first) & ~LZ_SEARCH_MADE;
	T_OK((int)second != slot, "a full word sends the key on");
	T_EQ(find(first), (int)second, "and the search after it");
	table[slot / 64].word[slot / 8 % 8] = LZ_BYTES_01 * LZ_TAG_RECLAIMED;
	T_EQ(find(first), (int)second, "also past reclaimed slots");
}

static void a_stranger_costs_little(void)
{
	unsigned n = SLOTS / 100 * 50;

	fill(50);
	words_read = 0;
	for (unsigned i = 0; i < n; i++)
		find(nth_key(i + n));
	printf("# half full: %.3f cells read for a neighbour who is not there\n",
	       (double)words_read / n);
	T_OK(words_read < n + n / 8, "one cell, its own, for whoever has neighbours here");
	words_read = 0;
	for (unsigned i = 0; i < n; i++)
		find(nth_key(i + 64 * SLOTS));
	printf("# half full: %.3f cells read for a stranger\n", (double)words_read / n);
	T_OK(words_read < n / 8, "tags keep strangers away from the cells");
}

/* Neighbours live side by side, in the order of their addresses, and no tag is read to find them. */
static void neighbours(void)
{
	int first, wrong = 0;

	empty_table();
	first = create(0x64400000) & ~LZ_SEARCH_MADE;
	for (unsigned i = 1; i < 256; i++)
		wrong += (create(0x64400000 + i) & ~LZ_SEARCH_MADE) != first + (int)(i / 6 * 8 + i % 6);
	T_EQ(wrong, 0, "256 neighbours live side by side");
	memset(table, 0, sizeof(table));
	for (unsigned i = 0; i < 256; i++)
		wrong += find(0x64400000 + i) != first + (int)(i / 6 * 8 + i % 6);
	T_EQ(wrong, 0, "and are found without their tags");
	T_EQ(tables.blocks_used, 1, "in one block");
	T_OK((create(0x64400100) & ~LZ_SEARCH_MADE) / 344 != first / 344, "the next /24 has another");
}

/* Whose place is taken lives where his hash says, and is found there when it is free again. */
static void a_taken_place(void)
{
	int place, elsewhere;

	empty_table();
	place = create(0x64400000) & ~LZ_SEARCH_MADE;
	table[(place + 5) / 64].word[(place + 5) / 8 % 8] |= (__u64)LZ_TAG_MIN << (8 * ((place + 5) & 7));
	cells[place + 5].key = ~0x7full;
	elsewhere = create(0x64400005);
	T_OK(elsewhere >= 0 && elsewhere & LZ_SEARCH_MADE, "he gets a cell");
	elsewhere &= ~LZ_SEARCH_MADE;
	T_OK(elsewhere != place + 5, "not his neighbour's");
	T_EQ(find(0x64400005), elsewhere, "and is found");
	table[(place + 5) / 64].word[(place + 5) / 8 % 8] &= ~(0xffull << (8 * ((place + 5) & 7)));
	cells[place + 5].key = 0;
	T_EQ(find(0x64400005), elsewhere, "also when his place is free");
}

/* Covering prefixes side by side are neighbours, whatever the length of IPv6 keys; those of another limit
 * are not. */
static void covering_prefixes(void)
{
	for (__u32 len = 48; len <= 64; len += 8) {
		__u32 limit = 3, other = 4;

		empty_table();
		instance.ipv6_key_len = len;
		for (__u32 i = 0; i < LZ_BLOCK_KEYS; i++) {
			__u64 key = lz_aggregate_key(limit, 0x644000 + i, &instance);
			int slot = create(key) & ~LZ_SEARCH_MADE;

			T_OK(lz_key_is_aggregate(key), "it is known as an aggregate");
			T_EQ(lz_block_find(key), slot, "it lives at its place");
			T_EQ(find(key), slot, "and is found");
		}
		T_EQ(tables.blocks_used, 1, "256 of one limit share a block");
		create(lz_aggregate_key(limit, 0x644100, &instance));
		T_EQ(tables.blocks_used, 2, "the next ones have another");
		create(lz_aggregate_key(other, 0x644000, &instance));
		T_EQ(tables.blocks_used, 3, "and so has the next limit");
	}
}

/* No block is left: everybody lives by his hash. */
static void no_block_left(void)
{
	int slot;

	empty_table();
	tables.blocks_used = lz_blocks_of(LINES);
	slot = create(0x64400000);
	T_OK(slot >= 0, "a cell all the same");
	T_EQ(find(0x64400000), slot & ~LZ_SEARCH_MADE, "that is found");
	T_EQ(block_lines[0].entry[0], 0, "and no entry");
}

/* Give nobody a block: a key lives where its hash says. */
static void empty_table_by_hash(void)
{
	empty_table();
	tables.blocks_used = lz_blocks_of(LINES);
}

static void fill_word(__u64 *word, __u64 key)
{
	__u32 tag = lz_tag_of(lz_hash(key, SEED));

	*word = LZ_BYTES_01 * (tag == LZ_TAG_MIN ? LZ_TAG_MIN + 1 : LZ_TAG_MIN); /* of strangers */
}

static void where_the_hash_says(void)
{
	__u64 hash = lz_hash(7, SEED), *word;
	int made;

	empty_table_by_hash();
	made = create(7) & ~LZ_SEARCH_MADE;
	cells[made].key = 0;
	T_EQ(find(7), LZ_SEARCH_NONE, "a claim without a key is not found");
	T_EQ(cells[made].key, 0, "nor taken by who only looks");
	T_EQ(create(7), made, "but joined");
	word = &table[made / 64].word[made / 8 % 8];
	fill_word(word, 7);
	*word = (*word & ~(0xffull << (8 * (made & 7)))) | (__u64)LZ_TAG_RECLAIMED << (8 * (made & 7));
	cells[made].key = 0;
	T_EQ(create(7), made | LZ_SEARCH_MADE, "a reclaimed slot of a full word is taken");
	empty_table_by_hash();
	for (__u32 n = 0; n < LZ_CELL_CHOICES - 1; n++)
		for (int w = 0; w < LZ_TAG_LINE_WORDS; w++)
			fill_word(&table[lz_line_of(hash, n, LINES)].word[w], 7);
	made = create(7) & ~LZ_SEARCH_MADE;
	T_EQ(made / 64, lz_line_of(hash, LZ_CELL_CHOICES - 1, LINES), "where other lines are full, the last one");
	T_EQ(find(7), made, "and is found there");
}

/* A block is one neighbourhood's, an entry that is gone is anybody's, and who loses a race loses no block. */
static void blocks_of_neighbourhoods(void)
{
	const __u64 key = 0x64400000;
	struct lz_block_place p;
	int slot;

	empty_table();
	slot = create(key) & ~LZ_SEARCH_MADE;
	tables.next_block = 0; /* it has come round */
	T_OK(create(key + 256) >= 0 && lz_block_find(key + 256) != slot, "one that is taken is not given again");
	T_EQ(tables.blocks_used, 2, "two are in use");
	T_EQ(lz_search_claim(~key, lz_tag_of(lz_hash(key, SEED)), (__u32)slot), slot, "a key's own slot is its own");
	table[slot / 64].word[slot / 8 % 8] |= (__u64)LZ_TAG_HELD << (8 * (slot & 7));
	T_EQ(lz_search_claim(~key, lz_tag_of(lz_hash(key, SEED)), (__u32)slot), slot, "also while it is held");
	empty_table();
	p = lz_block_place(key, &instance);
	for (__u32 i = 0; i < LZ_BLOCK_ENTRIES; i++)
		block_lines[p.line].entry[i] = LZ_BLOCK_ENTRY(LZ_BLOCK_GONE, i);
	slot = create(key) & ~LZ_SEARCH_MADE;
	T_EQ(lz_block_find(key), slot, "in a line of entries that are gone there is room");
	for (int same = 0; same < 2; same++) {
		empty_table();
		rival_at = &block_lines[p.line].entry[p.at];
		rival = LZ_BLOCK_ENTRY(p.tag + !same, 3);
		slot = create(key) & ~LZ_SEARCH_MADE;
		T_OK(!rival_at, "another CPU was at the same entry");
		T_EQ(tables.blocks_used, 0, "the block goes back");
		T_EQ(find(key), slot, "the key is found");
		T_EQ(slot == LZ_BLOCK_SLOT(3, &p), same, "in the other's block, if he is a neighbour");
	}
}

static void bytes(void)
{
	unsigned wrong = 0;
	__u64 state = 1;

	for (int i = 0; i < 100000; i++) {
		__u64 x, zeros = 0;
		int first = -1;

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		x = state & (state << 7 ^ state >> 9);
		for (int n = 7; n >= 0; n--) {
			if (state >> 56 & 1 << n)
				x &= ~(0xffull << (8 * n));
			if (!(x >> (8 * n) & 0xff)) {
				zeros |= 0x80ull << (8 * n);
				first = n;
			}
		}
		wrong += lz_zero_bytes(x) != zeros;
		wrong += first >= 0 && lz_first_byte(zeros) != (__u32)first;
	}
	T_EQ(wrong, 0, "lz_zero_bytes and lz_first_byte, against byte by byte");
	for (__u32 n = 0; n < 8; n++)
		T_EQ(lz_first_byte(0x80ull << (8 * n)), n, "each byte by itself");
	T_EQ(lz_tag_match(0x8502050085ff7f05ull, 5), 0x8000800080000080ull, "tags, held or not");
}

static void spread(void)
{
	static unsigned home[LZ_TAG_LINE_WORDS], tag[128];
	unsigned same = 0;

	for (unsigned i = 0; i < 100000; i++) {
		__u64 hash = lz_hash(nth_key(i), SEED);
		__u32 first = lz_line_of(hash, 0, LINES);

		T_OK(lz_tag_of(hash) >= LZ_TAG_MIN && lz_tag_of(hash) < 128, "tags are tags");
		T_OK(lz_block_place(nth_key(i) << LZ_BLOCK_BITS, &instance).tag >= LZ_BLOCK_TAG_MIN, "of blocks, too");
		home[lz_home_of(hash)]++;
		tag[lz_tag_of(hash)]++;
		for (__u32 n = 1; n < LZ_CELL_CHOICES; n++) {
			__u32 line = lz_line_of(hash, n, LINES);

			T_OK(line < LINES, "lines are in the table");
			same += line == first || line == lz_line_of(hash, n - 1, LINES);
		}
	}
	for (int i = 0; i < LZ_TAG_LINE_WORDS; i++)
		T_OK(home[i] > 11500 && home[i] < 13500, "home words are even");
	T_OK(same < 100000 / LINES * 2 * LZ_CELL_CHOICES * 5 / 4, "sixteen choices are as many lines");
}

static const struct t_case cases[] = {
	{ "three quarters full: all in, all found", fills_to_75 },
	{ "85 % full", fills_to_85 },
	{ "full", full_is_told },
	{ "strangers beside neighbours", strangers_beside_neighbours },
	{ "one cell a key", creates_once },
	{ "a claimed cell is joined", joins_a_claim },
	{ "held, dying, reclaimed", states_of_a_tag },
	{ "a search goes on past full and reclaimed words", search_goes_on_past_reclaimed },
	{ "strangers rarely touch a cell", a_stranger_costs_little },
	{ "neighbours", neighbours },
	{ "a place that is taken", a_taken_place },
	{ "covering prefixes", covering_prefixes },
	{ "no block left", no_block_left },
	{ "where the hash says", where_the_hash_says },
	{ "blocks of neighbourhoods", blocks_of_neighbourhoods },
	{ "bytes of a word", bytes },
	{ "hash bits are spread", spread },
};

int main(void)
{
	return T_MAIN(cases);
}
