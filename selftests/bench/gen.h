/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gen.h - what the generator in the bench's BPF object is told, shared with userland.
 *
 * A repeated packet would be a benchmark of the first-level cache. So every program of the bench
 * begins with the same generator, which gives the packet another source, port and sequence number;
 * its cost stands in every figure, and alone in "empty".
 */
#ifndef LZ_BENCH_GEN_H
#define LZ_BENCH_GEN_H

#include <linux/types.h>

#define BENCH_CPUS    2	   /* that may run at once: figure f */
#define BENCH_PLANTED 1000 /* spammers planted into a flood: figure g */

enum bench_draw {
	BENCH_UNIFORM,
	BENCH_EACH, /* one after the other: to make every source known before it is timed */
	BENCH_ZIPF, /* s = 1: every octave of ranks equally often, uniform within an octave */
};

/* Key of the rivals' LPM_TRIE maps. */
struct stock_prefix {
	__u32 len;
	__u8 bits[8]; /* of the key space, big endian */
};

/* Of the calibration's table, which has as many as there are sources: the bytes of a customer's cell, both
 * halves, so that U is what a line costs in memory of the tested size. */
struct bench_line {
	__u64 count;
	__u64 pad_[15];
};

struct bench_gen {
	__u64 random[BENCH_CPUS][8]; /* xorshift state, a cache line a CPU */
	__u64 turn;		     /* BENCH_EACH: packets made */
	__u64 base6;		     /* first source, in key space */
	__u64 line_n;		     /* lines of the calibration table in use */
	__u32 base4;
	__u32 n;		     /* different sources */
	__u32 octaves;		     /* log2(n), for Zipf */
	__u32 shift6;		     /* log2 of the distance of two IPv6 sources */
	__u32 family;		     /* 4 or 6 */
	__u32 l3_bytes;		     /* 14, or 18 behind a VLAN tag */
	__u32 draw;		     /* enum bench_draw */
	__u32 planted_every;	     /* 0, or a power of two: one planted in so many packets */
	__u32 planted_base4;
	__u32 planted_shift6;	     /* as shift6; planted sources lie behind planted_base6 */
	__u64 planted_base6;
	__u32 out_ifindex;	     /* live frames: where they go */
	__u32 pad_;
	__u64 planted_sent[BENCH_PLANTED];
};

#endif
