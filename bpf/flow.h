/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow.h - the memory of recent port-25 SYNs: a retransmission is neither counted again nor, if the
 * first was refused, let through.
 *
 * A SYN is known by source, destination, ports, initial sequence number and the generation that
 * judged it, hashed under the instance seed: 42 bits, of which those that choose the line tell
 * nothing more. A new generation judges anew (I5), and no answer of one that was taken back lasts.
 * No host sends a SYN again more often than LZ_FLOW_REPEATS times, nor, once the return hook has seen
 * it answered, more often than LZ_FLOW_LOST; whoever does opens new connections with an old number,
 * and is counted. Seven entries a line, the oldest is replaced, so
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
#define LZ_FLOW_STATE	      (127ULL << 14) /* verdict and repetitions */
#define LZ_FLOW_TURNED(to)    ((LZ_FLOW_REPEATS - LZ_FLOW_LOST) * LZ_FLOW_REPEAT_ONE | ((to) & 7ULL) << 14)
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

/* One end: both halves of an IPv6 address, the lower one of IPv4, whose upper half is zero. */
static __always_inline __u64 lz_flow_end(const __u8 *address, __u64 seed)
{
	const __u64 *half = (const __u64 *)address;

	return lz_hash(half[1], half[0] ? lz_hash(half[0], seed) : seed);
}

static __always_inline __u64 lz_flow_source(const __u8 *address)
{
	return lz_flow_end(address, lz_instance.seed);
}

static __always_inline __u64 lz_flow_dest(const __u8 *address)
{
	return lz_flow_end(address, ~lz_instance.seed);
}

/**
 * lz_flow_mix() - what names a connection, as one number
 * @source, @dest: of lz_flow_source() and lz_flow_dest()
 * @rest: ports and numbers, of the sender's choosing
 *
 * Each address goes through its own keyed hash before anything else touches it: nobody can change a
 * port or a number, or another address, by as much as an address differs, and have the same number
 * again. The two ends do not wait for each other.
 */
static __always_inline __u64 lz_flow_mix(__u64 source, __u64 dest, __u64 rest)
{
	return lz_hash(source ^ rest, dest) | 1ULL << LZ_FLOW_PRINT_SHIFT;
}

static __always_inline __u64 lz_flow_rest(const struct lz_pkt *p, __u64 port, __u32 seq)
{
	return (__u64)p->number << 48 | port << 32 | seq;
}

/* Of a SYN. The generation's number wraps after 65,536, in far more than the horizon. */
static __always_inline __u64 lz_flow_hash(const struct lz_pkt *p)
{
	return lz_flow_mix(lz_flow_source(p->saddr), p->dest, lz_flow_rest(p, p->sport, p->seq));
}

/* Of the SYN that a SYN-ACK answers. */
static __always_inline __u64 lz_flow_hash_answered(const struct lz_pkt *p)
{
	return lz_flow_mix(lz_flow_source(p->daddr), lz_flow_dest(p->saddr),
			   lz_flow_rest(p, p->dport, p->ack - 1));
}

static __always_inline struct lz_flow_line *lz_flow_line(__u64 hash)
{
	__u32 line_n = lz_scale((__u32)hash, lz_instance.flow_lines);

	return bpf_map_lookup_elem(&lz_flows, &line_n);
}

/* Ask for the line of a SYN before it is needed, by a load whose value nobody waits for: its miss overlaps
 * with the cell's. */
static __always_inline void lz_flow_touch(const struct lz_flow_line *line)
{
	if (line)
		(void)*(volatile __u64 *)line->entry;
}

/* The entry of a hash in its line, or NULL. Written out seven times, a load, an xor and a comparison each: 45
 * instructions less than a loop (make instructions, row b). */
static __always_inline __u64 *lz_flow_entry(struct lz_flow_line *line, __u64 hash)
{
	LZ_UNROLL
	for (__u32 i = 0; i < LZ_FLOW_LINE_ENTRIES; i++)
		if ((*(volatile __u64 *)&line->entry[i] ^ hash) < 1ULL << LZ_FLOW_PRINT_SHIFT)
			return &line->entry[i];
	return 0;
}

