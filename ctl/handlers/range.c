// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * range.c - where an address belongs; and small changes of a set, each a new generation: in the tables
 * that judge where that can be done, else as a policy of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/exception.h"
#include "control/running.h"
#include "control/target.h"
#include "control/tell.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"

static void add_sets(const struct lz_policy *policy, const struct lz_addr *addr, cJSON *obj)
{
	cJSON *list = cJSON_AddArrayToObject(obj, "sets");

	for (size_t i = 0; i < policy->n_sets; i++)
		for (size_t k = 0; k < policy->sets[i].entries.n; k++)
			if (lz_prefix_has_addr(&policy->sets[i].entries.v[k].prefix, addr)) {
				cJSON_AddItemToArray(list,
						     cJSON_CreateString(policy->sets[i].name));
				break;
			}
}

void lz_h_range_lookup(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	const struct lz_policy *policy = ctl->now.policy;
	const struct lz_range *range;
	struct lz_granted exception;
	struct lz_target target;
	struct lz_prefix host;
	struct lz_err err = { "" };
	char text[LZ_PREFIX_TEXT_MAX];
	cJSON *end;

	if (!lz_arg_target(ctl, req, &target))
		return;
	if (!policy) {
		lz_end(req, lz_err_set(&err, ENOENT, "range: no policy is in force"), &err);
		lz_target_done(&target);
		return;
	}
	end = cJSON_CreateObject();
	host = lz_prefix_host(&target.addr);
	lz_json_add_str(end, "address", lz_addr_format(&target.addr, text));
	range = lz_ranges_find(&policy->class_ranges, &host);
	if (range)
		lz_json_add_str(end, "prefix", lz_prefix_format(&range->prefix, text));
	if (lz_class_name(ctl, target.class_))
		lz_json_add_str(end, "class", lz_class_name(ctl, target.class_));
	else
		cJSON_AddNullToObject(end, "class");
	add_sets(policy, &target.addr, end);
	if (target.customer)
		lz_json_add_str(end, "customer", target.customer);
	lz_json_add_bool(end, "never", lz_ranges_find(&policy->never_ranges, &host) != NULL);
	lz_json_add_bool(end, "always_reach",
			 lz_image_sets_of(ctl->now.image, &target.addr) & LZ_SET_REACH);
	if (lz_exception_find(ctl, target.key, &exception) == 0)
		lz_json_add_str(end, "exception", lz_prefix_format(&exception.prefix, text));
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
	lz_target_done(&target);
}

/* ---------------------------------------------------------------- add, del */

/* The text in force as JSON, one set of it changed. */
static int edit_set(cJSON *policy, const char *set, const char *prefix, bool add,
		    struct lz_err *reterr)
{
	cJSON *sets = cJSON_GetObjectItemCaseSensitive(policy, "sets");
	cJSON *list = cJSON_GetObjectItemCaseSensitive(sets, set), *item;
	int at = 0;

	if (!cJSON_IsArray(list))
		return lz_err_set(reterr, ENOENT, "set %s: there is none", set);
	cJSON_ArrayForEach(item, list) {
		if (cJSON_IsString(item) && lz_streq(item->valuestring, prefix))
			break;
		at++;
	}
	if (add && item)
		return lz_err_set(reterr, EEXIST, "set %s: %s is in it already", set, prefix);
	if (!add && !item)
		return lz_err_set(reterr, ENOENT, "set %s: %s is not in it", set, prefix);
	if (add)
		return cJSON_AddItemToArray(list, cJSON_CreateString(prefix)) ? 0 : -ENOMEM;
	cJSON_DeleteItemFromArray(list, at);
	return 0;
}

/* @what: stands in log and history where else the file stands, which did not make this policy. */
static int apply_text(struct lz_ctl *ctl, struct lz_request *req, const char *text, const char *what,
		      struct lz_err *reterr)
{
	struct lz_report report = { 0 };
	struct lz_policy *policy = NULL;
	struct lz_running next = { 0 };
	int r = lz_policy_parse_text(text, strlen(text), NULL, &policy, &report);

	if (r < 0)
		r = lz_err_set(reterr, EINVAL, "policy: would not be valid: %s",
			       report.n ? report.items[0].text : "out of memory");
	lz_report_done(&report);
	if (r == 0)
		r = lz_running_compile(ctl, policy, ctl->now.image, &next, reterr);
	if (r < 0)
		return r;
	lz_tell_actor(req, next.row.actor);
	lz_text_set(next.row.file, sizeof(next.row.file), what);
	return lz_running_apply(ctl, &next, 0, LZ_PLAN_AS_IT_STOOD, reterr);
}

