/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * netdev.c - read interfaces and addresses, follow changes: rtnetlink through libnl.
 */
#include "datapath/netdev.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* Frames of these begin at the IP header. */
static bool is_headerless(unsigned int arphrd)
{
	switch (arphrd) {
	case ARPHRD_PPP:
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
		return true;
	default:
		return false;
	}
}

/* Of these kinds alone the "link" of rtnetlink is a device whose frames they share; of a veth it is
 * the peer. */
static bool shares_lower(const char *kind)
{
	static const char *const kinds[] = { "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap" };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(kinds); i++)
		if (lz_streq(kind, kinds[i]))
			return true;
	return false;
}

static void ask_ethtool(int sock, struct lz_netdev *dev)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq ask = { .ifr_data = (char *)&info };

	memcpy(ask.ifr_name, dev->name, sizeof(ask.ifr_name));
	if (!ioctl(sock, SIOCETHTOOL, &ask))
		snprintf(dev->driver, sizeof(dev->driver), "%.31s", info.driver);
	ask.ifr_data = (char *)&flags;
	if (!ioctl(sock, SIOCETHTOOL, &ask))
		dev->rx_vlan_offload = flags.data & ETH_FLAG_RXVLAN;
}

static struct lz_netdev *find_dev(const struct lz_netdevs *list, __u32 ifindex);

/* Of an interface that was seen before its driver is known: two calls that each wait for the lock of all
 * network configuration, for each of thousands of interfaces. */
static void ask_driver(const struct lz_netdevs *known, int sock, struct lz_netdev *dev)
{
	const struct lz_netdev *seen = known ? find_dev(known, dev->ifindex) : NULL;

	if (!seen || !lz_streq(seen->name, dev->name) || !lz_streq(seen->kind, dev->kind)) {
		ask_ethtool(sock, dev);
		return;
	}
	memcpy(dev->driver, seen->driver, sizeof(dev->driver));
	dev->rx_vlan_offload = seen->rx_vlan_offload;
}

static void describe(struct rtnl_link *link, const struct lz_netdevs *known, int sock, struct lz_netdev *dev)
{
	const char *kind = rtnl_link_get_type(link);
	uint32_t changes = 0;

	snprintf(dev->name, sizeof(dev->name), "%s", rtnl_link_get_name(link));
	snprintf(dev->kind, sizeof(dev->kind), "%s", kind ? kind : "");
	dev->ifindex = rtnl_link_get_ifindex(link);
	dev->master = rtnl_link_get_master(link);
	dev->mtu = rtnl_link_get_mtu(link);
	dev->arphrd = rtnl_link_get_arptype(link);
	dev->up = rtnl_link_get_flags(link) & IFF_UP;
	dev->l3 = is_headerless(dev->arphrd);
	if (shares_lower(dev->kind) && rtnl_link_get_link_netnsid(link, (int32_t[1]){}) < 0)
		dev->lower = rtnl_link_get_link(link);
	if (!rtnl_link_get_carrier_changes(link, &changes))
		dev->carrier_changes = changes;
	ask_driver(known, sock, dev);
	dev->physical = !*dev->kind && *dev->driver && dev->arphrd == ARPHRD_ETHER;
}

static struct lz_netdev *find_dev(const struct lz_netdevs *list, __u32 ifindex)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (list->v[mid].ifindex < ifindex)
			low = mid + 1;
		else
			high = mid;
	}
	return low < list->n && list->v[low].ifindex == ifindex ? &list->v[low] : NULL;
}

const struct lz_netdev *lz_netdevs_find(const struct lz_netdevs *list, __u32 ifindex)
{
	return find_dev(list, ifindex);
}

static int compare_devs(const void *a, const void *b)
{
	const struct lz_netdev *x = a, *y = b;

	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

static int read_links(struct nl_sock *nl, const struct lz_netdevs *known, int sock, struct lz_netdevs *list)
{
	struct nl_cache *cache;
	int r = rtnl_link_alloc_cache(nl, AF_UNSPEC, &cache);

	if (r < 0)
		return r;
	for (struct nl_object *o = nl_cache_get_first(cache); o && !r; o = nl_cache_get_next(o)) {
		if (lz_array_grow(&list->v, &list->cap, list->n + 1, sizeof(*list->v))) {
			r = -NLE_NOMEM;
			break;
		}
		memset(&list->v[list->n], 0, sizeof(*list->v));
		describe((struct rtnl_link *)o, known, sock, &list->v[list->n++]);
	}
	nl_cache_free(cache);
	if (list->n)
		lz_array_sort(list->v, list->n, sizeof(*list->v), compare_devs);
	return r;
}

/* The first global address of each family is what a refusal comes from. */
static int read_addrs(struct nl_sock *nl, struct lz_netdevs *list)
{
	struct nl_cache *cache;
	int r = rtnl_addr_alloc_cache(nl, &cache);

	if (r < 0)
		return r;
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		struct lz_netdev *dev = find_dev(list, rtnl_addr_get_ifindex(a));
		struct nl_addr *local = rtnl_addr_get_local(a);
		static const __u8 none[16];

		if (!dev || !local || rtnl_addr_get_scope(a) != RT_SCOPE_UNIVERSE)
			continue;
		if (rtnl_addr_get_family(a) == AF_INET && !dev->addr.ip4)
			memcpy(&dev->addr.ip4, nl_addr_get_binary_addr(local), 4);
		else if (rtnl_addr_get_family(a) == AF_INET6 && !memcmp(dev->addr.ip6, none, 16))
			memcpy(dev->addr.ip6, nl_addr_get_binary_addr(local), 16);
	}
	nl_cache_free(cache);
	return 0;
}

