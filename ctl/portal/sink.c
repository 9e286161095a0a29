// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "portal/sink.h"
#include "portal/smtp.h"
#include "portal/web.h"

#define SWEEP_MS   100
#define BACKLOG	   128
#define READ_BYTES 2048

struct sink_conn {
	struct sink_conn *next, **link;
	struct lz_sink *sink;
	uv_tcp_t tcp;
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct lz_smtp smtp;
	__u64 key;
	__u64 since_ms, until_ms;
	bool greeted;
	bool told; /* the gate was told what was seen.. */
	bool telling; /* ..and has not answered: it looks at the socket, which must still be connected */
	bool leaving; /* to be closed when it has */
	bool writing;
	bool closing;
	char out[LZ_SMTP_OUT_BYTES];
};

static char scratch[READ_BYTES]; /* one thread: libuv reads into it and hands it over at once */

/* ---------------------------------------------------------------- the end */

static void on_closed(uv_handle_t *handle)
{
	struct sink_conn *conn = handle->data;

	lz_ask_forget(conn->sink->gate, conn);
	lz_crowd_drop(&conn->sink->limit, conn->key);
	*conn->link = conn->next;
	if (conn->next)
		conn->next->link = conn->link;
	free(conn);
}

static void close_now(struct sink_conn *conn)
{
	if (!uv_is_closing((uv_handle_t *)&conn->tcp))
		uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

static void on_shut(uv_shutdown_t *req, int status)
{
	struct sink_conn *conn = req->data;

	if (status < 0)
		close_now(conn);
}

/* Say no more, and throw away what still comes: a close with bytes unread would be a reset, and
 * that can overtake the greeting. */
static void close_soon(struct sink_conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	conn->until_ms = uv_now(conn->sink->loop) + LZ_SINK_LINGER_MS;
	conn->shutdown.data = conn;
	if (uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shut) < 0)
		close_now(conn);
}

/* ---------------------------------------------------------------- words */

static void on_written(uv_write_t *write, int status)
{
	struct sink_conn *conn = write->data;

	conn->writing = false;
	if (status < 0)
		close_now(conn);
}

static void say(struct sink_conn *conn, size_t len)
{
	uv_buf_t buf = uv_buf_init(conn->out, (unsigned int)len);

	conn->write.data = conn;
	conn->writing = true;
	if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, on_written) < 0)
		close_now(conn);
}

static void leave(struct sink_conn *conn)
{
	conn->leaving = true;
	if (!conn->telling)
		close_soon(conn);
}

static void on_told(const cJSON *answer, void *arg)
{
	struct sink_conn *conn = arg;

	(void)answer;
	conn->telling = false;
	if (conn->leaving && !uv_is_closing((uv_handle_t *)&conn->tcp))
		close_soon(conn);
}

static void tell_gate(struct sink_conn *conn)
{
	uv_os_fd_t fd = -1;

	if (conn->told || !conn->smtp.first[0])
		return;
	conn->told = true;
	/* a polite client that only says QUIT has shown nothing that the greeting did not */
	if (!conn->smtp.helo[0] && !strcasecmp(conn->smtp.first, "QUIT"))
		return;
	if (uv_fileno((uv_handle_t *)&conn->tcp, &fd) == 0)
		conn->telling = lz_ask_seen(conn->sink->gate, fd, conn->smtp.helo, conn->smtp.first, on_told,
					    conn) == 0;
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct sink_conn *conn = stream->data;
	size_t len;

	if (n == UV_EOF && !conn->closing) {
		uv_read_stop(stream);
		leave(conn);
		return;
	}
	if (n < 0) {
		close_now(conn);
		return;
	}
	/* who talks on while our answer waits in the socket does not listen */
	if (conn->closing || conn->leaving || n == 0 || conn->writing)
		return;
	len = lz_smtp_feed(&conn->smtp, buf->base, (size_t)n, conn->out);
	tell_gate(conn);
	if (!len)
		return;
	conn->until_ms = uv_now(conn->sink->loop) + LZ_SINK_QUIT_MS;
	say(conn, len);
	if (conn->smtp.over && !uv_is_closing((uv_handle_t *)stream))
		leave(conn);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	(void)handle;
	(void)wanted;
	*buf = uv_buf_init(scratch, sizeof(scratch));
}

/* What the client says before it was greeted waits in the socket. */
static void greet(struct sink_conn *conn, bool held, const char *number)
{
	const struct lz_smtp_why why = { held, number };
	size_t len = lz_smtp_greeting(&conn->smtp, &why, conn->out);

	conn->greeted = true;
	conn->until_ms = uv_now(conn->sink->loop) + LZ_SINK_QUIT_MS;
	say(conn, len);
	if (uv_read_start((uv_stream_t *)&conn->tcp, on_room, on_bytes) < 0)
		close_now(conn);
}

