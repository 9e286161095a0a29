/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_compile.c - compiled tables against a list that is searched from end to end, and what a reload
 * keeps. Random policies come from a fixed seed: a failure repeats.
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "lib/t.h"
#include "policy/image.h"
#include "unit/policy_text.h"

#define SEED 0x1234567890abcdefULL
#define PREFIXES 500000u
#ifdef __SANITIZE_ADDRESS__
#define BOUND_NS (5 * LZ_NS_PER_S)
#else
#define BOUND_NS (LZ_NS_PER_S / 2)
#endif

static __u64 random_state = 88172645463325252ULL;

/* xorshift64 (Marsaglia 2003) */
static __u32 random_below(__u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (__u32)((random_state >> 32) * n >> 32);
}

static void image_free_ref(struct lz_image **image)
{
	lz_image_free(image);
}
#define auto_image __attribute__((cleanup(image_free_ref))) struct lz_image

static struct lz_image *compile_policy(const struct lz_policy *policy, const struct lz_image *previous)
{
	struct lz_image *image = NULL;
	struct lz_err err = {};
	int r = policy ? lz_image_compile(policy, previous, SEED, &image, &err) : -EINVAL;

	if (!T_EQ(r, 0, "compiled"))
		printf("# %s\n", err.text);
	return image;
}

static struct lz_image *compile_text(const char *text, const struct lz_image *previous)
{
	auto_reading reading = read_policy(text, NULL);

	if (!T_EQ(reading.r, 0, "policy accepted"))
		printf("# %s\n", reading.text);
	return compile_policy(reading.policy, previous);
}

/* ---------------------------------------------------------------- ranges against a plain list */

/* The class an address should have, from the policy's own lists and nothing else. */
static __u32 plain_class(const struct lz_policy *policy, const struct lz_image *image,
			 const struct lz_prefix *host)
{
	const struct lz_range *best = NULL;

	for (size_t i = 0; i < policy->never_ranges.n; i++)
		if (lz_prefix_contains(&policy->never_ranges.v[i].prefix, host))
			return LZ_CLASS_NEVER;
	for (size_t i = 0; i < policy->class_ranges.n; i++) {
		const struct lz_range *range = &policy->class_ranges.v[i];

		if (lz_prefix_contains(&range->prefix, host) &&
		    (!best || range->prefix.len > best->prefix.len))
			best = range;
	}
	if (!best)
		return LZ_CLASS_FOREIGN;
	return (__u32)lz_image_class_find(image, policy->classes[best->owner].name);
}

/* The first and last address of a prefix (cut to the key), and those just outside. */
static void probe_edges(const struct lz_policy *policy, const struct lz_image *image,
			const struct lz_prefix *prefix)
{
	unsigned key_len = policy->ipv6_key;
	struct lz_keyprefix kp;

	if (lz_keyprefix_from_prefix(prefix, key_len, &kp))
		return;
	for (int i = -1; i <= 2; i++) {
		__u64 step = prefix->addr.family == 4 ? 1 : 1ULL << (64 - key_len);
		__u64 last = kp.bits | (kp.len ? kp.len >= 64 ? 0 : ~0ULL >> kp.len : ~0ULL);
		__u64 key = i < 1 ? kp.bits + (i < 0 ? -step : 0) : last + (i > 1 ? 1 : 0);
		struct lz_prefix covered, host;

		key &= ~(step - 1);
		if (prefix->addr.family == 4)
			key = (__u32)key;
		else if (key >> 56 < 2 || key >> 56 == 255)
			continue;
		covered = lz_key_to_prefix(key, key_len);
		host = lz_prefix_host(&covered.addr);
		/* a never-list entry longer than the key cannot show: ask for the key as a whole */
		if (prefix->addr.family == 6)
			host = covered;
		if (lz_image_class_of(image, key, prefix->addr.family) != plain_class(policy, image, &host)) {
			char text[LZ_PREFIX_TEXT_MAX];

			T_EQ(lz_image_class_of(image, key, prefix->addr.family),
			     plain_class(policy, image, &host), lz_prefix_format(&host, text));
		}
	}
}

