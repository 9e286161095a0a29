/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sheet.h - one IPv4 /16 while its ranges are painted: 65,536 classes that stay in the cache, rows of
 * 256 only where a /24 is not of one class.
 */
#ifndef LZ_POLICY_SHEET_H
#define LZ_POLICY_SHEET_H

#include <lazaret/abi.h>
#include <stdbool.h>

#include "base/addr.h"

#define LZ_SHEET_ENTRIES 256

struct lz_sheet {
	__u16 top[LZ_SHEET_ENTRIES]; /* class of a /24, where it has no row */
	bool has_row[LZ_SHEET_ENTRIES];
	__u16 row[LZ_SHEET_ENTRIES][LZ_SHEET_ENTRIES];
};

/** lz_sheet_clear() - all of the /16 is of one class */
void lz_sheet_clear(struct lz_sheet *sheet, __u16 class_);

/** lz_sheet_paint() - over what is there; @prefix: 17..32 bits, IPv4; its upper 16 bits do not count */
void lz_sheet_paint(struct lz_sheet *sheet, const struct lz_prefix *prefix, __u16 class_);

/**
 * lz_sheet_fold() - rows of one class become an entry again
 * Return: blocks it takes, 1 + rows; 0: the whole /16 is of one class, top[0].
 */
__u32 lz_sheet_fold(struct lz_sheet *sheet);

/** lz_sheet_write() - as an extent of abi.h; @extent: LZ_RANGE4_BLOCK_LINES lines a block */
void lz_sheet_write(const struct lz_sheet *sheet, union lz_range4_line *extent);

/** lz_range4_number() - an IPv4 prefix's address as a number */
__u32 lz_range4_number(const struct lz_prefix *prefix);

#endif
