/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* gardens.c - where held hosts are put (gardens), and the steps that lead there (ladders). */
#include "policy/context.h"

#include <string.h>

#define BIT(n)	 (1ULL << (n))
#define YEAR_S	 (366 * 24 * 3600ULL)
#define DAY_S	 (24 * 3600ULL)
#define REFUSALS (BIT(LZ_V_DROP) | BIT(LZ_V_ICMP_ADMIN) | BIT(LZ_V_TCP_RESET))

static void parse_kind(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_garden *garden = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_garden_words, LZ_GARDEN_N, ~0ULL, &word))
		garden->kind = word;
}

static void parse_allow(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_garden *garden = model;

	lz_value_refs(ctx, val, true, &garden->allow);
}

static void parse_mail(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_garden *garden = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_refusal_words, LZ_V_N, REFUSALS | BIT(LZ_V_SMTP_554), &word))
		garden->mail = word;
}

static void parse_web(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_garden *garden = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_web_words, LZ_WEB_N, ~0ULL, &word))
		garden->web = word;
}

static void parse_tls(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_garden *garden = model;
	unsigned word;

	if (lz_value_word(ctx, val, lz_refusal_words, LZ_V_N, REFUSALS, &word))
		garden->tls = word;
}

static void parse_garden(struct lz_context *ctx, struct lz_val val, struct lz_policy_garden *garden)
{
	static const struct lz_field fields[] = {
		{ "kind", parse_kind, false }, { "allow", parse_allow, false },
		{ "mail", parse_mail, false }, { "web", parse_web, false },
		{ "tls", parse_tls, false },
	};
	const char *name = val.item->string;
	bool named = false;

	*garden = (struct lz_policy_garden){
		.place = lz_place_of(val),
		.mail = LZ_V_SMTP_554,
		.web = LZ_WEB_PAGE,
		.tls = LZ_V_TCP_RESET,
	};
	for (unsigned kind = 0; kind < LZ_GARDEN_N; kind++) {
		if (!lz_streq(name, lz_garden_words[kind]))
			continue;
		garden->kind = kind;
		named = true;
	}
	lz_value_name(ctx, val, name, "a garden", garden->name);
	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), garden);
	if (cJSON_IsObject(val.item) && !named &&
	    !cJSON_GetObjectItemCaseSensitive(val.item, "kind"))
		lz_error(ctx, lz_place_of(val), NULL,
			 "key 'kind' is missing: a garden not named leaky or strict says which it is");
	if (named && lz_streq(name, lz_garden_words[!garden->kind]))
		lz_error(ctx, lz_place_of(val), "kind", "a garden named '%s' cannot be %s", name,
			 lz_garden_words[garden->kind]);
}

