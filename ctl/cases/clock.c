/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * clock.c - what time alone does: holds end (the data plane has let them go by itself, this closes
 * the books), graces end, released hosts are watched, watched ones closed.
 *
 * In slices of one transaction each until the turn's time is used up; while some wait the next turn comes
 * soon (controller.c): 600,000 that end in one second are 600,000 short rows, and the loop turns between
 * them.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/target.h"
#include "control/tell.h"

#define LZ_END_SLICE  512 /* some 2 ms */
#define LZ_DUE_SLICE  32
#define LZ_AGAIN_S    60 /* until a case that could not be moved is tried again */

/* Who cannot be read may be. */
static bool still_held(struct lz_ctl *ctl, const struct lz_case *c)
{
	return lz_held_lasts(ctl->ledger, c->id, lz_tables_now_s(&ctl->view)) != 0;
}

/* Whose keys a step holds. Who is let go may have none any more: then it is told of what he had. */
static int target_of(struct lz_ctl *ctl, const struct lz_case *c, bool holds, struct lz_target *ret)
{
	int r = lz_case_target(ctl, c, ret);

	return r == -ENOENT && !holds ? lz_target_of_key(ctl, c->key, ret, NULL) : r;
}

static int move_by_clock(struct lz_ctl *ctl, struct lz_case *c, const struct lz_decision *d,
			 const char *event, const char *reason, struct lz_err *reterr)
{
	struct lz_move move = { .c = c, .to = d->to, .actor = "clock", .source = "clock",
				.event = event, .reason = reason, .own_keys = true };
	char source[LZ_SOURCE_TEXT_MAX];
	struct lz_target t;
	int r = target_of(ctl, c, lz_case_holds(d->to), &t);

	if (r < 0)
		return lz_err_set(reterr, -r, "case %llu: its address is none",
				  (unsigned long long)c->id);
	c->due_s = d->due_s;
	if (lz_case_holds(d->to)) {
		lz_text_set(source, sizeof(source), c->source);
		move.source = source; /* whose step it is, for undo */
		move.grade = &d->grade;
		move.end_s = LZ_HOLD_END(lz_tables_now_s(&ctl->view), d->for_s);
	}
	move.target = &t;
	r = lz_case_move(ctl, &move, NULL, reterr);
	lz_target_done(&t);
	return r;
}

/* ---------------------------------------------------------------- ends of holds */

/* The last key of a case that ended takes the case along; one of several only itself. */
static int end_case(struct lz_ctl *ctl, const struct lz_ended *held, struct lz_err *reterr)
{
	static const struct lz_facts facts;
	struct lz_decision d;
	struct lz_held now;
	struct lz_case c;

	if (lz_held_get(ctl->ledger, held->key, &now) < 0)
		return 0; /* went with another key of its case */
	if (lz_case_get(ctl->ledger, held->case_id, &c) < 0 || !lz_case_holds(c.state) ||
	    !lz_decide_clock(&c, still_held(ctl, &c), &facts, lz_ctl_now().wall_s, &d))
		return lz_held_end(ctl->ledger, &held->key, 1, lz_ctl_now(), NULL, reterr);
	return move_by_clock(ctl, &c, &d, "expired", "time is up", reterr);
}

/* One whose case cannot be moved must not keep the others of its batch: the entry ends, for the host is
 * free; its case is tried again in a minute, as one that is due. */
static int end_without_case(struct lz_ctl *ctl, const struct lz_ended *held, const char *why,
			    struct lz_err *reterr)
{
	int r = lz_ledger_begin(ctl->ledger, reterr);
	struct lz_case c;

	if (r == 0)
		r = lz_held_end(ctl->ledger, &held->key, 1, lz_ctl_now(), NULL, reterr);
	if (r == 0 && lz_case_get(ctl->ledger, held->case_id, &c) == 0 && !still_held(ctl, &c)) {
		c.due_s = lz_ctl_now().wall_s + LZ_AGAIN_S;
		r = lz_case_put(ctl->ledger, &c, reterr);
	}
	r = lz_ledger_end(ctl->ledger, r, reterr);
	if (r == 0)
		lz_log(LZ_LOG_ERROR, "case-stuck", "case=%llu why=%s",
		       (unsigned long long)held->case_id, why);
	return r;
}

