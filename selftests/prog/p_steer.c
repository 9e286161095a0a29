/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_steer.c - which packets of a held host the portal gets, and which socket of this machine: frames on a
 * real device, real listening and established sockets behind it.
 */
#include <sched.h>

#include "prog/steer_room.h"

static const struct {
	const char *name, *src, *dst;
	__u16 dport;
	__u32 row;
} services[] = {
	{ "page, v4", DYN4, WORLD4, 80, LZ_PORTAL_ROW(LZ_PORTAL_PAGE, 4) },
	{ "page, v6", DYN6, WORLD6, 80, LZ_PORTAL_ROW(LZ_PORTAL_PAGE, 6) },
	{ "sink, v4", DYN4, WORLD4, 25, LZ_PORTAL_ROW(LZ_PORTAL_SINK, 4) },
	{ "sink, v6", DYN6, WORLD6, 25, LZ_PORTAL_ROW(LZ_PORTAL_SINK, 6) },
};

/* Each service in each family, from the first SYN to the last FIN, as the address that was asked for. */
static void talk_to_all(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(services); i++) {
		struct pkt_spec f = FLOW(services[i].src, services[i].dst, services[i].dport);
		const char *name = services[i].name;
		int fd = -1;

		held_afresh();
		if (flow_open(&f, "led", "led", name))
			fd = taken(room.portal[services[i].row], services[i].dst, name);
		if (fd < 0)
			continue;
		T_STR(flow_send(&f, PKT_ACK | PKT_PSH, 100).fate, "led", name);
		T_EQ(heard(fd), 100, name);
		T_STR(flow_send(&f, PKT_ACK | PKT_FIN, 0).fate, "led", name);
		T_EQ(heard(fd), 0, name);
		T_STR(flow_send(&f, PKT_RST, 0).fate, "led", name);
		close(fd);
	}
}

static void on_a_tap(void)
{
	talk_to_all();
}

static void on_a_tun(void)
{
	if (T_OK(port_open(IFF_TUN), "a tun device"))
		talk_to_all();
	T_OK(port_open(IFF_TAP), "a tap device again");
}

/* What routing does not see here cannot be led: the other verdict stands. */
static void frames(void)
{
	static const struct {
		struct pkt_spec p;
		const char *name, *fate;
		__u8 tcp;
	} rows[] = {
		{ { .src = DYN4, .options = 10 }, "IPv4 options", "led", SYN_ACK },
		{ { .src = DYN6, .ext = { 0, 60 }, .ext_n = 2 }, "IPv6 headers", "led", SYN_ACK },
		/* There is no VLAN device, so they end in the stack. */
		{ { .src = DYN4, .vlan = { 0x8100 } }, "a tag", "led", 0 },
		{ { .src = DYN6, .vlan = { 0x88a8, 0x8100 } }, "two tags", "led", 0 },
		{ { .src = DYN4, .flags = PKT_F_PPPOE }, "PPPoE", "refused", 0 },
		{ { .src = DYN6, .flags = PKT_F_PPPOE }, "PPPoE, v6", "refused", 0 },
		{ { .src = DYN4, .flags = PKT_F_PPPOE, .vlan = { 0x8100 } }, "PPPoE, a tag", "refused", 0 },
		{ { .src = DYN4, .mpls = 1 }, "a label", "refused", 0 },
		{ { .src = DYN6, .mpls = 2 }, "two labels, v6", "refused", 0 },
		{ { .src = DYN4, .flags = PKT_F_BROADCAST }, "to everybody", "silence", 0 },
	};

	held_afresh();
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct pkt_spec p = rows[i].p;
		struct seen seen;

		p.dst = strchr(p.src, ':') ? WORLD6 : WORLD4;
		p.dport = 80;
		p.sport = next_port();
		seen = frame(&p);
		T_STR(seen.fate, rows[i].fate, rows[i].name);
		if (!strcmp(rows[i].fate, "led"))
			T_EQ(seen.tcp, rows[i].tcp, rows[i].name);
	}
}

