// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The gate: what it takes for a question, whose socket it believes, a portal that reads late. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "lib/t.h"
#include "serve/gate.h"

#define TOKEN "abcdefghijklmnopqrstuvwxyz0123456789-_ABCDE"

static void gate_reads(void)
{
	static const struct {
		const char *text;
		int expected;
		enum lz_gate_cmd cmd;
	} rows[] = {
		{ "{\"v\":1,\"id\":1,\"cmd\":\"settings\"}", 0, LZ_GATE_SETTINGS },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"case\",\"token\":true}", 0, LZ_GATE_CASE },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"case\"}", 0, LZ_GATE_CASE },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"release\",\"token\":\"" TOKEN "\"}", 0, LZ_GATE_RELEASE },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"seen\",\"helo\":\"a\",\"first\":\"\"}", 0, LZ_GATE_SEEN },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"tls\",\"state\":\"ok\",\"errno\":0}", 0, LZ_GATE_TLS },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"tls\",\"state\":\"pair\",\"errno\":0,\"before\":true}", 0, LZ_GATE_TLS },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"tls\",\"state\":\"serve\",\"errno\":0}", 0, LZ_GATE_TLS },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"tls\",\"state\":\"fine\",\"errno\":0}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"tls\",\"state\":\"key\",\"errno\":4096}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"tls\",\"state\":\"key\",\"errno\":\"x\"}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"tls\",\"state\":\"key\",\"errno\":13,\"why\":\"x\"}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"release\"}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"release\",\"token\":\"" TOKEN "x\"}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"release\",\"token\":\"short\"}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"release\",\"token\":true}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"case\",\"address\":\"192.0.2.1\"}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"quarantine.del\"}", -EINVAL, 0 },
		{ "{\"v\":2,\"id\":1,\"cmd\":\"case\"}", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":0,\"cmd\":\"case\"}", -EINVAL, 0 },
		{ "{\"v\":1,\"cmd\":\"case\"}", -EINVAL, 0 },
		{ "[1]", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "{\"v\":1,\"id\":1,\"cmd\":\"seen\",\"helo\":\"a\"}", -EINVAL, 0 },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		lz_autojson cJSON *root = NULL;
		struct lz_gate_question q = { 0 };
		struct lz_err err = { "" };
		__u64 id;

		T_EQ(lz_gate_parse(rows[i].text, strlen(rows[i].text), &q, &id, &root, &err),
		     rows[i].expected, rows[i].text);
		T_EQ(q.cmd, rows[i].cmd, rows[i].text);
		T_EQ(!err.text[0], rows[i].expected == 0, "an error says why");
	}
}

/* Descriptors that are not what the portal may ask about. */
static void gate_looks_at_sockets(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	lz_autoclose int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	lz_autoclose int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lz_autoclose int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	lz_autoclose int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	lz_autoclose int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	lz_autoclose int accepted = -1;
	socklen_t len = sizeof(in);
	struct lz_addr host;
	struct lz_err err;

	T_OK(bind(listener, (struct sockaddr *)&in, sizeof(in)) == 0 && listen(listener, 1) == 0 &&
		     getsockname(listener, (struct sockaddr *)&in, &len) == 0 &&
		     connect(client, (struct sockaddr *)&in, sizeof(in)) == 0, "set-up");
	accepted = accept(listener, NULL, NULL);
	T_ERR(lz_gate_host(file, 0, &host, &err), -EACCES, "a file");
	T_ERR(lz_gate_host(udp, 0, &host, &err), -EACCES, "UDP");
	T_ERR(lz_gate_host(fresh, 0, &host, &err), -EACCES, "not connected");
	T_ERR(lz_gate_host(listener, 0, &host, &err), -EACCES, "a listener");
	T_ERR(lz_gate_host(accepted, 0x4c5b0000, &host, &err), -EACCES, "without the mark");
	T_OK(strstr(err.text, "mark 0") != NULL, err.text);
	T_EQ(lz_gate_host(accepted, 0, &host, &err), 0, "the right one");
	T_EQ(host.family == 4 && host.bytes[0] == 127 && host.bytes[3] == 1, true, "its host");
	shutdown(client, SHUT_WR);
	T_EQ(lz_gate_host(accepted, 0, &host, &err), 0, "the client has said all");
}

