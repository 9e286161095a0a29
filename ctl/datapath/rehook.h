/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rehook.h - another hook on ports that are attached, under traffic. Keeper only.
 */
#ifndef LZ_DATAPATH_REHOOK_H
#define LZ_DATAPATH_REHOOK_H

#include "datapath/attach.h"
#include "datapath/ports.h"

struct lz_rehook {
	__u32 ifindex;
	enum lz_attach_mode from, to; /* TC, XDP or XDP_GENERIC */
	int result; /* set: 0; -errno: it is on TC now, and err says why it is not on @to */
	struct lz_err err;
};

/**
 * lz_rehook() - all @n ports change their hooks together; takes some 300 ms, whatever @n
 *
 * tc ingress is there all the time. Each packet is judged once, by the one or the other (abi.h has the
 * steps); only where a driver has no room for metadata, what is under way at that moment may be judged
 * twice. Killed in the middle each port goes on as it is, and lz_ports_set() with the mode that is read
 * back ends it.
 */
void lz_rehook(const struct lz_kernel *kernel, struct lz_ports *ports, struct lz_rehook *v, size_t n);

#endif
