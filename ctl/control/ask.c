// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ask.c - the controller's side of the channel: ask and wait; what the keeper tells in between is
 * taken as it comes.
 *
 * A keeper may work for long on what it was asked, but not before it takes it up: with the sockets
 * open, whoever asks it sees first whether it is there, and asks no more once it was not, until it is
 * heard again. So what hangs there does not silence what can be told without it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/ask.h"
#include "control/ctl.h"
#include "control/defer.h"
#include "control/instance.h"
#include "control/rules.h"
#include "control/tell.h"
#include "privsep/chan.h"

/* Names with a space between them; eth1 is not in "eth10". */
static void hook_lost(struct lz_ctl *ctl, const char *name, bool lost)
{
	size_t len = strlen(name), used = strlen(ctl->lost_hooks);
	char *at = ctl->lost_hooks;

	while (*at && (strncmp(at, name, len) || (at[len] != ' ' && at[len] != '\0'))) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	if (!lost && *at) {
		memmove(at, at + len + (at[len] == ' '), strlen(at + len + (at[len] == ' ')) + 1);
		if (!*at && at > ctl->lost_hooks)
			at[-1] = '\0';
	} else if (lost && !*at && used + len + 2 < sizeof(ctl->lost_hooks)) {
		if (used)
			ctl->lost_hooks[used++] = ' ';
		memcpy(ctl->lost_hooks + used, name, len + 1);
	}
}

/* The keeper has logged it; here it becomes a row of the timeline and of monitors. */
static void take_told(struct lz_ctl *ctl, const struct lz_answer *told)
{
	static const char *const events[LZ_TOLD_N] = {
		[LZ_TOLD_ATTACHED] = "hook-attached", [LZ_TOLD_DETACHED] = "hook-detached",
		[LZ_TOLD_LOST] = "hook-lost",	      [LZ_TOLD_BACK] = "hook-back",
		[LZ_TOLD_CHANGED] = "hook-changed",   [LZ_TOLD_FAULT] = "interfaces-fault",
		[LZ_TOLD_PORTAL_UP] = "portal-up",    [LZ_TOLD_PORTAL_DOWN] = "portal-down",
		[LZ_TOLD_PORTAL_DEAF] = "portal-listen-failed",
		[LZ_TOLD_PORTAL_HEARS] = "portal-listen-back",
	};
	bool of_hook = told->what < LZ_TOLD_FAULT;
	struct lz_note note = { 0 };

	if (told->what >= LZ_TOLD_N || told->what == LZ_TOLD_UNJUDGED)
		return;
	if (of_hook)
		hook_lost(ctl, told->text, told->what == LZ_TOLD_LOST);
	if (told->what == LZ_TOLD_PORTAL_UP)
		ctl->portal_fault[0] = '\0';
	else if (told->what == LZ_TOLD_PORTAL_DOWN)
		lz_text_set(ctl->portal_fault, sizeof(ctl->portal_fault), told->text);
	else if (told->what == LZ_TOLD_PORTAL_DEAF || told->what == LZ_TOLD_PORTAL_HEARS)
		lz_text_set(ctl->portal_deaf, sizeof(ctl->portal_deaf), told->text);
	lz_text_set(note.event, sizeof(note.event), events[told->what]);
	lz_text_set(note.actor, sizeof(note.actor), "keeper");
	if (!of_hook)
		lz_text_set(note.reason, sizeof(note.reason), told->text);
	else
		lz_text_set(note.object, sizeof(note.object), told->text);
	lz_tell_note(ctl, LZ_LOG_DEBUG, &note);
}

/* Long enough for one that waits for the lock of all network configuration; clients wait for 10 s. */
#define LZ_KEEPER_HEAR_MS 5000
#define LZ_KEEPER_SLICE_S 10 /* a slice of hooks is a quarter of a second, and what one hook takes */

