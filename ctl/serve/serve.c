/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "serve/serve.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/conn.h"
#include "serve/peer.h"

#define BACKLOG 128

/* A client can cause these lines: at most 10 at once, then one a second. */
void serve_note(struct lz_serve *serve, const char *event, const struct lz_peer *peer,
		const char *why)
{
	__u64 suppressed;

	if (!lz_log_allow(&serve->log_limit, lz_clock_mono_ns(), &suppressed))
		return;
	lz_log(LZ_LOG_NOTICE, event, "uid=%u pid=%d role=%s why=%s suppressed=%llu", peer->uid,
	       (int)peer->pid, lz_peer_role_name(peer->role), why, (unsigned long long)suppressed);
}

void serve_handle_closed(struct lz_serve *serve)
{
	if (!--serve->handles)
		free(serve);
}

static void on_handle_closed(uv_handle_t *handle)
{
	serve_handle_closed(handle->data);
}

static unsigned int count_uid(const struct listener *from, uid_t uid)
{
	unsigned int n = 0;

	for (const struct conn *conn = from->serve->conns; conn; conn = conn->next)
		n += conn->from == from && conn->peer.uid == uid && conn->peer.role;
	return n;
}

static unsigned int count_role(const struct listener *from, enum lz_peer_role role)
{
	unsigned int n = 0;

	for (const struct conn *conn = from->serve->conns; conn; conn = conn->next)
		n += conn->from == from && conn->peer.role == role;
	return n;
}

/* Who has all that one user may have is told what to end. The list begins with the newest. */
static void refuse_uid(const struct listener *from, uid_t uid, unsigned int most, struct lz_err *why)
{
	const struct conn *oldest = NULL;

	for (const struct conn *conn = from->serve->conns; conn; conn = conn->next)
		if (conn->from == from && conn->peer.uid == uid && conn->peer.role)
			oldest = conn;
	lz_err_set(why, EBUSY,
		   "connection: too many connections of uid %u (at most %u); end one: the oldest is pid %d's, %s",
		   uid, most, oldest ? (int)oldest->peer.pid : 0,
		   !oldest || !oldest->req || !oldest->req->command ? "which asks nothing" : oldest->req->command->name);
}

/* Is there room for one more of these? @others: how many he has. A machine has any number of users with 8 each:
 * those who are nobody to us leave room for root and for the members of our groups. */
static enum lz_code find_room(const struct listener *from, const struct lz_peer *peer, unsigned int others,
			      struct lz_err *why)
{
	unsigned int most = peer->uid ? LZ_PROTO_CONNECTIONS_PER_UID : LZ_PROTO_CONNECTIONS_ROOT;

	if (from->connections > LZ_PROTO_CONNECTIONS)
		lz_err_set(why, EBUSY, "connection: too many connections (at most %d)", LZ_PROTO_CONNECTIONS);
	else if (others >= most)
		refuse_uid(from, peer->uid, most, why);
	else if (peer->role == LZ_PEER_LOOK && count_role(from, LZ_PEER_LOOK) > LZ_PROTO_CONNECTIONS_LOOK)
		lz_err_set(why, EBUSY, "connection: too many connections of users in no group of ours (at most %d)",
			   LZ_PROTO_CONNECTIONS_LOOK);
	else
		return LZ_CODE_OK;
	return LZ_CODE_REFUSED;
}

/* May this peer stay? @why says why not. */
static enum lz_code admit(struct conn *conn, struct lz_err *why)
{
	const struct lz_serve_config *config = &conn->serve->config;
	unsigned int others;
	uv_os_fd_t fd = -1;
	struct lz_peer peer;
	int r;

	uv_fileno((uv_handle_t *)&conn->pipe, &fd);
	r = lz_peer_identify(fd, config->grants, config->grants_n, conn->from->highest, &peer);
	if (r) {
		lz_err_set(why, r, "connection: the kernel does not say who you are");
		return LZ_CODE_REFUSED;
	}
	others = count_uid(conn->from, peer.uid);
	conn->peer = peer;
	if (peer.role == LZ_PEER_DENIED) {
		lz_err_set(why, EPERM, "connection: not permitted: uid %u has no role", peer.uid);
		return LZ_CODE_NOT_PERMITTED;
	}
	return find_room(conn->from, &peer, others, why);
}

/* Refused peers get their line in one try and are not waited for. */
static void turn_away(struct conn *conn, enum lz_code code, const struct lz_err *why)
{
	uv_buf_t buf;

	serve_note(conn->serve, "connection-refused", &conn->peer, why->text);
	reply_code(conn, 0, code, why->text, NULL);
	buf = uv_buf_init(conn->out.data, (unsigned int)conn->out.len);
	if (!conn->out.error)
		uv_try_write((uv_stream_t *)&conn->pipe, &buf, 1);
	conn_close(conn);
}

static void on_tick(uv_timer_t *timer);

