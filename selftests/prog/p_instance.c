/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_instance.c - an instance in the kernel: left by a killed keeper, taken over by another build,
 * its pins damaged, its kill switch thrown.
 */
#include "prog/attach.h"

static void survives_a_kill(void)
{
	struct lz_attachment a;
	struct lz_kernel k;
	__u64 before;
	size_t n;
	int status;
	pid_t pid;

	start_afresh();
	pid = fork();
	if (!pid) {
		if (open_kernel(&k) && !attach(&k, LZ_ATTACH_XDP, 0))
			raise(SIGKILL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	T_OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "killed after attaching");
	T_EQ(send_frames(100), 100, "sent while nobody is there");
	if (!open_kernel(&k))
		return;
	T_OK(k.adopted && !k.upgraded, "taken over as it was");
	T_EQ(count_received(&k), 100, "the hook stayed");
	a = read_one(&k, &n);
	T_EQ(a.mode, LZ_ATTACH_XDP, "and is read back");
	before = count_received(&k);
	send_frames(10);
	T_EQ(count_received(&k) - before, 10, "and goes on");
	lz_kernel_close(&k);
}

static void refuses_a_second_keeper(void)
{
	struct lz_kernel k, second;
	char pid[32];

	start_afresh();
	if (!open_kernel(&k))
		return;
	T_EQ(lz_kernel_open(&config, &second, &err), -EBUSY, "second keeper");
	snprintf(pid, sizeof(pid), "(pid %d)", getpid());
	T_HAS(err.text, pid, "names the first");
	T_EQ(lz_kernel_remove("a", NULL, &err), -EBUSY, "nor may it be removed");
	lz_kernel_close(&k);
}

/* Another build's programs: whatever is pinned is not ours, so every start updates the link. */
static void upgrades_without_a_gap(enum lz_attach_mode mode, unsigned int flags)
{
	int foreign = load_dummy(BPF_PROG_TYPE_XDP, XDP_PASS);
	struct lz_kernel k;
	unsigned int sent;
	__u64 before;
	bool ok = true;

	start_afresh();
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, mode, flags), 0, err.text);
	before = count_received(&k);
	stream_start();
	for (int i = 0; i < 4 && ok; i++) {
		lz_kernel_close(&k);
		unlink(DIR "prog_lz_xdp");
		T_OK(!bpf_obj_pin(foreign, DIR "prog_lz_xdp"), "pin another program");
		ok = open_kernel(&k) && T_OK(k.upgraded, "programs were replaced");
	}
	sent = stream_end();
	close(foreign);
	if (!ok)
		return;
	T_OK(sent > 1000, "enough frames");
	T_EQ(count_received(&k) - before, sent, "not one went by unseen");
	printf("# %u frames over 4 upgrades\n", sent);
	lz_kernel_close(&k);
}

static void upgrades_xdp(void)
{
	upgrades_without_a_gap(LZ_ATTACH_XDP, 0);
}

static void upgrades_clsact(void)
{
	upgrades_without_a_gap(LZ_ATTACH_TC, LZ_ATTACH_F_NO_TCX);
}

static void repairs_and_refuses_pins(void)
{
	struct lz_instance_config other = config;
	unsigned int detached = 0;
	struct lz_kernel k;

	start_afresh();
	if (!open_kernel(&k))
		return;
	unlink(DIR "map_lz_cells");
	T_EQ(lz_kernel_repair(&k, &err), 1, "one pin made again");
	unlink(DIR "map_lz_flows");
	lz_kernel_close(&k);
	if (!open_kernel(&k))
		return;
	T_OK(!k.adopted, "half an instance without hooks is begun again");
	T_EQ(attach(&k, LZ_ATTACH_XDP, 0), 0, err.text);
	lz_kernel_close(&k);

	other.ipv6_key_len = 56;
	T_EQ(lz_kernel_open(&other, &k, &err), -EMEDIUMTYPE, "another key length");
	T_HAS(err.text, "/64, the policy says /56", "says which");
	other = config;
	other.sources_max = 1000000;
	T_EQ(lz_kernel_open(&other, &k, &err), -ENOSPC, "a larger capacity");
	unlink(DIR "map_lz_flows");
	T_EQ(lz_kernel_open(&config, &k, &err), -EPROTONOSUPPORT, "hooks without all maps");
	T_HAS(err.text, "`lazaretd --detach`, then start", "with the way out");
	T_EQ(lz_kernel_remove("a", &detached, &err), 0, "which works");
	T_EQ(detached, 1, "and detaches");
	T_OK(access(DIR, F_OK), "nothing is left");
	T_EQ(lz_kernel_remove("a", &detached, &err), -ENOENT, "nothing to remove");
	other = config;
	other.name = "../x";
	T_EQ(lz_kernel_open(&other, &k, &err), -EINVAL, "no way out of the directory");
}

static void bypasses_through_the_pin(void)
{
	struct lz_control *control;
	struct lz_kernel k;
	__u64 left = 0;

	start_afresh();
	T_EQ(lz_bypass_open("a", &control, &err), -ENOENT, "no instance");
	if (!open_kernel(&k))
		return;
	lz_kernel_close(&k);
	if (!T_OK(!lz_bypass_open("a", &control, &err), err.text))
		return;
	T_OK(!lz_bypass_get(control, NULL), "off");
	lz_bypass_set(control, 100);
	T_OK(lz_bypass_get(control, &left), "on");
	T_OK(left >= 100 && left <= 101, "for so long, and not less");
	lz_bypass_set(control, 0);
	T_OK(lz_bypass_get(control, &left) && left == LZ_BYPASS_FOREVER, "for ever");
	lz_bypass_clear(control);
	T_OK(!lz_bypass_get(control, NULL), "off again");
	lz_bypass_close(&control);
}

static const struct t_case cases[] = {
	{ "a killed keeper leaves its hooks", survives_a_kill },
	{ "one keeper an instance", refuses_a_second_keeper },
	{ "another build takes over without a gap: xdp", upgrades_xdp },
	{ "another build takes over without a gap: clsact", upgrades_clsact },
	{ "pins: repaired, begun again, refused, removed", repairs_and_refuses_pins },
	{ "bypass needs no daemon", bypasses_through_the_pin },
};

int main(void)
{
	return attach_run(cases, LZ_ARRAY_SIZE(cases), true);
}
