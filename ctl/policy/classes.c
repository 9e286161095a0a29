/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * classes.c - classes, their port-25 rules and their limits.
 *
 * The only ports a rule can close are 25 (`port25`) and, by a limit on SYNs, all of them at once:
 * no key names another port, and the words that look like 587 or 465 are refused with the reason.
 */
#include "policy/context.h"

#include <string.h>

#define BIT(n) (1ULL << (n))

static void parse_refusal(struct lz_context *ctx, struct lz_val val, __u64 accepted,
			  enum lz_verdict *ret)
{
	unsigned word;

	if (lz_value_word(ctx, val, lz_refusal_words, LZ_V_N, accepted, &word))
		*ret = word;
}

static void parse_to_world(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_port25 *port25 = model;

	parse_refusal(ctx, val, ~BIT(LZ_V_PAGE), &port25->to_world);
}

static void parse_except_to(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_port25 *port25 = model;

	lz_value_refs(ctx, val, false, &port25->except_to);
}

static void parse_from_port_25(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_port25 *port25 = model;

	/* What comes from port 25 is a server's answer: there is nobody to send a refusal to. */
	parse_refusal(ctx, val, BIT(LZ_V_PASS) | BIT(LZ_V_DROP), &port25->from_port_25);
}

static void parse_to_customers(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_port25 *port25 = model;

	/* The sink answers our own customers only. */
	parse_refusal(ctx, val, ~(BIT(LZ_V_SMTP_554) | BIT(LZ_V_PAGE)), &port25->to_customers);
}

static void parse_port25(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "to-world", parse_to_world, false },
		{ "except-to", parse_except_to, false },
		{ "from-port-25", parse_from_port_25, false },
		{ "to-customers", parse_to_customers, false },
	};
	struct lz_policy_class *class = model;
	enum lz_verdict all;

	if (cJSON_IsString(val.item)) /* "leave-alone" is what no rule at all means, said aloud */
		parse_refusal(ctx, val, BIT(LZ_V_PASS), &all);
	else
		lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), &class->port25);
}

static void parse_of(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_class *class = model;

	lz_value_refs(ctx, val, false, &class->of);
	if (cJSON_IsArray(val.item) && !val.item->child)
		lz_error(ctx, lz_place_of(val), NULL, "the class has no addresses (want sets or prefixes)");
}

static void parse_shared(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_class *class = model;

	lz_value_bool(ctx, val, &class->shared);
}

static bool find_class(const struct lz_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_classes; i++)
		if (lz_streq(policy->classes[i].name, name))
			return true;
	return false;
}

void lz_parse_classes(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "of", parse_of, true },
		{ "shared", parse_shared, false },
		{ "port25", parse_port25, false },
		{ "limits", lz_parse_limits, false },
	};
	struct lz_policy *policy = model;

	if (!lz_value_object(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val) {
		const char *name = child.item->string;
		struct lz_policy_class *class;

		if (policy->n_classes == LZ_POLICY_CLASSES_MAX) {
			lz_error(ctx, lz_place_of(child), NULL, "more than %d classes",
				 LZ_POLICY_CLASSES_MAX);
			return;
		}
		if (find_class(policy, name)) {
			lz_error(ctx, lz_place_of(child), NULL, "duplicate key '%s'", name);
			continue;
		}
		if (!lz_context_room(ctx, &policy->classes, &policy->classes_cap, policy->n_classes,
				     sizeof(*class)))
			return;
		class = &policy->classes[policy->n_classes++];
		*class = (struct lz_policy_class){ .place = lz_place_of(child) };
		lz_value_name(ctx, child, name, "a class", class->name);
		lz_fields_parse(ctx, child, fields, LZ_ARRAY_SIZE(fields), class);
	}
}
