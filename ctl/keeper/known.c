// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * known.c - what was wired, by the name it had then: is one that comes back, and is one that goes missed?
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "keeper/known.h"

static struct lz_known_port *find_known(struct lz_wiring *w, __u32 ifindex)
{
	for (size_t i = 0; i < w->n_known; i++)
		if (w->known[i].ifindex == ifindex)
			return &w->known[i];
	return NULL;
}

bool lz_known_remember(struct lz_wiring *w, const struct lz_port_want *want)
{
	struct lz_known_port *known = find_known(w, want->ifindex);
	bool is_back = false;

	for (size_t i = 0; i < w->n_known && !known; i++)
		if (!w->known[i].ifindex && lz_streq(w->known[i].name, want->name)) {
			known = &w->known[i];
			is_back = true;
		}
	if (!known && lz_array_grow(&w->known, &w->cap_known, w->n_known + 1, sizeof(*known)) == 0)
		known = &w->known[w->n_known++];
	if (known) {
		known->ifindex = want->ifindex;
		memcpy(known->name, want->name, sizeof(known->name));
	}
	return is_back;
}

/* Is it called for by this very name? A glob's interfaces come and go; a named one is missed. */
static bool is_named(const struct lz_wiring *w, const char *name)
{
	for (int slot = 0; slot < LZ_GENERATIONS; slot++)
		for (size_t i = 0; w->planned[slot] && i < w->n_rules[slot]; i++)
			if (lz_streq(w->rules[slot][i].match, name))
				return true;
	return false;
}

/* Did another interface take over its name between two looks? */
static bool is_replaced(const struct lz_wiring *w, const struct lz_known_port *gone)
{
	for (size_t i = 0; i < w->n_known; i++)
		if (&w->known[i] != gone && lz_streq(w->known[i].name, gone->name))
			return true;
	return false;
}

void lz_known_detached(struct lz_wiring *w, const struct lz_attachment *have)
{
	struct lz_known_port *known = find_known(w, have->ifindex);
	const char *name = known ? known->name : have->name;

	if (known && is_replaced(w, known)) {
		*known = w->known[--w->n_known];
		return;
	}
	if (known && is_named(w, name)) {
		known->ifindex = 0;
		lz_wiring_tell(w, LZ_TOLD_LOST, name);
		return;
	}
	lz_wiring_tell(w, LZ_TOLD_DETACHED, name[0] ? name : "an interface that is gone");
	if (known)
		*known = w->known[--w->n_known];
}

void lz_known_forget(struct lz_wiring *w)
{
	for (size_t i = 0; i < w->n_known;) {
		if (w->known[i].ifindex || is_named(w, w->known[i].name)) {
			i++;
			continue;
		}
		lz_wiring_tell(w, LZ_TOLD_DETACHED, w->known[i].name);
		w->known[i] = w->known[--w->n_known];
	}
}

void lz_known_done(struct lz_wiring *w)
{
	free(w->known);
	w->known = NULL;
	w->n_known = w->cap_known = 0;
}