/* A prefix out of few bits, so that many nest, touch and cover one another; 0 and 255 often. */
static void print_prefix(struct lz_str *out, unsigned key_len)
{
	static const unsigned bytes[] = { 0, 1, 2, 127, 128, 254, 255 };
	struct lz_prefix prefix = { .addr.family = random_below(2) ? 4 : 6 };
	char text[LZ_PREFIX_TEXT_MAX];
	unsigned v4 = prefix.addr.family == 4, len = v4 ? 6 + random_below(27) : 20 + random_below(key_len - 19);

	for (int i = 0; i < (v4 ? 4 : 8); i++)
		prefix.addr.bytes[i] = (__u8)bytes[random_below(7)];
	if (!v4)
		memcpy(prefix.addr.bytes, (__u8[]){ 0x20, 0x01, 0x0d, 0xb8 }, 4);
	prefix.len = v4 ? 32 : 128;
	prefix = lz_prefix_cut(&prefix, len);
	lz_str_appendf(out, "%s\n", lz_prefix_format(&prefix, text));
}

static const char random_policy[] =
	"{\"version\": 1, \"ipv6-key\": %u, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]}},"
	"\"sets\": {\"s\": [{\"file\": \"s\"}], \"t\": [{\"file\": \"t\"}], \"u\": [{\"file\": \"u\"}], \"n\": [{\"file\": \"n\"}]},"
	"\"never\": [\"n\"],"
	"\"classes\": {\"c\": {\"of\": [\"s\"]}, \"d\": {\"of\": [\"t\"]}, \"e\": {\"of\": [\"u\"]}}}";

static bool try_random_policy(unsigned key_len)
{
	struct lz_str files[4] = {};
	char text[sizeof(random_policy) + 8];

	snprintf(text, sizeof(text), random_policy, key_len);
	for (int i = 0; i < 4; i++)
		for (__u32 n = 1 + random_below(i == 3 ? 6 : 40); n; n--)
			print_prefix(&files[i], key_len);
	auto_reading reading = read_policy(text, (struct memory_file[]){ { "s", files[0].data },
		{ "t", files[1].data }, { "u", files[2].data }, { "n", files[3].data }, {} });
	for (int i = 0; i < 4; i++)
		lz_str_done(&files[i]);
	if (reading.r) /* one prefix in two classes, or a class that the never-list swallows */
		return false;
	auto_image *image = compile_policy(reading.policy, NULL);
	if (!image)
		return true;
	for (size_t i = 0; i < reading.policy->class_ranges.n; i++)
		probe_edges(reading.policy, image, &reading.policy->class_ranges.v[i].prefix);
	for (size_t i = 0; i < reading.policy->never_ranges.n; i++)
		probe_edges(reading.policy, image, &reading.policy->never_ranges.v[i].prefix);
	return true;
}

static void agrees_with_a_plain_list(void)
{
	unsigned accepted = 0;

	for (int i = 0; i < 2000 && accepted < 300; i++)
		accepted += try_random_policy(i % 2 ? 64 : 56);
	printf("# %u random policies\n", accepted);
	T_OK(accepted == 300, "enough random policies were valid");
}

#define HEAD "{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"], \"source-validation\": \"strict\"}},"

static __u32 class_at(const struct lz_image *image, const char *text)
{
	struct lz_addr addr;
	__u64 key;

	if (!image || lz_addr_parse(text, &addr, NULL) || lz_key_from_addr(&addr, image->ipv6_key_len, &key))
		return ~0u;
	return lz_image_class_of(image, key, addr.family);
}