static void frame_to_another_machine(void)
{
	struct pkt_spec spec = FLOW(DYN4, WORLD4, 80);
	struct pkt p;

	held_afresh();
	pkt_build(&p, &spec);
	frame_seal(&p, &spec);
	p.data[5] ^= 1;
	T_STR(frame_put(&p).fate, "refused", "a bridge passes it on");
	p.data[5] ^= 1;
	T_STR(frame_put(&p).fate, "led", "the same to us");
}

/* XDP's verdict beside a frame that it cannot be of: no socket of TCP gets what is none, be the ports the same. */
static void verdict_of_another_frame(void)
{
	static const struct {
		struct pkt_spec p;
		const char *name, *fate;
		bool icmp;
	} rows[] = {
		{ { .tcp = PKT_ACK }, "TCP", "led", false },
		{ { .proto = 17, .payload = 60 }, "UDP", "refused", true }, /* what is no TCP gets no reset */
		{ { .proto = 1, .icmp_type = 8, .payload = 60 }, "ICMP", "refused", true },
		{ { .frag_off = 8, .payload = 60 }, "a later fragment", "silence", false },
		{ { .flags = PKT_F_MORE, .l4_bytes = 8, .options = 5 }, "a fragment without flags", "silence", false },
		{ { .ethertype = 0x0806, .payload = 60 }, "no IP", "silence", false },
	};
	static __u64 fates[1024]; /* of as many CPUs */
	struct pkt_spec open = FLOW(DYN4, WORLD4, 80);
	struct seen seen;
	__u32 zero = 0;

	held_afresh();
	if (!flow_open(&open, "led", "led", "a connection"))
		return;
	close(taken(room.portal[LZ_PORTAL_ROW(LZ_PORTAL_PAGE, 4)], WORLD4, "taken"));
	port_is(LZ_PORT_F_XDP | LZ_PORT_F_GENERIC);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct pkt_spec p = rows[i].p;

		for (size_t cpu = 0; cpu < LZ_ARRAY_SIZE(fates); cpu++)
			fates[cpu] = 1 << 16 | LZ_V_TCP_RESET << 8 | LZ_V_PAGE;
		p.src = open.src;
		p.dst = open.dst;
		p.dport = open.dport;
		p.sport = open.sport;
		T_EQ(bpf_map_update_elem(bpf_map__fd(w->skel->maps.lz_pending), &zero, fates, 0), 0, "a verdict");
		seen = frame(&p);
		T_STR(seen.fate, rows[i].fate, rows[i].name);
		T_EQ(seen.icmp, rows[i].icmp, rows[i].name);
	}
	port_is(0);
}

/* ---------------------------------------------------------------- whose socket */

static int listen_here(int family, __u16 port, int mark)
{
	struct sockaddr_in6 any = { .sin6_family = (sa_family_t)family, .sin6_port = htons(port) };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) ||
	    bind(fd, (struct sockaddr *)&any, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(any)) ||
	    listen(fd, 16)) {
		T_OK(false, "a listening socket");
		return -1;
	}
	return fd;
}

/* This machine's own server for the world: what it had with the host is stopped, and nothing new gets there. */
static void another_server(const char *src, const char *dst, int family, int mark)
{
	__u32 row = LZ_PORTAL_ROW(LZ_PORTAL_PAGE, family == AF_INET6 ? 6 : 4);
	struct pkt_spec old = FLOW(src, dst, 80), new = FLOW(src, dst, 80);
	lz_autoclose int server = listen_here(family, 80, mark), conn = -1, page = -1;

	world_reset(w);
	if (!flow_open(&old, "passed", "passed", "a free host"))
		return;
	conn = taken(server, dst, "reaches the server");
	hold(src);
	T_STR(flow_send(&old, PKT_ACK, 10).fate, "refused", "held: what it had");
	T_ERR(heard(conn), -1, "does not get there");
	if (flow_open(&new, "led", "led", "held: a new one"))
		page = taken(room.portal[row], dst, "to the portal");
	release(src);
	old.seq -= 10;
	T_STR(flow_send(&old, PKT_ACK, 10).fate, "passed", "released: what it had");
	T_EQ(heard(conn), 10, "goes on");
	T_STR(flow_send(&new, PKT_ACK, 10).fate, "led", "released: what it has with the portal");
	T_EQ(heard(page), 10, "goes on, too");
	new = (struct pkt_spec)FLOW(src, dst, 80);
	/* A request shows no mark: the ACK is led, and to where it would have gone. */
	if (flow_open(&new, "passed", "led", "released: a new one")) {
		close(conn);
		conn = taken(server, dst, "reaches the server");
	}
}