void lz_parse_gardens(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;

	if (!lz_value_object(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val) {
		bool twice = false;

		if (policy->n_gardens == LZ_POLICY_GARDENS_MAX) {
			lz_error(ctx, lz_place_of(child), NULL, "more than %d gardens",
				 LZ_POLICY_GARDENS_MAX);
			return;
		}
		for (size_t i = 0; i < policy->n_gardens; i++)
			twice |= lz_streq(policy->gardens[i].name, child.item->string);
		if (twice) {
			lz_error(ctx, lz_place_of(child), NULL, "duplicate key '%s'", child.item->string);
			continue;
		}
		if (!lz_context_room(ctx, &policy->gardens, &policy->gardens_cap, policy->n_gardens,
				     sizeof(*policy->gardens)))
			return;
		parse_garden(ctx, child, &policy->gardens[policy->n_gardens++]);
	}
}

/* ---------------------------------------------------------------- ladders */

static void parse_forget(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_ladder *ladder = model;

	lz_value_duration(ctx, val, 60, YEAR_S, &ladder->forget_ns);
}

static void parse_grace(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_ladder *ladder = model;

	lz_value_duration(ctx, val, 0, 7 * DAY_S, &ladder->grace_ns);
}

/*
 * The next word of @text into @word; returns what follows it, or NULL if it is too long or missing.
 */
static const char *next_word(const char *text, char word[static 64])
{
	size_t len;

	text += strspn(text, " ");
	len = strcspn(text, " ");
	if (!len || len >= 64)
		return NULL;
	memcpy(word, text, len);
	word[len] = '\0';
	return text + len;
}

static void fail_step(struct lz_context *ctx, struct lz_val val)
{
	lz_error(ctx, lz_place_of(val), NULL,
		 "'%.60s' is not a step (want notify | throttle RATE TIME | block25 TIME | garden:NAME TIME)",
		 val.item->valuestring);
}

static bool parse_step_garden(struct lz_context *ctx, struct lz_val val, const char *name,
			      struct lz_policy_step *step)
{
	struct lz_suggestion s = { .word = name };
	char hint[64];

	step->kind = LZ_STEP_GARDEN;
	lz_text_set(step->garden, sizeof(step->garden), name);
	if (lz_streq(name, "leaky") || lz_streq(name, "strict"))
		return true;
	for (size_t i = 0; i < ctx->policy->n_gardens; i++) {
		if (lz_streq(ctx->policy->gardens[i].name, name))
			return true;
		lz_suggestion_offer(&s, ctx->policy->gardens[i].name);
	}
	lz_error(ctx, lz_place_of(val), NULL, "no garden is named '%.40s'%s", name,
		 lz_suggestion_text(&s, hint));
	return false;
}

static bool parse_step_rate(struct lz_context *ctx, struct lz_val val, const char *text,
			    struct lz_policy_step *step)
{
	struct lz_err why;

	step->kind = LZ_STEP_THROTTLE;
	if (lz_rate_parse(text, &step->rate, &why) < 0) {
		lz_error(ctx, lz_place_of(val), NULL, "%s", why.text);
		return false;
	}
	if (lz_rate_exceeds(&step->rate, LZ_THROTTLE_MAX_PER_S)) {
		lz_error_since(ctx, lz_place_of(val), NULL, "'%s' is out of range (want at most %d/s)", text,
			       LZ_THROTTLE_MAX_PER_S);
		if (!ctx->report->in_force)
			return false;
	}
	if (step->rate.count && step->rate.count <= LZ_POLICY_COUNT_MAX &&
	    step->rate.window_ns <= LZ_POLICY_HOLD_MAX_S * 1000000000ULL)
		return true;
	lz_error(ctx, lz_place_of(val), NULL, "'%s' is out of range (want 1..%d in at most 31d)", text,
		 LZ_POLICY_COUNT_MAX);
	return false;
}

static bool parse_step(struct lz_context *ctx, struct lz_val val, struct lz_policy_step *step)
{
	char word[64];
	const char *text, *rest;

	if (!lz_value_string(ctx, val, &text))
		return false;
	rest = next_word(text, word);
	if (rest && lz_streq(word, "notify") && !*rest) {
		step->kind = LZ_STEP_NOTIFY;
		return true;
	}
	if (rest && lz_streq(word, "block25")) {
		step->kind = LZ_STEP_BLOCK25;
	} else if (rest && !strncmp(word, "garden:", 7)) {
		if (!parse_step_garden(ctx, val, word + 7, step))
			return false;
	} else if (rest && lz_streq(word, "throttle") && (rest = next_word(rest, word))) {
		if (!parse_step_rate(ctx, val, word, step))
			return false;
	} else {
		fail_step(ctx, val);
		return false;
	}
	rest = next_word(rest, word);
	if (!rest || *rest) {
		fail_step(ctx, val);
		return false;
	}
	return lz_duration_in(ctx, lz_place_of(val), word, 1, LZ_POLICY_HOLD_MAX_S, &step->time_ns);
}

static void parse_steps(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_ladder *ladder = model;

	if (!lz_value_list(ctx, val))
		return;
	if (!val.item->child)
		lz_error(ctx, lz_place_of(val), NULL, "a ladder without steps leads nowhere");
	lz_for_each_child(&ctx->source, child, val) {
		struct lz_policy_step step = {};

		if (ladder->n_steps == LZ_POLICY_STEPS_MAX) {
			lz_error(ctx, lz_place_of(child), NULL, "more than %d steps", LZ_POLICY_STEPS_MAX);
			return;
		}
		if (parse_step(ctx, child, &step))
			ladder->steps[ladder->n_steps++] = step;
	}
}

void lz_parse_ladders(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "forget", parse_forget, false },
		{ "grace", parse_grace, false },
		{ "steps", parse_steps, true },
	};
	struct lz_policy *policy = model;

	if (!lz_value_object(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val) {
		struct lz_policy_ladder *ladder;
		bool twice = false;

		if (policy->n_ladders == LZ_POLICY_LADDERS_MAX) {
			lz_error(ctx, lz_place_of(child), NULL, "more than %d ladders",
				 LZ_POLICY_LADDERS_MAX);
			return;
		}
		for (size_t i = 0; i < policy->n_ladders; i++)
			twice |= lz_streq(policy->ladders[i].name, child.item->string);
		if (twice) {
			lz_error(ctx, lz_place_of(child), NULL, "duplicate key '%s'", child.item->string);
			continue;
		}
		if (!lz_context_room(ctx, &policy->ladders, &policy->ladders_cap, policy->n_ladders,
				     sizeof(*ladder)))
			return;
		ladder = &policy->ladders[policy->n_ladders++];
		*ladder = (struct lz_policy_ladder){
			.place = lz_place_of(child),
			.forget_ns = 90 * DAY_S * 1000000000ULL,
		};
		lz_value_name(ctx, child, child.item->string, "a ladder", ladder->name);
		lz_fields_parse(ctx, child, fields, LZ_ARRAY_SIZE(fields), ladder);
	}
}
