/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ask.h - the portal's end of the gate (include/lazaret/portal.h).
 */
#ifndef LZ_PORTAL_ASK_H
#define LZ_PORTAL_ASK_H

#include <cjson/cJSON.h>
#include <uv.h>

#include "portal/case.h"

#define LZ_ASK_OPEN_MAX	  512 /* questions without an answer yet */
#define LZ_ASK_TIMEOUT_MS 3000

/* @answer: NULL when there was none in time; belongs to the caller of this. */
typedef void (*lz_ask_done)(const cJSON *answer, void *arg);

struct lz_ask_slot {
	__u32 id; /* 0: free */
	__u64 until_ms; /* of uv_now() */
	lz_ask_done done;
	void *arg;
};

struct lz_ask {
	int fd;
	uv_loop_t *loop;
	uv_poll_t poll;
	uv_timer_t tick;
	__u32 last_id;
	void (*gone)(void); /* lazaretd has closed the gate */
	struct lz_ask_slot slots[LZ_ASK_OPEN_MAX];
	char buf[LZ_GATE_MESSAGE_BYTES];
};

/** lz_ask_connect() - -errno with @reterr; a connected socket in @ret->fd */
int lz_ask_connect(struct lz_ask *gate, const char *path, struct lz_err *reterr);

/** lz_ask_settings() - ask and wait, at most 10 s; before lz_ask_start() */
int lz_ask_settings(struct lz_ask *gate, struct lz_settings *ret, struct lz_err *reterr);

/** lz_ask_start() - answers arrive on the loop from now on */
int lz_ask_start(struct lz_ask *gate, uv_loop_t *loop, void (*gone)(void));

/*
 * Questions about the host behind an accepted socket. @done is called once, never from within the
 * call, unless it returned an error: -EBUSY too many are open or the gate's queue is full.
 */
int lz_ask_case(struct lz_ask *gate, int socket, bool token, lz_ask_done done, void *arg);
int lz_ask_release(struct lz_ask *gate, int socket, const char *token, lz_ask_done done, void *arg);
int lz_ask_seen(struct lz_ask *gate, int socket, const char *helo, const char *first,
		lz_ask_done done, void *arg);

/** lz_ask_tls() - say how certificate and key are; 0, or as above. Nobody waits for the answer. */
int lz_ask_tls(struct lz_ask *gate, enum lz_gate_tls state, int error, bool before);

/** lz_ask_forget() - @arg is going away: its questions are answered to nobody */
void lz_ask_forget(struct lz_ask *gate, const void *arg);

#endif /* LZ_PORTAL_ASK_H */
