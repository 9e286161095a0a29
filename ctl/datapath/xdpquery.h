/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdpquery.h - which XDP program an interface has, asked of that interface alone.
 *
 * libbpf's bpf_xdp_query() has the kernel list all interfaces for each that is asked about: with 300 ports of ours
 * a look at them took the keeper seconds, and more with every session (measured: an apply that changes no hook
 * among 300, 4.9 s).
 */
#ifndef LZ_DATAPATH_XDPQUERY_H
#define LZ_DATAPATH_XDPQUERY_H

#include <linux/types.h>

struct lz_xdp_there {
	__u8 attached;	/* XDP_ATTACHED_* of linux/if_link.h; NONE: no program */
	__u32 prog_id;	/* one of them; 0 = none */
};

/** lz_xdp_query() - 0, or -errno (-ENODEV: no such interface in this network namespace) */
int lz_xdp_query(__u32 ifindex, struct lz_xdp_there *ret);

#endif
