// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * wiring.c - from globs to hooks, and back when interfaces come and go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "datapath/rehook.h"
#include "keeper/judged.h"
#include "keeper/known.h"
#include "keeper/look.h"
#include "keeper/wiring.h"
#include "privsep/chan.h"

/* Then the keeper looks up: who asks it something must not take it for dead. */
#define LZ_WIRING_SLICE_NS (250 * LZ_NS_PER_MS)

/* Is a slice over? Never before its first hook, so that each one gets further. */
static bool slice_over(__u64 *end_ns)
{
	if (*end_ns)
		return lz_clock_mono_ns() >= *end_ns;
	*end_ns = lz_clock_mono_ns() + LZ_WIRING_SLICE_NS;
	return false;
}

/* Must a hook be attached for it, and is there no time any more? */
static bool must_wait(const struct lz_look *look, const struct lz_port_want *want, __u64 *end_ns)
{
	return !lz_look_hooked(look, want->ifindex) && slice_over(end_ns);
}

void lz_wiring_tell(struct lz_wiring *w, enum lz_told_what what, const char *text)
{
	if (w->told)
		w->told(w->arg, what, text);
}

static bool was_lost(struct lz_wiring *w, __u32 ifindex, bool forget)
{
	for (size_t i = 0; i < w->n_lost; i++)
		if (w->lost[i] == ifindex) {
			if (forget)
				w->lost[i] = w->lost[--w->n_lost];
			return true;
		}
	return false;
}

/* The entry first, then the hook: a program that runs without an entry passes everything. */
static int wire(struct lz_wiring *w, struct lz_look *look, struct lz_port_want *want, __u32 slot,
		struct lz_err *reterr)
{
	const struct lz_attachment *have = lz_look_have(look, want->ifindex);
	unsigned int flags = want->egress ? LZ_ATTACH_F_EGRESS : 0;
	bool there = lz_look_hooked(look, want->ifindex);
	char name[IF_NAMESIZE];
	int r;

	if (there)
		want->mode = have->mode; /* another hook waits for lz_wiring_keep() */
	r = lz_ports_set(&w->ports, want, slot, reterr);
	if (r < 0)
		return r;
	if (there)
		lz_judged_note(w, want, slot);
	if (there && have->egress >= want->egress) {
		lz_known_remember(w, want);
		return 0;
	}
	r = lz_attach(w->kernel, want->ifindex, want->mode, flags, reterr);
	if (r < 0 && !if_indextoname(want->ifindex, name)) { /* it went meanwhile, as sessions do */
		lz_ports_clear(&w->ports, want->ifindex);
		return 0;
	}
	if (r == 0) {
		bool is_back = lz_known_remember(w, want);

		lz_judged_note(w, want, slot);
		is_back |= was_lost(w, want->ifindex, true);
		lz_wiring_tell(w, is_back ? LZ_TOLD_BACK : LZ_TOLD_ATTACHED, want->name);
	}
	return r;
}

/* And if it cannot be: told, and its turn will come again. */
static bool wire_or_note(struct lz_wiring *w, struct lz_look *look, struct lz_port_want *want, __u32 slot)
{
	struct lz_err err = { "" };
	const char *text;

	if (wire(w, look, want, slot, &err) == 0) {
		lz_failed_forget(&w->failed, want->ifindex);
		return true;
	}
	text = lz_failed_note(&w->failed, want->ifindex, want->name, &err, lz_clock_mono_ns());
	if (text)
		lz_wiring_tell(w, LZ_TOLD_FAULT, text);
	return false;
}

/* For a plan. One that goes on tries each port once, or its slices would never come to an end. */
static int wire_planned(struct lz_wiring *w, struct lz_look *look, struct lz_port_want *want, const struct lz_ask *ask,
			struct lz_err *reterr)
{
	int r;

	if (!(ask->flags & LZ_PLAN_F_GO_ON)) {
		r = wire(w, look, want, ask->slot, reterr);
		if (r == 0)
			lz_failed_forget(&w->failed, want->ifindex);
		return r;
	}
	if (lz_failed_find(&w->failed, want->ifindex) && !lz_look_hooked(look, want->ifindex))
		lz_ports_set(&w->ports, want, ask->slot, NULL); /* its role, for whoever looks */
	else
		wire_or_note(w, look, want, ask->slot);
	return 0;
}

