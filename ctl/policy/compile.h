/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* compile.h - inside of lz_image_compile(): one function a table, each fills its part of the image. */
#ifndef LZ_POLICY_COMPILE_H
#define LZ_POLICY_COMPILE_H

#include "policy/image.h"

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

int lz_compile_ranges(struct lz_compile *c);

/* A group of ranges (abi.h) as its own prefixes make it; LZ_RANGE_OUTER where there is none. */
struct lz_range_sheet {
	__u8 class_[LZ_RANGE_PLACES];
};

/** lz_range_level() - of the group that a prefix belongs to; more than 7: no key is that long */
unsigned lz_range_level(const struct lz_prefix *prefix);

/** lz_range_paint() - what the policy says of a group, never-list on top; needs class_ids */
void lz_range_paint(const struct lz_compile *c, __u64 id, struct lz_range_sheet *ret);

/** lz_range_around() - the class of what a group lies in; needs class_ids */
__u8 lz_range_around(const struct lz_compile *c, __u64 id);

/**
 * lz_range_fold() - two classes and their bits into @line
 * @first: is class 0, if it is there at all
 * Return: false: there are more than two.
 */
bool lz_range_fold(const struct lz_range_sheet *sheet, __u8 first, struct lz_range_line *line);

/**
 * lz_range_line_find() - the line of a group, or the free one where it has to go
 * Return: NULL if it is not there and would be further than LZ_RANGE_PROBES buckets from its home.
 */
struct lz_range_line *lz_range_line_find(union lz_range_bucket *ranges, __u32 buckets, __u64 seed,
					 __u64 id);

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
