// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * import.c - quarantine.import: hundreds of thousands of entries, all or nothing in the ledger.
 *
 *   read    every line is parsed before anything is done; bad ones are named, and nothing is done
 *   join    all addresses of the customers it names
 *   unite   an entry for each key; lines that may not be held are counted and named
 *   close   the books of what has ended: a list holds anew, and extends no case that is over
 *   write   one transaction
 *   commit  from here on it is durable
 *   hold    the kernel's table, in bulk
 *
 * In slices, see slices.h. The sync of 600,000 entries takes a while.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "cases/case.h"
#include "control/counted.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/hold.h"
#include "control/target.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/hostlist.h"
#include "handlers/refused.h"
#include "handlers/slices.h"

#define LZ_IMPORT_ROWS	   1024		     /* written by one statement, some 4 ms */
#define LZ_IMPORT_HOLD_SLICE 4096
#define LZ_IMPORT_GUARD	   1000 /* more at once wants --yes */
#define LZ_IMPORT_TOO_LATE "its time was over before it was held"

enum phase { PHASE_READ, PHASE_JOIN, PHASE_UNITE, PHASE_CLOSE, PHASE_WRITE, PHASE_HOLD }; /* of the loop */

/* What an order comes to, worked out once while it stays the same. */
struct order {
	__s64 origin; /* in the ledger; 0 = not yet */
	__u64 word; /* for the data plane, without end and time to live */
	struct lz_grade grade; /* of these two */
	bool staff_only; /* the same */
};

struct import {
	struct lz_slices s;
	enum phase phase;
	struct lz_list list;
	struct order *orders; /* beside list.orders */
	struct lz_held_row rows[LZ_IMPORT_ROWS]; /* of a slice */
	struct lz_hold_entry *holds;
	size_t at, n_holds;
	__u64 held, extended, unchanged;
	struct lz_refused refused;
	__s64 was_origin; /* 0 = none yet */
	struct lz_grade was_grade; /* of it */
	bool was_staff_only;
	__u64 made_s; /* one moment for all: they share their origin on disk */
	__u32 now_s; /* of the data plane's clock: whose end is later was not over when the list came */
};

static void free_import(void *list)
{
	struct import *im = list;

	lz_list_done(&im->list);
	lz_refused_done(&im->refused);
	free(im->orders);
	free(im->holds);
	free(im);
}

static void finish(struct import *im, enum lz_code code, const char *error, cJSON *fields)
{
	lz_reply_end(im->s.req, code, error, fields);
	lz_slices_end(&im->s);
}

/* ---------------------------------------------------------------- read */

static void go_on(struct import *im, enum phase phase)
{
	im->phase = phase;
	lz_slices_go_on(&im->s);
}

/* 600,000 entries in no order take a tenth of a second: in a thread, as the commit. */
static void sort_work(uv_work_t *work)
{
	struct import *im = work->data;

	lz_list_sort(&im->list);
}

static void sort_done(uv_work_t *work, int status)
{
	(void)status;
	go_on(work->data, PHASE_UNITE);
}

/* Between lists and without a batch of its own, so cases may move. */
static void close_slice(struct import *im)
{
	struct lz_ctl *ctl = im->s.ctl;
	struct lz_err err = { "" };

	im->now_s = lz_tables_now_s(&ctl->view);
	ctl->busy = false;
	lz_case_clock(ctl, lz_clock_mono_ns() + LZ_SLICE_NS);
	ctl->busy = true;
	if (ctl->ends_wait)
		return;
	if (lz_ledger_begin(ctl->ledger, &err) < 0)
		finish(im, LZ_CODE_REFUSED, err.text, NULL);
	else
		im->phase = PHASE_WRITE;
}

static __u64 room_of(const struct lz_ctl *ctl)
{
	__u64 max = lz_colony_max(ctl), held = lz_held_count(ctl->ledger);

	return held < max ? max - held : 0;
}

