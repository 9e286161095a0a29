/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_source.c - source list, source show, why. */
#include "cli/view.h"

static const struct lz_cli_column source_columns[] = {
	{ "ADDRESS", "address", 24, LZ_CELL_TEXT },
	{ "CLASS", "class", 10, LZ_CELL_TEXT },
	{ "SYN", "syn", 7, LZ_CELL_COUNT },
	{ "SMTP", "smtp_connections", 7, LZ_CELL_COUNT },
	{ "DESTS", "smtp_destinations", 5, LZ_CELL_COUNT },
	{ "DROPPED", "dropped", 7, LZ_CELL_COUNT },
	{ "WOULD", "would_drop", 6, LZ_CELL_COUNT },
	{ "SEEN", "seen", 0, LZ_CELL_AGO },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

const struct lz_cli_view lz_view_sources = {
	.rows = "sources",
	.columns = source_columns,
	.none = "no source has been seen",
};

static const struct lz_cli_line source_lines[] = {
	{ "address", "source.address", LZ_CELL_TEXT, false },
	{ "customer", "source.customer", LZ_CELL_TEXT, false },
	{ "class", "source.class", LZ_CELL_TEXT, false },
	{ "held until", "source.held_until", LZ_CELL_TIME, false },
	{ "garden", "source.garden", LZ_CELL_TEXT, true },
	{ "last seen", "source.seen", LZ_CELL_TIME, false },
	{ "examined", "source.examined", LZ_CELL_TEXT, false },
	{ "syn", "source.syn", LZ_CELL_TEXT, false },
	{ "smtp", "source.smtp_connections", LZ_CELL_TEXT, false },
	{ "destinations", "source.smtp_destinations", LZ_CELL_TEXT, false },
	{ "dropped", "source.dropped", LZ_CELL_TEXT, false },
	{ "would drop", "source.would_drop", LZ_CELL_TEXT, false },
	{ NULL, NULL, LZ_CELL_TEXT, false },
};

static const struct lz_cli_column limit_columns[] = {
	{ "LIMIT", "name", 32, LZ_CELL_TEXT },
	{ "COUNTED", "counted", 9, LZ_CELL_COUNT },
	{ "AT MOST", "at_most", 9, LZ_CELL_COUNT },
	{ "IN", "window_s", 8, LZ_CELL_SPAN },
	{ "THEN", "then", 0, LZ_CELL_TEXT },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

const struct lz_cli_view lz_view_source = {
	.rows = "limits",
	.columns = limit_columns,
	.lines = source_lines,
	.gathered = true,
};

/* In the order of the questions on the phone: what, why, since and until when, who, how out. */
static const struct lz_cli_line why_lines[] = {
	{ "address", "address", LZ_CELL_TEXT, false },
	{ "counted as", "key", LZ_CELL_TEXT, false },
	{ "customer", "customer", LZ_CELL_TEXT, false },
	{ "class", "class", LZ_CELL_TEXT, false },
	{ "set", "set", LZ_CELL_TEXT, true },
	{ "verdict", "verdict", LZ_CELL_TEXT, false },
	{ "enforced", "enforced", LZ_CELL_YES, true },
	{ "not enforced", "not_enforced", LZ_CELL_TEXT, true },
	{ "grade", "grade", LZ_CELL_TEXT, true },
	{ "case", "case", LZ_CELL_TEXT, true },
	{ "state", "state", LZ_CELL_TEXT, true },
	{ "ladder", "ladder", LZ_CELL_TEXT, true },
	{ "step", "step", LZ_CELL_TEXT, true },
	{ "next", "next", LZ_CELL_TEXT, true },
	{ "rule", "rule", LZ_CELL_TEXT, false },
	{ "value", "value", LZ_CELL_TEXT, true },
	{ "at most", "at_most", LZ_CELL_TEXT, true },
	{ "evidence", "evidence", LZ_CELL_TEXT, true },
	{ "since", "since", LZ_CELL_TIME, true },
	{ "until", "until", LZ_CELL_TIME, true },
	{ "by", "actor", LZ_CELL_TEXT, true },
	{ "reason", "reason", LZ_CELL_TEXT, true },
	{ "ticket", "ticket", LZ_CELL_TEXT, true },
	{ "note", "note", LZ_CELL_TEXT, true },
	{ "exception", "exception", LZ_CELL_TEXT, true },
	{ "never-list", "never", LZ_CELL_YES, false },
	{ "generation", "generation", LZ_CELL_TEXT, false },
	{ "way out", "release", LZ_CELL_TEXT, true },
	{ NULL, NULL, LZ_CELL_TEXT, false },
};

const struct lz_cli_column lz_timeline_columns[] = {
	{ "TIME", "time", 20, LZ_CELL_TEXT },
	{ "WHAT", "event", 12, LZ_CELL_TEXT },
	{ "HOW", "grade", 12, LZ_CELL_TEXT },
	{ "FOR", "for_s", 6, LZ_CELL_SPAN },
	{ "BY", "actor", 7, LZ_CELL_TEXT },
	{ "TICKET", "ticket", 7, LZ_CELL_TEXT },
	{ "WHY", "reason", 0, LZ_CELL_TEXT },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

const struct lz_cli_view lz_view_why = {
	.rows = "timeline",
	.columns = lz_timeline_columns,
	.lines = why_lines,
	.gathered = true,
};
