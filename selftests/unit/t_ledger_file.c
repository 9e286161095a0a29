/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_ledger_file.c - what was written is there: after a kill, over a reboot, with a clock that jumps; and
 * what cannot be read is refused and left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ledger/db.h"
#include "unit/ledger_dir.h"

#define DAY_S 86400

/* In a child that is killed right after the call returned. */
static void survives_a_kill(void)
{
	struct lz_ledger *l = NULL;
	struct lz_held got;
	int status;
	pid_t pid;

	make_dir();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		lz_ledger_open(dir, BOOT_A, noon, &l, NULL);
		struct lz_held held = sample(42, 3600, noon);

		if (!l || lz_held_put(l, &held, NULL) < 0)
			_exit(1);
		lz_ledger_begin(l, NULL);
		held.key = 43;
		lz_held_put(l, &held, NULL);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	T_OK(WIFSIGNALED(status), "the child was killed");
	l = open_at(BOOT_A, noon);
	T_ERR(lz_held_get(l, 42, &got), 0, "what was acknowledged is there");
	T_ERR(lz_held_get(l, 43, &got), -ENOENT, "half a batch is not");
	lz_ledger_close(&l);
	remove_dir();
}

static __s64 rest_after(struct lz_now then, const char *boot, struct lz_now now)
{
	struct lz_held got = { 0 };
	struct lz_ledger *l;
	__s64 rest;

	make_dir();
	l = open_at(BOOT_A, noon);
	put_one(l, 42, 3600, noon);
	T_ERR(lz_ledger_tick(l, then, NULL), 0, "tick");
	lz_ledger_close(&l);
	l = open_at(boot, now);
	T_ERR(lz_held_get(l, 42, &got), 0, "get");
	rest = (__s64)got.expiry_s - (__s64)now.mono_s;
	lz_ledger_close(&l);
	remove_dir();
	return rest;
}

static void carries_the_rest_over(void)
{
	struct lz_now then = { noon.wall_s + 600, noon.mono_s + 600 };

	T_EQ(rest_after(then, BOOT_A, (struct lz_now){ noon.wall_s + 31536000, 5900 }), 2700,
	     "same boot: the wall clock jumped a year, the hold did not");
	T_EQ(rest_after(then, BOOT_A, (struct lz_now){ 0, 5900 }), 2700,
	     "same boot, clock at 1970");
	T_EQ(rest_after(then, BOOT_B, (struct lz_now){ then.wall_s + 120, 20 }), 2880,
	     "a reboot of two minutes");
	T_EQ(rest_after(then, BOOT_B, (struct lz_now){ then.wall_s - 31536000, 20 }), 3000,
	     "a reboot with a clock that ran backwards: never longer than the rest");
	T_EQ(rest_after(then, BOOT_B, (struct lz_now){ then.wall_s + DAY_S, 20 }), 0,
	     "a reboot of a day: ended");
}

static void knows_the_clocks_of_this_boot(void)
{
	struct lz_now then = { noon.wall_s + 600, noon.mono_s + 600 };
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(lz_ledger_clocks(l).mono_s, 0, "a new one has none");
	T_ERR(lz_ledger_tick(l, then, NULL), 0, "tick");
	lz_ledger_close(&l);
	l = open_at(BOOT_A, (struct lz_now){ noon.wall_s + 31536000, 5900 });
	T_EQ(lz_ledger_clocks(l).wall_s, then.wall_s, "as of the last tick, whatever the clock says now");
	T_EQ(lz_ledger_clocks(l).mono_s, then.mono_s, "both");
	lz_ledger_close(&l);
	l = open_at(BOOT_B, then);
	T_EQ(lz_ledger_clocks(l).mono_s, 0, "of another boot they say nothing");
	lz_ledger_close(&l);
	remove_dir();
}

static void spoil(const char *bytes, off_t at)
{
	int fd = open(file_of(""), O_WRONLY | O_CREAT, 0600);

	T_OK(fd >= 0 && pwrite(fd, bytes, strlen(bytes), at) == (ssize_t)strlen(bytes), "spoil");
	close(fd);
}

