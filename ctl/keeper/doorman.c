// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * doorman.c - sockets for lazaret-portal, and the process behind them; see doorman.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "datapath/steer.h"
#include "keeper/doorman.h"
#include "privsep/chan.h"
#include "privsep/options.h"
#include "privsep/sandbox.h"

#define BACKOFF_FIRST_NS (100 * LZ_NS_PER_MS)
#define BACKOFF_LAST_NS	 (10 * LZ_NS_PER_S)
#define SETTLED_NS	 (1 * LZ_NS_PER_S) /* who lives so long has opened all it needs */
#define SOCKS		 (LZ_PORTAL_FD_END - LZ_PORTAL_FD_PAGE4)
#define STOP_TRIES	 40 /* of 50 ms */

/* In the order of the descriptors: page4, page6, sink4, sink6, then those of its own addresses. */
#define LED_SOCKS	 LZ_PORTAL_ROWS
#define OWN_FIRST	 (LZ_PORTAL_FD_API4 - LZ_PORTAL_FD_PAGE4)
_Static_assert(LZ_PORTAL_FD_SINK6 - LZ_PORTAL_FD_PAGE4 == LZ_PORTAL_ROW(LZ_PORTAL_SINK, 6),
	       "a row of the map is a descriptor of the portal");

static void tell(struct lz_doorman *d, enum lz_told_what what, const char *text)
{
	if (d->told)
		d->told(d->arg, what, text);
}

static void tell_down(struct lz_doorman *d, const char *why)
{
	if (!d->up && lz_streq(d->fault, why))
		return;
	d->up = false;
	snprintf(d->fault, sizeof(d->fault), "%s", why);
	tell(d, LZ_TOLD_PORTAL_DOWN, why);
}

void lz_doorman_init(struct lz_doorman *d, const struct lz_options *options)
{
	d->options = options;
	d->map_fd = -1;
	d->beat[0] = d->beat[1] = d->kept = -1;
	for (int i = 0; i < SOCKS; i++)
		d->sock[i] = -1;
}

/* ---------------------------------------------------------------- sockets */

static void close_all(int sock[static SOCKS])
{
	for (int i = 0; i < SOCKS; i++)
		lz_close_ref(&sock[i]);
}

static void close_beat(struct lz_doorman *d)
{
	lz_close_ref(&d->beat[0]);
	lz_close_ref(&d->beat[1]);
}

static int listen_led(int sock[static SOCKS], struct lz_err *reterr)
{
	for (int i = 0; i < LED_SOCKS; i++) {
		int family = i % 2 ? AF_INET6 : AF_INET;
		int fd = lz_steer_listen(family, NULL, 0, reterr);

		/* No IPv6 here: nobody asks over it. */
		if (fd < 0 && family == AF_INET6)
			continue;
		if (fd < 0)
			return fd;
		sock[i] = fd;
	}
	return 0;
}

/* One of its own: @n counts from OWN_FIRST. Return: a socket; -ENOENT: none is wanted; -errno with @reterr. */
static int listen_at(const struct lz_doorman *d, int n, struct lz_err *reterr)
{
	const struct lz_listen_ask *at = n / 2 ? &d->own : &d->api;
	struct lz_addr addr = { .family = n % 2 ? 6 : 4 };
	__u16 port = n % 2 ? at->port6 : at->port4;

	if (!port)
		return -ENOENT;
	if (addr.family == 4)
		memcpy(addr.bytes, at->ip4, sizeof(at->ip4));
	else
		memcpy(addr.bytes, at->ip6, sizeof(at->ip6));
	return lz_steer_listen(addr.family == 4 ? AF_INET : AF_INET6, &addr, port, reterr);
}

/* Those that are not there yet, each for itself. Return: how many have come; of the others is told. */
static int listen_own(struct lz_doorman *d)
{
	char deaf[sizeof(d->deaf)] = "";
	int n_new = 0;

	for (int i = OWN_FIRST; i < SOCKS; i++) {
		bool is_api = i < LZ_PORTAL_FD_OWN4 - LZ_PORTAL_FD_PAGE4;
		size_t used = strlen(deaf);
		struct lz_err err = { "" };
		int fd = d->sock[i] < 0 ? listen_at(d, i - OWN_FIRST, &err) : -ENOENT;

		if (fd >= 0) {
			d->sock[i] = fd;
			n_new++;
		} else if (fd != -ENOENT) {
			snprintf(deaf + used, sizeof(deaf) - used, "%s\"%s\": %s%s", used ? "; " : "",
				 is_api ? "api" : "listen", err.text,
				 fd == -EADDRINUSE ? " (ss -ltnp says by whom)" : "");
		}
	}
	d->again_ns = lz_clock_mono_ns() + LZ_DOORMAN_AGAIN_NS;
	if (!lz_streq(deaf, d->deaf)) {
		memcpy(d->deaf, deaf, sizeof(deaf));
		tell(d, deaf[0] ? LZ_TOLD_PORTAL_DEAF : LZ_TOLD_PORTAL_HEARS, deaf);
	}
	return n_new;
}

