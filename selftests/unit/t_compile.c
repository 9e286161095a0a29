/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_compile.c - destination sets, gardens, customers, and the numbers that a reload and a restart keep.
 */
#include "unit/compile_text.h"

/* ---------------------------------------------------------------- destinations, customers */

static void finds_destinations_and_customers(void)
{
	auto_reading reading = read_policy(HEAD "\"sets\": {\"smart\": [\"192.0.2.25\", \"2001:db8::25\"]},"
		"\"never\": [\"192.0.2.0/24\", \"smart\"], \"always-reach\": [\"2001:db8::/32\"],"
		"\"customers\": {\"file\": \"c\"},"
		"\"gardens\": {\"strict\": {\"allow\": [\"udp/123\", \"198.51.100.7\"]}},"
		"\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"port25\": {\"to-world\": \"icmp-admin\", \"except-to\": [\"smart\", \"203.0.113.0/24\", \"203.0.114.1\"]}}}}",
		(struct memory_file[]){ { "c", "C2,10.0.0.0/24\nC1,10.0.0.0/28\nC1,2001:db8:5::/48\n" }, {} });
	auto_image *image = compile_policy(reading.policy, NULL);
	const struct lz_garden_row *strict;
	struct lz_addr addr;

	if (!image) {
		printf("# %s\n", reading.text);
		return;
	}
	strict = &image->gen.garden[LZ_GARDEN_STRICT];
	lz_addr_parse("192.0.2.25", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), LZ_SET_NEVER | 4, "a smarthost inside a never-list /24");
	lz_addr_parse("2001:db8::25", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), LZ_SET_NEVER | LZ_SET_REACH | 4, "all lengths count");
	lz_addr_parse("203.0.113.9", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), 8, "a list's own addresses have a bit of their own");
	lz_addr_parse("203.0.114.1", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), 8, "one for all of them");
	lz_addr_parse("198.51.100.7", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), strict->allow_mask, "garden");
	T_OK(strict->open[0] == (17u << 16 | 123) && !strict->open[1], "udp/123");
	lz_addr_parse("198.51.100.8", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), 0, "no set");
	T_EQ(image->gen.class_[2].except_mask, 12, "except-to");
	T_STR(image->set_names[2], "smart", "name of the bit");
	T_STR(lz_image_customer_name(image, lz_image_customer_of(image, 0x0a00000f)), "C1", "longest prefix");
	T_STR(lz_image_customer_name(image, lz_image_customer_of(image, 0x0a000010)), "C2", "outer prefix");
	T_STR(lz_image_customer_name(image, lz_image_customer_of(image, 0x20010db800050001)), "C1", "v6 of C1");
	T_EQ(lz_image_customer_of(image, 0x0a000100), 0, "nobody's");
}

static const struct lz_garden_row *garden_named(const struct lz_image *image, const char *name)
{
	int row = image ? lz_image_garden_find(image, name) : -1;

	T_OK(row >= 0, name);
	return row < 0 ? NULL : &image->gen.garden[row];
}

#define GARDENS(list) HEAD "\"sets\": {\"up\": [{\"names\": [\"deb.example.net\"]}]}, \"gardens\": {" list "}}"
#define SCHOOL "\"school\": {\"kind\": \"strict\", \"mail\": \"drop\", \"web\": \"drop\", \"tls\": \"icmp-admin\"," \
	       "\"allow\": [\"up\", \"tcp/22\", \"udp/123\"]}"
#define HOTEL  "\"hotel\": {\"kind\": \"leaky\"}"

