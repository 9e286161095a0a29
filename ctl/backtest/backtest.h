/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* backtest.h - what a capture came to under a policy: gathered by backtest.c, told by say.c. */
#ifndef LZ_BACKTEST_BACKTEST_H
#define LZ_BACKTEST_BACKTEST_H

#include "base/mem.h"
#include "datapath/replay.h"

struct lz_backtest_source {
	__u64 key;
	struct lz_cell_copy cell;
	__u32 class_;
	__u32 smtp_destinations; /* exact */
};

struct lz_backtest {
	const char *policy_path, *capture_path;
	struct lz_policy *policy;
	struct lz_image *image;
	__u64 packets, bytes; /* bytes as on the wire */
	__u64 first_ns, last_ns; /* wall clock */
	__u64 backwards; /* frames older than one before them */
	__u64 too_short; /* below 14 bytes: unparsed */
	__u64 dropped, would_drop; /* packets */
	__u64 held; /* sources held at the end */
	__u32 end_s; /* the data plane's clock at the end */
	struct lz_port_stats port;
	struct lz_limit_stats limits[LZ_LIMIT_IDS];
	__u64 limit_dropped[LZ_LIMIT_IDS]; /* packets whose refusal was this limit's */
	struct lz_backtest_source *sources; /* most dropped first, then most connections */
	size_t n_sources, sources_cap;
};

/* A limit that would have refused, were it not for monitor mode. */
bool lz_backtest_is_monitored(const struct lz_backtest *b, const struct lz_limit *limit);

const char *lz_backtest_class(const struct lz_backtest *b, __u32 class_);

/** lz_backtest_text() - for people, at most 80 columns; -ENOMEM */
int lz_backtest_text(const struct lz_backtest *b, struct lz_str *out);

/** lz_backtest_json() - "lazaret/backtest" version 1; -ENOMEM */
int lz_backtest_json(const struct lz_backtest *b, struct lz_str *out);

/**
 * lz_backtest_main() - what a policy would have done to the traffic of a capture
 * Return: exit code of enum lz_code; messages on stderr, the document or table on stdout.
 */
int lz_backtest_main(const char *policy_path, const char *capture_path, int json);

#endif /* LZ_BACKTEST_BACKTEST_H */
