/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cases.c - the tables of cases and of their transitions. States are written as words: who reads the
 * database without this program understands it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ledger/db.h"

#define LZ_ACTED_TEXT_MAX (LZ_CASE_ACTED_MAX * (22 + LZ_CASE_SOURCE_TEXT_MAX) + 1)

static enum lz_case_state read_state(sqlite3_stmt *s, int column)
{
	enum lz_case_state state = LZ_CASE_CLOSED;
	char word[LZ_STATE_TEXT_MAX];

	lz_db_text(s, column, word, sizeof(word));
	lz_case_state_parse(word, &state);
	return state;
}

/* A line for each: when, and the source. */
static void read_acted(sqlite3_stmt *s, int column, struct lz_case *c)
{
	const char *p = (const char *)sqlite3_column_text(s, column);
	char *end;

	for (int i = 0; p && *p && i < LZ_CASE_ACTED_MAX; i++) {
		struct lz_case_acted *a = &c->acted[i];
		size_t len;

		a->time_s = strtoull(p, &end, 10);
		p = end + (*end == ' ');
		len = strcspn(p, "\n");
		snprintf(a->source, sizeof(a->source), "%.*s", (int)len, p);
		p += len + (p[len] == '\n');
	}
}

static const char *format_acted(const struct lz_case *c, char ret[static LZ_ACTED_TEXT_MAX])
{
	size_t n = 0;

	ret[0] = '\0';
	for (int i = 0; i < LZ_CASE_ACTED_MAX; i++)
		if (c->acted[i].time_s)
			n += (size_t)snprintf(ret + n, LZ_ACTED_TEXT_MAX - n, "%llu %s\n",
					      (unsigned long long)c->acted[i].time_s, c->acted[i].source);
	return ret;
}

static void read_case(sqlite3_stmt *s, void *row)
{
	struct lz_case *ret = row;
	char grade[LZ_GRADE_TEXT_MAX];

	*ret = (struct lz_case){ .id = (__u64)sqlite3_column_int64(s, 0) };
	ret->key = (__u64)sqlite3_column_int64(s, 1);
	lz_db_text(s, 2, ret->customer, sizeof(ret->customer));
	ret->state = read_state(s, 3);
	lz_db_text(s, 4, ret->ladder, sizeof(ret->ladder));
	ret->step = sqlite3_column_int(s, 5);
	lz_db_text(s, 6, grade, sizeof(grade));
	lz_grade_parse(grade, &ret->grade, NULL);
	ret->for_s = (__u32)sqlite3_column_int64(s, 7);
	ret->self_releases = (__u32)sqlite3_column_int64(s, 8);
	ret->staff_only = sqlite3_column_int(s, 9);
	ret->opened_s = (__u64)sqlite3_column_int64(s, 10);
	ret->changed_s = (__u64)sqlite3_column_int64(s, 11);
	ret->due_s = (__u64)sqlite3_column_int64(s, 12);
	ret->until_s = (__u64)sqlite3_column_int64(s, 13);
	ret->evidence_s = (__u64)sqlite3_column_int64(s, 14);
	ret->acted_s = (__u64)sqlite3_column_int64(s, 15);
	ret->freed_s = (__u64)sqlite3_column_int64(s, 16);
	lz_db_text(s, 17, ret->reason_class, sizeof(ret->reason_class));
	lz_db_text(s, 18, ret->source, sizeof(ret->source));
	read_acted(s, 19, ret);
}

static int read_cases(struct lz_ledger *l, sqlite3_stmt *s, struct lz_case *ret, int n)
{
	return lz_db_rows(l, s, "read cases", read_case, ret, sizeof(*ret), n);
}

static int read_one(struct lz_ledger *l, sqlite3_stmt *s, struct lz_case *ret)
{
	int n = read_cases(l, s, ret, 1);

	return n == 0 ? -ENOENT : n < 0 ? n : 0;
}

