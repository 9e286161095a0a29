/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rows.h - tables of packets: a frame, and what must become of it in XDP and in tc.
 *
 * The policy all rows share; documentation addresses only:
 *
 *   dynamic   100.64.0.0/12, 2001:db8:1000::/36  port 25 to the world: ICMP; from port 25 and to
 *                                                customers: silence; smarthosts excepted
 *   business  198.51.100.0/24                    left alone
 *   reset     203.0.113.128/26                   port 25: TCP reset
 *   drop      203.0.113.192/26                   port 25: silence
 *   limited   203.0.113.0/25, 2001:db8:2000::/36 room for the limits of a test
 */
#ifndef LZ_SELFTESTS_ROWS_H
#define LZ_SELFTESTS_ROWS_H

#include "lib/world.h"

enum { ROWS_DYNAMIC = LZ_CLASS_FIRST, ROWS_BUSINESS, ROWS_RESET, ROWS_DROP, ROWS_LIMITED };

#define ROWS_SMARTHOSTS (1ULL << LZ_SET_FIRST_NAMED)
#define ROWS_ALLOWED	(2ULL << LZ_SET_FIRST_NAMED) /* what the strict garden opens */

#define DYN4	"100.64.0.9"
#define DYN6	"2001:db8:1000:7::9"
#define BIZ4	"198.51.100.9"
#define RESET4	"203.0.113.129"
#define DROP4	"203.0.113.193"
#define LIM4	"203.0.113.9"
#define LIM6	"2001:db8:2000:7::9"
#define WORLD4	"192.0.2.200" /* in no set */
#define WORLD6	"2001:db8:ffff::200"
#define SMART4	"192.0.2.25"
#define SMART6	"2001:db8::25"
#define NEVER4	"192.0.2.1"
#define REACH4	"192.0.2.53"
#define REACH6	"2001:db8::53"
#define GARDEN4 "192.0.2.80"
#define OWN4	"192.0.2.254"
#define OWN6	"2001:db8::254"

struct row {
	const char *name;
	struct pkt_spec p;
	__u32 verdict; /* enum lz_verdict; of the portal's: ROWS_PORTAL() */
	__u32 reason;  /* enum lz_reason */
};

/* A verdict for the portal and the one in its place: here is no portal, so that is tc's. */
#define ROWS_PORTAL(verdict, other) ((verdict) | (other) << 8)

#define ROWS_XDP 0x01
#define ROWS_TC	 0x02
#define ROWS_OUT 0x04

/** rows_policy() - the policy above into a generation */
void rows_policy(struct world *w, int slot);

/**
 * rows_run() - each row through each hook, in a world reset before each
 * @prepare: sets the state a row needs, after the reset; may be NULL
 */
void rows_run(struct world *w, const struct row *rows, unsigned n, unsigned hooks,
	      void (*prepare)(struct world *w));

/** rows_check() - one frame, expectations as in a row, no reset; the run is handed back */
struct world_run rows_check(struct world *w, enum world_hook hook, const struct row *row);

/** rows_world() - a world with the policy in slot 0; NULL without privilege */
struct world *rows_world(void);

/* Rows that failed since the last ROWS_OK(): a table is one check of its case. */
extern unsigned rows_failures;
#define ROWS_OK(name) (T_EQ(rows_failures, 0, (name)), rows_failures = 0)

/* A test's main(): the cases in one world, or one skip where BPF cannot be loaded. */
#define ROWS_MAIN(w, cases)                                                                        \
	static void no_privilege(void)                                                             \
	{                                                                                          \
		T_SKIP("loading BPF needs CAP_BPF and CAP_NET_ADMIN");                             \
	}                                                                                          \
	int main(void)                                                                             \
	{                                                                                          \
		static const struct t_case skipped[] = { { "the data plane", no_privilege } };     \
		int ret;                                                                           \
                                                                                                   \
		w = rows_world();                                                                  \
		if (!w)                                                                            \
			return T_MAIN(skipped);                                                    \
		ret = T_MAIN(cases);                                                               \
		world_close(w);                                                                    \
		return ret;                                                                        \
	}

#define ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])

#endif /* LZ_SELFTESTS_ROWS_H */
