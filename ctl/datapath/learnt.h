/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * learnt.h - addresses of host names, as the data plane asks for them: state, pinned, kept over
 * reloads and restarts.
 *
 * An entry says until when, and for each of the two generations which of its sets. The data plane
 * asks only for packets of held sources in a strict garden that would be dropped.
 */
#ifndef LZ_DATAPATH_LEARNT_H
#define LZ_DATAPATH_LEARNT_H

#include "base/addr.h"
#include "datapath/tables.h"

/** lz_learnt_put() - add or replace; -E2BIG when the table (16,384) is full */
int lz_learnt_put(const struct lz_tables_view *view, const struct lz_addr *addr,
		  const struct lz_learnt *entry);
int lz_learnt_read(const struct lz_tables_view *view, const struct lz_addr *addr,
		   struct lz_learnt *ret); /* -ENOENT */
int lz_learnt_del(const struct lz_tables_view *view, const struct lz_addr *addr); /* -ENOENT */

/**
 * lz_learnt_each() - every entry; @visit may change or delete the one it is shown
 * Return: 0; what @visit returned, if not 0; -errno.
 */
int lz_learnt_each(const struct lz_tables_view *view,
		   int (*visit)(void *arg, const struct lz_addr *addr, const struct lz_learnt *entry),
		   void *arg);

#endif /* LZ_DATAPATH_LEARNT_H */
