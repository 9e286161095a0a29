// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * controller.c - the half of lazaretd without privileges: wires ledger, data plane and sockets to one
 * loop.
 *
 * Order of start: read the first policy and open the sockets as root -> sandbox -> ledger -> holds,
 * exceptions, policy -> answer -> READY.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cases/case.h"
#include "control/ask.h"
#include "control/courier.h"
#include "control/ctl.h"
#include "control/exception.h"
#include "control/hold.h"
#include "control/names.h"
#include "control/running.h"
#include "control/strangers.h"
#include "control/tell.h"
#include "daemon/modes.h"
#include "datapath/bypass.h"
#include "handlers/handlers.h"
#include "privsep/chan.h"
#include "privsep/options.h"
#include "privsep/sandbox.h"

#define LZ_MMAP_BYTES	  (256 << 10)
#define LZ_SECOND_MS	  250 /* a rollback of the data plane is on record that soon */
#define LZ_SLICE_MS	  5
#define LZ_REST_MS	  20
#define LZ_ENDS_NS	  (15 * 1000000ULL)
#define LZ_SWEEP_EVERY_S  10
#define LZ_CHECKPOINT_RETRY_S 10
#define LZ_TICK_EVERY_S	  30
#define LZ_TICK_AGAIN_S	  2
#define LZ_SHED_EVERY_S	  5
#define LZ_PRUNE_EVERY_S  60
#define LZ_PRUNE_AGE_S	  (400 * 86400ULL)
#define LZ_PRUNE_SLICE	  1000

static const struct lz_serve_route routes[] = {
	{ "status", lz_h_status },
	{ "health", lz_h_health },
	{ "doctor", lz_h_doctor },
	{ "top", lz_h_top },
	{ "monitor", lz_h_monitor },
	{ "policy.diff", lz_h_policy_diff },
	{ "policy.apply", lz_h_policy_apply },
	{ "policy.confirm", lz_h_policy_confirm },
	{ "policy.undo", lz_h_policy_undo },
	{ "policy.show", lz_h_policy_show },
	{ "policy.history", lz_h_policy_history },
	{ "policy.counters", lz_h_policy_counters },
	{ "source.list", lz_h_source_list },
	{ "source.show", lz_h_source_show },
	{ "why", lz_h_why },
	{ "quarantine.add", lz_h_quarantine_add },
	{ "quarantine.set", lz_h_quarantine_set },
	{ "quarantine.del", lz_h_quarantine_del },
	{ "quarantine.list", lz_h_quarantine_list },
	{ "quarantine.show", lz_h_quarantine_show },
	{ "quarantine.import", lz_h_quarantine_import },
	{ "quarantine.export", lz_h_quarantine_export },
	{ "quarantine.undo", lz_h_quarantine_undo },
	{ "quarantine.guard", lz_h_quarantine_guard },
	{ "exception.add", lz_h_exception_add },
	{ "exception.del", lz_h_exception_del },
	{ "exception.list", lz_h_exception_list },
	{ "exception.import", lz_h_exception_import },
	{ "exception.export", lz_h_exception_export },
	{ "portal.options", lz_h_portal_options },
	{ "range.lookup", lz_h_range_lookup },
	{ "range.export", lz_h_range_export },
	{ "range.audit", lz_h_range_audit },
	{ "range.add", lz_h_range_add },
	{ "range.del", lz_h_range_del },
	{ "audit.list", lz_h_audit_list },
	{ "bypass.on", lz_h_bypass_on },
	{ "bypass.off", lz_h_bypass_off },
	{ "bypass.status", lz_h_bypass_status },
};

/* ---------------------------------------------------------------- timers */

static void look_at_fill(struct lz_ctl *ctl)
{
	__u64 held = lz_held_count(ctl->ledger), max = lz_colony_max(ctl);
	unsigned int percent = (unsigned int)(held * 100 / max);
	unsigned int alarm = percent >= 95 ? 95 : percent >= 90 ? 90 : percent >= 80 ? 80 : 0;

	if (alarm > ctl->fill_alarm)
		lz_log(alarm == 95 ? LZ_LOG_ERROR : LZ_LOG_WARNING, "colony-filling",
		       "percent=%u held=%llu capacity=%llu", percent, (unsigned long long)held,
		       (unsigned long long)max);
	ctl->fill_alarm = alarm;
}

