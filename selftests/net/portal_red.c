// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: portal_red --gate PATH
 *
 * A lazaret-portal that was taken over: started in its place, it opens what the portal opens, enters
 * the portal's own sandbox, waits for one client, and then tries everything. One line a try:
 * "denied NAME" or "DONE NAME", at last "end". What the gate may rightly be asked is tried too
 * ("allowed NAME"), so that a gate that is simply dead is not taken for a strict one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "portal/ask.h"
#include "portal/sandbox.h"

#define GUESS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct lz_ask gate;
static int client = -1;

static void say(bool denied, const char *name)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "%s %s\n", denied ? "denied" : "DONE", name);

	if (write(1, line, (size_t)n) < 0)
		_exit(3);
}

/* ---------------------------------------------------------------- the gate */

/* Sends @text with the descriptors, returns the code of the answer; -1: none came. */
static int ask_gate(const char *text, const int *fds, size_t n)
{
	struct iovec iov = { .iov_len = strlen(text) };
	char control[CMSG_SPACE(4 * sizeof(int))] = { 0 }, buf[LZ_GATE_MESSAGE_BYTES];
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd p = { .fd = gate.fd, .events = POLLIN };
	lz_autojson cJSON *answer = NULL;
	__u64 code = 99;
	ssize_t len;

	memcpy(&iov.iov_base, &text, sizeof(text));
	if (n) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	if (sendmsg(gate.fd, &msg, MSG_NOSIGNAL) < 0 || poll(&p, 1, 2000) != 1)
		return -1;
	len = recv(gate.fd, buf, sizeof(buf), 0);
	if (len <= 0 || lz_json_parse(buf, (size_t)len, &answer, NULL) < 0 ||
	    lz_json_get_u64(answer, "code", 0, 98, &code, NULL) < 0)
		return -1;
	return (int)code;
}

static void try_gate(const char *name, const char *text, const int *fds, size_t n)
{
	say(ask_gate(text, fds, n) > 0, name);
}

static void talk_to_gate(void)
{
	static const char own[] = "{\"v\":1,\"id\":9,\"cmd\":\"case\"}";
	int two[2] = { client, client }, listener = LZ_PORTAL_FD_PAGE4;
	static char big[LZ_GATE_MESSAGE_BYTES + 100];

	if (ask_gate(own, &client, 1) == 0)
		printf("allowed its client's case\n");
	fflush(stdout);
	try_gate("a case of nobody", own, NULL, 0);
	try_gate("a case of a listener", own, &listener, 1);
	try_gate("a case of the gate itself", own, &gate.fd, 1);
	try_gate("a case of standard output", own, (int[]){ 1 }, 1);
	try_gate("two cases at once", own, two, 2);
	try_gate("another host's case by name", "{\"v\":1,\"id\":9,\"cmd\":\"case\",\"address\":\"127.0.0.9\"}",
		 &client, 1);
	try_gate("a release without token", "{\"v\":1,\"id\":9,\"cmd\":\"release\"}", &client, 1);
	try_gate("a release with an empty token", "{\"v\":1,\"id\":9,\"cmd\":\"release\",\"token\":\"\"}", &client,
		 1);
	try_gate("a release with a guessed token",
		 "{\"v\":1,\"id\":9,\"cmd\":\"release\",\"token\":\"" GUESS "\"}", &client, 1);
	try_gate("quarantine.del", "{\"v\":1,\"id\":9,\"cmd\":\"quarantine.del\",\"address\":\"127.0.0.9\"}",
		 &client, 1);
	try_gate("quarantine.list", "{\"v\":1,\"id\":9,\"cmd\":\"quarantine.list\"}", NULL, 0);
	try_gate("bypass.on", "{\"v\":1,\"id\":9,\"cmd\":\"bypass.on\",\"args\":{}}", NULL, 0);
	try_gate("policy.apply", "{\"v\":1,\"id\":9,\"cmd\":\"policy.apply\"}", &client, 1);
	try_gate("words of its own for operators",
		 "{\"v\":1,\"id\":9,\"cmd\":\"tls\",\"state\":\"key\",\"errno\":13,\"why\":\"x\"}", NULL, 0);
	try_gate("no JSON", "hello", &client, 1);
	memset(big, ' ', sizeof(big) - 1);
	try_gate("a datagram that is too long", big, &client, 1);
}

/* ---------------------------------------------------------------- the kernel */

static void try_call(const char *name, long r)
{
	say(r < 0 && errno == EPERM, name);
}

static void try_files(void)
{
	try_call("open the ledger", open("/var/lib/lazaret/ledger.db", O_RDWR));
	try_call("open /etc/shadow", open("/etc/shadow", O_RDONLY));
	try_call("open its own program", open("/proc/self/exe", O_RDONLY));
	try_call("open /proc/self/mem", open("/proc/self/mem", O_RDWR));
	try_call("old open()", syscall(SYS_open, "/etc/passwd", O_RDONLY));
	try_call("openat2()", syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0));
	try_call("open_by_handle_at()", syscall(SYS_open_by_handle_at, 1, NULL, O_RDONLY));
	try_call("rename()", rename("/run/x", "/run/y"));
	try_call("unlink()", unlink("/run/x"));
	try_call("memfd_create()", syscall(SYS_memfd_create, "x", 0));
	try_call("chmod()", chmod("/run/x", 0777));
	try_call("mount()", syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL));
	try_call("duplicate a descriptor", fcntl(1, F_DUPFD, 20));
}

