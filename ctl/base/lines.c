/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lines.c - text to lines. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/lines.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

void lz_lines_init(struct lz_lines *lines, char *text, size_t len)
{
	*lines = (struct lz_lines){ .next = text, .end = text + len };
	*lines->end = '\0';
}

/* Does a word begin at @at? */
static bool begins_word(const char *line, const char *at)
{
	return at == line || at[-1] == ' ' || at[-1] == '\t';
}

/* The first of the backslashes before a # that begins a word but for them; or @at. */
static const char *quotes_before(const char *line, const char *at)
{
	const char *first = at;

	while (first > line && first[-1] == '\\')
		first--;
	return begins_word(line, first) ? first : at;
}

void lz_lines_quote(struct lz_str *s, const char *text)
{
	for (const char *c = text; *c; c++) {
		const char *first = c + strspn(c, "\\");

		if (*first == '#' && begins_word(text, c))
			lz_str_append(s, "\\");
		lz_str_append_n(s, c, 1);
	}
}

/* The end of what is no comment; a quoted # loses one quote. */
static char *cut_comment(char *line, char *end)
{
	for (char *at = line; (at = memchr(at, '#', (size_t)(end - at))); at++) {
		if (begins_word(line, at))
			return at;
		if (quotes_before(line, at) == at)
			continue;
		memmove(at - 1, at, (size_t)(end - at));
		at--;
		end--;
	}
	return end;
}

int lz_lines_next(struct lz_lines *lines, char **ret, struct lz_err *reterr)
{
	static const char mark[] = BYTE_ORDER_MARK;
	char *line = lines->next, *end;

	if (line == lines->end)
		return 0;
	end = memchr(line, '\n', (size_t)(lines->end - line));
	end = end ? end : lines->end;
	lines->next = end + (end != lines->end);
	if (!lines->line++ && end - line >= (long)sizeof(mark) - 1 && !memcmp(line, mark, sizeof(mark) - 1))
		return lz_err_set(reterr, EINVAL, "begins with a byte order mark; save it without one");
	if (memchr(line, '\0', (size_t)(end - line)))
		return lz_err_set(reterr, EINVAL, "has a NUL byte, is no text; save the list as UTF-8");
	end = cut_comment(line, end);
	while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	*end = '\0';
	*ret = line;
	return 1;
}
