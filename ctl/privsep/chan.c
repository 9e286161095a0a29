// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * chan.c - fixed-size messages with descriptors over a SOCK_SEQPACKET pair.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "privsep/chan.h"

union fds_buffer {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * LZ_CHAN_FDS_MAX)];
};

int lz_chan_pair(int ret_fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0 ? -errno : 0;
}

int lz_chan_send(int fd, const void *message, size_t size, const int *fds, unsigned int n_fds,
		 bool wait)
{
	struct iovec iov = { .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fds_buffer control;
	ssize_t n;

	memcpy(&iov.iov_base, &message, sizeof(message)); /* sendmsg() does not write there */
	if (n_fds > LZ_CHAN_FDS_MAX)
		return -EINVAL;
	if (n_fds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do {
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return (size_t)n == size ? 0 : -EMSGSIZE;
}

static void take_fds(struct msghdr *msg, int *fds, unsigned int *n_fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		unsigned int n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned int i = 0; i < n; i++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
			if (fds && *n_fds < LZ_CHAN_FDS_MAX)
				fds[(*n_fds)++] = one;
			else
				close(one);
		}
	}
}

int lz_chan_receive(int fd, void *message, size_t size, int *fds, unsigned int *n_fds)
{
	struct iovec iov = { .iov_base = message, .iov_len = size };
	union fds_buffer control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	unsigned int none = 0;
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (n_fds)
		*n_fds = 0;
	take_fds(&msg, fds, n_fds ? n_fds : &none);
	if (n == 0)
		return -EPIPE;
	return (size_t)n == size && !(msg.msg_flags & MSG_TRUNC) ? 0 : -EBADMSG;
}

int lz_chan_wait(int fd, bool to_send, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = to_send ? POLLOUT : POLLIN };
	int n;

	do {
		n = poll(&p, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}
