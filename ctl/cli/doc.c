/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/doc.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/out.h"

static void new_line(const struct lz_cli *cli)
{
	if (!cli->pretty)
		return;
	putc_unlocked('\n', stdout);
	for (unsigned int i = 0; i < cli->doc.depth; i++)
		fputs("  ", stdout);
}

static void put_in_text(struct lz_cli *cli, unsigned char c)
{
	struct lz_cli_doc *doc = &cli->doc;

	if (doc->held_back) { /* 0xc2, the first byte of U+0080..U+00BF */
		if (c >= 0x80 && c < 0xa0) {
			printf("\\u%04x", c);
			doc->held_back = 0;
			return;
		}
		putc_unlocked(doc->held_back, stdout);
		doc->held_back = 0;
	}
	if (c == 0x7f) {
		fputs("\\u007f", stdout);
	} else if (c == 0xc2) {
		doc->held_back = c;
	} else {
		putc_unlocked(c, stdout);
		if (c == '"' && !doc->escaped)
			doc->in_text = false;
	}
	doc->escaped = c == '\\' && !doc->escaped;
}

static void put_between(struct lz_cli *cli, char c)
{
	struct lz_cli_doc *doc = &cli->doc;

	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return;
	if (c == '}' || c == ']') {
		doc->depth--;
		if (!doc->just_opened)
			new_line(cli);
		doc->just_opened = false;
		putc_unlocked(c, stdout);
		return;
	}
	if (doc->just_opened)
		new_line(cli);
	doc->just_opened = false;
	putc_unlocked(c, stdout);
	if (c == '"') {
		doc->in_text = true;
		doc->escaped = false;
	} else if (c == '{' || c == '[') {
		doc->depth++;
		doc->just_opened = true;
	} else if (c == ',') {
		new_line(cli);
	} else if (c == ':' && cli->pretty) {
		putc_unlocked(' ', stdout);
	}
}

/* What can be written as it came: nearly all of a document without blanks, of one with them the texts.
 * Returns how many bytes that were. */
static size_t put_run(struct lz_cli *cli, const char *json, size_t len)
{
	struct lz_cli_doc *doc = &cli->doc;
	bool in_text = doc->in_text;
	size_t n = 0;

	if (doc->held_back || doc->escaped || (cli->pretty && !in_text))
		return 0;
	for (; n < len; n++) {
		unsigned char c = (unsigned char)json[n];

		if (c == '"') {
			if (cli->pretty)
				break;
			in_text = !in_text;
		} else if (in_text ? c == '\\' || c == 0x7f || c == 0xc2 : c <= ' ') {
			break;
		}
	}
	if (n)
		fwrite_unlocked(json, 1, n, stdout);
	doc->in_text = in_text;
	return n;
}

static void put(struct lz_cli *cli, const char *json, size_t len)
{
	size_t i = 0;

	while ((i += put_run(cli, json + i, len - i)) < len) {
		if (cli->doc.in_text)
			put_in_text(cli, (unsigned char)json[i++]);
		else
			put_between(cli, json[i++]);
	}
}

static void put_str(struct lz_cli *cli, const char *json)
{
	put(cli, json, strlen(json));
}

/* `,"name":` */
static void put_name(struct lz_cli *cli, const char *name)
{
	put_str(cli, ",\"");
	put_str(cli, name);
	put_str(cli, "\":");
}

/* `,"command":"add"`, if there is more than the object. */
static void put_command(struct lz_cli *cli, const char *words)
{
	const char *blank = strchr(words, ' ');

	if (!blank)
		return;
	put_name(cli, "command");
	put_str(cli, "\"");
	put_str(cli, blank + 1);
	put_str(cli, "\"");
}

static void begin(struct lz_cli *cli)
{
	const char *words = cli->command ? cli->command->words : cli->help ? "help" : "error";

	if (cli->doc.begun)
		return;
	cli->doc.begun = true;
	put_str(cli, "{\"schema\":\"lazaret/");
	put(cli, words, strcspn(words, " "));
	put_str(cli, "\",\"version\":1");
	put_command(cli, words);
}

static void begin_list(struct lz_cli *cli, const char *name, const char *bracket)
{
	begin(cli);
	if (cli->doc.list_open)
		return;
	cli->doc.list_open = true;
	cli->doc.first_row = true;
	put_name(cli, name);
	put_str(cli, bracket);
}

void lz_doc_row(struct lz_cli *cli, const char *rows, const char *json, size_t len)
{
	begin_list(cli, rows, "[");
	if (!cli->doc.first_row)
		put_str(cli, ",");
	cli->doc.first_row = false;
	put(cli, json, len);
}

void lz_doc_text(struct lz_cli *cli, const char *name, const char *json, size_t len)
{
	begin_list(cli, name, "");
	put(cli, json, len);
}

void lz_doc_line(struct lz_cli *cli, const char *schema, const char *json, size_t len)
{
	cli->doc = (struct lz_cli_doc){ .in_text = false };
	put_str(cli, "{\"schema\":\"");
	put_str(cli, schema);
	put_str(cli, "\",\"version\":1");
	if (len > 2) /* not {} */
		put_str(cli, ",");
	put(cli, json + 1, len - 1);
	putchar('\n');
	lz_out_flush();
}

static void end(struct lz_cli *cli)
{
	put_str(cli, "}");
	putchar('\n');
	lz_out_flush();
}

static void put_members(struct lz_cli *cli, const cJSON *reply)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, reply) {
		char *json;

		if (lz_streq(item->string, "id"))
			continue;
		json = cJSON_PrintUnformatted(item);
		put_name(cli, item->string);
		put_str(cli, json ? json : "null");
		cJSON_free(json);
	}
}

void lz_doc_end(struct lz_cli *cli, const char *rows, const cJSON *reply)
{
	begin(cli);
	if (rows) {
		begin_list(cli, rows, "[");
		put_str(cli, "]");
	}
	put_members(cli, reply);
	end(cli);
}

void lz_doc_program(struct lz_cli *cli, const char *json, size_t len, enum lz_code code,
		    const char *error)
{
	lz_autojson cJSON *reply = cJSON_CreateObject();

	lz_json_add_u64(reply, "code", code);
	if (error)
		lz_json_add_bytes(reply, "error", error);
	cli->doc.begun = true;
	put(cli, json, len - 1);
	if (cli->command)
		put_command(cli, cli->command->words);
	put_members(cli, reply);
	end(cli);
}

void lz_doc_fail(struct lz_cli *cli, enum lz_code code, const char *error)
{
	lz_autojson cJSON *reply = cJSON_CreateObject();
	bool in_rows = cli->doc.list_open;

	lz_json_add_u64(reply, "code", code);
	lz_json_add_bytes(reply, "error", error);
	begin(cli);
	if (in_rows)
		put_str(cli, "]");
	put_members(cli, reply);
	end(cli);
}
