/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_ledger_cases.c - a ledger of schema 1 becomes one of today's with everything in it, or stays what it
 * was; orders, their undo and their past; cases, evidence, tokens, audit.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "ledger/ledger.h"
#include "lib/t.h"

#define BOOT "aaaaaaaa-0000-4000-8000-000000000001"

static const struct lz_now noon = { .wall_s = 1800000000, .mono_s = 5000 };
static char dir[PATH_MAX];

/* As the version before wrote it. */
static const char schema_1[] =
	"CREATE TABLE boot (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL,"
	"  mono_s INTEGER NOT NULL, wall_s INTEGER NOT NULL);"
	"INSERT INTO boot VALUES (1, '" BOOT "', 5000, 1800000000);"
	"CREATE TABLE held (key INTEGER PRIMARY KEY, since_s INTEGER NOT NULL,"
	"  generation INTEGER NOT NULL, expiry_s INTEGER NOT NULL, ttl_s INTEGER NOT NULL,"
	"  garden INTEGER NOT NULL, address TEXT NOT NULL, source TEXT NOT NULL,"
	"  actor TEXT NOT NULL, ticket TEXT NOT NULL, reason TEXT NOT NULL);"
	"CREATE INDEX held_expiry ON held (expiry_s);"
	"CREATE TABLE applied (generation INTEGER PRIMARY KEY, applied_s INTEGER NOT NULL,"
	"  deadline_s INTEGER NOT NULL, origin INTEGER NOT NULL, name TEXT NOT NULL,"
	"  actor TEXT NOT NULL, file TEXT NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL,"
	"  ids TEXT NOT NULL);"
	"CREATE TABLE granted (prefix TEXT PRIMARY KEY, since_s INTEGER NOT NULL,"
	"  until_s INTEGER NOT NULL, flags INTEGER NOT NULL, ticket TEXT NOT NULL,"
	"  actor TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE note (id INTEGER PRIMARY KEY, time_s INTEGER NOT NULL, key INTEGER NOT NULL,"
	"  until_s INTEGER NOT NULL, generation INTEGER NOT NULL, event TEXT NOT NULL,"
	"  object TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL);"
	"CREATE INDEX note_key ON note (key, id);"
	"CREATE INDEX note_event ON note (event, id);"
	"INSERT INTO held VALUES (3221225991, 1799990000, 7, 8600, 3600, 1, '192.0.2.7', 'operator',"
	"  'root', 'RT-1', 'spam trap');"
	"INSERT INTO held VALUES (3221225992, 1799991000, 7, 9600, 4600, 0, '192.0.2.8', 'import',"
	"  'root', '', 'a list');"
	"INSERT INTO held VALUES (3221225993, 1799991000, 7, 9700, 4700, 0, '192.0.2.9', 'import',"
	"  'root', '', 'a list');"
	"INSERT INTO held VALUES (-288230376151711744, 1799992000, 8, 7000, 2000, 0,"
	"  'fc00::1', 'limit:spam', 'kernel', '', 'over limit');"
	"INSERT INTO applied VALUES (7, 1799980000, 0, 7, 'p', 'root', 'p.json', 'confirmed', '{}', '');"
	"INSERT INTO applied VALUES (8, 1799980001, 0, 8, 'p', 'root', 'range', 'confirmed',"
	"  '{\"change-of\": 7, \"add\": \"s\", \"prefix\": \"192.0.2.1\"}', 'ids');"
	"INSERT INTO applied VALUES (6, 1799980001, 0, 6, 'o', 'root', 'o', 'undone', x'', '');"
	"INSERT INTO granted VALUES ('198.51.100.0/24', 1799980000, 1899980000, 1, 'RT-2', 'root');"
	"INSERT INTO note (time_s, key, until_s, generation, event, object, actor, reason) VALUES"
	"  (1799990000, 3221225991, 1800003600, 7, 'held', '192.0.2.7', 'root', 'spam trap');"
	"PRAGMA user_version = 1;";

