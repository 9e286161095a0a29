// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * defer.c - requests that wait, in the order in which they came.
 */
#include <stdlib.h>

#include "control/ctl.h"
#include "control/defer.h"
#include "control/running.h"

struct lz_deferred {
	struct lz_deferred *next;
	struct lz_request *req;
	lz_serve_handler again;
};

bool lz_ctl_defer(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again)
{
	struct lz_deferred **end = &ctl->deferred, *d;

	d = calloc(1, sizeof(*d));
	if (!d) {
		lz_reply_end(req, LZ_CODE_REFUSED, "gateway: something else is being done; try again", NULL);
		return false;
	}
	d->req = req;
	d->again = again;
	while (*end)
		end = &(*end)->next;
	*end = d;
	return true;
}

bool lz_ctl_wait(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again)
{
	if (ctl->busy)
		lz_ctl_defer(ctl, req, again);
	else
		lz_running_look(ctl);
	return ctl->busy;
}

bool lz_ctl_wait_policy(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again)
{
	bool wait = ctl->busy || (ctl->next.req && ctl->next.req != req);

	if (wait)
		lz_ctl_defer(ctl, req, again);
	else
		lz_running_look(ctl);
	return wait;
}

void lz_ctl_resume(struct lz_ctl *ctl)
{
	struct lz_deferred *list = ctl->deferred;

	ctl->busy = false;
	ctl->deferred = NULL;
	while (list) {
		struct lz_deferred *d = list;

		list = d->next;
		d->again(d->req, ctl); /* may begin another import and wait again */
		free(d);
	}
}
