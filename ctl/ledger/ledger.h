/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ledger.h - what must survive: policies as applied, who is held, exceptions, and the timeline.
 *
 * One SQLite database (WAL, synchronous=FULL) in the state folder. A call that returned 0 outside
 * of a batch is on the disk: the daemon answers "ok" only then (I6). Who opens it owns it: SQLite's
 * exclusive lock keeps a second daemon out.
 *
 * Time is an argument. A hold's end is kept in seconds of CLOCK_MONOTONIC, the data plane's clock,
 * so that no step of the wall clock moves it. Beside it stands one row with the boot's id and both
 * clocks as of the last write; on another boot what remains of a hold is
 *
 *	(end - clock then) - max(0, wall clock now - wall clock then)
 *
 * so a clock that ran backwards never makes a hold longer than it was (faults.md F10, F11).
 *
 * Single thread. Errors: -EIO, -ENOSPC, -EROFS, -EBUSY of the disk, -EBADMSG a damaged database,
 * -ENOMEM; always with @reterr set where there is one.
 */
#ifndef LZ_LEDGER_LEDGER_H
#define LZ_LEDGER_LEDGER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

#define LZ_LEDGER_FILE	  "ledger.db"
#define LZ_LEDGER_SCHEMA  2
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
 *         another daemon has it; -ELOOP a symbolic link. The file is never repaired or replaced.
 */
int lz_ledger_open(const char *dir, const char *boot_id, struct lz_now now, struct lz_ledger **ret,
		   struct lz_err *reterr);
void lz_ledger_close(struct lz_ledger **ledger);

/** lz_ledger_tick() - write the clocks down; every 30 s or so: a crash of the machine costs no more */
int lz_ledger_tick(struct lz_ledger *l, struct lz_now now, struct lz_err *reterr);

/*
 * A batch: many writes, one transaction, one sync. Nothing in it is acknowledged before
 * lz_ledger_commit() returned 0. Batches do not nest (-EALREADY).
 */
int lz_ledger_begin(struct lz_ledger *l, struct lz_err *reterr);
int lz_ledger_commit(struct lz_ledger *l, struct lz_err *reterr);
void lz_ledger_rollback(struct lz_ledger *l);
bool lz_ledger_in_batch(const struct lz_ledger *l);

/* ---------------------------------------------------------------- holds */

struct lz_held {
	__u64 key;
	__u64 since_s; /* wall clock */
	__u64 generation; /* of the policy in force then */
	__u32 expiry_s; /* CLOCK_MONOTONIC of this boot */
	__u32 ttl_s; /* as granted, from since or the last extension */
	__u8 garden; /* enum lz_garden */
	char address[LZ_ADDR_TEXT_MAX]; /* as it was named */
	char source[LZ_SOURCE_TEXT_MAX]; /* operator, import, limit:NAME */
	char actor[LZ_ACTOR_TEXT_MAX];
	char ticket[LZ_TICKET_TEXT_MAX]; /* "" = none */
	char reason[LZ_REASON_TEXT_MAX]; /* "" = none */
};

int lz_held_put(struct lz_ledger *l, const struct lz_held *held, struct lz_err *reterr);
int lz_held_get(struct lz_ledger *l, __u64 key, struct lz_held *ret); /* -ENOENT */
int lz_held_del(struct lz_ledger *l, __u64 key, struct lz_err *reterr); /* -ENOENT */
__u64 lz_held_count(const struct lz_ledger *l);

/* Where a walk over the holds stands; {0} at first. Writes in between do no harm. */
struct lz_held_walk {
	bool begun;
	__s64 last;
};

/** lz_held_next() - the next up to @n holds, in a fixed order; returns how many, 0 at the end, -errno */
int lz_held_next(struct lz_ledger *l, struct lz_held_walk *walk, struct lz_held *ret, int n);

/** lz_held_ended() - up to @n holds whose end is not after @mono_s, the oldest first; count or -errno */
int lz_held_ended(struct lz_ledger *l, __u64 mono_s, struct lz_held *ret, int n);

/* ---------------------------------------------------------------- policies */

/* States: applying -> pending -> confirmed | expired | undone; confirmed -> undone. */
#define LZ_STATE_APPLYING  "applying"
#define LZ_STATE_PENDING   "pending"
#define LZ_STATE_CONFIRMED "confirmed"
#define LZ_STATE_EXPIRED   "expired"
#define LZ_STATE_UNDONE	   "undone"
#define LZ_STATE_FAILED	   "failed"

struct lz_applied {
	__u64 generation;
	__u64 applied_s; /* wall clock */
	__u64 deadline_s; /* wall clock; 0 = no confirmation asked for */
	__u64 origin; /* the generation whose text this is: another one after an undo */
	char name[LZ_NAME_TEXT_MAX];
	char actor[LZ_ACTOR_TEXT_MAX];
	char file[LZ_FILE_TEXT_MAX]; /* "" = not told */
	char state[LZ_STATE_TEXT_MAX];
};

/**
 * lz_applied_add() - write a policy down; @row->generation is taken as it is
 * @ids: what keeps its counters over a restart, see lz_image_ids_print()
 */
int lz_applied_add(struct lz_ledger *l, const struct lz_applied *row, const char *text,
		   const char *ids, struct lz_err *reterr);
int lz_applied_state(struct lz_ledger *l, __u64 generation, const char *state, struct lz_err *reterr);

/** lz_applied_get() - @ret_text, @ret_ids: heap memory of the caller, or NULL; -ENOENT */
int lz_applied_get(struct lz_ledger *l, __u64 generation, struct lz_applied *ret, char **ret_text,
		   char **ret_ids);

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
