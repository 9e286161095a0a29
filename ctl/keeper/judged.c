// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * judged.c - of each generation, whether one of its customer ports has a hook. The controller asks it of the one that
 * judges, which only the data plane knows.
 */
#include <string.h>

#include "base/clock.h"
#include "keeper/judged.h"

void lz_judged_note(struct lz_wiring *w, const struct lz_port_want *want, __u32 slot)
{
	if (want->role == LZ_ROLE_CUSTOMER)
		w->judging |= 1u << slot;
}

void lz_judged_planned(struct lz_wiring *w, __u32 slot)
{
	w->unseen_ns[slot] = 0;
	w->unjudged = (w->unjudged | 1u << slot) & ~(w->judging & 1u << slot);
}

void lz_judged_looked(struct lz_wiring *w, __u64 now_ns)
{
	__u32 before = w->unjudged;

	for (__u32 slot = 0; slot < LZ_GENERATIONS; slot++) {
		if (!w->planned[slot] || w->judging & 1u << slot) {
			w->unseen_ns[slot] = 0;
			w->unjudged &= ~(1u << slot);
		} else if (!w->unseen_ns[slot]) {
			w->unseen_ns[slot] = now_ns;
		} else if (now_ns - w->unseen_ns[slot] >= LZ_UNJUDGED_NS) {
			w->unjudged |= 1u << slot;
		}
	}
	if (w->unjudged != before)
		lz_wiring_tell(w, LZ_TOLD_UNJUDGED, "");
}

void lz_judged_forget(struct lz_wiring *w)
{
	w->unjudged = w->judging = 0;
	memset(w->unseen_ns, 0, sizeof(w->unseen_ns));
}
