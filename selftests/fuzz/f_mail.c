/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * f_mail.c - any text in any field of a message: the mail is of ASCII lines that end in CRLF, none
 * too long, with the same fourteen headers; or it is refused with a reason.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tell/mail.h"

#define HEADERS 14

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const char *text)
{
	unsigned int headers = 0;
	int in_headers = 1;

	for (const char *line = text, *end; *line; line = end + 2) {
		end = strstr(line, "\r\n");
		if (!end || end - line > 998)
			abort();
		for (const char *c = line; c < end; c++)
			if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
				abort();
		if (end == line)
			in_headers = 0;
		else if (in_headers && *line != ' ')
			headers++;
	}
	if (headers != HEADERS)
		abort();
}

/* The first byte says which field the rest is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const keys[] = { "reason", "ticket", "grade", "source", "gateway", "address",
					    "customer", "until", "since", "event", "key", "opened" };
	lz_autojson cJSON *fields = cJSON_CreateObject(), *news = NULL;
	lz_autostr struct lz_str mail = { 0 };
	lz_autofree char *value = malloc(n + 1), *text = NULL;
	struct lz_err err = { "" };

	if (!n || !value)
		return 0;
	memcpy(value, data + 1, n - 1);
	value[n - 1] = '\0';
	lz_json_add_str(fields, "key", "00ff");
	lz_json_add_str(fields, "event", "garden");
	lz_json_add_u64(fields, "case", 12);
	lz_json_add_str(fields, "opened", "2027-01-15T08:00:00Z");
	cJSON_DeleteItemFromObject(fields, keys[data[0] % LZ_ARRAY_SIZE(keys)]);
	lz_json_add_str(fields, keys[data[0] % LZ_ARRAY_SIZE(keys)], value);
	text = cJSON_PrintUnformatted(fields);
	if (!text || lz_json_parse(text, strlen(text), &news, &err))
		return 0; /* the teller takes nothing else */
	if (lz_mail_build("lazaret@gw1.example.net", "abuse@example.net", news, 1800000000, &mail, &err)) {
		if (!err.text[0])
			abort();
		return 0;
	}
	check(mail.data);
	return 0;
}
