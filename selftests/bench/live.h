/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * live.h - real frames: a generator that sends into a veth pair, and what XDP does at its far end.
 */
#ifndef LZ_BENCH_LIVE_H
#define LZ_BENCH_LIVE_H

/* The kernel hands us pages that went this way before: everything that changes is written anew, the
 * IPv4 checksum too, for the rivals look at it. By hand: the kernel's helper took a third of the generator's
 * time, which stands in every row alike. */
static __always_inline void write_checksum(__u8 *ip)
{
	__u64 sum = (__u64)LZ_LOAD(__u32, ip) + LZ_LOAD(__u32, ip + 4) + LZ_LOAD(__u16, ip + 8) +
		    LZ_LOAD(__u32, ip + 12) + LZ_LOAD(__u32, ip + 16);
	__u16 sum16;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum16 = ~((sum & 0xffff) + (sum >> 16));
	LZ_STORE(__u16, ip + 10, sum16);
}

/* A frame ready to be sent? */
static __always_inline int live_frame(struct xdp_md *ctx)
{
	__u8 *p, *end;

	if (!generate(ctx))
		return 0;
	p = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (p + 78 > end)
		return 0;
	write_checksum(p + 14);
	return 1;
}

SEC("xdp")
int live_send(struct xdp_md *ctx)
{
	return live_frame(ctx) ? bpf_redirect(bench_gen.out_ifindex, 0) : XDP_ABORTED;
}

/* The generator's own row: everything but the sending. */
SEC("xdp")
int live_make(struct xdp_md *ctx)
{
	return live_frame(ctx) ? XDP_DROP : XDP_ABORTED;
}

SEC("xdp")
int live_empty(struct xdp_md *ctx)
{
	(void)ctx;
	bench_found[bpf_get_smp_processor_id() & (BENCH_CPUS - 1)]++;
	return XDP_DROP;
}

static __always_inline int add_in_line(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 *line;

	if (p + 78 > end)
		return XDP_ABORTED;
	line = source_line(__builtin_bswap32(LZ_LOAD(__u32, p + 26)) - bench_gen.base4);
	if (!line)
		return XDP_ABORTED;
	__sync_fetch_and_add(line, 1);
	bench_found[bpf_get_smp_processor_id() & (BENCH_CPUS - 1)]++;
	return XDP_DROP;
}

/* One locked add on the source's own line, and nothing else: what a miss costs where packets do not
 * follow each other as closely as in BPF_PROG_TEST_RUN. */
SEC("xdp")
int live_line(struct xdp_md *ctx)
{
	return add_in_line(ctx);
}

/* The same, and instructions that do nothing: as bench_cell_idle. */
SEC("xdp")
int live_line_128(struct xdp_md *ctx)
{
	int ret = add_in_line(ctx);

	IDLE(IDLE_128);
	return ret;
}

SEC("xdp")
int live_line_1024(struct xdp_md *ctx)
{
	int ret = add_in_line(ctx);

	IDLE(IDLE_1024);
	return ret;
}

/* Judged, counted, and dropped whatever the verdict: the rivals' rules end in a drop as well, so
 * that nobody's row has the cost of forwarding in it. */
SEC("xdp")
int live_ours(struct xdp_md *ctx)
{
	judge(ctx);
	return XDP_DROP;
}

#endif
