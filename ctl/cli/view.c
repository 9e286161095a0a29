/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LABEL_WIDTH 14

void lz_view_loud(const struct lz_cli *cli, const char *fmt, ...)
{
	va_list ap;

	fputs(cli->colour ? "\033[1;31m" : "", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	puts(cli->colour ? "\033[0m" : "");
}

void lz_view_bypass(const struct lz_cli *cli, const cJSON *reply)
{
	const cJSON *bypass = lz_text_member(reply, "bypass");
	char until[LZ_CELL_BYTES], actor[LZ_CELL_BYTES];

	if (!lz_text_is(bypass, "on"))
		return;
	lz_text_cell(cli, lz_text_member(bypass, "until"), LZ_CELL_TIME, 0, until);
	lz_text_get(cli, bypass, "actor", actor);
	lz_view_loud(cli, "BYPASS IS ON until %s: nothing is enforced",
		     until[0] == '-' ? "it is switched off" : until);
	if (actor[0] != '-')
		printf("  switched on by %s\n", actor);
}

static void print_titles(const struct lz_cli_column *column)
{
	for (; column->title; column++) {
		bool last = !column[1].title;

		lz_text_put(column->title,
			    last && column->kind != LZ_CELL_COUNT ? 0 : column->width,
			    column->kind == LZ_CELL_COUNT);
		putc_unlocked(last ? '\n' : ' ', stdout);
	}
}

void lz_view_row(struct lz_cli *cli, const struct lz_cli_view *view, const cJSON *row, size_t shown)
{
	const struct lz_cli_column *column = view->columns;
	char cell[LZ_CELL_BYTES];

	if (view->row) {
		view->row(cli, row, shown);
		return;
	}
	if (!column)
		return;
	if (!shown)
		print_titles(column);
	for (; column->title; column++) {
		bool last = !column[1].title;

		lz_text_cell(cli, lz_text_member(row, column->key), column->kind, column->width,
			     cell);
		lz_text_put(cell, last && column->kind != LZ_CELL_COUNT ? 0 : column->width,
			    column->kind == LZ_CELL_COUNT);
		putc_unlocked(last ? '\n' : ' ', stdout);
	}
}

static void print_lines(struct lz_cli *cli, const struct lz_cli_line *line, const cJSON *reply)
{
	char cell[LZ_CELL_BYTES];

	for (; line->label; line++) {
		const cJSON *item = lz_text_member(reply, line->key);

		lz_text_cell(cli, item, line->kind, 0, cell);
		if (line->optional && cell[0] == '-' && !cell[1])
			continue;
		lz_text_put(line->label, LABEL_WIDTH, false);
		printf(" %s\n", cell);
	}
}

void lz_view_end(struct lz_cli *cli, const struct lz_cli_view *view, const cJSON *reply,
		 const cJSON *rows)
{
	const cJSON *row;
	size_t shown = 0;

	if (view->end)
		view->end(cli, reply);
	else if (view->lines)
		print_lines(cli, view->lines, reply);
	if (rows && cJSON_GetArraySize(rows) && (view->end || view->lines))
		putchar('\n');
	cJSON_ArrayForEach(row, rows)
		lz_view_row(cli, view, row, shown++);
}
