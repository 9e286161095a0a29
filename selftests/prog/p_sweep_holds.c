/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_sweep_holds.c - what a sweep does with holds, and what it must leave alone: each state of a cell by itself,
 * made by hand where only an unlucky instant would make it.
 */
#include "prog/barriers.h"
#include "prog/table_room.h"

static struct lz_cell *cell_of(__u64 key)
{
	static struct lz_cell none;
	int slot = lz_view_find(&view, key);

	return T_OK(slot >= 0, "a cell") ? &view.cells[slot] : &none;
}

static __u8 *tag_of(__u64 key)
{
	return (__u8 *)view.tags + (cell_of(key) - view.cells);
}

static void send_syn6(const char *source)
{
	struct pkt_spec spec = { .src = source, .dst = "2001:500::1", .dport = 443 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .repeat = 1);
	struct pkt p;

	pkt_build(&p, &spec);
	run.data_in = p.data;
	run.data_size_in = p.bytes;
	T_EQ(bpf_prog_test_run_opts(kernel.prog_fd[LZ_PROG_XDP], &run), 0, "test_run");
}

static void empty_all(__u32 *now_s)
{
	struct lz_sweep_totals t = {};

	set_clock(*now_s += 10000);
	sweep_all(1, &t);
	sweep_all(1, &t); /* what was of those that went in the first */
	T_EQ(view.tables->cells_used, 0, "nothing is left");
}

/* A word whose writer went no further: whoever sweeps does the rest, or no packet would look for it. */
static void finishes_a_hold(void)
{
	__u64 key = FIRST + 0x11;
	struct lz_sweep_totals t = {};
	__u32 now_s = 8000;

	set_clock(now_s);
	sweep_all(3600, &t);
	T_OK(!view.held_stale, "nothing is to be filled anew");
	send_syn((__u32)key, 443);
	cell_of(key)->hold = LZ_HOLD_WORD(now_s + 60, 60, LZ_GARDEN_STRICT, 0);
	T_OK(!lz_held_marked(&view, key), "no packet looks for it");
	sweep_all(3600, &t);
	T_OK(lz_held_marked(&view, key), "packets do");
	T_OK(*tag_of(key) & LZ_TAG_HELD, "and the controller finds it by its tag");
	T_EQ(lz_holds_count(&view, now_s), 1, "so it is counted");
	empty_all(&now_s);
}

static bool is_active(__u64 key, __u32 within_s, __u32 now_s)
{
	return lz_cell_is_active(&view, (__u32)(cell_of(key) - view.cells), within_s, now_s);
}

/* Held, and never sent: not active, even if a packet of somebody else has left its time there. */
static void knows_who_has_sent(void)
{
	__u64 silent = FIRST + 0x11, sender = FIRST + 0x12, both = FIRST + 0x13;
	__u32 now_s = 208000;

	set_clock(now_s);
	T_EQ(lz_hold_set(&view, silent, LZ_HOLD_WORD(now_s + 60, 60, LZ_GARDEN_STRICT, 0), 0, NULL), LZ_HOLD_NEW, "held");
	T_EQ(lz_hold_set(&view, both, LZ_HOLD_WORD(now_s + 60, 60, LZ_GARDEN_STRICT, 0), 0, NULL), LZ_HOLD_NEW, "held");
	send_syn((__u32)sender, 443);
	send_syn((__u32)both, 25);
	T_OK(!is_active(silent, 3600, now_s), "who is held and never sent is not");
	cell_of(silent)->seen = lz_seen(now_s);
	T_OK(!is_active(silent, 3600, now_s), "nor by a time that another left");
	T_OK(is_active(sender, 3600, now_s), "who sends is");
	T_OK(is_active(both, 3600, now_s), "who is held and sends is");
	T_OK(is_active(sender, 3600, now_s + 3000), "for as long as was asked");
	T_OK(!is_active(sender, 3600, now_s + 3600 + 2 * LZ_SEEN_UNIT_S), "and no longer");
	empty_all(&now_s);
}