/* While the ledger refuses it is asked often: what health says ends soon after the fault. */
static bool tick_is_due(struct lz_ctl *ctl, __u64 mono_s)
{
	bool was_away = ctl->ledger_away;

	ctl->ledger_away = lz_ledger_look(ctl->ledger, NULL) < 0;
	return ctl->ledger_away != was_away ||
	       mono_s - ctl->ticked_s >= (ctl->ledger_fault[0] ? LZ_TICK_AGAIN_S : LZ_TICK_EVERY_S);
}

static void tick(struct lz_ctl *ctl, struct lz_now now)
{
	struct lz_err err = { "" };

	if (!tick_is_due(ctl, now.mono_s))
		return;
	ctl->ticked_s = now.mono_s;
	if (lz_ledger_tick(ctl->ledger, now, &err) < 0)
		lz_tell_ledger_failed(err.text);
	else
		lz_running_owed(ctl);
	lz_text_set(ctl->ledger_fault, sizeof(ctl->ledger_fault), err.text);
	lz_strangers_look(ctl); /* again, if it failed */
}

static void on_second(uv_timer_t *timer)
{
	struct lz_ctl *ctl = timer->data;
	struct lz_now now = lz_ctl_now();
	__u64 ended_s = lz_ctl_ended_s(ctl); /* also keeps up with the clocks */

	lz_ctl_say(ctl, ctl->silent_since_s ? LZ_ASK_PING : LZ_ASK_ALIVE);
	if (ctl->opened) {
		lz_ctl_wire_turn(ctl);
		lz_running_keep_turn(ctl);
		lz_events_read(ctl->events, 4096);
		lz_bypass_look(ctl);
		lz_portal_look(ctl);
		if (!ctl->busy) {
			lz_running_look(ctl);
			lz_case_turn(ctl);
			lz_case_guard_look(ctl);
			lz_exception_expire(ctl);
			look_at_fill(ctl);
		}
	}
	if (ctl->busy)
		return;
	lz_names_turn(ctl);
	lz_courier_turn(ctl);
	lz_audit_turn(ctl);
	tick(ctl, now);
	lz_books_turn(ctl, now);
	if (now.mono_s - ctl->shed_s >= LZ_SHED_EVERY_S) {
		ctl->shed_s = now.mono_s;
		if (lz_ledger_shed_idle(ctl->ledger))
			malloc_trim(0);
	}
	if (now.mono_s - ctl->pruned_s >= LZ_PRUNE_EVERY_S && ended_s > LZ_PRUNE_AGE_S) {
		ctl->pruned_s = now.mono_s;
		lz_ledger_prune(ctl->ledger, ended_s - LZ_PRUNE_AGE_S, LZ_PRUNE_SLICE);
	}
}

static void sweep_wait(uv_work_t *work)
{
	const struct lz_ctl *ctl = work->data;

	lz_sweep_wait(ctl->sweep);
}

static void sweep_waited(uv_work_t *work, int status)
{
	struct lz_ctl *ctl = work->data;

	(void)status;
	ctl->sweep_waits = false;
}

/* A grace period of the kernel, the count of a whole table: an event would wait behind them here. */
static void sweep_aside(struct lz_ctl *ctl)
{
	ctl->sweep_work.data = ctl;
	ctl->sweep_waits = uv_queue_work(&ctl->loop, &ctl->sweep_work, sweep_wait, sweep_waited) == 0;
	if (!ctl->sweep_waits)
		lz_sweep_wait(ctl->sweep);
}

