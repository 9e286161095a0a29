/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_tell.c - what leaves this machine about a case: signatures against RFC 4231, mail that no text
 * can break out of, programs that hang, shout or are not root's, keys that anybody can read.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "lib/t.h"
#include "tell/child.h"
#include "tell/mail.h"
#include "tell/sign.h"

/* ---------------------------------------------------------------- signatures */

static const struct {
	unsigned char fill; /* the key is @len of it; 0: @key */
	const char *key;
	size_t len;
	const char *data, *mac;
} vectors[] = {
	{ 0x0b, NULL, 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ 0, "Jefe", 4, "what do ya want for nothing?",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ 0xaa, NULL, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
	  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	{ 0xaa, NULL, 131,
	  "This is a test using a larger than block-size key and a larger than block-size data. The key "
	  "needs to be hashed before being used by the HMAC algorithm.",
	  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
};

static void signs_as_rfc_4231(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(vectors); i++)
		for (size_t cut = 0; cut <= strlen(vectors[i].data); cut += 7) {
			struct lz_secret secret = { .len = vectors[i].len };
			char mac[LZ_SIGN_HEX_CHARS + 1], head[256];

			memset(secret.bytes, vectors[i].fill, secret.len);
			if (vectors[i].key)
				memcpy(secret.bytes, vectors[i].key, secret.len);
			snprintf(head, sizeof(head), "%.*s", (int)cut, vectors[i].data);
			T_EQ(lz_hmac(&secret, head, vectors[i].data + cut, mac), 0, vectors[i].data);
			T_STR(mac, vectors[i].mac, vectors[i].data);
		}
}

static void signs_time_and_body(void)
{
	struct lz_secret secret = { .len = 20 };
	char whole[LZ_SIGN_HEX_CHARS + 1], parts[LZ_SIGN_HEX_CHARS + 1];

	memset(secret.bytes, 'k', secret.len);
	T_EQ(lz_sign(&secret, 1800000000, "{}", parts), 0, "sign");
	T_EQ(lz_hmac(&secret, "1800000000.{}", "", whole), 0, "by hand");
	T_STR(parts, whole, "timestamp, dot, body");
}

static void write_file(const char *path, mode_t mode, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	T_OK(fd >= 0 && write(fd, text, len) == (ssize_t)len && fchmod(fd, mode) == 0, path);
	close(fd);
}

static void reads_keys(void)
{
	static char large[LZ_SIGN_SECRET_MAX + 1];
	char dir[] = "/tmp/lz-tell-XXXXXX", path[64];
	struct lz_secret secret;
	struct lz_err err;

	if (!T_OK(mkdtemp(dir), "a scratch folder"))
		return;
	snprintf(path, sizeof(path), "%s/key", dir);
	T_ERR(lz_secret_read(path, &secret, &err), -ENOENT, "none");
	write_file(path, 0640, "sixteen letters.\n", 17);
	T_EQ(lz_secret_read(path, &secret, &err), 0, "group may read");
	T_EQ(secret.len, 16, "without its newline");
	write_file(path, 0644, "sixteen letters.\n", 17);
	T_ERR(lz_secret_read(path, &secret, &err), -EACCES, "everybody may read");
	T_HAS(err.text, "chmod 640", "and what to do");
	write_file(path, 0600, "fifteen letters\n", 16);
	T_ERR(lz_secret_read(path, &secret, &err), -EINVAL, "too short");
	memset(large, 'x', sizeof(large));
	write_file(path, 0600, large, sizeof(large) - 1);
	T_EQ(lz_secret_read(path, &secret, &err), 0, "as long as may be");
	write_file(path, 0600, large, sizeof(large));
	T_ERR(lz_secret_read(path, &secret, &err), -EINVAL, "too long");
	unlink(path);
	T_EQ(mkfifo(path, 0600), 0, "a pipe");
	T_ERR(lz_secret_read(path, &secret, &err), -EINVAL, "is no file, and nobody waits");
	unlink(path);
	T_ERR(lz_secret_read(dir, &secret, &err), -EINVAL, "a folder");
	rmdir(dir);
}

/* ---------------------------------------------------------------- mail */

#define NEWS(more) "{\"key\":\"00ff\",\"event\":\"garden\",\"case\":12,\"opened\":\"2027-01-15T08:00:00Z\"" more "}"

/* 0 and the mail, or -errno and why. */
static int build(const char *news, struct lz_str *out, struct lz_err *err)
{
	lz_autojson cJSON *json = NULL;
	int r = lz_json_parse(news, strlen(news), &json, err);

	return r ?: lz_mail_build("lazaret@gw1.example.net", "abuse@example.net", json, 1800000000, out, err);
}

static void writes_a_mail(void)
{
	static const char expected[] =
		"Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"
		"From: lazaret@gw1.example.net\r\n"
		"To: abuse@example.net\r\n"
		"Subject: [lazaret CASE-12] garden: spam\r\n"
		"Message-ID: <00ff@gw1.example.net>\r\n"
		"In-Reply-To: <case-12.1800000000@gw1.example.net>\r\n"
		"References: <case-12.1800000000@gw1.example.net>\r\n"
		"Auto-Submitted: auto-generated\r\n"
		"X-Auto-Response-Suppress: All\r\n"
		"X-Lazaret-Case: 12\r\n"
		"X-Lazaret-Event: garden\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: 7bit\r\n"
		"\r\n"
		"case      12\r\n"
		"event     garden\r\n"
		"until     2027-01-22T08:00:00Z\r\n"
		"reason    spam\r\n"
		"gateway   gw1\r\n"
		"instance  lab\r\n"
		"\r\n"
		"The gateway knows the rest: lazaretctl --instance lab quarantine show 12\r\n";
	lz_autostr struct lz_str text = {};
	struct lz_err err = { "" };

	T_EQ(build(NEWS(",\"until\":\"2027-01-22T08:00:00Z\",\"reason\":\"spam\",\"gateway\":\"gw1\",\"instance\":\"lab\""), &text,
		   &err), 0, err.text);
	T_STR(text.data, expected, "the whole of it");
}

/* Texts of the world. A row of a subject or body that they could add would be seen by the scan below. */
static const char *const hostile[] = {
	"x\\r\\nBcc: victim@example.org",
	"x\\nBcc: victim@example.org",
	"x\\rBcc: victim@example.org",
	"x\\r\\n\\r\\nbody",
	"x\\r\\n.\\r\\nMAIL FROM:<x>",
	"x\\u0085Bcc: v@example.org",
	"x\\u2028Bcc: v@example.org\\u2029",
	"\\u0000Bcc: v@example.org",
	"\\u000bBcc: v\\u000c\\u001b[31m\\u007f",
	"=?utf-8?q?=0D=0ABcc:_v@example.org?=",
	"=?utf-8?b?DQpCY2M6IHZAZXhhbXBsZS5vcmc=?=",
	"\\u202egnp.exe",
	"M\\u00fcller \\ud83d\\udce7 \\u6771\\u4eac",
	"\\u00fc\\r\\nBcc: v@example.org",
	"%s%n%x ${IFS} `id` $(id) ;|&<>\\\"'",
	"Bcc: v@example.org",
	"\\t\\tBcc: v@example.org",
};

/* Lines end in CRLF and nothing else, none is long, headers are the known ones in the known order. */
static void scan_mail(const char *text, const char *of)
{
	static const char *const names[] = { "Date:", "From:", "To:", "Subject:", "Message-ID:", "In-Reply-To:",
		"References:", "Auto-Submitted:", "X-Auto-Response-Suppress:", "X-Lazaret-Case:",
		"X-Lazaret-Event:", "MIME-Version:", "Content-Type:", "Content-Transfer-Encoding:" };
	bool in_headers = true;
	size_t next = 0;

	for (const char *line = text, *end; *line; line = end + 2) {
		end = strstr(line, "\r\n");
		if (!T_OK(end && end - line <= 998, of))
			return;
		for (const char *c = line; c < end; c++)
			if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f) {
				T_OK(false, of);
				t_show("line", line);
				return;
			}
		if (in_headers && end == line)
			in_headers = false;
		else if (in_headers && *line != ' ') {
			T_OK(next < LZ_ARRAY_SIZE(names) && !strncmp(line, names[next], strlen(names[next])), of);
			next++;
		} else if (in_headers) {
			T_OK(end - line <= 76 && !strncmp(line, " =?utf-8?b?", 11) && !strncmp(end - 2, "?=", 2), of);
		}
	}
	T_EQ(next, LZ_ARRAY_SIZE(names), of);
}

