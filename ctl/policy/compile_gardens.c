/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compile_gardens.c - gardens as rows of a generation.
 *
 * Hold words carry the row, over reloads and restarts: so a garden keeps its row by its name, and the
 * row of one that has left the policy is not given to another while there are others. Whoever is
 * held in a row without a garden is in a strict one with nothing open.
 */
#include "policy/compile.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

static const struct lz_garden_row closed = {
	.kind = LZ_GARDEN_STRICT,
	.mail = LZ_V_SMTP_554,
	.web = LZ_V_PAGE,
	.tls = LZ_V_TCP_RESET,
};

static const struct lz_policy_garden *garden_named(const struct lz_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_gardens; i++)
		if (lz_streq(policy->gardens[i].name, name))
			return &policy->gardens[i];
	return NULL;
}

/* One that no garden ever had; if there is none, one whose garden has left the policy. */
static int free_row(const struct lz_compile *c)
{
	int left = -ENOENT;

	for (int row = LZ_GARDEN_N; row < LZ_GARDENS_MAX; row++) {
		const char *name = c->image->garden_names[row];

		if (!*name)
			return row;
		if (left < 0 && !garden_named(c->policy, name))
			left = row;
	}
	return left;
}

static int give_rows(struct lz_compile *c)
{
	struct lz_image *image = c->image;

	if (c->previous)
		memcpy(image->garden_names, c->previous->garden_names, sizeof(image->garden_names));
	for (int kind = 0; kind < LZ_GARDEN_N; kind++)
		strcpy(image->garden_names[kind], lz_garden_words[kind]);
	for (size_t i = 0; i < c->policy->n_gardens; i++) {
		const char *name = c->policy->gardens[i].name;
		int row = lz_image_garden_find(image, name);

		if (row < 0)
			row = free_row(c);
		if (row < 0)
			return lz_err_set(c->reterr, E2BIG,
					  "gardens: no row for '%s': want at most %d beside leaky and strict",
					  name, LZ_GARDENS_MAX - LZ_GARDEN_N);
		strcpy(image->garden_names[row], name);
	}
	return 0;
}

/* What a garden opens; check has counted the ports. */
static int fill_allow(struct lz_compile *c, const struct lz_policy_garden *from,
		      struct lz_garden_row *row)
{
	unsigned ports = 0;

	for (size_t i = 0; i < from->allow.n; i++) {
		const struct lz_ref *ref = &from->allow.v[i];

		if (ref->kind == LZ_REF_SET && c->policy->sets[ref->set].n_hosts)
			row->names = 1;
		if (ref->kind == LZ_REF_PORT && ports < LZ_GARDEN_PORTS_MAX)
			row->open[ports++] = (__u32)ref->protocol << 16 | ref->port;
	}
	return lz_compile_dest_list(c, &from->allow, &row->allow_mask);
}

int lz_compile_gardens(struct lz_compile *c)
{
	struct lz_garden_row *rows = c->image->gen.garden;
	int r = give_rows(c);

	for (int i = 0; i < LZ_GARDENS_MAX; i++)
		rows[i] = closed;
	rows[LZ_GARDEN_LEAKY].kind = LZ_GARDEN_LEAKY;
	for (size_t i = 0; i < c->policy->n_gardens && !r; i++) {
		const struct lz_policy_garden *from = &c->policy->gardens[i];
		struct lz_garden_row *row = &rows[lz_image_garden_find(c->image, from->name)];

		row->kind = (__u8)from->kind;
		row->mail = (__u8)from->mail;
		row->web = from->web == LZ_WEB_PAGE ? LZ_V_PAGE : LZ_V_DROP;
		row->tls = (__u8)from->tls;
		r = fill_allow(c, from, row);
	}
	return r;
}
