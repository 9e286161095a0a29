// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * why.c - the operator on the telephone: why is this customer blocked, since when, until when, who did
 * it, how do I let him out?
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "cases/case.h"
#include "control/counted.h"
#include "control/ctl.h"
#include "control/exception.h"
#include "control/hold.h"
#include "control/target.h"
#include "datapath/bypass.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/timeline.h"

#define BYPASSED "bypass: everything passes"

static const struct lz_policy_class *class_of(const struct lz_ctl *ctl, __u32 class_)
{
	const char *name = lz_class_name(ctl, class_);

	for (size_t i = 0; name && i < ctl->now.policy->n_classes; i++)
		if (lz_streq(ctl->now.policy->classes[i].name, name))
			return &ctl->now.policy->classes[i];
	return NULL;
}

/* What is held is not all of the customer's, or will not be for long. */
static void say_note(struct lz_ctl *ctl, const struct lz_target *t, cJSON *end)
{
	const char *shared = lz_target_shared(ctl, t->key);
	char text[LZ_APART_TEXT_MAX];

	if (shared) {
		snprintf(text, sizeof(text), "class %s is shared by now: the hold ends %s", shared,
			 ctl->before.policy ? "when the policy is confirmed" : "soon");
		lz_json_add_str(end, "note", text);
	} else if (t->apart) {
		lz_json_add_str(end, "note", lz_target_say_apart(t, text));
	}
}

static void say_held(struct lz_ctl *ctl, const struct lz_target *t, __u64 word, cJSON *end)
{
	enum lz_hold_off off = lz_hold_off(ctl, &t->addr, LZ_HOLD_EXPIRY(word));
	struct lz_held held = { .key = 0 };
	char text[LZ_GRADE_TEXT_MAX];
	struct lz_grade grade;

	lz_json_add_str(end, "verdict", off == LZ_HOLD_OFF_BYPASS ? BYPASSED : "held");
	if (off) {
		lz_json_add_bool(end, "enforced", false);
		lz_json_add_str(end, "not_enforced", lz_hold_off_texts[off]);
	}
	if (lz_held_get(ctl->ledger, t->key, &held) == 0) {
		lz_json_add_str(end, "rule", held.source);
		lz_json_add_str(end, "actor", held.actor);
		if (held.reason[0])
			lz_json_add_str(end, "reason", held.reason);
		if (held.ticket[0])
			lz_json_add_str(end, "ticket", held.ticket);
		lz_json_time(end, "since", held.since_s);
		lz_json_add_u64(end, "generation", held.generation);
	} else {
		lz_json_add_str(end, "rule", LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL ? "limit" : "unknown");
		lz_json_add_str(end, "actor", "kernel");
		lz_json_add_u64(end, "generation", lz_ctl_generation(ctl));
	}
	lz_json_time(end, "until", lz_ctl_wall_of(LZ_HOLD_EXPIRY(word)));
	lz_hold_grade(ctl, word, &grade);
	lz_json_grade(end, held.key ? held.grade : lz_grade_format(&grade, text));
	lz_json_case(ctl, end, t);
	say_note(ctl, t, end);
}

static void say_limit(const struct lz_counted *counted, cJSON *end)
{
	char rule[2 * LZ_NAME_MAX + 8];

	snprintf(rule, sizeof(rule), "%s/%s", counted->name->class_, counted->name->name);
	lz_json_add_str(end, "rule", rule);
	lz_json_add_u64(end, "value", counted->value);
	lz_json_add_u64(end, "at_most", counted->limit->n);
}

/* Would the next SYN be over it, and would that matter? As lz_limits() of bpf/judge.h decides. */
static bool refuses_now(const struct lz_ctl *ctl, const struct lz_counted *counted, __u32 lifted)
{
	const struct lz_limit *l = counted->limit;

	if (ctl->now.policy->mode == LZ_MODE_MONITOR || (l->flags & LZ_LIMIT_F_MONITOR) ||
	    l->then == LZ_THEN_NOTIFY ||
	    (l->what == LZ_WHAT_SYN ? lifted & LZ_EXCEPTION_ALL : lifted))
		return false;
	return l->kind == LZ_LIMIT_DESTS ? counted->value > l->n : counted->value >= l->n;
}

static void say_refusing(const struct lz_counted *counted, cJSON *end)
{
	lz_json_add_str(end, "verdict", "limited");
	say_limit(counted, end);
	lz_json_add_str(end, "reason", counted->limit->then == LZ_THEN_HOLD ?
				"used up: the next connection is a hold" :
				"used up: new connections are refused until older ones leave it");
}

static void say_port25(const struct lz_ctl *ctl, const struct lz_target *t,
		       const struct lz_policy_class *class, cJSON *end)
{
	char text[LZ_PREFIX_TEXT_MAX + 80], key[LZ_PREFIX_TEXT_MAX], command[LZ_COMMAND_TEXT_MAX];

	lz_json_add_str(end, "verdict",
			ctl->now.policy->mode == LZ_MODE_MONITOR ? "monitor" :
						lz_refusal_words[class->port25.to_world]);
	snprintf(text, sizeof(text), "%s/port25", class->name);
	lz_json_add_str(end, "rule", text);
	lz_json_add_str(end, "reason", "the class may not reach port 25 of the world");
	/* the whole key: an exception for one address of an IPv6 key is refused */
	snprintf(text, sizeof(text), "exception add %s port25 until DATE ticket ID",
		 lz_key_format(t->key, ctl->view.instance.ipv6_key_len, key));
	lz_json_add_str(end, "release", lz_ctl_command(ctl, text, command));
}

