/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * case.h - cases in the controller: the way into the colony and out of it.
 *
 *   limits, sink, kernel holds --> evidence queue --> decide (ctl/colony) --+
 *   operators, imports, the customer's own release, the clock --------------+--> lz_case_move()
 *
 *   lz_case_move(): case + transition + holds + outbox in one transaction, then the kernel, then read
 *   back, then told. Nothing else holds or frees a single host.
 *
 * While an import has the ledger (ctl->busy) nothing here writes: -EBUSY, and the evidence waits.
 */
#ifndef LZ_CASES_CASE_H
#define LZ_CASES_CASE_H

#include <stddef.h>

#include "colony/decide.h"
#include "colony/release.h"

struct lz_ctl;
struct lz_queue;
struct lz_granted;
struct lz_addr;
struct lz_target;

#define LZ_TOKEN_TEXT_MAX 48 /* 43 characters of base64url and a NUL */

/* What a host may be told about itself: no names, no customer, no other host. */
struct lz_case_view {
	__u64 id; /* 0: held by a list, no case of its own yet */
	enum lz_case_state state;
	bool held; /* now, by the data plane: false also for a case whose hold is not enforced, see lz_hold_off() */
	__u64 since_s; /* wall clock; of the hold */
	__u64 until_s; /* wall clock */
	__u64 released_s; /* wall clock; how the last hold ended lately; 0 = was not held */
	__u64 seen_s; /* newest evidence; 0 = none */
	__u32 left_s; /* of the hold */
	__u32 connections; /* to port 25, since the source was first seen */
	__u32 releases_left;
	__u32 wait_s; /* with LZ_RELEASE_EVIDENCE, LZ_RELEASE_RATE */
	enum lz_release release; /* LZ_RELEASE_MAY, or why not */
	char grade[LZ_GRADE_TEXT_MAX];
	char reason_class[LZ_CASE_CLASS_TEXT_MAX]; /* "" = none */
	char ticket[72]; /* "" = none */
};

/**
 * lz_case_look() - a host's own case
 *
 * Return: 0, also for a host that was let go lately (state released, watch); -ENOENT no case and not
 *         held; -EBUSY the ledger is away for a moment; -EINVAL no source.
 */
int lz_case_look(struct lz_ctl *ctl, const struct lz_addr *addr, struct lz_case_view *ret);

/**
 * lz_case_token() - a single-use token for the button of the page
 *
 * 256 random bits; only their SHA-256 is kept, with case and expiry, on disk when this returns. At most
 * LZ_TOKENS_MAX of a case live: the oldest dies. Return: 0; -ENOENT not held; -EPERM may not release
 * itself; -EAGAIN too many in a minute; -EBUSY; all with @reterr set.
 */
int lz_case_token(struct lz_ctl *ctl, const struct lz_addr *addr,
		  char ret_token[static LZ_TOKEN_TEXT_MAX], struct lz_err *reterr);

/**
 * lz_case_self_release() - the customer says: I am clean
 * @ret_why, @ret_wait_s: why not, for the page
 *
 * Frees all keys of the customer. Return: 0; -EPERM, -EAGAIN, -ENOENT, -EBUSY, -EIO with @reterr set.
 */
int lz_case_self_release(struct lz_ctl *ctl, const struct lz_addr *addr, const char *token,
			 enum lz_release *ret_why, __u32 *ret_wait_s, struct lz_err *reterr);

/**
 * lz_case_seen() - what a held host said to the SMTP sink
 * @helo, @first: as they came, any bytes; escaped and cut here
 *
 * Evidence of kind sink: it is written down within a second, moves nothing, and counts for the quiet
 * minutes of a self-release. 0; -ENOENT not held.
 */
int lz_case_seen(struct lz_ctl *ctl, const struct lz_addr *addr, const char *helo,
		 const char *first);

/* ---------------------------------------------------------------- case.c, open.c */

#define LZ_LINES_MAX 20 /* keys of a customer in a line each; then one for all */
#define LZ_ROWS_MAX  1024 /* keys that who follows is told of; a batch keeps what is to be said in memory */

/* Keys that a move has really held or freed. */
struct lz_moved {
	__u64 *v; /* on the heap, the caller's */
	size_t n;
};

