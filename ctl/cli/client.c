/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"

#define READ_BYTES 262144
#define BUSY_MS	   50 /* as many are connected as may be: one of them will soon have ended */

/* The unit is of the default instance; others are started by hand or by units of their own. */
static enum lz_code not_running(struct lz_err *reterr, const char *path, const char *instance, int error)
{
	if (error == EACCES || error == EPERM) {
		lz_err_set(reterr, error,
			   "%s: not permitted; become root or a member of the group " LZ_PROTO_GROUP_OPERATE
			   ", and of " LZ_PROTO_GROUP_ADMIN " to change policies and for bypass", path);
		return LZ_CODE_NOT_PERMITTED;
	}
	lz_err_set(reterr, error, "lazaretd is not running: cannot connect to %s: %s; start it with '%s%s'", path,
		   strerror(error), *instance ? "lazaretd --instance " : "systemctl start lazaret", instance);
	return LZ_CODE_NOT_RUNNING;
}

static enum lz_code silent(struct lz_err *reterr, int ms)
{
	lz_err_set(reterr, ETIMEDOUT, "lazaretd does not answer: nothing came for %d s", ms / 1000);
	return LZ_CODE_NOT_RUNNING;
}

static enum lz_code hung_up(struct lz_err *reterr)
{
	lz_err_set(reterr, EPIPE, "lazaretd closed the connection in the middle of its answer");
	return LZ_CODE_NOT_RUNNING;
}

static enum lz_code strange(struct lz_err *reterr, const char *line, size_t len)
{
	lz_err_set(reterr, EPROTO, "lazaretd speaks another protocol: '%.*s'",
		   (int)(len < 60 ? len : 60), line);
	return LZ_CODE_REFUSED;
}

/* Connect; a full backlog is waited for, but not for long. So is a socket that nobody listens on: its daemon was
 * killed and will soon be back, or makes its tables anew. One that was stopped has taken it away. */
