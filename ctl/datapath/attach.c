/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "datapath/clsact.h"
#include "datapath/pins.h"
#include "datapath/xdpquery.h"

/* Linux 6.6 (uapi/linux/bpf.h); Debian 12's headers are of 6.1. Goes when the floor of the headers
 * is 6.6. */
#define LZ_BPF_TCX_INGRESS 46
#define LZ_BPF_TCX_EGRESS  47
/* In front of whatever else is there: a program that answers TC_ACT_OK ends the chain. */
#define LZ_BPF_F_BEFORE	   (1U << 3)

const char *const lz_attach_mode_words[LZ_ATTACH_MODE_N] = {
	[LZ_ATTACH_NONE] = "none",
	[LZ_ATTACH_TC] = "tc",
	[LZ_ATTACH_XDP] = "xdp",
	[LZ_ATTACH_XDP_GENERIC] = "xdp-generic",
};

/* The kinds of pins that stand for a hook. */
enum pin_kind { PIN_XDP, PIN_TCX, PIN_TCX_OUT, PIN_FILTER_IN, PIN_FILTER_OUT, PIN_KIND_N };

static const struct {
	const char *prefix;
	enum lz_prog_id prog;
} pin_kinds[PIN_KIND_N] = {
	[PIN_XDP] = { "link_xdp_", LZ_PROG_XDP },
	[PIN_TCX] = { "link_tcx_", LZ_PROG_TC },
	[PIN_TCX_OUT] = { "link_tcxout_", LZ_PROG_TC_OUT },
	[PIN_FILTER_IN] = { "filter_in_", LZ_PROG_TC },
	[PIN_FILTER_OUT] = { "filter_out_", LZ_PROG_TC_OUT },
};

static void pin_name(enum pin_kind kind, __u32 ifindex, char ret[static LZ_PIN_NAME_MAX])
{
	snprintf(ret, LZ_PIN_NAME_MAX, "%s%u", pin_kinds[kind].prefix, ifindex);
}

static void unpin(const struct lz_kernel *k, enum pin_kind kind, __u32 ifindex)
{
	char path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];

	lz_pin_path(k->dir, path, "%s%u", pin_kinds[kind].prefix, ifindex);
	unlink(path);
}

static const char *name_of(__u32 ifindex, char ret[static IF_NAMESIZE])
{
	if (!if_indextoname(ifindex, ret))
		snprintf(ret, IF_NAMESIZE, "if%u", ifindex);
	return ret;
}

/* The interface a link is on; 0: none any more. */
static __u32 link_ifindex(int fd)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	/* XDP and tcx links both begin their part with the ifindex; older headers name only one. */
	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.xdp.ifindex;
}

static __u32 link_prog_id(int fd)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.prog_id;
}

static bool is_filter(enum pin_kind kind)
{
	return kind == PIN_FILTER_IN || kind == PIN_FILTER_OUT;
}

/* Is the hook behind this pin really there? */
static bool is_alive(const struct lz_kernel *k, enum pin_kind kind, __u32 ifindex)
{
	char name[LZ_PIN_NAME_MAX];
	lz_autoclose int fd = -1;

	pin_name(kind, ifindex, name);
	fd = lz_pin_get(k->dir, name);
	if (fd < 0)
		return false;
	if (is_filter(kind))
		return lz_clsact_has(ifindex, kind == PIN_FILTER_OUT);
	return link_ifindex(fd) == ifindex;
}

bool lz_attach_has_tcx(void)
{
	/* r0 = -1 (TC_ACT_UNSPEC); exit */
	static const struct bpf_insn insns[] = {
		{ .code = 0xb7, .imm = -1 },
		{ .code = 0x95 },
	};
	static int known = -1;
	lz_autoclose int prog = -1;

	if (known >= 0)
		return known;
	prog = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "lz_probe", "Dual BSD/GPL", insns,
			     LZ_ARRAY_SIZE(insns), NULL);
	if (prog < 0)
		return false;
	/* No interface has number 2^31-1: a kernel with tcx says ENODEV, one without EINVAL. */
	lz_autoclose int link = bpf_link_create(prog, 0x7fffffff, LZ_BPF_TCX_INGRESS, NULL);

	known = link < 0 && errno == ENODEV;
	return known;
}

