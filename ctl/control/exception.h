/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exception.h - who may send although his class may not: ledger and kernel.
 */
#ifndef LZ_CONTROL_EXCEPTION_H
#define LZ_CONTROL_EXCEPTION_H

#include "lazaret/abi.h"
#include "ledger/ledger.h"

struct lz_ctl;

#define LZ_GRANTED_SLICE  64	/* rows of the ledger at a time */
#define LZ_EXCEPTIONS_MAX 65536 /* the kernel's table has room for so many, see lz_exceptions in bpf/maps.h */

/** lz_exception_word() - "port25" or "all" */
const char *lz_exception_word(__u32 flags);
/** lz_exception_flags() - the way back; -EINVAL: @word is neither, or NULL */
int lz_exception_flags(const char *word, __u32 *ret, struct lz_err *reterr);

/** lz_exception_grant() - written down, then in force; 0; -EINVAL over, too wide, no source; -errno */
int lz_exception_grant(struct lz_ctl *ctl, const struct lz_granted *row, struct lz_err *reterr);
/** lz_exception_revoke() - of exactly this prefix; 0 or -errno of the ledger, then it stands */
int lz_exception_revoke(struct lz_ctl *ctl, const struct lz_prefix *prefix, struct lz_err *reterr);
/** lz_exception_tell() - that it was added, ended, is over */
void lz_exception_tell(struct lz_ctl *ctl, const char *event, const struct lz_granted *row, const char *actor);

/** lz_exception_find() - the narrowest in force for a source, which alone counts; -ENOENT */
int lz_exception_find(const struct lz_ctl *ctl, __u64 key, struct lz_granted *ret);
/**
 * lz_exception_check() - may sources be held together? -EPERM: one has an exception from all
 * @reterr: why, without its name; NULL: nobody reads it, and it costs nothing
 */
int lz_exception_check(const struct lz_ctl *ctl, const __u64 *keys, size_t n, struct lz_err *reterr);

/** lz_exception_key() - what the kernel knows a prefix by; -EINVAL: too wide, or no source */
int lz_exception_key(const struct lz_ctl *ctl, const struct lz_prefix *prefix, struct lz_prefix_key *ret,
		     struct lz_err *reterr);
/** lz_exception_to_kernel() - a row of the ledger, in place of what there is of its prefix; likewise, -errno */
int lz_exception_to_kernel(struct lz_ctl *ctl, const struct lz_granted *row, struct lz_err *reterr);
/** lz_exception_out_of_kernel() - of exactly this prefix, if there is one */
void lz_exception_out_of_kernel(struct lz_ctl *ctl, const struct lz_prefix *prefix);
/** lz_exception_restore() - all of the ledger into the kernel, at the start */
void lz_exception_restore(struct lz_ctl *ctl);
/** lz_exception_expire() - the kernel ended them by itself; the books of a slice of them are closed */
void lz_exception_expire(struct lz_ctl *ctl);

#endif /* LZ_CONTROL_EXCEPTION_H */
