/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * replay.h - the data plane in a box: the same object, loaded once more, without pins and attached to
 * nothing, fed by BPF_PROG_TEST_RUN in a time of its own. For backtest.
 */
#ifndef LZ_DATAPATH_REPLAY_H
#define LZ_DATAPATH_REPLAY_H

#include <stdbool.h>

#include "datapath/tables.h"
#include "policy/image.h"

#define LZ_REPLAY_FRAME_MIN 14	 /* the kernel runs nothing shorter */
#define LZ_REPLAY_FRAME_MAX 1500 /* nor, in one piece, anything much longer */

struct lz_replay_config {
	const struct lz_image *image; /* its seed is the instance's; borrowed for the open only */
	__u32 cells;	  /* sources and aggregates there will be: none is ever turned away */
	__u32 flow_lines;
};

struct lz_replay_box;

/** lz_replay_open() - load, and put the policy in force; 0 or -errno with @reterr (-EPERM: no CAP_BPF) */
int lz_replay_open(const struct lz_replay_config *config, struct lz_replay_box **ret,
		   struct lz_err *reterr);
void lz_replay_close(struct lz_replay_box **box);

/**
 * lz_replay_frame() - judge one Ethernet frame
 * @bytes:  LZ_REPLAY_FRAME_MIN..LZ_REPLAY_FRAME_MAX
 * @now_ns: time of the data plane, never less than before
 * @role:   of the port it comes in by
 * @ret:    the judgement, all zeros if no rule looked at it
 *
 * Return: 1 if it passed, 0 if it was dropped or refused, -errno with @reterr set.
 */
int lz_replay_frame(struct lz_replay_box *box, const void *frame, __u32 bytes, __u64 now_ns,
		    enum lz_role role, struct lz_replay *ret, struct lz_err *reterr);

/** lz_replay_view() - its tables, counters and holds; valid until lz_replay_close() */
const struct lz_tables_view *lz_replay_view(const struct lz_replay_box *box);

/** lz_replay_stats() - counters of the one port */
int lz_replay_stats(const struct lz_replay_box *box, struct lz_port_stats *ret);

#endif
