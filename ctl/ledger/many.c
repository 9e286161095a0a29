/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * many.c - holds by the thousand. An array of the caller's is a table ("entry") to SQLite, so that one
 * statement writes all of it: binding and stepping one by one takes longer than the B-tree does.
 */
#include <errno.h>

#include "base/mem.h"
#include "ledger/db.h"

/* ---------------------------------------------------------------- the table */

enum column {
	KEY, CASE_ID, SINCE_S, EXPIRY_S, TTL_S, ORIGIN, PRIOR,
	KEEPS, WAS_SINCE_S, WAS_EXPIRY_S, WAS_TTL_S, WAS_ORIGIN, WAS_PRIOR, ADDRESS
};

static const char declaration[] = "CREATE TABLE entry (key INTEGER, case_id INTEGER, since_s INTEGER, "
				  "expiry_s INTEGER, ttl_s INTEGER, origin INTEGER, prior INTEGER, "
				  "keeps INTEGER, was_since_s INTEGER, was_expiry_s INTEGER, was_ttl_s INTEGER, "
				  "was_origin INTEGER, was_prior INTEGER, address TEXT)";

struct table {
	sqlite3_vtab base;
	const struct lz_ledger *ledger;
};

struct cursor {
	sqlite3_vtab_cursor base;
	size_t at;
};

static const struct lz_many *many_of(sqlite3_vtab_cursor *c)
{
	return &((const struct table *)(const void *)c->pVtab)->ledger->many;
}

static int table_connect(sqlite3 *db, void *ledger, int argc, const char *const *argv,
			 sqlite3_vtab **ret, char **reterr)
{
	struct table *t = calloc(1, sizeof(*t));

	(void)argc;
	(void)argv;
	(void)reterr;
	if (!t)
		return SQLITE_NOMEM;
	t->ledger = ledger;
	*ret = &t->base;
	return sqlite3_declare_vtab(db, declaration);
}

static int table_disconnect(sqlite3_vtab *t)
{
	free(t);
	return SQLITE_OK;
}

/* There is one way through it: from the first to the last. */
static int table_plan(sqlite3_vtab *t, sqlite3_index_info *info)
{
	(void)t;
	info->estimatedCost = 1000;
	info->estimatedRows = 1000;
	return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *t, sqlite3_vtab_cursor **ret)
{
	struct cursor *c = calloc(1, sizeof(*c));

	(void)t;
	if (!c)
		return SQLITE_NOMEM;
	*ret = &c->base;
	return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *c)
{
	free(c);
	return SQLITE_OK;
}

static size_t *at(sqlite3_vtab_cursor *c)
{
	return &((struct cursor *)(void *)c)->at;
}

static int cursor_begin(sqlite3_vtab_cursor *c, int plan, const char *text, int argc,
			sqlite3_value **argv)
{
	(void)plan;
	(void)text;
	(void)argc;
	(void)argv;
	*at(c) = 0;
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *c)
{
	++*at(c);
	return SQLITE_OK;
}

static int cursor_eof(sqlite3_vtab_cursor *c)
{
	return *at(c) >= many_of(c)->n;
}

static int cursor_column(sqlite3_vtab_cursor *c, sqlite3_context *ctx, int column)
{
	const struct lz_many *many = many_of(c);
	const struct lz_held_row *row = many->rows ? &many->rows[*at(c)] : NULL;
	__s64 v;

	if (!row && column != KEY)
		return SQLITE_MISUSE;
	switch ((enum column)column) {
	case ADDRESS:
		sqlite3_result_text(ctx, row->address, -1, SQLITE_STATIC);
		return SQLITE_OK;
	case KEY:
		v = (__s64)(row ? row->key : many->keys[*at(c)]);
		break;
	case CASE_ID:
		v = (__s64)row->case_id;
		break;
	case SINCE_S:
		v = (__s64)row->since_s;
		break;
	case EXPIRY_S:
		v = row->expiry_s;
		break;
	case TTL_S:
		v = row->ttl_s;
		break;
	case ORIGIN:
		v = row->origin;
		break;
	case PRIOR:
		v = (__s64)row->prior;
		break;
	case KEEPS:
		v = row->keeps;
		break;
	case WAS_SINCE_S:
		v = (__s64)row->was.since_s;
		break;
	case WAS_EXPIRY_S:
		v = row->was.expiry_s;
		break;
	case WAS_TTL_S:
		v = row->was.ttl_s;
		break;
	case WAS_ORIGIN:
		v = row->was.origin;
		break;
	default:
		v = (__s64)row->was.prior;
		break;
	}
	sqlite3_result_int64(ctx, v);
	return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)*at(c);
	return SQLITE_OK;
}

