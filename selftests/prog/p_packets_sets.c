/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_sets.c - who is in which prefix: destinations of every length, crowded tables, the second generation. */
#include <stdio.h>

#include "lib/rows.h"
#include "lib/t.h"

static struct world *w;

#define ICMP	 LZ_V_ICMP_ADMIN, LZ_R_DROP_PORT25
#define EXAMINED LZ_V_PASS, LZ_R_PASS_EXAMINED
#define FOREIGN	 LZ_V_PASS, LZ_R_PASS_FOREIGN
#define FROM4(addr) { .src = DYN4, .dst = (addr), .dport = 25 }
#define FROM6(addr) { .src = DYN6, .dst = (addr), .dport = 25 }

static void policy_again(void)
{
	world_forget_policy(w);
	rows_policy(w, 0);
}

/* Whether a destination is in a smarthost's prefix: its first and last address, and those beside them. */
static void destinations(void)
{
	static const char *const prefixes[] = {
		"192.0.2.128/25", "198.18.0.0/15", "203.0.113.99/32", "2001:db8:a000::/35", "2001:db8:b:c::/64",
		"2001:db8:b:d:8000::/65", "2001:db8:b:e::4/126", "2001:db8:c000::/127",
	};
	static const struct row rows[] = {
		{ "/25, before", FROM4("192.0.2.127"), ICMP },
		{ "/25, first", FROM4("192.0.2.128"), EXAMINED },
		{ "/25, last", FROM4("192.0.2.255"), EXAMINED },
		{ "/25, behind", FROM4("192.0.3.0"), ICMP },
		{ "/15, before", FROM4("198.17.255.255"), ICMP },
		{ "/15, first", FROM4("198.18.0.0"), EXAMINED },
		{ "/15, last", FROM4("198.19.255.255"), EXAMINED },
		{ "/15, behind", FROM4("198.20.0.0"), ICMP },
		{ "/32", FROM4("203.0.113.99"), EXAMINED },
		{ "/32, behind", FROM4("203.0.113.100"), ICMP },
		{ "/35, before", FROM6("2001:db8:9fff:ffff:ffff:ffff:ffff:ffff"), ICMP },
		{ "/35, first", FROM6("2001:db8:a000::"), EXAMINED },
		{ "/35, last", FROM6("2001:db8:bfff:ffff:ffff:ffff:ffff:ffff"), EXAMINED },
		{ "/35, behind", FROM6("2001:db8:c000::2"), ICMP },
		{ "/64, before", FROM6("2001:db8:b:b:ffff:ffff:ffff:ffff"), ICMP },
		{ "/64, first", FROM6("2001:db8:b:c::"), EXAMINED },
		{ "/64, last", FROM6("2001:db8:b:c:ffff:ffff:ffff:ffff"), EXAMINED },
		{ "/64, behind", FROM6("2001:db8:b:d::"), ICMP },
		{ "/65, before", FROM6("2001:db8:b:d:7fff:ffff:ffff:ffff"), ICMP },
		{ "/65, first", FROM6("2001:db8:b:d:8000::"), EXAMINED },
		{ "/65, last", FROM6("2001:db8:b:d:ffff:ffff:ffff:ffff"), EXAMINED },
		{ "/126, before", FROM6("2001:db8:b:e::3"), ICMP },
		{ "/126, first", FROM6("2001:db8:b:e::4"), EXAMINED },
		{ "/126, last", FROM6("2001:db8:b:e::7"), EXAMINED },
		{ "/126, behind", FROM6("2001:db8:b:e::8"), ICMP },
		{ "/127, last", FROM6("2001:db8:c000::1"), EXAMINED },
	};

	for (unsigned i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		world_dest(w, 0, prefixes[i], ROWS_SMARTHOSTS);
	rows_run(w, ROWS(rows), ROWS_XDP | ROWS_TC, NULL);
	policy_again();
	ROWS_OK("rows");
}

/* A destination is in each set that has a prefix around it. */
static void in_two_sets(void)
{
	static const struct row rows[] = {
		{ "narrow smarthost in a wide other", FROM4("192.0.2.66"), EXAMINED },
		{ "narrow other in a wide smarthost", FROM4("192.0.2.130"), EXAMINED },
		{ "the wide other alone", FROM4("192.0.2.65"), ICMP },
	};

	world_dest(w, 0, "192.0.2.64/26", LZ_SET_REACH);
	world_dest(w, 0, "192.0.2.66/32", ROWS_SMARTHOSTS);
	world_dest(w, 0, "192.0.2.128/26", ROWS_SMARTHOSTS);
	world_dest(w, 0, "192.0.2.130/32", LZ_SET_REACH);
	rows_run(w, ROWS(rows), ROWS_XDP | ROWS_TC, NULL);
	policy_again();
	ROWS_OK("rows");
}

/* All of one family, and nobody of the other. */
static void whole_families(void)
{
	static const struct row all6[] = {
		{ "IPv6, all of it a smarthost", FROM6(WORLD6), EXAMINED },
		{ "IPv4 is not", FROM4(WORLD4), ICMP },
	};
	static const struct row all4[] = {
		{ "IPv4, all of it a smarthost", FROM4(WORLD4), EXAMINED },
		{ "IPv6 is not", FROM6(WORLD6), ICMP },
	};

	world_dest(w, 0, "::/0", ROWS_SMARTHOSTS);
	rows_run(w, ROWS(all6), ROWS_XDP | ROWS_TC, NULL);
	policy_again();
	world_dest(w, 0, "0.0.0.0/0", ROWS_SMARTHOSTS);
	rows_run(w, ROWS(all4), ROWS_XDP | ROWS_TC, NULL);
	policy_again();
	ROWS_OK("rows");
}

static void ask(const char *src, __u32 verdict, __u32 seq, const char *dst)
{
	struct row row = { dst, { .src = src, .dst = dst, .dport = 25, .seq = seq }, verdict,
			   verdict == LZ_V_PASS ? LZ_R_PASS_EXAMINED : LZ_R_DROP_PORT25 };

	rows_check(w, WORLD_XDP, &row);
}

#define ASK(src, verdict, seq, ...)                                                                \
	do {                                                                                       \
		char dst_[64];                                                                     \
                                                                                                   \
		snprintf(dst_, sizeof(dst_), __VA_ARGS__);                                         \
		ask(src, verdict, seq, dst_);                                                      \
	} while (0)

/* What was asked last is remembered in a few places: an address that shares a half, and often the place, with one
 * that is there must not get its answer. */
static void remembered(void)
{
	world_dest(w, 0, "2001:db8:b::/48", ROWS_SMARTHOSTS);
	world_dest(w, 0, "2001:db8:c:1:8000::/65", ROWS_SMARTHOSTS);
	world_reset(w);
	for (unsigned i = 1; i <= 400; i++) {
		ASK(DYN6, LZ_V_PASS, i, "2001:db8:b:1::%x", i);
		ASK(DYN6, LZ_V_ICMP_ADMIN, i, "2001:db8:c:1::%x", i);
	}
	for (unsigned i = 1; i <= 400; i++) {
		ASK(DYN6, LZ_V_PASS, i, "2001:db8:b:2:0:ffff:c633:%x", i);
		ASK(DYN4, LZ_V_ICMP_ADMIN, i, "198.51.%u.%u", i / 256, i % 256);
	}
	for (unsigned i = 1; i <= 400; i++)
		ASK(DYN6, LZ_V_PASS, i, "2001:db8:c:1:8000::%x", i);
	ASK(DYN6, LZ_V_ICMP_ADMIN, 1, "2001:db8:c:1::");
	policy_again();
	ROWS_OK("rows");
}

/* Groups whose way through the table begins in its last bucket: it goes on at the first, for four buckets. */
static void crowded_table(void)
{
	static char text[13][32];
	unsigned n = 0, buckets = w->control->gen[0].range_buckets;

	for (unsigned i = 0; n < 13 && i < 20000; i++) {
		char host[20];

		snprintf(host, sizeof(host), "10.%u.%u.7", i / 256 % 256, i % 256);
		if (lz_range_home(lz_range_id(world_key(w, host), 7), w->seed, buckets) / LZ_RANGE_BUCKET_LINES !=
		    buckets - 1)
			continue;
		snprintf(text[n], sizeof(*text), "%s/32", host);
		world_range(w, 0, text[n++], ROWS_DYNAMIC);
	}
	T_EQ(n, 13, "more than three buckets");
	for (unsigned i = 0; i < n; i++) {
		char host[20];
		struct row row = { text[i], { .src = host, .dst = WORLD4, .dport = 25 }, ICMP };

		snprintf(host, sizeof(host), "%.*s", (int)strcspn(text[i], "/"), text[i]);
		rows_run(w, &row, 1, ROWS_XDP, NULL);
	}
	policy_again();
	ROWS_OK("rows");
}

/* A class of everybody: the group of the shortest prefixes. */
static void class_of_everybody(void)
{
	static const struct row rows[] = {
		{ "IPv6", { .src = "3fff::1", .dst = WORLD6, .dport = 25 }, ICMP },
		{ "IPv6, the end", { .src = "feff::1", .dst = WORLD6, .dport = 25 }, ICMP },
		{ "a narrower class", { .src = "2001:db8:2000:7::9", .dst = WORLD6, .dport = 25 }, EXAMINED },
		{ "IPv4 is not IPv6", { .src = "9.9.9.9", .dst = WORLD4, .dport = 25 }, FOREIGN },
	};

	world_range(w, 0, "::/0", ROWS_DYNAMIC);
	rows_run(w, ROWS(rows), ROWS_XDP | ROWS_TC, NULL);
	policy_again();
	ROWS_OK("rows");
}

/* The second slot judges by tables of its own. */
static void second_generation(void)
{
	static const struct row rows[] = {
		{ "a class", FROM4(WORLD4), ICMP },
		{ "IPv6", FROM6(WORLD6), ICMP },
		{ "a set", FROM4(SMART4), EXAMINED },
		{ "another class", { .src = DROP4, .dst = WORLD4, .dport = 25 }, LZ_V_DROP, LZ_R_DROP_PORT25 },
	};
	struct lz_class limited = { .limits = 1, .limit = { {
		.kind = LZ_LIMIT_WINDOW, .what = LZ_WHAT_SMTP_CONNECTIONS, .per = LZ_PER_CUSTOMER, .id = 7,
		.then = LZ_THEN_DROP, .refuse = LZ_V_DROP, .n = 3, .slot_ns = 50000000000ull, .words = 1, .bits = 6,
		.counters = 7, .stamp = 1 } } };
	struct pkt_spec syn = { .src = LIM4, .dst = WORLD4, .dport = 25 };
	unsigned passed = 0;
	struct world_run r;

	world_forget_policy(w);
	rows_policy(w, 1);
	w->control->gen_word = LZ_GEN_WORD(1, 1, 0);
	rows_run(w, ROWS(rows), ROWS_XDP | ROWS_TC, NULL);
	world_class(w, 1, ROWS_LIMITED, &limited);
	world_customer(w, 1, "203.0.113.8/29", 12);
	world_reset(w);
	for (syn.seq = 1; syn.seq <= 5; syn.seq++) {
		T_EQ(world_frame(w, WORLD_XDP, &syn, &r), 0, "test run");
		passed += r.verdict == LZ_V_PASS;
	}
	T_EQ(passed, 3, "a customer's limit");
	policy_again();
	ROWS_OK("rows");
}

static const struct t_case cases[] = {
	{ "destinations by prefixes of every length", destinations },
	{ "a destination in two sets", in_two_sets },
	{ "a whole family", whole_families },
	{ "what is remembered of destinations", remembered },
	{ "a crowded table of ranges", crowded_table },
	{ "a class of everybody", class_of_everybody },
	{ "the second generation", second_generation },
};

ROWS_MAIN(w, cases)
