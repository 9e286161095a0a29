/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi.h - everything that crosses the border between the data plane (bpf/) and userland (ctl/).
 *
 * One copy, compiled by both sides. Fixed-width members only, fields by falling size, padding
 * named and zero, unit in the name, host byte order unless the type is __be*. Every struct ends
 * with an assertion on its size. A change here raises LZ_ABI_VERSION: the loader refuses pins of
 * another version.
 *
 * The picture:
 *
 *   lz_control (global data)   switch, generation word, two generations of classes
 *   lz_ports   (global data)   ifindex -> role in each generation, statistics slot
 *   lz_tags    ARRAY           one 64-byte line of 64 tags; a tag says "maybe here" and "held"
 *   lz_cells   ARRAY           one 128-byte cell a source (or aggregate); slot n <-> tag n
 *   lz_blocks  ARRAY           256 neighbouring keys -> the 256 cells where they would like to live
 *   lz_held    ARRAY           one bit a source: "maybe held"; two copies, one of them read
 *   lz_flows   ARRAY           recent port-25 SYNs, so that a retransmission is known
 *   lz_ranges, lz_dests,       one inner map a generation: source range -> class,
 *   lz_customers               destination -> sets, source -> customer
 *   lz_exceptions, lz_learnt   state, not policy: survives any reload
 *   lz_portal_socks SOCKMAP    where the portal listens; empty = refuse instead
 *   lz_*_stats PERCPU_ARRAY    counters
 *   lz_events  RINGBUF         what happened, for the controller
 */
#ifndef LZ_LAZARET_ABI_H
#define LZ_LAZARET_ABI_H

#include <linux/types.h>

#define LZ_ABI_VERSION 4

/* ---------------------------------------------------------------- sizes */

#define LZ_GENERATIONS	      2
#define LZ_GEN_NONE	      2	     /* "no policy": everything passes */
#define LZ_CLASSES_MAX	      64     /* class 0 is LZ_CLASS_FOREIGN */
#define LZ_CLASS_FOREIGN      0	     /* a source in no set */
#define LZ_CLASS_NEVER	      1	     /* a never-list source: compile cuts it out of every class */
#define LZ_CLASS_FIRST	      2	     /* first class of the policy */
#define LZ_LIMITS_PER_CLASS   6
#define LZ_LIMIT_IDS	      512    /* statistics rows; id 0 is never a limit */
#define LZ_SETS_MAX	      64     /* bits in a destination mask */
#define LZ_LENGTHS_MAX	      16     /* different prefix lengths a destination table may hold */
#define LZ_TAG_LINE_SLOTS     64     /* tags in one cache line */
#define LZ_TAG_LINE_WORDS     8
#define LZ_CELL_WORDS	      6
#define LZ_CELL_CHOICES	      3	     /* tag lines a key may live in */
#define LZ_PORTS_SIZE	      65536  /* ifindex modulo this; userland refuses a second taker */
#define LZ_PORT_STATS	      512    /* statistics rows; the last is shared by all further ports */
#define LZ_HOLD_CAP_S	      2678400u /* 31 days: no hold lasts longer, whoever wrote it (I2) */
#define LZ_GARDENS_MAX	      16     /* rows a generation; the first two are always there */
#define LZ_GARDEN_PORTS_MAX   8
#define LZ_THROTTLES_MAX      16     /* row 0 is never used */
#define LZ_FLOW_HORIZON_S     130u   /* Linux gives up a SYN after 127 s (tcp_syn_retries 6) */
#define LZ_FLOW_REPEATS	      12     /* times a SYN may come again: Linux 6, macOS 10 */

/* ---------------------------------------------------------------- key space
 *
 * One __u64 for both families. IPv4: the address as a number, upper half zero. IPv6: the upper 64
 * bits as a number, cut to the instance's key length. A prefix in key space is (bits, len):
 * IPv4 /n has len 32+n, IPv6 /n has len n. IPv6 sources in 0000::/7 and ff00::/8 are never keyed:
 * keys with a first byte of 0x01 are free for aggregates (0x01 << 56 | 56 bits of a seeded hash of
 * (limit id, prefix or customer)), and no complement of a key is 0.
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
 * So the directory only ever saves work: 64 KB for a million sources, which the second-level cache
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

/* Who may be held: a bit a source. 32,768 neighbours - a /17, or as many IPv6 keys - share a page whose
 * place is a hash of their prefix, so the bits of a provider's dense ranges lie close together: a
 * million sources in 125 KB and 31 pages, which stay in the second-level cache and the first TLB,
 * where the tags are 1.5 MB and do not (make bench, row a). Prefixes may share a page; then a free
 * source is looked up for nothing. A bit is set in both copies after the hold word, and never cleared
 * but by filling the other copy anew (ctl/datapath/heldbits.c). */