static void holds_at_the_edges(void)
{
	auto_image *image = compile_text(HEAD "\"ipv6-key\": 56, \"never\": [\"10.0.0.255\", \"10.1.0.0/16\","
		"\"2001:db8:1:100::/64\", \"2001:db8:2::/56\"], \"classes\": {"
		"\"all\": {\"of\": [\"0.0.0.0/0\", \"::/0\"]}, \"low\": {\"of\": [\"10.0.0.0/24\", \"10.1.2.0/24\", \"2001:db8:1::/48\", \"2001:db8:2::/48\"]},"
		"\"host\": {\"of\": [\"10.0.0.0\", \"255.255.255.254\", \"10.0.255.0/24\"]}}}", NULL);

	T_EQ(class_at(image, "0.0.0.0"), 2, "first address");
	T_EQ(class_at(image, "255.255.255.255"), 2, "last address");
	T_EQ(class_at(image, "255.255.255.254"), 4, "last but one");
	T_EQ(class_at(image, "10.0.0.0"), 4, "a host inside a /24");
	T_EQ(class_at(image, "10.0.0.1"), 3, "its neighbour");
	T_EQ(class_at(image, "10.0.0.255"), LZ_CLASS_NEVER, "never-list host");
	T_EQ(class_at(image, "10.0.1.0"), 2, "behind the /24");
	T_EQ(class_at(image, "10.0.254.255"), 2, "before the last /24 of a /16");
	T_EQ(class_at(image, "10.0.255.255"), 4, "last address of a /16");
	T_EQ(class_at(image, "10.1.2.3"), LZ_CLASS_NEVER, "a never-list /16 covers a longer class range");
	T_EQ(class_at(image, "10.2.0.0"), 2, "behind the never-list /16");
	T_EQ(class_at(image, "2001:db8:1:100::1"), 3, "a never-list prefix longer than the key is no class");
	T_OK(image->gen.flags & LZ_GEN_F_NEVER_HIDDEN, "and the data plane is told");
	T_EQ(class_at(image, "2001:db8:2:ff::1"), LZ_CLASS_NEVER, "one that the key can show is");
	T_EQ(class_at(image, "2001:db8:2:100::1"), 3, "beside it");
	T_EQ(class_at(image, "fe80::1"), 2, "::/0");
}

/* ---------------------------------------------------------------- destinations, customers */

