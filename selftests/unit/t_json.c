/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_json.c - what the strict reader takes and refuses, and where it says the mistake is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "lib/t.h"

static const char *const good[] = {
	"0", "-0", "1.5e3", "\"\"", "true", "null", "[]", "{}", " [1 , 2]\n", "{\"a\":{\"a\":1}}",
	"\"\\u00e9\\ud83d\\ude00\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"\\/\\\\\\\"\\b\\f\\n\\r\\t\"",
	"1e308", "[[],[[]],{}]", "-0.0e-0",
};

static const struct {
	const char *text;
	size_t len; /* 0: strlen */
	const char *why;
} bad[] = {
	{ "", 0, "line 1, column 1: text ends" },
	{ "  ", 0, "line 1, column 3: text ends" },
	{ "{", 0, "line 1, column 2: key in double quotes expected" },
	{ "[1,]", 0, "line 1, column 4: comma before ']'" },
	{ "{\"a\":1,}", 0, "line 1, column 8: comma before '}'" },
	{ "{\"a\" 1}", 0, "line 1, column 6: ':' expected" },
	{ "{a:1}", 0, "line 1, column 2: key in double quotes expected" },
	{ "['a']", 0, "line 1, column 2: strings are written in double quotes" },
	{ "[1 2]", 0, "line 1, column 4: ',' or ']' expected" },
	{ "[1\n,\n  x]", 0, "line 3, column 3: value expected" },
	{ "1 2", 0, "line 1, column 3: text behind the end" },
	{ "01", 0, "leading zero" },
	{ "-", 0, "not a number" },
	{ "+1", 0, "value expected" },
	{ ".5", 0, "value expected" },
	{ "1.", 0, "without digits behind its point" },
	{ "1e", 0, "without digits in its exponent" },
	{ "0x10", 0, "text behind" },
	{ "1e999", 0, "number too large" },
	{ "-1e999", 0, "number too large" },
	{ "NaN", 0, "value expected" },
	{ "Infinity", 0, "value expected" },
	{ "tru", 0, "value expected" },
	{ "nul", 0, "value expected" },
	{ "\"abc", 0, "line 1, column 1: string does not end" },
	{ "\"a\nb\"", 0, "does not end on its line" },
	{ "\"a\tb\"", 0, "control character" },
	{ "\"\\x\"", 0, "unknown escape" },
	{ "\"\\u12\"", 0, "four hexadecimal digits" },
	{ "\"\\u0000\"", 0, "NUL inside a string" },
	{ "\"\\ud800\"", 0, "lone surrogate" },
	{ "\"\\udc00\"", 0, "lone surrogate" },
	{ "\"\\ud800\\u0041\"", 0, "lone surrogate" },
	{ "\"\x80\"", 0, "invalid UTF-8" },
	{ "\"\xc0\xaf\"", 0, "invalid UTF-8" },
	{ "\"\xed\xa0\x80\"", 0, "invalid UTF-8" },
	{ "\"\xf4\x90\x80\x80\"", 0, "invalid UTF-8" },
	{ "\"\xe2\x82", 0, "invalid UTF-8" },
	{ "\xef\xbb\xbf{}", 0, "byte order mark" },
	{ "\xff\xfe{\0}", 6, "is UTF-16" },
	{ "\xfe\xff\0{\0}", 6, "is UTF-16" },
	{ "\xfe", 0, "value expected" },
	{ "[1]\0", 4, "NUL character" },
	{ "[\0001]", 4, "NUL character" },
	{ "\"a\0b\"", 5, "control character" },
	{ "{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", 0, "duplicate key 'c'" },
	{ "{\"a\":1,\"\\u0061\":2}", 0, "duplicate key 'a'" },
};

static void takes_rfc_8259(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(good); i++) {
		lz_autojson cJSON *json = NULL;
		struct lz_err err = {};

		T_EQ(lz_json_parse(good[i], strlen(good[i]), &json, &err), 0, good[i]);
		T_STR(err.text, "", good[i]);
		T_OK(json, good[i]);
	}
}

