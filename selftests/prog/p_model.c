/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_model.c - random packets in random states: the data plane against the model (I7).
 *
 * Packets are built from a small pool of addresses and ports, so that they meet each other, then
 * some are cut or have bytes changed. Each round draws a policy, holds, exceptions, clock and port;
 * each packet's verdict, reason and counters are compared, after each round every cell and every
 * class and limit counter. SEED= repeats a run; N= packets instead of MODEL_SECONDS= (20).
 */
#include <time.h>

#include "lib/rows.h"
#include "lib/random.h"
#include "lib/t.h"
#include "model/model.h"

#define ROUND_PACKETS 1500
#define FAILURES_MAX  5
#define S	      1000000000ull
#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))

static struct world *w;
static struct model m;
static __u64 random_state;
static __u64 reasons[LZ_R_N + 1]; /* how often each was met */

static __u64 random64(void)
{
	return t_random(&random_state) * 0x2545f4914f6cdd1dull;
}

static unsigned draw(unsigned n)
{
	return (unsigned)(random64() >> 33) % n;
}

static bool one_in(unsigned n)
{
	return !draw(n);
}

#define PICK(array) ((array)[draw(COUNT(array))])

static const char *const addrs4[] = { DYN4, "100.64.0.10", "100.79.255.255", BIZ4, RESET4, DROP4,
				      LIM4, "203.0.113.10", "203.0.113.42", WORLD4, SMART4, NEVER4,
				      "100.64.0.1", REACH4, GARDEN4, "0.0.0.0", "192.0.2.7" };
static const char *const addrs6[] = { DYN6, "2001:db8:1000:7:ffff::1", "2001:db8:1000:8::1", LIM6,
				      "2001:db8:2000:8::1", "2001:db8:2000:9::1",
				      "2001:db8:2000:a::1", "2001:db8:2001::1",
				      "2001:db8:2100:8::1", WORLD6, SMART6, REACH6, "fe80::1",
				      "ff02::1", "::1", "100::1" };
static const __u16 ports[] = { 25, 25, 25, 25, 25, 80, 443, 465, 587, 53, 67, 547, 123, 22 };
static const __u8 protos[] = { 6, 6, 6, 6, 6, 6, 6, 17, 17, 17, 1, 58, 47, 50 };
static const __u8 tcp_flags[] = { PKT_SYN, PKT_SYN, PKT_SYN, PKT_SYN, PKT_ACK, PKT_ACK | PKT_PSH,
				  PKT_SYN | PKT_ACK, PKT_RST, PKT_SYN | PKT_RST, PKT_FIN | PKT_ACK };
static const __u16 tags[] = { 0x8100, 0x88a8, 0x9100 };
static const __u8 extensions[] = { 0, 43, 60, 51, 135, 139, 140, 253 };
static const __u16 types[] = { 0x0806, 0x88cc, 0x8863, 38 };

static void draw_link(struct pkt_spec *s)
{
	if (one_in(3))
		for (unsigned i = 0, n = draw(5) % 4; i < n; i++)
			s->vlan[i] = PICK(tags);
	if (one_in(10))
		s->priority_tags = (__u8)(1 + draw(9));
	if (one_in(8))
		s->flags |= PKT_F_PPPOE;
	else if (one_in(10))
		s->mpls = (__u8)(1 + draw(9));
	if (s->flags & PKT_F_PPPOE && one_in(6))
		s->ppp = 0xc021;
}

static void draw_ip(struct pkt_spec *s, bool v6)
{
	if (!v6 && one_in(8))
		s->options = (__u8)draw(11);
	if (!v6 && one_in(40))
		s->ihl = (__u8)(1 + draw(15));
	if (one_in(30))
		s->total_len = (__u16)(1 + draw(80));
	if (one_in(60))
		s->version = (__u8)(1 + draw(15));
	if (v6 && one_in(4)) {
		s->ext_n = (__u8)draw(one_in(5) ? 11 : 4);
		for (int i = 0; i < s->ext_n; i++)
			s->ext[i] = PICK(extensions);
	}
	if (one_in(8)) {
		s->flags |= PKT_F_FRAG;
		if (one_in(2))
			s->flags |= PKT_F_MORE;
		if (one_in(3))
			s->frag_off = (__u16)(8 * (1 + draw(3)));
		if (one_in(2))
			s->l4_bytes = (__u16)(8 * (1 + draw(3)));
	}
	if (one_in(6))
		s->pad = (__u16)draw(40);
}

