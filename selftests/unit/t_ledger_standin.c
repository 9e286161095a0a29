/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_ledger_standin.c - a copy that a start works with: it has all that was acknowledged, takes what the start
 * writes, then nothing more, and leaves the ledger itself as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "ledger/db.h"
#include "unit/ledger_dir.h"

static const struct lz_err full = { "ledger: the disk is full" };
static const struct lz_now later = { .wall_s = 1800000600, .mono_s = 40 };
static char aside[PATH_MAX];

static void make_both(void)
{
	make_dir();
	snprintf(aside, sizeof(aside), "%.4000s-run", dir);
	T_EQ(mkdir(aside, 0700), 0, "a folder for the copy");
}

/* The copy and its names must be gone by then. */
static void remove_both(void)
{
	T_EQ(rmdir(aside), 0, "nothing is left in the folder of the copy");
	remove_dir();
}

static void confirm_one(struct lz_ledger *l)
{
	struct lz_applied row = { .generation = 1, .applied_s = noon.wall_s, .name = "one", .state = LZ_STATE_CONFIRMED };

	T_ERR(lz_applied_add(l, &row, "{}", "{}", NULL), 0, "a policy");
}

static int open_stand_in(const char *boot, struct lz_now now, struct lz_ledger **ret, struct lz_err *reterr)
{
	*ret = NULL;
	return lz_ledger_open_stand_in(dir, aside, boot, now, &full, ret, reterr);
}

/* Who wrote it was killed: what he acknowledged is in the log and nowhere else. */
static void write_and_die(void)
{
	struct lz_ledger *l = NULL;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct lz_held held = sample(42, 3600, noon);

		if (lz_ledger_open(dir, BOOT_A, noon, &l, NULL) < 0)
			_exit(1);
		confirm_one(l);
		if (lz_held_put(l, &held, NULL) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	T_OK(WIFSIGNALED(status), "the child was killed");
}

static void starts_by_a_copy(void)
{
	struct lz_held held = sample(43, 60, later), got;
	struct lz_err err = { "" };
	struct lz_ledger_mark mark;
	struct lz_ledger *l, *second = NULL;

	make_both();
	write_and_die();
	if (!T_ERR(open_stand_in(BOOT_B, later, &l, &err), 0, "a stand-in"))
		return;
	T_OK(lz_ledger_is_stand_in(l), "is one");
	T_ERR(lz_ledger_open(dir, BOOT_B, later, &second, NULL), -EBUSY, "the folder is locked");
	T_ERR(lz_held_get(l, 42, &got), 0, "what was acknowledged is there");
	T_EQ(got.expiry_s, later.mono_s + 3600 - 600, "with what is left of it in this boot");
	mark = lz_ledger_mark(l);
	T_ERR(lz_held_put(l, &held, NULL), 0, "the start writes");
	T_ERR(lz_ledger_look(l, NULL), 0, "it is sound");
	lz_ledger_seal(l);
	held.key = 44;
	T_ERR(lz_held_put(l, &held, &err), -ESTALE, "sealed: nothing is acknowledged");
	T_HAS(err.text, full.text, "sealed: and why");
	T_ERR(lz_ledger_begin(l, NULL), 0, "sealed: a batch");
	lz_held_put(l, &held, NULL);
	T_ERR(lz_ledger_commit(l, NULL), -ESTALE, "sealed: is not committed");
	T_ERR(lz_ledger_tick(l, later, NULL), -ESTALE, "sealed: nor are the clocks");
	T_ERR(lz_held_get(l, 44, &got), -ENOENT, "sealed: nothing of it is there");
	T_ERR(lz_held_get(l, 43, &got), 0, "sealed: it can be read");
	T_OK(!lz_ledger_log_is_long(l), "sealed: no checkpoint");
	lz_ledger_close(&l);
	l = open_at(BOOT_B, later);
	T_OK(!lz_ledger_is_stand_in(l), "the ledger itself is none");
	T_ERR(lz_held_get(l, 42, &got), 0, "it has what it had");
	T_ERR(lz_held_get(l, 43, &got), -ENOENT, "and nothing of the copy's");
	T_EQ(lz_ledger_mark(l).id, mark.id, "the copy's mark was its own");
	T_EQ(lz_ledger_mark(l).turn, mark.turn, "as it was opened");
	lz_ledger_close(&l);
	remove_both();
}

/* The first page of a table or index. */
static void spoil_table(const char *name)
{
	char sql[128], page[4096];
	__s64 at;
	int fd;

	snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);
	at = ask_sql(sql);
	memset(page, 0xff, sizeof(page));
	fd = open(file_of(""), O_WRONLY);
	T_OK(fd >= 0 && at > 1 && pwrite(fd, page, sizeof(page), (at - 1) * 4096) == sizeof(page), "spoil");
	close(fd);
}

