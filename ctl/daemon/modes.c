// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * modes.c - what lazaretd does without a daemon: kill switch, preflight, detach.
 */
#include <errno.h>
#include <lazaret/proto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "control/rules.h"
#include "daemon/modes.h"
#include "datapath/bypass.h"
#include "datapath/kernel.h"
#include "datapath/preflight.h"
#include "datapath/steer.h"
#include "privsep/options.h"
#include "tell/teller.h"

static int fail(int error, const struct lz_err *err)
{
	fprintf(stderr, "lazaretd: %s\n", err->text);
	return error == -ENOENT			      ? LZ_CODE_NO_OBJECT :
	       error == -EPERM || error == -EACCES ? LZ_CODE_NOT_PERMITTED :
							     LZ_CODE_REFUSED;
}

static void print_bypass(const struct lz_control *control, bool json)
{
	lz_autojson cJSON *doc = NULL;
	lz_autofree char *text = NULL;
	char until[LZ_TIME_TEXT_MAX];
	__u64 left_s = 0, until_ns = 0;
	bool on = lz_bypass_get(control, &left_s);
	cJSON *bypass;

	if (on && left_s != LZ_BYPASS_FOREVER)
		until_ns = lz_clock_wall_ns() + left_s * LZ_NS_PER_S;
	if (!json) {
		printf("bypass is %s%s%s\n", on ? "ON: nothing is enforced" : "off",
		       until_ns ? " until " : "", until_ns ? lz_time_format(until_ns, until) : "");
		return;
	}
	doc = cJSON_CreateObject();
	lz_json_add_str(doc, "schema", "lazaret/bypass");
	lz_json_add_u64(doc, "version", 1);
	bypass = cJSON_AddObjectToObject(doc, "bypass");
	lz_json_add_bool(bypass, "on", on);
	if (until_ns)
		lz_json_add_time(bypass, "until", until_ns);
	text = cJSON_PrintUnformatted(doc);
	puts(text ? text : "{}");
}

