/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <lazaret.skel.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
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

/* bpffs refuses a dot in a name: "map_.data.control" is pinned as "map_data_control". */
static void map_pin_name(enum lz_map_id id, char ret[static LZ_PIN_NAME_MAX])
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

static void clear_fds(struct lz_kernel *k)
{
	memset(k, 0, sizeof(*k));
	memset(&k->maps, 0xff, sizeof(k->maps));
	memset(k->prog_fd, 0xff, sizeof(k->prog_fd));
	k->rodata_fd = k->dir_fd = k->beside_fd = -1;
}

/* ---------------------------------------------------------------- what is pinned */

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

/* Opens every pin of ours. Returns how many are missing. */
static int open_pins(struct lz_kernel *k)
{
	char name[LZ_PIN_NAME_MAX];
	int missing = 0;

	k->rodata_fd = lz_pin_get(k->dir, RODATA_PIN);
	missing += k->rodata_fd < 0;
	for (int i = 0; i < LZ_MAP_N; i++) {
		map_pin_name(i, name);
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

/* The bytes of a read-only data map; heap. */
static int read_rodata(int fd, void **ret, __u32 *ret_bytes, int *ret_offset)
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

static int refuse_pins(const struct lz_kernel *k, const char *why, struct lz_err *reterr)
{
	return lz_err_set(reterr, EPROTO,
			  "%s: cannot take over what is pinned: %s; `lazaretd --detach`, then start",
			  k->dir, why);
}

static int read_instance(struct lz_kernel *k, struct lz_err *reterr)
{
	lz_autofree void *bytes = NULL;
	char why[80];
	__u32 n;
	int offset, r = read_rodata(k->rodata_fd, &bytes, &n, &offset);

	if (r)
		return refuse_pins(k, "it has no instance data of ours", reterr);
	memcpy(&k->instance, (char *)bytes + offset, sizeof(k->instance));
	if (k->instance.abi_version != LZ_ABI_VERSION) {
		snprintf(why, sizeof(why), "it has ABI version %u, this build has %u",
			 k->instance.abi_version, LZ_ABI_VERSION);
		return refuse_pins(k, why, reterr);
	}
	return 0;
}

int lz_kernel_read_pins(const char *dir, struct lz_kernel *ret, struct lz_err *reterr)
{
	struct lz_kernel k;
	int r;

	clear_fds(&k);
	lz_strcpy(k.dir, sizeof(k.dir), dir);
	r = open_pins(&k) ? refuse_pins(&k, "some maps or programs are missing", reterr) :
			    read_instance(&k, reterr);
	if (r)
		lz_kernel_close(&k);
	else
		*ret = k;
	return r;
}

/* ---------------------------------------------------------------- loading */

static int set_sizes(struct lazaret *skel, const struct lz_instance *instance)
{
	int r = bpf_map__set_max_entries(skel->maps.lz_tags, instance->tag_lines);

	if (!r)
		r = bpf_map__set_max_entries(skel->maps.lz_cells,
					     instance->tag_lines * LZ_TAG_LINE_SLOTS);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.lz_blocks,
					     lz_block_lines_all(instance->tag_lines));
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.lz_held, 2 * instance->held_lines);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.lz_flows, instance->flow_lines);
	skel->rodata->lz_instance = *instance;
	skel->data_control->lz_control.gen_word = LZ_GEN_WORD(LZ_GEN_NONE, LZ_GEN_NONE, 0);
	return r;
}

static struct bpf_map *find_map(const struct lazaret *skel, enum lz_map_id id)
{
	return bpf_object__find_map_by_name(skel->obj, map_names[id]);
}

static int check_shape(const struct lz_kernel *k, enum lz_map_id id, const struct bpf_map *map,
		       struct lz_err *reterr)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	char why[120];

	if (bpf_obj_get_info_by_fd(k->maps.fd[id], &info, &len))
		return lz_err_set(reterr, errno, "%s: cannot read map %s: %s", k->dir,
				  map_names[id], strerror(errno));
	if (info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
	    info.value_size == bpf_map__value_size(map) &&
	    info.max_entries == bpf_map__max_entries(map) &&
	    info.map_flags == bpf_map__map_flags(map))
		return 0;
	snprintf(why, sizeof(why), "map %s has %u entries of %u+%u bytes, this build has %u of %u+%u",
		 map_names[id], info.max_entries, info.key_size, info.value_size,
		 bpf_map__max_entries(map), bpf_map__key_size(map), bpf_map__value_size(map));
	return refuse_pins(k, why, reterr);
}

/* What a map of this build looks like must be what is pinned; then our programs use those. The
 * read-only data is the programs' own, so it is made afresh with the instance's values. */
