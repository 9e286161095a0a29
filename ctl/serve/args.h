/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * args.h - do the arguments of a request fit what proto.h says about the command?
 */
#ifndef LZ_SERVE_ARGS_H
#define LZ_SERVE_ARGS_H

#include <cjson/cJSON.h>

#include "base/err.h"

/**
 * lz_args_check() - every argument is known, of its type and, unless optional, there
 * @spec: as in proto.h: "address=address for_s=int?"
 * @args: an object
 *
 * Types: text (no control characters, at most LZ_PROTO_REASON_BYTES), word (text without
 * blanks, 1..LZ_PROTO_TICKET_BYTES), int (0..2^53), bool, time (RFC 3339), address, prefix. Pure.
 * Return: 0, or -EINVAL with @reterr naming the argument and what is accepted.
 */
int lz_args_check(const char *spec, const cJSON *args, struct lz_err *reterr);

#endif /* LZ_SERVE_ARGS_H */