/* ---------------------------------------------------------------- attaching */

static int explain_xdp(__u32 ifindex, enum lz_attach_mode mode, int error, struct lz_err *reterr)
{
	struct bpf_prog_info info = {};
	struct lz_xdp_there there;
	__u32 len = sizeof(info), id = 0;
	char dev[IF_NAMESIZE];
	lz_autoclose int fd = -1;

	name_of(ifindex, dev);
	if (!lz_xdp_query(ifindex, &there))
		id = there.prog_id;
	if (id) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0) /* without CAP_SYS_ADMIN nobody is told its name */
			return lz_err_set(reterr, EBUSY,
					  "%s: cannot attach xdp: program id %u is there (bpftool prog "
					  "show id %u); take it off first, or say \"hook\": \"tc\"",
					  dev, id, id);
		bpf_obj_get_info_by_fd(fd, &info, &len);
		return lz_err_set(reterr, EBUSY,
				  "%s: cannot attach xdp: program '%s' (id %u) is there; take it off "
				  "first, or say \"hook\": \"tc\"", dev, info.name, id);
	}
	if (error == ERANGE)
		return lz_err_set(reterr, error,
				  "%s: cannot attach xdp: the driver cannot at this MTU; lower it, or "
				  "say \"hook\": \"tc\"", dev);
	if (error == EOPNOTSUPP)
		return lz_err_set(reterr, error,
				  "%s: cannot attach xdp: the driver has no native XDP; say \"hook\": "
				  "\"tc\" or \"xdp-generic\"", dev);
	return lz_err_set(reterr, error, "%s: cannot attach %s: %s", dev, lz_attach_mode_words[mode],
			  strerror(error));
}

static int create_link(const struct lz_kernel *k, enum pin_kind kind, __u32 ifindex,
		       enum lz_attach_mode mode, struct lz_err *reterr)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = LZ_BPF_F_BEFORE);
	char name[LZ_PIN_NAME_MAX], dev[IF_NAMESIZE];
	int type = kind == PIN_TCX ? LZ_BPF_TCX_INGRESS : LZ_BPF_TCX_EGRESS, r;
	lz_autoclose int fd = -1;

	if (kind == PIN_XDP) {
		opts.flags = mode == LZ_ATTACH_XDP ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
		type = BPF_XDP;
	}
	fd = bpf_link_create(k->prog_fd[pin_kinds[kind].prog], ifindex, type, &opts);
	if (fd < 0 && kind == PIN_XDP)
		return explain_xdp(ifindex, mode, errno, reterr);
	if (fd < 0)
		return lz_err_set(reterr, errno, "%s: cannot attach tc: %s", name_of(ifindex, dev),
				  strerror(errno));
	pin_name(kind, ifindex, name);
	r = lz_pin_replace(k->dir, name, fd);
	return r ? lz_err_set(reterr, r, "%s: cannot pin %s: %s", k->dir, name, strerror(-r)) : 0;
}

/* A filter of ours in a qdisc of anybody's. The pin comes first: a filter without one would be
 * nobody's, a pin without a filter is seen to be dead. */
static int create_filter(const struct lz_kernel *k, enum pin_kind kind, __u32 ifindex,
			 struct lz_err *reterr)
{
	char name[LZ_PIN_NAME_MAX];
	int prog = k->prog_fd[pin_kinds[kind].prog], r;
	bool made;

