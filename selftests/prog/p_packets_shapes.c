/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_shapes.c - encapsulations, fragments, header chains, cuts: each past no rule. */
#include "base/mem.h"
#include "lib/reply.h"
#include "lib/rows.h"
#include "lib/t.h"

static struct world *w;

#define V4 .src = DYN4, .dst = WORLD4, .dport = 25
#define V6 .src = DYN6, .dst = WORLD6, .dport = 25
#define PASSES LZ_V_PASS
#define REFUSED LZ_V_ICMP_ADMIN, LZ_R_DROP_PORT25
#define UNPARSED LZ_V_PASS, LZ_R_PASS_UNPARSED
#define OVERTAGGED LZ_V_DROP, LZ_R_DROP_UNPARSED
#define NOT_IP LZ_V_PASS, LZ_R_PASS_NOT_IP
/* A fragment header, destination options, and the next such header only in the next fragment. */
#define CUT_CHAIN .ext = { 44, 60 }, .ext_n = 2, .flags = PKT_F_MORE, .proto = 60, .total_len = 16

static const struct row encapsulations[] = {
	{ "no tag", { V4 }, REFUSED },
	{ "one tag", { V4, .vlan = { 0x8100 } }, REFUSED },
	{ "two tags", { V4, .vlan = { 0x88a8, 0x8100 } }, REFUSED },
	{ "two old tags", { V4, .vlan = { 0x9100, 0x9100 } }, REFUSED },
	{ "three tags", { V4, .vlan = { 0x88a8, 0x8100, 0x8100 } }, UNPARSED },
	{ "five tags", { V4, .vlan = { 0x8100, 0x8100, 0x8100, 0x8100, 0x8100 } }, UNPARSED },
	{ "a priority tag", { V4, .priority_tags = 1 }, REFUSED },
	{ "three priority tags", { V4, .priority_tags = 3 }, REFUSED },
	{ "eight", { V4, .priority_tags = 8 }, REFUSED },
	{ "six in two tags", { V6, .vlan = { 0x88a8, 0x8100 }, .priority_tags = 6 }, REFUSED },
	{ "seven in two tags", { V6, .vlan = { 0x88a8, 0x8100 }, .priority_tags = 7 }, OVERTAGGED },
	{ "nine", { V4, .priority_tags = 9 }, OVERTAGGED },
	{ "forty", { V4, .priority_tags = 40 }, OVERTAGGED },
	{ "v6 in two tags", { V6, .vlan = { 0x88a8, 0x8100 } }, REFUSED },
	{ "pppoe", { V4, .flags = PKT_F_PPPOE }, REFUSED },
	{ "v6 in pppoe", { V6, .flags = PKT_F_PPPOE }, REFUSED },
	{ "pppoe of no version", { .src = "203.0.113.200", .dst = WORLD4, .dport = 25,
				   .flags = PKT_F_PPPOE | PKT_F_PPPOE_ODD }, LZ_V_DROP, LZ_R_DROP_PORT25 },
	{ "pppoe in qinq", { V4, .flags = PKT_F_PPPOE, .vlan = { 0x88a8, 0x8100 } }, REFUSED },
	{ "pppoe in qinq, reset", { .src = RESET4, .dst = WORLD4, .dport = 25, .seq = 0xfffffffe,
				    .flags = PKT_F_PPPOE, .vlan = { 0x88a8, 0x8100 } },
	  LZ_V_TCP_RESET, LZ_R_DROP_PORT25 },
	{ "lcp", { V4, .flags = PKT_F_PPPOE, .ppp = 0xc021 }, NOT_IP },
	{ "ipcp", { V4, .flags = PKT_F_PPPOE, .ppp = 0x8021 }, NOT_IP },
	{ "chap", { V4, .flags = PKT_F_PPPOE, .ppp = 0xc223 }, NOT_IP },
	{ "one label", { V4, .mpls = 1 }, REFUSED },
	{ "eight labels", { V4, .mpls = 8 }, REFUSED },
	{ "nine labels", { V4, .mpls = 9 }, UNPARSED },
	{ "v6 under two labels in a tag", { V6, .mpls = 2, .vlan = { 0x8100 } }, REFUSED },
};

/* Refused, but no honest frame: no answer is built for it. */
static const struct row short_ppp[] = {
	{ "protocol in one byte", { V4, .flags = PKT_F_PPPOE | PKT_F_PPP_SHORT }, REFUSED },
	{ "v6, protocol in one byte", { V6, .flags = PKT_F_PPPOE | PKT_F_PPP_SHORT }, REFUSED },
};

