/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_limits.c - limits as packets meet them: counts, windows, budgets, holds, destinations. */
#include "bpf/limit.h"
#include "prog/limit_rows.h"

static void exactly_n(void)
{
	struct lz_limit_stats stats;
	struct lz_cell *cell;

	limited(window(40, 300 * S), (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 40), 40, "forty");
	expect_limit(LIM4);
	T_EQ(admitted(LIM4, 9), 0, "and no more");
	T_EQ(admitted("203.0.113.10", 41), 40, "the neighbour has his own");
	T_EQ(admitted(LIM6, 41), 40, "IPv6 as well");
	T_EQ(admitted("2001:db8:2000:7:1234::1", 3), 0, "per /64");
	T_EQ(admitted("2001:db8:2000:8::1", 41), 40, "the next /64 has its own");
	world_limit_stats(w, LIMIT_ID, &stats);
	T_EQ(stats.asked, 50 + 41 + 44 + 41, "asked");
	T_EQ(stats.over, 10 + 1 + 4 + 1, "over");
	cell = world_cell(w, world_key(w, LIM4));
	T_EQ(cell->smtp_connections, 50, "attempts");
	T_EQ(cell->syn, 50, "SYNs");
	T_EQ(cell->others, 0, "and nothing else");
	T_EQ(cell->dropped, 10, "dropped");
}

/* A row that nobody has filled yet, of a generation that is being written. */
static void without_a_window(void)
{
	limited(window(3, 0), (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 9), 9, "stops nothing");
}

static void gives_back(void)
{
	__u64 start = WORLD_START_S * S;

	limited(window(40, 300 * S), (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 41), 40, "forty");
	world_clock(w, start + 300 * S - 1);
	expect_limit(LIM4);
	world_clock(w, start + 350 * S);
	T_EQ(admitted(LIM4, 41), 40, "forty again between W and W + W/k");
}

static void two_words(void)
{
	struct lz_limit l = window(1000, 86400 * S);
	__u64 start = WORLD_START_S * S;

	l.words = 2;
	l.word = 4;
	l.bits = 10;
	l.counters = 4;
	l.slot_ns = 86400 * S / 7;
	limited(l, (struct lz_class){ 0 });
	for (int i = 0; i < 7; i++) {
		T_EQ(admitted(LIM4, 130), 130, "seven times 130");
		world_clock(w, world_now(w) + l.slot_ns);
	}
	T_EQ(admitted(LIM4, 130), 1000 - 7 * 130, "and the rest");
	expect_limit(LIM4);
	world_clock(w, start + 86400 * S + l.slot_ns);
	T_EQ(admitted(LIM4, 200), 130, "what the first slot had comes back");
}

static void bucket(void)
{
	struct lz_limit l = { .kind = LZ_LIMIT_BUCKET, .what = LZ_WHAT_SYN, .then = LZ_THEN_DROP,
			      .refuse = LZ_V_DROP, .id = LIMIT_ID, .n = 20, .slot_ns = S / 100,
			      .burst_ns = 19 * (S / 100), .words = 1, .stamp = 1 };
	struct pkt_spec web = { .src = LIM4, .dst = WORLD4, .dport = 443 };
	unsigned n = 0, later = 0;
	struct world_run r;

	limited(l, (struct lz_class){ 0 });
	for (int i = 0; i < 50; i++) {
		world_frame(w, WORLD_XDP, &web, &r);
		n += r.verdict == LZ_V_PASS;
	}
	T_EQ(n, 20, "the burst, the same SYN again counted too");
	world_clock(w, WORLD_START_S * S + S / 10);
	for (int i = 0; i < 50; i++) {
		world_frame(w, WORLD_TC, &web, &r);
		later += r.verdict == LZ_V_PASS;
	}
	T_EQ(later, 10, "100 a second");
	web.tcp = PKT_ACK;
	world_frame(w, WORLD_XDP, &web, &r);
	T_EQ(r.reason, LZ_R_PASS_OTHER, "an established flow is not limited");
}