	pin_name(kind, ifindex, name);
	r = lz_pin_replace(k->dir, name, prog);
	if (r)
		return lz_err_set(reterr, r, "%s: cannot pin %s: %s", k->dir, name, strerror(-r));
	r = lz_clsact_attach(ifindex, kind == PIN_FILTER_OUT, prog, &made, reterr);
	if (made) {
		snprintf(name, sizeof(name), "qdisc_%u", ifindex);
		lz_pin_replace(k->dir, name, prog);
	}
	if (r)
		unpin(k, kind, ifindex);
	return r;
}

static int create_hook(const struct lz_kernel *k, enum pin_kind kind, __u32 ifindex,
		       enum lz_attach_mode mode, struct lz_err *reterr)
{
	return is_filter(kind) ? create_filter(k, kind, ifindex, reterr) :
				 create_link(k, kind, ifindex, mode, reterr);
}

static void remove_hook(const struct lz_kernel *k, enum pin_kind kind, __u32 ifindex)
{
	char path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX], name[LZ_PIN_NAME_MAX];
	lz_autoclose int fd = -1, marker = -1;

	pin_name(kind, ifindex, name);
	fd = lz_pin_get(k->dir, name);
	if (fd < 0)
		return;
	if (is_filter(kind)) {
		lz_pin_path(k->dir, path, "qdisc_%u", ifindex);
		marker = lz_pin_get(k->dir, path + strlen(k->dir) + 1);
		if (lz_clsact_detach(ifindex, kind == PIN_FILTER_OUT, marker >= 0))
			unlink(path);
	} else {
		bpf_link_detach(fd); /* at once, whoever else still holds the link */
	}
	unpin(k, kind, ifindex);
}

/* Before XDP comes the tc program that answers for it: a refusal must never meet nobody. */
static size_t list_hooks(enum lz_attach_mode mode, unsigned int flags, enum pin_kind ret[static 3])
{
	bool tcx = !(flags & LZ_ATTACH_F_NO_TCX) && lz_attach_has_tcx();
	size_t n = 0;

	ret[n++] = tcx ? PIN_TCX : PIN_FILTER_IN;
	if (flags & LZ_ATTACH_F_EGRESS)
		ret[n++] = tcx ? PIN_TCX_OUT : PIN_FILTER_OUT;
	if (mode != LZ_ATTACH_TC)
		ret[n++] = PIN_XDP;
	return n;
}

static enum lz_attach_mode xdp_mode(__u32 ifindex)
{
	struct lz_xdp_there there;

	/* A link says the number of its interface, which may be in another namespace by now. */
	if (lz_xdp_query(ifindex, &there) || there.attached == XDP_ATTACHED_NONE)
		return LZ_ATTACH_NONE;
	return there.attached == XDP_ATTACHED_SKB ? LZ_ATTACH_XDP_GENERIC : LZ_ATTACH_XDP;
}

int lz_attach(const struct lz_kernel *kernel, __u32 ifindex, enum lz_attach_mode mode,
	      unsigned int flags, struct lz_err *reterr)
{
	enum pin_kind hooks[3], made[3];
	size_t n, n_made = 0;
	char dev[IF_NAMESIZE];
	int r = 0;

	if (mode <= LZ_ATTACH_NONE || mode >= LZ_ATTACH_MODE_N)
		return lz_err_set(reterr, EINVAL, "%s: no such hook: %d", name_of(ifindex, dev), mode);
	if (is_alive(kernel, PIN_XDP, ifindex) && xdp_mode(ifindex) != mode)
		return lz_err_set(reterr, EEXIST, "%s: cannot attach %s: it has %s; detach it first",
				  name_of(ifindex, dev), lz_attach_mode_words[mode],
				  lz_attach_mode_words[xdp_mode(ifindex)]);
	/* The kernel takes one program a mode; ours must be the only one. Asked before tc comes and goes again. */
	if (mode != LZ_ATTACH_TC && !is_alive(kernel, PIN_XDP, ifindex) && xdp_mode(ifindex) != LZ_ATTACH_NONE)
		return explain_xdp(ifindex, mode, EBUSY, reterr);
	n = list_hooks(mode, flags, hooks);
	for (size_t i = 0; i < n && !r; i++) {
		if (is_alive(kernel, hooks[i], ifindex))
			continue;
		r = create_hook(kernel, hooks[i], ifindex, mode, reterr);
		if (!r)
			made[n_made++] = hooks[i];
	}
	while (r && n_made)
		remove_hook(kernel, made[--n_made], ifindex);
	return r;
}