static void lets_no_text_out(void)
{
	static const char *const keys[] = { "reason", "ticket", "grade", "source", "gateway", "instance", "address",
					    "customer", "since", "until" };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(hostile); i++)
		for (size_t k = 0; k < LZ_ARRAY_SIZE(keys); k++)
			for (size_t times = 1; times <= 41; times += 8) {
				lz_autostr struct lz_str news = {}, text = {};
				struct lz_err err = { "" };
				int r;

				lz_str_appendf(&news, "{\"key\":\"00ff\",\"event\":\"garden\",\"case\":12,"
					       "\"opened\":\"2027-01-15T08:00:00Z\",\"%s\":\"", keys[k]);
				for (size_t t = 0; t < times; t++)
					lz_str_append(&news, hostile[i]);
				lz_str_append(&news, "\"}");
				r = build(news.data, &text, &err);
				if (strstr(hostile[i], "u0000")) { /* refused before it is a mail */
					T_ERR(r, -EINVAL, hostile[i]);
					continue;
				}
				if (T_EQ(r, 0, err.text))
					scan_mail(text.data, hostile[i]);
			}
}

static void refuses_odd_news(void)
{
	static const char *const odd[] = {
		"{}", NEWS(",\"x\":1}"),
		"{\"key\":\"00ff\",\"event\":\"garden\",\"case\":0,\"opened\":\"2027-01-15T08:00:00Z\"}",
		"{\"key\":\"00ff\",\"event\":\"garden\",\"case\":1.5,\"opened\":\"2027-01-15T08:00:00Z\"}",
		"{\"key\":\"00ff\",\"event\":\"garden\",\"case\":1,\"opened\":\"yesterday\"}",
		"{\"key\":\"x>\\r\\nBcc: v\",\"event\":\"garden\",\"case\":1,\"opened\":\"2027-01-15T08:00:00Z\"}",
		"{\"key\":\"\",\"event\":\"garden\",\"case\":1,\"opened\":\"2027-01-15T08:00:00Z\"}",
		"{\"key\":\"00\",\"event\":\"a\\r\\nBcc: v\",\"case\":1,\"opened\":\"2027-01-15T08:00:00Z\"}",
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(odd); i++) {
		lz_autostr struct lz_str text = {};
		struct lz_err err = { "" };
		int r = build(odd[i], &text, &err);

		T_OK(r < 0, odd[i]);
		T_OK(err.text[0], "with a reason");
	}
}

