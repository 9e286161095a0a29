/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * db.h - inside the ledger: the connection, its prepared statements, and how SQLite's errors read.
 */
#ifndef LZ_LEDGER_DB_H
#define LZ_LEDGER_DB_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "ledger/held.h"

/* Prepared once; the texts are in sql.c. */
enum lz_sql {
	LZ_SQL_BEGIN,
	LZ_SQL_COMMIT,
	LZ_SQL_TURN,
	LZ_SQL_PART,
	LZ_SQL_MARK,
	LZ_SQL_TICK,
	LZ_SQL_HELD_NEW,
	LZ_SQL_HELD_KEEP,
	LZ_SQL_HELD_PUT,
	LZ_SQL_HELD_BACK,
	LZ_SQL_HELD_CASE,
	LZ_SQL_HELD_GET,
	LZ_SQL_HELD_PRIOR,
	LZ_SQL_HELD_DEL,
	LZ_SQL_HELD_NEXT,
	LZ_SQL_HELD_OF,
	LZ_SQL_HELD_KEYS_OF,
	LZ_SQL_HELD_OF_SUM,
	LZ_SQL_HELD_LASTS,
	LZ_SQL_HELD_DUE,
	LZ_SQL_HELD_LOOK,
	LZ_SQL_HELD_ROWS_KEEP,
	LZ_SQL_HELD_ROWS_PUT,
	LZ_SQL_HELD_ROWS_DEL,
	LZ_SQL_CHANGE_BOUND,
	LZ_SQL_CHANGE_LAST,
	LZ_SQL_CHANGE_PRUNE,
	LZ_SQL_ORIGIN_ADD,
	LZ_SQL_ORIGIN_GET,
	LZ_SQL_ORIGIN_PRUNE,
	LZ_SQL_PAST_ADD,
	LZ_SQL_PAST_BEFORE,
	LZ_SQL_PAST_PRUNE,
	LZ_SQL_CASE_ADD,
	LZ_SQL_CASE_PUT,
	LZ_SQL_CASE_GET,
	LZ_SQL_CASE_OF_KEY,
	LZ_SQL_CASE_OF_CUSTOMER,
	LZ_SQL_CASE_DUE,
	LZ_SQL_CASE_SUM,
	LZ_SQL_CASE_AUTO,
	LZ_SQL_CASE_PRUNE,
	LZ_SQL_MOVE_ADD,
	LZ_SQL_MOVE_BEFORE,
	LZ_SQL_MOVE_SINCE,
	LZ_SQL_MOVE_SECONDS,
	LZ_SQL_WHO_SEEN,
	LZ_SQL_EVIDENCE_ADD,
	LZ_SQL_EVIDENCE_MORE,
	LZ_SQL_EVIDENCE_BEFORE,
	LZ_SQL_EVIDENCE_TRIM,
	LZ_SQL_EVIDENCE_SEEN,
	LZ_SQL_TOKEN_ADD,
	LZ_SQL_TOKEN_TRIM,
	LZ_SQL_TOKEN_TAKE,
	LZ_SQL_TOKEN_END,
	LZ_SQL_AUDIT_ADD,
	LZ_SQL_AUDIT_MORE,
	LZ_SQL_AUDIT_BEFORE,
	LZ_SQL_AUDIT_PRUNE,
	LZ_SQL_APPLIED_ADD,
	LZ_SQL_APPLIED_TEXT,
	LZ_SQL_APPLIED_TEXT_ADD,
	LZ_SQL_APPLIED_STATE,
	LZ_SQL_APPLIED_IDS,
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

/* Who held them, why and how: the same for all of an import, so it is written once. */
#define LZ_ORIGIN_CACHE 64

struct lz_origin {
	__s64 id; /* 0 = none */
	__u64 time_s;
	__u64 generation;
	char grade[LZ_GRADE_TEXT_MAX];
	char source[LZ_SOURCE_TEXT_MAX];
	char actor[LZ_ACTOR_TEXT_MAX];
	char ticket[LZ_TICKET_TEXT_MAX];
	char reason[LZ_REASON_TEXT_MAX];
	bool staff_only;
};

/* What entries were before, written lately: those that were the same share a row of `change`. */
#define LZ_KEPT_CACHE 256

struct lz_kept {
	struct lz_held_was was;
	__u64 case_id, made_s;
	__u64 id; /* 0 = none */
};

/* What the table "entry" shows to a statement while it runs: rows, or only keys. */
struct lz_many {
	const struct lz_held_row *rows;
	const __u64 *keys;
	size_t n;
};

struct lz_ledger {
	sqlite3 *db;
	char *path;
	struct lz_now clocks; /* as of the last write before it was opened, if in this boot */
	struct stat file, file_log; /* database and log as they were opened */
	int lock; /* of the state folder: one daemon at a time */
	char *stands_for; /* it is a copy, of the ledger of this folder; NULL: it is none */
	struct lz_err why; /* .. which could not be opened */
	bool sealed; /* .. and takes no more */
	int back; /* .. and could not be opened again: what lz_ledger_is_back() said last */
	struct stat back_file, back_log; /* .. as they were then; all 0: not there */
	int log_pages; /* as of the last commit; atomic */
	sqlite3_stmt *sql[LZ_SQL_N];
	__u64 held;
	__u64 granted;
	__u64 outbox;
	struct lz_ledger_mark mark;
	void (*committed)(void *arg); /* or NULL */
	void *committed_arg;
	void (*ended)(void *arg, bool stands); /* or NULL */
	void *ended_arg;
	bool parts; /* the batch gives it another id */
	bool batch;
	bool lazy; /* the batch is not synced */
	__u64 batch_held; /* counts as they were when the batch began */
	__u64 batch_granted;
	__u64 batch_outbox;
	struct lz_many many;
	struct lz_origin origins[LZ_ORIGIN_CACHE]; /* written lately, by a hash of their texts */
	struct lz_origin seen[LZ_ORIGIN_CACHE];	   /* read lately, by id */
	struct lz_kept kept[LZ_KEPT_CACHE];
};

/**
 * lz_db_lock() - the lock of a state folder, for as long as *@ret is open
 * Return: 0; -EBUSY another lazaretd has it; -errno.
 */
int lz_db_lock(const char *dir, int *ret, struct lz_err *reterr);

/** lz_db_new() - a ledger with the lock of @dir, whose database will be @path; 0 or -errno */
int lz_db_new(const char *dir, const char *path, struct lz_ledger **ret, struct lz_err *reterr);

/**
 * lz_db_open() - its database: open or create, check, migrate, carry over
 * @sound: NULL at the end: these tables must not be damaged; "1" is all of them
 * Return: as lz_ledger_open(); l is to be closed in any case.
 */
int lz_db_open(struct lz_ledger *l, const char *boot_id, struct lz_now now, const char *const *sound,
	       struct lz_err *reterr);

/** lz_standin_close() - a copy that was not sealed goes; of another ledger: nothing */
void lz_standin_close(const struct lz_ledger *l);

/* Their texts. */
extern const char *const lz_db_sql[LZ_SQL_N];

/** lz_db_error() - -errno of the connection's last failure, @reterr set: "ledger: <what>: <why>",
 * with the path and what to do where the disk is at fault */
int lz_db_error(struct lz_ledger *l, const char *what, struct lz_err *reterr);

/** lz_db_stmt() - the statement, reset and without bindings */
sqlite3_stmt *lz_db_stmt(struct lz_ledger *l, enum lz_sql which);

/** lz_db_run() - step a statement that returns no rows, then reset it; 0 or -errno */
int lz_db_run(struct lz_ledger *l, sqlite3_stmt *s, const char *what, struct lz_err *reterr);

/**
 * lz_db_rows() - up to @n rows of a bound statement, then reset it
 * @read: one row into @size bytes of @ret
 * Return: how many, or -errno.
 */
int lz_db_rows(struct lz_ledger *l, sqlite3_stmt *s, const char *what,
	       void (*read)(sqlite3_stmt *s, void *row), void *ret, size_t size, int n);

/** lz_db_text() - a column into a fixed field, cut if it does not fit */
void lz_db_text(sqlite3_stmt *s, int column, char *dst, size_t size);

/** lz_db_bind() - a text that lives until the statement has run */
void lz_db_bind(sqlite3_stmt *s, int parameter, const char *text);

/** lz_db_read_mark() - of the database into l->mark; 0 or -errno */
int lz_db_read_mark(struct lz_ledger *l, struct lz_err *reterr);

/** lz_origin_put() - the row with these texts: one written lately, or a new one; its id or -errno */
__s64 lz_origin_put(struct lz_ledger *l, const struct lz_origin *origin, struct lz_err *reterr);

/**
 * lz_origin_get() - the row @id, from memory if it was read lately; never NULL
 *
 * One that is not there has the id 0 and empty texts. Good until the next call.
 */
const struct lz_origin *lz_origin_get(struct lz_ledger *l, __s64 id);

/** lz_origin_read() - eight columns of a statement, time to staff_only, into all but the id */
void lz_origin_read(sqlite3_stmt *s, int first, struct lz_origin *ret);

/** lz_origin_forget() - what is in memory may be gone: after a rollback, or when some were deleted */
void lz_origin_forget(struct lz_ledger *l);

/** lz_file_set_up() - remember which file it is; no commit from here on if it is another one then */
int lz_file_set_up(struct lz_ledger *l, struct lz_err *reterr);
/** lz_file_close() - before the connection closes: hands off what is not ours any more */
void lz_file_close(struct lz_ledger *l);

struct lz_held;
/** lz_held_read() - a row of LZ_SQL_HELD_NEXT, with the texts of its origin */
void lz_held_read(struct lz_ledger *l, sqlite3_stmt *s, struct lz_held *ret);

/** lz_many_register() - make the table "entry" known to a connection; 0 or -errno */
int lz_many_register(struct lz_ledger *l, struct lz_err *reterr);

/** lz_checkpoint_set_up() - commits say how long the log is, and leave it so */
void lz_checkpoint_set_up(struct lz_ledger *l);

/* The steps from one schema to the next, in schema.c. */
extern const char *const lz_db_migrations[LZ_LEDGER_SCHEMA];

/** lz_db_exec() - a text of several statements, at open only */
int lz_db_exec(struct lz_ledger *l, const char *sql, const char *what, struct lz_err *reterr);

#endif /* LZ_LEDGER_DB_H */
