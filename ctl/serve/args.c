/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "serve/args.h"

#include <errno.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "lazaret/proto.h"

#define ARG_NAME_MAX 32

struct arg_spec {
	char name[ARG_NAME_MAX];
	char type[ARG_NAME_MAX];
	bool optional;
};

/* Read one "name=type?" and move on to the next; false at the end. The table is ours: it fits. */
static bool next_spec(const char **spec, struct arg_spec *ret)
{
	size_t word = strcspn(*spec, " ");
	size_t name = strcspn(*spec, "=");

	if (!word)
		return false;
	ret->optional = (*spec)[word - 1] == '?';
	memcpy(ret->name, *spec, name);
	ret->name[name] = '\0';
	memcpy(ret->type, *spec + name + 1, word - name - 1 - ret->optional);
	ret->type[word - name - 1 - ret->optional] = '\0';
	*spec += word + strspn(*spec + word, " ");
	return true;
}

static int check_text(const char *name, const char *text, struct lz_err *reterr)
{
	if (strlen(text) > LZ_PROTO_REASON_BYTES)
		return lz_err_set(reterr, EINVAL,
				  "%s: %zu bytes are too long (want at most %d)", name,
				  strlen(text), LZ_PROTO_REASON_BYTES);
	if (lz_text_has_control(text)) /* not shown: they would be escaped on every way out */
		return lz_err_set(reterr, EINVAL, "%s: has control characters (want one line of text)", name);
	return 0;
}

static int check_word(const char *name, const char *text, struct lz_err *reterr)
{
	if (!*text || strlen(text) > LZ_PROTO_TICKET_BYTES || strchr(text, ' '))
		return lz_err_set(
			reterr, EINVAL,
			"%s: '%s' is no single word (want 1 to %d bytes, no blanks)", name,
			text, LZ_PROTO_TICKET_BYTES);
	return check_text(name, text, reterr);
}

/* Texts of a kind that ctl/base can read: what it says about the value is passed on. */
static int check_kind(const struct arg_spec *spec, const char *text, struct lz_err *reterr)
{
	struct lz_prefix prefix;
	struct lz_err why;
	__u64 wall_ns;
	int r;

	if (lz_streq(spec->type, "address"))
		r = lz_source_parse(text, &prefix, &why);
	else if (lz_streq(spec->type, "prefix"))
		r = lz_prefix_parse(text, &prefix, &why);
	else if (lz_streq(spec->type, "time"))
		r = lz_time_parse(text, &wall_ns, &why);
	else if (lz_streq(spec->type, "word"))
		return check_word(spec->name, text, reterr);
	else
		return check_text(spec->name, text, reterr);
	return r ? lz_err_set(reterr, EINVAL, "%s: %s", spec->name, why.text) : 0;
}

static int check_value(const struct arg_spec *spec, const cJSON *item, struct lz_err *reterr)
{
	__u64 number;

	if (lz_streq(spec->type, "int")) {
		if (lz_json_u64(item, 0, LZ_JSON_INTEGER_MAX, &number))
			return lz_err_set(reterr, EINVAL,
					  "args: %s: is not a whole number (want 0..2^53)",
					  spec->name);
		return 0;
	}
	if (lz_streq(spec->type, "bool")) {
		if (!cJSON_IsBool(item))
			return lz_err_set(reterr, EINVAL, "args: %s: is not true or false",
					  spec->name);
		return 0;
	}
	if (!cJSON_IsString(item))
		return lz_err_set(reterr, EINVAL, "args: %s: is not a text (want %s)", spec->name,
				  spec->type);
	return check_kind(spec, item->valuestring, reterr);
}

static bool is_known(const char *specs, const char *name)
{
	struct arg_spec spec;

	while (next_spec(&specs, &spec)) {
		if (lz_streq(spec.name, name))
			return true;
	}
	return false;
}

int lz_args_check(const char *spec, const cJSON *args, struct lz_err *reterr)
{
	const char *rest = spec;
	struct arg_spec one;
	const cJSON *item;

	cJSON_ArrayForEach(item, args) {
		if (!is_known(spec, item->string))
			return lz_err_set(reterr, EINVAL, "args: '%s' is unknown (want %s)",
					  item->string, *spec ? spec : "none");
	}
	while (next_spec(&rest, &one)) {
		item = cJSON_GetObjectItemCaseSensitive(args, one.name);
		if (!item && !one.optional)
			return lz_err_set(reterr, EINVAL, "args: %s: is missing (want %s)",
					  one.name, one.type);
		if (item && check_value(&one, item, reterr))
			return -EINVAL;
	}
	return 0;
}
