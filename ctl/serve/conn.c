/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "serve/conn.h"

#include <errno.h>

static void on_again(uv_timer_t *timer)
{
	struct conn *conn = timer->data;

	if (conn->broken)
		conn_close(conn);
	else
		conn_step(conn);
}

/* Step or close in the next turn, from where it is safe. */
void conn_again(struct conn *conn)
{
	if (!conn->closing)
		uv_timer_start(&conn->again, on_again, 0, 0);
}

static void handle_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;
	struct lz_serve *serve = conn->serve;

	if (--conn->handles)
		return;
	lz_frame_done(&conn->frame);
	lz_str_done(&conn->out);
	lz_str_done(&conn->writing);
	free(conn);
	serve_handle_closed(serve);
}

struct conn *conn_new(struct listener *from)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	struct lz_serve *serve = from->serve;

	if (!conn)
		return NULL;
	conn->serve = serve;
	conn->from = from;
	uv_pipe_init(serve->config.loop, &conn->pipe, 0);
	uv_timer_init(serve->config.loop, &conn->again);
	conn->pipe.data = conn;
	conn->again.data = conn;
	conn->handles = 2;
	conn->idle_ms = uv_now(serve->config.loop);
	conn->peer.uid = (uid_t)-1;
	conn->next = serve->conns;
	if (conn->next)
		conn->next->prev = conn;
	serve->conns = conn;
	serve->handles++;
	from->connections++;
	return conn;
}

void conn_close(struct conn *conn)
{
	struct lz_request *req = conn->req;

	if (conn->closing)
		return;
	conn->closing = true;
	conn->req = NULL;
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		conn->serve->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	conn->from->connections--;
	uv_close((uv_handle_t *)&conn->pipe, handle_closed);
	uv_close((uv_handle_t *)&conn->again, handle_closed);
	if (req)
		request_gone(req);
}

/* One clear error, then the end, once the client has had the chance to read it. */
void conn_fail(struct conn *conn, enum lz_code code, const char *error)
{
	__u64 id = conn->req ? conn->req->id : 0;

	serve_note(conn->serve, "client-refused", &conn->peer, error);
	uv_read_stop((uv_stream_t *)&conn->pipe);
	conn->end_after_output = true;
	reply_code(conn, id, code, error, NULL);
	conn_flush(conn);
}

size_t conn_queued_bytes(const struct conn *conn)
{
	return conn->out.len + uv_stream_get_write_queue_size((const uv_stream_t *)&conn->pipe);
}

static void on_written(uv_write_t *write, int status)
{
	struct conn *conn = write->handle->data;

	conn->is_writing = false;
	lz_str_done(&conn->writing);
	if (conn->closing)
		return;
	if (status < 0) {
		conn_close(conn);
		return;
	}
	conn_fill(conn);
	conn_flush(conn);
	if (conn->end_after_output && !conn->is_writing)
		conn_close(conn);
}

void conn_flush(struct conn *conn)
{
	uv_buf_t buf;

	if (conn->out.error) {
		/* part of an answer is lost: going on would give the client a false one */
		conn->broken = true;
		conn_again(conn);
		return;
	}
	if (conn->corked || conn->is_writing || conn->closing || conn->broken || !conn->out.len)
		return;
	conn->writing = conn->out;
	conn->out = (struct lz_str){ 0 };
	conn->spoke_ms = uv_now(conn->serve->config.loop);
	buf = uv_buf_init(conn->writing.data, (unsigned int)conn->writing.len);
	if (uv_write(&conn->write, (uv_stream_t *)&conn->pipe, &buf, 1, on_written) < 0) {
		conn->broken = true;
		conn_again(conn);
		return;
	}
	conn->is_writing = true;
}

/* Let a stream produce until the output is full. A fill that neither adds nor ends is asked again
 * at the next tick, not at once: it must not take the loop from everybody else. */
void conn_fill(struct conn *conn)
{
	if (conn_queued_bytes(conn) > LZ_PROTO_OUT_LOW_BYTES)
		return;
	conn->corked = true;
	while (conn->req && conn->req->fill && lz_request_writable(conn->req)) {
		size_t before = conn->out.len;

		conn->req->fill(conn->req, conn->req->arg);
		if (conn->out.len == before)
			break;
	}
	conn->corked = false;
	conn_flush(conn);
}

