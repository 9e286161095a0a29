/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.h - the data plane's maps by number: what the keeper hands to the controller.
 */
#ifndef LZ_DATAPATH_MAPS_H
#define LZ_DATAPATH_MAPS_H

#include <lazaret/table.h>

enum lz_map_id {
	LZ_MAP_CONTROL, /* mmap: struct lz_control */
	LZ_MAP_PORTS,	/* mmap: __u32[LZ_PORTS_SIZE] */
	LZ_MAP_TABLES,	/* mmap: struct lz_tables */
	LZ_MAP_REPLAY,	/* mmap: struct lz_replay */
	LZ_MAP_TAGS,	/* mmap: struct lz_tag_line[] */
	LZ_MAP_CELLS,	/* mmap: struct lz_cell[] */
	LZ_MAP_COLD,	/* mmap: struct lz_cold[] */
	LZ_MAP_BLOCKS,	/* mmap: struct lz_block_line[lz_block_lines_all()] */
	LZ_MAP_HELD,	/* mmap: struct lz_held_line[2 * held_lines] */
	LZ_MAP_FLOWS,
	LZ_MAP_RANGES,	/* outer maps: one inner map a generation slot */
	LZ_MAP_DESTS,
	LZ_MAP_CUSTOMERS,
	LZ_MAP_EXCEPTIONS,
	LZ_MAP_PORT_ADDRS,
	LZ_MAP_PORT_STATS,
	LZ_MAP_CLASS_STATS,
	LZ_MAP_LIMIT_STATS,
	LZ_MAP_REPLY_BUCKET,
	LZ_MAP_PENDING,
	LZ_MAP_LEARNT,
	LZ_MAP_EVENTS,
	LZ_MAP_SHARED_N,		  /* those before are handed to the controller, the rest is the keeper's */
	LZ_MAP_REPLIES = LZ_MAP_SHARED_N, /* mmap */
	LZ_MAP_PORTAL_SOCKS,
	LZ_MAP_N,
};

/* Borrowed descriptors: who opened them closes them. No member is a program or a link: either is a
 * key to switch the product off. */
struct lz_map_fds {
	int fd[LZ_MAP_N];
};

/* The inner maps of one generation. The keeper makes them, the controller fills them in and lets
 * them go: the outer maps hold them. */
struct lz_inner_sizes {
	__u32 ranges; /* buckets; each >= 1: a map cannot be empty */
	__u32 dests;
	__u32 customers;
};

struct lz_inner_fds {
	int ranges;
	int dests;
	int customers;
};

/** lz_map_name() - "lz_cells"; the pin is map_<name> */
const char *lz_map_name(enum lz_map_id id);

#endif
