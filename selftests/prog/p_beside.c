/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_beside.c - holds of a list, written while limits of the data plane hold the same sources.
 */
#include "prog/table_room.h"

/* A limit that holds the source while the controller works out what it shall write. */
struct limit {
	__u64 *hold;
	__u64 word; /* 0: it has done so */
	int asked;
};

static __u64 beside(void *arg, __u64 stands, __u64 word)
{
	struct limit *limit = arg;
	__u32 end_s = LZ_HOLD_EXPIRY(stands) > LZ_HOLD_EXPIRY(word) ? LZ_HOLD_EXPIRY(stands) : LZ_HOLD_EXPIRY(word);

	limit->asked++;
	if (limit->word)
		*limit->hold = limit->word;
	limit->word = 0;
	return LZ_HOLD_WORD(end_s, 600, LZ_HOLD_GRADE(word), LZ_HOLD_FLAGS(word) | LZ_HOLD_F_KERNEL);
}

/* What a limit grants just then must outlive the list that is being imported: its end, and its mark. */
static void writes_beside_a_limit(void)
{
	struct lz_hold_entry e[2] = { { .key = FIRST + 21 }, { .key = FIRST + 22 } };
	struct limit limit = { .word = LZ_HOLD_WORD(5630, 600, 0, LZ_HOLD_F_KERNEL) };
	__u64 got, listed = LZ_HOLD_WORD(5200, 180, LZ_GARDEN_STRICT, 0);
	int slot;

	set_clock(5030);
	for (int i = 0; i < 2; i++) {
		e[i].word = listed;
		T_EQ(lz_hold_set(&view, e[i].key, LZ_HOLD_WORD(5060, 30, 0, i ? 0 : LZ_HOLD_F_KERNEL), 0, NULL),
		     LZ_HOLD_NEW, i ? "one that the ledger knows" : "one that a limit made");
	}
	slot = lz_view_find(&view, e[0].key);
	if (!T_OK(slot >= 0, "a cell"))
		return;
	limit.hold = &view.cells[slot].hold;
	T_EQ(lz_hold_set_beside(&view, e, 2, beside, &limit), 2, "both are held");
	T_EQ(limit.asked, 2, "asked of the limit's alone, and anew when that was another");
	T_EQ(lz_hold_read(&view, e[0].key, &got), 0, "held");
	T_EQ(LZ_HOLD_EXPIRY(got), 5630, "until the end that the limit set meanwhile");
	T_EQ(LZ_HOLD_GRADE(got), LZ_GARDEN_STRICT, "as hard as listed");
	T_EQ(LZ_HOLD_FLAGS(got), LZ_HOLD_F_KERNEL, "and not in the ledger yet");
	T_EQ(lz_hold_read(&view, e[1].key, &got), 0, "held");
	T_EQ(got, listed, "what the ledger knew is as listed");
	set_clock(5630);
	e[0].word = e[1].word = LZ_HOLD_WORD(5700, 70, 0, 0);
	T_EQ(lz_hold_set_beside(&view, e, 2, beside, &limit), 2, "when all have ended");
	T_EQ(limit.asked, 2, "nothing stands beside");
	for (int i = 0; i < 2; i++)
		lz_hold_release(&view, e[i].key, NULL);
}

static const struct t_case cases[] = {
	{ "a list is written beside what a limit does just then", writes_beside_a_limit },
};

int main(void)
{
	return table_main(cases, LZ_ARRAY_SIZE(cases));
}
