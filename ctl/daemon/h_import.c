// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * h_import.c - quarantine.import: hundreds of thousands of entries, all or nothing in the ledger.
 *
 *   read    every line is parsed before anything is done; a bad one ends the import
 *   write   one transaction; lines that may not be held are counted and named
 *   commit  from here on it is durable
 *   hold    the kernel's table, in bulk
 *
 * In slices between which the loop turns; other changes wait (lz_ctl_wait), questions do not.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "daemon/ctl.h"

#define LZ_IMPORT_SLICE_NS (15 * 1000000ULL) /* then others get their turn */
#define LZ_IMPORT_HOLD_SLICE 4096
#define LZ_IMPORT_GUARD	   1000 /* more at once wants --yes */
#define LZ_IMPORT_REFUSALS 200  /* rows that name what was refused */
#define LZ_IMPORT_GRADES   64   /* different ones in a list */

struct entry {
	__u64 key;
	const char *address; /* in the payload, as the two below */
	const char *ticket;
	const char *reason;
	__u32 line;
	__u32 for_s;
	__u8 family;
	__u8 grade; /* index in import.grades; 0 = not given */
};

enum phase { PHASE_READ, PHASE_SORT, PHASE_WRITE, PHASE_COMMIT, PHASE_HOLD };

struct import {
	struct lz_ctl *ctl;
	struct lz_request *req;
	uv_idle_t idle;
	enum phase phase;
	char *text; /* copy of the payload, cut into words */
	char *next;
	struct entry *v;
	struct lz_hold_entry *holds;
	size_t n, cap, at, n_holds;
	__u32 line;
	__u64 held, extended, unchanged, refused;
	__u64 made_s; /* one moment for all: they share their origin on disk */
	struct lz_grade grades[LZ_IMPORT_GRADES];
	size_t n_grades;
	uv_work_t work;
	int committed;
	struct lz_err commit_err;
	char actor[LZ_ACTOR_TEXT_MAX];
	char file[LZ_FILE_TEXT_MAX];
};

static void idle_closed(uv_handle_t *handle)
{
	struct import *im = handle->data;

	free(im->text);
	free(im->v);
	free(im->holds);
	free(im);
}

static void finish(struct import *im, enum lz_code code, const char *error, cJSON *fields)
{
	struct lz_ctl *ctl = im->ctl;

	lz_reply_end(im->req, code, error, fields);
	uv_idle_stop(&im->idle);
	uv_close((uv_handle_t *)&im->idle, idle_closed);
	lz_ctl_resume(ctl);
}

/* ---------------------------------------------------------------- read */

static char *next_word(char **at)
{
	char *word;

	*at += strspn(*at, " \t\r");
	if (!**at)
		return NULL;
	word = *at;
	*at += strcspn(*at, " \t\r");
	if (**at)
		*(*at)++ = '\0';
	return lz_streq(word, "-") ? NULL : word;
}

/* UNTIL or TIME; not given: 72 h. */
static int read_time(const char *word, __u64 now_s, __u32 *ret, struct lz_err *reterr)
{
	__u64 ns, for_s = LZ_HOLD_DEFAULT_S;
	int r;

	if (word && strchr(word, 'T')) {
		r = lz_time_parse(word, &ns, reterr);
		for_s = ns / LZ_NS_PER_S > now_s ? ns / LZ_NS_PER_S - now_s : 0;
	} else {
		r = word ? lz_duration_parse(word, &ns, reterr) : 0;
		if (word)
			for_s = ns / LZ_NS_PER_S;
	}
	if (r < 0)
		return r;
	if (for_s > LZ_HOLD_CAP_S)
		return lz_err_set(reterr, ERANGE, "%s: is longer than 31 days", word);
	*ret = (__u32)for_s;
	return 0;
}

/* The few grades of a list are parsed once. */
static int read_grade(struct import *im, const char *word, __u8 *ret, struct lz_err *reterr)
{
	struct lz_grade grade;
	int r;

	*ret = 0;
	if (!word)
		return 0;
	r = lz_grade_parse(word, &grade, reterr);
	if (r == 0)
		r = lz_grade_check(im->ctl, &grade, reterr);
	if (r < 0)
		return r;
	for (size_t i = 0; i < im->n_grades; i++)
		if (lz_grade_equal(&im->grades[i], &grade)) {
			*ret = (__u8)(i + 1);
			return 0;
		}
	if (im->n_grades == LZ_IMPORT_GRADES)
		return lz_err_set(reterr, E2BIG, "%s: more than %d different grades", word,
				  LZ_IMPORT_GRADES);
	im->grades[im->n_grades++] = grade;
	*ret = (__u8)im->n_grades;
	return 0;
}

