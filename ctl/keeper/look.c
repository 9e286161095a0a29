// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "keeper/look.h"

#include <string.h>

void lz_look_done(struct lz_wiring *w, struct lz_look *look)
{
	if (look->devs.n) {
		lz_netdevs_done(&w->seen);
		w->seen = look->devs;
		memset(&look->devs, 0, sizeof(look->devs));
	}
	lz_netdevs_done(&look->devs);
	lz_attachments_done(&look->have);
	for (int slot = 0; slot < LZ_GENERATIONS; slot++)
		lz_port_wants_done(&look->want[slot]);
}

int lz_look_around(struct lz_wiring *w, int strict_slot, struct lz_look *ret, struct lz_err *reterr)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = lz_netdevs_read(&w->seen, &ret->devs, reterr);
	if (r == 0)
		r = lz_attachments_read(w->kernel, &ret->have, reterr);
	for (int slot = 0; r == 0 && slot < LZ_GENERATIONS; slot++)
		if (w->planned[slot])
			r = lz_port_wants_resolve(&ret->devs, w->rules[slot], w->n_rules[slot],
						  &ret->have, slot == strict_slot, &ret->want[slot], reterr);
	if (r == 0)
		r = lz_failed_reserve(&w->failed, ret->want[0].n + ret->want[1].n, reterr);
	if (r < 0)
		lz_look_done(w, ret);
	return r;
}

const struct lz_attachment *lz_look_have(const struct lz_look *look, __u32 ifindex)
{
	return lz_attachments_find(&look->have, ifindex);
}

bool lz_look_hooked(const struct lz_look *look, __u32 ifindex)
{
	const struct lz_attachment *have = lz_look_have(look, ifindex);

	return have && have->mode != LZ_ATTACH_NONE;
}

struct lz_port_want *lz_look_want(struct lz_look *look, int slot, __u32 ifindex)
{
	for (size_t i = 0; i < look->want[slot].n; i++)
		if (look->want[slot].v[i].ifindex == ifindex)
			return &look->want[slot].v[i];
	return NULL;
}

struct lz_port_want *lz_look_fit(struct lz_look *look, int slot, __u32 ifindex)
{
	struct lz_port_want *want = lz_look_want(look, slot, ifindex);

	return want && !want->unfit ? want : NULL;
}
