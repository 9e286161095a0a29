/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_answers.c - refusals on real devices: a tenant's tap whose sums are left to the device, a tun
 * without link header, frames with two tags. What comes back is right to the last bit.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <lazaret/abi.h>
#include <lazaret.skel.h>

#include "base/mem.h"
#include "lib/reply.h"
#include "lib/rows.h"
#include "prog/room.h"

#define WAIT_MS 500

static struct world *w;

/* A device with our program at its ingress, and the wire behind it. */
struct wire {
	const char *name;
	int fd;
	unsigned int ifindex, head; /* bytes before a frame: struct virtio_net_hdr */
	bool tags; /* the device puts an outer tag beside a frame, and the inner one into it */
};

static bool put_program(struct wire *wire, unsigned int flags)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, tc, .prog_fd = bpf_program__fd(w->skel->progs.lz_tc));
	struct lz_port_addr own = {};

	world_reset(w);
	wire->ifindex = if_nametoindex(wire->name);
	hook.ifindex = (int)wire->ifindex;
	inet_pton(AF_INET, OWN4, &own.ip4);
	inet_pton(AF_INET6, OWN6, own.ip6);
	w->ports[wire->ifindex] = LZ_PORT_ENTRY(LZ_ROLE_CUSTOMER, LZ_ROLE_CUSTOMER, flags, WORLD_ROW);
	return T_EQ(bpf_map__update_elem(w->skel->maps.lz_port_addrs, &wire->ifindex,
					 sizeof(wire->ifindex), &own, sizeof(own), 0), 0, "addresses") &&
	       T_EQ(bpf_tc_hook_create(&hook), 0, "make a tc hook") &&
	       T_EQ(bpf_tc_attach(&hook, &tc), 0, "attach tc");
}

static bool open_tun(struct wire *wire, short kind)
{
	struct ifreq req = { .ifr_flags = kind };
	char up[160];

	lz_strcpy(req.ifr_name, sizeof(req.ifr_name), wire->name);
	wire->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (!T_OK(wire->fd >= 0 && !ioctl(wire->fd, TUNSETIFF, &req), "a tun device"))
		return false;
	wire->head = kind & IFF_VNET_HDR ? sizeof(struct virtio_net_hdr) : 0;
	snprintf(up, sizeof(up), "echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6; ip link set %s up arp off",
		 wire->name, wire->name);
	return T_EQ(room_run(up), 0, "up") && put_program(wire, kind & IFF_TUN ? LZ_PORT_F_L3 : 0);
}

/* Leave the sum of the transport header to the device: only that of the pseudo header stands there. */
static void leave_sum(struct pkt *p, struct virtio_net_hdr *head)
{
	const __u8 *ip = p->data + p->l3;
	__u32 l4_bytes = p->bytes - p->l4, at = p->l4 + 16;
	__u8 pseudo[40] = { 0 };
	__u16 sum;

	head->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	head->csum_start = (__u16)p->l4;
	head->csum_offset = 16;
	if (ip[0] >> 4 == 4) {
		memcpy(pseudo, ip + 12, 8);
		pseudo[9] = 6;
		pseudo[10] = (__u8)(l4_bytes >> 8);
		pseudo[11] = (__u8)l4_bytes;
	} else {
		memcpy(pseudo, ip + 8, 32);
		pseudo[34] = (__u8)(l4_bytes >> 8);
		pseudo[35] = (__u8)l4_bytes;
		pseudo[39] = 6;
	}
	sum = (__u16)~pkt_sum(pseudo, sizeof(pseudo), 0);
	p->data[at] = (__u8)(sum >> 8);
	p->data[at + 1] = (__u8)sum;
}

static bool send_frame(const struct wire *wire, const struct virtio_net_hdr *head, const struct pkt *p)
{
	__u8 buf[sizeof(*head) + PKT_BYTES_MAX];
	size_t n = wire->head + p->bytes;

	memcpy(buf, head, wire->head);
	memcpy(buf + wire->head, p->data, p->bytes);
	if (wire->tags) {
		memmove(buf + 12, buf + 16, n - 16);
		n -= 4;
	}
	return T_EQ(write(wire->fd, buf, n), n, "send");
}

