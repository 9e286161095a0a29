/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

const char *const lz_finding_words[LZ_FINDING_N] = {
	[LZ_FINDING_SIZE] = "size",	  [LZ_FINDING_UNUSED] = "unused",
	[LZ_FINDING_REDUNDANT] = "redundant", [LZ_FINDING_NESTED] = "nested",
	[LZ_FINDING_NEVER] = "never",	  [LZ_FINDING_HOLE] = "hole",
};

struct audit {
	const struct lz_policy *policy;
	struct lz_findings found;
	int error;
};

__attribute__((format(printf, 4, 5)))
static void find(struct audit *a, enum lz_finding_kind kind, const char *set, const char *fmt, ...)
{
	struct lz_finding *f;
	va_list ap;

	if (a->found.total[kind]++ >= LZ_FINDINGS_MAX || a->error)
		return;
	a->error = lz_array_grow(&a->found.v, &a->found.cap, a->found.n + 1, sizeof(*f));
	if (a->error)
		return;
	f = &a->found.v[a->found.n++];
	*f = (struct lz_finding){ .kind = kind };
	snprintf(f->set, sizeof(f->set), "%s", set);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static void look_at_sets(struct audit *a)
{
	for (size_t i = 0; i < a->policy->n_sets; i++) {
		const struct lz_policy_set *set = &a->policy->sets[i];
		__u64 addresses = 0;
		size_t v4 = 0;

		for (size_t k = 0; k < set->entries.n; k++) {
			if (set->entries.v[k].prefix.addr.family != 4)
				continue;
			v4++;
			addresses += 1ULL << (32 - set->entries.v[k].prefix.len);
		}
		find(a, LZ_FINDING_SIZE, set->name,
		     "%zu IPv4 prefixes of %llu addresses, %zu IPv6 prefixes", v4,
		     (unsigned long long)addresses, set->entries.n - v4);
	}
	for (size_t i = 0; i < a->policy->n_sets; i++)
		if (!a->policy->sets[i].uses)
			find(a, LZ_FINDING_UNUSED, a->policy->sets[i].name, "no list names this set");
}

static const char *class_name(const struct audit *a, const struct lz_range *range)
{
	return a->policy->classes[range->owner].name;
}

static void look_at_nesting(struct audit *a, enum lz_finding_kind kind)
{
	const struct lz_ranges *ranges = &a->policy->class_ranges;
	char text[LZ_PREFIX_TEXT_MAX], outer[LZ_PREFIX_TEXT_MAX];

	for (size_t i = 0; i < ranges->n; i++) {
		const struct lz_range *range = &ranges->v[i], *around;

		if (range->parent == LZ_RANGE_NONE)
			continue;
		around = &ranges->v[range->parent];
		if ((around->owner == range->owner) != (kind == LZ_FINDING_REDUNDANT))
			continue;
		lz_prefix_format(&range->prefix, text);
		lz_prefix_format(&around->prefix, outer);
		if (kind == LZ_FINDING_REDUNDANT)
			find(a, kind, "", "%s lies inside %s, both of class '%s': it changes nothing",
			     text, outer, class_name(a, range));
		else
			find(a, kind, "", "%s of class '%s' is cut out of %s of class '%s'", text,
			     class_name(a, range), outer, class_name(a, around));
	}
}

static void look_at_never(struct audit *a)
{
	const struct lz_policy *policy = a->policy;
	char text[LZ_PREFIX_TEXT_MAX], outer[LZ_PREFIX_TEXT_MAX];
	const struct lz_range *around;

	for (size_t i = 0; i < policy->class_ranges.n && policy->never_ranges.n; i++) {
		const struct lz_range *range = &policy->class_ranges.v[i];

		around = lz_ranges_find(&policy->never_ranges, &range->prefix);
		if (around)
			find(a, LZ_FINDING_NEVER, "", "%s of class '%s' is on the never-list by %s: no rule acts on it",
			     lz_prefix_format(&range->prefix, text), class_name(a, range),
			     lz_prefix_format(&around->prefix, outer));
	}
	for (size_t i = 0; i < policy->never_ranges.n; i++) {
		const struct lz_range *never = &policy->never_ranges.v[i];

		around = lz_ranges_find(&policy->class_ranges, &never->prefix);
		if (around)
			find(a, LZ_FINDING_NEVER, "", "never-list entry %s is cut out of %s of class '%s'",
			     lz_prefix_format(&never->prefix, text),
			     lz_prefix_format(&around->prefix, outer), class_name(a, around));
	}
}

/* Outermost IPv4 ranges, in order: what lies between two neighbours of one class? */
static void look_for_holes(struct audit *a)
{
	const struct lz_ranges *ranges = &a->policy->class_ranges;
	char first[LZ_ADDR_TEXT_MAX], last[LZ_ADDR_TEXT_MAX];
	const struct lz_range *before = NULL;
	__u64 end = 0; /* first address behind it */

	for (size_t i = 0; i < ranges->n; i++) {
		const struct lz_range *range = &ranges->v[i];
		struct lz_keyprefix kp;
		__u64 begin;

		if (range->prefix.addr.family != 4 ||
		    lz_keyprefix_from_prefix(&range->prefix, a->policy->ipv6_key, &kp))
			break;
		begin = kp.bits;
		if (range->parent != LZ_RANGE_NONE)
			continue;
		if (before && before->owner == range->owner && begin > end && begin - end <= LZ_HOLE_MAX) {
			struct lz_addr from = lz_addr_v4((__u32)end), to = lz_addr_v4((__u32)begin - 1);

			find(a, LZ_FINDING_HOLE, "", "%s-%s is in no class, '%s' is on both sides",
			     lz_addr_format(&from, first), lz_addr_format(&to, last),
			     class_name(a, range));
		}
		before = range;
		end = begin + (1ULL << (32 - range->prefix.len));
	}
}

int lz_policy_audit(const struct lz_policy *policy, struct lz_findings *ret)
{
	struct audit a = { .policy = policy };

	look_at_sets(&a);
	look_at_nesting(&a, LZ_FINDING_REDUNDANT);
	look_at_nesting(&a, LZ_FINDING_NESTED);
	look_at_never(&a);
	look_for_holes(&a);
	*ret = a.found;
	return a.error;
}

void lz_findings_done(struct lz_findings *findings)
{
	free(findings->v);
	*findings = (struct lz_findings){ 0 };
}
