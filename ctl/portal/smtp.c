// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "portal/smtp.h"

void lz_smtp_start(struct lz_smtp *smtp, const char *link)
{
	memset(smtp, 0, sizeof(*smtp));
	snprintf(smtp->link, sizeof(smtp->link), "%s", link);
}

size_t lz_smtp_greeting(const struct lz_smtp *smtp, const struct lz_smtp_why *why,
			char ret[static LZ_SMTP_REPLY_BYTES])
{
	bool known = why->number && *why->number;
	int n = snprintf(ret, LZ_SMTP_REPLY_BYTES, "554 5.7.1 %s, see %s%s%s%s\r\n",
			 why->held ? "This connection is in quarantine and cannot send mail" :
				     "Mail cannot be sent over port 25 from this connection",
			 smtp->link, known ? " (case " : "", known ? why->number : "", known ? ")" : "");

	return n < LZ_SMTP_REPLY_BYTES ? (size_t)n : 0;
}

static bool is_command(const char *line, const char *command)
{
	size_t n = strlen(command);

	return !strncasecmp(line, command, n) && (!line[n] || line[n] == ' ');
}

static void note(struct lz_smtp *smtp, const char *line, size_t len)
{
	size_t name;

	if (!smtp->first[0])
		lz_text_escape(smtp->first, sizeof(smtp->first), line, (unsigned int)len);
	if (smtp->helo[0] || (!is_command(line, "HELO") && !is_command(line, "EHLO")))
		return;
	name = 4 + strspn(line + 4, " ");
	lz_text_escape(smtp->helo, sizeof(smtp->helo), line + name, (unsigned int)(len - name));
}

/* One whole line, NUL-terminated; it may hold other NULs. */
static size_t answer(struct lz_smtp *smtp, char *ret)
{
	size_t len = smtp->len;
	int n;

	if (len && smtp->line[len - 1] == '\r')
		len--;
	smtp->line[len] = '\0';
	note(smtp, smtp->line, len);
	smtp->commands++;
	if (!smtp->overlong && is_command(smtp->line, "QUIT")) {
		smtp->over = true;
		n = snprintf(ret, LZ_SMTP_REPLY_BYTES, "221 2.0.0 Bye\r\n");
	} else if (smtp->commands >= LZ_SMTP_COMMANDS_MAX) {
		smtp->over = true;
		n = snprintf(ret, LZ_SMTP_REPLY_BYTES, "554 5.7.1 No mail is taken here, see %s\r\n",
			     smtp->link);
	} else {
		n = snprintf(ret, LZ_SMTP_REPLY_BYTES,
			     "503 5.5.1 No mail is taken here, see %s\r\n", smtp->link);
	}
	return (size_t)n;
}

size_t lz_smtp_feed(struct lz_smtp *smtp, const char *bytes, size_t len,
		    char ret[static LZ_SMTP_OUT_BYTES])
{
	size_t out = 0;

	for (size_t i = 0; i < len && !smtp->over; i++) {
		if (bytes[i] != '\n' && smtp->len < LZ_SMTP_LINE_BYTES) {
			smtp->line[smtp->len++] = bytes[i];
			continue;
		}
		if (bytes[i] != '\n') {
			smtp->overlong = true;
			continue;
		}
		out += answer(smtp, ret + out);
		smtp->len = 0;
		smtp->overlong = false;
	}
	return out;
}
