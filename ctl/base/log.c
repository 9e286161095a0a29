/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/units.h"

static enum lz_log_level threshold = LZ_LOG_INFO;

static const char *const level_names[] = {
	[LZ_LOG_ERROR] = "error", [LZ_LOG_WARNING] = "warning", [LZ_LOG_NOTICE] = "notice",
	[LZ_LOG_INFO] = "info",	  [LZ_LOG_DEBUG] = "debug",
};

struct line {
	char *buf;
	size_t size;
	size_t len;
};

static void put(struct line *line, const char *bytes, size_t len)
{
	size_t room = line->size - line->len - 1;

	if (len > room)
		len = room;
	memcpy(line->buf + line->len, bytes, len);
	line->len += len;
	line->buf[line->len] = '\0';
}

/* A value: as it is if it is one plain word, else quoted with everything special escaped. */
static void put_value(struct line *line, const char *value)
{
	char escaped[LZ_LOG_VALUE_MAX];
	size_t len = strnlen(value, LZ_LOG_VALUE_MAX), plain = 0;

	while (plain < len && value[plain] > ' ' && value[plain] < 0x7f &&
	       !strchr("\"\\=", value[plain]))
		plain++;
	if (len && plain == len && len < sizeof(escaped)) {
		put(line, value, len);
		return;
	}
	len = lz_text_escape(escaped, sizeof(escaped), value, (unsigned)len);
	put(line, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		if (escaped[i] == '"')
			put(line, "\\", 1);
		put(line, &escaped[i], 1);
	}
	put(line, "\"", 1);
}

/* The modifiers of one conversion; moves *p onto the conversion letter. */
static int count_long(const char **p)
{
	int wide = 0;

	for (; **p == 'l' || **p == 'z' || **p == 'h'; (*p)++)
		if (**p != 'h')
			wide++;
	return wide;
}

size_t lz_log_vformat(char *buf, size_t size, enum lz_log_level level, const char *event,
		      const char *fmt, va_list ap)
{
	struct line line = { .buf = buf, .size = size };
	char number[24], one[2] = "";

	put(&line, "level=", 6);
	put_value(&line, level_names[level]);
	put(&line, " event=", 7);
	put_value(&line, event);
	if (*fmt)
		put(&line, " ", 1);
	for (const char *p = fmt; *p; p++) {
		const char *value = number;
		int wide;

		if (*p != '%') {
			put(&line, p, 1);
			continue;
		}
		p++;
		wide = count_long(&p);
		if (*p == 's') {
			value = va_arg(ap, const char *);
			value = value ? value : "-";
		} else if (*p == 'd' || *p == 'i') {
			snprintf(number, sizeof(number), "%lld",
				 wide > 1 ? va_arg(ap, long long) :
				 wide	  ? (long long)va_arg(ap, long) :
					    (long long)va_arg(ap, int));
		} else if (*p == 'u' || *p == 'x') {
			unsigned long long v = wide > 1 ? va_arg(ap, unsigned long long) :
					       wide	? va_arg(ap, unsigned long) :
							  va_arg(ap, unsigned);

			snprintf(number, sizeof(number), *p == 'x' ? "%llx" : "%llu", v);
		} else if (*p == 'c') {
			one[0] = (char)va_arg(ap, int);
			value = one;
		} else if (*p == '%') {
			put(&line, "%", 1);
			continue;
		} else {
			put(&line, "?", 1); /* an unknown conversion: what follows cannot be read */
			break;
		}
		put_value(&line, value);
	}
	return line.len;
}

/* ---------------------------------------------------------------- out */

_Static_assert(LZ_LOG_LINE_MAX <= PIPE_BUF, "a pipe that has room takes a whole line or nothing");

static unsigned int lost; /* lines since the last that was written; of any thread */

