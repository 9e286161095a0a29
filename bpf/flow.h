/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow.h - the memory of recent port-25 SYNs: a retransmission is neither counted again nor, if the
 * first was refused, let through.
 *
 * A SYN is known by source, destination, ports, initial sequence number and the generation that
 * judged it, hashed under the instance seed: 43 bits, of which those that choose the line tell
 * nothing more. A new generation judges anew (I5), and no answer of one that was taken back lasts.
 * No host sends a SYN again more often than LZ_FLOW_REPEATS times; whoever does opens new
 * connections with an old number, and is counted. Eight entries a line, the stalest is replaced, so
 * the forty attempts a mail server keeps open at once are far from pushing each other out; what
 * does get pushed out under a flood is judged again like a new attempt - counted twice, and refused
 * again by the limit that is over anyway.
 *
 * The line does not depend on the source's cell, so its cache miss overlaps with the cell's.
 */
#ifndef LZ_BPF_FLOW_H
#define LZ_BPF_FLOW_H

#include "maps.h"
#include "parse.h"

#define LZ_FLOW_NEW -1

/* Ticks of 2^28 ns = 268 ms, 14 bits: they wrap after 73 minutes, far beyond the horizon. */
#define LZ_FLOW_TIME_MASK     0x3fff
#define LZ_FLOW_NOW(now_ns)   ((__u32)((now_ns) >> 28) & LZ_FLOW_TIME_MASK)
#define LZ_FLOW_VERDICT(e)    ((__u32)((e) >> 14) & 7)
#define LZ_FLOW_REPEATED(e)   ((__u32)((e) >> 17) & 15)
#define LZ_FLOW_REPEAT_ONE    (1ULL << 17)
#define LZ_FLOW_PRINT_SHIFT   21
#define LZ_FLOW_HORIZON_TICKS ((__u32)((LZ_FLOW_HORIZON_S * 1000000000ULL) >> 28))

/* Where an entry has its verdict. A SYN that passed is ANSWERED once its SYN-ACK came by; the other
 * two are of handshakes, see proof.h. */
enum {
	LZ_FLOW_ANSWERED = LZ_V_N,
	LZ_FLOW_AWAITED = LZ_V_N,
	LZ_FLOW_USED,
};
_Static_assert(LZ_FLOW_USED <= 7, "three bits");

/**
 * lz_flow_mix() - what names a connection, as one number
 * @rest: ports and numbers, of the sender's choosing
 *
 * Each address goes through its own keyed hash before anything else touches it: nobody can change a
 * port or a number, or another address, by as much as an address differs, and have the same number
 * again. The two ends do not wait for each other.
 */
static __always_inline __u64 lz_flow_mix(const __u64 *s, const __u64 *d, __u64 rest)
{
	__u64 source = lz_hash(lz_hash(s[0], lz_instance.seed) ^ s[1], 0);
	__u64 dest = lz_hash(lz_hash(d[0], ~lz_instance.seed) ^ d[1], 0);

	return lz_hash(source ^ rest, dest);
}

/* Of a SYN, or of the SYN that a SYN-ACK answers. The generation's number wraps after 65,536, in far
 * more than the horizon. */
static __always_inline __u64 lz_flow_hash_of(const struct lz_pkt *p, int is_answer)
{
	const __u64 *s = (const __u64 *)(is_answer ? p->daddr : p->saddr);
	const __u64 *d = (const __u64 *)(is_answer ? p->saddr : p->daddr);
	__u64 port = is_answer ? p->dport : p->sport;
	__u32 seq = is_answer ? p->ack - 1 : p->seq;

	return lz_flow_mix(s, d, lz_control.gen[p->slot & 1].number << 48 | port << 32 | seq);
}

static __always_inline __u64 lz_flow_hash(const struct lz_pkt *p)
{
	return lz_flow_hash_of(p, 0);
}

