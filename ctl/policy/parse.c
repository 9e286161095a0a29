/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* parse.c - the top of a policy, and its interfaces. */
#include "policy/context.h"

#include <errno.h>
#include <string.h>

#define DAY_S (24 * 3600ULL)

static void parse_version(struct lz_context *ctx, struct lz_val val, void *model)
{
	__u64 version;

	(void)model;
	lz_value_u64(ctx, val, LZ_POLICY_VERSION, LZ_POLICY_VERSION, &version);
}

static void parse_name(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	const char *text;

	if (lz_value_string(ctx, val, &text))
		lz_value_name(ctx, val, text, "a policy", policy->name);
}

static void parse_mode(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_mode_words, LZ_MODE_N, ~0ULL, &word))
		policy->mode = word;
}

static void parse_ipv6_key(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	__u64 len;

	if (lz_value_u64(ctx, val, LZ_IPV6_KEY_LEN_MIN, LZ_IPV6_KEY_LEN_MAX, &len))
		policy->ipv6_key = (__u8)len;
}

static void parse_never(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;

	lz_value_refs(ctx, val, false, &policy->never);
}

static void parse_always_reach(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;

	lz_value_refs(ctx, val, false, &policy->always_reach);
}

static void parse_foreign(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const char *const words[] = { "ignore", "count" };
	struct lz_policy *policy = model;
	unsigned word;

	if (lz_value_word(ctx, val, words, LZ_ARRAY_SIZE(words), ~0ULL, &word))
		policy->foreign_count = word;
}

static void parse_unparsed(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const char *const words[] = { "pass", "drop" };
	struct lz_policy *policy = model;
	unsigned word;

	if (lz_value_word(ctx, val, words, LZ_ARRAY_SIZE(words), ~0ULL, &word))
		policy->unparsed_drop = word;
}

static void parse_sources(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	__u64 n;

	if (lz_value_u64(ctx, val, LZ_POLICY_CAPACITY_MIN, LZ_POLICY_CAPACITY_MAX, &n))
		policy->sources_max = (__u32)n;
}

static void parse_colony(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	__u64 n;

	if (lz_value_u64(ctx, val, LZ_POLICY_CAPACITY_MIN, LZ_POLICY_CAPACITY_MAX, &n))
		policy->colony_max = (__u32)n;
}

static void parse_idle(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;

	lz_value_duration(ctx, val, 60, 31 * DAY_S, &policy->idle_ns);
}

static void parse_capacity(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "sources", parse_sources, false },
		{ "colony", parse_colony, false },
		{ "idle", parse_idle, false },
	};

	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), model);
}

static void parse_quarantine_needs(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_needs_words, LZ_NEEDS_N, ~0ULL, &word))
		policy->quarantine_needs = word;
}

static void parse_evidence(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "quarantine-needs", parse_quarantine_needs, false },
	};

	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), model);
}

static void parse_new_per_minute(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	__u64 n;

	if (lz_value_u64(ctx, val, 1, 1000000, &n))
		policy->guard_new_per_minute = (__u32)n;
}

static void parse_active_sources(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	struct lz_err why;
	const char *text;
	__u32 ppm;

	if (!lz_value_string(ctx, val, &text))
		return;
	if (lz_percent_parse(text, &ppm, &why) < 0)
		lz_error(ctx, lz_place_of(val), NULL, "%s", why.text);
	else if (!ppm)
		lz_error(ctx, lz_place_of(val), NULL,
			 "'%s' would let nobody be held (want 0.0001%%..100%%)", text);
	else
		policy->guard_active_ppm = ppm;
}

static void parse_guard(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "new-per-minute", parse_new_per_minute, false },
		{ "active-sources", parse_active_sources, false },
	};

	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), model);
}

static void parse_side(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_interfaces *group = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_side_words, LZ_SIDE_N, ~0ULL, &word))
		group->side = word;
}

static void parse_hook(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_interfaces *group = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_hook_words, LZ_HOOK_N, ~0ULL, &word))
		group->hook = word;
}

