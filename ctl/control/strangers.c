/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * strangers.c - who is held or excepted in the kernel and not in the ledger, and which of the two is right.
 *
 * A hold is in the ledger before it is in the kernel, and out of it before it is out of the kernel. So
 * somebody whom only the kernel holds is a release that was cut off in the middle - if this is the ledger
 * that the kernel was driven by. A backup that was put back, or a new ledger because the old one was
 * damaged, knows less than the kernel does: then nobody is let go (I1), the books learn from the kernel.
 * Holds of limits are found by the sweep (lz_hold_learn()) in either case.
 *
 * New tables that are filled beside those that judge are asked nothing before they have taken over. They have
 * this ledger's mark, by which the keeper sees whether it is the one of the others; if it is not, they get
 * what those have, and their mark: strangers_carry.c.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/ctl.h"
#include "control/exception.h"
#include "control/hold.h"
#include "control/strangers.h"
#include "control/tell.h"

#define LZ_STRANGERS_SLICE 1024

/* All that is in force, in the ledger's order. */
struct in_force {
	struct lz_hold_entry *v;
	size_t n, cap;
};

static int add_hold(void *arg, __u64 key, __u64 word)
{
	struct in_force *f = arg;

	if (LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL)
		return 0;
	if (lz_array_grow(&f->v, &f->cap, f->n + 1, sizeof(*f->v)) < 0)
		return -ENOMEM;
	f->v[f->n++] = (struct lz_hold_entry){ .key = key, .word = word };
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	__s64 x = (__s64)((const struct lz_hold_entry *)a)->key, y = (__s64)((const struct lz_hold_entry *)b)->key;

	return x < y ? -1 : x > y;
}

/* ---------------------------------------------------------------- the ledger is right */

static int release_slice(struct lz_ctl *ctl, const struct lz_hold_entry *holds, const struct lz_held_row *rows,
			 size_t n)
{
	int released = 0;

	for (size_t i = 0; i < n; i++)
		released += !rows[i].known && lz_hold_release(&ctl->view, holds[i].key, NULL) == 0;
	return released;
}

/* ---------------------------------------------------------------- the kernel is right */

/* What the ledger has of this one shall be what the kernel has: a later end, a harder grade. Returns whether
 * that changes anything, or -errno. */
static int learn(struct lz_ctl *ctl, const struct lz_hold_entry *hold, struct lz_held *by,
		 struct lz_held_row *row, struct lz_err *reterr)
{
	struct lz_grade ours, theirs;
	bool later = LZ_HOLD_EXPIRY(hold->word) > row->was.expiry_s, harder;

	lz_hold_grade(ctl, hold->word, &theirs);
	if (row->known) {
		if (lz_grade_parse(lz_held_grade(ctl->ledger, row->was.origin), &ours, NULL) < 0)
			ours = theirs;
		harder = lz_grade_harder(&theirs, &ours);
		if (!later && !harder)
			return 0;
		if (!harder)
			theirs = ours;
	}
	lz_grade_format(&theirs, by->grade);
	lz_text_set(by->source, sizeof(by->source),
		    LZ_HOLD_FLAGS(hold->word) & LZ_HOLD_F_OPERATOR ? "operator" : "kernel");
	if (!row->known || later) {
		row->expiry_s = LZ_HOLD_EXPIRY(hold->word);
		row->ttl_s = LZ_HOLD_TTL(hold->word);
	}
	if (!row->known)
		row->since_s = by->made_s;
	row->address = "";
	row->origin = lz_held_origin(ctl->ledger, by, reterr);
	return row->origin < 0 ? (int)row->origin : 1;
}

