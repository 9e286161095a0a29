/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* limits.c - one limit of a class: what it counts, how much is too much, and what happens then. */
#include "policy/context.h"

#include <string.h>

#define BIT(n) (1ULL << (n))

static void parse_name(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;
	const char *text;

	if (lz_value_string(ctx, val, &text))
		lz_value_name(ctx, val, text, "a limit", limit->name);
}

static void parse_count(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_what_words, LZ_ARRAY_SIZE(lz_what_words), ~0ULL, &word))
		limit->what = word;
}

static void parse_to(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;

	lz_value_refs(ctx, val, false, &limit->to);
	if (cJSON_IsArray(val.item) && !val.item->child)
		lz_error(ctx, lz_place_of(val), NULL,
			 "no destination would ever be counted (leave 'to' out to count all)");
}

static void parse_per_ipv4(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;
	__u64 len;

	if (lz_value_u64(ctx, val, 8, 32, &len))
		limit->per_ipv4_len = (__u8)len;
}

static void parse_per_ipv6(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;
	__u64 len;

	if (lz_value_u64(ctx, val, 16, ctx->policy->ipv6_key, &len))
		limit->per_ipv6_len = (__u8)len;
}

static void parse_per(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const char *const words[] = {
		[LZ_PER_SOURCE] = "source",
		[LZ_PER_PREFIX] = "{\"ipv4\": LEN, \"ipv6\": LEN}",
		[LZ_PER_CUSTOMER] = "customer",
	};
	static const struct lz_field fields[] = {
		{ "ipv4", parse_per_ipv4, true },
		{ "ipv6", parse_per_ipv6, true },
	};
	struct lz_policy_limit *limit = model;
	unsigned word;

	if (cJSON_IsObject(val.item)) {
		limit->per = LZ_PER_PREFIX;
		lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), limit);
	} else if (lz_value_word(ctx, val, words, LZ_ARRAY_SIZE(words),
				 BIT(LZ_PER_SOURCE) | BIT(LZ_PER_CUSTOMER), &word)) {
		limit->per = word;
	}
}

static bool parse_rate_text(struct lz_context *ctx, struct lz_val val, struct lz_rate *ret)
{
	struct lz_err why;
	const char *text;

	if (!lz_value_string(ctx, val, &text))
		return false;
	if (!lz_rate_parse(text, ret, &why))
		return true;
	lz_error(ctx, lz_place_of(val), NULL, "%s", why.text);
	return false;
}

static void parse_at_most(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;
	struct lz_rate rate;

	if (!parse_rate_text(ctx, val, &rate))
		return;
	if (!rate.count)
		lz_error(ctx, lz_place_of(val), NULL,
			 "a limit of 0 would refuse everything (want 1..%d); to close port 25 write \"port25\"",
			 LZ_POLICY_COUNT_MAX);
	else if (rate.count > LZ_POLICY_COUNT_MAX)
		lz_error(ctx, lz_place_of(val), NULL, "%llu is out of range (want 1..%d in a window)",
			 rate.count, LZ_POLICY_COUNT_MAX);
	else if (rate.window_ns < LZ_POLICY_WINDOW_MIN_S * 1000000000ULL ||
		 rate.window_ns > LZ_POLICY_HOLD_MAX_S * 1000000000ULL)
		lz_error(ctx, lz_place_of(val), NULL,
			 "'%s': window is out of range (want 10s..31d); for shorter bursts use rate and burst",
			 val.item->valuestring);
	else
		limit->at_most = rate;
}

static void parse_rate(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;
	struct lz_rate rate;

	limit->is_bucket = true;
	if (!parse_rate_text(ctx, val, &rate))
		return;
	if (!rate.count || rate.window_ns > LZ_POLICY_HOLD_MAX_S * 1000000000ULL ||
	    lz_rate_exceeds(&rate, LZ_POLICY_RATE_MAX_PER_S))
		lz_error(ctx, lz_place_of(val), NULL, "'%s' is out of range (want 1/31d..1000000/s)",
			 val.item->valuestring);
	else
		limit->rate = rate;
}

static void parse_burst(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;

	lz_value_u64(ctx, val, 1, LZ_POLICY_COUNT_MAX, &limit->burst);
}

/* "ladder:NAME" */
static void parse_then_ladder(struct lz_context *ctx, struct lz_val val, const char *name,
			      struct lz_policy_limit *limit)
{
	const struct lz_policy *policy = ctx->policy;
	struct lz_suggestion s = { .word = name };
	char hint[64];

	for (size_t i = 0; i < policy->n_ladders; i++) {
		if (lz_streq(policy->ladders[i].name, name)) {
			limit->then = LZ_ACTION_LADDER;
			limit->ladder = (__u32)i;
			return;
		}
		lz_suggestion_offer(&s, policy->ladders[i].name);
	}
	lz_error(ctx, lz_place_of(val), NULL, "no ladder is named '%.40s'%s", name,
		 lz_suggestion_text(&s, hint));
}

