/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_replies.c - refusals that are answered: which, how many, and how much of a packet an answer quotes. */
#include <bpf/libbpf.h>
#include <lazaret/abi.h>
#include <lazaret.skel.h>

#include "base/mem.h"
#include "lib/rows.h"
#include "lib/t.h"

#define S 1000000000ull

static struct world *w;

/* A reply that must not be sent, or cannot: silence, counted. */
static void suppressed(void)
{
	static const struct pkt_spec to_all = { .src = DYN4, .dst = WORLD4, .dport = 25,
						.flags = PKT_F_BROADCAST };
	static const struct pkt_spec syn6 = { .src = DYN6, .dst = WORLD6, .dport = 25 };
	static const struct pkt_spec syn = { .src = DYN4, .dst = WORLD4, .dport = 25 };
	struct pkt_spec next = { .src = DYN4, .dst = WORLD4, .dport = 25 };
	unsigned sent = 0, kept = 0;
	struct world_run r;
	struct pkt p;

	world_reset(w);
	T_EQ(world_frame(w, WORLD_TC, &to_all, &r), 0, "a broadcast frame");
	T_EQ(r.verdict, LZ_V_DROP, "is refused in silence");
	T_EQ(r.delta[LZ_C_REPLY_SUPPRESSED], 1, "and counted");
	pkt_build(&p, &syn);
	p.data[0] = 1;
	T_EQ(world_bytes(w, WORLD_TC, p.data, p.bytes, p.l3, &r), 0, "a multicast frame");
	T_EQ(r.verdict, LZ_V_DROP, "is refused in silence");
	for (unsigned i = 0; i < 3; i++) {
		static const char *const many[3] = { "224.0.0.1", "255.255.255.255", "ff02::1" };
		struct pkt_spec s = { .src = i < 2 ? RESET4 : DYN6, .dst = many[i], .dport = 25 };

		T_EQ(world_frame(w, WORLD_TC, &s, &r), 0, "to many hosts at once");
		T_EQ(r.verdict, LZ_V_DROP, "not answered");
		T_EQ(r.delta[LZ_C_REPLY_SUPPRESSED], 1, "and counted");
	}
	for (unsigned i = 0; i < 2; i++) {
		struct pkt_spec s = { .src = i ? DYN6 : DYN4, .dst = i ? "fe00::1" : "223.255.255.254", .dport = 25 };

		T_EQ(world_frame(w, WORLD_TC, &s, &r), 0, "right below them");
		T_EQ(r.verdict, LZ_V_ICMP_ADMIN, "to one");
	}
	world_own_addr(w, NULL, NULL);
	world_reset(w);
	T_EQ(world_frame(w, WORLD_TC, &syn, &r), 0, "a port without an address");
	T_EQ(r.verdict, LZ_V_DROP, "refuses in silence");
	T_EQ(r.delta[LZ_C_REPLY_SUPPRESSED], 1, "and counted");
	T_EQ(world_frame(w, WORLD_TC, &syn6, &r), 0, "in either family");
	T_EQ(r.verdict, LZ_V_DROP, "refuses in silence");
	for (unsigned i = 0; i < 2; i++) {
		world_own_addr(w, NULL, i ? "64:ff9b::1" : "2000::1");
		T_EQ(world_frame(w, WORLD_TC, &syn6, &r), 0, "a port with half an address of zeros");
		T_EQ(r.verdict, LZ_V_ICMP_ADMIN, "has one");
	}
	world_own_addr(w, OWN4, OWN6);
	world_reset(w);
	for (next.seq = 0; next.seq < 400; next.seq++) {
		world_frame(w, WORLD_TC, &next, &r);
		sent += (unsigned)r.delta[LZ_C_REPLY_SENT];
	}
	T_EQ(sent, 200, "one source: a burst of 200");
	world_clock(w, WORLD_START_S * S - S / 100);
	world_frame(w, WORLD_TC, &next, &r);
	T_EQ(r.delta[LZ_C_REPLY_SENT], 0, "and not one more on a CPU that read the clock a tick ago");
	world_clock(w, WORLD_START_S * S);
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

/* An ICMP error quotes 96, 60 or 40 bytes of the packet, as much as there is; of less it says nothing. */
static void quotes(void)
{
	static const unsigned bytes[][2] = { { 39, 0 }, { 40, 40 }, { 59, 40 }, { 60, 60 }, { 95, 60 }, { 96, 96 },
					     { 97, 96 }, { 1000, 96 } };

	world_reset(w);
	world_hold(w, DYN4, LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GARDEN_STRICT, 0));
	for (size_t i = 0; i < LZ_ARRAY_SIZE(bytes); i++) {
		struct pkt_spec quic = { .src = DYN4, .dst = WORLD4, .proto = 17, .dport = 443,
					 .payload = (__u16)(bytes[i][0] - 28) };
		struct world_run r;

		T_EQ(world_frame(w, WORLD_TC, &quic, &r), 0, "UDP");
		T_EQ(r.verdict, bytes[i][1] ? LZ_V_ICMP_ADMIN : LZ_V_DROP, "refused");
		if (bytes[i][1])
			T_EQ(r.out_bytes, 14 + 20 + 8 + bytes[i][1], "its answer");
	}
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

static void set_reply_sources(__u64 tat_ms)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(w->skel->data_replies->lz_reply_sources); i++)
		w->skel->data_replies->lz_reply_sources[i] = (__u32)tat_ms;
}

/* 200 at once and 50 a second of a source, 1,000 and 2,000 of all: to the millisecond, to the step. */
static void reply_rates(void)
{
	enum { REPLY_ROWS = sizeof(w->skel->data_replies->lz_reply_sources) / 4 };
	const __u64 ms = 1000000, step_ns = 500000, full_ns = 1000 * step_ns, used_up_ms = 200 * 20, late_ms = 1000;
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
	set_reply_bucket(0);
	set_reply_sources(world_now(w) / ms + used_up_ms + late_ms);
	T_EQ(answered(1, true), 0, "a source's, used up, as a CPU sees it that read the clock a second ago");
	set_reply_sources(world_now(w) / ms + used_up_ms + late_ms + 1);
	T_EQ(answered(210, true), 200, "but what no use can make of it is none");
}

static const struct t_case cases[] = {
	{ "replies that are not sent", suppressed },
	{ "how many replies are", reply_rates },
	{ "what a reply quotes", quotes },
};

ROWS_MAIN(w, cases)
