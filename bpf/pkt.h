/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pkt.h - the few facts about a packet that the rules ask about, and what it gets while it is judged.
 */
#ifndef LZ_BPF_PKT_H
#define LZ_BPF_PKT_H

#include <linux/types.h>

/* What the parser found. Exactly one of NOT_IP, and the rest combine. */
#define LZ_P_NOT_IP	   0x0001 /* no IP header: ARP, PPP control, LLDP, ... */
#define LZ_P_UNPARSED	   0x0002 /* beyond the stated depth, truncated, or malformed */
#define LZ_P_LATER_FRAG	   0x0004 /* no transport header in it */
#define LZ_P_TINY_FRAG	   0x0008 /* hides its TCP flags: a first fragment (RFC 1858, 7112), or a chain of headers */
#define LZ_P_KEYED	   0x0010 /* key is set */
#define LZ_P_SYN	   0x0020 /* TCP, SYN without ACK and RST */
#define LZ_P_PORTS	   0x0040 /* sport and dport are set (TCP or UDP) */
#define LZ_P_OVERTAGGED	   0x0080 /* beside UNPARSED: more tags than anybody needs, which the kernel takes off */

struct lz_pkt {
	__u64 key;	/* of the source, key space of abi.h */
	__u64 now_ns;	/* 0 until somebody asks: most packets never need the clock */
	__u64 flow;	/* of a SYN to port 25: lz_flow_hash() */
	__u64 dest;	/* hash of the destination: lz_flow_dest(), or 0 */
	__u64 sets;	/* of a SYN to port 25: the destination's, lz_dest_sets_ask() */
	__u8 saddr[16]; /* IPv4 as ::ffff:a.b.c.d; filled by lz_parse_addresses() */
	__u8 daddr[16];
	__u32 seq;
	__u32 ack;
	__u32 now_s;	/* of now_ns */
	__s32 cell;	/* the source's, or negative */
	__u16 sport;
	__u16 dport;
	__u16 flags;	/* LZ_P_* */
	__u16 l3_bytes; /* offset of the IP header */
	__u8 family;	/* 4 or 6 */
	__u8 proto;
	__u8 icmp_type;
	__u8 tcp_flags;
	__u8 throttle; /* row in lz_control.throttle; 0 = not throttled */
	__u8 proven;   /* 1 = an ACK to port 25 that completed a handshake: lz_proof_take() */
	__u8 pad_[2];
	/* where it came in: known before anybody looks at it */
	__u32 ifindex;
	__u32 port;	/* entry of lz_ports */
	__u32 port_row; /* row in lz_port_stats */
	__u16 slot;	/* generation slot that judges, 0 or 1 */
	__u16 uplink;	/* judged by the return hook */
	/* of that generation; read before its tables, see lz_class_known() */
	__u32 gen_flags;
	__u32 epoch;
	__u32 number;
	__u32 pad2_;
};
_Static_assert(sizeof(struct lz_pkt) == 136, "no holes: the verifier wants every byte set");
#define LZ_PKT_FACTS_BYTES __builtin_offsetof(struct lz_pkt, ifindex)

#endif /* LZ_BPF_PKT_H */
