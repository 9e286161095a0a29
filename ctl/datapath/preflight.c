/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * preflight.c - what this kernel can, by trying; the report and its two forms.
 */
#include "datapath/preflight.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "datapath/membarrier.h"
#include "datapath/preflight_rows.h"
#include "datapath/steer.h"

#define KERNEL_FLOOR  KERNEL(5, 15)
#define KERNEL_TESTED KERNEL(6, 1)
#define KERNEL(a, b)  ((a) * 1000 + (b))

#define NOBODY_UID	   65534
#define LZ_XDP_HAS_FRAGS   (1U << 5) /* BPF_F_XDP_HAS_FRAGS, Linux 5.18 */

static const char *const result_words[LZ_PREFLIGHT_N] = {
	[LZ_PREFLIGHT_OK] = "ok",
	[LZ_PREFLIGHT_WARN] = "warn",
	[LZ_PREFLIGHT_FAIL] = "fail",
};

int lz_preflight_add(struct lz_preflight *report, enum lz_preflight_result result,
		     const char *check, const char *todo, const char *fmt, ...)
{
	struct lz_preflight_row *row;
	va_list ap;

	if (lz_array_grow(&report->v, &report->cap, report->n + 1, sizeof(*report->v)))
		return -ENOMEM;
	row = &report->v[report->n++];
	memset(row, 0, sizeof(*row));
	row->result = result;
	snprintf(row->check, sizeof(row->check), "%s", check);
	if (result != LZ_PREFLIGHT_OK)
		snprintf(row->todo, sizeof(row->todo), "%s", todo);
	va_start(ap, fmt);
	vsnprintf(row->what, sizeof(row->what), fmt, ap);
	va_end(ap);
	return 0;
}

/* ---------------------------------------------------------------- probes */

/* A program that does nothing: can we load that kind, with these flags? */
static int try_load(enum bpf_prog_type type, __u32 flags)
{
	struct bpf_insn insns[] = { { .code = 0xb7, .imm = 2 }, { .code = 0x95 } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags);
	int fd = bpf_prog_load(type, "lz_probe", "Dual BSD/GPL", insns, 2, &opts);
	int r = fd < 0 ? -errno : 0;

	lz_close_ref(&fd);
	return r;
}

