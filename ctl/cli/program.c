/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * program.c - lazaretd run as a program, and what it says in the form that lazaretctl promises.
 *
 *   text   it writes to our stdout and stderr itself
 *   -j -p  {"schema":..,"version":1, what it printed, "code":CODE}, or the same with its message as
 *          "error": the program knows neither our exit code nor that somebody wants one document
 */
#define _GNU_SOURCE 1 /* environ, pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/out.h"
#include "cli/doc.h"

#define WORDS_MAX  12
#define READ_BYTES 65536

/* `lazaretd WORDS.. [--instance NAME] [-j]`; 0 or an errno. */
static int start(const struct lz_cli *cli, const char *const *words,
		 const posix_spawn_file_actions_t *files, pid_t *ret)
{
	const char *argv[WORDS_MAX + 5] = { cli->daemon };
	char *copy[WORDS_MAX + 5] = { NULL };
	size_t n = 1;

	while (*words && n < WORDS_MAX)
		argv[n++] = *words++;
	if (cli->instance[0]) {
		argv[n++] = "--instance";
		argv[n++] = cli->instance;
	}
	if (cli->json)
		argv[n++] = "-j";
	memcpy(copy, argv, sizeof(argv)); /* posix_spawn promises not to write to them */
	lz_out_flush();
	return posix_spawnp(ret, cli->daemon, files, NULL, copy, environ);
}

static int cannot_run(struct lz_cli *cli, int error)
{
	return lz_cli_fail(cli, error == EACCES ? LZ_CODE_NOT_PERMITTED : LZ_CODE_REFUSED,
			   "cannot run %s: %s", cli->daemon, strerror(error));
}

struct heard {
	struct lz_str out, err;
	int code, killed_by; /* killed_by: a signal, or 0 */
	int deaf; /* an errno: not all of it was heard; or 0 */
};

/* Its exit code, and the signal that killed it or 0. */
static int wait_for(pid_t pid, int *ret_signal)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return LZ_CODE_REFUSED;
	}
	*ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : LZ_CODE_REFUSED;
}

/* Take what is there; at the end the descriptor is closed and *@fd is -1. */
static void drain(int *fd, struct lz_str *into, bool pass_on)
{
	char buf[READ_BYTES];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	lz_str_append_n(into, buf, (size_t)n);
	if (pass_on) /* messages are for stderr, and not only at the end */
		fwrite(buf, 1, (size_t)n, stderr);
}

/* stdout and stderr of the program, until both are at their end; 0, or an errno: then it was not heard out. */
static int gather(int out_fd, int err_fd, struct lz_str *out, struct lz_str *err)
{
	int fds[] = { out_fd, err_fd }, r = 0;

	while (!r && (fds[0] >= 0 || fds[1] >= 0)) {
		struct pollfd p[] = { { .fd = fds[0], .events = POLLIN },
				      { .fd = fds[1], .events = POLLIN } };

		if (poll(p, 2, -1) < 0) {
			r = errno == EINTR ? 0 : errno;
			continue;
		}
		if (p[0].revents)
			drain(&fds[0], out, false);
		if (p[1].revents)
			drain(&fds[1], err, true);
	}
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return r;
}

/* What went wrong, in one line: the first message, without the name of who says it and without what
 * it logged ("event=.."). */
static void first_message(const struct lz_str *err, struct lz_str *ret)
{
	const char *p = err->data;

	while (p && *p) {
		size_t len = strcspn(p, "\n");
		const char *event = memmem(p, len, "event=", strlen("event="));

		if (!strncmp(p, "lazaretd: ", strlen("lazaretd: "))) {
			p += strlen("lazaretd: ");
			len -= strlen("lazaretd: ");
			event = NULL;
		}
		if (len && !event) {
			lz_str_append_n(ret, p, len);
			return;
		}
		p += len;
		p += *p == '\n';
	}
}

static bool is_document(struct lz_str *out)
{
	if (out->error || !out->data)
		return false;
	while (out->len && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == ' '))
		out->data[--out->len] = '\0';
	return out->len > 2 && out->data[0] == '{' && out->data[out->len - 1] == '}';
}

/* Run it and listen; 0, or why it did not start. */
static int hear(const struct lz_cli *cli, const char *const *words, struct heard *ret)
{
	posix_spawn_file_actions_t files;
	int out[2], err[2], r;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return errno;
	if (pipe2(err, O_CLOEXEC) < 0) {
		r = errno;
		close(out[0]);
		close(out[1]);
		return r;
	}
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, err[1], STDERR_FILENO);
	r = start(cli, words, &files, &pid);
	posix_spawn_file_actions_destroy(&files);
	close(out[1]);
	close(err[1]);
	ret->deaf = gather(out[0], err[0], &ret->out, &ret->err); /* at once at its end if nothing was started */
	if (!r)
		ret->code = wait_for(pid, &ret->killed_by);
	return r;
}

/* Why the code is not 0. */
static void say_why(const struct lz_cli *cli, const struct heard *heard, struct lz_str *ret)
{
	if (heard->killed_by)
		lz_str_appendf(ret, "%s: killed by signal %d", cli->daemon, heard->killed_by);
	else
		first_message(&heard->err, ret);
	if (!ret->len)
		lz_str_appendf(ret, "%s: ended with code %d", cli->daemon, heard->code);
}

static int document_of(struct lz_cli *cli, struct heard *heard, const char *absent)
{
	bool whole = is_document(&heard->out);
	lz_autostr struct lz_str why = { 0 };
	int code = absent ? LZ_CODE_NOT_RUNNING : heard->code;

	if (!code && !whole)
		code = LZ_CODE_REFUSED;
	if (absent)
		lz_str_append(&why, absent);
	else if (code)
		say_why(cli, heard, &why);
	if (whole)
		lz_doc_program(cli, heard->out.data, heard->out.len, (enum lz_code)code, why.data);
	else
		lz_doc_fail(cli, (enum lz_code)code, why.error ? "out of memory" : why.data);
	return code;
}

int lz_cli_program(struct lz_cli *cli, const char *const *words, const char *absent)
{
	int code, killed_by = 0, r;
	pid_t pid;

	if (cli->json) {
		struct heard heard = { .code = LZ_CODE_OK };

		r = hear(cli, words, &heard);
		code = r	  ? cannot_run(cli, r) :
		       heard.deaf ? lz_cli_fail(cli, LZ_CODE_REFUSED, "%s: what it said was not heard: %s; ask "
						"again, or without -j", cli->daemon, strerror(heard.deaf)) :
				    document_of(cli, &heard, absent);
		lz_str_done(&heard.out);
		lz_str_done(&heard.err);
		return code;
	}
	r = start(cli, words, NULL, &pid);
	if (r)
		return cannot_run(cli, r);
	code = wait_for(pid, &killed_by);
	if (killed_by)
		return lz_cli_fail(cli, LZ_CODE_REFUSED, "%s: killed by signal %d", cli->daemon, killed_by);
	return absent ? LZ_CODE_NOT_RUNNING : code;
}
