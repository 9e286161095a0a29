/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hold.c - one key's hold: room for it, its word in the kernel, its grade there and back, and whether it is enforced.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/ctl.h"
#include "control/hold.h"
#include "datapath/bypass.h"

__u64 lz_colony_max(const struct lz_ctl *ctl)
{
	return ctl->now.image ? ctl->now.image->colony_max : LZ_POLICY_CAPACITY_MIN;
}

int lz_hold_room(struct lz_ctl *ctl, size_t n, struct lz_err *reterr)
{
	if (lz_held_count(ctl->ledger) + n <= lz_colony_max(ctl))
		return 0;
	return lz_err_set(reterr, ENOSPC,
			  "colony: full: %llu of %llu are held; raise /capacity/colony or free some",
			  (unsigned long long)lz_held_count(ctl->ledger),
			  (unsigned long long)lz_colony_max(ctl));
}

int lz_hold_to_kernel(struct lz_ctl *ctl, const struct lz_held *held, struct lz_err *reterr)
{
	char key[LZ_PREFIX_TEXT_MAX];
	__u64 word, stands = 0;
	int r = lz_hold_word(ctl, held, &word, reterr);

	if (r < 0)
		return r;
	r = lz_hold_set(&ctl->view, held->key, word, LZ_HOLD_SET_EXACT, &stands);
	if (r >= 0 && LZ_HOLD_EXPIRY(stands) == held->expiry_s)
		return 0;
	lz_key_format(held->key, ctl->view.instance.ipv6_key_len, key);
	return lz_err_set(reterr, r < 0 ? -r : EIO, "%s: the kernel did not take it: %s", key,
			  r == -ENOSPC ? "table full" : strerror(r < 0 ? -r : EIO));
}

/* ---------------------------------------------------------------- grades */

/* At once, of a throttled host: a mail program opens two or three connections together. */
#define LZ_THROTTLE_AT_ONCE 3
#define LZ_THROTTLE_MAX_MS  (1u << 30)

static void fill_throttle(const struct lz_rate *rate, struct lz_throttle *ret)
{
	__u64 step_ms = rate->window_ns / 1000000 / rate->count;
	__u64 at_once = rate->count < LZ_THROTTLE_AT_ONCE ? rate->count : LZ_THROTTLE_AT_ONCE;

	if (!step_ms)
		step_ms = 1;
	if (step_ms * at_once > LZ_THROTTLE_MAX_MS)
		step_ms = LZ_THROTTLE_MAX_MS / at_once;
	ret->step_ms = (__u32)step_ms;
	ret->burst_ms = (__u32)(step_ms * (at_once - 1));
}

static int mark_throttle(void *arg, __u64 key, __u64 word)
{
	__u32 *used = arg, grade = LZ_HOLD_GRADE(word);

	(void)key;
	if (LZ_GRADE_KIND(grade) == LZ_GRADE_THROTTLE)
		*used |= 1u << LZ_GRADE_ROW(grade);
	return 0;
}

/* The row with this rate; or a new one: never used, or that nobody is held by any more. */
static int find_throttle(struct lz_ctl *ctl, const struct lz_throttle *want)
{
	struct lz_throttle *rows = ctl->view.control->throttle;
	__u32 used = 1;

	for (int i = 1; i < LZ_THROTTLES_MAX; i++)
		if (rows[i].step_ms == want->step_ms && rows[i].burst_ms == want->burst_ms)
			return i;
	for (int i = 1; i < LZ_THROTTLES_MAX; i++)
		used |= rows[i].step_ms ? 1u << i : 0;
	if (used == (1u << LZ_THROTTLES_MAX) - 1) {
		used = 1;
		lz_holds_each(&ctl->view, lz_tables_now_s(&ctl->view), mark_throttle, &used);
	}
	for (int i = 1; i < LZ_THROTTLES_MAX; i++)
		if (!(used & 1u << i)) {
			rows[i] = (struct lz_throttle){ .burst_ms = want->burst_ms };
			__atomic_store_n(&rows[i].step_ms, want->step_ms, __ATOMIC_RELEASE);
			return i;
		}
	return -ENOSPC;
}

/* A garden that no policy since the start has had is strict, as the data plane takes such a row. */
static int find_grade(struct lz_ctl *ctl, const struct lz_grade *grade, struct lz_err *reterr)
{
	struct lz_throttle want;
	int row;

	switch (grade->kind) {
	case LZ_GRADE_IS_BLOCK25:
		return LZ_GRADE(LZ_GRADE_BLOCK25, 0);
	case LZ_GRADE_IS_THROTTLE:
		fill_throttle(&grade->rate, &want);
		row = find_throttle(ctl, &want);
		if (row < 0)
			return lz_err_set(reterr, ENOSPC,
					  "throttle: %d different rates are in force already; use one "
					  "of them", LZ_THROTTLES_MAX - 1);
		return LZ_GRADE(LZ_GRADE_THROTTLE, row);
	default:
		row = ctl->now.image ? lz_image_garden_find(ctl->now.image, grade->garden) : -ENOENT;
		if (row < 0)
			row = lz_streq(grade->garden, "leaky") ? LZ_GARDEN_LEAKY : LZ_GARDEN_STRICT;
		return LZ_GRADE(LZ_GRADE_GARDEN, row);
	}
}

int lz_hold_word(struct lz_ctl *ctl, const struct lz_held *held, __u64 *ret_word,
		 struct lz_err *reterr)
{
	unsigned int flags = lz_streq(held->source, "operator") ? LZ_HOLD_F_OPERATOR : 0;
	struct lz_grade grade;
	int r = lz_grade_parse(held->grade, &grade, reterr);

