/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* grade.c - grades of a hold: text and order. */
#include "colony/grade.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define GARDEN   "garden:"
#define THROTTLE "throttle"
/* Of whoever asks for a hold, by the protocol or in a list, where a grade is one word. */
#define WANT	 "want garden:NAME, leaky, strict, block25 or throttle:RATE"

static bool is_name(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return len && len <= LZ_GRADE_NAME_MAX && !text[len];
}

static int parse_throttle(const char *text, struct lz_grade *ret, struct lz_err *reterr)
{
	struct lz_grade grade = { .kind = LZ_GRADE_IS_THROTTLE };
	int r;

	text += strspn(text, " ");
	r = lz_rate_parse(text, &grade.rate, reterr);
	if (r < 0)
		return r;
	if (!grade.rate.count)
		return lz_err_set(reterr, ERANGE, "throttle %.40s: nothing would pass (want 1 or more)",
				  text);
	*ret = grade;
	return 0;
}

int lz_grade_parse(const char *text, struct lz_grade *ret, struct lz_err *reterr)
{
	struct lz_grade grade = { .kind = LZ_GRADE_IS_GARDEN };
	const char *name = text;

	if (!*text || lz_streq(text, "notify")) {
		*ret = (struct lz_grade){ .kind = LZ_GRADE_IS_NONE };
		return 0;
	}
	if (lz_streq(text, "block25")) {
		*ret = (struct lz_grade){ .kind = LZ_GRADE_IS_BLOCK25 };
		return 0;
	}
	/* With a colon where a text is cut into words: lists that are imported. */
	if (!strncmp(text, THROTTLE, strlen(THROTTLE)) &&
	    (text[strlen(THROTTLE)] == ' ' || text[strlen(THROTTLE)] == ':'))
		return parse_throttle(text + strlen(THROTTLE) + 1, ret, reterr);
	if (!strncmp(text, GARDEN, strlen(GARDEN)))
		name = text + strlen(GARDEN);
	else if (!lz_streq(text, "leaky") && !lz_streq(text, "strict"))
		return lz_err_set(reterr, EINVAL, "'%.40s' is no grade (" WANT ")", text);
	if (!is_name(name))
		return lz_err_set(reterr, EINVAL,
				  "'%.40s' names no garden (want 1..%d of A-Z a-z 0-9 _ -)", text,
				  LZ_GRADE_NAME_MAX);
	memcpy(grade.garden, name, strlen(name) + 1);
	*ret = grade;
	return 0;
}

const char *lz_grade_format(const struct lz_grade *grade, char buf[static LZ_GRADE_TEXT_MAX])
{
	char rate[LZ_RATE_TEXT_MAX];

	switch (grade->kind) {
	case LZ_GRADE_IS_GARDEN:
		snprintf(buf, LZ_GRADE_TEXT_MAX, GARDEN "%.*s", LZ_GRADE_NAME_MAX, grade->garden);
		break;
	case LZ_GRADE_IS_BLOCK25:
		snprintf(buf, LZ_GRADE_TEXT_MAX, "block25");
		break;
	case LZ_GRADE_IS_THROTTLE:
		snprintf(buf, LZ_GRADE_TEXT_MAX, THROTTLE " %.36s",
			 lz_rate_format(&grade->rate, rate));
		break;
	default:
		snprintf(buf, LZ_GRADE_TEXT_MAX, "notify");
	}
	return buf;
}

/* a/wa < b/wb, without overflow: counts are at most 2^53, windows at most 2^63. */
static bool is_slower(const struct lz_rate *a, const struct lz_rate *b)
{
	return (unsigned __int128)a->count * b->window_ns < (unsigned __int128)b->count * a->window_ns;
}

bool lz_grade_harder(const struct lz_grade *a, const struct lz_grade *b)
{
	if (a->kind != b->kind)
		return a->kind > b->kind;
	if (a->kind == LZ_GRADE_IS_THROTTLE)
		return is_slower(&a->rate, &b->rate);
	return a->kind == LZ_GRADE_IS_GARDEN && lz_streq(a->garden, "strict") &&
	       !lz_streq(b->garden, "strict");
}

bool lz_grade_equal(const struct lz_grade *a, const struct lz_grade *b)
{
	return a->kind == b->kind && lz_streq(a->garden, b->garden) &&
	       (a->kind != LZ_GRADE_IS_THROTTLE ||
		(!is_slower(&a->rate, &b->rate) && !is_slower(&b->rate, &a->rate)));
}
