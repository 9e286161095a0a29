// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * books.c - by which ledger the controller starts: its own, or a copy that stands in for it; and when its own is back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/ctl.h"
#include "control/tell.h"
#include "daemon/modes.h"

#define LZ_BOOKS_RETRY_S 10

static int read_boot_id(char *ret, size_t size, struct lz_err *reterr)
{
	lz_autoclose int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n <= 0)
		return lz_err_set(reterr, fd < 0 ? errno : EIO, "boot_id: cannot read");
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* Of its disk, or of pages of it; not: somebody else has it, or it is of a newer version. */
static bool may_be_stood_in_for(int r)
{
	return r == -ENOSPC || r == -EROFS || r == -EIO || r == -EACCES || r == -EBADMSG;
}

/* In ctl->ledger there is one to start by. */
static void begin(struct lz_ctl *ctl)
{
	struct lz_now clocks = lz_ledger_clocks(ctl->ledger); /* set while no daemon looked: the same as by day */

	ctl->opened_as = lz_ledger_mark(ctl->ledger);
	ctl->wall = (struct lz_wall){ .wall_s = clocks.wall_s, .mono_s = clocks.mono_s };
	lz_ledger_on_end(ctl->ledger, lz_tell_batch, ctl);
}

static int open_stand_in(struct lz_ctl *ctl, const char *boot_id, const struct lz_err *why)
{
	struct lz_err err = { "" };
	int r = lz_ledger_open_stand_in(ctl->options->state, ctl->options->run, boot_id, lz_ctl_now(), why,
					&ctl->ledger, &err);

	if (r < 0) {
		lz_log(LZ_LOG_ERROR, "ledger-copy-failed", "why=%s", err.text);
		return r;
	}
	ctl->books_tried_s = lz_ctl_now().mono_s;
	lz_log(LZ_LOG_ERROR, "ledger-stood-in-for", "by=%s why=%s", "a copy in memory", why->text);
	return 0;
}

int lz_books_open(struct lz_ctl *ctl, struct lz_err *reterr)
{
	char boot_id[LZ_BOOT_ID_TEXT_MAX];
	struct lz_err why = { "" };
	int r = read_boot_id(boot_id, sizeof(boot_id), reterr);

	if (r < 0)
		return r;
	r = lz_ledger_open(ctl->options->state, boot_id, lz_ctl_now(), &ctl->ledger, &why);
	if (r < 0 && may_be_stood_in_for(r) && open_stand_in(ctl, boot_id, &why) == 0)
		r = 0;
	if (r < 0)
		return lz_err_set(reterr, -r, "%s", why.text);
	begin(ctl);
	return 0;
}

bool lz_books_fall_back(struct lz_ctl *ctl, int r, const struct lz_err *why)
{
	char boot_id[LZ_BOOT_ID_TEXT_MAX];

	if (lz_ledger_is_stand_in(ctl->ledger) || !may_be_stood_in_for(r) ||
	    strncmp(why->text, "ledger: ", strlen("ledger: ")) || read_boot_id(boot_id, sizeof(boot_id), NULL) < 0)
		return false;
	lz_ledger_close(&ctl->ledger);
	if (open_stand_in(ctl, boot_id, why) < 0)
		return false;
	begin(ctl);
	ctl->strangers_known = false; /* what a start keeps in mind of the ledger */
	ctl->guard = (struct lz_guard){ 0 };
	return true;
}

void lz_books_seal(struct lz_ctl *ctl)
{
	struct lz_err err = { "" };

	if (!lz_ledger_is_stand_in(ctl->ledger))
		return;
	lz_ledger_seal(ctl->ledger);
	lz_ledger_look(ctl->ledger, &err);
	lz_text_set(ctl->ledger_fault, sizeof(ctl->ledger_fault), err.text);
}

void lz_books_turn(struct lz_ctl *ctl, struct lz_now now)
{
	char boot_id[LZ_BOOT_ID_TEXT_MAX];

	if (!lz_ledger_is_stand_in(ctl->ledger) || now.mono_s - ctl->books_tried_s < LZ_BOOKS_RETRY_S ||
	    read_boot_id(boot_id, sizeof(boot_id), NULL) < 0)
		return;
	ctl->books_tried_s = now.mono_s;
	if (lz_ledger_is_back(ctl->ledger, boot_id, now) < 0)
		return;
	lz_log(LZ_LOG_NOTICE, "ledger-back", "path=%s/%s", ctl->options->state, LZ_LEDGER_FILE);
	ctl->code = LZ_EXIT_REOPEN; /* a new start takes it up */
	uv_stop(&ctl->loop);
}
