// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * running.c - from a checked policy to the one that judges: compile, write down, plan, fill, switch;
 * and the ways back.
 *
 * Order of an apply: nothing is changed before everything that can fail has been done. The ledger
 * knows of it ("applying") before the kernel does, so that no generation judges that is not on record.
 */
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/ask.h"
#include "control/ctl.h"
#include "control/names.h"
#include "control/running.h"
#include "control/strangers.h"
#include "control/tell.h"

int lz_running_prepare(struct lz_ctl *ctl, struct lz_policy *policy, const struct lz_image *previous,
		       struct lz_running *ret, struct lz_err *reterr)
{
	int r = lz_ctl_open(ctl, policy, reterr);

	if (r < 0) {
		lz_policy_free(&policy);
		return r;
	}
	return lz_running_compile(ctl, policy, previous, ret, reterr);
}

void lz_running_done(struct lz_running *running)
{
	if (running->image)
		lz_swap_live_unmap(running->image, &running->live);
	lz_image_free(&running->image);
	lz_policy_free(&running->policy);
	free(running->by_customer);
	memset(running, 0, sizeof(*running));
}

void lz_running_sign(struct lz_running *running, __u64 text_hash)
{
	running->text_hash = text_hash;
	running->image->gen.policy = lz_image_fingerprint(running->image, text_hash);
}

bool lz_running_judges(const struct lz_ctl *ctl, const struct lz_swap_state *state)
{
	if (!ctl->now.policy)
		return !state->number;
	return state->number == ctl->now.row.generation && state->policy == ctl->now.image->gen.policy;
}

static int compare_owner(const void *a, const void *b, void *arg)
{
	const struct lz_range *v = arg;
	__u32 x = v[*(const __u32 *)a].owner, y = v[*(const __u32 *)b].owner;

	return x < y ? -1 : x > y;
}

static int index_customers(struct lz_running *running)
{
	struct lz_ranges *ranges = &running->policy->customer_ranges;

	if (!ranges->n)
		return 0;
	running->by_customer = calloc(ranges->n, sizeof(*running->by_customer));
	if (!running->by_customer)
		return -ENOMEM;
	for (size_t i = 0; i < ranges->n; i++)
		running->by_customer[i] = (__u32)i;
	qsort_r(running->by_customer, ranges->n, sizeof(*running->by_customer), compare_owner,
		ranges->v);
	return 0;
}

int lz_running_compile(struct lz_ctl *ctl, struct lz_policy *policy, const struct lz_image *previous,
		       struct lz_running *ret, struct lz_err *reterr)
{
	struct lz_running next = { .policy = policy };
	int r;

	r = lz_image_compile(policy, previous, ctl->view.instance.seed, &next.image, reterr);
	if (r == 0 && index_customers(&next) < 0)
		r = lz_err_set(reterr, ENOMEM, "policy: out of memory");
	if (r < 0) {
		lz_running_done(&next);
		return r;
	}
	lz_text_set(next.row.name, sizeof(next.row.name), policy->name);
	*ret = next;
	return 0;
}

/* A class or limit keeps its row while it has its name; one that is new counts from nothing, whatever its id was
 * before. No packet meets it yet. */
static void clear_counters(struct lz_ctl *ctl, const struct lz_image *next)
{
	const struct lz_image *now = ctl->now.image;

	for (__u32 id = LZ_CLASS_FIRST; id < LZ_CLASSES_MAX; id++)
		if (!now || !lz_streq(next->class_names[id], now->class_names[id]))
			lz_class_stats_clear(&ctl->view, id);
	for (__u32 id = 1; id < LZ_LIMIT_IDS; id++)
		if (!now || !lz_streq(next->limits[id].name, now->limits[id].name) ||
		    !lz_streq(next->limits[id].class_, now->limits[id].class_))
			lz_limit_stats_clear(&ctl->view, id);
}

