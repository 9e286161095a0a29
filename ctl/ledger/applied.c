// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * applied.c - the table of policies: text as applied, and what became of each.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ledger/db.h"

static void read_applied(sqlite3_stmt *s, void *row)
{
	struct lz_applied *ret = row;

	ret->generation = (__u64)sqlite3_column_int64(s, 0);
	ret->applied_s = (__u64)sqlite3_column_int64(s, 1);
	ret->deadline_s = (__u64)sqlite3_column_int64(s, 2);
	ret->origin = (__u64)sqlite3_column_int64(s, 3);
	ret->base = (__u64)sqlite3_column_int64(s, 4);
	lz_db_text(s, 5, ret->name, sizeof(ret->name));
	lz_db_text(s, 6, ret->actor, sizeof(ret->actor));
	lz_db_text(s, 7, ret->file, sizeof(ret->file));
	lz_db_text(s, 8, ret->state, sizeof(ret->state));
	ret->has_text = sqlite3_column_int(s, 9);
}

/* Several statements are one transaction: the caller's, if there is one. */
static int begin(struct lz_ledger *l, bool *ret_own, struct lz_err *reterr)
{
	*ret_own = !lz_ledger_in_batch(l);
	return *ret_own ? lz_ledger_begin(l, reterr) : 0;
}

static int end(struct lz_ledger *l, bool own, int r, struct lz_err *reterr)
{
	return own ? lz_ledger_end(l, r, reterr) : r;
}

static int add_row(struct lz_ledger *l, const struct lz_applied *row, const char *ids,
		   struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_APPLIED_ADD);

	sqlite3_bind_int64(s, 1, (__s64)row->generation);
	sqlite3_bind_int64(s, 2, (__s64)row->applied_s);
	sqlite3_bind_int64(s, 3, (__s64)row->deadline_s);
	sqlite3_bind_int64(s, 4, (__s64)(row->origin ? row->origin : row->generation));
	sqlite3_bind_int64(s, 5, (__s64)row->base);
	lz_db_bind(s, 6, row->name);
	lz_db_bind(s, 7, row->actor);
	lz_db_bind(s, 8, row->file);
	lz_db_bind(s, 9, row->state);
	lz_db_bind(s, 10, ids);
	return lz_db_run(l, s, "write a policy", reterr);
}

static int add_text(struct lz_ledger *l, __u64 generation, const char *text, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_APPLIED_TEXT_ADD);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)generation);
	lz_db_bind(s, 2, text);
	r = lz_db_run(l, s, "write a policy's text", reterr);
	sqlite3_clear_bindings(s); /* the text is the caller's */
	return r;
}

int lz_applied_add(struct lz_ledger *l, const struct lz_applied *row, const char *text,
		   const char *ids, struct lz_err *reterr)
{
	bool own;
	int r = begin(l, &own, reterr);

	if (r < 0)
		return r;
	r = add_row(l, row, ids, reterr);
	if (r == 0)
		r = add_text(l, row->generation, text, reterr);
	return end(l, own, r, reterr);
}

static int change(struct lz_ledger *l, enum lz_sql which, __u64 generation, const char *value,
		  struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, which);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)generation);
	sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC);
	r = lz_db_run(l, s, "change a policy's row", reterr);
	if (r == 0 && !sqlite3_changes(l->db))
		r = lz_err_set(reterr, ENOENT, "ledger: policy: there is no generation %llu",
			       (unsigned long long)generation);
	return r;
}

int lz_applied_state(struct lz_ledger *l, __u64 generation, const char *state, struct lz_err *reterr)
{
	return change(l, LZ_SQL_APPLIED_STATE, generation, state, reterr);
}

int lz_applied_ids(struct lz_ledger *l, __u64 generation, const char *ids, struct lz_err *reterr)
{
	return change(l, LZ_SQL_APPLIED_IDS, generation, ids, reterr);
}