#define LZ_HELD_LINE_WORDS 8
#define LZ_HELD_PAGE_LINES 64
#define LZ_HELD_PAGE_BITS  15
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

/* One source (or aggregate). Two cache lines: the first is all that a counted SYN needs whose limits fit
 * into four words, the second is what fewer packets touch. Fetched beside the first it costs 20-40 ns,
 * waited for behind it 100 (make bench, row b). syn and smtp_connections are added to with one locked
 * instruction: when the lower one wraps it carries into its neighbour, once in 2^32 packets of one
 * source. state[] belongs to the limits of the source's class, see struct lz_limit; words 0..3 lie in
 * the first line, so compile fills those first. */
struct lz_cell {
	__u64 key;		    /* complement of the key; 0 = being claimed; set by compare-and-swap */
	__u64 hold;		    /* hold word, by controller and `hold` limits; aggregate of an IPv6
				     * /48: cells made below it */
	__u32 syn;		    /* bare SYNs that reached class rules, retransmissions included */
	__u32 smtp_connections;	    /* distinct attempts to port 25, retransmissions not counted */
	__u32 seen_s;		    /* last examined packet, CLOCK_MONOTONIC s */
	__u16 told_s;		    /* last event sent about this source: seconds, lower half */
	__u16 known_class;	    /* LZ_KNOWN_CLASS(): what the range tables said last; 0 = ask */
	__u64 state[LZ_CELL_WORDS];
	__u64 dests[4];		    /* distinct port-25 destinations: two banks of 2 x 52 bits */
	__u32 others;		    /* packets that reached class rules and were no SYN */
	__u32 dropped;		    /* packets refused or dropped by us */
	__u32 would_drop;	    /* packets a monitored rule would have refused */
	__u32 reach_ms;		    /* token bucket of a held source: what it may reach, or its throttle */
};
_Static_assert(sizeof(struct lz_cell) == 128, "a cell is two cache lines");

/* A class is looked up once a source and epoch (struct lz_generation) and remembered in its cell,
 * which is read anyway: that saves the range tables' calls and cache lines (make bench, rows b and
 * e). Ten bits of the epoch are enough, because whoever gives out epochs clears what is remembered
 * before they come round (ctl/datapath/policyswap.c). An epoch with ten zero bits remembers nothing. */
#define LZ_EPOCH_BITS 10
#define LZ_EPOCH_LOW(epoch) ((epoch) & ((1u << LZ_EPOCH_BITS) - 1))
#define LZ_KNOWN_CLASS(epoch, class_) ((__u16)(LZ_EPOCH_LOW(epoch) << 6 | (class_)))

/* ---------------------------------------------------------------- flows */

/* Seven recent port-25 SYNs, or SYN-ACKs awaiting their ACK, a line, and which of them goes next: the
 * oldest, because an entry's age counts from its first SYN. Entry: bits 0..13 first seen,
 * ticks of 2^28 ns; bits 14..16 verdict (enum lz_verdict); bits 17..20 how often it came again;
 * bits 21..63 fingerprint of source, destination, ports, sequence number and generation under the
 * instance seed, never 0. 0 = free. The age counts from the first SYN: one that is sent again and again
 * would otherwise open connections for ever and be counted once. */
#define LZ_FLOW_LINE_ENTRIES 7
struct lz_flow_line {
	__u64 entry[LZ_FLOW_LINE_ENTRIES];
	__u64 next; /* below LZ_FLOW_LINE_ENTRIES */
};
_Static_assert(sizeof(struct lz_flow_line) == 64, "a flow line is one cache line");

/* ---------------------------------------------------------------- verdicts */

