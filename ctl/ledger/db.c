// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * db.c - statements, errors and transactions: the thin layer every table of the ledger uses.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ledger/db.h"

#define HELD_COLUMNS                                                                               \
	"key, since_s, generation, expiry_s, ttl_s, garden, address, source, actor, ticket, reason"
#define APPLIED_COLUMNS "generation, applied_s, deadline_s, origin, name, actor, file, state"
#define GRANTED_COLUMNS "prefix, since_s, until_s, flags, ticket, actor"
#define NOTE_COLUMNS	"id, time_s, key, until_s, generation, event, object, actor, reason"
#define OUTBOX_COLUMNS	"id, time_s, next_s, case_id, tries, way, key, event, error, body"

const char *const lz_db_sql[LZ_SQL_N] = {
	[LZ_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[LZ_SQL_COMMIT] = "COMMIT",
	[LZ_SQL_TICK] = "UPDATE boot SET mono_s = ?1, wall_s = ?2",
	[LZ_SQL_HELD_NEW] = "INSERT OR IGNORE INTO held (" HELD_COLUMNS
			    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[LZ_SQL_HELD_PUT] = "INSERT OR REPLACE INTO held (" HELD_COLUMNS
			    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[LZ_SQL_HELD_GET] = "SELECT " HELD_COLUMNS " FROM held WHERE key = ?1",
	[LZ_SQL_HELD_DEL] = "DELETE FROM held WHERE key = ?1",
	[LZ_SQL_HELD_NEXT] = "SELECT " HELD_COLUMNS " FROM held WHERE key >= ?1 ORDER BY key LIMIT ?2",
	[LZ_SQL_HELD_ENDED] = "SELECT " HELD_COLUMNS
			      " FROM held WHERE expiry_s <= ?1 ORDER BY expiry_s LIMIT ?2",
	[LZ_SQL_APPLIED_ADD] = "INSERT INTO applied (" APPLIED_COLUMNS
			       ", text, ids) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[LZ_SQL_APPLIED_STATE] = "UPDATE applied SET state = ?2 WHERE generation = ?1",
	[LZ_SQL_APPLIED_GET] = "SELECT " APPLIED_COLUMNS ", text, ids FROM applied WHERE generation = ?1",
	[LZ_SQL_APPLIED_LAST] = "SELECT " APPLIED_COLUMNS " FROM applied WHERE state = ?1 AND "
				"generation < ?2 ORDER BY generation DESC LIMIT 1",
	[LZ_SQL_APPLIED_BEFORE] = "SELECT " APPLIED_COLUMNS " FROM applied WHERE generation < ?1 "
				  "ORDER BY generation DESC LIMIT ?2",
	[LZ_SQL_APPLIED_HIGHEST] = "SELECT max(generation) FROM applied",
	[LZ_SQL_GRANTED_PUT] = "INSERT OR REPLACE INTO granted (" GRANTED_COLUMNS
			       ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[LZ_SQL_GRANTED_GET] = "SELECT " GRANTED_COLUMNS " FROM granted WHERE prefix = ?1",
	[LZ_SQL_GRANTED_DEL] = "DELETE FROM granted WHERE prefix = ?1",
	[LZ_SQL_GRANTED_NEXT] = "SELECT " GRANTED_COLUMNS
				" FROM granted WHERE prefix > ?1 ORDER BY prefix LIMIT ?2",
	[LZ_SQL_NOTE_ADD] = "INSERT INTO note (time_s, key, until_s, generation, event, object, "
			    "actor, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[LZ_SQL_NOTE_BEFORE] = "SELECT " NOTE_COLUMNS
			       " FROM note WHERE key = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
	[LZ_SQL_NOTE_LAST] = "SELECT " NOTE_COLUMNS
			     " FROM note WHERE event = ?1 ORDER BY id DESC LIMIT 1",
	[LZ_SQL_NOTE_PRUNE] = "DELETE FROM note WHERE id IN (SELECT id FROM (SELECT id, time_s "
			      "FROM note ORDER BY id LIMIT ?2) WHERE time_s < ?1)",
	[LZ_SQL_OUTBOX_ADD] = "INSERT INTO outbox (time_s, next_s, case_id, tries, way, key, event, "
			      "error, body) VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, '', ?7)",
	[LZ_SQL_OUTBOX_DUE] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE way = ?4 AND (next_s <= ?1 OR next_s > ?2) "
			      "ORDER BY next_s, id LIMIT ?3",
	[LZ_SQL_OUTBOX_RETRY] = "UPDATE outbox SET tries = tries + 1, next_s = ?2, error = ?3 "
				"WHERE id = ?1",
	[LZ_SQL_OUTBOX_DEL] = "DELETE FROM outbox WHERE id = ?1",
	[LZ_SQL_OUTBOX_OLDEST] = "SELECT " OUTBOX_COLUMNS
				 " FROM outbox WHERE tries > 0 ORDER BY id LIMIT 1",
};

static int errno_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return EBADMSG;
	case SQLITE_CONSTRAINT:
		return EEXIST;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return EACCES;
	default:
		return EIO;
	}
}

int lz_db_error(struct lz_ledger *l, const char *what, struct lz_err *reterr)
{
	int rc = sqlite3_extended_errcode(l->db);

	return lz_err_set(reterr, errno_of(rc), "ledger: %s: %s", what, sqlite3_errmsg(l->db));
}

sqlite3_stmt *lz_db_stmt(struct lz_ledger *l, enum lz_sql which)
{
	sqlite3_reset(l->sql[which]);
	sqlite3_clear_bindings(l->sql[which]);
	return l->sql[which];
}

int lz_db_run(struct lz_ledger *l, sqlite3_stmt *s, const char *what, struct lz_err *reterr)
{
	int r = 0;

	if (sqlite3_step(s) != SQLITE_DONE)
		r = lz_db_error(l, what, reterr);
	sqlite3_reset(s);
	return r;
}

void lz_db_text(sqlite3_stmt *s, int column, char *dst, size_t size)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	snprintf(dst, size, "%s", text ? (const char *)text : "");
}

int lz_db_exec(struct lz_ledger *l, const char *sql, const char *what, struct lz_err *reterr)
{
	if (sqlite3_exec(l->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return lz_db_error(l, what, reterr);
	return 0;
}

int lz_ledger_begin(struct lz_ledger *l, struct lz_err *reterr)
{
	int r;

	if (l->batch)
		return lz_err_set(reterr, EALREADY, "ledger: begin: a batch is open already");
	r = lz_db_run(l, lz_db_stmt(l, LZ_SQL_BEGIN), "begin", reterr);
	if (r < 0)
		return r;
	l->batch = true;
	l->batch_held = l->held;
	l->batch_granted = l->granted;
	l->batch_outbox = l->outbox;
	return 0;
}

int lz_ledger_commit(struct lz_ledger *l, struct lz_err *reterr)
{
	int r = lz_db_run(l, lz_db_stmt(l, LZ_SQL_COMMIT), "commit", reterr);

	if (r < 0) {
		lz_ledger_rollback(l);
		return r;
	}
	l->batch = false;
	return 0;
}

void lz_ledger_rollback(struct lz_ledger *l)
{
	/* A full disk may have rolled back already; then there is nothing left to do. */
	if (!sqlite3_get_autocommit(l->db))
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	l->held = l->batch_held;
	l->granted = l->batch_granted;
	l->outbox = l->batch_outbox;
	l->batch = false;
}

bool lz_ledger_in_batch(const struct lz_ledger *l)
{
	return l->batch;
}