/* What a prefix has counted is kept for as long as somebody of it is seen. */
static void sees_a_prefix(void)
{
	struct lz_limit l = window(40, 300 * S);
	__u64 key = lz_aggregate_key(LIMIT_ID, 0xcb0071, &w->skel->rodata->lz_instance); /* 203.0.113.0/24 */

	l.per = LZ_PER_PREFIX;
	l.per_len4 = 32 + 24;
	limited(l, (struct lz_class){ 0 });
	T_EQ(admitted("203.0.113.1", 1), 1, "one of the /24");
	T_EQ(world_cell(w, key)->seen, lz_seen(WORLD_START_S), "seen");
	world_clock(w, (WORLD_START_S + 250) * S);
	T_EQ(admitted("203.0.113.2", 1), 1, "another of it");
	T_EQ(world_cell(w, key)->seen, lz_seen(WORLD_START_S + 250), "seen again");
}

static void per_prefix(void)
{
	struct lz_limit l = window(40, 300 * S);

	l.per = LZ_PER_PREFIX;
	l.per_len4 = 32 + 27;
	l.per_len6 = 48;
	limited(l, (struct lz_class){ 0 });
	T_EQ(admitted("203.0.113.1", 20), 20, "one of the /27");
	T_EQ(admitted("203.0.113.31", 30), 20, "another of it");
	T_EQ(admitted("203.0.113.32", 41), 40, "the next /27");
	T_EQ(admitted("2001:db8:2000:1::1", 30), 30, "one of the /48");
	T_EQ(admitted("2001:db8:2000:ffff::1", 30), 10, "another of it");
	T_EQ(admitted("2001:db8:2001::1", 41), 40, "the next /48");

	l.per_len4 = 64; /* 32.1.13.184 is 0x20010db8 */
	l.per_len6 = 32;
	limited(l, (struct lz_class){ 0 });
	world_range(w, 0, "32.1.13.184/32", ROWS_LIMITED);
	T_EQ(admitted("32.1.13.184", 30), 30, "an IPv4 address");
	T_EQ(admitted("2001:db8:2000:1::1", 30), 30, "the /32 whose bits are the same");
	T_EQ(admitted("32.1.13.184", 20), 10, "each has its own cell");
}

static void per_customer(void)
{
	struct lz_limit l = window(40, 300 * S);

	l.per = LZ_PER_CUSTOMER;
	limited(l, (struct lz_class){ 0 });
	world_customer(w, 0, "203.0.113.4/30", 12);
	world_customer(w, 0, "2001:db8:2000:40::/60", 12);
	world_customer(w, 0, "203.0.113.8/32", 13);
	T_EQ(admitted("203.0.113.5", 20), 20, "IPv4 of a customer");
	T_EQ(admitted("2001:db8:2000:4f::1", 30), 20, "his IPv6");
	T_EQ(admitted("203.0.113.8", 41), 40, "another customer");
	T_EQ(admitted("203.0.113.99", 60), 60, "no customer, no limit");
}

static void to_some_only(void)
{
	struct pkt_spec relay = { .src = LIM4, .dst = SMART4, .dport = 25 };
	struct lz_limit l = window(3, 300 * S);
	struct world_run r;

	l.to_mask = ROWS_SMARTHOSTS;
	limited(l, (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 20), 20, "to the world");
	for (int i = 0; i < 4; i++) {
		relay.seq = ++next_seq;
		world_frame(w, WORLD_XDP, &relay, &r);
	}
	T_EQ(r.reason, LZ_R_DROP_LIMIT, "the fourth to the smarthost");
}

