/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_attach.c - an instance in the kernel: made, attached, left by a killed keeper, taken over.
 * Frames go out of lz-b, the programs sit on lz-a, its peer.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/mem.h"
#include "datapath/bypass.h"
#include "datapath/kernel.h"
#include "datapath/ports.h"
#include "datapath/preflight.h"
#include "datapath/tables.h"
#include "lib/pkt.h"
#include "prog/room.h"

#define DIR "/sys/fs/bpf/lazaret-a/"

static const struct lz_instance_config config = {
	.name = "a", .sources_max = 4096, .colony_max = 1024, .ipv6_key_len = 64,
};
static struct lz_err err;

/* ---------------------------------------------------------------- frames and counts */

static int open_sender(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex("lz-b") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static unsigned int send_frames(unsigned int n)
{
	struct pkt_spec spec = { .src = "100.64.0.1", .dst = "198.51.100.1", .dport = 443 };
	lz_autoclose int fd = open_sender();
	unsigned int sent = 0;
	struct pkt p;

	pkt_build(&p, &spec);
	for (unsigned int i = 0; i < n; i++)
		sent += send(fd, p.data, p.bytes, 0) == (ssize_t)p.bytes;
	usleep(50000); /* veth hands over through NAPI */
	return sent;
}

/* Frames of lz-a's row so far; others (neighbour discovery) are kept away: see make_veth(). */
static __u64 count_received(const struct lz_kernel *k)
{
	struct lz_port_stats s = {};
	struct lz_tables_view view;

	if (!T_OK(!lz_tables_open(&k->maps, &k->instance, &view, &err), err.text))
		return 0;
	lz_port_stats_read(&view, lz_ports_row(view.ports, if_nametoindex("lz-a")), &s);
	lz_tables_close(&view);
	return s.count[LZ_C_RECEIVED];
}

static bool make_veth(void)
{
	return !room_run("ip link add lz-a type veth peer name lz-b && "
			 "echo 1 > /proc/sys/net/ipv6/conf/lz-a/disable_ipv6 && "
			 "echo 1 > /proc/sys/net/ipv6/conf/lz-b/disable_ipv6 && "
			 "ip link set lz-a arp off && ip link set lz-b arp off && "
			 "ip link set lz-a up && ip link set lz-b up");
}

static bool open_kernel(struct lz_kernel *k)
{
	int r = lz_kernel_open(&config, k, &err);

	return T_EQ(r, 0, r ? err.text : "open");
}

static bool give_row(const struct lz_kernel *k, enum lz_attach_mode mode)
{
	struct lz_port_want want = { .ifindex = if_nametoindex("lz-a"), .name = "lz-a", .mode = mode,
				     .role = LZ_ROLE_CUSTOMER };
	struct lz_attachments none = {};
	struct lz_ports ports;
	bool ok = T_OK(!lz_ports_open(&k->maps, &none, &ports, &err), err.text) &&
		  T_OK(!lz_ports_set(&ports, &want, 0, &err), err.text);

	if (ok)
		lz_ports_close(&ports);
	return ok;
}

static int attach(const struct lz_kernel *k, enum lz_attach_mode mode, unsigned int flags)
{
	return give_row(k, mode) ? lz_attach(k, if_nametoindex("lz-a"), mode, flags, &err) : -1;
}

static struct lz_attachment read_one(const struct lz_kernel *k, size_t *ret_n)
{
	struct lz_attachments list = {};
	struct lz_attachment a = {};

	T_OK(!lz_attachments_read(k, &list, &err), "attachments");
	if (list.n)
		a = list.v[0];
	*ret_n = list.n;
	lz_attachments_done(&list);
	return a;
}

static int load_dummy(enum bpf_prog_type type, int verdict)
{
	struct bpf_insn insns[] = { { .code = 0xb7, .imm = verdict }, { .code = 0x95 } };

	return bpf_prog_load(type, "lz_foreign", "Dual BSD/GPL", insns, 2, NULL);
}

static void start_afresh(void)
{
	room_run("ip link del lz-a 2>/dev/null; true");
	lz_kernel_remove("a", NULL, NULL);
	T_OK(make_veth(), "veth pair");
}

/* ---------------------------------------------------------------- cases */

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

static volatile int stop;
static volatile unsigned int sent;

static void *send_on(void *arg)
{
	struct pkt_spec spec = { .src = "100.64.0.1", .dst = "198.51.100.1", .dport = 443 };
	lz_autoclose int fd = open_sender();
	struct pkt p;

	(void)arg;
	pkt_build(&p, &spec);
	/* Paced below what one queue takes: a frame dropped by veth would look like a gap. */
	while (!stop) {
		for (int i = 0; i < 20; i++)
			sent += send(fd, p.data, p.bytes, 0) == (ssize_t)p.bytes;
		usleep(200);
	}
	return NULL;
}

/* Another build's programs: whatever is pinned is not ours, so every start updates the link. */
static void upgrades_without_a_gap(enum lz_attach_mode mode, unsigned int flags)
{
	int foreign = load_dummy(BPF_PROG_TYPE_XDP, XDP_PASS);
	struct lz_kernel k;
	pthread_t t;
	__u64 before;
	bool ok = true;

	start_afresh();
	if (!open_kernel(&k))
		return;
	T_EQ(attach(&k, mode, flags), 0, err.text);
	before = count_received(&k);
	stop = 0;
	sent = 0;
	pthread_create(&t, NULL, send_on, NULL);
	for (int i = 0; i < 4 && ok; i++) {
		lz_kernel_close(&k);
		unlink(DIR "prog_lz_xdp");
		T_OK(!bpf_obj_pin(foreign, DIR "prog_lz_xdp"), "pin another program");
		ok = open_kernel(&k) && T_OK(k.upgraded, "programs were replaced");
	}
	stop = 1;
	pthread_join(t, NULL);
	usleep(100000);
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
	T_HAS(err.text, "program 'lz_foreign' (id ", "names it");
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
	T_EQ(lz_kernel_open(&config, &k, &err), -EPROTO, "hooks without all maps");
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

static void count_change(void *arg)
{
	++*(int *)arg;
}

static void notices_changes(void)
{
	struct lz_netdev_monitor *m;
	const struct lz_netdev *dev;
	struct lz_netdevs devs = {};
	struct pollfd p = { .events = POLLIN };
	int changes = 0;

	start_afresh();
	if (!T_OK(!lz_netdev_monitor_open(count_change, &changes, &m, &err), err.text))
		return;
	p.fd = lz_netdev_monitor_fd(m);
	room_run("ip addr add 192.0.2.1/24 dev lz-a");
	T_EQ(poll(&p, 1, 2000), 1, "readable");
	T_EQ(lz_netdev_monitor_read(m), 0, "read");
	T_EQ(changes, 1, "told once");
	T_EQ(poll(&p, 1, 0), 0, "nothing left");
	lz_netdev_monitor_close(&m);
	T_OK(!lz_netdevs_read(&devs, &err), err.text);
	dev = lz_netdevs_find(&devs, if_nametoindex("lz-a"));
	if (T_OK(dev, "lz-a is listed")) {
		T_STR(dev->kind, "veth", "kind");
		T_STR(dev->driver, "veth", "driver");
		T_EQ(dev->addr.ip4, htonl(0xc0000201), "address");
		T_OK(dev->up && !dev->l3 && !dev->physical && !dev->lower, "facts");
		T_EQ(lz_netdev_auto_mode(&devs, dev), LZ_ATTACH_XDP, "auto is native XDP");
	}
	lz_netdevs_done(&devs);
}

static void resolves_and_refuses(void)
{
	struct lz_netdev v[] = {
		{ .name = "eth0", .ifindex = 2, .arphrd = ARPHRD_ETHER, .driver = "ixgbe",
		  .physical = true },
		{ .name = "eth0.5", .ifindex = 3, .arphrd = ARPHRD_ETHER, .kind = "vlan", .lower = 2 },
		{ .name = "bond0", .ifindex = 4, .arphrd = ARPHRD_ETHER, .kind = "bond" },
		{ .name = "eth1", .ifindex = 5, .arphrd = ARPHRD_ETHER, .driver = "ixgbe",
		  .master = 4, .pppoe = true },
		{ .name = "bond0.7", .ifindex = 6, .arphrd = ARPHRD_ETHER, .kind = "vlan", .lower = 4 },
		{ .name = "ppp0", .ifindex = 7, .arphrd = ARPHRD_PPP, .l3 = true },
		{ .name = "tap9", .ifindex = 65538, .arphrd = ARPHRD_ETHER, .driver = "tun" },
	};
	static const struct {
		const char *a, *b;
		const char *why; /* NULL: may stand side by side */
	} rows[] = {
		{ "eth0", "eth0.*", "one runs over the other" },
		{ "eth1", "bond0", "one runs over the other" },
		{ "eth1", "bond0.7", "one runs over the other" },
		{ "eth1", "ppp*", "PPPoE sessions run over" },
		{ "eth0", "tap*", "same low 16 bits" },
		{ "eth0.5", "bond0.7", NULL },
		{ "eth0", "ppp*", NULL },
	};
	struct lz_netdevs devs = { v, LZ_ARRAY_SIZE(v), 0 };
	struct lz_port_rule rules[2] = { { .group = "x", .role = LZ_ROLE_CUSTOMER, .egress = 1 },
					 { .group = "y", .role = LZ_ROLE_CUSTOMER } };
	struct lz_attachments none = {};
	struct lz_port_wants w = {};

	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) {
		snprintf(rules[0].match, sizeof(rules[0].match), "%s", rows[i].a);
		snprintf(rules[1].match, sizeof(rules[1].match), "%s", rows[i].b);
		T_EQ(lz_port_wants_resolve(&devs, rules, 2, &w, &err), rows[i].why ? -EINVAL : 0,
		     rows[i].b);
		if (rows[i].why)
			T_HAS(err.text, rows[i].why, "the reason");
	}
	T_EQ(w.n, 2, "eth0 and ppp0");
	T_EQ(w.v[0].mode, LZ_ATTACH_XDP, "eth0: native XDP");
	T_OK(w.v[0].egress && !w.v[1].egress, "return hook where the rule says so");
	T_EQ(w.v[1].mode, LZ_ATTACH_TC, "ppp0: tc");
	T_STR(lz_port_wants_first_xdp(&w, &none), "eth0", "its link may flap");
	lz_port_wants_done(&w);
	rules[1].hook = LZ_WANT_XDP;
	T_EQ(lz_port_wants_resolve(&devs, rules, 2, &w, &err), -EINVAL, "native XDP on ppp");
	rules[1] = rules[0];
	rules[1].role = LZ_ROLE_UPLINK;
	T_EQ(lz_port_wants_resolve(&devs, rules, 2, &w, &err), -EINVAL, "two sides");
	T_HAS(err.text, "both mean it", "says so");
}

static void looks_before_it_leaps(void)
{
	struct lz_port_rule rule = { .group = "access", .match = "lz-a", .role = LZ_ROLE_CUSTOMER };
	struct lz_preflight_input input = { .rules = &rule, .n_rules = 1, .memory_bytes = 1 << 20 };
	lz_autoclose int prog = load_dummy(BPF_PROG_TYPE_XDP, XDP_PASS);
	struct lz_preflight report = {};
	lz_autojson cJSON *json = NULL;
	lz_autostr struct lz_str text = {};

	start_afresh();
	T_OK(!lz_preflight_run(&input, &report), "run");
	T_OK(!lz_preflight_print(&report, &text), "print");
	T_HAS(text.data, "lz-a: hook", "the interface's hook");
	T_HAS(text.data, "xdp, driver veth", "is native XDP");
	T_HAS(text.data, "needs 1MiB of ", "memory");
	if (!T_OK(lz_preflight_worst(&report) < LZ_PREFLIGHT_FAIL, "this machine will do"))
		t_show("report", text.data);
	json = lz_preflight_json(&report);
	T_EQ(cJSON_GetArraySize(json), report.n, "as many in JSON");
	lz_preflight_done(&report);
	lz_str_done(&text);
	T_EQ(bpf_xdp_attach(if_nametoindex("lz-a"), prog, XDP_FLAGS_DRV_MODE, NULL), 0, "somebody's");
	T_OK(!lz_preflight_run(&input, &report), "run");
	T_OK(!lz_preflight_print(&report, &text), "print");
	T_HAS(text.data, "program 'lz_foreign' (id ", "a foreign program is named");
	T_EQ(lz_preflight_worst(&report), LZ_PREFLIGHT_FAIL, "and fails the report");
	lz_preflight_done(&report);
}

static const struct t_case cases[] = {
	{ "native XDP sees every frame", attaches_native },
	{ "generic XDP sees every frame", attaches_generic },
	{ "tcx sees every frame", attaches_tcx },
	{ "clsact sees every frame and goes without trace", attaches_clsact },
	{ "a killed keeper leaves its hooks", survives_a_kill },
	{ "one keeper an instance", refuses_a_second_keeper },
	{ "another build takes over without a gap: xdp", upgrades_xdp },
	{ "another build takes over without a gap: clsact", upgrades_clsact },
	{ "a foreign XDP program is named, not replaced", refuses_a_foreign_program },
	{ "a foreign filter stays", leaves_a_foreign_filter },
	{ "an interface that is made again", follows_a_new_interface },
	{ "a hook that was taken off is put back", attaches_again_after_a_foreign_hand },
	{ "pins: repaired, begun again, refused, removed", repairs_and_refuses_pins },
	{ "bypass needs no daemon", bypasses_through_the_pin },
	{ "changes of interfaces", notices_changes },
	{ "which interfaces a policy means", resolves_and_refuses },
	{ "preflight", looks_before_it_leaps },
};

int main(void)
{
	if (geteuid()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	if (!room_enter(180)) {
		printf("Bail out! no namespace of its own\n");
		return EXIT_FAILURE;
	}
	return T_MAIN(cases);
}
