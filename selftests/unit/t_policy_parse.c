/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_policy_parse.c - from text to model: places of mistakes, hostile texts, files, and the values.
 */
#include "lib/t.h"
#include "unit/policy_text.h"

#define CUSTOMER_PORTS "\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"eth0\"]}}"

/* Ten mistakes of ten kinds; each is told, with its place, in one run. */
static void tells_all_mistakes_at_once(void)
{
	static const char text[] =
		"{ \"version\": 1, \"moed\": \"enforce\",            // 1 unknown key\n"
		"  \"interfaces\": {\n"
		"    \"access\": { \"side\": \"customr\", \"match\": [\"ppp*\"] } }, /* 2 */\n"
		"  \"sets\": {\n"
		"    \"a\": [\"192.0.2.0/24\", \"192.0.2.1/24\"],\n"
		"    \"a\": [],\n"
		"    \"b\": [{ \"file\": \"gone.cidr\" }] },\n"
		"  \"ipv6-key\": 40,\n"
		"  \"never\": \"192.0.2.1\",\n"
		"  \"classes\": {\n"
		"    \"one\": { \"of\": [\"a\", \"bb\"],\n"
		"      \"limits\": [\n"
		"        { \"name\": \"x\", \"count\": \"syn\", \"at-most\": \"0/5min\", \"then\": \"drop\" },\n"
		"        { \"name\": \"y\", \"count\": \"syn\", \"rate\": \"1/s\", \"then\": \"dorp\" } ] } } }\n";
	static const char *const expected[] = {
		"p:1:17: error: /moed: unknown key 'moed'; did you mean 'mode'?\n",
		"p:3:17: error: /interfaces/access/side: 'customr' is not accepted here (want customer | uplink); did you mean 'customer'?\n",
		"p:5:27: error: /sets/a/1: '192.0.2.1/24' has host bits set; write '192.0.2.0/24' or one address\n",
		"p:6:5: error: /sets/a: duplicate key 'a'\n",
		"p:7:13: error: /sets/b/0/file: 'gone.cidr': cannot read: no such file\n",
		"p:8:3: error: /ipv6-key: 40 is out of range (want a whole number 48..64)\n",
		"p:9:3: error: /never: is a string (want a list)\n",
		"p:11:26: error: /classes/one/of/1: no set is named 'bb'; did you mean 'b'?\n",
		"p:13:40: error: /classes/one/limits/0/at-most: a limit of 0 would refuse everything",
		"p:14:9: error: /classes/one/limits/1: key 'burst' is missing",
		"p:14:55: error: /classes/one/limits/1/then: 'dorp' is not accepted here",
	};
	struct memory_file files[] = { {} };
	auto_reading reading = read_policy(text, files);

	T_ERR(reading.r, -EINVAL, "refused");
	T_OK(!reading.policy, "no policy");
	for (size_t i = 0; i < LZ_ARRAY_SIZE(expected); i++)
		T_HAS(reading.text, expected[i], expected[i]);
	T_EQ(reading.report.total[LZ_SEVERITY_ERROR], LZ_ARRAY_SIZE(expected), "and nothing else");
	for (size_t i = 1; i < reading.report.n; i++)
		T_OK(reading.report.items[i - 1].line <= reading.report.items[i].line, "in text order");
}

