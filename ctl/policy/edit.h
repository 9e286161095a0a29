/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * edit.h - one prefix more or less in a set of a policy that is in force, and the text such a change
 * is written down as.
 *
 * Only the sets that nothing but one class is made of can be changed like this; a set that also is a
 * destination, or on the never-list, means several tables at once and takes a whole compile.
 */
#ifndef LZ_POLICY_EDIT_H
#define LZ_POLICY_EDIT_H

#include "policy/policy.h"

struct lz_edit {
	bool add;
	bool in_force; /* it has been, as lz_report.in_force */
	char set[LZ_NAME_MAX + 1];
	struct lz_prefix prefix;
};

/**
 * lz_edit_make() - in the model
 *
 * Checked as the whole policy would be: the result prints to a text that parses. A change and its
 * opposite leave the model as it was. Some milliseconds for half a million prefixes.
 * Return: 0; -EOPNOTSUPP: this set takes a whole compile; -ENOENT, -EEXIST, -EINVAL, -E2BIG, -ENOMEM;
 *         always with @reterr set, and the model is as it was.
 */
int lz_edit_make(struct lz_policy *policy, const struct lz_edit *edit, struct lz_err *reterr);

/** lz_edit_print() - {"change-of": 41, "add": "dynamic", "prefix": "192.0.2.0/24"}; heap or NULL */
char *lz_edit_print(const struct lz_edit *edit, __u64 base);

/**
 * lz_edit_parse() - what lz_edit_print() wrote
 * @ret_base: the generation it is a change of
 * Return: 0; -ENOENT: a policy, no change; -EINVAL with @reterr set.
 */
int lz_edit_parse(const char *text, struct lz_edit *ret, __u64 *ret_base, struct lz_err *reterr);

#endif
