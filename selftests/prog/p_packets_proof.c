/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_proof.c - evidence by handshake: what holds a source, and what cannot. */
#include "lib/rows.h"
#include "lib/t.h"

static struct world *w;

#define S	 1000000000ull
#define LIMIT_ID 7

/* At most n connections in 300 s; who has more handshakes is held for an hour. */
static struct lz_limit holding(__u32 n)
{
	return (struct lz_limit){ .kind = LZ_LIMIT_WINDOW, .what = LZ_WHAT_SMTP_CONNECTIONS,
				  .then = LZ_THEN_HOLD, .hold_ttl_s = 3600, .id = LIMIT_ID, .n = n,
				  .slot_ns = 50 * S, .words = 1, .bits = 6, .counters = 7, .stamp = 1,
				  .flags = LZ_LIMIT_F_PROOF };
}

static void limited(struct lz_limit l)
{
	struct lz_class c = { .flags = LZ_CLASS_F_PROOF, .limits = 1, .limit = { l } };

	if (l.kind == LZ_LIMIT_DESTS) {
		c.flags |= LZ_CLASS_F_PROOF_DESTS;
		c.dests_slot_ns = l.slot_ns;
	}
	world_class(w, 0, ROWS_LIMITED, &c);
	w->control->gen[0].flags |= LZ_GEN_F_PROOF;
	world_reset(w);
}

/* One connection of a source, by its initial sequence number; the server's is that times seven. */
struct connection {
	const char *src, *dst;
	__u32 isn;
};

static struct world_run send(enum world_hook hook, const struct connection *c, __u8 tcp, __u32 seq,
			     __u32 ack)
{
	struct pkt_spec p = { .src = c->src, .dst = c->dst, .dport = 25, .tcp = tcp, .seq = seq,
			      .ack = ack };
	struct world_run r;

	T_EQ(world_frame(w, hook, &p, &r), 0, "test run");
	return r;
}

static struct world_run syn(const struct connection *c)
{
	return send(WORLD_XDP, c, PKT_SYN, c->isn, 0);
}

static void syn_ack(const struct connection *c)
{
	struct pkt_spec p = { .src = c->dst, .dst = c->src, .sport = 25, .dport = 40000,
			      .tcp = PKT_SYN | PKT_ACK, .seq = c->isn * 7, .ack = c->isn + 1 };
	struct world_run r;

	T_EQ(world_frame(w, WORLD_TC_OUT, &p, &r), 0, "test run");
	T_EQ(r.verdict, LZ_V_PASS, "a SYN-ACK passes");
}

static struct world_run ack(const struct connection *c, __u32 server_isn)
{
	return send(WORLD_TC, c, PKT_ACK, c->isn + 1, server_isn + 1);
}

/* A whole handshake; what became of its last packet. */
static struct world_run connect_to(const char *src, const char *dst)
{
	static __u32 next;
	struct connection c = { src, dst, 1000 + ++next };

	syn(&c);
	syn_ack(&c);
	return ack(&c, c.isn * 7);
}

static bool is_held(const char *src)
{
	const struct lz_cell *cell = world_cell(w, world_key(w, src));

	return cell && cell->hold;
}

static void handshakes_hold(const char *src, const char *dst)
{
	struct lz_limit_stats stats;
	struct world_run r;

	limited(holding(3));
	for (int i = 0; i < 3; i++) {
		r = connect_to(src, dst);
		T_EQ(r.reason, LZ_R_PASS_EXAMINED, "within the limit");
		T_EQ(r.delta[LZ_C_HANDSHAKE], 1, "each is evidence");
	}
	T_OK(!is_held(src), "three: free");
	/* the SYN limit would drop a fourth: some room comes back first */
	world_cell(w, world_key(w, src))->state[0] = 0;
	r = connect_to(src, dst);
	T_EQ(r.reason, LZ_R_DROP_LIMIT, "the fourth handshake is over it");
	T_EQ(r.verdict, LZ_V_DROP, "in silence");
	T_OK(is_held(src), "and holds");
	world_limit_stats(w, LIMIT_ID, &stats);
	T_EQ(stats.holds, 1, "counted once");
	T_EQ(stats.proven, 4, "of four handshakes");
	r = connect_to(src, dst);
	T_EQ(r.reason, LZ_R_DROP_HELD, "held");
}

