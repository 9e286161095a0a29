/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * case.c - the one way by which a host is held, held harder, or let go.
 *
 *   plan     what becomes of each key; nothing is touched
 *   write    one transaction, one sync: from here on it is durable (I6)
 *   kernel   each key, read back; refused: taken back, with a transition that says so
 *   say      log, monitors
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/exception.h"
#include "control/hold.h"
#include "control/news.h"
#include "control/target.h"
#include "control/tell.h"

/* What becomes of the keys. */
struct plan {
	struct lz_held *v; /* held anew, or to be freed */
	size_t n;
	size_t fresh; /* of those: were not held */
	__u64 left_out; /* keys that are not held: there is no room for all */
	bool full;
	bool frees;
	bool changed;
	__u32 end_s; /* the latest end */
};

/* ---------------------------------------------------------------- plan */

static void fill_order(struct lz_ctl *ctl, const struct lz_move *m, struct lz_held *held)
{
	char key[LZ_PREFIX_TEXT_MAX], address[LZ_ADDR_TEXT_MAX];

	held->made_s = lz_ctl_now().wall_s;
	held->generation = lz_ctl_generation(ctl);
	held->address[0] = '\0';
	if (held->key == m->target->key) {
		lz_addr_format(&m->target->addr, address);
		lz_key_format(held->key, ctl->view.instance.ipv6_key_len, key);
		lz_text_set(held->address, sizeof(held->address), lz_streq(key, address) ? "" : address);
	}
	lz_text_set(held->actor, sizeof(held->actor), m->actor);
	lz_text_set(held->source, sizeof(held->source), m->source);
	if (m->reason)
		lz_text_set(held->reason, sizeof(held->reason), m->reason);
	if (m->ticket)
		lz_text_set(held->ticket, sizeof(held->ticket), m->ticket);
}

/* One key of a hold, as the ledger has it: into the plan if the move changes it. It lies there, or behind. */
static void plan_key(struct lz_ctl *ctl, const struct lz_move *m, const struct lz_held *is, __u32 now_s,
		     struct plan *p)
{
	struct lz_held *held = &p->v[p->n];
	struct lz_terms old = { .end_s = 0 }, terms;
	bool stands = is->known && is->expiry_s > now_s;

	if (!stands && p->full && is->key != m->target->key) {
		p->left_out++;
		return;
	}
	if (stands) {
		old.end_s = is->expiry_s;
		old.ttl_s = is->ttl_s;
		lz_grade_parse(is->grade, &old.grade, NULL);
	}
	if (!lz_terms_merge(stands ? &old : NULL, m->grade, m->end_s, m->exact, now_s, &terms)) {
		p->end_s = is->expiry_s > p->end_s ? is->expiry_s : p->end_s;
		return;
	}
	if (!stands) {
		*held = (struct lz_held){ .key = is->key, .known = is->known, .case_id = is->case_id,
					  .since_s = lz_ctl_now().wall_s };
		p->fresh++;
	} else if (held != is) {
		*held = *is;
	}
	held->expiry_s = (__u32)terms.end_s;
	held->ttl_s = terms.ttl_s;
	lz_grade_format(&terms.grade, held->grade);
	fill_order(ctl, m, held);
	p->end_s = held->expiry_s > p->end_s ? held->expiry_s : p->end_s;
	p->changed = true;
	p->n++;
}

/* In the order of the ledger. */
static int compare_held(const void *a, const void *b)
{
	__s64 x = (__s64)((const struct lz_held *)a)->key, y = (__s64)((const struct lz_held *)b)->key;

	return x < y ? -1 : x > y;
}

