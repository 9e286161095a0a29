// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * courier.c - from the outbox to the teller and back.
 *
 *   outbox (ledger) --> one message a way at a time --> teller --> delivered: the row goes
 *                                                              \-> failed: later again, for a day
 *
 * A row goes only after the teller said that it was taken: what was sent when a process died is sent
 * again, with the same key. One message a way at a time keeps their order, and a way that fails rests
 * before it is tried with any message, so that a dead ticket system costs one attempt and not
 * thousands. Nothing here waits: the teller's answers come through the loop.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/ask.h"
#include "control/courier.h"
#include "control/ctl.h"
#include "control/names.h"
#include "control/tell.h"
#include "tell/teller.h"

#define LZ_RETRY_FIRST_S 5 /* then 20, 80, 320, 1280: a restart costs seconds, an outage few tries */
#define LZ_RETRY_LAST_S	 3600
#define LZ_GIVE_UP_S	 86400
#define LZ_REST_FIRST_S	 2 /* of a way */
#define LZ_REST_LAST_S	 300
#define LZ_ANSWER_S	 90 /* a teller silent for longer hangs */
#define LZ_SPAWN_PAUSE_S 2

static const char *const way_words[LZ_OUTBOX_WAY_N] = {
	[LZ_OUTBOX_HOOK] = "hook",
	[LZ_OUTBOX_WEBHOOK] = "webhook",
	[LZ_OUTBOX_MAIL] = "mail",
};

/* What a way is doing. */
struct lane {
	struct lz_outbox sent; /* id 0: nothing is under way */
	__u64 done; /* the id of a message that the ledger would not take out; 0 = none */
	__u64 sent_ns;
	__u64 rest_until_ns;
	unsigned int failures; /* in a row */
};

/* The channel to one teller; freed when libuv has let go of it. */
struct lz_courier {
	uv_poll_t poll;
	struct lz_ctl *ctl;
	int fd;
	bool asleep; /* an import has the ledger: answers wait */
};

static struct lane lanes[LZ_OUTBOX_WAY_N];
static __u64 spawned_ns;

static __u64 grown(__u64 first, unsigned int shift, __u64 last)
{
	return shift >= 20 || first << shift > last ? last : first << shift;
}

/* ---------------------------------------------------------------- what becomes of a message */

/* Out of the outbox. While the ledger does not take that, its way rests, or it would be told again. */
static bool take_out(struct lz_ctl *ctl, struct lane *lane, __u64 id)
{
	struct lz_err err = { "" };
	int r = lz_outbox_del(ctl->ledger, id, &err);

	lane->done = r < 0 && r != -ENOENT ? id : 0;
	if (lane->done) {
		lz_tell_ledger_failed(err.text);
		lane->rest_until_ns = lz_clock_mono_ns() + LZ_REST_FIRST_S * LZ_NS_PER_S;
	}
	return !lane->done;
}

static void give_up(struct lz_ctl *ctl, const struct lz_outbox *row, const char *why)
{
	struct lz_note note = { 0 };

	take_out(ctl, &lanes[row->way], row->id);
	lz_text_set(note.event, sizeof(note.event), "not-told");
	snprintf(note.object, sizeof(note.object), "case %llu, %s by %s",
		 (unsigned long long)row->case_id, row->event, way_words[row->way]);
	lz_text_set(note.actor, sizeof(note.actor), "teller");
	lz_text_set(note.reason, sizeof(note.reason), why);
	lz_tell_note(ctl, LZ_LOG_ERROR, &note);
}

static void put_off(struct lz_ctl *ctl, const struct lz_outbox *row, const char *why)
{
	__u64 now_s = lz_clock_wall_ns() / LZ_NS_PER_S;
	char text[LZ_OUTBOX_ERROR_MAX];
	struct lz_err err = { "" };

	lz_text_set(text, sizeof(text), why);
	if (lz_ctl_ended_s(ctl) > row->time_s + LZ_GIVE_UP_S) {
		give_up(ctl, row, text);
		return;
	}
	lz_log(LZ_LOG_WARNING, "telling-failed", "way=%s case=%llu event=%s try=%u why=%s",
	       way_words[row->way], (unsigned long long)row->case_id, row->event, row->tries + 1, text);
	if (lz_outbox_retry(ctl->ledger, row->id,
			    now_s + grown(LZ_RETRY_FIRST_S, 2 * row->tries, LZ_RETRY_LAST_S), text, &err) < 0)
		lz_tell_ledger_failed(err.text);
}

