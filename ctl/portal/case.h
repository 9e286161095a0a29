/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * case.h - what the gate says, as structures: settings, the case of one host. Pure.
 */
#ifndef LZ_PORTAL_CASE_H
#define LZ_PORTAL_CASE_H

#include <cjson/cJSON.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "lazaret/portal.h"

#define LZ_LANGUAGES_MAX 8

struct lz_settings {
	char url[208]; /* http or https, no query */
	char provider[84];
	char contact[208];
	char languages[LZ_LANGUAGES_MAX][12]; /* the first is the default */
	size_t n_languages; /* >= 1 */
	char templates[256]; /* "": those built in */
	unsigned int ipv6_key; /* 48..64 */
	char api_url[208]; /* "": no API */
	char certificate[256], key[256];
};

enum lz_portal_grade {
	LZ_PORTAL_LEAKY,
	LZ_PORTAL_STRICT,
	LZ_PORTAL_BLOCK25,
	LZ_PORTAL_THROTTLE,
};

struct lz_portal_case {
	bool held;
	__u64 held_in_s;    /* not held, but announced: until it will be; 0: not announced */
	__u64 captive_in_s; /* the same if it will be in a garden */
	char number[36];    /* held or announced */
	/* all below: held */
	bool allows; /* its garden has open addresses */
	enum lz_portal_grade grade;
	char reason[36]; /* a word, "": not said */
	__u64 since_s, until_s, seen_s; /* wall clock; 0: not known */
	__u64 connections; /* 0: not known */
	__u64 releases_left;
	bool may_release;
	enum lz_gate_why why; /* !may_release */
	__u64 wait_s;
	char token[LZ_GATE_TOKEN_CHARS + 1]; /* "": none */
};

/** lz_settings_parse() - the answer to `settings`; -EINVAL with @reterr */
int lz_settings_parse(const cJSON *answer, struct lz_settings *ret, struct lz_err *reterr);

/** lz_portal_case_parse() - the answer to `case`; -EINVAL with @reterr */
int lz_portal_case_parse(const cJSON *answer, struct lz_portal_case *ret, struct lz_err *reterr);

/** lz_why_parse() - a word of lz_gate_why_words; NULL or unknown: STAFF */
enum lz_gate_why lz_why_parse(const char *word);

/** lz_token_is_one() - LZ_GATE_TOKEN_CHARS characters of base64url */
bool lz_token_is_one(const char *text);

/**
 * lz_api_json() - RFC 8908 section 5; @portal_url over TLS or NULL; heap, NULL: no memory
 *
 * seconds-remaining stands only there for a host that is not captive but is going to be.
 */
char *lz_api_json(const struct lz_portal_case *c, const char *portal_url);

#endif /* LZ_PORTAL_CASE_H */
