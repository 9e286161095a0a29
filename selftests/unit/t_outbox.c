/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_outbox.c - messages that wait: in order, bounded, and still there after a kill. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "ledger/ledger.h"
#include "lib/t.h"

#define BOOT "aaaaaaaa-0000-4000-8000-000000000001"
#define NOON 1800000000ULL

static char dir[PATH_MAX];

static struct lz_ledger *open_ledger(void)
{
	struct lz_now now = { .wall_s = NOON, .mono_s = 5000 };
	struct lz_ledger *l = NULL;
	struct lz_err err = { "" };

	if (!T_ERR(lz_ledger_open(dir, BOOT, now, &l, &err), 0, "open"))
		printf("# %s\n", err.text);
	return l;
}

static struct lz_ledger *open_fresh(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/lz-outbox-XXXXXX", tmp ? tmp : "/tmp");
	if (!T_OK(mkdtemp(dir) != NULL, "a scratch folder"))
		exit(EXIT_FAILURE);
	return open_ledger();
}

static void close_and_remove(struct lz_ledger **l)
{
	static const char *const names[] = { "", "-wal", "-shm" };
	char path[PATH_MAX + 32];

	lz_ledger_close(l);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/" LZ_LEDGER_FILE "%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static int add(struct lz_ledger *l, __u64 case_id, __u64 next_s)
{
	struct lz_outbox row = { .time_s = NOON, .next_s = next_s, .case_id = case_id, .way = LZ_OUTBOX_MAIL };

	snprintf(row.key, sizeof(row.key), "key-%llu", (unsigned long long)case_id);
	snprintf(row.event, sizeof(row.event), "garden");
	snprintf(row.body, sizeof(row.body), "{\"case\":%llu}", (unsigned long long)case_id);
	return lz_outbox_add(l, &row, NULL);
}

static void keeps_order_and_time(void)
{
	struct lz_ledger *l = open_fresh();
	struct lz_outbox rows[8];

	if (!l)
		return;
	T_EQ(add(l, 1, NOON), 0, "now");
	T_EQ(add(l, 2, NOON - 10), 0, "due for longer");
	T_EQ(add(l, 3, NOON + 30), 0, "later");
	T_EQ(lz_outbox_count(l), 3, "three wait");
	T_EQ(lz_outbox_due(l, LZ_OUTBOX_MAIL, NOON, 3600, rows, 8), 2, "two are due");
	T_EQ(rows[0].case_id, 2, "the longest due first");
	T_EQ(lz_outbox_due(l, LZ_OUTBOX_HOOK, NOON, 3600, &rows[2], 1), 0, "none on another way");
	T_STR(rows[1].body, "{\"case\":1}", "its text");
	T_STR(rows[1].key, "key-1", "its key");
	T_ERR(lz_outbox_oldest(l, rows), -ENOENT, "none has failed yet");
	T_EQ(lz_outbox_retry(l, rows[1].id, NOON + 60, "no route", NULL), 0, "one fails");
	T_EQ(lz_outbox_due(l, LZ_OUTBOX_MAIL, NOON + 59, 3600, rows, 8), 2, "and is not due before its time");
	T_EQ(lz_outbox_due(l, LZ_OUTBOX_MAIL, NOON + 60, 3600, rows, 8), 3, "but then");
	T_EQ(rows[2].tries, 1, "once tried");
	T_STR(rows[2].error, "no route", "and why it failed");
	T_EQ(lz_outbox_due(l, LZ_OUTBOX_MAIL, NOON - 90000, 3600, rows, 8), 3, "a clock set back keeps nobody waiting");
	T_EQ(lz_outbox_oldest(l, rows), 0, "one has failed");
	T_EQ(rows[0].case_id, 1, "that one");
	T_EQ(lz_outbox_del(l, rows[0].id, NULL), 0, "delivered");
	T_ERR(lz_outbox_del(l, rows[0].id, NULL), -ENOENT, "only once");
	T_ERR(lz_outbox_retry(l, rows[0].id, NOON, "", NULL), -ENOENT, "and is gone");
	T_EQ(lz_outbox_count(l), 2, "two are left");
	close_and_remove(&l);
}

/* A batch that fails takes its messages along. */
static void belongs_to_the_batch(void)
{
	struct lz_ledger *l = open_fresh();
	struct lz_outbox rows[2];

	if (!l)
		return;
	lz_ledger_begin(l, NULL);
	T_EQ(add(l, 1, NOON), 0, "in a batch");
	lz_ledger_rollback(l);
	T_EQ(lz_outbox_count(l), 0, "none waits");
	T_EQ(lz_outbox_due(l, LZ_OUTBOX_MAIL, NOON, 3600, rows, 2), 0, "none is due");
	close_and_remove(&l);
}

static void is_bounded(void)
{
	struct lz_ledger *l = open_fresh();

	if (!l)
		return;
	lz_ledger_begin(l, NULL);
	for (int i = 0; i < LZ_OUTBOX_ROWS_MAX; i++)
		if (add(l, (__u64)i, NOON) < 0)
			T_OK(false, "below the bound");
	T_ERR(add(l, 1, NOON), -ENOSPC, "at the bound");
	lz_ledger_commit(l, NULL);
	T_EQ(lz_outbox_count(l), LZ_OUTBOX_ROWS_MAX, "full");
	close_and_remove(&l);
}

static void survives_a_kill(void)
{
	struct lz_ledger *l = open_fresh();
	struct lz_outbox rows[4];
	int status;
	pid_t pid;

	if (!l)
		return;
	lz_ledger_close(&l);
	pid = fork();
	if (pid == 0) {
		l = open_ledger();
		if (!l || add(l, 7, NOON) < 0)
			_exit(1);
		lz_ledger_begin(l, NULL);
		add(l, 8, NOON); /* never committed */
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	T_OK(WIFSIGNALED(status), "killed");
	l = open_ledger();
	if (!l)
		return;
	T_EQ(lz_outbox_count(l), 1, "what was acknowledged waits");
	T_EQ(lz_outbox_due(l, LZ_OUTBOX_MAIL, NOON, 3600, rows, 4), 1, "and is due");
	T_EQ(rows[0].case_id, 7, "the one that was written");
	close_and_remove(&l);
}

static const struct t_case cases[] = {
	{ "messages come in order and at their time", keeps_order_and_time },
	{ "a message is part of the batch that tells of it", belongs_to_the_batch },
	{ "no more than the bound wait", is_bounded },
	{ "they survive a kill", survives_a_kill },
};

int main(void)
{
	return T_MAIN(cases);
}
