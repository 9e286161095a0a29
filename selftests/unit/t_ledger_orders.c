/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_ledger_orders.c - orders for a hold, one or many at once; their undo, and what is kept of their past. */
#include <errno.h>

#include "base/mem.h"
#include "unit/ledger_dir.h"

static struct lz_held order(__u64 key, const char *source, __u64 made_s, __u32 end_s)
{
	struct lz_held held = { .key = key, .since_s = noon.wall_s, .made_s = made_s, .generation = 1,
				.expiry_s = end_s, .ttl_s = 100, .grade = "garden:leaky", .actor = "root",
				.reason = "because" };

	lz_strcpy(held.source, sizeof(held.source), source);
	return held;
}

static void goes_back(void)
{
	struct lz_held held, was;
	struct lz_past past[4];
	struct lz_now now = { .wall_s = 1800000400, .mono_s = 500 };
	const __u64 key = 7;
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	held = order(7, "operator", 100, 6000);
	T_EQ(lz_held_put(l, &held, NULL), 0, "an operator's");
	held = order(7, "import", 200, 7000);
	T_EQ(lz_held_put(l, &held, NULL), 0, "a list extends it");
	held = order(7, "import", 300, 8000);
	held.known = true;
	T_EQ(lz_held_put(l, &held, NULL), 0, "and again");
	T_EQ(lz_held_count(l), 1, "one entry");
	T_EQ(lz_held_get(l, 7, &held), 0, "it is");
	T_EQ(held.expiry_s, 8000, "as ordered last");
	T_EQ(held.made_s, 300, "when it was ordered");
	T_EQ(held.since_s, noon.wall_s, "not since when he is held");
	T_EQ(lz_held_prior(l, held.prior, &was), 0, "before");
	T_EQ(was.expiry_s, 7000, "before: its end");
	T_EQ(lz_held_prior(l, was.prior, &was), 0, "before that");
	T_STR(was.source, "operator", "before that: the operator's");
	T_ERR(lz_held_prior(l, was.prior, &was), -ENOENT, "before all: nothing");
	lz_held_prior(l, held.prior, &was);
	T_EQ(lz_held_back(l, 7, was.prior, NULL), 0, "back to the operator's");
	T_EQ(lz_held_get(l, 7, &held), 0, "it is");
	T_EQ(held.expiry_s, 6000, "what it was");
	T_EQ(held.prior, 0, "with nothing before");
	T_ERR(lz_held_back(l, 7, 4711, NULL), -ENOENT, "no such order");
	was = order(0, "undo", 400, 0);
	T_EQ(lz_held_end(l, &key, 1, now, &was, NULL), 0, "it ends");
	T_ERR(lz_held_end(l, &key, 1, now, &was, NULL), -ENOENT, "once");
	T_EQ(lz_held_count(l), 0, "none is left");
	T_EQ(lz_past_before(l, 7, past, 4), 1, "but its past");
	T_STR(past[0].source, "operator", "who held");
	T_STR(past[0].by_source, "undo", "who ended it");
	held = order(7, "import", 500, 9000);
	lz_held_put(l, &held, NULL);
	now.mono_s = 9005;
	now.wall_s = 1800000505;
	T_EQ(lz_held_end(l, &key, 1, now, NULL, NULL), 0, "ends by itself");
	T_EQ(lz_past_before(l, 7, past, 4), 2, "two of the past");
	T_STR(past[0].by_source, "", "the newest by its time");
	T_EQ(past[0].ended_s, 1800000500, "when it ended, not when that was seen");
	T_EQ(past[1].ended_s, 1800000400, "and when it was ended early");
	lz_ledger_close(&l);
	T_EQ(ask_sql("SELECT count(*) FROM change WHERE time_s IN (200, 300)"), 2, "what was before is as old as its order");
	remove_dir();
}

