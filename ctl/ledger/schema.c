/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * schema.c - the tables, as steps from one schema to the next.
 *
 *   held --> origin        who, why, how hard: once for all entries of an import. look_s is never after
 *     |                    expiry_s: the clock looks then, and again at the end if that was extended
 *     |  \-> change         what it was before it was extended: undo goes back along prior. Entries of a list
 *     |                    that were the same share a row, whose key is 0 then
 *     |  \-> past           how a hold without a case ended: one short row
 *     \--> cases --> transition, evidence, token
 *   note                   what is about the gateway, and about sources before schema 2
 *   applied --> policy_text  the text of a policy: a row of megabytes, which no change of its state moves
 *   granted outbox audit boot
 *   book                   which ledger this is, and how many batches are in it
 */
#include "ledger/db.h"

/* Step n leads from schema n to n + 1. Never changed once released, only added to. */
const char *const lz_db_migrations[LZ_LEDGER_SCHEMA] = {
	"CREATE TABLE boot (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL,"
	"  mono_s INTEGER NOT NULL, wall_s INTEGER NOT NULL);"
	"CREATE TABLE held (key INTEGER PRIMARY KEY, since_s INTEGER NOT NULL,"
	"  generation INTEGER NOT NULL, expiry_s INTEGER NOT NULL, ttl_s INTEGER NOT NULL,"
	"  garden INTEGER NOT NULL, address TEXT NOT NULL, source TEXT NOT NULL,"
	"  actor TEXT NOT NULL, ticket TEXT NOT NULL, reason TEXT NOT NULL);"
	"CREATE INDEX held_expiry ON held (expiry_s);"
	"CREATE TABLE applied (generation INTEGER PRIMARY KEY, applied_s INTEGER NOT NULL,"
	"  deadline_s INTEGER NOT NULL, origin INTEGER NOT NULL, name TEXT NOT NULL,"
	"  actor TEXT NOT NULL, file TEXT NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL,"
	"  ids TEXT NOT NULL);"
	"CREATE TABLE granted (prefix TEXT PRIMARY KEY, since_s INTEGER NOT NULL,"
	"  until_s INTEGER NOT NULL, flags INTEGER NOT NULL, ticket TEXT NOT NULL,"
	"  actor TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE note (id INTEGER PRIMARY KEY, time_s INTEGER NOT NULL, key INTEGER NOT NULL,"
	"  until_s INTEGER NOT NULL, generation INTEGER NOT NULL, event TEXT NOT NULL,"
	"  object TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL);"
	"CREATE INDEX note_key ON note (key, id);"
	"CREATE INDEX note_event ON note (event, id);",
	/* 1 -> 2: who held and why goes into a row of its own, shared by all entries of an import; and
	 * all of the colony: cases, their transitions, evidence, tokens, outbox, audit. */
	"CREATE TABLE origin (id INTEGER PRIMARY KEY, time_s INTEGER NOT NULL,"
	"  generation INTEGER NOT NULL, grade TEXT NOT NULL, source TEXT NOT NULL,"
	"  actor TEXT NOT NULL, ticket TEXT NOT NULL, reason TEXT NOT NULL);"
	"INSERT INTO origin (time_s, generation, grade, source, actor, ticket, reason)"
	"  SELECT min(since_s), generation, iif(garden = 1, 'garden:strict', 'garden:leaky'), source,"
	"  actor, ticket, reason FROM held GROUP BY 2, 3, 4, 5, 6, 7;"
	"CREATE INDEX origin_texts ON origin (reason, generation, grade, source, actor, ticket);"
	"CREATE TABLE hold (key INTEGER PRIMARY KEY, since_s INTEGER NOT NULL,"
	"  expiry_s INTEGER NOT NULL, ttl_s INTEGER NOT NULL, origin INTEGER NOT NULL,"
	"  case_id INTEGER NOT NULL, prior INTEGER NOT NULL, address TEXT NOT NULL);"
	"INSERT INTO hold SELECT key, since_s, expiry_s, ttl_s, (SELECT id FROM origin o WHERE"
	"  o.reason = h.reason AND o.generation = h.generation AND"
	"  o.grade = iif(h.garden = 1, 'garden:strict', 'garden:leaky') AND o.source = h.source AND"
	"  o.actor = h.actor AND o.ticket = h.ticket), 0, 0, address FROM held h ORDER BY key;"
	"DROP INDEX origin_texts;"
	"DROP TABLE held;"
	"ALTER TABLE hold RENAME TO held;"
	"CREATE INDEX held_expiry ON held (expiry_s);"
	"CREATE INDEX held_case ON held (case_id) WHERE case_id <> 0;"
	"CREATE TABLE change (id INTEGER PRIMARY KEY, key INTEGER NOT NULL, time_s INTEGER NOT NULL,"
	"  since_s INTEGER NOT NULL,"
	"  expiry_s INTEGER NOT NULL, ttl_s INTEGER NOT NULL, origin INTEGER NOT NULL,"
	"  case_id INTEGER NOT NULL, prior INTEGER NOT NULL);"
	"CREATE TABLE past (id INTEGER PRIMARY KEY, key INTEGER NOT NULL, ended_s INTEGER NOT NULL,"
	"  since_s INTEGER NOT NULL, origin INTEGER NOT NULL, by INTEGER NOT NULL);"
	"CREATE INDEX past_key ON past (key, id);"
	"CREATE TABLE cases (id INTEGER PRIMARY KEY AUTOINCREMENT, key INTEGER NOT NULL,"
	"  customer TEXT NOT NULL, state TEXT NOT NULL, ladder TEXT NOT NULL, step INTEGER NOT NULL,"
	"  grade TEXT NOT NULL, for_s INTEGER NOT NULL, self_releases INTEGER NOT NULL,"
	"  staff_only INTEGER NOT NULL, opened_s INTEGER NOT NULL, changed_s INTEGER NOT NULL,"
	"  due_s INTEGER NOT NULL, until_s INTEGER NOT NULL, evidence_s INTEGER NOT NULL,"
	"  acted_s INTEGER NOT NULL, freed_s INTEGER NOT NULL, reason_class TEXT NOT NULL,"
	"  source TEXT NOT NULL);"
	"CREATE INDEX case_key ON cases (key, id);"
	"CREATE INDEX case_customer ON cases (customer, id) WHERE customer <> '';"
	"CREATE INDEX case_closed ON cases (changed_s) WHERE state = 'closed';"
	"CREATE INDEX case_held ON cases (source) WHERE state IN ('throttled', 'blocked25', 'garden');"
	"CREATE INDEX case_due ON cases (due_s) WHERE due_s <> 0;"
	"CREATE TABLE transition (id INTEGER PRIMARY KEY, case_id INTEGER NOT NULL,"
	"  time_s INTEGER NOT NULL, until_s INTEGER NOT NULL, due_s INTEGER NOT NULL,"
	"  generation INTEGER NOT NULL, step_from INTEGER NOT NULL, step_to INTEGER NOT NULL,"
	"  from_state TEXT NOT NULL, to_state TEXT NOT NULL, grade TEXT NOT NULL,"
	"  source TEXT NOT NULL, actor TEXT NOT NULL, ticket TEXT NOT NULL, reason TEXT NOT NULL,"
	"  evidence TEXT NOT NULL);"
	"CREATE INDEX transition_case ON transition (case_id, id);"
	"CREATE INDEX transition_time ON transition (time_s);"
	"CREATE TABLE evidence (id INTEGER PRIMARY KEY, case_id INTEGER NOT NULL,"
	"  time_s INTEGER NOT NULL, value INTEGER NOT NULL, at_most INTEGER NOT NULL,"
	"  count INTEGER NOT NULL, proven INTEGER NOT NULL, would INTEGER NOT NULL,"
	"  kind TEXT NOT NULL, source TEXT NOT NULL, reason_class TEXT NOT NULL,"
	"  text TEXT NOT NULL);"
	"CREATE INDEX evidence_case ON evidence (case_id, id);"
	/* A case takes what belongs to it along when it is pruned. */
	"CREATE TRIGGER case_gone AFTER DELETE ON cases BEGIN"
	"  DELETE FROM transition WHERE case_id = old.id;"
	"  DELETE FROM evidence WHERE case_id = old.id;"
	"  DELETE FROM token WHERE case_id = old.id; END;"
	"CREATE TABLE token (hash BLOB PRIMARY KEY, case_id INTEGER NOT NULL,"
	"  expires_s INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX token_case ON token (case_id, expires_s);"
	"CREATE TABLE audit (id INTEGER PRIMARY KEY, time_s INTEGER NOT NULL, count INTEGER NOT NULL,"
	"  uid INTEGER NOT NULL, code INTEGER NOT NULL, role TEXT NOT NULL, actor TEXT NOT NULL,"
	"  cmd TEXT NOT NULL, object TEXT NOT NULL);"
	"CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, time_s INTEGER NOT NULL,"
	"  next_s INTEGER NOT NULL, case_id INTEGER NOT NULL, tries INTEGER NOT NULL,"
	"  way INTEGER NOT NULL, key TEXT NOT NULL, event TEXT NOT NULL, error TEXT NOT NULL,"
	"  body TEXT NOT NULL);"
	"CREATE INDEX outbox_next ON outbox (way, next_s, id);",
	/* 2 -> 3: texts leave the rows of policies; what a change is a change of is in its row. */
	"CREATE TABLE policy_text (generation INTEGER PRIMARY KEY, text TEXT NOT NULL);"
	"INSERT INTO policy_text SELECT generation, text FROM applied WHERE typeof(text) = 'text';"
	"ALTER TABLE applied ADD COLUMN base INTEGER NOT NULL DEFAULT 0;"
	"UPDATE applied SET base = CAST(substr(text, 14) AS INTEGER)"
	"  WHERE typeof(text) = 'text' AND substr(text, 1, 13) = '{\"change-of\":';"
	"ALTER TABLE applied DROP COLUMN text;",
	/* 3 -> 4: an extension does not move a hold in an index any more. */
	"DROP INDEX held_expiry;"
	"ALTER TABLE held ADD COLUMN look_s INTEGER NOT NULL DEFAULT 0;"
	"UPDATE held SET look_s = expiry_s;"
	"CREATE INDEX held_look ON held (look_s);"
	"CREATE TABLE book (one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL,"
	"  turn INTEGER NOT NULL);"
	"INSERT INTO book VALUES (1, random(), 1);",
	/* 4 -> 5: which limit moved a case when; of before it is known of the last. Telling was a step then. */
	"ALTER TABLE cases ADD COLUMN acted TEXT NOT NULL DEFAULT '';"
	"UPDATE cases SET acted = coalesce((SELECT acted_s || ' ' || t.source || char(10) FROM transition t"
	"  WHERE t.case_id = cases.id AND t.source >= 'limit' AND t.source < 'limiu'"
	"  ORDER BY t.id DESC LIMIT 1), '') WHERE acted_s <> 0;"
	"UPDATE cases SET step = -1 WHERE ladder = '';",
	/* 5 -> 6: tokens of one second have an order, or the newest could be the one that dies. */
	"CREATE TEMP TABLE given AS SELECT hash, case_id, expires_s FROM token;"
	"DROP TABLE token;"
	"CREATE TABLE token (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, case_id INTEGER NOT NULL,"
	"  expires_s INTEGER NOT NULL);"
	"CREATE INDEX token_case ON token (case_id, id);"
	"INSERT INTO token (hash, case_id, expires_s) SELECT hash, case_id, expires_s FROM given"
	"  ORDER BY expires_s;"
	"DROP TABLE given;",
	/* 6 -> 7: a list says who may not let himself out. */
	"ALTER TABLE origin ADD COLUMN staff_only INTEGER NOT NULL DEFAULT 0;",
};
