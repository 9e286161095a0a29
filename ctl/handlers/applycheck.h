/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * applycheck.h - why apply refuses a policy, or wants a yes: asked by apply, and by diff before it.
 */
#ifndef LZ_HANDLERS_APPLYCHECK_H
#define LZ_HANDLERS_APPLYCHECK_H

#include "control/ctl.h"

/** lz_apply_waits() - does one wait for its confirm? Neither undo nor confirm would know what it means, were there
 *  two: -EBUSY with @reterr set; else 0 */
int lz_apply_waits(struct lz_ctl *ctl, struct lz_err *reterr);

/**
 * lz_apply_leaves() - would a customer port be judged no more? A mistyped glob must not set a street free
 * @ports: of lz_ctl_ports(), before it
 * @then:  what the message ends in
 *
 * Where nothing is judged, or will be, there is nothing to ask. Return: 0; -EPERM with @reterr set.
 */
int lz_apply_leaves(const struct lz_ctl *ctl, const struct lz_policy *policy, const struct lz_port_told *ports,
		    size_t n, const char *then, struct lz_err *reterr);

/** lz_apply_say_wider() - to what lz_ctl_fits() said: a hold is its whole key's, and with a shorter one neighbours of who
 *  is held are held */
void lz_apply_say_wider(const struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *err);

/** lz_apply_refuses() - all of these, and lz_ctl_fits(), in apply's order; its hooks are not tried */
int lz_apply_refuses(struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr);

#endif /* LZ_HANDLERS_APPLYCHECK_H */
