/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * instance.h - the tables that judge, once the keeper has handed them over: opened, and large enough?
 */
#ifndef LZ_CONTROL_INSTANCE_H
#define LZ_CONTROL_INSTANCE_H

#include "control/ctl.h"

/** lz_ctl_open_tables() - with the maps in hand, everything that works on them */
int lz_ctl_open_tables(struct lz_ctl *ctl, struct lz_err *reterr);

/** lz_ctl_fits() - does a policy fit into the instance there is? 0, -EMEDIUMTYPE or -ENOSPC */
int lz_ctl_fits(const struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr);

#endif /* LZ_CONTROL_INSTANCE_H */
