/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * active.h - how many have sent lately, counted as cases are: a customer once, whichever of his addresses
 * sent, and an address that is in no customer list by itself.
 *
 * Counted over a pass of the table. Who asks in between gets what the last whole pass has found, or what
 * this one has so far, if that is more: the guard is never wider than what was really seen.
 */
#ifndef LZ_COLONY_ACTIVE_H
#define LZ_COLONY_ACTIVE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define LZ_ACTIVE_NOBODY 0xffffffffu /* instead of a customer: the address is in no list */

/* All zeros: nobody was seen, and no pass has begun. */
struct lz_active {
	__u64 n; /* of the last pass that ended */
	__u64 found; /* by this one so far */
	__u64 *customers; /* of those: a bit each */
	size_t n_customers;
	bool begun;
};

/**
 * lz_active_begin() - a pass begins, with so many customers; one that was under way is forgotten
 *
 * Return: 0; -ENOMEM: then nothing is counted until the next begins, and the last count stands.
 */
int lz_active_begin(struct lz_active *a, size_t n_customers);

/** lz_active_add() - one has sent: an index below n_customers, or LZ_ACTIVE_NOBODY */
void lz_active_add(struct lz_active *a, __u32 customer);

/** lz_active_end() - the pass has seen all of the table */
void lz_active_end(struct lz_active *a);

__u64 lz_active_count(const struct lz_active *a);
void lz_active_done(struct lz_active *a);

#endif /* LZ_COLONY_ACTIVE_H */