static void a_server_of_this_machine(void)
{
	another_server(DYN4, OWN4, AF_INET, 0);
	another_server(DYN6, OWN6, AF_INET6, 0);
	another_server(DYN4, OWN4, AF_INET, 7);
}

/* The portal's page for everybody, on an address of its own: its connections are the portal's, its listener
 * is not for led packets, and no way round their limit. */
static void the_portals_own_address(void)
{
	struct pkt_spec old = FLOW(DYN4, OWN4, 80), new = FLOW(DYN4, OWN4, 80);
	struct lz_addr addr = { .family = 4 };
	lz_autoclose int own = -1, conn = -1, page = -1;

	inet_pton(AF_INET, OWN4, addr.bytes);
	own = lz_steer_listen(AF_INET, &addr, 80, &err);
	world_reset(w);
	if (!T_OK(own >= 0, err.text) || !flow_open(&old, "passed", "passed", "a free host"))
		return;
	conn = taken(own, OWN4, "reads the page");
	hold(DYN4);
	T_STR(flow_send(&old, PKT_ACK, 10).fate, "led", "held: what it had");
	T_EQ(heard(conn), 10, "goes on");
	if (flow_open(&new, "led", "led", "held: a new one"))
		page = taken(room.portal[LZ_PORTAL_ROW(LZ_PORTAL_PAGE, 4)], OWN4, "to the listener for led ones");
	release(DYN4);
	new = (struct pkt_spec)FLOW(DYN4, OWN4, 80);
	flow_open(&new, "passed", "led", "released: a new one");
	close(taken(own, OWN4, "to the address"));
}

/* Without listener there is no new connection; what has a socket of its own keeps it. */
static void nobody_listens(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(services); i++) {
		struct pkt_spec f = FLOW(services[i].src, services[i].dst, services[i].dport), new = f;
		const char *name = services[i].name;
		lz_autoclose int fd = -1;
		struct seen seen;

		held_afresh();
		new.sport = next_port();
		if (flow_open(&f, "led", "led", name))
			fd = taken(room.portal[services[i].row], f.dst, name);
		T_OK(portal_show(services[i].row, -1), "nobody");
		seen = flow_send(&new, PKT_SYN, 0);
		T_STR(seen.fate, "refused", name);
		T_EQ(seen.icmp, f.dport == 25, name);
		T_EQ(seen.tcp, f.dport == 25 ? 0 : PKT_RST | PKT_ACK, name);
		T_STR(flow_send(&f, PKT_ACK, 10).fate, "led", name);
		T_EQ(heard(fd), 10, name);
		T_OK(portal_show(services[i].row, room.portal[services[i].row]), "somebody");
	}
}

/* A port that was moved to another namespace than the portal's: its sockets are not for this one. */
static void a_listener_elsewhere(void)
{
	const __u32 row = LZ_PORTAL_ROW(LZ_PORTAL_PAGE, 4);
	lz_autoclose int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), far = -1;
	struct pkt_spec f = FLOW(DYN4, WORLD4, 80);

	held_afresh();
	if (!T_OK(here >= 0 && !unshare(CLONE_NEWNET), "another namespace"))
		return;
	far = listen_here(AF_INET, 80, LZ_MARK_REPLY);
	if (!T_EQ(setns(here, CLONE_NEWNET), 0, "back") || !T_OK(portal_show(row, far), "its listener"))
		return;
	T_STR(flow_send(&f, PKT_SYN, 0).fate, "refused", "no socket of ours");
	T_OK(portal_show(row, room.portal[row]), "the portal's again");
	f.sport = next_port();
	T_STR(flow_send(&f, PKT_SYN, 0).fate, "led", "one of ours");
}

