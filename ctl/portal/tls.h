/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tls.h - certificate and key of the captive portal API: those in their files, or else the last good ones.
 *
 * A certificate is renewed by somebody who does not think of us: with a key that only root may read, or in two
 * steps. What was good last, of the same files, is in a memory file of the keeper (LZ_PORTAL_FD_KEPT) and
 * serves until there is better.
 */
#ifndef LZ_PORTAL_TLS_H
#define LZ_PORTAL_TLS_H

#include "base/err.h"
#include "portal/case.h"

struct lz_tls {
	char *certificate, *key; /* PEM; NULL: none can be used */
	enum lz_gate_tls state;	 /* of the files */
	int error;		 /* errno of a file that cannot be read */
	bool before;		 /* these were loaded before */
};

/**
 * lz_tls_load() - from the files of @settings, or what @kept has of the same files
 * @kept: memory file, -1: none; good ones are written there
 *
 * Return: 0; -errno with @reterr and the rest of @ret: the files cannot be used, @ret may have others.
 */
int lz_tls_load(const struct lz_settings *settings, int kept, struct lz_tls *ret, struct lz_err *reterr);

/** lz_tls_forget() - no API is wanted: nothing of it is kept */
void lz_tls_forget(int kept);

#endif /* LZ_PORTAL_TLS_H */
