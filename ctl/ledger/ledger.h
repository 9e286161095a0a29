/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ledger.h - what must survive: policies as applied, who is held (held.h), cases, exceptions, the timeline.
 *
 * One SQLite database (WAL, synchronous=FULL) in the state folder. A call that returned 0 outside
 * of a batch is on the disk: the daemon answers "ok" only then (I6). Who opens it owns it: a lock on
 * the folder keeps a second daemon out.
 *
 * Time is an argument. A hold's end is kept in seconds of CLOCK_MONOTONIC, the data plane's clock,
 * so that no step of the wall clock moves it. Beside it stands one row with the boot's id and both
 * clocks as of the last write; on another boot what remains of a hold is
 *
 *	(end - clock then) - max(0, wall clock now - wall clock then)
 *
 * so a clock that ran backwards never makes a hold longer than it was (faults.md F10, F11).
 *
 * One thread writes; lz_ledger_commit_aside() may run in another one meanwhile (the connection is serialized),
 * and so may lz_ledger_checkpoint(), for which nobody waits.
 * Errors: -EIO, -ENOSPC, -EROFS, -EBUSY of the disk, -EBADMSG a damaged database,
 * -ENOMEM, -ESTALE the file is not the one that was opened; always with @reterr set where there is one.
 */
#ifndef LZ_LEDGER_LEDGER_H
#define LZ_LEDGER_LEDGER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "colony/decide.h"

#define LZ_LEDGER_FILE	  "ledger.db"
#define LZ_LEDGER_SCHEMA  7
#define LZ_ACTOR_TEXT_MAX 64
#define LZ_SOURCE_TEXT_MAX 40
#define LZ_TICKET_TEXT_MAX 72
#define LZ_REASON_TEXT_MAX 264
#define LZ_EVENT_TEXT_MAX 32
#define LZ_FILE_TEXT_MAX  256
#define LZ_STATE_TEXT_MAX 16
#define LZ_NAME_TEXT_MAX  33
#define LZ_BOOT_ID_TEXT_MAX 40

struct lz_ledger;

struct lz_now {
	__u64 wall_s;
	__u64 mono_s; /* CLOCK_MONOTONIC */
};

/**
 * lz_ledger_open() - open or create the database of a state folder
 * @boot_id: /proc/sys/kernel/random/boot_id; holds of another boot are converted, see above
 *
 * Return: 0; -EBADMSG damaged or no database; -EPROTONOSUPPORT written by a newer version; -EBUSY
 *         another daemon has it; -ELOOP a symbolic link; -EROFS, -ENOSPC, -EIO, -EACCES its disk or rights.
 *         The file is never repaired or replaced.
 */
int lz_ledger_open(const char *dir, const char *boot_id, struct lz_now now, struct lz_ledger **ret,
		   struct lz_err *reterr);
void lz_ledger_close(struct lz_ledger **ledger);

/**
 * lz_ledger_open_stand_in() - one that cannot be written, or is damaged in part: a copy of it, to start by
 * @dir: its state folder, which is locked as by lz_ledger_open()
 * @aside: a folder in memory for the copy; a file of the ledger's name there is overwritten
 * @why: what lz_ledger_open() said; what lz_ledger_look() and each commit say after lz_ledger_seal() begins with it
 *
 * What says how to judge must be whole: policies, holds, exceptions; histories need not.
 * Return: 0; -ENOENT there is none, or no policy in it was ever confirmed; -errno, -EBADMSG as above.
 */
int lz_ledger_open_stand_in(const char *dir, const char *aside, const char *boot_id, struct lz_now now,
			    const struct lz_err *why, struct lz_ledger **ret, struct lz_err *reterr);

/** lz_ledger_seal() - of a stand-in, at the end of the start: nothing is acknowledged, each commit is -ESTALE */
void lz_ledger_seal(struct lz_ledger *l);

bool lz_ledger_is_stand_in(const struct lz_ledger *l);

/**
 * lz_ledger_is_back() - can the one that @l stands for be opened and written again?
 *
 * It is, and closed again: a new start finds it ready. Takes as long as lz_ledger_open(); one that was found damaged
 * is not opened again before it is another. Return: 0 or -errno.
 */
int lz_ledger_is_back(struct lz_ledger *l, const char *boot_id, struct lz_now now);

