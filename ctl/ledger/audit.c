/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* audit.c - who looked, who changed; and how the ledger forgets what is old. */
#include <errno.h>
#include <stdint.h>

#include "base/mem.h"
#include "ledger/db.h"

#define MERGE_S 60

static void read_audit(sqlite3_stmt *s, void *row)
{
	struct lz_audit *ret = row;

	ret->id = (__u64)sqlite3_column_int64(s, 0);
	ret->time_s = (__u64)sqlite3_column_int64(s, 1);
	ret->count = (__u32)sqlite3_column_int64(s, 2);
	ret->uid = (__u32)sqlite3_column_int64(s, 3);
	ret->code = (__u32)sqlite3_column_int64(s, 4);
	lz_db_text(s, 5, ret->role, sizeof(ret->role));
	lz_db_text(s, 6, ret->actor, sizeof(ret->actor));
	lz_db_text(s, 7, ret->cmd, sizeof(ret->cmd));
	lz_db_text(s, 8, ret->object, sizeof(ret->object));
}

int lz_audit_add(struct lz_ledger *l, const struct lz_audit *row, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_AUDIT_MORE);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)row->time_s);
	sqlite3_bind_int64(s, 2, row->uid);
	lz_db_bind(s, 3, row->cmd);
	lz_db_bind(s, 4, row->object);
	sqlite3_bind_int64(s, 5, (__s64)row->time_s - MERGE_S);
	sqlite3_bind_int64(s, 6, row->code);
	r = lz_db_run(l, s, "count an audit row", reterr);
	if (r < 0 || sqlite3_changes(l->db))
		return r;
	s = lz_db_stmt(l, LZ_SQL_AUDIT_ADD);
	sqlite3_bind_int64(s, 1, (__s64)row->time_s);
	sqlite3_bind_int64(s, 2, row->uid);
	sqlite3_bind_int64(s, 3, row->code);
	lz_db_bind(s, 4, row->role);
	lz_db_bind(s, 5, row->actor);
	lz_db_bind(s, 6, row->cmd);
	lz_db_bind(s, 7, row->object);
	return lz_db_run(l, s, "write an audit row", reterr);
}

int lz_audit_before(struct lz_ledger *l, __u64 below, struct lz_audit *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_AUDIT_BEFORE);

	sqlite3_bind_int64(s, 1, below > INT64_MAX ? INT64_MAX : (__s64)below);
	sqlite3_bind_int(s, 2, n);
	return lz_db_rows(l, s, "read the audit", read_audit, ret, sizeof(*ret), n);
}

/* ---------------------------------------------------------------- forgetting */

/* An entry lasts 31 days at most, then its past is kept as long as all else: so long and a day more an
 * origin may be asked for. */
#define ORIGIN_MORE_S (32 * 86400ULL)

static const struct {
	enum lz_sql sql;
	__u64 more_s;
} prunes[] = {
	{ LZ_SQL_AUDIT_PRUNE, 0 }, { LZ_SQL_NOTE_PRUNE, 0 },   { LZ_SQL_CASE_PRUNE, 0 },
	{ LZ_SQL_PAST_PRUNE, 0 },  { LZ_SQL_CHANGE_PRUNE, 0 }, { LZ_SQL_ORIGIN_PRUNE, ORIGIN_MORE_S },
};

int lz_ledger_prune(struct lz_ledger *l, __u64 wall_s, int n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < LZ_ARRAY_SIZE(prunes); i++) {
		sqlite3_stmt *s = lz_db_stmt(l, prunes[i].sql);

		sqlite3_bind_int64(s, 1, (__s64)wall_s - (__s64)prunes[i].more_s);
		sqlite3_bind_int(s, 2, n);
		r = lz_db_run(l, s, "forget what is old", NULL);
	}
	lz_origin_forget(l);
	return r;
}
