// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * requests.c - the keeper answers the controller, and believes none of its numbers.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "keeper/doorman.h"
#include "keeper/keeper.h"
#include "keeper/teller.h"
#include "keeper/wiring.h"
#include "policy/policy.h"
#include "privsep/chan.h"

static bool has_end(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static int check_rules(const struct lz_ask *ask, struct lz_err *reterr)
{
	if (ask->slot >= LZ_GENERATIONS || ask->n_rules > LZ_PLAN_RULES_MAX ||
	    (ask->flags & ~(__u32)(LZ_PLAN_F_YES | LZ_PLAN_F_STANDING | LZ_PLAN_F_GO_ON)))
		return lz_err_set(reterr, EINVAL, "plan: slot %u, %u rules, flags %x: out of range",
				  ask->slot, ask->n_rules, ask->flags);
	for (__u32 i = 0; i < ask->n_rules; i++) {
		const struct lz_port_rule *rule = &ask->rules[i];

		if (!has_end(rule->group, sizeof(rule->group)) || !rule->match[0] ||
		    !has_end(rule->match, sizeof(rule->match)) || rule->role == LZ_ROLE_NONE ||
		    rule->role > LZ_ROLE_UPLINK || rule->hook > LZ_WANT_TC || rule->egress > 1)
			return lz_err_set(reterr, EINVAL, "plan: rule %u: is malformed", i);
	}
	return 0;
}

/* For one that fits a policy already written down. What judges is pinned. */
static void let_instance_go(struct lz_keeper *k)
{
	lz_wiring_close(&k->wiring);
	lz_kernel_close(&k->kernel);
	k->opened = false;
	k->doorman.map_fd = -1; /* it was the kernel's */
}

static int open_instance(struct lz_keeper *k, const struct lz_ask *ask, struct lz_err *reterr)
{
	struct lz_instance_config config = {
		.name = k->options->instance,
		.sources_max = ask->sources_max,
		.colony_max = ask->colony_max,
		.ipv6_key_len = ask->ipv6_key_len,
		.replace = ask->flags & LZ_OPEN_F_REPLACE,
	};
	int r;

	if (config.sources_max < LZ_POLICY_CAPACITY_MIN || config.sources_max > LZ_POLICY_CAPACITY_MAX ||
	    config.colony_max < LZ_POLICY_CAPACITY_MIN || config.colony_max > LZ_POLICY_CAPACITY_MAX ||
	    config.ipv6_key_len < LZ_IPV6_KEY_LEN_MIN || config.ipv6_key_len > LZ_IPV6_KEY_LEN_MAX)
		return lz_err_set(reterr, EINVAL, "open: %u sources, %u held, key /%u: out of range",
				  config.sources_max, config.colony_max, config.ipv6_key_len);
	if (ask->flags & LZ_OPEN_F_TRY)
		return lz_kernel_try(&config, reterr);
	if (k->opened) { /* by an earlier controller, which may have had another policy */
		r = lz_kernel_fits(&k->kernel, &config, reterr);
		if (r == 0 || !config.replace)
			return r;
		let_instance_go(k);
	}
	lz_close_ref(&k->lock);
	r = lz_kernel_open(&config, &k->kernel, reterr);
	if (r == 0) {
		r = lz_wiring_open(&k->wiring, &k->kernel, reterr);
		if (r < 0)
			lz_kernel_close(&k->kernel);
	}
	if (r < 0) { /* another policy may fit better: until then nobody else takes the instance */
		k->lock = lz_kernel_lock(k->options->instance, NULL);
		return r;
	}
	k->opened = true;
	lz_log(LZ_LOG_INFO, "kernel-open", "pins=%s adopted=%d upgraded=%d beside=%d", k->kernel.dir,
	       k->kernel.adopted, k->kernel.upgraded, k->kernel.beside_fd >= 0);
	return 0;
}

static int answer_open(struct lz_keeper *k, struct lz_err *reterr)
{
	int r = k->ask.flags & ~(__u32)(LZ_OPEN_F_REPLACE | LZ_OPEN_F_TRY) ?
			lz_err_set(reterr, EINVAL, "open: flags %x: out of range", k->ask.flags) :
			open_instance(k, &k->ask, reterr);

	if (r < 0)
		return r;
	if (k->ask.flags & LZ_OPEN_F_TRY)
		return lz_chan_send(k->chan, &k->answer, sizeof(k->answer), NULL, 0, true);
	k->answer.beside = k->kernel.beside_fd >= 0;
	k->answer.instance = k->kernel.instance;
	return lz_chan_send(k->chan, &k->answer, sizeof(k->answer), k->kernel.maps.fd, LZ_MAP_SHARED_N,
			    true);
}

static int answer_inner(struct lz_keeper *k, struct lz_err *reterr)
{
	struct lz_inner_fds inner;
	int fds[3];
	int r = lz_inner_create(&k->ask.sizes, &inner, reterr);

	if (r < 0)
		return r;
	fds[0] = inner.ranges;
	fds[1] = inner.dests;
	fds[2] = inner.customers;
	r = lz_chan_send(k->chan, &k->answer, sizeof(k->answer), fds, 3, true);
	lz_inner_close(&inner);
	return r;
}

/* A controller taken over could have it started in a loop: not more often than this. */
#define LZ_TELLER_PAUSE_NS LZ_NS_PER_S

static int answer_teller(struct lz_keeper *k, struct lz_err *reterr)
{
	__u64 now_ns = lz_clock_mono_ns();
	int fd, r;

	if (k->teller_at_ns && now_ns - k->teller_at_ns < LZ_TELLER_PAUSE_NS)
		return lz_err_set(reterr, EAGAIN, "teller: was started less than a second ago");
	if (k->teller)
		kill(k->teller, SIGKILL);
	k->teller_at_ns = now_ns;
	r = lz_teller_spawn(k->options->user, &k->teller, &fd, reterr);
	if (r < 0)
		return r;
	r = lz_chan_send(k->chan, &k->answer, sizeof(k->answer), &fd, 1, true);
	close(fd);
	return r;
}

static int answer_ports(struct lz_keeper *k, struct lz_err *reterr)
{
	int r = k->opened ? lz_wiring_ports(&k->wiring, k->ask.after_ifindex, &k->answer, reterr) : 0;

	return r < 0 ? r : lz_chan_send(k->chan, &k->answer, sizeof(k->answer), NULL, 0, true);
}

static int keep(struct lz_keeper *k, struct lz_err *reterr)
{
	if (k->ask.slot >= LZ_GENERATIONS)
		return lz_err_set(reterr, EINVAL, "keep: slot %u: out of range", k->ask.slot);
	if (k->kernel.beside_fd >= 0) {
		int r = lz_strangers_carry(&k->kernel, reterr);

		if (r == 0)
			r = lz_kernel_take_over(&k->kernel, reterr);
		if (r < 0)
			return r;
		lz_log(LZ_LOG_NOTICE, "instance-replaced", "instance=%s ipv6_key=%u",
		       k->options->instance, k->kernel.instance.ipv6_key_len);
	}
	return lz_wiring_keep(&k->wiring, k->ask.slot, reterr);
}

static int ask_portal(struct lz_keeper *k, struct lz_err *reterr)
{
	if (k->ask.flags & ~(__u32)LZ_PORTAL_F_WANTED)
		return lz_err_set(reterr, EINVAL, "portal: flags %x: out of range", k->ask.flags);
	return lz_doorman_ask(&k->doorman, k->kernel.maps.fd[LZ_MAP_PORTAL_SOCKS], &k->ask, reterr);
}

/* Requests that only say yes or no. */
static int answer_plain(struct lz_keeper *k, struct lz_err *reterr)
{
	int r;

	if (!k->opened)
		return lz_err_set(reterr, ENODEV, "keeper: no instance is open yet");
	if (k->ask.kind == LZ_ASK_PLAN) {
		r = check_rules(&k->ask, reterr);
		if (r == 0)
			r = lz_wiring_plan(&k->wiring, &k->ask, reterr);
		k->answer.more = r > 0;
	} else {
		r = k->ask.kind == LZ_ASK_KEEP ? keep(k, reterr) : ask_portal(k, reterr);
	}
	k->answer.unjudged = k->wiring.unjudged;
	if (r < 0)
		return r;
	return lz_chan_send(k->chan, &k->answer, sizeof(k->answer), NULL, 0, true);
}

int lz_keeper_serve(struct lz_keeper *k)
{
	struct lz_err err = { "" };
	unsigned int n_fds = 0;
	int r;

	r = lz_chan_receive(k->chan, &k->ask, sizeof(k->ask), NULL, &n_fds);
	if (r < 0)
		return r == -EBADMSG ? -EPIPE : r;
	k->heard_ns = lz_clock_mono_ns();
	memset(&k->answer, 0, sizeof(k->answer));
	k->answer.kind = k->ask.kind;
	k->answer.seq = k->ask.seq;
	k->answer.unjudged = k->wiring.unjudged;
	switch (k->ask.kind) {
	case LZ_ASK_ALIVE:
		return 0;
	case LZ_ASK_READY:
		lz_keeper_hear_ready(k);
		return 0;
	case LZ_ASK_OPEN:
		r = answer_open(k, &err);
		break;
	case LZ_ASK_INNER:
		r = answer_inner(k, &err);
		break;
	case LZ_ASK_PORTS:
		r = answer_ports(k, &err);
		break;
	case LZ_ASK_PING:
		return lz_chan_send(k->chan, &k->answer, sizeof(k->answer), NULL, 0, true);
	case LZ_ASK_TELLER:
		r = answer_teller(k, &err);
		break;
	case LZ_ASK_PLAN:
	case LZ_ASK_KEEP:
	case LZ_ASK_PORTAL:
		r = answer_plain(k, &err);
		break;
	default:
		r = lz_err_set(&err, EINVAL, "keeper: request %u: there is none", k->ask.kind);
	}
	k->heard_ns = lz_clock_mono_ns(); /* it waited for us: the time this took is not its silence */
	if (r == -EPIPE || r == 0)
		return r;
	k->answer.result = r;
	snprintf(k->answer.text, sizeof(k->answer.text), "%s", err.text);
	return lz_chan_send(k->chan, &k->answer, sizeof(k->answer), NULL, 0, true);
}

void lz_keeper_tell(void *keeper, enum lz_told_what what, const char *text)
{
	static const struct {
		const char *event;
		enum lz_log_level level;
	} words[LZ_TOLD_N] = {
		[LZ_TOLD_ATTACHED] = { "hook-attached", LZ_LOG_NOTICE },
		[LZ_TOLD_DETACHED] = { "hook-detached", LZ_LOG_NOTICE },
		[LZ_TOLD_LOST] = { "hook-lost", LZ_LOG_ERROR },
		[LZ_TOLD_BACK] = { "hook-back", LZ_LOG_NOTICE },
		[LZ_TOLD_CHANGED] = { "hook-changed", LZ_LOG_NOTICE },
		[LZ_TOLD_FAULT] = { "interfaces-fault", LZ_LOG_ERROR },
		[LZ_TOLD_PORTAL_UP] = { "portal-up", LZ_LOG_NOTICE },
		[LZ_TOLD_PORTAL_DOWN] = { "portal-down", LZ_LOG_ERROR },
		[LZ_TOLD_PORTAL_DEAF] = { "portal-listen-failed", LZ_LOG_ERROR },
		[LZ_TOLD_PORTAL_HEARS] = { "portal-listen-back", LZ_LOG_NOTICE },
	};
	struct lz_keeper *k = keeper;
	lz_autofree struct lz_answer *told = calloc(1, sizeof(*told));

	if (what == LZ_TOLD_UNJUDGED)
		; /* why it is so has been logged */
	else if (what == LZ_TOLD_FAULT || what >= LZ_TOLD_PORTAL_UP)
		lz_log(words[what].level, words[what].event, "why=%s", text);
	else
		lz_log(words[what].level, words[what].event, "interface=%s", text);
	if (!told || k->chan < 0)
		return;
	told->kind = LZ_ASK_N;
	told->what = what;
	told->unjudged = k->wiring.unjudged;
	snprintf(told->text, sizeof(told->text), "%s", text);
	lz_chan_send(k->chan, told, sizeof(*told), NULL, 0, false);
}
