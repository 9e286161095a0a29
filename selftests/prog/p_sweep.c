/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_sweep.c - the sweep's long waits in a thread, while the daemon goes on with the same tables.
 */
#include "prog/table_room.h"

#include "bpf/limit.h"

#define MEANWHILE_MAX 50000 /* in one pass */

/* What is asked of the daemon while a barrier, or the count, is still to come. */
static void waits_aside(void)
{
	struct lz_sweep_config config = { .idle_s = 1, .slice_lines = view.instance.tag_lines };
	__u32 key = FIRST + 0x48000;
	struct lz_sweep *sweep;
	struct lz_cell_copy cell;
	__u64 word;
	size_t n;

	set_clock(8000);
	send_syn(key, 443);
	send_syn(key + 1, 443);
	T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
	set_clock(8100);
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_WAIT, "two are idle: a barrier first");
	T_EQ(lz_cell_get(&view, key, &cell), -ENOENT, "found by nobody");
	T_EQ(lz_hold_set(&view, key, LZ_HOLD_WORD(8200, 100, 1, 0), 0, NULL), LZ_HOLD_NEW, "held meanwhile");
	send_syn(key + 1, 443);
	lz_sweep_wait(sweep);
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_MORE, "taken back");
	T_EQ(lz_hold_read(&view, key, &word), 0, "held still");
	T_EQ(lz_cell_get(&view, key + 1, &cell), 0, "the other has a cell again");
	T_EQ(cell.syn, 1, "a new one");
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_WAIT, "the end of the pass: the count is still to come");
	send_syn(key + 2, 443);
	lz_sweep_wait(sweep);
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_DONE, "the end");
	T_EQ(count_doubles(&n), 0, "no key has two cells");
	T_EQ(view.tables->cells_used, n, "cells_used agrees");
	lz_hold_release(&view, key, NULL);
	lz_sweep_free(&sweep);
}

/* Cells that the daemon makes while a thread counts: they stay in the sums, but for those of the moment in
 * which it copies the tags, a small part of the whole. */
static void counts_what_comes_meanwhile(void)
{
	struct lz_sweep_config config = { .idle_s = 3600, .slice_lines = view.instance.tag_lines };
	__u32 now_s = 8300, key = FIRST + 0x300000;
	size_t made = 0, wrong = 0, n;
	struct lz_sweep_totals t = {};
	struct lz_sweep *sweep;
	pthread_t aside;
	__u64 before;
	int r;

	set_clock(now_s);
	sweep_all(1, &t);
	before = view.tables->cells_held;
	T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
	for (int pass = 0; pass < 8; pass++) {
		while ((r = lz_sweep_step(sweep)) == LZ_SWEEP_MORE || r == LZ_SWEEP_WAIT) {
			if (r == LZ_SWEEP_MORE)
				continue;
			waited = 0;
			pthread_create(&aside, NULL, wait_aside, sweep);
			for (size_t i = 0; i < MEANWHILE_MAX && !waited; i++, made++)
				lz_hold_set(&view, key++, LZ_HOLD_WORD(now_s + 60, 60, 1, 0), 0, NULL);
			pthread_join(aside, NULL);
		}
		T_EQ(r, LZ_SWEEP_DONE, "the end of a pass");
		count_doubles(&n);
		wrong += n > view.tables->cells_used ? n - view.tables->cells_used : view.tables->cells_used - n;
	}
	printf("# %zu cells made meanwhile, %zu of them not counted or twice\n", made, wrong);
	T_OK(wrong <= made / 4, "most are counted");
	lz_sweep_free(&sweep);
	set_clock(now_s + 60 + LZ_RELEASED_S);
	sweep_all(1, &t);
	T_EQ(view.tables->cells_held, before, "and in the end all are gone");
}

#define FILLS	  10
#define HOSTS	  5000 /* of a hundred prefixes */
#define HOLDS_MAX 20000000

static unsigned filled;

static void *fill_anew(void *arg)
{
	(void)arg;
	while (filled < FILLS && !lz_held_rebuild(&view))
		__atomic_add_fetch(&filled, 1, __ATOMIC_RELAXED);
	return NULL;
}

static __u32 host(__u32 i)
{
	return FIRST + 0x80000 + i % 100 * 0x8000 + i / 100;
}

/* Hosts are held, let go and held again while the bits that say so are filled anew. */
static void holds_while_bits_are_filled(void)
{
	size_t refused = 0, missed = 0;
	__u32 now_s = 8500, n = 0;
	pthread_t aside;

	set_clock(now_s);
	T_EQ(pthread_create(&aside, NULL, fill_anew, NULL), 0, "a thread that fills");
	for (; n < HOLDS_MAX && __atomic_load_n(&filled, __ATOMIC_RELAXED) < FILLS; n++) {
		__u32 key = host(n % HOSTS);

		if (n >= HOSTS)
			lz_hold_release(&view, key, NULL);
		refused += lz_hold_set(&view, key, LZ_HOLD_WORD(now_s + 60, 60, 1, 0), 0, NULL) != LZ_HOLD_NEW;
		missed += !lz_held_marked(&view, key);
	}
	pthread_join(aside, NULL);
	printf("# %u holds while they were filled %u times\n", n, filled);
	T_EQ(filled, FILLS, "filled meanwhile");
	T_EQ(refused, 0, "no hold is refused for it");
	T_EQ(missed, 0, "packets look for each at once");
	for (__u32 i = 0; i < n && i < HOSTS; i++) {
		missed += !lz_held_marked(&view, host(i));
		lz_hold_release(&view, host(i), NULL);
	}
	T_EQ(missed, 0, "and at the end");
}