/* What is to become of a case. */
struct lz_move {
	struct lz_case *c; /* as lz_case_open() gave it; what it became afterwards */
	const struct lz_target *target; /* whose keys */
	enum lz_case_state to;
	const struct lz_grade *grade; /* of a hold; NULL: leave what stands, or leaky */
	bool own_keys; /* of a release: what the case holds, not all that its target has by now */
	bool keys_done; /* the caller's batch has written the holds, and he tells the kernel: undo */
	__u32 end_s; /* of a hold, the data plane's clock; 0: leave the end */
	unsigned int exact; /* LZ_EXACT_* */
	bool tells; /* told anew where the state stays: of a step that waits for its grace, or once more */
	const char *event; /* for log and timeline; NULL: after the state */
	const char *actor;
	const char *source; /* operator, limit:NAME, clock, host, undo */
	const char *reason; /* NULL = none */
	const char *ticket; /* NULL = none */
	const char *evidence; /* in words; NULL = none */
	const struct lz_evidence *seen; /* written with it; NULL = none */
	const struct lz_granted *exempt; /* exceptions made with it */
	size_t n_exempt;
	struct lz_moved *moved; /* filled when it is done; NULL: nobody asks */
	__u64 left_out; /* set: the customer's keys that are not held with it, for the colony is full */
};

/**
 * lz_case_open() - the case of a target that goes on, or a new one (id 0) that takes what counts along
 *
 * An entry of a list gets a case of its own here, with the transition that made it. Return: 0, -errno.
 */
int lz_case_open(struct lz_ctl *ctl, const struct lz_target *target, struct lz_case *ret,
		 struct lz_err *reterr);

/**
 * lz_case_peek() - the same without writing: id 0 for an entry of a list; -ENOENT: nothing is known
 * @target: without its keys is enough, lz_target_look()
 */
int lz_case_peek(struct lz_ctl *ctl, const struct lz_target *target, struct lz_case *ret);

/** lz_case_is_staffs() - did an operator say of case @id that its host may not let himself out? 0: no case */
bool lz_case_is_staffs(const struct lz_ctl *ctl, __u64 id);

/**
 * lz_case_move() - case, transition, holds, evidence, exceptions, messages: one transaction; then the
 * kernel, read back, and told
 * @ret_changed: did a hold or the state change? If not, only the case itself was written
 *
 * If the kernel does not take it, it is taken back from the ledger, with a transition that says so.
 * A colony that has no room for all of a customer holds the target's own key, and what it has of the others.
 * Return: 0; -ENOSPC full; -EBUSY an import runs; -EPROTO no such arrow; -errno; @reterr set.
 */
int lz_case_move(struct lz_ctl *ctl, struct lz_move *move, bool *ret_changed, struct lz_err *reterr);

/* ---------------------------------------------------------------- owner.c */

/** lz_case_is_of() - is it a case of this target: of the same customer, or without one of its key? */
bool lz_case_is_of(const struct lz_case *c, const struct lz_target *target);
/** lz_case_is_others() - is there such a case, and it is not of this target? */
bool lz_case_is_others(struct lz_ctl *ctl, __u64 case_id, const struct lz_target *target);

/**
 * lz_case_target() - whose keys a case is about, as the policy in force knows them
 *
 * Return: 0 with @ret to be freed; -ENOENT: the customer has none any more; -errno.
 */
int lz_case_target(struct lz_ctl *ctl, const struct lz_case *c, struct lz_target *ret);

/**
 * lz_case_emptied() - an entry has left this case for another: if it was the last, the case is released
 *
 * Within the caller's batch. 0 or -errno with @reterr set.
 */
int lz_case_emptied(struct lz_ctl *ctl, __u64 case_id, struct lz_err *reterr);

/**
 * lz_case_hand_over() - what a case holds of somebody else's by now goes to cases of theirs
 * @ret_any: did anything go? Then the case may be over
 *
 * Return: 0; -EBUSY an import runs; -errno; @reterr set.
 */
int lz_case_hand_over(struct lz_ctl *ctl, __u64 case_id, bool *ret_any, struct lz_err *reterr);

struct lz_held;
/** lz_case_lost() - does an entry belong to another customer than its case by now? */
bool lz_case_lost(struct lz_ctl *ctl, const struct lz_held *held);

/** lz_case_owners() - the same for all that is held, after a confirmed change of policy, and whoever is in a shared
 * class by now is let go; until @until_ns */
void lz_case_owners(struct lz_ctl *ctl, __u64 until_ns);

