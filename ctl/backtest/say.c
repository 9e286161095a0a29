/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* say.c - a backtest as a table and as JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backtest/backtest.h"
#include "base/clock.h"
#include "base/json.h"

#define TEXT_SOURCES_MAX 20

bool lz_backtest_is_monitored(const struct lz_backtest *b, const struct lz_limit *limit)
{
	return limit->then != LZ_THEN_NOTIFY && ((b->image->gen.flags & LZ_GEN_F_MONITOR) ||
						 (limit->flags & LZ_LIMIT_F_MONITOR));
}

const char *lz_backtest_class(const struct lz_backtest *b, __u32 class_)
{
	return class_ < LZ_CLASSES_MAX ? b->image->class_names[class_] : "";
}

static const struct lz_limit *limit_of(const struct lz_backtest *b, int id)
{
	const struct lz_image_limit *name = &b->image->limits[id];

	return &b->image->gen.class_[name->class_id].limit[name->index];
}

static __u64 limit_would_drop(const struct lz_backtest *b, int id)
{
	return lz_backtest_is_monitored(b, limit_of(b, id)) ? b->limits[id].over : 0;
}

static __u64 unparsed(const struct lz_backtest *b)
{
	return b->too_short + b->port.count[LZ_R_PASS_UNPARSED] + b->port.count[LZ_R_DROP_UNPARSED] +
	       b->port.count[LZ_R_DROP_TINY_FRAGMENT];
}

static const struct {
	const char *name;
	enum lz_reason reason;
} drops[] = {
	{ "port25", LZ_R_DROP_PORT25 },
	{ "limit", LZ_R_DROP_LIMIT },
	{ "retransmit", LZ_R_DROP_RETRANSMIT },
	{ "held", LZ_R_DROP_HELD },
	{ "from_port25", LZ_R_DROP_FROM_PORT25 },
	{ "to_customer", LZ_R_DROP_TO_CUSTOMER },
	{ "tiny_fragment", LZ_R_DROP_TINY_FRAGMENT },
	{ "unparsed", LZ_R_DROP_UNPARSED },
};

/* ---------------------------------------------------------------- text */

static void say_packets(const struct lz_backtest *b, struct lz_str *out)
{
	char time[LZ_TIME_TEXT_MAX], span[LZ_DURATION_TEXT_MAX];

	lz_str_appendf(out, "%llu packets, %llu bytes", b->packets, b->bytes);
	if (b->packets)
		lz_str_appendf(out, ", from %s for %s", lz_time_format(b->first_ns, time),
			       lz_duration_format((b->last_ns - b->first_ns) / LZ_NS_PER_S * LZ_NS_PER_S, span));
	lz_str_appendf(out, "\n%llu dropped or refused, %llu would have been, %llu unparsed, %llu foreign\n",
		       b->dropped, b->would_drop, unparsed(b), b->port.count[LZ_R_PASS_FOREIGN]);
	if (b->backwards)
		lz_str_appendf(out, "%llu packets are older than one before them: the clock stood still\n",
			       b->backwards);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(drops); i++)
		if (b->port.count[drops[i].reason])
			lz_str_appendf(out, "  dropped: %-14s %llu\n", drops[i].name,
				       b->port.count[drops[i].reason]);
	if (b->held)
		lz_str_appendf(out, "%llu sources are held at the end\n", b->held);
}

static void say_limits(const struct lz_backtest *b, struct lz_str *out)
{
	bool any = false;

	for (int id = 1; id < LZ_LIMIT_IDS; id++) {
		const struct lz_image_limit *name = &b->image->limits[id];
		char text[2 * LZ_NAME_MAX + 2];

		if (!*name->name)
			continue;
		if (!any)
			lz_str_appendf(out, "\n%-32s %9s %9s %9s %9s %6s\n", "LIMIT", "ASKED", "OVER",
				       "DROPPED", "WOULD", "HELD");
		any = true;
		snprintf(text, sizeof(text), "%s/%s", name->class_, name->name);
		lz_str_appendf(out, "%-32.32s %9llu %9llu %9llu %9llu %6llu\n", text, b->limits[id].asked,
			       b->limits[id].over, b->limit_dropped[id], limit_would_drop(b, id),
			       b->limits[id].holds);
	}
}

static void say_sources(const struct lz_backtest *b, struct lz_str *out)
{
	char text[LZ_PREFIX_TEXT_MAX];
	size_t n = b->n_sources < TEXT_SOURCES_MAX ? b->n_sources : TEXT_SOURCES_MAX;

	if (n)
		lz_str_appendf(out, "\n%-24s %-9s %8s %6s %6s %6s %7s %5s\n", "SOURCE", "CLASS", "EXAMINED",
			       "SYN", "SMTP", "DESTS", "DROPPED", "WOULD");
	for (size_t i = 0; i < n; i++) {
		const struct lz_backtest_source *s = &b->sources[i];

		lz_str_appendf(out, "%-24s %-9.9s %8u %6u %6u %6u %7u %5u%s\n",
			       lz_key_format(s->key, b->image->ipv6_key_len, text),
			       lz_backtest_class(b, s->class_), lz_cell_examined(&s->cell), s->cell.syn,
			       s->cell.smtp_connections, s->smtp_destinations, s->cell.dropped,
			       s->cell.would_drop, lz_hold_is_active(s->cell.hold, b->end_s) ? " H" : "");
	}
	if (n < b->n_sources)
		lz_str_appendf(out, "and %zu more sources; -j lists all\n", b->n_sources - n);
}

