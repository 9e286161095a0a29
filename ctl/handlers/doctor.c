// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * doctor.c - do intent, ledger and kernel agree? In turns of a few milliseconds, so that a million
 * holds keep nobody waiting.
 *
 * Holds come and go while it looks: what seems to be a fault is read again on both sides before it
 * is said.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/courier.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/running.h"
#include "handlers/handlers.h"
#include "handlers/health.h"

#define LZ_DOCTOR_ROWS	  100 /* faults told; the rest is counted */
#define LZ_DOCTOR_TURN_NS (5 * LZ_NS_PER_MS)
#define LZ_DOCTOR_SLICE	  64

struct doctor {
	struct lz_ctl *ctl;
	struct lz_request *req;
	uv_idle_t idle;
	__u64 *keys; /* held in the kernel when it began */
	size_t n_keys, cap_keys, at;
	struct lz_held_walk walk;
	__u64 faults, before; /* before: those that are not about holds */
	__u64 apart; /* of the faults: two of them say different things */
	bool blind; /* not all could be compared */
	char first[600]; /* fault that is not of this kind */
};

static void diagnose(struct doctor *d, const char *what, bool ok, const char *why, const char *todo)
{
	cJSON *row;

	if (!ok && !d->first[0])
		snprintf(d->first, sizeof(d->first), "%s: %s", what, why);
	if (!ok && ++d->faults > LZ_DOCTOR_ROWS)
		return;
	row = cJSON_CreateObject();
	lz_json_add_str(row, "check", what);
	lz_json_add_bool(row, "ok", ok);
	if (!ok) {
		lz_json_add_str(row, "why", why);
		lz_json_add_str(row, "todo", todo);
	}
	lz_reply_row(d->req, row);
}

/* Intent, ledger and kernel say different things of @what. */
static void diagnose_apart(struct doctor *d, const char *what, const char *why, const char *todo)
{
	d->apart++;
	diagnose(d, what, false, why, todo);
}

static int take_key(void *arg, __u64 key, __u64 word)
{
	struct doctor *d = arg;

	if (LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL) /* the ledger hears of it in a moment */
		return 0;
	if (lz_array_grow(&d->keys, &d->cap_keys, d->n_keys + 1, sizeof(*d->keys)) < 0)
		return -ENOMEM;
	d->keys[d->n_keys++] = key;
	return 0;
}

static void check_kernel(struct doctor *d, __u64 key)
{
	char text[LZ_PREFIX_TEXT_MAX], todo[LZ_COMMAND_TEXT_MAX];
	struct lz_held held;
	__u64 word = 0;

	if (lz_held_get(d->ctl->ledger, key, &held) != -ENOENT ||
	    lz_hold_read(&d->ctl->view, key, &word) < 0 ||
	    !lz_hold_is_active(word, lz_tables_now_s(&d->ctl->view)) ||
	    (LZ_HOLD_FLAGS(word) & LZ_HOLD_F_KERNEL))
		return;
	lz_key_format(key, d->ctl->view.instance.ipv6_key_len, text);
	diagnose_apart(d, text, "held in the kernel, not in the ledger",
		       lz_ctl_command(d->ctl, "quarantine del ADDRESS, or restart lazaretd", todo));
}

static void check_ledger(struct doctor *d, const struct lz_held *held)
{
	char text[LZ_PREFIX_TEXT_MAX];
	__u64 word = 0;
	int r = lz_hold_read(&d->ctl->view, held->key, &word);

	if (held->expiry_s <= lz_tables_now_s(&d->ctl->view) + 1 ||
	    (r == 0 && LZ_HOLD_EXPIRY(word) >= held->expiry_s))
		return;
	lz_key_format(held->key, d->ctl->view.instance.ipv6_key_len, text);
	diagnose_apart(d, text,
		       r ? "held in the ledger, not in the kernel" :
			   "ends earlier in the kernel than in the ledger",
		       "restart lazaretd: it restores what the ledger says");
}