/* A line for each of a few, with its reason; of many there is one line. */
static size_t read_told(struct lz_ctl *ctl, const struct lz_ended *v, int n,
			struct lz_held ret[static LZ_LINES_MAX])
{
	size_t told = 0;

	for (int i = 0; i < n && told < LZ_LINES_MAX; i++)
		if (!v[i].case_id && lz_held_get(ctl->ledger, v[i].key, &ret[told]) == 0)
			told++;
	return told;
}

static void say_ended(struct lz_ctl *ctl, const struct lz_ended *v, int n, const struct lz_held *told,
		      size_t n_told)
{
	struct lz_note note = { .generation = lz_ctl_generation(ctl), .event = "expired",
				.actor = "clock" };
	size_t lists = 0;

	for (int i = 0; i < n; i++)
		lists += !v[i].case_id;
	if (lists > n_told) {
		lz_log(LZ_LOG_NOTICE, "expired", "sources=%zu actor=clock", lists);
		return;
	}
	for (size_t i = 0; i < lists; i++) {
		note.key = told[i].key;
		note.time_s = note.until_s = lz_ctl_wall_of(told[i].expiry_s);
		lz_key_format(note.key, ctl->view.instance.ipv6_key_len, note.object);
		lz_text_set(note.reason, sizeof(note.reason), told[i].reason);
		lz_tell_say(ctl, LZ_LOG_NOTICE, &note);
	}
}

/* The entries of lists among them, in one go. */
static int end_lists(struct lz_ctl *ctl, const struct lz_ended *ended, int n, struct lz_err *reterr)
{
	static __u64 keys[LZ_END_SLICE];
	size_t lists = 0;

	for (int i = 0; i < n; i++)
		if (!ended[i].case_id)
			keys[lists++] = ended[i].key;
	/* they end when they did, not when the books are closed: we may have been dead */
	return lists ? lz_held_end(ctl->ledger, keys, lists, lz_ctl_now(), NULL, reterr) : 0;
}

/* One batch; @ret_done: how far it came, the one that failed included; 0: it was none's fault. */
static int end_batch(struct lz_ctl *ctl, const struct lz_ended *ended, int n, __u64 until_ns,
		     int *ret_done, struct lz_err *reterr)
{
	int done = 0, r = lz_ledger_begin_lazy(ctl->ledger, reterr);

	for (; r == 0 && done < n && (!done || lz_clock_mono_ns() < until_ns); done++)
		if (ended[done].case_id)
			r = end_case(ctl, &ended[done], reterr);
	*ret_done = done;
	if (r < 0)
		return lz_ledger_end(ctl->ledger, r, reterr);
	r = lz_ledger_end(ctl->ledger, end_lists(ctl, ended, done, reterr), reterr);
	*ret_done = r == 0 ? done : 0;
	return r;
}

/* Those that were extended since this time was noted are looked at when they end; returns how many of the
 * others there are, who come first then, or -errno. */
static int look_later(struct lz_ctl *ctl, struct lz_ended *due, int n, __u32 now_s, struct lz_err *reterr)
{
	static __u64 later[LZ_END_SLICE];
	int ended = 0, r;

	for (int i = 0; i < n; i++) {
		if (due[i].expiry_s > now_s)
			later[i - ended] = due[i].key;
		else
			due[ended++] = due[i];
	}
	if (ended == n)
		return ended;
	r = lz_ledger_begin_lazy(ctl->ledger, reterr);
	if (r == 0)
		r = lz_held_look_later(ctl->ledger, later, (size_t)(n - ended), reterr);
	r = lz_ledger_end(ctl->ledger, r, reterr);
	return r < 0 ? r : ended;
}

