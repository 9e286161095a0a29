/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* check_rules.c - what is well-formed and yet wrong: contradictions between parts of a policy. */
#include "policy/context.h"

#include <string.h>

/* ---------------------------------------------------------------- interfaces */

#define GLOB_MAX 15

/*
 * Is there a name that both globs match? meet[i][j] says so for the rests from i and j; filled from
 * the ends, so that no pair of patterns costs more than 16 x 16 steps.
 */
static bool globs_meet(const char *a, const char *b)
{
	bool meet[GLOB_MAX + 2][GLOB_MAX + 2] = {};
	int la = (int)strlen(a), lb = (int)strlen(b);

	for (int i = la; i >= 0; i--)
		for (int j = lb; j >= 0; j--) {
			if (a[i] == '*')
				meet[i][j] = meet[i + 1][j] || (j < lb && meet[i][j + 1]);
			else if (b[j] == '*')
				meet[i][j] = meet[i][j + 1] || (i < la && meet[i + 1][j]);
			else if (i == la || j == lb)
				meet[i][j] = i == la && j == lb;
			else
				meet[i][j] = (a[i] == '?' || b[j] == '?' || a[i] == b[j]) &&
					     meet[i + 1][j + 1];
		}
	return meet[0][0];
}

static void check_pair(struct lz_context *ctx, const struct lz_policy_interfaces *a,
		       const struct lz_policy_interfaces *b)
{
	if (lz_streq(a->name, b->name) && *a->name)
		lz_error(ctx, b->place, NULL, "duplicate key '%s'", b->name);
	for (size_t i = 0; i < a->n_match; i++)
		for (size_t j = 0; j < b->n_match; j++)
			if (globs_meet(a->match[i], b->match[j]))
				lz_error(ctx, b->place, "match",
					 "'%s' and '%s' of group '%s' can match the same interface; which group it is in must be plain",
					 b->match[j], a->match[i], a->name);
}

static void check_interfaces(struct lz_context *ctx)
{
	const struct lz_policy *policy = ctx->policy;
	size_t globs = 0;
	bool customers = false;

	for (size_t i = 0; i < policy->n_interfaces; i++) {
		const struct lz_policy_interfaces *group = &policy->interfaces[i];

		globs += group->n_match;
		customers |= group->side == LZ_SIDE_CUSTOMER;
		if (group->side == LZ_SIDE_UPLINK && group->validation == LZ_VALIDATION_STRICT)
			lz_warning(ctx, group->place, "source-validation",
				   "has no effect on an uplink: sources are validated where customers arrive");
	}
	if (globs > LZ_POLICY_GLOBS_MAX) {
		lz_error(ctx, lz_place_of(lz_source_root(&ctx->source)), "interfaces",
			 "%zu interface names and globs (want at most %d)", globs, LZ_POLICY_GLOBS_MAX);
		return;
	}
	if (!customers)
		lz_warning(ctx, lz_place_of(lz_source_root(&ctx->source)), "interfaces",
			   "no group has \"side\": \"customer\": no packet will be judged");
	for (size_t i = 0; i < policy->n_interfaces; i++)
		for (size_t j = i + 1; j < policy->n_interfaces; j++)
			check_pair(ctx, &policy->interfaces[i], &policy->interfaces[j]);
}

/* ---------------------------------------------------------------- lists */

/* Host names are learnt at run time: they can open a garden, but nothing else may hang on them. */
static void refuse_hosts(struct lz_context *ctx, const struct lz_refs *refs)
{
	for (size_t i = 0; i < refs->n; i++) {
		const struct lz_ref *ref = &refs->v[i];

		if (ref->kind == LZ_REF_SET && ctx->policy->sets[ref->set].n_hosts)
			lz_error(ctx, ref->place, NULL,
				 "set '%s' has host names; they are accepted in a garden's 'allow' only",
				 ctx->policy->sets[ref->set].name);
	}
}

/* Sets used as destinations, one bit each; a list with addresses of its own takes one more. */
struct dest_lists {
	__u8 named[LZ_POLICY_SETS_MAX];
	size_t n;
};