int lz_many_register(struct lz_ledger *l, struct lz_err *reterr)
{
	static const sqlite3_module module = {
		.xConnect = table_connect,
		.xDisconnect = table_disconnect,
		.xBestIndex = table_plan,
		.xOpen = cursor_open,
		.xClose = cursor_close,
		.xFilter = cursor_begin,
		.xNext = cursor_next,
		.xEof = cursor_eof,
		.xColumn = cursor_column,
		.xRowid = cursor_rowid,
	};

	if (sqlite3_create_module(l->db, "entry", &module, l) != SQLITE_OK)
		return lz_db_error(l, "open", reterr);
	return 0;
}

/* ---------------------------------------------------------------- entries */

/* A list of keys, each with room for what the ledger has of it. */
struct wanted {
	void *rows; /* each begins with its key */
	size_t size, n;
	void (*read)(struct lz_ledger *l, sqlite3_stmt *s, void *row);
};

_Static_assert(offsetof(struct lz_held_row, key) == 0 && offsetof(struct lz_held, key) == 0, "they begin with a key");

static void *row_at(const struct wanted *w, size_t i)
{
	return (char *)w->rows + i * w->size;
}

static __s64 key_at(const struct wanted *w, size_t i)
{
	return (__s64)*(const __u64 *)row_at(w, i);
}

static void read_entry(struct lz_ledger *l, sqlite3_stmt *s, void *at)
{
	struct lz_held_row *row = at;

	(void)l;
	row->known = true;
	row->was.since_s = row->since_s = (__u64)sqlite3_column_int64(s, 1);
	row->was.expiry_s = row->expiry_s = (__u32)sqlite3_column_int64(s, 2);
	row->was.ttl_s = row->ttl_s = (__u32)sqlite3_column_int64(s, 3);
	row->case_id = (__u64)sqlite3_column_int64(s, 4);
	row->was.prior = (__u64)sqlite3_column_int64(s, 5);
	row->named = sqlite3_column_bytes(s, 6) > 0;
	row->was.origin = sqlite3_column_int64(s, 7);
}

static void read_whole(struct lz_ledger *l, sqlite3_stmt *s, void *row)
{
	lz_held_read(l, s, row);
}

/* Rows of the table that lie between two keys of a list are stepped over; from so many on, looking the next
 * key up is less work. */
#define LZ_ROWS_BESIDE 8

/* From the first row that is not before the i-th, in the order of both; until the list or the table ends, or
 * a gap in the list is large. Returns where to go on, n at the end, -errno. */
static ssize_t merge_rows(struct lz_ledger *l, const struct wanted *w, size_t i, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_HELD_NEXT);
	int rc = SQLITE_ROW, beside = 0;

	sqlite3_bind_int64(s, 1, key_at(w, i));
	sqlite3_bind_int(s, 2, -1);
	while (i < w->n && beside < LZ_ROWS_BESIDE && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		__s64 key = sqlite3_column_int64(s, 0);

		while (i < w->n && key_at(w, i) < key)
			i++;
		if (i < w->n && key_at(w, i) == key) {
			w->read(l, s, row_at(w, i++));
			beside = 0;
		} else {
			beside++;
		}
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		rc = lz_db_error(l, "read holds", reterr);
	sqlite3_reset(s);
	return rc < 0 ? rc : rc == SQLITE_DONE ? (ssize_t)w->n : (ssize_t)i;
}

static int merge_all(struct lz_ledger *l, const struct wanted *w, struct lz_err *reterr)
{
	ssize_t at = 0;

	while (at >= 0 && (size_t)at < w->n)
		at = merge_rows(l, w, (size_t)at, reterr);
	return at < 0 ? (int)at : 0;
}

int lz_held_rows_get(struct lz_ledger *l, struct lz_held_row *rows, size_t n, struct lz_err *reterr)
{
	const struct wanted w = { rows, sizeof(*rows), n, read_entry };

	for (size_t i = 0; i < n; i++)
		rows[i].known = false;
	return merge_all(l, &w, reterr);
}

int lz_held_get_many(struct lz_ledger *l, struct lz_held *v, size_t n, struct lz_err *reterr)
{
	const struct wanted w = { v, sizeof(*v), n, read_whole };

	return merge_all(l, &w, reterr);
}

const char *lz_held_grade(struct lz_ledger *l, __s64 origin)
{
	return lz_origin_get(l, origin)->grade;
}

