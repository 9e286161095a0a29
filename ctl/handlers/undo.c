/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * undo.c - a detector or a list gone mad: what it did since a time is undone, and no more than that.
 *
 *   entries   of lists: freed, or again what they were before, along the chain of their orders
 *   cases     whose newest transitions are by it: each of their entries the same, and the case follows
 *             what it still holds, with a transition that says so
 *
 * What somebody else has decided since stands, and so does all that holds nobody and is not about to: who was
 * let go already, whose hold has ended, who was only notified. In slices, in the order of keys, then of cases.
 */
#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/hold.h"
#include "control/target.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/timeline.h"

#define LZ_UNDO_SLICE 1024
#define LZ_UNDO_CASES 32   /* a transaction each */
#define LZ_UNDO_ROWS  1000 /* told one by one; then only counted */
#define LZ_UNDO_STEPS 64   /* transitions of one case that are looked back at */
#define LZ_UNDO_NS    (20 * 1000000ULL)

struct undo {
	struct lz_ctl *ctl;
	struct lz_request *req;
	uv_idle_t idle;
	struct lz_held_walk walk;
	bool entries_done;
	__u64 last_case;
	__u64 since_s;
	__u64 freed, restored, told;
	__u64 stopped; /* notified, and would have been held after a grace */
	struct lz_held by; /* who undoes, for the past of the entries */
	char source[LZ_ACTOR_TEXT_MAX]; /* "" = anybody */
};

static bool is_by(const struct undo *u, __u64 time_s, const char *source, const char *actor)
{
	return time_s >= u->since_s && (!u->source[0] || lz_streq(u->source, source) ||
					lz_streq(u->source, actor));
}

static void send_row(struct undo *u, struct lz_request *req, const struct lz_held *held, bool restored)
{
	cJSON *row;

	if (u->told++ >= LZ_UNDO_ROWS)
		return;
	row = cJSON_CreateObject();
	lz_json_held(u->ctl, row, held);
	lz_json_add_bool(row, "restored", restored);
	lz_reply_row(req, row);
}

/* Held before, and nobody knows any more how: such an entry stays as it is. */
static bool is_forgotten(struct undo *u, const struct lz_held *held)
{
	struct lz_held older;

	return held->prior && lz_held_prior(u->ctl->ledger, held->prior, &older) == -ENOENT;
}

/* What an entry was before the orders that are to be undone; -ENOENT: not held. Where the ledger has
 * forgotten that, the oldest order it knows is as near as one can come. */
static int find_before(struct undo *u, const struct lz_held *held, __u64 *ret_prior,
		       struct lz_held *ret)
{
	__u64 prior = held->prior;
	struct lz_held older;

	*ret_prior = 0;
	while (prior && lz_held_prior(u->ctl->ledger, prior, &older) == 0) {
		*ret_prior = prior;
		*ret = older;
		if (!is_by(u, older.made_s, older.source, older.actor))
			break;
		prior = older.prior;
		if (!prior)
			return -ENOENT; /* it began with one of them */
	}
	return *ret_prior && ret->expiry_s > lz_tables_now_s(&u->ctl->view) ? 0 : -ENOENT;
}

/* What has ended holds nobody; but it may have ended early, by an order that is to be undone. */
static bool is_over(struct undo *u, const struct lz_held *held)
{
	struct lz_held before;
	__u64 prior;

	return held->expiry_s <= lz_tables_now_s(&u->ctl->view) &&
	       find_before(u, held, &prior, &before) < 0;
}

/* ---------------------------------------------------------------- entries of lists */

struct slice {
	struct lz_held rows[LZ_UNDO_SLICE]; /* those that are by it */
	struct lz_held before[LZ_UNDO_SLICE];
	bool restored[LZ_UNDO_SLICE];
	int n;
};

static int write_slice(struct undo *u, struct slice *s, struct lz_err *reterr)
{
	static __u64 freed[LZ_UNDO_SLICE];
	size_t n_freed = 0;
	__u64 prior;
	int r = lz_ledger_begin(u->ctl->ledger, reterr);

	for (int i = 0; r == 0 && i < s->n; i++) {
		s->restored[i] = find_before(u, &s->rows[i], &prior, &s->before[i]) == 0;
		if (s->restored[i])
			r = lz_timeline_undone(u->ctl, &u->by, &s->rows[i], &s->before[i], reterr);
		else
			freed[n_freed++] = s->rows[i].key;
		if (r == 0 && s->restored[i])
			r = lz_held_back(u->ctl->ledger, s->rows[i].key, prior, reterr);
	}
	if (r == 0)
		r = lz_held_end(u->ctl->ledger, freed, n_freed, lz_ctl_now(), &u->by, reterr);
	return lz_ledger_end(u->ctl->ledger, r, reterr);
}

