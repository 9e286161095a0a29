/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_serve_peers.c - who may connect, how many, and as what.
 */
#include "unit/serve_fake.h"

static void dial_forty(void)
{
	int fds[40], greeted = 0, refused = 0;
	int most = getuid() ? LZ_PROTO_CONNECTIONS_PER_UID : LZ_PROTO_CONNECTIONS_ROOT;
	char line[256];

	for (int i = 0; i < 40; i++) {
		fds[i] = dial(read_path);
		read_line(fds[i], line, sizeof(line));
		greeted += !!strstr(line, "\"lazaret\"");
		refused += !!strstr(
			line,
			"{\"id\":0,\"code\":2,\"error\":\"connection: too many connections of");
	}
	T_EQ(greeted, most, "as many as one uid may have");
	T_EQ(refused, 40 - most, "the others are told why");
	if (!getuid())
		T_OK(ask_seen("uid") == getuid(), "control.sock is not affected");
	for (int i = 0; i < 40; i++)
		close(fds[i]);
	usleep(100 * 1000);
	close(dial_greeted(read_path));
}

static void is_told_what_to_end(void)
{
	int most = getuid() ? LZ_PROTO_CONNECTIONS_PER_UID : LZ_PROTO_CONNECTIONS_ROOT;
	int fds[LZ_PROTO_CONNECTIONS_ROOT + 1];
	char line[512], want[128];

	for (int i = 0; i < most; i++)
		fds[i] = dial_greeted(read_path);
	fds[most] = dial(read_path);
	read_line(fds[most], line, sizeof(line));
	snprintf(want, sizeof(want), "(at most %d); end one: the oldest is pid %d's, which asks nothing", most, (int)getpid());
	T_HAS(line, want, "the oldest");
	close(fds[most]);
	say(fds[0], "{\"v\":1,\"id\":1,\"cmd\":\"monitor\"}\n");
	expect_part(fds[0], "\"first\"");
	fds[most] = dial(read_path);
	read_line(fds[most], line, sizeof(line));
	T_HAS(line, "'s, monitor\"", "and what it does");
	for (int i = 0; i <= most; i++)
		close(fds[i]);
	usleep(100 * 1000);
}

static pid_t start_as(unsigned int id, gid_t group, void (*body)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		t_case_failures = 0;
		T_EQ(setgroups(1, &group) || setgid(id) || setuid(id), 0, "become another user");
		body();
		fflush(stdout);
		_exit(t_case_failures ? 1 : 0);
	}
	return pid;
}

static bool ended_well(pid_t pid)
{
	int status = 0;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Run @body as another uid; its checks count here. */
static bool as_nobody(void (*body)(void))
{
	return ended_well(start_as(NOBODY, NOBODY, body));
}

static void forty_connections(void)
{
	dial_forty();
	if (!getuid())
		T_OK(as_nobody(dial_forty), "somebody else has fewer");
}

/* As many as one user may have, till it is killed. */
static void hold_eight(void)
{
	char line[256];

	for (int i = 0; i < LZ_PROTO_CONNECTIONS_PER_UID; i++)
		read_line(dial(read_path), line, sizeof(line));
	pause();
}

static void is_greeted(void)
{
	close(dial_greeted(read_path));
}

static void is_refused(void)
{
	int fd = dial(read_path);

	expect_part(fd, "{\"id\":0,\"code\":2,\"error\":\"connection: too many connections of users in no group of ours");
	close(fd);
}

/* Five users with 8 connections each: all that there is, and more. */
static void crowd_of_strangers(void)
{
	pid_t crowd[5];

	if (getuid())
		T_SKIP("needs root to become other users");
	for (unsigned int i = 0; i < LZ_ARRAY_SIZE(crowd); i++)
		crowd[i] = start_as(60000 + i, 60000 + i, hold_eight);
	usleep(300 * 1000); /* in less than IDLE_MS they are closed again */
	T_OK(ended_well(start_as(60050, 60050, is_refused)), "one more stranger is told why not");
	is_greeted();
	T_OK(ended_well(start_as(60050, MEMBERS, is_greeted)), "there is room for who is in a group that may read");
	for (unsigned int i = 0; i < LZ_ARRAY_SIZE(crowd); i++) {
		kill(crowd[i], SIGKILL);
		waitpid(crowd[i], NULL, 0);
	}
	usleep(100 * 1000);
	T_OK(ended_well(start_as(60050, 60050, is_greeted)), "afterwards for strangers, too");
}

static void read_socket_only_reads(void)
{
	int fd = dial_greeted(read_path);

	say(fd,
	    "{\"v\":1,\"id\":1,\"cmd\":\"quarantine.add\",\"args\":{\"address\":\"192.0.2.1\"}}\n");
	expect_part(
		fd,
		"{\"id\":1,\"code\":5,\"error\":\"quarantine.add: not permitted: it needs the role "
		"operate, uid ");
	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		char ask[128];

		if (lz_proto_commands[i].role <= LZ_PEER_READ)
			continue;
		snprintf(ask, sizeof(ask), "{\"v\":1,\"id\":2,\"cmd\":\"%s\"}\n",
			 lz_proto_commands[i].name);
		say(fd, ask);
		expect_part(fd, "{\"id\":2,\"code\":5,");
	}
	say(fd, "{\"v\":1,\"id\":3,\"cmd\":\"status\"}\n");
	expect_part(fd, "{\"id\":3,\"code\":0,");
	close(fd);
}