/* Who is excepted from all has no limit, nor counts; who is from the rule of port 25 has none on mail. */
static void lifted(void)
{
	static const __u32 flags[] = { LZ_EXCEPTION_ALL, LZ_EXCEPTION_PORT25 };
	struct lz_limit syn = window(3, 300 * S);

	for (int i = 0; i < 2; i++) {
		limited(window(3, 300 * S), (struct lz_class){ 0 });
		world_exception(w, LIM4 "/32", flags[i], WORLD_START_S + 60);
		T_EQ(admitted(LIM4, 9), 9, "excepted");
		T_EQ(admitted("203.0.113.10", 9), 3, "a neighbour is not");
		world_clock(w, (WORLD_START_S + 60) * S);
		T_EQ(admitted(LIM4, 9), 3, "and nothing was counted");
		syn.what = LZ_WHAT_SYN;
		limited(syn, (struct lz_class){ 0 });
		world_exception(w, LIM4 "/32", flags[i], WORLD_START_S + 60);
		T_EQ(admitted(LIM4, 9), i ? 3 : 9, "a limit on all SYNs is none on mail");
	}
}

/* Of two that only say what they would have done the first is told. */
static void first_of_two_monitored(void)
{
	struct lz_class c = { .limits = 2 };

	for (int i = 0; i < 2; i++) {
		c.limit[i] = window(1, 300 * S);
		c.limit[i].flags = LZ_LIMIT_F_MONITOR;
		c.limit[i].refuse = i ? LZ_V_DROP : LZ_V_TCP_RESET;
		c.limit[i].id = (__u16)(LIMIT_ID + i);
		c.limit[i].word = (__u8)i;
	}
	world_class(w, 0, ROWS_LIMITED, &c);
	world_reset(w);
	T_EQ(admitted(LIM4, 2), 2, "both are over, none refuses");
	T_EQ(world_last(w)->would, LZ_V_TCP_RESET, "the first would have");
}

static unsigned holds_told;

static void count_holds(void *arg, const struct lz_event *e)
{
	(void)arg;
	holds_told += e->kind == LZ_EVENT_HOLD;
}

static void hold_on_limit(void)
{
	struct lz_limit l = window(3, 300 * S);
	struct lz_limit_stats stats;
	struct lz_cell *cell;

	l.then = LZ_THEN_HOLD;
	l.hold_ttl_s = 3600;
	l.grade = LZ_GARDEN_STRICT;
	limited(l, (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 3), 3, "three");
	expect_limit(LIM4);
	cell = world_cell(w, world_key(w, LIM4));
	T_EQ(cell->hold, LZ_HOLD_WORD(WORLD_START_S + 3601, 3600, LZ_GARDEN_STRICT,
				      LZ_HOLD_F_KERNEL), "the hold word");
	T_EQ(attempt(LIM4, WORLD_XDP).reason, LZ_R_DROP_HELD, "held from the next packet on");
	rows_check(w, WORLD_XDP, &(struct row){ "that no rule looks at, too", { .src = LIM4, .dst = WORLD4, .proto = 17,
		   .dport = 9999 }, LZ_V_DROP, LZ_R_DROP_HELD });
	ROWS_OK("rows");
	world_events(w, count_holds, NULL);
	T_EQ(holds_told, 1, "told once");
	world_limit_stats(w, LIMIT_ID, &stats);
	T_EQ(stats.holds, 1, "counted once");
	world_clock(w, (WORLD_START_S + 3601) * S);
	T_EQ(attempt(LIM4, WORLD_XDP).reason, LZ_R_PASS_EXAMINED, "and free when it ends");
}

