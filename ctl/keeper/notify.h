/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * notify.h - tell the service manager how it goes: the sd_notify(3) protocol, which is one datagram.
 * Source: sd_notify(3), "Notes": reimplementing it is meant to be easy.
 */
#ifndef LZ_KEEPER_NOTIFY_H
#define LZ_KEEPER_NOTIFY_H

#include <linux/types.h>
#include <stdbool.h>

/** lz_notify() - "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=.."; nothing without NOTIFY_SOCKET */
void lz_notify(const char *state);

/** lz_notify_is_supervised() - a service manager waits for what is said here, and starts us again */
bool lz_notify_is_supervised(void);

/** lz_notify_watchdog_ns() - how often WATCHDOG=1 is wanted at the least; 0 = not at all */
__u64 lz_notify_watchdog_ns(void);

#endif /* LZ_KEEPER_NOTIFY_H */
