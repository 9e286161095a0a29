/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * failed.h - ports whose hook could not be attached: why, and when it is tried again. Each has its turn, also
 * if there are more than there is time for; a reason is told when it is new, one port's once a minute at most.
 */
#ifndef LZ_DATAPATH_FAILED_H
#define LZ_DATAPATH_FAILED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/units.h"

struct lz_failed_port {
	__u32 ifindex;
	struct lz_err why; /* the last time, "NAME: reason" */
	bool untold; /* that */
	__u64 told_ns; /* CLOCK_MONOTONIC, as all here; 0 = nothing was */
	__u64 due_ns;
	__u64 pause_ns; /* before that; doubles from try to try */
};

struct lz_failed {
	struct lz_failed_port *v;
	size_t n, cap;
};

/** lz_failed_reserve() - room for @n more, so that lz_failed_note() cannot fail; 0 or -ENOMEM with @reterr set */
int lz_failed_reserve(struct lz_failed *list, size_t n, struct lz_err *reterr);

/**
 * lz_failed_note() - it failed now, for the first time or again
 * Return: what is to be told, until the next note or forget; NULL: nothing.
 */
const char *lz_failed_note(struct lz_failed *list, __u32 ifindex, const char *name, const struct lz_err *why,
			   __u64 now_ns);

/** lz_failed_find() - or NULL; good as long */
struct lz_failed_port *lz_failed_find(const struct lz_failed *list, __u32 ifindex);

/** lz_failed_due() - who has waited longest beyond his time; NULL: nobody has */
const struct lz_failed_port *lz_failed_due(const struct lz_failed *list, __u64 now_ns);

/** lz_failed_why() - of the lowest ifindex, "NAME: reason"; "" = there is none */
const char *lz_failed_why(const struct lz_failed *list);

/** lz_failed_forget() - it has its hook, or needs none */
void lz_failed_forget(struct lz_failed *list, __u32 ifindex);

void lz_failed_done(struct lz_failed *list);

#endif
