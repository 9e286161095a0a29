/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_edit.c - a range change in model and tables against the policy compiled anew, and a reader who
 * looks while it happens. Random policies come from a fixed seed: a failure repeats.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "lib/random.h"
#include "lib/t.h"
#include "policy/edit.h"
#include "policy/stores.h"
#include "unit/policy_text.h"

#define SEED	 0x1234567890abcdefULL
#define PREFIXES 500000u
#ifdef __SANITIZE_ADDRESS__
#define BOUND_NS (500 * LZ_NS_PER_MS)
#else
#define BOUND_NS (15 * LZ_NS_PER_MS) /* of 20 ms for the whole command, issue 3 row j */
#endif

static __u64 random_state = 88172645463325252ULL;

static __u32 random_below(__u32 n)
{
	return t_random_below(&random_state, n);
}

/* A policy in force, and its tables as packets would have them. */
struct scene {
	struct lz_policy *policy;
	struct lz_image *image;
	struct lz_live_tables live;
	struct lz_generation gen; /* of live */
};

static void scene_done(struct scene *s)
{
	lz_policy_free(&s->policy);
	lz_image_free(&s->image);
	free(s->live.ranges);
}
#define auto_scene __attribute__((cleanup(scene_done))) struct scene

static int scene_open(struct scene *s, const char *text, struct memory_file *files)
{
	auto_reading reading = read_policy_in_force(text, files);
	struct lz_err err = {};
	size_t bytes;

	if (reading.r || lz_image_compile(reading.policy, NULL, SEED, &s->image, &err))
		return -1;
	s->policy = TAKE_PTR(reading.policy);
	bytes = s->image->range_buckets * sizeof(*s->live.ranges);
	s->live.ranges = malloc(bytes);
	memcpy(s->live.ranges, s->image->ranges, bytes);
	s->gen = s->image->gen;
	s->live.gen = &s->gen;
	return 0;
}

/* 0, or what refused: 1 the model, 2 the tables; then everything is as it was. */
static int change(struct scene *s, bool add, const char *set, const struct lz_prefix *prefix,
		  struct lz_err *reterr)
{
	struct lz_edit c = { .add = add, .prefix = *prefix };
	__u32 spare = s->image->range_spare;
	struct lz_stores stores = {};
	int r;

	strcpy(c.set, set);
	if (lz_edit_make(s->policy, &c, reterr))
		return 1;
	r = lz_stores_prepare(s->image, s->policy, prefix, &stores);
	if (r) {
		c.add = !add;
		T_EQ(lz_edit_make(s->policy, &c, reterr), 0, "the opposite change");
		T_EQ(s->image->range_spare, spare, "no block was taken");
		return 2;
	}
	lz_stores_publish(s->image, &stores, &s->live);
	return 0;
}

/* ---------------------------------------------------------------- against a fresh compile */

static const char random_policy[] =
	"{\"version\": 1, \"ipv6-key\": 56, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]}},"
	"\"sets\": {\"s\": [{\"file\": \"s\"}], \"t\": [{\"file\": \"t\"}], \"v\": [{\"file\": \"v\"}], \"n\": [{\"file\": \"n\"}]},"
	"\"never\": [\"n\"],"
	"\"classes\": {\"c\": {\"of\": [\"s\", \"v\"]}, \"d\": {\"of\": [\"t\", \"203.0.113.0/24\"]}}}";

/* Out of few bits, so that many nest, touch and cover one another. */
static struct lz_prefix random_prefix(void)
{
	static const __u8 bytes[] = { 0, 1, 2, 127, 128, 254, 255 };
	struct lz_prefix prefix = { .addr.family = random_below(2) ? 4 : 6 };
	unsigned v4 = prefix.addr.family == 4, len = v4 ? 6 + random_below(27) : 20 + 4 * random_below(10);

	for (int i = 0; i < (v4 ? 4 : 7); i++)
		prefix.addr.bytes[i] = bytes[random_below(7)];
	if (!v4)
		memcpy(prefix.addr.bytes, (__u8[]){ 0x20, 0x01, 0x0d, 0xb8 }, 4);
	prefix.len = v4 ? 32 : 128;
	return lz_prefix_cut(&prefix, len);
}

