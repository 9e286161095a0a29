// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "portal/escape.h"
#include "portal/web.h"

#define SWEEP_MS 250
/* TLS 1.2 and 1.3 only. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct web_conn {
	struct web_conn *next, **link;
	struct web_daemon *daemon;
	__u64 key;
	__u64 since_ms;
	int fd;
	bool waits; /* for the gate; what it answers closes the connection */
	bool freed; /* meanwhile, by another one */
	char number[36]; /* and of which case */
};

/* ---------------------------------------------------------------- libmicrohttpd on the loop */

static void run_again(uv_timer_t *timer);

/* It may have work left that no descriptor will tell of: bytes that TLS has read already. */
static void plan_next(struct lz_web *web)
{
	MHD_UNSIGNED_LONG_LONG least = SWEEP_MS, ms;

	for (size_t i = 0; i < LZ_WEB_DAEMONS; i++)
		if (web->daemons[i].mhd && MHD_get_timeout(web->daemons[i].mhd, &ms) == MHD_YES && ms < least)
			least = ms;
	uv_timer_start(&web->again, run_again, least, 0);
}

static void run_again(uv_timer_t *timer)
{
	struct lz_web *web = timer->data;

	for (size_t i = 0; i < LZ_WEB_DAEMONS; i++)
		if (web->daemons[i].mhd)
			MHD_run(web->daemons[i].mhd);
	plan_next(web);
}

void lz_web_wake(struct lz_web *web)
{
	uv_timer_start(&web->again, run_again, 0, 0);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct web_daemon *d = poll->data;

	(void)status;
	(void)events;
	MHD_run(d->mhd);
	plan_next(d->web);
}

/* ---------------------------------------------------------------- connections */

static enum MHD_Result may_connect(void *cls, const struct sockaddr *addr, socklen_t len)
{
	struct web_daemon *d = cls;

	(void)len;
	return lz_crowd_has_room(d->limit, lz_crowd_key(d->limit, addr)) ? MHD_YES : MHD_NO;
}

static void on_begin(struct web_daemon *d, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *addr =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct web_conn *conn = addr && fd ? calloc(1, sizeof(*conn)) : NULL;

	if (!conn)
		return; /* out of memory: this one is bounded by libmicrohttpd's own timeout */
	conn->daemon = d;
	conn->fd = fd->connect_fd;
	conn->since_ms = uv_now(d->web->loop);
	conn->key = lz_crowd_key(d->limit, addr->client_addr);
	lz_crowd_add(d->limit, conn->key);
	conn->next = d->web->conns;
	conn->link = &d->web->conns;
	if (conn->next)
		conn->next->link = &conn->next;
	d->web->conns = conn;
	*context = conn;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct web_conn *conn = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		on_begin(cls, connection, context);
		return;
	}
	if (!conn)
		return;
	lz_crowd_drop(conn->daemon->limit, conn->key);
	*conn->link = conn->next;
	if (conn->next)
		conn->next->link = conn->link;
	free(conn);
	*context = NULL;
}

static struct web_conn *conn_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

__u64 lz_web_age_ms(struct MHD_Connection *connection)
{
	const struct web_conn *conn = conn_of(connection);

	return conn ? uv_now(conn->daemon->web->loop) - conn->since_ms : 0;
}

void lz_web_waits(struct MHD_Connection *connection)
{
	struct web_conn *conn = conn_of(connection);

	if (conn)
		conn->waits = true;
}

const char *lz_web_freed(struct MHD_Connection *connection)
{
	const struct web_conn *conn = conn_of(connection);

	return conn && conn->freed ? conn->number : NULL;
}

void lz_web_free_others(struct lz_web *web, struct MHD_Connection *connection, const char *number)
{
	const struct web_conn *own = conn_of(connection);

	for (struct web_conn *conn = web->conns; own && conn; conn = conn->next) {
		if (conn == own || conn->key != own->key)
			continue;
		if (!conn->waits) {
			shutdown(conn->fd, SHUT_RDWR);
			continue;
		}
		conn->freed = true;
		lz_strcpy(conn->number, sizeof(conn->number), number);
	}
}

/* libmicrohttpd's timeout starts anew with each byte; this one does not. */
static void on_sweep(uv_timer_t *timer)
{
	struct lz_web *web = timer->data;
	__u64 now_ms = uv_now(timer->loop);

	for (struct web_conn *conn = web->conns; conn; conn = conn->next) {
		const struct lz_crowd *limit = conn->daemon->limit;
		bool hurry = limit->total > limit->total_max / 4 * 3;

		if (now_ms - conn->since_ms > (hurry ? LZ_WEB_HURRY_MS : LZ_WEB_DEADLINE_MS))
			shutdown(conn->fd, SHUT_RDWR);
	}
}

/* ---------------------------------------------------------------- start */