static void refuses_what_it_cannot_read(void)
{
	struct lz_ledger *l = NULL;
	struct lz_err err = { "" };
	sqlite3 *db = NULL;

	make_dir();
	spoil("this is no database, it is a letter to a friend", 0);
	T_ERR(lz_ledger_open(dir, BOOT_A, noon, &l, &err), -EBADMSG, "no database");
	T_HAS(err.text, "not a database", "says so");
	remove_dir();

	make_dir();
	l = open_at(BOOT_A, noon);
	for (__u64 i = 1; i < 2000; i++)
		put_one(l, i, 60, noon);
	lz_ledger_close(&l);
	for (off_t at = 4096 * 8; at < 4096 * 14; at += 4096)
		spoil("\377\377\377\377\377\377\377\377\377\377\377\377", at);
	T_ERR(lz_ledger_open(dir, BOOT_A, noon, &l, &err), -EBADMSG, "a damaged page");
	remove_dir();

	make_dir();
	l = open_at(BOOT_A, noon);
	lz_ledger_close(&l);
	T_EQ(sqlite3_open(file_of(""), &db), SQLITE_OK, "open by hand");
	T_EQ(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK, "newer");
	sqlite3_close(db);
	T_ERR(lz_ledger_open(dir, BOOT_A, noon, &l, &err), -EPROTONOSUPPORT, "newer schema");
	T_HAS(err.text, "newer", "says so");
	remove_dir();

	make_dir();
	T_EQ(symlink("/etc/passwd", file_of("")), 0, "a link");
	T_ERR(lz_ledger_open(dir, BOOT_A, noon, &l, &err), -ELOOP, "a symbolic link");
	unlink(file_of(""));
	T_EQ(mkfifo(file_of(""), 0600), 0, "a fifo");
	T_ERR(lz_ledger_open(dir, BOOT_A, noon, &l, &err), -EBADMSG, "a fifo");
	remove_dir();
}

static void keeps_a_second_one_out(void)
{
	struct lz_ledger *l, *second = NULL;
	struct lz_err err;
	int status = 0;
	pid_t pid;

	make_dir();
	l = open_at(BOOT_A, noon);
	put_one(l, 1, 60, noon);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(-lz_ledger_open(dir, BOOT_A, noon, &second, &err));
	waitpid(pid, &status, 0);
	T_EQ(WEXITSTATUS(status), EBUSY, "busy");
	lz_ledger_close(&l);
	remove_dir();
}

static off_t size_of_file(const char *end)
{
	struct stat st = { .st_size = 0 };

	stat(file_of(end), &st);
	return st.st_size;
}

/* From the log into the database, while a batch is open: it is neither waited for nor taken along. */
static void checkpoints_beside_a_batch(void)
{
	struct lz_err err = { "" };
	struct lz_held got;
	struct lz_ledger *l;
	off_t before;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_OK(!lz_ledger_log_is_long(l), "a short log");
	lz_ledger_begin(l, NULL);
	for (__u64 i = 1; i <= 100000; i++)
		put_one(l, i, 60, noon);
	T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	T_OK(lz_ledger_log_is_long(l), "a long one");
	before = size_of_file("");
	lz_ledger_begin(l, NULL);
	put_one(l, 4711000, 60, noon);
	T_EQ(lz_ledger_checkpoint(l, &err), 0, "a checkpoint");
	T_STR(err.text, "", "without an error");
	T_OK(size_of_file("") > before + 1000000, "what was committed is in the database");
	lz_ledger_rollback(l);
	T_ERR(lz_held_get(l, 4711000, &got), -ENOENT, "what was not is not");
	before = size_of_file("-wal");
	put_one(l, 4712000, 60, noon);
	T_OK(!lz_ledger_log_is_long(l), "the log begins anew");
	T_EQ(size_of_file("-wal"), before, "in its place");
	lz_ledger_close(&l);
	l = open_at(BOOT_A, noon);
	T_EQ(lz_held_count(l), 100001, "all are there");
	lz_ledger_close(&l);
	remove_dir();
}

static void move_file(const char *from, const char *to)
{
	char path[sizeof(dir) + 32];

	snprintf(path, sizeof(path), "%s", file_of(from));
	T_EQ(rename(path, file_of(to)), 0, "move");
}

static void check_refused(struct lz_ledger *l, const char *what)
{
	struct lz_held held = sample(43, 60, noon);
	struct lz_err err = { "" };

	T_ERR(lz_held_put(l, &held, &err), -ESTALE, what);
	T_HAS(err.text, "it or its -wal was removed or replaced while lazaretd runs; put it back or restart", what);
	T_ERR(lz_ledger_tick(l, noon, NULL), -ESTALE, what);
	T_ERR(lz_ledger_begin(l, NULL), 0, what);
	T_ERR(lz_held_put(l, &held, NULL), 0, what);
	T_ERR(lz_ledger_commit(l, NULL), -ESTALE, what);
	T_ERR(lz_ledger_checkpoint(l, &err), -ESTALE, what);
	T_ERR(lz_held_get(l, 43, &held), -ENOENT, what);
}