static void refuses_the_rest(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(bad); i++) {
		size_t len = bad[i].len ? bad[i].len : strlen(bad[i].text);
		char *exact = malloc(len ? len : 1); /* so that a read too far is seen by ASan */
		cJSON *json = NULL;
		struct lz_err err = {};

		memcpy(exact, bad[i].text, len);
		T_ERR(lz_json_parse(exact, len, &json, &err), -EINVAL, bad[i].text);
		T_HAS(err.text, bad[i].why, bad[i].text);
		T_OK(!json, "no tree");
		free(exact);
	}
}

/* Cut a good text at each byte: never accepted, never read beyond its end. */
static void refuses_each_truncation(void)
{
	static const char whole[] = "{\"a\": [1, -2.5e+3, \"x\\u00e9\\ud83d\\ude00\xc3\xa9\"], \"b\": null}";

	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		char *exact = malloc(len ? len : 1);
		cJSON *json = NULL;

		memcpy(exact, whole, len);
		T_ERR(lz_json_parse(exact, len, &json, NULL), -EINVAL, "truncated");
		free(exact);
	}
}

static void bounds_depth(void)
{
	size_t n = 1000000;
	char *bomb = malloc(n);
	cJSON *json = NULL;
	struct lz_err err = {};

	memset(bomb, '[', n);
	T_ERR(lz_json_parse(bomb, n, &json, &err), -EINVAL, "a million brackets");
	T_HAS(err.text, "nested more than 64 deep", "reason");
	memset(bomb + 64, ']', 64);
	T_EQ(lz_json_parse(bomb, 128, &json, &err), 0, "64 deep is accepted");
	cJSON_Delete(json);
	json = NULL;
	memset(bomb, '[', 65);
	memset(bomb + 65, ']', 65);
	T_ERR(lz_json_parse(bomb, 130, &json, &err), -EINVAL, "65 deep is not");
	free(bomb);
}

static void bounds_size(void)
{
	size_t n = 2 * (size_t)LZ_JSON_VALUES_MAX + 2;
	char *many = malloc(n);
	cJSON *json = NULL;
	struct lz_err err = {};

	many[0] = '[';
	for (size_t i = 1; i < n; i += 2)
		memcpy(many + i, i + 2 < n ? "1," : "1]", i + 1 < n ? 2 : 1);
	T_ERR(lz_json_parse(many, n, &json, &err), -E2BIG, "too many values");
	T_ERR(lz_json_parse(many, LZ_JSON_BYTES_MAX + 1UL, &json, &err), -E2BIG,
	      "too long is refused before a byte is read");
	free(many);
}

static void finds_places(void)
{
	static const char text[] = "{\n  \"a\": [10,\n    {\"b\": 1}],\n  \"c\": 2 }";
	struct lz_json_index index = {};
	__u32 line, col;

	T_EQ(lz_json_scan(text, strlen(text), &index, NULL, NULL), 0, "scan");
	T_EQ(index.n, 6, "values");
	T_EQ(index.nodes[4].parent, 3, "b is in the object");
	T_EQ(index.nodes[3].parent, 1, "which is in a");
	T_EQ(index.nodes[3].ordinal, 1, "as the second");
	T_EQ(index.nodes[1].end, 5, "behind a comes c");
	lz_json_place(text, index.nodes[4].offset, &line, &col);
	T_EQ(line, 3, "line of b");
	T_EQ(col, 6, "column of b");
	lz_json_index_done(&index);
}

