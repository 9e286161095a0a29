/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * web.h - the portal's HTTP servers: libmicrohttpd's daemons on the portal's loop.
 *
 *   web.c    sockets, limits, deadlines: who may be connected, and for how long
 *   reply.c  one request: what it asks for, the question to the gate, the answer
 *
 * libmicrohttpd keeps its own epoll descriptor for each daemon; the loop watches that descriptor
 * and lets libmicrohttpd run. A request that needs the gate is suspended until the gate answers.
 */
#ifndef LZ_PORTAL_WEB_H
#define LZ_PORTAL_WEB_H

#include <microhttpd.h>
#include <uv.h>

#include "portal/ask.h"
#include "portal/crowd.h"
#include "portal/pages.h"
#include "portal/route.h"

#define LZ_WEB_DAEMONS	    6
#define LZ_WEB_PAGE_MAX	    768 /* connections of both families together */
#define LZ_WEB_PAGE_SOURCE  16	/* a home of several devices, each asking twice */
#define LZ_WEB_API_MAX	    128 /* and as many at the portal's own address by plain HTTP */
#define LZ_WEB_API_SOURCE   8
/* Of a connection, touched as it is used: a head with 8 KB of cookies takes 16 KB, and each of its arguments
 * 56 bytes more. libmicrohttpd closes whose head does not fit without an answer. */
#define LZ_WEB_MEMORY_BYTES 131072
#define LZ_WEB_BODY_BYTES   4096
#define LZ_WEB_URI_BYTES    2048
#define LZ_WEB_DEADLINE_MS  15000 /* a whole connection: request, gate, answer */
#define LZ_WEB_HURRY_MS	    3000  /* the same while three quarters of the connections are used */

struct web_conn;

struct lz_web {
	uv_loop_t *loop;
	struct lz_ask *gate;
	const struct lz_settings *settings;
	const struct lz_pages *pages;
	struct lz_route_config route;
	char tls_url[272]; /* where the page is reached over TLS, "" = nowhere */
	struct web_daemon {
		struct lz_web *web;
		struct MHD_Daemon *mhd; /* NULL: no socket was handed over */
		struct lz_crowd *limit;
		uv_poll_t poll;
		bool tls;
		bool own; /* nobody is led here: what is asked for is the portal itself */
	} daemons[LZ_WEB_DAEMONS];
	uv_timer_t again; /* libmicrohttpd wants to run at a time */
	uv_timer_t sweep; /* deadlines */
	struct lz_crowd page_limit, api_limit, own_limit; /* nobody of one can crowd out another */
	struct web_conn *conns;
	bool no_api; /* a socket of the API was handed over, and could not be served */
};

/**
 * lz_web_open() - answer on the sockets handed over
 * @certificate, @key: PEM texts for the TLS sockets; NULL: those are left alone
 *
 * @web is zeroed by the caller and stays where it is.
 * Return: 0; -EIO with @reterr set.
 */
int lz_web_open(struct lz_web *web, uv_loop_t *loop, struct lz_ask *gate,
		const struct lz_settings *settings, const struct lz_pages *pages,
		char *certificate, char *key, struct lz_err *reterr);

/** lz_web_wake() - a suspended request can go on: libmicrohttpd's descriptor does not tell of it */
void lz_web_wake(struct lz_web *web);

/** lz_listener_is() - is this descriptor a listening socket that was handed over? */
bool lz_listener_is(int fd);

/** lz_web_age_ms() - since it was accepted */
__u64 lz_web_age_ms(struct MHD_Connection *connection);

/** lz_web_waits() - this connection's request has gone to the gate */
void lz_web_waits(struct MHD_Connection *connection);

/** lz_web_freed() - the case that another connection ended while this one waited; NULL: none did */
const char *lz_web_freed(struct MHD_Connection *connection);

/**
 * lz_web_free_others() - close every other connection of this one's source, but those that wait for the gate
 * @number: of the case that it has ended
 *
 * He is free: what a browser keeps open for later would lead his next request here once more.
 */
void lz_web_free_others(struct lz_web *web, struct MHD_Connection *connection, const char *number);

/* reply.c */
void *lz_web_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result lz_web_step(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *body,
			      size_t *body_len, void **state);
void lz_web_over(void *cls, struct MHD_Connection *connection, void **state,
		   enum MHD_RequestTerminationCode why);

#endif /* LZ_PORTAL_WEB_H */
