/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* diff.h - what changes for an operator when one policy takes the place of another. */
#ifndef LZ_POLICY_DIFF_H
#define LZ_POLICY_DIFF_H

#include <stddef.h>

#include "policy/policy.h"

#define LZ_DIFF_EXAMPLES 3   /* prefixes named when a set changes */
#define LZ_DIFF_TEXT_MAX 14336 /* bytes of a value: two of them, quoted once more, fit a row of proto.h */
#define LZ_DIFF_PARTS_MAX 4096 /* elements of one list that are told each for itself */

struct lz_change {
	char *path; /* "/classes/vps/limits/hour/at-most": elements with a name go by it */
	char *from; /* NULL: was not there */
	char *to; /* NULL: is gone */
};

/* All zeros is empty. */
struct lz_changes {
	struct lz_change *v;
	size_t n;
	size_t cap;
};

/**
 * lz_policy_diff() - everything in which @to differs from @from, defaults spelt out
 * @from: NULL: there is no policy yet
 * @ret:  all zeros; freed with lz_changes_done(), after a failure too
 *
 * Sets are compared by their prefixes, files read, and told as counts with examples. Values are whole: what
 * is longer than LZ_DIFF_TEXT_MAX is told by its members, a list by the elements that come or go, and one of
 * which more than LZ_DIFF_PARTS_MAX do by their count. A limit whose
 * counts cannot be read on and start again at 0 is a change "/classes/../restarts".
 * Return: 0, no change if they mean the same; -ENOMEM; -E2BIG as lz_image_compile(). Pure.
 */
int lz_policy_diff(const struct lz_policy *from, const struct lz_policy *to, struct lz_changes *ret,
		   struct lz_err *reterr);

/** lz_changes_format() - one line each: `/mode: "monitor" -> "enforce"` */
int lz_changes_format(const struct lz_changes *changes, struct lz_str *out);

void lz_changes_done(struct lz_changes *changes);

#endif
