// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * db.c - errors and transactions: the thin layer every table of the ledger uses.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ledger/db.h"

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

/* For what is the disk's fault, and the operator's to mend; NULL for the rest. */
static const char *todo_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return "make room on its disk, nothing is changed until then";
	case SQLITE_READONLY:
		return "mount its disk for writing, or let the file be lazaretd's again";
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return "is its disk there, sound and not full? see dmesg and df";
	default:
		return NULL;
	}
}

int lz_db_error(struct lz_ledger *l, const char *what, struct lz_err *reterr)
{
	int rc = sqlite3_extended_errcode(l->db);
	const char *todo = todo_of(rc), *path = todo ? sqlite3_db_filename(l->db, "main") : NULL;
	bool named = path && *path && !strstr(what, path);

	if (rc == SQLITE_CONSTRAINT_COMMITHOOK)
		return lz_ledger_look(l, reterr) < 0 ? -ESTALE :
		       lz_err_set(reterr, ESTALE, "ledger: %s: was away for a moment; say it again", l->path);
	return lz_err_set(reterr, errno_of(rc), "ledger: %s%s%s: %s%s%s", named ? path : "", named ? ": " : "",
			  what, sqlite3_errmsg(l->db), todo ? "; " : "", todo ? todo : "");
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

int lz_db_rows(struct lz_ledger *l, sqlite3_stmt *s, const char *what,
	       void (*read)(sqlite3_stmt *s, void *row), void *ret, size_t size, int n)
{
	int i = 0, rc;

	while (i < n && (rc = sqlite3_step(s)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW) {
			i = lz_db_error(l, what, NULL);
			break;
		}
		read(s, (char *)ret + (size_t)i++ * size);
	}
	sqlite3_reset(s);
	return i;
}

void lz_db_text(sqlite3_stmt *s, int column, char *dst, size_t size)
{
	const unsigned char *text = sqlite3_column_text(s, column);
	size_t len = text ? strnlen((const char *)text, size - 1) : 0;

	if (len)
		memcpy(dst, text, len);
	dst[len] = '\0';
}

void lz_db_bind(sqlite3_stmt *s, int parameter, const char *text)
{
	sqlite3_bind_text(s, parameter, text, -1, SQLITE_STATIC);
}

int lz_db_exec(struct lz_ledger *l, const char *sql, const char *what, struct lz_err *reterr)
{
	if (sqlite3_exec(l->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return lz_db_error(l, what, reterr);
	return 0;
}

/* Not within a batch: there SQLite does not take it. */
static int end_lazy(struct lz_ledger *l, struct lz_err *reterr)
{
	int r = l->lazy ? lz_db_exec(l, "PRAGMA synchronous = FULL", "sync", reterr) : 0;

	l->lazy = r < 0;
	return r;
}

static int begin_batch(struct lz_ledger *l, struct lz_err *reterr)
{
	int r;

	r = lz_db_run(l, lz_db_stmt(l, LZ_SQL_BEGIN), "begin", reterr);
	if (r < 0)
		return r;
	l->batch = true;
	l->batch_held = l->held;
	l->batch_granted = l->granted;
	l->batch_outbox = l->outbox;
	return 0;
}

int lz_ledger_begin(struct lz_ledger *l, struct lz_err *reterr)
{
	int r = l->batch ? lz_err_set(reterr, EALREADY, "ledger: begin: a batch is open already") :
			   end_lazy(l, reterr);

	return r < 0 ? r : begin_batch(l, reterr);
}

int lz_ledger_begin_lazy(struct lz_ledger *l, struct lz_err *reterr)
{
	int r = l->batch ? lz_err_set(reterr, EALREADY, "ledger: begin: a batch is open already") :
			   lz_db_exec(l, "PRAGMA synchronous = NORMAL", "begin", reterr);

	if (r < 0)
		return r;
	l->lazy = true;
	r = begin_batch(l, reterr);
	if (r < 0)
		end_lazy(l, NULL);
	return r;
}

int lz_db_read_mark(struct lz_ledger *l, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_MARK);
	int r = 0;

	if (sqlite3_step(s) == SQLITE_ROW)
		l->mark = (struct lz_ledger_mark){ .id = (__u64)sqlite3_column_int64(s, 0),
						   .turn = (__u64)sqlite3_column_int64(s, 1) };
	else
		r = lz_db_error(l, "read its mark", reterr);
	sqlite3_reset(s);
	return r;
}

struct lz_ledger_mark lz_ledger_mark(const struct lz_ledger *l)
{
	return l->mark;
}

void lz_ledger_on_commit(struct lz_ledger *l, void (*fn)(void *arg), void *arg)
{
	l->committed = fn;
	l->committed_arg = arg;
}

void lz_ledger_on_end(struct lz_ledger *l, void (*fn)(void *arg, bool stands), void *arg)
{
	l->ended = fn;
	l->ended_arg = arg;
}

int lz_ledger_part(struct lz_ledger *l, struct lz_err *reterr)
{
	int r = lz_db_run(l, lz_db_stmt(l, LZ_SQL_PART), "write its mark", reterr);

	l->parts = r == 0;
	return r;
}

/* While it is opened there are batches before the statements are prepared: they turn nothing. */
int lz_ledger_commit_aside(struct lz_ledger *l, struct lz_err *reterr)
{
	int r = l->sql[LZ_SQL_TURN] ? lz_db_run(l, lz_db_stmt(l, LZ_SQL_TURN), "commit", reterr) : 0;

	return r < 0 ? r : lz_db_run(l, lz_db_stmt(l, LZ_SQL_COMMIT), "commit", reterr);
}

int lz_ledger_commit_end(struct lz_ledger *l, int r)
{
	if (r < 0) {
		lz_ledger_rollback(l);
		return r;
	}
	l->batch = false;
	l->mark.turn++;
	if (l->parts)
		lz_db_read_mark(l, NULL);
	l->parts = false;
	end_lazy(l, NULL);
	if (l->committed)
		l->committed(l->committed_arg);
	if (l->ended)
		l->ended(l->ended_arg, true);
	return 0;
}

int lz_ledger_commit(struct lz_ledger *l, struct lz_err *reterr)
{
	return lz_ledger_commit_end(l, lz_ledger_commit_aside(l, reterr));
}

void lz_ledger_rollback(struct lz_ledger *l)
{
	/* A full disk may have rolled back already; then there is nothing left to do. */
	if (!sqlite3_get_autocommit(l->db))
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	l->held = l->batch_held;
	l->granted = l->batch_granted;
	l->outbox = l->batch_outbox;
	lz_origin_forget(l);
	memset(l->kept, 0, sizeof(l->kept));
	l->batch = false;
	l->parts = false;
	end_lazy(l, NULL);
	if (l->ended)
		l->ended(l->ended_arg, false);
}

int lz_ledger_end(struct lz_ledger *l, int r, struct lz_err *reterr)
{
	if (r == 0)
		return lz_ledger_commit(l, reterr);
	if (l->batch)
		lz_ledger_rollback(l);
	return r;
}

bool lz_ledger_in_batch(const struct lz_ledger *l)
{
	return l->batch;
}