static const struct {
	const char *text;
	size_t len; /* 0: strlen */
	const char *why;
} broken[] = {
	{ "", 0, "p:1:1: error: text ends" },
	{ "{\n  \"version\": 1,\n  \"name\" \"x\"\n}", 0, "p:3:10: error: ':' expected" },
	{ "{ // comment\n \"version\": 1, }", 0, "p:2:16: error: comma before '}'" },
	{ "{ /* one\n two */ x }", 0, "p:2:9: error: key in double quotes expected" },
	{ "{ \"version\": 1 /* never ends }", 0, "p:1:16: error: ',' or '}' expected" },
	{ "{ \"version\": 1 } trailing", 0, "p:1:18: error: text behind" },
	{ "\xef\xbb\xbf{}", 0, "p:1:1: error: begins with a byte order mark" },
	{ "\xff\xfe{\0}", 6,
	  "p:1:1: error: is UTF-16 (Notepad's \"Unicode\"); save it as UTF-8, without a byte order mark" },
	{ "{\"version\": 1e999}", 0, "p:1:13: error: number too large" },
	{ "{\"version\": NaN}", 0, "p:1:13: error: value expected" },
	{ "{\"version\": 1\0}", 15, "p:1:14: error: ',' or '}' expected" },
	{ "{\"name\": \"\xff\"}", 0, "p:1:11: error: invalid UTF-8" },
	{ "[]", 0, "p:1:1: error: is a list (want an object)" },
	{ "{}", 0, "p:1:1: error: key 'version' is missing" },
	{ "{\"version\": 2}", 0, "p:1:2: error: /version: 2 is out of range (want a whole number 1..1)" },
	{ "{\"version\": 1.5}", 0, "/version: 1.5 is out of range" },
	{ "{\"version\": \"1\"}", 0, "/version: is a string (want a whole number 1..1)" },
	{ "{\"version\": 1, \"version\": 1}", 0, "p:1:16: error: /version: duplicate key 'version'" },
	{ "{\"version\": 1, \"a/b~c\": 1}", 0, "/a~1b~0c: unknown key 'a/b~c'" },
	{ "{\"version\": 1, \"\\u001b[2J\": 1}", 0, "unknown key '\\x1b[2J'" },
	{ "{\"version\": 1, \"name\": \"a b\"}", 0, "'a b' is not a name for a policy" },
	{ "{\"version\": 1, \"name\": \"../x\"}", 0, "'../x' is not a name for a policy" },
	{ "{\"version\": 1, \"name\": \"\"}", 0, "'' is not a name for a policy" },
	{ "{\"version\": 1, \"name\": \"a23456789b123456789c123456789d123\"}", 0, "is not a name" },
};

static void refuses_broken_texts(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(broken); i++) {
		auto_reading reading =
			read_policy_n(broken[i].text,
				      broken[i].len ? broken[i].len : strlen(broken[i].text), NULL);

		T_ERR(reading.r, -EINVAL, broken[i].text);
		T_HAS(reading.text, broken[i].why, broken[i].text);
		T_OK(!reading.policy, "no policy");
	}
}

static void reads_several_in_a_string(void)
{
	static const char *const wrong[] = { "10.0.0.0/8  10.0.0.1", " 10.0.0.0/8", "10.0.0.0/8 ", " ",
					     "10.0.0.1 - 10.0.0.9", "10.0.0.0/8\\n10.0.0.1" };
	auto_reading reading = read_policy(
		"{\"version\": 1, \"sets\": {\"s\": [\"10.0.0.1 2001:db8::/32 10.1.0.0-10.1.0.255\", \"10.0.0.2\"]}}", NULL);

	T_EQ(reading.r, 0, "read");
	T_EQ(reading.policy ? reading.policy->sets[0].entries.n : 0, 4, "all of them");
	for (size_t i = 0; i < LZ_ARRAY_SIZE(wrong); i++) {
		lz_autostr struct lz_str text = {};

		lz_str_appendf(&text, "{\"version\": 1, \"sets\": {\"s\": [\"192.0.2.1\", \"%s\"]}}", wrong[i]);
		auto_reading bad = read_policy(text.data, NULL);
		T_ERR(bad.r, -EINVAL, wrong[i]);
		T_HAS(bad.text, "error: /sets/s/1: '", "where");
	}
}

static void survives_bombs(void)
{
	size_t n = 1000000;
	char *bomb = malloc(n);

	for (int round = 0; round < 3; round++) {
		static const char *const units[] = { "[", "{\"a\":", "/*/" };
		size_t unit = strlen(units[round]);

		for (size_t i = 0; i < n; i++)
			bomb[i] = units[round][i % unit];
		auto_reading reading = read_policy_n(bomb, n, NULL);
		T_ERR(reading.r, -EINVAL, units[round]);
		T_EQ(reading.report.n, 1, "one error");
	}
	free(bomb);
}

