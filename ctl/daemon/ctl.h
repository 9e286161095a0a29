/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ctl.h - the controller: what all its files share. One thread, one loop.
 */
#ifndef LZ_DAEMON_CTL_H
#define LZ_DAEMON_CTL_H

#include <uv.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/chan.h"
#include "daemon/options.h"
#include "daemon/case.h"
#include "datapath/events.h"
#include "datapath/policyswap.h"
#include "datapath/sweep.h"
#include "datapath/tables.h"
#include "ledger/ledger.h"
#include "policy/edit.h"
#include "policy/image.h"
#include "serve/gate.h"
#include "serve/serve.h"

#define LZ_HOLD_DEFAULT_S 259200u /* 72 h: mission.md B1 */
#define LZ_TARGET_KEYS_MAX 1024	  /* keys of one customer that are held together */
#define LZ_FOLLOWERS_MAX   16
#define LZ_TEXTS_KEPT	   10 /* one is 8 MB with 500,000 prefixes */
#define LZ_LISTEN_TRIES	   40 /* the one before may not have let go of a socket yet */
#define LZ_LISTEN_TRY_US   50000

/* A policy that judges now, or would again if nobody confirms. */
struct lz_running {
	struct lz_policy *policy; /* NULL: none, everything passes */
	struct lz_image *image;
	__u32 *by_customer; /* indices of policy->customer_ranges.v, ordered by owner */
	struct lz_live_tables live; /* nothing after a start: then a range change applies the whole */
	unsigned int changes; /* range changes since it was written down whole */
	struct lz_applied row;
};

/* A policy whose hooks are attached while the loop turns; then its request is taken up again. */
struct lz_next {
	struct lz_request *req; /* NULL: there is none */
	struct lz_policy *policy;
	struct lz_port_told *before; /* what was attached */
	size_t n_before;
	__u32 seq; /* of the question to the keeper */
	__u64 asked_s; /* CLOCK_MONOTONIC */
	bool yes, answered, more;
	bool wired; /* all that could be */
};

struct lz_deferred;
struct lz_courier;
struct lz_names;

struct lz_ctl {
	const struct lz_options *options;
	uv_loop_t loop;
	struct lz_serve *serve;
	struct lz_gate *gate; /* NULL: there is no account for the portal */
	char *portal_given; /* the settings that the portal was told; NULL: none */
	struct lz_ledger *ledger;
	struct lz_ledger_mark opened_as; /* its mark when it was opened: what is added since is ours */
	struct lz_serve_grant grants[2];
	size_t n_grants;

	int keeper; /* the channel */
	uv_poll_t keeper_poll;
	__u32 asked; /* number of the last request */
	__u64 silent_since_s; /* the keeper did not answer, CLOCK_MONOTONIC; 0 = it does */
	bool opened; /* there is an instance: view, events and sweep are there */
	struct lz_control *found; /* the head of one that was pinned when this controller started; or NULL */
	bool strangers_known; /* lz_strangers_look() was there: the ledger drives this kernel */
	bool beside; /* another instance judges until the first KEEP */
	__u32 sources_min, colony_min; /* room of a new instance: at least what --policy asks for */
	struct lz_map_fds fds;
	struct lz_tables_view view;
	struct lz_events *events;
	uv_poll_t events_poll;
	struct lz_sweep *sweep;
	uv_work_t sweep_work; /* what takes long of it */
	bool sweep_waits; /* for that, in a thread */
	bool keep_due; /* the keeper did not hear which generation stays */

	struct lz_running now;
	struct lz_running before; /* while a confirm is pending */
	struct lz_next next;

