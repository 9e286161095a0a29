// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * checkpoint.c - commits go to the log (ledger.db-wal); from time to time what is in the log goes to the
 * database, so that the log can begin anew. SQLite would do it within a commit: two syncs in the loop's
 * thread. Here it has a connection and a thread of its own, and neither who reads nor who commits waits.
 */
#include <errno.h>

#include "ledger/db.h"

#define LZ_LOG_PAGES	  1000 /* 4 MB: from there on it is worth it */
#define LZ_LOG_FULL_PAGES 16000 /* 64 MB: whoever commits must wait */

static int note_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct lz_ledger *l = arg;

	(void)db;
	(void)name;
	__atomic_store_n(&l->log_pages, pages, __ATOMIC_RELAXED); /* a commit may be in a thread */
	return SQLITE_OK;
}

void lz_checkpoint_set_up(struct lz_ledger *l)
{
	sqlite3_wal_hook(l->db, note_pages, l); /* in place of SQLite's own, which is the checkpoint */
}

bool lz_ledger_log_is_long(const struct lz_ledger *l)
{
	return __atomic_load_n(&l->log_pages, __ATOMIC_RELAXED) >= LZ_LOG_PAGES;
}

bool lz_ledger_log_is_full(const struct lz_ledger *l)
{
	return __atomic_load_n(&l->log_pages, __ATOMIC_RELAXED) >= LZ_LOG_FULL_PAGES;
}

int lz_ledger_checkpoint(struct lz_ledger *l, struct lz_err *reterr)
{
	sqlite3 *db = NULL;
	int r, rc;

	/* The next commit says how long it is then. Only what has been there before is written. */
	__atomic_store_n(&l->log_pages, 0, __ATOMIC_RELAXED);
	rc = sqlite3_open_v2(l->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
	r = lz_ledger_look(l, reterr); /* what was just opened by its name: the log goes into no other file */
	if (r == 0 && (rc != SQLITE_OK ||
		       /* the call of C does nothing on a connection that has read nothing yet */
		       sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL) != SQLITE_OK))
		r = lz_err_set(reterr, EIO, "ledger: checkpoint: %s",
			       db ? sqlite3_errmsg(db) : "out of memory");
	sqlite3_close(db);
	return r;
}
