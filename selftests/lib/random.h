/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * random.h - random numbers from a fixed seed, so that a failure repeats.
 */
#ifndef LZ_SELFTESTS_RANDOM_H
#define LZ_SELFTESTS_RANDOM_H

#include <linux/types.h>

/** t_random() - xorshift64 (Marsaglia 2003); @state: never 0; which is what is returned */
static inline __u64 t_random(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/** t_random_below() - 0..n-1 */
static inline __u32 t_random_below(__u64 *state, __u32 n)
{
	return (__u32)((t_random(state) >> 32) * n >> 32);
}

#endif /* LZ_SELFTESTS_RANDOM_H */