/* The next frame that is not our own; with AF_PACKET the kernel has put the outer tag aside. */
static ssize_t receive(const struct wire *wire, __u8 *frame)
{
	__u8 control[CMSG_SPACE(sizeof(struct tpacket_auxdata))], buf[PKT_BYTES_MAX + 64];
	struct sockaddr_ll from = { 0 };
	struct iovec data = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &data,
			      .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct pollfd p = { .fd = wire->fd, .events = POLLIN };
	ssize_t n;

	do {
		if (poll(&p, 1, WAIT_MS) <= 0)
			return -1;
		n = wire->head || wire->ifindex == 0 ? -1 : recvmsg(wire->fd, &msg, 0);
		if (n < 0) /* no socket */
			n = read(wire->fd, buf, sizeof(buf));
		if (n <= (ssize_t)wire->head)
			return -1;
	} while (from.sll_pkttype == PACKET_OUTGOING);
	memcpy(frame, buf + wire->head, (size_t)n - wire->head);
	n -= wire->head;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); from.sll_family && !wire->tags && c; c = CMSG_NXTHDR(&msg, c)) {
		const struct tpacket_auxdata *aux = (const void *)CMSG_DATA(c);
		__be16 tag[2] = { htons(aux->tp_vlan_tpid), htons(aux->tp_vlan_tci) };

		if (!(aux->tp_status & TP_STATUS_VLAN_VALID))
			continue;
		memmove(frame + 16, frame + 12, (size_t)n - 12);
		memcpy(frame + 12, tag, 4);
		n += 4;
	}
	return n;
}

/* Without the padding that lz_resize() leaves where the kernel does not trim. */
static ssize_t unpadded(const struct pkt *asked, const __u8 *frame, ssize_t n)
{
	const __u8 *ip = frame + asked->l3;
	ssize_t end = n;

	if (n >= (ssize_t)asked->l3 + 40 && n <= (ssize_t)asked->bytes)
		end = asked->l3 + (ip[0] >> 4 == 4 ? ip[2] << 8 | ip[3] : 40 + (ip[4] << 8 | ip[5]));
	return end < n ? end : n;
}

static void ask(struct wire *wire, const struct pkt_spec *spec, bool partial, const char *name)
{
	struct virtio_net_hdr head = { 0 };
	__u8 frame[PKT_BYTES_MAX + 64];
	const char *fault;
	struct pkt p, seen;
	ssize_t n;

	pkt_build(&p, spec);
	seen = p; /* a device that completes sums would have sent this */
	if (partial)
		leave_sum(&p, &head);
	if (!send_frame(wire, &head, &p))
		return;
	n = receive(wire, frame);
	if (spec->vlan[1] || spec->flags & PKT_F_PPPOE || wire->tags)
		n = unpadded(&p, frame, n);
	/* An ICMP error quotes what came, unfinished sum and all. */
	fault = n < 0 ? "nothing came back" : reply_fault(partial ? &p : &seen, frame, (__u32)n, OWN4, OWN6);
	if (!T_OK(!fault, name)) {
		printf("#   %s\n", fault);
		pkt_dump("asked", p.data, p.bytes);
		if (n > 0)
			pkt_dump("answer", frame, (__u32)n);
	}
}

static const struct {
	const char *name;
	struct pkt_spec spec;
} refused[] = {
	{ "ICMP", { .src = DYN4, .dst = WORLD4, .dport = 25, .seq = 1 } },
	{ "ICMPv6", { .src = DYN6, .dst = WORLD6, .dport = 25, .seq = 2 } },
	{ "reset", { .src = RESET4, .dst = WORLD4, .dport = 25, .seq = 3 } },
	{ "ICMP, options", { .src = DYN4, .dst = WORLD4, .dport = 25, .seq = 4, .options = 5 } },
	{ "reset, options", { .src = RESET4, .dst = WORLD4, .dport = 25, .seq = 5, .options = 10 } },
	{ "ICMP, payload", { .src = DYN4, .dst = WORLD4, .dport = 25, .seq = 6, .payload = 900 } },
	{ "reset, payload", { .src = RESET4, .dst = WORLD4, .dport = 25, .seq = 7, .payload = 900 } },
	{ "ICMPv6, headers", { .src = DYN6, .dst = WORLD6, .dport = 25, .seq = 8, .ext = { 0, 60 }, .ext_n = 2 } },
	{ "ICMP, a tag", { .src = DYN4, .dst = WORLD4, .dport = 25, .seq = 9, .vlan = { 0x8100 } } },
	{ "reset, a tag", { .src = RESET4, .dst = WORLD4, .dport = 25, .seq = 10, .vlan = { 0x8100 } } },
};

