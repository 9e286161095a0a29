/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plot.c - build/bench.svg: cost of a counted SYN against the number of customers.
 *
 * Plain SVG, both axes logarithmic, so that a factor is a distance: a line for each program, bars
 * from the best round to p90. The rivals of the kernel's firewall are single marks at a million:
 * they were measured end to end, and stand here without generator and veth pair.
 */
#include <errno.h>
#include <math.h>

#include "base/mem.h"
#include "bench.h"
#include "rivals.h"

#define WIDTH	940.0
#define HEIGHT	500.0
#define LEFT	70.0
#define RIGHT	310.0
#define TOP	46.0
#define BOTTOM	60.0
#define LEGEND	(WIDTH - RIGHT + 24)

static const struct {
	double customers;
	const char *suffix, *label;
} sizes[] = {
	{ 1e3, "1k", "1 k" }, { 1e4, "10k", "10 k" }, { 1e5, "100k", "100 k" },
	{ 1e6, NULL, "1 M" }, { 4e6, "4M", "4 M" },
};

#define SIZES	LZ_ARRAY_SIZE(sizes)
#define MILLION 3 /* index of it */

static const struct {
	const char *variant, *million, *label, *colour;
} lines[] = {
	{ "stock-same", "stock-same-uniform", "the same job on stock maps", "#8e44ad" },
	{ "lru-ktime", "lru-ktime-uniform", "one bucket: LRU_HASH + ktime", "#c0392b" },
	{ "b-ipv4", "b-ipv4-uniform", "Lazaret", "#1f6feb" },
	{ "line", "line", "one random cache line", "#7f8c8d" },
	{ "empty", "empty", "empty program (generator)", "#bdc3c7" },
};

static const struct {
	const char *rival, *label, *colour;
} marks[] = {
	{ "nft-limit", "nftables limit, end to end", "#d35400" },
	{ "hashlimit", "iptables hashlimit, end to end", "#16a085" },
	{ "lazaret-b", "Lazaret, end to end", "#1f6feb" },
};

static struct spread point(unsigned line, unsigned size)
{
	char name[64];

	if (!sizes[size].suffix)
		return variant_stat(lines[line].million);
	snprintf(name, sizeof(name), "%s-%s", lines[line].variant, sizes[size].suffix);
	return variant_stat(name);
}

static double mark(unsigned i)
{
	return stat_of(rival_find(marks[i].rival)->ns, options.rounds).median -
	       stat_of(rival_find("xdp-empty")->ns, options.rounds).median;
}

/* A power of ten each way, or the half between, around every point. */
struct scale {
	double least, most;
};

static double part(double value, double least, double most)
{
	return log10(value / least) / log10(most / least);
}

static double x_of(unsigned size)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * part(sizes[size].customers, sizes[0].customers,
						    sizes[SIZES - 1].customers);
}

static double y_of(double ns, const struct scale *s)
{
	return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part(fmax(ns, s->least), s->least,
								s->most);
}

static struct scale scale_of(void)
{
	struct scale s = { .least = 1e9, .most = 1 };
	double ten;

	for (unsigned l = 0; l < LZ_ARRAY_SIZE(lines); l++) {
		for (unsigned k = 0; k < SIZES; k++) {
			struct spread p = point(l, k);

			s.least = fmin(s.least, fmax(p.min, 1));
			s.most = fmax(s.most, p.p90);
		}
	}
	for (unsigned i = 0; options.net && i < LZ_ARRAY_SIZE(marks); i++)
		s.most = fmax(s.most, mark(i));
	ten = pow(10, floor(log10(s.least)));
	s.least = s.least < 2 * ten ? ten : s.least < 5 * ten ? 2 * ten : 5 * ten;
	ten = pow(10, floor(log10(s.most)));
	s.most = s.most > 5 * ten ? 10 * ten : s.most > 2 * ten ? 5 * ten : 2 * ten;
	return s;
}