static void end_uniting(struct import *im)
{
	struct lz_err err = { "" };
	__u64 room = room_of(im->s.ctl);

	im->holds = calloc(im->list.n + 1, sizeof(*im->holds));
	im->orders = calloc(im->list.n_orders + 1, sizeof(*im->orders));
	if (!im->holds || !im->orders) {
		lz_slices_fail(&im->s, "out of memory");
		return;
	}
	/* A customer is one, whatever his IPv6 prefix is: it may be 65,536 keys for one line of an hourly list. */
	if (im->list.named > LZ_IMPORT_GUARD && !lz_arg_bool(im->s.req, "yes")) {
		lz_err_set(&err, EPERM, "quarantine: %llu hosts at once: more than %d want --yes; nothing was done",
			   (unsigned long long)im->list.named, LZ_IMPORT_GUARD);
		finish(im, LZ_CODE_GUARDED, err.text, NULL);
		return;
	}
	if (im->list.n > room)
		lz_log(LZ_LOG_WARNING, "import-large", "entries=%zu room=%llu", im->list.n,
		       (unsigned long long)room);
	im->phase = PHASE_CLOSE;
}

static void unite_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_SLICE_NS;
	struct lz_err err = { "" };
	int r = lz_list_unite(&im->list, &im->refused, until_ns, &err);

	if (r < 0)
		lz_slices_fail(&im->s, err.text);
	else if (r == 0)
		end_uniting(im);
}

static void join_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_SLICE_NS;
	struct lz_err err = { "" };
	int r = lz_list_join(&im->list, &im->refused, until_ns, &err);

	if (r < 0)
		lz_slices_fail(&im->s, err.text);
	else if (r == 0)
		lz_slices_aside(&im->s, sort_work, sort_done);
}

static void read_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_SLICE_NS;
	struct lz_err err = { "" };
	int r;

	while ((r = lz_list_read(&im->list, until_ns, &err)) < 0 && r != -ENOMEM)
		lz_refused_add(&im->refused, im->list.lines.line, NULL, err.text);
	if (r > 0)
		return;
	if (r < 0) {
		lz_slices_fail(&im->s, "out of memory");
	} else if (im->refused.total) {
		lz_refused_end(&im->refused, im->s.req, "quarantine");
		lz_slices_end(&im->s);
	} else {
		im->phase = PHASE_JOIN;
	}
}

/* ---------------------------------------------------------------- write */

/* Origin and word of an order with this grade: the same for nearly all of a list. */
static int work_out(struct import *im, const struct lz_list_order *o, const struct lz_grade *grade,
		    bool staff_only, struct order *ret, struct lz_err *reterr)
{
	struct lz_held held = { .made_s = im->made_s, .generation = lz_ctl_generation(im->s.ctl),
				.staff_only = staff_only };
	int r;

	if (ret->origin && lz_grade_equal(grade, &ret->grade) && staff_only == ret->staff_only)
		return 0;
	lz_grade_format(grade, held.grade);
	lz_text_set(held.source, sizeof(held.source), "import");
	lz_text_set(held.actor, sizeof(held.actor), im->s.actor);
	if (o->ticket)
		snprintf(held.ticket, sizeof(held.ticket), "%.*s", (int)o->ticket_len, o->ticket);
	if (o->reason)
		snprintf(held.reason, sizeof(held.reason), "%.*s", (int)o->reason_len, o->reason);
	r = lz_hold_word(im->s.ctl, &held, &ret->word, reterr);
	if (r < 0)
		return r;
	ret->grade = *grade;
	ret->staff_only = staff_only;
	ret->origin = lz_held_origin(im->s.ctl->ledger, &held, reterr);
	return ret->origin < 0 ? (int)ret->origin : 0;
}

/* What an entry that there is was; parsed once while it stays the same. */
static void look_at_origin(struct import *im, __s64 origin)
{
	if (im->was_origin && im->was_origin == origin)
		return;
	lz_grade_parse(lz_held_grade(im->s.ctl->ledger, origin), &im->was_grade, NULL);
	im->was_staff_only = lz_held_staff_only(im->s.ctl->ledger, origin);
	im->was_origin = origin;
}

/* What a row is to become; 1: is to be written, 0: not, -errno. */
static int plan_row(struct import *im, const struct lz_list_entry *e, struct lz_held_row *row,
		    struct lz_err *reterr)
{
	struct lz_terms was = { .end_s = row->expiry_s, .ttl_s = row->ttl_s }, terms;
	const struct lz_list_order *said = &im->list.orders[e->order];
	struct order *order = &im->orders[e->order];
	bool stands = row->known && was.end_s > im->now_s, was_staff_only, changed;
	int r;

