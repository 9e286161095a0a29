// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * template.c - a template becomes a list of steps: text, value, section begins, section ends.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "portal/escape.h"
#include "portal/html.h"
#include "portal/template.h"

#define SECTIONS_DEEP 8

struct word {
	const char *name;
	bool is_url; /* values: has passed lz_url_is_web() */
};

static const struct word value_words[LZ_VALUE_N] = {
	[LZ_VALUE_LANG] = { "lang", false },
	[LZ_VALUE_PROVIDER] = { "provider", false },
	[LZ_VALUE_CONTACT] = { "contact", false },
	[LZ_VALUE_CASE] = { "case", false },
	[LZ_VALUE_SINCE] = { "since", false },
	[LZ_VALUE_UNTIL] = { "until", false },
	[LZ_VALUE_FROM] = { "from", false },
	[LZ_VALUE_SEEN] = { "seen", false },
	[LZ_VALUE_CONNECTIONS] = { "connections", false },
	[LZ_VALUE_LEFT] = { "releases-left", false },
	[LZ_VALUE_MINUTES] = { "minutes", false },
	[LZ_VALUE_TOKEN] = { "token", false },
	[LZ_VALUE_PORTAL] = { "portal", true },
	[LZ_VALUE_PORTAL_HOST] = { "portal-host", false },
	[LZ_VALUE_TO] = { "to", true },
	[LZ_VALUE_TO_HOST] = { "to-host", false },
};

static const struct word section_words[LZ_SECTION_N] = {
	[LZ_SECTION_HELD] = { "held", false },
	[LZ_SECTION_FREE] = { "free", false },
	[LZ_SECTION_WARNED] = { "warned", false },
	[LZ_SECTION_RELEASED] = { "released", false },
	[LZ_SECTION_REFUSED] = { "refused", false },
	[LZ_SECTION_BUSY] = { "busy", false },
	[LZ_SECTION_LEAKY] = { "leaky", false },
	[LZ_SECTION_STRICT] = { "strict", false },
	[LZ_SECTION_BLOCK25] = { "block25", false },
	[LZ_SECTION_THROTTLE] = { "throttle", false },
	[LZ_SECTION_REASON_SPAM] = { "reason-spam", false },
	[LZ_SECTION_REASON_SCAN] = { "reason-scan", false },
	[LZ_SECTION_REASON_MALWARE] = { "reason-malware", false },
	[LZ_SECTION_REASON_PROXY] = { "reason-proxy", false },
	[LZ_SECTION_REASON_COMPLAINT] = { "reason-complaint", false },
	[LZ_SECTION_REASON_OTHER] = { "reason-other", false },
	[LZ_SECTION_MAY_RELEASE] = { "may-release", false },
	[LZ_SECTION_WHY_STAFF] = { "why-staff", false },
	[LZ_SECTION_WHY_USED_UP] = { "why-used-up", false },
	[LZ_SECTION_WHY_EVIDENCE] = { "why-evidence", false },
	[LZ_SECTION_WHY_RATE] = { "why-rate", false },
	[LZ_SECTION_WHY_BUSY] = { "why-busy", false },
	[LZ_SECTION_LAST_RELEASE] = { "last-release", false },
	[LZ_SECTION_HAS_CONNECTIONS] = { "has-connections", false },
	[LZ_SECTION_HAS_SEEN] = { "has-seen", false },
	[LZ_SECTION_HAS_UNTIL] = { "has-until", false },
	[LZ_SECTION_HAS_CASE] = { "has-case", false },
	[LZ_SECTION_HAS_TO] = { "has-to", false },
	[LZ_SECTION_HAS_ALLOWED] = { "has-allowed", false },
};

/* Without these words a page is of no use to anybody who is held. */
static const enum lz_value needed[] = { LZ_VALUE_TOKEN, LZ_VALUE_CASE, LZ_VALUE_CONTACT };

enum step_kind { STEP_TEXT, STEP_VALUE, STEP_OPEN, STEP_CLOSE };

struct step {
	enum step_kind kind;
	unsigned int word; /* enum lz_value or enum lz_section */
	bool unless;	   /* OPEN: {{^ */
	size_t past;	   /* OPEN: step behind its CLOSE */
	struct lz_piece piece;
};

struct lz_template {
	char *text;
	char time_format[LZ_TEMPLATE_TIME_MAX];
	struct step *steps;
	size_t n, cap;
	struct lz_piece styles[LZ_TEMPLATE_STYLES_MAX];
	size_t n_styles;
};

struct parser {
	struct lz_template *t;
	const char *name;
	const char *p, *end;
	struct lz_html html;
	size_t open[SECTIONS_DEEP];
	size_t depth;
	__u64 used; /* bits of enum lz_value */
	struct lz_err *err;
};

