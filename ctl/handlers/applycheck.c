// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* applycheck.c - why apply refuses a policy, or wants a yes: asked by apply, and by diff before it. */
#include "handlers/applycheck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/ask.h"
#include "control/rules.h"
#include "handlers/preview.h"

int lz_apply_waits(struct lz_ctl *ctl, struct lz_err *reterr)
{
	struct lz_swap_state state = { 0 };

	if (ctl->opened)
		lz_swap_state_get(&ctl->view, &state);
	if (!state.pending && !state.expired)
		return 0;
	return lz_err_set(reterr, EBUSY, "policy: generation %llu waits for a confirm; say confirm or undo first",
			  (unsigned long long)lz_ctl_generation(ctl));
}

int lz_apply_leaves(const struct lz_ctl *ctl, const struct lz_policy *policy, const struct lz_port_told *ports,
		    size_t n, const char *then, struct lz_err *reterr)
{
	char names[128];

	if (!ctl->now.policy || !lz_interfaces_left(ctl->now.policy, policy, ports, n, names, sizeof(names)))
		return 0;
	return lz_err_set(reterr, EPERM, "policy: %s: would not be judged any more, customers there pass, who is held "
			  "goes free; %s", names, then);
}

void lz_apply_say_wider(const struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *err)
{
	size_t n = lz_preview_wider(ctl, policy), at = strlen(err->text);

	if (n)
		snprintf(err->text + at, sizeof(err->text) - at, "; %zu hold%s of an IPv6 /%u cover%s a whole /%u then, with all "
			 "neighbours in it", n, n == 1 ? "" : "s", ctl->view.instance.ipv6_key_len, n == 1 ? "s" : "",
			 policy->ipv6_key);
}

int lz_apply_refuses(struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr)
{
	lz_autofree struct lz_port_told *ports = NULL;
	size_t n = 0;
	int r = lz_apply_waits(ctl, reterr);

	if (r == 0 && ctl->opened && lz_ctl_ports(ctl, &ports, &n, NULL) == 0)
		r = lz_apply_leaves(ctl, policy, ports, n, "--yes does it all the same", reterr);
	if (r < 0 || !ctl->opened)
		return r;
	r = lz_ctl_fits(ctl, policy, reterr);
	if (r < 0)
		lz_apply_say_wider(ctl, policy, reterr);
	return r;
}
