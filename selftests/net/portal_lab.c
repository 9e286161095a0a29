// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: portal_lab PORTAL UID SOCKET PAGE SINK [API CERTIFICATE KEY] [url=URL] [templates=DIR]
 *
 * Stands in for keeper and controller: makes the marked listeners on loopback (PAGE, SINK, API are
 * ports), opens the real gate at SOCKET, starts the program PORTAL as UID with the sockets at their
 * numbers, and answers the gate from canned cases. Ends when the program ends, with its status.
 *
 * Whose case it is follows from the client's last byte: 1..99 held with the button; 100..149 held,
 * harm still seen; 150..199 held in a strict garden, staff only; 200.. free. ::1 is host 1.
 * What happens at the gate is written to stdout.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "lazaret/abi.h"
#include "serve/gate.h"

#define HOSTS 256

static struct lab {
	uv_loop_t loop;
	uv_signal_t child, term;
	struct lz_gate *gate;
	const char *url, *templates, *api_port, *certificate, *key;
	pid_t portal;
	int status;
	bool released[HOSTS];
	unsigned int tokens;
	char token[HOSTS][LZ_GATE_TOKEN_CHARS + 1];
	unsigned int left[HOSTS];
} lab;

/* ---------------------------------------------------------------- cases */

static enum lz_code say_settings(cJSON *answer)
{
	cJSON *languages = cJSON_AddArrayToObject(answer, "languages");

	cJSON_AddItemToArray(languages, cJSON_CreateString("en"));
	cJSON_AddItemToArray(languages, cJSON_CreateString("de"));
	lz_json_add_str(answer, "url", lab.url);
	lz_json_add_str(answer, "provider", "Example Net <b>& Co</b>");
	lz_json_add_str(answer, "contact", "Abuse desk, +49 30 555 0100");
	if (lab.templates)
		lz_json_add_str(answer, "templates", lab.templates);
	if (lab.api_port) {
		cJSON *api = cJSON_AddObjectToObject(answer, "api");
		char url[64];

		snprintf(url, sizeof(url), "https://localhost:%s/captive", lab.api_port);
		lz_json_add_str(api, "url", url);
		lz_json_add_str(api, "certificate", lab.certificate);
		lz_json_add_str(api, "key", lab.key);
	}
	return LZ_CODE_OK;
}

static void make_token(unsigned int who, char ret[static LZ_GATE_TOKEN_CHARS + 1])
{
	memset(ret, 'A', LZ_GATE_TOKEN_CHARS);
	ret[LZ_GATE_TOKEN_CHARS] = '\0';
	snprintf(ret, 16, "host%u-%u", who, ++lab.tokens);
	ret[strlen(ret)] = '_';
}

static enum lz_code say_case(unsigned int who, bool token, cJSON *answer)
{
	bool held = who < 200 && !lab.released[who];

	lz_json_add_bool(answer, "held", held);
	if (!held)
		return LZ_CODE_OK;
	lz_json_add_str(answer, "case", "20481");
	lz_json_add_str(answer, "grade", who < 150 ? "garden:leaky" : "garden:strict");
	lz_json_add_bool(answer, "strict", who >= 150);
	lz_json_add_str(answer, "since", "2026-11-20T08:15:00Z");
	lz_json_add_str(answer, "until", "2026-11-27T08:15:00Z");
	lz_json_add_str(answer, "reason", who < 100 ? "spam" : "malware");
	lz_json_add_u64(answer, "connections", 31847);
	lz_json_add_str(answer, "seen", "2026-11-22T23:58:00Z");
	lz_json_add_u64(answer, "releases_left", 2 - lab.left[who]);
	lz_json_add_bool(answer, "may_release", who < 100);
	if (who >= 100)
		lz_json_add_str(answer, "why_not", who < 150 ? "evidence" : "staff");
	if (who >= 100 && who < 150)
		lz_json_add_u64(answer, "wait_s", 540);
	if (who < 100 && token) {
		make_token(who, lab.token[who]);
		lz_json_add_str(answer, "token", lab.token[who]);
	}
	return LZ_CODE_OK;
}

static enum lz_code do_release(unsigned int who, const char *token, cJSON *answer)
{
	if (who >= 200 || lab.released[who])
		return LZ_CODE_NO_OBJECT;
	if (!lab.token[who][0] || !lz_streq(lab.token[who], token)) {
		printf("release host=%u denied\n", who);
		lz_json_add_str(answer, "why_not", "token");
		return LZ_CODE_REFUSED;
	}
	lab.token[who][0] = '\0';
	lab.left[who]++;
	lab.released[who] = true;
	lz_json_add_str(answer, "case", "20481");
	printf("release host=%u done\n", who);
	return LZ_CODE_OK;
}

static enum lz_code on_question(const struct lz_gate_question *q, cJSON *answer, void *arg)
{
	unsigned int who = q->host.family == 6 ? q->host.bytes[15] : q->host.bytes[3];

