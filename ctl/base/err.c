/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/err.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One byte as text; returns its length, 1..4. */
static unsigned escape_byte(char out[5], unsigned char c)
{
	if (c == '\n' || c == '\t' || c == '\\') {
		out[0] = '\\';
		out[1] = c == '\n' ? 'n' : c == '\t' ? 't' : '\\';
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	return (unsigned)snprintf(out, 5, "\\x%02x", c);
}

/* Bytes of an escape that escape_byte() may have written: 2, 4, or 0 if this is none. */
static unsigned escaped_already(const char *src, unsigned src_len)
{
	if (src_len < 2 || src[0] != '\\')
		return 0;
	if (strchr("nt\\", src[1]))
		return src[1] ? 2 : 0;
	return src_len >= 4 && src[1] == 'x' && isxdigit((unsigned char)src[2]) &&
	       isxdigit((unsigned char)src[3]) ? 4 : 0;
}

static unsigned escape(char *dst, unsigned dst_size, const char *src, unsigned src_len, bool nested)
{
	unsigned len = 0, keep = 0;
	char one[5];

	if (!dst_size)
		return 0;
	for (unsigned i = 0; i < src_len; i++) {
		unsigned n = nested ? escaped_already(src + i, src_len - i) : 0;

		if (n) {
			memcpy(one, src + i, n);
			i += n - 1;
		} else {
			n = escape_byte(one, (unsigned char)src[i]);
		}

		if (len + n >= dst_size) { /* cut at the last whole byte that leaves room for ".." */
			if (keep + 2 < dst_size) {
				memcpy(dst + keep, "..", 2);
				len = keep + 2;
			}
			break;
		}
		memcpy(dst + len, one, n);
		len += n;
		if (len + 2 < dst_size)
			keep = len;
	}
	dst[len] = '\0';
	return len;
}

unsigned lz_text_escape(char *dst, unsigned dst_size, const char *src, unsigned src_len)
{
	return escape(dst, dst_size, src, src_len, false);
}

unsigned lz_text_escape_rest(char *dst, unsigned dst_size, const char *src, unsigned src_len)
{
	return escape(dst, dst_size, src, src_len, true);
}

/* One error's text often stands inside another's: what is escaped is not escaped again. */
int lz_err_vset(struct lz_err *err, int code, const char *fmt, va_list ap)
{
	char raw[2 * sizeof(err->text)];
	int len;

	if (!err)
		return -abs(code);
	len = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (len < 0)
		len = 0;
	if ((size_t)len >= sizeof(raw))
		len = sizeof(raw) - 1;
	escape(err->text, sizeof(err->text), raw, (unsigned)len, true);
	return -abs(code);
}

int lz_err_set(struct lz_err *err, int code, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = lz_err_vset(err, code, fmt, ap);
	va_end(ap);
	return r;
}
