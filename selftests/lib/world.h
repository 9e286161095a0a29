/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * world.h - the data plane in a box: the BPF object loaded privately, its clock in our hand, its
 * policy and state filled by hand through the maps, one frame at a time through a program.
 *
 * Nothing is attached or pinned. Needs CAP_BPF and CAP_NET_ADMIN. What is installed stands in the
 * lists of struct world too, so that the model (selftests/model) reads the same policy as text.
 * Functions abort the process when a set-up step fails: a test without its set-up is no test.
 */
#ifndef LZ_SELFTESTS_WORLD_H
#define LZ_SELFTESTS_WORLD_H

#include <lazaret/table.h>

#include "base/addr.h"
#include "lib/pkt.h"

#define WORLD_LIST_MAX	 64
#define WORLD_IFINDEX	 1 /* lo */
#define WORLD_ROW	 1
#define WORLD_FLOW_LINES 1024
#define WORLD_HELD_LINES 128 /* two pages: few: bits of free sources are met too */
#define WORLD_START_S	 1000000u /* the clock of a fresh world, seconds */

enum world_hook { WORLD_XDP, WORLD_TC, WORLD_TC_OUT };

struct world_entry {
	struct lz_prefix prefix;
	__u64 value; /* class, mask of sets, customer */
};

struct world_list {
	struct world_entry entry[WORLD_LIST_MAX];
	unsigned n;
};

struct world_gen {
	struct world_list ranges, dests, customers;
	union lz_range_bucket *buckets; /* of ranges; mapped */
	int ranges_fd, dests_fd, customers_fd;
	unsigned blocks;  /* of those, behind the hashed ones */
};

struct world_exception {
	struct lz_prefix prefix;
	struct lz_exception value;
};

struct world {
	struct lazaret *skel;
	struct lz_control *control;
	struct lz_tag_line *tags;
	struct lz_cell *cells;
	struct lz_cold *cold; /* the other half of each */
	struct lz_block_line *blocks;
	struct lz_held_line *held; /* two copies */
	__u32 *ports;
	__u64 seed;
	__u32 tag_lines, key_len;
	struct world_gen gen[LZ_GENERATIONS];
	struct world_exception exceptions[WORLD_LIST_MAX];
	unsigned exceptions_n;
	unsigned port_flags; /* LZ_PORT_F_L3 */
	int role; /* enum lz_role, both generations */
};

/* What became of a frame. */
struct world_run {
	int ret;		  /* of the program */
	__u32 verdict;		  /* enum lz_verdict: XDP by its metadata, tc by the reply's bytes */
	__u32 other;		  /* the verdict beside one for the portal; XDP only */
	__u32 reason;		  /* enum lz_reason; LZ_R_N if not exactly one was counted */
	__u64 delta[LZ_C_N];	  /* of the port's counters */
	__u8 out[PKT_BYTES_MAX];  /* the frame afterwards, without metadata */
	__u32 out_bytes;
};

/** world_open() - load; @key_len: IPv6 key length. NULL with errno EPERM without privilege */
struct world *world_open(__u32 tag_lines, __u32 key_len);
void world_close(struct world *w);

/** world_reset() - forget all state and counters, the clock to WORLD_START_S; policy stays */
void world_reset(struct world *w);

/** world_forget_policy() - both generations empty again, generation word {0, 0, 0} */
void world_forget_policy(struct world *w);

void world_class(struct world *w, int slot, int id, const struct lz_class *c);

/** world_range() - a prefix is of a class; an outer prefix must come before its inner ones */
void world_range(struct world *w, int slot, const char *prefix, int id);
void world_dest(struct world *w, int slot, const char *prefix, __u64 mask);
void world_customer(struct world *w, int slot, const char *prefix, __u32 customer);
void world_exception(struct world *w, const char *prefix, __u32 flags, __u32 until_s);

/** world_hold() - a hold as the controller writes it: cell, word, bits */
void world_hold(struct world *w, const char *addr, __u64 word);
void world_own_addr(struct world *w, const char *ip4, const char *ip6);
void world_clock(struct world *w, __u64 now_ns);
__u64 world_now(const struct world *w);

/** world_key() - key of an address; 0 for one that has none */
__u64 world_key(const struct world *w, const char *addr);

/** world_cell() - the cell of a key, or NULL */
struct lz_cell *world_cell(const struct world *w, __u64 key);
struct lz_cold *world_cold(const struct world *w, __u64 key); /* the cell is there */
__u64 world_cells_used(const struct world *w);
struct lz_replay *world_last(const struct world *w);

void world_stats(const struct world *w, __u64 count[LZ_C_N]);
void world_class_stats(const struct world *w, int id, struct lz_class_stats *ret);
void world_limit_stats(const struct world *w, int id, struct lz_limit_stats *ret);

/**
 * world_bytes() - one frame through one hook
 * @l3: where its IP header is, to read a reply by
 *
 * Return: 0 or -errno of the test run.
 */
int world_bytes(struct world *w, enum world_hook hook, const __u8 *frame, __u32 bytes, __u32 l3,
		struct world_run *ret);
int world_frame(struct world *w, enum world_hook hook, const struct pkt_spec *s,
		struct world_run *ret);

/* Events waiting in the ring buffer are handed over and removed. */
typedef void (*world_event_fn)(void *arg, const struct lz_event *e);
int world_events(struct world *w, world_event_fn fn, void *arg);

#endif /* LZ_SELFTESTS_WORLD_H */
