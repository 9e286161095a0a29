/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/sheet.h"

#include <string.h>

__u32 lz_range4_number(const struct lz_prefix *prefix)
{
	const __u8 *b = prefix->addr.bytes;

	return (__u32)b[0] << 24 | (__u32)b[1] << 16 | (__u32)b[2] << 8 | b[3];
}

void lz_sheet_clear(struct lz_sheet *sheet, __u16 class_)
{
	for (__u32 i = 0; i < LZ_SHEET_ENTRIES; i++) {
		sheet->top[i] = class_;
		sheet->has_row[i] = false;
	}
}

void lz_sheet_paint(struct lz_sheet *sheet, const struct lz_prefix *prefix, __u16 class_)
{
	__u32 addr = lz_range4_number(prefix) & 0xffff, b = addr >> 8;

	if (prefix->len <= 24) {
		for (__u32 i = 0; i < 1u << (24 - prefix->len); i++) {
			sheet->top[b + i] = class_;
			sheet->has_row[b + i] = false;
		}
		return;
	}
	if (!sheet->has_row[b]) {
		for (__u32 i = 0; i < LZ_SHEET_ENTRIES; i++)
			sheet->row[b][i] = sheet->top[b];
		sheet->has_row[b] = true;
	}
	for (__u32 i = 0; i < 1u << (32 - prefix->len); i++)
		sheet->row[b][(addr & 255) + i] = class_;
}

static bool is_uniform(const __u16 *entries)
{
	return !memcmp(entries, entries + 1, (LZ_SHEET_ENTRIES - 1) * sizeof(*entries));
}

__u32 lz_sheet_fold(struct lz_sheet *sheet)
{
	__u32 rows = 0;

	for (__u32 b = 0; b < LZ_SHEET_ENTRIES; b++) {
		if (sheet->has_row[b] && is_uniform(sheet->row[b])) {
			sheet->top[b] = sheet->row[b][0];
			sheet->has_row[b] = false;
		}
		rows += sheet->has_row[b];
	}
	return !rows && is_uniform(sheet->top) ? 0 : 1 + rows;
}

void lz_sheet_write(const struct lz_sheet *sheet, union lz_range4_line *extent)
{
	__u32 child = 0;

	for (__u32 b = 0; b < LZ_SHEET_ENTRIES; b++) {
		__u16 *entry = &extent[b / 32].entry[b % 32];

		*entry = sheet->top[b];
		if (!sheet->has_row[b])
			continue;
		*entry = (__u16)(LZ_RANGE4_CHILD | child++);
		memcpy(extent + (size_t)child * LZ_RANGE4_BLOCK_LINES, sheet->row[b],
		       sizeof(sheet->row[b]));
	}
}
