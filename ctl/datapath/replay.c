/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "datapath/replay.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <lazaret.skel.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "datapath/kernel.h"
#include "datapath/object.h"
#include "datapath/policyswap.h"

/* A test run without a context arrives on the loopback device, which is number 1 in every network
 * namespace (LOOPBACK_IFINDEX). */
#define PORT_IFINDEX 1
#define PORT_ROW     1

struct lz_replay_box {
	struct lazaret *skel;
	struct lz_tables_view view;
	bool viewing;
	int xdp_fd;
};

void lz_replay_close(struct lz_replay_box **box)
{
	struct lz_replay_box *b = *box;

	*box = NULL;
	if (!b)
		return;
	if (b->viewing)
		lz_tables_close(&b->view);
	lazaret__destroy(b->skel);
	free(b);
}

static void size_instance(const struct lz_replay_config *config, struct lz_instance *ret)
{
	*ret = (struct lz_instance){
		.seed = config->image->seed,
		.abi_version = LZ_ABI_VERSION,
		.ipv6_key_len = config->image->ipv6_key_len,
		.replay = 1,
	};
	lz_instance_size(config->cells, 0, ret);
	ret->flow_lines = config->flow_lines;
}

/* The kernel's own log is for developers of the data plane; why it failed is said in one line. */
static int stay_silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int load(struct lz_replay_box *b, const struct lz_instance *instance, struct lz_err *reterr)
{
	int r = lz_object_open(&b->skel, reterr);

	if (!r)
		r = lz_object_set_sizes(b->skel->obj, instance, reterr);
	if (r)
		return r;
	bpf_program__set_autoload(b->skel->progs.lz_tc, false); /* a second to verify, never run */
	bpf_program__set_autoload(b->skel->progs.lz_tc_out, false);
	b->skel->rodata->lz_instance = *instance;
	r = lz_object_load(b->skel, reterr);
	b->xdp_fd = bpf_program__fd(b->skel->progs.lz_xdp);
	return r;
}

static int load_silently(struct lz_replay_box *b, const struct lz_instance *instance, struct lz_err *reterr)
{
	libbpf_print_fn_t print = libbpf_set_print(stay_silent);
	int r = load(b, instance, reterr);

	libbpf_set_print(print);
	return r;
}

static int open_view(struct lz_replay_box *b, const struct lz_instance *instance,
		     struct lz_err *reterr)
{
	struct lz_map_fds fds;
	int r;

	for (int i = 0; i < LZ_MAP_N; i++)
		fds.fd[i] = bpf_object__find_map_fd_by_name(b->skel->obj, lz_map_name(i));
	r = lz_tables_open(&fds, instance, &b->view, reterr);
	b->viewing = !r;
	return r;
}

static int publish(struct lz_replay_box *b, const struct lz_image *image, struct lz_err *reterr)
{
	struct lz_inner_sizes sizes;
	struct lz_inner_fds fds;
	int r;

	lz_swap_sizes(image, &sizes);
	r = lz_inner_create(&sizes, &fds, reterr);
	if (r)
		return r;
	r = lz_swap_fill(image, &fds, reterr);
	if (!r)
		r = lz_swap_publish(&b->view, image, &fds, 1, 0, reterr);
	lz_inner_close(&fds);
	/* The box is as large as the capture needs, so no source goes uncounted. */
	b->view.control->sources_max = ~0ULL;
	b->view.control->v6_budget = ~0u;
	return r;
}

int lz_replay_open(const struct lz_replay_config *config, struct lz_replay_box **ret,
		   struct lz_err *reterr)
{
	struct lz_replay_box *b = calloc(1, sizeof(*b));
	struct lz_instance instance;
	int r;

	if (!b)
		return lz_err_set(reterr, ENOMEM, "backtest: out of memory");
	size_instance(config, &instance);
	r = load_silently(b, &instance, reterr);
	if (!r) {
		b->skel->data_control->lz_control.gen_word = LZ_GEN_WORD(LZ_GEN_NONE, LZ_GEN_NONE, 0);
		r = open_view(b, &instance, reterr);
	}
	if (!r)
		r = publish(b, config->image, reterr);
	if (r) {
		lz_replay_close(&b);
		return r;
	}
	*ret = b;
	return 0;
}

int lz_replay_frame(struct lz_replay_box *box, const void *frame, __u32 bytes, __u64 now_ns,
		    enum lz_role role, struct lz_replay *ret, struct lz_err *reterr)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = bytes, .repeat = 1);
	int r;

	box->skel->data_control->lz_control.replay_now_ns = now_ns;
	box->skel->data_ports->lz_ports[PORT_IFINDEX] = LZ_PORT_ENTRY(role, role, 0, PORT_ROW);
	box->skel->data_replay->lz_last = (struct lz_replay){};
	r = bpf_prog_test_run_opts(box->xdp_fd, &opts);
	if (r)
		return lz_err_set(reterr, r, "kernel: cannot run a frame of %u bytes: %s", bytes, strerror(-r));
	*ret = box->skel->data_replay->lz_last;
	/* A refusal that wants an answer leaves XDP as a pass with its verdict in the metadata. */
	return opts.retval == XDP_PASS && ret->verdict == LZ_V_PASS;
}

const struct lz_tables_view *lz_replay_view(const struct lz_replay_box *box)
{
	return &box->view;
}

int lz_replay_stats(const struct lz_replay_box *box, struct lz_port_stats *ret)
{
	return lz_port_stats_read(&box->view, PORT_ROW, ret);
}
