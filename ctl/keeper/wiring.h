/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wiring.h - the keeper's side of interfaces: what both generations want, what is there, and the way
 * from one to the other. Roles are per generation, the union is attached; nothing is detached
 * before the generation that wanted it is over.
 */
#ifndef LZ_KEEPER_WIRING_H
#define LZ_KEEPER_WIRING_H

#include "datapath/failed.h"
#include "datapath/ports.h"
#include "privsep/chan.h"

/* An interface that is gone has no name any more, and one that was renamed another. */
struct lz_known_port {
	__u32 ifindex; /* 0: gone, and the policy calls for it by name */
	char name[IF_NAMESIZE];
};

struct lz_wiring {
	const struct lz_kernel *kernel;
	struct lz_ports ports;
	struct lz_port_rule rules[LZ_GENERATIONS][LZ_PLAN_RULES_MAX];
	size_t n_rules[LZ_GENERATIONS];
	bool planned[LZ_GENERATIONS];
	bool settled; /* no generation is waiting: what nobody wants may be detached */
	bool begun[LZ_GENERATIONS]; /* a plan that takes more than one message */
	bool was_planned[LZ_GENERATIONS]; /* before that */
	void (*told)(void *arg, enum lz_told_what what, const char *text);
	void *arg;
	__u32 unjudged; /* a bit for each slot that is planned, and no customer port of it has a hook */
	__u32 judging; /* the others, while a look goes on */
	__u64 unseen_ns[LZ_GENERATIONS]; /* since when no look has found one there; 0 = the last one has */
	struct lz_netdevs seen; /* at the last look */
	char fault[512]; /* why the last look did not work out, so that it is told once */
	struct lz_failed failed; /* ports that are wanted and cannot be attached */
	__u32 lost[64]; /* ifindexes whose hook is missing, told */
	size_t n_lost;
	struct lz_known_port *known; /* what was wired, by the name it had then */
	size_t n_known, cap_known;
};

int lz_wiring_open(struct lz_wiring *w, const struct lz_kernel *kernel, struct lz_err *reterr);
void lz_wiring_close(struct lz_wiring *w);

/**
 * lz_wiring_plan() - roles for an idle slot (or again for the active one), and the hooks for them
 *
 * All or nothing: a hook that cannot be attached leaves roles and hooks as they were; but with LZ_PLAN_F_GO_ON
 * it is told, lz_wiring_sync() tries it again, and the others stand. The kernel waits for all CPUs at each hook,
 * 10 ms and more, so with hundreds of ports this is done in slices.
 *
 * Return: 0; 1: ask the same again for the next slice; -errno with @reterr set.
 */
int lz_wiring_plan(struct lz_wiring *w, const struct lz_ask *ask, struct lz_err *reterr);

/** lz_wiring_keep() - only @slot's wishes count from now on: detach, and change hooks, as it says */
int lz_wiring_keep(struct lz_wiring *w, __u32 slot, struct lz_err *reterr);

/** lz_wiring_sync() - look again, and try again what failed: after a change of interfaces, and twice a second */
void lz_wiring_sync(struct lz_wiring *w);

/** lz_wiring_ports() - what is planned or attached, by ifindex, above @after; and why one of them has no hook */
int lz_wiring_ports(struct lz_wiring *w, __u32 after, struct lz_answer *ret, struct lz_err *reterr);

/** lz_wiring_tell() - whoever gave @w->told */
void lz_wiring_tell(struct lz_wiring *w, enum lz_told_what what, const char *text);

#endif /* LZ_KEEPER_WIRING_H */
