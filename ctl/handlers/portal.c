// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * portal.c - what the portal is told through the gate: its settings, and of each host that talks
 * to it that host's own case. And what operators ask about it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/hold.h"
#include "control/target.h"
#include "handlers/handlers.h"
#include "privsep/options.h"
#include "privsep/sandbox.h"

/* ---------------------------------------------------------------- settings */

/* A certificate is renewed file by file: only then is it read anew. */
#define SETTLED_S 5
/* What it cannot read, and we cannot see change, it tries again when so much time has gone by. */
#define RETRY_S 60

/* One of the files: @looks gets another text for another file, be it an older one that was put back, and for one
 * that others may read now. */
static void look_at_file(const char *path, struct lz_str *looks, __u64 *newest_s)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return; /* what cannot be seen from here has not changed */
	lz_str_appendf(looks, "%llx.%lx.%llx.%lx.%llx.%llx ", (unsigned long long)st.st_mtim.tv_sec,
		       (unsigned long)st.st_mtim.tv_nsec, (unsigned long long)st.st_ctim.tv_sec,
		       (unsigned long)st.st_ctim.tv_nsec, (unsigned long long)st.st_size,
		       (unsigned long long)st.st_ino);
	if ((__u64)st.st_ctim.tv_sec > *newest_s)
		*newest_s = (__u64)st.st_ctim.tv_sec;
}

/* The files that the portal reads at its start. Return: when the last of them was changed; 0: there are none. */
static __u64 look_at_files(const struct lz_policy_portal *portal, struct lz_str *looks)
{
	char path[LZ_PATH_MAX + LZ_LANGUAGE_MAX + 8];
	__u64 newest_s = 0;

	for (size_t i = 0; portal->templates[0] && i < portal->n_languages; i++) {
		snprintf(path, sizeof(path), "%s/%s.html", portal->templates, portal->languages[i]);
		look_at_file(path, looks, &newest_s);
	}
	if (portal->api.present) {
		look_at_file(portal->api.certificate, looks, &newest_s);
		look_at_file(portal->api.key, looks, &newest_s);
	}
	return newest_s;
}

static cJSON *write_settings(const struct lz_policy *policy)
{
	const struct lz_policy_portal *portal = &policy->portal;
	cJSON *answer = cJSON_CreateObject();
	cJSON *languages = cJSON_AddArrayToObject(answer, "languages");
	lz_autostr struct lz_str files = { 0 };
	cJSON *api;

	for (size_t i = 0; i < portal->n_languages; i++)
		cJSON_AddItemToArray(languages, cJSON_CreateString(portal->languages[i]));
	lz_json_add_str(answer, "url", portal->url);
	lz_json_add_str(answer, "provider", portal->provider);
	lz_json_add_str(answer, "contact", portal->contact);
	if (portal->templates[0])
		lz_json_add_str(answer, "templates", portal->templates);
	lz_json_add_u64(answer, "ipv6_key", policy->ipv6_key);
	look_at_files(portal, &files);
	lz_json_add_str(answer, "files", files.data ? files.data : "");
	if (!portal->api.present)
		return answer;
	api = cJSON_AddObjectToObject(answer, "api");
	lz_json_add_str(api, "url", portal->api.url);
	lz_json_add_str(api, "certificate", portal->api.certificate);
	lz_json_add_str(api, "key", portal->api.key);
	return answer;
}

/* Heap; NULL: there is no portal, or no memory. */
static char *print_settings(const struct lz_policy *policy)
{
	lz_autojson cJSON *settings = policy && policy->portal.present ? write_settings(policy) : NULL;

	return settings ? cJSON_PrintUnformatted(settings) : NULL;
}

/* Has the portal said of these files what became of them, or else of others? */
static bool are_told(const struct lz_ctl *ctl, const struct lz_policy_api *api)
{
	return lz_streq(ctl->portal_tls.certificate, api->certificate) && lz_streq(ctl->portal_tls.key, api->key);
}

/* What it said of the same ones stands until it says it anew. */
static void note_files(struct lz_ctl *ctl, const struct lz_policy_api *api)
{
	if (are_told(ctl, api))
		return;
	memset(&ctl->portal_tls, 0, sizeof(ctl->portal_tls));
	lz_text_set(ctl->portal_tls.certificate, sizeof(ctl->portal_tls.certificate), api->certificate);
	lz_text_set(ctl->portal_tls.key, sizeof(ctl->portal_tls.key), api->key);
}

static enum lz_code give_settings(struct lz_ctl *ctl, cJSON *answer)
{
	lz_autojson cJSON *settings = NULL;
	char *text = print_settings(ctl->now.policy);

