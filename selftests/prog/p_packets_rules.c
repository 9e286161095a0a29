/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_rules.c - port 25 by class, exceptions, never-list, generations, the return hook. */
#include <unistd.h>

#include "lib/rows.h"
#include "lib/t.h"

static struct world *w;

#define EXAMINED  LZ_V_PASS, LZ_R_PASS_EXAMINED
#define OTHER	  LZ_V_PASS, LZ_R_PASS_OTHER
#define FOREIGN	  LZ_V_PASS, LZ_R_PASS_FOREIGN
#define ICMP	  LZ_V_ICMP_ADMIN, LZ_R_DROP_PORT25
#define EXCEPTION LZ_V_PASS, LZ_R_PASS_EXCEPTION
#define NEVER	  LZ_V_PASS, LZ_R_PASS_NEVER
#define NO_POLICY LZ_V_PASS, LZ_R_PASS_NO_POLICY
#define SYN25	  { .src = DYN4, .dst = WORLD4, .dport = 25 }

static const struct row port25[] = {
	{ "dynamic v4 to the world", SYN25, ICMP },
	{ "dynamic v6 to the world", { .src = DYN6, .dst = WORLD6, .dport = 25 }, ICMP },
	{ "first of the range", { .src = "100.64.0.0", .dst = WORLD4, .dport = 25 }, ICMP },
	{ "last of the range", { .src = "100.79.255.255", .dst = WORLD4, .dport = 25 }, ICMP },
	{ "one beyond", { .src = "100.80.0.0", .dst = WORLD4, .dport = 25 }, FOREIGN },
	{ "first of the v6 range", { .src = "2001:db8:1000::", .dst = WORLD6, .dport = 25 }, ICMP },
	{ "last of the v6 range",
	  { .src = "2001:db8:1fff:ffff:ffff::1", .dst = WORLD6, .dport = 25 }, ICMP },
	{ "one beyond v6", { .src = "2001:db8:3000::1", .dst = WORLD6, .dport = 25 }, FOREIGN },
	{ "reset v4", { .src = RESET4, .dst = WORLD4, .dport = 25, .seq = 0xffffffff },
	  LZ_V_TCP_RESET, LZ_R_DROP_PORT25 },
	{ "silence", { .src = DROP4, .dst = WORLD4, .dport = 25 }, LZ_V_DROP, LZ_R_DROP_PORT25 },
	{ "business", { .src = BIZ4, .dst = WORLD4, .dport = 25 }, EXAMINED },
	{ "to a smarthost", { .src = DYN4, .dst = SMART4, .dport = 25 }, EXAMINED },
	{ "to a smarthost v6", { .src = DYN6, .dst = SMART6, .dport = 25 }, EXAMINED },
	{ "submission", { .src = DYN4, .dst = WORLD4, .dport = 587 }, EXAMINED },
	{ "submissions", { .src = DYN4, .dst = WORLD4, .dport = 465 }, EXAMINED },
	{ "submission, silent class", { .src = DROP4, .dst = WORLD4, .dport = 587 }, EXAMINED },
	{ "submissions v6", { .src = DYN6, .dst = WORLD6, .dport = 465 }, EXAMINED },
	{ "submission, established", { .src = DYN4, .dst = WORLD4, .dport = 587, .tcp = PKT_ACK },
	  OTHER },
	{ "web", { .src = DYN4, .dst = WORLD4, .dport = 443 }, EXAMINED },
	{ "from port 25", { .src = DYN4, .dst = WORLD4, .sport = 25, .dport = 40000,
			    .tcp = PKT_SYN | PKT_ACK }, OTHER },
	{ "udp 25", { .src = DYN4, .dst = WORLD4, .dport = 25, .proto = 17 }, OTHER },
	{ "established", { .src = DYN4, .dst = WORLD4, .dport = 25, .tcp = PKT_ACK, .payload = 9 },
	  LZ_V_DROP, LZ_R_DROP_PORT25 },
	{ "syn-ack", { .src = DYN4, .dst = WORLD4, .dport = 25, .tcp = PKT_SYN | PKT_ACK },
	  LZ_V_DROP, LZ_R_DROP_PORT25 },
	{ "reset of its own", { .src = RESET4, .dst = WORLD4, .dport = 25, .tcp = PKT_RST },
	  LZ_V_DROP, LZ_R_DROP_PORT25 },
	{ "syn with data", { .src = DYN4, .dst = WORLD4, .dport = 25, .payload = 1000 }, ICMP },
	{ "foreign", { .src = WORLD4, .dst = SMART4, .dport = 25 }, FOREIGN },
	{ "foreign, established", { .src = WORLD4, .dst = SMART4, .dport = 25, .tcp = PKT_ACK },
	  FOREIGN },
	{ "loopback as a source", { .src = "127.0.0.1", .dst = WORLD4, .dport = 25 }, FOREIGN },
	{ "broadcast as a source", { .src = "255.255.255.255", .dst = WORLD4, .dport = 25 },
	  FOREIGN },
	{ "multicast as a source", { .src = "224.0.0.1", .dst = WORLD4, .dport = 25 }, FOREIGN },
	{ "0.0.0.0 as a source", { .src = "0.0.0.0", .dst = WORLD4, .dport = 25 }, FOREIGN },
	{ "mapped as a source", { .src = "::ffff:100.64.0.9", .dst = WORLD6, .dport = 25 },
	  LZ_V_PASS, LZ_R_PASS_UNKEYED },
	{ "discard prefix as a source", { .src = "100::1", .dst = WORLD6, .dport = 25 },
	  LZ_V_PASS, LZ_R_PASS_UNKEYED },
	{ "never source", { .src = NEVER4, .dst = WORLD4, .dport = 25 }, FOREIGN },
	{ "never source in a class's range", { .src = "100.64.0.1", .dst = WORLD4, .dport = 25 },
	  FOREIGN },
	{ "to a never address", { .src = DYN4, .dst = NEVER4, .dport = 25 }, NEVER },
	{ "to a never address, established",
	  { .src = DYN4, .dst = NEVER4, .dport = 25, .tcp = PKT_ACK }, NEVER },
	{ "to a never address, tiny",
	  { .src = DYN4, .dst = NEVER4, .dport = 25, .flags = PKT_F_MORE, .l4_bytes = 8 }, NEVER },
};

