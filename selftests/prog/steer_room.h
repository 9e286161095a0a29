/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * steer_room.h - a gateway of one port with the portal's four sockets, for p_steer and p_steer_limits. The
 * test is the customer's side of the wire: each frame goes through lz_tc and the kernel's stack before
 * write(2) returns, and what is answered lies there to be read.
 */
#ifndef LZ_SELFTESTS_STEER_ROOM_H
#define LZ_SELFTESTS_STEER_ROOM_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <lazaret/abi.h>
#include <lazaret.skel.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "datapath/steer.h"
#include "lib/rows.h"
#include "prog/room.h"

#define S 1000000000ull

static struct world *w;
static struct lz_err err;

static struct {
	int fd;
	unsigned int ifindex;
	__u16 frame_flags; /* of what is sent: PKT_F_L3 */
	int portal[LZ_PORTAL_ROWS];
} room;

/* What became of a frame, and what came back for it. */
struct seen {
	const char *fate;
	__u8 tcp;	/* flags of the answer; 0 = none, or ICMP */
	bool icmp;
	__u32 seq, ack;
};

#define SYN_ACK (PKT_SYN | PKT_ACK)

/* ---------------------------------------------------------------- the gateway */

static bool attach_program(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)room.ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, tc, .prog_fd = bpf_program__fd(w->skel->progs.lz_tc));
	struct lz_port_addr own = {};

	inet_pton(AF_INET, OWN4, &own.ip4);
	inet_pton(AF_INET6, OWN6, own.ip6);
	return !bpf_map__update_elem(w->skel->maps.lz_port_addrs, &room.ifindex, sizeof(room.ifindex), &own,
				     sizeof(own), 0) &&
	       !bpf_tc_hook_create(&hook) && !bpf_tc_attach(&hook, &tc);
}

/* The port has flags beside its role. */
static inline void port_is(unsigned int flags)
{
	w->ports[room.ifindex] = LZ_PORT_ENTRY(LZ_ROLE_CUSTOMER, LZ_ROLE_CUSTOMER, flags, WORLD_ROW);
}

/* The only port, and the way back to all customers: a tap, or a tun. Frames of pkt.h are to 02:00:00:00:00:01. */
static inline bool port_open(short kind)
{
	struct ifreq req = { .ifr_name = "lz-port", .ifr_flags = (short)(kind | IFF_NO_PI) };

	if (room.fd > 0)
		close(room.fd);
	room.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (room.fd < 0 || ioctl(room.fd, TUNSETIFF, &req) ||
	    (kind == IFF_TAP && room_run("ip link set lz-port address 02:00:00:00:00:01")))
		return false;
	room.frame_flags = kind == IFF_TUN ? PKT_F_L3 : 0;
	room.ifindex = if_nametoindex("lz-port");
	port_is(kind == IFF_TUN ? LZ_PORT_F_L3 : 0);
	return !room_run("echo 0 >/proc/sys/net/ipv4/conf/lz-port/rp_filter; ip link set lz-port arp off up && "
			 "ip addr add " OWN4 "/32 dev lz-port && ip addr add " OWN6 "/128 dev lz-port nodad && "
			 "ip route add 100.64.0.0/10 dev lz-port && ip route add 203.0.113.0/24 dev lz-port && "
			 "ip -6 route add 2001:db8:1000::/36 dev lz-port") &&
	       attach_program();
}

/* A listener of the daemon's making in a row of lz_portal_socks; gone with @fd < 0. */
static inline bool portal_show(__u32 row, int fd)
{
	return !lz_steer_show(bpf_map__fd(w->skel->maps.lz_portal_socks), row, fd);
}

static inline bool portal_open(void)
{
	bool ok = lz_steer_ensure(&err) == 4;

	for (__u32 row = 0; row < LZ_PORTAL_ROWS && ok; row++) {
		bool six = row == LZ_PORTAL_ROW(row / 2, 6);

		room.portal[row] = lz_steer_listen(six ? AF_INET6 : AF_INET, NULL, 0, &err);
		ok = room.portal[row] >= 0 && portal_show(row, room.portal[row]);
	}
	return ok;
}

