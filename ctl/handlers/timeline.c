/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * timeline.c - all that is known of a host, in the order of time: transitions of its cases, evidence,
 * what lists did, exceptions; and in one sentence what comes next and how it gets out.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/target.h"
#include "handlers/timeline.h"

#define LZ_ROWS_EACH  64 /* of each kind: the newest */
#define LZ_CHAIN_MAX  16 /* orders that one entry had before */

struct row {
	__u64 time_s;
	__u64 order; /* of rows of the same second */
	cJSON *json;
};

struct rows {
	struct row v[LZ_ROWS_EACH * 5];
	size_t n;
};

static void add_text(cJSON *obj, const char *key, const char *text)
{
	if (text && text[0])
		lz_json_add_str(obj, key, text);
}

static cJSON *add(struct rows *rows, __u64 time_s, const char *event)
{
	cJSON *row = cJSON_CreateObject();

	if (rows->n == LZ_ARRAY_SIZE(rows->v)) {
		cJSON_Delete(rows->v[0].json);
		memmove(rows->v, rows->v + 1, (rows->n - 1) * sizeof(rows->v[0]));
		rows->n--;
	}
	rows->v[rows->n] = (struct row){ .time_s = time_s, .order = rows->n, .json = row };
	rows->n++;
	lz_json_time(row, "time", time_s);
	lz_json_add_str(row, "event", event);
	return row;
}

/* When it ends, or what is next begins; and how long that was from then. */
static void add_end(cJSON *row, __u64 time_s, __u64 until_s)
{
	if (!until_s)
		return;
	lz_json_time(row, "until", until_s);
	if (until_s > time_s)
		lz_json_add_u64(row, "for_s", until_s - time_s);
}

static void add_notes(struct lz_ctl *ctl, __u64 key, struct rows *rows)
{
	static struct lz_note notes[LZ_ROWS_EACH];
	int n = lz_note_before(ctl->ledger, key, UINT64_MAX, notes, LZ_ROWS_EACH);

	for (int i = n - 1; i >= 0; i--) {
		cJSON *row = add(rows, notes[i].time_s, notes[i].event);

		add_text(row, "actor", notes[i].actor);
		add_text(row, "reason", notes[i].reason);
		add_end(row, notes[i].time_s, notes[i].until_s);
	}
}

/* What happened, in the words that log and monitor use for it. @before: the transition before; NULL: unknown */
static const char *event_of(const struct lz_transition *t, const struct lz_transition *before)
{
	if (t->to == LZ_CASE_RELEASED)
		return lz_streq(t->source, "clock")	   ? "expired" :
		       lz_streq(t->source, "self-release") ? "self-released" :
		       lz_streq(t->source, "undo")	   ? "undone" :
							     "freed";
	if (!lz_case_holds(t->to))
		return lz_case_state_words[t->to];
	if (lz_streq(t->source, "undo"))
		return "undone";
	if (!lz_case_holds(t->from))
		return "held";
	if (t->from != t->to)
		return "changed";
	/* two clocks that are read one after the other: a second is nothing */
	return before && t->until_s + 1 < before->until_s ? "shortened" : "extended";
}

/* @told_s: a list held it then, and its order tells of that; 0 = none */
static void add_transitions(struct lz_ctl *ctl, __u64 case_id, __u64 told_s, struct rows *rows)
{
	static struct lz_transition moves[LZ_ROWS_EACH];
	int n = lz_transition_before(ctl->ledger, case_id, UINT64_MAX, moves, LZ_ROWS_EACH);

	for (int i = n - 1; i >= 0; i--) {
		const struct lz_transition *t = &moves[i];
		cJSON *row;

		if (told_s && t->time_s == told_s && lz_streq(t->source, "import"))
			continue;
		row = add(rows, t->time_s, event_of(t, i + 1 < n ? t + 1 : NULL));
		lz_json_add_str(row, "from", lz_case_state_words[t->from]);
		lz_json_add_str(row, "state", lz_case_state_words[t->to]);
		add_text(row, "grade", t->grade);
		add_text(row, "actor", t->actor);
		add_text(row, "source", t->source);
		add_text(row, "reason", t->reason);
		add_text(row, "evidence", lz_streq(t->reason, t->evidence) ? "" : t->evidence);
		add_text(row, "ticket", t->ticket);
		add_end(row, t->time_s,
			t->until_s || t->to != LZ_CASE_NOTIFIED ? t->until_s : t->due_s);
	}
}

static void add_evidence(struct lz_ctl *ctl, __u64 case_id, struct rows *rows)
{
	static struct lz_evidence seen[LZ_ROWS_EACH];
	int n = lz_evidence_before(ctl->ledger, case_id, UINT64_MAX, seen, LZ_ROWS_EACH);

	for (int i = n - 1; i >= 0; i--) {
		cJSON *row = add(rows, seen[i].time_s, "evidence");

		lz_json_add_str(row, "kind", lz_evidence_words[seen[i].kind]);
		add_text(row, "source", seen[i].source);
		add_text(row, "reason", seen[i].text);
		lz_json_add_u64(row, "count", seen[i].count);
		if (seen[i].would)
			lz_json_add_bool(row, "monitored", true);
	}
}

