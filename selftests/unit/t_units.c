/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* t_units.c - durations, rates, shares, sizes, times, and the line that the log writes. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/text.h"
#include "lib/t.h"

#define S 1000000000ULL

static const struct {
	const char *text;
	int r;
	__u64 ns;
	const char *canonical;
} durations[] = {
	{ "0s", 0, 0, "0s" },
	{ "30s", 0, 30 * S, "30s" },
	{ "90s", 0, 90 * S, "90s" },
	{ "60s", 0, 60 * S, "1min" },
	{ "5min", 0, 300 * S, "5min" },
	{ "72h", 0, 72 * 3600 * S, "3d" },
	{ "25h", 0, 25 * 3600 * S, "25h" },
	{ "7d", 0, 7 * 86400 * S, "7d" },
	{ "500ms", 0, S / 2, "500ms" },
	{ "106751d", 0, 106751ULL * 86400 * S, "106751d" },
	{ "106752d", -ERANGE, 0, NULL },
	{ "99999999999999999999s", -ERANGE, 0, NULL },
	{ "", -EINVAL, 0, NULL },
	{ "s", -EINVAL, 0, NULL },
	{ "30", -EINVAL, 0, NULL },
	{ "-1s", -EINVAL, 0, NULL },
	{ "+1s", -EINVAL, 0, NULL },
	{ "1.5h", -EINVAL, 0, NULL },
	{ "05s", -EINVAL, 0, NULL },
	{ "5 s", -EINVAL, 0, NULL },
	{ "5M", -EINVAL, 0, NULL },
	{ "3mo", -EINVAL, 0, NULL },
	{ "5m", 0, 300 * S, "5min" },
	{ "5m00s", 0, 300 * S, "5min" },
	{ "3m27s", 0, 207 * S, "207s" },
	{ "1h30min", 0, 5400 * S, "90min" },
	{ "1h00m", 0, 3600 * S, "1h" },
	{ "2d03h", 0, 51 * 3600 * S, "51h" },
	{ "1d2h3m4s5ms", 0, 93784 * S + 5000000, "93784005ms" },
	{ "1s5ms", 0, S + 5000000, "1005ms" },
	{ "1h90m", -EINVAL, 0, NULL },
	{ "1h60m", -EINVAL, 0, NULL },
	{ "5m1h", -EINVAL, 0, NULL },
	{ "1m1min", -EINVAL, 0, NULL },
	{ "1h0h", -EINVAL, 0, NULL },
	{ "1h30", -EINVAL, 0, NULL },
	{ "1h 30m", -EINVAL, 0, NULL },
	{ "1h-5m", -EINVAL, 0, NULL },
	{ "5m000s", -EINVAL, 0, NULL },
	{ "05m00s", -EINVAL, 0, NULL },
	{ "106751d23h47m16s854ms", 0, 9223372036854ULL * 1000000, "9223372036854ms" },
	{ "106751d23h47m16s855ms", -ERANGE, 0, NULL },
	{ "1h99999999999999999999s", -ERANGE, 0, NULL },
};

static void reads_durations(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(durations); i++) {
		char text[LZ_DURATION_TEXT_MAX];
		__u64 ns = 0;

		T_EQ(lz_duration_parse(durations[i].text, &ns, NULL), durations[i].r,
		     durations[i].text);
		T_EQ(ns, durations[i].ns, durations[i].text);
		if (durations[i].canonical)
			T_STR(lz_duration_format(ns, text), durations[i].canonical,
			      durations[i].text);
	}
}

