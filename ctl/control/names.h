/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * names.h - host names in sets: asked for through the teller, kept as addresses in the data plane.
 *
 * An answer counts for its TTL, 30 s at least and a day at most; then the name is asked for again. As
 * long as nobody answers, the last answer stays, for LZ_NAMES_STALE_S: name servers, teller and
 * daemon may all be down for a day before a held customer cannot fetch his updates. The data plane
 * looks at the end itself. An address that is no longer in the answer ends with the TTL it was seen
 * with, so that customers who asked a moment earlier are not surprised.
 */
#ifndef LZ_CONTROL_NAMES_H
#define LZ_CONTROL_NAMES_H

#include <cjson/cJSON.h>
#include <linux/types.h>
#include <stddef.h>

#define LZ_NAMES_FIRST_ID    (1ULL << 52) /* ids of questions; those of messages are below */
#define LZ_NAMES_TTL_MIN_S   30
#define LZ_NAMES_TTL_MAX_S   86400
#define LZ_NAMES_STALE_S     86400
#define LZ_NAMES_KEPT_MAX    64 /* addresses of one name, those that are passing included */

struct lz_ctl;
struct lz_image;

/** lz_names_turn() - ask for what is due, follow the policy; called often, does not wait */
void lz_names_turn(struct lz_ctl *ctl);

/** lz_names_answer() - of the teller; @error: NULL = addresses and ttl_s are in @answer */
void lz_names_answer(struct lz_ctl *ctl, __u64 id, const cJSON *answer, const char *error);

/** lz_names_lost() - the teller is gone: what was asked is asked again */
void lz_names_lost(struct lz_ctl *ctl, const char *why);

/** lz_names_switch() - before generation @slot judges: the same addresses in its numbering of sets */
void lz_names_switch(struct lz_ctl *ctl, const struct lz_image *next, __u32 slot);

/** lz_names_check() - does a name have no address, or an old one? @why: "" = all is well */
void lz_names_check(struct lz_ctl *ctl, char *why, size_t size);
void lz_names_say(struct lz_ctl *ctl, cJSON *end); /* "names" of status */

#endif /* LZ_CONTROL_NAMES_H */
