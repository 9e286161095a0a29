/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_cli.c - what lazaretctl makes of answers. What is checked is what people and
 * scripts see: exit codes, stdout, stderr.
 */
#include <sys/syscall.h>

#include "unit/cli_fake.h"

static void status_text(void)
{
	T_EQ(ctl(""), 0, "no word is status");
	T_OK(!strncmp(ran.out, "BYPASS IS ON until it is switched off", 37), "bypass comes first");
	T_HAS(ran.out, "ALARM: link \\x1b[31mdown\n", "alarm, escaped");
	T_HAS(ran.out, "generation   7\n", "policy");
	expect_tame(ran.out);
	T_HAS(ran.out, "release        0.1.0\n", "release");
	T_EQ(ctl("-j status"), 0, "as a document");
	cJSON_Delete(document("lazaret/status"));
}

static void health_is_strict(void)
{
	cJSON *doc;

	T_EQ(ctl("doctor"), 0, "a doctor may take his time");
	T_EQ(ctl("health"), 2, "a bypassed gateway is not healthy, whatever the daemon says");
	T_EQ(ctl("-j health"), 2, "nor with -j");
	doc = document("lazaret/health");
	T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(doc, "code")), 2, "the document agrees");
	T_OK(cJSON_IsString(cJSON_GetObjectItem(doc, "error")), "and says why");
	cJSON_Delete(doc);
}

static void sources_text(void)
{
	T_EQ(ctl("source list"), 0, "code");
	T_HAS(ran.out, "ADDRESS ", "titles");
	T_HAS(ran.out, " 4294M ", "what does not fit is shortened");
	T_HAS(ran.out, "192.0.2.7                -                1       -",
	      "missing values are '-'");
	T_OK(!strchr(ran.out, '\033'), "no escape");
	T_STR(ran.err, "", "no message");
	setenv("LC_ALL", "C.UTF-8", 1);
	T_EQ(ctl("source list"), 0, "in an UTF-8 locale");
	T_HAS(ran.out, "vps\\x1b[31m\\xe2\\x80\\xaeevil\\x7f\\xc2\\x9b", "these stay escaped");
	setenv("LC_ALL", "C", 1);
}

static void sources_json(void)
{
	cJSON *doc, *again, *row;

	T_EQ(ctl("source list -j"), 0, "options may come last");
	T_OK(!strchr(ran.out, 0x7f) && !strstr(ran.out, "\xc2\x9b"), "DEL and C1 are escaped");
	doc = document("lazaret/source");
	T_STR(cJSON_GetStringValue(cJSON_GetObjectItem(doc, "command")), "list", "command");
	T_EQ(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "sources")), 2, "rows");
	row = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "sources"), 0);
	T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(row, "syn")), 4294967295, "values are whole");
	T_STR(cJSON_GetStringValue(cJSON_GetObjectItem(row, "class")),
	      "vps\033[31m\xe2\x80\xae"
	      "evil\x7f\xc2\x9b",
	      "texts survive");
	T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(doc, "total")), 2, "fields");
	T_EQ(ctl("-p source list"), 0, "pretty");
	T_HAS(ran.out, "\n    {\n      \"address\": \"2001:", "indented");
	again = document("lazaret/source");
	T_OK(cJSON_Compare(doc, again, true), "says the same");
	cJSON_Delete(doc);
	cJSON_Delete(again);
}

static void every_code(void)
{
	for (int code = 0; code < LZ_CODE_N; code++) {
		char words[64];
		cJSON *doc;

		snprintf(words, sizeof(words), "why 192.0.2.%d", code);
		T_EQ(ctl(words), code, words);
		T_STR(ran.err, code ? "lazaretctl: as asked\n" : "", "one message");
		snprintf(words, sizeof(words), "-j why 192.0.2.%d", code);
		T_EQ(ctl(words), code, words);
		doc = document("lazaret/why");
		T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(doc, "code")), code,
		     "in the document");
		cJSON_Delete(doc);
	}
}