/* A port-25 SYN of the class with limits: they are what has most to remember. Two of the IPv6 sources
 * differ by as much as two of the ports do, in the same bytes. */
static void draw_attempt(struct pkt *p, bool l3)
{
	bool v6 = one_in(2);
	struct pkt_spec s = { .src = v6 ? addrs6[3 + draw(6)] : addrs4[6 + draw(3)],
			      .dst = v6 ? addrs6[9 + draw(3)] : PICK(addrs4),
			      .sport = (__u16)(40000 + draw(3)), .dport = one_in(4) ? 443 : 25,
			      .seq = draw(4), .flags = l3 ? PKT_F_L3 : 0 };

	pkt_build(p, &s);
}

static void draw_packet(struct pkt *p, bool l3)
{
	bool v6 = one_in(3);
	struct pkt_spec s = {
		.src = v6 ? PICK(addrs6) : PICK(addrs4),
		.dst = v6 ? PICK(addrs6) : PICK(addrs4),
		.proto = PICK(protos),
		.sport = one_in(5) ? 25 : (__u16)(40000 + draw(3)),
		.dport = PICK(ports),
		.seq = draw(8),
		.tcp = PICK(tcp_flags),
		.icmp_type = (__u8)(128 + draw(12)),
		.payload = (__u16)draw(60),
		.flags = l3 ? PKT_F_L3 : 0,
	};

	if (one_in(30) && !l3) {
		s.src = NULL;
		s.ethertype = PICK(types);
	}
	if (!l3)
		draw_link(&s);
	if (s.src)
		draw_ip(&s, v6);
	pkt_build(p, &s);
	if (one_in(12) && p->bytes > 14)
		p->bytes = 14 + draw(p->bytes - 14);
	if (one_in(10))
		for (unsigned i = 1 + draw(3); i; i--)
			p->data[draw(p->bytes)] ^= (__u8)(1 << draw(8));
}

/* ---------------------------------------------------------------- a round's policy and state */

static struct lz_limit draw_limit(unsigned id)
{
	struct lz_limit l = { .id = (__u16)id, .n = 1 + draw(12), .stamp = 3, .words = 1,
			      .then = (__u8)draw(3), .refuse = (__u8)draw(LZ_V_SMTP_554),
			      .hold_ttl_s = 1 + draw(40), .grade = (__u8)draw(2),
			      .per_len4 = (__u8)(32 + 24 + draw(9)), .per_len6 = (__u8)(32 + draw(33)),
			      .flags = one_in(5) ? LZ_LIMIT_F_MONITOR : 0 };

	l.kind = (__u8)(one_in(3) ? LZ_LIMIT_BUCKET : LZ_LIMIT_WINDOW);
	l.what = one_in(2) ? LZ_WHAT_SYN : LZ_WHAT_SMTP_CONNECTIONS;
	l.per = (__u8)draw(3);
	l.to_mask = one_in(4) ? ROWS_SMARTHOSTS : 0;
	l.slot_ns = S * (1 + draw(8)) + draw(4000000);
	l.burst_ns = (l.n - 1) * l.slot_ns;
	l.bits = (__u8)(6 + draw(5));
	l.counters = (__u8)(44 / l.bits < 7 ? 44 / l.bits : 7);
	return l;
}