static void by_class(void)
{
	rows_run(w, ROWS(port25), ROWS_XDP | ROWS_TC, NULL);
	ROWS_OK("rows");
}

static void except_port25(struct world *world)
{
	world_exception(world, DYN4 "/32", LZ_EXCEPTION_PORT25, WORLD_START_S + 60);
	world_exception(world, "2001:db8:1000:7::/64", LZ_EXCEPTION_PORT25, WORLD_START_S + 60);
	world_exception(world, "100.64.128.0/17", LZ_EXCEPTION_ALL, WORLD_START_S + 60);
	world_exception(world, "100.64.200.0/24", LZ_EXCEPTION_PORT25, WORLD_START_S - 1);
	world_exception(world, "100.65.0.0/16", LZ_EXCEPTION_PORT25, WORLD_START_S);
}

static void exceptions(void)
{
	static const struct row rows[] = {
		{ "port25, by address", SYN25, EXCEPTION },
		{ "its neighbour", { .src = "100.64.0.8", .dst = WORLD4, .dport = 25 }, ICMP },
		{ "port25, by /64", { .src = DYN6, .dst = WORLD6, .dport = 25 }, EXCEPTION },
		{ "the /64 beside it", { .src = "2001:db8:1000:6::1", .dst = WORLD6, .dport = 25 },
		  ICMP },
		{ "all, by /17", { .src = "100.64.129.1", .dst = WORLD4, .dport = 25 }, EXCEPTION },
		{ "established", { .src = DYN4, .dst = WORLD4, .dport = 25, .tcp = PKT_ACK },
		  EXCEPTION },
		{ "an ended /24 does not hide the /17",
		  { .src = "100.64.200.1", .dst = WORLD4, .dport = 25 }, EXCEPTION },
		{ "ended this second", { .src = "100.65.0.1", .dst = WORLD4, .dport = 25 }, ICMP },
		{ "another port needs none", { .src = DYN4, .dst = WORLD4, .dport = 80 }, EXAMINED },
	};
	struct row ended = { "port25, ended", SYN25, ICMP };

	rows_run(w, ROWS(rows), ROWS_XDP | ROWS_TC, except_port25);
	world_reset(w);
	except_port25(w);
	world_clock(w, (WORLD_START_S + 60) * 1000000000ull - 1);
	rows_check(w, WORLD_XDP, &(struct row){ "until its last nanosecond", SYN25, EXCEPTION });
	world_clock(w, (WORLD_START_S + 60) * 1000000000ull);
	ended.p.seq = 1;
	rows_check(w, WORLD_XDP, &ended);
	world_reset(w);
	ROWS_OK("rows");
}

