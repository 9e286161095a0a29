/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bypass.h - the kill switch: one word in the data plane. Works through the pin, without a daemon.
 */
#ifndef LZ_DATAPATH_BYPASS_H
#define LZ_DATAPATH_BYPASS_H

#include <stdbool.h>

#include "base/err.h"
#include "datapath/maps.h"

#define LZ_BYPASS_FOREVER (~0ULL)

/**
 * lz_bypass_open() - the head of an instance's control block, from its pin, whatever build made it; root
 * @ret: LZ_CONTROL_HEAD_BYTES of it, for the functions below
 * Return: 0; -ENOENT no such instance; else -errno; with @reterr set.
 */
int lz_bypass_open(const char *instance, struct lz_control **ret, struct lz_err *reterr);
int lz_bypass_open_dir(const char *dir, struct lz_control **ret, struct lz_err *reterr);
void lz_bypass_close(struct lz_control **control);

#define LZ_BYPASS_MAX_S (365 * 86400u)

/**
 * lz_bypass_set() - everything passes for @for_s seconds, at most LZ_BYPASS_MAX_S; 0: until switched off
 *
 * When, by which uid and the how manieth time stand beside the word, so that a daemon that was dead or
 * hung can write it down later. The word itself is stored last.
 */
void lz_bypass_set(struct lz_control *control, __u64 for_s);
void lz_bypass_clear(struct lz_control *control);

/** lz_bypass_get() - is it on? @ret_left_s: seconds left, or LZ_BYPASS_FOREVER; may be NULL */
bool lz_bypass_get(const struct lz_control *control, __u64 *ret_left_s);

#endif
