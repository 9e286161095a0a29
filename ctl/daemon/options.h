/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options.h - what the command line said, and the programs that lazaretd can be.
 */
#ifndef LZ_DAEMON_OPTIONS_H
#define LZ_DAEMON_OPTIONS_H

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

/* The modes; each returns an exit code of enum lz_code. */
int lz_keeper_main(const struct lz_options *options);
int lz_bypass_main(const struct lz_options *options);
int lz_preflight_main(const struct lz_options *options);
int lz_detach_main(const struct lz_options *options);

/**
 * lz_backtest_main() - what a policy would have done to the traffic of a capture
 * Return: exit code of enum lz_code; messages on stderr, the document or table on stdout.
 */
int lz_backtest_main(const char *policy_path, const char *capture_path, int json);

#endif /* LZ_DAEMON_OPTIONS_H */
