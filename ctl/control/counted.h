/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * counted.h - the limits of a source, and how far they are used.
 */
#ifndef LZ_CONTROL_COUNTED_H
#define LZ_CONTROL_COUNTED_H

#include "control/ctl.h"

/* A limit of a source's class and what it has counted at this moment. */
struct lz_counted {
	const struct lz_limit *limit; /* in ctl->now.image */
	const struct lz_image_limit *name;
	__u32 value;
};

unsigned int lz_key_family(__u64 key); /* 4 or 6 */

/** lz_counted_read() - all limits of the class of a source, in the order of the policy; how many */
size_t lz_counted_read(const struct lz_ctl *ctl, __u64 key,
		       struct lz_counted ret[static LZ_LIMITS_PER_CLASS]);

/** lz_counted_nearest() - the one it is nearest to, or over; @holding: of those that hold; or NULL */
const struct lz_counted *lz_counted_nearest(const struct lz_counted *v, size_t n, bool holding);

#endif /* LZ_CONTROL_COUNTED_H */
