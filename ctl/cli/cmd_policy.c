/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cmd_policy.c - check without a daemon; diff and apply send the whole policy, its files inlined:
 * the daemon opens no file that an operator names, and a file only the operator may read works.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/out.h"
#include "cli/doc.h"
#include "cli/view.h"
#include "policy/policy.h"

/* What is wrong with a policy, as a list in the document. */
static void add_items(cJSON *reply, const char *key, const struct lz_report *report,
		      enum lz_severity severity)
{
	cJSON *list = cJSON_AddArrayToObject(reply, key);

	for (size_t i = 0; list && i < report->n; i++) {
		const struct lz_report_item *item = &report->items[i];
		cJSON *one;

		if (item->severity != severity)
			continue;
		one = cJSON_CreateObject();
		if (item->file)
			lz_json_add_str(one, "file", item->file);
		lz_json_add_u64(one, "line", item->line);
		lz_json_add_u64(one, "column", item->col);
		lz_json_add_str(one, "pointer", item->pointer);
		lz_json_add_str(one, "text", item->text);
		cJSON_AddItemToArray(list, one);
	}
}

static void add_lines(cJSON *reply, const char *key, const struct lz_str *lines)
{
	cJSON *list = cJSON_AddArrayToObject(reply, key);
	const char *p = lines->data;

	while (list && p && *p) {
		lz_autofree char *line = strndup(p, strcspn(p, "\n"));

		cJSON_AddItemToArray(list, cJSON_CreateString(line ? line : ""));
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
}

static void print_lines(const char *before, const struct lz_str *lines)
{
	const char *p = lines->data;

	lz_out_flush();
	while (p && *p) {
		fprintf(stderr, "%s%.*s\n", before, (int)strcspn(p, "\n"), p);
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
}

static void print_report(const char *path, const struct lz_report *report)
{
	lz_autostr struct lz_str text = { 0 };

	lz_report_format(report, path, &text);
	print_lines("", &text);
}

static void end_check(struct lz_cli *cli, const char *path, const struct lz_policy *policy,
		      const struct lz_report *report)
{
	lz_autostr struct lz_str asleep = { 0 };
	char sum[LZ_CELL_BYTES];

	snprintf(sum, sizeof(sum), "%s: %zu error%s", path, report->total[LZ_SEVERITY_ERROR],
		 report->total[LZ_SEVERITY_ERROR] == 1 ? "" : "s");
	if (policy)
		lz_policy_not_in_force(policy, &asleep);
	if (cli->json) {
		lz_autojson cJSON *reply = cJSON_CreateObject();

		lz_json_add_u64(reply, "code", policy ? LZ_CODE_OK : LZ_CODE_INVALID);
		lz_json_add_bytes(reply, "file", path);
		lz_json_add_bool(reply, "valid", policy != NULL);
		add_items(reply, "errors", report, LZ_SEVERITY_ERROR);
		add_items(reply, "warnings", report, LZ_SEVERITY_WARNING);
		add_lines(reply, "not_in_force", &asleep);
		if (!policy)
			lz_json_add_bytes(reply, "error", sum);
		lz_doc_end(cli, NULL, reply);
		return;
	}
	if (policy && !cli->quiet)
		printf("%s: ok: '%s', %zu classes, %zu sets, %zu customers\n", path, policy->name,
		       policy->n_classes, policy->n_sets, policy->n_customers);
	print_report(path, report);
	if (!cli->quiet)
		print_lines("not in force: ", &asleep);
	if (!policy)
		fprintf(stderr, "lazaretctl: %s\n", sum);
}

int lz_cli_policy_check(struct lz_cli *cli)
{
	const char *path = lz_cli_value(cli, "FILE");
	struct lz_report report = { 0 };
	struct lz_policy *policy = NULL;
	int r = lz_policy_load(path, &policy, &report);

	end_check(cli, path, r ? NULL : policy, &report);
	lz_policy_free(&policy);
	lz_report_done(&report);
	return r ? LZ_CODE_INVALID : LZ_CODE_OK;
}

/* The policy as text that needs no other file; NULL when it is wrong and that was said. */
static char *load_text(struct lz_cli *cli, const char *path, struct lz_report *ret_report)
{
	struct lz_policy *policy = NULL;
	char *text = NULL;

	if (lz_policy_load(path, &policy, ret_report))
		end_check(cli, path, NULL, ret_report);
	else if (lz_policy_print(policy, LZ_PRINT_INLINE_FILES | LZ_PRINT_PACKED, &text))
		lz_cli_fail(cli, LZ_CODE_REFUSED, "%s: out of memory", path);
	else if (!cli->quiet)
		print_report(path, ret_report);
	lz_policy_free(&policy);
	return text;
}

static int send_text(struct lz_cli *cli, const char *path, const char *text)
{
	struct lz_cli_call call = { .cmd = cli->command->ask, .view = cli->command->view };
	lz_autofree char *whole = NULL;

	call.args = lz_cli_args(cli);
	if (!call.args)
		return LZ_CODE_INVALID;
	whole = realpath(path, NULL);
	if (lz_streq(call.cmd, "policy.apply") && whole && lz_cli_add_file(cli, call.args, whole)) {
		cJSON_Delete(call.args);
		return LZ_CODE_INVALID;
	}
	call.payload = text;
	call.payload_bytes = strlen(text);
	return lz_cli_ask(cli, &call);
}

int lz_cli_policy_send(struct lz_cli *cli)
{
	const char *path = lz_cli_value(cli, "FILE");
	struct lz_report report = { 0 };
	lz_autofree char *text = load_text(cli, path, &report);
	int code = LZ_CODE_INVALID;

	cli->said = &report;
	if (text)
		code = send_text(cli, path, text);
	cli->said = NULL;
	lz_report_done(&report);
	return code;
}

/* ---------------------------------------------------------------- answers */

#define SHOWN 8 /* of a list; -j has the rest */

/* The lists in a value, wherever they are. */
static void shorten_lists(cJSON *value)
{
	char more[32];
	int n = cJSON_IsArray(value) && cJSON_IsString(value->child) ? cJSON_GetArraySize(value) : 0;

	for (cJSON *item = value->child; item; item = item->next)
		shorten_lists(item);
	if (n <= SHOWN + 1)
		return;
	while (cJSON_GetArraySize(value) > SHOWN)
		cJSON_DeleteItemFromArray(value, SHOWN);
	snprintf(more, sizeof(more), " and %d more", n - SHOWN);
	cJSON_AddItemToArray(value, cJSON_CreateRaw(more));
}

/* The same of names with ", " between them. */
static void shorten_names(const char *text, struct lz_str *ret)
{
	const char *end = text;
	size_t n = 1;

	for (const char *at = text; (at = strstr(at, ", ")); at++, n++)
		end = n <= SHOWN ? at : end;
	if (n <= SHOWN + 1)
		end = text + strlen(text);
	lz_str_append_n(ret, text, (size_t)(end - text));
	if (*end)
		lz_str_appendf(ret, ", and %zu more", n - SHOWN);
}

/* One side of a change, in @buf. */
static const char *change_text(struct lz_cli *cli, const cJSON *row, const char *side, char *buf, size_t size)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(row, side));
	const char *path = cJSON_GetStringValue(cJSON_GetObjectItem(row, "path"));
	lz_autojson cJSON *value = text ? cJSON_ParseWithOpts(text, NULL, true) : NULL;
	lz_autofree char *printed = NULL;
	lz_autostr struct lz_str names = { 0 };

	if (value) {
		shorten_lists(value);
		printed = cJSON_PrintUnformatted(value);
	} else if (text && path && !strncmp(path, "/sets/", 6) && strchr(path + 6, '/')) {
		shorten_names(text, &names);
	}
	return lz_text_safe(cli, printed ? printed : names.data ? names.data : text ? text : "-", buf, size);
}

