// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rules.c - the interfaces of a policy as the keeper's fixed-size globs. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "control/rules.h"
#include "privsep/chan.h"

#define LZ_LEFT_NAMES_MAX 4

_Static_assert((int)LZ_HOOK_AUTO == (int)LZ_WANT_AUTO && (int)LZ_HOOK_TC == (int)LZ_WANT_TC,
	       "policy and data plane number the hooks alike");

__u32 lz_rules_from_policy(const struct lz_policy *policy, struct lz_port_rule *ret)
{
	bool has_uplink = false;
	__u32 n = 0;

	for (size_t i = 0; i < policy->n_interfaces; i++)
		has_uplink |= policy->interfaces[i].side == LZ_SIDE_UPLINK;
	for (size_t i = 0; i < policy->n_interfaces; i++) {
		const struct lz_policy_interfaces *group = &policy->interfaces[i];

		for (size_t k = 0; k < group->n_match && n < LZ_POLICY_GLOBS_MAX; k++) {
			struct lz_port_rule *rule = &ret[n++];

			memset(rule, 0, sizeof(*rule));
			snprintf(rule->group, sizeof(rule->group), "%s", group->name);
			snprintf(rule->match, sizeof(rule->match), "%s", group->match[k]);
			rule->role = group->side == LZ_SIDE_UPLINK ? LZ_ROLE_UPLINK :
								     LZ_ROLE_CUSTOMER;
			rule->hook = (__u8)group->hook;
			rule->egress = group->side == LZ_SIDE_CUSTOMER && !has_uplink;
		}
	}
	return n;
}

static bool is_there(const char *glob, const struct lz_port_told *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i].planned && !fnmatch(glob, ports[i].name, 0))
			return true;
	return false;
}

bool lz_interfaces_missing(const struct lz_policy *policy, const struct lz_port_told *ports, size_t n,
			   char *ret, size_t size)
{
	for (size_t i = 0; i < policy->n_interfaces; i++) {
		const struct lz_policy_interfaces *group = &policy->interfaces[i];
		bool any = false;

		for (size_t k = 0; k < group->n_match; k++) {
			bool there = is_there(group->match[k], ports, n);

			any |= there;
			if (there || strpbrk(group->match[k], "*?["))
				continue;
			snprintf(ret, size, "interfaces/%s: there is no interface '%s'", group->name,
				 group->match[k]);
			return true;
		}
		if (!any) {
			snprintf(ret, size, "interfaces/%s: no interface matches '%s'%s", group->name,
				 group->match[0], group->n_match > 1 ? " or its other globs" : "");
			return true;
		}
	}
	return false;
}

/* Groups of different sides that match one name are no valid policy. */
static bool is_customer(const struct lz_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_interfaces; i++)
		for (size_t k = 0; k < policy->interfaces[i].n_match; k++)
			if (policy->interfaces[i].side == LZ_SIDE_CUSTOMER &&
			    !fnmatch(policy->interfaces[i].match[k], name, 0))
				return true;
	return false;
}

bool lz_interfaces_customer(const struct lz_policy *policy, const struct lz_port_told *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i].planned && is_customer(policy, ports[i].name))
			return true;
	return false;
}

size_t lz_interfaces_left(const struct lz_policy *now, const struct lz_policy *next, const struct lz_port_told *ports,
			  size_t n, char *ret, size_t size)
{
	size_t left = 0, at = 0;

	for (size_t i = 0; i < n; i++) {
		if (ports[i].mode == LZ_ATTACH_NONE || !is_customer(now, ports[i].name) ||
		    is_customer(next, ports[i].name))
			continue;
		if (left++ < LZ_LEFT_NAMES_MAX)
			at += (size_t)snprintf(ret + at, size - at, "%s%s", at ? ", " : "", ports[i].name);
	}
	if (left > LZ_LEFT_NAMES_MAX)
		snprintf(ret + at, size - at, " and %zu more", left - LZ_LEFT_NAMES_MAX);
	return left;
}