/* Into the data plane or out of it. */
static void show(struct lz_doorman *d, bool visible)
{
	if (d->map_fd < 0) { /* between two instances there is none */
		d->shown = false;
		return;
	}
	for (__u32 row = 0; row < LED_SOCKS; row++) {
		int r = lz_steer_show(d->map_fd, row, visible ? d->sock[row] : -1);

		if (r < 0)
			lz_log_err(-r, "portal-socket-failed", "row=%u", row);
	}
	d->shown = visible;
}

/* ---------------------------------------------------------------- the process */

static void plan_restart(struct lz_doorman *d, __u64 now_ns)
{
	d->backoff_ns = d->backoff_ns ? d->backoff_ns * 2 : BACKOFF_FIRST_NS;
	if (d->backoff_ns > BACKOFF_LAST_NS)
		d->backoff_ns = BACKOFF_LAST_NS;
	d->restart_at_ns = now_ns + d->backoff_ns;
}

/* The sockets to their numbers, by way of numbers that are nobody's; all else is closed. */
static int arrange_descriptors(const int sock[static SOCKS], int beat, int kept)
{
	int high[SOCKS], high_beat = fcntl(beat, F_DUPFD, 2 * LZ_PORTAL_FD_END + SOCKS);
	int high_kept = kept < 0 ? -1 : fcntl(kept, F_DUPFD, 2 * LZ_PORTAL_FD_END + SOCKS);

	if (high_beat < 0 || (kept >= 0 && high_kept < 0))
		return -errno;

	for (int i = 0; i < SOCKS; i++) {
		high[i] = sock[i] < 0 ? -1 : fcntl(sock[i], F_DUPFD, 2 * LZ_PORTAL_FD_END + SOCKS);
		if (sock[i] >= 0 && high[i] < 0)
			return -errno;
	}
	for (int i = 0; i < SOCKS; i++) {
		if (high[i] < 0)
			close(LZ_PORTAL_FD_PAGE4 + i);
		else if (dup2(high[i], LZ_PORTAL_FD_PAGE4 + i) < 0)
			return -errno;
	}
	if (dup2(high_beat, LZ_PORTAL_FD_ALIVE) < 0)
		return -errno;
	if (high_kept < 0)
		close(LZ_PORTAL_FD_KEPT);
	else if (dup2(high_kept, LZ_PORTAL_FD_KEPT) < 0)
		return -errno;
	return close_range(LZ_PORTAL_FD_KEPT + 1, ~0U, 0) < 0 ? -errno : 0;
}

/* lazaret-portal stands where lazaretd does. */
static int find_program(char ret[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - sizeof("lazaret-portal"));
	char *slash;

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	slash = strrchr(ret, '/');
	if (!slash)
		return -ENOENT;
	strcpy(slash + 1, "lazaret-portal");
	return 0;
}

static bool keep_variable(const char *name, char *ret, size_t size)
{
	const char *value = getenv(name);

	return value && (size_t)snprintf(ret, size, "%s=%s", name, value) < size;
}