/* Every limit its own words: in a cell, and for aggregates always the first. */
static void draw_limits(struct lz_class *c, unsigned first_id)
{
	unsigned word = 0;

	for (unsigned i = 0; i < LZ_LIMITS_PER_CLASS && !one_in(4); i++) {
		struct lz_limit l = draw_limit(first_id + i);

		if (l.kind == LZ_LIMIT_WINDOW && one_in(3) && word < LZ_CELL_WORDS - 1)
			l.words = 2;
		if (l.words == 2 && word == LZ_CELL_NEAR_WORDS - 1)
			word++; /* both in one half, as compile has them */
		if (word + l.words > LZ_CELL_WORDS)
			break;
		l.word = l.per == LZ_PER_SOURCE ? (__u8)word : 0;
		word += l.words;
		if (one_in(5)) {
			l.kind = LZ_LIMIT_DESTS;
			l.what = LZ_WHAT_SMTP_DESTINATIONS;
			l.per = LZ_PER_SOURCE;
			l.slot_ns = c->dests_slot_ns = 30 * S;
			l.n = 1 + draw(4);
		}
		if (l.what == LZ_WHAT_SYN && l.to_mask)
			c->flags |= LZ_CLASS_F_SYN_TO;
		c->limit[c->limits++] = l;
	}
}

static void draw_policy(void)
{
	static const __u8 refusals[] = { LZ_V_DROP, LZ_V_ICMP_ADMIN, LZ_V_TCP_RESET, LZ_V_SMTP_554 };
	static const __u8 tls[] = { LZ_V_DROP, LZ_V_ICMP_ADMIN, LZ_V_TCP_RESET };
	static const __u32 open[3][LZ_GARDEN_PORTS_MAX] = { {}, { 17u << 16 | 123 },
							    { 6u << 16 | 22, 17u << 16 | 123 } };

	for (int slot = 0; slot < LZ_GENERATIONS; slot++) {
		struct lz_generation *g = &w->control->gen[slot];

		g->flags = (one_in(8) ? LZ_GEN_F_MONITOR : 0u) |
			   (one_in(5) ? LZ_GEN_F_UNPARSED_DROP : 0u) |
			   (one_in(3) ? LZ_GEN_F_IGNORE_FOREIGN : 0u);
		for (int row = 0; row < LZ_GARDENS_MAX; row++) {
			g->garden[row] = (struct lz_garden_row){
				.allow_mask = one_in(2) ? ROWS_ALLOWED : 0,
				.kind = (__u8)draw(2), .mail = PICK(refusals),
				.web = one_in(3) ? LZ_V_DROP : LZ_V_PAGE, .tls = PICK(tls) };
			memcpy(g->garden[row].open, open[draw(3)], sizeof(open[0]));
		}
		for (int id = LZ_CLASS_FIRST; id <= ROWS_LIMITED; id++) {
			struct lz_class c = { .except_mask = one_in(2) ? ROWS_SMARTHOSTS : 0 };

			c.to_world = one_in(2) ? PICK(refusals) : LZ_V_PASS;
			c.from_port25 = (__u8)draw(2);
			c.to_customers = one_in(2) ? LZ_V_DROP : LZ_V_PASS;
			c.flags = c.to_world ? LZ_CLASS_F_PORT25_RULE : 0u;
			/* one class with limits: no two share the words of a cell */
			if (id == ROWS_LIMITED && slot == 0)
				draw_limits(&c, 1);
			world_class(w, slot, id, &c);
		}
	}
}

static void draw_state(void)
{
	static const unsigned flags[] = { LZ_EXCEPTION_PORT25, LZ_EXCEPTION_ALL };
	static const char *const excepted[] = { DYN4 "/32", "100.64.0.0/16", "2001:db8:1000:7::/64",
						"203.0.113.8/29", "2001:db8:2000::/47" };
	__u64 word = LZ_GEN_WORD(draw(8) == 0, draw(3), one_in(3) ? WORLD_START_S + draw(60) : 0);

	for (unsigned i = 0; i < COUNT(excepted); i++)
		if (one_in(4))
			world_exception(w, excepted[i], PICK(flags), WORLD_START_S + draw(60));
	for (unsigned i = draw(5); i; i--) {
		const char *addr = one_in(3) ? addrs6[draw(8)] : addrs4[draw(9)];
		__u64 hold = LZ_HOLD_WORD(WORLD_START_S + draw(60), one_in(4) ? draw(60) : 3600,
					  one_in(2) ? draw(2) : draw(64), draw(4));

		world_hold(w, addr, hold);
		m_hold(&m, world_key(w, addr), hold);
	}
	w->control->gen_word = word;
	w->control->bypass_until_s = one_in(10) ? WORLD_START_S + draw(20) : 0;
	for (unsigned i = 1; i < LZ_THROTTLES_MAX; i++)
		w->control->throttle[i] = one_in(3) ? (struct lz_throttle){ 0 } :
				(struct lz_throttle){ 1 + draw(3000), draw(9000) };
	w->control->v6_budget = 1 + draw(4);
	w->control->sources_max = one_in(6) ? 8 + draw(8) : 3000;
	w->role = one_in(5) ? LZ_ROLE_UPLINK : one_in(30) ? LZ_ROLE_NONE : LZ_ROLE_CUSTOMER;
	w->port_flags = one_in(6) ? LZ_PORT_F_L3 : 0;
}

