// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * exception_import.c - exception.import: tens of thousands of exceptions, all or nothing.
 *
 *   read    every line is looked at before anything is done; bad ones are named, and nothing is done
 *   sort    of lines for one prefix the last one counts
 *   write   one transaction
 *   commit  from here on it is durable
 *   grant   the kernel's table
 *   back    only if that does not take one: all become again what they were, there and in the ledger
 *   look    who of them is held
 *
 * In slices, see slices.h.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/exception.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/exception_list.h"
#include "handlers/handlers.h"
#include "handlers/slices.h"

#define LZ_IMPORT_HOLDS	   64 /* read at a time */

enum phase { PHASE_READ, PHASE_WRITE, PHASE_GRANT, PHASE_BACK, PHASE_LOOK }; /* of the loop */

struct import {
	struct lz_slices s;
	enum phase phase;
	struct lz_exception_list list;
	size_t at; /* of list.v */
	struct lz_granted *before; /* what is replaced */
	size_t n_before, before_cap;
	size_t granted; /* of list.v, in the kernel */
	struct lz_err fault; /* why the kernel did not take the next; "" = none */
	struct lz_held_walk walk; /* of the holds in list.v[at]; not begun: look for its first */
	const struct lz_exception_entry *looked; /* the last one whose holds were seen, and of all inside it */
	struct lz_held first;
	__u64 held;
};

static void free_import(void *list)
{
	struct import *im = list;

	lz_exception_list_done(&im->list);
	free(im->before);
	free(im);
}

static void go_on(struct import *im, enum phase phase)
{
	im->phase = phase;
	im->at = 0;
	lz_slices_go_on(&im->s);
}

static void row_of(const struct import *im, const struct lz_exception_entry *e, struct lz_granted *ret)
{
	*ret = (struct lz_granted){ .prefix = lz_exception_list_prefix(e), .since_s = im->list.made_s,
				    .until_s = e->until_s, .flags = e->flags };
	lz_text_set(ret->ticket, sizeof(ret->ticket), im->list.text + e->ticket);
	lz_text_set(ret->actor, sizeof(ret->actor), im->s.actor);
}

/* ---------------------------------------------------------------- read */

/* Of a million lines it takes a while: in a thread, as the commit. */
static void sort_work(uv_work_t *work)
{
	struct import *im = work->data;

	lz_exception_list_sort(&im->list);
}

static int check_room(__u64 n, struct lz_err *reterr)
{
	if (n <= LZ_EXCEPTIONS_MAX)
		return 0;
	return lz_err_set(reterr, ENOSPC, "%llu exceptions with it, more than the %d that there is room for",
			  (unsigned long long)n, LZ_EXCEPTIONS_MAX);
}

static void sort_done(uv_work_t *work, int status)
{
	struct import *im = work->data;
	struct lz_err err = { "" };

	(void)status;
	if (check_room(im->list.n, &err) < 0 || lz_ledger_begin(im->s.ctl->ledger, &err) < 0)
		lz_slices_fail(&im->s, err.text);
	else
		go_on(im, PHASE_WRITE);
}

static void read_slice(struct import *im)
{
	int r = lz_exception_list_read(&im->list, lz_clock_mono_ns() + LZ_SLICE_NS);

	if (r > 0)
		return;
	if (r < 0) {
		lz_slices_fail(&im->s, "out of memory");
	} else if (im->list.bad.total) {
		lz_refused_end(&im->list.bad, im->s.req, "exception");
		lz_slices_end(&im->s);
	} else {
		lz_slices_aside(&im->s, sort_work, sort_done);
	}
}

/* ---------------------------------------------------------------- write */

/* The next start gives the kernel what the ledger has. */
static void not_back(struct import *im)
{
	struct lz_err err = { "" };

	lz_tell_ledger_failed(im->s.err.text);
	lz_err_set(&err, EIO, "exception: list: %s; and it could not be taken back: %s; until the next start the "
		   "kernel has only a part of the list", im->fault.text, im->s.err.text);
	lz_reply_end(im->s.req, LZ_CODE_REFUSED, err.text, NULL);
	lz_slices_end(&im->s);
}

