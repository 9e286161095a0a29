/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_cli_bytes.c - what comes in that is no text, and what does not go out: words and names that are
 * not UTF-8, a full disk, a closed stdout.
 */
#include "base/utf8.h"
#include "unit/cli_fake.h"

#define BAD "caf\xe9"
#define BAD_SHOWN "caf\\xe9"

static const char policy[] =
	"{ \"version\": 1, \"name\": \"t\",\n"
	"  \"interfaces\": {\n"
	"    \"a\": { \"side\": \"customer\", \"match\": [\"lz-a\"], \"hook\": \"tc\" } },\n"
	"  \"sets\": { \"d\": [\"100.64.0.0/10\"] },\n"
	"  \"classes\": { \"d\": { \"of\": [\"d\"], \"port25\": { \"to-world\": \"drop\" } } } }\n";

/* One document, in UTF-8, whose error names the word, escaped once. */
static void expect_document(const char *words)
{
	const char *error;
	cJSON *doc = NULL;

	T_OK(lz_text_is_utf8(ran.out), words);
	T_EQ(lz_json_parse(ran.out, strlen(ran.out), &doc, NULL), 0, words);
	error = cJSON_GetStringValue(cJSON_GetObjectItem(doc, "error"));
	T_HAS(error, BAD_SHOWN, words);
	T_OK(!strstr(ran.out, "caf\\\\\\\\xe9"), "escaped once"); /* in JSON one backslash is two */
	cJSON_Delete(doc);
}

static void bad_words(void)
{
	static const char *const words[] = {
		"-j " BAD, "-j --" BAD, "-j quarantine " BAD, "-j quarantine list " BAD, "-j --instance " BAD,
		"-j help " BAD, "-j exception add 192.0.2.1 " BAD " until 2099-01-01 ticket X",
		"-j portal options " BAD, "-j policy check /nonexistent/" BAD, "-j policy apply /nonexistent/" BAD,
		"-j quarantine import /nonexistent/" BAD, "-j portal options --policy /nonexistent/" BAD,
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(words); i++) {
		T_EQ(ctl(words[i]), 1, words[i]);
		expect_document(words[i]);
	}
}

/* What a started program says of its files. */
static void bad_word_of_a_program(void)
{
	char script[64];

	snprintf(script, sizeof(script), "%s/lazaretd", dir);
	write_file(script, "#!/bin/sh\necho \"lazaretd: $3: cannot open\" >&2\nexit 1\n");
	chmod(script, 0755);
	T_EQ(ctl("-j backtest --policy " BAD " c.pcap"), 1, "backtest");
	expect_document("backtest");
	unlink(script);
}

static void bad_file_names(void)
{
	static const char *const rows[] = { "policy apply --yes", "quarantine import", "exception import" };
	char path[64], words[128], says[128];

	snprintf(path, sizeof(path), "%s/" BAD, dir);
	write_file(path, policy);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		snprintf(words, sizeof(words), "%s %s", rows[i], path);
		snprintf(says, sizeof(says), "lazaretctl: %s/" BAD_SHOWN ": the file's name is not UTF-8; rename it\n",
			 dir);
		T_EQ(ctl(words), 1, words);
		T_STR(ran.err, says, words);
		T_STR(ran.out, "", "nothing is done");
	}
	snprintf(words, sizeof(words), "policy diff %s", path);
	T_EQ(ctl(words), 0, "its name is not sent");
	snprintf(words, sizeof(words), "-j policy check %s", path);
	T_EQ(ctl(words), 0, "nor that of what is only looked at");
	T_OK(lz_text_is_utf8(ran.out), "the document");
	T_HAS(ran.out, "/caf\\\\xe9\",\"valid\":true", "names it");
	unlink(path);
}

static void nothing_arrives(void)
{
	static const struct {
		const char *words;
		int code;
		bool changes;
	} rows[] = {
		{ "--man", 2, false },
		{ "--version", 2, false },
		{ "--completion", 2, false },
		{ "--help", 2, false },
		{ "source list", 2, false },
		{ "-j why 192.0.2.4", 4, false },
		{ "quarantine guard", 2, false },
		{ "quarantine add 2001:db8:1::5", 2, true },
		{ "-j quarantine add 2001:db8:1::5", 2, true },
		{ "bypass on", 2, true },
		{ "-q quarantine add 2001:db8:1::5", 0, true },
	};
	static const char *const ways[][2] = { { "/dev/full", "No space left on device" },
					       { "", "Bad file descriptor" } };

	for (size_t i = 0; i < 2 * LZ_ARRAY_SIZE(rows); i++) {
		const char *words = rows[i / 2].words;
		char says[128];

		snprintf(says, sizeof(says), "lazaretctl: stdout: cannot write: %s%s\n", ways[i % 2][1],
			 rows[i / 2].changes ? "; the change itself was done" : "");
		out_path = ways[i % 2][0];
		run_dir = words[0] == '-' && words[1] == '-' ? NULL : dir;
		T_EQ(ctl(words), rows[i / 2].code, words);
		if (rows[i / 2].code)
			T_HAS(ran.err, says, words);
		else
			T_STR(ran.err, "", words);
	}
	out_path = NULL;
	run_dir = dir;
}

static const struct t_case cases[] = {
	{ "cli: -j with words that are not UTF-8", bad_words },
	{ "cli: -j with a program's", bad_word_of_a_program },
	{ "cli: file names that are not UTF-8", bad_file_names },
	{ "cli: stdout full or closed", nothing_arrives },
};

int main(void)
{
	return cli_fake_run(cases, LZ_ARRAY_SIZE(cases));
}