static __u32 seen_of(__u32 key)
{
	struct lz_cell_copy cell = {};

	T_EQ(lz_cell_get(&view, key, &cell), 0, "a cell");
	return cell.seen_s;
}

/* "seen" is kept in units of 64 s, which come round in 48 days: nobody is forgotten too early, nobody who
 * is silent is new again. */
static void seen_in_units(void)
{
	__u32 key = FIRST + 0x380000, start_s = LZ_SEEN_UNIT_S * 65530u;
	struct lz_sweep_totals t = {};
	struct lz_cell_copy cell;

	set_clock(5); /* the first unit, which would be 0 */
	send_syn(key, 443);
	T_EQ(seen_of(key), 1, "seen in the first unit of all");
	sweep_all(60, &t);
	T_EQ(seen_of(key), 1, "and not taken for never seen");
	set_clock(start_s + LZ_SEEN_UNIT_S - 1);
	send_syn(key, 443);
	T_EQ(seen_of(key), start_s, "cut to the unit");
	set_clock(start_s + LZ_SEEN_UNIT_S - 2 + 60);
	sweep_all(60, &t);
	T_EQ(seen_of(key), start_s, "idle counts from the unit's end");
	set_clock(start_s - 1); /* this CPU's clock is a tick behind the packet's, and that was a new unit */
	T_EQ(seen_of(key), start_s - LZ_SEEN_UNIT_S, "as of now");
	sweep_all(1, &t);
	T_EQ(seen_of(key), start_s - LZ_SEEN_UNIT_S, "it stays");
	set_clock(LZ_SEEN_UNIT_S * 65536u - 1); /* the last before they come round */
	send_syn(key, 443);
	set_clock(LZ_SEEN_UNIT_S * 65536u);
	T_EQ(seen_of(key), LZ_SEEN_UNIT_S * 65535u, "a second ago");
	set_clock(LZ_SEEN_UNIT_S * 65536u + 59);
	sweep_all(60, &t);
	T_EQ(seen_of(key), LZ_SEEN_UNIT_S * 65535u, "and stays where unit 0 would be 1");
	start_s = LZ_SEEN_UNIT_S * 65535u;
	set_clock(start_s + 31 * 86400); /* units have come round meanwhile */
	T_EQ(seen_of(key), start_s, "31 days ago");
	sweep_all(31 * 86400, &t);
	T_EQ(seen_of(key), start_s, "no longer than the longest idle");
	T_OK(lz_hold_set(&view, key, LZ_HOLD_WORD(start_s + 45 * 86400, 14 * 86400, 1, 0), 0, NULL) >= 0, "held");
	set_clock(start_s + 44 * 86400);
	T_OK(lz_hold_set(&view, key, LZ_HOLD_WORD(start_s + 70 * 86400, 26 * 86400, 1, 0), 0, NULL) >= 0, "longer");
	set_clock(start_s + 46 * 86400);
	sweep_all(60, &t);
	T_EQ(seen_of(key), 0, "who is held and silent for 45 days: nobody knows when");
	set_clock(start_s + 50 * 86400);
	T_EQ(seen_of(key), 0, "he is not new again");
	lz_hold_release(&view, key, NULL);
	set_clock(start_s + 50 * 86400 + LZ_RELEASED_S);
	sweep_all(60, &t);
	T_EQ(lz_cell_get(&view, key, &cell), -ENOENT, "and gone with his hold");
}

static unsigned dests_of(__u32 key)
{
	struct lz_cell_copy cell;
	unsigned n = 0;

	if (lz_cell_get(&view, key, &cell))
		return ~0u;
	for (int i = 0; i < 4; i++)
		n += (unsigned)__builtin_popcountll(cell.dests[i] & LZ_DESTS_MASK);
	return n;
}

/* Windows of destinations are told apart by 12 bits: what is over goes before they come round. */
static void destinations_of_old_windows(void)
{
	__u32 key = FIRST + 0x388000;
	__u64 start_s = 9000000, window_s;
	struct lz_sweep_totals t = {};

	set_clock(start_s);
	send_syn(key, 25);
	T_EQ(dests_of(key), 1, "a destination");
	window_s = view.control->gen[0].class_[LZ_CLASS_FIRST].dests_slot_ns / LZ_NS_PER_S;
	set_clock(start_s + window_s);
	send_syn(key, 443);
	sweep_all(86400, &t);
	T_EQ(dests_of(key), 1, "the window before the present one counts");
	set_clock(start_s - window_s);
	sweep_all(86400, &t);
	T_EQ(dests_of(key), 1, "so does one that is ahead: the packet's clock was");
	set_clock(start_s + 2 * window_s);
	send_syn(key, 443);
	sweep_all(86400, &t);
	T_EQ(dests_of(key), 0, "older ones are forgotten");
}

static const struct t_case cases[] = {
	{ "a sweep waits elsewhere", waits_aside },
	{ "and counts what comes meanwhile", counts_what_comes_meanwhile },
	{ "holds while the bits are filled anew", holds_while_bits_are_filled },
	{ "when somebody was seen", seen_in_units },
	{ "destinations of old windows", destinations_of_old_windows },
};

int main(void)
{
	return table_main(cases, LZ_ARRAY_SIZE(cases));
}