	if (row->known) {
		look_at_origin(im, row->was.origin);
		was.grade = im->was_grade;
	}
	was_staff_only = stands && im->was_staff_only;
	changed = lz_terms_merge(row->known ? &was : NULL, lz_list_grade(said, stands), e->end_s, 0, im->now_s, &terms);
	if (!changed && !(stands && said->staff_only && !was_staff_only &&
			  !lz_case_is_staffs(im->s.ctl, row->case_id))) {
		im->unchanged++;
		return 0;
	}
	r = work_out(im, said, &terms.grade, said->staff_only || was_staff_only, order, reterr);
	if (r < 0)
		return r;
	if (!row->known)
		row->case_id = 0;
	if (!stands)
		row->since_s = im->made_s;
	row->origin = order->origin;
	row->expiry_s = (__u32)terms.end_s;
	row->ttl_s = terms.ttl_s;
	/* An IPv4 key says it all. */
	row->address = lz_key_family(e->key) == 4 ? "" : lz_list_address(&im->list, e);
	im->holds[im->n_holds].key = e->key;
	im->holds[im->n_holds++].word =
		LZ_HOLD_WORD(row->expiry_s, row->ttl_s, LZ_HOLD_GRADE(order->word), 0);
	*(row->known ? &im->extended : &im->held) += 1;
	return 1;
}

static int write_rows(struct import *im, struct lz_err *reterr)
{
	const struct lz_list_entry *v = im->list.v + im->at;
	size_t n = im->list.n - im->at, kept = 0;
	__u64 room = room_of(im->s.ctl);
	char name[LZ_PREFIX_TEXT_MAX];
	int r;

	if (n > LZ_IMPORT_ROWS)
		n = LZ_IMPORT_ROWS;
	for (size_t i = 0; i < n; i++)
		im->rows[i].key = v[i].key;
	r = lz_held_rows_get(im->s.ctl->ledger, im->rows, n, reterr);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		const char *why = !room ? "colony: full" : v[i].end_s <= im->now_s ? LZ_IMPORT_TOO_LATE : NULL;

		if (why && !im->rows[i].known) {
			lz_refused_add(&im->refused, v[i].line, lz_list_name(&im->list, &v[i], name), why);
			continue;
		}
		im->rows[kept] = im->rows[i];
		r = plan_row(im, &v[i], &im->rows[kept], reterr);
		if (r > 0)
			room -= !im->rows[kept++].known;
	}
	im->at += n;
	return r < 0 ? r : lz_held_rows_put(im->s.ctl->ledger, im->rows, kept, im->made_s, reterr);
}

static void committed(void *list, int r)
{
	struct import *im = list;

	if (r < 0) {
		finish(im, LZ_CODE_REFUSED, im->s.err.text, NULL);
		return;
	}
	im->at = 0;
	go_on(im, PHASE_HOLD);
}

static void write_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_SLICE_NS;
	struct lz_err err = { "" };
	int r = 0;

	while (r == 0 && im->at < im->list.n && lz_clock_mono_ns() < until_ns)
		r = write_rows(im, &err);
	if (r == 0 && im->at < im->list.n)
		return;
	if (r == 0) {
		lz_slices_commit(&im->s);
		return;
	}
	lz_ledger_rollback(im->s.ctl->ledger);
	finish(im, LZ_CODE_REFUSED, err.text, NULL);
}

/* ---------------------------------------------------------------- hold */

static const char *why_not_taken(int result)
{
	return result == -ENOSPC ? "the kernel did not take it: table full" :
	       result == -EINVAL ? LZ_IMPORT_TOO_LATE :
				   "the kernel did not take it";
}

/* In the ledger, but not in the kernel: it must not stand in the ledger alone. What was there before is
 * there again; if that has ended meanwhile, for the clock to close it with its case. */