	if (!text)
		return LZ_CODE_NO_OBJECT;
	settings = write_settings(ctl->now.policy);
	while (settings && settings->child) {
		cJSON *item = cJSON_DetachItemViaPointer(settings, settings->child);
		lz_autofree char *name = TAKE_PTR(item->string);

		cJSON_AddItemToObject(answer, name, item);
	}
	free(ctl->portal_given);
	ctl->portal_given = text;
	ctl->portal_given_s = lz_ctl_now().mono_s;
	note_files(ctl, &ctl->now.policy->portal.api);
	return LZ_CODE_OK;
}

/* Is there one that the portal cannot read, in a folder that we cannot look into? */
static bool is_out_of_sight(const struct lz_ctl *ctl)
{
	const struct lz_policy *policy = ctl->now.policy;
	const struct lz_policy_api *api = policy ? &policy->portal.api : NULL;
	enum lz_gate_tls state = ctl->portal_tls.state;
	struct stat st;

	if (!api || !api->present || (state != LZ_GATE_TLS_CERTIFICATE && state != LZ_GATE_TLS_KEY))
		return false;
	return stat(state == LZ_GATE_TLS_KEY ? api->key : api->certificate, &st) < 0 && errno == EACCES;
}

void lz_portal_look(struct lz_ctl *ctl)
{
	lz_autostr struct lz_str ignored = { 0 };
	lz_autofree char *text = NULL;
	__u64 changed_s, now_s;

	if (!ctl->gate || !ctl->portal_given)
		return;
	text = print_settings(ctl->now.policy);
	if (text && lz_streq(text, ctl->portal_given) &&
	    !(is_out_of_sight(ctl) && lz_ctl_now().mono_s - ctl->portal_given_s >= RETRY_S))
		return;
	now_s = lz_ctl_now().wall_s;
	changed_s = text ? look_at_files(&ctl->now.policy->portal, &ignored) : 0;
	if (changed_s <= now_s && now_s - changed_s < SETTLED_S)
		return;
	free(TAKE_PTR(ctl->portal_given));
	lz_gate_drop(ctl->gate);
}

void lz_portal_check_api(const struct lz_ctl *ctl, char *ret, size_t size)
{
	const struct lz_policy *policy = ctl->now.policy;
	const struct lz_policy_api *api = policy && policy->portal.present ? &policy->portal.api : NULL;
	const char *served = ctl->portal_tls.before ? "the API goes on with what was loaded before" :
						      "there is no API and no https page";
	enum lz_gate_tls state = ctl->portal_tls.state;
	const char *file = state == LZ_GATE_TLS_KEY && api ? api->key : api ? api->certificate : "";
	const char *it = strlen(file) <= 80 ? file : "FILE";
	int error = ctl->portal_tls.error;

	ret[0] = '\0';
	if (!api || !api->present || state == LZ_GATE_TLS_OK || !are_told(ctl, api))
		return;
	if (state == LZ_GATE_TLS_SERVE)
		snprintf(ret, size, "the portal cannot serve the API on each of its addresses; its log says why, "
			 "event=no-api");
	else if (state == LZ_GATE_TLS_PAIR || state == LZ_GATE_TLS_FORM)
		snprintf(ret, size, "%.160s and %.160s: %s; %s", api->certificate, api->key,
			 state == LZ_GATE_TLS_PAIR ?
				 "do not belong together" :
				 "want PEM, a certificate with its chain and a key without password", served);
	else if (error == EACCES || error == EPERM)
		snprintf(ret, size, "%s: user " LZ_PORTAL_USER " cannot read it: %s; %s; give group "
			 LZ_PORTAL_USER " read access, e.g. chgrp " LZ_PORTAL_USER " %s; chmod 640 %s "
			 "(and x on its folders)", file, strerror(error), served, it, it);
	else
		snprintf(ret, size, "%s: user " LZ_PORTAL_USER " cannot read it: %s; %s", file,
			 strerror(error), served);
}

/* ---------------------------------------------------------------- cases */

static const char *why_of(enum lz_release why)
{
	static const enum lz_gate_why words[LZ_RELEASE_N] = {
		[LZ_RELEASE_MAY] = LZ_GATE_WHY_STAFF,	   [LZ_RELEASE_NOT_HELD] = LZ_GATE_WHY_STAFF,
		[LZ_RELEASE_STAFF] = LZ_GATE_WHY_STAFF,	   [LZ_RELEASE_USED_UP] = LZ_GATE_WHY_USED_UP,
		[LZ_RELEASE_EVIDENCE] = LZ_GATE_WHY_EVIDENCE, [LZ_RELEASE_TOKEN] = LZ_GATE_WHY_TOKEN,
		[LZ_RELEASE_RATE] = LZ_GATE_WHY_RATE,
	};

	return lz_gate_why_words[words[why]];
}

