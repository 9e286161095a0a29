/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * defer.h - requests that wait: while an import has the ledger, or a policy's hooks are attached.
 */
#ifndef LZ_CONTROL_DEFER_H
#define LZ_CONTROL_DEFER_H

#include "serve/serve.h"

struct lz_ctl;

/** lz_ctl_wait() - while an import runs: keep the request for later; true = return now. Else what is in force is
 * what the data plane judges by: lz_running_look() */
bool lz_ctl_wait(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again);
/** lz_ctl_wait_policy() - the same, also while another policy's hooks are attached */
bool lz_ctl_wait_policy(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again);
/** lz_ctl_defer() - keep the request for later; false: no memory, it is answered */
bool lz_ctl_defer(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again);
/** lz_ctl_resume() - nothing is busy any more: take them all up again */
void lz_ctl_resume(struct lz_ctl *ctl);

#endif /* LZ_CONTROL_DEFER_H */