static const struct row headers4[] = {
	{ "one option word", { V4, .options = 1 }, REFUSED },
	{ "ten option words", { V4, .options = 10 }, REFUSED },
	{ "header length 4", { V4, .ihl = 4 }, UNPARSED },
	{ "header length 0 and options", { V4, .ihl = 1, .options = 2 }, UNPARSED },
	{ "version 5", { V4, .version = 5 }, UNPARSED },
	{ "total length below the header", { V4, .total_len = 12 }, UNPARSED },
	{ "total length hides the flags", { V4, .total_len = 33 }, UNPARSED },
	{ "total length beyond the frame", { V4, .total_len = 1500 }, REFUSED },
	{ "padding behind", { V4, .pad = 6 }, REFUSED },
	{ "first fragment", { V4, .flags = PKT_F_MORE, .payload = 20 }, REFUSED },
	{ "later fragment", { V4, .frag_off = 1480, .payload = 20 }, LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "last fragment at 8 bytes", { V4, .frag_off = 8 }, LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "tiny first fragment", { V4, .flags = PKT_F_MORE, .l4_bytes = 8 },
	  LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "tiny first fragment, padded", { V4, .flags = PKT_F_MORE, .l4_bytes = 8, .pad = 32 },
	  LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "tiny from a class without rules",
	  { .src = BIZ4, .dst = WORLD4, .dport = 25, .flags = PKT_F_MORE, .l4_bytes = 8 }, UNPARSED },
	{ "tiny from elsewhere",
	  { .src = WORLD4, .dst = WORLD4, .dport = 25, .flags = PKT_F_MORE, .l4_bytes = 8 }, UNPARSED },
	{ "tiny udp", { V4, .proto = 17, .flags = PKT_F_MORE, .l4_bytes = 4 }, UNPARSED },
	{ "gre", { V4, .proto = 47, .payload = 60 }, LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "6in4", { V4, .proto = 41, .payload = 60 }, LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "esp", { V4, .proto = 50, .payload = 60 }, LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "ospf", { V4, .proto = 89, .payload = 60 }, LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "vrrp", { V4, .proto = 112, .payload = 60 }, LZ_V_PASS, LZ_R_PASS_OTHER },
};

