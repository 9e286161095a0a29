/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hold.h - holds on their way from the ledger into the kernel.
 */
#ifndef LZ_CONTROL_HOLD_H
#define LZ_CONTROL_HOLD_H

#include "ledger/held.h"

struct lz_ctl;

/** lz_hold_to_kernel() - an entry of the ledger into the kernel, and read back */
int lz_hold_to_kernel(struct lz_ctl *ctl, const struct lz_held *held, struct lz_err *reterr);

/** lz_hold_room() - may @n more be held? -ENOSPC with the reason: the colony is full */
int lz_hold_room(struct lz_ctl *ctl, size_t n, struct lz_err *reterr);
void lz_hold_restore(struct lz_ctl *ctl);

/** lz_hold_word() - for the data plane; -ENOSPC: no room for one more rate */
int lz_hold_word(struct lz_ctl *ctl, const struct lz_held *held, __u64 *ret_word,
		 struct lz_err *reterr);
/**
 * lz_hold_beside_kernel() - a lz_hold_beside_fn: @word for a host that a limit holds already
 * @ctl: struct lz_ctl
 *
 * What a limit granted and the ledger does not know yet is kept: its later end, its harder grade, and its
 * mark, by which the sweep finds it for the books.
 */
__u64 lz_hold_beside_kernel(void *ctl, __u64 stands, __u64 word);

/** lz_hold_grade() - how hard is this word? */
void lz_hold_grade(const struct lz_ctl *ctl, __u64 word, struct lz_grade *ret);
/** lz_grade_check() - does the policy in force know it, and can the kernel do it? -EINVAL, -ERANGE with what they know */
int lz_grade_check(const struct lz_ctl *ctl, const struct lz_grade *grade, struct lz_err *reterr);
__u64 lz_colony_max(const struct lz_ctl *ctl);

#endif /* LZ_CONTROL_HOLD_H */