static void hold_says_what_it_touched(void)
{
	cJSON *doc, *asked;

	T_EQ(ctl("quarantine add 2001:db8:1::5 for 72h reason by_phone ticket RT-1 garden strict"),
	     0, "code");
	T_HAS(ran.out, "extended 2001:db8:1::/64, 192.0.2.9, customer C12\n", "touched");
	T_HAS(ran.out, "leaky garden until 2199-01-01T00:00:00Z (in ",
	      "what is, not what was asked");
	T_EQ(ctl("-q quarantine add 2001:db8:1::5"), 0, "quiet");
	T_STR(ran.out, "", "no confirmation");
	T_EQ(ctl("-j quarantine add 2001:db8:1::5 garden strict ticket RT-1 reason -j for 2d24h"), 1,
	     "no day has 24 h and more");
	T_EQ(ctl("-j quarantine add 2001:db8:1::5 garden strict ticket RT-1 reason -j for 2d23h60m"), 1,
	     "no hour has 60 min and more");
	T_EQ(ctl("-j quarantine add 2001:db8:1::5 garden strict ticket RT-1 reason -j for 3d00h"), 0,
	     "any order, and a text that looks like an option");
	doc = document("lazaret/quarantine");
	asked = cJSON_Parse("{\"address\":\"2001:db8:1::5\",\"for_s\":259200,\"reason\":\"-j\","
			    "\"ticket\":\"RT-1\",\"garden\":\"strict\"}");
	T_OK(cJSON_Compare(cJSON_GetObjectItem(doc, "asked"), asked, true), "arguments");
	cJSON_Delete(doc);
	cJSON_Delete(asked);
	T_EQ(ctl("quarantine del 192.0.2.9"), 4, "no such object");
	T_STR(ran.err, "lazaretctl: 192.0.2.9: not held\n", "says so");
	T_EQ(ctl("quarantine undo --since 10min --source mad-ids"), 0, "undo");
	T_EQ(ctl("quarantine undo --since 10m --source mad-ids"), 0, "undo, as README.md writes it");
	T_STR(ran.out, "freed 192.0.2.1, held by mad-ids\n1 freed\n", "each and the sum");
}

static void long_lists(void)
{
	cJSON *doc;
	int lines = 0;

	T_EQ(ctl("quarantine list"), 0, "text");
	for (char *p = ran.out; (p = strchr(p, '\n')); p++)
		lines++;
	T_EQ(lines, LIST_ROWS + 1, "title and rows");
	T_EQ(ctl("quarantine list -j"), 0, "json");
	doc = document("lazaret/quarantine");
	T_EQ(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "entries")), LIST_ROWS, "rows");
	cJSON_Delete(doc);
	T_EQ(ctl("quarantine export"), 0, "export");
	T_STR(ran.out, "192.0.2.1 - leaky\n", "as it is");
}

static void import_partly(void)
{
	cJSON *doc;

	input = "192.0.2.7 72h\n192.0.2.1\n";
	T_EQ(ctl("quarantine import -"), 6, "partly done");
	T_STR(ran.out, "2 entries: - held, - extended, - unchanged, - refused\n", "the sum");
	T_STR(ran.err,
	      "lazaretctl: line 2: 192.0.2.1: never\nlazaretctl: 1 of 2 entries was refused\n",
	      "which");
	T_EQ(ctl("-j quarantine import -"), 6, "json");
	doc = document("lazaret/quarantine");
	T_EQ(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "refused_entries")), 1, "rows");
	cJSON_Delete(doc);
	input = "";
	T_EQ(ctl("quarantine import /nonexistent/list"), 1, "no such file");
	T_HAS(ran.err, "/nonexistent/list: cannot open: No such file", "says so");
}

static const char good_policy[] =
	"{ \"version\": 1, \"name\": \"t\", // a comment\n"
	"  \"interfaces\": {\n"
	"    \"a\": { \"side\": \"customer\", \"match\": [\"lz-a\"], \"hook\": \"tc\" } },\n"
	"  \"sets\": { \"d\": [\"100.64.0.0/10\"] },\n"
	"  \"classes\": { \"d\": { \"of\": [\"d\"], \"port25\": { \"to-world\": \"drop\" } } } }\n";

