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
#ifndef LZ_DAEMON_CASE_H
#define LZ_DAEMON_CASE_H

#include "colony/decide.h"
#include "colony/release.h"

struct lz_ctl;
struct lz_addr;
struct lz_target;

#define LZ_TOKEN_TEXT_MAX 48 /* 43 characters of base64url and a NUL */

/* What a host may be told about itself: no names, no customer, no other host. */
struct lz_case_view {
	__u64 id; /* 0: held by a list, no case of its own yet */
	enum lz_case_state state;
	bool held; /* now, by the data plane */
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

#endif /* LZ_DAEMON_CASE_H */