/* A long mild hold is no shield from a shorter, harder one; nor is it shortened by it. */
static void hold_harder(void)
{
	static const __u32 milder[] = { LZ_GRADE(LZ_GRADE_BLOCK25, 0), LZ_GRADE(LZ_GRADE_THROTTLE, 1) };
	struct lz_limit l = window(3, 300 * S);

	l.what = LZ_WHAT_SYN;
	l.then = LZ_THEN_HOLD;
	l.hold_ttl_s = 600;
	l.grade = LZ_GRADE(LZ_GRADE_GARDEN, LZ_GARDEN_STRICT);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(milder); i++) {
		struct lz_cell *cell;

		limited(l, (struct lz_class){ 0 });
		world_hold(w, LIM4, LZ_HOLD_WORD(WORLD_START_S + 3601, 3600, milder[i], 0));
		for (int n = 0; n < 3; n++)
			T_EQ(attempt_port(LIM4, 443, WORLD_XDP).reason, LZ_R_PASS_EXAMINED,
			     "a milder hold: to the web");
		T_EQ(attempt_port(LIM4, 443, WORLD_XDP).reason, LZ_R_DROP_LIMIT, "over the limit");
		cell = world_cell(w, world_key(w, LIM4));
		T_EQ(cell->hold, LZ_HOLD_WORD(WORLD_START_S + 3601, 3601, l.grade, LZ_HOLD_F_KERNEL),
		     "held harder, until the later end");
		T_EQ(attempt_port(LIM4, 443, WORLD_XDP).reason, LZ_R_DROP_HELD, "from the next packet on");
	}
}

/* A leaky garden lets him use the web, not scan it; and who is over a limit there is held no longer for it. */
static void held_is_limited(void)
{
	const __u64 word = LZ_HOLD_WORD(WORLD_START_S + 61, 60, LZ_GRADE(LZ_GRADE_GARDEN, LZ_GARDEN_LEAKY), 0);
	struct lz_limit l = window(3, 300 * S);
	struct lz_cell *cell;

	l.what = LZ_WHAT_SYN;
	l.then = LZ_THEN_HOLD;
	l.hold_ttl_s = 3600;
	l.grade = LZ_GRADE(LZ_GRADE_GARDEN, LZ_GARDEN_STRICT);
	limited(l, (struct lz_class){ 0 });
	world_hold(w, LIM4, word);
	for (int n = 0; n < 3; n++)
		T_EQ(attempt_port(LIM4, 443, n % 2 ? WORLD_TC : WORLD_XDP).verdict, LZ_V_PASS, "leaky: the web");
	T_EQ(attempt_port(LIM4, 443, WORLD_XDP).reason, LZ_R_DROP_LIMIT, "leaky: over the limit");
	T_EQ(attempt_port(LIM4, 22, WORLD_TC).reason, LZ_R_DROP_LIMIT, "leaky: at any port");
	T_EQ(attempt_port(LIM4, 25, WORLD_XDP).reason, LZ_R_DROP_HELD, "leaky: mail is the garden's");
	cell = world_cell(w, world_key(w, LIM4));
	T_EQ(cell->syn, 5, "leaky: what the class judges is counted");
	T_EQ(cell->dropped, 3, "leaky: what is dropped, too");
	T_EQ(cell->hold, word, "leaky: the hold is as it was");
}

/* I1 and I2 to the millisecond: begun late in a second, a hold is no shorter than it was granted. */
static void hold_for_its_time(void)
{
	const __u64 begun_ns = WORLD_START_S * S + 900 * S / 1000;
	struct lz_limit l = window(3, 300 * S);

	l.then = LZ_THEN_HOLD;
	l.hold_ttl_s = 2;
	limited(l, (struct lz_class){ 0 });
	world_clock(w, begun_ns);
	T_EQ(admitted(LIM4, 3), 3, "three");
	expect_limit(LIM4);
	world_clock(w, begun_ns + 2 * S - 1);
	T_EQ(attempt(LIM4, WORLD_XDP).reason, LZ_R_DROP_HELD, "held for all of its two seconds");
	world_clock(w, begun_ns + 3 * S);
	T_EQ(attempt(LIM4, WORLD_XDP).reason, LZ_R_DROP_LIMIT, "and not a second longer");
}

