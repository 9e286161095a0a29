/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * template.h - page templates: HTML with a few words between {{ and }}.
 *
 *   {{case}}                      a value, escaped for the place it stands in
 *   {{#has-until}} .. {{/has-until}}   only if, {{^has-until}} .. {{/has-until}} only if not
 *   {{! for the next editor }}    a comment, not sent
 *   {{time %d.%m.%Y, %H:%M}}      how times are spelt; once, before the first value
 *
 * The parser follows the HTML around the words and refuses a value where no escaping is safe:
 * inside <style>, in a tag outside double quotes, in a comment; in href, src and action only values
 * that are URLs, from the first character on. It refuses what the page's security policy would
 * break anyway: <script>, event handlers, style attributes. So a template that loads is a page that
 * works and that no value can break out of.
 *
 * Pure: no syscalls but memory.
 */
#ifndef LZ_PORTAL_TEMPLATE_H
#define LZ_PORTAL_TEMPLATE_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "portal/words.h"

#define LZ_TEMPLATE_BYTES_MAX  (40 * 1024) /* a page stays below 50 KB with its values */
#define LZ_TEMPLATE_STYLES_MAX 4
#define LZ_TEMPLATE_TIME_MAX   64

struct lz_template;

/* A piece of the text; not NUL-terminated. */
struct lz_piece {
	const char *text;
	size_t len;
};

/**
 * lz_template_parse() - check and prepare a template
 * @name: for messages, e.g. the file's name
 * @text: UTF-8, copied
 *
 * Return: 0; -EINVAL with @reterr "NAME:LINE: what is wrong"; -EFBIG; -ENOMEM.
 */
int lz_template_parse(const char *name, const char *text, size_t len, struct lz_template **ret,
		      struct lz_err *reterr);
void lz_template_free(struct lz_template *t);

/** lz_template_render() - the page; 0 or -ENOMEM. @t is only read. */
int lz_template_render(const struct lz_template *t, const struct lz_filling *filling,
		       struct lz_str *out);

/** lz_template_time_format() - for strftime(3): numbers and C-locale names only */
const char *lz_template_time_format(const struct lz_template *t);

/** lz_template_styles() - contents of its <style> elements, for the page's security policy */
size_t lz_template_styles(const struct lz_template *t,
			  struct lz_piece ret[static LZ_TEMPLATE_STYLES_MAX]);

#endif /* LZ_PORTAL_TEMPLATE_H */
