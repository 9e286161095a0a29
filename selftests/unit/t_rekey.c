/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_rekey.c - another ipv6-key: nobody who is held is free afterwards, earlier or softer.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "ledger/held.h"
#include "lib/t.h"

#define BOOT "aaaaaaaa-0000-4000-8000-000000000001"
#define NET  0x20010db800010000ULL /* 2001:db8:1::/56 */

static const struct lz_now noon = { .wall_s = 1800000000, .mono_s = 5000 };
static char dir[] = "/tmp/lz-rekey-XXXXXX";
static struct lz_err err;

static struct lz_ledger *open_fresh(void)
{
	struct lz_ledger *l = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" LZ_LEDGER_FILE, dir);
	unlink(path);
	T_ERR(lz_ledger_open(dir, BOOT, noon, &l, &err), 0, err.text);
	return l;
}

static void hold(struct lz_ledger *l, __u64 key, __u32 ttl_s, const char *grade, __u64 case_id,
		 const char *address)
{
	struct lz_held held = { .key = key, .since_s = noon.wall_s, .generation = 3, .ttl_s = ttl_s,
				.expiry_s = (__u32)noon.mono_s + ttl_s, .case_id = case_id,
				.source = "operator", .actor = "root" };

	lz_strcpy(held.grade, sizeof(held.grade), grade);
	lz_strcpy(held.address, sizeof(held.address), address);
	lz_strcpy(held.reason, sizeof(held.reason), grade);
	T_ERR(lz_held_put(l, &held, &err), 0, err.text);
}

static __u64 open_case(struct lz_ledger *l, __u64 key, const char *customer)
{
	struct lz_case c = { .key = key, .state = LZ_CASE_GARDEN, .step = -1, .opened_s = noon.wall_s,
			     .due_s = noon.wall_s + 600, .until_s = noon.wall_s + 600 };

	lz_strcpy(c.customer, sizeof(c.customer), customer);
	T_ERR(lz_case_put(l, &c, &err), 0, err.text);
	return c.id;
}

static struct lz_held get(struct lz_ledger *l, __u64 key)
{
	struct lz_held held = { 0 };

	T_ERR(lz_held_get(l, key, &held), 0, "is held");
	return held;
}

static void count_beat(void *arg)
{
	*(unsigned int *)arg += 1;
}

static unsigned int beats; /* of the last rekey() */

static int rekey(struct lz_ledger *l, unsigned int from, unsigned int to, __u64 max)
{
	struct lz_rekey how = { .from = from, .to = to, .max = max, .alive = count_beat, .arg = &beats,
				.at = { .wall_s = noon.wall_s + 60, .mono_s = noon.mono_s + 60 } };
	int r = lz_ledger_begin(l, &err);

	beats = 0;
	if (!r)
		r = lz_ledger_rekey(l, &how, &err);
	if (!r)
		return lz_ledger_commit(l, &err);
	lz_ledger_rollback(l);
	return r;
}

static void joins_neighbours(void)
{
	struct lz_ledger *l = open_fresh();
	__u64 soft, hard, alone, v4;
	struct lz_transition t;
	struct lz_case c;
	struct lz_held h;

	soft = open_case(l, NET + 1, "");
	hard = open_case(l, NET + 2, "");
	alone = open_case(l, NET + 0x107, "");
	v4 = open_case(l, 0xc0000207, "");
	hold(l, NET + 1, 9000, "block25", soft, "2001:db8:1:1::9");
	hold(l, NET + 2, 600, "garden:strict", hard, "");
	hold(l, NET + 3, 7200, "garden:leaky", 0, "");
	hold(l, NET + 0x107, 300, "garden:leaky", alone, "");
	hold(l, 0xc0000207, 300, "garden:leaky", v4, ""); /* 192.0.2.7 */
	hold(l, 0xfd00000000000005ULL, 300, "block25", 0, ""); /* a key that is negative on disk */
	T_ERR(rekey(l, 64, 56, 10), 0, err.text);
	T_EQ(lz_held_count(l), 4, "three of one /56 are one");
	h = get(l, NET);
	T_STR(h.grade, "garden:strict", "the hardest grade");
	T_EQ(h.expiry_s, 5000 + 9000, "the latest end");
	T_EQ(h.ttl_s, 9000, "with the time it was granted");
	T_EQ(h.case_id, hard, "the case of the grade");
	T_EQ(get(l, NET + 0x100).expiry_s, 5300, "another /56 has its own");
	T_EQ(get(l, 0xc0000207).expiry_s, 5300, "IPv4 is not touched");
	T_STR(get(l, 0xfd00000000000000ULL).grade, "block25", "nor are half of the keys forgotten");
	T_ERR(lz_case_get(l, soft, &c), 0, "the other case");
	T_EQ(c.state, LZ_CASE_CLOSED, "is closed");
	T_OK(!c.due_s && !c.until_s, "and waits for nothing");
	T_EQ(lz_transition_before(l, soft, INT64_MAX, &t, 1), 1, "and says so");
	T_HAS(t.reason, "one source since ipv6-key is 56", "why");
	T_ERR(lz_case_find(l, NET + 0x100, "", &c), 0, "a case is found by its new key");
	T_EQ(c.id, alone, "that one");
	T_EQ(c.state, LZ_CASE_GARDEN, "as it was");
	T_ERR(lz_case_find(l, 0xc0000207, "", &c), 0, "one of IPv4 by the key it has");
	T_EQ(c.id, v4, "that one");
	lz_ledger_close(&l);
}