enum lz_verdict {
	LZ_V_PASS,
	LZ_V_DROP,	 /* silence */
	LZ_V_ICMP_ADMIN, /* ICMP 3/13, ICMPv6 1/1 */
	LZ_V_TCP_RESET,
	LZ_V_SMTP_554,	 /* to the portal's sink; if none listens: the other verdict, see struct lz_meta */
	LZ_V_PAGE,	 /* to the portal's page; if none listens: LZ_V_TCP_RESET */
	LZ_V_N,
};

/* Why: counted per port. Sums: received == passed + the LZ_R_DROP_* reasons (I8). */
enum lz_reason {
	/* passed */
	LZ_R_PASS_BYPASS,      /* kill switch */
	LZ_R_PASS_NO_POLICY,   /* generation word says none, or port without a role */
	LZ_R_PASS_NOT_IP,      /* ARP, LLDP, STP, PPP control, ... */
	LZ_R_PASS_UNPARSED,    /* deeper or stranger than the parser goes */
	LZ_R_PASS_UNKEYED,     /* IPv6 source in 0000::/7 or ff00::/8 */
	LZ_R_PASS_OTHER,       /* none of our business: not held, no rule looks at it */
	LZ_R_PASS_FOREIGN,     /* a SYN or port-25 packet from a source in no set */
	LZ_R_PASS_EXAMINED,    /* class rules looked and let it pass */
	LZ_R_PASS_EXCEPTION,   /* an exception overruled a refusal */
	LZ_R_PASS_NEVER,       /* the never-list overruled a refusal */
	LZ_R_PASS_MONITOR,     /* would have been refused: monitor mode */
	LZ_R_PASS_GARDEN,      /* a held source's packet that the fate table passes */
	LZ_R_PASS_RETRANSMIT,  /* retransmission of a SYN that passed */
	LZ_R_PASS_PORTAL,      /* return hook: an answer of our own portal */
	LZ_R_PASS_N,
	/* not passed */
	LZ_R_DROP_PORT25 = LZ_R_PASS_N, /* class refuses port 25 to the world */
	LZ_R_DROP_LIMIT,	/* over a limit */
	LZ_R_DROP_RETRANSMIT,	/* retransmission of a refused SYN */
	LZ_R_DROP_HELD,		/* the fate table of a held source; what was led to the portal is
				 * among these, LZ_C_STEERED says how much */
	LZ_R_DROP_THROTTLED,	/* beyond the rate of a throttled source */
	LZ_R_DROP_FROM_PORT25,	/* return hook: source port 25 towards a class that forbids it */
	LZ_R_DROP_TO_CUSTOMER,	/* return hook: SYN to port 25 of a class that forbids it */
	LZ_R_DROP_TINY_FRAGMENT,/* first fragment too short for the TCP flags (RFC 1858) */
	LZ_R_DROP_UNPARSED,	/* policy says "unparsed": "drop" */
	LZ_R_N,
};

/* Further per-port counters, beside the reasons. */
enum lz_count {
	LZ_C_RECEIVED = LZ_R_N,
	LZ_C_RECEIVED_BYTES,
	LZ_C_REPLY_SENT,       /* refusals answered */
	LZ_C_REPLY_SUPPRESSED, /* refusals not answered: rate limit or packet of a strange shape */
	LZ_C_TABLE_FULL,       /* a new source found no cell: passed, uncounted */
	LZ_C_PREFIX_CHARGED,   /* IPv6 creation budget spent: covering prefix charged instead */
	LZ_C_RETRY_EXHAUSTED,  /* a bucket lost every compare-and-swap: refused, never admitted */
	LZ_C_EVENT_LOST,       /* ring buffer full */
	LZ_C_NEVER_SPOOFED,    /* a never-list source seen on a customer port */
	LZ_C_HOLD_INVALID,     /* hold word beyond its own ttl or the cap: ignored */
	LZ_C_STEERED,	       /* packets led to the portal */
	LZ_C_STEER_LIMITED,    /* of a source that asks the portal too often: dropped */
	LZ_C_HANDSHAKE,	       /* a source proved to be there: it acknowledged a SYN-ACK from port 25 */
	LZ_C_N,
};

struct lz_port_stats {
	__u64 count[LZ_C_N]; /* indexed by enum lz_reason and enum lz_count */
};

