/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * recount.h - the end of a sweep's pass: what is in the tables, counted afresh. Inside this room only.
 */
#ifndef LZ_DATAPATH_RECOUNT_H
#define LZ_DATAPATH_RECOUNT_H

#include "datapath/tables.h"

/**
 * lz_recount() - correct cells_used and the /48 counts, free reclaimed tags nobody searches past
 *
 * In one go, about the time of lz_cells_each(). What others create while it copies the tags, some ms,
 * and children of a /48 that come meanwhile, are miscounted until the next pass. Return: 0, -ENOMEM, or
 * -errno of membarrier.
 */
int lz_recount(struct lz_tables_view *view, __u64 *ret_tags_freed);

/**
 * lz_blocks_take_over() - free the blocks that a killed controller had taken from their entries
 *
 * Best effort: without memory or a barrier they stay taken, and cost speed only.
 */
void lz_blocks_take_over(struct lz_tables_view *view);

#endif
