/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_table_reuse.c - cells made by many at once, and used again by the controller while packets use them;
 * what one that was killed has left behind.
 */
#include "datapath/membarrier.h"
#include "prog/refuse_call.h"
#include "prog/table_room.h"

#define RACE_KEYS 20000

static void *send_all(void *arg)
{
	(void)arg;
	for (__u32 i = 0; i < RACE_KEYS; i++)
		send_syn(FIRST + 0x10000 + i, 443);
	return NULL;
}

/* Two CPUs and the controller make the same cells at the same time. */
static void creates_once(void)
{
	size_t n_before, n, held = 0;
	pthread_t a, b;

	set_clock(6000);
	count_doubles(&n_before);
	pthread_create(&a, NULL, send_all, NULL);
	pthread_create(&b, NULL, send_all, NULL);
	for (__u32 i = 0; i < RACE_KEYS; i++)
		held += lz_hold_set(&view, FIRST + 0x10000 + i,
				    LZ_HOLD_WORD(6060, 60, LZ_GARDEN_LEAKY, 0), 0, NULL) >= 0;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	T_EQ(held, RACE_KEYS, "every hold took and read back");
	T_EQ(count_doubles(&n), 0, "no key has two cells");
	T_EQ(n - n_before, RACE_KEYS, "each has one");
	T_EQ(view.tables->cells_used, n, "cells_used agrees");
}

static volatile int stop;

/* A few thousand sources come and go, each for a while; the clock runs with them. */
static void *churn(void *arg)
{
	unsigned int seed = arg != NULL;

	while (!stop) {
		send_syn(FIRST + 0x40000 + rand_r(&seed) % 3000, 443);
		/* nobody else lives in that /24: its block comes and goes */
		send_syn(FIRST + 0x200000 + rand_r(&seed) % 3000 * 256, 443);
	}
	return NULL;
}

#define KEPT 500

static __u64 not_held(void)
{
	__u64 word, lost = 0;

	for (__u32 i = 0; i < KEPT; i++)
		lost += lz_hold_read(&view, FIRST + 0x40000 + i * 3, &word) != 0;
	return lost;
}

/* A pass whose waits are another thread's; meanwhile this one holds and extends, as the daemon does. */
static int pass_aside(struct lz_sweep *sweep, __u32 now_s, __u64 *lost)
{
	static __u32 turn;
	pthread_t aside;
	int r;

	while ((r = lz_sweep_step(sweep)) == LZ_SWEEP_MORE || r == LZ_SWEEP_WAIT) {
		if (r == LZ_SWEEP_MORE)
			continue;
		waited = 0;
		pthread_create(&aside, NULL, wait_aside, sweep);
		do {
			__u32 at = turn++ % KEPT * 3;

			lz_hold_set(&view, FIRST + 0x40000 + at, LZ_HOLD_WORD(100000 + turn, 93000 + turn, 1, 0),
				    0, NULL);
			lz_hold_set(&view, FIRST + 0x40000 + at + 1, LZ_HOLD_WORD(now_s + 2, 2, 1, 0), 0, NULL);
			*lost += not_held();
		} while (!waited);
		pthread_join(aside, NULL);
	}
	return r;
}

static void reuses_under_traffic(void)
{
	struct lz_sweep_config config = { .idle_s = 1, .slice_lines = 4096 };
	struct lz_sweep_totals t = {};
	struct lz_sweep *sweep;
	pthread_t a, b;
	__u64 lost = 0;
	size_t n;
	__u32 now_s = 7000;

	set_clock(now_s);
	for (__u32 i = 0; i < KEPT; i++)
		lz_hold_set(&view, FIRST + 0x40000 + i * 3, LZ_HOLD_WORD(100000, 93000, 1, 0), 0, NULL);
	stop = 0;
	pthread_create(&a, NULL, churn, NULL);
	pthread_create(&b, NULL, churn, &kernel);
	T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
	for (double end = room_now_s() + 6; room_now_s() < end;) {
		set_clock(now_s += 3);
		if (!T_OK(pass_aside(sweep, now_s, &lost) == LZ_SWEEP_DONE, "pass"))
			break;
		lost += not_held();
	}
	stop = 1;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	T_EQ(lz_sweep_pass(sweep), LZ_SWEEP_DONE, "one more pass takes the orphans");
	lz_sweep_totals_get(sweep, &t);
	printf("# %llu passes, %llu reclaimed, %llu orphans, %llu tags freed\n", t.passes, t.reclaimed,
	       t.orphans, t.tags_freed);
	T_EQ(lost, 0, "a held source is held at every instant (I1)");
	T_OK(t.reclaimed > 10000, "slots were reused while packets used them");
	T_EQ(count_doubles(&n), 0, "no key is left with two cells");
	T_EQ(view.tables->cells_used, n, "cells_used agrees");
	check_blocks();
	lz_sweep_free(&sweep);
}