/* ---------------------------------------------------------------- no flow, and yet not new */

static void not_the_portals(void)
{
	static const struct {
		const char *name;
		__u8 tcp;
		const char *held, *released;
	} rows[] = {
		{ "an old connection to the real site", PKT_ACK, "refused", "passed" },
		{ "its end", PKT_ACK | PKT_FIN, "refused", "passed" },
		{ "its reset", PKT_RST, "silence", "passed" },
		{ "an answer to nobody's SYN", SYN_ACK, "refused", "passed" },
		{ "no flag that says anything", PKT_PSH, "refused", "passed" },
		{ "a new one", PKT_SYN, "led", "passed" },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct pkt_spec v4 = FLOW(DYN4, WORLD4, 80), v6 = FLOW(DYN6, WORLD6, 80);

		held_afresh();
		T_STR(flow_send(&v4, rows[i].tcp, 0).fate, rows[i].held, rows[i].name);
		T_STR(flow_send(&v6, rows[i].tcp, 0).fate, rows[i].held, rows[i].name);
		release(DYN4);
		release(DYN6);
		v4.sport = v6.sport = next_port();
		T_STR(flow_send(&v4, rows[i].tcp, 0).fate, rows[i].released, rows[i].name);
		T_STR(flow_send(&v6, rows[i].tcp, 0).fate, rows[i].released, rows[i].name);
	}
}

static bool set_cookies(const char *mode)
{
	char command[80];

	snprintf(command, sizeof(command), "echo %s >/proc/sys/net/ipv4/tcp_syncookies", mode);
	return T_EQ(room_run(command), 0, "SYN cookies");
}

/* With cookies a request leaves nothing behind: the ACK says whether there was one. */
static void cookies(const char *src, const char *dst, __u32 row)
{
	struct pkt_spec f = FLOW(src, dst, 80), other;
	struct seen seen;

	held_afresh();
	seen = flow_send(&f, PKT_SYN, 0);
	T_STR(seen.fate, "led", "a SYN");
	T_EQ(seen.tcp, SYN_ACK, "answered with a cookie");
#define WRONG(what, name)                                                                          \
	other = f;                                                                                 \
	what;                                                                                      \
	T_STR(frame(&other).fate, "refused", name)
	f.tcp = PKT_ACK;
	WRONG(other.ack += 1000, "another number");
	WRONG(other.seq += 1000, "to another SYN");
	WRONG(other.sport++, "of another port");
	WRONG(other.dport = 25, "to another port");
	WRONG(other.dst = strchr(dst, ':') ? SMART6 : SMART4, "to another address");
	WRONG(other.tcp = PKT_PSH, "no ACK");
#undef WRONG
	other = f;
	other.tcp = PKT_RST | PKT_ACK;
	T_STR(frame(&other).fate, "silence", "a reset");
	T_STR(flow_send(&f, PKT_ACK, 10).fate, "led", "the right one");
	close(taken(room.portal[row], dst, "a connection"));
}

static void syn_cookies(void)
{
	if (set_cookies("2")) {
		cookies(DYN4, WORLD4, LZ_PORTAL_ROW(LZ_PORTAL_PAGE, 4));
		cookies(DYN6, WORLD6, LZ_PORTAL_ROW(LZ_PORTAL_PAGE, 6));
	}
	set_cookies("1");
}

/* A connection that is over here, its ports used again: the first SYN meets what is left of it, the client
 * resets that, its second SYN is new. So it is when the host has been released meanwhile. */
static void again(const char *src, const char *dst, bool released)
{
	struct pkt_spec f = FLOW(src, dst, 80);
	struct seen seen;
	int fd;

	held_afresh();
	if (!flow_open(&f, "led", "led", "a connection"))
		return;
	fd = taken(room.portal[LZ_PORTAL_ROW(LZ_PORTAL_PAGE, strchr(src, ':') ? 6 : 4)], dst, "taken");
	close(fd);
	f.ack++;
	T_STR(flow_send(&f, PKT_ACK | PKT_FIN, 0).fate, "led", "its end");
	if (released)
		release(src);
	f.seq += 100000;
	seen = flow_send(&f, PKT_SYN, 0);
	T_STR(seen.fate, "led", "the same ports: a SYN");
	T_EQ(seen.tcp, PKT_ACK, "what is left of the old one answers");
	f.seq = seen.ack;
	T_STR(flow_send(&f, PKT_RST, 0).fate, "led", "the old one's reset");
	f.seq = 900000;
	seen = flow_send(&f, PKT_SYN, 0);
	T_STR(seen.fate, released ? "passed" : "led", "the same SYN again");
	T_EQ(seen.tcp, released ? 0 : SYN_ACK, "and its answer");
}

