/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_diff.c - what an operator is told about a change of policy, and that nothing is said of none. */
#include "lib/t.h"
#include "policy/diff.h"
#include "unit/policy_text.h"

static char *diff_text(const char *from, const char *to, struct memory_file *from_files,
		       struct memory_file *to_files)
{
	auto_reading old = read_policy(from ? from : "{\"version\": 1}", from_files);
	auto_reading new = read_policy(to, to_files);
	struct lz_changes changes = {};
	struct lz_str text = {};
	struct lz_err err = {};

	T_OK(old.policy && new.policy, old.policy ? new.text : old.text);
	if (old.policy && new.policy && !T_EQ(lz_policy_diff(from ? old.policy : NULL, new.policy, &changes, &err), 0, "diff"))
		printf("# %s\n", err.text);
	lz_str_append(&text, "");
	lz_changes_format(&changes, &text);
	lz_changes_done(&changes);
	return lz_str_take(&text);
}

#define HEAD "{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]}},"
#define LIMIT(name, n) "{\"name\": \"" name "\", \"count\": \"smtp-connections\", \"at-most\": \"" n "\", \"then\": \"drop\"}"
#define CLASS(limits) HEAD "\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [" limits "]}}}"

static void says_nothing_of_nothing(void)
{
	lz_autofree char *text = diff_text(CLASS(LIMIT("a", "10/1h")), HEAD "\"mode\": \"enforce\", \"classes\": {\"c\": {\"limits\": ["
		LIMIT("a", "10/60min") "], \"of\": [\"10.0.0.0/8\"], \"shared\": false}}}", NULL, NULL);

	T_STR(text, "", "defaults and order of keys are no change");
}

static void names_what_changed(void)
{
	lz_autofree char *text = diff_text(CLASS(LIMIT("a", "10/1h") "," LIMIT("b", "20/1h") "," LIMIT("d", "1/1h")),
		HEAD "\"mode\": \"monitor\", \"classes\": {\"c\": {\"of\": [\"10.0.0.0/9\"], \"limits\": ["
		LIMIT("b", "100/1h") "," LIMIT("a", "12/1h") "," LIMIT("new", "5/1h") "]}}}", NULL, NULL);

	T_HAS(text, "/mode: \"enforce\" -> \"monitor\"\n", "a scalar");
	T_HAS(text, "/classes/c/of: [\"10.0.0.0/8\"] -> [\"10.0.0.0/9\"]\n", "a list");
	T_HAS(text, "/classes/c/limits/a/at-most: \"10/h\" -> \"12/h\"\n", "a limit by its name");
	T_HAS(text, "/classes/c/limits/d: removed: {\"name\":\"d\"", "one that is gone");
	T_HAS(text, "/classes/c/limits/new: new: {", "one that is new");
	T_HAS(text, "/classes/c/limits/order: a, b -> b, a\n", "the order they are asked in");
	T_HAS(text, "/classes/c/limits/b/restarts: ", "wider counters: counts start again");
	T_OK(!strstr(text, "limits/a/restarts"), "a goes on counting");
	T_OK(!strstr(text, "limits/new/restarts"), "what is new does not start again");
}

static void counts_prefixes(void)
{
	static const char policy[] = HEAD "\"sets\": {\"s\": [{\"file\": \"f\"}]}, \"customers\": {\"file\": \"c\"}, \"classes\": {\"c\": {\"of\": [\"s\"]}}}";
	lz_autofree char *text = diff_text(policy, policy,
		(struct memory_file[]){ { "f", "10.0.0.0/24\n10.0.1.0/24\n" }, { "c", "A,10.0.0.1\nB,10.0.0.2\n" }, {} },
		(struct memory_file[]){ { "f", "10.0.1.0/24\n10.1.0.0/24\n10.2.0.0/24\n10.3.0.0/24\n10.4.0.0/24\n" }, { "c", "A,10.0.0.1\nA,10.0.0.2\n" }, {} });

	T_STR(text, "/sets/s: 2 prefixes -> 5 prefixes, 4 added (10.1.0.0/24, 10.2.0.0/24, 10.3.0.0/24, ..), 1 removed (10.0.0.0/24)\n"
	      "/customers: 2 customers -> 1 customers, 1 prefixes differ\n", "files are read");
}

/* A customer who has moved is told, and counts that are read no more. */
static void tells_what_starts_again(void)
{
#define MOVED(x) HEAD "\"customers\": {\"list\": {\"k\": [\"" x "\"]}}}"
#define FAN	"{\"name\": \"a\", \"count\": \"smtp-destinations\", \"at-most\": \"20/10min\", \"then\": \"drop\"}"
	lz_autofree char *moved = diff_text(MOVED("10.0.0.1"), MOVED("10.0.0.2"), NULL, NULL);
	lz_autofree char *fan = diff_text(CLASS(FAN), CLASS(LIMIT("a", "20/1h")), NULL, NULL);
	lz_autofree char *second = diff_text(CLASS(LIMIT("a", "10/1h")), CLASS(LIMIT("b", "5/1h") "," LIMIT("a", "10/2h")), NULL, NULL);

	T_HAS(moved, "/customers: 1 customers -> 1 customers, 2 prefixes differ\n", "a customer's other address");
	T_HAS(fan, "/classes/c/limits/a/restarts: ", "another thing is counted, in slots as long");
	T_HAS(second, "/classes/c/limits/a/restarts: ", "another window, in a word that nobody had");
}