/* The page speaks of what a customer can understand. */
static const char *reason_of(const char *reason_class)
{
	static const struct {
		const char *class_;
		enum lz_gate_reason reason;
	} rows[] = {
		{ LZ_CLASS_VOLUME, LZ_GATE_REASON_SPAM },
		{ LZ_CLASS_FANOUT, LZ_GATE_REASON_SPAM },
		{ LZ_CLASS_SYN, LZ_GATE_REASON_SCAN },
		{ LZ_CLASS_REPORT, LZ_GATE_REASON_COMPLAINT },
		{ LZ_CLASS_STAFF, LZ_GATE_REASON_OTHER },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++)
		if (lz_streq(reason_class, rows[i].class_))
			return lz_gate_reason_words[rows[i].reason];
	return lz_gate_reason_words[LZ_GATE_REASON_OTHER];
}

/* Which garden he is in, and whether anything outside of it is open; strict is one that no policy names. */
static void say_garden(const struct lz_ctl *ctl, const char *grade, cJSON *answer)
{
	const struct lz_policy *policy = ctl->now.policy;
	const char *name = strncmp(grade, "garden:", 7) ? grade : grade + 7;
	bool strict = lz_streq(name, "strict"), allows = false;

	for (size_t i = 0; policy && i < policy->n_gardens; i++) {
		const struct lz_policy_garden *garden = &policy->gardens[i];

		if (!lz_streq(garden->name, name))
			continue;
		strict = garden->kind == LZ_GARDEN_STRICT;
		for (size_t j = 0; j < garden->allow.n; j++)
			allows |= garden->allow.v[j].kind != LZ_REF_PORT;
	}
	if (strict)
		lz_json_add_bool(answer, "strict", true);
	if (allows)
		lz_json_add_bool(answer, "allows", true);
}

static void say_way_out(const struct lz_case_view *v, cJSON *answer)
{
	lz_json_add_u64(answer, "releases_left", v->releases_left);
	lz_json_add_bool(answer, "may_release", v->release == LZ_RELEASE_MAY);
	if (v->release != LZ_RELEASE_MAY)
		lz_json_add_str(answer, "why_not", why_of(v->release));
	if (v->wait_s)
		lz_json_add_u64(answer, "wait_s", v->wait_s);
}

static void say_number(__u64 id, cJSON *answer)
{
	char number[24];

	if (!id)
		return;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)id);
	lz_json_add_str(answer, "case", number);
}

static void say_held(struct lz_ctl *ctl, const struct lz_case_view *v, cJSON *answer)
{
	const char *reason = reason_of(v->reason_class);

	say_number(v->id, answer);
	lz_json_add_str(answer, "grade", v->grade);
	say_garden(ctl, v->grade, answer);
	lz_json_time(answer, "since", v->since_s);
	lz_json_time(answer, "until", v->until_s);
	lz_json_add_str(answer, "reason", reason);
	if (v->seen_s)
		lz_json_time(answer, "seen", v->seen_s);
	/* a number that explains nothing only frightens */
	if (v->connections && lz_streq(reason, lz_gate_reason_words[LZ_GATE_REASON_SPAM]))
		lz_json_add_u64(answer, "connections", v->connections);
	say_way_out(v, answer);
}

/* Told already, and held when the grace is over; of a garden it is RFC 8908's seconds-remaining. */
static void say_grace(struct lz_ctl *ctl, const struct lz_addr *host, cJSON *answer)
{
	enum lz_hold_off off = lz_hold_off(ctl, host, ~0u);
	__u64 now_s = lz_ctl_now().wall_s;
	struct lz_target target;
	struct lz_case c;

	if (off == LZ_HOLD_OFF_NEVER || off == LZ_HOLD_OFF_MONITOR) /* a bypass, or a hook that is missing, will be over */
		return;
	if (!ctl->opened || lz_target_look(ctl, host, &target, NULL) < 0)
		return;
	if (lz_case_peek(ctl, &target, &c) == 0 && lz_case_waits(&c) && c.due_s > now_s) {
		say_number(c.id, answer);
		lz_json_add_u64(answer, "held_in_s", c.due_s - now_s);
		if (c.grade.kind == LZ_GRADE_IS_GARDEN)
			lz_json_add_u64(answer, "captive_in_s", c.due_s - now_s);
	}
}

static enum lz_code give_case(struct lz_ctl *ctl, const struct lz_gate_question *q, cJSON *answer)
{
	struct lz_case_view v = { 0 };
	char token[LZ_TOKEN_TEXT_MAX];
	int r = lz_case_look(ctl, &q->host, &v);