/* One slice; between two passes it rests. */
static void sweep(struct lz_ctl *ctl, __u64 now_s)
{
	int r;

	if (ctl->sweep_waits || now_s - ctl->swept_s < LZ_SWEEP_EVERY_S)
		return;
	r = lz_sweep_step(ctl->sweep);
	if (r == LZ_SWEEP_WAIT)
		sweep_aside(ctl);
	if (r == LZ_SWEEP_WAIT || r == LZ_SWEEP_MORE) {
		uv_timer_set_repeat(&ctl->slice, LZ_SLICE_MS);
		return;
	}
	uv_timer_set_repeat(&ctl->slice, LZ_REST_MS);
	ctl->swept_s = now_s;
	if (r != LZ_SWEEP_DONE) /* a pass that failed has not seen every source */
		return;
	lz_case_active_end(ctl);
	lz_case_lost_look(ctl);
}

static void checkpoint_work(uv_work_t *work)
{
	struct lz_ctl *ctl = work->data;

	lz_ledger_checkpoint(ctl->ledger, &ctl->checkpoint.err);
}

static void checkpoint_done(uv_work_t *work, int status)
{
	struct lz_ctl *ctl = work->data;

	(void)status;
	ctl->checkpoint.runs = false;
	if (ctl->checkpoint.err.text[0]) {
		ctl->checkpoint.after_s = lz_ctl_now().mono_s + LZ_CHECKPOINT_RETRY_S;
		if (!lz_streq(ctl->checkpoint.fault, ctl->checkpoint.err.text))
			lz_log(LZ_LOG_ERROR, "ledger-failed", "why=%s", ctl->checkpoint.err.text);
	}
	lz_text_set(ctl->checkpoint.fault, sizeof(ctl->checkpoint.fault), ctl->checkpoint.err.text);
}

static void look_at_log(struct lz_ctl *ctl)
{
	if (ctl->checkpoint.runs || ctl->busy || !lz_ledger_log_is_long(ctl->ledger) ||
	    lz_ctl_now().mono_s < ctl->checkpoint.after_s)
		return;
	ctl->checkpoint.work.data = ctl;
	ctl->checkpoint.err.text[0] = '\0';
	if (lz_ledger_log_is_full(ctl->ledger)) { /* what commits without a rest is never caught up with */
		lz_ledger_checkpoint(ctl->ledger, &ctl->checkpoint.err);
		checkpoint_done(&ctl->checkpoint.work, 0);
		return;
	}
	ctl->checkpoint.runs = uv_queue_work(&ctl->loop, &ctl->checkpoint.work, checkpoint_work,
					   checkpoint_done) == 0;
}

/* Ends that one turn a quarter of a second could not close; and the sweep. */
static void on_slice(uv_timer_t *timer)
{
	struct lz_ctl *ctl = timer->data;
	__u64 now_ns = lz_clock_mono_ns();

	look_at_log(ctl);
	if (!ctl->opened || ctl->busy)
		return;
	/* The log begins anew only where a checkpoint has caught up with it. */
	if (ctl->ends_wait && !ctl->checkpoint.runs)
		lz_case_clock(ctl, now_ns + LZ_ENDS_NS);
	sweep(ctl, now_ns / LZ_NS_PER_S);
}

static void on_term(uv_signal_t *handle, int signum)
{
	struct lz_ctl *ctl = handle->data;

	(void)signum;
	lz_serve_close(&ctl->serve);
	lz_gate_close(&ctl->gate);
	uv_stop(&ctl->loop);
}

static int start_timers(struct lz_ctl *ctl)
{
	ctl->second.data = ctl->slice.data = ctl->term.data = ctl;
	uv_timer_init(&ctl->loop, &ctl->second);
	uv_timer_init(&ctl->loop, &ctl->slice);
	uv_signal_init(&ctl->loop, &ctl->term);
	if (uv_timer_start(&ctl->second, on_second, LZ_SECOND_MS, LZ_SECOND_MS) < 0 ||
	    uv_timer_start(&ctl->slice, on_slice, LZ_REST_MS, LZ_REST_MS) < 0 ||
	    uv_signal_start(&ctl->term, on_term, SIGTERM) < 0)
		return -EIO;
	signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the keeper, which stops this side in order */
	return 0;
}

/* ---------------------------------------------------------------- start */

static int listen_on(const struct lz_options *o, const char *name, mode_t mode, gid_t gid,
		     struct lz_err *reterr)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", o->run, name);
	return lz_serve_listen(path, mode, gid, reterr);
}

