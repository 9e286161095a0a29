// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "portal/html.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == ':' || c == '_';
}

static void add_to_word(struct lz_html *html, char c)
{
	if (c >= 'A' && c <= 'Z')
		c = (char)(c - 'A' + 'a');
	if (html->word_len < sizeof(html->word) - 1)
		html->word[html->word_len++] = c;
	html->word[html->word_len] = '\0';
}

static void clear_word(struct lz_html *html)
{
	html->word_len = 0;
	html->word[0] = '\0';
}

static const char *end_tag_name(struct lz_html *html)
{
	html->in_tag_name = false;
	if (!html->word_len)
		return "'<' is no tag here (want &lt;)";
	if (lz_streq(html->word, "script") || lz_streq(html->word, "iframe") ||
	    lz_streq(html->word, "object") || lz_streq(html->word, "embed") ||
	    lz_streq(html->word, "base"))
		return "the page allows no <script>, <iframe>, <object>, <embed>, <base>";
	html->is_style = !html->closing && lz_streq(html->word, "style");
	clear_word(html);
	return NULL;
}

static const char *end_attribute(struct lz_html *html)
{
	if (!strncmp(html->word, "on", 2))
		return "event handlers do not run: the page allows no script";
	if (lz_streq(html->word, "style"))
		return "a style attribute has no effect: write it into <style>";
	lz_strcpy(html->attribute, sizeof(html->attribute), html->word);
	clear_word(html);
	return NULL;
}

static const char *step_tag(struct lz_html *html, char c)
{
	const char *bad = NULL;

	if (html->in_tag_name && is_name(c)) {
		add_to_word(html, c);
		return NULL;
	}
	if (html->in_tag_name && c == '/' && !html->word_len && !html->closing) {
		html->closing = true;
		return NULL;
	}
	if (html->in_tag_name)
		bad = end_tag_name(html);
	if (bad)
		return bad;
	if (html->after_equals) {
		if (is_space(c))
			return NULL;
		if (c != '"')
			return "an attribute's value must stand in double quotes";
		html->after_equals = false;
		html->value_started = false;
		html->place = LZ_HTML_VALUE;
		return NULL;
	}
	if (is_name(c)) {
		add_to_word(html, c);
		return NULL;
	}
	if (html->word_len && (c == '=' || is_space(c) || c == '>' || c == '/'))
		bad = end_attribute(html);
	html->after_equals = c == '=';
	if (c == '>') {
		html->place = html->is_style ? LZ_HTML_STYLE : LZ_HTML_TEXT;
		html->style_len = 0;
	} else if (c == '"' || c == '\'' || c == '<' || c == '`') {
		return "a quote or '<' stands where it cannot in a tag";
	}
	return bad;
}

const char *lz_html_step(struct lz_html *html, const char *p, size_t rest)
{
	switch (html->place) {
	case LZ_HTML_TEXT:
		if (*p != '<')
			return NULL;
		clear_word(html);
		html->closing = html->is_style = false;
		html->in_tag_name = true;
		html->place = rest > 1 && p[1] == '!' ? LZ_HTML_COMMENT : LZ_HTML_TAG;
		html->attribute[0] = '\0';
		return NULL;
	case LZ_HTML_TAG:
		return step_tag(html, *p);
	case LZ_HTML_VALUE:
		if (*p == '"')
			html->place = LZ_HTML_TAG;
		html->value_started = true;
		return NULL;
	case LZ_HTML_COMMENT:
		if (*p == '>')
			html->place = LZ_HTML_TEXT;
		return NULL;
	case LZ_HTML_STYLE:
		if (*p == '<') {
			if (rest < 8 || strncasecmp(p, "</style>", 8))
				return "'<' stands in <style>";
			html->place = LZ_HTML_TAG;
			clear_word(html);
			html->closing = html->is_style = false;
			html->in_tag_name = true;
			return NULL;
		}
		html->style_len++;
		return NULL;
	}
	return NULL;
}

bool lz_html_is_url(const struct lz_html *html)
{
	static const char *const urls[] = { "href", "src", "action", "formaction" };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(urls); i++)
		if (html->place == LZ_HTML_VALUE && lz_streq(html->attribute, urls[i]))
			return true;
	return false;
}