/* Cut a good policy at each byte: always a clean refusal. */
static void refuses_each_truncation(void)
{
	static const char whole[] =
		"{ \"version\": 1, /* c */ " CUSTOMER_PORTS ", \"sets\": {\"s\": [\"192.0.2.0/24\"]}, // d\n"
		"\"classes\": {\"c\": {\"of\": [\"s\"], \"port25\": {\"to-world\": \"drop\"}}}}";
	auto_reading good = read_policy(whole, NULL);

	T_EQ(good.r, 0, "the whole is good");
	T_STR(good.text, "", "without a warning");
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		auto_reading reading = read_policy_n(whole, len, NULL);

		T_ERR(reading.r, -EINVAL, "truncated");
		T_OK(reading.report.total[LZ_SEVERITY_ERROR] == 1, "one error");
	}
}

static void leaves_strings_alone(void)
{
	auto_reading reading = read_policy(
		"{\"version\": 1, " CUSTOMER_PORTS ", \"classes\": {\"c\": {\"of\": [\"http://x\", \"/*\"]}}}", NULL);

	T_HAS(reading.text, "'http://x' is not an address", "a // in a string is no comment");
	T_HAS(reading.text, "'/*' is not an address", "nor is a /*");
}

static void bounds_what_it_keeps(void)
{
	struct lz_str text = {};

	lz_str_append(&text, "{\"version\": 1, \"never\": [\"x.\"");
	for (int i = 0; i < 5000; i++)
		lz_str_append(&text, ",\"x.\"");
	lz_str_append(&text, "]}");
	auto_reading reading = read_policy(text.data, NULL);
	lz_str_done(&text);
	T_EQ(reading.report.total[LZ_SEVERITY_ERROR], 5001, "all are counted");
	T_OK(reading.report.n <= 2 * LZ_REPORT_ITEMS_MAX, "some are kept");
	T_HAS(reading.text, "p: error: 4501 more not shown", "and the rest is owned up to");
}

static void reads_set_files(void)
{
	struct memory_file files[] = {
		{ "good", "# pool\n192.0.2.0/24 # a\r\n\n  198.51.100.1-198.51.100.3\t\n2001:db8::/48" },
		{ "bad", "192.0.2.0/24\n192.0.2.1/24\n\nnonsense\n" },
		{ "empty", "# nothing\n" },
		{ "marked", "\xef\xbb\xbf" "192.0.2.0/24\n192.0.2.1/24\n" },
		{ "wide", "\xff\xfe" "192.0.2.0/24\n192.0.2.1/24\n" },
		{},
	};
	auto_reading good = read_policy("{\"version\": 1, " CUSTOMER_PORTS ", \"sets\": {\"s\": [{\"file\": \"good\"}]},"
					"\"classes\": {\"c\": {\"of\": [\"s\"]}}}", files);
	auto_reading bad = read_policy("{\"version\": 1, \"sets\": {\"s\": [{\"file\": \"bad\"}]}}", files);
	auto_reading empty = read_policy("{\"version\": 1, \"sets\": {\"s\": [{\"file\": \"empty\"}]}}", files);
	auto_reading marked = read_policy("{\"version\": 1, \"sets\": {\"s\": [{\"file\": \"marked\"}]}}", files);
	auto_reading wide = read_policy("{\"version\": 1, \"sets\": {\"s\": [{\"file\": \"wide\"}]}}", files);
	auto_reading away = read_policy("{\"version\": 1, \"sets\": {\"s\": [{\"file\": \"../../etc/shadow\"}]}}",
					files);

	T_EQ(good.r, 0, "good file");
	T_STR(good.text, "", "good file");
	T_EQ(good.policy ? good.policy->sets[0].entries.n : 0, 4, "two prefixes and a range of two");
	T_HAS(bad.text, "bad:2: error: /sets/s/0/file: '192.0.2.1/24' has host bits set", "file and line");
	T_HAS(bad.text, "bad:4: error: /sets/s/0/file: 'nonsense' is not an address", "file and line");
	T_EQ(bad.report.total[LZ_SEVERITY_ERROR], 2, "both");
	T_HAS(empty.text, "warning: /sets/s: set 's' is empty", "empty");
	T_HAS(marked.text, "marked:1: error: /sets/s/0/file: begins with a byte order mark; save it without one", "marked");
	T_HAS(marked.text, "marked:2: error: ", "and the other lines are read");
	T_HAS(wide.text, "wide:1: error: /sets/s/0/file: is UTF-16 (Notepad's \"Unicode\"); save it as UTF-8", "UTF-16");
	T_EQ(wide.report.total[LZ_SEVERITY_ERROR], 1, "of which no other line can be read");
	T_HAS(away.text, "is not accepted as a file name", "no way out of the directory");
}

