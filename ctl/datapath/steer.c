/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* steer.c - rules and routes by libnl, listening sockets and their map; see steer.h. */
#include "datapath/steer.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <lazaret/abi.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define BACKLOG 1024

static const int families[] = { AF_INET, AF_INET6 };

static int open_netlink(struct nl_sock **ret, struct lz_err *reterr)
{
	struct nl_sock *nl = nl_socket_alloc();
	int r = nl ? nl_connect(nl, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0) {
		nl_socket_free(nl);
		return lz_err_set(reterr, EIO, "portal: netlink: %s", nl_geterror(r));
	}
	*ret = nl;
	return 0;
}

static struct rtnl_rule *make_rule(int family)
{
	struct rtnl_rule *rule = rtnl_rule_alloc();

	if (!rule)
		return NULL;
	rtnl_rule_set_family(rule, family);
	rtnl_rule_set_prio(rule, LZ_STEER_PRIORITY);
	rtnl_rule_set_mark(rule, LZ_MARK_STEER);
	rtnl_rule_set_mask(rule, 0xffffffff);
	rtnl_rule_set_table(rule, LZ_STEER_TABLE);
	rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
	return rule;
}

static struct rtnl_route *make_route(int family)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *any = nl_addr_build(family, NULL, 0);

	if (!route || !hop || !any) {
		rtnl_route_put(route);
		rtnl_route_nh_free(hop);
		nl_addr_put(any);
		return NULL;
	}
	rtnl_route_set_family(route, (uint8_t)family);
	rtnl_route_set_table(route, LZ_STEER_TABLE);
	rtnl_route_set_type(route, RTN_LOCAL);
	rtnl_route_set_scope(route, family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE);
	rtnl_route_set_protocol(route, RTPROT_STATIC);
	rtnl_route_set_dst(route, any);
	nl_addr_put(any);
	rtnl_route_nh_set_ifindex(hop, (int)if_nametoindex("lo"));
	rtnl_route_add_nexthop(route, hop);
	return route;
}

/* Not there, or switched off for the loopback (disable_ipv6: EACCES). */
static bool is_no_family(int r)
{
	return r == -NLE_AF_NOSUPPORT || r == -NLE_OPNOTSUPP || r == -NLE_NOACCESS;
}

/* ---------------------------------------------------------------- foreign rules */

/* Where the kernel would send a led packet that says nothing but its mark and where it wants to go. */
struct fate {
	bool known; /* else it is unreachable, or no such family is here */
	bool here;
	__u32 table;
};

/* Addresses that only a default route covers: a.root-servers.net. */
static const __u8 probe4[4] = { 198, 41, 0, 4 };
static const __u8 probe6[16] = { 0x20, 0x01, 0x05, 0x03, 0xba, 0x3e, [13] = 2, [15] = 0x30 };

static bool is_delivered(const struct fate *fate)
{
	return fate->known && fate->here && fate->table == LZ_STEER_TABLE;
}

static int on_route(struct nl_msg *msg, void *arg)
{
	const struct rtmsg *route = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *attr = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(*route), RTA_TABLE);
	struct fate *fate = arg;

	fate->known = true;
	fate->here = route->rtm_type == RTN_LOCAL;
	fate->table = attr ? nla_get_u32(attr) : route->rtm_table;
	return NL_OK;
}

static struct nl_msg *make_question(int family)
{
	struct rtmsg head = {
		.rtm_family = (unsigned char)family,
		.rtm_dst_len = family == AF_INET ? 32 : 128,
		.rtm_flags = RTM_F_LOOKUP_TABLE,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, 0);

