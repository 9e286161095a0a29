/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * range.h - which class is a source in, which sets is a destination in, which customer is it.
 *
 * IPv4 classes: 16-8-8 bits of direct indexing; an ISP's own space is a few lines that stay in the
 * cache. IPv6 classes: one hash table, asked once for each prefix length the policy uses, longest
 * first. No LPM trie: with 500,000 prefixes it costs twenty cache lines, and freeing one stalls a
 * CPU (speed.md 2b).
 */
#ifndef LZ_BPF_RANGE_H
#define LZ_BPF_RANGE_H

#include "maps.h"
#include "parse.h"

static __always_inline __u32 lz_class4(__u32 slot, __u32 addr)
{
	void *inner = bpf_map_lookup_elem(&lz_range4, &slot);
	union lz_range4_line *line;
	__u32 block, i, entry;

	if (!inner)
		return LZ_CLASS_FOREIGN;
	i = addr >> 20;
	line = bpf_map_lookup_elem(inner, &i);
	if (!line)
		return LZ_CLASS_FOREIGN;
	entry = line->root[(addr >> 16) & 15];
	if (!(entry & LZ_RANGE4_EXTENT))
		return entry;
	block = entry & ~LZ_RANGE4_EXTENT;
	i = LZ_RANGE4_ROOT_LINES + block * LZ_RANGE4_BLOCK_LINES + ((addr >> 13) & 7);
	line = bpf_map_lookup_elem(inner, &i);
	if (!line)
		return LZ_CLASS_FOREIGN;
	entry = line->entry[(addr >> 8) & 31];
	if (!(entry & LZ_RANGE4_CHILD))
		return entry;
	block += 1 + (entry & ~LZ_RANGE4_CHILD);
	i = LZ_RANGE4_ROOT_LINES + block * LZ_RANGE4_BLOCK_LINES + ((addr >> 5) & 7);
	line = bpf_map_lookup_elem(inner, &i);
	return line ? line->entry[addr & 31] : LZ_CLASS_FOREIGN;
}

/* One prefix length. Returns a class, or -1. */
__noinline int lz_class6_probe(__u32 slot, __u64 key, __u32 len)
{
	__u64 masked = len ? key & (~0ULL << ((64 - len) & 63)) : 0;
	__u32 lines = lz_control.gen[slot & 1].range6_lines;
	void *inner;
	__u32 at;

	slot &= 1;
	inner = bpf_map_lookup_elem(&lz_range6, &slot);
	if (!inner)
		return -1;
	at = lz_scale((__u32)lz_hash(masked ^ len * LZ_RANGE6_MIX, lz_instance.seed), lines);
	LZ_NO_UNROLL
	for (int n = 0; n < LZ_RANGE6_PROBES; n++) {
		struct lz_range6_line *line = bpf_map_lookup_elem(inner, &at);

		if (!line)
			return -1;
		LZ_NO_UNROLL
	for (int i = 0; i < LZ_RANGE6_LINE_ENTRIES; i++)
			if (i < line->used && line->key[i] == masked && line->len[i] == len)
				return line->class_[i];
		if (line->used < LZ_RANGE6_LINE_ENTRIES)
			return -1;
		at = at + 1 < lines ? at + 1 : 0;
	}
	return -1;
}

static __always_inline __u32 lz_class6(__u32 slot, __u64 key)
{
	const struct lz_generation *gen = &lz_control.gen[slot & 1];
	int class_;

	LZ_NO_UNROLL
	for (int i = 0; i < LZ_LENGTHS6_MAX; i++) {
		if (i >= gen->len6_n)
			break;
		class_ = lz_class6_probe(slot, key, gen->len6[i]);
		if (class_ >= 0)
			return class_;
	}
	return LZ_CLASS_FOREIGN;
}

/**
 * lz_class_of() - the class of a key, by longest prefix
 * @slot: generation slot, 0 or 1
 *
 * Return: class id, LZ_CLASS_FOREIGN if no set has it. A function of its own: verified once.
 */
__noinline int lz_class_of(__u32 slot, __u64 key, __u32 family)
{
	__u32 class_ = family == 4 ? lz_class4(slot & 1, key) : lz_class6(slot & 1, key);

	return class_ < LZ_CLASSES_MAX ? class_ : LZ_CLASS_FOREIGN;
}

