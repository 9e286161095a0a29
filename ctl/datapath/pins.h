/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pins.h - the pin directory of an instance. Inside this room only.
 */
#ifndef LZ_DATAPATH_PINS_H
#define LZ_DATAPATH_PINS_H

#include "datapath/kernel.h"

#define LZ_PIN_NAME_MAX 64

/** lz_pins_open() - the directory, locked; @create: mount bpffs and make it if need be; fd or -errno */
int lz_pins_open(const char *instance, bool create, struct lz_err *reterr);

/** lz_pins_make() - a directory of pins, made if need be, and locked; fd or -errno with @reterr set */
int lz_pins_make(const char *dir, const char *instance, struct lz_err *reterr);

/** lz_pins_next() - where an instance is made that shall take the place of the one in @dir */
void lz_pins_next(const char *dir, char ret[static LZ_PIN_PATH_MAX]);

/** lz_pins_settle() - one instance only: hooks pinned in next come to @dir, all else there goes */
int lz_pins_settle(const char *dir);

/**
 * lz_pins_follow() - where @dir is not the folder any more that *@dir_fd stands for, make it one
 *
 * Somebody has removed it, or unmounted bpffs, or mounted another over it. What the old one still holds, hooks
 * above all, is pinned in the new one, so that nothing of it goes. Return: 1 if that was so, 0, or -errno with
 * @reterr set.
 */
int lz_pins_follow(const char *dir, int *dir_fd, struct lz_err *reterr);

/** lz_map_pin_name() - bpffs refuses a dot in a name: "map_.data.control" is "map_data_control" */
void lz_map_pin_name(enum lz_map_id id, char ret[static LZ_PIN_NAME_MAX]);

/** lz_kernel_clear() - nothing open; lz_kernel_close() may follow */
void lz_kernel_clear(struct lz_kernel *k);

/** lz_kernel_open_pins() - every pin of @k->dir; returns how many are missing */
int lz_kernel_open_pins(struct lz_kernel *k);

/** lz_kernel_read_instance() - of the opened rodata into @k->instance; 0 or -EPROTONOSUPPORT with @reterr set */
int lz_kernel_read_instance(struct lz_kernel *k, struct lz_err *reterr);

/** lz_rodata_read() - bytes of a read-only data map (heap) and where struct lz_instance lies; 0 or -errno */
int lz_rodata_read(int fd, void **ret, __u32 *ret_bytes, int *ret_offset);

/** lz_pins_refuse() - -EPROTONOSUPPORT: not this build's to adopt; what to do goes along */
int lz_pins_refuse(const struct lz_kernel *k, const char *why, struct lz_err *reterr);

/** lz_pin_programs() - programs, and rodata last; over what is there; 0 or -errno */
int lz_pin_programs(const struct lz_kernel *k);

/** lz_pin_unlink() - for lz_pins_each(), @dir its argument; 0 or -errno */
int lz_pin_unlink(void *dir, const char *name);

/** lz_kernel_read_pins() - what is pinned in @dir; for lz_kernel_close(); 0, or as lz_kernel_read_instance() */
int lz_kernel_read_pins(const char *dir, struct lz_kernel *ret, struct lz_err *reterr);

/** lz_pin_path() - "<dir>/<name>"; names are short words and numbers, so it always fits */
void lz_pin_path(const char *dir, char ret[static LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX],
		 const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** lz_pin_get() - descriptor of a pinned object or -errno (-ENOENT) */
int lz_pin_get(const char *dir, const char *name);

/** lz_pin_replace() - pin @fd as @name, atomically over what is there */
int lz_pin_replace(const char *dir, const char *name, int fd);

/** lz_pins_each() - every name in the directory; non-zero from @visit ends it and is returned */
int lz_pins_each(const char *dir, int (*visit)(void *arg, const char *name), void *arg);

/** lz_attach_update() - put this kernel's programs behind every pinned link, in place */
int lz_attach_update(const struct lz_kernel *kernel, struct lz_err *reterr);

/** lz_prog_tag() - hash of a loaded program's instructions, 0 if it cannot be read */
__u64 lz_prog_tag(int prog_fd);

/** lz_prog_id() - kernel id of a loaded program, 0 if it cannot be read */
__u32 lz_prog_id(int prog_fd);

#endif
