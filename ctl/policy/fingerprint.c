/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fingerprint.c - which policy is it? Two ledgers count their generations alike, so a number does not tell whether what
 * judges is what a ledger means by it. This does: 32 bits of the text as it was written down, with the ids that it was
 * compiled to, which hang on the policies before. Two that have met by their number agree by chance once in 2^32.
 *
 * Not in it is what a change of ranges in place leaves elsewhere than a compilation of the changed policy would: where
 * their lines and blocks lie. The change itself is, by its text. No defence against who can write the maps.
 */
#include <stddef.h>

#include "policy/image.h"

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
#define FNV_BASIS 14695981039346656037ULL
#define FNV_PRIME 1099511628211ULL

static __u64 hash_bytes(__u64 hash, const void *from, size_t n)
{
	const __u8 *at = from;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ at[i]) * FNV_PRIME;
	return hash;
}

__u64 lz_text_hash(const char *text)
{
	__u64 hash = FNV_BASIS;

	for (; *text; text++)
		hash = (hash ^ (__u8)*text) * FNV_PRIME;
	return hash;
}

__u64 lz_text_hash_then(__u64 hash, __u64 change)
{
	return hash_bytes(hash, &change, sizeof(change));
}

__u32 lz_image_fingerprint(const struct lz_image *image, __u64 text_hash)
{
	__u64 hash = hash_bytes(text_hash, image->class_names, sizeof(image->class_names));
	__u32 folded;

	hash = hash_bytes(hash, image->garden_names, sizeof(image->garden_names));
	hash = hash_bytes(hash, image->gen.garden, sizeof(image->gen.garden));
	hash = hash_bytes(hash, image->gen.class_, sizeof(image->gen.class_));
	folded = (__u32)(hash ^ hash >> 32);
	return folded ? folded : 1; /* 0: not told */
}
