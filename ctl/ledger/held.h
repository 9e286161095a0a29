/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * held.h - who is held, by whose order, and what he was before: the rows of the ledger that the kernel's hold
 * words are made from again. Whatever is said in ledger.h of time, threads and errors holds here.
 */
#ifndef LZ_LEDGER_HELD_H
#define LZ_LEDGER_HELD_H

#include "ledger/ledger.h"

struct lz_held {
	__u64 key;
	__u64 case_id; /* 0 = none: of a list, and nothing has happened to it alone */
	__u64 since_s; /* wall clock */
	__u64 made_s; /* wall clock: when the order was given that is in force now */
	__u64 generation; /* of the policy in force then */
	__u64 prior; /* what it was before that order, see lz_held_prior(); 0 = not held */
	__s64 origin; /* 0, or by lz_held_next(): rows with the same have made_s and all texts in common */
	__u32 expiry_s; /* CLOCK_MONOTONIC of this boot */
	__u32 ttl_s; /* as granted, from since or the last extension */
	bool staff_only; /* a list said so; of a case, the case knows */
	bool known; /* lz_held_put(): there is an entry, most likely */
	char grade[LZ_GRADE_TEXT_MAX]; /* as lz_grade_format() has it */
	char address[LZ_ADDR_TEXT_MAX]; /* as it was named; "" = as the key is written */
	char source[LZ_SOURCE_TEXT_MAX]; /* operator, import, limit:NAME */
	char actor[LZ_ACTOR_TEXT_MAX];
	char ticket[LZ_TICKET_TEXT_MAX]; /* "" = none */
	char reason[LZ_REASON_TEXT_MAX]; /* "" = none */
};

/**
 * lz_held_put() - a new entry, or another order for one: what it was before is kept for undo
 *
 * @held->prior is not read. Entries with the same made_s, generation, grade and texts share them on
 * disk: an import writes its reason once.
 */
int lz_held_put(struct lz_ledger *l, const struct lz_held *held, struct lz_err *reterr);
int lz_held_get(struct lz_ledger *l, __u64 key, struct lz_held *ret); /* -ENOENT */
int lz_held_del(struct lz_ledger *l, __u64 key, struct lz_err *reterr); /* -ENOENT */
__u64 lz_held_count(const struct lz_ledger *l);

/**
 * lz_held_get_many() - lz_held_get() of many
 * @v: distinct keys, rising as __s64; all else zero, and so it stays where there is no entry
 */
int lz_held_get_many(struct lz_ledger *l, struct lz_held *v, size_t n, struct lz_err *reterr);

/**
 * lz_held_put_many() - lz_held_put() of many, some 2 us each; slower those that go to another case, end earlier or lose
 * the address that they had
 * @v: distinct keys, rising as __s64; of one made_s
 */
int lz_held_put_many(struct lz_ledger *l, const struct lz_held *v, size_t n, struct lz_err *reterr);

/** lz_held_del_many() - lz_held_del() of many; those that are none are no fault */
int lz_held_del_many(struct lz_ledger *l, const struct lz_held *v, size_t n, struct lz_err *reterr);

/* One of many entries that are read and written together; texts by the id of their origin. */
struct lz_held_row {
	__u64 key;
	__u64 case_id; /* 0 = none */
	__u64 since_s; /* wall clock */
	__u64 prior; /* lz_held_rows_put() sets it.. */
	bool keeps; /* ..and whether this row is the first with it */
	__s64 origin; /* lz_held_origin(); not read */
	__u32 expiry_s; /* CLOCK_MONOTONIC of this boot */
	__u32 ttl_s;
	const char *address; /* as it was named; "" = as the key is written; not read */
	bool known; /* lz_held_rows_get() sets it, and what follows: there is an entry */
	bool named; /* which has an address */
	struct lz_held_was {
		__u64 since_s, prior;
		__s64 origin;
		__u32 expiry_s, ttl_s;
	} was;
};

/** lz_held_rows_get() - what the ledger has of these keys, rising as __s64; 0 or -errno */
int lz_held_rows_get(struct lz_ledger *l, struct lz_held_row *rows, size_t n, struct lz_err *reterr);

/** lz_held_grade() - as lz_grade_format() has it, of an origin; good until the next call of the ledger */
const char *lz_held_grade(struct lz_ledger *l, __s64 origin);
/** lz_held_staff_only() - the same of another word of it */
bool lz_held_staff_only(struct lz_ledger *l, __s64 origin);

/**
 * lz_held_rows_put() - lz_held_put() of many, some 1 us each
 * @rows:   distinct keys, rising; as lz_held_rows_get() found them, in the same batch; none ends earlier
 *          than it did
 * @made_s: wall clock: when the order was given
 * Return: 0; -EINVAL: one would end earlier; -errno; then the caller rolls the batch back.
 */
int lz_held_rows_put(struct lz_ledger *l, struct lz_held_row *rows, size_t n, __u64 made_s,
		     struct lz_err *reterr);

/** lz_held_origin() - the id of who, why and how hard: made_s, generation, grade and texts; or -errno */
__s64 lz_held_origin(struct lz_ledger *l, const struct lz_held *held, struct lz_err *reterr);

/* So many orders are kept that others have taken the place of; the oldest go when lists bring more. Twice a
 * whole colony, some 90 MB. */
#define LZ_HELD_PRIORS_MAX 2000000