struct lz_class_stats {
	__u64 examined;
	__u64 verdict[LZ_V_N];	 /* what was done */
	__u64 would[LZ_V_N];	 /* what monitored rules would have done */
};
_Static_assert(sizeof(struct lz_class_stats) == 8 + 16 * LZ_V_N, "no holes");

struct lz_limit_stats {
	__u64 asked;	/* packets it was asked about */
	__u64 over;	/* of those: over it, whatever was then done */
	__u64 holds;	/* sources held by it */
	__u64 proven;	/* of those asked: handshakes, LZ_LIMIT_F_PROOF */
};
_Static_assert(sizeof(struct lz_limit_stats) == 32, "no holes");

/* ---------------------------------------------------------------- policy as the data plane sees it */

enum lz_limit_kind {
	LZ_LIMIT_NONE,
	LZ_LIMIT_WINDOW, /* at most N in any window */
	LZ_LIMIT_BUCKET, /* token bucket: rate and burst */
	LZ_LIMIT_DESTS,	 /* distinct destinations, estimated */
};

enum lz_limit_what {
	LZ_WHAT_SYN,		   /* bare SYNs, any port */
	LZ_WHAT_SMTP_CONNECTIONS,
	LZ_WHAT_SMTP_DESTINATIONS,
};

enum lz_limit_per {
	LZ_PER_SOURCE,
	LZ_PER_PREFIX,
	LZ_PER_CUSTOMER,
};

enum lz_then {
	LZ_THEN_DROP,	/* with the limit's refusal, which may be silence */
	LZ_THEN_NOTIFY, /* event only */
	LZ_THEN_HOLD,	/* quarantine the source, refuse this packet silently */
};

#define LZ_LIMIT_F_MONITOR 0x01
#define LZ_LIMIT_F_PROOF   0x02 /* holds, or tells, by completed handshakes, counted in state word + 1
				 * (kind DESTS: in the bitmap); SYNs over it are only dropped */

/* State words of a window, N <= 4,000,000: `words` words, slot s lives in word s % words. A word is
 *   bits 60..63 stamp, bits 44..59 epoch (s / words), bits 0..43 `counters` fields of `bits` bits,
 * the newest lowest. The sum of all fields is what was admitted in the last
 * k = words*counters - 1 whole slots and the running one; a window is k slots long, so never more
 * than N are admitted in any window, and room comes back between W and W + W/k later.
 * Token bucket: bits 60..63 stamp, bits 0..59 theoretical arrival time, ns (GCRA, ITU-T I.371).
 * A word with another stamp is empty: compile gives a changed shape a new stamp. */
struct lz_limit {
	__u64 to_mask;	   /* destination sets it looks at; 0 = any destination */
	__u64 slot_ns;	   /* window and dests: length of a slot; bucket: ns a token */
	__u64 burst_ns;	   /* bucket: (burst - 1) * slot_ns */
	__u32 n;	   /* window, dests: the most admitted */
	__u32 hold_ttl_s;
	__u16 id;	   /* row in lz_limit_stats, stable over reloads by class and name */
	__u8 kind;	   /* enum lz_limit_kind */
	__u8 what;	   /* enum lz_limit_what */
	__u8 per;	   /* enum lz_limit_per */
	__u8 then;	   /* enum lz_then */
	__u8 refuse;	   /* enum lz_verdict, for LZ_THEN_DROP */
	__u8 flags;	   /* LZ_LIMIT_F_* */
	__u8 grade;	   /* for LZ_THEN_HOLD: LZ_GRADE() */
	__u8 word;	   /* first state word, 0..LZ_CELL_WORDS-1 (aggregates: 0) */
	__u8 words;	   /* 1 or 2 */
	__u8 bits;	   /* of one counter */
	__u8 counters;	   /* in one word */
	__u8 stamp;	   /* 1..15 */
	__u8 per_len4;	   /* LZ_PER_PREFIX: key-space lengths, 32..64 */
	__u8 per_len6;	   /* 16..64 */
	__u8 pad_[8];
};
_Static_assert(sizeof(struct lz_limit) == 56, "no holes");

