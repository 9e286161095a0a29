/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * recount.c - which words of tags must a search go past?
 *
 * A search stops at a word whose last tag is FREE. A word that was full sent later keys on, so its
 * tags become RECLAIMED, not FREE, when their cells go; without more, an old table would end no
 * search early. Here every live cell walks its own way from home; a word that no way leads past may
 * have its RECLAIMED tags freed, if it did not change since before the walk: then nobody can have
 * been sent past it meanwhile, for it had room.
 */
#include "datapath/recount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "datapath/membarrier.h"
#include "datapath/search_view.h"

struct parent {
	__u64 key; /* 0 = free entry; no aggregate's key is 0 */
	__u64 children;
};

struct counting {
	struct lz_tables_view *view;
	__u64 *before;	/* all tag words, as they were */
	__u8 *needed;	/* by word: a search goes past it */
	struct parent *parents; /* open addressing, a power of two */
	size_t parents_size, parents_n;
	__u64 live;
	__u64 held; /* of those */
	__u64 used_before, held_before; /* lz_tables, when the words were copied */
	__u8 *block_used; /* by block: some key lives at its place in it */
};

static void walk_home(struct counting *c, __u64 key, __u32 slot)
{
	const struct lz_tables_view *v = c->view;
	__u64 hash = lz_hash(key, v->instance.seed);
	__u32 home = lz_home_of(hash), found = slot / 8;

	if (lz_view_place(v, key) == (int)slot) {
		c->block_used[slot / LZ_BLOCK_SLOTS] = 1;
		return; /* no search leads there */
	}
	for (__u32 n = 0; n < LZ_CELL_CHOICES * LZ_TAG_LINE_WORDS; n++) {
		__u32 line = lz_line_of(hash, n / LZ_TAG_LINE_WORDS, v->instance.tag_lines);
		__u32 w = line * LZ_TAG_LINE_WORDS + ((home + n) & (LZ_TAG_LINE_WORDS - 1));

		if (w == found)
			return;
		c->needed[w] = 1;
	}
}