/* The texts are the caller's and live until the statement has run. */
int lz_case_put(struct lz_ledger *l, struct lz_case *c, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, c->id ? LZ_SQL_CASE_PUT : LZ_SQL_CASE_ADD);
	char grade[LZ_GRADE_TEXT_MAX], acted[LZ_ACTED_TEXT_MAX];
	int r;

	if (c->id)
		sqlite3_bind_int64(s, 1, (__s64)c->id);
	sqlite3_bind_int64(s, 2, (__s64)c->key);
	lz_db_bind(s, 3, c->customer);
	lz_db_bind(s, 4, lz_case_state_words[c->state]);
	lz_db_bind(s, 5, c->ladder);
	sqlite3_bind_int(s, 6, c->step);
	lz_db_bind(s, 7, lz_grade_format(&c->grade, grade));
	sqlite3_bind_int64(s, 8, c->for_s);
	sqlite3_bind_int64(s, 9, c->self_releases);
	sqlite3_bind_int(s, 10, c->staff_only);
	sqlite3_bind_int64(s, 11, (__s64)c->opened_s);
	sqlite3_bind_int64(s, 12, (__s64)c->changed_s);
	sqlite3_bind_int64(s, 13, (__s64)c->due_s);
	sqlite3_bind_int64(s, 14, (__s64)c->until_s);
	sqlite3_bind_int64(s, 15, (__s64)c->evidence_s);
	sqlite3_bind_int64(s, 16, (__s64)c->acted_s);
	sqlite3_bind_int64(s, 17, (__s64)c->freed_s);
	lz_db_bind(s, 18, c->reason_class);
	lz_db_bind(s, 19, c->source);
	lz_db_bind(s, 20, format_acted(c, acted));
	r = lz_db_run(l, s, "write a case", reterr);
	if (r < 0)
		return r;
	if (!sqlite3_changes(l->db))
		return lz_err_set(reterr, ENOENT, "ledger: write a case: there is no case %llu",
				  (unsigned long long)c->id);
	if (!c->id)
		c->id = (__u64)sqlite3_last_insert_rowid(l->db);
	return 0;
}

int lz_case_get(struct lz_ledger *l, __u64 id, struct lz_case *ret)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_CASE_GET);

	sqlite3_bind_int64(s, 1, (__s64)id);
	return read_one(l, s, ret);
}

int lz_case_find(struct lz_ledger *l, __u64 key, const char *customer, struct lz_case *ret)
{
	sqlite3_stmt *s;

	if (customer && customer[0]) {
		s = lz_db_stmt(l, LZ_SQL_CASE_OF_CUSTOMER);
		lz_db_bind(s, 1, customer);
	} else {
		s = lz_db_stmt(l, LZ_SQL_CASE_OF_KEY);
		sqlite3_bind_int64(s, 1, (__s64)key);
	}
	return read_one(l, s, ret);
}

int lz_case_due(struct lz_ledger *l, __u64 wall_s, struct lz_case *ret, int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_CASE_DUE);

	sqlite3_bind_int64(s, 1, (__s64)wall_s);
	sqlite3_bind_int(s, 2, n);
	return read_cases(l, s, ret, n);
}

int lz_case_sums(struct lz_ledger *l, __u64 ret[static LZ_CASE_N])
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_CASE_SUM);
	__u64 sums[LZ_CASE_N] = { 0 };
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		sums[read_state(s, 0)] += (__u64)sqlite3_column_int64(s, 1);
	if (rc != SQLITE_DONE)
		return lz_db_error(l, "count cases", NULL);
	sqlite3_reset(s);
	for (int i = 0; i < LZ_CASE_N; i++)
		ret[i] = sums[i];
	return 0;
}

__u64 lz_cases_automatic(struct lz_ledger *l)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_CASE_AUTO);
	__u64 n = 0;

	if (sqlite3_step(s) == SQLITE_ROW)
		n = (__u64)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return n;
}

/* ---------------------------------------------------------------- transitions */