static void finds_destinations_and_customers(void)
{
	auto_reading reading = read_policy(HEAD "\"sets\": {\"smart\": [\"192.0.2.25\", \"2001:db8::25\"]},"
		"\"never\": [\"192.0.2.0/24\", \"smart\"], \"always-reach\": [\"2001:db8::/32\"],"
		"\"customers\": {\"file\": \"c\"},"
		"\"gardens\": {\"strict\": {\"allow\": [\"udp/123\", \"198.51.100.7\"]}},"
		"\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"port25\": {\"to-world\": \"icmp-admin\", \"except-to\": [\"smart\", \"203.0.113.0/24\"]}}}}",
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

/* ---------------------------------------------------------------- limits */

#define LIMITS(...) HEAD "\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [" __VA_ARGS__ "]}}}"
#define WINDOW(name, n) "{\"name\": \"" name "\", \"count\": \"smtp-connections\", \"at-most\": \"" n "\", \"then\": \"drop\"}"
#define BUCKET(name, n) "{\"name\": \"" name "\", \"count\": \"syn\", \"rate\": \"" n "\", \"burst\": 200, \"then\": \"drop\"}"

static const struct lz_limit *limit_named(const struct lz_image *image, const char *name)
{
	int id = image ? lz_image_limit_find(image, "c", name) : -1;

	static const struct lz_limit none = { .word = 99 };

	T_OK(id > 0, name);
	return id > 0 ? &image->gen.class_[image->limits[id].class_id].limit[image->limits[id].index] : &none;
}

static void computes_windows(void)
{
	auto_image *image = compile_text(LIMITS(WINDOW("small", "40/5min") "," WINDOW("day", "1000/24h") ","
		BUCKET("syn", "100/s") "," "{\"name\": \"fan\", \"count\": \"smtp-destinations\", \"at-most\": \"200/10min\", \"then\": \"hold 2h\"}"), NULL);
	const struct lz_limit *l = limit_named(image, "small");

	T_EQ(l->bits, 6, "40 fit in 6 bits");
	T_EQ(l->counters, 7, "seven of them");
	T_EQ(l->words, 1, "six slots are enough");
	T_EQ(l->slot_ns, 50 * LZ_NS_PER_S, "a sixth of five minutes");
	l = limit_named(image, "day");
	T_EQ(l->bits, 10, "1000 fit in 10 bits");
	T_EQ(l->counters, 4, "four of them");
	T_EQ(l->words, 2, "gets a second word");
	T_EQ(l->slot_ns, 86400 * LZ_NS_PER_S / 7 + 1, "a seventh of a day, rounded up");
	T_OK(l->word != limit_named(image, "small")->word, "words of their own");
	l = limit_named(image, "syn");
	T_EQ(l->slot_ns, 10000000, "a token each 10 ms");
	T_EQ(l->burst_ns, 199 * 10000000ULL, "burst");
	l = limit_named(image, "fan");
	T_EQ(l->kind, LZ_LIMIT_DESTS, "estimate");
	T_EQ(l->then, LZ_THEN_HOLD, "holds: sources are validated");
	T_EQ(l->hold_ttl_s, 7200, "for two hours");
	T_EQ(image ? image->gen.class_[2].dests_slot_ns : 0, 600 * LZ_NS_PER_S, "one bitmap window");
}

/* No two limits share a word, whatever the mix; six limits get what there is. */
static void shares_out_words(void)
{
	auto_image *image = compile_text(LIMITS(WINDOW("a", "100/1h") "," WINDOW("b", "20/1h") ","
		WINDOW("c", "4000000/24h") "," BUCKET("d", "1/s") "," WINDOW("e", "5000/1h")), NULL);
	__u32 used = 0;

	for (const char *name = "a\0b\0c\0d\0e\0"; *name; name += 2) {
		const struct lz_limit *l = limit_named(image, name);

		T_EQ(l->words, *name == 'a' ? 2 : 1, "the first that wants it gets the sixth word");
		T_OK(l->words * l->counters != 1 && l->stamp >= 1 && l->stamp <= 15, "at least one whole slot, a stamp");
		for (unsigned i = 0; i < l->words; i++) {
			T_OK(l->word + i < LZ_CELL_WORDS && !(used >> (l->word + i) & 1), "free word");
			used |= 1u << (l->word + i);
		}
	}
	T_EQ(used, 63, "all six in use");
}

static void keeps_words_over_a_reload(void)
{
	auto_image *first = compile_text(LIMITS(WINDOW("a", "40/1h") "," WINDOW("b", "30/1h") "," BUCKET("d", "10/s")), NULL);
	auto_image *second = compile_text(LIMITS(BUCKET("d", "20/s") "," WINDOW("new", "20/1h") "," WINDOW("b", "50/1h")), first);
	auto_image *third = compile_text(LIMITS(BUCKET("d", "20/s") "," WINDOW("a", "40/1h") "," WINDOW("b", "50/2h")), second);

	if (!first || !second || !third)
		return;
	for (const char *name = "b\0d\0"; *name; name += 2) {
		T_EQ(limit_named(second, name)->word, limit_named(first, name)->word, "word stays with the name");
		T_EQ(limit_named(second, name)->stamp, limit_named(first, name)->stamp, "and goes on counting");
		T_EQ(limit_named(second, name)->id, limit_named(first, name)->id, "id stays");
	}
	T_EQ(limit_named(second, "new")->word, limit_named(first, "a")->word, "the word that came free");
	T_OK(limit_named(second, "new")->stamp != limit_named(first, "a")->stamp, "starts empty");
	T_OK(limit_named(second, "new")->id != limit_named(first, "a")->id, "nobody inherits a statistics row");
	T_OK(limit_named(third, "a")->stamp != limit_named(second, "new")->stamp &&
	     limit_named(third, "a")->stamp != limit_named(first, "a")->stamp, "nor does a come back to old counts");
	T_OK(limit_named(third, "b")->stamp != limit_named(second, "b")->stamp, "another window starts again");
	T_EQ(limit_named(third, "d")->stamp, limit_named(first, "d")->stamp, "a bucket goes on at its new rate");
}

/* Random reloads: a word is read on only by the limit that wrote it, in the shape it wrote. */
static void never_reads_old_words(void)
{
	static const char *const pool[] = { WINDOW("a", "40/1h"), WINDOW("b", "300/1h"), WINDOW("a", "80/1h"),
		BUCKET("d", "10/s"), WINDOW("e", "10/10min"), WINDOW("f", "1000/24h"), WINDOW("g", "1/1h") };
	/* who wrote what last with each stamp, by word */
	static char written[LZ_CELL_WORDS][16][64];
	struct lz_image *previous = NULL;

	memset(written, 0, sizeof(written));
	for (int round = 0; round < 12; round++) {
		lz_autostr struct lz_str text = {};
		struct lz_image *image;
		unsigned n = 0, has = 0;

		for (unsigned i = 0; i < LZ_ARRAY_SIZE(pool); i++)
			if (random_below(2) && !(i == 2 && has & 1)) {
				lz_str_appendf(&text, "%s%s", n++ ? "," : HEAD "\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [", pool[i]);
				has |= 1u << i;
			}
		if (!n)
			continue;
		lz_str_appendf(&text, "]}}}");
		image = compile_text(text.data, previous);
		lz_image_free(&previous);
		previous = image;
		for (int i = 0; image && i < image->gen.class_[2].limits; i++) {
			const struct lz_limit *l = &image->gen.class_[2].limit[i];
			char user[64];

			snprintf(user, sizeof(user), "%s %u %u %llu %u", image->limits[l->id].name, l->kind,
				 l->bits, l->kind == LZ_LIMIT_WINDOW ? l->slot_ns : 0, l->words);
			for (unsigned w = l->word; w < l->word + l->words; w++) {
				if (*written[w][l->stamp])
					T_STR(written[w][l->stamp], user, "what the word holds under this stamp");
				strcpy(written[w][l->stamp], user);
			}
		}
	}
	lz_image_free(&previous);
}

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

/* A policy that was undone has written cells: who comes next must not read them. */
static void outlives_an_undo(void)
{
	auto_image *first = compile_text(LIMITS(WINDOW("a", "40/1h")), NULL);
	auto_image *undone = compile_text(LIMITS(WINDOW("b", "40/1h")), first);

	if (!first || !undone)
		return;
	lz_image_outlive(first, undone);
	auto_image *next = compile_text(LIMITS(WINDOW("c", "40/1h")), first);
	T_EQ(limit_named(next, "c")->word, limit_named(undone, "b")->word, "the same word");
	T_OK(limit_named(next, "c")->stamp != limit_named(undone, "b")->stamp, "another stamp than the undone one");
	T_OK(limit_named(next, "c")->stamp != limit_named(first, "a")->stamp, "than the one before, too");
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

/* Where sources are not validated a hold goes by handshakes, which are counted in the next word. */
static void holds_by_handshakes(void)
{
	auto_reading reading = read_policy("{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]}},"
		"\"evidence\": {\"quarantine-needs\": \"handshake\"}, \"ladders\": {\"l\": {\"steps\": [\"notify\", \"block25 1h\"]}},"
		"\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": ["
		"{\"name\": \"up\", \"count\": \"smtp-connections\", \"at-most\": \"100/1h\", \"then\": \"ladder:l\"},"
		"{\"name\": \"hold\", \"count\": \"smtp-connections\", \"at-most\": \"100/1h\", \"then\": \"hold 1h\"},"
		"{\"name\": \"wide\", \"count\": \"smtp-connections\", \"at-most\": \"100000/24h\", \"then\": \"drop\"},"
		"{\"name\": \"last\", \"count\": \"syn\", \"at-most\": \"100/1h\", \"then\": \"drop\"}]}}}", NULL);
	auto_image *image = compile_policy(reading.policy, NULL);
	const struct lz_limit *up = limit_named(image, "up"), *hold = limit_named(image, "hold");
	const struct lz_limit *wide = limit_named(image, "wide"), *last = limit_named(image, "last");

	if (!up || !hold || !wide || !last)
		return;
	T_OK(up->then == LZ_THEN_NOTIFY && up->flags == LZ_LIMIT_F_PROOF, "a ladder is told of handshakes");
	T_OK(hold->then == LZ_THEN_HOLD && hold->flags == LZ_LIMIT_F_PROOF, "nobody is held by what anybody can forge");
	T_OK(!wide->flags && !last->flags, "what only drops needs no proof");
	T_OK(hold->words == 1 && hold->word != up->word && hold->word != up->word + 1 &&
		     up->word != hold->word + 1, "each has two words");
	T_OK(wide->words == 1 && wide->word > hold->word + 1 && last->word > wide->word,
	     "and there are six");
	T_OK(image->gen.flags & LZ_GEN_F_PROOF, "SYN-ACKs are watched");
}

/* ---------------------------------------------------------------- size */

static __u64 cpu_ns(void)
{
	struct timespec ts = {};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (__u64)ts.tv_sec * LZ_NS_PER_S + (__u64)ts.tv_nsec;
}

#define BIG HEAD "\"sets\": {\"s\": [{\"file\": \"f\"}]}, \"never\": [\"100.64.0.9\"], \"classes\": {\"c\": {\"of\": [\"s\"]}}}"

static void compile_timed(const char *what, const char *file, __u64 bound_ns)
{
	auto_reading reading = read_policy(BIG, (struct memory_file[]){ { "f", file }, {} });
	__u64 start_ns = cpu_ns(), spent_ns;
	auto_image *image = compile_policy(reading.policy, NULL);

	spent_ns = cpu_ns() - start_ns;
	printf("# %s: %llu ms, %zu kB, %u buckets hashed\n", what, spent_ns / LZ_NS_PER_MS,
	       image ? image->range_buckets / 4 : 0, image ? image->gen.range_buckets : 0);
	T_OK(spent_ns < bound_ns, what);
	for (size_t i = 0; image && i < reading.policy->class_ranges.n; i += 49999)
		probe_edges(reading.policy, image, &reading.policy->class_ranges.v[i].prefix);
}

static void compiles_half_a_million(void)
{
	lz_autostr struct lz_str dense = {}, wide = {}, six = {};

	for (__u32 i = 0; i < PREFIXES; i++) {
		__u32 n = 0x64400000u + (i << 2), w = i * 2654435761u;

		lz_str_appendf(&dense, "%u.%u.%u.%u/30\n", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255);
		lz_str_appendf(&wide, "%u.%u.%u.%u\n", 1 + (w >> 24) % 223, w >> 16 & 255, w >> 8 & 255, w & 255);
		lz_str_appendf(&six, "2001:db8:%x:%x00::/56\n", i & 0xffff, i >> 16);
	}
	compile_timed("500,000 prefixes /30", dense.data, BOUND_NS);
	compile_timed("500,000 IPv6 prefixes /56", six.data, BOUND_NS);
	/* Each in a group of its own: as much memory as 500,000 prefixes can take with one class. */
	compile_timed("500,000 hosts all over the address space", wide.data, 4 * BOUND_NS);
}

static const struct t_case cases[] = {
	{ "classes agree with a plain list", agrees_with_a_plain_list },
	{ "edges of prefixes, never-list on top", holds_at_the_edges },
	{ "destination sets and customers", finds_destinations_and_customers },
	{ "garden rows over reloads", keeps_garden_rows },
	{ "too many prefix lengths", refuses_too_many_lengths },
	{ "arithmetic of limits", computes_windows },
	{ "six words for all limits", shares_out_words },
	{ "words and stamps over reloads", keeps_words_over_a_reload },
	{ "old words are never read", never_reads_old_words },
	{ "class ids over reloads", keeps_class_ids },
	{ "ids over a restart", survives_a_restart },
	{ "stamps over an undo", outlives_an_undo },
	{ "customer numbers over reloads", keeps_customer_numbers },
	{ "holds go by handshakes", holds_by_handshakes },
	{ "half a million prefixes", compiles_half_a_million },
};

int main(void)
{
	return T_MAIN(cases);
}