/* Both folders, and the stand-in of a start that has ended. */
static struct lz_ledger *make_sealed(void)
{
	struct lz_ledger *l;

	make_both();
	l = open_at(BOOT_A, noon);
	confirm_one(l);
	lz_ledger_close(&l);
	T_ERR(open_stand_in(BOOT_A, noon, &l, NULL), 0, "a stand-in");
	lz_ledger_seal(l);
	return l;
}

static void sees_it_come_back(void)
{
	struct lz_ledger *l, *real;
	char sql[48];
	__s64 version;

	l = make_sealed();
	version = ask_sql("PRAGMA user_version");
	run_sql("PRAGMA user_version = 99");
	T_ERR(lz_ledger_is_back(l, BOOT_A, noon), -EPROTONOSUPPORT, "it is not back");
	T_ERR(lz_ledger_open(dir, BOOT_A, noon, &real, NULL), -EBUSY, "the folder is locked again");
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)version);
	run_sql(sql);
	T_ERR(lz_ledger_is_back(l, BOOT_A, noon), 0, "it is back");
	spoil_table("held");
	T_ERR(lz_ledger_is_back(l, BOOT_A, noon), -EBADMSG, "it is damaged");
	T_ERR(lz_ledger_is_back(l, BOOT_A, noon), -EBADMSG, "and is as it was");
	lz_ledger_close(&l);
	remove_both();
	l = make_sealed();
	T_ERR(lz_ledger_is_back(l, BOOT_A, noon), 0, "it is back");
	real = open_at(BOOT_A, noon);
	T_OK(real, "and can be opened while the stand-in is");
	lz_ledger_close(&real);
	lz_ledger_close(&l);
	remove_both();
}

/* Of what says how to judge every part, and a history. */
static void wants_the_rules_whole(void)
{
	static const struct {
		const char *table;
		bool starts;
	} rows[] = {
		{ "note", true },     { "note_event", true }, { "evidence", true }, { "outbox", true },
		{ "change", true },   { "outbox_next", true }, { "past", true },    { "cases", true },
		{ "held", false },    { "origin", false },    { "applied", false }, { "policy_text", false },
		{ "granted", false }, { "boot", false },      { "book", false },    { "held_look", false },
	};
	struct lz_err err = { "" };
	struct lz_ledger *l;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		make_both();
		l = open_at(BOOT_A, noon);
		confirm_one(l);
		put_one(l, 42, 3600, noon);
		lz_ledger_close(&l);
		spoil_table(rows[i].table);
		T_ERR(lz_ledger_open(dir, BOOT_A, noon, &l, &err), -EBADMSG, rows[i].table);
		T_ERR(open_stand_in(BOOT_A, noon, &l, &err), rows[i].starts ? 0 : -EBADMSG, rows[i].table);
		if (l) {
			T_EQ(lz_held_count(l), 1, "who is held");
			lz_ledger_seal(l);
		}
		lz_ledger_close(&l);
		remove_both();
	}
}

static void has_nothing_to_start_by(void)
{
	struct lz_err err = { "" };
	struct lz_ledger *l;
	int fd;

	make_both();
	T_ERR(open_stand_in(BOOT_A, noon, &l, &err), -ENOENT, "no ledger");
	fd = open(file_of(""), O_WRONLY | O_CREAT, 0600);
	close(fd);
	T_ERR(open_stand_in(BOOT_A, noon, &l, &err), -ENOENT, "an empty file, as a full disk leaves it");
	l = open_at(BOOT_A, noon);
	lz_ledger_close(&l);
	T_ERR(open_stand_in(BOOT_A, noon, &l, &err), -ENOENT, "no policy");
	T_HAS(err.text, "no policy was ever confirmed", "says so");
	T_OK(access(aside, F_OK) == 0 && rmdir(aside) == 0, "and leaves no copy");
	T_EQ(mkdir(aside, 0700), 0, "the folder again");
	unlink(file_of(""));
	T_EQ(mkfifo(file_of(""), 0600), 0, "a fifo");
	T_ERR(open_stand_in(BOOT_A, noon, &l, &err), -ENOENT, "a fifo is not waited for");
	unlink(file_of(""));
	T_EQ(symlink("/etc/passwd", file_of("")), 0, "a link");
	T_ERR(open_stand_in(BOOT_A, noon, &l, &err), -ELOOP, "a link is not followed");
	remove_both();
}

static const struct t_case cases[] = {
	{ "starts by a copy", starts_by_a_copy },
	{ "sees it come back", sees_it_come_back },
	{ "wants the rules whole", wants_the_rules_whole },
	{ "has nothing to start by", has_nothing_to_start_by },
};

int main(void)
{
	return T_MAIN(cases);
}
