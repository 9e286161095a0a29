/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kernel.h - one instance of the data plane in the kernel: create it or adopt it. Keeper only.
 *
 *   /sys/fs/bpf/lazaret[-NAME]/   0700, flock: one keeper an instance
 *       map_<name>                every map, made once
 *       rodata                    struct lz_instance of the programs in force
 *       prog_<name>               lz_xdp, lz_tc, lz_tc_out
 *       link_<kind>_<ifindex>     see attach.h
 *   /sys/fs/bpf/lazaret[-NAME]~next/   only while one instance takes another's place, see replace.c
 *
 * Pins before links, so a process killed at any instant leaves either no hook, and the next start
 * begins again, or a whole instance, and the next start adopts it. An adopted instance gets the
 * programs of this build by bpf_link_update: packets never meet an interface without a program.
 */
#ifndef LZ_DATAPATH_KERNEL_H
#define LZ_DATAPATH_KERNEL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/units.h"
#include "datapath/maps.h"

#define LZ_INSTANCE_NAME_MAX 32
#define LZ_PIN_PATH_MAX	     96
#define LZ_BPFFS	     "/sys/fs/bpf"

enum lz_prog_id {
	LZ_PROG_XDP,
	LZ_PROG_TC,
	LZ_PROG_TC_OUT,
	LZ_PROG_N,
};

struct lz_instance_config {
	const char *name; /* "" = the default instance; [A-Za-z0-9_-], at most LZ_INSTANCE_NAME_MAX */
	__u32 sources_max;
	__u32 colony_max;
	__u32 ipv6_key_len; /* 48..64 */
	__u32 replay;	    /* 1: the clock is lz_control.replay_now_ns: backtest and tests */
	bool replace;	    /* another key length, or more room: make a new one beside what is there */
};

struct lz_kernel {
	char dir[LZ_PIN_PATH_MAX]; /* the pin directory */
	int dir_fd;		   /* holds the flock */
	int rodata_fd;
	int prog_fd[LZ_PROG_N];
	struct lz_map_fds maps;
	struct lz_instance instance;
	bool adopted;  /* the maps were there */
	bool upgraded; /* the programs were there and are now another build's */
	int beside_fd; /* >= 0: of the instance that still judges, until lz_kernel_take_over() */
};

/**
 * lz_instance_check_name() - may this be an instance's name?
 * Return: 0 or -EINVAL with @reterr set.
 */
int lz_instance_check_name(const char *name, struct lz_err *reterr);

/** lz_instances_left() - is any instance pinned on this machine? */
bool lz_instances_left(void);

/** lz_instance_dir() - its pin directory; @name was checked */
void lz_instance_dir(const char *name, char ret[static LZ_PIN_PATH_MAX]);

/**
 * lz_instance_size() - tag lines and flow lines for a capacity
 *
 * Slots are (sources + colony) * 3/2. A line of 64 that is two thirds full on average is over-full
 * in 1 of 2,000, but those of dense neighbours are: see table.h. A flow line holds eight SYNs; sources / 16
 * lines, 1024..131072. Sets only those two members of @ret.
 */
void lz_instance_size(__u32 sources_max, __u32 colony_max, struct lz_instance *ret);

/** lz_instance_bytes() - kernel memory of an instance of this size, without its policy */
__u64 lz_instance_bytes(const struct lz_instance *instance);

/** lz_memory_available() - of this machine, by its kernel's estimate; 0 or -ENOENT */
int lz_memory_available(__u64 *ret_bytes);

/** lz_mib_format() - whole MiB or GiB, rounded up */
const char *lz_mib_format(__u64 bytes, char buf[static LZ_SIZE_TEXT_MAX]);

/** lz_instance_room() - has the machine memory for another one of this size? 0, or -ENOMEM with how much */
int lz_instance_room(const struct lz_instance *instance, struct lz_err *reterr);

/**
 * lz_kernel_open() - create the instance or adopt what is pinned
 * @ret: owned by the caller, lz_kernel_close()
 *
 * Adopting keeps seed and sizes: a policy with a larger capacity than the instance has is refused,
 * and so is another ipv6_key_len or ABI, or a pin that is gone, but with @config->replace: then @ret is a new, empty instance
 * beside the one that judges, and lz_kernel_take_over() exchanges them. A smaller capacity is no reason.
 * Pinned links of an adopted instance are updated in place if the programs differ.
 *
 * Return: 0; -EBUSY another keeper holds it; -EPROTONOSUPPORT pins of another ABI or shape, or not all
 *         there; -EMEDIUMTYPE other key length; -ENOSPC too small; -ENOMEM for its tables, how much and what to do; else
 *         -errno; always with @reterr set.
 */
int lz_kernel_open(const struct lz_instance_config *config, struct lz_kernel *ret,
		   struct lz_err *reterr);

/** lz_kernel_fits() - does an open instance do for this? 0, -EMEDIUMTYPE, -ENOSPC, as lz_kernel_open() */
int lz_kernel_fits(const struct lz_kernel *k, const struct lz_instance_config *config,
		   struct lz_err *reterr);

/** lz_kernel_try() - could such an instance be made beside all others? It is made and thrown away */
int lz_kernel_try(const struct lz_instance_config *config, struct lz_err *reterr);

/**
 * lz_kernel_take_over() - a new instance that was made beside another takes its hooks and its place
 *
 * Its tables must be filled. Bypass and, but from an instance of another ABI, holds that limits have made
 * come along, the others are the caller's. Each hook changes its program in place: a packet is judged by the one instance or the
 * other. Killed at any instant, the next lz_kernel_open() finds the one or the other whole. Does
 * nothing for an instance that is not beside another. 0 or -errno with @reterr set, then try again.
 */
int lz_kernel_take_over(struct lz_kernel *kernel, struct lz_err *reterr);

/**
 * lz_kernel_lock() - one keeper an instance, also before there is an instance
 * lz_kernel_open() takes the lock itself: close this one first.
 * Return: a descriptor; -EBUSY another keeper has it; else -errno; with @reterr set.
 */
int lz_kernel_lock(const char *name, struct lz_err *reterr);

/** lz_kernel_unlock() - and take the directory away if nothing was pinned; *@fd < 0 is fine */
void lz_kernel_unlock(const char *name, int *fd);

/** lz_kernel_close() - let go of descriptors and lock; pins, programs and links stay in force */
void lz_kernel_close(struct lz_kernel *kernel);

/**
 * lz_kernel_repair() - pin again what somebody unpinned, from the descriptors held; the folder, too
 * Return: number of pins made, or -errno with @reterr set.
 */
int lz_kernel_repair(struct lz_kernel *kernel, struct lz_err *reterr);

/**
 * lz_kernel_remove() - the explicit way out: detach every interface, remove every pin
 *
 * Works whatever ABI the pins are of. Nothing else ever detaches. -EBUSY while a keeper runs;
 * -ENOENT when there is no such instance.
 * @ret_detached: interfaces that had a hook of ours; may be NULL
 */
int lz_kernel_remove(const char *name, unsigned int *ret_detached, struct lz_err *reterr);

/**
 * lz_inner_create() - the inner maps of one generation; needs CAP_BPF
 *
 * Sizes come from the controller and are checked again: ranges at most 2^23 buckets, dests at most
 * 2^20, customers at most 2^22; -E2BIG beyond.
 */
int lz_inner_create(const struct lz_inner_sizes *sizes, struct lz_inner_fds *ret,
		    struct lz_err *reterr);
void lz_inner_close(struct lz_inner_fds *fds);

#endif
