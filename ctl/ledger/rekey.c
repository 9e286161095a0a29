/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rekey.c - IPv6 sources are told apart by another length: whoever is held stays held.
 *
 * A shorter key joins neighbours: the hardest grade and the latest end of them stand, and one case. A
 * longer key divides: each part of what was held is held, until then, for the same reason.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "ledger/db.h"

#define LZ_REKEY_SLICE 256

enum step { MOVE, COPY, SET, NAME, CASE_KEY, STEP_N };

static const char *const step_sql[STEP_N] = {
	[MOVE] = "UPDATE held SET key = ?2 WHERE key = ?1",
	[COPY] = "INSERT INTO held (key, since_s, expiry_s, ttl_s, origin, case_id, prior, address) "
		 "SELECT ?2, since_s, expiry_s, ttl_s, origin, case_id, prior, '' FROM held WHERE key = ?1",
	[SET] = "UPDATE held SET expiry_s = ?2, ttl_s = ?3, case_id = ?4 WHERE key = ?1",
	[NAME] = "UPDATE held SET address = iif(key = ?1, ?2, '') WHERE key IN (?1, ?3)",
	[CASE_KEY] = "UPDATE cases SET key = ?2 WHERE id = ?1",
};

struct rekey {
	struct lz_ledger *l;
	unsigned int from, to;
	__u64 wall_s, max;
	sqlite3_stmt *sql[STEP_N];
	struct lz_held now; /* shorter: what stands at its key */
	bool begun;
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

/* ---------------------------------------------------------------- shorter */

/* A case that has lost its only key to a neighbour's. */
static int close_case(struct rekey *rk, __u64 id, __u64 by)
{
	struct lz_transition t = { .case_id = id, .time_s = rk->wall_s, .to = LZ_CASE_CLOSED };
	struct lz_case c;
	int r = lz_held_lasts(rk->l, id, 0);

	if (r)
		return r < 0 ? r : 0;
	if (lz_case_get(rk->l, id, &c) < 0)
		return 0;
	t.from = c.state;
	t.step_from = t.step_to = c.step;
	c.state = LZ_CASE_CLOSED;
	c.changed_s = rk->wall_s;
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
	if (!kept.case_id) {
		kept.case_id = lost;
		lost = 0;
	}
	r = lz_held_del(rk->l, other->key, rk->err);
	if (!r && kept.key != rk->now.key) {
		r = run(rk, MOVE, kept.key, rk->now.key, 0, 0);
		kept.key = rk->now.key;
	}
	if (!r)
		r = run(rk, SET, kept.key, kept.expiry_s, kept.ttl_s, kept.case_id);
	if (!r && lost && lost != kept.case_id)
		r = close_case(rk, lost, kept.case_id);
	rk->now = kept;
	return r;
}

static int shorten(struct rekey *rk, const struct lz_held *row)
{
	__u64 key = row->key & mask_of(rk->to);
	int r = 0;

	if (rk->begun && rk->now.key == key)
		return join(rk, row);
	if (key != row->key)
		r = run(rk, MOVE, row->key, key, 0, 0);
	rk->now = *row;
	rk->now.key = key;
	rk->begun = true;
	return r;
}

/* What is only read about is found under the key that it lies in now. */
static int shorten_past(struct rekey *rk)
{
	static const char *const tables[] = { "cases", "past", "note", "change" };
	char sql[128];
	int r = 0;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(tables) && !r; i++) {
		snprintf(sql, sizeof(sql),
			 "UPDATE %s SET key = key & %lld WHERE key NOT BETWEEN 0 AND 4294967295", tables[i],
			 (long long)mask_of(rk->to));
		r = lz_db_exec(rk->l, sql, "change a key", rk->err);
	}
	return r;
}

/* ---------------------------------------------------------------- longer */

/* The part that was named keeps name and case. */
static int name_part(struct rekey *rk, const struct lz_held *row)
{
	sqlite3_stmt *s = rk->sql[NAME];
	struct lz_addr addr;
	__u64 key;
	int r;

	if (!row->address[0] || lz_addr_parse(row->address, &addr, NULL) < 0 ||
	    lz_key_from_addr(&addr, rk->to, &key) < 0 || (key & mask_of(rk->from)) != row->key)
		return 0;
	sqlite3_reset(s);
	sqlite3_bind_int64(s, 1, (__s64)key);
	lz_db_bind(s, 2, row->address);
	sqlite3_bind_int64(s, 3, (__s64)row->key);
	r = lz_db_run(rk->l, s, "change a key", rk->err);
	return r || !row->case_id ? r : run(rk, CASE_KEY, row->case_id, key, 0, 0);
}

static int lengthen(struct rekey *rk, const struct lz_held *row)
{
	__u64 parts = 1ULL << (rk->to - rk->from), step = 1ULL << (64 - rk->to);
	int r = 0;

	if (rk->l->held + parts - 1 > rk->max)
		return lz_err_set(rk->err, ENOSPC,
				  "/ipv6-key: %u: each of the held /%u is %llu sources then, more than the "
				  "%llu of \"colony\" in all; make it larger, or release some",
				  rk->to, rk->from, (unsigned long long)parts,
				  (unsigned long long)rk->max);
	for (__u64 i = 1; i < parts && !r; i++)
		r = run(rk, COPY, row->key, row->key + i * step, 0, 0);
	rk->l->held += parts - 1;
	return r ? r : name_part(rk, row);
}

/* ---------------------------------------------------------------- both */

static int each_held(struct rekey *rk)
{
	struct lz_held rows[LZ_REKEY_SLICE];
	struct lz_held_walk walk = { 0 };
	int n, r = 0;

	while (!r && (n = lz_held_next(rk->l, &walk, rows, LZ_REKEY_SLICE)) > 0) {
		for (int i = 0; i < n && !r; i++)
			if (is_v6(rows[i].key))
				r = rk->to < rk->from ? shorten(rk, &rows[i]) : lengthen(rk, &rows[i]);
		/* What a longer key has put behind the last one is done. */
		if (rk->to > rk->from && is_v6(rows[n - 1].key))
			walk.last = (__s64)(rows[n - 1].key | ~mask_of(rk->from));
	}
	return r ? r : n < 0 ? lz_err_set(rk->err, -n, "ledger: change a key: cannot read") : 0;
}

int lz_ledger_rekey(struct lz_ledger *l, unsigned int from, unsigned int to, __u64 wall_s, __u64 max,
		    struct lz_err *reterr)
{
	struct rekey rk = { .l = l, .from = from, .to = to, .wall_s = wall_s, .max = max, .err = reterr };
	int r = 0;

	if (from == to)
		return 0;
	for (int i = 0; i < STEP_N && !r; i++)
		if (sqlite3_prepare_v2(l->db, step_sql[i], -1, &rk.sql[i], NULL) != SQLITE_OK)
			r = lz_db_error(l, "change a key", reterr);
	if (!r)
		r = each_held(&rk);
	if (!r && to < from)
		r = shorten_past(&rk);
	for (int i = 0; i < STEP_N; i++)
		sqlite3_finalize(rk.sql[i]);
	return r;
}
