/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * view.h - how an answer looks as text. Mostly data: columns for rows, lines for the fields of the
 * final reply; a function only where an answer is a sentence.
 */
#ifndef LZ_CLI_VIEW_H
#define LZ_CLI_VIEW_H

#include "cli/text.h"

struct lz_cli_column {
	const char *title; /* NULL ends the list */
	const char *key;
	unsigned int width; /* 0 = the last column: as long as it is */
	enum lz_cell_kind kind;
};

struct lz_cli_line {
	const char *label; /* NULL ends the list */
	const char *key; /* may be a path: "policy.name" */
	enum lz_cell_kind kind;
	bool optional; /* left out, not "-", when it is missing */
};

struct lz_cli_view {
	const char *rows; /* name of the rows in the document; NULL = there are none */
	const char *text; /* name of the text in the document, which is JSON; NULL = none */
	const struct lz_cli_column *columns;
	const struct lz_cli_line *lines;
	/* instead of columns and lines; @shown counts the rows before this one */
	void (*row)(struct lz_cli *cli, const cJSON *row, size_t shown);
	void (*end)(struct lz_cli *cli, const cJSON *reply);
	const char *none; /* said on stderr when there was no row */
	bool gathered; /* rows come after the fields: they are few */
	bool always; /* fields are shown even when the code is not 0 */
	bool confirms; /* everything it says is a confirmation, which -q silences */
};

/** lz_view_row() - one row as text; @shown counts those before it */
void lz_view_row(struct lz_cli *cli, const struct lz_cli_view *view, const cJSON *row,
		 size_t shown);

/** lz_view_end() - the fields, then the gathered rows (NULL if none were gathered) */
void lz_view_end(struct lz_cli *cli, const struct lz_cli_view *view, const cJSON *reply,
		 const cJSON *rows);

/** lz_view_loud() - print a line in red if stdout is a terminal that may show it */
void lz_view_loud(const struct lz_cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** lz_view_bypass() - the line that says that nothing is enforced, if that is so */
void lz_view_bypass(const struct lz_cli *cli, const cJSON *reply);

/* Columns of what happened to a source, for `why` and `quarantine show`. */
extern const struct lz_cli_column lz_timeline_columns[];

/* Views by object. */
extern const struct lz_cli_view lz_view_status, lz_view_health, lz_view_doctor, lz_view_top,
	lz_view_monitor, lz_view_bypass_state;
extern const struct lz_cli_view lz_view_diff, lz_view_apply, lz_view_confirm, lz_view_undo,
	lz_view_policy, lz_view_history, lz_view_counters;
extern const struct lz_cli_view lz_view_sources, lz_view_source, lz_view_why;
extern const struct lz_cli_view lz_view_hold, lz_view_free, lz_view_held, lz_view_case,
	lz_view_import, lz_view_freed, lz_view_export, lz_view_guard, lz_view_looks;
extern const struct lz_cli_view lz_view_exception_add, lz_view_exception_del, lz_view_exceptions,
	lz_view_exception_import, lz_view_exception_export, lz_view_portal_options, lz_view_lookup, lz_view_range,
	lz_view_audit, lz_view_range_export;

#endif /* LZ_CLI_VIEW_H */
