/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * client.h - one connection to lazaretd, with plain poll(): send a request, take its messages.
 *
 * Every wait is bounded (proto.h): a daemon that hangs looks like one that is not running.
 */
#ifndef LZ_CLI_CLIENT_H
#define LZ_CLI_CLIENT_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "lazaret/proto.h"

struct lz_client {
	int fd;
	int silence_ms; /* longest wait for the next message */
	int back_ms; /* longest wait for a daemon whose socket is there */
	bool turned_away; /* as many are connected as may be */
	bool ended; /* the other side closed the connection */
	char *in;
	size_t len, at, cap; /* bytes in..at are used up, at..len are not */
};

enum lz_message_kind {
	LZ_MESSAGE_ROW,  /* bytes: the row, JSON */
	LZ_MESSAGE_TEXT, /* bytes: a piece of text */
	LZ_MESSAGE_END,  /* bytes: the final line, JSON */
};

struct lz_message {
	enum lz_message_kind kind;
	const char *bytes; /* not NUL-terminated, valid until the next call */
	size_t len;
};

/**
 * lz_client_open() - connect and be greeted
 * @instance:   whose socket it is, "" for the default one: how to start its daemon is said by that
 * @silence_ms: longest wait for the greeting, and for each message, and none for a daemon to come back; 0: as
 *              proto.h says
 *
 * Who is turned away because others are connected, or comes when the daemon is just about to go, tries again
 * until that time is over.
 * Return: LZ_CODE_OK; LZ_CODE_NOT_RUNNING (also when it hangs, or turns us away to the end),
 *         LZ_CODE_NOT_PERMITTED or LZ_CODE_REFUSED (it speaks another protocol) with @reterr set. Close in every case.
 */
enum lz_code lz_client_open(struct lz_client *client, const char *path, const char *instance, int silence_ms,
			    struct lz_err *reterr);

void lz_client_close(struct lz_client *client);

/**
 * lz_client_send() - a request line and its payload
 *
 * An answer that comes before all is sent ends the sending: it can only be a refusal.
 * Return: LZ_CODE_OK or LZ_CODE_NOT_RUNNING.
 */
enum lz_code lz_client_send(struct lz_client *client, const char *line, const char *payload,
			    size_t payload_bytes, struct lz_err *reterr);

/** lz_client_next() - the next message; LZ_CODE_OK, LZ_CODE_NOT_RUNNING or LZ_CODE_REFUSED */
enum lz_code lz_client_next(struct lz_client *client, struct lz_message *ret,
			    struct lz_err *reterr);

#endif /* LZ_CLI_CLIENT_H */