/* Can a process without privilege use a map it was given? */
static bool nobody_uses_maps(void)
{
	lz_autoclose int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lz_probe", 4, 8, 1, NULL);
	int status;
	pid_t pid = fd < 0 ? -1 : fork();

	if (pid < 0)
		return false;
	if (!pid) {
		__u32 zero = 0;
		__u64 value = 1;

		if (setresuid(NOBODY_UID, NOBODY_UID, NOBODY_UID))
			_exit(2);
		_exit(bpf_map_update_elem(fd, &zero, &value, BPF_ANY) ? 1 : 0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* The number behind @label at the start of a line of a file of /proc. */
static int read_number(const char *path, const char *label, __u64 *ret)
{
	FILE *f = fopen(path, "re");
	char line[128];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		found = !strncmp(line, label, strlen(label));
		if (found)
			*ret = strtoull(line + strlen(label), NULL, 10);
	}
	if (f)
		fclose(f);
	return found ? 0 : -ENOENT;
}

static int check_version(struct lz_preflight *report)
{
	unsigned int major = 0, minor = 0, version;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return lz_preflight_add(report, LZ_PREFLIGHT_WARN, "kernel", "", "release unreadable");
	version = KERNEL(major, minor);
	return lz_preflight_add(report,
				version < KERNEL_FLOOR ? LZ_PREFLIGHT_FAIL :
				version < KERNEL_TESTED ? LZ_PREFLIGHT_WARN : LZ_PREFLIGHT_OK,
				"kernel", version < KERNEL_FLOOR ?
				"install Linux 5.15 or newer" : "tested from 6.1 on; try it first",
				"Linux %s", u.release);
}

static int add_probe(struct lz_preflight *report, bool ok, enum lz_preflight_result otherwise,
		     const char *check, const char *there, const char *not_there, const char *todo)
{
	return lz_preflight_add(report, ok ? LZ_PREFLIGHT_OK : otherwise, check, todo, "%s",
				ok ? there : not_there);
}

/* Each CPU has one packet in hand. PREEMPT_RT may run another judgement in the middle of one on the same CPU since
 * local_bh_disable() takes no lock there any more (Linux commit 3253cb49cbad). */
static int check_realtime(struct lz_preflight *report)
{
	__u64 realtime = 0;

	read_number("/sys/kernel/realtime", "", &realtime);
	return add_probe(report, !realtime, LZ_PREFLIGHT_FAIL, "preemption", "not PREEMPT_RT",
			 "PREEMPT_RT: one packet may be judged by what is known of another",
			 "boot a kernel without PREEMPT_RT");
}

static int check_features(struct lz_preflight *report)
{
	int r = try_load(BPF_PROG_TYPE_SCHED_CLS, 0);

	if (r)
		return lz_preflight_add(report, geteuid() ? LZ_PREFLIGHT_WARN : LZ_PREFLIGHT_FAIL,
					"bpf", geteuid() ? "run the preflight as root" :
					"allow BPF to root: lockdown, container or seccomp forbid it",
					"cannot load a program: %s", strerror(-r));
	r = add_probe(report, true, 0, "bpf", "programs can be loaded", "", "");
	if (!r)
		r = add_probe(report, libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1,
			      LZ_PREFLIGHT_FAIL, "ring buffer", "there", "missing",
			      "install Linux 5.15 or newer");
	if (!r)
		r = add_probe(report, libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS,
				      BPF_FUNC_ktime_get_coarse_ns, NULL) == 1,
			      LZ_PREFLIGHT_FAIL, "coarse clock", "there", "missing",
			      "install Linux 5.15 or newer");
	if (!r)
		r = add_probe(report, lz_attach_has_tcx(), LZ_PREFLIGHT_WARN, "tcx", "there",
			      "missing: clsact filters are used, which go with their qdisc",
			      "let nothing else delete clsact qdiscs, or take Linux 6.6");
	if (!r)
		r = add_probe(report, !try_load(BPF_PROG_TYPE_XDP, LZ_XDP_HAS_FRAGS),
			      LZ_PREFLIGHT_WARN, "xdp frags", "there",
			      "missing: XDP and jumbo frames exclude each other",
			      "say \"hook\": \"tc\" on jumbo ports, or take Linux 5.18");
	if (!r)
		r = add_probe(report, nobody_uses_maps(), LZ_PREFLIGHT_WARN, "maps without privilege",
			      "a process without capabilities can use maps",
			      "refused: the controller keeps CAP_BPF", "take Linux 5.19");
	if (!r)
		r = check_realtime(report);
	if (!r)
		r = add_probe(report, !lz_membarrier(), LZ_PREFLIGHT_FAIL, "membarrier", "there",
			      "refused: cells cannot be reused safely", "boot without nohz_full");
	return r;
}

static int check_system(struct lz_preflight *report, __u64 memory_bytes)
{
	char have[LZ_SIZE_TEXT_MAX], need[LZ_SIZE_TEXT_MAX];
	__u64 jit = 1, available_bytes;
	struct statfs s;
	int r;

	/* The file is not there, or always 1, where the JIT cannot be switched off. */
	read_number("/proc/sys/net/core/bpf_jit_enable", "", &jit);
	r = add_probe(report, jit > 0, LZ_PREFLIGHT_WARN, "jit", "on", "off: programs are interpreted",
		      "sysctl net.core.bpf_jit_enable=1");
	if (!r)
		r = add_probe(report, !access("/sys/kernel/btf/vmlinux", R_OK), LZ_PREFLIGHT_WARN, "btf",
			      "there", "the kernel has no BTF: not needed, but bpftool shows less",
			      "none needed");
	if (!r)
		r = add_probe(report, !statfs(LZ_BPFFS, &s) && (__u32)s.f_type == BPF_FS_MAGIC,
			      LZ_PREFLIGHT_WARN, "bpffs", "mounted on " LZ_BPFFS,
			      "not mounted on " LZ_BPFFS, "lazaretd mounts it itself");
	if (r || !memory_bytes)
		return r;
	if (lz_memory_available(&available_bytes) < 0)
		return lz_preflight_add(report, LZ_PREFLIGHT_WARN, "memory", "", "unreadable");
	return lz_preflight_add(report,
				memory_bytes > available_bytes ? LZ_PREFLIGHT_FAIL :
				memory_bytes > available_bytes / 2 ? LZ_PREFLIGHT_WARN :
				LZ_PREFLIGHT_OK, "memory", "lower \"capacity\", or add memory",
				"needs %s of %s available", lz_mib_format(memory_bytes, need),
				lz_mib_format(available_bytes, have));
}

/* What leading packets to the portal needs of the machine. A firewall cannot be asked. */
static int check_portal(struct lz_preflight *report)
{
	__u64 by_mark = 0, filter = 0;
	struct lz_err err = {};
	int r = lz_steer_check(&err);

	r = r ? lz_preflight_add(report, r > 0 ? LZ_PREFLIGHT_WARN : LZ_PREFLIGHT_FAIL, "portal: ip rules", "",
				 "%s", err.text) :
		lz_preflight_add(report, LZ_PREFLIGHT_OK, "portal: ip rules", "", "priority %d is free",
				 LZ_STEER_PRIORITY);
	read_number("/proc/sys/net/ipv4/conf/all/src_valid_mark", "", &by_mark);
	read_number("/proc/sys/net/ipv4/conf/all/rp_filter", "", &filter);
	if (!r)
		r = add_probe(report, !by_mark || !filter, LZ_PREFLIGHT_FAIL, "portal: rp_filter",
			      "does not look at marks",
			      "with src_valid_mark it looks sources up by the portal's mark and drops them",
			      "sysctl net.ipv4.conf.all.src_valid_mark=0");
	return r ? r : lz_preflight_add(report, LZ_PREFLIGHT_WARN, "portal: firewall",
					"if it has an INPUT chain: accept TCP 80 and 25 with mark 0x4c5a0000",
					"cannot be seen from here");
}

static bool is_member(const char *user, const struct group *group)
{
	const struct passwd *pw = getpwnam(user);

	if (pw && pw->pw_gid == group->gr_gid)
		return true;
	for (char **member = group->gr_mem; *member; member++)
		if (lz_streq(*member, user))
			return true;
	return false;
}

/* Postfix's postdrop has its group by set-group-ID, which no_new_privs takes away. */
static int check_sendmail(const char *program, const char *user, struct lz_preflight *report)
{
	const struct group *postdrop = getgrnam("postdrop");
	char todo[64];

	if (access(program, X_OK) < 0)
		return lz_preflight_add(report, LZ_PREFLIGHT_FAIL, "mail",
					"install a mail server, or send by \"via\": \"smtp://HOST\"",
					"cannot run %s: %s", program, strerror(errno));
	if (!postdrop || is_member(user, postdrop))
		return lz_preflight_add(report, LZ_PREFLIGHT_OK, "mail", "", "goes by %s", program);
	snprintf(todo, sizeof(todo), "adduser %s postdrop", user);
	return lz_preflight_add(report, LZ_PREFLIGHT_FAIL, "mail", todo,
				"Postfix takes none from user %s: not in group postdrop", user);
}

int lz_preflight_run(const struct lz_preflight_input *input, struct lz_preflight *ret)
{
	struct lz_preflight report = {};
	int r = check_version(&report);

	if (!r)
		r = check_features(&report);
	if (!r)
		r = check_system(&report, input->memory_bytes);
	if (!r && input->portal)
		r = check_portal(&report);
	if (!r && input->sendmail)
		r = check_sendmail(input->sendmail, input->mail_user, &report);
	if (!r)
		r = input->rules ? lz_preflight_ports(input->rules, input->n_rules, &report) :
				   lz_preflight_devices(&report);
	if (r) {
		lz_preflight_done(&report);
		return r;
	}
	*ret = report;
	return 0;
}

/* ---------------------------------------------------------------- the report */

void lz_preflight_done(struct lz_preflight *report)
{
	free(report->v);
	memset(report, 0, sizeof(*report));
}

enum lz_preflight_result lz_preflight_worst(const struct lz_preflight *report)
{
	enum lz_preflight_result worst = LZ_PREFLIGHT_OK;

	for (size_t i = 0; i < report->n; i++)
		if (report->v[i].result > worst)
			worst = report->v[i].result;
	return worst;
}

#define TEXT_AT 32 /* column of what was found */

/* Words until the line is full, then below. */
static void append_wrapped(struct lz_str *out, const char *text, size_t column, size_t columns)
{
	for (size_t len; *text; text += len + strspn(text + len, " ")) {
		len = strcspn(text, " ");
		if (column > TEXT_AT && column + 1 + len > columns) {
			lz_str_appendf(out, "\n%*s", TEXT_AT, "");
			column = TEXT_AT;
		}
		lz_str_appendf(out, "%s%.*s", column > TEXT_AT ? " " : "", (int)len, text);
		column += (column > TEXT_AT) + len;
	}
}

int lz_preflight_print(const struct lz_preflight *report, size_t columns, struct lz_str *out)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct lz_preflight_row *row = &report->v[i];
		size_t from = out->len;
		char text[sizeof(row->what) + sizeof(row->todo) + 2];

		lz_str_appendf(out, "%-4s  %-24s  ", result_words[row->result], row->check);
		snprintf(text, sizeof(text), "%s%s%s", row->what, *row->todo ? "; " : "", row->todo);
		append_wrapped(out, text, out->len - from, columns);
		lz_str_appendf(out, "\n");
	}
	return out->error;
}

cJSON *lz_preflight_json(const struct lz_preflight *report)
{
	cJSON *rows = cJSON_CreateArray();

	for (size_t i = 0; rows && i < report->n; i++) {
		cJSON *row = cJSON_CreateObject();

		if (!row || lz_json_add_str(row, "check", report->v[i].check) ||
		    lz_json_add_str(row, "result", result_words[report->v[i].result]) ||
		    lz_json_add_str(row, "what", report->v[i].what) ||
		    lz_json_add_str(row, "todo", report->v[i].todo) ||
		    !cJSON_AddItemToArray(rows, row)) {
			cJSON_Delete(row);
			cJSON_Delete(rows);
			return NULL;
		}
	}
	return rows;
}
