/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef LZ_SELFTESTS_REPLY_H
#define LZ_SELFTESTS_REPLY_H

#include "lib/pkt.h"

/**
 * reply_fault() - what is wrong with a refusal, as text; NULL if it is right
 * @in:		 the refused frame
 * @out:	 what is sent back: ICMP "administratively prohibited" or a TCP reset
 * @own4, @own6: the addresses an ICMP error must come from
 *
 * Checks the Ethernet addresses swapped, the encapsulation kept, IP lengths, all checksums by
 * pkt_sum(), addresses and ports, the reset's sequence numbers (RFC 9293 3.10.7), the quote.
 */
const char *reply_fault(const struct pkt *in, const __u8 *out, __u32 out_bytes, const char *own4,
			const char *own6);

#endif /* LZ_SELFTESTS_REPLY_H */