static int dial(struct lz_client *client, const struct sockaddr_un *sun, int wait_ms)
{
	__u64 now_ns = lz_clock_mono_ns(), until_ns = now_ns + (__u64)wait_ms * LZ_NS_PER_MS;
	__u64 back_ns = now_ns + (__u64)client->back_ms * LZ_NS_PER_MS;

	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return -errno;
	while (connect(client->fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0) {
		int error = errno;

		if (error != EAGAIN && error != ECONNREFUSED)
			return -error;
		if (lz_clock_mono_ns() >= (error == EAGAIN ? until_ns : back_ns))
			return error == EAGAIN ? -ETIMEDOUT : -error;
		poll(NULL, 0, BUSY_MS);
	}
	return 0;
}

/* Wait for input and take what is there; @size is how much one message still needs. */
static enum lz_code fill(struct lz_client *client, size_t need, int wait_ms, struct lz_err *reterr)
{
	struct pollfd p = { .fd = client->fd, .events = POLLIN };
	ssize_t n;
	int r;

	if (client->at) {
		memmove(client->in, client->in + client->at, client->len - client->at);
		client->len -= client->at;
		client->at = 0;
	}
	if (need < client->len + READ_BYTES)
		need = client->len + READ_BYTES;
	if (lz_array_grow(&client->in, &client->cap, need, 1)) {
		lz_err_set(reterr, ENOMEM, "out of memory");
		return LZ_CODE_REFUSED;
	}
	do
		r = poll(&p, 1, wait_ms);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return silent(reterr, wait_ms);
	n = recv(client->fd, client->in + client->len, client->cap - client->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return LZ_CODE_OK;
	if (n <= 0) {
		client->ended = true;
		return hung_up(reterr);
	}
	client->len += (size_t)n;
	return LZ_CODE_OK;
}

static enum lz_code take_line(struct lz_client *client, int wait_ms, const char **ret,
			      size_t *ret_len, struct lz_err *reterr)
{
	size_t searched = 0;

	for (;;) {
		const char *start = client->in + client->at, *end = NULL;
		size_t have = client->len - client->at;
		enum lz_code code;

		if (have > searched)
			end = memchr(start + searched, '\n', have - searched);
		if (end) {
			*ret = start;
			*ret_len = (size_t)(end - start);
			client->at += *ret_len + 1;
			return LZ_CODE_OK;
		}
		if (have > LZ_PROTO_LINE_BYTES)
			return strange(reterr, start, have);
		searched = have;
		code = fill(client, 0, wait_ms, reterr);
		if (code)
			return code;
	}
}

/* The greeting, or the reason why we are not welcome. */
static enum lz_code read_greeting(struct lz_client *client, int wait_ms, struct lz_err *reterr)
{
	lz_autojson cJSON *json = NULL;
	__u64 code = LZ_CODE_REFUSED, v = 0;
	const char *line, *error;
	enum lz_code r;
	size_t len;

	r = take_line(client, wait_ms, &line, &len, reterr);
	if (r)
		return r;
	if (lz_json_parse(line, len, &json, NULL) || !cJSON_IsObject(json))
		return strange(reterr, line, len);
	if (!lz_json_get_str(json, "error", &error, NULL)) {
		lz_json_opt_u64(json, "code", 1, LZ_CODE_N - 1, &code, NULL);
		lz_err_set(reterr, EPROTO, "%s", error);
		client->turned_away = code == LZ_CODE_REFUSED;
		/* 2 is what `health` says of a gateway; of this one nothing was heard */
		return client->turned_away ? LZ_CODE_NOT_RUNNING : (enum lz_code)code;
	}
	if (lz_json_get_u64(json, "v", 1, LZ_JSON_INTEGER_MAX, &v, NULL) || v != LZ_PROTO_VERSION)
		return strange(reterr, line, len);
	return LZ_CODE_OK;
}

static enum lz_code open_once(struct lz_client *client, const struct sockaddr_un *sun, const char *instance,
			      int wait_ms, struct lz_err *reterr)
{
	int r;

	client->turned_away = client->ended = false;
	r = dial(client, sun, wait_ms);
	if (r == -ETIMEDOUT)
		return silent(reterr, wait_ms);
	if (r)
		return not_running(reterr, sun->sun_path, instance, -r);
	return read_greeting(client, wait_ms, reterr);
}

enum lz_code lz_client_open(struct lz_client *client, const char *path, const char *instance, int silence_ms,
			    struct lz_err *reterr)
{
	int wait_ms = silence_ms ? silence_ms : LZ_PROTO_GREETING_MS;
	__u64 until_ns = lz_clock_mono_ns() + (__u64)wait_ms * LZ_NS_PER_MS;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	enum lz_code code;

	*client = (struct lz_client){ .fd = -1,
				      .silence_ms = silence_ms ? silence_ms : LZ_PROTO_SILENCE_MS,
				      .back_ms = silence_ms ? 0 : LZ_PROTO_BACK_MS };
	if (lz_strcpy(sun.sun_path, sizeof(sun.sun_path), path)) {
		lz_err_set(reterr, ENAMETOOLONG, "%s: path is too long (want at most %zu bytes)",
			   path, sizeof(sun.sun_path) - 1);
		return LZ_CODE_INVALID;
	}
	for (;;) {
		code = open_once(client, &sun, instance, wait_ms, reterr);
		/* ended: it was about to go when we came, as it does to make its tables anew */
		if ((!client->turned_away && !client->ended) || lz_clock_mono_ns() >= until_ns)
			return code;
		lz_close_ref(&client->fd);
		client->at = client->len = 0;
		reterr->text[0] = '\0';
		poll(NULL, 0, BUSY_MS);
	}
}

void lz_client_close(struct lz_client *client)
{
	lz_close_ref(&client->fd);
	client->fd = -1;
	free(client->in);
	client->in = NULL;
}

/* Send all of it: 1 done, 0 the daemon spoke or hung up first, -ETIMEDOUT. */
static int send_all(struct lz_client *client, const char *bytes, size_t len)
{
	struct pollfd p = { .fd = client->fd, .events = POLLIN | POLLOUT };

	while (len) {
		ssize_t n;
		int r = poll(&p, 1, client->silence_ms);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			return -ETIMEDOUT;
		if (p.revents & POLLIN)
			return 0;
		n = send(client->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return 0;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 1;
}

enum lz_code lz_client_send(struct lz_client *client, const char *line, const char *payload,
			    size_t payload_bytes, struct lz_err *reterr)
{
	int r = send_all(client, line, strlen(line));

	if (r > 0 && payload_bytes)
		r = send_all(client, payload, payload_bytes);
	return r < 0 ? silent(reterr, client->silence_ms) : LZ_CODE_OK;
}

/* Is the line {"id":NUMBER,"<key>":.. ? Then where its value starts. */
static const char *value_of(const char *line, size_t len, const char *key)
{
	static const char head[] = "{\"id\":";
	const char *p = line + sizeof(head) - 1, *end = line + len;
	size_t key_len = strlen(key);

	if (len < sizeof(head) || memcmp(line, head, sizeof(head) - 1))
		return NULL;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	if ((size_t)(end - p) < key_len + 5 || memcmp(p, ",\"", 2) || memcmp(p + 2, key, key_len) ||
	    memcmp(p + 2 + key_len, "\":", 2))
		return NULL;
	return p + key_len + 4;
}

static enum lz_code take_text(struct lz_client *client, const char *number, struct lz_message *ret,
			      struct lz_err *reterr)
{
	size_t bytes = strtoul(number, NULL, 10); /* ends at the '}' of the line */

	if (bytes > LZ_PROTO_CHUNK_BYTES)
		return strange(reterr, "payload_bytes", 13);
	while (client->len - client->at < bytes) {
		enum lz_code code = fill(client, bytes, client->silence_ms, reterr);

		if (code)
			return code;
	}
	*ret = (struct lz_message){ LZ_MESSAGE_TEXT, client->in + client->at, bytes };
	client->at += bytes;
	return LZ_CODE_OK;
}

enum lz_code lz_client_next(struct lz_client *client, struct lz_message *ret, struct lz_err *reterr)
{
	for (;;) {
		const char *line, *value;
		enum lz_code code;
		size_t len;

		code = take_line(client, client->silence_ms, &line, &len, reterr);
		if (code)
			return code;
		value = value_of(line, len, "row");
		if (value) {
			*ret = (struct lz_message){ LZ_MESSAGE_ROW, value,
						    (size_t)(line + len - 1 - value) };
			return LZ_CODE_OK;
		}
		value = value_of(line, len, "payload_bytes");
		if (value)
			return take_text(client, value, ret, reterr);
		if (!value_of(line, len, "alive")) {
			*ret = (struct lz_message){ LZ_MESSAGE_END, line, len };
			return LZ_CODE_OK;
		}
	}
}
