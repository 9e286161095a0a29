/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * child.h - run a program: a text on its standard input, its first words kept, its time bounded.
 *
 * It runs in /, with PATH and LANG as its whole environment, in a process group of its own, which
 * is killed as a whole when time is up.
 */
#ifndef LZ_TELL_CHILD_H
#define LZ_TELL_CHILD_H

#include <uv.h>

#include "base/err.h"

#define LZ_CHILD_OUTPUT_MAX 240

/**
 * @error:  NULL: it ended with status 0; else what became of it
 * @output: the beginning of what it wrote to standard output and error, escaped; "" if nothing
 */
typedef void (*lz_child_done)(void *arg, const char *error, const char *output);

/**
 * lz_child_start() - run argv[0] with @input; @done is called once, later, unless this fails
 * Return: 0; -errno with @reterr set.
 */
int lz_child_start(uv_loop_t *loop, char *const argv[], const char *input, unsigned int limit_ms,
		   lz_child_done done, void *arg, struct lz_err *reterr);

/**
 * lz_child_check() - may this program be run on behalf of a policy?
 *
 * The file and every folder above it belong to root and nobody else can write there. So whoever
 * takes over the controller, which can send any path, can run what root installed and nothing of
 * his own.
 * Return: 0; -EACCES, -ENOENT, .. with @reterr set.
 */
int lz_child_check(const char *path, struct lz_err *reterr);

#endif /* LZ_TELL_CHILD_H */
