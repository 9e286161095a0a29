// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * note.c - the timeline: every step with who, why and until when. Only ever added to, and pruned.
 */
#include <errno.h>
#include <stdint.h>

#include "ledger/db.h"

static void read_note(sqlite3_stmt *s, void *row)
{
	struct lz_note *ret = row;

	ret->id = (__u64)sqlite3_column_int64(s, 0);
	ret->time_s = (__u64)sqlite3_column_int64(s, 1);
	ret->key = (__u64)sqlite3_column_int64(s, 2);
	ret->until_s = (__u64)sqlite3_column_int64(s, 3);
	ret->generation = (__u64)sqlite3_column_int64(s, 4);
	lz_db_text(s, 5, ret->event, sizeof(ret->event));
	lz_db_text(s, 6, ret->object, sizeof(ret->object));
	lz_db_text(s, 7, ret->actor, sizeof(ret->actor));
	lz_db_text(s, 8, ret->reason, sizeof(ret->reason));
}

static int read_rows(struct lz_ledger *l, sqlite3_stmt *s, struct lz_note *ret, int n)
{
	return lz_db_rows(l, s, "read the timeline", read_note, ret, sizeof(*ret), n);
}

int lz_note_add(struct lz_ledger *l, const struct lz_note *note, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_NOTE_ADD);

	sqlite3_bind_int64(s, 1, (__s64)note->time_s);
	sqlite3_bind_int64(s, 2, (__s64)note->key);
	sqlite3_bind_int64(s, 3, (__s64)note->until_s);
	sqlite3_bind_int64(s, 4, (__s64)note->generation);
	sqlite3_bind_text(s, 5, note->event, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, note->object, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 7, note->actor, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 8, note->reason, -1, SQLITE_STATIC);
	return lz_db_run(l, s, "write the timeline", reterr);
}

int lz_note_before(struct lz_ledger *l, __u64 key, __u64 below, struct lz_note *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_NOTE_BEFORE);

	sqlite3_bind_int64(s, 1, (__s64)key);
	sqlite3_bind_int64(s, 2, below > INT64_MAX ? INT64_MAX : (__s64)below);
	sqlite3_bind_int(s, 3, n);
	return read_rows(l, s, ret, n);
}

int lz_note_last(struct lz_ledger *l, const char *event, struct lz_note *ret)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_NOTE_LAST);
	int n;

	sqlite3_bind_text(s, 1, event, -1, SQLITE_STATIC);
	n = read_rows(l, s, ret, 1);
	return n == 0 ? -ENOENT : n < 0 ? n : 0;
}

int lz_note_prune(struct lz_ledger *l, __u64 wall_s, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_NOTE_PRUNE);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)wall_s);
	sqlite3_bind_int(s, 2, n);
	r = lz_db_run(l, s, "prune the timeline", NULL);
	return r < 0 ? r : sqlite3_changes(l->db);
}
