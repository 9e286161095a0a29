/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * transfer.h - a POST or a mail over the network, by libcurl in the loop.
 *
 * TLS certificates are verified, redirects are not followed, no proxy and no configuration of the
 * environment counts, an answer is read to LZ_TRANSFER_ANSWER_MAX and everything ends in time.
 * smtp:// uses STARTTLS where the server offers it, whatever its certificate: the next hop of a mail
 * server is on the same terms. smtps:// is verified like https://.
 */
#ifndef LZ_TELL_TRANSFER_H
#define LZ_TELL_TRANSFER_H

#include <uv.h>

#include "base/err.h"

#define LZ_TRANSFER_ANSWER_MAX 65536
#define LZ_TRANSFER_CONNECT_MS 10000
#define LZ_TRANSFER_LIMIT_MS   30000

struct lz_transfers;

/** @error: NULL: taken (HTTP 2xx, SMTP 250 after the data); else why not, one line */
typedef void (*lz_transfer_done)(void *arg, const char *error);

int lz_transfers_new(uv_loop_t *loop, struct lz_transfers **ret);

/**
 * lz_transfer_post() - POST JSON
 * @headers: full lines, NULL at the end; copied
 * @body:    copied
 *
 * Return: 0, then @done is called once; -errno with @reterr set.
 */
int lz_transfer_post(struct lz_transfers *t, const char *url, const char *const *headers,
		     const char *body, lz_transfer_done done, void *arg, struct lz_err *reterr);

/** lz_transfer_mail() - @url: smtp:// or smtps://; @text: RFC 5322 with CRLF, copied */
int lz_transfer_mail(struct lz_transfers *t, const char *url, const char *from, const char *to,
		     const char *text, lz_transfer_done done, void *arg, struct lz_err *reterr);

#endif /* LZ_TELL_TRANSFER_H */
