// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "control/instance.h"

#include <errno.h>
#include <stdio.h>

static void on_events(uv_poll_t *handle, int status, int events)
{
	struct lz_ctl *ctl = handle->data;

	(void)status;
	(void)events;
	/* Edge triggered: a full turn is followed by another one, from the timer of the sweep. */
	lz_events_read(ctl->events, 4096);
}

int lz_ctl_open_tables(struct lz_ctl *ctl, struct lz_err *reterr)
{
	struct lz_sweep_config sweep = { .idle_s = 90000, .slice_lines = 64,
					 .on_kernel_hold = ctl->ears->kernel_hold,
					 .on_source = ctl->ears->source, .arg = ctl };
	int r;

	r = lz_tables_open(&ctl->fds, &ctl->answer.instance, &ctl->view, reterr);
	if (r < 0)
		return r;
	r = lz_events_open(ctl->fds.fd[LZ_MAP_EVENTS], ctl->ears->event, ctl, &ctl->events, reterr);
	if (r == 0 && lz_sweep_new(&ctl->view, &sweep, &ctl->sweep) < 0)
		r = lz_err_set(reterr, ENOMEM, "sweep: out of memory");
	if (r == 0 && (uv_poll_init(&ctl->loop, &ctl->events_poll, lz_events_fd(ctl->events)) < 0 ||
		       uv_poll_start(&ctl->events_poll, UV_READABLE, on_events) < 0))
		r = lz_err_set(reterr, EIO, "events: cannot poll");
	if (r < 0) {
		lz_events_close(&ctl->events);
		lz_sweep_free(&ctl->sweep);
		lz_tables_close(&ctl->view);
		return r;
	}
	ctl->events_poll.data = ctl;
	ctl->opened = true;
	return 0;
}

int lz_ctl_fits(const struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr)
{
	static const char way[] = "policy apply FILE --yes changes that under traffic and needs %s of memory "
				  "meanwhile: held hosts stay held; counters, and what sources have used of "
				  "their limits, begin anew";
	struct lz_instance need = { 0 };
	char how[sizeof(way) + LZ_SIZE_TEXT_MAX], size[LZ_SIZE_TEXT_MAX];

	lz_instance_size(policy->sources_max, policy->colony_max, &need);
	snprintf(how, sizeof(how), way, lz_mib_format(lz_instance_bytes(&need), size));
	if (policy->ipv6_key != ctl->view.instance.ipv6_key_len)
		return lz_err_set(reterr, EMEDIUMTYPE, "/ipv6-key: %u: sources are told apart by /%u now; %s",
				  policy->ipv6_key, ctl->view.instance.ipv6_key_len, how);
	if (need.tag_lines > ctl->view.instance.tag_lines)
		return lz_err_set(reterr, ENOSPC,
				  "/capacity: %u sources and %u held are more than there is room for; %s",
				  policy->sources_max, policy->colony_max, how);
	return 0;
}
