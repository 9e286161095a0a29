/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_mem.c - sorting what is mostly in order. */
#include <string.h>

#include "base/mem.h"
#include "lib/t.h"

#define ITEMS 30000u

/* Three bytes more than a word: nothing may depend on an alignment. */
struct item {
	unsigned int value, place;
	char rest[3];
} __attribute__((packed));

static size_t compared;

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	compared++;
	return x->value < y->value ? -1 : x->value > y->value;
}

/* @runs times upwards, each through the same values: all of them meet in the end. */
static void fill(struct item *items, size_t n, size_t runs)
{
	for (size_t i = 0; i < n; i++)
		items[i] = (struct item){ (unsigned int)(i % (n / runs)) / 2, (unsigned int)i, { 1, 2, 3 } };
}

static bool is_sorted(const struct item *items, size_t n, bool stable)
{
	bool fine = true;

	for (size_t i = 1; i < n; i++)
		fine &= items[i - 1].value < items[i].value ||
			(items[i - 1].value == items[i].value &&
			 (!stable || items[i - 1].place < items[i].place));
	return fine;
}

static bool has_each(const struct item *items, size_t n)
{
	lz_autofree char *seen = calloc(n, 1);
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		count += !seen[items[i].place] && !memcmp(items[i].rest, (char[]){ 1, 2, 3 }, 3);
		seen[items[i].place] = 1;
	}
	return count == n;
}

static void sorts_runs(void)
{
	static const size_t runs[] = { 1, 2, 3, 5, 8, 16, 17, 100, ITEMS / 2 };
	lz_autofree struct item *items = calloc(ITEMS, sizeof(*items));

	for (size_t i = 0; i < LZ_ARRAY_SIZE(runs); i++) {
		char what[32];

		snprintf(what, sizeof(what), "%zu runs", runs[i]);
		fill(items, ITEMS, runs[i]);
		lz_array_sort(items, ITEMS, sizeof(*items), compare);
		T_OK(is_sorted(items, ITEMS, runs[i] <= 16), what);
		T_OK(has_each(items, ITEMS), what);
	}
}

static void sorts_small_ones(void)
{
	struct item items[8];

	for (unsigned int order = 0; order < 8 * 8 * 8 * 8; order++)
		for (size_t n = 0; n <= 4; n++) {
			for (size_t i = 0; i < n; i++)
				items[i] = (struct item){ order >> (3 * i) & 7, (unsigned int)i, { 1, 2, 3 } };
			lz_array_sort(items, n, sizeof(*items), compare);
			if (!is_sorted(items, n, true) || !has_each(items, n)) {
				T_EQ(order, 0, "sorted");
				return;
			}
		}
	T_OK(true, "all of up to four");
}

/* What it is for: qsort() needs some 15 an item for that. */
static void compares_little(void)
{
	lz_autofree struct item *items = calloc(ITEMS, sizeof(*items));

	fill(items, ITEMS, 1);
	compared = 0;
	lz_array_sort(items, ITEMS, sizeof(*items), compare);
	T_OK(compared < ITEMS, "in order: one look");
	fill(items, ITEMS, 3);
	compared = 0;
	lz_array_sort(items, ITEMS, sizeof(*items), compare);
	T_OK(compared < 6 * ITEMS, "three runs: two merges");
}

static const struct t_case cases[] = {
	{ "runs, few and many", sorts_runs },
	{ "every order of up to four", sorts_small_ones },
	{ "few runs take few comparisons", compares_little },
};

int main(void)
{
	return T_MAIN(cases);
}
