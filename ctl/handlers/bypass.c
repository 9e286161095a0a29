// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bypass.c - the kill switch, through the daemon; `lazaretd --bypass` does it without one.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/ctl.h"
#include "control/tell.h"
#include "datapath/bypass.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/health.h"

/* The switch: of the instance that is open, or of one that is there all the same; NULL: there is none. */
static struct lz_control *switch_of(const struct lz_ctl *ctl)
{
	return ctl->opened ? ctl->view.control : ctl->found;
}

bool lz_bypass_is_on(const struct lz_ctl *ctl)
{
	return switch_of(ctl) && lz_bypass_get(switch_of(ctl), NULL);
}

static __u64 until_s(const struct lz_ctl *ctl)
{
	__u64 left_s = 0;

	if (!lz_bypass_get(switch_of(ctl), &left_s) || left_s == LZ_BYPASS_FOREVER)
		return 0;
	return lz_clock_wall_ns() / LZ_NS_PER_S + left_s;
}

/* @time_s: wall clock, 0 = now */
static void note_switch(struct lz_ctl *ctl, bool on, const char *actor, __u64 time_s,
			const char *reason)
{
	struct lz_note note = { .until_s = on ? until_s(ctl) : 0, .time_s = time_s };

	lz_text_set(note.event, sizeof(note.event), on ? "bypass-on" : "bypass-off");
	lz_text_set(note.actor, sizeof(note.actor), actor);
	lz_text_set(note.reason, sizeof(note.reason), reason);
	lz_tell_note(ctl, LZ_LOG_WARNING, &note);
	ctl->bypass.was_on = on;
	ctl->bypass.switches = switch_of(ctl)->bypass_switches;
	ctl->bypass.since_s = on ? note.time_s : 0;
	lz_text_set(ctl->bypass.actor, sizeof(ctl->bypass.actor), on ? actor : "");
}

/* At the start: is the last switch on record? Kernel and ledger cut their seconds each for itself, so
 * what happened within two seconds of it is told by its state: a word of 0 was switched off by hand. */
static void learn_switches(struct lz_ctl *ctl)
{
	const struct lz_control *control = ctl->view.control;
	struct lz_note on = { 0 }, off = { 0 };
	bool differs;

	ctl->bypass.known = true;
	lz_note_last(ctl->ledger, "bypass-on", &on);
	lz_note_last(ctl->ledger, "bypass-off", &off);
	if (on.id > off.id) {
		ctl->bypass.was_on = true;
		ctl->bypass.since_s = on.time_s;
		lz_text_set(ctl->bypass.actor, sizeof(ctl->bypass.actor), on.actor);
	}
	differs = ctl->bypass.was_on ? !control->bypass_until_s : lz_bypass_get(control, NULL);
	if ((on.id > off.id ? on : off).time_s + 2 < lz_ctl_wall_of(control->bypass_at_s))
		differs = true;
	ctl->bypass.switches = control->bypass_switches - (control->bypass_switches && differs);
}

/* Who threw a switch that is not on record. What the controller did stands in its ledger; if not in this
 * one, that was before it, or there was no room. A controller that is root is not to be told from root. */
static void name_switch(const struct lz_control *control, __u32 n, char actor[static LZ_ACTOR_TEXT_MAX],
			char reason[static LZ_REASON_TEXT_MAX])
{
	if (control->bypass_uid && control->bypass_uid == getuid()) {
		lz_text_set(actor, LZ_ACTOR_TEXT_MAX, "lazaretd");
		lz_text_set(reason, LZ_REASON_TEXT_MAX, "before this ledger: who asked for it is not known");
		return;
	}
	snprintf(actor, LZ_ACTOR_TEXT_MAX, "lazaretd --bypass, uid %u", control->bypass_uid);
	if (n > 1)
		snprintf(reason, LZ_REASON_TEXT_MAX, "the last of %u switches by hand", n);
	else
		lz_text_set(reason, LZ_REASON_TEXT_MAX, "by hand");
}

void lz_bypass_look(struct lz_ctl *ctl)
{
	const struct lz_control *control = ctl->view.control;
	bool on = lz_bypass_get(control, NULL);
	char actor[LZ_ACTOR_TEXT_MAX], reason[LZ_REASON_TEXT_MAX];
	__u32 n;

	if (!ctl->bypass.known)
		learn_switches(ctl);
	n = control->bypass_switches - ctl->bypass.switches;
	if (n) {
		name_switch(control, n, actor, reason);
		note_switch(ctl, on, actor, lz_ctl_wall_of(control->bypass_at_s), reason);
	} else if (on != ctl->bypass.was_on) {
		note_switch(ctl, on, "clock", 0, "its time is over, or a reboot");
	}
}

void lz_bypass_say(struct lz_ctl *ctl, cJSON *obj)
{
	cJSON *bypass = cJSON_AddObjectToObject(obj, "bypass");
	bool on = lz_bypass_is_on(ctl);

	lz_json_add_bool(bypass, "on", on);
	if (!on)
		return;
	if (until_s(ctl))
		lz_json_time(bypass, "until", until_s(ctl));
	if (ctl->bypass.since_s)
		lz_json_time(bypass, "since", ctl->bypass.since_s);
	if (ctl->bypass.actor[0])
		lz_json_add_str(bypass, "actor", ctl->bypass.actor);
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

	if (!switch_of(ctl) && !lz_ctl_need(ctl, req))
		return;
	if (on && lz_arg_int(req, "for_s", 1) - 1 >= LZ_BYPASS_MAX_S) {
		lz_end_invalid(req, "bypass: for %llus: want 1s..%ud, or no time at all: until `bypass off`",
			       (unsigned long long)for_s, LZ_BYPASS_MAX_S / 86400);
		return;
	}
	if (on)
		lz_bypass_set(switch_of(ctl), for_s);
	else
		lz_bypass_clear(switch_of(ctl));
	lz_tell_actor(req, actor);
	note_switch(ctl, on, actor, 0, "");
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