/* One message; without its keeper a controller has nothing to live for. */
static int receive(struct lz_ctl *ctl, int *fds, unsigned int *n_fds)
{
	int r = lz_chan_receive(ctl->keeper, &ctl->answer, sizeof(ctl->answer), fds, n_fds);

	if (r == -EPIPE || r == -EBADMSG) {
		lz_log(LZ_LOG_ERROR, "keeper-gone", "instance=%s", ctl->options->instance);
		exit(LZ_CODE_REFUSED);
	}
	if (r == 0)
		ctl->unjudged = ctl->answer.unjudged;
	if (r == 0 && ctl->silent_since_s) {
		lz_log(LZ_LOG_NOTICE, "keeper-answers", "silent_s=%llu", lz_ctl_silent_s(ctl));
		ctl->silent_since_s = 0;
	}
	return r;
}

unsigned long long lz_ctl_silent_s(const struct lz_ctl *ctl)
{
	return ctl->silent_since_s ? lz_ctl_now().mono_s - ctl->silent_since_s : 0;
}

static int silent(struct lz_ctl *ctl, int wait_ms, struct lz_err *reterr)
{
	const char *name = ctl->options->instance;

	if (!ctl->silent_since_s) {
		ctl->silent_since_s = lz_ctl_now().mono_s - (__u64)wait_ms / 1000;
		lz_log(LZ_LOG_ERROR, "keeper-silent", "silent_s=%llu", lz_ctl_silent_s(ctl));
	}
	return lz_err_set(reterr, ETIMEDOUT, "keeper: no answer for %llu s; hooks stay as they are; "
			  "%s%s", lz_ctl_silent_s(ctl),
			  name[0] ? "restart lazaretd --instance " : "systemctl restart lazaret", name);
}

static void wire_answer(struct lz_ctl *ctl);

static int send_ask(struct lz_ctl *ctl, struct lz_ask *message, int wait_ms)
{
	int r;

	message->seq = ++ctl->asked;
	r = lz_chan_send(ctl->keeper, message, sizeof(*message), NULL, 0, true);
	if (r == -EAGAIN && lz_chan_wait(ctl->keeper, true, wait_ms) == 0)
		r = lz_chan_send(ctl->keeper, message, sizeof(*message), NULL, 0, true);
	return r;
}

/* Until this one is answered; what came too late for another is thrown away. */
static int converse(struct lz_ctl *ctl, struct lz_ask *message, int wait_ms, int *fds,
		    unsigned int *n_fds, struct lz_err *reterr)
{
	int r;

	if (ctl->silent_since_s)
		return silent(ctl, 0, reterr);
	r = send_ask(ctl, message, wait_ms);
	if (r == -EAGAIN)
		return silent(ctl, wait_ms, reterr);
	if (r < 0)
		return lz_err_set(reterr, -r, "keeper: cannot ask: %s", strerror(-r));
	for (;;) {
		r = lz_chan_wait(ctl->keeper, false, wait_ms);
		if (r == -ETIMEDOUT)
			return silent(ctl, wait_ms, reterr);
		if (r == 0)
			r = receive(ctl, fds, n_fds);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return lz_err_set(reterr, -r, "keeper: %s", strerror(-r));
		if (ctl->answer.kind == message->kind && ctl->answer.seq == message->seq)
			return 0;
		for (unsigned int i = 0; n_fds && i < *n_fds; i++)
			close(fds[i]);
		if (ctl->answer.kind == LZ_ASK_N)
			take_told(ctl, &ctl->answer);
		wire_answer(ctl);
	}
}

