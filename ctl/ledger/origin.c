/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * origin.c - who, why, how hard. Entries that say the same share a row: the ones written lately are
 * remembered by a hash of what they say, which is all an import needs; those read lately by their id, so
 * that a walk over all holds looks up each but once.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "ledger/db.h"

/* FNV-1a; a collision costs a row, not the truth: what is found is compared. */
static __u32 hash_text(__u32 hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (__u8)*text) * 16777619u;
	return (hash ^ 0xff) * 16777619u;
}

static struct lz_origin *find_slot(struct lz_ledger *l, const struct lz_origin *o)
{
	__u32 hash = 2166136261u;

	hash = hash_text(hash, o->reason);
	hash = hash_text(hash, o->ticket);
	hash = hash_text(hash, o->grade);
	hash = hash_text(hash, o->source);
	hash = hash_text(hash, o->actor);
	return &l->origins[(hash ^ hash >> 16) % LZ_ORIGIN_CACHE];
}

static bool says_the_same(const struct lz_origin *a, const struct lz_origin *b)
{
	return a->id && a->time_s == b->time_s && a->generation == b->generation &&
	       lz_streq(a->grade, b->grade) && lz_streq(a->source, b->source) &&
	       lz_streq(a->actor, b->actor) && lz_streq(a->ticket, b->ticket) &&
	       lz_streq(a->reason, b->reason) && a->staff_only == b->staff_only;
}

__s64 lz_origin_put(struct lz_ledger *l, const struct lz_origin *o, struct lz_err *reterr)
{
	struct lz_origin *slot = find_slot(l, o);
	sqlite3_stmt *s;
	int r;

	if (says_the_same(slot, o))
		return slot->id;
	s = lz_db_stmt(l, LZ_SQL_ORIGIN_ADD);
	sqlite3_bind_int64(s, 1, (__s64)o->time_s);
	sqlite3_bind_int64(s, 2, (__s64)o->generation);
	lz_db_bind(s, 3, o->grade);
	lz_db_bind(s, 4, o->source);
	lz_db_bind(s, 5, o->actor);
	lz_db_bind(s, 6, o->ticket);
	lz_db_bind(s, 7, o->reason);
	sqlite3_bind_int(s, 8, o->staff_only);
	r = lz_db_run(l, s, "write an origin", reterr);
	if (r < 0)
		return r;
	*slot = *o;
	slot->id = sqlite3_last_insert_rowid(l->db);
	return slot->id;
}

void lz_origin_read(sqlite3_stmt *s, int first, struct lz_origin *ret)
{
	ret->time_s = (__u64)sqlite3_column_int64(s, first);
	ret->generation = (__u64)sqlite3_column_int64(s, first + 1);
	lz_db_text(s, first + 2, ret->grade, sizeof(ret->grade));
	lz_db_text(s, first + 3, ret->source, sizeof(ret->source));
	lz_db_text(s, first + 4, ret->actor, sizeof(ret->actor));
	lz_db_text(s, first + 5, ret->ticket, sizeof(ret->ticket));
	lz_db_text(s, first + 6, ret->reason, sizeof(ret->reason));
	ret->staff_only = sqlite3_column_int(s, first + 7);
}

static void read_row(sqlite3_stmt *s, void *row)
{
	struct lz_origin *ret = row;

	ret->id = sqlite3_column_int64(s, 0);
	lz_origin_read(s, 1, ret);
}

const struct lz_origin *lz_origin_get(struct lz_ledger *l, __s64 id)
{
	static const struct lz_origin none;
	struct lz_origin *slot = &l->seen[(__u64)id % LZ_ORIGIN_CACHE];
	sqlite3_stmt *s;

	if (slot->id && slot->id == id)
		return slot;
	s = lz_db_stmt(l, LZ_SQL_ORIGIN_GET);
	sqlite3_bind_int64(s, 1, id);
	if (lz_db_rows(l, s, "read an origin", read_row, slot, sizeof(*slot), 1) == 1)
		return slot;
	slot->id = 0;
	return &none;
}

void lz_origin_forget(struct lz_ledger *l)
{
	memset(l->origins, 0, sizeof(l->origins));
	memset(l->seen, 0, sizeof(l->seen));
}