/* ---------------------------------------------------------------- comparing */

static bool differs(const char *what, unsigned long long data_plane, unsigned long long model)
{
	if (data_plane == model)
		return false;
	printf("#   %s: data plane %llu, model %llu\n", what, data_plane, model);
	return true;
}

/* A refusal may be kept back in tc (rate, shape); then it is silence, and counted. */
static __u32 expected_verdict(enum world_hook hook, const struct world_run *r)
{
	__u32 verdict = m.verdict == LZ_V_SMTP_554 || m.verdict == LZ_V_PAGE ? m.other : m.verdict;

	if (hook == WORLD_XDP || m.verdict <= LZ_V_DROP)
		return m.verdict;
	if (verdict <= LZ_V_DROP)
		return verdict;
	if (hook == WORLD_TC_OUT || r->delta[LZ_C_REPLY_SUPPRESSED])
		return LZ_V_DROP;
	return verdict;
}

static bool run_differs(enum world_hook hook, const struct world_run *r)
{
	bool bad = differs("verdict", r->verdict, expected_verdict(hook, r));

	if (hook == WORLD_XDP && (m.verdict == LZ_V_SMTP_554 || m.verdict == LZ_V_PAGE))
		bad |= differs("other verdict", r->other, m.other);

	bad |= differs("reason", r->reason, m.reason);
	for (int i = 0; i < LZ_C_N; i++) {
		if (i == LZ_C_REPLY_SENT || i == LZ_C_REPLY_SUPPRESSED || i == LZ_C_EVENT_LOST)
			continue;
		if (r->delta[i] != m.delta[i]) {
			printf("#   counter %d: data plane %llu, model %llu\n", i,
			       (unsigned long long)r->delta[i], (unsigned long long)m.delta[i]);
			bad = true;
		}
	}
	return bad;
}

static bool cells_differ(void)
{
	bool bad = differs("cells used", world_cells_used(w), m.cells_n);

	for (unsigned i = 0; i < m.cells_n; i++) {
		const struct m_cell *mine = &m.cells[i];
		const struct lz_cell *cell;
		const struct lz_cold *cold;

		if (mine->kind != M_SOURCE)
			continue;
		cell = world_cell(w, mine->key);
		if (differs("a cell is there", cell != NULL, 1))
			return true;
		cold = world_cold(w, mine->key);
		bad |= differs("syn", cell->syn, mine->syn);
		bad |= differs("smtp_connections", cell->smtp_connections, mine->smtp_connections);
		bad |= differs("dropped", (__u32)cold->dropped_65536s << 16 | cell->dropped, mine->dropped);
		bad |= differs("examined", cell->syn + (cold->others_256s << 8) + cell->others, mine->examined);
		bad |= differs("would_drop", cold->would_drop, mine->would_drop);
		bad |= differs("hold", cell->hold, mine->hold);
	}
	return bad;
}

