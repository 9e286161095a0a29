/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_replace.c - another key length, more room: a new instance takes the place of the one that judges,
 * under traffic, killed in the middle, and nothing that the tables alone knew is lost.
 */
#include <fcntl.h>

#include "datapath/pins.h"
#include "prog/attach.h"
#include "prog/refuse_call.h"

#define KEY6 0x20010db800010203ULL /* 2001:db8:1:203::/64 */

static struct lz_instance_config wanted(__u32 key_len)
{
	struct lz_instance_config other = config;

	other.ipv6_key_len = key_len;
	other.replace = true;
	return other;
}

static bool open_beside(struct lz_kernel *k, __u32 key_len, enum lz_attach_mode mode)
{
	struct lz_instance_config other = wanted(key_len);
	int r = lz_kernel_open(&other, k, &err);

	return T_EQ(r, 0, r ? err.text : "open") && T_OK(k->beside_fd >= 0, "beside the other") &&
	       give_row(k, mode);
}

/* An instance that judges, and nobody who has it open. */
static bool start_attached(enum lz_attach_mode mode, unsigned int flags)
{
	struct lz_kernel k;

	start_afresh();
	if (!open_kernel(&k))
		return false;
	T_EQ(attach(&k, mode, flags), 0, err.text);
	lz_kernel_close(&k);
	return true;
}

static void without_a_gap(enum lz_attach_mode mode, unsigned int flags)
{
	struct lz_kernel k, old;
	char next[LZ_PIN_PATH_MAX];
	__u64 before;
	unsigned int sent;

	if (!start_attached(mode, flags))
		return;
	T_EQ(lz_kernel_read_pins("/sys/fs/bpf/lazaret-a", &old, &err), 0, err.text);
	before = count_received(&old);
	stream_start();
	usleep(50000);
	if (open_beside(&k, 56, mode))
		T_EQ(lz_kernel_take_over(&k, &err), 0, err.text);
	usleep(50000);
	sent = stream_end();
	T_OK(count_received(&k) > 0 && count_received(&old) > before, "both have judged");
	T_EQ(count_received(&old) - before + count_received(&k), sent, "each frame by one of them");
	printf("# %u frames\n", sent);
	lz_kernel_close(&old);
	lz_kernel_close(&k);
	lz_pins_next("/sys/fs/bpf/lazaret-a", next);
	T_OK(access(next, F_OK), "nothing is left beside");
	T_EQ(lz_kernel_open(&config, &k, &err), -EMEDIUMTYPE, "the new one is there now");
}

static void without_a_gap_xdp(void)
{
	without_a_gap(LZ_ATTACH_XDP, 0);
}

static void without_a_gap_clsact(void)
{
	without_a_gap(LZ_ATTACH_TC, LZ_ATTACH_F_NO_TCX);
}

static bool view_of(const struct lz_kernel *k, struct lz_tables_view *ret)
{
	int r = lz_tables_open(&k->maps, &k->instance, ret, &err);

	return T_EQ(r, 0, r ? err.text : "tables");
}

static __u64 word_of(const struct lz_tables_view *v, __u32 for_s, unsigned int flags)
{
	return LZ_HOLD_WORD(lz_tables_now_s(v) + for_s, for_s, LZ_GARDEN_LEAKY, flags);
}

static void carries_over(__u32 from, __u32 to)
{
	struct lz_instance_config first = wanted(from);
	struct lz_control *control;
	struct lz_tables_view v;
	__u64 word = 0, other, left = 0, key = KEY6 & ~0ULL << (64 - from);
	struct lz_kernel k;

	start_afresh();
	if (!T_EQ(lz_kernel_open(&first, &k, &err), 0, "open") || !view_of(&k, &v))
		return;
	T_EQ(lz_hold_set(&v, key, word_of(&v, 900, LZ_HOLD_F_KERNEL), 0, &word), LZ_HOLD_NEW, "held by a limit");
	T_EQ(lz_hold_set(&v, 0xc0000207, word_of(&v, 900, LZ_HOLD_F_KERNEL), 0, NULL), LZ_HOLD_NEW, "IPv4 too");
	T_EQ(lz_hold_set(&v, 0xc0000208, word_of(&v, 900, 0), 0, NULL), LZ_HOLD_NEW, "in the ledger");
	lz_tables_close(&v);
	lz_kernel_close(&k);
	T_OK(!lz_bypass_open("a", &control, &err), err.text);
	lz_bypass_set(control, 600);
	lz_bypass_close(&control);

	if (!open_beside(&k, to, LZ_ATTACH_XDP) || !view_of(&k, &v))
		return;
	T_EQ(lz_hold_read(&v, 0xc0000207, &other), -ENOENT, "it begins empty");
	T_EQ(lz_kernel_take_over(&k, &err), 0, err.text);
	for (__u64 part = 0; part < (to > from ? 1u << (to - from) : 1); part++) {
		__u64 at = (key & ~0ULL << (64 - (to < from ? to : from))) + (part << (64 - to));

		if (T_EQ(lz_hold_read(&v, at, &other), 0, "still held"))
			T_EQ(other, word, "to the second");
	}
	T_EQ(lz_hold_read(&v, 0xc0000207, &other), 0, "IPv4 too");
	T_EQ(lz_hold_read(&v, 0xc0000208, &other), -ENOENT, "the ledger's are the daemon's to bring");
	lz_tables_close(&v);
	lz_kernel_close(&k);
	T_OK(!lz_bypass_open("a", &control, &err), err.text);
	T_OK(lz_bypass_get(control, &left) && left > 500, "the kill switch stays thrown");
	lz_bypass_close(&control);
}

