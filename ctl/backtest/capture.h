/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture.h - frames of a pcap or pcapng file, whatever the link, as Ethernet frames in a clock that
 * only goes forward.
 */
#ifndef LZ_BACKTEST_CAPTURE_H
#define LZ_BACKTEST_CAPTURE_H

#include <linux/types.h>

#include "base/err.h"

#define LZ_CAPTURE_FRAME_MAX 1500
/* Where the clock starts, so that nothing that looks back a month runs below zero. */
#define LZ_CAPTURE_START_NS (4000000ULL * 1000000000ULL)

struct lz_capture_frame {
	const __u8 *data; /* Ethernet; until the next call */
	__u32 bytes;	  /* cut to LZ_CAPTURE_FRAME_MAX; may be below 14 */
	__u32 wire_bytes; /* as it was sent, by the capture */
	__u64 now_ns;	  /* LZ_CAPTURE_START_NS for the first frame; never less than the one before */
	__u64 wall_ns;	  /* as captured */
};

struct lz_capture;

/**
 * lz_capture_open() - pcap or pcapng
 *
 * Links: Ethernet, raw IP, IPv4, IPv6, Linux cooked 1 and 2, PPP, BSD loopback. Every other is
 * refused by name (-EPROTONOSUPPORT).
 */
int lz_capture_open(const char *path, struct lz_capture **ret, struct lz_err *reterr);

/** lz_capture_next() - 1, 0 at the end, or -EIO where the file breaks off */
int lz_capture_next(struct lz_capture *capture, struct lz_capture_frame *ret, struct lz_err *reterr);

/** lz_capture_backwards() - frames that were older than one before them */
__u64 lz_capture_backwards(const struct lz_capture *capture);

void lz_capture_close(struct lz_capture **capture);

#endif /* LZ_BACKTEST_CAPTURE_H */
