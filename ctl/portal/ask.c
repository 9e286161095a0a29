// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "portal/ask.h"

#define SETTINGS_WAIT_MS 10000
#define TICK_MS		 250
#define ANSWERS_A_TURN	 64

int lz_ask_connect(struct lz_ask *gate, const char *path, struct lz_err *reterr)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	gate->fd = -1;
	if (lz_strcpy(sun.sun_path, sizeof(sun.sun_path), path) < 0)
		return lz_err_set(reterr, ENAMETOOLONG, "%s: is too long for a socket", path);
	gate->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (gate->fd < 0 || connect(gate->fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		return lz_err_set(reterr, errno, "%s: cannot connect: %s", path, strerror(errno));
	return 0;
}

static int send_text(int gate, const char *text, const int *socket)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	memcpy(&iov.iov_base, &text, sizeof(text)); /* sendmsg() does not write there */
	if (socket) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), socket, sizeof(int));
	}
	if (iov.iov_len > LZ_GATE_MESSAGE_BYTES)
		return -EMSGSIZE;
	return sendmsg(gate, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* One datagram as JSON; -EAGAIN none there, -EPIPE the gate is closed, -EBADMSG no answer. */
static int receive(struct lz_ask *gate, cJSON **ret)
{
	ssize_t n = recv(gate->fd, gate->buf, sizeof(gate->buf), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
	if (n == 0)
		return -EPIPE;
	return lz_json_parse(gate->buf, (size_t)n, ret, NULL) < 0 ? -EBADMSG : 0;
}

int lz_ask_settings(struct lz_ask *gate, struct lz_settings *ret, struct lz_err *reterr)
{
	struct pollfd p = { .fd = gate->fd, .events = POLLIN };
	lz_autojson cJSON *answer = NULL;
	const char *error = "no answer";
	__u64 code = LZ_GATE_MESSAGE_BYTES;
	int r = send_text(gate->fd, "{\"v\":1,\"id\":1,\"cmd\":\"settings\"}", NULL);

	if (r == 0 && poll(&p, 1, SETTINGS_WAIT_MS) == 1)
		r = receive(gate, &answer);
	if (r < 0 || !answer)
		return lz_err_set(reterr, ETIMEDOUT, "gate: no settings from lazaretd");
	lz_json_opt_str(answer, "error", &error, NULL);
	if (lz_json_get_u64(answer, "code", 0, 7, &code, NULL) < 0 || code)
		return lz_err_set(reterr, EACCES, "gate: lazaretd gives no settings: %s", error);
	return lz_settings_parse(answer, ret, reterr);
}

/* ---------------------------------------------------------------- answers */

static void finish(struct lz_ask_slot *slot, const cJSON *answer)
{
	lz_ask_done done = slot->done;

	slot->id = 0;
	if (done)
		done(answer, slot->arg);
}

static void take_answer(struct lz_ask *gate, const cJSON *answer)
{
	__u64 id = 0;

	lz_json_opt_u64(answer, "id", 1, ~0U, &id, NULL);
	for (size_t i = 0; id && i < LZ_ASK_OPEN_MAX; i++) {
		if (gate->slots[i].id != id)
			continue;
		finish(&gate->slots[i], answer);
		return;
	}
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct lz_ask *gate = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ANSWERS_A_TURN; i++) {
		lz_autojson cJSON *answer = NULL;
		int r = receive(gate, &answer);

		if (r == -EPIPE) {
			uv_poll_stop(poll);
			gate->gone();
			return;
		}
		if (r == -EAGAIN)
			return;
		if (r == 0)
			take_answer(gate, answer);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct lz_ask *gate = timer->data;
	__u64 now_ms = uv_now(timer->loop);

	for (size_t i = 0; i < LZ_ASK_OPEN_MAX; i++)
		if (gate->slots[i].id && gate->slots[i].until_ms <= now_ms)
			finish(&gate->slots[i], NULL);
}

int lz_ask_start(struct lz_ask *gate, uv_loop_t *loop, void (*gone)(void))
{
	gate->loop = loop;
	gate->gone = gone;
	gate->last_id = 1;
	gate->poll.data = gate->tick.data = gate;
	if (uv_poll_init(loop, &gate->poll, gate->fd) < 0 ||
	    uv_poll_start(&gate->poll, UV_READABLE | UV_DISCONNECT, on_readable) < 0 ||
	    uv_timer_init(loop, &gate->tick) < 0 ||
	    uv_timer_start(&gate->tick, on_tick, TICK_MS, TICK_MS) < 0)
		return -EIO;
	return 0;
}

/* ---------------------------------------------------------------- questions */

/* Takes @fields, the members of the question beside v, id, cmd. @socket: -1: it is about no host. */
static int ask(struct lz_ask *gate, int socket, const char *cmd, cJSON *fields, lz_ask_done done,
	       void *arg)
{
	lz_autojson cJSON *obj = fields;
	struct lz_ask_slot *slot = NULL;
	lz_autofree char *text = NULL;
	int r;

	for (size_t i = 0; !slot && i < LZ_ASK_OPEN_MAX; i++)
		slot = gate->slots[i].id ? NULL : &gate->slots[i];
	if (!slot)
		return -EBUSY;
	if (!++gate->last_id)
		++gate->last_id;
	if (!obj || lz_json_add_u64(obj, "v", 1) < 0 || lz_json_add_u64(obj, "id", gate->last_id) < 0 ||
	    lz_json_add_str(obj, "cmd", cmd) < 0)
		return -ENOMEM;
	text = cJSON_PrintUnformatted(obj);
	r = text ? send_text(gate->fd, text, socket < 0 ? NULL : &socket) : -ENOMEM;
	if (r < 0)
		return r == -EAGAIN ? -EBUSY : r;
	*slot = (struct lz_ask_slot){
		.id = gate->last_id,
		.until_ms = uv_now(gate->loop) + LZ_ASK_TIMEOUT_MS,
		.done = done,
		.arg = arg,
	};
	return 0;
}

int lz_ask_case(struct lz_ask *gate, int socket, bool token, lz_ask_done done, void *arg)
{
	cJSON *fields = cJSON_CreateObject();

	lz_json_add_bool(fields, "token", token);
	return ask(gate, socket, "case", fields, done, arg);
}

int lz_ask_release(struct lz_ask *gate, int socket, const char *token, lz_ask_done done, void *arg)
{
	cJSON *fields = cJSON_CreateObject();

	lz_json_add_str(fields, "token", token);
	return ask(gate, socket, "release", fields, done, arg);
}

int lz_ask_seen(struct lz_ask *gate, int socket, const char *helo, const char *first,
		lz_ask_done done, void *arg)
{
	cJSON *fields = cJSON_CreateObject();

	lz_json_add_str(fields, "helo", helo);
	lz_json_add_str(fields, "first", first);
	return ask(gate, socket, "seen", fields, done, arg);
}

int lz_ask_tls(struct lz_ask *gate, enum lz_gate_tls state, int error, bool before)
{
	cJSON *fields = cJSON_CreateObject();

	lz_json_add_str(fields, "state", lz_gate_tls_words[state]);
	lz_json_add_u64(fields, "errno", (__u64)error);
	lz_json_add_bool(fields, "before", before);
	return ask(gate, -1, "tls", fields, NULL, NULL);
}

void lz_ask_forget(struct lz_ask *gate, const void *arg)
{
	for (size_t i = 0; i < LZ_ASK_OPEN_MAX; i++)
		if (gate->slots[i].id && gate->slots[i].arg == arg)
			gate->slots[i].done = NULL;
}
