/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_attach.c - every kind of hook: attached, lost, made again, next to foreign programs.
 */
#include "prog/attach.h"

static void sees_every_frame(enum lz_attach_mode mode, unsigned int flags, bool tcx)
{
	struct lz_attachment a;
	struct lz_kernel k;
	__u64 before;
	size_t n;
	int r;

	start_afresh();
	if (!open_kernel(&k))
		return;
	r = attach(&k, mode, flags);
	T_EQ(r, 0, r ? err.text : "attach");
	T_EQ(attach(&k, mode, flags), 0, "again: nothing to do");
	a = read_one(&k, &n);
	T_EQ(n, 1, "one interface");
	T_EQ(a.mode, mode, "in this mode");
	T_EQ(a.tcx, tcx, "by tcx");
	T_EQ(a.egress, !!(flags & LZ_ATTACH_F_EGRESS), "egress");
	before = count_received(&k);
	T_EQ(send_frames(100), 100, "sent");
	T_EQ(count_received(&k) - before, 100, "each seen once");
	T_EQ(lz_detach(&k, if_nametoindex("lz-a"), &err), 0, "detach");
	before = count_received(&k);
	send_frames(100);
	T_EQ(count_received(&k) - before, 0, "seen no more");
	T_EQ(lz_detach(&k, if_nametoindex("lz-a"), &err), -ENOENT, "nothing left");
	lz_kernel_close(&k);
}

static void attaches_native(void)
{
	sees_every_frame(LZ_ATTACH_XDP, 0, lz_attach_has_tcx());
}

static void attaches_generic(void)
{
	sees_every_frame(LZ_ATTACH_XDP_GENERIC, 0, lz_attach_has_tcx());
}

static void attaches_tcx(void)
{
	if (!lz_attach_has_tcx())
		T_SKIP("kernel without tcx");
	sees_every_frame(LZ_ATTACH_TC, LZ_ATTACH_F_EGRESS, true);
}

static void attaches_clsact(void)
{
	sees_every_frame(LZ_ATTACH_TC, LZ_ATTACH_F_EGRESS | LZ_ATTACH_F_NO_TCX, false);
	T_OK(room_run("tc qdisc show dev lz-a | grep -q clsact"), "the qdisc we made is gone");
}

static void refuses_a_foreign_program(void)
{
	lz_autoclose int prog = load_dummy(BPF_PROG_TYPE_XDP, XDP_PASS);
	LIBBPF_OPTS(bpf_xdp_query_opts, there);
	struct lz_kernel k;
	size_t n;

	start_afresh();
	T_EQ(bpf_xdp_attach(if_nametoindex("lz-a"), prog, XDP_FLAGS_DRV_MODE, NULL), 0, "somebody's");
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, LZ_ATTACH_XDP, 0), -EBUSY, "native refused");
	T_HAS(err.text, "bpftool prog show id ", "says how to see which");
	T_EQ(attach(&k, LZ_ATTACH_XDP_GENERIC, 0), -EBUSY, "generic refused too");
	read_one(&k, &n);
	T_EQ(n, 0, "nothing half attached");
	T_OK(!bpf_xdp_query(if_nametoindex("lz-a"), 0, &there) && there.drv_prog_id, "still there");
	lz_kernel_close(&k);
}

static void leaves_a_foreign_filter(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = 0, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);
	LIBBPF_OPTS(bpf_tc_opts, query, .handle = 1, .priority = 1);
	lz_autoclose int prog = load_dummy(BPF_PROG_TYPE_SCHED_CLS, -1);
	struct lz_kernel k;
	__u64 before;

	start_afresh();
	hook.ifindex = if_nametoindex("lz-a");
	opts.prog_fd = prog;
	T_EQ(bpf_tc_hook_create(&hook), 0, "somebody's qdisc");
	T_EQ(bpf_tc_attach(&hook, &opts), 0, "somebody's filter");
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, LZ_ATTACH_TC, LZ_ATTACH_F_NO_TCX), 0, err.text);
	before = count_received(&k);
	send_frames(50);
	T_EQ(count_received(&k) - before, 50, "ours sees the frames behind it");
	T_EQ(lz_detach(&k, hook.ifindex, &err), 0, "detach");
	T_EQ(bpf_tc_query(&hook, &query), 0, "the foreign filter is still there");
	lz_kernel_close(&k);
}

static void follows_a_new_interface(void)
{
	struct lz_attachment a;
	struct lz_kernel k;
	__u64 before;
	size_t n;

	start_afresh();
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, LZ_ATTACH_XDP, 0), 0, err.text);
	T_EQ(room_run("ip link del lz-a"), 0, "deleted");
	a = read_one(&k, &n);
	T_OK(n == 1 && a.dead, "dead pins are seen");
	T_OK(make_veth(), "created again");
	T_EQ(lz_attach_reap(&k, &err), 1, "dead pins are removed");
	read_one(&k, &n);
	T_EQ(n, 0, "the new interface has no hook by itself");
	T_EQ(attach(&k, LZ_ATTACH_XDP, 0), 0, err.text);
	before = count_received(&k);
	send_frames(10);
	T_EQ(count_received(&k) - before, 10, "and now it has");
	lz_kernel_close(&k);
}

static void attaches_again_after_a_foreign_hand(void)
{
	struct lz_attachment a;
	struct lz_kernel k;
	__u64 before;
	size_t n;
	int link;

	start_afresh();
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, LZ_ATTACH_XDP, 0), 0, err.text);
	T_OK(room_run("ip link set lz-a xdp off 2>/dev/null"), "the link keeps ip(8) out");
	char path[64];

	snprintf(path, sizeof(path), DIR "link_xdp_%u", if_nametoindex("lz-a"));
	link = bpf_obj_get(path);
	T_EQ(bpf_link_detach(link), 0, "root detaches the link");
	close(link);
	a = read_one(&k, &n);
	T_EQ(a.mode, LZ_ATTACH_NONE, "seen as not attached");
	T_EQ(attach(&k, LZ_ATTACH_XDP, 0), 0, err.text);
	a = read_one(&k, &n);
	T_EQ(a.mode, LZ_ATTACH_XDP, "put back");
	before = count_received(&k);
	send_frames(10);
	T_EQ(count_received(&k) - before, 10, "and it sees");
	lz_kernel_close(&k);
}

static const struct t_case cases[] = {
	{ "native XDP sees every frame", attaches_native },
	{ "generic XDP sees every frame", attaches_generic },
	{ "tcx sees every frame", attaches_tcx },
	{ "clsact sees every frame and goes without trace", attaches_clsact },
	{ "a foreign XDP program is named, not replaced", refuses_a_foreign_program },
	{ "a foreign filter stays", leaves_a_foreign_filter },
	{ "an interface that is made again", follows_a_new_interface },
	{ "a hook that was taken off is put back", attaches_again_after_a_foreign_hand },
};

int main(void)
{
	return attach_run(cases, LZ_ARRAY_SIZE(cases), true);
}
