// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * standin.c - a start whose ledger cannot be written: its disk is full, read-only or sick, or pages of it are damaged.
 *
 * A gateway that comes up has to judge nevertheless, and all that it needs can be read. So the files are copied into
 * memory, and the start works with the copy as with any ledger: what it writes down there - clocks, the policy's new
 * number - the next start finds out again. Then the copy is sealed. From then on it is the case of a disk that got full
 * while lazaretd runs: each commit fails, so that nothing is acknowledged which that next start would not know.
 *
 * The copy's names are gone as soon as it is sealed: nothing is left to clean up, and no second start takes it for real.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "ledger/db.h"

#define LZ_COPY_BYTES (256 << 10)

static const char *const suffixes[] = { "", "-wal", "-shm" };

/* Without these nobody could say how to judge. Damage in the others costs histories, and is found where they are read. */
static const char *const needed[] = { "boot", "book", "applied", "policy_text", "held", "origin", "granted", NULL };

static int copy_error(const char *path, struct lz_err *reterr)
{
	int error = errno;

	return lz_err_set(reterr, error, "ledger: %s: %s", path, strerror(error));
}

static int copy_bytes(int from, int to)
{
	lz_autofree char *buf = malloc(LZ_COPY_BYTES);
	ssize_t n = 0, done;

	if (!buf)
		return -ENOMEM;
	while ((n = read(from, buf, LZ_COPY_BYTES)) > 0)
		for (ssize_t at = 0; at < n; at += done) {
			done = write(to, buf + at, (size_t)(n - at));
			if (done <= 0)
				return done < 0 ? -errno : -ENOSPC;
		}
	return n < 0 ? -errno : 0;
}

/* -ENOENT: there is none, or nothing in it. */
static int copy_file(const char *from, const char *to, struct lz_err *reterr)
{
	lz_autoclose int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), out = -1;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return copy_error(from, reterr);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return lz_err_set(reterr, ENOENT, "ledger: %s: there is nothing in it", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return copy_error(to, reterr);
	r = copy_bytes(in, out);
	return r < 0 ? lz_err_set(reterr, -r, "ledger: copy %s to %s: %s", from, to, strerror(-r)) : 0;
}

static void remove_copy(const char *path)
{
	char name[PATH_MAX];

	for (size_t i = 0; i < LZ_ARRAY_SIZE(suffixes); i++)
		if (snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) < (int)sizeof(name))
			unlink(name);
}

/* The log, too: what was acknowledged last may be only there. Its index is made anew. */
static int copy_ledger(const char *dir, const char *copy, struct lz_err *reterr)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];
	int r;

	remove_copy(copy);
	snprintf(from, sizeof(from), "%s/" LZ_LEDGER_FILE, dir);
	r = copy_file(from, copy, reterr);
	if (r < 0)
		return r;
	snprintf(from, sizeof(from), "%s/" LZ_LEDGER_FILE "-wal", dir);
	snprintf(to, sizeof(to), "%s-wal", copy);
	r = copy_file(from, to, reterr);
	return r == -ENOENT ? 0 : r;
}

static int open_copy(struct lz_ledger *l, const char *dir, const char *boot_id, struct lz_now now, struct lz_err *reterr)
{
	struct lz_applied row;
	int r = lz_strdup_to(&l->stands_for, dir);

	if (r < 0)
		return lz_err_set(reterr, ENOMEM, "ledger: open: out of memory");
	r = copy_ledger(dir, l->path, reterr);
	if (r == 0)
		r = lz_db_open(l, boot_id, now, needed, reterr);
	if (r == 0 && lz_applied_last(l, LZ_STATE_CONFIRMED, UINT64_MAX, &row) < 0)
		r = lz_err_set(reterr, ENOENT, "ledger: no policy was ever confirmed in it");
	return r;
}

int lz_ledger_open_stand_in(const char *dir, const char *aside, const char *boot_id, struct lz_now now,
			    const struct lz_err *why, struct lz_ledger **ret, struct lz_err *reterr)
{
	struct lz_ledger *l = NULL;
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/" LZ_LEDGER_FILE, aside) >= (int)sizeof(path))
		return lz_err_set(reterr, ENAMETOOLONG, "ledger: copy: path is too long");
	r = lz_db_new(dir, path, &l, reterr);
	if (r < 0)
		return r;
	r = open_copy(l, dir, boot_id, now, reterr);
	if (r < 0) {
		lz_ledger_close(&l);
		return r;
	}
	lz_err_set(&l->why, ESTALE, "%s; until then lazaretd runs by a copy in memory", why->text);
	*ret = l;
	return 0;
}

void lz_ledger_seal(struct lz_ledger *l)
{
	l->sealed = true;
	l->log_pages = 0; /* no checkpoint: it would look for the names */
	remove_copy(l->path);
}

bool lz_ledger_is_stand_in(const struct lz_ledger *l)
{
	return l->stands_for;
}

void lz_standin_close(const struct lz_ledger *l)
{
	if (l->stands_for && !l->sealed)
		remove_copy(l->path);
}

static void stat_or_none(const char *dir, const char *name, struct stat *ret)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) || stat(path, ret) < 0)
		memset(ret, 0, sizeof(*ret));
}

static bool is_as_it_was(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What is damaged stays so until somebody has written to it: it is not read through again and again. */
static bool is_worth_a_try(struct lz_ledger *l)
{
	struct stat file, log;
	bool changed;

	stat_or_none(l->stands_for, LZ_LEDGER_FILE, &file);
	stat_or_none(l->stands_for, LZ_LEDGER_FILE "-wal", &log);
	changed = !is_as_it_was(&file, &l->back_file) || !is_as_it_was(&log, &l->back_log);
	l->back_file = file;
	l->back_log = log;
	return changed || l->back != -EBADMSG;
}

int lz_ledger_is_back(struct lz_ledger *l, const char *boot_id, struct lz_now now)
{
	struct lz_ledger *real = NULL;

	if (!is_worth_a_try(l))
		return l->back;
	lz_close_ref(&l->lock);
	l->back = lz_ledger_open(l->stands_for, boot_id, now, &real, NULL);
	lz_ledger_close(&real);
	if (l->back < 0)
		lz_db_lock(l->stands_for, &l->lock, NULL);
	return l->back;
}