	uv_timer_t second; /* deadlines, ends of holds, clocks */
	uv_timer_t slice; /* sweep */
	uv_signal_t term;
	__u64 started_s; /* CLOCK_MONOTONIC */
	__u64 ticked_s;
	__u64 swept_s;
	__u64 pruned_s;
	bool was_bypassed;
	bool bypass_known; /* the switches so far are on record, or have been looked at */
	__u32 bypass_switches; /* how many */
	__u64 bypass_since_s; /* wall clock */
	char bypass_actor[LZ_ACTOR_TEXT_MAX];
	unsigned int fill_alarm; /* 0, 80, 90, 95: told */
	__u64 lost_before; /* when the alarm about them began */
	__u64 lost_s; /* CLOCK_MONOTONIC: when more of them were last seen; 0 = never */
	__u64 lost_swept; /* as of the end of the last sweep */
	__u64 lost_looked_s; /* when that was, the data plane's clock; 0 = never */
	__u64 lost_since_s; /* this sweep looks for sources told of since; 0 = for none */
	__u32 lost_from; /* this sweep looks from this slot on, plus 1; 0 = at all */
	__u32 lost_full; /* the first slot of this sweep that the queue had no room for, plus 1; or 0 */
	char ledger_fault[256]; /* last write error, "" = fine */
	char checkpoint_fault[256]; /* how the last checkpoint failed, "" = it did not */
	char lost_hooks[256]; /* names, "" = none */
	struct lz_names *names; /* host names of the policy; NULL = there are none */
	struct lz_courier *courier; /* to the teller; NULL = there is none */
	char portal_fault[256]; /* "" = it runs, or none is wanted */
	__u64 news_lost; /* messages that found the outbox full */

	struct lz_request *followers[LZ_FOLLOWERS_MAX];
	bool busy; /* an import has the ledger: other changes wait */
	bool committing; /* in a thread: who reads the ledger waits in SQLite's mutex; status does not */
	bool checkpointing; /* in a thread; nobody waits for it, but what writes by the thousand rests */
	uv_work_t checkpoint;
	struct lz_err checkpoint_err; /* "" = none */
	__u64 checkpoint_after_s; /* CLOCK_MONOTONIC; the last one failed */
	bool ends_wait; /* more holds have ended than the last turn could close */
	struct lz_queue *queue; /* evidence that waits for its turn */
	struct lz_guard guard;
	bool guard_told; /* that it has tripped stands in the timeline */
	__u64 guarded; /* holds that the guard has refused or taken back */
	struct lz_deferred *deferred;
	struct lz_ask ask; /* too large for the stack */
	struct lz_answer answer;
	int code;
};

/* ---------------------------------------------------------------- ask.c: the keeper */

int lz_ctl_open(struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr);
/** lz_ctl_silent_s() - how long has the keeper not answered? 0 = it does, as far as we know */
unsigned long long lz_ctl_silent_s(const struct lz_ctl *ctl);
/** lz_ctl_fits() - does a policy fit into the instance there is? 0, -EMEDIUMTYPE or -ENOSPC */
int lz_ctl_fits(const struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr);
/** lz_ctl_try() - could an instance for this policy be made beside the one there is? 0 or -errno */
int lz_ctl_try(struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr);
int lz_ctl_inner(struct lz_ctl *ctl, const struct lz_inner_sizes *sizes, struct lz_inner_fds *ret,
		 struct lz_err *reterr);
int lz_ctl_plan(struct lz_ctl *ctl, const struct lz_policy *policy, __u32 slot, bool yes,
		struct lz_err *reterr);
/**
 * lz_ctl_wire() - begin to attach the hooks of a policy to come, and return
 * 0: *@policy* is ctl->next's, and @req to be deferred; it is taken up again with ctl->next.wired. -errno: not
 * begun, go on without.
 */
int lz_ctl_wire(struct lz_ctl *ctl, struct lz_request *req, struct lz_policy *policy, bool yes);
/** lz_ctl_wire_turn() - the next slice, or the request again */
void lz_ctl_wire_turn(struct lz_ctl *ctl);
int lz_ctl_keep(struct lz_ctl *ctl, __u32 slot, struct lz_err *reterr);
/** lz_ctl_teller() - a new teller; *ret_fd is the caller's. -EAGAIN: the last one is too young */
int lz_ctl_teller(struct lz_ctl *ctl, int *ret_fd, struct lz_err *reterr);

/** lz_ctl_portal() - the portal that the policy in force wants, or none; a failure is an alarm */
void lz_ctl_portal(struct lz_ctl *ctl);
/** lz_ctl_ports() - *@ret: heap; -ETIMEDOUT: the keeper hangs; @reterr is not set by -ENOMEM */
int lz_ctl_ports(struct lz_ctl *ctl, struct lz_port_told **ret, size_t *ret_n, struct lz_err *reterr);
/** lz_ctl_say() - ALIVE, READY, PING: nobody waits for an answer */
void lz_ctl_say(struct lz_ctl *ctl, enum lz_ask_kind kind);
int lz_ctl_keeper_start(struct lz_ctl *ctl);

/* ---------------------------------------------------------------- running.c: policies */

