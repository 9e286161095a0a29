/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * refused.h - the lines of a list that were not taken: all are counted, the first of the list are named.
 *
 * They are found in any order, of some only the kernel knows, and are told in the order of the list.
 */
#ifndef LZ_HANDLERS_REFUSED_H
#define LZ_HANDLERS_REFUSED_H

#include "control/ctl.h"

#define LZ_REFUSED_TOLD 200 /* rows that name what was refused */

struct lz_refused {
	struct lz_refused_line {
		__u32 line; /* 0 = not known */
		char *name; /* NULL = none */
		char *why;
	} v[2 * LZ_REFUSED_TOLD];
	size_t n; /* of v: those to be told are among them */
	__u64 total;
};

/** lz_refused_add() - @name: of the line, "" or NULL = it has none */
void lz_refused_add(struct lz_refused *refused, __u32 line, const char *name, const char *why);

/** lz_refused_tell() - as rows; @of: what a name is, "address" or "prefix" */
void lz_refused_tell(struct lz_refused *refused, struct lz_request *req, const char *of);

/**
 * lz_refused_end() - they are bad lines, so nothing was done: tell them and end the request
 * @list: what kind of list it is, "quarantine" or "exception"
 */
void lz_refused_end(struct lz_refused *refused, struct lz_request *req, const char *list);

void lz_refused_done(struct lz_refused *refused);

#endif /* LZ_HANDLERS_REFUSED_H */
