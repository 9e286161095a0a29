/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_serve.c - the control server with real sockets and clients that misbehave. The server runs in a
 * child process; its deadlines are shortened so that the test sees them.
 */
#define _GNU_SOURCE 1
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

static void answer_seen(struct lz_request *req, void *arg)
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

static void fill_rows(struct lz_request *req, void *arg)
{
	struct counter *c = arg;
	cJSON *row;

	if (c->next == c->end) {
		lz_reply_end(req, LZ_CODE_OK, NULL, NULL);
		return;
	}
	row = cJSON_CreateObject();
	lz_json_add_u64(row, "n", c->next++);
	if (lz_reply_row(req, row))
		seen.rows_refused++;
}

static void rows_done(void *arg)
{
	free(arg);
	seen.streams_done++;
}

static void answer_rows(struct lz_request *req, void *arg)
{
	struct counter *c = calloc(1, sizeof(*c));

	(void)arg;
	c->end = 10000;
	lz_json_opt_u64(lz_request_args(req), "limit", 0, 100000000, &c->end, NULL);
	lz_reply_stream(req, fill_rows, rows_done, c);
}

/* A handler that ignores back-pressure: the server must refuse, not grow. */
static void answer_flood(struct lz_request *req, void *arg)
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

static void free_late(uv_handle_t *handle)
{
	free(handle->data);
}

static void answer_late(uv_timer_t *timer)
{
	struct late *late = timer->data;

	lz_reply_end(late->req, LZ_CODE_NO_OBJECT, "192.0.2.1: nothing known", NULL);
	uv_close((uv_handle_t *)timer, free_late);
}

static void answer_in_450ms(struct lz_request *req, void *arg)
{
	struct late *late = calloc(1, sizeof(*late));

	late->req = req;
	late->timer.data = late;
	uv_timer_init(arg, &late->timer);
	uv_timer_start(&late->timer, answer_late, 450, 0);
}

static void follower_gone(struct lz_request *req, void *arg)
{
	(void)req;
	(void)arg;
	seen.followers_gone++;
}

static void answer_follow(struct lz_request *req, void *arg)
{
	(void)arg;
	lz_reply_row_text(req, "{\"event\":\"first\"}", 17);
	lz_reply_follow(req, follower_gone, NULL);
}

static void answer_payload(struct lz_request *req, void *arg)
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

static void answer_text(struct lz_request *req, void *arg)
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

static void on_term(uv_signal_t *signal, int number)
{
	(void)number;
	lz_serve_close(signal->data);
	uv_close((uv_handle_t *)signal, NULL);
}

static int serve(int control_fd, int read_fd)
{
	struct lz_serve_config config = {
		.control_fd = control_fd,
		.read_fd = read_fd,
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

static int dial(const char *path)
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
static int read_line(int fd, char *line, size_t size)
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

static int dial_greeted(const char *path)
{
	char line[256];
	int fd = dial(path);

	T_OK(fd >= 0, "connects");
	read_line(fd, line, sizeof(line));
	T_HAS(line, "{\"v\":1,\"lazaret\":\"", "greeting");
	return fd;
}

static void say(int fd, const char *text)
{
	T_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text), "sent");
}

static void expect(int fd, const char *line)
{
	char got[65536];

	read_line(fd, got, sizeof(got));
	T_STR(got, line, "reply");
}

static void expect_part(int fd, const char *part)
{
	char got[65536];

	read_line(fd, got, sizeof(got));
	T_HAS(got, part, "reply");
}

static void expect_closed(int fd, const char *name)
{
	char line[256];

	T_EQ(read_line(fd, line, sizeof(line)), 0, name);
}

/* A counter of the server, as `status` tells it. */
static __u64 ask_seen(const char *key)
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

/* ---------------------------------------------------------------- cases */

static void answers_requests(void)
{
	int fd = dial_greeted(control_path);

	say(fd, "{\"v\":1,\"id\":7,\"cmd\":\"status\",\"args\":{}}\n");
	expect_part(fd, "{\"id\":7,\"code\":0,\"streams_done\":");
	say(fd, "{\"v\":1,\"id\":8,\"cmd\":\"quarantine.export\"}\n");
	expect(fd, "{\"id\":8,\"payload_bytes\":8}\n");
	expect(fd, "one\n");
	expect(fd, "two\n");
	expect(fd, "{\"id\":8,\"payload_bytes\":6}\n");
	expect(fd, "three\n");
	expect(fd, "{\"id\":8,\"code\":0}\n");
	close(fd);
}

