/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_table_policy.c - generations and exceptions in the real maps, and the classes that cells remember of them. */
#include "prog/table_room.h"

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
	lz_swap_state_get(&view, &s);
	T_OK(s.number == 2 && !s.pending && !s.expired, "and 2 is in force for good");
	T_OK(publish(5, 60), "generation 5");
	set_clock(30200);
	T_OK(publish(6, 0), "once it has expired there is room for another");
	lz_swap_state_get(&view, &s);
	T_EQ(s.number, 6, "which judges");
	for (__u64 n = 7; n < 10; n++) { /* in one slot and in the other */
		__u32 a = view.control->gen[0].epoch, b = view.control->gen[1].epoch;

		T_OK(publish(n, 0), "and others");
		T_OK(view.control->gen[LZ_GEN_ACTIVE(view.control->gen_word)].epoch > (a > b ? a : b), "each of a new epoch");
	}
	T_EQ(send_syn(FIRST + 1, 25), XDP_DROP, "and still refuses port 25");
}

/* Each slot says which policy it has: undo and the deadline lead back to that of the other. */
static void tells_which_policy(void)
{
	struct lz_generation *gen = view.control->gen;
	struct lz_swap_state s;
	__u64 word;

	set_clock(35000);
	image->gen.policy = 0xabc;
	T_OK(publish(20, 0), "one");
	image->gen.policy = 0xdef;
	T_OK(publish(21, 60), "and another");
	lz_swap_state_get(&view, &s);
	T_EQ(s.policy, 0xdef, "judges");
	T_EQ(s.previous_policy, 0xabc, "beside the one");
	T_EQ(lz_swap_highest(&view), 21, "the highest number");
	lz_swap_end_trial(&view);
	lz_swap_state_get(&view, &s);
	T_OK(s.policy == 0xabc && s.number == 20 && !s.pending, "a trial ends with the one before");
	T_EQ(lz_swap_highest(&view), 21, "what was tried had a number, too");
	T_EQ(lz_swap_renumber(&view, 22, 0x123), 0, "changed in place");
	lz_swap_state_get(&view, &s);
	T_OK(s.policy == 0x123 && s.number == 22, "it is another one");
	lz_swap_end_trial(&view);
	lz_swap_state_get(&view, &s);
	T_EQ(s.number, 22, "what is no trial stays");
	word = view.control->gen_word;
	view.control->gen_word = LZ_GEN_WORD(LZ_GEN_ACTIVE(word), LZ_GEN_NONE, 35060);
	lz_swap_end_trial(&view);
	lz_swap_state_get(&view, &s);
	T_OK(s.number == 22 && !s.pending, "and a first one: nobody goes free meanwhile");
	gen[LZ_GEN_ACTIVE(word)].policy = image->gen.policy = 0;
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

/* Of single sources a bit is asked first: it is there with the exception, and after a start. */
static void excepts_single_sources(void)
{
	struct lz_exception until = { .until_s = 50100, .flags = LZ_EXCEPTION_PORT25 };
	struct lz_prefix_key one = { .bits = FIRST + 0x62000, .len = 64 }, two = { .bits = FIRST + 0x62002, .len = 63 };
	struct lz_prefix_key all = { .len = 0 };
	__u32 before = view.exceptions;

	set_clock(50000);
	T_EQ(view.control->exception_lens, 0, "none of whole prefixes");
	T_EQ(lz_exception_add(&view, &all, &until), -EINVAL, "none of everybody");
	T_EQ(lz_exception_add(&view, &one, &until), 0, "one source");
	T_EQ(send_syn(FIRST + 0x62000, 25), XDP_PASS, "may send");
	T_EQ(send_syn(FIRST + 0x62001, 25), XDP_DROP, "his neighbour may not");
	T_EQ(lz_exception_del(&view, &one), 0, "ended");
	T_EQ(view.exceptions, before, "and gone");
	set_clock(50000 + 2 * LZ_FLOW_HORIZON_S);
	T_EQ(send_syn(FIRST + 0x62000, 25), XDP_DROP, "as before");
	T_EQ(lz_exception_add(&view, &two, &(struct lz_exception){ .until_s = 60000, .flags = LZ_EXCEPTION_PORT25 }), 0,
	     "two neighbours");
	T_EQ(send_syn(FIRST + 0x62002, 25), XDP_PASS, "the one");
	T_EQ(send_syn(FIRST + 0x62003, 25), XDP_PASS, "and the other");
	T_EQ(lz_exception_del(&view, &two), 0, "ended");
}

static void excepts_after_a_start(void)
{
	struct lz_prefix_key one = { .bits = FIRST + 0x63000, .len = 64 };
	struct lz_exception until = { .until_s = 60100, .flags = LZ_EXCEPTION_PORT25 };

	set_clock(60000);
	T_EQ(lz_exception_add(&view, &one, &until), 0, "one source");
	memset(view.tables->excepted, 0, sizeof(view.tables->excepted));
	T_EQ(send_syn(FIRST + 0x63000, 443), XDP_PASS, "without its bit");
	T_EQ(lz_exceptions_recount(&view), 0, "counted anew");
	T_EQ(send_syn(FIRST + 0x63000, 25), XDP_PASS, "it may send");
	T_EQ(lz_exception_del(&view, &one), 0, "ended");
}

/* The cell of a source whose SYN to port 25 its class refuses, or NULL. */
static struct lz_cell *refused(__u64 key)
{
	int slot;

	T_EQ(send_syn(key, 25), XDP_DROP, "refused");
	slot = lz_view_find(&view, key);
	return T_OK(slot >= 0, "a cell") ? &view.cells[slot] : NULL;
}

/* When the ten bits of the epochs come round, no cell may believe an old one. */
static void forgets_classes(void)
{
	struct lz_generation *gen = &view.control->gen[LZ_GEN_ACTIVE(view.control->gen_word)];
	__u32 key = FIRST + 0x2201, old, class_;
	struct lz_cell *cell = refused(key);

	if (!cell)
		return;
	class_ = LZ_KNOWN_IS(cell->known_class);
	T_OK(class_ >= LZ_CLASS_FIRST, "a class with rules");
	T_EQ(cell->known_class, LZ_KNOWN_CLASS(gen->epoch, class_),
	     "the class is remembered by the packet that makes the cell");
	cell->known_class = 0;
	send_syn(key, 25);
	T_EQ(cell->known_class, LZ_KNOWN_CLASS(gen->epoch, class_), "and by the next, asked anew");
	old = gen->epoch;
	T_EQ(lz_swap_renumber(&view, gen->number + 1, 7), 0, "a range changes");
	T_OK(gen->epoch > old, "that is another epoch");
	gen->epoch |= LZ_EPOCH_LOW(~0u);
	view.cells[0].known_class = view.cells[view.slots - 1].known_class = LZ_KNOWN_CLASS(1, LZ_CLASS_FIRST);
	T_EQ(lz_swap_renumber(&view, gen->number + 1, 7), 0, "the last of its round");
	T_OK(LZ_EPOCH_LOW(gen->epoch) && gen->epoch > 1024, "a fresh round");
	T_EQ(cell->known_class, 0, "nothing is remembered");
	T_EQ(view.cells[0].known_class | view.cells[view.slots - 1].known_class, 0, "from the first cell to the last");
	/* Whose last class is of a whole round ago must not be taken for one of today. */
	gen->epoch |= LZ_EPOCH_LOW(~0u);
	cell->known_class = LZ_KNOWN_CLASS(gen->epoch + 2, LZ_CLASS_FIRST);
	T_EQ(lz_swap_renumber(&view, gen->number + 1, 7), 0, "the last of another round");
	T_EQ(cell->known_class, 0, "nor what bears the fresh round's own bits");
}

/* Between two rounds nobody is believed, nor does a new generation take the epoch of the old one. */
static void begins_a_round(void)
{
	struct lz_generation *gen = view.control->gen;
	__u32 active = LZ_GEN_ACTIVE(view.control->gen_word), key = FIRST + 0x2301;
	struct lz_cell *cell;

	set_clock(70000);
	cell = refused(key);
	if (!cell)
		return;
	gen[active].epoch = (gen[active].epoch | LZ_EPOCH_LOW(~0u)) + 1;
	cell->known_class = 0;
	T_EQ(send_syn(key, 25), XDP_DROP, "who remembers nothing is no stranger for it");
	gen[active].epoch |= LZ_EPOCH_LOW(~0u);
	T_OK(publish(100, 0), "the last of a round");
	T_OK(gen[0].epoch != gen[1].epoch, "each generation has its own");
	T_OK(LZ_EPOCH_LOW(gen[0].epoch) && LZ_EPOCH_LOW(gen[1].epoch), "of the new round");
}

/* Killed after it had begun a round and before it had made everybody forget: the next change does that. */
static void finishes_a_round(void)
{
	__u32 active = LZ_GEN_ACTIVE(view.control->gen_word), key = FIRST + 0x2302;
	struct lz_generation *gen = &view.control->gen[active];
	struct lz_cell *cell;

	set_clock(71000);
	cell = refused(key);
	if (!cell)
		return;
	for (int i = 0; i < 2; i++) {
		gen->epoch = (gen->epoch | LZ_EPOCH_LOW(~0u)) + 1;
		cell->known_class = LZ_KNOWN_CLASS(gen->epoch + 1, LZ_CLASS_FOREIGN); /* of a whole round ago */
		if (i)
			T_OK(publish(gen->number + 1, 0), "another policy");
		else
			T_EQ(lz_swap_renumber(&view, gen->number + 1, 7), 0, "a range changes");
		T_EQ(cell->known_class, 0, "nothing is remembered");
		T_EQ(send_syn(key, 26), XDP_PASS, "another port");
		T_EQ(LZ_KNOWN_IS(cell->known_class), LZ_CLASS_FIRST, "its class is asked for");
		gen = &view.control->gen[LZ_GEN_ACTIVE(view.control->gen_word)];
		T_OK(LZ_EPOCH_LOW(gen->epoch), "a fresh round");
	}
}

/* A first policy that was undone leaves none: there is nobody's epoch to put aside. */
static void begins_a_round_without_policy(void)
{
	struct lz_generation *gen = view.control->gen;
	size_t bytes = sizeof(*view.control), rest = (bytes + 4095) / 4096 * 4096 - bytes;
	const __u8 *behind = (const __u8 *)view.control + bytes;

	T_OK(rest >= sizeof(gen->epoch) + offsetof(struct lz_generation, epoch), "the page goes on behind the last one");
	view.control->gen_word = LZ_GEN_WORD(LZ_GEN_NONE, LZ_GEN_NONE, 0);
	gen[0].epoch = gen[1].epoch | LZ_EPOCH_LOW(~0u);
	T_OK(publish(lz_swap_highest(&view) + 1, 0), "the last of a round");
	for (size_t i = 0; i < rest; i++)
		if (!T_EQ(behind[i], 0, "nothing is written there"))
			break;
	T_EQ(send_syn(FIRST + 0x2303, 25), XDP_DROP, "and it judges");
}

static void refuses_what_does_not_fit(void)
{
	const struct lz_inner_fds none = { -1, -1, -1 };
	__u32 sources = image->sources_max;

	image->seed ^= 1;
	T_ERR(lz_swap_publish(&view, image, &none, 101, 0, &err), -EINVAL, "hashed for another instance");
	image->seed ^= 1;
	image->ipv6_key_len--;
	T_ERR(lz_swap_publish(&view, image, &none, 101, 0, &err), -EINVAL, "of other keys");
	image->ipv6_key_len++;
	T_OK(publish(101, 60), "one that awaits its confirm");
	T_ERR(lz_swap_renumber(&view, 102, 7), -EBUSY, "is not changed in place");
	T_EQ(lz_swap_undo(&view), 0, "undo");
	image->sources_max = 1024;
	T_OK(publish(103, 0), "a small table");
	T_EQ(view.control->v6_budget, LZ_V6_BUDGET_MIN, "leaves a /48 room for some customers");
	image->sources_max = sources;
	T_OK(publish(104, 0), "and back");
}

static const struct t_case cases[] = {
	{ "a policy is swapped, confirmed, undone, expires", swaps_and_goes_back },
	{ "a generation tells which policy it is", tells_which_policy },
	{ "exceptions are asked by length", excepts },
	{ "exceptions of single sources", excepts_single_sources },
	{ "exceptions after a start", excepts_after_a_start },
	{ "remembered classes do not outlive their epochs", forgets_classes },
	{ "a round of epochs begins", begins_a_round },
	{ "and is finished by the next change", finishes_a_round },
	{ "a round begins without a policy", begins_a_round_without_policy },
	{ "what does not fit", refuses_what_does_not_fit },
};

int main(void)
{
	return table_main(cases, LZ_ARRAY_SIZE(cases));
}
