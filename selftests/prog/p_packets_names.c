/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* p_packets_names.c - what a garden opens by name: addresses that were learnt, for as long as they are good. */
#include <bpf/bpf.h>

#include "prog/limit_rows.h"

#define UP4  "192.0.2.210" /* of a name that the strict garden opens */
#define OPEN LZ_V_PASS, LZ_R_PASS_GARDEN
#define SHUT LZ_V_TCP_RESET, LZ_R_DROP_HELD

static void learn(const struct lz_learnt *learnt)
{
	static const __u8 up4[16] = { [10] = 0xff, [11] = 0xff, [12] = 192, 0, 2, 210 };
	int fd = bpf_map__fd(w->skel->maps.lz_learnt);

	T_EQ(bpf_map_update_elem(fd, up4, learnt, BPF_ANY), 0, "learnt");
}

static void check(const char *name, const char *dest, __u32 verdict, __u32 reason)
{
	struct row row = { name, { .src = DYN4, .dst = dest, .dport = 443 }, verdict, reason };

	rows_check(w, WORLD_XDP, &row);
	rows_check(w, WORLD_TC, &row);
	ROWS_OK(name);
}

static void opens_by_name(void)
{
	struct lz_garden_row *g = &w->control->gen[0].garden[LZ_GARDEN_STRICT];
	struct lz_learnt learnt = { .mask = { ROWS_ALLOWED, 0 }, .until_s = WORLD_START_S + 30 };

	world_reset(w);
	world_hold(w, DYN4, LZ_HOLD_WORD(WORLD_START_S + 60, 60, LZ_GARDEN_STRICT, 0));
	g->names = 1;
	check("nothing is learnt", UP4, SHUT);
	learn(&learnt);
	check("of a name of this garden", UP4, OPEN);
	check("another address", WORLD4, SHUT);
	world_clock(w, (WORLD_START_S + 30) * S);
	check("no longer than it is good", UP4, SHUT);
	learnt.until_s = WORLD_START_S + 60;
	learnt.mask[0] = ROWS_SMARTHOSTS;
	learnt.mask[1] = ROWS_ALLOWED;
	learn(&learnt);
	check("of a name of another garden, or policy", UP4, SHUT);
	g->names = 0;
}

static const struct t_case cases[] = {
	{ "a garden opens by name", opens_by_name },
};

ROWS_MAIN(w, cases)
