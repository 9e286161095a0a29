/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * timeline.h - all that is known of a host or a case, in the order in which it happened.
 */
#ifndef LZ_HANDLERS_TIMELINE_H
#define LZ_HANDLERS_TIMELINE_H

#include "ledger/held.h"

struct cJSON;
struct lz_ctl;
struct lz_request;
struct lz_target;

/** lz_timeline_say() - rows of all that is known of a target, oldest first */
void lz_timeline_say(struct lz_ctl *ctl, struct lz_request *req, const struct lz_target *target);

/** lz_timeline_case() - the same of one case alone: what was seen, what became of it */
void lz_timeline_case(struct lz_ctl *ctl, struct lz_request *req, __u64 case_id);

/**
 * lz_timeline_undone() - write down that an order for a host is taken back, who goes on held as before it
 * @by: who undoes it and why, see lz_held_end(); @held: the order; within a batch of the caller
 *
 * The order itself is forgotten with it, as far as no transition tells of it. Return: 0 or -errno.
 */
int lz_timeline_undone(struct lz_ctl *ctl, const struct lz_held *by, const struct lz_held *held,
		       const struct lz_held *before, struct lz_err *reterr);

/** lz_json_case() - state, step, what comes next and the way out, into an answer */
void lz_json_case(struct lz_ctl *ctl, struct cJSON *obj, const struct lz_target *target);

/** lz_json_case_row() - what of it the case itself knows: no way out */
void lz_json_case_row(struct lz_ctl *ctl, struct cJSON *obj, const struct lz_case *c);

#endif /* LZ_HANDLERS_TIMELINE_H */
