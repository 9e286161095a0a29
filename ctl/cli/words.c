/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* words.c - argv against the command table. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "policy/context.h"

const struct lz_cli_option lz_cli_options[] = {
	{ "-j", "--json", NULL, "print one JSON document" },
	{ "-p", "--pretty", NULL, "the same, indented" },
	{ "-q", "--quiet", NULL, "no confirmations and notes, only data and errors" },
	{ "--instance", NULL, "NAME", "talk to this instance (sockets in /run/lazaret-NAME)" },
	{ "--run", NULL, "DIR", "sockets are in DIR (default /run/lazaret)" },
	{ "-h", "--help", NULL, "print help, also after the first words of a command" },
	{ "--version", NULL, NULL, "print the version" },
	{ "--man", NULL, NULL, "print the man page, lazaretctl(8)" },
	{ "--completion", NULL, NULL, "print the completion script for bash" },
};
const size_t lz_cli_options_n = LZ_ARRAY_SIZE(lz_cli_options);

#define WORD_SIZE  24
#define WORDS_SIZE 64
#define NEXT_MAX   32

struct reader {
	struct lz_cli *cli;
	char **argv;
	int argc, at;
	bool abbreviated;
};

const char *lz_cli_item_name(const struct lz_cli_item *item)
{
	return item->word[0] ? item->word : item->value;
}

static bool is_value(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '|' || (word[i] >= 'A' && word[i] <= 'Z'))
			return true;
	}
	return false;
}

static void take_word(const char **p, char *dst, size_t size)
{
	size_t len = strcspn(*p, " ]");

	snprintf(dst, size, "%.*s", (int)len, *p);
	*p += len;
	*p += strspn(*p, " ");
}

bool lz_cli_item(const char **pattern, struct lz_cli_item *ret)
{
	const char *p = *pattern;

	*ret = (struct lz_cli_item){ .optional = *p == '[' };
	p += ret->optional;
	if (!*p)
		return false;
	if (!is_value(p, strcspn(p, " ]")))
		take_word(&p, ret->word, sizeof(ret->word));
	if (*p && *p != ']' && is_value(p, strcspn(p, " ]")))
		take_word(&p, ret->value, sizeof(ret->value));
	p += *p == ']';
	*pattern = p + strspn(p, " ");
	return true;
}

const char *lz_cli_value(const struct lz_cli *cli, const char *name)
{
	for (size_t i = 0; i < cli->values_n; i++) {
		if (lz_streq(cli->values[i].name, name))
			return cli->values[i].text;
	}
	return NULL;
}

/* ---------------------------------------------------------------- options */

static const struct lz_cli_option *find_option(const char *word)
{
	for (size_t i = 0; i < lz_cli_options_n; i++) {
		const struct lz_cli_option *o = &lz_cli_options[i];

		if (lz_streq(word, o->word) || (o->longer && lz_streq(word, o->longer)))
			return o;
	}
	return NULL;
}

static bool is_name(const char *text)
{
	size_t len =
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return len && !text[len] && len <= 32;
}

static int set_option(struct reader *rd, const struct lz_cli_option *option)
{
	struct lz_cli *cli = rd->cli;
	const char *value = NULL;

	if (option->value) {
		if (rd->at == rd->argc)
			return lz_cli_fail(cli, LZ_CODE_INVALID, "option %s needs %s", option->word,
					   option->value);
		value = rd->argv[rd->at++];
	}
	if (lz_streq(option->word, "--instance")) {
		if (!is_name(value))
			return lz_cli_fail(
				cli, LZ_CODE_INVALID,
				"option --instance: '%s' is no name (want 1..32 of A-Za-z0-9_-)",
				value);
		cli->instance = value;
	} else if (lz_streq(option->word, "--run")) {
		cli->run_dir = value;
	} else if (lz_streq(option->word, "-h")) {
		cli->help = true;
	} else if (lz_streq(option->word, "-q")) {
		cli->quiet = true;
	} else if (lz_streq(option->word, "-j") || lz_streq(option->word, "-p")) {
		cli->json = true;
		cli->pretty |= option->word[1] == 'p';
	} else {
		return lz_cli_fail(cli, LZ_CODE_INVALID, "option %s stands alone", option->word);
	}
	return LZ_CODE_OK;
}

/* ---------------------------------------------------------------- the words of a command */

/*
 * The words that may follow @path ("" or "quarantine "); with @begin only those that begin so, with
 * @whole only that very word. The table keeps the commands of one object together.
 */
