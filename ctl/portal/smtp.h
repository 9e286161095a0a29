/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * smtp.h - what the sink says: 554 at once, 503 to everything, 221 to QUIT. Pure.
 *
 * RFC 5321 section 3.1: a server that greets with 554 waits for QUIT and answers 503 to all else.
 * It never says 2xx or 3xx but to QUIT, so no client can believe that a mail was taken.
 */
#ifndef LZ_PORTAL_SMTP_H
#define LZ_PORTAL_SMTP_H

#include <stdbool.h>
#include <stddef.h>

#include "lazaret/portal.h"

#define LZ_SMTP_REPLY_BYTES   512 /* RFC 5321 section 4.5.3.1.5, with CRLF */
#define LZ_SMTP_LINE_BYTES    512
#define LZ_SMTP_COMMANDS_MAX  8
#define LZ_SMTP_OUT_BYTES     (LZ_SMTP_REPLY_BYTES * (LZ_SMTP_COMMANDS_MAX + 1))

struct lz_smtp {
	char line[LZ_SMTP_LINE_BYTES + 1];
	size_t len;
	bool overlong; /* the rest of this line is thrown away */
	unsigned int commands;
	bool over; /* nothing more is said */
	char link[256];
	char helo[LZ_GATE_HELO_BYTES + 1];   /* printable ASCII, escaped; "": none */
	char first[LZ_GATE_FIRST_BYTES + 1]; /* the first command, likewise */
};

/** lz_smtp_start() - @link: URL of the portal; printable ASCII, at most 200 bytes */
void lz_smtp_start(struct lz_smtp *smtp, const char *link);

/* Why mail is not taken, as far as the gate has said. */
struct lz_smtp_why {
	bool held; /* else a rule of the class: port 25 is closed for everybody like him */
	const char *number; /* of the case, NULL or "" = not known */
};

/** lz_smtp_greeting() - "554 5.7.1 ..\r\n" */
size_t lz_smtp_greeting(const struct lz_smtp *smtp, const struct lz_smtp_why *why,
			char ret[static LZ_SMTP_REPLY_BYTES]);

/**
 * lz_smtp_feed() - bytes of the client
 * @ret: the answers to the lines that are whole; never more than LZ_SMTP_OUT_BYTES
 *
 * Return: length of @ret. When smtp->over is set the connection is to be closed after it.
 */
size_t lz_smtp_feed(struct lz_smtp *smtp, const char *bytes, size_t len,
		    char ret[static LZ_SMTP_OUT_BYTES]);

#endif /* LZ_PORTAL_SMTP_H */