static void policies(void)
{
	char good[64], bad[64], words[256];
	cJSON *doc;

	snprintf(good, sizeof(good), "%s/good.json", dir);
	snprintf(bad, sizeof(bad), "%s/bad.json", dir);
	write_file(good, good_policy);
	write_file(bad, "{ \"version\": 1,\n  \"classes\": { \"d\": { \"of\": [\"x\"] } } }\n");
	run_dir = "/nonexistent";
	snprintf(words, sizeof(words), "policy check %s", good);
	T_EQ(ctl(words), 0, "check needs no daemon");
	T_HAS(ran.out, ": ok: 't', 1 classes", "says what it is");
	snprintf(words, sizeof(words), "-j policy check %s", bad);
	T_EQ(ctl(words), 1, "wrong policy");
	doc = document("lazaret/policy");
	T_OK(cJSON_IsFalse(cJSON_GetObjectItem(doc, "valid")), "not valid");
	T_OK(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "errors")) > 0, "errors");
	T_HAS(cJSON_GetStringValue(cJSON_GetObjectItem(doc, "error")), "bad.json: ", "their sum");
	cJSON_Delete(doc);
	run_dir = dir;
	snprintf(words, sizeof(words), "policy apply %s", bad);
	T_EQ(ctl(words), 1, "is not sent");
	T_HAS(ran.err, "bad.json:", "but named");
	snprintf(words, sizeof(words), "policy apply %s --confirm 300", good);
	T_EQ(ctl(words), 7, "guard");
	T_HAS(ran.err,
	      "would drop 37% of packets\n  to do it nevertheless: repeat the command with --yes",
	      "how to override");
	snprintf(words, sizeof(words), "policy apply %s --confirm 5min --yes", good);
	T_EQ(ctl(words), 0, "applied");
	T_HAS(ran.out, "applied 'cable' as generation 8\n", "what");
	T_HAS(ran.out, "lazaretctl policy confirm 8\n", "how to confirm, and nothing else");
	T_HAS(ran.out, "not-in-force: /gardens/leaky/web: needs the portal\n", "what sleeps");
	T_HAS(ran.out, "  warning: /sets/d: a newer daemon finds it odd\n", "what only the daemon finds");
	snprintf(words, sizeof(words), "policy diff %s", good);
	T_EQ(ctl(words), 0, "diff");
	T_HAS(ran.out, "n7.net, n8.net, and 2 more\n", "names: the first of them, and how many more");
	T_HAS(ran.out, "\"10.0.0.8\", and 2 more]", "a list in a class likewise");
	T_HAS(ran.out, "\"shared\":false}\n", "and what is behind it");
	T_HAS(ran.out, "/sets/s: 1 prefixes -> 5 prefixes, 4 added (a, b, c, ..)\n", "counts as they are");
	snprintf(words, sizeof(words), "-j policy diff %s", good);
	T_EQ(ctl(words), 0, "diff as a document");
	T_HAS(ran.out, NAMES_TEN, "all names");
	T_HAS(ran.out, TEXTS_TEN, "the whole list");
	T_EQ(ctl("policy confirm"), 2, "refused");
	T_EQ(ctl("policy confirm 8"), 2, "of a number: refused");
	T_EQ(ctl("policy confirm cable"), 1, "of a name: is no number");
	T_HAS(ran.err, "GENERATION", "says what is wanted");
	T_EQ(ctl("policy show"), 0, "show");
	T_STR(ran.out, "{\n  \"version\": 1\n}\n", "as it is");
	T_EQ(ctl("policy show -j"), 0, "show as a document");
	doc = document("lazaret/policy");
	T_EQ(cJSON_GetNumberValue(
		     cJSON_GetObjectItem(cJSON_GetObjectItem(doc, "policy"), "version")),
	     1, "policy inside");
	cJSON_Delete(doc);
	snprintf(words, sizeof(words), "policy apply %s --yes", good);
	T_EQ(ctl(words), 0, "applied");
	T_HAS(ran.out, "\n  lazaretctl policy confirm 8\n", "what comes next");
	snprintf(words, sizeof(words), "--instance lz-t policy apply %s --yes", good);
	T_EQ(ctl(words), 0, "applied to an instance");
	T_HAS(ran.out, "\n  lazaretctl --instance lz-t policy confirm 8\n", "as it is to be typed");
	T_HAS(ran.out, "\n  lazaretctl --instance lz-t policy undo\n", "both of them");
	unlink(good);
	unlink(bad);
}

