// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * open.c - open, create, migrate; carry the holds over a reboot.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "ledger/db.h"

#define LZ_LEDGER_BUSY_MS 2000

/* A daemon that is asked now and then reads a few pages each time; less than this is not worth a walk of malloc's. */
#define IDLE_READS_MAX	 500
#define IDLE_CACHE_BYTES (4 << 20)

static int read_number(struct lz_ledger *l, const char *sql, __s64 *ret, struct lz_err *reterr)
{
	sqlite3_stmt *s = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) != SQLITE_OK)
		return lz_db_error(l, "read", reterr);
	if (sqlite3_step(s) == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	else
		r = lz_db_error(l, "read", reterr);
	sqlite3_finalize(s);
	return r;
}

/* A damaged page found now is a clear refusal; found in the middle of a restore it would be half a
 * colony. quick_check reads 600,000 holds in 0.3 s (selftests/unit/t_ledger_many.c prints it).
 * @what: of which table; "1": of all, until the first fault */
static int check_sound(struct lz_ledger *l, const char *what, struct lz_err *reterr)
{
	const char *text, *head_end;
	sqlite3_stmt *s = NULL;
	char sql[48];
	int r = 0;

	snprintf(sql, sizeof(sql), "PRAGMA quick_check(%s)", what);
	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) != SQLITE_OK)
		return lz_db_error(l, "check", reterr);
	text = sqlite3_step(s) == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	head_end = text ? strchr(text, '\n') : NULL; /* "*** in database main ***" */
	if (!text)
		r = lz_db_error(l, "check", reterr);
	else if (!lz_streq(text, "ok"))
		r = lz_err_set(reterr, EBADMSG, "ledger: check: damaged: %s", head_end ? head_end + 1 : text);
	sqlite3_finalize(s);
	return r;
}

static int migrate(struct lz_ledger *l, struct lz_err *reterr)
{
	char pragma[48];
	__s64 version;
	int r;

	r = read_number(l, "PRAGMA user_version", &version, reterr);
	if (r < 0)
		return r;
	if (version > LZ_LEDGER_SCHEMA)
		return lz_err_set(reterr, EPROTONOSUPPORT,
				  "ledger: open: schema %lld is newer than %d, which this version "
				  "knows; run the newer lazaretd, or move " LZ_LEDGER_FILE " away",
				  (long long)version, LZ_LEDGER_SCHEMA);
	for (; version < LZ_LEDGER_SCHEMA; version++) {
		snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %lld",
			 (long long)version + 1);
		r = lz_ledger_begin(l, reterr);
		if (r == 0)
			r = lz_db_exec(l, lz_db_migrations[version], "migrate", reterr);
		if (r == 0)
			r = lz_db_exec(l, pragma, "migrate", reterr);
		if (r == 0)
			r = lz_ledger_commit(l, reterr);
		if (r < 0) {
			lz_ledger_rollback(l);
			return r;
		}
	}
	return 0;
}

#define ANOTHER_BOOT " WHERE (SELECT id FROM boot) <> ?1"
#define CARRY                                                                                      \
	"SET expiry_s = max(0, min(expiry_s - (SELECT mono_s FROM boot)"                           \
	" - max(0, ?3 - (SELECT wall_s FROM boot)), ttl_s)) + ?2"                                  \
	ANOTHER_BOOT

/* The clocks as they were written down last, if that was in this boot. */
static int read_clocks(struct lz_ledger *l, const char *boot_id, struct lz_err *reterr)
{
	sqlite3_stmt *s = NULL;
	int r = 0, rc;

	if (sqlite3_prepare_v2(l->db, "SELECT wall_s, mono_s FROM boot WHERE id = ?1", -1, &s, NULL) != SQLITE_OK)
		return lz_db_error(l, "read the clocks", reterr);
	lz_db_bind(s, 1, boot_id);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		l->clocks = (struct lz_now){ .wall_s = (__u64)sqlite3_column_int64(s, 0),
					     .mono_s = (__u64)sqlite3_column_int64(s, 1) };
	else if (rc != SQLITE_DONE)
		r = lz_db_error(l, "read the clocks", reterr);
	sqlite3_finalize(s);
	return r;
}

struct lz_now lz_ledger_clocks(const struct lz_ledger *l)
{
	return l->clocks;
}

/* What is left of every hold moves to this boot's clock; see ledger.h. In one transaction with the
 * boot's new row: a crash in between leaves the old boot's numbers and the old boot's row. */
