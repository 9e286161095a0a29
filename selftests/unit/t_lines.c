/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_lines.c - the lines of a list: what is a comment, and what is no text. */
#include <errno.h>
#include <stdio.h>

#include "base/lines.h"
#include "base/mem.h"
#include "lib/t.h"

/* What the only line of a text of @len bytes is; "refused" with @reterr set */
static const char *only(const char *text, size_t len, struct lz_err *reterr)
{
	static char buf[128];
	struct lz_lines lines;
	char *line;
	int r;

	memcpy(buf, text, len);
	lz_lines_init(&lines, buf, len);
	r = lz_lines_next(&lines, &line, reterr);
	T_EQ(lines.line, 1, "counted");
	return r == 1 ? line : r == -EINVAL ? "refused" : "none";
}

static void cuts_comments(void)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ "192.0.2.1 2h\n", "192.0.2.1 2h" },
		{ "192.0.2.1 2h \t\r\n", "192.0.2.1 2h" },
		{ "192.0.2.1 # printer\n", "192.0.2.1" },
		{ "192.0.2.1\t#printer", "192.0.2.1" },
		{ "192.0.2.1 2h leaky RT-1 # printer\n", "192.0.2.1 2h leaky RT-1" },
		{ "192.0.2.1 2h leaky RT#7 port#3 sends # x\n", "192.0.2.1 2h leaky RT#7 port#3 sends" },
		{ "192.0.2.1 2h leaky \\#7 \\#8 and # x\n", "192.0.2.1 2h leaky #7 #8 and" },
		{ "192.0.2.1 2h leaky a\\#7 \\\\\n", "192.0.2.1 2h leaky a\\#7 \\\\" },
		{ "# all of it\n", "" },
		{ "  # all of it\n", "" },
		{ "\r\n", "" },
		{ "\\#", "#" },
		{ "192.0.2.1 2h leaky #12\n", "192.0.2.1 2h leaky #12" },
		{ "192.0.2.1\t2h - #INC-7 see #4711, #8 # x", "192.0.2.1\t2h - #INC-7 see #4711, #8" },
		{ "192.0.2.0/24 port25 2027-03-01 #4711 # x", "192.0.2.0/24 port25 2027-03-01 #4711" },
		{ "192.0.2.1 2h leaky #printer\n", "192.0.2.1 2h leaky" },
		{ "192.0.2.1 2h leaky #printer 2\n", "192.0.2.1 2h leaky" },
		{ "192.0.2.1 2h #12 is the printer's", "192.0.2.1 2h" },
		{ " 192.0.2.1  #2\n", " 192.0.2.1" },
		{ "#192.0.2.1 2h leaky RT-1\n", "" },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++)
		T_STR(only(rows[i].text, strlen(rows[i].text), NULL), rows[i].line, rows[i].text);
}

static void refuses_what_is_no_text(void)
{
	static const char junk[] = "192.0.2.1 2h leaky RT-1\0junk";
	struct lz_err err = { "" };

	T_STR(only("\0", 1, &err), "refused", "a NUL alone");
	T_STR(err.text, "has a NUL byte, is no text; save the list as UTF-8", "says so");
	T_STR(only(junk, sizeof(junk) - 1, &err), "refused", "a NUL in a line");
	T_STR(only("192.0.2.1 2h leaky RT-1 M\xfcller", 30, &err), "refused", "Latin 1");
	T_STR(err.text, "is not UTF-8 (but for comments it must be)", "says so");
	T_STR(only("192.0.2.1 2h leaky RT-1 \x1b[2J", 28, &err), "refused", "a terminal's command");
	T_STR(err.text, "has control characters (want text)", "says so");
	T_STR(only("192.0.2.1 2h leaky RT-1 \xf0\x9f\x93", 27, &err), "refused", "half a character");
	T_STR(only("192.0.2.1 # M\xfcller", 18, NULL), "192.0.2.1", "of a comment nothing is kept");
	T_STR(only("\xef\xbb\xbf" "192.0.2.1\n", 13, &err), "refused", "a byte order mark");
	T_STR(err.text, "begins with a byte order mark; save it without one", "says so");
}

