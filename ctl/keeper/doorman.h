/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * doorman.h - the keeper's care for lazaret-portal: sockets, rule and route, the process.
 *
 * The listening sockets are the keeper's and outlive the process: connections wait in them while it
 * is started again. Is it dead for LZ_DOORMAN_PATIENCE_NS, they are taken out of the data plane, and
 * held hosts are refused as if there were no portal. One that hangs - its loop gives no sign of life
 * for LZ_DOORMAN_SILENCE_NS - is killed and started again. Nothing of this touches a quarantine. One that ends because
 * the controller does, or shall begin anew, is not told to be down.
 *
 * What cannot be had now - an address of its own that another program listens on, our place among the
 * rules - is told and asked for again each LZ_DOORMAN_AGAIN_NS. One address costs nothing but itself: what
 * held hosts are led to needs none. The process is started anew for a socket that has come.
 */
#ifndef LZ_KEEPER_DOORMAN_H
#define LZ_KEEPER_DOORMAN_H

#include <lazaret/portal.h>
#include <limits.h>
#include <sys/types.h>

#include "privsep/chan.h"
#include "privsep/options.h"

#define LZ_DOORMAN_PATIENCE_NS 5000000000ULL
#define LZ_DOORMAN_SILENCE_NS  10000000000ULL
#define LZ_DOORMAN_AGAIN_NS    3000000000ULL

struct lz_doorman {
	void (*told)(void *arg, enum lz_told_what what, const char *text);
	void *arg;
	const struct lz_options *options;
	int map_fd; /* lz_portal_socks, borrowed */
	bool wanted;
	bool begun; /* what it cannot do without is there: led sockets, pipe, rule and route */
	bool renewing; /* it was asked to end, to be started with more sockets */
	bool alone; /* there is no controller to answer it */
	bool shown; /* the sockets are in the map */
	bool up; /* it was told so */
	pid_t pid; /* 0 = it does not run */
	int sock[LZ_PORTAL_FD_END - LZ_PORTAL_FD_PAGE4]; /* -1 = none */
	int beat[2]; /* the pipe of LZ_PORTAL_FD_ALIVE; -1 = none */
	int kept; /* memory file of LZ_PORTAL_FD_KEPT; -1 = none */
	struct lz_listen_ask api, own; /* where sock[] shall listen */
	__u64 started_ns;
	__u64 died_ns;
	__u64 beat_ns; /* last sign of life; 0 = none yet */
	__u64 restart_at_ns; /* 0 = it runs, or is not wanted */
	__u64 backoff_ns;
	__u64 again_ns; /* when to ask again for what could not be had */
	char fault[512]; /* the last one told */
	char deaf[512]; /* addresses of its own that it cannot listen on, and why; "" = none */
};

void lz_doorman_init(struct lz_doorman *d, const struct lz_options *options);

/**
 * lz_doorman_ask() - is a portal wanted, and where does it listen? Asked again, the same changes nothing, and
 *		      what is wrong is told again.
 * @map_fd: of lz_portal_socks
 *
 * Return: 0; -errno with @reterr: it cannot begin now, and tries again by itself.
 */
int lz_doorman_ask(struct lz_doorman *d, int map_fd, const struct lz_ask *ask, struct lz_err *reterr);

/** lz_doorman_turn() - start it if it is time, look after sockets, rule and route */
void lz_doorman_turn(struct lz_doorman *d, __u64 now_ns);

/** lz_doorman_buried() - was this child ours? then it is planned again */
bool lz_doorman_buried(struct lz_doorman *d, pid_t pid, int status);

/** lz_doorman_alone() - its gate is gone with the controller: it ends, and is started when the next one asks */
void lz_doorman_alone(struct lz_doorman *d);

/** lz_doorman_close() - end the process, close the sockets; rule and route stay */
void lz_doorman_close(struct lz_doorman *d);

#endif /* LZ_KEEPER_DOORMAN_H */