static const char *file_of(const char *suffix)
{
	static char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/" LZ_LEDGER_FILE "%s", dir, suffix);
	return path;
}

static void make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/lz-cases-XXXXXX", tmp ? tmp : "/tmp");
	if (!T_OK(mkdtemp(dir) != NULL, "a scratch folder"))
		exit(EXIT_FAILURE);
}

static void remove_dir(void)
{
	unlink(file_of(""));
	unlink(file_of("-wal"));
	unlink(file_of("-shm"));
	rmdir(dir);
}

static void run_sql(const char *sql)
{
	char *why = NULL;
	sqlite3 *db = NULL;

	T_EQ(sqlite3_open(file_of(""), &db), SQLITE_OK, "open by hand");
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		T_STR(why, "", "by hand");
	sqlite3_free(why);
	sqlite3_close(db);
}

static __s64 ask_sql(const char *sql)
{
	sqlite3_stmt *s = NULL;
	sqlite3 *db = NULL;
	__s64 got = -1;

	sqlite3_open(file_of(""), &db);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		got = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return got;
}

static struct lz_ledger *open_at(struct lz_now now)
{
	struct lz_ledger *l = NULL;
	struct lz_err err = { "" };

	if (!T_ERR(lz_ledger_open(dir, BOOT, now, &l, &err), 0, "open"))
		printf("# %s\n", err.text);
	return l;
}

/* ---------------------------------------------------------------- migration */

static void migrates(void)
{
	lz_autofree char *text = NULL, *ids = NULL;
	struct lz_applied applied;
	struct lz_granted granted;
	struct lz_note note;
	struct lz_held got;
	struct lz_ledger *l;

	make_dir();
	run_sql(schema_1);
	l = open_at(noon);
	T_EQ(lz_held_count(l), 4, "every hold");
	T_EQ(lz_held_get(l, 0xc0000207, &got), 0, "the operator's");
	T_STR(got.grade, "garden:strict", "its garden");
	T_STR(got.source, "operator", "its source");
	T_STR(got.ticket, "RT-1", "its ticket");
	T_STR(got.reason, "spam trap", "its reason");
	T_STR(got.address, "192.0.2.7", "its address");
	T_EQ(got.expiry_s, 8600, "its end");
	T_EQ(got.ttl_s, 3600, "as granted");
	T_EQ(got.since_s, 1799990000, "since when");
	T_EQ(got.generation, 7, "under which policy");
	T_EQ(got.case_id, 0, "no case yet");
	T_EQ(lz_held_get(l, 0xfc00000000000000ULL, &got), 0, "the limit's, IPv6");
	T_STR(got.source, "limit:spam", "its source");
	T_EQ(lz_applied_get(l, 7, &applied, &text, NULL), 0, "the policy");
	T_STR(text, "{}", "its text");
	T_EQ(applied.base, 0, "whole");
	free(TAKE_PTR(text));
	T_EQ(lz_applied_get(l, 8, &applied, &text, &ids), 0, "the change of it");
	T_HAS(text, "192.0.2.1", "its text");
	T_EQ(applied.base, 7, "of which");
	T_STR(ids, "ids", "its ids");
	T_EQ(lz_applied_get(l, 6, &applied, NULL, NULL), 0, "an old one");
	T_OK(!applied.has_text, "its text was gone");
	T_EQ(lz_granted_count(l), 1, "the exception");
	T_EQ(lz_granted_next(l, NULL, &granted, 1), 1, "and readable");
	T_EQ(lz_note_before(l, 0xc0000207, UINT64_MAX, &note, 1), 1, "the timeline");
	lz_ledger_close(&l);
	T_EQ(ask_sql("PRAGMA user_version"), LZ_LEDGER_SCHEMA, "today's schema");
	T_EQ(ask_sql("SELECT count(*) FROM origin"), 3, "two entries of a list share who and why");
	l = open_at(noon);
	T_EQ(lz_held_count(l), 4, "opened again");
	lz_ledger_close(&l);
	remove_dir();
}