/* Hold words name rows: nobody may wake up in another garden because of a reload. */
static void keeps_garden_rows(void)
{
	auto_reading one = read_policy(GARDENS(SCHOOL), NULL);
	auto_reading two = read_policy(GARDENS(HOTEL), NULL);
	auto_reading three = read_policy(GARDENS(HOTEL "," SCHOOL), NULL);
	auto_image *first = compile_policy(one.policy, NULL);
	auto_image *second = compile_policy(two.policy, first);
	auto_image *third = compile_policy(three.policy, second);
	const struct lz_garden_row *g = garden_named(first, "school");
	const struct lz_garden_row *strict = garden_named(first, "strict");
	lz_autofree char *ids = NULL;
	struct lz_image *back = NULL;

	if (!g || !strict || !second || !third)
		return;
	T_OK(g->kind == LZ_GARDEN_STRICT && g->mail == LZ_V_DROP && g->web == LZ_V_DROP &&
		     g->tls == LZ_V_ICMP_ADMIN, "its verdicts");
	T_OK(g->open[0] == (6u << 16 | 22) && g->open[1] == (17u << 16 | 123) && !g->open[2], "its ports");
	T_OK(g->names && g->allow_mask, "its names");
	T_OK(strict->kind == LZ_GARDEN_STRICT && strict->mail == LZ_V_SMTP_554 &&
		     strict->web == LZ_V_PAGE && !strict->allow_mask && !strict->open[0],
	     "one that no policy names is there all the same");
	T_EQ(lz_image_garden_find(first, "school"), 2, "a row of its own");
	T_EQ(lz_image_garden_find(second, "hotel"), 3, "a new garden does not take it");
	T_OK(second->gen.garden[2].kind == LZ_GARDEN_STRICT && second->gen.garden[2].mail == LZ_V_SMTP_554,
	     "whoever is left in it is held strictly");
	T_EQ(lz_image_garden_find(third, "school"), 2, "it comes back to its row");
	T_EQ(lz_image_ids_print(third, &ids), 0, "printed");
	T_EQ(lz_image_ids_parse(ids, strlen(ids), &back, NULL), 0, "read back");
	T_EQ(back ? lz_image_garden_find(back, "hotel") : -1, 3, "over a restart");
	lz_image_free(&back);
}

static char *listed_gardens(int first, int last)
{
	struct lz_str text = {};

	lz_str_append(&text, HEAD "\"gardens\": {");
	for (int i = first; i <= last; i++)
		lz_str_appendf(&text, "%s\"g%d\": {\"kind\": \"strict\"}", i > first ? "," : "", i);
	lz_str_append(&text, "}}");
	return lz_str_take(&text);
}

/* All rows have had a garden: a new one gets the row of one that has left, and nobody else's. */
static void gives_rows_again(void)
{
	lz_autofree char *all = listed_gardens(1, LZ_GARDENS_MAX - LZ_GARDEN_N);
	lz_autofree char *next = listed_gardens(2, LZ_GARDENS_MAX - LZ_GARDEN_N + 1);
	auto_image *first = compile_text(all, NULL), *second = compile_text(next, first);
	char name[8];

	if (!first || !second)
		return;
	for (int i = 2; i <= LZ_GARDENS_MAX - LZ_GARDEN_N; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		T_EQ(lz_image_garden_find(second, name), lz_image_garden_find(first, name), "it keeps its row");
	}
	snprintf(name, sizeof(name), "g%d", LZ_GARDENS_MAX - LZ_GARDEN_N + 1);
	T_EQ(lz_image_garden_find(second, name), lz_image_garden_find(first, "g1"), "the new one has the one that is left");
	T_EQ(lz_image_garden_find(second, "g1"), -ENOENT, "which has no other name");
}

/* A held host comes to its page and to the API, whatever its garden allows. */
static void opens_the_way_to_the_portal(void)
{
	auto_image *image = compile_text(HEAD "\"portal\": {\"url\": \"http://q.example.net/\", \"provider\": \"P\", \"contact\": \"c\","
		"\"listen\": [\"192.0.2.1:80\"], \"api\": {\"url\": \"https://q.example.net/c\", \"listen\": [\"[2001:db8::1]:443\"],"
		"\"certificate\": \"/c\", \"key\": \"/k\"}}}", NULL);
	struct lz_addr addr;

	if (!image)
		return;
	lz_addr_parse("192.0.2.1", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), LZ_SET_REACH, "the page's address");
	lz_addr_parse("2001:db8::1", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), LZ_SET_REACH, "the API's");
	lz_addr_parse("2001:db8::2", &addr, NULL);
	T_EQ(lz_image_sets_of(image, &addr), 0, "nothing beside it");
}

static void tells_what_is_counted_of_strangers(void)
{
	auto_image *ignores = compile_text(HEAD "\"foreign\": \"ignore\"}", NULL);
	auto_image *counts = compile_text(HEAD "\"foreign\": \"count\"}", NULL);

	T_EQ(ignores ? ignores->gen.flags : 0, LZ_GEN_F_IGNORE_FOREIGN, "ignored");
	T_EQ(counts ? counts->gen.flags : ~0u, 0, "counted");
}

