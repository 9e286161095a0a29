/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_cli.c - lazaretctl against a fake daemon: real sockets and the real server, canned answers.
 * What is checked is what people and scripts see: exit codes, stdout, stderr.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "lib/t.h"
#include "serve/serve.h"

#define NOBODY	  65534
#define LIST_ROWS 10000

static char dir[] = "/tmp/lz-t-cli-XXXXXX";

/* ---------------------------------------------------------------- the fake daemon */

struct canned {
	const char *cmd;
	const char *rows[4];
	int code;
	const char *error;
	const char *fields;
};

static const struct canned answers[] = {
	{ "status",
	  { "{\"interface\":\"eth0\",\"side\":\"uplink\",\"hook\":\"xdp\",\"up\":true,"
	    "\"received_packets\":123456789012345,\"passed_packets\":7,\"dropped_packets\":0}" },
	  0,
	  NULL,
	  "{\"bypass\":{\"on\":true,\"until\":null,\"actor\":\"uid 0\"},\"version\":\"0.1.0\","
	  "\"policy\":{\"name\":\"cable\",\"generation\":7,\"mode\":\"enforce\"},"
	  "\"alarms\":[\"link \\u001b[31mdown\"]}" },
	{ "health",
	  { NULL },
	  0,
	  NULL,
	  "{\"healthy\":true,\"bypass\":{\"on\":true},\"checks\":[]}" },
	{ "monitor",
	  { "{\"time\":\"2026-01-02T03:04:05Z\",\"event\":\"limit\",\"address\":\"192.0.2.7\"}",
	    "{}" },
	  0,
	  NULL,
	  NULL },
	{ "top", { "{\"address\":\"192.0.2.7\",\"syn_per_s\":17}" }, 0, NULL, "{\"held\":3}" },
	{ "policy.show", { NULL }, 0, NULL, "{\"generation\":7,\"name\":\"cable\"}" },
	{ "policy.confirm", { NULL }, 2, "policy: nothing waits for a confirm", NULL },
	{ "source.list",
	  { "{\"address\":\"2001:db8:1234:5678::/64\","
	    "\"class\":\"vps\\u001b[31m\\u202eevil\\u007f\\u009b\","
	    "\"examined\":5,\"syn\":4294967295,\"smtp_connections\":2,\"smtp_destinations\":1,"
	    "\"dropped\":12345678,\"would_drop\":0,\"seen\":\"2026-01-02T03:04:05Z\"}",
	    "{\"address\":\"192.0.2.7\",\"class\":null,\"examined\":5,\"syn\":1}" },
	  0,
	  NULL,
	  "{\"total\":2}" },
	{ "quarantine.add",
	  { NULL },
	  0,
	  NULL,
	  "{\"address\":\"2001:db8:1::5\",\"touched\":[\"2001:db8:1::/64\",\"192.0.2.9\"],"
	  "\"customer\":\"C12\",\"garden\":\"leaky\",\"until\":\"2199-01-01T00:00:00Z\","
	  "\"extended\":true}" },
	{ "quarantine.del", { NULL }, 4, "192.0.2.9: not held", NULL },
	{ "quarantine.undo",
	  { "{\"address\":\"192.0.2.1\",\"touched\":[\"192.0.2.1\"],\"actor\":\"mad-ids\"}" },
	  0,
	  NULL,
	  "{\"freed\":1}" },
	{ "bypass.on", { NULL }, 0, NULL, "{\"bypass\":{\"on\":true,\"until\":null}}" },
};

/* `why 192.0.2.N` is answered with code N: the way to see every code. */
static void answer_why(struct lz_request *req)
{
	const char *address;
	int code;

	lz_json_get_str(lz_request_args(req), "address", &address, NULL);
	code = atoi(address + strlen("192.0.2."));
	lz_reply_end(req, (enum lz_code)code, code ? "as asked" : NULL, NULL);
}