static int carry_over(struct lz_ledger *l, const char *boot_id, struct lz_now now,
		      struct lz_err *reterr)
{
	static const char boot[] = "INSERT OR REPLACE INTO boot VALUES (1, ?1, ?2, ?3)";
	static const struct {
		const char *sql;
		bool history; /* a stand-in does without: it undoes nothing, and may be damaged there */
	} steps[] = { { "UPDATE held " CARRY, false }, { "UPDATE change " CARRY, true },
		      { "UPDATE held SET look_s = expiry_s" ANOTHER_BOOT, false }, { boot, false } };
	int r;

	r = lz_ledger_begin(l, reterr);
	for (size_t i = 0; r == 0 && i < LZ_ARRAY_SIZE(steps); i++) {
		sqlite3_stmt *s = NULL;

		if (steps[i].history && l->stands_for)
			continue;
		if (sqlite3_prepare_v2(l->db, steps[i].sql, -1, &s, NULL) != SQLITE_OK) {
			r = lz_db_error(l, "carry over", reterr);
			break;
		}
		sqlite3_bind_text(s, 1, boot_id, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 2, (__s64)now.mono_s);
		sqlite3_bind_int64(s, 3, (__s64)now.wall_s);
		r = lz_db_run(l, s, "carry over", reterr);
		sqlite3_finalize(s);
	}
	if (r == 0)
		return lz_ledger_commit(l, reterr);
	lz_ledger_rollback(l);
	return r;
}

static int prepare(struct lz_ledger *l, struct lz_err *reterr)
{
	__s64 held, granted, outbox = 0; /* a stand-in tells nobody */
	int r;

	for (int i = 0; i < LZ_SQL_N; i++)
		if (i > LZ_SQL_COMMIT &&
		    sqlite3_prepare_v3(l->db, lz_db_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &l->sql[i], NULL) != SQLITE_OK)
			return lz_db_error(l, "prepare", reterr);
	r = read_number(l, "SELECT count(*) FROM held", &held, reterr);
	if (r < 0)
		return r;
	r = read_number(l, "SELECT count(*) FROM granted", &granted, reterr);
	if (r < 0)
		return r;
	if (!l->stands_for)
		r = read_number(l, "SELECT count(*) FROM outbox", &outbox, reterr);
	if (r < 0)
		return r;
	l->held = (__u64)held;
	l->outbox = (__u64)outbox;
	l->granted = (__u64)granted;
	return lz_db_read_mark(l, reterr);
}

/* SQLite opens what it is given; a fifo or a link in the state folder is somebody's trick. */
static int check_file(const char *dir, const char *path, struct lz_err *reterr)
{
	struct stat st;

	if (access(dir, W_OK) < 0 && errno == EROFS)
		return lz_err_set(reterr, EROFS, "ledger: %s: is on a read-only file system; mount it for writing",
				  dir);
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : lz_err_set(reterr, errno, "ledger: %s: %m", path);
	if (S_ISLNK(st.st_mode))
		return lz_err_set(reterr, ELOOP, "ledger: %s: is a symbolic link; remove it", path);
	if (!S_ISREG(st.st_mode))
		return lz_err_set(reterr, EBADMSG, "ledger: %s: is not a regular file", path);
	return 0;
}

static int set_up(struct lz_ledger *l, const char *boot_id, struct lz_now now, const char *const *sound,
		  struct lz_err *reterr)
{
	int r;

	sqlite3_busy_timeout(l->db, LZ_LEDGER_BUSY_MS);
	lz_checkpoint_set_up(l);
	r = lz_db_exec(l,
		       "PRAGMA journal_mode = WAL;"
		       "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
		       "PRAGMA cache_size = -32768; PRAGMA trusted_schema = OFF;"
		       "PRAGMA journal_size_limit = 67108864;"
		       "PRAGMA secure_delete = FAST;", /* Debian's: else a text that goes is written once more */
		       "open", reterr);
	for (int i = LZ_SQL_BEGIN; r == 0 && i <= LZ_SQL_COMMIT; i++)
		if (sqlite3_prepare_v3(l->db, lz_db_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &l->sql[i], NULL) != SQLITE_OK)
			r = lz_db_error(l, "prepare", reterr);
	if (r == 0 && l->stands_for) /* of an older build: its tables have these names only then */
		r = migrate(l, reterr);
	for (; r == 0 && *sound; sound++)
		r = check_sound(l, *sound, reterr);
	if (r == 0)
		r = migrate(l, reterr);
	if (r == 0)
		r = read_clocks(l, boot_id, reterr);
	if (r == 0)
		r = carry_over(l, boot_id, now, reterr);
	if (r == 0)
		r = lz_many_register(l, reterr);
	if (r == 0)
		r = prepare(l, reterr);
	if (r == 0)
		r = lz_file_set_up(l, reterr);
	return r;
}

