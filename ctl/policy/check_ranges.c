/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * check_ranges.c - which prefix belongs to what: sets, classes, the never-list and customers.
 *
 * Everything is sorted once and swept once: half a million prefixes take a fraction of a second.
 */
#include "policy/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_entries(const void *a, const void *b)
{
	const struct lz_entry *x = a, *y = b;
	int order = lz_prefix_cmp(&x->prefix, &y->prefix);

	return order ? order : lz_place_cmp(&x->place, &y->place);
}

static void sort_set(struct lz_context *ctx, struct lz_policy_set *set)
{
	struct lz_entry *v = set->entries.v;
	char text[LZ_PREFIX_TEXT_MAX];
	size_t n = 0;

	lz_array_sort(v, set->entries.n, sizeof(*v), compare_entries);
	for (size_t i = 0; i < set->entries.n; i++) {
		if (n && !lz_prefix_cmp(&v[n - 1].prefix, &v[i].prefix))
			lz_warning(ctx, v[i].place, NULL, "%s is in set '%s' twice",
				   lz_prefix_format(&v[i].prefix, text), set->name);
		else
			v[n++] = v[i];
	}
	set->entries.n = n;
	if (!n && !set->n_hosts)
		lz_warning(ctx, set->place, NULL, "set '%s' is empty", set->name);
}

/* Can the data plane tell sources by this prefix? */
static bool check_key(struct lz_context *ctx, const struct lz_prefix *prefix, struct lz_place place)
{
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_keyprefix kp;
	int r = lz_keyprefix_from_prefix(prefix, ctx->policy->ipv6_key, &kp);

	if (!lz_prefix_has_hosts(prefix) && r != -EADDRNOTAVAIL)
		lz_error_since(ctx, place, NULL, "%s is no source: %s", lz_prefix_format(prefix, text),
			       lz_addr_kind_name(lz_prefix_kind(prefix)));
	else if (r == -ERANGE)
		lz_error(
			ctx, place, NULL,
			"%s is longer than \"ipv6-key\": %u, IPv6 sources are told apart by /%u (want /0../%u)",
			lz_prefix_format(prefix, text), ctx->policy->ipv6_key,
			ctx->policy->ipv6_key, ctx->policy->ipv6_key);
	else if (r < 0)
		lz_error(ctx, place, NULL,
			 "%s: no customer is in 0000::/8, 0100::/8 or ff00::/8, sources there are never counted",
			 lz_prefix_format(prefix, text));
	return !r;
}

/* What a class says itself in "of" is meant: 0.0.0.0/0 is its way to be the class of everybody. In a set,
 * a file of ranges, it is a slip that puts the world under the rules of some customers. */
static void check_width(struct lz_context *ctx, const struct lz_prefix *prefix, struct lz_place place)
{
	char text[LZ_PREFIX_TEXT_MAX];

	if (lz_prefix_is_too_wide(prefix))
		lz_error_since(ctx, place, NULL,
			       "%s is no range of customers (want at most " LZ_CUSTOMERS_WIDEST "); a class of "
			       "everybody says so in its \"of\"", lz_prefix_format(prefix, text));
}

typedef void range_fn(struct lz_context *ctx, const struct lz_prefix *prefix, __u32 owner,
		      struct lz_place place);

/* Every prefix behind one element of a list. */
static void expand_ref(struct lz_context *ctx, const struct lz_ref *ref, __u32 owner, range_fn *fn)
{
	const struct lz_policy_set *set;

	if (ref->kind == LZ_REF_PREFIX)
		fn(ctx, &ref->prefix, owner, ref->place);
	if (ref->kind != LZ_REF_SET)
		return;
	set = &ctx->policy->sets[ref->set];
	for (size_t i = 0; i < set->entries.n; i++)
		fn(ctx, &set->entries.v[i].prefix, owner, set->entries.v[i].place);
}

static void add_class_range(struct lz_context *ctx, const struct lz_prefix *prefix, __u32 owner,
			    struct lz_place place)
{
	if (check_key(ctx, prefix, place) &&
	    lz_ranges_add(&ctx->policy->class_ranges, prefix, owner, place) < 0)
		ctx->fatal = -ENOMEM;
}

static void add_never_range(struct lz_context *ctx, const struct lz_prefix *prefix, __u32 owner,
			    struct lz_place place)
{
	if (lz_ranges_add(&ctx->policy->never_ranges, prefix, owner, place) < 0)
		ctx->fatal = -ENOMEM;
}

