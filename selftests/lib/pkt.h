/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pkt.h - frames from a description, for packet tests.
 *
 * A description says what lies on what; zero means the ordinary thing: Ethernet, no tags, a header
 * without options, a bare TCP SYN. Lengths and checksums come out right unless a field overrides
 * them. Whatever is beyond the description (mutations, cuts) works on the bytes.
 */
#ifndef LZ_SELFTESTS_PKT_H
#define LZ_SELFTESTS_PKT_H

#include <linux/types.h>

#define PKT_BYTES_MAX 2048
#define PKT_VLAN_MAX  6
#define PKT_EXT_MAX   16

#define PKT_FIN 0x01
#define PKT_SYN 0x02
#define PKT_RST 0x04
#define PKT_PSH 0x08
#define PKT_ACK 0x10

/* Flags of struct pkt_spec. */
#define PKT_F_L3	 0x0001 /* no link header: ppp, tun */
#define PKT_F_MORE	 0x0002 /* more fragments follow */
#define PKT_F_FRAG	 0x0004 /* IPv6: a fragment header, atomic unless MORE or frag_off */
#define PKT_F_PPPOE	 0x0008
#define PKT_F_NO_FLAGS	 0x0010 /* TCP without any flag: flags == 0 means SYN */
#define PKT_F_BROADCAST	 0x0020 /* to ff:ff:ff:ff:ff:ff */
#define PKT_F_PPP_SHORT	 0x0040 /* PPP protocol compressed to one byte */
#define PKT_F_DF	 0x0080 /* IPv4: don't fragment */
#define PKT_F_JUMBO	 0x0100 /* IPv6: payload length 0 */
#define PKT_F_PPPOE_ODD	 0x0200 /* of another version, type and code than there are */

struct pkt_spec {
	const char *src, *dst;	     /* family by text; neither: a frame without IP */
	__u16 flags;		     /* PKT_F_* */
	__u16 vlan[PKT_VLAN_MAX];    /* tag protocol of each tag, outermost first; 0 ends */
	__u16 ppp;		     /* PPP protocol; 0 = IPv4 or IPv6 */
	__u16 ethertype;	     /* 0 = by what follows */
	__u16 sport, dport;	     /* sport 0 = 40000 */
	__u16 frag_off;		     /* in bytes, a multiple of 8 */
	__u16 total_len;	     /* IPv4 total length, IPv6 payload length; 0 = right */
	__u16 payload;		     /* bytes behind the transport header */
	__u16 cut;		     /* frame cut to this many bytes; 0 = whole */
	__u16 pad;		     /* bytes of trailing garbage (all ones) behind the IP packet */
	__u16 l4_bytes;		     /* transport header and payload cut to this; 0 = whole */
	__u32 seq, ack;
	__u8 priority_tags;	     /* of VLAN 0, behind those of vlan[] */
	__u8 mpls;		     /* labels */
	__u8 options;		     /* IPv4 option words */
	__u8 ihl;		     /* 0 = right */
	__u8 version;		     /* 0 = right */
	__u8 proto;		     /* 0 = TCP */
	__u8 tcp;		     /* TCP flags; 0 = SYN */
	__u8 icmp_type;
	__u8 ext[PKT_EXT_MAX];	     /* IPv6 header numbers in order; 0 = hop-by-hop */
	__u8 ext_n;
	__u8 ext_len;		     /* length field of the first; 0 = eight bytes */
};

struct pkt {
	__u8 data[PKT_BYTES_MAX];
	__u32 bytes;
	__u32 l3; /* offset of the IP header */
	__u32 l4; /* offset of the transport header */
};

/** pkt_build() - the frame of a description; aborts on an address that does not parse */
void pkt_build(struct pkt *p, const struct pkt_spec *s);

/** pkt_sum() - Internet checksum (RFC 1071) of bytes, big-endian result, byte-wise and slow */
__u16 pkt_sum(const __u8 *bytes, __u32 n, __u32 start);

/** pkt_sum_l4() - of a transport header with its pseudo header; 0 = the stored one is right */
__u16 pkt_sum_l4(const __u8 *ip, __u32 l4_bytes);

/** pkt_dump() - hex dump in comment lines, for a failed row */
void pkt_dump(const char *label, const __u8 *bytes, __u32 n);

#endif /* LZ_SELFTESTS_PKT_H */
