/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* gen.c - help, man page and bash completion, printed from the tables: they cannot drift apart. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/doc.h"

#define HELP_INDENT 6

static const char *const code_texts[LZ_CODE_N] = {
	[LZ_CODE_OK] = "done",
	[LZ_CODE_INVALID] = "usage or invalid input",
	[LZ_CODE_REFUSED] = "refused by the kernel or the daemon; health: not healthy; stdout: not written",
	[LZ_CODE_NOT_RUNNING] = "the daemon is not running, does not answer, or answers as many as it can",
	[LZ_CODE_NO_OBJECT] = "no such object",
	[LZ_CODE_NOT_PERMITTED] = "not permitted",
	[LZ_CODE_PARTLY] = "partly done: the messages name what was not done",
	[LZ_CODE_GUARDED] = "stopped by a guard",
};

/* ---------------------------------------------------------------- help */

static void print_option_words(const struct lz_cli_option *o)
{
	printf("  %s%s%s%s%s\n", o->word, o->longer ? ", " : "", o->longer ? o->longer : "",
	       o->value ? " " : "", o->value ? o->value : "");
}

/* "[for TIME]" */
static int format_item(const struct lz_cli_item *item, char *buf, size_t size)
{
	return snprintf(buf, size, "%s%s%s%s%s", item->optional ? "[" : "", item->word,
			item->word[0] && item->value[0] ? " " : "", item->value,
			item->optional ? "]" : "");
}

/* Words and pattern, broken before the line gets longer than a terminal. */
static void print_usage(const struct lz_cli_command *command)
{
	const char *pattern = command->pattern;
	int column = printf("  %s", command->words);
	struct lz_cli_item item;
	char text[64];

	while (lz_cli_item(&pattern, &item)) {
		if (column + 1 + format_item(&item, text, sizeof(text)) > 79)
			column = printf("\n%*s", HELP_INDENT + 3, "") - 1;
		column += printf(" %s", text);
	}
	putchar('\n');
}

/* Does the command begin with these whole words? */
static bool begins_with(const char *command, const char *words)
{
	size_t len = strlen(words);

	return !strncmp(command, words, len) && (!len || !command[len] || command[len] == ' ');
}

void lz_cli_print_help(const char *words)
{
	puts("usage: lazaretctl [OPTIONS] OBJECT COMMAND ...");
	puts("without a command: status\n");
	for (size_t i = 0; i < lz_cli_commands_n; i++) {
		const struct lz_cli_command *c = &lz_cli_commands[i];

		if (!begins_with(c->words, words))
			continue;
		print_usage(c);
		printf("%*s%s\n", HELP_INDENT, "", c->help);
	}
	puts("\noptions");
	for (size_t i = 0; i < lz_cli_options_n; i++) {
		print_option_words(&lz_cli_options[i]);
		printf("%*s%s\n", HELP_INDENT, "", lz_cli_options[i].help);
	}
	puts("\nTIME is a duration (90s, 10m, 1h30m, 7d), m being minutes; DATE is 2027-03-01 or\n"
	     "2027-03-01T12:00:00Z.");
}

static void add_option(cJSON *list, const struct lz_cli_option *o)
{
	cJSON *one = cJSON_CreateObject();

	lz_json_add_str(one, "word", o->word);
	if (o->longer)
		lz_json_add_str(one, "longer", o->longer);
	if (o->value)
		lz_json_add_str(one, "value", o->value);
	lz_json_add_str(one, "help", o->help);
	cJSON_AddItemToArray(list, one);
}

void lz_cli_help_document(struct lz_cli *cli, const char *words)
{
	lz_autojson cJSON *end = cJSON_CreateObject();
	cJSON *commands = cJSON_AddArrayToObject(end, "commands"), *options;

	cli->command = NULL; /* the document is of help, not of what is explained */
	for (size_t i = 0; i < lz_cli_commands_n; i++) {
		const struct lz_cli_command *c = &lz_cli_commands[i];
		cJSON *one;

		if (!begins_with(c->words, words))
			continue;
		one = cJSON_CreateObject();
		lz_json_add_str(one, "words", c->words);
		lz_json_add_str(one, "pattern", c->pattern);
		lz_json_add_str(one, "help", c->help);
		cJSON_AddItemToArray(commands, one);
	}
	options = cJSON_AddArrayToObject(end, "options");
	for (size_t i = 0; i < lz_cli_options_n; i++)
		add_option(options, &lz_cli_options[i]);
	lz_json_add_u64(end, "code", LZ_CODE_OK);
	lz_doc_end(cli, NULL, end);
}