/** lz_running_keep_turn() - what a keeper that hung was not told: which generation's hooks stay */
void lz_running_keep_turn(struct lz_ctl *ctl);

struct lz_now lz_ctl_now(void);
__u64 lz_ctl_wall_of(__u32 mono_s); /* of a moment of the data plane's clock */
__u32 lz_ctl_mono_of(__u64 wall_s); /* its inverse; cut to what that clock can say */
__u64 lz_ctl_generation(const struct lz_ctl *ctl);

/** lz_running_compile() - takes @policy in every case; @previous: for stable ids, may be NULL */
int lz_running_compile(struct lz_ctl *ctl, struct lz_policy *policy, const struct lz_image *previous,
		       struct lz_running *ret, struct lz_err *reterr);
/** lz_running_prepare() - an instance that fits the policy, and its image; takes @policy in every case */
int lz_running_prepare(struct lz_ctl *ctl, struct lz_policy *policy, const struct lz_image *previous,
		       struct lz_running *ret, struct lz_err *reterr);
void lz_running_done(struct lz_running *running);

/**
 * lz_running_apply() - write down, plan, fill, switch; @next is taken in every case
 * @confirm_s: 0: for good
 *
 * Return: 0; -errno with @reterr set, then everything is as it was.
 */
int lz_running_apply(struct lz_ctl *ctl, struct lz_running *next, __u32 confirm_s, bool yes,
		     struct lz_err *reterr);
int lz_running_confirm(struct lz_ctl *ctl, struct lz_err *reterr);

/** lz_running_back() - while pending: to the previous one; @expired: the data plane did it already */
int lz_running_back(struct lz_ctl *ctl, bool expired, const char *actor, struct lz_err *reterr);

/**
 * lz_running_change() - one prefix more or less, in the tables that judge now
 *
 * In the ledger first, then in the kernel: a crash between the two is made good at the next start.
 * @what: stands in log and history where else the policy's file stands
 * Return: 0; -EOPNOTSUPP: apply the changed policy as a whole; else -errno with @reterr set, and
 *         everything is as it was.
 */
int lz_running_change(struct lz_ctl *ctl, const struct lz_edit *edit, const char *actor,
		      const char *what, struct lz_err *reterr);

/**
 * lz_running_read() - a policy as it was written down: a text, or changes of one
 * @ret_ids, @ret_changes: may be NULL
 * Return: 0 with *ret and *ret_ids on the heap; -ENOENT; else -errno; with @reterr set.
 */
int lz_running_read(struct lz_ctl *ctl, __u64 generation, struct lz_applied *ret_row,
		    struct lz_policy **ret, char **ret_ids, unsigned int *ret_changes,
		    struct lz_err *reterr);

/**
 * lz_exchange() - a policy that needs another instance: other keys, or more room; takes @policy
 *
 * Ledger and policy are one transaction; then the controller ends itself, and the next one fills a new
 * instance beside the one that judges and lets it take over. Whatever can be refused is refused here,
 * and then nothing is changed. @row: actor and file; the rest is set.
 */
int lz_exchange(struct lz_ctl *ctl, struct lz_policy *policy, struct lz_applied *row,
		struct lz_err *reterr);

/**
 * lz_texts_forget() - of all policies in the ledger only some keep their texts: what judges or waits, and
 * the last LZ_TEXTS_KEPT that undo leads back to, each with what it is a change of
 */
void lz_texts_forget(struct lz_ctl *ctl);
/** lz_texts_gone() - sets @reterr for a generation without one; -ENOENT */
int lz_texts_gone(__u64 generation, struct lz_err *reterr);

/** lz_running_restore() - at the start: adopt what judges, or restore what was confirmed last */
int lz_running_restore(struct lz_ctl *ctl, struct lz_policy *first, const char *file,
		       struct lz_err *reterr);

/* ---------------------------------------------------------------- hold.c: who is held */

/* What an address stands for. */
struct lz_target {
	struct lz_addr addr;
	__u64 key;
	__u64 *keys; /* all that are held together; the address's own is among them */
	size_t n_keys;
	struct lz_prefix *touched; /* the same, as prefixes */
	size_t n_touched;
	const char *customer; /* NULL = none; belongs to the policy */
	size_t shared; /* keys of his that are left out: many customers are behind them */
	__u32 class_;
};

int lz_target_find(struct lz_ctl *ctl, const char *address, struct lz_target *ret,
		   struct lz_err *reterr);
