/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rekey.c - IPv6 sources are told apart by another length: whoever is held stays held.
 *
 * A shorter key joins neighbours: the hardest grade and the latest end of them stand, and one case. A
 * longer key divides: each part of what was held is held, until then, for the same reason. A case of a
 * customer is of all parts; one of nobody's is of one source, so one part keeps it - the one that was named,
 * or the first - and the others are entries without a case until something happens to them alone.
 *
 * What has ended takes no part in it: its books are closed on the way.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "ledger/db.h"

#define LZ_REKEY_SLICE 256

enum step { MOVE, COPY, SET, NAME, CASE_KEY, CASE_DUE, STEP_N };

static const char *const step_sql[STEP_N] = {
	[MOVE] = "UPDATE held SET key = ?2 WHERE key = ?1",
	[COPY] = "INSERT INTO held (key, since_s, expiry_s, ttl_s, origin, case_id, prior, address, "
		 "look_s) SELECT ?2, since_s, expiry_s, ttl_s, origin, ?3, prior, '', look_s FROM held "
		 "WHERE key = ?1",
	[SET] = "UPDATE held SET expiry_s = ?2, ttl_s = ?3, case_id = ?4, look_s = min(look_s, ?2) "
		"WHERE key = ?1",
	[NAME] = "UPDATE held SET address = ?2 WHERE key = ?1",
	[CASE_KEY] = "UPDATE cases SET key = ?2 WHERE id = ?1",
	[CASE_DUE] = "UPDATE cases SET due_s = ?2 WHERE id = ?1",
};

struct rekey {
	struct lz_ledger *l;
	unsigned int from, to;
	struct lz_now at;
	__u64 max;
	sqlite3_stmt *sql[STEP_N];
	struct lz_held now; /* shorter: what stands at its key, which is never 0 */
	struct lz_err *err;
};

static bool is_v6(__u64 key)
{
	return key >> 32;
}

static __u64 mask_of(unsigned int len)
{
	return ~0ULL << (64 - len);
}

static int run(struct rekey *rk, enum step which, __u64 a, __u64 b, __u64 c, __u64 d)
{
	sqlite3_stmt *s = rk->sql[which];
	const __u64 v[] = { a, b, c, d };

	sqlite3_reset(s);
	for (int i = 0; i < sqlite3_bind_parameter_count(s); i++)
		sqlite3_bind_int64(s, i + 1, (__s64)v[i]);
	return lz_db_run(rk->l, s, "change a key", rk->err);
}

static int name(struct rekey *rk, __u64 key, const char *address)
{
	sqlite3_stmt *s = rk->sql[NAME];

	sqlite3_reset(s);
	sqlite3_bind_int64(s, 1, (__s64)key);
	lz_db_bind(s, 2, address);
	return lz_db_run(rk->l, s, "change a key", rk->err);
}

/* The data plane has let it go. If it was the last of its case the clock finds that due, and moves it. */
static int end(struct rekey *rk, const struct lz_held *row)
{
	int r = lz_held_end(rk->l, &row->key, 1, rk->at, NULL, rk->err);
	struct lz_case c;

	if (r || !row->case_id || lz_case_get(rk->l, row->case_id, &c) < 0 || !lz_case_holds(c.state))
		return r;
	r = lz_held_lasts(rk->l, row->case_id, rk->at.mono_s);
	return r ? (r < 0 ? r : 0) : run(rk, CASE_DUE, row->case_id, rk->at.wall_s, 0, 0);
}

/* ---------------------------------------------------------------- shorter */

/* A case that has lost its only key to a neighbour's. */
static int close_case(struct rekey *rk, __u64 id, __u64 by)
{
	struct lz_transition t = { .case_id = id, .time_s = rk->at.wall_s, .to = LZ_CASE_CLOSED };
	struct lz_case c;
	int r = lz_held_lasts(rk->l, id, 0);

	if (r)
		return r < 0 ? r : 0;
	if (lz_case_get(rk->l, id, &c) < 0)
		return 0;
	t.from = c.state;
	t.step_from = t.step_to = c.step;
	c.state = LZ_CASE_CLOSED;
	c.changed_s = rk->at.wall_s;
	c.due_s = c.until_s = 0;
	lz_strcpy(t.source, sizeof(t.source), "lazaretd");
	lz_strcpy(t.actor, sizeof(t.actor), "lazaretd");
	snprintf(t.reason, sizeof(t.reason), "goes on as case %llu: one source since ipv6-key is %u",
		 (unsigned long long)by, rk->to);
	r = lz_case_put(rk->l, &c, rk->err);
	return r ? r : lz_transition_add(rk->l, &t, rk->err);
}

static bool is_harder(const struct lz_held *a, const struct lz_held *b)
{
	struct lz_grade x = { 0 }, y = { 0 };

	if (lz_grade_parse(a->grade, &x, NULL) < 0 || lz_grade_parse(b->grade, &y, NULL) < 0)
		return false;
	return lz_grade_harder(&x, &y);
}

/* @row's key holds what rk->now has already. */
static int join(struct rekey *rk, const struct lz_held *row)
{
	struct lz_held kept = is_harder(row, &rk->now) ? *row : rk->now;
	const struct lz_held *other = kept.key == row->key ? &rk->now : row;
	__u64 lost = other->case_id;
	int r;

	if (other->expiry_s > kept.expiry_s) {
		kept.expiry_s = other->expiry_s;
		kept.ttl_s = other->ttl_s;
	}
	if (!kept.case_id)
		kept.case_id = lost;
	if (!kept.address[0])
		lz_strcpy(kept.address, sizeof(kept.address), other->address);
	r = lz_held_del(rk->l, other->key, rk->err);
	if (!r && kept.key != rk->now.key) {
		r = run(rk, MOVE, kept.key, rk->now.key, 0, 0);
		kept.key = rk->now.key;
	}
	if (!r)
		r = run(rk, SET, kept.key, kept.expiry_s, kept.ttl_s, kept.case_id);
	if (!r)
		r = name(rk, kept.key, kept.address);
	if (!r && lost && lost != kept.case_id)
		r = close_case(rk, lost, kept.case_id);
	rk->now = kept;
	return r;
}

