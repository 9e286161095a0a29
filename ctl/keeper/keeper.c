// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * keeper.c - the root half of lazaretd: holds programs, links and pins, follows interfaces, and
 * starts the controller again when it dies. It reads no text from outside.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "keeper/doorman.h"
#include "keeper/keeper.h"
#include "keeper/notify.h"
#include "keeper/wiring.h"
#include "lazaret/portal.h"
#include "lazaret/proto.h"
#include "privsep/chan.h"
#include "privsep/options.h"
#include "privsep/sandbox.h"

#define LZ_KEEPER_TURN_MS   500 /* at the latest: a hook that somebody took is noticed in a second */
#define LZ_KEEPER_DEAF_NS   (30 * LZ_NS_PER_S)
#define LZ_KEEPER_STOP_NS   (5 * LZ_NS_PER_S)
#define LZ_BACKOFF_FIRST_NS (100 * LZ_NS_PER_MS)
#define LZ_BACKOFF_LAST_NS  (10 * LZ_NS_PER_S)

static int dir_error(struct lz_err *reterr, const char *path, const char *what)
{
	int error = errno;

	if (error == EROFS)
		return lz_err_set(reterr, error, "%s: is on a read-only file system; mount it for writing", path);
	return lz_err_set(reterr, error, "%s: cannot %s: %s", path, what, strerror(error));
}

/* What is right already is left alone: an owner that nobody has to change needs no right to. */
static int make_dir(const char *path, mode_t mode, const struct lz_identity *who,
		    struct lz_err *reterr)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return dir_error(reterr, path, "make");
	if (lstat(path, &st) < 0)
		return lz_err_set(reterr, errno, "%s: %s", path, strerror(errno));
	if (S_ISLNK(st.st_mode)) /* root gives away what it names: not by a name that others may have made */
		return lz_err_set(reterr, ELOOP, "%s: is a symbolic link; name the folder itself, or mount or "
				  "bind-mount it there", path);
	if (!S_ISDIR(st.st_mode))
		return lz_err_set(reterr, ENOTDIR, "%s: is not a folder; remove it", path);
	if ((st.st_uid != who->uid || st.st_gid != who->gid) && chown(path, who->uid, who->gid) < 0)
		return dir_error(reterr, path, "change owner");
	if ((st.st_mode & ALLPERMS) != mode && chmod(path, mode) < 0)
		return dir_error(reterr, path, "change mode");
	return 0;
}

/*
 * The ledger's files are the controller's too: a backup that root puts back is not, nor what a unit with
 * StateDirectory= leaves, which gives all of it to root. Only plain files with one name: the folder was the
 * controller's, which may have been taken over.
 */
static int give_files(const char *path, const struct lz_identity *who, struct lz_err *reterr)
{
	struct dirent *e;
	struct stat st;
	DIR *dir = opendir(path);
	int r = 0;

	if (!dir)
		return lz_err_set(reterr, errno, "%s: cannot read: %s", path, strerror(errno));
	while (!r && (e = readdir(dir))) {
		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid == who->uid)
			continue;
		if (fchownat(dirfd(dir), e->d_name, who->uid, who->gid, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != EROFS) /* those that it can read are enough for a start */
			r = lz_err_set(reterr, errno, "%s/%s: cannot change owner: %s", path, e->d_name,
				       strerror(errno));
	}
	closedir(dir);
	return r;
}

/* The controller must not inherit a program, a link or the lock: nothing but this channel. */
static void become_controller(struct lz_keeper *k, int chan)
{
	sigset_t none;

	prctl(PR_SET_NAME, "lazaretd-ctl", 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(chan, STDERR_FILENO + 1) < 0 || close_range(STDERR_FILENO + 2, ~0U, 0) < 0)
		_exit(LZ_CODE_REFUSED);
	exit(k->be_controller(k->options, &k->who, STDERR_FILENO + 1));
}

