/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stores.h - a range change in the tables that packets are reading.
 *
 *   prepare   what has to be stored, and spare blocks for groups that get a third class
 *   publish   the groups inside the prefix first ask for the class around them instead of knowing it,
 *             which changes no answer; then the prefix's own group, one store a word of bits, a place
 *             or a line: a packet, which has one source, sees the tables before its store or after
 *             it, and nothing in between
 *
 * Lines and blocks are not given up before the next compile, so nobody has to be waited for. The
 * stores rely on x86's order of stores and of loads: the reader checks a line's id, and whether a level
 * is in use, without a dependency on what is behind it.
 */
#ifndef LZ_POLICY_STORES_H
#define LZ_POLICY_STORES_H

#include "policy/image.h"

struct lz_store;

struct lz_stores {
	struct lz_store *v; /* heap; in the order they are made */
	size_t n, cap;
	__u32 spare; /* image->range_spare before */
};

/* Tables in force, mapped; laid out as the image's are. */
struct lz_live_tables {
	union lz_range_bucket *ranges;
	struct lz_generation *gen;
};

/* Groups a change may be around: beyond that a compile is as quick. */
#define LZ_STORES_MAX 4096

/**
 * lz_stores_prepare() - what has to be written after a change of this prefix
 * @policy: with the change in it
 * @image:  of the policy before; its spare blocks are taken
 *
 * Return: 0, and then publish or drop; -ENOSPC: no room, or more than LZ_STORES_MAX groups: compile
 *         the policy anew; -ENOMEM.
 */
int lz_stores_prepare(struct lz_image *image, const struct lz_policy *policy,
		      const struct lz_prefix *prefix, struct lz_stores *ret);

/** lz_stores_publish() - in the image and in @live; frees @stores */
void lz_stores_publish(struct lz_image *image, struct lz_stores *stores,
		       const struct lz_live_tables *live);

/** lz_stores_drop() - nothing was published and nothing will be; frees @stores */
void lz_stores_drop(struct lz_image *image, struct lz_stores *stores);

#endif
