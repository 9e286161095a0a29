/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ladder.c - the next step for a repeater. */
#include "colony/ladder.h"

bool lz_ladder_forgot(const struct lz_ladder *ladder, const struct lz_case *c, __u64 now_s)
{
	__u64 last_s = c->evidence_s > c->changed_s ? c->evidence_s : c->changed_s;

	return now_s > last_s && now_s - last_s > ladder->forget_s;
}

__u32 lz_ladder_next(const struct lz_ladder *ladder, const struct lz_case *c, __u64 now_s)
{
	if (c->step < 0 || lz_ladder_forgot(ladder, c, now_s))
		return 0;
	return (__u32)c->step + 1 < ladder->n ? (__u32)c->step + 1 : ladder->n - 1;
}
