// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "portal/escape.h"
#include "portal/lang.h"
#include "portal/pages.h"

#define NUMBER_TEXT_MAX 40
#define TIME_TEXT_MAX	96

/* ---------------------------------------------------------------- load */

/* The policy that lets a browser use the page's own styles and nothing else. */
static int write_csp(struct lz_page_language *lang, struct lz_err *err)
{
	struct lz_piece styles[LZ_TEMPLATE_STYLES_MAX];
	size_t n = lz_template_styles(lang->template, styles);
	lz_autostr struct lz_str csp = { 0 };

	lz_str_append(&csp, "default-src 'none'; img-src data:; form-action 'self'; base-uri 'none'; "
			    "frame-ancestors 'none'; style-src");
	for (size_t i = 0; i < n; i++) {
		gnutls_datum_t hash = { .size = 32 }, text = { 0 };
		unsigned char sum[32];

		hash.data = sum;
		if (gnutls_hash_fast(GNUTLS_DIG_SHA256, styles[i].text, styles[i].len, sum) < 0 ||
		    gnutls_base64_encode2(&hash, &text) < 0)
			return lz_err_set(err, EIO, "%s: cannot hash its styles", lang->tag);
		lz_str_appendf(&csp, " 'sha256-%.*s'", (int)text.size, (const char *)text.data);
		gnutls_free(text.data);
	}
	if (!n)
		lz_str_append(&csp, " 'none'");
	return csp.error ? csp.error : lz_strcpy(lang->csp, sizeof(lang->csp), csp.data);
}

/* FOLDER/LANG.html; -ENOENT: there is none. */
static int read_file(const char *path, char **ret, size_t *ret_len, struct lz_err *err)
{
	lz_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	lz_autofree char *text = malloc(LZ_TEMPLATE_BYTES_MAX + 2);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return lz_err_set(err, errno, "%s: cannot open: %s", path, strerror(errno));
	while (text && len <= LZ_TEMPLATE_BYTES_MAX && n > 0) {
		n = read(fd, text + len, LZ_TEMPLATE_BYTES_MAX + 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (!text || n < 0)
		return lz_err_set(err, text ? errno : ENOMEM, "%s: cannot read", path);
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

int lz_pages_load_file(const char *path, struct lz_page_language *lang, struct lz_err *reterr)
{
	lz_autofree char *text = NULL;
	size_t len = 0;
	int r = read_file(path, &text, &len, reterr);

	if (r == 0)
		r = lz_template_parse(path, text, len, &lang->template, reterr);
	return r < 0 ? r : write_csp(lang, reterr);
}

static int load_own(const char *folder, struct lz_page_language *lang, struct lz_err *err)
{
	char path[300];

	if (!folder[0])
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s.html", folder, lang->tag);
	return lz_pages_load_file(path, lang, err);
}

static int load_builtin(const char *tag, struct lz_page_language *lang, struct lz_err *err)
{
	struct lz_piece piece;

	if (!lz_builtin_find(tag, &piece)) {
		lz_log(LZ_LOG_WARNING, "no-template", "language=%s instead=en", tag);
		tag = "en";
		lz_builtin_find(tag, &piece);
	}
	lz_strcpy(lang->tag, sizeof(lang->tag), tag);
	if (lz_template_parse(tag, piece.text, piece.len, &lang->template, err) < 0)
		return -EINVAL;
	return write_csp(lang, err);
}

static int load_language(const struct lz_settings *settings, const char *tag,
			 struct lz_page_language *lang, struct lz_err *err)
{
	struct lz_err why = { "" };
	int r;

	lz_strcpy(lang->tag, sizeof(lang->tag), tag);
	r = load_own(settings->templates, lang, &why);
	if (r < 0 && r != -ENOENT)
		lz_log(LZ_LOG_ERROR, "bad-template", "why=%s instead=%s", why.text, "the built-in one");
	if (r == 0)
		return 0;
	lz_template_free(TAKE_PTR(lang->template));
	return load_builtin(tag, lang, err);
}

int lz_pages_load(const struct lz_settings *settings, struct lz_pages *ret, struct lz_err *reterr)
{
	struct lz_pages pages = { .settings = settings };

	if (!lz_url_host(settings->url, pages.host, sizeof(pages.host)))
		return lz_err_set(reterr, EINVAL, "url: '%s' has no host", settings->url);
	for (size_t i = 0; i < settings->n_languages; i++) {
		int r = load_language(settings, settings->languages[i], &pages.v[pages.n++], reterr);

		if (r < 0) {
			lz_pages_done(&pages);
			return r;
		}
	}
	*ret = pages;
	return 0;
}

void lz_pages_done(struct lz_pages *pages)
{
	for (size_t i = 0; i < pages->n; i++)
		lz_template_free(pages->v[i].template);
	pages->n = 0;
}

size_t lz_pages_choose(const struct lz_pages *pages, const char *accept_language)
{
	const char *tags[LZ_LANGUAGES_MAX];

	for (size_t i = 0; i < pages->n; i++)
		tags[i] = pages->v[i].tag;
	return lz_lang_choose(accept_language, tags, pages->n);
}

/* ---------------------------------------------------------------- fill */

/* What the values point into. */
struct texts {
	char since[TIME_TEXT_MAX], until[TIME_TEXT_MAX], seen[TIME_TEXT_MAX], from[TIME_TEXT_MAX];
	char connections[NUMBER_TEXT_MAX], left[NUMBER_TEXT_MAX], minutes[NUMBER_TEXT_MAX];
	char to_host[272];
};

/* In the gateway's zone: the customer lives there. */
static void write_time(char ret[static TIME_TEXT_MAX], const char *format, __u64 wall_s)
{
	time_t t = (time_t)wall_s;
	struct tm tm;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* lz_template_parse() allows 14 conversions */
	if (!localtime_r(&t, &tm) || !strftime(ret, TIME_TEXT_MAX, format, &tm))
		ret[0] = '\0';
#pragma GCC diagnostic pop
}

/* In groups of three with a narrow space (U+202F): the one grouping that every language reads. */
static void write_number(char ret[static NUMBER_TEXT_MAX], __u64 value)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0 && n > 4) {
			memcpy(ret + len, "\xe2\x80\xaf", 3);
			len += 3;
		}
		ret[len++] = digits[i];
	}
	ret[len] = '\0';
}