static size_t next_words(const char *path, const char *begin, bool whole, char next[][WORD_SIZE])
{
	size_t path_len = strlen(path), begin_len = strlen(begin), n = 0;

	for (size_t i = 0; i < lz_cli_commands_n && n < NEXT_MAX; i++) {
		const char *words = lz_cli_commands[i].words;
		size_t len = strlen(words) < path_len ? 0 : strcspn(words + path_len, " ");

		if (!len || strncmp(words, path, path_len) ||
		    strncmp(words + path_len, begin, begin_len) || (whole && len != begin_len))
			continue;
		snprintf(next[n], WORD_SIZE, "%.*s", (int)len, words + path_len);
		n += !n || !lz_streq(next[n], next[n - 1]);
	}
	return n;
}

/* "status, health, .." */
static const char *join_words(char next[][WORD_SIZE], size_t n, struct lz_str *out)
{
	for (size_t i = 0; i < n; i++)
		lz_str_appendf(out, "%s%s", i ? ", " : "", next[i]);
	return out->error ? "" : out->data;
}

static int bad_word(struct reader *rd, const char *path, const char *word, bool ambiguous)
{
	struct lz_suggestion near = { .word = word };
	lz_autostr struct lz_str list = { 0 };
	char next[NEXT_MAX][WORD_SIZE], hint[64] = "";
	size_t n = next_words(path, ambiguous ? word : "", false, next);

	for (size_t i = 0; i < n && !ambiguous; i++)
		lz_suggestion_offer(&near, next[i]);
	if (near.best)
		lz_suggestion_text(&near, hint);
	return lz_cli_fail(rd->cli, LZ_CODE_INVALID, "'%s%s' is %s%s\n  want: %s", path, word,
			   ambiguous ? "ambiguous" : "unknown", hint, join_words(next, n, &list));
}

static const struct lz_cli_command *find_command(const char *words)
{
	for (size_t i = 0; i < lz_cli_commands_n; i++) {
		if (lz_streq(lz_cli_commands[i].words, words))
			return &lz_cli_commands[i];
	}
	return NULL;
}

/* One more word of the command: exact, or a beginning that only one word has. */
static int take_command_word(struct reader *rd, char words[static WORDS_SIZE])
{
	char path[WORDS_SIZE + 2] = "", next[NEXT_MAX][WORD_SIZE];
	const char *word = rd->argv[rd->at++];
	size_t n;

	if (words[0])
		snprintf(path, sizeof(path), "%s ", words);
	n = next_words(path, word, true, next);
	if (!n) {
		n = next_words(path, word, false, next);
		rd->abbreviated |= n == 1;
	}
	if (n != 1 || !*word)
		return bad_word(rd, path, word, n > 1);
	snprintf(words, WORDS_SIZE, "%.*s%s", WORDS_SIZE - WORD_SIZE, path, next[0]);
	return LZ_CODE_OK;
}

/* Read options and words until a command is found. */
static int take_command(struct reader *rd, char words[static WORDS_SIZE])
{
	lz_autostr struct lz_str list = { 0 };
	char path[WORDS_SIZE + 2], next[NEXT_MAX][WORD_SIZE];
	int code;

	words[0] = '\0';
	while (!rd->cli->command && rd->at < rd->argc) {
		bool is_help = lz_streq(rd->argv[rd->at], "help");
		const struct lz_cli_option *option = find_option(is_help ? "--help" : rd->argv[rd->at]);

		if (option) {
			rd->at++;
			code = set_option(rd, option);
		} else if (rd->argv[rd->at][0] == '-') {
			code = lz_cli_fail(rd->cli, LZ_CODE_INVALID,
					   "option '%s' is unknown; see lazaretctl --help",
					   rd->argv[rd->at]);
		} else {
			code = take_command_word(rd, words);
		}
		if (code)
			return code;
		rd->cli->command = find_command(words);
	}
	if (rd->cli->command || rd->cli->help)
		return LZ_CODE_OK;
	if (!words[0]) {
		rd->cli->command = find_command("status");
		return LZ_CODE_OK;
	}
	snprintf(path, sizeof(path), "%s ", words);
	return lz_cli_fail(rd->cli, LZ_CODE_INVALID, "'%s' is not complete\n  want: %s", words,
			   join_words(next, next_words(path, "", false, next), &list));
}

/* ---------------------------------------------------------------- what follows the words */

