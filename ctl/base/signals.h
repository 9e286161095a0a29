/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* signals.h - what a daemon does not die by. */
#ifndef LZ_BASE_SIGNALS_H
#define LZ_BASE_SIGNALS_H

/**
 * lz_signals_ignore() - for a program that goes on until it is told to end
 *
 * Signals that mean nothing to it and would end it: a log rotation's USR1 or HUP that was meant for another
 * daemon, a peer that hangs up. Those of a fault, QUIT (its core is wanted) and TERM stay as they are; INT is the
 * caller's. Inherited over fork and exec; libuv gives programs that it runs the defaults back.
 */
void lz_signals_ignore(void);

#endif /* LZ_BASE_SIGNALS_H */
