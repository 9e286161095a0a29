// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * notify.c - sd_notify(3) by hand.
 */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/units.h"
#include "keeper/notify.h"

void lz_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	lz_autoclose int fd = -1;
	socklen_t len;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (path[0] == '@') /* abstract: a name that begins with NUL */
		to.sun_path[0] = '\0';
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, len);
}

bool lz_notify_is_supervised(void)
{
	return getenv("NOTIFY_SOCKET");
}

__u64 lz_notify_watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	__u64 n;

	if (!usec || lz_u64_parse(usec, 1, 86400000000ULL, &n, NULL) < 0)
		return 0;
	return n * 1000 / 2;
}
