/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * outside.c - values that go out of this machine in links, headers, mail and command lines: URLs,
 * mail addresses, paths, free text. Each is held to the smallest form that works, so that what
 * writes them has nothing to escape.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/context.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS	"0123456789"
#define ATEXT	LETTERS DIGITS "!#$%&'*+-/=?^_`{|}~" /* RFC 5322 section 3.2.3 */

bool lz_host_name_is_valid(const char *name)
{
	size_t len = strlen(name), label = 0;

	for (size_t i = 0; i < len; i++) {
		bool edge = !label || i + 1 == len || name[i + 1] == '.';

		if (name[i] == '.' ? !label : edge && name[i] == '-')
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label && len <= LZ_HOST_NAME_MAX && !name[strspn(name, LETTERS DIGITS "-.")];
}

/* ---------------------------------------------------------------- URLs */

static bool is_port(const char *text)
{
	__u64 port;

	return !lz_u64_parse(text, 1, 65535, &port, NULL);
}

/* "[2001:db8::1]": *ret_rest is what follows the bracket. */
static bool take_literal(const char *text, const char **ret_rest)
{
	char inner[LZ_ADDR_TEXT_MAX];
	const char *end = strchr(text, ']');
	struct lz_addr addr;

	if (!end || (size_t)(end - text) > sizeof(inner))
		return false;
	snprintf(inner, sizeof(inner), "%.*s", (int)(end - text - 1), text + 1);
	*ret_rest = end + 1;
	return !lz_addr_parse(inner, &addr, NULL) && addr.family == 6;
}

/* HOST[:PORT]; *ret_literal: the host is an address. */
static bool is_authority(const char *text, bool *ret_literal)
{
	char host[LZ_HOST_NAME_MAX + 1];
	const char *rest = text + strcspn(text, ":");
	struct lz_addr addr;

	*ret_literal = true;
	if (*text == '[') {
		if (!take_literal(text, &rest))
			return false;
	} else {
		if ((size_t)(rest - text) >= sizeof(host))
			return false;
		snprintf(host, sizeof(host), "%.*s", (int)(rest - text), text);
		*ret_literal = !lz_addr_parse(host, &addr, NULL);
		/* 192.0.2.256 is no name either: a top-level domain is never a number */
		if (!*ret_literal && (!lz_host_name_is_valid(host) ||
				      !host[strspn(host, DIGITS ".")]))
			return false;
	}
	return !*rest || (*rest == ':' && is_port(rest + 1));
}

static bool is_loopback(const char *authority)
{
	return (strcspn(authority, ":") == 9 && !strncmp(authority, "127.0.0.1", 9)) ||
	       !strncmp(authority, "[::1]", 5);
}

/* What may follow the authority: RFC 3986 pchar without quotes and brackets, %XX whole. */
static bool is_path(const char *path, bool query)
{
	const char *accepted = query ? LETTERS DIGITS "-._~!$&*+,;=:@/%?" : LETTERS DIGITS "-._~/%";

	for (const char *c = path; *c; c++) {
		if (!strchr(accepted, *c))
			return false;
		if (*c == '%' && (!isxdigit((unsigned char)c[1]) || !isxdigit((unsigned char)c[2])))
			return false;
	}
	return true;
}

static const char *scheme_of(const char *text, unsigned schemes)
{
	static const struct {
		unsigned bit;
		const char *text;
	} known[] = {
		{ LZ_URL_HTTP, "http://" },
		{ LZ_URL_HTTPS, "https://" },
		{ LZ_URL_SMTP, "smtp://" },
		{ LZ_URL_SMTPS, "smtps://" },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(known); i++)
		if (schemes & known[i].bit && !strncmp(text, known[i].text, strlen(known[i].text)))
			return known[i].text;
	return NULL;
}

bool lz_value_url(struct lz_context *ctx, struct lz_val val, unsigned flags, const char *wanted,
		  char ret[static LZ_URL_MAX + 1], bool *ret_literal)
{
	const char *text, *scheme;
	char authority[LZ_URL_MAX + 1];
	size_t len;

	if (!lz_value_string(ctx, val, &text))
		return false;
	scheme = strlen(text) <= LZ_URL_MAX ? scheme_of(text, flags) : NULL;
	if (scheme) {
		const char *host = text + strlen(scheme);

		len = strcspn(host, "/?#");
		snprintf(authority, sizeof(authority), "%.*s", (int)len, host);
		if (is_authority(authority, ret_literal) &&
		    (!host[len] || (!(flags & LZ_URL_NO_PATH) && host[len] == '/' &&
				    is_path(host + len, flags & LZ_URL_QUERY)))) {
			if (!(flags & LZ_URL_HTTP_LOCAL) || strncmp(scheme, "http:", 5) ||
			    is_loopback(authority)) {
				memcpy(ret, text, strlen(text) + 1);
				return true;
			}
			lz_error(ctx, lz_place_of(val), NULL,
				 "'%.200s' would send reports over the network in clear (want https://)", text);
			return false;
		}
	}
	lz_error(ctx, lz_place_of(val), NULL, "'%.200s' is not accepted here (want %s, at most %d bytes)",
		 text, wanted, LZ_URL_MAX);
	return false;
}

/* ---------------------------------------------------------------- mail, paths, text */

/* RFC 5322 dot-atom @ a host name with a dot. No quoting, no comment, no literal. */
static bool is_mail_address(const char *text)
{
	const char *at = strchr(text, '@');
	size_t local = at ? (size_t)(at - text) : 0;

	if (!local || local > 64 || strlen(text) > LZ_MAIL_ADDRESS_MAX)
		return false;
	if (text[0] == '.' || text[0] == '-' || at[-1] == '.' || strspn(text, ATEXT ".") != local)
		return false;
	for (size_t i = 1; i < local; i++)
		if (text[i] == '.' && text[i - 1] == '.')
			return false;
	return strchr(at + 1, '.') && lz_host_name_is_valid(at + 1);
}

bool lz_value_mail_address(struct lz_context *ctx, struct lz_val val,
			   char ret[static LZ_MAIL_ADDRESS_MAX + 1])
{
	const char *text;

	if (!lz_value_string(ctx, val, &text))
		return false;
	if (is_mail_address(text)) {
		memcpy(ret, text, strlen(text) + 1);
		return true;
	}
	lz_error(ctx, lz_place_of(val), NULL,
		 "'%.100s' is not a mail address (want e.g. abuse@example.net, without a name, quotes or brackets)",
		 text);
	return false;
}

bool lz_value_path(struct lz_context *ctx, struct lz_val val, char ret[static LZ_PATH_MAX + 1])
{
	const char *text;
	size_t len;

	if (!lz_value_string(ctx, val, &text))
		return false;
	len = strlen(text);
	if (text[0] == '/' && len > 1 && len <= LZ_PATH_MAX && text[len - 1] != '/' &&
	    !strstr(text, "/../") && !strstr(text, "//") &&
	    !text[strspn(text, LETTERS DIGITS "/._+@%:=-")]) {
		memcpy(ret, text, len + 1);
		return true;
	}
	lz_error(ctx, lz_place_of(val), NULL,
		 "'%.100s' is not accepted as a path (want an absolute one, e.g. /etc/lazaret/x, at most %d of A-Z a-z 0-9 / . _ + @ %% : = -)",
		 text, LZ_PATH_MAX);
	return false;
}

bool lz_value_text(struct lz_context *ctx, struct lz_val val, size_t max_bytes, char *ret)
{
	const char *text;
	size_t len;

	if (!lz_value_string(ctx, val, &text))
		return false;
	len = strlen(text);
	if (!len || len > max_bytes) {
		lz_error(ctx, lz_place_of(val), NULL, "%zu bytes of text (want 1..%zu)", len, max_bytes);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= ' ' && c != 0x7f && !(c == 0xc2 && (unsigned char)text[i + 1] < 0xa0))
			continue;
		lz_error(ctx, lz_place_of(val), NULL, "'%.100s' has a control character (want one line of plain text)",
			 text);
		return false;
	}
	memcpy(ret, text, len + 1);
	return true;
}