/* Returns how many entries were looked at, 0: all; -errno. */
static int undo_slice(struct undo *u, struct lz_request *req, struct lz_err *reterr)
{
	static struct slice s;
	int n, r = 0;

	s.n = 0;
	n = lz_held_next(u->ctl->ledger, &u->walk, s.rows, LZ_UNDO_SLICE);
	for (int i = 0; i < n; i++) {
		const struct lz_held *held = &s.rows[i];
		bool of_list = !held->case_id || lz_streq(held->source, "import");

		if (of_list && is_by(u, held->made_s, held->source, held->actor) &&
		    !is_forgotten(u, held) && !is_over(u, held))
			s.rows[s.n++] = *held;
	}
	if (s.n)
		r = write_slice(u, &s, reterr);
	for (int i = 0; r == 0 && i < s.n; i++) {
		if (s.restored[i]) {
			s.before[i].key = s.rows[i].key;
			r = lz_hold_to_kernel(u->ctl, &s.before[i], reterr);
			u->restored++;
		} else {
			lz_hold_release(&u->ctl->view, s.rows[i].key, NULL);
			u->freed++;
		}
		send_row(u, req, &s.rows[i], s.restored[i]);
	}
	return r < 0 ? r : n;
}

/* ---------------------------------------------------------------- cases */

/* The oldest of the newest transitions that are by it; false: the newest is somebody else's. */
static bool find_first(struct undo *u, __u64 case_id, struct lz_transition *ret)
{
	static struct lz_transition moves[LZ_UNDO_STEPS];
	int n = lz_transition_before(u->ctl->ledger, case_id, UINT64_MAX, moves, LZ_UNDO_STEPS);
	int i = 0;

	while (i < n && is_by(u, moves[i].time_s, moves[i].source, moves[i].actor) &&
	       !lz_streq(moves[i].source, "undo"))
		i++;
	if (!i)
		return false;
	*ret = moves[i - 1];
	return true;
}

/* What becomes of what a case holds: each entry has its own past. */
struct rows {
	struct lz_held *v; /* by it */
	struct lz_held *before;
	__u64 *prior;
	bool *restored;
	int n;
	__u32 end_s; /* of what the case holds afterwards, the latest; 0 = nothing */
	char grade[LZ_GRADE_TEXT_MAX];
};

static void rows_done(struct rows *rows)
{
	free(rows->v);
	free(rows->before);
	free(rows->prior);
	free(rows->restored);
}

static int read_rows(struct undo *u, __u64 case_id, struct rows *ret, struct lz_err *reterr)
{
	int n = lz_held_of_all(u->ctl->ledger, case_id, &ret->v);

	if (n < 0)
		return lz_err_set(reterr, -n, "ledger: cannot read what case %llu holds",
				  (unsigned long long)case_id);
	ret->before = calloc((size_t)n + 1, sizeof(*ret->before));
	ret->prior = calloc((size_t)n + 1, sizeof(*ret->prior));
	ret->restored = calloc((size_t)n + 1, sizeof(*ret->restored));
	if (!ret->before || !ret->prior || !ret->restored)
		return lz_err_set(reterr, ENOMEM, "quarantine: out of memory");
	return n;
}

static void case_keeps(struct undo *u, struct rows *rows, __u64 case_id, const struct lz_held *held)
{
	if (held->case_id != case_id || held->expiry_s <= lz_tables_now_s(&u->ctl->view) ||
	    held->expiry_s <= rows->end_s)
		return;
	rows->end_s = held->expiry_s;
	lz_text_set(rows->grade, sizeof(rows->grade), held->grade);
}

/* An older order may be another case's: then the entry goes back to that. */
static int plan_rows(struct undo *u, __u64 case_id, struct rows *rows, struct lz_err *reterr)
{
	int n = read_rows(u, case_id, rows, reterr), r = 0;
	__u64 word;

	for (int i = 0; r == 0 && i < n; i++) {
		struct lz_held held = rows->v[i], *before = &rows->before[rows->n];

		if (!is_by(u, held.made_s, held.source, held.actor) || is_forgotten(u, &held) ||
		    is_over(u, &held)) {
			case_keeps(u, rows, case_id, &held);
			continue;
		}
		rows->v[rows->n] = held;
		rows->restored[rows->n] = find_before(u, &held, &rows->prior[rows->n], before) == 0;
		if (rows->restored[rows->n]) {
			before->key = held.key;
			r = lz_hold_word(u->ctl, before, &word, reterr);
			case_keeps(u, rows, case_id, before);
		}
		rows->n++;
	}
	return n < 0 ? n : r;
}