/* Says what arrived; refuses without yes when the payload is a policy. */
static void answer_payload(struct lz_request *req)
{
	cJSON *fields = cJSON_CreateObject();
	bool yes = false;
	size_t len, lines = 0;
	const char *text = lz_request_payload(req, &len);

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	lz_json_add_u64(fields, "entries", lines);
	lz_json_add_u64(fields, "bytes", len);
	lz_json_add_str(fields, "name", "cable");
	lz_json_add_u64(fields, "generation", 8);
	lz_json_add_str(fields, "deadline", "2199-01-01T00:00:00Z");
	lz_json_opt_bool(lz_request_args(req), "yes", &yes, NULL);
	if (lz_streq(lz_request_cmd(req), "quarantine.import")) {
		lz_reply_row(
			req,
			cJSON_Parse("{\"line\":2,\"address\":\"192.0.2.1\",\"error\":\"never\"}"));
		lz_reply_end(req, LZ_CODE_PARTLY, "1 of 2 entries was refused", fields);
	} else if (!yes) {
		lz_reply_end(req, LZ_CODE_GUARDED, "would drop 37% of packets", fields);
	} else {
		lz_reply_row(
			req,
			cJSON_Parse("{\"kind\":\"not-in-force\",\"path\":\"/gardens/leaky/web\","
				    "\"text\":\"needs the portal\"}"));
		lz_reply_end(req, LZ_CODE_OK, NULL, fields);
	}
}

static void fill_list(struct lz_request *req, void *arg)
{
	int *n = arg;
	char row[256];

	if (*n == LIST_ROWS) {
		lz_reply_end(req, LZ_CODE_OK, NULL, NULL);
		return;
	}
	snprintf(
		row, sizeof(row),
		"{\"address\":\"100.64.%d.%d\",\"garden\":\"leaky\","
		"\"until\":\"2199-01-01T00:00:00Z\"}",
		*n / 256, *n % 256);
	(*n)++;
	lz_reply_row_text(req, row, strlen(row));
}

static void answer(struct lz_request *req, void *arg)
{
	const char *cmd = lz_request_cmd(req);

	(void)arg;
	if (lz_streq(cmd, "why")) {
		answer_why(req);
		return;
	}
	if (lz_streq(cmd, "quarantine.list")) {
		lz_reply_stream(req, fill_list, free, calloc(1, sizeof(int)));
		return;
	}
	if (lz_streq(cmd, "quarantine.export"))
		lz_reply_payload(req, "192.0.2.1 - leaky\n", 18);
	if (lz_streq(cmd, "policy.show"))
		lz_reply_payload(req, "{\n  \"version\": 1\n}\n", 19);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(answers); i++) {
		const struct canned *c = &answers[i];
		cJSON *fields = c->fields ? cJSON_Parse(c->fields) : cJSON_CreateObject();

		if (!lz_streq(c->cmd, cmd)) {
			cJSON_Delete(fields);
			continue;
		}
		for (size_t r = 0; c->rows[r]; r++)
			lz_reply_row_text(req, c->rows[r], strlen(c->rows[r]));
		cJSON_AddItemToObject(fields, "asked", cJSON_Duplicate(lz_request_args(req), true));
		lz_reply_end(req, (enum lz_code)c->code, c->error, fields);
		return;
	}
	if (lz_streq(cmd, "policy.apply") || lz_streq(cmd, "quarantine.import"))
		answer_payload(req);
	else
		lz_reply_end(req, LZ_CODE_OK, NULL, NULL);
}

static int serve(int control_fd, int read_fd)
{
	struct lz_serve_route routes[LZ_PROTO_COMMANDS];
	struct lz_serve_config config = { .control_fd = control_fd,
					  .read_fd = read_fd,
					  .routes = routes,
					  .routes_n = LZ_PROTO_COMMANDS };
	struct lz_serve *server;
	uv_loop_t loop;

	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++)
		routes[i] = (struct lz_serve_route){ lz_proto_commands[i].name, answer };
	lz_log_level_set(LZ_LOG_ERROR);
	uv_loop_init(&loop);
	config.loop = &loop;
	return lz_serve_open(&config, &server, NULL) || uv_run(&loop, UV_RUN_DEFAULT);
}

/* ---------------------------------------------------------------- running lazaretctl */

static struct {
	int code; /* exit code, or -signal */
	char out[4 * 1024 * 1024], err[65536];
	__u64 took_ms;
} ran;

static const char *run_dir = dir, *input = "";
static uid_t as_uid;

