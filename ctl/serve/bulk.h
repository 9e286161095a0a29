/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bulk.h - the plain text of quarantine.import, quarantine.export and exception.import, see
 * proto.h. Pure memory; about 1 us an entry (measured in unit/t_proto.c).
 */
#ifndef LZ_SERVE_BULK_H
#define LZ_SERVE_BULK_H

#include <lazaret/abi.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/mem.h"
#include "lazaret/proto.h"

/* Where the reader is. Start with { .text = payload, .len = bytes }. */
struct lz_bulk {
	const char *text;
	size_t len;
	size_t at;
	__u32 line; /* of the entry or error last returned, from 1 */
};

struct lz_bulk_hold {
	struct lz_addr addr;
	bool has_garden;
	enum lz_garden garden;
	__u64 until_wall_ns; /* 0 = not given */
	__u64 for_ns;	     /* 0 = not given; never both */
	char ticket[LZ_PROTO_TICKET_BYTES + 1]; /* "" = not given */
	char reason[LZ_PROTO_REASON_BYTES + 1];
};

struct lz_bulk_exception {
	struct lz_prefix prefix;
	__u32 flags; /* LZ_EXCEPTION_PORT25 or LZ_EXCEPTION_ALL */
	__u64 until_wall_ns;
	char ticket[LZ_PROTO_TICKET_BYTES + 1];
};

/**
 * lz_bulk_next_hold() - the next entry of a quarantine list
 *
 * Return: 1 with @ret filled; 0 at the end; -EINVAL with @reterr naming line, field and what is
 *         accepted: the next call goes on behind the bad line.
 */
int lz_bulk_next_hold(struct lz_bulk *bulk, struct lz_bulk_hold *ret, struct lz_err *reterr);

/** lz_bulk_next_exception() - the same for a list of exceptions */
int lz_bulk_next_exception(struct lz_bulk *bulk, struct lz_bulk_exception *ret,
			   struct lz_err *reterr);

/** lz_bulk_format_hold() - append the line that lz_bulk_next_hold() reads back; 0 or -ENOMEM */
int lz_bulk_format_hold(const struct lz_bulk_hold *hold, struct lz_str *out);

#endif /* LZ_SERVE_BULK_H */
