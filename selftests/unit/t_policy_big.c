/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_policy_big.c - half a million prefixes. The bound is two seconds of CPU time (ten under a
 * sanitizer): other work on the machine does not count, and anything quadratic needs minutes.
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "lib/t.h"
#include "unit/policy_text.h"

#define PREFIXES 500000u
#ifdef __SANITIZE_ADDRESS__
#define BOUND_NS (10 * LZ_NS_PER_S)
#else
#define BOUND_NS (2 * LZ_NS_PER_S)
#endif

#define CLASSES \
	"{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]}}," \
	"\"sets\": {\"s\": [{\"file\": \"f\"}], \"t\": [{\"file\": \"g\"}]}," \
	"\"classes\": {\"c\": {\"of\": [\"s\"]}, \"d\": {\"of\": [\"t\"]}}}"

/* Numbers in an order that is not sorted: an odd multiplier walks all residues of 2^k. */
static __u32 shuffled(__u32 i)
{
	return i * 2654435761u & ((1u << 19) - 1);
}

static __u64 cpu_ns(void)
{
	struct timespec ts = {};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (__u64)ts.tv_sec * LZ_NS_PER_S + (__u64)ts.tv_nsec;
}

static struct reading read_timed(const char *what, const char *policy, struct memory_file *files)
{
	__u64 start_ns = cpu_ns(), spent_ns;
	struct reading reading = read_policy(policy, files);

	spent_ns = cpu_ns() - start_ns;
	printf("# %s: %llu ms\n", what, spent_ns / LZ_NS_PER_MS);
	T_OK(spent_ns < BOUND_NS, what);
	return reading;
}

/* Half IPv4 /28, half IPv6 /48, shuffled. */
static void reads_half_a_million(void)
{
	lz_autostr struct lz_str file = {};
	struct lz_prefix host;

	for (__u32 i = 0; i < PREFIXES / 2; i++) {
		__u32 n = shuffled(i) << 4;

		lz_str_appendf(&file, "10.%u.%u.%u/28\n", n >> 16 & 255, n >> 8 & 255, n & 255);
		lz_str_appendf(&file, "2001:db8:%x::/48\n", shuffled(i) & 0xffff);
	}
	auto_reading reading = read_timed("500,000 prefixes", CLASSES,
					  (struct memory_file[]){ { "f", file.data }, { "g", "192.0.2.0/24\n" }, {} });
	T_EQ(reading.r, 0, "accepted");
	if (!reading.policy)
		return;
	lz_prefix_parse("192.0.2.77", &host, NULL);
	T_EQ(lz_ranges_find(&reading.policy->class_ranges, &host)->owner, 1, "192.0.2.77 is in class d");
	/* 250,000 different /28s, but only 2^16 different /48s */
	T_EQ(reading.policy->class_ranges.n, PREFIXES / 2 + 65536 + 1, "each prefix once");
}

/* Different prefixes all: nothing folds away. */
static void reads_distinct_prefixes(void)
{
	lz_autostr struct lz_str file = {};

	for (__u32 i = 0; i < PREFIXES; i++) {
		__u32 n = 0x64400000u + (shuffled(i) << 2);

		lz_str_appendf(&file, "%u.%u.%u.%u/30\n", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255);
	}
	auto_reading reading = read_timed("500,000 distinct prefixes", CLASSES,
					  (struct memory_file[]){ { "f", file.data }, { "g", "192.0.2.0/24\n" }, {} });
	T_EQ(reading.r, 0, "accepted");
	T_STR(reading.text, "", "without a word");
	T_EQ(reading.policy ? reading.policy->class_ranges.n : 0, PREFIXES + 1, "all of them");
}

/* The same half million in two classes: as many mistakes, a bounded report. */
static void refuses_half_a_million_conflicts(void)
{
	lz_autostr struct lz_str file = {};

	for (__u32 i = 0; i < PREFIXES; i++)
		lz_str_appendf(&file, "100.%u.%u.%u\n", 64 + (i >> 16), i >> 8 & 255, i & 255);
	auto_reading reading = read_timed("500,000 conflicts", CLASSES,
					  (struct memory_file[]){ { "f", file.data }, { "g", file.data }, {} });
	T_ERR(reading.r, -EINVAL, "refused");
	T_EQ(reading.report.total[LZ_SEVERITY_ERROR], PREFIXES, "each is counted");
	T_OK(reading.report.n <= LZ_REPORT_ITEMS_MAX, "few are kept");
	T_HAS(reading.text, "g:1: error: /sets/t/0/file: 100.64.0.0 is in class 'c' and in class 'd'", "with file and line");
}

static void reads_many_customers(void)
{
	lz_autostr struct lz_str file = {};

	for (__u32 i = 0; i < PREFIXES; i++) {
		__u32 n = shuffled(i);

		lz_str_appendf(&file, "C%u,100.%u.%u.%u\n", n / 2, 64 + (n >> 16), n >> 8 & 255, n & 255);
	}
	auto_reading reading = read_timed("500,000 lines of customers", "{\"version\": 1, \"customers\": {\"file\": \"f\"}}",
					  (struct memory_file[]){ { "f", file.data }, {} });
	T_EQ(reading.r, 0, "accepted");
	T_OK(reading.policy && reading.policy->n_customers > PREFIXES / 2 - 1 &&
	     reading.policy->n_customers < PREFIXES, "two addresses make one customer");
}

/* 25 prefixes inside each other, and half a million hosts below: the deepest climb there is. */
static void climbs_deep_nesting(void)
{
	lz_autostr struct lz_str file = {}, nested = {};

	for (unsigned len = 8; len <= 32; len++)
		lz_str_appendf(&nested, "10.0.0.0/%u\n", len);
	for (__u32 i = 1; i < PREFIXES; i++)
		lz_str_appendf(&file, "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
	auto_reading reading = read_timed("500,000 hosts under 25 nested prefixes", CLASSES,
					  (struct memory_file[]){ { "f", file.data }, { "g", nested.data }, {} });
	T_EQ(reading.r, 0, "accepted");
	T_EQ(reading.policy ? reading.policy->class_ranges.n : 0, PREFIXES - 1 + 25, "all of them");
}

static const struct t_case cases[] = {
	{ "half a million lines, many twice", reads_half_a_million },
	{ "half a million distinct prefixes", reads_distinct_prefixes },
	{ "half a million conflicts", refuses_half_a_million_conflicts },
	{ "half a million lines of customers", reads_many_customers },
	{ "deep nesting", climbs_deep_nesting },
};

int main(void)
{
	return T_MAIN(cases);
}
