// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rangechange.c - a range change in the policy that judges, and how it is written down and read back.
 *
 *   generation 41  the text of a policy                          ledger
 *   generation 42  {"change-of": 41, "add": .., "prefix": ..}    a row of some bytes
 *   generation 43  {"change-of": 42, ..}
 *
 * The ledger comes first. A daemon that is killed before the tables are changed leaves generation 41 in
 * the kernel and 42 as confirmed in the ledger: the next start applies 42 as a whole. Half-made stores
 * are harmless till then: each source is judged by 41 or by 42.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "control/ctl.h"
#include "control/running.h"
#include "control/target.h"
#include "control/tell.h"
#include "policy/edit.h"

#define LZ_CHANGES_MAX 200 /* read back one after the other at a start: 5 ms each at 500,000 ranges */

static void take_back(struct lz_ctl *ctl, struct lz_edit edit)
{
	edit.add = !edit.add;
	lz_edit_make(ctl->now.policy, &edit, NULL);
}

/* The row and the line of the timeline: one transaction, one sync. */
static int write_down(struct lz_ctl *ctl, const struct lz_edit *edit, const struct lz_applied *row,
		      struct lz_note *note, __u64 *ret_text_hash, struct lz_err *reterr)
{
	lz_autofree char *text = lz_edit_print(edit, ctl->now.row.generation), *ids = NULL;
	int r;

	if (!text || lz_image_ids_print(ctl->now.image, &ids) < 0)
		return lz_err_set(reterr, ENOMEM, "range: out of memory");
	r = lz_ledger_begin(ctl->ledger, reterr);
	if (r < 0)
		return r;
	r = lz_applied_add(ctl->ledger, row, text, ids, reterr);
	if (r == 0)
		lz_tell_write(ctl, note);
	r = lz_ledger_end(ctl->ledger, r, reterr);
	if (r == 0)
		*ret_text_hash = lz_text_hash_then(ctl->now.text_hash, lz_text_hash(text));
	return r;
}

static void describe(const struct lz_applied *row, struct lz_note *note)
{
	note->generation = row->generation;
	lz_text_set(note->event, sizeof(note->event), "policy-applied");
	lz_text_set(note->object, sizeof(note->object), row->file);
	lz_text_set(note->actor, sizeof(note->actor), row->actor);
	lz_text_set(note->reason, sizeof(note->reason), row->name);
}

int lz_running_change(struct lz_ctl *ctl, const struct lz_edit *edit, const char *actor,
		      const char *what, struct lz_err *reterr)
{
	struct lz_applied row = ctl->now.row;
	struct lz_stores stores = { 0 };
	struct lz_note note = { 0 };
	struct lz_swap_state state;
	__u64 text_hash = 0;
	int r;

	lz_swap_state_get(&ctl->view, &state);
	if (state.pending || state.expired)
		return lz_err_set(reterr, EBUSY,
				  "policy: generation %llu waits for a confirm; say confirm or undo",
				  (unsigned long long)lz_ctl_generation(ctl));
	if (!ctl->now.live.ranges || ctl->now.changes >= LZ_CHANGES_MAX)
		return lz_err_set(reterr, EOPNOTSUPP, "range: takes a whole apply");
	r = lz_edit_make(ctl->now.policy, edit, reterr);
	if (r < 0)
		return r;
	r = lz_stores_prepare(ctl->now.image, ctl->now.policy, &edit->prefix, &stores);
	if (r < 0) {
		take_back(ctl, *edit);
		return lz_err_set(reterr, r == -ENOSPC ? EOPNOTSUPP : -r, "range: takes a whole apply");
	}
	row.base = row.generation;
	row.generation = row.origin = lz_applied_highest(ctl->ledger) + 1;
	row.applied_s = lz_ctl_now().wall_s;
	row.deadline_s = 0;
	lz_text_set(row.actor, sizeof(row.actor), actor);
	lz_text_set(row.file, sizeof(row.file), what);
	lz_text_set(row.state, sizeof(row.state), LZ_STATE_CONFIRMED);
	describe(&row, &note);
	r = write_down(ctl, edit, &row, &note, &text_hash, reterr);
	if (r < 0) {
		lz_stores_drop(ctl->now.image, &stores);
		take_back(ctl, *edit);
		return r;
	}
	lz_stores_publish(ctl->now.image, &stores, &ctl->now.live);
	lz_running_sign(&ctl->now, text_hash);
	r = lz_swap_renumber(&ctl->view, row.generation, ctl->now.image->gen.policy);
	if (r < 0) /* sources seen before keep their class till the next apply, or the next start */
		lz_log(LZ_LOG_ERROR, "range-renumber-failed", "why=%s", strerror(-r));
	ctl->now.row = row;
	ctl->now.changes++;
	if (lz_target_any_shared(ctl)) /* it may have become that of one who is held */
		ctl->owners = (struct lz_owners_look){ 0 };
	lz_tell_say(ctl, LZ_LOG_NOTICE, &note);
	return 0;
}