/* What lazaretctl prints can be typed back: it means what was cut off it, no more. */
static void reads_spans(void)
{
	static const __u64 around_s[] = { 0, 1, 59, 60, 61, 207, 300, 599, 3599, 3600, 3660, 6120, 86399,
					  86400, 90000, 183600, 31 * 86400, 9223372036 };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(around_s); i++) {
		__u64 s = around_s[i], unit_s = s >= 86400 ? 3600 : s >= 3600 ? 60 : 1, ns = 1;
		char text[LZ_DURATION_TEXT_MAX];

		lz_text_span(s * S + 1, text, sizeof(text));
		T_EQ(lz_duration_parse(text, &ns, NULL), 0, text);
		T_EQ(ns, s / unit_s * unit_s * S, text);
		lz_duration_format(s * S, text);
		T_EQ(lz_duration_parse(text, &ns, NULL), 0, text);
		T_EQ(ns, s * S, text);
	}
}

static void rounds_up_rests(void)
{
	char text[LZ_DURATION_TEXT_MAX];

	T_STR(lz_duration_format(1, text), "1ms", "a rest is never 0s");
	T_STR(lz_duration_format(S - 1, text), "1s", "just below a second");
}

static const struct {
	const char *text;
	int r;
	__u64 count, window_ns;
	const char *canonical;
} rates[] = {
	{ "100/s", 0, 100, S, "100/s" },
	{ "10/min", 0, 10, 60 * S, "10/min" },
	{ "40/5min", 0, 40, 300 * S, "40/5min" },
	{ "1000/24h", 0, 1000, 86400 * S, "1000/d" },
	{ "3/1h", 0, 3, 3600 * S, "3/h" },
	{ "7/10d", 0, 7, 864000 * S, "7/10d" },
	{ "40/5m", 0, 40, 300 * S, "40/5min" },
	{ "40/5m00s", -EINVAL, 0, 0, NULL },
	{ "0/s", 0, 0, S, "0/s" },
	{ "9007199254740993/s", -ERANGE, 0, 0, NULL },
	{ "100", -EINVAL, 0, 0, NULL },
	{ "100/", -EINVAL, 0, 0, NULL },
	{ "/s", -EINVAL, 0, 0, NULL },
	{ "100/0s", -EINVAL, 0, 0, NULL },
	{ "100/5", -EINVAL, 0, 0, NULL },
	{ "1e3/s", -EINVAL, 0, 0, NULL },
	{ "-1/s", -EINVAL, 0, 0, NULL },
};

static void reads_rates(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rates); i++) {
		char text[LZ_RATE_TEXT_MAX];
		struct lz_rate rate = {};

		T_EQ(lz_rate_parse(rates[i].text, &rate, NULL), rates[i].r, rates[i].text);
		T_EQ(rate.count, rates[i].count, rates[i].text);
		T_EQ(rate.window_ns, rates[i].window_ns, rates[i].text);
		if (rates[i].canonical)
			T_STR(lz_rate_format(&rate, text), rates[i].canonical, rates[i].text);
	}
}

static void compares_rates(void)
{
	static const struct {
		__u64 count, window_ns, per_s;
		bool over;
	} rows[] = {
		{ 1000, S, 1000, false }, { 1001, S, 1000, true }, { 60001, 60 * S, 1000, true },
		{ 60000, 60 * S, 1000, false }, { 1, S / 1000, 1000, false }, { 2, S / 1000, 1000, true },
		{ 1ULL << 53, S, 1000000, true }, { 0, S, 1, false },
	};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		struct lz_rate rate = { rows[i].count, rows[i].window_ns };
		char text[LZ_RATE_TEXT_MAX];

		T_EQ(lz_rate_exceeds(&rate, rows[i].per_s), rows[i].over, lz_rate_format(&rate, text));
	}
}

static const struct {
	const char *text;
	int r;
	__u32 ppm;
	const char *canonical;
} shares[] = {
	{ "0%", 0, 0, "0%" },		  { "1%", 0, 10000, "1%" },
	{ "0.5%", 0, 5000, "0.5%" },	  { "100%", 0, 1000000, "100%" },
	{ "12.3456%", 0, 123456, "12.3456%" }, { "1.50%", 0, 15000, "1.5%" },
	{ "100.0001%", -ERANGE, 0, NULL },
	{ "100.1%", -ERANGE, 0, NULL },	  { "101%", -ERANGE, 0, NULL },
	{ "1", -EINVAL, 0, NULL },	  { "1.%", -EINVAL, 0, NULL },
	{ "1.23456%", -EINVAL, 0, NULL }, { "%", -EINVAL, 0, NULL },
	{ "1%x", -EINVAL, 0, NULL },
};