/* While it is open: nothing that would be gone with the next start is acknowledged. */
static void refuses_when_it_is_away(void)
{
	struct lz_held got;
	struct lz_ledger *l;
	int fd;

	make_dir();
	l = open_at(BOOT_A, noon);
	put_one(l, 42, 60, noon);
	T_ERR(lz_ledger_look(l, NULL), 0, "there");
	move_file("", ".real");
	check_refused(l, "away");
	spoil("another one", 0);
	check_refused(l, "another one in its place");
	T_EQ(size_of_file(""), 11, "it is left alone");
	move_file(".real", "");
	put_one(l, 44, 60, noon);
	T_ERR(lz_ledger_checkpoint(l, NULL), 0, "put back: a checkpoint");
	move_file("-wal", ".real");
	check_refused(l, "its log is away");
	fd = open(file_of("-wal"), O_WRONLY | O_CREAT, 0600);
	T_OK(fd >= 0, "a log of somebody else");
	close(fd);
	check_refused(l, "another log");
	lz_ledger_close(&l);
	T_EQ(access(file_of("-wal"), F_OK), 0, "what is not ours is not taken away at the end");
	move_file(".real", "-wal");
	l = open_at(BOOT_A, noon);
	T_ERR(lz_held_get(l, 42, &got), 0, "what was acknowledged is there");
	T_ERR(lz_held_get(l, 44, &got), 0, "to the last");
	T_ERR(lz_held_get(l, 43, &got), -ENOENT, "what was refused is not");
	lz_ledger_close(&l);
	remove_dir();
}

static int no_transaction(void *arg, int what, const char *a, const char *b, const char *c, const char *d)
{
	(void)arg, (void)a, (void)b, (void)c, (void)d;
	return what == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
}

static int synchronous_of(struct lz_ledger *l)
{
	sqlite3_stmt *s = NULL;
	int n = -1;

	if (sqlite3_prepare_v2(l->db, "PRAGMA synchronous", -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* What is written next, without a batch, must not be lost with the power. */
static void lazy_that_fails_leaves_nothing(void)
{
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(synchronous_of(l), 2, "every commit is synced");
	sqlite3_set_authorizer(l->db, no_transaction, NULL);
	T_OK(lz_ledger_begin_lazy(l, NULL) < 0, "a batch that cannot begin");
	sqlite3_set_authorizer(l->db, NULL, NULL);
	T_EQ(synchronous_of(l), 2, "still synced");
	T_ERR(lz_ledger_begin_lazy(l, NULL), 0, "the next one begins");
	T_EQ(synchronous_of(l), 1, "and is not waited for");
	T_ERR(lz_ledger_commit(l, NULL), 0, "commit");
	T_EQ(synchronous_of(l), 2, "synced again");
	lz_ledger_close(&l);
	remove_dir();
}

/* A copy that is put back has not come as far; one that went another way is another. */
static void says_which_one_it_is(void)
{
	struct lz_ledger_mark first, second;
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	first = lz_ledger_mark(l);
	T_OK(first.id != 0 && first.turn > 0, "it has a mark");
	T_ERR(lz_ledger_begin(l, NULL), 0, "begin");
	put_one(l, 1, 60, noon);
	T_EQ(lz_ledger_mark(l).turn, first.turn, "not before the commit");
	T_ERR(lz_ledger_commit(l, NULL), 0, "commit");
	T_EQ(lz_ledger_mark(l).turn, first.turn + 1, "one batch more");
	T_ERR(lz_ledger_begin(l, NULL), 0, "begin");
	T_ERR(lz_ledger_part(l, NULL), 0, "another one");
	lz_ledger_rollback(l);
	second = lz_ledger_mark(l);
	T_OK(second.id == first.id && second.turn == first.turn + 1, "what is rolled back is not");
	T_ERR(lz_ledger_begin(l, NULL), 0, "begin");
	T_ERR(lz_ledger_part(l, NULL), 0, "another one");
	T_ERR(lz_ledger_commit(l, NULL), 0, "commit");
	second = lz_ledger_mark(l);
	T_OK(second.id != first.id, "is another one");
	lz_ledger_close(&l);
	l = open_at(BOOT_B, noon);
	T_EQ(lz_ledger_mark(l).id, second.id, "on the disk, too");
	T_OK(lz_ledger_mark(l).turn >= second.turn, "and how far it had come");
	lz_ledger_close(&l);
	remove_dir();
}

static const struct t_case cases[] = {
	{ "survives a kill", survives_a_kill },
	{ "carries the rest of a hold over", carries_the_rest_over },
	{ "knows the clocks of this boot", knows_the_clocks_of_this_boot },
	{ "refuses what it cannot read", refuses_what_it_cannot_read },
	{ "keeps a second daemon out", keeps_a_second_one_out },
	{ "refuses what its file would not keep", refuses_when_it_is_away },
	{ "a checkpoint beside a batch", checkpoints_beside_a_batch },
	{ "ends a lazy batch that cannot begin", lazy_that_fails_leaves_nothing },
	{ "says which one it is", says_which_one_it_is },
};

int main(void)
{
	return T_MAIN(cases);
}
