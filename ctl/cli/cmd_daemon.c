/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cmd_daemon.c - what must work when no daemon answers: the kill switch, preflight, backtest. For
 * these lazaretd is run as a program (program.c): it has the privileges and the libraries, lazaretctl has not.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/view.h"

#define SWITCH_MS 500 /* a daemon that hangs, or is beset, must not keep the switch (mission.md D6: a second) */

static const char *const preflight[] = { "--preflight", NULL };

int lz_cli_preflight(struct lz_cli *cli)
{
	const char *file = lz_cli_value(cli, "--policy");
	const char *words[] = { "--preflight", file ? "--policy" : NULL, file, NULL };

	return lz_cli_program(cli, words, NULL);
}

/* The daemon compares what it wants with what is; if it is not there, the machine may say why. */
int lz_cli_doctor(struct lz_cli *cli)
{
	struct lz_cli_call call = {
		.cmd = "doctor",
		.args = cJSON_CreateObject(),
		.view = &lz_view_doctor,
		.may_be_absent = true,
	};
	int code = lz_cli_ask(cli, &call);

	if (code != LZ_CODE_NOT_RUNNING)
		return code;
	if (cli->doc.begun)
		return lz_cli_fail(cli, code, "lazaretd broke off its answer; once more, or lazaretctl preflight");
	fprintf(stderr, "lazaretctl: lazaretd does not answer; this is what preflight finds:\n");
	return lz_cli_program(cli, preflight, "lazaretd does not answer: this is what preflight found");
}

int lz_cli_backtest(struct lz_cli *cli)
{
	const char *words[] = { "--backtest", "--policy", lz_cli_value(cli, "--policy"),
				lz_cli_value(cli, "CAPTURE"), NULL };

	return lz_cli_program(cli, words, NULL);
}

/* The daemon first, so that it knows; without it the switch in the kernel is thrown directly. */
int lz_cli_bypass(struct lz_cli *cli)
{
	struct lz_cli_call call = {
		.cmd = cli->command->ask,
		.view = &lz_view_bypass_state,
		.may_be_absent = true,
		.silence_ms = SWITCH_MS,
	};
	const char *words[] = { "--bypass", cli->command->words + sizeof("bypass"), NULL, NULL };
	char seconds[24];
	__u64 for_s = 0;
	int code;

	call.args = lz_cli_args(cli);
	if (!call.args)
		return LZ_CODE_INVALID;
	lz_json_opt_u64(call.args, "for_s", 1, LZ_JSON_INTEGER_MAX, &for_s, NULL);
	code = lz_cli_ask(cli, &call);
	if (code != LZ_CODE_NOT_RUNNING)
		return code;
	if (cli->run_dir && !cli->instance[0]) /* whose sockets these are, no file says; a guess is another's switch */
		return lz_cli_fail(cli, LZ_CODE_INVALID,
				   "bypass: lazaretd does not answer in %s, and the switch in the kernel is found by name: "
				   "nothing was done; repeat the command with --instance NAME, or without --run if it has none",
				   cli->run_dir);
	lz_cli_note(cli, "lazaretd does not answer: using the switch in the kernel directly");
	snprintf(seconds, sizeof(seconds), "%llu", for_s);
	if (for_s)
		words[2] = seconds;
	return lz_cli_program(cli, words, NULL);
}

static void show_bypass(struct lz_cli *cli, const cJSON *reply)
{
	lz_view_bypass(cli, reply);
	if (!lz_text_is(reply, "bypass.on"))
		puts("bypass is off: the policy is in force");
}

const struct lz_cli_view lz_view_bypass_state = { .end = show_bypass };