static void ipv4(void)
{
	handshakes_hold(LIM4, WORLD4);
}

static void ipv6(void)
{
	handshakes_hold(LIM6, WORLD6);
}

/* A bot that goes on: the SYNs of one more handshake than the limit wants must get through, and nothing else does. */
static void goes_on(struct lz_limit l)
{
	unsigned used = 0, passed = 0;

	l.slack = 2;
	limited(l);
	for (int i = 0; i < 10; i++) {
		struct connection c = { LIM4, WORLD4, 2000u + (unsigned)i };

		if (syn(&c).verdict != LZ_V_PASS)
			continue;
		passed++;
		syn_ack(&c);
		used += ack(&c, c.isn * 7).verdict == LZ_V_PASS;
	}
	T_EQ(passed, 4, "SYNs");
	T_EQ(used, 3, "as many connections as the limit admits");
	T_OK(is_held(LIM4), "and held");
	limited(l);
	passed = 0;
	for (struct connection c = { LIM4, WORLD4, 1 }; c.isn <= 20; c.isn++)
		passed += syn(&c).verdict == LZ_V_PASS;
	T_EQ(passed, 5, "SYNs that nobody answers");
	T_OK(!is_held(LIM4), "hold nobody");
}

static void a_bot_that_goes_on(void)
{
	struct lz_limit bucket = holding(3);

	goes_on(holding(3));
	bucket.kind = LZ_LIMIT_BUCKET;
	bucket.slot_ns = 50 * S;
	bucket.burst_ns = 2 * 50 * S;
	goes_on(bucket);
}

/* A server takes an ACK with the right number of its own from anywhere in its window: a stack that begins with its
 * second byte, and repeats from before its first, has shaken hands all the same. */
static void handshake_out_of_order(void)
{
	struct connection c = { LIM4, WORLD4, 0 };
	unsigned proven = 0;

	limited(holding(3));
	for (c.isn = 1; c.isn <= 3; c.isn++) {
		syn(&c);
		syn_ack(&c);
		proven += (unsigned)send(WORLD_TC, &c, PKT_ACK, c.isn + 1 + c.isn * 500, c.isn * 7 + 1).delta[LZ_C_HANDSHAKE];
		proven += (unsigned)ack(&c, c.isn * 7).delta[LZ_C_HANDSHAKE];
	}
	T_EQ(proven, 3, "each is evidence, once");
}

/* Who leaves his handshake open and floods has all his SYNs remembered, and what he is awaited for, too. */
static void handshake_after_a_flood(void)
{
	struct connection c = { LIM4, WORLD4, 1000 }, noise = { LIM4, WORLD4, 100000 };
	unsigned n = 3 * LZ_FLOW_LINE_ENTRIES * WORLD_FLOW_LINES, proven = 0;

	limited(holding(3));
	syn(&c);
	syn_ack(&c);
	for (unsigned i = 0; i < n; i++, noise.isn++)
		syn(&noise);
	proven = (unsigned)ack(&c, c.isn * 7).delta[LZ_C_HANDSHAKE];
	T_EQ(proven, 1, "evidence after a flood");
}

/* Whoever sends in another's name does not see what the server answers. */
static void forged(void)
{
	struct connection c = { LIM4, WORLD4, 0 };
	unsigned passed = 0, proven = 0;

	limited(holding(3));
	for (c.isn = 1; c.isn <= 50; c.isn++) {
		passed += syn(&c).verdict == LZ_V_PASS;
		syn_ack(&c);
		proven += (unsigned)ack(&c, c.isn * 7 + 1).delta[LZ_C_HANDSHAKE]; /* a guess */
		proven += (unsigned)ack(&c, 0).delta[LZ_C_HANDSHAKE];
	}
	T_EQ(passed, 3, "SYNs over the limit are dropped");
	T_EQ(proven, 0, "guesses are no evidence");
	T_OK(!is_held(LIM4), "and nobody is held");
}

