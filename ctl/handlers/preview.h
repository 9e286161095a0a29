/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* preview.h - whom a policy that is not in force yet would cut off from port 25. */
#ifndef LZ_HANDLERS_PREVIEW_H
#define LZ_HANDLERS_PREVIEW_H

#include "control/ctl.h"

#define LZ_PREVIEW_FIRST 3

/* Of the sources that used port 25 within the last day. */
struct lz_preview {
	size_t users;	/* all of them */
	size_t refused; /* .. to whom their class would refuse it to the world, and does not now */
	__u64 first[LZ_PREVIEW_FIRST]; /* keys of some of these */
};

/**
 * lz_preview() - for the image of a policy, against what is in force
 *
 * By class alone: who uses nothing but smarthosts that are open to his class loses nothing, and limits are not
 * asked. Who is on the never-list or has an exception is left out. Takes tens of ms for a million sources.
 * Return: 0, or -ENOMEM.
 */
int lz_preview(const struct lz_ctl *ctl, const struct lz_policy *policy, const struct lz_image *image,
	       struct lz_preview *ret);

/** lz_preview_say() - one line of it into @buf, "" if nobody is refused; returns @buf */
#define LZ_PREVIEW_TEXT_MAX 256
const char *lz_preview_say(const struct lz_ctl *ctl, const struct lz_preview *preview,
			   char buf[static LZ_PREVIEW_TEXT_MAX]);

#endif /* LZ_HANDLERS_PREVIEW_H */
