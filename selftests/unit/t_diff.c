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

static void tells_a_first_policy(void)
{
	lz_autofree char *text = diff_text(NULL, CLASS(LIMIT("a", "10/1h")), NULL, NULL);

	T_HAS(text, "/mode: new: \"enforce\"\n", "all of it is new");
	T_HAS(text, "/classes: new: {\"c\":", "classes");
	T_OK(!strstr(text, "restarts"), "nothing counted yet");
}

static const struct t_case cases[] = {
	{ "no difference", says_nothing_of_nothing },
	{ "rules", names_what_changed },
	{ "prefixes and customers", counts_prefixes },
	{ "first policy", tells_a_first_policy },
};

int main(void)
{
	return T_MAIN(cases);
}
