/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * image.h - a compiled policy: exactly what the data plane reads, and the names behind its numbers.
 *
 * Ids are stable by name against the image before, so that a reload does not move anybody's
 * counters: classes by name, limits by class and name, state words by limit. A word that changes its
 * user or its meaning gets a new stamp, and what is left in it reads as empty (abi.h at struct
 * lz_limit). `changes` remember every such hand-over, so each image has to be compiled from the one
 * in force, over a restart too: lz_image_ids_print() says what must be kept with a policy for that.
 * A customer's number comes from his name alone.
 *
 * Ranges, in buckets of 256 bytes:
 *
 *   0                gen.range_buckets       range_spare         range_buckets
 *   | lines of groups, hashed | blocks of some | blocks of later changes |
 */
#ifndef LZ_POLICY_IMAGE_H
#define LZ_POLICY_IMAGE_H

#include <lazaret/abi.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "policy/policy.h"

struct lz_image_dest {
	__u64 mask;
	struct lz_dest_key key;
	__u32 pad_;
};

struct lz_image_customer_range {
	struct lz_prefix_key key;
	__u32 id;
	__u32 pad_;
};

struct lz_image_customer {
	char *name;
	__u32 id; /* a hash of the name, moved on by one where two meet; never 0 */
};

/* Whose row of lz_limit_stats an id is. */
struct lz_image_limit {
	char class_[LZ_NAME_MAX + 1];
	char name[LZ_NAME_MAX + 1]; /* "" = id not in use */
	__u8 class_id;
	__u8 index; /* in its class */
};

struct lz_image_interfaces {
	char name[LZ_NAME_MAX + 1];
	enum lz_side side;
	enum lz_hook hook;
	enum lz_validation validation;
	char **match; /* globs with * and ? */
	size_t n_match;
};

#define LZ_RANGE_SPARE 256 /* a change takes a block at most for each group it is in or around */

struct lz_image {
	struct lz_generation gen; /* number and policy are 0: apply sets them */
	__u64 seed; /* struct lz_instance: the lines of ranges hang on it */
	__u8 ipv6_key_len;
	__u32 sources_max, colony_max;
	__u64 idle_ns;

	union lz_range_bucket *ranges;
	bool ranges_lent; /* somebody else's memory, who frees it after the image */
	size_t range_buckets; /* all of them */
	__u32 range_spare; /* the first that no line leads to */
	struct lz_image_dest *dests; /* longest first, then by address */
	size_t n_dests;
	struct lz_image_customer_range *customer_ranges; /* longest first, then by bits */
	size_t n_customer_ranges;
	struct lz_image_interfaces *interfaces;
	size_t n_interfaces;

	char class_names[LZ_CLASSES_MAX][LZ_NAME_MAX + 1]; /* by id; "" = not in use */
	struct lz_image_limit limits[LZ_LIMIT_IDS]; /* by id */
	char garden_names[LZ_GARDENS_MAX][LZ_NAME_MAX + 1]; /* by row, of gardens gone too; "" = never used */
	char *set_names[LZ_SETS_MAX]; /* by bit; NULL = not in use */
	struct lz_image_customer *customers; /* sorted by name */
	size_t n_customers;
	__u32 word_changes[LZ_CLASSES_MAX][LZ_CELL_WORDS];
	__u32 limit_changes[LZ_LIMIT_IDS]; /* aggregates: their cell belongs to the limit alone */
};

/**
 * lz_image_compile() - what a policy means to the data plane
 * @previous: the image in force, for stable ids; NULL: there is none
 * @seed:     of the instance
 * @ret:      freed with lz_image_free()
 *
 * Half a million prefixes take about a tenth of a second (t_compile_ranges.c measures it). A group of 256
 * neighbours (abi.h) that has a prefix of its own takes 192 bytes, some more where chance makes chains
 * too long (500,000 groups: 240), and 256 for a block if it has three classes, which takes two prefixes.
 * Return: 0; -ENOMEM; -E2BIG or -ERANGE with @reterr: a table of the data plane cannot hold it. Pure.
 */
int lz_image_compile(const struct lz_policy *policy, const struct lz_image *previous, __u64 seed,
		     struct lz_image **ret, struct lz_err *reterr);

void lz_image_free(struct lz_image **image);

/**
 * lz_image_lend_ranges() - another copy of the ranges, byte for byte, instead of the image's own
 * @ranges: outlives the image; what lz_stores_publish() changes is changed there
 */
void lz_image_lend_ranges(struct lz_image *image, union lz_range_bucket *ranges);

/**
 * lz_image_ids_print() - ids, words, stamps and their history as JSON, some kB
 * Return: 0 with *ret on the heap, or -ENOMEM.
 */
int lz_image_ids_print(const struct lz_image *image, char **ret);

/**
 * lz_image_ids_parse() - an image that is good for nothing but to be @previous of lz_image_compile()
 *
 * Compiling the policy that the ids were printed of gives the same generation again.
 * Return: 0; -EINVAL, -ERANGE with @reterr set; -ENOMEM.
 */
int lz_image_ids_parse(const char *text, size_t len, struct lz_image **ret, struct lz_err *reterr);

/**
 * lz_image_outlive() - @image is in force again instead of @undone
 * What @undone has written into cells must stay unreadable: its stamps count as given out.
 */
void lz_image_outlive(struct lz_image *image, const struct lz_image *undone);

/** lz_text_hash() - of a policy as it is written down, or of a change of one */
__u64 lz_text_hash(const char *text);
/** lz_text_hash_then() - of all that was written down of a policy: @hash so far, then the hash of a change */
__u64 lz_text_hash_then(__u64 hash, __u64 change);

/**
 * lz_image_fingerprint() - which policy it is, for lz_generation.policy; never 0
 * @text_hash: of what it is compiled from. Pure; the same after ids were printed and parsed, and after changes in place
 */
__u32 lz_image_fingerprint(const struct lz_image *image, __u64 text_hash);

/**
 * lz_image_class_of() - the class of a source, as bpf/range.h finds it
 * @key: key space of abi.h; @family: 4 or 6
 *
 * Return: class id, LZ_CLASS_FOREIGN or LZ_CLASS_NEVER.
 */
__u32 lz_image_class_of(const struct lz_image *image, __u64 key, unsigned family);

/** lz_image_sets_of() - the destination sets an address is in, as bits */
__u64 lz_image_sets_of(const struct lz_image *image, const struct lz_addr *addr);

/** lz_image_customer_of() - number of the customer a source belongs to, 0 = none */
__u32 lz_image_customer_of(const struct lz_image *image, __u64 key);

/** lz_image_customer_name() - "C12" of its number; NULL if there is none. Walks the list. */
const char *lz_image_customer_name(const struct lz_image *image, __u32 id);

/** lz_image_class_find() - class id by name; -ENOENT */
int lz_image_class_find(const struct lz_image *image, const char *name);

/** lz_image_garden_find() - row by name, of a garden that has left the policy too; -ENOENT */
int lz_image_garden_find(const struct lz_image *image, const char *name);

/** lz_image_limit_find() - limit id by class and name; -ENOENT */
int lz_image_limit_find(const struct lz_image *image, const char *class_, const char *name);

#endif