static int learn_slice(struct lz_ctl *ctl, const struct lz_hold_entry *holds, struct lz_held_row *rows,
		       size_t n, struct lz_err *reterr)
{
	struct lz_held by = { .made_s = lz_ctl_now().wall_s, .generation = lz_ctl_generation(ctl) };
	size_t m = 0;
	int r = 0;

	lz_text_set(by.actor, sizeof(by.actor), "lazaretd");
	lz_text_set(by.reason, sizeof(by.reason), "was held in the kernel, this ledger does not say by whom");
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = learn(ctl, &holds[i], &by, &rows[i], reterr);
		if (r > 0)
			rows[m++] = rows[i];
	}
	if (r >= 0)
		r = lz_held_rows_put(ctl->ledger, rows, m, by.made_s, reterr);
	return r < 0 ? r : (int)m;
}

struct learnt {
	struct lz_ctl *ctl;
	int n;
	struct lz_err *reterr;
};

static int learn_exception(void *arg, const struct lz_prefix_key *key, const struct lz_exception *e)
{
	const struct lz_keyprefix kp = { .bits = key->bits, .len = key->len };
	struct learnt *learnt = arg;
	struct lz_granted row = { .prefix = lz_keyprefix_to_prefix(&kp), .since_s = lz_ctl_now().wall_s,
				  .until_s = lz_ctl_wall_of(e->until_s), .flags = e->flags }, has;
	int r;

	if (e->until_s <= lz_tables_now_s(&learnt->ctl->view))
		return 0;
	lz_text_set(row.ticket, sizeof(row.ticket), "unknown");
	lz_text_set(row.actor, sizeof(row.actor), "lazaretd");
	if (lz_granted_get(learnt->ctl->ledger, &row.prefix, &has) == 0) {
		if (has.until_s + 1 >= row.until_s && (has.flags | row.flags) == has.flags)
			return 0; /* the clocks' seconds are cut down apart */
		has.until_s = has.until_s > row.until_s ? has.until_s : row.until_s;
		has.flags |= row.flags;
		row = has;
	}
	r = lz_granted_put(learnt->ctl->ledger, &row, learnt->reterr);
	learnt->n += r == 0;
	return r;
}

/* ---------------------------------------------------------------- both */

static void put_mark(struct lz_ctl *ctl, const struct lz_ledger_mark *mark)
{
	*(volatile __u64 *)&ctl->view.tables->ledger_id = mark->id;
	*(volatile __u64 *)&ctl->view.tables->ledger_turn = mark->turn;
}

/* After a commit and before the kernel hears of it: what is in the kernel is of this turn or an older one. */
static void write_mark(void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_ledger_mark mark = lz_ledger_mark(ctl->ledger);

	put_mark(ctl, &mark);
}

/* NULL: it is the one that drives this kernel; or what it is. As it was opened: a copy that this start has
 * written a policy to has come further, and knows no more. */
static const char *wrong_ledger(const struct lz_ctl *ctl)
{
	const struct lz_tables *t = ctl->view.tables;
	struct lz_ledger_mark mark = ctl->opened_as;

	if (!t->ledger_id) /* tables of a build that wrote no mark: all that can be told is that nothing is in it */
		return lz_held_count(ctl->ledger) ? NULL : "this ledger has nobody";
	if (t->ledger_id != mark.id)
		return "this ledger is not the one that they were held by";
	return mark.turn < t->ledger_turn ? "this ledger is an older copy of the one that they were held by" : NULL;
}

static int look_through(struct lz_ctl *ctl, const struct in_force *f, bool learns, struct lz_err *reterr)
{
	static struct lz_held_row rows[LZ_STRANGERS_SLICE];
	int sum = 0, r = 0;

	for (size_t at = 0; r >= 0 && at < f->n; at += LZ_STRANGERS_SLICE) {
		size_t n = f->n - at < LZ_STRANGERS_SLICE ? f->n - at : LZ_STRANGERS_SLICE;

		memset(rows, 0, sizeof(rows));
		for (size_t i = 0; i < n; i++)
			rows[i].key = f->v[at + i].key;
		r = lz_held_rows_get(ctl->ledger, rows, n, reterr);
		if (r < 0)
			break;
		r = learns ? learn_slice(ctl, f->v + at, rows, n, reterr) :
			     release_slice(ctl, f->v + at, rows, n);
		sum += r;
	}
	return r < 0 ? r : sum;
}

