/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cmd_daemon.c - what must work when no daemon answers: the kill switch, preflight, backtest. For
 * these lazaretd is run as a program: it has the privileges and the libraries, lazaretctl has not.
 */
#define _GNU_SOURCE 1 /* environ */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/view.h"

#define WORDS_MAX 12

/* Run `lazaretd WORDS.. [--instance NAME] [-j]` and hand on its exit code. */
static int run_lazaretd(struct lz_cli *cli, const char *const *words)
{
	const char *argv[WORDS_MAX + 5] = { cli->daemon };
	char *copy[WORDS_MAX + 5] = { NULL };
	size_t n = 1;
	int r, status;
	pid_t pid;

	while (*words && n < WORDS_MAX)
		argv[n++] = *words++;
	if (cli->instance[0]) {
		argv[n++] = "--instance";
		argv[n++] = cli->instance;
	}
	if (cli->json)
		argv[n++] = "-j";
	memcpy(copy, argv, sizeof(argv)); /* posix_spawn promises not to write to them */
	fflush(stdout);
	r = posix_spawnp(&pid, cli->daemon, NULL, NULL, copy, environ);
	if (r)
		return lz_cli_fail(cli, r == EACCES ? LZ_CODE_NOT_PERMITTED : LZ_CODE_REFUSED,
				   "cannot run %s: %s", cli->daemon, strerror(r));
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return LZ_CODE_REFUSED;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : LZ_CODE_REFUSED;
}

int lz_cli_preflight(struct lz_cli *cli)
{
	static const char *const words[] = { "--preflight", NULL };

	return run_lazaretd(cli, words);
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
	fprintf(stderr, "lazaretctl: lazaretd does not answer; this is what preflight finds:\n");
	lz_cli_preflight(cli);
	return LZ_CODE_NOT_RUNNING;
}

int lz_cli_backtest(struct lz_cli *cli)
{
	const char *words[] = { "--backtest", "--policy", lz_cli_value(cli, "--policy"),
				lz_cli_value(cli, "CAPTURE"), NULL };

	return run_lazaretd(cli, words);
}

/* The daemon first, so that it knows; without it the switch in the kernel is thrown directly. */
int lz_cli_bypass(struct lz_cli *cli)
{
	struct lz_cli_call call = {
		.cmd = cli->command->ask,
		.view = &lz_view_bypass_state,
		.may_be_absent = true,
		.silence_ms = LZ_PROTO_GREETING_MS, /* a hung daemon must not keep the switch */
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
	lz_cli_note(cli, "lazaretd does not answer: using the switch in the kernel directly");
	snprintf(seconds, sizeof(seconds), "%llu", for_s);
	if (for_s)
		words[2] = seconds;
	return run_lazaretd(cli, words);
}

static void show_bypass(struct lz_cli *cli, const cJSON *reply)
{
	lz_view_bypass(cli, reply);
	if (!lz_text_is(reply, "bypass.on"))
		puts("bypass is off: the policy is in force");
}

const struct lz_cli_view lz_view_bypass_state = { .end = show_bypass };
