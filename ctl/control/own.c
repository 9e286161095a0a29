/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* own.c - this gateway's own addresses. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/own.h"

static bool addr_of(const struct sockaddr *sa, struct lz_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (sa && sa->sa_family == AF_INET) {
		ret->family = 4;
		memcpy(ret->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa && sa->sa_family == AF_INET6) {
		ret->family = 6;
		memcpy(ret->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	}
	return ret->family != 0;
}

static int compare(const void *a, const void *b)
{
	const struct lz_addr *x = a, *y = b;

	return x->family != y->family ? (x->family < y->family ? -1 : 1) : lz_addr_cmp(x, y);
}

/* Thousands of sessions mostly have one address of ours. */
static void sort(struct lz_own *own)
{
	size_t n = 0;

	lz_array_sort(own->v, own->n, sizeof(*own->v), compare);
	for (size_t i = 0; i < own->n; i++)
		if (!n || compare(&own->v[n - 1], &own->v[i]))
			own->v[n++] = own->v[i];
	own->n = n;
}

int lz_own_read(struct lz_own *ret)
{
	struct ifaddrs *all = NULL;
	struct lz_own own = { 0 };
	int r = 0;

	*ret = own;
	if (getifaddrs(&all) < 0)
		return -errno;
	for (struct ifaddrs *i = all; i && r == 0; i = i->ifa_next) {
		struct lz_addr addr;

		if (!addr_of(i->ifa_addr, &addr))
			continue;
		r = lz_array_grow(&own.v, &own.cap, own.n + 1, sizeof(*own.v));
		if (r == 0)
			own.v[own.n++] = addr;
	}
	freeifaddrs(all);
	if (r < 0) {
		lz_own_done(&own);
		return r;
	}
	sort(&own);
	*ret = own;
	return 0;
}

bool lz_own_has(const struct lz_own *own, const struct lz_addr *addr)
{
	return own->n && bsearch(addr, own->v, own->n, sizeof(*own->v), compare);
}

void lz_own_done(struct lz_own *own)
{
	free(own->v);
	*own = (struct lz_own){ 0 };
}