static int ask(struct lz_ctl *ctl, int *fds, unsigned int *n_fds, struct lz_err *reterr)
{
	static struct lz_ask ping = { .kind = LZ_ASK_PING };
	bool is_look = ctl->ask.kind == LZ_ASK_PORTS;
	int r = 0;

	if (ctl->serve && !is_look)
		r = converse(ctl, &ping, LZ_KEEPER_HEAR_MS, NULL, NULL, reterr);
	if (r == 0)
		r = converse(ctl, &ctl->ask, is_look ? LZ_KEEPER_HEAR_MS : LZ_CHAN_WAIT_MS, fds, n_fds,
			     reterr);
	if (r < 0) {
		if (n_fds)
			*n_fds = 0;
		return r;
	}
	ctl->answer.text[sizeof(ctl->answer.text) - 1] = '\0';
	if (ctl->answer.result < 0)
		return lz_err_set(reterr, -ctl->answer.result, "%s", ctl->answer.text);
	return 0;
}

static void begin(struct lz_ctl *ctl, enum lz_ask_kind kind)
{
	memset(&ctl->ask, 0, sizeof(ctl->ask));
	ctl->ask.kind = kind;
}

static int ask_open(struct lz_ctl *ctl, const struct lz_policy *policy, __u32 sources_min,
		    __u32 colony_min, __u32 flags, int *fds, unsigned int *n, struct lz_err *reterr)
{
	begin(ctl, LZ_ASK_OPEN);
	ctl->ask.flags = flags;
	ctl->ask.sources_max = policy->sources_max > sources_min ? policy->sources_max : sources_min;
	ctl->ask.colony_max = policy->colony_max > colony_min ? policy->colony_max : colony_min;
	ctl->ask.ipv6_key_len = policy->ipv6_key;
	return ask(ctl, fds, n, reterr);
}

int lz_ctl_open(struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr)
{
	int fds[LZ_CHAN_FDS_MAX];
	unsigned int n = 0;
	int r;

	if (ctl->opened)
		return lz_ctl_fits(ctl, policy, reterr);
	r = ask_open(ctl, policy, ctl->sources_min, ctl->colony_min, 0, fds, &n, reterr);
	/* An instance that is there already may be smaller, as long as this policy fits. If it does not,
	 * the policy was written down for another one: see exchange.c. Another build's is exchanged, too. */
	if (r == -ENOSPC || r == -EMEDIUMTYPE)
		r = ask_open(ctl, policy, 0, 0, LZ_OPEN_F_REPLACE, fds, &n, reterr);
	else if (r == -EPROTONOSUPPORT)
		r = ask_open(ctl, policy, ctl->sources_min, ctl->colony_min, LZ_OPEN_F_REPLACE, fds, &n,
			     reterr);
	if (r == 0 && n != LZ_MAP_SHARED_N)
		r = lz_err_set(reterr, EPROTO, "keeper: %u maps, want %u", n, LZ_MAP_SHARED_N);
	if (r == 0) {
		memset(&ctl->fds, 0xff, sizeof(ctl->fds));
		memcpy(ctl->fds.fd, fds, n * sizeof(*fds));
		ctl->beside = ctl->answer.beside;
		r = lz_ctl_open_tables(ctl, reterr);
	}
	for (unsigned int i = 0; r < 0 && i < n; i++)
		close(fds[i]);
	return r;
}

int lz_ctl_try(struct lz_ctl *ctl, const struct lz_policy *policy, struct lz_err *reterr)
{
	return ask_open(ctl, policy, 0, 0, LZ_OPEN_F_TRY, NULL, NULL, reterr);
}

int lz_ctl_inner(struct lz_ctl *ctl, const struct lz_inner_sizes *sizes, struct lz_inner_fds *ret,
		 struct lz_err *reterr)
{
	int fds[LZ_CHAN_FDS_MAX];
	unsigned int n = 0;
	int r;

	begin(ctl, LZ_ASK_INNER);
	ctl->ask.sizes = *sizes;
	r = ask(ctl, fds, &n, reterr);
	if (r == 0 && n != 3)
		r = lz_err_set(reterr, EPROTO, "keeper: %u inner maps, want 3", n);
	for (unsigned int i = 0; r < 0 && i < n; i++)
		close(fds[i]);
	if (r == 0)
		*ret = (struct lz_inner_fds){ .ranges = fds[0], .dests = fds[1], .customers = fds[2] };
	return r;
}

