/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "policy/report.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"

#define TEXT_MAX 600

static const char *const severity_names[] = {
	[LZ_SEVERITY_ERROR] = "error",
	[LZ_SEVERITY_WARNING] = "warning",
};
_Static_assert(LZ_ARRAY_SIZE(severity_names) == LZ_SEVERITY_N, "a name for each severity");

const char *lz_severity_name(enum lz_severity severity)
{
	return severity_names[severity];
}

static void free_item(struct lz_report_item *item)
{
	free(item->file);
	free(item->pointer);
	free(item->text);
}

/* A heap copy that is safe to show on a terminal. */
static char *copy_escaped(const char *text)
{
	char escaped[TEXT_MAX];

	lz_text_escape(escaped, sizeof(escaped), text, (unsigned)strlen(text));
	return strdup(escaped);
}

/* Of a text that may hold the text of a struct lz_err, and with it a name that was escaped there. */
static char *copy_escaped_once(const char *text)
{
	char escaped[TEXT_MAX];

	lz_text_escape_rest(escaped, sizeof(escaped), text, (unsigned)strlen(text));
	return strdup(escaped);
}

int lz_report_add(struct lz_report *report, const struct lz_report_item *item)
{
	struct lz_report_item copy = *item;
	int r;

	if (report->total[item->severity] >= LZ_REPORT_ITEMS_MAX) {
		report->total[item->severity]++;
		return 0;
	}
	r = lz_array_grow(&report->items, &report->cap, report->n + 1, sizeof(copy));
	if (r < 0)
		return r;
	copy.file = item->file ? copy_escaped(item->file) : NULL;
	copy.pointer = copy_escaped(item->pointer ? item->pointer : "");
	copy.text = copy_escaped_once(item->text);
	if ((item->file && !copy.file) || !copy.pointer || !copy.text) {
		free_item(&copy);
		return -ENOMEM;
	}
	report->items[report->n++] = copy;
	report->total[item->severity]++;
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct lz_report_item *x = a, *y = b;
	int order;

	if (!x->file != !y->file)
		return x->file ? 1 : -1; /* the policy first, then its files */
	order = x->file ? strcmp(x->file, y->file) : 0;
	if (order)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	order = strcmp(x->pointer, y->pointer);
	return order ? order : strcmp(x->text, y->text);
}

void lz_report_sort(struct lz_report *report)
{
	lz_array_sort(report->items, report->n, sizeof(*report->items), compare_places);
}

static void format_item(const struct lz_report_item *item, const char *name, struct lz_str *out)
{
	lz_str_append(out, item->file ? item->file : name);
	if (item->line)
		lz_str_appendf(out, ":%u", item->line);
	if (item->col)
		lz_str_appendf(out, ":%u", item->col);
	lz_str_appendf(out, ": %s: ", severity_names[item->severity]);
	if (*item->pointer)
		lz_str_appendf(out, "%s: ", item->pointer);
	lz_str_appendf(out, "%s\n", item->text);
}

int lz_report_format(const struct lz_report *report, const char *name, struct lz_str *out)
{
	size_t kept[LZ_SEVERITY_N] = {};

	for (size_t i = 0; i < report->n; i++) {
		format_item(&report->items[i], name, out);
		kept[report->items[i].severity]++;
	}
	for (size_t s = 0; s < LZ_SEVERITY_N; s++)
		if (report->total[s] > kept[s])
			lz_str_appendf(out, "%s: %s: %zu more not shown\n", name, severity_names[s],
				       report->total[s] - kept[s]);
	return out->error;
}

void lz_report_done(struct lz_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		free_item(&report->items[i]);
	free(report->items);
	*report = (struct lz_report){};
}