/* A limit that had the cell in hand when it was hidden: it stays, and is found as held at once. */
static void gives_back_a_held_cell(void)
{
	struct lz_sweep_config config = { .idle_s = 1, .slice_lines = view.instance.tag_lines };
	__u64 key = FIRST + 0x12;
	struct lz_sweep *sweep;
	struct lz_cell *cell;
	__u32 now_s = 28000;

	set_clock(now_s);
	send_syn((__u32)key, 443);
	cell = cell_of(key);
	T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
	set_clock(now_s + 200);
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_WAIT, "it is idle");
	T_EQ(cell->hold, LZ_HOLD_DYING, "and hidden");
	cell->hold = LZ_HOLD_WORD(now_s + 260, 60, LZ_GARDEN_STRICT, LZ_HOLD_F_KERNEL);
	lz_sweep_wait(sweep);
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_MORE, "looked at again");
	T_OK(cell_of(key) == cell, "it is found where it was");
	T_EQ(lz_holds_count(&view, now_s + 200), 1, "and counted as held, at once");
	lz_sweep_free(&sweep);
	now_s += 1000;
	empty_all(&now_s);
}

static struct {
	__u64 other; /* is held when this one is come to */
	__u32 now_s;
	unsigned told; /* of holds by the kernel */
	__u64 key;
} during;

static void hold_another(void *arg, __u64 key, __u32 slot)
{
	struct lz_cell *cell;

	(void)arg;
	(void)slot;
	if (!during.other || key == during.other)
		return;
	set_clock(during.now_s + 5);
	cell = cell_of(during.other);
	cell->hold = LZ_HOLD_WORD(during.now_s + 66, 60, LZ_GARDEN_STRICT, LZ_HOLD_F_KERNEL);
	during.other = 0;
}

static void note_kernel_hold(void *arg, __u64 key, __u64 word)
{
	(void)arg;
	(void)word;
	during.told++;
	during.key = key;
}

static void pass_with(struct lz_sweep_config config)
{
	struct lz_sweep *sweep;

	T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
	T_EQ(lz_sweep_pass(sweep), LZ_SWEEP_DONE, "a pass ends");
	lz_sweep_free(&sweep);
}

/* Held since the slice began, by a clock that the slice has not read: not one that is over. */
static void looks_at_its_clock_again(void)
{
	struct lz_sweep_config config = { .idle_s = 3600, .on_source = hold_another };
	__u64 key = FIRST + 0x20, word;
	__u32 now_s = 48000;

	set_clock(now_s);
	send_syn((__u32)key, 443);
	send_syn((__u32)key + 1, 443); /* behind it in their block */
	during.other = key + 1;
	during.now_s = now_s;
	pass_with(config);
	T_EQ(during.other, 0, "held meanwhile");
	T_EQ(lz_hold_read(&view, key + 1, &word), 0, "and held afterwards");
	empty_all(&now_s);
}

/* What a limit in the kernel held is told, for the ledger does not have it; the others are. */
static void tells_what_the_kernel_held(void)
{
	struct lz_sweep_config config = { .idle_s = 3600, .on_kernel_hold = note_kernel_hold };
	__u64 key = FIRST + 0x30;
	__u32 now_s = 68000;

	set_clock(now_s);
	T_EQ(lz_hold_set(&view, key, LZ_HOLD_WORD(now_s + 60, 60, 1, 0), 0, NULL), LZ_HOLD_NEW, "by an operator");
	send_syn((__u32)key + 1, 443);
	cell_of(key + 1)->hold = LZ_HOLD_WORD(now_s + 60, 60, 1, LZ_HOLD_F_KERNEL);
	pass_with(config);
	T_EQ(during.told, 1, "one is told");
	T_EQ(during.key, key + 1, "the kernel's");
	empty_all(&now_s);
}

