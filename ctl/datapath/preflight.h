/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * preflight.h - will it work on this machine? Asked before anything is touched, without a daemon.
 */
#ifndef LZ_DATAPATH_PREFLIGHT_H
#define LZ_DATAPATH_PREFLIGHT_H

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "datapath/netdev.h"

enum lz_preflight_result { LZ_PREFLIGHT_OK, LZ_PREFLIGHT_WARN, LZ_PREFLIGHT_FAIL, LZ_PREFLIGHT_N };

struct lz_preflight_row {
	char check[48]; /* "kernel" "tcx" "eth0: driver" .. */
	enum lz_preflight_result result;
	char what[200]; /* what was found */
	char todo[200]; /* "" if nothing is to be done */
};

struct lz_preflight {
	struct lz_preflight_row *v;
	size_t n, cap;
};

struct lz_preflight_input {
	const struct lz_port_rule *rules; /* NULL without a policy: then every interface is a row */
	size_t n_rules;
	bool portal; /* the policy has one */
	const char *sendmail; /* the program that mail goes by, NULL: it goes by SMTP, or there is none */
	const char *mail_user; /* who runs it */
	__u64 memory_bytes; /* what instance and policy will need; 0 = unknown */
};

/**
 * lz_preflight_run() - every check; a check that fails is a row, not an error
 * Needs root for the probes; without it those rows say so. Return: 0 or -ENOMEM.
 */
int lz_preflight_run(const struct lz_preflight_input *input, struct lz_preflight *ret);
void lz_preflight_done(struct lz_preflight *report);

/** lz_preflight_worst() - the worst row */
enum lz_preflight_result lz_preflight_worst(const struct lz_preflight *report);

/** lz_preflight_print() - a line a row, broken at @columns (SIZE_MAX: never); 0 or -ENOMEM */
int lz_preflight_print(const struct lz_preflight *report, size_t columns, struct lz_str *out);

/** lz_preflight_json() - [{"check","result","what","todo"}]; NULL: no memory */
cJSON *lz_preflight_json(const struct lz_preflight *report);

#endif