static void parse_validation(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_interfaces *group = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_validation_words, LZ_VALIDATION_N, ~0ULL, &word))
		group->validation = word;
}

/* A name of the kernel (IFNAMSIZ: 15 bytes, no slash, no space) with * and ? in it. */
static void parse_glob(struct lz_context *ctx, struct lz_val val,
		       struct lz_policy_interfaces *group)
{
	static const char accepted[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-*?";
	const char *text;
	char *copy;

	if (!lz_value_string(ctx, val, &text))
		return;
	if (!*text || strlen(text) > 15 || text[strspn(text, accepted)]) {
		lz_error(ctx, lz_place_of(val), NULL,
			 "'%.40s' is not an interface name or glob (want 1..15 of A-Z a-z 0-9 . _ : @ - * ?)",
			 text);
		return;
	}
	if (!lz_context_room(ctx, &group->match, &group->match_cap, group->n_match, sizeof(copy)))
		return;
	copy = strdup(text);
	if (copy)
		group->match[group->n_match++] = copy;
	else
		ctx->fatal = -ENOMEM;
}

static void parse_match(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_interfaces *group = model;

	if (!lz_value_list(ctx, val))
		return;
	if (!val.item->child)
		lz_error(ctx, lz_place_of(val), NULL, "matches nothing (want names or globs, e.g. \"ppp*\")");
	lz_for_each_child(&ctx->source, child, val)
		parse_glob(ctx, child, group);
}

void lz_parse_interfaces(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "side", parse_side, true },
		{ "match", parse_match, true },
		{ "hook", parse_hook, false },
		{ "source-validation", parse_validation, false },
	};
	struct lz_policy *policy = model;

	if (!lz_value_object(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val) {
		struct lz_policy_interfaces *group;

		if (policy->n_interfaces == LZ_POLICY_GLOBS_MAX) {
			lz_error(ctx, lz_place_of(child), NULL, "more than %d groups",
				 LZ_POLICY_GLOBS_MAX);
			return;
		}
		if (!lz_context_room(ctx, &policy->interfaces, &policy->interfaces_cap,
				     policy->n_interfaces, sizeof(*group)))
			return;
		group = &policy->interfaces[policy->n_interfaces++];
		*group = (struct lz_policy_interfaces){ .place = lz_place_of(child) };
		lz_value_name(ctx, child, child.item->string, "an interface group", group->name);
		lz_fields_parse(ctx, child, fields, LZ_ARRAY_SIZE(fields), group);
	}
}

void lz_parse_policy(struct lz_context *ctx)
{
	/*
	 * In the order of need: sets before what refers to them, ladders and gardens before limits.
	 */
	static const struct lz_field fields[] = {
		{ "version", parse_version, true },
		{ "name", parse_name, false },
		{ "mode", parse_mode, false },
		{ "ipv6-key", parse_ipv6_key, false },
		{ "interfaces", lz_parse_interfaces, false },
		{ "sets", lz_parse_sets, false },
		{ "customers", lz_parse_customers, false },
		{ "never", parse_never, false },
		{ "always-reach", parse_always_reach, false },
		{ "foreign", parse_foreign, false },
		{ "unparsed", parse_unparsed, false },
		{ "capacity", parse_capacity, false },
		{ "gardens", lz_parse_gardens, false },
		{ "ladders", lz_parse_ladders, false },
		{ "classes", lz_parse_classes, false },
		{ "evidence", parse_evidence, false },
		{ "guard", parse_guard, false },
		{ "portal", lz_parse_portal, false },
		{ "tell", lz_parse_tell, false },
		{ "name-servers", lz_parse_name_servers, false },
	};

	_Static_assert(LZ_ARRAY_SIZE(fields) <= LZ_FIELDS_MAX, "seen[] holds them all");
	lz_fields_parse(ctx, lz_source_root(&ctx->source), fields, LZ_ARRAY_SIZE(fields),
			ctx->policy);
}