/* Cut 16 bytes to len bits, 0..128, without a branch a byte. */
static __always_inline void lz_mask16(__u8 *to, const __u8 *from, __u32 len)
{
	__u64 hi = lz_be64_get(from), lo = lz_be64_get(from + 8);

	hi = len == 0 ? 0 : len >= 64 ? hi : hi & (~0ULL << ((64 - len) & 63));
	lo = len <= 64 ? 0 : len >= 128 ? lo : lo & (~0ULL << ((128 - len) & 63));
	hi = __builtin_bswap64(hi);
	lo = __builtin_bswap64(lo);
	__builtin_memcpy(to, &hi, 8);
	__builtin_memcpy(to + 8, &lo, 8);
}

/* All matching prefixes count, so every length is asked. The tables are small: smarthosts, resolvers,
 * never-list. */
__noinline __u64 lz_sets_lookup(const struct lz_pkt *p, int source)
{
	const struct lz_generation *gen;
	struct lz_dest_key key;
	__u64 mask = 0, *found;
	__u32 slot;
	void *inner;

	if (!p)
		return 0;
	slot = p->slot & 1;
	gen = &lz_control.gen[slot];
	inner = bpf_map_lookup_elem(&lz_dests, &slot);
	if (!inner)
		return 0;
	LZ_NO_UNROLL
	for (int i = 0; i < LZ_LENGTHS_MAX; i++) {
		if (i >= gen->dest_lens_n)
			break;
		key.len = gen->dest_lens[i];
		if (p->family == 4 && key.len < 96)
			continue;
		lz_mask16(key.addr, source ? p->saddr : p->daddr, key.len);
		found = bpf_map_lookup_elem(inner, &key);
		if (found)
			mask |= *found;
	}
	return mask;
}

/**
 * lz_sets_of() - the destination sets an address is in
 * @source: the packet's source address instead of its destination
 *
 * Return: a mask of set bits. Only port-25 packets, refusals and held sources come here. What a CPU
 * asked last is remembered for destinations: of sources there are too many.
 */
static __always_inline __u64 lz_sets_of(const struct lz_pkt *p, int source)
{
	const __u64 *addr = (const __u64 *)p->daddr;
	__u64 epoch = lz_control.gen[p->slot & 1].epoch, sets;
	__u32 i = p->dest & (LZ_MEMOS - 1);
	struct lz_memo *memo = source || !epoch ? 0 : bpf_map_lookup_elem(&lz_memos, &i);

	if (memo && memo->addr[0] == addr[0] && memo->addr[1] == addr[1] && memo->epoch == epoch)
		return memo->sets;
	sets = lz_sets_lookup(p, source);
	if (memo) {
		memo->addr[0] = addr[0];
		memo->addr[1] = addr[1];
		memo->epoch = epoch;
		memo->sets = sets;
	}
	return sets;
}

/* The customer of a key in this generation; 0 = none. */
__noinline __u32 lz_customer_of(__u32 slot, __u64 key)
{
	const struct lz_generation *gen = &lz_control.gen[slot & 1];
	struct lz_prefix_key prefix = {};
	__u32 *customer;
	void *inner;

	slot &= 1;
	inner = bpf_map_lookup_elem(&lz_customers, &slot);
	if (!inner)
		return 0;
	LZ_NO_UNROLL
	for (int i = 0; i < LZ_LENGTHS_MAX; i++) {
		if (i >= gen->customer_lens_n)
			break;
		prefix.len = gen->customer_lens[i] & 127;
		prefix.bits = prefix.len ? key & (~0ULL << ((64 - prefix.len) & 63)) : 0;
		customer = bpf_map_lookup_elem(inner, &prefix);
		if (customer)
			return *customer;
	}
	return 0;
}

/* What an exception grants a key now: LZ_EXCEPTION_* or 0; the longest prefix decides. */
__noinline __u32 lz_exception_of(__u64 key, __u32 now_s)
{
	__u64 lens = *(volatile __u64 *)&lz_control.exception_lens;
	struct lz_prefix_key prefix = {};
	struct lz_exception *e;

	if (lz_control.exception_len64) {
		prefix.bits = key;
		prefix.len = 64;
		e = bpf_map_lookup_elem(&lz_exceptions, &prefix);
		if (e && now_s < e->until_s)
			return e->flags;
	}
	LZ_NO_UNROLL
	for (int len = 63; len > 0 && lens; len--, lens <<= 1) {
		if (!(lens >> 63))
			continue;
		prefix.len = len;
		prefix.bits = key & (~0ULL << (64 - len));
		e = bpf_map_lookup_elem(&lz_exceptions, &prefix);
		if (e && now_s < e->until_s)
			return e->flags;
	}
	return 0;
}

#endif /* LZ_BPF_RANGE_H */