static void be_child(int out, int err, char **argv, int argc)
{
	char daemon[64], in_path[64];
	int in;

	snprintf(in_path, sizeof(in_path), "%s/input", dir);
	snprintf(daemon, sizeof(daemon), "%s/lazaretd", dir);
	in = open(in_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (write(in, input, strlen(input)) < 0 || lseek(in, 0, SEEK_SET) < 0)
		_exit(99);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (as_uid && (setgroups(0, NULL) || setgid(as_uid) || setuid(as_uid)))
		_exit(99);
	exit(lz_cli_run(argc, argv, daemon));
}

static size_t drain(int fd, char *buf, size_t at, size_t size)
{
	ssize_t n = read(fd, buf + at, size - 1 - at);

	return n > 0 ? at + (size_t)n : size; /* size: at its end */
}

static void collect(int out, int err)
{
	struct pollfd p[] = { { .fd = out, .events = POLLIN }, { .fd = err, .events = POLLIN } };
	size_t out_len = 0, err_len = 0, n;

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		poll(p, 2, -1);
		if (p[0].revents) {
			n = drain(out, ran.out, out_len, sizeof(ran.out));
			p[0].fd = n == sizeof(ran.out) ? -1 : out;
			out_len = n == sizeof(ran.out) ? out_len : n;
		}
		if (p[1].revents) {
			n = drain(err, ran.err, err_len, sizeof(ran.err));
			p[1].fd = n == sizeof(ran.err) ? -1 : err;
			err_len = n == sizeof(ran.err) ? err_len : n;
		}
	}
	ran.out[out_len] = '\0';
	ran.err[err_len] = '\0';
}

/* Run `lazaretctl [--run DIR] WORDS` (one blank between words; '_' in a word becomes a blank). */
static int ctl(const char *words)
{
	char copy[1024], *argv[32] = { (char[]){ "lazaretctl" }, (char[]){ "--run" } },
			 *rest = copy;
	char dir_copy[128];
	int out[2], err[2], status, argc = run_dir ? 3 : 1;
	__u64 start_ns = lz_clock_mono_ns();
	pid_t pid;

	snprintf(dir_copy, sizeof(dir_copy), "%s", run_dir ? run_dir : "");
	snprintf(copy, sizeof(copy), "%s", words);
	if (run_dir)
		argv[2] = dir_copy;
	while (*words && argc < 31 && (argv[argc] = strsep(&rest, " "))) {
		for (char *p = argv[argc]; *p; p++)
			*p = *p == '_' ? ' ' : *p;
		argc++;
	}
	fflush(stdout);
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0)
		be_child(out[1], err[1], argv, argc);
	close(out[1]);
	close(err[1]);
	collect(out[0], err[0]);
	close(out[0]);
	close(err[0]);
	waitpid(pid, &status, 0);
	ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	ran.took_ms = (lz_clock_mono_ns() - start_ns) / LZ_NS_PER_MS;
	return ran.code;
}

/* The document on stdout, which must be exactly one. */
static cJSON *document(const char *schema)
{
	struct lz_err err = { "" };
	cJSON *doc = NULL;

	T_EQ(lz_json_parse(ran.out, strlen(ran.out), &doc, &err), 0, err.text);
	T_STR(cJSON_GetStringValue(cJSON_GetObjectItem(doc, "schema")), schema, "schema");
	T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(doc, "version")), 1, "version");
	return doc;
}

/* Nothing a terminal would obey, no line longer than 80 columns. */
static void expect_tame(const char *text)
{
	unsigned int column = 0, longest = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		column = *p == '\n' ? 0 : column + ((*p & 0xc0) != 0x80);
		longest = column > longest ? column : longest;
		if ((*p < 0x20 && *p != '\n') || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			T_OK(false, "control character in the output");
	}
	T_OK(!strstr(text, "\xe2\x80\xae"), "no change of direction");
	T_OK(longest <= 80, "at most 80 columns");
}

/* ---------------------------------------------------------------- cases */

static void status_text(void)
{
	T_EQ(ctl(""), 0, "no word is status");
	T_OK(!strncmp(ran.out, "BYPASS IS ON until it is switched off", 37), "bypass comes first");
	T_HAS(ran.out, "ALARM: link \\x1b[31mdown\n", "alarm, escaped");
	T_HAS(ran.out, "generation   7\n", "policy");
	expect_tame(ran.out);
}

