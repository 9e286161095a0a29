/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/json.h"
#include "serve/conn.h"
#include "serve/peer.h"

bool lz_request_left(const struct lz_request *req)
{
	struct pollfd p = { .events = 0 }; /* POLLHUP comes unasked, when the other end is closed */
	uv_os_fd_t fd;

	if (!req->conn || req->conn->broken || uv_fileno((const uv_handle_t *)&req->conn->pipe, &fd) < 0)
		return true;
	p.fd = fd;
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

bool lz_request_writable(const struct lz_request *req)
{
	const struct conn *conn = req->conn;

	return conn && !conn->broken && conn_queued_bytes(conn) < LZ_PROTO_OUT_HIGH_BYTES;
}

/* A stream is asked for more only below the mark; the slice it then adds at once is queued whole, or
 * a list would have holes where the mark was. */
static int check_room(const struct lz_request *req)
{
	const struct conn *conn = req->conn;
	size_t most = LZ_PROTO_OUT_HIGH_BYTES;

	if (!conn || conn->broken)
		return -EPIPE;
	if (req->fill && conn->corked)
		most += LZ_PROTO_OUT_SLICE_BYTES;
	return conn_queued_bytes(conn) < most ? 0 : -ENOBUFS;
}

int lz_reply_row_text(struct lz_request *req, const char *json, size_t len)
{
	struct conn *conn = req->conn;
	int r = check_room(req);

	if (r)
		return r;
	if (len > LZ_PROTO_ROW_BYTES - sizeof("{\"id\":9007199254740992,\"row\":}\n"))
		return -EMSGSIZE;
	if (!req->row_head_bytes) /* once: there may be a million rows */
		req->row_head_bytes = (size_t)snprintf(req->row_head, sizeof(req->row_head),
						       "{\"id\":%llu,\"row\":",
						       (unsigned long long)req->id);
	lz_str_append_n(&conn->out, req->row_head, req->row_head_bytes);
	lz_str_append_n(&conn->out, json, len);
	lz_str_append_n(&conn->out, "}\n", 2);
	conn_flush(conn);
	return conn->out.error;
}

int lz_reply_row(struct lz_request *req, cJSON *row)
{
	char text[LZ_PROTO_ROW_BYTES];
	int r;

	if (!row)
		return -ENOMEM; /* as handed on from a constructor that failed */
	r = check_room(req);
	if (!r && !cJSON_PrintPreallocated(row, text, sizeof(text), false))
		r = -EMSGSIZE;
	cJSON_Delete(row);
	return r ? r : lz_reply_row_text(req, text, strlen(text));
}

int lz_reply_payload(struct lz_request *req, const void *bytes, size_t len)
{
	struct conn *conn = req->conn;
	int r = check_room(req);

	if (r)
		return r;
	if (!len || len > LZ_PROTO_CHUNK_BYTES)
		return -EMSGSIZE;
	lz_str_appendf(&conn->out, "{\"id\":%llu,\"payload_bytes\":%zu}\n",
		       (unsigned long long)req->id, len);
	lz_str_append_n(&conn->out, bytes, len);
	conn_flush(conn);
	return conn->out.error;
}

/* Print into @text; false when it does not fit or memory ran out. */
static bool print_code(char *text, size_t size, __u64 id, enum lz_code code, const char *error,
		       cJSON *fields)
{
	lz_autojson cJSON *line = cJSON_CreateObject();
	cJSON *item;

	if (!line || lz_json_add_u64(line, "id", id) || lz_json_add_u64(line, "code", code))
		return false;
	if (error && lz_json_add_str(line, "error", error))
		return false;
	cJSON_ArrayForEach(item, fields) {
		/* by reference: the fields stay whose they are */
		if (!cJSON_AddItemReferenceToObject(line, item->string, item))
			return false;
	}
	return cJSON_PrintPreallocated(line, text, (int)size, false);
}

void reply_code(struct conn *conn, __u64 id, enum lz_code code, const char *error, cJSON *fields)
{
	char text[LZ_PROTO_LINE_BYTES - 1];

	if (!print_code(text, sizeof(text), id, code, error, fields)) {
		/* what was done is done: only the telling of it failed */
		lz_str_appendf(
			&conn->out,
			"{\"id\":%llu,\"code\":%d,\"error\":\"reply: does not fit one line\"}\n",
			(unsigned long long)id, LZ_CODE_REFUSED);
		return;
	}
	lz_str_append(&conn->out, text);
	lz_str_append(&conn->out, "\n");
}

void reply_alive(struct conn *conn)
{
	lz_str_appendf(&conn->out, "{\"id\":%llu,\"alive\":true}\n",
		       (unsigned long long)conn->req->id);
	conn_flush(conn);
}

void reply_greeting(struct conn *conn)
{
	lz_str_appendf(&conn->out, "{\"v\":%d,\"lazaret\":\"%s\",\"role\":\"%s\"}\n",
		       LZ_PROTO_VERSION, LZ_VERSION, lz_peer_role_name(conn->peer.role));
	conn_flush(conn);
}

void lz_reply_end(struct lz_request *req, enum lz_code code, const char *error, cJSON *fields)
{
	const struct lz_serve_config *config = &req->serve->config;
	struct conn *conn = req->conn;

	if (config->on_end)
		config->on_end(config->arg, req, req->command->flags & LZ_CMD_F_MUTATES, code);
	if (conn) {
		if (!conn->broken)
			reply_code(conn, req->id, code, error, fields);
		conn_request_over(conn);
		conn_flush(conn);
	}
	cJSON_Delete(fields);
	if (req->done)
		req->done(req->arg);
	request_free(req);
}

void lz_reply_stream(struct lz_request *req, void (*fill)(struct lz_request *req, void *arg),
		     void (*done)(void *arg), void *arg)
{
	struct conn *conn = req->conn;

	req->fill = fill;
	req->done = done;
	req->arg = arg;
	if (!conn)
		request_gone(req);
	else if (!conn->corked) /* else the dispatcher is about to fill */
		conn_fill(conn);
}

void lz_reply_follow(struct lz_request *req, void (*gone)(struct lz_request *req, void *arg),
		     void *arg)
{
	req->gone = gone;
	req->arg = arg;
	if (!req->conn)
		request_gone(req);
	else if (req->conn->at_eof)
		conn_again(req->conn);
}
