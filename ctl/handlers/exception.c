// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * exception.c - who may send although his class may not: state, not policy; ends by itself.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/lines.h"
#include "base/units.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/exception.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"

static void add_members(struct lz_ctl *ctl, cJSON *obj, const struct lz_granted *row, bool listed)
{
	const struct lz_range *own = NULL;
	char text[LZ_PREFIX_TEXT_MAX];
	cJSON *touched;

	lz_prefix_format(&row->prefix, text);
	lz_json_add_str(obj, "prefix", text);
	lz_json_add_str(obj, "what", lz_exception_word(row->flags));
	if (!listed) {
		touched = cJSON_AddArrayToObject(obj, "touched");
		cJSON_AddItemToArray(touched, cJSON_CreateString(text));
	}
	if (ctl->now.policy)
		own = lz_ranges_find(&ctl->now.policy->customer_ranges, &row->prefix);
	if (own)
		lz_json_add_str(obj, "customer", ctl->now.policy->customers[own->owner].id);
	lz_json_time(obj, "until", row->until_s);
	lz_json_add_str(obj, "ticket", row->ticket);
	if (listed) {
		lz_json_add_str(obj, "actor", row->actor);
		lz_json_time(obj, "since", row->since_s);
	}
}

/* The first hold in a prefix that has not ended; @ret_others: there is one more. False: none. */
static bool find_held(struct lz_ctl *ctl, const struct lz_prefix *prefix, struct lz_held *ret, bool *ret_others)
{
	static struct lz_held held[64];
	struct lz_held_walk walk = { .begun = true };
	__u32 now_s = lz_tables_now_s(&ctl->view);
	struct lz_keyprefix kp;
	int n, found = 0;

	if (lz_keyprefix_from_prefix(prefix, ctl->view.instance.ipv6_key_len, &kp) < 0)
		return false;
	walk.last = (__s64)kp.bits - 1;
	n = lz_held_next(ctl->ledger, &walk, held, LZ_ARRAY_SIZE(held));
	for (int i = 0; found < 2 && i < n; i++) {
		if ((held[i].key ^ kp.bits) >> (64 - kp.len))
			break;
		if (held[i].expiry_s > now_s && !found++)
			*ret = held[i];
	}
	*ret_others = found > 1;
	return found;
}

void lz_json_excepted(struct lz_ctl *ctl, cJSON *end, const struct lz_held *held, const char *others, cJSON *obj)
{
	char address[LZ_ADDR_TEXT_MAX], until[LZ_TIME_TEXT_MAX], command[LZ_COMMAND_TEXT_MAX];
	char words[sizeof("quarantine del ") + LZ_ADDR_TEXT_MAX], note[sizeof(command) + 256];
	struct lz_prefix key = lz_key_to_prefix(held->key, ctl->view.instance.ipv6_key_len);

	lz_text_set(address, sizeof(address), held->address);
	if (!address[0])
		lz_addr_format(&key.addr, address);
	lz_json_add_str(obj, "address", address);
	lz_json_grade(obj, held->grade);
	lz_json_time(obj, "until", lz_ctl_wall_of(held->expiry_s));
	snprintf(words, sizeof(words), "quarantine del %s", address);
	snprintf(note, sizeof(note), "%s is held%s: %s until %s; %s lets it out", address, others, held->grade,
		 lz_time_format(lz_ctl_wall_of(held->expiry_s) * LZ_NS_PER_S, until),
		 lz_ctl_command(ctl, words, command));
	lz_json_add_str(end, "note", note);
}

static void add_held(struct lz_ctl *ctl, cJSON *end, const struct lz_granted *row)
{
	struct lz_held held;
	bool others;
	cJSON *obj;

	if (!(row->flags & LZ_EXCEPTION_ALL) || !find_held(ctl, &row->prefix, &held, &others))
		return;
	obj = cJSON_AddObjectToObject(end, "held");
	lz_json_excepted(ctl, end, &held, others ? ", and it is not the only one" : "", obj);
	lz_json_add_bool(obj, "others", others);
}