static int copy_text(sqlite3_stmt *s, int column, char **ret)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	*ret = strdup(text ? (const char *)text : "");
	return *ret ? 0 : -ENOMEM;
}

/* One row, and the text of one of its columns, if that is wanted: -ENOENT, or 0 with @s at the row. */
static int read_one(struct lz_ledger *l, sqlite3_stmt *s, __u64 generation, int column, char **ret)
{
	int rc;

	sqlite3_bind_int64(s, 1, (__s64)generation);
	rc = sqlite3_step(s);
	if (rc == SQLITE_DONE)
		return -ENOENT;
	if (rc != SQLITE_ROW)
		return lz_db_error(l, "read a policy", NULL);
	return ret ? copy_text(s, column, ret) : 0;
}

/* "" of one that is gone. */
static int read_text(struct lz_ledger *l, __u64 generation, char **ret)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_APPLIED_TEXT);
	int r = read_one(l, s, generation, 0, ret);

	sqlite3_reset(s);
	if (r != -ENOENT)
		return r;
	*ret = strdup("");
	return *ret ? 0 : -ENOMEM;
}

int lz_applied_get(struct lz_ledger *l, __u64 generation, struct lz_applied *ret, char **ret_text,
		   char **ret_ids)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_APPLIED_GET);
	lz_autofree char *text = NULL, *ids = NULL;
	int r = read_one(l, s, generation, 10, ret_ids ? &ids : NULL);

	if (r == 0 && ret_text)
		r = read_text(l, generation, &text);
	if (r == 0)
		read_applied(s, ret);
	sqlite3_reset(s);
	if (r == 0 && ret_ids)
		*ret_ids = TAKE_PTR(ids);
	if (r == 0 && ret_text)
		*ret_text = TAKE_PTR(text);
	return r;
}

static int read_rows(struct lz_ledger *l, sqlite3_stmt *s, struct lz_applied *ret, int n)
{
	return lz_db_rows(l, s, "read policies", read_applied, ret, sizeof(*ret), n);
}

/* SQLite's integers are signed; "below everything" is asked as ~0. */
static __s64 clamp(__u64 below)
{
	return below > INT64_MAX ? INT64_MAX : (__s64)below;
}

int lz_applied_last(struct lz_ledger *l, const char *state, __u64 below, struct lz_applied *ret)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_APPLIED_LAST);
	int n;

	sqlite3_bind_text(s, 1, state, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, clamp(below));
	n = read_rows(l, s, ret, 1);
	return n == 0 ? -ENOENT : n < 0 ? n : 0;
}

int lz_applied_before(struct lz_ledger *l, __u64 below, struct lz_applied *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_APPLIED_BEFORE);

	sqlite3_bind_int64(s, 1, clamp(below));
	sqlite3_bind_int(s, 2, n);
	return read_rows(l, s, ret, n);
}

__u64 lz_applied_highest(struct lz_ledger *l)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_APPLIED_HIGHEST);
	__u64 highest = 0;

	if (sqlite3_step(s) == SQLITE_ROW)
		highest = (__u64)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return highest;
}

int lz_applied_forget(struct lz_ledger *l, const __u64 *kept, size_t n, struct lz_err *reterr)
{
	static const char *const steps[] = { "DELETE FROM policy_text WHERE",
					     "UPDATE applied SET ids = '' WHERE ids <> '' AND" };
	lz_autostr struct lz_str list = { 0 }, sql = { 0 };
	bool own;
	int r;

	for (size_t i = 0; i < n; i++)
		lz_str_appendf(&list, ", %llu", (unsigned long long)kept[i]);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(steps); i++)
		lz_str_appendf(&sql, "%s generation NOT IN (0%s);", steps[i], list.data ? list.data : "");
	if (list.error || sql.error)
		return lz_err_set(reterr, ENOMEM, "ledger: forget texts: out of memory");
	r = begin(l, &own, reterr);
	return r < 0 ? r : end(l, own, lz_db_exec(l, sql.data, "forget texts", reterr), reterr);
}
