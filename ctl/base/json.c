/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "base/utf8.h"

void lz_json_free_ref(cJSON **json)
{
	cJSON_Delete(*json);
	*json = NULL;
}

static int compare_keys(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/*
 * A duplicate among the keys of one object, or NULL; sorted, so that no input makes it quadratic.
 */
static int find_duplicate(const cJSON *obj, const char **ret)
{
	lz_autofree const char **keys = NULL;
	size_t n = 0, cap = 0;

	*ret = NULL;
	for (const cJSON *item = obj->child; item; item = item->next) {
		int r = lz_array_grow(&keys, &cap, n + 1, sizeof(*keys));

		if (r < 0)
			return r;
		keys[n++] = item->string;
	}
	if (n > 1)
		qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < n && !*ret; i++)
		if (lz_streq(keys[i - 1], keys[i]))
			*ret = keys[i];
	return 0;
}

/* Depth is bounded by the scan that came before. */
static int refuse_duplicates(const cJSON *item, struct lz_err *reterr)
{
	const char *duplicate;
	int r = 0;

	if (cJSON_IsObject(item)) {
		r = find_duplicate(item, &duplicate);
		if (!r && duplicate)
			r = lz_err_set(reterr, EINVAL, "duplicate key '%.60s'", duplicate);
	}
	for (const cJSON *child = item->child; child && !r; child = child->next)
		if (child->child)
			r = refuse_duplicates(child, reterr);
	return r;
}

int lz_json_parse(const char *text, size_t len, cJSON **ret, struct lz_err *reterr)
{
	lz_autojson cJSON *json = NULL;
	struct lz_err why = {};
	size_t offset = 0;
	__u32 line, col;
	int r;

	r = lz_json_scan(text, len, NULL, &offset, &why);
	if (r < 0) {
		lz_json_place(text, offset, &line, &col);
		return lz_err_set(reterr, r, "line %u, column %u: %s", line, col, why.text);
	}
	json = cJSON_ParseWithLength(text, len);
	if (!json)
		return lz_err_set(reterr, ENOMEM, "out of memory");
	r = refuse_duplicates(json, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(json);
	return 0;
}

static int fail_missing(struct lz_err *reterr, const char *key)
{
	return lz_err_set(reterr, ENOENT, "'%s' is missing", key);
}

static int fail_type(struct lz_err *reterr, const char *key, const char *wanted)
{
	return lz_err_set(reterr, EINVAL, "'%s' is not %s", key, wanted);
}

int lz_json_opt_str(const cJSON *obj, const char *key, const char **ret, struct lz_err *reterr)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, key);

	if (!item)
		return 0;
	if (!cJSON_IsString(item))
		return fail_type(reterr, key, "a string");
	*ret = item->valuestring;
	return 0;
}

int lz_json_get_str(const cJSON *obj, const char *key, const char **ret, struct lz_err *reterr)
{
	if (!cJSON_GetObjectItemCaseSensitive(obj, key))
		return fail_missing(reterr, key);
	return lz_json_opt_str(obj, key, ret, reterr);
}

int lz_json_u64(const cJSON *item, __u64 min, __u64 max, __u64 *ret)
{
	double value = item->valuedouble;

	if (!cJSON_IsNumber(item))
		return -EINVAL;
	if (!(value >= 0 && value <= (double)LZ_JSON_INTEGER_MAX))
		return -ERANGE; /* before any conversion: out of range it is undefined */
	if (value != (double)(__u64)value)
		return -EINVAL;
	if ((__u64)value < min || (__u64)value > max)
		return -ERANGE;
	*ret = (__u64)value;
	return 0;
}

int lz_json_opt_u64(const cJSON *obj, const char *key, __u64 min, __u64 max, __u64 *ret,
		    struct lz_err *reterr)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, key);
	int r;

	if (!item)
		return 0;
	r = lz_json_u64(item, min, max, ret);
	if (r == -ERANGE)
		return lz_err_set(reterr, ERANGE, "'%s' is out of range (want %llu..%llu)", key, min, max);
	if (r < 0)
		return fail_type(reterr, key, "a whole number");
	return 0;
}

