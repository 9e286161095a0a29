/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * serve_fake.h - a server with strange handlers and a client that writes bytes, for the t_serve* tests.
 */
#ifndef LZ_SELFTESTS_SERVE_FAKE_H
#define LZ_SELFTESTS_SERVE_FAKE_H

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "lib/t.h"
#include "serve/serve.h"

#define LINE_MS	 400
#define STALL_MS 600
#define IDLE_MS	 900
#define ALIVE_MS 100
#define NOBODY	 65534

static char dir[] = "/tmp/lz-t-serve-XXXXXX";
static char control_path[64], read_path[64];

/* ---------------------------------------------------------------- the server */

static struct {
	unsigned int streams_done, followers_gone, rows_refused;
} seen;

static inline void answer_seen(struct lz_request *req, void *arg)
{
	cJSON *fields = cJSON_CreateObject();

	(void)arg;
	lz_json_add_u64(fields, "streams_done", seen.streams_done);
	lz_json_add_u64(fields, "followers_gone", seen.followers_gone);
	lz_json_add_u64(fields, "rows_refused", seen.rows_refused);
	lz_json_add_u64(fields, "uid", lz_request_peer(req)->uid);
	lz_reply_end(req, LZ_CODE_OK, NULL, fields);
}

struct counter {
	__u64 next, end;
};

static inline void fill_rows(struct lz_request *req, void *arg)
{
	struct counter *c = arg;
	cJSON *row;

	if (c->next == c->end) {
		lz_reply_end(req, LZ_CODE_OK, NULL, NULL);
		return;
	}
	/* in slices, as the daemon's lists: the high water mark lies within one */
	for (int i = 0; i < 300 && c->next < c->end; i++) {
		row = cJSON_CreateObject();
		lz_json_add_u64(row, "n", c->next++);
		if (lz_reply_row(req, row))
			seen.rows_refused++;
	}
}

static inline void rows_done(void *arg)
{
	free(arg);
	seen.streams_done++;
}

static inline void answer_rows(struct lz_request *req, void *arg)
{
	struct counter *c = calloc(1, sizeof(*c));

	(void)arg;
	c->end = 10000;
	lz_json_opt_u64(lz_request_args(req), "limit", 0, 100000000, &c->end, NULL);
	lz_reply_stream(req, fill_rows, rows_done, c);
}

/* A handler that ignores back-pressure: the server must refuse, not grow. */
static inline void answer_flood(struct lz_request *req, void *arg)
{
	cJSON *fields = cJSON_CreateObject();
	unsigned int n = 0;
	char row[1002];

	(void)arg;
	memset(row, 'x', sizeof(row));
	row[0] = row[1000] = '"';
	while (lz_reply_row_text(req, row, 1001) == 0)
		n++;
	lz_json_add_u64(fields, "queued", n);
	lz_reply_end(req, LZ_CODE_OK, NULL, fields);
}

struct late {
	uv_timer_t timer;
	struct lz_request *req;
};

static inline void free_late(uv_handle_t *handle)
{
	free(handle->data);
}

static inline void answer_late(uv_timer_t *timer)
{
	struct late *late = timer->data;

	lz_reply_end(late->req, LZ_CODE_NO_OBJECT, "192.0.2.1: nothing known", NULL);
	uv_close((uv_handle_t *)timer, free_late);
}

static inline void answer_in_450ms(struct lz_request *req, void *arg)
{
	struct late *late = calloc(1, sizeof(*late));

	late->req = req;
	late->timer.data = late;
	uv_timer_init(arg, &late->timer);
	uv_timer_start(&late->timer, answer_late, 450, 0);
}

static inline void follower_gone(struct lz_request *req, void *arg)
{
	(void)req;
	(void)arg;
	seen.followers_gone++;
}

static inline void answer_follow(struct lz_request *req, void *arg)
{
	(void)arg;
	lz_reply_row_text(req, "{\"event\":\"first\"}", 17);
	lz_reply_follow(req, follower_gone, NULL);
}

static inline void answer_payload(struct lz_request *req, void *arg)
{
	cJSON *fields = cJSON_CreateObject();
	size_t len, lines = 0;
	const char *text = lz_request_payload(req, &len);

	(void)arg;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	lz_json_add_u64(fields, "bytes", len);
	lz_json_add_u64(fields, "entries", lines);
	lz_reply_end(req, LZ_CODE_OK, NULL, fields);
}

static inline void answer_text(struct lz_request *req, void *arg)
{
	(void)arg;
	lz_reply_payload(req, "one\ntwo\n", 8);
	lz_reply_payload(req, "three\n", 6);
	lz_reply_end(req, LZ_CODE_OK, NULL, NULL);
}

static const struct lz_serve_route routes[] = {
	{ "status", answer_seen },
	{ "source.list", answer_rows },
	{ "source.show", answer_flood },
	{ "why", answer_in_450ms },
	{ "monitor", answer_follow },
	{ "quarantine.import", answer_payload },
	{ "quarantine.export", answer_text },
	{ "quarantine.add", answer_seen },
};

