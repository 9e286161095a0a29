/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cli.h - lazaretctl from the inside.
 *
 *   argv --words.c--> row of the command table + values --call.c--> request --client.c--> lazaretd
 *                                                                                             |
 *   stdout <--doc.c (-j) or view.c (text)-------- rows, text, final reply <-------------------+
 *
 *   table.c    every command: its words, its help, what it asks, how the answer looks
 *   words.c    matches argv against the table, says what could follow
 *   call.c     turns values into arguments, one request, its answer to the right output
 *   client.c   the socket
 *   program.c  lazaretd run as a program, for what must work when no daemon answers
 *   doc.c      one JSON document;  view.c, text.c  text for humans
 *   gen.c      help, man page and completion, printed from the table
 *   cmd_*.c    what is particular to one object
 *
 * Data goes to stdout, messages to stderr. The exit code is an enum lz_code.
 */
#ifndef LZ_CLI_CLI_H
#define LZ_CLI_CLI_H

#include <linux/types.h>
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "lazaret/proto.h"

#define LZ_CLI_VALUES_MAX 10 /* of one command line */

struct lz_cli;
struct lz_cli_view;
struct lz_report;

/* One row of the command table. */
struct lz_cli_command {
	const char *words; /* "quarantine add" */
	/* "ADDRESS [for TIME] [garden leaky|strict] [--yes]": capitals stand for a value, a word
	 * before a value is written as it is, what stands in [] may be left out and come in any
	 * order */
	const char *pattern;
	int (*run)(struct lz_cli *cli); /* NULL: lz_cli_call() with what stands in the row */
	const char *ask; /* command of proto.h */
	const struct lz_cli_view *view;
	const char *help; /* one line */
};

extern const struct lz_cli_command lz_cli_commands[];
extern const size_t lz_cli_commands_n;

struct lz_cli_value {
	char name[24]; /* "ADDRESS", "for", "port25|all", "--yes": the word, or else the capitals */
	const char *text; /* "" for a word without a value */
};

struct lz_cli_doc { /* see doc.c */
	bool begun, list_open, first_row;
	bool in_text, escaped, just_opened;
	unsigned char held_back;
	unsigned int depth;
};

struct lz_cli {
	const struct lz_cli_command *command; /* NULL until the words are known */
	struct lz_cli_value values[LZ_CLI_VALUES_MAX];
	size_t values_n;
	bool json, pretty, quiet, help;
	bool colour, utf8, terminal; /* of stdout */
	const char *instance; /* "" = the default one */
	const char *run_dir; /* NULL = by the instance */
	const char *daemon; /* path or name of lazaretd */
	const struct lz_report *said; /* what is printed already of the policy that is sent; NULL: nothing */
	__u64 now_wall_ns; /* relative times of one answer agree */
	struct lz_cli_doc doc;
};

/**
 * lz_cli_run() - a whole lazaretctl
 * @daemon: lazaretd to start for bypass, preflight and backtest
 *
 * Return: the exit code. Writes to stdout and stderr.
 */
int lz_cli_run(int argc, char **argv, const char *daemon);

/* words.c */

/** lz_cli_words() - read the command line; LZ_CODE_INVALID when a message was printed */
int lz_cli_words(struct lz_cli *cli, int argc, char **argv);

/** lz_cli_value() - what was given for a name of the pattern, or NULL */
const char *lz_cli_value(const struct lz_cli *cli, const char *name);

/* A piece of a pattern. */
struct lz_cli_item {
	char word[16]; /* "for", "--yes", "" for a bare value */
	char value[24]; /* "TIME", "leaky|strict", "" for a bare word */
	bool optional;
};

/** lz_cli_item() - read one piece and move on; false at the end */
bool lz_cli_item(const char **pattern, struct lz_cli_item *ret);

/** lz_cli_item_name() - the name its value is found under */
const char *lz_cli_item_name(const struct lz_cli_item *item);

/* The options that every command takes; also printed by gen.c. */
struct lz_cli_option {
	const char *word, *longer, *value, *help; /* longer, value may be NULL */
};

extern const struct lz_cli_option lz_cli_options[];
extern const size_t lz_cli_options_n;

/* call.c */

struct lz_cli_call {
	const char *cmd; /* of proto.h */
	cJSON *args; /* deleted by lz_cli_ask() */
	const char *payload;
	size_t payload_bytes;
	const struct lz_cli_view *view;
	/* the daemon is not needed: say nothing when it does not answer, just return the code */
	bool may_be_absent;
	int silence_ms; /* until the daemon is given up; 0: as long as any */
};

/** lz_cli_args() - the values of the command line as arguments; NULL when a message was printed */
cJSON *lz_cli_args(struct lz_cli *cli);

/** lz_cli_ask() - one request, its answer to stdout and stderr; returns the exit code */
int lz_cli_ask(struct lz_cli *cli, const struct lz_cli_call *call);

/** lz_cli_call() - ask what stands in the row of the table */
int lz_cli_call(struct lz_cli *cli);

/** lz_cli_socket() - path of control.sock or read.sock */
void lz_cli_socket(const struct lz_cli *cli, const char *name, char *path, size_t size);

/** lz_cli_proto() - what proto.h says of a command; NULL: nothing */
const struct lz_proto_command *lz_cli_proto(const char *name);

/** lz_cli_changes() - does this command change the gateway or the ledger, if it is done? */
bool lz_cli_changes(const struct lz_cli *cli);

/**
 * lz_cli_add_file() - the name of the file that is sent, for the record
 * Return: LZ_CODE_OK, also for one that is too long to be recorded; LZ_CODE_INVALID when a message was printed.
 */
int lz_cli_add_file(struct lz_cli *cli, cJSON *args, const char *path);

/* Messages. */

/** lz_cli_fail() - print why, in the document too; @code for `return lz_cli_fail(..)` */
int lz_cli_fail(struct lz_cli *cli, enum lz_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** lz_cli_note() - a message that -q silences */
void lz_cli_note(const struct lz_cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* program.c */

/**
 * lz_cli_program() - `lazaretd WORDS.. [--instance NAME] [-j]`, its output to stdout and stderr
 * @words: ends with NULL
 * @absent: NULL, or why it is run in place of the daemon: then the code is LZ_CODE_NOT_RUNNING
 *
 * Return: the exit code.
 */
int lz_cli_program(struct lz_cli *cli, const char *const *words, const char *absent);

/** lz_cli_next() - a line with the command that may come next, as it is to be typed */
void lz_cli_next(const struct lz_cli *cli, const char *words);
/** lz_cli_next_confirm() - with its number: whoever says it late confirms nobody else's policy */
void lz_cli_next_confirm(const struct lz_cli *cli, const char *generation);

/* Commands that are more than one request. */
int lz_cli_top(struct lz_cli *cli);
int lz_cli_preflight(struct lz_cli *cli);
int lz_cli_doctor(struct lz_cli *cli);
int lz_cli_backtest(struct lz_cli *cli);
int lz_cli_bypass(struct lz_cli *cli);
int lz_cli_policy_check(struct lz_cli *cli);
int lz_cli_policy_send(struct lz_cli *cli); /* diff, apply */
int lz_cli_import(struct lz_cli *cli); /* quarantine, exception */
int lz_cli_export(struct lz_cli *cli);
int lz_cli_portal_options(struct lz_cli *cli);

/* gen.c: everything is printed from the tables above. */
void lz_cli_print_help(const char *words); /* "" for all */
void lz_cli_help_document(struct lz_cli *cli, const char *words);
void lz_cli_print_man(void);
void lz_cli_print_completion(void);

#endif /* LZ_CLI_CLI_H */