/* For 30 s the portal finishes what it has with one who was let go, however long he was silent. */
static void keeps_who_was_let_go(void)
{
	__u64 key = FIRST + 0x40, word = 0;
	struct lz_sweep_totals t = {};
	__u32 now_s = 88000;

	set_clock(now_s);
	T_EQ(lz_hold_set(&view, key, LZ_HOLD_WORD(now_s + 9000, 9000, 1, 0), 0, NULL), LZ_HOLD_NEW, "held");
	set_clock(now_s += 5000);
	T_EQ(lz_hold_release(&view, key, &word), 0, "let go, silent since then");
	set_clock(now_s += LZ_RELEASED_S - 1);
	sweep_all(60, &t);
	T_EQ(LZ_HOLD_EXPIRY(cell_of(key)->hold), now_s + 1 - LZ_RELEASED_S, "the word is there to the last second");
	set_clock(now_s += 1);
	sweep_all(60, &t);
	T_EQ(lz_view_find(&view, key), LZ_SEARCH_NONE, "and goes with his cell");
	empty_all(&now_s);
}

/* A /48 is counted for as long as there are sources in it, and no longer. */
static void forgets_an_empty_48(void)
{
	__u64 parent = lz_key_aggregate(&view.instance, LZ_AGGREGATE_V6_BUDGET, 0x20010db80007ULL);
	struct lz_sweep_totals t = {};
	__u32 now_s = 108000;

	set_clock(now_s);
	send_syn6("2001:db8:7::1");
	send_syn6("2001:db8:7:1::1");
	send_syn(FIRST + 0x50, 443);
	T_EQ(cell_of(parent)->hold, 2, "two sources");
	set_clock(now_s += 1000);
	send_syn6("2001:db8:7:1::1");
	sweep_all(60, &t);
	T_EQ(cell_of(parent)->hold, 1, "one is left");
	empty_all(&now_s);
}

/* Up to the reuse, and no further: what the count at the end of a pass would set right is right before it. */
static struct lz_sweep *sweep_to_the_count(void)
{
	struct lz_sweep_config config = { .idle_s = 60, .slice_lines = view.instance.tag_lines };
	struct lz_sweep *sweep;

	T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_WAIT, "some are idle");
	lz_sweep_wait(sweep);
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_MORE, "and go");
	return sweep;
}

static void reuses_a_slot(void)
{
	static const struct lz_cold unused;
	__u64 key = FIRST + 0x60, used;
	__u32 now_s = 168000, slot;
	struct lz_sweep *sweep;

	set_clock(now_s);
	send_syn((__u32)key, 25);
	slot = (__u32)(cell_of(key) - view.cells);
	T_OK(memcmp(&view.cold[slot], &unused, sizeof(unused)), "both halves have counted");
	set_clock(now_s += 1000);
	used = view.tables->cells_used;
	sweep = sweep_to_the_count();
	T_EQ(view.tables->cells_used, used - 1, "one less");
	T_EQ(((__u8 *)view.tags)[slot], LZ_TAG_RECLAIMED, "a search goes on past it");
	T_OK(!memcmp(&view.cold[slot], &unused, sizeof(unused)), "whoever comes next begins at 0");
	lz_sweep_free(&sweep);
	empty_all(&now_s);
}

/* Children are those that packets made: one that the controller made to hold it was never counted. */
static void counts_down_a_48(void)
{
	__u64 parent = lz_key_aggregate(&view.instance, LZ_AGGREGATE_V6_BUDGET, 0x20010db80008ULL);
	struct lz_sweep *sweep;
	__u32 now_s = 188000;

	set_clock(now_s);
	send_syn6("2001:db8:8::1");
	T_EQ(lz_hold_set(&view, 0x20010db800080001ULL, LZ_HOLD_WORD(now_s + 60, 60, 1, 0), 0, NULL), LZ_HOLD_NEW, "a hold");
	set_clock(now_s += 1000);
	cell_of(parent)->seen = lz_seen(now_s);
	sweep = sweep_to_the_count();
	T_EQ(lz_view_find(&view, 0x20010db800080000ULL), LZ_SEARCH_NONE, "one went");
	T_EQ(lz_view_find(&view, 0x20010db800080001ULL), LZ_SEARCH_NONE, "and the other");
	T_EQ(cell_of(parent)->hold, 0, "none is left, nor less");
	lz_sweep_free(&sweep);
	empty_all(&now_s);
}