static void count_dest_list(struct dest_lists *lists, const struct lz_refs *refs)
{
	bool own = false;

	for (size_t i = 0; i < refs->n; i++) {
		const struct lz_ref *ref = &refs->v[i];

		own |= ref->kind == LZ_REF_PREFIX;
		if (ref->kind == LZ_REF_SET && !lists->named[ref->set]) {
			lists->named[ref->set] = 1;
			lists->n++;
		}
	}
	lists->n += own;
}

static void check_dest_lists(struct lz_context *ctx)
{
	const struct lz_policy *policy = ctx->policy;
	struct dest_lists lists = {};

	for (size_t i = 0; i < policy->n_classes; i++) {
		const struct lz_policy_class *class = &policy->classes[i];

		count_dest_list(&lists, &class->port25.except_to);
		for (size_t k = 0; k < class->n_limits; k++)
			count_dest_list(&lists, &class->limits[k].to);
	}
	for (size_t i = 0; i < policy->n_gardens; i++)
		count_dest_list(&lists, &policy->gardens[i].allow);
	if (lists.n > LZ_POLICY_DEST_LISTS_MAX)
		lz_error(ctx, lz_place_of(lz_source_root(&ctx->source)), "classes",
			 "%zu different destination lists in 'to', 'except-to' and 'allow' (want at most %d)", lists.n,
			 LZ_POLICY_DEST_LISTS_MAX);
}

/* ---------------------------------------------------------------- limits */

bool lz_policy_sources_validated(const struct lz_policy *policy)
{
	bool any = false;

	for (size_t i = 0; i < policy->n_interfaces; i++) {
		if (policy->interfaces[i].side != LZ_SIDE_CUSTOMER)
			continue;
		if (policy->interfaces[i].validation != LZ_VALIDATION_STRICT)
			return false;
		any = true;
	}
	return any;
}

bool lz_policy_holds(const struct lz_policy *policy, const struct lz_policy_limit *limit)
{
	const struct lz_policy_ladder *ladder;

	if (limit->then != LZ_ACTION_LADDER)
		return limit->then == LZ_ACTION_HOLD;
	ladder = &policy->ladders[limit->ladder];
	for (size_t i = 0; i < ladder->n_steps; i++)
		if (ladder->steps[i].kind == LZ_STEP_BLOCK25 ||
		    ladder->steps[i].kind == LZ_STEP_GARDEN)
			return true;
	return false;
}

static void check_hold(struct lz_context *ctx, const struct lz_policy_class *class,
		       const struct lz_policy_limit *limit)
{
	const struct lz_policy *policy = ctx->policy;

	if (!lz_policy_holds(policy, limit))
		return;
	if (class->shared)
		lz_error(ctx, limit->place, "then",
			 "class '%s' is shared: holding one address would hold all customers behind it (want drop | refuse | notify)",
			 class->name);
	if (limit->per == LZ_PER_PREFIX)
		lz_error(ctx, limit->place, "then",
			 "a limit per prefix cannot hold: the source that goes over it is not the one to blame for its neighbours (want drop | refuse | notify)");
	if (policy->quarantine_needs != LZ_NEEDS_HANDSHAKE && !lz_policy_sources_validated(policy))
		lz_error(ctx, limit->place, "then",
			 "a SYN proves nothing about who sent it, anyone could have this customer held; set \"source-validation\": \"strict\" on every customer interface that is protected (uRPF, DHCP snooping), or \"evidence\": {\"quarantine-needs\": \"handshake\"}");
}

/* Does a hold on this limit wait for handshakes? */
static bool needs_proof(const struct lz_policy *policy, const struct lz_policy_limit *limit)
{
	return lz_policy_holds(policy, limit) && !lz_policy_sources_validated(policy);
}