static int shorten(struct rekey *rk, const struct lz_held *row)
{
	__u64 key = row->key & mask_of(rk->to);
	int r = 0;

	if (rk->now.key == key)
		return join(rk, row);
	if (key != row->key)
		r = run(rk, MOVE, row->key, key, 0, 0);
	rk->now = *row;
	rk->now.key = key;
	return r;
}

/* What is only read about is found under the key that it lies in now. */
static int shorten_past(struct rekey *rk, const struct lz_rekey *how)
{
	static const char *const tables[] = { "cases", "past", "note", "change" };
	char sql[128];
	int r = 0;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(tables) && !r; i++) {
		snprintf(sql, sizeof(sql),
			 "UPDATE %s SET key = key & %lld WHERE key NOT BETWEEN 0 AND 4294967295", tables[i],
			 (long long)mask_of(rk->to));
		r = lz_db_exec(rk->l, sql, "change a key", rk->err);
		if (how->alive)
			how->alive(how->arg);
	}
	return r;
}

/* ---------------------------------------------------------------- longer */

/* The part that was named; or the first. */
static __u64 find_named(const struct rekey *rk, const struct lz_held *row)
{
	struct lz_addr addr;
	__u64 key;

	if (!row->address[0] || lz_addr_parse(row->address, &addr, NULL) < 0 ||
	    lz_key_from_addr(&addr, rk->to, &key) < 0 || (key & mask_of(rk->from)) != row->key)
		return row->key;
	return key;
}

/* It keeps name and case, which the first part has till now. */
static int give_to(struct rekey *rk, __u64 key, const struct lz_held *row, bool shared)
{
	int r = name(rk, row->key, "");

	if (!r)
		r = name(rk, key, row->address);
	if (r || !row->case_id)
		return r;
	r = run(rk, CASE_KEY, row->case_id, key, 0, 0);
	if (!r && !shared)
		r = lz_held_case_set(rk->l, row->key, 0, rk->err);
	if (!r && !shared)
		r = lz_held_case_set(rk->l, key, row->case_id, rk->err);
	return r;
}

static int lengthen(struct rekey *rk, const struct lz_held *row)
{
	__u64 parts = 1ULL << (rk->to - rk->from), step = 1ULL << (64 - rk->to);
	__u64 named = find_named(rk, row);
	struct lz_case c;
	bool shared;
	int r = 0;

	if (rk->l->held + parts - 1 > rk->max)
		return lz_err_set(rk->err, ENOSPC,
				  "/ipv6-key: %u: each of the held /%u is %llu sources then, more than the "
				  "%llu of \"colony\" in all; make it larger, or release some",
				  rk->to, rk->from, (unsigned long long)parts,
				  (unsigned long long)rk->max);
	shared = row->case_id && lz_case_get(rk->l, row->case_id, &c) == 0 && c.customer[0];
	for (__u64 i = 1; i < parts && !r; i++)
		r = run(rk, COPY, row->key, row->key + i * step, shared ? row->case_id : 0, 0);
	rk->l->held += parts - 1;
	return r || named == row->key ? r : give_to(rk, named, row, shared);
}

/* ---------------------------------------------------------------- both */

static int change(struct rekey *rk, const struct lz_held *row)
{
	if (!is_v6(row->key))
		return 0;
	if (row->expiry_s <= rk->at.mono_s)
		return end(rk, row);
	return rk->to < rk->from ? shorten(rk, row) : lengthen(rk, row);
}

static int each_held(struct rekey *rk, const struct lz_rekey *how)
{
	struct lz_held rows[LZ_REKEY_SLICE];
	struct lz_held_walk walk = { 0 };
	int n, r = 0;

	while (!r && (n = lz_held_next(rk->l, &walk, rows, LZ_REKEY_SLICE)) > 0) {
		for (int i = 0; i < n && !r; i++)
			r = change(rk, &rows[i]);
		/* What a longer key has put behind the last one is done. */
		if (rk->to > rk->from && is_v6(rows[n - 1].key))
			walk.last = (__s64)(rows[n - 1].key | ~mask_of(rk->from));
		if (how->alive)
			how->alive(how->arg);
	}
	return r ? r : n < 0 ? lz_err_set(rk->err, -n, "ledger: change a key: cannot read") : 0;
}

int lz_ledger_rekey(struct lz_ledger *l, const struct lz_rekey *how, struct lz_err *reterr)
{
	struct rekey rk = { .l = l, .from = how->from, .to = how->to, .at = how->at, .max = how->max,
			    .err = reterr };
	int r = 0;

	if (how->from == how->to)
		return 0;
	for (int i = 0; i < STEP_N && !r; i++)
		if (sqlite3_prepare_v2(l->db, step_sql[i], -1, &rk.sql[i], NULL) != SQLITE_OK)
			r = lz_db_error(l, "change a key", reterr);
	if (!r)
		r = each_held(&rk, how);
	if (!r && how->to < how->from)
		r = shorten_past(&rk, how);
	for (int i = 0; i < STEP_N; i++)
		sqlite3_finalize(rk.sql[i]);
	return r;
}
