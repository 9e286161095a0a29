/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* limit_rows.h - one limit on the class of the limited, and attempts against it, for the p_packets* tests. */
#ifndef LZ_SELFTESTS_LIMIT_ROWS_H
#define LZ_SELFTESTS_LIMIT_ROWS_H

#include <lazaret/abi.h>
#include <lazaret.skel.h>

#include "base/mem.h"
#include "lib/rows.h"
#include "lib/t.h"

static struct world *w;

#define S	  1000000000ull
#define LIMIT_ID  7
#define SLOTS	  6 /* seven fields of six bits: six whole slots and the running one */

/* At most n < 64 new connections in a window, in one word. */
static inline struct lz_limit window(__u32 n, __u64 window_ns)
{
	return (struct lz_limit){ .kind = LZ_LIMIT_WINDOW, .what = LZ_WHAT_SMTP_CONNECTIONS,
				  .then = LZ_THEN_DROP, .refuse = LZ_V_DROP, .id = LIMIT_ID,
				  .n = n, .slot_ns = window_ns / SLOTS, .words = 1, .bits = 6,
				  .counters = SLOTS + 1, .stamp = 1 };
}

static inline void limited(struct lz_limit l, struct lz_class c)
{
	c.limit[0] = l;
	c.limits = 1;
	world_class(w, 0, ROWS_LIMITED, &c);
	world_reset(w);
}

static __u32 next_seq;

/* One new attempt; returns its run. */
static inline struct world_run attempt_port(const char *src, __u16 dport, enum world_hook hook)
{
	struct pkt_spec p = { .src = src, .dst = strchr(src, ':') ? WORLD6 : WORLD4, .dport = dport,
			      .seq = ++next_seq };
	struct world_run r;

	T_EQ(world_frame(w, hook, &p, &r), 0, "test run");
	return r;
}

static inline struct world_run attempt(const char *src, enum world_hook hook)
{
	return attempt_port(src, 25, hook);
}

static inline unsigned admitted(const char *src, unsigned tries)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tries; i++)
		n += attempt(src, i % 2 ? WORLD_XDP : WORLD_TC).verdict == LZ_V_PASS;
	return n;
}

static inline void expect_limit(const char *src)
{
	struct world_run r = attempt(src, WORLD_XDP);

	T_EQ(r.verdict, LZ_V_DROP, "refused");
	T_EQ(r.reason, LZ_R_DROP_LIMIT, "by a limit");
}

#endif /* LZ_SELFTESTS_LIMIT_ROWS_H */
