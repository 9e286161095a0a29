/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * preflight_ports.c - what a policy's interfaces are like, before anything touches them.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "datapath/preflight_rows.h"
#include "datapath/xdpquery.h"

/* A native program without frags support in its driver takes one page less its overhead. */
#define MTU_ONE_PAGE 3498

static int check_hook(const struct lz_port_want *w, const struct lz_netdev *dev,
		      struct lz_preflight *report)
{
	char check[48];

	snprintf(check, sizeof(check), "%s: hook", w->name);
	if (w->mode == LZ_ATTACH_XDP && dev->physical)
		return lz_preflight_add(report, LZ_PREFLIGHT_WARN, check,
					"the first attach may flap the link: apply needs --yes",
					"native XDP, driver %s", dev->driver);
	if (w->mode == LZ_ATTACH_XDP_GENERIC)
		return lz_preflight_add(report, LZ_PREFLIGHT_WARN, check,
					"say \"hook\": \"tc\" unless generic XDP is what you want",
					"generic XDP, driver %s", *dev->driver ? dev->driver : "none");
	return lz_preflight_add(report, LZ_PREFLIGHT_OK, check, "", "%s, driver %s",
				lz_attach_mode_words[w->mode], *dev->driver ? dev->driver : "none");
}

/* Our own programs are no news. */
static bool is_ours(const char *name)
{
	return lz_streq(name, "lz_xdp") || lz_streq(name, "lz_tc") || lz_streq(name, "lz_tc_out");
}

static int check_foreign_xdp(const struct lz_port_want *w, struct lz_preflight *report)
{
	struct bpf_prog_info info = {};
	struct lz_xdp_there there;
	__u32 len = sizeof(info);
	lz_autoclose int fd = -1;
	char check[48];

	if (lz_xdp_query(w->ifindex, &there) || there.attached == XDP_ATTACHED_NONE)
		return 0;
	fd = bpf_prog_get_fd_by_id(there.prog_id);
	if (fd < 0 && errno == ENOENT) /* gone since */
		return 0;
	snprintf(check, sizeof(check), "%s: other XDP", w->name);
	if (fd < 0) /* without CAP_SYS_ADMIN nobody is told its name: it may be our own, which enforces */
		return lz_preflight_add(report, LZ_PREFLIGHT_WARN, check, "run the preflight as root to know whose",
					"a program is there (id %u)", there.prog_id);
	bpf_obj_get_info_by_fd(fd, &info, &len);
	if (is_ours(info.name))
		return 0;
	return lz_preflight_add(report, w->mode == LZ_ATTACH_TC ? LZ_PREFLIGHT_WARN : LZ_PREFLIGHT_FAIL,
				check, "take it off, or say \"hook\": \"tc\"",
				"program '%s' (id %u) is there", info.name, there.prog_id);
}

static int check_port(const struct lz_port_want *w, const struct lz_netdev *dev,
		      struct lz_preflight *report)
{
	bool xdp = w->mode == LZ_ATTACH_XDP || w->mode == LZ_ATTACH_XDP_GENERIC;
	char check[48];
	int r = check_hook(w, dev, report);

	if (!r)
		r = check_foreign_xdp(w, report);
	if (!r && xdp && dev->rx_vlan_offload) {
		char todo[80];

		snprintf(check, sizeof(check), "%s: vlan", w->name);
		snprintf(todo, sizeof(todo), "ethtool -K %s rxvlan off", w->name);
		r = lz_preflight_add(report, LZ_PREFLIGHT_WARN, check, todo,
				     "the card strips VLAN tags: XDP does not see them");
	}
	if (!r && xdp && dev->mtu > MTU_ONE_PAGE) {
		snprintf(check, sizeof(check), "%s: mtu", w->name);
		r = lz_preflight_add(report, LZ_PREFLIGHT_WARN, check,
				     "if the attach is refused: lower it, or say \"hook\": \"tc\"",
				     "%u: not every driver has XDP for frames of several pages",
				     dev->mtu);
	}
	if (!r && !dev->up) {
		snprintf(check, sizeof(check), "%s: link", w->name);
		r = lz_preflight_add(report, LZ_PREFLIGHT_WARN, check, "ip link set up", "down");
	}
	return r;
}

static int check_rules(const struct lz_port_rule *rules, size_t n, const struct lz_port_wants *wants,
		       struct lz_preflight *report)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		bool found = false;

		for (size_t j = 0; j < wants->n; j++)
			found |= wants->v[j].rule == i;
		if (!found)
			r = lz_preflight_add(report, LZ_PREFLIGHT_WARN, "interfaces",
					     "none needed if it appears later",
					     "'%s' of %s means no interface now", rules[i].match,
					     rules[i].group);
	}
	return r;
}

int lz_preflight_ports(const struct lz_port_rule *rules, size_t n, struct lz_preflight *report)
{
	struct lz_port_wants wants = {};
	struct lz_netdevs devs = {};
	struct lz_err err = {};
	int r = lz_netdevs_read(NULL, &devs, &err);

	if (!r)
		r = lz_port_wants_resolve(&devs, rules, n, NULL, true, &wants, &err);
	if (r) {
		lz_netdevs_done(&devs);
		return lz_preflight_add(report, LZ_PREFLIGHT_FAIL, "interfaces", "", "%s", err.text);
	}
	if (wants.unfit.text[0])
		r = lz_preflight_add(report, LZ_PREFLIGHT_FAIL, "interfaces", "", "%s", wants.unfit.text);
	if (!r)
		r = check_rules(rules, n, &wants, report);
	for (size_t i = 0; i < wants.n && !r; i++)
		r = check_port(&wants.v[i], lz_netdevs_find(&devs, wants.v[i].ifindex), report);
	lz_port_wants_done(&wants);
	lz_netdevs_done(&devs);
	return r;
}

/* As if a policy named it with "hook": "auto". */
static int check_device(const struct lz_netdevs *devs, const struct lz_netdev *dev,
			struct lz_preflight *report)
{
	struct lz_port_want want = { .ifindex = dev->ifindex, .mode = lz_netdev_auto_mode(devs, dev) };

	memcpy(want.name, dev->name, sizeof(want.name));
	return check_port(&want, dev, report);
}

int lz_preflight_devices(struct lz_preflight *report)
{
	struct lz_netdevs devs = {};
	struct lz_err err = {};
	int r = lz_netdevs_read(NULL, &devs, &err);

	if (r)
		return lz_preflight_add(report, LZ_PREFLIGHT_FAIL, "interfaces", "", "%s", err.text);
	r = lz_preflight_add(report, LZ_PREFLIGHT_WARN, "policy",
			     "give one with --policy FILE, or as /etc/lazaret/policy.json",
			     "none: all interfaces, as \"hook\": \"auto\" would take them");
	for (size_t i = 0; i < devs.n && !r; i++)
		if (!lz_streq(devs.v[i].name, "lo"))
			r = check_device(&devs, &devs.v[i], report);
	lz_netdevs_done(&devs);
	return r;
}