/* Something in the way of the last statements: all of it must be undone. */
static void stays_when_interrupted(void)
{
	struct lz_ledger *l = NULL;
	struct lz_err err = { "" };

	make_dir();
	run_sql(schema_1);
	run_sql("CREATE TABLE audit (somebody TEXT); INSERT INTO audit VALUES ('else')");
	T_OK(lz_ledger_open(dir, BOOT, noon, &l, &err) < 0, "a migration that cannot end");
	T_HAS(err.text, "migrate", "says so");
	T_EQ(ask_sql("PRAGMA user_version"), 1, "still schema 1");
	T_EQ(ask_sql("SELECT count(garden) FROM held"), 4, "with its own table");
	T_EQ(ask_sql("SELECT count(*) FROM sqlite_master WHERE name IN ('origin', 'cases', 'hold')"), 0,
	     "and nothing of the new one");
	run_sql("DROP TABLE audit");
	l = open_at(noon);
	T_EQ(lz_held_count(l), 4, "and then it does");
	lz_ledger_close(&l);
	remove_dir();
}

/* Killed at the worst moment: before the commit. */
static void stays_when_killed(void)
{
	int status;
	pid_t pid;

	make_dir();
	run_sql(schema_1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		sqlite3 *db = NULL;

		sqlite3_open(file_of(""), &db);
		sqlite3_exec(db, "PRAGMA journal_mode = WAL; BEGIN; ALTER TABLE held RENAME TO gone;"
				 "PRAGMA user_version = 2", NULL, NULL, NULL);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	T_OK(WIFSIGNALED(status), "killed");
	T_EQ(ask_sql("PRAGMA user_version"), 1, "still schema 1");
	T_EQ(ask_sql("SELECT count(garden) FROM held"), 4, "whole");
	remove_dir();
}

/* ---------------------------------------------------------------- orders, undo, past */

static struct lz_held order(__u64 key, const char *source, __u64 made_s, __u32 end_s)
{
	struct lz_held held = { .key = key, .since_s = noon.wall_s, .made_s = made_s, .generation = 1,
				.expiry_s = end_s, .ttl_s = 100, .grade = "garden:leaky", .actor = "root",
				.reason = "because" };

	lz_strcpy(held.source, sizeof(held.source), source);
	return held;
}

static void goes_back(void)
{
	struct lz_held held, was;
	struct lz_past past[4];
	struct lz_now now = { .wall_s = 1800000400, .mono_s = 500 };
	const __u64 key = 7;
	struct lz_ledger *l;

	make_dir();
	l = open_at(noon);
	held = order(7, "operator", 100, 6000);
	T_EQ(lz_held_put(l, &held, NULL), 0, "an operator's");
	held = order(7, "import", 200, 7000);
	T_EQ(lz_held_put(l, &held, NULL), 0, "a list extends it");
	held = order(7, "import", 300, 8000);
	held.known = true;
	T_EQ(lz_held_put(l, &held, NULL), 0, "and again");
	T_EQ(lz_held_count(l), 1, "one entry");
	T_EQ(lz_held_get(l, 7, &held), 0, "it is");
	T_EQ(held.expiry_s, 8000, "as ordered last");
	T_EQ(lz_held_prior(l, held.prior, &was), 0, "before");
	T_EQ(was.expiry_s, 7000, "before: its end");
	T_EQ(lz_held_prior(l, was.prior, &was), 0, "before that");
	T_STR(was.source, "operator", "before that: the operator's");
	T_ERR(lz_held_prior(l, was.prior, &was), -ENOENT, "before all: nothing");
	lz_held_prior(l, held.prior, &was);
	T_EQ(lz_held_back(l, 7, was.prior, NULL), 0, "back to the operator's");
	T_EQ(lz_held_get(l, 7, &held), 0, "it is");
	T_EQ(held.expiry_s, 6000, "what it was");
	T_EQ(held.prior, 0, "with nothing before");
	T_ERR(lz_held_back(l, 7, 4711, NULL), -ENOENT, "no such order");
	was = order(0, "undo", 400, 0);
	T_EQ(lz_held_end(l, &key, 1, now, &was, NULL), 0, "it ends");
	T_ERR(lz_held_end(l, &key, 1, now, &was, NULL), -ENOENT, "once");
	T_EQ(lz_held_count(l), 0, "none is left");
	T_EQ(lz_past_before(l, 7, past, 4), 1, "but its past");
	T_STR(past[0].source, "operator", "who held");
	T_STR(past[0].by_source, "undo", "who ended it");
	held = order(7, "import", 500, 9000);
	lz_held_put(l, &held, NULL);
	now.mono_s = 9005;
	now.wall_s = 1800000505;
	T_EQ(lz_held_end(l, &key, 1, now, NULL, NULL), 0, "ends by itself");
	T_EQ(lz_past_before(l, 7, past, 4), 2, "two of the past");
	T_STR(past[0].by_source, "", "the newest by its time");
	T_EQ(past[0].ended_s, 1800000500, "when it ended, not when that was seen");
	T_EQ(past[1].ended_s, 1800000400, "and when it was ended early");
	lz_ledger_close(&l);
	remove_dir();
}

/* Many at once is the same as one by one: some are new, some are another order for what there is. */
static void writes_many(void)
{
	struct lz_held held = order(7, "operator", 100, 6000), was;
	struct lz_held_row rows[3] = { { .key = 9ULL << 60 }, { .key = 7 }, { .key = 8 } };
	const __u64 keys[3] = { 9ULL << 60, 8, 4711 };
	struct lz_ledger *l;

	make_dir();
	l = open_at(noon);
	held.case_id = 3;
	T_EQ(lz_held_put(l, &held, NULL), 0, "an operator's");
	T_EQ(lz_ledger_begin(l, NULL), 0, "begin");
	T_EQ(lz_held_rows_get(l, rows, 3, NULL), 0, "look");
	T_OK(!rows[0].known && rows[1].known && !rows[2].known, "one is known");
	T_EQ(rows[1].case_id, 3, "its case");
	T_EQ(rows[1].expiry_s, 6000, "its end");
	T_STR(lz_held_grade(l, rows[1].was.origin), held.grade, "its grade");
	held = order(0, "import", 200, 0);
	for (int i = 0; i < 3; i++) {
		rows[i].since_s = 1800000200;
		rows[i].expiry_s = 7000 + (__u32)i;
		rows[i].ttl_s = 900;
		rows[i].origin = lz_held_origin(l, &held, NULL);
		rows[i].address = i != 1 ? "" : "::ffff:0.0.0.7";
	}
	T_EQ(lz_held_rows_put(l, rows, 3, 1800000200, NULL), 0, "write");
	T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	T_EQ(lz_held_count(l), 3, "three entries");
	T_EQ(lz_held_get(l, 7, &held), 0, "the known one");
	T_EQ(held.expiry_s, 7001, "its new end");
	T_EQ(held.case_id, 3, "still of its case");
	T_STR(held.source, "import", "by the list");
	T_STR(held.address, "::ffff:0.0.0.7", "as it was named");
	T_EQ(lz_held_prior(l, held.prior, &was), 0, "and before");
	T_EQ(was.expiry_s, 6000, "its end before");
	T_STR(was.source, "operator", "by the operator");
	T_EQ(lz_held_get(l, 9ULL << 60, &held), 0, "a new one");
	T_EQ(held.expiry_s, 7000, "its end");
	T_EQ(held.prior, 0, "nothing before");
	lz_ledger_begin(l, NULL);
	T_EQ(lz_held_end(l, keys, 3, noon, NULL, NULL), -ENOENT, "one to be ended is none");
	lz_ledger_rollback(l);
	T_EQ(lz_held_count(l), 3, "then none ends");
	T_EQ(lz_held_end(l, keys, 2, noon, NULL, NULL), 0, "two end");
	T_EQ(lz_held_count(l), 1, "one is left");
	lz_ledger_close(&l);
	remove_dir();
}

/* The list @rows comes again, at @made_s, for 100 s longer. */
static void list_again(struct lz_ledger *l, struct lz_held_row *rows, size_t n, __u64 made_s)
{
	struct lz_held held = order(0, "import", 200, 0);

	T_EQ(lz_held_rows_get(l, rows, n, NULL), 0, "look");
	for (size_t i = 0; i < n; i++) {
		rows[i].expiry_s = (rows[i].known ? rows[i].expiry_s : 6000) + 100;
		rows[i].origin = lz_held_origin(l, &held, NULL);
		rows[i].address = "";
	}
	T_EQ(lz_held_rows_put(l, rows, n, made_s, NULL), 0, "write");
}

/* Entries that were the same before share what is kept of it, others do not. */
static void shares_what_holds_were(void)
{
	struct lz_held_row rows[3] = { { .key = 7 }, { .key = 8 }, { .key = 9 } };
	struct lz_held held[3], was;
	struct lz_ledger *l;

	make_dir();
	l = open_at(noon);
	list_again(l, rows, 2, 1800000200);
	held[0] = order(9, "operator", 100, 6500);
	T_EQ(lz_held_put(l, &held[0], NULL), 0, "one of an operator");
	list_again(l, rows, 3, 1800000300);
	lz_ledger_begin(l, NULL);
	list_again(l, rows, 3, 1800000400);
	lz_ledger_rollback(l);
	lz_ledger_begin(l, NULL);
	list_again(l, rows, 3, 1800000400);
	T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	for (int i = 0; i < 3; i++)
		T_EQ(lz_held_get(l, 7 + (__u64)i, &held[i]), 0, "an entry");
	T_EQ(held[0].prior, held[1].prior, "of the list: one for both");
	T_OK(held[2].prior != held[0].prior, "of the operator: his own");
	T_EQ(lz_held_prior(l, held[0].prior, &was), 0, "what they were");
	T_EQ(was.expiry_s, 6200, "their end");
	T_EQ(lz_held_prior(l, was.prior, &was), 0, "and before");
	T_EQ(was.expiry_s, 6100, "the first");
	T_EQ(was.prior, 0, "nothing before");
	T_EQ(lz_held_prior(l, held[2].prior, &was), 0, "what the other was");
	T_EQ(was.expiry_s, 6600, "its end");
	T_EQ(lz_held_prior(l, was.prior, &was), 0, "and before");
	T_STR(was.source, "operator", "the operator's");
	T_EQ(lz_held_back(l, 8, held[1].prior, NULL), 0, "one of them goes back");
	T_EQ(lz_held_get(l, 7, &held[0]), 0, "the other");
	T_EQ(held[0].expiry_s, 6300, "does not");
	lz_ledger_close(&l);
	T_EQ(ask_sql("SELECT count(*) FROM change"), 4, "rows for six orders");
	remove_dir();
}

/* What entries were before is kept of so many orders, the newest. */
static void bounds_what_holds_were(void)
{
	struct lz_held held = order(7, "import", 100, 6000), was;
	struct lz_held_row row = { .key = 7, .address = "" };
	struct lz_ledger *l;
	__u64 oldest;

	make_dir();
	l = open_at(noon);
	lz_held_put(l, &held, NULL);
	for (int i = 0; i < 3; i++) {
		if (i == 2) { /* as if very many had been ordered meanwhile */
			lz_ledger_close(&l);
			run_sql("INSERT INTO change SELECT id + 2000000, key, time_s, since_s, expiry_s, "
				"ttl_s, origin, case_id, prior FROM change");
			l = open_at(noon);
		}
		lz_ledger_begin(l, NULL);
		lz_held_rows_get(l, &row, 1, NULL);
		row.expiry_s += 100;
		row.origin = row.was.origin;
		T_EQ(lz_held_rows_put(l, &row, 1, 1800000200, NULL), 0, "another order");
		T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	}
	lz_held_get(l, 7, &held);
	T_EQ(held.expiry_s, 6300, "the newest is in force");
	T_EQ(held.prior, 2000003, "its number is behind all there are");
	T_EQ(lz_held_prior(l, held.prior, &was), 0, "what it was before is known");
	T_EQ(was.expiry_s, 6200, "with its end");
	oldest = was.prior;
	T_EQ(oldest, 2, "and before that");
	T_ERR(lz_held_prior(l, oldest, &was), -ENOENT, "no more, there are too many");
	lz_ledger_close(&l);
	remove_dir();
}

/* What a batch that was rolled back wrote is not referred to afterwards. */
static void forgets_with_the_batch(void)
{
	struct lz_held held = order(7, "import", 100, 6000);
	struct lz_ledger *l;

	make_dir();
	l = open_at(noon);
	lz_ledger_begin(l, NULL);
	lz_held_put(l, &held, NULL);
	lz_ledger_rollback(l);
	T_EQ(lz_held_put(l, &held, NULL), 0, "again");
	T_EQ(lz_held_get(l, 7, &held), 0, "there");
	T_STR(held.reason, "because", "with its reason");
	lz_ledger_close(&l);
	remove_dir();
}

/* ---------------------------------------------------------------- cases */

static void keeps_cases(void)
{
	struct lz_case c = { .key = 7, .state = LZ_CASE_BLOCKED25, .step = 2, .for_s = 60, .self_releases = 1,
			     .staff_only = true, .opened_s = 10, .changed_s = 20, .due_s = 30, .until_s = 40,
			     .evidence_s = 50, .acted_s = 60, .freed_s = 70, .customer = "C1", .ladder = "home",
			     .reason_class = LZ_CLASS_VOLUME, .source = "limit:spam" };
	struct lz_transition t = { .time_s = 20, .until_s = 40, .generation = 3, .step_from = -1, .step_to = 2,
				   .from = LZ_CASE_OBSERVED, .to = LZ_CASE_BLOCKED25, .grade = "block25",
				   .source = "limit:spam", .actor = "lazaretd", .reason = "over",
				   .evidence = "300 of 300" };
	struct lz_transition back[2];
	__u64 sums[LZ_CASE_N], ids[2];
	struct lz_case got, due[2];
	struct lz_ledger *l;

	make_dir();
	l = open_at(noon);
	lz_grade_parse("block25", &c.grade, NULL);
	T_EQ(lz_case_put(l, &c, NULL), 0, "new");
	T_OK(c.id > 0, "has an id");
	T_EQ(lz_case_get(l, c.id, &got), 0, "get");
	T_OK(got.state == c.state && got.step == 2 && got.for_s == 60 && got.self_releases == 1 &&
		     got.staff_only && got.opened_s == 10 && got.changed_s == 20 && got.due_s == 30 &&
		     got.until_s == 40 && got.evidence_s == 50 && got.acted_s == 60 && got.freed_s == 70,
	     "every number");
	T_STR(got.customer, "C1", "customer");
	T_STR(got.ladder, "home", "ladder");
	T_EQ(got.grade.kind, LZ_GRADE_IS_BLOCK25, "grade");
	T_EQ(lz_case_find(l, 99, "C1", &got), 0, "by customer, whatever the address");
	T_ERR(lz_case_find(l, 7, "", &got), -ENOENT, "not by the address: it is the customer's");
	T_EQ(lz_cases_automatic(l), 1, "held by a limit");
	T_EQ(lz_case_sums(l, sums), 0, "sums");
	T_EQ(sums[LZ_CASE_BLOCKED25], 1, "one");
	T_EQ(lz_case_due(l, 29, due, 2), 0, "not due");
	T_EQ(lz_case_due(l, 30, due, 2), 1, "due");
	t.case_id = c.id;
	T_EQ(lz_transition_add(l, &t, NULL), 0, "a transition");
	T_EQ(lz_transition_before(l, c.id, UINT64_MAX, back, 2), 1, "is there");
	T_OK(back[0].from == t.from && back[0].to == t.to && back[0].step_from == -1 && back[0].step_to == 2,
	     "with its arrow");
	T_STR(back[0].evidence, "300 of 300", "and its evidence");
	T_EQ(lz_transition_since(l, 20, "limit:spam", 0, ids, 2), 1, "by source");
	T_EQ(lz_transition_since(l, 20, "lazaretd", 0, ids, 2), 1, "by actor");
	T_EQ(lz_transition_since(l, 20, "root", 0, ids, 2), 0, "not by another");
	T_EQ(lz_transition_since(l, 21, "", 0, ids, 2), 0, "not since then");
	c.state = LZ_CASE_CLOSED;
	c.due_s = 0;
	T_EQ(lz_case_put(l, &c, NULL), 0, "closed");
	T_EQ(lz_ledger_prune(l, 20, 10), 0, "not old enough");
	T_EQ(lz_case_get(l, c.id, &got), 0, "there");
	T_EQ(lz_ledger_prune(l, 21, 10), 0, "old enough");
	T_ERR(lz_case_get(l, c.id, &got), -ENOENT, "gone");
	T_EQ(lz_transition_before(l, c.id, UINT64_MAX, back, 2), 0, "with its transitions");
	c.id += 1;
	T_ERR(lz_case_put(l, &c, NULL), -ENOENT, "no such case");
	lz_ledger_close(&l);
	remove_dir();
}

static void bounds_evidence(void)
{
	struct lz_evidence e = { .case_id = 1, .time_s = 1000, .value = 5, .kind = LZ_EVIDENCE_LIMIT,
				 .proven = true, .source = "limit:spam", .reason_class = LZ_CLASS_VOLUME,
				 .text = "over" };
	static struct lz_evidence got[LZ_EVIDENCE_ROWS_MAX + 10];
	struct lz_ledger *l;

	make_dir();
	l = open_at(noon);
	T_EQ(lz_evidence_add(l, &e, NULL), 0, "first");
	e.time_s += LZ_EVIDENCE_MERGE_S - 1;
	e.value = 9;
	T_EQ(lz_evidence_add(l, &e, NULL), 0, "the same within a minute");
	T_EQ(lz_evidence_before(l, 1, UINT64_MAX, got, 9), 1, "is one row");
	T_EQ(got[0].count, 2, "counted");
	T_EQ(got[0].value, 9, "with the larger value");
	T_EQ(lz_evidence_seen(l, 1), e.time_s, "seen last");
	e.time_s += 1000;
	e.would = true;
	T_EQ(lz_evidence_add(l, &e, NULL), 0, "of a rule in monitor mode");
	T_OK(lz_evidence_seen(l, 1) < e.time_s, "does not count as seen");
	e.would = false;
	lz_ledger_begin(l, NULL);
	for (int i = 0; i < 3 * LZ_EVIDENCE_ROWS_MAX; i++) {
		e.time_s += LZ_EVIDENCE_MERGE_S + 1;
		T_EQ(lz_evidence_add(l, &e, NULL), 0, "more and more");
	}
	lz_ledger_commit(l, NULL);
	T_EQ(lz_evidence_before(l, 1, UINT64_MAX, got, LZ_EVIDENCE_ROWS_MAX + 10), LZ_EVIDENCE_ROWS_MAX,
	     "bounded");
	T_EQ(got[LZ_EVIDENCE_ROWS_MAX - 1].id, 1, "the first is kept");
	T_EQ(got[0].time_s, e.time_s, "and the newest");
	lz_ledger_close(&l);
	remove_dir();
}

static void uses_tokens_up(void)
{
	__u8 hash[6][LZ_TOKEN_HASH_BYTES] = { { 1 }, { 2 }, { 3 }, { 4 }, { 5 }, { 6 } };
	struct lz_ledger *l;

	make_dir();
	l = open_at(noon);
	T_EQ(lz_token_add(l, hash[0], 1, 1000, 100, 4, NULL), 0, "a token");
	T_ERR(lz_token_take(l, hash[0], 2, 1010, 100, NULL), -ENOENT, "not another's");
	T_ERR(lz_token_take(l, hash[1], 1, 1010, 100, NULL), -ENOENT, "not an unknown one");
	T_EQ(lz_token_take(l, hash[0], 1, 1010, 100, NULL), 0, "used");
	T_ERR(lz_token_take(l, hash[0], 1, 1010, 100, NULL), -ENOENT, "once");
	T_EQ(lz_token_add(l, hash[0], 1, 1000, 100, 4, NULL), 0, "another");
	T_ERR(lz_token_take(l, hash[0], 1, 1100, 100, NULL), -ENOENT, "too late");
	T_ERR(lz_token_take(l, hash[0], 1, 900, 100, NULL), -ENOENT, "the clock was set back");
	T_EQ(lz_token_end(l, 1, NULL), 0, "begin anew");
	for (int i = 0; i < 6; i++)
		T_EQ(lz_token_add(l, hash[i], 7, 2000 + (__u64)i, 100, 4, NULL), 0, "many");
	T_ERR(lz_token_take(l, hash[1], 7, 2010, 100, NULL), -ENOENT, "the oldest have died");
	T_EQ(lz_token_take(l, hash[2], 7, 2010, 100, NULL), 0, "the newest four live");
	T_EQ(lz_token_end(l, 7, NULL), 0, "released");
	T_ERR(lz_token_take(l, hash[5], 7, 2010, 100, NULL), -ENOENT, "and so all die");
	lz_ledger_close(&l);
	remove_dir();
}

static void audits(void)
{
	struct lz_audit row = { .time_s = 1000, .uid = 0, .role = "admin", .actor = "root", .cmd = "why",
				.object = "192.0.2.7" };
	struct lz_audit got[4];
	struct lz_ledger *l;

	make_dir();
	l = open_at(noon);
	T_EQ(lz_audit_add(l, &row, NULL), 0, "looked");
	row.time_s = 1030;
	T_EQ(lz_audit_add(l, &row, NULL), 0, "and again");
	T_EQ(lz_audit_before(l, UINT64_MAX, got, 4), 1, "is one row");
	T_EQ(got[0].count, 2, "counted");
	row.uid = 7;
	T_EQ(lz_audit_add(l, &row, NULL), 0, "somebody else");
	T_EQ(lz_audit_before(l, UINT64_MAX, got, 4), 2, "is another");
	T_EQ(got[0].uid, 7, "the newest first");
	T_STR(got[0].object, "192.0.2.7", "at whom");
	lz_ledger_close(&l);
	remove_dir();
}

static const struct t_case cases[] = {
	{ "a ledger of schema 1 is migrated", migrates },
	{ "a migration that fails leaves schema 1", stays_when_interrupted },
	{ "a migration that is killed leaves schema 1", stays_when_killed },
	{ "an entry goes back to what it was", goes_back },
	{ "many at once", writes_many },
	{ "what holds were is shared", shares_what_holds_were },
	{ "what holds were is bounded", bounds_what_holds_were },
	{ "a rolled back batch leaves no trace", forgets_with_the_batch },
	{ "cases and transitions", keeps_cases },
	{ "evidence is bounded", bounds_evidence },
	{ "tokens are used up", uses_tokens_up },
	{ "who looked", audits },
};

int main(void)
{
	return T_MAIN(cases);
}