static int refuse(const struct parser *ps, const char *what, const char *word, size_t len)
{
	unsigned int line = 1;
	int shown = len < 40 ? (int)len : 40;

	for (const char *p = ps->t->text; p < ps->p; p++)
		line += *p == '\n';
	return lz_err_set(ps->err, EINVAL, word ? "%s:%u: '%.*s': %s" : "%s:%u: %.*s%s", ps->name, line,
			  word ? shown : 0, word ? word : "", what);
}

static int add_step(struct parser *ps, struct step step)
{
	struct lz_template *t = ps->t;

	if (lz_array_grow(&t->steps, &t->cap, t->n + 1, sizeof(*t->steps)) < 0)
		return lz_err_set(ps->err, ENOMEM, "%s: out of memory", ps->name);
	t->steps[t->n++] = step;
	return 0;
}

static int find_word(const struct word *words, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(words[i].name) == len && !memcmp(words[i].name, name, len))
			return (int)i;
	return -1;
}

static int parse_value(struct parser *ps, const char *name, size_t len)
{
	int word = find_word(value_words, LZ_VALUE_N, name, len);

	if (word < 0)
		return refuse(ps, "is no value of a page, see lazaret-portal(8)", name, len);
	if (ps->html.place == LZ_HTML_TAG || ps->html.place == LZ_HTML_COMMENT ||
	    ps->html.place == LZ_HTML_STYLE)
		return refuse(ps, "a value can stand in text and in double quotes only", name, len);
	if (lz_html_is_url(&ps->html) && (!value_words[word].is_url || ps->html.value_started))
		return refuse(ps, "a link takes {{to}} or {{portal}}, from its first character on", name,
			      len);
	ps->used |= 1ULL << word;
	return add_step(ps, (struct step){ .kind = STEP_VALUE, .word = (unsigned int)word });
}

static int open_section(struct parser *ps, const char *name, size_t len, bool unless)
{
	int word = find_word(section_words, LZ_SECTION_N, name, len);

	if (word < 0)
		return refuse(ps, "is no section of a page, see README.md", name, len);
	if (ps->html.place != LZ_HTML_TEXT)
		return refuse(ps, "a section can stand between tags only", name, len);
	if (ps->depth == SECTIONS_DEEP)
		return refuse(ps, "sections are nested too deeply (at most 8)", name, len);
	ps->open[ps->depth++] = ps->t->n;
	return add_step(ps, (struct step){ .kind = STEP_OPEN, .word = (unsigned int)word,
					   .unless = unless });
}

static int close_section(struct parser *ps, const char *name, size_t len)
{
	struct step *open = ps->depth ? &ps->t->steps[ps->open[ps->depth - 1]] : NULL;

	if (!open || find_word(section_words, LZ_SECTION_N, name, len) != (int)open->word)
		return refuse(ps, "does not close the section that is open here", name, len);
	if (ps->html.place != LZ_HTML_TEXT)
		return refuse(ps, "a section can stand between tags only", name, len);
	open->past = ps->t->n + 1;
	ps->depth--;
	return add_step(ps, (struct step){ .kind = STEP_CLOSE });
}

/* Only conversions that need no locale and no look at files. */
static int set_time_format(struct parser *ps, const char *format, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (format[i] != '%')
			continue;
		i += i + 1 < len && format[i + 1] == '-' ? 2 : 1;
		if (i >= len || !strchr("dmeyYHMIpZBbAa", format[i]))
			return refuse(ps, "want %d %e %m %b %B %y %Y %a %A %H %I %M %p %Z", format, len);
	}
	if (!len || len >= LZ_TEMPLATE_TIME_MAX)
		return refuse(ps, "want 1 to 63 characters", format, len);
	memcpy(ps->t->time_format, format, len);
	ps->t->time_format[len] = '\0';
	return 0;
}

/* At "{{". */
static int parse_word(struct parser *ps)
{
	const char *name = ps->p + 2;
	const char *close = memmem(name, (size_t)(ps->end - name), "}}", 2);
	size_t len;
	int r;

	if (!close)
		return refuse(ps, "{{ without }}", NULL, 0);
	if (ps->html.place == LZ_HTML_STYLE) /* its hash is in the page's policy: it must not vary */
		return refuse(ps, "{{ stands in <style>", NULL, 0);
	len = (size_t)(close - name);
	if (len && *name == '#')
		r = open_section(ps, name + 1, len - 1, false);
	else if (len && *name == '^')
		r = open_section(ps, name + 1, len - 1, true);
	else if (len && *name == '/')
		r = close_section(ps, name + 1, len - 1);
	else if (len && *name == '!')
		r = 0;
	else if (len > 5 && !memcmp(name, "time ", 5))
		r = set_time_format(ps, name + 5, len - 5);
	else
		r = parse_value(ps, name, len);
	if (ps->html.place == LZ_HTML_VALUE)
		ps->html.value_started = true;
	ps->p = close + 2;
	return r;
}

