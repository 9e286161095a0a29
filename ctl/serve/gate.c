// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/gate.h"

#define QUESTIONS_A_TURN  32
#define QUESTIONS_A_S	  500 /* the portal's own limits come first: this is for one taken over */
#define QUESTIONS_AT_ONCE 1000
#define FDS_MAX		  4 /* taken out of a message to be closed, if there are more than one */

struct lz_gate {
	struct lz_gate_config config;
	uv_poll_t listener;
	uv_poll_t portal;
	int fd; /* of the portal; -1: not here */
	bool leaving; /* the loop still holds the handle of the one before */
	unsigned int handles; /* still open */
	char *unsent; /* the answer the portal's socket had no room for; until it has, none is read */
	struct lz_log_limit log_limit;
	struct lz_log_limit rate;
	char buf[LZ_GATE_MESSAGE_BYTES + 1];
};

/* What comes in through one datagram. */
struct message {
	size_t len;
	int fds[FDS_MAX];
	unsigned int n_fds;
	bool cut;
};

/* A portal taken over can cause these lines: at most 20 at once, then one a second. */
static void note(struct lz_gate *gate, const char *event, const char *why)
{
	__u64 suppressed;

	if (lz_log_allow(&gate->log_limit, lz_clock_mono_ns(), &suppressed))
		lz_log(LZ_LOG_WARNING, event, "why=%s suppressed=%llu", why,
		       (unsigned long long)suppressed);
}

/* ---------------------------------------------------------------- the portal's connection */

static void on_handle_closed(uv_handle_t *handle)
{
	struct lz_gate *gate = handle->data;

	if (handle == (uv_handle_t *)&gate->portal)
		gate->leaving = false;
	if (!--gate->handles)
		free(gate);
}

void lz_gate_drop(struct lz_gate *gate)
{
	if (gate->fd < 0)
		return;
	gate->leaving = true;
	free(TAKE_PTR(gate->unsent));
	uv_poll_stop(&gate->portal);
	close(TAKE_FD(gate->fd));
	uv_close((uv_handle_t *)&gate->portal, on_handle_closed);
}

