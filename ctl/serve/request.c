/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "base/json.h"
#include "serve/args.h"
#include "serve/conn.h"
#include "serve/peer.h"

void request_free(struct lz_request *req)
{
	req->serve->payloads_bytes -= req->payload_bytes;
	serve_handle_closed(req->serve);
	cJSON_Delete(req->root);
	lz_str_done(&req->payload);
	free(req);
}

/* The client went away: a stream and a follower end here, anybody else will still call the end. */
void request_gone(struct lz_request *req)
{
	req->conn = NULL;
	if (!req->dispatched) {
		request_free(req);
	} else if (req->fill) {
		if (req->done)
			req->done(req->arg);
		request_free(req);
	} else if (req->gone) {
		req->gone(req, req->arg);
		request_free(req);
	}
}

static const struct lz_proto_command *find_command(const char *name)
{
	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		if (lz_streq(lz_proto_commands[i].name, name))
			return &lz_proto_commands[i];
	}
	return NULL;
}

static lz_serve_handler find_handler(const struct lz_serve *serve, const char *name)
{
	for (size_t i = 0; i < serve->config.routes_n; i++) {
		if (lz_streq(serve->config.routes[i].cmd, name))
			return serve->config.routes[i].handle;
	}
	return NULL;
}

static const char *group_hint(enum lz_peer_role role)
{
	switch (role) {
	case LZ_PEER_READ:
		return "become root or a member of the group " LZ_PROTO_GROUP_READ;
	case LZ_PEER_ADMIN:
		return "become root or a member of the group " LZ_PROTO_GROUP_ADMIN;
	default:
		return "become root or a member of the group " LZ_PROTO_GROUP_OPERATE;
	}
}

static enum lz_code check_role(const struct lz_request *req, struct lz_err *err)
{
	if (req->peer.role >= req->command->role)
		return LZ_CODE_OK;
	lz_err_set(err, EPERM, "%s: not permitted: it needs the role %s, uid %u has %s here; %s",
		   req->command->name, lz_peer_role_name(req->command->role), req->peer.uid,
		   lz_peer_role_name(req->peer.role),
		   req->command->role > req->conn->from->highest ? "use control.sock" :
		   group_hint(req->command->role));
	return LZ_CODE_NOT_PERMITTED;
}

static enum lz_code check_payload(struct lz_request *req, __u64 bytes, struct lz_err *err)
{
	if (bytes > req->command->payload_max_bytes) {
		lz_err_set(err, EFBIG, "%s: payload of %llu bytes is too long (want at most %u)",
			   req->command->name, (unsigned long long)bytes,
			   req->command->payload_max_bytes);
		return LZ_CODE_INVALID;
	}
	if (bytes > LZ_PROTO_PAYLOADS_BYTES - req->serve->payloads_bytes) {
		lz_err_set(
			err, EBUSY,
			"%s: too many large requests at the same time; try again when one is done",
			req->command->name);
		return LZ_CODE_REFUSED;
	}
	req->payload_bytes = bytes;
	req->serve->payloads_bytes += bytes;
	return LZ_CODE_OK;
}

/* Everything that can be said against a request before its payload has come. */
static enum lz_code check_request(struct lz_request *req, __u64 payload_bytes, struct lz_err *err)
{
	const cJSON *args = NULL;
	const char *cmd;
	enum lz_code code;
	__u64 v;

