// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <netinet/in.h>
#include <string.h>

#include "portal/crowd.h"

#define V4_KEY (1ULL << 40) /* no IPv6 source of /48.. looks like that: its top bits are not zero */

__u64 lz_crowd_key(const struct lz_crowd *table, const struct sockaddr *sa)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	__u64 key = 0;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		return V4_KEY | ntohl(in.sin_addr.s_addr);
	}
	if (sa->sa_family != AF_INET6)
		return 0;
	memcpy(&in6, sa, sizeof(in6));
	for (unsigned int i = 0; i < 8; i++)
		key = key << 8 | in6.sin6_addr.s6_addr[i];
	key &= ~0ULL << (64 - table->ipv6_len);
	return key ? key : 1; /* ::1 of a test is a source, too */
}

static unsigned int home_of(__u64 key)
{
	return (unsigned int)((key * 0x9e3779b97f4a7c15ULL) >> 52); /* 12 bits: LZ_CROWD_SLOTS */
}

/* The key's slot, or the free one where it would be. There always is one: see total_max. */
static unsigned int find(const struct lz_crowd *table, __u64 key)
{
	unsigned int i = home_of(key);

	while (table->slots[i].n && table->slots[i].key != key)
		i = (i + 1) % LZ_CROWD_SLOTS;
	return i;
}

bool lz_crowd_has_room(const struct lz_crowd *table, __u64 key)
{
	return key && table->total < table->total_max &&
	       table->slots[find(table, key)].n < table->source_max;
}

void lz_crowd_add(struct lz_crowd *table, __u64 key)
{
	struct lz_crowd_slot *slot = &table->slots[find(table, key)];

	slot->key = key;
	slot->n++;
	table->total++;
}

/* Linear probing without tombstones: what stands behind the hole moves up. */
static void close_hole(struct lz_crowd *table, unsigned int hole)
{
	for (unsigned int i = (hole + 1) % LZ_CROWD_SLOTS; table->slots[i].n;
	     i = (i + 1) % LZ_CROWD_SLOTS) {
		unsigned int home = home_of(table->slots[i].key);

		if ((i - home) % LZ_CROWD_SLOTS < (i - hole) % LZ_CROWD_SLOTS)
			continue; /* its home lies behind the hole */
		table->slots[hole] = table->slots[i];
		table->slots[i].n = 0;
		hole = i;
	}
}

void lz_crowd_drop(struct lz_crowd *table, __u64 key)
{
	unsigned int i = find(table, key);

	if (!table->slots[i].n)
		return;
	table->total--;
	if (!--table->slots[i].n)
		close_hole(table, i);
}