/* The item that @word belongs to: first those written as a word, then the next bare value. */
static bool find_item(const struct lz_cli *cli, const char *word, struct lz_cli_item *ret)
{
	const char *p = cli->command->pattern;
	struct lz_cli_item item;

	while (lz_cli_item(&p, &item)) {
		if (item.word[0] && lz_streq(item.word, word)) {
			*ret = item;
			return true;
		}
	}
	if (word[0] == '-' && word[1])
		return false;
	p = cli->command->pattern;
	while (lz_cli_item(&p, &item)) {
		if (!item.word[0] && !lz_cli_value(cli, item.value)) {
			*ret = item;
			return true;
		}
	}
	return false;
}

/* Is @text one of "leaky|strict"? Anything goes for capitals. */
static bool fits_choice(const char *choice, const char *text)
{
	size_t len = strlen(text);

	if (strpbrk(choice, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		return true;
	for (const char *p = choice; p; p = strchr(p, '|')) {
		p += *p == '|';
		if (strcspn(p, "|") == len && !strncmp(p, text, len))
			return true;
	}
	return false;
}

static int bad_item(struct reader *rd, const char *word)
{
	const struct lz_cli_command *command = rd->cli->command;
	struct lz_suggestion near = { .word = word };
	struct lz_cli_item items[LZ_CLI_VALUES_MAX];
	const char *p = command->pattern;
	char hint[64] = "";

	for (size_t n = 0; n < LZ_CLI_VALUES_MAX && lz_cli_item(&p, &items[n]); n++) {
		if (items[n].word[0])
			lz_suggestion_offer(&near, items[n].word);
	}
	if (near.best)
		lz_suggestion_text(&near, hint);
	return lz_cli_fail(rd->cli, LZ_CODE_INVALID,
			   "%s: '%s' is not expected here%s\n  want: %s%s%s", command->words, word,
			   hint, command->words, command->pattern[0] ? " " : "", command->pattern);
}

static int take_item(struct reader *rd)
{
	struct lz_cli *cli = rd->cli;
	const char *word = rd->argv[rd->at++];
	const struct lz_cli_option *option;
	struct lz_cli_item item;
	struct lz_cli_value *value;

	if (!find_item(cli, word, &item)) {
		option = find_option(word);
		return option ? set_option(rd, option) : bad_item(rd, word);
	}
	if (item.word[0] && item.value[0]) {
		if (rd->at == rd->argc)
			return lz_cli_fail(cli, LZ_CODE_INVALID, "%s: '%s' needs %s",
					   cli->command->words, item.word, item.value);
		word = rd->argv[rd->at++];
	} else if (item.word[0]) {
		word = "";
	}
	if (item.value[0] && !fits_choice(item.value, word))
		return lz_cli_fail(cli, LZ_CODE_INVALID, "%s: '%s' is not accepted (want %s)",
				   cli->command->words, word, item.value);
	if (lz_cli_value(cli, lz_cli_item_name(&item)))
		return lz_cli_fail(cli, LZ_CODE_INVALID, "%s: '%s' is given twice",
				   cli->command->words, lz_cli_item_name(&item));
	value = &cli->values[cli->values_n++]; /* a pattern has at most LZ_CLI_VALUES_MAX names */
	snprintf(value->name, sizeof(value->name), "%s", lz_cli_item_name(&item));
	value->text = word;
	return LZ_CODE_OK;
}

static int check_complete(struct reader *rd)
{
	const struct lz_cli_command *command = rd->cli->command;
	const char *p = command->pattern;
	struct lz_cli_item item;

	while (lz_cli_item(&p, &item)) {
		if (!item.optional && !lz_cli_value(rd->cli, lz_cli_item_name(&item)))
			return lz_cli_fail(rd->cli, LZ_CODE_INVALID,
					   "%s: %s is missing\n  want: %s %s", command->words,
					   lz_cli_item_name(&item), command->words,
					   command->pattern);
	}
	return LZ_CODE_OK;
}

int lz_cli_words(struct lz_cli *cli, int argc, char **argv)
{
	struct reader rd = { .cli = cli, .argv = argv, .argc = argc, .at = 1 };
	char words[WORDS_SIZE];
	int code = take_command(&rd, words);

	while (!code && rd.at < argc)
		code = take_item(&rd);
	if (code)
		return code;
	if (cli->help) {
		if (cli->json)
			lz_cli_help_document(cli, words);
		else
			lz_cli_print_help(words);
		return LZ_CODE_OK;
	}
	code = check_complete(&rd);
	if (!code && cli->json && rd.abbreviated) /* a script must not break when a word is added */
		return lz_cli_fail(cli, LZ_CODE_INVALID, "with -j words are written in full: %s",
				   cli->command->words);
	return code;
}