void lz_log_own(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) /* another account's: write_bytes() asks for room first */
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/* Never waits for who reads: a log shipper that stands still must not stop the daemon. */
static bool write_bytes(const char *buf, size_t len)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t written;

	do {
		written = send(STDERR_FILENO, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (written < 0 && errno == ENOTSOCK)
			written = poll(&room, 1, 0) == 0 ? -1 : write(STDERR_FILENO, buf, len);
	} while (written < 0 && errno == EINTR);
	return written >= 0;
}

/* A whole line; its length. @error: NULL: none */
static size_t vcompose(char buf[static LZ_LOG_LINE_MAX], enum lz_log_level level, const char *event,
		       const char *fmt, va_list ap, const char *error)
{
	char stamp[LZ_TIME_TEXT_MAX];
	struct line rest;
	int len;

	if (getenv("JOURNAL_STREAM"))
		len = snprintf(buf, LZ_LOG_LINE_MAX, "<%d>", level);
	else
		len = snprintf(buf, LZ_LOG_LINE_MAX, "time=%s ", lz_time_format(lz_clock_wall_ns(), stamp));
	rest = (struct line){ .buf = buf + len, .size = LZ_LOG_LINE_MAX - (size_t)len - 1 };
	rest.len = lz_log_vformat(rest.buf, rest.size, level, event, fmt, ap);
	if (error) {
		put(&rest, " error=", 7);
		put_value(&rest, error);
	}
	rest.buf[rest.len++] = '\n';
	return (size_t)len + rest.len;
}

static size_t compose(char buf[static LZ_LOG_LINE_MAX], enum lz_log_level level, const char *event,
		      const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = vcompose(buf, level, event, fmt, ap, NULL);
	va_end(ap);
	return len;
}

/* false: there is no room, not even for that. */
static bool tell_lost(void)
{
	unsigned int n = __atomic_exchange_n(&lost, 0, __ATOMIC_RELAXED);
	char buf[LZ_LOG_LINE_MAX];

	if (!n || write_bytes(buf, compose(buf, LZ_LOG_WARNING, "log-lost", "lines=%u why=%s", n,
					   "who reads stderr did not keep up")))
		return true;
	__atomic_fetch_add(&lost, n, __ATOMIC_RELAXED);
	return false;
}

/* One line, one write. */
static void write_line(enum lz_log_level level, const char *event, const char *fmt, va_list ap,
		       const char *error)
{
	char buf[LZ_LOG_LINE_MAX];
	int saved = errno;
	size_t len = vcompose(buf, level, event, fmt, ap, error);

	if (!tell_lost() || !write_bytes(buf, len))
		__atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
	errno = saved;
}

void lz_log(enum lz_log_level level, const char *event, const char *fmt, ...)
{
	va_list ap;

	if (level > threshold)
		return;
	va_start(ap, fmt);
	write_line(level, event, fmt, ap, NULL);
	va_end(ap);
}

int lz_log_err(int code, const char *event, const char *fmt, ...)
{
	va_list ap;

	code = abs(code);
	va_start(ap, fmt);
	write_line(LZ_LOG_ERROR, event, fmt, ap, strerror(code));
	va_end(ap);
	return -code;
}

void lz_log_level_set(enum lz_log_level level)
{
	threshold = level;
}

int lz_log_level_parse(const char *text, enum lz_log_level *ret)
{
	for (size_t i = LZ_LOG_ERROR; i < LZ_ARRAY_SIZE(level_names); i++) {
		if (!lz_streq(text, level_names[i]))
			continue;
		*ret = (enum lz_log_level)i;
		return 0;
	}
	return -EINVAL;
}

bool lz_log_allow(struct lz_log_limit *limit, __u64 mono_ns, __u64 *ret_suppressed)
{
	__u64 full_at = limit->full_at_ns > mono_ns ? limit->full_at_ns : mono_ns;

	if (full_at - mono_ns + limit->refill_ns > limit->burst * limit->refill_ns) {
		limit->suppressed++;
		return false;
	}
	limit->full_at_ns = full_at + limit->refill_ns;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
