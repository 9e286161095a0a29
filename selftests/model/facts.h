/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * facts.h - does the data plane's parser say of a frame what the model says?
 */
#ifndef LZ_SELFTESTS_MODEL_FACTS_H
#define LZ_SELFTESTS_MODEL_FACTS_H

#include <string.h>

#include "bpf/parse.h"
#include "model/model.h"

static inline const char *m_addresses_differ(const struct lz_pkt *p, const struct m_packet *want)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned at = want->family == 4 ? 12 : 0, n = want->family == 4 ? 4 : 16; /* no family: none */

	if (at && (memcmp(p->saddr, mapped, at) || memcmp(p->daddr, mapped, at)))
		return "an IPv4 address on 128 bits";
	if (memcmp(p->saddr + at, want->src, n))
		return "source address";
	return memcmp(p->daddr + at, want->dst, n) ? "destination address" : NULL;
}

/* @p: by lz_parse() and lz_parse_addresses(), from zero. Returns what differs, or NULL. */
static inline const char *m_facts_differ(const struct lz_pkt *p, const struct m_packet *want)
{
	const unsigned flags = (want->not_ip ? LZ_P_NOT_IP : 0u) |
			       (want->unparsed ? LZ_P_UNPARSED : 0u) |
			       (want->overtagged ? LZ_P_OVERTAGGED : 0u) |
			       (want->later_fragment ? LZ_P_LATER_FRAG : 0u) |
			       (want->tiny ? LZ_P_TINY_FRAG : 0u) | (want->keyed ? LZ_P_KEYED : 0u) |
			       (want->has_ports ? LZ_P_PORTS : 0u) | (want->syn ? LZ_P_SYN : 0u);

	if (p->flags != flags)
		return "flags";
	if (p->family != want->family)
		return "family";
	if (want->keyed && p->key != want->key)
		return "key";
	if (!want->unparsed && (p->proto != want->proto || p->icmp_type != want->icmp_type))
		return "protocol, ICMP type";
	if (want->has_ports && (p->sport != want->sport || p->dport != want->dport))
		return "ports";
	if (p->seq != want->seq || p->ack != want->ack || p->tcp_flags != want->tcp_flags)
		return "rest of the TCP header";
	return m_addresses_differ(p, want);
}

#endif /* LZ_SELFTESTS_MODEL_FACTS_H */
