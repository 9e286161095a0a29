/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t.h - C tests: a main() over a static table of cases, results in the Test Anything Protocol.
 *
 * A check prints both values when they differ and goes on; a case is "ok" when all its checks were.
 * A set-up step that fails is a failed check. Only a missing capability or kernel feature, found by
 * a probe, may skip.
 *
 *	static void adds(void) { T_EQ(1 + 1, 2, "sum"); }
 *	static const struct t_case cases[] = { { "adds", adds } };
 *	int main(void) { return T_MAIN(cases); }
 */
#ifndef LZ_SELFTESTS_T_H
#define LZ_SELFTESTS_T_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct t_case {
	const char *name;
	void (*run)(void);
};

static unsigned int t_case_failures;
static char t_skip_reason[256];

static inline bool t_check(bool ok, const char *file, int line, const char *name)
{
	if (!ok) {
		t_case_failures++;
		printf("# %s:%d: %s\n", file, line, name);
	}
	return ok;
}

static inline bool t_eq(long long actual, long long expected, const char *file, int line,
			const char *name)
{
	bool ok = t_check(actual == expected, file, line, name);

	if (!ok)
		printf("#   actual:   %lld (0x%llx)\n#   expected: %lld (0x%llx)\n", actual,
		       (unsigned long long)actual, expected, (unsigned long long)expected);
	return ok;
}

/* Print text as comment lines, so that no output under test looks like a result. */
static inline void t_show(const char *label, const char *text)
{
	printf("#   %s: ", label);
	for (const char *p = text ? text : "(null)"; *p; p++) {
		putchar(*p);
		if (*p == '\n')
			printf("#     ");
	}
	putchar('\n');
}

static inline bool t_str(const char *actual, const char *expected, const char *file, int line,
			 const char *name)
{
	bool ok = t_check(actual && expected && !strcmp(actual, expected), file, line, name);

	if (!ok) {
		t_show("actual", actual);
		t_show("expected", expected);
	}
	return ok;
}

static inline bool t_has(const char *actual, const char *part, const char *file, int line,
			 const char *name)
{
	bool ok = t_check(actual && strstr(actual, part), file, line, name);

	if (!ok) {
		t_show("actual", actual);
		t_show("to contain", part);
	}
	return ok;
}

/* Each returns whether it held. */
#define T_OK(cond, name)	      t_check((cond), __FILE__, __LINE__, (name))
#define T_EQ(actual, expected, name)                                                               \
	t_eq((long long)(actual), (long long)(expected), __FILE__, __LINE__, (name))
#define T_STR(actual, expected, name) t_str((actual), (expected), __FILE__, __LINE__, (name))
#define T_HAS(actual, part, name)     t_has((actual), (part), __FILE__, __LINE__, (name))
#define T_ERR(r, error, name)	      T_EQ((r), (error), (name))

/* Leave a case that this machine cannot run; only after a probe. */
#define T_SKIP(...)                                                                                \
	do {                                                                                       \
		snprintf(t_skip_reason, sizeof(t_skip_reason), __VA_ARGS__);                       \
		return;                                                                            \
	} while (0)

/* T_CASES in the environment: only cases whose name contains it, for a machine that is slow. */
static inline bool t_is_wanted(const struct t_case *c)
{
	const char *part = getenv("T_CASES");

	return !part || strstr(c->name, part);
}

static inline int t_run(const struct t_case *cases, size_t n)
{
	unsigned int failed = 0, run = 0;

	for (size_t i = 0; i < n; i++)
		run += t_is_wanted(&cases[i]);
	printf("1..%u\n", run);
	run = 0;
	for (size_t i = 0; i < n; i++) {
		if (!t_is_wanted(&cases[i]))
			continue;
		t_case_failures = 0;
		t_skip_reason[0] = '\0';
		cases[i].run();
		printf("%sok %u - %s%s%s\n", t_case_failures ? "not " : "", ++run, cases[i].name,
		       t_skip_reason[0] ? " # SKIP " : "", t_skip_reason);
		fflush(stdout);
		failed += t_case_failures != 0;
	}
	return failed || !run ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define T_MAIN(cases) t_run((cases), sizeof(cases) / sizeof((cases)[0]))

#endif /* LZ_SELFTESTS_T_H */