static void add_past(struct lz_ctl *ctl, __u64 key, struct rows *rows)
{
	static struct lz_past past[LZ_ROWS_EACH / 2];
	int n = lz_past_before(ctl->ledger, key, past, LZ_ROWS_EACH / 2);

	for (int i = n - 1; i >= 0; i--) {
		cJSON *row = add(rows, past[i].since_s, "held");

		add_text(row, "grade", past[i].grade);
		add_text(row, "actor", past[i].actor);
		add_text(row, "source", past[i].source);
		add_text(row, "reason", past[i].reason);
		add_text(row, "ticket", past[i].ticket);
		row = add(rows, past[i].ended_s,
			  !past[i].by_source[0]			    ? "expired" :
			  lz_streq(past[i].by_source, "undo") ? "undone" :
								      "freed");
		add_text(row, "actor", past[i].by_source[0] ? past[i].by_actor : "clock");
		add_text(row, "reason", past[i].by_reason);
	}
}

/* The orders of an entry that is in force, the newest first. */
struct chain {
	struct lz_held v[LZ_CHAIN_MAX];
	int n;
};

static void read_chain(struct lz_ctl *ctl, __u64 key, struct chain *ret)
{
	ret->n = 0;
	if (lz_held_get(ctl->ledger, key, &ret->v[0]) < 0)
		return;
	for (ret->n = 1; ret->n < LZ_CHAIN_MAX && ret->v[ret->n - 1].prior; ret->n++)
		if (lz_held_prior(ctl->ledger, ret->v[ret->n - 1].prior, &ret->v[ret->n]) < 0)
			break;
}

static bool is_of_list(const struct chain *chain, int i)
{
	return !chain->v[0].case_id || lz_streq(chain->v[i].source, "import");
}

/* The newest of them that a transition tells of; n: none. */
static int find_told(const struct chain *chain)
{
	int i = 0;

	while (i < chain->n && is_of_list(chain, i))
		i++;
	return i;
}

/* What lists ordered of it, from one to before another: no transition tells of that. */
static void add_orders(const struct chain *chain, int from, int to, struct rows *rows)
{
	for (int i = from; i > to; i--) {
		const struct lz_held *held = &chain->v[i];
		cJSON *row;

		if (!is_of_list(chain, i))
			continue;
		row = add(rows, held->made_s, i == chain->n - 1 && !held->prior ? "held" : "extended");
		add_text(row, "grade", held->grade);
		add_text(row, "actor", held->actor);
		add_text(row, "source", held->source);
		add_text(row, "reason", held->reason);
		add_text(row, "ticket", held->ticket);
		add_end(row, held->made_s, lz_ctl_wall_of(held->expiry_s));
	}
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->time_s != y->time_s)
		return x->time_s < y->time_s ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void send_rows(struct lz_request *req, struct rows *rows)
{
	qsort(rows->v, rows->n, sizeof(rows->v[0]), compare_rows);
	for (size_t i = 0; i < rows->n; i++)
		lz_reply_row(req, rows->v[i].json);
}

void lz_timeline_case(struct lz_ctl *ctl, struct lz_request *req, __u64 case_id)
{
	static struct rows rows;

	rows.n = 0;
	add_evidence(ctl, case_id, &rows);
	add_transitions(ctl, case_id, 0, &rows);
	send_rows(req, &rows);
}

/* When a list began the hold that the case is about: its opening says the same. 0 = none did, or who did is
 * forgotten. */
static __u64 begun_by_list(const struct chain *chain, __u64 case_id)
{
	const struct lz_held *first = chain->n ? &chain->v[chain->n - 1] : NULL;

	return first && !first->prior && lz_streq(first->source, "import") && chain->v[0].case_id == case_id ?
		       first->made_s : 0;
}

/* Rows of one second stay in this order: what is in force comes after what has ended. */
void lz_timeline_say(struct lz_ctl *ctl, struct lz_request *req, const struct lz_target *t)
{
	static struct chain chain;
	static struct rows rows;
	struct lz_case c;
	int told;

	rows.n = 0;
	read_chain(ctl, t->key, &chain);
	told = find_told(&chain);
	if (!chain.n)
		add_notes(ctl, t->key, &rows);
	add_past(ctl, t->key, &rows);
	add_orders(&chain, chain.n - 1, told, &rows);
	/* Also the case before, if the one that goes on now is new. */
	if (lz_case_peek(ctl, t, &c) == 0 && (c.id || lz_case_find(ctl->ledger, t->key, t->customer, &c) == 0)) {
		add_evidence(ctl, c.id, &rows);
		add_transitions(ctl, c.id, begun_by_list(&chain, c.id), &rows);
	}
	add_orders(&chain, told - 1, -1, &rows);
	if (chain.n)
		add_notes(ctl, t->key, &rows);
	send_rows(req, &rows);
}