#define LZ_CLASS_F_SHARED	0x01 /* many customers behind one address: never held */
#define LZ_CLASS_F_PORT25_RULE	0x08 /* to_world is not LEAVE_ALONE */
#define LZ_CLASS_F_SYN_TO	0x10 /* some limit on SYNs looks at the destination */
#define LZ_CLASS_F_PROOF	0x20 /* some limit waits for handshakes: watch SYN-ACKs */
#define LZ_CLASS_F_PROOF_DESTS	0x40 /* ... and the bitmap of destinations does: SYNs are not noted */

struct lz_class {
	__u64 except_mask;  /* destination sets that port 25 may always reach */
	__u64 dests_slot_ns;/* window of the distinct-destination estimate */
	__u32 flags;	    /* LZ_CLASS_F_* */
	__u8 to_world;	    /* enum lz_verdict; PASS = leave alone */
	__u8 from_port25;   /* return hook: PASS or DROP */
	__u8 to_customers;  /* return hook: PASS or a refusal */
	__u8 limits;	    /* how many of limit[] are set */
	struct lz_limit limit[LZ_LIMITS_PER_CLASS];
};
_Static_assert(sizeof(struct lz_class) == 24 + 56 * LZ_LIMITS_PER_CLASS, "no holes");

#define LZ_GEN_F_MONITOR	0x01 /* count everything, enforce nothing */
#define LZ_GEN_F_UNPARSED_DROP	0x02
#define LZ_GEN_F_IGNORE_FOREIGN	0x04 /* what comes from no set is LZ_R_PASS_OTHER, whatever it is */
#define LZ_GEN_F_NEVER_HIDDEN	0x08 /* an IPv6 never prefix is longer than the key: no class shows it */
#define LZ_GEN_F_PROOF		0x10 /* some class has LZ_CLASS_F_PROOF */

/* Destination sets with a fixed meaning. */
#define LZ_SET_NEVER	    (1ULL << 0) /* never-list, as source and as destination */
#define LZ_SET_REACH	    (1ULL << 1) /* always-reach: open to held sources */
#define LZ_SET_FIRST_NAMED  2		/* bit of the first set named in the policy */

/* A garden. Row ids are stable over reloads by name, like limit ids: hold words carry them. A row
 * whose garden has left the policy is LZ_GARDEN_STRICT with nothing open, until nobody is in it. */
struct lz_garden_row {
	__u64 allow_mask; /* destination sets that are open */
	__u32 open[LZ_GARDEN_PORTS_MAX]; /* IP protocol << 16 | port, to anywhere; 0 = none */
	__u8 kind;	  /* enum lz_garden */
	__u8 mail;	  /* TCP 25: a refusal or LZ_V_SMTP_554 */
	__u8 web;	  /* TCP 80: LZ_V_DROP or LZ_V_PAGE */
	__u8 tls;	  /* strict: TCP 443, 465, 587: a refusal */
	__u8 names;	  /* 1 = allow_mask has sets of host names: ask lz_learnt too */
	__u8 pad_[3];
};
_Static_assert(sizeof(struct lz_garden_row) == 16 + 4 * LZ_GARDEN_PORTS_MAX, "no holes");

#define LZ_HIDDEN_WORDS 8

struct lz_generation {
	__u64 number;	    /* of the apply that made it; 0 = unused */
	__u64 hidden[LZ_HIDDEN_WORDS]; /* with LZ_GEN_F_NEVER_HIDDEN: a bit for each key that a
					* never address shares; others' packets are not looked up */
	__u32 flags;	    /* LZ_GEN_F_* */
	__u32 classes;	    /* class ids in use are below this */
	__u32 range_buckets;/* hashed ones of this generation's lz_ranges inner map; 0 = no class */
	__u32 epoch;	    /* another one whenever a table of this generation changes: the data
			     * plane marks with it what it remembers of a look-up; 0 = nothing */
	__u32 pad0_;
	__u8 range_levels4; /* bit k: some range of IPv4 has a group of level k */
	__u8 range_levels6;
	__u8 dest_lens_n;
	__u8 customer_lens_n;
	__u8 dest_lens[LZ_LENGTHS_MAX];	    /* on 128 bits, IPv4 /n is 96+n; longest first */
	__u8 customer_lens[LZ_LENGTHS_MAX]; /* key-space lengths, longest first */
	struct lz_garden_row garden[LZ_GARDENS_MAX];
	struct lz_class class_[LZ_CLASSES_MAX];
};
_Static_assert(sizeof(struct lz_generation) == 64 + 8 * LZ_HIDDEN_WORDS + 48 * LZ_GARDENS_MAX + 360 * LZ_CLASSES_MAX,
	       "no holes");