static char *random_file(int n)
{
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_prefix prefix;
	struct lz_str out = {};

	while (n--) {
		prefix = random_prefix();
		lz_str_appendf(&out, "%s\n", lz_prefix_format(&prefix, text));
	}
	return lz_str_take(&out);
}

/* Keys at and around the edges of a prefix, in all three: image, live tables, fresh compile. */
static void compare_at(const struct scene *s, const struct lz_image *fresh,
		       const struct lz_prefix *prefix)
{
	struct lz_image live = *s->image;
	struct lz_keyprefix kp;
	char text[LZ_PREFIX_TEXT_MAX];

	live.ranges = s->live.ranges;
	live.gen = s->gen;
	if (lz_keyprefix_from_prefix(prefix, 56, &kp))
		return;
	for (int i = -1; i <= 2; i++) {
		__u64 last = kp.bits | (kp.len ? kp.len >= 64 ? 0 : ~0ULL >> kp.len : ~0ULL);
		__u64 key = i < 1 ? kp.bits - (i < 0) : last + (i > 1);
		unsigned family = prefix->addr.family;
		__u32 want;

		if (family == 4)
			key = (__u32)key;
		else
			key &= ~0xffULL;
		want = lz_image_class_of(fresh, key, family);
		T_EQ(lz_image_class_of(s->image, key, family), want, lz_prefix_format(prefix, text));
		T_EQ(lz_image_class_of(&live, key, family), want, text);
	}
}

static void compare(const struct scene *s)
{
	lz_autofree char *text = NULL, *again = NULL;
	struct lz_image *fresh = NULL;
	struct lz_err err = {};

	lz_policy_print(s->policy, LZ_PRINT_INLINE_FILES, &text);
	auto_reading reading = read_policy_in_force(text, NULL);
	if (!T_EQ(reading.r, 0, "the changed policy is valid")) {
		t_show("report", reading.text);
		return;
	}
	lz_policy_print(reading.policy, LZ_PRINT_INLINE_FILES, &again);
	T_OK(lz_streq(text, again), "printed, read and printed again: the same text");
	T_EQ(reading.policy->class_ranges.n, s->policy->class_ranges.n, "as many ranges");
	for (size_t i = 0; i < s->policy->class_ranges.n; i++)
		T_OK(reading.policy->class_ranges.v[i].parent == s->policy->class_ranges.v[i].parent &&
			     reading.policy->class_ranges.v[i].owner == s->policy->class_ranges.v[i].owner,
		     "the same owner and parent");
	if (!T_EQ(lz_image_compile(reading.policy, s->image, SEED, &fresh, &err), 0, "compiles"))
		return;
	T_EQ(lz_image_fingerprint(fresh, 1), lz_image_fingerprint(s->image, 1), "the same fingerprint");
	for (size_t i = 0; i < s->policy->class_ranges.n; i++)
		compare_at(s, fresh, &s->policy->class_ranges.v[i].prefix);
	for (size_t i = 0; i < s->policy->never_ranges.n; i++)
		compare_at(s, fresh, &s->policy->never_ranges.v[i].prefix);
	lz_image_free(&fresh);
}

/* Adds, and removals of what there is, each as likely. */
static void change_at_random(struct scene *s, unsigned done[3])
{
	static const char *const names[] = { "s", "t", "v" };
	unsigned which = random_below(3);
	const struct lz_entries *entries = &s->policy->sets[which].entries;
	bool add = random_below(2) || !entries->n;
	struct lz_prefix prefix =
		add ? random_prefix() : entries->v[random_below((__u32)entries->n)].prefix;
	struct lz_err err = {};

	done[change(s, add, names[which], &prefix, &err)]++;
}

