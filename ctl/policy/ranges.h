/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ranges.h - many prefixes with owners, sorted, with the nearest enclosing prefix of each.
 *
 * Sorted by lz_prefix_cmp() an outer prefix comes before its inner ones, so one sweep with a stack
 * finds all nesting, and a look-up is a binary search and a climb of at most 128 steps.
 */
#ifndef LZ_POLICY_RANGES_H
#define LZ_POLICY_RANGES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

#define LZ_RANGE_NONE 0xffffffffu

/* Where something stands: a value of the policy, or a line of the file which that value names. */
struct lz_place {
	__u32 node;
	__u32 line; /* from 1; 0: the value itself */
};

/** lz_place_cmp() - order of places: by value, then by line of its file */
int lz_place_cmp(const struct lz_place *a, const struct lz_place *b);

struct lz_range {
	struct lz_prefix prefix; /* the first: lz_prefix_rank() */
	__u32 owner;
	__u32 parent; /* index of the nearest enclosing range, or LZ_RANGE_NONE */
	struct lz_place place;
};

/* All zeros is empty. */
struct lz_ranges {
	struct lz_range *v;
	size_t n;
	size_t cap;
};

/**
 * lz_prefix_rank() - how many of these are <= @prefix
 * @items: sorted by lz_prefix_cmp(); each begins with its struct lz_prefix
 */
size_t lz_prefix_rank(const void *items, size_t n, size_t item_size, const struct lz_prefix *prefix);

int lz_ranges_add(struct lz_ranges *ranges, const struct lz_prefix *prefix, __u32 owner,
		  struct lz_place place);

/** lz_ranges_sort() - by prefix, then place; equal prefixes stay, side by side */
void lz_ranges_sort(struct lz_ranges *ranges);

/** lz_ranges_link() - drop all but the first of equal prefixes and set parents; after sorting */
void lz_ranges_link(struct lz_ranges *ranges);

/** lz_ranges_find() - the longest range that contains @prefix (it may equal it), or NULL */
const struct lz_range *lz_ranges_find(const struct lz_ranges *ranges,
				      const struct lz_prefix *prefix);

/** lz_ranges_first() - index of the first range that is not before @prefix: of what is inside, if any is */
size_t lz_ranges_first(const struct lz_ranges *ranges, const struct lz_prefix *prefix);

/**
 * lz_ranges_insert() - one more range of a list that is sorted and linked, and stays so
 * Moves what is behind it: 2 ms for half a million. 0; -EEXIST: this very prefix is there; -ENOMEM.
 */
int lz_ranges_insert(struct lz_ranges *ranges, const struct lz_prefix *prefix, __u32 owner,
		     struct lz_place place);

/** lz_ranges_remove() - and take out again; 0 or -ENOENT */
int lz_ranges_remove(struct lz_ranges *ranges, const struct lz_prefix *prefix);

void lz_ranges_done(struct lz_ranges *ranges);

#define LZ_CUSTOMERS_WIDEST "a /8, IPv6 a /20"

/**
 * lz_prefix_is_too_wide() - wider than LZ_CUSTOMERS_WIDEST: not some customers, but a part of the world
 *
 * For what lists sources by hand: sets of classes, customers, exceptions. No provider has an IPv4 block
 * above a /8, the two that have an IPv6 /19 write two /20. Destinations may be as wide as they like.
 */
bool lz_prefix_is_too_wide(const struct lz_prefix *prefix);

#endif