static void bypass(void)
{
	struct row through = { "bypassed", SYN25, LZ_V_PASS, LZ_R_PASS_BYPASS };
	struct row refused = { "no longer bypassed", SYN25, ICMP };

	world_reset(w);
	w->control->bypass_until_s = ~0ull;
	rows_check(w, WORLD_XDP, &through);
	rows_check(w, WORLD_TC, &through);
	rows_check(w, WORLD_TC_OUT, &through);
	w->control->bypass_until_s = WORLD_START_S + 1;
	rows_check(w, WORLD_XDP, &through);
	world_clock(w, (WORLD_START_S + 1) * 1000000000ull);
	rows_check(w, WORLD_XDP, &refused);
	refused.p.seq = 1;
	rows_check(w, WORLD_TC, &refused);
	world_reset(w);
	ROWS_OK("rows");
}

/* Slot 0 refuses, slot 1 is empty: which one judges shows in the reason. */
static void generations(void)
{
	static const struct {
		const char *name;
		__u64 word;
		__u32 verdict, reason;
	} rows[] = {
		{ "slot 0, confirmed", LZ_GEN_WORD(0, 0, 0), ICMP },
		{ "slot 1, confirmed", LZ_GEN_WORD(1, 0, 0), FOREIGN },
		{ "before the deadline", LZ_GEN_WORD(1, 0, WORLD_START_S + 1), FOREIGN },
		{ "at the deadline", LZ_GEN_WORD(1, 0, WORLD_START_S), ICMP },
		{ "past the deadline", LZ_GEN_WORD(1, 0, WORLD_START_S - 9), ICMP },
		{ "before the first deadline", LZ_GEN_WORD(0, LZ_GEN_NONE, WORLD_START_S + 1), ICMP },
		{ "past the first deadline", LZ_GEN_WORD(0, LZ_GEN_NONE, WORLD_START_S), NO_POLICY },
		{ "no policy", LZ_GEN_WORD(LZ_GEN_NONE, LZ_GEN_NONE, 0), NO_POLICY },
		{ "nonsense", LZ_GEN_WORD(77, 0, 0), NO_POLICY },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct row row = { rows[i].name, SYN25, rows[i].verdict, rows[i].reason };

		w->control->gen_word = rows[i].word;
		rows_run(w, &row, 1, ROWS_XDP | ROWS_TC, NULL);
	}
	w->control->gen_word = LZ_GEN_WORD(0, 0, 0);
	ROWS_OK("rows");
}

/* A SYN sent again after a swap is the new generation's, also after the way back. */
static void answers_of_their_generation(void)
{
	struct row old = { "refused", SYN25, ICMP };
	struct row again = { "sent again", SYN25, LZ_V_ICMP_ADMIN, LZ_R_DROP_RETRANSMIT };
	struct row new = { "sent again after the swap", SYN25, FOREIGN };
	struct row reset = { "refused by a reset", { .src = BIZ4, .dst = WORLD4, .dport = 25 }, EXAMINED };
	struct lz_class c = w->control->gen[0].class_[ROWS_BUSINESS];

	world_reset(w);
	rows_check(w, WORLD_XDP, &old);
	rows_check(w, WORLD_XDP, &again);
	w->control->gen_word = LZ_GEN_WORD(1, 0, 0);
	rows_check(w, WORLD_XDP, &new);
	w->control->gen_word = LZ_GEN_WORD(0, 0, 0);
	rows_check(w, WORLD_XDP, &reset);
	c.to_world = LZ_V_TCP_RESET;
	c.flags |= LZ_CLASS_F_PORT25_RULE;
	rows_policy(w, 1);
	world_class(w, 1, ROWS_BUSINESS, &c);
	w->control->gen[1].number = w->control->gen[0].number + 1;
	w->control->gen_word = LZ_GEN_WORD(1, 0, 0);
	reset.verdict = LZ_V_TCP_RESET;
	reset.reason = LZ_R_DROP_PORT25;
	rows_check(w, WORLD_XDP, &reset);
	world_forget_policy(w);
	rows_policy(w, 0);
	ROWS_OK("rows");
}

static void no_role(void)
{
	struct row row = { "a port without a role", SYN25, NO_POLICY };

	w->role = LZ_ROLE_NONE;
	rows_run(w, &row, 1, ROWS_XDP | ROWS_TC, NULL);
	w->role = LZ_ROLE_CUSTOMER;
	ROWS_OK("row");
}

