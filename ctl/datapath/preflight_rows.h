/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * preflight_rows.h - how checks add to a report. Inside this room only.
 */
#ifndef LZ_DATAPATH_PREFLIGHT_ROWS_H
#define LZ_DATAPATH_PREFLIGHT_ROWS_H

#include "datapath/preflight.h"

/** lz_preflight_add() - one row; @todo is dropped when the result is ok; 0 or -ENOMEM */
int lz_preflight_add(struct lz_preflight *report, enum lz_preflight_result result,
		     const char *check, const char *todo, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/** lz_preflight_ports() - the rows of every interface the rules mean; 0 or -ENOMEM */
int lz_preflight_ports(const struct lz_port_rule *rules, size_t n, struct lz_preflight *report);

/** lz_preflight_devices() - without a policy: what there is to be named in one; 0 or -ENOMEM */
int lz_preflight_devices(struct lz_preflight *report);

#endif
