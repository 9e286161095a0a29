/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_ledger.c - what was written is there: holds and walks over them, batches, policies, exceptions, notes. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "unit/ledger_dir.h"

static void keeps_a_hold(void)
{
	struct lz_ledger *l;
	struct lz_held got;

	make_dir();
	l = open_at(BOOT_A, noon);
	put_one(l, 0xc0000207, 3600, noon);
	put_one(l, 0xc0000207, 7200, noon);
	put_one(l, 0xfc00000000000000ULL, 3600, noon);
	T_EQ(lz_held_count(l), 2, "a hold written twice is one");
	T_ERR(lz_held_get(l, 0xc0000207, &got), 0, "get");
	T_EQ(got.ttl_s, 7200, "ttl");
	T_STR(got.grade, "garden:strict", "grade");
	T_EQ(got.generation, 7, "generation");
	T_STR(got.ticket, "RT-4711", "ticket");
	T_STR(got.reason, "spam trap", "reason");
	T_OK(!got.staff_only, "he may let himself out");
	got.staff_only = true; /* and nothing else: another order all the same */
	T_EQ(lz_held_put(l, &got, NULL), 0, "put");
	got.staff_only = false;
	T_EQ(lz_held_get(l, 0xc0000207, &got), 0, "get");
	T_OK(got.staff_only, "he may not");
	T_ERR(lz_held_get(l, 0xc0000208, &got), -ENOENT, "not there");
	T_ERR(lz_held_del(l, 0xc0000207, NULL), 0, "delete");
	T_ERR(lz_held_del(l, 0xc0000207, NULL), -ENOENT, "delete again");
	T_EQ(lz_held_count(l), 1, "one is left");
	lz_ledger_close(&l);
	l = open_at(BOOT_A, noon);
	T_EQ(lz_held_count(l), 1, "counted anew");
	T_ERR(lz_held_get(l, 0xfc00000000000000ULL, &got), 0, "a key with the top bit set");
	lz_ledger_close(&l);
	remove_dir();
}

static void walks_past_writes(void)
{
	struct lz_ended ended[3];
	struct lz_held_walk walk = { 0 };
	struct lz_held got[3];
	struct lz_ledger *l;
	int n, total = 0;

	make_dir();
	l = open_at(BOOT_A, noon);
	for (__u64 i = 0; i < 10; i++)
		put_one(l, i < 5 ? 100 + i : UINT64_MAX - i, 60, noon);
	while ((n = lz_held_next(l, &walk, got, 3)) > 0) {
		total += n;
		lz_held_del(l, got[0].key, NULL);
	}
	T_EQ(total, 10, "each hold once, although some went in between");
	T_EQ(lz_held_due(l, noon.mono_s + 59, ended, 3), 0, "none has ended");
	T_EQ(lz_held_due(l, noon.mono_s + 60, ended, 3), 3, "at its end a hold has ended");
	T_EQ(ended[0].expiry_s, noon.mono_s + 60, "and says when");
	lz_ledger_close(&l);
	remove_dir();
}

/* Texts that many rows share are read once, and never after the row they were in has gone. */
static void walks_with_its_texts(void)
{
	struct lz_held_walk walk = { 0 };
	struct lz_held held = { .key = 7, .since_s = noon.wall_s, .expiry_s = 4000, .ttl_s = 60,
				.reason = "first", .grade = "garden:leaky", .ticket = "T-1" };
	struct lz_held got = { 0 }, want = { 0 };
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	lz_ledger_begin(l, NULL);
	T_EQ(lz_held_put(l, &held, NULL), 0, "in a batch");
	T_EQ(lz_held_next(l, &walk, &got, 1), 1, "it is seen");
	T_STR(got.reason, "first", "with its reason");
	lz_ledger_rollback(l);
	strcpy(held.reason, "second");
	T_EQ(lz_held_put(l, &held, NULL), 0, "another one in its place");
	walk = (struct lz_held_walk){ 0 };
	T_EQ(lz_held_next(l, &walk, &got, 1), 1, "that is seen");
	T_EQ(lz_held_get(l, 7, &want), 0, "and found");
	T_STR(got.reason, "second", "with its own reason");
	T_OK(got.origin > 0, "and the id of it");
	got.origin = want.origin;
	T_OK(!memcmp(&got, &want, sizeof(got)), "a walk and a look say the same");
	lz_ledger_close(&l);
	remove_dir();
}

