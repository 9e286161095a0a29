/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * chan.h - between keeper and controller: fixed-size messages over a SOCK_SEQPACKET pair.
 *
 *   controller                                    keeper (CAP_BPF, CAP_NET_ADMIN)
 *     | OPEN  sizes, key length              -->    | create or adopt the instance, or make one
 *     |                                             | beside it that takes its place with KEEP
 *     | <-- instance, map descriptors               |
 *     | INNER sizes                          -->    | maps of one generation
 *     | <-- four descriptors                        |
 *     | PLAN  slot, globs                    -->    | roles in that slot, attach what is missing
 *     | KEEP  slot                           -->    | the other slot's globs are over: detach, change
 *     | PORTS after an ifindex               -->    | what is attached
 *     | TELLER                               -->    | start it, again if need be
 *     | <-- the other end of its channel            |
 *     | PORTAL wanted or not, its API        -->    | listen, start lazaret-portal
 *     | PING                                 -->    | answered at once, if nothing else is done
 *     | ALIVE, READY                         -->    | no answer
 *     | <-- TOLD: a hook was lost, is back, ..      | at any time
 *
 * The controller may have been taken over: the keeper checks every number again, a text from it is
 * never a format nor a path, and no program or link ever crosses.
 */
#ifndef LZ_PRIVSEP_CHAN_H
#define LZ_PRIVSEP_CHAN_H

#include "datapath/kernel.h"
#include "datapath/netdev.h"

/* The controller's exit: start me again, I have written down a policy that wants another instance, or the ledger
 * can be written that I started without. */
#define LZ_EXIT_REOPEN 75

#define LZ_PLAN_RULES_MAX 256
#define LZ_PORTS_A_MESSAGE 128
#define LZ_CHAN_FDS_MAX	  32
#define LZ_CHAN_WAIT_MS	  120000 /* an emulated Linux 6.1 verifies for half a minute and more */

enum lz_ask_kind {
	LZ_ASK_OPEN,
	LZ_ASK_INNER,
	LZ_ASK_PLAN,
	LZ_ASK_KEEP,
	LZ_ASK_PORTS,
	LZ_ASK_TELLER,
	LZ_ASK_PORTAL,
	LZ_ASK_PING,
	LZ_ASK_ALIVE,
	LZ_ASK_READY,
	LZ_ASK_N,
};

#define LZ_OPEN_F_REPLACE 0x01 /* if what is there does not fit: another beside it */
#define LZ_OPEN_F_TRY	  0x02 /* only: could it be made? no descriptors come back */

#define LZ_PLAN_F_YES	   0x01 /* the first XDP program of a physical port is agreed to */
#define LZ_PLAN_F_STANDING 0x02 /* a policy that was in force: an interface that does not fit goes without a hook */
#define LZ_PLAN_F_GO_ON	   0x04 /* so does one that none can be attached to; it is told, and tried again */
/* Of a policy that was in force: nobody asked for its interfaces now, and one of them must not leave the others
 * open. They would be tried unasked anyway, had they come while it is. */
#define LZ_PLAN_AS_IT_STOOD (LZ_PLAN_F_YES | LZ_PLAN_F_STANDING | LZ_PLAN_F_GO_ON)

#define LZ_PORTAL_F_WANTED 0x01

/* Where the portal listens, one of each family. */
struct lz_listen_ask {
	__u8 ip4[4];
	__u8 ip6[16];
	__u16 port4; /* 0: not on IPv4 */
	__u16 port6;
};

struct lz_ask {
	__u32 kind; /* enum lz_ask_kind */
	__u32 seq;  /* comes back with the answer */
	__u32 slot; /* PLAN, KEEP: 0 or 1 */
	__u32 flags; /* OPEN: LZ_OPEN_F_*; PLAN: LZ_PLAN_F_*; PORTAL: LZ_PORTAL_F_* */
	__u32 n_rules;
	__u32 sources_max; /* OPEN */
	__u32 colony_max;
	__u32 ipv6_key_len;
	__u32 after_ifindex; /* PORTS */
	struct lz_inner_sizes sizes; /* INNER */
	struct lz_listen_ask api; /* PORTAL: TLS */
	struct lz_listen_ask own; /* PORTAL: plain HTTP */
	struct lz_port_rule rules[LZ_PLAN_RULES_MAX];
};

struct lz_port_told {
	char name[IF_NAMESIZE];
	__u32 ifindex;
	__u8 mode; /* enum lz_attach_mode; NONE: planned and lost */
	__u8 up;
	__u8 planned; /* some rule in force wants it */
	__u8 wanted; /* enum lz_attach_mode, as it would be attached today */
	__u8 unfit; /* it cannot have a hook beside the others */
	__u8 failed; /* a hook cannot be attached to it now; it is tried again */
};

enum lz_told_what {
	LZ_TOLD_ATTACHED,
	LZ_TOLD_DETACHED,
	LZ_TOLD_LOST, /* a hook is not there although it should be */
	LZ_TOLD_BACK,
	LZ_TOLD_CHANGED, /* another hook, in place */
	LZ_TOLD_FAULT, /* interfaces and policy do not fit, or a hook cannot be attached; text says why */
	LZ_TOLD_PORTAL_UP,
	LZ_TOLD_PORTAL_DOWN, /* text says why; held hosts are refused instead of told */
	LZ_TOLD_PORTAL_DEAF, /* text says where of its own it cannot listen and why; all else goes on */
	LZ_TOLD_PORTAL_HEARS, /* it listens at all of them */
	LZ_TOLD_UNJUDGED, /* look at @unjudged: it is another */
	LZ_TOLD_N,
};

struct lz_answer {
	__s32 result; /* 0 or -errno, then text */
	__u32 kind; /* of the request, or LZ_ASK_N for TOLD */
	__u32 seq;  /* of the request */
	__u32 what; /* TOLD: enum lz_told_what */
	__u32 n_ports;
	__u32 more; /* PORTS: ask again; PLAN: the same again */
	__u32 beside; /* OPEN: another one judges until KEEP */
	__u32 unjudged; /* always: a bit for each slot that is planned, and no customer port of it has a hook */
	struct lz_instance instance; /* OPEN */
	char text[512]; /* error, or the interface's name; PORTS: "NAME: why" of one that is unfit or failed */
	struct lz_port_told ports[LZ_PORTS_A_MESSAGE];
};

int lz_chan_pair(int ret_fds[2]);

/** lz_chan_send() - @fds may be NULL; 0 or -errno (-EPIPE: the other side is gone) */
int lz_chan_send(int fd, const void *message, size_t size, const int *fds, unsigned int n_fds,
		 bool wait);

/**
 * lz_chan_receive() - one message of exactly @size bytes
 * @fds: room for LZ_CHAN_FDS_MAX, close-on-exec; *n_fds is set
 *
 * Return: 0; -EPIPE the other side is gone; -EAGAIN none there; -EBADMSG another size.
 */
int lz_chan_receive(int fd, void *message, size_t size, int *fds, unsigned int *n_fds);

/** lz_chan_wait() - until a message is there, or @to_send: there is room for one; 0 or -ETIMEDOUT */
int lz_chan_wait(int fd, bool to_send, int timeout_ms);

#endif /* LZ_PRIVSEP_CHAN_H */
