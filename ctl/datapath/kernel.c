/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kernel.c - the data plane of this build: sized, loaded, and made an instance or put into one.
 */
#include "datapath/kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <lazaret.skel.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "datapath/object.h"
#include "datapath/pins.h"
#include "datapath/tables.h"

/* ---------------------------------------------------------------- loading */

static int set_instance(struct lazaret *skel, const struct lz_instance *instance, struct lz_err *reterr)
{
	skel->rodata->lz_instance = *instance;
	skel->data_control->lz_control.gen_word = LZ_GEN_WORD(LZ_GEN_NONE, LZ_GEN_NONE, 0);
	return lz_object_set_sizes(skel->obj, instance, reterr);
}

static struct bpf_map *find_map(const struct lazaret *skel, enum lz_map_id id)
{
	return bpf_object__find_map_by_name(skel->obj, lz_map_name(id));
}

static int check_shape(const struct lz_kernel *k, enum lz_map_id id, const struct bpf_map *map,
		       struct lz_err *reterr)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	char why[120];

	if (bpf_obj_get_info_by_fd(k->maps.fd[id], &info, &len))
		return lz_err_set(reterr, errno, "%s: cannot read map %s: %s", k->dir,
				  lz_map_name(id), strerror(errno));
	if (info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
	    info.value_size == bpf_map__value_size(map) &&
	    info.max_entries == bpf_map__max_entries(map) &&
	    info.map_flags == bpf_map__map_flags(map))
		return 0;
	snprintf(why, sizeof(why), "map %s has %u entries of %u+%u bytes, this build has %u of %u+%u",
		 lz_map_name(id), info.max_entries, info.key_size, info.value_size,
		 bpf_map__max_entries(map), bpf_map__key_size(map), bpf_map__value_size(map));
	return lz_pins_refuse(k, why, reterr);
}

/* What a map of this build looks like must be what is pinned; then our programs use those. The
 * read-only data is the programs' own, so it is made afresh with the instance's values. */
static int reuse_maps(const struct lz_kernel *k, struct lazaret *skel, struct lz_err *reterr)
{
	int r = 0;

	for (int i = 0; i < LZ_MAP_N && !r; i++) /* all before the first is reused: see does_not_fit() */
		r = check_shape(k, i, find_map(skel, i), reterr);
	if (r)
		return r;
	for (int i = 0; i < LZ_MAP_N; i++) {
		r = bpf_map__reuse_fd(find_map(skel, i), k->maps.fd[i]);
		if (r)
			return lz_err_set(reterr, r, "%s: cannot reuse map %s: %s", k->dir,
					  lz_map_name(i), strerror(-r));
	}
	return 0;
}

static int take_fd(int fd, int *ret)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	lz_close_ref(ret);
	*ret = copy;
	return 0;
}

static int take_programs(struct lz_kernel *k, const struct lazaret *skel)
{
	const struct bpf_program *progs[LZ_PROG_N] = {
		skel->progs.lz_xdp,
		skel->progs.lz_tc,
		skel->progs.lz_tc_out,
	};
	int r = take_fd(bpf_map__fd(skel->maps.rodata), &k->rodata_fd);

	for (int i = 0; i < LZ_PROG_N && !r; i++)
		r = take_fd(bpf_program__fd(progs[i]), &k->prog_fd[i]);
	return r;
}

/* ---------------------------------------------------------------- create or adopt */

static int load_instance(struct lz_instance *instance, const struct lz_instance_config *config,
			 struct lazaret *skel, struct lz_err *reterr)
{
	char need[LZ_SIZE_TEXT_MAX];
	int r;

	instance->magic = LZ_INSTANCE_MAGIC;
	instance->abi_version = LZ_ABI_VERSION;
	instance->ipv6_key_len = config->ipv6_key_len;
	instance->replay = config->replay;
	instance->made_s = (__u32)(lz_clock_mono_ns() / LZ_NS_PER_S) | 1;
	lz_instance_size(config->sources_max, config->colony_max, instance);
	r = lz_instance_room(instance, reterr);
	if (r)
		return r;
	if (getrandom(&instance->seed, sizeof(instance->seed), 0) != sizeof(instance->seed))
		return lz_err_set(reterr, errno, "kernel: no random seed: %s", strerror(errno));
	r = set_instance(skel, instance, reterr);
	if (!r)
		r = lz_object_load(skel, reterr);
	if (r == -ENOMEM) /* there is some, but not for us */
		lz_err_set(reterr, ENOMEM, "memory: the kernel has not got the %s that the tables need; lower "
			   "\"capacity\", or give more (a control group's limit counts too)",
			   lz_mib_format(lz_instance_bytes(instance), need));
	return r;
}

