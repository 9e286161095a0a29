/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef LZ_PORTAL_LANG_H
#define LZ_PORTAL_LANG_H

#include <stddef.h>

/**
 * lz_lang_choose() - which of our languages a browser's Accept-Language asks for
 * @accept: the header, or NULL
 * @have:   n >= 1 tags such as "en", "pt-BR"; the first is the default
 *
 * RFC 4647 section 3.4 (lookup): "de-AT" finds "de"; of equal weights the earlier wins; a weight of
 * 0 excludes. Looks at the first 16 ranges only.
 * Return: index into @have.
 */
size_t lz_lang_choose(const char *accept, const char *const *have, size_t n);

#endif /* LZ_PORTAL_LANG_H */