/* An ACK counts once, however often it and its SYN-ACK come; and it must be of the same connection. */
static void once_each(void)
{
	struct connection c = { LIM4, WORLD4, 77 }, other = { "203.0.113.10", WORLD4, 77 };
	unsigned proven = 0;

	limited(holding(3));
	T_EQ(ack(&c, 77 * 7).delta[LZ_C_HANDSHAKE], 0, "nothing was awaited");
	syn(&c);
	syn_ack(&c);
	T_EQ(ack(&other, 77 * 7).delta[LZ_C_HANDSHAKE], 0, "another source with the same numbers");
	for (int i = 0; i < 5; i++) {
		proven += (unsigned)ack(&c, 77 * 7).delta[LZ_C_HANDSHAKE];
		syn_ack(&c);
	}
	T_EQ(proven, 1, "once");
	c.isn = 78;
	syn(&c);
	syn_ack(&c);
	world_clock(w, (WORLD_START_S + LZ_FLOW_HORIZON_S + 2) * S);
	T_EQ(ack(&c, 78 * 7).delta[LZ_C_HANDSHAKE], 0, "too late");
}

/* A server that its visitor trusts enough to talk to cannot make more of one connection: it repeats the
 * SYN-ACK with the number of its next byte, and takes the ACK of that byte for another handshake. */
static void framed_by_a_server(void)
{
	struct connection c = { LIM4, WORLD4, 500 };
	struct pkt_spec p = { .src = c.dst, .dst = c.src, .sport = 25, .dport = 40000,
			      .tcp = PKT_SYN | PKT_ACK, .ack = c.isn + 1 };
	unsigned proven = 0;
	struct world_run r;

	limited(holding(3));
	syn(&c);
	for (__u32 byte = 0; byte < 10; byte++) {
		p.seq = c.isn * 7 + byte;
		T_EQ(world_frame(w, WORLD_TC_OUT, &p, &r), 0, "test run");
		proven += (unsigned)ack(&c, p.seq).delta[LZ_C_HANDSHAKE];
	}
	T_EQ(proven, 1, "one SYN, one handshake");
	p.ack = 9000; /* in the middle of a connection that began long ago */
	T_EQ(world_frame(w, WORLD_TC_OUT, &p, &r), 0, "test run");
	c.isn = p.ack - 1;
	T_EQ(ack(&c, p.seq).delta[LZ_C_HANDSHAKE], 0, "no SYN, no handshake");
	T_EQ(syn(&(struct connection){ LIM4, WORLD4, 500 }).reason, LZ_R_PASS_RETRANSMIT,
	     "the SYN is remembered all the same");
	T_OK(!is_held(LIM4), "and nobody is held");
}

/* Somebody's own handshake, turned into one of his neighbour: the ACK in the other's name changes the
 * port as the address changes, and is no evidence. */
static void framed_by_a_neighbour(void)
{
	struct connection own = { "2001:db8:2000:7::9", WORLD6, 900 };
	struct pkt_spec forged = { .src = "2001:db8:2100:7::9", .dst = WORLD6, .sport = 40001,
				   .dport = 25, .tcp = PKT_ACK, .seq = own.isn + 1,
				   .ack = own.isn * 7 + 1 };
	struct world_run r;

	limited(holding(3));
	syn(&own);
	syn_ack(&own);
	T_EQ(world_frame(w, WORLD_TC, &forged, &r), 0, "test run");
	T_EQ(r.delta[LZ_C_HANDSHAKE], 0, "the neighbour has shaken no hands");
	T_EQ(ack(&own, own.isn * 7).delta[LZ_C_HANDSHAKE], 1, "who made it has");
}

/* Without the way back there is no evidence: the limit drops, and holds nobody. */
static void one_direction(void)
{
	struct connection c = { LIM4, WORLD4, 0 };
	unsigned passed = 0;

	limited(holding(3));
	for (c.isn = 1; c.isn <= 20; c.isn++) {
		passed += syn(&c).verdict == LZ_V_PASS;
		ack(&c, c.isn * 7);
	}
	T_EQ(passed, 3, "SYNs over the limit are dropped");
	T_OK(!is_held(LIM4), "nobody is held");
}