/* Holding one address of a customer holds all of his. */
static int add_customer(struct import *im, const struct entry *of, struct lz_err *reterr)
{
	struct lz_target target;
	int r = lz_target_find(im->ctl, of->address, &target, reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < target.n_keys; i++) {
		struct entry e = *of;

		if (target.keys[i] == of->key)
			continue;
		e.key = target.keys[i];
		e.family = (__u8)lz_key_family(e.key);
		e.address = ""; /* as the key is written */
		r = lz_array_grow(&im->v, &im->cap, im->n + 1, sizeof(*im->v));
		if (r == 0)
			im->v[im->n++] = e;
	}
	lz_target_done(&target);
	return r;
}

static int read_line(struct import *im, char *line, struct lz_err *reterr)
{
	struct entry e = { .line = im->line };
	char *address = next_word(&line), *time;
	struct lz_addr addr;
	int r;

	if (!address || address[0] == '#')
		return 0;
	r = lz_addr_parse(address, &addr, reterr);
	if (r < 0)
		return r;
	lz_addr_unmap(&addr);
	r = lz_key_from_addr(&addr, im->ctl->view.instance.ipv6_key_len, &e.key);
	if (r < 0)
		return lz_err_set(reterr, EINVAL, "%s: is no source", address);
	time = next_word(&line);
	r = read_time(time, lz_clock_wall_ns() / LZ_NS_PER_S, &e.for_s, reterr);
	if (r < 0)
		return r;
	r = read_grade(im, next_word(&line), &e.grade, reterr);
	if (r < 0)
		return r;
	e.ticket = next_word(&line);
	line += strspn(line, " \t");
	line[strcspn(line, "\r")] = '\0';
	e.reason = *line && !lz_streq(line, "-") ? line : NULL;
	if (!e.for_s) /* its time is over already: an old export */
		return 0;
	e.address = address;
	e.family = addr.family;
	r = lz_array_grow(&im->v, &im->cap, im->n + 1, sizeof(*im->v));
	if (r == 0)
		im->v[im->n++] = e;
	if (r == 0 && im->ctl->now.policy && im->ctl->now.policy->customer_ranges.n)
		r = add_customer(im, &e, reterr);
	return r;
}

/* A key may be named twice, and an index likes its keys in order. */
static int compare_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->key != y->key)
		return (__s64)x->key < (__s64)y->key ? -1 : 1;
	return x->for_s < y->for_s ? 1 : x->for_s > y->for_s ? -1 : 0;
}

/* 600,000 entries in no order take a tenth of a second: in a thread, as the commit. */
static void sort_work(uv_work_t *work)
{
	struct import *im = work->data;

	lz_array_sort(im->v, im->n, sizeof(*im->v), compare_key);
}

static void sort_done(uv_work_t *work, int status)
{
	struct import *im = work->data;
	struct lz_err err = { "" };

	(void)status;
	im->holds = calloc(im->n + 1, sizeof(*im->holds));
	if (!im->holds || lz_ledger_begin(im->ctl->ledger, &err) < 0)
		finish(im, LZ_CODE_REFUSED, im->holds ? err.text : "quarantine: out of memory", NULL);
	else
		im->phase = PHASE_WRITE;
}

static void end_reading(struct import *im)
{
	struct lz_err err = { "" };
	__u64 room = lz_colony_max(im->ctl) - lz_held_count(im->ctl->ledger);

	if (im->n > LZ_IMPORT_GUARD && !lz_arg_bool(im->req, "yes")) {
		lz_err_set(&err, EPERM,
			   "quarantine: %zu hosts at once: more than %d want --yes; nothing was done",
			   im->n, LZ_IMPORT_GUARD);
		finish(im, LZ_CODE_GUARDED, err.text, NULL);
		return;
	}
	if (im->n > room)
		lz_log(LZ_LOG_WARNING, "import-large", "entries=%zu room=%llu", im->n,
		       (unsigned long long)room);
	im->phase = PHASE_SORT;
	im->work.data = im;
	if (uv_queue_work(&im->ctl->loop, &im->work, sort_work, sort_done) < 0) {
		sort_work(&im->work);
		sort_done(&im->work, 0);
	}
}

static void read_slice(struct import *im)
{
	struct lz_err err = { "" }, line_err = { "" };
	cJSON *row;

	__u64 until_ns = lz_clock_mono_ns() + LZ_IMPORT_SLICE_NS;

	for (int i = 0; *im->next && ((i & 63) || lz_clock_mono_ns() < until_ns); i++) {
		char *line = im->next;
		size_t len = strcspn(line, "\n");

		im->next += len + (line[len] == '\n');
		line[len] = '\0';
		im->line++;
		if (read_line(im, line, &line_err) < 0) {
			row = cJSON_CreateObject();
			lz_json_add_u64(row, "line", im->line);
			lz_json_add_str(row, "error", line_err.text);
			lz_reply_row(im->req, row);
			lz_err_set(&err, EINVAL, "line %u: %s; nothing was done", im->line,
				   line_err.text);
			finish(im, LZ_CODE_INVALID, err.text, NULL);
			return;
		}
	}
	if (!*im->next)
		end_reading(im);
}

