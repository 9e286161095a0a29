// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * texts.c - which policies' texts are still needed: a whole one may have megabytes, and each apply, each
 * start after a reboot writes one.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "control/ctl.h"
#include "control/running.h"

struct kept {
	__u64 *v;
	size_t n, cap;
	int r; /* 0; or why not all are known, and none may go */
};

static void keep(struct kept *k, __u64 generation)
{
	k->r = lz_array_grow(&k->v, &k->cap, k->n + 1, sizeof(*k->v));
	if (k->r == 0)
		k->v[k->n++] = generation;
}

/* A generation, and down to the whole text what it is a change of. */
static void keep_chain(struct lz_ctl *ctl, struct kept *k, __u64 generation)
{
	struct lz_applied row = { 0 };
	int r = 0;

	for (; generation && r == 0 && k->r == 0; generation = row.base) {
		keep(k, generation);
		r = lz_applied_get(ctl->ledger, generation, &row, NULL, NULL);
		if (r == 0 && row.base >= generation)
			r = -EINVAL;
	}
	if (r < 0 && r != -ENOENT)
		k->r = r;
}

/* The last of this state below @below; false: there is none, or it cannot be read. */
static bool keep_last(struct lz_ctl *ctl, struct kept *k, const char *state, __u64 below, __u64 *ret_origin)
{
	struct lz_applied row;
	int r = lz_applied_last(ctl->ledger, state, below, &row);

	if (r < 0 && r != -ENOENT)
		k->r = r;
	if (r < 0)
		return false;
	keep_chain(ctl, k, row.generation);
	*ret_origin = row.origin;
	return true;
}

/* What has no end yet: a start asks the kernel what became of it. */
static void keep_open(struct lz_ctl *ctl, struct kept *k)
{
	static const char *const states[] = { LZ_STATE_APPLYING, LZ_STATE_PENDING };
	__u64 ignored;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(states); i++)
		keep_last(ctl, k, states[i], UINT64_MAX, &ignored);
	keep_chain(ctl, k, ctl->now.row.generation);
	if (ctl->before.policy)
		keep_chain(ctl, k, ctl->before.row.generation);
}

void lz_texts_forget(struct lz_ctl *ctl)
{
	struct kept k = { 0 };
	struct lz_err err = { "" };
	__u64 below = UINT64_MAX;

	keep_open(ctl, &k);
	/* As undo goes: from each confirmed one to the last that was confirmed before its text was. */
	for (int i = 0; i <= LZ_TEXTS_KEPT && k.r == 0; i++)
		if (!keep_last(ctl, &k, LZ_STATE_CONFIRMED, below, &below))
			break;
	if (k.r < 0)
		lz_err_set(&err, -k.r, "cannot tell which are needed: %s", strerror(-k.r));
	if (k.r < 0 || lz_applied_forget(ctl->ledger, k.v, k.n, &err) < 0)
		lz_log(LZ_LOG_WARNING, "texts-kept", "why=%s", err.text);
	free(k.v);
}

int lz_texts_gone(__u64 generation, struct lz_err *reterr)
{
	return lz_err_set(reterr, ENOENT,
			  "policy: generation %llu: its text is not kept any more; kept are what is in force and "
			  "the %d that undo leads back to, see `policy history`",
			  (unsigned long long)generation, LZ_TEXTS_KEPT);
}