static bool totals_differ(void)
{
	bool bad = false;

	for (int id = 0; id <= ROWS_LIMITED; id++) {
		struct lz_class_stats stats;

		world_class_stats(w, id, &stats);
		bad |= differs("a class is examined", stats.examined, m.class_[id].examined);
		for (int v = 0; v < LZ_V_N; v++) {
			bad |= differs("a class's verdict", stats.verdict[v], m.class_[id].verdict[v]);
			bad |= differs("a class's would", stats.would[v], m.class_[id].would[v]);
		}
	}
	for (int id = 1; id <= LZ_LIMITS_PER_CLASS; id++) {
		struct lz_limit_stats stats;

		world_limit_stats(w, id, &stats);
		bad |= differs("a limit is asked", stats.asked, m.limit[id].asked);
		bad |= differs("a limit is over", stats.over, m.limit[id].over);
		bad |= differs("a limit holds", stats.holds, m.limit[id].holds);
	}
	return bad;
}

/* A tc test run refuses a frame that promises IP and ends before its header (Linux 6.18). */
static bool only_xdp_takes(const struct pkt *p)
{
	unsigned type = (unsigned)p->data[12] << 8 | p->data[13];

	return (type == 0x0800 && p->bytes < 34) || (type == 0x86dd && p->bytes < 54);
}

/* One packet; returns whether both agree. */
static bool one_packet(void)
{
	enum world_hook hook = one_in(4) ? WORLD_TC : one_in(8) ? WORLD_TC_OUT : WORLD_XDP;
	struct world_run r;
	struct pkt p;
	int err;

	world_clock(w, world_now(w) + (one_in(3) ? draw(1u << 27) : one_in(400) ? 60 * S : 0));
	if (one_in(3))
		draw_attempt(&p, w->port_flags);
	else
		draw_packet(&p, w->port_flags);
	if (only_xdp_takes(&p))
		hook = WORLD_XDP;
	m_judge(&m, hook, p.data, p.bytes);
	err = world_bytes(w, hook, p.data, p.bytes, p.l3, &r);
	if (differs("errno of the test run", (unsigned)-err, 0)) {
		pkt_dump(hook == WORLD_XDP ? "xdp" : hook == WORLD_TC ? "tc" : "tc out", p.data, p.bytes);
		return false;
	}
	reasons[r.reason < LZ_R_N ? r.reason : LZ_R_N]++;
	if (!run_differs(hook, &r))
		return true;
	pkt_dump(hook == WORLD_XDP ? "xdp" : hook == WORLD_TC ? "tc" : "tc out", p.data, p.bytes);
	return false;
}

static unsigned round_of_packets(void)
{
	unsigned failures = 0;

	world_reset(w);
	m_reset(&m);
	draw_policy();
	draw_state();
	for (int i = 0; i < ROUND_PACKETS && failures < FAILURES_MAX; i++)
		failures += !one_packet();
	if (failures)
		return failures;
	return cells_differ() | totals_differ();
}

static long from_environment(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 0) : otherwise;
}

static void agrees(void)
{
	long packets = from_environment("N", 0), seconds = from_environment("MODEL_SECONDS", 20);
	__u64 seed = (__u64)from_environment("SEED", 0), done = 0;
	time_t end = time(NULL) + seconds;
	unsigned failures = 0;

	if (!seed)
		seed = (__u64)time(NULL) << 20 ^ (__u64)clock();
	random_state = seed | 1;
	m.w = w;
	world_customer(w, 0, "203.0.113.8/29", 1);
	world_customer(w, 0, "2001:db8:2000:8::/62", 1);
	world_customer(w, 0, "203.0.113.42/32", 2);
	printf("# SEED=%llu\n", (unsigned long long)seed);
	while (!failures && (packets ? done < (__u64)packets : time(NULL) < end)) {
		failures = round_of_packets();
		done += ROUND_PACKETS;
	}
	printf("# %llu packets; by reason:", (unsigned long long)done);
	for (int i = 0; i < LZ_R_N; i++)
		printf(" %llu", (unsigned long long)reasons[i]);
	printf("\n");
	T_EQ(failures, 0, "data plane and model agree on every packet and counter");
}

static const struct t_case cases[] = {
	{ "the data plane agrees with the model", agrees },
};

ROWS_MAIN(w, cases)
