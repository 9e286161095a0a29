/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* reply.c - judge a refusal by the RFCs, byte by byte; see reply.h. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/reply.h"

static __u32 get16(const __u8 *at)
{
	return (__u32)at[0] << 8 | at[1];
}

static __u32 get32(const __u8 *at)
{
	return get16(at) << 16 | get16(at + 2);
}

/* Everything between the Ethernet addresses and the IP header, but for PPPoE's length. */
static const char *link_fault(const struct pkt *in, const __u8 *out, __u32 out_bytes)
{
	if (in->l3 < 14)
		return NULL;
	if (memcmp(out, in->data + 6, 6) || memcmp(out + 6, in->data, 6))
		return "Ethernet addresses are not swapped";
	for (__u32 i = 12; i < in->l3; i++) {
		bool pppoe = in->l3 >= 22 && get16(in->data + in->l3 - 10) == 0x8864 &&
			     get16(in->data + 12) != 0x8847;

		if (pppoe && (i == in->l3 - 4 || i == in->l3 - 3))
			continue;
		if (out[i] != in->data[i])
			return "the encapsulation changed";
		if (pppoe && get16(out + in->l3 - 4) != out_bytes - in->l3 + 2)
			return "the PPPoE length is wrong";
	}
	return NULL;
}

static const char *reset_fault(const struct pkt *in, const __u8 *l4, const __u8 *asked)
{
	if (get16(l4) != get16(asked + 2) || get16(l4 + 2) != get16(asked))
		return "ports are not swapped";
	if (asked[13] & PKT_RST)
		return "a reset was answered";
	if (asked[13] & PKT_ACK)
		return l4[13] == PKT_RST && get32(l4 + 4) == get32(asked + 8) ?
			       NULL : "a reset of a flow must carry its sequence number";
	if (l4[13] != (PKT_RST | PKT_ACK) || get32(l4 + 4))
		return "a reset of a SYN is RST|ACK with sequence number 0";
	(void)in;
	return get32(l4 + 8) == get32(asked + 4) + 1 ? NULL : "the reset acknowledges another number";
}

static const char *icmp_fault(const struct pkt *in, const __u8 *l4, __u32 l4_bytes, bool v4)
{
	if (v4 ? l4[0] != 3 || l4[1] != 13 : l4[0] != 1 || l4[1] != 1)
		return "not \"administratively prohibited\"";
	if (get32(l4 + 4))
		return "the unused field is used";
	if (l4_bytes < 8 + (v4 ? 28u : 48u))
		return "the quote is shorter than a header and 8 bytes";
	if (l4_bytes - 8 > in->bytes - in->l3 || memcmp(l4 + 8, in->data + in->l3, l4_bytes - 8))
		return "the quote is not the packet";
	return NULL;
}

static bool is_addr(const __u8 *at, const char *text, bool v4)
{
	__u8 addr[16];

	if (inet_pton(v4 ? AF_INET : AF_INET6, text, addr) != 1)
		abort();
	return !memcmp(at, addr, v4 ? 4 : 16);
}

const char *reply_fault(const struct pkt *in, const __u8 *out, __u32 out_bytes, const char *own4,
			const char *own6)
{
	const __u8 *ip = out + in->l3, *asked = in->data + in->l3;
	bool v4 = asked[0] >> 4 == 4;
	__u32 ip_bytes = v4 ? 20 : 40, addr_bytes = v4 ? 4 : 16, at = v4 ? 12 : 8, proto;
	const __u8 *src = ip + at, *dst = src + addr_bytes;
	const char *fault;

	if (out_bytes < in->l3 + ip_bytes + 8)
		return "too short";
	fault = link_fault(in, out, out_bytes);
	if (fault)
		return fault;
	if (ip[0] != (v4 ? 0x45 : 0x60))
		return "IP version or header length";
	if (get16(ip + (v4 ? 2 : 4)) + (v4 ? 0 : 40) != out_bytes - in->l3)
		return "IP length";
	if (v4 && pkt_sum(ip, 20, 0))
		return "IP header checksum";
	if (v4 ? ip[1] != 0xc0 || get16(ip + 6) != 0x4000 || ip[8] != 64 : ip[7] != 64)
		return "TOS, fragmentation or TTL";
	if (pkt_sum_l4(ip, out_bytes - in->l3 - ip_bytes))
		return "transport checksum";
	if (memcmp(dst, asked + at, addr_bytes))
		return "not sent to who asked";
	proto = v4 ? ip[9] : ip[6];
	if (proto == 6)
		return memcmp(src, asked + at + addr_bytes, addr_bytes) ?
			       "a reset must come from the address that was asked" :
			       reset_fault(in, ip + ip_bytes, in->data + in->l4);
	if (!is_addr(src, v4 ? own4 : own6, v4))
		return "an ICMP error must come from the port's own address";
	return icmp_fault(in, ip + ip_bytes, out_bytes - in->l3 - ip_bytes, v4);
}