/* A held cell of a key where nobody looks for it. */
static void make_orphan(__u64 key, __u32 now_s)
{
	__u64 hash = lz_hash(key, view.instance.seed);
	__u32 line = lz_line_of(hash, 2, view.instance.tag_lines);
	struct lz_cell *cell = &view.cells[line * LZ_TAG_LINE_SLOTS + 63];

	cell->key = ~key;
	cell->seen = lz_seen(now_s);
	cell->hold = LZ_HOLD_WORD(now_s + 60, 60, LZ_GARDEN_STRICT, LZ_HOLD_F_KERNEL);
	view.tags[line].word[7] |= (__u64)(lz_tag_of(hash) | LZ_TAG_HELD) << 56;
	view.tables->cells_used++;
}

/* A hold that a packet's limit set between DYING and the look again must not be lost; here the
 * orphan's hold moves to the cell that is found. */
static void moves_an_orphans_hold(void)
{
	__u64 key = FIRST + 0x50000, word;
	struct lz_sweep_totals t = {};

	set_clock(20000);
	T_EQ(send_syn(key, 443), XDP_PASS, "the cell that is found");
	make_orphan(key, 20000);
	sweep_all(3600, &t);
	T_EQ(t.orphans, 1, "found as an orphan");
	T_EQ(t.holds_moved, 1, "its hold moved");
	T_EQ(lz_hold_read(&view, key, &word), 0, "and stands");
	T_EQ(LZ_HOLD_EXPIRY(word), 20060, "until the same time");
	lz_hold_release(&view, key, NULL);
}

/* The same with nobody to be found: who sends nothing that makes a cell would be free for ever. */
static void moves_a_lone_orphans_hold(void)
{
	__u64 key = FIRST + 0x50100, word;
	struct lz_sweep_totals t = {};

	set_clock(20100);
	make_orphan(key, 20100);
	T_EQ(lz_hold_read(&view, key, &word), -ENOENT, "nobody finds it");
	sweep_all(3600, &t);
	T_EQ(t.orphans, 1, "found as an orphan");
	T_EQ(t.holds_moved, 1, "its hold moved");
	T_EQ(lz_hold_read(&view, key, &word), 0, "to where it is found");
	T_EQ(LZ_HOLD_EXPIRY(word), 20160, "until the same time");
	lz_hold_release(&view, key, NULL);
}

/* A controller was killed after it hid an idle cell; its source came back, has another, and is held. */
static void takes_over_no_old_cell(void)
{
	__u64 key = FIRST + 0x50200, word = LZ_HOLD_WORD(20360, 60, LZ_GARDEN_STRICT, 0), got;
	struct lz_sweep_totals t = {};
	size_t n;
	int slot;

	set_clock(20300);
	T_EQ(send_syn(key, 443), XDP_PASS, "a cell");
	slot = lz_view_find(&view, key);
	if (!T_OK(slot >= 0, "that is found"))
		return;
	view.cells[slot].hold = LZ_HOLD_DYING;
	((__u8 *)view.tags)[slot] = LZ_TAG_DYING;
	T_EQ(lz_hold_set(&view, key, word, 0, NULL), LZ_HOLD_NEW, "held in another");
	sweep_all(3600, &t);
	T_EQ(lz_hold_read(&view, key, &got), 0, "and held after the next start");
	T_EQ(got, word, "as it was");
	T_EQ(count_doubles(&n), 0, "in one cell");
	lz_hold_release(&view, key, NULL);
}

static __u32 slot_of(__u64 key)
{
	__u32 slot = 0;

	while (slot < view.slots - 1 && view.cells[slot].key != ~key)
		slot++;
	return slot;
}

