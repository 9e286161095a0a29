/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * proof.h - handshakes: which source is really there (mission.md A5).
 *
 * Anybody can send a SYN in somebody else's name, so a bare SYN only limits. The return hook sees the
 * SYN-ACK that a mail server answers it with, with a number that only its receiver knows; the
 * source's first ACK repeats it. Both make the same fingerprint, kept in the SYN memory between
 * them. The source's own number is no part of it: that is his to choose, and a server takes an ACK
 * that says its number right from anywhere in its window. A limit with LZ_LIMIT_F_PROOF counts SYNs
 * and drops those over it (of one that holds, over `slack` more, or no handshake ever would be), but
 * holds by the handshakes it has counted in a second word.
 *
 * Where the SYN-ACK takes another way than through this gateway there is no evidence, and such a
 * limit only limits. Who has a confederate outside who tells him the number can still forge it; that
 * costs the confederate a packet to the victim for each, and the victim's machine answers with a
 * reset.
 *
 * Only packets with a port 25, in classes with limits, come here.
 */
#ifndef LZ_BPF_PROOF_H
#define LZ_BPF_PROOF_H

#include "count.h"
#include "flow.h"

/* The handshake that a SYN-ACK to, or an ACK from, a source belongs to. */
static __always_inline __u64 lz_proof_hash(const struct lz_pkt *p, int is_ack)
{
	const __u8 *source = is_ack ? p->saddr : p->daddr, *server = is_ack ? p->daddr : p->saddr;
	__u64 port = is_ack ? p->sport : p->dport;
	__u32 ack = is_ack ? p->ack : p->seq + 1;

	/* hashed, so that no SYN can be taken for a handshake in the memory they share */
	return lz_flow_mix(lz_flow_source(source), lz_flow_dest(server),
			   lz_hash(port << 32 | ack, lz_instance.seed));
}

static __always_inline int lz_is_syn_ack(const struct lz_pkt *p)
{
	return p->sport == 25 && (p->tcp_flags & (LZ_TCP_SYN | LZ_TCP_ACK | LZ_TCP_RST)) ==
					 (LZ_TCP_SYN | LZ_TCP_ACK);
}

static __always_inline int lz_is_ack(const struct lz_pkt *p)
{
	return p->proto == LZ_IP_TCP && (p->flags & LZ_P_PORTS) && p->dport == 25 &&
	       (p->tcp_flags & (LZ_TCP_SYN | LZ_TCP_ACK | LZ_TCP_RST)) == LZ_TCP_ACK;
}

/* Return hook: a SYN-ACK passes, and the SYN that it answers has done what it was for. For a class that asks
 * it is evidence, too, if that SYN passed here, and the first one that does: the server chooses its numbers,
 * and could take each ACK of a connection for another handshake by sending a SYN-ACK that fits it. */
__noinline int lz_proof_await(const struct lz_pkt *p, __u32 is_asked)
{
	struct lz_flow_line *line;
	__u64 hash;

	if (!p || !lz_flow_turn(lz_flow_hash_answered(p), p->now_ns, LZ_V_PASS, LZ_FLOW_ANSWERED) || !is_asked)
		return 0;
	hash = lz_proof_hash(p, 0);
	line = lz_flow_line(hash);
	if (line && lz_flow_find(line, hash, p->now_ns) == LZ_FLOW_NEW)
		lz_flow_note(line, hash, p->now_ns, LZ_FLOW_AWAITED);
	return 0;
}

/**
 * lz_proof_take() - does this ACK complete a handshake that was awaited?
 *
 * Return: 1, once a handshake; else 0.
 */
static __always_inline int lz_proof_take(const struct lz_pkt *p)
{
	if (!lz_flow_turn(lz_proof_hash(p, 1), p->now_ns, LZ_FLOW_AWAITED, LZ_FLOW_USED))
		return 0;
	lz_count(p->port_row, LZ_C_HANDSHAKE, 1);
	return 1;
}

#endif /* LZ_BPF_PROOF_H */
