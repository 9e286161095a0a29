/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tell/teller.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "tell/child.h"
#include "tell/lookup.h"
#include "tell/mail.h"
#include "tell/sign.h"
#include "tell/transfer.h"

struct teller {
	uv_loop_t loop;
	uv_poll_t poll;
	int chan;
	struct lz_transfers *transfers;
	unsigned int jobs;
};

struct job {
	struct teller *teller;
	__u64 id;
	bool is_hook;
};

/* ---------------------------------------------------------------- answers */

static void answer(struct teller *t, __u64 id, const char *error, const struct lz_found *found)
{
	lz_autojson cJSON *doc = cJSON_CreateObject();
	lz_autofree char *text = NULL;
	char addr[LZ_ADDR_TEXT_MAX];
	cJSON *list;

	lz_json_add_u64(doc, "id", id);
	if (error)
		lz_json_add_str(doc, "error", error);
	if (!error && found) {
		lz_json_add_u64(doc, "ttl_s", found->ttl_s);
		list = cJSON_AddArrayToObject(doc, "addresses");
		for (size_t i = 0; i < found->n; i++)
			cJSON_AddItemToArray(list, cJSON_CreateString(lz_addr_format(&found->addr[i], addr)));
	}
	text = cJSON_PrintUnformatted(doc);
	if (!text || send(t->chan, text, strlen(text), MSG_NOSIGNAL) < 0)
		uv_stop(&t->loop); /* who waits for the answer will learn of it by our end */
}

static void end_job(struct job *job, const char *error, const struct lz_found *found)
{
	job->teller->jobs--;
	answer(job->teller, job->id, error, found);
	free(job);
}

static void on_found(void *arg, const struct lz_found *found, const char *error)
{
	end_job(arg, error, found);
}

static void on_transfer(void *arg, const char *error)
{
	end_job(arg, error, NULL);
}

static void on_child(void *arg, const char *error, const char *output)
{
	struct job *job = arg;
	char text[64 + LZ_CHILD_OUTPUT_MAX + 4];

	if (job->is_hook && output[0])
		lz_log(LZ_LOG_INFO, "hook-said", "id=%llu output=%s", (unsigned long long)job->id, output);
	snprintf(text, sizeof(text), "%s%s%s", error ? error : "", error && output[0] ? ": " : "",
		 error ? output : "");
	end_job(job, error ? text : NULL, NULL);
}

/* ---------------------------------------------------------------- the ways */

static int get_news(const cJSON *message, const cJSON **ret, char event[static 32], __u64 *ret_case,
		    struct lz_err *reterr)
{
	const char *text;
	int r = lz_json_get_object(message, "news", ret, reterr);

	r = r ?: lz_json_get_str(*ret, "event", &text, reterr);
	r = r ?: lz_json_get_u64(*ret, "case", 1, LZ_JSON_INTEGER_MAX, ret_case, reterr);
	if (r < 0)
		return r;
	if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] ||
	    lz_strcpy(event, 32, text) < 0 || !event[0] || event[0] == '-')
		return lz_err_set(reterr, EINVAL, "news: event '%.40s': is no word", text);
	return 0;
}

static int run_hook(struct job *job, const cJSON *message, struct lz_err *reterr)
{
	lz_autofree char *input = NULL;
	char event[32], number[24], program[256];
	char *argv[] = { program, event, number, NULL };
	const cJSON *news;
	const char *path;
	__u64 case_id;
	int r = lz_json_get_str(message, "program", &path, reterr);

	r = r ?: get_news(message, &news, event, &case_id, reterr);
	r = r ?: lz_child_check(path, reterr);
	if (r == 0 && lz_strcpy(program, sizeof(program), path) < 0)
		r = lz_err_set(reterr, ENAMETOOLONG, "hook: path of more than 255 bytes");
	if (r < 0)
		return r;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)case_id);
	input = cJSON_PrintUnformatted(news);
	if (!input)
		return lz_err_set(reterr, ENOMEM, "hook: out of memory");
	job->is_hook = true;
	return lz_child_start(&job->teller->loop, argv, input, LZ_TELLER_JOB_LIMIT_MS, on_child, job,
			      reterr);
}

