/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_proto.c - the parts of the control protocol that need no socket: the table of commands,
 * framing, arguments.
 */
#include <errno.h>

#include "base/json.h"
#include "lazaret/proto.h"
#include "lib/t.h"
#include "serve/args.h"
#include "serve/frame.h"

static void table_is_sound(void)
{
	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		const struct lz_proto_command *c = &lz_proto_commands[i];

		T_OK(c->role >= LZ_PEER_LOOK && c->role < LZ_PEER_N, c->name);
		/* read.sock is open to everybody on the machine: nothing there may change anything,
		 * nor make the daemon hold somebody's megabytes */
		if (c->role <= LZ_PEER_READ) {
			T_OK(!(c->flags & LZ_CMD_F_MUTATES), c->name);
			T_EQ(c->payload_max_bytes, 0, c->name);
		}
		for (size_t j = 0; j < i; j++)
			T_OK(!lz_streq(c->name, lz_proto_commands[j].name), c->name);
	}
}

/* A message with a payload and a second one behind it, cut at every possible place. */
static void frame_any_cut(void)
{
	static const char bytes[] = "{\"payload_bytes\":5}\nab\nde{\"second\":1}\n";
	size_t total = sizeof(bytes) - 1;

	for (size_t cut = 0; cut <= total; cut++) {
		struct lz_frame frame = { 0 };
		struct lz_str payload = { 0 };
		size_t fed = 0, len;
		char *line;

		T_EQ(lz_frame_feed(&frame, bytes, cut), 0, "feed");
		fed = cut;
		if (lz_frame_line(&frame, &line, &len) == 0) {
			lz_frame_feed(&frame, bytes + fed, total - fed);
			fed = total;
			T_EQ(lz_frame_line(&frame, &line, &len), 1, "line whole");
		}
		T_STR(line, "{\"payload_bytes\":5}", "first line");
		T_EQ(lz_frame_expect(&frame, 5), 0, "expect");
		if (fed < total)
			lz_frame_feed(&frame, bytes + fed, total - fed);
		T_OK(lz_frame_whole(&frame), "payload whole");
		lz_frame_next(&frame, &payload);
		T_STR(payload.data, "ab\nde", "payload");
		T_EQ(lz_frame_line(&frame, &line, &len), 1, "second line");
		T_STR(line, "{\"second\":1}", "second line");
		lz_frame_expect(&frame, 0);
		T_OK(lz_frame_whole(&frame), "no payload");
		lz_frame_next(&frame, NULL);
		T_OK(!lz_frame_begun(&frame), "nothing left");
		lz_str_done(&payload);
		lz_frame_done(&frame);
	}
}

static void frame_line_length(void)
{
	static char bytes[LZ_PROTO_LINE_BYTES + 1];
	struct lz_frame frame = { 0 };
	size_t len;
	char *line;

	memset(bytes, 'x', sizeof(bytes));
	bytes[LZ_PROTO_LINE_BYTES - 1] = '\n';
	lz_frame_feed(&frame, bytes, LZ_PROTO_LINE_BYTES);
	T_EQ(lz_frame_line(&frame, &line, &len), 1, "longest line");
	T_EQ(len, LZ_PROTO_LINE_BYTES - 1, "its length");
	lz_frame_done(&frame);

	bytes[LZ_PROTO_LINE_BYTES - 1] = 'x';
	lz_frame_feed(&frame, bytes, LZ_PROTO_LINE_BYTES - 1);
	T_EQ(lz_frame_line(&frame, &line, &len), 0, "may still end");
	lz_frame_feed(&frame, "x", 1);
	T_EQ(lz_frame_line(&frame, &line, &len), -EMSGSIZE, "cannot end any more");
	lz_frame_done(&frame);

	bytes[LZ_PROTO_LINE_BYTES] = '\n';
	lz_frame_feed(&frame, bytes, LZ_PROTO_LINE_BYTES + 1);
	T_EQ(lz_frame_line(&frame, &line, &len), -EMSGSIZE, "whole but one byte too long");
	lz_frame_done(&frame);
}