/* As Windows programs save it, in either order of bytes. */
static void refuses_utf16_once(void)
{
	char little[] = "\xff\xfe" "1\0\n\0" "2\0\n", big[] = "\xfe\xff\0" "1\0\n\0" "2\0\n", *line = NULL;
	struct { char *text; size_t len; } rows[] = { { little, sizeof(little) - 1 }, { big, sizeof(big) - 1 },
						      { little, 2 } };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct lz_err err = { "" };
		struct lz_lines lines;

		lz_lines_init(&lines, rows[i].text, rows[i].len);
		T_ERR(lz_lines_next(&lines, &line, &err), -EINVAL, "line 1");
		T_STR(err.text, "is UTF-16 (Notepad's \"Unicode\"); save it as UTF-8, without a byte order mark", "says so");
		T_EQ(lz_lines_next(&lines, &line, &err), 0, "once");
	}
	T_STR(only("\xff", 1, NULL), "refused", "half a mark");
}

static void goes_on_after_a_bad_line(void)
{
	char text[] = "one\nt\0wo\n\nfour", *line = NULL;
	struct lz_lines lines;

	lz_lines_init(&lines, text, sizeof(text) - 1);
	T_EQ(lz_lines_next(&lines, &line, NULL), 1, "line 1");
	T_ERR(lz_lines_next(&lines, &line, NULL), -EINVAL, "line 2");
	T_EQ(lz_lines_next(&lines, &line, NULL), 1, "line 3");
	T_STR(line, "", "is blank");
	T_EQ(lz_lines_next(&lines, &line, NULL), 1, "line 4");
	T_STR(line, "four", "needs no end");
	T_EQ(lines.line, 4, "counted");
	T_EQ(lz_lines_next(&lines, &line, NULL), 0, "no more");
}

static void reads_what_it_quotes(void)
{
	static const char *const texts[] = { "#7", "\\#7", "\\\\#7", "RT#7", "a #b \\#c d\\#e \\", "" };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(texts); i++) {
		lz_autostr struct lz_str s = { 0 };

		lz_str_append(&s, "x ");
		lz_lines_quote(&s, texts[i]);
		T_STR(only(s.data, s.len, NULL) + 2 - !texts[i][0], texts[i], texts[i]);
	}
}

/* A ticket and a reason behind an address, a time and a grade, as an export has them, and read again. */
static void reads_fields_it_quotes(void)
{
	static const char *const words[] = { "", "-", "\\-", "\\\\-", "--", "-x", "#12", "#x", "\\#12", "\\", "\"a\"",
					     "T\xc3\xb6", "a\\" };
	static const char *const texts[] = { "", "-", "\\-", "- ", "\\- ", " ", "  ", "\\", "\\\\", "\\ ", " \\",
					     "\\ \\", "\\\\ a \\\\", " a", "a ", "  a  b  ", "a\\", "C:\\ d",
					     "#12", "#x", " #x", "a # b", "a #12 \\#3 \\\\#", "\\#", "\"a\" 'b'",
					     "- a", "\xc3\xa4 \xe2\x80\x94 #" };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(words) * LZ_ARRAY_SIZE(texts); i++) {
		const char *word = words[i % LZ_ARRAY_SIZE(words)], *text = texts[i / LZ_ARRAY_SIZE(words)];
		const char *got, *field;
		lz_autostr struct lz_str s = { 0 };
		char name[64], copy[64];
		size_t len;

		snprintf(name, sizeof(name), "'%s' '%s'", word, text);
		lz_str_append(&s, "x y z ");
		lz_lines_quote_word(&s, word);
		lz_str_append(&s, " ");
		lz_lines_quote_text(&s, text);
		lz_str_append(&s, "\n");
		got = only(s.data, s.len, NULL);
		T_STR(strncmp(got, "x y z", 5) ? got : "", "", name);
		got += 5;
		field = lz_lines_word(&got, &len);
		snprintf(copy, sizeof(copy), "%.*s", field ? (int)len : 0, field ? field : "");
		T_STR(copy, word, name);
		field = lz_lines_text(got, &len);
		snprintf(copy, sizeof(copy), "%.*s", field ? (int)len : 0, field ? field : "");
		T_STR(copy, text, name);
	}
}

static const struct t_case cases[] = {
	{ "a word that begins with # ends the line", cuts_comments },
	{ "what is no text is refused", refuses_what_is_no_text },
	{ "UTF-16 is refused once", refuses_utf16_once },
	{ "a bad line is not the end", goes_on_after_a_bad_line },
	{ "what is quoted is read as it was", reads_what_it_quotes },
	{ "so are a ticket and a reason", reads_fields_it_quotes },
};

int main(void)
{
	return T_MAIN(cases);
}
