/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_steer_limits.c - how many new connections to the portal a source may open, and all of them: to the
 * millisecond, and without taking anything from whom the limit is not about.
 */
#include "prog/steer_room.h"

#define MS 1000000ull

/* Numbers of bpf/steer.h as an operator reads them: 40 at once, then 20 a second; a CPU 1,000, then 5,000. */
enum { AT_ONCE = 40, STEP_MS = 50, CPU_AT_ONCE = 1000, CPU_STEP_NS = 200000 };

static const char *syn(const char *src, const char *dst, __u16 dport)
{
	struct pkt_spec p = { .src = src, .dst = dst, .dport = dport, .sport = next_port(), .seq = next_port() };

	return frame(&p).fate;
}

/* How many of @n new connections are led; each other one must have @else_fate. */
static unsigned int led_of(const char *src, unsigned int n, const char *else_fate)
{
	const char *dst = strchr(src, ':') ? WORLD6 : WORLD4;
	unsigned int led = 0;

	for (unsigned int i = 0; i < n; i++) {
		const char *fate = syn(src, dst, i % 2 ? 25 : 80);

		if (!strcmp(fate, "led"))
			led++;
		else if (!T_STR(fate, else_fate, src))
			break;
	}
	return led;
}

/* Page and sink are counted together, 40 at once; then what time gives back, and not a millisecond sooner. */
static void rate_of(const char *src)
{
	T_EQ(led_of(src, AT_ONCE + 5, "limited"), AT_ONCE, "at once");
	world_clock(w, world_now(w) + (STEP_MS - 1) * MS);
	T_EQ(led_of(src, 2, "limited"), 0, "a millisecond too soon");
	world_clock(w, world_now(w) + MS);
	T_EQ(led_of(src, 2, "limited"), 1, "one more");
	world_clock(w, world_now(w) + 1000 * MS);
	T_EQ(led_of(src, 25, "limited"), 20, "a second later");
	world_clock(w, world_now(w) + 20000 * MS);
	T_EQ(led_of(src, AT_ONCE + 5, "limited"), AT_ONCE, "after a long time no more than at once");
}

static void a_source(void)
{
	held_afresh();
	rate_of(DYN4);
	rate_of(DYN6);
}

/* A source that its class sends to the sink, and nobody holds. */
static void set_sink_class(void)
{
	const struct lz_class sink = { .except_mask = ROWS_SMARTHOSTS, .flags = LZ_CLASS_F_PORT25_RULE,
				       .to_world = LZ_V_SMTP_554 };

	world_class(w, 0, ROWS_DROP, &sink);
}

static void a_source_that_is_not_held(void)
{
	world_reset(w);
	set_sink_class();
	for (int i = 0; i < AT_ONCE; i++)
		T_STR(syn(DROP4, WORLD4, 25), "led", "mail");
	T_STR(syn(DROP4, WORLD4, 25), "limited", "one too many");
	T_STR(syn(DROP4, WORLD4, 80), "passed", "the web");
}

/* What has a socket costs nothing, and is led when nothing more is. */
static void what_is_not_new(void)
{
	struct pkt_spec request = FLOW(DYN4, WORLD4, 80), open = FLOW(DYN4, WORLD4, 80), first;

	held_afresh();
	first = request;
	T_STR(flow_send(&request, PKT_SYN, 0).fate, "led", "a request");
	flow_open(&open, "led", "led", "a connection");
	close(taken(room.portal[LZ_PORTAL_ROW(LZ_PORTAL_PAGE, 4)], WORLD4, "taken"));
	for (int i = 0; i < AT_ONCE; i++)
		T_STR(frame(&first).fate, "led", "the request's SYN, again");
	T_EQ(led_of(DYN4, AT_ONCE + 5, "limited"), AT_ONCE - 2, "the others");
	T_STR(flow_send(&request, PKT_ACK, 0).fate, "led", "its ACK");
	T_STR(flow_send(&open, PKT_ACK, 10).fate, "led", "what is open");
	T_EQ(led_of(DYN6, 1, "limited"), 1, "another source");
}

/* The first cell of the table is one like any other. */
static void the_first_cell(void)
{
	char addr[32];

	for (unsigned int i = 0; i < 65536; i++) {
		snprintf(addr, sizeof(addr), "100.65.%u.%u", i >> 8, i & 255);
		world_reset(w);
		hold(addr);
		if (world_cell(w, world_key(w, addr)) == w->cells)
			break;
	}
	T_OK(world_cell(w, world_key(w, addr)) == w->cells, "a source whose cell it is");
	T_EQ(led_of(addr, AT_ONCE + 5, "limited"), AT_ONCE, "at once");
}

