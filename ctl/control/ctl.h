/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ctl.h - the controller: the state that all its files share, and what each of them asks of it. One
 * thread, one loop.
 */
#ifndef LZ_CONTROL_CTL_H
#define LZ_CONTROL_CTL_H

#include <uv.h>

#include "base/mem.h"
#include "base/wall.h"
#include "colony/active.h"
#include "colony/guard.h"
#include "datapath/events.h"
#include "datapath/policyswap.h"
#include "datapath/sweep.h"
#include "datapath/tables.h"
#include "ledger/held.h"
#include "policy/image.h"
#include "policy/policy.h"
#include "privsep/chan.h"
#include "privsep/options.h"
#include "serve/gate.h"
#include "serve/serve.h"

#define LZ_FOLLOWERS_MAX 16
#define LZ_OWED_MAX	 8

/* A policy that judges now, or would again if nobody confirms. */
struct lz_running {
	struct lz_policy *policy; /* NULL: none, everything passes */
	struct lz_image *image;
	__u32 *by_customer; /* indices of policy->customer_ranges.v, ordered by owner */
	struct lz_live_tables live; /* nothing after a start: then a range change applies the whole */
	unsigned int changes; /* range changes since it was written down whole */
	__u64 text_hash; /* of the text it is written down as, and of these changes */
	struct lz_applied row;
};

/* What became of a policy, and the ledger could not take yet. */
struct lz_owed {
	__u64 generation;
	char state[LZ_STATE_TEXT_MAX];
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

/* Who listens to the data plane. Set before lz_ctl_open(); the first argument is the struct lz_ctl. */
struct lz_ears {
	void (*event)(void *ctl, const struct lz_event *event); /* of the ring */
	void (*kernel_hold)(void *ctl, __u64 key, __u64 word); /* the sweep found one that a limit made */
	void (*source)(void *ctl, __u64 key, __u32 slot); /* the sweep looks for what lost events told of */
};

/* The kill switch as it was seen last. */
struct lz_switch_seen {
	bool was_on;
	bool known; /* the switches so far are on record, or have been looked at */
	__u32 switches; /* how many */
	__u64 since_s; /* wall clock */
	char actor[LZ_ACTOR_TEXT_MAX];
};

/* Events that found the ring full; their sources are looked for by the sweep. */
struct lz_lost {
	__u64 before; /* when the alarm about them began */
	__u64 last_s; /* CLOCK_MONOTONIC: when more of them were last seen; 0 = never */
	__u64 swept; /* as of the end of the last sweep */
	__u64 looked_s; /* when that was, the data plane's clock; 0 = never */
	__u64 since_s; /* this sweep looks for sources told of since; 0 = for none */
	__u32 from; /* this sweep looks from this slot on, plus 1; 0 = at all */
	__u32 full; /* the first slot of this sweep that the queue had no room for, plus 1; or 0 */
};

/* Of the ledger's log, in a thread; nobody waits for it, but what writes by the thousand rests. */
struct lz_checkpoint {
	bool runs;
	uv_work_t work;
	struct lz_err err; /* "" = none */
	__u64 after_s; /* CLOCK_MONOTONIC; the last one failed */
	char fault[256]; /* how the last one failed, "" = it did not */
};

/* Where the look at who owns what is held stands: once after each start and each change of policy. */
struct lz_owners_look {
	struct lz_held_walk walk;
	__u64 after_ns; /* CLOCK_MONOTONIC; the last one failed; 0 = it did not */
	bool done;
};

/* Who has sent lately, as the sweep goes through the table. */
struct lz_active_look {
	struct lz_active count;
	const struct lz_policy *policy; /* whose customers are counted; only compared */
	__u32 next; /* the slot that comes; 0: a pass begins */
	bool whole; /* this count began with the pass */
};

/* The last trial whose deadline was found to have passed. */
struct lz_gone_back {
	__u64 left; /* its generation; 0 = there was none, or somebody has gone back further since */
	__u64 to; /* what judged instead, 0 = nothing; while it does, nobody has put another one into force */
	__u64 found_ns; /* CLOCK_MONOTONIC */
};

struct lz_deferred;
struct lz_courier;
struct lz_names;
struct lz_queue;

struct lz_ctl {
	const struct lz_options *options;
	const struct lz_ears *ears;
	uv_loop_t loop;
	struct lz_serve *serve;
	struct lz_gate *gate; /* NULL: there is no account for the portal */
	char *portal_given; /* the settings that the portal was told; NULL: none */
	__u64 portal_given_s; /* CLOCK_MONOTONIC */
	struct lz_ledger *ledger;
	struct lz_ledger_mark opened_as; /* its mark when it was opened: what is added since is ours */
	struct lz_serve_grant grants[3];
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
	struct lz_owed owed[LZ_OWED_MAX]; /* the oldest first */
	size_t n_owed;
	struct lz_gone_back gone_back;

