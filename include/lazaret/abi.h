/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi.h - everything that crosses the border between the data plane (bpf/) and userland (ctl/): this and
 * cells.h, the memory of the tables.
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
 *   lz_cells   ARRAY           one 64-byte cell a source (or aggregate); slot n <-> tag n
 *   lz_cold    ARRAY           its other 64 bytes, which few packets touch; slot n <-> tag n
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

#include <lazaret/cells.h>

#ifndef LZ_ABI_VERSION /* a test makes a daemon of another one */
#define LZ_ABI_VERSION 11
#endif

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
#define LZ_PORTS_SIZE	      65536  /* ifindex modulo this; userland refuses a second taker */
#define LZ_PORT_STATS	      512    /* statistics rows; the last is shared by all further ports */
#define LZ_GARDENS_MAX	      16     /* rows a generation; the first two are always there */
#define LZ_GARDEN_PORTS_MAX   8
#define LZ_THROTTLES_MAX      16     /* row 0 is never used */

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
	LZ_R_DROP_TINY_FRAGMENT,/* TCP flags hidden: a first fragment (RFC 1858), headers without end */
	LZ_R_DROP_UNPARSED,	/* policy says "unparsed": "drop" */
	LZ_R_N,
};

/* Further per-port counters, beside the reasons. */
enum lz_count {
	LZ_C_RECEIVED = LZ_R_N,
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
				 * (kind DESTS: in the bitmap); SYNs over it are only dropped. One that
				 * holds admits `slack` SYNs more: with n of them at most there would
				 * never be more than n handshakes */

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
	__u32 slack;	   /* LZ_THEN_HOLD with LZ_LIMIT_F_PROOF: SYNs admitted beyond n */
	__u8 pad_[4];
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
	__u32 open[LZ_GARDEN_PORTS_MAX]; /* IP protocol << 16 | port, to anywhere; behind the last a 0 */
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
	__u32 policy;	    /* which one it is: userland's fingerprint of it, another one with each change of
			     * it; 0 = not told */
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
#define LZ_THROTTLE_MAX_PER_S 1000 /* step_ms is 1 or more */
struct lz_throttle {
	__u32 step_ms; /* 0 = row not in use: nothing is throttled by it */
	__u32 burst_ms;
};
_Static_assert(sizeof(struct lz_throttle) == 8, "no holes");

struct lz_control {
	/* the first line is the same in every ABI: a bypass works and outlives an upgrade */
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
#define LZ_CONTROL_HEAD_BYTES 64
_Static_assert(__builtin_offsetof(struct lz_control, bypass_until_s) == 8 &&
		       __builtin_offsetof(struct lz_control, bypass_at_s) == 52 &&
		       __builtin_offsetof(struct lz_control, throttle) == LZ_CONTROL_HEAD_BYTES,
	       "the first line never changes");

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
 * local. What the portal answers carries REPLY, and our own refusals REFUSAL: the return hook lets both
 * pass. Whole words, low halves zero: out of the way of the masks people use. */
#define LZ_MARK_STEER	0x4c5a0000u
#define LZ_MARK_REPLY	0x4c5b0000u
#define LZ_MARK_REFUSAL 0x4c5c0000u

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
