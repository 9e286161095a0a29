/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_ranges.c - the class that the real program finds in compiled tables, and in tables that were
 * changed while they judge, against the policy's own lists.
 */
#include <bpf/bpf.h>
#include <stdio.h>

#include "datapath/kernel.h"
#include "datapath/policyswap.h"
#include "datapath/ports.h"
#include "lib/pkt.h"
#include "policy/edit.h"
#include "prog/room.h"
#include "unit/policy_text.h"

#define KEY_LEN 56
#define HOSTS	600 /* in a /24 and a /56 each: enough groups that buckets are full */

static struct lz_kernel kernel;
static struct lz_tables_view view;
static struct lz_policy *policy;
static struct lz_image *image;
static struct lz_live_tables live;
static struct lz_err err;

static const char policy_text[] =
	"{\"version\": 1, \"ipv6-key\": 56,"
	" \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"lo\"]}},"
	" \"sets\": {"
	"  \"c\": [\"10.0.0.0/8\", \"10.1.2.0/24\", \"10.1.2.77\", \"10.1.3.0/25\", \"2001:db8::/32\","
	"   \"2001:db8:0:100::/56\", {\"file\": \"hosts\"}],"
	"  \"d\": [\"10.1.0.0/16\", \"10.1.2.0/26\", \"10.1.3.128/25\", \"2001:db8::/36\","
	"   \"2001:db8:0:8000::/50\"],"
	"  \"e\": [\"10.1.2.16/28\", \"10.1.3.0/30\", \"10.128.0.0/9\", \"2001:db8::/44\","
	"   \"2001:db8:0:8100::/56\"]},"
	" \"never\": [\"10.1.2.20/30\", \"10.200.0.0/16\", \"2001:db8:8000::/33\"],"
	" \"classes\": {\"c\": {\"of\": [\"c\"]}, \"d\": {\"of\": [\"d\"]}, \"e\": {\"of\": [\"e\"]}}}";

/* ---------------------------------------------------------------- set-up */

static bool give_role(void)
{
	struct lz_port_want want = { .ifindex = 1, .name = "lo", .mode = LZ_ATTACH_XDP,
				     .role = LZ_ROLE_CUSTOMER };
	struct lz_attachments none = {};
	struct lz_ports ports;
	bool ok;

	if (lz_ports_open(&kernel.maps, &none, &ports, &err))
		return false;
	ok = !lz_ports_set(&ports, &want, 0, &err) && !lz_ports_set(&ports, &want, 1, &err);
	lz_ports_close(&ports);
	return ok;
}

static char *hosts_file(void)
{
	struct lz_str out = {};

	for (unsigned i = 0; i < HOSTS; i++)
		lz_str_appendf(&out, "10.%u.%u.%u\n2001:db8:%x:%x00::/56\n", 32 + i / 256, i % 256,
			       i * 7 % 256, 0x1000 + i / 8, i * 5 % 256);
	return lz_str_take(&out);
}

static bool publish(void)
{
	struct lz_inner_sizes sizes;
	struct lz_inner_fds fds;
	__u32 slot = (__u32)lz_swap_idle_slot(&view);
	int r;

	lz_swap_sizes(image, &sizes);
	r = lz_inner_create(&sizes, &fds, &err);
	if (r)
		return false;
	r = lz_swap_fill(image, &fds, &err) ?: lz_swap_live_map(&view, slot, image, &fds, &live, &err) ?:
	    lz_swap_publish(&view, image, &fds, 1, 0, &err);
	lz_inner_close(&fds);
	return !r;
}

static bool set_up(void)
{
	struct lz_instance_config config = { .name = "t", .sources_max = 20000, .colony_max = 1024,
					     .ipv6_key_len = KEY_LEN, .replay = 1 };
	lz_autofree char *hosts = hosts_file();
	auto_reading reading = read_policy(policy_text, (struct memory_file[]){ { "hosts", hosts }, {} });

	if (reading.r) {
		lz_err_set(&err, EINVAL, "%s", reading.text);
		return false;
	}
	if (lz_kernel_open(&config, &kernel, &err) ||
	    lz_tables_open(&kernel.maps, &kernel.instance, &view, &err))
		return false;
	*(volatile __u64 *)&view.control->replay_now_ns = 1000ull * 1000000000;
	policy = TAKE_PTR(reading.policy);
	return !lz_image_compile(policy, NULL, kernel.instance.seed, &image, &err) && give_role() &&
	       publish();
}

/* ---------------------------------------------------------------- one look */

