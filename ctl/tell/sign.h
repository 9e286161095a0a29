/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sign.h - how a receiver of webhooks knows that they are ours: HMAC-SHA256 (RFC 2104) over
 * "TIMESTAMP.BODY", in lower-case hexadecimal. The timestamp lets him refuse old ones sent again.
 */
#ifndef LZ_TELL_SIGN_H
#define LZ_TELL_SIGN_H

#include <linux/types.h>
#include <stddef.h>

#include "base/err.h"

#define LZ_SIGN_SECRET_MIN 16
#define LZ_SIGN_SECRET_MAX 4096
#define LZ_SIGN_HEX_CHARS  64

struct lz_secret {
	unsigned char bytes[LZ_SIGN_SECRET_MAX];
	size_t len;
};

/** lz_hmac() - over @head and @body, one behind the other; Return: as lz_sign() */
int lz_hmac(const struct lz_secret *secret, const char *head, const char *body,
	    char ret[static LZ_SIGN_HEX_CHARS + 1]);

/** lz_sign() - Return: 0, or -EIO if the library refuses (it then refuses everything) */
int lz_sign(const struct lz_secret *secret, __u64 timestamp_s, const char *body,
	    char ret[static LZ_SIGN_HEX_CHARS + 1]);

/**
 * lz_secret_read() - a key from a file, without the newline at its end
 *
 * Return: 0; -EACCES if others than owner and group may read it; -EINVAL if it is no regular file or
 *         too short or long; -errno; @reterr set.
 */
int lz_secret_read(const char *path, struct lz_secret *ret, struct lz_err *reterr);

/** lz_secret_wipe() - not removed by the compiler */
void lz_secret_wipe(struct lz_secret *secret);

#endif /* LZ_TELL_SIGN_H */