static void refuses_and_stays(void)
{
	int fd = dial_greeted(control_path);

	say(fd, "{\"v\":1,\"id\":1,\"cmd\":\"nonsense\"}\n");
	expect(fd, "{\"id\":1,\"code\":1,\"error\":\"request: command 'nonsense' is unknown\"}\n");
	say(fd, "{\"v\":2,\"id\":2,\"cmd\":\"status\"}\n");
	expect_part(fd, "{\"id\":2,\"code\":1,\"error\":\"request: version 2 is not spoken here");
	say(fd, "{\"v\":1,\"id\":3,\"cmd\":\"quarantine.add\",\"args\":{\"address\":\"x\"}}\n");
	expect_part(fd, "{\"id\":3,\"code\":1,\"error\":\"args: address: ");
	say(fd, "{\"v\":1,\"id\":4,\"cmd\":\"status\",\"args\":[]}\n");
	expect_part(fd, "{\"id\":4,\"code\":1,");
	say(fd, "{\"v\":1,\"id\":5,\"cmd\":\"bypass.off\"}\n");
	expect(fd,
	       "{\"id\":5,\"code\":2,\"error\":\"bypass.off: not available in this daemon\"}\n");
	say(fd, "{\"v\":1,\"id\":6,\"cmd\":\"status\"}\n");
	expect_part(fd, "{\"id\":6,\"code\":0");
	close(fd);
}

static void one_byte_at_a_time(void)
{
	static const char bytes[] =
		"{\"v\":1,\"id\":7,\"cmd\":\"quarantine.import\",\"payload_bytes\":4}\n"
		"a\nb\n";
	int fd = dial_greeted(control_path);

	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		send(fd, bytes + i, 1, MSG_NOSIGNAL);
	expect(fd, "{\"id\":7,\"code\":0,\"bytes\":4,\"entries\":2}\n");
	close(fd);
}

/* Requests sent ahead are answered in order; a half-closed client still gets his answers. */
static void asked_ahead(void)
{
	int fd = dial_greeted(control_path);
	char ask[64], want[32];

	say(fd, "{\"v\":1,\"id\":100,\"cmd\":\"why\",\"args\":{\"address\":\"192.0.2.1\"}}\n");
	for (int i = 0; i < 50; i++) {
		snprintf(ask, sizeof(ask), "{\"v\":1,\"id\":%d,\"cmd\":\"status\"}\n", i);
		say(fd, ask);
	}
	shutdown(fd, SHUT_WR);
	for (int alive = 0; alive < 10; alive++) {
		char line[256];

		read_line(fd, line, sizeof(line));
		if (!strstr(line, "alive")) {
			T_STR(line,
			      "{\"id\":100,\"code\":4,\"error\":\"192.0.2.1: nothing known\"}\n",
			      "first answer");
			break;
		}
	}
	for (int i = 0; i < 50; i++) {
		snprintf(want, sizeof(want), "{\"id\":%d,\"code\":0", i);
		expect_part(fd, want);
	}
	expect_closed(fd, "closed when all was said");
	close(fd);
}

static void half_message(void)
{
	__u64 start_ns = lz_clock_mono_ns(), took_ms;
	int fd = dial_greeted(control_path);

	say(fd, "{\"v\":1,\"id\":7,");
	expect(fd, "{\"id\":0,\"code\":1,\"error\":\"request: did not arrive in time\"}\n");
	expect_closed(fd, "closed");
	took_ms = (lz_clock_mono_ns() - start_ns) / LZ_NS_PER_MS;
	T_OK(took_ms >= LINE_MS && took_ms < LINE_MS + 1000, "after the deadline, soon");
	close(fd);
}

static void idle_client(void)
{
	int fd = dial_greeted(read_path);

	expect_closed(fd, "closed without a word");
	close(fd);
}