/* ---------------------------------------------------------------- reading back */


static struct lz_attachment *find_or_add(struct lz_attachments *list, __u32 ifindex)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].ifindex == ifindex)
			return &list->v[i];
	if (list->n >= LZ_ATTACHMENTS_MAX ||
	    lz_array_grow(&list->v, &list->cap, list->n + 1, sizeof(*list->v)))
		return NULL;
	memset(&list->v[list->n], 0, sizeof(*list->v));
	list->v[list->n].ifindex = ifindex;
	return &list->v[list->n++];
}

static int parse_pin(const char *name, __u32 *ret_ifindex)
{
	for (int kind = 0; kind < PIN_KIND_N; kind++) {
		size_t len = strlen(pin_kinds[kind].prefix);
		char end;

		if (!strncmp(name, pin_kinds[kind].prefix, len) &&
		    sscanf(name + len, "%u%c", ret_ifindex, &end) == 1)
			return kind;
	}
	return -ENOENT;
}

static int note_pin(void *arg, const char *name)
{
	struct lz_attachments *list = arg;
	__u32 ifindex;

	if (parse_pin(name, &ifindex) < 0)
		return 0;
	return find_or_add(list, ifindex) ? 0 : -ENOMEM;
}

static int compare_ifindex(const void *a, const void *b)
{
	const struct lz_attachment *x = a, *y = b;

	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

static bool has_name(const struct lz_kernel *k, const char *name)
{
	char path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];

	lz_pin_path(k->dir, path, "%s", name);
	return !access(path, F_OK);
}

static bool has_pin(const struct lz_kernel *k, enum pin_kind kind, __u32 ifindex)
{
	char name[LZ_PIN_NAME_MAX];

	pin_name(kind, ifindex, name);
	return has_name(k, name);
}

static void look_at(const struct lz_kernel *k, struct lz_attachment *a)
{
	bool out_wanted = has_pin(k, PIN_TCX_OUT, a->ifindex) ||
			  has_pin(k, PIN_FILTER_OUT, a->ifindex);
	bool in;

	a->dead = !if_indextoname(a->ifindex, a->name);
	a->tcx = is_alive(k, PIN_TCX, a->ifindex);
	in = a->tcx || is_alive(k, PIN_FILTER_IN, a->ifindex);
	a->egress = is_alive(k, PIN_TCX_OUT, a->ifindex) ||
		    is_alive(k, PIN_FILTER_OUT, a->ifindex);
	if (a->dead || !in || (out_wanted && !a->egress))
		a->mode = LZ_ATTACH_NONE;
	else if (!has_pin(k, PIN_XDP, a->ifindex))
		a->mode = LZ_ATTACH_TC;
	else if (is_alive(k, PIN_XDP, a->ifindex))
		a->mode = xdp_mode(a->ifindex);
}

int lz_attachments_read(const struct lz_kernel *kernel, struct lz_attachments *ret,
			struct lz_err *reterr)
{
	struct lz_attachments list = {};
	int r = lz_pins_each(kernel->dir, note_pin, &list);

	if (r) {
		lz_attachments_done(&list);
		return lz_err_set(reterr, r, "%s: cannot read: %s", kernel->dir, strerror(-r));
	}
	for (size_t i = 0; i < list.n; i++)
		look_at(kernel, &list.v[i]);
	lz_array_sort(list.v, list.n, sizeof(*list.v), compare_ifindex);
	*ret = list;
	return 0;
}

