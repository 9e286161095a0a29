/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_colony.c - the fate table of a held source, and when a hold holds. */
#include "base/mem.h"
#include "lib/rows.h"
#include "lib/t.h"

static struct world *w;

#define S 1000000000ull
#define GARDEN LZ_V_PASS, LZ_R_PASS_GARDEN
#define CLASS  LZ_V_PASS, LZ_R_PASS_EXAMINED /* as if he were not held */
#define DROP   LZ_V_DROP, LZ_R_DROP_HELD
#define RST    LZ_V_TCP_RESET, LZ_R_DROP_HELD
#define ICMP   LZ_V_ICMP_ADMIN, LZ_R_DROP_HELD
#define SINK   ROWS_PORTAL(LZ_V_SMTP_554, LZ_V_ICMP_ADMIN), LZ_R_DROP_HELD
#define PAGE   ROWS_PORTAL(LZ_V_PAGE, LZ_V_TCP_RESET), LZ_R_DROP_HELD
#define TO(d)  .src = DYN4, .dst = d
#define TO6(d) .src = DYN6, .dst = d

/* One packet, its fate in a leaky and in a strict garden. */
static const struct fate {
	const char *name;
	struct pkt_spec p;
	__u32 leaky, leaky_reason, strict, strict_reason;
} fates[] = {
	{ "arp", { .ethertype = 0x0806 }, LZ_V_PASS, LZ_R_PASS_NOT_IP, LZ_V_PASS, LZ_R_PASS_NOT_IP },
	{ "ppp lcp", { TO(WORLD4), .flags = PKT_F_PPPOE, .ppp = 0xc021 },
	  LZ_V_PASS, LZ_R_PASS_NOT_IP, LZ_V_PASS, LZ_R_PASS_NOT_IP },
	{ "eapol", { .ethertype = 0x888e }, LZ_V_PASS, LZ_R_PASS_NOT_IP, LZ_V_PASS, LZ_R_PASS_NOT_IP },
	{ "neighbour solicitation", { TO6("ff02::1"), .proto = 58, .icmp_type = 135 }, GARDEN, GARDEN },
	{ "router solicitation", { TO6("ff02::2"), .proto = 58, .icmp_type = 133 }, GARDEN, GARDEN },
	{ "neighbour redirect", { TO6(WORLD6), .proto = 58, .icmp_type = 137 }, GARDEN, GARDEN },
	{ "router renumbering", { TO6(WORLD6), .proto = 58, .icmp_type = 138 }, GARDEN, DROP },
	{ "echo v6", { TO6(WORLD6), .proto = 58, .icmp_type = 128 }, GARDEN, DROP },
	{ "neighbour solicitation of one far away", { TO6(WORLD6), .proto = 58, .icmp_type = 135 },
	  GARDEN, GARDEN },
	{ "names on the link", { TO6("ff02::fb"), .proto = 17, .dport = 5353 }, GARDEN, DROP },
	{ "dhcp", { TO(WORLD4), .proto = 17, .sport = 68, .dport = 67 }, GARDEN, GARDEN },
	{ "dhcpv6", { TO6("ff02::1:2"), .proto = 17, .sport = 546, .dport = 547 }, GARDEN, GARDEN },
	{ "dns of always-reach", { TO(REACH4), .proto = 17, .dport = 53 }, GARDEN, GARDEN },
	{ "dns of always-reach v6", { TO6(REACH6), .proto = 17, .dport = 53 }, GARDEN, GARDEN },
	{ "tcp to always-reach", { TO(REACH4), .dport = 5060 }, GARDEN, GARDEN },
	{ "later fragment to always-reach", { TO(REACH4), .frag_off = 800, .proto = 17 },
	  GARDEN, GARDEN },
	{ "dns elsewhere", { TO(WORLD4), .proto = 17, .dport = 53 }, GARDEN, DROP },
	{ "port 25", { TO(WORLD4), .dport = 25 }, SINK, SINK },
	{ "port 25 v6", { TO6(WORLD6), .dport = 25 }, SINK, SINK },
	{ "port 25 of a smarthost", { TO(SMART4), .dport = 25 }, SINK, SINK },
	{ "port 25 of a never address", { TO(NEVER4), .dport = 25 }, SINK, SINK },
	{ "port 25 of a garden destination", { TO(GARDEN4), .dport = 25 }, SINK, SINK },
	{ "port 25, established", { TO(WORLD4), .dport = 25, .tcp = PKT_ACK, .payload = 5 },
	  SINK, SINK },
	{ "port 25, fragmented", { TO(WORLD4), .dport = 25, .flags = PKT_F_MORE, .payload = 60 },
	  SINK, SINK },
	{ "tiny fragment", { TO(WORLD4), .dport = 25, .flags = PKT_F_MORE, .l4_bytes = 8 },
	  DROP, DROP },
	{ "web", { TO(WORLD4), .dport = 80 }, PAGE, PAGE },
	{ "web, established", { TO(WORLD4), .dport = 80, .tcp = PKT_ACK, .seq = 77 }, PAGE, PAGE },
	{ "web of a garden destination", { TO(GARDEN4), .dport = 80 }, PAGE, GARDEN },
	{ "submission", { TO(WORLD4), .dport = 587 }, CLASS, RST },
	{ "submissions", { TO(WORLD4), .dport = 465 }, CLASS, RST },
	{ "tls", { TO(WORLD4), .dport = 443 }, CLASS, RST },
	{ "tls, established", { TO(WORLD4), .dport = 443, .tcp = PKT_ACK }, GARDEN, RST },
	{ "tls of a garden destination", { TO(GARDEN4), .dport = 443 }, CLASS, GARDEN },
	{ "quic", { TO(WORLD4), .proto = 17, .dport = 443, .payload = 60 }, GARDEN, ICMP },
	{ "quic of a garden destination", { TO(GARDEN4), .proto = 17, .dport = 443 },
	  GARDEN, GARDEN },
	{ "ntp, not allowed", { TO(WORLD4), .proto = 17, .dport = 123 }, GARDEN, DROP },
	{ "ssh", { TO(WORLD4), .dport = 22 }, CLASS, DROP },
	{ "udp", { TO(WORLD4), .proto = 17, .dport = 9999 }, GARDEN, DROP },
	{ "echo", { TO(WORLD4), .proto = 1, .icmp_type = 8 }, GARDEN, DROP },
	{ "gre", { TO(WORLD4), .proto = 47 }, GARDEN, DROP },
	{ "later fragment", { TO(WORLD4), .frag_off = 1480 }, GARDEN, DROP },
	{ "unparsed: bad header length", { TO(WORLD4), .ihl = 4 }, GARDEN, DROP },
	{ "nine headers may hide any port", { TO6(WORLD6), .ext_n = 9 }, DROP, DROP },
};

