/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * strangers.h - whom the kernel holds and the ledger does not know.
 */
#ifndef LZ_CONTROL_STRANGERS_H
#define LZ_CONTROL_STRANGERS_H

struct lz_ctl;

/**
 * lz_strangers_look() - once an instance is open: whom it holds and the ledger does not know
 *
 * Let go if the ledger drives this kernel; if it is another one or an older copy, the ledger learns them.
 */
void lz_strangers_look(struct lz_ctl *ctl);
/** lz_strangers_taken_over() - the same, of an instance that was beside another one until now */
void lz_strangers_taken_over(struct lz_ctl *ctl);

#endif /* LZ_CONTROL_STRANGERS_H */
