/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frame.h - bytes from a peer become messages: a line of at most LZ_PROTO_LINE_BYTES and, if the
 * line announced one, a payload. Pure memory, so that it can be fuzzed without a socket.
 *
 *        feed                 lz_frame_line() = 1         expect(n)        lz_frame_whole() = true
 *   LINE ----> LINE, '\n' seen ----------------> WANTED  ---------> PAYLOAD -----> n bytes are here
 *     ^                                                                               |
 *     +------------------------------- lz_frame_next() <-----------------------------+
 *
 * Memory grows with what has arrived, never with what was announced.
 */
#ifndef LZ_SERVE_FRAME_H
#define LZ_SERVE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct lz_frame {
	struct lz_str in;	/* bytes of the line, then of messages further on */
	size_t searched;	/* no '\n' before this offset of in */
	size_t line_bytes;	/* of the line at hand with its '\n'; 0 = not whole yet */
	struct lz_str payload;
	size_t payload_want;
};

void lz_frame_done(struct lz_frame *frame);

/** lz_frame_feed() - take @len bytes in; 0 or -ENOMEM */
int lz_frame_feed(struct lz_frame *frame, const char *bytes, size_t len);

/**
 * lz_frame_line() - the line at hand
 * @ret: NUL-terminated without its '\n', valid until the next feed; may contain NULs
 *
 * Return: 1 whole; 0 more bytes are needed; -EMSGSIZE longer than LZ_PROTO_LINE_BYTES.
 */
int lz_frame_line(struct lz_frame *frame, char **ret, size_t *ret_len);

/** lz_frame_expect() - the line at hand is followed by @bytes of payload; 0 or -ENOMEM */
int lz_frame_expect(struct lz_frame *frame, size_t bytes);

/** lz_frame_whole() - is the message at hand complete, payload included? */
bool lz_frame_whole(const struct lz_frame *frame);

/** lz_frame_begun() - has a message begun to arrive? */
bool lz_frame_begun(const struct lz_frame *frame);

/** lz_frame_next() - drop the message at hand; @ret_payload takes its payload, NULL frees it */
void lz_frame_next(struct lz_frame *frame, struct lz_str *ret_payload);

#endif /* LZ_SERVE_FRAME_H */
