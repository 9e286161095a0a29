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
}

/* Blocks with a bit, entries with a block, and their number are the same. */
static void check_blocks(void)
{
	__u32 bits = 0, entries = 0, lines = view.instance.block_lines;

	for (__u32 i = 0; i < lz_block_lines_all(view.instance.tag_lines) * LZ_BLOCK_ENTRIES; i++) {
		__u32 e = view.blocks[i / LZ_BLOCK_ENTRIES].entry[i % LZ_BLOCK_ENTRIES];

		if (i < lines * LZ_BLOCK_ENTRIES)
			entries += LZ_BLOCK_TAG(e) > LZ_BLOCK_GONE;
		else
			bits += (__u32)__builtin_popcount(e);
	}
	T_EQ(bits, entries, "as many blocks are taken as have an entry");
	T_EQ(view.tables->blocks_used, bits, "blocks_used agrees");
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

/* When the ten bits of the epochs come round, no cell may believe an old one. */
static void forgets_classes(void)
{
	struct lz_generation *gen = &view.control->gen[LZ_GEN_ACTIVE(view.control->gen_word)];
	__u32 key = FIRST + 0x2201, old, class_;
	struct lz_cell *cell;
	int slot;

	send_syn(key, 25);
	slot = lz_view_find(&view, key);
	if (!T_OK(slot >= 0, "a cell"))
		return;
	cell = &view.cells[slot];
	class_ = LZ_KNOWN_IS(cell->known_class);
	T_OK(class_ >= LZ_CLASS_FIRST, "a class with rules");
	T_EQ(cell->known_class, LZ_KNOWN_CLASS(gen->epoch, class_),
	     "the class is remembered by the packet that makes the cell");
	cell->known_class = 0;
	send_syn(key, 25);
	T_EQ(cell->known_class, LZ_KNOWN_CLASS(gen->epoch, class_), "and by the next, asked anew");
	old = gen->epoch;
	T_EQ(lz_swap_renumber(&view, gen->number + 1), 0, "a range changes");
	T_OK(gen->epoch > old, "that is another epoch");
	gen->epoch |= LZ_EPOCH_LOW(~0u);
	T_EQ(lz_swap_renumber(&view, gen->number + 1), 0, "the last of its round");
	T_OK(LZ_EPOCH_LOW(gen->epoch) && gen->epoch > 1024, "a fresh round");
	T_EQ(cell->known_class, 0, "nothing is remembered");
	/* Whose last class is of a whole round ago must not be taken for one of today. */
	gen->epoch |= LZ_EPOCH_LOW(~0u);
	cell->known_class = LZ_KNOWN_CLASS(gen->epoch + 2, LZ_CLASS_FIRST);
	T_EQ(lz_swap_renumber(&view, gen->number + 1), 0, "the last of another round");
	T_EQ(cell->known_class, 0, "nor what bears the fresh round's own bits");
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
	cell->seen_s = now_s;
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
	struct lz_cell cell;
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

static void swaps_and_goes_back(void)
{
	struct lz_swap_state s;

	set_clock(30000);
	lz_swap_state_get(&view, &s);
	T_EQ(s.number, 1, "generation 1 judges");
	T_OK(publish(2, 60), "generation 2 with a confirm");
	lz_swap_state_get(&view, &s);
	T_EQ(s.number, 2, "judges");
	T_OK(s.pending && !s.expired, "pending");
	T_EQ(lz_swap_idle_slot(&view), -EBUSY, "no slot is idle");
	T_EQ(lz_swap_confirm(&view), 0, "confirm");
	T_EQ(lz_swap_confirm(&view), -ENOENT, "nothing to confirm");
	T_OK(publish(3, 60), "generation 3");
	T_EQ(lz_swap_undo(&view), 0, "undo");
	lz_swap_state_get(&view, &s);
	T_EQ(s.number, 2, "back to 2");
	T_OK(publish(4, 60), "generation 4");
	set_clock(30060);
	lz_swap_state_get(&view, &s);
	T_OK(s.pending, "a second begun is not held against him");
	set_clock(30061);
	lz_swap_state_get(&view, &s);
	T_EQ(s.number, 2, "past the deadline 2 judges");
	T_OK(s.expired, "expired");
	T_EQ(lz_swap_confirm(&view), -ETIMEDOUT, "too late");
	T_EQ(lz_swap_settle(&view), 1, "settled");
	T_EQ(lz_swap_settle(&view), 0, "once");
	T_EQ(send_syn(FIRST + 1, 25), XDP_DROP, "and still refuses port 25");
}

static void excepts(void)
{
	struct lz_prefix_key host = { .bits = FIRST + 0x60000, .len = 64 };
	struct lz_prefix_key net = { .bits = FIRST + 0x61000, .len = 32 + 24 };
	struct lz_exception until = { .until_s = 40100, .flags = LZ_EXCEPTION_PORT25 };

	set_clock(40000);
	T_EQ(send_syn(FIRST + 0x60000, 25), XDP_DROP, "refused");
	T_EQ(lz_exception_add(&view, &host, &until), 0, "a host");
	T_EQ(lz_exception_add(&view, &host, &until), 0, "again: replaced");
	T_EQ(lz_exception_add(&view, &net, &until), 0, "a /24");
	T_EQ(view.control->exception_len64, 1, "one of length 64");
	set_clock(40010);
	T_EQ(send_syn(FIRST + 0x60000, 26), XDP_PASS, "another port is not our business");
	T_EQ(send_syn(FIRST + 0x61055, 25), XDP_PASS, "the /24 is excepted");
	T_EQ(lz_exceptions_recount(&view), 0, "recount");
	T_EQ(view.exceptions, 2, "two");
	set_clock(40100);
	T_EQ(send_syn(FIRST + 0x61056, 25), XDP_DROP, "ends by itself");
	T_EQ(lz_exception_del(&view, &net), 0, "del");
	T_EQ(lz_exception_del(&view, &net), -ENOENT, "gone");
	T_EQ(view.control->exception_lens, 0, "no length is asked any more");
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
	T_EQ(top[0].cell.seen_s, 50000, "the newest first");
	T_EQ(top[0].key, FIRST + 0x70001, "ties by key");
	T_EQ(top[0].cell.syn, 30, "with its counters");
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
	{ "creators of one key share one cell", creates_once },
	{ "slots are reused under traffic", reuses_under_traffic },
	{ "an orphan's hold moves", moves_an_orphans_hold },
	{ "a hold moves out of a cell that nobody finds", moves_a_lone_orphans_hold },
	{ "a hidden cell does not come back over a newer one", takes_over_no_old_cell },
	{ "a killed controller's slots come back", takes_over_what_was_dying },
	{ "a policy is swapped, confirmed, undone, expires", swaps_and_goes_back },
	{ "exceptions are asked by length", excepts },
	{ "the largest first", ranks },
	{ "remembered classes do not outlive their epochs", forgets_classes },
};

int main(void)
{
	return table_main(cases, LZ_ARRAY_SIZE(cases));
}
