/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_cli_words.c - the words of lazaretctl: what is understood, what is hinted at, completion,
 * help and man page; and what is said when nobody, or the wrong one, answers.
 */
#include "unit/cli_fake.h"

static void words_and_hints(void)
{
	static const struct {
		const char *words;
		int code;
		const char *says;
	} rows[] = {
		{ "quarantin list", 0, "" }, /* a beginning that only one word has */
		{ "qurantine list", 1, "'qurantine' is unknown; did you mean 'quarantine'?" },
		{ "p", 1, "'p' is ambiguous\n  want: preflight, policy" },
		{ "policy", 1, "'policy' is not complete\n  want: check, diff, apply" },
		{ "-j q l", 1, "with -j words are written in full: quarantine list" },
		{ "quarantine add", 1, "quarantine add: ADDRESS is missing" },
		{ "quarantine show RT-7", 1, "ADDRESS|CASE: 'RT-7' is neither an address nor the number of a case" },
		{ "quarantine show 0", 1, "ADDRESS|CASE: 0 is out of range" },
		{ "quarantine add 192.0.2.1/24", 1, "ADDRESS: '192.0.2.1/24' is not an address" },
		{ "quarantine add 192.0.2.1 for", 1, "'for' needs TIME" },
		{ "quarantine add 192.0.2.1 for 1500ms", 1, "for: '1500ms' is no time" },
		{ "quarantine add 192.0.2.1 for 24", 1,
		  "for: '24' is not a duration: write 24s, 24m, 24h or 24d\n" },
		{ "bypass on for 30", 1, "for: '30' is not a duration: write 30s, 30m, 30h or 30d\n" },
		{ "quarantine add 192.0.2.1 fro 3h", 1, "did you mean 'for'?" },
		{ "exception add 192.0.2.1 port26 until 2099-01-01 ticket X", 1,
		  "'port26' is not accepted (want port25|all)" },
		{ "quarantine add 192.0.2.1 throttle", 1, "'throttle' needs RATE" },
		{ "source list --limit 1000000", 0, "" },
		{ "source list --limit 1000001", 1, "source list: --limit: 1000001 is out of range (want 1..1000000)\n" },
		{ "source list --limit many", 1, "source list: --limit: 'many' is not a number (want 1..1000000)\n" },
		{ "top --limit 1001 count 1", 1, "top: --limit: 1001 is out of range (want 1..1000)\n" },
		{ "audit list --limit 0", 1, "audit list: --limit: 0 is out of range (want 1..1000)\n" },
		{ "quarantine add 192.0.2.1 throttle 10/min block25", 1,
		  "quarantine add: only one of garden, block25, throttle\n" },
		{ "quarantine add 192.0.2.1 garden strict block25", 1,
		  "quarantine add: only one of garden, block25, throttle\n" },
		{ "quarantine add 192.0.2.1 reason \xff\xfe", 1, "quarantine add: reason: is not UTF-8\n" },
		{ "quarantine add 192.0.2.1 reason \xc3\xa4\xe2\x82", 1, "quarantine add: reason: is not UTF-8\n" },
		{ "quarantine add 192.0.2.1 ticket a\x1b[31m", 1,
		  "quarantine add: ticket: has control characters (want one line of text)\n" },
		{ "quarantine add 192.0.2.1 throttle 1/s\xff", 1, "quarantine add: throttle: is not UTF-8\n" },
		{ "quarantine add 192.0.2.1 reason \xc3\xa4", 0, "" },
		{ "quarantine add 192.0.2.1 for 1h for 2h", 1, "'for' is given twice" },
		{ "exception add 192.0.2.0/24 port25 until soon ticket X", 1, "until: 'soon'" },
		{ "--instance a/b status", 1, "option --instance: 'a/b' is no name" },
		{ "--color status", 1, "option '--color' is unknown" },
		{ "status more", 1, "'more' is not expected here\n  want: status\n" },
		{ "exception add 192.0.2.1 all until 1969-12-31 ticket X", 1, "12:00:00Z, 1970..2200)\n" },
		{ "exception add 192.0.2.1 all until 2201-01-01 ticket X", 1, "12:00:00Z, 1970..2200)\n" },
		{ "exception add 192.0.2.1 all until 1970-01-01 ticket X", 0, "" }, /* a time; the daemon says it is over */
		{ "quarantine undo --since 1970-01-01", 0, "" },
		{ "quarantine undo --since 2201-01-01", 1, "2027-03-01T12:00:00Z; 1970..2200)\n" },
		{ "quarantine undo --since 10mo", 1, "'10mo' is neither so long ago nor a time (want e.g. 10m" },
		{ "quarantine add 192.0.2.1 for 1h90m", 1, "for: '1h90m' is not a duration (want e.g. 30s, " },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		T_EQ(ctl(rows[i].words), rows[i].code, rows[i].words);
		T_HAS(ran.err, rows[i].says, rows[i].words);
	}
}