/* Many at once is the same as one by one: some are new, some are another order for what there is. */
static void writes_many(void)
{
	struct lz_held held = order(7, "operator", 100, 6000), was;
	struct lz_held_row rows[3] = { { .key = 9ULL << 60 }, { .key = 7 }, { .key = 8 } };
	const __u64 keys[3] = { 9ULL << 60, 8, 4711 };
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	held.case_id = 3;
	T_EQ(lz_held_put(l, &held, NULL), 0, "an operator's");
	T_EQ(lz_ledger_begin(l, NULL), 0, "begin");
	T_EQ(lz_held_rows_get(l, rows, 3, NULL), 0, "look");
	T_OK(!rows[0].known && rows[1].known && !rows[2].known, "one is known");
	T_EQ(rows[1].case_id, 3, "its case");
	T_EQ(rows[1].expiry_s, 6000, "its end");
	T_STR(lz_held_grade(l, rows[1].was.origin), held.grade, "its grade");
	held = order(0, "import", 200, 0);
	for (int i = 0; i < 3; i++) {
		rows[i].since_s = 1800000200;
		rows[i].expiry_s = 7000 + (__u32)i;
		rows[i].ttl_s = 900;
		rows[i].origin = lz_held_origin(l, &held, NULL);
		rows[i].address = i != 1 ? "" : "::ffff:0.0.0.7";
	}
	T_EQ(lz_held_rows_put(l, rows, 3, 1800000200, NULL), 0, "write");
	T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	T_EQ(lz_held_count(l), 3, "three entries");
	T_EQ(lz_held_get(l, 7, &held), 0, "the known one");
	T_EQ(held.expiry_s, 7001, "its new end");
	T_EQ(held.case_id, 3, "still of its case");
	T_STR(held.source, "import", "by the list");
	T_STR(held.address, "::ffff:0.0.0.7", "as it was named");
	T_EQ(lz_held_prior(l, held.prior, &was), 0, "and before");
	T_EQ(was.expiry_s, 6000, "its end before");
	T_STR(was.source, "operator", "by the operator");
	T_EQ(lz_held_get(l, 9ULL << 60, &held), 0, "a new one");
	T_EQ(held.expiry_s, 7000, "its end");
	T_EQ(held.prior, 0, "nothing before");
	lz_ledger_begin(l, NULL);
	T_EQ(lz_held_end(l, keys, 3, noon, NULL, NULL), -ENOENT, "one to be ended is none");
	lz_ledger_rollback(l);
	T_EQ(lz_held_count(l), 3, "then none ends");
	T_EQ(lz_held_end(l, keys, 2, noon, NULL, NULL), 0, "two end");
	T_EQ(lz_held_count(l), 1, "one is left");
	T_EQ(lz_held_lasts(l, 3, 7000), 1, "its case lasts");
	T_EQ(lz_held_lasts(l, 3, 7001), 0, "until its end");
	held = order(8, "import", 300, 9000);
	T_EQ(lz_held_put(l, &held, NULL), 0, "one without a case");
	T_EQ(lz_held_of(l, 0, &was, 1), 0, "is of no case");
	T_EQ(lz_held_lasts(l, 0, 7001), 0, "and lets none last");
	lz_ledger_close(&l);
	remove_dir();
}

/* The list @rows comes again, at @made_s, for 100 s longer. */
static void list_again(struct lz_ledger *l, struct lz_held_row *rows, size_t n, __u64 made_s)
{
	struct lz_held held = order(0, "import", 200, 0);

	T_EQ(lz_held_rows_get(l, rows, n, NULL), 0, "look");
	for (size_t i = 0; i < n; i++) {
		rows[i].expiry_s = (rows[i].known ? rows[i].expiry_s : 6000) + 100;
		rows[i].origin = lz_held_origin(l, &held, NULL);
		rows[i].address = "";
	}
	T_EQ(lz_held_rows_put(l, rows, n, made_s, NULL), 0, "write");
}

