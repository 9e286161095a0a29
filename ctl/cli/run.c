/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"

/* The options that print something about lazaretctl itself and nothing else. */
static bool print_about(const char *word)
{
	if (lz_streq(word, "--version"))
		puts("lazaretctl " LZ_VERSION);
	else if (lz_streq(word, "--man"))
		lz_cli_print_man();
	else if (lz_streq(word, "--completion"))
		lz_cli_print_completion();
	else
		return false;
	return true;
}

static void look_at_terminal(struct lz_cli *cli)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	cli->utf8 = lz_streq(nl_langinfo(CODESET), "UTF-8");
	cli->terminal = isatty(STDOUT_FILENO);
	cli->colour = cli->terminal && !(no_color && *no_color) && term && !lz_streq(term, "dumb");
}

int lz_cli_run(int argc, char **argv, const char *daemon)
{
	struct lz_cli cli = { .instance = "", .daemon = daemon };
	int code;

	if (argc == 2 && print_about(argv[1]))
		return LZ_CODE_OK;
	look_at_terminal(&cli);
	code = lz_cli_words(&cli, argc, argv);
	if (!code && !cli.help)
		code = cli.command->run ? cli.command->run(&cli) : lz_cli_call(&cli);
	if (fflush(stdout) || ferror(stdout)) {
		/* data that did not arrive must not look like success: disk full, reader gone */
		fprintf(stderr, "lazaretctl: stdout: cannot write\n");
		return code ? code : LZ_CODE_REFUSED;
	}
	return code;
}
