/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peer.h - who is at the other end of a unix socket, and what may he do?
 *
 * Decided by uid and gid as the kernel recorded them when the peer connected, never by pid (it may
 * be reused) and never by /proc. Root of another user namespace shows up as the overflow uid.
 */
#ifndef LZ_SERVE_PEER_H
#define LZ_SERVE_PEER_H

#include "serve/serve.h"

/**
 * lz_peer_identify() - fill in credentials and role
 * @highest: never exceeded; LZ_PEER_READ on the read socket, where LZ_PEER_LOOK is granted to all
 *
 * Return: 0, or -errno of getsockopt; @ret untouched on failure.
 */
int lz_peer_identify(int fd, const struct lz_serve_grant *grants, size_t grants_n,
		     enum lz_peer_role highest, struct lz_peer *ret);

/** lz_peer_role_name() - "look", "read", "detect", "operate", "admin" or "denied" */
const char *lz_peer_role_name(enum lz_peer_role role);

#endif /* LZ_SERVE_PEER_H */
