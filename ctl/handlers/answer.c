// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * answer.c - what handlers have in common: arguments, errors, the members that many rows share.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cases/case.h"
#include "control/ctl.h"
#include "control/hold.h"
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

static int compare_keys(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* All keys of a prefix, as one; false: it has others, or is none of whole keys. The keys of a target are
 * few: the prefix of one is no longer than they are. */
static bool has_all(struct lz_ctl *ctl, const struct lz_prefix *prefix, const __u64 *keys, size_t n,
		    const __u64 **ret_first, size_t *ret_n)
{
	unsigned int key_len = ctl->view.instance.ipv6_key_len;
	unsigned int whole = prefix->addr.family == 4 ? 64 : key_len;
	struct lz_keyprefix kp;

	if (lz_keyprefix_from_prefix(prefix, key_len, &kp) < 0 || whole - kp.len > 16)
		return false;
	*ret_first = n ? bsearch(&kp.bits, keys, n, sizeof(*keys), compare_keys) : NULL;
	*ret_n = (size_t)1 << (whole - kp.len);
	return *ret_first && n - (size_t)(*ret_first - keys) >= *ret_n &&
	       (*ret_first)[*ret_n - 1] == kp.bits + ((__u64)(*ret_n - 1) << (64 - whole));
}

/* So many keys from the first on are a prefix: neighbours, and none of them said. */
static size_t neighbours(const __u64 *keys, const bool *said, size_t n, unsigned int whole)
{
	__u64 step = 1ULL << (64 - whole);
	size_t many = 1;

	while (2 * many <= n && !(keys[0] & (2 * many * step - 1)) &&
	       keys[2 * many - 1] == keys[0] + (2 * many - 1) * step && !memchr(said, true, 2 * many))
		many *= 2;
	return many;
}

/* What no list names as it is, in as few prefixes as there are: a reply is one line. */
static void add_rest(struct lz_ctl *ctl, cJSON *list, const __u64 *keys, const bool *said, size_t n)
{
	char text[LZ_PREFIX_TEXT_MAX];
	size_t many;

	for (size_t i = 0; i < n; i += many) {
		unsigned int whole = keys[i] >> 32 ? ctl->view.instance.ipv6_key_len : 64;
		struct lz_keyprefix kp = { .bits = keys[i] };
		struct lz_prefix prefix;

		many = 1;
		if (said[i])
			continue;
		many = neighbours(keys + i, said + i, n - i, whole);
		kp.len = whole - (unsigned int)__builtin_ctzll(many);
		prefix = lz_keyprefix_to_prefix(&kp);
		cJSON_AddItemToArray(list, cJSON_CreateString(lz_prefix_format(&prefix, text)));
	}
}

void lz_json_touched(struct lz_ctl *ctl, cJSON *obj, const struct lz_target *target, __u64 *keys,
		     size_t n)
{
	lz_autofree bool *said = calloc(n + 1, sizeof(*said));
	cJSON *list = cJSON_AddArrayToObject(obj, "touched");
	char text[LZ_PREFIX_TEXT_MAX];
	const __u64 *first;
	size_t count;

	if (n)
		qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; list && said && i < target->n_touched; i++) {
		if (!has_all(ctl, &target->touched[i], keys, n, &first, &count))
			continue;
		memset(said + (first - keys), true, count);
		cJSON_AddItemToArray(list, cJSON_CreateString(lz_prefix_format(&target->touched[i], text)));
	}
	if (list && said)
		add_rest(ctl, list, keys, said, n);
	if (target->customer)
		lz_json_add_str(obj, "customer", target->customer);
}

/* His case may hold more: an address that was his, and is nobody's now. */
void lz_json_held_now(struct lz_ctl *ctl, cJSON *obj, const struct lz_target *target)
{
	struct lz_case c = { .id = 0 };
	lz_autofree struct lz_held_key *v = NULL;
	lz_autofree __u64 *keys = NULL;
	struct lz_held held;
	size_t n = 0, own;
	__u64 word;
	int more;

	if (lz_case_peek(ctl, target, &c) < 0)
		c.id = 0;
	more = c.id ? lz_held_keys_of(ctl->ledger, c.id, &v) : 0;
	keys = calloc(target->n_keys + (more > 0 ? (size_t)more : 0) + 1, sizeof(*keys));
	for (size_t i = 0; keys && i < target->n_keys; i++)
		if (lz_hold_read(&ctl->view, target->keys[i], &word) == 0)
			keys[n++] = target->keys[i];
	own = n;
	if (own)
		qsort(keys, own, sizeof(*keys), compare_keys);
	for (int i = 0; keys && i < more; i++)
		if (!(own && bsearch(&v[i].key, keys, own, sizeof(*keys), compare_keys)) &&
		    lz_hold_read(&ctl->view, v[i].key, &word) == 0 &&
		    lz_held_get(ctl->ledger, v[i].key, &held) == 0 && !lz_case_lost(ctl, &held))
			keys[n++] = v[i].key;
	lz_json_touched(ctl, obj, target, keys, n);
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

bool lz_arg_target(struct lz_ctl *ctl, struct lz_request *req, struct lz_target *ret)
{
	struct lz_err err = { "" };
	int r;

	if (!lz_ctl_need(ctl, req))
		return false;
	r = lz_target_find(ctl, lz_arg_text(req, "address"), ret, &err);
	if (r < 0)
		lz_end(req, r, &err);
	return r == 0;
}

bool lz_arg_host(struct lz_ctl *ctl, struct lz_request *req, bool or_seen, struct lz_target *ret)
{
	struct lz_cell_copy cell;
	__u64 word;

	if (!lz_arg_target(ctl, req, ret))
		return false;
	if (lz_addr_is_host(&ret->addr) ||
	    (or_seen && (lz_cell_get(&ctl->view, ret->key, &cell) == 0 ||
			 lz_hold_read(&ctl->view, ret->key, &word) == 0)))
		return true;
	lz_end_invalid(req, "%s: is no source: %s", lz_arg_text(req, "address"),
		       lz_addr_kind_name(lz_addr_kind(&ret->addr)));
	lz_target_done(ret);
	return false;
}
