/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * inforce.c - what the language can say and this version does not do. `policy check` prints it, so
 * that nobody relies on a rule that sleeps. A row goes when its feature comes.
 */
#include "policy/policy.h"

#include <string.h>

static bool wants_sink(const struct lz_policy *policy)
{
	if (policy->portal.present)
		return false;
	for (size_t i = 0; i < policy->n_gardens; i++)
		if (policy->gardens[i].mail == LZ_V_SMTP_554)
			return true;
	for (size_t i = 0; i < policy->n_classes; i++)
		if (policy->classes[i].port25.to_world == LZ_V_SMTP_554)
			return true;
	return false;
}

static bool wants_page(const struct lz_policy *policy)
{
	if (policy->portal.present)
		return false;
	for (size_t i = 0; i < policy->n_gardens; i++)
		if (policy->gardens[i].web == LZ_WEB_PAGE)
			return true;
	return false;
}

/* Who is not led to the page finds it where the portal listens, if it speaks what the link says. */
static bool misses_page(const struct lz_policy *policy)
{
	const struct lz_policy_portal *portal = &policy->portal;
	bool tls = !strncmp(portal->url, "https:", 6);

	if (!portal->present || (tls ? portal->api.present : portal->listen.n > 0))
		return false;
	for (size_t i = 0; i < policy->n_ladders; i++)
		for (size_t j = 0; j < policy->ladders[i].n_steps; j++)
			if (policy->ladders[i].steps[j].kind == LZ_STEP_THROTTLE ||
			    policy->ladders[i].steps[j].kind == LZ_STEP_BLOCK25)
				return true;
	return false;
}

static const struct {
	bool (*uses)(const struct lz_policy *policy);
	const char *text;
} rows[] = {
	{ wants_sink, "smtp-554: the policy has no \"portal\": port 25 is refused with ICMP (icmp-admin)" },
	{ wants_page, "gardens: 'web': \"page\": the policy has no \"portal\": web traffic of held hosts is refused" },
	{ misses_page, "portal: 'url': who is throttled or blocked at port 25 is not led there, and sees what everybody "
		       "sees at that address; his page wants an http url at an address of \"listen\", or an https url at "
		       "one of \"api\"" },
};

int lz_policy_not_in_force(const struct lz_policy *policy, struct lz_str *out)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++)
		if (rows[i].uses(policy))
			lz_str_appendf(out, "%s\n", rows[i].text);
	return out->error;
}