/* A customer's case has lost one address to a neighbour's, and goes on with the other. */
static void leaves_a_case_that_has_more(void)
{
	struct lz_ledger *l = open_fresh();
	__u64 id = open_case(l, NET + 1, "C1");
	struct lz_case c;

	hold(l, NET + 1, 600, "block25", id, "");
	hold(l, NET + 2, 300, "garden:strict", open_case(l, NET + 2, ""), "");
	hold(l, NET + 0x107, 600, "block25", id, "");
	T_ERR(rekey(l, 64, 56, 10), 0, err.text);
	T_ERR(lz_case_get(l, id, &c), 0, "the customer's");
	T_EQ(c.state, LZ_CASE_GARDEN, "is not closed");
	T_EQ(get(l, NET + 0x100).case_id, id, "it has one more");
	lz_ledger_close(&l);
}

static void takes_the_only_case(void)
{
	struct lz_ledger *l = open_fresh();
	__u64 id = open_case(l, NET + 1, "");

	hold(l, NET + 1, 600, "block25", id, "");
	hold(l, NET + 2, 300, "garden:strict", 0, "");
	T_ERR(rekey(l, 64, 56, 10), 0, err.text);
	T_EQ(get(l, NET).case_id, id, "a list's hold takes over the neighbour's case");
	T_STR(get(l, NET).grade, "garden:strict", "and stays as hard");
	lz_ledger_close(&l);
}

static void divides(void)
{
	struct lz_ledger *l = open_fresh();
	__u64 id = open_case(l, NET, "");
	struct lz_case c;

	hold(l, NET, 600, "block25", id, "2001:db8:1:42::9");
	hold(l, NET + 0x100, 300, "garden:leaky", 0, "");
	hold(l, 0xc0000207, 300, "garden:leaky", 0, "");
	T_ERR(rekey(l, 56, 64, 512), -ENOSPC, "more than there is room for");
	T_HAS(err.text, "256 sources then, more than the 512", "with the numbers");
	T_EQ(lz_held_count(l), 3, "and nothing was changed");
	T_ERR(rekey(l, 56, 64, 513), 0, err.text);
	T_EQ(lz_held_count(l), 513, "each part is held");
	for (__u64 i = 0; i < 512; i++)
		T_EQ(get(l, NET + i).expiry_s, i < 256 ? 5600 : 5300, "until then");
	T_STR(get(l, NET + 0x42).address, "2001:db8:1:42::9", "the part that was named has the name");
	T_STR(get(l, NET).address, "", "alone");
	T_EQ(get(l, NET + 0x42).case_id, id, "and the case, for it is of one source");
	T_EQ(get(l, NET).case_id, 0, "which the others are not");
	T_EQ(get(l, NET + 0xff).case_id, 0, "any more");
	T_ERR(lz_case_find(l, NET + 0x42, "", &c), 0, "it is found by its address");
	T_ERR(rekey(l, 64, 56, 10), 0, err.text);
	T_EQ(lz_held_count(l), 3, "and back");
	T_EQ(get(l, NET).expiry_s, 5600, "as it was");
	T_EQ(get(l, NET).case_id, id, "with its case");
	T_STR(get(l, NET).address, "2001:db8:1:42::9", "and its name");
	T_ERR(lz_case_get(l, id, &c), 0, "the case");
	T_EQ(c.state, LZ_CASE_GARDEN, "is not closed by its own parts");
	lz_ledger_close(&l);
}

/* Held for what another address of his customer did: the name is none of a part of this key. */
static void divides_under_a_foreign_name(void)
{
	struct lz_ledger *l = open_fresh();
	__u64 id = open_case(l, NET, "");

	hold(l, NET, 600, "block25", id, "2001:db8:2:42::9");
	hold(l, 0x20010db800020000ULL, 300, "garden:leaky", 0, "");
	T_ERR(rekey(l, 56, 64, 512), 0, err.text);
	T_STR(get(l, NET).address, "2001:db8:2:42::9", "the first part has it");
	T_EQ(get(l, NET).case_id, id, "and the case");
	T_STR(get(l, 0x20010db800020042ULL).address, "", "nobody else is named by it");
	T_EQ(get(l, 0x20010db800020042ULL).case_id, 0, "nor gets the case");
	lz_ledger_close(&l);
}