void lz_h_exception_add(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_granted row = { .since_s = lz_ctl_now().wall_s }, before = { 0 };
	struct lz_err err = { "" };
	__u64 until_ns = 0;
	cJSON *end;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_exception_add) || !lz_ctl_need(ctl, req))
		return;
	r = lz_prefix_parse(lz_arg_text(req, "prefix"), &row.prefix, &err);
	if (r == 0)
		r = lz_exception_flags(lz_arg_text(req, "what"), &row.flags, &err);
	if (r == 0)
		r = lz_time_parse(lz_arg_text(req, "until"), &until_ns, &err);
	row.until_s = until_ns / LZ_NS_PER_S;
	lz_text_set(row.ticket, sizeof(row.ticket), lz_arg_text(req, "ticket"));
	lz_tell_actor(req, row.actor);
	if (r == 0)
		lz_granted_get(ctl->ledger, &row.prefix, &before);
	if (r == 0)
		r = lz_exception_grant(ctl, &row, &err);
	if (r < 0) {
		lz_end(req, r, &err);
		return;
	}
	lz_exception_tell(ctl, "exception-added", &row, row.actor);
	end = cJSON_CreateObject();
	add_members(ctl, end, &row, false);
	if (before.until_s > row.since_s)
		add_members(ctl, cJSON_AddObjectToObject(end, "replaced"), &before, true);
	add_held(ctl, end, &row);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

void lz_h_exception_del(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	char actor[LZ_ACTOR_TEXT_MAX];
	struct lz_err err = { "" };
	struct lz_prefix prefix;
	struct lz_granted row;
	cJSON *end;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_exception_del) || !lz_ctl_need(ctl, req))
		return;
	r = lz_prefix_parse(lz_arg_text(req, "prefix"), &prefix, &err);
	if (r == 0 && (r = lz_granted_get(ctl->ledger, &prefix, &row)) < 0)
		lz_err_set(&err, -r, "exception: %s: there is none of exactly this prefix",
			   lz_arg_text(req, "prefix"));
	if (r == 0)
		r = lz_exception_revoke(ctl, &prefix, &err);
	if (r < 0) {
		lz_end(req, r, &err);
		return;
	}
	lz_tell_actor(req, actor);
	lz_exception_tell(ctl, "exception-ended", &row, actor);
	end = cJSON_CreateObject();
	add_members(ctl, end, &row, false);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

struct list {
	struct lz_ctl *ctl;
	bool text; /* as import reads it */
	struct lz_granted last;
	bool begun;
	__u64 total;
};

static void add_line(struct lz_str *text, const struct lz_granted *row)
{
	char prefix[LZ_PREFIX_TEXT_MAX], until[LZ_TIME_TEXT_MAX];

	lz_str_appendf(text, "%s %s %s ", lz_prefix_format(&row->prefix, prefix), lz_exception_word(row->flags),
		       lz_time_format(row->until_s * LZ_NS_PER_S, until));
	lz_lines_quote_word(text, row->ticket);
	lz_str_append(text, "\n");
}

static void list_fill(struct lz_request *req, void *arg)
{
	struct lz_granted rows[LZ_GRANTED_SLICE];
	lz_autostr struct lz_str text = { 0 };
	struct list *l = arg;
	cJSON *row;
	int n;

	n = lz_granted_next(l->ctl->ledger, l->begun ? &l->last.prefix : NULL, rows, LZ_GRANTED_SLICE);
	for (int i = 0; i < n; i++) {
		if (l->text) {
			add_line(&text, &rows[i]);
		} else {
			row = cJSON_CreateObject();
			add_members(l->ctl, row, &rows[i], true);
			lz_reply_row(req, row);
		}
		l->last = rows[i];
		l->begun = true;
		l->total++;
	}
	if (text.len)
		lz_reply_payload(req, text.data, text.len);
	if (n > 0)
		return;
	row = cJSON_CreateObject();
	lz_json_add_u64(row, l->text ? "entries" : "total", l->total);
	lz_reply_end(req, LZ_CODE_OK, NULL, row);
}

static void list(struct lz_request *req, struct lz_ctl *ctl, bool text)
{
	struct list *l = calloc(1, sizeof(*l));

	if (!l) {
		lz_reply_end(req, LZ_CODE_REFUSED, "exception: out of memory", NULL);
		return;
	}
	l->ctl = ctl;
	l->text = text;
	lz_reply_stream(req, list_fill, free, l);
}

void lz_h_exception_list(struct lz_request *req, void *arg)
{
	list(req, arg, false);
}

void lz_h_exception_export(struct lz_request *req, void *arg)
{
	list(req, arg, true);
}
