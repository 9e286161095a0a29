/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * applycheck.h - why apply refuses a policy, or wants a yes: asked by apply, and by diff before it.
 */
#ifndef LZ_HANDLERS_APPLYCHECK_H
#define LZ_HANDLERS_APPLYCHECK_H

#include "base/json.h"
#include "control/ctl.h"

/** lz_apply_waits() - does one wait for its confirm? Neither undo nor confirm would know what it means, were there
 *  two: -EBUSY with @reterr set; else 0 */
int lz_apply_waits(struct lz_ctl *ctl, struct lz_err *reterr);

/**
 * lz_apply_guards() - what apply wants a yes for: a customer port would not be judged any more, who is held would not
 *		       be held back, or it needs other tables
 * @ports: of lz_ctl_ports(), before it
 * @then:  what the text of one that needs no more than a yes ends in
 * @list:  an array; each of them is added as a text
 *
 * Return: of lz_ctl_fits(); 0 also where there are no tables yet.
 */
int lz_apply_guards(const struct lz_ctl *ctl, const struct lz_policy *policy, const struct lz_port_told *ports,
		    size_t n, const char *then, cJSON *list);

/** lz_apply_frees() - one of these: who is held would not be held back. Undo asks it, too */
void lz_apply_frees(const struct lz_ctl *ctl, const struct lz_policy *policy, const char *then, cJSON *list);

/** lz_apply_has_yes() - a yes to all of @reasons, so that nobody says it to one thing and means no other; false: @req is
 *  answered with them */
bool lz_apply_has_yes(struct lz_request *req, const cJSON *reasons);

/** lz_apply_refuses() - lz_apply_waits() and all of these, in apply's order; likewise. Its hooks are not tried */
int lz_apply_refuses(struct lz_ctl *ctl, const struct lz_policy *policy, cJSON *list);

#endif /* LZ_HANDLERS_APPLYCHECK_H */
