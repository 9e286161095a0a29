/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * range.h - which class is a source in, which sets is a destination in, which customer is it.
 *
 * Classes: a hash table of groups of 256 neighbours (abi.h), asked once for each level that the
 * policy uses, longest first; mostly the first line is the answer. No LPM trie: with 500,000 prefixes
 * it costs twenty cache lines, and freeing one stalls a CPU (speed.md 2b).
 */
#ifndef LZ_BPF_RANGE_H
#define LZ_BPF_RANGE_H

#include "maps.h"
#include "parse.h"

static __always_inline struct lz_range_line *lz_range_find(void *inner, __u64 id, __u32 buckets)
{
	__u32 at = lz_range_home(id, lz_instance.seed, buckets);
	__u32 b = at / LZ_RANGE_BUCKET_LINES;

	LZ_NO_UNROLL
	for (int n = 0; n < LZ_RANGE_PROBES; n++) {
		union lz_range_bucket *bucket = bpf_map_lookup_elem(inner, &b);

		if (!bucket)
			return 0;
		LZ_NO_UNROLL
		for (int i = 0; i < LZ_RANGE_BUCKET_LINES; i++, at++) {
			struct lz_range_line *line = &bucket->line[at % LZ_RANGE_BUCKET_LINES];

			if (line->id == id)
				return line;
			if (!line->id)
				return 0;
		}
		b = b + 1 < buckets ? b + 1 : 0;
	}
	return 0;
}

/**
 * lz_class_of() - the class of a key, by longest prefix
 * @slot: generation slot, 0 or 1
 *
 * Return: class id, LZ_CLASS_FOREIGN if no set has it. A function of its own: verified once.
 */
__noinline int lz_class_of(__u32 slot, __u64 key, __u32 family)
{
	const struct lz_generation *gen = &lz_control.gen[slot & 1];
	__u32 levels = family == 4 ? gen->range_levels4 : gen->range_levels6;
	__u32 buckets = gen->range_buckets;
	void *inner;

	slot &= 1;
	inner = bpf_map_lookup_elem(&lz_ranges, &slot);
	if (!inner)
		return LZ_CLASS_FOREIGN;
	LZ_NO_UNROLL
	for (int level = LZ_RANGE_LEVELS - 1; level >= 0; level--) {
		__u32 place = lz_range_place(key, level), class_;
		union lz_range_bucket *block;
		struct lz_range_line *line;

		if (!(levels >> level & 1))
			continue;
		line = lz_range_find(inner, lz_range_id(key, level), buckets);
		if (!line)
			continue;
		class_ = line->block;
		if (class_) {
			block = bpf_map_lookup_elem(inner, &class_);
			class_ = block ? block->class_[place] : LZ_RANGE_OUTER;
		} else {
			class_ = line->class_[line->bits[place / 64] >> (place % 64) & 1];
		}
		if (class_ != LZ_RANGE_OUTER)
			return class_ < LZ_CLASSES_MAX ? class_ : LZ_CLASS_FOREIGN;
	}
	return LZ_CLASS_FOREIGN;
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
 * lz_dest_sets_ask() - the destination sets that a packet's destination is in
 *
 * Return: a mask of set bits. Only port-25 packets, refusals and held sources come here. What a CPU asked last
 * is remembered.
 */
static __always_inline __u64 lz_dest_sets_ask(const struct lz_pkt *p)
{
	const __u64 *addr = (const __u64 *)p->daddr;
	__u64 epoch = p->epoch, sets;
	__u32 i = p->dest & (LZ_MEMOS - 1);
	struct lz_memo *memo = epoch ? bpf_map_lookup_elem(&lz_memos, &i) : 0;

	if (memo && memo->addr[0] == addr[0] && memo->addr[1] == addr[1] && memo->epoch == epoch)
		return memo->sets;
	sets = lz_sets_lookup(p, 0);
	if (memo) {
		memo->addr[0] = addr[0];
		memo->addr[1] = addr[1];
		memo->epoch = epoch;
		memo->sets = sets;
	}
	return sets;
}

/* The same, of a packet that may be a SYN to port 25: lz_decide() has asked, and what it found need not be
 * asked again. That p->sets is 0 says nothing: not asked, or in none. */
static __always_inline __u64 lz_dest_sets(const struct lz_pkt *p)
{
	return p->sets ?: lz_dest_sets_ask(p);
}

/* The destination sets that its source is in. Of sources there are too many to remember. */
static __always_inline __u64 lz_source_sets(const struct lz_pkt *p)
{
	return lz_sets_lookup(p, 1);
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
