/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * offence.c - figure l: the SYN that is over the limit is the one that is refused, not a later one.
 *
 * Packet by packet through BPF_PROG_TEST_RUN, from sources that have sent nothing before; the answer
 * to each is looked at. The way to a client of the daemon is control.sh's.
 */
#include "bench.h"

#define SOURCES	 100
#define ADMITTED 40 /* "relay-at-once" of policies/small-cable-isp.json: 40 in 5 minutes */
#define BEHIND	 300000 /* sources past those of the scene, which have sent */

void figures_offence(void)
{
	struct scene *s = scene_find("main4");
	struct variant v = { .name = "offence", .scene = s, .program = "bench_ours", .n = 1 };
	double late = 0;
	__u32 answer, sent;
	bool exact = true;
	struct result *r;

	for (__u32 i = 0; i < SOURCES; i++) {
		v.base4 = s->config.base4 + s->config.sources + BEHIND + i;
		variant_prepare(&v);
		for (sent = 0; sent <= 2 * ADMITTED; sent++) {
			variant_time(&v, 1, &answer);
			if (answer == 1 /* XDP_DROP */)
				break;
		}
		if (sent == ADMITTED)
			continue;
		exact = false;
		late = sent > ADMITTED && sent - ADMITTED > late ? sent - ADMITTED : late;
		bench_wrong("l-verdict: SYN %u is the first that is refused, want %u", sent + 1,
			    ADMITTED + 1);
	}
	scene_drain(s);
	r = result_add("l-verdict", "packets late", (struct spread){ late, late, late });
	result_stated(r, "the same packet");
	r->met = exact;
}