static int fill_and_publish(struct lz_ctl *ctl, struct lz_running *next, __u32 confirm_s, __u32 plan_flags,
			    struct lz_err *reterr)
{
	int slot = lz_swap_idle_slot(&ctl->view);
	struct lz_inner_sizes sizes;
	struct lz_inner_fds inner;
	int r;

	if (slot < 0)
		return lz_err_set(reterr, EBUSY,
				  "policy: generation %llu waits for a confirm; say confirm or undo",
				  (unsigned long long)lz_ctl_generation(ctl));
	lz_swap_sizes(next->image, &sizes);
	r = lz_ctl_inner(ctl, &sizes, &inner, reterr);
	if (r < 0)
		return r;
	r = lz_swap_fill(next->image, &inner, reterr);
	if (r == 0)
		r = lz_ctl_plan(ctl, next->policy, (__u32)slot, plan_flags, reterr);
	if (r == 0)
		r = lz_swap_live_map(&ctl->view, (__u32)slot, next->image, &inner, &next->live,
				     reterr);
	if (r == 0) {
		lz_names_switch(ctl, next->image, (__u32)slot);
		clear_counters(ctl, next->image);
		r = lz_swap_publish(&ctl->view, next->image, &inner, next->row.generation, confirm_s,
				    reterr);
	}
	if (r == 0) /* one copy is enough: up to 120 MB for half a million ranges */
		lz_image_lend_ranges(next->image, next->live.ranges);
	lz_close_ref(&inner.ranges);
	lz_close_ref(&inner.dests);
	lz_close_ref(&inner.customers);
	return r;
}

static void set_idle(struct lz_ctl *ctl)
{
	lz_sweep_idle_set(ctl->sweep, (__u32)(ctl->now.image->idle_ns / LZ_NS_PER_S));
}

/* The other generation is over: its interfaces may be let go. */
static void settle(struct lz_ctl *ctl)
{
	struct lz_swap_state state;
	struct lz_err err = { "" };
	int r;

	lz_swap_state_get(&ctl->view, &state);
	if (state.slot >= LZ_GENERATIONS)
		return;
	r = lz_ctl_keep(ctl, state.slot, &err);
	ctl->keep_due = r == -ETIMEDOUT;
	if (r == 0) {
		if (ctl->beside) {
			ctl->beside = false;
			lz_strangers_taken_over(ctl);
		}
		return;
	}
	lz_log(LZ_LOG_ERROR, "keep-failed", "why=%s", err.text);
	if (ctl->beside) /* we hold tables that no packet meets: a new start tries it again */
		exit(LZ_CODE_REFUSED);
}

void lz_running_keep_turn(struct lz_ctl *ctl)
{
	struct lz_swap_state state;

	if (!ctl->keep_due || ctl->silent_since_s || ctl->next.req)
		return;
	lz_swap_state_get(&ctl->view, &state);
	if (!state.pending)
		settle(ctl);
}

static void note_policy(struct lz_ctl *ctl, const char *event, const struct lz_applied *row,
			const char *actor)
{
	struct lz_note note = { .until_s = row->deadline_s };

	lz_text_set(note.event, sizeof(note.event), event);
	lz_text_set(note.object, sizeof(note.object), row->file[0] ? row->file : row->name);
	lz_text_set(note.actor, sizeof(note.actor), actor);
	lz_text_set(note.reason, sizeof(note.reason), row->name);
	lz_tell_note(ctl, LZ_LOG_NOTICE, &note);
}

/* A policy has passed through: what its text took is not needed till the next. */
static void shed(struct lz_ctl *ctl)
{
	lz_ledger_shed(ctl->ledger);
	malloc_trim(0);
}

/* Above all of this ledger and of the kernel, which may have been driven by another one: what is remembered of a
 * SYN, and who reads events, goes by the number. */
