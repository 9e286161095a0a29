/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * barriers.h - a thread that gets so many of the barriers it asks for, and then no more. Its membarrier(2) calls
 * wait at a seccomp filter for the test's answer; the filter ends with the thread.
 */
#ifndef LZ_SELFTESTS_BARRIERS_H
#define LZ_SELFTESTS_BARRIERS_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "lib/t.h"

static struct barriers {
	unsigned int asked; /* for, until the work was done */
	void (*work)(void *arg);
	void *arg;
	int listener;
	int ready[2]; /* a pipe: the listener is there */
} barriers;

static inline void *barriers_work(void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = LZ_ARRAY_SIZE(code), .filter = code };

	(void)arg;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	barriers.listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
	if (write(barriers.ready[1], "", 1) == 1 && barriers.listener >= 0)
		barriers.work(barriers.arg);
	return NULL;
}

/* The first @n calls go on, the others are refused; until the thread has ended. */
static inline void barriers_answer(unsigned int n)
{
	struct pollfd p = { .fd = barriers.listener, .events = POLLIN };

	while (poll(&p, 1, -1) > 0 && p.revents & POLLIN) {
		struct seccomp_notif ask = { 0 };
		struct seccomp_notif_resp answer = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

		if (ioctl(barriers.listener, SECCOMP_IOCTL_NOTIF_RECV, &ask))
			continue;
		answer.id = ask.id;
		if (barriers.asked++ >= n) {
			answer.flags = 0;
			answer.error = -EPERM;
		}
		ioctl(barriers.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

/* Do work(arg) in a thread that gets @n barriers. Return: how many it has asked for. */
static inline unsigned int barriers_allow(unsigned int n, void (*work)(void *arg), void *arg)
{
	pthread_t aside;
	char c;

	barriers = (struct barriers){ .work = work, .arg = arg, .listener = -1 };
	if (!T_OK(!pipe(barriers.ready) && !pthread_create(&aside, NULL, barriers_work, NULL), "a thread"))
		return 0;
	if (T_OK(read(barriers.ready[0], &c, 1) == 1 && barriers.listener >= 0, "a filter"))
		barriers_answer(n);
	pthread_join(aside, NULL);
	close(barriers.listener);
	close(barriers.ready[0]);
	close(barriers.ready[1]);
	return barriers.asked;
}

#endif /* LZ_SELFTESTS_BARRIERS_H */