static void reads_customers(void)
{
	struct memory_file files[] = {
		{ "c.csv", "id,prefix\nC12, 192.0.2.0/29\nC12,2001:db8:1::/56\n# x\nC13,192.0.2.8\n" },
		{ "bad.csv", "C12\nC 12,192.0.2.0\nC1,192.0.2.0\nC2,192.0.2.0\nC2,192.0.2.0\nC3,2001:db8::1\n" },
		{},
	};
	auto_reading good = read_policy("{\"version\": 1, \"ipv6-key\": 56, \"customers\": {\"file\": \"c.csv\","
					"\"list\": {\"B1\": [\"192.0.2.9\"]}}}", files);
	auto_reading bad = read_policy("{\"version\": 1, \"customers\": {\"file\": \"bad.csv\"}}", files);
	struct lz_prefix host;

	T_EQ(good.r, 0, "good");
	if (good.policy) {
		T_EQ(good.policy->n_customers, 3, "C12 is one customer");
		T_STR(good.policy->customers[0].id, "B1", "sorted by id");
		T_EQ(good.policy->customer_ranges.n, 4, "four prefixes");
		lz_prefix_parse("192.0.2.7", &host, NULL);
		T_EQ(lz_ranges_find(&good.policy->customer_ranges, &host)->owner, 1, "192.0.2.7 is C12's");
	}
	T_HAS(bad.text, "bad.csv:1: error: /customers/file: 'C12' is not ID,PREFIX", "no comma");
	T_HAS(bad.text, "bad.csv:2: error: /customers/file: 'C 12' is not a customer id", "bad id");
	T_HAS(bad.text, "bad.csv:4: error: /customers/file: 192.0.2.0 belongs to customer 'C1' and to customer 'C2'",
	      "two customers");
	T_HAS(bad.text, "bad.csv:5: warning: /customers/file: 192.0.2.0 is listed twice for customer 'C2'", "twice");
	T_HAS(bad.text, "bad.csv:6: error: /customers/file: 2001:db8::1 is longer than", "beyond the key");
}

