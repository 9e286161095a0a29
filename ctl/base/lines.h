/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lines.h - the lines of a list that somebody wrote: no comments, no ends of lines, nothing lost in silence.
 *
 * A word that begins with # ends the line, one inside a word (RT#7) does not; \# at the beginning of a word
 * is a # that stays, \\# a \#. From the fourth word of a line on, where tickets and reasons stand, a word
 * that begins with # and has a digit in it (#12, #INC-7) is none the less a word: ticket systems number
 * so, and a ticket must not be lost in silence. Line 1 must not begin with a byte order mark; lines are
 * UTF-8 without control characters but tabs. A list in UTF-16 is refused at line 1, which is then its last.
 *
 * The last fields of a line are a word and a text. A backslash
 * before what would be read otherwise is left out: \- is a -, where - alone means that nothing is given; a
 * text's first or last word of nothing but backslashes loses one, so that \ keeps the blanks beside it.
 */
#ifndef LZ_BASE_LINES_H
#define LZ_BASE_LINES_H

#include <stddef.h>
#include <linux/types.h>

#include "base/err.h"
#include "base/mem.h"

struct lz_lines {
	char *next, *end; /* the lines that are not read yet */
	__u32 line; /* the last one read, from 1 */
};

/** lz_lines_quote() - @text so that a line which ends with it is read as it is: no word begins with # */
void lz_lines_quote(struct lz_str *s, const char *text);

/** lz_lines_quote_word() - a word for lz_lines_word(); "" = none */
void lz_lines_quote_word(struct lz_str *s, const char *word);

/** lz_lines_quote_text() - the last field of a line, for lz_lines_text(); "" = none */
void lz_lines_quote_text(struct lz_str *s, const char *text);

/**
 * lz_lines_word() - the next word of a line
 * @at: moved behind it
 *
 * Return: [*@ret_len] inside the line; NULL: none, or - for none.
 */
const char *lz_lines_word(const char **at, size_t *ret_len);

/** lz_lines_text() - the rest of a line, likewise; what lz_lines_next() has read has no blank at its end */
const char *lz_lines_text(const char *at, size_t *ret_len);

/** lz_lines_init() - @text[@len] is written to, too; it may have NULs before that */
void lz_lines_init(struct lz_lines *lines, char *text, size_t len);

/**
 * lz_lines_next() - read one more
 * @ret: inside the text, terminated; no comment, and no blank at its end
 *
 * Return: 1; 0: there is none; -EINVAL with @reterr set: it is no line of text, the next one may be.
 */
int lz_lines_next(struct lz_lines *lines, char **ret, struct lz_err *reterr);

#endif /* LZ_BASE_LINES_H */