/* All keys of a target, from where the ledger has them side by side: one by one takes ten times as long. */
static int plan_keys(struct lz_ctl *ctl, const struct lz_move *m, struct plan *p, struct lz_err *reterr)
{
	__u32 now_s = lz_tables_now_s(&ctl->view);
	size_t all = m->target->n_keys, n = 0;
	int r;

	free(p->v);
	p->v = calloc(all + 1, sizeof(*p->v));
	if (!p->v)
		return lz_err_set(reterr, ENOMEM, "quarantine: out of memory");
	for (size_t i = 0; i < all; i++)
		p->v[i].key = m->target->keys[i];
	lz_array_sort(p->v, all, sizeof(*p->v), compare_held);
	for (size_t i = 0; i < all; i++) /* a customer's prefixes may lie in each other */
		if (!i || p->v[i].key != p->v[n - 1].key)
			p->v[n++].key = p->v[i].key;
	r = lz_held_get_many(ctl->ledger, p->v, n, reterr);
	for (size_t i = 0; r == 0 && i < n; i++)
		plan_key(ctl, m, &p->v[i], now_s, p);
	return r;
}

/* If the colony has no room for all of a customer, the address that sent is held, and what was held already. */
static int plan_hold(struct lz_ctl *ctl, const struct lz_move *m, struct plan *p, struct lz_err *reterr)
{
	int r = plan_keys(ctl, m, p, reterr);

	if (r == 0 && p->fresh && m->target->n_keys > 1 && lz_hold_room(ctl, p->fresh, NULL) < 0) {
		*p = (struct plan){ .v = p->v, .full = true };
		r = plan_keys(ctl, m, p, reterr);
	}
	return r == 0 && p->fresh ? lz_hold_room(ctl, p->fresh, reterr) : r;
}

/* All that is held of the case; and by who is asked, of the target as the policy knows it now. Time and
 * undo do not free what came to the customer with a hold of its own. */
static int plan_release(struct lz_ctl *ctl, const struct lz_move *m, struct plan *p,
			struct lz_err *reterr)
{
	lz_autofree struct lz_held_key *his = NULL;
	int n = lz_held_keys_of(ctl->ledger, m->c->id, &his);
	__u64 word;

	p->v = n < 0 ? NULL : calloc((size_t)n + m->target->n_keys + 1, sizeof(*p->v));
	if (!p->v)
		return lz_err_set(reterr, n < 0 ? -n : ENOMEM, "ledger: cannot read what case %llu holds",
				  (unsigned long long)m->c->id);
	for (; p->n < (size_t)n; p->n++) {
		p->v[p->n].key = his[p->n].key;
		p->v[p->n].expiry_s = his[p->n].expiry_s;
		p->v[p->n].case_id = m->c->id;
	}
	for (size_t i = 0; !m->own_keys && i < m->target->n_keys; i++) {
		struct lz_held *held = &p->v[p->n];

		held->key = m->target->keys[i];
		if (bsearch(held, p->v, (size_t)n, sizeof(*held), compare_held))
			continue; /* listed already */
		if (lz_held_get(ctl->ledger, held->key, held) == 0 || lz_hold_read(&ctl->view, held->key, &word) == 0)
			p->n++;
	}
	p->frees = p->changed = true;
	return 0;
}

static int plan_move(struct lz_ctl *ctl, const struct lz_move *m, struct plan *p,
		     struct lz_err *reterr)
{
	int r;

	if (m->to != m->c->state && !lz_case_may_move(m->c->state, m->to))
		return lz_err_set(reterr, EPROTO, "case %llu: no way leads from %s to %s",
				  (unsigned long long)m->c->id, lz_case_state_words[m->c->state],
				  lz_case_state_words[m->to]);
	if (m->keys_done) {
		*p = (struct plan){ .frees = !m->end_s, .changed = true, .end_s = m->end_s };
		return 0;
	}
	if (!lz_case_holds(m->to) && !lz_case_holds(m->c->state))
		return 0;
	if (!lz_case_holds(m->to))
		return plan_release(ctl, m, p, reterr);
	r = plan_hold(ctl, m, p, reterr);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		__u64 word;

		if (!i || !lz_streq(p->v[i].grade, p->v[i - 1].grade)) /* a grade the kernel has no room for */
			r = lz_hold_word(ctl, &p->v[i], &word, reterr);
	}
	return r;
}