/**
 * lz_case_free_shared() - an entry in a class that is shared ends, and all such of its case
 *
 * Return: 0; 1: it has no case, and is for lz_case_free_entries(); -errno with @reterr.
 */
int lz_case_free_shared(struct lz_ctl *ctl, const struct lz_held *held, struct lz_err *reterr);
/** lz_case_free_entries() - such entries of lists end, in one batch; 0, -errno with @reterr */
int lz_case_free_entries(struct lz_ctl *ctl, const __u64 *keys, size_t n, struct lz_err *reterr);

/** lz_case_refilled() - an entry went back to its case as @held has it: if that holds nothing, it does again */
int lz_case_refilled(struct lz_ctl *ctl, const struct lz_held *held, const char *actor,
		     struct lz_err *reterr);

/* ---------------------------------------------------------------- queue.c, clock.c */

struct lz_event;
struct lz_policy_limit;

int lz_queue_new(struct lz_queue **ret);

/** lz_case_drain() - all evidence that waits is taken now; 0, or -EBUSY after some seconds */
int lz_case_drain(struct lz_ctl *ctl);

/** lz_case_event() - LIMIT, WOULD and HOLD of the data plane; cheap: only queued */
void lz_case_event(struct lz_ctl *ctl, const struct lz_event *event);

/** lz_hold_learn() - of a limit in the kernel, found by the sweep: into the evidence queue */
void lz_hold_learn(void *ctl, __u64 key, __u64 word);

/** lz_case_found() - a source, of the sweep: is it active, is it over a limit whose event was lost with a full ring? */
void lz_case_found(void *ctl, __u64 key, __u32 slot);
/** lz_case_lost_look() - between two passes of the sweep: were events lost since the last one? */
void lz_case_lost_look(struct lz_ctl *ctl);

/** lz_case_evidence() - that moves nothing: written down with the next turn, in one batch */
void lz_case_evidence(struct lz_ctl *ctl, const struct lz_evidence *e);

/** lz_case_turn() - a few times a second: evidence, then what the clock moves; at most 20 ms */
void lz_case_turn(struct lz_ctl *ctl);

/** lz_case_clock() - ends of holds, of graces, of watches; until @until_ns (CLOCK_MONOTONIC) */
void lz_case_clock(struct lz_ctl *ctl, __u64 until_ns);

/** lz_case_facts() - what decide.h wants to know of a target; asks the guard only with @ask */
void lz_case_facts(struct lz_ctl *ctl, const struct lz_target *target, bool ask, __u64 when_s,
		   struct lz_facts *ret);

struct lz_policy_class;
/** lz_limit_find() - a limit of the policy in force by the id that the data plane knows; NULL */
const struct lz_policy_limit *lz_limit_find(const struct lz_ctl *ctl, __u16 id,
					    const struct lz_policy_class **ret_class);
const char *lz_limit_class(const struct lz_policy_limit *limit); /* LZ_CLASS_* */
/** lz_limit_apart_s() - going over it again within so long is the same incident */
__u32 lz_limit_apart_s(const struct lz_policy_limit *limit);
/** lz_ladder_of_limit() - where it leads; `notify` is a ladder of one step. false: nowhere */
bool lz_ladder_of_limit(const struct lz_ctl *ctl, const struct lz_policy_limit *limit,
			struct lz_ladder *ret);

/** lz_ladder_of() - a ladder of the policy in force by its name; false: there is none */
bool lz_ladder_of(const struct lz_ctl *ctl, const char *name, struct lz_ladder *ret);

/** lz_case_guard_look() - has it tripped, or is it over? Then that is written down */
void lz_case_guard_look(struct lz_ctl *ctl);
void lz_case_guard_reset(struct lz_ctl *ctl, const char *actor);
/** lz_case_guard_restore() - at the start: the guard as it was */
void lz_case_guard_restore(struct lz_ctl *ctl);

struct lz_guard_rule lz_guard_rule_of(const struct lz_ctl *ctl);
/** lz_case_active_found() - a source in a slot, of the sweep, in the order in which they lie */
void lz_case_active_found(struct lz_ctl *ctl, __u64 key, __u32 slot);
/** lz_case_active_end() - the sweep has been through the table */
void lz_case_active_end(struct lz_ctl *ctl);
/** lz_sources_active() - how many have sent within "idle": customers, and addresses in no customer list */
__u64 lz_sources_active(const struct lz_ctl *ctl);

#endif /* LZ_CASES_CASE_H */
