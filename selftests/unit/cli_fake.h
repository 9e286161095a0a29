/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cli_fake.h - lazaretctl against a fake daemon, for the t_cli* tests: real sockets and the real
 * server, canned answers.
 */
#ifndef LZ_SELFTESTS_CLI_FAKE_H
#define LZ_SELFTESTS_CLI_FAKE_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "lib/t.h"
#include "serve/serve.h"

#define NOBODY	  65534
#define LIST_ROWS 10000

static char dir[] = "/tmp/lz-t-cli-XXXXXX";

/* ---------------------------------------------------------------- the fake daemon */

#define NAMES_TEN "n1.net, n2.net, n3.net, n4.net, n5.net, n6.net, n7.net, n8.net, n9.net, n10.net"
#define TEXT(n)	  "\\\"10.0.0." #n "\\\""
#define TEXTS_TEN TEXT(1) "," TEXT(2) "," TEXT(3) "," TEXT(4) "," TEXT(5) "," TEXT(6) "," TEXT(7) "," TEXT(8) "," TEXT(9) "," TEXT(10)

struct canned {
	const char *cmd;
	const char *rows[4];
	int code;
	const char *error;
	const char *fields;
};

static const struct canned answers[] = {
	{ "status",
	  { "{\"interface\":\"eth0\",\"side\":\"uplink\",\"hook\":\"xdp\",\"up\":true,"
	    "\"received_packets\":123456789012345,\"passed_packets\":7,\"dropped_packets\":0}" },
	  0,
	  NULL,
	  "{\"bypass\":{\"on\":true,\"until\":null,\"actor\":\"uid 0\"},\"release\":\"0.1.0\","
	  "\"policy\":{\"name\":\"cable\",\"generation\":7,\"mode\":\"enforce\"},"
	  "\"alarms\":[\"link \\u001b[31mdown\"]}" },
	{ "health",
	  { NULL },
	  0,
	  NULL,
	  "{\"healthy\":true,\"bypass\":{\"on\":true},\"checks\":[]}" },
	{ "monitor",
	  { "{\"time\":\"2026-01-02T03:04:05Z\",\"event\":\"limit\",\"address\":\"192.0.2.7\"}",
	    "{}" },
	  0,
	  NULL,
	  NULL },
	{ "top", { "{\"address\":\"192.0.2.7\",\"syn_per_s\":17}" }, 0, NULL, "{\"held\":3}" },
	{ "policy.show", { NULL }, 0, NULL, "{\"generation\":7,\"name\":\"cable\"}" },
	{ "policy.diff",
	  { "{\"path\":\"/sets/n/names\",\"to\":\"" NAMES_TEN "\"}",
	    "{\"path\":\"/classes/vps\",\"to\":\"{\\\"of\\\":[" TEXTS_TEN "],\\\"shared\\\":false}\"}",
	    "{\"path\":\"/sets/s\",\"from\":\"1 prefixes\",\"to\":\"5 prefixes, 4 added (a, b, c, ..)\"}" },
	  0,
	  NULL,
	  "{\"changes\":3}" },
	{ "policy.confirm", { NULL }, 2, "policy: nothing waits for a confirm", NULL },
	{ "source.list",
	  { "{\"address\":\"2001:db8:1234:5678::/64\","
	    "\"class\":\"vps\\u001b[31m\\u202eevil\\u007f\\u009b\","
	    "\"examined\":5,\"syn\":4294967295,\"smtp_connections\":2,\"smtp_destinations\":1,"
	    "\"dropped\":12345678,\"would_drop\":0,\"seen\":\"2026-01-02T03:04:05Z\"}",
	    "{\"address\":\"192.0.2.7\",\"class\":null,\"examined\":5,\"syn\":1}" },
	  0,
	  NULL,
	  "{\"total\":2}" },
	{ "quarantine.add",
	  { NULL },
	  0,
	  NULL,
	  "{\"address\":\"2001:db8:1::5\",\"touched\":[\"2001:db8:1::/64\",\"192.0.2.9\"],"
	  "\"customer\":\"C12\",\"garden\":\"leaky\",\"until\":\"2199-01-01T00:00:00Z\","
	  "\"extended\":true}" },
	{ "quarantine.del", { NULL }, 4, "192.0.2.9: not held", NULL },
	{ "quarantine.undo",
	  { "{\"address\":\"192.0.2.1\",\"touched\":[\"192.0.2.1\"],\"actor\":\"mad-ids\"}" },
	  0,
	  NULL,
	  "{\"freed\":1}" },
	{ "bypass.on", { NULL }, 0, NULL, "{\"bypass\":{\"on\":true,\"until\":null}}" },
};

/* `why 192.0.2.N` is answered with code N: the way to see every code. */
static inline void answer_why(struct lz_request *req)
{
	const char *address;
	int code;

	lz_json_get_str(lz_request_args(req), "address", &address, NULL);
	code = atoi(address + strlen("192.0.2."));
	lz_reply_end(req, (enum lz_code)code, code ? "as asked" : NULL, NULL);
}

