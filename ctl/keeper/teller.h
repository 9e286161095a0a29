/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * teller.h - the teller as a process: how the keeper starts it and what it gives up first.
 */
#ifndef LZ_KEEPER_TELLER_H
#define LZ_KEEPER_TELLER_H

#include <sys/types.h>

#include "base/err.h"
#include "privsep/options.h"

/**
 * lz_teller_spawn() - run this same program again, as `lazaretd --teller`
 * @ret_fd: the controller's end of a SOCK_SEQPACKET pair; when it is closed the teller ends
 *
 * A new program and not only another process: nothing of the keeper's memory goes along, nor any
 * descriptor but the channel, nor the environment. Return: 0; -errno with @reterr set.
 */
int lz_teller_spawn(const char *user, pid_t *ret_pid, int *ret_fd, struct lz_err *reterr);

/** lz_teller_main() - the other end; an exit code of enum lz_code */
int lz_teller_main(const struct lz_options *options);

#endif /* LZ_KEEPER_TELLER_H */