int lz_json_get_u64(const cJSON *obj, const char *key, __u64 min, __u64 max, __u64 *ret,
		    struct lz_err *reterr)
{
	if (!cJSON_GetObjectItemCaseSensitive(obj, key))
		return fail_missing(reterr, key);
	return lz_json_opt_u64(obj, key, min, max, ret, reterr);
}

int lz_json_opt_bool(const cJSON *obj, const char *key, bool *ret, struct lz_err *reterr)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, key);

	if (!item)
		return 0;
	if (!cJSON_IsBool(item))
		return fail_type(reterr, key, "true or false");
	*ret = cJSON_IsTrue(item);
	return 0;
}

int lz_json_get_bool(const cJSON *obj, const char *key, bool *ret, struct lz_err *reterr)
{
	if (!cJSON_GetObjectItemCaseSensitive(obj, key))
		return fail_missing(reterr, key);
	return lz_json_opt_bool(obj, key, ret, reterr);
}

int lz_json_get_object(const cJSON *obj, const char *key, const cJSON **ret, struct lz_err *reterr)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, key);

	if (!item)
		return fail_missing(reterr, key);
	if (!cJSON_IsObject(item))
		return fail_type(reterr, key, "an object");
	*ret = item;
	return 0;
}

int lz_json_get_array(const cJSON *obj, const char *key, const cJSON **ret, struct lz_err *reterr)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, key);

	if (!item)
		return fail_missing(reterr, key);
	if (!cJSON_IsArray(item))
		return fail_type(reterr, key, "a list");
	*ret = item;
	return 0;
}

int lz_json_quote(struct lz_str *s, const char *text)
{
	static const char *const shorts[0x20] = { ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n",
						  ['\r'] = "\\r", ['\t'] = "\\t" };

	lz_str_append_n(s, "\"", 1);
	while (*text) {
		size_t plain = 0;
		unsigned char c;

		while ((c = (unsigned char)text[plain]) >= 0x20 && c != '"' && c != '\\')
			plain++;
		lz_str_append_n(s, text, plain);
		text += plain;
		if (!c)
			break;
		if (c < 0x20 && !shorts[c])
			lz_str_appendf(s, "\\u%04x", c);
		else if (c < 0x20)
			lz_str_append(s, shorts[c]);
		else
			lz_str_append_n(s, (char[]){ '\\', (char)c }, 2);
		text++;
	}
	return lz_str_append_n(s, "\"", 1);
}

int lz_json_add_u64(cJSON *obj, const char *key, __u64 value)
{
	char digits[24];

	if (value <= 1ULL << 50) /* cJSON prints a double with 15 digits first: exact up to here */
		return cJSON_AddNumberToObject(obj, key, (double)value) ? 0 : -ENOMEM;
	snprintf(digits, sizeof(digits), "%llu", value);
	return cJSON_AddRawToObject(obj, key, digits) ? 0 : -ENOMEM;
}

int lz_json_add_str(cJSON *obj, const char *key, const char *value)
{
	return cJSON_AddStringToObject(obj, key, value) ? 0 : -ENOMEM;
}

int lz_json_add_bytes(cJSON *obj, const char *key, const char *bytes)
{
	lz_autostr struct lz_str text = { 0 };
	char escaped[5];

	while (*bytes) {
		unsigned int len = lz_utf8_read(bytes, bytes + LZ_UTF8_BYTES_MAX, NULL);

		if (len)
			lz_str_append_n(&text, bytes, len);
		else
			lz_str_append_n(&text, escaped, lz_text_escape(escaped, sizeof(escaped), bytes, 1));
		bytes += len ? len : 1;
	}
	return text.error ? text.error : lz_json_add_str(obj, key, text.data ? text.data : "");
}

int lz_json_add_bool(cJSON *obj, const char *key, bool value)
{
	return cJSON_AddBoolToObject(obj, key, value) ? 0 : -ENOMEM;
}

int lz_json_add_time(cJSON *obj, const char *key, __u64 wall_ns)
{
	char text[LZ_TIME_TEXT_MAX];

	if (!wall_ns)
		return cJSON_AddNullToObject(obj, key) ? 0 : -ENOMEM;
	return lz_json_add_str(obj, key, lz_time_format(wall_ns, text));
}

void lz_json_time(cJSON *obj, const char *key, __u64 wall_s)
{
	lz_json_add_time(obj, key, wall_s * LZ_NS_PER_S);
}
