// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * news.c - what became of a case, as messages in the outbox: one for each way the policy names, so
 * that a dead ticket system holds up neither the hook nor the webhook.
 *
 * The only place that decides what a message says: nothing that names a person or a host, unless
 * the policy says "address": true.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/ctl.h"
#include "control/news.h"

static struct lz_log_limit full_lines = { .burst = 3, .refill_ns = 60 * LZ_NS_PER_S };

static int make_key(char ret[static LZ_OUTBOX_KEY_CHARS + 1])
{
	unsigned char bytes[LZ_OUTBOX_KEY_CHARS / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static void add_text(cJSON *obj, const char *key, const char *text)
{
	if (text && text[0])
		lz_json_add_str(obj, key, text);
}

static char *make_body(struct lz_ctl *ctl, const struct lz_news *news, const char *key)
{
	lz_autojson cJSON *body = cJSON_CreateObject();
	struct utsname un;

	lz_json_add_str(body, "schema", "lazaret/news");
	lz_json_add_u64(body, "version", 1);
	lz_json_add_str(body, "key", key);
	lz_json_add_str(body, "event", lz_tell_words[news->event]);
	lz_json_add_u64(body, "case", news->case_id);
	lz_json_time(body, "opened", news->opened_s);
	lz_json_time(body, "since", news->since_s);
	if (news->until_s)
		lz_json_time(body, "until", news->until_s);
	add_text(body, "grade", news->grade);
	add_text(body, "reason", news->reason);
	add_text(body, "source", news->source);
	add_text(body, "ticket", news->ticket);
	add_text(body, "gateway", uname(&un) == 0 ? un.nodename : NULL);
	add_text(body, "instance", ctl->options->instance);
	if (ctl->now.policy->tell.address) {
		add_text(body, "address", news->address);
		add_text(body, "customer", news->customer);
	}
	return body ? cJSON_PrintUnformatted(body) : NULL;
}

static void say_full(struct lz_ctl *ctl, const struct lz_err *err)
{
	__u64 suppressed = 0;

	ctl->news_lost++;
	if (lz_log_allow(&full_lines, lz_clock_mono_ns(), &suppressed))
		lz_log(LZ_LOG_ERROR, "outbox-full", "lost=%llu why=%s",
		       (unsigned long long)ctl->news_lost, err->text);
}

static int post_on(struct lz_ctl *ctl, const struct lz_news *news, enum lz_outbox_way way,
		   struct lz_err *reterr)
{
	struct lz_outbox row = { .way = way, .case_id = news->case_id };
	lz_autofree char *body = NULL;
	struct lz_err err = { "" };
	int r = make_key(row.key);

	if (r < 0)
		return lz_err_set(reterr, -r, "outbox: no random numbers");
	body = make_body(ctl, news, row.key);
	if (!body)
		return lz_err_set(reterr, ENOMEM, "outbox: out of memory");
	if (lz_strcpy(row.body, sizeof(row.body), body) < 0)
		return lz_err_set(reterr, EMSGSIZE, "outbox: message of more than %d bytes",
				  LZ_OUTBOX_BODY_MAX - 1);
	row.time_s = row.next_s = lz_clock_wall_ns() / LZ_NS_PER_S;
	lz_text_set(row.event, sizeof(row.event), lz_tell_words[news->event]);
	r = lz_outbox_add(ctl->ledger, &row, &err);
	if (r == -ENOSPC && lz_outbox_count(ctl->ledger) >= LZ_OUTBOX_ROWS_MAX) {
		say_full(ctl, &err);
		return 0;
	}
	return r < 0 ? lz_err_set(reterr, -r, "%s", err.text) : 0;
}

int lz_news_post(struct lz_ctl *ctl, const struct lz_news *news, struct lz_err *reterr)
{
	const struct lz_policy_tell *tell = ctl->now.policy ? &ctl->now.policy->tell : NULL;
	int r = 0;

	if (!tell || !tell->present || !(tell->on >> news->event & 1))
		return 0;
	if (tell->hook[0])
		r = post_on(ctl, news, LZ_OUTBOX_HOOK, reterr);
	if (r == 0 && tell->webhook_url[0])
		r = post_on(ctl, news, LZ_OUTBOX_WEBHOOK, reterr);
	if (r == 0 && tell->mail_to[0])
		r = post_on(ctl, news, LZ_OUTBOX_MAIL, reterr);
	return r;
}
