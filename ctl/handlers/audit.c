/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * audit.c - who looked at a customer, who changed something: a row for each command that did, written
 * a few times a second. What a change did is on record with the change itself, in its transaction.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "serve/peer.h"

#define LZ_AUDIT_WAITING 256 /* rows between two turns; more only in a flood, which is counted */

static struct lz_audit waiting[LZ_AUDIT_WAITING];
static size_t waiting_n;
static __u64 lost;

/* Commands that show whom something is known of. */
static bool looks(const char *cmd)
{
	static const char *const objects[] = { "why", "source.", "quarantine.", "exception.", "range.", "audit." };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(objects); i++)
		if (!strncmp(cmd, objects[i], strlen(objects[i])))
			return true;
	return false;
}

static void take_object(const struct lz_request *req, struct lz_audit *row)
{
	static const char *const names[] = { "address", "prefix", "file", "source", "set" };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(names); i++)
		if (!row->object[0] && lz_arg_text(req, names[i]))
			lz_text_set(row->object, sizeof(row->object), lz_arg_text(req, names[i]));
	if (!row->object[0] && lz_arg_int(req, "case", 0))
		snprintf(row->object, sizeof(row->object), "case %llu",
			 (unsigned long long)lz_arg_int(req, "case", 0));
}

void lz_audit_end(void *arg, const struct lz_request *req, bool mutates, enum lz_code code)
{
	const struct lz_peer *peer = lz_request_peer(req);
	struct lz_audit *row;

	(void)arg;
	if (!mutates && !looks(lz_request_cmd(req)))
		return;
	if (waiting_n == LZ_AUDIT_WAITING) {
		lost++;
		return;
	}
	row = &waiting[waiting_n++];
	*row = (struct lz_audit){ .time_s = lz_clock_wall_ns() / LZ_NS_PER_S, .uid = peer->uid,
				  .code = code };
	lz_tell_actor(req, row->actor);
	lz_text_set(row->role, sizeof(row->role), lz_peer_role_name(peer->role));
	lz_text_set(row->cmd, sizeof(row->cmd), lz_request_cmd(req));
	take_object(req, row);
}

void lz_audit_turn(struct lz_ctl *ctl)
{
	struct lz_err err = { "" };
	int r;

	if (!waiting_n)
		return;
	r = lz_ledger_begin(ctl->ledger, &err);
	for (size_t i = 0; r == 0 && i < waiting_n; i++)
		r = lz_audit_add(ctl->ledger, &waiting[i], &err);
	r = lz_ledger_end(ctl->ledger, r, &err);
	if (r < 0 || lost)
		lz_log(LZ_LOG_ERROR, "audit-lost", "rows=%llu why=%s",
		       (unsigned long long)(lost + (r < 0 ? waiting_n : 0)), r < 0 ? err.text : "flood");
	waiting_n = 0;
	lost = 0;
}

void lz_h_audit_list(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	__u64 limit = lz_arg_int(req, "limit", 100);
	lz_autofree struct lz_audit *rows = NULL;
	cJSON *row;
	int n;

	if (lz_ctl_wait(ctl, req, lz_h_audit_list))
		return;
	if (!limit || limit > LZ_PROTO_TOP_MAX) {
		lz_end_invalid(req, "audit: --limit %llu: want 1..%d", (unsigned long long)limit,
			       LZ_PROTO_TOP_MAX);
		return;
	}
	rows = calloc(limit, sizeof(*rows));
	lz_audit_turn(ctl);
	n = rows ? lz_audit_before(ctl->ledger, UINT64_MAX, rows, (int)limit) : -ENOMEM;
	for (int i = n - 1; i >= 0; i--) {
		row = cJSON_CreateObject();
		lz_json_time(row, "time", rows[i].time_s);
		lz_json_add_str(row, "actor", rows[i].actor);
		lz_json_add_u64(row, "uid", rows[i].uid);
		lz_json_add_str(row, "role", rows[i].role);
		lz_json_add_str(row, "cmd", rows[i].cmd);
		if (rows[i].object[0])
			lz_json_add_str(row, "object", rows[i].object);
		lz_json_add_u64(row, "code", rows[i].code);
		lz_json_add_u64(row, "count", rows[i].count);
		lz_reply_row(req, row);
	}
	lz_reply_end(req, n < 0 ? LZ_CODE_REFUSED : LZ_CODE_OK, n < 0 ? "audit: cannot be read" : NULL, NULL);
}
