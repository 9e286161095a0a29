/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * target.h - what an address stands for: the keys that are held together, and whether they may be.
 */
#ifndef LZ_CONTROL_TARGET_H
#define LZ_CONTROL_TARGET_H

#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

struct lz_ctl;

#define LZ_TARGET_KEYS_MAX 1024 /* keys of one customer that are held together */

/* What an address stands for. */
struct lz_target {
	struct lz_addr addr;
	__u64 key;
	__u64 *keys; /* all that are held together; the address's own is among them */
	size_t n_keys;
	struct lz_prefix *touched; /* the same, as prefixes */
	size_t n_touched;
	const char *customer; /* NULL = none; belongs to the policy */
	size_t shared; /* keys of his that are left out: many customers are behind them */
	__u32 class_;
};

int lz_target_find(struct lz_ctl *ctl, const char *address, struct lz_target *ret,
		   struct lz_err *reterr);
void lz_target_done(struct lz_target *target);

/** lz_target_check() - may it be held? 0, or -EPERM with the reason */
int lz_target_check(struct lz_ctl *ctl, const struct lz_target *target, struct lz_err *reterr);
/** lz_hold_check_addr() - may one address be held? -EPERM with the reason, which does not repeat it */
int lz_hold_check_addr(struct lz_ctl *ctl, const struct lz_addr *addr, __u64 key,
		       struct lz_err *reterr);

#endif /* LZ_CONTROL_TARGET_H */
