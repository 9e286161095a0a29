/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * events.h - what happened, from the ring buffer. Controller; needs the map descriptor only.
 */
#ifndef LZ_DATAPATH_EVENTS_H
#define LZ_DATAPATH_EVENTS_H

#include "base/err.h"
#include "datapath/maps.h"

struct lz_events;

/** lz_events_open() - @on_event gets each event where it lies; the pointer is dead when it returns */
int lz_events_open(int ring_fd, void (*on_event)(void *arg, const struct lz_event *event),
		   void *arg, struct lz_events **ret, struct lz_err *reterr);

/** lz_events_fd() - readable when there are events (epoll descriptor, for uv_poll) */
int lz_events_fd(const struct lz_events *events);

/**
 * lz_events_read() - at most @max events, without waiting
 *
 * Edge triggered below: read until fewer than @max come back, or read again soon.
 * Return: how many, or -errno.
 */
int lz_events_read(struct lz_events *events, unsigned int max);

void lz_events_close(struct lz_events **events);

#endif