/* Entries that were the same before share what is kept of it, others do not. */
static void shares_what_holds_were(void)
{
	struct lz_held_row rows[3] = { { .key = 7 }, { .key = 8 }, { .key = 9 } };
	struct lz_held held[3], was;
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	list_again(l, rows, 2, 1800000200);
	held[0] = order(9, "operator", 100, 6500);
	lz_strcpy(held[0].address, sizeof(held[0].address), "192.0.2.9");
	T_EQ(lz_held_put(l, &held[0], NULL), 0, "one of an operator");
	list_again(l, rows, 3, 1800000300);
	lz_ledger_begin(l, NULL);
	list_again(l, rows, 3, 1800000400);
	lz_ledger_rollback(l);
	lz_ledger_begin(l, NULL);
	list_again(l, rows, 3, 1800000400);
	T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	for (int i = 0; i < 3; i++)
		T_EQ(lz_held_get(l, 7 + (__u64)i, &held[i]), 0, "an entry");
	T_EQ(held[0].prior, held[1].prior, "of the list: one for both");
	T_OK(held[2].prior != held[0].prior, "of the operator: his own");
	T_STR(held[2].address, "192.0.2.9", "with the name that he gave");
	T_EQ(lz_held_prior(l, held[0].prior, &was), 0, "what they were");
	T_EQ(was.expiry_s, 6200, "their end");
	T_EQ(lz_held_prior(l, was.prior, &was), 0, "and before");
	T_EQ(was.expiry_s, 6100, "the first");
	T_EQ(was.prior, 0, "nothing before");
	T_EQ(lz_held_prior(l, held[2].prior, &was), 0, "what the other was");
	T_EQ(was.expiry_s, 6600, "its end");
	T_EQ(lz_held_prior(l, was.prior, &was), 0, "and before");
	T_STR(was.source, "operator", "the operator's");
	T_EQ(lz_held_back(l, 8, held[1].prior, NULL), 0, "one of them goes back");
	T_EQ(lz_held_get(l, 7, &held[0]), 0, "the other");
	T_EQ(held[0].expiry_s, 6300, "does not");
	lz_ledger_close(&l);
	T_EQ(ask_sql("SELECT count(*) FROM change"), 4, "rows for six orders");
	remove_dir();
}

#define ALIKE 600 /* more than are remembered at one time (LZ_KEPT_CACHE): many meet another */
#define MIXED (6 * ALIKE)

/* An entry that differs from its like in one thing only, which is another in each group of them. */
static void put_alike(struct lz_ledger *l, __u64 i)
{
	struct lz_held held = order(100 + i, "import", 100, 6000);
	__u32 n = (__u32)(i % ALIKE), group = (__u32)(i / ALIKE);

	held.since_s += group == 0 ? n : 0;
	held.expiry_s += group == 1 ? n : 0;
	held.ttl_s += group == 2 ? n : 0;
	held.made_s += group == 3 ? n : 0;
	held.case_id = group == 4 ? n : 0;
	T_EQ(lz_held_put(l, &held, NULL), 0, "an order");
	if (group == 5)
		T_EQ(lz_held_put(l, &held, NULL), 0, "the same again: something was before");
}

/* Entries that differ in one thing, and some that are new: each goes back to what it was, and to no other's. */
static void shares_with_its_like_alone(void)
{
	static struct lz_held before[MIXED];
	static struct lz_held_row rows[MIXED];
	size_t wrong = 0, priors = 0;
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	lz_ledger_begin(l, NULL);
	for (size_t i = 0; i < MIXED; i++) {
		rows[i] = (struct lz_held_row){ .key = 100 + i, .known = true, .address = "" }; /* of the list before */
		if (i % 5 == 4)
			continue;
		put_alike(l, i);
		T_EQ(lz_held_get(l, 100 + i, &before[i]), 0, "as it is");
	}
	T_EQ(lz_held_rows_get(l, rows, MIXED, NULL), 0, "look");
	for (size_t i = 0; i < MIXED; i++) {
		wrong += rows[i].known != !!before[i].key;
		rows[i].since_s = rows[i].known ? rows[i].since_s : 9;
		rows[i].expiry_s = 9000;
		rows[i].origin = rows[0].was.origin;
	}
	T_EQ(wrong, 0, "what was deleted meanwhile is known no more");
	T_EQ(lz_held_rows_put(l, rows, MIXED, 200, NULL), 0, "a list");
	for (size_t i = 0; i < MIXED; i++) {
		struct lz_held now, was;

		if (lz_held_get(l, 100 + i, &now) < 0 || !before[i].key) {
			wrong += now.prior != 0;
			continue;
		}
		priors++;
		wrong += lz_held_prior(l, now.prior, &was) < 0 || was.since_s != before[i].since_s ||
			 was.expiry_s != before[i].expiry_s || was.ttl_s != before[i].ttl_s ||
			 was.case_id != before[i].case_id || was.prior != before[i].prior ||
			 was.made_s != before[i].made_s || strcmp(was.source, before[i].source);
	}
	T_EQ(wrong, 0, "each was what it was");
	T_OK(priors > MIXED / 2, "many have something before");
	T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	lz_ledger_close(&l);
	remove_dir();
}

