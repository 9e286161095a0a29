/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * list.h - a list of hosts to be held, as quarantine.import gets it (proto.h): read in slices, every line
 * before anything is done.
 *
 * What stands behind address and time is mostly the same on line after line: it is parsed once, as an
 * order, and an entry is no more than 24 bytes.
 */
#ifndef LZ_DAEMON_LIST_H
#define LZ_DAEMON_LIST_H

#include "base/lines.h"
#include "daemon/ctl.h"

#define LZ_LIST_SLOTS 256 /* orders that are remembered while reading */

struct lz_list_order {
	const char *text; /* in the list, from the grade on */
	bool graded;
	struct lz_grade grade; /* if graded */
	const char *ticket; /* in the list; NULL = none */
	const char *reason; /* in the list; NULL = none */
	__u32 ticket_len, reason_len; /* bytes */
};

struct lz_list_entry {
	__u64 key;
	__u32 address; /* where it stands in the list; one of "" for another key of the same customer */
	__u32 line;
	__u32 end_s; /* of the data plane's clock, later than it was when the list came; 0: was refused */
	__u32 order;
};

struct lz_list {
	struct lz_ctl *ctl;
	char *text; /* cut into words */
	size_t len;
	struct lz_lines lines;
	__u32 now_s; /* of the data plane's clock, when it came: however long it is read, times count from here */
	__u64 over; /* lines whose time was over when the list came: they are no entries */
	struct lz_list_entry *v;
	struct lz_list_order *orders;
	size_t n, cap, n_orders, orders_cap;
	__u32 slots[LZ_LIST_SLOTS]; /* 1 + index of an order, by a hash of its text */
	const char *time; /* the last one, and what it says */
	__u32 time_end_s;
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

/** lz_list_sort() - by key; those of one key in the order of the list */
void lz_list_sort(struct lz_list *list);

/** lz_list_line_of() - of a sorted list the first line that names this key; 0 = none does */
__u32 lz_list_line_of(const struct lz_list *list, __u64 key);

/** lz_list_next_of() - of a sorted list the next entry of the same key that was not refused; NULL: none */
const struct lz_list_entry *lz_list_next_of(const struct lz_list *list, const struct lz_list_entry *e);

/**
 * lz_list_merge() - what a hold becomes by all entries of a key, as if each had been a list of its own
 * @first: of them, not refused
 * @was:   what stands; NULL: nothing
 *
 * Return: the last entry that changed something; NULL: none.
 */
const struct lz_list_entry *lz_list_merge(const struct lz_list *list, const struct lz_list_entry *first,
					  const struct lz_terms *was, __u32 now_s, struct lz_terms *ret);

/**
 * lz_list_order_of() - of all entries of a key the last ticket and the last reason that were given
 * @ret: its grade is that of @first
 */
void lz_list_order_of(const struct lz_list *list, const struct lz_list_entry *first,
		      struct lz_list_order *ret);

/** lz_list_address() - as it was named; "" = as the key is written */
const char *lz_list_address(const struct lz_list *list, const struct lz_list_entry *e);

#endif /* LZ_DAEMON_LIST_H */
