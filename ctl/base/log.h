/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * log.h - one line an event on stderr: `level=info event=policy-applied generation=7 file=a.json`
 *
 * The format is a list of `key=%conversion`. Only %s %d %i %u %x %c %% with h l ll z are accepted.
 * A value that is not plain printable ASCII is quoted and escaped, so that text from a packet or a
 * detector can neither start a new line nor a new field. Values are cut at LZ_LOG_VALUE_MAX, lines
 * at LZ_LOG_LINE_MAX bytes. Under journald (JOURNAL_STREAM set) a line begins with its priority
 * ("<6>"), elsewhere with the time. A line is one write(2): lines of two processes never mix.
 *
 * Nobody waits for who reads stderr: a line that finds no room in its pipe or socket is lost, and the
 * next one that finds room comes after one that says how many were (log-lost).
 */
#ifndef LZ_BASE_LOG_H
#define LZ_BASE_LOG_H

#include <linux/types.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define LZ_LOG_LINE_MAX	 2048
#define LZ_LOG_VALUE_MAX 512

/* Values are syslog's, as journald reads them. */
enum lz_log_level {
	LZ_LOG_ERROR = 3,
	LZ_LOG_WARNING = 4,
	LZ_LOG_NOTICE = 5,
	LZ_LOG_INFO = 6,
	LZ_LOG_DEBUG = 7,
};

/**
 * lz_log_own() - once, at the start of a daemon: opens a stderr that is a pipe or a terminal anew, for
 * this process and what it starts, so that no write waits in it
 *
 * O_NONBLOCK belongs to the open file, which whoever started us has too: his is left alone. Without this
 * call two processes that find the last room of a pipe at once may still wait there.
 */
void lz_log_own(void);

/** lz_log() - @event: a word, [a-z0-9-]; errno is kept */
void lz_log(enum lz_log_level level, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * lz_log_err() - an error line with ` error=<text of code>` at its end
 * Return: -|code|, for `return lz_log_err(...)`.
 */
int lz_log_err(int code, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** lz_log_level_set() - lines above this level are not written; LZ_LOG_INFO at start */
void lz_log_level_set(enum lz_log_level level);
int lz_log_level_parse(const char *text, enum lz_log_level *ret);

/** lz_log_vformat() - the line without prefix and newline; pure; returns its length (< size) */
size_t lz_log_vformat(char *buf, size_t size, enum lz_log_level level, const char *event,
		      const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

/*
 * Bounds lines that a packet or a peer can cause: @burst lines at once, one more each @refill_ns.
 * Static initialiser: { .burst = 10, .refill_ns = LZ_NS_PER_S }.
 */
struct lz_log_limit {
	__u32 burst;
	__u64 refill_ns;
	__u64 full_at_ns; /* when the bucket will be full again */
	__u64 suppressed;
};

/**
 * lz_log_allow() - may this line be written now?
 * @ret_suppressed: when true is returned, how many were withheld since the last one: log it too
 */
bool lz_log_allow(struct lz_log_limit *limit, __u64 mono_ns, __u64 *ret_suppressed);

#endif