static int create_instance(struct lz_kernel *k, const struct lz_instance_config *config,
			   struct lazaret *skel, struct lz_err *reterr)
{
	char name[LZ_PIN_NAME_MAX];
	int r = load_instance(&k->instance, config, skel, reterr);

	if (r)
		return r;
	for (int i = 0; i < LZ_MAP_N && !r; i++) {
		r = take_fd(bpf_map__fd(find_map(skel, i)), &k->maps.fd[i]);
		lz_map_pin_name(i, name);
		if (!r)
			r = lz_pin_replace(k->dir, name, k->maps.fd[i]);
	}
	if (!r)
		r = take_programs(k, skel);
	if (!r)
		r = lz_pin_programs(k);
	return r ? lz_err_set(reterr, r, "%s: cannot pin: %s", k->dir, strerror(-r)) : 0;
}

int lz_kernel_fits(const struct lz_kernel *k, const struct lz_instance_config *config,
		   struct lz_err *reterr)
{
	struct lz_instance want = {};

	lz_instance_size(config->sources_max, config->colony_max, &want);
	if (config->ipv6_key_len != k->instance.ipv6_key_len)
		return lz_err_set(reterr, EMEDIUMTYPE,
				  "%s: keys IPv6 sources by /%u, the policy says /%u: every cell and hold "
				  "would change its meaning; `lazaretd --detach`, then start", k->dir,
				  k->instance.ipv6_key_len, config->ipv6_key_len);
	if (want.tag_lines > k->instance.tag_lines)
		return lz_err_set(reterr, ENOSPC,
				  "%s: has room for %u sources and holds, the policy wants %llu; "
				  "`lazaretd --detach`, then start", k->dir,
				  k->instance.tag_lines * LZ_TAG_LINE_SLOTS / 3 * 2,
				  (unsigned long long)config->sources_max + config->colony_max);
	if (config->replay != k->instance.replay)
		return lz_pins_refuse(k, "it was made for another clock", reterr);
	return 0;
}

/* Are the programs that are pinned this build's? Their instructions and their read-only data say. */
static bool same_programs(const struct lz_kernel *old, const struct lz_kernel *new)
{
	lz_autofree void *a = NULL, *b = NULL;
	__u32 a_bytes, b_bytes;
	int offset;

	for (int i = 0; i < LZ_PROG_N; i++)
		if (!lz_prog_tag(old->prog_fd[i]) ||
		    lz_prog_tag(old->prog_fd[i]) != lz_prog_tag(new->prog_fd[i]))
			return false;
	if (lz_rodata_read(old->rodata_fd, &a, &a_bytes, &offset) ||
	    lz_rodata_read(new->rodata_fd, &b, &b_bytes, &offset))
		return false;
	return a_bytes == b_bytes && !memcmp(a, b, a_bytes);
}

/* Links first, pins of the programs last: killed in between, the next start sees old pins and does
 * it all again. */
static int adopt_instance(struct lz_kernel *k, const struct lz_instance_config *config,
			  struct lazaret *skel, struct lz_err *reterr)
{
	struct lz_kernel fresh = *k;
	int r;

	memset(fresh.prog_fd, 0xff, sizeof(fresh.prog_fd));
	fresh.rodata_fd = -1;
	r = lz_kernel_fits(k, config, reterr);
	if (!r)
		r = set_instance(skel, &k->instance, reterr);
	if (!r)
		r = reuse_maps(k, skel, reterr);
	if (!r)
		r = lz_object_load(skel, reterr);
	if (!r)
		r = take_programs(&fresh, skel);
	if (!r && !same_programs(k, &fresh)) {
		r = lz_attach_update(&fresh, reterr);
		if (!r)
			r = lz_pin_programs(&fresh);
		if (!r) {
			k->upgraded = true;
			r = take_programs(k, skel);
		}
	} else if (!r) { /* an exchange of instances that was cut short has left others */
		r = lz_attach_update(k, reterr);
	}
	for (int i = 0; i < LZ_PROG_N; i++)
		lz_close_ref(&fresh.prog_fd[i]);
	lz_close_ref(&fresh.rodata_fd);
	k->adopted = true;
	return r;
}

/* How many may be held in an instance that takes the place of @old: all that are there come along, even if the
 * ledger, and so the policy that it wants, is not the one that they are of (ctl/keeper/strangers_carry.c). */