/* Of the list, or of what was there before. */
static void committed(void *list, int r)
{
	struct import *im = list;
	bool back = im->fault.text[0];

	if (r < 0 && back)
		not_back(im);
	else if (r < 0 || back)
		lz_slices_fail(&im->s, back ? im->fault.text : im->s.err.text);
	else
		go_on(im, PHASE_GRANT);
}

static int write_entry(struct import *im, struct lz_exception_entry *e, struct lz_err *reterr)
{
	struct lz_granted row, before;
	int r;

	row_of(im, e, &row);
	r = lz_granted_get(im->s.ctl->ledger, &row.prefix, &before);
	if (r == 0) {
		if (lz_array_grow(&im->before, &im->before_cap, im->n_before + 1, sizeof(before)) < 0)
			return lz_err_set(reterr, ENOMEM, "out of memory");
		im->before[im->n_before] = before;
		e->before = (__u32)++im->n_before;
	}
	return lz_granted_put(im->s.ctl->ledger, &row, reterr);
}

static void write_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_SLICE_NS;
	struct lz_err err = { "" };
	int r = 0;

	while (r == 0 && im->at < im->list.n && lz_clock_mono_ns() < until_ns)
		r = write_entry(im, &im->list.v[im->at++], &err);
	if (r == 0 && im->at < im->list.n)
		return;
	if (r == 0)
		r = check_room(lz_granted_count(im->s.ctl->ledger), &err);
	if (r == 0) {
		lz_slices_commit(&im->s);
		return;
	}
	lz_slices_fail(&im->s, err.text);
}

/* ---------------------------------------------------------------- grant */

static void grant_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_SLICE_NS;
	struct lz_granted row;

	while (im->granted < im->list.n && lz_clock_mono_ns() < until_ns) {
		row_of(im, &im->list.v[im->granted], &row);
		if (lz_exception_to_kernel(im->s.ctl, &row, &im->fault) < 0) {
			if (lz_ledger_begin(im->s.ctl->ledger, &im->s.err) < 0)
				not_back(im);
			else
				go_on(im, PHASE_BACK);
			return;
		}
		im->granted++;
	}
	if (im->granted == im->list.n)
		go_on(im, PHASE_LOOK);
}

static int take_back(struct import *im, size_t i)
{
	const struct lz_exception_entry *e = &im->list.v[i];
	const struct lz_granted *before = e->before ? &im->before[e->before - 1] : NULL;
	struct lz_prefix prefix = lz_exception_list_prefix(e);

	if (before && i < im->granted)
		lz_exception_to_kernel(im->s.ctl, before, NULL);
	else if (i < im->granted)
		lz_exception_out_of_kernel(im->s.ctl, &prefix);
	return before ? lz_granted_put(im->s.ctl->ledger, before, &im->s.err) :
			lz_granted_del(im->s.ctl->ledger, &prefix, &im->s.err);
}

static void back_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_SLICE_NS;
	int r = 0;

	while (r == 0 && im->at < im->list.n && lz_clock_mono_ns() < until_ns)
		r = take_back(im, im->at++);
	if (r == 0 && im->at == im->list.n)
		lz_slices_commit(&im->s);
	if (r == 0)
		return;
	lz_ledger_rollback(im->s.ctl->ledger);
	not_back(im);
}

/* ---------------------------------------------------------------- look */

