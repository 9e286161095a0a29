// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * range_list.c - the ranges in force, as rows or as the text that a set's file has; and what is
 * strange about them.
 */
#include <errno.h>

#include "base/json.h"
#include "control/ctl.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "policy/audit.h"

#define LZ_RANGE_SLICE 256

/* A policy may be replaced while a list is being sent: then the list ends with that. */
static bool same_policy(struct lz_request *req, const struct lz_ctl *ctl, __u64 generation)
{
	if (lz_ctl_generation(ctl) == generation)
		return true;
	lz_reply_end(req, LZ_CODE_REFUSED, "range: the policy was changed meanwhile; ask again", NULL);
	return false;
}

/* ---------------------------------------------------------------- export */

struct export {
	struct lz_ctl *ctl;
	__u64 generation;
	size_t set, entry, end; /* sets [set, end) are to be sent */
	__u64 prefixes;
	bool rows;
};

static void send_slice(struct lz_request *req, struct export *x)
{
	const struct lz_policy_set *set = &x->ctl->now.policy->sets[x->set];
	lz_autostr struct lz_str text = { 0 };
	char prefix[LZ_PREFIX_TEXT_MAX];

	if (!x->entry && !x->rows)
		lz_str_appendf(&text, "# %s\n", set->name);
	for (int i = 0; i < LZ_RANGE_SLICE && x->entry < set->entries.n; i++, x->entry++) {
		lz_prefix_format(&set->entries.v[x->entry].prefix, prefix);
		x->prefixes++;
		if (x->rows) {
			cJSON *row = cJSON_CreateObject();

			lz_json_add_str(row, "set", set->name);
			lz_json_add_str(row, "prefix", prefix);
			lz_reply_row(req, row);
		} else {
			lz_str_appendf(&text, "%s\n", prefix);
		}
	}
	if (text.len)
		lz_reply_payload(req, text.data, text.len);
	if (x->entry == set->entries.n) {
		x->entry = 0;
		x->set++;
	}
}

static void export_fill(struct lz_request *req, void *arg)
{
	struct export *x = arg;
	cJSON *end;

	if (!same_policy(req, x->ctl, x->generation))
		return;
	if (x->set < x->end) {
		send_slice(req, x);
		return;
	}
	end = cJSON_CreateObject();
	lz_json_add_u64(end, "prefixes", x->prefixes);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

/* The sets asked for; false: the request is answered. */
static bool choose_sets(struct lz_request *req, const struct lz_policy *policy, struct export *x)
{
	const char *name = lz_arg_text(req, "set");
	struct lz_err err;

	x->end = policy->n_sets;
	for (size_t i = 0; name && i < policy->n_sets; i++)
		if (lz_streq(policy->sets[i].name, name)) {
			x->set = i;
			x->end = i + 1;
			return true;
		}
	if (name)
		lz_end(req, lz_err_set(&err, ENOENT, "set %s: there is none", name), &err);
	return !name;
}

/* Is there a policy? If not, the request is answered. */
static bool need_policy(struct lz_ctl *ctl, struct lz_request *req)
{
	struct lz_err err;

	if (ctl->now.policy)
		return true;
	lz_end(req, lz_err_set(&err, ENOENT, "range: no policy is in force"), &err);
	return false;
}

void lz_h_range_export(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct export start = { .ctl = ctl, .generation = lz_ctl_generation(ctl),
				.rows = lz_arg_bool(req, "rows") }, *x;

	if (!need_policy(ctl, req) || !choose_sets(req, ctl->now.policy, &start))
		return;
	x = malloc(sizeof(*x));
	if (!x) {
		lz_reply_end(req, LZ_CODE_REFUSED, "range: out of memory", NULL);
		return;
	}
	*x = start;
	lz_reply_stream(req, export_fill, free, x);
}

/* ---------------------------------------------------------------- audit */

struct report {
	struct lz_findings found;
	size_t sent;
};

static void end_report(struct lz_request *req, const struct lz_findings *found)
{
	cJSON *end = cJSON_CreateObject(), *totals = cJSON_AddObjectToObject(end, "totals");
	size_t all = 0;

	for (int kind = 0; kind < LZ_FINDING_N; kind++) {
		lz_json_add_u64(totals, lz_finding_words[kind], found->total[kind]);
		all += found->total[kind];
	}
	lz_json_add_u64(end, "left_out", all - found->n);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

static void report_fill(struct lz_request *req, void *arg)
{
	struct report *r = arg;

	if (r->sent == r->found.n) {
		end_report(req, &r->found);
		return;
	}
	for (int i = 0; i < LZ_RANGE_SLICE && r->sent < r->found.n; i++) {
		const struct lz_finding *f = &r->found.v[r->sent++];
		cJSON *row = cJSON_CreateObject();

		lz_json_add_str(row, "kind", lz_finding_words[f->kind]);
		if (f->set[0])
			lz_json_add_str(row, "set", f->set);
		lz_json_add_str(row, "text", f->text);
		lz_reply_row(req, row);
	}
}

static void report_done(void *arg)
{
	struct report *r = arg;

	lz_findings_done(&r->found);
	free(r);
}

void lz_h_range_audit(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct report *r;

	if (!need_policy(ctl, req))
		return;
	r = calloc(1, sizeof(*r));
	if (!r || lz_policy_audit(ctl->now.policy, &r->found) < 0) {
		if (r)
			report_done(r);
		lz_reply_end(req, LZ_CODE_REFUSED, "range: out of memory", NULL);
		return;
	}
	lz_reply_stream(req, report_fill, report_done, r);
}
