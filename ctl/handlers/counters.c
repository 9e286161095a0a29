// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * counters.c - what each rule of the policy in force has done: before it is enforced, what it would have.
 *
 * A row a class, then one for each of its limits, in the order of the policy. Rows of the kernel are found by
 * ids, which a class or limit keeps over changes of the policy for as long as it has its name.
 *
 * All are packets. Where nothing is refused a connection goes on, and each of its packets would have been. "holds":
 * how often it held somebody or made his hold longer, also where the guard has let him go again.
 */
#include "base/json.h"
#include "control/ctl.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"

static void say_class(struct lz_ctl *ctl, struct lz_request *req, __u32 class_)
{
	struct lz_class_stats stats = { 0 };
	__u64 refused = 0, would = 0;
	cJSON *row = cJSON_CreateObject();

	lz_class_stats_read(&ctl->view, class_, &stats);
	for (int v = LZ_V_PASS + 1; v < LZ_V_N; v++) {
		refused += stats.verdict[v];
		would += stats.would[v];
	}
	lz_json_add_str(row, "class", lz_class_name(ctl, class_));
	lz_json_add_u64(row, "examined_packets", stats.examined);
	lz_json_add_u64(row, "passed_packets", stats.verdict[LZ_V_PASS]);
	lz_json_add_u64(row, "refused_packets", refused);
	lz_json_add_u64(row, "would_refuse_packets", would);
	lz_reply_row(req, row);
}

static void say_limit(struct lz_ctl *ctl, struct lz_request *req, const struct lz_limit *limit)
{
	const struct lz_image_limit *name = &ctl->now.image->limits[limit->id];
	struct lz_limit_stats stats = { 0 };
	cJSON *row = cJSON_CreateObject();

	lz_limit_stats_read(&ctl->view, limit->id, &stats);
	lz_json_add_str(row, "class", name->class_);
	lz_json_add_str(row, "limit", name->name);
	lz_json_add_u64(row, "examined_packets", stats.asked);
	lz_json_add_u64(row, "over_packets", stats.over);
	lz_json_add_u64(row, "holds", stats.holds);
	lz_json_add_bool(row, "monitored", (limit->flags & LZ_LIMIT_F_MONITOR) ||
			 (ctl->now.image->gen.flags & LZ_GEN_F_MONITOR));
	lz_reply_row(req, row);
}

void lz_h_policy_counters(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	cJSON *end;

	if (!lz_ctl_need(ctl, req))
		return;
	for (__u32 id = LZ_CLASS_FIRST; ctl->now.image && id < LZ_CLASSES_MAX; id++) {
		const struct lz_class *c = &ctl->now.image->gen.class_[id];

		if (!lz_class_name(ctl, id)[0])
			continue;
		say_class(ctl, req, id);
		for (__u32 i = 0; i < c->limits && i < LZ_LIMITS_PER_CLASS; i++)
			say_limit(ctl, req, &c->limit[i]);
	}
	end = cJSON_CreateObject();
	lz_json_add_u64(end, "generation", lz_ctl_generation(ctl));
	if (ctl->view.instance.made_s)
		lz_json_time(end, "counted_since", lz_ctl_wall_of(ctl->view.instance.made_s));
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}