static void gets_members(void)
{
	static const char text[] = "{\"s\":\"x\",\"n\":7,\"f\":1.5,\"neg\":-1,\"big\":1e300,\"t\":true,\"o\":{},\"l\":[]}";
	lz_autojson cJSON *json = NULL;
	const cJSON *item = NULL;
	const char *s = "untouched";
	struct lz_err err = {};
	bool flag = false;
	__u64 n = 5;

	T_EQ(lz_json_parse(text, strlen(text), &json, &err), 0, "parse");
	T_EQ(lz_json_opt_str(json, "absent", &s, &err), 0, "absent is fine");
	T_STR(s, "untouched", "and leaves the output");
	T_ERR(lz_json_get_str(json, "absent", &s, &err), -ENOENT, "unless it is wanted");
	T_ERR(lz_json_get_str(json, "S", &s, &err), -ENOENT, "keys have case");
	T_ERR(lz_json_get_str(json, "n", &s, &err), -EINVAL, "type");
	T_EQ(lz_json_get_str(json, "s", &s, &err), 0, "string");
	T_STR(s, "x", "string");
	T_EQ(lz_json_get_u64(json, "n", 0, 7, &n, &err), 0, "number");
	T_EQ(n, 7, "number");
	T_ERR(lz_json_get_u64(json, "n", 8, 9, &n, &err), -ERANGE, "below");
	T_HAS(err.text, "want 8..9", "domain");
	T_ERR(lz_json_get_u64(json, "f", 0, 9, &n, &err), -EINVAL, "fraction");
	T_ERR(lz_json_get_u64(json, "neg", 0, 9, &n, &err), -ERANGE, "negative");
	T_ERR(lz_json_get_u64(json, "big", 0, 9, &n, &err), -ERANGE, "huge");
	T_EQ(lz_json_get_bool(json, "t", &flag, &err), 0, "bool");
	T_OK(flag, "bool");
	T_EQ(lz_json_get_object(json, "o", &item, &err), 0, "object");
	T_ERR(lz_json_get_array(json, "o", &item, &err), -EINVAL, "object is no list");
	T_EQ(lz_json_get_array(json, "l", &item, &err), 0, "list");
}

static void writes_exactly(void)
{
	lz_autojson cJSON *json = cJSON_CreateObject();
	char *text;

	T_EQ(lz_json_add_u64(json, "max", ~0ULL), 0, "add");
	T_EQ(lz_json_add_u64(json, "odd", (1ULL << 53) + 1), 0, "add");
	T_EQ(lz_json_add_u64(json, "e15", 1000000000000001ULL), 0, "add");
	T_EQ(lz_json_add_u64(json, "zero", 0), 0, "add");
	T_EQ(lz_json_add_time(json, "at", 1803902400000000000ULL), 0, "add");
	T_EQ(lz_json_add_time(json, "never", 0), 0, "add");
	T_EQ(lz_json_add_str(json, "s", "a\"\n"), 0, "add");
	text = cJSON_PrintUnformatted(json);
	T_STR(text,
	      "{\"max\":18446744073709551615,\"odd\":9007199254740993,\"e15\":1000000000000001,\"zero\":0,"
	      "\"at\":\"2027-03-01T12:00:00Z\",\"never\":null,\"s\":\"a\\\"\\n\"}",
	      "every digit");
	free(text);
}

static void quotes_as_cjson_does(void)
{
	for (int c = 1; c < 256; c++) {
		char text[] = { 'a', (char)c, (char)c, 'b', '\0' };
		cJSON *item = cJSON_CreateString(text);
		char *want = cJSON_PrintUnformatted(item);
		struct lz_str got = { 0 };

		T_EQ(lz_json_quote(&got, text), 0, "quote");
		T_STR(got.data, want, "the same bytes");
		lz_str_done(&got);
		free(want);
		cJSON_Delete(item);
	}
}

static const struct t_case cases[] = {
	{ "RFC 8259 is taken", takes_rfc_8259 },
	{ "everything else is refused, with its place", refuses_the_rest },
	{ "each truncation is refused", refuses_each_truncation },
	{ "depth is bounded", bounds_depth },
	{ "size is bounded", bounds_size },
	{ "every value has a place", finds_places },
	{ "typed members", gets_members },
	{ "numbers are written with every digit", writes_exactly },
	{ "a quoted text is what cJSON prints", quotes_as_cjson_does },
};

int main(void)
{
	return T_MAIN(cases);
}
