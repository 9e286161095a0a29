/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_devices.c - which interfaces there are, which a policy means, and what preflight says of them.
 */
#include "prog/attach.h"

static void count_change(void *arg)
{
	++*(int *)arg;
}

static void notices_changes(void)
{
	struct lz_netdev_monitor *m;
	const struct lz_netdev *dev;
	struct lz_netdevs devs = {};
	struct pollfd p = { .events = POLLIN };
	int changes = 0;

	start_afresh();
	if (!T_OK(!lz_netdev_monitor_open(count_change, &changes, &m, &err), err.text))
		return;
	p.fd = lz_netdev_monitor_fd(m);
	room_run("ip addr add 192.0.2.1/24 dev lz-a");
	T_EQ(poll(&p, 1, 2000), 1, "readable");
	T_EQ(lz_netdev_monitor_read(m), 0, "read");
	T_EQ(changes, 1, "told once");
	T_EQ(poll(&p, 1, 0), 0, "nothing left");
	lz_netdev_monitor_close(&m);
	T_OK(!lz_netdevs_read(NULL, &devs, &err), err.text);
	dev = lz_netdevs_find(&devs, if_nametoindex("lz-a"));
	if (T_OK(dev, "lz-a is listed")) {
		T_STR(dev->kind, "veth", "kind");
		T_STR(dev->driver, "veth", "driver");
		T_EQ(dev->addr.ip4, htonl(0xc0000201), "address");
		T_OK(dev->up && !dev->l3 && !dev->physical && !dev->lower, "facts");
		T_EQ(lz_netdev_auto_mode(&devs, dev), LZ_ATTACH_XDP, "auto is native XDP");
	}
	lz_netdevs_done(&devs);
}

static void resolves_and_refuses(void)
{
	struct lz_netdev v[] = {
		{ .name = "eth0", .ifindex = 2, .arphrd = ARPHRD_ETHER, .driver = "ixgbe",
		  .physical = true },
		{ .name = "eth0.5", .ifindex = 3, .arphrd = ARPHRD_ETHER, .kind = "vlan", .lower = 2 },
		{ .name = "bond0", .ifindex = 4, .arphrd = ARPHRD_ETHER, .kind = "bond" },
		{ .name = "eth1", .ifindex = 5, .arphrd = ARPHRD_ETHER, .driver = "ixgbe",
		  .master = 4, .pppoe = true },
		{ .name = "bond0.7", .ifindex = 6, .arphrd = ARPHRD_ETHER, .kind = "vlan", .lower = 4 },
		{ .name = "ppp0", .ifindex = 7, .arphrd = ARPHRD_PPP, .l3 = true },
		{ .name = "tap9", .ifindex = 65538, .arphrd = ARPHRD_ETHER, .driver = "tun" },
	};
	static const struct {
		const char *a, *b;
		const char *why; /* NULL: may stand side by side */
	} rows[] = {
		{ "eth0", "eth0.*", "one runs over the other" },
		{ "eth1", "bond0", "one runs over the other" },
		{ "eth1", "bond0.7", "one runs over the other" },
		{ "eth1", "ppp*", "PPPoE sessions run over" },
		{ "eth0.5", "bond0.7", NULL },
		{ "eth0", "ppp*", NULL },
	};
	struct lz_netdevs devs = { v, LZ_ARRAY_SIZE(v), 0 };
	struct lz_port_rule rules[2] = { { .group = "x", .role = LZ_ROLE_CUSTOMER, .egress = 1 },
					 { .group = "y", .role = LZ_ROLE_CUSTOMER } };
	struct lz_attachments none = {};
	struct lz_port_wants w = {};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		snprintf(rules[0].match, sizeof(rules[0].match), "%s", rows[i].a);
		snprintf(rules[1].match, sizeof(rules[1].match), "%s", rows[i].b);
		T_EQ(lz_port_wants_resolve(&devs, rules, 2, NULL, true, &w, &err), rows[i].why ? -EINVAL : 0,
		     rows[i].b);
		if (rows[i].why)
			T_HAS(err.text, rows[i].why, "the reason");
		if (!rows[i].why)
			continue;
		T_EQ(lz_port_wants_resolve(&devs, rules, 2, NULL, false, &w, &err), 0, "but one that stands");
		T_HAS(w.unfit.text, rows[i].why, "the reason again");
		T_OK(w.n == 2 && !w.v[0].unfit && w.v[1].unfit, "the second goes without a hook");
		lz_port_wants_done(&w);
	}
	T_EQ(w.n, 2, "eth0 and ppp0");
	T_EQ(w.v[0].mode, LZ_ATTACH_XDP, "eth0: native XDP");
	T_OK(w.v[0].egress && !w.v[1].egress, "return hook where the rule says so");
	T_EQ(w.v[1].mode, LZ_ATTACH_TC, "ppp0: tc");
	T_STR(lz_port_wants_first_xdp(&w, &none), "eth0", "its link may flap");
	lz_port_wants_done(&w);
	rules[1].hook = LZ_WANT_XDP;
	T_EQ(lz_port_wants_resolve(&devs, rules, 2, NULL, true, &w, &err), -EINVAL, "native XDP on ppp");
	rules[1] = rules[0];
	rules[1].role = LZ_ROLE_UPLINK;
	T_EQ(lz_port_wants_resolve(&devs, rules, 2, NULL, true, &w, &err), -EINVAL, "two sides");
	T_HAS(err.text, "both mean it", "says so");
}