/* Take back what a plan did before it failed. */
static void unwire(struct lz_wiring *w, struct lz_look *look, __u32 slot)
{
	for (size_t i = 0; i < look->want[slot].n; i++) {
		struct lz_port_want *want = &look->want[slot].v[i];

		if (lz_look_have(look, want->ifindex) || lz_look_want(look, !slot, want->ifindex))
			continue;
		lz_detach(w->kernel, want->ifindex, NULL);
		lz_ports_clear(&w->ports, want->ifindex);
	}
}

int lz_wiring_open(struct lz_wiring *w, const struct lz_kernel *kernel, struct lz_err *reterr)
{
	struct lz_attachments have = { 0 };
	int r;

	r = lz_attachments_read(kernel, &have, reterr);
	if (r == 0)
		r = lz_ports_open(&kernel->maps, &have, &w->ports, reterr);
	lz_attachments_done(&have);
	if (r == 0)
		w->kernel = kernel;
	return r;
}

void lz_wiring_close(struct lz_wiring *w)
{
	if (w->kernel)
		lz_ports_close(&w->ports);
	w->kernel = NULL;
	w->planned[0] = w->planned[1] = w->settled = false;
	w->begun[0] = w->begun[1] = w->was_planned[0] = w->was_planned[1] = false;
	lz_judged_forget(w);
	lz_netdevs_done(&w->seen);
	lz_known_done(w);
	lz_failed_done(&w->failed);
}

static int check_first_xdp(struct lz_look *look, const struct lz_ask *ask, struct lz_err *reterr)
{
	const char *name;

	if (ask->flags & LZ_PLAN_F_YES)
		return 0;
	name = lz_port_wants_first_xdp(&look->want[ask->slot], &look->have);
	if (!name)
		return 0;
	return lz_err_set(reterr, EPERM,
			  "%s: first XDP program on a physical port may flap its link; repeat with "
			  "--yes, or say \"hook\": \"tc\"",
			  name);
}

int lz_wiring_plan(struct lz_wiring *w, const struct lz_ask *ask, struct lz_err *reterr)
{
	struct lz_look look;
	__u64 end_ns = 0;
	size_t i;
	int r;

	if (!w->begun[ask->slot])
		w->was_planned[ask->slot] = w->planned[ask->slot];
	w->begun[ask->slot] = false;
	memcpy(w->rules[ask->slot], ask->rules, sizeof(ask->rules));
	w->n_rules[ask->slot] = ask->n_rules;
	w->planned[ask->slot] = true;
	r = lz_look_around(w, ask->flags & LZ_PLAN_F_STANDING ? LZ_LOOK_NOBODY_ASKS : (int)ask->slot, &look, reterr);
	if (r < 0) {
		w->planned[ask->slot] = w->was_planned[ask->slot];
		return r;
	}
	w->judging = 0;
	r = check_first_xdp(&look, ask, reterr);
	for (i = 0; r == 0 && i < look.want[ask->slot].n; i++) {
		struct lz_port_want *want = &look.want[ask->slot].v[i];

		if (want->unfit)
			continue;
		if (must_wait(&look, want, &end_ns))
			break;
		r = wire_planned(w, &look, want, ask, reterr);
	}
	if (r < 0) {
		unwire(w, &look, ask->slot);
		if (!w->was_planned[ask->slot]) /* idle: nobody is judged by its roles */
			lz_ports_clear_slot(&w->ports, ask->slot);
		w->planned[ask->slot] = w->was_planned[ask->slot];
	} else if (i < look.want[ask->slot].n) { /* still settled: what this leaves behind must go if it fails */
		w->begun[ask->slot] = true;
		r = 1;
	} else {
		lz_judged_planned(w, ask->slot);
		w->settled = false;
	}
	lz_look_done(w, &look);
	return r;
}

/* An interface is gone, or nobody wants it any more. What takes longer than a slice waits for the next look. */
static void drop_unwanted(struct lz_wiring *w, struct lz_look *look)
{
	__u64 end_ns = 0;

	for (size_t i = 0; i < look->have.n; i++) {
		const struct lz_attachment *have = &look->have.v[i];
		bool wanted = lz_look_want(look, 0, have->ifindex) || lz_look_want(look, 1, have->ifindex);

		if (!have->dead && (wanted || !w->settled))
			continue;
		if (slice_over(&end_ns))
			break;
		if (lz_detach(w->kernel, have->ifindex, NULL) < 0)
			continue;
		lz_ports_clear(&w->ports, have->ifindex);
		was_lost(w, have->ifindex, true);
		lz_known_detached(w, have);
	}
}

