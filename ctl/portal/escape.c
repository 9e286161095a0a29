// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>

#include "base/utf8.h"
#include "portal/escape.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define URL_MAX	    1024

/* Control characters, and those that reorder what is read: a case number must read as it is. */
static bool is_hidden(unsigned int c)
{
	return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void lz_escape_html(struct lz_str *out, const char *text)
{
	const char *p = text;

	while (*p) {
		__u32 c;
		size_t n = lz_utf8_read(p, p + LZ_UTF8_BYTES_MAX, &c);

		if (!n || is_hidden(c))
			lz_str_append(out, REPLACEMENT);
		else if (c == '&')
			lz_str_append(out, "&amp;");
		else if (c == '<')
			lz_str_append(out, "&lt;");
		else if (c == '>')
			lz_str_append(out, "&gt;");
		else if (c == '"')
			lz_str_append(out, "&quot;");
		else if (c == '\'')
			lz_str_append(out, "&#39;");
		else
			lz_str_append_n(out, p, n);
		p += n ? n : 1;
	}
}

/* ctype.h depends on the locale, and its functions on the sign of char. */
static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

void lz_escape_query(struct lz_str *out, const char *text)
{
	for (; *text; text++) {
		if (is_alnum(*text) || is_one_of(*text, "-._~"))
			lz_str_append_n(out, text, 1);
		else
			lz_str_appendf(out, "%%%02X", (unsigned char)*text);
	}
}

/* Bytes of "host", "host:port", "[v6]:port"; 0: none there. */
static size_t host_len(const char *p)
{
	size_t n = 0, digits = 0;

	if (*p == '[') {
		n = 1 + strspn(p + 1, "0123456789abcdefABCDEF:.");
		if (n < 3 || p[n++] != ']')
			return 0;
	} else {
		while (is_alnum(p[n]) || is_one_of(p[n], ".-_"))
			n++;
	}
	if (!n || n > 255 || p[n] != ':')
		return n > 255 ? 0 : n;
	digits = strspn(p + n + 1, "0123456789");
	return digits >= 1 && digits <= 5 ? n + 1 + digits : 0;
}

bool lz_host_is_sane(const char *host)
{
	size_t n = host_len(host);

	return n && !host[n];
}

static const char *skip_scheme(const char *url)
{
	if (!strncasecmp(url, "http://", 7))
		return url + 7;
	if (!strncasecmp(url, "https://", 8))
		return url + 8;
	return NULL;
}

bool lz_url_is_web(const char *url)
{
	const char *p = skip_scheme(url);
	size_t n = p ? host_len(p) : 0;

	if (!n || strlen(url) > URL_MAX || (p[n] && !is_one_of(p[n], "/?#")))
		return false;
	for (p += n; *p; p++)
		if (!is_alnum(*p) && !is_one_of(*p, "-._~:/?#[]@!$&()*+,;=%"))
			return false;
	return true;
}

bool lz_url_host(const char *url, char *ret, size_t size)
{
	const char *p = skip_scheme(url);
	size_t n = p ? host_len(p) : 0;

	if (!n || n >= size)
		return false;
	memcpy(ret, p, n);
	ret[n] = '\0';
	return true;
}