static void take_fds(struct msghdr *msg, struct message *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n && ret->n_fds < FDS_MAX; i++)
			memcpy(&ret->fds[ret->n_fds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
}

/* -EAGAIN: nothing there; -EPIPE: the portal has gone. The kernel closes what finds no room. */
static int receive(struct lz_gate *gate, struct message *ret)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct iovec iov = { .iov_base = gate->buf, .iov_len = LZ_GATE_MESSAGE_BYTES };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(gate->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	memset(ret, 0, sizeof(*ret));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
	take_fds(&msg, ret);
	ret->len = (size_t)n;
	ret->cut = msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	/* an empty datagram looks like the end of the connection; either way the portal goes */
	return n == 0 && !ret->n_fds ? -EPIPE : 0;
}

/* A portal that is busy with new connections reads its answers late. Rather than be sent away for
 * that, it finds no answer and after a while no room for questions either. */
static int send_text(struct lz_gate *gate)
{
	if (send(gate->fd, gate->unsent, strlen(gate->unsent), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	free(TAKE_PTR(gate->unsent));
	return 0;
}

static int reply(struct lz_gate *gate, __u64 id, enum lz_code code, const char *error, cJSON *answer)
{
	int r;

	if (!answer || lz_json_add_u64(answer, "id", id) < 0 || lz_json_add_u64(answer, "code", code) < 0 ||
	    (error && lz_json_add_str(answer, "error", error) < 0))
		return -ENOMEM;
	gate->unsent = cJSON_PrintUnformatted(answer);
	if (!gate->unsent)
		return -ENOMEM;
	r = send_text(gate);
	return r == -EAGAIN ? 0 : r;
}

static int check(struct lz_gate *gate, const struct message *m, struct lz_gate_question *q, __u64 *id,
		 cJSON **root, struct lz_err *err)
{
	__u64 suppressed;
	int r;

	if (m->cut)
		return lz_err_set(err, EINVAL, "question: is longer than %d bytes", LZ_GATE_MESSAGE_BYTES);
	r = lz_gate_parse(gate->buf, m->len, q, id, root, err);
	if (r < 0)
		return r;
	if (m->n_fds != (lz_gate_has_host(q->cmd) ? 1 : 0))
		return lz_err_set(err, EACCES, "question: comes with %u descriptors", m->n_fds);
	if (!lz_log_allow(&gate->rate, lz_clock_mono_ns(), &suppressed))
		return lz_err_set(err, EBUSY, "question: more than %d a second", QUESTIONS_A_S);
	return m->n_fds ? lz_gate_host(m->fds[0], gate->config.mark, &q->host, err) : 0;
}

static enum lz_code code_of(int r)
{
	return r == -EINVAL ? LZ_CODE_INVALID : r == -EBUSY ? LZ_CODE_REFUSED : LZ_CODE_NOT_PERMITTED;
}

/* false: the portal has gone */
static bool answer(struct lz_gate *gate, const struct message *m)
{
	lz_autojson cJSON *root = NULL;
	lz_autojson cJSON *out = cJSON_CreateObject();
	struct lz_gate_question q;
	struct lz_err err = { "" };
	enum lz_code code;
	__u64 id = 0;
	int r = check(gate, m, &q, &id, &root, &err);

	if (r < 0) {
		note(gate, "gate-refused", err.text);
		return reply(gate, id, code_of(r), err.text, out) == 0;
	}
	code = gate->config.handle(&q, out, gate->config.arg);
	return reply(gate, id, code, NULL, out) == 0;
}

static int waiting_for(const struct lz_gate *gate)
{
	return UV_DISCONNECT | (gate->unsent ? UV_WRITABLE : UV_READABLE);
}

/* false: the portal has gone or breaks off */
static bool take_questions(struct lz_gate *gate)
{
	for (int i = 0; i < QUESTIONS_A_TURN && !gate->unsent; i++) {
		struct message m;
		bool stays;
		int r = receive(gate, &m);

		if (r == -EAGAIN)
			return true;
		stays = r == 0 && answer(gate, &m);
		while (m.n_fds)
			close(m.fds[--m.n_fds]);
		if (!stays)
			return false;
	}
	return true;
}

static void on_portal(uv_poll_t *poll, int status, int events)
{
	struct lz_gate *gate = poll->data;
	bool waited = gate->unsent;
	int r = waited ? send_text(gate) : 0;

	(void)status;
	(void)events;
	if ((r < 0 && r != -EAGAIN) || !take_questions(gate)) {
		lz_gate_drop(gate);
		return;
	}
	if (waited != !!gate->unsent && uv_poll_start(poll, waiting_for(gate), on_portal) < 0)
		lz_gate_drop(gate);
}

/* ---------------------------------------------------------------- who comes in */

static void on_visitor(uv_poll_t *poll, int status, int events)
{
	struct lz_gate *gate = poll->data;
	lz_autoclose int fd = accept4(gate->config.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);

	(void)status;
	(void)events;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.uid != gate->config.uid) {
		struct lz_err why;

		lz_err_set(&why, EPERM, "uid %d is not the portal's (%d)", (int)cred.uid,
			   (int)gate->config.uid);
		note(gate, "gate-denied", why.text);
		return;
	}
	/* The keeper starts one portal. A second one cannot be his; or it comes a moment too early. */
	if (gate->fd >= 0 || gate->leaving) {
		note(gate, "gate-denied", "the portal is here already");
		return;
	}
	if (uv_poll_init(gate->config.loop, &gate->portal, fd) < 0)
		return;
	gate->portal.data = gate;
	gate->handles++;
	gate->fd = TAKE_FD(fd);
	if (uv_poll_start(&gate->portal, waiting_for(gate), on_portal) < 0)
		lz_gate_drop(gate);
}

int lz_gate_open(const struct lz_gate_config *config, struct lz_gate **ret, struct lz_err *reterr)
{
	struct lz_gate *gate = calloc(1, sizeof(*gate));

	if (!gate)
		return lz_err_set(reterr, ENOMEM, "gate: out of memory");
	gate->config = *config;
	gate->fd = -1;
	gate->log_limit = (struct lz_log_limit){ .burst = 20, .refill_ns = LZ_NS_PER_S };
	gate->rate = (struct lz_log_limit){ .burst = QUESTIONS_AT_ONCE,
					    .refill_ns = LZ_NS_PER_S / QUESTIONS_A_S };
	gate->listener.data = gate;
	if (uv_poll_init(config->loop, &gate->listener, config->fd) < 0) {
		free(gate);
		return lz_err_set(reterr, EIO, "gate: cannot listen");
	}
	gate->handles = 1;
	uv_poll_start(&gate->listener, UV_READABLE, on_visitor);
	*ret = gate;
	return 0;
}

void lz_gate_close(struct lz_gate **ref)
{
	struct lz_gate *gate = TAKE_PTR(*ref);

	if (!gate)
		return;
	lz_gate_drop(gate);
	uv_poll_stop(&gate->listener);
	close(gate->config.fd);
	uv_close((uv_handle_t *)&gate->listener, on_handle_closed);
}
