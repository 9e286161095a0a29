// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * texts.c - which policies' texts are still needed: a whole one may have megabytes, and each apply, each
 * start after a reboot writes one.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "daemon/ctl.h"

struct kept {
	__u64 *v;
	size_t n, cap;
	bool failed;
};

static void keep(struct kept *k, __u64 generation)
{
	if (lz_array_grow(&k->v, &k->cap, k->n + 1, sizeof(*k->v)) < 0)
		k->failed = true;
	else
		k->v[k->n++] = generation;
}

/* A generation, and down to the whole text what it is a change of. */
static void keep_chain(struct lz_ctl *ctl, struct kept *k, __u64 generation)
{
	for (;;) {
		lz_autofree char *text = NULL;
		struct lz_applied row;
		struct lz_edit edit;
		__u64 base = 0;

		keep(k, generation);
		if (lz_applied_get(ctl->ledger, generation, &row, &text, NULL) < 0 ||
		    lz_edit_parse(text, &edit, &base, NULL) < 0 || base >= generation)
			return;
		generation = base;
	}
}

/* What has no end yet: a start asks the kernel what became of it. */
static void keep_open(struct lz_ctl *ctl, struct kept *k)
{
	static const char *const states[] = { LZ_STATE_APPLYING, LZ_STATE_PENDING };
	struct lz_applied row;

	for (size_t i = 0; i < LZ_ARRAY_SIZE(states); i++)
		if (lz_applied_last(ctl->ledger, states[i], UINT64_MAX, &row) == 0)
			keep_chain(ctl, k, row.generation);
	keep_chain(ctl, k, ctl->now.row.generation);
	if (ctl->before.policy)
		keep_chain(ctl, k, ctl->before.row.generation);
}

void lz_texts_forget(struct lz_ctl *ctl)
{
	struct kept k = { 0 };
	struct lz_err err = { "out of memory" };
	__u64 below = UINT64_MAX;
	struct lz_applied row;

	keep_open(ctl, &k);
	/* As undo goes: from each confirmed one to the last that was confirmed before its text was. */
	for (int i = 0; i <= LZ_TEXTS_KEPT; i++) {
		if (lz_applied_last(ctl->ledger, LZ_STATE_CONFIRMED, below, &row) < 0)
			break;
		keep_chain(ctl, &k, row.generation);
		below = row.origin;
	}
	if (k.failed || lz_applied_forget(ctl->ledger, k.v, k.n, &err) < 0)
		lz_log(LZ_LOG_WARNING, "texts-kept", "why=%s", err.text);
	free(k.v);
}

int lz_texts_gone(__u64 generation, struct lz_err *reterr)
{
	return lz_err_set(reterr, ENOENT,
			  "policy: generation %llu: its text is not kept any more; of confirmed policies the "
			  "last %d and what is in force have theirs", (unsigned long long)generation,
			  LZ_TEXTS_KEPT);
}
