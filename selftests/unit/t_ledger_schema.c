/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_ledger_schema.c - a ledger of schema 1 becomes one of today's with everything in it, or stays what it was. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "unit/ledger_dir.h"

/* As the version before wrote it. */
static const char schema_1[] =
	"CREATE TABLE boot (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL,"
	"  mono_s INTEGER NOT NULL, wall_s INTEGER NOT NULL);"
	"INSERT INTO boot VALUES (1, '" BOOT_A "', 5000, 1800000000);"
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
	l = open_at(BOOT_A, noon);
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
	T_EQ(ask_sql("SELECT count(*) FROM held WHERE look_s = expiry_s"), 4, "each is looked for at its end");
	T_EQ(ask_sql("SELECT count(*) FROM book WHERE turn > 0"), 1, "which ledger it is, and how far");
	T_EQ(ask_sql("SELECT count(*) FROM origin"), 3, "two entries of a list share who and why");
	l = open_at(BOOT_A, noon);
	T_EQ(lz_held_count(l), 4, "opened again");
	lz_ledger_close(&l);
	remove_dir();
}

/* Made of today's, so that it has all that 2 and 3 brought. */
static void migrates_3(void)
{
	struct lz_ledger_mark mark;
	struct lz_ended due[2];
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	put_one(l, 0xc0000207, 3600, noon);
	put_one(l, 0xc0000208, 60, noon);
	lz_ledger_close(&l);
	run_sql("DROP INDEX held_look; ALTER TABLE held DROP COLUMN look_s;"
		"CREATE INDEX held_expiry ON held (expiry_s); DROP TABLE book;"
		"ALTER TABLE cases DROP COLUMN acted; ALTER TABLE origin DROP COLUMN staff_only;"
		"PRAGMA user_version = 3");
	l = open_at(BOOT_A, noon);
	T_EQ(lz_held_count(l), 2, "every hold");
	T_EQ(lz_held_due(l, (__u32)noon.mono_s + 61, due, 2), 1, "is looked for where it ends");
	T_EQ(due[0].key, 0xc0000208, "the first");
	mark = lz_ledger_mark(l);
	T_EQ(mark.turn, 1, "its first turn");
	lz_ledger_close(&l);
	T_EQ(ask_sql("PRAGMA user_version"), LZ_LEDGER_SCHEMA, "today's schema");
	T_EQ(ask_sql("SELECT count(*) FROM held WHERE look_s = expiry_s"), 2, "each by its own end");
	T_EQ(ask_sql("SELECT count(*) FROM sqlite_master WHERE name = 'held_look'"), 1, "by an index");
	T_EQ(ask_sql("SELECT count(*) FROM sqlite_master WHERE name = 'held_expiry'"), 0, "in place of the old one");
	T_EQ(ask_sql("SELECT count(*) FROM book"), 1, "which ledger it is");
	T_EQ((__u64)ask_sql("SELECT id FROM book"), mark.id, "as it says itself");
	T_OK(mark.id != 0, "one that tables can have");
	remove_dir();
}

/* Of what moved a case before only the last is known. */
static void migrates_4(void)
{
	struct lz_case c = { .key = 7, .state = LZ_CASE_BLOCKED25, .step = 1, .acted_s = 60, .ladder = "home" };
	struct lz_case told = { .key = 8, .state = LZ_CASE_NOTIFIED, .step = 0, .acted_s = 70 }, got;
	struct lz_transition t = { .time_s = 20, .to = LZ_CASE_NOTIFIED, .source = "limit:hour" };
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(lz_case_put(l, &c, NULL), 0, "a case");
	T_EQ(lz_case_put(l, &told, NULL), 0, "one that was told");
	t.case_id = c.id;
	T_EQ(lz_transition_add(l, &t, NULL), 0, "told");
	lz_strcpy(t.source, sizeof(t.source), "limit:day");
	T_EQ(lz_transition_add(l, &t, NULL), 0, "held");
	lz_strcpy(t.source, sizeof(t.source), "clock");
	T_EQ(lz_transition_add(l, &t, NULL), 0, "after its grace");
	lz_ledger_close(&l);
	run_sql("ALTER TABLE cases DROP COLUMN acted; ALTER TABLE origin DROP COLUMN staff_only;"
		"PRAGMA user_version = 4");
	l = open_at(BOOT_A, noon);
	T_EQ(lz_case_get(l, c.id, &got), 0, "the case");
	T_EQ(lz_case_acted_s(&got, "limit:day"), 60, "its last incident is none anew");
	T_EQ(lz_case_acted_s(&got, "limit:hour"), 0, "of the one before nothing is known");
	T_EQ(got.step, 1, "where it stood on its ladder");
	T_EQ(lz_case_get(l, told.id, &got), 0, "the one that was told");
	T_EQ(got.step, -1, "which is no step of a ladder");
	T_EQ(got.acted_s, 70, "but when");
	lz_ledger_close(&l);
	remove_dir();
}

/* A page that is open stays one whose button works. */
static void migrates_5(void)
{
	__u8 hash[2][LZ_TOKEN_HASH_BYTES] = { { 1 }, { 2 } };
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	lz_ledger_close(&l);
	run_sql("DROP TABLE token; CREATE TABLE token (hash BLOB PRIMARY KEY, case_id INTEGER NOT NULL,"
		"  expires_s INTEGER NOT NULL) WITHOUT ROWID;"
		"CREATE INDEX token_case ON token (case_id, expires_s);"
		"INSERT INTO token VALUES (CAST(x'01' || zeroblob(31) AS BLOB), 7, 2100),"
		"  (CAST(x'02' || zeroblob(31) AS BLOB), 7, 2050);"
		"ALTER TABLE origin DROP COLUMN staff_only; PRAGMA user_version = 5");
	l = open_at(BOOT_A, noon);
	T_EQ(lz_token_add(l, (__u8[LZ_TOKEN_HASH_BYTES]){ 3 }, 7, 2001, 100, 2, NULL), 0, "another");
	T_ERR(lz_token_take(l, hash[1], 7, 2010, 100, NULL), -ENOENT, "the older one has died");
	T_EQ(lz_token_take(l, hash[0], 7, 2010, 100, NULL), 0, "the newer one works");
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
	T_OK(lz_ledger_open(dir, BOOT_A, noon, &l, &err) < 0, "a migration that cannot end");
	T_HAS(err.text, "migrate", "says so");
	T_EQ(ask_sql("PRAGMA user_version"), 1, "still schema 1");
	T_EQ(ask_sql("SELECT count(garden) FROM held"), 4, "with its own table");
	T_EQ(ask_sql("SELECT count(*) FROM sqlite_master WHERE name IN ('origin', 'cases', 'hold')"), 0,
	     "and nothing of the new one");
	run_sql("DROP TABLE audit");
	l = open_at(BOOT_A, noon);
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

static const struct t_case cases[] = {
	{ "a ledger of schema 1 is migrated", migrates },
	{ "a ledger of schema 3 is migrated", migrates_3 },
	{ "a ledger of schema 4 is migrated", migrates_4 },
	{ "a ledger of schema 5 is migrated", migrates_5 },
	{ "a migration that fails leaves schema 1", stays_when_interrupted },
	{ "a migration that is killed leaves schema 1", stays_when_killed },
};

int main(void)
{
	return T_MAIN(cases);
}