/* A port of one slot that the other does not want keeps no role there: it may have been renamed. */
static void clear_roles(struct lz_wiring *w, struct lz_look *look, __u32 slot)
{
	for (size_t i = 0; i < look->want[!slot].n; i++) {
		struct lz_port_want want = look->want[!slot].v[i];

		if (want.unfit || lz_look_want(look, (int)slot, want.ifindex))
			continue;
		want.role = LZ_ROLE_NONE;
		lz_ports_set(&w->ports, &want, slot, NULL);
	}
}

/* A port that has one hook, and the policy says another: only for good, like detaching. */
static void change_hooks(struct lz_wiring *w, struct lz_look *look, __u32 slot)
{
	const struct lz_port_wants *wants = &look->want[slot];
	lz_autofree struct lz_rehook *v = calloc(wants->n + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; v && i < wants->n; i++) {
		const struct lz_attachment *have = lz_look_have(look, wants->v[i].ifindex);

		if (have && !have->dead && have->mode != LZ_ATTACH_NONE && have->mode != wants->v[i].mode)
			v[n++] = (struct lz_rehook){ .ifindex = have->ifindex, .from = have->mode,
						     .to = wants->v[i].mode };
	}
	if (!n)
		return;
	lz_rehook(w->kernel, &w->ports, v, n);
	for (size_t i = 0; i < n; i++) {
		const struct lz_attachment *have = lz_look_have(look, v[i].ifindex);

		if (v[i].result < 0)
			lz_wiring_tell(w, LZ_TOLD_FAULT, v[i].err.text);
		if (v[i].result == 0 || v[i].from != LZ_ATTACH_TC)
			lz_wiring_tell(w, LZ_TOLD_CHANGED, have->name);
	}
}

int lz_wiring_keep(struct lz_wiring *w, __u32 slot, struct lz_err *reterr)
{
	struct lz_look look;
	int r;

	if (!w->planned[slot])
		return lz_err_set(reterr, EINVAL, "keep: slot %u has no plan", slot);
	w->planned[!slot] = false;
	w->n_rules[!slot] = 0;
	w->settled = true;
	r = lz_look_around(w, LZ_LOOK_NOBODY_ASKS, &look, reterr);
	if (r < 0)
		return r;
	drop_unwanted(w, &look);
	lz_known_forget(w);
	lz_ports_clear_slot(&w->ports, !slot);
	change_hooks(w, &look, slot);
	lz_look_done(w, &look);
	return 0;
}

static void tell_fault(struct lz_wiring *w, const struct lz_err *err)
{
	if (lz_streq(w->fault, err->text))
		return;
	snprintf(w->fault, sizeof(w->fault), "%s", err->text);
	lz_wiring_tell(w, LZ_TOLD_FAULT, err->text);
}

/* Of one look: there is room for one to be remembered, and each other would be told anew. */
static void tell_first_fault(struct lz_wiring *w, bool *fault, const struct lz_err *err)
{
	if (!*fault)
		tell_fault(w, err);
	*fault = true;
}

/* What nobody wants any more, or has no place beside the others, is tried no more, and leaves no entry. */
static void drop_failed(struct lz_wiring *w, struct lz_look *look)
{
	for (size_t i = 0; i < w->failed.n;) {
		__u32 ifindex = w->failed.v[i].ifindex;

		if (lz_look_fit(look, 0, ifindex) || lz_look_fit(look, 1, ifindex)) {
			i++;
			continue;
		}
		if (!lz_look_have(look, ifindex)) /* else drop_unwanted() does, once it is detached */
			lz_ports_clear(&w->ports, ifindex);
		lz_failed_forget(&w->failed, ifindex);
	}
}

/* A port that failed, in both generations: it gets the hook of the first that wants it, as if it had it before.
 * One that went meanwhile leaves no entry. */
static void try_again(struct lz_wiring *w, struct lz_look *look, __u32 ifindex)
{
	struct lz_port_want *first = lz_look_fit(look, 0, ifindex), *other = lz_look_fit(look, 1, ifindex);
	__u32 slot = first ? 0 : 1;
	char name[IF_NAMESIZE];

	if (!first) {
		first = other;
		other = NULL;
	}
	if (wire_or_note(w, look, first, slot) && other && if_indextoname(ifindex, name)) {
		other->mode = first->mode;
		lz_ports_set(&w->ports, other, !slot, NULL);
		lz_judged_note(w, other, !slot);
	}
}

