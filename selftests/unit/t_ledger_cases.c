/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_ledger_cases.c - cases and their transitions, evidence, tokens, who looked. */
#include <errno.h>
#include <stdint.h>

#include "unit/ledger_dir.h"

static void keeps_cases(void)
{
	struct lz_case c = { .key = 7, .state = LZ_CASE_BLOCKED25, .step = 2, .for_s = 60, .self_releases = 1,
			     .staff_only = true, .opened_s = 10, .changed_s = 20, .due_s = 30, .until_s = 40,
			     .evidence_s = 50, .acted_s = 60, .freed_s = 70, .customer = "C1", .ladder = "home",
			     .reason_class = LZ_CLASS_VOLUME, .source = "limit:spam" };
	struct lz_transition t = { .time_s = 20, .until_s = 40, .generation = 3, .step_from = -1, .step_to = 2,
				   .from = LZ_CASE_OBSERVED, .to = LZ_CASE_BLOCKED25, .grade = "block25",
				   .source = "limit:spam", .actor = "lazaretd", .reason = "over",
				   .evidence = "300 of 300" };
	struct lz_transition back[2];
	__u64 sums[LZ_CASE_N], ids[2];
	struct lz_second seconds[2];
	struct lz_case got, due[2];
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	lz_grade_parse("block25", &c.grade, NULL);
	lz_case_act(&c, "limit:hour", 55);
	lz_case_act(&c, "limit:spam", 60);
	T_EQ(lz_case_put(l, &c, NULL), 0, "new");
	T_OK(c.id > 0, "has an id");
	T_EQ(lz_case_get(l, c.id, &got), 0, "get");
	T_OK(got.state == c.state && got.step == 2 && got.for_s == 60 && got.self_releases == 1 &&
		     got.staff_only && got.opened_s == 10 && got.changed_s == 20 && got.due_s == 30 &&
		     got.until_s == 40 && got.evidence_s == 50 && got.acted_s == 60 && got.freed_s == 70,
	     "every number");
	T_EQ(lz_case_acted_s(&got, "limit:hour"), 55, "which limit moved it when");
	T_EQ(lz_case_acted_s(&got, "limit:spam"), 60, "and which last");
	T_EQ(lz_case_acted_s(&got, "limit:day"), 0, "and no other");
	T_STR(got.customer, "C1", "customer");
	T_STR(got.ladder, "home", "ladder");
	T_EQ(got.grade.kind, LZ_GRADE_IS_BLOCK25, "grade");
	T_EQ(lz_case_find(l, 99, "C1", &got), 0, "by customer, whatever the address");
	T_ERR(lz_case_find(l, 7, "", &got), -ENOENT, "not by the address: it is the customer's");
	T_EQ(lz_cases_automatic(l), 1, "held by a limit");
	T_EQ(lz_case_sums(l, sums), 0, "sums");
	T_EQ(sums[LZ_CASE_BLOCKED25], 1, "one");
	T_EQ(lz_case_due(l, 29, due, 2), 0, "not due");
	T_EQ(lz_case_due(l, 30, due, 2), 1, "due");
	t.case_id = c.id;
	T_EQ(lz_transition_add(l, &t, NULL), 0, "a transition");
	T_EQ(lz_transition_before(l, c.id, UINT64_MAX, back, 2), 1, "is there");
	T_OK(back[0].from == t.from && back[0].to == t.to && back[0].step_from == -1 && back[0].step_to == 2,
	     "with its arrow");
	T_STR(back[0].evidence, "300 of 300", "and its evidence");
	T_EQ(lz_transition_since(l, 20, "limit:spam", 0, ids, 2), 1, "by source");
	T_EQ(lz_transition_since(l, 20, "lazaretd", 0, ids, 2), 1, "by actor");
	T_EQ(lz_transition_since(l, 20, "root", 0, ids, 2), 0, "not by another");
	T_EQ(lz_transition_since(l, 21, "", 0, ids, 2), 0, "not since then");
	T_EQ(lz_transition_seconds(l, 19, 20, seconds, 2), 1, "held by itself in this second");
	T_EQ(lz_transition_seconds(l, 20, 30, seconds, 2), 0, "not after it");
	T_EQ(lz_ledger_prune(l, 21, 10), 0, "however old");
	T_EQ(lz_case_get(l, c.id, &got), 0, "one that is open stays");
	c.state = LZ_CASE_CLOSED;
	c.due_s = 0;
	T_EQ(lz_case_put(l, &c, NULL), 0, "closed");
	T_EQ(lz_case_due(l, 1000, due, 2), 0, "the clock has nothing to do");
	T_EQ(lz_ledger_prune(l, 20, 10), 0, "not old enough");
	T_EQ(lz_case_get(l, c.id, &got), 0, "there");
	T_EQ(lz_ledger_prune(l, 21, 10), 0, "old enough");
	T_ERR(lz_case_get(l, c.id, &got), -ENOENT, "gone");
	T_EQ(lz_transition_before(l, c.id, UINT64_MAX, back, 2), 0, "with its transitions");
	c.id += 1;
	T_ERR(lz_case_put(l, &c, NULL), -ENOENT, "no such case");
	lz_ledger_close(&l);
	remove_dir();
}

