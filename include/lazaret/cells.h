/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cells.h - the tables that data plane and controller share, as they lie in memory: keys, tags, blocks,
 * cells, hold words, SYN memory, and the instance they belong to. Part of abi.h and under its rules; how
 * things are found in them is table.h's and search.h's.
 */
#ifndef LZ_LAZARET_CELLS_H
#define LZ_LAZARET_CELLS_H

#include <linux/types.h>

#define LZ_TAG_LINE_SLOTS     64     /* tags in one cache line */
#define LZ_TAG_LINE_WORDS     8
#define LZ_CELL_WORDS	      6
#define LZ_CELL_CHOICES	      16     /* tag lines a key may live in */
#define LZ_HOLD_CAP_S	      2678400u /* 31 days: no hold lasts longer, whoever wrote it (I2) */
#define LZ_FLOW_HORIZON_S     130u   /* Linux gives up a SYN after 127 s (tcp_syn_retries 6) */
#define LZ_FLOW_REPEATS	      12     /* times a SYN may come again: Linux 6, macOS 10 */
#define LZ_FLOW_LOST	      1	     /* of these after its SYN-ACK went by, which may get lost behind us */

/* ---------------------------------------------------------------- key space
 *
 * One __u64 for both families. IPv4: the address as a number, upper half zero. IPv6: the upper 64
 * bits as a number, cut to the instance's key length. A prefix in key space is (bits, len):
 * IPv4 /n has len 32+n, IPv6 /n has len n. IPv6 sources in 0000::/7 and ff00::/8 are never keyed:
 * keys with a first byte of 0x01 are free for aggregates (lz_aggregate_key(): a seeded hash of the limit's
 * id and the prefix or customer), and no complement of a key is 0.
 */
#define LZ_KEY_AGGREGATE (1ULL << 56)

/* ---------------------------------------------------------------- tags and cells */

/* A tag is one byte: 0 = free and never used since the line was last empty, 1 = reclaimed (may be
 * taken, but a search goes on past it), else bit 7 = HELD and bits 0..6 = 2..127 from the hash. */
#define LZ_TAG_FREE	 0x00
#define LZ_TAG_RECLAIMED 0x01
#define LZ_TAG_HELD	 0x80
#define LZ_TAG_DYING	 0x80 /* HELD without a tag: the controller is clearing the cell */
#define LZ_TAG_MIN	 0x02

struct lz_tag_line {
	__u64 word[LZ_TAG_LINE_WORDS]; /* tag n is byte n%8 of word n/8 (little endian) */
};
_Static_assert(sizeof(struct lz_tag_line) == 64, "a tag line is one cache line");

/* Where 256 neighbouring keys - a /24, or as many IPv6 keys - would like to live: in a block of 43 words
 * of tags, six in each, and the cells to them, each at its own place by its last byte. Two of eight tags
 * are left to keys that live where their hash says, so that a full block stops nobody's search and
 * everybody finds room (t_table.c, p_table.c). Whoever makes the first cell of a neighbourhood takes it a
 * block that nobody has yet; a key whose place is taken lives by its hash, like one without a block.
 * So the directory only ever saves work: 35 KB for a million sources, which the second-level cache
 * keeps, where the tags do not stay. With it a known source costs one random line instead of two, one
 * behind the other: 247 ns instead of 551 in runs side by side, and all of row b 240 ns less (make bench).
 * An entry: bits 0..17 number of the block, bits 18..31 from the neighbourhood's hash; 0 = free, and ends
 * a search of its line. Two neighbourhoods with the same bits share a block: a nuisance, no error.
 * Behind the lines of entries come those with a bit for each block that is taken. */
#define LZ_BLOCK_BITS	 8
#define LZ_BLOCK_KEYS	 (1u << LZ_BLOCK_BITS)
#define LZ_BLOCK_OF_WORD 6
#define LZ_BLOCK_SLOTS	 (8 * ((LZ_BLOCK_KEYS + LZ_BLOCK_OF_WORD - 1) / LZ_BLOCK_OF_WORD))
#define LZ_BLOCK_ENTRIES 16
#define LZ_BLOCK_NUMBERS 18
#define LZ_BLOCKS_MAX	 (1u << LZ_BLOCK_NUMBERS)
#define LZ_BLOCK_GONE	 1 /* tag of an entry that is free again, but ends no search */
#define LZ_BLOCK_TAG_MIN 2
struct lz_block_line {
	__u32 entry[LZ_BLOCK_ENTRIES];
};
_Static_assert(sizeof(struct lz_block_line) == 64, "one cache line");

