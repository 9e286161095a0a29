/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * units.h - durations, rates, shares, sizes and points in time, from text and back.
 *
 * No floating point. A parser accepts exactly one spelling of a number: decimal, no sign, no
 * leading zero, no spaces. Every formatter prints what its parser accepts, and what lazaretctl prints
 * as "3m27s" can be typed back.
 */
#ifndef LZ_BASE_UNITS_H
#define LZ_BASE_UNITS_H

#include <linux/types.h>
#include <stdbool.h>

#include "base/err.h"

#define LZ_DURATION_TEXT_MAX 24
#define LZ_RATE_TEXT_MAX     48
#define LZ_PERCENT_TEXT_MAX  16
#define LZ_SIZE_TEXT_MAX     28
#define LZ_TIME_TEXT_MAX     36 /* "2027-03-01T00:00:00.123456789Z" and NUL fit */

/** lz_u64_parse() - decimal number @min..@max; -EINVAL or -ERANGE with @reterr set */
int lz_u64_parse(const char *text, __u64 min, __u64 max, __u64 *ret, struct lz_err *reterr);

/**
 * lz_duration_parse() - "500ms" "30s" "5min" "72h" "7d", and "5m" "1h30m" "5m00s" "2d03h"
 * @text: several units stand in falling order, each number below one of the unit before; in a number
 *        that is not the first one zero may stand before a digit. "m" is "min".
 * @ret_ns: nanoseconds; 0 for "0s"
 *
 * Return: 0; -EINVAL not a duration; -ERANGE beyond 2^63 ns (292 years).
 */
int lz_duration_parse(const char *text, __u64 *ret_ns, struct lz_err *reterr);

/**
 * lz_duration_format() - in the largest unit that divides it: "90s" stays "90s", "60s" is "1min"
 * Below a millisecond it is rounded up to one, so that a rest never prints as "0s". Returns @buf.
 */
const char *lz_duration_format(__u64 ns, char buf[static LZ_DURATION_TEXT_MAX]);

/* @count events in any @window_ns. */
struct lz_rate {
	__u64 count; /* 0..2^53 */
	__u64 window_ns; /* > 0 */
};

/** lz_rate_parse() - "100/s" "10/min" "40/5min"; "/min" is "/1min", one unit; -EINVAL or -ERANGE */
int lz_rate_parse(const char *text, struct lz_rate *ret, struct lz_err *reterr);

/** lz_rate_format() - "40/5min"; a window of one unit prints without its 1: "100/s"; returns @buf */
const char *lz_rate_format(const struct lz_rate *rate, char buf[static LZ_RATE_TEXT_MAX]);

/** lz_rate_exceeds() - is it more than @per_s events a second, over its whole window? */
bool lz_rate_exceeds(const struct lz_rate *rate, __u64 per_s);

/** lz_percent_parse() - "1%" "0.5%", at most 4 decimals, 0..100; in parts per million */
int lz_percent_parse(const char *text, __u32 *ret_ppm, struct lz_err *reterr);
const char *lz_percent_format(__u32 ppm, char buf[static LZ_PERCENT_TEXT_MAX]);

/** lz_size_parse() - "512B" "64KiB" "16MiB" "1GiB"; in bytes */
int lz_size_parse(const char *text, __u64 *ret_bytes, struct lz_err *reterr);
const char *lz_size_format(__u64 bytes, char buf[static LZ_SIZE_TEXT_MAX]);

/**
 * lz_time_parse() - RFC 3339 time, or a date (start of that day, UTC)
 * @text: "2027-03-01" | "2027-03-01T12:00:00Z" | "2027-03-01T12:00:00.25+01:00"; 1970..2200
 * @ret_wall_ns: nanoseconds since 1970-01-01T00:00:00Z; a leap second (:60) counts as :59
 */
int lz_time_parse(const char *text, __u64 *ret_wall_ns, struct lz_err *reterr);

/** lz_time_format() - RFC 3339, UTC, whole seconds: "2027-03-01T00:00:00Z"; returns @buf */
const char *lz_time_format(__u64 wall_ns, char buf[static LZ_TIME_TEXT_MAX]);

#endif
