/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lines.c - text to lines. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/lines.h"
#include "base/utf8.h"

#define BLANKS		"\t "
#define DIGITS		"0123456789"
#define WORDS_BEFORE	3 /* ADDRESS TIME GRADE, PREFIX WHAT UNTIL: then tickets and reasons */

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

/* Do as many words stand before @at as are neither ticket nor reason? */
static bool is_behind_words(const char *line, const char *at)
{
	int words = 0;

	for (const char *c = line; c < at && words < WORDS_BEFORE; c++)
		words += begins_word(line, c) && *c != ' ' && *c != '\t';
	return words == WORDS_BEFORE;
}

/* #12, #INC-7; not #printer */
static bool is_number(const char *at, const char *end)
{
	while (at < end && !strchr(BLANKS DIGITS, *at))
		at++;
	return at < end && *at >= '0' && *at <= '9';
}

/* The end of what is no comment; a quoted # loses one quote. */
static char *cut_comment(char *line, char *end)
{
	bool behind = false; /* asked once a line, which may be long */

	for (char *at = line; (at = memchr(at, '#', (size_t)(end - at))); at++) {
		if (begins_word(line, at)) {
			behind = behind || is_behind_words(line, at);
			if (!behind || !is_number(at, end))
				return at;
			continue;
		}
		if (quotes_before(line, at) == at)
			continue;
		memmove(at - 1, at, (size_t)(end - at));
		at--;
		end--;
	}
	return end;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* -, or one that is quoted */
static bool is_dash(const char *text, size_t len)
{
	size_t quotes = strspn(text, "\\");

	return quotes + 1 == len && text[quotes] == '-';
}

void lz_lines_quote_word(struct lz_str *s, const char *word)
{
	if (!*word || is_dash(word, strlen(word)))
		lz_str_append(s, *word ? "\\" : "-");
	lz_lines_quote(s, word);
}

/* Of a text's last word the backslashes, if it has nothing else and is not the first one, too; else NULL. */
static const char *last_quotes(const char *text, size_t len)
{
	const char *at = text + len;

	while (at > text && at[-1] == '\\')
		at--;
	return at > text && is_blank(at[-1]) ? at : NULL;
}

void lz_lines_quote_text(struct lz_str *s, const char *text)
{
	size_t len = strlen(text), quotes = strspn(text, "\\");

	if (!len) {
		lz_str_append(s, "-");
		return;
	}
	if (is_dash(text, len) || !text[quotes] || is_blank(text[quotes]))
		lz_str_append(s, "\\");
	lz_lines_quote(s, text);
	if (last_quotes(text, len))
		lz_str_append(s, "\\");
}

const char *lz_lines_word(const char **at, size_t *ret_len)
{
	const char *word = *at + strspn(*at, BLANKS);
	size_t len = strcspn(word, BLANKS);

	*at = word + len;
	*ret_len = len;
	if (!len || (len == 1 && *word == '-'))
		return NULL;
	*ret_len -= is_dash(word, len);
	return word + is_dash(word, len);
}

const char *lz_lines_text(const char *at, size_t *ret_len)
{
	const char *text = at + strspn(at, BLANKS), *last;
	size_t len = strlen(text), quotes = strspn(text, "\\");

	*ret_len = len;
	if (!len || lz_streq(text, "-"))
		return NULL;
	last = last_quotes(text, len);
	if (last && *last)
		len--;
	if (quotes && (is_dash(text, len) || !text[quotes] || is_blank(text[quotes]))) {
		text++;
		len--;
	}
	*ret_len = len;
	return text;
}

/* What is kept of a line is printed again, as JSON too: one bad byte would spoil the whole document. */
static int check_text(const char *line, const char *end, struct lz_err *reterr)
{
	unsigned int len = 1;

	for (const char *p = line; p < end; p += len) {
		if ((unsigned char)(*p - ' ') < 0x5f || *p == '\t')
			len = 1;
		else if (!(len = lz_utf8_read(p, end, NULL)))
			return lz_err_set(reterr, EINVAL, "is not UTF-8 (but for comments it must be)");
		else if (len == 1)
			return lz_err_set(reterr, EINVAL, "has control characters (want text)");
	}
	return 0;
}

int lz_lines_next(struct lz_lines *lines, char **ret, struct lz_err *reterr)
{
	char *line = lines->next, *end;
	unsigned int mark_bytes;
	const char *why;
	int r;

	if (line == lines->end)
		return 0;
	end = memchr(line, '\n', (size_t)(lines->end - line));
	end = end ? end : lines->end;
	lines->next = end + (end != lines->end);
	why = lines->line++ ? NULL : lz_text_mark(line, (size_t)(end - line), &mark_bytes);
	if (why) {
		lines->next = mark_bytes ? lines->next : lines->end;
		return lz_err_set(reterr, EINVAL, "%s", why);
	}
	if (memchr(line, '\0', (size_t)(end - line)))
		return lz_err_set(reterr, EINVAL, "has a NUL byte, is no text; save the list as UTF-8");
	end = cut_comment(line, end);
	while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	r = check_text(line, end, reterr);
	if (r < 0)
		return r;
	*end = '\0';
	*ret = line;
	return 1;
}
