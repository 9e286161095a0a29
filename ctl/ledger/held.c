/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * held.c - the table of holds, what each was before (change) and how those without a case ended
 * (past).
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ledger/db.h"

/* What an entry does not share with others. */
static void read_own(sqlite3_stmt *s, struct lz_held *ret)
{
	ret->key = (__u64)sqlite3_column_int64(s, 0);
	ret->since_s = (__u64)sqlite3_column_int64(s, 1);
	ret->expiry_s = (__u32)sqlite3_column_int64(s, 2);
	ret->ttl_s = (__u32)sqlite3_column_int64(s, 3);
	ret->case_id = (__u64)sqlite3_column_int64(s, 4);
	ret->prior = (__u64)sqlite3_column_int64(s, 5);
	lz_db_text(s, 6, ret->address, sizeof(ret->address));
	ret->known = true;
}

static void add_texts(struct lz_held *held, const struct lz_origin *o)
{
	held->made_s = o->time_s;
	held->generation = o->generation;
	strcpy(held->grade, o->grade); /* fields of the same size */
	strcpy(held->source, o->source);
	strcpy(held->actor, o->actor);
	strcpy(held->ticket, o->ticket);
	strcpy(held->reason, o->reason);
	held->staff_only = o->staff_only;
}

static void read_next(sqlite3_stmt *s, void *row)
{
	struct lz_held *ret = row;

	read_own(s, ret);
	ret->origin = sqlite3_column_int64(s, 7);
}

void lz_held_read(struct lz_ledger *l, sqlite3_stmt *s, struct lz_held *ret)
{
	read_next(s, ret);
	add_texts(ret, lz_origin_get(l, ret->origin));
}

/* Many that have few origins: their texts are looked up in memory. */
static int read_many(struct lz_ledger *l, sqlite3_stmt *s, struct lz_held *ret, int n)
{
	n = lz_db_rows(l, s, "read holds", read_next, ret, sizeof(*ret), n);
	for (int i = 0; i < n; i++)
		add_texts(&ret[i], lz_origin_get(l, ret[i].origin));
	return n;
}

static void read_held(sqlite3_stmt *s, void *row)
{
	struct lz_held *ret = row;
	struct lz_origin o;

	read_own(s, ret);
	ret->origin = 0;
	lz_origin_read(s, 7, &o);
	add_texts(ret, &o);
}

/* Up to n rows of a bound statement. */
static int read_rows(struct lz_ledger *l, sqlite3_stmt *s, struct lz_held *ret, int n)
{
	return lz_db_rows(l, s, "read holds", read_held, ret, sizeof(*ret), n);
}

__s64 lz_held_origin(struct lz_ledger *l, const struct lz_held *held, struct lz_err *reterr)
{
	struct lz_origin o = { .time_s = held->made_s ? held->made_s : held->since_s,
			       .generation = held->generation,
			       .staff_only = held->staff_only };

	lz_strcpy(o.grade, sizeof(o.grade), held->grade);
	lz_strcpy(o.source, sizeof(o.source), held->source);
	lz_strcpy(o.actor, sizeof(o.actor), held->actor);
	lz_strcpy(o.ticket, sizeof(o.ticket), held->ticket);
	lz_strcpy(o.reason, sizeof(o.reason), held->reason);
	return lz_origin_put(l, &o, reterr);
}

static void bind_held(sqlite3_stmt *s, const struct lz_held *held, __s64 origin)
{
	sqlite3_bind_int64(s, 1, (__s64)held->key);
	sqlite3_bind_int64(s, 2, (__s64)held->since_s);
	sqlite3_bind_int64(s, 3, held->expiry_s);
	sqlite3_bind_int64(s, 4, held->ttl_s);
	sqlite3_bind_int64(s, 5, origin);
	sqlite3_bind_int64(s, 6, (__s64)held->case_id);
	lz_db_bind(s, 7, held->address);
}

