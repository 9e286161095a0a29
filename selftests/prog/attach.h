/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attach.h - an instance on a veth pair, for p_attach, p_instance and p_devices. Frames go out of
 * lz-b, the programs sit on lz-a, its peer.
 */
#ifndef LZ_SELFTESTS_ATTACH_H
#define LZ_SELFTESTS_ATTACH_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/mem.h"
#include "datapath/bypass.h"
#include "datapath/kernel.h"
#include "datapath/ports.h"
#include "datapath/preflight.h"
#include "datapath/tables.h"
#include "lib/pkt.h"
#include "prog/room.h"

#define DIR "/sys/fs/bpf/lazaret-a/"

static const struct lz_instance_config config = {
	.name = "a", .sources_max = 4096, .colony_max = 1024, .ipv6_key_len = 64,
};
static struct lz_err err;

/* ---------------------------------------------------------------- frames and counts */

static inline int open_sender(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex("lz-b") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline unsigned int send_frames(unsigned int n)
{
	struct pkt_spec spec = { .src = "100.64.0.1", .dst = "198.51.100.1", .dport = 443 };
	lz_autoclose int fd = open_sender();
	unsigned int sent = 0;
	struct pkt p;

	pkt_build(&p, &spec);
	for (unsigned int i = 0; i < n; i++)
		sent += send(fd, p.data, p.bytes, 0) == (ssize_t)p.bytes;
	usleep(50000); /* veth hands over through NAPI */
	return sent;
}

static volatile bool stream_over;
static volatile unsigned int stream_sent;
static pthread_t stream_thread;

static inline void *stream_run(void *arg)
{
	struct pkt_spec spec = { .src = "100.64.0.1", .dst = "198.51.100.1", .dport = 443 };
	lz_autoclose int fd = open_sender();
	struct pkt p;

	(void)arg;
	pkt_build(&p, &spec);
	/* Paced below what one queue takes: a frame dropped by veth would look like a gap. */
	while (!stream_over) {
		for (int i = 0; i < 10; i++)
			stream_sent += send(fd, p.data, p.bytes, 0) == (ssize_t)p.bytes;
		usleep(100);
	}
	return NULL;
}

/* Frames go on until stream_end(), which says how many. */
static inline void stream_start(void)
{
	stream_over = false;
	stream_sent = 0;
	pthread_create(&stream_thread, NULL, stream_run, NULL);
}

static inline unsigned int stream_end(void)
{
	stream_over = true;
	pthread_join(stream_thread, NULL);
	usleep(100000); /* veth hands over through NAPI */
	return stream_sent;
}

/* Frames of lz-a's row so far; others (neighbour discovery) are kept away: see make_veth(). */
static inline __u64 count_received(const struct lz_kernel *k)
{
	struct lz_port_stats s = {};
	struct lz_tables_view view;

	if (!T_OK(!lz_tables_open(&k->maps, &k->instance, &view, &err), err.text))
		return 0;
	lz_port_stats_read(&view, lz_ports_row(view.ports, if_nametoindex("lz-a")), &s);
	lz_tables_close(&view);
	return s.count[LZ_C_RECEIVED];
}

static inline bool make_veth(void)
{
	return !room_run("ip link add lz-a type veth peer name lz-b && "
			 "echo 1 > /proc/sys/net/ipv6/conf/lz-a/disable_ipv6 && "
			 "echo 1 > /proc/sys/net/ipv6/conf/lz-b/disable_ipv6 && "
			 "ip link set lz-a arp off && ip link set lz-b arp off && "
			 "ip link set lz-a up && ip link set lz-b up");
}

static inline bool open_kernel(struct lz_kernel *k)
{
	int r = lz_kernel_open(&config, k, &err);

	return T_EQ(r, 0, r ? err.text : "open");
}

static inline bool give_row(const struct lz_kernel *k, enum lz_attach_mode mode)
{
	struct lz_port_want want = { .ifindex = if_nametoindex("lz-a"), .name = "lz-a", .mode = mode,
				     .role = LZ_ROLE_CUSTOMER };
	struct lz_attachments none = {};
	struct lz_ports ports;
	bool ok = T_OK(!lz_ports_open(&k->maps, &none, &ports, &err), err.text) &&
		  T_OK(!lz_ports_set(&ports, &want, 0, &err), err.text);

	if (ok)
		lz_ports_close(&ports);
	return ok;
}

static inline int attach(const struct lz_kernel *k, enum lz_attach_mode mode, unsigned int flags)
{
	return give_row(k, mode) ? lz_attach(k, if_nametoindex("lz-a"), mode, flags, &err) : -1;
}

static inline struct lz_attachment read_one(const struct lz_kernel *k, size_t *ret_n)
{
	struct lz_attachments list = {};
	struct lz_attachment a = {};

	T_OK(!lz_attachments_read(k, &list, &err), "attachments");
	if (list.n)
		a = list.v[0];
	*ret_n = list.n;
	lz_attachments_done(&list);
	return a;
}

static inline int load_dummy(enum bpf_prog_type type, int verdict)
{
	struct bpf_insn insns[] = { { .code = 0xb7, .imm = verdict }, { .code = 0x95 } };

	return bpf_prog_load(type, "lz_foreign", "Dual BSD/GPL", insns, 2, NULL);
}

static inline void start_afresh(void)
{
	room_run("ip link del lz-a 2>/dev/null; true");
	lz_kernel_remove("a", NULL, NULL);
	T_OK(make_veth(), "veth pair");
}

/* The keeper has no CAP_SYS_ADMIN under its unit. */
static inline bool drop_sys_admin(void)
{
	const cap_value_t value = CAP_SYS_ADMIN;
	cap_t caps = cap_get_proc();
	bool ok = caps && !cap_set_flag(caps, CAP_EFFECTIVE, 1, &value, CAP_CLEAR) && !cap_set_proc(caps);

	cap_free(caps);
	return ok;
}

/* In a room of its own; for main(). @as_keeper: without what he has not */
static inline int attach_run(const struct t_case *cases, size_t n, bool as_keeper)
{
	if (geteuid()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	if (!room_enter(180)) {
		printf("Bail out! no namespace of its own\n");
		return EXIT_FAILURE;
	}
	if (as_keeper && !drop_sys_admin()) {
		printf("Bail out! cannot drop CAP_SYS_ADMIN\n");
		return EXIT_FAILURE;
	}
	return t_run(cases, n);
}

#endif