/* Let go between two changes: him alone, however often the key has changed before. */
static void frees_one_part(void)
{
	struct lz_ledger *l = open_fresh();
	__u64 id = open_case(l, NET + 1, "");
	struct lz_held of[4];

	hold(l, NET + 1, 9000, "garden:strict", id, "2001:db8:1:1::9");
	hold(l, NET + 2, 7200, "block25", open_case(l, NET + 2, ""), "2001:db8:1:2::9");
	for (int i = 1; i <= 3; i++) {
		T_ERR(rekey(l, 64, 56, 300), 0, err.text);
		T_ERR(rekey(l, 56, 64, 300), 0, err.text);
		T_EQ(lz_held_of(l, id, of, 4), 1, "the case is of one source, each time");
		T_EQ(of[0].key, NET + 1, "of him who was named");
	}
	T_ERR(lz_held_del(l, NET + 1, &err), 0, err.text);
	T_EQ(get(l, NET + 2).expiry_s, 5000 + 9000, "his neighbour is held");
	T_ERR(rekey(l, 64, 56, 300), 0, err.text);
	T_EQ(get(l, NET).expiry_s, 5000 + 9000, "and all of them again, as one");
	lz_ledger_close(&l);
}

static void divides_a_customer(void)
{
	struct lz_ledger *l = open_fresh();
	__u64 id = open_case(l, NET, "C1");
	struct lz_held *all = NULL;

	hold(l, NET & ~0xffffULL, 600, "block25", id, "2001:db8:1:42::9"); /* a /48 */
	T_ERR(rekey(l, 48, 64, 70000), 0, err.text);
	T_EQ(lz_held_of_all(l, id, &all), 65536, "all parts are of the customer's case");
	if (all)
		T_EQ(all[65535].key, NET | 0xffff, "and are read, to the last");
	free(all);
	T_ERR(rekey(l, 64, 56, 70000), 0, err.text);
	T_EQ(lz_held_of_all(l, id, &all), 256, "so are fewer and longer ones");
	free(all);
	lz_ledger_close(&l);
}

static void leaves_out_what_has_ended(void)
{
	struct lz_ledger *l = open_fresh();
	__u64 over = open_case(l, NET + 1, ""), on = open_case(l, NET + 2, "");
	struct lz_held h;
	struct lz_case c, watched = { .key = NET + 0x201, .state = LZ_CASE_WATCH, .step = -1, .due_s = noon.wall_s + 9999 };
	struct lz_past past;

	T_ERR(lz_case_put(l, &watched, &err), 0, err.text);
	hold(l, NET + 0x201, 60, "block25", watched.id, ""); /* to this very second */
	hold(l, NET + 1, 30, "garden:strict", over, "");
	hold(l, NET + 2, 600, "block25", on, "");
	hold(l, NET + 0x101, 30, "garden:leaky", 0, "");
	T_ERR(rekey(l, 64, 56, 10), 0, err.text);
	T_STR(get(l, NET).grade, "block25", "what has ended makes nothing harder");
	T_EQ(get(l, NET).case_id, on, "nor is the case that goes on its");
	T_EQ(lz_held_count(l), 1, "and it is no entry any more");
	T_EQ(lz_past_before(l, NET + 0x100, &past, 1), 1, "but in the past");
	T_EQ(past.ended_s, noon.wall_s + 30, "as it ended");
	T_ERR(lz_case_get(l, over, &c), 0, "its case");
	T_EQ(c.state, LZ_CASE_GARDEN, "is still to be moved");
	T_EQ(c.due_s, noon.wall_s + 60, "by the clock, now");
	T_ERR(lz_held_get(l, NET + 0x200, &h), -ENOENT, "what ends in this second has ended");
	T_ERR(lz_case_get(l, watched.id, &c), 0, "the case of one who is let go already");
	T_EQ(c.due_s, noon.wall_s + 9999, "is watched for as long as it was to be");
	T_ERR(rekey(l, 56, 64, 300), 0, err.text);
	lz_ledger_close(&l);
}

/* The keeper waits 30 s for a sign of life. */
static void says_that_it_lives(void)
{
	struct lz_ledger *l = open_fresh();

	T_ERR(lz_ledger_begin(l, &err), 0, err.text);
	for (__u64 i = 0; i < 3000; i++)
		hold(l, NET + (i << 8), 600, "block25", 0, "");
	T_ERR(lz_ledger_commit(l, &err), 0, err.text);
	T_ERR(rekey(l, 64, 56, 3000), 0, err.text);
	T_OK(beats >= 10, "a beat for some hundred entries");
	lz_ledger_close(&l);
}

static const struct t_case cases[] = {
	{ "joins neighbours", joins_neighbours },
	{ "leaves a case that has more", leaves_a_case_that_has_more },
	{ "takes the only case", takes_the_only_case },
	{ "divides", divides },
	{ "divides under a foreign name", divides_under_a_foreign_name },
	{ "frees one part", frees_one_part },
	{ "divides a customer", divides_a_customer },
	{ "leaves out what has ended", leaves_out_what_has_ended },
	{ "says that it lives", says_that_it_lives },
};

int main(void)
{
	char path[PATH_MAX];
	int r;

	if (!mkdtemp(dir))
		return EXIT_FAILURE;
	r = T_MAIN(cases);
	snprintf(path, sizeof(path), "%s/" LZ_LEDGER_FILE, dir);
	unlink(path);
	rmdir(dir);
	return r;
}
