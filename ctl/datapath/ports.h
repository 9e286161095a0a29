/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ports.h - lz_ports and lz_port_addrs: what the data plane knows about an interface. Keeper writes,
 * anybody with the map reads.
 *
 * Order for the keeper: entry first, then lz_attach(); lz_detach() first, then lz_ports_clear(). A
 * program that runs without an entry passes everything.
 */
#ifndef LZ_DATAPATH_PORTS_H
#define LZ_DATAPATH_PORTS_H

#include "datapath/netdev.h"

struct lz_ports {
	__u32 *entry;	/* mapped: LZ_PORTS_SIZE */
	int addrs_fd;	/* borrowed */
	__u32 *taker;	/* LZ_PORTS_SIZE: the ifindex an entry stands for; 0 = free or not yet known */
	__u32 *row_user; /* LZ_PORT_STATS: ifindex a statistics row belongs to */
};

/**
 * lz_ports_open() - map the table; entries of an adopted instance are taken over
 * @have: the attachments read back: they say which ifindex an entry stands for
 */
int lz_ports_open(const struct lz_map_fds *maps, const struct lz_attachments *have,
		  struct lz_ports *ret, struct lz_err *reterr);
void lz_ports_close(struct lz_ports *ports);

/**
 * lz_ports_set() - role of an interface in one generation slot, its flags and addresses
 * @slot: 0 or 1; the role in the other slot stays
 *
 * A new interface gets a statistics row of its own; when all are taken, the last one, shared.
 * Return: 0; -EADDRINUSE another ifindex with the same low 16 bits has the entry.
 */
int lz_ports_set(struct lz_ports *ports, const struct lz_port_want *want, __u32 slot,
		 struct lz_err *reterr);

/** lz_ports_flags_of() - LZ_PORT_F_XDP, LZ_PORT_F_GENERIC of a port with this hook */
__u32 lz_ports_flags_of(enum lz_attach_mode mode);

/** lz_ports_flags_set() - those two and LZ_PORT_F_CHANGING, in one store; roles and row stay */
void lz_ports_flags_set(struct lz_ports *ports, __u32 ifindex, __u32 flags);

/** lz_ports_clear_slot() - no interface has a role in @slot any more; rows and flags stay */
void lz_ports_clear_slot(struct lz_ports *ports, __u32 slot);

/** lz_ports_clear() - forget an interface that is detached or gone */
void lz_ports_clear(struct lz_ports *ports, __u32 ifindex);

/** lz_ports_row() - its row in lz_port_stats, 0..LZ_PORT_STATS-1; row 0 is nobody's */
static inline __u32 lz_ports_row(const __u32 *entries, __u32 ifindex)
{
	return entries[ifindex & (LZ_PORTS_SIZE - 1)] >> LZ_PORT_STATS_SHIFT;
}

#endif