static void agrees_with_a_fresh_compile(void)
{
	unsigned done[3] = {}, policies = 0;

	for (int i = 0; i < 4000 && policies < 60; i++) {
		lz_autofree char *s_file = random_file(12), *t_file = random_file(8),
				 *v_file = random_file(4), *n_file = random_file(3);
		auto_scene s = {};

		if (scene_open(&s, random_policy, (struct memory_file[]){ { "s", s_file },
				{ "t", t_file }, { "v", v_file }, { "n", n_file }, {} }))
			continue;
		policies++;
		for (int k = 0; k < 40; k++) {
			change_at_random(&s, done);
			if (k % 8 == 7)
				compare(&s);
		}
	}
	printf("# %u policies, %u changes made, %u refused by the model, %u by the tables\n", policies,
	       done[0], done[1], done[2]);
	T_OK(policies == 60 && done[0] > 1000 && done[1] > 50, "enough of each kind");
	T_EQ(done[2], 0, "there was room for all");
}

/* ---------------------------------------------------------------- refusals */

static const char small[] =
	"{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]}},"
	"\"sets\": {\"home\": [\"198.51.100.0/25\", \"2001:db8:1::/48\"], \"shop\": [\"192.0.2.0/24\"],"
	" \"hosts\": [\"203.0.113.25\"], \"bad\": [\"100.64.0.0/16\"], \"idle\": [\"203.0.113.0/30\"]},"
	"\"never\": [\"100.64.0.0/15\", \"hosts\"],"
	"\"classes\": {\"c\": {\"of\": [\"home\", \"bad\"]}, \"d\": {\"of\": [\"shop\"],"
	" \"port25\": {\"to-world\": \"drop\", \"except-to\": [\"hosts\"]}}}}";

static void refuses_as_the_check_does(void)
{
	static const struct {
		bool add;
		const char *set, *prefix;
		int refused;
		const char *text;
	} rows[] = {
		{ true, "home", "198.51.100.0/25", 1, "set home: 198.51.100.0/25 is in it already" },
		{ false, "home", "198.51.100.0/26", 1, "set home: 198.51.100.0/26 is not in it" },
		{ true, "hone", "198.51.100.0/26", 1, "set hone: there is none" },
		{ true, "home", "192.0.2.0/24", 1, "192.0.2.0/24: is in class 'd' already" },
		{ true, "home", "2001:db8:1::1", 1, "longer than \"ipv6-key\": 64" },
		{ true, "home", "ff00::/16", 1, "ff00::/16: is no source: multicast" },
		{ true, "hosts", "203.0.113.26", 1, "is more than a class" },
		{ true, "home", "2001:db8:2::/47", 0, "" }, /* in a group like that of the /48 */
		{ true, "home", "2001:db8:2::/49", 0, "" }, /* of a level that no group is of yet */
		{ true, "home", "10.0.0.0/8", 0, "" },
		{ false, "shop", "192.0.2.0/24", 0, "" },
		{ true, "shop", "100.64.3.0/24", 1, "all of class 'd' would be on the never-list" },
		{ true, "idle", "203.0.113.4/30", 0, "" }, /* of no class: no table knows it */
		{ true, "home", "192.0.2.0/24", 0, "" }, /* now it is free */
		{ true, "home", "0.0.0.0/0", 1, "is no range of customers; want at most a /8, IPv6 a /20" },
		{ true, "home", "2001::/19", 1, "is no range of customers; want at most a /8, IPv6 a /20" },
		{ true, "home", "64.0.0.0/8", 0, "" }, /* the widest */
		{ true, "home", "2001::/20", 0, "" },
		{ true, "idle", "0.0.0.0/0", 0, "" }, /* whom it lists no class says */
		{ true, "home", "127.0.0.0/8", 1, "127.0.0.0/8: is no source: loopback" },
		{ true, "home", "0.0.0.0/8", 1, "0.0.0.0/8: is no source: this network" },
		{ true, "home", "224.0.0.0/24", 1, "224.0.0.0/24: is no source: multicast" },
		{ true, "home", "169.254.7.0/24", 1, "169.254.7.0/24: is no source: link-local" },
		{ true, "home", "fe80::/64", 1, "fe80::/64: is no source: link-local" },
		{ true, "home", "::1", 1, "::1: is no source: loopback" },
		{ true, "idle", "127.0.0.0/8", 0, "" },
	};
	auto_scene s = {};

	if (!T_EQ(scene_open(&s, small, NULL), 0, "small policy"))
		return;
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct lz_err err = {};
		struct lz_prefix prefix;

		lz_prefix_parse(rows[i].prefix, &prefix, NULL);
		T_EQ(change(&s, rows[i].add, rows[i].set, &prefix, &err), rows[i].refused,
		     rows[i].prefix);
		if (rows[i].refused == 1 && !T_OK(strstr(err.text, rows[i].text) != NULL, rows[i].text))
			t_show("said", err.text);
		if (i != 10 && i != 11) /* an empty class prints and parses, but is no use here */
			compare(&s);
	}
}

