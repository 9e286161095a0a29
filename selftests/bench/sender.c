/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sender.c - plain SYNs from many sources into a real gateway, for what control.sh measures.
 *
 * Frames leave by a packet socket of the network namespace that this process was started in; they
 * are for the MAC address 02:00:00:00:00:00.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "cli/client.h"

#define FRAME_BYTES    54 /* Ethernet, IPv4, TCP without options */
#define PACE_EVERY     64 /* a veth's ring takes 256: it is given time to be emptied */
#define EVENT_LEAST_NS 300000 /* between two offences: 0.3 to 1.3 ms */
#define EVENT_WAIT_NS  2000000000ull

static int device_open(const char *device)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)if_nametoindex(device) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	bench_must(fd < 0 || !at.sll_ifindex ? -errno : 0, device);
	bench_must(bind(fd, (struct sockaddr *)&at, sizeof(at)) ? -errno : 0, device);
	return fd;
}

static void write_checksum(__u8 *ip)
{
	__u32 sum = 0;

	ip[10] = ip[11] = 0;
	for (unsigned i = 0; i < 20; i += 2)
		sum += (__u32)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	ip[10] = (__u8)(sum >> 8);
	ip[11] = (__u8)sum;
}

/* One SYN to port 25; @turn makes it a new attempt. */
static void send_syn(int fd, enum frame_kind kind, __u32 source, __u32 turn)
{
	__u8 frame[BENCH_FRAME_BYTES];
	__u32 be = htonl(source), seq = htonl(turn * 2654435761u);
	__u16 port = htons((__u16)(1024 + turn % 60000));

	frame_make(kind, 4, frame);
	memcpy(frame + 26, &be, sizeof(be));
	memcpy(frame + 34, &port, sizeof(port));
	memcpy(frame + 38, &seq, sizeof(seq));
	write_checksum(frame + 14);
	bench_must(send(fd, frame, FRAME_BYTES, 0) == FRAME_BYTES ? 0 : -errno, "send a SYN");
}

static __u32 address_of(const char *text)
{
	struct in_addr a;

	bench_must(inet_pton(AF_INET, text, &a) == 1 ? 0 : -EINVAL, text);
	return ntohl(a.s_addr);
}

static void pause_ns(__u64 ns)
{
	struct timespec t = { .tv_nsec = (long)ns };

	nanosleep(&t, NULL);
}

/* --spray DEVICE ADDRESS N: a SYN from each of N neighbours */
static int spray(char **args)
{
	int fd = device_open(args[0]);
	__u32 base = address_of(args[1]), n = (__u32)strtoul(args[2], NULL, 10);

	for (__u32 i = 0; i < n; i++) {
		send_syn(fd, FRAME_SYN25, base + i, i);
		if (i % PACE_EVERY == 0)
			pause_ns(1);
	}
	return 0;
}

static volatile sig_atomic_t ended;

static void on_term(int signal)
{
	(void)signal;
	ended = 1;
}

/* --both DEVICE ADDRESS ADDRESS: SYNs to the world from the one and the other, until SIGTERM; then
 * how many of each were sent */
static int both(char **args)
{
	struct sigaction action = { .sa_handler = on_term };
	__u32 sent = 0, source[2] = { address_of(args[1]), address_of(args[2]) };
	int fd = device_open(args[0]);

	sigaction(SIGTERM, &action, NULL);
	while (!ended) {
		send_syn(fd, FRAME_WORLD25, source[0], sent);
		send_syn(fd, FRAME_WORLD25, source[1], sent);
		if (++sent % 4 == 0)
			pause_ns(50000);
	}
	printf("%u\n", sent);
	return 0;
}

static void follow(struct lz_client *client, const char *path)
{
	struct lz_err err = {};

	if (lz_client_open(client, path, "", 0, &err) ||
	    lz_client_send(client, "{\"v\":1,\"id\":1,\"cmd\":\"monitor\",\"args\":{}}\n", NULL, 0,
			   &err)) {
		fprintf(stderr, "bench: set-up: %s\n", err.text);
		exit(2);
	}
	usleep(300000); /* it has no answer that says "from now on" */
}

/* Until the event of this source comes. Events of other sources are late ones. */
static bool await(struct lz_client *client, const char *address, __u64 until_ns)
{
	struct lz_message m;
	struct lz_err err = {};
	char word[64];

	snprintf(word, sizeof(word), "\"address\":\"%s\"", address);
	while (bench_now_ns() < until_ns) {
		if (lz_client_next(client, &m, &err)) {
			fprintf(stderr, "bench: set-up: %s\n", err.text);
			exit(2);
		}
		if (m.kind == LZ_MESSAGE_ROW && memmem(m.bytes, m.len, word, strlen(word)))
			return true;
	}
	return false;
}

/* --events DEVICE SOCKET ADDRESS N ADMITTED: from each of N neighbours one SYN more than is
 * admitted; microseconds from the sending of that one to its event at a client of the daemon, one a
 * line */
static int events(char **args)
{
	int fd = device_open(args[0]);
	__u32 base = address_of(args[2]), n = (__u32)strtoul(args[3], NULL, 10);
	__u32 admitted = (__u32)strtoul(args[4], NULL, 10);
	struct lz_client client;

	follow(&client, args[1]);
	srand(1);
	for (__u32 i = 0; i < n; i++) {
		struct in_addr a = { htonl(base + i) };
		__u64 t;

		for (__u32 k = 0; k < admitted; k++)
			send_syn(fd, FRAME_SYN25, base + i, k);
		pause_ns(EVENT_LEAST_NS + (__u64)rand() % 1000000);
		t = bench_now_ns();
		send_syn(fd, FRAME_SYN25, base + i, admitted);
		if (!await(&client, inet_ntoa(a), t + EVENT_WAIT_NS)) {
			fprintf(stderr, "bench: no event of %s\n", inet_ntoa(a));
			return 1;
		}
		printf("%.1f\n", (double)(bench_now_ns() - t) / 1e3);
	}
	lz_client_close(&client);
	return 0;
}

int sender_run(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "--spray"))
		return spray(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "--both"))
		return both(argv + 2);
	if (argc == 7 && !strcmp(argv[1], "--events"))
		return events(argv + 2);
	return -1;
}