/* An order is of its time: who is pruned with it was ordered then. */
static void shares_within_one_order(void)
{
	struct lz_held_row rows[2] = { { .key = 7 }, { .key = 8 } };
	struct lz_held a, b;
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	list_again(l, rows, 2, 1800000200);
	list_again(l, rows, 1, 1800000300);
	list_again(l, rows + 1, 1, 1800000400);
	T_EQ(lz_held_get(l, 7, &a), 0, "of the first");
	T_EQ(lz_held_get(l, 8, &b), 0, "of the second");
	T_OK(a.prior != b.prior, "each list keeps what it changed");
	lz_ledger_close(&l);
	T_EQ(ask_sql("SELECT count(DISTINCT time_s) FROM change"), 2, "with its time");
	remove_dir();
}

/* The last key there is, as SQLite counts. */
static void walks_to_the_last(void)
{
	struct lz_held held = order(0x7fffffffffffffff, "import", 100, 6000);
	struct lz_held_walk walk = { 0 };
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(lz_held_put(l, &held, NULL), 0, "put");
	T_EQ(lz_held_next(l, &walk, &held, 1), 1, "the last");
	T_EQ(lz_held_next(l, &walk, &held, 1), 0, "and no more");
	lz_ledger_close(&l);
	remove_dir();
}

/* What entries were before is kept of so many orders, the newest. */
static void bounds_what_holds_were(void)
{
	struct lz_held held = order(7, "import", 100, 6000), was;
	struct lz_held_row row = { .key = 7, .address = "" };
	struct lz_ledger *l;
	__u64 oldest;

	make_dir();
	l = open_at(BOOT_A, noon);
	lz_held_put(l, &held, NULL);
	for (int i = 0; i < 3; i++) {
		if (i == 2) { /* as if very many had been ordered meanwhile */
			lz_ledger_close(&l);
			for (int id = 3; id <= 10; id++)
				run_sql("INSERT INTO change SELECT (SELECT max(id) FROM change) + 1, key, time_s, "
					"since_s, expiry_s, ttl_s, origin, case_id, prior FROM change WHERE id = 1");
			run_sql("INSERT INTO change SELECT id + 2000000, key, time_s, since_s, expiry_s, "
				"ttl_s, origin, case_id, prior FROM change");
			l = open_at(BOOT_A, noon);
		}
		lz_ledger_begin(l, NULL);
		lz_held_rows_get(l, &row, 1, NULL);
		row.expiry_s += 100;
		row.origin = row.was.origin;
		T_EQ(lz_held_rows_put(l, &row, 1, 1800000200, NULL), 0, "another order");
		T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	}
	lz_held_get(l, 7, &held);
	T_EQ(held.expiry_s, 6300, "the newest is in force");
	T_EQ(held.prior, 2000011, "its number is behind all there are");
	T_EQ(lz_held_prior(l, held.prior, &was), 0, "what it was before is known");
	T_EQ(was.expiry_s, 6200, "with its end");
	oldest = was.prior;
	T_EQ(oldest, 2, "and before that");
	T_ERR(lz_held_prior(l, oldest, &was), -ENOENT, "no more, there are too many");
	lz_ledger_close(&l);
	T_EQ(ask_sql("SELECT min(id) FROM change"), 5, "but one order deletes no more than four others");
	remove_dir();
}