static void show_change(struct lz_cli *cli, const cJSON *row, size_t shown)
{
	static char from[LZ_PROTO_ROW_BYTES], to[LZ_PROTO_ROW_BYTES];
	char path[LZ_CELL_BYTES];

	(void)shown;
	lz_text_get(cli, row, "path", path);
	change_text(cli, row, "from", from, sizeof(from));
	change_text(cli, row, "to", to, sizeof(to));
	if (strlen(path) + strlen(from) + strlen(to) + strlen(":  -> ") <= LZ_COLUMNS) {
		printf("%s: %s -> %s\n", path, from, to);
		return;
	}
	lz_text_fold("", path);
	lz_text_fold("  was ", from);
	lz_text_fold("  is  ", to);
}

static void show_consequences(struct lz_cli *cli, const cJSON *reply)
{
	char why[LZ_CELL_BYTES];
	const cJSON *refusal;

	if (lz_text_member(reply, "warning"))
		lz_text_fold("warning: ", lz_text_get(cli, reply, "warning", why));
	if (lz_text_member(reply, "held_warning"))
		lz_text_fold("warning: ", lz_text_get(cli, reply, "held_warning", why));
	if (lz_text_member(reply, "freed"))
		lz_text_fold("warning: ", lz_text_get(cli, reply, "freed", why));
	if (lz_text_member(reply, "unstopped"))
		lz_text_fold("warning: ", lz_text_get(cli, reply, "unstopped", why));
	cJSON_ArrayForEach(refusal, lz_text_member(reply, "apply_refusals"))
		fprintf(stderr, "lazaretctl: apply would be refused: %s\n",
			lz_text_cell(cli, refusal, LZ_CELL_TEXT, 0, why));
}

const struct lz_cli_view lz_view_diff = {
	.rows = "changes_list",
	.row = show_change,
	.end = show_consequences,
	.none = "this is what is in force: nothing would change",
};

/* load_text() has said it, with line and column? Not if the daemon is newer and finds more than we do. What was
 * in a file of its own has another place in what was sent. */
static bool is_said(const struct lz_cli *cli, const cJSON *row)
{
	const char *path = cJSON_GetStringValue(cJSON_GetObjectItem(row, "path"));
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(row, "text"));

	for (size_t i = 0; path && text && cli->said && i < cli->said->n; i++) {
		const struct lz_report_item *item = &cli->said->items[i];

		if (lz_streq(item->text, text) && (item->file || lz_streq(item->pointer, path)))
			return true;
	}
	return false;
}

