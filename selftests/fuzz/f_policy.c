/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * f_policy.c - any text as a policy: it is read or refused with a reason, and what was read prints
 * to a text that reads and prints the same again, with its prefixes packed (each second input) or not.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Every file a policy names has these lines. */
static int read_file(void *arg, const char *name, char **ret_text, size_t *ret_len,
		     struct lz_err *reterr)
{
	(void)arg;
	(void)reterr;
	*ret_text = strdup(strstr(name, "csv") ? "C1,203.0.113.4/30\nC1,2001:db8:2000:40::/60\n" :
						 "203.0.113.64/26\n");
	*ret_len = *ret_text ? strlen(*ret_text) : 0;
	return *ret_text ? 0 : -ENOMEM;
}

static const struct lz_policy_files files = { .read = read_file };

static char *print(const struct lz_policy *policy, unsigned flags)
{
	char *text = NULL;

	if (lz_policy_print(policy, LZ_PRINT_INLINE_FILES | flags, &text))
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct lz_report report = { 0 }, again_report = { 0 };
	struct lz_policy *policy = NULL, *again = NULL;
	char *copy = malloc(n + 1), *first, *sent, *second;
	int r;

	if (!copy)
		return 0;
	memcpy(copy, data, n);
	copy[n] = '\0';
	r = lz_policy_parse_text(copy, n, &files, &policy, &report);
	if (!r != !!policy || (r && !report.total[LZ_SEVERITY_ERROR]))
		abort();
	if (!r) {
		first = print(policy, 0);
		sent = print(policy, n & 1 ? LZ_PRINT_PACKED : 0);
		if (lz_policy_parse_text(sent, strlen(sent), &files, &again, &again_report))
			abort();
		second = print(again, 0);
		if (strcmp(first, second))
			abort();
		free(first);
		free(sent);
		free(second);
	}
	lz_policy_free(&policy);
	lz_policy_free(&again);
	lz_report_done(&report);
	lz_report_done(&again_report);
	free(copy);
	return 0;
}