static void add_grant(struct lz_ctl *ctl, const char *group, enum lz_peer_role role)
{
	struct group *gr = getgrnam(group);

	if (gr)
		ctl->grants[ctl->n_grants++] = (struct lz_serve_grant){ .role = role,
									.is_group = true,
									.id = gr->gr_gid };
}

static int load_first(const char *path, struct lz_policy **ret)
{
	lz_autostr struct lz_str text = { 0 };
	struct lz_report report = { 0 };
	int r;

	if (!path[0])
		return 0;
	r = lz_policy_load(path, ret, &report);
	if (r < 0) {
		lz_report_format(&report, path, &text);
		fputs(text.data ? text.data : "", stderr);
		fprintf(stderr, "lazaretd: %s: policy is not valid; what was confirmed last stays\n",
			path);
	}
	lz_report_done(&report);
	return r;
}

/* As policy show would print it; NULL: there is none, or no room for it. */
static char *print(const struct lz_policy *policy)
{
	char *text = NULL;

	if (policy)
		lz_policy_print(policy, LZ_PRINT_INLINE_FILES | LZ_PRINT_PACKED, &text);
	return text;
}

/* FILE is for the first start of all. Who edits it and starts anew must not believe that it judges now. While another
 * one is on trial FILE may be the one that comes back. Where another file was applied since, which is usual, this is
 * said at each start: so nothing here offers to apply the old one. */
static void tell_passed_over(const struct lz_ctl *ctl, const char *given)
{
	lz_autofree char *now = print(ctl->now.policy), *before = print(ctl->before.policy);
	char command[LZ_COMMAND_TEXT_MAX], whole[LZ_COMMAND_TEXT_MAX + PATH_MAX];

	if (!given || (ctl->now.policy && !now) || (now && lz_streq(given, now)) ||
	    (before && lz_streq(given, before)))
		return;
	snprintf(whole, sizeof(whole), "%s %s", lz_ctl_command(ctl, "policy diff", command), ctl->options->policy);
	lz_log(LZ_LOG_NOTICE, "policy-file-not-in-force", "file=%s in_force=%llu name=%s why=%s see=%s",
	       ctl->options->policy, (unsigned long long)lz_ctl_generation(ctl), now ? ctl->now.row.name : "-",
	       now ? "what was confirmed last stays; --policy is for the first start" :
		     "the only policy went back to pass all; --policy is for the first start",
	       whole);
}

static int open_serve(struct lz_ctl *ctl, int control, int read_only, struct lz_err *reterr)
{
	struct lz_serve_config config = {
		.loop = &ctl->loop,
		.control_fd = control,
		.read_fd = read_only,
		.routes = routes,
		.routes_n = LZ_ARRAY_SIZE(routes),
		.grants = ctl->grants,
		.grants_n = ctl->n_grants,
		.on_end = lz_audit_end,
		.arg = ctl,
	};

	return lz_serve_open(&config, &ctl->serve, reterr);
}

static void on_event(void *ctl, const struct lz_event *event)
{
	if (event->kind >= LZ_EVENT_KIND_N)
		return;
	lz_tell_event(ctl, event);
	lz_case_event(ctl, event);
}

static const struct lz_ears ears = {
	.event = on_event,
	.kernel_hold = lz_hold_learn,
	.source = lz_case_found,
};

