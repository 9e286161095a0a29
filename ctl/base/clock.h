/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * clock.h - the two clocks. Only programs and drivers read them; pure code takes the time as an
 * argument, so that tests and backtest can run in their own time.
 */
#ifndef LZ_BASE_CLOCK_H
#define LZ_BASE_CLOCK_H

#include <linux/types.h>

#define LZ_NS_PER_MS 1000000ULL
#define LZ_NS_PER_S  1000000000ULL

/**
 * lz_clock_mono_ns() - CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns and bpf_ktime_get_coarse_ns
 */
__u64 lz_clock_mono_ns(void);

/**
 * lz_clock_boot_ns() - CLOCK_BOOTTIME: like the above, but goes on while the machine is suspended
 */
__u64 lz_clock_boot_ns(void);

/**
 * lz_clock_wall_ns() - nanoseconds since 1970-01-01T00:00:00Z; may jump, never use it for
 * intervals
 */
__u64 lz_clock_wall_ns(void);

#endif