/* ---------------------------------------------------------------- write */

static void fill_transition(struct lz_ctl *ctl, const struct lz_move *m, const struct lz_case *was,
			    struct lz_transition *ret)
{
	const struct lz_case *c = m->c;

	*ret = (struct lz_transition){ .case_id = c->id, .time_s = c->changed_s,
				       .until_s = c->until_s, .due_s = c->due_s,
				       .generation = lz_ctl_generation(ctl), .step_from = was->step,
				       .step_to = c->step, .from = was->state, .to = c->state };
	if (lz_case_holds(c->state) || c->state == LZ_CASE_NOTIFIED)
		lz_grade_format(&c->grade, ret->grade);
	lz_text_set(ret->source, sizeof(ret->source), m->source);
	lz_text_set(ret->actor, sizeof(ret->actor), m->actor);
	lz_text_set(ret->ticket, sizeof(ret->ticket), m->ticket);
	lz_text_set(ret->reason, sizeof(ret->reason), m->reason);
	lz_text_set(ret->evidence, sizeof(ret->evidence), m->evidence);
}

static int post_news(struct lz_ctl *ctl, const struct lz_move *m, struct lz_err *reterr)
{
	char address[LZ_ADDR_TEXT_MAX], grade[LZ_GRADE_TEXT_MAX];
	const struct lz_case *c = m->c;
	struct lz_news news = { .event = (enum lz_tell)c->state,
				.case_id = c->id,
				.opened_s = c->opened_s,
				.since_s = c->changed_s,
				.until_s = c->state == LZ_CASE_NOTIFIED ? c->due_s : c->until_s,
				.reason = c->reason_class,
				.source = m->source,
				.ticket = m->ticket,
				.customer = c->customer };

	news.address = lz_addr_format(&m->target->addr, address);
	if (lz_case_holds(c->state) || c->state == LZ_CASE_NOTIFIED)
		news.grade = lz_grade_format(&c->grade, grade);
	return lz_news_post(ctl, &news, reterr);
}

static int write_keys(struct lz_ctl *ctl, const struct plan *p, __u64 case_id, struct lz_err *reterr)
{
	lz_autofree __u64 *was = calloc(p->n + 1, sizeof(*was)); /* of which case; then 0 */
	int r;

	if (!was)
		return lz_err_set(reterr, ENOMEM, "quarantine: out of memory");
	for (size_t i = 0; i < p->n; i++) {
		was[i] = p->v[i].case_id;
		p->v[i].case_id = case_id;
	}
	r = p->frees ? lz_held_del_many(ctl->ledger, p->v, p->n, reterr) : /* the kernel may hold some alone */
		       lz_held_put_many(ctl->ledger, p->v, p->n, reterr);
	for (size_t i = 0; r == 0 && i < p->n; i++)
		if (was[i] && was[i] != case_id && was[i] != was[i + 1])
			r = lz_case_emptied(ctl, was[i], reterr);
	return r;
}

static int write_rows(struct lz_ctl *ctl, const struct lz_move *m, const struct lz_case *was,
		      const struct plan *p, bool changed, struct lz_err *reterr)
{
	struct lz_transition t;
	int r = lz_case_put(ctl->ledger, m->c, reterr);

	if (r == 0)
		r = write_keys(ctl, p, m->c->id, reterr);
	if (r == 0 && m->seen) {
		struct lz_evidence e = *m->seen;

		e.case_id = m->c->id;
		r = lz_evidence_add(ctl->ledger, &e, reterr);
	}
	for (size_t i = 0; r == 0 && i < m->n_exempt; i++)
		r = lz_granted_put(ctl->ledger, &m->exempt[i], reterr);
	if (r == 0 && p->frees)
		r = lz_token_end(ctl->ledger, m->c->id, reterr);
	if (r < 0 || !changed)
		return r;
	fill_transition(ctl, m, was, &t);
	r = lz_transition_add(ctl->ledger, &t, reterr);
	return r < 0 ? r : post_news(ctl, m, reterr);
}