/* The class the program says a SYN's source has. */
static __u32 class_said(const struct lz_addr *source)
{
	char text[LZ_ADDR_TEXT_MAX];
	struct pkt_spec spec = { .dport = 443,
				 .dst = source->family == 4 ? "198.51.100.1" : "2001:db8:ffff::1" };
	struct lz_replay told = {};
	__u8 out[256];
	struct pkt p;
	__u32 zero = 0;
	LIBBPF_OPTS(bpf_test_run_opts, run, .repeat = 1, .data_out = out, .data_size_out = sizeof(out));

	spec.src = lz_addr_format(source, text);
	pkt_build(&p, &spec);
	run.data_in = p.data;
	run.data_size_in = p.bytes;
	if (bpf_prog_test_run_opts(kernel.prog_fd[LZ_PROG_XDP], &run))
		return LZ_CLASSES_MAX;
	bpf_map_lookup_elem(kernel.maps.fd[LZ_MAP_REPLAY], &zero, &told);
	return told.class_;
}

static __u32 class_wanted(const struct lz_addr *source)
{
	struct lz_prefix host = lz_prefix_host(source);
	const struct lz_range *best = NULL;

	for (size_t i = 0; i < policy->never_ranges.n; i++)
		if (lz_prefix_has_addr(&policy->never_ranges.v[i].prefix, source))
			return LZ_CLASS_NEVER;
	for (size_t i = 0; i < policy->class_ranges.n; i++) {
		const struct lz_range *range = &policy->class_ranges.v[i];

		if (lz_prefix_contains(&range->prefix, &host) &&
		    (!best || range->prefix.len > best->prefix.len))
			best = range;
	}
	return best ? (__u32)lz_image_class_find(image, policy->classes[best->owner].name) :
		      LZ_CLASS_FOREIGN;
}

/* First and last key of a prefix, and those beside it. */
static void look_at(const struct lz_prefix *prefix)
{
	__u64 step = prefix->addr.family == 4 ? 1 : 1ULL << (64 - KEY_LEN), last;
	char text[LZ_ADDR_TEXT_MAX];
	struct lz_keyprefix kp;

	if (lz_keyprefix_from_prefix(prefix, KEY_LEN, &kp))
		return;
	last = kp.bits + ((1ULL << (64 - kp.len)) - 1);
	for (int i = 0; i < 4; i++) {
		__u64 key = i < 2 ? kp.bits - step * (i & 1) : (last & ~(step - 1)) + step * (i & 1);
		struct lz_prefix covered = lz_key_to_prefix(key, KEY_LEN);
		__u32 want = class_wanted(&covered.addr), got = class_said(&covered.addr);

		if (got != want)
			T_EQ(got, want, lz_addr_format(&covered.addr, text));
	}
}

static void look_at_all(void)
{
	for (size_t i = 0; i < policy->class_ranges.n; i++)
		look_at(&policy->class_ranges.v[i].prefix);
	for (size_t i = 0; i < policy->never_ranges.n; i++)
		look_at(&policy->never_ranges.v[i].prefix);
}

/* ---------------------------------------------------------------- cases */

static void finds_what_was_compiled(void)
{
	unsigned blocks = image->range_spare - image->gen.range_buckets;

	T_OK(blocks > 0, "groups of three classes are among them");
	look_at_all();
}

static void finds_what_was_changed(void)
{
	static const struct {
		bool add;
		const char *set, *prefix;
	} changes[] = {
		{ true, "d", "10.32.0.0/17" }, /* around 128 hosts' groups */
		{ true, "e", "10.32.5.0/26" },
		{ false, "d", "10.32.0.0/17" },
		{ false, "c", "10.0.0.0/8" },
		{ false, "c", "10.1.2.77" },
		{ true, "e", "10.1.2.128/25" },
		{ true, "d", "10.33.7.9" },
		{ false, "d", "10.33.7.9" },
		{ true, "e", "10.32.0.0/12" }, /* around what was emptied too */
		{ true, "c", "10.9.9.0/24" }, /* a group that was not there */
		{ true, "d", "2001:db8:1000::/40" },
		{ true, "d", "2001:d00::/24" }, /* a level that was not in use */
		{ true, "e", "2001:db8:1001:100::/56" },
		{ false, "d", "2001:db8:1000::/40" },
		{ false, "c", "2001:db8::/32" },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(changes); i++) {
		struct lz_edit edit = { .add = changes[i].add };
		struct lz_stores stores = {};

		lz_prefix_parse(changes[i].prefix, &edit.prefix, NULL);
		strcpy(edit.set, changes[i].set);
		if (!T_EQ(lz_edit_make(policy, &edit, &err), 0, changes[i].prefix) ||
		    !T_EQ(lz_stores_prepare(image, policy, &edit.prefix, &stores), 0, changes[i].prefix))
			return;
		lz_stores_publish(image, &stores, &live);
		T_EQ(lz_swap_renumber(&view, i + 2, i + 3), 0, "another generation");
		look_at(&edit.prefix);
		look_at_all();
	}
}

static const struct t_case cases[] = {
	{ "finds what was compiled", finds_what_was_compiled },
	{ "finds what was changed", finds_what_was_changed },
};

int main(void)
{
	return room_main(cases, LZ_ARRAY_SIZE(cases), set_up, err.text);
}
