// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * source.c - counters of sources: list, show, top.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/json.h"
#include "cases/case.h"
#include "control/counted.h"
#include "control/ctl.h"
#include "control/hold.h"
#include "control/target.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/health.h"

#define LZ_LIST_DEFAULT 1000
#define LZ_TOP_MS	1000

static const char *const sort_words[LZ_SORT_N] = {
	[LZ_SORT_EXAMINED] = "examined", [LZ_SORT_SYN] = "syn",
	[LZ_SORT_SMTP_CONNECTIONS] = "smtp_connections", [LZ_SORT_DROPPED] = "dropped",
	[LZ_SORT_WOULD_DROP] = "would_drop", [LZ_SORT_SEEN] = "seen",
};

/* Which word; '-' and '_' are one to whoever types. -1: the request is answered. */
static int read_sort(struct lz_request *req, int missing)
{
	const char *given = lz_arg_text(req, "sort");
	char word[32] = "";

	if (!given)
		return missing;
	lz_text_set(word, sizeof(word), given);
	for (char *p = word; *p; p++)
		*p = *p == '-' ? '_' : *p;
	for (int i = 0; i < LZ_SORT_N; i++)
		if (lz_streq(word, sort_words[i]))
			return i;
	lz_end_invalid(req, "sort %s: want examined, syn, smtp_connections, dropped, would_drop or seen",
		       given);
	return -1;
}

static void add_source(struct lz_ctl *ctl, cJSON *obj, __u64 key, const struct lz_cell_copy *cell)
{
	__u32 class_ = ctl->now.image ? lz_image_class_of(ctl->now.image, key, lz_key_family(key)) : 0;
	__u64 slot_ns = ctl->now.image ? ctl->now.image->gen.class_[class_].dests_slot_ns : 0;
	__u32 customer = ctl->now.image ? lz_image_customer_of(ctl->now.image, key) : 0;
	char text[LZ_PREFIX_TEXT_MAX];
	struct lz_grade grade;
	__u64 word;

	lz_json_add_str(obj, "address", lz_key_format(key, ctl->view.instance.ipv6_key_len, text));
	if (lz_class_name(ctl, class_))
		lz_json_add_str(obj, "class", lz_class_name(ctl, class_));
	else
		cJSON_AddNullToObject(obj, "class");
	if (customer)
		lz_json_add_str(obj, "customer", lz_image_customer_name(ctl->now.image, customer));
	lz_json_add_u64(obj, "examined", lz_cell_examined(cell));
	lz_json_add_u64(obj, "syn", cell->syn);
	lz_json_add_u64(obj, "smtp_connections", cell->smtp_connections);
	lz_json_add_u64(obj, "smtp_destinations",
			lz_cell_destinations(cell, slot_ns, lz_tables_now_ns(&ctl->view)));
	lz_json_add_u64(obj, "dropped", cell->dropped);
	lz_json_add_u64(obj, "would_drop", cell->would_drop);
	if (cell->seen_s)
		lz_json_time(obj, "seen", lz_ctl_wall_of(cell->seen_s));
	if (lz_hold_read(&ctl->view, key, &word) == 0) {
		lz_json_time(obj, "held_until", lz_ctl_wall_of(LZ_HOLD_EXPIRY(word)));
		lz_hold_grade(ctl, word, &grade);
		lz_json_grade(obj, lz_grade_format(&grade, text));
	}
}

struct list {
	struct lz_ctl *ctl;
	struct lz_cell_copy *v;
	size_t n, at, total;
};

static void list_fill(struct lz_request *req, void *arg)
{
	struct list *l = arg;
	cJSON *row;

	for (int i = 0; i < 64 && l->at < l->n && lz_request_writable(req); i++) {
		row = cJSON_CreateObject();
		add_source(l->ctl, row, l->v[l->at].key, &l->v[l->at]);
		lz_reply_row(req, row);
		l->at++;
	}
	if (l->at < l->n)
		return;
	row = cJSON_CreateObject();
	lz_json_add_u64(row, "total", l->total);
	lz_reply_end(req, LZ_CODE_OK, NULL, row);
}

static void list_done(void *arg)
{
	struct list *l = arg;

	free(l->v);
	free(l);
}

void lz_h_source_list(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	__u64 limit = lz_arg_int(req, "limit", LZ_LIST_DEFAULT);
	int sort = read_sort(req, LZ_SORT_SMTP_CONNECTIONS);
	struct list *l;

	if (sort < 0 || !lz_ctl_need(ctl, req))
		return;
	if (limit < 1 || limit > LZ_PROTO_LIST_MAX) {
		lz_end_invalid(req, "limit: want 1..%d", LZ_PROTO_LIST_MAX);
		return;
	}
	if (limit > ctl->view.slots)
		limit = ctl->view.slots;
	l = calloc(1, sizeof(*l));
	if (l)
		l->v = calloc(limit, sizeof(*l->v));
	if (!l || !l->v) {
		free(l);
		lz_reply_end(req, LZ_CODE_REFUSED, "source: out of memory; use a smaller --limit", NULL);
		return;
	}
	l->ctl = ctl;
	l->n = lz_cells_top(&ctl->view, (enum lz_cell_sort)sort, limit, l->v, &l->total);
	lz_reply_stream(req, list_fill, list_done, l);
}

