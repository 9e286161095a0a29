/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stock.h - the same jobs as one would write them with the kernel's own map types.
 *
 * Parser and limit arithmetic are ours, so that what differs is the maps and the clock.
 */
#ifndef LZ_BENCH_STOCK_H
#define LZ_BENCH_STOCK_H

struct stock_source {
	__u64 state[LZ_CELL_WORDS]; /* two windows of two words, a bucket */
	__u32 syn;
	__u32 smtp_connections;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* at creation: twice the sources */
	__type(key, __u64);
	__type(value, struct stock_source);
} stock_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* at creation: as our flow memory holds */
	__type(key, __u64);
	__type(value, __u32);
} stock_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* at creation: held sources */
	__type(key, __u64);
	__type(value, __u64); /* expiry, ns */
} stock_held SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2000000);
	__type(key, struct stock_prefix);
	__type(value, __u32);
} stock_ranges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct stock_prefix);
	__type(value, __u32);
} stock_exceptions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u8[16]);
	__type(value, __u64);
} stock_dests SEC(".maps");

static __always_inline void stock_parse(struct xdp_md *ctx, struct lz_pkt *p)
{
	struct lz_frame f = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };

	lz_read_facts(&f, bench_key(ctx), 0, lz_instance.ipv6_key_len & 127, p);
	lz_parse_addresses(&f, p);
}

static __always_inline __u32 stock_class_of(__u64 key)
{
	struct stock_prefix prefix = { .len = 64 };
	__u64 be = __builtin_bswap64(key);
	__u32 *class_;

	__builtin_memcpy(prefix.bits, &be, sizeof(be));
	class_ = bpf_map_lookup_elem(&stock_ranges, &prefix);
	return class_ ? *class_ : LZ_CLASS_FOREIGN;
}

static __always_inline int stock_excepted(__u64 key)
{
	struct stock_prefix prefix = { .len = 64 };
	__u64 be = __builtin_bswap64(key);

	__builtin_memcpy(prefix.bits, &be, sizeof(be));
	return bpf_map_lookup_elem(&stock_exceptions, &prefix) != 0;
}

static __always_inline struct stock_source *stock_source_of(__u64 key)
{
	struct stock_source *s = bpf_map_lookup_elem(&stock_sources, &key), fresh = {};

	if (s)
		return s;
	bpf_map_update_elem(&stock_sources, &key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&stock_sources, &key);
}

SEC("xdp")
int stock_class(struct xdp_md *ctx)
{
	if (!generate(ctx))
		return XDP_ABORTED;
	return count_found(stock_class_of(bench_key(ctx)));
}

SEC("xdp")
int stock_hold(struct xdp_md *ctx)
{
	struct lz_pkt p = {};
	__u64 *expiry_ns;

	if (!generate(ctx))
		return XDP_ABORTED;
	stock_parse(ctx, &p);
	expiry_ns = bpf_map_lookup_elem(&stock_held, &p.key);
	if (!expiry_ns || *expiry_ns < bpf_ktime_get_ns())
		return XDP_PASS;
	return XDP_DROP;
}

/* Count and one token bucket: LRU_HASH and bpf_ktime_get_ns(), nothing else. */
SEC("xdp")
int stock_limit(struct xdp_md *ctx)
{
	struct stock_source *s;
	struct lz_pkt p = {};
	__u32 value;

	if (!generate(ctx))
		return XDP_ABORTED;
	stock_parse(ctx, &p);
	if (!(p.flags & LZ_P_SYN) || p.dport != 25)
		return XDP_PASS;
	s = stock_source_of(p.key);
	if (!s)
		return XDP_PASS;
	lz_count_pair(&s->syn, 1, 1);
	return count_admitted(lz_bucket_charge(&s->state[4], &bench_limits.bucket,
					       bpf_ktime_get_ns(), 0, &value));
}

/* One limit of a covering prefix: /27 or /48, as the policy of figure e has it. */
static __always_inline int stock_prefix_over(const struct lz_pkt *p, __u64 now_ns)
{
	__u64 mask = p->family == 4 ? ~0x1fULL : ~0xffffULL;
	struct stock_source *s = stock_source_of((p->key & mask) | 1ULL << 63);
	__u32 value;

	return s && lz_bucket_charge(&s->state[0], &bench_limits.bucket, now_ns, 0, &value);
}

/* What ours does with one SYN: colony, range, source, exception, destination, retransmission, two
 * windows, a bucket; with @prefix a covering prefix too. */
static __always_inline int stock_syn(struct xdp_md *ctx, int prefix)
{
	__u64 now_ns = bpf_ktime_get_ns(), flow, *expiry_ns;
	struct stock_source *s;
	struct lz_pkt p = {};
	__u32 value, verdict;

	if (!generate(ctx))
		return XDP_ABORTED;
	stock_parse(ctx, &p);
	expiry_ns = bpf_map_lookup_elem(&stock_held, &p.key);
	if (expiry_ns && *expiry_ns > now_ns)
		return XDP_DROP;
	if (stock_class_of(p.key) < LZ_CLASS_FIRST)
		return XDP_PASS;
	s = stock_source_of(p.key);
	if (!s)
		return XDP_PASS;
	if (stock_excepted(p.key) || !bpf_map_lookup_elem(&stock_dests, p.daddr))
		return XDP_PASS;
	flow = lz_flow_hash(&p);
	if (bpf_map_lookup_elem(&stock_flows, &flow))
		return XDP_PASS;
	lz_count_pair(&s->syn, 1, 1);
	verdict = lz_window_charge(&s->state[0], &bench_limits.window, now_ns, 0, &value) ||
		  lz_window_charge(&s->state[2], &bench_limits.window, now_ns, 0, &value) ||
		  lz_bucket_charge(&s->state[4], &bench_limits.bucket, now_ns, 0, &value) ||
		  (prefix && stock_prefix_over(&p, now_ns));
	bpf_map_update_elem(&stock_flows, &flow, &verdict, BPF_ANY);
	return count_admitted(verdict ? LZ_CHARGE_OVER : LZ_CHARGE_OK);
}

SEC("xdp")
int stock_same(struct xdp_md *ctx)
{
	return stock_syn(ctx, 0);
}

SEC("xdp")
int stock_all(struct xdp_md *ctx)
{
	return stock_syn(ctx, 1);
}

#endif
