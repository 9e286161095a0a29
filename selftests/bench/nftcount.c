/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nftcount.c - the named counters of an nftables table, over netlink.
 *
 * `nft list counters` reads every set of the namespace first: half a minute with a million elements.
 */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "bench.h"

struct counts {
	__u64 hit, miss;
	unsigned n;
};

static int on_object(struct nl_msg *msg, void *arg)
{
	struct nlattr *object[NFTA_OBJ_MAX + 1], *counter[NFTA_COUNTER_MAX + 1];
	struct counts *c = arg;
	__u64 packets;

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct nfgenmsg), object, NFTA_OBJ_MAX, NULL) ||
	    !object[NFTA_OBJ_NAME] || !object[NFTA_OBJ_DATA] ||
	    nla_parse_nested(counter, NFTA_COUNTER_MAX, object[NFTA_OBJ_DATA], NULL) ||
	    !counter[NFTA_COUNTER_PACKETS])
		return NL_SKIP;
	packets = be64toh(nla_get_u64(counter[NFTA_COUNTER_PACKETS]));
	if (!strcmp(nla_get_string(object[NFTA_OBJ_NAME]), "hit"))
		c->hit = packets;
	else
		c->miss = packets;
	c->n++;
	return NL_OK;
}

int nft_counters_read(__u64 *ret_hit, __u64 *ret_miss)
{
	struct nfgenmsg head = { .nfgen_family = NFPROTO_NETDEV, .version = NFNETLINK_V0 };
	struct nl_sock *sock = nl_socket_alloc();
	struct counts c = {};
	int r;

	if (!sock)
		return -ENOMEM;
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_object, &c);
	r = nl_connect(sock, NETLINK_NETFILTER);
	if (r >= 0)
		r = nl_send_simple(sock, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ, NLM_F_DUMP,
				   &head, sizeof(head));
	if (r >= 0)
		r = nl_recvmsgs_default(sock);
	nl_socket_free(sock);
	if (r < 0)
		return -EIO;
	if (c.n != 2)
		return -ENOENT;
	*ret_hit = c.hit;
	*ret_miss = c.miss;
	return 0;
}