/* Lines or blocks run out, which leaves everything as it was; a compile makes room again. */
static void runs_out_and_recovers(void)
{
	lz_autofree char *text = NULL;
	auto_scene s = {}, again = {};
	struct lz_err err = {};
	unsigned full = 0;

	if (!T_EQ(scene_open(&s, small, NULL), 0, "small policy"))
		return;
	/* one of each class in one /24 after the other: with foreign that makes three */
	for (__u32 i = 0; i < 2000 && !full; i++) {
		struct lz_prefix prefix = { .addr = lz_addr_v4(0xcb100001 + (i / 2 << 8) + i % 2), .len = 32 };

		if (change(&s, true, i % 2 ? "shop" : "home", &prefix, &err))
			full = i;
	}
	printf("# full after %u changes\n", full);
	T_OK(full > 200, "room for as many as the daemon makes between two compiles");
	compare(&s);
	T_EQ(change(&s, true, "home", &(struct lz_prefix){ .addr = lz_addr_v4(0xc6336480), .len = 26 }, &err),
	     0, "where no room is needed, it goes on");
	lz_policy_print(s.policy, LZ_PRINT_INLINE_FILES, &text);
	if (!T_EQ(scene_open(&again, text, NULL), 0, "compiled anew"))
		return;
	for (__u32 i = 0; i < 100; i++)
		T_EQ(change(&again, true, "home", &(struct lz_prefix){ .addr = lz_addr_v4(0xcb200001 + (i << 8)),
								    .len = 32 }, &err), 0, "room again");
	compare(&again);
}

/* ---------------------------------------------------------------- a reader meanwhile */

struct watch {
	const struct scene *s;
	struct lz_image live;
	atomic_ulong turns;
	atomic_bool stop;
	unsigned long wrong;
};

/* What packets of 198.51.100.1, 198.51.100.200 and 2001:db8:1:101:: see may change; their neighbours'
 * class never does. */
static void *look(void *arg)
{
	struct watch *w = arg;

	while (!atomic_load(&w->stop)) {
		__u32 a = lz_image_class_of(&w->live, 0xc6336401, 4);

		w->wrong += a != 2 && a != 3;
		w->wrong += lz_image_class_of(&w->live, 0xc6336440, 4) != 2;
		a = lz_image_class_of(&w->live, 0xc63364c8, 4);
		w->wrong += a != LZ_CLASS_FOREIGN && a != 3;
		w->wrong += lz_image_class_of(&w->live, 0xc633ffff, 4) != LZ_CLASS_FOREIGN;
		w->wrong += lz_image_class_of(&w->live, 0xc0000201, 4) != 3;
		a = lz_image_class_of(&w->live, 0x20010db800010101, 6);
		w->wrong += a != 2 && a != 3;
		w->wrong += lz_image_class_of(&w->live, 0x20010db800010202, 6) != 2;
		atomic_fetch_add(&w->turns, 1);
	}
	return NULL;
}

/* Until the reader has begun a new turn. */
static void wait_for_turns(struct watch *w)
{
	unsigned long seen = atomic_load(&w->turns);

	while (atomic_load(&w->turns) < seen + 2)
		sched_yield();
}

static void shows_no_mix(void)
{
	static const char *const prefixes[] = { "198.51.100.0/28", "2001:db8:1:101::/64",
						"198.51.0.0/17" };
	struct watch w = {};
	struct lz_err err = {};
	auto_scene s = {};
	pthread_t reader;
	unsigned made = 0;

	if (!T_EQ(scene_open(&s, small, NULL), 0, "small policy"))
		return;
	w.live = *s.image;
	w.live.ranges = s.live.ranges;
	s.live.gen = &w.live.gen;
	pthread_create(&reader, NULL, look, &w);
	for (int i = 0; i < 6000; i++) {
		struct lz_prefix prefix;

		lz_prefix_parse(prefixes[i / 2 % 3], &prefix, NULL);
		made += !change(&s, i % 2 == 0, "shop", &prefix, &err);
		if (i % 50 == 49)
			wait_for_turns(&w);
	}
	atomic_store(&w.stop, true);
	pthread_join(reader, NULL);
	printf("# %u changes, %lu looks\n", made, (unsigned long)w.turns);
	T_EQ(made, 6000, "changes made");
	T_EQ(w.wrong, 0, "looks that saw something else than before or after");
}