	if (msg && (nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO) < 0 ||
		    nla_put(msg, RTA_DST, family == AF_INET ? sizeof(probe4) : sizeof(probe6),
			    family == AF_INET ? probe4 : probe6) < 0 ||
		    nla_put_u32(msg, RTA_MARK, LZ_MARK_STEER) < 0)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int ask_fate(struct nl_sock *nl, int family, struct fate *ret)
{
	struct nl_msg *msg = make_question(family);
	int r = -NLE_NOMEM;

	*ret = (struct fate){ 0 };
	if (msg)
		r = nl_socket_modify_cb(nl, NL_CB_VALID, NL_CB_CUSTOM, on_route, ret);
	if (r >= 0)
		r = nl_send_auto(nl, msg);
	nlmsg_free(msg);
	if (r >= 0)
		nl_recvmsgs_default(nl); /* its errors are answers, too: unreachable */
	return r < 0 ? r : 0;
}

static bool is_ours(struct rtnl_rule *rule)
{
	return rtnl_rule_get_prio(rule) == LZ_STEER_PRIORITY &&
	       rtnl_rule_get_table(rule) == LZ_STEER_TABLE && rtnl_rule_get_mark(rule) == LZ_MARK_STEER;
}

/* Is it asked before ours, or in its place? The first of all is the kernel's own, for its addresses. */
static bool is_before(struct rtnl_rule *rule)
{
	__u32 prio = rtnl_rule_get_prio(rule);

	return !is_ours(rule) && prio <= LZ_STEER_PRIORITY && rtnl_rule_get_action(rule) != FR_ACT_NOP &&
	       (prio || rtnl_rule_get_table(rule) != RT_TABLE_LOCAL);
}

static bool is_for_our_mark(struct rtnl_rule *rule)
{
	__u32 mask = rtnl_rule_get_mask(rule);

	return mask && rtnl_rule_get_mark(rule) == (LZ_MARK_STEER & mask);
}

/* Only for some sources, or what one interface received: the kernel was asked about neither. */
static bool is_for_some(struct rtnl_rule *rule)
{
	const char *iif = rtnl_rule_get_iif(rule);

	return (rtnl_rule_get_src(rule) && nl_addr_get_prefixlen(rtnl_rule_get_src(rule))) ||
	       (iif && strcmp(iif, "lo"));
}

/* Can it be what made the kernel's answer another than ours? "not", which libnl does not show, makes a
 * rule for another mark one for ours: so its table decides. */
static bool has_taken(struct rtnl_rule *rule, const struct fate *fate)
{
	switch (rtnl_rule_get_action(rule)) {
	case FR_ACT_TO_TBL:
		return fate->known && rtnl_rule_get_table(rule) == fate->table;
	case FR_ACT_GOTO:
		return rtnl_rule_get_goto(rule) > LZ_STEER_PRIORITY;
	default:
		return !fate->known;
	}
}

static int say_rule(struct rtnl_rule *rule, const char *what, struct lz_err *reterr)
{
	char from[64] = "all", to[24];
	const char *iif = rtnl_rule_get_iif(rule);
	bool table = rtnl_rule_get_action(rule) == FR_ACT_TO_TBL;

	if (rtnl_rule_get_src(rule))
		nl_addr2str(rtnl_rule_get_src(rule), from, sizeof(from));
	snprintf(to, sizeof(to), "%s %u", table ? "table" : "action",
		 table ? rtnl_rule_get_table(rule) : rtnl_rule_get_action(rule));
	return lz_err_set(reterr, EEXIST,
			  "portal: ip%s rule %u (fwmark 0x%x/0x%x, from %s%s%s, %s) is %s %d: fwmark 0x%x; "
			  "give it another mark, or a priority above %d",
			  rtnl_rule_get_family(rule) == AF_INET6 ? " -6" : "", rtnl_rule_get_prio(rule),
			  rtnl_rule_get_mark(rule), rtnl_rule_get_mask(rule), from, iif ? " iif " : "",
			  iif ? iif : "", to, what, LZ_STEER_PRIORITY, LZ_MARK_STEER, LZ_STEER_PRIORITY);
}

/* Rules of one family against the kernel's answer. 1: one stands before ours for some packets. */
static int judge_rules(struct nl_cache *cache, int family, const struct fate *fate, struct lz_err *reterr)
{
	struct rtnl_rule *taker = NULL, *some = NULL;
	bool ours = false;

	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_rule *rule = (struct rtnl_rule *)o;

		if (rtnl_rule_get_family(rule) != family)
			continue;
		ours |= is_ours(rule);
		if (!is_before(rule))
			continue;
		if (rtnl_rule_get_prio(rule) == LZ_STEER_PRIORITY || is_for_our_mark(rule))
			return say_rule(rule, "in the way of", reterr);
		if (is_for_some(rule))
			some = some ?: rule;
		else if (has_taken(rule, fate))
			taker = taker ?: rule;
	}
	if (ours && fate->known && !taker && fate->table != LZ_STEER_TABLE)
		return lz_err_set(reterr, EEXIST, "portal: led packets go to table %u instead of %d",
				  fate->table, LZ_STEER_TABLE);
	if (ours && is_delivered(fate))
		taker = NULL;
	/* Without ours, the main table may have answered after it, and not before. */
	if (taker && (ours || fate->table != RT_TABLE_MAIN))
		return say_rule(taker, "in the way of", reterr);
	if (some)
		say_rule(some, "for some, before", reterr);
	return some != NULL;
}

int lz_steer_look(struct lz_err *reterr)
{
	struct nl_sock *nl;
	struct fate fate;
	bool delivered = true;
	int r = open_netlink(&nl, reterr);

	if (r < 0)
		return r;
	nl_socket_disable_auto_ack(nl);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(families) && delivered; i++)
		delivered = ask_fate(nl, families[i], &fate) == 0 && is_delivered(&fate);
	nl_socket_free(nl);
	return delivered ? 0 : lz_steer_check(reterr);
}

int lz_steer_check(struct lz_err *reterr)
{
	struct nl_cache *cache = NULL;
	struct nl_sock *nl;
	struct fate fate;
	int some = 0, r = open_netlink(&nl, reterr);

	if (r < 0)
		return r;
	r = rtnl_rule_alloc_cache(nl, AF_UNSPEC, &cache);
	nl_socket_disable_auto_ack(nl);
	if (r < 0)
		lz_err_set(reterr, EIO, "portal: cannot read ip rules: %s", nl_geterror(r));
	for (size_t i = 0; i < LZ_ARRAY_SIZE(families) && r >= 0; i++) {
		r = ask_fate(nl, families[i], &fate);
		if (r < 0) {
			lz_err_set(reterr, EIO, "portal: cannot ask for a route: %s", nl_geterror(r));
			break;
		}
		r = judge_rules(cache, families[i], &fate, reterr);
		some |= r > 0;
	}
	nl_socket_free(nl);
	nl_cache_free(cache);
	return r == -EEXIST ? r : r < 0 ? -EIO : some;
}