/* Who may be held: a bit a source. 32,768 neighbours - a /17, or as many IPv6 keys - share a page (held.h),
 * so the bits of a provider's dense ranges lie close together: a million sources in 125 KB and 31 pages,
 * which stay in the second-level cache and the first TLB, where the tags are 1.5 MB and do not (make bench,
 * row a). A bit is set in both copies after the hold word, and never cleared but by filling the other copy
 * anew (ctl/datapath/heldbits.c). Whose a page is, stands in lz_tables. */
#define LZ_HELD_LINE_WORDS 8
#define LZ_HELD_PAGE_LINES 64
#define LZ_HELD_PAGE_BITS  15
#define LZ_HELD_PAGES_MAX  8192 /* of one copy */
struct lz_held_line {
	__u64 word[LZ_HELD_LINE_WORDS];
};
_Static_assert(sizeof(struct lz_held_line) == 64, "one cache line");

/* The hold word of a cell: never torn, so a packet sees one whole entry.
 *   bits 0..31  expiry_s   CLOCK_MONOTONIC seconds (the data plane's clock)
 *   bits 32..53 ttl_s      as granted; from now on the kernel holds at most till LZ_HOLD_END() of
 *                          min(ttl, LZ_HOLD_CAP_S)
 *   bits 54..59 grade      LZ_GRADE(kind, row)
 *   bits 60..63 flags      LZ_HOLD_F_*
 * 0 = not held. A hold is ended by setting expiry_s to now: for LZ_RELEASED_S the flows that the
 * portal has then still reach it, everything else is judged as not held. */
#define LZ_HOLD_EXPIRY(w)  ((__u32)(w))
#define LZ_HOLD_TTL(w)	   ((__u32)((w) >> 32) & 0x3fffff)
#define LZ_HOLD_GRADE(w)   ((__u32)((w) >> 54) & 63)
#define LZ_HOLD_FLAGS(w)   ((__u32)((w) >> 60))
#define LZ_HOLD_FLAG(f)	   ((__u64)(f) << 60)
#define LZ_HOLD_F_KERNEL   0x01 /* written by a limit in the data plane, not yet in the ledger */
#define LZ_HOLD_F_OPERATOR 0x02 /* an operator asked for it */
/* The end of a hold that is granted now: the clock's seconds are cut down, so this one is rounded up. A
 * hold is never too short (I1) and at most a second too long (I2). */
#define LZ_HOLD_END(now_s, ttl_s) ((__u32)((now_s) + (ttl_s) + 1))
#define LZ_HOLD_WORD(expiry_s, ttl_s, grade, flags)                                                \
	((__u64)(__u32)(expiry_s) | ((__u64)((ttl_s) & 0x3fffff) << 32) |                          \
	 ((__u64)((grade) & 63) << 54) | ((__u64)((flags) & 15) << 60))
#define LZ_RELEASED_S	   30u
/* No hold: the sweep is about to clear this cell, and whoever finds it has not found it. */
#define LZ_HOLD_DYING	   LZ_HOLD_FLAG(8)

/* What is stopped. The row says which garden (of the generation) or which rate (of the control
 * block). Garden rows 0 and 1 are the kinds themselves, so enum lz_garden is a grade as it stands. */
enum lz_grade_kind {
	LZ_GRADE_GARDEN,
	LZ_GRADE_BLOCK25,  /* TCP 25, with the mail verdict of row 0; class rules for the rest */
	LZ_GRADE_THROTTLE, /* new port-25 connections beyond a rate, in silence; class rules for the rest */
	LZ_GRADE_KIND_N,   /* a word that says so is a strict garden: unknown is not free */
};
#define LZ_GRADE(kind, row)   ((kind) << 4 | (row))
#define LZ_GRADE_KIND(grade)  ((grade) >> 4 & 3)
#define LZ_GRADE_ROW(grade)   ((grade) & 15)

