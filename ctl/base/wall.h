/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wall.h - a wall clock for what cannot be undone: deleting what has ended, forgetting what is old.
 *
 * Somebody sets the clock a year ahead, and right again: all that would have ended by then must still be
 * there. So for an hour after a step that CLOCK_MONOTONIC does not share, time is the earlier of the wall
 * clock and of what it would be without the step; a clock that stands by it for so long is right. After a
 * machine was suspended or its guest stopped the same holds: it costs an hour's patience.
 */
#ifndef LZ_BASE_WALL_H
#define LZ_BASE_WALL_H

#include <linux/types.h>
#include <stdbool.h>

#define LZ_WALL_STEP_S	60   /* what a clock may be moved by at once and still be believed */
#define LZ_WALL_DOUBT_S 3600 /* CLOCK_MONOTONIC: so long a step is not believed */

struct lz_wall {
	__u64 wall_s, mono_s;	   /* both clocks as they went along with each other last; 0 = not looked yet */
	__u64 stepped_s, since_s; /* both after the last step; 0 = there is none to be believed */
};

/** lz_wall_look() - both clocks now; returns the time that what has ended may be measured by */
__u64 lz_wall_look(struct lz_wall *w, __u64 wall_s, __u64 mono_s);

/** lz_wall_is_doubted() - as of the last look */
static inline bool lz_wall_is_doubted(const struct lz_wall *w)
{
	return w->since_s != 0;
}

#endif /* LZ_BASE_WALL_H */