static __u64 section_of_reason(const char *reason)
{
	static const enum lz_section sections[LZ_GATE_REASON_N] = {
		[LZ_GATE_REASON_OTHER] = LZ_SECTION_REASON_OTHER,
		[LZ_GATE_REASON_SPAM] = LZ_SECTION_REASON_SPAM,
		[LZ_GATE_REASON_SCAN] = LZ_SECTION_REASON_SCAN,
		[LZ_GATE_REASON_MALWARE] = LZ_SECTION_REASON_MALWARE,
		[LZ_GATE_REASON_PROXY] = LZ_SECTION_REASON_PROXY,
		[LZ_GATE_REASON_COMPLAINT] = LZ_SECTION_REASON_COMPLAINT,
	};

	for (unsigned int i = 0; i < LZ_GATE_REASON_N; i++)
		if (lz_streq(reason, lz_gate_reason_words[i]))
			return LZ_SECTION_BIT(sections[i]);
	return LZ_SECTION_BIT(LZ_SECTION_REASON_OTHER);
}

static __u64 section_of_way_out(const struct lz_portal_case *c)
{
	static const enum lz_section why[LZ_GATE_WHY_N] = {
		[LZ_GATE_WHY_STAFF] = LZ_SECTION_WHY_STAFF,
		[LZ_GATE_WHY_USED_UP] = LZ_SECTION_WHY_USED_UP,
		[LZ_GATE_WHY_EVIDENCE] = LZ_SECTION_WHY_EVIDENCE,
		[LZ_GATE_WHY_TOKEN] = LZ_SECTION_WHY_RATE, /* of no case, only of a release */
		[LZ_GATE_WHY_RATE] = LZ_SECTION_WHY_RATE,
		[LZ_GATE_WHY_BUSY] = LZ_SECTION_WHY_BUSY,
	};
	bool rate = c->may_release && c->why != LZ_GATE_WHY_BUSY;

	if (!c->may_release || !c->token[0])
		/* allowed but no token: nothing can be written now, or they are issued too fast */
		return LZ_SECTION_BIT(why[rate ? LZ_GATE_WHY_RATE : c->why]);
	return LZ_SECTION_BIT(LZ_SECTION_MAY_RELEASE) |
	       (c->releases_left == 1 ? LZ_SECTION_BIT(LZ_SECTION_LAST_RELEASE) : 0);
}

static void fill_held(const struct lz_portal_case *c, const char *format, struct texts *texts,
		      struct lz_filling *f)
{
	static const enum lz_section grades[] = {
		[LZ_PORTAL_LEAKY] = LZ_SECTION_LEAKY,
		[LZ_PORTAL_STRICT] = LZ_SECTION_STRICT,
		[LZ_PORTAL_BLOCK25] = LZ_SECTION_BLOCK25,
		[LZ_PORTAL_THROTTLE] = LZ_SECTION_THROTTLE,
	};

