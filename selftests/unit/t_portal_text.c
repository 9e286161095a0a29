// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the portal writes: escaping, templates, languages, pages. */
#include <errno.h>
#include <string.h>

#include "lib/t.h"
#include "portal/escape.h"
#include "portal/lang.h"
#include "portal/pages.h"

static void is_html(const char *text, const char *expected)
{
	lz_autostr struct lz_str out = { 0 };

	lz_escape_html(&out, text);
	T_STR(out.data ? out.data : "", expected, text);
}

static void escapes_html(void)
{
	is_html("<script>alert('1')</script>", "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
	is_html("a & b \" c", "a &amp; b &quot; c");
	is_html("Grüße, 日本", "Grüße, 日本");
	is_html("\x1b[31mred\x07", "\xef\xbf\xbd[31mred\xef\xbf\xbd");
	is_html("\xc0\xbcscript", "\xef\xbf\xbd\xef\xbf\xbdscript"); /* overlong < */
	is_html("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
	is_html("a\xe2\x80\xae" "b", "a\xef\xbf\xbd" "b"); /* right-to-left override */
	is_html("cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd");
}

static void knows_links(void)
{
	static const char *const good[] = {
		"http://example.org", "https://example.org/a?b=c#d", "http://[2001:db8::1]:8080/",
		"HTTP://192.0.2.1:80/%22", "http://a_b.example/",
	};
	static const char *const bad[] = {
		"javascript:alert(1)", "//example.org/", "http://", "http:///x", "http://user@example.org/",
		"http://example.org:/", "http://example.org:123456/", "http://a b/", "http://a/\"onclick",
		"http://a/<b>", "http://a/\n", "data:text/html,x", "http://a/'x", "http://[::1/", "",
	};
	char host[32];

	for (size_t i = 0; i < LZ_ARRAY_SIZE(good); i++)
		T_EQ(lz_url_is_web(good[i]), true, good[i]);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(bad); i++)
		T_EQ(lz_url_is_web(bad[i]), false, bad[i]);
	T_EQ(lz_url_host("https://example.org:8443/x", host, sizeof(host)), true, "host");
	T_STR(host, "example.org:8443", "host with its port");
	T_EQ(lz_url_host("http://an-address-too-long-for-the-field.example/", host, sizeof(host)), false,
	     "too long for the field");
}

/* A template around @middle that has what every template needs. */
static int parse(const char *middle, struct lz_template **ret, struct lz_err *err)
{
	lz_autostr struct lz_str text = { 0 };

	lz_str_append(&text, "<p>{{token}}{{case}}{{contact}}</p>\n");
	lz_str_append(&text, middle);
	return lz_template_parse("t.html", text.data, text.len, ret, err);
}

static void refuses_templates(void)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "{{nobody}}", "t.html:2: 'nobody': is no value of a page" },
		{ "\n{{#nothing}}x{{/nothing}}", "t.html:3: 'nothing': is no section" },
		{ "{{#held}}", "'held': a section is not closed" },
		{ "{{/held}}", "does not close the section" },
		{ "{{#held}}{{#free}}{{/held}}{{/free}}", "does not close the section" },
		{ "{{case", "{{ without }}" },
		{ "<p class={{case}}>", "double quotes" },
		{ "<p class=x>", "double quotes" },
		{ "<p {{case}}>", "text and in double quotes only" },
		{ "<!-- {{case}} -->", "text and in double quotes only" },
		{ "<style>a{color:{{case}}}</style>", "stands in <style>" },
		{ "<script>x</script>", "no <script>" },
		{ "<SCRIPT src=\"x\">", "no <script>" },
		{ "<p onclick=\"x\">", "event handlers" },
		{ "<p style=\"x\">", "style attribute" },
		{ "<a href=\"{{case}}\">", "a link takes" },
		{ "<a href=\"x{{to}}\">", "a link takes" },
		{ "<a href=\"{{to}}{{to}}\">", "a link takes" },
		{ "<form action=\"{{contact}}\">", "a link takes" },
		{ "<a title=\"{{#held}}x{{/held}}\">", "between tags only" },
		{ "<p", "ends inside" },
		{ "a < b", "no tag here" },
		{ "{{time %s}}", "want %d" },
		{ "{{time %}}", "want %d" },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct lz_template *t = NULL;
		struct lz_err err = { "" };

		T_ERR(parse(rows[i].text, &t, &err), -EINVAL, rows[i].text);
		if (!strstr(err.text, rows[i].why))
			T_STR(err.text, rows[i].why, rows[i].text);
		T_OK(t == NULL, "output untouched");
	}
}