static void foreign_is_ignored(void)
{
	struct row row = { "foreign, ignored", { .src = WORLD4, .dst = SMART4, .dport = 25 },
			   LZ_V_PASS, LZ_R_PASS_OTHER };

	w->control->gen[0].flags = LZ_GEN_F_IGNORE_FOREIGN;
	rows_run(w, &row, 1, ROWS_XDP | ROWS_TC, NULL);
	w->control->gen[0].flags = 0;
	ROWS_OK("rows");
}

static void monitor(void)
{
	struct row row = { "monitored", SYN25, LZ_V_PASS, LZ_R_PASS_MONITOR };
	struct row again = { "monitored, again", SYN25, LZ_V_PASS, LZ_R_PASS_RETRANSMIT };
	struct lz_class_stats stats;

	w->control->gen[0].flags = LZ_GEN_F_MONITOR;
	rows_run(w, &row, 1, ROWS_XDP | ROWS_TC, NULL);
	rows_check(w, WORLD_XDP, &again);
	world_class_stats(w, ROWS_DYNAMIC, &stats);
	T_EQ(stats.would[LZ_V_ICMP_ADMIN], 1, "would have been refused, once");
	T_EQ(stats.verdict[LZ_V_PASS], 2, "passed twice");
	T_EQ(world_cold(w, world_key(w, DYN4))->would_drop, 1, "and said so in its cell");
	w->control->gen[0].flags = 0;
	ROWS_OK("rows");
}

static const struct row returns[] = {
	{ "from port 25 to dynamic", { .src = WORLD4, .dst = DYN4, .sport = 25, .dport = 40000,
				       .tcp = PKT_ACK }, LZ_V_DROP, LZ_R_DROP_FROM_PORT25 },
	{ "syn-ack from port 25", { .src = WORLD4, .dst = DYN4, .sport = 25, .dport = 40000,
				    .tcp = PKT_SYN | PKT_ACK }, LZ_V_DROP, LZ_R_DROP_FROM_PORT25 },
	{ "from port 25 to dynamic v6", { .src = WORLD6, .dst = DYN6, .sport = 25, .dport = 40000,
					  .tcp = PKT_ACK }, LZ_V_DROP, LZ_R_DROP_FROM_PORT25 },
	{ "from the smarthost's port 25", { .src = SMART4, .dst = DYN4, .sport = 25,
					    .dport = 40000, .tcp = PKT_ACK }, EXAMINED },
	{ "from a never address", { .src = NEVER4, .dst = DYN4, .sport = 25, .dport = 40000,
				    .tcp = PKT_ACK }, NEVER },
	{ "from port 25 to business", { .src = WORLD4, .dst = BIZ4, .sport = 25, .dport = 40000,
					.tcp = PKT_ACK }, EXAMINED },
	{ "from port 25 to elsewhere", { .src = WORLD4, .dst = "192.0.2.201", .sport = 25,
					 .dport = 40000, .tcp = PKT_ACK }, FOREIGN },
	{ "syn to dynamic's port 25", { .src = WORLD4, .dst = DYN4, .dport = 25 },
	  LZ_V_DROP, LZ_R_DROP_TO_CUSTOMER },
	{ "syn to business's port 25", { .src = WORLD4, .dst = BIZ4, .dport = 25 }, EXAMINED },
	{ "established to dynamic's port 25", { .src = WORLD4, .dst = DYN4, .dport = 25,
						.tcp = PKT_ACK }, OTHER },
	{ "syn to dynamic's port 80", { .src = WORLD4, .dst = DYN4, .dport = 80 }, OTHER },
	{ "from port 587", { .src = WORLD4, .dst = DYN4, .sport = 587, .dport = 40000,
			     .tcp = PKT_ACK }, OTHER },
	{ "udp from port 25", { .src = WORLD4, .dst = DYN4, .sport = 25, .dport = 40000,
				.proto = 17 }, OTHER },
	{ "too many tags", { .src = WORLD4, .dst = DYN4, .dport = 25,
			     .vlan = { 0x8100, 0x8100, 0x8100 } }, LZ_V_PASS, LZ_R_PASS_UNPARSED },
	{ "arp", { .ethertype = 0x0806 }, LZ_V_PASS, LZ_R_PASS_NOT_IP },
};

static void except_returns(struct world *world)
{
	world_exception(world, DYN4 "/32", LZ_EXCEPTION_PORT25, WORLD_START_S + 60);
}

