/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_table.c - the shared tables through the real maps: the controller on one side, the real program
 * under BPF_PROG_TEST_RUN on the other.
 */
#include "prog/table_room.h"

static bool word_is_zero(const __u64 *words, size_t n)
{
	__u64 any = 0;

	for (size_t i = 0; i < n; i++)
		any |= words[i];
	return !any;
}

/* ---------------------------------------------------------------- cases */

static struct lz_hold_entry *make_holds(__u32 first, size_t n, __u32 now_s, __u32 ttl_s)
{
	struct lz_hold_entry *e = calloc(n, sizeof(*e));

	for (size_t i = 0; i < n; i++) {
		e[i].key = first + i;
		e[i].word = LZ_HOLD_WORD(now_s + ttl_s, ttl_s, LZ_GARDEN_LEAKY, 0);
	}
	return e;
}

static void fills_without_failure(void)
{
	struct lz_hold_entry *e = make_holds(FIRST, SOURCES + COLONY, 1000, 3600);
	size_t n, held;
	__u64 word;
	double t0, t1;

	t0 = room_cpu_s();
	held = lz_hold_set_bulk(&view, e, SOURCES, 0);
	t1 = room_cpu_s();
	T_EQ(held, SOURCES, "600,000 holds");
	printf("# bulk insert: 600,000 holds in %.1f ms of CPU, %.0f ns each\n", (t1 - t0) * 1e3,
	       (t1 - t0) * 1e9 / SOURCES);
	held = lz_hold_set_bulk(&view, e + SOURCES, COLONY, 0);
	T_EQ(held, COLONY, "no insert fails up to the capacity");
	T_EQ(view.tables->cells_used, SOURCES + COLONY, "cells_used");
	T_EQ(view.tables->cells_held, SOURCES + COLONY, "cells_held: not the sources' budget");
	t0 = room_cpu_s();
	T_EQ(lz_holds_count(&view, 1000), SOURCES + COLONY, "all are held");
	t1 = room_cpu_s();
	printf("# scan: %.1f ms of CPU a million cells\n", (t1 - t0) * 1e3 * 1e6 / (SOURCES + COLONY));
	T_EQ(count_doubles(&n), 0, "no key twice");
	T_EQ(n, SOURCES + COLONY, "each key is seen");
	n = 0;
	for (size_t i = 0; i < SOURCES + COLONY; i++)
		n += !lz_hold_read(&view, e[i].key, &word) && word == e[i].word;
	T_EQ(n, SOURCES + COLONY, "each reads back");
	free(e);
}

/* Everything expires, then everything is idle: the table is as it was made. */
static void empties(void)
{
	struct lz_sweep_totals t = {};

	set_clock(1000 + 3600 + LZ_RELEASED_S);
	T_EQ(lz_holds_count(&view, lz_tables_now_s(&view)), 0, "all expired by themselves");
	sweep_all(60, &t);
	T_EQ(t.holds_expired, SOURCES + COLONY, "hold words cleared");
	T_EQ(t.reclaimed, SOURCES + COLONY, "cells reclaimed");
	T_EQ(t.orphans, 0, "none was an orphan");
	T_EQ(view.tables->cells_used, 0, "cells_used");
	T_EQ(view.tables->cells_held, 0, "cells_held");
	T_EQ(view.tables->blocks_used, 0, "every block is for others");
	T_OK(word_is_zero(view.tags[0].word, view.slots / 8), "every tag is free again");
	T_OK(word_is_zero(&view.cells[0].key, view.slots * (sizeof(struct lz_cell) / 8)),
	     "every cell is zero");
	T_OK(word_is_zero(&view.cold[0].state[0], view.slots * (sizeof(struct lz_cold) / 8)),
	     "and its other half");
}

