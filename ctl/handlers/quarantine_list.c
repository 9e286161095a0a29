// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * quarantine_list.c - the whole colony, as rows or as the text that import reads; in slices, so that a million
 * entries cost no more memory than the high water mark.
 */

#include "base/json.h"
#include "control/ctl.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/heldrow.h"

#define LZ_LIST_SLICE 256 /* the longest rows of so many fit into LZ_PROTO_OUT_SLICE_BYTES */

struct list {
	struct lz_ctl *ctl;
	struct lz_held_walk walk;
	struct lz_held_rows rows;
	__u64 total;
	__u64 off[LZ_HOLD_OFF_N]; /* of them not enforced, by why */
	bool text;
};

static void add_row(struct lz_request *req, struct list *l, const struct lz_held *held, struct lz_str *text)
{
	text->len = 0;
	text->error = 0;
	if (lz_held_row_json(&l->rows, l->ctl, held, text) == 0)
		lz_reply_row_text(req, text->data, text->len);
	l->off[l->rows.off]++;
}

/* Where all have the same reason it is said once, for who reads a table of them. */
static void say_off(const struct list *l, cJSON *end)
{
	__u64 enforced = l->off[LZ_HOLD_IS_ENFORCED];

	if (enforced == l->total)
		return;
	lz_json_add_u64(end, "unenforced", l->total - enforced);
	for (size_t i = LZ_HOLD_IS_ENFORCED + 1; i < LZ_HOLD_OFF_N; i++)
		if (l->off[i] == l->total - enforced)
			lz_json_add_str(end, "not_enforced", lz_hold_off_texts[i]);
}

static void list_fill(struct lz_request *req, void *arg)
{
	static struct lz_held rows[LZ_LIST_SLICE];
	lz_autostr struct lz_str text = { 0 };
	struct list *l = arg;
	__u32 now_s = lz_tables_now_s(&l->ctl->view);
	cJSON *end;
	int n;

	n = lz_held_next(l->ctl->ledger, &l->walk, rows, LZ_LIST_SLICE);
	for (int i = 0; i < n; i++) {
		if (rows[i].expiry_s <= now_s)
			continue;
		if (l->text)
			lz_held_row_line(&l->rows, l->ctl, &rows[i], &text);
		else
			add_row(req, l, &rows[i], &text);
		l->total++;
	}
	lz_held_rows_forget(&l->rows);
	if (l->text && text.len)
		lz_reply_payload(req, text.data, text.len);
	if (n > 0)
		return;
	end = cJSON_CreateObject();
	lz_json_add_u64(end, l->text ? "entries" : "total", l->total);
	if (!l->text)
		say_off(l, end);
	lz_reply_end(req, n < 0 ? LZ_CODE_REFUSED : LZ_CODE_OK,
		     n < 0 ? "ledger: cannot be read" : NULL, end);
}

static void list_done(void *arg)
{
	struct list *l = arg;

	lz_held_rows_done(&l->rows);
	free(l);
}

static void start(struct lz_request *req, struct lz_ctl *ctl, bool text)
{
	struct list *l;

	if (!lz_ctl_need(ctl, req))
		return;
	l = calloc(1, sizeof(*l));
	if (!l) {
		lz_reply_end(req, LZ_CODE_REFUSED, "quarantine: out of memory", NULL);
		return;
	}
	l->ctl = ctl;
	l->text = text;
	lz_reply_stream(req, list_fill, list_done, l);
}

void lz_h_quarantine_list(struct lz_request *req, void *arg)
{
	start(req, arg, false);
}

void lz_h_quarantine_export(struct lz_request *req, void *arg)
{
	start(req, arg, true);
}