/* The next holds in an exception; false: there are no more. */
static bool look_at(struct import *im, const struct lz_exception_entry *e)
{
	static struct lz_held held[LZ_IMPORT_HOLDS];
	__u32 now_s = lz_tables_now_s(&im->s.ctl->view);
	/* mostly it is for one address, which is not held */
	int n, want = im->walk.begun || e->len < LZ_IPV6_KEY_LEN_MIN ? LZ_IMPORT_HOLDS : 1;

	if (!im->walk.begun)
		im->walk = (struct lz_held_walk){ .begun = true, .last = (__s64)e->bits - 1 };
	n = lz_held_next(im->s.ctl->ledger, &im->walk, held, want);
	for (int i = 0; i < n; i++) {
		if ((held[i].key ^ e->bits) >> (64 - e->len))
			return false;
		if (held[i].expiry_s > now_s && !im->held++)
			im->first = held[i];
	}
	return n == want;
}

static bool is_inside(const struct lz_exception_entry *outer, const struct lz_exception_entry *e)
{
	return outer && outer->len <= e->len && !((outer->bits ^ e->bits) >> (64 - outer->len));
}

static void add_held(struct import *im, cJSON *end)
{
	char others[64] = "";
	cJSON *obj;

	if (!im->held)
		return;
	obj = cJSON_AddObjectToObject(end, "held");
	lz_json_add_u64(obj, "sources", im->held);
	if (im->held > 1)
		snprintf(others, sizeof(others), ", and %llu more of them %s", (unsigned long long)im->held - 1,
			 im->held == 2 ? "is" : "are");
	lz_json_excepted(im->s.ctl, end, &im->first, others, obj);
}

static void end_import(struct import *im)
{
	struct lz_note note = { 0 };
	cJSON *end = cJSON_CreateObject();

	lz_json_add_u64(end, "entries", im->list.entries);
	lz_json_add_u64(end, "added", im->list.n);
	lz_json_add_u64(end, "doubled", im->list.doubled);
	lz_json_add_u64(end, "refused", im->list.over.total);
	add_held(im, end);
	im->s.ctl->busy = false; /* the note belongs to the timeline */
	lz_text_set(note.event, sizeof(note.event), "exceptions-imported");
	lz_text_set(note.object, sizeof(note.object), im->s.file);
	lz_text_set(note.actor, sizeof(note.actor), im->s.actor);
	snprintf(note.reason, sizeof(note.reason), "%zu added, %llu doubled, %llu refused", im->list.n,
		 (unsigned long long)im->list.doubled, (unsigned long long)im->list.over.total);
	lz_tell_note(im->s.ctl, LZ_LOG_NOTICE, &note);
	lz_refused_tell(&im->list.over, im->s.req, "prefix");
	lz_reply_end(im->s.req, im->list.over.total ? LZ_CODE_PARTLY : LZ_CODE_OK,
		     im->list.over.total ? "some lines were refused" : NULL, end);
	lz_slices_end(&im->s);
}

static void look_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_SLICE_NS;

	while (im->at < im->list.n && lz_clock_mono_ns() < until_ns) {
		const struct lz_exception_entry *e = &im->list.v[im->at];

		if (e->flags & LZ_EXCEPTION_ALL && !is_inside(im->looked, e)) {
			if (look_at(im, e))
				continue;
			im->looked = e;
		}
		im->walk.begun = false;
		im->at++;
	}
	if (im->at == im->list.n)
		end_import(im);
}

static void next_slice(void *list)
{
	struct import *im = list;

	if (im->phase == PHASE_READ)
		read_slice(im);
	else if (im->phase == PHASE_WRITE)
		write_slice(im);
	else if (im->phase == PHASE_GRANT)
		grant_slice(im);
	else if (im->phase == PHASE_BACK)
		back_slice(im);
	else
		look_slice(im);
}

void lz_h_exception_import(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct import *im;
	char *text;
	size_t len = 0;

	if (lz_ctl_wait(ctl, req, lz_h_exception_import) || !lz_ctl_need(ctl, req))
		return;
	im = lz_slices_new(req, sizeof(*im), "exception", &text, &len);
	if (!im)
		return;
	lz_exception_list_init(&im->list, ctl, text, len);
	im->s.slice = next_slice;
	im->s.free = free_import;
	im->s.committed = committed;
	lz_slices_begin(&im->s, ctl, req);
}