/* ---------------------------------------------------------------- show */

static const char *then_word(const struct lz_policy_limit *limit)
{
	static const char *const words[] = { "drop", "refuse", "notify", "hold", "ladder" };

	return words[limit->then];
}

static void send_limits(struct lz_ctl *ctl, struct lz_request *req, __u64 key)
{
	struct lz_counted counted[LZ_LIMITS_PER_CLASS];
	size_t n = lz_counted_read(ctl, key, counted);

	for (size_t i = 0; i < n; i++) {
		const struct lz_policy_class *class_;
		const struct lz_policy_limit *limit = lz_limit_find(ctl, counted[i].limit->id, &class_);
		cJSON *row = cJSON_CreateObject();

		lz_json_add_str(row, "name", counted[i].name->name);
		lz_json_add_u64(row, "counted", counted[i].value);
		lz_json_add_u64(row, "at_most", counted[i].limit->n);
		if (limit && !limit->is_bucket)
			lz_json_add_u64(row, "window_s", limit->at_most.window_ns / LZ_NS_PER_S);
		lz_json_add_str(row, "then", limit ? then_word(limit) : "drop");
		lz_reply_row(req, row);
	}
}

void lz_h_source_show(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct lz_target target;
	struct lz_cell_copy cell;
	struct lz_err err = { "" };
	cJSON *end;
	int r;

	if (!lz_arg_target(ctl, req, &target))
		return;
	r = lz_cell_get(&ctl->view, target.key, &cell);
	if (r < 0) {
		lz_err_set(&err, ENOENT, "%s: was never seen, or not for a long time",
			   lz_arg_text(req, "address"));
		lz_end(req, -ENOENT, &err);
	} else {
		if (ctl->now.image)
			send_limits(ctl, req, target.key);
		end = cJSON_CreateObject();
		add_source(ctl, cJSON_AddObjectToObject(end, "source"), target.key, &cell);
		lz_reply_end(req, LZ_CODE_OK, NULL, end);
	}
	lz_target_done(&target);
}

/* ---------------------------------------------------------------- top: two looks, a second apart */

struct sample {
	__u32 syn, smtp_connections, dropped;
};

struct top {
	struct lz_ctl *ctl;
	struct lz_request *req;
	uv_timer_t timer;
	struct sample *before; /* by slot; a slot that changed its owner shows a wrong line once */
	__u64 began_ns;
	__u64 received, dropped;
	size_t limit;
	int sort;
};

static void count_packets(struct lz_ctl *ctl, __u64 *received, __u64 *dropped)
{
	struct lz_port_stats stats;

	*received = *dropped = 0;
	for (__u32 i = 0; i < LZ_PORTS_SIZE; i++) {
		if (!ctl->view.ports[i] || lz_port_stats_read(&ctl->view,
							      ctl->view.ports[i] >> LZ_PORT_STATS_SHIFT,
							      &stats) < 0)
			continue;
		*received += stats.count[LZ_C_RECEIVED];
		for (int k = LZ_R_PASS_N; k < LZ_R_N; k++)
			*dropped += stats.count[k];
	}
}

static void take_sample(const struct lz_tables_view *view, __u32 slot, struct sample *ret)
{
	ret->syn = view->cells[slot].syn;
	ret->smtp_connections = view->cells[slot].smtp_connections;
	ret->dropped = lz_cell_dropped(view, slot);
}

static __u32 difference(const struct top *t, __u32 slot, struct sample *ret)
{
	take_sample(&t->ctl->view, slot, ret);
	ret->syn -= t->before[slot].syn;
	ret->smtp_connections -= t->before[slot].smtp_connections;
	ret->dropped -= t->before[slot].dropped;
	if ((__s32)ret->dropped < 0) /* its lower bits wrapped this instant: lz_cell_dropped() */
		ret->dropped = 0;
	return t->sort == LZ_SORT_SYN	  ? ret->syn :
	       t->sort == LZ_SORT_DROPPED ? ret->dropped :
					    ret->smtp_connections;
}

