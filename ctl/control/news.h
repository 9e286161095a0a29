/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * news.h - telling others of cases: tickets, webhooks, mail.
 */
#ifndef LZ_CONTROL_NEWS_H
#define LZ_CONTROL_NEWS_H

#include "policy/policy.h"

struct lz_ctl;

/* What became of a case. Texts may be NULL; those about a person leave only if the policy says so. */
struct lz_news {
	enum lz_tell event;
	__u64 case_id; /* > 0 */
	__u64 opened_s; /* wall clock: when the case began; stays the same over its life */
	__u64 since_s; /* wall clock */
	__u64 until_s; /* wall clock; 0: open */
	const char *grade; /* "garden:leaky", "block25", "throttle 10/min" */
	const char *reason; /* class of it, a word or two, never free text */
	const char *source; /* operator, import, limit:NAME, .. */
	const char *ticket;
	const char *address;
	const char *customer;
};

/**
 * lz_news_post() - put a message for each way of the policy's "tell" into the outbox
 *
 * Within a batch the messages are part of it. Does nothing without "tell", or if it does not ask
 * for this event. A full outbox is logged and told by status, never an error of the case.
 * Return: 0, or -errno of the ledger with @reterr set.
 */
int lz_news_post(struct lz_ctl *ctl, const struct lz_news *news, struct lz_err *reterr);

#endif /* LZ_CONTROL_NEWS_H */
