/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* evidence.c - what was seen of a case, bounded; and the tokens its host may let itself out with. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "ledger/db.h"

static enum lz_evidence_kind read_kind(sqlite3_stmt *s, int column)
{
	char word[LZ_EVIDENCE_KIND_TEXT_MAX];

	lz_db_text(s, column, word, sizeof(word));
	for (int i = 0; i < LZ_EVIDENCE_N; i++)
		if (lz_streq(word, lz_evidence_words[i]))
			return i;
	return LZ_EVIDENCE_REPORT;
}

static void read_evidence(sqlite3_stmt *s, void *row)
{
	struct lz_evidence *ret = row;

	*ret = (struct lz_evidence){ .id = (__u64)sqlite3_column_int64(s, 0) };
	ret->case_id = (__u64)sqlite3_column_int64(s, 1);
	ret->time_s = (__u64)sqlite3_column_int64(s, 2);
	ret->value = (__u64)sqlite3_column_int64(s, 3);
	ret->at_most = (__u64)sqlite3_column_int64(s, 4);
	ret->count = (__u32)sqlite3_column_int64(s, 5);
	ret->proven = sqlite3_column_int(s, 6);
	ret->would = sqlite3_column_int(s, 7);
	ret->kind = read_kind(s, 8);
	lz_db_text(s, 9, ret->source, sizeof(ret->source));
	lz_db_text(s, 10, ret->reason_class, sizeof(ret->reason_class));
	lz_db_text(s, 11, ret->text, sizeof(ret->text));
}

static int add_row(struct lz_ledger *l, const struct lz_evidence *e, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_EVIDENCE_ADD);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)e->case_id);
	sqlite3_bind_int64(s, 2, (__s64)e->time_s);
	sqlite3_bind_int64(s, 3, (__s64)e->value);
	sqlite3_bind_int64(s, 4, (__s64)e->at_most);
	sqlite3_bind_int64(s, 5, e->count ? e->count : 1);
	sqlite3_bind_int(s, 6, e->proven);
	sqlite3_bind_int(s, 7, e->would);
	lz_db_bind(s, 8, lz_evidence_words[e->kind]);
	lz_db_bind(s, 9, e->source);
	lz_db_bind(s, 10, e->reason_class);
	lz_db_bind(s, 11, e->text);
	r = lz_db_run(l, s, "write evidence", reterr);
	if (r < 0)
		return r;
	s = lz_db_stmt(l, LZ_SQL_EVIDENCE_TRIM);
	sqlite3_bind_int64(s, 1, (__s64)e->case_id);
	sqlite3_bind_int(s, 2, LZ_EVIDENCE_ROWS_MAX - 1);
	return lz_db_run(l, s, "forget old evidence", reterr);
}

int lz_evidence_add(struct lz_ledger *l, const struct lz_evidence *e, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_EVIDENCE_MORE);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)e->case_id);
	lz_db_bind(s, 2, lz_evidence_words[e->kind]);
	lz_db_bind(s, 3, e->source);
	sqlite3_bind_int64(s, 4, (__s64)e->time_s - LZ_EVIDENCE_MERGE_S);
	sqlite3_bind_int64(s, 5, e->count ? e->count : 1);
	sqlite3_bind_int64(s, 6, (__s64)e->value);
	sqlite3_bind_int64(s, 7, (__s64)e->time_s);
	lz_db_bind(s, 8, e->text);
	r = lz_db_run(l, s, "count evidence", reterr);
	if (r < 0 || sqlite3_changes(l->db))
		return r;
	return add_row(l, e, reterr);
}

int lz_evidence_before(struct lz_ledger *l, __u64 case_id, __u64 below, struct lz_evidence *ret,
		       int n)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_EVIDENCE_BEFORE);

	sqlite3_bind_int64(s, 1, (__s64)case_id);
	sqlite3_bind_int64(s, 2, below > INT64_MAX ? INT64_MAX : (__s64)below);
	sqlite3_bind_int(s, 3, n);
	return lz_db_rows(l, s, "read evidence", read_evidence, ret, sizeof(*ret), n);
}

__u64 lz_evidence_seen(struct lz_ledger *l, __u64 case_id)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_EVIDENCE_SEEN);
	__u64 seen_s = 0;

	sqlite3_bind_int64(s, 1, (__s64)case_id);
	if (sqlite3_step(s) == SQLITE_ROW)
		seen_s = (__u64)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return seen_s;
}

/* ---------------------------------------------------------------- tokens */

static void bind_hash(sqlite3_stmt *s, const __u8 hash[static LZ_TOKEN_HASH_BYTES])
{
	sqlite3_bind_blob(s, 1, hash, LZ_TOKEN_HASH_BYTES, SQLITE_STATIC);
}

int lz_token_add(struct lz_ledger *l, const __u8 hash[static LZ_TOKEN_HASH_BYTES], __u64 case_id,
		 __u64 wall_s, __u64 life_s, int max, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_TOKEN_TRIM);
	int r;

	sqlite3_bind_int64(s, 1, (__s64)case_id);
	sqlite3_bind_int64(s, 2, (__s64)wall_s);
	sqlite3_bind_int64(s, 3, (__s64)(wall_s + life_s));
	sqlite3_bind_int(s, 4, max - 1);
	r = lz_db_run(l, s, "forget old tokens", reterr);
	if (r < 0)
		return r;
	s = lz_db_stmt(l, LZ_SQL_TOKEN_ADD);
	bind_hash(s, hash);
	sqlite3_bind_int64(s, 2, (__s64)case_id);
	sqlite3_bind_int64(s, 3, (__s64)(wall_s + life_s));
	return lz_db_run(l, s, "write a token", reterr);
}

/* A token that ends later than one given now would have been given by a clock since set back. */
int lz_token_take(struct lz_ledger *l, const __u8 hash[static LZ_TOKEN_HASH_BYTES], __u64 case_id,
		  __u64 wall_s, __u64 life_s, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_TOKEN_TAKE);
	int r;

	bind_hash(s, hash);
	sqlite3_bind_int64(s, 2, (__s64)case_id);
	sqlite3_bind_int64(s, 3, (__s64)wall_s);
	sqlite3_bind_int64(s, 4, (__s64)(wall_s + life_s));
	r = lz_db_run(l, s, "use a token", reterr);
	if (r == 0 && !sqlite3_changes(l->db))
		r = lz_err_set(reterr, ENOENT, "token: unknown, used or too old");
	return r;
}

int lz_token_end(struct lz_ledger *l, __u64 case_id, struct lz_err *reterr)
{
	sqlite3_stmt *s = lz_db_stmt(l, LZ_SQL_TOKEN_END);

	sqlite3_bind_int64(s, 1, (__s64)case_id);
	return lz_db_run(l, s, "forget tokens", reterr);
}
