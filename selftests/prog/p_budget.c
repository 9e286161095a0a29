/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_budget.c - each program needs less than half of what the verifier walks at most (1,000,000
 * instructions), so that another kernel's verifier, or the next feature, does not stop it loading.
 */
#include <errno.h>
#include <stdlib.h>

#include <lazaret/abi.h>
#include <lazaret.skel.h>

#include "lib/t.h"

#define INSNS_MAX   500000l
#define LOG_BYTES   65536
#define LOG_STATS   4 /* BPF_LOG_STATS: the totals only */

static char logs[3][LOG_BYTES];

/* The number in "processed N insns (limit ...)"; -1 without one. */
static long processed(const char *log)
{
	const char *at = strstr(log, "processed ");

	return at ? strtol(at + strlen("processed "), NULL, 10) : -1;
}

static void programs_fit(void)
{
	struct lazaret *skel = lazaret__open();
	struct bpf_program *prog;
	int n = 0, err;

	if (!T_OK(skel, "the object opens"))
		return;
	skel->rodata->lz_instance.tag_lines = 1;
	bpf_object__for_each_program(prog, skel->obj) {
		if (n == 3)
			break;
		bpf_program__set_log_level(prog, LOG_STATS);
		bpf_program__set_log_buf(prog, logs[n++], LOG_BYTES);
	}
	err = lazaret__load(skel);
	if (err == -EPERM) {
		lazaret__destroy(skel);
		T_SKIP("loading BPF needs CAP_BPF and CAP_NET_ADMIN");
	}
	T_EQ(err, 0, "the object loads");
	T_EQ(n, 3, "three programs");
	n = 0;
	bpf_object__for_each_program(prog, skel->obj) {
		long insns = processed(logs[n++]);

		printf("# %s: %ld verified instructions of %ld\n", bpf_program__name(prog), insns,
		       INSNS_MAX);
		T_OK(insns > 0, "the verifier says how many");
		T_OK(insns < INSNS_MAX, "within half of the verifier's limit");
	}
	lazaret__destroy(skel);
}

static const struct t_case cases[] = {
	{ "each program needs less than half of the verifier's limit", programs_fit },
};

int main(void)
{
	return T_MAIN(cases);
}
