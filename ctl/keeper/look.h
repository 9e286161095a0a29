/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * look.h - what there is and what is wanted, before the wiring changes anything.
 */
#ifndef LZ_KEEPER_LOOK_H
#define LZ_KEEPER_LOOK_H

#include "keeper/wiring.h"

/* One look at the machine: interfaces, our hooks on them, and what each generation wants. */
struct lz_look {
	struct lz_netdevs devs;
	struct lz_attachments have;
	struct lz_port_wants want[LZ_GENERATIONS];
};

#define LZ_LOOK_NOBODY_ASKS -1

/**
 * lz_look_around() - read all of it
 * @strict_slot: of a policy that is asked for, or LZ_LOOK_NOBODY_ASKS
 *
 * Return: 0, *@ret for lz_look_done(); -errno with @reterr set.
 */
int lz_look_around(struct lz_wiring *w, int strict_slot, struct lz_look *ret, struct lz_err *reterr);
/** lz_look_done() - free it; its interfaces are what the next look compares with */
void lz_look_done(struct lz_wiring *w, struct lz_look *look);

/** lz_look_have() - our hook on an interface, also one that is not attached; NULL: none */
const struct lz_attachment *lz_look_have(const struct lz_look *look, __u32 ifindex);
/** lz_look_hooked() - is one attached? */
bool lz_look_hooked(const struct lz_look *look, __u32 ifindex);
/** lz_look_want() - what a generation wants of an interface; NULL: nothing */
struct lz_port_want *lz_look_want(struct lz_look *look, int slot, __u32 ifindex);
/** lz_look_fit() - the same, of one that may have a hook beside the others */
struct lz_port_want *lz_look_fit(struct lz_look *look, int slot, __u32 ifindex);

#endif /* LZ_KEEPER_LOOK_H */