static int write_rows(struct undo *u, const struct rows *rows, struct lz_err *reterr)
{
	int r = 0;

	for (int i = 0; r == 0 && i < rows->n; i++) {
		r = rows->restored[i] ?
			    lz_held_back(u->ctl->ledger, rows->v[i].key, rows->prior[i], reterr) :
			    lz_held_del(u->ctl->ledger, rows->v[i].key, reterr);
		if (r == 0 && rows->restored[i] && rows->before[i].case_id != rows->v[i].case_id)
			r = lz_case_refilled(u->ctl, &rows->before[i], u->by.actor, reterr);
	}
	return r;
}

static int move_back(struct undo *u, struct lz_case *c, const struct lz_transition *first,
		     const struct rows *rows, struct lz_err *reterr)
{
	struct lz_move move = { .c = c, .actor = u->by.actor, .source = "undo", .event = "undone",
				.reason = u->by.reason, .keys_done = true, .end_s = rows->end_s };
	struct lz_target target;
	int r = lz_target_of_key(u->ctl, c->key, &target, reterr);

	if (r < 0)
		return r;
	move.target = &target;
	move.to = lz_case_holds(c->state) ? LZ_CASE_RELEASED : LZ_CASE_CLOSED;
	c->step = first->step_from;
	if (rows->end_s) {
		lz_grade_parse(rows->grade, &c->grade, NULL);
		move.to = lz_case_state_of(&c->grade);
	} else { /* old evidence of the mad one moves nothing again */
		c->freed_s = lz_ctl_now().wall_s;
		c->due_s = c->freed_s + LZ_CASE_RELEASED_S;
	}
	r = lz_ledger_begin(u->ctl->ledger, reterr);
	if (r == 0)
		r = write_rows(u, rows, reterr);
	if (r == 0)
		r = lz_case_move(u->ctl, &move, NULL, reterr);
	r = lz_ledger_end(u->ctl->ledger, r, reterr);
	lz_target_done(&target);
	return r;
}

/* What has ended is free; if it is held, then by a limit, anew. */
static int rows_to_kernel(struct undo *u, struct lz_request *req, struct rows *rows,
			  struct lz_err *reterr)
{
	__u32 now_s = lz_tables_now_s(&u->ctl->view);
	int r = 0;

	for (int i = 0; r == 0 && i < rows->n; i++) {
		if (rows->restored[i])
			r = lz_hold_to_kernel(u->ctl, &rows->before[i], reterr);
		else if (rows->v[i].expiry_s > now_s)
			lz_hold_release(&u->ctl->view, rows->v[i].key, NULL);
		*(rows->restored[i] ? &u->restored : &u->freed) += 1;
		send_row(u, req, &rows->v[i], rows->restored[i]);
	}
	return r;
}

static int undo_case(struct undo *u, struct lz_request *req, __u64 case_id, struct lz_err *reterr)
{
	struct rows rows = { .n = 0 };
	struct lz_transition first;
	struct lz_case c;
	bool waits;
	int r;

	if (lz_case_get(u->ctl->ledger, case_id, &c) < 0 || c.state == LZ_CASE_CLOSED ||
	    !find_first(u, case_id, &first))
		return 0;
	r = plan_rows(u, case_id, &rows, reterr);
	waits = lz_case_waits(&c);
	if (r < 0 || (!rows.n && !waits)) {
		rows_done(&rows);
		return r; /* nothing is held because of it, nor will be */
	}
	r = move_back(u, &c, &first, &rows, reterr);
	if (r == 0 && !rows.n)
		u->stopped++;
	if (r == 0)
		r = rows_to_kernel(u, req, &rows, reterr);
	rows_done(&rows);
	return r;
}

static int undo_cases(struct undo *u, struct lz_request *req, struct lz_err *reterr)
{
	__u64 ids[LZ_UNDO_CASES];
	int n, r = 0;

	n = lz_transition_since(u->ctl->ledger, u->since_s, u->source, u->last_case, ids,
				LZ_UNDO_CASES);
	for (int i = 0; r == 0 && i < n; i++) {
		u->last_case = ids[i];
		r = undo_case(u, req, ids[i], reterr);
	}
	return r < 0 ? r : n;
}

/* ---------------------------------------------------------------- the command */

static void idle_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static const char *const sources[] = { "operator", "import", "clock", "self-release" };

static bool is_limit(const struct lz_policy *policy, const char *source)
{
	static const char prefix[] = "limit:";

	if (strncmp(source, prefix, strlen(prefix)))
		return false;
	for (size_t i = 0; policy && i < policy->n_classes; i++)
		for (size_t k = 0; k < policy->classes[i].n_limits; k++)
			if (lz_streq(policy->classes[i].limits[k].name, source + strlen(prefix)))
				return true;
	return false;
}