/* Who finds no room in the table has no bucket either: all CPUs' is what there is. */
static void without_a_cell(void)
{
	world_reset(w);
	set_sink_class();
	w->control->sources_max = 1;
	T_STR(syn("203.0.113.194", WORLD4, 25), "led", "who has the last one");
	for (int i = 0; i < 2 * AT_ONCE; i++)
		if (!T_STR(syn(DROP4, WORLD4, 25), "led", "mail"))
			break;
	T_OK(!world_cell(w, world_key(w, DROP4)), "there is none");
}

/* The bucket of a throttled source is of another rate: the way to the sink does not fill it. */
static void a_throttled_source(void)
{
	world_reset(w);
	set_sink_class();
	w->control->throttle[5] = (struct lz_throttle){ 2000, 4000 }; /* three at once, then one in two seconds */
	world_hold(w, DROP4, LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GRADE(LZ_GRADE_THROTTLE, 5), 0));
	for (int i = 0; i < 2; i++)
		T_STR(syn(DROP4, SMART4, 25), "passed", "to the smarthost");
	for (int i = 0; i < 2 * AT_ONCE; i++)
		T_STR(syn(DROP4, WORLD4, 25), "led", "to the sink");
	T_STR(syn(DROP4, SMART4, 25), "passed", "the third");
	T_EQ(world_cell(w, world_key(w, DROP4))->dropped, 2 * AT_ONCE, "the sink's");
	syn(DROP4, SMART4, 25);
	T_EQ(world_cell(w, world_key(w, DROP4))->dropped, 2 * AT_ONCE + 1, "the fourth was stopped");
	T_STR(syn(DROP4, WORLD4, 25), "led", "the sink is there all the same");
	syn(DROP4, SMART4, 25);
	T_EQ(world_cell(w, world_key(w, DROP4))->dropped, 2 * AT_ONCE + 3, "and gives nothing back");
}

/* So many new connections of each of so many sources. */
static unsigned int led_of_all(unsigned int sources, unsigned int each)
{
	unsigned int led = 0;
	char addr[32];

	for (unsigned int i = 0; i < sources; i++) {
		snprintf(addr, sizeof(addr), "100.66.1.%u", i);
		hold(addr);
		led += led_of(addr, each, "limited");
	}
	return led;
}

static void a_cpu(void)
{
	world_reset(w);
	T_EQ(led_of_all(30, AT_ONCE), CPU_AT_ONCE, "at once");
	hold(DYN4);
	world_clock(w, world_now(w) + 9 * CPU_STEP_NS);
	T_EQ(led_of(DYN4, 12, "limited"), 9, "nine steps later");
	world_clock(w, world_now(w) + 1);
	T_EQ(led_of(DYN4, 12, "limited"), 1, "the tenth has begun");
	T_STR(syn(DYN4, WORLD4, 443), "refused", "refusals have their own");
}

/* Connections that a class refuses, from so many sources. */
static void refuse(unsigned int from, unsigned int to)
{
	char addr[32];

	for (unsigned int i = from; i < to; i++) {
		snprintf(addr, sizeof(addr), "100.67.%u.%u", i >> 8, i & 255);
		syn(addr, WORLD4, 25);
	}
}

/* And they take nothing from this one, be it half or all that there is. */
static void refusals_are_counted_apart(void)
{
	world_reset(w);
	hold(DYN4);
	refuse(0, 700);
	T_STR(syn(DYN4, WORLD4, 443), "refused", "refusals are left");
	T_STR(syn(DYN4, WORLD4, 80), "led", "and the way to the portal is");
	refuse(700, 1100);
	T_STR(syn(DYN4, WORLD4, 443), "silence", "no refusal is left");
	T_STR(syn(DYN4, WORLD4, 80), "led", "but the way to the portal is");
}

static const struct t_case cases[] = {
	{ "a source", a_source },
	{ "a source that is not held", a_source_that_is_not_held },
	{ "what is not new", what_is_not_new },
	{ "the first cell", the_first_cell },
	{ "without a cell", without_a_cell },
	{ "a throttled source", a_throttled_source },
	{ "a CPU", a_cpu },
	{ "refusals are counted apart", refusals_are_counted_apart },
};

int main(void)
{
	return steer_main(cases, LZ_ARRAY_SIZE(cases));
}
