/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hostlist.h - a list of hosts to be held, as quarantine.import gets it (proto.h): read in slices, every line
 * before anything is done.
 *
 *   read    a line is an entry
 *   join    holding one address of a customer holds all of his: an entry for each, for all lines that name
 *           him together - for each line it would be a thousand times as many
 *   sort    by key
 *   unite   what may not be held is refused, the entries of a key become one
 *
 * What stands behind address and time is mostly the same on line after line: it is parsed once, as an
 * order, and an entry is no more than 24 bytes.
 */
#ifndef LZ_HANDLERS_HOSTLIST_H
#define LZ_HANDLERS_HOSTLIST_H

#include <stdint.h>

#include "base/lines.h"
#include "control/ctl.h"
#include "control/own.h"
#include "handlers/refused.h"

#define LZ_LIST_SLOTS 256 /* orders that are remembered while reading */
#define LZ_LIST_ALONG UINT32_MAX /* the address of an entry that no line has named */

struct lz_list_order {
	const char *text; /* in the list, from the grade on; NULL: of several lines */
	bool graded;
	bool leaky_first; /* the first line gave no grade: who is not held begins in leaky */
	bool capped; /* wanted to be throttled at more than the kernel can do */
	bool cut; /* the reason was too long */
	bool staff_only; /* nobody of these lets himself out */
	struct lz_grade grade; /* if graded: the hardest */
	const char *ticket; /* in the list; NULL = none */
	const char *reason; /* in the list; NULL = none */
	__u32 ticket_len, reason_len; /* bytes */
};

struct lz_list_entry {
	__u64 key;
	__u32 address; /* where it stands in the list; LZ_LIST_ALONG: it is a customer's */
	__u32 line;
	__u32 end_s; /* of the data plane's clock, later than it was when the list came */
	__u32 order;
};

/* What several entries come to: as if each had been a list of its own. */
struct lz_list_sum {
	__u32 end_s;
	__u32 of; /* the order of all of them, if not mixed */
	bool mixed;
	struct lz_list_order order;
};

/* A customer whom lines name, by addresses that are one or more. */
struct lz_list_customer {
	__u32 address, line; /* of the first of them */
	struct lz_list_sum sum;
};

/* The entries of a key, as far as they have been united. */
struct lz_list_key {
	__u64 key;
	bool begun;
	bool named; /* by a line, which may be held */
	bool joined; /* by its customer, likewise */
	bool refused; /* a line was */
	__u32 address, end_s; /* of the line that ends last */
	__u32 line; /* the first; none: of the customer */
	struct lz_list_sum sum; /* if named or joined */
	__u32 why_line; /* of its customer, if that may not be held; 0 = it may, or there is none */
	struct lz_err why;
};

struct lz_list {
	struct lz_ctl *ctl;
	char *text; /* cut into words */
	size_t len;
	struct lz_lines lines;
	__u32 now_s; /* of the data plane's clock, when it came: however long it is read, times count from here */
	__u64 over; /* lines whose time was over when the list came: they are no entries */
	__u64 capped, cut; /* lines with such an order */
	__u64 lines_n; /* that are entries; after join */
	__u64 doubled; /* of them: whose key an earlier line has named; after unite */
	__u64 named; /* keys that are held, and lines name them; after unite */
	__u64 apart; /* customers of whom only what lines name is held: they have too many keys; after join */
	__u64 along; /* keys that only their customer is held by; after unite */
	struct lz_list_entry *v;
	struct lz_list_order *orders;
	size_t n, cap, n_orders, orders_cap;
	__u32 slots[LZ_LIST_SLOTS]; /* 1 + index of an order, by a hash of its text or of what it says */
	const char *time; /* the last one, and what it says */
	__u32 time_end_s;
	struct lz_list_customer *customers;
	__u32 *customer_of; /* 1 + index of them, by their number in the policy; NULL: none yet */
	size_t n_customers, customers_cap, n_joined;
	struct lz_own own; /* as of the beginning of unite */
	struct lz_list_key uniting;
	size_t n_looked, n_united; /* of v */
};

/** lz_list_init() - takes @text, heap memory, NUL-terminated */
void lz_list_init(struct lz_list *list, struct lz_ctl *ctl, char *text, size_t len);
void lz_list_done(struct lz_list *list);

/**
 * lz_list_read() - some more lines, until @until_ns (CLOCK_MONOTONIC)
 *
 * Return: 1: there are more; 0: all are read; -errno with @reterr set: of the line list->lines.line, but for
 *         -ENOMEM the next call goes on behind it.
 */
int lz_list_read(struct lz_list *list, __u64 until_ns, struct lz_err *reterr);

/** lz_list_add_to_customer() - for reading: an entry of this address is one of its customer's, if it has one */
int lz_list_add_to_customer(struct lz_list *list, const struct lz_addr *addr,
			    const struct lz_list_entry *e, struct lz_err *reterr);

/**
 * lz_list_join() - entries for all addresses of the customers that it names; likewise, 0: for all
 * @refused: gets those of whom the others are more than the colony can hold
 *
 * The policy must be the one that the list was read with.
 * Errors: -ENOMEM.
 */
int lz_list_join(struct lz_list *list, struct lz_refused *refused, __u64 until_ns, struct lz_err *reterr);

/** lz_list_sort() - by key; of one key his customer's, then the lines in the order of the list. Pure. */
void lz_list_sort(struct lz_list *list);

/**
 * lz_list_unite() - one entry for each key that may be held; after sorting, likewise
 * @refused: gets the others
 *
 * The latest end, the hardest grade, the last ticket and the last reason that were given count.
 * Errors: -ENOMEM.
 */
int lz_list_unite(struct lz_list *list, struct lz_refused *refused, __u64 until_ns, struct lz_err *reterr);

/** lz_list_line_of() - of a united list the first line that names this key; 0 = none does */
__u32 lz_list_line_of(const struct lz_list *list, __u64 key);

/** lz_list_grade() - for lz_terms_merge(); @held: is the host held already? */
const struct lz_grade *lz_list_grade(const struct lz_list_order *order, bool held);

/** lz_list_name() - what an entry is called: as it was named, else its key */
const char *lz_list_name(const struct lz_list *list, const struct lz_list_entry *e,
			 char buf[static LZ_PREFIX_TEXT_MAX]);

/** lz_list_address() - as it was named; "" = as the key is written */
const char *lz_list_address(const struct lz_list *list, const struct lz_list_entry *e);

#endif /* LZ_HANDLERS_HOSTLIST_H */
