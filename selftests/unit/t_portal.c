// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the portal decides: which answer a request gets, SMTP, limits, the case it is told. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/json.h"
#include "lib/t.h"
#include "portal/case.h"
#include "portal/crowd.h"
#include "portal/route.h"
#include "portal/smtp.h"

#define BROWSER "text/html,application/xhtml+xml,*/*;q=0.8"
#define TOKEN	"abcdefghijklmnopqrstuvwxyz0123456789-_ABCDE"

/* ---------------------------------------------------------------- requests */

static void routes(void)
{
	static const struct lz_route_config config = { .host = "quarantine.example.net",
						       .api_path = "/captive" };
	static const struct {
		struct lz_asked asked;
		enum lz_answer expected;
	} rows[] = {
		{ { .method = "GET", .host = "www.example.org", .path = "/", .accept = BROWSER },
		  LZ_ANSWER_REDIRECT },
		{ { .method = "HEAD", .host = "www.example.org", .path = "/", .accept = BROWSER },
		  LZ_ANSWER_REDIRECT },
		{ { .method = "GET", .host = "deb.example.net", .path = "/dists", .accept = "*/*" },
		  LZ_ANSWER_511 },
		{ { .method = "GET", .host = "deb.example.net", .path = "/dists" }, LZ_ANSWER_511 },
		{ { .method = "GET", .path = "/" }, LZ_ANSWER_511 },
		{ { .method = "POST", .host = "www.example.org", .path = "/form", .accept = BROWSER },
		  LZ_ANSWER_511 },
		{ { .method = "POST", .host = "www.example.org", .path = "/release", .accept = BROWSER },
		  LZ_ANSWER_511 },
		{ { .method = "CONNECT", .host = "www.example.org:443", .path = "/" }, LZ_ANSWER_511 },
		{ { .method = "GET", .host = "quarantine.example.net", .path = "/x", .accept = "*/*" },
		  LZ_ANSWER_PAGE },
		{ { .method = "GET", .host = "Quarantine.Example.net:80", .path = "/" }, LZ_ANSWER_PAGE },
		{ { .method = "GET", .host = "quarantine.example.net.", .path = "/" }, LZ_ANSWER_PAGE },
		{ { .method = "GET", .host = "quarantine.example.net.evil.example", .path = "/",
		    .accept = BROWSER }, LZ_ANSWER_REDIRECT },
		{ { .method = "POST", .host = "quarantine.example.net", .path = "/release" },
		  LZ_ANSWER_RELEASE },
		{ { .method = "GET", .host = "quarantine.example.net", .path = "/release" },
		  LZ_ANSWER_PAGE },
		{ { .tls = true, .method = "GET", .host = "api.example.net", .path = "/captive" },
		  LZ_ANSWER_API },
		{ { .tls = true, .method = "GET", .host = "api.example.net", .path = "/",
		    .accept = "application/captive+json" }, LZ_ANSWER_API },
		{ { .tls = true, .method = "GET", .host = "api.example.net", .path = "/" },
		  LZ_ANSWER_PAGE },
		{ { .tls = true, .method = "POST", .host = "api.example.net", .path = "/release" },
		  LZ_ANSWER_RELEASE },
		{ { .tls = true, .method = "PUT", .host = "api.example.net", .path = "/" },
		  LZ_ANSWER_METHOD },
		{ { .own = true, .method = "GET", .host = "192.0.2.80", .path = "/", .accept = "*/*" },
		  LZ_ANSWER_PAGE },
		{ { .own = true, .method = "GET", .host = "192.0.2.80", .path = "/captive" },
		  LZ_ANSWER_PAGE },
		{ { .own = true, .method = "POST", .host = "192.0.2.80", .path = "/release" },
		  LZ_ANSWER_RELEASE },
		{ { .own = true, .method = "POST", .host = "192.0.2.80", .path = "/" },
		  LZ_ANSWER_METHOD },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		char name[96];

		snprintf(name, sizeof(name), "%zu: %s %s %s", i, rows[i].asked.method,
			 rows[i].asked.host ? rows[i].asked.host : "-", rows[i].asked.path);
		T_EQ(lz_route(&config, &rows[i].asked), rows[i].expected, name);
	}
}

