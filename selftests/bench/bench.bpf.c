// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench.bpf.c - the data plane as it is, behind a generator of sources; rivals on stock maps.
 *
 *   bench_empty, bench_line      calibration: the generator alone, and a locked add on a line
 *   bench_wait			  a line that the next packet waits for
 *   bench_let_by, bench_key_range, bench_cell_add, bench_two_cells
 *				  what a, d, b and c, e cannot do without, and nothing else
 *   bench_cell_idle, bench_two_cells_idle
 *				  the last two, and instructions that do nothing
 *   bench_ours, bench_class      lz_process(); lz_class_of() alone
 *   bench_bucket, bench_window   one limit on one cell, for two CPUs at once
 *   stock_*                      the same jobs on HASH, LRU_HASH, LPM_TRIE and bpf_ktime_get_ns()
 *   live_*                       generator and ends of the veth pairs
 */
#include "../../bpf/lazaret.bpf.c"
#include "gen.h"

struct bench_gen bench_gen SEC(".data.gen");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* at creation: one a source */
	__type(key, __u32);
	__type(value, struct bench_line);
} bench_lines SEC(".maps");

static __always_inline __u64 next_random(void)
{
	__u64 *state = bench_gen.random[bpf_get_smp_processor_id() & (BENCH_CPUS - 1)];
	__u64 x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* Which of the n sources sends next. Ranks are spread over the range by a prime: the busiest
 * sources are no neighbours. */
static __always_inline __u32 draw_source(__u64 r)
{
	__u32 octave, rank;

	if (bench_gen.draw == BENCH_UNIFORM)
		return lz_scale(r >> 32, bench_gen.n);
	if (bench_gen.draw == BENCH_EACH)
		return bench_gen.turn++ % bench_gen.n;
	octave = lz_scale(r >> 32, bench_gen.octaves) & 31;
	rank = (1u << octave) + ((r & 0xffffffff) >> 5) % (1u << octave);
	return (__u64)rank * 2654435761u % bench_gen.n;
}

struct source {
	__u64 key6;
	__u32 addr4;
};

static __always_inline struct source next_source(__u64 r)
{
	struct source s;
	__u32 i;

	if (bench_gen.planted_every && !(r & (bench_gen.planted_every - 1))) {
		i = lz_scale(r >> 32, BENCH_PLANTED);
		if (i < BENCH_PLANTED)
			bench_gen.planted_sent[i]++;
		s.addr4 = bench_gen.planted_base4 + i;
		s.key6 = bench_gen.planted_base6 + ((__u64)i << (bench_gen.planted_shift6 & 63));
		return s;
	}
	i = draw_source(r);
	s.addr4 = bench_gen.base4 + i;
	s.key6 = bench_gen.base6 + ((__u64)i << (bench_gen.shift6 & 63));
	return s;
}

/* Ports and sequence number of a new attempt, so that no SYN is a retransmission. Written in whole
 * words: a packet that comes from a card was not written a byte at a time just before it is read. */
static __always_inline void write_tcp(__u8 *tcp, __u64 r)
{
	__u16 sport = r >> 40;
	__u32 seq = r;

	LZ_STORE(__u16, tcp, sport);
	LZ_STORE(__u32, tcp + 4, seq);
}

/* Give the packet its next source. Returns the random number behind it; 0: frame too short. */
static __always_inline __u64 generate(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 r = next_random(), key6;
	struct source s;
	__u32 addr4;

	if (p + 78 > end)
		return 0;
	if (bench_gen.l3_bytes == 18)
		p += 4;
	s = next_source(r);
	if (bench_gen.family == 4) {
		addr4 = __builtin_bswap32(s.addr4);
		LZ_STORE(__u32, p + 26, addr4);
		write_tcp(p + 34, r);
	} else {
		key6 = __builtin_bswap64(s.key6);
		LZ_STORE(__u64, p + 22, key6);
		write_tcp(p + 54, r);
	}
	return r;
}

SEC("xdp")
int bench_empty(struct xdp_md *ctx)
{
	return generate(ctx) ? XDP_PASS : XDP_ABORTED;
}

SEC("xdp")
int bench_line(struct xdp_md *ctx)
{
	__u64 r = generate(ctx);
	__u32 i = lz_scale(r >> 32, bench_gen.line_n);
	struct bench_line *line = bpf_map_lookup_elem(&bench_lines, &i);

	if (!line)
		return XDP_ABORTED;
	__sync_fetch_and_add(&line->count, 1);
	return XDP_PASS;
}

/* The line of source i where each has no more than that, side by side: nobody needs less. */
static __always_inline __u64 *source_line(__u32 i)
{
	__u32 pair = i / 2;
	struct bench_line *line = bpf_map_lookup_elem(&bench_lines, &pair);

	return line ? &line->count + sizeof(*line) / 2 / sizeof(__u64) * (i & 1) : 0;
}

/* What a line costs whom nothing else can be done for meanwhile: the next random number is made with
 * what stands in it, which is added times zero. */
SEC("xdp")
int bench_wait(struct xdp_md *ctx)
{
	__u64 r = generate(ctx), *state;
	__u64 *line = source_line(lz_scale(r >> 32, bench_gen.line_n));

	if (!line)
		return XDP_ABORTED;
	state = bench_gen.random[bpf_get_smp_processor_id() & (BENCH_CPUS - 1)];
	*state += *(volatile __u64 *)line * *(volatile __u32 *)&lz_control.zero;
	return XDP_PASS;
}

/* The source's key alone, which is all that a range is looked up by: for ours and for the rivals. */
static __always_inline __u64 bench_key(struct xdp_md *ctx)
{
	struct lz_frame f = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };
	struct lz_glance g = {};

	lz_glance(&f, lz_instance.ipv6_key_len & 127, &g);
	return g.key;
}

