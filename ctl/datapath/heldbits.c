/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * heldbits.c - the bits that say "maybe held" (abi.h, struct lz_held_line): set one, fill all anew.
 *
 * There are two copies, and packets read the one that lz_tables.held_copy names. Whoever holds a
 * source, limit or controller, writes its word first and then sets its bit in both. So a copy can be
 * emptied and filled again while packets go on: what is held after the emptying sets its bit itself,
 * what was held before is seen in the cells, and a barrier between makes "before" mean "visible".
 */
#include <errno.h>
#include <string.h>

#include "datapath/search_view.h"
#include "datapath/sweep.h"

static __u64 *bit_word(const struct lz_tables_view *v, unsigned copy, const struct lz_held_place *at)
{
	return &v->held[(size_t)copy * v->instance.held_lines + at->line].word[at->word];
}

void lz_held_mark_place(struct lz_tables_view *view, const struct lz_held_place *at)
{
	for (unsigned copy = 0; copy < 2; copy++) {
		__u64 *word = bit_word(view, copy, at);

		if (at->bit & ~*(volatile __u64 *)word)
			__sync_fetch_and_or(word, at->bit);
	}
}

void lz_held_mark(struct lz_tables_view *view, __u64 key)
{
	struct lz_held_place at = lz_held_place(key, &view->instance);

	lz_held_mark_place(view, &at);
}

bool lz_held_marked(const struct lz_tables_view *view, __u64 key)
{
	struct lz_held_place at = lz_held_place(key, &view->instance);

	return (*(volatile __u64 *)bit_word(view, 0, &at) & at.bit) &&
	       (*(volatile __u64 *)bit_word(view, 1, &at) & at.bit);
}

/* Words that are over count too: a host is steered for some seconds after its release. */
static void fill(struct lz_tables_view *v, unsigned copy)
{
	const __u64 *words = v->tags[0].word;

	for (__u32 w = 0; w < v->slots / 8; w++) {
		__u64 held = *(const volatile __u64 *)&words[w] & LZ_BYTES_80;

		for (; held; held &= held - 1) {
			const struct lz_cell *cell = &v->cells[w * 8 + lz_first_byte(held)];
			__u64 stored = *(const volatile __u64 *)&cell->key;
			struct lz_held_place at;

			if (!stored || !*(const volatile __u64 *)&cell->hold)
				continue;
			at = lz_held_place(~stored, &v->instance);
			__sync_fetch_and_or(bit_word(v, copy, &at), at.bit);
		}
	}
}

int lz_held_rebuild(struct lz_tables_view *view)
{
	unsigned copy = !(view->tables->held_copy & 1);
	int r = lz_membarrier(); /* nobody reads what was the copy before the last rebuild */

	if (r)
		return r;
	memset(&view->held[(size_t)copy * view->instance.held_lines], 0,
	       view->instance.held_lines * sizeof(*view->held));
	r = lz_membarrier();
	if (r)
		return r;
	fill(view, copy);
	__sync_synchronize();
	*(volatile __u64 *)&view->tables->held_copy = copy;
	return 0;
}
