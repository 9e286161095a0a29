/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * out.h - what a program prints has arrived, or it says so: a full disk or a closed stdout must not
 * look like success.
 */
#ifndef LZ_BASE_OUT_H
#define LZ_BASE_OUT_H

#include <stdbool.h>

/**
 * lz_out_begin() - before anything is opened
 *
 * What is opened while stdin, stdout or stderr is closed takes its number, and would be read or
 * written in its place.
 */
void lz_out_begin(void);

/** lz_out_flush() - fflush(stdout), and why it failed is kept for lz_out_end() */
void lz_out_flush(void);

/**
 * lz_out_end() - all that was printed is written; else one line on stderr
 * @program: who says it
 * @done: something was changed: that its answer is lost does not undo it
 */
bool lz_out_end(const char *program, bool done);

#endif