static int check_args(const char *spec, const char *json, struct lz_err *err)
{
	cJSON *args = NULL;
	int r;

	if (!T_EQ(lz_json_parse(json, strlen(json), &args, err), 0, json))
		return -EIO;
	r = lz_args_check(spec, args, err);
	cJSON_Delete(args);
	return r;
}

static void args_by_table(void)
{
	static const struct {
		const char *json;
		int r;
		const char *says;
	} rows[] = {
		{ "{\"a\":\"192.0.2.1\"}", 0, NULL },
		{ "{\"a\":\"2001:db8::1\",\"n\":0,\"t\":\"x y\",\"b\":true}", 0, NULL },
		{ "{\"a\":\"192.0.2.1\",\"n\":9007199254740992}", 0, NULL },
		{ "{\"a\":\"192.0.2.1\",\"u\":\"2027-03-01\",\"p\":\"192.0.2.0/24\"}", 0, NULL },
		{ "{}", -EINVAL, "a: is missing" },
		{ "{\"a\":7}", -EINVAL, "a: is not a text" },
		{ "{\"a\":\"192.0.2.1/24\"}", -EINVAL, "a: " },
		{ "{\"a\":\"192.0.2.1\",\"n\":1.5}", -EINVAL, "n: is not a whole number" },
		{ "{\"a\":\"192.0.2.1\",\"n\":-1}", -EINVAL, "n: is not a whole number" },
		{ "{\"a\":\"192.0.2.1\",\"n\":\"1\"}", -EINVAL, "n: is not a whole number" },
		{ "{\"a\":\"192.0.2.1\",\"b\":1}", -EINVAL, "b: is not true or false" },
		{ "{\"a\":\"192.0.2.1\",\"t\":\"x\\ny\"}", -EINVAL, "t: has control" },
		{ "{\"a\":\"192.0.2.1\",\"w\":\"x y\"}", -EINVAL, "w: 'x y' is no single word" },
		{ "{\"a\":\"192.0.2.1\",\"w\":\"\"}", -EINVAL, "w: '' is no single word" },
		{ "{\"a\":\"192.0.2.1\",\"u\":\"soon\"}", -EINVAL, "u: " },
		{ "{\"a\":\"192.0.2.1\",\"p\":\"192.0.2.1/24\"}", -EINVAL, "p: " },
		{ "{\"a\":\"192.0.2.1\",\"A\":1}", -EINVAL, "'A' is unknown" },
	};
	static const char spec[] = "a=address n=int? t=text? b=bool? w=word? u=time? p=prefix?";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lz_err err = { "" };

		T_EQ(check_args(spec, rows[i].json, &err), rows[i].r, rows[i].json);
		if (rows[i].says)
			T_HAS(err.text, rows[i].says, rows[i].json);
	}
}

static void args_text_length(void)
{
	char json[LZ_PROTO_REASON_BYTES + 32];
	struct lz_err err = { "" };

	snprintf(json, sizeof(json), "{\"t\":\"%0*d\"}", LZ_PROTO_REASON_BYTES, 7);
	T_EQ(check_args("t=text", json, &err), 0, "longest text");
	snprintf(json, sizeof(json), "{\"t\":\"%0*d\"}", LZ_PROTO_REASON_BYTES + 1, 7);
	T_EQ(check_args("t=text", json, &err), -EINVAL, "one byte too long");
	T_HAS(err.text, "257 bytes are too long", "says so");
}

static const struct t_case cases[] = {
	{ "proto: table of commands is sound", table_is_sound },
	{ "proto: messages cut anywhere come out whole", frame_any_cut },
	{ "proto: lines up to 64 KiB", frame_line_length },
	{ "proto: arguments are checked by the table", args_by_table },
	{ "proto: texts are bounded", args_text_length },
};

int main(void)
{
	return T_MAIN(cases);
}