/**
 * lz_ledger_look() - is its file still the one that was opened?
 *
 * Every commit asks that by itself: -ESTALE with @reterr set if it was removed or replaced meanwhile.
 * Any thread's.
 */
int lz_ledger_look(const struct lz_ledger *l, struct lz_err *reterr);

/** lz_ledger_log_is_long() - is it time for a checkpoint? */
bool lz_ledger_log_is_long(const struct lz_ledger *l);

/** lz_ledger_log_is_full() - so long that no commit should come before a checkpoint */
bool lz_ledger_log_is_full(const struct lz_ledger *l);

/**
 * lz_ledger_checkpoint() - bring what is committed from the log into the database; in a thread
 *
 * Takes two syncs. What is acknowledged is safe without it, only the log grows: a failure is tried again
 * after the next commit. Return: 0, -EIO or -ESTALE.
 */
int lz_ledger_checkpoint(struct lz_ledger *l, struct lz_err *reterr);

/* Which ledger this is and how much is in it, so that whoever drives a kernel by it can tell an older copy of
 * it, or another one, from the one that the kernel was driven by last. */
struct lz_ledger_mark {
	__u64 id;   /* random */
	__u64 turn; /* batches that were committed; rising */
};

/** lz_ledger_mark() - as of the last commit */
struct lz_ledger_mark lz_ledger_mark(const struct lz_ledger *l);

/** lz_ledger_on_commit() - @fn after every batch that was committed, by who ends it: the mark is new */
void lz_ledger_on_commit(struct lz_ledger *l, void (*fn)(void *arg), void *arg);

/** lz_ledger_on_end() - @fn after every batch: does it @stand, or was it rolled back? */
void lz_ledger_on_end(struct lz_ledger *l, void (*fn)(void *arg, bool stands), void *arg);

/** lz_ledger_part() - within a batch: from now on another ledger than those it is a copy of; 0 or -errno */
int lz_ledger_part(struct lz_ledger *l, struct lz_err *reterr);

/** lz_ledger_tick() - write the clocks down; every 30 s or so: a crash of the machine costs no more */
int lz_ledger_tick(struct lz_ledger *l, struct lz_now now, struct lz_err *reterr);

/** lz_ledger_clocks() - as they were written down last before it was opened; both 0: not in this boot */
struct lz_now lz_ledger_clocks(const struct lz_ledger *l);

/*
 * A batch: many writes, one transaction, one sync. Nothing in it is acknowledged before
 * lz_ledger_commit() returned 0. Batches do not nest (-EALREADY).
 */
int lz_ledger_begin(struct lz_ledger *l, struct lz_err *reterr);
int lz_ledger_commit(struct lz_ledger *l, struct lz_err *reterr);

/**
 * lz_ledger_commit_aside(), lz_ledger_commit_end() - the same in two parts
 * The first is what takes long, and may run in another thread while this one reads; the second, with
 * what the first returned, is this one's: it forgets what a failed batch has left in memory.
 */
int lz_ledger_commit_aside(struct lz_ledger *l, struct lz_err *reterr);
int lz_ledger_commit_end(struct lz_ledger *l, int r);
void lz_ledger_rollback(struct lz_ledger *l);

/**
 * lz_ledger_end() - commit if all went well, @r is 0; else roll back, if lz_ledger_begin() had come so far
 * Return: @r, or what the commit says.
 */
int lz_ledger_end(struct lz_ledger *l, int r, struct lz_err *reterr);

/**
 * lz_ledger_begin_lazy() - a batch that is not waited for: after a loss of power it may not have been
 *
 * For what is found again and done again, such as ends of holds. It survives a kill like any other, and
 * never is there a later batch without it.
 */
int lz_ledger_begin_lazy(struct lz_ledger *l, struct lz_err *reterr);
bool lz_ledger_in_batch(const struct lz_ledger *l);

/* ---------------------------------------------------------------- cases */

/** lz_case_put() - write a case; with id 0 it is new, and @c->id is set */
int lz_case_put(struct lz_ledger *l, struct lz_case *c, struct lz_err *reterr);
int lz_case_get(struct lz_ledger *l, __u64 id, struct lz_case *ret); /* -ENOENT */

/** lz_case_find() - the newest of this customer, or without one ("") of this key; -ENOENT */
int lz_case_find(struct lz_ledger *l, __u64 key, const char *customer, struct lz_case *ret);

