// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "portal/tls.h"

#define PEM_BYTES_MAX (256 * 1024)

/* What a memory file begins with; the two texts follow. */
struct kept {
	char certificate[256], key[256]; /* whose files they were */
	__u64 certificate_len, key_len;
};

static void drop(struct lz_tls *tls)
{
	free(TAKE_PTR(tls->certificate));
	free(TAKE_PTR(tls->key));
}

/* ---------------------------------------------------------------- files */

static int read_pem(const char *path, char **ret, struct lz_err *err)
{
	lz_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	lz_autofree char *text = calloc(1, PEM_BYTES_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return lz_err_set(err, errno, "%s: cannot open: %s; user " LZ_PORTAL_USER " must be able to",
				  path, strerror(errno));
	while (text && n > 0 && len < PEM_BYTES_MAX) {
		n = read(fd, text + len, PEM_BYTES_MAX - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (!text || n < 0)
		return lz_err_set(err, text ? errno : ENOMEM, "%s: cannot read", path);
	*ret = TAKE_PTR(text);
	return 0;
}

/* What libmicrohttpd will do with them, done before it is told of them. */
static int check_pair(const struct lz_tls *tls, enum lz_gate_tls *ret, struct lz_err *err)
{
	const char *texts[2] = { tls->certificate, tls->key };
	gnutls_certificate_credentials_t trial = NULL;
	gnutls_datum_t pem[2];
	int r = gnutls_certificate_allocate_credentials(&trial);

	for (size_t i = 0; i < LZ_ARRAY_SIZE(pem); i++) {
		memcpy(&pem[i].data, &texts[i], sizeof(texts[i])); /* gnutls only reads there */
		pem[i].size = (unsigned int)strlen(texts[i]);
	}
	if (r >= 0)
		r = gnutls_certificate_set_x509_key_mem(trial, &pem[0], &pem[1], GNUTLS_X509_FMT_PEM);
	if (trial)
		gnutls_certificate_free_credentials(trial);
	*ret = r >= 0				       ? LZ_GATE_TLS_OK :
	       r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH ? LZ_GATE_TLS_PAIR :
							LZ_GATE_TLS_FORM;
	return r >= 0 ? 0 : lz_err_set(err, EINVAL, "certificate and key: %s", gnutls_strerror(r));
}

static int load_files(const struct lz_settings *settings, struct lz_tls *ret, struct lz_err *err)
{
	int r = read_pem(settings->certificate, &ret->certificate, err);

	if (r < 0) {
		ret->state = LZ_GATE_TLS_CERTIFICATE;
		ret->error = -r;
		return r;
	}
	r = read_pem(settings->key, &ret->key, err);
	if (r < 0) {
		ret->state = LZ_GATE_TLS_KEY;
		ret->error = -r;
		return r;
	}
	return check_pair(ret, &ret->state, err);
}

/* ---------------------------------------------------------------- what was good last */

static bool put(int fd, const void *data, size_t size, off_t at)
{
	return pwrite(fd, data, size, at) == (ssize_t)size;
}

static bool get(int fd, void *data, size_t size, off_t at)
{
	return pread(fd, data, size, at) == (ssize_t)size;
}

void lz_tls_forget(int kept)
{
	if (kept >= 0 && ftruncate(kept, 0) < 0)
		return; /* what is left has the name of its files */
}

/* A part of it is nothing: its sizes come last. */
static void keep(int fd, const struct lz_settings *settings, const struct lz_tls *tls)
{
	size_t certificate_len = strlen(tls->certificate), key_len = strlen(tls->key);
	struct kept head = { .certificate_len = certificate_len, .key_len = key_len };

	if (fd < 0)
		return;
	lz_tls_forget(fd);
	memcpy(head.certificate, settings->certificate, sizeof(head.certificate));
	memcpy(head.key, settings->key, sizeof(head.key));
	if (!put(fd, tls->certificate, certificate_len, sizeof(head)) ||
	    !put(fd, tls->key, key_len, (off_t)(sizeof(head) + certificate_len)) ||
	    !put(fd, &head, sizeof(head), 0))
		lz_tls_forget(fd);
}

static bool recall(int fd, const struct lz_settings *settings, struct lz_tls *ret)
{
	struct lz_err ignored = { "" };
	enum lz_gate_tls state;
	struct kept head;

	if (fd < 0 || !get(fd, &head, sizeof(head), 0) || head.certificate_len > PEM_BYTES_MAX ||
	    head.key_len > PEM_BYTES_MAX ||
	    strncmp(head.certificate, settings->certificate, sizeof(head.certificate)) ||
	    strncmp(head.key, settings->key, sizeof(head.key)))
		return false;
	ret->certificate = calloc(1, head.certificate_len + 1);
	ret->key = calloc(1, head.key_len + 1);
	return ret->certificate && ret->key && get(fd, ret->certificate, head.certificate_len, sizeof(head)) &&
	       get(fd, ret->key, head.key_len, (off_t)(sizeof(head) + head.certificate_len)) &&
	       check_pair(ret, &state, &ignored) == 0;
}

int lz_tls_load(const struct lz_settings *settings, int kept, struct lz_tls *ret, struct lz_err *reterr)
{
	int r;

	*ret = (struct lz_tls){ 0 };
	r = load_files(settings, ret, reterr);
	if (r == 0) {
		keep(kept, settings, ret);
		return 0;
	}
	drop(ret);
	ret->before = recall(kept, settings, ret);
	if (!ret->before)
		drop(ret);
	return r;
}
