// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * h_list.c - the whole colony, as rows or as the text that import reads; in slices, so that a million
 * entries cost no more memory than the high water mark.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "daemon/ctl.h"

#define LZ_LIST_SLICE 128

struct list {
	struct lz_ctl *ctl;
	struct lz_held_walk walk;
	__u64 total;
	bool text;
};

static void add_row(struct lz_request *req, struct list *l, const struct lz_held *held)
{
	cJSON *row = cJSON_CreateObject();

	lz_json_held(l->ctl, row, held);
	lz_reply_row(req, row);
}

/* ADDRESS UNTIL GARDEN TICKET REASON; a blank in a ticket cannot be: it is a word. */
static void add_line(struct lz_str *text, const struct lz_held *held, unsigned int key_len)
{
	char until[LZ_TIME_TEXT_MAX], grade[LZ_GRADE_TEXT_MAX], key[LZ_PREFIX_TEXT_MAX];
	const char *address = held->address;

	lz_time_format(lz_ctl_wall_of(held->expiry_s) * LZ_NS_PER_S, until);
	lz_text_set(grade, sizeof(grade), held->grade);
	if (strchr(grade, ' ')) /* a line is words: "throttle 10/min" is throttle:10/min */
		*strchr(grade, ' ') = ':';
	if (!address[0]) {
		struct lz_prefix prefix = lz_key_to_prefix(held->key, key_len);

		address = lz_addr_format(&prefix.addr, key);
	}
	lz_str_appendf(text, "%s %s %s %s %s\n", address, until,
		       !strcmp(grade, "garden:leaky")  ? "leaky" :
		       !strcmp(grade, "garden:strict") ? "strict" : grade, held->ticket[0] ? held->ticket : "-",
		       held->reason[0] ? held->reason : "-");
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
			add_line(&text, &rows[i], l->ctl->view.instance.ipv6_key_len);
		else
			add_row(req, l, &rows[i]);
		l->total++;
	}
	if (text.len)
		lz_reply_payload(req, text.data, text.len);
	if (n > 0)
		return;
	end = cJSON_CreateObject();
	lz_json_add_u64(end, l->text ? "entries" : "total", l->total);
	lz_reply_end(req, n < 0 ? LZ_CODE_REFUSED : LZ_CODE_OK,
		     n < 0 ? "ledger: cannot be read" : NULL, end);
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
	lz_reply_stream(req, list_fill, free, l);
}

void lz_h_quarantine_list(struct lz_request *req, void *arg)
{
	start(req, arg, false);
}

void lz_h_quarantine_export(struct lz_request *req, void *arg)
{
	start(req, arg, true);
}
