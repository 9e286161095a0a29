/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gate.h - the daemon's end of portal.sock (include/lazaret/portal.h): the one door of the process
 * that strangers talk to.
 *
 * Only the portal's user gets in. Whom a question is about is read off the socket that comes with
 * it, by the kernel's word: an established TCP connection that one of the keeper's own listeners
 * has accepted, which the mark says. What is not exactly one of the few questions is answered with
 * an error and logged. A portal that does not read its answers is asked nothing more until it does.
 * Single thread, one loop.
 */
#ifndef LZ_SERVE_GATE_H
#define LZ_SERVE_GATE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "base/addr.h"
#include "base/err.h"
#include "lazaret/portal.h"
#include "lazaret/proto.h"

enum lz_gate_cmd {
	LZ_GATE_SETTINGS,
	LZ_GATE_CASE,
	LZ_GATE_RELEASE,
	LZ_GATE_SEEN,
	LZ_GATE_TLS,
	LZ_GATE_CMD_N,
};

/* One question that has been checked. Texts live until the handler returns. */
struct lz_gate_question {
	enum lz_gate_cmd cmd;
	struct lz_addr host; /* not SETTINGS, not TLS */
	bool want_token;     /* CASE */
	const char *token;   /* RELEASE: LZ_GATE_TOKEN_CHARS of base64url */
	const char *helo;    /* SEEN: at most LZ_GATE_HELO_BYTES.. */
	const char *first;   /* ..and LZ_GATE_FIRST_BYTES, may be "" */
	enum lz_gate_tls tls; /* TLS.. */
	int tls_errno;	      /* ..0..LZ_GATE_ERRNO_MAX.. */
	bool tls_before;
};

/* Puts the members of the answer into @answer, beside id and code. */
typedef enum lz_code (*lz_gate_handler)(const struct lz_gate_question *q, cJSON *answer, void *arg);

struct lz_gate_config {
	uv_loop_t *loop;
	int fd; /* of lz_gate_listen(); the gate's from a successful open on */
	uid_t uid; /* who may come in */
	unsigned int mark; /* SO_MARK of the sockets that may be asked about */
	lz_gate_handler handle;
	void *arg;
};

struct lz_gate;

#define LZ_GATE_BACKLOG	  4
#define LZ_GATE_ERRNO_MAX 4095 /* the kernel's own bound */

/** lz_gate_listen() - a listening socket, 0600 and owned by @uid; needs to be allowed to chown */
int lz_gate_listen(const char *path, uid_t uid, struct lz_err *reterr);

/** lz_gate_open() - start answering; 0, -ENOMEM, -errno of libuv with @reterr */
int lz_gate_open(const struct lz_gate_config *config, struct lz_gate **ret, struct lz_err *reterr);

/** lz_gate_drop() - send the portal away: it comes back and reads the settings anew */
void lz_gate_drop(struct lz_gate *gate);

/** lz_gate_close() - memory is released when the loop has run the close callbacks */
void lz_gate_close(struct lz_gate **gate);

/**
 * lz_gate_parse() - the text of a question
 * @ret_root: owns the texts of @ret; deleted by the caller in every case
 * @ret_id:   0 if the text has none
 *
 * Return: 0; -EINVAL with @reterr: no JSON, unknown version, command or member, wrong type or length.
 */
int lz_gate_parse(const char *text, size_t len, struct lz_gate_question *ret, __u64 *ret_id,
		  cJSON **ret_root, struct lz_err *reterr);

/** lz_gate_has_host() - does such a question come with the socket of a host? */
bool lz_gate_has_host(enum lz_gate_cmd cmd);

/**
 * lz_gate_host() - whose connection is this?
 * Return: 0; -EACCES with @reterr: no accepted TCP connection that carries @mark.
 */
int lz_gate_host(int fd, unsigned int mark, struct lz_addr *ret, struct lz_err *reterr);

#endif /* LZ_SERVE_GATE_H */