/* What a batch that was rolled back wrote is not referred to afterwards. */
static void forgets_with_the_batch(void)
{
	struct lz_held held = order(7, "import", 100, 6000);
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	lz_ledger_begin(l, NULL);
	lz_held_put(l, &held, NULL);
	lz_ledger_rollback(l);
	T_EQ(lz_held_put(l, &held, NULL), 0, "again");
	T_EQ(lz_held_get(l, 7, &held), 0, "there");
	T_STR(held.reason, "because", "with its reason");
	lz_ledger_close(&l);
	remove_dir();
}

/* All keys of a customer, of which some are held: as his case's, another's, for longer, not at all. */
static void writes_a_customers(void)
{
	static const __u64 keys[] = { 9ULL << 60, 5, 10, 20, 30, 40 };
	struct lz_held v[6] = { { .key = 0 } }, held, was;
	struct lz_held_key *his = NULL;
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	for (int i = 2; i < 5; i++) {
		held = order(keys[i], "operator", 100, i == 4 ? 9000 : 6000);
		held.case_id = i == 3 ? 6 : 5;
		lz_strcpy(held.address, sizeof(held.address), i == 2 ? "192.0.2.7" : "");
		T_EQ(lz_held_put(l, &held, NULL), 0, "held before");
	}
	for (int i = 0; i < 6; i++)
		v[i].key = keys[i];
	T_EQ(lz_held_get_many(l, v, 6, NULL), 0, "look");
	T_OK(!v[0].known && !v[1].known && v[2].known && v[3].known && v[4].known && !v[5].known, "three are known");
	T_EQ(v[3].case_id, 6, "of which case");
	T_STR(v[4].source, "operator", "by whom");
	T_EQ(lz_held_keys_of(l, 5, &his), 2, "two of this case");
	T_OK(his[0].key == 10 && his[0].named && his[0].expiry_s == 6000, "one by an address");
	T_OK(his[1].key == 30 && !his[1].named && his[1].expiry_s == 9000, "one by its key");
	free(his);
	T_EQ(lz_held_keys_of(l, 4711, &his), 0, "none of a case that there is not");
	free(his);
	for (int i = 0; i < 6; i++) {
		v[i] = order(keys[i], "limit:spam", 200, 7000);
		v[i].case_id = 5;
		v[i].address[0] = '\0';
	}
	T_EQ(lz_ledger_begin(l, NULL), 0, "begin");
	T_EQ(lz_held_put_many(l, v, 6, NULL), 0, "all in one");
	T_EQ(lz_ledger_commit(l, NULL), 0, "commit");
	T_EQ(lz_held_count(l), 6, "six entries");
	for (int i = 0; i < 6; i++) {
		T_EQ(lz_held_get(l, keys[i], &held), 0, "each");
		T_EQ(held.expiry_s, 7000, "until then");
		T_EQ(held.case_id, 5, "of this case");
		T_STR(held.source, "limit:spam", "by that");
		T_STR(held.address, "", "named by its key");
		T_EQ(!!held.prior, i >= 2 && i < 5, "with an order before if there was one");
		T_EQ(held.prior ? lz_held_prior(l, held.prior, &was) : -ENOENT, held.prior ? 0 : -ENOENT, "which is kept");
		if (held.prior)
			T_EQ(was.expiry_s, i == 4 ? 9000 : 6000, "with its end");
		if (held.prior)
			T_EQ(was.case_id, i == 3 ? 6 : 5, "and its case");
	}
	v[5].key = 4711;
	T_EQ(lz_held_del_many(l, v, 6, NULL), 0, "five go, one is none");
	T_EQ(lz_held_count(l), 1, "one is left");
	T_EQ(lz_held_get(l, 40, &held), 0, "that one");
	lz_ledger_close(&l);
	remove_dir();
}

static const struct t_case cases[] = {
	{ "an entry goes back to what it was", goes_back },
	{ "many at once", writes_many },
	{ "all of a customer at once", writes_a_customers },
	{ "what holds were is shared", shares_what_holds_were },
	{ "with its like alone", shares_with_its_like_alone },
	{ "within one order", shares_within_one_order },
	{ "a walk to the last key", walks_to_the_last },
	{ "what holds were is bounded", bounds_what_holds_were },
	{ "a rolled back batch leaves no trace", forgets_with_the_batch },
};

int main(void)
{
	return T_MAIN(cases);
}