void lz_target_done(struct lz_target *target);

/** lz_target_check() - may it be held? 0, or -EPERM with the reason */
int lz_target_check(struct lz_ctl *ctl, const struct lz_target *target, struct lz_err *reterr);
/** lz_hold_check_addr() - may one address be held? -EPERM with the reason, which does not repeat it */
int lz_hold_check_addr(struct lz_ctl *ctl, const struct lz_addr *addr, __u64 key,
		       struct lz_err *reterr);

/** lz_hold_to_kernel() - an entry of the ledger into the kernel, and read back */
int lz_hold_to_kernel(struct lz_ctl *ctl, const struct lz_held *held, struct lz_err *reterr);

/** lz_hold_room() - may @n more be held? -ENOSPC with the reason: the colony is full */
int lz_hold_room(struct lz_ctl *ctl, size_t n, struct lz_err *reterr);
void lz_hold_restore(struct lz_ctl *ctl);

/**
 * lz_strangers_look() - once an instance is open: whom it holds and the ledger does not know
 *
 * Let go if the ledger drives this kernel; if it is another one or an older copy, the ledger learns them.
 */
void lz_strangers_look(struct lz_ctl *ctl);
/** lz_strangers_taken_over() - the same, of an instance that was beside another one until now */
void lz_strangers_taken_over(struct lz_ctl *ctl);

/** lz_hold_learn() - of a limit in the kernel, found by the sweep: into the evidence queue */
void lz_hold_learn(void *ctl, __u64 key, __u64 word);

/** lz_hold_word() - for the data plane; -ENOSPC: no room for one more rate */
int lz_hold_word(struct lz_ctl *ctl, const struct lz_held *held, __u64 *ret_word,
		 struct lz_err *reterr);
/**
 * lz_hold_beside_kernel() - a lz_hold_beside_fn: @word for a host that a limit holds already
 * @ctl: struct lz_ctl
 *
 * What a limit granted and the ledger does not know yet is kept: its later end, its harder grade, and its
 * mark, by which the sweep finds it for the books.
 */
__u64 lz_hold_beside_kernel(void *ctl, __u64 stands, __u64 word);

/** lz_hold_grade() - how hard is this word? */
void lz_hold_grade(const struct lz_ctl *ctl, __u64 word, struct lz_grade *ret);
/** lz_grade_check() - does the policy in force know it, and can the kernel do it? -EINVAL, -ERANGE with what they know */
int lz_grade_check(const struct lz_ctl *ctl, const struct lz_grade *grade, struct lz_err *reterr);
__u64 lz_colony_max(const struct lz_ctl *ctl);

/* ---------------------------------------------------------------- counted.c: limits of a source */

/* A limit of a source's class and what it has counted at this moment. */
struct lz_counted {
	const struct lz_limit *limit; /* in ctl->now.image */
	const struct lz_image_limit *name;
	__u32 value;
};

unsigned int lz_key_family(__u64 key); /* 4 or 6 */

/** lz_counted_read() - all limits of the class of a source, in the order of the policy; how many */
size_t lz_counted_read(const struct lz_ctl *ctl, __u64 key,
		       struct lz_counted ret[static LZ_LIMITS_PER_CLASS]);

/** lz_counted_nearest() - the one it is nearest to, or over; @holding: of those that hold; or NULL */
const struct lz_counted *lz_counted_nearest(const struct lz_counted *v, size_t n, bool holding);

/* ---------------------------------------------------------------- tell.c: log, timeline, monitor */

/** lz_tell_write() - a row of the timeline; within a batch it is part of it */
void lz_tell_write(struct lz_ctl *ctl, struct lz_note *note);
/** lz_tell_say() - a log line, and a row for each follower */
void lz_tell_say(struct lz_ctl *ctl, enum lz_log_level level, const struct lz_note *note);
/** lz_tell_note() - both */
void lz_tell_note(struct lz_ctl *ctl, enum lz_log_level level, struct lz_note *note);
void lz_tell_event(void *ctl, const struct lz_event *event);
void lz_tell_row(struct lz_ctl *ctl, cJSON *row); /* takes the row */
void lz_tell_actor(const struct lz_request *req, char ret[static LZ_ACTOR_TEXT_MAX]);

/** lz_text_set() - a fixed field from a text that may be NULL; cut if need be */
void lz_text_set(char *dst, size_t size, const char *text);