static int note_style(struct parser *ps, const char *start)
{
	struct lz_template *t = ps->t;

	if (t->n_styles == LZ_TEMPLATE_STYLES_MAX)
		return refuse(ps, "more than 4 <style> elements", NULL, 0);
	t->styles[t->n_styles++] = (struct lz_piece){ start, (size_t)(ps->p - start) };
	return 0;
}

/* Text up to the next "{{" or the end. */
static int parse_text(struct parser *ps)
{
	const char *start = ps->p;

	for (; ps->p < ps->end && !(ps->end - ps->p > 1 && ps->p[0] == '{' && ps->p[1] == '{'); ps->p++) {
		bool was_style = ps->html.place == LZ_HTML_STYLE;
		const char *bad = *ps->p ? lz_html_step(&ps->html, ps->p, (size_t)(ps->end - ps->p)) :
					   "a NUL byte";

		if (bad)
			return refuse(ps, bad, NULL, 0);
		if (was_style && ps->html.place != LZ_HTML_STYLE &&
		    note_style(ps, ps->p - ps->html.style_len) < 0)
			return -EINVAL;
	}
	return add_step(ps, (struct step){ .kind = STEP_TEXT,
					   .piece = { start, (size_t)(ps->p - start) } });
}

static int check_whole(struct parser *ps)
{
	if (ps->depth)
		return refuse(ps, "a section is not closed",
			      section_words[ps->t->steps[ps->open[ps->depth - 1]].word].name, 16);
	if (ps->html.place != LZ_HTML_TEXT)
		return refuse(ps, "ends inside a tag, a comment or <style>", NULL, 0);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(needed); i++)
		if (!(ps->used & 1ULL << needed[i]))
			return refuse(ps, "is missing: who is held needs it", value_words[needed[i]].name,
				      16);
	return 0;
}

int lz_template_parse(const char *name, const char *text, size_t len, struct lz_template **ret,
		      struct lz_err *reterr)
{
	struct lz_template *t;
	struct parser ps = { .name = name, .err = reterr };
	unsigned int mark_bytes;
	const char *why;
	int r = 0;

	if (len > LZ_TEMPLATE_BYTES_MAX)
		return lz_err_set(reterr, EFBIG, "%s: %zu bytes are too many (at most %d)", name, len,
				  LZ_TEMPLATE_BYTES_MAX);
	t = calloc(1, sizeof(*t));
	if (t)
		t->text = malloc(len + 1);
	if (!t || !t->text) {
		lz_template_free(t);
		return lz_err_set(reterr, ENOMEM, "%s: out of memory", name);
	}
	memcpy(t->text, text, len);
	t->text[len] = '\0';
	lz_strcpy(t->time_format, sizeof(t->time_format), "%Y-%m-%d %H:%M %Z");
	ps.t = t;
	ps.p = t->text;
	ps.end = t->text + len;
	why = lz_text_mark(t->text, len, &mark_bytes);
	if (why && !mark_bytes)
		r = refuse(&ps, why, NULL, 0);
	ps.p += mark_bytes; /* HTML may have one: many editors of it write it, and nobody sees it there */
	while (r == 0 && ps.p < ps.end)
		r = ps.end - ps.p > 1 && ps.p[0] == '{' && ps.p[1] == '{' ? parse_word(&ps) :
									    parse_text(&ps);
	if (r == 0)
		r = check_whole(&ps);
	if (r < 0) {
		lz_template_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void lz_template_free(struct lz_template *t)
{
	if (!t)
		return;
	free(t->steps);
	free(t->text);
	free(t);
}

int lz_template_render(const struct lz_template *t, const struct lz_filling *filling,
		       struct lz_str *out)
{
	size_t i = 0;

	while (i < t->n) {
		const struct step *step = &t->steps[i++];

		if (step->kind == STEP_TEXT)
			lz_str_append_n(out, step->piece.text, step->piece.len);
		else if (step->kind == STEP_VALUE && filling->values[step->word])
			lz_escape_html(out, filling->values[step->word]);
		else if (step->kind == STEP_OPEN &&
			 !(filling->sections & LZ_SECTION_BIT(step->word)) != step->unless)
			i = step->past;
	}
	return out->error;
}

const char *lz_template_time_format(const struct lz_template *t)
{
	return t->time_format;
}

size_t lz_template_styles(const struct lz_template *t, struct lz_piece ret[static LZ_TEMPLATE_STYLES_MAX])
{
	memcpy(ret, t->styles, sizeof(t->styles));
	return t->n_styles;
}