	if (r == -EBUSY)
		return LZ_CODE_REFUSED;
	lz_json_add_bool(answer, "held", r == 0 && v.held);
	if (r == 0 && !v.held)
		say_grace(ctl, &q->host, answer);
	if (r < 0 || !v.held)
		return LZ_CODE_OK;
	say_held(ctl, &v, answer);
	if (!q->want_token || v.release != LZ_RELEASE_MAY)
		return LZ_CODE_OK;
	r = lz_case_token(ctl, &q->host, token, NULL);
	if (r == 0)
		lz_json_add_str(answer, "token", token);
	else if (r != -EPERM && r != -EAGAIN && r != -ENOENT)
		lz_json_add_str(answer, "why_not", lz_gate_why_words[LZ_GATE_WHY_BUSY]);
	return LZ_CODE_OK;
}

/* A host can press the button as often as it likes. */
static void log_refused(const char *why)
{
	static struct lz_log_limit lines = { .burst = 20, .refill_ns = LZ_NS_PER_S };
	__u64 suppressed;

	if (lz_log_allow(&lines, lz_clock_mono_ns(), &suppressed))
		lz_log(LZ_LOG_NOTICE, "self-release-refused", "why=%s suppressed=%llu", why,
		       (unsigned long long)suppressed);
}

static enum lz_code let_out(struct lz_ctl *ctl, const struct lz_gate_question *q, cJSON *answer)
{
	enum lz_release why = LZ_RELEASE_STAFF;
	struct lz_case_view v = { 0 };
	struct lz_err err = { "" };
	__u32 wait_s = 0;
	int r = lz_case_self_release(ctl, &q->host, q->token, &why, &wait_s, &err);

	if (r == 0) {
		if (lz_case_look(ctl, &q->host, &v) == 0)
			say_number(v.id, answer);
		return LZ_CODE_OK;
	}
	log_refused(err.text);
	lz_json_add_str(answer, "why_not",
			r == -EPERM || r == -EAGAIN || r == -ENOENT ?
				why_of(why) : lz_gate_why_words[LZ_GATE_WHY_BUSY]);
	return r == -ENOENT ? LZ_CODE_NO_OBJECT : LZ_CODE_REFUSED;
}

static enum lz_code on_question(const struct lz_gate_question *q, cJSON *answer, void *arg)
{
	struct lz_ctl *ctl = arg;
	int r;

	switch (q->cmd) {
	case LZ_GATE_SETTINGS:
		return give_settings(ctl, answer);
	case LZ_GATE_CASE:
		return give_case(ctl, q, answer);
	case LZ_GATE_RELEASE:
		return let_out(ctl, q, answer);
	case LZ_GATE_SEEN:
		r = lz_case_seen(ctl, &q->host, q->helo, q->first);
		return r == 0 ? LZ_CODE_OK : r == -ENOENT ? LZ_CODE_NO_OBJECT : LZ_CODE_REFUSED;
	case LZ_GATE_TLS:
		ctl->portal_tls.state = q->tls;
		ctl->portal_tls.error = q->tls_errno;
		ctl->portal_tls.before = q->tls_before;
		return LZ_CODE_OK;
	case LZ_GATE_CMD_N:
		break;
	}
	return LZ_CODE_INVALID;
}

/* ---------------------------------------------------------------- start */

int lz_portal_listen(const struct lz_options *o, uid_t *ret_uid, struct lz_err *reterr)
{
	struct lz_identity who;
	char path[PATH_MAX + 32];
	int r = lz_identity_find(LZ_PORTAL_USER, &who, reterr);

	if (r < 0)
		return r;
	if (!who.found)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s", o->run, LZ_GATE_SOCK);
	*ret_uid = who.uid;
	return lz_gate_listen(path, who.uid, reterr);
}

int lz_portal_open(struct lz_ctl *ctl, int fd, uid_t uid, struct lz_err *reterr)
{
	const struct lz_gate_config config = {
		.loop = &ctl->loop,
		.fd = fd,
		.uid = uid,
		.mark = LZ_MARK_REPLY,
		.handle = on_question,
		.arg = ctl,
	};

	return lz_gate_open(&config, &ctl->gate, reterr);
}

/* ---------------------------------------------------------------- operators */

void lz_h_portal_options(struct lz_request *req, void *arg)
{
	const struct lz_policy *policy = ((struct lz_ctl *)arg)->now.policy;
	cJSON *end;

	if (!policy || !policy->portal.api.present) {
		lz_reply_end(req, LZ_CODE_NO_OBJECT, "portal: the policy in force has no \"api\"", NULL);
		return;
	}
	end = cJSON_CreateObject();
	lz_json_add_str(end, "url", policy->portal.api.url);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}