/** lz_case_due() - up to @n cases that the clock moves, the longest due first; count or -errno */
int lz_case_due(struct lz_ledger *l, __u64 wall_s, struct lz_case *ret, int n);

/** lz_case_sums() - how many are in each state, closed ones not counted; 0 or -errno */
int lz_case_sums(struct lz_ledger *l, __u64 ret[static LZ_CASE_N]);

/** lz_cases_automatic() - how many cases hold by what a limit or a ladder decided: not how many keys */
__u64 lz_cases_automatic(struct lz_ledger *l);

/* A step of a case. Never changed, never deleted but with its case. */
struct lz_transition {
	__u64 id; /* set by the ledger, rising */
	__u64 case_id;
	__u64 time_s; /* wall clock */
	__u64 until_s; /* wall clock, of the hold; 0 = none */
	__u64 due_s; /* wall clock: when the clock moves it on; 0 = it does not */
	__u64 generation;
	__s32 step_from, step_to; /* of the ladder */
	enum lz_case_state from, to;
	char grade[LZ_GRADE_TEXT_MAX];
	char source[LZ_SOURCE_TEXT_MAX];
	char actor[LZ_ACTOR_TEXT_MAX];
	char ticket[LZ_TICKET_TEXT_MAX];
	char reason[LZ_REASON_TEXT_MAX];
	char evidence[LZ_REASON_TEXT_MAX];
};

int lz_transition_add(struct lz_ledger *l, const struct lz_transition *t, struct lz_err *reterr);

/** lz_transition_before() - of a case, newest first, ids below @below; count or -errno */
int lz_transition_before(struct lz_ledger *l, __u64 case_id, __u64 below, struct lz_transition *ret,
			 int n);

/**
 * lz_transition_since() - which cases were moved since then by @who (source or actor; "" = anybody)
 * @after: only ids above. Up to @n case ids in their order; count or -errno
 */
int lz_transition_since(struct lz_ledger *l, __u64 wall_s, const char *who, __u64 after, __u64 *ret,
			int n);

/** lz_ledger_knows() - has @who (source or actor) done anything that is remembered? Reads all there is, if not */
bool lz_ledger_knows(struct lz_ledger *l, const char *who);

/* How many were held anew by a limit or a ladder in one second. */
struct lz_second {
	__u64 time_s; /* wall clock */
	__u32 count;
};

/** lz_transition_seconds() - in (@after_s, @until_s], wall clock, the newest first; count or -errno */
int lz_transition_seconds(struct lz_ledger *l, __u64 after_s, __u64 until_s, struct lz_second *ret,
			  int n);

/* ---------------------------------------------------------------- evidence */

#define LZ_EVIDENCE_ROWS_MAX 100 /* of a case: the first, and the newest */
#define LZ_EVIDENCE_MERGE_S  60	 /* the same again within so long is counted, not written anew */

/** lz_evidence_add() - or count it to the last one, if that says the same */
int lz_evidence_add(struct lz_ledger *l, const struct lz_evidence *e, struct lz_err *reterr);

/** lz_evidence_before() - of a case, newest first, ids below @below; count or -errno */
int lz_evidence_before(struct lz_ledger *l, __u64 case_id, __u64 below, struct lz_evidence *ret,
		       int n);

/** lz_evidence_seen() - when the newest was seen that no monitored rule said; 0 = none */
__u64 lz_evidence_seen(struct lz_ledger *l, __u64 case_id);

/* ---------------------------------------------------------------- tokens */

#define LZ_TOKEN_HASH_BYTES 32

/** lz_token_add() - the oldest live ones beyond @max of the case die, and all that are over */
int lz_token_add(struct lz_ledger *l, const __u8 hash[static LZ_TOKEN_HASH_BYTES], __u64 case_id,
		 __u64 wall_s, __u64 life_s, int max, struct lz_err *reterr);

/** lz_token_take() - use it up; -ENOENT: unknown, of another case, used, or not of this time */
int lz_token_take(struct lz_ledger *l, const __u8 hash[static LZ_TOKEN_HASH_BYTES], __u64 case_id,
		  __u64 wall_s, __u64 life_s, struct lz_err *reterr);

/** lz_token_end() - all of a case die */
int lz_token_end(struct lz_ledger *l, __u64 case_id, struct lz_err *reterr);

/* ---------------------------------------------------------------- audit */