static int reuse_maps(const struct lz_kernel *k, struct lazaret *skel, struct lz_err *reterr)
{
	for (int i = 0; i < LZ_MAP_N; i++) {
		struct bpf_map *map = find_map(skel, i);
		int r = check_shape(k, i, map, reterr);

		if (r)
			return r;
		r = bpf_map__reuse_fd(map, k->maps.fd[i]);
		if (r)
			return lz_err_set(reterr, r, "%s: cannot reuse map %s: %s", k->dir,
					  map_names[i], strerror(-r));
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

static int load_programs(struct lazaret *skel, struct lz_err *reterr)
{
	int r = lazaret__load(skel);

	if (r == -EPERM)
		return lz_err_set(reterr, r, "kernel: cannot load the data plane: %s; needs root or "
				  "CAP_BPF and CAP_NET_ADMIN", strerror(-r));
	if (r)
		return lz_err_set(reterr, r, "kernel: cannot load the data plane: %s; "
				  "`lazaretd --preflight` says what this kernel lacks", strerror(-r));
	return 0;
}

static int pin_programs(const struct lz_kernel *k)
{
	char name[LZ_PIN_NAME_MAX];
	int r = 0;

	for (int i = 0; i < LZ_PROG_N && !r; i++) {
		prog_pin_name(i, name);
		r = lz_pin_replace(k->dir, name, k->prog_fd[i]);
	}
	return r ? r : lz_pin_replace(k->dir, RODATA_PIN, k->rodata_fd);
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
	r = set_sizes(skel, instance);
	if (!r)
		r = load_programs(skel, reterr);
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
		map_pin_name(i, name);
		if (!r)
			r = lz_pin_replace(k->dir, name, k->maps.fd[i]);
	}
	if (!r)
		r = take_programs(k, skel);
	if (!r)
		r = pin_programs(k);
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
		return refuse_pins(k, "it was made for another clock", reterr);
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
	if (read_rodata(old->rodata_fd, &a, &a_bytes, &offset) ||
	    read_rodata(new->rodata_fd, &b, &b_bytes, &offset))
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
		r = set_sizes(skel, &k->instance);
	if (!r)
		r = reuse_maps(k, skel, reterr);
	if (!r)
		r = load_programs(skel, reterr);
	if (!r)
		r = take_programs(&fresh, skel);
	if (!r && !same_programs(k, &fresh)) {
		r = lz_attach_update(&fresh, reterr);
		if (!r)
			r = pin_programs(&fresh);
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

/* An empty instance that no packet meets yet. The pins of hooks stay where they are until it takes
 * over. */
static int create_beside(struct lz_kernel *k, const struct lz_instance_config *config,
			 struct lazaret *skel, struct lz_err *reterr)
{
	struct lz_kernel fresh;
	int r;

	clear_fds(&fresh);
	lz_pins_next(k->dir, fresh.dir);
	fresh.dir_fd = lz_pins_make(fresh.dir, config->name, reterr);
	r = fresh.dir_fd < 0 ? fresh.dir_fd : create_instance(&fresh, config, skel, reterr);
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

static int unlink_pin(void *arg, const char *name)
{
	char path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];

	lz_pin_path(arg, path, "%s", name);
	return unlink(path) ? -errno : 0;
}

static int open_or_create(struct lz_kernel *k, const struct lz_instance_config *config,
			  struct lazaret *skel, struct lz_err *reterr)
{
	struct pin_census census = {};
	int missing = open_pins(k), r;

	if (k->rodata_fd >= 0) {
		r = read_instance(k, reterr);
		if (r)
			return r;
	}
	if (!missing) {
		r = adopt_instance(k, config, skel, reterr);
		return config->replace && (r == -EMEDIUMTYPE || r == -ENOSPC) ?
			       create_beside(k, config, skel, reterr) :
			       r;
	}
	r = lz_pins_each(k->dir, count_pin, &census);
	if (r)
		return lz_err_set(reterr, r, "%s: cannot read: %s", k->dir, strerror(-r));
	if (census.hooks)
		return refuse_pins(k, "hooks are there, but some maps or programs are not", reterr);
	/* A start that was killed half way, before any hook: nothing depends on it. */
	r = lz_pins_each(k->dir, unlink_pin, k->dir);
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
	struct lazaret *skel;
	int r;

	libbpf_set_print(log_libbpf);
	clear_fds(&k);
	k.dir_fd = lz_pins_open(config->name, true, reterr);
	if (k.dir_fd < 0)
		return k.dir_fd;
	lz_instance_dir(config->name, k.dir);
	skel = lazaret__open();
	r = skel ? open_or_create(&k, config, skel, reterr) :
		   lz_err_set(reterr, errno, "kernel: cannot open the data plane: %s",
			      strerror(errno));
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
	struct lazaret *skel = lazaret__open();
	int r = skel ? load_instance(&instance, config, skel, reterr) :
		       lz_err_set(reterr, errno, "kernel: cannot open the data plane: %s",
				  strerror(errno));

	lazaret__destroy(skel);
	return r;
}

int lz_kernel_repair(const struct lz_kernel *kernel, struct lz_err *reterr)
{
	char name[LZ_PIN_NAME_MAX], path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];
	int made = 0, r = 0;

	for (int i = 0; i < LZ_MAP_N + LZ_PROG_N + 1 && !r; i++) {
		int fd = kernel->rodata_fd;

		snprintf(name, sizeof(name), RODATA_PIN);
		if (i < LZ_MAP_N) {
			fd = kernel->maps.fd[i];
			map_pin_name(i, name);
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

	clear_fds(&k);
	k.dir_fd = lz_pins_open(name, false, reterr);
	if (k.dir_fd < 0)
		return k.dir_fd;
	lz_instance_dir(name, k.dir);
	open_pins(&k);
	r = lz_attachments_read(&k, &list, reterr);
	for (size_t i = 0; i < list.n && !r; i++) {
		r = lz_detach(&k, list.v[i].ifindex, reterr);
		detached += !r;
	}
	lz_attachments_done(&list);
	if (!r) {
		r = lz_pins_each(k.dir, unlink_pin, k.dir);
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
