/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pinned.c - what an instance has pinned: names, opening, repairing, removing.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "datapath/attach.h"
#include "datapath/pins.h"

static const char *const map_names[LZ_MAP_N] = {
	[LZ_MAP_CONTROL] = ".data.control",
	[LZ_MAP_PORTS] = ".data.ports",
	[LZ_MAP_TABLES] = ".data.tables",
	[LZ_MAP_REPLAY] = ".data.replay",
	[LZ_MAP_TAGS] = "lz_tags",
	[LZ_MAP_CELLS] = "lz_cells",
	[LZ_MAP_COLD] = "lz_cold",
	[LZ_MAP_BLOCKS] = "lz_blocks",
	[LZ_MAP_HELD] = "lz_held",
	[LZ_MAP_FLOWS] = "lz_flows",
	[LZ_MAP_RANGES] = "lz_ranges",
	[LZ_MAP_DESTS] = "lz_dests",
	[LZ_MAP_CUSTOMERS] = "lz_customers",
	[LZ_MAP_EXCEPTIONS] = "lz_exceptions",
	[LZ_MAP_PORT_ADDRS] = "lz_port_addrs",
	[LZ_MAP_PORT_STATS] = "lz_port_stats",
	[LZ_MAP_CLASS_STATS] = "lz_class_stats",
	[LZ_MAP_LIMIT_STATS] = "lz_limit_stats",
	[LZ_MAP_REPLY_BUCKET] = "lz_reply_bucket",
	[LZ_MAP_PENDING] = "lz_pending",
	[LZ_MAP_LEARNT] = "lz_learnt",
	[LZ_MAP_EVENTS] = "lz_events",
	[LZ_MAP_REPLIES] = ".data.replies",
	[LZ_MAP_PORTAL_SOCKS] = "lz_portal_socks",
};

static const char *const prog_names[LZ_PROG_N] = {
	[LZ_PROG_XDP] = "lz_xdp",
	[LZ_PROG_TC] = "lz_tc",
	[LZ_PROG_TC_OUT] = "lz_tc_out",
};

#define RODATA_PIN "rodata"

void lz_map_pin_name(enum lz_map_id id, char ret[static LZ_PIN_NAME_MAX])
{
	const char *name = map_names[id];

	snprintf(ret, LZ_PIN_NAME_MAX, "map_%s", name + (*name == '.'));
	for (char *dot = ret; (dot = strchr(dot, '.'));)
		*dot = '_';
}

static void prog_pin_name(enum lz_prog_id id, char ret[static LZ_PIN_NAME_MAX])
{
	snprintf(ret, LZ_PIN_NAME_MAX, "prog_%s", prog_names[id]);
}

const char *lz_map_name(enum lz_map_id id)
{
	return id < LZ_MAP_N ? map_names[id] : "?";
}

void lz_kernel_close(struct lz_kernel *kernel)
{
	for (int i = 0; i < LZ_MAP_N; i++)
		lz_close_ref(&kernel->maps.fd[i]);
	for (int i = 0; i < LZ_PROG_N; i++)
		lz_close_ref(&kernel->prog_fd[i]);
	lz_close_ref(&kernel->rodata_fd);
	lz_close_ref(&kernel->dir_fd);
	lz_close_ref(&kernel->beside_fd);
}

void lz_kernel_clear(struct lz_kernel *k)
{
	memset(k, 0, sizeof(*k));
	memset(&k->maps, 0xff, sizeof(k->maps));
	memset(k->prog_fd, 0xff, sizeof(k->prog_fd));
	k->rodata_fd = k->dir_fd = k->beside_fd = -1;
}

int lz_kernel_open_pins(struct lz_kernel *k)
{
	char name[LZ_PIN_NAME_MAX];
	int missing = 0;

	k->rodata_fd = lz_pin_get(k->dir, RODATA_PIN);
	missing += k->rodata_fd < 0;
	for (int i = 0; i < LZ_MAP_N; i++) {
		lz_map_pin_name(i, name);
		k->maps.fd[i] = lz_pin_get(k->dir, name);
		missing += k->maps.fd[i] < 0;
	}
	for (int i = 0; i < LZ_PROG_N; i++) {
		prog_pin_name(i, name);
		k->prog_fd[i] = lz_pin_get(k->dir, name);
		missing += k->prog_fd[i] < 0;
	}
	return missing;
}

/* Where lz_instance lies in a read-only data map, also of another build. Its BTF would say it too, but
 * that is given by its number to nobody without CAP_SYS_ADMIN. */
static int find_instance_offset(const void *bytes, __u32 n)
{
	const __u64 magic = LZ_INSTANCE_MAGIC;

	for (__u32 at = 0; at + sizeof(struct lz_instance) <= n; at += sizeof(magic))
		if (!memcmp((const char *)bytes + at, &magic, sizeof(magic)))
			return at;
	return -ENOENT;
}