bool lz_held_staff_only(struct lz_ledger *l, __s64 origin)
{
	return lz_origin_get(l, origin)->staff_only;
}

static struct lz_kept *kept_slot(struct lz_ledger *l, const struct lz_held_row *row)
{
	__u64 hash = ((__u64)row->was.origin * 31 + row->was.expiry_s) * 31 + row->was.prior;

	return &l->kept[(hash ^ hash >> 8) % LZ_KEPT_CACHE];
}

static bool is_kept(const struct lz_kept *kept, const struct lz_held_row *row, __u64 made_s)
{
	return kept->id && kept->made_s == made_s && kept->case_id == row->case_id &&
	       kept->was.since_s == row->was.since_s && kept->was.prior == row->was.prior &&
	       kept->was.origin == row->was.origin && kept->was.expiry_s == row->was.expiry_s &&
	       kept->was.ttl_s == row->was.ttl_s;
}

/* Where the orders before these go to: ids of `change`, behind all there are. Most of a list were the same
 * before, and share one. */
static int number_priors(struct lz_ledger *l, struct lz_held_row *rows, size_t n, __u64 made_s,
			 size_t *ret_known, size_t *ret_kept, __u64 *ret_last, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_CHANGE_LAST);
	__u64 last;

	if (sqlite3_step(s) != SQLITE_ROW) {
		int r = lz_db_error(l, "read orders", reterr);

		sqlite3_reset(s);
		return r;
	}
	last = (__u64)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	for (size_t i = 0; i < n; i++) {
		struct lz_held_row *row = &rows[i];
		struct lz_kept *kept = kept_slot(l, row);

		/* look_s stays, which must not be after the end */
		if (row->known && row->expiry_s < row->was.expiry_s)
			return lz_err_set(reterr, EINVAL, "ledger: write holds: one would end earlier");
		row->keeps = row->known && !is_kept(kept, row, made_s);
		if (row->keeps)
			*kept = (struct lz_kept){ .was = row->was, .case_id = row->case_id,
						  .made_s = made_s, .id = ++last };
		row->prior = row->known ? kept->id : 0;
		*ret_known += row->known;
		*ret_kept += row->keeps;
	}
	*ret_last = last;
	return 0;
}

/* A list that comes each hour would fill the disk with what its entries were. Of a ledger that has far too
 * many already, some more than were added go each time. */
static int bound_changes(struct lz_ledger *l, __u64 last, size_t added, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_CHANGE_BOUND);

	if (last <= LZ_HELD_PRIORS_MAX)
		return 0;
	sqlite3_bind_int64(s, 1, (__s64)(last - LZ_HELD_PRIORS_MAX));
	sqlite3_bind_int64(s, 2, (__s64)added * 4);
	return lz_db_run(l, s, "forget what holds were", reterr);
}

int lz_held_rows_put(struct lz_ledger *l, struct lz_held_row *rows, size_t n, __u64 made_s,
		     struct lz_err *reterr)
{
	size_t known = 0, kept = 0;
	__u64 last = 0;
	sqlite3_stmt *s;
	int r = number_priors(l, rows, n, made_s, &known, &kept, &last, reterr);

	if (r < 0)
		return r;
	l->many = (struct lz_many){ .rows = rows, .n = n };
	if (kept) {
		s = lz_db_stmt(l, LZ_SQL_HELD_ROWS_KEEP);
		sqlite3_bind_int64(s, 1, (__s64)made_s);
		r = lz_db_run(l, s, "keep what holds were", reterr);
		if (r == 0)
			r = bound_changes(l, last, kept, reterr);
	}
	if (r == 0)
		r = lz_db_run(l, lz_db_stmt(l, LZ_SQL_HELD_ROWS_PUT), "write holds", reterr);
	if (r == 0)
		l->held += n - known;
	l->many = (struct lz_many){ 0 };
	return r;
}

static bool same_order(const struct lz_held *a, const struct lz_held *b)
{
	return a->made_s == b->made_s && (a->made_s || a->since_s == b->since_s) && a->generation == b->generation &&
	       lz_streq(a->grade, b->grade) && lz_streq(a->source, b->source) && lz_streq(a->actor, b->actor) &&
	       lz_streq(a->ticket, b->ticket) && lz_streq(a->reason, b->reason) && a->staff_only == b->staff_only;
}

/* One statement writes those that are new, or go on in the case that they are of, end no earlier and are named no
 * less: lz_held_rows_put() leaves the case and an address. */
