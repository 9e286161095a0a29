/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * escape.h - text from outside, made harmless for the place it goes to. Pure.
 */
#ifndef LZ_PORTAL_ESCAPE_H
#define LZ_PORTAL_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

/**
 * lz_escape_html() - for element content and quoted attribute values
 *
 * & < > " ' become entities; bytes that are not UTF-8, control characters (tab and newline stay)
 * and characters that turn the direction of text become U+FFFD.
 */
void lz_escape_html(struct lz_str *out, const char *text);

/** lz_escape_query() - for a value in the query of a URL: all but RFC 3986 unreserved as %XX */
void lz_escape_query(struct lz_str *out, const char *text);

/**
 * lz_url_is_web() - may this stand in an href?
 *
 * http:// or https://, a host of letters, digits, '.', '-', or a bracketed IPv6 address, an
 * optional port, then only characters RFC 3986 knows; no user name, at most 1024 bytes.
 */
bool lz_url_is_web(const char *url);

/** lz_url_host() - "host" or "host:port" of a URL that passed lz_url_is_web(); false: too long */
bool lz_url_host(const char *url, char *ret, size_t size);

/** lz_host_is_sane() - the same for what stood in a Host header */
bool lz_host_is_sane(const char *host);

#endif /* LZ_PORTAL_ESCAPE_H */
