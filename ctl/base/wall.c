/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/wall.h"

/* Did a clock that stood at @wall_s when the other stood at @mono_s go along with it since? */
static bool goes_along(__u64 wall_s, __u64 mono_s, __u64 wall_now_s, __u64 mono_now_s)
{
	__u64 want_s = wall_s + (mono_now_s - mono_s);

	return wall_now_s > want_s ? wall_now_s - want_s <= LZ_WALL_STEP_S : want_s - wall_now_s <= LZ_WALL_STEP_S;
}

__u64 lz_wall_look(struct lz_wall *w, __u64 wall_s, __u64 mono_s)
{
	__u64 unmoved_s;

	if (!w->mono_s || goes_along(w->wall_s, w->mono_s, wall_s, mono_s) ||
	    (w->since_s && mono_s - w->since_s >= LZ_WALL_DOUBT_S &&
	     goes_along(w->stepped_s, w->since_s, wall_s, mono_s))) {
		*w = (struct lz_wall){ .wall_s = wall_s, .mono_s = mono_s };
		return wall_s;
	}
	if (!w->since_s || !goes_along(w->stepped_s, w->since_s, wall_s, mono_s)) {
		w->stepped_s = wall_s;
		w->since_s = mono_s;
	}
	unmoved_s = w->wall_s + (mono_s - w->mono_s);
	return wall_s < unmoved_s ? wall_s : unmoved_s;
}
