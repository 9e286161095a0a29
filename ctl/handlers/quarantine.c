// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * quarantine.c - one host at a time: add, set, del, show; and the guard.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/exception.h"
#include "control/hold.h"
#include "control/target.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/timeline.h"

/* The grade asked for; NONE: not given, then what stands stays, or leaky. "garden strict" is as it
 * always was, "grade block25" and the like say the same in one word more. */
static int read_grade(struct lz_ctl *ctl, struct lz_request *req, struct lz_grade *ret,
		      struct lz_err *reterr)
{
	const char *garden = lz_arg_text(req, "garden"), *text = lz_arg_text(req, "grade");
	char name[LZ_GRADE_TEXT_MAX];
	int r;

	*ret = (struct lz_grade){ .kind = LZ_GRADE_IS_NONE };
	if (!garden && !text)
		return 0;
	if (garden && text)
		return lz_err_set(reterr, EINVAL, "quarantine: garden and grade: want one of them");
	if (garden)
		snprintf(name, sizeof(name), "garden:%.36s", garden);
	r = lz_grade_parse(text ? text : name, ret, reterr);
	return r < 0 ? r : lz_grade_check(ctl, ret, reterr);
}

/* What became of who is to be held. */
enum outcome {
	OUTCOME_SET, /* by `quarantine set`, which always changes */
	OUTCOME_HELD,
	OUTCOME_EXTENDED,
	OUTCOME_ALREADY, /* for longer and no milder */
};

/* @left_out: keys of the customer that the colony had no room for */
static void end_held(struct lz_ctl *ctl, struct lz_request *req, const struct lz_target *target,
		     enum outcome outcome, __u64 left_out)
{
	bool named = lz_arg_text(req, "garden") || lz_arg_text(req, "grade");
	cJSON *end = cJSON_CreateObject();
	struct lz_held held = { 0 };
	char apart[LZ_APART_TEXT_MAX + 32];
	const char *note = NULL;

	if (lz_held_get(ctl->ledger, target->key, &held) == 0)
		lz_json_held(ctl, end, &held);
	if (outcome > OUTCOME_HELD && !named && strncmp(held.grade, "garden:", 7))
		note = "no harder than it was: \"garden NAME\" puts it into the quarantine";
	cJSON_DeleteItemFromObjectCaseSensitive(end, "touched");
	cJSON_DeleteItemFromObjectCaseSensitive(end, "customer");
	lz_json_held_now(ctl, end, target);
	cJSON_DeleteItemFromObjectCaseSensitive(end, "state");
	lz_json_case(ctl, end, target);
	if (outcome != OUTCOME_SET)
		lz_json_add_bool(end, "extended", outcome == OUTCOME_EXTENDED);
	if (outcome == OUTCOME_ALREADY)
		lz_json_add_bool(end, "already", true);
	if (target->class_ == LZ_CLASS_FOREIGN)
		note = "is in no set of the policy: only held, never counted";
	if (target->apart) /* who believes that the customer is shut off does not look again */
		note = lz_target_say_apart(target, apart);
	if (left_out) {
		snprintf(apart, sizeof(apart), "not all of customer %.64s: colony: full, without %llu more; raise "
			 "/capacity/colony or free some", target->customer ? target->customer : "",
			 (unsigned long long)left_out);
		note = apart;
	}
	if (note)
		lz_json_add_str(end, "note", note);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

static bool check_time(struct lz_request *req, const char *what, __u64 for_s)
{
	if (for_s >= 1 && for_s <= LZ_HOLD_CAP_S)
		return true;
	lz_end_invalid(req, "quarantine: %s %llu s: want 1 s to 31 days", what,
		       (unsigned long long)for_s);
	return false;
}

/* Held already, for longer and no milder: what was said of it is kept all the same. */
static void note_unchanged(struct lz_ctl *ctl, const struct lz_move *move)
{
	const char *ticket = move->ticket ? move->ticket : "", *reason = move->reason ? move->reason : "";
	struct lz_note note = { .key = move->target->key };

	if (!ticket[0] && !reason[0])
		return;
	lz_text_set(note.event, sizeof(note.event), "held-already");
	lz_addr_format(&move->target->addr, note.object);
	lz_text_set(note.actor, sizeof(note.actor), move->actor);
	snprintf(note.reason, sizeof(note.reason), "%s%s%s", reason, reason[0] && ticket[0] ? ", ticket " :
		 ticket[0] ? "ticket " : "", ticket);
	lz_tell_note(ctl, LZ_LOG_NOTICE, &note);
}

/* Who was promised not to be held is not, neither he nor what is held with him. */
static int check_exception(struct lz_ctl *ctl, const struct lz_target *target, struct lz_err *reterr)
{
	char text[LZ_ADDR_TEXT_MAX];
	struct lz_err why = { "" };
	int r = lz_exception_check(ctl, target->keys, target->n_keys, &why);

	return r < 0 ? lz_err_set(reterr, -r, "%s: %s", lz_addr_format(&target->addr, text), why.text) : 0;
}

static int hold(struct lz_ctl *ctl, struct lz_request *req, const struct lz_target *target,
		const struct lz_grade *grade, __u32 for_s, enum outcome *ret, __u64 *ret_left_out,
		struct lz_err *reterr)
{
	struct lz_move move = { .target = target,
				.grade = grade->kind == LZ_GRADE_IS_NONE ? NULL : grade,
				.exact = LZ_EXACT_GRADE,
				.source = "operator",
				.reason = lz_arg_text(req, "reason"),
				.ticket = lz_arg_text(req, "ticket") };
	char actor[LZ_ACTOR_TEXT_MAX];
	bool changed = false, held;
	struct lz_case c;
	int r = lz_target_check(ctl, target, reterr);