static int start(struct lz_ctl *ctl, const struct lz_identity *who, struct lz_err *reterr)
{
	lz_autofree char *given = NULL;
	struct lz_policy *first = NULL;
	int control, read_only, gate, bad, r;
	uid_t portal = 0;

	add_grant(ctl, LZ_PROTO_GROUP_READ, LZ_PEER_READ);
	add_grant(ctl, LZ_PROTO_GROUP_OPERATE, LZ_PEER_OPERATE);
	add_grant(ctl, LZ_PROTO_GROUP_ADMIN, LZ_PEER_ADMIN);
	/* A bad file stops only the first start of all: later ones have a confirmed policy. */
	bad = load_first(ctl->options->policy, &first);
	control = listen_on(ctl->options, LZ_PROTO_CONTROL_SOCK, 0660, who->gid, reterr);
	if (control < 0)
		return control;
	read_only = listen_on(ctl->options, LZ_PROTO_READ_SOCK, 0666, (gid_t)-1, reterr);
	if (read_only < 0)
		return read_only;
	gate = lz_portal_listen(ctl->options, &portal, reterr);
	if (gate < 0 && gate != -ENOENT) /* without the account there is no portal */
		return gate;
	/* Before the privileges go: should no policy open it, it judges all the same, and has its switch. */
	lz_bypass_open(ctl->options->instance, &ctl->found, NULL);
	umask(0077); /* the ledger names customers */
	r = lz_sandbox_enter(who, reterr);
	if (r == 0)
		r = lz_books_open(ctl, reterr);
	if (r == 0)
		r = lz_ctl_keeper_start(ctl);
	if (r == 0) {
		struct lz_err why = { "" };

		given = print(first);
		r = lz_running_restore(ctl, first, ctl->options->policy, &why);
		if (r < 0 && lz_books_fall_back(ctl, r, &why)) /* it could be opened, but a policy is more than a row */
			r = lz_running_restore(ctl, NULL, "", &why);
		if (r < 0)
			lz_err_set(reterr, -r, "%s", why.text);
	}
	if (r == 0 && bad < 0 && !ctl->now.policy) {
		ctl->code = LZ_CODE_INVALID;
		r = lz_err_set(reterr, EINVAL, "%s: not valid, and no policy was ever confirmed",
			       ctl->options->policy);
	}
	if (r == 0)
		r = open_serve(ctl, control, read_only, reterr);
	if (r == 0 && gate >= 0)
		r = lz_portal_open(ctl, gate, portal, reterr);
	if (r == 0 && start_timers(ctl) < 0)
		r = lz_err_set(reterr, EIO, "timers: cannot start");
	if (r == 0) {
		lz_books_seal(ctl);
		tell_passed_over(ctl, given);
	}
	return r;
}

int lz_controller_main(const struct lz_options *options, const struct lz_identity *who, int chan)
{
	static struct lz_ctl ctl;
	char unknown[LZ_UNKNOWN_TEXT_MAX];
	struct lz_err err = { "" };

	/* Lists of half a million come and go: each is a mapping, which goes back to the kernel with it.
	 * Left to itself malloc moves the threshold up, and what is freed lies between what is not. */
	mallopt(M_MMAP_THRESHOLD, LZ_MMAP_BYTES);
	ctl.options = options;
	ctl.ears = &ears;
	ctl.keeper = chan;
	ctl.started_s = lz_clock_mono_ns() / LZ_NS_PER_S;
	if (uv_loop_init(&ctl.loop) < 0 || lz_queue_new(&ctl.queue) < 0)
		return LZ_CODE_REFUSED;
	if (start(&ctl, who, &err) < 0) {
		lz_log(LZ_LOG_ERROR, "start-failed", "why=%s", err.text);
		lz_ledger_close(&ctl.ledger); /* a copy is not left behind */
		return ctl.code ? ctl.code : LZ_CODE_REFUSED;
	}
	lz_ctl_say(&ctl, LZ_ASK_READY);
	lz_log(LZ_LOG_NOTICE, "ready", "instance=%s generation=%llu held=%llu", options->instance,
	       (unsigned long long)lz_ctl_generation(&ctl),
	       (unsigned long long)lz_held_count(ctl.ledger));
	if (lz_ctl_is_unknown(&ctl))
		lz_log(LZ_LOG_WARNING, "instance-unknown", "why=%s", lz_ctl_say_unknown(&ctl, unknown));
	uv_run(&ctl.loop, UV_RUN_DEFAULT);
	while (ctl.committing || ctl.checkpoint.runs)
		uv_run(&ctl.loop, UV_RUN_ONCE);
	if (!lz_ledger_in_batch(ctl.ledger)) /* who asked for this end is waiting there */
		lz_audit_turn(&ctl);
	lz_ledger_tick(ctl.ledger, lz_ctl_now(), NULL);
	lz_ledger_close(&ctl.ledger);
	return ctl.code;
}