int lz_backtest_text(const struct lz_backtest *b, struct lz_str *out)
{
	say_packets(b, out);
	say_limits(b, out);
	say_sources(b, out);
	return out->error;
}

/* ---------------------------------------------------------------- JSON */

static int add_limits(const struct lz_backtest *b, cJSON *root)
{
	cJSON *list = cJSON_AddArrayToObject(root, "limits");
	int r = list ? 0 : -ENOMEM;

	for (int id = 1; id < LZ_LIMIT_IDS && !r; id++) {
		const struct lz_image_limit *name = &b->image->limits[id];
		cJSON *row;

		if (!*name->name)
			continue;
		row = cJSON_CreateObject();
		if (!row || !cJSON_AddItemToArray(list, row))
			return -ENOMEM;
		r = lz_json_add_str(row, "class", name->class_);
		r = r ?: lz_json_add_str(row, "name", name->name);
		r = r ?: lz_json_add_u64(row, "asked", b->limits[id].asked);
		r = r ?: lz_json_add_u64(row, "over", b->limits[id].over);
		r = r ?: lz_json_add_u64(row, "dropped", b->limit_dropped[id]);
		r = r ?: lz_json_add_u64(row, "would_drop", limit_would_drop(b, id));
		r = r ?: lz_json_add_u64(row, "held_sources", b->limits[id].holds);
	}
	return r;
}

static int fill_source(const struct lz_backtest *b, cJSON *row, const struct lz_backtest_source *s)
{
	char text[LZ_PREFIX_TEXT_MAX];
	int r = lz_json_add_str(row, "address", lz_key_format(s->key, b->image->ipv6_key_len, text));

	r = r ?: lz_json_add_str(row, "class", lz_backtest_class(b, s->class_));
	r = r ?: lz_json_add_u64(row, "examined", lz_cell_examined(&s->cell));
	r = r ?: lz_json_add_u64(row, "syn", s->cell.syn);
	r = r ?: lz_json_add_u64(row, "smtp_connections", s->cell.smtp_connections);
	r = r ?: lz_json_add_u64(row, "smtp_destinations", s->smtp_destinations);
	r = r ?: lz_json_add_u64(row, "dropped", s->cell.dropped);
	r = r ?: lz_json_add_u64(row, "would_drop", s->cell.would_drop);
	return r ?: lz_json_add_bool(row, "held", lz_hold_is_active(s->cell.hold, b->end_s));
}

/* Row by row: a tree of a million sources would take a gigabyte. */
static int print_sources(const struct lz_backtest *b, struct lz_str *out)
{
	for (size_t i = 0; i < b->n_sources; i++) {
		lz_autojson cJSON *row = cJSON_CreateObject();
		int r = row ? fill_source(b, row, &b->sources[i]) : -ENOMEM;
		lz_autofree char *text = r ? NULL : cJSON_PrintUnformatted(row);

		if (!text)
			return -ENOMEM;
		lz_str_appendf(out, "%s%s", i ? "," : "", text);
	}
	return out->error;
}

static int add_packets(const struct lz_backtest *b, cJSON *root)
{
	cJSON *by;
	int r = lz_json_add_u64(root, "packets", b->packets);

	r = r ?: lz_json_add_u64(root, "bytes", b->bytes);
	r = r ?: lz_json_add_time(root, "first", b->first_ns);
	r = r ?: lz_json_add_time(root, "last", b->last_ns);
	r = r ?: lz_json_add_u64(root, "clock_backwards", b->backwards);
	r = r ?: lz_json_add_u64(root, "passed", b->packets - b->dropped);
	r = r ?: lz_json_add_u64(root, "dropped", b->dropped);
	r = r ?: lz_json_add_u64(root, "would_drop", b->would_drop);
	r = r ?: lz_json_add_u64(root, "unparsed", unparsed(b));
	r = r ?: lz_json_add_u64(root, "not_ip", b->port.count[LZ_R_PASS_NOT_IP]);
	r = r ?: lz_json_add_u64(root, "foreign", b->port.count[LZ_R_PASS_FOREIGN]);
	r = r ?: lz_json_add_u64(root, "held_sources", b->held);
	by = cJSON_AddObjectToObject(root, "dropped_by");
	if (!by)
		return -ENOMEM;
	for (size_t i = 0; i < LZ_ARRAY_SIZE(drops) && !r; i++)
		r = lz_json_add_u64(by, drops[i].name, b->port.count[drops[i].reason]);
	return r;
}

int lz_backtest_json(const struct lz_backtest *b, struct lz_str *out)
{
	lz_autojson cJSON *root = cJSON_CreateObject();
	lz_autofree char *text = NULL;
	int r = root ? lz_json_add_str(root, "schema", "lazaret/backtest") : -ENOMEM;

	r = r ?: lz_json_add_u64(root, "version", 1);
	r = r ?: lz_json_add_bytes(root, "policy", b->policy_path);
	r = r ?: lz_json_add_bytes(root, "capture", b->capture_path);
	r = r ?: add_packets(b, root);
	r = r ?: add_limits(b, root);
	text = r ? NULL : cJSON_PrintUnformatted(root);
	if (!text)
		return -ENOMEM;
	/* without its closing brace: the sources come before it */
	lz_str_append_n(out, text, strlen(text) - 1);
	lz_str_append(out, ",\"sources\":[");
	r = print_sources(b, out);
	return r ?: lz_str_append(out, "]}\n");
}
