/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* compile.h - inside of lz_image_compile(): one function a table, each fills its part of the image. */
#ifndef LZ_POLICY_COMPILE_H
#define LZ_POLICY_COMPILE_H

#include "policy/image.h"
#include "policy/sheet.h"

struct lz_compile {
	const struct lz_policy *policy;
	const struct lz_image *previous; /* NULL: none */
	struct lz_image *image;
	struct lz_err *reterr;
	__u16 class_ids[LZ_CLASSES_MAX]; /* by index in the policy */
	__u64 set_bits[LZ_POLICY_SETS_MAX]; /* of a named set used as a destination; 0 = none yet */
	unsigned sets_n; /* bits given out */
	struct lz_image_dest *dests; /* gathered, not yet sorted */
	size_t n_dests, dests_cap;
};

int lz_compile_range4(struct lz_compile *c);
int lz_compile_range6(struct lz_compile *c);

/** lz_range4_sheet() - one /16, @high << 16, painted as lz_compile_range4() does; needs class_ids */
void lz_range4_sheet(struct lz_compile *c, __u32 high, struct lz_sheet *sheet);

/** lz_compile_dest_list() - the mask of `to` or `except-to`; its prefixes are gathered */
int lz_compile_dest_list(struct lz_compile *c, const struct lz_refs *refs, __u64 *ret_mask);

/** lz_compile_dests() - the fixed sets, then the whole table */
int lz_compile_dests(struct lz_compile *c);

int lz_compile_customers(struct lz_compile *c);

/** lz_compile_gardens() - rows by name; before lz_compile_dests(), for what they open */
int lz_compile_gardens(struct lz_compile *c);

/** lz_compile_limits() - all limits of the class with index @idx; its id is given already */
int lz_compile_limits(struct lz_compile *c, size_t idx);

/** lz_compile_lengths() - the lengths seen, longest first; -E2BIG if there are more than @max */
int lz_compile_lengths(struct lz_compile *c, const char *what, const bool seen[static 129],
		       __u8 *ret, size_t max, __u8 *ret_n);

#endif