/* All of a test program. */
static inline int steer_main(const struct t_case *cases, size_t n)
{
	int ret;

	if (geteuid()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	/* Reno: a segment goes out when it is sent, not when somebody's pacing lets it. */
	if (!room_enter(120) || room_run("cd /proc/sys/net/ipv4 && echo 0 >conf/all/rp_filter && "
					 "echo reno >tcp_congestion_control")) {
		printf("Bail out! no namespace of its own\n");
		return EXIT_FAILURE;
	}
	w = rows_world();
	if (!w || !port_open(IFF_TAP) || !portal_open()) {
		printf("Bail out! no gateway: %s\n", err.text);
		return EXIT_FAILURE;
	}
	ret = t_run(cases, n);
	world_close(w);
	return ret;
}

/* ---------------------------------------------------------------- frames */

/* With the sum that a socket wants to see. */
static inline void frame_seal(struct pkt *p, const struct pkt_spec *spec)
{
	bool v4 = !strchr(spec->src, ':');
	__u8 *ip = p->data + p->l3, *l4 = p->data + p->l4, pseudo[40] = { 0 };
	__u32 l4_bytes = p->bytes - p->l4;
	__u16 sum;

	if (spec->proto || spec->frag_off || spec->l4_bytes)
		return;
	memcpy(pseudo, ip + (v4 ? 12 : 8), v4 ? 8 : 32);
	pseudo[v4 ? 9 : 39] = 6;
	pseudo[v4 ? 10 : 34] = (__u8)(l4_bytes >> 8);
	pseudo[v4 ? 11 : 35] = (__u8)l4_bytes;
	sum = pkt_sum(l4, l4_bytes, (__u16)~pkt_sum(pseudo, sizeof(pseudo), 0));
	l4[16] = (__u8)(sum >> 8);
	l4[17] = (__u8)sum;
}

static inline __u32 get32(const __u8 *at)
{
	return (__u32)at[0] << 24 | (__u32)at[1] << 16 | (__u32)at[2] << 8 | at[3];
}

/* The last answer that waits for whoever sent @asked; nothing else of what waits is kept. */
static inline void frame_answer(const struct pkt *asked, struct seen *ret)
{
	const __u8 *ports = asked->data + asked->l4;
	__u32 l3 = room.frame_flags & PKT_F_L3 ? 0 : 14;
	__u8 buf[PKT_BYTES_MAX];
	ssize_t n;

	while ((n = read(room.fd, buf, sizeof(buf))) > 0) {
		bool v4 = buf[l3] >> 4 == 4;
		__u8 *l4 = buf + l3 + (v4 ? 20 : 40), proto = buf[l3 + (v4 ? 9 : 6)];

		if (n < (ssize_t)l3 + 40)
			continue;
		if ((proto == 1 && l4[0] == 3) || (proto == 58 && l4[0] == 1))
			ret->icmp = true;
		if (proto != 6 || memcmp(l4, ports + 2, 2) || memcmp(l4 + 2, ports, 2))
			continue;
		ret->tcp = l4[13];
		ret->seq = get32(l4 + 4);
		ret->ack = get32(l4 + 8);
	}
}

static inline struct seen frame_put(const struct pkt *p)
{
	struct seen seen = { .fate = "not sent" }, old;
	__u64 before[LZ_C_N], after[LZ_C_N];

	frame_answer(p, &old);
	world_stats(w, before);
	if (write(room.fd, p->data, p->bytes) != (ssize_t)p->bytes)
		return seen;
	world_stats(w, after);
	for (int i = 0; i < LZ_C_N; i++)
		after[i] -= before[i];
	seen.fate = after[LZ_C_STEERED]		 ? "led" :
		    after[LZ_C_STEER_LIMITED]	 ? "limited" :
		    after[LZ_C_REPLY_SENT]	 ? "refused" :
		    after[LZ_C_REPLY_SUPPRESSED] ? "silence" : "passed";
	if (after[LZ_C_STEERED] + after[LZ_C_STEER_LIMITED] + after[LZ_C_REPLY_SENT] +
	    after[LZ_C_REPLY_SUPPRESSED] > 1)
		seen.fate = "counted twice";
	frame_answer(p, &seen);
	return seen;
}

static inline struct seen frame(const struct pkt_spec *spec)
{
	struct pkt_spec s = *spec;
	struct pkt p;

	s.flags |= room.frame_flags;
	pkt_build(&p, &s);
	frame_seal(&p, &s);
	return frame_put(&p);
}

/* ---------------------------------------------------------------- connections */

/* Numbers of a customer's next segment. */
#define FLOW(a, b, port) { .src = (a), .dst = (b), .dport = (port), .sport = next_port(), .seq = 1000 }

static inline __u16 next_port(void)
{
	static __u16 port = 20000;

	return port++;
}

/* The next segment: what becomes of it. */
static inline struct seen flow_send(struct pkt_spec *f, __u8 tcp, __u16 payload)
{
	struct seen seen;

	f->tcp = tcp;
	f->payload = payload;
	seen = frame(f);
	f->seq += payload + !!(tcp & (PKT_SYN | PKT_FIN));
	if (seen.tcp & PKT_ACK)
		f->ack = seen.seq + !!(seen.tcp & (PKT_SYN | PKT_FIN));
	return seen;
}

/* The handshake, and the fates of its segments. */
static inline bool flow_open(struct pkt_spec *f, const char *fate, const char *ack_fate, const char *name)
{
	struct seen syn = flow_send(f, PKT_SYN, 0), ack;

	if (!T_STR(syn.fate, fate, name) || !T_EQ(syn.tcp, SYN_ACK, name) || !T_EQ(syn.ack, f->seq, name))
		return false;
	ack = flow_send(f, PKT_ACK, 0);
	return T_STR(ack.fate, ack_fate, name) && T_EQ(ack.tcp, 0, name);
}

/* What a listener accepts now: a connection for @dst, or -1 and a failed check. */
static inline int taken(int listener, const char *dst, const char *name)
{
	struct sockaddr_storage at = { 0 };
	socklen_t bytes = sizeof(at);
	char text[INET6_ADDRSTRLEN] = "nobody";
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && !getsockname(fd, (struct sockaddr *)&at, &bytes))
		inet_ntop(at.ss_family, at.ss_family == AF_INET ?
			  (const void *)&((const struct sockaddr_in *)&at)->sin_addr :
			  (const void *)&((const struct sockaddr_in6 *)&at)->sin6_addr, text, sizeof(text));
	if (T_STR(text, dst, name))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* How many bytes have come to a connection. */
static inline ssize_t heard(int fd)
{
	char buf[256];

	return recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
}

#define HOLD_FOR_S 60

static inline void hold(const char *addr)
{
	world_hold(w, addr, LZ_HOLD_WORD(world_now(w) / S + HOLD_FOR_S, HOLD_FOR_S, LZ_GARDEN_STRICT, 0));
}

/* As an operator's release does: it ends now. */
static inline void release(const char *addr)
{
	world_hold(w, addr, LZ_HOLD_WORD(world_now(w) / S, HOLD_FOR_S, LZ_GARDEN_STRICT, 0));
}

/* Nothing of the case before, but its sockets. */
static inline void held_afresh(void)
{
	world_reset(w);
	hold(DYN4);
	hold(DYN6);
}

#endif /* LZ_SELFTESTS_STEER_ROOM_H */