static __u64 next_number(const struct lz_ctl *ctl)
{
	__u64 written = lz_applied_highest(ctl->ledger), judged = ctl->opened ? lz_swap_highest(&ctl->view) : 0;

	return (written > judged ? written : judged) + 1;
}

/* A stand-in has the policies it starts by, under their own numbers: by these the ledger knows them again. */
static int write_down(struct lz_ctl *ctl, struct lz_running *next, __u32 confirm_s, struct lz_err *reterr)
{
	lz_autofree char *text = NULL, *ids = NULL;
	struct lz_now now = lz_ctl_now();
	int r;

	if (lz_ledger_is_stand_in(ctl->ledger) && next->row.generation)
		return 0;
	next->row.generation = next_number(ctl);
	if (!next->row.origin)
		next->row.origin = next->row.generation;
	next->row.base = 0;
	next->row.applied_s = now.wall_s;
	next->row.deadline_s = confirm_s ? now.wall_s + confirm_s : 0;
	lz_text_set(next->row.state, sizeof(next->row.state), LZ_STATE_APPLYING);
	r = lz_policy_print(next->policy, LZ_PRINT_INLINE_FILES | LZ_PRINT_PACKED, &text);
	if (r == 0)
		r = lz_image_ids_print(next->image, &ids);
	if (r < 0)
		return lz_err_set(reterr, ENOMEM, "policy: out of memory");
	lz_running_sign(next, lz_text_hash(text));
	return lz_applied_add(ctl->ledger, &next->row, text, ids, reterr);
}

int lz_running_apply(struct lz_ctl *ctl, struct lz_running *next, __u32 confirm_s, __u32 plan_flags,
		     struct lz_err *reterr)
{
	const char *state = confirm_s ? LZ_STATE_PENDING : LZ_STATE_CONFIRMED;
	int r = write_down(ctl, next, confirm_s, reterr);

	if (r < 0) {
		lz_running_done(next);
		return r;
	}
	r = fill_and_publish(ctl, next, confirm_s, plan_flags, reterr);
	if (r < 0) {
		lz_applied_state(ctl->ledger, next->row.generation, LZ_STATE_FAILED, NULL);
		lz_running_done(next);
		return r;
	}
	/* It judges. Should we be killed before that is written, the next start finds "applying" and asks
	 * the kernel what became of it. */
	lz_running_became(ctl, next->row.generation, state);
	lz_text_set(next->row.state, sizeof(next->row.state), state);
	lz_running_done(&ctl->before);
	ctl->before = ctl->now;
	ctl->now = *next;
	memset(next, 0, sizeof(*next));
	ctl->owners = (struct lz_owners_look){ 0 };
	set_idle(ctl);
	lz_strangers_look(ctl); /* of a ledger without policies */
	if (!confirm_s) {
		lz_running_done(&ctl->before);
		settle(ctl);
	}
	lz_ctl_portal(ctl);
	note_policy(ctl, "policy-applied", &ctl->now.row, ctl->now.row.actor);
	lz_names_turn(ctl); /* what is known of its names is open before the answer, not a turn later */
	lz_texts_forget(ctl);
	shed(ctl);
	return 0;
}

/* ---------------------------------------------------------------- what became of one */

/* The last of a generation counts; of more than there is room for, the oldest is left to the next start. */
static void owe(struct lz_ctl *ctl, __u64 generation, const char *state)
{
	size_t i = 0;

	while (i < ctl->n_owed && ctl->owed[i].generation != generation)
		i++;
	if (i == LZ_OWED_MAX)
		memmove(ctl->owed, ctl->owed + 1, --i * sizeof(*ctl->owed));
	else if (i == ctl->n_owed)
		ctl->n_owed++;
	ctl->owed[i].generation = generation;
	lz_text_set(ctl->owed[i].state, sizeof(ctl->owed[i].state), state);
}

static void owe_no_more(struct lz_ctl *ctl, __u64 generation)
{
	size_t n = 0;

	for (size_t i = 0; i < ctl->n_owed; i++)
		if (ctl->owed[i].generation != generation)
			ctl->owed[n++] = ctl->owed[i];
	ctl->n_owed = n;
}

