// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * answer.c - what handlers have in common: arguments, errors, the members that many rows share.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/ctl.h"
#include "control/target.h"
#include "handlers/answer.h"
#include "handlers/heldrow.h"

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
