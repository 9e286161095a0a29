/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_rules.c - port 25 by class, exceptions, never-list, generations, the return hook. */
#include <unistd.h>

#include <bpf/libbpf.h>
#include <lazaret/abi.h>
#include <lazaret.skel.h>

#include "base/mem.h"
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

/* A reply that must not be sent, or cannot: silence, counted. */
static void suppressed(void)
{
	static const struct pkt_spec to_all = { .src = DYN4, .dst = WORLD4, .dport = 25,
						.flags = PKT_F_BROADCAST };
	static const struct pkt_spec syn = SYN25;
	struct pkt_spec next = { .src = DYN4, .dst = WORLD4, .dport = 25 };
	unsigned sent = 0, kept = 0;
	struct world_run r;

	world_reset(w);
	T_EQ(world_frame(w, WORLD_TC, &to_all, &r), 0, "a broadcast frame");
	T_EQ(r.verdict, LZ_V_DROP, "is refused in silence");
	T_EQ(r.delta[LZ_C_REPLY_SUPPRESSED], 1, "and counted");
	for (unsigned i = 0; i < 3; i++) {
		static const char *const many[3] = { "224.0.0.1", "255.255.255.255", "ff02::1" };
		struct pkt_spec s = { .src = i < 2 ? RESET4 : DYN6, .dst = many[i], .dport = 25 };

		T_EQ(world_frame(w, WORLD_TC, &s, &r), 0, "to many hosts at once");
		T_EQ(r.verdict, LZ_V_DROP, "not answered");
		T_EQ(r.delta[LZ_C_REPLY_SUPPRESSED], 1, "and counted");
	}
	world_own_addr(w, NULL, NULL);
	world_reset(w);
	T_EQ(world_frame(w, WORLD_TC, &syn, &r), 0, "a port without an address");
	T_EQ(r.verdict, LZ_V_DROP, "refuses in silence");
	T_EQ(r.delta[LZ_C_REPLY_SUPPRESSED], 1, "and counted");
	world_own_addr(w, OWN4, OWN6);
	world_reset(w);
	for (next.seq = 0; next.seq < 400; next.seq++) {
		world_frame(w, WORLD_TC, &next, &r);
		sent += (unsigned)r.delta[LZ_C_REPLY_SENT];
	}
	T_EQ(sent, 200, "one source: a burst of 200");
	for (; next.seq < 2400; next.seq++) {
		char from[16];

		snprintf(from, sizeof(from), "203.0.113.%u", 130 + next.seq % 60);
		next.src = from;
		world_frame(w, WORLD_TC, &next, &r);
		if (next.seq < 460)
			T_EQ(r.delta[LZ_C_REPLY_SENT], 1, "does not silence the others");
		sent += (unsigned)r.delta[LZ_C_REPLY_SENT];
		kept += (unsigned)r.delta[LZ_C_REPLY_SUPPRESSED];
	}
	T_EQ(sent + kept, 2200, "each refusal is answered or counted");
	T_OK(sent >= 1000 && sent < 1200, "of all sources a burst of 1,000, then fewer");
}

/* How many of @n refusals are answered: of one source, or each of another. */
static unsigned answered(unsigned n, bool one)
{
	static __u32 seq;
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		struct pkt_spec s = { .dst = WORLD4, .dport = 25, .seq = ++seq };
		struct world_run r;
		char from[16];

		snprintf(from, sizeof(from), "100.%u.%u.%u", one ? 64 : 65, one ? 0 : i >> 8, i & (one ? 0 : 255));
		s.src = from;
		world_frame(w, WORLD_TC, &s, &r);
		sent += (unsigned)r.delta[LZ_C_REPLY_SENT];
	}
	return sent;
}

/* What a bucket of all CPUs' says, by hand: this is the only one that runs. */
static void set_reply_bucket(__u64 tat_ns)
{
	static __u64 tats[1024];
	__u32 row = 0;

	for (size_t cpu = 0; cpu < LZ_ARRAY_SIZE(tats); cpu++)
		tats[cpu] = tat_ns;
	T_EQ(bpf_map__update_elem(w->skel->maps.lz_reply_bucket, &row, sizeof(row), tats,
				  (size_t)libbpf_num_possible_cpus() * sizeof(*tats), 0), 0, "a bucket");
}

/* 200 at once and 50 a second of a source, 1,000 and 2,000 of all: to the millisecond, to the step. */
static void reply_rates(void)
{
	enum { REPLY_ROWS = sizeof(w->skel->data_replies->lz_reply_sources) / 4 };
	const __u64 ms = 1000000, step_ns = 500000, full_ns = 1000 * step_ns;
	unsigned quarter[4] = { 0 };

	world_reset(w);
	T_EQ(answered(210, true), 200, "of one at once");
	world_clock(w, world_now(w) + 19 * ms);
	T_EQ(answered(2, true), 0, "a millisecond too soon");
	world_clock(w, world_now(w) + ms);
	T_EQ(answered(2, true), 1, "one more");
	world_clock(w, world_now(w) + 1000 * ms);
	T_EQ(answered(60, true), 50, "a second later");
	world_reset(w);
	T_EQ(answered(1010, false), 1000, "of all at once");
	for (int i = 0; i < REPLY_ROWS; i++)
		quarter[i * 4 / REPLY_ROWS] += !!w->skel->data_replies->lz_reply_sources[i];
	T_OK(quarter[0] > 100 && quarter[1] > 100 && quarter[2] > 100 && quarter[3] > 100, "in rows all over the table");
	world_clock(w, world_now(w) + 9 * step_ns);
	T_EQ(answered(20, false), 9, "nine steps later");
	world_clock(w, world_now(w) + 1);
	T_EQ(answered(20, false), 1, "the tenth has begun");
	set_reply_bucket(world_now(w) + 2 * full_ns);
	T_EQ(answered(1, false), 0, "used up");
	set_reply_bucket(world_now(w) + 2 * full_ns + 1);
	T_EQ(answered(1010, false), 1000, "but what no use can make of it is none");
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
	{ "replies that are not sent", suppressed },
	{ "how many replies are", reply_rates },
	{ "events", told },
	{ "a ring of events that nobody reads", told_too_much },
};

ROWS_MAIN(w, cases)
