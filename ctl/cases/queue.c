/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue.c - evidence from the data plane: queued as it comes, one entry for the same again, judged
 * a few times a second.
 *
 *   event --> entry (key, limit) --> target, case, facts --> decide --> lz_case_move(), or written down
 *
 * Bounded: LZ_QUEUE_MAX entries, LZ_TURN_NS a turn. What finds the queue full is counted; it comes again
 * while the host goes on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cases/case.h"
#include "control/counted.h"
#include "control/ctl.h"
#include "control/hold.h"
#include "control/target.h"
#include "control/tell.h"

#define LZ_QUEUE_MAX	4096
#define LZ_SEEN_MAX	128
#define LZ_DRAIN_NS	(5 * LZ_NS_PER_S)
#define LZ_TURN_NS	(20 * 1000000ULL)

struct entry {
	__u64 key;
	__u64 word; /* of a hold by the kernel; 0 = evidence of a limit */
	__u64 mono_ns;
	__u32 value, at_most, count;
	__u16 limit_id; /* 0 = not known */
	bool proven, would;
};

struct lz_queue {
	struct entry v[LZ_QUEUE_MAX];
	struct lz_evidence seen[LZ_SEEN_MAX]; /* moves nothing, only written down */
	size_t n, seen_n;
	__u64 lost;
};

