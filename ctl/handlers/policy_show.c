// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy_show.c - show, history: the text of a policy, and which there were.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "control/ctl.h"
#include "control/running.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"

struct show {
	char *text;
	size_t len, sent;
	struct lz_applied row;
};

static void show_fill(struct lz_request *req, void *arg)
{
	struct show *s = arg;
	size_t n = s->len - s->sent;
	cJSON *end;

	if (n > LZ_PROTO_CHUNK_BYTES)
		n = LZ_PROTO_CHUNK_BYTES;
	if (n && lz_reply_payload(req, s->text + s->sent, n) == 0) {
		s->sent += n;
		return;
	}
	if (n)
		return;
	end = cJSON_CreateObject();
	lz_json_add_u64(end, "generation", s->row.generation);
	lz_json_add_str(end, "name", s->row.name);
	lz_reply_end(req, LZ_CODE_OK, NULL, end);
}

static void show_done(void *arg)
{
	struct show *s = arg;

	free(s->text);
	free(s);
}

/* As it was applied, a prefix a string; a range change is the policy that came of it. */
static int read_text(struct lz_ctl *ctl, __u64 generation, struct show *s, struct lz_err *reterr)
{
	struct lz_policy *policy = NULL;
	int r;

	if (!generation)
		return lz_err_set(reterr, ENOENT, "policy: none is in force");
	r = lz_running_read(ctl, generation, &s->row, &policy, NULL, reterr);
	if (r == 0 && lz_policy_print(policy, LZ_PRINT_INLINE_FILES, &s->text) < 0)
		r = lz_err_set(reterr, ENOMEM, "policy: out of memory");
	lz_policy_free(&policy);
	return r;
}

void lz_h_policy_show(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	__u64 generation = lz_arg_int(req, "generation", lz_ctl_generation(ctl));
	struct show *s = calloc(1, sizeof(*s));
	struct lz_err err = { "policy: out of memory" };
	int r = s ? read_text(ctl, generation, s, &err) : -ENOMEM;

	if (r < 0) {
		free(s);
		lz_end(req, r, &err);
		return;
	}
	s->len = strlen(s->text);
	lz_reply_stream(req, show_fill, show_done, s);
}

struct history {
	struct lz_ctl *ctl;
	__u64 below;
};

static void history_fill(struct lz_request *req, void *arg)
{
	struct history *h = arg;
	struct lz_applied row;
	cJSON *one;

	if (lz_applied_before(h->ctl->ledger, h->below, &row, 1) <= 0) {
		lz_reply_end(req, LZ_CODE_OK, NULL, NULL);
		return;
	}
	one = cJSON_CreateObject();
	lz_json_add_u64(one, "generation", row.generation);
	lz_json_add_str(one, "name", row.name);
	lz_json_time(one, "applied", row.applied_s);
	lz_json_add_str(one, "actor", row.actor);
	lz_json_add_str(one, "state", row.state);
	lz_json_add_bool(one, "text_kept", row.has_text);
	if (row.file[0])
		lz_json_add_str(one, "file", row.file);
	if (lz_reply_row(req, one) == 0)
		h->below = row.generation;
}

void lz_h_policy_history(struct lz_request *req, void *arg)
{
	struct history *h = calloc(1, sizeof(*h));

	if (!h) {
		lz_reply_end(req, LZ_CODE_REFUSED, "policy: out of memory", NULL);
		return;
	}
	h->ctl = arg;
	h->below = UINT64_MAX;
	lz_reply_stream(req, history_fill, free, h);
}
