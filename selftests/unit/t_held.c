/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_held.c - the bits that say "maybe held": nobody held is missed, and who shares no page is free.
 */
#include <pthread.h>
#include <stdint.h>

#include <lazaret/table.h>

#include "lib/t.h"

#define PAGES  197u /* of 1,600,000 cells */
#define LINES  (PAGES * LZ_HELD_PAGE_LINES)
#define PREFIX (1ull << LZ_HELD_PAGE_BITS)
#define FIRST  0x64400000ull /* 100.64.0.0 */
#define FIRST6 0x20010db800000000ull

static struct lz_held_line held[2 * LINES];
static struct lz_tables tables;
static struct lz_instance instance = { .seed = 0x9e3779b97f4a7c15ull, .held_lines = LINES, .ipv6_key_len = 56 };

static struct lz_held_line *lz_search_held(__u32 line)
{
	return line < 2 * instance.held_lines ? &held[line] : NULL;
}

#define LZ_SEARCH_IN (&instance)
#define LZ_SEARCH_TABLES (&tables)
#define LZ_SEARCH_LOOP
#include <lazaret/held.h>

static void start(__u32 pages)
{
	memset(held, 0, sizeof(held));
	memset(&tables, 0, sizeof(tables));
	instance.held_lines = pages * LZ_HELD_PAGE_LINES;
}

static void mark(__u64 key)
{
	lz_held_set(key, lz_held_bit(key));
}

static bool asked(__u64 key)
{
	return lz_held_asked(key, 0) && lz_held_asked(key, 1);
}

/* All of 19 prefixes held, a tenth of the pages, as row a of the bench has them: of 31 others nobody is asked. */
static void prefixes_with_a_page(void)
{
	unsigned missed = 0, for_nothing = 0;

	start(PAGES);
	for (__u64 key = FIRST; key < FIRST + 19 * PREFIX; key++)
		mark(key);
	for (__u64 key = FIRST; key < FIRST + 19 * PREFIX; key++)
		missed += !asked(key);
	for (__u64 key = FIRST + 19 * PREFIX; key < FIRST + 50 * PREFIX; key++)
		for_nothing += lz_held_asked(key, 0) || lz_held_asked(key, 1);
	T_EQ(missed, 0, "everybody held is found");
	T_EQ(for_nothing, 0, "of prefixes without a hold nobody is looked up");
}

static void neighbours_of_a_hold(void)
{
	unsigned wrong = 0;

	start(PAGES);
	for (__u64 n = 0; n < PREFIX; n += 100) {
		mark(FIRST + n);
		mark(FIRST6 + (n << 8));
	}
	for (__u64 n = 0; n < PREFIX; n++) {
		wrong += asked(FIRST + n) != (n % 100 == 0);
		wrong += asked(FIRST6 + (n << 8)) != (n % 100 == 0);
	}
	T_EQ(wrong, 0, "in a page of its own each key has a bit of its own, in both families");
	T_OK(asked(FIRST6 + 0xff), "addresses below the key length are one");
}

static __u32 first_page(__u64 key)
{
	return lz_scale((__u32)lz_held_hash(key), PAGES);
}

/* Two prefixes whose hashes say the same page: each gets one, and nobody is looked up for the other's. */
static void one_page_two_prefixes(void)
{
	__u64 other = FIRST + PREFIX;

	while (first_page(other) != first_page(FIRST))
		other += PREFIX;
	start(PAGES);
	mark(FIRST);
	mark(other + 1);
	T_OK(asked(FIRST) && asked(other + 1), "both are held");
	T_OK(!asked(FIRST + 1) && !asked(other), "and nobody else");
}

/* Who lies beside whom is marked with him, by one store: in his word, and in no other. */
static void words_of_neighbours(void)
{
	unsigned wrong = 0;

	for (__u64 n = 0; n < 1000; n++)
		for (__u64 m = n; m < n + 200; m++) {
			wrong += !!lz_held_beside(FIRST + n, FIRST + m) != (n / 64 == m / 64);
			wrong += !!lz_held_beside(FIRST6 + (n << 8), FIRST6 + (m << 8)) != (n / 64 == m / 64);
		}
	T_EQ(wrong, 0, "64 keys share a word, in both families");
}

/* The sizes tests and small gateways have: one page, two, some, and far more prefixes than pages. */
static void more_prefixes_than_pages(void)
{
	static const __u32 pages[] = { 1, 2, 9, 17 };

	for (unsigned n = 0; n < 4; n++) {
		unsigned missed = 0;

		start(pages[n]);
		for (__u64 i = 0; i < 500; i++)
			mark(FIRST + i * (PREFIX + 77));
		for (__u64 i = 0; i < 500; i++)
			missed += !asked(FIRST + i * (PREFIX + 77));
		T_EQ(missed, 0, "nobody is missed where pages are shared");
	}
}

static void copies_are_apart(void)
{
	start(PAGES);
	mark(FIRST);
	mark(FIRST + PREFIX);
	memset(held, 0, LINES * sizeof(*held));
	memset(tables.held_owner[0], 0, sizeof(tables.held_owner[0]));
	T_OK(!lz_held_asked(FIRST, 0) && lz_held_asked(FIRST, 1), "one is emptied, the other stands");
	lz_held_set_in(FIRST + PREFIX, lz_held_bit(FIRST + PREFIX), 0);
	T_OK(lz_held_asked(FIRST + PREFIX, 0) && !lz_held_asked(FIRST, 0), "and filled anew");
}

static void *mark_many(void *arg)
{
	__u64 from = (__u64)(uintptr_t)arg;

	for (__u64 i = 0; i < 20000; i++)
		mark(FIRST + i % 100 * PREFIX + from + i / 100 * 2);
	return NULL;
}

/* Two at once, in the same prefixes: both take a page for each, and meet in it. */
static void two_at_once(void)
{
	unsigned missed = 0;
	pthread_t other;

	for (int round = 0; round < 20; round++) {
		start(round & 1 ? PAGES : 2);
		T_EQ(pthread_create(&other, NULL, mark_many, (void *)1), 0, "a second thread");
		mark_many(NULL);
		T_EQ(pthread_join(other, NULL), 0, "ends");
		for (__u64 i = 0; i < 100; i++)
			for (__u64 n = 0; n < 400; n++)
				missed += !asked(FIRST + i * PREFIX + n);
	}
	T_EQ(missed, 0, "nobody is missed");
}

static const struct t_case cases[] = {
	{ "a page for a prefix", prefixes_with_a_page },
	{ "neighbours of a hold", neighbours_of_a_hold },
	{ "two prefixes, one page", one_page_two_prefixes },
	{ "neighbours of one word", words_of_neighbours },
	{ "more prefixes than pages", more_prefixes_than_pages },
	{ "two copies", copies_are_apart },
	{ "two at once", two_at_once },
};

int main(void)
{
	return T_MAIN(cases);
}
