/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tell/child.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define HANDLES 4 /* process, timer, and the two ends of pipes */

struct child {
	uv_process_t process;
	uv_timer_t limit;
	uv_pipe_t in, out;
	uv_write_t write;
	char *input;
	bool late;
	int open; /* handles not closed yet */
	lz_child_done done;
	void *arg;
	__s64 status;
	int signal;
	size_t kept;
	char output[LZ_CHILD_OUTPUT_MAX];
	char sink[4096]; /* what comes after the beginning is read and forgotten */
};

static void finish(struct child *c)
{
	char error[64] = "", output[LZ_CHILD_OUTPUT_MAX];

	if (c->late)
		snprintf(error, sizeof(error), "did not end in time and was killed");
	else if (c->signal)
		snprintf(error, sizeof(error), "was killed by signal %d", c->signal);
	else if (c->status)
		snprintf(error, sizeof(error), "ended with status %lld", (long long)c->status);
	while (c->kept && (unsigned char)c->output[c->kept - 1] <= ' ')
		c->kept--;
	lz_text_escape(output, sizeof(output), c->output, (unsigned int)c->kept);
	if (c->done)
		c->done(c->arg, error[0] ? error : NULL, output);
	free(c->input);
	free(c);
}

static void on_closed(uv_handle_t *handle)
{
	struct child *c = handle->data;

	if (--c->open == 0)
		finish(c);
}

static void close_handle(void *handle)
{
	uv_handle_t *h = handle;

	if (!uv_is_closing(h))
		uv_close(h, on_closed);
}

/* What it wrote last may still be in the pipe. */
static void take_rest(struct child *c)
{
	ssize_t n = 1;
	int fd;

	if (uv_is_closing((uv_handle_t *)&c->out) || uv_fileno((uv_handle_t *)&c->out, &fd) < 0)
		return;
	while (n > 0 && c->kept < sizeof(c->output)) {
		n = read(fd, c->output + c->kept, sizeof(c->output) - c->kept);
		c->kept += n > 0 ? (size_t)n : 0;
	}
}

static void on_exit_of(uv_process_t *process, int64_t status, int signum)
{
	struct child *c = process->data;

	c->status = status;
	c->signal = signum;
	take_rest(c);
	close_handle(&c->process);
	close_handle(&c->limit);
	close_handle(&c->in);
	close_handle(&c->out); /* a grandchild may hold the other end for ever */
}

static void on_limit(uv_timer_t *timer)
{
	struct child *c = timer->data;

	c->late = true;
	kill(-c->process.pid, SIGKILL);
}

static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct child *c = handle->data;

	(void)size;
	if (c->kept < sizeof(c->output))
		*buf = uv_buf_init(c->output + c->kept, (unsigned int)(sizeof(c->output) - c->kept));
	else
		*buf = uv_buf_init(c->sink, sizeof(c->sink));
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct child *c = stream->data;

	if (n < 0)
		close_handle(&c->out);
	else if (buf->base != c->sink)
		c->kept += (size_t)n;
}

/* A program that does not read its input is not thereby wrong. */
static void on_written(uv_write_t *req, int status)
{
	struct child *c = req->data;

	(void)status;
	close_handle(&c->in);
}

static int spawn(uv_loop_t *loop, struct child *c, char *const argv[])
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
	char *env[] = { path, lang, NULL };
	uv_stdio_container_t stdio[] = {
		{ .flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&c->in },
		{ .flags = UV_INHERIT_FD }, /* output and errors: one pipe */
		{ .flags = UV_INHERIT_FD },
	};
	uv_process_options_t options = {
		.exit_cb = on_exit_of,
		.file = argv[0],
		.env = env,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED, /* a session of its own */
		.stdio = stdio,
		.stdio_count = LZ_ARRAY_SIZE(stdio),
	};
	uv_file out[2];
	int r = uv_pipe(out, UV_NONBLOCK_PIPE, 0);

	if (r < 0)
		return r;
	r = uv_pipe_open(&c->out, out[0]);
	if (r < 0)
		close(out[0]);
	stdio[1].data.fd = stdio[2].data.fd = out[1];
	memcpy(&options.args, &argv, sizeof(options.args)); /* uv does not write there */
	if (r == 0)
		r = uv_spawn(loop, &c->process, &options);
	close(out[1]);
	return r;
}

int lz_child_start(uv_loop_t *loop, char *const argv[], const char *input, unsigned int limit_ms,
		   lz_child_done done, void *arg, struct lz_err *reterr)
{
	struct child *c = calloc(1, sizeof(*c));
	uv_buf_t buf;
	int r;

	if (!c || !(c->input = strdup(input))) {
		free(c);
		return lz_err_set(reterr, ENOMEM, "%s: out of memory", argv[0]);
	}
	c->done = done;
	c->arg = arg;
	c->open = HANDLES;
	c->process.data = c->limit.data = c->in.data = c->out.data = c->write.data = c;
	uv_timer_init(loop, &c->limit);
	uv_pipe_init(loop, &c->in, 0);
	uv_pipe_init(loop, &c->out, 0);
	r = spawn(loop, c, argv);
	if (r < 0) {
		c->done = NULL; /* the handles are closed one by one, later */
		on_exit_of(&c->process, 0, 0);
		return lz_err_set(reterr, -r, "%s: cannot run: %s", argv[0], uv_strerror(r));
	}
	uv_timer_start(&c->limit, on_limit, limit_ms, 0);
	uv_read_start((uv_stream_t *)&c->out, give_room, on_output);
	buf = uv_buf_init(c->input, (unsigned int)strlen(c->input));
	if (uv_write(&c->write, (uv_stream_t *)&c->in, &buf, 1, on_written) < 0)
		close_handle(&c->in);
	return 0;
}

static int check_one(const char *path, bool folder, struct lz_err *reterr)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return lz_err_set(reterr, errno, "%s: %s", path, strerror(errno));
	if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return lz_err_set(reterr, EACCES, "%s: is not a %s", path, folder ? "folder" : "regular file");
	if (st.st_uid != 0 || st.st_mode & 0022)
		return lz_err_set(reterr, EACCES,
				  "%s: others than root may write to it: not run; chown root, chmod go-w", path);
	return 0;
}

int lz_child_check(const char *path, struct lz_err *reterr)
{
	lz_autofree char *real = realpath(path, NULL);
	int r;

	if (!real)
		return lz_err_set(reterr, errno, "%s: %s", path, strerror(errno));
	r = check_one(real, false, reterr);
	for (char *slash; r == 0 && (slash = strrchr(real, '/'));) {
		*slash = '\0';
		r = check_one(real[0] ? real : "/", true, reterr);
	}
	return r;
}
