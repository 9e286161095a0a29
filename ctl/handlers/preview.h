/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * preview.h - what a policy that is not in force yet would do to hosts that are there: whom it cuts off from port 25,
 * who is held in a garden that it does not have, whom it lets go, and how many it holds back no more.
 */
#ifndef LZ_HANDLERS_PREVIEW_H
#define LZ_HANDLERS_PREVIEW_H

#include "control/ctl.h"

#define LZ_PREVIEW_FIRST 3

/* Of the sources that used port 25 within the last day. */
struct lz_preview {
	size_t users;	/* all of them */
	size_t refused; /* .. to whom their class would refuse it to the world, and does not now */
	__u64 first[LZ_PREVIEW_FIRST]; /* keys of some of these */
	size_t in_garden[LZ_GARDENS_MAX]; /* held in this row, whose garden the policy leaves out */
	size_t freed; /* held, and in a class that is shared by it: they are let go */
	__u64 first_freed[LZ_PREVIEW_FIRST];
	size_t unstopped; /* held, and it is in monitor mode where the policy in force is not */
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
/** lz_preview_say_freed() - likewise, whose hold ends */
const char *lz_preview_say_freed(const struct lz_ctl *ctl, const struct lz_preview *preview,
				 char buf[static LZ_PREVIEW_TEXT_MAX]);

/** lz_preview_say_unstopped() - likewise, how many stay on record and are not held back */
const char *lz_preview_say_unstopped(const struct lz_preview *preview, char buf[static LZ_PREVIEW_TEXT_MAX]);

/** lz_preview_unstopped() - how many that are, where it needs no image: for a policy that needs other tables, too */
size_t lz_preview_unstopped(const struct lz_ctl *ctl, const struct lz_policy *policy);

/**
 * lz_preview_wider() - how many IPv6 holds would cover more addresses by the shorter /ipv6-key of @policy? 0: none, or
 * it is as long
 */
size_t lz_preview_wider(const struct lz_ctl *ctl, const struct lz_policy *policy);

/**
 * lz_preview_say_gardens() - the same of who is held in a garden that @image does not have, and what it is for him then
 *
 * He stays held. A garden that the policy in force does not have either is no news.
 */
#define LZ_PREVIEW_GARDENS_MAX 512
const char *lz_preview_say_gardens(const struct lz_ctl *ctl, const struct lz_image *image,
				   const struct lz_preview *preview, char buf[static LZ_PREVIEW_GARDENS_MAX]);

#endif /* LZ_HANDLERS_PREVIEW_H */