static void refuses_too_many_lengths(void)
{
	lz_autostr struct lz_str never = {};
	struct lz_image *image = NULL;
	struct lz_err err = {};

	lz_str_appendf(&never, HEAD "\"never\": [");
	for (int len = 8; len < 25; len++)
		lz_str_appendf(&never, "%s\"10.0.0.0/%d\"", len > 8 ? "," : "", len);
	lz_str_appendf(&never, "]}");
	auto_reading reading = read_policy(never.data, NULL);
	T_EQ(reading.r, 0, "accepted");
	if (!reading.policy)
		return;
	T_ERR(lz_image_compile(reading.policy, NULL, SEED, &image, &err), -E2BIG, "17 lengths");
	T_HAS(err.text, "17 different prefix lengths: /120 /119", "names them");
	T_OK(!image, "nothing returned");
}

/* ---------------------------------------------------------------- numbers */

static void keeps_class_ids(void)
{
	auto_image *first = compile_text(HEAD "\"classes\": {\"a\": {\"of\": [\"10.0.0.0/8\"]}, \"b\": {\"of\": [\"100.64.0.0/16\"]}}}", NULL);
	auto_image *second = compile_text(HEAD "\"classes\": {\"x\": {\"of\": [\"10.0.0.0/8\"]}, \"b\": {\"of\": [\"100.64.0.0/16\"]}}}", first);

	T_EQ(class_at(first, "100.64.0.1"), 3, "b");
	T_EQ(class_at(second, "100.64.0.1"), 3, "b stays");
	T_EQ(class_at(second, "10.0.0.1"), 4, "x does not inherit the counters of a");
	T_EQ(second ? second->gen.classes : 0, 5, "ids in use are below");
}

/* A daemon that restarts has only the text of the ids: the generation must come out the same. */
static void survives_a_restart(void)
{
	static const char *const texts[] = {
		HEAD "\"classes\": {\"a\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [" WINDOW("x", "40/1h") "," BUCKET("y", "1/s") "]}}}",
		HEAD "\"classes\": {\"b\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [" WINDOW("x", "400/1h") "," BUCKET("y", "1/s") "]}}}",
		HEAD "\"classes\": {\"c\": {\"of\": [\"10.1.0.0/16\"]}, \"b\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [" BUCKET("z", "2/s") "," WINDOW("x", "400/1h") "]}}}",
	};
	auto_image *first = compile_text(texts[0], NULL);
	auto_image *second = compile_text(texts[1], first);
	auto_image *third = compile_text(texts[2], second);
	auto_image *fresh = compile_text(texts[2], NULL);
	lz_autofree char *ids = NULL, *again_ids = NULL;
	struct lz_image *parsed = NULL;
	struct lz_err err = {};

	if (!third || !fresh || lz_image_ids_print(third, &ids))
		return;
	if (!T_EQ(lz_image_ids_parse(ids, strlen(ids), &parsed, &err), 0, "parsed"))
		printf("# %s\n", err.text);
	auto_image *previous = parsed, *again = compile_text(texts[2], parsed);
	T_OK(memcmp(&fresh->gen, &third->gen, sizeof(third->gen)), "without them it comes out otherwise");
	T_OK(again && !memcmp(&again->gen, &third->gen, sizeof(third->gen)), "with them the same");
	if (again)
		lz_image_ids_print(again, &again_ids);
	T_STR(again_ids, ids, "and so do the ids");
	T_ERR(lz_image_ids_parse("{}", 2, &parsed, &err), -ENOENT, "something is missing");
	T_ERR(lz_image_ids_parse("{\"classes\": {\"a\": 64}}", 22, &parsed, &err), -EINVAL, "no such id");
	T_HAS(err.text, "class 'a'", "is named");
}