/* ---------------------------------------------------------------- put there, take away */

/* Returns 1 if it was missing, 0 if it was there, or a libnl error. */
static int add_rule(struct nl_sock *nl, int family)
{
	struct rtnl_rule *rule = make_rule(family);
	int r = rule ? rtnl_rule_add(nl, rule, NLM_F_CREATE | NLM_F_EXCL) : -NLE_NOMEM;

	rtnl_rule_put(rule);
	return r == -NLE_EXIST ? 0 : r < 0 ? r : 1;
}

static int add_route(struct nl_sock *nl, int family)
{
	struct rtnl_route *route = make_route(family);
	int r = route ? rtnl_route_add(nl, route, NLM_F_CREATE | NLM_F_EXCL) : -NLE_NOMEM;

	rtnl_route_put(route);
	return r == -NLE_EXIST ? 0 : r < 0 ? r : 1;
}

int lz_steer_ensure(struct lz_err *reterr)
{
	struct nl_sock *nl;
	int made = 0, r = open_netlink(&nl, reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; i < LZ_ARRAY_SIZE(families) && r >= 0; i++) {
		/* The route first: a rule into an empty table sends packets on to the next rule. */
		r = add_route(nl, families[i]);
		if (r >= 0) {
			made += r;
			r = add_rule(nl, families[i]);
			made += r > 0;
		}
		if (families[i] == AF_INET6 && is_no_family(r))
			r = 0;
		if (r < 0)
			lz_err_set(reterr, EIO, "portal: cannot set ip%s rule or route: %s",
				   families[i] == AF_INET ? "" : " -6", nl_geterror(r));
	}
	nl_socket_free(nl);
	return r < 0 ? -EIO : made;
}

static int remove_one(struct nl_sock *nl, int family)
{
	struct rtnl_rule *rule = make_rule(family);
	struct rtnl_route *route = make_route(family);
	int r = rule && route ? rtnl_rule_delete(nl, rule, 0) : -NLE_NOMEM;

	if (r == -NLE_OBJ_NOTFOUND || is_no_family(r))
		r = 0;
	if (r == 0)
		r = rtnl_route_delete(nl, route, 0);
	if (r == -NLE_OBJ_NOTFOUND || r == -NLE_FAILURE || is_no_family(r))
		r = 0;
	rtnl_rule_put(rule);
	rtnl_route_put(route);
	return r;
}

int lz_steer_remove(struct lz_err *reterr)
{
	struct nl_sock *nl;
	int r = open_netlink(&nl, reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; i < LZ_ARRAY_SIZE(families) && !r; i++)
		r = remove_one(nl, families[i]);
	nl_socket_free(nl);
	return r < 0 ? lz_err_set(reterr, EIO, "portal: cannot remove ip rule or route: %s",
				  nl_geterror(r)) : 0;
}

/* ---------------------------------------------------------------- sockets */

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_options(int fd, int family, bool led)
{
	int r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	r = r ?: set_option(fd, SOL_SOCKET, SO_MARK, (int)LZ_MARK_REPLY);
	if (family == AF_INET6)
		r = r ?: set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	/* One flag of the socket under two names: either lets it answer as whoever was asked. */
	if (led)
		return r ?: set_option(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
	/* Its address may come later, by DHCP or when this machine takes over from another. */
	return r ?: set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
}

static int bind_to(int fd, int family, const struct lz_addr *addr, __u16 port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				     .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	if (addr && family == AF_INET)
		memcpy(&sin.sin_addr, addr->bytes, 4);
	else if (addr)
		memcpy(&sin6.sin6_addr, addr->bytes, 16);
	if (family == AF_INET ? bind(fd, (struct sockaddr *)&sin, sizeof(sin)) :
				bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)))
		return -errno;
	return listen(fd, BACKLOG) ? -errno : 0;
}

int lz_steer_listen(int family, const struct lz_addr *addr, __u16 port, struct lz_err *reterr)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[LZ_ADDR_TEXT_MAX] = "loopback";
	int r = fd < 0 ? -errno : set_options(fd, family, !addr);

	if (r == 0)
		r = bind_to(fd, family, addr, port);
	if (r == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	if (addr)
		lz_addr_format(addr, text);
	return lz_err_set(reterr, -r, "cannot listen on %s port %u: %s", text, port,
			  strerror(-r));
}

int lz_steer_show(int map_fd, __u32 row, int fd)
{
	__u64 value = (__u64)fd;

	if (fd >= 0)
		return bpf_map_update_elem(map_fd, &row, &value, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(map_fd, &row) && errno != ENOENT && errno != EINVAL ? -errno : 0;
}
