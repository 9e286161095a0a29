// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * main.c - lazaretd: the command line, and which of its modes it means.
 */
#include <getopt.h>
#include <lazaret/proto.h>
#include <stdio.h>
#include <string.h>

#include "backtest/backtest.h"
#include "base/mem.h"
#include "base/out.h"
#include "daemon/modes.h"
#include "datapath/kernel.h"
#include "keeper/keeper.h"
#include "keeper/teller.h"
#include "privsep/options.h"

enum option_id {
	OPT_INSTANCE = 256,
	OPT_POLICY,
	OPT_STATE,
	OPT_RUN,
	OPT_USER,
	OPT_FOREGROUND,
	OPT_PREFLIGHT,
	OPT_BYPASS,
	OPT_BACKTEST,
	OPT_DETACH,
	OPT_TELLER,
	OPT_VERSION,
	OPT_HELP,
};

/* One table: getopt's and the help's. */
static const struct {
	const char *name;
	const char *value; /* NULL: takes none */
	int id;
	const char *help;
} table[] = {
	{ "instance", "NAME", OPT_INSTANCE, "which instance, when one machine has several" },
	{ "policy", "FILE", OPT_POLICY, "applied at the start if no policy was ever confirmed" },
	{ "state", "DIR", OPT_STATE, "ledger (default /var/lib/lazaret[-NAME])" },
	{ "run", "DIR", OPT_RUN, "sockets (default /run/lazaret[-NAME])" },
	{ "user", "NAME", OPT_USER, "what the controller changes to (default lazaret)" },
	{ "foreground", NULL, OPT_FOREGROUND, "stay in the foreground; there is no other way" },
	{ "preflight", NULL, OPT_PREFLIGHT, "what this machine can do, then end [--policy FILE] [-j]" },
	{ "bypass", "on|off|status", OPT_BYPASS, "the kill switch, without a daemon [SECONDS]" },
	{ "backtest", NULL, OPT_BACKTEST, "judge a capture by --policy FILE [-j] CAPTURE" },
	{ "detach", NULL, OPT_DETACH, "take hooks and pins away: nothing is enforced any more" },
	{ "teller", NULL, OPT_TELLER, "what the daemon starts to run hooks and send mail" },
	{ "version", NULL, OPT_VERSION, "print the version" },
	{ "help", NULL, OPT_HELP, "print this" },
};

static void print_help(FILE *to)
{
	fputs("lazaretd - outbound spam and bot quarantine on a gateway\n"
	      "usage: lazaretd [OPTION...]\n\n",
	      to);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(table); i++)
		fprintf(to, "  --%-12s%-16s%s\n", table[i].name, table[i].value ? table[i].value : "",
			table[i].help);
	fputs("  -j                            JSON, for --preflight, --backtest and --bypass\n\n"
	      "Stopping the daemon, in whatever way, changes nothing for packets.\n"
	      "exit: 0 ok, 1 usage or invalid input, 2 refused, 4 no such instance, 5 no permission\n",
	      to);
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "lazaretd: %s: %s; try --help\n", value, what);
	return LZ_CODE_INVALID;
}

static int set_path(char *dst, size_t size, const char *value)
{
	return lz_strcpy(dst, size, value) < 0 ? usage("is too long", value) : 0;
}

/* -1: help or version was printed; >= 1: exit code; 0: go on. */
static int take_option(struct lz_options *o, int id)
{
	struct lz_err err;

	switch (id) {
	case OPT_INSTANCE:
		if (lz_instance_check_name(optarg, &err) < 0 ||
		    lz_strcpy(o->instance, sizeof(o->instance), optarg) < 0) {
			fprintf(stderr, "lazaretd: %s\n", err.text);
			return LZ_CODE_INVALID;
		}
		return 0;
	case OPT_POLICY:
		return set_path(o->policy, sizeof(o->policy), optarg);
	case OPT_STATE:
		return set_path(o->state, sizeof(o->state), optarg);
	case OPT_RUN:
		return set_path(o->run, sizeof(o->run), optarg);
	case OPT_USER:
		return set_path(o->user, sizeof(o->user), optarg);
	case OPT_FOREGROUND:
		return 0;
	case OPT_PREFLIGHT:
		o->preflight = true;
		return 0;
	case OPT_BYPASS:
		o->bypass = optarg;
		return 0;
	case OPT_BACKTEST:
		o->backtest = true;
		return 0;
	case OPT_DETACH:
		o->detach = true;
		return 0;
	case OPT_TELLER:
		o->teller = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case OPT_VERSION:
		puts("lazaretd " LZ_VERSION);
		return -1;
	case OPT_HELP:
		print_help(stdout);
		return -1;
	default:
		fputs("try lazaretd --help\n", stderr);
		return LZ_CODE_INVALID;
	}
}

static void set_defaults(struct lz_options *o)
{
	const char *dash = o->instance[0] ? "-" : "";

	if (!o->state[0])
		snprintf(o->state, sizeof(o->state), "/var/lib/lazaret%s%s", dash, o->instance);
	if (!o->run[0])
		snprintf(o->run, sizeof(o->run), LZ_PROTO_RUN_DIR "%s%s", dash, o->instance);
	if (!o->user[0])
		strcpy(o->user, "lazaret");
}

static int take_operands(struct lz_options *o, int argc, char **argv)
{
	if (o->bypass && optind < argc)
		o->bypass_for = argv[optind++];
	else if (o->backtest && optind < argc)
		o->capture = argv[optind++];
	if (optind < argc)
		return usage("is one word too many", argv[optind]);
	if (o->backtest && (!o->capture || !o->policy[0]))
		return usage("needs --policy FILE and a capture", "--backtest");
	if (!!o->bypass + o->preflight + o->backtest + o->detach > 1)
		return usage("only one of them at a time", "--preflight --bypass --backtest --detach");
	return 0;
}

/* Of what has printed something: the exit code. */
static int end(int code, bool changes)
{
	if (lz_out_end("lazaretd", changes && code == LZ_CODE_OK))
		return code;
	return code ? code : LZ_CODE_REFUSED;
}

int main(int argc, char **argv)
{
	struct option longs[LZ_ARRAY_SIZE(table) + 1] = { 0 };
	struct lz_options o = { 0 };
	int id, r;

	lz_out_begin();
	for (size_t i = 0; i < LZ_ARRAY_SIZE(table); i++)
		longs[i] = (struct option){ .name = table[i].name,
					    .has_arg = table[i].value ? required_argument :
									no_argument,
					    .val = table[i].id };
	while ((id = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		r = take_option(&o, id);
		if (r)
			return r < 0 ? end(LZ_CODE_OK, false) : r;
	}
	r = take_operands(&o, argc, argv);
	if (r)
		return r;
	set_defaults(&o);
	if (o.bypass)
		return end(lz_bypass_main(&o), !lz_streq(o.bypass, "status"));
	if (o.preflight)
		return end(lz_preflight_main(&o), false);
	if (o.backtest)
		return end(lz_backtest_main(o.policy, o.capture, o.json), false);
	if (o.detach)
		return lz_detach_main(&o);
	if (o.teller)
		return lz_teller_main(&o);
	return lz_keeper_main(&o, lz_controller_main);
}
