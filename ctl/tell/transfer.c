/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tell/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct lz_transfers {
	uv_loop_t *loop;
	uv_timer_t timer;
	CURLM *multi;
};

struct transfer {
	CURL *easy;
	struct curl_slist *headers, *to;
	char *text;
	size_t sent; /* of the text, mail only */
	size_t got; /* of the answer */
	lz_transfer_done done;
	void *arg;
	char why[CURL_ERROR_SIZE];
};

/* A descriptor that libcurl wants watched. */
struct watched {
	uv_poll_t poll;
	curl_socket_t fd;
	struct lz_transfers *t;
};

static void transfer_free(struct transfer *x)
{
	if (x->easy)
		curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	curl_slist_free_all(x->to);
	free(x->text);
	free(x);
}

/* ---------------------------------------------------------------- libcurl's loop in ours */

static void end_one(struct lz_transfers *t, CURL *easy, CURLcode code)
{
	char error[CURL_ERROR_SIZE + 64];
	struct transfer *x = NULL;
	long status = 0;
	char *scheme = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &x);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_SCHEME, &scheme);
	error[0] = '\0';
	if (code != CURLE_OK)
		snprintf(error, sizeof(error), "%s", x->why[0] ? x->why : curl_easy_strerror(code));
	else if (scheme && !strncasecmp(scheme, "http", 4) && (status < 200 || status > 299))
		snprintf(error, sizeof(error), "answered %ld", status);
	curl_multi_remove_handle(t->multi, easy);
	x->done(x->arg, error[0] ? error : NULL);
	transfer_free(x);
}

static void end_finished(struct lz_transfers *t)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(t->multi, &left)))
		if (msg->msg == CURLMSG_DONE)
			end_one(t, msg->easy_handle, msg->data.result);
}

static void on_timeout(uv_timer_t *timer)
{
	struct lz_transfers *t = timer->data;
	int running;

	curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	end_finished(t);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct lz_transfers *t = arg;

	(void)multi;
	if (ms < 0)
		uv_timer_stop(&t->timer);
	else
		uv_timer_start(&t->timer, on_timeout, (__u64)ms, 0);
	return 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watched *w = poll->data;
	struct lz_transfers *t = w->t;
	int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
		    (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) | (status < 0 ? CURL_CSELECT_ERR : 0);
	int running;

	curl_multi_socket_action(t->multi, w->fd, flags, &running); /* may free w */
	end_finished(t);
}

static void free_watched(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watched *watch(struct lz_transfers *t, curl_socket_t fd)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->fd = fd;
	w->t = t;
	w->poll.data = w;
	if (uv_poll_init_socket(t->loop, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	return w;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct lz_transfers *t = arg;
	struct watched *w = known;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w) {
			uv_poll_stop(&w->poll);
			curl_multi_assign(t->multi, fd, NULL);
			uv_close((uv_handle_t *)&w->poll, free_watched);
		}
		return 0;
	}
	if (!w) {
		w = watch(t, fd);
		if (!w)
			return -1;
		curl_multi_assign(t->multi, fd, w);
	}
	uv_poll_start(&w->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) |
				(what & CURL_POLL_OUT ? UV_WRITABLE : 0), on_ready);
	return 0;
}

int lz_transfers_new(uv_loop_t *loop, struct lz_transfers **ret)
{
	struct lz_transfers *t = calloc(1, sizeof(*t));

	if (!t || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(t->multi = curl_multi_init())) {
		free(t);
		return -ENOMEM;
	}
	t->loop = loop;
	t->timer.data = t;
	uv_timer_init(loop, &t->timer);
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, 0L);
	*ret = t;
	return 0;
}

/* ---------------------------------------------------------------- what is sent */

/* Less than what came makes libcurl give up. */
static size_t take_answer(char *bytes, size_t one, size_t n, void *arg)
{
	struct transfer *x = arg;

	(void)bytes;
	x->got += one * n;
	return x->got > LZ_TRANSFER_ANSWER_MAX ? 0 : one * n;
}

static size_t give_text(char *buf, size_t one, size_t n, void *arg)
{
	struct transfer *x = arg;
	size_t left = strlen(x->text) - x->sent, len = one * n < left ? one * n : left;

	memcpy(buf, x->text + x->sent, len);
	x->sent += len;
	return len;
}

static struct transfer *transfer_new(const char *url, const char *text, lz_transfer_done done, void *arg)
{
	struct transfer *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->text = strdup(text);
	x->easy = curl_easy_init();
	if (!x->text || !x->easy) {
		transfer_free(x);
		return NULL;
	}
	x->done = done;
	x->arg = arg;
	curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
	curl_easy_setopt(x->easy, CURLOPT_URL, url);
	curl_easy_setopt(x->easy, CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
	curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->why);
	curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(x->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)LZ_TRANSFER_CONNECT_MS);
	curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, (long)LZ_TRANSFER_LIMIT_MS);
	curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(x->easy, CURLOPT_FORBID_REUSE, 1L);
	return x;
}

static int start(struct lz_transfers *t, struct transfer *x, struct lz_err *reterr)
{
	CURLMcode code = curl_multi_add_handle(t->multi, x->easy);

	if (code == CURLM_OK)
		return 0;
	transfer_free(x);
	return lz_err_set(reterr, EIO, "transfer: %s", curl_multi_strerror(code));
}

static bool add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer)
		*list = longer;
	return longer;
}

int lz_transfer_post(struct lz_transfers *t, const char *url, const char *const *headers,
		     const char *body, lz_transfer_done done, void *arg, struct lz_err *reterr)
{
	struct transfer *x = transfer_new(url, body, done, arg);
	/* an answer to "Expect: 100-continue" would only cost a second */
	bool ok = x && add_line(&x->headers, "Content-Type: application/json") &&
		  add_line(&x->headers, "Expect:");

	for (; ok && *headers; headers++)
		ok = add_line(&x->headers, *headers);
	if (!ok) {
		if (x)
			transfer_free(x);
		return lz_err_set(reterr, ENOMEM, "webhook: out of memory");
	}
	curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "lazaret/" LZ_VERSION);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(x->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, x->text);
	return start(t, x, reterr);
}

int lz_transfer_mail(struct lz_transfers *t, const char *url, const char *from, const char *to,
		     const char *text, lz_transfer_done done, void *arg, struct lz_err *reterr)
{
	struct transfer *x = transfer_new(url, text, done, arg);

	if (!x || !add_line(&x->to, to)) {
		if (x)
			transfer_free(x);
		return lz_err_set(reterr, ENOMEM, "mail: out of memory");
	}
	curl_easy_setopt(x->easy, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(x->easy, CURLOPT_MAIL_RCPT, x->to);
	curl_easy_setopt(x->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(x->easy, CURLOPT_READFUNCTION, give_text);
	curl_easy_setopt(x->easy, CURLOPT_READDATA, x);
	if (strncmp(url, "smtps:", 6)) {
		curl_easy_setopt(x->easy, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
		curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return start(t, x, reterr);
}
