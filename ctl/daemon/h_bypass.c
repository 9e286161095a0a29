// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * h_bypass.c - the kill switch, through the daemon; `lazaretd --bypass` does it without one.
 */
#include <string.h>

#include "base/clock.h"
#include "daemon/ctl.h"
#include "datapath/bypass.h"

static __u64 until_s(const struct lz_ctl *ctl)
{
	__u64 left_s = 0;

	if (!lz_bypass_get(ctl->view.control, &left_s) || left_s == LZ_BYPASS_FOREVER)
		return 0;
	return lz_clock_wall_ns() / LZ_NS_PER_S + left_s;
}

static void note_switch(struct lz_ctl *ctl, bool on, const char *actor)
{
	struct lz_note note = { .until_s = on ? until_s(ctl) : 0 };

	lz_text_set(note.event, sizeof(note.event), on ? "bypass-on" : "bypass-off");
	lz_text_set(note.actor, sizeof(note.actor), actor);
	lz_tell_note(ctl, LZ_LOG_WARNING, &note);
	ctl->was_bypassed = on;
	ctl->bypass_since_s = on ? note.time_s : 0;
	lz_text_set(ctl->bypass_actor, sizeof(ctl->bypass_actor), on ? actor : "");
}

void lz_bypass_look(struct lz_ctl *ctl)
{
	bool on = lz_bypass_get(ctl->view.control, NULL);

	if (on != ctl->was_bypassed)
		note_switch(ctl, on, on ? "lazaretd --bypass" : "its time, or lazaretd --bypass");
}

void lz_bypass_say(struct lz_ctl *ctl, cJSON *obj)
{
	cJSON *bypass = cJSON_AddObjectToObject(obj, "bypass");
	bool on = ctl->opened && lz_bypass_get(ctl->view.control, NULL);

	lz_json_add_bool(bypass, "on", on);
	if (!on)
		return;
	if (until_s(ctl))
		lz_json_time(bypass, "until", until_s(ctl));
	if (ctl->bypass_since_s)
		lz_json_time(bypass, "since", ctl->bypass_since_s);
	if (ctl->bypass_actor[0])
		lz_json_add_str(bypass, "actor", ctl->bypass_actor);
}

static void end_with_state(struct lz_ctl *ctl, struct lz_request *req)
{
	cJSON *end = cJSON_CreateObject();

	lz_bypass_say(ctl, end);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

static void set_switch(struct lz_ctl *ctl, struct lz_request *req, bool on)
{
	char actor[LZ_ACTOR_TEXT_MAX];
	__u64 for_s = lz_arg_int(req, "for_s", 0);

	if (!lz_ctl_need(ctl, req))
		return;
	if (on && lz_arg_int(req, "for_s", 1) == 0) {
		lz_end_invalid(req, "bypass: for 0s: want at least 1s, or no time at all");
		return;
	}
	if (on)
		lz_bypass_set(ctl->view.control, for_s);
	else
		lz_bypass_clear(ctl->view.control);
	lz_tell_actor(req, actor);
	note_switch(ctl, on, actor);
	end_with_state(ctl, req);
}

void lz_h_bypass_on(struct lz_request *req, void *arg)
{
	set_switch(arg, req, true);
}

void lz_h_bypass_off(struct lz_request *req, void *arg)
{
	set_switch(arg, req, false);
}

void lz_h_bypass_status(struct lz_request *req, void *arg)
{
	end_with_state(arg, req);
}
