/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_range.c - exceptions and ranges. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/view.h"

static const struct lz_cli_column exception_columns[] = {
	{ "PREFIX", "prefix", 24, LZ_CELL_TEXT },
	{ "WHAT", "what", 6, LZ_CELL_TEXT },
	{ "LEFT", "until", 8, LZ_CELL_LEFT },
	{ "TICKET", "ticket", 12, LZ_CELL_TEXT },
	{ "BY", "actor", 12, LZ_CELL_TEXT },
	{ "CUSTOMER", "customer", 0, LZ_CELL_TEXT },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

const struct lz_cli_view lz_view_exceptions = {
	.rows = "exceptions",
	.columns = exception_columns,
	.none = "there are no exceptions",
};

static void print_exception(struct lz_cli *cli, const char *before, const cJSON *reply)
{
	char what[LZ_CELL_BYTES], touched[LZ_CELL_BYTES], customer[LZ_CELL_BYTES];

	lz_text_cell(cli, lz_text_member(reply, "touched"), LZ_CELL_LIST, 0, touched);
	lz_text_get(cli, reply, "customer", customer);
	printf("%s %s for %s%s%s", before, lz_text_get(cli, reply, "what", what), touched,
	       customer[0] == '-' ? "" : ", customer ", customer[0] == '-' ? "" : customer);
}

static void show_exception_add(struct lz_cli *cli, const cJSON *reply)
{
	const cJSON *before = lz_text_member(reply, "replaced");
	char until[LZ_CELL_BYTES], ticket[LZ_CELL_BYTES], what[LZ_CELL_BYTES], note[LZ_CELL_BYTES];

	print_exception(cli, "exception from", reply);
	lz_text_cell(cli, lz_text_member(reply, "until"), LZ_CELL_TIME, 0, until);
	printf("\n  until %s, ticket %s\n", until, lz_text_get(cli, reply, "ticket", ticket));
	if (lz_text_member(reply, "note"))
		printf("  %s\n", lz_text_get(cli, reply, "note", note));
	if (!before)
		return;
	lz_text_cell(cli, lz_text_member(before, "until"), LZ_CELL_TIME, 0, until);
	printf("  in place of one from %s until %s, ticket %s\n", lz_text_get(cli, before, "what", what), until,
	       lz_text_get(cli, before, "ticket", ticket));
}

static void show_exception_del(struct lz_cli *cli, const cJSON *reply)
{
	print_exception(cli, "no more exception from", reply);
	putchar('\n');
}

const struct lz_cli_view lz_view_exception_add = { .end = show_exception_add, .confirms = true };
const struct lz_cli_view lz_view_exception_del = { .end = show_exception_del, .confirms = true };

static void show_imported(struct lz_cli *cli, const cJSON *reply)
{
	char entries[LZ_CELL_BYTES], added[LZ_CELL_BYTES], refused[LZ_CELL_BYTES], text[LZ_CELL_BYTES];

	printf("%s entries: %s added, %s refused", lz_text_get(cli, reply, "entries", entries),
	       lz_text_get(cli, reply, "added", added),
	       lz_text_get(cli, reply, "refused", refused));
	if (cJSON_GetNumberValue(cJSON_GetObjectItem(reply, "doubled")) > 0)
		printf(", %s listed again below (same prefix)", lz_text_get(cli, reply, "doubled", text));
	putchar('\n');
	if (lz_text_member(reply, "note"))
		printf("  %s\n", lz_text_get(cli, reply, "note", text));
}

static void show_refused(struct lz_cli *cli, const cJSON *row, size_t shown)
{
	lz_view_import.row(cli, row, shown);
}

const struct lz_cli_view lz_view_exception_import = {
	.rows = "refused_entries",
	.row = show_refused,
	.end = show_imported,
};

const struct lz_cli_view lz_view_exception_export = { .rows = "exceptions" };

static const struct lz_cli_line lookup_lines[] = {
	{ "address", "address", LZ_CELL_TEXT, false },
	{ "range", "prefix", LZ_CELL_TEXT, false },
	{ "class", "class", LZ_CELL_TEXT, false },
	{ "sets", "sets", LZ_CELL_LIST, false },
	{ "customer", "customer", LZ_CELL_TEXT, false },
	{ "never-list", "never", LZ_CELL_YES, false },
	{ "always-reach", "always_reach", LZ_CELL_YES, false },
	{ "exception", "exception", LZ_CELL_TEXT, false },
	{ NULL, NULL, LZ_CELL_TEXT, false },
};

const struct lz_cli_view lz_view_lookup = { .lines = lookup_lines };

static const struct lz_cli_line range_lines[] = {
	{ "prefix", "prefix", LZ_CELL_TEXT, false },
	{ "set", "set", LZ_CELL_TEXT, false },
	{ "was in class", "was_class", LZ_CELL_TEXT, true },
	{ "is in class", "class", LZ_CELL_TEXT, true },
	{ "generation", "generation", LZ_CELL_TEXT, false },
	{ NULL, NULL, LZ_CELL_TEXT, false },
};

const struct lz_cli_view lz_view_range = { .lines = range_lines, .confirms = true };

const struct lz_cli_view lz_view_range_export = { .rows = "ranges" };

static void show_finding(struct lz_cli *cli, const cJSON *row, size_t shown)
{
	char kind[LZ_CELL_BYTES], set[LZ_CELL_BYTES], text[LZ_CELL_BYTES];
	lz_autostr struct lz_str line = { 0 };

	(void)shown;
	lz_text_get(cli, row, "set", set);
	lz_str_appendf(&line, "%-10s%s%s%s", lz_text_get(cli, row, "kind", kind),
		       set[0] == '-' ? "" : set, set[0] == '-' ? "" : ": ",
		       lz_text_get(cli, row, "text", text));
	lz_text_fold("", line.data ? line.data : "");
}

static void show_totals(struct lz_cli *cli, const cJSON *reply)
{
	char count[LZ_CELL_BYTES];
	const cJSON *item;

	cJSON_ArrayForEach(item, lz_text_member(reply, "totals"))
		if (!lz_streq(item->string, "size"))
			printf("%s %s  ", lz_text_cell(cli, item, LZ_CELL_TEXT, 0, count),
			       item->string);
	putchar('\n');
	if (!lz_streq(lz_text_get(cli, reply, "left_out", count), "0"))
		printf("%s more are not shown\n", count);
}

const struct lz_cli_view lz_view_audit = {
	.rows = "findings",
	.row = show_finding,
	.end = show_totals,
};
