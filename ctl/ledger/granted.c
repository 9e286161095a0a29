// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * granted.c - the table of exceptions.
 */
#include <errno.h>

#include "ledger/db.h"

static int read_granted(sqlite3_stmt *s, struct lz_granted *ret)
{
	char prefix[LZ_PREFIX_TEXT_MAX];

	lz_db_text(s, 0, prefix, sizeof(prefix));
	if (lz_prefix_parse(prefix, &ret->prefix, NULL) < 0)
		return -EBADMSG;
	ret->since_s = (__u64)sqlite3_column_int64(s, 1);
	ret->until_s = (__u64)sqlite3_column_int64(s, 2);
	ret->flags = (__u32)sqlite3_column_int64(s, 3);
	lz_db_text(s, 4, ret->ticket, sizeof(ret->ticket));
	lz_db_text(s, 5, ret->actor, sizeof(ret->actor));
	return 0;
}

static int read_rows(struct lz_ledger *l, sqlite3_stmt *s, struct lz_granted *ret, int n)
{
	int i = 0, rc;

	while (i < n && (rc = sqlite3_step(s)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW)
			i = lz_db_error(l, "read exceptions", NULL);
		else
			i = read_granted(s, &ret[i]) < 0 ? -EBADMSG : i + 1;
		if (i < 0)
			break;
	}
	sqlite3_reset(s);
	return i;
}

/* Binds the text as SQLite's copy: the caller's buffer does not outlive it. */
static void bind_prefix(sqlite3_stmt *s, const struct lz_prefix *prefix)
{
	char text[LZ_PREFIX_TEXT_MAX];

	sqlite3_bind_text(s, 1, lz_prefix_format(prefix, text), -1, SQLITE_TRANSIENT);
}

int lz_granted_get(struct lz_ledger *l, const struct lz_prefix *prefix, struct lz_granted *ret)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_GRANTED_GET);
	int n;

	bind_prefix(s, prefix);
	n = read_rows(l, s, ret, 1);
	return n == 0 ? -ENOENT : n < 0 ? n : 0;
}

int lz_granted_put(struct lz_ledger *l, const struct lz_granted *row, struct lz_err *reterr)
{
	struct lz_granted old;
	bool known = lz_granted_get(l, &row->prefix, &old) == 0;
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_GRANTED_PUT);
	int r;

	bind_prefix(s, &row->prefix);
	sqlite3_bind_int64(s, 2, (__s64)row->since_s);
	sqlite3_bind_int64(s, 3, (__s64)row->until_s);
	sqlite3_bind_int64(s, 4, row->flags);
	sqlite3_bind_text(s, 5, row->ticket, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, row->actor, -1, SQLITE_STATIC);
	r = lz_db_run(l, s, "write an exception", reterr);
	if (r == 0 && !known)
		l->granted++;
	return r;
}

int lz_granted_del(struct lz_ledger *l, const struct lz_prefix *prefix, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_GRANTED_DEL);
	int r;

	bind_prefix(s, prefix);
	r = lz_db_run(l, s, "delete an exception", reterr);
	if (r < 0)
		return r;
	if (!sqlite3_changes(l->db))
		return lz_err_set(reterr, ENOENT, "ledger: delete an exception: there is none");
	l->granted--;
	return 0;
}

__u64 lz_granted_count(const struct lz_ledger *l)
{
	return l->granted;
}

int lz_granted_next(struct lz_ledger *l, const struct lz_prefix *after, struct lz_granted *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_GRANTED_NEXT);

	if (after)
		bind_prefix(s, after);
	else
		sqlite3_bind_text(s, 1, "", -1, SQLITE_STATIC);
	sqlite3_bind_int(s, 2, n);
	return read_rows(l, s, ret, n);
}
