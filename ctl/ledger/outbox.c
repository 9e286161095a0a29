// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * outbox.c - what is still to be told. A row is written in the same batch as what it tells of, so
 * that a crash loses neither one without the other.
 */
#include <errno.h>

#include "ledger/db.h"

static void read_outbox(sqlite3_stmt *s, void *row)
{
	struct lz_outbox *ret = row;

	ret->id = (__u64)sqlite3_column_int64(s, 0);
	ret->time_s = (__u64)sqlite3_column_int64(s, 1);
	ret->next_s = (__u64)sqlite3_column_int64(s, 2);
	ret->case_id = (__u64)sqlite3_column_int64(s, 3);
	ret->tries = (__u32)sqlite3_column_int64(s, 4);
	ret->way = (__u32)sqlite3_column_int64(s, 5);
	lz_db_text(s, 6, ret->key, sizeof(ret->key));
	lz_db_text(s, 7, ret->event, sizeof(ret->event));
	lz_db_text(s, 8, ret->error, sizeof(ret->error));
	lz_db_text(s, 9, ret->body, sizeof(ret->body));
}

static int read_rows(struct lz_ledger *l, sqlite3_stmt *s, struct lz_outbox *ret, int n)
{
	return lz_db_rows(l, s, "read the outbox", read_outbox, ret, sizeof(*ret), n);
}

int lz_outbox_add(struct lz_ledger *l, const struct lz_outbox *row, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_OUTBOX_ADD);
	int r;

	if (l->outbox >= LZ_OUTBOX_ROWS_MAX)
		return lz_err_set(reterr, ENOSPC, "outbox: %d messages are waiting already",
				  LZ_OUTBOX_ROWS_MAX);
	sqlite3_bind_int64(s, 1, (__s64)row->time_s);
	sqlite3_bind_int64(s, 2, (__s64)row->next_s);
	sqlite3_bind_int64(s, 3, (__s64)row->case_id);
	sqlite3_bind_int64(s, 4, row->way);
	sqlite3_bind_text(s, 5, row->key, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, row->event, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 7, row->body, -1, SQLITE_STATIC);
	r = lz_db_run(l, s, "write the outbox", reterr);
	if (r == 0)
		l->outbox++;
	return r;
}

int lz_outbox_due(struct lz_ledger *l, enum lz_outbox_way way, __u64 now_s, __u64 far_s,
		  struct lz_outbox *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_OUTBOX_DUE);

	sqlite3_bind_int64(s, 1, (__s64)now_s);
	sqlite3_bind_int64(s, 2, (__s64)(now_s + far_s));
	sqlite3_bind_int(s, 3, n);
	sqlite3_bind_int(s, 4, (int)way);
	return read_rows(l, s, ret, n);
}

/* One row must have been meant. */
static int run_on_one(struct lz_ledger *l, sqlite3_stmt *s, const char *what, struct lz_err *reterr)
{
	int r = lz_db_run(l, s, what, reterr);

	if (r == 0 && !sqlite3_changes(l->db))
		r = lz_err_set(reterr, ENOENT, "ledger: %s: there is no such message", what);
	return r;
}

int lz_outbox_retry(struct lz_ledger *l, __u64 id, __u64 next_s, const char *error,
		    struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_OUTBOX_RETRY);

	sqlite3_bind_int64(s, 1, (__s64)id);
	sqlite3_bind_int64(s, 2, (__s64)next_s);
	sqlite3_bind_text(s, 3, error, -1, SQLITE_STATIC);
	return run_on_one(l, s, "put off a message", reterr);
}

int lz_outbox_del(struct lz_ledger *l, __u64 id, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_OUTBOX_DEL);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)id);
	r = run_on_one(l, s, "take a message out", reterr);
	if (r == 0)
		l->outbox--;
	return r;
}

__u64 lz_outbox_count(const struct lz_ledger *l)
{
	return l->outbox;
}

int lz_outbox_oldest(struct lz_ledger *l, struct lz_outbox *ret)
{
	int n = read_rows(l, lz_db_stmt(l, LZ_SQL_OUTBOX_OLDEST), ret, 1);

	return n == 0 ? -ENOENT : n < 0 ? n : 0;
}
