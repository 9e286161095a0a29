/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * modes.h - what lazaretd can be besides keeper, teller and backtest. Each returns an exit code of enum lz_code.
 */
#ifndef LZ_DAEMON_MODES_H
#define LZ_DAEMON_MODES_H

#include "ledger/ledger.h"
#include "privsep/options.h"

struct lz_ctl;
struct lz_err;
struct lz_policy;

int lz_bypass_main(const struct lz_options *options);
int lz_preflight_main(const struct lz_options *options);
int lz_detach_main(const struct lz_options *options);

/** lz_controller_main() - the half without privileges; @chan: to the keeper */
int lz_controller_main(const struct lz_options *options, const struct lz_identity *who, int chan);

/**
 * lz_books_open() - the ledger to start by, in ctl->ledger: the folder's, or one that stands in for it
 * Return: 0 or -errno with @reterr set.
 */
int lz_books_open(struct lz_ctl *ctl, struct lz_err *reterr);

/**
 * lz_books_fall_back() - lz_running_restore() failed with @r and @why: was it the ledger, and is there a stand-in?
 * Return: true: in ctl->ledger, for a second try. false: there is none; ctl->ledger may be NULL.
 */
bool lz_books_fall_back(struct lz_ctl *ctl, int r, const struct lz_err *why);

/** lz_books_seal() - at the end of the start: if it is a stand-in, nothing is acknowledged from now on */
void lz_books_seal(struct lz_ctl *ctl);

/** lz_books_turn() - once a second: is the ledger back that one stands in for? Then it ends the loop, for a new start */
void lz_books_turn(struct lz_ctl *ctl, struct lz_now now);

/** lz_running_restore() - at the start: adopt what judges, or restore what was confirmed last */
int lz_running_restore(struct lz_ctl *ctl, struct lz_policy *first, const char *file,
		       struct lz_err *reterr);

#endif /* LZ_DAEMON_MODES_H */