	if (r == 0)
		r = find_grade(ctl, &grade, reterr);
	if (r < 0)
		return r;
	*ret_word = LZ_HOLD_WORD(held->expiry_s, held->ttl_s, r, flags);
	return 0;
}

void lz_hold_grade(const struct lz_ctl *ctl, __u64 word, struct lz_grade *ret)
{
	__u32 grade = LZ_HOLD_GRADE(word), row = LZ_GRADE_ROW(grade);
	const struct lz_throttle *t = &ctl->view.control->throttle[row];

	*ret = (struct lz_grade){ .kind = LZ_GRADE_IS_GARDEN };
	if (LZ_GRADE_KIND(grade) == LZ_GRADE_BLOCK25) {
		ret->kind = LZ_GRADE_IS_BLOCK25;
	} else if (LZ_GRADE_KIND(grade) == LZ_GRADE_THROTTLE && t->step_ms) {
		ret->kind = LZ_GRADE_IS_THROTTLE;
		/* as many at once as it has: the same row comes of it again */
		ret->rate.count = t->burst_ms / t->step_ms + 1;
		ret->rate.window_ns = ret->rate.count * t->step_ms * 1000000ULL;
	} else if (LZ_GRADE_KIND(grade) == LZ_GRADE_GARDEN && ctl->now.image &&
		   ctl->now.image->garden_names[row][0]) {
		lz_text_set(ret->garden, sizeof(ret->garden), ctl->now.image->garden_names[row]);
	} else {
		lz_text_set(ret->garden, sizeof(ret->garden), row ? "strict" : "leaky");
	}
}

__u64 lz_hold_beside_kernel(void *arg, __u64 stands, __u64 word)
{
	const struct lz_ctl *ctl = arg;

	return lz_hold_merge(ctl->view.control, stands, word);
}

int lz_grade_check(const struct lz_ctl *ctl, const struct lz_grade *grade, struct lz_err *reterr)
{
	const struct lz_policy *policy = ctl->now.policy;
	char names[160] = "", rate[LZ_RATE_TEXT_MAX];

	if (grade->kind == LZ_GRADE_IS_NONE)
		return lz_err_set(reterr, EINVAL,
				  "notify: holds nobody (want garden:NAME, leaky, strict, block25 or throttle:RATE)");
	if (grade->kind == LZ_GRADE_IS_THROTTLE && lz_rate_exceeds(&grade->rate, LZ_THROTTLE_MAX_PER_S))
		return lz_err_set(reterr, ERANGE, "throttle %s: is out of range (want at most %d/s)",
				  lz_rate_format(&grade->rate, rate), LZ_THROTTLE_MAX_PER_S);
	if (grade->kind != LZ_GRADE_IS_GARDEN || lz_streq(grade->garden, "leaky") ||
	    lz_streq(grade->garden, "strict"))
		return 0;
	for (size_t i = 0; policy && i < policy->n_gardens; i++) {
		size_t len = strlen(names);

		if (lz_streq(policy->gardens[i].name, grade->garden))
			return 0;
		snprintf(names + len, sizeof(names) - len, ", %s", policy->gardens[i].name);
	}
	return lz_err_set(reterr, EINVAL, "garden:%s: the policy has no such garden (want leaky, strict%s)",
			  grade->garden, names);
}

/* ---------------------------------------------------------------- is it enforced? */

const char *const lz_hold_off_texts[LZ_HOLD_OFF_N] = {
	[LZ_HOLD_OFF_BYPASS] = "the bypass is on: everything passes",
	[LZ_HOLD_OFF_NO_POLICY] = "no policy is in force: everything passes",
	[LZ_HOLD_OFF_NO_PORT] = "no customer port is judged: everything passes",
	[LZ_HOLD_OFF_OVER] = "its time is over",
	[LZ_HOLD_OFF_NEVER] = "the address is on the never-list: its packets pass",
	[LZ_HOLD_OFF_MONITOR] = "the policy is in monitor mode and stops nothing",
};

/* Past an unconfirmed deadline the data plane has gone back before the books say so. */
static const struct lz_policy *judging(const struct lz_ctl *ctl, const struct lz_swap_state *state)
{
	return ctl->before.policy && state->number == ctl->before.row.generation ? ctl->before.policy :
										   ctl->now.policy;
}

bool lz_hold_no_port(const struct lz_ctl *ctl)
{
	struct lz_swap_state state;

	if (!ctl->opened)
		return false;
	lz_swap_state_get(&ctl->view, &state);
	return state.slot < LZ_GENERATIONS && ctl->unjudged & 1u << state.slot;
}

enum lz_hold_off lz_hold_off(const struct lz_ctl *ctl, const struct lz_addr *addr, __u32 expiry_s)
{
	const struct lz_prefix host = lz_prefix_host(addr);
	const struct lz_policy *policy;
	struct lz_swap_state state;

	if (!ctl->opened)
		return LZ_HOLD_OFF_NO_POLICY;
	if (lz_bypass_get(ctl->view.control, NULL))
		return LZ_HOLD_OFF_BYPASS;
	lz_swap_state_get(&ctl->view, &state);
	if (state.slot >= LZ_GENERATIONS)
		return LZ_HOLD_OFF_NO_POLICY;
	if (ctl->unjudged & 1u << state.slot)
		return LZ_HOLD_OFF_NO_PORT;
	if (expiry_s <= lz_tables_now_s(&ctl->view))
		return LZ_HOLD_OFF_OVER;
	policy = judging(ctl, &state);
	if (policy && lz_ranges_find(&policy->never_ranges, &host))
		return LZ_HOLD_OFF_NEVER;
	return ctl->view.control->gen[state.slot].flags & LZ_GEN_F_MONITOR ? LZ_HOLD_OFF_MONITOR :
									      LZ_HOLD_IS_ENFORCED;
}
