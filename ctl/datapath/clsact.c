/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/clsact.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

/* Early, but behind whoever insists on 1; the handle spells LZ. */
#define OUR_PRIORITY 49
#define OUR_HANDLE   0x4c5a

static void set_hook(struct bpf_tc_hook *hook, __u32 ifindex, bool egress)
{
	memset(hook, 0, sizeof(*hook));
	hook->sz = sizeof(*hook);
	hook->ifindex = ifindex;
	hook->attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

static int put_filter(__u32 ifindex, bool egress, int prog_fd, __u32 flags, struct lz_err *reterr)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = OUR_HANDLE, .priority = OUR_PRIORITY,
		    .prog_fd = prog_fd, .flags = flags);
	struct bpf_tc_hook hook;
	char dev[IF_NAMESIZE] = "?";
	int r;

	set_hook(&hook, ifindex, egress);
	r = bpf_tc_attach(&hook, &opts);
	if (!r)
		return 0;
	if_indextoname(ifindex, dev);
	if (r == -EEXIST)
		return lz_err_set(reterr, EBUSY,
				  "%s: cannot attach tc: another filter has priority %d and handle "
				  "%#x; take it off", dev, OUR_PRIORITY, OUR_HANDLE);
	return lz_err_set(reterr, r, "%s: cannot attach tc: %s", dev, strerror(-r));
}

int lz_clsact_attach(__u32 ifindex, bool egress, int prog_fd, bool *ret_made,
		     struct lz_err *reterr)
{
	struct bpf_tc_hook hook;
	char dev[IF_NAMESIZE] = "?";
	int r;

	set_hook(&hook, ifindex, egress);
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	r = bpf_tc_hook_create(&hook);
	*ret_made = !r;
	if (r && r != -EEXIST) {
		if_indextoname(ifindex, dev);
		return lz_err_set(reterr, r, "%s: cannot make a clsact qdisc: %s", dev,
				  strerror(-r));
	}
	return put_filter(ifindex, egress, prog_fd, 0, reterr);
}

int lz_clsact_replace(__u32 ifindex, bool egress, int prog_fd, struct lz_err *reterr)
{
	return put_filter(ifindex, egress, prog_fd, BPF_TC_F_REPLACE, reterr);
}

bool lz_clsact_has(__u32 ifindex, bool egress)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = OUR_HANDLE, .priority = OUR_PRIORITY);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	struct bpf_tc_hook hook;
	lz_autoclose int fd = -1;

	set_hook(&hook, ifindex, egress);
	if (bpf_tc_query(&hook, &opts))
		return false;
	fd = bpf_prog_get_fd_by_id(opts.prog_id);
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	       lz_streq(info.name, egress ? "lz_tc_out" : "lz_tc");
}

/* Does the qdisc hold any filter, on either side? libbpf can only ask for one it knows. Unsure is
 * "yes": then the qdisc stays. */
static bool has_filters(__u32 ifindex, __u32 parent)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg tc;
	} ask = {
		.header = { sizeof(ask), RTM_GETTFILTER, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 },
		.tc = { .tcm_family = AF_UNSPEC, .tcm_ifindex = ifindex, .tcm_parent = parent },
	};
	lz_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	_Alignas(struct nlmsghdr) char answer[16384];
	ssize_t n;

	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
		return true;
	n = recv(fd, answer, sizeof(answer), 0);
	if (n < (ssize_t)sizeof(struct nlmsghdr))
		return true;
	return ((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWTFILTER;
}

bool lz_clsact_detach(__u32 ifindex, bool egress, bool ours)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = OUR_HANDLE, .priority = OUR_PRIORITY);
	struct bpf_tc_hook hook;

	set_hook(&hook, ifindex, egress);
	if (lz_clsact_has(ifindex, egress))
		bpf_tc_detach(&hook, &opts);
	if (!ours || has_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) ||
	    has_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)))
		return false;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	return !bpf_tc_hook_destroy(&hook);
}