/* By which a start tells whose a generation is: the same however it came back, another one for any change. */
static void has_a_fingerprint(void)
{
	static const char first_text[] = HEAD "\"classes\": {\"a\": {\"of\": [\"10.0.0.0/8\"],"
					      "\"limits\": [" WINDOW("x", "40/1h") "]}}}";
	static const char text[] = HEAD "\"classes\": {\"b\": {\"of\": [\"10.0.0.0/8\"],"
					"\"limits\": [" WINDOW("x", "400/1h") "]}}}";
	auto_image *first = compile_text(first_text, NULL), *image = compile_text(text, first);
	auto_image *fresh = compile_text(text, NULL), *undone = compile_text(first_text, image);
	__u64 hash = lz_text_hash(text), change = lz_text_hash("a change"), other = lz_text_hash("another");
	lz_autofree char *ids = NULL;
	struct lz_image *parsed = NULL;
	struct lz_err err = {};
	__u32 print;

	if (!image || !fresh || !undone)
		return;
	print = lz_image_fingerprint(image, hash);
	lz_image_outlive(image, undone);
	T_EQ(lz_image_fingerprint(image, hash), print, "what came and went changes nothing");
	if (lz_image_ids_print(image, &ids) || lz_image_ids_parse(ids, strlen(ids), &parsed, &err))
		return;
	auto_image *previous = parsed, *again = compile_text(text, parsed);
	T_EQ(again ? lz_image_fingerprint(again, hash) : 0, print, "nor does a restart");
	image->gen.number = 7;
	image->gen.epoch = 8;
	image->gen.range_levels4 ^= 1;
	T_EQ(lz_image_fingerprint(image, hash), print, "nor a place in the kernel, or where ranges lie");
	T_OK(lz_image_fingerprint(fresh, hash) != print, "the same text with other ids is another one");
	T_OK(lz_image_fingerprint(image, lz_text_hash(first_text)) != print, "and so is another text");
	T_OK(lz_image_fingerprint(image, lz_text_hash_then(hash, change)) != print, "or a change of it");
	T_OK(lz_text_hash_then(lz_text_hash_then(hash, change), other) !=
		     lz_text_hash_then(lz_text_hash_then(hash, other), change),
	     "nor are two the same in another order");
}

static void keeps_customer_numbers(void)
{
	static const char policy[] = "{\"version\": 1, \"customers\": {\"file\": \"c\"}}";
	auto_reading one = read_policy(policy, (struct memory_file[]){ { "c", "B,10.0.0.1\n" }, {} });
	auto_reading two = read_policy(policy, (struct memory_file[]){ { "c", "A,10.0.0.2\nB,10.0.0.1\nC,10.0.0.3\n" }, {} });
	auto_image *before = compile_policy(one.policy, NULL), *after = compile_policy(two.policy, NULL);

	if (!before || !after)
		return;
	T_EQ(lz_image_customer_of(after, 0x0a000001), lz_image_customer_of(before, 0x0a000001), "B has its number from its name");
	T_OK(lz_image_customer_of(after, 0x0a000002) && lz_image_customer_of(after, 0x0a000003) &&
	     lz_image_customer_of(after, 0x0a000002) != lz_image_customer_of(after, 0x0a000003), "others have others");
}

/* Both names have the same hash (FNV-1a): who is who must not depend on the other's place in the list. */
static void tells_customers_apart_by_more_than_a_hash(void)
{
	static const char policy[] = "{\"version\": 1, \"customers\": {\"file\": \"c\"}}";
	auto_reading one = read_policy(policy, (struct memory_file[]){ { "c", "K69748,10.0.0.1\nK81094,10.0.0.2\n" }, {} });
	auto_reading two = read_policy(policy, (struct memory_file[]){ { "c", "K81094,10.0.0.2\nK69748,10.0.0.1\n" }, {} });
	auto_image *before = compile_policy(one.policy, NULL), *after = compile_policy(two.policy, NULL);

	if (!before || !after)
		return;
	T_OK(lz_image_customer_of(before, 0x0a000001) != lz_image_customer_of(before, 0x0a000002), "two customers, two counts");
	T_EQ(lz_image_customer_of(after, 0x0a000002), lz_image_customer_of(before, 0x0a000002), "each its own");
}

static const struct t_case cases[] = {
	{ "destination sets and customers", finds_destinations_and_customers },
	{ "garden rows over reloads", keeps_garden_rows },
	{ "a row that is free again", gives_rows_again },
	{ "the way to the portal", opens_the_way_to_the_portal },
	{ "strangers", tells_what_is_counted_of_strangers },
	{ "too many prefix lengths", refuses_too_many_lengths },
	{ "class ids over reloads", keeps_class_ids },
	{ "ids over a restart", survives_a_restart },
	{ "has a fingerprint", has_a_fingerprint },
	{ "customer numbers over reloads", keeps_customer_numbers },
	{ "customers of one hash", tells_customers_apart_by_more_than_a_hash },
};

int main(void)
{
	return T_MAIN(cases);
}
