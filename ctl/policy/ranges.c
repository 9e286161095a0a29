/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int lz_ranges_add(struct lz_ranges *ranges, const struct lz_prefix *prefix, __u32 owner,
		  struct lz_place place)
{
	int r = lz_array_grow(&ranges->v, &ranges->cap, ranges->n + 1, sizeof(*ranges->v));

	if (r < 0)
		return r;
	ranges->v[ranges->n++] = (struct lz_range){
		.prefix = *prefix,
		.owner = owner,
		.parent = LZ_RANGE_NONE,
		.place = place,
	};
	return 0;
}

int lz_place_cmp(const struct lz_place *a, const struct lz_place *b)
{
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct lz_range *x = a, *y = b;
	int order = lz_prefix_cmp(&x->prefix, &y->prefix);

	return order ? order : lz_place_cmp(&x->place, &y->place);
}

void lz_ranges_sort(struct lz_ranges *ranges)
{
	lz_array_sort(ranges->v, ranges->n, sizeof(*ranges->v), compare_ranges);
}

void lz_ranges_link(struct lz_ranges *ranges)
{
	struct lz_range *v = ranges->v;
	__u32 top = LZ_RANGE_NONE; /* innermost range still open; its parents are the stack */
	size_t n = 0;

	for (size_t i = 0; i < ranges->n; i++) {
		if (n && !lz_prefix_cmp(&v[n - 1].prefix, &v[i].prefix))
			continue;
		while (top != LZ_RANGE_NONE && !lz_prefix_contains(&v[top].prefix, &v[i].prefix))
			top = v[top].parent;
		v[n] = v[i];
		v[n].parent = top;
		top = (__u32)n++;
	}
	ranges->n = n;
}

size_t lz_prefix_rank(const void *items, size_t n, size_t item_size, const struct lz_prefix *prefix)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const void *item = (const char *)items + mid * item_size;

		if (lz_prefix_cmp(item, prefix) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t count_to(const struct lz_ranges *ranges, const struct lz_prefix *prefix)
{
	return lz_prefix_rank(ranges->v, ranges->n, sizeof(*ranges->v), prefix);
}

size_t lz_ranges_first(const struct lz_ranges *ranges, const struct lz_prefix *prefix)
{
	size_t n = count_to(ranges, prefix);

	return n && !lz_prefix_cmp(&ranges->v[n - 1].prefix, prefix) ? n - 1 : n;
}

const struct lz_range *lz_ranges_find(const struct lz_ranges *ranges,
				      const struct lz_prefix *prefix)
{
	const struct lz_range *v = ranges->v;
	size_t n = count_to(ranges, prefix);
	/* If any range contains it, the last one <= prefix or an ancestor of that does. */
	__u32 i = n ? (__u32)(n - 1) : LZ_RANGE_NONE;

	while (i != LZ_RANGE_NONE && !lz_prefix_contains(&v[i].prefix, prefix))
		i = v[i].parent;
	return i == LZ_RANGE_NONE ? NULL : &v[i];
}

int lz_ranges_insert(struct lz_ranges *ranges, const struct lz_prefix *prefix, __u32 owner,
		     struct lz_place place)
{
	const struct lz_range *around = lz_ranges_find(ranges, prefix);
	__u32 parent = around ? (__u32)(around - ranges->v) : LZ_RANGE_NONE;
	size_t at = count_to(ranges, prefix);
	struct lz_range *v;
	int r;

	if (around && !lz_prefix_cmp(&around->prefix, prefix))
		return -EEXIST;
	r = lz_array_grow(&ranges->v, &ranges->cap, ranges->n + 1, sizeof(*v));
	if (r < 0)
		return r;
	v = ranges->v;
	memmove(v + at + 1, v + at, (ranges->n++ - at) * sizeof(*v));
	v[at] = (struct lz_range){ .prefix = *prefix, .owner = owner, .parent = parent, .place = place };
	for (size_t i = at + 1; i < ranges->n; i++)
		if (v[i].parent != LZ_RANGE_NONE && v[i].parent >= at)
			v[i].parent++;
	/* what is inside lies right behind */
	for (size_t i = at + 1; i < ranges->n && lz_prefix_contains(prefix, &v[i].prefix); i++)
		if (v[i].parent == parent)
			v[i].parent = (__u32)at;
	return 0;
}

int lz_ranges_remove(struct lz_ranges *ranges, const struct lz_prefix *prefix)
{
	size_t at = count_to(ranges, prefix);
	struct lz_range *v = ranges->v;
	__u32 parent;

	if (!at || lz_prefix_cmp(&v[--at].prefix, prefix))
		return -ENOENT;
	parent = v[at].parent;
	memmove(v + at, v + at + 1, (--ranges->n - at) * sizeof(*v));
	for (size_t i = at; i < ranges->n; i++) {
		if (v[i].parent == at)
			v[i].parent = parent;
		else if (v[i].parent != LZ_RANGE_NONE && v[i].parent > at)
			v[i].parent--;
	}
	return 0;
}

bool lz_prefix_is_too_wide(const struct lz_prefix *prefix)
{
	return prefix->len < (prefix->addr.family == 4 ? 8 : 20);
}

void lz_ranges_done(struct lz_ranges *ranges)
{
	free(ranges->v);
	*ranges = (struct lz_ranges){};
}
