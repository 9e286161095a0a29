/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef LZ_PORTAL_SANDBOX_H
#define LZ_PORTAL_SANDBOX_H

#include "base/err.h"

/**
 * lz_portal_sandbox_enter() - from here on: serve the sockets that are open, nothing else
 *
 * The keeper has given the process its user and taken its capabilities; this looks that it is so,
 * then no_new_privs, limits, and seccomp: no socket is made or connected, no file opened, no
 * program or thread started, no bpf(2). A denied call fails with EPERM and is recorded by the
 * kernel (audit or kernel log: type=1326).
 * Return: 0; -errno with @reterr set, then the caller must end.
 */
int lz_portal_sandbox_enter(struct lz_err *reterr);

#endif /* LZ_PORTAL_SANDBOX_H */