static int garden;

static void hold_both(struct world *world)
{
	world_hold(world, DYN4, LZ_HOLD_WORD(WORLD_START_S + 60, 100, garden, 0));
	world_hold(world, DYN6, LZ_HOLD_WORD(WORLD_START_S + 60, 100, garden, 0));
}

static void run_fates(void)
{
	for (unsigned i = 0; i < sizeof(fates) / sizeof(*fates); i++) {
		const struct fate *f = &fates[i];
		struct row row = { f->name, f->p, f->leaky, f->leaky_reason };

		if (garden == LZ_GARDEN_STRICT) {
			row.verdict = f->strict;
			row.reason = f->strict_reason;
		}
		rows_run(w, &row, 1, ROWS_XDP | ROWS_TC, hold_both);
	}
	ROWS_OK("rows");
}

static void leaky(void)
{
	static const struct row opened[] = {
		{ "web of what a leaky garden opens", { TO(GARDEN4), .dport = 80 }, GARDEN },
		{ "its tls", { TO(GARDEN4), .dport = 443 }, GARDEN },
		{ "its port 25", { TO(GARDEN4), .dport = 25 }, SINK },
		{ "web elsewhere", { TO(WORLD4), .dport = 80 }, PAGE },
	};

	garden = LZ_GARDEN_LEAKY;
	run_fates();
	w->control->gen[0].garden[garden].allow_mask = ROWS_ALLOWED;
	rows_run(w, opened, sizeof(opened) / sizeof(*opened), ROWS_XDP | ROWS_TC, hold_both);
	w->control->gen[0].garden[garden].allow_mask = 0;
	ROWS_OK("rows");
}