	uv_timer_t second; /* deadlines, ends of holds, clocks */
	uv_timer_t slice; /* sweep */
	uv_signal_t term;
	struct lz_wall wall; /* is it to be believed? */
	__u64 started_s; /* CLOCK_MONOTONIC */
	__u64 ticked_s;
	__u64 shed_s;
	__u64 swept_s;
	__u64 pruned_s;
	struct lz_switch_seen bypass;
	struct lz_lost lost;
	unsigned int fill_alarm; /* 0, 80, 90, 95: told */
	char ledger_fault[sizeof(((struct lz_err *)0)->text)]; /* last write error, "" = fine */
	bool ledger_away; /* its file is not the one that was opened */
	__u64 books_tried_s; /* CLOCK_MONOTONIC: when the ledger was last asked for that a copy stands in for */
	char lost_hooks[256]; /* names, "" = none */
	__u32 unjudged; /* as the keeper said last: a bit for each slot of which no customer port has a hook */
	char hook_fault[512]; /* "NAME: why" of one that is unfit or failed, as of the last lz_ctl_ports() */
	struct lz_names *names; /* host names of the policy; NULL = there are none */
	struct lz_courier *courier; /* to the teller; NULL = there is none */
	char portal_fault[256]; /* "" = it runs, or none is wanted */
	char portal_deaf[512]; /* addresses of its own that it cannot listen on, and why; "" = none */
	struct {
		enum lz_gate_tls state;
		int error; /* errno */
		bool before; /* those that were loaded before are in use */
		char certificate[LZ_PATH_MAX + 1], key[LZ_PATH_MAX + 1]; /* those that it was told of */
	} portal_tls; /* what the portal has said of certificate and key */
	__u64 news_lost; /* messages that found the outbox full */

	struct lz_request *followers[LZ_FOLLOWERS_MAX];
	bool busy; /* an import has the ledger: other changes wait */
	bool committing; /* in a thread: who reads the ledger waits in SQLite's mutex; status does not */
	struct lz_checkpoint checkpoint;
	bool ends_wait; /* more holds have ended than the last turn could close */
	struct lz_owners_look owners; /* {0}: from the start */
	struct lz_queue *queue; /* evidence that waits for its turn */
	struct lz_guard guard;
	struct lz_active_look active;
	bool guard_told; /* that it has tripped stands in the timeline */
	__u64 guarded; /* holds that the guard has refused or taken back */
	struct lz_deferred *deferred;
	struct lz_ask ask; /* too large for the stack */
	struct lz_answer answer;
	int code;
};

/** lz_ctl_now() - both clocks, in whole seconds */
struct lz_now lz_ctl_now(void);
/** lz_ctl_ended_s() - the wall clock for what is deleted or moved on when its time is over: see wall.h */
__u64 lz_ctl_ended_s(struct lz_ctl *ctl);
__u64 lz_ctl_wall_of(__u32 mono_s); /* of a moment of the data plane's clock */
__u32 lz_ctl_mono_of(__u64 wall_s); /* its inverse; cut to what that clock can say */
__u64 lz_ctl_generation(const struct lz_ctl *ctl); /* that judges; 0 = none */
const char *lz_class_name(const struct lz_ctl *ctl, __u32 class_); /* NULL = in no class */

/** lz_events_lost() - with a full ring, since the instance was made; each look keeps the alarm up to date */
__u64 lz_events_lost(struct lz_ctl *ctl);
/** lz_events_lost_lately() - is that an alarm still? */
bool lz_events_lost_lately(const struct lz_ctl *ctl);

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

#endif /* LZ_CONTROL_CTL_H */
