/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/ports.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PORTS_BYTES (LZ_PORTS_SIZE * sizeof(__u32)) /* whole pages */
#define SHARED_ROW  (LZ_PORT_STATS - 1)

void lz_ports_close(struct lz_ports *ports)
{
	if (ports->entry)
		munmap(ports->entry, PORTS_BYTES);
	free(ports->taker);
	free(ports->row_user);
	memset(ports, 0, sizeof(*ports));
}

int lz_ports_open(const struct lz_map_fds *maps, const struct lz_attachments *have,
		  struct lz_ports *ret, struct lz_err *reterr)
{
	struct lz_ports p = { .addrs_fd = maps->fd[LZ_MAP_PORT_ADDRS] };
	void *at = mmap(NULL, PORTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			maps->fd[LZ_MAP_PORTS], 0);

	if (at == MAP_FAILED)
		return lz_err_set(reterr, errno, "map %s: cannot map: %s",
				  lz_map_name(LZ_MAP_PORTS), strerror(errno));
	p.entry = at;
	p.taker = calloc(LZ_PORTS_SIZE, sizeof(*p.taker));
	p.row_user = calloc(LZ_PORT_STATS, sizeof(*p.row_user));
	if (!p.taker || !p.row_user) {
		lz_ports_close(&p);
		return lz_err_set(reterr, ENOMEM, "ports: out of memory");
	}
	for (size_t i = 0; i < have->n; i++) {
		__u32 ifindex = have->v[i].ifindex, row = lz_ports_row(p.entry, ifindex);

		if (have->v[i].dead)
			continue;
		p.taker[ifindex & (LZ_PORTS_SIZE - 1)] = ifindex;
		if (row)
			p.row_user[row] = ifindex;
	}
	*ret = p;
	return 0;
}

static __u32 find_row(const struct lz_ports *p)
{
	for (__u32 row = 1; row < SHARED_ROW; row++)
		if (!p->row_user[row])
			return row;
	return SHARED_ROW;
}

__u32 lz_ports_flags_of(enum lz_attach_mode mode)
{
	return mode == LZ_ATTACH_XDP	     ? LZ_PORT_F_XDP :
	       mode == LZ_ATTACH_XDP_GENERIC ? LZ_PORT_F_XDP | LZ_PORT_F_GENERIC :
					       0;
}

void lz_ports_flags_set(struct lz_ports *ports, __u32 ifindex, __u32 flags)
{
	const __u32 mask = LZ_PORT_F_XDP | LZ_PORT_F_GENERIC | LZ_PORT_F_CHANGING;
	__u32 at = ifindex & (LZ_PORTS_SIZE - 1);

	if (ports->taker[at] == ifindex)
		*(volatile __u32 *)&ports->entry[at] = (ports->entry[at] & ~mask) | flags;
}

int lz_ports_set(struct lz_ports *ports, const struct lz_port_want *want, __u32 slot,
		 struct lz_err *reterr)
{
	__u32 at = want->ifindex & (LZ_PORTS_SIZE - 1), role[LZ_GENERATIONS], row, flags = 0;
	bool fresh = !ports->taker[at];

	if (slot >= LZ_GENERATIONS)
		return lz_err_set(reterr, EINVAL, "%s: no such generation slot: %u", want->name, slot);
	if (!fresh && ports->taker[at] != want->ifindex)
		return lz_err_set(reterr, EADDRINUSE,
				  "%s: its ifindex %u has the low 16 bits of %u, which is attached; "
				  "re-create one of them", want->name, want->ifindex, ports->taker[at]);
	if (bpf_map_update_elem(ports->addrs_fd, &want->ifindex, &want->addr, BPF_ANY))
		return lz_err_set(reterr, errno, "%s: cannot write its addresses: %s", want->name,
				  strerror(errno));
	row = fresh ? 0 : lz_ports_row(ports->entry, want->ifindex);
	if (!row)
		row = find_row(ports);
	for (__u32 i = 0; i < LZ_GENERATIONS; i++)
		role[i] = fresh ? LZ_ROLE_NONE : LZ_PORT_ROLE(ports->entry[at], i);
	role[slot] = want->role;
	flags |= want->l3 ? LZ_PORT_F_L3 : 0;
	flags |= lz_ports_flags_of(want->mode);
	ports->taker[at] = want->ifindex;
	ports->row_user[row] = want->ifindex;
	/* One store: a packet sees the old entry or the new one. */
	*(volatile __u32 *)&ports->entry[at] = LZ_PORT_ENTRY(role[0], role[1], flags, row);
	return 0;
}

void lz_ports_clear_slot(struct lz_ports *ports, __u32 slot)
{
	for (__u32 at = 0; at < LZ_PORTS_SIZE; at++)
		if (LZ_PORT_ROLE(ports->entry[at], slot))
			*(volatile __u32 *)&ports->entry[at] = ports->entry[at] & ~(3u << (2 * slot));
}

void lz_ports_clear(struct lz_ports *ports, __u32 ifindex)
{
	__u32 at = ifindex & (LZ_PORTS_SIZE - 1), row = lz_ports_row(ports->entry, ifindex);

	if (ports->taker[at] != ifindex)
		return;
	*(volatile __u32 *)&ports->entry[at] = 0;
	ports->taker[at] = 0;
	if (ports->row_user[row] == ifindex)
		ports->row_user[row] = 0;
	bpf_map_delete_elem(ports->addrs_fd, &ifindex);
}
