// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>
#include <strings.h>

#include "portal/lang.h"

#define RANGES_MAX 16

/* "0.8" as 800; what is no weight counts as none was given (RFC 9110 12.4.2). */
static unsigned int parse_weight(const char *p, size_t len)
{
	unsigned int weight, step = 100;

	if (!len || (*p != '0' && *p != '1'))
		return 1000;
	weight = (unsigned int)(*p - '0') * 1000;
	for (size_t i = 2; i < len && p[1] == '.' && p[i] >= '0' && p[i] <= '9'; i++, step /= 10)
		weight += (unsigned int)(p[i] - '0') * step;
	return weight > 1000 ? 1000 : weight;
}

/* The range or the longest beginning of it, at '-', that we have. */
static size_t look_up(const char *range, size_t len, const char *const *have, size_t n)
{
	while (len) {
		for (size_t i = 0; i < n; i++)
			if (strlen(have[i]) == len && !strncasecmp(have[i], range, len))
				return i;
		while (len && range[len - 1] != '-')
			len--;
		if (len)
			len--;
	}
	return n;
}

size_t lz_lang_choose(const char *accept, const char *const *have, size_t n)
{
	unsigned int best_weight = 0;
	size_t best = 0;

	for (unsigned int i = 0; accept && *accept && i < RANGES_MAX; i++) {
		size_t len, tag, found;
		unsigned int weight = 1000;
		const char *q;

		accept += strspn(accept, " \t,");
		len = strcspn(accept, ",");
		tag = strcspn(accept, ",; \t");
		q = memmem(accept, len, "q=", 2);
		if (q)
			weight = parse_weight(q + 2, len - (size_t)(q + 2 - accept));
		found = tag == 1 && *accept == '*' ? 0 : look_up(accept, tag, have, n);
		if (found < n && weight > best_weight) {
			best = found;
			best_weight = weight;
		}
		accept += len;
	}
	return best;
}