static void notify_only(void)
{
	struct lz_limit l = window(3, 300 * S);

	l.then = LZ_THEN_NOTIFY;
	limited(l, (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 10), 10, "notify refuses nothing");
	l.then = LZ_THEN_DROP;
	l.flags = LZ_LIMIT_F_MONITOR;
	limited(l, (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 3), 3, "three");
	T_EQ(attempt(LIM4, WORLD_XDP).reason, LZ_R_PASS_MONITOR, "a monitored limit only says so");
	T_EQ(world_cold(w, world_key(w, LIM4))->would_drop, 1, "in the cell");
}

static void destinations(void)
{
	struct lz_limit l = { .kind = LZ_LIMIT_DESTS, .what = LZ_WHAT_SMTP_DESTINATIONS,
			      .then = LZ_THEN_DROP, .refuse = LZ_V_DROP, .id = LIMIT_ID, .n = 30,
			      .slot_ns = 600 * S, .stamp = 1 };
	unsigned first = 0;
	char dst[16];

	l.n = 1;
	limited(l, (struct lz_class){ .dests_slot_ns = 600 * S });
	T_EQ(admitted(LIM4, 2), 2, "as many as may be");
	l.n = 30;
	limited(l, (struct lz_class){ .dests_slot_ns = 600 * S });
	T_EQ(admitted(LIM4, 100), 100, "one destination, however often");
	for (unsigned i = 0; i < 60 && !first; i++) {
		struct pkt_spec p = { .src = LIM4, .dst = dst, .dport = 25, .seq = ++next_seq };
		struct world_run r;

		snprintf(dst, sizeof(dst), "198.51.100.%u", i);
		world_frame(w, WORLD_XDP, &p, &r);
		if (r.reason == LZ_R_DROP_LIMIT)
			first = i + 2;
	}
	printf("# \"over 30\" destinations fired at %u\n", first);
	T_OK(first >= 24 && first <= 43, "over 30 destinations");
}

/* Noted once in each slot of time, however often it comes and whatever lies between. */
static void noted_in_each_slot(void)
{
	struct pkt_spec other = { .src = LIM4, .dst = "198.51.100.7", .dport = 25, .seq = 900000 };
	struct world_run r;
	__u64 *dests, key;

	limited(window(40, 300 * S), (struct lz_class){ .dests_slot_ns = 600 * S });
	key = world_key(w, LIM4);
	T_EQ(admitted(LIM4, 2), 2, "one destination");
	dests = world_cold(w, key)->dests;
	T_EQ(lz_dests_estimate(dests, WORLD_START_S / 600), 1, "one");
	dests[0] = dests[1] = dests[2] = dests[3] = 0;
	T_EQ(admitted(LIM4, 1), 1, "the same");
	T_EQ(lz_dests_estimate(dests, WORLD_START_S / 600), 0, "was noted, and nothing is done");
	world_frame(w, WORLD_XDP, &other, &r);
	T_EQ(lz_dests_estimate(dests, WORLD_START_S / 600), 1, "another one");
	T_EQ(admitted(LIM4, 1), 1, "the first again");
	T_EQ(lz_dests_estimate(dests, WORLD_START_S / 600), 2, "is noted beside it");
	world_clock(w, (WORLD_START_S + 600) * S);
	T_EQ(admitted(LIM4, 1), 1, "the same in the next slot");
	dests[2 * (WORLD_START_S / 600 & 1)] = dests[2 * (WORLD_START_S / 600 & 1) + 1] = 0;
	T_EQ(lz_dests_estimate(dests, WORLD_START_S / 600 + 1), 1, "stands there, too");
}

