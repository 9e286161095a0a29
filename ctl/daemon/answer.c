// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * answer.c - what handlers have in common: arguments, errors, the members that many rows share.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/heldrow.h"

static enum lz_code code_of(int r)
{
	switch (-r) {
	case EINVAL:
	case ERANGE:
		return LZ_CODE_INVALID;
	case ENOENT:
		return LZ_CODE_NO_OBJECT;
	default:
		return LZ_CODE_REFUSED;
	}
}

void lz_end(struct lz_request *req, int r, const struct lz_err *err)
{
	lz_reply_end(req, code_of(r), err->text[0] ? err->text : strerror(-r), NULL);
}

void lz_end_invalid(struct lz_request *req, const char *fmt, ...)
{
	struct lz_err err;
	va_list ap;

	va_start(ap, fmt);
	lz_err_vset(&err, EINVAL, fmt, ap);
	va_end(ap);
	lz_reply_end(req, LZ_CODE_INVALID, err.text, NULL);
}

const char *lz_arg_text(const struct lz_request *req, const char *name)
{
	const char *text = NULL;

	lz_json_opt_str(lz_request_args(req), name, &text, NULL);
	return text;
}

__u64 lz_arg_int(const struct lz_request *req, const char *name, __u64 missing)
{
	lz_json_opt_u64(lz_request_args(req), name, 0, LZ_JSON_INTEGER_MAX, &missing, NULL);
	return missing;
}

bool lz_arg_bool(const struct lz_request *req, const char *name)
{
	bool value = false;

	lz_json_opt_bool(lz_request_args(req), name, &value, NULL);
	return value;
}

void lz_json_time(cJSON *obj, const char *key, __u64 wall_s)
{
	lz_json_add_time(obj, key, wall_s * LZ_NS_PER_S);
}

void lz_json_touched(cJSON *obj, const struct lz_target *target)
{
	cJSON *list = cJSON_AddArrayToObject(obj, "touched");
	char text[LZ_PREFIX_TEXT_MAX];

	for (size_t i = 0; list && i < target->n_touched; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(
						   lz_prefix_format(&target->touched[i], text)));
	if (target->customer)
		lz_json_add_str(obj, "customer", target->customer);
}

const char *lz_class_name(const struct lz_ctl *ctl, __u32 class_)
{
	if (!ctl->now.image || class_ < LZ_CLASS_FIRST || class_ >= LZ_CLASSES_MAX)
		return NULL;
	return ctl->now.image->class_names[class_];
}

/* "garden" is only there for a garden: older readers know no other grade. */
void lz_json_grade(cJSON *obj, const char *text)
{
	struct lz_grade grade;

	lz_json_add_str(obj, "grade", text);
	if (lz_grade_parse(text, &grade, NULL) == 0 && grade.kind == LZ_GRADE_IS_GARDEN)
		lz_json_add_str(obj, "garden", grade.garden);
}

/* A row of the list: the entry's own key, and the customer it belongs to. */
void lz_json_held(struct lz_ctl *ctl, cJSON *obj, const struct lz_held *held)
{
	struct lz_held_rows rows = { 0 };
	lz_autostr struct lz_str text = { 0 };
	lz_autojson cJSON *row = NULL;

	if (lz_held_row_json(&rows, ctl, held, &text) == 0)
		row = cJSON_ParseWithLength(text.data, text.len);
	lz_held_rows_done(&rows);
	while (row && row->child) {
		cJSON *item = cJSON_DetachItemViaPointer(row, row->child);

		cJSON_AddItemToObject(obj, item->string, item);
	}
}

const char *lz_ctl_command(const struct lz_ctl *ctl, const char *words, char buf[static LZ_COMMAND_TEXT_MAX])
{
	const char *name = ctl->options->instance;

	snprintf(buf, LZ_COMMAND_TEXT_MAX, "lazaretctl%s%s %s", name[0] ? " --instance " : "", name, words);
	return buf;
}

bool lz_ctl_is_unknown(const struct lz_ctl *ctl)
{
	return !ctl->opened && ctl->found;
}

const char *lz_ctl_say_unknown(const struct lz_ctl *ctl, char buf[static LZ_UNKNOWN_TEXT_MAX])
{
	char command[LZ_COMMAND_TEXT_MAX];

	snprintf(buf, LZ_UNKNOWN_TEXT_MAX, "an instance of before judges on, this ledger knows neither its policy nor "
		 "whom it holds; put its ledger back, or say %s",
		 lz_ctl_command(ctl, "policy apply FILE", command));
	return buf;
}

bool lz_ctl_need(struct lz_ctl *ctl, struct lz_request *req)
{
	char command[LZ_COMMAND_TEXT_MAX], unknown[LZ_UNKNOWN_TEXT_MAX], text[sizeof(unknown) + 64];

	if (ctl->opened)
		return true;
	if (lz_ctl_is_unknown(ctl))
		snprintf(text, sizeof(text), "gateway: %s", lz_ctl_say_unknown(ctl, unknown));
	else
		snprintf(text, sizeof(text), "gateway: no policy was ever applied; say %s",
			 lz_ctl_command(ctl, "policy apply FILE", command));
	lz_reply_end(req, LZ_CODE_REFUSED, text, NULL);
	return false;
}

/* ---------------------------------------------------------------- waiting for an import */

struct lz_deferred {
	struct lz_deferred *next;
	struct lz_request *req;
	lz_serve_handler again;
};

bool lz_ctl_defer(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again)
{
	struct lz_deferred **end = &ctl->deferred, *d;

	d = calloc(1, sizeof(*d));
	if (!d) {
		lz_reply_end(req, LZ_CODE_REFUSED, "gateway: something else is being done; try again", NULL);
		return false;
	}
	d->req = req;
	d->again = again;
	while (*end)
		end = &(*end)->next;
	*end = d;
	return true;
}

bool lz_ctl_wait(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again)
{
	if (ctl->busy)
		lz_ctl_defer(ctl, req, again);
	return ctl->busy;
}

bool lz_ctl_wait_policy(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again)
{
	bool wait = ctl->busy || (ctl->next.req && ctl->next.req != req);

	if (wait)
		lz_ctl_defer(ctl, req, again);
	return wait;
}

void lz_ctl_resume(struct lz_ctl *ctl)
{
	struct lz_deferred *list = ctl->deferred;

	ctl->busy = false;
	ctl->deferred = NULL;
	while (list) {
		struct lz_deferred *d = list;

		list = d->next;
		d->again(d->req, ctl); /* may begin another import and wait again */
		free(d);
	}
}