static void no_daemon(void)
{
	char path[64];
	struct lz_err err;
	int fd;

	run_dir = "/nonexistent";
	T_EQ(ctl("status"), 3, "no socket");
	T_HAS(ran.err,
	      "lazaretctl: lazaretd is not running: cannot connect to /nonexistent/read.sock",
	      "one clear line");
	T_HAS(ran.err, "start it with 'systemctl start lazaret'", "by the name of the unit");
	T_EQ(ctl("--instance lz-t status"), 3, "no socket of an instance");
	T_HAS(ran.err, "start it with 'lazaretd --instance lz-t'\n", "which no unit starts");
	snprintf(path, sizeof(path), "%s/hung", dir);
	mkdir(path, 0755);
	run_dir = path;
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/read.sock");
	fd = lz_serve_listen(path, 0666, (gid_t)-1, &err);
	path[strlen(path) - strlen("/read.sock")] = '\0';
	T_EQ(ctl("status"), 3, "a socket nobody listens on");
	T_EQ(listen(fd, 0), 0, "listens, but never answers");
	T_EQ(ctl("status"), 3, "a daemon that hangs");
	T_HAS(ran.err, "lazaretd does not answer", "says so");
	T_OK(ran.took_ms >= 1900 && ran.took_ms < 4000, "after 2 s");
	close(fd);
	run_dir = dir;
	snprintf(path, sizeof(path), "%s/hung/read.sock", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/hung", dir);
	rmdir(path);
}

/* 2 would be "not healthy", and nobody has said so. */
static void one_too_many(void)
{
	int fds[LZ_PROTO_CONNECTIONS_ROOT], most = getuid() ? LZ_PROTO_CONNECTIONS_PER_UID : LZ_PROTO_CONNECTIONS_ROOT;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/read.sock", dir);
	for (int i = 0; i < most; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		T_EQ(connect(fds[i], (struct sockaddr *)&sun, sizeof(sun)), 0, "connects");
	}
	T_EQ(ctl("health"), 3, "it could not be asked");
	T_HAS(ran.err, "lazaretctl: connection: too many connections of uid", "says why");
	T_OK(ran.took_ms >= 1900 && ran.took_ms < 4000, "after 2 s");
	T_EQ(ctl("-j health"), 3, "the same as a document");
	for (int i = 0; i < most; i++)
		close(fds[i]);
	T_EQ(ctl("status"), 0, "and now it can");
}

static void not_permitted(void)
{
	if (getuid())
		T_SKIP("needs root to become another user");
	as_uid = NOBODY;
	T_EQ(ctl("quarantine add 192.0.2.1"), 5, "control.sock is closed to others");
	T_HAS(ran.err, "not permitted; become root or a member of the group lazaret, and of lazaret-admin to",
	      "says so");
	T_EQ(ctl("status"), 0, "looking is open to all");
	T_EQ(ctl("why 192.0.2.1"), 5, "reading of customers is not");
	T_HAS(ran.err, "become root or a member of the group lazaret-view", "says who may");
	as_uid = 0;
}

/* Is @name a field of the answer itself, not of an object in it? */
static bool has_field(const char *reply, const char *name)
{
	int depth = 0;

	for (const char *p = reply; *p;) {
		size_t len = strcspn(p, " {}");

		if (!depth && len == strlen(name) && !strncmp(p, name, len))
			return true;
		p += len;
		depth += *p == '{';
		depth -= *p == '}';
		p += !!*p;
	}
	return false;
}

/* The table of commands and that of proto.h fit each other, and so do the printed pages. */
static void tables_fit(void)
{
	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		bool asked = false;

		for (size_t j = 0; j < lz_cli_commands_n; j++)
			asked |= lz_cli_commands[j].ask &&
				 lz_streq(lz_cli_commands[j].ask, lz_proto_commands[i].name);
		T_OK(asked, lz_proto_commands[i].name);
	}
	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		static const char *const taken[] = { "schema", "version", "command", "code", "error" };

		for (size_t j = 0; j < LZ_ARRAY_SIZE(taken); j++)
			T_OK(!has_field(lz_proto_commands[i].reply, taken[j]), "the document has this key already");
	}
	T_EQ(ctl("--help"), 0, "help");
	expect_tame(ran.out);
	for (size_t j = 0; j < lz_cli_commands_n; j++) {
		char line[64];

		snprintf(line, sizeof(line), "\n  %s", lz_cli_commands[j].words);
		T_HAS(ran.out, line, "help has every command");
		T_OK(lz_cli_commands[j].run || (lz_cli_commands[j].ask && lz_cli_commands[j].view),
		     lz_cli_commands[j].words);
	}
}