	if (lz_json_get_u64(req->root, "v", 0, LZ_JSON_INTEGER_MAX, &v, err))
		return LZ_CODE_INVALID;
	if (v != LZ_PROTO_VERSION) {
		lz_err_set(err, EINVAL, "request: version %llu is not spoken here (want %d)",
			   (unsigned long long)v, LZ_PROTO_VERSION);
		return LZ_CODE_INVALID;
	}
	if (lz_json_get_str(req->root, "cmd", &cmd, err))
		return LZ_CODE_INVALID;
	req->command = find_command(cmd);
	if (!req->command) {
		lz_err_set(err, EINVAL, "request: command '%s' is unknown", cmd);
		return LZ_CODE_INVALID;
	}
	code = check_role(req, err);
	if (code)
		return code;
	if (cJSON_HasObjectItem(req->root, "args") &&
	    lz_json_get_object(req->root, "args", &args, err))
		return LZ_CODE_INVALID;
	req->args = cJSON_GetObjectItemCaseSensitive(req->root, "args");
	if (!req->args)
		req->args = cJSON_AddObjectToObject(req->root, "args");
	if (!req->args || lz_args_check(req->command->args, req->args, err))
		return LZ_CODE_INVALID;
	if (!find_handler(req->serve, cmd)) {
		lz_err_set(err, ENOSYS, "%s: not available in this daemon", cmd);
		return LZ_CODE_REFUSED;
	}
	return check_payload(req, payload_bytes, err);
}

/*
 * Make the line at hand the connection's request. Return 0; 1 when it was answered already: refused
 * and forgotten, or the connection is about to end.
 */
int request_read(struct conn *conn, const char *line, size_t len)
{
	struct lz_request *req;
	__u64 payload_bytes = 0;
	enum lz_code code;
	struct lz_err err;

	req = calloc(1, sizeof(*req));
	if (!req) {
		conn_close(conn);
		return 1;
	}
	req->conn = conn;
	req->serve = conn->serve;
	req->serve->handles++; /* a handler may answer after the server has been closed */
	req->peer = conn->peer;
	conn->req = req;
	if (lz_json_parse(line, len, &req->root, &err)) {
		conn_fail(conn, LZ_CODE_INVALID, err.text);
		return 1;
	}
	if (!cJSON_IsObject(req->root) ||
	    lz_json_opt_u64(req->root, "id", 0, LZ_JSON_INTEGER_MAX, &req->id, &err) ||
	    lz_json_opt_u64(req->root, "payload_bytes", 0, LZ_JSON_INTEGER_MAX, &payload_bytes,
			    &err)) {
		conn_fail(conn, LZ_CODE_INVALID,
			  "request: want {\"v\":1,\"id\":NUMBER,\"cmd\":TEXT,\"args\":{}}");
		return 1;
	}
	code = check_request(req, payload_bytes, &err);
	if (code && payload_bytes) {
		conn_fail(conn, code, err.text); /* what follows is no message */
		return 1;
	}
	if (code) {
		reply_code(conn, req->id, code, err.text, NULL);
		conn_flush(conn);
		lz_frame_next(&conn->frame, NULL);
		request_free(req);
		conn_request_over(conn);
		return 1;
	}
	if (lz_frame_expect(&conn->frame, payload_bytes)) {
		conn_close(conn);
		return 1;
	}
	return 0;
}

void request_dispatch(struct conn *conn)
{
	struct lz_request *req = conn->req;
	lz_serve_handler handle = find_handler(conn->serve, req->command->name);

	lz_frame_next(&conn->frame, &req->payload);
	req->dispatched = true;
	conn->spoke_ms = uv_now(conn->serve->config.loop);
	conn->corked = true;
	handle(req, conn->serve->config.arg);
	conn->corked = false;
	conn_fill(conn);
	conn_flush(conn);
}

const char *lz_request_cmd(const struct lz_request *req)
{
	return req->command->name;
}

const cJSON *lz_request_args(const struct lz_request *req)
{
	return req->args;
}

const struct lz_peer *lz_request_peer(const struct lz_request *req)
{
	return &req->peer;
}

const char *lz_request_payload(const struct lz_request *req, size_t *ret_len)
{
	*ret_len = req->payload.len;
	return req->payload.data ? req->payload.data : "";
}

char *lz_request_payload_take(struct lz_request *req, size_t *ret_len)
{
	*ret_len = req->payload.len;
	return lz_str_take(&req->payload);
}