static void garbage(void)
{
	static const char *const bytes[] = {
		"\x16\x03\x01\x02\n",
		"GET / HTTP/1.1\r\n",
		"[]\n",
		"\n",
		"{\"v\":1}}\n",
		"{\"v\":1,\"v\":1}\n",
		"{\"id\":\"seven\",\"v\":1,\"cmd\":\"status\"}\n",
		"{\"v\":1,\"id\":7,\"cmd\":\"status\",\"payload_bytes\":3}\nabc",
		"{\"v\":1,\"id\":7,\"cmd\":\"quarantine.import\","
		"\"payload_bytes\":4294967296}\nabc",
	};

	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		int fd = dial_greeted(control_path);

		say(fd, bytes[i]);
		expect_part(fd, "\"code\":1,\"error\":");
		expect_closed(fd, bytes[i]);
		close(fd);
	}
}

static void huge_line(void)
{
	static char bytes[2 * LZ_PROTO_LINE_BYTES];
	int fd = dial_greeted(control_path);

	memset(bytes, 'x', sizeof(bytes));
	send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
	expect_part(fd, "{\"id\":0,\"code\":1,\"error\":\"request: line is too long");
	expect_closed(fd, "closed");
	close(fd);
}

static void rows_10000(void)
{
	__u64 done = ask_seen("streams_done");
	int fd = dial_greeted(read_path);
	char line[256], want[64];
	int same = 0;

	say(fd, "{\"v\":1,\"id\":9,\"cmd\":\"source.list\",\"args\":{}}\n");
	for (int i = 0; i < 10000; i++) {
		read_line(fd, line, sizeof(line));
		snprintf(want, sizeof(want), "{\"id\":9,\"row\":{\"n\":%d}}\n", i);
		same += !strcmp(line, want);
	}
	T_EQ(same, 10000, "every row once, in order");
	expect(fd, "{\"id\":9,\"code\":0}\n");
	T_EQ(ask_seen("streams_done"), done + 1, "stream released");
	close(fd);
}

/* 100 million rows would be 3 GB: the reader that never reads must not make them exist. */
static void never_reads(void)
{
	__u64 done = ask_seen("streams_done");
	int fd = dial_greeted(read_path);

	say(fd, "{\"v\":1,\"id\":9,\"cmd\":\"source.list\",\"args\":{\"limit\":100000000}}\n");
	usleep((STALL_MS + 400) * 1000);
	T_EQ(ask_seen("streams_done"), done + 1, "closed and released after the stall time");
	T_EQ(ask_seen("rows_refused"), 0, "fill was only called when there was room");
	close(fd);
}

static void back_pressure_is_hard(void)
{
	int fd = dial_greeted(control_path);
	char line[2048];
	unsigned int rows = 0, queued = 0;

	say(fd,
	    "{\"v\":1,\"id\":3,\"cmd\":\"source.show\",\"args\":{\"address\":\"192.0.2.1\"}}\n");
	while (read_line(fd, line, sizeof(line)) > 0 && strstr(line, "row"))
		rows++;
	T_EQ(sscanf(line, "{\"id\":3,\"code\":0,\"queued\":%u}", &queued), 1,
	     "ends with the final line");
	T_EQ(rows, queued, "what was accepted arrives");
	T_OK(queued > 900 && queued < 1100, "about one high water mark of 1,021-byte rows");
	close(fd);
}

static void says_alive(void)
{
	int fd = dial_greeted(control_path);

	say(fd, "{\"v\":1,\"id\":5,\"cmd\":\"why\",\"args\":{\"address\":\"192.0.2.1\"}}\n");
	expect(fd, "{\"id\":5,\"alive\":true}\n");
	close(fd); /* and the answer, 350 ms later, finds nobody: the server must survive it */
	usleep(600 * 1000);
	T_OK(ask_seen("uid") == getuid(), "server lives");
}

static void follower_leaves(void)
{
	__u64 gone = ask_seen("followers_gone");
	int fd = dial_greeted(read_path);

	say(fd, "{\"v\":1,\"id\":5,\"cmd\":\"monitor\"}\n");
	expect(fd, "{\"id\":5,\"row\":{\"event\":\"first\"}}\n");
	expect(fd, "{\"id\":5,\"alive\":true}\n");
	close(fd);
	usleep(100 * 1000);
	T_EQ(ask_seen("followers_gone"), gone + 1, "told once");
	fd = dial_greeted(read_path);
	say(fd, "{\"v\":1,\"id\":5,\"cmd\":\"monitor\"}\n");
	shutdown(fd, SHUT_WR);
	usleep(100 * 1000);
	T_EQ(ask_seen("followers_gone"), gone + 2, "a half-closed follower is gone, too");
	close(fd);
}