static void strict(void)
{
	struct row ntp = { "ntp, allowed", { TO(WORLD4), .proto = 17, .dport = 123 }, GARDEN };
	__u32 *open = w->control->gen[0].garden[LZ_GARDEN_STRICT].open;

	garden = LZ_GARDEN_STRICT;
	run_fates();
	memcpy(open, (const __u32[]){ 6u << 16 | 22, 6u << 16 | 123, 17u << 16 | 22, 17u << 16 | 123 },
	       4 * sizeof(*open));
	rows_run(w, &ntp, 1, ROWS_XDP | ROWS_TC, hold_both);
	memset(open, 0, 4 * sizeof(*open));
	open[0] = 6u << 16 | 123;
	ntp = (struct row){ "another protocol's port", ntp.p, DROP };
	rows_run(w, &ntp, 1, ROWS_XDP | ROWS_TC, hold_both);
	memset(open, 0, 4 * sizeof(*open));
	ROWS_OK("rows");
}

/* What the other two grades stop, and that they stop nothing else. */
static void block25(void)
{
	static const struct row rows[] = {
		{ "port 25", { TO("198.51.100.77"), .dport = 25 }, SINK },
		{ "port 25 of a smarthost", { TO(SMART4), .dport = 25 }, SINK },
		{ "port 25, established", { TO6(WORLD6), .dport = 25, .tcp = PKT_ACK }, SINK },
		{ "tiny fragment", { TO(WORLD4), .dport = 25, .flags = PKT_F_MORE, .l4_bytes = 8 }, DROP },
		{ "nine headers", { TO6(WORLD6), .dport = 25, .ext_n = 9 }, DROP },
		{ "port 25 of always-reach", { TO(REACH4), .dport = 25 }, LZ_V_ICMP_ADMIN,
		  LZ_R_DROP_PORT25 },
		{ "web", { TO(WORLD4), .dport = 80 }, LZ_V_PASS, LZ_R_PASS_EXAMINED },
		{ "web, established", { TO(WORLD4), .dport = 80, .tcp = PKT_ACK }, LZ_V_PASS,
		  LZ_R_PASS_OTHER },
		{ "submission", { TO6(WORLD6), .dport = 587 }, LZ_V_PASS, LZ_R_PASS_EXAMINED },
		{ "udp to 25", { TO(WORLD4), .proto = 17, .dport = 25 }, LZ_V_PASS, LZ_R_PASS_OTHER },
		{ "unparsed", { TO(WORLD4), .ihl = 4 }, LZ_V_PASS, LZ_R_PASS_UNPARSED },
	};
	struct row drop = { "mail verdict of row 0", { TO(WORLD4), .dport = 25 }, DROP };

	garden = LZ_GRADE(LZ_GRADE_BLOCK25, 0);
	rows_run(w, ROWS(rows), ROWS_XDP | ROWS_TC, hold_both);
	w->control->gen[0].garden[LZ_GARDEN_LEAKY].mail = LZ_V_DROP;
	rows_run(w, &drop, 1, ROWS_XDP | ROWS_TC, hold_both);
	w->control->gen[0].garden[LZ_GARDEN_LEAKY].mail = LZ_V_SMTP_554;
	ROWS_OK("rows");
}

