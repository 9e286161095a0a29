/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "serve/gate.h"
#include "serve/serve.h"

#define LZ_LISTEN_TRIES	 40
#define LZ_LISTEN_TRY_US 50000

/* Is anybody behind this socket file? A full backlog counts as somebody. */
static bool answers(const struct sockaddr_un *sun, int type)
{
	lz_autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true; /* not knowing must not cost somebody his socket */
	return connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
	       errno != ECONNREFUSED;
}

static int bind_mode(int fd, const struct sockaddr_un *sun, mode_t mode)
{
	/* bind() applies the umask: a chmod afterwards would leave a moment with other rights */
	mode_t old = umask(~mode & 0777);
	int r = bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0 ? -errno : 0;

	umask(old);
	return r;
}

static int try_to_listen(const char *path, int type, mode_t mode, uid_t uid, gid_t gid,
			 struct lz_err *reterr)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	lz_autoclose int fd = -1;
	struct stat st;
	int r;

	if (lz_strcpy(sun.sun_path, sizeof(sun.sun_path), path))
		return lz_err_set(reterr, ENAMETOOLONG,
				  "%s: cannot listen: path is too long (want at most %zu bytes)",
				  path, sizeof(sun.sun_path) - 1);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return lz_err_set(reterr, errno, "%s: cannot make a socket: %s", path,
				  strerror(errno));
	r = bind_mode(fd, &sun, mode);
	if (r == -EADDRINUSE) {
		if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
			return lz_err_set(
				reterr, EEXIST,
				"%s: cannot listen: a file that is no socket is in the way", path);
		if (answers(&sun, type))
			return lz_err_set(reterr, EADDRINUSE,
					  "%s: cannot listen: another process answers there", path);
		if (unlink(path) < 0 && errno != ENOENT)
			return lz_err_set(reterr, errno, "%s: cannot remove the stale socket: %s",
					  path, strerror(errno));
		r = bind_mode(fd, &sun, mode);
	}
	if (r)
		return lz_err_set(reterr, -r, "%s: cannot listen: %s", path, strerror(-r));
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && lchown(path, uid, gid) < 0)
		return lz_err_set(reterr, errno, "%s: cannot set owner and group: %s", path,
				  strerror(errno));
	return TAKE_FD(fd);
}

/* The process before this one may not have let go of the socket yet. */
static int listen_typed(const char *path, int type, mode_t mode, uid_t uid, gid_t gid,
			struct lz_err *reterr)
{
	int fd = -EADDRINUSE;

	for (int i = 0; fd == -EADDRINUSE && i < LZ_LISTEN_TRIES; i++) {
		if (i)
			usleep(LZ_LISTEN_TRY_US);
		fd = try_to_listen(path, type, mode, uid, gid, reterr);
	}
	return fd;
}

int lz_serve_listen(const char *path, mode_t mode, gid_t gid, struct lz_err *reterr)
{
	return listen_typed(path, SOCK_STREAM, mode, (uid_t)-1, gid, reterr);
}

int lz_gate_listen(const char *path, uid_t uid, struct lz_err *reterr)
{
	lz_autoclose int fd = listen_typed(path, SOCK_SEQPACKET, 0600, uid, (gid_t)-1, reterr);

	/* At once: the portal may be started before the loop turns, and then waits. */
	if (fd >= 0 && listen(fd, LZ_GATE_BACKLOG) < 0)
		return lz_err_set(reterr, errno, "%s: cannot listen: %m", path);
	return fd < 0 ? fd : TAKE_FD(fd);
}
