/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_parse.c - the data plane's parser, natively: every truncation of every kind of frame.
 *
 * A frame ends where an unmapped page begins, so a read past its end is a crash in any build.
 */
#include <sys/mman.h>

#include "bpf/parse.h"
#include "lib/pkt.h"
#include "lib/random.h"
#include "lib/t.h"
#include "model/facts.h"
#include "model/glance.h"

#define PAGE 4096

#define V4 .src = "100.64.0.1", .dst = "192.0.2.200"
#define V6 .src = "2001:db8:1000::1", .dst = "2001:db8:ffff::1"
#define MAPPED (LZ_P_KEYED | LZ_P_PORTS)

static __u8 *page; /* its end is the end of readable memory */
static enum m_glanced glanced; /* at the last frame that was parsed */

/* Parse the first n bytes of a frame, lying right before the unmapped page. */
static struct lz_pkt parse(const __u8 *frame, unsigned n, int l3, unsigned key_len)
{
	struct lz_frame f = { page + PAGE - n, page + PAGE };
	struct lz_pkt p = { 0 };
	struct m_packet want;
	const char *wrong;

	memcpy(f.data, frame, n);
	lz_parse(&f, l3, key_len, &p);
	glanced = l3 ? M_GLANCE_CLOSER : m_glance(&f, key_len, &p);
	T_OK(glanced != M_GLANCE_WRONG, "the glance says what the parser says");
	lz_parse_addresses(&f, &p);
	m_parse(frame, n, l3, key_len, &want);
	wrong = m_facts_differ(&p, &want);
	if (!T_OK(!wrong, "the parser says what the model says")) {
		printf("#   not the same: %s\n", wrong);
		pkt_dump("frame", frame, n);
	}
	return p;
}

