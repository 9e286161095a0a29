// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "portal/case.h"
#include "portal/escape.h"

#define FOREVER_S (1ULL << 40)

/* An optional text into a fixed field. */
static int take_text(const cJSON *obj, const char *key, char *ret, size_t size, struct lz_err *err)
{
	const char *text = "";
	int r = lz_json_opt_str(obj, key, &text, err);

	if (r == 0 && lz_strcpy(ret, size, text) < 0)
		r = lz_err_set(err, EINVAL, "%s: is too long (at most %zu bytes)", key, size - 1);
	return r;
}

static int take_time(const cJSON *obj, const char *key, __u64 *ret_s, struct lz_err *err)
{
	const char *text = NULL;
	__u64 wall_ns = 0;
	int r = lz_json_opt_str(obj, key, &text, err);

	if (r == 0 && text)
		r = lz_time_parse(text, &wall_ns, err);
	if (r == 0)
		*ret_s = wall_ns / 1000000000ULL;
	return r;
}

static int take_languages(const cJSON *obj, struct lz_settings *ret, struct lz_err *err)
{
	const cJSON *list, *item;
	int r = lz_json_get_array(obj, "languages", &list, err);

	if (r < 0)
		return r;
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsString(item) || ret->n_languages == LZ_LANGUAGES_MAX || !item->valuestring[0] ||
		    strspn(item->valuestring,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") !=
			    strlen(item->valuestring) ||
		    lz_strcpy(ret->languages[ret->n_languages++], sizeof(ret->languages[0]),
			      item->valuestring) < 0)
			return lz_err_set(err, EINVAL, "languages: want 1 to 8 tags such as \"en\"");
	}
	return ret->n_languages ? 0 : lz_err_set(err, EINVAL, "languages: none is given");
}

static int take_api(const cJSON *obj, struct lz_settings *ret, struct lz_err *err)
{
	const cJSON *api = cJSON_GetObjectItemCaseSensitive(obj, "api");
	int r;

	if (!api)
		return 0;
	r = take_text(api, "url", ret->api_url, sizeof(ret->api_url), err);
	if (r == 0)
		r = take_text(api, "certificate", ret->certificate, sizeof(ret->certificate), err);
	if (r == 0)
		r = take_text(api, "key", ret->key, sizeof(ret->key), err);
	if (r == 0 && (!lz_url_is_web(ret->api_url) || strncmp(ret->api_url, "https://", 8)))
		r = lz_err_set(err, EINVAL, "api: url: is no https URL");
	return r;
}

int lz_settings_parse(const cJSON *answer, struct lz_settings *ret, struct lz_err *reterr)
{
	struct lz_settings s = { 0 };
	__u64 key = 64;
	int r = take_text(answer, "url", s.url, sizeof(s.url), reterr);

	if (r == 0 && !lz_url_is_web(s.url))
		r = lz_err_set(reterr, EINVAL, "url: '%.60s' is no web address", s.url);
	if (r == 0)
		r = take_text(answer, "provider", s.provider, sizeof(s.provider), reterr);
	if (r == 0)
		r = take_text(answer, "contact", s.contact, sizeof(s.contact), reterr);
	if (r == 0)
		r = take_text(answer, "templates", s.templates, sizeof(s.templates), reterr);
	if (r == 0)
		r = take_languages(answer, &s, reterr);
	if (r == 0)
		r = lz_json_opt_u64(answer, "ipv6_key", 48, 64, &key, reterr);
	if (r == 0)
		r = take_api(answer, &s, reterr);
	if (r < 0)
		return r;
	s.ipv6_key = (unsigned int)key;
	*ret = s;
	return 0;
}

enum lz_gate_why lz_why_parse(const char *word)
{
	for (unsigned int i = 0; word && i < LZ_GATE_WHY_N; i++)
		if (lz_streq(word, lz_gate_why_words[i]))
			return (enum lz_gate_why)i;
	return LZ_GATE_WHY_STAFF;
}

static int take_grade(const cJSON *answer, struct lz_portal_case *c, struct lz_err *err)
{
	const char *grade;
	bool strict = false;
	int r = lz_json_get_str(answer, "grade", &grade, err);

	if (r == 0)
		r = lz_json_opt_bool(answer, "strict", &strict, err);
	if (r == 0)
		r = lz_json_opt_bool(answer, "allows", &c->allows, err);
	if (r < 0)
		return r;
	if (lz_streq(grade, "block25"))
		c->grade = LZ_PORTAL_BLOCK25;
	else if (!strncmp(grade, "throttle", 8))
		c->grade = LZ_PORTAL_THROTTLE;
	else
		c->grade = strict ? LZ_PORTAL_STRICT : LZ_PORTAL_LEAKY;
	return 0;
}

static int take_release(const cJSON *answer, struct lz_portal_case *c, struct lz_err *err)
{
	const char *why = NULL;
	int r = lz_json_opt_bool(answer, "may_release", &c->may_release, err);

	if (r == 0)
		r = lz_json_opt_u64(answer, "releases_left", 0, 1000, &c->releases_left, err);
	if (r == 0)
		r = lz_json_opt_u64(answer, "wait_s", 0, FOREVER_S, &c->wait_s, err);
	if (r == 0)
		r = lz_json_opt_str(answer, "why_not", &why, err);
	if (r == 0)
		r = take_text(answer, "token", c->token, sizeof(c->token), err);
	c->why = lz_why_parse(why);
	return r;
}

int lz_portal_case_parse(const cJSON *answer, struct lz_portal_case *ret, struct lz_err *reterr)
{
	struct lz_portal_case c = { 0 };
	int r = lz_json_get_bool(answer, "held", &c.held, reterr);

	if (r == 0)
		r = lz_json_opt_u64(answer, "held_in_s", 0, FOREVER_S, &c.held_in_s, reterr);
	if (r == 0)
		r = lz_json_opt_u64(answer, "captive_in_s", 0, FOREVER_S, &c.captive_in_s, reterr);
	if (r == 0)
		r = take_text(answer, "case", c.number, sizeof(c.number), reterr);
	if (r == 0 && c.held) {
		r = take_grade(answer, &c, reterr);
		if (r == 0)
			r = take_text(answer, "reason", c.reason, sizeof(c.reason), reterr);
		if (r == 0)
			r = take_time(answer, "since", &c.since_s, reterr);
		if (r == 0)
			r = take_time(answer, "until", &c.until_s, reterr);
		if (r == 0)
			r = take_time(answer, "seen", &c.seen_s, reterr);
		if (r == 0)
			r = lz_json_opt_u64(answer, "connections", 0, LZ_JSON_INTEGER_MAX, &c.connections,
					    reterr);
		if (r == 0)
			r = take_release(answer, &c, reterr);
	}
	if (r == 0)
		*ret = c;
	return r;
}

bool lz_token_is_one(const char *text)
{
	return strlen(text) == LZ_GATE_TOKEN_CHARS &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
		       LZ_GATE_TOKEN_CHARS;
}

char *lz_api_json(const struct lz_portal_case *c, const char *portal_url)
{
	bool captive = c->held && (c->grade == LZ_PORTAL_LEAKY || c->grade == LZ_PORTAL_STRICT);
	lz_autojson cJSON *obj = cJSON_CreateObject();

	if (!obj || lz_json_add_bool(obj, "captive", captive) < 0 ||
	    (portal_url && lz_json_add_str(obj, "user-portal-url", portal_url) < 0) ||
	    (!captive && c->captive_in_s &&
	     lz_json_add_u64(obj, "seconds-remaining", c->captive_in_s) < 0))
		return NULL;
	return cJSON_PrintUnformatted(obj);
}
