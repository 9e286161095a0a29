/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guard.c - the guard's memory. A restart must not give a detector gone mad another minute's worth of
 * holds: what was held is counted from the ledger, and that the guard has tripped, or no longer is, stands
 * in the timeline. And who is active: of whom the guard lets a share be held.
 */

#include "base/clock.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/target.h"
#include "control/tell.h"

#define LZ_TRIPPED "guard-tripped"
#define LZ_OVER	   "guard-over"
#define LZ_RESET   "guard-reset"

void lz_case_guard_look(struct lz_ctl *ctl)
{
	struct lz_guard_rule rule = lz_guard_rule_of(ctl);
	bool tripped = lz_guard_tripped(&ctl->guard, &rule, lz_tables_now_s(&ctl->view));
	struct lz_note note = { .time_s = 0 };

	if (tripped == ctl->guard_told || ctl->busy)
		return;
	ctl->guard_told = tripped;
	lz_text_set(note.event, sizeof(note.event), tripped ? LZ_TRIPPED : LZ_OVER);
	lz_text_set(note.actor, sizeof(note.actor), "lazaretd");
	lz_tell_note(ctl, tripped ? LZ_LOG_WARNING : LZ_LOG_NOTICE, &note);
}

void lz_case_guard_reset(struct lz_ctl *ctl, const char *actor)
{
	struct lz_note note = { .time_s = 0 };

	lz_guard_reset(&ctl->guard);
	ctl->guarded = 0;
	ctl->guard_told = false;
	lz_text_set(note.event, sizeof(note.event), LZ_RESET);
	lz_text_set(note.actor, sizeof(note.actor), actor);
	lz_tell_note(ctl, LZ_LOG_NOTICE, &note);
}

/* ---------------------------------------------------------------- who has sent lately */

_Static_assert(LZ_RANGE_NONE == LZ_ACTIVE_NOBODY, "an address without owner is one by itself");

/* A count that another policy has begun, or another table, is no use: bits are of its customers. */
static void begin_active(struct lz_ctl *ctl, __u32 slot)
{
	struct lz_active_look *look = &ctl->active;

	look->policy = ctl->now.policy;
	look->whole = !look->next || slot < look->next;
	lz_active_begin(&look->count, ctl->now.policy ? ctl->now.policy->n_customers : 0);
}

void lz_case_active_found(struct lz_ctl *ctl, __u64 key, __u32 slot)
{
	struct lz_active_look *look = &ctl->active;
	__u64 idle_ns = ctl->now.image ? ctl->now.image->idle_ns : 0;

	if (!look->count.begun || slot < look->next || look->policy != ctl->now.policy)
		begin_active(ctl, slot);
	look->next = slot + 1;
	if (lz_cell_is_active(&ctl->view, slot, (__u32)(idle_ns / LZ_NS_PER_S), lz_tables_now_s(&ctl->view)))
		lz_active_add(&look->count, lz_target_owner_index(ctl, key));
}

void lz_case_active_end(struct lz_ctl *ctl)
{
	struct lz_active_look *look = &ctl->active;

	if (!look->next) /* the table is empty */
		begin_active(ctl, 0);
	if (look->whole)
		lz_active_end(&look->count);
	else
		lz_active_done(&look->count);
	look->next = 0;
}

__u64 lz_sources_active(const struct lz_ctl *ctl)
{
	return lz_active_count(&ctl->active.count);
}

static int count_active(void *ctl, __u64 key, __u32 slot)
{
	lz_case_active_found(ctl, key, slot);
	return 0;
}

/* ---------------------------------------------------------------- after a start */

/* The newest note of this event; one with id 0 if there is none. */
static struct lz_note last_note(struct lz_ctl *ctl, const char *event)
{
	struct lz_note note;

	return lz_note_last(ctl->ledger, event, &note) == 0 ? note : (struct lz_note){ .id = 0 };
}

void lz_case_guard_restore(struct lz_ctl *ctl)
{
	struct lz_note tripped = last_note(ctl, LZ_TRIPPED), over = last_note(ctl, LZ_OVER);
	struct lz_note reset = last_note(ctl, LZ_RESET);
	struct lz_second held[LZ_GUARD_WINDOW_S + 1];
	__u64 now_s = lz_tables_now_s(&ctl->view), wall_s = lz_ctl_now().wall_s;
	__u64 since_s = wall_s > LZ_GUARD_WINDOW_S ? wall_s - LZ_GUARD_WINDOW_S : 0;
	int n;

	/* At once: what the kernel held while no daemon ran is asked about before the sweep comes round. */
	lz_cells_each(&ctl->view, count_active, ctl);
	lz_case_active_end(ctl);
	if (reset.time_s > since_s && reset.time_s <= wall_s)
		since_s = reset.time_s;
	n = lz_transition_seconds(ctl->ledger, since_s, wall_s, held, LZ_ARRAY_SIZE(held));
	for (int i = 0; i < n; i++)
		if (wall_s - held[i].time_s < now_s) /* since the boot: the guard's clock */
			lz_guard_count(&ctl->guard, now_s - (wall_s - held[i].time_s), held[i].count);
	ctl->guard_told = tripped.id > over.id && tripped.id > reset.id;
	if (ctl->guard_told)
		lz_guard_trip(&ctl->guard, now_s);
}