/* Another order for an entry: what it was goes to `change`. @ret_done: there was one. */
static int put_known(struct lz_ledger *l, const struct lz_held *held, __s64 origin, bool *ret_done,
		     struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_KEEP);
	int r;

	*ret_done = false;
	sqlite3_bind_int64(s, 1, (__s64)held->key);
	sqlite3_bind_int64(s, 2, (__s64)(held->made_s ? held->made_s : held->since_s));
	r = lz_db_run(l, s, "keep what a hold was", reterr);
	if (r < 0 || !sqlite3_changes(l->db))
		return r;
	*ret_done = true;
	s = lz_db_stmt(l, LZ_SQL_HELD_PUT);
	bind_held(s, held, origin);
	sqlite3_bind_int64(s, 8, sqlite3_last_insert_rowid(l->db));
	return lz_db_run(l, s, "write a hold", reterr);
}

static int put_new(struct lz_ledger *l, const struct lz_held *held, __s64 origin, bool *ret_done,
		   struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_NEW);
	int r;

	bind_held(s, held, origin);
	r = lz_db_run(l, s, "write a hold", reterr);
	*ret_done = r == 0 && sqlite3_changes(l->db);
	l->held += *ret_done;
	return r;
}

/* A new hold, the usual case of an import, is one statement; a known one is two. Who knows which it
 * is saves the other's attempt. */
int lz_held_put(struct lz_ledger *l, const struct lz_held *held, struct lz_err *reterr)
{
	__s64 origin = lz_held_origin(l, held, reterr);
	bool done;
	int r;

	if (origin < 0)
		return (int)origin;
	r = held->known ? put_known(l, held, origin, &done, reterr) :
			  put_new(l, held, origin, &done, reterr);
	if (r < 0 || done)
		return r;
	return held->known ? put_new(l, held, origin, &done, reterr) :
			     put_known(l, held, origin, &done, reterr);
}

static int get_one(struct lz_ledger *l, enum lz_sql which, __u64 at, struct lz_held *ret)
{
	sqlite3_stmt *s = lz_db_stmt(l, which);
	int n;

	sqlite3_bind_int64(s, 1, (__s64)at);
	n = read_rows(l, s, ret, 1);
	return n == 0 ? -ENOENT : n < 0 ? n : 0;
}

int lz_held_get(struct lz_ledger *l, __u64 key, struct lz_held *ret)
{
	return get_one(l, LZ_SQL_HELD_GET, key, ret);
}

int lz_held_prior(struct lz_ledger *l, __u64 prior, struct lz_held *ret)
{
	return get_one(l, LZ_SQL_HELD_PRIOR, prior, ret);
}

/* One entry must have been meant. */
static int run_on_one(struct lz_ledger *l, sqlite3_stmt *s, const char *what, struct lz_err *reterr)
{
	int r = lz_db_run(l, s, what, reterr);

	if (r == 0 && !sqlite3_changes(l->db))
		r = lz_err_set(reterr, ENOENT, "ledger: %s: there is none", what);
	return r;
}

int lz_held_back(struct lz_ledger *l, __u64 key, __u64 prior, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_BACK);
	struct lz_held was;
	int r = lz_held_prior(l, prior, &was);

	if (r < 0)
		return lz_err_set(reterr, -r, "ledger: restore a hold: there is none before");
	sqlite3_bind_int64(s, 1, (__s64)key);
	sqlite3_bind_int64(s, 2, (__s64)prior);
	return run_on_one(l, s, "restore a hold", reterr);
}

int lz_held_case_set(struct lz_ledger *l, __u64 key, __u64 case_id, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_CASE);

	sqlite3_bind_int64(s, 1, (__s64)key);
	sqlite3_bind_int64(s, 2, (__s64)case_id);
	return run_on_one(l, s, "give a hold its case", reterr);
}

int lz_held_del(struct lz_ledger *l, __u64 key, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_DEL);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)key);
	r = run_on_one(l, s, "delete a hold", reterr);
	if (r == 0)
		l->held--;
	return r;
}

__u64 lz_held_count(const struct lz_ledger *l)
{
	return l->held;
}

int lz_held_next(struct lz_ledger *l, struct lz_held_walk *walk, struct lz_held *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_NEXT);

	if (walk->begun && walk->last == INT64_MAX)
		return 0;
	sqlite3_bind_int64(s, 1, walk->begun ? walk->last + 1 : INT64_MIN);
	sqlite3_bind_int(s, 2, n);
	n = read_many(l, s, ret, n);
	if (n > 0) {
		walk->begun = true;
		walk->last = (__s64)ret[n - 1].key;
	}
	return n;
}