static void end_lane(struct lz_ctl *ctl, struct lane *lane, const char *error)
{
	if (error) {
		__u64 rest_s = grown(LZ_REST_FIRST_S, lane->failures++, LZ_REST_LAST_S);

		lane->rest_until_ns = lz_clock_mono_ns() + rest_s * LZ_NS_PER_S;
		put_off(ctl, &lane->sent, error);
	} else {
		lane->failures = 0;
		lz_log(LZ_LOG_INFO, "told", "way=%s case=%llu event=%s tries=%u",
		       way_words[lane->sent.way], (unsigned long long)lane->sent.case_id,
		       lane->sent.event, lane->sent.tries + 1);
		take_out(ctl, lane, lane->sent.id);
	}
	lane->sent.id = 0;
}

/* ---------------------------------------------------------------- the channel */

static void free_courier(uv_handle_t *handle)
{
	struct lz_courier *courier = handle->data;

	close(courier->fd);
	free(courier);
}

/* What was under way is in doubt: it is told again. */
static void drop(struct lz_ctl *ctl, const char *why)
{
	struct lz_courier *courier = ctl->courier;

	ctl->courier = NULL;
	shutdown(courier->fd, SHUT_RDWR);
	uv_close((uv_handle_t *)&courier->poll, free_courier);
	for (size_t way = 0; way < LZ_OUTBOX_WAY_N; way++)
		if (lanes[way].sent.id)
			end_lane(ctl, &lanes[way], why);
	lz_names_lost(ctl, why);
}

