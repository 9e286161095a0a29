/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model.h - the data plane as a slow and obvious program, written from the design, not from bpf/.
 *
 * It shares the words of abi.h (what a class, a limit, a hold word is) and nothing else: bytes are
 * read one by one, lists are searched from one end to the other, counts are lists of admissions.
 * Policy, exceptions, clock and port come from the lists of struct world. p_model.c runs both on
 * the same packets and compares verdict, reason and every counter (design.md I7).
 */
#ifndef LZ_SELFTESTS_MODEL_H
#define LZ_SELFTESTS_MODEL_H

#include <stdbool.h>

#include "lib/world.h"

/* What a frame is. */
struct m_packet {
	bool not_ip, unparsed, overtagged, later_fragment, tiny, keyed, has_ports, syn;
	int family; /* 4, 6; 0 = none found */
	unsigned proto, sport, dport, icmp_type, tcp_flags;
	__u32 seq, ack;
	__u8 src[16], dst[16]; /* IPv4 in the first four */
	__u64 key;
};

enum m_kind { M_SOURCE, M_BUDGET, M_AGGREGATE };

#define M_LIMITS_MAX 16 /* limit ids are below this */
#define M_SLOTS_MAX  64
#define M_CELLS_MAX  4096
#define M_FLOWS_MAX  8192

/* What one limit has admitted in one cell. */
struct m_count {
	struct {
		__u64 slot;
		__u32 n;
	} admitted[M_SLOTS_MAX];
	unsigned slots;
	bool bucket_used;
	__u64 bucket_at;	    /* when tokens was last right */
	unsigned __int128 tokens;   /* times slot_ns */
};

struct m_cell {
	enum m_kind kind;
	__u64 key, what; /* aggregate: prefix, limit id */
	__u64 hold;
	__u32 children; /* cells below a budget's prefix */
	__u32 syn, smtp_connections, dropped, examined, would_drop;
	__u64 dest_slot[2];
	bool dest_bit[2][104];
	__u8 dest_mark; /* of the one noted last */
	__u64 reach_at_ms, reach_level_ms; /* how much was used up then */
	struct m_count count[M_LIMITS_MAX];
};

struct m_flow {
	__u8 src[16], dst[16];
	unsigned sport, dport;
	__u32 seq;
	__u64 tick, generation;
	__u32 verdict, repeated;
};

struct model {
	const struct world *w;
	struct m_cell cells[M_CELLS_MAX];
	unsigned cells_n;
	unsigned cells_held; /* of those: made for a hold */
	struct m_flow flows[M_FLOWS_MAX];
	unsigned flows_n;
	struct lz_class_stats class_[LZ_CLASSES_MAX];
	struct lz_limit_stats limit[M_LIMITS_MAX];
	__u64 delta[LZ_C_N]; /* of the last packet: reasons and the counters beside them */
	__u32 verdict, reason, other; /* other: if the portal cannot answer */
};

/** m_parse() - what these bytes are */
void m_parse(const __u8 *bytes, unsigned n, bool l3, unsigned key_len, struct m_packet *p);

/** m_judge() - one frame; the answer is in verdict, reason, delta */
void m_judge(struct model *m, enum world_hook hook, const __u8 *bytes, unsigned n);

/** m_reset() - no cells, no flows, no counters */
void m_reset(struct model *m);

/** m_hold() - the same hold that world_hold() wrote */
void m_hold(struct model *m, __u64 key, __u64 word);

/* Between the model's own files. */
struct m_cell *m_cell_find(struct model *m, enum m_kind kind, __u64 key, __u64 what);
/** m_cells_full() - is there no room for one more ordinary cell? */
bool m_cells_full(const struct model *m);

struct m_cell *m_cell_make(struct model *m, enum m_kind kind, __u64 key, __u64 what);
struct m_cell *m_source_cell(struct model *m, const struct m_packet *p);
bool m_charge(struct model *m, struct m_cell *cell, const struct lz_limit *l, __u64 now_ns);
void m_note_destination(struct model *m, struct m_cell *cell, __u64 slot_ns,
			const struct m_packet *p);
bool m_held_allowed(struct m_cell *cell, __u64 now_ns, __u64 step_ms, __u64 burst_ms);
struct m_flow *m_flow_find(struct model *m, const struct m_packet *p, __u64 generation);
void m_flow_note(struct model *m, const struct m_packet *p, __u64 generation, __u32 verdict);
unsigned m_class_of(const struct model *m, int slot, int family, const __u8 *addr);
__u64 m_sets_of(const struct model *m, int slot, int family, const __u8 *addr);
__u64 m_customer_of(const struct model *m, int slot, const struct m_packet *p);
unsigned m_exception_of(const struct model *m, int family, const __u8 *addr);

#endif /* LZ_SELFTESTS_MODEL_H */