/* Three at once, then one every two seconds; a retransmission costs nothing and changes nothing. */
static void throttle(void)
{
	struct row pass = { "within the rate", { .src = BIZ4, .dst = WORLD4, .dport = 25, .seq = 1 },
			    LZ_V_PASS, LZ_R_PASS_EXAMINED };
	struct row over = { "over it", { .src = BIZ4, .dst = WORLD4, .dport = 25, .seq = 100 },
			    LZ_V_DROP, LZ_R_DROP_THROTTLED };
	struct row again = { "sent again", { .src = BIZ4, .dst = WORLD4, .dport = 25, .seq = 1 },
			     LZ_V_PASS, LZ_R_PASS_RETRANSMIT };

	world_reset(w);
	w->control->throttle[5] = (struct lz_throttle){ 2000, 4000 };
	world_hold(w, BIZ4, LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GRADE(LZ_GRADE_THROTTLE, 5), 0));
	for (pass.p.seq = 1; pass.p.seq <= 3; pass.p.seq++)
		rows_check(w, pass.p.seq % 2 ? WORLD_XDP : WORLD_TC, &pass);
	rows_check(w, WORLD_XDP, &over);
	rows_check(w, WORLD_XDP, &again);
	again = (struct row){ "sent again", over.p, LZ_V_DROP, LZ_R_DROP_RETRANSMIT };
	rows_check(w, WORLD_TC, &again);
	rows_check(w, WORLD_XDP, &(struct row){ "the web", { .src = BIZ4, .dst = WORLD4, .dport = 80 },
		   LZ_V_PASS, LZ_R_PASS_EXAMINED });
	rows_check(w, WORLD_XDP, &(struct row){ "an open flow", { .src = BIZ4, .dst = WORLD4,
		   .dport = 25, .tcp = PKT_ACK }, LZ_V_PASS, LZ_R_PASS_EXAMINED });
	world_clock(w, (WORLD_START_S + 2) * S);
	rows_check(w, WORLD_XDP, &pass);
	over.p.seq = 101;
	rows_check(w, WORLD_XDP, &over);
	over = (struct row){ "over it on a CPU that read the clock a tick ago", { .src = BIZ4, .dst = WORLD4, .dport = 25,
			     .seq = 103 }, LZ_V_DROP, LZ_R_DROP_THROTTLED };
	world_clock(w, (WORLD_START_S + 2) * S - S / 100);
	rows_check(w, WORLD_XDP, &over);
	T_EQ(world_cell(w, world_key(w, BIZ4))->dropped, 4, "each drop stands in the cell");
	w->control->throttle[5].step_ms = 0;
	over = (struct row){ "a rate nobody set", { .src = BIZ4, .dst = WORLD4, .dport = 25, .seq = 102 },
			     LZ_V_PASS, LZ_R_PASS_EXAMINED };
	rows_check(w, WORLD_XDP, &over);
	ROWS_OK("rows");
}

/* How many of five connections a newly throttled source gets at this uptime. */
static unsigned throttled_at(__u64 now_s)
{
	unsigned passed = 0;

	world_reset(w);
	world_clock(w, now_s * S);
	w->control->throttle[5] = (struct lz_throttle){ 28800000, 57600000 }; /* 3/24h */
	world_hold(w, BIZ4, LZ_HOLD_WORD(now_s + 86400, 86400, LZ_GRADE(LZ_GRADE_THROTTLE, 5), 0));
	for (__u32 i = 0; i < 5; i++) {
		struct pkt_spec spec = { .src = BIZ4, .dst = WORLD4, .dport = 25, .seq = 100 + i };
		struct world_run r;

		world_frame(w, WORLD_XDP, &spec, &r);
		passed += r.verdict == LZ_V_PASS;
	}
	return passed;
}

/* The bucket is in milliseconds of 32 bits, which begin anew every 49.7 days of uptime. */
static void throttle_at_any_uptime(void)
{
	static const __s64 beside_s[] = { -86000, -60000, -3600, -1, 1, 3600 };
	__u64 wrap_s = (1ULL << 32) / 1000;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(beside_s); i++) {
		T_EQ(throttled_at(wrap_s + (__u64)beside_s[i]), 3, "beside the 49th day");
		T_EQ(throttled_at(2 * wrap_s + (__u64)beside_s[i]), 3, "beside the 99th day");
	}
}