/* The generation word: bits 0..7 active slot, 8..15 previous slot (LZ_GEN_NONE = pass all), bits
 * 32..63 deadline_s (CLOCK_MONOTONIC). deadline 0 = confirmed. Past the deadline the data plane
 * itself uses the previous slot: no daemon is needed to roll back. */
#define LZ_GEN_ACTIVE(w)   ((__u32)(w) & 0xff)
#define LZ_GEN_PREVIOUS(w) ((__u32)((w) >> 8) & 0xff)
#define LZ_GEN_DEADLINE(w) ((__u32)((w) >> 32))
#define LZ_GEN_WORD(active, previous, deadline_s)                                                  \
	((__u64)(active) | ((__u64)(previous) << 8) | ((__u64)(__u32)(deadline_s) << 32))

/* A rate of throttled sources: burst_ms / step_ms + 1 connections at once, then one every step_ms.
 * State like the holds that name its row; both at most 2^30 ms, which is 12 days. */
struct lz_throttle {
	__u32 step_ms; /* 0 = row not in use: nothing is throttled by it */
	__u32 burst_ms;
};
_Static_assert(sizeof(struct lz_throttle) == 8, "no holes");

struct lz_control {
	__u64 gen_word;
	__u64 bypass_until_s; /* 0 = off; CLOCK_MONOTONIC seconds; ~0 = until switched off */
	__u64 replay_now_ns;  /* the clock when rodata says replay */
	__u64 sources_max;    /* cells for ordinary sources; the rest of the table is the colony's */
	__u64 exception_lens; /* bit n: some exception has key-space length n (0..63) */
	__u32 exception_len64;/* how many exceptions have length 64 */
	__u32 v6_budget;      /* cells the kernel may create below one IPv6 /48 */
	__u32 zero;	      /* always 0, but the verifier cannot know: see LZ_FORGET() */
	__u32 bypass_at_s;    /* the last switch: when, CLOCK_MONOTONIC */
	__u32 bypass_uid;     /* by whom; the daemon writes down what was done without it */
	__u32 bypass_switches;/* how many there were; 0 = never touched */
	struct lz_throttle throttle[LZ_THROTTLES_MAX];
	struct lz_generation gen[LZ_GENERATIONS];
};
_Static_assert(sizeof(struct lz_control) ==
		       64 + 8 * LZ_THROTTLES_MAX + 2 * sizeof(struct lz_generation),
	       "no holes");

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
	__u32 pad_;
};
_Static_assert(sizeof(struct lz_instance) == 48, "no holes");

#define LZ_EXCEPTED_WORDS 512 /* 32,768 bits */

/* Counters of the tables: written by both sides with atomic adds; and what every packet reads. */
struct lz_tables {
	__u64 cells_used; /* tags neither free nor reclaimed */
	__u64 cells_held; /* of those: made for a hold, or held at the last recount */
	__u32 blocks_used; /* bits set behind the entries of lz_blocks */
	__u32 next_block; /* where to look for one that is free, modulo lz_blocks_of() */
	__u64 pad_[5];
	__u64 held_copy; /* which copy of lz_held packets read, 0 or 1: the controller's word, and on
			  * a line of its own, because every packet reads it */
	__u64 pad2_[7];
	/* A bit a hash of whatever single sources are excepted: nobody else's packets ask the exceptions'
	 * stock hash (make bench, row e). Bits of ended exceptions stay until the controller starts. */
	__u64 excepted[LZ_EXCEPTED_WORDS];
};
_Static_assert(sizeof(struct lz_tables) == 128 + 8 * LZ_EXCEPTED_WORDS, "whole cache lines");

/* The clock as the data plane read it last, and the tick it was read in: its own affair. */
struct lz_tick {
	__u64 jiffies;
	__u64 now_ns;
	__u64 pad_[6];
};
_Static_assert(sizeof(struct lz_tick) == 64, "own cache line");

/* ---------------------------------------------------------------- ranges */

