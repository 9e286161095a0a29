// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy.c - what comes as a text: diff, apply.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "control/ask.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/hold.h"
#include "control/instance.h"
#include "control/rules.h"
#include "control/running.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/applycheck.h"
#include "handlers/exchange.h"
#include "handlers/handlers.h"
#include "handlers/preview.h"
#include "policy/diff.h"
#include "privsep/chan.h"

#define LZ_CONFIRM_MAX_S 86400

/* @path: where in the policy, "" for the whole of it; NULL: it is about the gateway */
static void send_line(struct lz_request *req, const char *kind, const char *path, const char *text)
{
	cJSON *row = cJSON_CreateObject();

	lz_json_add_str(row, "kind", kind);
	if (path)
		lz_json_add_str(row, "path", path);
	lz_json_add_str(row, "text", text);
	lz_reply_row(req, row);
}

static void send_report(struct lz_request *req, const struct lz_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		send_line(req, lz_severity_name(report->items[i].severity), report->items[i].pointer,
			  report->items[i].text);
}

/* The payload as a checked policy; if it is none, the request is answered. */
static struct lz_policy *read_payload(struct lz_request *req, bool tell)
{
	struct lz_report report = { 0 };
	struct lz_policy *policy = NULL;
	size_t len = 0;
	const char *text = lz_request_payload(req, &len);

	if (lz_policy_parse_text(text, len, NULL, &policy, &report) < 0) {
		if (tell)
			send_report(req, &report);
		lz_end_invalid(req, "policy: not valid, %zu error%s; nothing was changed; first: %s",
			       report.total[LZ_SEVERITY_ERROR],
			       report.total[LZ_SEVERITY_ERROR] == 1 ? "" : "s",
			       report.n ? report.items[0].text : "out of memory");
	} else if (tell) {
		send_report(req, &report);
	}
	lz_report_done(&report);
	return policy;
}

