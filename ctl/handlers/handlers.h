/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * handlers.h - one for each command of the protocol, and what the loop asks of their files.
 */
#ifndef LZ_HANDLERS_HANDLERS_H
#define LZ_HANDLERS_HANDLERS_H

#include "control/ctl.h"

#define LZ_HANDLER(name) void name(struct lz_request *req, void *arg)
LZ_HANDLER(lz_h_status);
LZ_HANDLER(lz_h_health);
LZ_HANDLER(lz_h_doctor);
LZ_HANDLER(lz_h_top);
LZ_HANDLER(lz_h_monitor);
LZ_HANDLER(lz_h_policy_diff);
LZ_HANDLER(lz_h_policy_apply);
LZ_HANDLER(lz_h_policy_confirm);
LZ_HANDLER(lz_h_policy_undo);
LZ_HANDLER(lz_h_policy_show);
LZ_HANDLER(lz_h_policy_history);
LZ_HANDLER(lz_h_policy_counters);
LZ_HANDLER(lz_h_source_list);
LZ_HANDLER(lz_h_source_show);
LZ_HANDLER(lz_h_why);
LZ_HANDLER(lz_h_quarantine_add);
LZ_HANDLER(lz_h_quarantine_set);
LZ_HANDLER(lz_h_quarantine_del);
LZ_HANDLER(lz_h_quarantine_list);
LZ_HANDLER(lz_h_quarantine_show);
LZ_HANDLER(lz_h_quarantine_import);
LZ_HANDLER(lz_h_quarantine_export);
LZ_HANDLER(lz_h_quarantine_undo);
LZ_HANDLER(lz_h_quarantine_guard);
LZ_HANDLER(lz_h_audit_list);
LZ_HANDLER(lz_h_exception_add);
LZ_HANDLER(lz_h_exception_del);
LZ_HANDLER(lz_h_exception_list);
LZ_HANDLER(lz_h_exception_import);
LZ_HANDLER(lz_h_exception_export);
LZ_HANDLER(lz_h_portal_options);
LZ_HANDLER(lz_h_range_lookup);
LZ_HANDLER(lz_h_range_export);
LZ_HANDLER(lz_h_range_audit);
LZ_HANDLER(lz_h_range_add);
LZ_HANDLER(lz_h_range_del);
LZ_HANDLER(lz_h_bypass_on);
LZ_HANDLER(lz_h_bypass_off);
LZ_HANDLER(lz_h_bypass_status);

/** lz_audit_end() - for serve.h: who looked, who changed; lz_audit_turn() - write it down */
void lz_audit_end(void *ctl, const struct lz_request *req, bool mutates, enum lz_code code);
void lz_audit_turn(struct lz_ctl *ctl);

/** lz_portal_listen() - while still root; -ENOENT: there is no account lazaret-portal */
int lz_portal_listen(const struct lz_options *o, uid_t *ret_uid, struct lz_err *reterr);
/** lz_portal_open() - answer at the gate; takes @fd */
int lz_portal_open(struct lz_ctl *ctl, int fd, uid_t uid, struct lz_err *reterr);
/** lz_portal_look() - has the policy, or one of its files, changed what the portal was told? It reads it anew */
void lz_portal_look(struct lz_ctl *ctl);
/** lz_portal_check_api() - why certificate or key of the API cannot be used, and what to do; "" = they are */
void lz_portal_check_api(const struct lz_ctl *ctl, char *ret, size_t size);

/** lz_bypass_look() - switched by hand, or is its time over? */
void lz_bypass_look(struct lz_ctl *ctl);

#endif /* LZ_HANDLERS_HANDLERS_H */
