/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plot.c - build/bench.svg: cost of a counted SYN against the number of customers.
 *
 * Plain SVG: logarithmic x, linear y, a line for each of ours,
 * the rival on stock maps, one random line, the generator alone; bars from the best round to p90.
 */
#include <errno.h>
#include <math.h>

#include "base/mem.h"
#include "bench.h"

#define WIDTH  760.0
#define HEIGHT 460.0
#define LEFT   70.0
#define RIGHT  170.0
#define TOP    40.0
#define BOTTOM 60.0

static const struct {
	double customers;
	const char *suffix, *label;
} sizes[] = {
	{ 1e3, "1k", "1 k" }, { 1e4, "10k", "10 k" }, { 1e5, "100k", "100 k" },
	{ 1e6, NULL, "1 M" }, { 4e6, "4M", "4 M" },
};

#define SIZES LZ_ARRAY_SIZE(sizes)

static const struct {
	const char *variant, *million, *label, *colour;
} lines[] = {
	{ "lru-ktime", "lru-ktime-uniform", "LRU_HASH + ktime", "#c0392b" },
	{ "b-ipv4", "b-ipv4-uniform", "Lazaret", "#1f6feb" },
	{ "line", "line", "one random line", "#7f8c8d" },
	{ "empty", "empty", "generator alone", "#bdc3c7" },
};

static struct spread point(unsigned line, unsigned size)
{
	char name[64];

	if (!sizes[size].suffix)
		return variant_stat(lines[line].million);
	snprintf(name, sizeof(name), "%s-%s", lines[line].variant, sizes[size].suffix);
	return variant_stat(name);
}

static double x_of(unsigned size)
{
	double span = log10(sizes[SIZES - 1].customers / sizes[0].customers);

	return LEFT + (WIDTH - LEFT - RIGHT) * log10(sizes[size].customers / sizes[0].customers) /
			      span;
}

static double y_of(double ns, double most)
{
	return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ns / most;
}

/* A round number above every point and a step of it. */
static double scale_of(double *ret_step)
{
	double most = 1, step;

	for (unsigned l = 0; l < LZ_ARRAY_SIZE(lines); l++)
		for (unsigned s = 0; s < SIZES; s++)
			most = fmax(most, point(l, s).p90);
	step = pow(10, floor(log10(most)));
	if (most / step < 2)
		step /= 5;
	else if (most / step < 5)
		step /= 2;
	*ret_step = step;
	return ceil(most / step) * step;
}

static void draw_axes(FILE *f, double most, double step)
{
	for (double ns = 0; ns <= most; ns += step)
		fprintf(f,
			"<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#eee\"/>\n"
			"<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
			LEFT, WIDTH - RIGHT, y_of(ns, most), y_of(ns, most), LEFT - 8,
			y_of(ns, most) + 4, ns);
	for (unsigned s = 0; s < SIZES; s++)
		fprintf(f, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n",
			x_of(s), HEIGHT - BOTTOM + 20, sizes[s].label);
	fprintf(f,
		"<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">customers in the table</text>\n"
		"<text x=\"16\" y=\"%.0f\" text-anchor=\"middle\" "
		"transform=\"rotate(-90 16 %.0f)\">ns a packet, one CPU</text>\n"
		"<text x=\"%.0f\" y=\"22\" font-weight=\"bold\">"
		"A SYN to port 25, counted and limited, sources at random</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, HEIGHT / 2, HEIGHT / 2, LEFT);
}

static void draw_line(FILE *f, unsigned l, double most)
{
	struct spread last = point(l, SIZES - 1);

	fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
		lines[l].colour);
	for (unsigned s = 0; s < SIZES; s++)
		fprintf(f, "%.1f,%.1f ", x_of(s), y_of(point(l, s).median, most));
	fprintf(f, "\"/>\n");
	for (unsigned s = 0; s < SIZES; s++) {
		struct spread p = point(l, s);

		fprintf(f,
			"<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n"
			"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
			x_of(s), x_of(s), y_of(p.min, most), y_of(p.p90, most), lines[l].colour,
			x_of(s), y_of(p.median, most), lines[l].colour);
	}
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n", x_of(SIZES - 1) + 10,
		y_of(last.median, most) + 4, lines[l].colour, lines[l].label);
}

int plot_write(const char *path)
{
	FILE *f = fopen(path, "w");
	double step, most = scale_of(&step);

	if (!f)
		return -errno;
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		WIDTH, HEIGHT);
	draw_axes(f, most, step);
	for (unsigned l = 0; l < LZ_ARRAY_SIZE(lines); l++)
		draw_line(f, l, most);
	fprintf(f, "</svg>\n");
	return fclose(f) ? -errno : 0;
}