static void read_transition(sqlite3_stmt *s, void *row)
{
	struct lz_transition *ret = row;

	ret->id = (__u64)sqlite3_column_int64(s, 0);
	ret->case_id = (__u64)sqlite3_column_int64(s, 1);
	ret->time_s = (__u64)sqlite3_column_int64(s, 2);
	ret->until_s = (__u64)sqlite3_column_int64(s, 3);
	ret->due_s = (__u64)sqlite3_column_int64(s, 4);
	ret->generation = (__u64)sqlite3_column_int64(s, 5);
	ret->step_from = sqlite3_column_int(s, 6);
	ret->step_to = sqlite3_column_int(s, 7);
	ret->from = read_state(s, 8);
	ret->to = read_state(s, 9);
	lz_db_text(s, 10, ret->grade, sizeof(ret->grade));
	lz_db_text(s, 11, ret->source, sizeof(ret->source));
	lz_db_text(s, 12, ret->actor, sizeof(ret->actor));
	lz_db_text(s, 13, ret->ticket, sizeof(ret->ticket));
	lz_db_text(s, 14, ret->reason, sizeof(ret->reason));
	lz_db_text(s, 15, ret->evidence, sizeof(ret->evidence));
}

int lz_transition_add(struct lz_ledger *l, const struct lz_transition *t, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_MOVE_ADD);

	sqlite3_bind_int64(s, 1, (__s64)t->case_id);
	sqlite3_bind_int64(s, 2, (__s64)t->time_s);
	sqlite3_bind_int64(s, 3, (__s64)t->until_s);
	sqlite3_bind_int64(s, 4, (__s64)t->due_s);
	sqlite3_bind_int64(s, 5, (__s64)t->generation);
	sqlite3_bind_int(s, 6, t->step_from);
	sqlite3_bind_int(s, 7, t->step_to);
	lz_db_bind(s, 8, lz_case_state_words[t->from]);
	lz_db_bind(s, 9, lz_case_state_words[t->to]);
	lz_db_bind(s, 10, t->grade);
	lz_db_bind(s, 11, t->source);
	lz_db_bind(s, 12, t->actor);
	lz_db_bind(s, 13, t->ticket);
	lz_db_bind(s, 14, t->reason);
	lz_db_bind(s, 15, t->evidence);
	return lz_db_run(l, s, "write a transition", reterr);
}

int lz_transition_before(struct lz_ledger *l, __u64 case_id, __u64 below, struct lz_transition *ret,
			 int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_MOVE_BEFORE);

	sqlite3_bind_int64(s, 1, (__s64)case_id);
	sqlite3_bind_int64(s, 2, below > INT64_MAX ? INT64_MAX : (__s64)below);
	sqlite3_bind_int(s, 3, n);
	return lz_db_rows(l, s, "read transitions", read_transition, ret, sizeof(*ret), n);
}

static void read_id(sqlite3_stmt *s, void *ret)
{
	*(__u64 *)ret = (__u64)sqlite3_column_int64(s, 0);
}

int lz_transition_since(struct lz_ledger *l, __u64 wall_s, const char *who, __u64 after, __u64 *ret,
			int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_MOVE_SINCE);

	sqlite3_bind_int64(s, 1, (__s64)wall_s);
	sqlite3_bind_int64(s, 2, (__s64)after);
	lz_db_bind(s, 3, who);
	sqlite3_bind_int(s, 4, n);
	return lz_db_rows(l, s, "read transitions", read_id, ret, sizeof(*ret), n);
}

bool lz_ledger_knows(struct lz_ledger *l, const char *who)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_WHO_SEEN);
	bool known;

	lz_db_bind(s, 1, who);
	known = sqlite3_step(s) != SQLITE_ROW || sqlite3_column_int(s, 0);
	sqlite3_reset(s);
	return known;
}

static void read_second(sqlite3_stmt *s, void *row)
{
	struct lz_second *ret = row;

	ret->time_s = (__u64)sqlite3_column_int64(s, 0);
	ret->count = (__u32)sqlite3_column_int64(s, 1);
}

int lz_transition_seconds(struct lz_ledger *l, __u64 after_s, __u64 until_s, struct lz_second *ret,
			  int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_MOVE_SECONDS);

	sqlite3_bind_int64(s, 1, (__s64)after_s);
	sqlite3_bind_int64(s, 2, (__s64)until_s);
	sqlite3_bind_int(s, 3, n);
	return lz_db_rows(l, s, "read transitions", read_second, ret, sizeof(*ret), n);
}