/* Scripts undo what may have done nothing yet: that is no mistake, but a name that nobody has is one. */
static bool is_known(const struct undo *u)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(sources); i++)
		if (lz_streq(sources[i], u->source))
			return true;
	return !u->source[0] || is_limit(u->ctl->now.policy, u->source) || getpwnam(u->source) ||
	       lz_ledger_knows(u->ctl->ledger, u->source);
}

static void name_known(const struct undo *u, struct lz_err *reterr)
{
	const struct lz_policy *policy = u->ctl->now.policy;
	lz_autostr struct lz_str text = { 0 };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(sources); i++)
		lz_str_appendf(&text, "%s, ", sources[i]);
	lz_str_append(&text, "the user who held");
	for (size_t i = 0; policy && i < policy->n_classes; i++)
		for (size_t k = 0; k < policy->classes[i].n_limits; k++)
			lz_str_appendf(&text, ", limit:%s", policy->classes[i].limits[k].name);
	lz_err_set(reterr, ENOENT, "quarantine: nothing was ever held by '%s'; sources are %s", u->source,
		   text.data ? text.data : "");
}

static void finish(struct undo *u, int r, struct lz_err *err)
{
	cJSON *end = cJSON_CreateObject();

	lz_json_add_u64(end, "freed", u->freed);
	lz_json_add_u64(end, "restored", u->restored);
	lz_json_add_u64(end, "stopped", u->stopped);
	lz_log(LZ_LOG_NOTICE, "undone", "freed=%llu restored=%llu stopped=%llu actor=%s",
	       (unsigned long long)u->freed, (unsigned long long)u->restored,
	       (unsigned long long)u->stopped, u->by.actor);
	if (r == 0 && !u->freed && !u->restored && !u->stopped && !is_known(u)) {
		name_known(u, err);
		lz_reply_end(u->req, LZ_CODE_NO_OBJECT, err->text, end);
	} else if (r == 0) {
		lz_reply_end(u->req, LZ_CODE_OK, NULL, end);
	} else {
		lz_reply_end(u->req, u->freed + u->restored ? LZ_CODE_PARTLY : LZ_CODE_REFUSED,
			     err->text, end);
	}
	uv_idle_stop(&u->idle);
	uv_close((uv_handle_t *)&u->idle, idle_closed);
}

/* What is begun is ended, whether or not somebody waits for the answer. */
static void on_idle(uv_idle_t *idle)
{
	struct undo *u = idle->data;
	__u64 until_ns = lz_clock_mono_ns() + LZ_UNDO_NS;
	struct lz_err err = { "" };
	int n = 1;

	/* An import began: it has the ledger until it ends. The log begins anew only where a checkpoint has
	 * caught up with it, which it does not while we commit by the thousand. */
	if (u->ctl->busy || u->ctl->checkpoint.runs)
		return;
	while (n > 0 && lz_clock_mono_ns() < until_ns) {
		n = u->entries_done ? undo_cases(u, u->req, &err) : undo_slice(u, u->req, &err);
		if (n == 0 && !u->entries_done) {
			u->entries_done = true;
			n = 1;
		}
	}
	if (n <= 0)
		finish(u, n, &err);
}

void lz_h_quarantine_undo(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_note note = { .time_s = 0 };
	struct undo *u;
	__u64 since_ns;
	struct lz_err err;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_undo) || !lz_ctl_need(ctl, req))
		return;
	r = lz_time_parse(lz_arg_text(req, "since"), &since_ns, &err);
	if (r < 0) {
		lz_end(req, r, &err);
		return;
	}
	u = calloc(1, sizeof(*u));
	if (!u) {
		lz_reply_end(req, LZ_CODE_REFUSED, "quarantine: out of memory", NULL);
		return;
	}
	u->ctl = ctl;
	u->since_s = since_ns / LZ_NS_PER_S;
	lz_text_set(u->source, sizeof(u->source), lz_arg_text(req, "source"));
	u->by.made_s = lz_ctl_now().wall_s;
	u->by.generation = lz_ctl_generation(ctl);
	lz_text_set(u->by.source, sizeof(u->by.source), "undo");
	lz_tell_actor(req, u->by.actor);
	snprintf(u->by.reason, sizeof(u->by.reason), "all of %s since %s",
		 u->source[0] ? u->source : "everybody", lz_arg_text(req, "since"));
	lz_text_set(note.event, sizeof(note.event), "undo");
	lz_text_set(note.actor, sizeof(note.actor), u->by.actor);
	lz_text_set(note.reason, sizeof(note.reason), u->by.reason);
	lz_tell_note(ctl, LZ_LOG_NOTICE, &note);
	u->req = req;
	u->idle.data = u;
	uv_idle_init(&ctl->loop, &u->idle);
	uv_idle_start(&u->idle, on_idle);
}