/* Says what arrived; refuses without yes when the payload is a policy. */
static inline void answer_payload(struct lz_request *req)
{
	cJSON *fields = cJSON_CreateObject();
	bool yes = false;
	size_t len, lines = 0;
	const char *text = lz_request_payload(req, &len);

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	lz_json_add_u64(fields, "entries", lines);
	lz_json_add_u64(fields, "bytes", len);
	lz_json_add_str(fields, "name", "cable");
	lz_json_add_u64(fields, "generation", 8);
	lz_json_add_str(fields, "deadline", "2199-01-01T00:00:00Z");
	lz_json_opt_bool(lz_request_args(req), "yes", &yes, NULL);
	if (lz_streq(lz_request_cmd(req), "quarantine.import")) {
		lz_reply_row(
			req,
			cJSON_Parse("{\"line\":2,\"address\":\"192.0.2.1\",\"error\":\"never\"}"));
		lz_reply_end(req, LZ_CODE_PARTLY, "1 of 2 entries was refused", fields);
	} else if (!yes) {
		lz_reply_end(req, LZ_CODE_GUARDED, "would drop 37% of packets", fields);
	} else {
		lz_reply_row(
			req,
			cJSON_Parse("{\"kind\":\"not-in-force\",\"path\":\"/gardens/leaky/web\","
				    "\"text\":\"needs the portal\"}"));
		lz_reply_row(req, cJSON_Parse("{\"kind\":\"warning\",\"path\":\"/sets/d\","
					      "\"text\":\"a newer daemon finds it odd\"}"));
		lz_reply_end(req, LZ_CODE_OK, NULL, fields);
	}
}

static inline void fill_list(struct lz_request *req, void *arg)
{
	int *n = arg;
	char row[256];

	if (*n == LIST_ROWS) {
		lz_reply_end(req, LZ_CODE_OK, NULL, NULL);
		return;
	}
	snprintf(
		row, sizeof(row),
		"{\"address\":\"100.64.%d.%d\",\"garden\":\"leaky\","
		"\"until\":\"2199-01-01T00:00:00Z\"}",
		*n / 256, *n % 256);
	(*n)++;
	lz_reply_row_text(req, row, strlen(row));
}

static inline void answer(struct lz_request *req, void *arg)
{
	const char *cmd = lz_request_cmd(req);

	(void)arg;
	if (lz_streq(cmd, "why")) {
		answer_why(req);
		return;
	}
	if (lz_streq(cmd, "quarantine.list")) {
		lz_reply_stream(req, fill_list, free, calloc(1, sizeof(int)));
		return;
	}
	if (lz_streq(cmd, "doctor")) /* compares a million holds on a loaded machine */
		usleep(2500000);
	if (lz_streq(cmd, "quarantine.export"))
		lz_reply_payload(req, "192.0.2.1 - leaky\n", 18);
	if (lz_streq(cmd, "policy.show"))
		lz_reply_payload(req, "{\n  \"version\": 1\n}", 18);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(answers); i++) {
		const struct canned *c = &answers[i];
		cJSON *fields = c->fields ? cJSON_Parse(c->fields) : cJSON_CreateObject();

		if (!lz_streq(c->cmd, cmd)) {
			cJSON_Delete(fields);
			continue;
		}
		for (size_t r = 0; c->rows[r]; r++)
			lz_reply_row_text(req, c->rows[r], strlen(c->rows[r]));
		cJSON_AddItemToObject(fields, "asked", cJSON_Duplicate(lz_request_args(req), true));
		lz_reply_end(req, (enum lz_code)c->code, c->error, fields);
		return;
	}
	if (lz_streq(cmd, "policy.apply") || lz_streq(cmd, "quarantine.import"))
		answer_payload(req);
	else
		lz_reply_end(req, LZ_CODE_OK, NULL, NULL);
}

static inline int serve(int control_fd, int read_fd)
{
	struct lz_serve_route routes[LZ_PROTO_COMMANDS];
	struct lz_serve_config config = { .control_fd = control_fd,
					  .read_fd = read_fd,
					  .routes = routes,
					  .routes_n = LZ_PROTO_COMMANDS };
	struct lz_serve *server;
	uv_loop_t loop;

	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++)
		routes[i] = (struct lz_serve_route){ lz_proto_commands[i].name, answer };
	lz_log_level_set(LZ_LOG_ERROR);
	uv_loop_init(&loop);
	config.loop = &loop;
	return lz_serve_open(&config, &server, NULL) || uv_run(&loop, UV_RUN_DEFAULT);
}

/* ---------------------------------------------------------------- running lazaretctl */

static struct {
	int code; /* exit code, or -signal */
	char out[4 * 1024 * 1024], err[65536];
	__u64 took_ms;
} ran;

static const char *run_dir = dir, *input = "";
static const char *out_path; /* stdout; NULL: ran.out, "": closed */
static uid_t as_uid;