int lz_queue_new(struct lz_queue **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

/* Newest first: what comes again comes soon. */
static struct entry *find_entry(struct lz_queue *q, __u64 key, __u16 limit_id, bool hold)
{
	for (size_t i = q->n; i > 0; i--)
		if (q->v[i - 1].key == key && !q->v[i - 1].word == !hold &&
		    (hold || q->v[i - 1].limit_id == limit_id))
			return &q->v[i - 1];
	return NULL;
}

/* False: there is no room. */
static bool queue(struct lz_ctl *ctl, const struct entry *e)
{
	struct lz_queue *q = ctl->queue;
	struct entry *same = find_entry(q, e->key, e->limit_id, e->word != 0);

	if (same) {
		__u32 count = same->count + 1;

		*same = *e;
		same->count = count;
	} else if (q->n < LZ_QUEUE_MAX) {
		q->v[q->n] = *e;
		q->v[q->n++].count = 1;
	} else {
		q->lost++;
		return false;
	}
	return true;
}

void lz_hold_learn(void *arg, __u64 key, __u64 word)
{
	struct lz_ctl *ctl = arg;
	struct entry e = { .key = key, .word = word, .mono_ns = lz_tables_now_ns(&ctl->view) };

	queue(ctl, &e);
}

void lz_case_event(struct lz_ctl *ctl, const struct lz_event *event)
{
	struct entry e = { .key = event->key,
			   .word = event->kind == LZ_EVENT_HOLD ? event->hold : 0,
			   .mono_ns = event->when_ns,
			   .value = event->value,
			   .at_most = event->limit_n,
			   .limit_id = event->limit_id };
	const struct lz_policy_class *class_ = NULL;
	const struct lz_policy_limit *limit = lz_limit_find(ctl, event->limit_id, &class_);
	struct lz_counted counted[LZ_LIMITS_PER_CLASS];
	size_t n = lz_counted_read(ctl, event->key, counted);

	/* Of a limit that asks for proof the data plane tells only what a handshake has shown. */
	for (size_t i = 0; i < n; i++)
		if (counted[i].limit->id == event->limit_id)
			e.proven = counted[i].limit->flags & LZ_LIMIT_F_PROOF;
	if (e.word || (limit && (limit->then == LZ_ACTION_LADDER || limit->then == LZ_ACTION_NOTIFY ||
				 limit->then == LZ_ACTION_HOLD)))
		queue(ctl, &e);
	/* The data plane tells one thing of a source a second: a limit that always comes first must not
	 * hide one that tells or has a ladder. Who stops within that second stays hidden until he comes again. */
	e.proven = false;
	for (size_t i = 0; i < n; i++) {
		limit = lz_limit_find(ctl, counted[i].limit->id, &class_);
		if (counted[i].limit->id == event->limit_id || !limit ||
		    (limit->then != LZ_ACTION_LADDER && limit->then != LZ_ACTION_NOTIFY) ||
		    (counted[i].limit->flags & LZ_LIMIT_F_PROOF) || counted[i].value < counted[i].limit->n)
			continue;
		e.limit_id = counted[i].limit->id;
		e.value = counted[i].value;
		e.at_most = counted[i].limit->n;
		e.word = 0;
		queue(ctl, &e);
	}
}

/* ---------------------------------------------------------------- events that were lost
 *
 * A hold stands in the kernel, where the sweep finds it. That a limit with a ladder was passed stands in the
 * cell, and told_s says when something was last told of the source: if that was while the ring was full,
 * the sweep brings it. What arrived nevertheless is the same incident, and moves nothing twice. Where the
 * queue had no more room the next pass goes on: cells are looked at in the order in which they lie.
 */

#define LZ_LOST_BACK_S 3600 /* after a start: the ring may have been full while no daemon ran */

void lz_case_lost_look(struct lz_ctl *ctl)
{
	__u64 lost = lz_events_lost(ctl), now_s = lz_tables_now_s(&ctl->view);

	ctl->lost.from = ctl->lost.full;
	ctl->lost.full = 0;
	if (ctl->lost.from)
		return;
	if (!ctl->lost.looked_s)
		ctl->lost.looked_s = now_s > LZ_LOST_BACK_S ? now_s - LZ_LOST_BACK_S : 1;
	ctl->lost.since_s = lost > ctl->lost.swept ? ctl->lost.looked_s : 0;
	ctl->lost.swept = lost;
	ctl->lost.looked_s = now_s;
}

void lz_case_found(void *arg, __u64 key, __u32 slot)
{
	struct lz_ctl *ctl = arg;
	struct lz_counted counted[LZ_LIMITS_PER_CLASS];
	__u16 told_s; /* 0 = never, or one second in 18.2 h */
	__u64 now_ns, now_s, ago_s;
	size_t n;

	lz_case_active_found(ctl, key, slot);
	if (!ctl->lost.since_s || slot + 1 < ctl->lost.from)
		return;
	told_s = *(const volatile __u16 *)&ctl->view.cold[slot].told_s;
	if (!told_s)
		return;
	now_ns = lz_tables_now_ns(&ctl->view);
	now_s = now_ns / LZ_NS_PER_S;
	ago_s = (__u16)(now_s - told_s); /* a multiple of 18.2 h ago looks like now */
	if (ago_s > now_s - ctl->lost.since_s)
		return;
	n = lz_counted_read(ctl, key, counted);
	for (size_t i = 0; i < n; i++) {
		const struct lz_policy_class *class_ = NULL;
		const struct lz_policy_limit *limit = lz_limit_find(ctl, counted[i].limit->id, &class_);
		struct entry e = { .key = key, .mono_ns = now_ns - ago_s * LZ_NS_PER_S,
				   .value = counted[i].value, .at_most = counted[i].limit->n,
				   .limit_id = counted[i].limit->id,
				   .proven = counted[i].limit->flags & LZ_LIMIT_F_PROOF };

		if (limit && counted[i].value >= counted[i].limit->n &&
		    (limit->then == LZ_ACTION_LADDER || limit->then == LZ_ACTION_NOTIFY) &&
		    !queue(ctl, &e) && !ctl->lost.full)
			ctl->lost.full = slot + 1;
	}
}

/* ---------------------------------------------------------------- one entry */

static void fill_evidence(struct lz_ctl *ctl, const struct entry *e,
			  const struct lz_policy_class *class_, const struct lz_policy_limit *limit,
			  struct lz_evidence *ret)
{
	__u64 ago_ns = lz_tables_now_ns(&ctl->view) - e->mono_ns;
	struct lz_cell_copy cell = { 0 };

	*ret = (struct lz_evidence){ .time_s = (lz_clock_wall_ns() - ago_ns) / LZ_NS_PER_S,
				     .value = e->value,
				     .at_most = e->at_most,
				     .count = e->count,
				     .kind = e->word ? LZ_EVIDENCE_HOLD : LZ_EVIDENCE_LIMIT,
				     .proven = e->proven || e->word ||
					       (ctl->now.policy &&
						lz_policy_sources_validated(ctl->now.policy)) };
	lz_text_set(ret->source, sizeof(ret->source), "limit");
	lz_text_set(ret->reason_class, sizeof(ret->reason_class), LZ_CLASS_VOLUME);
	if (e->word)
		ret->time_s = lz_ctl_wall_of(LZ_HOLD_EXPIRY(e->word) - LZ_HOLD_TTL(e->word));
	if (!limit) {
		lz_text_set(ret->text, sizeof(ret->text), "over a limit");
		return;
	}
	snprintf(ret->source, sizeof(ret->source), "limit:%s", limit->name);
	lz_text_set(ret->reason_class, sizeof(ret->reason_class), lz_limit_class(limit));
	ret->apart_s = lz_limit_apart_s(limit);
	ret->would = limit->monitor || ctl->now.policy->mode == LZ_MODE_MONITOR;
	lz_cell_get(&ctl->view, e->key, &cell);
	snprintf(ret->text, sizeof(ret->text),
		 "over limit %s/%s: %u of at most %u; %u connections to port 25, %u SYNs seen",
		 class_->name, limit->name, e->value, e->at_most, cell.smtp_connections, cell.syn);
}

/* Which limit was it? A hold found by the sweep is put down to the holding limit that is nearest to
 * its number. */
static void name_limit(const struct lz_ctl *ctl, struct entry *e)
{
	struct lz_counted counted[LZ_LIMITS_PER_CLASS];
	const struct lz_counted *nearest;

	if (e->limit_id)
		return;
	nearest = lz_counted_nearest(counted, lz_counted_read(ctl, e->key, counted), true);
	if (!nearest)
		return;
	e->limit_id = nearest->limit->id;
	e->value = nearest->value;
	e->at_most = nearest->limit->n;
}

static void log_failure(const char *what, const struct lz_target *t, const struct lz_err *err)
{
	static struct lz_log_limit lines = { .burst = 20, .refill_ns = LZ_NS_PER_S };
	char address[LZ_ADDR_TEXT_MAX];
	__u64 suppressed = 0;

	if (lz_log_allow(&lines, lz_clock_mono_ns(), &suppressed))
		lz_log(LZ_LOG_ERROR, what, "address=%s why=%s suppressed=%llu",
		       lz_addr_format(&t->addr, address), err->text, (unsigned long long)suppressed);
}

/* A step too old to count. Before newer evidence that is of no ladder makes it look young again. */
static void forget(const struct lz_ctl *ctl, struct lz_case *c)
{
	struct lz_ladder ladder;

	if (lz_ladder_of(ctl, c->ladder, &ladder) && lz_ladder_forgot(&ladder, c, lz_ctl_now().wall_s))
		c->step = -1;
}

/* Written down, no more: to the case there is, or to a new one that is only observed. */
static void record(struct lz_ctl *ctl, const struct lz_target *t, struct lz_case *c,
		   const struct lz_evidence *e, const struct lz_decision *d)
{
	struct lz_move move = { .c = c, .target = t, .to = c->state, .actor = "lazaretd",
				.source = e->source, .seen = e };
	struct lz_err err = { "" };

	if (!c->id) {
		c->opened_s = c->changed_s = e->time_s;
		c->due_s = e->time_s + LZ_CASE_WATCH_S;
		lz_text_set(c->source, sizeof(c->source), e->source);
		lz_text_set(c->reason_class, sizeof(c->reason_class), e->reason_class);
	}
	if (!e->would && d->why != LZ_WHY_NOT_OLD && e->time_s > c->evidence_s)
		c->evidence_s = e->time_s;
	if (lz_case_move(ctl, &move, NULL, &err) < 0)
		log_failure("evidence-lost", t, &err);
}

static void say_refused(struct lz_ctl *ctl, const struct lz_target *t, const struct lz_evidence *e,
			const struct lz_decision *d)
{
	static struct lz_log_limit lines = { .burst = 20, .refill_ns = LZ_NS_PER_S };
	char address[LZ_ADDR_TEXT_MAX];
	__u64 suppressed = 0;

	if (d->why == LZ_WHY_NOT_GUARD)
		ctl->guarded++;
	if (lz_log_allow(&lines, lz_clock_mono_ns(), &suppressed))
		lz_log(LZ_LOG_WARNING, d->why == LZ_WHY_NOT_GUARD ? "guard-tripped" : "not-held",
		       "address=%s source=%s why=%s suppressed=%llu",
		       lz_addr_format(&t->addr, address), e->source, lz_why_not_texts[d->why],
		       (unsigned long long)suppressed);
}

static void act(struct lz_ctl *ctl, const struct lz_target *t, struct lz_case *c,
		const struct lz_ladder *ladder, const struct lz_evidence *e,
		const struct lz_decision *d)
{
	struct lz_move move = { .c = c, .target = t, .to = d->to, .grade = &d->grade,
				.tells = d->to == LZ_CASE_NOTIFIED, .actor = "lazaretd", .source = e->source, .reason = e->text,
				.evidence = e->text, .seen = e };
	struct lz_err err = { "" };

	c->step = d->step;
	c->due_s = d->due_s;
	c->for_s = d->for_s;
	c->grade = d->grade;
	c->self_releases = d->self_releases;
	c->evidence_s = e->time_s;
	lz_case_act(c, e->source, e->time_s);
	if (!ladder->only_tells)
		lz_text_set(c->ladder, sizeof(c->ladder), ladder->name);
	lz_text_set(c->reason_class, sizeof(c->reason_class), e->reason_class);
	if (lz_case_holds(d->to) && d->for_s)
		move.end_s = LZ_HOLD_END(lz_tables_now_s(&ctl->view), d->for_s);
	if (lz_case_move(ctl, &move, NULL, &err) < 0)
		log_failure("not-held", t, &err);
}

static void judge(struct lz_ctl *ctl, const struct lz_policy_limit *limit, const struct lz_target *t,
		  const struct lz_evidence *e)
{
	struct lz_err err = { "" };
	struct lz_ladder ladder;
	struct lz_decision d;
	struct lz_facts facts;
	struct lz_case c;
	bool leads;

	leads = limit && lz_ladder_of_limit(ctl, limit, &ladder);
	if (lz_case_open(ctl, t, &c, &err) < 0) {
		log_failure("evidence-lost", t, &err);
		return;
	}
	forget(ctl, &c);
	lz_case_facts(ctl, t, false, 0, &facts);
	lz_decide_evidence(&c, leads ? &ladder : NULL, e, &facts, lz_ctl_now().wall_s, &d);
	/* The guard counts only what would be held otherwise. */
	if (d.what == LZ_DECIDED_MOVE && lz_case_holds(d.to) && !lz_case_holds(c.state)) {
		lz_case_facts(ctl, t, true, lz_tables_now_s(&ctl->view), &facts);
		lz_decide_evidence(&c, &ladder, e, &facts, lz_ctl_now().wall_s, &d);
	}
	if (d.why == LZ_WHY_NOT_NEVER || d.why == LZ_WHY_NOT_EXEMPT)
		return;
	if (d.what == LZ_DECIDED_MOVE) {
		act(ctl, t, &c, &ladder, e, &d);
		return;
	}
	if (d.what == LZ_DECIDED_REFUSE)
		say_refused(ctl, t, e, &d);
	record(ctl, t, &c, e, &d);
}

/* ---------------------------------------------------------------- holds of the kernel */

static void give_back(struct lz_ctl *ctl, const struct lz_target *t, struct lz_case *c,
		      const struct lz_evidence *e, enum lz_why_not why)
{
	struct lz_decision d = { .what = LZ_DECIDED_REFUSE, .why = why };

	lz_hold_release(&ctl->view, t->key, NULL);
	say_refused(ctl, t, e, &d);
	record(ctl, t, c, e, &d);
}

static bool is_milder(const char *text, const struct lz_grade *than)
{
	struct lz_grade grade;

	return lz_grade_parse(text, &grade, NULL) == 0 && lz_grade_harder(than, &grade);
}

static void learn(struct lz_ctl *ctl, const struct entry *entry, const struct lz_target *t,
		  const struct lz_evidence *e)
{
	struct lz_move move = { .target = t, .actor = "kernel", .source = e->source,
				.reason = e->text, .evidence = e->text, .seen = e };
	__u32 began_s = LZ_HOLD_EXPIRY(entry->word) - LZ_HOLD_TTL(entry->word);
	struct lz_err err = { "" };
	struct lz_facts facts;
	struct lz_grade grade;
	struct lz_held old;
	struct lz_case c;
	__u64 word;

	/* It may have been let go, or be known, since this was queued. */
	if (lz_hold_read(&ctl->view, t->key, &word) < 0 || !(LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL))
		return;
	lz_hold_grade(ctl, word, &grade);
	if (lz_held_get(ctl->ledger, t->key, &old) == 0 && old.expiry_s >= LZ_HOLD_EXPIRY(word) &&
	    !is_milder(old.grade, &grade)) {
		lz_hold_acknowledge(&ctl->view, t->key, word);
		return;
	}
	if (lz_case_open(ctl, t, &c, &err) < 0) {
		log_failure("ledger-failed", t, &err);
		return;
	}
	lz_case_facts(ctl, t, !lz_case_holds(c.state), began_s, &facts);
	if (facts.never || facts.shared || facts.guard != LZ_GUARD_OK) {
		give_back(ctl, t, &c, e, facts.never  ? LZ_WHY_NOT_NEVER :
					 facts.shared ? LZ_WHY_NOT_SHARED :
							LZ_WHY_NOT_GUARD);
		return;
	}
	forget(ctl, &c);
	c.evidence_s = e->time_s;
	lz_case_act(&c, e->source, e->time_s);
	lz_text_set(c.reason_class, sizeof(c.reason_class), e->reason_class);
	move.c = &c;
	move.grade = &grade;
	move.to = lz_case_state_of(&grade);
	move.end_s = LZ_HOLD_EXPIRY(word);
	if (lz_case_move(ctl, &move, NULL, &err) < 0)
		log_failure("ledger-failed", t, &err);
}

static void take_entry(struct lz_ctl *ctl, struct entry *entry)
{
	const struct lz_policy_class *class_ = NULL;
	const struct lz_policy_limit *limit;
	struct lz_evidence e;
	struct lz_target t;

	if (lz_target_of_key(ctl, entry->key, &t, NULL) < 0)
		return;
	if (entry->word)
		name_limit(ctl, entry);
	limit = lz_limit_find(ctl, entry->limit_id, &class_);
	fill_evidence(ctl, entry, class_, limit, &e);
	if (entry->word)
		learn(ctl, entry, &t, &e);
	else
		judge(ctl, limit, &t, &e);
	lz_target_done(&t);
}

void lz_case_evidence(struct lz_ctl *ctl, const struct lz_evidence *e)
{
	struct lz_queue *q = ctl->queue;

	for (size_t i = 0; i < q->seen_n; i++)
		if (q->seen[i].case_id == e->case_id && lz_streq(q->seen[i].text, e->text)) {
			q->seen[i].count++;
			q->seen[i].time_s = e->time_s;
			return;
		}
	if (q->seen_n == LZ_SEEN_MAX) {
		q->lost++;
		return;
	}
	q->seen[q->seen_n++] = *e;
}

static void write_seen(struct lz_ctl *ctl)
{
	struct lz_queue *q = ctl->queue;
	struct lz_err err = { "" };
	int r;

	if (!q->seen_n)
		return;
	r = lz_ledger_begin(ctl->ledger, &err);
	for (size_t i = 0; r == 0 && i < q->seen_n; i++)
		r = lz_evidence_add(ctl->ledger, &q->seen[i], &err);
	r = lz_ledger_end(ctl->ledger, r, &err);
	if (r < 0)
		lz_tell_ledger_failed(err.text);
	q->seen_n = 0;
}

void lz_case_turn(struct lz_ctl *ctl)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_TURN_NS;
	struct lz_queue *q = ctl->queue;
	size_t i = 0;

	while (i < q->n && lz_clock_mono_ns() < until_ns)
		take_entry(ctl, &q->v[i++]);
	memmove(q->v, q->v + i, (q->n - i) * sizeof(*q->v));
	q->n -= i;
	if (q->lost) {
		lz_log(LZ_LOG_WARNING, "evidence-queue-full", "lost=%llu",
		       (unsigned long long)q->lost);
		q->lost = 0;
	}
	write_seen(ctl);
	lz_case_clock(ctl, until_ns);
	lz_case_owners(ctl, until_ns);
}

int lz_case_drain(struct lz_ctl *ctl)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_DRAIN_NS;

	while ((ctl->queue->n || ctl->queue->seen_n) && lz_clock_mono_ns() < until_ns)
		lz_case_turn(ctl);
	return ctl->queue->n ? -EBUSY : 0;
}
