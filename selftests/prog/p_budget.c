/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * p_budget.c - each program needs less than half of what the verifier walks at most (1,000,000
 * instructions), so that another kernel's verifier, or the next feature, does not stop it loading;
 * the stacks of its calls fit as older kernels add them up; and the one shape of a loop that those
 * refuse at first sight is not there.
 */
#include <errno.h>
#include <stdlib.h>

#include <lazaret/abi.h>
#include <lazaret.skel.h>

#include "lib/t.h"

#define INSNS_MAX   500000l
#define LOG_BYTES   65536
#define LOG_STATS   4 /* BPF_LOG_STATS: the totals only */
#define STACK_MAX   512 /* bytes: of a chain of calls */
#define FUNCTIONS_MAX 64

static char logs[3][LOG_BYTES];

/* ---------------------------------------------------------------- a loop that Linux 6.1 refuses
 *
 * Before its search, the verifier walks the instructions depth first, and up to Linux 6.1 calls it a
 * back-edge when a plain instruction, not a jump, is followed by one that is still on that walk: a
 * loop whose way back ends in a load or a move. Where the compiler puts such a thing depends on its
 * mood, and newer kernels say nothing.
 */
enum walk { UNSEEN, ON_WALK, DONE };

static bool is_jump(const struct bpf_insn *i)
{
	__u8 class_ = BPF_CLASS(i->code), op = BPF_OP(i->code);

	return (class_ == BPF_JMP && op != BPF_CALL && op != BPF_EXIT) || class_ == BPF_JMP32;
}

/* Where can it go from @at? Fills at most two, returns how many. */
static int nexts(const struct bpf_insn *i, int at, int ret[static 2])
{
	if (i->code == (BPF_JMP | BPF_EXIT))
		return 0;
	ret[0] = at + (i->code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1);
	if (!is_jump(i))
		return 1;
	ret[1] = at + 1 + i->off;
	if (BPF_OP(i->code) != BPF_JA)
		return 2;
	ret[0] = ret[1];
	return 1;
}

/* Walks one function from its first instruction. Returns where it is bad, or -1. */
static int walk_function(const struct bpf_insn *insns, int start, enum walk *state, int *stack)
{
	int depth = 0, to[2];

	stack[depth++] = start;
	state[start] = ON_WALK;
	while (depth) {
		int at = stack[depth - 1], n = nexts(&insns[at], at, to), next = -1;

		for (int i = 0; i < n && next < 0; i++) {
			if (state[to[i]] == UNSEEN)
				next = to[i];
			else if (state[to[i]] == ON_WALK && !is_jump(&insns[at]))
				return at;
		}
		if (next < 0) {
			state[at] = DONE;
			depth--;
		} else {
			state[next] = ON_WALK;
			stack[depth++] = next;
		}
	}
	return -1;
}

/* Of a whole program as loaded: its functions begin where calls lead, or at the start. */
static int walk_program(const struct bpf_program *prog)
{
	const struct bpf_insn *insns = bpf_program__insns(prog);
	int n = (int)bpf_program__insn_cnt(prog), bad = -1;
	enum walk *state = calloc((size_t)n, sizeof(*state));
	int *stack = calloc((size_t)n, sizeof(*stack));

	if (!state || !stack)
		abort();
	bad = walk_function(insns, 0, state, stack);
	for (int i = 0; i < n && bad < 0; i++) {
		int callee = i + 1 + insns[i].imm;

		if (insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == BPF_PSEUDO_CALL &&
		    state[callee] == UNSEEN)
			bad = walk_function(insns, callee, state, stack);
	}
	free(state);
	free(stack);
	return bad;
}

static void loops_end_in_jumps(void)
{
	struct lazaret *skel = lazaret__open_and_load();
	struct bpf_program *prog;

	if (!skel && errno == EPERM)
		T_SKIP("loading BPF needs CAP_BPF and CAP_NET_ADMIN");
	if (!T_OK(skel, "the object loads"))
		return;
	bpf_object__for_each_program(prog, skel->obj)
		T_EQ(walk_program(prog), -1, bpf_program__name(prog));
	lazaret__destroy(skel);
}

/* ---------------------------------------------------------------- the stack
 *
 * Linux 6.1 rounds the stack of each function of a chain of calls up to 32 bytes, newer ones to 16:
 * what this kernel loads may be too large for that.
 */
struct functions {
	const struct bpf_insn *insns;
	int n, end;
	int start[FUNCTIONS_MAX];
	int bytes[FUNCTIONS_MAX];
};

static bool is_call(const struct bpf_insn *i)
{
	return i->code == (BPF_JMP | BPF_CALL) && i->src_reg == BPF_PSEUDO_CALL;
}

static int function_at(const struct functions *f, int start)
{
	int i = 0;

	while (i < f->n && f->start[i] != start)
		i++;
	return i;
}

static int by_start(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The functions of a program, and their stacks from the verifier's "stack depth 104+0+..", which has
 * them in the order they lie in. Returns whether it has as many. */
static bool read_functions(struct functions *f, const struct bpf_program *prog, const char *log)
{
	const char *at = strstr(log, "stack depth ");
	int depths = 0;

	*f = (struct functions){ .insns = bpf_program__insns(prog), .n = 1,
				 .end = (int)bpf_program__insn_cnt(prog) };
	for (int i = 0; i < f->end; i++)
		if (is_call(&f->insns[i]) && f->n < FUNCTIONS_MAX &&
		    function_at(f, i + 1 + f->insns[i].imm) == f->n)
			f->start[f->n++] = i + 1 + f->insns[i].imm;
	qsort(f->start, (size_t)f->n, sizeof(f->start[0]), by_start);
	for (at = at ? at + strlen("stack depth") : NULL; at && depths < f->n && strchr(" +", *at);) {
		char *end;
		long bytes = strtol(at + 1, &end, 10);

		f->bytes[depths++] = bytes ? (int)(bytes + 31) / 32 * 32 : 32;
		at = end;
	}
	return depths == f->n && *at == '\n';
}

/* The most that a function and what it calls need; BPF knows no recursion. */
static int stack_of(const struct functions *f, int n)
{
	int end = n + 1 < f->n ? f->start[n + 1] : f->end, most = 0;

	for (int i = f->start[n]; i < end; i++)
		if (is_call(&f->insns[i])) {
			int below = stack_of(f, function_at(f, i + 1 + f->insns[i].imm));

			most = below > most ? below : most;
		}
	return f->bytes[n] + most;
}

static void check_stack(const struct bpf_program *prog, const char *log)
{
	struct functions f;

	if (!T_OK(read_functions(&f, prog, log), "the verifier tells each function's stack"))
		return;
	printf("# %s: %d bytes of stack of %d\n", bpf_program__name(prog), stack_of(&f, 0), STACK_MAX);
	T_OK(stack_of(&f, 0) <= STACK_MAX, "the longest chain of calls fits");
}

/* ---------------------------------------------------------------- the verifier's limits */

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
		check_stack(prog, logs[n - 1]);
	}
	lazaret__destroy(skel);
}

static const struct t_case cases[] = {
	{ "each program fits the verifier's limits", programs_fit },
	{ "no loop's way back ends in anything but a jump", loops_end_in_jumps },
};

int main(void)
{
	return T_MAIN(cases);
}
