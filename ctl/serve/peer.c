/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#define _GNU_SOURCE 1 /* struct ucred */
#include "serve/peer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

static const char *const role_names[LZ_PEER_N] = {
	[LZ_PEER_DENIED] = "denied", [LZ_PEER_LOOK] = "look",	    [LZ_PEER_READ] = "read",
	[LZ_PEER_DETECT] = "detect", [LZ_PEER_OPERATE] = "operate", [LZ_PEER_ADMIN] = "admin",
};

const char *lz_peer_role_name(enum lz_peer_role role)
{
	return role < LZ_PEER_N ? role_names[role] : role_names[LZ_PEER_DENIED];
}

/* The supplementary groups; *ret is heap memory, NULL when there are none. */
static int read_groups(int fd, gid_t **ret, size_t *ret_n)
{
	lz_autofree gid_t *groups = NULL;
	socklen_t bytes = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) < 0 && errno != ERANGE)
		return -errno;
	if (bytes) {
		groups = malloc(bytes);
		if (!groups)
			return -ENOMEM;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
			return -errno;
	}
	*ret = TAKE_PTR(groups);
	*ret_n = bytes / sizeof(gid_t);
	return 0;
}

static bool grant_applies(const struct lz_serve_grant *grant, const struct ucred *cred,
			  const gid_t *groups, size_t groups_n)
{
	if (!grant->is_group)
		return grant->id == cred->uid;
	if (grant->id == cred->gid)
		return true;
	for (size_t i = 0; i < groups_n; i++) {
		if (grant->id == groups[i])
			return true;
	}
	return false;
}

int lz_peer_identify(int fd, const struct lz_serve_grant *grants, size_t grants_n,
		     enum lz_peer_role highest, struct lz_peer *ret)
{
	enum lz_peer_role role = LZ_PEER_DENIED;
	lz_autofree gid_t *groups = NULL;
	size_t groups_n = 0;
	struct ucred cred;
	socklen_t bytes = sizeof(cred);
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &bytes) < 0)
		return -errno;
	r = read_groups(fd, &groups, &groups_n);
	if (r)
		return r;
	if (highest == LZ_PEER_READ)
		role = LZ_PEER_LOOK;
	if (cred.uid == 0 || cred.uid == geteuid())
		role = LZ_PEER_ADMIN;
	for (size_t i = 0; i < grants_n; i++) {
		if (grants[i].role > role && grant_applies(&grants[i], &cred, groups, groups_n))
			role = grants[i].role;
	}
	*ret = (struct lz_peer){ .uid = cred.uid,
				 .gid = cred.gid,
				 .pid = cred.pid,
				 .role = role < highest ? role : highest };
	return 0;
}