static void plan_restart(struct lz_keeper *k)
{
	k->backoff_ns = k->backoff_ns ? k->backoff_ns * 2 : LZ_BACKOFF_FIRST_NS;
	if (k->backoff_ns > LZ_BACKOFF_LAST_NS)
		k->backoff_ns = LZ_BACKOFF_LAST_NS;
	k->restart_at_ns = lz_clock_mono_ns() + k->backoff_ns;
}

/* Sockets have to lie somewhere. Where the folder cannot be made again, as in a unit whose /run is read-only,
 * who started us has to do it. */
static int make_run_dir(struct lz_keeper *k)
{
	struct lz_err err = { "" };
	int r = make_dir(k->options->run, 0755, &k->who, &err);

	if (r == 0)
		return 0;
	lz_log(LZ_LOG_ERROR, "run-folder-lost", "why=%s", err.text);
	if (lz_notify_is_supervised()) {
		k->stopping = true;
		k->code = LZ_CODE_REFUSED;
	}
	return r;
}

static void start_controller(struct lz_keeper *k)
{
	int fds[2];

	k->restart_at_ns = 0;
	k->relistens = false;
	k->sockets = 0;
	if (make_run_dir(k) < 0 || lz_chan_pair(fds) < 0) {
		plan_restart(k);
		return;
	}
	k->controller = fork();
	if (k->controller == 0)
		become_controller(k, fds[1]);
	close(fds[1]);
	if (k->controller < 0) {
		lz_log_err(errno, "controller-start-failed", "instance=%s", k->options->instance);
		close(fds[0]);
		plan_restart(k);
		return;
	}
	k->chan = fds[0];
	k->heard_ns = lz_clock_mono_ns();
}

/* A start that never worked is the service manager's to report; one that did is tried again. */
static void bury_controller(struct lz_keeper *k, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : LZ_CODE_REFUSED;

	lz_close_ref(&k->chan);
	k->chan = -1;
	k->controller = 0;
	lz_doorman_alone(&k->doorman);
	if (k->stopping)
		return;
	if (!k->ready) {
		k->stopping = true;
		k->code = code ? code : LZ_CODE_REFUSED;
		return;
	}
	if (code == LZ_EXIT_REOPEN || k->relistens) {
		lz_log(LZ_LOG_NOTICE, "reopen", "instance=%s", k->options->instance);
		start_controller(k);
		return;
	}
	plan_restart(k);
	lz_log(LZ_LOG_ERROR, "controller-died", "status=%d signal=%d restart_in_ms=%llu", code,
	       WIFSIGNALED(status) ? WTERMSIG(status) : 0,
	       (unsigned long long)(k->backoff_ns / LZ_NS_PER_MS));
}

/* It ends when its controller does, and the next one asks for another. */
static void bury_teller(struct lz_keeper *k, int status)
{
	k->teller = 0;
	if (status && !k->stopping)
		lz_log(LZ_LOG_ERROR, "teller-died", "status=%d signal=%d",
		       WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void read_signals(struct lz_keeper *k)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(k->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			k->stopping = true;
	if (k->stopping) /* its portal may end before it */
		lz_doorman_alone(&k->doorman);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == k->controller)
			bury_controller(k, status);
		else if (pid == k->teller)
			bury_teller(k, status);
		else
			lz_doorman_buried(&k->doorman, pid, status);
}

static void on_links(void *arg)
{
	struct lz_keeper *k = arg;

	if (k->opened && !k->pins_lost)
		lz_wiring_sync(&k->wiring);
}

/* A bit for each of the controller's sockets that is where clients look for it. */
static unsigned int find_sockets(const struct lz_options *o)
{
	static const char *const names[] = { LZ_PROTO_CONTROL_SOCK, LZ_PROTO_READ_SOCK, LZ_GATE_SOCK };
	char path[PATH_MAX + 32];
	unsigned int there = 0;
	struct stat st;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", o->run, names[i]);
		if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
			there |= 1u << i;
	}
	return there;
}

