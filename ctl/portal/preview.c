// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>
#include <time.h>

#include "portal/pages.h"
#include "portal/preview.h"

/* Sample cases, so that every section of a template can be seen. */
static const struct kind {
	const char *name;
	enum lz_page_kind kind;
	struct lz_portal_case sample; /* since, until, seen: relative to now */
} kinds[] = {
	{ "leaky", LZ_PAGE_CASE,
	  { .held = true, .grade = LZ_PORTAL_LEAKY, .reason = "spam", .connections = 1240, .may_release = true,
	    .releases_left = 2 } },
	{ "strict", LZ_PAGE_CASE,
	  { .held = true, .grade = LZ_PORTAL_STRICT, .reason = "malware", .why = LZ_GATE_WHY_USED_UP,
	    .allows = true } },
	{ "block25", LZ_PAGE_CASE,
	  { .held = true, .grade = LZ_PORTAL_BLOCK25, .reason = "complaint", .may_release = true,
	    .releases_left = 1 } },
	{ "throttle", LZ_PAGE_CASE,
	  { .held = true, .grade = LZ_PORTAL_THROTTLE, .reason = "proxy", .why = LZ_GATE_WHY_STAFF } },
	{ "too-early", LZ_PAGE_CASE,
	  { .held = true, .grade = LZ_PORTAL_LEAKY, .reason = "scan",
	    .why = LZ_GATE_WHY_EVIDENCE, .wait_s = 540 } },
	{ "too-often", LZ_PAGE_REFUSED,
	  { .held = true, .grade = LZ_PORTAL_LEAKY, .reason = "other", .why = LZ_GATE_WHY_RATE, .wait_s = 60 } },
	{ "refused", LZ_PAGE_REFUSED,
	  { .held = true, .grade = LZ_PORTAL_LEAKY, .reason = "spam", .connections = 17, .may_release = true,
	    .releases_left = 2 } },
	{ "released", LZ_PAGE_RELEASED, { .held = false } },
	{ "free", LZ_PAGE_CASE, { .held = false } },
	{ "warned", LZ_PAGE_CASE, { .held = false, .held_in_s = 86400 } },
	{ "busy", LZ_PAGE_BUSY, { .held = false } },
};

static const struct lz_settings sample_settings = {
	.url = "http://quarantine.example.net/",
	.provider = "Example Net",
	.contact = "Abuse desk, +49 30 555 0100, Mon-Fri 8-18",
	.n_languages = 1,
	.languages = { "en" },
	.ipv6_key = 64,
};

int lz_preview_check(char *const *paths, size_t n)
{
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct lz_page_language lang = { .tag = "en" };
		struct lz_err err = { "" };

		if (lz_pages_load_file(paths[i], &lang, &err) < 0) {
			fprintf(stderr, "lazaret-portal: %s\n", err.text);
			bad = 1;
		}
		lz_template_free(lang.template);
	}
	return bad;
}

void lz_preview_kinds(FILE *to)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(kinds); i++)
		fprintf(to, "%s%s", i ? " " : "", kinds[i].name);
}

/* Of FOLDER/pt-BR.html: "pt-BR". */
static void take_tag(const char *path, char *ret, size_t size)
{
	const char *name = strrchr(path, '/');
	size_t len, first;

	name = name ? name + 1 : path;
	first = strcspn(name, "-.");
	len = strcspn(name, ".");
	if (first >= 2 && first <= 3 && len < size && len == strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"))
		snprintf(ret, size, "%.*s", (int)len, name);
}

static int print(const struct kind *kind, const char *path)
{
	struct lz_portal_case sample = kind->sample;
	struct lz_pages pages = { .settings = &sample_settings, .n = 1, .host = "quarantine.example.net",
				  .v = { { .tag = "en" } } };
	lz_autostr struct lz_str out = { 0 };
	struct lz_err err = { "" };
	__u64 now_s = (__u64)time(NULL);
	int r = path ? lz_pages_load_file(path, &pages.v[0], &err) :
		       lz_pages_load(&sample_settings, &pages, &err);

	if (path)
		take_tag(path, pages.v[0].tag, sizeof(pages.v[0].tag));
	if (r < 0) {
		fprintf(stderr, "lazaret-portal: %s\n", err.text);
		return 1;
	}
	strcpy(sample.number, "20481");
	memset(sample.token, 'x', LZ_GATE_TOKEN_CHARS * sample.may_release);
	sample.since_s = now_s - 7200;
	sample.until_s = now_s + 250000;
	sample.seen_s = lz_streq(sample.reason, "spam") || lz_streq(sample.reason, "scan") ? now_s - 900 : 0;
	r = lz_pages_render(&pages, 0, kind->kind, kind->kind == LZ_PAGE_BUSY ? NULL : &sample,
			    "http://www.example.org/news", &out);
	if (r == 0)
		fputs(out.data, stdout);
	lz_pages_done(&pages);
	return r < 0;
}

int lz_preview_print(const char *kind, const char *path)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(kinds); i++)
		if (lz_streq(kind, kinds[i].name))
			return print(&kinds[i], path);
	fprintf(stderr, "lazaret-portal: '%s' is no page (want ", kind);
	lz_preview_kinds(stderr);
	fputs(")\n", stderr);
	return 1;
}
