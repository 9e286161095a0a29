/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * err.h - carries the reason of a failure out of a function that does not log.
 *
 * Text has the form `<object>: <what failed>: <why>[; <what to do>]`, lower case, one line. Bytes
 * that are not printable ASCII (they come from files and peers) are escaped when the text is set.
 */
#ifndef LZ_BASE_ERR_H
#define LZ_BASE_ERR_H

#include <stdarg.h>

struct lz_err {
	char text[512]; /* "" when nothing failed; longer texts end in ".." */
};

/**
 * lz_err_set() - record why and hand the code back
 * @err:  may be NULL, then only the code is returned
 * @code: an errno value, either sign, not 0
 *
 * Return: -|code|, for `return lz_err_set(...)`.
 */
int lz_err_set(struct lz_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int lz_err_vset(struct lz_err *err, int code, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/**
 * lz_text_escape() - printable ASCII copy of text from outside
 * @dst: always terminated; other bytes become \xNN, tab \t, newline \n; what does not fit ends in ".."
 *
 * Return: length written. A backslash is doubled, so that the result can be read back.
 */
unsigned lz_text_escape(char *dst, unsigned dst_size, const char *src, unsigned src_len);

/** lz_text_escape_rest() - the same of a text that may hold such escapes already: they stay as they are */
unsigned lz_text_escape_rest(char *dst, unsigned dst_size, const char *src, unsigned src_len);

#endif
