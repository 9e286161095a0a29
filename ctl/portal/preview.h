/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * preview.h - what the editor of a template needs: is it valid, and how does it look?
 */
#ifndef LZ_PORTAL_PREVIEW_H
#define LZ_PORTAL_PREVIEW_H

#include <stddef.h>
#include <stdio.h>

/** lz_preview_check() - one line a file that is wrong, on stderr; exit status 0 or 1 */
int lz_preview_check(char *const *paths, size_t n);

/** lz_preview_print() - @path NULL: the built-in English page; exit status 0 or 1 */
int lz_preview_print(const char *kind, const char *path);

/** lz_preview_kinds() - the words for @kind */
void lz_preview_kinds(FILE *to);

#endif /* LZ_PORTAL_PREVIEW_H */