static int post_webhook(struct job *job, const cJSON *message, struct lz_err *reterr)
{
	char stamp[64], signature[128], key_line[96], hex[LZ_SIGN_HEX_CHARS + 1];
	const char *const headers[] = { stamp, signature, key_line, NULL };
	lz_autofree char *body = NULL;
	const char *url, *file, *key;
	struct lz_secret secret;
	const cJSON *news;
	__u64 now_s = lz_clock_wall_ns() / LZ_NS_PER_S;
	int r = lz_json_get_str(message, "url", &url, reterr);

	r = r ?: lz_json_get_str(message, "secret_file", &file, reterr);
	r = r ?: lz_json_get_object(message, "news", &news, reterr);
	r = r ?: lz_json_get_str(news, "key", &key, reterr);
	if (r == 0 && (strlen(key) > 64 || key[strspn(key, "0123456789abcdef")]))
		r = lz_err_set(reterr, EINVAL, "webhook: key '%.40s': is malformed", key);
	r = r ?: lz_secret_read(file, &secret, reterr);
	if (r < 0)
		return r;
	body = cJSON_PrintUnformatted(news);
	r = body ? lz_sign(&secret, now_s, body, hex) : -ENOMEM;
	lz_secret_wipe(&secret);
	if (r < 0)
		return lz_err_set(reterr, -r, "webhook: cannot sign: %s", strerror(-r));
	snprintf(stamp, sizeof(stamp), "Lazaret-Timestamp: %llu", (unsigned long long)now_s);
	snprintf(signature, sizeof(signature), "Lazaret-Signature: sha256=%s", hex);
	snprintf(key_line, sizeof(key_line), "Idempotency-Key: %s", key);
	return lz_transfer_post(job->teller->transfers, url, headers, body, on_transfer, job, reterr);
}

/* The local program wants lines as they are on this machine. */
static void drop_returns(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from != '\r')
			*to++ = *from;
	*to = '\0';
}

static int run_sendmail(struct job *job, const char *from, const char *to, char *text,
			struct lz_err *reterr)
{
	char program[] = LZ_TELLER_SENDMAIL, dots[] = "-oi", sender[] = "-f", end[] = "--";
	char from_copy[256], to_copy[256];
	char *argv[] = { program, dots, sender, from_copy, end, to_copy, NULL };

	if (lz_strcpy(from_copy, sizeof(from_copy), from) < 0 ||
	    lz_strcpy(to_copy, sizeof(to_copy), to) < 0)
		return lz_err_set(reterr, ENAMETOOLONG, "mail: address of more than 255 bytes");
	drop_returns(text);
	return lz_child_start(&job->teller->loop, argv, text, LZ_TELLER_JOB_LIMIT_MS, on_child, job,
			      reterr);
}

static int send_mail(struct job *job, const cJSON *message, struct lz_err *reterr)
{
	lz_autostr struct lz_str text = {};
	const char *from, *to, *via;
	const cJSON *news;
	int r = lz_json_get_str(message, "from", &from, reterr);

	r = r ?: lz_json_get_str(message, "to", &to, reterr);
	r = r ?: lz_json_get_str(message, "via", &via, reterr);
	r = r ?: lz_json_get_object(message, "news", &news, reterr);
	/* the policy's check lets neither through; a controller taken over might */
	if (r == 0 && (from[0] == '-' || to[0] == '-' || from[strcspn(from, "\r\n <>")] ||
		       to[strcspn(to, "\r\n <>")]))
		r = lz_err_set(reterr, EINVAL, "mail: '%.80s', '%.80s': are no addresses", from, to);
	r = r ?: lz_mail_build(from, to, news, lz_clock_wall_ns() / LZ_NS_PER_S, &text, reterr);
	if (r < 0)
		return r;
	if (!via[0])
		return run_sendmail(job, from, to, text.data, reterr);
	return lz_transfer_mail(job->teller->transfers, via, from, to, text.data, on_transfer, job,
				reterr);
}

