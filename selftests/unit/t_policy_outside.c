/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_policy_outside.c - "portal", "tell" and "name-servers": what may leave in links, headers, mail
 * and command lines, and above all what may not.
 */
#include "lib/t.h"
#include "policy/diff.h"
#include "unit/policy_text.h"

#define PORTAL_WITH(x) "\"portal\": {\"url\": \"http://q.example.net/\", \"provider\": \"P\", \"contact\": \"C\"" x "}"
#define PORTAL_URL(url) "\"portal\": {\"url\": \"" url "\", \"provider\": \"P\", \"contact\": \"C\"}"
#define PROVIDER(text) "\"portal\": {\"url\": \"http://q.example.net\", \"provider\": \"" text "\", \"contact\": \"C\"}"
#define API(url, listen, more) \
	PORTAL_WITH(", \"api\": {\"url\": \"" url "\", \"listen\": [" listen "], \"certificate\": \"/c.pem\"" more "}")
#define TELL(x)	 "\"tell\": {" x "}"
#define HOOK(p)	 TELL("\"hook\": \"" p "\"")
#define WEB(url) TELL("\"webhook\": {\"url\": \"" url "\", \"secret-file\": \"/etc/lazaret/k\"}")
#define MAIL(to) TELL("\"mail\": {\"to\": \"" to "\", \"from\": \"l@gw.example.net\"}")
#define VIA(via) TELL("\"mail\": {\"to\": \"a@b.c\", \"from\": \"l@gw.example.net\", \"via\": \"" via "\"}")
#define LABEL63	 "a23456789b123456789c123456789d123456789e123456789f123456789g123"
#define X50	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250	 X50 X50 X50 X50 X50

