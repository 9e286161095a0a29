/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * grade.h - how hard a source is held, as operators write it and as the ledger keeps it:
 * "garden:NAME" | "block25" | "throttle RATE".
 *
 * The data plane knows a garden by its row and a rate by its index; both change with the policy.
 * Names and rates do not, so they are what is written down. Pure.
 */
#ifndef LZ_COLONY_GRADE_H
#define LZ_COLONY_GRADE_H

#include <linux/types.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/units.h"

#define LZ_GRADE_NAME_MAX 32 /* of a garden; policy.h has the same for all names */
#define LZ_GRADE_TEXT_MAX 48

/* From mild to hard. */
enum lz_grade_is {
	LZ_GRADE_IS_NONE, /* not held: told only */
	LZ_GRADE_IS_THROTTLE,
	LZ_GRADE_IS_BLOCK25,
	LZ_GRADE_IS_GARDEN,
	LZ_GRADE_IS_N,
};

struct lz_grade {
	enum lz_grade_is kind;
	char garden[LZ_GRADE_NAME_MAX + 1]; /* LZ_GRADE_IS_GARDEN, else "" */
	struct lz_rate rate; /* LZ_GRADE_IS_THROTTLE, else 0 */
};

/**
 * lz_grade_parse() - "garden:NAME" "leaky" "strict" "block25" "throttle 10/min" "notify"
 *
 * "throttle:10/min" is the same in one word. "leaky" and "strict" are the gardens of these names, as older command lines have it; "" and
 * "notify" are no hold. A name is [A-Za-z0-9_-]{1,32}; whether there is such a garden is the
 * policy's to say. Return: 0; -EINVAL or -ERANGE with @reterr set.
 */
int lz_grade_parse(const char *text, struct lz_grade *ret, struct lz_err *reterr);

/** lz_grade_format() - what lz_grade_parse() reads; "notify" for no hold; returns @buf */
const char *lz_grade_format(const struct lz_grade *grade, char buf[static LZ_GRADE_TEXT_MAX]);

/** lz_grade_harder() - is @a harder than @b? A lower rate is; of two gardens neither, unless strict */
bool lz_grade_harder(const struct lz_grade *a, const struct lz_grade *b);

bool lz_grade_equal(const struct lz_grade *a, const struct lz_grade *b);

#endif /* LZ_COLONY_GRADE_H */
