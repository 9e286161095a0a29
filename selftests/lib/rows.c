/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rows.c - run tables of packets; see rows.h. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/reply.h"
#include "lib/rows.h"


unsigned rows_failures;

void rows_policy(struct world *w, int slot)
{
	const struct lz_class dynamic = { .except_mask = ROWS_SMARTHOSTS,
					  .flags = LZ_CLASS_F_PORT25_RULE,
					  .to_world = LZ_V_ICMP_ADMIN, .from_port25 = LZ_V_DROP,
					  .to_customers = LZ_V_DROP };
	const struct lz_class reset = { .flags = LZ_CLASS_F_PORT25_RULE, .to_world = LZ_V_TCP_RESET };
	const struct lz_class drop = { .flags = LZ_CLASS_F_PORT25_RULE, .to_world = LZ_V_DROP };
	const struct lz_class plain = { 0 };

	world_class(w, slot, ROWS_DYNAMIC, &dynamic);
	world_class(w, slot, ROWS_BUSINESS, &plain);
	world_class(w, slot, ROWS_RESET, &reset);
	world_class(w, slot, ROWS_DROP, &drop);
	world_class(w, slot, ROWS_LIMITED, &plain);
	world_range(w, slot, "100.64.0.0/12", ROWS_DYNAMIC);
	world_range(w, slot, "2001:db8:1000::/36", ROWS_DYNAMIC);
	world_range(w, slot, "198.51.100.0/24", ROWS_BUSINESS);
	world_range(w, slot, "203.0.113.0/25", ROWS_LIMITED);
	world_range(w, slot, "2001:db8:2000::/36", ROWS_LIMITED);
	world_range(w, slot, "203.0.113.128/26", ROWS_RESET);
	world_range(w, slot, "203.0.113.192/26", ROWS_DROP);
	world_range(w, slot, "100.64.0.1/32", LZ_CLASS_NEVER); /* cut out by compile */
	world_dest(w, slot, NEVER4 "/32", LZ_SET_NEVER);
	world_dest(w, slot, "100.64.0.1/32", LZ_SET_NEVER);
	world_dest(w, slot, SMART4 "/32", ROWS_SMARTHOSTS);
	world_dest(w, slot, SMART6 "/128", ROWS_SMARTHOSTS);
	world_dest(w, slot, REACH4 "/32", LZ_SET_REACH);
	world_dest(w, slot, REACH6 "/128", LZ_SET_REACH);
	world_dest(w, slot, GARDEN4 "/28", ROWS_ALLOWED);
	for (int row = 0; row < LZ_GARDENS_MAX; row++)
		w->control->gen[slot].garden[row] = (struct lz_garden_row){
			.allow_mask = row == LZ_GARDEN_STRICT ? ROWS_ALLOWED : 0,
			.kind = row == LZ_GARDEN_LEAKY ? LZ_GARDEN_LEAKY : LZ_GARDEN_STRICT,
			.mail = LZ_V_SMTP_554, .web = LZ_V_PAGE, .tls = LZ_V_TCP_RESET };
}

struct world *rows_world(void)
{
	struct world *w = world_open(64, 64);

	if (!w)
		return NULL;
	rows_policy(w, 0);
	world_own_addr(w, OWN4, OWN6);
	return w;
}

static const char *const hook_names[] = { "xdp", "tc", "tc out" };

static bool same(__u64 actual, __u64 expected, const char *what)
{
	if (actual == expected)
		return true;
	printf("#   %s: actual %llu, expected %llu\n", what, (unsigned long long)actual,
	       (unsigned long long)expected);
	return false;
}

struct world_run rows_check(struct world *w, enum world_hook hook, const struct row *row)
{
	struct world_run r;
	struct pkt in;
	int err = world_frame(w, hook, &row->p, &r);
	__u32 first = row->verdict & 0xff, other = row->verdict >> 8;
	bool portal = first == LZ_V_SMTP_554 || first == LZ_V_PAGE;
	__u32 verdict = portal && hook == WORLD_TC ? other : first;
	const char *fault = NULL;
	bool ok;

	pkt_build(&in, &row->p);
	ok = same((__u64)-err, 0, "errno of the test run");
	ok &= same(r.verdict, verdict, "verdict");
	if (portal && hook == WORLD_XDP)
		ok &= same(r.other, other, "the other verdict");
	ok &= same(r.reason, row->reason, "reason");
	ok &= same(r.delta[LZ_C_RECEIVED], 1, "received");
	if (hook == WORLD_TC && r.verdict > LZ_V_DROP) {
		ok &= same(r.delta[LZ_C_REPLY_SENT], 1, "replies sent");
		fault = reply_fault(&in, r.out, r.out_bytes, OWN4, OWN6);
	} else if (r.verdict != LZ_V_DROP) {
		ok &= same(r.out_bytes, in.bytes, "bytes of the frame afterwards");
		ok &= same(!memcmp(r.out, in.data, in.bytes), 1, "the frame is unchanged");
	}
	if (fault)
		printf("#   the reply: %s\n", fault);
	if (!ok || fault) {
		printf("# %s: %s\n", hook_names[hook], row->name);
		pkt_dump("frame", in.data, in.bytes);
		if (fault)
			pkt_dump("reply", r.out, r.out_bytes);
		rows_failures++;
	}
	return r;
}

void rows_run(struct world *w, const struct row *rows, unsigned n, unsigned hooks,
	      void (*prepare)(struct world *w))
{
	for (unsigned i = 0; i < n; i++) {
		for (int hook = WORLD_XDP; hook <= WORLD_TC_OUT; hook++) {
			if (!(hooks & 1u << hook))
				continue;
			world_reset(w);
			if (prepare)
				prepare(w);
			rows_check(w, (enum world_hook)hook, &rows[i]);
		}
	}
}
