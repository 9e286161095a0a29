/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * db.h - inside the ledger: the connection, its prepared statements, and how SQLite's errors read.
 */
#ifndef LZ_LEDGER_DB_H
#define LZ_LEDGER_DB_H

#include <sqlite3.h>

#include "ledger/ledger.h"

/* Prepared once; the texts are in db.c, in this order. */
enum lz_sql {
	LZ_SQL_BEGIN,
	LZ_SQL_COMMIT,
	LZ_SQL_TICK,
	LZ_SQL_HELD_NEW,
	LZ_SQL_HELD_PUT,
	LZ_SQL_HELD_GET,
	LZ_SQL_HELD_DEL,
	LZ_SQL_HELD_NEXT,
	LZ_SQL_HELD_ENDED,
	LZ_SQL_APPLIED_ADD,
	LZ_SQL_APPLIED_STATE,
	LZ_SQL_APPLIED_GET,
	LZ_SQL_APPLIED_LAST,
	LZ_SQL_APPLIED_BEFORE,
	LZ_SQL_APPLIED_HIGHEST,
	LZ_SQL_GRANTED_PUT,
	LZ_SQL_GRANTED_GET,
	LZ_SQL_GRANTED_DEL,
	LZ_SQL_GRANTED_NEXT,
	LZ_SQL_NOTE_ADD,
	LZ_SQL_NOTE_BEFORE,
	LZ_SQL_NOTE_LAST,
	LZ_SQL_NOTE_PRUNE,
	LZ_SQL_OUTBOX_ADD,
	LZ_SQL_OUTBOX_DUE,
	LZ_SQL_OUTBOX_RETRY,
	LZ_SQL_OUTBOX_DEL,
	LZ_SQL_OUTBOX_OLDEST,
	LZ_SQL_N,
};

struct lz_ledger {
	sqlite3 *db;
	sqlite3_stmt *sql[LZ_SQL_N];
	__u64 held;
	__u64 granted;
	__u64 outbox;
	bool batch;
	__u64 batch_held; /* counts as they were when the batch began */
	__u64 batch_granted;
	__u64 batch_outbox;
};

/* Their texts. */
extern const char *const lz_db_sql[LZ_SQL_N];

/** lz_db_error() - -errno of the connection's last failure, @reterr set: "ledger: <what>: <why>" */
int lz_db_error(struct lz_ledger *l, const char *what, struct lz_err *reterr);

/** lz_db_stmt() - the statement, reset and without bindings */
sqlite3_stmt *lz_db_stmt(struct lz_ledger *l, enum lz_sql which);

/** lz_db_run() - step a statement that returns no rows, then reset it; 0 or -errno */
int lz_db_run(struct lz_ledger *l, sqlite3_stmt *s, const char *what, struct lz_err *reterr);

/** lz_db_text() - a column into a fixed field, cut if it does not fit */
void lz_db_text(sqlite3_stmt *s, int column, char *dst, size_t size);

/** lz_db_exec() - a text of several statements, at open only */
int lz_db_exec(struct lz_ledger *l, const char *sql, const char *what, struct lz_err *reterr);

#endif /* LZ_LEDGER_DB_H */