/* Hosts from anywhere, each without a neighbour, take all blocks first; then come a provider's own. */
static void fills_with_strangers_too(void)
{
	struct lz_hold_entry *own = make_holds(FIRST, SOURCES, 4640, 10), *strangers;
	__u64 word;
	size_t lost = 0;

	strangers = make_holds(FIRST, COLONY, 4640, 10);
	for (size_t i = 0; i < COLONY; i++)
		strangers[i].key = 0x2001000000000000ull + ((__u64)(__u32)(i * 2654435761u) << 12);
	set_clock(4640);
	T_EQ(lz_hold_set_bulk(&view, strangers, COLONY, 0), COLONY, "600,000 strangers");
	T_EQ(lz_hold_set_bulk(&view, own, SOURCES, 0), SOURCES, "600,000 neighbours");
	for (size_t i = 0; i < COLONY; i++)
		lost += lz_hold_read(&view, strangers[i].key, &word) != 0;
	for (size_t i = 0; i < SOURCES; i++)
		lost += lz_hold_read(&view, own[i].key, &word) != 0;
	T_EQ(lost, 0, "each is found");
	T_EQ(count_doubles(&lost), 0, "no key twice");
	check_blocks();
	free(own);
	free(strangers);
}

static void empties_again(void)
{
	struct lz_sweep_totals t = {};

	set_clock(4651 + LZ_RELEASED_S);
	sweep_all(10, &t);
	T_EQ(view.tables->cells_used, 0, "cells_used");
	T_EQ(view.tables->blocks_used, 0, "every block is for others");
	T_OK(word_is_zero(view.tags[0].word, view.slots / 8), "every tag is free again");
}

static void holds_and_lets_go(void)
{
	__u32 a = FIRST + 7, b = FIRST + 8;
	__u64 word = LZ_HOLD_WORD(5060, 60, LZ_GARDEN_STRICT, LZ_HOLD_F_OPERATOR), got = 0;
	struct lz_port_stats stats;

	set_clock(5000);
	T_EQ(send_syn(a, 443), XDP_PASS, "not held: passes");
	T_EQ(last().reason, LZ_R_PASS_EXAMINED, "examined");
	T_EQ(lz_hold_set(&view, a, word, 0, &got), LZ_HOLD_NEW, "hold");
	T_EQ(got, word, "read back");
	send_syn(a, 8080);
	T_EQ(last().reason, LZ_R_DROP_HELD, "held: refused");
	T_EQ(send_syn(a, 8080), XDP_DROP, "strict: other TCP is dropped");
	T_EQ(send_syn(b, 8080), XDP_PASS, "the neighbour passes");
	T_EQ(lz_hold_set(&view, a, LZ_HOLD_WORD(5030, 30, 1, 0), 0, NULL), LZ_HOLD_STOOD,
	     "shorter: stands");
	T_EQ(lz_hold_set(&view, a, LZ_HOLD_WORD(5090, 90, 1, 0), 0, NULL), LZ_HOLD_EXTENDED,
	     "longer: extended");
	T_EQ(lz_hold_set(&view, a, LZ_HOLD_WORD(5030, 30, 1, 0), LZ_HOLD_SET_EXACT, &got),
	     LZ_HOLD_SHORTENED, "an operator shortens");
	T_EQ(LZ_HOLD_EXPIRY(got), 5030, "to what he said");
	set_clock(5029);
	T_EQ(send_syn(a, 8080), XDP_DROP, "held to the last second (I1)");
	set_clock(5030);
	T_EQ(send_syn(a, 8080), XDP_PASS, "passes at its end, with no daemon (I2)");
	T_EQ(lz_hold_read(&view, a, &got), -ENOENT, "and reads as not held");
	T_EQ(lz_hold_set(&view, a, LZ_HOLD_WORD(5090, 60, 1, 0), 0, NULL), LZ_HOLD_NEW, "held anew");
	T_EQ(send_syn(a, 8080), XDP_DROP, "held");
	T_EQ(lz_hold_release(&view, a, &got), 0, "release");
	T_EQ(send_syn(a, 8080), XDP_PASS, "released: passes");
	T_EQ(lz_hold_release(&view, a, NULL), -ENOENT, "nothing to release");
	T_EQ(lz_hold_set(&view, a, LZ_HOLD_WORD(5100, 60, 1, 0), 0, NULL), -EINVAL,
	     "more left than granted: refused here");
	T_EQ(lz_hold_set(&view, LZ_KEY_AGGREGATE | 5, LZ_HOLD_WORD(5090, 60, 1, 0), 0, NULL), -EINVAL,
	     "an aggregate is never held");
	T_OK(!lz_port_stats_read(&view, lz_ports_row(view.ports, 1), &stats), "port statistics");
	T_OK(stats.count[LZ_C_RECEIVED] >= 8, "packets were counted on the port's row");
	T_OK(stats.count[LZ_R_DROP_HELD] >= 4, "and the refusals");
}

