// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * builtin.c - the shipped templates are part of the program: there is a page whatever happened to
 * the files.
 */
#include <string.h>

#include "portal/pages.h"

/* Paths are relative to the top of the project, where make runs. */
#define BUILTIN(lang)                                                                              \
	__asm__(".section .rodata\n"                                                               \
		"lz_builtin_" #lang ":\n"                                                          \
		".incbin \"ctl/portal/templates/" #lang ".html\"\n"                                \
		"lz_builtin_" #lang "_end:\n"                                                      \
		".previous\n");                                                                    \
	extern const char lz_builtin_##lang[], lz_builtin_##lang##_end[]

BUILTIN(en);
BUILTIN(de);

bool lz_builtin_find(const char *tag, struct lz_piece *ret)
{
	const struct {
		const char *tag, *text, *end;
	} all[] = {
		{ "en", lz_builtin_en, lz_builtin_en_end },
		{ "de", lz_builtin_de, lz_builtin_de_end },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(all); i++) {
		if (!lz_streq(tag, all[i].tag))
			continue;
		*ret = (struct lz_piece){ all[i].text, (size_t)(all[i].end - all[i].text) };
		return true;
	}
	return false;
}
