// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * f_portal.c - everything of the portal and of its gate that reads bytes of strangers. The first byte
 * chooses the reader; what each of them promises is checked, not only that it survives.
 */
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "portal/case.h"
#include "portal/escape.h"
#include "portal/lang.h"
#include "portal/route.h"
#include "portal/smtp.h"
#include "portal/template.h"
#include "serve/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void smtp(const char *text, size_t len)
{
	static char out[LZ_SMTP_OUT_BYTES];
	struct lz_smtp s;
	size_t half = len / 2, n;

	lz_smtp_start(&s, "http://q.example/");
	for (int part = 0; part < 2; part++) {
		n = lz_smtp_feed(&s, text + (part ? half : 0), part ? len - half : half, out);
		if (n > sizeof(out))
			__builtin_trap();
		for (size_t i = 0; i < n; i++)
			if ((i == 0 || out[i - 1] == '\n') && out[i] != '5' && strncmp(out + i, "221 ", 4))
				__builtin_trap(); /* it has taken something */
	}
	for (const char *p = s.helo; *p; p++)
		if (*p < ' ' || *p > '~')
			__builtin_trap();
}

/* No byte of the input may come out as markup. */
static void html(const char *text)
{
	lz_autostr struct lz_str out = { 0 };

	lz_escape_html(&out, text);
	if (out.data && strpbrk(out.data, "<>\"'\x1b"))
		__builtin_trap();
}

static void template(const char *text, size_t len)
{
	struct lz_filling f = { .sections = ~0ULL };
	lz_autostr struct lz_str with = { 0 };
	lz_autostr struct lz_str without = { 0 };
	struct lz_template *t = NULL;
	size_t quotes[2] = { 0 };
	struct lz_err err;

	if (lz_template_parse("fuzz", text, len, &t, &err) < 0)
		return;
	lz_template_render(t, &f, &without);
	for (int i = 0; i < LZ_VALUE_N; i++)
		f.values[i] = "\"'><script>&{{case}}";
	lz_template_render(t, &f, &with);
	for (int i = 0; i < 2; i++)
		for (const char *p = i ? with.data : without.data; p && *p; p++)
			quotes[i] += *p == '<' || *p == '"';
	if (quotes[0] != quotes[1])
		__builtin_trap(); /* a value has changed the structure of the page */
	lz_template_free(t);
}

/* "HOST\nPATH\nACCEPT\nAGENT": what a request may say. */
static void route(char *text)
{
	static const struct lz_route_config config = { .host = "q.example", .api_path = "/api" };
	lz_autostr struct lz_str original = { 0 };
	lz_autostr struct lz_str out = { 0 };
	struct lz_asked asked = { .method = "GET" };
	char *save = NULL;

	asked.host = strtok_r(text, "\n", &save);
	asked.path = strtok_r(NULL, "\n", &save);
	asked.accept = strtok_r(NULL, "\n", &save);
	asked.user_agent = strtok_r(NULL, "\n", &save);
	if (!asked.path)
		return;
	lz_route(&config, &asked);
	asked.tls = true;
	lz_route(&config, &asked);
	lz_route_original(asked.host, asked.path, NULL, &original);
	if (original.data && !lz_url_is_web(original.data))
		__builtin_trap();
	lz_route_location("http://q.example/", original.data, &out);
	if (strpbrk(out.data, "\r\n \"<>"))
		__builtin_trap();
}

static void gate(const char *text, size_t len)
{
	lz_autojson cJSON *root = NULL;
	struct lz_gate_question q;
	struct lz_err err = { "" };
	__u64 id;

	if (lz_gate_parse(text, len, &q, &id, &root, &err) == 0) {
		if (!id || (q.cmd == LZ_GATE_RELEASE && strlen(q.token) != LZ_GATE_TOKEN_CHARS))
			__builtin_trap();
	} else if (!err.text[0]) {
		__builtin_trap();
	}
}

static void answers(const char *text, size_t len)
{
	lz_autojson cJSON *root = NULL;
	struct lz_portal_case c;
	struct lz_settings s;

	if (lz_json_parse(text, len, &root, NULL) < 0)
		return;
	lz_settings_parse(root, &s, NULL);
	if (lz_portal_case_parse(root, &c, NULL) == 0)
		free(lz_api_json(&c, "https://q.example/"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const have[] = { "en", "de", "pt-BR" };
	lz_autofree char *text = size ? strndup((const char *)data + 1, size - 1) : NULL;
	const char *raw = (const char *)data + 1;

	if (!text)
		return 0;
	switch (data[0] % 7) {
	case 0:
		smtp(raw, size - 1);
		break;
	case 1:
		html(text);
		break;
	case 2:
		template(raw, size - 1);
		break;
	case 3:
		route(text);
		break;
	case 4:
		gate(raw, size - 1);
		break;
	case 5:
		answers(raw, size - 1);
		break;
	default:
		if (lz_lang_choose(text, have, 3) >= 3)
			__builtin_trap();
	}
	return 0;
}
