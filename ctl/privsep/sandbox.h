/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sandbox.h - the controller gives away what it does not need, and looks that it is gone.
 */
#ifndef LZ_PRIVSEP_SANDBOX_H
#define LZ_PRIVSEP_SANDBOX_H

#include "base/err.h"
#include "privsep/options.h"

/** lz_identity_find() - uid and gid of an account; @ret->found false when there is none of that name */
int lz_identity_find(const char *user, struct lz_identity *ret, struct lz_err *reterr);

/**
 * lz_sandbox_become() - all of lz_sandbox_enter() but seccomp: for a program that is then executed
 */
int lz_sandbox_become(const struct lz_identity *who, struct lz_err *reterr);

/**
 * lz_sandbox_enter() - another user, no capabilities, no new privileges, no core file, seccomp
 *
 * What was dropped is read back; a failure anywhere, no such account among them, is an error and the
 * caller must end.
 */
int lz_sandbox_enter(const struct lz_identity *who, struct lz_err *reterr);

/**
 * lz_sandbox_enter_teller() - the same for the teller, whose filter says what is refused
 *
 * It runs programs of the operator, which inherit the filter: all is allowed but what neither a hook
 * nor a mail program needs and an intruder does. The supplementary groups of @user stay: with
 * no_new_privs a set-group-ID mail program (Postfix's postdrop) works only for members of its group.
 */
int lz_sandbox_enter_teller(const struct lz_identity *who, const char *user, struct lz_err *reterr);

#endif /* LZ_PRIVSEP_SANDBOX_H */