static void reads_shares(void)
{
	for (size_t i = 0; i < LZ_ARRAY_SIZE(shares); i++) {
		char text[LZ_PERCENT_TEXT_MAX];
		__u32 ppm = 0;

		T_EQ(lz_percent_parse(shares[i].text, &ppm, NULL), shares[i].r, shares[i].text);
		T_EQ(ppm, shares[i].ppm, shares[i].text);
		if (shares[i].canonical)
			T_STR(lz_percent_format(ppm, text), shares[i].canonical, shares[i].text);
	}
}

static void reads_sizes_and_numbers(void)
{
	char text[LZ_SIZE_TEXT_MAX];
	__u64 value = 0;

	T_EQ(lz_size_parse("64KiB", &value, NULL), 0, "64KiB");
	T_EQ(value, 65536, "64KiB");
	T_STR(lz_size_format(value, text), "64KiB", "64KiB");
	T_ERR(lz_size_parse("64kb", &value, NULL), -EINVAL, "64kb");
	T_ERR(lz_size_parse("99999999999GiB", &value, NULL), -ERANGE, "too large");
	T_EQ(lz_u64_parse("65535", 1, 65535, &value, NULL), 0, "65535");
	T_ERR(lz_u64_parse("65536", 1, 65535, &value, NULL), -ERANGE, "65536");
	T_ERR(lz_u64_parse("0", 1, 65535, &value, NULL), -ERANGE, "0");
	T_ERR(lz_u64_parse("99999999999999999999999", 1, 65535, &value, NULL), -ERANGE, "huge");
	T_ERR(lz_u64_parse("12x", 1, 65535, &value, NULL), -EINVAL, "12x");
	T_EQ(value, 65535, "untouched on failure");
}

/* Seconds since 1970 from date(1). */
static const struct {
	const char *text;
	__u64 ns;
} times[] = {
	{ "1970-01-01", 0 },
	{ "2027-03-01", 1803859200 * S },
	{ "2027-03-01T12:00:00Z", 1803902400 * S },
	{ "2027-03-01 12:00:00z", 1803902400 * S },
	{ "2027-03-01T13:30:00+01:30", 1803902400 * S },
	{ "2027-03-01T12:00:00.25Z", 1803902400 * S + S / 4 },
	{ "2028-02-29", 1835395200 * S },
	{ "2016-12-31T23:59:60Z", 1483228799 * S },
};
static const char *const no_times[] = {
	"",		  "2027",		  "2027-3-1",		   "2027-02-29",
	"2027-13-01",	  "2027-00-10",		  "2027-03-01T12:00:00",   "2027-03-01T24:00:00Z",
	"2027-03-01T",	  "2027-03-01T12:60:00Z", "2027-03-01T12:00:00Zx", "1969-12-31",
	"2201-01-01",	  "1970-01-01T00:00:00+01:00", "2027-03-01T12:00:00.Z", "tomorrow",
	"2027-03-01T12:00:00+24:00", "2027-03-01T12:00:00-01:60",
};

static void reads_times(void)
{
	char text[LZ_TIME_TEXT_MAX];
	__u64 ns;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(times); i++) {
		ns = 1;
		T_EQ(lz_time_parse(times[i].text, &ns, NULL), 0, times[i].text);
		T_EQ(ns, times[i].ns, times[i].text);
	}
	for (size_t i = 0; i < LZ_ARRAY_SIZE(no_times); i++)
		T_ERR(lz_time_parse(no_times[i], &ns, NULL), -EINVAL, no_times[i]);
	T_STR(lz_time_format(1803902400 * S + 5, text), "2027-03-01T12:00:00Z", "format");
	T_STR(lz_time_format(0, text), "1970-01-01T00:00:00Z", "epoch");
	lz_time_format(UINT64_MAX, text);
	T_HAS(text, "2554-", "the end of the clock has a text");
}

