/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pages.h - the page in every language of the settings.
 */
#ifndef LZ_PORTAL_PAGES_H
#define LZ_PORTAL_PAGES_H

#include "base/mem.h"
#include "portal/case.h"
#include "portal/template.h"

#define LZ_PAGE_BYTES_MAX (50 * 1024)
#define LZ_PAGE_CSP_MAX	  512

/* What a page is about. */
enum lz_page_kind {
	LZ_PAGE_CASE,	  /* held or not: the case says it */
	LZ_PAGE_RELEASED, /* has just let himself out */
	LZ_PAGE_REFUSED,  /* pressed the button in vain; why is in the case */
	LZ_PAGE_BUSY,	  /* no case is known */
};

struct lz_page_language {
	char tag[12];
	struct lz_template *template;
	char csp[LZ_PAGE_CSP_MAX]; /* content security policy: its own styles, nothing else */
};

struct lz_pages {
	struct lz_page_language v[LZ_LANGUAGES_MAX];
	size_t n; /* >= 1 */
	const struct lz_settings *settings;
	char host[272]; /* of the portal's url */
};

/**
 * lz_pages_load() - templates of the operator's folder, else those built in
 *
 * Reads FOLDER/LANG.html for each language. One that is missing or bad is replaced by what is built
 * in for that language, else by English; a bad one is logged with the line that is wrong.
 * Return: 0 or -errno with @reterr set.
 */
int lz_pages_load(const struct lz_settings *settings, struct lz_pages *ret, struct lz_err *reterr);

/** lz_pages_load_file() - one template of a path; @lang: with its tag; -errno with @reterr */
int lz_pages_load_file(const char *path, struct lz_page_language *lang, struct lz_err *reterr);
void lz_pages_done(struct lz_pages *pages);

/** lz_pages_choose() - which language a browser asks for, an index into v */
size_t lz_pages_choose(const struct lz_pages *pages, const char *accept_language);

/**
 * lz_pages_render() - a page
 * @c:  BUSY: NULL
 * @to: what the customer had asked for, a URL that passed lz_url_is_web(), or NULL
 *
 * Return: 0; -ENOMEM; -EFBIG if values made it larger than LZ_PAGE_BYTES_MAX.
 */
int lz_pages_render(const struct lz_pages *pages, size_t language, enum lz_page_kind kind,
		    const struct lz_portal_case *c, const char *to, struct lz_str *out);

/** lz_builtin_find() - text of a built-in template; false: none of that language */
bool lz_builtin_find(const char *tag, struct lz_piece *ret);

#endif /* LZ_PORTAL_PAGES_H */
