/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* call.c - values become arguments, one request is asked, its answer goes where it belongs. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/out.h"
#include "base/units.h"
#include "base/utf8.h"
#include "cli/client.h"
#include "cli/doc.h"
#include "cli/view.h"

#define PROGRAM "lazaretctl"

int lz_cli_fail(struct lz_cli *cli, enum lz_code code, const char *fmt, ...)
{
	lz_autostr struct lz_str text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	lz_str_vappendf(&text, fmt, ap);
	va_end(ap);
	lz_out_flush();
	fprintf(stderr, PROGRAM ": %s\n", text.error ? "out of memory" : text.data);
	if (!text.error) /* further lines are help for humans */
		text.data[strcspn(text.data, "\n")] = '\0';
	if (cli->json)
		lz_doc_fail(cli, code, text.error ? "out of memory" : text.data);
	return code;
}

void lz_cli_note(const struct lz_cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli->quiet)
		return;
	lz_out_flush();
	fputs(PROGRAM ": ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void lz_cli_next(const struct lz_cli *cli, const char *words)
{
	printf("  " PROGRAM "%s%s %s\n", cli->instance[0] ? " --instance " : "", cli->instance, words);
}

void lz_cli_socket(const struct lz_cli *cli, const char *name, char *path, size_t size)
{
	if (cli->run_dir)
		snprintf(path, size, "%s/%s", cli->run_dir, name);
	else
		snprintf(path, size, LZ_PROTO_RUN_DIR "%s%s/%s", cli->instance[0] ? "-" : "",
			 cli->instance, name);
}

/* ---------------------------------------------------------------- values -> arguments */

/* Said here: the request would not be JSON, and the daemon could only name a column of it. */
static int add_text(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	if (!lz_text_is_utf8(text))
		return lz_err_set(err, EINVAL, "is not UTF-8");
	if (lz_text_has_control(text))
		return lz_err_set(err, EINVAL, "has control characters (want one line of text)");
	return lz_json_add_str(args, arg, text);
}

static int add_address(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	struct lz_prefix source;
	int r = lz_source_parse(text, &source, err);

	return r ? r : lz_json_add_str(args, arg, text);
}

/* No address is a plain number, so a number is a case's. */
static int add_address_or_case(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	__u64 id;

	if (!text[strspn(text, "0123456789")] && *text) {
		int r = lz_u64_parse(text, 1, LZ_JSON_INTEGER_MAX, &id, err);

		return r ? r : lz_json_add_u64(args, "case", id);
	}
	if (!add_address(args, arg, text, NULL))
		return 0;
	return lz_err_set(err, EINVAL, "'%.60s' is neither an address nor the number of a case", text);
}

static int add_prefix(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	struct lz_prefix prefix;
	int r = lz_prefix_parse(text, &prefix, err);

	return r ? r : lz_json_add_str(args, arg, text);
}

/* "72h". A bare number may have been meant in any unit: a host held for 24 s is as good as free. */
static int add_span(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	__u64 ns;
	int r;

	if (*text && !text[strspn(text, "0123456789")])
		return lz_err_set(err, EINVAL, "'%.20s' is not a duration: write %.20ss, %.20sm, %.20sh or %.20sd",
				  text, text, text, text, text);
	r = lz_duration_parse(text, &ns, err);
	if (!r && (!ns || ns % LZ_NS_PER_S))
		r = lz_err_set(err, EINVAL, "'%s' is no time (want whole seconds, at least 1s)",
			       text);
	return r ? r : lz_json_add_u64(args, arg, ns / LZ_NS_PER_S);
}

/* The same, or a bare number: the pattern says SECONDS. */
static int add_seconds(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	__u64 s;

	if (!lz_u64_parse(text, 1, LZ_JSON_INTEGER_MAX, &s, NULL))
		return lz_json_add_u64(args, arg, s);
	return add_span(args, arg, text, err);
}

static int add_count(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	__u64 n;
	int r = lz_u64_parse(text, 1, LZ_JSON_INTEGER_MAX, &n, err);

	return r ? r : lz_json_add_u64(args, arg, n);
}

static int add_time(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	__u64 wall_ns;
	int r = lz_time_parse(text, &wall_ns, err);

	return r ? r : lz_json_add_time(args, arg, wall_ns ? wall_ns : 1); /* 0 is no time, but 1970-01-01 is one */
}

/* "10m" is ten minutes ago. */
static int add_since(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	__u64 ns, now = lz_clock_wall_ns();

	if (lz_duration_parse(text, &ns, NULL)) {
		if (!add_time(args, arg, text, NULL))
			return 0;
		return lz_err_set(err, EINVAL, "'%s' is neither so long ago nor a time (want e.g. 10m, 2h, 7d, or "
				  "2027-03-01, 2027-03-01T12:00:00Z; 1970..2200)", text);
	}
	return lz_json_add_time(args, arg, now - (ns < now ? ns : now - 1));
}

static int add_true(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	(void)text;
	(void)err;
	return lz_json_add_bool(args, arg, true);
}

static int add_grade(cJSON *args, const char *arg, const char *text, struct lz_err *err)
{
	char grade[64];

	snprintf(grade, sizeof(grade), "%s%.40s", *text ? "throttle " : "block25", text);
	return add_text(args, arg, grade, err);
}

/* What a name of a pattern is called in proto.h. FILE is not here: it never leaves this side. */
static const struct {
	const char *name, *arg;
	int (*add)(cJSON *args, const char *arg, const char *text, struct lz_err *err);
} conversions[] = {
	{ "ADDRESS", "address", add_address },
	{ "ADDRESS|CASE", "address", add_address_or_case },
	{ "ADDRESS|PREFIX", "prefix", add_prefix },
	{ "PREFIX", "prefix", add_prefix },
	{ "SET", "set", add_text },
	{ "set", "set", add_text },
	{ "port25|all", "what", add_text },
	{ "for", "for_s", add_span },
	{ "until", "until", add_time },
	{ "reason", "reason", add_text },
	{ "ticket", "ticket", add_text },
	{ "garden", "garden", add_text },
	{ "block25", "grade", add_grade },
	{ "throttle", "grade", add_grade },
	{ "staff-only", "staff_only", add_true },
	{ "false-positive", "false_positive", add_true },
	{ "GENERATION", "generation", add_count },
	{ "reset", "reset", add_true },
	{ "--since", "since", add_since },
	{ "--source", "source", add_text },
	{ "--sort", "sort", add_text },
	{ "--limit", "limit", add_count },
	{ "--confirm", "confirm_s", add_seconds },
	{ "--yes", "yes", add_true },
	{ "generation", "generation", add_count },
};

/* Of three ways to hold somebody one is meant; two of them would be one argument twice. */
static bool is_one_grade(struct lz_cli *cli)
{
	int n = !!lz_cli_value(cli, "garden") + !!lz_cli_value(cli, "block25") + !!lz_cli_value(cli, "throttle");

	if (n > 1)
		lz_cli_fail(cli, LZ_CODE_INVALID, "%s: only one of garden, block25, throttle", cli->command->words);
	return n <= 1;
}

/* Within what the daemon takes for this command. */
static bool limit_fits(struct lz_cli *cli)
{
	__u64 max = lz_streq(cli->command->ask, "source.list") ? LZ_PROTO_LIST_MAX : LZ_PROTO_TOP_MAX, n;
	const char *text = lz_cli_value(cli, "--limit");
	struct lz_err err;

	if (!text || !lz_u64_parse(text, 1, max, &n, &err))
		return true;
	lz_cli_fail(cli, LZ_CODE_INVALID, "%s: --limit: %s", cli->command->words, err.text);
	return false;
}

cJSON *lz_cli_args(struct lz_cli *cli)
{
	lz_autojson cJSON *args = cJSON_CreateObject();
	struct lz_err err;

	if (!is_one_grade(cli) || !limit_fits(cli))
		return NULL;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(conversions); i++) {
		const char *text = lz_cli_value(cli, conversions[i].name);
		int r;

		if (!text)
			continue;
		lz_err_set(&err, ENOMEM, "out of memory");
		r = conversions[i].add(args, conversions[i].arg, text, &err);
		if (r) {
			lz_cli_fail(cli, LZ_CODE_INVALID, "%s: %s: %s", cli->command->words,
				    conversions[i].name, err.text);
			return NULL;
		}
	}
	return TAKE_PTR(args);
}