/* ---------------------------------------------------------------- a portal that reads late */

#define QUESTIONS   600 /* fewer than the gate takes at once, more than a socket holds answers to */
#define TURNS_MAX   5000
#define ANSWER_PAD  "as long as an answer with a case and its words is in practice, which is some 300 bytes"

static enum lz_code say_something(const struct lz_gate_question *q, cJSON *answer, void *arg)
{
	unsigned int *asked = arg;

	++*asked;
	T_OK(q->cmd == LZ_GATE_SETTINGS, "the question");
	lz_json_add_str(answer, "url", ANSWER_PAD ANSWER_PAD ANSWER_PAD);
	return LZ_CODE_OK;
}

/* Ask until all is asked or the socket takes no more; returns how many were. */
static unsigned int ask(int fd, unsigned int from)
{
	for (unsigned int id = from; id < QUESTIONS; id++) {
		char text[64];
		int n = snprintf(text, sizeof(text), "{\"v\":1,\"id\":%u,\"cmd\":\"settings\"}", id + 1);

		if (send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return id;
	}
	return QUESTIONS;
}

/* Read what is there; false if an answer is not the one after @last or the gate has gone. */
static bool read_answers(int fd, __u64 *last)
{
	char text[LZ_GATE_MESSAGE_BYTES];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text), MSG_DONTWAIT)) > 0) {
		lz_autojson cJSON *root = NULL;
		__u64 id = 0;

		if (lz_json_parse(text, (size_t)n, &root, NULL) < 0 ||
		    lz_json_opt_u64(root, "id", 1, QUESTIONS, &id, NULL) < 0 || id != *last + 1)
			return false;
		*last = id;
	}
	return n < 0 && errno == EAGAIN;
}

static void gate_waits_for_the_portal(void)
{
	char dir[] = "/tmp/lz-gate.XXXXXX";
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	lz_autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	unsigned int asked = 0, answered = 0;
	struct lz_gate_config config = { .uid = geteuid(), .handle = say_something, .arg = &answered };
	struct lz_gate *gate = NULL;
	struct lz_err err = { "" };
	__u64 last = 0;
	uv_loop_t loop;

	T_OK(mkdtemp(dir) != NULL && uv_loop_init(&loop) == 0, "set-up");
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/s", dir);
	config.loop = &loop;
	config.fd = lz_gate_listen(sun.sun_path, config.uid, &err);
	T_OK(config.fd >= 0 && lz_gate_open(&config, &gate, &err) == 0, err.text);
	T_EQ(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0, "connect");
	for (int i = 0; i < 200; i++) {
		asked = ask(fd, asked);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	T_OK(answered < QUESTIONS, "the portal's socket is full before all is answered");
	for (int i = 0; i < TURNS_MAX && last < QUESTIONS; i++) {
		if (!read_answers(fd, &last))
			break;
		asked = ask(fd, asked);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	T_EQ((long long)last, QUESTIONS, "each question has its answer, in order");
	T_EQ(answered, QUESTIONS, "and was put once");
	lz_gate_close(&gate);
	uv_run(&loop, UV_RUN_DEFAULT);
	T_EQ(uv_loop_close(&loop), 0, "the gate leaves nothing in the loop");
	unlink(sun.sun_path);
	rmdir(dir);
}

static const struct t_case cases[] = {
	{ "gate: questions", gate_reads },
	{ "gate: sockets", gate_looks_at_sockets },
	{ "gate: a portal that reads late", gate_waits_for_the_portal },
};

int main(void)
{
	return T_MAIN(cases);
}