static void gives_its_cache_back(void)
{
	struct lz_ledger *l;
	struct lz_held row;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(lz_ledger_begin(l, NULL), 0, "a list");
	for (__u32 i = 0; i < 200000; i++)
		if (lz_held_put(l, &(struct lz_held){ .key = i + 1, .ttl_s = 3600, .expiry_s = 9000,
						      .grade = "block25" }, NULL) < 0)
			T_OK(false, "put");
	T_OK(!lz_ledger_shed_idle(l), "not while it is written");
	T_EQ(lz_ledger_commit(l, NULL), 0, "written");
	for (__u32 i = 0; i < 1000; i++)
		T_EQ(lz_held_get(l, 1 + i, &row), 0, "read");
	T_OK(!lz_ledger_shed_idle(l), "not right after it was read");
	T_EQ(lz_held_get(l, 7, &row), 0, "one is asked for now and then");
	T_OK(lz_ledger_shed_idle(l), "but soon after");
	T_OK(!lz_ledger_shed_idle(l), "once");
	T_EQ(lz_held_get(l, 99999, &row), 0, "and all is there");
	lz_ledger_close(&l);
	remove_dir();
}

static void rolls_a_batch_back(void)
{
	struct lz_ledger *l;
	struct lz_err err;

	make_dir();
	l = open_at(BOOT_A, noon);
	put_one(l, 1, 60, noon);
	T_ERR(lz_ledger_begin(l, NULL), 0, "begin");
	T_OK(lz_ledger_in_batch(l), "in a batch");
	T_ERR(lz_ledger_begin(l, &err), -EALREADY, "batches do not nest");
	put_one(l, 2, 60, noon);
	T_EQ(lz_held_count(l), 2, "counted inside");
	lz_ledger_rollback(l);
	T_EQ(lz_held_count(l), 1, "gone");
	T_OK(!lz_ledger_in_batch(l), "no batch");
	lz_ledger_close(&l);
	remove_dir();
}

static void keeps_policies(void)
{
	struct lz_applied row = { .generation = 1, .applied_s = 100, .name = "a", .actor = "root",
				  .file = "a.json", .state = LZ_STATE_CONFIRMED };
	lz_autofree char *text = NULL, *ids = NULL;
	struct lz_applied got[2];
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(lz_applied_highest(l), 0, "none yet");
	T_ERR(lz_applied_add(l, &row, "{\"version\": 1}", "{}", NULL), 0, "add");
	T_ERR(lz_applied_add(l, &row, "x", "", NULL), -EEXIST, "a generation is written once");
	T_OK(!lz_ledger_in_batch(l), "refused, and no transaction is left open");
	row.generation = 2;
	strcpy(row.state, LZ_STATE_PENDING);
	T_ERR(lz_applied_add(l, &row, "2", "", NULL), 0, "add");
	T_EQ(lz_applied_highest(l), 2, "highest");
	T_ERR(lz_applied_last(l, LZ_STATE_CONFIRMED, UINT64_MAX, got), 0, "last confirmed");
	T_EQ(got[0].generation, 1, "is the first");
	T_ERR(lz_applied_last(l, LZ_STATE_CONFIRMED, 1, got), -ENOENT, "none before it");
	T_ERR(lz_applied_state(l, 2, LZ_STATE_CONFIRMED, NULL), 0, "confirm");
	T_ERR(lz_applied_state(l, 3, LZ_STATE_CONFIRMED, NULL), -ENOENT, "confirm what is not");
	T_ERR(lz_applied_get(l, 1, got, &text, &ids), 0, "get");
	T_STR(text, "{\"version\": 1}", "its text");
	T_STR(ids, "{}", "its ids");
	T_EQ(got[0].origin, 1, "its own text");
	T_EQ(lz_applied_before(l, UINT64_MAX, got, 2), 2, "history");
	T_EQ(got[0].generation, 2, "newest first");
	T_ERR(lz_applied_forget(l, (__u64[]){ 2 }, 1, NULL), 0, "forget the first's text");
	free(TAKE_PTR(text));
	free(TAKE_PTR(ids));
	T_ERR(lz_applied_get(l, 1, got, &text, &ids), 0, "its row stays");
	T_OK(!got[0].has_text && !text[0] && !ids[0], "without a text");
	T_STR(got[0].name, "a", "with its name");
	free(TAKE_PTR(text));
	T_ERR(lz_applied_get(l, 2, got, &text, NULL), 0, "the other");
	T_OK(got[0].has_text, "has one");
	T_STR(text, "2", "as it was");
	T_ERR(lz_ledger_begin(l, NULL), 0, "in a transaction of the caller's");
	row.generation = 3;
	row.base = 2;
	T_ERR(lz_applied_add(l, &row, "3", "", NULL), 0, "add");
	T_ERR(lz_applied_forget(l, (__u64[]){ 3 }, 1, NULL), 0, "forget");
	T_ERR(lz_applied_get(l, 3, got, NULL, NULL), 0, "get");
	T_OK(got[0].has_text && got[0].base == 2, "as written");
	lz_ledger_rollback(l);
	T_ERR(lz_applied_get(l, 3, got, NULL, NULL), -ENOENT, "all of it is undone with that");
	T_ERR(lz_applied_get(l, 2, got, NULL, NULL), 0, "and nothing");
	T_OK(got[0].has_text, "is forgotten");
	lz_ledger_close(&l);
	remove_dir();
}