static void parse_then(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const char *const words[] = { "drop", "refuse", "notify", "hold TIME", "ladder:NAME" };
	struct lz_policy_limit *limit = model;
	const char *text;
	unsigned word;

	if (!lz_value_string(ctx, val, &text))
		return;
	if (!strncmp(text, "hold ", 5)) {
		if (lz_duration_in(ctx, lz_place_of(val), text + 5, 1, LZ_POLICY_HOLD_MAX_S,
				   &limit->hold_ns))
			limit->then = LZ_ACTION_HOLD;
	} else if (!strncmp(text, "ladder:", 7)) {
		parse_then_ladder(ctx, val, text + 7, limit);
	} else if (lz_streq(text, "hold")) {
		lz_error(ctx, lz_place_of(val), NULL, "'hold' needs a time, e.g. 'hold 72h' (want 1s..31d)");
	} else if (lz_streq(text, "hold TIME") || lz_streq(text, "ladder:NAME")) {
		lz_error(ctx, lz_place_of(val), NULL, "'%s' stands for a value, e.g. 'hold 72h'", text);
	} else if (lz_value_word(ctx, val, words, LZ_ARRAY_SIZE(words), ~0ULL, &word)) {
		limit->then = word;
	}
}

static void parse_refuse(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;
	unsigned word;

	if (cJSON_IsString(val.item) && lz_streq(val.item->valuestring, "smtp-554")) {
		lz_error(ctx, lz_place_of(val), NULL,
			 "'smtp-554' is a permanent error, and a throttled host may send again in a moment: its mail would bounce (want drop | icmp-admin | tcp-reset)");
		return;
	}
	if (lz_value_word(ctx, val, lz_refusal_words, LZ_V_N,
			  BIT(LZ_V_DROP) | BIT(LZ_V_ICMP_ADMIN) | BIT(LZ_V_TCP_RESET), &word))
		limit->refuse = word;
}

static void parse_mode(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_limit *limit = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_mode_words, LZ_MODE_N, ~0ULL, &word))
		limit->monitor = word == LZ_MODE_MONITOR;
}

/* Keys that only make sense together, seen on the object itself. */
static void check_shape(struct lz_context *ctx, struct lz_val val, struct lz_policy_limit *limit)
{
	const cJSON *at_most = cJSON_GetObjectItemCaseSensitive(val.item, "at-most");
	const cJSON *rate = cJSON_GetObjectItemCaseSensitive(val.item, "rate");
	const cJSON *burst = cJSON_GetObjectItemCaseSensitive(val.item, "burst");
	const cJSON *refuse = cJSON_GetObjectItemCaseSensitive(val.item, "refuse");

	if (!at_most == !rate)
		lz_error(ctx, lz_place_of(val), NULL,
			 "want exactly one of 'at-most' (e.g. \"40/5min\") and 'rate' with 'burst' (e.g. \"100/s\", 200)");
	if (rate && !burst)
		lz_error(ctx, lz_place_of(val), NULL, "key 'burst' is missing: 'rate' needs it");
	if (burst && !rate)
		lz_error(ctx, lz_place_of(val), "burst", "has no effect without 'rate'");
	if (refuse && limit->then != LZ_ACTION_REFUSE)
		lz_error(ctx, lz_place_of(val), "refuse", "has no effect unless 'then' is \"refuse\"");
	if (!refuse && limit->then == LZ_ACTION_REFUSE)
		limit->refuse = LZ_V_ICMP_ADMIN;
}

static void parse_limit(struct lz_context *ctx, struct lz_val val, struct lz_policy_limit *limit)
{
	static const struct lz_field fields[] = {
		{ "name", parse_name, true },	  { "count", parse_count, true },
		{ "to", parse_to, false },	  { "per", parse_per, false },
		{ "at-most", parse_at_most, false }, { "rate", parse_rate, false },
		{ "burst", parse_burst, false },  { "then", parse_then, true },
		{ "refuse", parse_refuse, false }, { "mode", parse_mode, false },
	};

	/* If "count" is wrong, checks go on with the commonest: no second complaint follows from it. */
	*limit = (struct lz_policy_limit){
		.place = lz_place_of(val),
		.what = LZ_WHAT_SMTP_CONNECTIONS,
		.refuse = LZ_V_DROP,
	};
	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), limit);
	if (cJSON_IsObject(val.item))
		check_shape(ctx, val, limit);
}

void lz_parse_limits(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_class *class = model;

	if (!lz_value_list(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val) {
		if (class->n_limits == LZ_LIMITS_PER_CLASS) {
			lz_error(ctx, lz_place_of(child), NULL, "more than %d limits in class '%s'",
				 LZ_LIMITS_PER_CLASS, class->name);
			return;
		}
		parse_limit(ctx, child, &class->limits[class->n_limits++]);
	}
}
