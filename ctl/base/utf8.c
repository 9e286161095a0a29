/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/utf8.h"

#include <stddef.h>
#include <string.h>

/* Length that a first byte announces; 0xc0, 0xc1 and 0xf5.. are none. */
static unsigned int announced(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

unsigned int lz_utf8_read(const char *p, const char *end, __u32 *ret)
{
	static const __u32 least[LZ_UTF8_BYTES_MAX + 1] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int len = announced((unsigned char)*p);
	__u32 c = len > 1 ? *p & (0x7f >> len) : (unsigned char)*p;

	if (end - p < (ptrdiff_t)len)
		return 0;
	for (unsigned int i = 1; i < len; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	if (ret && len)
		*ret = c;
	return len;
}

bool lz_text_is_utf8(const char *text)
{
	while (*text) {
		unsigned int len = lz_utf8_read(text, text + LZ_UTF8_BYTES_MAX, NULL);

		if (!len)
			return false;
		text += len;
	}
	return true;
}

static bool begins(const char *text, size_t len, const char *mark, size_t mark_len)
{
	return len >= mark_len && !memcmp(text, mark, mark_len);
}

const char *lz_text_mark(const char *text, size_t len, unsigned int *ret_bytes)
{
	*ret_bytes = 0;
	if (begins(text, len, "\xff\xfe", 2) || begins(text, len, "\xfe\xff", 2))
		return "is UTF-16 (Notepad's \"Unicode\"); save it as UTF-8, without a byte order mark";
	if (!begins(text, len, "\xef\xbb\xbf", 3))
		return NULL;
	*ret_bytes = 3;
	return "begins with a byte order mark; save it without one";
}
