/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * crowd.h - how many connections of one source, and of all, are open. Pure; a fixed table, so that
 * no flood makes it grow.
 */
#ifndef LZ_PORTAL_CROWD_H
#define LZ_PORTAL_CROWD_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/socket.h>

#define LZ_CROWD_SLOTS 4096 /* power of two, at least twice the connections there can be */

struct lz_crowd_slot {
	__u64 key;
	__u32 n; /* 0: free */
};

struct lz_crowd {
	unsigned int total_max, source_max; /* total_max <= LZ_CROWD_SLOTS / 2 */
	unsigned int ipv6_len; /* of a source: 48..64 */
	unsigned int total;
	struct lz_crowd_slot slots[LZ_CROWD_SLOTS];
};

/** lz_crowd_key() - the source an address counts as; 0: neither IPv4 nor IPv6 */
__u64 lz_crowd_key(const struct lz_crowd *table, const struct sockaddr *sa);

/** lz_crowd_has_room() - would one more of this source be within both limits? */
bool lz_crowd_has_room(const struct lz_crowd *table, __u64 key);
void lz_crowd_add(struct lz_crowd *table, __u64 key);
void lz_crowd_drop(struct lz_crowd *table, __u64 key);

#endif /* LZ_PORTAL_CROWD_H */