static void on_case(const cJSON *answer, void *arg)
{
	struct sink_conn *conn = arg;
	const char *number = "";
	bool held = false;

	if (answer) {
		lz_json_opt_bool(answer, "held", &held, NULL);
		lz_json_opt_str(answer, "case", &number, NULL);
	}
	if (!conn->greeted && !uv_is_closing((uv_handle_t *)&conn->tcp))
		greet(conn, held, strlen(number) < 36 ? number : "");
}

/* ---------------------------------------------------------------- connections */

static void on_sweep(uv_timer_t *timer)
{
	struct lz_sink *sink = timer->data;
	__u64 now_ms = uv_now(timer->loop);

	for (struct sink_conn *conn = sink->conns; conn; conn = conn->next) {
		if (uv_is_closing((uv_handle_t *)&conn->tcp))
			continue;
		if (!conn->greeted && now_ms >= conn->until_ms)
			greet(conn, false, "");
		else if (conn->closing && now_ms >= conn->until_ms)
			close_now(conn);
		else if (now_ms >= conn->until_ms || now_ms - conn->since_ms >= LZ_SINK_ALL_MS)
			close_soon(conn);
	}
}

static void on_refused(uv_handle_t *handle)
{
	free(handle->data);
}

/* No room: told the truth all the same, without its case, and not listened to. */
static void refuse(struct lz_sink *sink, struct sink_conn *conn)
{
	const struct lz_smtp_why why = { false, "" };
	uv_buf_t buf = uv_buf_init(conn->out, 0);

	lz_smtp_start(&conn->smtp, sink->settings->url);
	buf.len = lz_smtp_greeting(&conn->smtp, &why, conn->out);
	uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
	uv_close((uv_handle_t *)&conn->tcp, on_refused);
}

static void accept_one(struct lz_sink *sink, uv_stream_t *listener, struct sink_conn *conn)
{
	struct sockaddr_storage addr;
	uv_os_fd_t fd = -1;
	int len = sizeof(addr);

	uv_tcp_init(sink->loop, &conn->tcp);
	conn->tcp.data = conn;
	conn->sink = sink;
	if (uv_accept(listener, (uv_stream_t *)&conn->tcp) == 0 &&
	    uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&addr, &len) == 0)
		conn->key = lz_crowd_key(&sink->limit, (const struct sockaddr *)&addr);
	if (!conn->key || !lz_crowd_has_room(&sink->limit, conn->key)) {
		refuse(sink, conn);
		return;
	}
	lz_crowd_add(&sink->limit, conn->key);
	lz_smtp_start(&conn->smtp, sink->settings->url);
	conn->since_ms = uv_now(sink->loop);
	conn->until_ms = conn->since_ms + LZ_SINK_GREETING_MS;
	conn->next = sink->conns;
	conn->link = &sink->conns;
	if (conn->next)
		conn->next->link = &conn->next;
	sink->conns = conn;
	if (uv_fileno((uv_handle_t *)&conn->tcp, &fd) < 0 ||
	    lz_ask_case(sink->gate, fd, false, on_case, conn) < 0)
		greet(conn, false, "");
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct sink_conn *conn;

	if (status < 0)
		return;
	conn = calloc(1, sizeof(*conn));
	if (conn)
		accept_one(listener->data, listener, conn);
}

int lz_sink_open(struct lz_sink *sink, uv_loop_t *loop, struct lz_ask *gate,
		 const struct lz_settings *settings, struct lz_err *reterr)
{
	sink->loop = loop;
	sink->gate = gate;
	sink->settings = settings;
	sink->limit = (struct lz_crowd){ .total_max = LZ_SINK_MAX,
					       .source_max = LZ_SINK_SOURCE,
					       .ipv6_len = settings->ipv6_key };
	for (int i = 0; i < 2; i++) {
		int fd = LZ_PORTAL_FD_SINK4 + i;

		if (!lz_listener_is(fd))
			continue;
		sink->listeners[i].data = sink;
		if (uv_tcp_init(loop, &sink->listeners[i]) < 0 || uv_tcp_open(&sink->listeners[i], fd) < 0 ||
		    uv_listen((uv_stream_t *)&sink->listeners[i], BACKLOG, on_connection) < 0)
			return lz_err_set(reterr, EIO, "sink: cannot serve descriptor %d", fd);
	}
	sink->sweep.data = sink;
	uv_timer_init(loop, &sink->sweep);
	uv_timer_start(&sink->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	return 0;
}
