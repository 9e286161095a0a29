/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compile_range4.c - IPv4 prefixes painted into the 16-8-8 table, longest last, never-list on top.
 *
 * Sorted ranges come outer before inner, so painting in order leaves the longest on top. What is
 * longer than /16 is painted one /16 at a time into a sheet of 65,536 classes that stays in the
 * cache, rows of it only where they are needed, and copied out when the /16 is done: that is when
 * the number of its children is known, and they must lie behind it in one piece.
 */
#include "policy/compile.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_ENTRIES 256

struct sheet {
	__u16 top[BLOCK_ENTRIES]; /* class of a /24, where it has no row */
	bool has_row[BLOCK_ENTRIES];
	__u16 row[BLOCK_ENTRIES][BLOCK_ENTRIES];
};

static __u32 number_of(const struct lz_prefix *prefix)
{
	const __u8 *b = prefix->addr.bytes;

	return (__u32)b[0] << 24 | (__u32)b[1] << 16 | (__u32)b[2] << 8 | b[3];
}

static __u32 *root_at(struct lz_image *image, __u32 i)
{
	return &image->range4[i / 16].root[i % 16];
}

/* All ranges of at most 16 bits. */
static void paint_roots(struct lz_compile *c, const struct lz_ranges *ranges, bool is_never)
{
	for (size_t i = 0; i < ranges->n; i++) {
		const struct lz_range *range = &ranges->v[i];
		__u32 first = number_of(&range->prefix) >> 16;

		if (range->prefix.addr.family != 4)
			break;
		if (range->prefix.len > 16)
			continue;
		for (__u32 k = 0; k < 1u << (16 - range->prefix.len); k++)
			*root_at(c->image, first + k) =
				is_never ? LZ_CLASS_NEVER : c->class_ids[range->owner];
	}
}

static void paint_sheet(struct sheet *sheet, const struct lz_prefix *prefix, __u16 class_)
{
	__u32 addr = number_of(prefix) & 0xffff, b = addr >> 8;

	if (prefix->len <= 24) {
		for (__u32 i = 0; i < 1u << (24 - prefix->len); i++) {
			sheet->top[b + i] = class_;
			sheet->has_row[b + i] = false;
		}
		return;
	}
	if (!sheet->has_row[b]) {
		for (__u32 i = 0; i < BLOCK_ENTRIES; i++)
			sheet->row[b][i] = sheet->top[b];
		sheet->has_row[b] = true;
	}
	for (__u32 i = 0; i < 1u << (32 - prefix->len); i++)
		sheet->row[b][(addr & 255) + i] = class_;
}

/* The longer ranges of one /16, from @at on. Returns the index of the first behind them. */
static size_t paint_extent(struct lz_compile *c, const struct lz_ranges *ranges, size_t at,
			   __u32 high, bool is_never, struct sheet *sheet)
{
	for (; at < ranges->n; at++) {
		const struct lz_range *range = &ranges->v[at];

		if (range->prefix.addr.family != 4 || number_of(&range->prefix) >> 16 != high)
			break;
		if (range->prefix.len > 16 && sheet)
			paint_sheet(sheet, &range->prefix,
				    is_never ? LZ_CLASS_NEVER : c->class_ids[range->owner]);
	}
	return at;
}

static bool is_uniform(const __u16 *entries)
{
	return !memcmp(entries, entries + 1, (BLOCK_ENTRIES - 1) * sizeof(*entries));
}

/* Rows of one class become an entry again; returns how many are left. */
static __u32 fold_rows(struct sheet *sheet)
{
	__u32 rows = 0;

	for (__u32 b = 0; b < BLOCK_ENTRIES; b++) {
		if (sheet->has_row[b] && is_uniform(sheet->row[b])) {
			sheet->top[b] = sheet->row[b][0];
			sheet->has_row[b] = false;
		}
		rows += sheet->has_row[b];
	}
	return rows;
}

static int store_sheet(struct lz_compile *c, struct sheet *sheet, __u32 high, size_t *cap)
{
	struct lz_image *image = c->image;
	__u32 rows = fold_rows(sheet), child = 0;
	union lz_range4_line *extent;
	int r;

	if (!rows && is_uniform(sheet->top)) {
		*root_at(image, high) = sheet->top[0];
		return 0;
	}
	r = lz_array_grow(&image->range4, cap,
			  image->range4_lines + (1 + rows) * LZ_RANGE4_BLOCK_LINES,
			  sizeof(*image->range4));
	if (r < 0)
		return r;
	extent = image->range4 + image->range4_lines;
	*root_at(image, high) = LZ_RANGE4_EXTENT |
		(__u32)(image->range4_lines - LZ_RANGE4_ROOT_LINES) / LZ_RANGE4_BLOCK_LINES;
	for (__u32 b = 0; b < BLOCK_ENTRIES; b++) {
		__u16 *entry = &extent[b / 32].entry[b % 32];

		*entry = sheet->top[b];
		if (!sheet->has_row[b])
			continue;
		*entry = (__u16)(LZ_RANGE4_CHILD | child++);
		memcpy(extent + (size_t)child * LZ_RANGE4_BLOCK_LINES, sheet->row[b], sizeof(sheet->row[b]));
	}
	image->range4_lines += (size_t)(1 + rows) * LZ_RANGE4_BLOCK_LINES;
	return 0;
}

/* The /16 of the range at @at; beyond the last IPv4 range: one past all. */
static __u32 high_of(const struct lz_ranges *ranges, size_t at)
{
	if (at >= ranges->n || ranges->v[at].prefix.addr.family != 4)
		return 0x10000;
	return number_of(&ranges->v[at].prefix) >> 16;
}

int lz_compile_range4(struct lz_compile *c)
{
	const struct lz_ranges *classes = &c->policy->class_ranges, *never = &c->policy->never_ranges;
	lz_autofree struct sheet *sheet = malloc(sizeof(*sheet));
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
		for (__u32 i = 0; i < BLOCK_ENTRIES; i++) {
			sheet->top[i] = (__u16)root;
			sheet->has_row[i] = false;
		}
		/* All of it on the never-list: nothing longer counts. */
		at = paint_extent(c, classes, at, high, false, root == LZ_CLASS_NEVER ? NULL : sheet);
		never_at = paint_extent(c, never, never_at, high, true, sheet);
		r = store_sheet(c, sheet, high, &cap);
	}
	return r;
}