static void events(void)
{
	T_EQ(ctl("monitor"), 0, "ends with the server");
	T_HAS(ran.out, "2026-01-02T03:04:05Z limit address=192.0.2.7\n", "text");
	T_EQ(ctl("monitor -j"), 0, "json");
	T_STR(ran.out,
	      "{\"schema\":\"lazaret/event\",\"version\":1,\"time\":\"2026-01-02T03:04:05Z\","
	      "\"event\":\"limit\",\"address\":\"192.0.2.7\"}\n"
	      "{\"schema\":\"lazaret/event\",\"version\":1}\n",
	      "one document a line");
	T_EQ(ctl("top count 2 every 1ms"), 0, "top");
	T_HAS(strstr(ran.out, "held 3") + 6, "held 3", "twice");
}

/* The kill switch works without a daemon: lazaretd is run with the right words. */
static void bypass(void)
{
	char script[64];

	T_EQ(ctl("bypass on"), 0, "daemon");
	T_HAS(ran.out, "BYPASS IS ON", "says so");
	snprintf(script, sizeof(script), "%s/lazaretd", dir);
	write_file(script, "#!/bin/sh\necho \"$@\"\nexit 6\n");
	chmod(script, 0755);
	run_dir = "/nonexistent";
	T_EQ(ctl("--instance lz-t bypass on for 1h"), 6, "exit code of lazaretd");
	T_STR(ran.out, "--bypass on 3600 --instance lz-t\n", "its words");
	T_EQ(ctl("--instance lz-t bypass status"), 6, "status");
	T_STR(ran.out, "--bypass status --instance lz-t\n", "its words");
	for (int i = 0; i < 3; i++) {
		static const char *const words[] = { "bypass on", "bypass off", "-j bypass status" };

		T_EQ(ctl(words[i]), 1, "a directory alone does not say whose switch");
		T_OK(!strstr(ran.out, "--bypass"), "nothing is run");
		T_HAS(ran.err, "lazaretctl: bypass: lazaretd does not answer in /nonexistent, ", "says why");
		T_HAS(ran.err, "nothing was done; repeat the command with --instance NAME, or without --run if", "and what to do");
	}
	run_dir = NULL;
	T_EQ(ctl("--instance lz-none bypass status"), 6, "an instance says it all");
	T_STR(ran.out, "--bypass status --instance lz-none\n", "its words");
	run_dir = "/nonexistent";
	T_EQ(ctl("backtest a.pcap --policy p.json"), 6, "backtest");
	T_STR(ran.out, "--backtest --policy p.json a.pcap\n", "its words");
	T_EQ(ctl("preflight --policy p.json"), 6, "preflight, of a policy that is not there yet");
	T_STR(ran.out, "--preflight --policy p.json\n", "its words");
	T_EQ(ctl("doctor"), 3, "doctor needs the daemon");
	T_STR(ran.out, "--preflight\n", "but tells what it can");
	run_dir = dir;
	unlink(script);
}

/* With an error of our choice, but not for who listens to lazaretctl here. */
static int poll_error;
static pid_t listener;

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	if (poll_error && getpid() != listener) {
		errno = poll_error;
		return -1;
	}
	return (int)syscall(SYS_poll, fds, n, timeout_ms);
}

