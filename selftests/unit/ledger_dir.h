/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ledger_dir.h - a ledger in a scratch folder, and its file, for the t_ledger* tests. */
#ifndef LZ_SELFTESTS_LEDGER_DIR_H
#define LZ_SELFTESTS_LEDGER_DIR_H

#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "ledger/held.h"
#include "lib/t.h"

#define BOOT_A "aaaaaaaa-0000-4000-8000-000000000001"
#define BOOT_B "bbbbbbbb-0000-4000-8000-000000000002"

static const struct lz_now noon = { .wall_s = 1800000000, .mono_s = 5000 };
static char dir[PATH_MAX];

static inline const char *file_of(const char *suffix)
{
	static char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/" LZ_LEDGER_FILE "%s", dir, suffix);
	return path;
}

static inline void make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/lz-ledger-XXXXXX", tmp ? tmp : "/tmp");
	if (!T_OK(mkdtemp(dir) != NULL, "a scratch folder"))
		exit(EXIT_FAILURE);
}

static inline void remove_dir(void)
{
	unlink(file_of(""));
	unlink(file_of("-wal"));
	unlink(file_of("-shm"));
	unlink(file_of(".real"));
	rmdir(dir);
}

static inline struct lz_ledger *open_at(const char *boot, struct lz_now now)
{
	struct lz_ledger *l = NULL;
	struct lz_err err = { "" };

	if (!T_ERR(lz_ledger_open(dir, boot, now, &l, &err), 0, "open"))
		printf("# %s\n", err.text);
	return l;
}

static inline struct lz_held sample(__u64 key, __u32 ttl_s, struct lz_now now)
{
	struct lz_held held = { .key = key,
				.since_s = now.wall_s,
				.generation = 7,
				.expiry_s = (__u32)now.mono_s + ttl_s,
				.ttl_s = ttl_s,
				.grade = "garden:strict",
				.address = "192.0.2.7",
				.source = "operator",
				.actor = "root",
				.ticket = "RT-4711",
				.reason = "spam trap" };
	return held;
}

static inline void put_one(struct lz_ledger *l, __u64 key, __u32 ttl_s, struct lz_now now)
{
	struct lz_held held = sample(key, ttl_s, now);

	T_ERR(lz_held_put(l, &held, NULL), 0, "put");
}

static inline void run_sql(const char *sql)
{
	char *why = NULL;
	sqlite3 *db = NULL;

	T_EQ(sqlite3_open(file_of(""), &db), SQLITE_OK, "open by hand");
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		T_STR(why, "", "by hand");
	sqlite3_free(why);
	sqlite3_close(db);
}

static inline __s64 ask_sql(const char *sql)
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

#endif /* LZ_SELFTESTS_LEDGER_DIR_H */
