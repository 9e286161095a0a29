/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tell/mail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/units.h"

#define TEXT_MAX	512 /* of one value */
#define ENCODED_WORD_MAX 45 /* bytes in one RFC 2047 word: 60 of base64 and 12 around it, of 75 */
#define SUBJECT_MAX	80 /* of the reason */
#define BASE64_LINE	57 /* bytes in a line of 76 */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void append_base64(struct lz_str *out, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		__u32 v = 0;
		char quad[4];

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < n ? (unsigned char)bytes[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			quad[k] = k <= n ? base64[v >> (18 - 6 * k) & 63] : '=';
		lz_str_append_n(out, quad, sizeof(quad));
	}
}

/* At most @max bytes of UTF-8, whole characters only. */
static char *cut(char *text, size_t max)
{
	if (strlen(text) <= max)
		return text;
	while (max && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	text[max] = '\0';
	return text;
}

/* Bytes of a character that may end a line somewhere: C0, DEL, C1, U+2028, U+2029; 0: none. */
static size_t control_len(const unsigned char *c)
{
	if (*c < ' ' || *c == 0x7f)
		return 1;
	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
		return 2;
	return c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9) ? 3 : 0;
}

/* A member as one line of text, controls as spaces; "" if it is missing or no text. */
static char *text_of(const cJSON *news, const char *key, char buf[static TEXT_MAX])
{
	const char *text = "";
	size_t len = 0, n;

	lz_json_opt_str(news, key, &text, NULL);
	for (const unsigned char *c = (const unsigned char *)text; *c && len < TEXT_MAX - 1; c += n) {
		n = control_len(c);
		buf[len++] = n ? ' ' : (char)*c;
		n = n ? n : 1;
	}
	buf[len] = '\0';
	if (len == TEXT_MAX - 1)
		cut(buf, TEXT_MAX - 4);
	return buf;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* " text", or folded RFC 2047 words of whole characters. A text that looks like a word is encoded. */
static void append_unstructured(struct lz_str *out, const char *text)
{
	char word[ENCODED_WORD_MAX + 1];

	if (is_ascii(text) && !strstr(text, "=?")) {
		lz_str_appendf(out, " %s", text);
		return;
	}
	for (; *text; text += strlen(word)) {
		snprintf(word, sizeof(word), "%.*s", ENCODED_WORD_MAX, text);
		for (size_t n = strlen(word); ((unsigned char)text[n] & 0xc0) == 0x80; n--)
			word[n - 1] = '\0';
		lz_str_append(out, "\r\n =?utf-8?b?");
		append_base64(out, word, strlen(word));
		lz_str_append(out, "?=");
	}
}

static void append_header(struct lz_str *out, const char *name, const char *value)
{
	lz_str_appendf(out, "%s: %s\r\n", name, value);
}

static void append_date(struct lz_str *out, __u64 wall_s)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t when = (time_t)wall_s;
	struct tm tm;

	gmtime_r(&when, &tm);
	lz_str_appendf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
		       months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void append_subject(struct lz_str *out, const cJSON *news, __u64 case_id)
{
	char event[TEXT_MAX], reason[TEXT_MAX], tail[2 * TEXT_MAX];

	text_of(news, "event", event);
	text_of(news, "reason", reason);
	snprintf(tail, sizeof(tail), "%s%s%s", event, reason[0] ? ": " : "", cut(reason, SUBJECT_MAX));
	lz_str_appendf(out, "Subject: [lazaret CASE-%llu]", (unsigned long long)case_id);
	append_unstructured(out, tail);
	lz_str_append(out, "\r\n");
}

static int append_headers(struct lz_str *out, const char *from, const char *to, const cJSON *news,
			  __u64 now_wall_s, struct lz_err *reterr)
{
	char key[TEXT_MAX], opened[TEXT_MAX], event[TEXT_MAX], thread[TEXT_MAX];
	const char *domain = strchr(from, '@');
	__u64 case_id, opened_ns;
	int r = lz_json_get_u64(news, "case", 1, LZ_JSON_INTEGER_MAX, &case_id, reterr);

	if (r == 0)
		r = lz_time_parse(text_of(news, "opened", opened), &opened_ns, reterr);
	if (r < 0)
		return r;
	text_of(news, "key", key);
	text_of(news, "event", event);
	if (!domain || !key[0] || key[strspn(key, "0123456789abcdef")])
		return lz_err_set(reterr, EINVAL, "mail: key '%.40s' or sender '%.40s': is malformed", key,
				  from);
	if (event[strspn(event, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		return lz_err_set(reterr, EINVAL, "mail: event '%.40s': is no word", event);
	append_date(out, now_wall_s);
	append_header(out, "From", from);
	append_header(out, "To", to);
	append_subject(out, news, case_id);
	snprintf(thread, sizeof(thread), "<case-%llu.%llu%s>", (unsigned long long)case_id,
		 (unsigned long long)(opened_ns / 1000000000), domain);
	lz_str_appendf(out, "Message-ID: <%s%s>\r\n", key, domain);
	append_header(out, "In-Reply-To", thread);
	append_header(out, "References", thread);
	append_header(out, "Auto-Submitted", "auto-generated");
	append_header(out, "X-Auto-Response-Suppress", "All");
	lz_str_appendf(out, "X-Lazaret-Case: %llu\r\n", (unsigned long long)case_id);
	append_header(out, "X-Lazaret-Event", event);
	append_header(out, "MIME-Version", "1.0");
	append_header(out, "Content-Type", "text/plain; charset=utf-8");
	return out->error;
}

static void append_body(struct lz_str *out, const cJSON *news)
{
	static const char *const keys[] = { "event",  "grade",	"since",   "until",    "reason",  "source",
					    "ticket", "address", "customer", "gateway", "instance" };
	char value[TEXT_MAX];
	__u64 case_id = 0;

	lz_json_opt_u64(news, "case", 0, LZ_JSON_INTEGER_MAX, &case_id, NULL);
	lz_str_appendf(out, "%-10s%llu\r\n", "case", (unsigned long long)case_id);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(keys); i++)
		if (text_of(news, keys[i], value)[0])
			lz_str_appendf(out, "%-10s%s\r\n", keys[i], value);
	text_of(news, "instance", value);
	lz_str_appendf(out, "\r\nThe gateway knows the rest: lazaretctl %s%s%squarantine show %llu\r\n",
		       value[0] ? "--instance " : "", value, value[0] ? " " : "", (unsigned long long)case_id);
}

int lz_mail_build(const char *from, const char *to, const cJSON *news, __u64 now_wall_s,
		  struct lz_str *out, struct lz_err *reterr)
{
	lz_autostr struct lz_str body = {};
	int r = append_headers(out, from, to, news, now_wall_s, reterr);

	if (r < 0)
		return r;
	append_body(&body, news);
	if (body.error)
		return body.error;
	if (is_ascii(body.data)) {
		lz_str_append(out, "Content-Transfer-Encoding: 7bit\r\n\r\n");
		return lz_str_append(out, body.data);
	}
	lz_str_append(out, "Content-Transfer-Encoding: base64\r\n\r\n");
	for (size_t i = 0; i < body.len; i += BASE64_LINE) {
		append_base64(out, body.data + i, body.len - i < BASE64_LINE ? body.len - i : BASE64_LINE);
		lz_str_append(out, "\r\n");
	}
	return out->error;
}