/* Of those whose time has come, who has waited longest: so each has his turn, be they more than fit in a slice. */
static void try_failed(struct lz_wiring *w, struct lz_look *look, __u64 *end_ns)
{
	const struct lz_failed_port *port;

	while ((port = lz_failed_due(&w->failed, lz_clock_mono_ns())) && !slice_over(end_ns))
		try_again(w, look, port->ifindex);
}

/* What @slot wants and has not: newcomers, and hooks that somebody took. */
static void sync_slot(struct lz_wiring *w, struct lz_look *look, __u32 slot, __u64 *end_ns)
{
	for (size_t i = 0; i < look->want[slot].n; i++) {
		struct lz_port_want *want = &look->want[slot].v[i];
		const struct lz_attachment *have = lz_look_have(look, want->ifindex);

		if (want->unfit)
			continue;
		if (have && have->mode == LZ_ATTACH_NONE && !was_lost(w, want->ifindex, false) &&
		    w->n_lost < LZ_ARRAY_SIZE(w->lost)) {
			w->lost[w->n_lost++] = want->ifindex;
			lz_wiring_tell(w, LZ_TOLD_LOST, want->name);
		}
		if (lz_look_hooked(look, want->ifindex))
			lz_judged_note(w, want, slot);
		if (!lz_failed_find(&w->failed, want->ifindex) && !must_wait(look, want, end_ns))
			wire_or_note(w, look, want, slot);
	}
}

void lz_wiring_sync(struct lz_wiring *w)
{
	struct lz_err err = { "" };
	struct lz_look look;
	bool fault = false;
	__u64 end_ns = 0;

	if (!w->kernel || (!w->planned[0] && !w->planned[1]))
		return;
	if (lz_look_around(w, LZ_LOOK_NOBODY_ASKS, &look, &err) < 0) {
		tell_fault(w, &err);
		return;
	}
	w->judging = 0;
	drop_failed(w, &look);
	for (__u32 slot = 0; slot < LZ_GENERATIONS; slot++) {
		sync_slot(w, &look, slot, &end_ns);
		if (look.want[slot].unfit.text[0])
			tell_first_fault(w, &fault, &look.want[slot].unfit);
		if (w->planned[slot])
			clear_roles(w, &look, slot);
	}
	try_failed(w, &look, &end_ns);
	lz_judged_looked(w, lz_clock_mono_ns());
	if (!fault)
		w->fault[0] = '\0';
	drop_unwanted(w, &look);
	lz_look_done(w, &look);
}

int lz_wiring_ports(struct lz_wiring *w, __u32 after, struct lz_answer *ret, struct lz_err *reterr)
{
	struct lz_look look;
	int r;

	r = lz_look_around(w, LZ_LOOK_NOBODY_ASKS, &look, reterr);
	if (r < 0)
		return r;
	lz_text_set(ret->text, sizeof(ret->text), w->failed.n ? lz_failed_why(&w->failed) : w->fault);
	for (size_t i = 0; i < look.devs.n; i++) {
		const struct lz_netdev *dev = &look.devs.v[i];
		const struct lz_attachment *have = lz_look_have(&look, dev->ifindex);
		const struct lz_port_want *want = lz_look_want(&look, 0, dev->ifindex);
		const struct lz_port_want *other = lz_look_want(&look, 1, dev->ifindex);
		struct lz_port_told *port;

		/* of two generations the one that wants a change */
		if (!want || (other && have && want->mode == have->mode))
			want = other;
		if (dev->ifindex <= after || (!have && !want))
			continue;
		if (ret->n_ports == LZ_PORTS_A_MESSAGE) {
			ret->more = 1;
			break;
		}
		port = &ret->ports[ret->n_ports++];
		memcpy(port->name, dev->name, sizeof(port->name));
		port->ifindex = dev->ifindex;
		port->mode = (__u8)(have ? have->mode : LZ_ATTACH_NONE);
		port->up = dev->up;
		port->planned = want != NULL;
		port->wanted = (__u8)(want ? want->mode : LZ_ATTACH_NONE);
		port->unfit = want && (want->unfit || want->clash);
		port->failed = lz_failed_find(&w->failed, dev->ifindex) != NULL;
	}
	lz_look_done(w, &look);
	return 0;
}