static void carries_to_longer(void)
{
	carries_over(56, 64);
}

static void carries_to_shorter(void)
{
	carries_over(64, 48);
}

/* Killed at the worst moments: whoever starts next finds one whole instance, and its hooks judge. */
static void killed_before(bool hooks_changed)
{
	struct lz_attachment a;
	struct lz_kernel k;
	__u64 before;
	size_t n;
	int status;
	pid_t pid;

	if (!start_attached(LZ_ATTACH_XDP, 0))
		return;
	pid = fork();
	if (!pid) {
		if (open_beside(&k, 56, LZ_ATTACH_XDP) &&
		    (!hooks_changed || !lz_attach_update(&k, &err)))
			raise(SIGKILL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	T_OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "killed");
	if (!open_kernel(&k))
		return;
	T_OK(k.adopted && k.beside_fd < 0, "the old one is there");
	a = read_one(&k, &n);
	T_EQ(a.mode, LZ_ATTACH_XDP, "with its hook");
	before = count_received(&k);
	send_frames(50);
	T_EQ(count_received(&k) - before, 50, "which is the old one's again");
	lz_kernel_close(&k);
	if (open_beside(&k, 56, LZ_ATTACH_XDP))
		T_EQ(lz_kernel_take_over(&k, &err), 0, "and it can be done again");
	before = count_received(&k);
	send_frames(50);
	T_EQ(count_received(&k) - before, 50, "and the new one judges");
	lz_kernel_close(&k);
}

static void killed_before_hooks(void)
{
	killed_before(false);
}

static void killed_after_hooks(void)
{
	killed_before(true);
}

/* Between the exchange of the names and the end. */
static void killed_late(void)
{
	struct lz_instance_config other = wanted(56);
	struct lz_attachment a;
	struct lz_kernel k;
	size_t n;

	if (!start_attached(LZ_ATTACH_XDP, 0))
		return;
	T_OK(!room_run("mkdir -m 700 /sys/fs/bpf/lazaret-a~next && cd /sys/fs/bpf && "
		       "mv lazaret-a/link_* lazaret-a~next/ && mv lazaret-a/prog_lz_xdp lazaret-a~next/"),
	     "as it is then");
	T_EQ(lz_kernel_remove("a", NULL, &err), 0, err.text);
	T_OK(access("/sys/fs/bpf/lazaret-a~next", F_OK), "removed as a whole");
	T_EQ(if_nametoindex("lz-a") && !room_run("ip link show lz-a | grep -q xdp"), 0, "no hook is left");

	if (!start_attached(LZ_ATTACH_XDP, 0))
		return;
	if (!open_beside(&k, 56, LZ_ATTACH_XDP))
		return;
	T_EQ(lz_attach_update(&k, &err), 0, err.text);
	lz_kernel_close(&k);
	/* RENAME_EXCHANGE with what mv has */
	T_OK(!room_run("cd /sys/fs/bpf && mv lazaret-a t && mv lazaret-a~next lazaret-a && "
		       "mv t lazaret-a~next"), "the names are exchanged");
	T_EQ(lz_kernel_open(&other, &k, &err), 0, err.text);
	T_OK(k.adopted && k.beside_fd < 0 && k.instance.ipv6_key_len == 56, "the new one is there");
	a = read_one(&k, &n);
	T_EQ(a.mode, LZ_ATTACH_XDP, "with its hook");
	send_frames(50);
	T_EQ(count_received(&k), 50, "which judges");
	T_OK(access("/sys/fs/bpf/lazaret-a~next", F_OK), "and nothing beside it");
	lz_kernel_close(&k);
}

static unsigned int open_files(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static bool says(int r, const char *why)
{
	bool ok = r == -ENOMEM && strstr(err.text, why) && strstr(err.text, "\"capacity\"");

	if (!ok)
		printf("# %d: %s\n", r, err.text);
	return ok;
}

/* Tried and made, both refused with the reason, and this process has nothing of it. */
static int ask_without_memory(const char *why)
{
	struct lz_instance_config other = wanted(56);
	unsigned int before = open_files();
	struct lz_kernel k;

	if (!says(lz_kernel_try(&other, &err), why) || !says(lz_kernel_open(&other, &k, &err), why))
		return 1;
	return open_files() == before ? 0 : 2;
}

static void memory_short(bool by_estimate)
{
	struct lz_attachment a;
	struct lz_kernel k;
	int status = -1;
	size_t n;
	pid_t pid;

	if (!start_attached(LZ_ATTACH_XDP, 0))
		return;
	T_OK(!room_run("mount -t tmpfs none /dev/shm && ls /sys/fs/bpf/lazaret-a >/dev/shm/pins"), "pins");
	if (by_estimate)
		T_OK(!room_run("echo 'MemAvailable: 1000 kB' >/dev/shm/meminfo && "
			       "mount --bind /dev/shm/meminfo /proc/meminfo"), "little memory");
	pid = fork();
	if (!pid) /* no map: the kernel has no memory */
		_exit(by_estimate || refuse_call(SYS_bpf, BPF_MAP_CREATE, ENOMEM) ?
		      ask_without_memory(by_estimate ? "1MiB are available" : "the kernel has not got the") : 3);
	waitpid(pid, &status, 0);
	T_EQ(status, 0, "refused, with the reason");
	if (by_estimate)
		T_OK(!room_run("umount /proc/meminfo"), "memory again");
	T_OK(!room_run("ls /sys/fs/bpf/lazaret-a | cmp - /dev/shm/pins && "
		       "test ! -e /sys/fs/bpf/lazaret-a~next"), "pins are as before");
	if (!open_kernel(&k))
		return;
	a = read_one(&k, &n);
	T_EQ(a.mode, LZ_ATTACH_XDP, "with its hook");
	send_frames(50);
	T_EQ(count_received(&k), 50, "which judges");
	lz_kernel_close(&k);
	if (open_beside(&k, 56, LZ_ATTACH_XDP))
		T_EQ(lz_kernel_take_over(&k, &err), 0, "with memory it goes on");
	lz_kernel_close(&k);
}

static void memory_short_by_estimate(void)
{
	memory_short(true);
}

static void memory_short_in_the_kernel(void)
{
	memory_short(false);
}

/* What the keeper pins again, once a turn, must not make a whole of two halves. */
static void repairs_nothing_beside(void)
{
	struct lz_instance_config again = wanted(64);
	struct lz_kernel k;

	start_afresh();
	if (!T_EQ(lz_kernel_open(&again, &k, &err), 0, "open") || !T_EQ(attach(&k, LZ_ATTACH_XDP, 0), 0, err.text))
		return;
	lz_kernel_close(&k);
	unlink(DIR "map_lz_flows");
	if (!open_beside(&k, 64, LZ_ATTACH_XDP))
		return;
	T_EQ(lz_kernel_repair(&k, &err), 0, "nothing is repaired before it takes over");
	T_OK(access(DIR "map_lz_flows", F_OK) != 0, "the old one stays without");
	T_EQ(lz_kernel_take_over(&k, &err), 0, err.text);
	T_OK(access(DIR "map_lz_flows", F_OK) == 0, "the new one is whole");
	unlink(DIR "map_lz_flows");
	T_EQ(lz_kernel_repair(&k, &err), 1, "and is repaired");
	lz_kernel_close(&k);
}

static const struct t_case cases[] = {
	{ "each frame is judged by one: xdp", without_a_gap_xdp },
	{ "each frame is judged by one: clsact", without_a_gap_clsact },
	{ "a longer key: held by limits, and the bypass", carries_to_longer },
	{ "a shorter key: held by limits, and the bypass", carries_to_shorter },
	{ "killed before the hooks", killed_before_hooks },
	{ "killed after the hooks", killed_after_hooks },
	{ "killed after the names", killed_late },
	{ "a pin is missing: an instance beside", repairs_nothing_beside },
	{ "memory short: by the estimate", memory_short_by_estimate },
	{ "memory short: the kernel says so", memory_short_in_the_kernel },
};

int main(void)
{
	return attach_run(cases, LZ_ARRAY_SIZE(cases), true);
}