static int put_state(struct lz_ctl *ctl, __u64 generation, const char *state, struct lz_err *reterr)
{
	int r = lz_applied_state(ctl->ledger, generation, state, reterr);

	if (r == 0)
		owe_no_more(ctl, generation);
	return r;
}

void lz_running_became(struct lz_ctl *ctl, __u64 generation, const char *state)
{
	struct lz_err err = { "" };

	if (put_state(ctl, generation, state, &err) == 0)
		return;
	owe(ctl, generation, state);
	lz_text_set(ctl->ledger_fault, sizeof(ctl->ledger_fault), err.text); /* tried again soon */
	lz_log(LZ_LOG_ERROR, "ledger-failed", "why=%s", err.text);
}

void lz_running_owed(struct lz_ctl *ctl)
{
	while (ctl->n_owed) {
		struct lz_owed o = ctl->owed[0];

		if (put_state(ctl, o.generation, o.state, NULL) < 0)
			return;
		lz_log(LZ_LOG_NOTICE, "policy-settled", "generation=%llu is=%s",
		       (unsigned long long)o.generation, o.state);
	}
}

/* ---------------------------------------------------------------- confirm, and the ways back */

#define LZ_ONLY_JUST_NS LZ_NS_PER_S /* in which nobody can have read of it and thought again */

static int too_late(__u64 generation, struct lz_err *reterr)
{
	return lz_err_set(reterr, EBUSY, "policy: too late: the deadline of generation %llu has passed and the data "
			  "plane has gone back by itself", (unsigned long long)generation);
}

/* Whatever was put into force since is what a command without a number means, however late that trial ended. */
int lz_running_too_late(const struct lz_ctl *ctl, struct lz_err *reterr)
{
	const struct lz_gone_back *gone = &ctl->gone_back;
	struct lz_swap_state state;

	lz_swap_state_get(&ctl->view, &state);
	if (state.pending)
		return 0;
	if (state.expired)
		return too_late(lz_ctl_generation(ctl), reterr);
	if (gone->left && gone->to == lz_ctl_generation(ctl) &&
	    lz_clock_mono_ns() - gone->found_ns < LZ_ONLY_JUST_NS)
		return too_late(gone->left, reterr);
	return 0;
}

/* Not the one that was named @does: another one, or none (NULL). What has become of it is in the ledger. */
static int not_that_one(const struct lz_ctl *ctl, __u64 wanted, const char *does, struct lz_err *reterr)
{
	const struct lz_applied *now = &ctl->now.row;
	struct lz_applied row;
	char fate[LZ_NAME_TEXT_MAX + LZ_STATE_TEXT_MAX + 64];

	if (lz_applied_get(ctl->ledger, wanted, &row, NULL, NULL) < 0)
		snprintf(fate, sizeof(fate), "there is no generation %llu", (unsigned long long)wanted);
	else if (!does && lz_streq(row.state, LZ_STATE_EXPIRED))
		return too_late(wanted, reterr);
	else
		snprintf(fate, sizeof(fate), "%llu, '%s', is %s", (unsigned long long)wanted, row.name, row.state);
	if (!does)
		return lz_err_set(reterr, EBUSY, "policy: nothing waits for a confirm: %s", fate);
	return lz_err_set(reterr, EBUSY, "policy: generation %llu %s, not %llu; %llu is '%s', applied by %s; %s",
			  (unsigned long long)now->generation, does, (unsigned long long)wanted,
			  (unsigned long long)now->generation, now->name, now->actor, fate);
}

int lz_running_is(const struct lz_ctl *ctl, __u64 wanted, struct lz_err *reterr)
{
	return !wanted || wanted == lz_ctl_generation(ctl) ? 0 : not_that_one(ctl, wanted, "is in force", reterr);
}