/* After 65,536 sessions: nobody's mistake, and who has a hook keeps it. */
static void numbers_come_round(void)
{
	struct lz_netdev v[] = {
		{ .name = "ppp0", .ifindex = 2, .arphrd = ARPHRD_PPP, .l3 = true },
		{ .name = "ppp1", .ifindex = 3, .arphrd = ARPHRD_PPP, .l3 = true },
		{ .name = "ppp2", .ifindex = 65538, .arphrd = ARPHRD_PPP, .l3 = true },
	};
	struct lz_netdevs devs = { v, LZ_ARRAY_SIZE(v), 0 };
	struct lz_port_rule rule = { .group = "x", .match = "ppp*", .role = LZ_ROLE_CUSTOMER };
	struct lz_attachment hook = { .ifindex = 65538, .mode = LZ_ATTACH_TC };
	struct lz_attachments have = { &hook, 1, 1 };
	struct lz_port_wants w = {};

	T_EQ(lz_port_wants_resolve(&devs, &rule, 1, &have, true, &w, &err), 0, "no policy is refused for it");
	T_HAS(w.unfit.text, "same low 16 bits", "but it is told");
	T_EQ(w.n, 3, "all are known");
	T_OK(!w.v[0].unfit && w.v[0].ifindex == 65538, "who has a hook keeps it");
	T_OK(w.v[1].unfit && w.v[1].ifindex == 2, "the other has none");
	T_OK(!w.v[2].unfit, "a third is not concerned");
	lz_port_wants_done(&w);
}

static void looks_before_it_leaps(void)
{
	struct lz_port_rule rule = { .group = "access", .match = "lz-a", .role = LZ_ROLE_CUSTOMER };
	struct lz_preflight_input input = { .rules = &rule, .n_rules = 1, .memory_bytes = 1 << 20 };
	lz_autoclose int prog = load_dummy(BPF_PROG_TYPE_XDP, XDP_PASS);
	struct lz_preflight report = {};
	lz_autojson cJSON *json = NULL;
	lz_autostr struct lz_str text = {};

	start_afresh();
	T_OK(!lz_preflight_run(&input, &report), "run");
	T_OK(!lz_preflight_print(&report, SIZE_MAX, &text), "print");
	T_HAS(text.data, "lz-a: hook", "the interface's hook");
	T_HAS(text.data, "xdp, driver veth", "is native XDP");
	T_HAS(text.data, "needs 1MiB of ", "memory");
	if (!T_OK(lz_preflight_worst(&report) < LZ_PREFLIGHT_FAIL, "this machine will do"))
		t_show("report", text.data);
	json = lz_preflight_json(&report);
	T_EQ(cJSON_GetArraySize(json), report.n, "as many in JSON");
	lz_preflight_done(&report);
	lz_str_done(&text);
	T_EQ(bpf_xdp_attach(if_nametoindex("lz-a"), prog, XDP_FLAGS_DRV_MODE, NULL), 0, "somebody's");
	T_OK(!lz_preflight_run(&input, &report), "run");
	T_OK(!lz_preflight_print(&report, SIZE_MAX, &text), "print");
	T_HAS(text.data, "program 'lz_foreign' (id ", "a foreign program is named");
	T_EQ(lz_preflight_worst(&report), LZ_PREFLIGHT_FAIL, "and fails the report");
	lz_preflight_done(&report);
}

static const struct t_case cases[] = {
	{ "changes of interfaces", notices_changes },
	{ "which interfaces a policy means", resolves_and_refuses },
	{ "numbers of interfaces come round", numbers_come_round },
	{ "preflight", looks_before_it_leaps },
};

int main(void)
{
	return attach_run(cases, LZ_ARRAY_SIZE(cases), false);
}
