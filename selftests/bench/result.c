/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * result.c - the rows of build/bench.json, whose form is fixed.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static struct result rows[BENCH_RESULTS_MAX];
static unsigned rows_n;

const struct result *results(unsigned *ret_n)
{
	*ret_n = rows_n;
	return rows;
}

struct result *result_add(const char *name, const char *unit, struct spread ours)
{
	struct result *r = &rows[rows_n];

	bench_must(rows_n < BENCH_RESULTS_MAX ? 0 : -ENOSPC, "add a result");
	rows_n++;
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->unit = unit;
	r->ours = ours;
	return r;
}

void result_base(struct result *r, const char *name, double value)
{
	bench_must(r->bases < BENCH_BASES_MAX ? 0 : -ENOSPC, "add a baseline");
	r->base[r->bases++] = (struct base){ name, value };
}

void result_lines(struct result *r, double ratio, double lines)
{
	r->ratio = ratio;
	r->met = r->ratio <= lines;
	snprintf(r->got, sizeof(r->got), "%.2f U", r->ratio);
	snprintf(r->wanted, sizeof(r->wanted), "<= empty + %.1f U", lines);
}

void result_at_most(struct result *r, const char *what, double ratio, double times)
{
	r->ratio = ratio;
	r->met = r->ratio <= times;
	snprintf(r->got, sizeof(r->got), "%.2f x", r->ratio);
	snprintf(r->wanted, sizeof(r->wanted), "<= %g x %s", times, what);
}

void result_faster(struct result *r, const char *what, double ratio, double times)
{
	r->ratio = ratio;
	r->met = r->ratio >= times;
	snprintf(r->got, sizeof(r->got), "%.2f x", r->ratio);
	snprintf(r->wanted, sizeof(r->wanted), ">= %g x %s", times, what);
}

void result_limit(struct result *r, double limit)
{
	r->ratio = r->ours.median / limit;
	r->met = r->ours.median <= limit;
	snprintf(r->wanted, sizeof(r->wanted), "<= %g %s", limit, r->unit);
}

static struct result *floor_of(const struct result *of, const char *suffix, const char *what,
			       struct spread floor, double ratio)
{
	char name[sizeof(of->name)];
	struct result *r;

	bench_must(snprintf(name, sizeof(name), "%s-%s", of->name, suffix) < (int)sizeof(name) ? 0 : -ENOSPC,
		   of->name);
	r = result_add(name, of->unit, floor);
	r->ratio = ratio;
	snprintf(r->got, sizeof(r->got), "%.2f %c", ratio, of->got[strlen(of->got) - 1]);
	result_told(r, what);
	return r;
}

struct result *result_alone(const struct result *of, const char *what, struct spread alone, double ratio)
{
	return floor_of(of, "alone", what, alone, ratio);
}

void result_idle(const struct result *of, const char *what, struct spread idle, double ratio)
{
	floor_of(of, "idle", what, idle, ratio);
}

void result_told(struct result *r, const char *text)
{
	r->met = true;
	snprintf(r->wanted, sizeof(r->wanted), "stated: %s", text);
}

void result_stated(struct result *r, const char *text)
{
	r->ratio = 1;
	r->met = true;
	snprintf(r->wanted, sizeof(r->wanted), "%s", text);
}

static void read_line(const char *path, const char *key, char *ret, size_t bytes)
{
	FILE *f = fopen(path, "r");
	char line[200], *colon;

	snprintf(ret, bytes, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)))
			continue;
		colon = strchr(line, ':');
		line[strcspn(line, "\n")] = 0;
		snprintf(ret, bytes, "%s", colon ? colon + 2 : line);
		break;
	}
	if (f)
		fclose(f);
}

static cJSON *machine(void)
{
	cJSON *m = cJSON_CreateObject();
	char text[256], when[32];
	time_t now = time(NULL);
	struct utsname u;

	uname(&u);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	cJSON_AddStringToObject(m, "time", when);
	cJSON_AddStringToObject(m, "kernel", u.release);
	read_line("/proc/cpuinfo", "model name", text, sizeof(text));
	cJSON_AddStringToObject(m, "cpu", text);
	cJSON_AddNumberToObject(m, "cpus", (double)sysconf(_SC_NPROCESSORS_ONLN));
	read_line("/proc/cpuinfo", "cache size", text, sizeof(text));
	cJSON_AddStringToObject(m, "l2", text);
	/* What a call costs depends on these two more than on the clock rate. */
	read_line("/sys/devices/system/cpu/vulnerabilities/spec_rstack_overflow", "", text,
		  sizeof(text));
	cJSON_AddStringToObject(m, "return_mitigation", text);
	read_line("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "", text, sizeof(text));
	cJSON_AddStringToObject(m, "branch_mitigation", text);
	cJSON_AddNumberToObject(m, "rounds", options.rounds);
	cJSON_AddNumberToObject(m, "repeats", options.repeats);
	return m;
}

/* A tenth is more than the clock knows. */
static double tenth(double x)
{
	return round(x * 10) / 10;
}

static cJSON *row(const struct result *r)
{
	cJSON *o = cJSON_CreateObject(), *b;

	cJSON_AddStringToObject(o, "name", r->name);
	cJSON_AddStringToObject(o, "unit", r->unit);
	cJSON_AddNumberToObject(o, "ours", tenth(r->ours.median));
	cJSON_AddNumberToObject(o, "min", tenth(r->ours.min));
	cJSON_AddNumberToObject(o, "p90", tenth(r->ours.p90));
	b = cJSON_AddObjectToObject(o, "baselines");
	for (unsigned i = 0; i < r->bases; i++)
		cJSON_AddNumberToObject(b, r->base[i].name, tenth(r->base[i].value));
	cJSON_AddNumberToObject(o, "ratio", round(r->ratio * 1000) / 1000);
	cJSON_AddStringToObject(o, "wanted", r->wanted);
	cJSON_AddBoolToObject(o, "met", r->met);
	return o;
}

int results_write(const char *path, bool is_void)
{
	cJSON *doc = cJSON_CreateObject(), *list;
	char *text;
	FILE *f;
	int r = 0;

	cJSON_AddItemToObject(doc, "machine", machine());
	cJSON_AddBoolToObject(doc, "void", is_void);
	list = cJSON_AddArrayToObject(doc, "results");
	for (unsigned i = 0; i < rows_n; i++)
		cJSON_AddItemToArray(list, row(&rows[i]));
	text = cJSON_Print(doc);
	f = fopen(path, "w");
	if (!text || !f || fputs(text, f) < 0 || fputc('\n', f) < 0)
		r = -EIO;
	if (f && fclose(f))
		r = -EIO;
	free(text);
	cJSON_Delete(doc);
	return r;
}
