/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* portal.c - what held customers meet ("portal") and who is told about cases ("tell"). */
#include <string.h>

#include "policy/context.h"

#define DAY_S (24 * 3600ULL)

/* ---------------------------------------------------------------- portal */

static void parse_portal_url(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_portal *portal = model;
	bool literal;

	lz_value_url(ctx, val, LZ_URL_HTTP | LZ_URL_HTTPS,
		     "http[s]://HOST[:PORT]/PATH without query", portal->url, &literal);
}

static void parse_contact(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_portal *portal = model;

	lz_value_text(ctx, val, LZ_CONTACT_MAX, portal->contact);
}

static void parse_provider(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_portal *portal = model;

	lz_value_text(ctx, val, LZ_PROVIDER_MAX, portal->provider);
}

/* The tags in use for web pages: "en", "gsw", "pt-BR" (RFC 5646: language, region). */
static bool is_language(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	if (n < 2 || n > 3 || !text[n])
		return n == 2 || n == 3;
	return text[n] == '-' && strlen(text + n) == 3 &&
	       strspn(text + n + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2;
}

static void parse_language(struct lz_context *ctx, struct lz_val val, struct lz_policy_portal *portal)
{
	const char *text;

	if (!lz_value_string(ctx, val, &text))
		return;
	if (!is_language(text)) {
		lz_error(ctx, lz_place_of(val), NULL,
			 "'%.40s' is not a language (want e.g. \"en\" or \"pt-BR\")", text);
		return;
	}
	for (size_t i = 0; i < portal->n_languages; i++) {
		if (!lz_streq(portal->languages[i], text))
			continue;
		lz_error(ctx, lz_place_of(val), NULL, "'%s' is in the list already", text);
		return;
	}
	if (portal->n_languages == LZ_POLICY_LANGUAGES_MAX)
		lz_error(ctx, lz_place_of(val), NULL, "more than %d languages", LZ_POLICY_LANGUAGES_MAX);
	else
		lz_strcpy(portal->languages[portal->n_languages++], LZ_LANGUAGE_MAX + 1, text);
}

static void parse_languages(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_portal *portal = model;

	if (!lz_value_list(ctx, val))
		return;
	portal->n_languages = 0;
	if (!val.item->child)
		lz_error(ctx, lz_place_of(val), NULL, "a page needs a language (want e.g. [\"en\"])");
	lz_for_each_child(&ctx->source, child, val)
		parse_language(ctx, child, portal);
}

static void parse_templates(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_portal *portal = model;

	lz_value_path(ctx, val, portal->templates);
}

static void parse_times(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_portal *portal = model;
	__u64 times;

	if (lz_value_u64(ctx, val, 0, 10, &times))
		portal->self_release_times = (__u32)times;
}

static void parse_quiet(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_portal *portal = model;

	lz_value_duration(ctx, val, 0, DAY_S, &portal->self_release_quiet_ns);
}

static void parse_self_release(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "times", parse_times, false },
		{ "quiet", parse_quiet, false },
	};

	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), model);
}

static void parse_api_url(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_api *api = model;
	bool literal;

	if (lz_value_url(ctx, val, LZ_URL_HTTPS, "https://HOST[:PORT]/PATH without query", api->url,
			 &literal) &&
	    literal)
		lz_warning(ctx, lz_place_of(val), NULL,
			   "clients check the certificate against the name in the link: RFC 8910 asks for a name, not an address");
}

/* "192.0.2.80:443" or "[2001:db8::80]:443" */
static bool parse_endpoint(const char *text, struct lz_endpoint *ret)
{
	const char *colon = strrchr(text, ':');
	char host[LZ_ADDR_TEXT_MAX + 2];
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool bracketed = *text == '[';
	__u64 port;

	if (!len || len >= sizeof(host) || lz_u64_parse(colon + 1, 1, 65535, &port, NULL) < 0)
		return false;
	if (bracketed && (len < 3 || text[len - 1] != ']'))
		return false;
	memcpy(host, text + bracketed, len - 2 * bracketed);
	host[len - 2 * bracketed] = '\0';
	ret->port = (__u16)port;
	return !lz_addr_parse(host, &ret->addr, NULL) && (ret->addr.family == 6) == bracketed;
}