static __always_inline int add_in_cell(struct xdp_md *ctx)
{
	struct lz_cell *cell;
	int slot;

	if (!generate(ctx))
		return XDP_ABORTED;
	slot = lz_search_find(bench_key(ctx));
	cell = slot >= 0 ? lz_search_cell(slot) : 0;
	if (!cell)
		return XDP_ABORTED;
	lz_count_pair(&cell->syn, 0, 1);
	return XDP_PASS;
}

/* The least that anything can do which counts by source: whose packet is it, where is his cell, one
 * more in its first line. No hold, no class, no limit, no retransmission. */
SEC("xdp")
int bench_cell_add(struct xdp_md *ctx)
{
	return add_in_cell(ctx);
}

/* The least that lets a packet by which is none of our business: does anything judge at this port now, whose packet
 * is it, may he be held; that it came and why it went, counted. Nothing is kept of it in hand. */
SEC("xdp")
int bench_let_by(struct xdp_md *ctx)
{
	__u32 port, slot;

	if (!generate(ctx))
		return XDP_ABORTED;
	port = lz_ports[ctx->ingress_ifindex & (LZ_PORTS_SIZE - 1)];
	slot = lz_generation_slot() & 1;
	if (lz_bypassed() || LZ_PORT_ROLE(port, slot) == LZ_ROLE_NONE || lz_maybe_held(bench_key(ctx)))
		return XDP_DROP;
	lz_count_judged(port >> LZ_PORT_STATS_SHIFT, LZ_R_PASS_OTHER);
	return XDP_PASS;
}

static __always_inline int add_in_two_cells(struct xdp_md *ctx)
{
	const struct lz_generation *gen = &lz_control.gen[LZ_GEN_ACTIVE(lz_control.gen_word) & 1];
	struct lz_cell *cell, *prefix;
	const struct lz_limit *l;
	__u64 key;
	int slot;

	if (!generate(ctx))
		return XDP_ABORTED;
	key = bench_key(ctx);
	slot = lz_search_find(key);
	cell = slot >= 0 ? lz_search_cell(slot) : 0;
	if (!cell)
		return XDP_ABORTED;
	l = &gen->class_[LZ_KNOWN_IS(cell->known_class)].limit[0];
	slot = lz_search_find(lz_aggregate_key(l->id, lz_prefix_number(key, l->per_len4 & 127), &lz_instance));
	prefix = slot >= 0 ? lz_search_cell(slot) : 0;
	if (!prefix)
		return XDP_ABORTED;
	lz_count_pair(&cell->syn, 0, 1);
	lz_count_pair(&prefix->syn, 0, 1);
	return XDP_PASS;
}

/* The least of e: his cell, and one more in it; the prefix's, which only the class that stands in the first
 * tells, and one more in that. The limit of a prefix is the first of its class, see text.c. */
SEC("xdp")
int bench_two_cells(struct xdp_md *ctx)
{
	return add_in_two_cells(ctx);
}

#define IDLE_8	  "r1 = 1\nr2 = 2\nr3 = 3\nr4 = 4\nr1 = 5\nr2 = 6\nr3 = 7\nr4 = 8\n"
#define IDLE_64	  IDLE_8 IDLE_8 IDLE_8 IDLE_8 IDLE_8 IDLE_8 IDLE_8 IDLE_8
#define IDLE_128  IDLE_64 IDLE_64
#define IDLE_1024 IDLE_128 IDLE_128 IDLE_128 IDLE_128 IDLE_128 IDLE_128 IDLE_128 IDLE_128
#define IDLE(n)	  asm volatile(n ::: "r1", "r2", "r3", "r4")

/* The same two, and 128 instructions that need nothing and wait for nothing. A processor has so many under way
 * behind one that waits; whoever executes more between his line and the next packet's never has both under way
 * at once, whatever they are for. These 128 are what is left of the 512 of an Emerald Rapids, and no set of rules
 * fits into them: cell 100 ns, with 64 of them 147, 128 184, 256 202, 512 216. */
