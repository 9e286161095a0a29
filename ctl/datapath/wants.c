/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wants.c - from a policy's rules and the interfaces there are to ports with a role and a hook. Pure.
 */
#include <errno.h>
#include <fnmatch.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "datapath/netdev.h"

#define STACK_DEPTH_MAX 8 /* VLAN over VLAN over bond over member, and some room */

/* Drivers whose native XDP is in use at many sites and in the kernel's own tests. Others may well
 * work: "hook": "xdp" says so. */
static const char *const safe_drivers[] = {
	"veth",	    "virtio_net", "ixgbe", "i40e", "ice",    "mlx5_core", "mlx4_en", "ena",
	"igb",	    "igc",	  "bnxt_en", "nfp", "qede",  "gve",	  "mana",    "tun",
};

static bool is_bond(const struct lz_netdev *dev)
{
	return dev && (lz_streq(dev->kind, "bond") || lz_streq(dev->kind, "team"));
}

enum lz_attach_mode lz_netdev_auto_mode(const struct lz_netdevs *devs, const struct lz_netdev *dev)
{
	/* A program on a member would see what the bond gives to another member, or nothing. */
	if (dev->l3 || dev->arphrd != ARPHRD_ETHER || is_bond(lz_netdevs_find(devs, dev->master)))
		return LZ_ATTACH_TC;
	for (size_t i = 0; i < LZ_ARRAY_SIZE(safe_drivers); i++)
		if (lz_streq(dev->driver, safe_drivers[i]))
			return LZ_ATTACH_XDP;
	return LZ_ATTACH_TC;
}

/* Do frames of @upper pass through @below too? */
static bool is_below(const struct lz_netdevs *devs, const struct lz_netdev *below,
		     const struct lz_netdev *upper, int depth)
{
	const struct lz_netdev *next;

	if (below->ifindex == upper->lower || below->master == upper->ifindex)
		return true;
	if (!depth)
		return false;
	next = upper->lower ? lz_netdevs_find(devs, upper->lower) : NULL;
	if (next && is_below(devs, below, next, depth - 1))
		return true;
	next = below->master ? lz_netdevs_find(devs, below->master) : NULL;
	return next && is_below(devs, next, upper, depth - 1);
}

static int check_pair(const struct lz_netdevs *devs, const struct lz_port_want *a,
		      const struct lz_port_want *b, struct lz_err *reterr)
{
	const struct lz_netdev *x, *y;

	if ((a->ifindex & (LZ_PORTS_SIZE - 1)) == (b->ifindex & (LZ_PORTS_SIZE - 1)))
		return lz_err_set(reterr, EADDRINUSE,
				  "%s: cannot stand beside %s: their ifindexes %u and %u have the same "
				  "low 16 bits; re-create one of them", a->name, b->name, a->ifindex,
				  b->ifindex);
	if (a->alone && b->alone)
		return 0;
	x = lz_netdevs_find(devs, a->ifindex);
	y = lz_netdevs_find(devs, b->ifindex);
	if (is_below(devs, x, y, STACK_DEPTH_MAX) || is_below(devs, y, x, STACK_DEPTH_MAX))
		return lz_err_set(reterr, EINVAL,
				  "%s: cannot stand beside %s: one runs over the other, so packets would "
				  "be judged twice; name only one of them", a->name, b->name);
	if ((x->pppoe && y->arphrd == ARPHRD_PPP) || (y->pppoe && x->arphrd == ARPHRD_PPP))
		return lz_err_set(reterr, EINVAL,
				  "%s: cannot stand beside %s: PPPoE sessions run over the Ethernet port, "
				  "so packets would be judged twice; name only the ppp devices",
				  a->name, b->name);
	return 0;
}

static int choose_mode(const struct lz_netdevs *devs, const struct lz_netdev *dev,
		       const struct lz_port_rule *rule, enum lz_attach_mode *ret,
		       struct lz_err *reterr)
{
	static const enum lz_attach_mode modes[] = {
		[LZ_WANT_XDP] = LZ_ATTACH_XDP,
		[LZ_WANT_XDP_GENERIC] = LZ_ATTACH_XDP_GENERIC,
		[LZ_WANT_TC] = LZ_ATTACH_TC,
	};

	if (rule->hook == LZ_WANT_AUTO) {
		*ret = lz_netdev_auto_mode(devs, dev);
		return 0;
	}
	if (rule->hook >= LZ_ARRAY_SIZE(modes))
		return lz_err_set(reterr, EINVAL, "%s: no such hook: %u", rule->group, rule->hook);
	*ret = modes[rule->hook];
	if (*ret != LZ_ATTACH_TC && dev->l3)
		return lz_err_set(reterr, EINVAL,
				  "%s: \"hook\": \"%s\": frames without a link header; say \"tc\" or "
				  "\"auto\"", dev->name, lz_attach_mode_words[*ret]);
	return 0;
}