/* The class of a source: one hash table for both families. A group of level k, 0..7, is all prefixes
 * of 8k+1..8k+8 bits of key space (level 0: of 0 too) that share their first 8k bits: 256 places, by
 * the next eight bits. It has one line, whose id is those 8k bits | k + 1. Bit n of the line says
 * which of two classes place n has; where two are not enough, `block` is a bucket with a class a
 * place. LZ_RANGE_OUTER is "ask the next shorter group", as is a group that is not there; compile
 * writes the class around the group instead, so that one line is the answer.
 *
 * The search begins at line lz_range_home(), goes round its bucket of four, on to the next where all
 * four are used, LZ_RANGE_PROBES buckets at most; it ends at the first free line. Blocks lie behind
 * the hashed buckets. Measured with 500,000 prefixes (make bench, row d): IPv4 in 16-8-8 bits of
 * direct indexing took 160-200 ns, its blocks being eight times the lines of now, and three calls,
 * as inner maps of any size are not inlined; IPv6 by length, six probes, took 0.9-1.2 us.
 *
 * In a table in force (ctl/policy/stores.h) a line is never given up, nor do its two classes change
 * but to LZ_RANGE_OUTER: what is changed is an id, a word of bits, a place of a block, or `block`
 * itself, by one store each, and a packet reads one of each. */
#define LZ_RANGE_BUCKET_LINES 4
#define LZ_RANGE_PROBES	      4
#define LZ_RANGE_PLACES	      256
#define LZ_RANGE_LEVELS	      8
#define LZ_RANGE_OUTER	      255
struct lz_range_line {
	__u64 id; /* 0 = free */
	__u64 bits[LZ_RANGE_PLACES / 64];
	__u64 pad_[2];
	__u32 block; /* bucket; 0 = the bits count */
	__u8 class_[2];
	__u8 pad2_[2];
};
_Static_assert(sizeof(struct lz_range_line) == 64, "one cache line");
union lz_range_bucket {
	struct lz_range_line line[LZ_RANGE_BUCKET_LINES];
	__u8 class_[LZ_RANGE_PLACES];
};
_Static_assert(sizeof(union lz_range_bucket) == 256, "whole cache lines");

/* Destination table: prefix on 128 bits (IPv4 as ::ffff:a.b.c.d) -> mask of sets. */
struct lz_dest_key {
	__u8 addr[16];
	__u32 len;
};
_Static_assert(sizeof(struct lz_dest_key) == 20, "no holes");

/* Prefix in key space: exceptions, customers. */
struct lz_prefix_key {
	__u64 bits;
	__u32 len;
	__u32 pad_;
};
_Static_assert(sizeof(struct lz_prefix_key) == 16, "no holes");

#define LZ_EXCEPTION_PORT25 0x01
#define LZ_EXCEPTION_ALL    0x02
struct lz_exception {
	__u32 until_s; /* CLOCK_MONOTONIC */
	__u32 flags;   /* LZ_EXCEPTION_* */
};
_Static_assert(sizeof(struct lz_exception) == 8, "no holes");

/* An address that a host name of some sets had; the key is 16 bytes like in struct lz_dest_key.
 * Sets are numbered by each generation for itself. */
struct lz_learnt {
	__u64 mask[LZ_GENERATIONS];
	__u32 until_s; /* CLOCK_MONOTONIC */
	__u32 pad_;
};
_Static_assert(sizeof(struct lz_learnt) == 24, "no holes");

/* ---------------------------------------------------------------- the portal */

/* Rows of lz_portal_socks: listening sockets made by the keeper, IP_TRANSPARENT, with SO_MARK
 * LZ_MARK_REPLY, which what they accept inherits. A row that is empty: nobody listens. */
enum lz_portal_service {
	LZ_PORTAL_PAGE, /* TCP 80 */
	LZ_PORTAL_SINK, /* TCP 25 */
	LZ_PORTAL_SERVICES,
};
#define LZ_PORTAL_ROW(service, family) ((service) * 2 + ((family) == 6))
#define LZ_PORTAL_ROWS		       (LZ_PORTAL_SERVICES * 2)

/* Packets led to the portal carry STEER: an ip rule sends them to a table that has the whole world
 * local. What the portal answers carries REPLY: the return hook lets it pass. Whole words, low
 * halves zero: out of the way of the masks people use. */