/* As an import writes them, and their common end closes the books. */
static void keeps_exceptions_of_a_batch(void)
{
	struct lz_granted grant = { .until_s = 200, .flags = 1, .ticket = "T-1", .actor = "root" }, got;
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_ERR(lz_prefix_parse("192.0.2.0/25", &grant.prefix, NULL), 0, "prefix");
	T_ERR(lz_granted_put(l, &grant, NULL), 0, "one before");
	T_ERR(lz_ledger_begin(l, NULL), 0, "begin");
	lz_text_set(grant.ticket, sizeof(grant.ticket), "T-2");
	T_ERR(lz_granted_put(l, &grant, NULL), 0, "another in its place");
	T_ERR(lz_prefix_parse("2001:db8::/56", &grant.prefix, NULL), 0, "prefix");
	T_ERR(lz_granted_put(l, &grant, NULL), 0, "a second");
	T_EQ(lz_granted_count(l), 2, "are counted while they are written");
	lz_ledger_rollback(l);
	T_EQ(lz_granted_count(l), 1, "not if they do not stand");
	T_ERR(lz_granted_get(l, &grant.prefix, &got), -ENOENT, "the second is none");
	T_ERR(lz_granted_next(l, NULL, &got, 1), 1, "the first");
	T_STR(got.ticket, "T-1", "is as it was");
	T_ERR(lz_ledger_begin_lazy(l, NULL), 0, "begin a batch that nobody waits for");
	T_ERR(lz_granted_del(l, &got.prefix, NULL), 0, "the first ends");
	T_ERR(lz_granted_del(l, &grant.prefix, NULL), -ENOENT, "the second was none");
	T_ERR(lz_ledger_commit(l, NULL), 0, "commit");
	T_EQ(lz_granted_count(l), 0, "none is left");
	lz_ledger_close(&l);
	l = open_at(BOOT_A, noon);
	T_EQ(lz_granted_count(l), 0, "nor after a start");
	lz_ledger_close(&l);
	remove_dir();
}

static void keeps_exceptions_and_notes(void)
{
	struct lz_granted grant = { .until_s = 200, .flags = 1, .ticket = "T-1", .actor = "root" };
	struct lz_note note = { .time_s = 100, .key = 9, .event = "held", .actor = "root" };
	struct lz_granted grants[4];
	struct lz_note notes[4];
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_ERR(lz_prefix_parse("192.0.2.0/25", &grant.prefix, NULL), 0, "prefix");
	T_ERR(lz_granted_put(l, &grant, NULL), 0, "grant");
	T_ERR(lz_granted_put(l, &grant, NULL), 0, "grant again");
	T_ERR(lz_prefix_parse("2001:db8::/56", &grant.prefix, NULL), 0, "prefix");
	T_ERR(lz_granted_put(l, &grant, NULL), 0, "grant");
	T_EQ(lz_granted_count(l), 2, "two");
	T_EQ(lz_granted_next(l, NULL, grants, 4), 2, "both are listed");
	T_EQ(lz_granted_next(l, &grants[0].prefix, grants, 4), 1, "from the first on: one");
	T_ERR(lz_granted_del(l, &grant.prefix, NULL), 0, "delete");
	T_ERR(lz_granted_del(l, &grant.prefix, NULL), -ENOENT, "delete again");
	for (int i = 0; i < 3; i++)
		T_ERR(lz_note_add(l, &note, NULL), 0, "note");
	note.time_s = 1000;
	T_ERR(lz_note_add(l, &note, NULL), 0, "note");
	T_EQ(lz_note_before(l, 9, UINT64_MAX, notes, 4), 4, "four");
	T_EQ(notes[0].time_s, 1000, "newest first");
	T_EQ(lz_note_before(l, 9, notes[1].id, notes, 4), 2, "older ones");
	T_EQ(lz_note_before(l, 8, UINT64_MAX, notes, 4), 0, "none of another key");
	T_EQ(lz_note_prune(l, 500, 2), 2, "pruned in slices");
	T_EQ(lz_note_prune(l, 500, 9), 1, "the rest");
	T_EQ(lz_note_prune(l, 500, 9), 0, "nothing older");
	lz_ledger_close(&l);
	remove_dir();
}

static const struct t_case cases[] = {
	{ "keeps a hold", keeps_a_hold },
	{ "walks past writes", walks_past_writes },
	{ "a walk over the holds has each with its texts", walks_with_its_texts },
	{ "gives its cache back when it is not read", gives_its_cache_back },
	{ "rolls a batch back", rolls_a_batch_back },
	{ "keeps policies", keeps_policies },
	{ "keeps exceptions of a batch", keeps_exceptions_of_a_batch },
	{ "keeps exceptions and notes", keeps_exceptions_and_notes },
};

int main(void)
{
	return T_MAIN(cases);
}