static void send_not_in_force(struct lz_request *req, const struct lz_policy *policy)
{
	lz_autostr struct lz_str lines = { 0 };
	char *save = NULL;

	if (lz_policy_not_in_force(policy, &lines) < 0 || !lines.data)
		return;
	for (char *line = strtok_r(lines.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		send_line(req, "not-in-force", NULL, line);
}

/* What is attached now and was not before, and the other way round. */
static void send_port_changes(struct lz_request *req, const struct lz_port_told *a, size_t n_a,
			      const struct lz_port_told *b, size_t n_b, const char *kind)
{
	char text[64];

	for (size_t i = 0; i < n_b; i++) {
		bool known = false;

		for (size_t k = 0; k < n_a && !known; k++)
			known = a[k].ifindex == b[i].ifindex && a[k].mode != LZ_ATTACH_NONE;
		if (known || b[i].mode == LZ_ATTACH_NONE)
			continue;
		snprintf(text, sizeof(text), "%s by %s", b[i].name,
			 b[i].mode < LZ_ATTACH_MODE_N ? lz_attach_mode_words[b[i].mode] : "?");
		send_line(req, kind, NULL, text);
	}
}

static void send_changed_hooks(struct lz_request *req, const struct lz_port_told *a, size_t n_a,
			       const struct lz_port_told *b, size_t n_b)
{
	char text[80];

	for (size_t i = 0; i < n_a; i++)
		for (size_t k = 0; k < n_b; k++) {
			if (a[i].ifindex != b[k].ifindex || a[i].mode == b[k].mode ||
			    a[i].mode == LZ_ATTACH_NONE || b[k].mode == LZ_ATTACH_NONE ||
			    a[i].mode >= LZ_ATTACH_MODE_N || b[k].mode >= LZ_ATTACH_MODE_N)
				continue;
			snprintf(text, sizeof(text), "%s from %s to %s", b[k].name,
				 lz_attach_mode_words[a[i].mode], lz_attach_mode_words[b[k].mode]);
			send_line(req, "changed", NULL, text);
		}
}

/* In force, and judging nothing there: said at once, not found out from a blocklist. */
static void send_missing(struct lz_ctl *ctl, struct lz_request *req, const struct lz_port_told *ports,
			 size_t n)
{
	char text[256];

	if (lz_interfaces_missing(ctl->now.policy, ports, n, text, sizeof(text)))
		send_line(req, "warning", NULL, text);
	if (lz_hold_no_port(ctl))
		send_line(req, "warning", NULL, "no customer port is judged: nothing of any hold is enforced");
}

/* A hook is changed once the policy is there for good. What cannot be stays as it was. */
static void send_other_hooks(struct lz_ctl *ctl, struct lz_request *req,
			     const struct lz_port_told *ports, size_t n)
{
	char text[256];

	for (size_t i = 0; i < n; i++) {
		const struct lz_port_told *p = &ports[i];

		if (p->mode == LZ_ATTACH_NONE || p->wanted == LZ_ATTACH_NONE || p->mode == p->wanted ||
		    p->mode >= LZ_ATTACH_MODE_N || p->wanted >= LZ_ATTACH_MODE_N)
			continue;
		snprintf(text, sizeof(text), ctl->now.row.deadline_s ?
			 "%s changes from %s to %s when this is confirmed" :
			 "%s stays on %s, the policy says %s: see interfaces-fault in the log",
			 p->name, lz_attach_mode_words[p->mode], lz_attach_mode_words[p->wanted]);
		send_line(req, "warning", NULL, text);
	}
}

static void end_applied(struct lz_ctl *ctl, struct lz_request *req)
{
	cJSON *end = cJSON_CreateObject();

	lz_json_add_u64(end, "generation", ctl->now.row.generation);
	lz_json_add_str(end, "name", ctl->now.row.name);
	if (ctl->now.row.deadline_s)
		lz_json_time(end, "deadline", ctl->now.row.deadline_s);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

static int no_way_back(struct lz_err *reterr)
{
	return lz_err_set(reterr, EINVAL, "confirm: there is no way back from other tables; without --confirm, please");
}

/* It needs other tables: the yes is there, and it is for good. Answers the request, but for errors. */
static int exchange(struct lz_ctl *ctl, struct lz_request *req, struct lz_policy *policy,
		    struct lz_err *reterr)
{
	struct lz_applied row = { 0 };
	cJSON *end;
	int r;

	if (lz_arg_int(req, "confirm_s", 0)) {
		lz_policy_free(&policy);
		return no_way_back(reterr);
	}
	lz_tell_actor(req, row.actor);
	lz_text_set(row.file, sizeof(row.file), lz_arg_text(req, "file"));
	r = lz_exchange(ctl, policy, &row, reterr);
	if (r < 0)
		return r;
	end = cJSON_CreateObject();
	lz_json_add_bool(end, "exchanged", true);
	lz_json_add_u64(end, "generation", row.generation);
	lz_json_add_str(end, "name", row.name);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
	return 1;
}

/* The first policy of this daemon, where an instance judges that has other keys or less room. */
static int may_take_over(struct lz_request *req, struct lz_err *reterr)
{
	if (!lz_arg_bool(req, "yes"))
		return lz_err_set(reterr, EPERM, "policy: an instance of before judges, with another ipv6-key or too "
				  "small for it; --yes changes that under traffic: held hosts stay held; counters, "
				  "and what sources have used of their limits, begin anew");
	if (lz_arg_int(req, "confirm_s", 0))
		return no_way_back(reterr);
	return 0;
}

/* What it does to hosts that are there. */
struct ahead {
	char port25[LZ_PREVIEW_TEXT_MAX];
	char gardens[LZ_PREVIEW_GARDENS_MAX];
	char freed[LZ_PREVIEW_TEXT_MAX];
	char unstopped[LZ_PREVIEW_TEXT_MAX];
};

/* Whom it cuts off, before it does: afterwards nobody remembers what was. Said when it is done. */
static void look_ahead(const struct lz_ctl *ctl, const struct lz_running *next, struct ahead *ret)
{
	struct lz_preview preview;

	ret->port25[0] = ret->gardens[0] = ret->freed[0] = ret->unstopped[0] = '\0';
	if (lz_preview(ctl, next->policy, next->image, &preview) < 0)
		return;
	lz_preview_say(ctl, &preview, ret->port25);
	lz_preview_say_gardens(ctl, next->image, &preview, ret->gardens);
	lz_preview_say_freed(ctl, &preview, ret->freed);
	lz_preview_say_unstopped(&preview, ret->unstopped);
}

/* Compile and apply; takes the policy. 1: the request is answered. */
static int apply(struct lz_ctl *ctl, struct lz_request *req, struct lz_policy *policy,
		 struct lz_err *reterr)
{
	__u64 confirm_s = lz_arg_int(req, "confirm_s", 0);
	struct lz_running next = { 0 };
	struct ahead ahead;
	int r;

	/* Without a yes it was asked, and would not be here. */
	if (ctl->opened && lz_arg_bool(req, "yes") && lz_ctl_fits(ctl, policy, NULL) < 0)
		return exchange(ctl, req, policy, reterr);
	r = lz_running_prepare(ctl, policy, ctl->now.image, &next, reterr);
	if (r == 0 && ctl->beside)
		r = may_take_over(req, reterr);
	if (r < 0) {
		lz_running_done(&next);
		return r;
	}
	lz_tell_actor(req, next.row.actor);
	lz_text_set(next.row.file, sizeof(next.row.file), lz_arg_text(req, "file"));
	look_ahead(ctl, &next, &ahead);
	r = lz_running_apply(ctl, &next, (__u32)confirm_s, lz_arg_bool(req, "yes") ? LZ_PLAN_F_YES : 0, reterr);
	if (r == 0 && ahead.port25[0])
		send_line(req, "warning", NULL, ahead.port25);
	if (r == 0 && ahead.gardens[0])
		send_line(req, "warning", NULL, ahead.gardens);
	if (r == 0 && ahead.freed[0])
		send_line(req, "warning", NULL, ahead.freed);
	if (r == 0 && ahead.unstopped[0])
		send_line(req, "warning", NULL, ahead.unstopped);
	return r;
}

static bool may_apply(struct lz_ctl *ctl, struct lz_request *req)
{
	__u64 now = lz_ctl_generation(ctl), expected = lz_arg_int(req, "expected_generation", now);
	struct lz_err err;

	if (lz_arg_int(req, "confirm_s", 1) == 0 ||
	    lz_arg_int(req, "confirm_s", 1) > LZ_CONFIRM_MAX_S) {
		lz_end_invalid(req, "confirm: want 1..%d seconds", LZ_CONFIRM_MAX_S);
		return false;
	}
	if (lz_apply_waits(ctl, &err) < 0) {
		lz_end(req, -EBUSY, &err);
		return false;
	}
	if (expected != now) {
		lz_err_set(&err, EAGAIN,
			   "policy: changed by %s meanwhile: generation %llu is in force, not %llu",
			   ctl->now.row.actor, (unsigned long long)now,
			   (unsigned long long)expected);
		lz_end(req, -EAGAIN, &err);
		return false;
	}
	return true;
}

static bool may_go_on(struct lz_ctl *ctl, struct lz_request *req, const struct lz_next *next)
{
	lz_autojson cJSON *reasons = cJSON_CreateArray();

	if (!lz_arg_bool(req, "yes"))
		lz_apply_guards(ctl, next->policy, next->before, next->n_before, "", reasons);
	return lz_apply_has_yes(req, reasons);
}

/* Hooks that were attached for a policy that does not come. */
static void unwire(struct lz_ctl *ctl)
{
	struct lz_swap_state state;

	lz_swap_state_get(&ctl->view, &state);
	if (state.slot < LZ_GENERATIONS)
		ctl->keep_due = lz_ctl_keep(ctl, state.slot, NULL) == -ETIMEDOUT;
}

static void drop_next(struct lz_ctl *ctl)
{
	lz_policy_free(&ctl->next.policy);
	free(ctl->next.before);
	ctl->next = (struct lz_next){ 0 };
}

/* The policy of this request, once its hooks are there. NULL: it is answered, or will come again. */
static struct lz_policy *wired_policy(struct lz_ctl *ctl, struct lz_request *req,
				      struct lz_port_told **ret_before, size_t *ret_n)
{
	struct lz_next next = ctl->next;

	if (next.req != req) {
		if (!may_apply(ctl, req))
			return NULL;
		next = (struct lz_next){ .policy = read_payload(req, true) };
		if (!next.policy)
			return NULL;
		lz_ctl_ports(ctl, &next.before, &next.n_before, NULL);
		if (!may_go_on(ctl, req, &next)) {
			lz_policy_free(&next.policy);
			free(next.before);
			return NULL;
		}
		if (lz_ctl_wire(ctl, req, next.policy, lz_arg_bool(req, "yes")) == 0) {
			ctl->next.before = next.before;
			ctl->next.n_before = next.n_before;
			if (!lz_ctl_defer(ctl, req, lz_h_policy_apply))
				drop_next(ctl);
			return NULL;
		}
	} else {
		ctl->next = (struct lz_next){ 0 };
	}
	*ret_before = next.before;
	*ret_n = next.n_before;
	return next.policy;
}

void lz_h_policy_apply(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	lz_autofree struct lz_port_told *before = NULL, *after = NULL;
	size_t n_before = 0, n_after = 0;
	struct lz_err err = { "" };
	struct lz_policy *policy;
	bool wired;
	int r;

	if (lz_ctl_wait_policy(ctl, req, lz_h_policy_apply))
		return;
	/* Woken by somebody else: its hooks are still being attached. */
	if (ctl->next.req == req && !ctl->next.wired) {
		if (!lz_ctl_defer(ctl, req, lz_h_policy_apply))
			drop_next(ctl);
		return;
	}
	wired = ctl->next.req == req;
	policy = wired_policy(ctl, req, &before, &n_before);
	if (!policy)
		return;
	r = apply(ctl, req, policy, &err);
	if (r < 0 && wired)
		unwire(ctl);
	if (r > 0)
		return;
	if (r == -EPERM) { /* wants a yes: links may flap, counters begin anew */
		lz_reply_end(req, LZ_CODE_GUARDED, err.text, NULL);
		return;
	}
	if (r < 0) {
		lz_end(req, r, &err);
		return;
	}
	send_not_in_force(req, ctl->now.policy);
	if (lz_ctl_ports(ctl, &after, &n_after, NULL) == 0) {
		send_port_changes(req, before, n_before, after, n_after, "attached");
		send_port_changes(req, after, n_after, before, n_before, "detached");
		send_changed_hooks(req, before, n_before, after, n_after);
		send_missing(ctl, req, after, n_after);
		send_other_hooks(ctl, req, after, n_after);
	}
	end_applied(ctl, req);
}

struct told {
	struct lz_changes changes;
	size_t at;
	cJSON *end;
};

static void told_free(void *arg)
{
	struct told *told = arg;

	lz_changes_done(&told->changes);
	cJSON_Delete(told->end);
	free(told);
}

static void told_fill(struct lz_request *req, void *arg)
{
	struct told *told = arg;

	while (told->at < told->changes.n && lz_request_writable(req)) {
		const struct lz_change *change = &told->changes.v[told->at++];
		cJSON *row = cJSON_CreateObject();

		lz_json_add_str(row, "path", change->path);
		if (change->from)
			lz_json_add_str(row, "from", change->from);
		if (change->to)
			lz_json_add_str(row, "to", change->to);
		lz_reply_row(req, row);
	}
	if (told->at == told->changes.n)
		lz_reply_end(req, LZ_CODE_OK, NULL, TAKE_PTR(told->end));
}

/* What is only worth a line; a policy for other tables is not compared. */
static void add_preview(const struct lz_ctl *ctl, const struct lz_policy *policy, cJSON *end)
{
	struct lz_image *image = NULL;
	char text[LZ_PREVIEW_TEXT_MAX], gardens[LZ_PREVIEW_GARDENS_MAX];
	struct lz_preview preview;

	if (lz_image_compile(policy, ctl->now.image, ctl->view.instance.seed, &image, NULL) < 0)
		return;
	if (lz_preview(ctl, policy, image, &preview) == 0) {
		lz_json_add_u64(end, "port25_users", preview.users);
		lz_json_add_u64(end, "port25_refused", preview.refused);
		if (lz_preview_say(ctl, &preview, text)[0])
			lz_json_add_str(end, "warning", text);
		if (lz_preview_say_gardens(ctl, image, &preview, gardens)[0])
			lz_json_add_str(end, "held_warning", gardens);
		lz_json_add_u64(end, "held_shared", preview.freed);
		if (lz_preview_say_freed(ctl, &preview, text)[0])
			lz_json_add_str(end, "freed", text);
		lz_json_add_u64(end, "held_unstopped", preview.unstopped);
		if (lz_preview_say_unstopped(&preview, text)[0])
			lz_json_add_str(end, "unstopped", text);
	}
	lz_image_free(&image);
}

/* All, and the first of them by itself. Return: of lz_ctl_fits() */
static int add_refusals(struct lz_ctl *ctl, const struct lz_policy *policy, cJSON *end)
{
	lz_autojson cJSON *list = cJSON_CreateArray();
	int r = lz_apply_refuses(ctl, policy, list);

	if (!cJSON_GetArraySize(list))
		return r;
	lz_json_add_str(end, "apply_refused", cJSON_GetStringValue(cJSON_GetArrayItem(list, 0)));
	cJSON_AddItemToObject(end, "apply_refusals", TAKE_PTR(list));
	return r;
}

void lz_h_policy_diff(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_policy *policy = read_payload(req, false);
	struct lz_err err = { "" };
	struct told *told;
	int r;

	if (!policy)
		return;
	told = calloc(1, sizeof(*told));
	r = told ? lz_policy_diff(ctl->now.policy, policy, &told->changes, &err) :
		   lz_err_set(&err, ENOMEM, "policy: out of memory");
	if (r == 0) {
		told->end = cJSON_CreateObject();
		lz_json_add_u64(told->end, "generation", lz_ctl_generation(ctl));
		lz_json_add_u64(told->end, "changes", told->changes.n);
		if (add_refusals(ctl, policy, told->end) == 0 && ctl->opened)
			add_preview(ctl, policy, told->end);
		lz_reply_stream(req, told_fill, told_free, told);
	} else {
		lz_end(req, r, &err);
		if (told)
			told_free(told);
	}
	lz_policy_free(&policy);
}