/* What does not fit a counter's lower bits is in the other half of the cell, and nobody beside it notices. */
static void counters_carry(void)
{
	struct pkt_spec data = { .src = LIM4, .dst = WORLD4, .dport = 25, .tcp = PKT_ACK };
	struct world_run r;
	struct lz_cell *cell;
	struct lz_cold *cold;

	limited(window(40, 300 * S), (struct lz_class){ 0 });
	T_EQ(admitted(LIM4, 40), 40, "forty");
	cell = world_cell(w, world_key(w, LIM4));
	cold = world_cold(w, world_key(w, LIM4));
	cell->dropped = 0xfffe;
	cold->told_s = 0xffff;
	T_EQ(admitted(LIM4, 5), 0, "five refused");
	T_EQ(cell->dropped, 3, "wrapped");
	T_EQ(cold->dropped_65536s, 1, "once");
	T_EQ(cell->seen, lz_seen(WORLD_START_S), "what lies below is what it was");
	T_EQ(cold->told_s, (__u16)WORLD_START_S, "there as well");
	for (int i = 0; i < 600; i++)
		world_frame(w, i % 2 ? WORLD_TC : WORLD_XDP, &data, &r);
	T_EQ(cold->others_256s, 2, "twice");
	T_EQ(cell->others, 600 - 512, "and the rest");
	T_EQ(LZ_KNOWN_IS(cell->known_class), ROWS_LIMITED, "the class is known still");
	T_EQ(cell->syn, 45, "SYNs have nothing to do with it");
	/* All bits below are set: that is not yet one more. */
	world_clock(w, (0x2ffffull << LZ_SEEN_SHIFT) * S);
	T_EQ(admitted(LIM4, 40), 40, "forty, later");
	cell->dropped = 0xfffe;
	T_EQ(admitted(LIM4, 1), 0, "one refused");
	T_EQ(cell->seen, 0xffff, "what lies below");
	T_EQ(cell->dropped, 0xffff, "not wrapped");
	T_EQ(cold->dropped_65536s, 1, "still once");
}

/* I8 over everything at once. */
static void conservation(void)
{
	static const char *const sources[] = { LIM4, LIM6, DYN4, DYN6, BIZ4, WORLD4, NEVER4, DROP4 };
	__u64 count[LZ_C_N], sum = 0;

	limited(window(5, 300 * S), (struct lz_class){ 0 });
	world_hold(w, BIZ4, LZ_HOLD_WORD(WORLD_START_S + 9, 9, LZ_GARDEN_STRICT, 0));
	for (unsigned i = 0; i < 2000; i++) {
		const char *src = sources[i % 8];
		struct pkt_spec p = { .src = src, .dst = strchr(src, ':') ? WORLD6 : SMART4,
				      .dport = i % 3 ? 25 : 80, .seq = i / 16,
				      .tcp = i % 5 ? PKT_SYN : PKT_ACK,
				      .vlan = { i % 7 ? 0 : 0x8100, i % 7 ? 0 : 0x8100,
						i % 14 ? 0 : 0x8100 } };
		struct world_run r;

		world_frame(w, (enum world_hook)(i % 3), &p, &r);
		T_OK(r.reason < LZ_R_N, "one reason a packet");
	}
	world_stats(w, count);
	for (int i = 0; i < LZ_R_N; i++)
		sum += count[i];
	T_EQ(count[LZ_C_RECEIVED], 2000, "received");
	T_EQ(sum, 2000, "is passed plus dropped, by reason");
}

static const struct t_case cases[] = {
	{ "exactly N, then none", exactly_n },
	{ "a limit without a window", without_a_window },
	{ "a window gives back between W and W + W/k", gives_back },
	{ "a window of two words", two_words },
	{ "a bucket: rate and burst", bucket },
	{ "per prefix", per_prefix },
	{ "a prefix is seen", sees_a_prefix },
	{ "per customer", per_customer },
	{ "towards some destinations only", to_some_only },
	{ "exceptions from limits", lifted },
	{ "two monitored limits", first_of_two_monitored },
	{ "hold", hold_on_limit },
	{ "a hold lasts its time", hold_for_its_time },
	{ "a harder hold in a longer one", hold_harder },
	{ "a held source meets limits", held_is_limited },
	{ "notify and monitored limits", notify_only },
	{ "distinct destinations", destinations },
	{ "a destination in each slot", noted_in_each_slot },
	{ "counters of both halves", counters_carry },
	{ "received is passed plus dropped", conservation },
};

ROWS_MAIN(w, cases)
