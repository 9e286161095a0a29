/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attach.h - hooks on interfaces, each a pinned link. Keeper only.
 *
 *   link_xdp_<ifindex>      XDP, native or generic (its mode is read back from the interface)
 *   link_tcx_<ifindex>      tc ingress by tcx (kernel >= 6.6)
 *   link_tcxout_<ifindex>   tc egress by tcx
 *   filter_in_<ifindex>     no tcx: program pin that stands for our clsact filter, which no link keeps
 *   filter_out_<ifindex>
 *   qdisc_<ifindex>         we made the clsact qdisc, so we may delete it once it is empty
 *
 * With a link nobody but root's bpftool takes the hook away; a clsact filter goes with its qdisc.
 */
#ifndef LZ_DATAPATH_ATTACH_H
#define LZ_DATAPATH_ATTACH_H

#include <net/if.h>

#include "datapath/kernel.h"

enum lz_attach_mode {
	LZ_ATTACH_NONE,
	LZ_ATTACH_TC,
	LZ_ATTACH_XDP,	       /* native */
	LZ_ATTACH_XDP_GENERIC, /* only when named */
	LZ_ATTACH_MODE_N,
};

extern const char *const lz_attach_mode_words[LZ_ATTACH_MODE_N]; /* "none" "tc" "xdp" "xdp-generic" */

enum lz_attach_flags {
	LZ_ATTACH_F_EGRESS = 0x01, /* lz_tc_out too: the return hook of a gateway that NATs */
	LZ_ATTACH_F_NO_TCX = 0x02, /* clsact even where tcx exists: tests */
};

struct lz_attachment {
	__u32 ifindex;
	char name[IF_NAMESIZE]; /* "" if the interface is gone */
	enum lz_attach_mode mode;
	bool egress;
	bool tcx;
	bool dead; /* the interface is gone; only pins are left */
};

#define LZ_ATTACHMENTS_MAX 4096

struct lz_attachments {
	struct lz_attachment *v; /* by ifindex */
	size_t n, cap;
};

/**
 * lz_attach() - put the hooks of @mode on an interface; nothing to do if they are there
 *
 * All or nothing: what was attached before a failure is taken back. An interface that has XDP keeps
 * it: another mode is -EEXIST (detach first). Never replaces a foreign program: -EBUSY names it.
 * Return: 0; -EOPNOTSUPP no native XDP in this driver; -ERANGE MTU; -EBUSY; else -errno, with
 *         @reterr set.
 */
int lz_attach(const struct lz_kernel *kernel, __u32 ifindex, enum lz_attach_mode mode,
	      unsigned int flags, struct lz_err *reterr);

/** lz_detach_xdp() - leave tc alone on an interface: its port's flags must say so before */
void lz_detach_xdp(const struct lz_kernel *kernel, __u32 ifindex);

/** lz_detach() - take all our hooks off one interface, dead or alive; -ENOENT if there are none */
int lz_detach(const struct lz_kernel *kernel, __u32 ifindex, struct lz_err *reterr);

/**
 * lz_attachments_read() - what is attached, by the pins, checked against the kernel
 *
 * A missing half (somebody detached a link or deleted the qdisc) counts as not attached: mode
 * LZ_ATTACH_NONE, so that lz_attach() puts it back.
 */
int lz_attachments_read(const struct lz_kernel *kernel, struct lz_attachments *ret,
			struct lz_err *reterr);
void lz_attachments_done(struct lz_attachments *list);

/** lz_attachments_find() - of an interface, or NULL: there is no pin of its */
const struct lz_attachment *lz_attachments_find(const struct lz_attachments *list, __u32 ifindex);

/**
 * lz_attach_reap() - remove the pins of interfaces that are gone
 * Return: how many interfaces, or -errno with @reterr set.
 */
int lz_attach_reap(const struct lz_kernel *kernel, struct lz_err *reterr);

/** lz_attach_has_tcx() - does this kernel know tcx? Probed once. */
bool lz_attach_has_tcx(void);

#endif
