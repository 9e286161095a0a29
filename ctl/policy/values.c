/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* values.c - typed values of the policy language; each refusal names the value and the domain. */
#include <stdio.h>
#include <string.h>

#include "policy/context.h"

static const char *type_name(const cJSON *item)
{
	if (cJSON_IsString(item))
		return "a string";
	if (cJSON_IsNumber(item))
		return "a number";
	if (cJSON_IsObject(item))
		return "an object";
	if (cJSON_IsArray(item))
		return "a list";
	if (cJSON_IsBool(item))
		return "true or false";
	return "null";
}

static bool wrong_type(struct lz_context *ctx, struct lz_val val, const char *wanted)
{
	lz_error(ctx, lz_place_of(val), NULL, "is %s (want %s)", type_name(val.item), wanted);
	return false;
}

bool lz_value_object(struct lz_context *ctx, struct lz_val val)
{
	return cJSON_IsObject(val.item) || wrong_type(ctx, val, "an object");
}

bool lz_value_list(struct lz_context *ctx, struct lz_val val)
{
	return cJSON_IsArray(val.item) || wrong_type(ctx, val, "a list");
}

bool lz_value_string(struct lz_context *ctx, struct lz_val val, const char **ret)
{
	if (!cJSON_IsString(val.item))
		return wrong_type(ctx, val, "a string");
	*ret = val.item->valuestring;
	return true;
}

bool lz_value_bool(struct lz_context *ctx, struct lz_val val, bool *ret)
{
	if (!cJSON_IsBool(val.item))
		return wrong_type(ctx, val, "true or false");
	*ret = cJSON_IsTrue(val.item);
	return true;
}

bool lz_value_u64(struct lz_context *ctx, struct lz_val val, __u64 min, __u64 max, __u64 *ret)
{
	char wanted[64];

	if (cJSON_IsNumber(val.item) && !lz_json_u64(val.item, min, max, ret))
		return true;
	snprintf(wanted, sizeof(wanted), "a whole number %llu..%llu", min, max);
	if (!cJSON_IsNumber(val.item))
		return wrong_type(ctx, val, wanted);
	lz_error(ctx, lz_place_of(val), NULL, "%.15g is out of range (want %s)",
		 val.item->valuedouble, wanted);
	return false;
}

bool lz_name_is_valid(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return len && !text[len] && len <= LZ_NAME_MAX;
}

bool lz_value_name(struct lz_context *ctx, struct lz_val val, const char *text, const char *what,
		   char ret[static LZ_NAME_MAX + 1])
{
	if (lz_name_is_valid(text)) {
		memcpy(ret, text, strlen(text) + 1);
		return true;
	}
	lz_error(ctx, lz_place_of(val), NULL, "'%.60s' is not a name for %s (want 1..%d of A-Z a-z 0-9 _ -)",
		 text, what, LZ_NAME_MAX);
	return false;
}

bool lz_value_word(struct lz_context *ctx, struct lz_val val, const char *const *words, size_t n,
		   __u64 accepted, unsigned *ret)
{
	struct lz_suggestion s = {};
	lz_autostr struct lz_str wanted = {};
	char hint[64];

	if (!lz_value_string(ctx, val, &s.word))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!(accepted >> i & 1))
			continue;
		if (lz_streq(s.word, words[i])) {
			*ret = i;
			return true;
		}
		lz_suggestion_offer(&s, words[i]);
		lz_str_appendf(&wanted, "%s%s", wanted.len ? " | " : "", words[i]);
	}
	if (lz_refuses_submission(ctx, lz_place_of(val), s.word))
		return false;
	lz_error(ctx, lz_place_of(val), NULL, "'%.60s' is not accepted here (want %s)%s", s.word,
		 wanted.data ? wanted.data : "", lz_suggestion_text(&s, hint));
	return false;
}