/* The whole policy once more, with one set changed. */
static int change_whole(struct lz_ctl *ctl, struct lz_request *req, const struct lz_edit *edit,
			const char *what, struct lz_err *reterr)
{
	lz_autofree char *text = NULL, *changed = NULL;
	lz_autojson cJSON *json = NULL;
	char canonical[LZ_PREFIX_TEXT_MAX];
	int r;

	if (lz_policy_print(ctl->now.policy, LZ_PRINT_INLINE_FILES, &text) < 0)
		return lz_err_set(reterr, ENOMEM, "range: out of memory");
	r = lz_json_parse(text, strlen(text), &json, reterr);
	if (r == 0)
		r = edit_set(json, edit->set, lz_prefix_format(&edit->prefix, canonical), edit->add,
			     reterr);
	if (r < 0)
		return r;
	changed = cJSON_PrintUnformatted(json);
	return changed ? apply_text(ctl, req, changed, what, reterr) :
			 lz_err_set(reterr, ENOMEM, "range: out of memory");
}

static int change(struct lz_ctl *ctl, struct lz_request *req, bool add, struct lz_err *reterr)
{
	char canonical[LZ_PREFIX_TEXT_MAX], what[LZ_FILE_TEXT_MAX], actor[LZ_ACTOR_TEXT_MAX];
	struct lz_edit edit = { .add = add };
	int r;

	r = lz_prefix_parse(lz_arg_text(req, "prefix"), &edit.prefix, reterr);
	if (r < 0)
		return r;
	if (!ctl->now.policy)
		return lz_err_set(reterr, ENOENT, "range: no policy is in force");
	if (lz_strcpy(edit.set, sizeof(edit.set), lz_arg_text(req, "set")) < 0)
		return lz_err_set(reterr, ENOENT, "set %s: there is none", lz_arg_text(req, "set"));
	snprintf(what, sizeof(what), "range %s %s %s", add ? "add" : "del", edit.set,
		 lz_prefix_format(&edit.prefix, canonical));
	lz_tell_actor(req, actor);
	r = lz_running_change(ctl, &edit, actor, what, reterr);
	return r == -EOPNOTSUPP ? change_whole(ctl, req, &edit, what, reterr) : r;
}

/* The class of the range that the argument lies in; "" = none */
static void class_now(const struct lz_ctl *ctl, const struct lz_request *req, char ret[static LZ_NAME_MAX + 1])
{
	const struct lz_policy *policy = ctl->now.policy;
	const struct lz_range *range = NULL;
	struct lz_prefix prefix;

	if (policy && lz_prefix_parse(lz_arg_text(req, "prefix"), &prefix, NULL) == 0)
		range = lz_ranges_find(&policy->class_ranges, &prefix);
	lz_text_set(ret, LZ_NAME_MAX + 1, range ? policy->classes[range->owner].name : "");
}

static void answer_change(struct lz_ctl *ctl, struct lz_request *req, bool add)
{
	char was[LZ_NAME_MAX + 1], is[LZ_NAME_MAX + 1];
	struct lz_err err = { "" };
	cJSON *end;
	int r;

	class_now(ctl, req, was);
	r = change(ctl, req, add, &err);
	if (r < 0) {
		lz_end(req, r, &err);
		return;
	}
	end = cJSON_CreateObject();
	lz_json_add_str(end, "set", lz_arg_text(req, "set"));
	lz_json_add_str(end, "prefix", lz_arg_text(req, "prefix"));
	lz_json_add_u64(end, "generation", lz_ctl_generation(ctl));
	class_now(ctl, req, is);
	if (was[0])
		lz_json_add_str(end, "was_class", was);
	if (is[0])
		lz_json_add_str(end, "class", is);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

void lz_h_range_add(struct lz_request *req, void *arg)
{
	if (!lz_ctl_wait_policy(arg, req, lz_h_range_add) && lz_ctl_need(arg, req))
		answer_change(arg, req, true);
}

void lz_h_range_del(struct lz_request *req, void *arg)
{
	if (!lz_ctl_wait_policy(arg, req, lz_h_range_del) && lz_ctl_need(arg, req))
		answer_change(arg, req, false);
}
