/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* own.h - this gateway's own addresses: to hold one of them would cut the operator off. */
#ifndef LZ_CONTROL_OWN_H
#define LZ_CONTROL_OWN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

/* All zeros: none are known. */
struct lz_own {
	struct lz_addr *v; /* sorted, each once */
	size_t n, cap;
};

/** lz_own_read() - as the kernel has them now: a dump by netlink, so once for a list; 0 or -errno, then it has none */
int lz_own_read(struct lz_own *ret);
bool lz_own_has(const struct lz_own *own, const struct lz_addr *addr);
void lz_own_done(struct lz_own *own);

#endif /* LZ_CONTROL_OWN_H */
