/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * html.h - where in an HTML text are we? A small tracker, enough to know what a value must be
 * escaped for, and stricter than browsers: what it does not follow it refuses.
 */
#ifndef LZ_PORTAL_HTML_H
#define LZ_PORTAL_HTML_H

#include <stdbool.h>
#include <stddef.h>

enum lz_html_place {
	LZ_HTML_TEXT,	 /* element content, also of <title> */
	LZ_HTML_TAG,	 /* between < and >, outside values */
	LZ_HTML_VALUE,	 /* in a double-quoted attribute value */
	LZ_HTML_COMMENT, /* also <!doctype */
	LZ_HTML_STYLE,	 /* content of <style> */
};

struct lz_html {
	enum lz_html_place place;
	char word[16]; /* tag or attribute name being read, lower case, cut */
	size_t word_len;
	bool closing;	    /* </tag */
	bool in_tag_name;
	bool is_style;	    /* this tag is <style> */
	bool after_equals;  /* a value must begin */
	bool value_started; /* something stood in this value already */
	char attribute[16];
	size_t style_len; /* bytes of content so far */
};

/**
 * lz_html_step() - the next byte
 * @rest: bytes left including this one
 *
 * Return: NULL; or what is wrong, a constant text.
 */
const char *lz_html_step(struct lz_html *html, const char *p, size_t rest);

/** lz_html_is_url() - is the value being read one of href, src, action, formaction? */
bool lz_html_is_url(const struct lz_html *html);

#endif /* LZ_PORTAL_HTML_H */
