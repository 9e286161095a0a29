/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* refused.c - of any number of lines the first of the list. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "handlers/answer.h"
#include "handlers/refused.h"

static int compare_line(const void *a, const void *b)
{
	const struct lz_refused_line *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

static void forget(struct lz_refused *refused, size_t from)
{
	for (size_t i = from; i < refused->n; i++) {
		free(refused->v[i].name);
		free(refused->v[i].why);
	}
	if (refused->n > from)
		refused->n = from;
}

/* Whenever there are twice as many as are told the later half goes: a sort for each so many lines. */
static void keep_first(struct lz_refused *refused)
{
	lz_array_sort(refused->v, refused->n, sizeof(refused->v[0]), compare_line);
	forget(refused, LZ_REFUSED_TOLD);
}

void lz_refused_add(struct lz_refused *refused, __u32 line, const char *name, const char *why)
{
	refused->total++;
	if (refused->n == LZ_ARRAY_SIZE(refused->v))
		keep_first(refused);
	refused->v[refused->n++] = (struct lz_refused_line){
		.line = line, .name = name && name[0] ? strdup(name) : NULL, .why = strdup(why)
	};
}

void lz_refused_tell(struct lz_refused *refused, struct lz_request *req, const char *of)
{
	keep_first(refused);
	for (size_t i = 0; i < refused->n; i++) {
		const struct lz_refused_line *one = &refused->v[i];
		cJSON *row = cJSON_CreateObject();

		lz_json_add_u64(row, "line", one->line);
		if (one->name)
			lz_json_add_str(row, of, one->name);
		lz_json_add_str(row, "error", one->why ? one->why : "out of memory");
		lz_reply_row(req, row);
	}
}

void lz_refused_end(struct lz_refused *refused, struct lz_request *req, const char *list)
{
	unsigned long long total = refused->total;

	lz_refused_tell(refused, req, "address");
	if (total > LZ_REFUSED_TOLD)
		lz_end_invalid(req, "%s: %llu lines cannot be read, the first %d are named; nothing was done",
			       list, total, LZ_REFUSED_TOLD);
	else
		lz_end_invalid(req, "%s: %llu line%s cannot be read; nothing was done", list, total,
			       total == 1 ? "" : "s");
}

void lz_refused_done(struct lz_refused *refused)
{
	forget(refused, 0);
}
