/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define COUNT_MAX (1ULL << 53) /* numbers go through JSON, where a double is exact up to here */
#define NS_MAX	  (1ULL << 63)

struct unit {
	const char *name;
	__u64 factor;
};

/* Largest first: the formatters take the first that divides, so that "m" is read and never printed
 * here. It can only be minutes: there are no months, and sizes have units of their own. */
static const struct unit durations[] = {
	{ "d", 86400ULL * 1000000000 }, { "h", 3600ULL * 1000000000 }, { "min", 60ULL * 1000000000 },
	{ "m", 60ULL * 1000000000 },	{ "s", 1000000000 },	       { "ms", 1000000 },
};
static const struct unit sizes[] = {
	{ "GiB", 1ULL << 30 },
	{ "MiB", 1ULL << 20 },
	{ "KiB", 1ULL << 10 },
	{ "B", 1 },
};

/* Digits at *text, which moves behind them. -EINVAL: none or a leading zero; -ERANGE: > 2^63. */
static int parse_digits(const char **text, __u64 *ret)
{
	const char *p = *text;
	__u64 value = 0;

	if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (__u64)(*p - '0'), &value) || value > NS_MAX)
			return -ERANGE;
	*text = p;
	*ret = value;
	return 0;
}

/* The unit whose name is the @len bytes at @text; NULL if there is none. */
static const struct unit *find_unit(const char *text, size_t len, const struct unit *units, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(units[i].name) == len && !memcmp(units[i].name, text, len))
			return &units[i];
	}
	return NULL;
}

static int scale(__u64 number, const struct unit *unit, __u64 *ret)
{
	__u64 value;

	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(number, unit->factor, &value) || value > NS_MAX)
		return -ERANGE;
	*ret = value;
	return 0;
}

static int parse_scaled(const char *text, __u64 number, const struct unit *units, size_t n,
			__u64 *ret)
{
	return scale(number, find_unit(text, strlen(text), units, n), ret);
}

static int fail(struct lz_err *reterr, int code, const char *text, const char *what,
		const char *domain)
{
	if (code == -ERANGE)
		return lz_err_set(reterr, ERANGE, "'%.60s' is too large for %s (want %s)", text, what,
				  domain);
	return lz_err_set(reterr, EINVAL, "'%.60s' is not %s (want %s)", text, what, domain);
}

int lz_u64_parse(const char *text, __u64 min, __u64 max, __u64 *ret, struct lz_err *reterr)
{
	const char *p = text;
	__u64 value = 0;
	int r = parse_digits(&p, &value);

	if (r == -EINVAL || (!r && *p))
		return lz_err_set(reterr, EINVAL, "'%.60s' is not a number (want %llu..%llu)", text, min,
				  max);
	if (r < 0 || value < min || value > max)
		return lz_err_set(reterr, ERANGE, "%.60s is out of range (want %llu..%llu)", text, min,
				  max);
	*ret = value;
	return 0;
}

/* "30m" at *text, which moves behind it; a piece that is not the first may be written "05s". */
static int parse_piece(const char **text, bool first, const struct unit **ret_unit, __u64 *ret_ns)
{
	const char *p = *text;
	__u64 number;
	size_t len;
	int r;

	if (!first && p[0] == '0' && p[1] >= '0' && p[1] <= '9')
		p++;
	r = parse_digits(&p, &number);
	if (r < 0)
		return r;
	len = strcspn(p, "0123456789");
	*ret_unit = find_unit(p, len, durations, LZ_ARRAY_SIZE(durations));
	*text = p + len;
	return scale(number, *ret_unit, ret_ns);
}

int lz_duration_parse(const char *text, __u64 *ret_ns, struct lz_err *reterr)
{
	__u64 total_ns = 0, above_ns = 0, ns; /* above: one of the unit before */
	const struct unit *unit;
	const char *p = text;
	int r;

	do { /* "1h90m" and "5m1h" are slips of the hand: who writes them may have meant anything */
		r = parse_piece(&p, p == text, &unit, &ns);
		if (!r && above_ns && (unit->factor >= above_ns || ns >= above_ns))
			r = -EINVAL;
		if (!r && (__builtin_add_overflow(total_ns, ns, &total_ns) || total_ns > NS_MAX))
			r = -ERANGE;
		if (!r)
			above_ns = unit->factor;
	} while (!r && *p);
	if (r < 0)
		return fail(reterr, r, text, "a duration", "e.g. 30s, 5min or 5m, 1h30m, 7d");
	*ret_ns = total_ns;
	return 0;
}