/* Hidden by a controller that was killed before it came to the tag. */
static void shows_what_was_hidden(void)
{
	struct lz_sweep_config config = { .idle_s = 3600 };
	__u64 key = FIRST + 0x70;
	struct lz_sweep *sweep;
	__u32 now_s = 208000, block;
	struct lz_cell *cell;

	set_clock(now_s);
	send_syn((__u32)key, 443);
	cell = cell_of(key);
	cell->hold = LZ_HOLD_DYING;
	T_EQ(lz_view_find(&view, key), LZ_SEARCH_NONE, "found by nobody");
	T_OK(!lz_sweep_new(&view, &config, &sweep), "the next one");
	T_OK(cell_of(key) == cell, "shows it");
	lz_sweep_free(&sweep);
	block = lz_blocks_of(view.instance.tag_lines) - 1; /* taken, and then killed: no entry has it */
	view.blocks[lz_block_bit_line(block, &view.instance)].entry[block / 32 % LZ_BLOCK_ENTRIES] |= 1u << (block & 31);
	view.tables->blocks_used++;
	T_OK(!lz_sweep_new(&view, &config, &sweep), "the one after it");
	check_blocks();
	lz_sweep_free(&sweep);
	empty_all(&now_s);
}

/* The first cells of all are cells, too. */
static void marks_in_the_first_word(void)
{
	__u32 now_s = 128000, slot = 0;
	__u64 key = FIRST + 0x345678;

	set_clock(now_s);
	T_EQ(view.tags[0].word[0], 0, "nobody lives there");
	view.cells[slot].key = ~key;
	view.cells[slot].hold = LZ_HOLD_WORD(now_s + 60, 60, 1, 0);
	view.tags[0].word[0] = LZ_TAG_HELD | LZ_TAG_MIN;
	T_EQ(lz_held_rebuild(&view), 0, "filled anew");
	T_OK(lz_held_marked(&view, key), "he is looked for");
	memset(&view.cells[slot], 0, sizeof(view.cells[slot]));
	view.tags[0].word[0] = 0;
}

static size_t pages_owned(void)
{
	const __u32 *owner = view.tables->held_owner[view.tables->held_copy & 1];
	size_t n = 0;

	for (__u32 i = 0; i < LZ_HELD_PAGES_MAX; i++)
		n += owner[i] != 0;
	return n;
}

/* Pages are few: when nobody of a prefix is held any more, it has none. */
static void frees_pages(void)
{
	__u32 now_s = 148000;

	set_clock(now_s);
	for (__u32 i = 0; i < 20; i++)
		lz_hold_set(&view, FIRST + i * 0x8000, LZ_HOLD_WORD(now_s + 60, 60, 1, 0), 0, NULL);
	T_EQ(lz_held_rebuild(&view), 0, "filled anew");
	T_EQ(pages_owned(), 20, "a page for each prefix");
	for (__u32 i = 1; i < 20; i++)
		lz_hold_release(&view, FIRST + i * 0x8000, NULL);
	set_clock(now_s + LZ_RELEASED_S);
	empty_all(&now_s);
	lz_hold_set(&view, FIRST, LZ_HOLD_WORD(now_s + 60, 60, 1, 0), 0, NULL);
	for (int copy = 0; copy < 2; copy++) {
		T_EQ(lz_held_rebuild(&view), 0, "filled anew");
		T_EQ(pages_owned(), 1, "one is left");
	}
	empty_all(&now_s);
}

static void wait_for_it(void *sweep)
{
	lz_sweep_wait(sweep);
}

/* The end of a pass asks for three barriers: to count, and two to fill the bits anew. Whichever is refused, the
 * pass has not ended, nothing is tried behind it, and the bits are still to be filled. */
