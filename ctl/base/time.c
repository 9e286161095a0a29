/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* time.c - RFC 3339 text and dates; declared in units.h. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"

#define YEAR_MIN 1970
#define YEAR_MAX 2200 /* 2^63 ns end in 2262 */

/* Exactly @n digits; moves *text behind them. */
static bool take_digits(const char **text, unsigned n, int *ret)
{
	int value = 0;

	for (unsigned i = 0; i < n; i++) {
		char c = (*text)[i];

		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*text += n;
	*ret = value;
	return true;
}

static bool take_char(const char **text, const char *accepted)
{
	if (!**text || !strchr(accepted, **text))
		return false;
	(*text)++;
	return true;
}

static bool take_date(const char **text, struct tm *tm)
{
	struct tm again;
	time_t day;

	if (!take_digits(text, 4, &tm->tm_year) || !take_char(text, "-") ||
	    !take_digits(text, 2, &tm->tm_mon) || !take_char(text, "-") ||
	    !take_digits(text, 2, &tm->tm_mday))
		return false;
	if (tm->tm_year < YEAR_MIN || tm->tm_year > YEAR_MAX)
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	again = *tm; /* timegm turns 31 February into March: then the fields differ */
	day = timegm(&again);
	return day >= 0 && again.tm_mon == tm->tm_mon && again.tm_mday == tm->tm_mday &&
	       again.tm_year == tm->tm_year;
}

static bool take_clock(const char **text, struct tm *tm, __u32 *ret_ns)
{
	__u32 place = 100000000, ns = 0;

	if (!take_digits(text, 2, &tm->tm_hour) || !take_char(text, ":") ||
	    !take_digits(text, 2, &tm->tm_min) || !take_char(text, ":") ||
	    !take_digits(text, 2, &tm->tm_sec))
		return false;
	if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60)
		return false;
	if (tm->tm_sec == 60)
		tm->tm_sec = 59;
	if (take_char(text, ".")) {
		if (**text < '0' || **text > '9')
			return false;
		for (; **text >= '0' && **text <= '9'; (*text)++, place /= 10)
			ns += (__u32)(**text - '0') * place; /* digits beyond the ninth add 0 */
	}
	*ret_ns = ns;
	return true;
}

static bool take_zone(const char **text, int *ret_offset_s)
{
	int sign = **text == '-' ? -1 : 1, hours, minutes;

	*ret_offset_s = 0;
	if (take_char(text, "Zz"))
		return true;
	if (!take_char(text, "+-") || !take_digits(text, 2, &hours) || !take_char(text, ":") ||
	    !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_offset_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

int lz_time_parse(const char *text, __u64 *ret_wall_ns, struct lz_err *reterr)
{
	const char *p = text;
	struct tm tm = {};
	__u32 ns = 0;
	int offset_s = 0;
	bool ok;
	__s64 s;

	ok = take_date(&p, &tm);
	if (ok && *p)
		ok = take_char(&p, "Tt ") && take_clock(&p, &tm, &ns) && take_zone(&p, &offset_s) &&
		     !*p;
	s = ok ? timegm(&tm) - offset_s : -1;
	if (s < 0)
		return lz_err_set(reterr, EINVAL,
				  "'%.60s' is not a time (want 2027-03-01 or 2027-03-01T12:00:00Z, %d..%d)",
				  text, YEAR_MIN, YEAR_MAX);
	*ret_wall_ns = (__u64)s * LZ_NS_PER_S + ns;
	return 0;
}

const char *lz_time_format(__u64 wall_ns, char buf[static LZ_TIME_TEXT_MAX])
{
	time_t s = (time_t)(wall_ns / LZ_NS_PER_S);
	struct tm tm = {};

	gmtime_r(&s, &tm);
	if (!strftime(buf, LZ_TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
		buf[0] = '\0';
	return buf;
}
