/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * judged.h - is any customer port judged? What is held is held nowhere while none is.
 */
#ifndef LZ_KEEPER_JUDGED_H
#define LZ_KEEPER_JUDGED_H

#include "keeper/wiring.h"

/** lz_judged_note() - a port of @slot has its hook, as this look has found or made it */
void lz_judged_note(struct lz_wiring *w, const struct lz_port_want *want, __u32 slot);

/** lz_judged_planned() - all of @slot's ports were looked at for a plan: who asked for it gets to know at once */
void lz_judged_planned(struct lz_wiring *w, __u32 slot);

/**
 * lz_judged_looked() - all ports were looked at because time has gone by, or interfaces have changed
 *
 * One that is deleted and made again within LZ_UNJUDGED_NS is no news; one that is there is at once.
 */
#define LZ_UNJUDGED_NS (3 * LZ_NS_PER_S)
void lz_judged_looked(struct lz_wiring *w, __u64 now_ns);

/** lz_judged_forget() - nothing is planned any more */
void lz_judged_forget(struct lz_wiring *w);

#endif /* LZ_KEEPER_JUDGED_H */
