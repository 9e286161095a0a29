/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exception_list.h - a list of exceptions, as exception.import gets it (proto.h): read in slices, every line
 * before anything is done; then sorted, and of lines for one prefix the last one counts.
 *
 * Of a list of a million lines an entry is 32 bytes; its ticket stays where it stands in the list.
 */
#ifndef LZ_HANDLERS_EXCEPTION_LIST_H
#define LZ_HANDLERS_EXCEPTION_LIST_H

#include "base/lines.h"
#include "control/ctl.h"
#include "handlers/refused.h"

struct lz_exception_entry {
	__u64 bits; /* of key space, with len */
	__u64 until_s; /* wall clock */
	__u32 ticket; /* where it stands in the list */
	__u32 line;
	__u32 before; /* whoever writes it keeps here what it takes the place of; 0 at first */
	__u8 len, flags;
};

struct lz_exception_list {
	const struct lz_ctl *ctl;
	char *text; /* cut into words */
	struct lz_lines lines;
	__u64 made_s; /* wall clock, when it came: one moment for all */
	struct lz_exception_entry *v;
	size_t n, cap;
	__u64 entries; /* lines that are some */
	__u64 doubled; /* of them: whose prefix a later one names again; after the sort */
	struct lz_refused bad; /* lines that cannot be read: then nothing is to be done */
	struct lz_refused over; /* whose time was over when the list came, such as of an old export */
};

/** lz_exception_list_init() - takes @text, heap memory, NUL-terminated */
void lz_exception_list_init(struct lz_exception_list *list, const struct lz_ctl *ctl, char *text, size_t len);
void lz_exception_list_done(struct lz_exception_list *list);

/** lz_exception_list_read() - some more lines, until @until_ns (CLOCK_MONOTONIC); 1: there are more, 0, -ENOMEM */
int lz_exception_list_read(struct lz_exception_list *list, __u64 until_ns);

/** lz_exception_list_sort() - one entry for each prefix, before those of prefixes inside it. Pure. */
void lz_exception_list_sort(struct lz_exception_list *list);

/** lz_exception_list_prefix() - whom an entry is for */
struct lz_prefix lz_exception_list_prefix(const struct lz_exception_entry *e);

#endif /* LZ_HANDLERS_EXCEPTION_LIST_H */