/* A source that no class has is held all the same. */
static void throttle_of_a_stranger(void)
{
	static const char *const src = "192.0.2.77";
	struct row row = { "within", { .src = src, .dst = WORLD4, .dport = 25, .seq = 1 },
			   LZ_V_PASS, LZ_R_PASS_EXAMINED };

	world_reset(w);
	w->control->throttle[1] = (struct lz_throttle){ 2000, 0 };
	world_hold(w, src, LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GRADE(LZ_GRADE_THROTTLE, 1), 0));
	rows_check(w, WORLD_XDP, &row);
	row = (struct row){ "over", { .src = src, .dst = WORLD4, .dport = 25, .seq = 2 }, LZ_V_DROP,
			    LZ_R_DROP_THROTTLED };
	rows_check(w, WORLD_XDP, &row);
	ROWS_OK("rows");
}

/* For 30 s the portal may finish what it has with a released host; all else is free at once. */
static void released(void)
{
	static const struct row rows[] = {
		{ "new, but the portal may have its ports in TIME_WAIT", { TO(WORLD4), .dport = 80 },
		  LZ_V_PAGE, LZ_R_PASS_EXAMINED },
		{ "new, and forbidden by the class", { TO(WORLD4), .dport = 25 },
		  LZ_V_ICMP_ADMIN, LZ_R_DROP_PORT25 },
		{ "perhaps a flow of the page", { TO(WORLD4), .dport = 80, .tcp = PKT_ACK }, LZ_V_PAGE,
		  LZ_R_PASS_OTHER },
		{ "its end", { TO6(WORLD6), .dport = 80, .tcp = PKT_FIN | PKT_ACK }, LZ_V_PAGE,
		  LZ_R_PASS_OTHER },
		{ "perhaps a flow of the sink", { TO(SMART4), .dport = 25, .tcp = PKT_ACK },
		  LZ_V_SMTP_554, LZ_R_PASS_EXAMINED },
		{ "or one that the class forbids", { TO(WORLD4), .dport = 25, .tcp = PKT_ACK },
		  ROWS_PORTAL(LZ_V_SMTP_554, LZ_V_DROP), LZ_R_DROP_PORT25 },
		{ "tls", { TO(WORLD4), .dport = 443, .tcp = PKT_ACK }, LZ_V_PASS, LZ_R_PASS_OTHER },
	};
	struct row after = { "30 s later", { TO(WORLD4), .dport = 80, .tcp = PKT_ACK }, LZ_V_PASS,
			     LZ_R_PASS_OTHER };

	for (__u32 ago = 0; ago < LZ_RELEASED_S; ago += LZ_RELEASED_S - 1)
		for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
			for (enum world_hook hook = WORLD_XDP; hook <= WORLD_TC; hook++) {
				world_reset(w);
				world_hold(w, DYN4, LZ_HOLD_WORD(WORLD_START_S - ago, 100, 1, 0));
				world_hold(w, DYN6, LZ_HOLD_WORD(WORLD_START_S - ago, 100, 1, 0));
				rows_check(w, hook, &rows[i]);
			}
	world_reset(w);
	world_hold(w, DYN4, LZ_HOLD_WORD(WORLD_START_S - LZ_RELEASED_S, 100, 1, 0));
	rows_check(w, WORLD_XDP, &after);
	ROWS_OK("rows");
}

/* A hold word of a grade nobody knows holds as strictly as can be. */
static void unknown_grade(void)
{
	world_reset(w);
	world_hold(w, DYN4, LZ_HOLD_WORD(WORLD_START_S + 60, 60, 63, 0));
	rows_check(w, WORLD_XDP, &(struct row){ "ssh", { TO(WORLD4), .dport = 22 }, DROP });
	rows_check(w, WORLD_XDP, &(struct row){ "tls", { TO(GARDEN4), .dport = 443 }, GARDEN });
	ROWS_OK("rows");
}

