/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define PATH_BYTES 4096

/* lazaretd beside us (build tree), in ../sbin (installed in bin), or wherever PATH says. */
static const char *find_daemon(char buf[static PATH_BYTES])
{
	static const char *const places[] = { "lazaretd", "../sbin/lazaretd" };
	char self[PATH_BYTES];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len <= 0)
		return "lazaretd";
	self[len] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return "lazaretd";
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(buf, PATH_BYTES, "%s/%s", self, places[i]);

		if (n < PATH_BYTES && !access(buf, X_OK))
			return buf;
	}
	return "lazaretd";
}

int main(int argc, char **argv)
{
	char daemon[PATH_BYTES];

	return lz_cli_run(argc, argv, find_daemon(daemon));
}
