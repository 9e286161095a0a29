/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * steer.h - what the kernel needs so that bpf/steer.h can lead packets to the portal: listening
 * sockets, their map, and for each family one rule and one route:
 *
 *   ip rule   LZ_STEER_PRIORITY: fwmark LZ_MARK_STEER lookup LZ_STEER_TABLE
 *   ip route  local default dev lo table LZ_STEER_TABLE
 *
 * Other programs flush what they do not know (systemd-networkd does at a restart), so the keeper
 * asks for both again and again: each is one message that the kernel refuses as "exists". While they
 * are missing led packets are dropped, none is forwarded. All instances share them. Keeper only.
 */
#ifndef LZ_DATAPATH_STEER_H
#define LZ_DATAPATH_STEER_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

#define LZ_STEER_PRIORITY 250
#define LZ_STEER_TABLE	  19546 /* 0x4c5a */

/**
 * lz_steer_check() - does a foreign rule stand in the way?
 *
 * The kernel is asked where a led packet would go, which a rule for every packet with a default route
 * behind it changes. It is not asked for each source and interface: a rule for some of them is only told.
 *
 * Return: 0; 1 with one line in @reterr: a rule before ours takes packets of some sources or of one
 *         interface, led ones too; -EEXIST with one line: a rule of our priority, or an earlier one, takes
 *         led packets; -EIO. Before lz_steer_ensure() it may miss a rule for the main table.
 */
int lz_steer_check(struct lz_err *reterr);

/**
 * lz_steer_look() - the same, for again and again: the rules are only read if led packets do not arrive
 * Return: as lz_steer_check().
 */
int lz_steer_look(struct lz_err *reterr);

/**
 * lz_steer_ensure() - rule and route of both families
 * A machine without IPv6 has those of IPv4. Return: how many were missing and are there now; -EIO.
 */
int lz_steer_ensure(struct lz_err *reterr);

/** lz_steer_remove() - take them away; 0 also if there was nothing */
int lz_steer_remove(struct lz_err *reterr);

/**
 * lz_steer_listen() - a listening socket for a portal
 * @addr: NULL: for led packets only: transparent, on the loopback address of @family, any port;
 *        else for everybody, on this address and @port, even before an interface has the address
 *
 * Carries LZ_MARK_REPLY, which what it accepts inherits. Non-blocking, close-on-exec.
 * Return: descriptor, or -errno with @reterr set (-EAFNOSUPPORT: no such family here).
 */
int lz_steer_listen(int family, const struct lz_addr *addr, __u16 port, struct lz_err *reterr);

/** lz_steer_show() - packets find @fd in @row of lz_portal_socks from now on; < 0: nobody there */
int lz_steer_show(int map_fd, __u32 row, int fd);

#endif /* LZ_DATAPATH_STEER_H */