struct lz_audit {
	__u64 id; /* set by the ledger, rising */
	__u64 time_s; /* wall clock, of the first */
	__u32 count; /* the same question again within a minute */
	__u32 uid;
	__u32 code; /* enum lz_code: how it ended */
	char role[12];
	char actor[LZ_ACTOR_TEXT_MAX];
	char cmd[LZ_EVENT_TEXT_MAX];
	char object[LZ_FILE_TEXT_MAX]; /* address, prefix, file */
};

/** lz_audit_add() - who looked, who changed; or count it to the last row, if that says the same */
int lz_audit_add(struct lz_ledger *l, const struct lz_audit *row, struct lz_err *reterr);
/** lz_audit_before() - newest first, ids below @below; count or -errno */
int lz_audit_before(struct lz_ledger *l, __u64 below, struct lz_audit *ret, int n);

/** lz_ledger_prune() - forget what is older than @wall_s, some of each table; 0 or -errno */
int lz_ledger_prune(struct lz_ledger *l, __u64 wall_s, int n);

/* ---------------------------------------------------------------- policies */

/* States: applying -> pending -> confirmed | expired | undone; confirmed -> undone. */
#define LZ_STATE_APPLYING  "applying"
#define LZ_STATE_PENDING   "pending"
#define LZ_STATE_CONFIRMED "confirmed"
#define LZ_STATE_EXPIRED   "expired"
#define LZ_STATE_UNDONE	   "undone"
#define LZ_STATE_FAILED	   "failed"

/** lz_ledger_shed() - give back the pages in the cache that hold nothing unwritten */
void lz_ledger_shed(struct lz_ledger *l);

/**
 * lz_ledger_shed_idle() - the same, if the cache is large and hardly read since this was last asked
 *
 * A walk through all holds leaves 32 MB behind. Return: true: given back; malloc_trim() is the caller's.
 */
bool lz_ledger_shed_idle(struct lz_ledger *l);

struct lz_applied {
	__u64 generation;
	__u64 applied_s; /* wall clock */
	__u64 deadline_s; /* wall clock; 0 = no confirmation asked for */
	__u64 origin; /* the generation whose text this is: another one after an undo */
	__u64 base; /* the generation that its text is a change of; 0: it is whole */
	char name[LZ_NAME_TEXT_MAX];
	char actor[LZ_ACTOR_TEXT_MAX];
	char file[LZ_FILE_TEXT_MAX]; /* "" = not told */
	char state[LZ_STATE_TEXT_MAX];
	bool has_text; /* read only; see lz_applied_forget() */
};

/**
 * lz_applied_add() - write a policy down; @row->generation is taken as it is
 * @ids: what keeps its counters over a restart, see lz_image_ids_print()
 */
int lz_applied_add(struct lz_ledger *l, const struct lz_applied *row, const char *text,
		   const char *ids, struct lz_err *reterr);
int lz_applied_state(struct lz_ledger *l, __u64 generation, const char *state, struct lz_err *reterr);

/** lz_applied_ids() - its ids have learnt something since, see lz_image_outlive() */
int lz_applied_ids(struct lz_ledger *l, __u64 generation, const char *ids, struct lz_err *reterr);

/** lz_applied_get() - @ret_text, @ret_ids: heap memory of the caller, or NULL; -ENOENT */
int lz_applied_get(struct lz_ledger *l, __u64 generation, struct lz_applied *ret, char **ret_text,
		   char **ret_ids);

/** lz_applied_forget() - the texts and ids of all generations but those @kept; their rows stay */
int lz_applied_forget(struct lz_ledger *l, const __u64 *kept, size_t n, struct lz_err *reterr);

/** lz_applied_last() - the newest in this state with a generation below @below; -ENOENT */
int lz_applied_last(struct lz_ledger *l, const char *state, __u64 below, struct lz_applied *ret);

/** lz_applied_before() - up to @n rows with a generation below @below, newest first; count or -errno */
int lz_applied_before(struct lz_ledger *l, __u64 below, struct lz_applied *ret, int n);
__u64 lz_applied_highest(struct lz_ledger *l); /* generation; 0 = none */

/* ---------------------------------------------------------------- exceptions */

struct lz_granted {
	struct lz_prefix prefix;
	__u64 since_s; /* wall clock */
	__u64 until_s; /* wall clock */
	__u32 flags; /* LZ_EXCEPTION_* */
	char ticket[LZ_TICKET_TEXT_MAX];
	char actor[LZ_ACTOR_TEXT_MAX];
};

