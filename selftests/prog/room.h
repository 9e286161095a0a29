/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * room.h - a network namespace and a bpffs of a test's own. Nothing outlives the process, whatever
 * ends it: pins go with the mount, hooks with the pins, interfaces with the namespace.
 */
#ifndef LZ_SELFTESTS_ROOM_H
#define LZ_SELFTESTS_ROOM_H

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/t.h"

/* Run a command of literal text; its exit status. */
static inline int room_run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* At most @limit_s seconds from here, then SIGALRM ends the test. */
static inline bool room_enter(unsigned int limit_s)
{
	alarm(limit_s);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"))
		return false;
	return room_run("ip link set lo up") == 0;
}

/* All of a test program whose cases share what @set_up made; @why: what that says if it failed. */
static inline int room_main(const struct t_case *cases, size_t n, bool (*set_up)(void), const char *why)
{
	if (geteuid()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	if (!room_enter(180) || !set_up()) {
		printf("Bail out! set-up failed: %s\n", why);
		return EXIT_FAILURE;
	}
	return t_run(cases, n);
}

static inline double room_now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* CPU time of this thread: what a measurement means on a machine that others use too. */
static inline double room_cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

#endif /* LZ_SELFTESTS_ROOM_H */