static void try_network(void)
{
	struct sockaddr_in world = { .sin_family = AF_INET, .sin_port = htons(25),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_name = &world, .msg_namelen = sizeof(world), .msg_iov = &iov,
			      .msg_iovlen = 1 };

	try_call("socket(AF_INET)", socket(AF_INET, SOCK_STREAM, 0));
	try_call("socket(AF_INET6, UDP)", socket(AF_INET6, SOCK_DGRAM, 0));
	try_call("socket(AF_UNIX)", socket(AF_UNIX, SOCK_STREAM, 0));
	try_call("socket(AF_NETLINK)", socket(AF_NETLINK, SOCK_RAW, 0));
	try_call("socketpair()", socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0 }));
	try_call("connect() of its client's socket", connect(client, (struct sockaddr *)&world, sizeof(world)));
	try_call("connect(AF_UNSPEC) of its client's socket", connect(client, &none, sizeof(none)));
	try_call("connect(AF_UNSPEC) of a listener", connect(LZ_PORTAL_FD_PAGE4, &none, sizeof(none)));
	try_call("connect() of a listener",
		 connect(LZ_PORTAL_FD_PAGE4, (struct sockaddr *)&world, sizeof(world)));
	try_call("bind()", bind(client, (struct sockaddr *)&world, sizeof(world)));
	try_call("listen()", listen(client, 1));
	try_call("sendto() with an address",
		 sendto(LZ_PORTAL_FD_PAGE4, &byte, 1, MSG_FASTOPEN, (struct sockaddr *)&world, sizeof(world)));
	try_call("sendmsg(MSG_FASTOPEN) of a listener",
		 sendmsg(LZ_PORTAL_FD_PAGE4, &msg, MSG_FASTOPEN | MSG_NOSIGNAL));
	try_call("sendmsg(MSG_FASTOPEN) of its client's socket",
		 sendmsg(client, &msg, MSG_FASTOPEN | MSG_NOSIGNAL));
	if (shutdown(LZ_PORTAL_FD_PAGE4, SHUT_RDWR) < 0) /* it is a listener no more */
		_exit(4);
	try_call("sendmsg(MSG_FASTOPEN) of what was a listener",
		 sendmsg(LZ_PORTAL_FD_PAGE4, &msg, MSG_FASTOPEN | MSG_NOSIGNAL));
	try_call("setsockopt(IP_TRANSPARENT)", setsockopt(client, SOL_IP, IP_TRANSPARENT, &(int){ 1 }, 4));
	try_call("another mark", setsockopt(client, SOL_SOCKET, SO_MARK, &(int){ 7 }, 4));
	try_call("sendmmsg()", syscall(SYS_sendmmsg, client, NULL, 0, 0));
	try_call("io_uring_setup()", syscall(SYS_io_uring_setup, 4, NULL));
}

static void try_kernel(void)
{
	union bpf_attr attr;
	char *const args[] = { (char *)(long)"x", NULL };
	void *page;

	memset(&attr, 0, sizeof(attr));
	try_call("bpf(BPF_MAP_CREATE)", syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
	try_call("bpf(BPF_OBJ_GET)", syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr)));
	try_call("bpf(BPF_MAP_GET_FD_BY_ID)", syscall(SYS_bpf, BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr)));
	try_call("execve()", execve("/bin/sh", args, NULL));
	try_call("execveat()", syscall(SYS_execveat, AT_FDCWD, "/bin/sh", args, NULL, 0));
	try_call("fork()", syscall(SYS_fork));
	try_call("clone()", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	try_call("clone3()", syscall(SYS_clone3, NULL, 0));
	try_call("unshare(CLONE_NEWUSER)", unshare(CLONE_NEWUSER));
	try_call("kill() of its parent", kill(getppid() > 1 ? getppid() : 2, SIGKILL));
	try_call("ptrace() of its parent", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	try_call("process_vm_readv()", syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0));
	try_call("pidfd_open()", syscall(SYS_pidfd_open, 1, 0));
	try_call("setuid(0)", syscall(SYS_setuid, 0));
	try_call("prctl(PR_SET_DUMPABLE)", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	try_call("setrlimit()", syscall(SYS_prlimit64, 0, 7, NULL, NULL));
	try_call("perf_event_open()", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	try_call("keyctl()", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	try_call("userfaultfd()", syscall(SYS_userfaultfd, 0));
	try_call("seccomp()", syscall(SYS_seccomp, 0, 0, NULL));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	try_call("memory to write and run", page == MAP_FAILED ? -1 : 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	try_call("memory to run", page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

int main(int argc, char **argv)
{
	struct pollfd p = { .fd = LZ_PORTAL_FD_PAGE4, .events = POLLIN };
	struct lz_settings settings;
	struct lz_err err = { "" };

	if (argc != 3 || lz_ask_connect(&gate, argv[2], &err) < 0 || lz_ask_settings(&gate, &settings, &err) < 0 ||
	    lz_portal_sandbox_enter(&err) < 0) {
		fprintf(stderr, "portal_red: %s\n", err.text);
		return 1;
	}
	printf("waiting\n");
	fflush(stdout);
	if (poll(&p, 1, 20000) == 1)
		client = accept(LZ_PORTAL_FD_PAGE4, NULL, NULL);
	if (client < 0)
		return 1;
	talk_to_gate();
	try_files();
	try_network();
	try_kernel();
	printf("end\n");
	fflush(stdout);
	return 0;
}
