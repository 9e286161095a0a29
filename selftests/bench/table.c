/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * table.c - the rows for a human: 100 columns, a heading for each letter, two lines a row.
 *
 * What it was compared with stands in the second line, so that the first can be read downwards. What limits a
 * figure stands below it.
 */
#include <string.h>

#include "base/mem.h"
#include "bench.h"

static const struct {
	char letter;
	const char *text;
} headings[] = {
	{ 'a', "none of our business: not held, no SYN; 1 M sources, 600,000 others held" },
	{ 'b', "a SYN to port 25: counted, two windows and a bucket; 1 M sources" },
	{ 'c', "packet of a held source, 600,000 held" },
	{ 'd', "class of a source among 500,000 prefixes" },
	{ 'e', "all of it on one SYN: range, exception, colony, limits, prefix bucket" },
	{ 'f', "two CPUs on one source" },
	{ 'g', "flood from 10 M forged sources" },
	{ 'h', "600,000 holds" },
	{ 'i', "reading: 1 M sources, 600,000 holds" },
	{ 'j', "a policy of 500,000 ranges" },
	{ 'k', "memory" },
	{ 'l', "from the packet over the limit to the verdict, and to an event at a client" },
	{ 'm', "cores for a full link: arithmetic on a (plain) and b (SYN flood), without driver" },
};

/* Three digits are enough for any of them. */
static const char *number(double x, char ret[static 16])
{
	if (x < 100)
		snprintf(ret, 16, "%.1f", x);
	else
		snprintf(ret, 16, "%.0f", x);
	return ret;
}

static void print_heading(FILE *out, char letter)
{
	for (unsigned i = 0; i < LZ_ARRAY_SIZE(headings); i++)
		if (headings[i].letter == letter)
			fprintf(out, "\n%c  %s\n", letter, headings[i].text);
}

static void print_row(FILE *out, const struct result *r)
{
	char median[16], min[16], p90[16], value[16];
	const char *name = r->name;

	if (strstr(name, "-alone"))
		name = "  alone";
	else if (strstr(name, "-idle"))
		name = "  idle";
	fprintf(out, "%-22s %7s %7s %7s  %-15s %7s  %-23s %s\n", name,
		number(r->ours.median, median), number(r->ours.min, min),
		number(r->ours.p90, p90), r->unit, r->got, r->wanted, r->met ? "yes" : "NO");
	for (unsigned i = 0; i < r->bases; i++)
		fprintf(out, "%s%s %s", i ? ", " : "    beside: ", r->base[i].name,
			number(r->base[i].value, value));
	if (r->bases)
		fputc('\n', out);
}

void table_print(FILE *out)
{
	unsigned n;
	const struct result *rows = results(&n);

	fprintf(out, "%-22s %7s %7s %7s  %-15s %7s  %-23s %s\n", "figure", "median", "min", "p90",
		"unit", "got", "wanted", "met");
	for (unsigned h = 0; h < LZ_ARRAY_SIZE(headings); h++) {
		bool any = false;

		for (unsigned i = 0; i < n; i++) {
			if (rows[i].name[0] != headings[h].letter)
				continue;
			if (!any)
				print_heading(out, headings[h].letter);
			any = true;
			print_row(out, &rows[i]);
		}
	}
}