static void payload_24_mb(void)
{
	static const char entry[] = "100.64.123.45 72h leaky - over relay-day\n";
	size_t n = 600000, len = sizeof(entry) - 1, total = n * len, sent = 0;
	char *text = malloc(total), head[128], want[128];
	int fd = dial_greeted(control_path);
	__u64 start_ns = lz_clock_mono_ns();

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, entry, len);
	snprintf(head, sizeof(head),
		 "{\"v\":1,\"id\":1,\"cmd\":\"quarantine.import\",\"payload_bytes\":%zu}\n", total);
	say(fd, head);
	while (sent < total) {
		ssize_t r = send(fd, text + sent, total - sent, MSG_NOSIGNAL);

		if (r <= 0)
			break;
		sent += (size_t)r;
	}
	snprintf(want, sizeof(want), "{\"id\":1,\"code\":0,\"bytes\":%zu,\"entries\":%zu}\n", total,
		 n);
	expect(fd, want);
	printf("# %zu bytes in %llu ms\n", total,
	       (unsigned long long)(lz_clock_mono_ns() - start_ns) / LZ_NS_PER_MS);
	T_OK(lz_clock_mono_ns() - start_ns < LZ_NS_PER_S,
	     "the transport takes less than half of 2 s");
	free(text);
	close(fd);
}

static void stalled_payload(void)
{
	int fd = dial_greeted(control_path);

	say(fd, "{\"v\":1,\"id\":6,\"cmd\":\"quarantine.import\",\"payload_bytes\":1000}\nhalf");
	expect(fd, "{\"id\":6,\"code\":1,\"error\":\"request: did not arrive in time\"}\n");
	expect_closed(fd, "closed");
	close(fd);
}

static void forty_connections(void)
{
	int fds[40], greeted = 0, refused = 0;
	char line[256];

	for (int i = 0; i < 40; i++) {
		fds[i] = dial(read_path);
		read_line(fds[i], line, sizeof(line));
		greeted += !!strstr(line, "\"lazaret\"");
		refused += !!strstr(
			line,
			"{\"id\":0,\"code\":2,\"error\":\"connection: too many connections of");
	}
	T_EQ(greeted, LZ_PROTO_CONNECTIONS_PER_UID, "as many as one uid may have");
	T_EQ(refused, 40 - LZ_PROTO_CONNECTIONS_PER_UID, "the others are told why");
	T_OK(ask_seen("uid") == getuid(), "control.sock is not affected");
	for (int i = 0; i < 40; i++)
		close(fds[i]);
	usleep(100 * 1000);
	close(dial_greeted(read_path));
}

/* Run @body as another uid; its checks count here. */
static bool as_nobody(void (*body)(void))
{
	pid_t pid;
	int status = 0;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		t_case_failures = 0;
		T_EQ(setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY), 0, "become nobody");
		body();
		fflush(stdout);
		_exit(t_case_failures ? 1 : 0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

static void read_socket_only_reads(void)
{
	int fd = dial_greeted(read_path);

	say(fd,
	    "{\"v\":1,\"id\":1,\"cmd\":\"quarantine.add\",\"args\":{\"address\":\"192.0.2.1\"}}\n");
	expect_part(
		fd,
		"{\"id\":1,\"code\":5,\"error\":\"quarantine.add: not permitted: it needs the role "
		"operate, uid ");
	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		char ask[128];

		if (lz_proto_commands[i].role <= LZ_PEER_READ)
			continue;
		snprintf(ask, sizeof(ask), "{\"v\":1,\"id\":2,\"cmd\":\"%s\"}\n",
			 lz_proto_commands[i].name);
		say(fd, ask);
		expect_part(fd, "{\"id\":2,\"code\":5,");
	}
	say(fd, "{\"v\":1,\"id\":3,\"cmd\":\"status\"}\n");
	expect_part(fd, "{\"id\":3,\"code\":0,");
	close(fd);
}