/* https is configured, but there is no socket for it: the page comes under any name. */
static void routes_direct(void)
{
	static const struct lz_route_config config = { .host = "quarantine.example.net", .direct = true };
	struct lz_asked asked = { .method = "GET", .host = "www.example.org", .path = "/",
				  .accept = BROWSER };

	T_EQ(lz_route(&config, &asked), LZ_ANSWER_PAGE, "people get the page");
	asked.accept = "*/*";
	T_EQ(lz_route(&config, &asked), LZ_ANSWER_511, "programs do not");
	asked.method = "POST";
	asked.path = "/release";
	T_EQ(lz_route(&config, &asked), LZ_ANSWER_RELEASE, "its button works");
}

static void knows_probes(void)
{
	static const struct {
		const char *host, *path, *agent;
		bool expected;
	} rows[] = {
		{ "captive.apple.com", "/hotspot-detect.html", NULL, true },
		{ "captive.apple.com", "/", "CaptiveNetworkSupport-443 wispr", true },
		{ "connectivitycheck.gstatic.com", "/generate_204", NULL, true },
		{ "clients3.google.com", "/generate_204", NULL, true },
		{ "www.google.com", "/gen_204", NULL, true },
		{ "www.google.com", "/search", NULL, false },
		{ "www.msftconnecttest.com", "/connecttest.txt", NULL, true },
		{ "www.msftconnecttest.com:80", "/redirect", NULL, true },
		{ "www.msftncsi.com", "/ncsi.txt", NULL, true },
		{ "detectportal.firefox.com", "/canonical.html", NULL, true },
		{ "nmcheck.gnome.org", "/check_network_status.txt", NULL, true },
		{ "network-test.debian.org", "/nm", NULL, true },
		{ "networkcheck.kde.org", "/", NULL, true },
		{ "anything.example", "/", "Microsoft NCSI", true },
		{ "deb.debian.org", "/debian/dists/stable/InRelease", "Debian APT-HTTP/1.3", false },
		{ NULL, "/", NULL, false },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++)
		T_EQ(lz_route_is_probe(rows[i].host, rows[i].path, rows[i].agent), rows[i].expected,
		     rows[i].host ? rows[i].host : "(no host)");
}

static void leads_back(void)
{
	static const struct {
		const char *host, *path, *query, *expected;
	} rows[] = {
		{ "www.example.org", "/a", "b=c&d", "http://q/?to=http%3A%2F%2Fwww.example.org%2Fa%3Fb%3Dc%26d" },
		{ "www.example.org", "/", NULL, "http://q/?to=http%3A%2F%2Fwww.example.org%2F" },
		{ "a\r\nSet-Cookie: x", "/", NULL, "http://q/" },
		{ "a\"><script>", "/", NULL, "http://q/" },
		{ "www.example.org", "/\"><script>", NULL, "http://q/" },
		{ NULL, "/", NULL, "http://q/" },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		lz_autostr struct lz_str original = { 0 };
		lz_autostr struct lz_str out = { 0 };

		lz_route_original(rows[i].host, rows[i].path, rows[i].query, &original);
		lz_route_location("http://q/", original.data, &out);
		T_STR(out.data, rows[i].expected, rows[i].host ? rows[i].host : "(no host)");
	}
}

/* ---------------------------------------------------------------- SMTP */

static void feeds(struct lz_smtp *smtp, const char *in, const char *expected)
{
	char out[LZ_SMTP_OUT_BYTES + 1];
	size_t n = lz_smtp_feed(smtp, in, strlen(in), out);

	out[n] = '\0';
	T_STR(out, expected, in);
}

#define NO "503 5.5.1 No mail is taken here, see http://q/\r\n"

static void greets(void)
{
	char out[LZ_SMTP_REPLY_BYTES + 1];
	struct lz_smtp smtp;
	size_t n;

	lz_smtp_start(&smtp, "http://q/");
	n = lz_smtp_greeting(&smtp, &(struct lz_smtp_why){ true, "4711" }, out);
	out[n] = '\0';
	T_STR(out, "554 5.7.1 This connection is in quarantine and cannot send mail, see http://q/ (case 4711)\r\n",
	      "with the case");
	n = lz_smtp_greeting(&smtp, &(struct lz_smtp_why){ false, NULL }, out);
	out[n] = '\0';
	T_STR(out, "554 5.7.1 Mail cannot be sent over port 25 from this connection, see http://q/\r\n",
	      "not held: a rule of his class");
	feeds(&smtp, "EHLO mail.exam", "");
	feeds(&smtp, "ple.org\r\nMAIL FROM:<a@b>\r\n", NO NO);
	T_STR(smtp.helo, "mail.example.org", "name");
	T_STR(smtp.first, "EHLO mail.example.org", "first command");
	feeds(&smtp, "quit\r\nEHLO again\r\n", "221 2.0.0 Bye\r\n");
	T_EQ(smtp.over, true, "over");
	feeds(&smtp, "NOOP\r\n", "");
}