/* Returns how many were due, 0: none is left, -errno. */
static int end_slice(struct lz_ctl *ctl, __u64 until_ns, struct lz_err *reterr)
{
	static struct lz_held told[LZ_LINES_MAX];
	static struct lz_ended ended[LZ_END_SLICE];
	__u32 now_s = lz_tables_now_s(&ctl->view);
	size_t n_told;
	char why[sizeof(reterr->text)];
	int due, n, done, r;

	due = lz_held_due(ctl->ledger, now_s, ended, LZ_END_SLICE);
	n = due > 0 ? look_later(ctl, ended, due, now_s, reterr) : due;
	if (n <= 0)
		return n < 0 ? n : due;
	n_told = read_told(ctl, ended, n, told);
	r = end_batch(ctl, ended, n, until_ns, &done, reterr);
	if (r < 0 && r != -EBUSY && done && ended[done - 1].case_id) {
		lz_text_set(why, sizeof(why), reterr->text);
		ended[0] = ended[done - 1]; /* the others of the batch go with the next one */
		done = 1;
		r = end_without_case(ctl, &ended[0], why, reterr);
	}
	if (r < 0)
		return r;
	say_ended(ctl, ended, done, told, n_told);
	/* A limit may have held it anew meanwhile, longer than the ledger knew. */
	for (int i = 0; i < done; i++) {
		__u64 word;

		if (lz_hold_read(&ctl->view, ended[i].key, &word) == 0)
			lz_hold_learn(ctl, ended[i].key, word);
	}
	return done;
}

/* ---------------------------------------------------------------- due cases */

static int put_off(struct lz_ctl *ctl, struct lz_case *c, const struct lz_decision *d,
		   struct lz_err *reterr)
{
	int r;

	c->due_s = d->due_s;
	r = lz_case_put(ctl->ledger, c, reterr);
	if (r == 0)
		lz_log(LZ_LOG_WARNING, "step-put-off", "case=%llu why=%s", (unsigned long long)c->id,
		       lz_why_not_texts[d->why]);
	return r;
}

static int move_due(struct lz_ctl *ctl, struct lz_case *c, struct lz_err *reterr)
{
	__u64 now_s = lz_ctl_now().wall_s;
	struct lz_facts facts = { 0 };
	struct lz_target t = { 0 };
	struct lz_decision d;

	if (c->state == LZ_CASE_NOTIFIED && c->grade.kind != LZ_GRADE_IS_NONE) {
		if (target_of(ctl, c, true, &t) < 0) /* nobody to be held: a case of being told */
			c->grade = (struct lz_grade){ .kind = LZ_GRADE_IS_NONE };
		else
			lz_case_facts(ctl, &t, true, lz_tables_now_s(&ctl->view), &facts);
		lz_target_done(&t);
	}
	if (!lz_decide_clock(c, still_held(ctl, c), &facts, now_s, &d))
		return 0;
	if (d.what == LZ_DECIDED_REFUSE)
		return put_off(ctl, c, &d, reterr);
	return move_by_clock(ctl, c, &d, NULL,
			     lz_case_holds(d.to) ? "the grace is over" : NULL, reterr);
}

static int due_slice(struct lz_ctl *ctl, __u64 until_ns, struct lz_err *reterr)
{
	static struct lz_case due[LZ_DUE_SLICE];
	int n = lz_case_due(ctl->ledger, lz_ctl_ended_s(ctl), due, LZ_DUE_SLICE);
	int done = 0, r = 0;
	struct lz_err why;

	for (; r == 0 && done < n && (!done || lz_clock_mono_ns() < until_ns); done++)
		r = move_due(ctl, &due[done], reterr);
	/* One that cannot be moved must not keep the others waiting. */
	if (r < 0 && r != -EBUSY) {
		lz_text_set(why.text, sizeof(why.text), reterr->text);
		due[done - 1].due_s = lz_ctl_now().wall_s + LZ_AGAIN_S;
		r = lz_case_put(ctl->ledger, &due[done - 1], reterr);
		if (r == 0) /* else it is the ledger that is stuck */
			lz_log(LZ_LOG_ERROR, "case-stuck", "case=%llu why=%s",
			       (unsigned long long)due[done - 1].id, why.text);
	}
	return r < 0 ? r : n;
}

void lz_case_clock(struct lz_ctl *ctl, __u64 until_ns)
{
	struct lz_err err = { "" };
	int n = 1;

	while (n > 0 && lz_clock_mono_ns() < until_ns)
		n = end_slice(ctl, until_ns, &err);
	ctl->ends_wait = n > 0;
	if (n >= 0)
		n = due_slice(ctl, until_ns, &err);
	if (n < 0)
		lz_tell_ledger_failed(err.text);
}