	if (r == 0)
		r = check_exception(ctl, target, reterr);
	if (r == 0)
		r = lz_case_open(ctl, target, &c, reterr);
	if (r < 0)
		return r;
	held = lz_case_holds(c.state);
	lz_tell_actor(req, actor);
	move.c = &c;
	move.actor = actor;
	move.end_s = LZ_HOLD_END(lz_tables_now_s(&ctl->view), for_s);
	move.to = grade->kind != LZ_GRADE_IS_NONE ? lz_case_state_of(grade) :
		  held				  ? c.state :
						    LZ_CASE_GARDEN;
	if (!held)
		lz_text_set(c.reason_class, sizeof(c.reason_class), LZ_CLASS_STAFF);
	if (lz_arg_bool(req, "staff_only"))
		c.staff_only = true;
	r = lz_case_move(ctl, &move, &changed, reterr);
	if (r == 0 && !changed)
		note_unchanged(ctl, &move);
	*ret_left_out = move.left_out;
	*ret = !held ? OUTCOME_HELD : changed ? OUTCOME_EXTENDED : OUTCOME_ALREADY;
	return r;
}

void lz_h_quarantine_add(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	__u64 for_s = lz_arg_int(req, "for_s", LZ_HOLD_DEFAULT_S);
	struct lz_target target;
	struct lz_err err = { "" };
	struct lz_grade grade;
	enum outcome outcome = OUTCOME_HELD;
	__u64 left_out = 0;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_add) || !check_time(req, "for", for_s) ||
	    !lz_arg_host(ctl, req, false, &target))
		return;
	r = read_grade(ctl, req, &grade, &err);
	if (r == 0)
		r = hold(ctl, req, &target, &grade, (__u32)for_s, &outcome, &left_out, &err);
	if (r < 0)
		lz_end(req, r, &err);
	else
		end_held(ctl, req, &target, outcome, left_out);
	lz_target_done(&target);
}

/* The case of a target that is held; -ENOENT with the reason if it is not. */
static int open_held(struct lz_ctl *ctl, const struct lz_target *target, bool also_notified,
		     struct lz_case *ret, struct lz_err *reterr)
{
	char text[LZ_ADDR_TEXT_MAX];
	__u64 word;
	int r = lz_case_open(ctl, target, ret, reterr);

	if (r < 0 || lz_case_holds(ret->state))
		return r;
	if (also_notified && ret->id &&
	    (ret->state == LZ_CASE_NOTIFIED || ret->state == LZ_CASE_OBSERVED))
		return 0;
	if (lz_hold_read(&ctl->view, target->key, &word) == 0) { /* by the kernel, a moment ago */
		struct lz_grade grade;

		lz_hold_grade(ctl, word, &grade);
		ret->state = lz_case_state_of(&grade);
		return 0;
	}
	return lz_err_set(reterr, ENOENT, "%s: is not held", lz_addr_format(&target->addr, text));
}