static void resets_are_not_answered(void)
{
	static const struct pkt_spec rst = { TO(WORLD4), .dport = 80, .tcp = PKT_RST };
	struct world_run r;

	garden = LZ_GARDEN_STRICT;
	world_reset(w);
	hold_both(w);
	T_EQ(world_frame(w, WORLD_TC, &rst, &r), 0, "a reset to the web");
	T_EQ(r.verdict, LZ_V_DROP, "stops in silence");
	T_EQ(r.delta[LZ_C_REPLY_SUPPRESSED], 1, "and is counted");
}

static const struct row mail = { "held", { TO(WORLD4), .dport = 25 }, SINK };
static const struct row ssh = { "not held", { TO(WORLD4), .dport = 22 }, LZ_V_PASS,
				LZ_R_PASS_EXAMINED };
static const struct row ssh_held = { "held", { TO(WORLD4), .dport = 22 }, DROP };

/* The clock alone ends a hold, at its second, with nobody there to end it. */
static void expiry(void)
{
	world_reset(w);
	world_hold(w, DYN4, LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GARDEN_STRICT, 0));
	rows_check(w, WORLD_XDP, &ssh_held);
	world_clock(w, (WORLD_START_S + 60) * S - 1);
	rows_check(w, WORLD_XDP, &ssh_held);
	rows_check(w, WORLD_TC, &ssh_held);
	world_clock(w, (WORLD_START_S + 60) * S);
	rows_check(w, WORLD_XDP, &ssh);
	rows_check(w, WORLD_TC, &ssh);
	ROWS_OK("held to the last nanosecond, free at the second");
}

static void invalid_words(void)
{
	static const struct {
		const char *name;
		__u64 word;
		bool held;
		unsigned invalid;
	} words[] = {
		{ "ttl as left", LZ_HOLD_WORD(WORLD_START_S + 60, 60, 1, 0), true, 0 },
		{ "rounded up", LZ_HOLD_WORD(WORLD_START_S + 61, 60, 1, 0), true, 0 },
		{ "more left than its ttl", LZ_HOLD_WORD(WORLD_START_S + 62, 60, 1, 0), false, 1 },
		{ "no ttl", LZ_HOLD_WORD(WORLD_START_S + 1, 0, 1, 0), false, 1 },
		{ "31 days", LZ_HOLD_WORD(WORLD_START_S + LZ_HOLD_CAP_S, LZ_HOLD_CAP_S, 1, 0), true, 0 },
		{ "31 days, rounded up", LZ_HOLD_WORD(WORLD_START_S + LZ_HOLD_CAP_S + 1,
						      LZ_HOLD_CAP_S + 1, 1, 0), true, 0 },
		{ "and a second", LZ_HOLD_WORD(WORLD_START_S + LZ_HOLD_CAP_S + 2,
					       LZ_HOLD_CAP_S + 2, 1, 0), false, 1 },
		{ "for ever", LZ_HOLD_WORD(~0u, 0x3fffff, 1, 0), false, 1 },
		{ "all ones", ~0ull, false, 1 },
		{ "long past", LZ_HOLD_WORD(1, 60, 1, 0), false, 0 },
		{ "zero", 0, false, 0 },
		{ "any flags", LZ_HOLD_WORD(WORLD_START_S + 60, 100, 1, 15), true, 0 },
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct row row = words[i].held ? ssh_held : ssh;
		struct world_run r;

		world_reset(w);
		row.name = words[i].name;
		world_hold(w, DYN4, words[i].word);
		r = rows_check(w, WORLD_XDP, &row);
		T_EQ(r.delta[LZ_C_HOLD_INVALID], words[i].invalid, words[i].name);
	}
	ROWS_OK("only a word within its ttl and the cap holds");
}

