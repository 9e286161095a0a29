// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * h_quarantine.c - one host at a time: add, set, del, show; and undo.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "daemon/ctl.h"

/* The target of the request's address; if it is none, the request is answered. */
static bool find(struct lz_ctl *ctl, struct lz_request *req, struct lz_target *ret)
{
	struct lz_err err = { "" };
	int r;

	if (!lz_ctl_need(ctl, req))
		return false;
	r = lz_target_find(ctl, lz_arg_text(req, "address"), ret, &err);
	if (r < 0)
		lz_end(req, r, &err);
	return r == 0;
}

static int read_garden(const char *word, int *ret)
{
	for (int i = 0; word && i < LZ_GARDEN_N; i++)
		if (lz_streq(word, lz_garden_words[i])) {
			*ret = i;
			return 0;
		}
	return word ? -EINVAL : 0;
}

/* Reply of add and set: what stands in the ledger now, and all that was touched. */
static void end_held(struct lz_ctl *ctl, struct lz_request *req, const struct lz_target *target,
		     int extended)
{
	cJSON *end = cJSON_CreateObject();
	struct lz_held held;

	if (lz_held_get(ctl->ledger, target->key, &held) == 0)
		lz_json_held(ctl, end, &held);
	cJSON_DeleteItemFromObjectCaseSensitive(end, "touched");
	cJSON_DeleteItemFromObjectCaseSensitive(end, "customer");
	lz_json_touched(end, target);
	if (extended >= 0)
		lz_json_add_bool(end, "extended", extended);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

static bool check_time(struct lz_request *req, __u64 for_s)
{
	if (for_s >= 1 && for_s <= LZ_HOLD_CAP_S)
		return true;
	lz_end_invalid(req, "quarantine: for %llu s: want 1 s to 31 days",
		       (unsigned long long)for_s);
	return false;
}

void lz_h_quarantine_add(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	__u64 for_s = lz_arg_int(req, "for_s", LZ_HOLD_DEFAULT_S);
	struct lz_order order = { .garden = -1,
				  .reason = lz_arg_text(req, "reason"),
				  .ticket = lz_arg_text(req, "ticket"),
				  .source = "operator" };
	char actor[LZ_ACTOR_TEXT_MAX];
	struct lz_target target;
	struct lz_err err = { "" };
	bool extended = false;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_add) || !check_time(req, for_s))
		return;
	if (read_garden(lz_arg_text(req, "garden"), &order.garden) < 0) {
		lz_end_invalid(req, "quarantine: garden %s: want leaky or strict",
			       lz_arg_text(req, "garden"));
		return;
	}
	if (!find(ctl, req, &target))
		return;
	lz_tell_actor(req, actor);
	order.actor = actor;
	order.for_s = (__u32)for_s;
	r = lz_target_check(ctl, &target, &err);
	if (r == 0)
		r = lz_hold_order(ctl, &target, &order, &extended, &err);
	if (r < 0)
		lz_end(req, r, &err);
	else
		end_held(ctl, req, &target, extended);
	lz_target_done(&target);
}

static int not_held(struct lz_ctl *ctl, const struct lz_target *target, struct lz_err *reterr)
{
	char text[LZ_ADDR_TEXT_MAX];
	struct lz_held held;
	__u64 word;

	if (lz_held_get(ctl->ledger, target->key, &held) == 0 ||
	    lz_hold_read(&ctl->view, target->key, &word) == 0)
		return 0;
	return lz_err_set(reterr, ENOENT, "%s: is not held", lz_addr_format(&target->addr, text));
}

void lz_h_quarantine_set(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	__u64 for_s = lz_arg_int(req, "for_s", 0);
	struct lz_order order = { .garden = -1, .exact = true };
	char actor[LZ_ACTOR_TEXT_MAX];
	struct lz_target target;
	struct lz_err err = { "" };
	bool extended;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_set) || !check_time(req, for_s) ||
	    !find(ctl, req, &target))
		return;
	lz_tell_actor(req, actor);
	order.actor = actor;
	order.for_s = (__u32)for_s;
	r = not_held(ctl, &target, &err);
	if (r == 0)
		r = lz_hold_order(ctl, &target, &order, &extended, &err);
	if (r < 0)
		lz_end(req, r, &err);
	else
		end_held(ctl, req, &target, -1);
	lz_target_done(&target);
}

