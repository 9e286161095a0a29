/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * conn.h - inside of the control server: what serve.c, conn.c, request.c and reply.c share.
 *
 *   serve.c    listeners, admission of peers, the tick that keeps deadlines
 *   conn.c     one connection: bytes in, bytes out, its end
 *   request.c  a line becomes a checked request, a request finds its handler
 *   reply.c    what handlers call
 *
 * A connection may only be closed from libuv's callbacks, never from below a handler, which may
 * still hold the request: an output error there is noted in `broken` and acted upon in the next
 * turn.
 */
#ifndef LZ_SERVE_CONN_H
#define LZ_SERVE_CONN_H

#include <linux/types.h>

#include "base/log.h"
#include "serve/frame.h"
#include "serve/serve.h"

#define READ_BYTES 65536 /* taken from one client in one turn of the loop */

struct listener {
	uv_pipe_t pipe;
	struct lz_serve *serve;
	enum lz_peer_role highest;
	unsigned int connections;
	bool deferred; /* a peer waits in libuv because there was no memory for it */
};

struct lz_serve {
	struct lz_serve_config config;
	struct listener control, read;
	uv_timer_t tick;
	struct conn *conns;
	size_t payloads_bytes; /* announced and not yet freed, see LZ_PROTO_PAYLOADS_BYTES */
	struct lz_log_limit log_limit;
	unsigned int handles; /* of its own still open */
	bool closing;
	char scratch[READ_BYTES]; /* libuv reads into it and hands it over at once */
};

struct conn {
	uv_pipe_t pipe;
	uv_timer_t again; /* goes on with this connection in the next turn */
	uv_write_t write;
	struct conn *next, *prev;
	struct lz_serve *serve;
	struct listener *from;
	struct lz_peer peer;
	struct lz_frame frame;
	struct lz_request *req; /* at hand: its payload is arriving, or it is being answered */
	struct lz_str out;	/* not yet given to libuv */
	struct lz_str writing;	/* given to libuv */
	size_t queue_bytes;	/* waiting output at the last tick.. */
	__u64 queue_moved_ms;	/* ..and when it last became less */
	__u64 message_ms;	/* since when a message has been arriving */
	__u64 idle_ms;		/* since when there has been nothing to do */
	__u64 spoke_ms;
	unsigned int handles;
	bool is_writing;
	bool corked; /* collect output: somebody up the stack will flush */
	bool at_eof; /* the client sends no more, but may still read */
	bool end_after_output;
	bool broken;
	bool closing;
};

struct lz_request {
	struct conn *conn; /* NULL when the client has gone */
	struct lz_serve *serve;
	const struct lz_proto_command *command;
	struct lz_peer peer;
	cJSON *root; /* the parsed line */
	cJSON *args;
	struct lz_str payload;
	size_t payload_bytes; /* announced */
	__u64 id;
	char row_head[40]; /* {"id":7,"row": as each of its rows begins; "" = not yet printed */
	size_t row_head_bytes;
	bool dispatched;
	void (*fill)(struct lz_request *req, void *arg); /* a stream */
	void (*done)(void *arg);
	void (*gone)(struct lz_request *req, void *arg); /* a follower */
	void *arg;
};

/* serve.c */
void serve_note(struct lz_serve *serve, const char *event, const struct lz_peer *peer,
		const char *why);
void serve_handle_closed(struct lz_serve *serve);

/* conn.c */
struct conn *conn_new(struct listener *from);
int conn_read(struct conn *conn);
void conn_again(struct conn *conn);
void conn_close(struct conn *conn);
void conn_fail(struct conn *conn, enum lz_code code, const char *error);
void conn_step(struct conn *conn);
void conn_tick(struct conn *conn, __u64 now_ms);
void conn_flush(struct conn *conn);
void conn_fill(struct conn *conn);
size_t conn_queued_bytes(const struct conn *conn);
void conn_request_over(struct conn *conn);

/* request.c */
int request_read(struct conn *conn, const char *line, size_t len);
void request_dispatch(struct conn *conn);
void request_free(struct lz_request *req);
void request_gone(struct lz_request *req);

/* reply.c */
void reply_code(struct conn *conn, __u64 id, enum lz_code code, const char *error,
		cJSON *fields);
void reply_alive(struct conn *conn);
void reply_greeting(struct conn *conn);

#endif /* LZ_SERVE_CONN_H */