static const struct row headers6[] = {
	{ "atomic fragment", { V6, .flags = PKT_F_FRAG }, REFUSED },
	{ "first fragment", { V6, .flags = PKT_F_FRAG | PKT_F_MORE, .payload = 20 }, REFUSED },
	{ "later fragment", { V6, .flags = PKT_F_FRAG, .frag_off = 1232 },
	  LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "tiny first fragment", { V6, .flags = PKT_F_FRAG | PKT_F_MORE, .l4_bytes = 8 },
	  LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "tiny first fragment, padded",
	  { V6, .flags = PKT_F_FRAG | PKT_F_MORE, .l4_bytes = 8, .pad = 32 },
	  LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "options, then tiny",
	  { V6, .ext = { 0, 60 }, .ext_n = 2, .flags = PKT_F_FRAG | PKT_F_MORE, .l4_bytes = 8 },
	  LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "a chain cut in the first fragment", { V6, CUT_CHAIN, .cut = 70 }, LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "a cut chain, padded", { V6, CUT_CHAIN }, LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "a cut chain in a fragment of a fragment",
	  { V6, .ext = { 44, 44, 60 }, .ext_n = 3, .flags = PKT_F_MORE, .proto = 60, .total_len = 24 },
	  LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "a chain longer than its packet", { V6, .ext = { 60 }, .ext_n = 1, .total_len = 7 }, UNPARSED },
	{ "payload length hides the flags", { V6, .total_len = 13 }, UNPARSED },
	{ "nine headers", { V6, .ext_n = 9 }, LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "one of 480 bytes", { V6, .ext = { 60 }, .ext_n = 1, .ext_len = 59 }, LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
	{ "nine headers, of a source without rules", { .src = "2001:db8:2000:7::1", .dst = WORLD6, .dport = 25,
	  .ext_n = 9 }, UNPARSED },
	{ "nine headers, of a stranger", { .src = "2001:db8:f000::1", .dst = WORLD6, .dport = 25, .ext_n = 9 },
	  UNPARSED },
	{ "ah", { V6, .ext = { 51 }, .ext_n = 1 }, REFUSED },
	{ "mobility", { V6, .ext = { 135 }, .ext_n = 1 }, REFUSED },
	{ "unknown header 253", { V6, .ext = { 253 }, .ext_n = 1 }, LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "no next header", { V6, .proto = 59 }, LZ_V_PASS, LZ_R_PASS_OTHER },
};

static const struct row link_protocols[] = {
	{ "arp", { .ethertype = 0x0806 }, NOT_IP },
	{ "lldp", { .ethertype = 0x88cc }, NOT_IP },
	{ "lacp", { .ethertype = 0x8809 }, NOT_IP },
	{ "802.1x", { .ethertype = 0x888e }, NOT_IP },
	{ "pppoe discovery", { .ethertype = 0x8863 }, NOT_IP },
	{ "stp", { .ethertype = 0x0026 }, NOT_IP },
	{ "arp in a tag", { .ethertype = 0x0806, .vlan = { 0x8100 } }, NOT_IP },
	{ "dhcp", { .src = "0.0.0.0", .dst = "255.255.255.255", .proto = 17, .sport = 68,
		    .dport = 67, .flags = PKT_F_BROADCAST }, LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "nd from ::", { .src = "::", .dst = "ff02::1", .proto = 58, .icmp_type = 135 },
	  LZ_V_PASS, LZ_R_PASS_UNKEYED },
	{ "ra", { .src = "fe80::1", .dst = "ff02::1", .proto = 58, .icmp_type = 134 },
	  LZ_V_PASS, LZ_R_PASS_OTHER },
	{ "bfd", { .src = DYN4, .dst = WORLD4, .proto = 17, .dport = 3784 },
	  LZ_V_PASS, LZ_R_PASS_OTHER },
};

static void encapsulated(void)
{
	struct world_run r;

	rows_run(w, ROWS(encapsulations), ROWS_XDP | ROWS_TC, NULL);
	rows_run(w, ROWS(short_ppp), ROWS_XDP, NULL);
	T_EQ(world_frame(w, WORLD_TC, &short_ppp[0].p, &r), 0, "protocol in one byte, tc");
	T_EQ(r.verdict, LZ_V_DROP, "refused in silence");
	T_EQ(r.delta[LZ_C_REPLY_SUPPRESSED], 1, "and counted");
	ROWS_OK("rows");
}

static void ip4(void)
{
	rows_run(w, ROWS(headers4), ROWS_XDP | ROWS_TC, NULL);
	ROWS_OK("rows");
}

static void ip6(void)
{
	rows_run(w, ROWS(headers6), ROWS_XDP | ROWS_TC, NULL);
	ROWS_OK("rows");
}

static void chains(void)
{
	for (__u8 n = 0; n <= 12; n++) {
		struct row row = { "a chain of headers", { V6, .ext_n = n }, REFUSED };

		memset(row.p.ext, 60, n);
		if (n > 8) {
			row.verdict = LZ_V_DROP;
			row.reason = LZ_R_DROP_TINY_FRAGMENT;
		}
		rows_run(w, &row, 1, ROWS_XDP | ROWS_TC, NULL);
	}
	ROWS_OK("0..12 headers");
}

static void not_ip(void)
{
	rows_run(w, ROWS(link_protocols), ROWS_XDP | ROWS_TC, NULL);
	ROWS_OK("rows");
}

/* A cut frame never becomes something else: before the ports unparsed, after the flags refused. */
static void truncated(void)
{
	static const struct row kinds[] = {
		{ "v4", { V4 }, REFUSED },
		{ "v6", { V6 }, REFUSED },
		{ "pppoe in qinq", { V4, .flags = PKT_F_PPPOE, .vlan = { 0x88a8, 0x8100 } }, REFUSED },
	};

	for (unsigned i = 0; i < 3; i++) {
		struct row row = kinds[i];
		struct pkt whole;

		pkt_build(&whole, &row.p);
		for (row.p.cut = 14; row.p.cut <= 80; row.p.cut++) {
			bool seen = row.p.cut >= whole.l4 + 14;

			row.verdict = seen ? LZ_V_ICMP_ADMIN : LZ_V_PASS;
			row.reason = seen ? LZ_R_DROP_PORT25 : LZ_R_PASS_UNPARSED;
			rows_run(w, &row, 1, ROWS_XDP, NULL);
		}
	}
	ROWS_OK("cut at 14..80 bytes");
}

static void unparsed_dropped(void)
{
	static const struct row rows[] = {
		{ "three tags", { V4, .vlan = { 0x88a8, 0x8100, 0x8100 } },
		  LZ_V_DROP, LZ_R_DROP_UNPARSED },
		{ "bad header length", { V4, .ihl = 4 }, LZ_V_DROP, LZ_R_DROP_UNPARSED },
		{ "nine v6 headers", { V6, .ext = { 60, 60, 60, 60, 60, 60, 60, 60, 60 }, .ext_n = 9 },
		  LZ_V_DROP, LZ_R_DROP_TINY_FRAGMENT },
		{ "of a source without rules", { .src = "2001:db8:2000:7::1", .dst = WORLD6, .dport = 25, .ext_n = 9 },
		  LZ_V_DROP, LZ_R_DROP_UNPARSED },
		{ "of a stranger", { .src = "2001:db8:f000::1", .dst = WORLD6, .dport = 25, .ext_n = 9 },
		  LZ_V_DROP, LZ_R_DROP_UNPARSED },
		{ "of a never source", { .src = NEVER4, .dst = WORLD4, .ihl = 4 }, UNPARSED },
		{ "to a never address", { .src = DYN4, .dst = NEVER4, .ihl = 4 }, UNPARSED },
		{ "whole", { V4, .tcp = PKT_ACK, .vlan = { 0x8100 } }, LZ_V_DROP, LZ_R_DROP_PORT25 },
		{ "arp", { .ethertype = 0x0806 }, NOT_IP },
	};

	w->control->gen[0].flags = LZ_GEN_F_UNPARSED_DROP;
	rows_run(w, ROWS(rows), ROWS_XDP | ROWS_TC, NULL);
	w->control->gen[0].flags |= LZ_GEN_F_MONITOR;
	rows_run(w, (const struct row[]){ { "bad header length, monitored", { V4, .ihl = 4 },
					    UNPARSED } }, 1, ROWS_XDP | ROWS_TC, NULL);
	w->control->gen[0].flags = 0;
	ROWS_OK("rows");
}

/* ppp and tun: the frame starts at IP. In a test run the kernel wants 14 bytes of something. */
static void headerless(void)
{
	static const struct row rows[] = {
		{ "v4", { V4, .flags = PKT_F_L3 }, REFUSED },
		{ "v6", { V6, .flags = PKT_F_L3 }, REFUSED },
		{ "reset", { .src = RESET4, .dst = WORLD4, .dport = 25, .flags = PKT_F_L3 },
		  LZ_V_TCP_RESET, LZ_R_DROP_PORT25 },
		{ "neither", { V4, .flags = PKT_F_L3, .version = 7 }, UNPARSED },
	};

	w->port_flags = LZ_PORT_F_L3;
	rows_run(w, ROWS(rows), ROWS_TC, NULL);
	w->port_flags = 0;
	ROWS_OK("rows");
}

/* Labels may read like a PPPoE header, whose length an answer sets: they must stay as they are. */
static void labels_like_pppoe(void)
{
	static const struct {
		const char *name;
		__u8 bytes[3]; /* the last two of the first label, the first of the second */
	} rows[] = {
		{ "its EtherType and version", { 0x88, 0x64, 0x11 } },
		{ "its EtherType", { 0x88, 0x64, 0 } },
		{ "half of it and the version", { 0x88, 0x65, 0x11 } },
		{ "the other half", { 0x80, 0x64, 0x11 } },
	};
	static const struct pkt_spec specs[] = {
		{ .src = DYN4, .dst = WORLD4, .dport = 25, .mpls = 3 },
		{ .src = DYN6, .dst = WORLD6, .dport = 25, .mpls = 3 },
		{ .src = RESET4, .dst = WORLD4, .dport = 25, .mpls = 3 },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows) * LZ_ARRAY_SIZE(specs); i++) {
		const char *name = rows[i / LZ_ARRAY_SIZE(specs)].name, *fault;
		struct world_run r;
		struct pkt p;

		world_reset(w);
		pkt_build(&p, &specs[i % LZ_ARRAY_SIZE(specs)]);
		memcpy(p.data + 16, rows[i / LZ_ARRAY_SIZE(specs)].bytes, 3);
		T_EQ(world_bytes(w, WORLD_TC, p.data, p.bytes, p.l3, &r), 0, name);
		T_EQ(r.delta[LZ_C_REPLY_SENT], 1, name);
		fault = reply_fault(&p, r.out, r.out_bytes, OWN4, OWN6);
		T_OK(!fault, fault ?: name);
	}
}

static const struct t_case cases[] = {
	{ "tags, PPPoE, labels", encapsulated },
	{ "labels like PPPoE", labels_like_pppoe },
	{ "IPv4 headers and fragments", ip4 },
	{ "IPv6 headers and fragments", ip6 },
	{ "IPv6 header chains", chains },
	{ "what is not IP, or keeps a link alive", not_ip },
	{ "every cut", truncated },
	{ "\"unparsed\": \"drop\"", unparsed_dropped },
	{ "headerless devices", headerless },
};

ROWS_MAIN(w, cases)
