/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * decide.h - case + evidence + policy -> what happens now, or why nothing does.
 *
 * Invariants (t_colony_random):
 *   never shorter   what happens by itself shortens and softens no hold
 *   never longer    no hold ends later than 31 days from now
 *   closed          every decision is an arrow of case.h
 *   people first    an operator's release holds until there is evidence newer than it
 *
 * Pure: time and all that is known of the host are arguments. Nothing is remembered here.
 */
#ifndef LZ_COLONY_DECIDE_H
#define LZ_COLONY_DECIDE_H

#include "colony/guard.h"
#include "colony/ladder.h"

#define LZ_EVIDENCE_TEXT_MAX 264
#define LZ_EVIDENCE_KIND_TEXT_MAX 16

enum lz_evidence_kind {
	LZ_EVIDENCE_LIMIT,    /* over a limit of the policy */
	LZ_EVIDENCE_HOLD,     /* a limit in the kernel held it already */
	LZ_EVIDENCE_SINK,     /* talked to the SMTP sink while held */
	LZ_EVIDENCE_REPORT,   /* a detector or a list */
	LZ_EVIDENCE_STAFF,    /* an operator */
	LZ_EVIDENCE_N,
};

extern const char *const lz_evidence_words[LZ_EVIDENCE_N];

struct lz_evidence {
	__u64 id; /* given by the ledger */
	__u64 case_id;
	__u64 time_s; /* when it was seen */
	__u64 value;
	__u64 at_most; /* 0 = no such thing */
	__u32 count; /* how often within a minute, >= 1 */
	__u32 apart_s; /* closer to what its source moved the case by last: the same incident */
	enum lz_evidence_kind kind;
	bool proven; /* not to be had by forging the source: a handshake, a validated port */
	bool would; /* of a rule in monitor mode */
	char source[LZ_CASE_SOURCE_TEXT_MAX]; /* limit:NAME, sink, .. */
	char reason_class[LZ_CASE_CLASS_TEXT_MAX];
	char text[LZ_EVIDENCE_TEXT_MAX];
};

/* What else is known about the host. */
struct lz_facts {
	bool shared; /* many customers behind one address */
	bool never; /* in the never-list, the gateway's own, no host at all */
	bool exempt; /* an exception is in force */
	enum lz_guard_answer guard; /* what the guard says to one more */
};

enum lz_decided {
	LZ_DECIDED_MOVE,     /* ret->to, grade, for_s, step, due_s */
	LZ_DECIDED_RECORD,   /* write the evidence down, nothing else: see why */
	LZ_DECIDED_REFUSE,   /* it would move, but must not: see why */
};

enum lz_why_not {
	LZ_WHY_NOT_NONE,
	LZ_WHY_NOT_OLD,	      /* not newer than an operator's release */
	LZ_WHY_NOT_SAME,      /* the incident that was acted upon already */
	LZ_WHY_NOT_TOLD,      /* and the ladder has no more to offer */
	LZ_WHY_NOT_HELD,      /* what a held host is known to do */
	LZ_WHY_NOT_MONITOR,
	LZ_WHY_NOT_GRACE,     /* a step waits for the end of its grace already */
	LZ_WHY_NOT_SHARED,
	LZ_WHY_NOT_NEVER,
	LZ_WHY_NOT_EXEMPT,
	LZ_WHY_NOT_FORGEABLE,
	LZ_WHY_NOT_GUARD,
	LZ_WHY_NOT_N,
};

extern const char *const lz_why_not_texts[LZ_WHY_NOT_N];

struct lz_decision {
	enum lz_decided what;
	enum lz_why_not why;
	enum lz_case_state to;
	struct lz_grade grade; /* in force from now, or waiting until due_s */
	__u32 for_s; /* of the hold; 0: none */
	__s32 step;
	__u64 due_s; /* of the case after the move; 0 = not by the clock */
	__u32 self_releases; /* 0 when the ladder has forgotten */
};

/**
 * lz_decide_evidence() - new evidence meets a case
 * @c:      state, step and times are read; a case that is new is OBSERVED with step -1. Who has decided
 *          to move tells it by lz_case_act()
 * @ladder: of the rule the evidence is of; NULL: there is none, it is recorded
 * @now_s:  wall clock
 *
 * Order of the answers: monitor, never, shared, exempt, old, grace, same incident, held in a garden;
 * then the step is chosen, and refused if it holds on forgeable evidence or against the guard.
 */
void lz_decide_evidence(const struct lz_case *c, const struct lz_ladder *ladder,
			const struct lz_evidence *e, const struct lz_facts *facts, __u64 now_s,
			struct lz_decision *ret);

/**
 * lz_decide_clock() - does time alone move this case?
 * @held: is it held now, by the data plane's clock?
 *
 * The end of a grace enforces its step (facts as above), a hold that is over releases, and so on to
 * closed. Return: true with *ret set: LZ_DECIDED_MOVE, or LZ_DECIDED_REFUSE for a step that may not be
 * taken now, then ret->due_s is when to ask again.
 */
bool lz_decide_clock(const struct lz_case *c, bool held, const struct lz_facts *facts, __u64 now_s,
		     struct lz_decision *ret);

/* ---------------------------------------------------------------- one key's hold */

struct lz_terms {
	__u64 end_s; /* of whatever clock the caller has */
	__u32 ttl_s; /* as granted */
	struct lz_grade grade;
};

/* An operator's word is taken as it is, in part or whole. */
#define LZ_EXACT_TIME  1 /* shorten, too */
#define LZ_EXACT_GRADE 2 /* soften, too */

/**
 * lz_terms_merge() - what a hold becomes
 * @old:   what stands, NULL or ended: nothing
 * @grade: NULL: leave what stands, or leaky
 * @end_s: wanted end; at most 31 days from now are given; 0: leave the end, and hold nobody who is not
 *         held
 * @exact: LZ_EXACT_*; else what stands only becomes longer and harder
 *
 * Return: has anything changed?
 */
bool lz_terms_merge(const struct lz_terms *old, const struct lz_grade *grade, __u64 end_s,
		    unsigned int exact, __u64 now_s, struct lz_terms *ret);

#endif /* LZ_COLONY_DECIDE_H */