static void parse_listen_one(struct lz_context *ctx, struct lz_val val, const char *example,
			     struct lz_endpoints *ret)
{
	struct lz_endpoint endpoint = {};
	const char *text;

	if (!lz_value_string(ctx, val, &text))
		return;
	if (!parse_endpoint(text, &endpoint)) {
		lz_error(ctx, lz_place_of(val), NULL,
			 "'%.60s' is not ADDRESS:PORT (want e.g. %s)", text, example);
		return;
	}
	for (size_t i = 0; i < ret->n; i++) {
		if (ret->v[i].addr.family != endpoint.addr.family)
			continue;
		lz_error(ctx, lz_place_of(val), NULL, "a second IPv%u address (want at most one of each family)",
			 endpoint.addr.family);
		return;
	}
	ret->v[ret->n++] = endpoint;
}

static void parse_endpoints(struct lz_context *ctx, struct lz_val val, const char *example,
			    struct lz_endpoints *ret)
{
	if (!lz_value_list(ctx, val))
		return;
	if (!val.item->child)
		lz_error(ctx, lz_place_of(val), NULL, "listens nowhere (want e.g. %s)", example);
	lz_for_each_child(&ctx->source, child, val)
		parse_listen_one(ctx, child, example, ret);
}

static void parse_api_listen(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_api *api = model;

	parse_endpoints(ctx, val, "\"192.0.2.80:443\" or \"[2001:db8::80]:443\"", &api->listen);
}

static void parse_portal_listen(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_portal *portal = model;

	parse_endpoints(ctx, val, "\"192.0.2.80:80\" or \"[2001:db8::80]:80\"", &portal->listen);
}

/* One speaks TLS, the other does not. */
static void check_listen(struct lz_context *ctx, struct lz_place place,
			 const struct lz_policy_portal *portal)
{
	const struct lz_endpoints *plain = &portal->listen, *tls = &portal->api.listen;

	for (size_t i = 0; i < plain->n * tls->n; i++) {
		const struct lz_endpoint *a = &plain->v[i / tls->n], *b = &tls->v[i % tls->n];

		if (a->port == b->port && a->addr.family == b->addr.family &&
		    lz_addr_cmp(&a->addr, &b->addr) == 0)
			lz_error(ctx, place, NULL, "listens on port %u of the address of \"api\" too (want "
				 "another port, e.g. 80)", a->port);
	}
}

static void parse_certificate(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_api *api = model;

	lz_value_path(ctx, val, api->certificate);
}

static void parse_key(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_api *api = model;

	lz_value_path(ctx, val, api->key);
}

static void parse_api(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "url", parse_api_url, true },
		{ "listen", parse_api_listen, true },
		{ "certificate", parse_certificate, true },
		{ "key", parse_key, true },
	};
	struct lz_policy_portal *portal = model;

	portal->api.present = true;
	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), &portal->api);
}

void lz_parse_portal(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "url", parse_portal_url, true },
		{ "provider", parse_provider, true },
		{ "contact", parse_contact, true },
		{ "languages", parse_languages, false },
		{ "templates", parse_templates, false },
		{ "self-release", parse_self_release, false },
		{ "listen", parse_portal_listen, false },
		{ "api", parse_api, false },
	};
	struct lz_policy_portal *portal = &((struct lz_policy *)model)->portal;

	*portal = (struct lz_policy_portal){
		.present = true,
		.languages = { "en" },
		.n_languages = 1,
		.self_release_times = 2,
		.self_release_quiet_ns = 600 * 1000000000ULL,
	};
	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), portal);
	check_listen(ctx, lz_place_of(val), portal);
}

/* ---------------------------------------------------------------- tell */

static void parse_hook(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_tell *tell = model;

	lz_value_path(ctx, val, tell->hook);
}