static void bounds_evidence(void)
{
	struct lz_evidence e = { .case_id = 1, .time_s = 1000, .value = 5, .kind = LZ_EVIDENCE_LIMIT,
				 .proven = true, .source = "limit:spam", .reason_class = LZ_CLASS_VOLUME,
				 .text = "over" };
	static struct lz_evidence got[LZ_EVIDENCE_ROWS_MAX + 10];
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(lz_evidence_add(l, &e, NULL), 0, "first");
	e.time_s += LZ_EVIDENCE_MERGE_S - 1;
	e.value = 9;
	T_EQ(lz_evidence_add(l, &e, NULL), 0, "the same within a minute");
	T_EQ(lz_evidence_before(l, 1, UINT64_MAX, got, 9), 1, "is one row");
	T_EQ(got[0].count, 2, "counted");
	T_EQ(got[0].value, 9, "with the larger value");
	e.value = 7;
	T_EQ(lz_evidence_add(l, &e, NULL), 0, "and once more");
	T_EQ(lz_evidence_before(l, 1, UINT64_MAX, got, 9), 1, "in it");
	T_EQ(got[0].value, 9, "with the largest value");
	T_EQ(lz_evidence_seen(l, 1), e.time_s, "seen last");
	e.time_s += 1000;
	e.would = true;
	T_EQ(lz_evidence_add(l, &e, NULL), 0, "of a rule in monitor mode");
	T_OK(lz_evidence_seen(l, 1) < e.time_s, "does not count as seen");
	e.would = false;
	lz_ledger_begin(l, NULL);
	for (int i = 0; i < 3 * LZ_EVIDENCE_ROWS_MAX; i++) {
		e.time_s += LZ_EVIDENCE_MERGE_S + 1;
		T_EQ(lz_evidence_add(l, &e, NULL), 0, "more and more");
	}
	lz_ledger_commit(l, NULL);
	T_EQ(lz_evidence_before(l, 1, UINT64_MAX, got, LZ_EVIDENCE_ROWS_MAX + 10), LZ_EVIDENCE_ROWS_MAX,
	     "bounded");
	T_EQ(got[LZ_EVIDENCE_ROWS_MAX - 1].id, 1, "the first is kept");
	T_EQ(got[0].time_s, e.time_s, "and the newest");
	lz_ledger_close(&l);
	remove_dir();
}

static void uses_tokens_up(void)
{
	__u8 hash[6][LZ_TOKEN_HASH_BYTES] = { { 1 }, { 2 }, { 3 }, { 4 }, { 5 }, { 6 } };
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(lz_token_add(l, hash[0], 1, 1000, 100, 4, NULL), 0, "a token");
	T_ERR(lz_token_take(l, hash[0], 2, 1010, 100, NULL), -ENOENT, "not another's");
	T_ERR(lz_token_take(l, hash[1], 1, 1010, 100, NULL), -ENOENT, "not an unknown one");
	T_EQ(lz_token_take(l, hash[0], 1, 1010, 100, NULL), 0, "used");
	T_ERR(lz_token_take(l, hash[0], 1, 1010, 100, NULL), -ENOENT, "once");
	T_EQ(lz_token_add(l, hash[0], 1, 1000, 100, 4, NULL), 0, "another");
	T_ERR(lz_token_take(l, hash[0], 1, 1100, 100, NULL), -ENOENT, "too late");
	T_ERR(lz_token_take(l, hash[0], 1, 900, 100, NULL), -ENOENT, "the clock was set back");
	T_EQ(lz_token_end(l, 1, NULL), 0, "begin anew");
	for (int i = 0; i < 6; i++)
		T_EQ(lz_token_add(l, hash[i], 7, 2000 + (__u64)i, 100, 4, NULL), 0, "many");
	T_ERR(lz_token_take(l, hash[1], 7, 2010, 100, NULL), -ENOENT, "the oldest have died");
	T_EQ(lz_token_take(l, hash[2], 7, 2010, 100, NULL), 0, "the newest four live");
	T_EQ(lz_token_end(l, 7, NULL), 0, "released");
	T_ERR(lz_token_take(l, hash[5], 7, 2010, 100, NULL), -ENOENT, "and so all die");
	for (int i = 5; i >= 0; i--)
		T_EQ(lz_token_add(l, hash[i], 8, 2000, 100, 4, NULL), 0, "all in one second");
	for (int i = 5; i >= 0; i--)
		T_EQ(lz_token_take(l, hash[i], 8, 2010, 100, NULL), i > 3 ? -ENOENT : 0,
		     "the newest four live, whatever their hashes");
	lz_ledger_close(&l);
	remove_dir();
}

static void audits(void)
{
	struct lz_audit row = { .time_s = 1000, .uid = 0, .role = "admin", .actor = "root", .cmd = "why",
				.object = "192.0.2.7" };
	struct lz_audit got[4];
	struct lz_ledger *l;

	make_dir();
	l = open_at(BOOT_A, noon);
	T_EQ(lz_audit_add(l, &row, NULL), 0, "looked");
	row.time_s = 1030;
	T_EQ(lz_audit_add(l, &row, NULL), 0, "and again");
	T_EQ(lz_audit_before(l, UINT64_MAX, got, 4), 1, "is one row");
	T_EQ(got[0].count, 2, "counted");
	row.uid = 7;
	T_EQ(lz_audit_add(l, &row, NULL), 0, "somebody else");
	T_EQ(lz_audit_before(l, UINT64_MAX, got, 4), 2, "is another");
	T_EQ(got[0].uid, 7, "the newest first");
	T_STR(got[0].object, "192.0.2.7", "at whom");
	lz_ledger_close(&l);
	remove_dir();
}

static const struct t_case cases[] = {
	{ "cases and transitions", keeps_cases },
	{ "evidence is bounded", bounds_evidence },
	{ "tokens are used up", uses_tokens_up },
	{ "who looked", audits },
};

int main(void)
{
	return T_MAIN(cases);
}