/* Said here, as by add_text(). */
int lz_cli_add_file(struct lz_cli *cli, cJSON *args, const char *path)
{
	char name[4 * LZ_PROTO_REASON_BYTES + 1]; /* all of it escaped */

	if (strlen(path) > LZ_PROTO_REASON_BYTES)
		return LZ_CODE_OK;
	lz_text_escape(name, sizeof(name), path, (unsigned int)strlen(path));
	if (!lz_text_is_utf8(path))
		return lz_cli_fail(cli, LZ_CODE_INVALID, "%s: the file's name is not UTF-8; rename it", name);
	if (lz_text_has_control(path))
		return lz_cli_fail(cli, LZ_CODE_INVALID, "%s: the file's name has control characters; rename it", name);
	lz_json_add_str(args, "file", path);
	return LZ_CODE_OK;
}

/* ---------------------------------------------------------------- asking */

const struct lz_proto_command *lz_cli_proto(const char *name)
{
	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		if (lz_streq(lz_proto_commands[i].name, name))
			return &lz_proto_commands[i];
	}
	return NULL; /* the table of commands is tested against proto.h */
}

bool lz_cli_changes(const struct lz_cli *cli)
{
	const struct lz_proto_command *command = cli->command->ask ? lz_cli_proto(cli->command->ask) : NULL;

	if (!command || !(command->flags & LZ_CMD_F_MUTATES))
		return false;
	return !strstr(cli->command->pattern, "[reset]") || lz_cli_value(cli, "reset");
}