/* ---------------------------------------------------------------- news.c: telling others of cases */

/* What became of a case. Texts may be NULL; those about a person leave only if the policy says so. */
struct lz_news {
	enum lz_tell event;
	__u64 case_id; /* > 0 */
	__u64 opened_s; /* wall clock: when the case began; stays the same over its life */
	__u64 since_s; /* wall clock */
	__u64 until_s; /* wall clock; 0: open */
	const char *grade; /* "garden:leaky", "block25", "throttle 10/min" */
	const char *reason; /* class of it, a word or two, never free text */
	const char *source; /* operator, import, limit:NAME, .. */
	const char *ticket;
	const char *address;
	const char *customer;
};

/**
 * lz_news_post() - put a message for each way of the policy's "tell" into the outbox
 *
 * Within a batch the messages are part of it. Does nothing without "tell", or if it does not ask
 * for this event. A full outbox is logged and told by status, never an error of the case.
 * Return: 0, or -errno of the ledger with @reterr set.
 */
int lz_news_post(struct lz_ctl *ctl, const struct lz_news *news, struct lz_err *reterr);

/* ---------------------------------------------------------------- courier.c: outbox and teller */

#define LZ_STUCK_S 3600 /* from then on it is an alarm: most retries are over by then */

/** lz_courier_turn() - send what is due; called often, does not wait */
void lz_courier_turn(struct lz_ctl *ctl);
/** lz_courier_send() - something else to the teller, which is started if need be; 0 or -errno */
int lz_courier_send(struct lz_ctl *ctl, const cJSON *message);
/** lz_courier_check() - does one fail for so long or longer, or was one lost? @why: "" = no */
void lz_courier_check(struct lz_ctl *ctl, __u64 age_s, char *why, size_t size);
void lz_courier_say(struct lz_ctl *ctl, cJSON *end); /* "outbox" of status */

/* ---------------------------------------------------------------- answers */