static const struct {
	const char *name;
	struct pkt_spec spec;
	__u16 flags; /* of the whole frame */
} rows[] = {
	{ "v4 syn", { V4, .dport = 25 }, MAPPED | LZ_P_SYN },
	{ "v6 syn", { V6, .dport = 25 }, MAPPED | LZ_P_SYN },
	{ "v4 ack", { V4, .dport = 25, .tcp = PKT_ACK }, MAPPED },
	{ "v4 syn-ack", { V4, .dport = 25, .tcp = PKT_SYN | PKT_ACK }, MAPPED },
	{ "v4 syn with urgent and push", { V4, .tcp = PKT_SYN | 0x28 }, MAPPED | LZ_P_SYN },
	{ "v4 syn with fin", { V4, .tcp = PKT_SYN | PKT_FIN }, MAPPED | LZ_P_SYN },
	{ "v4 syn with reset", { V4, .tcp = PKT_SYN | PKT_RST }, MAPPED },
	{ "v4 syn, do not fragment", { V4, .flags = PKT_F_DF }, MAPPED | LZ_P_SYN },
	{ "v4 no flags", { V4, .flags = PKT_F_NO_FLAGS }, MAPPED },
	{ "v4 to the flags", { V4, .l4_bytes = 14 }, MAPPED | LZ_P_SYN },
	{ "v6 to the flags", { V6, .l4_bytes = 14 }, MAPPED | LZ_P_SYN },
	{ "v4 to the flags, padded", { V4, .l4_bytes = 14, .pad = 6 }, MAPPED | LZ_P_SYN },
	{ "v4 udp, padded", { V4, .proto = 17, .dport = 53, .pad = 18 }, MAPPED },
	{ "v4 udp, claims seven bytes", { V4, .proto = 17, .total_len = 27, .pad = 18 }, LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v4 udp", { V4, .proto = 17, .dport = 53 }, MAPPED },
	{ "v4 icmp", { V4, .proto = 1, .icmp_type = 8 }, LZ_P_KEYED },
	{ "v4 udp with payload", { V4, .proto = 17, .dport = 25, .payload = 20 }, MAPPED },
	{ "v6 udp with payload", { V6, .proto = 17, .dport = 443, .payload = 20 }, MAPPED },
	{ "v6 icmp", { V6, .proto = 58, .icmp_type = 135 }, LZ_P_KEYED },
	{ "v4 gre", { V4, .proto = 47, .payload = 40 }, LZ_P_KEYED },
	{ "v6 in one tag", { V6, .dport = 25, .vlan = { 0x8100 } }, MAPPED | LZ_P_SYN },
	{ "v4 in one service tag", { V4, .vlan = { 0x88a8 } }, MAPPED | LZ_P_SYN },
	{ "v4 length beyond the frame", { V4, .total_len = 1500 }, MAPPED | LZ_P_SYN },
	{ "v4 in one tag", { V4, .vlan = { 0x8100 } }, MAPPED | LZ_P_SYN },
	{ "v6 in qinq", { V6, .vlan = { 0x88a8, 0x8100 } }, MAPPED | LZ_P_SYN },
	{ "v4 in old qinq", { V4, .vlan = { 0x9100, 0x8100 } }, MAPPED | LZ_P_SYN },
	{ "v4 in three tags", { V4, .vlan = { 0x88a8, 0x8100, 0x8100 } }, LZ_P_UNPARSED },
	{ "v4 in a tag, a service tag and a tag", { V4, .vlan = { 0x8100, 0x88a8, 0x88a8 } }, LZ_P_UNPARSED },
	{ "v4 in three old tags", { V4, .vlan = { 0x9100, 0x9100, 0x9100 } }, LZ_P_UNPARSED },
	{ "v4 in a priority tag", { V4, .priority_tags = 1 }, MAPPED | LZ_P_SYN },
	{ "v4 in eight of them", { V4, .priority_tags = 8 }, MAPPED | LZ_P_SYN },
	{ "v6 in six of them in qinq", { V6, .vlan = { 0x88a8, 0x8100 }, .priority_tags = 6 }, MAPPED | LZ_P_SYN },
	{ "v4 in nine of them", { V4, .priority_tags = 9 }, LZ_P_UNPARSED | LZ_P_OVERTAGGED },
	{ "v4 in pppoe in five of them", { V4, .flags = PKT_F_PPPOE, .priority_tags = 5 }, MAPPED | LZ_P_SYN },
	{ "v4 in pppoe", { V4, .flags = PKT_F_PPPOE }, MAPPED | LZ_P_SYN },
	{ "v4 in pppoe, short protocol", { V4, .flags = PKT_F_PPPOE | PKT_F_PPP_SHORT }, MAPPED | LZ_P_SYN },
	{ "v4 in pppoe of no version", { V4, .flags = PKT_F_PPPOE | PKT_F_PPPOE_ODD }, MAPPED | LZ_P_SYN },
	{ "v6 in pppoe, short protocol", { V6, .flags = PKT_F_PPPOE | PKT_F_PPP_SHORT }, MAPPED | LZ_P_SYN },
	{ "v6 in pppoe in qinq", { V6, .flags = PKT_F_PPPOE, .vlan = { 0x88a8, 0x8100 } },
	  MAPPED | LZ_P_SYN },
	{ "lcp", { V4, .flags = PKT_F_PPPOE, .ppp = 0xc021 }, LZ_P_NOT_IP },
	{ "v4 under a label", { V4, .mpls = 1 }, MAPPED | LZ_P_SYN },
	{ "v4 under a multicast label", { V4, .mpls = 1, .ethertype = 0x8848 }, MAPPED | LZ_P_SYN },
	{ "v4 with options under a label", { V4, .mpls = 1, .options = 1 }, MAPPED | LZ_P_SYN },
	{ "neither under a label", { V4, .mpls = 1, .version = 5 }, LZ_P_UNPARSED },
	{ "v6 under eight labels", { V6, .mpls = 8 }, MAPPED | LZ_P_SYN },
	{ "v4 under nine labels", { V4, .mpls = 9 }, LZ_P_UNPARSED },
	{ "v4 under labels in a tag", { V4, .mpls = 2, .vlan = { 0x8100 } }, MAPPED | LZ_P_SYN },
	{ "v4 all options", { V4, .options = 10 }, MAPPED | LZ_P_SYN },
	{ "v4 bad ihl", { V4, .ihl = 4 }, LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v4 ihl beyond the length", { V4, .ihl = 15 }, LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v4 wrong version", { V4, .version = 5 }, LZ_P_UNPARSED },
	{ "v4 length below the header", { V4, .total_len = 19 }, LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v4 gre, length below the header", { V4, .proto = 47, .total_len = 19 }, LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v4 gre, nothing in it", { V4, .proto = 47, .total_len = 20 }, LZ_P_KEYED },
	{ "v4 length below the flags", { V4, .total_len = 33, .pad = 20 },
	  LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v4 first fragment", { V4, .flags = PKT_F_MORE, .payload = 20 }, MAPPED | LZ_P_SYN },
	{ "v4 tiny fragment", { V4, .flags = PKT_F_MORE, .l4_bytes = 8 },
	  LZ_P_KEYED | LZ_P_UNPARSED | LZ_P_TINY_FRAG },
	{ "v4 tiny fragment, padded", { V4, .flags = PKT_F_MORE, .l4_bytes = 8, .pad = 20 },
	  LZ_P_KEYED | LZ_P_UNPARSED | LZ_P_TINY_FRAG },
	{ "v4 tiny fragment of udp", { V4, .proto = 17, .flags = PKT_F_MORE, .l4_bytes = 4 },
	  LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v4 later fragment", { V4, .frag_off = 8 }, LZ_P_KEYED | LZ_P_LATER_FRAG },
	{ "v4 fragment at 32768", { V4, .frag_off = 32768 }, LZ_P_KEYED | LZ_P_LATER_FRAG },
	{ "v6 wrong version", { V6, .version = 7 }, LZ_P_UNPARSED },
	{ "v6 length 0", { V6, .flags = PKT_F_JUMBO }, MAPPED | LZ_P_SYN },
	{ "v6 jumbogram", { V6, .flags = PKT_F_JUMBO, .ext = { 0 }, .ext_n = 1 }, MAPPED | LZ_P_SYN },
	{ "v6 atomic fragment", { V6, .flags = PKT_F_FRAG }, MAPPED | LZ_P_SYN },
	{ "v6 first fragment", { V6, .flags = PKT_F_FRAG | PKT_F_MORE, .payload = 20 },
	  MAPPED | LZ_P_SYN },
	{ "v6 tiny fragment", { V6, .flags = PKT_F_FRAG | PKT_F_MORE, .l4_bytes = 8 },
	  LZ_P_KEYED | LZ_P_UNPARSED | LZ_P_TINY_FRAG },
	{ "v6 tiny fragment, padded", { V6, .flags = PKT_F_FRAG | PKT_F_MORE, .l4_bytes = 8, .pad = 20 },
	  LZ_P_KEYED | LZ_P_UNPARSED | LZ_P_TINY_FRAG },
	{ "v6 later fragment", { V6, .flags = PKT_F_FRAG, .frag_off = 16 },
	  LZ_P_KEYED | LZ_P_LATER_FRAG },
	{ "v6 fragment at 8", { V6, .flags = PKT_F_FRAG, .frag_off = 8 }, LZ_P_KEYED | LZ_P_LATER_FRAG },
	{ "v6 fragment at 32768", { V6, .flags = PKT_F_FRAG, .frag_off = 32768 }, LZ_P_KEYED | LZ_P_LATER_FRAG },
	{ "v6 atomic fragment, reserved bits", { V6, .flags = PKT_F_FRAG, .frag_off = 6 }, MAPPED | LZ_P_SYN },
	{ "v6 tiny fragment of a fragment",
	  { V6, .ext = { 44, 44 }, .ext_n = 2, .flags = PKT_F_MORE, .l4_bytes = 8 },
	  LZ_P_KEYED | LZ_P_UNPARSED | LZ_P_TINY_FRAG },
	{ "v6 chain cut in the first fragment",
	  { V6, .ext = { 44, 60 }, .ext_n = 2, .flags = PKT_F_MORE, .proto = 60, .total_len = 16 },
	  LZ_P_KEYED | LZ_P_UNPARSED | LZ_P_TINY_FRAG },
	{ "v6 chain cut, not a fragment", { V6, .ext = { 60 }, .ext_n = 1, .proto = 60, .total_len = 8 },
	  LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v6 header to the end, nothing behind", { V6, .ext = { 60 }, .ext_n = 1, .proto = 59, .total_len = 8 },
	  LZ_P_KEYED },
	{ "v6 header one byte longer than its packet",
	  { V6, .ext = { 60 }, .ext_n = 1, .proto = 59, .total_len = 7 }, LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v6 short payload, padded", { V6, .total_len = 13, .pad = 20 }, LZ_P_KEYED | LZ_P_UNPARSED },
	{ "v6 hop-by-hop, routing, options", { V6, .ext = { 0, 43, 60 }, .ext_n = 3 },
	  MAPPED | LZ_P_SYN },
	{ "v6 ah", { V6, .ext = { 51 }, .ext_n = 1 }, MAPPED | LZ_P_SYN },
	{ "v6 ah with a sum of 96 bits", { V6, .ext = { 51 }, .ext_n = 1, .ext_len = 4 }, MAPPED | LZ_P_SYN },
	{ "v6 routing by two segments", { V6, .ext = { 43 }, .ext_n = 1, .ext_len = 4 }, MAPPED | LZ_P_SYN },
	{ "v6 mobility, hip, shim6", { V6, .ext = { 135, 139, 140 }, .ext_n = 3 }, MAPPED | LZ_P_SYN },
	{ "v6 eight headers", { V6, .ext = { 0, 60, 60, 60, 60, 60, 60, 60 }, .ext_n = 8 },
	  MAPPED | LZ_P_SYN },
	{ "v6 nine headers", { V6, .ext = { 0, 60, 60, 60, 60, 60, 60, 60, 60 }, .ext_n = 9 },
	  LZ_P_KEYED | LZ_P_UNPARSED | LZ_P_TINY_FRAG },
	{ "v6 from ::", { .src = "::", .dst = "ff02::1", .proto = 58, .icmp_type = 135 }, 0 },
	{ "v6 from 0100::/8", { .src = "100::1", .dst = "2001:db8::1" }, LZ_P_PORTS | LZ_P_SYN },
	{ "v6 from ff00::/8", { .src = "ff02::1", .dst = "2001:db8::1" }, LZ_P_PORTS | LZ_P_SYN },
	{ "arp", { .ethertype = 0x0806 }, LZ_P_NOT_IP },
	{ "lldp", { .ethertype = 0x88cc }, LZ_P_NOT_IP },
	{ "802.3 length: stp", { .ethertype = 38 }, LZ_P_NOT_IP },
	{ "v4 without link header", { V4, .flags = PKT_F_L3, .dport = 25 }, MAPPED | LZ_P_SYN },
	{ "v6 without link header", { V6, .flags = PKT_F_L3, .dport = 25 }, MAPPED | LZ_P_SYN },
	{ "v4 with options without link header", { V4, .flags = PKT_F_L3, .options = 2 }, MAPPED | LZ_P_SYN },
	{ "neither without link header", { V4, .flags = PKT_F_L3, .version = 7 }, LZ_P_UNPARSED },
};

#define ROWS (sizeof(rows) / sizeof(*rows))

static void whole_frames(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct lz_pkt p;
		struct pkt f;

		pkt_build(&f, &rows[i].spec);
		p = parse(f.data, f.bytes, rows[i].spec.flags & PKT_F_L3, 64);
		if (!T_EQ(p.flags, rows[i].flags, rows[i].name))
			pkt_dump("frame", f.data, f.bytes);
		if (p.flags & LZ_P_KEYED)
			T_EQ(p.l3_bytes, f.l3, "offset of the IP header");
		if (p.flags & LZ_P_SYN)
			T_OK(p.dport == rows[i].spec.dport && p.sport == 40000, "ports");
	}
}

/* What nearly all frames are is known at a glance, and nothing stranger. */
static void plain_frames(void)
{
	static const char *const plain[] = {
		"v4 syn", "v6 syn", "v4 ack", "v4 syn-ack", "v4 syn with urgent and push",
		"v4 no flags", "v4 udp with payload", "v6 udp with payload", "v4 in one tag",
		"v6 in one tag", "v4 length beyond the frame", "v4 syn with fin", "v4 syn with reset",
		"v4 syn, do not fragment", "v4 to the flags", "v6 to the flags", "v4 to the flags, padded",
		"v4 udp, padded", "v4 in a priority tag",
	};
	const size_t n = sizeof(plain) / sizeof(*plain);
	size_t seen = 0;

	for (size_t i = 0; i < ROWS; i++) {
		enum m_glanced want = M_GLANCE_CLOSER;
		struct pkt f;

		for (size_t k = 0; k < n; k++)
			if (!strcmp(plain[k], rows[i].name))
				want = M_GLANCE_SAME;
		seen += want == M_GLANCE_SAME;
		pkt_build(&f, &rows[i].spec);
		parse(f.data, f.bytes, rows[i].spec.flags & PKT_F_L3, 64);
		T_EQ(glanced, want, rows[i].name);
	}
	T_EQ(seen, n, "each of them is a row");
}

/* What a cut frame may still say: less than the whole, never anything else. */
static void check_cut(const struct lz_pkt *p, const struct lz_pkt *whole, const char *name)
{
	const int hidden = LZ_P_UNPARSED | LZ_P_TINY_FRAG;

	T_OK(!(p->flags & ~(whole->flags | hidden)), name);
	T_OK(!(p->flags & LZ_P_KEYED) || p->key == whole->key, name);
	T_OK(!(p->flags & LZ_P_PORTS) || (p->sport == whole->sport && p->dport == whole->dport),
	     name);
	T_OK(!(p->flags & LZ_P_SYN) || p->flags & LZ_P_PORTS, name);
}

static void every_truncation(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct lz_pkt whole;
		struct pkt f;

		pkt_build(&f, &rows[i].spec);
		whole = parse(f.data, f.bytes, rows[i].spec.flags & PKT_F_L3, 64);
		for (unsigned n = 0; n <= 128; n++) {
			struct lz_pkt p = parse(f.data, n < f.bytes ? n : f.bytes,
						rows[i].spec.flags & PKT_F_L3, 64);

			check_cut(&p, &whole, rows[i].name);
		}
	}
}

/* Headers are followed as far as they begin below LZ_OFFSET_MAX, and nothing that wraps there is read. */
static void long_chains(void)
{
	for (unsigned l3 = 0; l3 <= 1; l3++) {
		for (unsigned len = 0; len <= 200; len++) {
			struct pkt_spec spec = { V6, .dport = 25, .ext = { 60 }, .ext_n = 1, .ext_len = (__u8)len };
			struct lz_pkt p;
			bool near;
			struct pkt f;

			spec.flags = l3 ? PKT_F_L3 : 0;
			pkt_build(&f, &spec);
			p = parse(f.data, f.bytes, (int)l3, 64);
			near = f.l4 + 8 < LZ_OFFSET_MAX;
			if (!T_EQ(p.flags, LZ_P_KEYED | (near ? LZ_P_PORTS | LZ_P_SYN :
								LZ_P_UNPARSED | LZ_P_TINY_FRAG), "flags"))
				printf("#   behind %u bytes\n", f.l4);
		}
	}
}

/* Any byte anywhere: no crash, and the flags stay consistent. */
static void random_bytes(void)
{
	__u64 state = 88172645463325252ull;
	struct pkt f;

	for (int i = 0; i < 200000; i++) {
		struct lz_pkt p;

		t_random(&state);
		if (i % 16 == 0)
			pkt_build(&f, &rows[(state >> 20) % ROWS].spec);
		f.data[(state >> 8) % 80] ^= (__u8)(1 << (state & 7));
		p = parse(f.data, state >> 40 & 1 ? f.bytes : (unsigned)(state >> 48) % 128,
			  state >> 41 & 1, 48 + (state >> 42) % 17);
		T_OK(!(p.flags & LZ_P_NOT_IP) || p.flags == LZ_P_NOT_IP, "not IP is nothing else");
		T_OK(!(p.flags & LZ_P_TINY_FRAG) || p.flags & LZ_P_UNPARSED, "tiny is unparsed");
		T_OK(!(p.flags & LZ_P_SYN) || p.proto == LZ_IP_TCP, "a SYN is TCP");
		T_OK(p.l3_bytes < LZ_OFFSET_MAX, "offset in bounds");
	}
}

static void keys(void)
{
	static const struct {
		const char *src;
		unsigned len;
		__u64 key;
	} keyed[] = {
		{ "100.64.0.1", 64, 0x64400001 },
		{ "0.0.0.0", 64, 0 },
		{ "255.255.255.255", 64, 0xffffffff },
		{ "2001:db8:1:2:3:4:5:6", 64, 0x20010db800010002 },
		{ "2001:db8:1:2fe:3:4:5:6", 56, 0x20010db800010200 },
		{ "2001:db8:1:2fe::6", 48, 0x20010db800010000 },
		{ "2001:db8:1:2ff::", 61, 0x20010db8000102f8 },
		{ "fe80::1", 64, 0xfe80000000000000 },
		{ "200::1", 64, 0x0200000000000000 },
		{ "feff::1", 64, 0xfeff000000000000 },
	};

	for (size_t i = 0; i < sizeof(keyed) / sizeof(*keyed); i++) {
		bool v6 = strchr(keyed[i].src, ':');
		struct pkt_spec spec = { .src = keyed[i].src,
					 .dst = v6 ? "2001:db8::1" : "192.0.2.1" };
		struct lz_pkt p;
		struct pkt f;

		pkt_build(&f, &spec);
		p = parse(f.data, f.bytes, 0, keyed[i].len);
		T_OK(p.flags & LZ_P_KEYED, "keyed");
		T_EQ(p.key, keyed[i].key, keyed[i].src);
		T_OK(!memcmp(p.saddr + (v6 ? 0 : 12), f.data + f.l3 + (v6 ? 8 : 12), v6 ? 16 : 4),
		     "source address");
		T_OK(!memcmp(p.daddr + (v6 ? 0 : 12), f.data + f.l3 + (v6 ? 24 : 16), v6 ? 16 : 4),
		     "destination address");
	}
}

static const struct t_case cases[] = {
	{ "every kind of frame, whole", whole_frames },
	{ "every kind of frame, cut at 0..128 bytes", every_truncation },
	{ "plain frames, at a glance", plain_frames },
	{ "chains to the last offset and beyond", long_chains },
	{ "random bytes", random_bytes },
	{ "keys", keys },
};

int main(void)
{
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || mprotect(page + PAGE, PAGE, PROT_NONE)) {
		printf("Bail out! map two pages\n");
		return EXIT_FAILURE;
	}
	return T_MAIN(cases);
}
