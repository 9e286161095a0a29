/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options.h - what the command line said.
 */
#ifndef LZ_PRIVSEP_OPTIONS_H
#define LZ_PRIVSEP_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct lz_options {
	char instance[64]; /* "" = the default one */
	char state[PATH_MAX];
	char run[PATH_MAX];
	char policy[PATH_MAX]; /* "" = none */
	char user[64];
	const char *bypass; /* on | off | status */
	const char *bypass_for; /* seconds, or NULL */
	const char *capture;
	bool preflight;
	bool backtest;
	bool detach;
	bool teller;
	bool json;
};

/* The accounts the controller may become; found by name before anything else. */
struct lz_identity {
	uid_t uid; /* 0: no such account, it stays root without capabilities */
	gid_t gid;
	bool found;
};

#endif /* LZ_PRIVSEP_OPTIONS_H */