/* A whole set in two classes is one mistake, not one for each of its prefixes. */
static void gather_class(struct lz_context *ctx, __u32 class_idx, __u32 *set_owner)
{
	const struct lz_policy *policy = ctx->policy;
	const struct lz_policy_class *class = &policy->classes[class_idx];

	for (size_t i = 0; i < class->of.n; i++) {
		const struct lz_ref *ref = &class->of.v[i];

		if (ref->kind == LZ_REF_SET && set_owner[ref->set] == class_idx) {
			lz_warning(ctx, ref->place, NULL, "set '%s' is listed twice",
				   policy->sets[ref->set].name);
			continue;
		}
		if (ref->kind == LZ_REF_SET && set_owner[ref->set] != LZ_RANGE_NONE) {
			lz_error(ctx, ref->place, NULL, "set '%s' is already in class '%s'; a set belongs to one class",
				 policy->sets[ref->set].name,
				 policy->classes[set_owner[ref->set]].name);
			continue;
		}
		if (ref->kind == LZ_REF_SET) {
			const struct lz_entries *entries = &policy->sets[ref->set].entries;

			set_owner[ref->set] = class_idx;
			for (size_t k = 0; k < entries->n; k++)
				check_width(ctx, &entries->v[k].prefix, entries->v[k].place);
		}
		expand_ref(ctx, ref, class_idx, add_class_range);
	}
}

static void check_class_ranges(struct lz_context *ctx)
{
	struct lz_policy *policy = ctx->policy;
	struct lz_ranges *ranges = &policy->class_ranges;
	lz_autofree __u32 *set_owner = calloc(policy->n_sets + 1, sizeof(*set_owner));
	char text[LZ_PREFIX_TEXT_MAX];

	if (!set_owner) {
		ctx->fatal = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < policy->n_sets; i++)
		set_owner[i] = LZ_RANGE_NONE;
	for (size_t i = 0; i < policy->n_classes; i++)
		gather_class(ctx, (__u32)i, set_owner);
	lz_ranges_sort(ranges);
	for (size_t i = 1; i < ranges->n; i++) {
		const struct lz_range *a = &ranges->v[i - 1], *b = &ranges->v[i];

		if (lz_prefix_cmp(&a->prefix, &b->prefix))
			continue;
		lz_prefix_format(&b->prefix, text);
		if (a->owner == b->owner)
			lz_warning(ctx, b->place, NULL, "%s is in class '%s' twice", text,
				   policy->classes[b->owner].name);
		else
			lz_error(ctx, b->place, NULL, "%s is in class '%s' and in class '%s'", text,
				 policy->classes[a->owner].name, policy->classes[b->owner].name);
	}
	lz_ranges_link(ranges);
}

/* What of the never-list lies inside classes, and what of classes inside the never-list. */
static void check_never(struct lz_context *ctx)
{
	struct lz_policy *policy = ctx->policy;
	lz_autofree size_t *swallowed = calloc(policy->n_classes + 1, sizeof(*swallowed));
	lz_autofree size_t *total = calloc(policy->n_classes + 1, sizeof(*total));
	char text[LZ_PREFIX_TEXT_MAX], outer[LZ_PREFIX_TEXT_MAX];

	if (!swallowed || !total) {
		ctx->fatal = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < policy->never.n; i++)
		expand_ref(ctx, &policy->never.v[i], (__u32)i, add_never_range);
	lz_ranges_sort(&policy->never_ranges);
	lz_ranges_link(&policy->never_ranges);
	for (size_t i = 0; i < policy->never_ranges.n; i++) {
		const struct lz_range *never = &policy->never_ranges.v[i];
		const struct lz_range *range =
			lz_ranges_find(&policy->class_ranges, &never->prefix);

		if (!range || !range->prefix.len) /* everything is inside a /0 */
			continue;
		lz_warning(
			ctx, never->place, NULL,
			"never-list entry %s lies inside %s of class '%s': it is protected, no rule of the class acts on it",
			lz_prefix_format(&never->prefix, text),
			lz_prefix_format(&range->prefix, outer),
			policy->classes[range->owner].name);
	}
	for (size_t i = 0; i < policy->class_ranges.n; i++) {
		const struct lz_range *range = &policy->class_ranges.v[i];

		total[range->owner]++;
		swallowed[range->owner] += !!lz_ranges_find(&policy->never_ranges, &range->prefix);
	}
	for (size_t i = 0; i < policy->n_classes; i++)
		if (total[i] && swallowed[i] == total[i])
			lz_error(ctx, policy->classes[i].place, NULL,
				 "all of class '%s' is on the never-list, it could never apply",
				 policy->classes[i].name);
		else if (swallowed[i])
			lz_warning(ctx, policy->classes[i].place, NULL,
				   "%zu of the %zu prefixes of class '%s' are on the never-list: no rule of the class acts on them",
				   swallowed[i], total[i], policy->classes[i].name);
}

/* ---------------------------------------------------------------- customers */

