// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tell.c - everything that happens is said three times: to the log, to the timeline, to monitors.
 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/ctl.h"
#include "control/tell.h"

/* A burst, then one line a second: what a packet causes must not fill a disk (faults.md F75). */
static struct lz_log_limit packet_lines = { .burst = 20, .refill_ns = LZ_NS_PER_S };
static struct lz_log_limit fault_lines = { .burst = 3, .refill_ns = 60 * LZ_NS_PER_S };

/* Of the batch that is open. */
static struct untold {
	struct lz_note note;
	enum lz_log_level level;
	__u64 case_id;
	size_t sources; /* 0: of one, by the note */
} *untold;
static size_t n_untold, cap_untold;

void lz_tell_actor(const struct lz_request *req, char ret[static LZ_ACTOR_TEXT_MAX])
{
	const struct lz_peer *peer = lz_request_peer(req);
	struct passwd *pw = getpwuid(peer->uid);

	if (pw)
		lz_text_set(ret, LZ_ACTOR_TEXT_MAX, pw->pw_name);
	else
		snprintf(ret, LZ_ACTOR_TEXT_MAX, "uid-%u", peer->uid);
}

void lz_tell_row(struct lz_ctl *ctl, cJSON *row)
{
	lz_autojson cJSON *owned = row;
	lz_autofree char *text = NULL;

	if (!row)
		return;
	text = cJSON_PrintUnformatted(row);
	for (size_t i = 0; text && i < LZ_FOLLOWERS_MAX; i++)
		if (ctl->followers[i])
			lz_reply_row_text(ctl->followers[i], text, strlen(text));
}

/* Notes are about hosts and prefixes, policies, hooks: only the first are addresses. */
static const char *object_word(const char *object)
{
	struct lz_prefix prefix;

	return lz_prefix_parse(object, &prefix, NULL) == 0 ? "address" : "object";
}

cJSON *lz_json_note(const struct lz_note *note, const char *address)
{
	cJSON *row = cJSON_CreateObject();

	lz_json_time(row, "time", note->time_s);
	lz_json_add_str(row, "event", note->event);
	if (address && address[0])
		lz_json_add_str(row, object_word(address), address);
	if (note->actor[0])
		lz_json_add_str(row, "actor", note->actor);
	if (note->reason[0])
		lz_json_add_str(row, "reason", note->reason);
	if (note->until_s)
		lz_json_time(row, "until", note->until_s);
	return row;
}

static bool followed(const struct lz_ctl *ctl)
{
	for (size_t i = 0; i < LZ_FOLLOWERS_MAX; i++)
		if (ctl->followers[i])
			return true;
	return false;
}

void lz_tell_write(struct lz_ctl *ctl, struct lz_note *note)
{
	struct lz_err err = { "" };

	if (!note->time_s)
		note->time_s = lz_clock_wall_ns() / LZ_NS_PER_S;
	if (!note->generation)
		note->generation = lz_ctl_generation(ctl);
	if (ctl->ledger && !ctl->busy && lz_note_add(ctl->ledger, note, &err) < 0)
		lz_tell_ledger_failed(err.text);
}

void lz_tell_ledger_failed(const char *why)
{
	__u64 suppressed = 0;

	if (lz_log_allow(&fault_lines, lz_clock_mono_ns(), &suppressed))
		lz_log(LZ_LOG_ERROR, "ledger-failed", "why=%s suppressed=%llu", why,
		       (unsigned long long)suppressed);
}

static void say_one(struct lz_ctl *ctl, enum lz_log_level level, const struct lz_note *note)
{
	char until[LZ_TIME_TEXT_MAX] = "-";

	if (note->until_s)
		lz_time_format(note->until_s * LZ_NS_PER_S, until);
	lz_log(level, note->event, "object=%s actor=%s until=%s generation=%llu reason=%s",
	       note->object, note->actor, until, (unsigned long long)note->generation, note->reason);
	if (followed(ctl))
		lz_tell_row(ctl, lz_json_note(note, note->object));
}