/* Which devices carry PPPoE sessions: the last column. No such file: no PPPoE in this kernel. */
static void read_pppoe(struct lz_netdevs *list)
{
	char line[128], device[32];
	FILE *f = fopen("/proc/net/pppoe", "re");

	while (f && fgets(line, sizeof(line), f))
		for (size_t i = 0; sscanf(line, "%*s %*s %31s", device) == 1 && i < list->n; i++)
			if (lz_streq(list->v[i].name, device))
				list->v[i].pppoe = true;
	if (f)
		fclose(f);
}

int lz_netdevs_read(const struct lz_netdevs *known, struct lz_netdevs *ret, struct lz_err *reterr)
{
	struct nl_sock *nl = nl_socket_alloc();
	struct lz_netdevs list = {};
	lz_autoclose int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = nl ? nl_connect(nl, NETLINK_ROUTE) : -NLE_NOMEM;

	if (!r)
		r = read_links(nl, known, sock, &list);
	if (!r)
		r = read_addrs(nl, &list);
	nl_socket_free(nl);
	if (r) {
		lz_netdevs_done(&list);
		return lz_err_set(reterr, r == -NLE_NOMEM ? ENOMEM : EIO,
				  "interfaces: cannot read: %s", nl_geterror(r));
	}
	read_pppoe(&list);
	*ret = list;
	return 0;
}

void lz_netdevs_done(struct lz_netdevs *list)
{
	free(list->v);
	memset(list, 0, sizeof(*list));
}

/* ---------------------------------------------------------------- changes */

struct lz_netdev_monitor {
	struct nl_sock *nl;
	void (*on_change)(void *arg);
	void *arg;
	bool changed;
};

static int note_change(struct nl_msg *msg, void *arg)
{
	struct lz_netdev_monitor *m = arg;

	(void)msg;
	m->changed = true;
	return NL_OK;
}

static int connect_monitor(struct lz_netdev_monitor *m)
{
	int r;

	nl_socket_disable_seq_check(m->nl);
	nl_socket_modify_cb(m->nl, NL_CB_VALID, NL_CB_CUSTOM, note_change, m);
	r = nl_connect(m->nl, NETLINK_ROUTE);
	if (!r)
		r = nl_socket_add_memberships(m->nl, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
					      RTNLGRP_IPV6_IFADDR, 0);
	return r ? r : nl_socket_set_nonblocking(m->nl);
}

int lz_netdev_monitor_open(void (*on_change)(void *arg), void *arg, struct lz_netdev_monitor **ret,
			   struct lz_err *reterr)
{
	struct lz_netdev_monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return lz_err_set(reterr, ENOMEM, "interfaces: out of memory");
	m->on_change = on_change;
	m->arg = arg;
	m->nl = nl_socket_alloc();
	r = m->nl ? connect_monitor(m) : -NLE_NOMEM;
	if (r) {
		lz_netdev_monitor_close(&m);
		return lz_err_set(reterr, EIO, "interfaces: cannot follow changes: %s",
				  nl_geterror(r));
	}
	*ret = m;
	return 0;
}

int lz_netdev_monitor_fd(const struct lz_netdev_monitor *monitor)
{
	return nl_socket_get_fd(monitor->nl);
}

int lz_netdev_monitor_read(struct lz_netdev_monitor *monitor)
{
	int r;

	do {
		r = nl_recvmsgs_default(monitor->nl);
		/* Messages were lost: something has changed. */
		if (r == -NLE_NOMEM)
			monitor->changed = true;
	} while (r >= 0 || r == -NLE_NOMEM);
	if (monitor->changed) {
		monitor->changed = false;
		monitor->on_change(monitor->arg);
	}
	return r == -NLE_AGAIN ? 0 : -EIO;
}

void lz_netdev_monitor_close(struct lz_netdev_monitor **monitor)
{
	if (!*monitor)
		return;
	nl_socket_free((*monitor)->nl);
	free(*monitor);
	*monitor = NULL;
}