SEC("xdp")
int bench_cell_idle(struct xdp_md *ctx)
{
	int ret = add_in_cell(ctx);

	IDLE(IDLE_128);
	return ret;
}

SEC("xdp")
int bench_two_cells_idle(struct xdp_md *ctx)
{
	int ret = add_in_two_cells(ctx);

	IDLE(IDLE_128);
	return ret;
}

static __always_inline __u32 judge(struct xdp_md *ctx)
{
	struct lz_frame f = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };
	struct lz_pkt *p = lz_packet();
	__u32 ruling;

	if (!p)
		return LZ_V_DROP;
	ruling = lz_process(&f, p, ctx->ingress_ifindex, 0);
	lz_count_judged(p->port_row, LZ_RULING_REASON(ruling));
	return LZ_RULING_VERDICT(ruling);
}

SEC("xdp")
int bench_ours(struct xdp_md *ctx)
{
	if (!generate(ctx))
		return XDP_ABORTED;
	return judge(ctx) == LZ_V_PASS ? XDP_PASS : XDP_DROP;
}

/* Found ranges are counted, so that an empty table cannot win. */
__u64 bench_found[BENCH_CPUS] SEC(".data.found");

static __always_inline int count_found(int class_)
{
	if (class_ >= LZ_CLASS_FIRST)
		bench_found[bpf_get_smp_processor_id() & (BENCH_CPUS - 1)]++;
	return XDP_PASS;
}

SEC("xdp")
int bench_class(struct xdp_md *ctx)
{
	__u64 key;

	if (!generate(ctx))
		return XDP_ABORTED;
	key = bench_key(ctx);
	return count_found(lz_class_of(LZ_GEN_ACTIVE(lz_control.gen_word) & 1, key, key >> 32 ? 6 : 4));
}

/* The least of d: whose packet is it, and the line that his group of neighbours begins at in the table. It is not
 * waited for, as in bench_class: the next packet goes on meanwhile. */
SEC("xdp")
int bench_key_range(struct xdp_md *ctx)
{
	__u32 slot = LZ_GEN_ACTIVE(lz_control.gen_word) & 1, buckets = lz_control.gen[slot].range_buckets, at, b;
	union lz_range_bucket *bucket;
	void *inner;

	if (!generate(ctx))
		return XDP_ABORTED;
	inner = bpf_map_lookup_elem(&lz_ranges, &slot);
	if (!inner)
		return XDP_ABORTED;
	at = lz_range_home(lz_range_id(bench_key(ctx), LZ_RANGE_LEVELS - 1), lz_instance.seed, buckets);
	b = at / LZ_RANGE_BUCKET_LINES;
	bucket = bpf_map_lookup_elem(inner, &b);
	if (!bucket)
		return XDP_ABORTED;
	return count_found(bucket->line[at % LZ_RANGE_BUCKET_LINES].id ? LZ_CLASS_FIRST : LZ_CLASS_FOREIGN);
}

/* One cell, one limit of the first class: struct lz_limit index 0 a window, 2 a bucket. */
struct lz_cell bench_cell SEC(".data.cell");

struct lz_bench_limits {
	struct lz_limit window, bucket;
} bench_limits SEC(".data.limits");

__u64 bench_admitted[BENCH_CPUS][8] SEC(".data.admitted");

static __always_inline int count_admitted(enum lz_charge charge)
{
	if (charge != LZ_CHARGE_OK)
		return XDP_DROP;
	bench_admitted[bpf_get_smp_processor_id() & (BENCH_CPUS - 1)][0]++;
	return XDP_PASS;
}

SEC("xdp")
int bench_bucket(struct xdp_md *ctx)
{
	enum lz_charge charge = LZ_CHARGE_LOST;
	__u32 value;

	if (!generate(ctx))
		return XDP_ABORTED;
	LZ_NO_UNROLL
	for (int i = 0; charge == LZ_CHARGE_LOST && i < LZ_CAS_TRIES; i++)
		charge = lz_bucket_charge(&bench_cell.state[0], &bench_limits.bucket,
					  lz_clock_ns(), 0, &value);
	return count_admitted(charge);
}

SEC("xdp")
int bench_window(struct xdp_md *ctx)
{
	enum lz_charge charge = LZ_CHARGE_LOST;
	__u32 value;

	if (!generate(ctx))
		return XDP_ABORTED;
	LZ_NO_UNROLL
	for (int i = 0; charge == LZ_CHARGE_LOST && i < LZ_CAS_TRIES; i++)
		charge = lz_window_charge(&bench_cell.state[2], &bench_limits.window,
					  lz_clock_ns(), 0, &value);
	return count_admitted(charge);
}

#include "stock.h"
#include "live.h"