/* ---------------------------------------------------------------- read back */

struct chain {
	struct lz_edit edit[LZ_CHANGES_MAX + 1];
	__u64 hash[LZ_CHANGES_MAX + 1]; /* of their texts */
	unsigned int n;
};

/* The text of the policy that all was a change of; the changes, newest first. */
static int read_chain(struct lz_ctl *ctl, __u64 generation, struct chain *chain, char **ret_text,
		      struct lz_err *reterr)
{
	for (;;) {
		lz_autofree char *text = NULL;
		struct lz_applied row;
		__u64 base = 0;
		int r = lz_applied_get(ctl->ledger, generation, &row, &text, NULL);

		if (r < 0)
			return lz_err_set(reterr, -r, "policy: generation %llu: not in the ledger",
					  (unsigned long long)generation);
		if (!row.has_text)
			return lz_texts_gone(generation, reterr);
		r = lz_edit_parse(text, &chain->edit[chain->n], &base, reterr);
		if (r == -ENOENT) {
			*ret_text = TAKE_PTR(text);
			return 0;
		}
		if (r < 0)
			return r;
		chain->hash[chain->n] = lz_text_hash(text);
		if (++chain->n > LZ_CHANGES_MAX || base >= generation)
			return lz_err_set(reterr, EINVAL, "policy: generation %llu: too many changes",
					  (unsigned long long)generation);
		generation = base;
	}
}

static int parse(__u64 generation, const char *text, struct lz_policy **ret, struct lz_err *reterr)
{
	struct lz_report report = { .in_force = true };
	int r = lz_policy_parse_text(text, strlen(text), NULL, ret, &report);

	if (r < 0)
		r = lz_err_set(reterr, -r, "policy: generation %llu: %s",
			       (unsigned long long)generation,
			       report.n ? report.items[0].text : "cannot be read");
	lz_report_done(&report);
	return r;
}

int lz_running_read(struct lz_ctl *ctl, __u64 generation, struct lz_applied *ret_row,
		    struct lz_policy **ret, struct lz_written *ret_written, struct lz_err *reterr)
{
	lz_autofree struct chain *chain = calloc(1, sizeof(*chain));
	lz_autofree char *text = NULL, *ids = NULL;
	struct lz_policy *policy = NULL;
	__u64 hash;
	int r;

	if (!chain)
		return lz_err_set(reterr, ENOMEM, "policy: out of memory");
	r = lz_applied_get(ctl->ledger, generation, ret_row, NULL, ret_written ? &ids : NULL);
	if (r < 0)
		return lz_err_set(reterr, -r, "policy: generation %llu: not in the ledger",
				  (unsigned long long)generation);
	r = read_chain(ctl, generation, chain, &text, reterr);
	if (r == 0)
		r = parse(generation, text, &policy, reterr);
	hash = r == 0 ? lz_text_hash(text) : 0;
	for (unsigned int i = chain->n; r == 0 && i-- > 0;) {
		r = lz_edit_make(policy, &chain->edit[i], reterr);
		hash = lz_text_hash_then(hash, chain->hash[i]);
	}
	if (r < 0) {
		lz_policy_free(&policy);
		return r;
	}
	*ret = policy;
	if (ret_written)
		*ret_written = (struct lz_written){ .ids = TAKE_PTR(ids), .changes = chain->n, .text_hash = hash };
	return 0;
}