	f->sections |= LZ_SECTION_BIT(LZ_SECTION_HELD) | LZ_SECTION_BIT(grades[c->grade]) |
		       section_of_reason(c->reason) | section_of_way_out(c);
	write_time(texts->since, format, c->since_s);
	write_time(texts->until, format, c->until_s);
	write_time(texts->seen, format, c->seen_s);
	write_number(texts->connections, c->connections);
	write_number(texts->left, c->releases_left);
	write_number(texts->minutes, c->wait_s ? (c->wait_s + 59) / 60 : 1);
	f->values[LZ_VALUE_SINCE] = texts->since;
	f->values[LZ_VALUE_CONNECTIONS] = texts->connections;
	f->values[LZ_VALUE_LEFT] = texts->left;
	f->values[LZ_VALUE_MINUTES] = texts->minutes;
	f->values[LZ_VALUE_TOKEN] = c->token;
	f->values[LZ_VALUE_UNTIL] = texts->until;
	f->values[LZ_VALUE_SEEN] = texts->seen;
	f->sections |= (c->until_s ? LZ_SECTION_BIT(LZ_SECTION_HAS_UNTIL) : 0) |
		       (c->seen_s ? LZ_SECTION_BIT(LZ_SECTION_HAS_SEEN) : 0) |
		       (c->connections ? LZ_SECTION_BIT(LZ_SECTION_HAS_CONNECTIONS) : 0) |
		       (c->allows ? LZ_SECTION_BIT(LZ_SECTION_HAS_ALLOWED) : 0);
}

static void fill_free(const struct lz_portal_case *c, const char *format, struct texts *texts,
		      struct lz_filling *f)
{
	f->sections |= LZ_SECTION_BIT(LZ_SECTION_FREE);
	if (!c->held_in_s)
		return;
	f->sections |= LZ_SECTION_BIT(LZ_SECTION_WARNED);
	write_time(texts->from, format, (__u64)time(NULL) + c->held_in_s);
	f->values[LZ_VALUE_FROM] = texts->from;
}

static void fill(const struct lz_pages *pages, const struct lz_page_language *lang,
		 enum lz_page_kind kind, const struct lz_portal_case *c, const char *to, struct texts *texts,
		 struct lz_filling *f)
{
	f->values[LZ_VALUE_LANG] = lang->tag;
	f->values[LZ_VALUE_PROVIDER] = pages->settings->provider;
	f->values[LZ_VALUE_CONTACT] = pages->settings->contact;
	f->values[LZ_VALUE_PORTAL] = pages->settings->url;
	f->values[LZ_VALUE_PORTAL_HOST] = pages->host;
	if (to && lz_url_host(to, texts->to_host, sizeof(texts->to_host))) {
		f->values[LZ_VALUE_TO] = to;
		f->values[LZ_VALUE_TO_HOST] = texts->to_host;
		f->sections |= LZ_SECTION_BIT(LZ_SECTION_HAS_TO);
	}
	if (kind == LZ_PAGE_BUSY)
		f->sections |= LZ_SECTION_BIT(LZ_SECTION_BUSY);
	if (c && c->number[0]) {
		f->values[LZ_VALUE_CASE] = c->number;
		f->sections |= LZ_SECTION_BIT(LZ_SECTION_HAS_CASE);
	}
	if (kind == LZ_PAGE_RELEASED)
		f->sections |= LZ_SECTION_BIT(LZ_SECTION_RELEASED);
	else if (c && !c->held)
		fill_free(c, lz_template_time_format(lang->template), texts, f);
	else if (c)
		fill_held(c, lz_template_time_format(lang->template), texts, f);
	if (kind == LZ_PAGE_REFUSED)
		f->sections |= LZ_SECTION_BIT(LZ_SECTION_REFUSED);
}

int lz_pages_render(const struct lz_pages *pages, size_t language, enum lz_page_kind kind,
		    const struct lz_portal_case *c, const char *to, struct lz_str *out)
{
	const struct lz_page_language *lang = &pages->v[language];
	struct lz_filling filling = { 0 };
	struct texts texts = { 0 };
	int r;

	fill(pages, lang, kind, c, to, &texts, &filling);
	r = lz_template_render(lang->template, &filling, out);
	return r < 0 ? r : out->len > LZ_PAGE_BYTES_MAX ? -EFBIG : 0;
}
