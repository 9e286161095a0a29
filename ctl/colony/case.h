/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * case.h - a case: one customer (or, without a customer list, one address) on its way into the colony
 * and out of it.
 *
 *   observed --> notified --> throttled --> blocked25 --> garden
 *      |            |             |             |            |      each may be skipped, never
 *      |            |             +------+------+------------+      gone back through
 *      |            |                    v
 *      |            |                 released --> watch (14 days) --> closed
 *      +------------+---------------------------------------------------^
 *
 * Evidence while a case is released or watched goes on with the ladder where it stood. Times are
 * seconds of the wall clock; how long a host is held is the data plane's business and kept in its own
 * clock, see ledger.h. Pure.
 */
#ifndef LZ_COLONY_CASE_H
#define LZ_COLONY_CASE_H

#include <linux/types.h>
#include <stdbool.h>

#include "colony/grade.h"

#define LZ_CASE_CUSTOMER_TEXT_MAX 65
#define LZ_CASE_LADDER_TEXT_MAX	  33
#define LZ_CASE_CLASS_TEXT_MAX	  24
#define LZ_CASE_SOURCE_TEXT_MAX	  40

#define LZ_CASE_ACTED_MAX	  12

#define LZ_CASE_HOLD_MAX_S    2678400u /* 31 days, as the kernel caps it */
#define LZ_CASE_RELEASED_S    60u      /* then it is watched; flows of the portal live 30 s of it */
#define LZ_CASE_WATCH_S	      (14u * 86400) /* mission.md: was he cleaned after 14 days? */

enum lz_case_state {
	LZ_CASE_OBSERVED, /* there is evidence, nothing was done */
	LZ_CASE_NOTIFIED, /* told, not held; perhaps a step waits for the end of its grace */
	LZ_CASE_THROTTLED,
	LZ_CASE_BLOCKED25,
	LZ_CASE_GARDEN,
	LZ_CASE_RELEASED,
	LZ_CASE_WATCH,
	LZ_CASE_CLOSED,
	LZ_CASE_N,
};

extern const char *const lz_case_state_words[LZ_CASE_N];

/* Why, in a word that a page or a ticket queue can translate; never whose data. */
#define LZ_CLASS_VOLUME  "smtp-volume"	/* too many connections to port 25 */
#define LZ_CLASS_FANOUT  "smtp-fan-out" /* too many mail servers */
#define LZ_CLASS_SYN	 "connections"	/* too many connections of any kind */
#define LZ_CLASS_REPORT  "report"	/* somebody else saw it: a list, a detector */
#define LZ_CLASS_STAFF	 "staff"	/* an operator decided */

/* When a limit moved a case: an incident is of a limit. */
struct lz_case_acted {
	__u64 time_s; /* of the evidence; 0 = no entry */
	char source[LZ_CASE_SOURCE_TEXT_MAX];
};

struct lz_case {
	__u64 id; /* given by the ledger */
	__u64 key; /* of the address it began with */
	char customer[LZ_CASE_CUSTOMER_TEXT_MAX]; /* "" = none */
	enum lz_case_state state;
	char ladder[LZ_CASE_LADDER_TEXT_MAX]; /* "" = none */
	__s32 step; /* of the ladder, last taken; -1 = none */
	struct lz_grade grade; /* in force, or waiting for the end of the grace */
	__u32 for_s; /* of that grade */
	__u32 self_releases; /* since the ladder forgot last */
	bool staff_only; /* an operator said: no self-release */
	__u64 opened_s;
	__u64 changed_s;
	__u64 due_s; /* when the clock moves it next; 0 = not by the clock */
	__u64 until_s; /* end of the hold, for the reader; 0 = not held */
	__u64 evidence_s; /* the newest that counts; 0 = none */
	__u64 acted_s; /* the evidence that moved it last; 0 = none */
	struct lz_case_acted acted[LZ_CASE_ACTED_MAX]; /* the same by source; full: the oldest goes */
	__u64 freed_s; /* an operator let him go: only newer evidence counts; 0 = never */
	char reason_class[LZ_CASE_CLASS_TEXT_MAX];
	char source[LZ_CASE_SOURCE_TEXT_MAX]; /* who began it: operator, import, limit:NAME */
};

/** lz_case_state_parse() - a word of lz_case_state_words; -EINVAL */
int lz_case_state_parse(const char *word, enum lz_case_state *ret);

/** lz_case_state_of() - in which state a hold of this grade is; NOTIFIED for no hold */
enum lz_case_state lz_case_state_of(const struct lz_grade *grade);

/** lz_case_holds() - throttled, blocked25 or garden */
bool lz_case_holds(enum lz_case_state state);

/** lz_case_waits() - notified that he will be held once a grace is over? */
bool lz_case_waits(const struct lz_case *c);

/** lz_case_acted_s() - when was the evidence of this source that moved it last? 0 = none did */
__u64 lz_case_acted_s(const struct lz_case *c, const char *source);

/** lz_case_act() - evidence of this source moves it */
void lz_case_act(struct lz_case *c, const char *source, __u64 time_s);

/** lz_case_may_move() - is there such an arrow in the picture above? Staying is one for held states */
bool lz_case_may_move(enum lz_case_state from, enum lz_case_state to);

#endif /* LZ_COLONY_CASE_H */
