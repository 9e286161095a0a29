/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * courier.h - between the outbox of the ledger and the teller.
 */
#ifndef LZ_CONTROL_COURIER_H
#define LZ_CONTROL_COURIER_H

#include <cjson/cJSON.h>
#include <linux/types.h>
#include <stddef.h>

struct lz_ctl;

#define LZ_STUCK_S 3600 /* from then on it is an alarm: most retries are over by then */

/** lz_courier_turn() - send what is due; called often, does not wait */
void lz_courier_turn(struct lz_ctl *ctl);
/** lz_courier_send() - something else to the teller, which is started if need be; 0 or -errno */
int lz_courier_send(struct lz_ctl *ctl, const cJSON *message);
/** lz_courier_check() - does one fail for so long or longer, or was one lost? @why: "" = no */
void lz_courier_check(struct lz_ctl *ctl, __u64 age_s, char *why, size_t size);
void lz_courier_say(struct lz_ctl *ctl, cJSON *end); /* "outbox" of status */

#endif /* LZ_CONTROL_COURIER_H */
