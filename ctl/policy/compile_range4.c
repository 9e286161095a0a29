/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compile_range4.c - IPv4 prefixes painted into the 16-8-8 table, longest last, never-list on top.
 *
 * Sorted ranges come outer before inner, so painting in order leaves the longest on top. What is
 * longer than /16 is painted one /16 at a time into a sheet of 65,536 classes that stays in the
 * cache, rows of it only where they are needed, and copied out when the /16 is done: that is when
 * the number of its children is known, and they must lie behind it in one piece.
 *
 * Behind the last extent some blocks stay empty: there a /16 that is changed later finds its new
 * extent (stores.h), without moving any other.
 */
#include "policy/compile.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

static __u32 *root_at(struct lz_image *image, __u32 i)
{
	return &image->range4[i / 16].root[i % 16];
}

/* All ranges of at most 16 bits. */
static void paint_roots(struct lz_compile *c, const struct lz_ranges *ranges, bool is_never)
{
	for (size_t i = 0; i < ranges->n; i++) {
		const struct lz_range *range = &ranges->v[i];
		__u32 first = lz_range4_number(&range->prefix) >> 16;

		if (range->prefix.addr.family != 4)
			break;
		if (range->prefix.len > 16)
			continue;
		for (__u32 k = 0; k < 1u << (16 - range->prefix.len); k++)
			*root_at(c->image, first + k) =
				is_never ? LZ_CLASS_NEVER : c->class_ids[range->owner];
	}
}

/* The longer ranges of one /16, from @at on. Returns the index of the first behind them. */
static size_t paint_extent(struct lz_compile *c, const struct lz_ranges *ranges, size_t at,
			   __u32 high, bool is_never, struct lz_sheet *sheet)
{
	for (; at < ranges->n; at++) {
		const struct lz_range *range = &ranges->v[at];

		if (range->prefix.addr.family != 4 || lz_range4_number(&range->prefix) >> 16 != high)
			break;
		if (range->prefix.len > 16 && sheet)
			lz_sheet_paint(sheet, &range->prefix,
				       is_never ? LZ_CLASS_NEVER : c->class_ids[range->owner]);
	}
	return at;
}

static int store_sheet(struct lz_compile *c, struct lz_sheet *sheet, __u32 high, size_t *cap)
{
	struct lz_image *image = c->image;
	__u32 blocks = lz_sheet_fold(sheet);
	int r;

	if (!blocks) {
		*root_at(image, high) = sheet->top[0];
		return 0;
	}
	r = lz_array_grow(&image->range4, cap,
			  image->range4_lines + (size_t)blocks * LZ_RANGE4_BLOCK_LINES,
			  sizeof(*image->range4));
	if (r < 0)
		return r;
	lz_sheet_write(sheet, image->range4 + image->range4_lines);
	*root_at(image, high) = LZ_RANGE4_EXTENT |
		(__u32)(image->range4_lines - LZ_RANGE4_ROOT_LINES) / LZ_RANGE4_BLOCK_LINES;
	image->range4_lines += (size_t)blocks * LZ_RANGE4_BLOCK_LINES;
	return 0;
}

/* Room for later changes, and which blocks are taken. */
static int add_spare(struct lz_image *image, size_t *cap)
{
	size_t used = lz_range4_blocks(image), spare = used / LZ_SPARE_SHARE;
	size_t blocks = used + (spare > LZ_SPARE_MIN ? spare : LZ_SPARE_MIN);
	size_t lines = LZ_RANGE4_ROOT_LINES + blocks * LZ_RANGE4_BLOCK_LINES;
	int r = lz_array_grow(&image->range4, cap, lines, sizeof(*image->range4));

	if (r < 0)
		return r;
	memset(image->range4 + image->range4_lines, 0,
	       (lines - image->range4_lines) * sizeof(*image->range4));
	image->range4_lines = lines;
	image->range4_taken = calloc(blocks, 1);
	if (!image->range4_taken)
		return -ENOMEM;
	memset(image->range4_taken, LZ_BLOCK_TAKEN, used);
	return 0;
}

/* The first range that begins in this /16 or behind it. */
static size_t first_in(const struct lz_ranges *ranges, __u32 high)
{
	size_t low = 0, end = ranges->n;

	while (low < end) {
		size_t mid = low + (end - low) / 2;
		const struct lz_prefix *prefix = &ranges->v[mid].prefix;

		if (prefix->addr.family == 4 && lz_range4_number(prefix) >> 16 < high)
			low = mid + 1;
		else
			end = mid;
	}
	return low;
}

void lz_range4_sheet(struct lz_compile *c, __u32 high, struct lz_sheet *sheet)
{
	const struct lz_ranges *classes = &c->policy->class_ranges, *never = &c->policy->never_ranges;
	struct lz_prefix whole = { .addr = lz_addr_v4(high << 16), .len = 16 };
	const struct lz_range *around = lz_ranges_find(classes, &whole);

	lz_sheet_clear(sheet, around ? c->class_ids[around->owner] : LZ_CLASS_FOREIGN);
	if (lz_ranges_find(never, &whole)) {
		lz_sheet_clear(sheet, LZ_CLASS_NEVER);
		return;
	}
	paint_extent(c, classes, first_in(classes, high), high, false, sheet);
	paint_extent(c, never, first_in(never, high), high, true, sheet);
}

/* The /16 of the range at @at; beyond the last IPv4 range: one past all. */
static __u32 high_of(const struct lz_ranges *ranges, size_t at)
{
	if (at >= ranges->n || ranges->v[at].prefix.addr.family != 4)
		return 0x10000;
	return lz_range4_number(&ranges->v[at].prefix) >> 16;
}

int lz_compile_range4(struct lz_compile *c)
{
	const struct lz_ranges *classes = &c->policy->class_ranges, *never = &c->policy->never_ranges;
	lz_autofree struct lz_sheet *sheet = malloc(sizeof(*sheet));
	size_t at = 0, never_at = 0, cap = LZ_RANGE4_ROOT_LINES;
	struct lz_image *image = c->image;
	int r = 0;

	image->range4 = calloc(LZ_RANGE4_ROOT_LINES, sizeof(*image->range4));
	if (!sheet || !image->range4)
		return -ENOMEM;
	image->range4_lines = LZ_RANGE4_ROOT_LINES;
	paint_roots(c, classes, false);
	paint_roots(c, never, true);
	while (!r) {
		__u32 a = high_of(classes, at), b = high_of(never, never_at);
		__u32 high = a < b ? a : b, root;

		if (high > 0xffff)
			break;
		root = *root_at(image, high);
		lz_sheet_clear(sheet, (__u16)root);
		/* All of it on the never-list: nothing longer counts. */
		at = paint_extent(c, classes, at, high, false, root == LZ_CLASS_NEVER ? NULL : sheet);
		never_at = paint_extent(c, never, never_at, high, true, sheet);
		r = store_sheet(c, sheet, high, &cap);
	}
	return r ? r : add_spare(image, &cap);
}