	(void)arg;
	switch (q->cmd) {
	case LZ_GATE_SETTINGS:
		return say_settings(answer);
	case LZ_GATE_CASE:
		return say_case(who, q->want_token, answer);
	case LZ_GATE_RELEASE:
		return do_release(who, q->token, answer);
	case LZ_GATE_SEEN:
		printf("seen host=%u helo=%s first=%s\n", who, q->helo, q->first);
		return LZ_CODE_OK;
	case LZ_GATE_TLS:
		printf("tls state=%s errno=%d before=%d\n", lz_gate_tls_words[q->tls], q->tls_errno,
		       q->tls_before);
		return LZ_CODE_OK;
	case LZ_GATE_CMD_N:
		break;
	}
	return LZ_CODE_INVALID;
}

/* ---------------------------------------------------------------- sockets, process */

static void die(const char *what)
{
	fprintf(stderr, "portal_lab: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Loopback, all of it: a client chooses who it is by its source address. */
static int make_listener(int family, const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unsigned int mark = LZ_MARK_REPLY;
	int one = 1;

	in.sin_port = in6.sin6_port = htons((uint16_t)atoi(port));
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		die("socket");
	if (bind(fd, family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
		 family == AF_INET ? sizeof(in) : sizeof(in6)) < 0 || listen(fd, 512) < 0)
		die("bind");
	return fd;
}

static void become(uid_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		die("setresuid");
}

/* In the child: descriptors at their numbers, nothing else. */
static void start_portal(const char *program, uid_t uid, const char *socket_path, const int *fds)
{
	int high[LZ_PORTAL_FD_END];

	for (int i = LZ_PORTAL_FD_PAGE4; i < LZ_PORTAL_FD_END; i++)
		high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD, 64);
	for (int i = LZ_PORTAL_FD_PAGE4; i < LZ_PORTAL_FD_END; i++) {
		close(i);
		if (high[i] >= 0 && dup2(high[i], i) < 0)
			die("dup2");
	}
	for (int fd = LZ_PORTAL_FD_END; fd < 256; fd++)
		close(fd);
	signal(SIGCHLD, SIG_DFL);
	become(uid);
	execl(program, program, "--gate", socket_path, (char *)NULL);
	die(program);
}

static void on_child(uv_signal_t *handle, int signum)
{
	(void)signum;
	if (waitpid(lab.portal, &lab.status, WNOHANG) == lab.portal)
		uv_stop(handle->loop);
}

static void on_term(uv_signal_t *handle, int signum)
{
	(void)handle;
	(void)signum;
	lz_gate_drop(lab.gate); /* and the portal ends by itself */
}

static void take_option(const char *text)
{
	if (!strncmp(text, "url=", 4))
		lab.url = text + 4;
	if (!strncmp(text, "templates=", 10))
		lab.templates = text + 10;
}

int main(int argc, char **argv)
{
	int fds[LZ_PORTAL_FD_END] = { -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	struct lz_gate_config config = { .loop = &lab.loop, .mark = LZ_MARK_REPLY, .handle = on_question };
	struct lz_err err = { "" };
	bool tls = argc >= 9 && !strchr(argv[6], '=');

	if (argc < 6)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	lab.url = "http://quarantine.example.net/";
	for (int i = 6; i < argc; i++)
		take_option(argv[i]);
	fds[LZ_PORTAL_FD_PAGE4] = make_listener(AF_INET, argv[4]);
	fds[LZ_PORTAL_FD_PAGE6] = make_listener(AF_INET6, argv[4]);
	fds[LZ_PORTAL_FD_SINK4] = make_listener(AF_INET, argv[5]);
	fds[LZ_PORTAL_FD_SINK6] = make_listener(AF_INET6, argv[5]);
	if (tls) {
		lab.api_port = argv[6];
		lab.certificate = argv[7];
		lab.key = argv[8];
		fds[LZ_PORTAL_FD_API4] = make_listener(AF_INET, argv[6]);
		fds[LZ_PORTAL_FD_API6] = make_listener(AF_INET6, argv[6]);
	}
	config.uid = (uid_t)atoi(argv[2]);
	config.fd = lz_gate_listen(argv[3], config.uid, &err);
	uv_loop_init(&lab.loop);
	if (config.fd < 0 || lz_gate_open(&config, &lab.gate, &err) < 0) {
		fprintf(stderr, "portal_lab: %s\n", err.text);
		return 1;
	}
	lab.portal = fork();
	if (lab.portal == 0)
		start_portal(argv[1], config.uid, argv[3], fds);
	for (int i = LZ_PORTAL_FD_PAGE4; i < LZ_PORTAL_FD_END; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	uv_signal_init(&lab.loop, &lab.child);
	uv_signal_init(&lab.loop, &lab.term);
	uv_signal_start(&lab.child, on_child, SIGCHLD);
	uv_signal_start(&lab.term, on_term, SIGTERM);
	uv_run(&lab.loop, UV_RUN_DEFAULT);
	return WIFEXITED(lab.status) ? WEXITSTATUS(lab.status) : 128;
}