void lz_keeper_hear_ready(struct lz_keeper *k)
{
	if (!k->ready)
		lz_notify("READY=1");
	k->ready = true;
	k->backoff_ns = 0;
	k->sockets = find_sockets(k->options);
}

/* Whose socket's name is gone is deaf for ever: another controller makes them again. */
static void look_for_sockets(struct lz_keeper *k)
{
	if (!k->controller || !(k->sockets & ~find_sockets(k->options)))
		return;
	lz_log(LZ_LOG_ERROR, "sockets-lost", "folder=%s then=%s", k->options->run, "they are made again");
	k->sockets = 0;
	k->relistens = true;
	kill(k->controller, SIGTERM);
}

/* Once a turn: what somebody took away comes back, what hangs is killed, the dead are restarted. */
static void look_after(struct lz_keeper *k, __u64 now_ns)
{
	struct lz_err err = { "" };
	int n;

	if (k->controller && now_ns > k->heard_ns && now_ns - k->heard_ns > LZ_KEEPER_DEAF_NS) {
		lz_log(LZ_LOG_ERROR, "controller-hangs", "silent_s=%llu",
		       (unsigned long long)((now_ns - k->heard_ns) / LZ_NS_PER_S));
		kill(k->controller, SIGKILL);
		k->heard_ns = now_ns;
	}
	if (k->restart_at_ns && now_ns >= k->restart_at_ns)
		start_controller(k);
	look_for_sockets(k);
	if (!k->opened)
		return;
	n = lz_kernel_repair(&k->kernel, &err);
	if (n > 0)
		lz_log(LZ_LOG_WARNING, "pins-repaired", "pins=%d", n);
	if (n < 0 && !k->pins_lost)
		lz_log(LZ_LOG_ERROR, "pins-lost", "why=%s", err.text);
	k->pins_lost = n < 0;
	if (!k->pins_lost) /* the folder may be another daemon's by now */
		lz_wiring_sync(&k->wiring);
	lz_doorman_turn(&k->doorman, now_ns);
}

