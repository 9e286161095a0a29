/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/learnt.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* IPv4 as ::ffff:a.b.c.d, like the destinations of the packet parser. */
static void key_of(const struct lz_addr *addr, __u8 ret[static 16])
{
	if (addr->family == 6) {
		memcpy(ret, addr->bytes, 16);
		return;
	}
	memcpy(ret, mapped, sizeof(mapped));
	memcpy(ret + sizeof(mapped), addr->bytes, 4);
}

int lz_learnt_put(const struct lz_tables_view *view, const struct lz_addr *addr,
		  const struct lz_learnt *entry)
{
	__u8 key[16];

	key_of(addr, key);
	return bpf_map_update_elem(view->fds.fd[LZ_MAP_LEARNT], key, entry, BPF_ANY) ? -errno : 0;
}

int lz_learnt_read(const struct lz_tables_view *view, const struct lz_addr *addr,
		   struct lz_learnt *ret)
{
	__u8 key[16];

	key_of(addr, key);
	return bpf_map_lookup_elem(view->fds.fd[LZ_MAP_LEARNT], key, ret) ? -errno : 0;
}

int lz_learnt_del(const struct lz_tables_view *view, const struct lz_addr *addr)
{
	__u8 key[16];

	key_of(addr, key);
	return bpf_map_delete_elem(view->fds.fd[LZ_MAP_LEARNT], key) ? -errno : 0;
}

int lz_learnt_each(const struct lz_tables_view *view,
		   int (*visit)(void *arg, const struct lz_addr *addr, const struct lz_learnt *entry),
		   void *arg)
{
	int fd = view->fds.fd[LZ_MAP_LEARNT], more, r = 0;
	struct lz_learnt entry;
	__u8 key[16], next[16];

	/* The next key is asked for before the visit, which may delete this one. */
	more = !bpf_map_get_next_key(fd, NULL, next);
	while (more && r == 0) {
		struct lz_addr addr = { .family = 6 };

		memcpy(key, next, sizeof(key));
		more = !bpf_map_get_next_key(fd, key, next);
		if (bpf_map_lookup_elem(fd, key, &entry))
			continue;
		memcpy(addr.bytes, key, sizeof(key));
		lz_addr_unmap(&addr);
		r = visit(arg, &addr, &entry);
	}
	return r;
}