static void draw_axes(FILE *f, const struct scale *s)
{
	static const double steps[] = { 1, 2, 5 };

	for (double ten = 1; ten <= s->most; ten *= 10) {
		for (unsigned i = 0; i < LZ_ARRAY_SIZE(steps); i++) {
			double ns = ten * steps[i];

			if (ns < s->least || ns > s->most)
				continue;
			fprintf(f,
				"<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" "
				"stroke=\"#ddd\"/>\n"
				"<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
				LEFT, WIDTH - RIGHT, y_of(ns, s), y_of(ns, s), LEFT - 8,
				y_of(ns, s) + 4, ns);
		}
	}
	for (unsigned k = 0; k < SIZES; k++)
		fprintf(f, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n",
			x_of(k), HEIGHT - BOTTOM + 20, sizes[k].label);
	fprintf(f,
		"<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">customers in the table</text>\n"
		"<text x=\"16\" y=\"%.0f\" text-anchor=\"middle\" "
		"transform=\"rotate(-90 16 %.0f)\">ns a packet, one CPU</text>\n"
		"<text x=\"%.0f\" y=\"24\" font-weight=\"bold\" font-size=\"14\">"
		"A SYN to port 25, counted and limited, sources at random</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, HEIGHT / 2, HEIGHT / 2, LEFT);
}

static void draw_line(FILE *f, unsigned l, const struct scale *scale)
{
	const char *colour = lines[l].colour;

	fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
	for (unsigned k = 0; k < SIZES; k++)
		fprintf(f, "%.1f,%.1f ", x_of(k), y_of(point(l, k).median, scale));
	fprintf(f, "\"/>\n");
	for (unsigned k = 0; k < SIZES; k++) {
		struct spread p = point(l, k);

		fprintf(f,
			"<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n"
			"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
			x_of(k), x_of(k), y_of(p.min, scale), y_of(p.p90, scale), colour, x_of(k),
			y_of(p.median, scale), colour);
	}
}

static void draw_square(FILE *f, double x, double y, const char *colour)
{
	fprintf(f,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"9\" height=\"9\" fill=\"white\" "
		"stroke=\"%s\" stroke-width=\"2.5\"/>\n",
		x - 4.5, y - 4.5, colour);
}

static void draw_entry(FILE *f, double y, const char *label, double ns)
{
	fprintf(f, "<text x=\"%.0f\" y=\"%.0f\">%s: %.0f</text>\n", LEGEND + 30, y + 4, label, ns);
}

/* What each is, and what it costs at a million. */
static void draw_legend(FILE *f)
{
	double y = TOP + 14;

	fprintf(f, "<text x=\"%.0f\" y=\"%.0f\" fill=\"#555\">ns at 1 M customers</text>\n",
		LEGEND, y);
	for (unsigned l = 0; l < LZ_ARRAY_SIZE(lines); l++) {
		y += 22;
		fprintf(f,
			"<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.0f\" y2=\"%.0f\" stroke=\"%s\" "
			"stroke-width=\"2\"/>\n",
			LEGEND, LEGEND + 22, y, y, lines[l].colour);
		draw_entry(f, y, lines[l].label, point(l, MILLION).median);
	}
	if (!options.net)
		return;
	y += 36;
	fprintf(f, "<text x=\"%.0f\" y=\"%.0f\" fill=\"#555\">without generator and veth</text>\n",
		LEGEND, y);
	for (unsigned i = 0; i < LZ_ARRAY_SIZE(marks); i++) {
		y += 22;
		draw_square(f, LEGEND + 11, y, marks[i].colour);
		draw_entry(f, y, marks[i].label, mark(i));
	}
}

int plot_write(const char *path)
{
	FILE *f = fopen(path, "w");
	struct scale scale = scale_of();

	if (!f)
		return -errno;
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		WIDTH, HEIGHT);
	draw_axes(f, &scale);
	for (unsigned l = 0; l < LZ_ARRAY_SIZE(lines); l++)
		draw_line(f, l, &scale);
	for (unsigned i = 0; options.net && i < LZ_ARRAY_SIZE(marks); i++)
		draw_square(f, x_of(MILLION), y_of(mark(i), &scale), marks[i].colour);
	draw_legend(f);
	fprintf(f, "</svg>\n");
	return fclose(f) ? -errno : 0;
}