static void takes_no_mail(void)
{
	static const char *const commands[] = { "HELO x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA",
						"Subject: x", ".", "STARTTLS" };
	char out[LZ_SMTP_OUT_BYTES];
	struct lz_smtp smtp;

	lz_smtp_start(&smtp, "http://q/");
	for (size_t i = 0; i < LZ_ARRAY_SIZE(commands); i++) {
		char line[64];

		snprintf(line, sizeof(line), "%s\n", commands[i]);
		T_OK(lz_smtp_feed(&smtp, line, strlen(line), out) > 0 && out[0] == '5', commands[i]);
	}
	feeds(&smtp, "NOOP\n", "554 5.7.1 No mail is taken here, see http://q/\r\n");
	T_EQ(smtp.over, true, "after eight commands");
}

static void bounds_lines(void)
{
	static char big[100000];
	char out[LZ_SMTP_OUT_BYTES];
	struct lz_smtp smtp;
	size_t n;

	memset(big, 'A', sizeof(big));
	lz_smtp_start(&smtp, "http://q/");
	T_EQ((long long)lz_smtp_feed(&smtp, big, sizeof(big), out), 0, "no line, no answer");
	T_OK(smtp.len <= LZ_SMTP_LINE_BYTES, "bounded");
	feeds(&smtp, "\r\n", NO);
	T_EQ((long long)strlen(smtp.first), LZ_GATE_FIRST_BYTES, "first command is cut");
	memset(big, '\n', sizeof(big));
	lz_smtp_start(&smtp, "http://q/");
	n = lz_smtp_feed(&smtp, big, sizeof(big), out);
	T_OK(n <= sizeof(out) && smtp.over, "a flood of lines ends it");
}

static void escapes_smtp(void)
{
	struct lz_smtp smtp;
	char out[LZ_SMTP_OUT_BYTES];

	lz_smtp_start(&smtp, "http://q/");
	lz_smtp_feed(&smtp, "EHLO \x1b]0;x\x07<b>\xff\r\n", 17, out);
	T_STR(smtp.helo, "\\x1b]0;x\\x07<b>\\xff", "control characters are visible");
	lz_smtp_start(&smtp, "http://q/");
	lz_smtp_feed(&smtp, "A\0B\r\n", 5, out);
	T_STR(smtp.first, "A\\x00B", "a NUL does not hide the rest");
}

/* ---------------------------------------------------------------- limits */

static __u64 key_of(struct lz_crowd *crowd, const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return lz_crowd_key(crowd, (const struct sockaddr *)&in);
	inet_pton(AF_INET6, text, &in6.sin6_addr);
	return lz_crowd_key(crowd, (const struct sockaddr *)&in6);
}

static void counts_crowd(void)
{
	static struct lz_crowd crowd = { .total_max = 2000, .source_max = 3, .ipv6_len = 56 };
	__u64 a = key_of(&crowd, "192.0.2.1"), b = key_of(&crowd, "2001:db8:0:1::1");

	T_OK(a != b && a && b, "keys");
	T_OK(b == key_of(&crowd, "2001:db8:0:ff::2"), "one /56 is one source");
	T_OK(b != key_of(&crowd, "2001:db8:0:100::1"), "the next is another");
	for (int i = 0; i < 3; i++) {
		T_EQ(lz_crowd_has_room(&crowd, a), true, "room");
		lz_crowd_add(&crowd, a);
	}
	T_EQ(lz_crowd_has_room(&crowd, a), false, "no fourth");
	T_EQ(lz_crowd_has_room(&crowd, b), true, "others are not touched");
	lz_crowd_drop(&crowd, a);
	T_EQ(lz_crowd_has_room(&crowd, a), true, "room again");
	lz_crowd_drop(&crowd, a);
	lz_crowd_drop(&crowd, a);
	T_EQ(crowd.total, 0, "all gone");
}