static void show_note(struct lz_cli *cli, const cJSON *row, size_t shown)
{
	char kind[LZ_CELL_BYTES], path[LZ_CELL_BYTES], text[LZ_CELL_BYTES];
	lz_autostr struct lz_str line = { 0 };
	bool placed = cJSON_HasObjectItem(row, "path"), named;

	(void)shown;
	lz_text_get(cli, row, "kind", kind);
	if (is_said(cli, row))
		return;
	lz_text_get(cli, row, "path", path);
	named = placed && path[0] == '/';
	lz_str_appendf(&line, "%s: %s%s%s", kind, named ? path : "", named ? ": " : "",
		       lz_text_get(cli, row, "text", text));
	lz_text_fold("  ", line.data ? line.data : "");
}

void lz_cli_next_confirm(const struct lz_cli *cli, const char *generation)
{
	char words[sizeof("policy confirm ") + LZ_CELL_BYTES];

	snprintf(words, sizeof(words), "policy confirm %s", generation);
	lz_cli_next(cli, words);
}

static void show_applied(struct lz_cli *cli, const cJSON *reply)
{
	const cJSON *deadline = lz_text_member(reply, "deadline");
	char name[LZ_CELL_BYTES], generation[LZ_CELL_BYTES], until[LZ_CELL_BYTES];

	printf("applied '%s' as generation %s\n", lz_text_get(cli, reply, "name", name),
	       lz_text_get(cli, reply, "generation", generation));
	if (lz_text_is(reply, "exchanged")) {
		puts("new tables take over within seconds; then this says it is in force");
		lz_cli_next(cli, "status");
	} else if (cJSON_IsString(deadline)) {
		lz_text_cell(cli, deadline, LZ_CELL_TIME, 0, until);
		printf("it ends by itself at %s unless you say\n", until);
		lz_cli_next_confirm(cli, generation);
		puts("to go back at once");
		lz_cli_next(cli, "policy undo");
	} else {
		puts("to go back");
		lz_cli_next(cli, "policy undo");
	}
}

const struct lz_cli_view lz_view_apply = {
	.rows = "notes",
	.row = show_note,
	.end = show_applied,
	.gathered = true,
	.confirms = true,
};

static void show_confirmed(struct lz_cli *cli, const cJSON *reply)
{
	char name[LZ_CELL_BYTES], generation[LZ_CELL_BYTES];

	printf("confirmed '%s', generation %s\n", lz_text_get(cli, reply, "name", name),
	       lz_text_get(cli, reply, "generation", generation));
}

const struct lz_cli_view lz_view_confirm = { .end = show_confirmed, .confirms = true };

static void show_undone(struct lz_cli *cli, const cJSON *reply)
{
	char name[LZ_CELL_BYTES], generation[LZ_CELL_BYTES], changes[LZ_CELL_BYTES];

	printf("back to '%s', generation %s", lz_text_get(cli, reply, "name", name),
	       lz_text_get(cli, reply, "generation", generation));
	lz_text_get(cli, reply, "changes", changes);
	if (!lz_streq(changes, "0") && !lz_streq(changes, "-"))
		printf(", %s change%s", changes, lz_streq(changes, "1") ? "" : "s");
	putchar('\n');
}

const struct lz_cli_view lz_view_undo = { .end = show_undone, .confirms = true };

const struct lz_cli_view lz_view_policy = { .text = "policy" };

static const struct lz_cli_column history_columns[] = {
	{ "GENERATION", "generation", 10, LZ_CELL_COUNT },
	{ "STATE", "state", 10, LZ_CELL_TEXT },
	{ "APPLIED", "applied", 20, LZ_CELL_TEXT },
	{ "BY", "actor", 12, LZ_CELL_TEXT },
	{ "TEXT", "text_kept", 4, LZ_CELL_YES },
	{ "NAME", "name", 0, LZ_CELL_TEXT },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

const struct lz_cli_view lz_view_history = {
	.rows = "generations",
	.columns = history_columns,
	.none = "no policy was ever applied",
};

static const struct lz_cli_column counters_columns[] = {
	{ "CLASS", "class", 14, LZ_CELL_TEXT },
	{ "LIMIT", "limit", 16, LZ_CELL_TEXT },
	{ "EXAMINED", "examined_packets", 10, LZ_CELL_COUNT },
	{ "PASSED", "passed_packets", 10, LZ_CELL_COUNT },
	{ "REFUSED", "refused_packets", 10, LZ_CELL_COUNT },
	{ "WOULD", "would_refuse_packets", 10, LZ_CELL_COUNT },
	{ "OVER", "over_packets", 10, LZ_CELL_COUNT },
	{ "HOLDS", "holds", 6, LZ_CELL_COUNT },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

const struct lz_cli_view lz_view_counters = {
	.rows = "rules",
	.columns = counters_columns,
	.none = "no class is in force",
};