static void looks_only(void)
{
	int fd = dial_greeted(read_path);

	for (size_t i = 0; i < LZ_PROTO_COMMANDS; i++) {
		char ask[128];

		if (lz_proto_commands[i].role <= LZ_PEER_LOOK)
			continue;
		snprintf(ask, sizeof(ask), "{\"v\":1,\"id\":2,\"cmd\":\"%s\"}\n", lz_proto_commands[i].name);
		say(fd, ask);
		expect_part(fd, "{\"id\":2,\"code\":5,");
	}
	say(fd, "{\"v\":1,\"id\":3,\"cmd\":\"status\"}\n");
	expect_part(fd, "{\"id\":3,\"code\":0,");
	close(fd);
}

static void nobody_at_control(void)
{
	char line[256];
	int fd;

	T_EQ(dial(control_path), -EACCES, "mode 0660 keeps others out");
	fd = dial_greeted(read_path);
	say(fd, "{\"v\":1,\"id\":3,\"cmd\":\"status\"}\n");
	read_line(fd, line, sizeof(line));
	T_HAS(line, "\"uid\":65534", "the kernel says who asks");
	close(fd);
}

/* Even when the mode lets a peer in, his uid decides. */
static void nobody_let_in(void)
{
	char line[256];
	int fd = dial(control_path);

	read_line(fd, line, sizeof(line));
	T_STR(line,
	      "{\"id\":0,\"code\":5,"
	      "\"error\":\"connection: not permitted: uid 65534 has no role\"}\n",
	      "refused");
	expect_closed(fd, "and closed");
	close(fd);
}

static void wrong_role(void)
{
	struct stat st;

	read_socket_only_reads();
	T_OK(!stat(control_path, &st) && (st.st_mode & 0777) == 0660, "control.sock is 0660");
	T_OK(!stat(read_path, &st) && (st.st_mode & 0777) == 0666, "read.sock is 0666");
	if (getuid())
		T_SKIP("needs root to become another user");
	T_OK(as_nobody(looks_only), "nobody by read.sock");
	T_OK(as_nobody(nobody_at_control), "nobody by control.sock");
	chmod(control_path, 0666);
	T_OK(as_nobody(nobody_let_in), "nobody by an open control.sock");
	chmod(control_path, 0660);
}

static void sockets_in_the_way(void)
{
	char path[64], file[64];
	struct lz_err err;
	FILE *f;
	int fd;

	T_EQ(lz_serve_listen(read_path, 0600, (gid_t)-1, &err), -EADDRINUSE, "somebody answers");
	T_HAS(err.text, "another process answers there", "says so");
	snprintf(path, sizeof(path), "%s/stale.sock", dir);
	fd = lz_serve_listen(path, 0600, (gid_t)-1, &err);
	T_OK(fd >= 0, "first");
	close(fd);
	fd = lz_serve_listen(path, 0600, (gid_t)-1, &err);
	T_OK(fd >= 0, "a stale socket is replaced");
	close(fd);
	snprintf(file, sizeof(file), "%s/file", dir);
	f = fopen(file, "w");
	fclose(f);
	T_EQ(lz_serve_listen(file, 0600, (gid_t)-1, &err), -EEXIST, "a file is left alone");
	T_EQ(access(file, F_OK), 0, "it is still there");
	unlink(path);
	unlink(file);
}

static const struct t_case cases[] = {
	{ "serve: 40 connections", forty_connections },
	{ "serve: one too many is told what to end", is_told_what_to_end },
	{ "serve: a crowd of strangers", crowd_of_strangers },
	{ "serve: roles by socket and uid", wrong_role },
	{ "serve: stale sockets and files in the way", sockets_in_the_way },
};

int main(void)
{
	return serve_fake_run(cases, LZ_ARRAY_SIZE(cases));
}
