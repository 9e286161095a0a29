/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/context.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *file_of(const struct lz_context *ctx, __u32 node)
{
	for (size_t i = 0; i < ctx->policy->n_files; i++)
		if (ctx->policy->files[i].node == node)
			return ctx->policy->files[i].name;
	return NULL;
}

void lz_context_note(struct lz_context *ctx, enum lz_severity severity, struct lz_place place,
		     const char *key, const char *fmt, ...)
{
	struct lz_report_item item = { .severity = severity };
	lz_autostr struct lz_str text = {}, pointer = {};
	va_list ap;

	if (ctx->fatal)
		return;
	if (ctx->report->total[severity] >= LZ_REPORT_ITEMS_MAX) { /* only counted: cheap */
		ctx->report->total[severity]++;
		return;
	}
	if (place.line) {
		item.file = file_of(ctx, place.node);
		item.line = place.line;
	} else {
		if (key)
			place.node = lz_source_child(&ctx->source, place.node, key);
		lz_source_place(&ctx->source, place.node, &item.line, &item.col);
	}
	lz_source_pointer(&ctx->source, place.node, &pointer);
	va_start(ap, fmt);
	lz_str_vappendf(&text, fmt, ap);
	va_end(ap);
	if (text.error || pointer.error) {
		ctx->fatal = -ENOMEM;
		return;
	}
	item.pointer = pointer.data;
	item.text = text.data;
	if (lz_report_add(ctx->report, &item) < 0)
		ctx->fatal = -ENOMEM;
}

bool lz_context_room(struct lz_context *ctx, void *array, size_t *cap, size_t n, size_t item_size)
{
	if (lz_array_grow(array, cap, n + 1, item_size) < 0)
		ctx->fatal = -ENOMEM;
	return !ctx->fatal;
}

#define WORD_MAX 40

/* Edits between two words, a swap of neighbours being one (optimal string alignment). */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[3][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			int ca = tolower((unsigned char)a[i - 1]),
			    cb = tolower((unsigned char)b[j - 1]);
			unsigned best = last[j - 1] + (ca != cb);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[la % 3][lb];
}

void lz_suggestion_offer(struct lz_suggestion *s, const char *candidate)
{
	size_t len = strlen(s->word);
	unsigned distance = edit_distance(s->word, candidate);
	unsigned allowed = len <= 3 ? 1 : len <= 7 ? 2 : 3;

	if (distance > allowed || (s->best && distance >= s->distance))
		return;
	s->best = candidate;
	s->distance = distance;
}

const char *lz_suggestion_text(const struct lz_suggestion *s, char buf[static 64])
{
	buf[0] = '\0';
	if (s->best)
		snprintf(buf, 64, "; did you mean '%.40s'?", s->best);
	return buf;
}

bool lz_refuses_submission(struct lz_context *ctx, struct lz_place place, const char *word)
{
	static const char *const signs[] = { "587", "465", "submission", "smtps" };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(signs); i++) {
		if (!strstr(word, signs[i]))
			continue;
		lz_error(ctx, place, NULL,
			 "'%.40s': a rule that closes mail submission (ports 587, 465) is refused, customers must be able to reach their own mail provider (BCP 134, RFC 5068); only a strict garden closes them",
			 word);
		return true;
	}
	return false;
}

static void report_unknown(struct lz_context *ctx, struct lz_val val, const struct lz_field *fields,
			   size_t n)
{
	struct lz_suggestion s = { .word = val.item->string };
	lz_autostr struct lz_str known = {};
	char hint[64];

	if (lz_refuses_submission(ctx, lz_place_of(val), val.item->string))
		return;
	for (size_t i = 0; i < n; i++) {
		lz_suggestion_offer(&s, fields[i].key);
		lz_str_appendf(&known, "%s%s", i ? ", " : "", fields[i].key);
	}
	if (s.best)
		lz_error(ctx, lz_place_of(val), NULL, "unknown key '%.40s'%s", val.item->string,
			 lz_suggestion_text(&s, hint));
	else
		lz_error(ctx, lz_place_of(val), NULL, "unknown key '%.40s' (want %s)", val.item->string,
			 known.data ? known.data : "");
}

void lz_fields_parse(struct lz_context *ctx, struct lz_val val, const struct lz_field *fields,
		     size_t n, void *model)
{
	struct lz_val seen[LZ_FIELDS_MAX] = {};

	if (!lz_value_object(ctx, val))
		return;
	lz_for_each_child(&ctx->source, child, val) {
		size_t i = 0;

		while (i < n && !lz_streq(fields[i].key, child.item->string))
			i++;
		if (i == n)
			report_unknown(ctx, child, fields, n);
		else if (seen[i].item)
			lz_error(ctx, lz_place_of(child), NULL, "duplicate key '%s'", fields[i].key);
		else
			seen[i] = child;
	}
	for (size_t i = 0; i < n && !ctx->fatal; i++) {
		if (seen[i].item)
			fields[i].parse(ctx, seen[i], model);
		else if (fields[i].required)
			lz_error(ctx, lz_place_of(val), NULL, "key '%s' is missing", fields[i].key);
	}
}
