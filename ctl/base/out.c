/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int first_error; /* of a flush */

void lz_out_begin(void)
{
	/* the lowest number is taken; read-only, so that a write fails as it would have */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void lz_out_flush(void)
{
	if (fflush(stdout) && !first_error)
		first_error = errno;
}

bool lz_out_end(const char *program, bool done)
{
	lz_out_flush();
	if (!first_error && !ferror(stdout))
		return true;
	/* without a reason: one of the writes that stdio does by itself failed, the last one did not */
	fprintf(stderr, "%s: stdout: cannot write: %s%s\n", program,
		first_error ? strerror(first_error) : "some of it is lost",
		done ? "; the change itself was done" : "");
	return false;
}