static char *request_line(const struct lz_cli_call *call)
{
	lz_autojson cJSON *root = cJSON_CreateObject();
	struct lz_str line = { 0 };
	char *json;

	lz_json_add_u64(root, "v", LZ_PROTO_VERSION);
	lz_json_add_u64(root, "id", 1);
	lz_json_add_str(root, "cmd", call->cmd);
	cJSON_AddItemReferenceToObject(root, "args", call->args);
	if (call->payload_bytes)
		lz_json_add_u64(root, "payload_bytes", call->payload_bytes);
	json = cJSON_PrintUnformatted(root);
	if (json)
		lz_str_append(&line, json);
	cJSON_free(json);
	lz_str_append(&line, "\n");
	return json ? lz_str_take(&line) : NULL;
}

struct answer {
	struct lz_cli *cli;
	const struct lz_cli_call *call;
	unsigned int flags; /* LZ_CMD_F_* of what is asked */
	cJSON *rows; /* gathered */
	size_t shown;
	bool line_open; /* a text ended without the end of its line */
};

static void take_row(struct answer *answer, const struct lz_message *m)
{
	const struct lz_cli_call *call = answer->call;
	struct lz_cli *cli = answer->cli;
	cJSON *row;

	if (cli->json && answer->flags & LZ_CMD_F_FOLLOW) {
		lz_doc_line(cli, "lazaret/event", m->bytes, m->len);
		return;
	}
	if (cli->json) {
		lz_doc_row(cli, call->view->rows ? call->view->rows : "rows", m->bytes, m->len);
		return;
	}
	row = cJSON_ParseWithLength(m->bytes, m->len);
	if (!row)
		return; /* a row that is no JSON has nothing to show */
	if (call->view->gathered) {
		cJSON_AddItemToArray(answer->rows, row);
		return;
	}
	if (!cli->quiet || !call->view->confirms)
		lz_view_row(cli, call->view, row, answer->shown);
	answer->shown++;
	cJSON_Delete(row);
	if (answer->flags & LZ_CMD_F_FOLLOW)
		lz_out_flush();
}

static void take_text(struct answer *answer, const struct lz_message *m)
{
	if (answer->cli->json)
		lz_doc_text(answer->cli, answer->call->view->text, m->bytes, m->len);
	else
		fwrite(m->bytes, 1, m->len, stdout);
	if (m->len)
		answer->line_open = m->bytes[m->len - 1] != '\n';
}

static void print_error(struct lz_cli *cli, enum lz_code code, const cJSON *reply)
{
	char text[LZ_CELL_BYTES];

	lz_text_get(cli, reply, "error", text);
	lz_out_flush();
	fprintf(stderr, PROGRAM ": %s\n", text);
	if (code == LZ_CODE_GUARDED && strstr(cli->command->pattern, "--yes"))
		fprintf(stderr, "  to do it nevertheless: repeat the command with --yes\n");
}