#define LZ_MARK_STEER 0x4c5a0000u
#define LZ_MARK_REPLY 0x4c5b0000u

/* ---------------------------------------------------------------- ports */

enum lz_role {
	LZ_ROLE_NONE,
	LZ_ROLE_CUSTOMER,
	LZ_ROLE_UPLINK, /* the return hook */
};

/* Entry of lz_ports by ifindex % LZ_PORTS_SIZE. */
#define LZ_PORT_ROLE(e, slot) (((e) >> (2 * (slot))) & 3) /* slot 0 or 1 */
#define LZ_PORT_F_L3	      0x10 /* headerless: the frame starts at IP (ppp, tun) */
#define LZ_PORT_F_XDP	      0x20 /* XDP judges here; tc ingress only answers */
#define LZ_PORT_F_GENERIC     0x40 /* ... generic XDP: see lz_pending in maps.h */
#define LZ_PORT_F_CHANGING    0x80 /* the hook changes: XDP marks what it has judged, see below */
#define LZ_PORT_STATS_SHIFT   8	   /* bits 8..16: row in lz_port_stats */
#define LZ_PORT_ENTRY(role0, role1, flags, row)                                                    \
	((__u32)((role0) | ((role1) << 2) | (flags) | ((row) << LZ_PORT_STATS_SHIFT)))

/*
 * From one hook to another under traffic, each packet judged once (ctl/datapath/rehook.c):
 *
 *   XDP CHANGING   XDP program           tc program
 *    -     -       not there             judges
 *    X     -       judges                answers what is marked, all else was judged
 *    -     X       judges, marks         the same: from here on nothing unmarked is under way
 *    X     X       judges, marks         judges what is not marked: whether or not there is XDP
 *
 * Native XDP marks by metadata, generic XDP by lz_pending.
 */

/* Where refusals come from: the interface's own addresses, by ifindex. */
struct lz_port_addr {
	__u8 ip6[16];	   /* zero = none */
	__be32 ip4;	   /* zero = none */
	__u32 pad_;
};
_Static_assert(sizeof(struct lz_port_addr) == 24, "no holes");

/* ---------------------------------------------------------------- events */

enum lz_event_kind {
	LZ_EVENT_NONE,
	LZ_EVENT_LIMIT,	     /* first refusal of a source by a limit (then at most one a second) */
	LZ_EVENT_WOULD,	     /* the same, monitored or notify */
	LZ_EVENT_PORT25,     /* class refused port 25 */
	LZ_EVENT_HOLD,	     /* a limit held the source */
	LZ_EVENT_KIND_N,
};

struct lz_event {
	__u64 when_ns;	  /* CLOCK_MONOTONIC (coarse) */
	__u64 key;
	__u64 hold;	  /* hold word after the event */
	__u64 generation;
	__u8 dest[16];	  /* IPv4 as ::ffff:a.b.c.d */
	__u32 ifindex;
	__u32 value;	  /* what the limit had counted */
	__u32 limit_n;	  /* what it allows */
	__u16 limit_id;	  /* 0 = none */
	__u16 class_;
	__u16 dport;
	__u8 kind;	  /* enum lz_event_kind */
	__u8 verdict;	  /* enum lz_verdict */
	__u8 pad_[4];
};
_Static_assert(sizeof(struct lz_event) == 72, "no holes");

/* ---------------------------------------------------------------- XDP -> tc */

/* `other` is the verdict where no portal listens or the flow is not the portal's. */
#define LZ_META_MAGIC 0x4c5a0003u
struct lz_meta {
	__u32 magic;
	__u8 verdict; /* enum lz_verdict */
	__u8 other;
	__u8 pad_[2];
};
_Static_assert(sizeof(struct lz_meta) == 8, "a multiple of four");

/* The last judgement, written only when rodata says replay (backtest, tests). */
struct lz_replay {
	__u64 key;
	__u32 class_;
	__u32 value;
	__u16 limit_id;
	__u8 verdict;	/* done */
	__u8 would;	/* a monitored rule's */
	__u8 reason;	/* enum lz_reason */
	__u8 pad_[3];
};
_Static_assert(sizeof(struct lz_replay) == 24, "no holes");

#endif /* LZ_LAZARET_ABI_H */