/* I3: somebody managed to hold an address of the never-list; it is not dropped all the same. */
static void never_is_never_dropped(void)
{
	struct row row = { "a held never address", { .src = "100.64.0.1", .dst = WORLD4, .dport = 25 },
			   LZ_V_PASS, LZ_R_PASS_NEVER };

	world_reset(w);
	world_hold(w, "100.64.0.1", LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GARDEN_STRICT, 0));
	rows_check(w, WORLD_XDP, &row);
	rows_check(w, WORLD_TC, &row);
	row.p.dport = 22;
	rows_check(w, WORLD_XDP, &row);
	world_reset(w);
	w->control->throttle[1] = (struct lz_throttle){ 2000, 0 };
	world_hold(w, "100.64.0.1", LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GRADE(LZ_GRADE_THROTTLE, 1), 0));
	for (row.p.seq = 1; row.p.seq < 4; row.p.seq++)
		rows_check(w, WORLD_XDP, &(struct row){ "throttled", { .src = row.p.src, .dst = WORLD4,
			   .dport = 25, .seq = row.p.seq }, LZ_V_PASS, LZ_R_PASS_FOREIGN });
	ROWS_OK("passes");
}

/* One address of a customer's /64 is on the never-list: the others answer for themselves. */
static void never_inside_a_prefix(void)
{
	const char *never = "2001:db8:1000:7::1";
	struct row row = { "a held /64, its never address", { .src = never, .dst = WORLD6, .dport = 25 },
			   LZ_V_PASS, LZ_R_PASS_NEVER };
	struct world_run r;

	world_forget_policy(w);
	rows_policy(w, 0);
	world_dest(w, 0, "2001:db8:1000:7::1/128", LZ_SET_NEVER);
	w->control->gen[0].flags = LZ_GEN_F_NEVER_HIDDEN;
	world_reset(w);
	hold_both(w);
	rows_check(w, WORLD_XDP, &row);
	rows_check(w, WORLD_TC, &row);
	rows_check(w, WORLD_XDP, &(struct row){ "its neighbour", { TO6(WORLD6), .dport = 25 }, SINK });
	world_reset(w);
	row = (struct row){ "not held", { .src = never, .dst = WORLD6, .dport = 25 },
			    LZ_V_PASS, LZ_R_PASS_FOREIGN };
	r = rows_check(w, WORLD_XDP, &row);
	T_EQ(r.delta[LZ_C_NEVER_SPOOFED], 1, "seen on a customer's port");
	T_OK(!world_cell(w, world_key(w, never)), "and counted against nobody");
	world_forget_policy(w);
	rows_policy(w, 0);
	ROWS_OK("rows");
}

static void exceptions_do_not_free(void)
{
	world_reset(w);
	world_hold(w, DYN4, LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GARDEN_LEAKY, 0));
	world_exception(w, DYN4 "/32", LZ_EXCEPTION_ALL, WORLD_START_S + 60);
	rows_check(w, WORLD_XDP, &mail);
	ROWS_OK("an exception is no release");
}

static void one_prefix_one_fate(void)
{
	struct row same = { "another host of the /64", { .src = "2001:db8:1000:7:abcd::1",
			    .dst = WORLD6, .dport = 25 }, SINK };
	struct row other = { "the /64 beside it", { .src = "2001:db8:1000:8::1", .dst = WORLD6,
			     .dport = 22 }, LZ_V_PASS, LZ_R_PASS_EXAMINED };

	world_reset(w);
	hold_both(w);
	rows_check(w, WORLD_XDP, &same);
	rows_check(w, WORLD_XDP, &other);
	rows_check(w, WORLD_XDP, &(struct row){ "the neighbour", { .src = "100.64.0.8",
		   .dst = WORLD4, .dport = 22 }, LZ_V_PASS, LZ_R_PASS_EXAMINED });
	ROWS_OK("rows");
}