static void parse_webhook_url(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_tell *tell = model;
	bool literal;

	lz_value_url(ctx, val, LZ_URL_HTTPS | LZ_URL_HTTP | LZ_URL_HTTP_LOCAL | LZ_URL_QUERY,
		     "https://HOST[:PORT]/PATH", tell->webhook_url, &literal);
}

static void parse_secret_file(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_tell *tell = model;

	lz_value_path(ctx, val, tell->webhook_secret_file);
}

static void parse_webhook(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "url", parse_webhook_url, true },
		{ "secret-file", parse_secret_file, true },
	};

	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), model);
}

static void parse_to(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_tell *tell = model;

	lz_value_mail_address(ctx, val, tell->mail_to);
}

static void parse_from(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_tell *tell = model;

	lz_value_mail_address(ctx, val, tell->mail_from);
}

static void parse_via(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_tell *tell = model;
	bool literal;

	if (cJSON_IsString(val.item) && lz_streq(val.item->valuestring, "sendmail"))
		tell->mail_via[0] = '\0';
	else
		lz_value_url(ctx, val, LZ_URL_SMTP | LZ_URL_SMTPS | LZ_URL_NO_PATH,
			     "sendmail | smtp://HOST[:PORT] | smtps://HOST[:PORT]", tell->mail_via, &literal);
}

static void parse_tell_mail(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "to", parse_to, true },
		{ "from", parse_from, true },
		{ "via", parse_via, false },
	};

	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), model);
}

static void parse_address(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_tell *tell = model;

	lz_value_bool(ctx, val, &tell->address);
}

static void parse_on(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy_tell *tell = model;
	unsigned word;

	if (!lz_value_list(ctx, val))
		return;
	tell->on = 0;
	if (!val.item->child)
		lz_error(ctx, lz_place_of(val), NULL, "tells nothing (want e.g. [\"garden\", \"released\"])");
	lz_for_each_child(&ctx->source, child, val)
		if (lz_value_word(ctx, child, lz_tell_words, LZ_TELL_N, ~0ULL, &word))
			tell->on |= 1U << word;
}

void lz_parse_tell(struct lz_context *ctx, struct lz_val val, void *model)
{
	static const struct lz_field fields[] = {
		{ "hook", parse_hook, false },
		{ "webhook", parse_webhook, false },
		{ "mail", parse_tell_mail, false },
		{ "address", parse_address, false },
		{ "on", parse_on, false },
	};
	struct lz_policy_tell *tell = &((struct lz_policy *)model)->tell;

	*tell = (struct lz_policy_tell){
		.present = true,
		.on = LZ_TELL_DEFAULT,
	};
	lz_fields_parse(ctx, val, fields, LZ_ARRAY_SIZE(fields), tell);
	if (cJSON_IsObject(val.item) && !cJSON_HasObjectItem(val.item, "hook") &&
	    !cJSON_HasObjectItem(val.item, "webhook") && !cJSON_HasObjectItem(val.item, "mail"))
		lz_error(ctx, lz_place_of(val), NULL, "tells nobody (want at least one of hook, webhook, mail)");
}

/* ---------------------------------------------------------------- name-servers */

void lz_parse_name_servers(struct lz_context *ctx, struct lz_val val, void *model)
{
	struct lz_policy *policy = model;
	struct lz_addr addr;
	struct lz_err why;
	const char *text;

	if (!lz_value_list(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val) {
		if (!lz_value_string(ctx, child, &text))
			continue;
		if (lz_addr_parse(text, &addr, &why) < 0)
			lz_error(ctx, lz_place_of(child), NULL, "%s", why.text);
		else if (policy->n_name_servers == LZ_POLICY_NAME_SERVERS_MAX)
			lz_error(ctx, lz_place_of(child), NULL, "more than %d name servers",
				 LZ_POLICY_NAME_SERVERS_MAX);
		else
			policy->name_servers[policy->n_name_servers++] = addr;
	}
}