static void take_back(struct import *im, size_t from, size_t n)
{
	struct lz_err err = { "" };
	int r = lz_ledger_begin(im->s.ctl->ledger, &err);

	for (size_t i = from; r == 0 && i < from + n; i++) {
		char text[LZ_PREFIX_TEXT_MAX];
		struct lz_held held;

		if (im->holds[i].result >= 0)
			continue;
		lz_key_format(im->holds[i].key, im->s.ctl->view.instance.ipv6_key_len, text);
		r = lz_held_get(im->s.ctl->ledger, im->holds[i].key, &held);
		if (r == 0)
			r = held.prior ? lz_held_back(im->s.ctl->ledger, held.key, held.prior, &err) :
					 lz_held_del(im->s.ctl->ledger, held.key, &err);
		lz_refused_add(&im->refused, lz_list_line_of(&im->list, im->holds[i].key), text,
			       why_not_taken(im->holds[i].result));
		if (r == 0)
			*(held.prior ? &im->extended : &im->held) -= 1;
	}
	r = lz_ledger_end(im->s.ctl->ledger, r, &err);
	if (r < 0)
		lz_log(LZ_LOG_ERROR, "ledger-failed", "why=%s", err.text);
}

static void end_import(struct import *im)
{
	struct lz_note note = { 0 };
	cJSON *end = cJSON_CreateObject();

	lz_json_add_u64(end, "entries", im->list.lines_n + im->list.along + im->list.over);
	lz_json_add_u64(end, "held", im->held);
	lz_json_add_u64(end, "extended", im->extended);
	lz_json_add_u64(end, "unchanged", im->unchanged);
	lz_json_add_u64(end, "refused", im->refused.total);
	lz_json_add_u64(end, "doubled", im->list.doubled);
	lz_json_add_u64(end, "over", im->list.over);
	lz_json_add_u64(end, "along", im->list.along);
	lz_json_add_u64(end, "apart", im->list.apart);
	lz_json_add_u64(end, "capped", im->list.capped);
	lz_json_add_u64(end, "cut", im->list.cut);
	im->s.ctl->busy = false; /* the note belongs to the timeline */
	lz_text_set(note.event, sizeof(note.event), "imported");
	lz_text_set(note.object, sizeof(note.object), im->s.file);
	lz_text_set(note.actor, sizeof(note.actor), im->s.actor);
	snprintf(note.reason, sizeof(note.reason), "%llu held, %llu extended, %llu unchanged, %llu refused, "
		 "%llu doubled, %llu over already, %llu along, %llu capped, %llu cut",
		 (unsigned long long)im->held, (unsigned long long)im->extended,
		 (unsigned long long)im->unchanged, (unsigned long long)im->refused.total,
		 (unsigned long long)im->list.doubled, (unsigned long long)im->list.over,
		 (unsigned long long)im->list.along, (unsigned long long)im->list.capped,
		 (unsigned long long)im->list.cut);
	lz_tell_note(im->s.ctl, LZ_LOG_NOTICE, &note);
	lz_refused_tell(&im->refused, im->s.req, "address");
	finish(im, im->refused.total ? LZ_CODE_PARTLY : LZ_CODE_OK,
	       im->refused.total ? "some lines were refused" : NULL, end);
}

static void hold_slice(struct import *im)
{
	size_t n = im->n_holds - im->at;

	if (n > LZ_IMPORT_HOLD_SLICE)
		n = LZ_IMPORT_HOLD_SLICE;
	if (lz_hold_set_beside(&im->s.ctl->view, im->holds + im->at, n, lz_hold_beside_kernel, im->s.ctl) < n)
		take_back(im, im->at, n);
	im->at += n;
	if (im->at == im->n_holds)
		end_import(im);
}

static void next_slice(void *list)
{
	struct import *im = list;

	if (im->phase == PHASE_READ)
		read_slice(im);
	else if (im->phase == PHASE_JOIN)
		join_slice(im);
	else if (im->phase == PHASE_UNITE)
		unite_slice(im);
	else if (im->phase == PHASE_CLOSE)
		close_slice(im);
	else if (im->phase == PHASE_WRITE)
		write_slice(im);
	else
		hold_slice(im);
}

void lz_h_quarantine_import(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct import *im;
	size_t len = 0;
	char *text;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_import) || !lz_ctl_need(ctl, req))
		return;
	im = lz_slices_new(req, sizeof(*im), "quarantine", &text, &len);
	if (!im)
		return;
	lz_list_init(&im->list, ctl, text, len);
	im->made_s = lz_ctl_now().wall_s;
	im->s.slice = next_slice;
	im->s.free = free_import;
	im->s.committed = committed;
	lz_slices_begin(&im->s, ctl, req);
}