static void check_proof(struct lz_context *ctx, const struct lz_policy_class *class)
{
	const struct lz_policy *policy = ctx->policy;
	size_t words = 0;

	for (size_t i = 0; i < class->n_limits; i++) {
		const struct lz_policy_limit *limit = &class->limits[i];

		if (limit->what == LZ_WHAT_SYN && needs_proof(policy, limit) &&
		    policy->quarantine_needs == LZ_NEEDS_HANDSHAKE)
			lz_error(ctx, limit->place, "then",
				 "a handshake proves who opens connections to port 25, not who sends SYNs: on \"syn\" nobody can be held here (want drop | refuse | notify, or \"count\": \"smtp-connections\")");
		if (limit->per == LZ_PER_SOURCE && limit->what != LZ_WHAT_SMTP_DESTINATIONS)
			words += 1 + needs_proof(policy, limit);
	}
	if (words > LZ_CELL_WORDS)
		lz_error(ctx, class->place, "limits",
			 "need %zu counters a source (want at most %d): one that leads to a hold counts its handshakes beside its SYNs",
			 words, LZ_CELL_WORDS);
}

static void check_destinations(struct lz_context *ctx, const struct lz_policy_limit *limit)
{
	if (limit->what != LZ_WHAT_SMTP_DESTINATIONS)
		return;
	if (limit->is_bucket)
		lz_error(ctx, limit->place, "rate",
			 "distinct destinations are counted in a window (want 'at-most', e.g. \"200/10min\")");
	else if (limit->at_most.count > LZ_POLICY_DESTINATIONS_MAX)
		lz_error(ctx, limit->place, "at-most",
			 "%llu is out of range for smtp-destinations: they are estimated in a bitmap that saturates (want 1..%d)",
			 limit->at_most.count, LZ_POLICY_DESTINATIONS_MAX);
}

/*
 * A limit on SYNs meets every port. One that admits next to nothing closes mail submission with the
 * rest, which no rule outside a garden may do.
 */
static void check_submission(struct lz_context *ctx, const struct lz_policy_limit *limit)
{
	const struct lz_rate *rate = limit->is_bucket ? &limit->rate : &limit->at_most;

	if (limit->what != LZ_WHAT_SYN || limit->to.n ||
	    (limit->then != LZ_ACTION_DROP && limit->then != LZ_ACTION_REFUSE))
		return;
	if (rate->window_ns && rate->count < rate->window_ns / 60000000000ULL)
		lz_error(ctx, limit->place, limit->is_bucket ? "rate" : "at-most",
			 "fewer than one new connection a minute, to any port, closes mail submission (ports 587, 465) too: refused (BCP 134, RFC 5068); want at least 1/min");
}

/* The first prefix of a list's element that the never-list covers, or does not; NULL: there is none. */
static const struct lz_prefix *first_never(const struct lz_policy *policy, const struct lz_ref *ref, bool covered)
{
	const struct lz_policy_set *set;

	if (ref->kind == LZ_REF_PREFIX)
		return !lz_ranges_find(&policy->never_ranges, &ref->prefix) == !covered ? &ref->prefix : NULL;
	set = &policy->sets[ref->set];
	for (size_t i = 0; i < set->entries.n; i++)
		if (!lz_ranges_find(&policy->never_ranges, &set->entries.v[i].prefix) == !covered)
			return &set->entries.v[i].prefix;
	return NULL;
}

/* What refuses, or holds for what it refuses: evidence for a ladder is counted all the same. */
static bool refuses(const struct lz_policy_limit *limit)
{
	return limit->then == LZ_ACTION_DROP || limit->then == LZ_ACTION_REFUSE || limit->then == LZ_ACTION_HOLD;
}

bool lz_policy_limit_sleeps(const struct lz_policy *policy, const struct lz_policy_limit *limit)
{
	if (!refuses(limit) || !limit->to.n)
		return false;
	for (size_t i = 0; i < limit->to.n; i++)
		if (first_never(policy, &limit->to.v[i], false) || !first_never(policy, &limit->to.v[i], true))
			return false;
	return true;
}

