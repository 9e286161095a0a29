/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * target.h - what an address stands for: the keys that are held together, and whether they may be.
 */
#ifndef LZ_CONTROL_TARGET_H
#define LZ_CONTROL_TARGET_H

#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

struct lz_ctl;
struct lz_held;
struct lz_own;

/* What an address stands for. */
struct lz_target {
	struct lz_addr addr;
	__u64 key;
	__u64 *keys; /* all that are held together; the address's own is among them, others in shared classes are not */
	size_t n_keys;
	struct lz_prefix *touched; /* the same, as prefixes */
	size_t n_touched;
	const char *customer; /* NULL = none; belongs to the policy */
	__u64 apart; /* keys of his that are not held with it: lz_policy_customer_keys_max(); 0 = none */
	__u32 class_;
};

/** lz_target_parse() - an address, or the prefix that is one source: its first; -EINVAL with @reterr */
int lz_target_parse(const struct lz_ctl *ctl, const char *text, struct lz_addr *ret, struct lz_err *reterr);

/**
 * lz_target_find() - by an address as somebody wrote it, or the prefix of one source, as answers name it
 *
 * Return: 0 with @ret to be freed by lz_target_done(); -EINVAL no address, or no source's; -ENOMEM; @reterr is set.
 */
int lz_target_find(struct lz_ctl *ctl, const char *address, struct lz_target *ret,
		   struct lz_err *reterr);
/** lz_target_at() - the same of an address; lz_target_of_key(): of a key's first one */
int lz_target_at(struct lz_ctl *ctl, const struct lz_addr *addr, struct lz_target *ret, struct lz_err *reterr);
int lz_target_of_key(struct lz_ctl *ctl, __u64 key, struct lz_target *ret, struct lz_err *reterr);
/** lz_target_look() - of an address all but the keys, of which a customer may have 65,536; nothing to be freed */
int lz_target_look(struct lz_ctl *ctl, const struct lz_addr *addr, struct lz_target *ret, struct lz_err *reterr);
/** lz_target_of_held() - of an entry: by the address that it was held by, if that is known */
int lz_target_of_held(struct lz_ctl *ctl, const struct lz_held *held, struct lz_target *ret);
void lz_target_done(struct lz_target *target);

/** lz_target_check() - may it be held? 0, or -EPERM with the reason */
int lz_target_check(struct lz_ctl *ctl, const struct lz_target *target, struct lz_err *reterr);
/**
 * lz_hold_check_addr() - may one address be held? -EPERM with the reason, which does not repeat it
 * @own: this gateway's own addresses, for who asks of a list; NULL: read for this one, if nothing else is against it
 */
int lz_hold_check_addr(struct lz_ctl *ctl, const struct lz_addr *addr, __u64 key, const struct lz_own *own,
		       struct lz_err *reterr);

/** lz_target_owner() - the customer whose address it is, without his keys; NULL: none. Belongs to the policy */
const char *lz_target_owner(const struct lz_ctl *ctl, const struct lz_addr *addr);
/** lz_target_owner_index() - the same by a key, as index in policy->customers; LZ_RANGE_NONE: none */
__u32 lz_target_owner_index(const struct lz_ctl *ctl, __u64 key);
/** lz_target_shared() - the class of a key if many customers are behind such an address, or NULL */
const char *lz_target_shared(const struct lz_ctl *ctl, __u64 key);
/** lz_target_any_shared() - is there such a class in force? */
bool lz_target_any_shared(const struct lz_ctl *ctl);

/** lz_target_say_apart() - that @t->apart keys of the customer are not held with it; returns @buf */
#define LZ_APART_TEXT_MAX 160
const char *lz_target_say_apart(const struct lz_target *t, char buf[static LZ_APART_TEXT_MAX]);

#endif /* LZ_CONTROL_TARGET_H */