bool lz_listener_is(int fd)
{
	int listening = 0;
	socklen_t len = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

static int start_daemon(struct lz_web *web, struct web_daemon *d, int fd, char *certificate, char *key,
			struct lz_err *err)
{
	static char priorities[] = TLS_PRIORITIES;
	const struct MHD_OptionItem tls[] = {
		{ certificate ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities },
		{ MHD_OPTION_END, 0, NULL },
	};
	const unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
				   (certificate ? MHD_USE_TLS : 0U);
	const union MHD_DaemonInfo *info = NULL;

	d->web = web;
	d->tls = certificate != NULL;
	d->own = fd == LZ_PORTAL_FD_OWN4 || fd == LZ_PORTAL_FD_OWN6;
	d->limit = d->tls ? &web->api_limit : d->own ? &web->own_limit : &web->page_limit;
	d->mhd = MHD_start_daemon(flags, 0, may_connect, d, lz_web_step, d,
				  MHD_OPTION_LISTEN_SOCKET, fd,
				  MHD_OPTION_CONNECTION_LIMIT, d->limit->total_max,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LZ_WEB_MEMORY_BYTES,
				  MHD_OPTION_CONNECTION_TIMEOUT, LZ_WEB_DEADLINE_MS / 1000U,
				  MHD_OPTION_NOTIFY_CONNECTION, on_connection, d,
				  MHD_OPTION_NOTIFY_COMPLETED, lz_web_over, d,
				  MHD_OPTION_URI_LOG_CALLBACK, lz_web_begin, d,
				  MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (d->mhd)
		info = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(web->loop, &d->poll, info->epoll_fd) < 0 ||
	    uv_poll_start(&d->poll, UV_READABLE, on_ready) < 0)
		return lz_err_set(err, EIO, "web: cannot serve descriptor %d", fd);
	d->poll.data = d;
	return 0;
}

static void set_route(struct lz_web *web, bool tls)
{
	const struct lz_settings *s = web->settings;
	char api_host[256];
	const char *path;

	snprintf(web->route.host, sizeof(web->route.host), "%s", web->pages->host);
	web->route.direct = !strncmp(s->url, "https://", 8) && !tls;
	if (!tls || !s->api_url[0] || !lz_url_host(s->api_url, api_host, sizeof(api_host)))
		return;
	path = strchr(s->api_url + strlen("https://"), '/');
	snprintf(web->route.api_path, sizeof(web->route.api_path), "%s", path ? path : "/");
	if (strncmp(s->url, "https://", 8))
		snprintf(web->tls_url, sizeof(web->tls_url), "https://%s/", api_host);
	else
		snprintf(web->tls_url, sizeof(web->tls_url), "%s", s->url);
}

int lz_web_open(struct lz_web *web, uv_loop_t *loop, struct lz_ask *gate,
		const struct lz_settings *settings, const struct lz_pages *pages, char *certificate,
		char *key, struct lz_err *reterr)
{
	static const int fds[LZ_WEB_DAEMONS] = { LZ_PORTAL_FD_PAGE4, LZ_PORTAL_FD_PAGE6,
						 LZ_PORTAL_FD_API4, LZ_PORTAL_FD_API6,
						 LZ_PORTAL_FD_OWN4, LZ_PORTAL_FD_OWN6 };
	bool tls = false;

	web->loop = loop;
	web->gate = gate;
	web->settings = settings;
	web->pages = pages;
	web->page_limit = (struct lz_crowd){ .total_max = LZ_WEB_PAGE_MAX,
						   .source_max = LZ_WEB_PAGE_SOURCE,
						   .ipv6_len = settings->ipv6_key };
	web->api_limit = (struct lz_crowd){ .total_max = LZ_WEB_API_MAX,
						  .source_max = LZ_WEB_API_SOURCE,
						  .ipv6_len = settings->ipv6_key };
	web->own_limit = web->api_limit;
	web->again.data = web->sweep.data = web;
	uv_timer_init(loop, &web->again);
	uv_timer_init(loop, &web->sweep);
	for (size_t i = 0; i < LZ_WEB_DAEMONS; i++) {
		bool is_api = fds[i] == LZ_PORTAL_FD_API4 || fds[i] == LZ_PORTAL_FD_API6;
		int r;

		if (!lz_listener_is(fds[i]) || (is_api && !certificate))
			continue;
		r = start_daemon(web, &web->daemons[i], fds[i], is_api ? certificate : NULL,
				 is_api ? key : NULL, reterr);
		if (r < 0 && !is_api)
			return r;
		if (r < 0) { /* who is held needs the page and the sink, not this */
			lz_log(LZ_LOG_ERROR, "no-api", "why=%s", reterr->text);
			web->no_api = true;
		}
		tls |= is_api && r == 0;
	}
	set_route(web, tls);
	uv_timer_start(&web->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	plan_next(web);
	return 0;
}