static void check_to_never(struct lz_context *ctx, const struct lz_policy_limit *limit)
{
	bool holds = limit->then == LZ_ACTION_HOLD;
	char text[LZ_PREFIX_TEXT_MAX];

	if (!refuses(limit))
		return;
	if (lz_policy_limit_sleeps(ctx->policy, limit)) {
		lz_warning(ctx, limit->place, "to",
			   "all of it is on the never-list: this limit counts, but will never %s; take these destinations out of \"never\", or say \"then\": \"notify\"",
			   holds ? "hold anybody" : "refuse anything");
		return;
	}
	for (size_t i = 0; i < limit->to.n; i++) {
		const struct lz_prefix *never = first_never(ctx->policy, &limit->to.v[i], true);

		if (never)
			lz_warning(ctx, limit->to.v[i].place, NULL,
				   "%s is on the never-list: packets to it are counted, but this limit will not %s them",
				   lz_prefix_format(never, text), holds ? "hold for" : "refuse");
	}
}

static void check_limit(struct lz_context *ctx, const struct lz_policy_class *class,
			const struct lz_policy_limit *limit)
{
	const struct lz_policy *policy = ctx->policy;

	for (const struct lz_policy_limit *other = class->limits; other < limit; other++) {
		if (*limit->name && lz_streq(other->name, limit->name))
			lz_error(ctx, limit->place, "name", "class '%s' has a limit '%s' already",
				 class->name, limit->name);
		if (limit->what == LZ_WHAT_SMTP_DESTINATIONS && other->what == limit->what)
			lz_error(ctx, limit->place, "count",
				 "class '%s' has a limit on smtp-destinations already, there is one bitmap a source",
				 class->name);
	}
	if (limit->per == LZ_PER_CUSTOMER && !policy->n_customers)
		lz_error(ctx, limit->place, "per",
			 "\"customer\" needs to know who has which prefix (want \"customers\": {\"file\": ..})");
	if (limit->at_most.window_ns > policy->idle_ns)
		lz_warning(ctx, limit->place, "at-most",
			   "the window is longer than \"idle\": a source that pauses for \"idle\" starts again at 0");
	refuse_hosts(ctx, &limit->to);
	check_destinations(ctx, limit);
	check_hold(ctx, class, limit);
	check_submission(ctx, limit);
	check_to_never(ctx, limit);
}

static void check_class(struct lz_context *ctx, const struct lz_policy_class *class)
{
	const struct lz_policy_port25 *port25 = &class->port25;

	refuse_hosts(ctx, &class->of);
	refuse_hosts(ctx, &port25->except_to);
	if (port25->except_to.n && port25->to_world == LZ_V_PASS)
		lz_warning(ctx, port25->except_to.v[0].place, NULL,
			   "'except-to' has no effect: 'to-world' leaves port 25 alone");
	for (size_t i = 0; i < class->n_limits; i++)
		check_limit(ctx, class, &class->limits[i]);
	check_proof(ctx, class);
}

static void check_garden(struct lz_context *ctx, const struct lz_policy_garden *garden)
{
	size_t ports = 0;

	for (size_t i = 0; i < garden->allow.n; i++)
		ports += garden->allow.v[i].kind == LZ_REF_PORT;
	if (ports > LZ_GARDEN_PORTS_MAX)
		lz_error(ctx, garden->place, "allow", "%zu ports (want at most %d)", ports,
			 LZ_GARDEN_PORTS_MAX);
}

void lz_check_rules(struct lz_context *ctx)
{
	const struct lz_policy *policy = ctx->policy;

	check_interfaces(ctx);
	if (!policy->n_classes)
		lz_warning(ctx, lz_place_of(lz_source_root(&ctx->source)), "classes",
			   "there are no classes: no source will be counted");
	for (size_t i = 0; i < policy->n_classes; i++)
		check_class(ctx, &policy->classes[i]);
	refuse_hosts(ctx, &policy->never);
	refuse_hosts(ctx, &policy->always_reach);
	check_dest_lists(ctx);
	for (size_t i = 0; i < policy->n_gardens; i++)
		check_garden(ctx, &policy->gardens[i]);
}