static const char *format_scaled(__u64 value, const struct unit *units, size_t n, char *buf,
				 size_t size)
{
	size_t i = 0;

	while (i + 1 < n && (!value || value % units[i].factor))
		i++;
	snprintf(buf, size, "%llu%s", value / units[i].factor, units[i].name);
	return buf;
}

const char *lz_duration_format(__u64 ns, char buf[static LZ_DURATION_TEXT_MAX])
{
	if (!ns)
		return strcpy(buf, "0s");
	ns = ns / 1000000 * 1000000 + (ns % 1000000 ? 1000000 : 0);
	return format_scaled(ns, durations, LZ_ARRAY_SIZE(durations), buf, LZ_DURATION_TEXT_MAX);
}

int lz_rate_parse(const char *text, struct lz_rate *ret, struct lz_err *reterr)
{
	static const char domain[] = "COUNT/WINDOW, e.g. 100/s, 10/min, 40/5min";
	const char *p = text;
	struct lz_rate rate;
	__u64 windows = 1;
	int r = parse_digits(&p, &rate.count);

	if (!r && *p++ != '/')
		r = -EINVAL;
	if (!r && *p >= '0' && *p <= '9')
		r = parse_digits(&p, &windows);
	if (!r)
		r = parse_scaled(p, windows, durations, LZ_ARRAY_SIZE(durations), &rate.window_ns);
	if (!r && !rate.window_ns)
		r = -EINVAL;
	if (!r && rate.count > COUNT_MAX)
		r = -ERANGE;
	if (r < 0)
		return fail(reterr, r, text, "a rate", domain);
	*ret = rate;
	return 0;
}

const char *lz_rate_format(const struct lz_rate *rate, char buf[static LZ_RATE_TEXT_MAX])
{
	char window[LZ_DURATION_TEXT_MAX];
	const char *w = lz_duration_format(rate->window_ns, window);

	if (w[0] == '1' && (w[1] < '0' || w[1] > '9'))
		w++;
	snprintf(buf, LZ_RATE_TEXT_MAX, "%llu/%s", rate->count, w);
	return buf;
}

bool lz_rate_exceeds(const struct lz_rate *rate, __u64 per_s)
{
	/* 2^53 * 10^9 needs more than 64 bits */
	return (unsigned __int128)rate->count * 1000000000 > (unsigned __int128)rate->window_ns * per_s;
}

int lz_percent_parse(const char *text, __u32 *ret_ppm, struct lz_err *reterr)
{
	const char *p = text;
	__u64 whole, ppm;
	__u32 place = 1000;
	int r = parse_digits(&p, &whole);

	if (!r && whole > 100)
		r = -ERANGE;
	if (r < 0)
		return fail(reterr, r, text, "a share", "0%..100%, e.g. 1% or 0.5%");
	ppm = whole * 10000;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9' && place; p++, place /= 10)
			ppm += (__u64)(*p - '0') * place;
		if (place == 1000)
			r = -EINVAL;
	}
	if (!r && (p[0] != '%' || p[1]))
		r = -EINVAL;
	if (!r && ppm > 1000000)
		r = -ERANGE;
	if (r < 0)
		return fail(reterr, r, text, "a share", "0%..100%, e.g. 1% or 0.5%");
	*ret_ppm = (__u32)ppm;
	return 0;
}

const char *lz_percent_format(__u32 ppm, char buf[static LZ_PERCENT_TEXT_MAX])
{
	int len = snprintf(buf, LZ_PERCENT_TEXT_MAX, "%u.%04u", ppm / 10000, ppm % 10000);

	while (buf[len - 1] == '0')
		len--;
	if (buf[len - 1] == '.')
		len--;
	return strcpy(buf + len, "%"), buf;
}

int lz_size_parse(const char *text, __u64 *ret_bytes, struct lz_err *reterr)
{
	const char *p = text;
	__u64 number;
	int r = parse_digits(&p, &number);

	if (!r)
		r = parse_scaled(p, number, sizes, LZ_ARRAY_SIZE(sizes), ret_bytes);
	if (r < 0)
		return fail(reterr, r, text, "a size", "e.g. 512B, 64KiB, 16MiB, 1GiB");
	return 0;
}

const char *lz_size_format(__u64 bytes, char buf[static LZ_SIZE_TEXT_MAX])
{
	return format_scaled(bytes, sizes, LZ_ARRAY_SIZE(sizes), buf, LZ_SIZE_TEXT_MAX);
}
