/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/events.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lz_events {
	struct ring_buffer *ring;
	void (*on_event)(void *arg, const struct lz_event *event);
	void *arg;
	unsigned int left, seen;
};

/* libbpf has no "at most n", but stops after the record whose callback fails. */
static int take_sample(void *ctx, void *data, size_t size)
{
	struct lz_events *e = ctx;

	if (size >= sizeof(struct lz_event))
		e->on_event(e->arg, data);
	e->seen++;
	return e->seen < e->left ? 0 : -ECANCELED;
}

int lz_events_open(int ring_fd, void (*on_event)(void *arg, const struct lz_event *event),
		   void *arg, struct lz_events **ret, struct lz_err *reterr)
{
	struct lz_events *e = calloc(1, sizeof(*e));

	if (!e)
		return lz_err_set(reterr, ENOMEM, "events: out of memory");
	e->on_event = on_event;
	e->arg = arg;
	e->ring = ring_buffer__new(ring_fd, take_sample, e, NULL);
	if (!e->ring) {
		int r = lz_err_set(reterr, errno, "events: cannot open the ring buffer: %s",
				   strerror(errno));

		free(e);
		return r;
	}
	*ret = e;
	return 0;
}

int lz_events_fd(const struct lz_events *events)
{
	return ring_buffer__epoll_fd(events->ring);
}

int lz_events_read(struct lz_events *events, unsigned int max)
{
	int r;

	events->left = max;
	events->seen = 0;
	if (!max)
		return 0;
	r = ring_buffer__consume(events->ring);
	return r < 0 && r != -ECANCELED ? r : (int)events->seen;
}

void lz_events_close(struct lz_events **events)
{
	if (!*events)
		return;
	ring_buffer__free((*events)->ring);
	free(*events);
	*events = NULL;
}