static void time_wait(void)
{
	again(DYN4, WORLD4, false);
	again(DYN6, WORLD6, false);
	again(DYN4, WORLD4, true);
	again(DYN6, WORLD6, true);
}

/* Frames that have left on the other side. */
static unsigned int left(int far)
{
	__u8 buf[PKT_BYTES_MAX];
	unsigned int n = 0;

	for (ssize_t bytes; (bytes = read(far, buf, sizeof(buf))) > 0;)
		n += buf[0] >> 4 == 4 ? !memcmp(buf + 16, "\xc0\0\2\xc8", 4) : buf[6] == 6;
	return n;
}

/* A gateway that forwards, and somebody takes our rules away: what would be led goes nowhere. That is our
 * doing, and not early demultiplexing's, which finds the socket of a connection, too. */
static void without_rules(void)
{
	struct ifreq req = { .ifr_name = "lz-far", .ifr_flags = IFF_TUN | IFF_NO_PI };
	lz_autoclose int far = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (!T_OK(far >= 0 && !ioctl(far, TUNSETIFF, &req), "a way to the world") ||
	    !T_EQ(room_run("cd /proc/sys/net && echo 0 >ipv4/ip_early_demux && echo 1 >ipv4/ip_forward && "
			   "echo 1 >ipv6/conf/all/forwarding && ip link set lz-far up && ip route add default dev lz-far && "
			   "ip -6 route add default dev lz-far"), 0, "forwarding"))
		return;
	for (size_t i = 0; i < LZ_ARRAY_SIZE(services); i++) {
		struct pkt_spec f = FLOW(services[i].src, services[i].dst, services[i].dport), new = f, free = f;
		const char *name = services[i].name;

		held_afresh();
		new.sport = next_port();
		free.sport = next_port();
		free.dport = 8080;
		if (!flow_open(&f, "led", "led", name))
			continue;
		close(taken(room.portal[services[i].row], f.dst, name));
		T_OK(!lz_steer_remove(&err), err.text);
		T_STR(flow_send(&f, PKT_ACK, 10).fate, "led", name);
		T_STR(flow_send(&new, PKT_SYN, 0).fate, "led", name);
		T_EQ(left(far), 0, "nothing left");
		release(f.src);
		T_STR(flow_send(&free, PKT_SYN, 0).fate, "passed", name);
		T_EQ(left(far), 1, "what is free has");
		T_EQ(lz_steer_ensure(&err), 4, "our rules again");
	}
	room_run("ip link set lz-far down; cd /proc/sys/net; echo 1 >ipv4/ip_early_demux; "
		 "echo 0 >ipv4/ip_forward; echo 0 >ipv6/conf/all/forwarding");
}

static const struct t_case cases[] = {
	{ "page and sink on a tap", on_a_tap },
	{ "page and sink on a tun", on_a_tun },
	{ "frames that routing sees here, and others", frames },
	{ "a frame to another machine", frame_to_another_machine },
	{ "a verdict of another frame", verdict_of_another_frame },
	{ "a server of this machine", a_server_of_this_machine },
	{ "the portal's own address", the_portals_own_address },
	{ "nobody listens", nobody_listens },
	{ "a listener elsewhere", a_listener_elsewhere },
	{ "what is not the portal's", not_the_portals },
	{ "SYN cookies", syn_cookies },
	{ "TIME_WAIT", time_wait },
	{ "without rules", without_rules },
};

int main(void)
{
	return steer_main(cases, LZ_ARRAY_SIZE(cases));
}
