/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/text.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "base/utf8.h"

/* Characters that change what is around them: controls, zero widths, directions, separators. */
static bool is_harmless(__u32 c)
{
	return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || c == '\\' || c == 0xad || c == 0x61c ||
		 (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xe0000 && c <= 0xe0fff));
}

const char *lz_text_safe(const struct lz_cli *cli, const char *text, char *buf, size_t size)
{
	size_t at = 0;

	while (*text && at + 5 < size) {
		__u32 c = 0;
		unsigned int len = lz_utf8_read(text, text + LZ_UTF8_BYTES_MAX, &c);

		if (len && is_harmless(c) && (len == 1 || cli->utf8)) {
			memcpy(buf + at, text, len);
			at += len;
			text += len;
		} else {
			at += lz_text_escape(buf + at, 5, text, 1);
			text++;
		}
	}
	buf[at] = '\0';
	return buf;
}

const char *lz_text_span(__u64 ns, char *buf, size_t size)
{
	__u64 s = ns / LZ_NS_PER_S;

	if (s >= 86400)
		snprintf(buf, size, "%llud%02lluh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(buf, size, "%lluh%02llum", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buf, size, "%llum%02llus", s / 60, s % 60);
	else
		snprintf(buf, size, "%llus", s);
	return buf;
}

static void count_text(double value, unsigned int width, char *buf)
{
	static const char units[] = { 0, 'k', 'M', 'G', 'T', 'P' };
	__u64 n = value < 0 ? 0 : value > 1.8e19 ? ~0ULL : (__u64)value;
	unsigned int unit = 0;

	snprintf(buf, LZ_CELL_BYTES, "%llu", n);
	while (width && strlen(buf) > width && unit + 1 < sizeof(units)) {
		n /= 1000;
		snprintf(buf, LZ_CELL_BYTES, "%llu%c", n, units[++unit]);
	}
}

static void time_text(const struct lz_cli *cli, const char *text, enum lz_cell_kind kind, char *buf)
{
	__u64 wall_ns, now = cli->now_wall_ns;
	char span[24];

	if (lz_time_parse(text, &wall_ns, NULL)) {
		lz_text_safe(cli, text, buf, LZ_CELL_BYTES);
		return;
	}
	lz_text_span(wall_ns > now ? wall_ns - now : now - wall_ns, span, sizeof(span));
	if (kind == LZ_CELL_TIME)
		snprintf(buf, LZ_CELL_BYTES, wall_ns > now ? "%s (in %s)" : "%s (%s ago)", text,
			 span);
	else if ((kind == LZ_CELL_LEFT) == (wall_ns > now))
		snprintf(buf, LZ_CELL_BYTES, "%s", span);
	else
		snprintf(buf, LZ_CELL_BYTES, "%s", kind == LZ_CELL_LEFT ? "over" : "0s");
}

static void list_text(const struct lz_cli *cli, const cJSON *list, char *buf)
{
	const cJSON *item;
	size_t at = 0;

	buf[0] = '\0';
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsString(item) || at + 64 > LZ_CELL_BYTES)
			continue;
		at += (size_t)snprintf(buf + at, LZ_CELL_BYTES - at, "%s", at ? ", " : "");
		lz_text_safe(cli, item->valuestring, buf + at, LZ_CELL_BYTES - at);
		at += strlen(buf + at);
	}
}

const char *lz_text_cell(const struct lz_cli *cli, const cJSON *item, enum lz_cell_kind kind,
			 unsigned int width, char buf[static LZ_CELL_BYTES])
{
	bool is_time = kind == LZ_CELL_AGO || kind == LZ_CELL_LEFT || kind == LZ_CELL_TIME;

	buf[0] = '\0';
	if (cJSON_IsNumber(item) && kind == LZ_CELL_SPAN)
		lz_text_span((__u64)item->valuedouble * LZ_NS_PER_S, buf, LZ_CELL_BYTES);
	else if (cJSON_IsNumber(item))
		count_text(item->valuedouble, width, buf);
	else if (cJSON_IsBool(item))
		snprintf(buf, LZ_CELL_BYTES, "%s", cJSON_IsTrue(item) ? "yes" : "no");
	else if (cJSON_IsString(item) && is_time)
		time_text(cli, item->valuestring, kind, buf);
	else if (cJSON_IsString(item))
		lz_text_safe(cli, item->valuestring, buf, LZ_CELL_BYTES);
	else if (cJSON_IsArray(item))
		list_text(cli, item, buf);
	if (!buf[0])
		snprintf(buf, LZ_CELL_BYTES, "-");
	return buf;
}

const cJSON *lz_text_member(const cJSON *obj, const char *path)
{
	while (obj && *path) {
		size_t len = strcspn(path, ".");
		char key[40];

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		obj = cJSON_GetObjectItemCaseSensitive(obj, key);
		path += len + (path[len] == '.');
	}
	return obj;
}

const char *lz_text_get(const struct lz_cli *cli, const cJSON *obj, const char *path,
			char buf[static LZ_CELL_BYTES])
{
	return lz_text_cell(cli, lz_text_member(obj, path), LZ_CELL_TEXT, 0, buf);
}

bool lz_text_is(const cJSON *obj, const char *path)
{
	return cJSON_IsTrue(lz_text_member(obj, path));
}

void lz_text_put(const char *text, unsigned int width, bool right)
{
	unsigned int columns = 0;

	for (const char *p = text; *p; p++)
		columns += ((unsigned char)*p & 0xc0) != 0x80; /* not a further byte of UTF-8 */
	for (unsigned int i = columns; right && i < width; i++)
		putc_unlocked(' ', stdout);
	fputs(text, stdout);
	for (unsigned int i = columns; !right && i < width; i++)
		putc_unlocked(' ', stdout);
}

/* Columns of the next piece of at most @room: up to a blank, else as many as fit. */
static size_t piece(const char *text, size_t room)
{
	size_t bytes = 0, columns = 0, blank = 0;

	while (text[bytes] && columns <= room) {
		if (text[bytes] == ' ' && bytes)
			blank = bytes;
		do
			bytes++;
		while (((unsigned char)text[bytes] & 0xc0) == 0x80);
		columns++;
	}
	if (columns <= room)
		return bytes;
	while (((unsigned char)text[--bytes] & 0xc0) == 0x80)
		;
	return blank ? blank : bytes;
}

void lz_text_fold(const char *first, const char *text)
{
	const char *indent = first;

	do {
		size_t bytes = piece(text, LZ_COLUMNS - strlen(indent));

		printf("%s%.*s\n", indent, (int)bytes, text);
		text += bytes;
		text += strspn(text, " ");
		indent = "        ";
	} while (*text);
}