/* Against a plain array: 2,000 sources come and go in random order. */
static void crowd_is_exact(void)
{
	static struct lz_crowd crowd = { .total_max = 2048, .source_max = 1000, .ipv6_len = 64 };
	static unsigned int model[997];
	unsigned int total = 0;

	srand(7);
	for (int i = 0; i < 200000; i++) {
		unsigned int who = (unsigned int)rand() % 997;
		__u64 key = (1ULL << 40) | who;
		bool come = rand() % 2;

		if (come && lz_crowd_has_room(&crowd, key)) {
			lz_crowd_add(&crowd, key);
			model[who]++;
			total++;
		} else if (!come && model[who]) {
			lz_crowd_drop(&crowd, key);
			model[who]--;
			total--;
		}
	}
	T_EQ(crowd.total, total, "total");
	for (unsigned int who = 0; who < 997; who++)
		while (model[who]) {
			lz_crowd_drop(&crowd, (1ULL << 40) | who);
			model[who]--;
		}
	T_EQ(crowd.total, 0, "every one was found again");
	for (size_t i = 0; i < LZ_CROWD_SLOTS; i++)
		if (crowd.slots[i].n)
			T_EQ(crowd.slots[i].n, 0, "a slot is left over");
}

/* ---------------------------------------------------------------- the case */

static void reads_case(void)
{
	static const char text[] =
		"{\"id\":2,\"code\":0,\"held\":true,\"case\":\"77\",\"grade\":\"garden:home\",\"strict\":true,\"allows\":true,"
		"\"since\":\"2026-11-23T04:00:00Z\",\"until\":\"2026-11-26T04:00:00Z\",\"reason\":\"spam\","
		"\"connections\":12,\"releases_left\":1,\"may_release\":false,\"why_not\":\"evidence\",\"wait_s\":90}";
	lz_autojson cJSON *root = NULL;
	struct lz_portal_case c;

	T_EQ(lz_json_parse(text, sizeof(text) - 1, &root, NULL), 0, "json");
	T_EQ(lz_portal_case_parse(root, &c, NULL), 0, "case");
	T_EQ(c.grade, LZ_PORTAL_STRICT, "grade");
	T_EQ((long long)(c.until_s - c.since_s), 3 * 86400, "times");
	T_EQ(c.why, LZ_GATE_WHY_EVIDENCE, "why");
	T_EQ((long long)c.wait_s, 90, "wait");
	T_STR(c.number, "77", "number");
	T_OK(c.allows, "open addresses");
}

/* Told that he will be held, and not held yet. */
static void reads_announced(void)
{
	static const char text[] = "{\"id\":2,\"code\":0,\"held\":false,\"held_in_s\":3600,\"case\":\"78\"}";
	lz_autojson cJSON *root = NULL;
	struct lz_portal_case c;

	T_EQ(lz_json_parse(text, sizeof(text) - 1, &root, NULL), 0, "json");
	T_EQ(lz_portal_case_parse(root, &c, NULL), 0, "case");
	T_EQ((long long)c.held_in_s, 3600, "in an hour");
	T_EQ((long long)c.captive_in_s, 0, "but not in a garden");
	T_STR(c.number, "78", "number");
}

static void is_api(struct lz_portal_case c, const char *url, const char *expected)
{
	lz_autofree char *json = lz_api_json(&c, url);

	T_STR(json, expected, expected);
}

static void writes_api(void)
{
	struct lz_portal_case held = { .held = true, .grade = LZ_PORTAL_STRICT };
	struct lz_portal_case slow = { .held = true, .grade = LZ_PORTAL_THROTTLE };
	struct lz_portal_case soon = { .held_in_s = 3600, .captive_in_s = 3600 };
	struct lz_portal_case slower = { .held_in_s = 3600 };
	struct lz_portal_case free_ = { .held = false };

	is_api(held, "https://q/", "{\"captive\":true,\"user-portal-url\":\"https://q/\"}");
	is_api(slow, "https://q/", "{\"captive\":false,\"user-portal-url\":\"https://q/\"}");
	is_api(soon, NULL, "{\"captive\":false,\"seconds-remaining\":3600}");
	is_api(slower, NULL, "{\"captive\":false}");
	is_api(free_, NULL, "{\"captive\":false}");
}

static const struct t_case cases[] = {
	{ "route: people, programs, the portal, TLS", routes },
	{ "route: the page under every name", routes_direct },
	{ "route: probes of operating systems", knows_probes },
	{ "route: the way back", leads_back },
	{ "smtp: greets, answers, says goodbye", greets },
	{ "smtp: takes no mail", takes_no_mail },
	{ "smtp: bounds lines", bounds_lines },
	{ "smtp: escapes what it notes", escapes_smtp },
	{ "crowd: counts sources", counts_crowd },
	{ "crowd: is exact", crowd_is_exact },
	{ "case: is read", reads_case },
	{ "case: is announced", reads_announced },
	{ "api: RFC 8908", writes_api },
};

int main(void)
{
	return T_MAIN(cases);
}
