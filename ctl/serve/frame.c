/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "serve/frame.h"

#include <errno.h>

#include "lazaret/proto.h"

void lz_frame_done(struct lz_frame *frame)
{
	lz_str_done(&frame->in);
	lz_str_done(&frame->payload);
	*frame = (struct lz_frame){ 0 };
}

static size_t payload_missing(const struct lz_frame *frame)
{
	return frame->payload_want - frame->payload.len;
}

int lz_frame_feed(struct lz_frame *frame, const char *bytes, size_t len)
{
	size_t n = payload_missing(frame);
	int r;

	if (n > len)
		n = len;
	if (n) {
		r = lz_str_append_n(&frame->payload, bytes, n);
		if (r)
			return r;
	}
	return n < len ? lz_str_append_n(&frame->in, bytes + n, len - n) : 0;
}

int lz_frame_line(struct lz_frame *frame, char **ret, size_t *ret_len)
{
	if (!frame->line_bytes && frame->in.len) {
		char *end = memchr(frame->in.data + frame->searched, '\n',
				   frame->in.len - frame->searched);

		frame->searched = frame->in.len;
		if (end) {
			frame->line_bytes = (size_t)(end - frame->in.data) + 1;
			*end = '\0';
		}
	}
	if (frame->line_bytes > LZ_PROTO_LINE_BYTES ||
	    (!frame->line_bytes && frame->in.len >= LZ_PROTO_LINE_BYTES))
		return -EMSGSIZE;
	if (!frame->line_bytes)
		return 0;
	*ret = frame->in.data;
	*ret_len = frame->line_bytes - 1;
	return 1;
}

/* Remove @len bytes at offset @at of the input: what stands behind moves up. */
static void cut_input(struct lz_frame *frame, size_t at, size_t len)
{
	size_t rest = frame->in.len - at - len;

	memmove(frame->in.data + at, frame->in.data + at + len, rest + 1); /* with the NUL */
	frame->in.len -= len;
}

int lz_frame_expect(struct lz_frame *frame, size_t bytes)
{
	size_t have = frame->in.len - frame->line_bytes;
	int r;

	if (have > bytes)
		have = bytes;
	if (have) {
		r = lz_str_append_n(&frame->payload, frame->in.data + frame->line_bytes, have);
		if (r)
			return r;
		cut_input(frame, frame->line_bytes, have);
	}
	frame->payload_want = bytes;
	return 0;
}

bool lz_frame_whole(const struct lz_frame *frame)
{
	return frame->line_bytes && !payload_missing(frame);
}

bool lz_frame_begun(const struct lz_frame *frame)
{
	return frame->in.len > 0;
}

void lz_frame_next(struct lz_frame *frame, struct lz_str *ret_payload)
{
	cut_input(frame, 0, frame->line_bytes);
	frame->line_bytes = 0;
	frame->searched = 0;
	frame->payload_want = 0;
	if (ret_payload) {
		*ret_payload = frame->payload;
		frame->payload = (struct lz_str){ 0 };
	} else {
		lz_str_done(&frame->payload);
	}
}
