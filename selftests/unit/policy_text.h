/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * policy_text.h - read a policy from a string, with its files from memory, for the t_policy_*
 * tests.
 */
#ifndef LZ_SELFTESTS_POLICY_TEXT_H
#define LZ_SELFTESTS_POLICY_TEXT_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/policy.h"

struct memory_file {
	const char *name;
	const char *text;
};

static inline int read_memory_file(void *arg, const char *name, char **ret_text, size_t *ret_len,
				   struct lz_err *reterr)
{
	for (const struct memory_file *file = arg; file->name; file++) {
		if (!lz_streq(file->name, name))
			continue;
		*ret_text = strdup(file->text);
		*ret_len = strlen(file->text);
		return *ret_text ? 0 : -ENOMEM;
	}
	return lz_err_set(reterr, ENOENT, "'%s': cannot read: no such file", name);
}

/* The outcome of one reading. */
struct reading {
	int r;
	struct lz_policy *policy; /* NULL unless r is 0 */
	struct lz_report report;
	char *text; /* the report, as an operator sees it */
};

static inline void reading_done(struct reading *reading)
{
	lz_policy_free(&reading->policy);
	lz_report_done(&reading->report);
	free(reading->text);
}

#define auto_reading __attribute__((cleanup(reading_done))) struct reading

/*
 * @files ends with a row without name; NULL: no files. The text is read from a block of its size.
 * @in_force: as a start reads what was applied before
 */
static inline struct reading read_policy_text(const char *text, size_t len, struct memory_file *files, bool in_force)
{
	struct lz_policy_files reader = { .read = read_memory_file, .arg = files };
	struct reading reading = { .report.in_force = in_force };
	struct lz_str lines = {};
	char *exact = malloc(len ? len : 1);

	memcpy(exact, text, len);
	reading.r = lz_policy_parse_text(exact, len, files ? &reader : NULL, &reading.policy,
					 &reading.report);
	free(exact);
	lz_report_format(&reading.report, "p", &lines);
	reading.text = lz_str_take(&lines);
	return reading;
}

static inline struct reading read_policy_n(const char *text, size_t len, struct memory_file *files)
{
	return read_policy_text(text, len, files, false);
}

static inline struct reading read_policy(const char *text, struct memory_file *files)
{
	return read_policy_n(text, strlen(text), files);
}

/* As a start reads it; its ranges may reach to both ends of the address space. */
static inline struct reading read_policy_in_force(const char *text, struct memory_file *files)
{
	return read_policy_text(text, strlen(text), files, true);
}

#endif