static __always_inline struct lz_flow_line *lz_flow_line(__u64 hash)
{
	__u32 line_n = lz_scale((__u32)hash, lz_instance.flow_lines);

	return bpf_map_lookup_elem(&lz_flows, &line_n);
}

/* Ask for the line of a SYN before it is needed: BPF has no prefetch, but a load whose value nobody
 * waits for does as well, and its miss overlaps with those of tag and cell. */
static __always_inline void lz_flow_touch(__u64 hash)
{
	struct lz_flow_line *line = lz_flow_line(hash);

	if (line)
		(void)*(volatile __u64 *)line->entry;
}

/**
 * lz_flow_find() - has this SYN been judged in the last LZ_FLOW_HORIZON_S seconds?
 *
 * One pass over the line; *ret_at is the entry that lz_flow_note() takes: its own, a free or the
 * stalest one. Return: enum lz_verdict it was given, or LZ_FLOW_NEW.
 */
static __always_inline int lz_flow_find(struct lz_flow_line *line, __u64 hash, __u64 now_ns,
					__u32 *ret_at)
{
	__u32 now = LZ_FLOW_NOW(now_ns), oldest = 0;

	LZ_NO_UNROLL
	for (__u32 i = 0; i < LZ_FLOW_LINE_ENTRIES; i++) {
		__u64 e = line->entry[i];
		__u32 age = e ? (now - (__u32)e) & LZ_FLOW_TIME_MASK : LZ_FLOW_TIME_MASK;

		if (e && !((e ^ hash) >> LZ_FLOW_PRINT_SHIFT)) {
			*ret_at = i;
			if (age > LZ_FLOW_HORIZON_TICKS || LZ_FLOW_REPEATED(e) >= LZ_FLOW_REPEATS)
				return LZ_FLOW_NEW;
			/* Lost to another CPU: one repetition is not counted. */
			__sync_val_compare_and_swap(&line->entry[i], e, e + LZ_FLOW_REPEAT_ONE);
			return LZ_FLOW_VERDICT(e) < LZ_V_N ? LZ_FLOW_VERDICT(e) : LZ_V_PASS;
		}
		if (age >= oldest) {
			oldest = age;
			*ret_at = i;
		}
	}
	return LZ_FLOW_NEW;
}

/**
 * lz_flow_turn() - the entry of this hash that says @from, and is not too old, shall say @to
 *
 * Return: 1, to one of two CPUs that ask at once; else 0.
 */
__noinline int lz_flow_turn(__u64 hash, __u64 now_ns, __u32 from, __u32 to)
{
	struct lz_flow_line *line = lz_flow_line(hash);
	__u32 now = LZ_FLOW_NOW(now_ns);

	if (!line)
		return 0;
	LZ_NO_UNROLL
	for (__u32 i = 0; i < LZ_FLOW_LINE_ENTRIES; i++) {
		__u64 e = line->entry[i];

		if (!e || (e ^ hash) >> LZ_FLOW_PRINT_SHIFT)
			continue;
		return LZ_FLOW_VERDICT(e) == from &&
		       ((now - (__u32)e) & LZ_FLOW_TIME_MASK) <= LZ_FLOW_HORIZON_TICKS &&
		       __sync_val_compare_and_swap(&line->entry[i], e, (e & ~(7ULL << 14)) |
						   (__u64)(to & 7) << 14) == e;
	}
	return 0;
}

/* Remember the verdict of a new SYN where lz_flow_find() said. */
static __always_inline void lz_flow_note(struct lz_flow_line *line, __u32 at, __u64 hash,
					 __u64 now_ns, __u32 verdict)
{
	line->entry[at & (LZ_FLOW_LINE_ENTRIES - 1)] =
		(hash >> LZ_FLOW_PRINT_SHIFT << LZ_FLOW_PRINT_SHIFT) |
		(__u64)(verdict & 7) << 14 | LZ_FLOW_NOW(now_ns);
}

#endif /* LZ_BPF_FLOW_H */