static inline void be_child(int out, int err, char **argv, int argc)
{
	char daemon[64], in_path[64];
	int in;

	snprintf(in_path, sizeof(in_path), "%s/input", dir);
	snprintf(daemon, sizeof(daemon), "%s/lazaretd", dir);
	in = open(in_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (write(in, input, strlen(input)) < 0 || lseek(in, 0, SEEK_SET) < 0)
		_exit(99);
	dup2(in, STDIN_FILENO);
	dup2(out_path ? open(out_path, O_WRONLY) : out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (out_path && !*out_path)
		close(STDOUT_FILENO);
	if (as_uid && (setgroups(0, NULL) || setgid(as_uid) || setuid(as_uid)))
		_exit(99);
	exit(lz_cli_run(argc, argv, daemon));
}

static inline size_t drain(int fd, char *buf, size_t at, size_t size)
{
	ssize_t n = read(fd, buf + at, size - 1 - at);

	return n > 0 ? at + (size_t)n : size; /* size: at its end */
}

static inline void collect(int out, int err)
{
	struct pollfd p[] = { { .fd = out, .events = POLLIN }, { .fd = err, .events = POLLIN } };
	size_t out_len = 0, err_len = 0, n;

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		poll(p, 2, -1);
		if (p[0].revents) {
			n = drain(out, ran.out, out_len, sizeof(ran.out));
			p[0].fd = n == sizeof(ran.out) ? -1 : out;
			out_len = n == sizeof(ran.out) ? out_len : n;
		}
		if (p[1].revents) {
			n = drain(err, ran.err, err_len, sizeof(ran.err));
			p[1].fd = n == sizeof(ran.err) ? -1 : err;
			err_len = n == sizeof(ran.err) ? err_len : n;
		}
	}
	ran.out[out_len] = '\0';
	ran.err[err_len] = '\0';
}

/* Run `lazaretctl [--run DIR] WORDS` (one blank between words; '_' in a word becomes a blank). */
static inline int ctl(const char *words)
{
	char copy[1024], *argv[32] = { (char[]){ "lazaretctl" }, (char[]){ "--run" } },
			 *rest = copy;
	char dir_copy[128];
	int out[2], err[2], status, argc = run_dir ? 3 : 1;
	__u64 start_ns = lz_clock_mono_ns();
	pid_t pid;

	snprintf(dir_copy, sizeof(dir_copy), "%s", run_dir ? run_dir : "");
	snprintf(copy, sizeof(copy), "%s", words);
	if (run_dir)
		argv[2] = dir_copy;
	while (*words && argc < 31 && (argv[argc] = strsep(&rest, " "))) {
		for (char *p = argv[argc]; *p; p++)
			*p = *p == '_' ? ' ' : *p;
		argc++;
	}
	fflush(stdout);
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0)
		be_child(out[1], err[1], argv, argc);
	close(out[1]);
	close(err[1]);
	collect(out[0], err[0]);
	close(out[0]);
	close(err[0]);
	waitpid(pid, &status, 0);
	ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	ran.took_ms = (lz_clock_mono_ns() - start_ns) / LZ_NS_PER_MS;
	return ran.code;
}

/* The document on stdout, which must be exactly one. */
static inline cJSON *document(const char *schema)
{
	struct lz_err err = { "" };
	cJSON *doc = NULL;

	T_EQ(lz_json_parse(ran.out, strlen(ran.out), &doc, &err), 0, err.text);
	T_STR(cJSON_GetStringValue(cJSON_GetObjectItem(doc, "schema")), schema, "schema");
	T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(doc, "version")), 1, "version");
	return doc;
}

/* Nothing a terminal would obey, no line longer than 80 columns. */
static inline void expect_tame(const char *text)
{
	unsigned int column = 0, longest = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		column = *p == '\n' ? 0 : column + ((*p & 0xc0) != 0x80);
		longest = column > longest ? column : longest;
		if ((*p < 0x20 && *p != '\n') || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			T_OK(false, "control character in the output");
	}
	T_OK(!strstr(text, "\xe2\x80\xae"), "no change of direction");
	T_OK(longest <= 80, "at most 80 columns");
}

static inline void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	T_OK(f && fputs(text, f) >= 0 && !fclose(f), "file written");
}

/* The fake daemon, the cases, and all of it away again; for main(). */
static inline int cli_fake_run(const struct t_case *cases, size_t n)
{
	char control[64], reading[64], input_path[64];
	struct lz_err err;
	int control_fd, read_fd, r;
	pid_t server;

	setenv("LC_ALL", "C", 1);
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return EXIT_FAILURE;
	snprintf(control, sizeof(control), "%s/control.sock", dir);
	snprintf(reading, sizeof(reading), "%s/read.sock", dir);
	snprintf(input_path, sizeof(input_path), "%s/input", dir);
	control_fd = lz_serve_listen(control, 0660, (gid_t)-1, &err);
	read_fd = lz_serve_listen(reading, 0666, (gid_t)-1, &err);
	if (control_fd < 0 || read_fd < 0) {
		printf("Bail out! %s\n", err.text);
		return EXIT_FAILURE;
	}
	server = fork();
	if (server == 0)
		_exit(serve(control_fd, read_fd));
	close(control_fd);
	close(read_fd);
	usleep(100 * 1000);
	r = t_run(cases, n);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(control);
	unlink(reading);
	unlink(input_path);
	rmdir(dir);
	return r;
}

#endif