enum lz_garden {
	LZ_GARDEN_LEAKY,
	LZ_GARDEN_STRICT,
	LZ_GARDEN_N,
};

/* One source (or aggregate): all that a counted SYN, or a packet of a held source, needs, in one cache line
 * of a table of its own. What fewer packets touch is in the cell's other half, lz_cold, as far apart as can
 * be: BPF maps have 4 KB pages, and with both halves side by side a million sources lie in 44,000 of them,
 * with these in 22,000: b, c and e cost 5 to 12 % less (both layouts in one run, each with its own tables,
 * turns of 40,000 packets). state[] belongs to the limits of the source's class, see struct lz_limit; compile
 * fills what lies here first. syn and smtp_connections are added to with one locked instruction: when the lower one
 * wraps it carries into its neighbour, once in 2^32 packets of one source. others and dropped are the lower
 * bits of counters; each lies at the upper end of its four bytes, which are added to, and whoever makes it
 * wrap adds one to what lies in the other half. */
#define LZ_CELL_NEAR_WORDS 4
struct lz_cell {
	__u64 key;		    /* complement of the key; 0 = being claimed; set by compare-and-swap */
	__u64 hold;		    /* hold word, by controller and `hold` limits; aggregate of an IPv6
				     * /48: cells made below it */
	__u64 state[LZ_CELL_NEAR_WORDS]; /* not last: the verifier believes that a second word may follow any */
	__u32 syn;		    /* bare SYNs that reached class rules, retransmissions included */
	__u32 smtp_connections;	    /* distinct attempts to port 25, retransmissions not counted */
	__u16 known_class;	    /* LZ_KNOWN_CLASS(): what the range tables said last; 0 = ask */
	__u8 last_dest;		    /* lz_dest_mark() of the destination noted last; 0 = none */
	__u8 others;		    /* packets that reached class rules and were no SYN: eight bits */
	__u16 seen;		    /* lz_seen() of the last packet that rules looked at, or of a held source;
				     * 0 = never. Perhaps of another who would like to live here: lz_cell_ask() */
	__u16 dropped;		    /* packets refused or dropped by us: sixteen bits */
};
_Static_assert(sizeof(struct lz_cell) == 64, "half a cell is one cache line");

/* The other half of the cell with the same number. */
struct lz_cold {
	__u64 state[LZ_CELL_WORDS - LZ_CELL_NEAR_WORDS];
	__u64 dests[4];		    /* distinct port-25 destinations: two banks of 2 x 52 bits */
	__u32 others_256s;	    /* times that lz_cell.others wrapped */
	__u32 would_drop;	    /* packets a monitored rule would have refused */
	__u32 reach_ms;		    /* token bucket of a held source: what it may reach, or its throttle */
	__u16 told_s;		    /* last event sent about this source: seconds, lower half */
	__u16 dropped_65536s;	    /* times that lz_cell.dropped wrapped */
};
_Static_assert(sizeof(struct lz_cold) == 64, "half a cell is one cache line");

/* When a source was seen: units of 64 s of the data plane's clock, never 0. They come round in 48 days, more
 * than any "idle" (31 days); the sweep forgets what is older. */
#define LZ_SEEN_SHIFT 6
#define LZ_SEEN_UNIT_S (1u << LZ_SEEN_SHIFT)

/* A class is looked up once a source and epoch (struct lz_generation) and remembered in its cell,
 * which is read anyway: that saves the range tables' calls and cache lines (make bench, rows b and
 * e). Ten bits of the epoch are enough, because whoever gives out epochs clears what is remembered
 * before they come round (ctl/datapath/policyswap.c). What was said in an epoch with ten zero bits nobody believes. */
#define LZ_EPOCH_BITS 10
#define LZ_EPOCH_LOW(epoch) ((epoch) & ((1u << LZ_EPOCH_BITS) - 1))
#define LZ_KNOWN_CLASS(epoch, class_) ((__u16)(LZ_EPOCH_LOW(epoch) << 6 | (class_)))
#define LZ_KNOWN_IS(known) ((known) & 63) /* LZ_CLASSES_MAX - 1 */

/* ---------------------------------------------------------------- flows */