static void help_as_document(void)
{
	static const struct {
		const char *words;
		int commands; /* -1: all */
	} rows[] = { { "-j help", -1 },
		     { "-j --help", -1 },
		     { "-j range --help", 5 },
		     { "-p quarantine add -h", 1 },
		     { "-j help health", 1 } };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		int all = (int)lz_cli_commands_n;
		const cJSON *first;
		cJSON *doc;

		T_EQ(ctl(rows[i].words), 0, rows[i].words);
		doc = document("lazaret/help");
		first = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "commands"), 0);
		T_EQ(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "commands")),
		     rows[i].commands < 0 ? all : rows[i].commands, rows[i].words);
		T_OK(cJSON_IsString(cJSON_GetObjectItem(first, "pattern")), "with patterns");
		T_EQ(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "options")), (int)lz_cli_options_n, "options");
		T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(doc, "code")), 0, "code");
		cJSON_Delete(doc);
	}
	T_EQ(ctl("-j help nonsense"), 1, "no such command");
	cJSON_Delete(document("lazaret/help"));
}

/* Complete `lazaretctl WORDS` in a real bash; the candidates, one blank between them. */
static void expect_completion(const char *words, const char *candidates)
{
	char command[512], got[256] = "";
	FILE *f;

	snprintf(command, sizeof(command),
		 "bash -c '. %s/completion; COMP_WORDS=(lazaretctl %s); "
		 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _lazaretctl; echo \"${COMPREPLY[*]}\"'",
		 dir, words);
	f = popen(command, "r");
	if (!f || !fgets(got, sizeof(got), f))
		T_OK(false, "bash answers");
	if (f)
		pclose(f);
	got[strcspn(got, "\n")] = '\0';
	T_STR(got, candidates, words);
}

static void completion(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/completion", dir);
	run_dir = NULL;
	T_EQ(ctl("--completion"), 0, "prints");
	run_dir = dir;
	write_file(path, ran.out);
	expect_completion("quarantine \"\"", "add set del list show import export undo guard");
	expect_completion("-j --instance lz-t q", "quarantine");
	expect_completion("p", "preflight policy portal");
	expect_completion("quarantine add 192.0.2.1 f", "for");
	expect_completion("quarantine add 192.0.2.1 s", "staff-only");
	expect_completion("exception add 192.0.2.1 p", "port25");
	expect_completion("bypass o", "on off");
	unlink(path);
}

static void man_page(void)
{
	run_dir = NULL;
	T_EQ(ctl("--man"), 0, "prints");
	T_HAS(ran.out, ".TH LAZARETCTL 8 ", "title");
	T_HAS(ran.out,
	      ".TP\n\\fBquarantine add\\fR \\fIADDRESS\\fR [\\fBfor\\fR \\fITIME\\fR] "
	      "[\\fBreason\\fR \\fITEXT\\fR] [\\fBticket\\fR \\fIID\\fR] "
	      "[\\fBgarden\\fR \\fINAME\\fR] [\\fBblock25\\fR] [\\fBthrottle\\fR "
	      "\\fIRATE\\fR] [\\fBstaff\\-only\\fR]\n",
	      "a command");
	T_HAS(ran.out, ".TP\n\\fBquarantine show\\fR \\fIADDRESS|CASE\\fR\n", "a case has a number");
	T_HAS(ran.out, ".TP\n7\nstopped by a guard\n", "exit codes");
	T_HAS(ran.out, "\nfor commands that change something, for the questions\n"
	      "\\fBpolicy diff\\fR,\n\\fBquarantine guard\\fR\n"
	      "and, if they are members of lazaret-admin, too, for\n\\fBpolicy apply\\fR,\n\\fBpolicy confirm\\fR,\n"
	      "\\fBpolicy undo\\fR,\n\\fBrange add\\fR,\n\\fBrange del\\fR,\n\\fBaudit list\\fR,\n"
	      "\\fBbypass on\\fR,\n\\fBbypass off\\fR\n",
	      "which questions need the other socket");
	T_HAS(ran.out, "everybody may ask for\n\\fBstatus\\fR,\n\\fBhealth\\fR,\n\\fBpolicy counters\\fR,\n"
	      "\\fBportal options\\fR,\n\\fBbypass status\\fR\nand only members of the group lazaret-view",
	      "and which are open");
	T_EQ(ctl("help quarantine add"), 0, "the word for it");
	T_HAS(ran.out, "\n  quarantine add ", "help of a command");
	T_OK(!strstr(ran.out, "\n  policy "), "of that command");
	T_EQ(ctl("--version"), 0, "version");
	T_STR(ran.out, "lazaretctl " LZ_VERSION "\n", "version");
	run_dir = dir;
}

static const struct t_case cases[] = {
	{ "cli: words, abbreviations, hints", words_and_hints },
	{ "cli: no daemon, or one that hangs", no_daemon },
	{ "cli: one too many", one_too_many },
	{ "cli: not permitted", not_permitted },
	{ "cli: tables fit", tables_fit },
	{ "cli: help with -j is a document", help_as_document },
	{ "cli: completion in bash", completion },
	{ "cli: man page", man_page },
};

int main(void)
{
	return cli_fake_run(cases, LZ_ARRAY_SIZE(cases));
}
