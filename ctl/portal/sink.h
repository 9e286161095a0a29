/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sink.h - the sockets behind smtp.h: greet, wait briefly for QUIT, close.
 */
#ifndef LZ_PORTAL_SINK_H
#define LZ_PORTAL_SINK_H

#include <uv.h>

#include "portal/ask.h"
#include "portal/crowd.h"

#define LZ_SINK_MAX	    256
#define LZ_SINK_SOURCE	    4
#define LZ_SINK_GREETING_MS 1000 /* without an answer of the gate by then: greet without a number */
#define LZ_SINK_QUIT_MS	    5000 /* after the greeting and after each answer */
#define LZ_SINK_ALL_MS	    15000 /* a whole connection */
#define LZ_SINK_LINGER_MS   1000 /* after our last word, or a reset overtakes it */

struct sink_conn;

struct lz_sink {
	uv_loop_t *loop;
	struct lz_ask *gate;
	const struct lz_settings *settings;
	uv_tcp_t listeners[2];
	uv_timer_t sweep;
	struct lz_crowd limit;
	struct sink_conn *conns;
};

/** lz_sink_open() - greet on the sockets handed over; @sink is zeroed and stays where it is */
int lz_sink_open(struct lz_sink *sink, uv_loop_t *loop, struct lz_ask *gate,
		 const struct lz_settings *settings, struct lz_err *reterr);

#endif /* LZ_PORTAL_SINK_H */