/* As Windows programs save it. */
static void knows_encodings(void)
{
	static const char marked[] = "\xef\xbb\xbf{{! x }}<!doctype html>{{token}}{{case}}{{contact}}";
	static const char wide[] = "\xff\xfe<\0p\0>\0";
	struct lz_filling f = { .sections = 0 };
	lz_autostr struct lz_str out = { 0 };
	struct lz_template *t = NULL;
	struct lz_err err = { "" };

	T_ERR(lz_template_parse("t.html", wide, sizeof(wide) - 1, &t, &err), -EINVAL, "UTF-16");
	T_STR(err.text, "t.html:1: is UTF-16 (Notepad's \"Unicode\"); save it as UTF-8, without a byte order mark", "says so");
	T_EQ(lz_template_parse("t.html", marked, sizeof(marked) - 1, &t, &err), 0, "UTF-8 with a mark");
	if (!t)
		return;
	T_EQ(lz_template_render(t, &f, &out), 0, "render");
	T_STR(out.data, "<!doctype html>", "which the page has not");
	lz_template_free(t);
}

static void needs_its_words(void)
{
	struct lz_template *t = NULL;
	struct lz_err err = { "" };

	T_ERR(lz_template_parse("t", "<p>{{case}}{{contact}}</p>", 26, &t, &err), -EINVAL, "no token");
	T_OK(strstr(err.text, "'token': is missing") != NULL, err.text);
}

static void renders(void)
{
	static const char text[] = "{{! note }}{{time %d.%m.}}<a title=\"{{case}}\" href=\"{{to}}\">{{contact}}</a>"
				   "{{#held}}H{{#has-to}}T{{/has-to}}{{^has-to}}N{{/has-to}}{{/held}}"
				   "{{^held}}free{{/held}}{{token}}";
	struct lz_filling f = { .sections = LZ_SECTION_BIT(LZ_SECTION_HELD) };
	lz_autostr struct lz_str out = { 0 };
	struct lz_template *t = NULL;
	struct lz_err err = { "" };

	f.values[LZ_VALUE_CASE] = "\"><script>";
	f.values[LZ_VALUE_TO] = "http://a/?b&c";
	f.values[LZ_VALUE_CONTACT] = "<b>";
	T_OK(lz_template_parse("t", text, sizeof(text) - 1, &t, &err) == 0, err.text);
	if (!t)
		return;
	T_EQ(lz_template_render(t, &f, &out), 0, "render");
	T_STR(out.data,
	      "<a title=\"&quot;&gt;&lt;script&gt;\" href=\"http://a/?b&amp;c\">&lt;b&gt;</a>HN",
	      "values are escaped, sections chosen, a missing value is empty");
	T_STR(lz_template_time_format(t), "%d.%m.", "time format");
	lz_template_free(t);
}

static void chooses_language(void)
{
	static const char *const have[] = { "en", "de", "pt-BR" };
	static const struct {
		const char *accept;
		size_t expected;
	} rows[] = {
		{ NULL, 0 },
		{ "", 0 },
		{ "de", 1 },
		{ "de-AT,en;q=0.9", 1 },
		{ "fr,de;q=0.3,en;q=0.2", 1 },
		{ "en;q=0.2,de;q=0.3", 1 },
		{ "DE-de", 1 },
		{ "pt-BR", 2 },
		{ "pt", 0 },
		{ "*", 0 },
		{ "de;q=0", 0 },
		{ "xx,*;q=0.5,de;q=0.4", 0 },
		{ ";;;,,,q=,de;q=abc", 1 },
		{ "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,de", 0 }, /* the seventeenth */
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++)
		T_EQ((long long)lz_lang_choose(rows[i].accept, have, 3), (long long)rows[i].expected,
		     rows[i].accept ? rows[i].accept : "(none)");
}

static struct lz_settings settings = {
	.url = "http://quarantine.example.net/",
	.provider = "Example <Net>",
	.contact = "desk & co",
	.languages = { "en", "de", "fr" },
	.n_languages = 3,
	.ipv6_key = 64,
};

static void writes_pages(void)
{
	struct lz_portal_case held = { .held = true, .grade = LZ_PORTAL_LEAKY, .number = "4711",
				       .reason = "spam", .since_s = 1000000000, .connections = 1240,
				       .releases_left = 1, .may_release = true, .token = "secret-token" };
	struct lz_pages pages = { .n = 0 };
	struct lz_err err = { "" };

	T_OK(lz_pages_load(&settings, &pages, &err) == 0, err.text);
	if (!pages.n)
		return;
	T_STR(pages.v[2].tag, "en", "no French: English");
	T_OK(strstr(pages.v[0].csp, "style-src 'sha256-") != NULL, "styles are allowed by their hash");
	T_OK(strstr(pages.v[0].csp, "script") == NULL, "no word of scripts");
	for (size_t i = 0; i < 2; i++) {
		lz_autostr struct lz_str out = { 0 };

		T_EQ(lz_pages_render(&pages, i, LZ_PAGE_CASE, &held, "http://www.example.org/x?a=1&b", &out), 0,
		     "render");
		T_OK(strstr(out.data, "value=\"secret-token\"") != NULL, "the button has its token");
		T_OK(strstr(out.data, "1240") != NULL, "four digits stand without a gap");
		T_OK(strstr(out.data, "Example &lt;Net&gt;") != NULL, "the provider is escaped");
		T_OK(strstr(out.data, "4711") != NULL, "the case's number");
		T_OK(strstr(out.data, "www.example.org/x?a=1&amp;b") != NULL, "the way back");
		T_OK(out.len < LZ_PAGE_BYTES_MAX / 3, "small");
		T_OK(strstr(out.data, "{{") == NULL, "nothing is left over");
	}
	lz_pages_done(&pages);
}