void lz_h_quarantine_set(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	__u64 for_s = lz_arg_int(req, "for_s", 0);
	struct lz_move move = { .exact = LZ_EXACT_TIME, .source = "operator" };
	char actor[LZ_ACTOR_TEXT_MAX];
	struct lz_target target;
	struct lz_err err = { "" };
	struct lz_case c;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_set) || !check_time(req, "for", for_s) ||
	    !lz_arg_target(ctl, req, &target))
		return;
	r = check_exception(ctl, &target, &err);
	if (r == 0)
		r = open_held(ctl, &target, false, &c, &err);
	if (r == 0) {
		lz_tell_actor(req, actor);
		move.c = &c;
		move.target = &target;
		move.to = c.state;
		move.actor = actor;
		move.end_s = LZ_HOLD_END(lz_tables_now_s(&ctl->view), for_s);
		r = lz_case_move(ctl, &move, NULL, &err);
	}
	if (r < 0)
		lz_end(req, r, &err);
	else
		end_held(ctl, req, &target, OUTCOME_SET, move.left_out);
	lz_target_done(&target);
}

/* ---------------------------------------------------------------- del */

#define LZ_EXEMPT_DEFAULT_S (30 * 86400u)
#define LZ_EXEMPT_MAX_S	    (10 * 366 * 86400ULL)

/* It was wrong: exceptions for all that was touched, made in the release's own transaction. */
static int fill_exempt(struct lz_request *req, const struct lz_target *target, const char *actor,
		       __u64 for_s, struct lz_move *move, struct lz_granted **ret)
{
	const char *ticket = lz_arg_text(req, "ticket");
	struct lz_granted *rows = calloc(target->n_touched, sizeof(*rows));
	__u64 now_s = lz_ctl_now().wall_s;

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < target->n_touched; i++) {
		rows[i] = (struct lz_granted){ .prefix = target->touched[i], .since_s = now_s,
					       .until_s = now_s + for_s, .flags = LZ_EXCEPTION_ALL };
		lz_text_set(rows[i].ticket, sizeof(rows[i].ticket), ticket ? ticket : "false-positive");
		lz_text_set(rows[i].actor, sizeof(rows[i].actor), actor);
	}
	move->exempt = *ret = rows;
	move->n_exempt = target->n_touched;
	return 0;
}

/* What somebody was let go from. */
struct before {
	struct lz_moved freed;
	__u64 until_s;
	bool held; /* not so: he was told, or seen */
	char called_off[LZ_GRADE_TEXT_MAX + LZ_TIME_TEXT_MAX + 8]; /* the step that waited for its grace; "" = none */
};

static void look_before(const struct lz_case *c, struct before *ret)
{
	char grade[LZ_GRADE_TEXT_MAX], from[LZ_TIME_TEXT_MAX];

	ret->until_s = c->until_s;
	ret->held = lz_case_holds(c->state);
	if (lz_case_waits(c))
		snprintf(ret->called_off, sizeof(ret->called_off), "%s from %s", lz_grade_format(&c->grade, grade),
			 lz_time_format(c->due_s * LZ_NS_PER_S, from));
}

static int let_go(struct lz_ctl *ctl, struct lz_request *req, const struct lz_target *target,
		  __u64 exempt_s, struct before *ret, struct lz_err *reterr)
{
	struct lz_move move = { .target = target, .to = LZ_CASE_RELEASED, .source = "operator",
				.event = "freed", .moved = &ret->freed, .reason = lz_arg_text(req, "reason"),
				.ticket = lz_arg_text(req, "ticket") };
	lz_autofree struct lz_granted *exempt = NULL;
	char actor[LZ_ACTOR_TEXT_MAX];
	struct lz_case c;
	bool any = false;
	int r = open_held(ctl, target, true, &c, reterr);

	if (r == 0 && c.id)
		r = lz_case_hand_over(ctl, c.id, &any, reterr);
	if (r == 0 && any) /* it may have held nothing else */
		r = open_held(ctl, target, true, &c, reterr);
	if (r < 0)
		return r;
	lz_tell_actor(req, actor);
	if (exempt_s) {
		move.event = "false-positive";
		if (!move.reason)
			move.reason = "false positive";
		if (fill_exempt(req, target, actor, exempt_s, &move, &exempt) < 0)
			return lz_err_set(reterr, ENOMEM, "quarantine: out of memory");
	}
	look_before(&c, ret);
	c.freed_s = lz_ctl_now().wall_s;
	c.due_s = c.freed_s + LZ_CASE_RELEASED_S;
	/* A step that was wrong does not count, nor one that was never taken. */
	if ((exempt_s || ret->called_off[0]) && c.step >= 0)
		c.step--;
	move.c = &c;
	move.actor = actor;
	return lz_case_move(ctl, &move, NULL, reterr);
}

