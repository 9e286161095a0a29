// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * monitor.c - those who watch what happens, as it happens; control/tell.c writes to them.
 */
#include "control/ctl.h"
#include "handlers/handlers.h"

static void follower_gone(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;

	for (size_t i = 0; i < LZ_FOLLOWERS_MAX; i++)
		if (ctl->followers[i] == req)
			ctl->followers[i] = NULL;
}

void lz_h_monitor(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;

	for (size_t i = 0; i < LZ_FOLLOWERS_MAX; i++) {
		if (ctl->followers[i])
			continue;
		ctl->followers[i] = req;
		lz_reply_follow(req, follower_gone, ctl);
		return;
	}
	lz_reply_end(req, LZ_CODE_REFUSED, "monitor: 16 are watching already", NULL);
}