static void say(struct lz_ctl *ctl, const struct untold *u)
{
	if (u->sources)
		lz_log(u->level, u->note.event, "case=%llu sources=%zu actor=%s", (unsigned long long)u->case_id,
		       u->sources, u->note.actor);
	else
		say_one(ctl, u->level, &u->note);
}

static void say_when_it_stands(struct lz_ctl *ctl, const struct untold *u)
{
	/* A batch of an import is open over many turns of the loop, and what is said meanwhile is not of it. */
	if (!ctl->ledger || ctl->busy || !lz_ledger_in_batch(ctl->ledger) ||
	    lz_array_grow(&untold, &cap_untold, n_untold + 1, sizeof(*untold)) < 0)
		say(ctl, u);
	else
		untold[n_untold++] = *u;
}

void lz_tell_say(struct lz_ctl *ctl, enum lz_log_level level, const struct lz_note *note)
{
	say_when_it_stands(ctl, &(struct untold){ .note = *note, .level = level });
}

void lz_tell_sum(struct lz_ctl *ctl, const struct lz_note *note, __u64 case_id, size_t sources)
{
	say_when_it_stands(ctl, &(struct untold){ .note = *note, .level = LZ_LOG_NOTICE, .case_id = case_id,
						  .sources = sources });
}

void lz_tell_batch(void *ctl, bool stands)
{
	for (size_t i = 0; stands && i < n_untold; i++)
		say(ctl, &untold[i]);
	n_untold = 0;
}

void lz_tell_note(struct lz_ctl *ctl, enum lz_log_level level, struct lz_note *note)
{
	lz_tell_write(ctl, note);
	lz_tell_say(ctl, level, note);
}

static const char *const event_words[LZ_EVENT_KIND_N] = {
	[LZ_EVENT_LIMIT] = "limit",   [LZ_EVENT_WOULD] = "would",
	[LZ_EVENT_PORT25] = "port25", [LZ_EVENT_HOLD] = "held",
};

static void tell_followers(struct lz_ctl *ctl, const struct lz_event *e, const char *address)
{
	const struct lz_image *image = ctl->now.image;
	cJSON *row = cJSON_CreateObject();

	lz_json_time(row, "time", lz_clock_wall_ns() / LZ_NS_PER_S);
	lz_json_add_str(row, "event", event_words[e->kind]);
	lz_json_add_str(row, "address", address);
	if (lz_class_name(ctl, e->class_))
		lz_json_add_str(row, "class", lz_class_name(ctl, e->class_));
	if (image && e->limit_id && e->limit_id < LZ_LIMIT_IDS) {
		lz_json_add_str(row, "limit", image->limits[e->limit_id].name);
		lz_json_add_u64(row, "value", e->value);
		lz_json_add_u64(row, "at_most", e->limit_n);
	}
	lz_json_add_str(row, "verdict", e->verdict == LZ_V_PASS ? "pass" :
			e->verdict < LZ_V_N ? lz_refusal_words[e->verdict] : "drop");
	if (e->hold)
		lz_json_time(row, "until", lz_ctl_wall_of(LZ_HOLD_EXPIRY(e->hold)));
	lz_tell_row(ctl, row);
}

void lz_tell_event(struct lz_ctl *ctl, const struct lz_event *e)
{
	char address[LZ_PREFIX_TEXT_MAX];
	__u64 suppressed = 0;

	lz_key_format(e->key, ctl->view.instance.ipv6_key_len, address);
	if (followed(ctl))
		tell_followers(ctl, e, address);
	if (e->kind != LZ_EVENT_HOLD && lz_log_allow(&packet_lines, lz_clock_mono_ns(), &suppressed))
		lz_log(LZ_LOG_INFO, event_words[e->kind],
		       "address=%s dport=%u value=%u at_most=%u suppressed=%llu", address, e->dport,
		       e->value, e->limit_n, (unsigned long long)suppressed);
}