static inline void on_term(uv_signal_t *signal, int number)
{
	(void)number;
	lz_serve_close(signal->data);
	uv_close((uv_handle_t *)signal, NULL);
}

/* Whose members may read. */
#define MEMBERS 60100

static inline int serve(int control_fd, int read_fd)
{
	static const struct lz_serve_grant grants[] = { { .is_group = true, .id = MEMBERS, .role = LZ_PEER_READ } };
	struct lz_serve_config config = {
		.control_fd = control_fd,
		.read_fd = read_fd,
		.grants = grants,
		.grants_n = sizeof(grants) / sizeof(grants[0]),
		.routes = routes,
		.routes_n = sizeof(routes) / sizeof(routes[0]),
		.times = { LINE_MS, STALL_MS, IDLE_MS, ALIVE_MS },
	};
	struct lz_serve *server;
	uv_signal_t term;
	struct lz_err err;
	uv_loop_t loop;

	lz_log_level_set(LZ_LOG_ERROR);
	uv_loop_init(&loop);
	config.loop = &loop;
	config.arg = &loop;
	if (lz_serve_open(&config, &server, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	uv_signal_init(&loop, &term);
	term.data = &server;
	uv_signal_start(&term, on_term, SIGTERM);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) ? 2 : 0; /* 2: a handle was forgotten */
}

/* ---------------------------------------------------------------- a raw client */

static inline int dial(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Read one line, each part of it within 3 s: its length, 0 at the end, or -ETIMEDOUT. */
static inline int read_line(int fd, char *line, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n + 1 < size && (!n || line[n - 1] != '\n')) {
		ssize_t r = -1;
		char *end;

		if (poll(&p, 1, 3000) <= 0) {
			snprintf(line, size, "(silence)");
			return -ETIMEDOUT;
		}
		r = recv(fd, line + n, size - 1 - n, MSG_PEEK);
		if (r <= 0)
			break;
		end = memchr(line + n, '\n', (size_t)r);
		r = recv(fd, line + n, end ? (size_t)(end - line) + 1 - n : (size_t)r, 0);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	line[n] = '\0';
	return (int)n;
}

static inline int dial_greeted(const char *path)
{
	char line[256];
	int fd = dial(path);

	T_OK(fd >= 0, "connects");
	read_line(fd, line, sizeof(line));
	T_HAS(line, "{\"v\":1,\"lazaret\":\"", "greeting");
	return fd;
}

static inline void say(int fd, const char *text)
{
	T_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text), "sent");
}

static inline void expect(int fd, const char *line)
{
	char got[65536];

	read_line(fd, got, sizeof(got));
	T_STR(got, line, "reply");
}

static inline void expect_part(int fd, const char *part)
{
	char got[65536];

	read_line(fd, got, sizeof(got));
	T_HAS(got, part, "reply");
}

static inline void expect_closed(int fd, const char *name)
{
	char line[256];

	T_EQ(read_line(fd, line, sizeof(line)), 0, name);
}

/* A counter of the server, as `status` tells it. */
static inline __u64 ask_seen(const char *key)
{
	int fd = dial_greeted(control_path);
	cJSON *reply = NULL;
	__u64 value = ~0ULL;
	char line[1024];

	say(fd, "{\"v\":1,\"id\":1,\"cmd\":\"status\"}\n");
	read_line(fd, line, sizeof(line));
	lz_json_parse(line, strlen(line), &reply, NULL);
	if (reply)
		lz_json_get_u64(reply, key, 0, ~0ULL >> 11, &value, NULL);
	cJSON_Delete(reply);
	close(fd);
	return value;
}

/* The server, the cases, and all of it away again; for main(). */
static inline int serve_fake_run(const struct t_case *cases, size_t n)
{
	int control_fd, read_fd, status = 0, r;
	struct lz_err err;
	pid_t server;

	if (!mkdtemp(dir) || chmod(dir, 0755))
		return EXIT_FAILURE;
	snprintf(control_path, sizeof(control_path), "%s/control.sock", dir);
	snprintf(read_path, sizeof(read_path), "%s/read.sock", dir);
	control_fd = lz_serve_listen(control_path, 0660, (gid_t)-1, &err);
	read_fd = lz_serve_listen(read_path, 0666, (gid_t)-1, &err);
	if (control_fd < 0 || read_fd < 0) {
		printf("Bail out! %s\n", err.text);
		return EXIT_FAILURE;
	}
	server = fork();
	if (server == 0)
		exit(serve(control_fd, read_fd)); /* not _exit: the leak checker runs at exit */
	close(control_fd);
	close(read_fd);
	usleep(100 * 1000);
	r = t_run(cases, n);
	kill(server, SIGTERM);
	waitpid(server, &status, 0);
	printf("# server ended with status %d\n", status);
	unlink(control_path);
	unlink(read_path);
	rmdir(dir);
	return r || status ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