static void return_hook(void)
{
	const struct row excepted = { "to an excepted customer", { .src = WORLD4, .dst = DYN4,
				      .sport = 25, .dport = 40000, .tcp = PKT_ACK }, EXCEPTION };
	const struct row never = { "to a never address in a customer's /64", { .src = WORLD6, .dst = DYN6,
				   .sport = 25, .dport = 40000, .tcp = PKT_ACK }, NEVER };

	rows_run(w, ROWS(returns), ROWS_OUT, NULL);
	rows_run(w, &excepted, 1, ROWS_OUT, except_returns);
	w->role = LZ_ROLE_UPLINK;
	rows_run(w, ROWS(returns), ROWS_XDP | ROWS_TC, NULL);
	rows_run(w, &excepted, 1, ROWS_XDP | ROWS_TC, except_returns);
	w->role = LZ_ROLE_CUSTOMER;
	world_dest(w, 0, DYN6 "/128", LZ_SET_NEVER);
	rows_run(w, &never, 1, ROWS_OUT, NULL);
	world_forget_policy(w);
	rows_policy(w, 0);
	ROWS_OK("rows");
}

/* What a refusal leaves for the controller to read. */
static struct lz_event last_event;

static void keep_event(void *arg, const struct lz_event *e)
{
	(*(unsigned *)arg)++;
	last_event = *e;
}

static void told(void)
{
	struct row row = { "refused", { .src = DYN4, .dst = WORLD4, .dport = 25, .seq = 1 }, ICMP };
	unsigned n = 0;

	world_reset(w);
	for (int i = 0; i < 10; i++, row.p.seq++)
		rows_check(w, WORLD_XDP, &row);
	world_events(w, keep_event, &n);
	T_EQ(n, 1, "one event a source and second");
	T_EQ(last_event.kind, LZ_EVENT_PORT25, "of its kind");
	T_EQ(last_event.key, world_key(w, DYN4), "about the source");
	T_EQ(last_event.verdict, LZ_V_ICMP_ADMIN, "with the verdict");
	T_EQ(last_event.class_, ROWS_DYNAMIC, "the class");
	T_EQ(last_event.dport, 25, "the port");
	T_EQ(last_event.ifindex, WORLD_IFINDEX, "the interface");
	T_EQ(last_event.generation, 1, "the generation");
	T_EQ(last_event.when_ns, world_now(w), "and the time");
	T_OK(!memcmp(last_event.dest + 10, "\xff\xff\xc0\x00\x02\xc8", 6), "towards 192.0.2.200");
	ROWS_OK("rows");
}

/* Nobody reads: each refusal is told or counted as lost, and once the ring has room they are told again. */
static void told_too_much(void)
{
	struct pkt_spec p = { .src = DYN4, .dst = WORLD4, .dport = 25 };
	unsigned kept = 0, lost = 0, refused = 0, sent = 14000; /* a ring of 1 MiB has room for 13,107 */
	struct world_run r;

	world_reset(w);
	for (p.seq = 1; p.seq <= sent; p.seq++) {
		world_clock(w, (WORLD_START_S + p.seq) * 1000000000ull);
		world_frame(w, WORLD_XDP, &p, &r);
		refused += r.verdict == LZ_V_ICMP_ADMIN;
		lost += (unsigned)r.delta[LZ_C_EVENT_LOST];
	}
	T_EQ(refused, sent, "refused whether it is told or not");
	world_events(w, keep_event, &kept);
	T_OK(lost > 0 && kept > 10000, "more than the ring takes");
	T_EQ(kept + lost, sent, "told or counted");
	kept = 0;
	usleep(50000); /* the tick in which it was found full is over: 10 ms at HZ=100 */
	world_clock(w, (WORLD_START_S + p.seq) * 1000000000ull);
	world_frame(w, WORLD_XDP, &p, &r);
	world_events(w, keep_event, &kept);
	T_EQ(kept, 1, "told again");
}

static const struct t_case cases[] = {
	{ "port 25 by class", by_class },
	{ "exceptions", exceptions },
	{ "bypass", bypass },
	{ "generation word", generations },
	{ "each generation answers for itself", answers_of_their_generation },
	{ "a port without a role", no_role },
	{ "foreign sources are not counted if nobody asks", foreign_is_ignored },
	{ "monitor mode", monitor },
	{ "return hook", return_hook },
	{ "events", told },
	{ "a ring of events that nobody reads", told_too_much },
};

ROWS_MAIN(w, cases)
