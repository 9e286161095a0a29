/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_quarantine.c - the colony: what was held or freed is said as done, not as asked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/out.h"
#include "cli/view.h"
#include "lazaret/abi.h"

/* "2001:db8:1::/64, customer C12" */
static void print_touched(struct lz_cli *cli, const char *verb, const cJSON *reply)
{
	char text[LZ_CELL_BYTES];

	lz_text_cell(cli, lz_text_member(reply, "touched"), LZ_CELL_LIST, 0, text);
	printf("%s %s", verb, text);
	if (cJSON_IsString(lz_text_member(reply, "customer")))
		printf(", customer %s", lz_text_get(cli, reply, "customer", text));
}

static void show_hold(struct lz_cli *cli, const cJSON *reply)
{
	char until[LZ_CELL_BYTES], grade[LZ_CELL_BYTES], note[LZ_CELL_BYTES];

	print_touched(cli, lz_text_is(reply, "extended") ? "extended" :
			   lz_text_is(reply, "already")	 ? "held already:" : "held", reply);
	lz_text_cell(cli, lz_text_member(reply, "until"), LZ_CELL_TIME, 0, until);
	if (cJSON_IsString(lz_text_member(reply, "garden")))
		printf("\n  %s garden until %s\n", lz_text_get(cli, reply, "garden", grade), until);
	else
		printf("\n  %s until %s\n", lz_text_get(cli, reply, "grade", grade), until);
	if (cJSON_IsString(lz_text_member(reply, "not_enforced")))
		printf("  not enforced: %s\n", lz_text_get(cli, reply, "not_enforced", note));
	if (cJSON_IsString(lz_text_member(reply, "note")))
		printf("  %s\n", lz_text_get(cli, reply, "note", note));
}

const struct lz_cli_view lz_view_hold = { .end = show_hold, .confirms = true };

/* Nobody was held, and so nobody is freed: a case is let go, and what he was told would come does not. */
static void show_called_off(struct lz_cli *cli, const cJSON *reply)
{
	char text[LZ_CELL_BYTES];

	printf("let go %s", lz_text_get(cli, reply, "address", text));
	if (cJSON_IsString(lz_text_member(reply, "customer")))
		printf(", customer %s", lz_text_get(cli, reply, "customer", text));
	if (cJSON_IsString(lz_text_member(reply, "called_off")))
		printf("\n  was not held; does not come any more: %s\n", lz_text_get(cli, reply, "called_off", text));
	else
		puts("\n  was not held");
}

static void show_free(struct lz_cli *cli, const cJSON *reply)
{
	char until[LZ_CELL_BYTES];

	if (cJSON_IsFalse(lz_text_member(reply, "was_held"))) {
		show_called_off(cli, reply);
	} else {
		print_touched(cli, "freed", reply);
		lz_text_cell(cli, lz_text_member(reply, "until_before"), LZ_CELL_TIME, 0, until);
		printf("\n  would have been held until %s\n", until);
	}
	if (!cJSON_IsString(lz_text_member(reply, "exception_until")))
		return;
	lz_text_cell(cli, lz_text_member(reply, "exception_until"), LZ_CELL_TIME, 0, until);
	printf("  nothing holds or limits it until %s\n", until);
}

const struct lz_cli_view lz_view_free = { .end = show_free, .confirms = true };

static void show_freed_row(struct lz_cli *cli, const cJSON *row, size_t shown)
{
	char actor[LZ_CELL_BYTES];

	(void)shown;
	print_touched(cli, lz_text_is(row, "restored") ? "restored" : "freed", row);
	printf(", held by %s\n", lz_text_get(cli, row, "actor", actor));
}

static void show_freed(struct lz_cli *cli, const cJSON *reply)
{
	char n[LZ_CELL_BYTES], m[LZ_CELL_BYTES];

	printf("%s freed\n", lz_text_get(cli, reply, "freed", n));
	if (!lz_streq(lz_text_get(cli, reply, "restored", m), "0") && !lz_streq(m, "-"))
		printf("%s as before\n", m);
	if (!lz_streq(lz_text_get(cli, reply, "stopped", m), "0") && !lz_streq(m, "-"))
		printf("%s will not be held\n", m);
}

const struct lz_cli_view lz_view_freed = {
	.rows = "freed_entries",
	.row = show_freed_row,
	.end = show_freed,
	.confirms = true,
};

/* ---------------------------------------------------------------- list, show */