/* ---------------------------------------------------------------- write */

static void refuse(struct import *im, const struct entry *e, const char *why)
{
	cJSON *row;

	if (++im->refused > LZ_IMPORT_REFUSALS)
		return;
	row = cJSON_CreateObject();
	lz_json_add_u64(row, "line", e->line);
	lz_json_add_str(row, "address", e->address);
	lz_json_add_str(row, "error", why);
	lz_reply_row(im->req, row);
}

static void fill_held(struct import *im, const struct entry *e, const struct lz_terms *terms,
		      const struct lz_held *old, struct lz_held *ret)
{
	memset(ret, 0, offsetof(struct lz_held, grade));
	ret->key = e->key;
	ret->known = old;
	ret->case_id = old ? old->case_id : 0;
	ret->since_s = old ? old->since_s : im->made_s;
	ret->made_s = im->made_s;
	ret->generation = lz_ctl_generation(im->ctl);
	ret->expiry_s = (__u32)terms->end_s;
	ret->ttl_s = terms->ttl_s;
	lz_grade_format(&terms->grade, ret->grade);
	strcpy(ret->source, "import");
	/* An IPv4 key says it all. */
	lz_text_set(ret->address, sizeof(ret->address), e->family == 4 ? "" : e->address);
	lz_text_set(ret->actor, sizeof(ret->actor), im->actor);
	lz_text_set(ret->ticket, sizeof(ret->ticket), e->ticket);
	lz_text_set(ret->reason, sizeof(ret->reason), e->reason);
}

static bool merge(const struct import *im, const struct entry *e, const struct lz_held *old,
		  __u32 now_s, struct lz_terms *ret)
{
	struct lz_terms was = { .end_s = 0 };

	if (old) {
		was.end_s = old->expiry_s;
		was.ttl_s = old->ttl_s;
		lz_grade_parse(old->grade, &was.grade, NULL);
	}
	return lz_terms_merge(old ? &was : NULL, e->grade ? &im->grades[e->grade - 1] : NULL,
			      LZ_HOLD_END(now_s, e->for_s), 0, now_s, ret);
}

/* May this entry be held? If not it is named, and the import goes on. */
static bool check_entry(struct import *im, const struct entry *e)
{
	struct lz_prefix prefix = lz_key_to_prefix(e->key, im->ctl->view.instance.ipv6_key_len);
	struct lz_addr addr = prefix.addr;
	struct lz_err why = { "" };

	if (e->family == 6 && e->address[0])
		lz_addr_parse(e->address, &addr, NULL);
	if (lz_hold_check_addr(im->ctl, &addr, e->key, &why) == 0)
		return true;
	refuse(im, e, why.text);
	return false;
}

static int write_one(struct import *im, const struct entry *e, __u32 now_s, struct lz_err *reterr)
{
	struct lz_held held, old;
	struct lz_terms terms;
	bool known;
	__u64 word;
	int r;

	if (!check_entry(im, e))
		return 0;
	/* The kernel's table answers "not held" in a fraction of what the ledger needs. */
	known = lz_hold_read(&im->ctl->view, e->key, &word) == 0 &&
		lz_held_get(im->ctl->ledger, e->key, &old) == 0;
	if (!known && lz_held_count(im->ctl->ledger) >= lz_colony_max(im->ctl)) {
		refuse(im, e, "colony: full");
		return 0;
	}
	if (!merge(im, e, known ? &old : NULL, now_s, &terms)) {
		im->unchanged++;
		return 0;
	}
	fill_held(im, e, &terms, known ? &old : NULL, &held);
	r = lz_hold_word(im->ctl, &held, &word, reterr);
	if (r == 0)
		r = lz_held_put(im->ctl->ledger, &held, reterr);
	if (r < 0)
		return r;
	im->holds[im->n_holds].key = e->key;
	im->holds[im->n_holds++].word = word;
	*(known ? &im->extended : &im->held) += 1;
	return 0;
}

/* The sync of 600,000 entries takes a while: in a thread, so that who asks nothing of the ledger is
 * answered meanwhile. SQLite's mutex lets others wait; they only read, as the ledger is busy. */
static void commit_work(uv_work_t *work)
{
	struct import *im = work->data;

	im->committed = lz_ledger_commit(im->ctl->ledger, &im->commit_err);
}

static void commit_done(uv_work_t *work, int status)
{
	struct import *im = work->data;

	im->ctl->committing = false;
	if (status < 0 || im->committed < 0) {
		finish(im, LZ_CODE_REFUSED, im->commit_err.text, NULL);
		return;
	}
	im->phase = PHASE_HOLD;
	im->at = 0;
}

