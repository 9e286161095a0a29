/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* active.c - how many have sent lately. */
#include "colony/active.h"

#include <errno.h>
#include <stdlib.h>

int lz_active_begin(struct lz_active *a, size_t n_customers)
{
	free(a->customers);
	a->customers = calloc(n_customers / 64 + 1, sizeof(*a->customers));
	a->begun = a->customers;
	a->n_customers = n_customers;
	a->found = 0;
	return a->begun ? 0 : -ENOMEM;
}

void lz_active_add(struct lz_active *a, __u32 customer)
{
	__u64 bit = 1ULL << (customer % 64);

	if (!a->begun)
		return;
	if (customer < a->n_customers) {
		if (a->customers[customer / 64] & bit)
			return;
		a->customers[customer / 64] |= bit;
	}
	a->found++;
}

void lz_active_end(struct lz_active *a)
{
	if (a->begun)
		a->n = a->found;
	lz_active_done(a);
}

__u64 lz_active_count(const struct lz_active *a)
{
	return a->found > a->n ? a->found : a->n;
}

void lz_active_done(struct lz_active *a)
{
	free(a->customers);
	*a = (struct lz_active){ .n = a->n };
}