static int wait_for_news(struct lz_keeper *k, int timeout_ms)
{
	struct pollfd p[] = {
		{ .fd = k->signal_fd, .events = POLLIN },
		{ .fd = lz_netdev_monitor_fd(k->monitor), .events = POLLIN },
		{ .fd = k->chan, .events = POLLIN },
	};
	int n = poll(p, LZ_ARRAY_SIZE(p), timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (p[1].revents)
		lz_netdev_monitor_read(k->monitor);
	if (p[2].revents && k->chan >= 0 && lz_keeper_serve(k) == -EPIPE) {
		close(k->chan); /* SIGCHLD follows */
		k->chan = -1;
		if (k->controller)
			kill(k->controller, SIGKILL);
	}
	if (p[0].revents)
		read_signals(k);
	return 0;
}

static void run(struct lz_keeper *k)
{
	__u64 watchdog_ns = lz_notify_watchdog_ns();
	__u64 next_turn_ns = 0, next_ping_ns = 0;

	while (!k->stopping) {
		__u64 now_ns;

		bool soon = k->restart_at_ns || k->doorman.restart_at_ns;

		if (wait_for_news(k, soon ? 20 : LZ_KEEPER_TURN_MS) < 0)
			break;
		now_ns = lz_clock_mono_ns();
		soon = k->restart_at_ns && now_ns >= k->restart_at_ns;
		soon |= k->doorman.restart_at_ns && now_ns >= k->doorman.restart_at_ns;
		if (now_ns >= next_turn_ns || soon) {
			look_after(k, now_ns);
			next_turn_ns = now_ns + LZ_KEEPER_TURN_MS * LZ_NS_PER_MS;
		}
		if (watchdog_ns && now_ns >= next_ping_ns && k->chan >= 0 &&
		    now_ns - k->heard_ns < LZ_KEEPER_DEAF_NS / 3) {
			lz_notify("WATCHDOG=1");
			next_ping_ns = now_ns + watchdog_ns / 2;
		}
	}
}

/* The controller has until STOP_NS to finish what it says; the kernel is left as it is. */
static void stop(struct lz_keeper *k)
{
	__u64 end_ns = lz_clock_mono_ns() + LZ_KEEPER_STOP_NS;

	lz_notify("STOPPING=1");
	if (k->controller)
		kill(k->controller, SIGTERM);
	while (k->controller && lz_clock_mono_ns() < end_ns)
		wait_for_news(k, 50);
	if (k->controller) {
		kill(k->controller, SIGKILL);
		waitpid(k->controller, NULL, 0);
	}
	if (k->teller)
		kill(k->teller, SIGKILL); /* what it was telling is still in the ledger */
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	lz_signals_ignore(); /* the controller and the teller, too */
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int set_up(struct lz_keeper *k, struct lz_err *reterr)
{
	int r;

	if (geteuid() != 0)
		return lz_err_set(reterr, EPERM, "needs root: CAP_BPF and CAP_NET_ADMIN");
	r = lz_identity_find(k->options->user, &k->who, reterr);
	if (r == 0 && !k->who.found)
		return lz_err_set(reterr, ENOENT,
				  "user %s: there is none; make it: systemd-sysusers, or useradd --system "
				  "%s, or name another with --user",
				  k->options->user, k->options->user);
	if (r == 0) /* held till the instance is opened, and by that afterwards */
		k->lock = r = lz_kernel_lock(k->options->instance, reterr);
	if (r >= 0)
		r = make_dir(k->options->state, 0750, &k->who, reterr);
	if (r == 0)
		r = give_files(k->options->state, &k->who, reterr);
	if (r == 0)
		r = make_dir(k->options->run, 0755, &k->who, reterr);
	if (r == 0)
		r = lz_netdev_monitor_open(on_links, k, &k->monitor, reterr);
	if (r < 0)
		return r;
	k->signal_fd = open_signals();
	return k->signal_fd < 0 ? lz_err_set(reterr, k->signal_fd, "lazaretd: signals: %m") : 0;
}

/* What is in force stays. A first start that failed leaves nothing behind: it had changed no packet. */
static void let_go(struct lz_keeper *k)
{
	struct lz_err err = { "" };
	bool beside = k->opened && k->kernel.beside_fd >= 0;
	bool failed = k->opened && !k->ready && !k->kernel.adopted && !beside;

	if (k->opened) {
		lz_wiring_close(&k->wiring);
		lz_kernel_close(&k->kernel);
	}
	if (beside) /* what had not taken over goes; the other one stays */
		k->lock = lz_kernel_lock(k->options->instance, NULL);
	if (failed && lz_kernel_remove(k->options->instance, NULL, &err) < 0)
		lz_log(LZ_LOG_ERROR, "pins-left", "why=%s", err.text);
	lz_kernel_unlock(k->options->instance, &k->lock);
}

int lz_keeper_main(const struct lz_options *options, lz_controller_fn *controller)
{
	static struct lz_keeper keeper; /* two messages make it large */
	struct lz_keeper *k = &keeper;
	struct lz_err err = { "" };
	int r;

	lz_log_own();
	k->options = options;
	k->be_controller = controller;
	k->chan = -1;
	k->signal_fd = -1;
	k->lock = -1;
	k->wiring.told = lz_keeper_tell;
	k->wiring.arg = k;
	k->doorman.told = lz_keeper_tell;
	k->doorman.arg = k;
	lz_doorman_init(&k->doorman, options);
	r = set_up(k, &err);
	if (r < 0) {
		fprintf(stderr, "lazaretd: %s\n", err.text);
		lz_kernel_unlock(options->instance, &k->lock);
		return r == -EPERM ? LZ_CODE_NOT_PERMITTED : LZ_CODE_REFUSED;
	}
	start_controller(k);
	run(k);
	stop(k);
	lz_doorman_close(&k->doorman);
	let_go(k);
	lz_netdev_monitor_close(&k->monitor);
	lz_log(LZ_LOG_INFO, "stopped", "instance=%s code=%d", options->instance, k->code);
	return k->code;
}
