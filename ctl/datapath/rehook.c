/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/rehook.h"

#include <unistd.h>

#include "datapath/membarrier.h"

/* Frames wait between XDP and tc: in their NAPI poll, in a backlog, held by GRO until its flush timeout,
 * which is set in tens of microseconds where it is set at all. */
#define GRACE_US 100000

static void wait_for_frames(void)
{
	lz_membarrier();
	usleep(GRACE_US);
}

static bool has_xdp(enum lz_attach_mode mode)
{
	return lz_ports_flags_of(mode) & LZ_PORT_F_XDP;
}

static __u32 generic_of(enum lz_attach_mode mode)
{
	return lz_ports_flags_of(mode) & LZ_PORT_F_GENERIC;
}

void lz_rehook(const struct lz_kernel *kernel, struct lz_ports *ports, struct lz_rehook *v, size_t n)
{
	const __u32 both = LZ_PORT_F_XDP | LZ_PORT_F_CHANGING;

	for (size_t i = 0; i < n; i++) {
		v[i].result = 0;
		if (has_xdp(v[i].from))
			lz_ports_flags_set(ports, v[i].ifindex, LZ_PORT_F_CHANGING | generic_of(v[i].from));
	}
	wait_for_frames(); /* then XDP has marked whatever tc gets */
	for (size_t i = 0; i < n; i++) {
		lz_ports_flags_set(ports, v[i].ifindex,
				   both | generic_of(has_xdp(v[i].from) ? v[i].from : v[i].to));
		if (has_xdp(v[i].from))
			lz_detach_xdp(kernel, v[i].ifindex);
	}
	wait_for_frames(); /* then nothing that the old XDP program has marked is under way */
	for (size_t i = 0; i < n; i++) {
		if (!has_xdp(v[i].to))
			continue;
		lz_ports_flags_set(ports, v[i].ifindex, both | generic_of(v[i].to));
		v[i].result = lz_attach(kernel, v[i].ifindex, v[i].to, 0, &v[i].err);
	}
	wait_for_frames(); /* then the new one has */
	for (size_t i = 0; i < n; i++)
		lz_ports_flags_set(ports, v[i].ifindex,
				   lz_ports_flags_of(v[i].result < 0 ? LZ_ATTACH_TC : v[i].to));
}