static void begin_commit(struct import *im)
{
	im->phase = PHASE_COMMIT;
	im->work.data = im;
	im->ctl->committing = true;
	if (uv_queue_work(&im->ctl->loop, &im->work, commit_work, commit_done) < 0) {
		commit_work(&im->work);
		commit_done(&im->work, 0);
	}
}

static void write_slice(struct import *im)
{
	__u64 until_ns = lz_clock_mono_ns() + LZ_IMPORT_SLICE_NS;
	__u32 now_s = lz_tables_now_s(&im->ctl->view);
	struct lz_err err = { "" };
	int r = 0;

	for (; r == 0 && im->at < im->n && ((im->at & 63) || lz_clock_mono_ns() < until_ns); im->at++)
		if (!im->at || im->v[im->at - 1].key != im->v[im->at].key)
			r = write_one(im, &im->v[im->at], now_s, &err);
	if (r == 0 && im->at < im->n)
		return;
	if (r == 0) {
		begin_commit(im);
		return;
	}
	lz_ledger_rollback(im->ctl->ledger);
	finish(im, LZ_CODE_REFUSED, err.text, NULL);
}

/* ---------------------------------------------------------------- hold */

/* In the ledger, but the kernel has no room: it must not stand in the ledger alone. */
static void take_back(struct import *im, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++) {
		struct entry e = { .key = im->holds[i].key };
		char text[LZ_PREFIX_TEXT_MAX];

		if (im->holds[i].result >= 0)
			continue;
		e.address = lz_key_format(e.key, im->ctl->view.instance.ipv6_key_len, text);
		lz_held_del(im->ctl->ledger, e.key, NULL);
		refuse(im, &e, "the kernel did not take it: table full");
		im->held -= im->held > 0;
	}
}

static void end_import(struct import *im)
{
	struct lz_note note = { 0 };
	cJSON *end = cJSON_CreateObject();

	lz_json_add_u64(end, "entries", im->n);
	lz_json_add_u64(end, "held", im->held);
	lz_json_add_u64(end, "extended", im->extended);
	lz_json_add_u64(end, "unchanged", im->unchanged);
	lz_json_add_u64(end, "refused", im->refused);
	im->ctl->busy = false; /* the note belongs to the timeline */
	lz_text_set(note.event, sizeof(note.event), "imported");
	lz_text_set(note.object, sizeof(note.object), im->file);
	lz_text_set(note.actor, sizeof(note.actor), im->actor);
	snprintf(note.reason, sizeof(note.reason), "%llu held, %llu extended, %llu unchanged, %llu refused",
		 (unsigned long long)im->held, (unsigned long long)im->extended,
		 (unsigned long long)im->unchanged, (unsigned long long)im->refused);
	lz_tell_note(im->ctl, LZ_LOG_NOTICE, &note);
	finish(im, im->refused ? LZ_CODE_PARTLY : LZ_CODE_OK,
	       im->refused ? "some lines were refused" : NULL, end);
}

static void hold_slice(struct import *im)
{
	size_t n = im->n_holds - im->at;

	if (n > LZ_IMPORT_HOLD_SLICE)
		n = LZ_IMPORT_HOLD_SLICE;
	if (lz_hold_set_bulk(&im->ctl->view, im->holds + im->at, n, LZ_HOLD_SET_EXACT) < n)
		take_back(im, im->at, n);
	im->at += n;
	if (im->at == im->n_holds)
		end_import(im);
}

static void on_idle(uv_idle_t *idle)
{
	struct import *im = idle->data;

	if (im->phase == PHASE_READ)
		read_slice(im);
	else if (im->phase == PHASE_WRITE)
		write_slice(im);
	else if (im->phase == PHASE_HOLD)
		hold_slice(im);
}

void lz_h_quarantine_import(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct import *im;
	size_t len = 0;
	const char *payload;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_import) || !lz_ctl_need(ctl, req))
		return;
	payload = lz_request_payload(req, &len);
	im = calloc(1, sizeof(*im));
	if (im)
		im->text = malloc(len + 1);
	if (!im || !im->text) {
		free(im);
		lz_reply_end(req, LZ_CODE_REFUSED, "quarantine: out of memory", NULL);
		return;
	}
	memcpy(im->text, payload, len);
	im->text[len] = '\0';
	im->next = im->text;
	im->ctl = ctl;
	im->req = req;
	im->made_s = lz_ctl_now().wall_s;
	im->idle.data = im;
	lz_tell_actor(req, im->actor);
	lz_text_set(im->file, sizeof(im->file), lz_arg_text(req, "file"));
	ctl->busy = true;
	uv_idle_init(&ctl->loop, &im->idle);
	uv_idle_start(&im->idle, on_idle);
}