void lz_h_quarantine_del(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	bool wrong = lz_arg_bool(req, "false_positive");
	__u64 for_s = lz_arg_int(req, "for_s", wrong ? LZ_EXEMPT_DEFAULT_S : 0);
	struct before before = { .until_s = 0 };
	struct lz_target target;
	char address[LZ_ADDR_TEXT_MAX];
	struct lz_err err = { "" };
	cJSON *end;
	int r;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_del))
		return;
	if ((for_s && !wrong) || for_s > LZ_EXEMPT_MAX_S) {
		lz_end_invalid(req, "quarantine: for %llu s: %s", (unsigned long long)for_s,
			       wrong ? "want at most 10 years" : "goes with false-positive only");
		return;
	}
	if (!lz_arg_target(ctl, req, &target))
		return;
	r = let_go(ctl, req, &target, for_s, &before, &err);
	if (r < 0) {
		lz_end(req, r, &err);
	} else {
		__u64 now_s = lz_ctl_now().wall_s;

		end = cJSON_CreateObject();
		lz_json_add_str(end, "address", lz_addr_format(&target.addr, address));
		lz_json_touched(ctl, end, &target, before.freed.v, before.freed.n);
		lz_json_time(end, "until_before", before.until_s ? before.until_s : now_s);
		lz_json_add_bool(end, "was_held", before.held);
		if (before.called_off[0])
			lz_json_add_str(end, "called_off", before.called_off);
		if (for_s)
			lz_json_time(end, "exception_until", now_s + for_s);
		lz_json_case(ctl, end, &target);
		lz_reply_end(req, LZ_CODE_OK, NULL, end);
	}
	free(before.freed.v);
	lz_target_done(&target);
}

/* ---------------------------------------------------------------- show */

static void show_target(struct lz_ctl *ctl, struct lz_request *req, const struct lz_target *target)
{
	char address[LZ_ADDR_TEXT_MAX];
	struct lz_held held;
	char words[80], command[LZ_COMMAND_TEXT_MAX];
	struct lz_err err;
	struct lz_case c;
	cJSON *end;

	lz_addr_format(&target->addr, address);
	if (lz_held_get(ctl->ledger, target->key, &held) == 0) {
		lz_timeline_say(ctl, req, target);
		end_held(ctl, req, target, OUTCOME_SET, 0);
	} else if (lz_case_peek(ctl, target, &c) == 0 && c.id && c.state != LZ_CASE_CLOSED) {
		lz_timeline_say(ctl, req, target);
		end = cJSON_CreateObject();
		lz_json_add_str(end, "address", address);
		lz_json_held_now(ctl, end, target);
		if (lz_class_name(ctl, target->class_))
			lz_json_add_str(end, "class", lz_class_name(ctl, target->class_));
		lz_json_time(end, "since", c.opened_s);
		lz_json_case(ctl, end, target);
		if (lz_case_holds(c.state))
			lz_json_add_str(end, "note", "not held itself; others of its customer are");
		lz_reply_end(req, LZ_CODE_OK, NULL, end);
	} else {
		snprintf(words, sizeof(words), "why %.64s", address);
		lz_err_set(&err, ENOENT, "%s: is not held; %s tells its history", address,
			   lz_ctl_command(ctl, words, command));
		lz_end(req, -ENOENT, &err);
	}
}

/* Whom a case is about: by what it holds, else by the policy. False: nobody is known by now. */
static bool find_owner(struct lz_ctl *ctl, const struct lz_case *c, struct lz_target *ret)
{
	struct lz_held held;

	if (lz_held_of(ctl->ledger, c->id, &held, 1) == 1 && lz_target_of_held(ctl, &held, ret) == 0) {
		if (lz_case_is_of(c, ret))
			return true;
		lz_target_done(ret);
	}
	return lz_case_target(ctl, c, ret) == 0;
}