static int look_up(struct job *job, const cJSON *message, struct lz_err *reterr)
{
	const char *name, *servers;
	int r = lz_json_get_str(message, "name", &name, reterr);

	r = r ?: lz_json_get_str(message, "servers", &servers, reterr);
	return r ?: lz_lookup_start(&job->teller->loop, name, servers, on_found, job, reterr);
}

static const struct {
	const char *word;
	int (*start)(struct job *job, const cJSON *message, struct lz_err *reterr);
} ways[] = {
	{ "hook", run_hook },
	{ "webhook", post_webhook },
	{ "mail", send_mail },
	{ "look-up", look_up },
};

/* ---------------------------------------------------------------- the channel */

static int start_job(struct teller *t, __u64 id, const cJSON *message, struct lz_err *reterr)
{
	struct job *job;
	const char *way;
	int r = lz_json_get_str(message, "way", &way, reterr);

	if (r < 0)
		return r;
	if (t->jobs == LZ_TELLER_JOBS_MAX)
		return lz_err_set(reterr, EBUSY, "teller: %d jobs run already", LZ_TELLER_JOBS_MAX);
	job = calloc(1, sizeof(*job));
	if (!job)
		return lz_err_set(reterr, ENOMEM, "teller: out of memory");
	job->teller = t;
	job->id = id;
	r = lz_err_set(reterr, EINVAL, "teller: way '%.20s': there is none", way);
	for (size_t i = 0; i < LZ_ARRAY_SIZE(ways); i++)
		if (lz_streq(way, ways[i].word))
			r = ways[i].start(job, message, reterr);
	if (r < 0)
		free(job);
	else
		t->jobs++;
	return r;
}

static void take_message(struct teller *t, const char *text, size_t len)
{
	lz_autojson cJSON *message = NULL;
	struct lz_err err = { "" };
	__u64 id;
	int r = lz_json_parse(text, len, &message, &err);

	r = r ?: lz_json_get_u64(message, "id", 1, LZ_JSON_INTEGER_MAX, &id, &err);
	if (r < 0) {
		lz_log(LZ_LOG_ERROR, "teller-refused", "why=%s", err.text);
		return;
	}
	if (start_job(t, id, message, &err) < 0)
		answer(t, id, err.text, NULL);
}

static void on_chan(uv_poll_t *poll, int status, int events)
{
	static char buf[LZ_TELLER_MESSAGE_BYTES];
	struct teller *t = poll->data;
	ssize_t n;

	(void)events;
	n = status < 0 ? 0 : recv(t->chan, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		take_message(t, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		uv_stop(&t->loop);
}

/* Nobody would hear what a program that still runs has to say, nor end it in time. */
static void kill_program(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (handle->type == UV_PROCESS && uv_is_active(handle))
		kill(-uv_process_get_pid((uv_process_t *)handle), SIGKILL);
}

int lz_teller_run(int chan)
{
	static struct teller t;
	int r = uv_loop_init(&t.loop);

	if (r < 0)
		return r;
	lz_signals_ignore(); /* PIPE, too: not every program reads its input */
	t.chan = chan;
	t.poll.data = &t;
	r = lz_transfers_new(&t.loop, &t.transfers);
	if (r == 0)
		r = uv_poll_init(&t.loop, &t.poll, chan);
	if (r == 0)
		r = uv_poll_start(&t.poll, UV_READABLE | UV_DISCONNECT, on_chan);
	if (r < 0)
		return r;
	uv_run(&t.loop, UV_RUN_DEFAULT);
	uv_walk(&t.loop, kill_program, NULL);
	return 0;
}
