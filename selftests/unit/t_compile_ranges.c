/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_compile_ranges.c - compiled class ranges against a list that is searched from end to end, and how
 * long half a million take.
 */
#include <time.h>

#include "base/clock.h"
#include "unit/compile_text.h"

#define PREFIXES 500000u
#ifdef __SANITIZE_ADDRESS__
#define BOUND_NS (5 * LZ_NS_PER_S)
#else
#define BOUND_NS (LZ_NS_PER_S / 2)
#endif

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

/* A prefix out of few bits, so that many nest, touch and cover one another; 0 and 255 often. As wide as a set
 * of a class may be: wider ones stand in "of" itself, see holds_at_the_edges(). */
static void print_prefix(struct lz_str *out, unsigned key_len)
{
	static const unsigned bytes[] = { 0, 1, 2, 127, 128, 254, 255 };
	struct lz_prefix prefix = { .addr.family = random_below(2) ? 4 : 6 };
	char text[LZ_PREFIX_TEXT_MAX];
	unsigned v4 = prefix.addr.family == 4, len = v4 ? 8 + random_below(25) : 20 + random_below(key_len - 19);

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
	auto_reading reading = read_policy_in_force(text, (struct memory_file[]){ { "s", files[0].data },
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

static void holds_at_the_edges(void)
{
	auto_reading reading = read_policy_in_force(HEAD "\"ipv6-key\": 56, \"never\": [\"10.0.0.255\", \"10.1.0.0/16\","
		"\"2001:db8:1:100::/64\", \"2001:db8:2::/56\"], \"classes\": {"
		"\"all\": {\"of\": [\"0.0.0.0/0\", \"::/0\"]}, \"low\": {\"of\": [\"10.0.0.0/24\", \"10.1.2.0/24\", \"2001:db8:1::/48\", \"2001:db8:2::/48\"]},"
		"\"host\": {\"of\": [\"10.0.0.0\", \"255.255.255.254\", \"10.0.255.0/24\"]}}}", NULL);
	auto_image *image = compile_policy(reading.policy, NULL);

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
		__u32 n = 0x64400000u + (i << 2), w = i * 2654435761u, first = 1 + (w >> 24) % 221;

		first += first >= 127; /* no machine is there, and none in 169.254 */
		first += first >= 169;

		lz_str_appendf(&dense, "%u.%u.%u.%u/30\n", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255);
		lz_str_appendf(&wide, "%u.%u.%u.%u\n", first, w >> 16 & 255, w >> 8 & 255, w & 255);
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
	{ "half a million prefixes", compiles_half_a_million },
};

int main(void)
{
	return T_MAIN(cases);
}