/* ---------------------------------------------------------------- programs */

#define TICK_MS 100

static struct {
	int calls;
	unsigned int ticks; /* of TICK_MS in which we ran: late is late, but not what a loaded machine makes late */
	char error[128], output[LZ_CHILD_OUTPUT_MAX];
} ended;

static void on_end(void *arg, const char *error, const char *output)
{
	(void)arg;
	ended.calls++;
	snprintf(ended.error, sizeof(ended.error), "%s", error ? error : "");
	snprintf(ended.output, sizeof(ended.output), "%s", output);
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
	ended.ticks++;
}

/* How long it took, ms of the clock that the limit is kept by: it knows no parts of them. */
static __u64 run(const char *script, const char *input, unsigned int limit_ms)
{
	char sh[] = "/bin/sh", c[] = "-c", text[512], zero[] = "sh", one[] = "garden", two[] = "12";
	char *argv[] = { sh, c, text, zero, one, two, NULL };
	struct lz_err err = { "" };
	uv_timer_t ticks;
	uv_loop_t loop;
	__u64 ms;

	memset(&ended, 0, sizeof(ended));
	snprintf(text, sizeof(text), "%s", script);
	uv_loop_init(&loop);
	uv_timer_init(&loop, &ticks);
	uv_timer_start(&ticks, on_tick, TICK_MS, TICK_MS);
	uv_unref((uv_handle_t *)&ticks);
	ms = uv_now(&loop);
	T_EQ(lz_child_start(&loop, argv, input, limit_ms, on_end, NULL, &err), 0, script);
	uv_run(&loop, UV_RUN_DEFAULT);
	ms = uv_now(&loop) - ms;
	T_EQ(ended.calls, 1, script);
	uv_close((uv_handle_t *)&ticks, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	T_EQ(uv_loop_close(&loop), 0, "nothing is left open");
	return ms;
}

static void runs_programs(void)
{
	char *large = malloc(1 << 20);

	setenv("LZ_TELL_TEST", "secret", 1);
	run("cat; echo \"$1 $2 [$LZ_TELL_TEST] $PWD\"; id -u >/dev/null", "in", 5000);
	T_STR(ended.error, "", "status 0");
	T_STR(ended.output, "ingarden 12 [] /", "input, arguments, a clean environment, in /");
	run("echo out; echo err >&2; exit 3", "", 5000);
	T_STR(ended.error, "ended with status 3", "a status");
	T_STR(ended.output, "out\\nerr", "both streams");
	run("kill -9 $$", "", 5000);
	T_STR(ended.error, "was killed by signal 9", "a signal");
	run("printf '\\033[31mred\\n\\nlevel=info'", "", 5000);
	T_STR(ended.output, "\\x1b[31mred\\n\\nlevel=info", "nothing but plain text comes back");
	memset(large, 'x', (1 << 20) - 1);
	large[(1 << 20) - 1] = '\0';
	run("exit 0", large, 5000);
	T_STR(ended.error, "", "who does not read his input is not wrong");
	free(large);
	run("yes | head -c 3000000; echo end", "", 5000);
	T_STR(ended.error, "", "who shouts is heard to the end");
	T_OK(strlen(ended.output) < LZ_CHILD_OUTPUT_MAX, "and kept only in part");
	run("exec 3>&1 4>&2; (sleep 20) & exit 0", "", 5000);
	T_STR(ended.error, "", "who leaves somebody behind is not waited for");
}

static void kills_what_hangs(void)
{
	struct pollfd inherited = { .events = POLLIN };
	int ends[2];
	__u64 ms;

	if (!T_EQ(pipe(ends), 0, "a pipe"))
		return;
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	inherited.fd = ends[0];
	ms = run("trap '' TERM; sleep 30 & sleep 30", "", 300);
	close(ends[1]);
	T_STR(ended.error, "did not end in time and was killed", "killed");
	T_OK(ms >= 300, "not before its time");
	T_OK(ended.ticks < 2000 / TICK_MS, "in time");
	T_EQ(poll(&inherited, 1, 10000), 1, "its children, too: nobody has the other end");
	close(ends[0]);
}

static void cannot_run_what_is_not_there(void)
{
	char path[] = "/nonexistent/hook";
	char *argv[] = { path, NULL };
	struct lz_err err = { "" };
	uv_loop_t loop;

	memset(&ended, 0, sizeof(ended));
	uv_loop_init(&loop);
	T_ERR(lz_child_start(&loop, argv, "", 1000, on_end, NULL, &err), -ENOENT, "none");
	T_HAS(err.text, "/nonexistent/hook: cannot run", "names it");
	uv_run(&loop, UV_RUN_DEFAULT);
	T_EQ(ended.calls, 0, "not told twice");
	T_EQ(uv_loop_close(&loop), 0, "nothing is left open");
}

static void runs_only_what_root_installed(void)
{
	char dir[] = "/tmp/lz-tell-XXXXXX", path[64];
	struct lz_err err = { "" };

	T_EQ(lz_child_check("/bin/sh", &err), 0, err.text);
	T_ERR(lz_child_check("/nonexistent/hook", &err), -ENOENT, "none");
	T_ERR(lz_child_check("/etc", &err), -EACCES, "a folder");
	if (!T_OK(mkdtemp(dir), "a scratch folder"))
		return;
	snprintf(path, sizeof(path), "%s/hook", dir);
	write_file(path, 0755, "#!/bin/sh\n", 10);
	T_ERR(lz_child_check(path, &err), -EACCES, "below a folder where all may write");
	T_HAS(err.text, "others than root may write", "why");
	unlink(path);
	T_EQ(symlink("/bin/sh", path), 0, "a link there");
	T_EQ(lz_child_check(path, &err), 0, "is what it leads to");
	unlink(path);
	rmdir(dir);
}

static const struct t_case cases[] = {
	{ "HMAC-SHA256 as in RFC 4231, in any two parts", signs_as_rfc_4231 },
	{ "a signature covers time and body", signs_time_and_body },
	{ "keys: only from files that are kept", reads_keys },
	{ "mail: the whole of one", writes_a_mail },
	{ "mail: no text breaks out", lets_no_text_out },
	{ "mail: odd news are refused", refuses_odd_news },
	{ "programs: input, output, status", runs_programs },
	{ "programs: one that hangs is killed with its children", kills_what_hangs },
	{ "programs: one that is not there", cannot_run_what_is_not_there },
	{ "programs: only those that root alone can write", runs_only_what_root_installed },
};

int main(void)
{
	signal(SIGPIPE, SIG_IGN); /* as the teller does: not every program reads its input */
	return T_MAIN(cases);
}