static void send_busiest(struct top *t, __u32 slot, const struct sample *diff, __u64 ms)
{
	__u64 key = lz_cell_key(&t->ctl->view.cells[slot]), word;
	__u32 class_ = t->ctl->now.image ?
			       lz_image_class_of(t->ctl->now.image, key, lz_key_family(key)) : 0;
	__u64 slot_ns = t->ctl->now.image ? t->ctl->now.image->gen.class_[class_].dests_slot_ns : 0;
	char text[LZ_PREFIX_TEXT_MAX];
	cJSON *row = cJSON_CreateObject();
	struct lz_cell_copy cell;

	lz_cell_read(&t->ctl->view, slot, lz_tables_now_s(&t->ctl->view), &cell);
	lz_json_add_str(row, "address",
			lz_key_format(key, t->ctl->view.instance.ipv6_key_len, text));
	if (lz_class_name(t->ctl, class_))
		lz_json_add_str(row, "class", lz_class_name(t->ctl, class_));
	else
		cJSON_AddNullToObject(row, "class");
	lz_json_add_u64(row, "syn_per_s", diff->syn * 1000ULL / ms);
	lz_json_add_u64(row, "smtp_connections_per_s", diff->smtp_connections * 1000ULL / ms);
	lz_json_add_u64(row, "smtp_destinations",
			lz_cell_destinations(&cell, slot_ns, lz_tables_now_ns(&t->ctl->view)));
	lz_json_add_u64(row, "dropped_per_s", diff->dropped * 1000ULL / ms);
	lz_json_add_bool(row, "held", lz_hold_read(&t->ctl->view, key, &word) == 0);
	lz_reply_row(t->req, row);
}

/* The limit is small, so a list kept in order by insertion is all it takes. */
static void send_top(struct top *t, __u64 ms)
{
	__u32 *slots = calloc(t->limit + 1, sizeof(*slots)), *values = calloc(t->limit + 1, 4);
	struct sample diff;
	size_t n = 0;

	for (__u32 slot = 0; slots && values && slot < t->ctl->view.slots; slot++) {
		const struct lz_cell *cell = &t->ctl->view.cells[slot];
		__u32 value;
		size_t i;

		if (!cell->key || lz_key_is_aggregate(lz_cell_key(cell)))
			continue;
		value = difference(t, slot, &diff);
		if (!value || (n == t->limit && value <= values[n - 1]))
			continue;
		for (i = n < t->limit ? n++ : n - 1; i && values[i - 1] < value; i--) {
			values[i] = values[i - 1];
			slots[i] = slots[i - 1];
		}
		values[i] = value;
		slots[i] = slot;
	}
	for (size_t i = 0; i < n; i++) {
		difference(t, slots[i], &diff);
		send_busiest(t, slots[i], &diff, ms);
	}
	free(slots);
	free(values);
}

static void top_closed(uv_handle_t *handle)
{
	struct top *t = handle->data;

	free(t->before);
	free(t);
}

static void on_top(uv_timer_t *timer)
{
	struct top *t = timer->data;
	__u64 ms = (lz_clock_mono_ns() - t->began_ns) / LZ_NS_PER_MS, received, dropped;
	cJSON *end = cJSON_CreateObject();

	ms = ms ? ms : 1;
	send_top(t, ms);
	count_packets(t->ctl, &received, &dropped);
	lz_json_add_u64(end, "interval_ms", ms);
	lz_json_add_u64(end, "received_packets_per_s", (received - t->received) * 1000 / ms);
	lz_json_add_u64(end, "dropped_packets_per_s", (dropped - t->dropped) * 1000 / ms);
	lz_json_add_u64(end, "held", lz_held_count(t->ctl->ledger));
	lz_bypass_say(t->ctl, end);
	lz_reply_end(t->req, LZ_CODE_OK, NULL, end);
	uv_close((uv_handle_t *)timer, top_closed);
}

void lz_h_top(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	__u64 limit = lz_arg_int(req, "limit", 20);
	int sort = read_sort(req, LZ_SORT_SMTP_CONNECTIONS); /* the last: it may have answered */
	struct top *t;

	if (sort < 0 || !lz_ctl_need(ctl, req))
		return;
	if (limit < 1 || limit > LZ_PROTO_TOP_MAX) {
		lz_end_invalid(req, "limit: want 1..%d", LZ_PROTO_TOP_MAX);
		return;
	}
	t = calloc(1, sizeof(*t));
	if (t)
		t->before = calloc(ctl->view.slots, sizeof(*t->before));
	if (!t || !t->before) {
		free(t);
		lz_reply_end(req, LZ_CODE_REFUSED, "top: out of memory", NULL);
		return;
	}
	t->ctl = ctl;
	t->req = req;
	t->limit = limit;
	t->sort = sort;
	t->timer.data = t;
	for (__u32 slot = 0; slot < ctl->view.slots; slot++)
		if (ctl->view.cells[slot].key)
			take_sample(&ctl->view, slot, &t->before[slot]);
	count_packets(ctl, &t->received, &t->dropped);
	t->began_ns = lz_clock_mono_ns();
	uv_timer_init(&ctl->loop, &t->timer);
	uv_timer_start(&t->timer, on_top, LZ_TOP_MS, 0);
}
