// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * teller.c - the process that runs hooks and talks to the network, on behalf of a controller that may
 * do neither. See tell/teller.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "keeper/teller.h"
#include "lazaret/proto.h"
#include "privsep/chan.h"
#include "privsep/options.h"
#include "privsep/sandbox.h"
#include "tell/teller.h"

static void become_teller(const char *user, int chan)
{
	static char program[] = "lazaretd", mode[] = "--teller", option[] = "--user";
	char journal[64] = "", name[64], path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *argv[] = { program, mode, option, name, NULL };
	char *env[] = { path, journal, NULL };
	const char *stream = getenv("JOURNAL_STREAM"); /* how log lines begin */
	sigset_t none;

	snprintf(name, sizeof(name), "%s", user);
	snprintf(journal, sizeof(journal), "%s%s", stream ? "JOURNAL_STREAM=" : "LANG=C", stream ? stream : "");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(chan, LZ_TELLER_FD) < 0 || close_range(LZ_TELLER_FD + 1, ~0U, 0) < 0)
		_exit(LZ_CODE_REFUSED);
	execve("/proc/self/exe", argv, env);
	_exit(LZ_CODE_REFUSED);
}

int lz_teller_spawn(const char *user, pid_t *ret_pid, int *ret_fd, struct lz_err *reterr)
{
	int fds[2];
	pid_t pid;
	int r = lz_chan_pair(fds);

	if (r < 0)
		return lz_err_set(reterr, -r, "teller: socket pair: %s", strerror(-r));
	pid = fork();
	if (pid == 0)
		become_teller(user, fds[1]);
	if (pid < 0)
		r = lz_err_set(reterr, errno, "teller: fork: %m");
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return r;
	}
	*ret_pid = pid;
	*ret_fd = fds[0];
	return 0;
}

/* The unit protects the keeper from the kernel's need of memory. A hook that eats it goes first. */
static void go_first(void)
{
	lz_autoclose int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "500", 3) < 0)
		lz_log(LZ_LOG_DEBUG, "teller-oom-score", "kept=%d", 1);
}

int lz_teller_main(const struct lz_options *options)
{
	struct lz_identity who;
	struct lz_err err = { "" };
	int r;

	prctl(PR_SET_NAME, "lazaretd-tell", 0, 0, 0);
	if (fcntl(LZ_TELLER_FD, F_SETFD, FD_CLOEXEC) < 0) {
		fputs("lazaretd: --teller: is started by the keeper, there is no channel\n", stderr);
		return LZ_CODE_INVALID;
	}
	go_first();
	r = lz_identity_find(options->user, &who, &err);
	if (r == 0)
		r = lz_sandbox_enter_teller(&who, options->user, &err);
	if (r < 0) {
		lz_log(LZ_LOG_ERROR, "teller-start-failed", "why=%s", err.text);
		return LZ_CODE_REFUSED;
	}
	r = lz_teller_run(LZ_TELLER_FD);
	if (r < 0)
		lz_log_err(r, "teller-start-failed", "user=%s", options->user);
	return r < 0 ? LZ_CODE_REFUSED : LZ_CODE_OK;
}
