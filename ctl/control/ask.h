/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ask.h - what the controller asks of the keeper.
 */
#ifndef LZ_CONTROL_ASK_H
#define LZ_CONTROL_ASK_H

#include "control/ctl.h"

int lz_ctl_open(struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr);
/** lz_ctl_silent_s() - how long has the keeper not answered? 0 = it does, as far as we know */
unsigned long long lz_ctl_silent_s(const struct lz_ctl *ctl);
/** lz_ctl_try() - could an instance for this policy be made beside the one there is? 0 or -errno */
int lz_ctl_try(struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr);
int lz_ctl_inner(struct lz_ctl *ctl, const struct lz_inner_sizes *sizes, struct lz_inner_fds *ret,
		 struct lz_err *reterr);
/** lz_ctl_plan() - lz_wiring_plan() by the keeper, to its end; @flags: LZ_PLAN_F_* */
int lz_ctl_plan(struct lz_ctl *ctl, const struct lz_policy *policy, __u32 slot, __u32 flags,
		struct lz_err *reterr);
/**
 * lz_ctl_wire() - begin to attach the hooks of a policy to come, and return
 * 0: *@policy* is ctl->next's, and @req to be deferred; it is taken up again with ctl->next.wired. -errno: not
 * begun, go on without.
 */
int lz_ctl_wire(struct lz_ctl *ctl, struct lz_request *req, struct lz_policy *policy, bool yes);
/** lz_ctl_wire_turn() - the next slice, or the request again */
void lz_ctl_wire_turn(struct lz_ctl *ctl);
int lz_ctl_keep(struct lz_ctl *ctl, __u32 slot, struct lz_err *reterr);
/** lz_ctl_teller() - a new teller; *ret_fd is the caller's. -EAGAIN: the last one is too young */
int lz_ctl_teller(struct lz_ctl *ctl, int *ret_fd, struct lz_err *reterr);

/** lz_ctl_portal() - the portal that the policy in force wants, or none; a failure is an alarm */
void lz_ctl_portal(struct lz_ctl *ctl);
/** lz_ctl_ports() - *@ret: heap; -ETIMEDOUT: the keeper hangs; @reterr is not set by -ENOMEM */
int lz_ctl_ports(struct lz_ctl *ctl, struct lz_port_told **ret, size_t *ret_n, struct lz_err *reterr);
/** lz_ctl_say() - ALIVE, READY, PING: nobody waits for an answer */
void lz_ctl_say(struct lz_ctl *ctl, enum lz_ask_kind kind);
int lz_ctl_keeper_start(struct lz_ctl *ctl);

#endif /* LZ_CONTROL_ASK_H */