static void tells_a_first_policy(void)
{
	lz_autofree char *text = diff_text(NULL, CLASS(LIMIT("a", "10/1h")), NULL, NULL);

	T_HAS(text, "/mode: new: \"enforce\"\n", "all of it is new");
	T_HAS(text, "/classes: new: {\"c\":", "classes");
	T_OK(!strstr(text, "restarts"), "nothing counted yet");
}

/* @n texts, each @first, a number and @last */
static char *listing(const char *before, const char *first, const char *last, int n, const char *after)
{
	struct lz_str text = {};

	lz_str_append(&text, before);
	for (int i = 0; i < n; i++)
		lz_str_appendf(&text, "%s\"%s%d.%d%s\"", i ? ", " : "", first, i / 250, i % 250, last);
	lz_str_append(&text, after);
	return lz_str_take(&text);
}

#define OF(n)	 listing(HEAD "\"classes\": {\"c\": {\"of\": [", "10.1.", "", n, "], \"limits\": [" LIMIT("a", "10/1h") "]}}}")
#define NAMES(n) listing(HEAD "\"sets\": {\"n\": [{\"names\": [", "host-", LAST, n, "]}]}, \"gardens\": {\"strict\": {\"allow\": [\"n\"]}}}")
#define LAST	 ".a-name-that-is-neither-short-nor-very-long.with-two-more-labels.example.net"

static size_t lines_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void keeps_values_whole(void)
{
	lz_autofree char *names = NAMES(12), *more = NAMES(13), *few = OF(200);
	lz_autofree char *held = diff_text(NULL, names, NULL, NULL), *added = diff_text(names, more, NULL, NULL);
	lz_autofree char *class_ = diff_text(CLASS(LIMIT("a", "10/1h")), few, NULL, NULL);

	T_HAS(held, "/sets/n/names: new: host-0.0.", "names");
	T_HAS(held, ", host-0.11" LAST "\n", "all of them");
	T_HAS(added, "-> host-0.0.", "names to names");
	T_HAS(added, ", host-0.12" LAST "\n", "all of them");
	T_HAS(class_, ",\"10.1.0.199\"]\n", "a list of a class");
}

static void tells_what_is_longer_than_a_row_in_parts(void)
{
	static const char *const none = HEAD "\"classes\": {}}";
	lz_autofree char *one = OF(2000), *two = OF(2003), *many = OF(9000), *names = NAMES(250);
	lz_autofree char *class_ = diff_text(none, one, NULL, NULL), *gone = diff_text(one, none, NULL, NULL);
	lz_autofree char *three = diff_text(one, two, NULL, NULL), *counted = diff_text(one, many, NULL, NULL);
	lz_autofree char *hosts = diff_text(none, names, NULL, NULL);
	lz_autofree char *last = listing(HEAD "\"classes\": {\"c\": {\"of\": [\"10.1.7.249\", ", "10.1.", "", 1999,
					 "], \"limits\": [" LIMIT("a", "10/1h") "]}}}");
	lz_autofree char *turned = diff_text(one, last, NULL, NULL);
	lz_autofree char *most = OF(2000 + LZ_DIFF_PARTS_MAX), *more = OF(2001 + LZ_DIFF_PARTS_MAX);
	lz_autofree char *told = diff_text(one, most, NULL, NULL), *summed = diff_text(one, more, NULL, NULL);

	T_HAS(class_, "/classes/c/of/10.1.7.249: new: 10.1.7.249\n", "a new class: its ranges");
	T_HAS(class_, "/classes/c/limits: new: [{\"name\":\"a\"", "and its limits");
	T_HAS(class_, "/classes/c/shared: new: false\n", "and all else");
	T_HAS(gone, "/classes/c/of/10.1.0.0: removed: 10.1.0.0\n", "one that is gone");
	T_STR(three, "/classes/c/of/10.1.8.0: new: 10.1.8.0\n/classes/c/of/10.1.8.1: new: 10.1.8.1\n"
	      "/classes/c/of/10.1.8.2: new: 10.1.8.2\n", "of a long list what differs");
	T_STR(counted, "/classes/c/of: 2000 elements -> 9000 elements, 7000 added, 0 removed\n", "very many are counted");
	T_STR(turned, "/classes/c/of: 2000 elements -> 2000 elements, 0 added, 0 removed: another order\n",
	      "the last is the first now");
	T_EQ(lines_of(told), LZ_DIFF_PARTS_MAX, "as many as are told each for itself");
	T_EQ(lines_of(summed), 1, "one more: counted");
	T_HAS(hosts, "/sets/n/names/host-0.249" LAST, "names");
	T_OK(lines_of(hosts) >= 250, "each");
}

static const struct t_case cases[] = {
	{ "no difference", says_nothing_of_nothing },
	{ "rules", names_what_changed },
	{ "prefixes and customers", counts_prefixes },
	{ "what starts again", tells_what_starts_again },
	{ "first policy", tells_a_first_policy },
	{ "values are whole", keeps_values_whole },
	{ "longer than a row: in parts", tells_what_is_longer_than_a_row_in_parts },
};

int main(void)
{
	return T_MAIN(cases);
}