/* The table as a controller leaves it that is killed after marking, and in the middle of a claim. */
static void takes_over_what_was_dying(void)
{
	__u64 key = FIRST + 0x51000, hash = lz_hash(key, view.instance.seed);
	__u64 claimed = FIRST + 0x52000, claimed_hash = lz_hash(claimed, view.instance.seed);
	struct lz_sweep_totals t = {};
	struct lz_cell_copy cell;
	__u8 *tag, *unclaimed;
	__u32 slot;

	set_clock(21000);
	T_EQ(send_syn(key, 443), XDP_PASS, "a cell");
	T_EQ(send_syn(claimed, 443), XDP_PASS, "another");
	slot = slot_of(key);
	tag = (__u8 *)view.tags + slot;
	view.cells[slot].hold = LZ_HOLD_DYING;
	*tag = LZ_TAG_DYING;
	slot = slot_of(claimed);
	unclaimed = (__u8 *)view.tags + slot;
	memset(&view.cells[slot], 0, sizeof(view.cells[slot]));
	T_EQ(*unclaimed, lz_tag_of(claimed_hash), "a tag without a key");
	T_EQ(lz_cell_get(&view, key, &cell), -ENOENT, "nobody finds what is dying");
	sweep_all(3600, &t);
	T_EQ(*tag, lz_tag_of(hash), "the next sweep takes it over");
	T_EQ(lz_cell_get(&view, key, &cell), 0, "it is found");
	T_EQ(lz_cell_examined(&cell), 1, "with what it had counted");
	T_OK(*unclaimed < LZ_TAG_MIN, "the tag without a key is free");
}

/* Without a barrier a packet may still be at a cell, or believe what is remembered: nothing is reused, all of it
 * stays as it was, an orphan too, and whoever asked is told. The last case: there is no way back. */
static void without_a_barrier(void)
{
	struct lz_sweep_config config = { .idle_s = 1, .slice_lines = view.instance.tag_lines };
	struct lz_sweep_totals t = {};
	__u32 key = FIRST + 0x51000;
	struct lz_cell_copy cell;
	struct lz_sweep *sweep;

	set_clock(30000);
	send_syn(key, 443);
	send_syn(key + 1, 443);
	make_orphan(key, 30000);
	T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
	set_clock(30100);
	if (!T_OK(refuse_call(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, EPERM), "a filter"))
		return;
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_WAIT, "idle cells and an orphan: a barrier first");
	lz_sweep_wait(sweep);
	T_EQ(lz_sweep_step(sweep), -EPERM, "there is none");
	T_EQ(lz_cell_get(&view, key + 1, &cell), 0, "an idle cell is found again");
	T_EQ(cell.syn, 1, "as it was");
	T_EQ(lz_cell_get(&view, key, &cell), 0, "so is the one that has an orphan");
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_WAIT, "the end of the pass");
	lz_sweep_wait(sweep);
	T_EQ(lz_sweep_step(sweep), -EPERM, "is none");
	lz_sweep_totals_get(sweep, &t);
	T_EQ(t.passes, 0, "nor counted as one");
	T_EQ(t.reclaimed, 0, "nothing reused");
	lz_sweep_free(&sweep);
	for (__u32 slot = 0; slot < LZ_GENERATIONS; slot++) {
		struct lz_generation *gen = &view.control->gen[slot];
		__u64 number = gen->number;

		view.control->gen_word = LZ_GEN_WORD(slot, slot, 0);
		gen->epoch = view.control->gen[!slot].epoch | LZ_EPOCH_LOW(~0u);
		T_EQ(lz_swap_renumber(&view, number + 1, 7), -EPERM, "a round of epochs cannot begin");
		T_EQ(gen->number, number, "the generation is what it was");
		T_EQ(LZ_EPOCH_LOW(gen->epoch), 0, "but what is remembered of it is not believed");
		T_EQ(lz_swap_renumber(&view, number + 1, 7), -EPERM, "nor can it when asked again");
	}
}

static const struct t_case cases[] = {
	{ "creators of one key share one cell", creates_once },
	{ "slots are reused under traffic", reuses_under_traffic },
	{ "an orphan's hold moves", moves_an_orphans_hold },
	{ "a hold moves out of a cell that nobody finds", moves_a_lone_orphans_hold },
	{ "a hidden cell does not come back over a newer one", takes_over_no_old_cell },
	{ "a killed controller's slots come back", takes_over_what_was_dying },
	{ "without a barrier nothing is reused", without_a_barrier },
};

int main(void)
{
	return table_main(cases, LZ_ARRAY_SIZE(cases));
}