/**
 * lz_held_prior() - what an entry was before; @prior of the entry, or of the one before
 *
 * Without its key and address: entries of a list that were the same share what is kept of them.
 * Return: 0; -ENOENT: forgotten, see LZ_HELD_PRIORS_MAX and lz_ledger_prune().
 */
int lz_held_prior(struct lz_ledger *l, __u64 prior, struct lz_held *ret);

/** lz_held_back() - make an entry again what it was at @prior; -ENOENT */
int lz_held_back(struct lz_ledger *l, __u64 key, __u64 prior, struct lz_err *reterr);

/** lz_held_case_set() - an entry of a list gets a case of its own; -ENOENT */
int lz_held_case_set(struct lz_ledger *l, __u64 key, __u64 case_id, struct lz_err *reterr);

/** lz_held_of() - up to @n entries of a case; count or -errno */
int lz_held_of(struct lz_ledger *l, __u64 case_id, struct lz_held *ret, int n);

/** lz_held_of_all() - all of them, on the heap; count or -errno */
int lz_held_of_all(struct lz_ledger *l, __u64 case_id, struct lz_held **ret);

/* An entry of a case, in short. */
struct lz_held_key {
	__u64 key;
	__u32 expiry_s; /* CLOCK_MONOTONIC of this boot */
	bool named; /* it has an address */
};

/** lz_held_keys_of() - all of them in short, on the heap, rising as __s64, which takes half as long; count or -errno */
int lz_held_keys_of(struct lz_ledger *l, __u64 case_id, struct lz_held_key **ret);

/** lz_held_lasts() - has the case an entry that ends after @mono_s? 1, 0 or -errno */
int lz_held_lasts(struct lz_ledger *l, __u64 case_id, __u64 mono_s);

/* Where a walk over the holds stands; {0} at first. Writes in between do no harm. */
struct lz_held_walk {
	bool begun;
	__s64 last;
};

/** lz_held_next() - the next up to @n holds, in a fixed order; returns how many, 0 at the end, -errno */
int lz_held_next(struct lz_ledger *l, struct lz_held_walk *walk, struct lz_held *ret, int n);

struct lz_ended {
	__u64 key;
	__u64 case_id; /* 0 = none */
	__u32 expiry_s; /* CLOCK_MONOTONIC */
};

/**
 * lz_held_due() - up to @n holds to be looked at by @mono_s: all that have ended are among them
 *
 * What is looked for is the end that a hold had before it was extended: a list that comes each hour would
 * else move 600,000 of them in the index each time, which is most of the work. So one whose expiry_s is
 * later comes once, and is for lz_held_look_later(). Return: count or -errno; the oldest first.
 */
int lz_held_due(struct lz_ledger *l, __u64 mono_s, struct lz_ended *ret, int n);

/** lz_held_look_later() - these have not ended: they are due again at their end; 0 or -errno */
int lz_held_look_later(struct lz_ledger *l, const __u64 *keys, size_t n, struct lz_err *reterr);

/* IPv6 sources are told apart by /@to instead of /@from. */
struct lz_rekey {
	unsigned int from, to; /* bits */
	struct lz_now at;
	__u64 max; /* holds that there is room for */
	void (*alive)(void *arg); /* often, while it goes on; NULL: nobody waits */
	void *arg;
};

/**
 * lz_ledger_rekey() - within a batch: another key for whoever is held
 *
 * He stays held, until then or longer, and not softer: a shorter key joins neighbours (hardest grade,
 * latest end, one case, the others are closed), a longer one divides: a customer's case is of all parts,
 * any other is of one. What had ended is closed. Exceptions are prefixes and stay.
 * Return: 0; -ENOSPC with @reterr set, more than @max; -errno.
 */
int lz_ledger_rekey(struct lz_ledger *l, const struct lz_rekey *how, struct lz_err *reterr);

/* How a hold without a case of its own ended. */
struct lz_past {
	__u64 since_s; /* wall clock */
	__u64 ended_s; /* wall clock */
	char grade[LZ_GRADE_TEXT_MAX];
	char source[LZ_SOURCE_TEXT_MAX]; /* who had held it */
	char actor[LZ_ACTOR_TEXT_MAX];
	char ticket[LZ_TICKET_TEXT_MAX];
	char reason[LZ_REASON_TEXT_MAX];
	char by_source[LZ_SOURCE_TEXT_MAX]; /* who ended it; "" = its time was over */
	char by_actor[LZ_ACTOR_TEXT_MAX];
	char by_reason[LZ_REASON_TEXT_MAX];
};

/**
 * lz_held_end() - up to INT_MAX entries without a case end: each leaves a short row of the past
 * @keys: distinct
 * @by:	  who ended them (made_s, source, actor, ticket, reason), the same for all of a command; NULL:
 *	  their time was over
 *
 * An end that was over already is written down as it was, not as @now. Within a batch of the caller.
 * Return: 0; -ENOENT: at least one is none, and the caller rolls back; -errno.
 */
int lz_held_end(struct lz_ledger *l, const __u64 *keys, size_t n, struct lz_now now,
		const struct lz_held *by, struct lz_err *reterr);

/** lz_past_before() - the newest up to @n ends of a key; count or -errno */
int lz_past_before(struct lz_ledger *l, __u64 key, struct lz_past *ret, int n);

#endif /* LZ_LEDGER_HELD_H */