/* A case that is over, or whose addresses are another's by now: what it was, and nothing of his. */
static void show_case_alone(struct lz_ctl *ctl, struct lz_request *req, const struct lz_case *c)
{
	unsigned int key_len = ctl->view.instance.ipv6_key_len;
	struct lz_prefix key = lz_key_to_prefix(c->key, key_len);
	char text[LZ_PREFIX_TEXT_MAX], grade[LZ_GRADE_TEXT_MAX];
	lz_autofree struct lz_held *held = NULL;
	int n = lz_held_of_all(ctl->ledger, c->id, &held);
	cJSON *end = cJSON_CreateObject(), *touched;

	lz_timeline_case(ctl, req, c->id);
	lz_json_add_str(end, "address", lz_addr_format(&key.addr, text));
	touched = cJSON_AddArrayToObject(end, "touched");
	for (int i = 0; i < n; i++)
		cJSON_AddItemToArray(touched, cJSON_CreateString(lz_key_format(held[i].key, key_len, text)));
	if (c->customer[0])
		lz_json_add_str(end, "customer", c->customer);
	if (lz_case_holds(c->state)) {
		lz_json_grade(end, lz_grade_format(&c->grade, grade));
		lz_json_time(end, "until", c->until_s);
	}
	lz_json_time(end, "since", c->opened_s);
	lz_json_case_row(ctl, end, c);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

static void show_case(struct lz_ctl *ctl, struct lz_request *req, __u64 id)
{
	struct lz_target target = { 0 };
	char command[LZ_COMMAND_TEXT_MAX];
	struct lz_case c, now;
	struct lz_err err;

	if (!lz_ctl_need(ctl, req))
		return;
	if (lz_case_get(ctl->ledger, id, &c) < 0) {
		lz_err_set(&err, ENOENT, "case %llu: there is none; %s says who is held",
			   (unsigned long long)id, lz_ctl_command(ctl, "quarantine list", command));
		lz_end(req, -ENOENT, &err);
		return;
	}
	/* the case that goes on is shown as by address: with all that is known of its host */
	if (find_owner(ctl, &c, &target) && c.state != LZ_CASE_CLOSED &&
	    lz_case_peek(ctl, &target, &now) == 0 && now.id == c.id)
		show_target(ctl, req, &target);
	else
		show_case_alone(ctl, req, &c);
	lz_target_done(&target);
}

void lz_h_quarantine_show(struct lz_request *req, void *arg)
{
	__u64 id = lz_arg_int(req, "case", 0);
	struct lz_ctl *ctl = arg;
	struct lz_target target;

	if (!lz_arg_text(req, "address") == !id) {
		lz_end_invalid(req, "quarantine: want an address or the number of a case, one of them");
	} else if (id) {
		show_case(ctl, req, id);
	} else if (lz_arg_target(ctl, req, &target)) {
		show_target(ctl, req, &target);
		lz_target_done(&target);
	}
}

/* ---------------------------------------------------------------- guard */

void lz_h_quarantine_guard(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	char actor[LZ_ACTOR_TEXT_MAX];
	struct lz_guard_rule rule;
	cJSON *end;

	if (lz_ctl_wait(ctl, req, lz_h_quarantine_guard) || !lz_ctl_need(ctl, req))
		return;
	rule = lz_guard_rule_of(ctl);
	if (lz_arg_bool(req, "reset")) {
		lz_tell_actor(req, actor);
		lz_case_guard_reset(ctl, actor);
	}
	end = cJSON_CreateObject();
	lz_json_add_bool(end, "tripped", lz_guard_tripped(&ctl->guard, &rule, lz_tables_now_s(&ctl->view)));
	lz_json_add_u64(end, "refused", ctl->guarded);
	lz_json_add_u64(end, "new_per_minute", rule.new_per_minute);
	lz_json_add_u64(end, "held_automatically", lz_cases_automatic(ctl->ledger));
	lz_json_add_u64(end, "active_sources", lz_sources_active(ctl));
	lz_json_add_u64(end, "share", lz_guard_share(&rule, lz_sources_active(ctl)));
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}
