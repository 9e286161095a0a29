/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * heldbits.c - the bits that say "maybe held" (held.h): set one, fill all anew.
 *
 * There are two copies, and packets read the one that lz_tables.held_copy names. Whoever holds a
 * source, limit or controller, writes its word first and then sets its bit in both. So a copy can be
 * emptied and filled again while packets go on: what is held after the emptying sets its bit itself,
 * what was held before is seen in the cells, and a barrier between makes "before" mean "visible".
 */
#include <errno.h>
#include <string.h>

#include "datapath/membarrier.h"
#include "datapath/search_view.h"

void lz_held_mark_bits(struct lz_tables_view *view, __u64 key, __u64 bits)
{
	lz_search_in = view;
	lz_held_set(key, bits);
}

void lz_held_mark(struct lz_tables_view *view, __u64 key)
{
	lz_search_in = view;
	lz_held_set(key, lz_held_bit(key));
}

bool lz_held_marked(const struct lz_tables_view *view, __u64 key)
{
	lz_search_in = view;
	return lz_held_asked(key, *(volatile __u64 *)&view->tables->held_copy & 1);
}

/* Words that are over count too: a host is steered for some seconds after its release. */
static void fill(struct lz_tables_view *v, unsigned copy)
{
	const __u64 *words = v->tags[0].word;

	lz_search_in = v;
	for (__u32 w = 0; w < v->slots / 8; w++) {
		__u64 held = *(const volatile __u64 *)&words[w] & LZ_BYTES_80;

		for (; held; held &= held - 1) {
			const struct lz_cell *cell = &v->cells[w * 8 + lz_first_byte(held)];
			__u64 stored = *(const volatile __u64 *)&cell->key;

			if (stored && *(const volatile __u64 *)&cell->hold)
				lz_held_set_in(~stored, lz_held_bit(~stored), copy);
		}
	}
}

/* What is marked meanwhile is not forgotten: fill() comes to it. A page whose owner goes before its bits do
 * may keep some of them: somebody is then looked up for nothing. */
static void empty(struct lz_tables_view *v, unsigned copy)
{
	__u32 lines = v->instance.held_lines;

	memset(v->tables->held_owner[copy], 0, sizeof(v->tables->held_owner[copy]));
	memset(&v->held[(size_t)copy * lines], 0, lines * sizeof(*v->held));
}

int lz_held_rebuild(struct lz_tables_view *view)
{
	unsigned copy = !(view->tables->held_copy & 1);
	int r = lz_membarrier(); /* nobody reads what was the copy before the last rebuild */

	if (r)
		return r;
	empty(view, copy);
	r = lz_membarrier();
	if (r)
		return r;
	fill(view, copy);
	__sync_synchronize();
	*(volatile __u64 *)&view->tables->held_copy = copy;
	return 0;
}