static void become_portal(const struct lz_doorman *d, const struct lz_identity *who,
			  const char *program)
{
	char gate[PATH_MAX + sizeof(LZ_GATE_SOCK) + 1];
	char *argv[] = { (char[]){ "lazaret-portal" }, (char[]){ "--gate" }, gate, NULL };
	char journal[64] = "", zone[128] = "";
	char *env[4] = { (char[]){ "PATH=/usr/bin:/bin" } };
	unsigned int n = 1;
	struct lz_err err = { "" };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL); /* what else the keeper ignores the portal does, from the first moment on */
	/* how its log lines begin, and in which zone its page tells the time */
	if (keep_variable("JOURNAL_STREAM", journal, sizeof(journal)))
		env[n++] = journal;
	if (keep_variable("TZ", zone, sizeof(zone)))
		env[n++] = zone;
	snprintf(gate, sizeof(gate), "%s/%s", d->options->run, LZ_GATE_SOCK);
	if (arrange_descriptors(d->sock, d->beat[1], d->kept) < 0 || lz_sandbox_become(who, &err) < 0) {
		fprintf(stderr, "lazaretd: portal: %s\n", err.text);
		_exit(126);
	}
	/* After the change of user, which would forget it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	execve(program, argv, env);
	fprintf(stderr, "lazaretd: portal: %s: %s\n", program, strerror(errno));
	_exit(127);
}

static int start(struct lz_doorman *d, struct lz_err *reterr)
{
	char program[PATH_MAX];
	struct lz_identity who;
	int r = lz_identity_find(LZ_PORTAL_USER, &who, reterr);

	if (r == 0 && !who.found)
		r = lz_err_set(reterr, ENOENT, "no user " LZ_PORTAL_USER ": it does not run as root");
	if (r == 0 && find_program(program) < 0)
		r = lz_err_set(reterr, ENOENT, "cannot find the folder of lazaretd");
	if (r == 0 && access(program, X_OK) < 0)
		r = lz_err_set(reterr, errno, "%s: %m", program);
	if (r < 0)
		return r;
	d->pid = fork();
	if (d->pid == 0)
		become_portal(d, &who, program);
	if (d->pid < 0) {
		d->pid = 0;
		return lz_err_set(reterr, errno, "cannot fork: %m");
	}
	return 0;
}

static void try_start(struct lz_doorman *d, __u64 now_ns)
{
	struct lz_err err = { "" };

	d->restart_at_ns = 0;
	d->renewing = false;
	if (start(d, &err) < 0) {
		plan_restart(d, now_ns);
		tell_down(d, err.text);
		return;
	}
	d->started_ns = now_ns;
	d->beat_ns = 0;
}

/* We have asked it to; or the gate was closed: there are other settings, another certificate, or no controller to
 * ask, without whom no status but a signal says more. One that ends again and again is told of all the same. */
static bool ended_in_order(const struct lz_doorman *d, int status)
{
	if (d->alone)
		return WIFEXITED(status) || WTERMSIG(status) == SIGTERM;
	return d->renewing || (WIFEXITED(status) && !WEXITSTATUS(status) && d->backoff_ns < SETTLED_NS);
}

bool lz_doorman_buried(struct lz_doorman *d, pid_t pid, int status)
{
	__u64 now_ns = lz_clock_mono_ns();
	char why[64];

	if (!pid || pid != d->pid)
		return false;
	d->pid = 0;
	d->died_ns = now_ns;
	if (!d->wanted)
		return true;
	if (now_ns - d->started_ns > BACKOFF_LAST_NS || d->renewing)
		d->backoff_ns = 0;
	plan_restart(d, now_ns);
	if (d->alone)
		d->restart_at_ns = 0;
	if (ended_in_order(d, status))
		return true;
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "ended by signal %d", WTERMSIG(status));
	else
		snprintf(why, sizeof(why), "ended with status %d", WEXITSTATUS(status));
	tell_down(d, why);
	return true;
}

/* ---------------------------------------------------------------- from outside */

static void stop(struct lz_doorman *d)
{
	int status;

	d->wanted = d->begun = d->renewing = false;
	d->restart_at_ns = d->backoff_ns = 0;
	if (!d->pid)
		return;
	kill(d->pid, SIGTERM);
	for (int i = 0; i < STOP_TRIES && waitpid(d->pid, &status, WNOHANG) == 0; i++)
		usleep(50000);
	if (kill(d->pid, 0) == 0) {
		kill(d->pid, SIGKILL);
		waitpid(d->pid, &status, 0);
	}
	d->pid = 0;
}

/* What it cannot do without, and then what there is of the rest. */
static int begin(struct lz_doorman *d, struct lz_err *reterr)
{
	int sock[SOCKS], r;

	for (int i = 0; i < SOCKS; i++)
		sock[i] = -1;
	d->again_ns = lz_clock_mono_ns() + LZ_DOORMAN_AGAIN_NS;
	r = lz_steer_check(reterr);
	if (r > 0)
		lz_log(LZ_LOG_WARNING, "portal-rule-before", "why=%s", reterr->text);
	r = r < 0 ? r : 0;
	if (r == 0 && pipe2(d->beat, O_CLOEXEC | O_NONBLOCK) < 0)
		r = lz_err_set(reterr, errno, "portal: no pipe: %m");
	r = r ?: listen_led(sock, reterr);
	if (r == 0)
		r = lz_steer_ensure(reterr) < 0 ? -EIO : lz_steer_check(reterr) < 0 ? -EEXIST : 0;
	if (r < 0) {
		close_all(sock);
		close_beat(d);
		return r;
	}
	memcpy(d->sock, sock, sizeof(sock));
	if (d->kept < 0) /* without it a certificate that cannot be read has no predecessor */
		d->kept = memfd_create("lazaret-portal", MFD_CLOEXEC);
	listen_own(d);
	d->begun = true;
	try_start(d, lz_clock_mono_ns());
	show(d, true);
	d->died_ns = lz_clock_mono_ns();
	return 0;
}

