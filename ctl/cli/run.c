/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/out.h"
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

static int run(struct lz_cli *cli, int argc, char **argv)
{
	int code;

	look_at_terminal(cli);
	code = lz_cli_words(cli, argc, argv);
	if (code || cli->help)
		return code;
	return cli->command->run ? cli->command->run(cli) : lz_cli_call(cli);
}

static bool did_change(const struct lz_cli *cli, int code)
{
	return (code == LZ_CODE_OK || code == LZ_CODE_PARTLY) && cli->command && !cli->help &&
	       lz_cli_changes(cli);
}

int lz_cli_run(int argc, char **argv, const char *daemon)
{
	struct lz_cli cli = { .instance = "", .daemon = daemon };
	bool about;
	int code;

	lz_out_begin();
	about = argc == 2 && print_about(argv[1]);
	code = about ? LZ_CODE_OK : run(&cli, argc, argv);
	if (lz_out_end("lazaretctl", !about && did_change(&cli, code)))
		return code;
	return code ? code : LZ_CODE_REFUSED;
}