/* Errors beyond the two warnings (no interfaces, no classes) that each of these has. */
static const struct {
	const char *body;
	int errors;
	const char *says;
} rows[] = {
	/* links */
	{ PORTAL_URL("http://quarantine.example.net/"), 0, "" },
	{ PORTAL_URL("https://q:8443/a-b/c_d.e~f%20"), 0, "" },
	{ PORTAL_URL("http://192.0.2.80"), 0, "" },
	{ PORTAL_URL("http://[2001:db8::80]:8080/x"), 0, "" },
	{ PORTAL_URL("http://" LABEL63 ".example"), 0, "" },
	{ PORTAL_URL("http://" LABEL63 "4.example"), 1, "is not accepted here (want http[s]://HOST" },
	{ PORTAL_URL("http://192.0.2.256/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://[192.0.2.80]/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://[2001:db8::80/"), 1, "is not accepted here" },
	{ PORTAL_URL("http:///x"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a..b/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://-a.b/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b.:80/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b:0/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b:65536/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b:/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://me:you@a.b/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b/x?y=z"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b/x#y"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b/%2"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b/<script>"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b/'onload='"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b/ x"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b/\\r\\n550 x"), 1, "is not accepted here" },
	{ PORTAL_URL("javascript:alert(1)"), 1, "is not accepted here" },
	{ PORTAL_URL("HTTP://a.b/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://b\xc3\xbc" "cher.example/"), 1, "is not accepted here" },
	{ PORTAL_URL("http://a.b/" X250), 1, "at most 200 bytes" },
	/* texts */
	{ PROVIDER("Bj\xc3\xb6rk & <S\xc3\xb8n>"), 0, "" },
	{ PROVIDER(""), 1, "/portal/provider: 0 bytes of text (want 1..80)" },
	{ PROVIDER("a\\nb"), 1, "'a\\nb' has a control character" },
	{ PROVIDER("a\\u001b[31m"), 1, "has a control character" },
	{ PROVIDER("a\\u0085b"), 1, "has a control character" },
	{ PROVIDER(X250), 1, "250 bytes of text (want 1..80)" },
	{ "\"portal\": {}", 3, "key 'contact' is missing" },
	{ "\"portal\": []", 1, "/portal: is a list (want an object)" },
	{ PORTAL_WITH(", \"lanugages\": []"), 1, "did you mean 'languages'?" },
	/* languages */
	{ PORTAL_WITH(", \"languages\": [\"en\", \"gsw\", \"pt-BR\"]"), 0, "" },
	{ PORTAL_WITH(", \"languages\": []"), 1, "a page needs a language" },
	{ PORTAL_WITH(", \"languages\": [\"en\", \"de\", \"en\"]"), 1, "/portal/languages/2: 'en' is in the list already" },
	{ PORTAL_WITH(", \"languages\": [\"\", \"e\", \"EN\", \"en_US\", \"en-us\", \"../x\", \"engl\"]"), 7,
	  "'../x' is not a language" },
	{ PORTAL_WITH(", \"languages\": [\"aa\",\"ab\",\"ac\",\"ad\",\"ae\",\"af\",\"ag\",\"ah\",\"ai\"]"), 1,
	  "/portal/languages/8: more than 8 languages" },
	/* paths */
	{ PORTAL_WITH(", \"templates\": \"/etc/lazaret/portal\""), 0, "" },
	{ PORTAL_WITH(", \"templates\": \"portal\""), 1, "is not accepted as a path (want an absolute one" },
	{ HOOK("/etc/lazaret/hooks/case"), 0, "" },
	{ HOOK("/"), 1, "is not accepted as a path" },
	{ HOOK("/a/"), 1, "is not accepted as a path" },
	{ HOOK("/a//b"), 1, "is not accepted as a path" },
	{ HOOK("/a/../b"), 1, "is not accepted as a path" },
	{ HOOK("/bin/sh -c x"), 1, "is not accepted as a path" },
	{ HOOK("/a;b"), 1, "is not accepted as a path" },
	{ HOOK("/" X250 X50), 1, "at most 255 of" },
	/* self-release */
	{ PORTAL_WITH(", \"self-release\": {\"times\": 0, \"quiet\": \"0s\"}"), 0, "" },
	{ PORTAL_WITH(", \"self-release\": {\"times\": 10, \"quiet\": \"1d\"}"), 0, "" },
	{ PORTAL_WITH(", \"self-release\": {\"times\": 11, \"quiet\": \"25h\"}"), 2, "11 is out of range (want a whole number 0..10)" },
	{ PORTAL_WITH(", \"self-release\": {\"times\": -1}"), 1, "-1 is out of range" },
	/* the API */
	{ API("https://q.example.net/captive", "\"192.0.2.80:443\", \"[2001:db8::80]:443\"", ", \"key\": \"/k.pem\""), 0, "" },
	{ API("https://192.0.2.80/captive", "\"192.0.2.80:443\"", ", \"key\": \"/k.pem\""), 0, "RFC 8910 asks for a name" },
	{ API("https://q.example.net/captive", "\"192.0.2.80:443\"", ""), 1, "/portal/api: key 'key' is missing" },
	{ API("http://q.example.net/captive", "\"192.0.2.80:443\"", ", \"key\": \"/k.pem\""), 1, "want https://HOST" },
	{ API("https://q.example.net/", "", ", \"key\": \"/k.pem\""), 1, "listens nowhere" },
	{ API("https://q.example.net/", "\"192.0.2.80:443\", \"192.0.2.81:443\"", ", \"key\": \"/k.pem\""), 1,
	  "a second IPv4 address (want at most one of each family)" },
	{ API("https://q.example.net/", "\"192.0.2.80\", \":443\", \"2001:db8::80:443\", \"[192.0.2.80]:443\", \"[]:1\","
	      " \"[:1\", \"192.0.2.80:0\", \"q.example.net:443\"", ", \"key\": \"/k.pem\""), 8, "is not ADDRESS:PORT" },
	{ PORTAL_WITH(", \"api\": {}"), 4, "key 'certificate' is missing" },
	/* plain HTTP at an address of its own */
	{ PORTAL_WITH(", \"listen\": [\"192.0.2.80:80\", \"[2001:db8::80]:80\"]"), 0, "" },
	{ PORTAL_WITH(", \"listen\": []"), 1, "listens nowhere (want e.g. \"192.0.2.80:80\"" },
	{ PORTAL_WITH(", \"listen\": [\"192.0.2.80:80\", \"192.0.2.80:81\"]"), 1, "a second IPv4 address" },
	{ PORTAL_WITH(", \"listen\": \"192.0.2.80:80\""), 1, "/portal/listen: is a string" },
	{ API("https://q.example.net/", "\"192.0.2.80:443\"", ", \"key\": \"/k.pem\"}, \"listen\": "
	      "[\"192.0.2.80:443\", \"[2001:db8::80]:80\"], \"self-release\": {\"times\": 1"), 1,
	  "listens on port 443 of the address of \"api\" too" },
	/* tell */
	{ TELL(""), 1, "tells nobody" },
	{ TELL("\"address\": true, \"on\": [\"garden\"]"), 1, "tells nobody" },
	{ TELL("\"hook\": \"/h\", \"address\": 1"), 1, "/tell/address: is a number (want true or false)" },
	{ TELL("\"hook\": \"/h\", \"on\": []"), 1, "tells nothing" },
	{ TELL("\"hook\": \"/h\", \"on\": [\"held\", \"realeased\"]"), 2, "did you mean 'released'?" },
	{ TELL("\"hook\": \"/h\", \"on\": [\"observed\", \"closed\", \"closed\"]"), 0, "" },
	{ WEB("https://panel.example.net:8443/abuse?from=gw1&x=%20"), 0, "" },
	{ WEB("http://127.0.0.1:8080/x"), 0, "" },
	{ WEB("http://[::1]/x"), 0, "" },
	{ WEB("http://panel.example.net/x"), 1, "would send reports over the network in clear (want https://)" },
	{ WEB("http://127.0.0.10/x"), 1, "in clear" },
	{ WEB("http://1:80/x"), 1, "is not accepted here" },
	{ WEB("http://[::2]/x"), 1, "in clear" },
	{ WEB("https://a.b/x#y"), 1, "is not accepted here" },
	{ WEB("https://a.b?x=y"), 1, "is not accepted here" },
	{ WEB("file:///etc/shadow"), 1, "is not accepted here" },
	{ TELL("\"webhook\": {\"url\": \"https://a.b/\"}"), 1, "key 'secret-file' is missing" },
	{ MAIL("abuse@example.net"), 0, "" },
	{ MAIL("a.b+c=d!e@x-y.example.net"), 0, "" },
	{ MAIL("abuse"), 1, "is not a mail address" },
	{ MAIL("abuse@localhost"), 1, "is not a mail address" },
	{ MAIL("@example.net"), 1, "is not a mail address" },
	{ MAIL(".a@example.net"), 1, "is not a mail address" },
	{ MAIL("a.@example.net"), 1, "is not a mail address" },
	{ MAIL("a..b@example.net"), 1, "is not a mail address" },
	{ MAIL("-oQ/tmp@example.net"), 1, "is not a mail address" },
	{ MAIL("a@b@example.net"), 1, "is not a mail address" },
	{ MAIL("a b@example.net"), 1, "is not a mail address" },
	{ MAIL("<a@example.net>"), 1, "is not a mail address" },
	{ MAIL("A <a@example.net>"), 1, "is not a mail address" },
	{ MAIL("a@example.net,b@example.net"), 1, "is not a mail address" },
	{ MAIL("a@example.net\\r\\nBcc: b@example.net"), 1, "is not a mail address" },
	{ MAIL("a@example.net\\u0000"), 1, "" },
	{ MAIL("\\\"a\\\"@example.net"), 1, "is not a mail address" },
	{ MAIL("j\xc3\xb6@example.net"), 1, "is not a mail address" },
	{ MAIL("a@[192.0.2.1]"), 1, "is not a mail address" },
	{ MAIL(LABEL63 "45@example.net"), 1, "is not a mail address" },
	{ VIA("sendmail"), 0, "" },
	{ VIA("smtp://mail.example.net"), 0, "" },
	{ VIA("smtps://[2001:db8::25]:465"), 0, "" },
	{ VIA("smtp://127.0.0.1:587"), 0, "" },
	{ VIA("smtp://u:p@mail.example.net"), 1, "want sendmail | smtp://HOST" },
	{ VIA("smtp://mail.example.net/x"), 1, "want sendmail | smtp://HOST" },
	{ VIA("/usr/sbin/sendmail"), 1, "want sendmail | smtp://HOST" },
	/* who resolves */
	{ "\"name-servers\": [\"192.0.2.53\", \"2001:db8::53\"]", 0, "" },
	{ "\"name-servers\": [\"192.0.2.0/24\"]", 1, "/name-servers/0" },
	{ "\"name-servers\": [\"a\", \"::1\", \"::2\", \"::3\", \"::4\", \"::5\"]", 2, "more than 4 name servers" },
};

static void holds_to_safe_forms(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		lz_autostr struct lz_str text = {};

		lz_str_appendf(&text, "{\"version\": 1, %s}", rows[i].body);
		auto_reading reading = read_policy(text.data, NULL);
		if (!T_EQ(reading.report.total[LZ_SEVERITY_ERROR], rows[i].errors, rows[i].body) ||
		    !T_HAS(reading.text, rows[i].says, rows[i].body))
			t_show(rows[i].body, reading.text);
	}
}

static void fills_the_model(void)
{
	auto_reading reading = read_policy("{\"version\": 1, \"name-servers\": [\"192.0.2.53\"], "
		API("https://q.example.net/captive", "\"[2001:db8::80]:8443\"", ", \"key\": \"/k.pem\"") ", "
		TELL("\"mail\": {\"to\": \"a@b.c\", \"from\": \"l@gw.example.net\"}") "}", NULL);
	const struct lz_policy *policy = reading.policy;

	if (!T_OK(policy, reading.text))
		return;
	T_STR(policy->portal.languages[0], "en", "English by default");
	T_EQ(policy->portal.self_release_times, 2, "twice");
	T_EQ(policy->portal.self_release_quiet_ns, 600000000000ULL, "after ten minutes");
	T_EQ(policy->portal.api.listen.n, 1, "one address");
	T_EQ(policy->portal.api.listen.v[0].addr.family, 6, "of IPv6");
	T_EQ(policy->portal.api.listen.v[0].port, 8443, "and its port");
	T_STR(policy->tell.mail_via, "", "by sendmail");
	T_EQ(policy->tell.on, LZ_TELL_DEFAULT, "what is told by default");
	T_OK(!policy->tell.address && !*policy->tell.hook && !*policy->tell.webhook_url, "and nothing more");
	T_EQ(policy->n_name_servers, 1, "one name server");
}

static void prints_and_compares(void)
{
	static const char *const texts[] = {
		"{\"version\": 1, " API("https://q.example.net/captive", "\"[2001:db8::80]:443\"", ", \"key\": \"/k.pem\"") ", "
		WEB("https://panel.example.net/x?y") ", \"name-servers\": [\"2001:db8:0::53\"]}",
		"{\"version\": 1, " PORTAL_WITH(", \"templates\": \"/t\", \"languages\": [\"de\"]") ", " VIA("smtp://m.example.net") "}",
		"{\"version\": 1, " TELL("\"hook\": \"/h\", \"on\": [\"closed\", \"observed\"]") "}",
		"{\"version\": 1, " PORTAL_WITH(", \"listen\": [\"[2001:db8::80]:80\", \"192.0.2.80:8080\"]") "}",
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(texts); i++) {
		lz_autofree char *once = NULL, *twice = NULL;
		auto_reading reading = read_policy(texts[i], NULL);

		if (!T_OK(reading.policy, reading.text))
			continue;
		T_EQ(lz_policy_print(reading.policy, 0, &once), 0, "print");
		auto_reading again = read_policy(once, NULL);
		if (!T_OK(again.policy, again.text))
			continue;
		T_EQ(lz_policy_print(again.policy, 0, &twice), 0, "print");
		T_STR(twice, once, "a fixed point");
	}
	auto_reading from = read_policy(texts[0], NULL);
	auto_reading to = read_policy(texts[1], NULL);
	struct lz_changes changes = {};
	lz_autostr struct lz_str text = {};

	T_EQ(lz_policy_diff(from.policy, to.policy, &changes, NULL), 0, "diff");
	lz_changes_format(&changes, &text);
	lz_changes_done(&changes);
	T_HAS(text.data, "/portal/languages: [\"en\"] -> [\"de\"]\n", "a list");
	T_HAS(text.data, "/portal/api: removed: {", "what is gone");
	T_HAS(text.data, "/tell/mail: new: {\"to\":\"a@b.c\"", "what is new");
	T_HAS(text.data, "/name-servers: removed: [\"2001:db8::53\"]\n", "in one spelling");
}

static const struct t_case cases[] = {
	{ "links, addresses, paths and texts are held to safe forms", holds_to_safe_forms },
	{ "defaults and values arrive in the model", fills_the_model },
	{ "portal and tell print to a fixed point and are compared", prints_and_compares },
};

int main(void)
{
	return T_MAIN(cases);
}