/* Within a batch of the caller it is part of that. */
static int write_ledger(struct lz_ctl *ctl, const struct lz_move *m, const struct lz_case *was,
			const struct plan *p, bool changed, struct lz_err *reterr)
{
	bool own = !lz_ledger_in_batch(ctl->ledger);
	int r = own ? lz_ledger_begin(ctl->ledger, reterr) : 0;

	if (r == 0)
		r = write_rows(ctl, m, was, p, changed, reterr);
	if (own)
		r = lz_ledger_end(ctl->ledger, r, reterr);
	lz_text_set(ctl->ledger_fault, sizeof(ctl->ledger_fault), r < 0 && reterr ? reterr->text : "");
	return r;
}

/* ---------------------------------------------------------------- kernel */

/* Not acknowledged, so it must not come back at the next start either. */
static void take_back(struct lz_ctl *ctl, const struct lz_move *m, const struct lz_case *was,
		      const struct plan *p, const char *why)
{
	struct lz_case failed = *m->c;
	struct lz_held held, before;
	struct lz_transition t;
	int r = lz_ledger_begin(ctl->ledger, NULL);

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		r = lz_held_get(ctl->ledger, p->v[i].key, &held);
		if (r == 0 && held.prior && lz_held_prior(ctl->ledger, held.prior, &before) == 0) {
			r = lz_held_back(ctl->ledger, held.key, held.prior, NULL);
			if (r == 0 && before.case_id != held.case_id)
				r = lz_case_refilled(ctl, &before, m->actor, NULL);
			before.key = held.key;
			if (before.expiry_s > lz_tables_now_s(&ctl->view))
				lz_hold_to_kernel(ctl, &before, NULL);
			else
				lz_hold_release(&ctl->view, held.key, NULL);
		} else if (r == 0) {
			r = lz_held_del(ctl->ledger, held.key, NULL);
			lz_hold_release(&ctl->view, held.key, NULL);
		}
	}
	*m->c = *was;
	m->c->id = failed.id;
	if (!was->id)
		m->c->state = LZ_CASE_CLOSED;
	if (r == 0)
		r = lz_case_put(ctl->ledger, m->c, NULL);
	if (r == 0) {
		fill_transition(ctl, m, &failed, &t);
		lz_text_set(t.reason, sizeof(t.reason), why);
		r = lz_transition_add(ctl->ledger, &t, NULL);
	}
	r = lz_ledger_end(ctl->ledger, r, NULL);
	if (r < 0)
		lz_log(LZ_LOG_ERROR, "ledger-failed", "why=a hold could not be taken back");
}

static int write_kernel(struct lz_ctl *ctl, const struct lz_move *m, const struct lz_case *was,
			const struct plan *p, struct lz_err *reterr)
{
	__u32 now_s = lz_tables_now_s(&ctl->view);
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		/* what has ended is free; if it is held, then by a limit, anew */
		if (p->frees && m->own_keys && p->v[i].expiry_s <= now_s)
			continue;
		if (p->frees)
			lz_hold_release(&ctl->view, p->v[i].key, NULL);
		else
			r = lz_hold_to_kernel(ctl, &p->v[i], reterr);
	}
	if (r < 0)
		take_back(ctl, m, was, p, reterr ? reterr->text : "the kernel did not take it");
	for (size_t i = 0; r == 0 && i < m->n_exempt; i++)
		r = lz_exception_to_kernel(ctl, &m->exempt[i], reterr);
	return r;
}

/* ---------------------------------------------------------------- say */

static const char *event_of(const struct lz_move *m, const struct lz_case *was, const struct plan *p)
{
	if (m->event)
		return m->event;
	if (lz_case_holds(m->to) && (p->fresh || !lz_case_holds(was->state)))
		return "held";
	if (lz_case_holds(m->to)) /* two clocks are read: a second is nothing */
		return m->c->until_s + 1 < was->until_s ? "shortened" : "extended";
	return lz_case_state_words[m->to];
}

