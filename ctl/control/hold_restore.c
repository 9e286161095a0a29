/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/log.h"
#include "control/ctl.h"
#include "control/hold.h"
#include "control/strangers.h"

/*
 * hold_restore.c - at the start: what the ledger says into the kernel.
 */

#define LZ_RESTORE_SLICE 1024

/* One slice of the ledger into the kernel; returns how many are held by it. */
static size_t restore_slice(struct lz_ctl *ctl, const struct lz_held *rows, int n, __u32 now_s)
{
	static struct lz_hold_entry entries[LZ_RESTORE_SLICE];
	size_t m = 0;

	for (int i = 0; i < n; i++) {
		if (rows[i].expiry_s <= now_s)
			continue;
		entries[m].key = rows[i].key;
		if (lz_hold_word(ctl, &rows[i], &entries[m].word, NULL) == 0)
			m++;
	}
	/* What the books could not learn must not be shortened by them. */
	if (!ctl->strangers_known)
		return lz_hold_set_bulk(&ctl->view, entries, m, 0);
	return lz_hold_set_beside(&ctl->view, entries, m, lz_hold_beside_kernel, ctl);
}

void lz_hold_restore(struct lz_ctl *ctl)
{
	static struct lz_held rows[LZ_RESTORE_SLICE];
	struct lz_held_walk walk = { 0 };
	__u32 now_s = lz_tables_now_s(&ctl->view);
	size_t restored = 0;
	int n;

	lz_strangers_look(ctl);
	while ((n = lz_held_next(ctl->ledger, &walk, rows, LZ_RESTORE_SLICE)) > 0)
		restored += restore_slice(ctl, rows, n, now_s);
	lz_log(LZ_LOG_NOTICE, "holds-restored", "sources=%zu of=%llu", restored,
	       (unsigned long long)lz_held_count(ctl->ledger));
}
