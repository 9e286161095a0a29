/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jsonscan.c - an RFC 8259 recogniser that remembers where each value stands.
 *
 * It builds no tree: cJSON does that afterwards, from a text that is known to be good. Recursion is
 * bounded by LZ_JSON_DEPTH_MAX. Besides the grammar it refuses what a reader would get wrong in
 * silence: NUL in a string, a lone surrogate, a number that overflows a double, a byte order mark, UTF-16.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#define NUMBER_TEXT_MAX 64 /* no value that a double can tell apart needs more */

struct scan {
	const char *p;
	const char *end;
	struct lz_json_index *index;
	__u32 n_values;
	struct lz_err *reterr;
	const char *text;
};

static int scan_value(struct scan *s, unsigned depth, struct lz_json_node node);

static int fail(struct scan *s, const char *why)
{
	return lz_err_set(s->reterr, EINVAL, "%s", why);
}

static int fail_at(struct scan *s, const char *at, const char *why)
{
	s->p = at;
	return fail(s, why);
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

static bool at(const struct scan *s, char c)
{
	return s->p < s->end && *s->p == c;
}

static bool at_digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* Inside a string, and of no meaning there: most of a policy of half a million prefixes. */
static bool is_plain(char c)
{
	return (unsigned char)(c - 0x20) < 0x60 && c != '"' && c != '\\';
}

/* Four hex digits behind \u; -1 if they are not. */
static int hex4(const struct scan *s, const char *p)
{
	int value = 0;

	if (s->end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit = c >= '0' && c <= '9' ? c - '0' :
			    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			    c >= 'A' && c <= 'F' ? c - 'A' + 10 :
						   -1;

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static int scan_unicode_escape(struct scan *s)
{
	int unit = hex4(s, s->p + 2), low;

	if (unit < 0)
		return fail(s, "\\u needs four hexadecimal digits");
	if (!unit)
		return fail(s, "NUL inside a string");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return fail(s, "lone surrogate");
	if (unit >= 0xd800 && unit <= 0xdbff) {
		low = s->end - s->p >= 12 && s->p[6] == '\\' && s->p[7] == 'u' ? hex4(s, s->p + 8)
									       : -1;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(s, "lone surrogate");
		s->p += 6;
	}
	s->p += 6;
	return 0;
}

static int scan_escape(struct scan *s)
{
	if (s->end - s->p < 2)
		return fail(s, "string does not end");
	if (s->p[1] == 'u')
		return scan_unicode_escape(s);
	if (!s->p[1] || !strchr("\"\\/bfnrt", s->p[1]))
		return fail(s, "unknown escape in a string");
	s->p += 2;
	return 0;
}

static int scan_string(struct scan *s)
{
	const char *start = s->p++;

	while (s->p < s->end && *s->p != '"') {
		unsigned len;
		int r;

		if (is_plain(*s->p)) {
			s->p++;
			continue;
		}
		if (*s->p == '\\') {
			r = scan_escape(s);
			if (r < 0)
				return r;
			continue;
		}
		if ((unsigned char)*s->p < 0x20)
			return fail(s, *s->p == '\n' ? "string does not end on its line" :
						       "control character in a string");
		len = lz_utf8_read(s->p, s->end, NULL);
		if (!len)
			return fail(s, "invalid UTF-8");
		s->p += len;
	}
	if (s->p == s->end)
		return fail_at(s, start, "string does not end");
	s->p++;
	return 0;
}

static int scan_number(struct scan *s)
{
	const char *start = s->p;
	char text[NUMBER_TEXT_MAX];
	size_t len;

	if (at(s, '-'))
		s->p++;
	if (!at_digit(s))
		return fail_at(s, start, "not a number");
	if (at(s, '0') && s->p + 1 < s->end && s->p[1] >= '0' && s->p[1] <= '9')
		return fail_at(s, start, "number with a leading zero");
	while (at_digit(s))
		s->p++;
	if (at(s, '.')) {
		s->p++;
		if (!at_digit(s))
			return fail_at(s, start, "number without digits behind its point");
		while (at_digit(s))
			s->p++;
	}
	if (at(s, 'e') || at(s, 'E')) {
		s->p++;
		if (at(s, '+') || at(s, '-'))
			s->p++;
		if (!at_digit(s))
			return fail_at(s, start, "number without digits in its exponent");
		while (at_digit(s))
			s->p++;
	}
	len = (size_t)(s->p - start);
	if (len >= sizeof(text))
		return fail_at(s, start, "number of more than 63 characters");
	memcpy(text, start, len);
	text[len] = '\0';
	if (!isfinite(strtod(text, NULL)))
		return fail_at(s, start, "number too large");
	return 0;
}

static int scan_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(s->end - s->p) >= len && !memcmp(s->p, words[i], len)) {
			s->p += len;
			return 0;
		}
	}
	if (at(s, '\''))
		return fail(s, "strings are written in double quotes");
	return fail(s, s->p < s->end && !*s->p ? "NUL character" : "value expected");
}

