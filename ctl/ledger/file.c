// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * file.c - is what stands in the state folder still the file that was opened?
 *
 * Somebody moves ledger.db away, or puts a copy in its place, while lazaretd runs: SQLite goes on in the
 * files it has open, and all of that is gone with the next start. So no commit, and with that no answer
 * "ok", while the names lead elsewhere. A copy that is written into the same file is not noticed here.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ledger/db.h"

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int stat_log(const char *path, struct stat *ret)
{
	char log[PATH_MAX + 8];

	snprintf(log, sizeof(log), "%s-wal", path);
	return stat(log, ret);
}

static int stat_both(const char *path, struct stat *ret_file, struct stat *ret_log)
{
	return stat(path, ret_file) < 0 || stat_log(path, ret_log) < 0 ? -errno : 0;
}

int lz_ledger_look(const struct lz_ledger *l, struct lz_err *reterr)
{
	struct stat file, log;

	if (l->sealed)
		return lz_err_set(reterr, ESTALE, "%s", l->why.text);
	if (stat_both(l->path, &file, &log) == 0 && same(&file, &l->file) && same(&log, &l->file_log))
		return 0;
	return lz_err_set(reterr, ESTALE,
			  "ledger: %s: it or its -wal was removed or replaced while lazaretd runs; put it back or "
			  "restart lazaretd, nothing is changed until then",
			  l->path);
}

/* Not 0: SQLite rolls back. */
static int before_commit(void *arg)
{
	return lz_ledger_look(arg, NULL) < 0;
}

int lz_file_set_up(struct lz_ledger *l, struct lz_err *reterr)
{
	int r = stat_both(l->path, &l->file, &l->file_log);

	if (r < 0)
		return lz_err_set(reterr, -r, "ledger: %s or its -wal: %s", l->path, strerror(-r));
	sqlite3_commit_hook(l->db, before_commit, l);
	return 0;
}

void lz_file_close(struct lz_ledger *l)
{
	struct stat log;

	/* SQLite takes the log away by its name; there it may be somebody else's by now. */
	if (l->file_log.st_ino && stat_log(l->path, &log) == 0 && !same(&log, &l->file_log))
		sqlite3_db_config(l->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}