static bool fits_rows(const struct lz_held *held, const struct lz_held_row *is)
{
	return !is->known || (is->case_id == held->case_id && held->expiry_s >= is->was.expiry_s &&
			      (held->address[0] || !is->named));
}

/* Of what the ledger has of these keys: what is to be written together; the others one by one. Those that differ
 * in nothing but key, end and address have one origin. Returns how many, -errno. */
static ssize_t fill_rows(struct lz_ledger *l, const struct lz_held *v, size_t n, struct lz_held_row *rows,
			 struct lz_err *reterr)
{
	const struct lz_held *before = NULL;
	__s64 origin = 0;
	size_t fit = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!fits_rows(&v[i], &rows[i])) {
			r = lz_held_put(l, &v[i], reterr);
			continue;
		}
		if (!before || !same_order(before, &v[i]))
			origin = lz_held_origin(l, &v[i], reterr);
		before = &v[i];
		rows[fit] = rows[i];
		rows[fit].case_id = v[i].case_id;
		rows[fit].since_s = v[i].since_s;
		rows[fit].expiry_s = v[i].expiry_s;
		rows[fit].ttl_s = v[i].ttl_s;
		rows[fit].origin = origin;
		rows[fit++].address = v[i].address;
		r = origin < 0 ? (int)origin : 0;
	}
	return r < 0 ? r : (ssize_t)fit;
}

int lz_held_put_many(struct lz_ledger *l, const struct lz_held *v, size_t n, struct lz_err *reterr)
{
	lz_autofree struct lz_held_row *rows = calloc(n + 1, sizeof(*rows));
	ssize_t fit;
	int r;

	if (!rows)
		return lz_err_set(reterr, ENOMEM, "ledger: write holds: out of memory");
	for (size_t i = 0; i < n; i++)
		rows[i].key = v[i].key;
	r = lz_held_rows_get(l, rows, n, reterr);
	fit = r < 0 ? r : fill_rows(l, v, n, rows, reterr);
	return fit <= 0 ? (int)fit : lz_held_rows_put(l, rows, (size_t)fit, v->made_s, reterr);
}

int lz_held_del_many(struct lz_ledger *l, const struct lz_held *v, size_t n, struct lz_err *reterr)
{
	lz_autofree __u64 *keys = calloc(n + 1, sizeof(*keys));
	int r;

	if (!keys)
		return lz_err_set(reterr, ENOMEM, "ledger: delete holds: out of memory");
	for (size_t i = 0; i < n; i++)
		keys[i] = v[i].key;
	l->many = (struct lz_many){ .keys = keys, .n = n };
	r = lz_db_run(l, lz_db_stmt(l, LZ_SQL_HELD_ROWS_DEL), "delete holds", reterr);
	l->many = (struct lz_many){ 0 };
	if (r == 0)
		l->held -= (__u64)sqlite3_changes(l->db);
	return r;
}

int lz_held_look_later(struct lz_ledger *l, const __u64 *keys, size_t n, struct lz_err *reterr)
{
	int r;

	l->many = (struct lz_many){ .keys = keys, .n = n };
	r = lz_db_run(l, lz_db_stmt(l, LZ_SQL_HELD_LOOK), "look at holds later", reterr);
	l->many = (struct lz_many){ 0 };
	return r;
}

int lz_held_end(struct lz_ledger *l, const __u64 *keys, size_t n, struct lz_now now,
		const struct lz_held *by, struct lz_err *reterr)
{
	__s64 by_id = by ? lz_held_origin(l, by, reterr) : 0;
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_PAST_ADD);
	int r, ended;

	if (by_id < 0)
		return (int)by_id;
	l->many = (struct lz_many){ .keys = keys, .n = n };
	sqlite3_bind_int64(s, 1, (__s64)now.wall_s);
	sqlite3_bind_int64(s, 2, (__s64)(now.wall_s - now.mono_s));
	sqlite3_bind_int64(s, 3, by_id);
	r = lz_db_run(l, s, "write the past", reterr);
	if (r == 0)
		r = lz_db_run(l, lz_db_stmt(l, LZ_SQL_HELD_ROWS_DEL), "delete holds", reterr);
	l->many = (struct lz_many){ 0 };
	if (r < 0)
		return r;
	ended = sqlite3_changes(l->db);
	l->held -= (__u64)ended;
	if ((size_t)ended < n)
		return lz_err_set(reterr, ENOENT, "ledger: end holds: %zu of %zu are none",
				  n - (size_t)ended, n);
	return 0;
}
