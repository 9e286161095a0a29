/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exchange.h - a policy that needs other tables.
 */
#ifndef LZ_HANDLERS_EXCHANGE_H
#define LZ_HANDLERS_EXCHANGE_H

#include "control/ctl.h"

/**
 * lz_exchange() - a policy that needs another instance: other keys, or more room; takes @policy
 *
 * Ledger and policy are one transaction; then the controller ends itself, and the next one fills a new
 * instance beside the one that judges and lets it take over. Whatever can be refused is refused here,
 * and then nothing is changed. @row: actor and file; the rest is set.
 */
int lz_exchange(struct lz_ctl *ctl, struct lz_policy *policy, struct lz_applied *row,
		struct lz_err *reterr);

#endif /* LZ_HANDLERS_EXCHANGE_H */
