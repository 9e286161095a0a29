/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * route.h - which of the few answers a request gets. Pure.
 */
#ifndef LZ_PORTAL_ROUTE_H
#define LZ_PORTAL_ROUTE_H

#include <stdbool.h>

#include "base/mem.h"

#define LZ_RELEASE_PATH "/release"

enum lz_answer {
	LZ_ANSWER_PAGE,
	LZ_ANSWER_REDIRECT, /* 302 to the page: people, and the probes of operating systems */
	LZ_ANSWER_511,	    /* programs: RFC 6585 section 6 */
	LZ_ANSWER_RELEASE,  /* the button */
	LZ_ANSWER_API,	    /* RFC 8908 */
	LZ_ANSWER_METHOD,   /* 405 */
};

struct lz_asked {
	bool tls;
	bool own; /* plain HTTP at the portal's own address, under whatever name */
	const char *method;
	const char *host; /* NULL: none */
	const char *path; /* without the query */
	const char *accept;
	const char *user_agent;
};

/* Where the portal lives; from the settings. */
struct lz_route_config {
	char host[272];	    /* of the portal's url, "host" or "host:port" */
	char api_path[208]; /* "": no API */
	bool direct;	    /* the page is given at once, under every name: its own cannot be reached */
};

enum lz_answer lz_route(const struct lz_route_config *config, const struct lz_asked *asked);

/** lz_route_same_host() - are these one name, whatever their case, ":80" and last dot? */
bool lz_route_same_host(const char *a, const char *b);

/** lz_route_is_probe() - is this how an operating system looks whether it is online? */
bool lz_route_is_probe(const char *host, const char *path, const char *user_agent);

/**
 * lz_route_original() - the URL that was asked for, rebuilt; nothing is added to @out if @host is
 * not sane, or the URL is none that may stand in a link
 */
int lz_route_original(const char *host, const char *path, const char *query, struct lz_str *out);

/** lz_route_location() - where a redirect goes: @portal, with ?to=@original unless that is NULL or "" */
int lz_route_location(const char *portal, const char *original, struct lz_str *out);

#endif /* LZ_PORTAL_ROUTE_H */
