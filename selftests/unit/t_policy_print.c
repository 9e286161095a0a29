/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_policy_print.c - check(print(check(p))) is a fixed point: for the policies that we ship, and
 * for random ones. Run from the top of the tree.
 */
#include <glob.h>
#include <stdio.h>

#include "lib/t.h"
#include "unit/policy_text.h"

#define RANDOM_POLICIES 3000

/* Print, read, print: the same text, without an error. Inlined, it needs no files. */
static void hold_fixed(const struct lz_policy *policy, unsigned flags, struct memory_file *files,
		       const char *name)
{
	lz_autofree char *once = NULL, *twice = NULL;
	bool ok;

	T_EQ(lz_policy_print(policy, flags, &once), 0, name);
	auto_reading again = read_policy(once, files);
	ok = T_EQ(again.r, 0, name);
	if (again.policy) {
		T_EQ(lz_policy_print(again.policy, flags, &twice), 0, name);
		ok &= T_STR(twice, once, name);
		T_EQ(again.policy->class_ranges.n, policy->class_ranges.n, "as many class ranges");
		T_EQ(again.policy->customer_ranges.n, policy->customer_ranges.n, "as many customer ranges");
	}
	if (!ok)
		t_show(once, again.text);
}

static void prints_shipped_policies(void)
{
	glob_t found;

	if (!T_EQ(glob("policies/*.json", 0, NULL, &found), 0, "policies/*.json (run from the top)"))
		return;
	T_OK(found.gl_pathc >= 5, "at least five");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		struct lz_report report = {};
		struct lz_policy *policy = NULL;
		lz_autostr struct lz_str text = {};

		T_EQ(lz_policy_load(path, &policy, &report), 0, path);
		lz_report_format(&report, path, &text);
		T_EQ(report.total[LZ_SEVERITY_ERROR], 0, path);
		if (report.n)
			t_show(path, text.data);
		if (policy)
			hold_fixed(policy, LZ_PRINT_INLINE_FILES, NULL, path);
		if (policy)
			hold_fixed(policy, LZ_PRINT_INLINE_FILES | LZ_PRINT_PACKED, NULL, path);
		lz_policy_free(&policy);
		lz_report_done(&report);
	}
	globfree(&found);
}

static void keeps_file_references(void)
{
	struct memory_file files[] = {
		{ "a.cidr", "192.0.2.0/24\n198.51.100.1\n" },
		{ "c.csv", "x,192.0.2.1\n" },
		{},
	};
	auto_reading reading = read_policy(
		"{\"version\": 1, \"sets\": {\"s\": [\"198.51.100.1\", {\"file\": \"a.cidr\"}, {\"names\": [\"a.b\"]}]},"
		"\"customers\": {\"file\": \"c.csv\", \"list\": {\"y\": [\"192.0.2.2\"]}}}", files);
	lz_autofree char *text = NULL, *whole = NULL;

	if (!T_EQ(reading.r, 0, "read"))
		return;
	T_EQ(lz_policy_print(reading.policy, 0, &text), 0, "print");
	T_HAS(text, "\"file\":\t\"a.cidr\"", "names the set's file");
	T_HAS(text, "\"file\":\t\"c.csv\"", "names the customer file");
	T_OK(!strstr(text, "192.0.2.0/24"), "and not what is in it");
	T_EQ(lz_policy_print(reading.policy, LZ_PRINT_INLINE_FILES, &whole), 0, "print inline");
	T_HAS(whole, "192.0.2.0/24", "or what is in it");
	T_OK(!strstr(whole, ".cidr") && !strstr(whole, ".csv"), "and not its name");
	hold_fixed(reading.policy, 0, files, "by reference");
	hold_fixed(reading.policy, LZ_PRINT_INLINE_FILES, NULL, "inline");
}

/* The text that goes over the socket and into the ledger: few strings, the same policy. */
static void packs_prefixes(void)
{
	lz_autostr struct lz_str file = {};
	lz_autofree char *plain = NULL, *packed = NULL, *again = NULL;
	size_t strings = 0;

	for (unsigned i = 0; i < 1000; i++)
		lz_str_appendf(&file, i % 10 ? "10.0.%u.%u\n" : "2001:db8:%x:%x::/64\n", i / 200, i % 200);
	auto_reading reading = read_policy(
		"{\"version\": 1, \"sets\": {\"s\": [{\"file\": \"f\"}, {\"names\": [\"a.b\"]}], \"one\": [\"192.0.2.1\"], \"none\": []}}",
		(struct memory_file[]){ { "f", file.data }, {} });
	if (!T_EQ(reading.r, 0, "read"))
		return;
	T_EQ(lz_policy_print(reading.policy, LZ_PRINT_INLINE_FILES, &plain), 0, "print");
	T_EQ(lz_policy_print(reading.policy, LZ_PRINT_INLINE_FILES | LZ_PRINT_PACKED, &packed), 0, "print packed");
	for (const char *p = strstr(packed, "10.0.0.1"); p && *p != ']'; p++)
		strings += *p == '"';
	T_OK(strings < 60, "1000 prefixes in a few strings");
	T_HAS(packed, "[\"192.0.2.1\"]", "one stays one");
	auto_reading back = read_policy(packed, NULL);
	if (!T_EQ(back.r, 0, "read packed"))
		return;
	T_EQ(back.policy->sets[0].entries.n, 1000, "all of them");
	T_EQ(lz_policy_print(back.policy, LZ_PRINT_INLINE_FILES, &again), 0, "print");
	T_STR(again, plain, "the same policy");
}

/* ---------------------------------------------------------------- random policies */

static __u64 random_state;