__attribute__((format(printf, 1, 2))) static const char *log_line(const char *fmt, ...)
{
	static char line[600];
	va_list ap;

	va_start(ap, fmt);
	lz_log_vformat(line, sizeof(line), LZ_LOG_INFO, "test", fmt, ap);
	va_end(ap);
	return line;
}

static void logs_values_not_lines(void)
{
	static const char *volatile none; /* volatile: or the compiler foresees the NULL */
	char flood[2000];

	T_STR(log_line("a=%s n=%d u=%llu x=%x", "word", -5, 1ULL << 63, 255),
	      "level=info event=test a=word n=-5 u=9223372036854775808 x=ff", "plain values");
	T_STR(log_line("helo=%s next=%u", "x\nlevel=error event=fake", 1u),
	      "level=info event=test helo=\"x\\nlevel=error event=fake\" next=1", "no second line");
	T_STR(log_line("helo=%s", "a=b"), "level=info event=test helo=\"a=b\"", "no second field");
	T_STR(log_line("helo=%s", "say \"hi\""), "level=info event=test helo=\"say \\\"hi\\\"\"", "quotes");
	T_STR(log_line("helo=%s", "\033[31m\xe2\x80\xae%n"),
	      "level=info event=test helo=\"\\x1b[31m\\xe2\\x80\\xae%n\"", "terminal codes and %n");
	T_STR(log_line("helo=%s none=%s", "", none),
	      "level=info event=test helo=\"\" none=-", "empty and missing");
	memset(flood, 'A', sizeof(flood) - 1);
	flood[sizeof(flood) - 1] = '\0';
	log_line("a=%s", flood);
	T_OK(strlen(log_line("a=%s b=%s", flood, flood)) < 600, "a line has an end");
	T_HAS(log_line("a=%s b=%u", flood, 7u), " b=7", "a long value leaves room for the next");
}

static void limits_log_lines(void)
{
	struct lz_log_limit limit = { .burst = 3, .refill_ns = LZ_NS_PER_S };
	__u64 suppressed = 99;
	unsigned allowed = 0;

	for (int i = 0; i < 10; i++)
		allowed += lz_log_allow(&limit, 5 * LZ_NS_PER_S, &suppressed);
	T_EQ(allowed, 3, "the burst");
	T_OK(lz_log_allow(&limit, 6 * LZ_NS_PER_S, &suppressed), "one a second");
	T_EQ(suppressed, 7, "and it tells what was withheld");
	T_OK(!lz_log_allow(&limit, 6 * LZ_NS_PER_S, &suppressed), "not two");
}

static void grows_strings(void)
{
	lz_autostr struct lz_str s = {};
	char *text;

	for (int i = 0; i < 1000; i++)
		lz_str_appendf(&s, "%d,", i % 10);
	T_EQ(s.len, 2000, "length");
	T_EQ(strlen(s.data), 2000, "terminated");
	text = lz_str_take(&s);
	T_OK(text && !s.data && !s.len, "taken");
	free(text);
	text = lz_str_take(&s);
	T_STR(text, "", "an empty one is a string too");
	free(text);
}

static const struct t_case cases[] = {
	{ "durations", reads_durations },
	{ "what output prints can be typed back", reads_spans },
	{ "rests of time are rounded up", rounds_up_rests },
	{ "rates", reads_rates },
	{ "rates compared", compares_rates },
	{ "shares", reads_shares },
	{ "sizes and numbers", reads_sizes_and_numbers },
	{ "times and dates", reads_times },
	{ "log values cannot forge lines or fields", logs_values_not_lines },
	{ "log lines are bounded in rate", limits_log_lines },
	{ "growing strings", grows_strings },
};

int main(void)
{
	return T_MAIN(cases);
}
