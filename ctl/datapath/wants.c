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

/* What the interfaces are looked at by, and what that comes to. */
struct resolving {
	const struct lz_netdevs *devs;
	const struct lz_port_rule *rules;
	size_t n_rules;
	bool strict;
	bool hooked; /* those that are looked at now have hooks */
	struct lz_port_wants list;
};

/* Something does not fit, for the reason @code, negative: a mistake of who asks for it, or it is told. */
static int object(struct resolving *s, int code, const struct lz_err *why, struct lz_err *reterr)
{
	if (s->strict && code != -EADDRINUSE)
		return lz_err_set(reterr, -code, "%s", why->text);
	if (!s->list.unfit.text[0])
		s->list.unfit = *why;
	return 0;
}

/* Does it fit beside those that come before it? 0, -EINVAL or -EADDRINUSE. */
static int check_fit(const struct resolving *s, const struct lz_port_want *w, struct lz_err *reterr)
{
	int r = 0;

	for (size_t i = 0; i < s->list.n && !r; i++)
		if (!s->list.v[i].unfit)
			r = check_pair(s->devs, w, &s->list.v[i], reterr);
	return r;
}

static int want(struct resolving *s, const struct lz_netdev *dev, __u32 rule, struct lz_err *reterr)
{
	const struct lz_port_rule *by = &s->rules[rule];
	struct lz_port_want w = {
		.ifindex = dev->ifindex,
		.rule = rule,
		.role = by->role,
		.egress = by->egress && by->role == LZ_ROLE_CUSTOMER,
		.l3 = dev->l3,
		.physical = dev->physical,
		.alone = !dev->lower && !dev->master && !dev->pppoe,
		.addr = dev->addr,
	};
	struct lz_err why = { "" };
	int r;

	memcpy(w.name, dev->name, sizeof(w.name));
	r = choose_mode(s->devs, dev, by, &w.mode, &why);
	if (!r)
		r = check_fit(s, &w, &why);
	w.unfit = r && !s->hooked;
	w.clash = r && s->hooked;
	if (r)
		r = object(s, r, &why, reterr);
	if (r)
		return r;
	if (lz_array_grow(&s->list.v, &s->list.cap, s->list.n + 1, sizeof(*s->list.v)))
		return lz_err_set(reterr, ENOMEM, "interfaces: out of memory");
	s->list.v[s->list.n++] = w;
	return 0;
}

static int match_dev(struct resolving *s, const struct lz_netdev *dev, struct lz_err *reterr)
{
	const struct lz_port_rule *rules = s->rules;
	size_t found = s->n_rules;
	struct lz_err why;
	int r;

	for (size_t i = 0; i < s->n_rules; i++) {
		if (fnmatch(rules[i].match, dev->name, 0))
			continue;
		if (found == s->n_rules) {
			found = i;
			continue;
		}
		if (rules[i].role == rules[found].role && rules[i].hook == rules[found].hook)
			continue;
		r = lz_err_set(&why, EINVAL,
			       "%s: '%s' of %s and '%s' of %s both mean it, with another side or hook", dev->name,
			       rules[found].match, rules[found].group, rules[i].match, rules[i].group);
		r = object(s, r, &why, reterr);
		if (r)
			return r;
	}
	return found < s->n_rules ? want(s, dev, (__u32)found, reterr) : 0;
}

static bool has_hook(const struct lz_attachments *have, __u32 ifindex)
{
	const struct lz_attachment *at = have ? lz_attachments_find(have, ifindex) : NULL;

	return at && at->mode != LZ_ATTACH_NONE;
}

int lz_port_wants_resolve(const struct lz_netdevs *devs, const struct lz_port_rule *rules, size_t n,
			  const struct lz_attachments *have, bool strict, struct lz_port_wants *ret,
			  struct lz_err *reterr)
{
	struct resolving s = { .devs = devs, .rules = rules, .n_rules = n, .strict = strict };
	int r = 0;

	for (int hooked = 1; hooked >= 0; hooked--) {
		s.hooked = hooked;
		for (size_t i = 0; i < devs->n && !r; i++)
			if (has_hook(have, devs->v[i].ifindex) == s.hooked)
				r = match_dev(&s, &devs->v[i], reterr);
	}
	if (r) {
		lz_port_wants_done(&s.list);
		return r;
	}
	*ret = s.list;
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
		const struct lz_attachment *at = lz_attachments_find(have, w->ifindex);

		if (w->physical && w->mode == LZ_ATTACH_XDP && !(at && at->mode == LZ_ATTACH_XDP))
			return w->name;
	}
	return NULL;
}