/* ---------------------------------------------------------------- man page */

/* Text for troff: '-' is a minus there unless escaped, a leading '.' would be a request. */
static void print_troff(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

/* The pattern with what is to be typed in bold and what is to be replaced in italics. */
static void print_troff_pattern(const char *pattern)
{
	struct lz_cli_item item;

	while (lz_cli_item(&pattern, &item)) {
		bool literal = !strpbrk(item.value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

		fputs(item.optional ? " [" : " ", stdout);
		if (item.word[0]) {
			fputs("\\fB", stdout);
			print_troff(item.word);
			fputs("\\fR", stdout);
		}
		if (item.value[0]) {
			fputs(item.word[0] ? " " : "", stdout);
			fputs(literal ? "\\fB" : "\\fI", stdout);
			print_troff(item.value);
			fputs("\\fR", stdout);
		}
		fputs(item.optional ? "]" : "", stdout);
	}
	putchar('\n');
}

static void print_man_commands(void)
{
	puts(".SH COMMANDS");
	for (size_t i = 0; i < lz_cli_commands_n; i++) {
		printf(".TP\n\\fB");
		print_troff(lz_cli_commands[i].words);
		printf("\\fR");
		print_troff_pattern(lz_cli_commands[i].pattern);
		print_troff(lz_cli_commands[i].help);
		putchar('\n');
	}
}

static void print_man_options(void)
{
	puts(".SH OPTIONS");
	for (size_t i = 0; i < lz_cli_options_n; i++) {
		const struct lz_cli_option *o = &lz_cli_options[i];

		printf(".TP\n\\fB");
		print_troff(o->word);
		printf("\\fR");
		if (o->longer) {
			printf(", \\fB");
			print_troff(o->longer);
			printf("\\fR");
		}
		if (o->value)
			printf(" \\fI%s\\fR", o->value);
		putchar('\n');
		print_troff(o->help);
		putchar('\n');
	}
}

static const char man_head[] =
	".\\\" printed by lazaretctl --man from its table of commands\n"
	".TH LAZARETCTL 8 \"\" \"Lazaret " LZ_VERSION "\" \"System Administration\"\n"
	".SH NAME\n"
	"lazaretctl \\- look at and steer the Lazaret gateway\n"
	".SH SYNOPSIS\n"
	"\\fBlazaretctl\\fR [\\fIOPTIONS\\fR] [\\fIOBJECT\\fR [\\fICOMMAND\\fR ...]]\n"
	".SH DESCRIPTION\n"
	"Without a command it prints the status.\n"
	"Data goes to standard output, messages to standard error.\n"
	"Words may be shortened as long as only one fits, except with \\fB\\-j\\fR.\n"
	".PP\n"
	"\\fITIME\\fR is a duration such as 90s, 10m, 1h30m or 7d, as output has it, too:\n"
	"units are d, h, m or min, s and ms, the larger ones first,\n"
	"and m is always minutes;\n"
	"after \\fB\\-\\-since\\fR it means so long ago, and a \\fIDATE\\fR may stand there, too.\n"
	"A \\fIDATE\\fR is 2027\\-03\\-01 or 2027\\-03\\-01T12:00:00Z.\n"
	"IPv4 sources are held by address, IPv6 sources by prefix:\n"
	"commands that hold or free print what they really touched.\n"
	"An \\fIADDRESS\\fR may be that prefix of one IPv6 source, too.\n"
	".PP\n"
	"A daemon that was killed, or makes its tables anew, is waited for, 5 seconds;\n"
	"by \\fBbypass\\fR it is not.\n"
	"Without a daemon \\fBbypass\\fR finds the switch in the kernel by \\fB\\-\\-instance\\fR:\n"
	"\\fB\\-\\-run\\fR alone does not say whose it is, and nothing is done.\n";

static const char man_output[] =
	".SH OUTPUT\n"
	"With \\fB\\-j\\fR the answer is one JSON document\n"
	"{\"schema\":\"lazaret/OBJECT\",\"version\":1,\"command\":\"COMMAND\", ...}\n"
	"with the exit code in \"code\" and, if that is not 0, the message in \"error\";\n"
	"so are help, what is said of a wrong command line, and what\n"
	"\\fBpreflight\\fR, \\fBbacktest\\fR and a \\fBbypass\\fR without a daemon find.\n"
	"Times are RFC 3339 UTC, units stand in the keys.\n"
	"\\fBmonitor\\fR, and \\fBtop\\fR with \\fBcount\\fR, print one document a line.\n"
	"Text is coloured only on a terminal and only if NO_COLOR is not set.\n"
	".SH LISTS\n"
	"\\fBquarantine import\\fR reads one entry a line, fields separated by blanks,\n"
	"\\- for what is not given:\n"
	".PP\n"
	".nf\n"
	"\\fIADDRESS\\fR [\\fIDATE\\fR|\\fITIME\\fR [\\fIGRADE\\fR "
	"[\\fITICKET\\fR [\\fIREASON\\fR ...]]]]\n"
	".fi\n"
	".PP\n"
	"\\fIGRADE\\fR is \\fBleaky\\fR, \\fBstrict\\fR, \\fBgarden:\\fR\\fINAME\\fR, \\fBblock25\\fR or\n"
	"\\fBthrottle:\\fR\\fIRATE\\fR, such as throttle:10/min;\n"
	"with \\fB,staff\\-only\\fR behind it, or where that stands alone, the host may not let himself out;\n"
	"without a date or a time an entry ends after 72h;\n"
	"a rate above what can be done is taken for the greatest one that can,\n"
	"and a reason that is too long is cut: how many lines that was is said.\n"
	".PP\n"
	"\\fBexception import\\fR reads\n"
	".PP\n"
	".nf\n"
	"\\fIADDRESS\\fR|\\fIPREFIX\\fR \\fBport25\\fR|\\fBall\\fR \\fIDATE\\fR \\fITICKET\\fR\n"
	".fi\n"
	".PP\n"
	"where the ticket is one word and must be given.\n"
	"Of lines for the same prefix the last one counts; one whose time is over already is refused.\n"
	"The others are in force together, or none of them where that cannot be:\n"
	"there is room for 65536 exceptions.\n"
	".PP\n"
	"A word that begins with # is a comment, and so is what follows it in the line.\n"
	"RT#7 is a word, and from the fourth word of a line on so is\n"
	"what begins with # and has a digit, such as the ticket #12 or #INC\\-7;\n"
	"\\e# at the beginning of a word is a # that belongs to it.\n"
	"Of the ticket and the reason a backslash is left out\n"
	"where one stands before a lone \\-, which is then given,\n"
	"and where the reason begins or ends with a word of nothing but backslashes:\n"
	"it keeps blanks beside it.\n"
	"\\fBquarantine export\\fR writes them so, and what it writes is read as it was.\n"
	".PP\n"
	"A bad line is named, and nothing is done.\n"
	"If you press ^C before a list is durable, nothing is done either; the exit status is then 130,\n"
	"as of every change that is interrupted, done or not.\n"
	"Of lines of \\fBquarantine import\\fR\n"
	"for the same address, the same IPv6 prefix or the same customer the later end,\n"
	"the harder grade, the last ticket and the last reason that are given count;\n"
	"a customer's other addresses are held, too, and are entries.\n"
	"More than 1000 hosts want \\fB\\-\\-yes\\fR, where a customer with all his addresses is one.\n"
	"A line whose time is over already holds nobody;\n"
	"what may not be held, this gateway's own addresses among it, is named and left out.\n"
	".SH EXIT STATUS\n";

/* Is it a question, and who may ask it? A command that only changes something with "reset" is one without. */
static bool is_question(const struct lz_cli_command *command, enum lz_peer_role from, enum lz_peer_role to)
{
	const struct lz_proto_command *proto = command->ask ? lz_cli_proto(command->ask) : NULL;

	return proto && proto->role >= from && proto->role <= to &&
	       (!(proto->flags & LZ_CMD_F_MUTATES) || from == LZ_PEER_ADMIN || strstr(command->pattern, "[reset]"));
}

/* The questions of a few roles, in bold; of administrators all that is theirs. */
static void print_man_questions(enum lz_peer_role from, enum lz_peer_role to)
{
	const char *before = "";

	for (size_t i = 0; i < lz_cli_commands_n; i++) {
		const struct lz_cli_command *c = &lz_cli_commands[i];

		if (!is_question(c, from, to))
			continue;
		printf("%s\\fB%s\\fR", before, c->words);
		before = ",\n";
	}
	putchar('\n');
}

static void print_man_files(void)
{
	puts(".SH FILES\n"
	     ".TP\n" LZ_PROTO_RUN_DIR "/" LZ_PROTO_CONTROL_SOCK "\n"
	     "socket for members of the group " LZ_PROTO_GROUP_OPERATE ":\n"
	     "for commands that change something, for the questions");
	print_man_questions(LZ_PEER_DETECT, LZ_PEER_OPERATE);
	puts("and, if they are members of " LZ_PROTO_GROUP_ADMIN ", too, for");
	print_man_questions(LZ_PEER_ADMIN, LZ_PEER_ADMIN);
	puts(".TP\n" LZ_PROTO_RUN_DIR "/" LZ_PROTO_READ_SOCK "\n"
	     "socket for all other questions; everybody may ask for");
	print_man_questions(LZ_PEER_LOOK, LZ_PEER_LOOK);
	puts("and only members of the group " LZ_PROTO_GROUP_READ " for the rest, which names customers\n"
	     ".SH SEE ALSO\n"
	     "\\fBlazaret\\-policy\\fR(5), \\fBlazaretd\\fR(8), \\fBlazaret\\-portal\\fR(8)");
}

void lz_cli_print_man(void)
{
	fputs(man_head, stdout);
	print_man_commands();
	print_man_options();
	fputs(man_output, stdout);
	for (int code = 0; code < LZ_CODE_N; code++) {
		printf(".TP\n%d\n", code);
		print_troff(code_texts[code]);
		putchar('\n');
	}
	print_man_files();
}

/* ---------------------------------------------------------------- completion */

/* What may follow a command, for compgen -W: words and literal values, not placeholders. */
static void print_item_words(const char *pattern)
{
	struct lz_cli_item item;

	while (lz_cli_item(&pattern, &item)) {
		if (item.word[0])
			printf(" %s", item.word);
		if (!item.value[0] || strpbrk(item.value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
			continue;
		putchar(' ');
		for (const char *p = item.value; *p; p++)
			putchar(*p == '|' ? ' ' : *p);
	}
}

static bool takes_file(const char *pattern)
{
	return strstr(pattern, "FILE") || strstr(pattern, "CAPTURE");
}

/* The first words of all commands, or the second words after @object. */
static void print_next_words(const char *object)
{
	size_t skip = *object ? strlen(object) + 1 : 0;
	const char *last = "";

	for (size_t i = 0; i < lz_cli_commands_n; i++) {
		const char *words = lz_cli_commands[i].words;
		size_t len;

		if (strlen(words) <= skip || !begins_with(words, object))
			continue;
		len = strcspn(words + skip, " ");
		if (strncmp(last, words + skip, len) || (last[len] && last[len] != ' '))
			printf(" %.*s", (int)len, words + skip);
		last = words + skip;
	}
}

void lz_cli_print_completion(void)
{
	const char *last = "";

	puts("# bash completion for lazaretctl, printed by lazaretctl --completion\n"
	     "_lazaretctl()\n"
	     "{\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words='' next='' files='' i\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase ${COMP_WORDS[i]} in\n"
	     "\t\t--instance | --run) ((i++)) ;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) words+=\"${words:+ }${COMP_WORDS[i]}\" ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcase $words in");
	for (size_t i = 0; i < lz_cli_commands_n; i++) {
		const struct lz_cli_command *c = &lz_cli_commands[i];

		printf("\t'%s' | '%s '*) next='", c->words, c->words);
		print_item_words(c->pattern);
		printf("'%s ;;\n", takes_file(c->pattern) ? " files=1" : "");
	}
	for (size_t i = 0; i < lz_cli_commands_n; i++) {
		const char *words = lz_cli_commands[i].words, *space = strchr(words, ' ');
		char object[32];

		if (!space || begins_with(last, words))
			continue;
		snprintf(object, sizeof(object), "%.*s", (int)(space - words), words);
		if (begins_with(last, object))
			continue;
		last = words;
		printf("\t'%s') next='", object);
		print_next_words(object);
		puts("' ;;");
	}
	printf("\t'') next='");
	print_next_words("");
	for (size_t i = 0; i < lz_cli_options_n; i++)
		printf(" %s", lz_cli_options[i].word);
	puts("' ;;\n"
	     "\tesac\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$next\" -- \"$cur\")\n"
	     "\tif [[ $files ]]; then\n"
	     "\t\tmapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$cur\")\n"
	     "\tfi\n"
	     "}\n"
	     "complete -o filenames -F _lazaretctl lazaretctl");
}
