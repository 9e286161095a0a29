/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_gateway.c - status, health, doctor, top, monitor: the gateway as a whole. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/out.h"
#include "base/units.h"
#include "cli/view.h"

#define TOP_ROWS    20
#define TOP_EVERY_S 2

/* ---------------------------------------------------------------- status */

static const struct lz_cli_column interface_columns[] = {
	{ "INTERFACE", "interface", 15, LZ_CELL_TEXT },
	{ "SIDE", "side", 8, LZ_CELL_TEXT },
	{ "HOOK", "hook", 11, LZ_CELL_TEXT },
	{ "UP", "up", 3, LZ_CELL_YES },
	{ "RECEIVED", "received_packets", 12, LZ_CELL_COUNT },
	{ "PASSED", "passed_packets", 12, LZ_CELL_COUNT },
	{ "DROPPED", "dropped_packets", 12, LZ_CELL_COUNT },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

static const struct lz_cli_line status_lines[] = {
	{ "release", "release", LZ_CELL_TEXT, false },
	{ "instance", "instance", LZ_CELL_TEXT, false },
	{ "kernel", "kernel", LZ_CELL_TEXT, false },
	{ "running for", "uptime_s", LZ_CELL_SPAN, false },
	{ "counted since", "counted_since", LZ_CELL_TIME, true },
	{ "policy", "policy.name", LZ_CELL_TEXT, false },
	{ "  generation", "policy.generation", LZ_CELL_TEXT, false },
	{ "  mode", "policy.mode", LZ_CELL_TEXT, false },
	{ "  applied", "policy.applied", LZ_CELL_TIME, false },
	{ "  by", "policy.actor", LZ_CELL_TEXT, false },
	{ "held", "colony.held", LZ_CELL_TEXT, false },
	{ "  at most", "colony.capacity", LZ_CELL_TEXT, false },
	{ "sources", "sources.used", LZ_CELL_TEXT, false },
	{ "  at most", "sources.capacity", LZ_CELL_TEXT, false },
	{ "exceptions", "exceptions", LZ_CELL_TEXT, false },
	{ "names looked up", "names.known", LZ_CELL_TEXT, true },
	{ "messages waiting", "outbox.waiting", LZ_CELL_TEXT, false },
	{ "  failing way", "outbox.failing.way", LZ_CELL_TEXT, true },
	{ "  since", "outbox.failing.since", LZ_CELL_TIME, true },
	{ "  why", "outbox.failing.why", LZ_CELL_TEXT, true },
	{ NULL, NULL, LZ_CELL_TEXT, false },
};

/* What cannot wait comes first: bypass, an open confirm, alarms. */
static void show_status(struct lz_cli *cli, const cJSON *reply)
{
	static const struct lz_cli_view lines = { .lines = status_lines };
	const cJSON *alarm, *deadline = lz_text_member(reply, "policy.deadline");
	char text[LZ_CELL_BYTES];

	lz_view_bypass(cli, reply);
	if (cJSON_IsString(deadline)) {
		lz_text_cell(cli, deadline, LZ_CELL_LEFT, 0, text);
		lz_view_loud(cli, "POLICY NOT CONFIRMED: the previous one comes back in %s", text);
		lz_cli_next_confirm(cli, lz_text_get(cli, reply, "policy.generation", text));
		puts("or");
		lz_cli_next(cli, "policy undo");
	}
	cJSON_ArrayForEach(alarm, lz_text_member(reply, "alarms")) {
		lz_text_cell(cli, alarm, LZ_CELL_TEXT, 0, text);
		if (cJSON_IsString(deadline) && !strncmp(text, "confirm: ", 9))
			continue; /* said above, with the way out */
		lz_view_loud(cli, "ALARM: %s", text);
	}
	lz_view_end(cli, &lines, reply, NULL);
}

const struct lz_cli_view lz_view_status = {
	.rows = "interfaces",
	.columns = interface_columns,
	.end = show_status,
	.gathered = true,
};

/* ---------------------------------------------------------------- health, doctor */

static void show_health(struct lz_cli *cli, const cJSON *reply)
{
	char name[LZ_CELL_BYTES], why[LZ_CELL_BYTES];
	const cJSON *check;

	lz_view_bypass(cli, reply);
	cJSON_ArrayForEach(check, lz_text_member(reply, "checks")) {
		if (lz_text_is(check, "ok"))
			continue;
		lz_view_loud(cli, "FAILED %s: %s", lz_text_get(cli, check, "name", name),
			     lz_text_get(cli, check, "why", why));
	}
	if (lz_text_is(reply, "healthy") && !lz_text_is(reply, "bypass.on"))
		puts("healthy");
}

const struct lz_cli_view lz_view_health = { .end = show_health, .always = true, .confirms = true };

static void show_check(struct lz_cli *cli, const cJSON *row, size_t shown)
{
	char check[LZ_CELL_BYTES], text[LZ_CELL_BYTES];

	(void)shown;
	lz_text_get(cli, row, "check", check);
	if (lz_text_is(row, "ok")) {
		printf("ok     %s\n", check);
		return;
	}
	lz_view_loud(cli, "FAULT  %s: %s", check, lz_text_get(cli, row, "why", text));
	if (lz_text_get(cli, row, "todo", text)[0] != '-')
		printf("       %s\n", text);
}

const struct lz_cli_view lz_view_doctor = { .rows = "checks", .row = show_check };

/* ---------------------------------------------------------------- top */

static const struct lz_cli_column top_columns[] = {
	{ "ADDRESS", "address", 24, LZ_CELL_TEXT },
	{ "CLASS", "class", 12, LZ_CELL_TEXT },
	{ "SYN/S", "syn_per_s", 7, LZ_CELL_COUNT },
	{ "SMTP/S", "smtp_connections_per_s", 7, LZ_CELL_COUNT },
	{ "DESTS", "smtp_destinations", 6, LZ_CELL_COUNT },
	{ "DROP/S", "dropped_per_s", 8, LZ_CELL_COUNT },
	{ "HELD", "held", 4, LZ_CELL_YES },
	{ NULL, NULL, 0, LZ_CELL_TEXT },
};

static void show_top(struct lz_cli *cli, const cJSON *reply)
{
	char received[LZ_CELL_BYTES], dropped[LZ_CELL_BYTES], held[LZ_CELL_BYTES];

	lz_view_bypass(cli, reply);
	printf("received %s/s  dropped %s/s  held %s\n",
	       lz_text_get(cli, reply, "received_packets_per_s", received),
	       lz_text_get(cli, reply, "dropped_packets_per_s", dropped),
	       lz_text_get(cli, reply, "held", held));
}

const struct lz_cli_view lz_view_top = {
	.rows = "sources",
	.columns = top_columns,
	.end = show_top,
	.gathered = true,
};

static int ask_top(struct lz_cli *cli)
{
	struct lz_cli_call call = { .cmd = "top", .view = &lz_view_top };

	call.args = lz_cli_args(cli);
	if (!call.args)
		return LZ_CODE_INVALID;
	if (!cJSON_HasObjectItem(call.args, "limit"))
		lz_json_add_u64(call.args, "limit", TOP_ROWS);
	return lz_cli_ask(cli, &call);
}

/* On a terminal again and again until interrupted, else once: a pipe has no screen to redraw. */
int lz_cli_top(struct lz_cli *cli)
{
	const char *every = lz_cli_value(cli, "every"), *count = lz_cli_value(cli, "count");
	bool redraw = cli->terminal && !cli->json && !count;
	__u64 every_ns = TOP_EVERY_S * LZ_NS_PER_S, n = redraw ? ~0ULL : 1;
	struct timespec pause;
	struct lz_err err;
	int code;

	if ((every && lz_duration_parse(every, &every_ns, &err)) ||
	    (count && lz_u64_parse(count, 1, ~0ULL, &n, &err)))
		return lz_cli_fail(cli, LZ_CODE_INVALID, "top: %s", err.text);
	pause = (struct timespec){ (time_t)(every_ns / LZ_NS_PER_S),
				   (long)(every_ns % LZ_NS_PER_S) };
	for (;;) {
		if (redraw)
			fputs("\033[H\033[2J", stdout);
		cli->doc = (struct lz_cli_doc){ .begun = false };
		code = ask_top(cli);
		if (code || !--n)
			return code;
		lz_out_flush();
		nanosleep(&pause, NULL);
	}
}

/* ---------------------------------------------------------------- monitor */

static void show_event(struct lz_cli *cli, const cJSON *row, size_t shown)
{
	char text[LZ_CELL_BYTES];
	const cJSON *item;

	(void)shown;
	printf("%s ", lz_text_get(cli, row, "time", text));
	printf("%s", lz_text_get(cli, row, "event", text));
	cJSON_ArrayForEach(item, row) {
		if (lz_streq(item->string, "time") || lz_streq(item->string, "event"))
			continue;
		printf(" %s=", lz_text_safe(cli, item->string, text, sizeof(text)));
		fputs(lz_text_cell(cli, item, LZ_CELL_TEXT, 0, text), stdout);
	}
	putchar('\n');
}

const struct lz_cli_view lz_view_monitor = { .rows = "events", .row = show_event };
