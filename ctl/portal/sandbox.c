// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "portal/sandbox.h"

/* 768 web connections of 32 KiB, 128 with TLS of about 100 KiB, 256 of the sink: 40 MB. */
#define DATA_BYTES_MAX (256UL << 20)
#define FILES_MAX      2048

static const int allowed[] = {
	/* memory */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	/* what is open */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),
	/* the loop */
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(poll),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(restart_syscall),
	/* sockets that were handed over, and what they accept */
	SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* signals, identity, the end */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Allowed for some arguments only. */
static int add_narrow(scmp_filter_ctx f)
{
	/* glibc's fcntl(); F_SETOWN would send signals, F_DUPFD would only make more of the same */
	static const unsigned int fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	static const int levels[] = { SOL_SOCKET, IPPROTO_TCP };
	int r = 0;

	for (size_t i = 0; r == 0 && i < LZ_ARRAY_SIZE(fcntls); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1_32(SCMP_CMP_EQ, fcntls[i]));
	for (size_t i = 0; r == 0 && i < LZ_ARRAY_SIZE(levels); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 1,
				     SCMP_A1_32(SCMP_CMP_EQ, (unsigned int)levels[i]));
	/* shutdown() makes a listener a socket that MSG_FASTOPEN connects, to anywhere and with our mark:
	 * the gate would take whoever is at the other end for a host that has come to us */
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 1,
				     SCMP_A2_32(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2,
				     SCMP_A3_32(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0),
				     SCMP_A4_64(SCMP_CMP_EQ, 0));
	/* no page is ever both written and run */
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r;
}

static int filter_calls(struct lz_err *reterr)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = f ? seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < LZ_ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = add_narrow(f);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	return r < 0 ? lz_err_set(reterr, -r, "sandbox: seccomp: %s", strerror(-r)) : 0;
}

static int check_identity(struct lz_err *reterr)
{
	cap_t none = cap_init(), now = cap_get_proc();
	bool same = none && now && cap_compare(now, none) == 0;

	cap_free(now);
	cap_free(none);
	if (geteuid() == 0 || getuid() == 0 || getegid() == 0 || getgid() == 0)
		return lz_err_set(reterr, EPERM,
				  "sandbox: this is root: lazaretd starts it as another user");
	return same ? 0 : lz_err_set(reterr, EPERM, "sandbox: there are capabilities left");
}

static int set_limit(__rlimit_resource_t what, rlim_t max, struct lz_err *reterr)
{
	const struct rlimit limit = { max, max };

	if (setrlimit(what, &limit) < 0)
		return lz_err_set(reterr, errno, "sandbox: limit %d: %s", (int)what, strerror(errno));
	return 0;
}

int lz_portal_sandbox_enter(struct lz_err *reterr)
{
	int r = check_identity(reterr);

	if (r == 0)
		r = set_limit(RLIMIT_CORE, 0, reterr);
	if (r == 0)
		r = set_limit(RLIMIT_NPROC, 0, reterr);
	if (r == 0)
		r = set_limit(RLIMIT_DATA, DATA_BYTES_MAX, reterr);
	if (r == 0)
		r = set_limit(RLIMIT_NOFILE, FILES_MAX, reterr);
	if (r == 0 && (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
		r = lz_err_set(reterr, errno, "sandbox: no new privileges: %s", strerror(errno));
	return r < 0 ? r : filter_calls(reterr);
}