bool lz_duration_in(struct lz_context *ctx, struct lz_place place, const char *text, __u64 min_s,
		    __u64 max_s, __u64 *ret_ns)
{
	char low[LZ_DURATION_TEXT_MAX], high[LZ_DURATION_TEXT_MAX];
	struct lz_err why;
	__u64 ns;

	if (lz_duration_parse(text, &ns, &why) < 0) {
		lz_error(ctx, place, NULL, "%s", why.text);
		return false;
	}
	if (ns % 1000000000 || ns / 1000000000 < min_s || ns / 1000000000 > max_s) {
		lz_error(ctx, place, NULL, "'%.60s' is out of range (want %s..%s, whole seconds)", text,
			 lz_duration_format(min_s * 1000000000, low),
			 lz_duration_format(max_s * 1000000000, high));
		return false;
	}
	*ret_ns = ns;
	return true;
}

bool lz_value_duration(struct lz_context *ctx, struct lz_val val, __u64 min_s, __u64 max_s,
		       __u64 *ret_ns)
{
	const char *text = NULL;

	return lz_value_string(ctx, val, &text) &&
	       lz_duration_in(ctx, lz_place_of(val), text, min_s, max_s, ret_ns);
}

static void add_ref(struct lz_context *ctx, struct lz_refs *refs, const struct lz_ref *ref)
{
	if (lz_context_room(ctx, &refs->v, &refs->cap, refs->n, sizeof(*refs->v)))
		refs->v[refs->n++] = *ref;
}

/* "udp/123" */
static bool parse_port(struct lz_context *ctx, struct lz_val val, const char *text,
		       struct lz_ref *ret)
{
	struct lz_err why;
	__u64 port;

	if (!lz_u64_parse(text + 4, 1, 65535, &port, &why)) {
		ret->kind = LZ_REF_PORT;
		ret->protocol = text[0] == 't' ? 6 : 17;
		ret->port = (__u16)port;
		return true;
	}
	lz_error(ctx, lz_place_of(val), NULL, "'%.60s': bad port: %s", text, why.text);
	return false;
}

static void parse_set_name(struct lz_context *ctx, struct lz_val val, const char *text,
			   struct lz_refs *ret)
{
	struct lz_ref ref = { .kind = LZ_REF_SET, .place = lz_place_of(val) };
	struct lz_suggestion s = { .word = text };
	char hint[64];

	for (size_t i = 0; i < ctx->policy->n_sets; i++) {
		if (lz_streq(ctx->policy->sets[i].name, text)) {
			ref.set = (__u32)i;
			ctx->policy->sets[i].uses++;
			add_ref(ctx, ret, &ref);
			return;
		}
		lz_suggestion_offer(&s, ctx->policy->sets[i].name);
	}
	lz_error(ctx, lz_place_of(val), NULL, "no set is named '%.40s'%s", text,
		 lz_suggestion_text(&s, hint));
}

static void parse_ref(struct lz_context *ctx, struct lz_val val, bool ports, struct lz_refs *ret)
{
	struct lz_prefix prefixes[LZ_RANGE_PREFIXES_MAX];
	struct lz_ref ref = { .place = lz_place_of(val) };
	struct lz_err why;
	const char *text = NULL;
	int n;

	if (!lz_value_string(ctx, val, &text))
		return;
	if (!strncmp(text, "udp/", 4) || !strncmp(text, "tcp/", 4)) {
		if (!ports)
			lz_error(ctx, lz_place_of(val), NULL, "'%.40s': ports are only accepted in a garden",
				 text);
		else if (parse_port(ctx, val, text, &ref))
			add_ref(ctx, ret, &ref);
		return;
	}
	if (lz_name_is_valid(text)) { /* an address has a dot or a colon, a name neither */
		parse_set_name(ctx, val, text, ret);
		return;
	}
	n = lz_prefixes_parse(text, prefixes, &why);
	if (n < 0)
		lz_error(ctx, lz_place_of(val), NULL, "%s", why.text);
	ref.kind = LZ_REF_PREFIX;
	for (int i = 0; i < n; i++) {
		ref.prefix = prefixes[i];
		add_ref(ctx, ret, &ref);
	}
}

void lz_value_refs(struct lz_context *ctx, struct lz_val val, bool ports, struct lz_refs *ret)
{
	if (!lz_value_list(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val)
		parse_ref(ctx, child, ports, ret);
}
