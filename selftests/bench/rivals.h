/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rivals.h - the far ends of the veth pairs: run.sh made a namespace of its own for each.
 */
#ifndef LZ_BENCH_RIVALS_H
#define LZ_BENCH_RIVALS_H

#include "bench.h"

#define RIVALS_N	   16
#define BENCH_XDP_FILTER_N 10000 /* addresses: xdp-filter's map takes no more */

enum counting { COUNT_XDP, COUNT_OURS, COUNT_NFT, COUNT_IPTABLES, COUNT_XDP_FILTER };

struct rival {
	const char *name;
	const char *figures;	     /* letters of those that it stands in */
	const char *scene, *program; /* XDP of ours at the far end; NULL: run.sh loaded the rules */
	enum frame_kind frame;
	bool held;	   /* traffic of held sources */
	bool limits;	   /* must refuse what is too much for a source */
	__u32 n;	   /* different sources; 0: all */
	enum counting counting;
	__u64 reasons;
	double share_least; /* of the frames that the rule itself must have matched */
	double ns[BENCH_ROUNDS_MAX];
};

extern struct rival rivals[RIVALS_N];

struct rival *rival_find(const char *name);

/** rival_enter() - this thread goes into the namespace of a rival, or "gen" */
void rival_enter(const char *name);

/** rival_attach() - nothing to do for rules */
void rival_attach(const struct rival *r);

/** rival_counts() - by its own counters: [0] frames that its rule matched, [1] all it judged */
void rival_counts(const struct rival *r, __u64 ret[2]);

#endif
