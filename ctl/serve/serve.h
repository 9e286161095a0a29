/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * serve.h - the daemon's side of proto.h over libuv: sockets, roles, framing, deadlines, streams.
 *
 * Knows every command's name, role and arguments from the table in proto.h and nothing of what a
 * command does: that is a handler's business. A handler is called with a request whose role,
 * arguments and payload have been checked, and answers in one of three ways:
 *
 *   now or later   lz_reply_row() any number of times, then lz_reply_end() exactly once, from any
 *                  callback of the same loop; both are safe when the client has gone away.
 *   as a stream    lz_reply_stream(): a function is called whenever there is room in the output, so
 *                  that a list of a million rows never costs more memory than the high water mark.
 *   as a follower  lz_reply_follow(): rows for as long as the client stays (monitor).
 *
 * Single thread: everything happens on the thread of the loop.
 */
#ifndef LZ_SERVE_SERVE_H
#define LZ_SERVE_SERVE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "lazaret/proto.h"

struct lz_serve;
struct lz_request;

typedef void (*lz_serve_handler)(struct lz_request *req, void *arg);

struct lz_serve_route {
	const char *cmd; /* a name of lz_proto_commands */
	lz_serve_handler handle;
};

/* uid 0 and the daemon's own uid are always admin. Of several grants the highest counts. */
struct lz_serve_grant {
	enum lz_peer_role role;
	bool is_group; /* id is a gid, primary or supplementary */
	unsigned int id;
};

struct lz_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* for the log only: it may be another process by now */
	enum lz_peer_role role;
};

/* Deadlines, milliseconds; zero members take the value of proto.h. Tests use short ones. */
struct lz_serve_times {
	unsigned int line_ms;
	unsigned int stall_ms;
	unsigned int idle_ms;
	unsigned int alive_ms;
};

struct lz_serve_config {
	uv_loop_t *loop;
	int control_fd; /* from lz_serve_listen(); owned by the server from a successful open on */
	int read_fd;
	const struct lz_serve_route *routes; /* kept by reference */
	size_t routes_n;
	const struct lz_serve_grant *grants; /* kept by reference */
	size_t grants_n;
	struct lz_serve_times times;
	/* a request was answered; its texts still live. May be NULL */
	void (*on_end)(void *arg, const struct lz_request *req, bool mutates, enum lz_code code);
	void *arg; /* handed to every handler */
};

/**
 * lz_serve_listen() - make a bound, not yet accepting unix socket
 * @mode: permission bits of the socket file
 * @gid:  its group, or (gid_t)-1 to leave it
 *
 * A stale socket file is removed, but only after nobody answered on it. May be called before
 * privileges are dropped. Changes the umask for a moment: call before any thread is started.
 * Return: file descriptor; -EADDRINUSE when somebody answers there; else -errno with @reterr set.
 */
int lz_serve_listen(const char *path, mode_t mode, gid_t gid, struct lz_err *reterr);

/**
 * lz_serve_open() - start answering on both sockets
 *
 * Commands of proto.h without a route are answered with LZ_CODE_REFUSED "not available". SIGPIPE is
 * ignored from here on: a client that goes away must not end the daemon.
 * Return: 0; -EINVAL for a route proto.h does not know; -ENOMEM; -errno of libuv.
 */
int lz_serve_open(const struct lz_serve_config *config, struct lz_serve **ret,
		  struct lz_err *reterr);

/**
 * lz_serve_close() - close sockets and connections, forget the requests
 *
 * Open requests stay valid until their lz_reply_end(), which then only frees them. The memory is
 * released when the loop has run the close callbacks; run the loop until it is empty.
 */
void lz_serve_close(struct lz_serve **serve);

/* What was asked. The texts and the payload live until lz_reply_end(). */
const char *lz_request_cmd(const struct lz_request *req);
const cJSON *lz_request_args(const struct lz_request *req); /* an object, perhaps empty */
const struct lz_peer *lz_request_peer(const struct lz_request *req);

/** lz_request_payload() - NUL-terminated; "" and 0 when there is none */
const char *lz_request_payload(const struct lz_request *req, size_t *ret_len);
/** lz_request_payload_take() - the same as heap memory of the caller, who may change it; NULL: no memory */
char *lz_request_payload_take(struct lz_request *req, size_t *ret_len);

/**
 * lz_reply_row() - one row of the answer
 * @row: an object, deleted by this call in every case
 *
 * Return: 0; -EPIPE client gone; -ENOBUFS above the high water mark (while a stream is filled: a
 *         slice above it), not queued; -EMSGSIZE longer than LZ_PROTO_ROW_BYTES; -ENOMEM.
 */
int lz_reply_row(struct lz_request *req, cJSON *row);

/** lz_reply_row_text() - the same with the row as JSON text in one line, for long lists */
int lz_reply_row_text(struct lz_request *req, const char *json, size_t len);

/** lz_reply_payload() - a piece of text, 1..LZ_PROTO_CHUNK_BYTES; errors as lz_reply_row() */
int lz_reply_payload(struct lz_request *req, const void *bytes, size_t len);

/**
 * lz_request_left() - will nobody read the answer?
 * Who has only said that he sends no more is there. Asks the kernel: for work that takes many turns.
 */
bool lz_request_left(const struct lz_request *req);

/** lz_request_writable() - is there room below the high water mark, and anybody to read it? */
bool lz_request_writable(const struct lz_request *req);

/**
 * lz_reply_end() - the final line; @req is invalid afterwards
 * @error:  for humans, one line; needed when @code is not LZ_CODE_OK, may be NULL otherwise
 * @fields: object whose members go into the final line, or NULL; deleted by this call
 */
void lz_reply_end(struct lz_request *req, enum lz_code code, const char *error, cJSON *fields);

/**
 * lz_reply_stream() - answer piece by piece as the client reads
 * @fill: called while there is room; each call adds at least one row or piece, or ends the request
 * @done: called once with @arg when the request is over, ended or client gone; may be NULL
 *
 * After this call only @fill may touch @req. When the client goes away @fill is not called again.
 */
void lz_reply_stream(struct lz_request *req, void (*fill)(struct lz_request *req, void *arg),
		     void (*done)(void *arg), void *arg);

/**
 * lz_reply_follow() - keep the request for rows to come
 * @gone: called once when the client has gone; @req is invalid afterwards, do not end it
 *
 * Rows are added with lz_reply_row(); -ENOBUFS means the reader is too slow and the row is lost.
 */
void lz_reply_follow(struct lz_request *req, void (*gone)(struct lz_request *req, void *arg),
		     void *arg);

#endif /* LZ_SERVE_SERVE_H */