/* Throw it, and look again: while it was open an exchange of tables may have put others in its place. */
static int throw_bypass(const struct lz_options *o, bool on, __u64 for_s, struct lz_control **control,
			struct lz_err *reterr)
{
	for (int i = 0; i < 2; i++) {
		int r;

		if (!i || lz_bypass_get(*control, NULL) != on) {
			if (on)
				lz_bypass_set(*control, for_s);
			else
				lz_bypass_clear(*control);
		}
		lz_bypass_close(control);
		r = lz_bypass_open(o->instance, control, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

int lz_bypass_main(const struct lz_options *o)
{
	struct lz_control *control = NULL;
	struct lz_err err = { "" };
	__u64 for_s = 0;
	int r;

	if (!lz_streq(o->bypass, "on") && !lz_streq(o->bypass, "off") &&
	    !lz_streq(o->bypass, "status")) {
		fprintf(stderr, "lazaretd: --bypass %s: want on, off or status\n", o->bypass);
		return LZ_CODE_INVALID;
	}
	if (o->bypass_for && (!lz_streq(o->bypass, "on") ||
			      lz_u64_parse(o->bypass_for, 1, LZ_BYPASS_MAX_S, &for_s, &err) < 0)) {
		fprintf(stderr,
			"lazaretd: --bypass %s %s: want 1..%u seconds, with `on` only; without: until `off`\n",
			o->bypass, o->bypass_for, LZ_BYPASS_MAX_S);
		return LZ_CODE_INVALID;
	}
	r = lz_bypass_open(o->instance, &control, &err);
	if (r < 0)
		return fail(r, &err);
	if (!lz_streq(o->bypass, "status"))
		r = throw_bypass(o, lz_streq(o->bypass, "on"), for_s, &control, &err);
	if (r < 0)
		return fail(r, &err);
	if (lz_streq(o->bypass, "on")) {
		lz_log(LZ_LOG_WARNING, "bypass-on", "instance=%s for_s=%llu by=lazaretd", o->instance,
		       for_s);
	} else if (lz_streq(o->bypass, "off")) {
		lz_log(LZ_LOG_WARNING, "bypass-off", "instance=%s by=lazaretd", o->instance);
	}
	print_bypass(control, o->json);
	lz_bypass_close(&control);
	return LZ_CODE_OK;
}

static int load_policy(const char *path, struct lz_policy **ret)
{
	struct lz_report report = { 0 };
	lz_autostr struct lz_str text = { 0 };
	int r = lz_policy_load(path, ret, &report);

	if (r < 0) {
		lz_report_format(&report, path, &text);
		fputs(text.data ? text.data : "", stderr);
	}
	lz_report_done(&report);
	return r;
}

static int print_preflight(const struct lz_preflight *report, bool json)
{
	lz_autostr struct lz_str text = { 0 };
	lz_autojson cJSON *doc = NULL;
	lz_autofree char *line = NULL;

	if (!json) {
		/* to a program one line is one row */
		if (lz_preflight_print(report, isatty(STDOUT_FILENO) ? 80 : SIZE_MAX, &text) < 0)
			return -ENOMEM;
		fputs(text.data ? text.data : "", stdout);
		return 0;
	}
	doc = cJSON_CreateObject();
	lz_json_add_str(doc, "schema", "lazaret/preflight");
	lz_json_add_u64(doc, "version", 1);
	cJSON_AddItemToObject(doc, "checks", lz_preflight_json(report));
	line = cJSON_PrintUnformatted(doc);
	if (!line)
		return -ENOMEM;
	puts(line);
	return 0;
}

/* The exit code, and why it is not 0: a script that sees only that must not search for it. */
static int judge_preflight(const struct lz_preflight *report)
{
	const struct lz_preflight_row *first = NULL;
	size_t n = 0;

	if (lz_preflight_worst(report) != LZ_PREFLIGHT_FAIL)
		return LZ_CODE_OK;
	for (size_t i = report->n; i--;) {
		if (report->v[i].result != LZ_PREFLIGHT_FAIL)
			continue;
		first = &report->v[i];
		n++;
	}
	fprintf(stderr, "lazaretd: preflight: %zu check%s failed, the first: %s: %s\n", n, n == 1 ? "" : "s",
		first->check, first->what);
	return LZ_CODE_REFUSED;
}

#define LZ_POLICY_PATH "/etc/lazaret/policy.json"

int lz_preflight_main(const struct lz_options *o)
{
	lz_autofree struct lz_port_rule *rules = NULL;
	struct lz_preflight_input input = { 0 };
	struct lz_policy *policy = NULL;
	struct lz_preflight report = { 0 };
	const char *path = o->policy;
	struct lz_instance size;
	int r;

	/* Without a policy only the kernel can be looked at: which ports are meant, stands there. */
	if (!path[0] && access(LZ_POLICY_PATH, R_OK) == 0)
		path = LZ_POLICY_PATH;
	if (path[0]) {
		if (load_policy(path, &policy) < 0)
			return LZ_CODE_INVALID;
		rules = calloc(LZ_POLICY_GLOBS_MAX, sizeof(*rules));
		if (!rules)
			return LZ_CODE_REFUSED;
		input.rules = rules;
		input.n_rules = lz_rules_from_policy(policy, rules);
		lz_instance_size(policy->sources_max, policy->colony_max, &size);
		input.memory_bytes = lz_instance_bytes(&size);
		input.portal = policy->portal.present;
		input.mail_user = o->user;
		if (policy->tell.mail_to[0] && !policy->tell.mail_via[0])
			input.sendmail = LZ_TELLER_SENDMAIL;
		lz_policy_free(&policy);
	}
	r = lz_preflight_run(&input, &report);
	if (r == 0)
		r = print_preflight(&report, o->json);
	if (r < 0)
		fputs("lazaretd: preflight: out of memory\n", stderr);
	else
		r = judge_preflight(&report);
	lz_preflight_done(&report);
	return r < 0 ? LZ_CODE_REFUSED : r;
}

int lz_detach_main(const struct lz_options *o)
{
	struct lz_err err = { "" };
	unsigned int n = 0;
	int r = lz_kernel_remove(o->instance, &n, &err);

	if (r < 0)
		return fail(r, &err);
	lz_log(LZ_LOG_WARNING, "detached", "instance=%s interfaces=%u", o->instance, n);
	/* The portal's rule and route are shared: the last one to go takes them along. */
	r = lz_instances_left() ? 0 : lz_steer_remove(&err);
	return r < 0 ? fail(r, &err) : LZ_CODE_OK;
}
