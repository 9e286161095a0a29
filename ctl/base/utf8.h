/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * utf8.h - which bytes are a character (RFC 3629; Unicode table 3-7: no overlong ones, no surrogates).
 */
#ifndef LZ_BASE_UTF8_H
#define LZ_BASE_UTF8_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define LZ_UTF8_BYTES_MAX 4 /* of a character */

/**
 * lz_utf8_read() - the character at @p
 * @end: of the text; @p + LZ_UTF8_BYTES_MAX if it ends with a NUL, which no character goes beyond
 * @ret: its number; may be NULL
 *
 * Return: its bytes, 1..4; 0: it is none, *@ret is not set.
 */
unsigned int lz_utf8_read(const char *p, const char *end, __u32 *ret);

/** lz_text_is_utf8() - nothing but whole characters; "" is */
bool lz_text_is_utf8(const char *text);

/**
 * lz_text_mark() - does a text begin with a byte order mark, which none of ours may?
 * @ret_bytes: of the mark, if UTF-8 follows it; 0: it is UTF-16, and none of its lines can be read
 *
 * Return: what to say of it; NULL: there is none.
 */
const char *lz_text_mark(const char *text, size_t len, unsigned int *ret_bytes);

#endif /* LZ_BASE_UTF8_H */
