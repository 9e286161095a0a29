/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text.h - values as a human reads them: at most what fits, "-" for nothing, times both relative
 * and absolute, and nothing in them that a terminal would obey.
 */
#ifndef LZ_CLI_TEXT_H
#define LZ_CLI_TEXT_H

#include "cli/cli.h"

#define LZ_COLUMNS 80
#define LZ_CELL_BYTES 1280 /* a reason of 256 bytes, every one escaped, fits */

enum lz_cell_kind {
	LZ_CELL_TEXT,
	LZ_CELL_COUNT, /* right-aligned, shortened to 1234k, 1234M when it does not fit */
	LZ_CELL_AGO,   /* 2d04h */
	LZ_CELL_LEFT,  /* the same, of a time to come */
	LZ_CELL_TIME,  /* 2027-03-01T00:00:00Z (2d04h ago) */
	LZ_CELL_SPAN,  /* seconds */
	LZ_CELL_YES,   /* a bool as yes or no */
	LZ_CELL_LIST,  /* texts, ", " between them */
};

/** lz_text_safe() - @text with controls of any kind and broken UTF-8 escaped; returns @buf */
const char *lz_text_safe(const struct lz_cli *cli, const char *text, char *buf, size_t size);

/** lz_text_span() - "2d04h" "3h05m" "5m12s" "42s", which lz_duration_parse() reads; returns @buf */
const char *lz_text_span(__u64 ns, char *buf, size_t size);

/** lz_text_cell() - the value @item as text; "-" if it is missing, null or empty; returns @buf */
const char *lz_text_cell(const struct lz_cli *cli, const cJSON *item, enum lz_cell_kind kind,
			 unsigned int width, char buf[static LZ_CELL_BYTES]);

/** lz_text_member() - look up "policy.name"; NULL if there is none */
const cJSON *lz_text_member(const cJSON *obj, const char *path);

/** lz_text_get() - the same as a cell of kind LZ_CELL_TEXT */
const char *lz_text_get(const struct lz_cli *cli, const cJSON *obj, const char *path,
			char buf[static LZ_CELL_BYTES]);

/** lz_text_is() - is this member true? */
bool lz_text_is(const cJSON *obj, const char *path);

/** lz_text_put() - print @text, padded to @width (0 = not), right-aligned if so wanted */
void lz_text_put(const char *text, unsigned int width, bool right);

/** lz_text_fold() - @first and a text in lines of at most LZ_COLUMNS, broken at blanks */
void lz_text_fold(const char *first, const char *text);

#endif /* LZ_CLI_TEXT_H */
