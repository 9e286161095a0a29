/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sql.c - all statements of the ledger, prepared once at open. */
#include "ledger/db.h"

#define HELD_COLUMNS                                                                               \
	"h.key, h.since_s, h.expiry_s, h.ttl_s, h.case_id, h.prior, h.address, o.time_s, "         \
	"o.generation, o.grade, o.source, o.actor, o.ticket, o.reason, o.staff_only"
#define HELD_FROM " FROM held h LEFT JOIN origin o ON o.id = h.origin "
#define APPLIED_COLUMNS "generation, applied_s, deadline_s, origin, base, name, actor, file, state"
#define APPLIED_READ                                                                               \
	APPLIED_COLUMNS ", EXISTS (SELECT 1 FROM policy_text t WHERE t.generation = applied.generation)"
#define GRANTED_COLUMNS "prefix, since_s, until_s, flags, ticket, actor"
#define NOTE_COLUMNS	"id, time_s, key, until_s, generation, event, object, actor, reason"
#define CASE_COLUMNS                                                                               \
	"id, key, customer, state, ladder, step, grade, for_s, self_releases, staff_only, "        \
	"opened_s, changed_s, due_s, until_s, evidence_s, acted_s, freed_s, reason_class, source, "      \
	"acted"
#define MOVE_COLUMNS                                                                               \
	"id, case_id, time_s, until_s, due_s, generation, step_from, step_to, from_state, "        \
	"to_state, grade, source, actor, ticket, reason, evidence"
#define HELD_STATES	"'throttled', 'blocked25', 'garden'"
#define BY_ITSELF	"source >= 'limit' AND source < 'limiu'"
#define OUTBOX_COLUMNS	"id, time_s, next_s, case_id, tries, way, key, event, error, body"