int lz_ctl_teller(struct lz_ctl *ctl, int *ret_fd, struct lz_err *reterr)
{
	int fds[LZ_CHAN_FDS_MAX];
	unsigned int n = 0;
	int r;

	begin(ctl, LZ_ASK_TELLER);
	r = ask(ctl, fds, &n, reterr);
	if (r == 0 && n != 1)
		r = lz_err_set(reterr, EPROTO, "keeper: %u descriptors, want 1", n);
	for (unsigned int i = 0; r < 0 && i < n; i++)
		close(fds[i]);
	if (r == 0)
		*ret_fd = fds[0];
	return r;
}

static void begin_plan(struct lz_ctl *ctl, const struct lz_policy *policy, __u32 slot, __u32 flags)
{
	begin(ctl, LZ_ASK_PLAN);
	ctl->ask.slot = slot;
	ctl->ask.flags = flags;
	ctl->ask.n_rules = lz_rules_from_policy(policy, ctl->ask.rules);
}

int lz_ctl_plan(struct lz_ctl *ctl, const struct lz_policy *policy, __u32 slot, __u32 flags,
		struct lz_err *reterr)
{
	int r;

	begin_plan(ctl, policy, slot, flags);
	do
		r = ask(ctl, NULL, NULL, reterr);
	while (r == 0 && ctl->answer.more);
	return r;
}

/* ---------------------------------------------------------------- hooks of a policy to come
 *
 * Hundreds of hooks take seconds: they are attached slice by slice while the loop turns, and what comes
 * after that finds them there. Whatever goes wrong here goes wrong there again, and is told then.
 */

static int wire_ask(struct lz_ctl *ctl)
{
	int slot = lz_swap_idle_slot(&ctl->view);

	if (slot < 0 || ctl->silent_since_s)
		return -EBUSY;
	begin_plan(ctl, ctl->next.policy, (__u32)slot, ctl->next.yes ? LZ_PLAN_F_YES : 0);
	ctl->ask.seq = ctl->next.seq = ++ctl->asked;
	ctl->next.asked_s = lz_ctl_now().mono_s;
	ctl->next.answered = false;
	return lz_chan_send(ctl->keeper, &ctl->ask, sizeof(ctl->ask), NULL, 0, false);
}

static void wire_answer(struct lz_ctl *ctl)
{
	if (ctl->answer.kind != LZ_ASK_PLAN || !ctl->next.req || ctl->answer.seq != ctl->next.seq)
		return;
	ctl->next.answered = true;
	ctl->next.more = ctl->answer.result == 0 && ctl->answer.more;
}

int lz_ctl_wire(struct lz_ctl *ctl, struct lz_request *req, struct lz_policy *policy, bool yes)
{
	int r;

	if (!ctl->opened)
		return -ENODEV;
	ctl->next = (struct lz_next){ .req = req, .policy = policy, .yes = yes };
	r = wire_ask(ctl);
	if (r < 0)
		ctl->next = (struct lz_next){ 0 };
	return r;
}

void lz_ctl_wire_turn(struct lz_ctl *ctl)
{
	if (!ctl->next.req || ctl->next.wired)
		return;
	if (!ctl->next.answered) {
		if (!ctl->silent_since_s && lz_ctl_now().mono_s - ctl->next.asked_s < LZ_KEEPER_SLICE_S)
			return;
		silent(ctl, LZ_KEEPER_SLICE_S * 1000, NULL);
	} else if (ctl->next.more && wire_ask(ctl) == 0) {
		return;
	}
	ctl->next.wired = true;
	if (!ctl->busy)
		lz_ctl_resume(ctl);
}

int lz_ctl_keep(struct lz_ctl *ctl, __u32 slot, struct lz_err *reterr)
{
	begin(ctl, LZ_ASK_KEEP);
	ctl->ask.slot = slot;
	return ask(ctl, NULL, NULL, reterr);
}