/* Seven recent port-25 SYNs, or SYN-ACKs awaiting their ACK, a line, and which of them goes next: the
 * oldest, because an entry's age counts from its first SYN. Entry: bits 0..13 first seen,
 * ticks of 2^28 ns; bits 14..16 verdict (enum lz_verdict); bits 17..20 how often it came again;
 * bits 21..63, bit 21 always set, fingerprint of source, destination, ports, sequence number and generation under the
 * instance seed, never 0. 0 = free. The age counts from the first SYN: one that is sent again and again
 * would otherwise open connections for ever and be counted once. */
#define LZ_FLOW_LINE_ENTRIES 7
struct lz_flow_line {
	__u64 entry[LZ_FLOW_LINE_ENTRIES];
	__u64 next; /* to be replaced; LZ_FLOW_LINE_ENTRIES is 0 again */
};
_Static_assert(sizeof(struct lz_flow_line) == 64, "a flow line is one cache line");

/* ---------------------------------------------------------------- the instance */

/* Fixed when the instance is created; .rodata of every program, read by userland from the pin. */
#define LZ_INSTANCE_MAGIC 0x65636e6174736e49ULL

struct lz_instance {
	__u64 magic;	    /* LZ_INSTANCE_MAGIC: whoever reads a pinned .rodata finds it by that */
	__u64 seed;	    /* of every hash: spoofed sources must not choose their lines */
	__u32 abi_version;  /* LZ_ABI_VERSION */
	__u32 tag_lines;    /* lines of lz_tags; cells = 64 times that */
	__u32 flow_lines;
	__u32 ipv6_key_len; /* 48..64 */
	__u32 replay;	    /* 1 = the clock is lz_control.replay_now_ns, judgements go to lz_last */
	__u32 held_lines;   /* lines of one copy of lz_held: whole pages */
	__u32 block_lines;  /* lines of entries in lz_blocks; lz_block_lines() */
	__u32 made_s;	    /* CLOCK_MONOTONIC: its counters count since then; 0 = not known */
};
_Static_assert(sizeof(struct lz_instance) == 48, "no holes");

#define LZ_EXCEPTED_WORDS 512 /* 32,768 bits */

/* Counters of the tables: written by both sides with atomic adds; and what every packet reads. */
struct lz_tables {
	__u64 cells_used; /* tags neither free nor reclaimed */
	__u64 cells_held; /* of those: made for a hold, or held at the last recount */
	__u32 blocks_used; /* bits set behind the entries of lz_blocks */
	__u32 next_block; /* where to look for one that is free, modulo lz_blocks_of() */
	__u64 events_lost; /* of which the controller knows: its word */
	/* The ledger that drives these tables, and how far it had come (struct lz_ledger_mark): the controller's
	 * words. 0: not known. */
	__u64 ledger_id;
	__u64 ledger_turn;
	__u64 pad_[2];
	__u64 held_copy; /* which copy of lz_held packets read, 0 or 1: the controller's word, and on
			  * a line of its own, because every packet reads it */
	__u64 pad2_[7];
	/* A bit a hash of whatever single sources are excepted: nobody else's packets ask the exceptions'
	 * stock hash (make bench, row e). Bits of ended exceptions stay until the controller starts. */
	__u64 excepted[LZ_EXCEPTED_WORDS];
	/* Whose the pages of lz_held are, in each copy: 32 bits of a prefix's hash, 0 = nobody's. Here, and not
	 * in a table as large as the instance, because of a place in a variable the program knows the address:
	 * every packet asks for one (make instructions, row a: 53 less of 317). */
	__u32 held_owner[2][LZ_HELD_PAGES_MAX];
};
_Static_assert(sizeof(struct lz_tables) == 128 + 8 * LZ_EXCEPTED_WORDS + 8 * LZ_HELD_PAGES_MAX, "whole cache lines");

/* The clock as the data plane read it last, and the tick it was read in: its own affair. */
struct lz_tick {
	__u64 jiffies;
	__u64 now_ns;
	__u64 ring_full; /* jiffies when the ring of events was last found full */
	__u64 pad_[5];
};
_Static_assert(sizeof(struct lz_tick) == 64, "own cache line");

#endif /* LZ_LAZARET_CELLS_H */