/* Of a flood to always-reach 200 packets pass at once, then 100 a second. */
static void reach_is_limited(void)
{
	static const struct pkt_spec dns = { TO(REACH4), .proto = 17, .dport = 53 };
	unsigned at_once = 0, later = 0;
	struct world_run r;

	world_reset(w);
	hold_both(w);
	for (int i = 0; i < 300; i++) {
		world_frame(w, i % 2 ? WORLD_XDP : WORLD_TC, &dns, &r);
		at_once += r.verdict == LZ_V_PASS;
	}
	T_EQ(at_once, 200, "at once");
	T_EQ(r.reason, LZ_R_DROP_HELD, "the rest is dropped");
	rows_check(w, WORLD_XDP, &(struct row){ "what keeps the link alive is no flood", { TO("255.255.255.255"), .proto = 17,
		   .sport = 68, .dport = 67 }, GARDEN });
	ROWS_OK("rows");
	world_clock(w, WORLD_START_S * S + S);
	for (int i = 0; i < 300; i++) {
		world_frame(w, WORLD_XDP, &dns, &r);
		later += r.verdict == LZ_V_PASS;
	}
	T_EQ(later, 100, "a second later");
	world_clock(w, (WORLD_START_S + 50) * S);
	world_frame(w, WORLD_XDP, &dns, &r);
	T_EQ(r.verdict, LZ_V_PASS, "and after a pause");
	T_EQ(world_cell(w, world_key(w, DYN4))->dropped, 300, "each drop stands in the cell");
}

/* Port 67, and neighbour discovery, of the whole Internet: no way to talk to it. */
static void upkeep_far_away(void)
{
	static const struct {
		struct pkt_spec p;
		unsigned a_second;
	} row[] = {
		{ { TO(WORLD4), .proto = 17, .sport = 68, .dport = 67 }, 1 },
		{ { TO6(WORLD6), .proto = 17, .sport = 546, .dport = 547 }, 1 },
		{ { TO6(WORLD6), .proto = 58, .icmp_type = 135 }, 1 },
		{ { .src = DYN6, .dst = "2001:db8:1000:7::1", .proto = 58, .icmp_type = 135 }, 100 },
	};
	struct world_run r;

	for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
		unsigned passed = 0;

		world_reset(w);
		hold_both(w);
		for (__u64 at_s = 1; at_s <= 20; at_s++) {
			world_clock(w, (WORLD_START_S + at_s) * S);
			for (int k = 0; k < 300; k++) {
				world_frame(w, k % 2 ? WORLD_XDP : WORLD_TC, &row[i].p, &r);
				passed += at_s > 10 && r.verdict == LZ_V_PASS;
			}
		}
		T_EQ(passed, 10 * row[i].a_second, row[i].p.dst);
		rows_check(w, WORLD_XDP, &(struct row){ "names are looked up all the same", { TO(REACH4), .proto = 17,
			   .dport = 53 }, GARDEN });
	}
	ROWS_OK("rows");
}

static void monitor_holds_nobody(void)
{
	struct row row = { "monitored", { TO(WORLD4), .dport = 25 }, LZ_V_PASS, LZ_R_PASS_MONITOR };

	world_reset(w);
	hold_both(w);
	w->control->gen[0].flags = LZ_GEN_F_MONITOR;
	rows_check(w, WORLD_XDP, &row);
	w->control->gen[0].flags = 0;
	ROWS_OK("row");
}

static const struct t_case cases[] = {
	{ "leaky garden", leaky },
	{ "strict garden", strict },
	{ "block25", block25 },
	{ "throttle", throttle },
	{ "throttle at any uptime", throttle_at_any_uptime },
	{ "throttle of a source in no class", throttle_of_a_stranger },
	{ "released a moment ago", released },
	{ "unknown grade", unknown_grade },
	{ "resets are not answered", resets_are_not_answered },
	{ "expiry", expiry },
	{ "invalid hold words", invalid_words },
	{ "a never address is never dropped", never_is_never_dropped },
	{ "a never address inside a /64", never_inside_a_prefix },
	{ "an exception is no release", exceptions_do_not_free },
	{ "one /64, one fate", one_prefix_one_fate },
	{ "always-reach is limited", reach_is_limited },
	{ "upkeep far away", upkeep_far_away },
	{ "monitor mode", monitor_holds_nobody },
};

ROWS_MAIN(w, cases)
