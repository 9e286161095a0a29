/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/clsact.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
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

#define ANSWER_MAX 16384

/* The first answer to a question about filters; bytes, or -1. */
static ssize_t ask_filters(__u32 ifindex, __u32 parent, bool ours, void *answer)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg tc;
		struct rtattr kind_attr;
		char kind[4];
	} ask = {
		.header = { ours ? sizeof(ask) : NLMSG_LENGTH(sizeof(ask.tc)), RTM_GETTFILTER,
			    NLM_F_REQUEST | (ours ? 0 : NLM_F_DUMP), 1, 0 },
		.tc = { .tcm_family = AF_UNSPEC, .tcm_ifindex = ifindex, .tcm_parent = parent },
		.kind_attr = { RTA_LENGTH(sizeof(ask.kind)), TCA_KIND },
		.kind = "bpf",
	};
	lz_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (ours) {
		ask.tc.tcm_handle = OUR_HANDLE;
		ask.tc.tcm_info = TC_H_MAKE(OUR_PRIORITY << 16, htons(ETH_P_ALL));
	}
	if (fd < 0 || send(fd, &ask, ask.header.nlmsg_len, 0) != (ssize_t)ask.header.nlmsg_len)
		return -1;
	return recv(fd, answer, ANSWER_MAX, 0);
}

static __u32 parent_of(bool egress)
{
	return TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
}

static const struct rtattr *find_attr(const struct rtattr *at, int bytes, unsigned short type)
{
	for (; RTA_OK(at, bytes); at = RTA_NEXT(at, bytes))
		if ((at->rta_type & NLA_TYPE_MASK) == type)
			return at;
	return NULL;
}

/* By the name that libbpf gives a filter, "lz_tc:[ID]": the kernel gives a program by its id to nobody
 * without CAP_SYS_ADMIN. */
bool lz_clsact_has(__u32 ifindex, bool egress)
{
	const char *name = egress ? "lz_tc_out:[" : "lz_tc:[";
	_Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
	ssize_t n = ask_filters(ifindex, parent_of(egress), true, answer);
	const struct nlmsghdr *header = (const void *)answer;
	const struct rtattr *at;

	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct tcmsg)) || header->nlmsg_type != RTM_NEWTFILTER)
		return false;
	at = find_attr((const void *)(answer + NLMSG_LENGTH(sizeof(struct tcmsg))),
		       n - NLMSG_LENGTH(sizeof(struct tcmsg)), TCA_OPTIONS);
	at = at ? find_attr(RTA_DATA(at), RTA_PAYLOAD(at), TCA_BPF_NAME) : NULL;
	return at && RTA_PAYLOAD(at) > strlen(name) && !strncmp(RTA_DATA(at), name, strlen(name));
}

/* Does the qdisc hold any filter, on either side? libbpf can only ask for one it knows. Unsure is
 * "yes": then the qdisc stays. */
static bool has_filters(__u32 ifindex, __u32 parent)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
	ssize_t n = ask_filters(ifindex, parent, false, answer);

	return n < (ssize_t)sizeof(struct nlmsghdr) ||
	       ((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWTFILTER;
}

bool lz_clsact_detach(__u32 ifindex, bool egress, bool ours)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = OUR_HANDLE, .priority = OUR_PRIORITY);
	struct bpf_tc_hook hook;

	set_hook(&hook, ifindex, egress);
	if (lz_clsact_has(ifindex, egress))
		bpf_tc_detach(&hook, &opts);
	if (!ours || has_filters(ifindex, parent_of(false)) || has_filters(ifindex, parent_of(true)))
		return false;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	return !bpf_tc_hook_destroy(&hook);
}
