// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "portal/escape.h"
#include "portal/web.h"

#define RETRY_AFTER_S "30"
#define FRESH_MS      500 /* a browser asks at once on a connection that it opens for a request */

enum stage {
	STAGE_NEW,
	STAGE_BODY,  /* reading what comes with the request */
	STAGE_ASKED, /* suspended until the gate has answered */
	STAGE_READY, /* the answer can be written */
};

/* One request. Made when its first line is there, freed when libmicrohttpd is done with it. */
struct request {
	struct web_daemon *daemon;
	struct MHD_Connection *connection;
	enum stage stage;
	enum lz_answer answer;
	enum lz_page_kind kind;
	struct lz_portal_case the_case;
	bool has_case;
	bool is_late; /* it came on a connection that had been open for a while */
	size_t body_len;
	struct MHD_PostProcessor *form;
	char token[LZ_GATE_TOKEN_CHARS + 2]; /* one more: a longer one must not look right */
	char to[1100];
	char uri[LZ_WEB_URI_BYTES]; /* the path, and */
	const char *query;	    /* what stood behind '?', NULL: nothing */
};

/* ---------------------------------------------------------------- responses */

static const char *header(const struct request *req, const char *name)
{
	return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

static void add_location(struct request *req, struct MHD_Response *response, bool itself)
{
	const char *host = header(req, "Host");
	lz_autostr struct lz_str where = { 0 };
	lz_autostr struct lz_str original = { 0 };

	/* a probe's address is nobody's wish */
	if (itself || !lz_route_is_probe(host, req->uri, header(req, "User-Agent")))
		lz_route_original(host, req->uri, req->query, &original);
	if (itself)
		lz_str_append(&where, original.data);
	else
		lz_route_location(req->daemon->web->settings->url, original.data, &where);
	MHD_add_response_header(response, "Location", where.data ? where.data : "");
}

/* Every answer closes its connection: the very next one may have to go to the real site. */
static enum MHD_Result respond(struct request *req, unsigned int status, const char *type,
			       const char *csp, const char *language, struct lz_str *body)
{
	size_t len = body->len;
	char *text = body->error ? NULL : lz_str_take(body);
	struct MHD_Response *response;
	enum MHD_Result r;

	if (len && !text)
		return MHD_NO;
	response = MHD_create_response_from_buffer(len, text, text ? MHD_RESPMEM_MUST_FREE :
								     MHD_RESPMEM_PERSISTENT);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Connection", "close");
	MHD_add_response_header(response, "Cache-Control", "no-store, private");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "X-Frame-Options", "DENY");
	MHD_add_response_header(response, "Content-Security-Policy",
				csp ? csp : "default-src 'none'; frame-ancestors 'none'");
	if (type)
		MHD_add_response_header(response, "Content-Type", type);
	if (language) {
		MHD_add_response_header(response, "Content-Language", language);
		MHD_add_response_header(response, "Vary", "Accept-Language");
	}
	if (status == 503)
		MHD_add_response_header(response, "Retry-After", RETRY_AFTER_S);
	if (status == 405)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	if (status == 302 || status == 307)
		add_location(req, response, status == 307);
	r = MHD_queue_response(req->connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result send_page(struct request *req)
{
	const struct lz_pages *pages = req->daemon->web->pages;
	size_t language = lz_pages_choose(pages, header(req, "Accept-Language"));
	enum lz_page_kind kind = req->has_case || req->kind == LZ_PAGE_RELEASED ? req->kind : LZ_PAGE_BUSY;
	lz_autostr struct lz_str body = { 0 };
	unsigned int status = kind == LZ_PAGE_BUSY ? 503 : kind == LZ_PAGE_REFUSED ? 403 : 200;

	if (lz_pages_render(pages, language, kind, kind == LZ_PAGE_BUSY ? NULL : &req->the_case,
			    req->to[0] ? req->to : NULL, &body) < 0)
		return MHD_NO;
	return respond(req, status, "text/html; charset=utf-8", pages->v[language].csp,
		    pages->v[language].tag, &body);
}

/* RFC 6585 section 6: a link, not the page itself, lest a program take it for what it asked for. */
static enum MHD_Result send_511(struct request *req)
{
	const struct lz_settings *s = req->daemon->web->settings;
	lz_autostr struct lz_str body = { 0 };

	lz_str_append(&body, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
			     "<title>Network Authentication Required</title></head>\n<body>"
			     "<h1>This connection is in quarantine</h1>\n"
			     "<p>What you asked for was not reached. Open <a href=\"");
	lz_escape_html(&body, s->url);
	lz_str_append(&body, "\">");
	lz_escape_html(&body, s->url);
	lz_str_append(&body, "</a> in a browser: it says why, and how to get out.</p>\n<p>");
	lz_escape_html(&body, s->provider);
	lz_str_append(&body, ", ");
	lz_escape_html(&body, s->contact);
	lz_str_append(&body, "</p></body></html>\n");
	return respond(req, 511, "text/html; charset=utf-8", NULL, "en", &body);
}

static enum MHD_Result send_api(struct request *req)
{
	const char *url = req->daemon->web->tls_url;
	lz_autostr struct lz_str body = { 0 };
	lz_autofree char *json = req->has_case ? lz_api_json(&req->the_case, url[0] ? url : NULL) : NULL;

	if (!json)
		return respond(req, 503, NULL, NULL, NULL, &body);
	lz_str_append(&body, json);
	return respond(req, 200, "application/captive+json", NULL, NULL, &body);
}

static enum MHD_Result send_plain(struct request *req, unsigned int status)
{
	lz_autostr struct lz_str body = { 0 };

	return respond(req, status, NULL, NULL, NULL, &body);
}

/*
 * He is free, and yet he came here. Mostly the connection is older than his freedom - browsers open
 * one or two more than they use - and asked for again, on a new one, the real site answers. If this
 * is a new one, asking again would go round in circles.
 */
static enum MHD_Result send_on(struct request *req)
{
	lz_autostr struct lz_str original = { 0 };

	lz_route_original(header(req, "Host"), req->uri, req->query, &original);
	if (original.len && req->is_late)
		return send_plain(req, 307);
	if (req->answer == LZ_ANSWER_511)
		return send_plain(req, 503);
	lz_strcpy(req->to, sizeof(req->to), original.data ? original.data : "");
	return send_page(req);
}

static enum MHD_Result write_answer(struct request *req)
{
	if (req->has_case && !req->the_case.held &&
	    (req->answer == LZ_ANSWER_REDIRECT || req->answer == LZ_ANSWER_511))
		return send_on(req);
	switch (req->answer) {
	case LZ_ANSWER_PAGE:
	case LZ_ANSWER_RELEASE:
		return send_page(req);
	case LZ_ANSWER_API:
		return send_api(req);
	case LZ_ANSWER_REDIRECT:
		return send_plain(req, 302);
	case LZ_ANSWER_511:
		return send_511(req);
	case LZ_ANSWER_METHOD:
		break;
	}
	return send_plain(req, 405);
}

/* ---------------------------------------------------------------- the gate */

static int socket_of(const struct request *req)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static void go_on(struct request *req)
{
	req->stage = STAGE_READY;
	MHD_resume_connection(req->connection);
	lz_web_wake(req->daemon->web);
}

/* The button was pressed twice at once: both are told the same. */
static void take_freed(struct request *req)
{
	const char *number = req->answer == LZ_ANSWER_RELEASE ? lz_web_freed(req->connection) : NULL;

	if (!number)
		return;
	req->kind = LZ_PAGE_RELEASED;
	lz_strcpy(req->the_case.number, sizeof(req->the_case.number), number);
}

static void on_case(const cJSON *answer, void *arg)
{
	struct request *req = arg;
	__u64 code = 1;

	if (answer && lz_json_get_u64(answer, "code", 0, 7, &code, NULL) == 0 && code == 0)
		req->has_case = lz_portal_case_parse(answer, &req->the_case, NULL) == 0;
	if (!req->the_case.held) {
		req->kind = LZ_PAGE_CASE; /* somebody else has let him out meanwhile */
		take_freed(req);
	}
	go_on(req);
}

static void on_release(const cJSON *answer, void *arg)
{
	struct request *req = arg;
	const char *number = "";
	__u64 code = 1;

	if (!answer) {
		go_on(req);
		return;
	}
	lz_json_opt_u64(answer, "code", 0, 7, &code, NULL);
	if (code == 0) {
		req->kind = LZ_PAGE_RELEASED;
		lz_json_opt_str(answer, "case", &number, NULL);
		lz_web_free_others(req->daemon->web, req->connection, number);
		lz_strcpy(req->the_case.number, sizeof(req->the_case.number), number);
		go_on(req);
		return;
	}
	req->kind = LZ_PAGE_REFUSED; /* and the page with it says what is the case now */
	if (lz_ask_case(req->daemon->web->gate, socket_of(req), true, on_case, req) < 0)
		go_on(req);
}

/* Asks and suspends; if it cannot, the answer is that there is none. */
static enum MHD_Result ask(struct request *req)
{
	struct lz_ask *gate = req->daemon->web->gate;
	int r;

	if (req->answer == LZ_ANSWER_RELEASE && lz_token_is_one(req->token))
		r = lz_ask_release(gate, socket_of(req), req->token, on_release, req);
	else
		r = lz_ask_case(gate, socket_of(req),
				req->answer == LZ_ANSWER_PAGE || req->answer == LZ_ANSWER_RELEASE, on_case,
				req);
	if (r < 0) {
		req->stage = STAGE_READY;
		return write_answer(req);
	}
	if (req->answer == LZ_ANSWER_RELEASE)
		req->kind = LZ_PAGE_REFUSED;
	req->stage = STAGE_ASKED;
	lz_web_waits(req->connection);
	MHD_suspend_connection(req->connection);
	return MHD_YES;
}

/* ---------------------------------------------------------------- requests */

static enum MHD_Result take_field(void *cls, enum MHD_ValueKind kind, const char *key,
				  const char *file, const char *type, const char *encoding,
				  const char *data, uint64_t offset, size_t len)
{
	struct request *req = cls;
	char *field = lz_streq(key, "token") ? req->token : lz_streq(key, "to") ? req->to : NULL;
	size_t size = field == req->token ? sizeof(req->token) : sizeof(req->to);

	(void)kind;
	(void)file;
	(void)type;
	(void)encoding;
	if (!field || offset >= size || len >= size - offset)
		return MHD_YES; /* too long: what is there stays, and is not valid */
	memcpy(field + offset, data, len);
	field[offset + len] = '\0';
	return MHD_YES;
}

/* A link back is shown only if it is one, and does not lead here. */
static void check_to(struct request *req)
{
	char host[272];

	if (!lz_url_is_web(req->to) || !lz_url_host(req->to, host, sizeof(host)) ||
	    lz_route_same_host(host, req->daemon->web->route.host))
		req->to[0] = '\0';
}

static void find_to(struct request *req)
{
	const struct lz_route_config *route = &req->daemon->web->route;
	const char *to = MHD_lookup_connection_value(req->connection, MHD_GET_ARGUMENT_KIND, "to");
	lz_autostr struct lz_str original = { 0 };

	if (to)
		snprintf(req->to, sizeof(req->to), "%s", to);
	else if (route->direct && !req->daemon->tls && !req->daemon->own &&
		 lz_route_original(header(req, "Host"), req->uri, req->query, &original) == 0)
		snprintf(req->to, sizeof(req->to), "%s", original.data ? original.data : "");
}

void *lz_web_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct request *req = calloc(1, sizeof(*req));
	char *query;

	if (!req)
		return NULL;
	req->daemon = cls;
	req->connection = connection;
	if (!strncasecmp(uri, "http://", 7)) /* as to a proxy */
		uri = strchr(uri + 7, '/');
	if (!uri || *uri != '/' || lz_strcpy(req->uri, sizeof(req->uri), uri) < 0)
		lz_strcpy(req->uri, sizeof(req->uri), "/");
	query = strchr(req->uri, '?');
	if (query) {
		*query = '\0';
		req->query = query + 1;
	}
	return req;
}

static enum MHD_Result begin(struct request *req, const char *method)
{
	const struct lz_asked asked = {
		.tls = req->daemon->tls,
		.own = req->daemon->own,
		.method = method,
		.host = header(req, "Host"),
		.path = req->uri,
		.accept = header(req, "Accept"),
		.user_agent = header(req, "User-Agent"),
	};

	req->stage = STAGE_BODY;
	req->is_late = lz_web_age_ms(req->connection) >= FRESH_MS;
	req->answer = lz_route(&req->daemon->web->route, &asked);
	if (req->answer == LZ_ANSWER_PAGE)
		find_to(req);
	if (req->answer == LZ_ANSWER_RELEASE)
		req->form = MHD_create_post_processor(req->connection, 1024, take_field, req);
	if (req->answer != LZ_ANSWER_METHOD)
		return MHD_YES;
	return write_answer(req); /* and whatever body was to come is not read */
}

enum MHD_Result lz_web_step(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *body,
			      size_t *body_len, void **state)
{
	struct request *req = *state;

	(void)cls;
	(void)connection;
	(void)url;
	(void)version;
	if (!req)
		return MHD_NO;
	if (req->stage == STAGE_NEW)
		return begin(req, method);
	if (req->stage == STAGE_READY)
		return write_answer(req);
	if (!*body_len) {
		check_to(req);
		return ask(req);
	}
	req->body_len += *body_len;
	if (req->body_len > LZ_WEB_BODY_BYTES)
		return MHD_NO;
	if (req->form)
		MHD_post_process(req->form, body, *body_len);
	*body_len = 0;
	return MHD_YES;
}

void lz_web_over(void *cls, struct MHD_Connection *connection, void **state,
		   enum MHD_RequestTerminationCode why)
{
	struct request *req = *state;

	(void)cls;
	(void)connection;
	(void)why;
	if (!req)
		return;
	if (req->stage == STAGE_ASKED)
		lz_ask_forget(req->daemon->web->gate, req);
	if (req->form)
		MHD_destroy_post_processor(req->form);
	free(req);
	*state = NULL;
}
