/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * clsact.h - our tc filters where there is no tcx (kernel < 6.6). Inside this room only.
 *
 * A filter of ours is the one with our handle and priority that runs a program of ours. The qdisc
 * may be anybody's: it is deleted only when we made it and nothing is left in it.
 */
#ifndef LZ_DATAPATH_CLSACT_H
#define LZ_DATAPATH_CLSACT_H

#include <linux/types.h>
#include <stdbool.h>

#include "base/err.h"

/** lz_clsact_attach() - @ret_made: we had to make the qdisc (also set on failure) */
int lz_clsact_attach(__u32 ifindex, bool egress, int prog_fd, bool *ret_made,
		     struct lz_err *reterr);

/** lz_clsact_replace() - another program behind our filter, without a gap */
int lz_clsact_replace(__u32 ifindex, bool egress, int prog_fd, struct lz_err *reterr);

/** lz_clsact_has() - is a filter of ours there? */
bool lz_clsact_has(__u32 ifindex, bool egress);

/** lz_clsact_detach() - take our filter off; true if the qdisc went too (@ours, and empty) */
bool lz_clsact_detach(__u32 ifindex, bool egress, bool ours);

#endif