/* ---------------------------------------------------------------- its text, its time */

static void is_written_down(void)
{
	struct lz_edit c = { .add = true, .set = "home" }, back = {};
	lz_autofree char *text = NULL;
	struct lz_err err = {};
	__u64 base = 0;

	lz_prefix_parse("2001:db8:7::/48", &c.prefix, NULL);
	text = lz_edit_print(&c, 41);
	T_EQ(lz_edit_parse(text, &back, &base, &err), 0, "reads back");
	T_OK(back.add && lz_streq(back.set, "home") && !lz_prefix_cmp(&back.prefix, &c.prefix) &&
		     base == 41, "the same change");
	T_EQ(lz_edit_parse("{\"version\": 1}", &back, &base, &err), -ENOENT, "a policy is none");
	T_EQ(lz_edit_parse("{\"change-of\": 41, \"add\": \"home\"}", &back, &base, &err), -EINVAL,
	     "one without a prefix");
}

static int compare_u64(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void is_quick(void)
{
	static const char head[] =
		"{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]}},"
		"\"sets\": {\"s\": [{\"file\": \"s\"}]}, \"classes\": {\"c\": {\"of\": [\"s\"]}}}";
	__u64 took_ns[21] = {}, around_ns;
	__u32 spare;
	struct lz_str file = {};
	struct lz_err err = {};
	auto_scene s = {};

	for (__u32 i = 0; i < PREFIXES; i++) /* every other /27 of 10/8 */
		lz_str_appendf(&file, "10.%u.%u.%u/27\n", i >> 10 & 255, i >> 2 & 255, (i & 3) << 6);
	T_EQ(scene_open(&s, head, (struct memory_file[]){ { "s", file.data }, {} }), 0, "500,000 ranges");
	lz_str_done(&file);
	for (__u32 i = 0; i < 21 && s.policy; i++) {
		struct lz_prefix prefix = { .addr = lz_addr_v4(0x0a0a0020 + (i << 19)), .len = 27 };

		took_ns[i] = lz_clock_mono_ns();
		T_EQ(change(&s, true, "s", &prefix, &err), 0, "added");
		took_ns[i] = lz_clock_mono_ns() - took_ns[i];
	}
	qsort(took_ns, 21, sizeof(took_ns[0]), compare_u64);
	printf("# 21 changes of %u ranges: %.2f ms, the slowest %.2f ms\n", PREFIXES, took_ns[10] / 1e6,
	       took_ns[20] / 1e6);
	T_OK(took_ns[10] < BOUND_NS, "in time");
	spare = s.image ? s.image->range_spare : 0;
	around_ns = lz_clock_mono_ns();
	for (int add = 1; add >= 0 && s.policy; add--) /* 2,048 groups */
		T_EQ(change(&s, add, "s", &(struct lz_prefix){ .addr = lz_addr_v4(0x0a000000), .len = 13 }, &err),
		     0, "a change around many");
	printf("# two changes around 2,048 groups: %.2f ms\n", (lz_clock_mono_ns() - around_ns) / 1e6);
	T_EQ(s.image ? s.image->range_spare : 1, spare, "takes no block for them");
}

static const struct t_case cases[] = {
	{ "agrees_with_a_fresh_compile", agrees_with_a_fresh_compile },
	{ "refuses_as_the_check_does", refuses_as_the_check_does },
	{ "runs_out_and_recovers", runs_out_and_recovers },
	{ "shows_no_mix", shows_no_mix },
	{ "is_written_down", is_written_down },
	{ "is_quick", is_quick },
};

int main(void)
{
	return T_MAIN(cases);
}