/* xorshift64*: the same policies in every run */
static unsigned pick(unsigned below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)((random_state * 0x2545f4914f6cdd1dULL) >> 33) % below;
}

static const char *one_of(const char *const *words, unsigned n)
{
	return words[pick(n)];
}
#define ONE_OF(...)                                                                                \
	one_of((const char *const[]){ __VA_ARGS__ },                                               \
	       LZ_ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })))

static void random_prefix(struct lz_str *out)
{
	switch (pick(4)) {
	case 0:
		lz_str_appendf(out, "\"10.%u.%u.0/24\"", pick(4), pick(8));
		break;
	case 1:
		lz_str_appendf(out, "\"2001:db8:%x::/%u\"", pick(6), 48 + pick(17));
		break;
	case 2:
		lz_str_appendf(out, "\"10.9.%u.%u-10.9.%u.255\"", pick(4), pick(256), 4 + pick(2));
		break;
	default:
		lz_str_appendf(out, "\"192.0.2.%u\"", pick(256));
	}
}

static void random_refs(struct lz_str *out, unsigned at_least)
{
	unsigned n = at_least + pick(3);

	for (unsigned i = 0; i < n; i++) {
		lz_str_append(out, i ? ", " : "");
		if (pick(2))
			lz_str_appendf(out, "\"s%u\"", pick(3));
		else
			random_prefix(out);
	}
}

static void random_limit(struct lz_str *out, unsigned number)
{
	lz_str_appendf(out, "%s{\"name\": \"l%u\", \"count\": \"%s\", ", number ? ", " : "", number,
		       ONE_OF("syn", "smtp-connections"));
	if (pick(2))
		lz_str_appendf(out, "\"at-most\": \"%u/%u%s\", ", 60 + pick(900), 1 + pick(2), ONE_OF("min", "h"));
	else
		lz_str_appendf(out, "\"rate\": \"%u/%s\", \"burst\": %u, ", 1 + pick(99), ONE_OF("s", "min", "5min"),
			       1 + pick(500));
	if (pick(3) == 0) {
		lz_str_append(out, "\"to\": [");
		random_refs(out, 1);
		lz_str_append(out, "], ");
	}
	if (pick(3) == 0)
		lz_str_appendf(out, "\"per\": %s, ", ONE_OF("\"source\"", "{\"ipv4\": 24, \"ipv6\": 48}"));
	lz_str_appendf(out, "\"mode\": \"%s\", \"then\": \"%s\"}", ONE_OF("enforce", "monitor"),
		       ONE_OF("drop", "refuse", "notify", "hold 72h", "ladder:up"));
}

static void random_policy(struct lz_str *out)
{
	unsigned limits;

	lz_str_appendf(out, "{\"version\": 1, \"mode\": \"%s\", \"ipv6-key\": %u, \"unparsed\": \"%s\", ",
		       ONE_OF("enforce", "monitor"), 48 + pick(17), ONE_OF("pass", "drop"));
	lz_str_appendf(out, "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e%u\"], \"source-validation\": \"%s\"}}, ",
		       pick(9), ONE_OF("strict", "strict", "none"));
	lz_str_append(out, "\"gardens\": {\"leaky\": {}}, \"ladders\": {\"up\": {\"steps\": [\"notify\", \"throttle 9/5min 1h\", \"garden:leaky 7d\"]}}, \"sets\": {");
	for (unsigned s = 0; s < 3; s++) {
		lz_str_appendf(out, "%s\"s%u\": [", s ? ", " : "", s);
		for (unsigned i = 0, n = 1 + pick(4); i < n; i++) {
			lz_str_append(out, i ? ", " : "");
			random_prefix(out);
		}
		lz_str_append(out, "]");
	}
	lz_str_append(out, "}, \"never\": [");
	random_refs(out, 0);
	lz_str_append(out, "], \"classes\": {");
	for (unsigned c = 0, n = 1 + pick(2); c < n; c++) {
		lz_str_appendf(out, "%s\"c%u\": {\"of\": [", c ? ", " : "", c);
		random_refs(out, 1);
		lz_str_appendf(out, "], \"port25\": {\"to-world\": \"%s\", \"except-to\": [",
			       ONE_OF("drop", "icmp-admin", "tcp-reset", "smtp-554"));
		random_refs(out, 0);
		lz_str_append(out, "]}, \"limits\": [");
		limits = pick(4);
		for (unsigned l = 0; l < limits; l++)
			random_limit(out, l);
		lz_str_append(out, "]}");
	}
	lz_str_append(out, "}}");
}

static void prints_random_policies(void)
{
	unsigned accepted = 0;

	random_state = 20270301;
	for (unsigned i = 0; i < RANDOM_POLICIES; i++) {
		lz_autostr struct lz_str text = {};

		random_policy(&text);
		auto_reading reading = read_policy(text.data, NULL);
		T_OK((reading.r == 0) == (reading.report.total[LZ_SEVERITY_ERROR] == 0), "refused means told");
		if (!reading.policy)
			continue;
		accepted++;
		hold_fixed(reading.policy, accepted % 2 ? LZ_PRINT_PACKED : 0, NULL, "random");
	}
	printf("# %u of %u random policies were accepted\n", accepted, RANDOM_POLICIES);
	T_OK(accepted > RANDOM_POLICIES / 20, "enough of them are good to mean something");
	T_OK(accepted < RANDOM_POLICIES, "and not all");
}

static const struct t_case cases[] = {
	{ "policies/*.json pass and print to a fixed point", prints_shipped_policies },
	{ "files by reference and inline", keeps_file_references },
	{ "many prefixes in a string", packs_prefixes },
	{ "random policies print to a fixed point", prints_random_policies },
};

int main(void)
{
	return T_MAIN(cases);
}
