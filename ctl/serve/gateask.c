// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gateask.c - is this a question of the gate, and about whom?
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/gate.h"

static const struct command {
	const char *name;
	bool alone; /* no socket comes with it */
	const char *members[3]; /* beside v, id, cmd */
} commands[LZ_GATE_CMD_N] = {
	[LZ_GATE_SETTINGS] = { "settings", true, { NULL } },
	[LZ_GATE_CASE] = { "case", false, { "token" } },
	[LZ_GATE_RELEASE] = { "release", false, { "token" } },
	[LZ_GATE_SEEN] = { "seen", false, { "helo", "first" } },
	[LZ_GATE_TLS] = { "tls", true, { "state", "errno", "before" } },
};

bool lz_gate_has_host(enum lz_gate_cmd cmd)
{
	return !commands[cmd].alone;
}

static int find_command(const char *name)
{
	for (int i = 0; i < LZ_GATE_CMD_N; i++)
		if (lz_streq(name, commands[i].name))
			return i;
	return -1;
}

/* Exactly the members of the command, no others. */
static int check_members(const cJSON *root, const struct command *command, struct lz_err *err)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, root) {
		const char *name = item->string;
		bool known = lz_streq(name, "v") || lz_streq(name, "id") || lz_streq(name, "cmd");

		for (size_t i = 0; i < LZ_ARRAY_SIZE(command->members); i++)
			known |= command->members[i] && lz_streq(name, command->members[i]);
		if (!known)
			return lz_err_set(err, EINVAL, "%s: '%.40s' is no member of it", command->name,
					  name);
	}
	return 0;
}

static int take_text(const cJSON *root, const char *name, size_t max_bytes, const char **ret,
		     struct lz_err *err)
{
	int r = lz_json_get_str(root, name, ret, err);

	if (r == 0 && strlen(*ret) > max_bytes)
		r = lz_err_set(err, EINVAL, "%s: is too long (at most %zu bytes)", name, max_bytes);
	return r;
}

static int take_token(const cJSON *root, const char **ret, struct lz_err *err)
{
	int r = take_text(root, "token", LZ_GATE_TOKEN_CHARS, ret, err);

	if (r == 0 &&
	    strspn(*ret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") !=
		    LZ_GATE_TOKEN_CHARS)
		r = lz_err_set(err, EINVAL, "token: is none (want %d characters of base64url)",
			       LZ_GATE_TOKEN_CHARS);
	return r;
}

static int take_tls(const cJSON *root, struct lz_gate_question *q, struct lz_err *err)
{
	const char *word;
	__u64 number = 0;
	int state = 0, r = lz_json_get_str(root, "state", &word, err);

	while (r == 0 && state < LZ_GATE_TLS_N && !lz_streq(word, lz_gate_tls_words[state]))
		state++;
	if (state == LZ_GATE_TLS_N)
		r = lz_err_set(err, EINVAL, "state: '%.20s' is none", word);
	if (r == 0)
		r = lz_json_get_u64(root, "errno", 0, LZ_GATE_ERRNO_MAX, &number, err);
	if (r == 0)
		r = lz_json_opt_bool(root, "before", &q->tls_before, err);
	q->tls = (enum lz_gate_tls)state;
	q->tls_errno = (int)number;
	return r;
}

static int take_members(const cJSON *root, struct lz_gate_question *q, struct lz_err *err)
{
	int r = 0;

	if (q->cmd == LZ_GATE_CASE)
		r = lz_json_opt_bool(root, "token", &q->want_token, err);
	if (q->cmd == LZ_GATE_TLS)
		r = take_tls(root, q, err);
	if (q->cmd == LZ_GATE_RELEASE)
		r = take_token(root, &q->token, err);
	if (q->cmd == LZ_GATE_SEEN) {
		r = take_text(root, "helo", LZ_GATE_HELO_BYTES, &q->helo, err);
		if (r == 0)
			r = take_text(root, "first", LZ_GATE_FIRST_BYTES, &q->first, err);
	}
	return r;
}

int lz_gate_parse(const char *text, size_t len, struct lz_gate_question *ret, __u64 *ret_id,
		  cJSON **ret_root, struct lz_err *reterr)
{
	struct lz_gate_question q = { 0 };
	__u64 version, id = 0;
	const char *cmd;
	int r;

	*ret_id = 0;
	*ret_root = NULL;
	r = lz_json_parse(text, len, ret_root, reterr);
	if (r == 0 && !cJSON_IsObject(*ret_root))
		r = lz_err_set(reterr, EINVAL, "question: is no object");
	if (r == 0)
		r = lz_json_get_u64(*ret_root, "id", 1, ~0U, &id, reterr);
	if (r == 0) {
		*ret_id = id;
		r = lz_json_get_u64(*ret_root, "v", 1, 1, &version, reterr);
	}
	if (r == 0)
		r = lz_json_get_str(*ret_root, "cmd", &cmd, reterr);
	if (r < 0)
		return -EINVAL;
	r = find_command(cmd);
	if (r < 0)
		return lz_err_set(reterr, EINVAL, "'%.40s' is no question of the gate", cmd);
	q.cmd = (enum lz_gate_cmd)r;
	if (check_members(*ret_root, &commands[q.cmd], reterr) < 0 ||
	    take_members(*ret_root, &q, reterr) < 0)
		return -EINVAL;
	*ret = q;
	return 0;
}

/* ---------------------------------------------------------------- whose connection */

static int int_option(int fd, int level, int name, int *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, level, name, ret, &len) < 0 ? -errno : 0;
}

/* Open, or closed by one side only: the client may have said all it had to. */
static bool is_connected(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	return info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT ||
	       info.tcpi_state == TCP_FIN_WAIT1 || info.tcpi_state == TCP_FIN_WAIT2 ||
	       info.tcpi_state == TCP_LAST_ACK || info.tcpi_state == TCP_CLOSING;
}

static int addr_of(const struct sockaddr_storage *sa, struct lz_addr *ret)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memset(ret, 0, sizeof(*ret));
	if (sa->ss_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		ret->family = 4;
		memcpy(ret->bytes, &in.sin_addr, 4);
		return 0;
	}
	if (sa->ss_family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(&in6, sa, sizeof(in6));
	ret->family = 6;
	memcpy(ret->bytes, &in6.sin6_addr, 16);
	lz_addr_unmap(ret);
	return 0;
}

int lz_gate_host(int fd, unsigned int mark, struct lz_addr *ret, struct lz_err *reterr)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);
	int type = 0, protocol = 0, listening = 1, has = 0;

	if (int_option(fd, SOL_SOCKET, SO_TYPE, &type) < 0 || type != SOCK_STREAM ||
	    int_option(fd, SOL_SOCKET, SO_PROTOCOL, &protocol) < 0 || protocol != IPPROTO_TCP)
		return lz_err_set(reterr, EACCES, "descriptor: is no TCP socket");
	if (int_option(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening) < 0 || listening || !is_connected(fd))
		return lz_err_set(reterr, EACCES, "descriptor: is not connected");
	if (int_option(fd, SOL_SOCKET, SO_MARK, &has) < 0 || (unsigned int)has != mark)
		return lz_err_set(reterr, EACCES, "descriptor: was not accepted by the portal (mark %x)",
				  (unsigned int)has);
	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0 || addr_of(&sa, ret) < 0)
		return lz_err_set(reterr, EACCES, "descriptor: the client has gone");
	return 0;
}