const char *const lz_db_sql[LZ_SQL_N] = {
	[LZ_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[LZ_SQL_COMMIT] = "COMMIT",
	[LZ_SQL_TURN] = "UPDATE book SET turn = turn + 1",
	[LZ_SQL_PART] = "UPDATE book SET id = random()",
	[LZ_SQL_MARK] = "SELECT id, turn FROM book",
	[LZ_SQL_TICK] = "UPDATE boot SET mono_s = ?1, wall_s = ?2",
	[LZ_SQL_HELD_NEW] = "INSERT OR IGNORE INTO held (key, since_s, expiry_s, ttl_s, origin, case_id, "
			    "prior, address, look_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?3)",
	[LZ_SQL_HELD_KEEP] = "INSERT INTO change (key, time_s, since_s, expiry_s, ttl_s, origin, case_id, "
			     "prior) SELECT key, ?2, since_s, expiry_s, ttl_s, origin, case_id, prior "
			     "FROM held WHERE key = ?1",
	[LZ_SQL_HELD_PUT] = "UPDATE held SET since_s = ?2, expiry_s = ?3, ttl_s = ?4, origin = ?5, "
			    "case_id = ?6, address = ?7, prior = ?8, look_s = min(look_s, ?3) "
			    "WHERE key = ?1",
	[LZ_SQL_HELD_BACK] = "UPDATE held SET (since_s, expiry_s, ttl_s, origin, case_id, prior) = "
			     "(SELECT since_s, expiry_s, ttl_s, origin, case_id, prior FROM change "
			     "WHERE id = ?2), look_s = min(look_s, (SELECT expiry_s FROM change WHERE "
			     "id = ?2)) WHERE key = ?1",
	[LZ_SQL_HELD_CASE] = "UPDATE held SET case_id = ?2 WHERE key = ?1",
	[LZ_SQL_HELD_GET] = "SELECT " HELD_COLUMNS HELD_FROM "WHERE h.key = ?1",
	[LZ_SQL_HELD_PRIOR] = "SELECT 0, h.since_s, h.expiry_s, h.ttl_s, h.case_id, h.prior, '', "
			      "o.time_s, o.generation, o.grade, o.source, o.actor, o.ticket, o.reason, o.staff_only "
			      "FROM change h LEFT JOIN origin o ON o.id = h.origin WHERE h.id = ?1",
	[LZ_SQL_HELD_DEL] = "DELETE FROM held WHERE key = ?1",
	[LZ_SQL_HELD_NEXT] = "SELECT key, since_s, expiry_s, ttl_s, case_id, prior, address, origin "
			     "FROM held WHERE key >= ?1 ORDER BY key LIMIT ?2",
	[LZ_SQL_HELD_OF] = "SELECT key, since_s, expiry_s, ttl_s, case_id, prior, address, origin "
			   "FROM held WHERE case_id = ?1 AND case_id <> 0 ORDER BY key LIMIT ?2",
	[LZ_SQL_HELD_KEYS_OF] = "SELECT key, expiry_s, address FROM held WHERE case_id = ?1 AND case_id <> 0 ORDER BY key",
	[LZ_SQL_HELD_OF_SUM] = "SELECT count(*) FROM held WHERE case_id = ?1 AND case_id <> 0",
	[LZ_SQL_HELD_LASTS] = "SELECT 1 FROM held WHERE case_id = ?1 AND case_id <> 0 AND "
			      "expiry_s > ?2 LIMIT 1",
	[LZ_SQL_HELD_DUE] = "SELECT key, case_id, expiry_s FROM held WHERE look_s <= ?1 "
			    "ORDER BY look_s LIMIT ?2",
	[LZ_SQL_HELD_LOOK] = "UPDATE held SET look_s = expiry_s WHERE key IN (SELECT key FROM entry)",
	[LZ_SQL_HELD_ROWS_KEEP] = "INSERT INTO change (id, key, time_s, since_s, expiry_s, ttl_s, origin, "
				  "case_id, prior) SELECT prior, 0, ?1, was_since_s, was_expiry_s, "
				  "was_ttl_s, was_origin, case_id, was_prior FROM entry WHERE keeps",
	[LZ_SQL_HELD_ROWS_PUT] = "INSERT INTO held (key, since_s, expiry_s, ttl_s, origin, case_id, "
				 "prior, address, look_s) SELECT key, since_s, expiry_s, ttl_s, origin, "
				 "case_id, prior, address, expiry_s FROM entry WHERE true ON CONFLICT (key) DO UPDATE SET "
				 "since_s = excluded.since_s, expiry_s = excluded.expiry_s, "
				 "ttl_s = excluded.ttl_s, origin = excluded.origin, "
				 "prior = excluded.prior, "
				 "address = iif(excluded.address = '', held.address, excluded.address)",
	[LZ_SQL_HELD_ROWS_DEL] = "DELETE FROM held WHERE key IN (SELECT key FROM entry)",
	[LZ_SQL_CHANGE_BOUND] = "DELETE FROM change WHERE id <= ?1 AND id < (SELECT min(id) FROM change) + ?2",
	[LZ_SQL_CHANGE_LAST] = "SELECT max(id) FROM change",
	[LZ_SQL_ORIGIN_ADD] = "INSERT INTO origin (time_s, generation, grade, source, actor, ticket, "
			      "reason, staff_only) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[LZ_SQL_PAST_ADD] = "INSERT INTO past (key, ended_s, since_s, origin, by) "
			    "SELECT h.key, min(?1, h.expiry_s + ?2), h.since_s, h.origin, ?3 "
			    "FROM entry e CROSS JOIN held h ON h.key = e.key",
	[LZ_SQL_PAST_BEFORE] = "SELECT p.ended_s, p.since_s, o.source, o.actor, o.ticket, o.reason, "
			       "o.grade, b.source, b.actor, b.reason FROM past p "
			       "LEFT JOIN origin o ON o.id = p.origin LEFT JOIN origin b ON b.id = p.by "
			       "WHERE p.key = ?1 ORDER BY p.id DESC LIMIT ?2",
	[LZ_SQL_PAST_PRUNE] = "DELETE FROM past WHERE id IN (SELECT id FROM (SELECT id, ended_s "
			      "FROM past ORDER BY id LIMIT ?2) WHERE ended_s < ?1)",
	[LZ_SQL_CHANGE_PRUNE] = "DELETE FROM change WHERE id IN (SELECT id FROM (SELECT id, time_s "
				"FROM change ORDER BY id LIMIT ?2) WHERE time_s < ?1)",
	[LZ_SQL_ORIGIN_GET] = "SELECT id, time_s, generation, grade, source, actor, ticket, reason, staff_only "
			      "FROM origin WHERE id = ?1",
	[LZ_SQL_ORIGIN_PRUNE] = "DELETE FROM origin WHERE id IN (SELECT id FROM (SELECT id, time_s "
				"FROM origin ORDER BY id LIMIT ?2) WHERE time_s < ?1)",
	[LZ_SQL_CASE_ADD] = "INSERT INTO cases (key, customer, state, ladder, step, grade, for_s, "
			    "self_releases, staff_only, opened_s, changed_s, due_s, until_s, evidence_s, "
			    "acted_s, freed_s, reason_class, source, acted) VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, "
			    "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
	[LZ_SQL_CASE_PUT] = "UPDATE cases SET key = ?2, customer = ?3, state = ?4, ladder = ?5, step = ?6, "
			    "grade = ?7, for_s = ?8, self_releases = ?9, staff_only = ?10, opened_s = ?11, "
			    "changed_s = ?12, due_s = ?13, until_s = ?14, evidence_s = ?15, acted_s = ?16, "
			    "freed_s = ?17, reason_class = ?18, source = ?19, acted = ?20 WHERE id = ?1",
	[LZ_SQL_CASE_GET] = "SELECT " CASE_COLUMNS " FROM cases WHERE id = ?1",
	[LZ_SQL_CASE_OF_KEY] = "SELECT " CASE_COLUMNS
			       " FROM cases WHERE key = ?1 AND customer = '' ORDER BY id DESC LIMIT 1",
	[LZ_SQL_CASE_OF_CUSTOMER] = "SELECT " CASE_COLUMNS " FROM cases WHERE customer = ?1 AND "
				    "customer <> '' ORDER BY id DESC LIMIT 1",
	[LZ_SQL_CASE_DUE] = "SELECT " CASE_COLUMNS
			    " FROM cases WHERE due_s <= ?1 AND due_s <> 0 ORDER BY due_s LIMIT ?2",
	[LZ_SQL_CASE_SUM] = "SELECT state, count(*) FROM cases WHERE state NOT IN ('closed') GROUP BY state",
	[LZ_SQL_MOVE_ADD] = "INSERT INTO transition (case_id, time_s, until_s, due_s, generation, step_from, "
			    "step_to, from_state, to_state, grade, source, actor, ticket, reason, evidence) "
			    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
	[LZ_SQL_MOVE_BEFORE] = "SELECT " MOVE_COLUMNS " FROM transition WHERE case_id = ?1 AND id < ?2 "
			       "ORDER BY id DESC LIMIT ?3",
	[LZ_SQL_MOVE_SINCE] = "SELECT DISTINCT case_id FROM transition WHERE time_s >= ?1 AND case_id > ?2 "
			      "AND (source = ?3 OR actor = ?3 OR ?3 = '') ORDER BY case_id LIMIT ?4",
	[LZ_SQL_MOVE_SECONDS] = "SELECT time_s, count(*) FROM transition WHERE time_s > ?1 AND time_s <= ?2 "
				"AND to_state IN (" HELD_STATES ") AND from_state NOT IN (" HELD_STATES
				") AND " BY_ITSELF " GROUP BY time_s ORDER BY time_s DESC LIMIT ?3",
	[LZ_SQL_WHO_SEEN] = "SELECT EXISTS (SELECT 1 FROM origin WHERE source = ?1 OR actor = ?1) OR "
			    "EXISTS (SELECT 1 FROM transition WHERE source = ?1 OR actor = ?1) OR "
			    "EXISTS (SELECT 1 FROM audit WHERE actor = ?1)",
	[LZ_SQL_EVIDENCE_ADD] = "INSERT INTO evidence (case_id, time_s, value, at_most, count, proven, would, "
				"kind, source, reason_class, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
				"?9, ?10, ?11)",
	[LZ_SQL_EVIDENCE_MORE] = "UPDATE evidence SET count = count + ?5, value = max(value, ?6), time_s = ?7 "
				 "WHERE id = (SELECT id FROM evidence WHERE case_id = ?1 ORDER BY id DESC "
				 "LIMIT 1) AND kind = ?2 AND source = ?3 AND text = ?8 AND time_s > ?4",
	[LZ_SQL_EVIDENCE_BEFORE] = "SELECT id, case_id, time_s, value, at_most, count, proven, would, kind, "
				   "source, reason_class, text FROM evidence WHERE case_id = ?1 AND id < ?2 "
				   "ORDER BY id DESC LIMIT ?3",
	[LZ_SQL_EVIDENCE_TRIM] = "DELETE FROM evidence WHERE case_id = ?1 AND id <= (SELECT id FROM evidence "
				 "WHERE case_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2) AND id > (SELECT "
				 "min(id) FROM evidence WHERE case_id = ?1)",
	[LZ_SQL_EVIDENCE_SEEN] = "SELECT max(time_s) FROM evidence WHERE case_id = ?1 AND would = 0",
	[LZ_SQL_CASE_AUTO] = "SELECT count(*) FROM cases WHERE state IN (" HELD_STATES ") AND " BY_ITSELF,
	[LZ_SQL_CASE_PRUNE] = "DELETE FROM cases WHERE id IN (SELECT id FROM cases WHERE "
			      "state = 'closed' AND changed_s < ?1 LIMIT ?2)",
	[LZ_SQL_TOKEN_ADD] = "INSERT INTO token (hash, case_id, expires_s) VALUES (?1, ?2, ?3)",
	[LZ_SQL_TOKEN_TRIM] = "DELETE FROM token WHERE case_id = ?1 AND (expires_s <= ?2 OR expires_s > ?3 OR "
			      "id IN (SELECT id FROM token WHERE case_id = ?1 AND expires_s > ?2 AND "
			      "expires_s <= ?3 ORDER BY id DESC LIMIT -1 OFFSET ?4))",
	[LZ_SQL_TOKEN_TAKE] = "DELETE FROM token WHERE hash = ?1 AND case_id = ?2 AND expires_s > ?3 AND "
			      "expires_s <= ?4",
	[LZ_SQL_TOKEN_END] = "DELETE FROM token WHERE case_id = ?1",
	[LZ_SQL_AUDIT_ADD] = "INSERT INTO audit (time_s, count, uid, code, role, actor, cmd, object) VALUES "
			     "(?1, 1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[LZ_SQL_AUDIT_MORE] = "UPDATE audit SET count = count + 1, code = ?6 WHERE id = (SELECT max(id) FROM "
			      "audit) AND uid = ?2 AND cmd = ?3 AND object = ?4 AND time_s > ?5 AND code = ?6 "
			      "AND ?1 = ?1",
	[LZ_SQL_AUDIT_BEFORE] = "SELECT id, time_s, count, uid, code, role, actor, cmd, object FROM audit "
				"WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
	[LZ_SQL_AUDIT_PRUNE] = "DELETE FROM audit WHERE id IN (SELECT id FROM (SELECT id, time_s FROM audit "
			       "ORDER BY id LIMIT ?2) WHERE time_s < ?1)",
	[LZ_SQL_APPLIED_ADD] = "INSERT INTO applied (" APPLIED_COLUMNS
			       ", ids) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[LZ_SQL_APPLIED_TEXT] = "SELECT text FROM policy_text WHERE generation = ?1",
	[LZ_SQL_APPLIED_TEXT_ADD] = "INSERT INTO policy_text VALUES (?1, ?2)",
	[LZ_SQL_APPLIED_STATE] = "UPDATE applied SET state = ?2 WHERE generation = ?1",
	[LZ_SQL_APPLIED_IDS] = "UPDATE applied SET ids = ?2 WHERE generation = ?1",
	[LZ_SQL_APPLIED_GET] = "SELECT " APPLIED_READ ", ids FROM applied WHERE generation = ?1",
	[LZ_SQL_APPLIED_LAST] = "SELECT " APPLIED_READ " FROM applied WHERE state = ?1 AND "
				"generation < ?2 ORDER BY generation DESC LIMIT 1",
	[LZ_SQL_APPLIED_BEFORE] = "SELECT " APPLIED_READ " FROM applied WHERE generation < ?1 "
				  "ORDER BY generation DESC LIMIT ?2",
	[LZ_SQL_APPLIED_HIGHEST] = "SELECT max(generation) FROM applied",
	[LZ_SQL_GRANTED_PUT] = "INSERT OR REPLACE INTO granted (" GRANTED_COLUMNS
			       ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[LZ_SQL_GRANTED_GET] = "SELECT " GRANTED_COLUMNS " FROM granted WHERE prefix = ?1",
	[LZ_SQL_GRANTED_DEL] = "DELETE FROM granted WHERE prefix = ?1",
	[LZ_SQL_GRANTED_NEXT] = "SELECT " GRANTED_COLUMNS
				" FROM granted WHERE prefix > ?1 ORDER BY prefix LIMIT ?2",
	[LZ_SQL_NOTE_ADD] = "INSERT INTO note (time_s, key, until_s, generation, event, object, "
			    "actor, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[LZ_SQL_NOTE_BEFORE] = "SELECT " NOTE_COLUMNS
			       " FROM note WHERE key = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
	[LZ_SQL_NOTE_LAST] = "SELECT " NOTE_COLUMNS
			     " FROM note WHERE event = ?1 ORDER BY id DESC LIMIT 1",
	[LZ_SQL_NOTE_PRUNE] = "DELETE FROM note WHERE id IN (SELECT id FROM (SELECT id, time_s "
			      "FROM note ORDER BY id LIMIT ?2) WHERE time_s < ?1)",
	[LZ_SQL_OUTBOX_ADD] = "INSERT INTO outbox (time_s, next_s, case_id, tries, way, key, event, "
			      "error, body) VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, '', ?7)",
	[LZ_SQL_OUTBOX_DUE] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE way = ?4 AND "
			      "(next_s <= ?1 OR next_s > ?2) ORDER BY next_s, id LIMIT ?3",
	[LZ_SQL_OUTBOX_RETRY] = "UPDATE outbox SET tries = tries + 1, next_s = ?2, error = ?3 "
				"WHERE id = ?1",
	[LZ_SQL_OUTBOX_DEL] = "DELETE FROM outbox WHERE id = ?1",
	[LZ_SQL_OUTBOX_OLDEST] = "SELECT " OUTBOX_COLUMNS
				 " FROM outbox WHERE tries > 0 ORDER BY id LIMIT 1",
};
