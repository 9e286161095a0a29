/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hold_restore.c - at the start: what the ledger says into the kernel, and out of it what an interrupted
 * release left.
 */
#include <errno.h>
#include <string.h>

#include "daemon/ctl.h"

#define LZ_RESTORE_SLICE 1024

/* The ledger's keys in its own order, to ask 600,000 times "do you know this one?" in no time. */
struct known {
	__u64 *keys;
	size_t n, cap;
};

struct strangers {
	const struct known *known;
	__u64 *keys;
	size_t n, cap;
};

static int compare_known(const void *a, const void *b)
{
	__s64 x = (__s64) * (const __u64 *)a, y = (__s64) * (const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* In force, not from a limit, and not in the ledger: a release that was cut off in the middle. */
static int find_stranger(void *arg, __u64 key, __u64 word)
{
	struct strangers *s = arg;

	if ((LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL) ||
	    (s->known->n && bsearch(&key, s->known->keys, s->known->n, sizeof(key), compare_known)))
		return 0;
	if (lz_array_grow(&s->keys, &s->cap, s->n + 1, sizeof(*s->keys)) < 0)
		return -ENOMEM;
	s->keys[s->n++] = key;
	return 0;
}

static void release_strangers(struct lz_ctl *ctl, const struct known *known)
{
	struct strangers s = { .known = known };

	lz_holds_each(&ctl->view, lz_tables_now_s(&ctl->view), find_stranger, &s);
	for (size_t i = 0; i < s.n; i++)
		lz_hold_release(&ctl->view, s.keys[i], NULL);
	if (s.n)
		lz_log(LZ_LOG_NOTICE, "releases-finished", "sources=%zu", s.n);
	free(s.keys);
}

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
	return lz_hold_set_beside(&ctl->view, entries, m, lz_hold_beside_kernel, ctl);
}

void lz_hold_restore(struct lz_ctl *ctl)
{
	static struct lz_held rows[LZ_RESTORE_SLICE];
	struct lz_held_walk walk = { 0 };
	struct known known = { 0 };
	__u32 now_s = lz_tables_now_s(&ctl->view);
	bool complete = true;
	size_t restored = 0;
	int n;

	while ((n = lz_held_next(ctl->ledger, &walk, rows, LZ_RESTORE_SLICE)) > 0) {
		restored += restore_slice(ctl, rows, n, now_s);
		complete &= lz_array_grow(&known.keys, &known.cap, known.n + (size_t)n,
					  sizeof(*known.keys)) == 0;
		for (int i = 0; complete && i < n; i++)
			known.keys[known.n++] = rows[i].key;
	}
	/* Only who has read all of the ledger may say that somebody is not in it (I1). */
	if (ctl->adopted && complete && n == 0)
		release_strangers(ctl, &known);
	free(known.keys);
	lz_log(LZ_LOG_NOTICE, "holds-restored", "sources=%zu of=%llu", restored,
	       (unsigned long long)lz_held_count(ctl->ledger));
}
