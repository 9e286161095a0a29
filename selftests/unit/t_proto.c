/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_proto.c - the parts of the control protocol that need no socket: the table of commands,
 * framing, arguments, bulk text.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "lazaret/proto.h"
#include "lib/t.h"
#include "serve/args.h"
#include "serve/bulk.h"
#include "serve/frame.h"

static void table_is_sound(void)
{
	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		const struct lz_proto_command *c = &lz_proto_commands[i];

		T_OK(c->role >= LZ_PEER_READ && c->role < LZ_PEER_N, c->name);
		/* read.sock is open to everybody on the machine: nothing there may change anything,
		 * nor make the daemon hold somebody's megabytes */
		if (c->role == LZ_PEER_READ) {
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
		{ "{\"a\":\"192.0.2.1\",\"t\":\"x\\ny\"}", -EINVAL, "t: 'x\\ny' has control" },
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

static void bulk_holds(void)
{
	static const char text[] = "# from the old gateway\n"
				   "\n"
				   "192.0.2.7\n"
				   "  2001:db8::7 72h strict RT-1 two  words \r\n"
				   "192.0.2.8\t2027-03-01T00:00:00Z - - why\n"
				   "192.0.2.300 72h\n"
				   "192.0.2.9 0s\n"
				   "192.0.2.9 72h harsh\n"
				   "192.0.2.9 - leaky";
	struct lz_bulk bulk = { .text = text, .len = sizeof(text) - 1 };
	struct lz_bulk_hold hold;
	struct lz_err err;

	T_EQ(lz_bulk_next_hold(&bulk, &hold, &err), 1, "bare address");
	T_EQ(bulk.line, 3, "comments and empty lines count");
	T_OK(!hold.until_wall_ns && !hold.for_ns && !hold.has_garden && !hold.ticket[0] &&
		     !hold.reason[0],
	     "nothing else given");
	T_EQ(lz_bulk_next_hold(&bulk, &hold, &err), 1, "everything");
	T_EQ(hold.for_ns, 72 * 3600 * LZ_NS_PER_S, "duration");
	T_OK(hold.has_garden && hold.garden == LZ_GARDEN_STRICT, "garden");
	T_STR(hold.ticket, "RT-1", "ticket");
	T_STR(hold.reason, "two  words", "reason keeps its blanks, not those around it");
	T_EQ(lz_bulk_next_hold(&bulk, &hold, &err), 1, "dashes");
	T_EQ(hold.until_wall_ns, 1803859200 * LZ_NS_PER_S, "time"); /* date -d 2027-03-01Z +%s */
	T_STR(hold.ticket, "", "no ticket");
	T_STR(hold.reason, "why", "reason");
	T_EQ(lz_bulk_next_hold(&bulk, &hold, &err), -EINVAL, "address");
	T_HAS(err.text, "line 6: address: '192.0.2.300' is not accepted", "says where");
	T_EQ(lz_bulk_next_hold(&bulk, &hold, &err), -EINVAL, "no time at all");
	T_EQ(lz_bulk_next_hold(&bulk, &hold, &err), -EINVAL, "unknown garden");
	T_HAS(err.text, "want leaky, strict or -", "says what is accepted");
	T_EQ(lz_bulk_next_hold(&bulk, &hold, &err), 1, "goes on behind bad lines");
	T_EQ(lz_bulk_next_hold(&bulk, &hold, &err), 0, "end without newline");
}

static void bulk_exceptions(void)
{
	static const char text[] = "203.0.113.140 port25 2027-03-01 RT-4711\n"
				   "2001:db8::/48 all 2027-03-01T12:00:00Z RT-1\n"
				   "203.0.113.140 port26 2027-03-01 RT-4711\n"
				   "203.0.113.140 port25 - RT-4711\n"
				   "203.0.113.140 port25 2027-03-01\n"
				   "203.0.113.140 port25 2027-03-01 RT-4711 more\n"
				   "203.0.113.140/24 port25 2027-03-01 RT-4711\n";
	struct lz_bulk bulk = { .text = text, .len = sizeof(text) - 1 };
	struct lz_bulk_exception one;
	struct lz_err err;

	T_EQ(lz_bulk_next_exception(&bulk, &one, &err), 1, "port25");
	T_EQ(one.flags, LZ_EXCEPTION_PORT25, "what");
	T_EQ(one.prefix.len, 32, "host");
	T_EQ(lz_bulk_next_exception(&bulk, &one, &err), 1, "all");
	T_EQ(one.flags, LZ_EXCEPTION_ALL, "what");
	for (int i = 0; i < 5; i++)
		T_EQ(lz_bulk_next_exception(&bulk, &one, &err), -EINVAL, "bad line");
	T_HAS(err.text, "line 7: prefix: '203.0.113.140/24'", "host bits are refused");
	T_EQ(lz_bulk_next_exception(&bulk, &one, &err), 0, "end");
}

/* What export writes, import reads. */
static void bulk_round_trip_600000(void)
{
	const size_t n = 600000;
	struct lz_bulk_hold hold = { .until_wall_ns = 1803859200 * LZ_NS_PER_S,
				     .has_garden = true,
				     .ticket = "RT-4711",
				     .reason = "over relay-day" };
	struct lz_str text = { 0 };
	struct lz_bulk bulk = { 0 };
	__u64 start_ns = lz_clock_mono_ns(), written_ns, read_ns;
	size_t same = 0;

	for (size_t i = 0; i < n; i++) {
		hold.addr = lz_addr_v4(0x64400000 + (__u32)i);
		lz_bulk_format_hold(&hold, &text);
	}
	written_ns = lz_clock_mono_ns();
	T_EQ(text.error, 0, "written");
	bulk.text = text.data;
	bulk.len = text.len;
	for (size_t i = 0; i < n; i++) {
		struct lz_bulk_hold back;
		struct lz_addr want = lz_addr_v4(0x64400000 + (__u32)i);

		if (lz_bulk_next_hold(&bulk, &back, NULL) != 1)
			break;
		same += !lz_addr_cmp(&back.addr, &want) && back.has_garden &&
			back.until_wall_ns == hold.until_wall_ns &&
			lz_streq(back.ticket, hold.ticket) && lz_streq(back.reason, hold.reason);
	}
	read_ns = lz_clock_mono_ns();
	T_EQ(same, n, "all entries come back");
	printf("# %zu bytes, written in %llu ms, read in %llu ms\n", text.len,
	       (unsigned long long)(written_ns - start_ns) / LZ_NS_PER_MS,
	       (unsigned long long)(read_ns - written_ns) / LZ_NS_PER_MS);
	T_OK(written_ns - start_ns < 1500 * LZ_NS_PER_MS, "an export may take 1.5 s");
	T_OK(read_ns - written_ns < 2 * LZ_NS_PER_S, "an import may take 2 s");
	lz_str_done(&text);
}

static const struct t_case cases[] = {
	{ "proto: table of commands is sound", table_is_sound },
	{ "proto: messages cut anywhere come out whole", frame_any_cut },
	{ "proto: lines up to 64 KiB", frame_line_length },
	{ "proto: arguments are checked by the table", args_by_table },
	{ "proto: texts are bounded", args_text_length },
	{ "proto: quarantine lists", bulk_holds },
	{ "proto: exception lists", bulk_exceptions },
	{ "proto: 600,000 entries there and back", bulk_round_trip_600000 },
};

int main(void)
{
	return T_MAIN(cases);
}