static const struct lz_cli_column held_columns[] = {
	{ "ADDRESS", "address", 22, LZ_CELL_TEXT },
	{ "HOW", "grade", 13, LZ_CELL_TEXT },
	{ "SINCE", "since", 6, LZ_CELL_AGO },
	{ "LEFT", "until", 7, LZ_CELL_LEFT },
	{ "TICKET", "ticket", 8, LZ_CELL_TEXT },
	{ "BY", "actor", 8, LZ_CELL_TEXT },
	{ "REASON", "reason", 0, LZ_CELL_TEXT },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

/* Nobody is to take a table of held hosts for hosts that are stopped. */
static void show_unenforced(struct lz_cli *cli, const cJSON *reply)
{
	char n[LZ_CELL_BYTES], why[LZ_CELL_BYTES];

	if (!lz_text_member(reply, "unenforced"))
		return;
	lz_view_loud(cli, "%s of them not enforced: %s", lz_text_get(cli, reply, "unenforced", n),
		     cJSON_IsString(lz_text_member(reply, "not_enforced")) ?
			     lz_text_get(cli, reply, "not_enforced", why) : "'why ADDRESS' says why");
}

const struct lz_cli_view lz_view_held = {
	.rows = "entries",
	.columns = held_columns,
	.end = show_unenforced,
	.none = "nobody is held",
};

static const struct lz_cli_line case_lines[] = {
	{ "address", "address", LZ_CELL_TEXT, false },
	{ "holds", "touched", LZ_CELL_LIST, false },
	{ "customer", "customer", LZ_CELL_TEXT, false },
	{ "class", "class", LZ_CELL_TEXT, false },
	{ "case", "case", LZ_CELL_TEXT, true },
	{ "state", "state", LZ_CELL_TEXT, false },
	{ "grade", "grade", LZ_CELL_TEXT, true },
	{ "enforced", "enforced", LZ_CELL_YES, true },
	{ "not enforced", "not_enforced", LZ_CELL_TEXT, true },
	{ "since", "since", LZ_CELL_TIME, false },
	{ "until", "until", LZ_CELL_TIME, true },
	{ "by", "actor", LZ_CELL_TEXT, true },
	{ "source", "source", LZ_CELL_TEXT, true },
	{ "reason", "reason", LZ_CELL_TEXT, true },
	{ "ticket", "ticket", LZ_CELL_TEXT, true },
	{ "ladder", "ladder", LZ_CELL_TEXT, true },
	{ "step", "step", LZ_CELL_TEXT, true },
	{ "next", "next", LZ_CELL_TEXT, true },
	{ "may free itself", "self_releases_left", LZ_CELL_TEXT, true },
	{ "note", "note", LZ_CELL_TEXT, true },
	{ "way out", "release", LZ_CELL_TEXT, true },
	{ NULL, NULL, LZ_CELL_TEXT, false },
};

const struct lz_cli_view lz_view_case = {
	.rows = "timeline",
	.columns = lz_timeline_columns,
	.lines = case_lines,
	.gathered = true,
};

static const struct lz_cli_line guard_lines[] = {
	{ "tripped", "tripped", LZ_CELL_YES, false },
	{ "refused", "refused", LZ_CELL_TEXT, false },
	{ "new a minute", "new_per_minute", LZ_CELL_TEXT, false },
	{ "held by itself", "held_automatically", LZ_CELL_TEXT, false },
	{ "of at most", "share", LZ_CELL_TEXT, false },
	{ "active sources", "active_sources", LZ_CELL_TEXT, false },
	{ NULL, NULL, LZ_CELL_TEXT, false },
};

const struct lz_cli_view lz_view_guard = { .lines = guard_lines };

static const struct lz_cli_column audit_columns[] = {
	{ "TIME", "time", 20, LZ_CELL_TEXT },
	{ "WHO", "actor", 12, LZ_CELL_TEXT },
	{ "DID", "cmd", 18, LZ_CELL_TEXT },
	{ "TIMES", "count", 5, LZ_CELL_COUNT },
	{ "CODE", "code", 4, LZ_CELL_COUNT },
	{ "OBJECT", "object", 0, LZ_CELL_TEXT },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

const struct lz_cli_view lz_view_looks = {
	.rows = "entries",
	.columns = audit_columns,
	.none = "nothing is on record",
};

/* ---------------------------------------------------------------- import, export */

/* The whole of a file, or of stdin for "-". */
static int read_file(const char *path, struct lz_str *ret, struct lz_err *err)
{
	lz_autoclose int fd =
		lz_streq(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return lz_err_set(err, errno, "%s: cannot open: %s", path, strerror(errno));
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return lz_err_set(err, errno, "%s: cannot read: %s", path, strerror(errno));
		if (ret->len + (size_t)n > LZ_PROTO_IMPORT_BYTES)
			return lz_err_set(err, EFBIG, "%s: is too long (want at most %d MiB)", path,
					  LZ_PROTO_IMPORT_BYTES / 1024 / 1024);
		if (lz_str_append_n(ret, buf, (size_t)n))
			return lz_err_set(err, ENOMEM, "%s: out of memory", path);
	}
	return 0;
}

int lz_cli_import(struct lz_cli *cli)
{
	struct lz_cli_call call = { .cmd = cli->command->ask, .view = cli->command->view };
	const char *path = lz_cli_value(cli, "FILE");
	lz_autostr struct lz_str text = { 0 };
	struct lz_err err;

	if (read_file(path, &text, &err))
		return lz_cli_fail(cli, LZ_CODE_INVALID, "%s", err.text);
	call.args = lz_cli_args(cli);
	if (!call.args)
		return LZ_CODE_INVALID;
	if (lz_cli_add_file(cli, call.args, path)) {
		cJSON_Delete(call.args);
		return LZ_CODE_INVALID;
	}
	call.payload = text.data;
	call.payload_bytes = text.len;
	return lz_cli_ask(cli, &call);
}

/* Lines that were not taken are messages: stdout stays for the sum. */
static void show_refused(struct lz_cli *cli, const cJSON *row, size_t shown)
{
	const char *of = cJSON_HasObjectItem(row, "prefix") ? "prefix" : "address";
	char line[LZ_CELL_BYTES], what[LZ_CELL_BYTES], error[LZ_CELL_BYTES];
	bool named = cJSON_HasObjectItem(row, of); /* else the line is none */

	(void)shown;
	fprintf(stderr, "lazaretctl: line %s: %s%s%s\n", lz_text_get(cli, row, "line", line),
		named ? lz_text_get(cli, row, of, what) : "", named ? ": " : "",
		lz_text_get(cli, row, "error", error));
}

/* What most lists have none of. */
static void show_more(struct lz_cli *cli, const cJSON *reply, const char *name, const char *what)
{
	char text[LZ_CELL_BYTES];

	if (cJSON_GetNumberValue(cJSON_GetObjectItem(reply, name)) > 0)
		printf(", %s %s", lz_text_get(cli, reply, name, text), what);
}

/* What was done otherwise than some lines say: in one line, as they may be all of 600,000. */
static void warn_lines(struct lz_cli *cli, const cJSON *reply, const char *name, const char *what)
{
	char text[LZ_CELL_BYTES];

	if (cJSON_GetNumberValue(cJSON_GetObjectItem(reply, name)) > 0)
		fprintf(stderr, "lazaretctl: %s: in %s of the lines\n", what, lz_text_get(cli, reply, name, text));
}

static void show_imported(struct lz_cli *cli, const cJSON *reply)
{
	char entries[LZ_CELL_BYTES], held[LZ_CELL_BYTES], extended[LZ_CELL_BYTES],
		unchanged[LZ_CELL_BYTES], refused[LZ_CELL_BYTES], rate[64];

	printf("%s entries", lz_text_get(cli, reply, "entries", entries));
	show_more(cli, reply, "along", "of them not listed but of a listed customer");
	printf(": %s held, %s extended, %s unchanged, %s refused", lz_text_get(cli, reply, "held", held),
	       lz_text_get(cli, reply, "extended", extended),
	       lz_text_get(cli, reply, "unchanged", unchanged),
	       lz_text_get(cli, reply, "refused", refused));
	show_more(cli, reply, "doubled", "listed before (same address or IPv6 prefix)");
	show_more(cli, reply, "over", "over already");
	putchar('\n');
	lz_out_flush();
	snprintf(rate, sizeof(rate), "a throttle above %d/s was taken for %d/s", LZ_THROTTLE_MAX_PER_S,
		 LZ_THROTTLE_MAX_PER_S);
	warn_lines(cli, reply, "capped", rate);
	warn_lines(cli, reply, "cut", "a reason that is too long was cut");
	if (cJSON_GetNumberValue(cJSON_GetObjectItem(reply, "apart")) > 0)
		fprintf(stderr, "lazaretctl: customers with more addresses than can be held together: %s; of them only what "
			"is listed is held\n", lz_text_get(cli, reply, "apart", held));
}

const struct lz_cli_view lz_view_import = {
	.rows = "refused_entries",
	.row = show_refused,
	.end = show_imported,
};

const struct lz_cli_view lz_view_export = { .rows = "entries" };

/* As text the lines that import reads, as JSON the rows of list. */
int lz_cli_export(struct lz_cli *cli)
{
	static const char *const lists[][2] = { { "quarantine.export", "quarantine.list" },
						{ "exception.export", "exception.list" } };
	struct lz_cli_call call = { .cmd = cli->command->ask, .view = cli->command->view };

	call.args = lz_cli_args(cli);
	if (!call.args)
		return LZ_CODE_INVALID;
	for (size_t i = 0; cli->json && i < LZ_ARRAY_SIZE(lists); i++)
		if (lz_streq(call.cmd, lists[i][0]))
			call.cmd = lists[i][1];
	if (cli->json && lz_streq(call.cmd, "range.export"))
		lz_json_add_bool(call.args, "rows", true);
	return lz_cli_ask(cli, &call);
}
