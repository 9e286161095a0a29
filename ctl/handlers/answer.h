/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * answer.h - what handlers have in common: arguments, errors, the members that many rows share.
 */
#ifndef LZ_HANDLERS_ANSWER_H
#define LZ_HANDLERS_ANSWER_H

#include "control/ctl.h"
#include "control/target.h"

#define LZ_HOLD_DEFAULT_S 259200u /* 72 h: mission.md B1 */

/** lz_end() - the final line with an error; @r: -errno, from which the code follows */
void lz_end(struct lz_request *req, int r, const struct lz_err *err);
void lz_end_invalid(struct lz_request *req, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const char *lz_arg_text(const struct lz_request *req, const char *name); /* NULL = not given */
__u64 lz_arg_int(const struct lz_request *req, const char *name, __u64 missing);
bool lz_arg_bool(const struct lz_request *req, const char *name);

/** lz_ctl_need() - is there an instance? if not, the request is answered and false returned */
bool lz_ctl_need(struct lz_ctl *ctl, struct lz_request *req);
/** lz_arg_target() - whom "address" stands for, to be freed; if nobody, the request is answered and false returned */
bool lz_arg_target(struct lz_ctl *ctl, struct lz_request *req, struct lz_target *ret);
/** lz_arg_host() - the same; what can be no customer's machine is nobody, @or_seen: unless packets came from it */
bool lz_arg_host(struct lz_ctl *ctl, struct lz_request *req, bool or_seen, struct lz_target *ret);

/** lz_json_touched() - keys as the customers' list has them, where all of a prefix are among them; sorts @keys */
void lz_json_touched(struct lz_ctl *ctl, cJSON *obj, const struct lz_target *target, __u64 *keys,
		     size_t n);
/** lz_json_held_now() - the same for what the data plane holds of a target and its case now */
void lz_json_held_now(struct lz_ctl *ctl, cJSON *obj, const struct lz_target *target);
void lz_json_held(struct lz_ctl *ctl, cJSON *obj, const struct lz_held *held);
/**
 * lz_json_excepted() - an exception lets nobody out: what is held already goes on until its end
 * @held: the first of whom it is for; @others: what the "note" of @end says of more, "" = nothing
 * @obj:  gets whom, how and until when
 */
void lz_json_excepted(struct lz_ctl *ctl, cJSON *end, const struct lz_held *held, const char *others, cJSON *obj);
/** lz_json_grade() - "grade", and "garden" if it is one */
void lz_json_grade(cJSON *obj, const char *text);

#endif /* LZ_HANDLERS_ANSWER_H */