static void builds_the_model(void)
{
	auto_reading reading = read_policy(
		"{\"version\": 1, \"name\": \"n\", \"mode\": \"monitor\", \"ipv6-key\": 56,"
		"\"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"ppp*\", \"e0\"], \"hook\": \"xdp-generic\","
		"  \"source-validation\": \"strict\"}, \"u\": {\"side\": \"uplink\", \"match\": [\"up\"]}},"
		"\"unparsed\": \"drop\", \"foreign\": \"ignore\","
		"\"capacity\": {\"sources\": 2048, \"colony\": 1024, \"idle\": \"2d\"},"
		"\"classes\": {\"c\": {\"of\": [\"192.0.2.0/24\"], \"port25\": {\"to-world\": \"tcp-reset\","
		"  \"except-to\": [\"198.51.100.25\"], \"from-port-25\": \"drop\"}, \"limits\": ["
		"  {\"name\": \"w\", \"count\": \"smtp-connections\", \"to\": [\"198.51.100.25\"], \"at-most\": \"40/5min\","
		"   \"then\": \"ladder:l\", \"mode\": \"monitor\"},"
		"  {\"name\": \"b\", \"count\": \"syn\", \"rate\": \"100/s\", \"burst\": 200, \"then\": \"refuse\"},"
		"  {\"name\": \"p\", \"count\": \"syn\", \"per\": {\"ipv4\": 24, \"ipv6\": 48}, \"at-most\": \"9/1h\","
		"   \"then\": \"notify\"},"
		"  {\"name\": \"h\", \"count\": \"smtp-destinations\", \"at-most\": \"300/10min\", \"then\": \"hold 31d\"}]}},"
		"\"gardens\": {\"strict\": {\"allow\": [\"udp/123\", \"192.0.2.80\"], \"tls\": \"drop\"}},"
		"\"ladders\": {\"l\": {\"forget\": \"30d\", \"grace\": \"1h\","
		"  \"steps\": [\"notify\", \"throttle 10/min 24h\", \"block25 72h\", \"garden:strict 7d\"]}},"
		"\"guard\": {\"new-per-minute\": 7, \"active-sources\": \"0.5%\"}}", NULL);
	const struct lz_policy *p = reading.policy;
	const struct lz_policy_limit *l;

	T_STR(reading.text, "", "clean");
	if (!T_OK(p, "a policy"))
		return;
	l = p->classes[0].limits;
	T_OK(p->mode == LZ_MODE_MONITOR && p->ipv6_key == 56 && p->unparsed_drop && !p->foreign_count, "scalars");
	T_OK(p->n_interfaces == 2 && p->interfaces[0].n_match == 2 &&
	     p->interfaces[0].hook == LZ_HOOK_XDP_GENERIC && p->interfaces[1].hook == LZ_HOOK_AUTO, "interfaces");
	T_OK(lz_policy_sources_validated(p), "the customer side is strict");
	T_OK(p->sources_max == 2048 && p->colony_max == 1024 && p->idle_ns == 172800000000000ULL, "capacity");
	T_OK(p->classes[0].port25.to_world == LZ_V_TCP_RESET &&
		     p->classes[0].port25.from_port_25 == LZ_V_DROP &&
		     p->classes[0].port25.to_customers == LZ_V_PASS &&
		     p->classes[0].port25.except_to.n == 1,
	     "port25");
	T_OK(l[0].what == LZ_WHAT_SMTP_CONNECTIONS && l[0].at_most.count == 40 &&
		     l[0].at_most.window_ns == 300000000000ULL && l[0].then == LZ_ACTION_LADDER &&
		     l[0].monitor && l[0].to.n == 1 && lz_policy_holds(p, &l[0]),
	     "window, ladder");
	T_OK(l[1].is_bucket && l[1].rate.count == 100 && l[1].burst == 200 &&
		     l[1].then == LZ_ACTION_REFUSE && l[1].refuse == LZ_V_ICMP_ADMIN &&
		     !lz_policy_holds(p, &l[1]),
	     "bucket, default refusal");
	T_OK(l[2].per == LZ_PER_PREFIX && l[2].per_ipv4_len == 24 && l[2].per_ipv6_len == 48, "per prefix");
	T_OK(l[3].then == LZ_ACTION_HOLD && l[3].hold_ns == 31 * 86400000000000ULL, "hold, the longest");
	T_OK(p->gardens[0].kind == LZ_GARDEN_STRICT && p->gardens[0].allow.n == 2 &&
	     p->gardens[0].allow.v[0].port == 123 && p->gardens[0].tls == LZ_V_DROP &&
	     p->gardens[0].mail == LZ_V_SMTP_554, "garden");
	T_OK(p->ladders[0].n_steps == 4 && p->ladders[0].steps[1].kind == LZ_STEP_THROTTLE &&
	     lz_streq(p->ladders[0].steps[3].garden, p->gardens[0].name) &&
		     p->ladders[0].grace_ns == 3600000000000ULL, "ladder");
	T_OK(p->guard_new_per_minute == 7 && p->guard_active_ppm == 5000, "guard");
}

static const struct t_case cases[] = {
	{ "all mistakes at once, each with its place", tells_all_mistakes_at_once },
	{ "several prefixes in a string", reads_several_in_a_string },
	{ "broken texts", refuses_broken_texts },
	{ "depth and comment bombs", survives_bombs },
	{ "each truncation is refused", refuses_each_truncation },
	{ "comment signs in strings", leaves_strings_alone },
	{ "a flood of mistakes is bounded", bounds_what_it_keeps },
	{ "files of sets", reads_set_files },
	{ "customers", reads_customers },
	{ "every value reaches the model", builds_the_model },
};

int main(void)
{
	return T_MAIN(cases);
}
