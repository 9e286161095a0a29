/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stores.h - a range change in the tables that packets are reading.
 *
 *   prepare   the new extents of the /16s concerned, in spare blocks that no root leads to
 *   publish   one store a /16 (IPv6: one store of a length or of `used`): a packet, which has one
 *             source, sees the tables before its store or after it, and nothing in between
 *   reclaim   what the old extents took, when no packet can be in them any more
 *
 * The stores rely on x86's order of stores and of loads for IPv6, where the reader checks an entry
 * without a dependency on what made it visible; IPv4 readers follow the root, which orders them
 * everywhere.
 */
#ifndef LZ_POLICY_STORES_H
#define LZ_POLICY_STORES_H

#include "policy/image.h"

/* A /16: from the old root to the new one. */
struct lz_store4 {
	__u32 high; /* address >> 16 */
	__u32 was, is; /* roots */
};

/* An entry of an IPv6 line. */
struct lz_store6 {
	__u64 key;
	__u32 line;
	__u16 class_;
	__u8 at;
	__u8 len;
	bool add;
};

struct lz_stores {
	struct lz_store4 *v4; /* heap */
	size_t n4, cap4;
	struct lz_store6 v6;
	bool has6;
};

/* Tables in force, mapped; laid out as the image's are. */
struct lz_live_tables {
	union lz_range4_line *range4;
	struct lz_range6_line *range6;
};

/**
 * lz_stores_prepare() - what has to be written after a change of this prefix
 * @policy: with the change in it
 * @image:  of the policy before; its spare blocks get the new extents
 *
 * Return: 0, and then publish or drop; -ENOSPC: no room, or a shape these tables were not made for (a
 *         prefix of less than 8 bits, a new IPv6 length): compile the policy anew; -ENOMEM.
 */
int lz_stores_prepare(struct lz_image *image, const struct lz_policy *policy,
		      const struct lz_prefix *prefix, struct lz_stores *ret);

/** lz_stores_publish() - in the image and in @live; frees @stores */
void lz_stores_publish(struct lz_image *image, struct lz_stores *stores,
		       const struct lz_live_tables *live);

/** lz_stores_drop() - nothing was published and nothing will be; frees @stores */
void lz_stores_drop(struct lz_image *image, struct lz_stores *stores);

/**
 * lz_stores_reclaim() - blocks of replaced extents may be used again
 * Only after every program that ran at the last publish has ended: lz_membarrier().
 * Return: how many.
 */
size_t lz_stores_reclaim(struct lz_image *image);

#endif