/* A limit that refuses comes before the class's rule: it stops also what the rule lets through, and
 * is why a customer calls today who could send yesterday. */
static void say_free(struct lz_ctl *ctl, const struct lz_target *t, __u32 lifted, cJSON *end)
{
	const struct lz_policy_class *class = class_of(ctl, t->class_);
	struct lz_counted counted[LZ_LIMITS_PER_CLASS];
	size_t n = class ? lz_counted_read(ctl, t->key, counted) : 0, i = 0;
	const struct lz_counted *nearest = lz_counted_nearest(counted, n, false);

	/* they stand in the same order in policy and image */
	while (i < n && (lz_policy_limit_sleeps(ctl->now.policy, &class->limits[i]) ||
			 !refuses_now(ctl, &counted[i], lifted)))
		i++;
	if (i < n) {
		say_refusing(&counted[i], end);
	} else if (!lifted && class && class->port25.to_world != LZ_V_PASS) {
		say_port25(ctl, t, class, end);
	} else {
		lz_json_add_str(end, "verdict", "pass");
		if (nearest && nearest->value)
			say_limit(nearest, end);
	}
	lz_json_add_u64(end, "generation", lz_ctl_generation(ctl));
}

/* He who is not held was perhaps told that he will be: that is why he calls. */
static void say_case(struct lz_ctl *ctl, const struct lz_target *t, cJSON *end)
{
	struct lz_case c;

	if (lz_case_peek(ctl, t, &c) == 0 && c.id && c.state != LZ_CASE_CLOSED)
		lz_json_case(ctl, end, t);
}

static void say_evidence(const struct lz_cell_copy *cell, cJSON *end)
{
	char text[160], would[40] = "";

	if (cell->would_drop)
		snprintf(would, sizeof(would), ", %u would be", cell->would_drop);
	snprintf(text, sizeof(text), "%u port-25 connections, %u SYNs; %u packets refused%s",
		 cell->smtp_connections, cell->syn, cell->dropped, would);
	lz_json_add_str(end, "evidence", text);
}

/* Its flags, 0 = none. */
static __u32 say_exception(struct lz_ctl *ctl, const struct lz_target *t, cJSON *end)
{
	char prefix[LZ_PREFIX_TEXT_MAX], until[LZ_TIME_TEXT_MAX], text[200];
	struct lz_granted row;

	if (lz_exception_find(ctl, t->key, &row) < 0)
		return 0;
	snprintf(text, sizeof(text), "%s %s until %s ticket %s", lz_prefix_format(&row.prefix, prefix),
		 lz_exception_word(row.flags), lz_time_format(row.until_s * LZ_NS_PER_S, until), row.ticket);
	lz_json_add_str(end, "exception", text);
	return row.flags;
}

static void say_place(struct lz_ctl *ctl, const struct lz_target *t, cJSON *end)
{
	struct lz_prefix host = lz_prefix_host(&t->addr);
	char text[LZ_PREFIX_TEXT_MAX];
	const struct lz_range *range;

	lz_json_add_str(end, "address", lz_addr_format(&t->addr, text));
	lz_json_add_str(end, "key", lz_key_format(t->key, ctl->view.instance.ipv6_key_len, text));
	if (t->customer)
		lz_json_add_str(end, "customer", t->customer);
	if (lz_class_name(ctl, t->class_))
		lz_json_add_str(end, "class", lz_class_name(ctl, t->class_));
	else
		cJSON_AddNullToObject(end, "class");
	if (!ctl->now.policy)
		return;
	range = lz_ranges_find(&ctl->now.policy->class_ranges, &host);
	if (range)
		lz_json_add_str(end, "set", lz_prefix_format(&range->prefix, text));
	range = lz_ranges_find(&ctl->now.policy->never_ranges, &host);
	if (range)
		lz_json_add_str(end, "never", lz_prefix_format(&range->prefix, text));
}

void lz_h_why(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_target target;
	struct lz_cell_copy cell;
	__u32 lifted;
	bool seen;
	__u64 word;
	cJSON *end;

	if (!lz_arg_host(ctl, req, true, &target))
		return;
	lz_timeline_say(ctl, req, &target);
	end = cJSON_CreateObject();
	say_place(ctl, &target, end);
	seen = lz_cell_get(&ctl->view, target.key, &cell) == 0;
	lifted = say_exception(ctl, &target, end);
	if (lz_hold_read(&ctl->view, target.key, &word) == 0) {
		say_held(ctl, &target, word, end);
	} else {
		if (lz_bypass_get(ctl->view.control, NULL))
			lz_json_add_str(end, "verdict", BYPASSED);
		else
			say_free(ctl, &target, lifted, end);
		say_case(ctl, &target, end);
	}
	if (seen)
		say_evidence(&cell, end);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
	lz_target_done(&target);
}