static int take_end(struct answer *answer, const struct lz_message *m)
{
	lz_autojson cJSON *reply = cJSON_ParseWithLength(m->bytes, m->len);
	const struct lz_cli_view *view = answer->call->view;
	struct lz_cli *cli = answer->cli;
	__u64 code;
	bool fine;

	if (lz_json_get_u64(reply, "code", 0, LZ_CODE_N - 1, &code, NULL))
		return lz_cli_fail(cli, LZ_CODE_REFUSED, "lazaretd speaks another protocol");
	/* a script that asks for health must not hear that a bypassed gateway protects anybody */
	if (lz_streq(answer->call->cmd, "health") && lz_text_is(reply, "bypass.on") && !code) {
		code = LZ_CODE_REFUSED;
		cJSON_ReplaceItemInObject(reply, "code", cJSON_CreateNumber(LZ_CODE_REFUSED));
		lz_json_add_str(reply, "error", "bypass is on: nothing is enforced");
	}
	fine = code == LZ_CODE_OK || code == LZ_CODE_PARTLY;
	if (answer->line_open && !cli->json)
		putchar('\n');
	if (cli->json && !(answer->flags & LZ_CMD_F_FOLLOW && fine))
		lz_doc_end(cli, view->rows, reply);
	else if (!cli->json && (fine || view->always) && !(cli->quiet && view->confirms))
		lz_view_end(cli, view, reply, answer->rows);
	if (cJSON_HasObjectItem(reply, "error"))
		print_error(cli, (enum lz_code)code, reply);
	else if (!cli->json && view->none && !answer->shown)
		lz_cli_note(cli, "%s", view->none);
	return (int)code;
}

/* The daemon goes on, and lists are dropped only before they are in the ledger. */
static void interrupted(int signal)
{
	static const char text[] = PROGRAM ": interrupted; it may have been done all the same: look before you ask again\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(128 + signal);
}

static int exchange(struct answer *answer, struct lz_client *client, struct lz_err *err)
{
	lz_autofree char *line = request_line(answer->call);
	const struct lz_cli_call *call = answer->call;
	enum lz_code code;

	if (!line) {
		lz_err_set(err, ENOMEM, "out of memory");
		return LZ_CODE_REFUSED;
	}
	if (answer->flags & LZ_CMD_F_MUTATES && signal(SIGINT, interrupted) == SIG_IGN)
		signal(SIGINT, SIG_IGN); /* a job of a script's background */
	code = lz_client_send(client, line, call->payload, call->payload_bytes, err);
	while (!code) {
		struct lz_message m;

		code = lz_client_next(client, &m, err);
		if (code)
			break;
		if (m.kind == LZ_MESSAGE_END)
			return take_end(answer, &m);
		if (m.kind == LZ_MESSAGE_ROW)
			take_row(answer, &m);
		else
			take_text(answer, &m);
	}
	return (int)code;
}

int lz_cli_ask(struct lz_cli *cli, const struct lz_cli_call *call)
{
	const struct lz_proto_command *command = lz_cli_proto(call->cmd);
	struct answer answer = { .cli = cli, .call = call, .flags = command->flags };
	struct lz_client client;
	struct lz_err err = { "" };
	char path[256];
	int code;

	lz_cli_socket(cli,
		      command->role <= LZ_PEER_READ ? LZ_PROTO_READ_SOCK : LZ_PROTO_CONTROL_SOCK,
		      path, sizeof(path));
	cli->now_wall_ns = lz_clock_wall_ns();
	answer.rows = call->view->gathered ? cJSON_CreateArray() : NULL;
	code = lz_client_open(&client, path, cli->instance, call->silence_ms, &err);
	if (!code)
		code = exchange(&answer, &client, &err);
	lz_client_close(&client);
	cJSON_Delete(answer.rows);
	cJSON_Delete(call->args);
	if (err.text[0] && !(call->may_be_absent && code == LZ_CODE_NOT_RUNNING))
		return lz_cli_fail(cli, (enum lz_code)code, "%s", err.text);
	return code;
}

int lz_cli_call(struct lz_cli *cli)
{
	struct lz_cli_call call = { .cmd = cli->command->ask, .view = cli->command->view };

	call.args = lz_cli_args(cli);
	return call.args ? lz_cli_ask(cli, &call) : LZ_CODE_INVALID;
}