/* Does it fit beside those that come before it? 0, -EINVAL or -EADDRINUSE. */
static int check_fit(const struct lz_netdevs *devs, const struct lz_port_wants *list,
		     const struct lz_port_want *w, struct lz_err *reterr)
{
	int r = 0;

	for (size_t i = 0; i < list->n && !r; i++)
		if (!list->v[i].unfit)
			r = check_pair(devs, &list->v[i], w, reterr);
	return r;
}

static int want(const struct lz_netdevs *devs, const struct lz_netdev *dev,
		const struct lz_port_rule *rules, __u32 rule, bool hooked, bool strict,
		struct lz_port_wants *list, struct lz_err *reterr)
{
	struct lz_port_want w = {
		.ifindex = dev->ifindex,
		.rule = rule,
		.role = rules[rule].role,
		.egress = rules[rule].egress && rules[rule].role == LZ_ROLE_CUSTOMER,
		.l3 = dev->l3,
		.physical = dev->physical,
		.alone = !dev->lower && !dev->master && !dev->pppoe,
		.addr = dev->addr,
	};
	struct lz_err why = { "" };
	int r;

	memcpy(w.name, dev->name, sizeof(w.name));
	r = choose_mode(devs, dev, &rules[rule], &w.mode, &why);
	if (!r)
		r = check_fit(devs, list, &w, &why);
	w.unfit = r && !hooked;
	w.clash = r && hooked;
	if (r && strict && r != -EADDRINUSE)
		return lz_err_set(reterr, -r, "%s", why.text);
	if (r && !list->unfit.text[0])
		list->unfit = why;
	if (lz_array_grow(&list->v, &list->cap, list->n + 1, sizeof(*list->v)))
		return lz_err_set(reterr, ENOMEM, "interfaces: out of memory");
	list->v[list->n++] = w;
	return 0;
}

static int match_dev(const struct lz_netdevs *devs, const struct lz_netdev *dev,
		     const struct lz_port_rule *rules, size_t n, bool hooked, bool strict,
		     struct lz_port_wants *list, struct lz_err *reterr)
{
	size_t found = n;
	struct lz_err why;

	for (size_t i = 0; i < n; i++) {
		if (fnmatch(rules[i].match, dev->name, 0))
			continue;
		if (found == n) {
			found = i;
			continue;
		}
		if (rules[i].role == rules[found].role && rules[i].hook == rules[found].hook)
			continue;
		lz_err_set(&why, EINVAL, "%s: '%s' of %s and '%s' of %s both mean it, with another side or hook",
			   dev->name, rules[found].match, rules[found].group, rules[i].match, rules[i].group);
		if (strict)
			return lz_err_set(reterr, EINVAL, "%s", why.text);
		if (!list->unfit.text[0])
			list->unfit = why;
	}
	return found < n ? want(devs, dev, rules, found, hooked, strict, list, reterr) : 0;
}

static bool has_hook(const struct lz_attachments *have, __u32 ifindex)
{
	for (size_t i = 0; have && i < have->n; i++)
		if (have->v[i].ifindex == ifindex)
			return have->v[i].mode != LZ_ATTACH_NONE;
	return false;
}

int lz_port_wants_resolve(const struct lz_netdevs *devs, const struct lz_port_rule *rules, size_t n,
			  const struct lz_attachments *have, bool strict, struct lz_port_wants *ret,
			  struct lz_err *reterr)
{
	struct lz_port_wants list = {};
	int r = 0;

	for (int hooked = 1; hooked >= 0; hooked--)
		for (size_t i = 0; i < devs->n && !r; i++)
			if (has_hook(have, devs->v[i].ifindex) == hooked)
				r = match_dev(devs, &devs->v[i], rules, n, hooked, strict, &list, reterr);
	if (r) {
		lz_port_wants_done(&list);
		return r;
	}
	*ret = list;
	return 0;
}

void lz_port_wants_done(struct lz_port_wants *wants)
{
	free(wants->v);
	memset(wants, 0, sizeof(*wants));
}

const char *lz_port_wants_first_xdp(const struct lz_port_wants *wants,
				    const struct lz_attachments *have)
{
	for (size_t i = 0; i < wants->n; i++) {
		const struct lz_port_want *w = &wants->v[i];
		bool has_xdp = false;

		for (size_t j = 0; j < have->n; j++)
			has_xdp |= have->v[j].ifindex == w->ifindex && have->v[j].mode == LZ_ATTACH_XDP;
		if (w->physical && w->mode == LZ_ATTACH_XDP && !has_xdp)
			return w->name;
	}
	return NULL;
}
