/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lookup.h - the addresses of a host name, by c-ares in the loop.
 */
#ifndef LZ_TELL_LOOKUP_H
#define LZ_TELL_LOOKUP_H

#include <uv.h>

#include "base/addr.h"
#include "base/err.h"

#define LZ_LOOKUP_ADDRESSES_MAX 32
#define LZ_LOOKUP_TRY_MS	2000
#define LZ_LOOKUP_TRIES		2 /* at each name server */

struct lz_found {
	struct lz_addr addr[LZ_LOOKUP_ADDRESSES_MAX]; /* of both families; what is no host is left out */
	size_t n;
	__u32 ttl_s; /* the shortest of all records on the way */
};

/** @error: NULL: @found has at least one address */
typedef void (*lz_lookup_done)(void *arg, const struct lz_found *found, const char *error);

/**
 * lz_lookup_start() - ask for A and AAAA
 * @servers: addresses with commas between them; "": those of /etc/resolv.conf, read anew each time
 *
 * DNS only: no hosts file, no search list. Return: 0, then @done is called once, later; -errno with
 * @reterr set.
 */
int lz_lookup_start(uv_loop_t *loop, const char *name, const char *servers, lz_lookup_done done,
		    void *arg, struct lz_err *reterr);

#endif /* LZ_TELL_LOOKUP_H */
