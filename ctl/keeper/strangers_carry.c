// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * strangers_carry.c - the keeper's part of strangers.c: new tables are about to take the place of those that
 * judge, and the ledger that has filled them is not the one that those were driven by.
 *
 * lz_kernel_take_over() brings along what limits did, for all else is the ledger's to bring. This one cannot.
 * So all holds and exceptions of the old tables come along, as they are, and with them the mark of the ledger
 * that they are of: by it the controller knows that the books have to learn, now or, if it dies, at the next
 * start. No packet meets the new tables yet, and nobody but limits writes the old ones any more: once is enough.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "datapath/pins.h"
#include "datapath/tables.h"
#include "keeper/keeper.h"

struct luggage {
	const struct lz_tables_view *from;
	struct lz_tables_view *to;
	__u64 left; /* holds that found no room */
	unsigned int narrow; /* exceptions that the new keys cannot tell apart */
	int r; /* why an exception found none */
};

/* ---------------------------------------------------------------- holds */

/* A rate is a row of the tables. If there is none for one more, he is held harder, not let go. */
static __u32 grade_there(const struct luggage *l, __u64 word)
{
	__u32 grade = LZ_HOLD_GRADE(word);
	const struct lz_throttle *want = &l->from->control->throttle[LZ_GRADE_ROW(grade)];
	struct lz_throttle *rows = l->to->control->throttle;

	if (LZ_GRADE_KIND(grade) != LZ_GRADE_THROTTLE)
		return grade;
	for (__u32 i = 1; i < LZ_THROTTLES_MAX; i++)
		if (rows[i].step_ms == want->step_ms && rows[i].burst_ms == want->burst_ms)
			return LZ_GRADE(LZ_GRADE_THROTTLE, i);
	for (__u32 i = 1; i < LZ_THROTTLES_MAX; i++)
		if (!rows[i].step_ms) {
			rows[i] = *want;
			return LZ_GRADE(LZ_GRADE_THROTTLE, i);
		}
	return LZ_GRADE(LZ_GRADE_BLOCK25, 0);
}

static int carry_hold(void *arg, __u64 key, __u64 word)
{
	struct luggage *l = arg;
	struct lz_keys keys;
	__u64 has;

	if (LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL)
		return 0; /* comes along in any case */
	word = LZ_HOLD_WORD(LZ_HOLD_EXPIRY(word), LZ_HOLD_TTL(word), grade_there(l, word), LZ_HOLD_FLAGS(word));
	keys = lz_key_recut(key, l->from->instance.ipv6_key_len, l->to->instance.ipv6_key_len);
	for (__u64 i = 0; i < keys.n; i++) {
		__u64 at = keys.first + i * keys.step;
		int r = lz_hold_read(l->to, at, &has);

		/* several may be one source there, and the ledger may have brought this one */
		if (r == 0)
			has = lz_hold_merge(l->to->control, has, word);
		r = lz_hold_set(l->to, at, r == 0 ? has : word, LZ_HOLD_SET_EXACT, NULL);
		l->left += r < 0 && r != -EINVAL; /* -EINVAL: its time is over by now */
	}
	return 0;
}

/* ---------------------------------------------------------------- exceptions */

static int carry_exception(void *arg, const struct lz_prefix_key *key, const struct lz_exception *e)
{
	const struct lz_keyprefix kp = { .bits = key->bits, .len = key->len };
	struct lz_prefix prefix = lz_keyprefix_to_prefix(&kp);
	struct lz_exception both = *e, has;
	struct lz_keyprefix ignored;
	struct luggage *l = arg;

	if (e->until_s <= lz_tables_now_s(l->to))
		return 0;
	if (lz_keyprefix_from_prefix(&prefix, l->to->instance.ipv6_key_len, &ignored) == -ERANGE) {
		l->narrow++;
		return 0;
	}
	if (lz_exception_read(l->to, key, &has) == 0) {
		both.flags |= has.flags;
		if (has.until_s > both.until_s)
			both.until_s = has.until_s;
	}
	l->r = lz_exception_add(l->to, key, &both);
	return l->r;
}

/* ---------------------------------------------------------------- all of it */

/* Has the ledger that filled the new tables not come as far as the one of the old? */
static bool is_other_ledger(const struct lz_tables *from, const struct lz_tables *to)
{
	return from->ledger_id && (from->ledger_id != to->ledger_id || from->ledger_turn > to->ledger_turn);
}

static int carry(struct luggage *l, struct lz_err *reterr)
{
	struct lz_tables *to = l->to->tables;
	int r;

	lz_holds_each(l->from, lz_tables_now_s(l->from), carry_hold, l);
	if (l->left)
		return lz_err_set(reterr, ENOSPC, "kernel: no room for %llu holds that the ledger does not know; the "
				  "tables that have them judge on", (unsigned long long)l->left);
	r = lz_exceptions_each(l->from, carry_exception, l);
	if (r < 0)
		return lz_err_set(reterr, -r, "kernel: cannot bring exceptions along that the ledger does not "
				  "know: %s; the tables that have them judge on", strerror(-r));
	if (l->narrow)
		lz_log(LZ_LOG_WARNING, "exceptions-lost", "exceptions=%u ipv6_key=%u why=%s", l->narrow,
		       l->to->instance.ipv6_key_len, "narrower than the keys of the new tables");
	*(volatile __u64 *)&to->ledger_id = l->from->tables->ledger_id;
	*(volatile __u64 *)&to->ledger_turn = UINT64_MAX; /* no ledger has come so far: see strangers.c */
	return 0;
}

int lz_strangers_carry(const struct lz_kernel *kernel, struct lz_err *reterr)
{
	struct lz_tables_view from = { 0 }, to = { 0 };
	struct luggage l = { .from = &from, .to = &to };
	struct lz_kernel old;
	int r;

	lz_kernel_clear(&old);
	r = lz_kernel_read_pins(kernel->dir, &old, reterr);
	if (r == 0)
		r = lz_tables_open(&old.maps, &old.instance, &from, reterr);
	if (r == 0)
		r = lz_tables_open(&kernel->maps, &kernel->instance, &to, reterr);
	if (r == 0 && is_other_ledger(from.tables, to.tables))
		r = carry(&l, reterr);
	lz_tables_close(&to);
	lz_tables_close(&from);
	lz_kernel_close(&old);
	return r == -EPROTONOSUPPORT ? 0 : r; /* only its own build would know what its tables say */
}
