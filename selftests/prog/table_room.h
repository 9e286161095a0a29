/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * table_room.h - the shared tables through the real maps, for p_table*.c, p_sweep.c and p_beside.c: the
 * controller on one side, the real program under BPF_PROG_TEST_RUN on the other.
 */
#ifndef LZ_SELFTESTS_TABLE_ROOM_H
#define LZ_SELFTESTS_TABLE_ROOM_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>

#include "base/clock.h"
#include "datapath/kernel.h"
#include "datapath/policyswap.h"
#include "datapath/ports.h"
#include "datapath/sweep.h"
#include "datapath/search_view.h"
#include "lib/pkt.h"
#include "prog/room.h"

#define SOURCES 600000
#define COLONY	600000
#define FIRST	0x64400000u /* 100.64.0.0 */

static struct lz_kernel kernel;
static struct lz_tables_view view;
static struct lz_err err;
static struct lz_image *image;

static const char policy_text[] =
	"{ \"version\": 1,"
	"  \"interfaces\": { \"a\": { \"side\": \"customer\", \"match\": [\"lo\"] } },"
	"  \"sets\": { \"own\": [\"100.64.0.0/10\", \"2001:db8::/32\"] },"
	"  \"capacity\": { \"sources\": 600000, \"colony\": 600000 },"
	"  \"classes\": { \"own\": { \"of\": [\"own\"], \"port25\": { \"to-world\": \"drop\" } } } }";

/* ---------------------------------------------------------------- set-up */

static inline void set_clock(__u64 now_s)
{
	*(volatile __u64 *)&view.control->replay_now_ns = now_s * LZ_NS_PER_S;
}

static inline bool publish(__u64 number, __u32 confirm_s)
{
	struct lz_inner_sizes sizes;
	struct lz_inner_fds fds;
	int r;

	lz_swap_sizes(image, &sizes);
	if (!T_OK(!lz_inner_create(&sizes, &fds, &err), err.text))
		return false;
	r = lz_swap_fill(image, &fds, &err);
	if (!r)
		r = lz_swap_publish(&view, image, &fds, number, confirm_s, &err);
	lz_inner_close(&fds);
	return T_OK(!r, err.text);
}

/* test_run's frames come in on the loopback device of the namespace: ifindex 1. */
static inline bool give_roles(void)
{
	struct lz_port_want want = { .ifindex = 1, .name = "lo", .mode = LZ_ATTACH_XDP,
				     .role = LZ_ROLE_CUSTOMER };
	struct lz_attachments none = {};
	struct lz_ports ports;
	bool ok;

	if (!T_OK(!lz_ports_open(&kernel.maps, &none, &ports, &err), err.text))
		return false;
	ok = T_OK(!lz_ports_set(&ports, &want, 0, &err), err.text) &&
	     T_OK(!lz_ports_set(&ports, &want, 1, &err), err.text);
	lz_ports_close(&ports);
	return ok;
}

static inline bool set_up(void)
{
	struct lz_instance_config config = { .name = "t", .sources_max = SOURCES,
					     .colony_max = COLONY, .ipv6_key_len = 64, .replay = 1 };
	struct lz_policy *policy = NULL;
	struct lz_report report = {};
	bool ok;

	if (!T_OK(!lz_kernel_open(&config, &kernel, &err), err.text) ||
	    !T_OK(!lz_tables_open(&kernel.maps, &kernel.instance, &view, &err), err.text))
		return false;
	set_clock(1000);
	ok = T_OK(!lz_policy_parse_text(policy_text, strlen(policy_text), NULL, &policy, &report),
		  "the policy parses") &&
	     T_OK(!lz_image_compile(policy, NULL, kernel.instance.seed, &image, &err), err.text);
	lz_policy_free(&policy);
	return ok && give_roles() && publish(1, 0);
}

/* One bare SYN of a source through the real XDP program; its return value. */
static inline int send_syn(__u32 source, __u16 port)
{
	struct pkt_spec spec = { .src = "100.64.0.1", .dst = "198.51.100.1", .dport = port };
	LIBBPF_OPTS(bpf_test_run_opts, run, .repeat = 1);
	static __thread struct pkt p;
	__u8 out[256];

	if (!p.bytes)
		pkt_build(&p, &spec);
	source = htonl(source);
	memcpy(p.data + p.l3 + 12, &source, 4);
	p.data[p.l4 + 2] = port >> 8;
	p.data[p.l4 + 3] = port;
	run.data_in = p.data;
	run.data_size_in = p.bytes;
	run.data_out = out;
	run.data_size_out = sizeof(out);
	return bpf_prog_test_run_opts(kernel.prog_fd[LZ_PROG_XDP], &run) ? -1 : (int)run.retval;
}

static inline struct lz_replay last(void)
{
	struct lz_replay r = {};
	__u32 zero = 0;

	bpf_map_lookup_elem(kernel.maps.fd[LZ_MAP_REPLAY], &zero, &r);
	return r;
}

/* ---------------------------------------------------------------- what a table must be */

struct keys {
	__u64 *v;
	size_t n;
};

static inline int note_key(void *arg, __u64 key, __u32 slot)
{
	struct keys *k = arg;

	(void)slot;
	k->v[k->n++] = key;
	return 0;
}

static inline int compare_u64(const void *a, const void *b)
{
	__u64 x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* All keys of the table, and how many stand there twice. */
static inline size_t count_doubles(size_t *ret_n)
{
	struct keys k = { .v = malloc(view.slots * sizeof(__u64)) };
	size_t doubles = 0;

	lz_cells_each(&view, note_key, &k);
	qsort(k.v, k.n, sizeof(*k.v), compare_u64);
	for (size_t i = 1; i < k.n; i++)
		doubles += k.v[i] == k.v[i - 1];
	free(k.v);
	*ret_n = k.n;
	return doubles;
}

/* Blocks with a bit, entries with a block, and their number are the same. */
static inline void check_blocks(void)
{
	__u32 bits = 0, entries = 0, lines = view.instance.block_lines;

	for (__u32 i = 0; i < lz_block_lines_all(view.instance.tag_lines) * LZ_BLOCK_ENTRIES; i++) {
		__u32 e = view.blocks[i / LZ_BLOCK_ENTRIES].entry[i % LZ_BLOCK_ENTRIES];

		if (i < lines * LZ_BLOCK_ENTRIES)
			entries += LZ_BLOCK_TAG(e) > LZ_BLOCK_GONE;
		else
			bits += (__u32)__builtin_popcount(e);
	}
	T_EQ(bits, entries, "as many blocks are taken as have an entry");
	T_EQ(view.tables->blocks_used, bits, "blocks_used agrees");
}

static inline void sweep_all(__u32 idle_s, struct lz_sweep_totals *ret)
{
	struct lz_sweep_config config = { .idle_s = idle_s, .slice_lines = 256 };
	struct lz_sweep *sweep;

	if (!T_OK(!lz_sweep_new(&view, &config, &sweep), "sweep_new"))
		return;
	T_EQ(lz_sweep_pass(sweep), LZ_SWEEP_DONE, "a pass ends");
	lz_sweep_totals_get(sweep, ret);
	lz_sweep_free(&sweep);
}

/* ---------------------------------------------------------------- a wait of the sweep, in a thread */

static volatile int waited;

static inline void *wait_aside(void *sweep)
{
	lz_sweep_wait(sweep);
	waited = 1;
	return NULL;
}

/* All of a test program. */
static inline int table_main(const struct t_case *cases, size_t n)
{
	return room_main(cases, n, set_up, err.text);
}

#endif
