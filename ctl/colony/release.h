/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * release.h - may a customer let himself out? Twice, then a person looks; and not while the thing
 * goes on.
 *
 * The default numbers are those of a study of 1,736 quarantines (SOUPS 2018): two thirds release
 * themselves, 71 % of those are clean then; on the second round 48 %. Pure.
 */
#ifndef LZ_COLONY_RELEASE_H
#define LZ_COLONY_RELEASE_H

#include "colony/case.h"

#define LZ_RELEASE_TIMES_DEFAULT 2
#define LZ_RELEASE_QUIET_S	 600
#define LZ_TOKENS_MAX		 4    /* live ones of a case */
#define LZ_TOKEN_LIFE_S		 900  /* a page that was left open for longer is loaded anew */
#define LZ_TOKEN_TRIES_MAX	 5    /* wrong ones a case may show in LZ_TOKEN_TRIES_S */
#define LZ_TOKEN_TRIES_S	 60

struct lz_release_rule {
	__u32 times; /* 0: only staff */
	__u32 quiet_s;
};

enum lz_release {
	LZ_RELEASE_MAY,
	LZ_RELEASE_NOT_HELD,
	LZ_RELEASE_STAFF, /* an operator wants to speak to him */
	LZ_RELEASE_USED_UP,
	LZ_RELEASE_EVIDENCE, /* something harmful was seen just now; *ret_wait_s */
	LZ_RELEASE_TOKEN, /* unknown, used or too old */
	LZ_RELEASE_RATE, /* too many tries; *ret_wait_s */
	LZ_RELEASE_N,
};

extern const char *const lz_release_texts[LZ_RELEASE_N];

/**
 * lz_release_ask() - may this case release itself now?
 * @seen_s:     newest evidence of any kind, also what the sink saw; 0 = none
 * @ret_wait_s: with LZ_RELEASE_EVIDENCE: when to ask again; else 0
 */
enum lz_release lz_release_ask(const struct lz_case *c, const struct lz_release_rule *rule,
			       __u64 seen_s, __u64 now_s, __u32 *ret_wait_s);

/** lz_release_left() - how often it still may */
__u32 lz_release_left(const struct lz_case *c, const struct lz_release_rule *rule);

#endif /* LZ_COLONY_RELEASE_H */
