/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frame.h - the bytes of a frame: a view with bounds, loads, the headers that lie in it.
 *
 * A verifier wants the bounds proven again for each way that leads to a load: what it may forget, and what it
 * must remember, is said here.
 */
#ifndef LZ_BPF_FRAME_H
#define LZ_BPF_FRAME_H

#include <linux/types.h>

/* A bounds-checked view. BPF keeps the packet pointers in registers; so does the native build. */
struct lz_frame {
	void *data;
	void *end;
};

/* Where paths meet, LZ_FORGET() makes the verifier forget which way a value came, so that the code
 * behind is walked once and not once for every stack of headers: a zero it cannot see is added.
 * One load of a line that is in the cache; the native build needs none of it. */
#ifdef __bpf__
#define LZ_FORGET(x) ((x) + *(volatile __u32 *)&lz_control.zero)
#define LZ_NO_UNROLL _Pragma("clang loop unroll(disable)")
#define LZ_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LZ_FORGET(x) (x)
#define LZ_NO_UNROLL
#define LZ_UNROLL
#endif
/* What stands behind must compare this very register: clang likes to compare a copy, or the value
 * minus one, and then Linux 6.1 no longer knows the bounds of an index. Costs no instruction. */
#define LZ_HIDE(x) asm volatile("" : "+r"(x))
/* The address of a field of *p is p and an offset. Left alone, clang makes it anew for each field from what
 * p was computed of - a global's address, three offsets - seven instructions instead of one. */
#define LZ_HOLD_ADDRESS(p) LZ_HIDE(p)
#define LZ_OFFSET_MAX  512 /* offsets stay below this */
#define LZ_OFFSET(off) (LZ_FORGET(off) & (LZ_OFFSET_MAX - 1))

#define LZ_AT(frame, off, type)                                                                    \
	({                                                                                         \
		__u32 off_ = (off);                                                                \
		type *p_ = (type *)((char *)(frame)->data + off_);                                 \
		off_ < LZ_OFFSET_MAX && (void *)(p_ + 1) <= (frame)->end ? p_ : (type *)0;         \
	})

/* Loads from a frame, which aligns nothing. The machines this runs on load unaligned words as fast
 * as aligned ones and the verifier knows it, but clang's BPF back end would take a packed member
 * apart into bytes: 64 instructions for two IPv6 addresses. */
#ifdef __bpf__
#define LZ_LOAD(type, p) (*(const type *)(const void *)(p))
#define LZ_STORE(type, p, v) (*(type *)(void *)(p) = (v))
#else
#define LZ_LOAD(type, p)                                                                           \
	({                                                                                         \
		type v_;                                                                           \
		__builtin_memcpy(&v_, (p), sizeof(v_));                                            \
		v_;                                                                                \
	})
#define LZ_STORE(type, p, v)                                                                       \
	do {                                                                                       \
		type w_ = (v);                                                                     \
		__builtin_memcpy((p), &w_, sizeof(w_));                                            \
	} while (0)
#endif

/* ---------------------------------------------------------------- numbers */

struct lz_be16 {
	__u8 b[2];
} __attribute__((packed));

static __always_inline __u16 lz_be16_get(const struct lz_be16 *p)
{
	return __builtin_bswap16(LZ_LOAD(__u16, p));
}

static __always_inline __u32 lz_be32_get(const __u8 *p)
{
	return __builtin_bswap32(LZ_LOAD(__u32, p));
}

static __always_inline __u64 lz_be64_get(const __u8 *p)
{
	return __builtin_bswap64(LZ_LOAD(__u64, p));
}

/* ---------------------------------------------------------------- headers */

#define LZ_ETH_IP4	0x0800
#define LZ_ETH_IP6	0x86dd
#define LZ_ETH_VLAN	0x8100
#define LZ_ETH_QINQ	0x88a8
#define LZ_ETH_QINQ_OLD 0x9100
#define LZ_ETH_PPPOE	0x8864
#define LZ_ETH_MPLS	0x8847
#define LZ_ETH_MPLS_MC	0x8848

#define LZ_IP_ICMP   1
#define LZ_IP_TCP    6
#define LZ_IP_UDP    17
#define LZ_IP_ICMP6  58

#define LZ_TCP_SYN 0x02
#define LZ_TCP_RST 0x04
#define LZ_TCP_ACK 0x10

struct lz_vlan {
	struct lz_be16 tci, proto;
} __attribute__((packed));

struct lz_pppoe {
	__u8 version_type, code;
	struct lz_be16 session, len, proto;
} __attribute__((packed));

struct lz_mpls {
	__u8 b[4];
} __attribute__((packed));

struct lz_ip4 {
	__u8 version_ihl, tos;
	struct lz_be16 len, id, frag;
	__u8 ttl, proto;
	struct lz_be16 check;
	__u8 saddr[4], daddr[4];
} __attribute__((packed));

struct lz_ip6 {
	__u8 version, b1, b2, b3;
	struct lz_be16 len;
	__u8 next, hops;
	__u8 saddr[16], daddr[16];
} __attribute__((packed));

struct lz_ip6_ext {
	__u8 next, len;
	struct lz_be16 frag;
} __attribute__((packed));

struct lz_ports_hdr {
	struct lz_be16 sport, dport;
	__u8 seq[4]; /* UDP: length and checksum */
} __attribute__((packed));

struct lz_tcp_rest {
	__u8 ack[4];
	__u8 offset, flags;
} __attribute__((packed));

#endif /* LZ_BPF_FRAME_H */