const struct lz_attachment *lz_attachments_find(const struct lz_attachments *list, __u32 ifindex)
{
	struct lz_attachment key = { .ifindex = ifindex };

	return list->n ? bsearch(&key, list->v, list->n, sizeof(key), compare_ifindex) : NULL;
}

void lz_attachments_done(struct lz_attachments *list)
{
	free(list->v);
	memset(list, 0, sizeof(*list));
}

/* ---------------------------------------------------------------- detaching, updating */

int lz_detach(const struct lz_kernel *kernel, __u32 ifindex, struct lz_err *reterr)
{
	bool found = false;
	char dev[IF_NAMESIZE];

	/* XDP first: as long as it refuses, the tc program must be there to answer. */
	for (int kind = 0; kind < PIN_KIND_N; kind++) {
		found |= has_pin(kernel, kind, ifindex);
		remove_hook(kernel, kind, ifindex);
	}
	return found ? 0 : lz_err_set(reterr, ENOENT, "%s: no hook of ours is there",
				      name_of(ifindex, dev));
}

void lz_detach_xdp(const struct lz_kernel *kernel, __u32 ifindex)
{
	remove_hook(kernel, PIN_XDP, ifindex);
}

int lz_attach_reap(const struct lz_kernel *kernel, struct lz_err *reterr)
{
	struct lz_attachments list = {};
	char path[LZ_PIN_PATH_MAX + LZ_PIN_NAME_MAX];
	int reaped = 0, r = lz_attachments_read(kernel, &list, reterr);

	for (size_t i = 0; i < list.n && !r; i++) {
		if (!list.v[i].dead)
			continue;
		for (int kind = 0; kind < PIN_KIND_N; kind++)
			unpin(kernel, kind, list.v[i].ifindex);
		lz_pin_path(kernel->dir, path, "qdisc_%u", list.v[i].ifindex);
		unlink(path);
		reaped++;
	}
	lz_attachments_done(&list);
	return r ? r : reaped;
}

struct updating {
	const struct lz_kernel *kernel;
	struct lz_err *reterr;
};

/* A filter's pin is one of its program, and an old one would keep the old maps with it. */
static int update_filter(const struct updating *u, enum pin_kind kind, const char *name, __u32 ifindex,
			 int prog)
{
	char marker[LZ_PIN_NAME_MAX];
	int r = lz_clsact_replace(ifindex, kind == PIN_FILTER_OUT, prog, u->reterr);

	if (!r)
		r = lz_pin_replace(u->kernel->dir, name, prog);
	snprintf(marker, sizeof(marker), "qdisc_%u", ifindex);
	if (!r && has_name(u->kernel, marker))
		r = lz_pin_replace(u->kernel->dir, marker, prog);
	return r;
}

static int update_pin(void *arg, const char *name)
{
	const struct updating *u = arg;
	lz_autoclose int fd = -1;
	__u32 ifindex;
	int kind = parse_pin(name, &ifindex), prog, r = 0;

	if (kind < 0 || !is_alive(u->kernel, kind, ifindex))
		return 0;
	prog = u->kernel->prog_fd[pin_kinds[kind].prog];
	if (is_filter(kind))
		return update_filter(u, kind, name, ifindex, prog);
	fd = lz_pin_get(u->kernel->dir, name);
	if (fd >= 0 && link_prog_id(fd) == lz_prog_id(prog))
		return 0;
	if (fd < 0 || bpf_link_update(fd, prog, NULL))
		r = errno;
	if (!r || r == ENOLINK) /* the interface went away meanwhile */
		return 0;
	return lz_err_set(u->reterr, r, "%s: cannot update in place: %s", name, strerror(r));
}

int lz_attach_update(const struct lz_kernel *kernel, struct lz_err *reterr)
{
	struct updating u = { kernel, reterr };
	int r = lz_pins_each(kernel->dir, update_pin, &u);

	return r == -ENOENT ? lz_err_set(reterr, r, "%s: cannot read", kernel->dir) : r;
}