static __u32 colony_with_those_of(const struct lz_kernel *old, __u32 colony_max)
{
	struct lz_tables_view view = {};
	__u64 held = 0;

	if (lz_tables_open(&old->maps, &old->instance, &view, NULL) == 0) /* not of another build */
		held = *(volatile __u64 *)&view.tables->cells_held;
	lz_tables_close(&view);
	return held > colony_max && held <= UINT32_MAX ? (__u32)held : colony_max;
}

/* An empty instance that no packet meets yet. The pins of hooks stay where they are until it takes
 * over. */
static int create_beside(struct lz_kernel *k, const struct lz_instance_config *config,
			 struct lazaret *skel, struct lz_err *reterr)
{
	struct lz_instance_config roomy = *config;
	struct lz_kernel fresh;
	int r;

	roomy.colony_max = colony_with_those_of(k, config->colony_max);
	lz_kernel_clear(&fresh);
	lz_pins_next(k->dir, fresh.dir);
	fresh.dir_fd = lz_pins_make(fresh.dir, config->name, reterr);
	r = fresh.dir_fd < 0 ? fresh.dir_fd : create_instance(&fresh, &roomy, skel, reterr);
	if (r) {
		lz_kernel_close(&fresh);
		lz_pins_settle(k->dir);
		return r;
	}
	fresh.beside_fd = TAKE_FD(k->dir_fd);
	lz_strcpy(fresh.dir, sizeof(fresh.dir), k->dir);
	lz_kernel_close(k);
	*k = fresh;
	return 0;
}

struct pin_census {
	unsigned int hooks, all;
};

static int count_pin(void *arg, const char *name)
{
	struct pin_census *census = arg;

	census->all++;
	census->hooks += !strncmp(name, "link_", 5) || !strncmp(name, "filter_", 7);
	return 0;
}

/* Must the instance that is there be exchanged for another? Nothing of it is in @skel then. */
static bool does_not_fit(int r)
{
	return r == -EMEDIUMTYPE || r == -ENOSPC || r == -EPROTONOSUPPORT;
}

static int adopt_or_create(struct lz_kernel *k, const struct lz_instance_config *config,
			  struct lazaret *skel, struct lz_err *reterr)
{
	struct pin_census census = {};
	int missing = lz_kernel_open_pins(k), r;

	if (k->rodata_fd >= 0) {
		r = lz_kernel_read_instance(k, reterr);
		if (r)
			return r;
	}
	if (!missing)
		return adopt_instance(k, config, skel, reterr);
	r = lz_pins_each(k->dir, count_pin, &census);
	if (r)
		return lz_err_set(reterr, r, "%s: cannot read: %s", k->dir, strerror(-r));
	if (census.hooks)
		return lz_pins_refuse(k, "hooks are there, but some maps or programs are not", reterr);
	/* A start that was killed half way, before any hook: nothing depends on it. */
	r = lz_pins_each(k->dir, lz_pin_unlink, k->dir);
	if (r)
		return lz_err_set(reterr, r, "%s: cannot clear: %s", k->dir, strerror(-r));
	memset(&k->instance, 0, sizeof(k->instance));
	return create_instance(k, config, skel, reterr);
}

/* libbpf writes to stderr by itself; its lines, the verifier's log too, are for debugging. */
static int log_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char text[LZ_LOG_VALUE_MAX];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), fmt, ap);
	lz_log(LZ_LOG_DEBUG, "libbpf", "text=%s", text);
	return 0;
}

int lz_kernel_open(const struct lz_instance_config *config, struct lz_kernel *ret,
		   struct lz_err *reterr)
{
	struct lz_kernel k;
	struct lazaret *skel = NULL;
	int r;

	libbpf_set_print(log_libbpf);
	lz_kernel_clear(&k);
	k.dir_fd = lz_pins_open(config->name, true, reterr);
	if (k.dir_fd < 0)
		return k.dir_fd;
	lz_instance_dir(config->name, k.dir);
	r = lz_object_open(&skel, reterr);
	if (!r)
		r = adopt_or_create(&k, config, skel, reterr);
	if (config->replace && does_not_fit(r))
		r = create_beside(&k, config, skel, reterr);
	lazaret__destroy(skel);
	if (r) {
		lz_kernel_close(&k);
		return r;
	}
	*ret = k;
	return 0;
}

int lz_kernel_try(const struct lz_instance_config *config, struct lz_err *reterr)
{
	struct lz_instance instance = {};
	struct lazaret *skel = NULL;
	int r = lz_object_open(&skel, reterr);

	if (!r)
		r = load_instance(&instance, config, skel, reterr);
	lazaret__destroy(skel);
	return r;
}