/* The members of an array or object whose opening bracket has been taken. */
static int scan_members(struct scan *s, unsigned depth, __u32 parent, char close, bool object)
{
	struct lz_json_node node = { .parent = parent, .is_member = object };
	int r;

	skip_space(s);
	if (at(s, close)) {
		s->p++;
		return 0;
	}
	for (;; node.ordinal++) {
		skip_space(s);
		node.offset = (__u32)(s->p - s->text);
		if (object) {
			if (at(s, '}'))
				return fail(s, "comma before '}'");
			if (!at(s, '"'))
				return fail(s, "key in double quotes expected");
			r = scan_string(s);
			if (r < 0)
				return r;
			skip_space(s);
			if (!at(s, ':'))
				return fail(s, "':' expected");
			s->p++;
			skip_space(s);
		} else if (at(s, ']')) {
			return fail(s, "comma before ']'");
		}
		r = scan_value(s, depth, node);
		if (r < 0)
			return r;
		skip_space(s);
		if (at(s, close)) {
			s->p++;
			return 0;
		}
		if (!at(s, ','))
			return fail(s, object ? "',' or '}' expected" : "',' or ']' expected");
		s->p++;
	}
}

static int scan_value(struct scan *s, unsigned depth, struct lz_json_node node)
{
	__u32 number = s->n_values++;
	int r;

	if (number >= LZ_JSON_VALUES_MAX)
		return lz_err_set(s->reterr, E2BIG, "more than %u values; put long lists into files",
				  LZ_JSON_VALUES_MAX);
	if (depth >= LZ_JSON_DEPTH_MAX && (at(s, '{') || at(s, '[')))
		return lz_err_set(s->reterr, EINVAL, "nested more than %u deep", LZ_JSON_DEPTH_MAX);
	if (s->index) {
		r = lz_array_grow(&s->index->nodes, &s->index->cap, number + 1UL, sizeof(node));
		if (r < 0)
			return r;
		s->index->nodes[number] = node;
		s->index->n = number + 1UL;
	}
	if (s->p == s->end)
		return fail(s, "text ends where a value is expected");
	if (at(s, '{')) {
		s->p++;
		r = scan_members(s, depth + 1, number, '}', true);
	} else if (at(s, '[')) {
		s->p++;
		r = scan_members(s, depth + 1, number, ']', false);
	} else if (at(s, '"')) {
		r = scan_string(s);
	} else if (at(s, '-') || at_digit(s)) {
		r = scan_number(s);
	} else {
		r = scan_word(s);
	}
	if (!r && s->index)
		s->index->nodes[number].end = s->n_values;
	return r;
}

int lz_json_scan(const char *text, size_t len, struct lz_json_index *index, size_t *ret_offset,
		 struct lz_err *reterr)
{
	struct scan s = {
		.p = text, .end = text + len, .text = text, .index = index, .reterr = reterr
	};
	unsigned int mark_bytes;
	const char *why;
	int r = 0;

	if (index)
		index->n = 0;
	if (len > LZ_JSON_BYTES_MAX)
		r = lz_err_set(reterr, E2BIG, "%zu bytes (want at most %u)", len, LZ_JSON_BYTES_MAX);
	else if ((why = lz_text_mark(text, len, &mark_bytes)))
		r = fail(&s, why);
	if (!r) {
		skip_space(&s);
		r = scan_value(&s, 0, (struct lz_json_node){ .offset = (__u32)(s.p - text) });
	}
	if (!r) {
		skip_space(&s);
		if (s.p < s.end)
			r = fail(&s, *s.p ? "text behind the end of the value" : "NUL character");
	}
	if (r < 0 && ret_offset)
		*ret_offset = (size_t)(s.p - text);
	return r;
}

void lz_json_index_done(struct lz_json_index *index)
{
	free(index->nodes);
	*index = (struct lz_json_index){};
}

void lz_json_place(const char *text, size_t offset, __u32 *ret_line, __u32 *ret_col)
{
	__u32 line = 1;
	size_t start = 0;

	for (size_t i = 0; i < offset; i++) {
		if (text[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	*ret_line = line;
	*ret_col = (__u32)(offset - start + 1);
}
