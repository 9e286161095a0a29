/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * known.h - wiring.c's memory of the ports that it has wired.
 */
#ifndef LZ_KEEPER_KNOWN_H
#define LZ_KEEPER_KNOWN_H

#include "keeper/wiring.h"

/** lz_known_remember() - a wired port; true: it is one that had gone. Without memory it goes unremembered. */
bool lz_known_remember(struct lz_wiring *w, const struct lz_port_want *want);

/** lz_known_detached() - its hooks are off: tell whether that is a loss, or the way things are */
void lz_known_detached(struct lz_wiring *w, const struct lz_attachment *have);

/** lz_known_forget() - another policy is in force: what it does not call for by name is not missed any more */
void lz_known_forget(struct lz_wiring *w);

void lz_known_done(struct lz_wiring *w);

#endif /* LZ_KEEPER_KNOWN_H */