void lz_h_quarantine_del(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	char actor[LZ_ACTOR_TEXT_MAX];
	struct lz_held held = { 0 };
	struct lz_target target;
	struct lz_err err = { "" };
	cJSON *end;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_del) || !find(ctl, req, &target))
		return;
	lz_tell_actor(req, actor);
	r = not_held(ctl, &target, &err);
	lz_held_get(ctl->ledger, target.key, &held);
	if (r == 0)
		r = lz_hold_free(ctl, target.keys, target.n_keys, "released", actor, &err);
	if (r < 0) {
		lz_end(req, r, &err);
	} else {
		end = cJSON_CreateObject();
		lz_json_add_str(end, "address", lz_arg_text(req, "address"));
		lz_json_touched(end, &target);
		lz_json_time(end, "until", lz_ctl_wall_of(held.expiry_s));
		lz_reply_end(req, LZ_CODE_OK, NULL, end);
	}
	lz_target_done(&target);
}

void lz_h_quarantine_show(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	static struct lz_note notes[64];
	struct lz_target target;
	struct lz_held held;
	struct lz_err err;
	int n;

	if (!find(ctl, req, &target))
		return;
	if (lz_held_get(ctl->ledger, target.key, &held) < 0) {
		lz_err_set(&err, ENOENT, "%s: is not held; lazaretctl why tells its history",
			   lz_arg_text(req, "address"));
		lz_end(req, -ENOENT, &err);
		lz_target_done(&target);
		return;
	}
	n = lz_note_before(ctl->ledger, target.key, UINT64_MAX, notes, 64);
	for (int i = n - 1; i >= 0; i--)
		lz_json_note_row(req, &notes[i]);
	end_held(ctl, req, &target, -1);
	lz_target_done(&target);
}

void lz_json_note_row(struct lz_request *req, const struct lz_note *note)
{
	lz_reply_row(req, lz_json_note(note, NULL));
}

/* ---------------------------------------------------------------- undo */

#define LZ_UNDO_SLICE 1024 /* as many rows as fit below the high water mark */

struct undo {
	struct lz_ctl *ctl;
	struct lz_held_walk walk;
	__u64 since_s;
	__u64 freed;
	char source[LZ_ACTOR_TEXT_MAX]; /* "" = anybody */
	char actor[LZ_ACTOR_TEXT_MAX];
};

static void send_freed(struct lz_ctl *ctl, struct lz_request *req, const struct lz_held *held)
{
	cJSON *row = cJSON_CreateObject();

	lz_json_held(ctl, row, held);
	lz_reply_row(req, row);
}

/* A slice: find who was held since then, free them together, say so. */
static void undo_fill(struct lz_request *req, void *arg)
{
	static struct lz_held rows[LZ_UNDO_SLICE];
	__u64 keys[LZ_UNDO_SLICE];
	struct undo *u = arg;
	struct lz_err err = { "" };
	size_t m = 0;
	cJSON *end;
	int n, r = 0;

	n = lz_held_next(u->ctl->ledger, &u->walk, rows, LZ_UNDO_SLICE);
	for (int i = 0; i < n; i++) {
		if (rows[i].since_s < u->since_s ||
		    (u->source[0] && !lz_streq(u->source, rows[i].source) &&
		     !lz_streq(u->source, rows[i].actor)))
			continue;
		rows[m] = rows[i];
		keys[m++] = rows[i].key;
	}
	if (m)
		r = lz_hold_free(u->ctl, keys, m, "undone", u->actor, &err);
	for (size_t i = 0; r == 0 && i < m; i++)
		send_freed(u->ctl, req, &rows[i]);
	u->freed += r == 0 ? m : 0;
	if (n > 0 && r == 0)
		return;
	end = cJSON_CreateObject();
	lz_json_add_u64(end, "freed", u->freed);
	if (r == 0)
		lz_reply_end(req, LZ_CODE_OK, NULL, end);
	else
		lz_reply_end(req, u->freed ? LZ_CODE_PARTLY : LZ_CODE_REFUSED, err.text, end);
}

void lz_h_quarantine_undo(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct undo *u;
	__u64 since_ns;
	struct lz_err err;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_undo) || !lz_ctl_need(ctl, req))
		return;
	r = lz_time_parse(lz_arg_text(req, "since"), &since_ns, &err);
	if (r < 0) {
		lz_end(req, r, &err);
		return;
	}
	u = calloc(1, sizeof(*u));
	if (!u) {
		lz_reply_end(req, LZ_CODE_REFUSED, "quarantine: out of memory", NULL);
		return;
	}
	u->ctl = ctl;
	u->since_s = since_ns / 1000000000;
	lz_text_set(u->source, sizeof(u->source), lz_arg_text(req, "source"));
	lz_tell_actor(req, u->actor);
	lz_reply_stream(req, undo_fill, free, u);
}