/** lz_end() - the final line with an error; @r: -errno, from which the code follows */
void lz_end(struct lz_request *req, int r, const struct lz_err *err);
void lz_end_invalid(struct lz_request *req, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const char *lz_arg_text(const struct lz_request *req, const char *name); /* NULL = not given */
__u64 lz_arg_int(const struct lz_request *req, const char *name, __u64 missing);
bool lz_arg_bool(const struct lz_request *req, const char *name);

/** lz_json_time() - wall-clock seconds */
void lz_json_time(cJSON *obj, const char *key, __u64 wall_s);
void lz_json_touched(cJSON *obj, const struct lz_target *target);
/** lz_json_note() - a line of the timeline; @address: of whom, NULL where the reader knows */
cJSON *lz_json_note(const struct lz_note *note, const char *address);
void lz_json_held(struct lz_ctl *ctl, cJSON *obj, const struct lz_held *held);
/** lz_json_grade() - "grade", and "garden" if it is one */
void lz_json_grade(cJSON *obj, const char *text);
const char *lz_class_name(const struct lz_ctl *ctl, __u32 class_); /* NULL = in no class */

/** lz_ctl_wait() - while an import runs: keep the request for later; true = return now */
bool lz_ctl_wait(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again);
/** lz_ctl_wait_policy() - the same, also while another policy's hooks are attached */
bool lz_ctl_wait_policy(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again);
/** lz_ctl_defer() - keep the request for later; false: no memory, it is answered */
bool lz_ctl_defer(struct lz_ctl *ctl, struct lz_request *req, lz_serve_handler again);
void lz_ctl_resume(struct lz_ctl *ctl);

/** lz_ctl_command() - "lazaretctl --instance NAME WORDS", what an operator is to type; returns @buf */
#define LZ_COMMAND_TEXT_MAX 160
const char *lz_ctl_command(const struct lz_ctl *ctl, const char *words, char buf[static LZ_COMMAND_TEXT_MAX]);

/**
 * lz_ctl_is_unknown() - is an instance pinned that no policy of this ledger has opened?
 *
 * It judges on, and nothing is known here of what it does; but its kill switch works.
 */
bool lz_ctl_is_unknown(const struct lz_ctl *ctl);
/** lz_ctl_say_unknown() - that it is there, and what to do, for whoever asks after it; returns @buf */
#define LZ_UNKNOWN_TEXT_MAX (128 + LZ_COMMAND_TEXT_MAX)
const char *lz_ctl_say_unknown(const struct lz_ctl *ctl, char buf[static LZ_UNKNOWN_TEXT_MAX]);

/** lz_ctl_need() - is there an instance? if not, the request is answered and false returned */
bool lz_ctl_need(struct lz_ctl *ctl, struct lz_request *req);

struct lz_health {
	const char *name;
	bool ok;
	char why[256];
};
#define LZ_HEALTH_CHECKS 16
/** lz_events_lost() - with a full ring, since the instance was made; each look keeps the alarm up to date */
__u64 lz_events_lost(struct lz_ctl *ctl);
size_t lz_health_look(struct lz_ctl *ctl, struct lz_health ret[static LZ_HEALTH_CHECKS]);
bool lz_bypass_is_on(const struct lz_ctl *ctl);
void lz_bypass_say(struct lz_ctl *ctl, cJSON *obj);

/* ---------------------------------------------------------------- handlers, by object */

#define LZ_HANDLER(name) void name(struct lz_request *req, void *arg)
LZ_HANDLER(lz_h_status);
LZ_HANDLER(lz_h_health);
LZ_HANDLER(lz_h_doctor);
LZ_HANDLER(lz_h_top);
LZ_HANDLER(lz_h_monitor);
LZ_HANDLER(lz_h_policy_diff);
LZ_HANDLER(lz_h_policy_apply);
LZ_HANDLER(lz_h_policy_confirm);
LZ_HANDLER(lz_h_policy_undo);
LZ_HANDLER(lz_h_policy_show);
LZ_HANDLER(lz_h_policy_history);
LZ_HANDLER(lz_h_source_list);
LZ_HANDLER(lz_h_source_show);
LZ_HANDLER(lz_h_why);
LZ_HANDLER(lz_h_quarantine_add);
LZ_HANDLER(lz_h_quarantine_set);
LZ_HANDLER(lz_h_quarantine_del);
LZ_HANDLER(lz_h_quarantine_list);
LZ_HANDLER(lz_h_quarantine_show);
LZ_HANDLER(lz_h_quarantine_import);
LZ_HANDLER(lz_h_quarantine_export);
LZ_HANDLER(lz_h_quarantine_undo);
LZ_HANDLER(lz_h_quarantine_guard);
LZ_HANDLER(lz_h_audit_list);
LZ_HANDLER(lz_h_exception_add);
LZ_HANDLER(lz_h_exception_del);
LZ_HANDLER(lz_h_exception_list);
LZ_HANDLER(lz_h_exception_import);
LZ_HANDLER(lz_h_exception_export);
LZ_HANDLER(lz_h_portal_options);
LZ_HANDLER(lz_h_range_lookup);
LZ_HANDLER(lz_h_range_export);
LZ_HANDLER(lz_h_range_audit);
LZ_HANDLER(lz_h_range_add);
LZ_HANDLER(lz_h_range_del);
LZ_HANDLER(lz_h_bypass_on);
LZ_HANDLER(lz_h_bypass_off);
LZ_HANDLER(lz_h_bypass_status);

/** lz_audit_end() - for serve.h: who looked, who changed; lz_audit_turn() - write it down */
void lz_audit_end(void *ctl, const struct lz_request *req, bool mutates, enum lz_code code);
void lz_audit_turn(struct lz_ctl *ctl);

/** lz_exception_to_kernel() - a row of the ledger; -EINVAL: too wide, or no source */
int lz_exception_to_kernel(struct lz_ctl *ctl, const struct lz_granted *row, struct lz_err *reterr);
/* ---------------------------------------------------------------- h_portal.c: the gate */

/** lz_portal_listen() - while still root; -ENOENT: there is no account lazaret-portal */
int lz_portal_listen(const struct lz_options *o, uid_t *ret_uid, struct lz_err *reterr);
/** lz_portal_open() - answer at the gate; takes @fd */
int lz_portal_open(struct lz_ctl *ctl, int fd, uid_t uid, struct lz_err *reterr);
/** lz_portal_look() - has the policy, or one of its files, changed what the portal was told? It reads it anew */
void lz_portal_look(struct lz_ctl *ctl);

void lz_exception_restore(struct lz_ctl *ctl);
void lz_exception_expire(struct lz_ctl *ctl);
void lz_bypass_look(struct lz_ctl *ctl); /* switched by hand, or its time is over? */

#endif /* LZ_DAEMON_CTL_H */