/* The way out is said in exactly one way. */
static void says_the_way_out(void)
{
	static const struct {
		struct lz_portal_case c;
		const char *has, *has_not;
	} rows[] = {
		{ { .may_release = true, .token = "t", .releases_left = 2 }, "2 more times", "one more time" },
		{ { .may_release = true, .token = "t", .releases_left = 1 }, "one more time", "more times" },
		{ { .may_release = true }, "too many attempts", "<form" }, /* no token was to be had */
		{ { .why = LZ_GATE_WHY_STAFF }, "staff only", "<form" },
		{ { .why = LZ_GATE_WHY_USED_UP }, "as often as", "<form" },
		{ { .why = LZ_GATE_WHY_EVIDENCE, .wait_s = 61 }, "in 2 min", "<form" },
		{ { .why = LZ_GATE_WHY_RATE, .wait_s = 60 }, "wait 1 min", "<form" },
		{ { .may_release = true, .why = LZ_GATE_WHY_BUSY }, "try again in a moment", "too many" },
		{ { .why = LZ_GATE_WHY_BUSY }, "try again in a moment", "staff only" },
		{ { .grade = LZ_PORTAL_STRICT }, "emergency calls", "open for the repair" },
		{ { .grade = LZ_PORTAL_STRICT, .allows = true }, "open for the repair", "Almost everything" },
	};
	struct lz_pages pages = { .n = 0 };
	struct lz_err err = { "" };

	T_OK(lz_pages_load(&settings, &pages, &err) == 0, err.text);
	for (size_t i = 0; pages.n && i < LZ_ARRAY_SIZE(rows); i++) {
		struct lz_portal_case c = rows[i].c;
		lz_autostr struct lz_str out = { 0 };

		c.held = true;
		T_EQ(lz_pages_render(&pages, 0, LZ_PAGE_CASE, &c, NULL, &out), 0, "render");
		T_OK(strstr(out.data, rows[i].has) != NULL, rows[i].has);
		T_OK(strstr(out.data, rows[i].has_not) == NULL, rows[i].has_not);
	}
	lz_pages_done(&pages);
}

static void writes_other_pages(void)
{
	struct lz_portal_case freed = { .held = false }, warned = { .held_in_s = 86400, .number = "78" };
	lz_autostr struct lz_str early = { 0 };
	struct lz_pages pages = { .n = 0 };
	struct lz_err err = { "" };
	static const struct {
		enum lz_page_kind kind;
		const char *has;
	} rows[] = {
		{ LZ_PAGE_CASE, "is not restricted" },
		{ LZ_PAGE_RELEASED, "is free again" },
		{ LZ_PAGE_BUSY, "try again in a minute" },
	};

	T_OK(lz_pages_load(&settings, &pages, &err) == 0, err.text);
	for (size_t i = 0; pages.n && i < LZ_ARRAY_SIZE(rows); i++) {
		lz_autostr struct lz_str out = { 0 };

		T_EQ(lz_pages_render(&pages, 0, rows[i].kind, rows[i].kind == LZ_PAGE_BUSY ? NULL : &freed,
				     "http://x.example/", &out),
		     0, "render");
		T_OK(strstr(out.data, rows[i].has) != NULL, rows[i].has);
		T_OK(strstr(out.data, "<form") == NULL, "no button");
	}
	T_EQ(lz_pages_render(&pages, 0, LZ_PAGE_CASE, &warned, NULL, &early), 0, "render");
	T_OK(strstr(early.data, "Harm was seen") && strstr(early.data, "not restricted yet") &&
	     strstr(early.data, ">78<"), "who will be held is told so");
	T_OK(strstr(early.data, "Nothing stands in your way") == NULL, "and nothing else");
	lz_pages_done(&pages);
}

static const struct t_case cases[] = {
	{ "html: escapes", escapes_html },
	{ "links: only web addresses", knows_links },
	{ "template: refuses what is not safe", refuses_templates },
	{ "templates in other encodings", knows_encodings },
	{ "template: needs its words", needs_its_words },
	{ "template: renders", renders },
	{ "language: by weight, by the longest beginning", chooses_language },
	{ "page: in every language", writes_pages },
	{ "page: one way out", says_the_way_out },
	{ "page: free, released, busy", writes_other_pages },
};

int main(void)
{
	return T_MAIN(cases);
}
