/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_handover.c - XDP refuses, tc answers: over a real pair of interfaces, since a test run hands no
 * metadata from one to the other. All in a network namespace of this process alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <lazaret/abi.h>
#include <lazaret.skel.h>
#include <linux/if_link.h>

#include "lib/reply.h"
#include "lib/rows.h"
#include "lib/t.h"

#define GATEWAY	 "lz-gw0"
#define CUSTOMER "lz-cu0"
#define ROW	 WORLD_ROW

static struct world *w;
static int wire = -1; /* the customer's end */
static unsigned gateway;

static bool open_wire(void)
{
	struct timeval patience = { .tv_usec = 500000 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(0x0003) };

	if (system("ip link add " GATEWAY " type veth peer name " CUSTOMER " && "
		   "ip link set " GATEWAY " up && ip link set " CUSTOMER " up"))
		return false;
	gateway = if_nametoindex(GATEWAY);
	at.sll_ifindex = (int)if_nametoindex(CUSTOMER);
	wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x0003));
	return wire >= 0 && !bind(wire, (struct sockaddr *)&at, sizeof(at)) &&
	       !setsockopt(wire, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* Wait for a frame that is a right answer; returns NULL, or what was wrong with the last one. */
static const char *wait_for_answer(const struct pkt *asked)
{
	const char *fault = "nothing came back";
	__u8 frame[PKT_BYTES_MAX];

	for (;;) {
		struct sockaddr_ll from;
		socklen_t from_bytes = sizeof(from);
		ssize_t n = recvfrom(wire, frame, sizeof(frame), 0, (struct sockaddr *)&from,
				     &from_bytes);
		const char *this;

		if (n < 0)
			return fault;
		/* the kernels' own neighbour discovery is no answer */
		if (from.sll_pkttype == PACKET_OUTGOING || n < 14 || memcmp(frame, asked->data + 6, 6))
			continue;
		this = reply_fault(asked, frame, (__u32)n, OWN4, OWN6);
		if (!this)
			return NULL;
		fault = this;
	}
}

static const struct pkt_spec refused[] = {
	{ .src = DYN4, .dst = WORLD4, .dport = 25, .seq = 1 },
	{ .src = DYN6, .dst = WORLD6, .dport = 25, .seq = 2 },
	{ .src = RESET4, .dst = WORLD4, .dport = 25, .seq = 3 },
	{ .src = DYN4, .dst = WORLD4, .dport = 25, .seq = 4, .flags = PKT_F_PPPOE },
};

static void attach(__u32 xdp_flags, unsigned port_flags)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)gateway, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, tc, .prog_fd = bpf_program__fd(w->skel->progs.lz_tc));

	world_reset(w);
	w->ports[gateway] = LZ_PORT_ENTRY(LZ_ROLE_CUSTOMER, LZ_ROLE_CUSTOMER, port_flags, ROW);
	T_EQ(bpf_xdp_attach((int)gateway, bpf_program__fd(w->skel->progs.lz_xdp), xdp_flags, NULL),
	     0, "attach XDP");
	T_EQ(bpf_tc_hook_create(&hook), 0, "make a tc hook");
	T_EQ(bpf_tc_attach(&hook, &tc), 0, "attach tc");
}

static void detach(__u32 xdp_flags)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)gateway,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	bpf_xdp_detach((int)gateway, xdp_flags, NULL);
	T_EQ(bpf_tc_hook_destroy(&hook), 0, "remove the tc hook");
}

static void native(void)
{
	__u64 before[LZ_C_N], after[LZ_C_N];

	attach(XDP_FLAGS_DRV_MODE, LZ_PORT_F_XDP);
	world_stats(w, before);
	for (unsigned i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		const char *fault;
		struct pkt p;

		pkt_build(&p, &refused[i]);
		T_EQ(send(wire, p.data, p.bytes, 0), p.bytes, "send");
		fault = wait_for_answer(&p);
		if (!T_OK(!fault, "the answer"))
			printf("#   packet %u: %s\n", i, fault);
	}
	world_stats(w, after);
	T_EQ(after[LZ_R_DROP_PORT25] - before[LZ_R_DROP_PORT25], 4, "each judged once");
	T_EQ(after[LZ_C_REPLY_SENT] - before[LZ_C_REPLY_SENT], 4, "each answered once");
	detach(XDP_FLAGS_DRV_MODE);
}

/* The kernel copies raw frames for generic XDP, and what it hands to tc may have lost its metadata
 * (6.18): then silence is right, and passing the frame on is the fault. */
static void generic(void)
{
	__u64 before[LZ_C_N], after[LZ_C_N];

	attach(XDP_FLAGS_SKB_MODE, LZ_PORT_F_XDP | LZ_PORT_F_GENERIC);
	world_stats(w, before);
	for (unsigned i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct pkt p;

		pkt_build(&p, &refused[i]);
		T_EQ(send(wire, p.data, p.bytes, 0), p.bytes, "send");
	}
	world_stats(w, after);
	T_EQ(after[LZ_R_DROP_PORT25] - before[LZ_R_DROP_PORT25], 4, "each judged once");
	T_EQ(after[LZ_C_REPLY_SENT] - before[LZ_C_REPLY_SENT] + after[LZ_C_REPLY_SUPPRESSED] -
		     before[LZ_C_REPLY_SUPPRESSED], 4, "each answered or stopped, none passed on");
	detach(XDP_FLAGS_SKB_MODE);
}

static const struct t_case cases[] = {
	{ "native XDP to tc", native },
	{ "generic XDP to tc", generic },
};

static void no_privilege(void)
{
	T_SKIP("a network namespace and BPF need root");
}

int main(void)
{
	static const struct t_case skipped[] = { { "XDP to tc", no_privilege } };
	struct lz_port_addr own = {};
	int ret;

	if (unshare(CLONE_NEWNET) && errno == EPERM)
		return T_MAIN(skipped);
	w = rows_world();
	if (!w)
		return T_MAIN(skipped);
	if (!open_wire()) {
		printf("Bail out! open a pair of interfaces: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	inet_pton(AF_INET, OWN4, &own.ip4);
	inet_pton(AF_INET6, OWN6, own.ip6);
	ret = bpf_map__update_elem(w->skel->maps.lz_port_addrs, &gateway, sizeof(gateway), &own,
				   sizeof(own), 0);
	if (ret) {
		printf("Bail out! set the gateway's addresses: %s\n", strerror(-ret));
		return EXIT_FAILURE;
	}
	ret = T_MAIN(cases);
	close(wire);
	world_close(w);
	return ret;
}