/* What lazaretd prints and says as a program, with -j: one document with code and error. */
static void programs(void)
{
	static const struct {
		const char *words, *script;
		int code;
		const char *document;
	} rows[] = {
		{ "-j preflight", "echo '{\"schema\":\"lazaret/preflight\",\"version\":1,\"checks\":[]}'", 0,
		  "{\"schema\":\"lazaret/preflight\",\"version\":1,\"checks\":[],\"code\":0}\n" },
		{ "-p preflight", "echo '{\"checks\":[]}'", 0, "{\n  \"checks\": [],\n  \"code\": 0\n}\n" },
		{ "-j doctor", "echo '{\"checks\":[]}'; exit 2", 3,
		  "{\"checks\":[],\"code\":3,\"error\":\"lazaretd does not answer: this is what preflight found\"}\n" },
		{ "-j --instance lz-t bypass on", "echo '{\"bypass\":{\"on\":true}}'; echo level=warning event=bypass-on >&2", 0,
		  "{\"bypass\":{\"on\":true},\"command\":\"on\",\"code\":0}\n" },
		{ "-j backtest --policy P c", "echo 'lazaretd: c: cannot read' >&2; exit 1", 1,
		  "{\"schema\":\"lazaret/backtest\",\"version\":1,\"code\":1,\"error\":\"c: cannot read\"}\n" },
		{ "-j backtest --policy P c", "echo '{\"packets\":7}'; echo 'lazaretd: c: breaks off' >&2; exit 6", 6,
		  "{\"packets\":7,\"code\":6,\"error\":\"c: breaks off\"}\n" },
		{ "-j preflight", "echo 'event=x'; exit 0", 2,
		  "{\"schema\":\"lazaret/preflight\",\"version\":1,\"code\":2," },
		{ "-j preflight", "kill -9 $$", 2,
		  "{\"schema\":\"lazaret/preflight\",\"version\":1,\"code\":2,\"error\":\"" },
	};
	char script[64], text[256];

	snprintf(script, sizeof(script), "%s/lazaretd", dir);
	run_dir = "/nonexistent";
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].document);
		cJSON *doc = NULL;

		snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", rows[i].script);
		write_file(script, text);
		chmod(script, 0755);
		T_EQ(ctl(rows[i].words), rows[i].code, rows[i].script);
		T_EQ(lz_json_parse(ran.out, strlen(ran.out), &doc, NULL), 0, "one document");
		T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(doc, "code")), rows[i].code, "its code");
		cJSON_Delete(doc);
		ran.out[rows[i].document[len - 1] == '\n' ? strlen(ran.out) : len] = '\0';
		T_STR(ran.out, rows[i].document, rows[i].words);
	}
	listener = getpid();
	poll_error = ENOMEM;
	T_EQ(ctl("-j preflight"), 2, "a kernel without memory");
	poll_error = 0;
	cJSON_Delete(document("lazaret/preflight"));
	T_HAS(ran.out, "lazaretd: what it said was not heard: Cannot allocate memory; ask again, or without -j\"",
	      "says so, once");
	unlink(script);
	T_EQ(ctl("-j preflight"), 2, "no lazaretd");
	cJSON_Delete(document("lazaret/preflight"));
	T_HAS(ran.out, "\"code\":2,\"error\":\"cannot run ", "says so");
	run_dir = dir;
}

static const struct t_case cases[] = {
	{ "cli: status", status_text },
	{ "cli: health fails while bypassed", health_is_strict },
	{ "cli: source list as text", sources_text },
	{ "cli: source list as JSON", sources_json },
	{ "cli: every code is an exit code", every_code },
	{ "cli: holding and freeing", hold_says_what_it_touched },
	{ "cli: 10,000 rows", long_lists },
	{ "cli: an import that is partly done", import_partly },
	{ "cli: policies", policies },
	{ "cli: monitor and top", events },
	{ "cli: kill switch, backtest, doctor without a daemon", bypass },
	{ "cli: a started program with -j", programs },
};

int main(void)
{
	return cli_fake_run(cases, LZ_ARRAY_SIZE(cases));
}
