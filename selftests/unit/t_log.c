/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_log.c - where log lines go: whoever reads them may stand still, and nobody waits for him; he is told
 * what he has missed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/t.h"

#define LINES 2000 /* more than a pipe or a socket has room for */

static char text[4 << 20];

/* A read that does not wait; text is what came. */
static size_t drain(int fd)
{
	size_t len = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return len;
}

static size_t count(const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* @to: becomes stderr while LINES are logged. Whoever waits there is ended by the alarm. */
static int log_to(int to)
{
	int saved = dup(STDERR_FILENO);
	char long_value[LZ_LOG_VALUE_MAX];

	memset(long_value, 'x', sizeof(long_value));
	long_value[sizeof(long_value) - 1] = '\0';
	dup2(to, STDERR_FILENO);
	alarm(20);
	for (int i = 0; i < LINES; i++)
		lz_log(LZ_LOG_NOTICE, "flood", "i=%d a=%s b=%s c=%s d=%s", i, long_value, long_value,
		       long_value, long_value);
	alarm(0);
	return saved;
}

static void finish(int saved)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void check_reader(int ends[2])
{
	int saved = log_to(ends[1]);
	size_t came, lost = 0;
	char *told;

	drain(ends[0]);
	came = count("event=flood");
	T_OK(came > 0 && came < LINES, "some fit, and nobody has waited");
	T_OK(text[strlen(text) - 1] == '\n' && count("\n") == came, "each whole");
	lz_log(LZ_LOG_NOTICE, "after", "i=%d", 1);
	lz_log(LZ_LOG_NOTICE, "after", "i=%d", 2);
	finish(saved);
	drain(ends[0]);
	told = strstr(text, "level=warning event=log-lost lines=");
	if (told)
		lost = strtoul(strchr(strstr(told, "lines="), '=') + 1, NULL, 10);
	T_EQ(came + lost, LINES, "what is lost is counted, and said once there is room");
	T_EQ(count("log-lost"), 1, "once");
	T_EQ(count("event=after"), 2, "and what comes then is there");
	close(ends[0]);
	close(ends[1]);
}

static void nobody_waits_for_a_pipe(void)
{
	int ends[2];

	T_OK(pipe(ends) == 0, "pipe");
	check_reader(ends);
	T_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socket pair");
	check_reader(ends);
}

static void the_other_ones_file_is_left_alone(void)
{
	int ends[2], saved = dup(STDERR_FILENO);

	T_OK(pipe(ends) == 0, "pipe");
	dup2(ends[1], STDERR_FILENO);
	lz_log_own();
	T_OK(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, "ours does not wait");
	T_OK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK), "that of who started us does");
	lz_log(LZ_LOG_NOTICE, "word", "i=%d", 1);
	finish(saved);
	drain(ends[0]);
	T_EQ(count("event=word"), 1, "it is the same pipe");
	close(ends[0]);
	close(ends[1]);
}

static void a_file_takes_all(void)
{
	char path[] = "/tmp/lz-log-XXXXXX";
	int fd = mkstemp(path), saved;

	T_OK(fd >= 0, "a file");
	T_OK(write(fd, "before\n", 7) == 7, "with a line in it");
	saved = log_to(fd);
	lz_log_own();
	lz_log(LZ_LOG_NOTICE, "after", "i=%d", 1);
	finish(saved);
	lseek(fd, 0, SEEK_SET);
	drain(fd);
	T_OK(strncmp(text, "before\n", 7) == 0, "what was there stays");
	T_EQ(count("event=flood"), LINES, "all of them");
	T_EQ(count("log-lost"), 0, "none lost");
	T_EQ(count("event=after"), 1, "the last too");
	close(fd);
	unlink(path);
}

static const struct t_case cases[] = {
	{ "nobody waits for a reader who stands still", nobody_waits_for_a_pipe },
	{ "the open file of others stays as it is", the_other_ones_file_is_left_alone },
	{ "a file takes all", a_file_takes_all },
};

int main(void)
{
	return T_MAIN(cases);
}