static void health_is_strict(void)
{
	cJSON *doc;

	T_EQ(ctl("health"), 2, "a bypassed gateway is not healthy, whatever the daemon says");
	T_EQ(ctl("-j health"), 2, "nor with -j");
	doc = document("lazaret/health");
	T_EQ(cJSON_GetNumberValue(cJSON_GetObjectItem(doc, "code")), 2, "the document agrees");
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
	T_EQ(ctl("-j quarantine add 2001:db8:1::5 garden strict ticket RT-1 reason -j for 72h"), 0,
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

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	T_OK(f && fputs(text, f) >= 0 && !fclose(f), "file written");
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
	T_HAS(ran.out, "lazaretctl policy confirm\n", "how to confirm");
	T_HAS(ran.out, "not-in-force: /gardens/leaky/web: needs the portal\n", "what sleeps");
	T_EQ(ctl("policy confirm"), 2, "refused");
	T_EQ(ctl("policy show"), 0, "show");
	T_STR(ran.out, "{\n  \"version\": 1\n}\n", "as it is");
	T_EQ(ctl("policy show -j"), 0, "show as a document");
	doc = document("lazaret/policy");
	T_EQ(cJSON_GetNumberValue(
		     cJSON_GetObjectItem(cJSON_GetObjectItem(doc, "policy"), "version")),
	     1, "policy inside");
	cJSON_Delete(doc);
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
		{ "quarantine add 192.0.2.1/24", 1, "ADDRESS: '192.0.2.1/24' is not an address" },
		{ "quarantine add 192.0.2.1 for", 1, "'for' needs TIME" },
		{ "quarantine add 192.0.2.1 for 1500ms", 1, "for: '1500ms' is no time" },
		{ "quarantine add 192.0.2.1 fro 3h", 1, "did you mean 'for'?" },
		{ "exception add 192.0.2.1 port26 until 2099-01-01 ticket X", 1,
		  "'port26' is not accepted (want port25|all)" },
		{ "quarantine add 192.0.2.1 throttle", 1, "'throttle' needs RATE" },
		{ "quarantine add 192.0.2.1 for 1h for 2h", 1, "'for' is given twice" },
		{ "exception add 192.0.2.0/24 port25 until soon ticket X", 1, "until: 'soon'" },
		{ "--instance a/b status", 1, "option --instance: 'a/b' is no name" },
		{ "--color status", 1, "option '--color' is unknown" },
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

static void not_permitted(void)
{
	if (getuid())
		T_SKIP("needs root to become another user");
	as_uid = NOBODY;
	T_EQ(ctl("quarantine add 192.0.2.1"), 5, "control.sock is closed to others");
	T_HAS(ran.err, "not permitted; become root or a member of the group lazaret-admin",
	      "says so");
	T_EQ(ctl("status"), 0, "reading is open to all");
	as_uid = 0;
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
	T_EQ(ctl("-j --instance lz-t bypass on for 1h"), 6, "exit code of lazaretd");
	T_STR(ran.out, "--bypass on 3600 --instance lz-t -j\n", "its words");
	T_EQ(ctl("bypass status"), 6, "status");
	T_STR(ran.out, "--bypass status\n", "its words");
	T_EQ(ctl("backtest a.pcap --policy p.json"), 6, "backtest");
	T_STR(ran.out, "--backtest --policy p.json a.pcap\n", "its words");
	T_EQ(ctl("doctor"), 3, "doctor needs the daemon");
	T_STR(ran.out, "--preflight\n", "but tells what it can");
	run_dir = dir;
	unlink(script);
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
	expect_completion("p", "preflight policy");
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
	T_HAS(ran.out, ".TP\n7\nstopped by a guard\n", "exit codes");
	T_EQ(ctl("--version"), 0, "version");
	T_STR(ran.out, "lazaretctl " LZ_VERSION "\n", "version");
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
	{ "cli: words, abbreviations, hints", words_and_hints },
	{ "cli: no daemon, or one that hangs", no_daemon },
	{ "cli: not permitted", not_permitted },
	{ "cli: kill switch, backtest, doctor without a daemon", bypass },
	{ "cli: tables fit", tables_fit },
	{ "cli: completion in bash", completion },
	{ "cli: man page", man_page },
};

int main(void)
{
	char control[64], reading[64], input_path[64];
	struct lz_err err;
	int control_fd, read_fd, r;
	pid_t server;

	setenv("LC_ALL", "C", 1);
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return EXIT_FAILURE;
	snprintf(control, sizeof(control), "%s/control.sock", dir);
	snprintf(reading, sizeof(reading), "%s/read.sock", dir);
	snprintf(input_path, sizeof(input_path), "%s/input", dir);
	control_fd = lz_serve_listen(control, 0660, (gid_t)-1, &err);
	read_fd = lz_serve_listen(reading, 0666, (gid_t)-1, &err);
	if (control_fd < 0 || read_fd < 0) {
		printf("Bail out! %s\n", err.text);
		return EXIT_FAILURE;
	}
	server = fork();
	if (server == 0)
		_exit(serve(control_fd, read_fd));
	close(control_fd);
	close(read_fd);
	usleep(100 * 1000);
	r = T_MAIN(cases);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(control);
	unlink(reading);
	unlink(input_path);
	rmdir(dir);
	return r;
}