/* The books first: what the kernel has confirmed must be there after a reboot. Killed in between, the
 * next start finds it confirmed, as it was asked for. */
int lz_running_confirm(struct lz_ctl *ctl, __u64 wanted, struct lz_err *reterr)
{
	struct lz_swap_state state;
	struct lz_err why = { "" };
	int r;

	lz_swap_state_get(&ctl->view, &state);
	if (wanted && (wanted != lz_ctl_generation(ctl) || !(state.pending || state.expired)))
		return not_that_one(ctl, wanted, state.pending ? "waits" : NULL, reterr);
	r = lz_running_too_late(ctl, reterr);
	if (r < 0)
		return r;
	lz_swap_state_get(&ctl->view, &state);
	if (!state.pending)
		return lz_err_set(reterr, ENOENT, "policy: nothing waits for a confirm");
	r = put_state(ctl, ctl->now.row.generation, LZ_STATE_CONFIRMED, &why);
	if (r < 0)
		return lz_err_set(reterr, -r, "policy: not confirmed, at the deadline the one before comes back: %s",
				  why.text);
	if (lz_swap_confirm(&ctl->view) < 0) { /* the disk took that long */
		lz_running_became(ctl, ctl->now.row.generation, LZ_STATE_EXPIRED);
		return too_late(ctl->now.row.generation, reterr);
	}
	lz_text_set(ctl->now.row.state, sizeof(ctl->now.row.state), LZ_STATE_CONFIRMED);
	ctl->now.row.deadline_s = 0;
	lz_running_done(&ctl->before);
	settle(ctl);
	return 0;
}

/* Also over a restart, and if the disk fails just now, at least until then. */
static void outlive(struct lz_ctl *ctl)
{
	lz_autofree char *ids = NULL;
	struct lz_err err = { "ids: out of memory" };

	lz_image_outlive(ctl->before.image, ctl->now.image);
	if (lz_image_ids_print(ctl->before.image, &ids) < 0 ||
	    lz_applied_ids(ctl->ledger, ctl->before.row.generation, ids, &err) < 0)
		lz_log(LZ_LOG_ERROR, "ledger-failed", "why=%s", err.text);
}

int lz_running_back(struct lz_ctl *ctl, bool expired, const char *actor, struct lz_err *reterr)
{
	const char *state = expired ? LZ_STATE_EXPIRED : LZ_STATE_UNDONE;
	struct lz_applied left = ctl->now.row;

	if (expired) {
		lz_swap_settle(&ctl->view);
		ctl->gone_back = (struct lz_gone_back){ .left = left.generation,
							.to = ctl->before.row.generation,
							.found_ns = lz_clock_mono_ns() };
	} else if (lz_swap_undo(&ctl->view) < 0) {
		return lz_err_set(reterr, ENOENT, "policy: nothing waits for a confirm");
	} else { /* to what an earlier trial may have gone back to as well */
		ctl->gone_back = (struct lz_gone_back){ 0 };
	}
	lz_running_became(ctl, left.generation, state);
	if (ctl->before.image) /* stamps that the one left has used up are not used again */
		outlive(ctl);
	lz_running_done(&ctl->now);
	ctl->now = ctl->before;
	memset(&ctl->before, 0, sizeof(ctl->before));
	ctl->owners = (struct lz_owners_look){ 0 };
	if (ctl->now.policy) {
		set_idle(ctl);
		settle(ctl);
	}
	lz_ctl_portal(ctl);
	left.deadline_s = 0;
	note_policy(ctl, expired ? "policy-rolled-back" : "policy-undone", &left, actor);
	return 0;
}

void lz_running_look(struct lz_ctl *ctl)
{
	struct lz_swap_state state;

	if (!ctl->opened)
		return;
	lz_swap_state_get(&ctl->view, &state);
	if (state.expired)
		lz_running_back(ctl, true, "deadline", NULL);
}
