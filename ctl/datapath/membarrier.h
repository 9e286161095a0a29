/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * membarrier.h - waiting until no program on any CPU can still see what was true before.
 */
#ifndef LZ_DATAPATH_MEMBARRIER_H
#define LZ_DATAPATH_MEMBARRIER_H

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

/**
 * lz_membarrier() - every program that is running now has ended when this returns
 *
 * MEMBARRIER_CMD_GLOBAL is a grace period of the kernel (membarrier(2)), 10 to 30 ms and more; XDP and tc
 * programs are RCU readers. Return: 0 or -errno.
 */
static inline int lz_membarrier(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;
}

#endif /* LZ_DATAPATH_MEMBARRIER_H */
