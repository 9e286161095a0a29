/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * keeper.h - what the keeper's two files share: its state, and the answers to the controller.
 */
#ifndef LZ_KEEPER_KEEPER_H
#define LZ_KEEPER_KEEPER_H

#include "keeper/doorman.h"
#include "keeper/wiring.h"
#include "privsep/options.h"

/* The child, without privileges; @chan: to the keeper. Returns its exit code. */
typedef int lz_controller_fn(const struct lz_options *options, const struct lz_identity *who, int chan);

struct lz_keeper {
	const struct lz_options *options;
	lz_controller_fn *be_controller;
	struct lz_identity who;
	struct lz_kernel kernel;
	int lock; /* of the instance, until it is opened; then kernel has it */
	bool opened; /* kernel and wiring are there */
	bool pins_lost; /* and cannot be made again: told */
	struct lz_wiring wiring;
	struct lz_doorman doorman;
	struct lz_netdev_monitor *monitor;
	int signal_fd;
	int chan; /* to the controller; -1 while there is none */
	pid_t controller;
	pid_t teller; /* 0: none */
	__u64 teller_at_ns; /* when it was last started */
	__u64 heard_ns; /* last message of the controller */
	__u64 restart_at_ns; /* 0 = it runs */
	__u64 backoff_ns;
	bool ready; /* READY=1 was said */
	bool relistens; /* the controller was ended, because somebody removed its sockets */
	unsigned int sockets; /* that it had when it was ready: a bit each */
	bool stopping;
	int code; /* exit code */
	struct lz_ask ask; /* one message each way, too large for the stack */
	struct lz_answer answer;
};

/** lz_keeper_serve() - read and answer one request; 0, -EAGAIN, or -EPIPE: the controller is gone */
int lz_keeper_serve(struct lz_keeper *k);

/** lz_keeper_hear_ready() - the controller is: it listens, and what was confirmed is in force */
void lz_keeper_hear_ready(struct lz_keeper *k);

/** lz_keeper_tell() - tell the controller and the log; the controller may be deaf */
void lz_keeper_tell(void *keeper, enum lz_told_what what, const char *text);

/**
 * lz_strangers_carry() - before lz_kernel_take_over(): what only the old tables know, if the ledger that filled
 * these is a wrong one. 0; -ENOSPC or another -errno: they must not take over.
 */
int lz_strangers_carry(const struct lz_kernel *kernel, struct lz_err *reterr);

/** lz_keeper_main() - @controller: what the child is; returns an exit code of enum lz_code */
int lz_keeper_main(const struct lz_options *options, lz_controller_fn *controller);

#endif /* LZ_KEEPER_KEEPER_H */