static void say_move(struct lz_ctl *ctl, const struct lz_move *m, const struct lz_case *was,
		     const struct plan *p)
{
	size_t n = p->n ? p->n : 1;
	struct lz_note note = { .time_s = m->c->changed_s, .until_s = m->c->until_s,
				.generation = lz_ctl_generation(ctl) };

	lz_text_set(note.event, sizeof(note.event), event_of(m, was, p));
	lz_text_set(note.actor, sizeof(note.actor), m->actor);
	lz_text_set(note.reason, sizeof(note.reason), m->reason ? m->reason : m->evidence);
	for (size_t i = 0; i < n && i < LZ_ROWS_MAX; i++) {
		note.key = p->n ? p->v[i].key : m->target->key;
		lz_key_format(note.key, ctl->view.instance.ipv6_key_len, note.object);
		lz_tell_say(ctl, n <= LZ_LINES_MAX ? LZ_LOG_NOTICE : LZ_LOG_DEBUG, &note);
	}
	if (n > LZ_LINES_MAX)
		lz_tell_sum(ctl, &note, m->c->id, n);
	if (lz_case_holds(m->to) && (m->target->apart || p->left_out))
		lz_log(LZ_LOG_WARNING, "held-apart", "case=%llu customer=%s not-held=%llu why=%s",
		       (unsigned long long)m->c->id, m->target->customer,
		       (unsigned long long)(m->target->apart + p->left_out), p->left_out ? "colony: full" : "too many");
}

/* What had ended was free already. */
static void tell_moved(struct lz_ctl *ctl, const struct plan *p, struct lz_moved *ret)
{
	__u32 now_s = lz_tables_now_s(&ctl->view);

	ret->v = calloc(p->n + 1, sizeof(*ret->v));
	for (size_t i = 0; ret->v && i < p->n; i++)
		if (!p->v[i].expiry_s || p->v[i].expiry_s > now_s)
			ret->v[ret->n++] = p->v[i].key;
}

/* ---------------------------------------------------------------- move */

static void change_case(const struct lz_move *m, const struct plan *p)
{
	struct lz_case *c = m->c;
	__u64 now_s = lz_ctl_now().wall_s;

	c->state = m->to;
	c->changed_s = now_s;
	if (!c->opened_s)
		c->opened_s = now_s;
	if (!c->source[0] || lz_case_holds(m->to))
		lz_text_set(c->source, sizeof(c->source), m->source);
	c->until_s = lz_case_holds(m->to) ? lz_ctl_wall_of(p->end_s) : 0;
	if (lz_case_holds(m->to)) {
		c->due_s = 0;
		if (p->n)
			lz_grade_parse(p->v[0].grade, &c->grade, NULL);
	}
}

int lz_case_move(struct lz_ctl *ctl, struct lz_move *m, bool *ret_changed, struct lz_err *reterr)
{
	struct lz_case was = *m->c;
	struct plan p = { 0 };
	bool changed = false;
	int r;

	if (ctl->busy)
		return lz_err_set(reterr, EBUSY, "ledger: an import is running; try again");
	r = plan_move(ctl, m, &p, reterr);
	m->left_out = p.left_out;
	if (r == 0) {
		/* What the hold is, not what was asked for: it may be harder already. */
		if (lz_case_holds(m->to) && p.n) {
			struct lz_grade grade;

			lz_grade_parse(p.v[0].grade, &grade, NULL);
			m->to = lz_case_state_of(&grade);
		}
		changed = p.changed || m->to != was.state || m->tells;
		if (changed)
			change_case(m, &p);
		r = write_ledger(ctl, m, &was, &p, changed, reterr);
		if (r < 0)
			*m->c = was;
	}
	if (r == 0)
		r = write_kernel(ctl, m, &was, &p, reterr);
	if (r == 0 && changed)
		say_move(ctl, m, &was, &p);
	if (r == 0 && m->moved)
		tell_moved(ctl, &p, m->moved);
	if (r == 0 && ret_changed)
		*ret_changed = changed;
	free(p.v);
	return r;
}