static int compare_customers(const void *a, const void *b)
{
	const struct lz_policy_customer *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

/*
 * One customer per id, sorted; the ranges follow. Until here each line made a customer of its own.
 */
static void fold_customers(struct lz_context *ctx)
{
	struct lz_policy *policy = ctx->policy;
	size_t count = policy->n_customers, n = 0;
	lz_autofree struct lz_policy_customer **order =
		calloc(count + 1, sizeof(struct lz_policy_customer *));
	lz_autofree __u32 *number = calloc(count + 1, sizeof(*number));
	struct lz_policy_customer *folded = calloc(count + 1, sizeof(*folded));

	if (!order || !number || !folded) {
		free(folded);
		ctx->fatal = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < count; i++)
		order[i] = &policy->customers[i];
	lz_array_sort(order, count, sizeof(struct lz_policy_customer *), compare_customers);
	for (size_t i = 0; i < count; i++) {
		if (n && lz_streq(folded[n - 1].id, order[i]->id))
			free(order[i]->id);
		else
			folded[n++] = *order[i];
		number[order[i] - policy->customers] = (__u32)(n - 1);
	}
	for (size_t i = 0; i < policy->customer_ranges.n; i++)
		policy->customer_ranges.v[i].owner = number[policy->customer_ranges.v[i].owner];
	free(policy->customers);
	policy->customers = folded;
	policy->n_customers = n;
	policy->customers_cap = count + 1;
}

/* Who sends from one address of such a customer goes on from the next. Said once of each, at his first. */
static void check_customer_keys(struct lz_context *ctx)
{
	const struct lz_policy *policy = ctx->policy;
	const struct lz_ranges *ranges = &policy->customer_ranges;
	size_t max = lz_policy_customer_keys_max(policy);
	lz_autofree __u64 *keys = calloc(policy->n_customers + 1, sizeof(*keys));
	struct lz_keyprefix kp;

	if (!keys) {
		ctx->fatal = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < ranges->n; i++)
		keys[ranges->v[i].owner] += lz_policy_keys_in(policy->ipv6_key, &ranges->v[i].prefix, &kp);
	for (size_t i = 0; i < ranges->n; i++) {
		const struct lz_range *range = &ranges->v[i];
		__u64 n = keys[range->owner];

		keys[range->owner] = 0;
		if (lz_prefix_is_too_wide(&range->prefix)) /* refused for that, or by now it would be */
			continue;
		if (n > LZ_CUSTOMER_KEYS_MAX)
			lz_warning(ctx, range->place, NULL, "customer '%s' has %llu addresses or /%u, at most %d are held "
				   "together: of him only the one that is named will be held; take a shorter "
				   "\"ipv6-key\", or list him as several customers", policy->customers[range->owner].id,
				   (unsigned long long)n, policy->ipv6_key, LZ_CUSTOMER_KEYS_MAX);
		else if (n > max)
			lz_warning(ctx, range->place, NULL, "customer '%s' has %llu addresses or /%u, at most %zu are held "
				   "together in a colony of %u: of him only the one that is named will be held; "
				   "want /capacity/colony %llu", policy->customers[range->owner].id,
				   (unsigned long long)n, policy->ipv6_key, max, policy->colony_max,
				   (unsigned long long)(n * LZ_CUSTOMER_KEYS_SHARE));
	}
}

static void check_customers(struct lz_context *ctx)
{
	struct lz_policy *policy = ctx->policy;
	struct lz_ranges *ranges = &policy->customer_ranges;
	char text[LZ_PREFIX_TEXT_MAX];

	fold_customers(ctx);
	if (ctx->fatal)
		return;
	lz_ranges_sort(ranges);
	for (size_t i = 0; i < ranges->n; i++) {
		const struct lz_range *b = &ranges->v[i], *a = i ? b - 1 : b;

		if (check_key(ctx, &b->prefix, b->place))
			check_width(ctx, &b->prefix, b->place);
		if (!i || lz_prefix_cmp(&a->prefix, &b->prefix))
			continue;
		lz_prefix_format(&b->prefix, text);
		if (a->owner == b->owner)
			lz_warning(ctx, b->place, NULL, "%s is listed twice for customer '%s'", text,
				   policy->customers[b->owner].id);
		else
			lz_error(ctx, b->place, NULL, "%s belongs to customer '%s' and to customer '%s'", text,
				 policy->customers[a->owner].id, policy->customers[b->owner].id);
	}
	lz_ranges_link(ranges);
	check_customer_keys(ctx);
}

void lz_check_ranges(struct lz_context *ctx)
{
	for (size_t i = 0; i < ctx->policy->n_sets; i++)
		sort_set(ctx, &ctx->policy->sets[i]);
	if (!ctx->fatal)
		check_class_ranges(ctx);
	if (!ctx->fatal)
		check_never(ctx);
	if (!ctx->fatal)
		check_customers(ctx);
}