/* In one transaction: what the kernel knows, and that this is no copy of another ledger any more. */
static int learn_all(struct lz_ctl *ctl, const struct in_force *f, int *ret_excepted, struct lz_err *reterr)
{
	struct learnt learnt = { .ctl = ctl, .reterr = reterr };
	int n, r = lz_ledger_begin(ctl->ledger, reterr);

	if (r < 0)
		return r;
	n = r = look_through(ctl, f, true, reterr);
	if (r >= 0)
		r = lz_exceptions_each(&ctl->view, learn_exception, &learnt);
	if (r >= 0)
		r = lz_ledger_part(ctl->ledger, reterr);
	if (r >= 0) {
		*ret_excepted = learnt.n;
		r = lz_ledger_commit(ctl->ledger, reterr);
		return r < 0 ? r : n;
	}
	lz_ledger_rollback(ctl->ledger);
	return r;
}

static void say(struct lz_ctl *ctl, int n, int excepted, const char *why)
{
	struct lz_note note = { 0 };

	lz_text_set(note.event, sizeof(note.event), "holds-learnt");
	lz_text_set(note.actor, sizeof(note.actor), "lazaretd");
	snprintf(note.reason, sizeof(note.reason), "%d stay held, %d excepted: %s; what it does not know of them "
		 "is lost", n, excepted, why);
	lz_tell_note(ctl, LZ_LOG_WARNING, &note);
}

void lz_strangers_look(struct lz_ctl *ctl)
{
	struct lz_err err = { "out of memory" };
	struct in_force f = { 0 };
	int n = -ENOMEM, excepted = 0;
	const char *why;

	if (ctl->strangers_known || !ctl->opened)
		return;
	if (ctl->beside) {
		put_mark(ctl, &ctl->opened_as);
		return;
	}
	why = wrong_ledger(ctl);
	if (lz_holds_each(&ctl->view, lz_tables_now_s(&ctl->view), add_hold, &f) == 0) {
		if (f.n)
			qsort(f.v, f.n, sizeof(*f.v), compare_keys);
		if (!f.n && !ctl->view.tables->ledger_id)
			why = NULL; /* the first start of all */
		n = why ? learn_all(ctl, &f, &excepted, &err) : look_through(ctl, &f, false, &err);
	}
	free(f.v);
	if (n < 0) { /* They stay held, and are looked for again; until then no ledger has come far enough. */
		if (why)
			*(volatile __u64 *)&ctl->view.tables->ledger_turn = UINT64_MAX;
		lz_tell_ledger_failed(err.text);
		return;
	}
	if (why && (n || excepted))
		say(ctl, n, excepted, why);
	else if (why)
		lz_log(LZ_LOG_NOTICE, "ledger-changed", "why=%s", why);
	else if (n)
		lz_log(LZ_LOG_NOTICE, "releases-finished", "sources=%d", n);
	ctl->strangers_known = true;
	if (lz_ledger_is_stand_in(ctl->ledger)) { /* the one it stands for comes no further */
		if (!ctl->view.tables->ledger_id)
			put_mark(ctl, &ctl->opened_as);
		return;
	}
	write_mark(ctl);
	lz_ledger_on_commit(ctl->ledger, write_mark, ctl);
}

void lz_strangers_taken_over(struct lz_ctl *ctl)
{
	bool wrong = wrong_ledger(ctl);

	lz_exceptions_recount(&ctl->view); /* the keeper has added some */
	lz_strangers_look(ctl);
	if (wrong) { /* what the books make of both */
		lz_hold_restore(ctl);
		lz_exception_restore(ctl);
	}
}