static void fill_listen(const struct lz_endpoints *endpoints, struct lz_listen_ask *ret)
{
	for (size_t i = 0; i < endpoints->n; i++) {
		const struct lz_endpoint *at = &endpoints->v[i];

		if (at->addr.family == 4) {
			memcpy(ret->ip4, at->addr.bytes, 4);
			ret->port4 = at->port;
		} else {
			memcpy(ret->ip6, at->addr.bytes, 16);
			ret->port6 = at->port;
		}
	}
}

void lz_ctl_portal(struct lz_ctl *ctl)
{
	const struct lz_policy *policy = ctl->now.policy;
	struct lz_err err = { "" };

	if (!ctl->opened)
		return;
	begin(ctl, LZ_ASK_PORTAL);
	if (policy && policy->portal.present) {
		ctl->ask.flags = LZ_PORTAL_F_WANTED;
		fill_listen(&policy->portal.api.listen, &ctl->ask.api);
		fill_listen(&policy->portal.listen, &ctl->ask.own);
	}
	ctl->portal_fault[0] = ctl->portal_deaf[0] = '\0'; /* what is still wrong is told again */
	if (ask(ctl, NULL, NULL, &err) == 0)
		return;
	lz_text_set(ctl->portal_fault, sizeof(ctl->portal_fault), err.text);
	lz_log(LZ_LOG_ERROR, "portal-failed", "why=%s", err.text);
}

int lz_ctl_ports(struct lz_ctl *ctl, struct lz_port_told **ret, size_t *ret_n, struct lz_err *reterr)
{
	struct lz_port_told *ports = NULL;
	size_t n = 0, cap = 0;
	__u32 after = 0;
	int r;

	do {
		begin(ctl, LZ_ASK_PORTS);
		ctl->ask.after_ifindex = after;
		r = ask(ctl, NULL, NULL, reterr);
		if (r == 0 && ctl->answer.n_ports > LZ_PORTS_A_MESSAGE)
			r = lz_err_set(reterr, EPROTO, "keeper: %u interfaces in one answer",
				       ctl->answer.n_ports);
		if (r == 0)
			r = lz_array_grow(&ports, &cap, n + ctl->answer.n_ports, sizeof(*ports));
		if (r < 0) {
			free(ports);
			return r;
		}
		for (__u32 i = 0; i < ctl->answer.n_ports; i++) {
			ports[n] = ctl->answer.ports[i];
			after = ports[n++].ifindex;
		}
	} while (ctl->answer.more && ctl->answer.n_ports);
	lz_text_set(ctl->hook_fault, sizeof(ctl->hook_fault), ctl->answer.text);
	*ret = ports;
	*ret_n = n;
	return 0;
}

void lz_ctl_say(struct lz_ctl *ctl, enum lz_ask_kind kind)
{
	begin(ctl, kind);
	lz_chan_send(ctl->keeper, &ctl->ask, sizeof(ctl->ask), NULL, 0, kind == LZ_ASK_READY);
}

static void on_keeper(uv_poll_t *handle, int status, int events)
{
	struct lz_ctl *ctl = handle->data;

	(void)status;
	(void)events;
	while (receive(ctl, NULL, NULL) == 0) {
		if (ctl->answer.kind == LZ_ASK_N)
			take_told(ctl, &ctl->answer);
		wire_answer(ctl);
	}
	lz_ctl_wire_turn(ctl);
}

int lz_ctl_keeper_start(struct lz_ctl *ctl)
{
	int r = uv_poll_init(&ctl->loop, &ctl->keeper_poll, ctl->keeper);

	if (r < 0)
		return r;
	ctl->keeper_poll.data = ctl;
	return uv_poll_start(&ctl->keeper_poll, UV_READABLE | UV_DISCONNECT, on_keeper);
}
