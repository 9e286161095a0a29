// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * held.c - the table of holds.
 */
#include <errno.h>
#include <stdint.h>

#include "ledger/db.h"

static void read_held(sqlite3_stmt *s, struct lz_held *ret)
{
	ret->key = (__u64)sqlite3_column_int64(s, 0);
	ret->since_s = (__u64)sqlite3_column_int64(s, 1);
	ret->generation = (__u64)sqlite3_column_int64(s, 2);
	ret->expiry_s = (__u32)sqlite3_column_int64(s, 3);
	ret->ttl_s = (__u32)sqlite3_column_int64(s, 4);
	ret->garden = (__u8)sqlite3_column_int(s, 5);
	lz_db_text(s, 6, ret->address, sizeof(ret->address));
	lz_db_text(s, 7, ret->source, sizeof(ret->source));
	lz_db_text(s, 8, ret->actor, sizeof(ret->actor));
	lz_db_text(s, 9, ret->ticket, sizeof(ret->ticket));
	lz_db_text(s, 10, ret->reason, sizeof(ret->reason));
}

/* Up to n rows of a bound statement. */
static int read_rows(struct lz_ledger *l, sqlite3_stmt *s, struct lz_held *ret, int n)
{
	int i = 0, rc;

	while (i < n && (rc = sqlite3_step(s)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW) {
			i = lz_db_error(l, "read holds", NULL);
			break;
		}
		read_held(s, &ret[i++]);
	}
	sqlite3_reset(s);
	return i;
}

static void bind_held(sqlite3_stmt *s, const struct lz_held *held)
{
	sqlite3_bind_int64(s, 1, (__s64)held->key);
	sqlite3_bind_int64(s, 2, (__s64)held->since_s);
	sqlite3_bind_int64(s, 3, (__s64)held->generation);
	sqlite3_bind_int64(s, 4, held->expiry_s);
	sqlite3_bind_int64(s, 5, held->ttl_s);
	sqlite3_bind_int(s, 6, held->garden);
	sqlite3_bind_text(s, 7, held->address, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 8, held->source, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 9, held->actor, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 10, held->ticket, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 11, held->reason, -1, SQLITE_STATIC);
}

/* A new hold, the usual case of an import, is one statement; a known one is two. */
int lz_held_put(struct lz_ledger *l, const struct lz_held *held, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_NEW);
	int r;

	bind_held(s, held);
	r = lz_db_run(l, s, "write a hold", reterr);
	if (r < 0)
		return r;
	if (sqlite3_changes(l->db)) {
		l->held++;
		return 0;
	}
	s = lz_db_stmt(l, LZ_SQL_HELD_PUT);
	bind_held(s, held);
	return lz_db_run(l, s, "write a hold", reterr);
}

int lz_held_get(struct lz_ledger *l, __u64 key, struct lz_held *ret)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_GET);
	int n;

	sqlite3_bind_int64(s, 1, (__s64)key);
	n = read_rows(l, s, ret, 1);
	return n == 0 ? -ENOENT : n < 0 ? n : 0;
}

int lz_held_del(struct lz_ledger *l, __u64 key, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_DEL);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)key);
	r = lz_db_run(l, s, "delete a hold", reterr);
	if (r < 0)
		return r;
	if (!sqlite3_changes(l->db))
		return lz_err_set(reterr, ENOENT, "ledger: delete a hold: there is none");
	l->held--;
	return 0;
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
	n = read_rows(l, s, ret, n);
	if (n > 0) {
		walk->begun = true;
		walk->last = (__s64)ret[n - 1].key;
	}
	return n;
}

int lz_held_ended(struct lz_ledger *l, __u64 mono_s, struct lz_held *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_ENDED);

	sqlite3_bind_int64(s, 1, (__s64)mono_s);
	sqlite3_bind_int(s, 2, n);
	return read_rows(l, s, ret, n);
}