/* Take what has arrived one step further; at most one request a turn, so that a client that sends
 * many does not keep the others waiting. */
void conn_step(struct conn *conn)
{
	char *line;
	size_t len;
	int r;

	if (conn->closing || conn->end_after_output)
		return;
	if (conn->req && conn->req->dispatched) {
		/* who only stopped asking cannot be told from who went away, but a follower has
		 * nothing to wait for other than his own end */
		if (conn->at_eof && conn->req->gone)
			conn_close(conn);
		return;
	}
	if (!conn->req) {
		r = lz_frame_line(&conn->frame, &line, &len);
		if (r < 0) {
			conn_fail(conn, LZ_CODE_INVALID,
				  "request: line is too long (want at most 65536 bytes)");
			return;
		}
		if (r > 0 && request_read(conn, line, len))
			return;
	}
	if (conn->req && lz_frame_whole(&conn->frame)) {
		request_dispatch(conn);
	} else if (conn->at_eof) {
		conn->end_after_output = true;
		if (!conn->is_writing)
			conn_close(conn);
	}
}

static void give_scratch(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct conn *conn = handle->data;

	(void)suggested;
	*buf = uv_buf_init(conn->serve->scratch, sizeof(conn->serve->scratch));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct conn *conn = stream->data;

	if (nread == UV_EOF) {
		uv_read_stop(stream);
		conn->at_eof = true;
		conn_step(conn);
	} else if (nread < 0) {
		conn_close(conn);
	} else if (nread > 0) {
		if (!lz_frame_begun(&conn->frame))
			conn->message_ms = uv_now(stream->loop);
		if (lz_frame_feed(&conn->frame, buf->base, (size_t)nread)) {
			conn_close(conn);
			return;
		}
		conn_step(conn);
		/* asking ahead is allowed, but not without bound */
		if (!conn->closing && conn->req && conn->req->dispatched &&
		    lz_frame_begun(&conn->frame))
			uv_read_stop(stream);
	}
}

/* Begin to read, or go on after the client had asked ahead. */
int conn_read(struct conn *conn)
{
	int r;

	if (conn->at_eof || conn->end_after_output || conn->closing)
		return 0;
	r = uv_read_start((uv_stream_t *)&conn->pipe, give_scratch, on_read);
	return r == UV_EALREADY ? 0 : r;
}

void conn_request_over(struct conn *conn)
{
	conn->req = NULL;
	conn->idle_ms = uv_now(conn->serve->config.loop);
	conn->message_ms = conn->idle_ms;
	conn_again(conn);
	if (conn_read(conn) < 0)
		conn->broken = true;
}

/* Has a client left waiting output alone for too long? */
static bool is_stalled(struct conn *conn, __u64 now_ms)
{
	size_t queued = uv_stream_get_write_queue_size((const uv_stream_t *)&conn->pipe);

	if (!queued || queued != conn->queue_bytes) {
		conn->queue_bytes = queued;
		conn->queue_moved_ms = now_ms;
	}
	return now_ms - conn->queue_moved_ms >= conn->serve->config.times.stall_ms;
}

static bool is_late(const struct conn *conn, __u64 now_ms)
{
	__u64 allowed_ms = conn->serve->config.times.line_ms +
			   conn->frame.payload_want * 1000 / LZ_PROTO_PAYLOAD_BYTES_PER_S;

	return lz_frame_begun(&conn->frame) && now_ms - conn->message_ms >= allowed_ms;
}

void conn_tick(struct conn *conn, __u64 now_ms)
{
	const struct lz_serve_times *times = &conn->serve->config.times;

	if (is_stalled(conn, now_ms)) {
		serve_note(conn->serve, "client-closed", &conn->peer, "reads nothing");
		conn_close(conn);
	} else if (conn->end_after_output) {
		return;
	} else if (conn->req && conn->req->dispatched) {
		conn_fill(conn);
		if (conn->req && !conn_queued_bytes(conn) &&
		    now_ms - conn->spoke_ms >= times->alive_ms)
			reply_alive(conn);
	} else if (is_late(conn, now_ms)) {
		conn_fail(conn, LZ_CODE_INVALID, "request: did not arrive in time");
	} else if (!lz_frame_begun(&conn->frame) && now_ms - conn->idle_ms >= times->idle_ms) {
		conn_close(conn);
	}
}
