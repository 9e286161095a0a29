/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tell/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int lz_hmac(const struct lz_secret *secret, const char *head, const char *body,
	    char ret[static LZ_SIGN_HEX_CHARS + 1])
{
	unsigned char digest[LZ_SIGN_HEX_CHARS / 2];
	gnutls_hmac_hd_t hmac;
	int r;

	if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, secret->bytes, secret->len) < 0)
		return -EIO;
	r = gnutls_hmac(hmac, head, strlen(head));
	if (r == 0)
		r = gnutls_hmac(hmac, body, strlen(body));
	gnutls_hmac_deinit(hmac, digest);
	if (r < 0)
		return -EIO;
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int lz_sign(const struct lz_secret *secret, __u64 timestamp_s, const char *body,
	    char ret[static LZ_SIGN_HEX_CHARS + 1])
{
	char head[24];

	snprintf(head, sizeof(head), "%llu.", (unsigned long long)timestamp_s);
	return lz_hmac(secret, head, body, ret);
}

static int check_file(const char *path, int fd, struct lz_err *reterr)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return lz_err_set(reterr, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return lz_err_set(reterr, EINVAL, "%s: is not a regular file", path);
	if (st.st_mode & 0007)
		return lz_err_set(reterr, EACCES,
				  "%s: everybody may read it; chgrp lazaret and chmod 640", path);
	return 0;
}

int lz_secret_read(const char *path, struct lz_secret *ret, struct lz_err *reterr)
{
	/* O_NONBLOCK: a pipe under this name must not make us wait */
	lz_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	unsigned char extra;
	ssize_t n;
	int r;

	if (fd < 0)
		return lz_err_set(reterr, errno, "%s: cannot read: %s%s", path, strerror(errno),
				  errno == EACCES ? "; chgrp lazaret and chmod 640" : "");
	r = check_file(path, fd, reterr);
	if (r < 0)
		return r;
	n = read(fd, ret->bytes, sizeof(ret->bytes));
	if (n < 0)
		return lz_err_set(reterr, errno, "%s: cannot read: %s", path, strerror(errno));
	ret->len = (size_t)n;
	if (ret->len == sizeof(ret->bytes) && read(fd, &extra, 1) > 0)
		ret->len++;
	else if (ret->len && ret->bytes[ret->len - 1] == '\n')
		ret->len--;
	if (ret->len >= LZ_SIGN_SECRET_MIN && ret->len <= sizeof(ret->bytes))
		return 0;
	lz_secret_wipe(ret);
	return lz_err_set(reterr, EINVAL, "%s: is no key (want %d..%d bytes)", path,
			  LZ_SIGN_SECRET_MIN, LZ_SIGN_SECRET_MAX);
}

void lz_secret_wipe(struct lz_secret *secret)
{
	explicit_bzero(secret, sizeof(*secret));
}
