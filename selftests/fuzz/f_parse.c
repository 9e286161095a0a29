/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * f_parse.c - any bytes to the data plane's parser and to the model's: both must say the same, and the
 * glance at a plain frame too.
 *
 * Input: one byte of options (bit 0: headerless device; bits 1..5: IPv6 key length from 48), then
 * the frame, in a heap block of its very size so that AddressSanitizer sees each byte too far.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/parse.h"
#include "model/glance.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_same(const struct lz_pkt *p, const struct m_packet *want)
{
	const unsigned flags = (want->not_ip ? LZ_P_NOT_IP : 0u) |
			       (want->unparsed ? LZ_P_UNPARSED : 0u) |
			       (want->later_fragment ? LZ_P_LATER_FRAG : 0u) |
			       (want->tiny ? LZ_P_TINY_FRAG : 0u) | (want->keyed ? LZ_P_KEYED : 0u) |
			       (want->has_ports ? LZ_P_PORTS : 0u) | (want->syn ? LZ_P_SYN : 0u);

	if (p->flags != flags || p->family != want->family)
		abort();
	if (want->keyed && p->key != want->key)
		abort();
	if (want->has_ports && (p->sport != want->sport || p->dport != want->dport))
		abort();
	if (want->has_ports && want->proto == 6 && p->seq != want->seq)
		abort();
	if (want->family == 4 && (memcmp(p->saddr + 12, want->src, 4) ||
				  memcmp(p->daddr + 12, want->dst, 4)))
		abort();
	if (want->family == 6 && (memcmp(p->saddr, want->src, 16) ||
				  memcmp(p->daddr, want->dst, 16)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct lz_pkt p = { 0 };
	struct m_packet want;
	struct lz_frame f;
	unsigned key_len;
	__u8 *frame;

	if (!n)
		return 0;
	key_len = 48 + (data[0] >> 1 & 31) % 17;
	frame = malloc(n - 1 ? n - 1 : 1);
	if (!frame)
		return 0;
	memcpy(frame, data + 1, n - 1);
	f.data = frame;
	f.end = frame + n - 1;
	lz_parse(&f, data[0] & 1, key_len, &p);
	if (!(data[0] & 1) && m_glance(&f, key_len, &p) == M_GLANCE_WRONG)
		abort();
	lz_parse_addresses(&f, &p);
	m_parse(frame, (unsigned)n - 1, data[0] & 1, key_len, &want);
	check_same(&p, &want);
	free(frame);
	return 0;
}