static void take_answer(struct lz_ctl *ctl, const char *text, size_t len)
{
	lz_autojson cJSON *answer = NULL;
	const char *error = NULL;
	struct lz_err err = { "" };
	__u64 id = 0;
	int r = lz_json_parse(text, len, &answer, &err);

	r = r ?: lz_json_get_u64(answer, "id", 1, LZ_JSON_INTEGER_MAX, &id, &err);
	r = r ?: lz_json_opt_str(answer, "error", &error, &err);
	if (r < 0) {
		drop(ctl, "the teller answers nonsense");
		return;
	}
	if (id >= LZ_NAMES_FIRST_ID) {
		lz_names_answer(ctl, id, answer, error);
		return;
	}
	for (size_t way = 0; way < LZ_OUTBOX_WAY_N; way++)
		if (lanes[way].sent.id == id)
			end_lane(ctl, &lanes[way], error && !error[0] ? "failed" : error);
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
	static char buf[LZ_TELLER_MESSAGE_BYTES];
	struct lz_courier *courier = poll->data;
	struct lz_ctl *ctl = courier->ctl;
	ssize_t n;

	(void)events;
	if (ctl->busy) {
		uv_poll_stop(poll);
		courier->asleep = true;
		return;
	}
	n = status < 0 ? 0 : recv(courier->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		take_answer(ctl, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		drop(ctl, "the teller died");
	if (ctl->courier == courier)
		lz_courier_turn(ctl);
}

static int listen_to(struct lz_courier *courier)
{
	courier->asleep = false;
	return uv_poll_start(&courier->poll, UV_READABLE | UV_DISCONNECT, on_answer);
}

static void start(struct lz_ctl *ctl)
{
	__u64 now_ns = lz_clock_mono_ns();
	struct lz_courier *courier;
	struct lz_err err = { "" };
	int fd;

	if (spawned_ns && now_ns - spawned_ns < LZ_SPAWN_PAUSE_S * LZ_NS_PER_S)
		return;
	spawned_ns = now_ns;
	if (lz_ctl_teller(ctl, &fd, &err) < 0) {
		lz_log(LZ_LOG_ERROR, "teller-start-failed", "why=%s", err.text);
		return;
	}
	courier = calloc(1, sizeof(*courier));
	if (!courier || uv_poll_init(&ctl->loop, &courier->poll, fd) < 0) {
		close(fd);
		free(courier);
		return;
	}
	courier->ctl = ctl;
	courier->fd = fd;
	courier->poll.data = courier;
	ctl->courier = courier;
	if (listen_to(courier) < 0)
		drop(ctl, "cannot listen to the teller");
}

/* ---------------------------------------------------------------- sending */

static bool add_target(cJSON *message, const struct lz_policy_tell *tell, enum lz_outbox_way way)
{
	switch (way) {
	case LZ_OUTBOX_HOOK:
		lz_json_add_str(message, "program", tell->hook);
		return tell->hook[0];
	case LZ_OUTBOX_WEBHOOK:
		lz_json_add_str(message, "url", tell->webhook_url);
		lz_json_add_str(message, "secret_file", tell->webhook_secret_file);
		return tell->webhook_url[0];
	default:
		lz_json_add_str(message, "from", tell->mail_from);
		lz_json_add_str(message, "to", tell->mail_to);
		lz_json_add_str(message, "via", tell->mail_via);
		return tell->mail_to[0];
	}
}

int lz_courier_send(struct lz_ctl *ctl, const cJSON *message)
{
	lz_autofree char *text = cJSON_PrintUnformatted(message);

	if (!text)
		return -ENOMEM;
	if (!ctl->courier)
		start(ctl);
	if (!ctl->courier)
		return -EAGAIN;
	return send(ctl->courier->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* 0: it is under way; -ENOENT: the policy names no such way any more; -errno of the channel. */
static int send_row(struct lz_ctl *ctl, const struct lz_outbox *row)
{
	lz_autojson cJSON *message = cJSON_CreateObject();
	cJSON *news;

	lz_json_add_u64(message, "id", row->id);
	lz_json_add_str(message, "way", way_words[row->way]);
	if (!add_target(message, &ctl->now.policy->tell, row->way))
		return -ENOENT;
	news = cJSON_Parse(row->body);
	if (!news || !cJSON_AddItemToObject(message, "news", news))
		return -ENOMEM;
	return lz_courier_send(ctl, message);
}

static void serve_lane(struct lz_ctl *ctl, enum lz_outbox_way way, __u64 now_ns)
{
	struct lane *lane = &lanes[way];
	int r;

	if (lane->sent.id || now_ns < lane->rest_until_ns || (lane->done && !take_out(ctl, lane, lane->done)))
		return;
	if (lz_outbox_due(ctl->ledger, way, lz_clock_wall_ns() / LZ_NS_PER_S, LZ_RETRY_LAST_S + 60,
			  &lane->sent, 1) <= 0) {
		lane->sent.id = 0;
		return;
	}
	r = send_row(ctl, &lane->sent);
	lane->sent_ns = now_ns;
	if (r == 0)
		return;
	if (r == -ENOENT)
		give_up(ctl, &lane->sent, "the policy names no such way any more");
	lane->sent.id = 0;
	if (r != -ENOENT && r != -EAGAIN && r != -ENOMEM)
		drop(ctl, "the teller died");
}

void lz_courier_turn(struct lz_ctl *ctl)
{
	__u64 now_ns = lz_clock_mono_ns();

	if (ctl->busy || !ctl->now.policy)
		return;
	if (ctl->courier && ctl->courier->asleep && listen_to(ctl->courier) < 0)
		drop(ctl, "cannot listen to the teller");
	/* What a stand-in cannot take out would be told by each start. */
	if (!lz_outbox_count(ctl->ledger) || lz_ledger_is_stand_in(ctl->ledger))
		return;
	if (!ctl->courier)
		start(ctl);
	for (size_t way = 0; way < LZ_OUTBOX_WAY_N && ctl->courier; way++) {
		if (lanes[way].sent.id && now_ns - lanes[way].sent_ns > LZ_ANSWER_S * LZ_NS_PER_S)
			drop(ctl, "the teller does not answer");
		else
			serve_lane(ctl, way, now_ns);
	}
}

/* ---------------------------------------------------------------- what an operator sees */

void lz_courier_check(struct lz_ctl *ctl, __u64 age_s, char *why, size_t size)
{
	__u64 now_s = lz_clock_wall_ns() / LZ_NS_PER_S;
	struct lz_outbox *oldest = calloc(1, sizeof(*oldest));

	why[0] = '\0';
	if (ctl->news_lost)
		snprintf(why, size, "%llu messages found the outbox full and were not kept",
			 (unsigned long long)ctl->news_lost);
	else if (oldest && !ctl->committing && lz_outbox_oldest(ctl->ledger, oldest) == 0 &&
		 now_s >= oldest->time_s + age_s)
		snprintf(why, size, "%llu messages wait; by %s since %llu min: %.120s",
			 (unsigned long long)lz_outbox_count(ctl->ledger), way_words[oldest->way],
			 (unsigned long long)(now_s - oldest->time_s) / 60, oldest->error);
	free(oldest);
}

void lz_courier_say(struct lz_ctl *ctl, cJSON *end)
{
	cJSON *outbox = cJSON_AddObjectToObject(end, "outbox");
	struct lz_outbox *oldest = calloc(1, sizeof(*oldest));
	cJSON *failing;

	lz_json_add_u64(outbox, "waiting", lz_outbox_count(ctl->ledger));
	lz_json_add_u64(outbox, "lost", ctl->news_lost);
	if (oldest && !ctl->committing && lz_outbox_oldest(ctl->ledger, oldest) == 0) {
		failing = cJSON_AddObjectToObject(outbox, "failing");
		lz_json_add_str(failing, "way", way_words[oldest->way]);
		lz_json_add_u64(failing, "case", oldest->case_id);
		lz_json_time(failing, "since", oldest->time_s);
		lz_json_add_u64(failing, "tries", oldest->tries);
		lz_json_add_str(failing, "why", oldest->error);
	}
	free(oldest);
}
