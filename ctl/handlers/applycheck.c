// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* applycheck.c - why apply refuses a policy, or wants a yes: asked by apply, and by diff before it. */
#include "handlers/applycheck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/ask.h"
#include "control/instance.h"
#include "control/rules.h"
#include "handlers/answer.h"
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

/* To a list of texts. */
static void add(cJSON *list, const char *text, const char *then)
{
	lz_autostr struct lz_str line = { 0 };

	lz_str_appendf(&line, "%s%s", text, then);
	cJSON_AddItemToArray(list, cJSON_CreateString(line.data ? line.data : text));
}

/* A mistyped glob must not set a street free. Where nothing is judged, or will be, there is nothing to ask. */
static void add_left(const struct lz_ctl *ctl, const struct lz_policy *policy, const struct lz_port_told *ports,
		     size_t n, const char *then, cJSON *list)
{
	char names[128];
	struct lz_err why;

	if (!ctl->now.policy || !lz_interfaces_left(ctl->now.policy, policy, ports, n, names, sizeof(names)))
		return;
	lz_err_set(&why, EPERM, "policy: %s: would not be judged any more, customers there pass, who is held goes free",
		   names);
	add(list, why.text, then);
}

/* Nor must a word, or a file that was meant for another day, set free all who are held. */
void lz_apply_frees(const struct lz_ctl *ctl, const struct lz_policy *policy, const char *then, cJSON *list)
{
	size_t n = lz_preview_unstopped(ctl, policy);
	struct lz_err why;

	if (!n)
		return;
	lz_err_set(&why, EPERM, "policy: is in monitor mode: %zu held host%s would not be held back any more", n,
		   n == 1 ? "" : "s");
	add(list, why.text, then);
}

/* A hold is its whole key's: with a shorter one neighbours of who is held are held. */
static void say_wider(const struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *err)
{
	size_t n = lz_preview_wider(ctl, policy), at = strlen(err->text);

	if (n)
		snprintf(err->text + at, sizeof(err->text) - at, "; %zu hold%s of an IPv6 /%u cover%s a whole /%u then, with all "
			 "neighbours in it", n, n == 1 ? "" : "s", ctl->view.instance.ipv6_key_len, n == 1 ? "s" : "",
			 policy->ipv6_key);
}

int lz_apply_guards(const struct lz_ctl *ctl, const struct lz_policy *policy, const struct lz_port_told *ports,
		    size_t n, const char *then, cJSON *list)
{
	struct lz_err why = { "" };
	int r;

	add_left(ctl, policy, ports, n, then, list);
	lz_apply_frees(ctl, policy, then, list);
	r = ctl->opened ? lz_ctl_fits(ctl, policy, &why) : 0;
	if (r < 0) {
		say_wider(ctl, policy, &why);
		add(list, why.text, "");
	}
	return r;
}

bool lz_apply_has_yes(struct lz_request *req, const cJSON *reasons)
{
	lz_autostr struct lz_str why = { 0 };
	const cJSON *reason;

	if (lz_arg_bool(req, "yes") || !cJSON_GetArraySize(reasons))
		return true;
	cJSON_ArrayForEach(reason, reasons)
		lz_str_appendf(&why, "%s; ", cJSON_GetStringValue(reason));
	lz_str_append(&why, "nothing was changed");
	lz_reply_end(req, LZ_CODE_GUARDED, why.data ? why.data : "policy: out of memory; nothing was changed", NULL);
	return false;
}

int lz_apply_refuses(struct lz_ctl *ctl, const struct lz_policy *policy, cJSON *list)
{
	lz_autofree struct lz_port_told *ports = NULL;
	struct lz_err why = { "" };
	size_t n = 0;

	if (lz_apply_waits(ctl, &why) < 0)
		add(list, why.text, "");
	if (ctl->opened)
		lz_ctl_ports(ctl, &ports, &n, NULL);
	return lz_apply_guards(ctl, policy, ports, n, "; --yes does it all the same", list);
}