static void ask_all(struct wire *wire, unsigned int flags, bool partial)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(refused); i++) {
		struct pkt_spec spec = refused[i].spec;

		spec.flags |= flags;
		if (!(flags & PKT_F_L3) || !spec.vlan[0])
			ask(wire, &spec, partial, refused[i].name);
	}
}

static void on_a_tap(void)
{
	struct wire wire = { .name = "lz-tap0" };

	if (open_tun(&wire, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) {
		ask_all(&wire, 0, false);
		ask_all(&wire, PKT_F_PPPOE, false); /* the kernel has looked for the transport header here, too */
	}
	close(wire.fd);
}

static void on_a_tap_with_offloads(void)
{
	struct wire wire = { .name = "lz-tap1" };

	if (open_tun(&wire, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
		ask_all(&wire, 0, true);
	close(wire.fd);
}

static void on_a_tun(void)
{
	struct wire wire = { .name = "lz-tun0" };

	if (open_tun(&wire, IFF_TUN | IFF_NO_PI))
		ask_all(&wire, PKT_F_L3, false);
	close(wire.fd);
}

static void on_a_tun_with_offloads(void)
{
	struct wire wire = { .name = "lz-tun1" };

	if (open_tun(&wire, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
		ask_all(&wire, PKT_F_L3, true);
	close(wire.fd);
}

/* @wire is the one end of a pair; what is sent comes from the other, @peer. */
static bool open_pair(struct wire *wire, const char *peer)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	char up[320];
	int one = 1;

	snprintf(up, sizeof(up), "ip link add %s type veth peer name %s && for i in %s %s; do "
		 "echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; ip link set $i arp off up; done",
		 wire->name, peer, wire->name, peer);
	T_EQ(room_run(up), 0, "veth");
	at.sll_ifindex = (int)if_nametoindex(peer);
	wire->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	T_EQ(setsockopt(wire->fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)), 0, "tags aside");
	return T_EQ(bind(wire->fd, (struct sockaddr *)&at, sizeof(at)), 0, "the wire") && put_program(wire, 0);
}

static void with_two_tags(void)
{
	struct wire wire = { .name = "lz-gw0" };

	if (!open_pair(&wire, "lz-cu0"))
		return;
	for (size_t i = 0; i < LZ_ARRAY_SIZE(refused); i++) {
		struct pkt_spec spec = refused[i].spec;

		spec.vlan[0] = 0x88a8;
		spec.vlan[1] = 0x8100;
		ask(&wire, &spec, false, refused[i].name);
	}
	close(wire.fd);
}

/* What leaves by @name gets a tag, and then another one: that is beside the frame, and the first in it. */
static bool tag_twice(const char *name)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = htons(ETH_P_8021Q) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 0x2000 | 100 /* as pkt_build() */ },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_6 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = htons(ETH_P_8021Q) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 7 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(name), .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, tc);

	tc.prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tag_twice", "GPL", code, LZ_ARRAY_SIZE(code), NULL);
	return T_OK(tc.prog_fd >= 0, "a program that tags") && T_EQ(bpf_tc_hook_create(&hook), 0, "a hook for it") &&
	       T_EQ(bpf_tc_attach(&hook, &tc), 0, "attached");
}

/* As a card gives it that takes the outer tag off: the kernel does not look at the inner one, and what it knows of
 * the transport header stays. */
static void with_the_outer_tag_aside(void)
{
	struct wire wire = { .name = "lz-gw1", .tags = true };

	if (!open_pair(&wire, "lz-cu1") || !tag_twice("lz-cu1"))
		return;
	for (size_t i = 0; i < LZ_ARRAY_SIZE(refused); i++) {
		struct pkt_spec spec = refused[i].spec;

		spec.vlan[0] = 0x8100;
		ask(&wire, &spec, false, refused[i].name);
	}
	close(wire.fd);
}

static const struct t_case cases[] = {
	{ "on a tap", on_a_tap },
	{ "on a tap with offloads", on_a_tap_with_offloads },
	{ "on a tun", on_a_tun },
	{ "on a tun with offloads", on_a_tun_with_offloads },
	{ "with two tags", with_two_tags },
	{ "with the outer tag aside", with_the_outer_tag_aside },
};

int main(void)
{
	int r;

	if (geteuid()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	if (!room_enter(120)) {
		printf("Bail out! no namespace of its own\n");
		return EXIT_FAILURE;
	}
	w = rows_world();
	if (!w) {
		printf("Bail out! cannot load the data plane\n");
		return EXIT_FAILURE;
	}
	r = T_MAIN(cases);
	world_close(w);
	return r;
}
