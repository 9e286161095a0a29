/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_ledger_due.c - holds that were extended are looked at once before their end, whatever else happens to
 * them; and a list is read beside the table row by row.
 */
#include <errno.h>
#include <stdint.h>

#include "unit/ledger_dir.h"

#define ROWS 3000

static struct lz_ledger *begin(void)
{
	make_dir();
	return open_at(BOOT_A, noon);
}

static void end(struct lz_ledger *l)
{
	lz_ledger_close(&l);
	remove_dir();
}

static void put(struct lz_ledger *l, __u64 key, __u32 end_s)
{
	struct lz_held held = { .key = key, .since_s = noon.wall_s, .made_s = noon.wall_s + end_s,
				.expiry_s = end_s, .ttl_s = 1000, .grade = "garden:leaky", .source = "import" };

	T_ERR(lz_held_put(l, &held, NULL), 0, "put");
}

/* The end of the first that is due at @mono_s; 0: none is. */
static __u32 due(struct lz_ledger *l, __u64 mono_s)
{
	struct lz_ended got;

	return lz_held_due(l, mono_s, &got, 1) == 1 ? got.expiry_s : 0;
}

static void extend(struct lz_ledger *l, __u64 key, __s64 by_s, int want)
{
	struct lz_held_row row = { .key = key, .address = "" };

	T_ERR(lz_held_rows_get(l, &row, 1, NULL), 0, "read");
	T_OK(row.known, "there is one");
	row.expiry_s = (__u32)(row.expiry_s + by_s);
	row.origin = row.was.origin;
	T_ERR(lz_held_rows_put(l, &row, 1, noon.wall_s + 7, NULL), want, "write");
}

static void looks_again_at_the_end(void)
{
	const __u64 key = 7;
	struct lz_ledger *l = begin();

	put(l, key, 5100);
	T_EQ(due(l, 5099), 0, "none is due");
	extend(l, key, 100, 0);
	T_EQ(due(l, 5099), 0, "none is due");
	T_EQ(due(l, 5100), 5200, "at its first end it is, and says that it goes on");
	T_ERR(lz_held_look_later(l, &key, 1, NULL), 0, "later");
	T_EQ(due(l, 5199), 0, "not again before its end");
	T_EQ(due(l, 5200), 5200, "but then");
	end(l);
}

/* Whatever makes an end earlier moves where it is looked for. */
static void is_never_late(void)
{
	const __u64 key = 7;
	struct lz_held held;
	struct lz_ledger *l = begin();

	put(l, key, 5100);
	extend(l, key, 100, 0);
	extend(l, key, -1, -EINVAL);
	T_ERR(lz_held_look_later(l, &key, 1, NULL), 0, "looked at for the later end");
	T_ERR(lz_held_get(l, key, &held), 0, "get");
	T_EQ(held.expiry_s, 5200, "what would have ended earlier was not written");
	T_ERR(lz_held_back(l, key, held.prior, NULL), 0, "undo");
	T_EQ(due(l, 5100), 5100, "the end that stands again is due");
	put(l, key, 5050);
	T_EQ(due(l, 5050), 5050, "so is one that an operator set");
	put(l, key, 6000);
	lz_ledger_close(&l);
	/* 100 s later by the wall clock, 900 are left of it; this boot's clock begins at 10. */
	l = open_at(BOOT_B, (struct lz_now){ .wall_s = noon.wall_s + 100, .mono_s = 10 });
	T_EQ(due(l, 909), 0, "after a reboot");
	T_EQ(due(l, 910), 910, "it is due when it ends");
	end(l);
}

/* Each key of a list is found or not as a look for it alone says; gaps on both sides. */
static void reads_a_list(void)
{
	static struct lz_held_row rows[ROWS];
	size_t n = 0, wrong = 0, known = 0;
	struct lz_ledger *l = begin();
	struct lz_held held;

	T_ERR(lz_ledger_begin(l, NULL), 0, "begin");
	put(l, 0x2001000000000000, 9999);
	put(l, 0xfc00000000000000, 9998); /* first, as SQLite's keys have a sign */
	for (__u32 i = 0; i < ROWS; i++)
		if (i < 100 || i % 3 == 0 || i > 2000)
			put(l, 1000 + i, 10000 + i);
	T_ERR(lz_held_rows_get(l, rows, 0, NULL), 0, "an empty list");
	rows[n++].key = 0xfc00000000000000;
	for (__u32 i = 0; i < ROWS; i += i < 50 ? 1 : i < 1000 ? 7 : i < 2500 ? 100 : 2)
		rows[n++].key = 999 + i;
	rows[n++].key = 0x2001000000000000;
	rows[n++].key = 0x2001000000010000;
	T_ERR(lz_held_rows_get(l, rows, n, NULL), 0, "read");
	for (size_t i = 0; i < n; i++) {
		bool is = lz_held_get(l, rows[i].key, &held) == 0;

		wrong += is != rows[i].known || (is && rows[i].expiry_s != held.expiry_s);
		known += rows[i].known;
	}
	T_EQ(wrong, 0, "each as it is");
	T_OK(known > 100 && known < n - 20, "some are there, some are not");
	lz_ledger_rollback(l);
	end(l);
}

static const struct t_case cases[] = {
	{ "an extended hold is looked at again at its end", looks_again_at_the_end },
	{ "and never later than its end", is_never_late },
	{ "a list is read beside the table", reads_a_list },
};

int main(void)
{
	return T_MAIN(cases);
}