/* Is it so long ago that no host sends it again? */
static __always_inline int lz_flow_is_old(__u64 e, __u64 now_ns)
{
	return ((LZ_FLOW_NOW(now_ns) - (__u32)e) & LZ_FLOW_TIME_MASK) > LZ_FLOW_HORIZON_TICKS;
}

/**
 * lz_flow_find() - has this SYN been judged in the last LZ_FLOW_HORIZON_S seconds?
 *
 * An entry that is too old, or came too often, goes: lz_flow_note() makes another. Return: enum
 * lz_verdict it was given, or LZ_FLOW_NEW.
 */
static __always_inline int lz_flow_find(struct lz_flow_line *line, __u64 hash, __u64 now_ns)
{
	__u64 *at = lz_flow_entry(line, hash), e;

	if (!at)
		return LZ_FLOW_NEW;
	e = *(volatile __u64 *)at;
	if ((e ^ hash) >> LZ_FLOW_PRINT_SHIFT)
		return LZ_FLOW_NEW; /* pushed out by another CPU, just now */
	if (lz_flow_is_old(e, now_ns) || LZ_FLOW_REPEATED(e) >= LZ_FLOW_REPEATS) {
		*at = 0;
		return LZ_FLOW_NEW;
	}
	/* Lost to another CPU: one repetition is not counted. */
	__sync_val_compare_and_swap(at, e, e + LZ_FLOW_REPEAT_ONE);
	return LZ_FLOW_VERDICT(e) < LZ_V_N ? LZ_FLOW_VERDICT(e) : LZ_V_PASS;
}

/**
 * lz_flow_turn() - the entry of this hash that says @from, and is not too old, shall say @to
 *
 * The connection has got further, so its SYN may come again LZ_FLOW_LOST times, for an answer that got lost.
 * Return: 1, to one of two CPUs that ask at once; else 0.
 */
__noinline int lz_flow_turn(__u64 hash, __u64 now_ns, __u32 from, __u32 to)
{
	struct lz_flow_line *line = lz_flow_line(hash);
	__u64 *at = line ? lz_flow_entry(line, hash) : 0, e;

	if (!at)
		return 0;
	e = *(volatile __u64 *)at;
	return !((e ^ hash) >> LZ_FLOW_PRINT_SHIFT) && LZ_FLOW_VERDICT(e) == from &&
	       !lz_flow_is_old(e, now_ns) &&
	       __sync_val_compare_and_swap(at, e, (e & ~LZ_FLOW_STATE) | LZ_FLOW_TURNED(to)) == e;
}

/* Is this one of a connection that has an answer, and may it still get further? 1 or 0. */
static __always_inline __u64 lz_flow_is_answered(__u64 e, __u64 now_ns)
{
	return LZ_FLOW_VERDICT(e) == LZ_FLOW_AWAITED && !lz_flow_is_old(e, now_ns);
}

/* Remember the verdict of a new SYN in place of the oldest, or of the one after it: SYNs are whatever their sender
 * likes, an answer is not, and who leaves his handshake open while he floods must not push out what waits for it.
 * Where two such lie side by side the second goes. Two CPUs at one line may take one place: the
 * first is then forgotten, as if seven others had come. */
static __always_inline void lz_flow_note(struct lz_flow_line *line, __u64 hash, __u64 now_ns,
					 __u32 verdict)
{
	__u64 at = line->next;

	if (at >= LZ_FLOW_LINE_ENTRIES)
		at = 0;
	at += lz_flow_is_answered(line->entry[at], now_ns);
	if (at >= LZ_FLOW_LINE_ENTRIES)
		at = 0;
	line->entry[at] = (hash >> LZ_FLOW_PRINT_SHIFT << LZ_FLOW_PRINT_SHIFT) |
			  (__u64)(verdict & 7) << 14 | LZ_FLOW_NOW(now_ns);
	line->next = at + 1;
}

#endif /* LZ_BPF_FLOW_H */