static void on_closed(uv_handle_t *handle)
{
	struct doctor *d = handle->data;

	free(d->keys);
	free(d);
}

static void end(struct doctor *d)
{
	cJSON *fields = cJSON_CreateObject();
	char text[700];

	if (d->faults == d->before && d->ctl->opened)
		diagnose(d, "holds", true, "", "");
	lz_json_add_u64(fields, "faults", d->faults);
	if (d->apart)
		snprintf(text, sizeof(text), "intent, ledger and kernel do not agree");
	else
		snprintf(text, sizeof(text), "%s; %s", d->first,
			 d->blind ? "whether intent, ledger and kernel agree could not be seen" :
				    "intent, ledger and kernel agree");
	lz_reply_end(d->req, d->faults ? LZ_CODE_REFUSED : LZ_CODE_OK, d->faults ? text : NULL, fields);
	uv_idle_stop(&d->idle);
	uv_close((uv_handle_t *)&d->idle, on_closed);
}

/* A slice; false: all has been looked at. */
static bool look(struct doctor *d)
{
	static struct lz_held rows[LZ_DOCTOR_SLICE];
	int n;

	if (d->at < d->n_keys) {
		for (n = 0; n < LZ_DOCTOR_SLICE && d->at < d->n_keys; n++)
			check_kernel(d, d->keys[d->at++]);
		return true;
	}
	n = lz_held_next(d->ctl->ledger, &d->walk, rows, LZ_DOCTOR_SLICE);
	for (int i = 0; i < n; i++)
		check_ledger(d, &rows[i]);
	if (n < 0) {
		d->blind = true;
		diagnose(d, "ledger", false, "cannot be read", "see the log of lazaretd");
	}
	return n > 0;
}

static void on_idle(uv_idle_t *idle)
{
	struct doctor *d = idle->data;
	__u64 until_ns = lz_clock_mono_ns() + LZ_DOCTOR_TURN_NS;

	if (d->ctl->busy) /* an import has the ledger */
		return;
	while (lz_clock_mono_ns() < until_ns)
		if (!look(d)) {
			end(d);
			return;
		}
}

static void check_rest(struct doctor *d)
{
	struct lz_health checks[LZ_HEALTH_CHECKS];
	size_t n = lz_health_look(d->ctl, checks);
	struct lz_swap_state state;
	char why[256], todo[LZ_COMMAND_TEXT_MAX];

	lz_ctl_command(d->ctl, "status", todo);
	for (size_t i = 0; i < n; i++)
		diagnose(d, checks[i].name, checks[i].ok, checks[i].why, todo);
	lz_courier_check(d->ctl, 0, why, sizeof(why));
	diagnose(d, "outbox", !why[0], why, "see \"tell\" in lazaret-policy(5)");
	if (!d->ctl->opened)
		return;
	lz_swap_state_get(&d->ctl->view, &state);
	if (lz_running_judges(d->ctl, &state))
		diagnose(d, "generation", true, "", "");
	else
		diagnose_apart(d, "generation", "what judges is not the policy that the ledger has in force",
			       "restart lazaretd");
}

void lz_h_doctor(struct lz_request *req, void *arg)
{
	struct lz_ctl *ctl = arg;
	struct doctor *d;

	if (lz_ctl_wait(ctl, req, lz_h_doctor))
		return;
	d = calloc(1, sizeof(*d));
	if (!d) {
		lz_reply_end(req, LZ_CODE_REFUSED, "doctor: out of memory", NULL);
		return;
	}
	d->ctl = ctl;
	d->req = req;
	d->idle.data = d;
	uv_idle_init(&ctl->loop, &d->idle);
	check_rest(d);
	d->before = d->faults;
	if (ctl->opened && lz_holds_each(&ctl->view, lz_tables_now_s(&ctl->view), take_key, d) < 0) {
		d->blind = true;
		diagnose(d, "holds", false, "out of memory", "look again later");
	}
	d->blind |= !ctl->opened;
	if (ctl->opened)
		uv_idle_start(&d->idle, on_idle);
	else
		end(d);
}