static int grow_parents(struct counting *c)
{
	size_t size = c->parents_size ? 2 * c->parents_size : 1024;
	struct parent *grown = calloc(size, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	for (size_t i = 0; i < c->parents_size; i++) {
		size_t at = lz_hash(c->parents[i].key, 0) & (size - 1);

		if (!c->parents[i].key)
			continue;
		while (grown[at].key)
			at = (at + 1) & (size - 1);
		grown[at] = c->parents[i];
	}
	free(c->parents);
	c->parents = grown;
	c->parents_size = size;
	return 0;
}

static struct parent *find_parent(struct counting *c, __u64 key)
{
	size_t at = lz_hash(key, 0) & (c->parents_size - 1);

	while (c->parents[at].key && c->parents[at].key != key)
		at = (at + 1) & (c->parents_size - 1);
	return &c->parents[at];
}

static int note_child(struct counting *c, __u64 key)
{
	struct parent *p;

	if (2 * c->parents_n >= c->parents_size && grow_parents(c))
		return -ENOMEM;
	p = find_parent(c, lz_key_aggregate(&c->view->instance, LZ_AGGREGATE_V6_BUDGET, key >> 16));
	if (!p->key) {
		p->key = lz_key_aggregate(&c->view->instance, LZ_AGGREGATE_V6_BUDGET, key >> 16);
		c->parents_n++;
	}
	p->children++;
	return 0;
}

static int count_slot(struct counting *c, __u32 slot)
{
	__u64 stored = *(volatile __u64 *)&c->view->cells[slot].key;

	c->live++;
	c->held += !!(c->before[slot / 8] >> (8 * (slot & 7)) & LZ_TAG_HELD);
	if (!stored)
		return 0;
	walk_home(c, ~stored, slot);
	return lz_key_is_aggregate(~stored) || !(~stored >> 32) ? 0 : note_child(c, ~stored);
}

/* Every /48's own cell gets the number of cells below it. Aggregates of limits have no hold word. */
static void correct_parents(struct counting *c)
{
	struct lz_tables_view *v = c->view;

	for (__u32 slot = 0; slot < v->slots; slot++) {
		__u32 tag = c->before[slot / 8] >> (8 * (slot & 7)) & 0x7f;
		__u64 key = ~*(volatile __u64 *)&v->cells[slot].key, old;

		if (tag < LZ_TAG_MIN || !lz_key_is_aggregate(key))
			continue;
		old = *(volatile __u64 *)&v->cells[slot].hold;
		if (old)
			__sync_bool_compare_and_swap(&v->cells[slot].hold, old,
						     find_parent(c, key)->children);
	}
}

static __u64 free_words(const struct counting *c)
{
	__u64 *words = c->view->tags[0].word, freed = 0;

	for (__u32 w = 0; w < c->view->slots / 8; w++) {
		__u64 reclaimed = lz_zero_bytes(c->before[w] ^ LZ_BYTES_01);

		if (!reclaimed || c->needed[w])
			continue;
		/* A reclaimed tag is 1: take that 1 away from each. */
		if (__sync_bool_compare_and_swap(&words[w], c->before[w],
						 c->before[w] & ~(reclaimed >> 7)))
			freed += __builtin_popcountll(reclaimed);
	}
	return freed;
}

/* ---------------------------------------------------------------- blocks that nobody lives in */

/* Does somebody live at his place in the block of this entry? */
static bool is_inhabited(const struct lz_tables_view *v, __u32 line, __u32 entry)
{
	__u32 first = LZ_BLOCK_OF(entry) * LZ_BLOCK_SLOTS;

	for (__u32 i = 0; i < LZ_BLOCK_SLOTS; i++) {
		__u64 stored = *(volatile __u64 *)&v->cells[first + i].key;
		struct lz_block_place p = lz_block_place(~stored, &v->instance);

		if (stored && p.line == line && p.tag == LZ_BLOCK_TAG(entry) && p.offset == i)
			return true;
	}
	return false;
}

static __u32 *entry_at(const struct lz_tables_view *v, __u32 i)
{
	return &v->blocks[i / LZ_BLOCK_ENTRIES].entry[i % LZ_BLOCK_ENTRIES];
}

/* An entry whose block is free to others, or may become so. */
static __u32 gone(__u32 entry)
{
	return LZ_BLOCK_ENTRY(LZ_BLOCK_GONE, LZ_BLOCK_OF(entry));
}

/* Blocks in which nobody lived when the words were copied are for others, unless somebody has moved in
 * by the time that every program knows them to be gone. Who comes back to that neighbourhood meanwhile
 * has another block, or lives by his hash; a cell that nobody can find then is an orphan of the sweep. */
static int free_blocks(struct counting *c)
{
	struct lz_tables_view *v = c->view;
	__u32 n = v->instance.block_lines * LZ_BLOCK_ENTRIES;
	lz_autofree __u32 *was = calloc(n, sizeof(*was));
	bool any = false;
	int r;

	if (!was)
		return -ENOMEM;
	for (__u32 i = 0; i < n; i++) {
		__u32 *at = entry_at(v, i), e = *(volatile __u32 *)at;

		if (LZ_BLOCK_TAG(e) <= LZ_BLOCK_GONE || c->block_used[LZ_BLOCK_OF(e)])
			continue;
		pthread_mutex_lock(&lz_blocks_mutex);
		if (!is_inhabited(v, i / LZ_BLOCK_ENTRIES, e) &&
		    __sync_bool_compare_and_swap(at, e, gone(e))) {
			was[i] = e;
			any = true;
		}
		pthread_mutex_unlock(&lz_blocks_mutex);
	}
	r = any ? lz_membarrier() : 0;
	for (__u32 i = 0; i < n && any; i++) {
		if (!was[i])
			continue;
		/* An entry that is another neighbourhood's by now gives its block back too. */
		if ((!r && !is_inhabited(v, i / LZ_BLOCK_ENTRIES, was[i])) ||
		    !__sync_bool_compare_and_swap(entry_at(v, i), gone(was[i]), was[i]))
			lz_view_give_back(v, LZ_BLOCK_OF(was[i]));
	}
	return r;
}

void lz_blocks_take_over(struct lz_tables_view *view)
{
	__u32 blocks = lz_blocks_of(view->instance.tag_lines);
	__u32 entries = view->instance.block_lines * LZ_BLOCK_ENTRIES;
	lz_autofree __u8 *lost = calloc(blocks + 1, 1);

	if (!lost)
		return;
	for (__u32 b = 0; b < blocks; b++) {
		const struct lz_block_line *line = &view->blocks[lz_block_bit_line(b, &view->instance)];

		lost[b] = *(const volatile __u32 *)&line->entry[b / 32 % LZ_BLOCK_ENTRIES] >> (b & 31) & 1;
	}
	if (lz_membarrier())
		return;
	for (__u32 i = 0; i < entries; i++) {
		__u32 e = *(volatile __u32 *)entry_at(view, i);

		if (LZ_BLOCK_TAG(e) > LZ_BLOCK_GONE && LZ_BLOCK_OF(e) < blocks)
			lost[LZ_BLOCK_OF(e)] = 0;
	}
	for (__u32 b = 0; b < blocks; b++)
		if (lost[b])
			lz_view_give_back(view, b);
}

static int count_all(struct counting *c)
{
	int r = 0;

	for (__u32 w = 0; w < c->view->slots / 8 && !r; w++) {
		__u64 word = c->before[w];
		__u64 live = ~lz_zero_bytes(word & LZ_BYTES_7F & ~LZ_BYTES_01) & LZ_BYTES_80;

		for (; live && !r; live &= live - 1)
			r = count_slot(c, w * 8 + lz_first_byte(live));
	}
	return r;
}

/* Cells made since the words were copied are not among those counted, and stay in the sums. */
static void correct_sums(const struct counting *c)
{
	struct lz_tables *tables = c->view->tables;

	__sync_fetch_and_add(&tables->cells_used, c->live - c->used_before);
	__sync_fetch_and_add(&tables->cells_held, c->held - c->held_before);
}

int lz_recount(struct lz_tables_view *view, __u64 *ret_tags_freed)
{
	size_t words = view->slots / 8;
	struct counting c = { .view = view };
	int r = -ENOMEM;

	c.before = malloc(words * sizeof(*c.before));
	c.needed = calloc(words, 1);
	c.block_used = calloc(view->slots / LZ_BLOCK_SLOTS + 1, 1);
	if (c.before && c.needed && c.block_used && !grow_parents(&c)) {
		memcpy(c.before, view->tags, words * sizeof(*c.before));
		/* behind the copy: what is made in between is missing until the next pass, which stops nobody */
		c.used_before = *(volatile __u64 *)&view->tables->cells_used;
		c.held_before = *(volatile __u64 *)&view->tables->cells_held;
		/* Whoever was under way when the words were copied has arrived after this. */
		r = lz_membarrier();
		if (!r)
			r = count_all(&c);
		if (!r)
			r = free_blocks(&c);
	}
	if (!r) {
		correct_parents(&c);
		*ret_tags_freed = free_words(&c);
		correct_sums(&c);
	}
	free(c.before);
	free(c.needed);
	free(c.block_used);
	free(c.parents);
	return r;
}
