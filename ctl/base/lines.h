/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lines.h - the lines of a list that somebody wrote: no comments, no ends of lines, nothing lost in silence.
 *
 * A word that begins with # ends the line, one inside a word (RT#7) does not; \# at the beginning of a word
 * is a # that stays, \\# a \#. Line 1 must not begin with a byte order mark, no line may have a NUL.
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
