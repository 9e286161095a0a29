/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * netdev.h - interfaces: what there are, which of them a policy means, and when that changes.
 * Keeper and preflight; needs no privilege.
 */
#ifndef LZ_DATAPATH_NETDEV_H
#define LZ_DATAPATH_NETDEV_H

#include <net/if.h>

#include "datapath/attach.h"

#define LZ_GLOB_MAX 32 /* with its NUL */

struct lz_netdev {
	char name[IF_NAMESIZE];
	char driver[32]; /* "" if it has none to tell */
	char kind[16];	 /* "veth" "vlan" "bond" ..; "" for hardware */
	__u32 ifindex;
	__u32 master;	 /* ifindex of the bond or bridge it is a member of; 0 = none */
	__u32 lower;	 /* ifindex below, in this namespace: of a VLAN, macvlan; 0 = none */
	__u32 mtu;
	__u32 carrier_changes;
	__u16 arphrd;	 /* ARPHRD_* of <net/if_arp.h> */
	bool l3;	 /* frames start at IP: ppp, tun */
	bool up;
	bool physical;	 /* hardware: the first XDP attach may flap its link */
	bool rx_vlan_offload; /* hardware strips the tag: XDP would not see it */
	bool pppoe;	 /* PPPoE sessions of the kernel run over it */
	struct lz_port_addr addr; /* of refusals: first global addresses; zero = none */
};

struct lz_netdevs {
	struct lz_netdev *v; /* by ifindex */
	size_t n, cap;
};

/**
 * lz_netdevs_read() - every interface of this network namespace
 * @known: an earlier look, whose drivers and offloads are taken over; NULL: all is asked afresh
 * Return: 0 or -errno with @reterr set.
 */
int lz_netdevs_read(const struct lz_netdevs *known, struct lz_netdevs *ret, struct lz_err *reterr);
void lz_netdevs_done(struct lz_netdevs *list);
const struct lz_netdev *lz_netdevs_find(const struct lz_netdevs *list, __u32 ifindex);

/* What a policy says about interfaces, one glob each; fixed size, so that the controller can send
 * it to the keeper as it is. */
enum lz_want_hook { LZ_WANT_AUTO, LZ_WANT_XDP, LZ_WANT_XDP_GENERIC, LZ_WANT_TC };

struct lz_port_rule {
	char group[40];		 /* the policy's name of the interfaces, for messages */
	char match[LZ_GLOB_MAX]; /* * and ? */
	__u8 role;		 /* enum lz_role: CUSTOMER or UPLINK */
	__u8 hook;		 /* enum lz_want_hook; same values as the policy's enum lz_hook */
	__u8 egress;		 /* 1: the policy has no uplink: return hook on this port's egress */
	__u8 pad_;
};

struct lz_port_want {
	__u32 ifindex;
	__u32 rule; /* index */
	char name[IF_NAMESIZE];
	enum lz_attach_mode mode;
	enum lz_role role;
	bool egress;
	bool l3;
	bool physical;
	bool alone; /* over nothing, below nothing, and no PPPoE: thousands are, and each is compared with each */
	bool unfit; /* it cannot have a hook beside the others */
	bool clash; /* it has one that does not fit beside another's, and keeps it */
	struct lz_port_addr addr;
};

struct lz_port_wants {
	struct lz_port_want *v; /* those that have a hook already first, each by ifindex */
	size_t n, cap;
	struct lz_err unfit; /* why, of the first; "" = all fit */
};

/**
 * lz_port_wants_resolve() - which interfaces do the rules mean, and which hook does each get
 *
 * @have:   what is attached: a newcomer that does not fit beside it is unfit; who has a hook keeps it, and his role
 * @strict: a policy is asked for: what does not fit is its author's mistake, -EINVAL
 *
 * The first rule that matches a name wins over later ones only if both say the same role and hook. What else
 * does not fit: a port and its own VLAN, a bond and its member, an Ethernet port that carries PPPoE sessions
 * and a ppp device, native XDP asked of an L3 device. Two ifindexes with the same low 16 bits are nobody's
 * mistake but come after 65,536 sessions: the newcomer is unfit whether or not @strict.
 * A rule that matches nothing is no error: interfaces come and go. Pure.
 * Return: 0; -EINVAL or -ENOMEM with @reterr set.
 */
int lz_port_wants_resolve(const struct lz_netdevs *devs, const struct lz_port_rule *rules, size_t n,
			  const struct lz_attachments *have, bool strict, struct lz_port_wants *ret,
			  struct lz_err *reterr);
void lz_port_wants_done(struct lz_port_wants *wants);

/** lz_netdev_auto_mode() - the hook for `auto`: native XDP where the driver is known safe, else tc */
enum lz_attach_mode lz_netdev_auto_mode(const struct lz_netdevs *devs, const struct lz_netdev *dev);

/** lz_port_wants_first_xdp() - name of a physical port that would get its first XDP program, which
 * may flap its link (the caller asks for --yes), or NULL */
const char *lz_port_wants_first_xdp(const struct lz_port_wants *wants,
				    const struct lz_attachments *have);

/*
 * Changes. The callback gets no detail: whoever follows interfaces reads the list again, so a lost
 * message (ENOBUFS) costs nothing.
 */
struct lz_netdev_monitor;
int lz_netdev_monitor_open(void (*on_change)(void *arg), void *arg, struct lz_netdev_monitor **ret,
			   struct lz_err *reterr);
int lz_netdev_monitor_fd(const struct lz_netdev_monitor *monitor);
/** lz_netdev_monitor_read() - when the descriptor is readable; one callback for all that is there */
int lz_netdev_monitor_read(struct lz_netdev_monitor *monitor);
void lz_netdev_monitor_close(struct lz_netdev_monitor **monitor);

#endif