static void fills_no_bits_without_barriers(void)
{
	struct lz_sweep_config config = { .idle_s = 3600, .slice_lines = view.instance.tag_lines };
	__u64 key = FIRST + 0x50;
	struct lz_sweep_totals t;
	struct lz_sweep *sweep;
	__u32 now_s = 228000;

	set_clock(now_s);
	T_EQ(lz_hold_set(&view, key, LZ_HOLD_WORD(now_s + 60, 60, 1, 0), 0, NULL), LZ_HOLD_NEW, "held");
	sweep_all(3600, &t);
	view.held_stale = true;
	T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
	T_EQ(lz_sweep_step(sweep), LZ_SWEEP_MORE, "nobody is idle");
	for (unsigned int n = 0; n <= 3; n++) {
		T_EQ(lz_sweep_step(sweep), LZ_SWEEP_WAIT, "the end of the pass");
		T_EQ(barriers_allow(n, wait_for_it, sweep), n < 3 ? n + 1 : 3, "barriers asked for");
		T_EQ(lz_sweep_step(sweep), n < 3 ? -EPERM : LZ_SWEEP_DONE, "with so many of three");
		T_EQ(view.held_stale, n < 3, "still to be filled");
		T_OK(lz_held_marked(&view, key), "packets look for who is held");
		lz_sweep_totals_get(sweep, &t);
		T_EQ(t.passes, n / 3, "passes");
	}
	lz_sweep_free(&sweep);
	empty_all(&now_s);
}

static void count_source(void *arg, __u64 key, __u32 slot)
{
	unsigned int *n = arg;

	(void)key;
	(void)slot;
	++*n;
}

/* One sweep, pass after pass, in slices of any size: each source once a pass. What became idle is taken back, and its tag is nobody's to search past. */
static void goes_round(void)
{
	const __u32 lines = view.instance.tag_lines, slices[] = { 1, lines / 3, lines - 1, lines, 0 };
	__u64 key = FIRST + 0x60;
	struct lz_sweep_totals t;
	__u32 now_s = 328000;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(slices); i++) {
		unsigned int seen = 0;
		struct lz_sweep_config config = { .idle_s = 60, .slice_lines = slices[i], .on_source = count_source,
						  .arg = &seen };
		struct lz_sweep *sweep;

		T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new");
		for (unsigned int pass = 1; pass <= 3; pass++) {
			set_clock(now_s += 1000);
			for (__u32 n = 0; n < 300; n++)
				send_syn((__u32)key + n, 443);
			seen = 0;
			T_EQ(lz_sweep_pass(sweep), LZ_SWEEP_DONE, "a pass ends");
			T_EQ(seen, 300, "each source is come to once");
			set_clock(now_s += 1000);
			T_EQ(lz_sweep_pass(sweep), LZ_SWEEP_DONE, "and another");
			lz_sweep_totals_get(sweep, &t);
			T_EQ(t.passes, 2 * pass, "passes");
			T_EQ(t.reclaimed, 300 * pass, "all idle cells are taken back");
			T_EQ(t.tags_freed, 300 * pass, "and their tags");
			T_EQ(view.tables->cells_used, 0, "nothing is left");
		}
		lz_sweep_free(&sweep);
	}
}

static const struct t_case cases[] = {
	{ "a hold half written", finishes_a_hold },
	{ "a hold at the last instant", gives_back_a_held_cell },
	{ "a hold of this very slice", looks_at_its_clock_again },
	{ "a hold by the kernel", tells_what_the_kernel_held },
	{ "one who was let go", keeps_who_was_let_go },
	{ "an empty /48", forgets_an_empty_48 },
	{ "a /48 with fewer", counts_down_a_48 },
	{ "a slot that is used again", reuses_a_slot },
	{ "what was hidden", shows_what_was_hidden },
	{ "the first word of tags", marks_in_the_first_word },
	{ "who has sent", knows_who_has_sent },
	{ "pages of prefixes without a hold", frees_pages },
	{ "pass after pass", goes_round },
	{ "the end of a pass without barriers", fills_no_bits_without_barriers },
};

int main(void)
{
	return table_main(cases, LZ_ARRAY_SIZE(cases));
}