static void read_due(sqlite3_stmt *s, void *row)
{
	struct lz_ended *ret = row;

	ret->key = (__u64)sqlite3_column_int64(s, 0);
	ret->case_id = (__u64)sqlite3_column_int64(s, 1);
	ret->expiry_s = (__u32)sqlite3_column_int64(s, 2);
}

int lz_held_due(struct lz_ledger *l, __u64 mono_s, struct lz_ended *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_DUE);

	sqlite3_bind_int64(s, 1, (__s64)mono_s);
	sqlite3_bind_int(s, 2, n);
	return lz_db_rows(l, s, "read holds", read_due, ret, sizeof(*ret), n);
}

int lz_held_of(struct lz_ledger *l, __u64 case_id, struct lz_held *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_OF);

	sqlite3_bind_int64(s, 1, (__s64)case_id);
	sqlite3_bind_int(s, 2, n);
	return read_many(l, s, ret, n);
}

/* How many entries a case has; -EIO */
static int count_of(struct lz_ledger *l, __u64 case_id)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_OF_SUM);
	int n;

	sqlite3_bind_int64(s, 1, (__s64)case_id);
	n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : -EIO;
	sqlite3_reset(s);
	return n;
}

int lz_held_of_all(struct lz_ledger *l, __u64 case_id, struct lz_held **ret)
{
	lz_autofree struct lz_held *v = NULL;
	int n = count_of(l, case_id);

	if (n < 0)
		return n;
	v = calloc((size_t)n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	n = n ? lz_held_of(l, case_id, v, n) : 0;
	*ret = n < 0 ? NULL : TAKE_PTR(v);
	return n;
}

static void read_key(sqlite3_stmt *s, void *row)
{
	struct lz_held_key *ret = row;

	ret->key = (__u64)sqlite3_column_int64(s, 0);
	ret->expiry_s = (__u32)sqlite3_column_int64(s, 1);
	ret->named = sqlite3_column_bytes(s, 2) > 0;
}

int lz_held_keys_of(struct lz_ledger *l, __u64 case_id, struct lz_held_key **ret)
{
	lz_autofree struct lz_held_key *v = NULL;
	int n = count_of(l, case_id);
	sqlite3_stmt *s;

	if (n < 0)
		return n;
	v = calloc((size_t)n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	s = lz_db_stmt(l, LZ_SQL_HELD_KEYS_OF);
	sqlite3_bind_int64(s, 1, (__s64)case_id);
	n = n ? lz_db_rows(l, s, "read holds", read_key, v, sizeof(*v), n) : 0;
	*ret = n < 0 ? NULL : TAKE_PTR(v);
	return n;
}

int lz_held_lasts(struct lz_ledger *l, __u64 case_id, __u64 mono_s)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_LASTS);
	int rc;

	sqlite3_bind_int64(s, 1, (__s64)case_id);
	sqlite3_bind_int64(s, 2, (__s64)mono_s);
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		rc = lz_db_error(l, "read holds", NULL);
		sqlite3_reset(s);
		return rc;
	}
	sqlite3_reset(s);
	return rc == SQLITE_ROW;
}

/* ---------------------------------------------------------------- the past */

static void read_past(sqlite3_stmt *s, void *row)
{
	struct lz_past *ret = row;

	ret->ended_s = (__u64)sqlite3_column_int64(s, 0);
	ret->since_s = (__u64)sqlite3_column_int64(s, 1);
	lz_db_text(s, 2, ret->source, sizeof(ret->source));
	lz_db_text(s, 3, ret->actor, sizeof(ret->actor));
	lz_db_text(s, 4, ret->ticket, sizeof(ret->ticket));
	lz_db_text(s, 5, ret->reason, sizeof(ret->reason));
	lz_db_text(s, 6, ret->grade, sizeof(ret->grade));
	lz_db_text(s, 7, ret->by_source, sizeof(ret->by_source));
	lz_db_text(s, 8, ret->by_actor, sizeof(ret->by_actor));
	lz_db_text(s, 9, ret->by_reason, sizeof(ret->by_reason));
}

int lz_past_before(struct lz_ledger *l, __u64 key, struct lz_past *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_PAST_BEFORE);

	sqlite3_bind_int64(s, 1, (__s64)key);
	sqlite3_bind_int(s, 2, n);
	return lz_db_rows(l, s, "read the past", read_past, ret, sizeof(*ret), n);
}
