/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/xdpquery.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

/* libnl's link objects leave IFLA_XDP out. */
static int read_xdp(struct nl_msg *msg, void *arg)
{
	static const int ids[] = { IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_SKB_PROG_ID,
				   IFLA_XDP_HW_PROG_ID };
	struct nlattr *link[IFLA_MAX + 1], *xdp[IFLA_XDP_MAX + 1];
	struct lz_xdp_there *there = arg;

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct ifinfomsg), link, IFLA_MAX, NULL) < 0 ||
	    !link[IFLA_XDP] || nla_parse_nested(xdp, IFLA_XDP_MAX, link[IFLA_XDP], NULL) < 0)
		return NL_OK;
	if (xdp[IFLA_XDP_ATTACHED])
		there->attached = nla_get_u8(xdp[IFLA_XDP_ATTACHED]);
	for (unsigned i = 0; i < LZ_ARRAY_SIZE(ids) && !there->prog_id; i++)
		if (xdp[ids[i]])
			there->prog_id = nla_get_u32(xdp[ids[i]]);
	return NL_OK;
}

/* errno of an answer, which libnl turns into its own. */
static int read_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	(void)from;
	*(int *)arg = error->error;
	return NL_STOP;
}

static int ask(struct nl_sock *nl, __u32 ifindex, struct lz_xdp_there *ret)
{
	struct nl_msg *msg = NULL;
	int error = 0, r;

	if (nl_connect(nl, NETLINK_ROUTE) < 0)
		return -errno;
	nl_socket_disable_auto_ack(nl);
	nl_socket_modify_cb(nl, NL_CB_VALID, NL_CB_CUSTOM, read_xdp, ret);
	nl_socket_modify_err_cb(nl, NL_CB_CUSTOM, read_error, &error);
	if (rtnl_link_build_get_request((int)ifindex, NULL, &msg) < 0)
		return -ENOMEM;
	r = nl_send_auto(nl, msg);
	nlmsg_free(msg);
	if (r >= 0)
		r = nl_recvmsgs_default(nl);
	return error ? error : r < 0 ? -EIO : 0;
}

int lz_xdp_query(__u32 ifindex, struct lz_xdp_there *ret)
{
	struct nl_sock *nl = nl_socket_alloc();
	int r;

	*ret = (struct lz_xdp_there){ .attached = XDP_ATTACHED_NONE };
	if (!nl)
		return -ENOMEM;
	r = ask(nl, ifindex, ret);
	nl_socket_free(nl);
	return r;
}
