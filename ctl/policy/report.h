/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report.h - everything that is wrong, or doubtful, in a policy: all of it at once, in the order of
 * the text. Bounded: of each severity the first LZ_REPORT_ITEMS_MAX are kept, the rest counted.
 */
#ifndef LZ_POLICY_REPORT_H
#define LZ_POLICY_REPORT_H

#include <linux/types.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/mem.h"

#define LZ_REPORT_ITEMS_MAX 500

enum lz_severity {
	LZ_SEVERITY_ERROR,
	LZ_SEVERITY_WARNING,
	LZ_SEVERITY_N,
};

struct lz_report_item {
	enum lz_severity severity;
	__u32 line; /* from 1, in @file if that is set, else in the policy; 0 = no place */
	__u32 col; /* from 1, bytes; 0 for a line of a range file */
	char *file; /* range or customer file, or NULL for the policy itself */
	char *pointer; /* JSON Pointer (RFC 6901) into the policy; "" is the whole of it */
	char *text; /* one line, printable ASCII */
};

/* All zeros is an empty report. */
struct lz_report {
	bool in_force; /* of a policy that has been: what was allowed then is a warning, not an error */
	struct lz_report_item *items;
	size_t n;
	size_t cap;
	size_t total[LZ_SEVERITY_N]; /* counts those that were not kept, too */
};

/** lz_report_add() - @item's strings are copied, text is escaped; 0 or -ENOMEM */
int lz_report_add(struct lz_report *report, const struct lz_report_item *item);

/** lz_report_sort() - by place: the policy, then its files */
void lz_report_sort(struct lz_report *report);

/**
 * lz_report_format() - one line each: `policy.json:12:5: error: /classes/x: ...`
 * @name: what to call the policy
 */
int lz_report_format(const struct lz_report *report, const char *name, struct lz_str *out);

const char *lz_severity_name(enum lz_severity severity);
void lz_report_done(struct lz_report *report);

#endif
