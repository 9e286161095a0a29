/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * measured.c - rows of figures h to l that control.sh measured from outside, with real programs.
 *
 * One a line, fields separated by tabs:
 *
 *   NAME  UNIT  RULE  VALUE VALUE ...  BASE=VALUE VALUE ...  BASE=VALUE ...
 *   wrong TEXT
 *
 *   RULE  "limit X"         the median is at most X
 *         "faster X BASE"   the median of BASE is at least X times ours
 *         "p99 X"           the 99th of a hundred values is at most X
 *         "told TEXT"       only stated
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define VALUES_MAX 20000

static double values[VALUES_MAX];

/* Sorted, in `values`; how many. */
static unsigned read_values(const char *text)
{
	unsigned n = 0;
	char *end;

	for (; n < VALUES_MAX; n++, text = end) {
		values[n] = strtod(text, &end);
		if (end == text)
			break;
	}
	bench_must(n ? 0 : -EPROTO, "read a value that control.sh measured");
	qsort(values, n, sizeof(*values), stat_compare);
	return n;
}

/* The smallest that so many of a hundred do not exceed. */
static double percentile(unsigned n, unsigned percent)
{
	return values[(n * percent + 99) / 100 - 1];
}

static void apply_rule(struct result *r, const char *rule, double p99)
{
	char base[64];
	double x;

	if (sscanf(rule, "limit %lf", &x) == 1) {
		result_limit(r, x);
	} else if (sscanf(rule, "faster %lf %63s", &x, base) == 2) {
		for (unsigned i = 0; i < r->bases; i++)
			if (!strcmp(r->base[i].name, base))
				result_faster(r, r->base[i].name,
					      r->base[i].value / r->ours.median, x);
	} else if (sscanf(rule, "p99 %lf", &x) == 1) {
		r->ratio = p99 / x;
		r->met = p99 <= x;
		snprintf(r->wanted, sizeof(r->wanted), "p99 <= %g %s", x, r->unit);
	} else {
		bench_must(strncmp(rule, "told ", 5) ? -EPROTO : 0, rule);
		result_stated(r, rule + 5);
	}
}

/* Names and units live as long as the rows. */
static const char *keep(const char *text)
{
	char *copy = strdup(text);

	bench_must(copy ? 0 : -ENOMEM, "memory");
	return copy;
}

static void read_row(char *line)
{
	char *name = strsep(&line, "\t"), *unit = strsep(&line, "\t"), *rule = strsep(&line, "\t");
	char *list = strsep(&line, "\t"), *base;
	struct result *r;
	unsigned n;
	double p99;

	bench_must(list ? 0 : -EPROTO, "read a row that control.sh wrote");
	n = read_values(list);
	p99 = percentile(n, 99);
	r = result_add(name, keep(unit), (struct spread){ .median = percentile(n, 50),
							  .min = values[0],
							  .p90 = percentile(n, 90) });
	if (!strncmp(rule, "p99", 3)) {
		result_base(r, "p99", p99);
		result_base(r, "most", values[n - 1]);
		result_base(r, "events", n);
	}
	while ((base = strsep(&line, "\t"))) {
		char *at = strchr(base, '=');

		bench_must(at ? 0 : -EPROTO, base);
		*at = '\0';
		n = read_values(at + 1);
		result_base(r, keep(base), percentile(n, 50));
	}
	apply_rule(r, rule, p99);
}

void figures_measured(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t bytes = 0;

	bench_must(f ? 0 : -errno, path);
	while (getline(&line, &bytes, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		const char letter[2] = { line[0] };

		if (!strncmp(line, "wrong ", 6))
			bench_wrong("%s", line + 6);
		else if (figures_wanted(letter))
			read_row(line);
	}
	free(line);
	fclose(f);
}