static void nobody_at_control(void)
{
	char line[256];
	int fd;

	T_EQ(dial(control_path), -EACCES, "mode 0660 keeps others out");
	fd = dial_greeted(read_path);
	say(fd, "{\"v\":1,\"id\":3,\"cmd\":\"status\"}\n");
	read_line(fd, line, sizeof(line));
	T_HAS(line, "\"uid\":65534", "the kernel says who asks");
	close(fd);
}

/* Even when the mode lets a peer in, his uid decides. */
static void nobody_let_in(void)
{
	char line[256];
	int fd = dial(control_path);

	read_line(fd, line, sizeof(line));
	T_STR(line,
	      "{\"id\":0,\"code\":5,"
	      "\"error\":\"connection: not permitted: uid 65534 has no role\"}\n",
	      "refused");
	expect_closed(fd, "and closed");
	close(fd);
}

static void wrong_role(void)
{
	struct stat st;

	read_socket_only_reads();
	T_OK(!stat(control_path, &st) && (st.st_mode & 0777) == 0660, "control.sock is 0660");
	T_OK(!stat(read_path, &st) && (st.st_mode & 0777) == 0666, "read.sock is 0666");
	if (getuid())
		T_SKIP("needs root to become another user");
	T_OK(as_nobody(read_socket_only_reads), "nobody by read.sock");
	T_OK(as_nobody(nobody_at_control), "nobody by control.sock");
	chmod(control_path, 0666);
	T_OK(as_nobody(nobody_let_in), "nobody by an open control.sock");
	chmod(control_path, 0660);
}

static void sockets_in_the_way(void)
{
	char path[64], file[64];
	struct lz_err err;
	FILE *f;
	int fd;

	T_EQ(lz_serve_listen(read_path, 0600, (gid_t)-1, &err), -EADDRINUSE, "somebody answers");
	T_HAS(err.text, "another process answers there", "says so");
	snprintf(path, sizeof(path), "%s/stale.sock", dir);
	fd = lz_serve_listen(path, 0600, (gid_t)-1, &err);
	T_OK(fd >= 0, "first");
	close(fd);
	fd = lz_serve_listen(path, 0600, (gid_t)-1, &err);
	T_OK(fd >= 0, "a stale socket is replaced");
	close(fd);
	snprintf(file, sizeof(file), "%s/file", dir);
	f = fopen(file, "w");
	fclose(f);
	T_EQ(lz_serve_listen(file, 0600, (gid_t)-1, &err), -EEXIST, "a file is left alone");
	T_EQ(access(file, F_OK), 0, "it is still there");
	unlink(path);
	unlink(file);
}

static const struct t_case cases[] = {
	{ "serve: answers with fields, rows and text", answers_requests },
	{ "serve: a refused request leaves the connection open", refuses_and_stays },
	{ "serve: one byte at a time", one_byte_at_a_time },
	{ "serve: requests sent ahead, then half closed", asked_ahead },
	{ "serve: half a message is given up after the deadline", half_message },
	{ "serve: an idle client is closed", idle_client },
	{ "serve: garbage closes only its sender", garbage },
	{ "serve: a line without end", huge_line },
	{ "serve: 10,000 rows", rows_10000 },
	{ "serve: a client that never reads", never_reads },
	{ "serve: rows above the water mark are refused", back_pressure_is_hard },
	{ "serve: says alive, survives an answer to nobody", says_alive },
	{ "serve: followers are told when they leave", follower_leaves },
	{ "serve: a payload of 600,000 entries", payload_24_mb },
	{ "serve: a payload that stops half way", stalled_payload },
	{ "serve: 40 connections", forty_connections },
	{ "serve: roles by socket and uid", wrong_role },
	{ "serve: stale sockets and files in the way", sockets_in_the_way },
};

int main(void)
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
	r = T_MAIN(cases);
	kill(server, SIGTERM);
	waitpid(server, &status, 0);
	printf("# server ended with status %d\n", status);
	unlink(control_path);
	unlink(read_path);
	rmdir(dir);
	return r || status ? EXIT_FAILURE : EXIT_SUCCESS;
}
