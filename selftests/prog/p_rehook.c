/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_rehook.c - tc, XDP, generic XDP: from each to each under traffic, and every frame is judged once.
 */
#include "datapath/rehook.h"
#include "prog/attach.h"

static bool open_ports(const struct lz_kernel *k, struct lz_ports *ret)
{
	struct lz_attachments have = {};
	bool ok = T_EQ(lz_attachments_read(k, &have, &err), 0, "attachments") &&
		  T_EQ(lz_ports_open(&k->maps, &have, ret, &err), 0, "ports");

	lz_attachments_done(&have);
	return ok;
}

static enum lz_attach_mode mode_of(const struct lz_kernel *k)
{
	size_t n;

	return read_one(k, &n).mode;
}

static bool change(const struct lz_kernel *k, struct lz_ports *ports, enum lz_attach_mode from,
		   enum lz_attach_mode to)
{
	struct lz_rehook one = { .ifindex = if_nametoindex("lz-a"), .from = from, .to = to };

	lz_rehook(k, ports, &one, 1);
	return T_EQ(one.result, 0, one.err.text) && T_EQ(mode_of(k), to, lz_attach_mode_words[to]);
}

static void judges_each_frame_once(void)
{
	static const enum lz_attach_mode way[] = {
		LZ_ATTACH_TC,  LZ_ATTACH_XDP, LZ_ATTACH_TC,  LZ_ATTACH_XDP_GENERIC,
		LZ_ATTACH_XDP, LZ_ATTACH_XDP_GENERIC, LZ_ATTACH_TC,
	};
	struct lz_ports ports;
	struct lz_kernel k;
	unsigned int sent;
	__u64 before;

	start_afresh();
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, LZ_ATTACH_TC, 0), 0, err.text);
	if (!open_ports(&k, &ports))
		return;
	before = count_received(&k);
	stream_start();
	for (int round = 0; round < 3; round++)
		for (size_t i = 1; i < LZ_ARRAY_SIZE(way); i++)
			change(&k, &ports, way[i - 1], way[i]);
	sent = stream_end();
	T_OK(sent > 10000, "enough frames");
	T_EQ(count_received(&k) - before, sent, "each was judged once");
	printf("# %u frames over %zu changes\n", sent, 3 * (LZ_ARRAY_SIZE(way) - 1));
	lz_ports_close(&ports);
	lz_kernel_close(&k);
}

/* Somebody else's XDP program: the port stays where it was, and judges. */
static void stays_on_tc(void)
{
	struct lz_rehook one = { .from = LZ_ATTACH_TC, .to = LZ_ATTACH_XDP };
	int foreign = load_dummy(BPF_PROG_TYPE_XDP, XDP_PASS);
	struct lz_ports ports;
	struct lz_kernel k;
	__u64 before;

	start_afresh();
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, LZ_ATTACH_TC, 0), 0, err.text);
	if (!open_ports(&k, &ports))
		return;
	one.ifindex = if_nametoindex("lz-a");
	T_EQ(bpf_xdp_attach(one.ifindex, foreign, XDP_FLAGS_DRV_MODE, NULL), 0, "a foreign program");
	lz_rehook(&k, &ports, &one, 1);
	T_EQ(one.result, -EBUSY, "refused");
	T_HAS(one.err.text, "lz-a: cannot attach xdp: program id ", "names it");
	T_EQ(mode_of(&k), LZ_ATTACH_TC, "stays on tc");
	before = count_received(&k);
	send_frames(50);
	T_EQ(count_received(&k) - before, 50, "which judges");
	lz_ports_close(&ports);
	lz_kernel_close(&k);
	close(foreign);
}

/* Killed in the middle, with and without XDP there: what judges goes on, once. */
static void killed(enum lz_attach_mode mode, __u32 flags)
{
	struct lz_ports ports;
	struct lz_kernel k;
	__u64 before;

	start_afresh();
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, mode, 0), 0, err.text);
	if (!open_ports(&k, &ports))
		return;
	lz_ports_flags_set(&ports, if_nametoindex("lz-a"), flags);
	lz_ports_close(&ports);
	lz_kernel_close(&k);
	if (!open_kernel(&k))
		return;
	before = count_received(&k);
	send_frames(50);
	T_EQ(count_received(&k) - before, 50, "judged once as it was left");
	T_OK(give_row(&k, mode_of(&k)), "and settled");
	before = count_received(&k);
	send_frames(50);
	T_EQ(count_received(&k) - before, 50, "judged once");
	lz_kernel_close(&k);
}

static void killed_without_xdp(void)
{
	killed(LZ_ATTACH_TC, LZ_PORT_F_XDP | LZ_PORT_F_CHANGING);
}

static void killed_with_xdp(void)
{
	killed(LZ_ATTACH_XDP, LZ_PORT_F_XDP | LZ_PORT_F_CHANGING);
}

static void killed_before_tc(void)
{
	killed(LZ_ATTACH_XDP, LZ_PORT_F_CHANGING);
}

static void killed_generic(void)
{
	killed(LZ_ATTACH_XDP_GENERIC, LZ_PORT_F_XDP | LZ_PORT_F_CHANGING | LZ_PORT_F_GENERIC);
}

static const struct t_case cases[] = {
	{ "judges each frame once", judges_each_frame_once },
	{ "stays on tc where XDP cannot be", stays_on_tc },
	{ "killed without XDP", killed_without_xdp },
	{ "killed with XDP", killed_with_xdp },
	{ "killed on the way to tc", killed_before_tc },
	{ "killed with generic XDP", killed_generic },
};

int main(void)
{
	return attach_run(cases, LZ_ARRAY_SIZE(cases), true);
}