int lz_timeline_undone(struct lz_ctl *ctl, const struct lz_held *by, const struct lz_held *held,
		       const struct lz_held *before, struct lz_err *reterr)
{
	struct lz_note note = { .time_s = by->made_s, .key = held->key, .generation = by->generation,
				.until_s = lz_ctl_wall_of(before->expiry_s) };
	char made[LZ_TIME_TEXT_MAX], text[2 * LZ_REASON_TEXT_MAX];

	lz_text_set(note.event, sizeof(note.event), "undone");
	lz_text_set(note.actor, sizeof(note.actor), by->actor);
	snprintf(text, sizeof(text), "%.100s: no more %s of %s by %s from %s%s%s%s%.100s", by->reason,
		 held->grade, held->source, held->actor, lz_time_format(held->made_s * LZ_NS_PER_S, made),
		 held->ticket[0] ? ", ticket " : "", held->ticket, held->reason[0] ? ", " : "", held->reason);
	lz_text_set(note.reason, sizeof(note.reason), text);
	return lz_note_add(ctl->ledger, &note, reterr);
}

/* ---------------------------------------------------------------- state, next step, way out */

static void say_next(struct lz_ctl *ctl, const struct lz_case *c, cJSON *obj)
{
	char text[200], grade[LZ_GRADE_TEXT_MAX], time[LZ_TIME_TEXT_MAX], length[LZ_DURATION_TEXT_MAX];
	struct lz_ladder ladder;
	bool harder;
	__u32 step;

	if (lz_case_waits(c)) {
		snprintf(text, sizeof(text), "%s from %s", lz_grade_format(&c->grade, grade),
			 lz_time_format(c->due_s * LZ_NS_PER_S, time));
	} else if (c->ladder[0] && lz_ladder_of(ctl, c->ladder, &ladder)) {
		step = lz_ladder_next(&ladder, c, lz_ctl_now().wall_s);
		/* Nothing that happens by itself softens a hold. */
		harder = lz_case_holds(c->state) && lz_grade_harder(&c->grade, &ladder.step[step].grade);
		lz_grade_format(harder ? &c->grade : &ladder.step[step].grade, grade);
		if (ladder.step[step].for_s)
			snprintf(text, sizeof(text), "with new evidence: %s for %s", grade,
				 lz_duration_format(ladder.step[step].for_s * LZ_NS_PER_S, length));
		else
			snprintf(text, sizeof(text), "with new evidence: %s", grade);
	} else if (c->state == LZ_CASE_RELEASED || c->state == LZ_CASE_WATCH) {
		snprintf(text, sizeof(text), "%s from %s",
			 lz_case_state_words[c->state == LZ_CASE_WATCH ? LZ_CASE_CLOSED : LZ_CASE_WATCH],
			 lz_time_format(c->due_s * LZ_NS_PER_S, time));
	} else {
		return;
	}
	lz_json_add_str(obj, "next", text);
}

void lz_json_case_row(struct lz_ctl *ctl, struct cJSON *obj, const struct lz_case *c)
{
	if (c->id && !cJSON_HasObjectItem(obj, "case")) /* a hold's description says it already */
		lz_json_add_u64(obj, "case", c->id);
	lz_json_add_str(obj, "state", lz_case_state_words[c->state]);
	add_text(obj, "reason_class", c->reason_class);
	add_text(obj, "ladder", c->ladder);
	if (c->ladder[0] && c->step >= 0)
		lz_json_add_u64(obj, "step", (__u64)c->step + 1);
	if (c->state != LZ_CASE_CLOSED || !c->id) /* new evidence opens another */
		say_next(ctl, c, obj);
}

void lz_json_case(struct lz_ctl *ctl, struct cJSON *obj, const struct lz_target *t)
{
	char words[LZ_ADDR_TEXT_MAX + 40], address[LZ_ADDR_TEXT_MAX], command[LZ_COMMAND_TEXT_MAX];
	struct lz_case_view view;
	struct lz_case c;

	if (lz_case_peek(ctl, t, &c) < 0)
		return;
	lz_json_case_row(ctl, obj, &c);
	if (!lz_case_holds(c.state) && c.state != LZ_CASE_NOTIFIED)
		return;
	/* without a portal there is no page to do it on */
	if (lz_case_holds(c.state) && ctl->now.policy && ctl->now.policy->portal.present &&
	    lz_case_look(ctl, &t->addr, &view) == 0)
		lz_json_add_u64(obj, "self_releases_left", view.releases_left);
	snprintf(words, sizeof(words), "quarantine del %s", lz_addr_format(&t->addr, address));
	if (!cJSON_GetObjectItemCaseSensitive(obj, "release"))
		lz_json_add_str(obj, "release", lz_ctl_command(ctl, words, command));
}