int lz_granted_put(struct lz_ledger *l, const struct lz_granted *row, struct lz_err *reterr);
int lz_granted_get(struct lz_ledger *l, const struct lz_prefix *prefix, struct lz_granted *ret);
int lz_granted_del(struct lz_ledger *l, const struct lz_prefix *prefix, struct lz_err *reterr);
__u64 lz_granted_count(const struct lz_ledger *l);

/** lz_granted_next() - rows after @after (NULL: from the first), ordered by text; count or -errno */
int lz_granted_next(struct lz_ledger *l, const struct lz_prefix *after, struct lz_granted *ret,
		    int n);

/* ---------------------------------------------------------------- timeline */

struct lz_note {
	__u64 id; /* set by the ledger, rising */
	__u64 time_s; /* wall clock */
	__u64 key; /* 0 = not about one source */
	__u64 until_s; /* wall clock; 0 = none */
	__u64 generation;
	char event[LZ_EVENT_TEXT_MAX];
	char object[LZ_FILE_TEXT_MAX]; /* address, file, interface, .. */
	char actor[LZ_ACTOR_TEXT_MAX];
	char reason[LZ_REASON_TEXT_MAX];
};

int lz_note_add(struct lz_ledger *l, const struct lz_note *note, struct lz_err *reterr);

/** lz_note_before() - the timeline of one key, newest first, ids below @below; count or -errno */
int lz_note_before(struct lz_ledger *l, __u64 key, __u64 below, struct lz_note *ret, int n);

/** lz_note_last() - the newest note with this event, of any key; -ENOENT */
int lz_note_last(struct lz_ledger *l, const char *event, struct lz_note *ret);

/** lz_note_prune() - forget up to @n notes older than @wall_s; count or -errno */
int lz_note_prune(struct lz_ledger *l, __u64 wall_s, int n);

/* ---------------------------------------------------------------- outbox: who is still to be told */

#define LZ_OUTBOX_ROWS_MAX  10000
#define LZ_OUTBOX_BODY_MAX  2048
#define LZ_OUTBOX_ERROR_MAX 200
#define LZ_OUTBOX_KEY_CHARS 32

enum lz_outbox_way { LZ_OUTBOX_HOOK, LZ_OUTBOX_WEBHOOK, LZ_OUTBOX_MAIL, LZ_OUTBOX_WAY_N };

/* One message on one way. It is there until it was delivered or given up. */
struct lz_outbox {
	__u64 id; /* given by the ledger, rising, never used twice */
	__u64 time_s; /* wall clock: since when */
	__u64 next_s; /* wall clock: not before */
	__u64 case_id;
	__u32 tries; /* that failed */
	__u32 way; /* enum lz_outbox_way */
	char key[LZ_OUTBOX_KEY_CHARS + 1]; /* the same at every try: receivers tell repetitions by it */
	char event[LZ_EVENT_TEXT_MAX];
	char error[LZ_OUTBOX_ERROR_MAX]; /* of the last try; "" = none yet */
	char body[LZ_OUTBOX_BODY_MAX]; /* JSON */
};

/** lz_outbox_add() - all but id, tries and error of @row; -ENOSPC with LZ_OUTBOX_ROWS_MAX waiting */
int lz_outbox_add(struct lz_ledger *l, const struct lz_outbox *row, struct lz_err *reterr);

/**
 * lz_outbox_due() - up to @n rows of a way whose time has come, the longest due first; count or -errno
 * @far_s: rows set for more than so long from now are due too: somebody set the clock back
 */
int lz_outbox_due(struct lz_ledger *l, enum lz_outbox_way way, __u64 now_s, __u64 far_s,
		  struct lz_outbox *ret, int n);

/** lz_outbox_retry() - one try more has failed; -ENOENT */
int lz_outbox_retry(struct lz_ledger *l, __u64 id, __u64 next_s, const char *error,
		    struct lz_err *reterr);
int lz_outbox_del(struct lz_ledger *l, __u64 id, struct lz_err *reterr); /* -ENOENT */
__u64 lz_outbox_count(const struct lz_ledger *l);

/** lz_outbox_oldest() - of those that failed at least once: the one waiting longest; -ENOENT */
int lz_outbox_oldest(struct lz_ledger *l, struct lz_outbox *ret);

#endif /* LZ_LEDGER_LEDGER_H */
