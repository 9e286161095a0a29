/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_again.c - a SYN that was seen before, and those made to look like one: the SYN memory. */
#include "prog/limit_rows.h"

/* Forty attempts open at once, each sent again in turn: the first answer stands. */
static void retransmissions(void)
{
	struct pkt_spec p = { .src = LIM4, .dst = WORLD4, .dport = 25 };
	unsigned passed[41] = { 0 };
	struct world_run r;

	limited(window(20, 300 * S), (struct lz_class){ 0 });
	for (int round = 0; round < 11; round++) {
		for (p.sport = 50000; p.sport < 50040; p.sport++) {
			p.seq = p.sport * 7919u;
			world_frame(w, round % 2 ? WORLD_XDP : WORLD_TC, &p, &r);
			passed[p.sport - 50000] += r.verdict == LZ_V_PASS;
			if (round)
				T_EQ(r.reason, p.sport < 50020 ? LZ_R_PASS_RETRANSMIT :
								 LZ_R_DROP_RETRANSMIT, "known");
		}
		world_clock(w, world_now(w) + 10 * S);
	}
	for (int i = 0; i < 40; i++)
		T_EQ(passed[i], i < 20 ? 11 : 0, "all of an attempt or nothing");
	T_EQ(world_cell(w, world_key(w, LIM4))->smtp_connections, 40, "each attempt counted once");
	T_EQ(world_cell(w, world_key(w, LIM4))->syn, 440, "each SYN counted");
	p.sport = 50000;
	p.seq = 1;
	world_frame(w, WORLD_XDP, &p, &r);
	T_EQ(r.reason, LZ_R_DROP_LIMIT, "another sequence number is another attempt");
}

/* A stack of its own may use one sequence number for connection after connection. */
static void one_number_for_ever(void)
{
	struct pkt_spec p = { .src = LIM4, .dst = WORLD4, .dport = 25, .seq = 7 };
	struct world_run r;

	limited(window(2, 300 * S), (struct lz_class){ 0 });
	for (int i = 0; i < 60; i++)
		world_frame(w, WORLD_XDP, &p, &r);
	T_EQ(r.verdict, LZ_V_DROP, "stopped at last");
	T_EQ(world_cell(w, world_key(w, LIM4))->smtp_connections, 5, "counted at each thirteenth");
	T_EQ(world_cell(w, world_key(w, LIM4))->dropped, 60 - 2 * 13, "two of them passed");
}

/* The same, of who has an answer each time: that may get lost behind us, but not often. */
static void one_number_that_is_answered(const char *src, const char *dst)
{
	struct pkt_spec p = { .src = src, .dst = dst, .sport = 40000, .dport = 25, .seq = 7 },
			back = { .src = dst, .dst = src, .sport = 25, .dport = 40000,
				 .tcp = PKT_SYN | PKT_ACK, .ack = 8 };
	unsigned passed = 0;
	struct world_run r;

	limited(window(2, 300 * S), (struct lz_class){ 0 });
	for (int i = 0; i < 3; i++) {
		world_frame(w, WORLD_XDP, &p, &r);
		T_EQ(r.reason, i ? LZ_R_PASS_RETRANSMIT : LZ_R_PASS_EXAMINED, "not answered yet");
	}
	for (back.seq = 100; back.seq < 120; back.seq++) {
		world_frame(w, WORLD_TC_OUT, &back, &r);
		T_EQ(r.verdict, LZ_V_PASS, "a SYN-ACK passes");
		world_frame(w, WORLD_XDP, &p, &r);
		passed += r.verdict == LZ_V_PASS;
	}
	T_EQ(passed, 3, "one more of the first, two of the second");
	T_EQ(r.verdict, LZ_V_DROP, "and then none");
	T_EQ(world_cell(w, world_key(w, src))->smtp_connections, 4, "a refused one is repeated twelve times");
}

static void answered_ipv4(void)
{
	one_number_that_is_answered(LIM4, WORLD4);
}

static void answered_ipv6(void)
{
	one_number_that_is_answered(LIM6, WORLD6);
}

/* Known for as long as a stack may send it again, and no longer: then the port is somebody else's. */
static void an_old_one_is_new(void)
{
	struct row row = { "first", { .src = LIM4, .dst = WORLD4, .dport = 25, .seq = 7 }, LZ_V_PASS, LZ_R_PASS_EXAMINED };

	limited(window(20, 300 * S), (struct lz_class){ 0 });
	rows_check(w, WORLD_XDP, &row);
	row = (struct row){ "to the end", row.p, LZ_V_PASS, LZ_R_PASS_RETRANSMIT };
	world_clock(w, (WORLD_START_S + LZ_FLOW_HORIZON_S - 1) * S);
	rows_check(w, WORLD_XDP, &row);
	row = (struct row){ "and beyond", row.p, LZ_V_PASS, LZ_R_PASS_EXAMINED };
	world_clock(w, (WORLD_START_S + LZ_FLOW_HORIZON_S + 1) * S);
	rows_check(w, WORLD_XDP, &row);
	T_EQ(world_cell(w, world_key(w, LIM4))->smtp_connections, 2, "two attempts");
	ROWS_OK("rows");
}

/* Pairs of SYNs whose addresses differ just where a port, or another address, differs as well: what of
 * a SYN its sender chooses must not be able to make it look like another. */
static void look_alikes(void)
{
	static const struct pkt_spec pair[][2] = {
		{ { .src = "2001:db8:2000:8::1", .dst = WORLD6, .sport = 40001 },
		  { .src = "2001:db8:2100:8::1", .dst = WORLD6, .sport = 40000 } },
		{ { .src = "2001:db8:2000:8::1", .dst = "2001:db8:ffff:2::1", .sport = 40000 },
		  { .src = "2001:db8:2000:8::2", .dst = "2001:db8:ffff:1::1", .sport = 40000 } },
		{ { .src = "2001:db8:2000:8::1", .dst = "2001:db8:2000:8::2", .sport = 40000 },
		  { .src = "2001:db8:2000:8::2", .dst = "2001:db8:2000:8::1", .sport = 40000 } },
	};
	struct world_run r;

	limited(window(20, 300 * S), (struct lz_class){ 0 });
	for (unsigned i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
		for (int k = 0; k < 2; k++) {
			struct pkt_spec p = pair[i][k];

			p.dport = 25;
			world_frame(w, WORLD_XDP, &p, &r);
			T_EQ(r.reason, LZ_R_PASS_EXAMINED, "never seen before");
			world_frame(w, WORLD_XDP, &p, &r);
			T_EQ(r.reason, LZ_R_PASS_RETRANSMIT, "seen before");
		}
	}
}

static const struct t_case cases[] = {
	{ "retransmissions", retransmissions },
	{ "SYNs that are made to look like others", look_alikes },
	{ "an old SYN", an_old_one_is_new },
	{ "one sequence number for ever", one_number_for_ever },
	{ "one sequence number, answered each time, IPv4", answered_ipv4 },
	{ "one sequence number, answered each time, IPv6", answered_ipv6 },
};

ROWS_MAIN(w, cases)