/* What the customer does not get proves nothing, nor does what is no SYN-ACK. */
static void no_syn_ack_that_arrives(void)
{
	struct lz_class c = { .flags = LZ_CLASS_F_PROOF, .limits = 1, .limit = { holding(3) }, .from_port25 = LZ_V_DROP };
	struct pkt_spec back = { .src = WORLD4, .dst = LIM4, .sport = 25, .dport = 40000, .tcp = PKT_ACK,
				 .seq = 700, .ack = 101 };
	struct connection visit = { LIM4, WORLD4, 100 };
	struct world_run r;

	limited(holding(3));
	syn(&visit);
	T_EQ(world_frame(w, WORLD_TC_OUT, &back, &r), 0, "test run");
	T_EQ(r.verdict, LZ_V_PASS, "an ACK of the server");
	T_EQ(ack(&visit, 700).delta[LZ_C_HANDSHAKE], 0, "is no handshake when it is answered");
	world_class(w, 0, ROWS_LIMITED, &c);
	world_reset(w);
	syn(&visit);
	back.tcp = PKT_SYN | PKT_ACK;
	T_EQ(world_frame(w, WORLD_TC_OUT, &back, &r), 0, "test run");
	T_EQ(r.verdict, LZ_V_DROP, "a SYN-ACK that is dropped");
	T_EQ(ack(&visit, 700).delta[LZ_C_HANDSHAKE], 0, "nor is it, however its number was come by");
}

static unsigned told;

static void count_events(void *arg, const struct lz_event *e)
{
	(void)arg;
	told += e->limit_id == LIMIT_ID;
}

/* What leads to a ladder is told of handshakes only, and stops nothing by itself. */
static void tells(void)
{
	struct lz_limit l = holding(2);
	struct connection c = { LIM4, WORLD4, 0 };

	l.then = LZ_THEN_NOTIFY;
	limited(l);
	for (c.isn = 1; c.isn <= 20; c.isn++)
		T_EQ(syn(&c).verdict, LZ_V_PASS, "SYNs pass");
	world_events(w, count_events, NULL);
	T_EQ(told, 0, "and are no news");
	for (int i = 0; i < 3; i++)
		T_EQ(connect_to(LIM4, WORLD4).verdict, LZ_V_PASS, "handshakes pass");
	world_events(w, count_events, NULL);
	T_EQ(told, 1, "the third is told");
}

static void destinations(void)
{
	struct lz_limit l = holding(6);
	struct connection c = { LIM4, NULL, 0 };
	char dst[16];

	l.kind = LZ_LIMIT_DESTS;
	l.what = LZ_WHAT_SMTP_DESTINATIONS;
	limited(l);
	for (c.isn = 1; c.isn <= 40; c.isn++) {
		snprintf(dst, sizeof(dst), "192.0.2.%u", 100 + c.isn);
		c.dst = dst;
		syn(&c);
	}
	T_OK(!is_held(LIM4), "forty destinations that nobody answered from");
	for (int i = 0; i < 20 && !is_held(LIM4); i++) {
		snprintf(dst, sizeof(dst), "192.0.2.%d", 100 + i);
		connect_to(LIM4, dst);
	}
	T_OK(is_held(LIM4), "and some that did");
}

/* A class that asks for no proof pays nothing and counts nothing. */
static void only_where_asked(void)
{
	limited(holding(3));
	T_EQ(connect_to(BIZ4, WORLD4).delta[LZ_C_HANDSHAKE], 0, "no SYN-ACK is remembered");
}

static const struct t_case cases[] = {
	{ "handshakes hold, IPv4", ipv4 },
	{ "handshakes hold, IPv6", ipv6 },
	{ "a handshake out of order", handshake_out_of_order },
	{ "a bot that goes on", a_bot_that_goes_on },
	{ "a handshake after a flood", handshake_after_a_flood },
	{ "forged SYNs and guessed ACKs", forged },
	{ "a handshake counts once", once_each },
	{ "a server that frames its visitor", framed_by_a_server },
	{ "a neighbour that frames another", framed_by_a_neighbour },
	{ "one direction only", one_direction },
	{ "no SYN-ACK that arrives", no_syn_ack_that_arrives },
	{ "a limit that tells", tells },
	{ "destinations", destinations },
	{ "only where a class asks", only_where_asked },
};

ROWS_MAIN(w, cases)
