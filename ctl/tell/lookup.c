/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tell/lookup.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

/* One UDP and one TCP socket for each of four servers; more are not watched and time out. */
#define SOCKETS_MAX 8
#define TICK_MS	    100 /* c-ares looks after its timeouts that often */

struct lookup;

struct watched {
	uv_poll_t poll;
	ares_socket_t fd;
	struct lookup *lookup;
};

/* A channel of its own for each look-up: it reads resolv.conf as it is now, and a port of its own is
 * harder to guess. Freed when libuv has let go of all handles. */
struct lookup {
	uv_loop_t *loop;
	uv_timer_t tick;
	struct watched *watched[SOCKETS_MAX];
	ares_channel channel;
	struct lz_found found;
	char error[128];
	bool over;
	unsigned int open; /* handles not closed yet */
	lz_lookup_done done;
	void *arg;
};

static void on_closed(struct lookup *l)
{
	if (--l->open)
		return;
	free(l);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_closed(handle->data);
}

static void on_watched_closed(uv_handle_t *handle)
{
	struct watched *w = handle->data;
	struct lookup *l = w->lookup;

	free(w);
	on_closed(l);
}

static void unwatch(struct lookup *l, size_t i)
{
	uv_close((uv_handle_t *)&l->watched[i]->poll, on_watched_closed);
	l->watched[i] = NULL;
}

/* c-ares has called back; here nothing of it is on the stack any more. */
static void end_if_over(struct lookup *l)
{
	if (!l->over || uv_is_closing((uv_handle_t *)&l->tick))
		return;
	ares_destroy(l->channel); /* closes its sockets, through on_socket() */
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (l->watched[i])
			unwatch(l, i);
	uv_close((uv_handle_t *)&l->tick, on_timer_closed);
	l->done(l->arg, &l->found, l->error[0] ? l->error : NULL);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watched *w = poll->data;
	struct lookup *l = w->lookup;
	bool read = status < 0 || events & UV_READABLE, write = status < 0 || events & UV_WRITABLE;

	ares_process_fd(l->channel, read ? w->fd : ARES_SOCKET_BAD, write ? w->fd : ARES_SOCKET_BAD);
	end_if_over(l);
}

static void on_tick(uv_timer_t *timer)
{
	struct lookup *l = timer->data;

	ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	end_if_over(l);
}

static void watch(struct lookup *l, size_t i, ares_socket_t fd)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (!w)
		return;
	w->fd = fd;
	w->lookup = l;
	w->poll.data = w;
	if (uv_poll_init_socket(l->loop, &w->poll, fd) < 0) {
		free(w);
		return;
	}
	l->open++;
	l->watched[i] = w;
}

/* c-ares wants a socket watched, or has done with it. */
static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct lookup *l = arg;
	size_t i = 0, room = SOCKETS_MAX;

	while (i < SOCKETS_MAX && !(l->watched[i] && l->watched[i]->fd == fd)) {
		if (!l->watched[i] && room == SOCKETS_MAX)
			room = i;
		i++;
	}
	if (i == SOCKETS_MAX && (readable || writable) && room < SOCKETS_MAX)
		watch(l, i = room, fd);
	if (i == SOCKETS_MAX || !l->watched[i])
		return;
	if (readable || writable)
		uv_poll_start(&l->watched[i]->poll,
			      (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_ready);
	else
		unwatch(l, i);
}

static void add_address(struct lz_found *found, const struct ares_addrinfo_node *node)
{
	struct lz_addr addr = { 0 };

	if (node->ai_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, node->ai_addr, sizeof(in));
		addr.family = 4;
		memcpy(addr.bytes, &in.sin_addr, 4);
	} else if (node->ai_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, node->ai_addr, sizeof(in6));
		addr.family = 6;
		memcpy(addr.bytes, &in6.sin6_addr, 16);
	}
	/* A name server that is lied to must not open loopback, multicast or the link. */
	if (!addr.family || !lz_addr_is_host(&addr) || found->n == LZ_LOOKUP_ADDRESSES_MAX)
		return;
	found->addr[found->n++] = addr;
}

static void on_found(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct lookup *l = arg;
	__s64 ttl_s = 0x7fffffff;

	(void)timeouts;
	l->over = true;
	if (status != ARES_SUCCESS) {
		snprintf(l->error, sizeof(l->error), "%s", ares_strerror(status));
		return;
	}
	for (struct ares_addrinfo_cname *c = result->cnames; c; c = c->next)
		ttl_s = c->ttl < ttl_s ? c->ttl : ttl_s;
	for (struct ares_addrinfo_node *node = result->nodes; node; node = node->ai_next) {
		ttl_s = node->ai_ttl < ttl_s ? node->ai_ttl : ttl_s;
		add_address(&l->found, node);
	}
	l->found.ttl_s = ttl_s < 0 ? 0 : (__u32)ttl_s;
	if (!l->found.n)
		snprintf(l->error, sizeof(l->error), "no address of a host in the answer");
	ares_freeaddrinfo(result);
}

static int open_channel(struct lookup *l, const char *servers)
{
	char dns_only[] = "b";
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = LZ_LOOKUP_TRY_MS,
		.tries = LZ_LOOKUP_TRIES,
		.lookups = dns_only,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = l,
	};
	int r = ares_init_options(&l->channel, &options,
				  ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
					  ARES_OPT_SOCK_STATE_CB);

	if (r == ARES_SUCCESS && servers[0]) {
		r = ares_set_servers_csv(l->channel, servers);
		if (r != ARES_SUCCESS)
			ares_destroy(l->channel);
	}
	return r;
}

int lz_lookup_start(uv_loop_t *loop, const char *name, const char *servers, lz_lookup_done done,
		    void *arg, struct lz_err *reterr)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT,
					     .ai_socktype = SOCK_STREAM };
	struct lookup *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return lz_err_set(reterr, ENOMEM, "look-up: out of memory");
	l->loop = loop;
	l->done = done;
	l->arg = arg;
	r = open_channel(l, servers);
	if (r != ARES_SUCCESS) {
		free(l);
		return lz_err_set(reterr, EINVAL, "look-up: %s: %s", servers[0] ? servers : "resolv.conf",
				  ares_strerror(r));
	}
	l->tick.data = l;
	uv_timer_init(loop, &l->tick);
	l->open = 1;
	uv_timer_start(&l->tick, on_tick, 0, TICK_MS); /* at once: it may be over before it began */
	ares_getaddrinfo(l->channel, name, NULL, &hints, on_found, l);
	return 0;
}