int lz_rodata_read(int fd, void **ret, __u32 *ret_bytes, int *ret_offset)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;
	lz_autofree void *bytes = NULL;
	int offset;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	bytes = malloc(info.value_size);
	if (!bytes)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &zero, bytes))
		return -errno;
	offset = find_instance_offset(bytes, info.value_size);
	if (offset < 0)
		return offset;
	*ret = TAKE_PTR(bytes);
	*ret_bytes = info.value_size;
	*ret_offset = offset;
	return 0;
}

int lz_pins_refuse(const struct lz_kernel *k, const char *why, struct lz_err *reterr)
{
	return lz_err_set(reterr, EPROTONOSUPPORT,
			  "%s: cannot take over what is pinned: %s; `lazaretd --detach`, then start",
			  k->dir, why);
}

int lz_kernel_read_instance(struct lz_kernel *k, struct lz_err *reterr)
{
	lz_autofree void *bytes = NULL;
	char why[80];
	__u32 n;
	int offset, r = lz_rodata_read(k->rodata_fd, &bytes, &n, &offset);

	if (r)
		return lz_pins_refuse(k, "it has no instance data of ours", reterr);
	memcpy(&k->instance, (char *)bytes + offset, sizeof(k->instance));
	if (k->instance.abi_version != LZ_ABI_VERSION) {
		snprintf(why, sizeof(why), "it has ABI version %u, this build has %u",
			 k->instance.abi_version, LZ_ABI_VERSION);
		return lz_pins_refuse(k, why, reterr);
	}
	return 0;
}

int lz_kernel_read_pins(const char *dir, struct lz_kernel *ret, struct lz_err *reterr)
{
	struct lz_kernel k;
	int r, missing;

	lz_kernel_clear(&k);
	lz_strcpy(k.dir, sizeof(k.dir), dir);
	missing = lz_kernel_open_pins(&k);
	r = lz_kernel_read_instance(&k, reterr);
	if (!r && missing)
		r = lz_pins_refuse(&k, "some maps or programs are missing", reterr);
	if (r)
		lz_kernel_close(&k);
	else
		*ret = k;
	return r;
}

int lz_pin_programs(const struct lz_kernel *k)
{
	char name[LZ_PIN_NAME_MAX];
	int r = 0;

	for (int i = 0; i < LZ_PROG_N && !r; i++) {
		prog_pin_name(i, name);
		r = lz_pin_replace(k->dir, name, k->prog_fd[i]);
	}
	return r ? r : lz_pin_replace(k->dir, RODATA_PIN, k->rodata_fd);
}

int lz_pin_unlink(void *dir, const char *name)
{
	char path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];

	lz_pin_path(dir, path, "%s", name);
	return unlink(path) ? -errno : 0;
}

int lz_kernel_repair(struct lz_kernel *kernel, struct lz_err *reterr)
{
	char name[LZ_PIN_NAME_MAX], path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];
	int made, r;

	if (kernel->beside_fd >= 0) /* the directory is the other's until it takes over */
		return 0;
	r = lz_pins_follow(kernel->dir, &kernel->dir_fd, reterr);
	if (r < 0)
		return r;
	made = r;
	r = 0;
	for (int i = 0; i < LZ_MAP_N + LZ_PROG_N + 1 && !r; i++) {
		int fd = kernel->rodata_fd;

		snprintf(name, sizeof(name), RODATA_PIN);
		if (i < LZ_MAP_N) {
			fd = kernel->maps.fd[i];
			lz_map_pin_name(i, name);
		} else if (i < LZ_MAP_N + LZ_PROG_N) {
			fd = kernel->prog_fd[i - LZ_MAP_N];
			prog_pin_name(i - LZ_MAP_N, name);
		}
		lz_pin_path(kernel->dir, path, "%s", name);
		if (!access(path, F_OK))
			continue;
		r = lz_pin_replace(kernel->dir, name, fd);
		made += !r;
	}
	return r ? lz_err_set(reterr, r, "%s: cannot pin %s again: %s", kernel->dir, name,
			      strerror(-r)) : made;
}

int lz_kernel_remove(const char *name, unsigned int *ret_detached, struct lz_err *reterr)
{
	struct lz_attachments list = {};
	unsigned int detached = 0;
	struct lz_kernel k;
	int r;

	lz_kernel_clear(&k);
	k.dir_fd = lz_pins_open(name, false, reterr);
	if (k.dir_fd < 0)
		return k.dir_fd;
	lz_instance_dir(name, k.dir);
	lz_kernel_open_pins(&k);
	r = lz_attachments_read(&k, &list, reterr);
	for (size_t i = 0; i < list.n && !r; i++) {
		r = lz_detach(&k, list.v[i].ifindex, reterr);
		detached += !r;
	}
	lz_attachments_done(&list);
	if (!r) {
		r = lz_pins_each(k.dir, lz_pin_unlink, k.dir);
		if (!r && rmdir(k.dir))
			r = -errno;
		if (r)
			lz_err_set(reterr, r, "%s: cannot remove: %s", k.dir, strerror(-r));
	}
	lz_kernel_close(&k);
	if (!r && ret_detached)
		*ret_detached = detached;
	return r;
}
