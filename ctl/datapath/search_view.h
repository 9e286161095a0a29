/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * search_view.h - the search of search.h over a mapped view. Inside this room only.
 *
 * search.h asks for its lines by number alone, so a search says first which view it is in. The
 * pointer is a thread's own: threads may search different views at once.
 */
#ifndef LZ_DATAPATH_SEARCH_VIEW_H
#define LZ_DATAPATH_SEARCH_VIEW_H

#include <pthread.h>

#include "datapath/tables.h"

static __thread const struct lz_tables_view *lz_search_in;

static inline struct lz_tag_line *lz_search_line(__u32 line)
{
	return &lz_search_in->tags[line];
}

static inline struct lz_cell *lz_search_cell(__u32 slot)
{
	return &lz_search_in->cells[slot];
}

static inline struct lz_block_line *lz_search_blocks(__u32 line)
{
	return &lz_search_in->blocks[line];
}

static inline struct lz_held_line *lz_search_held(__u32 line)
{
	return &lz_search_in->held[line];
}

#define LZ_SEARCH_IN	 (&lz_search_in->instance)
#define LZ_SEARCH_TABLES (lz_search_in->tables)
#define LZ_SEARCH_LOOP
#define LZ_SEARCH_FN static inline
#include <lazaret/search.h>
#include <lazaret/held.h>

static inline int lz_view_find(const struct lz_tables_view *view, __u64 key)
{
	lz_search_in = view;
	return lz_search_find(key);
}

/* The key's place in the block of its neighbourhood, or LZ_SEARCH_NONE. */
static inline int lz_view_place(const struct lz_tables_view *view, __u64 key)
{
	lz_search_in = view;
	return lz_block_find(key);
}

/* Nobody lives in this block any more: others may. */
static inline void lz_view_give_back(const struct lz_tables_view *view, __u32 block)
{
	lz_search_in = view;
	lz_block_give_back(block);
}

/* A barrier ends every program that still goes by a block's old entry, but not a thread of ours: whoever
 * makes a cell holds this until its key is there, whoever takes an entry away while he does. */
extern pthread_mutex_t lz_blocks_mutex;

static inline int lz_view_create(const struct lz_tables_view *view, __u64 key)
{
	lz_search_in = view;
	return lz_search_create(key);
}

/** lz_hold_clear_slot() - forget the ended hold @word of a slot, unless it has changed */
void lz_hold_clear_slot(struct lz_tables_view *view, __u32 slot, __u64 word);

/** lz_held_mark() - packets of @key look for its hold from now on: call it after the word is written */
void lz_held_mark(struct lz_tables_view *view, __u64 key);

/** lz_held_mark_bits() - the same for the keys of the word that @key's bit lies in whose bits are set in @bits */
void lz_held_mark_bits(struct lz_tables_view *view, __u64 key, __u64 bits);

/** lz_held_marked() - do they, now? */
bool lz_held_marked(const struct lz_tables_view *view, __u64 key);

/**
 * lz_held_rebuild() - forget the bits of holds that are gone
 * Return: 0, or -errno of membarrier: then packets read the bits that they read before.
 */
int lz_held_rebuild(struct lz_tables_view *view);


#endif
