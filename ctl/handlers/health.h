/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * health.h - what status, health and doctor say alike.
 */
#ifndef LZ_HANDLERS_HEALTH_H
#define LZ_HANDLERS_HEALTH_H

#include "control/ctl.h"

struct lz_health {
	const char *name;
	bool ok;
	char why[sizeof(((struct lz_err *)0)->text)];
};
#define LZ_HEALTH_CHECKS 16
size_t lz_health_look(struct lz_ctl *ctl, struct lz_health ret[static LZ_HEALTH_CHECKS]);

bool lz_bypass_is_on(const struct lz_ctl *ctl);
void lz_bypass_say(struct lz_ctl *ctl, cJSON *obj); /* "bypass": since when, until when, by whom */

#endif /* LZ_HANDLERS_HEALTH_H */
