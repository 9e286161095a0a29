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
#include "model/facts.h"
#include "model/glance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

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
	if (m_facts_differ(&p, &want))
		abort();
	free(frame);
	return 0;
}
