// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sandbox.c - what the controller may still do: work with the maps it was handed, its database, its
 * sockets and its memory. It can neither load nor attach a program, nor start one, nor open a network
 * connection. And what the teller may not do, which does the last two in its place.
 */
#include <errno.h>
#include <grp.h>
#include <linux/bpf.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "privsep/options.h"
#include "privsep/sandbox.h"

int lz_identity_find(const char *user, struct lz_identity *ret, struct lz_err *reterr)
{
	struct passwd *pw;

	memset(ret, 0, sizeof(*ret));
	errno = 0;
	pw = getpwnam(user);
	if (!pw && errno && errno != ENOENT && errno != ESRCH)
		return lz_err_set(reterr, errno, "user %s: cannot look up: %m", user);
	if (!pw)
		return 0;
	ret->uid = pw->pw_uid;
	ret->gid = pw->pw_gid;
	ret->found = true;
	return 0;
}

static const int allowed[] = {
	/* memory and threads (libuv's pool) */
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise),
	SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(membarrier), SCMP_SYS(getrandom),
	/* files: the database, /proc, /sys */
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(read), SCMP_SYS(write),
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(lseek),
	SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(fsync),
	SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(getdents64), SCMP_SYS(dup), SCMP_SYS(fchmod), SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),
	/* the loop */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2), SCMP_SYS(pipe2),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(ioctl),
	/* sockets: those it listens on, and the keeper */
	SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(listen), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(connect),
	SCMP_SYS(bind),
	/* signals, identity, the end */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(tgkill),
	SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(prlimit64),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* bpf(2): what maps need, nothing that makes or attaches. */
static const unsigned int allowed_bpf[] = {
	BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY,
	BPF_OBJ_GET_INFO_BY_FD, BPF_MAP_LOOKUP_BATCH, BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH,
};

static const int allowed_families[] = { AF_UNIX, AF_NETLINK };

/* What takes a machine over, or hides it; none of a hook's or a mail program's business. */
static const int refused[] = {
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(unshare), SCMP_SYS(setns),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
	SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(open_by_handle_at),
};

static int add_refusals(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < LZ_ARRAY_SIZE(refused); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	if (r == 0) /* packet, netlink's neighbours, vsock, alg, xdp, .. */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				     SCMP_A0_32(SCMP_CMP_GT, AF_NETLINK));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
	if (r == 0) /* its flags are out of sight; without it libc takes clone() */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

static int add_rules(scmp_filter_ctx filter)
{
	int r;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(allowed); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < LZ_ARRAY_SIZE(allowed_bpf); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
				     SCMP_A0_32(SCMP_CMP_EQ, allowed_bpf[i]));
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < LZ_ARRAY_SIZE(allowed_families); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0_32(SCMP_CMP_EQ, (unsigned int)allowed_families[i]));
		if (r < 0)
			return r;
	}
	return 0;
}

static int filter_calls(bool teller, struct lz_err *reterr)
{
	/* EPERM, not a kill: a library that tries something optional goes on without it. */
	scmp_filter_ctx filter = seccomp_init(teller ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return lz_err_set(reterr, ENOMEM, "sandbox: seccomp: out of memory");
	r = teller ? add_refusals(filter) : add_rules(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r < 0 ? lz_err_set(reterr, -r, "sandbox: seccomp: %s", strerror(-r)) : 0;
}

static int drop_capabilities(struct lz_err *reterr)
{
	cap_t none = cap_init();
	cap_t now = NULL;
	int r = 0;

	if (!none || cap_set_proc(none) < 0)
		r = lz_err_set(reterr, none ? errno : ENOMEM, "sandbox: drop capabilities: %m");
	now = cap_get_proc();
	if (r == 0 && (!now || cap_compare(now, none) != 0))
		r = lz_err_set(reterr, EPERM, "sandbox: capabilities: some are still there");
	cap_free(now);
	cap_free(none);
	return r;
}

/* @groups_of: keep the supplementary groups of this account; NULL: none */
static int change_user(const struct lz_identity *who, const char *groups_of, struct lz_err *reterr)
{
	uid_t r, e, s;

	if (!who->found)
		return lz_err_set(reterr, ENOENT, "sandbox: change user: there is none to change to");
	if ((groups_of ? initgroups(groups_of, who->gid) : setgroups(0, NULL)) < 0 ||
	    setresgid(who->gid, who->gid, who->gid) < 0 ||
	    setresuid(who->uid, who->uid, who->uid) < 0)
		return lz_err_set(reterr, errno, "sandbox: change user: %m");
	if (getresuid(&r, &e, &s) < 0 || r != who->uid || e != who->uid || s != who->uid)
		return lz_err_set(reterr, EPERM, "sandbox: change user: it did not take");
	return 0;
}

static int give_up(const struct lz_identity *who, const char *groups_of, struct lz_err *reterr)
{
	const struct rlimit no_core = { 0, 0 };
	int r;

	if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return lz_err_set(reterr, errno, "sandbox: no core file: %m");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return lz_err_set(reterr, errno, "sandbox: no new privileges: %m");
	/* The bounding set needs CAP_SETPCAP, so it goes before the user does. Without that capability
	 * no_new_privs alone keeps execve() from giving anything back. */
	for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++)
		if (cap_drop_bound(c) < 0)
			break;
	r = change_user(who, groups_of, reterr);
	return r ? r : drop_capabilities(reterr);
}

int lz_sandbox_become(const struct lz_identity *who, struct lz_err *reterr)
{
	return give_up(who, NULL, reterr);
}

int lz_sandbox_enter(const struct lz_identity *who, struct lz_err *reterr)
{
	int r = give_up(who, NULL, reterr);

	/* A keeper killed while we are busy: nobody may find us in his place. What was acknowledged
	 * is on the disk. After the change of user, which would forget it. */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = lz_err_set(reterr, errno, "sandbox: parent's death: %m");
	return r ? r : filter_calls(false, reterr);
}

int lz_sandbox_enter_teller(const struct lz_identity *who, const char *user, struct lz_err *reterr)
{
	/* Descriptors: eight jobs of a few each. Files: a mail in a queue. Processes: of the account,
	 * with the controller's threads among them. */
	const struct rlimit fds = { 256, 256 }, file = { 16 << 20, 16 << 20 }, processes = { 256, 256 };
	int r;

	if (setrlimit(RLIMIT_NOFILE, &fds) < 0 || setrlimit(RLIMIT_FSIZE, &file) < 0 ||
	    setrlimit(RLIMIT_NPROC, &processes) < 0)
		return lz_err_set(reterr, errno, "sandbox: limits: %m");
	r = give_up(who, user, reterr);
	return r ? r : filter_calls(true, reterr);
}