/* Bits of holds that ended go with a pass; those of holds that stand are in the copy that is read before
 * and in the one that is read after. */
static void forgets_ended_holds(void)
{
	__u32 now_s = lz_tables_now_s(&view);
	__u64 gone = FIRST + 0x2201, stands = FIRST + 0x32305; /* may share a page, not a bit */
	struct lz_sweep_totals totals;
	__u64 copy = view.tables->held_copy;

	T_EQ(lz_hold_set(&view, gone, LZ_HOLD_WORD(now_s + 60, 60, 0, 0), 0, NULL), LZ_HOLD_NEW, "hold");
	T_EQ(lz_hold_set(&view, stands, LZ_HOLD_WORD(now_s + 900, 900, 0, 0), 0, NULL), LZ_HOLD_NEW,
	     "hold another");
	T_OK(lz_held_marked(&view, gone) && lz_held_marked(&view, stands), "packets of both look");
	set_clock(now_s + 600);
	sweep_all(3600, &totals);
	T_OK(view.tables->held_copy != copy, "the other copy is read");
	T_OK(!lz_held_marked(&view, gone), "nobody looks for what ended");
	T_OK(lz_held_marked(&view, stands), "what stands is looked for");
	copy = view.tables->held_copy;
	sweep_all(3600, &totals);
	T_EQ(view.tables->held_copy, copy, "nothing ended: nothing is filled anew");
	T_EQ(lz_hold_release(&view, stands, NULL), 0, "release");
	set_clock(now_s);
}

static void acknowledges(void)
{
	__u64 word = LZ_HOLD_WORD(5090, 60, 0, LZ_HOLD_F_KERNEL), got;

	set_clock(5030);
	T_EQ(lz_hold_set(&view, FIRST + 20, word, 0, NULL), LZ_HOLD_NEW, "as a limit would");
	T_EQ(lz_hold_acknowledge(&view, FIRST + 20, word + 1), -EAGAIN, "another word stands");
	T_EQ(lz_hold_acknowledge(&view, FIRST + 20, word), 0, "acknowledged");
	T_EQ(lz_hold_read(&view, FIRST + 20, &got), 0, "still held");
	T_EQ(LZ_HOLD_FLAGS(got), 0, "no longer the kernel's alone");
	lz_hold_release(&view, FIRST + 20, NULL);
}

static void ranks(void)
{
	struct lz_cell_copy top[3];
	size_t total;

	set_clock(50000);
	for (int i = 0; i < 30; i++)
		send_syn(FIRST + 0x70001, 443);
	for (int i = 0; i < 20; i++)
		send_syn(FIRST + 0x70002, 443);
	T_EQ(lz_cells_top(&view, LZ_SORT_SEEN, 3, top, &total), 3, "three");
	T_EQ(top[0].seen_s, 50000 / LZ_SEEN_UNIT_S * LZ_SEEN_UNIT_S, "the newest first");
	T_EQ(top[0].key, FIRST + 0x70001, "ties by key");
	T_EQ(top[0].syn, 30, "with its counters");
	T_EQ(top[1].key, FIRST + 0x70002, "then the next");
	T_OK(total > 3, "and how many there are");
}

static const struct t_case cases[] = {
	{ "a table takes its capacity without a failed insert", fills_without_failure },
	{ "what expired and is idle goes back to nothing", empties },
	{ "the same with strangers, who have no neighbours", fills_with_strangers_too },
	{ "and all of that goes back to nothing", empties_again },
	{ "a hold holds until released or its time", holds_and_lets_go },
	{ "nobody looks for a hold that ended", forgets_ended_holds },
	{ "a hold of the kernel is acknowledged", acknowledges },
	{ "the largest first", ranks },
};

int main(void)
{
	return table_main(cases, LZ_ARRAY_SIZE(cases));
}