/* Who asks may be a new controller, which has heard of nothing. */
static void say_again(struct lz_doorman *d)
{
	if (d->deaf[0])
		tell(d, LZ_TOLD_PORTAL_DEAF, d->deaf);
	if (!d->up && d->fault[0])
		tell(d, LZ_TOLD_PORTAL_DOWN, d->fault);
}

int lz_doorman_ask(struct lz_doorman *d, int map_fd, const struct lz_ask *ask, struct lz_err *reterr)
{
	bool wanted = ask->flags & LZ_PORTAL_F_WANTED, moved = d->map_fd != map_fd;
	int r;

	d->map_fd = map_fd;
	if (d->alone && d->begun && !d->pid)
		d->restart_at_ns = lz_clock_mono_ns();
	d->alone = false;
	if (wanted && d->begun && !memcmp(&d->api, &ask->api, sizeof(d->api)) &&
	    !memcmp(&d->own, &ask->own, sizeof(d->own))) {
		if (moved && d->shown) /* the map of a new instance is empty */
			show(d, true);
		say_again(d);
		return 0;
	}
	if (d->wanted)
		lz_doorman_close(d);
	d->wanted = wanted;
	d->up = false;
	d->fault[0] = d->deaf[0] = '\0';
	if (!wanted) {
		lz_close_ref(&d->kept);
		return 0;
	}
	d->api = ask->api;
	d->own = ask->own;
	r = begin(d, reterr);
	if (r < 0) /* the answer tells it */
		snprintf(d->fault, sizeof(d->fault), "%s", reterr->text);
	return r;
}

/* False: it has not begun. */
static bool ask_again(struct lz_doorman *d, __u64 now_ns)
{
	bool due = now_ns >= d->again_ns;
	struct lz_err err = { "" };

	if (!d->begun && due && begin(d, &err) < 0)
		tell_down(d, err.text);
	else if (d->begun && due && d->deaf[0] && listen_own(d) > 0 && d->pid) {
		d->renewing = true;
		kill(d->pid, SIGTERM);
	}
	return d->begun;
}

/* What other programs flush comes back; until then nothing leaks, see bpf/steer.h. False: led packets
 * would not get here. */
static bool look_after_rules(struct lz_doorman *d)
{
	struct lz_err err = { "" };
	int n = lz_steer_ensure(&err);

	if (n > 0)
		lz_log(LZ_LOG_WARNING, "portal-rules-repaired", "missing=%d", n);
	if (n >= 0 && lz_steer_look(&err) >= 0)
		return true;
	tell_down(d, err.text);
	return false;
}

/* A process that is there and does nothing is worse than a dead one: hosts wait in its sockets. */
static void feel_pulse(struct lz_doorman *d, __u64 now_ns)
{
	char beats[256];

	if (read(d->beat[0], beats, sizeof(beats)) > 0)
		d->beat_ns = now_ns;
	if (!d->pid || !d->beat_ns || now_ns - d->beat_ns < LZ_DOORMAN_SILENCE_NS)
		return;
	lz_log(LZ_LOG_ERROR, "portal-hangs", "pid=%d silent_s=%llu", d->pid,
	       (now_ns - d->beat_ns) / LZ_NS_PER_S);
	kill(d->pid, SIGKILL);
	d->beat_ns = 0;
}

void lz_doorman_alone(struct lz_doorman *d)
{
	d->alone = true;
	d->restart_at_ns = d->backoff_ns = 0;
}

void lz_doorman_turn(struct lz_doorman *d, __u64 now_ns)
{
	bool led, serves;

	if (!d->wanted || !ask_again(d, now_ns))
		return;
	if (d->restart_at_ns && now_ns >= d->restart_at_ns)
		try_start(d, now_ns);
	led = look_after_rules(d);
	feel_pulse(d, now_ns);
	if (d->pid && led && !d->up && now_ns - d->started_ns > SETTLED_NS) {
		d->up = true;
		d->fault[0] = '\0';
		tell(d, LZ_TOLD_PORTAL_UP, "");
	}
	serves = d->up && d->pid;
	if (serves && led && !d->shown)
		show(d, true);
	/* Packets that are led and do not arrive are dropped; refused, a host sees that something is wrong. */
	if (d->shown && (!led || (!serves && now_ns - d->died_ns > LZ_DOORMAN_PATIENCE_NS)))
		show(d, false);
}

void lz_doorman_close(struct lz_doorman *d)
{
	stop(d);
	if (d->shown)
		show(d, false);
	close_all(d->sock);
	close_beat(d);
}
