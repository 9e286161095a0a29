/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/failed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* What is not ready yet is a moment later; what is in the way is looked at every two seconds. */
#define LZ_FAILED_FIRST_NS (100 * LZ_NS_PER_MS)
#define LZ_FAILED_LAST_NS  (2 * LZ_NS_PER_S)
/* A reason may have a number in it that is another each time, as that of a program has. */
#define LZ_FAILED_TELL_NS  (60 * LZ_NS_PER_S)

int lz_failed_reserve(struct lz_failed *list, size_t n, struct lz_err *reterr)
{
	return lz_array_grow(&list->v, &list->cap, list->n + n, sizeof(*list->v)) < 0 ?
		       lz_err_set(reterr, ENOMEM, "interfaces: out of memory") : 0;
}

struct lz_failed_port *lz_failed_find(const struct lz_failed *list, __u32 ifindex)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].ifindex == ifindex)
			return &list->v[i];
	return NULL;
}

const char *lz_failed_note(struct lz_failed *list, __u32 ifindex, const char *name, const struct lz_err *why,
			   __u64 now_ns)
{
	struct lz_failed_port *port = lz_failed_find(list, ifindex);
	size_t len = strlen(name);
	struct lz_err text = *why;

	if (strncmp(why->text, name, len) || why->text[len] != ':')
		lz_err_set(&text, EIO, "%s: %s", name, why->text);
	if (!port) {
		port = &list->v[list->n++];
		*port = (struct lz_failed_port){ .ifindex = ifindex };
	}
	port->untold |= !lz_streq(port->why.text, text.text);
	port->why = text;
	port->pause_ns = port->pause_ns ? port->pause_ns * 2 : LZ_FAILED_FIRST_NS;
	if (port->pause_ns > LZ_FAILED_LAST_NS)
		port->pause_ns = LZ_FAILED_LAST_NS;
	port->due_ns = now_ns + port->pause_ns;
	if (!port->untold || (port->told_ns && now_ns - port->told_ns < LZ_FAILED_TELL_NS))
		return NULL;
	port->untold = false;
	port->told_ns = now_ns;
	return port->why.text;
}

const struct lz_failed_port *lz_failed_due(const struct lz_failed *list, __u64 now_ns)
{
	const struct lz_failed_port *first = NULL;

	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].due_ns <= now_ns && (!first || list->v[i].due_ns < first->due_ns))
			first = &list->v[i];
	return first;
}

const char *lz_failed_why(const struct lz_failed *list)
{
	const struct lz_failed_port *first = NULL;

	for (size_t i = 0; i < list->n; i++)
		if (!first || list->v[i].ifindex < first->ifindex)
			first = &list->v[i];
	return first ? first->why.text : "";
}

void lz_failed_forget(struct lz_failed *list, __u32 ifindex)
{
	struct lz_failed_port *port = lz_failed_find(list, ifindex);

	if (port)
		*port = list->v[--list->n];
}

void lz_failed_done(struct lz_failed *list)
{
	free(list->v);
	memset(list, 0, sizeof(*list));
}
