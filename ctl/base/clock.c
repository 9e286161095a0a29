/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/clock.h"

#include <time.h>

static __u64 read_clock(clockid_t id)
{
	struct timespec ts = {};

	clock_gettime(id, &ts); /* cannot fail for these three clocks and a valid pointer */
	return (__u64)ts.tv_sec * LZ_NS_PER_S + (__u64)ts.tv_nsec;
}

__u64 lz_clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

__u64 lz_clock_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

__u64 lz_clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}