static void accept_peer(struct listener *from)
{
	struct conn *conn = conn_new(from);
	struct lz_serve *serve = from->serve;
	enum lz_code code;
	struct lz_err why;
	unsigned int tick_ms = serve->config.times.alive_ms / 4;

	if (!uv_is_active((uv_handle_t *)&serve->tick))
		uv_timer_start(&serve->tick, on_tick, tick_ms, tick_ms);
	from->deferred = !conn; /* libuv keeps the peer; the tick tries again */
	if (!conn)
		return;
	if (uv_accept((uv_stream_t *)&from->pipe, (uv_stream_t *)&conn->pipe) < 0) {
		conn_close(conn);
		return;
	}
	code = admit(conn, &why);
	if (code) {
		turn_away(conn, code, &why);
		return;
	}
	reply_greeting(conn);
	if (conn_read(conn) < 0)
		conn_close(conn);
}

static void on_connection(uv_stream_t *stream, int status)
{
	if (status >= 0)
		accept_peer(stream->data);
}

static void on_tick(uv_timer_t *timer)
{
	struct lz_serve *serve = timer->data;
	struct conn *conn = serve->conns;

	if (serve->control.deferred)
		accept_peer(&serve->control);
	if (serve->read.deferred)
		accept_peer(&serve->read);
	while (conn) {
		struct conn *next = conn->next;

		conn_tick(conn, uv_now(timer->loop));
		conn = next;
	}
	if (!serve->conns && !serve->control.deferred && !serve->read.deferred)
		uv_timer_stop(timer); /* nobody here: no reason to wake up */
}

static int start_listener(struct lz_serve *serve, struct listener *listener, int fd,
			  enum lz_peer_role highest)
{
	int r;

	listener->serve = serve;
	listener->highest = highest;
	uv_pipe_init(serve->config.loop, &listener->pipe, 0);
	listener->pipe.data = listener;
	r = uv_pipe_open(&listener->pipe, fd);
	return r ? r : uv_listen((uv_stream_t *)&listener->pipe, BACKLOG, on_connection);
}

static void use_defaults(struct lz_serve_times *times)
{
	if (!times->line_ms)
		times->line_ms = LZ_PROTO_LINE_MS;
	if (!times->stall_ms)
		times->stall_ms = LZ_PROTO_STALL_MS;
	if (!times->idle_ms)
		times->idle_ms = LZ_PROTO_IDLE_MS;
	if (!times->alive_ms)
		times->alive_ms = LZ_PROTO_ALIVE_MS;
}

static int check_routes(const struct lz_serve_config *config, struct lz_err *reterr)
{
	for (size_t i = 0; i < config->routes_n; i++) {
		bool known = false;

		for (size_t j = 0; j < LZ_PROTO_COMMANDS; j++)
			known |= lz_streq(config->routes[i].cmd, lz_proto_commands[j].name);
		if (!known)
			return lz_err_set(reterr, EINVAL,
					  "serve: route '%s': proto.h has no such command",
					  config->routes[i].cmd);
	}
	return 0;
}

int lz_serve_open(const struct lz_serve_config *config, struct lz_serve **ret,
		  struct lz_err *reterr)
{
	struct lz_serve *serve;
	int r = check_routes(config, reterr);

	if (r)
		return r;
	serve = calloc(1, sizeof(*serve));
	if (!serve)
		return lz_err_set(reterr, ENOMEM, "serve: out of memory");
	serve->config = *config;
	use_defaults(&serve->config.times);
	serve->log_limit = (struct lz_log_limit){ .burst = 10, .refill_ns = LZ_NS_PER_S };
	serve->handles = 3;
	signal(SIGPIPE, SIG_IGN);
	uv_timer_init(config->loop, &serve->tick);
	serve->tick.data = serve;
	r = start_listener(serve, &serve->control, config->control_fd, LZ_PEER_ADMIN);
	if (!r)
		r = start_listener(serve, &serve->read, config->read_fd, LZ_PEER_READ);
	else
		uv_pipe_init(config->loop, &serve->read.pipe, 0); /* so that it can be closed */
	if (r) {
		lz_serve_close(&serve);
		return lz_err_set(reterr, -r, "serve: cannot listen: %s", uv_strerror(r));
	}
	*ret = serve;
	return 0;
}

void lz_serve_close(struct lz_serve **serve_ref)
{
	struct lz_serve *serve = *serve_ref;

	*serve_ref = NULL;
	if (!serve)
		return;
	while (serve->conns)
		conn_close(serve->conns);
	serve->control.pipe.data = serve;
	serve->read.pipe.data = serve;
	uv_close((uv_handle_t *)&serve->tick, on_handle_closed);
	uv_close((uv_handle_t *)&serve->control.pipe, on_handle_closed);
	uv_close((uv_handle_t *)&serve->read.pipe, on_handle_closed);
}
