/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "serve/bulk.h"

#include <errno.h>

#include "base/units.h"

#define FIELDS_MAX     5
#define LINE_MAX_BYTES 512 /* longest address, time, garden, ticket and reason fit */

static const char *const garden_words[LZ_GARDEN_N] = {
	[LZ_GARDEN_LEAKY] = "leaky",
	[LZ_GARDEN_STRICT] = "strict",
};

/* The next line that is neither empty nor a comment, as a NUL-terminated copy. */
static int next_line(struct lz_bulk *bulk, char line[static LINE_MAX_BYTES], struct lz_err *reterr)
{
	while (bulk->at < bulk->len) {
		const char *start = bulk->text + bulk->at;
		const char *end = memchr(start, '\n', bulk->len - bulk->at);
		size_t len = end ? (size_t)(end - start) : bulk->len - bulk->at;

		bulk->at += len + 1;
		bulk->line++;
		while (len && strchr(" \t\r", *start) && *start) {
			start++;
			len--;
		}
		while (len && strchr(" \t\r", start[len - 1]) && start[len - 1])
			len--;
		if (!len || *start == '#')
			continue;
		if (len >= LINE_MAX_BYTES)
			return lz_err_set(reterr, EINVAL,
					  "line %u: is too long (want at most %d bytes)",
					  bulk->line, LINE_MAX_BYTES - 1);
		for (size_t i = 0; i < len; i++) {
			if (((unsigned char)start[i] < 0x20 && start[i] != '\t') ||
			    start[i] == 0x7f)
				return lz_err_set(
					reterr, EINVAL,
					"line %u: has control characters (want plain text)",
					bulk->line);
		}
		memcpy(line, start, len);
		line[len] = '\0';
		return 1;
	}
	return 0;
}

/* Cut into at most @max fields, the last keeps its blanks; "-" becomes NULL. */
static size_t split_fields(char *line, char *fields[], size_t max)
{
	size_t n = 0;

	while (*line && n < max) {
		fields[n++] = line;
		if (n == max)
			break;
		line += strcspn(line, " \t");
		if (*line) {
			*line++ = '\0';
			line += strspn(line, " \t");
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (lz_streq(fields[i], "-"))
			fields[i] = NULL;
	}
	return n;
}

static int bad_field(const struct lz_bulk *bulk, const char *field, const char *value,
		     const char *want, struct lz_err *reterr)
{
	return lz_err_set(reterr, EINVAL, "line %u: %s: '%s' is not accepted (want %s)", bulk->line,
			  field, value ? value : "-", want);
}

/* A time starts with a four-digit year and a '-', a duration has no '-'. */
static int read_end(const char *text, struct lz_bulk_hold *hold)
{
	int r;

	if (strchr(text, '-'))
		return lz_time_parse(text, &hold->until_wall_ns, NULL);
	r = lz_duration_parse(text, &hold->for_ns, NULL);
	return !r && !hold->for_ns ? -EINVAL : r;
}

static int read_garden(const char *text, struct lz_bulk_hold *hold)
{
	for (int g = 0; g < LZ_GARDEN_N; g++) {
		if (lz_streq(text, garden_words[g])) {
			hold->garden = (enum lz_garden)g;
			hold->has_garden = true;
			return 0;
		}
	}
	return -EINVAL;
}

int lz_bulk_next_hold(struct lz_bulk *bulk, struct lz_bulk_hold *ret, struct lz_err *reterr)
{
	char *field[FIELDS_MAX] = { NULL };
	struct lz_bulk_hold hold = { .has_garden = false };
	char line[LINE_MAX_BYTES];
	int r = next_line(bulk, line, reterr);

	if (r <= 0)
		return r;
	split_fields(line, field, FIELDS_MAX);
	if (!field[0] || lz_addr_parse(field[0], &hold.addr, NULL))
		return bad_field(bulk, "address", field[0], "an IPv4 or IPv6 address", reterr);
	if (field[1] && read_end(field[1], &hold))
		return bad_field(
			bulk, "until", field[1],
			"a time such as 2027-03-01T00:00:00Z, a duration such as 72h, or -",
			reterr);
	if (field[2] && read_garden(field[2], &hold))
		return bad_field(bulk, "garden", field[2], "leaky, strict or -", reterr);
	if (field[3] && lz_strcpy(hold.ticket, sizeof(hold.ticket), field[3]))
		return bad_field(bulk, "ticket", field[3], "at most 64 bytes", reterr);
	if (field[4] && lz_strcpy(hold.reason, sizeof(hold.reason), field[4]))
		return bad_field(bulk, "reason", field[4], "at most 256 bytes", reterr);
	*ret = hold;
	return 1;
}

int lz_bulk_next_exception(struct lz_bulk *bulk, struct lz_bulk_exception *ret,
			   struct lz_err *reterr)
{
	struct lz_bulk_exception one = { .flags = 0 };
	char *field[FIELDS_MAX] = { NULL };
	char line[LINE_MAX_BYTES];
	int r = next_line(bulk, line, reterr);
	size_t n;

	if (r <= 0)
		return r;
	n = split_fields(line, field, FIELDS_MAX);
	if (!field[0] || lz_prefix_parse(field[0], &one.prefix, NULL))
		return bad_field(bulk, "prefix", field[0],
				 "an address or a prefix without host bits", reterr);
	if (field[1] && lz_streq(field[1], "port25"))
		one.flags = LZ_EXCEPTION_PORT25;
	else if (field[1] && lz_streq(field[1], "all"))
		one.flags = LZ_EXCEPTION_ALL;
	else
		return bad_field(bulk, "what", field[1], "port25 or all", reterr);
	if (!field[2] || lz_time_parse(field[2], &one.until_wall_ns, NULL))
		return bad_field(bulk, "until", field[2], "a time such as 2027-03-01", reterr);
	if (!field[3] || lz_strcpy(one.ticket, sizeof(one.ticket), field[3]))
		return bad_field(bulk, "ticket", field[3], "1 to 64 bytes", reterr);
	if (n > 4)
		return bad_field(bulk, "end of line", field[4], "four fields", reterr);
	*ret = one;
	return 1;
}

int lz_bulk_format_hold(const struct lz_bulk_hold *hold, struct lz_str *out)
{
	char addr[LZ_ADDR_TEXT_MAX], end[LZ_TIME_TEXT_MAX] = "-";

	if (hold->until_wall_ns)
		lz_time_format(hold->until_wall_ns, end);
	else if (hold->for_ns)
		lz_duration_format(hold->for_ns, end);
	lz_addr_format(&hold->addr, addr);
	lz_str_append(out, addr);
	lz_str_append_n(out, " ", 1);
	lz_str_append(out, end);
	lz_str_append_n(out, " ", 1);
	lz_str_append(out, hold->has_garden ? garden_words[hold->garden] : "-");
	lz_str_append(out, hold->ticket[0] ? " " : " -");
	lz_str_append(out, hold->ticket);
	if (hold->reason[0]) {
		lz_str_append_n(out, " ", 1);
		lz_str_append(out, hold->reason);
	}
	return lz_str_append_n(out, "\n", 1);
}