int lz_db_lock(const char *dir, int *ret, struct lz_err *reterr)
{
	*ret = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0)
		return lz_err_set(reterr, errno, "ledger: %s: %m", dir);
	if (flock(*ret, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return lz_err_set(reterr, errno, "ledger: %s: cannot lock: %m", dir);
	return lz_err_set(reterr, EBUSY, "ledger: %s: database is locked: another lazaretd has it", dir);
}

/* Whoever reads this has a gateway without a daemon, and does not know this program by heart. */
static void say_way_out(const char *path, struct lz_err *reterr)
{
	struct lz_err why = { "" };

	if (!reterr)
		return;
	why = *reterr;
	lz_err_set(reterr, EBADMSG,
		   "%s; restore %s from a backup or move it away, what is held in the kernel stays held",
		   why.text, path);
}

int lz_db_new(const char *dir, const char *path, struct lz_ledger **ret, struct lz_err *reterr)
{
	struct lz_ledger *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return lz_err_set(reterr, ENOMEM, "ledger: open: out of memory");
	r = lz_db_lock(dir, &l->lock, reterr);
	if (r == 0 && lz_strdup_to(&l->path, path) < 0)
		r = lz_err_set(reterr, ENOMEM, "ledger: open: out of memory");
	if (r < 0)
		lz_ledger_close(&l);
	*ret = l;
	return r;
}

int lz_db_open(struct lz_ledger *l, const char *boot_id, struct lz_now now, const char *const *sound,
	       struct lz_err *reterr)
{
	if (sqlite3_open_v2(l->path, &l->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW |
				    SQLITE_OPEN_FULLMUTEX,
			    NULL) == SQLITE_OK)
		return set_up(l, boot_id, now, sound, reterr);
	return l->db ? lz_db_error(l, l->path, reterr) :
		       lz_err_set(reterr, ENOMEM, "ledger: open: out of memory");
}

int lz_ledger_open(const char *dir, const char *boot_id, struct lz_now now, struct lz_ledger **ret,
		   struct lz_err *reterr)
{
	static const char *const all[] = { "1", NULL };
	struct lz_ledger *l = NULL;
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/" LZ_LEDGER_FILE, dir) >= (int)sizeof(path))
		return lz_err_set(reterr, ENAMETOOLONG, "ledger: open: path is too long");
	r = check_file(dir, path, reterr);
	if (r == 0)
		r = lz_db_new(dir, path, &l, reterr);
	if (r == 0)
		r = lz_db_open(l, boot_id, now, all, reterr);
	if (r == -EBADMSG)
		say_way_out(path, reterr);
	if (r < 0) {
		lz_ledger_close(&l);
		return r;
	}
	*ret = l;
	return 0;
}

void lz_ledger_close(struct lz_ledger **ledger)
{
	struct lz_ledger *l = *ledger;

	if (!l)
		return;
	for (int i = 0; i < LZ_SQL_N; i++)
		sqlite3_finalize(l->sql[i]);
	lz_file_close(l);
	sqlite3_close(l->db);
	lz_standin_close(l);
	lz_close_ref(&l->lock);
	free(l->path);
	free(l->stands_for);
	free(l);
	*ledger = NULL;
}

void lz_ledger_shed(struct lz_ledger *l)
{
	sqlite3_db_release_memory(l->db);
}

/* Since it was last asked; of SQLITE_DBSTATUS_CACHE_USED: now. */
static int cache_status(struct lz_ledger *l, int what)
{
	int now = 0, ignored = 0;

	return sqlite3_db_status(l->db, what, &now, &ignored, true) == SQLITE_OK ? now : 0;
}

bool lz_ledger_shed_idle(struct lz_ledger *l)
{
	int read = cache_status(l, SQLITE_DBSTATUS_CACHE_HIT) + cache_status(l, SQLITE_DBSTATUS_CACHE_MISS);

	if (l->batch || read > IDLE_READS_MAX || cache_status(l, SQLITE_DBSTATUS_CACHE_USED) < IDLE_CACHE_BYTES)
		return false;
	lz_ledger_shed(l);
	return true;
}

int lz_ledger_tick(struct lz_ledger *l, struct lz_now now, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_TICK);

	sqlite3_bind_int64(s, 1, (__s64)now.mono_s);
	sqlite3_bind_int64(s, 2, (__s64)now.wall_s);
	return lz_db_run(l, s, "write the clocks", reterr);
}
