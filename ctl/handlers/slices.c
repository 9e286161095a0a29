/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "handlers/slices.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "control/defer.h"
#include "control/tell.h"
#include "handlers/answer.h"

static void on_idle(uv_idle_t *idle)
{
	struct lz_slices *s = idle->data;

	if (s->durable || !lz_request_left(s->req)) {
		s->slice(s);
		return;
	}
	lz_log(LZ_LOG_NOTICE, "list-dropped", "file=%s actor=%s why=\"who sent it went away before it was in the "
	       "ledger; nothing was done\"", s->file, s->actor);
	lz_slices_fail(s, "who sent it went away");
}

static void on_closed(uv_handle_t *handle)
{
	struct lz_slices *s = handle->data;

	s->free(s);
}

static void nothing_done(struct lz_request *req, const char *of, const char *why)
{
	struct lz_err err;

	lz_err_set(&err, ECANCELED, "%s: list: %s; nothing was done", of, why);
	lz_reply_end(req, LZ_CODE_REFUSED, err.text, NULL);
}

void *lz_slices_new(struct lz_request *req, size_t bytes, const char *of, char **ret_text, size_t *ret_len)
{
	struct lz_slices *list;

	lz_request_payload(req, ret_len);
	if (!*ret_len) {
		lz_end_invalid(req, "%s: list: is empty; nothing was done", of);
		return NULL;
	}
	list = calloc(1, bytes);
	*ret_text = list ? lz_request_payload_take(req, ret_len) : NULL;
	if (!*ret_text) {
		free(list);
		nothing_done(req, of, "out of memory");
		return NULL;
	}
	list->of = of;
	return list;
}

void lz_slices_begin(struct lz_slices *s, struct lz_ctl *ctl, struct lz_request *req)
{
	s->ctl = ctl;
	s->req = req;
	s->idle.data = s->work.data = s;
	lz_tell_actor(req, s->actor);
	lz_text_set(s->file, sizeof(s->file), lz_arg_text(req, "file"));
	ctl->busy = true;
	uv_idle_init(&ctl->loop, &s->idle);
	uv_idle_start(&s->idle, on_idle);
}

void lz_slices_end(struct lz_slices *s)
{
	struct lz_ctl *ctl = s->ctl;

	uv_idle_stop(&s->idle);
	uv_close((uv_handle_t *)&s->idle, on_closed);
	lz_ctl_resume(ctl);
}

void lz_slices_fail(struct lz_slices *s, const char *why)
{
	if (lz_ledger_in_batch(s->ctl->ledger))
		lz_ledger_rollback(s->ctl->ledger);
	nothing_done(s->req, s->of, why);
	lz_slices_end(s);
}

void lz_slices_aside(struct lz_slices *s, uv_work_cb work, uv_after_work_cb done)
{
	uv_idle_stop(&s->idle);
	if (uv_queue_work(&s->ctl->loop, &s->work, work, done) < 0) {
		work(&s->work);
		done(&s->work, 0);
	}
}

void lz_slices_go_on(struct lz_slices *s)
{
	uv_idle_start(&s->idle, on_idle);
}

static void commit_work(uv_work_t *work)
{
	struct lz_slices *s = work->data;

	s->result = lz_ledger_commit_aside(s->ctl->ledger, &s->err);
}

static void commit_done(uv_work_t *work, int status)
{
	struct lz_slices *s = work->data;

	s->ctl->committing = false;
	s->result = lz_ledger_commit_end(s->ctl->ledger, status < 0 ? -ECANCELED : s->result);
	s->committed(s, s->result);
}

void lz_slices_commit(struct lz_slices *s)
{
	s->durable = true;
	s->ctl->committing = true;
	lz_slices_aside(s, commit_work, commit_done);
}
